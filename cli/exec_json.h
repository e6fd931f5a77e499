/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON answer of exec (contract 3). */
#ifndef CLI_EXEC_JSON_H
#define CLI_EXEC_JSON_H

#include "cli/cmd.h"
#include "common/buf.h"

#define CAPTURE_MAX ((size_t)1 << 20)   /* kept per stream; the rest is counted */

struct capture { int fd; struct buf kept; uint64_t total; };
struct exec_done {
	int code, signal;
	bool timeout, denied, not_started;
	char decision[32], effective[32], rule[512], message[4096], words[2048];
	uint64_t user_us, system_us, maxrss_kb, duration_ms;
	struct events_from from;         /* the session's records before the command */
};
void capture_read(struct capture *c);
void exec_json(const char *id, const char *cmd, const struct exec_opts *o, const struct exec_done *d, struct capture cap[2]);

#endif
