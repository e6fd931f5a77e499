/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to stderr: "ident[pid]: level: words". Every byte of the words is escaped for a terminal. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/cleanup.h"

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* ident: static string, kept. AGENTSH_LOG_LEVEL=error|warn|info|debug sets the level (default warn). */
void log_open(const char *ident);
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_error(...) log_at(LOG_LVL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
