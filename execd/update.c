/* SPDX-License-Identifier: Apache-2.0 */
/* Another policy for the session. Every daemon has opened and checked it when the client says commit; execd then asks fsd and netd over
 * their leases whether they hold the very same one, and says the word only when both do. From the word on there is no way back: a daemon
 * that does not take it, or dies, ends the session, so that no two policies judge it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "execd/execd.h"

#define ANSWER_MS 10000   /* for fsd and netd; either may be busy with one long operation */

static enum { IDLE, ASKING, SWITCHING } phase;
static struct {
	int sock;               /* who is to be answered; -1: gone */
	uint32_t id, number;    /* number: of this round, by which answers of an earlier one are known */
	unsigned open;          /* leases that have not answered, as bits */
	struct loop_timer *timer;
} round_now = { .sock = -1 };
static struct session *session_of; /* for the check, which knows its policy only */

static void put_in_place(struct session *s, struct generation *g)
{
	struct generation *last = s->gen;

	approve_end_all(s->approve, "the session's policy was replaced");
	s->gen = g;
	s->policy = g->policy;
	label_policy(s);
	evt_generation(s->w->events, g->number);
	generation_unref(last);
}

void update_start(struct session *s, struct generation *first)
{
	session_of = s;
	put_in_place(s, first);
}

static int check(const struct generation *next, struct err *err)
{
	return plan_compare(session_of, next->policy, err);
}

static void round_end(void)
{
	loop_cancel(round_now.timer);
	round_now.timer = NULL;
	round_now.sock = -1;
	phase = IDLE;
}

static int say(struct session *s, int i, uint16_t type)
{
	uint8_t body[64];
	struct wr w = wr_init(body, sizeof(body));
	const struct generation *g = phase == SWITCHING ? s->gen : s->update.next;

	wr_u64(&w, g->number);
	wr_bytes(&w, g->sha256, sizeof(g->sha256));
	return ipc_send_wr(s->leases[i], type, 0, round_now.number, &w, -1);
}

/* Before the word: nothing has changed anywhere. */
static void give_up(struct session *s, int r, const char *words)
{
	for (int i = 0; i < 2; i++)
		ipc_send(s->leases[i], IPC_W_UNREADY, 0, round_now.number, NULL, 0, -1);
	generation_unref(update_take(&s->update));
	if (round_now.sock >= 0)
		ipc_send_err(round_now.sock, round_now.id, r, "%s", words);
	round_end();
}

static void on_late(void *arg)
{
	struct session *s = arg;
	char words[128];

	round_now.timer = NULL;
	snprintf(words, sizeof(words), "%s did not answer in time", s->lease_names[round_now.open & 1 ? 0 : 1]);
	if (phase == ASKING)
		give_up(s, -ETIMEDOUT, words);
	else
		worker_end(s->w, "%s about its new policy: every process of the session was killed", words);
}

static void switch_all(struct session *s)
{
	const struct generation *g;
	struct evtlog *l = s->w->events;
	char from[65];

	snprintf(from, sizeof(from), "%s", s->gen->hash);
	put_in_place(s, update_take(&s->update));
	g = s->gen;
	phase = SWITCHING;
	round_now.open = 3;
	for (int i = 0; i < 2; i++)
		if (say(s, i, IPC_W_SWITCH) < 0)
			worker_end(s->w, "%s did not take the new policy: every process of the session was killed", s->lease_names[i]);
	evt_begin(l, "policy_updated", NULL, 0);
	evt_str(l, "policy_name", g->name);
	evt_str(l, "policy_hash", g->hash);
	evt_str(l, "previous_hash", from);
	evt_int(l, "generation", (int64_t)g->number);
	evt_end(l);
}

bool update_answer(struct session *s, int i, const struct ipc_frame *f)
{
	struct rd b = rd_init(f->body, f->len);
	char words[600], why[512] = "";
	int r = 0;

	if (f->type != IPC_OK && f->type != IPC_ERR)
		return false;
	if (phase == IDLE || f->id != round_now.number || !(round_now.open & 1u << i))
		return true; /* of a round that was given up */
	if (f->type == IPC_ERR) {
		r = -(int)rd_u32(&b);
		rd_strcpy(&b, why, sizeof(why));
		snprintf(words, sizeof(words), "%s: %s", s->lease_names[i], why);
		if (phase == SWITCHING)
			worker_end(s->w, "%s: every process of the session was killed", words);
		give_up(s, r < 0 && r > -4096 ? r : -EPROTO, words);
		return true;
	}
	round_now.open &= ~(1u << i);
	if (round_now.open)
		return true;
	if (phase == ASKING) {
		switch_all(s);
		return true;
	}
	if (round_now.sock >= 0)
		ipc_send(round_now.sock, IPC_OK, 0, round_now.id, NULL, 0, -1);
	round_end();
	return true;
}

static int commit(struct session *s, int sock, const struct ipc_frame *f)
{
	if (phase != IDLE)
		return ipc_send_err(sock, f->id, -EBUSY, "another update of this session is under way: try again");
	if (s->update.by != sock || !update_names(&s->update, f))
		return ipc_send_err(sock, f->id, -EINVAL, "that generation was not prepared on this connection");
	s->update.locked = true;
	phase = ASKING;
	round_now.sock = sock;
	round_now.id = f->id;
	round_now.number++;
	round_now.open = 3;
	if (loop_after(s->w->loop, ANSWER_MS, on_late, s, &round_now.timer) < 0) {
		give_up(s, -ENOMEM, "out of memory");
		return 0;
	}
	for (int i = 0; i < 2 && phase == ASKING; i++)
		if (say(s, i, IPC_W_READY) < 0)
			give_up(s, -EIO, "fsd or netd cannot be asked");
	return 0;
}

int update_request(struct session *s, int sock, const struct ipc_frame *f)
{
	if (f->type == IPC_POLICY_PREPARE)
		return update_prepare(&s->update, s->gen, sock, f, check);
	return f->type == IPC_POLICY_COMMIT ? commit(s, sock, f) : -ENOSYS;
}

void update_client_gone(struct session *s, int sock)
{
	if (round_now.sock == sock)
		round_now.sock = -1;
	update_gone(&s->update, sock);
}
