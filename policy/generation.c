/* SPDX-License-Identifier: Apache-2.0 */
/* References to a generation, and the two phases in which one replaces another. */
#include "policy/generation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"

int generation_open(int fd, const uint8_t hash[32], uint64_t number, const char *name, struct generation **ret, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return err_set(err, -ENOMEM, "out of memory");
	r = policy_open(fd, hash, &g->policy, err);
	if (r < 0) {
		free(g);
		return r;
	}
	g->number = number;
	g->refs = 1;
	snprintf(g->name, sizeof(g->name), "%s", name);
	memcpy(g->sha256, hash, sizeof(g->sha256));
	hex_encode(hash, sizeof(g->sha256), g->hash);
	*ret = g;
	return 0;
}

struct generation *generation_ref(struct generation *g)
{
	g->refs++;
	return g;
}

void generation_unref(struct generation *g)
{
	if (!g || --g->refs)
		return;
	policy_close(g->policy);
	free(g);
}

static void drop(struct update *u)
{
	generation_unref(u->next);
	*u = (struct update)UPDATE_INIT;
}

struct generation *update_take(struct update *u)
{
	struct generation *g = u->next;

	*u = (struct update)UPDATE_INIT;
	return g;
}

void update_gone(struct update *u, int sock)
{
	if (!u->next || u->by != sock)
		return;
	u->by = -1;
	if (!u->locked)
		drop(u);
}

int update_prepare(struct update *u, const struct generation *now, int sock, const struct ipc_frame *f, update_check check)
{
	struct rd b = rd_init(f->body, f->len);
	const uint8_t *hash = rd_bytes(&b, 32);
	uint64_t number = rd_u64(&b);
	struct generation *next = NULL;
	struct err err = { 0 };
	char name[256];
	int r;

	rd_strcpy(&b, name, sizeof(name));
	if (!rd_done(&b))
		return ipc_send_err(sock, f->id, -EPROTO, "the new policy's message could not be read");
	if (!now)
		return ipc_send_err(sock, f->id, -EINVAL, "this session has no policy to replace");
	if (u->next && (u->locked || u->by != sock))
		return ipc_send_err(sock, f->id, -EBUSY, "another update of this session is under way: try again");
	drop(u);
	if (number != now->number + 1)
		return ipc_send_err(sock, f->id, -ESTALE, "the session's policy is generation %" PRIu64 ": another update came first, "
				    "try again", now->number);
	r = generation_open(f->fd, hash, number, name, &next, &err);
	if (r == 0 && check)
		r = check(next, &err);
	if (r < 0) {
		generation_unref(next);
		return ipc_send_err(sock, f->id, r, "%s", err.msg[0] ? err.msg : strerror(-r));
	}
	*u = (struct update){ .next = next, .by = sock };
	return ipc_send(sock, IPC_OK, 0, f->id, NULL, 0, -1);
}

bool update_names(const struct update *u, const struct ipc_frame *f)
{
	struct rd b = rd_init(f->body, f->len);
	uint64_t number = rd_u64(&b);
	const uint8_t *hash = rd_bytes(&b, 32);

	return rd_done(&b) && u->next && u->next->number == number && !memcmp(u->next->sha256, hash, 32);
}

int update_lease(struct update *u, int lease, const struct ipc_frame *f, struct generation **ret_next)
{
	*ret_next = NULL;
	switch (f->type) {
	case IPC_W_READY:
		if (!update_names(u, f))
			return ipc_send_err(lease, f->id, -ENOENT, "it does not hold the generation that execd holds");
		u->locked = true;
		break;
	case IPC_W_UNREADY:
		drop(u);
		return 0;
	case IPC_W_SWITCH:
		/* Its hash was compared when it was locked, and nothing else can have taken its place. */
		if (!u->locked || !update_names(u, f))
			return -EPROTO;
		*ret_next = update_take(u);
		break;
	default:
		return -EPROTO;
	}
	return ipc_send(lease, IPC_OK, 0, f->id, NULL, 0, -1);
}
