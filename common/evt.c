/* SPDX-License-Identifier: Apache-2.0 */
/* Event lines: built in a bounded buffer, chained, appended with one write. */
#include "common/evt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/str.h"

#define EVT_FIELD_MAX 8192
#define EVT_TAIL 256

struct evtlog {
	int fd;
	const char *source;
	char session[ID_MAX];
	char prev[65];
	uint64_t lost, generation;
	struct buf line;
	bool cut;
};

/* Reads the last line's hash, so that a log that is opened again goes on with its chain. */
static void chain_resume(struct evtlog *l)
{
	char tail[EVT_TAIL];
	struct stat st;
	const char *p;
	ssize_t n;

	memset(l->prev, '0', 64);
	if (fstat(l->fd, &st) < 0 || st.st_size < EVT_TAIL)
		return;
	n = pread(l->fd, tail, sizeof(tail) - 1, st.st_size - (EVT_TAIL - 1));
	if (n <= 0)
		return;
	tail[n] = 0;
	p = strstr(tail, "\"entry_hash\":\"");
	if (p && strlen(p) >= 14 + 64)
		memcpy(l->prev, p + 14, 64);
}

int evtlog_open(int dirfd, const char *source, const char *session_id, struct evtlog **ret)
{
	struct evtlog *l = calloc(1, sizeof(*l));
	char name[64];
	struct stat st;

	if (!l)
		return -ENOMEM;
	snprintf(name, sizeof(name), "events-%s.jsonl", source);
	l->fd = openat(dirfd, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (l->fd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	/* The owner's group reads its own records (the directory has that group). */
	if (fstat(dirfd, &st) == 0 && fchown(l->fd, (uid_t)-1, st.st_gid) < 0)
		st.st_gid = 0;
	l->source = source;
	snprintf(l->session, sizeof(l->session), "%s", session_id);
	l->line = (struct buf)BUF_INIT(EVT_LINE_MAX);
	chain_resume(l);
	*ret = l;
	return 0;
}

void evtlog_close(struct evtlog *l)
{
	if (!l)
		return;
	close(l->fd);
	buf_fini(&l->line);
	free(l);
}

static void key(struct evtlog *l, const char *k)
{
	buf_puts(&l->line, ",\"");
	buf_puts(&l->line, k);
	buf_puts(&l->line, "\":");
}

void evt_begin(struct evtlog *l, const char *type, const char *command_id, pid_t pid)
{
	struct timespec t;
	char id[ID_MAX], when[UTC_MAX];

	clock_gettime(CLOCK_REALTIME, &t);
	utc_text(t.tv_sec, when);
	id_new("evt-", id);
	buf_reset(&l->line);
	l->cut = false;
	buf_printf(&l->line, "{\"id\":\"%s\",\"timestamp\":\"%s.%06ldZ\",\"type\":\"%s\",\"session_id\":\"%s\"", id, when, t.tv_nsec / 1000,
		   type, l->session);
	if (command_id && command_id[0])
		evt_str(l, "command_id", command_id);
	buf_printf(&l->line, ",\"source\":\"%s\"", l->source);
	if (pid > 0)
		evt_int(l, "pid", pid);
}

void evt_strn(struct evtlog *l, const char *k, const char *s, size_t n)
{
	/* A byte can become six; leave room for the rest and the hashes. */
	if (n > EVT_FIELD_MAX || l->line.len + 6 * n + 1024 > EVT_LINE_MAX) {
		size_t room = l->line.len + 2048 < EVT_LINE_MAX ? (EVT_LINE_MAX - l->line.len - 2048) / 6 : 0;

		l->cut = true;
		n = n < room ? n : room;
	}
	key(l, k);
	buf_json_str(&l->line, s, n);
}

void evt_str(struct evtlog *l, const char *k, const char *s)
{
	if (s)
		evt_strn(l, k, s, strlen(s));
}

void evt_int(struct evtlog *l, const char *k, int64_t v)
{
	key(l, k);
	buf_printf(&l->line, "%" PRId64, v);
}

void evt_strv(struct evtlog *l, const char *k, const char *const *v, size_t n)
{
	key(l, k);
	buf_puts(&l->line, "[");
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(v[i]);

		if (l->line.len + 6 * len + 4096 > EVT_LINE_MAX) {
			l->cut = true;
			break;
		}
		if (i)
			buf_puts(&l->line, ",");
		buf_json_str(&l->line, v[i], len);
	}
	buf_puts(&l->line, "]");
}

void evt_policy(struct evtlog *l, const char *decision, const char *effective, const char *rule, const char *message)
{
	buf_puts(&l->line, ",\"policy\":{\"decision\":");
	buf_json_str(&l->line, decision, strlen(decision));
	evt_str(l, "effective_decision", effective);
	evt_str(l, "rule", rule);
	if (message && message[0])
		evt_strn(l, "message", message, strnlen(message, 1024));
	if (l->generation)
		evt_int(l, "generation", (int64_t)l->generation);
	buf_puts(&l->line, "}");
}

uint64_t evt_generation(struct evtlog *l, uint64_t number)
{
	uint64_t was = l->generation;

	l->generation = number;
	return was;
}

static void finish(struct evtlog *l)
{
	uint8_t h[32];
	char hex[65];
	ssize_t n;

	if (l->cut)
		buf_puts(&l->line, ",\"truncated\":true");
	buf_printf(&l->line, ",\"prev_hash\":\"%s\"", l->prev);
	if (!buf_ok(&l->line)) {
		l->lost++;
		return;
	}
	sha256(l->line.data, l->line.len, h);
	hex_encode(h, sizeof(h), hex);
	buf_printf(&l->line, ",\"entry_hash\":\"%s\"}\n", hex);
	do
		n = write(l->fd, l->line.data, l->line.len);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)l->line.len) {
		struct stat st;

		l->lost++;
		/* A part of a line would spoil the next one: take it back. */
		if (n > 0 && fstat(l->fd, &st) == 0 && ftruncate(l->fd, st.st_size - n) < 0)
			l->lost++;
		return;
	}
	memcpy(l->prev, hex, sizeof(hex));
}

void evt_end(struct evtlog *l)
{
	if (l->lost) {
		struct buf mine = l->line;
		uint64_t lost = l->lost;
		bool cut = l->cut;

		l->line = (struct buf)BUF_INIT(EVT_LINE_MAX);
		evt_begin(l, "gap", NULL, 0);
		evt_int(l, "lost", (int64_t)lost);
		l->lost = 0;
		finish(l);
		l->lost = l->lost ? lost : 0;
		buf_fini(&l->line);
		l->line = mine;
		l->cut = cut;
	}
	finish(l);
}
