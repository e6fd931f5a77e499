/* SPDX-License-Identifier: Apache-2.0 */
/* Text helpers: display escape, strict numbers, identifiers. */
#include "common/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/utf8.h"

char *str_display(const char *in, size_t n, char *out, size_t cap)
{
	size_t o = 0, i = 0;

	while (i < n) {
		unsigned char c = (unsigned char)in[i];
		size_t len = utf8_len((const uint8_t *)in + i, n - i);
		char esc[8];

		/* U+0080..U+009F are controls too: a terminal may obey them. */
		if (len == 2 && c == 0xc2 && (unsigned char)in[i + 1] < 0xa0)
			len = 0;
		if (c < 0x20 || c == 0x7f || len == 0) {
			snprintf(esc, sizeof(esc), "\\x%02x", c);
			len = 1;
		} else if (c == '\\') {
			snprintf(esc, sizeof(esc), "\\\\");
		} else {
			memcpy(esc, in + i, len);
			esc[len] = 0;
		}
		if (o + strlen(esc) + 1 > cap)
			break;
		memcpy(out + o, esc, strlen(esc));
		o += strlen(esc);
		i += len;
	}
	out[o] = 0;
	return out;
}

int str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v) || v > max)
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int str_lead_u64(const char *s, uint64_t max, uint64_t *ret)
{
	char digits[24];
	size_t n = strspn(s, "0123456789");

	if (n >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, s, n);
	digits[n] = 0;
	return str_to_u64(digits, max, ret);
}

/* Nanoseconds of the unit that s begins with, and its length; 0: none. */
static uint64_t unit_ns(const char *s, size_t *ret_n)
{
	static const struct { const char *name; uint64_t ns; } units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
		{ "m", 60000000000 }, { "h", 3600000000000 }, { "d", 86400000000000 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strncmp(s, units[i].name, strlen(units[i].name))) {
			*ret_n = strlen(units[i].name);
			return units[i].ns;
		}
	return 0;
}

int str_to_ms(const char *s, uint64_t *ret_ms)
{
	unsigned __int128 total = 0, most = (unsigned __int128)UINT64_MAX * 1000000;
	uint64_t v;

	if (!*s)
		return -EINVAL;
	if (str_to_u64(s, UINT64_MAX / 1000, &v) == 0) {
		*ret_ms = v * 1000;
		return 0;
	}
	while (*s) {
		uint64_t whole = 0, part = 0, scale = 1, unit;
		size_t n = 0, digits = 0;

		for (; *s >= '0' && *s <= '9'; s++, digits++)
			if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
				return -ERANGE;
		if (*s == '.')
			for (s++; *s >= '0' && *s <= '9'; s++, digits++)
				if (scale <= UINT64_MAX / 100) { /* more places than that are less than a nanosecond */
					scale *= 10;
					part = part * 10 + (uint64_t)(*s - '0');
				}
		unit = digits ? unit_ns(s, &n) : 0;
		if (!unit)
			return -EINVAL;
		s += n;
		total += (unsigned __int128)whole * unit + (unsigned __int128)part * unit / scale;
		if (total > most)
			return -ERANGE;
	}
	*ret_ms = (uint64_t)((total + 999999) / 1000000);
	return 0;
}

int str_format(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, cap, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

void utc_text(int64_t seconds, char out[UTC_MAX])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, UTC_MAX, "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(out, UTC_MAX, "1970-01-01T00:00:00");
}

void hex_encode(const void *in, size_t n, char *out)
{
	const uint8_t *p = in;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	out[2 * n] = 0;
}

void id_new(const char *prefix, char out[ID_MAX])
{
	uint8_t b[16];
	char h[33];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		abort();
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	hex_encode(b, sizeof(b), h);
	snprintf(out, ID_MAX, "%.20s%.8s-%.4s-%.4s-%.4s-%.12s", prefix, h, h + 8, h + 12, h + 16, h + 20);
}

bool id_valid(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return n > 0 && n < ID_MAX && !s[n];
}

bool str_clean_path(char *path)
{
	bool up = false, absolute = path[0] == '/';
	size_t n = 0, kept = 0, len;   /* kept: what no ".." takes away */

	if (!path[0])
		return false;
	for (const char *s = path; *s; s += len) {
		s += strspn(s, "/");
		len = strcspn(s, "/");
		if (!len || (len == 1 && s[0] == '.'))
			continue;
		if (len == 2 && s[0] == '.' && s[1] == '.') {
			up = true;
			if (n > kept) {
				while (n > kept && path[--n] != '/')
					;
				continue;
			}
			if (absolute)
				continue;
			kept = len + n + (n > 0);
		}
		if (absolute || n)
			path[n++] = '/';
		memmove(path + n, s, len);
		n += len;
	}
	if (!n)
		path[n++] = absolute ? '/' : '.';
	path[n] = 0;
	return up;
}
