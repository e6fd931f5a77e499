/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: marks in the journal. What changes afterwards is kept as for an undo, so that making one costs nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fsd/trash.h"

#define LISTED_MAX 64             /* in force at once: their list is one frame */
#define REASON_MAX 512

struct mark { char id[ID_MAX], reason[REASON_MAX]; uint64_t seq; };
static struct mark marks[LISTED_MAX];
static size_t n_marks;

static int take(void *arg UNUSED, const struct note_rec *n)
{
	size_t k = 0;

	if (n->what != NOTE_CHECKPOINT && n->what != NOTE_NO_CHECKPOINT)
		return 0;
	while (k < n_marks && strcmp(marks[k].id, n->command) != 0)
		k++;
	if (n->what == NOTE_NO_CHECKPOINT) {
		if (k < n_marks)
			memmove(&marks[k], &marks[k + 1], (--n_marks - k) * sizeof(*marks));
		return 0;
	}
	if (k == LISTED_MAX)
		return -E2BIG;
	if (k == n_marks)
		n_marks++;
	marks[k].seq = n->seq;
	snprintf(marks[k].id, sizeof(marks[k].id), "%s", n->command);
	snprintf(marks[k].reason, sizeof(marks[k].reason), "%.500s", n->path);
	return 0;
}

static int load(void)
{
	n_marks = 0;
	return journal_read(take, NULL);
}

uint64_t checkpoint_find(const char *id)
{
	if (load() == 0)
		for (size_t k = 0; k < n_marks; k++)
			if (!strcmp(marks[k].id, id))
				return marks[k].seq;
	return 0;
}

/* Whether content that is overwritten in the workspace is kept, as far as a name of no special kind tells. */
static bool covered(void)
{
	struct pol_state st = policy_file_child(fsd.policy, policy_file_workspace(fsd.policy), "file", 4);

	return policy_file(fsd.policy, st, POL_OP_WRITE, (struct pol_who){ .unknown = true }).undo_keep;
}

int checkpoint_set(int sock, uint32_t id, struct ipc_frame *f)
{
	static struct note_rec n;
	struct rd b = rd_init(f->body, f->len);
	bool gone = rd_u8(&b);
	uint8_t body[8];
	struct wr w = wr_init(body, sizeof(body));
	int r;

	n = (struct note_rec){ .what = gone ? NOTE_NO_CHECKPOINT : NOTE_CHECKPOINT, .seq = trash_seq() };
	rd_strcpy(&b, n.command, sizeof(n.command));
	rd_strcpy(&b, n.path, REASON_MAX);
	if (!rd_done(&b) || !id_valid(n.command))
		return ipc_send_err(sock, id, -EINVAL, "a checkpoint's id and a reason of less than %d bytes are expected", REASON_MAX);
	if (!gone && fsd.trash_only)
		return ipc_send_err(sock, id, -ESRCH, "the session has ended: nothing of it changes any more");
	if (gone != (checkpoint_find(n.command) != 0))
		return ipc_send_err(sock, id, gone ? -ENOENT : -EEXIST, "%s checkpoint %s", gone ? "there is no" : "there is already a",
				    n.command);
	if (!gone && n_marks == LISTED_MAX)
		return ipc_send_err(sock, id, -ENOSPC, "%d checkpoints are in force: purge some", LISTED_MAX);
	r = journal_add(&n);
	if (r < 0)
		return ipc_send_err(sock, id, r, "noting the checkpoint: %s", strerror(-r));
	if (!gone)
		undo_forget_marks();
	wr_u8(&w, gone || covered());
	return ipc_send_wr(sock, IPC_OK, 0, id, &w, -1);
}

int checkpoint_list(int sock, uint32_t id)
{
	static uint8_t body[IPC_BODY_MAX];
	struct wr w = wr_init(body, sizeof(body));
	uint64_t patience = TRASH_PATIENCE_MS;
	int r = load();

	if (r < 0)
		return ipc_send_err(sock, id, r, "reading the checkpoints: %s", strerror(-r));
	wr_u32(&w, (uint32_t)n_marks);
	for (size_t k = 0; k < n_marks; k++) {
		wr_str(&w, marks[k].id);
		wr_str(&w, marks[k].reason);
		wr_u64(&w, marks[k].seq / 1000000);
	}
	return trash_send(sock, 0, id, &w, &patience);
}
