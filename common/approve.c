/* SPDX-License-Identifier: Apache-2.0 */
/* Pending questions, their approvers and deadlines. */
#include "common/approve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define APPROVERS_MAX 32
#define DEFAULT_MS 300000u
#define MESSAGE_MAX 1000
#define ENTRY_MAX (APPROVE_TARGET_MAX + MESSAGE_MAX + 1096) /* a question in a frame */

struct question {
	struct approve *a;
	uint64_t num; /* 0: free */
	char id[ID_MAX], kind[16], target[APPROVE_TARGET_MAX + 1], rule[256], message[MESSAGE_MAX + 1], command[ID_MAX];
	uint64_t asked_ms, deadline_ms; /* wall clock, Unix ms */
	struct loop_timer *timer;
	approve_fn fn;
	void *arg;
};

struct approve {
	struct worker *w;
	uint64_t next;
	struct question q[APPROVE_PENDING_MAX];
	int approvers[APPROVERS_MAX];
	size_t n_approvers;
};

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int approve_new(struct worker *w, struct approve **ret)
{
	struct approve *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->w = w;
	a->next = 1;
	*ret = a;
	return 0;
}

static void event(struct question *q, const char *type, const char *effective, const char *why)
{
	struct evtlog *l = q->a->w->events;

	evt_begin(l, type, q->command, 0);
	evt_str(l, "approval_id", q->id);
	evt_str(l, "kind", q->kind);
	evt_str(l, "target", q->target);
	evt_str(l, "reason", why);
	evt_policy(l, "approve", effective, q->rule, q->message);
	evt_end(l);
}

static void resolve(struct question *q, bool allow, const char *why)
{
	approve_fn fn = q->fn;
	void *arg = q->arg;

	event(q, "approval_resolved", allow ? "allow" : "deny", why);
	loop_cancel(q->timer);
	q->timer = NULL;
	q->num = 0;
	fn(arg, allow, why);
}

void approve_end_all(struct approve *a, const char *why)
{
	for (size_t i = 0; a && i < APPROVE_PENDING_MAX; i++)
		if (a->q[i].num)
			resolve(&a->q[i], false, why);
}

void approve_free(struct approve *a)
{
	approve_end_all(a, "session ended");
	free(a);
}

static void on_deadline(void *arg)
{
	struct question *q = arg;

	q->timer = NULL;
	resolve(q, false, "timeout");
}

static void put_question(struct wr *w, const struct question *q)
{
	wr_str(w, q->id);
	wr_str(w, q->kind);
	wr_str(w, q->target);
	wr_str(w, q->rule);
	wr_str(w, q->message);
	wr_str(w, q->command);
	wr_u64(w, q->asked_ms);
	wr_u64(w, q->deadline_ms);
}

static void tell(const struct question *q, int sock)
{
	uint8_t body[ENTRY_MAX];
	struct wr w = wr_init(body, sizeof(body));

	put_question(&w, q);
	ipc_send_wr(sock, IPC_APPROVAL_ASK, IPC_MORE, 0, &w, -1);
}

/* Copies what fits; of more the beginning and the end with a count between them, so that nobody takes a part for the whole. */
static void shorten(const char *in, char *out, size_t cap)
{
	size_t n = strlen(in), part = (cap - 64) / 2, tail = n - part;

	if (n < cap) {
		memcpy(out, in, n + 1);
		return;
	}
	/* Never within a character: the rest of it would read as bytes of their own. */
	while (part > 0 && ((unsigned char)in[part] & 0xc0) == 0x80)
		part--;
	while (tail < n && ((unsigned char)in[tail] & 0xc0) == 0x80)
		tail++;
	snprintf(out, cap, "%.*s [... %zu bytes left out ...] %s", (int)part, in, tail - part, in + tail);
}

