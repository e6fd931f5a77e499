/* SPDX-License-Identifier: Apache-2.0 */
/* Words to a question. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/addr.h"
#include "common/str.h"
#include "policy/cases.h"

#define NAME_MAX_BYTES 1024

const char *ask_name(enum ask kind)
{
	static const char *const names[] = { "file", "net", "dns", "exec", "unix", "signal", "http", "env", "service", "dns-redirect",
		"connect-redirect" };

	return kind < ASK__COUNT ? names[kind] : "?";
}

/* Lower case, without one trailing dot, in place. */
static int host_name(char *s, struct question *q, struct err *err)
{
	size_t n = strlen(s);

	if (strstr(s, "://"))
		return err_set(err, -EINVAL, "\"%.64s\" is no host's name: write the name alone, without https:// and path", s);
	if (n && s[n - 1] == '.')
		s[--n] = 0;
	if (!n || n > NAME_MAX_BYTES)
		return err_set(err, -EINVAL, n ? "the host's name is too long" : "the host's name is empty");
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
	q->host = s - n;
	return 0;
}

/* NAME, ADDRESS, NAME@ADDRESS; IPv6 in brackets; then :PORT, which may be missing when port is not 0: that one then. */
static int endpoint(char *text, uint16_t port, struct question *q, struct err *err)
{
	char *at = strrchr(text, '@'), *where = at ? at + 1 : text, *colon;
	uint64_t number = port;

	if (strstr(text, "://"))
		return err_set(err, -EINVAL, "\"%.64s\" has a scheme: write HOST:PORT, without https:// and path", text);
	if (where[0] == '[') {
		char *end = strchr(where, ']');

		if (!end || (end[1] && end[1] != ':'))
			return err_set(err, -EINVAL, "\"[\" without \"]\" and a port behind it");
		*end = 0;
		if (inet_pton(AF_INET6, where + 1, q->addr) != 1)
			return err_set(err, -EINVAL, "\"%.64s\" is no IPv6 address", where + 1);
		q->addr_len = addr16_unmap(q->addr) ? 4 : 16; /* as netd judges it */
		colon = end[1] ? end + 1 : NULL;
	} else {
		colon = strchr(where, ':');
		if (colon && strchr(colon + 1, ':'))
			return err_set(err, -EINVAL, "an IPv6 address stands in brackets: [::1]:443");
	}
	if (colon) {
		*colon = 0;
		if (str_to_u64(colon + 1, 65535, &number) < 0 || number == 0)
			return err_set(err, -EINVAL, "\"%.64s\" is no port from 1 to 65535", colon + 1);
	}
	if (!number)
		return err_set(err, -EINVAL, "no port: write HOST:PORT");
	q->port = (uint16_t)number;
	if (!q->addr_len && inet_pton(AF_INET, where, q->addr) == 1)
		q->addr_len = 4;
	if (at && !q->addr_len)
		return err_set(err, -EINVAL, "\"%.64s\" behind \"@\" is no address", where);
	if (at)
		*at = 0;
	if (!at && q->addr_len && q->kind != ASK_CONNECT_REDIRECT) /* its pattern sees an address as it sees a name */
		return 0;
	return host_name(text + (text[0] == '['), q, err);
}

static int read_file(char **w, size_t n, struct question *q, struct err *err)
{
	if (n != 2)
		return err_set(err, -EINVAL, "write: file OPERATION PATH");
	if (w[1][0] != '/')
		return err_set(err, -EINVAL, "\"%.200s\" is not an absolute path", w[1]);
	str_clean_path(w[1]);
	q->path = w[1];
	for (int op = 0; op < POL_OP__COUNT; op++)
		if (!strcmp(pol_op_name((enum pol_op)op), w[0])) {
			q->op = (enum pol_op)op;
			return 0;
		}
	return err_set(err, -EINVAL, "\"%.64s\" is none of read open stat list write create mkdir chmod chown rename delete rmdir readlink "
		       "access link symlink mknod", w[0]);
}

static int read_net(char **w, size_t n, struct question *q, struct err *err)
{
	return n == 1 ? endpoint(w[0], 0, q, err) : err_set(err, -EINVAL, "write: %s HOST:PORT", ask_name(q->kind));
}

