/* SPDX-License-Identifier: Apache-2.0 */
/* Small text helpers: strict numbers, durations, terminal-safe display, identifiers. */
#ifndef COMMON_STR_H
#define COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies n bytes of in to out (cap > 0, always NUL-terminated), writing control bytes, DEL, and bytes that are not
 * valid UTF-8 as \xNN and backslash as \\. Cuts at cap. Returns out. */
char *str_display(const char *in, size_t n, char *out, size_t cap);
/* Decimal digits only, whole string, at most max. 0 or -EINVAL / -ERANGE. */
int str_to_u64(const char *s, uint64_t max, uint64_t *ret);
/* The same for the digits that s begins with, whatever follows them: fields of /proc, a line with its end. */
int str_lead_u64(const char *s, uint64_t max, uint64_t *ret);
/* One or more NUMBER UNIT, the number with or without a fraction, the unit one of ns us ms s m h d: "1h2m3s", "1.5h"; a plain number is
 * seconds. Milliseconds out, what is less than one counts as one. 0 or -EINVAL / -ERANGE. */
int str_to_ms(const char *s, uint64_t *ret_ms);
/* snprintf that says whether all of it fitted: 0 or -ENAMETOOLONG. */
int str_format(char *out, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Random (getrandom) version-4 UUID text with a prefix, e.g. "session-" -> 44 characters. out holds ID_MAX. */
#define ID_MAX 64
void id_new(const char *prefix, char out[ID_MAX]);
/* True if s is [A-Za-z0-9_-]{1,63}: safe as a file name. */
bool id_valid(const char *s);
/* "2024-02-29T23:59:59" in UTC, without a zone's letter; the epoch for what no calendar holds. */
#define UTC_MAX 32
void utc_text(int64_t seconds, char out[UTC_MAX]);
/* 2*n hexadecimal digits and NUL. */
void hex_encode(const void *in, size_t n, char *out);

/* Takes "//", "." and what ".." leaves out of a path, in place, by its text alone; a relative one keeps the ".." that it begins
 * with. True when there was a "..". */
bool str_clean_path(char *path);

#endif
