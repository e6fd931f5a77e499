/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the JSON answer: result, policy, the command's events filtered by level, guidance. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/exec_json.h"
#include "common/utf8.h"

#define SUMMARY_MAX 100

void capture_read(struct capture *c)
{
	uint8_t part[65536];
	ssize_t n = read(c->fd, part, sizeof(part));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	if (!c->kept.max)
		c->kept = (struct buf)BUF_INIT(CAPTURE_MAX);
	if (c->kept.len < CAPTURE_MAX)
		buf_put(&c->kept, part, (size_t)n < CAPTURE_MAX - c->kept.len ? (size_t)n : CAPTURE_MAX - c->kept.len);
	c->total += (uint64_t)n;
}

static bool is_text(const struct buf *b)
{
	for (size_t i = 0; i < b->len;) {
		size_t n = b->data[i] ? utf8_len(b->data + i, b->len - i) : 0;

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static void base64(const struct buf *in, struct buf *out)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < in->len; i += 3) {
		uint32_t v = (uint32_t)in->data[i] << 16 | (i + 1 < in->len ? (uint32_t)in->data[i + 1] << 8 : 0) |
			     (i + 2 < in->len ? in->data[i + 2] : 0);
		char c[4] = { set[v >> 18], set[v >> 12 & 63], set[v >> 6 & 63], set[v & 63] };

		if (i + 1 >= in->len)
			c[2] = '=';
		if (i + 2 >= in->len)
			c[3] = '=';
		buf_put(out, c, 4);
	}
	buf_put(out, "", 0);
}

/* A stream that is not text is given in base64, and "encoding" says so. */
static void add_stream(cJSON *j, const char *name, const struct capture *c)
{
	struct buf text = BUF_INIT(2 * CAPTURE_MAX);
	char key[64];

	if (!c->kept.len) {
		cJSON_AddStringToObject(j, name, "");
		return;
	}
	if (is_text(&c->kept)) {
		cJSON_AddStringToObject(j, name, (const char *)c->kept.data);
		return;
	}
	base64(&c->kept, &text);
	cJSON_AddStringToObject(j, name, (const char *)text.data);
	snprintf(key, sizeof(key), "%s_encoding", name);
	cJSON_AddStringToObject(j, key, "base64");
	cJSON_AddStringToObject(j, "encoding", "base64");
	buf_fini(&text);
}

static bool blocked(const cJSON *e)
{
	const char *eff = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(e, "policy"), "effective_decision"));

	return eff && !strcmp(eff, "deny");
}

static bool wanted(const cJSON *e, const char *level)
{
	static const char *const always[] = { "dns_query", "net_", "execve", "exec_", "command_", "approval_", "file_soft_deleted", "gap" };
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(e, "type"));

	if (!strcmp(level, "all") || !strcmp(level, "full"))
		return true;
	if (!strcmp(level, "none") || !type)
		return false;
	if (blocked(e))
		return true;
	for (size_t i = 0; !strcmp(level, "summary") && i < ARRAY_LEN(always); i++)
		if (!strncmp(type, always[i], strlen(always[i])))
			return true;
	return false;
}

static void add_events(cJSON *j, const char *id, const char *cmd, const struct exec_done *d, const char *level)
{
	cJSON *all, *counts = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(j, "events"), *e, *next;
	int n = 0, shown = 0, file = 0, net = 0, process = 0, stop = 0;
	bool cut = false;

	client_sync("fsd", id);
	client_sync("netd", id);
	all = events_read(id, cmd, &d->from);
	for (e = all->child; e; e = next) {
		const char *source = cJSON_GetStringValue(cJSON_GetObjectItem(e, "source"));

		next = e->next;
		n++;
		file += source && !strcmp(source, "fsd");
		net += source && !strcmp(source, "netd");
		process += source && !strcmp(source, "execd");
		stop += blocked(e);
		if (!wanted(e, level))
			continue;
		if (!strcmp(level, "summary") && shown >= SUMMARY_MAX) {
			cut = true;
			continue;
		}
		shown++;
		cJSON_AddItemToArray(list, cJSON_DetachItemViaPointer(all, e));
	}
	cJSON_Delete(all);
	cJSON_AddNumberToObject(counts, "total", n);
	cJSON_AddNumberToObject(counts, "file", file);
	cJSON_AddNumberToObject(counts, "network", net);
	cJSON_AddNumberToObject(counts, "process", process);
	cJSON_AddNumberToObject(counts, "blocked", stop);
	cJSON_AddBoolToObject(counts, "truncated", cut);
	cJSON_AddItemToObject(j, "event_counts", counts);
}

