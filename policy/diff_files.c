/* SPDX-License-Identifier: Apache-2.0 */
/* Files: every path is looked at by walking both policies' automata at once, byte by byte, shortest paths first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"

#define WALK_BYTES (64u << 20)
#define NO_PLACE 0xffffffffu
#define PATHS_MAX 400000
#define NOT_ALONG 0xffff        /* of place.along: the path left the workspace's name */

/* What the name so far is: nothing, ".", "..", or one that a file may have. */
enum shape { SHAPE_NONE, SHAPE_DOT, SHAPE_DOTS, SHAPE_NAME };
struct place {
	struct pol_state at[2];     /* of the name so far; SHAPE_NONE: of the directory */
	const char *name;           /* reached by a whole name, not a byte; NULL. Not owned */
	uint32_t from;              /* the place before this byte or name */
	uint16_t along[2];          /* bytes of the workspace's names that the path is the begin of */
	uint8_t byte, shape;
};
struct walk {
	struct differ *d;
	struct place *v;
	uint32_t n, cap, *table, cap_table;
	struct pool paths;          /* of the rules of both policies */
	char *names;                /* the names of paths, each with a NUL */
	const char *skip[2];        /* paths that are judged from the workspace's own state */
	uint8_t bytes[256];
	size_t n_bytes;
};

/* Bytes that no glob names are alike to all of them: one stands for the rest. The order is that in which a path looks best. */
static void choose_bytes(struct walk *w)
{
	static const char nice[] = "xabcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	bool named[256] = { false }, other = false;

	named['/'] = named['.'] = true;
	for (int k = 0; k < 2; k++) {
		for (const char *s = w->skip[k]; *s; s++)
			named[(uint8_t)*s] = true;
		for (size_t i = 0; i < w->d->m[k].files.n; i++) {
			const struct strs *paths = &w->d->m[k].files.v[i].paths;

			for (size_t p = 0; p < paths->n; p++)
				for (const char *s = paths->v[p]; *s; s++) {
					named[(uint8_t)*s] = true;
					for (int c = (uint8_t)*s; s[1] == '-' && c <= (uint8_t)(s[2] == '\\' ? s[3] : s[2]); c++)
						named[c] = true;
				}
		}
	}
	for (int pass = 0; pass < 2; pass++)
		for (int i = 1; i < 256; i++) {
			int c = pass ? i : i <= (int)strlen(nice) ? (uint8_t)nice[i - 1] : 0;
			bool unused = !named[c] && !other;

			if (!c || memchr(w->bytes, c, w->n_bytes) || (!named[c] && !unused))
				continue;
			other = other || unused;
			w->bytes[w->n_bytes++] = (uint8_t)c;
		}
}

/* Behind the prefix of n bytes that path begins with; false when there is no room. */
static bool path_of(const struct walk *w, uint32_t i, char *path, size_t n, size_t cap)
{
	for (uint32_t k = i; w->v[k].byte; k = w->v[k].from)
		n += w->v[k].name ? strlen(w->v[k].name) + 1 : 1;
	if (n + 1 > cap)
		return false;
	path[n] = 0;
	for (; w->v[i].byte; i = w->v[i].from)
		if (w->v[i].name) {
			n -= strlen(w->v[i].name);
			memcpy(path + n, w->v[i].name, strlen(w->v[i].name));
			path[--n] = '/';
		} else {
			path[--n] = (char)w->v[i].byte;
		}
	return true;
}

static void judge(struct differ *d, const struct pol_state at[2], const char *path)
{
	for (size_t k = 0; k < d->n_askers; k++) {
		const struct asker *w = &d->askers[k];

		for (int op = 0; op < POL_OP__COUNT; op++) {
			struct pol_verdict a, b;

			if (k && !policy_file_asks(d->p[0], at[0], (enum pol_op)op) && !policy_file_asks(d->p[1], at[1], (enum pol_op)op))
				continue;
			a = policy_file(d->p[0], at[0], (enum pol_op)op, w->who[0]);
			b = policy_file(d->p[1], at[1], (enum pol_op)op, w->who[1]);
			if (!diff_differs(d, &a, &b))
				continue;
			diff_begin(d, w, "file %s", pol_op_name((enum pol_op)op));
			diff_word(d, path);
			diff_note_verdicts(d, "file", &a, &b, op);
		}
	}
}