static int read_dns(char **w, size_t n, struct question *q, struct err *err)
{
	return n == 1 ? host_name(w[0], q, err) : err_set(err, -EINVAL, "write: %s NAME", ask_name(q->kind));
}

static int hex_byte(const char *s, uint8_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	const char *hi = s[0] ? strchr(digits, tolower((unsigned char)s[0])) : NULL;
	const char *lo = hi && s[1] ? strchr(digits, tolower((unsigned char)s[1])) : NULL;

	if (!lo)
		return -EINVAL;
	*ret = (uint8_t)((hi - digits) << 4 | (lo - digits));
	return 0;
}

static int read_exec(char **w, size_t n, struct question *q, struct err *err)
{
	size_t i = 0;
	char *eq;

	for (; i < n; i++) {
		uint64_t depth;

		if (!strncmp(w[i], "depth=", 6)) {
			if (str_to_u64(w[i] + 6, INT32_MAX, &depth) < 0)
				return err_set(err, -EINVAL, "\"%.64s\" is no depth", w[i] + 6);
			q->depth = (uint32_t)depth;
		} else if (!strncmp(w[i], "sha256=", 7)) {
			const char *s = w[i] + 7;

			for (size_t k = 0; k < 32; k++)
				if (strlen(s) != 64 || hex_byte(s + 2 * k, &q->sha256[k]) < 0)
					return err_set(err, -EINVAL, "sha256= takes 64 hexadecimal digits");
			q->has_sha256 = true;
		} else {
			break;
		}
	}
	if (i == n || !w[i][0])
		return err_set(err, -EINVAL, "write: exec [depth=N] [sha256=HEX] NAME[=FILE] ARGUMENTS...");
	eq = strstr(w[i], "=/");
	if (eq == w[i])
		return err_set(err, -EINVAL, "no name before \"=\"");
	if (eq) {
		*eq = 0;
		q->resolved = eq + 1;
	}
	q->given = w[i];
	q->argv = (const char *const *)w + i;
	q->argc = n - i;
	return 0;
}

static int read_unix(char **w, size_t n, struct question *q, struct err *err)
{
	if (n != 2)
		return err_set(err, -EINVAL, "write: unix OPERATION PATH");
	if (w[1][0] != '/' && (w[1][0] != '@' || !w[1][1]))
		return err_set(err, -EINVAL, "\"%.200s\" is neither an absolute path nor @NAME", w[1]);
	q->path = w[1];
	for (int op = 0; op < POL_UNIX__COUNT; op++)
		if (!strcmp(pol_unix_op_name((enum pol_unix_op)op), w[0])) {
			q->unix_op = (enum pol_unix_op)op;
			return 0;
		}
	return err_set(err, -EINVAL, "\"%.64s\" is none of connect bind listen sendto", w[0]);
}

static int read_target(const char *s, struct question *q, struct err *err)
{
	uint64_t pid;

	if (!strncmp(s, "process=", 8) && s[8]) {
		q->process = s + 8;
		return 0;
	}
	if (!strncmp(s, "pid=", 4)) {
		if (str_to_u64(s + 4, INT32_MAX, &pid) < 0 || pid == 0)
			return err_set(err, -EINVAL, "\"%.64s\" is no process number", s + 4);
		q->pid = (int64_t)pid;
		return 0;
	}
	for (int t = 0; t < POL_T_PROCESS; t++)
		if (!strcmp(s, pol_target_name((enum pol_target)t))) {
			q->targets |= 1u << t;
			return 0;
		}
	return err_set(err, -EINVAL,
		       "\"%.64s\" is none of self children descendants siblings session parent external system user process=NAME "
		       "pid=N",
		       s);
}