static void add_result(cJSON *j, const struct exec_done *d, struct capture cap[2])
{
	cJSON *r = cJSON_AddObjectToObject(j, "result"), *e;

	cJSON_AddNumberToObject(r, "exit_code", d->code);
	cJSON_AddNumberToObject(r, "signal", d->signal);
	add_stream(r, "stdout", &cap[0]);
	add_stream(r, "stderr", &cap[1]);
	cJSON_AddBoolToObject(r, "stdout_truncated", cap[0].total > cap[0].kept.len);
	cJSON_AddBoolToObject(r, "stderr_truncated", cap[1].total > cap[1].kept.len);
	cJSON_AddNumberToObject(r, "stdout_total_bytes", (double)cap[0].total);
	cJSON_AddNumberToObject(r, "stderr_total_bytes", (double)cap[1].total);
	cJSON_AddNumberToObject(r, "duration_ms", (double)d->duration_ms);
	if (d->denied || d->timeout || d->not_started) {
		e = cJSON_AddObjectToObject(r, "error");
		cJSON_AddStringToObject(e, "code", d->denied ? "E_POLICY_DENIED" : "E_COMMAND_FAILED");
		cJSON_AddStringToObject(e, "message", d->denied ? (d->message[0] ? d->message : "command denied by policy") :
							d->timeout ? "ended at its timeout" : d->words);
		if (d->denied)
			cJSON_AddStringToObject(e, "policy_rule", d->rule);
	}
}

void exec_json(const char *id, const char *cmd, const struct exec_opts *o, const struct exec_done *d, struct capture cap[2])
{
	cJSON *j = cJSON_CreateObject(), *q, *p;
	char utc[UTC_MAX], now[UTC_MAX + 1];

	utc_text(time(NULL), utc);
	snprintf(now, sizeof(now), "%sZ", utc);
	cJSON_AddStringToObject(j, "command_id", cmd);
	cJSON_AddStringToObject(j, "session_id", id);
	cJSON_AddStringToObject(j, "timestamp", now);
	q = cJSON_AddObjectToObject(j, "request");
	cJSON_AddStringToObject(q, "command", o->argv[0]);
	cJSON_AddItemToObject(q, "args", cJSON_CreateStringArray((const char *const *)o->argv + 1, o->argc - 1));
	cJSON_AddNumberToObject(j, "exit_code", d->code);
	add_stream(j, "stdout", &cap[0]);
	add_stream(j, "stderr", &cap[1]);
	p = cJSON_AddObjectToObject(j, "policy");
	cJSON_AddStringToObject(p, "decision", d->decision);
	cJSON_AddStringToObject(p, "effective_decision", d->effective);
	cJSON_AddStringToObject(p, "rule", d->rule);
	if (d->message[0])
		cJSON_AddStringToObject(p, "message", d->message);
	add_result(j, d, cap);
	add_events(j, id, cmd, d, o->events);
	q = cJSON_AddObjectToObject(j, "resources");
	cJSON_AddNumberToObject(q, "cpu_user_ms", (double)d->user_us / 1000);
	cJSON_AddNumberToObject(q, "cpu_system_ms", (double)d->system_us / 1000);
	cJSON_AddNumberToObject(q, "memory_peak_kb", (double)d->maxrss_kb);
	q = cJSON_AddObjectToObject(j, "guidance");
	cJSON_AddStringToObject(q, "status", d->denied ? "blocked" : d->code ? "failed" : "ok");
	cJSON_AddBoolToObject(q, "blocked", d->denied);
	if (d->denied) {
		cJSON_AddStringToObject(q, "reason", d->message);
		cJSON_AddStringToObject(q, "policy_rule", d->rule);
	}
	print_json(j);
	buf_fini(&cap[0].kept);
	buf_fini(&cap[1].kept);
}
