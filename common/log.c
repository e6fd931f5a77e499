/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines to stderr, escaped, one write each. */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/str.h"

static const char *log_ident = "agentsh";
static enum log_level log_max = LOG_LVL_WARN;

void log_open(const char *ident)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	const char *want = getenv("AGENTSH_LOG_LEVEL");

	log_ident = ident;
	for (size_t i = 0; want && i < ARRAY_LEN(names); i++)
		if (!strcmp(want, names[i]))
			log_max = (enum log_level)i;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	char words[2048], shown[4096], line[4300];
	va_list ap;
	int n;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	str_display(words, strlen(words), shown, sizeof(shown));
	n = snprintf(line, sizeof(line), "%s[%d]: %s: %s\n", log_ident, (int)getpid(), names[level], shown);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
		return;
}