int approve_ask(struct approve *a, const char *kind, const char *target, const char *rule, const char *message, const char *command_id,
		uint64_t timeout_ms, approve_fn fn, void *arg, uint64_t *ret_id)
{
	struct question *q = NULL;

	for (size_t i = 0; i < APPROVE_PENDING_MAX && !q; i++)
		if (!a->q[i].num)
			q = &a->q[i];
	if (ret_id)
		*ret_id = 0;
	if (!q) {
		fn(arg, false, "too many approvals are pending");
		return -EBUSY;
	}
	if (!timeout_ms)
		timeout_ms = DEFAULT_MS;
	*q = (struct question){ .a = a, .num = a->next++, .asked_ms = wall_ms(), .fn = fn, .arg = arg };
	q->deadline_ms = q->asked_ms + timeout_ms;
	id_new("approval-", q->id);
	snprintf(q->kind, sizeof(q->kind), "%s", kind);
	shorten(target, q->target, sizeof(q->target));
	snprintf(q->rule, sizeof(q->rule), "%.200s", rule ? rule : "");
	shorten(message ? message : "", q->message, sizeof(q->message));
	snprintf(q->command, sizeof(q->command), "%.60s", command_id ? command_id : "");
	if (ret_id)
		*ret_id = q->num;
	event(q, "approval_requested", "pending", NULL);
	if (a->n_approvers == 0) {
		resolve(q, false, "nobody is there to answer (run: agentsh approve watch)");
		return 0;
	}
	if (loop_after(a->w->loop, timeout_ms, on_deadline, q, &q->timer) < 0) {
		resolve(q, false, "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < a->n_approvers; i++)
		tell(q, a->approvers[i]);
	return 0;
}

void approve_withdraw(struct approve *a, uint64_t id)
{
	for (size_t i = 0; id && i < APPROVE_PENDING_MAX; i++) {
		struct question *q = &a->q[i];

		if (q->num != id)
			continue;
		event(q, "approval_resolved", "deny", "the asker is gone");
		loop_cancel(q->timer);
		q->timer = NULL;
		q->num = 0;
	}
}

int approve_add_approver(struct approve *a, int sock)
{
	for (size_t i = 0; i < a->n_approvers; i++)
		if (a->approvers[i] == sock)
			return 0;
	if (a->n_approvers == APPROVERS_MAX)
		return -EMFILE;
	a->approvers[a->n_approvers++] = sock;
	for (size_t i = 0; i < APPROVE_PENDING_MAX; i++)
		if (a->q[i].num)
			tell(&a->q[i], sock);
	return 0;
}

void approve_gone(struct approve *a, int sock)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_approvers; i++)
		if (a->approvers[i] != sock)
			a->approvers[n++] = a->approvers[i];
	if (n == a->n_approvers)
		return;
	a->n_approvers = n;
	for (size_t i = 0; n == 0 && i < APPROVE_PENDING_MAX; i++)
		if (a->q[i].num)
			resolve(&a->q[i], false, "the last approver went away");
}

static int list(struct approve *a, int sock, uint32_t id)
{
	static uint8_t body[IPC_BODY_MAX];
	struct wr w = wr_init(body, sizeof(body));
	uint32_t n = 0;

	wr_u32(&w, 0);
	for (size_t i = 0; i < APPROVE_PENDING_MAX; i++) {
		if (!a->q[i].num || wr_len(&w) + ENTRY_MAX > sizeof(body))
			continue;
		put_question(&w, &a->q[i]);
		n++;
	}
	for (int i = 0; i < 4; i++)
		body[i] = (uint8_t)(n >> (8 * i));
	return ipc_send_wr(sock, IPC_OK, 0, id, &w, -1);
}

int approve_request(struct approve *a, int sock, struct ipc_frame *f)
{
	struct rd b = rd_init(f->body, f->len);
	char id[ID_MAX], why[1100];
	uint8_t allow;

	if (f->type == IPC_APPROVER) {
		ipc_send(sock, IPC_OK, 0, f->id, NULL, 0, -1);
		return approve_add_approver(a, sock);
	}
	if (f->type == IPC_APPROVAL_LIST)
		return list(a, sock, f->id);
	if (f->type != IPC_APPROVAL_RESOLVE)
		return -ENOSYS;
	rd_strcpy(&b, id, sizeof(id));
	allow = rd_u8(&b);
	rd_strcpy(&b, why, sizeof(why));
	for (size_t i = 0; rd_done(&b) && i < APPROVE_PENDING_MAX; i++)
		if (a->q[i].num && !strcmp(a->q[i].id, id)) {
			resolve(&a->q[i], allow == 1, why[0] ? why : allow == 1 ? "approved" : "refused");
			return ipc_send(sock, IPC_OK, 0, f->id, NULL, 0, -1);
		}
	return ipc_send_err(sock, f->id, -ENOENT, "no such approval is pending: list them with: agentsh approve list");
}
