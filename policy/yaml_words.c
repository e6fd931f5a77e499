/* SPDX-License-Identifier: Apache-2.0 */
/* What to change in a text that is not YAML: the reader's own words name its grammar, which writers of policies need not know. */
#include <stdio.h>
#include <string.h>

#include "policy/yaml.h"

#define QUOTES "write single quotes around it"

/* The line, which ends at a line feed or the text's end. */
static const char *line_at(const struct yaml_fault *f, uint32_t line, size_t *len)
{
	const char *s = f->text, *end = f->text + f->len, *feed;

	for (uint32_t i = 1; i < line && s < end; i++) {
		feed = memchr(s, '\n', (size_t)(end - s));
		s = feed ? feed + 1 : end;
	}
	feed = memchr(s, '\n', (size_t)(end - s));
	*len = (size_t)((feed ? feed : end) - s);
	return s;
}

/* Bytes before a column: those of one character that follow its first do not count as columns. */
static size_t bytes_before(const char *s, size_t len, uint32_t column)
{
	size_t i = 0;

	for (uint32_t at = 1; i < len && at < column; at++)
		for (i++; i < len && ((uint8_t)s[i] & 0xc0) == 0x80;)
			i++;
	return i;
}

static size_t indent_of(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (s[n] == ' ' || s[n] == '\t'))
		n++;
	return n;
}

static bool has(const char *s, const char *what)
{
	return s && strstr(s, what);
}

/* The text that begins at s, or before it: the sign that makes it none. */
static char sign_at(const char *line, size_t at, size_t len)
{
	if (at < len && strchr("*&@%`!|>", line[at]))
		return line[at];
	while (at && strchr("*&!|>%", line[at - 1]) == NULL)
		at--;
	return (char)(at ? line[at - 1] : 0);
}

static void sign_words(const char *line, size_t at, size_t len, char *out, size_t cap)
{
	char sign = sign_at(line, at, len);

	if (sign)
		snprintf(out, cap, "a text that begins with %c must be in quotes: " QUOTES, sign);
	else
		snprintf(out, cap, "a text that begins with a sign must be in quotes: " QUOTES);
}

/* A quote that was left open takes the lines up to the next one; what is behind that makes no sense. */
static bool open_quote(const struct yaml_fault *f)
{
	return f->quote_line && (f->line == f->quote_end || (f->context && f->from_line == f->quote_end));
}

static void move_to(struct yaml_fault *f, uint32_t line, uint32_t column)
{
	f->line = line;
	f->column = column;
}

static void structure_words(struct yaml_fault *f, const char *line, size_t at, char *out, size_t cap)
{
	size_t before = at;

	while (before && line[before - 1] == ' ')
		before--;
	if (open_quote(f)) {
		snprintf(out, cap, "the quote that is opened here is perhaps not closed: its text ends in line %u", f->quote_end);
		move_to(f, f->quote_line, f->quote_column);
	} else if (!before) {
		snprintf(out, cap, "%zu blank%s before this line, as many as no list or map above it has: line it up with its neighbours",
			 at, at == 1 ? "" : "s");
	} else if (strchr("'\"", line[before - 1])) {
		snprintf(out, cap, "text behind a closing quote: put the whole text in single quotes, and write '' for one inside");
	} else {
		snprintf(out, cap, "this does not belong to what is before it: put a text with signs in quotes, one key a line");
	}
}

static void unclosed_quote(struct yaml_fault *f, char *out, size_t cap)
{
	move_to(f, f->from_line, f->from_column);
	snprintf(out, cap, "the quote that is opened here is not closed");
}

/* Where the line goes on with what cannot stand there, the bracket of that line is right and the rest is not. */
static void unclosed_bracket(struct yaml_fault *f, char *out, size_t cap)
{
	bool list = has(f->problem, "']'");
	char where[64];

	if (f->from_line == f->line) {
		snprintf(where, sizeof(where), "of column %u is not closed here", f->from_column);
	} else {
		snprintf(where, sizeof(where), "that is opened here is not closed before line %u, column %u", f->line, f->column);
		move_to(f, f->from_line, f->from_column);
	}
	snprintf(out, cap, "the %s %s: write %s, a comma before the next entry, or quotes around a text with brackets or braces",
		 list ? "[" : "{", where, list ? "]" : "}");
}

static bool scanner_words(struct yaml_fault *f, const char *line, size_t at, size_t len, char *out, size_t cap)
{
	size_t indent = indent_of(line, len);
	bool tabs = memchr(line, '\t', indent) != NULL;

	if (has(f->problem, "a tab character") || (tabs && (at <= indent || has(f->context, "plain") || has(f->context, "key"))) ||
	    (has(f->problem, "cannot start any token") && at < len && line[at] == '\t'))
		snprintf(out, cap, "a tab in the indentation: indent with blanks, not tabs");
	else if (has(f->problem, "unknown escape"))
		snprintf(out, cap, "in double quotes a backslash begins an escape: use single quotes");
	else if (has(f->problem, "hexdecimal") || has(f->problem, "invalid Unicode"))
		snprintf(out, cap, "in double quotes a backslash and x, u or U need the digits of a character: use single quotes");
	else if (has(f->context, "quoted scalar"))
		unclosed_quote(f, out, cap);
	else if (has(f->problem, "mapping values are not allowed") && memmem(line, at, ": ", 2))
		snprintf(out, cap, "a text with \": \" in it must be in quotes: " QUOTES);
	else if (has(f->problem, "mapping values are not allowed"))
		snprintf(out, cap, "a key where the text of the line above goes on: line it up with the other keys");
	else if (has(f->problem, "block sequence entries are not allowed"))
		snprintf(out, cap, "a list begins in a line of its own: write \"- \" in the next line, or [a, b]");
	else if (has(f->problem, "cannot start any token") || has(f->context, "an alias") || has(f->context, "an anchor") ||
		 has(f->context, "a tag") || has(f->context, "directive") || has(f->context, "block scalar"))
		sign_words(line, at, len, out, cap);
	else if (has(f->problem, "could not find expected ':'") && open_quote(f))
		structure_words(f, line, at, out, cap);
	else if (has(f->problem, "could not find expected ':'"))
		snprintf(out, cap, "line %u, column %u: a key and its value are \"key: value\", with a blank behind the colon",
			 f->from_line, f->from_column);
	else
		return false;
	return true;
}

void yaml_words(struct yaml_fault *f, char *out, size_t cap)
{
	size_t len, at;
	const char *line = line_at(f, f->line, &len);

	at = bytes_before(line, len, f->column);
	if (scanner_words(f, line, at, len, out, cap))
		return;
	if (has(f->problem, "expected ',' or") && !open_quote(f) && !(at && strchr("'\"", line[at - 1])))
		unclosed_bracket(f, out, cap);
	else if (has(f->problem, "document start"))
		snprintf(out, cap, "this is outside of the map that the file is: its keys all begin in the same column");
	else if (has(f->problem, "expected key") || has(f->problem, "expected ',' or") || has(f->problem, "'-' indicator"))
		structure_words(f, line, at, out, cap);
	else if (has(f->problem, "node content") && line >= f->text + f->len)
		snprintf(out, cap, "the file ends inside a list or map: write the closing ] or }");
	else if (has(f->problem, "node content"))
		snprintf(out, cap, "a value is missing here: a text that begins with , ] or } must be in quotes");
	else
		snprintf(out, cap, "%s", f->problem);
}