static int read_signal(char **w, size_t n, struct question *q, struct err *err)
{
	char *at;

	if (n != 2)
		return err_set(err, -EINVAL, "write: signal NAME TARGET[,TARGET...]");
	q->signal = pol_signal_number(w[0]);
	if (!q->signal)
		return err_set(err, -EINVAL, "\"%.64s\" is no signal", w[0]);
	for (char *s = w[1]; s; s = at) {
		int r;

		at = strchr(s, ',');
		if (at)
			*at++ = 0;
		r = read_target(s, q, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* SCHEME://HOST[:PORT][/PATH][?QUERY]; the host moves to the left, to end before the path and the slash that a client puts before "?". */
static int read_http(char **w, size_t n, struct question *q, struct err *err)
{
	char *url = n == 2 ? w[1] : NULL, *host, *path;
	static char root[] = "/";
	uint16_t port;
	size_t len, left;

	if (!url)
		return err_set(err, -EINVAL, "write: http METHOD URL");
	if (!strncasecmp(url, "https://", 8))
		port = 443;
	else if (!strncasecmp(url, "http://", 7))
		port = 80;
	else
		return err_set(err, -EINVAL, "\"%.200s\" begins with neither https:// nor http://", url);
	if (strchr(url, '#'))
		return err_set(err, -EINVAL, "what stands behind \"#\" is never sent");
	host = strstr(url, "://") + 3;
	len = strcspn(host, "/?");
	path = host + len;
	left = *path == '?' ? 2 : 1;
	host = memmove(host - left, host, len);
	host[len] = 0;
	if (left == 2)
		*--path = '/';
	q->path = *path ? path : root;
	q->method = w[0];
	return w[0][0] ? endpoint(host, port, q, err) : err_set(err, -EINVAL, "the method is empty");
}

static int read_env(char **w, size_t n, struct question *q, struct err *err)
{
	if (n == 0 || (n > 1 && strcmp(w[1], "for") != 0))
		return err_set(err, -EINVAL, "write: env NAME, or env NAME for COMMAND ARGUMENTS...");
	if (!w[0][0] || strchr(w[0], '='))
		return err_set(err, -EINVAL, "\"%.64s\" is no variable's name", w[0]);
	q->variable = w[0];
	return n > 1 ? read_exec(w + 2, n - 2, q, err) : 0;
}

static int read_service(char **w, size_t n, struct question *q, struct err *err)
{
	if (n != 3)
		return err_set(err, -EINVAL, "write: service NAME METHOD /PATH");
	if (w[2][0] != '/')
		return err_set(err, -EINVAL, "\"%.200s\" does not begin with \"/\"", w[2]);
	q->service = w[0];
	q->method = w[1];
	q->path = w[2];
	return w[1][0] ? 0 : err_set(err, -EINVAL, "the method is empty");
}

static int read_by(char *list, struct question *q, struct err *err)
{
	for (char *at = list; at; list = at) {
		at = strchr(list, ',');
		if (at)
			*at++ = 0;
		if (!*list)
			return err_set(err, -EINVAL, "an empty name behind \"by\"");
		if (q->n_by == ASK_BY_MAX)
			return err_set(err, -EINVAL, "more than %d names behind \"by\"", ASK_BY_MAX);
		q->by[q->n_by++] = list;
	}
	return 0;
}

int question_read(char **w, size_t n, struct question *ret, struct err *err)
{
	static int (*const read[])(char **, size_t, struct question *, struct err *) = { read_file,    read_net,    read_dns,  read_exec,
											 read_unix,    read_signal, read_http, read_env,
											 read_service, read_dns,    read_net };
	bool by = n > 1 && !strcmp(w[0], "by");

	*ret = (struct question){ 0 };
	if (by) {
		int r = read_by(w[1], ret, err);

		if (r < 0)
			return r;
		w += 2;
		n -= 2;
	}
	if (n == 0)
		return err_set(err, -EINVAL, "no question");
	for (int k = 0; k < ASK__COUNT; k++)
		if (!strcmp(w[0], ask_name((enum ask)k))) {
			ret->kind = (enum ask)k;
			if (by && k > ASK_HTTP)
				return err_set(err, -EINVAL, "no rule asks who it is for %s: leave \"by\" out", ask_name(ret->kind));
			return read[k](w + 1, n - 1, ret, err);
		}
	return err_set(err, -EINVAL, "\"%.64s\" is none of file net dns exec unix signal http env service dns-redirect connect-redirect",
		       w[0]);
}