static void judge_path(struct differ *d, const char *path)
{
	const struct pol_state at[2] = { policy_file_path(d->p[0], path), policy_file_path(d->p[1], path) };

	judge(d, at, path);
}

static uint32_t hash_of(const struct place *p)
{
	const uint8_t *s = (const uint8_t *)p->at;
	uint32_t h = 2166136261u ^ p->shape ^ (uint32_t)p->along[0] << 8 ^ (uint32_t)p->along[1] << 16;

	for (size_t i = 0; i < sizeof(p->at); i += 4) {
		uint32_t word;

		memcpy(&word, s + i, 4);
		h = (h ^ word) * 0x9e3779b1u;
		h ^= h >> 15;
	}
	return h;
}

/* The place, or the one met before that is alike; NO_PLACE: no room. */
static uint32_t add(struct walk *w, const struct place *p)
{
	uint32_t at = hash_of(p) % w->cap_table;

	for (; w->table[at]; at = (at + 1) % w->cap_table) {
		const struct place *q = &w->v[w->table[at] - 1];

		if (pol_state_eq(q->at[0], p->at[0]) && pol_state_eq(q->at[1], p->at[1]) && q->shape == p->shape &&
		    q->along[0] == p->along[0] && q->along[1] == p->along[1])
			return w->table[at] - 1;
	}
	if (w->n == w->cap) {
		w->d->cut = true; /* ends the walk */
		return NO_PLACE;
	}
	w->v[w->n] = *p;
	w->table[at] = w->n + 1;
	return w->n++;
}

static bool is_skipped(const struct walk *w, const struct place *p)
{
	for (int k = 0; k < 2; k++)
		if (p->along[k] != NOT_ALONG && p->along[k] == strlen(w->skip[k]))
			return true;
	return false;
}

static void step(struct walk *w, uint32_t from, uint8_t c, const char *name, size_t n, const struct pol_state dir[2])
{
	const struct place *p = &w->v[from];
	struct place to = { .from = from, .byte = c };

	/* Names that begin as the workspace's do are no part of it. */
	if (c == '/' ? p->shape != SHAPE_NAME || is_skipped(w, p) : !p->byte)
		return;
	to.shape = p->shape == SHAPE_NONE && c == '.' ? SHAPE_DOT : p->shape == SHAPE_DOT && c == '.' ? SHAPE_DOTS : SHAPE_NAME;
	if (c == '/')
		to.shape = SHAPE_NONE;
	for (int k = 0; k < 2; k++) {
		bool along = p->along[k] != NOT_ALONG && (uint8_t)w->skip[k][p->along[k]] == c;

		to.along[k] = along ? (uint16_t)(p->along[k] + 1) : NOT_ALONG;
		to.at[k] = c == '/' ? p->at[k] : policy_file_child(w->d->p[k], dir[k], name, n);
	}
	add(w, &to);
}

static void expand(struct walk *w, uint32_t i)
{
	struct pol_state dir[2];
	char name[256];
	uint32_t k;
	size_t n = 0, at;

	if (w->v[i].name) {
		step(w, i, '/', NULL, 0, NULL); /* its longer names were met byte by byte */
		return;
	}
	for (k = i; w->v[k].byte && w->v[k].byte != '/'; k = w->v[k].from)
		if (++n == sizeof(name) - 1)
			return; /* no name is longer */
	dir[0] = w->v[k].at[0];
	dir[1] = w->v[k].at[1];
	for (k = i, at = n; at; k = w->v[k].from)
		name[--at] = (char)w->v[k].byte;
	for (size_t b = 0; b < w->n_bytes; b++) {
		name[n] = (char)w->bytes[b];
		step(w, i, w->bytes[b], name, n + 1, dir);
	}
}

/* Absolute, no name empty or made of dots only. */
static bool is_clean(const char *path)
{
	bool clean = path[0] == '/' && path[1] && strlen(path) < 4096;

	for (const char *s = path; *s && clean; s++)
		if (*s == '/') {
			size_t dots = strspn(s + 1, "."), n = strcspn(s + 1, "/");

			clean = n && !(dots == n && n <= 2);
		}
	return clean;
}

/* The part of path behind the prefix of a walk; NULL: it belongs to the other walk. */
static const char *inside(const struct walk *w, const char *path, bool root)
{
	for (int k = 0; k < 2; k++) {
		size_t n = strlen(w->skip[k]);

		if (!strncmp(path, w->skip[k], n) && (path[n] == '/' || !path[n]))
			return root ? NULL : path + n;
	}
	return root ? path : NULL;
}

