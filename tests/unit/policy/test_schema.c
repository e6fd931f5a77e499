/* SPDX-License-Identifier: Apache-2.0 */
/* The schema is JSON and lists every key that the parser knows, at its place and with words, and no other. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/parse.h"
#include "tests/unit/policy/pol.h"

/* The object with properties in what stands for a key: itself, or under allOf, anyOf, items. */
static const cJSON *object_in(const cJSON *j)
{
	static const char *const under[] = { "allOf", "anyOf" };
	const cJSON *found = cJSON_GetObjectItemCaseSensitive(j, "properties") ? j : NULL, *one;

	for (size_t i = 0; i < ARRAY_LEN(under) && !found; i++)
		cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(j, under[i])) if (!found) found = object_in(one);
	if (!found && cJSON_GetObjectItemCaseSensitive(j, "items"))
		found = object_in(cJSON_GetObjectItemCaseSensitive(j, "items"));
	return found;
}

static size_t check_shape(const struct shape *s, const cJSON *j)
{
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(j, "properties"), *needed = cJSON_GetObjectItemCaseSensitive(j, "required"), *one;
	size_t keys = 0, required = 0, seen = 0;

	assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(j, "additionalProperties")));
	for (size_t i = 0; i < s->n; i++) {
		const struct key *k = &s->v[i];
		const cJSON *p = cJSON_GetObjectItemCaseSensitive(all, k->name);
		bool found = false;

		if (!(k->in & s->in) || !k->read)
			continue;
		if (!p || !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(p, "description")))
			fail_msg("%s: no %s", s->what, k->name);
		assert_true(k->about[strlen(k->about) - 1] == '.');
		cJSON_ArrayForEach(one, needed) found |= !strcmp(one->valuestring, k->name);
		assert_int_equal(found, k->flags & K_REQUIRED ? 1 : 0);
		required += found;
		keys++;
		seen += k->sub ? check_shape(k->sub, object_in(p)) : 0;
	}
	assert_int_equal(cJSON_GetArraySize(all), keys);
	assert_int_equal(cJSON_GetArraySize(needed), required);
	return seen + keys;
}

static void test_keys(void **state UNUSED)
{
	struct buf text = BUF_INIT(1u << 20);
	cJSON *j;

	assert_int_equal(policy_schema(&text), 0);
	j = cJSON_Parse((char *)text.data);
	assert_non_null(j);
	assert_string_equal(cJSON_GetObjectItemCaseSensitive(j, "$schema")->valuestring, "https://json-schema.org/draft/2020-12/schema");
	assert_true(check_shape(&shape_top, j) > 150);
	cJSON_Delete(j);
	buf_fini(&text);
	text.max = 100;
	assert_int_equal(policy_schema(&text), -ENOMEM);
	buf_fini(&text);
}

static size_t keys_met;

/* Every key of the maps below n stands in the schema. */
static void check_node(const struct node *n, const cJSON *j)
{
	const cJSON *object = object_in(j);

	for (size_t i = 0; n->kind == NODE_LIST && i < n->n; i++)
		check_node(n->v[i], j);
	for (size_t i = 0; n->kind == NODE_MAP && object && i < n->n; i += 2) {
		const cJSON *p = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, "properties"), n->v[i]->text);

		if (!p)
			fail_msg("line %u: the schema has no %s", n->v[i]->line, n->v[i]->text);
		keys_met++;
		check_node(n->v[i + 1], p);
	}
}

static void on_item(void *arg, const struct node *key, const struct node *item)
{
	check_node(item, cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(arg, "properties"), key->text));
}

static void test_packs(void **state UNUSED)
{
	static const char *const packs[] = { "policies/default.yaml", "policies/agent-sandbox.yaml" };
	struct buf text = BUF_INIT(1u << 20), pack = BUF_INIT(1u << 20), words = BUF_INIT(1u << 16);
	struct diag d = { .file = "f", .out = &words };
	cJSON *j;

	assert_int_equal(policy_schema(&text), 0);
	j = cJSON_Parse((char *)text.data);
	for (size_t i = 0; i < ARRAY_LEN(packs); i++) {
		FILE *f = fopen(packs[i], "re");
		char part[4096];
		struct node *root;
		size_t n;

		assert_non_null(f);
		buf_reset(&pack);
		while ((n = fread(part, 1, sizeof(part), f)) > 0)
			buf_put(&pack, part, n);
		fclose(f);
		keys_met = 0;
		root = yaml_read((char *)pack.data, pack.len, &d, on_item, j);
		assert_non_null(root);
		check_node(root, j);
		node_free(root);
		assert_true(keys_met > 50);
	}
	cJSON_Delete(j);
	buf_fini(&text);
	buf_fini(&pack);
	buf_fini(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_keys), cmocka_unit_test(test_packs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