/*
 * A policy with very many plain paths looks its names up whole: then the state of half a name says nothing of the other half, and a walk
 * by bytes passes names by. So each path of a rule is walked by its names, too.
 */
static void add_names(struct walk *w, bool root)
{
	char *to = w->names;

	for (size_t i = 0; i < w->paths.n && diff_time(w->d); i++) {
		const char *s = inside(w, w->paths.v[i], root), *path = s;
		uint32_t at = 0;

		while (s && *s && at != NO_PLACE) {
			struct place p = { .name = to, .byte = '/', .shape = SHAPE_NAME, .from = at };
			size_t n = strcspn(s + 1, "/");

			memcpy(to, s + 1, n);
			to[n] = 0;
			s += n + 1;
			for (int k = 0; k < 2; k++) {
				bool along = root && !strncmp(path, w->skip[k], (size_t)(s - path));

				p.at[k] = policy_file_child(w->d->p[k], w->v[at].at[k], to, n);
				p.along[k] = along ? (uint16_t)(s - path) : NOT_ALONG;
			}
			at = add(w, &p);
			if (at == w->n - 1 && w->v[at].name == to)
				to += n + 1;
		}
	}
}

/* All paths below prefix, whose states are a and b. root: "/"; itself it is no path, and the workspace below it is another walk. */
static void walk(struct walk *w, const char *prefix, struct pol_state a, struct pol_state b, bool root)
{
	struct place first = { .at = { a, b }, .shape = SHAPE_NAME };
	size_t len = strlen(prefix);
	bool named = false;
	char path[4096];

	snprintf(path, sizeof(path), "%s", prefix);
	memset(w->table, 0, w->cap_table * sizeof(*w->table));
	w->n = 0;
	first.along[0] = first.along[1] = root ? 0 : NOT_ALONG;
	add(w, &first);
	for (uint32_t i = 0; i < w->n && diff_time(w->d); i++) {
		bool is_path = w->v[i].shape == SHAPE_NAME && !(root && i == 0) && !is_skipped(w, &w->v[i]);

		if (is_path && path_of(w, i, path, len, sizeof(path)))
			judge(w->d, w->v[i].at, path);
		expand(w, i);
		if (i + 1 == w->n && !named) {
			add_names(w, root);
			named = true;
		}
	}
}

static bool collect_paths(struct walk *w)
{
	size_t bytes = 1, n = 0;

	w->paths.max = PATHS_MAX;
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < w->d->m[k].files.n && !w->paths.full; i++)
			for (size_t p = 0; p < w->d->m[k].files.v[i].paths.n; p++)
				example_glob(w->d->m[k].files.v[i].paths.v[p], '/', &w->paths);
	pool_done(&w->paths);
	for (size_t i = 0; i < w->paths.n; i++) {
		char *s = w->paths.v[i];

		if (is_clean(s)) {
			bytes += strlen(s) + 1;
			w->paths.v[n++] = s;
		} else {
			free(s);
		}
	}
	w->paths.n = n;
	w->names = malloc(bytes);
	return w->names != NULL;
}

void diff_files(struct differ *d)
{
	struct walk w = { .d = d, .cap = WALK_BYTES / sizeof(struct place), .skip = { "/workspace", d->workspace } };
	uint64_t end = d->until;
	bool cut;

	w.cap_table = w.cap * 2;
	w.v = malloc(w.cap * sizeof(*w.v));
	w.table = malloc(w.cap_table * sizeof(*w.table));
	if (!w.v || !w.table || !collect_paths(&w)) {
		d->failed = true;
	} else {
		choose_bytes(&w);
		judge_path(d, "/");
		d->until = end - DIFF_FILES_MS / 2;
		walk(&w, "/workspace", policy_file_workspace(d->p[0]), policy_file_workspace(d->p[1]), false);
		cut = d->cut;
		d->cut = false;
		d->until = end;
		walk(&w, "", policy_file_root(d->p[0]), policy_file_root(d->p[1]), true);
		cut = cut || d->cut;
		d->cut = false;
		/* They find something also where the walk was too long. */
		d->until = end + DIFF_SECTION_MS;
		for (size_t i = 0; i < w.paths.n && diff_time(d); i++)
			judge_path(d, w.paths.v[i]);
		d->cut = cut || d->cut || w.paths.full;
	}
	free(w.v);
	free(w.table);
	free(w.names);
	pool_fini(&w.paths);
}
