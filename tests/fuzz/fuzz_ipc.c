/* SPDX-License-Identifier: Apache-2.0 */
/* Any frame from any sender: bounded by the table before a handler reads it; every message's reads stay inside it. */
#include "tests/fuzz/ask.h"

#include "common/ipc.h"
#include "common/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What handlers read, one letter a field: s string, 1 u8, 4 u32, 8 u64, * a counted list of what follows. */
static const struct { uint16_t type; const char *fields; } reads[] = {
	{ IPC_OPEN, "s" }, { IPC_ATTACH, "s" }, { IPC_SET_WORKSPACE, "ss" }, { IPC_SET_MOUNT, "s" }, { IPC_SET_LEASE, "s" }, { IPC_SET_ENV, "*s" },
	{ IPC_SET_FILE, "ss" }, { IPC_SET_HOME, "s" }, { IPC_HAND_BOARD, "s" }, { IPC_HAND_MOUNT, "s" }, { IPC_HAND_LEASE, "s" }, { IPC_HAND_ENV, "*s" },
	{ IPC_HAND_FILE, "ss" }, { IPC_EXEC_FD, "4" }, { IPC_EXEC, "ss84*s" }, { IPC_EXEC_ARGS, "*s" }, { IPC_KILL, "s" }, { IPC_APPROVAL_RESOLVE, "s1s" },
	{ IPC_TRASH_RESTORE, "ss1" }, { IPC_SET_TRASH, "888" }, { IPC_TRASH_PURGE, "s" }, { IPC_TRASH_UNDO, "s1" }, { IPC_CHECKPOINT_SET, "1ss" }, { IPC_OK, "*ss8" }, { IPC_OK, "*14ss" }, { IPC_OK, "*ss884s" }, { IPC_OK, "*ssssss88" }, { IPC_OK, "sss844s" }, { IPC_ERR, "4s" },
	{ IPC_EXEC_DONE, "444ssss8888s" }, { IPC_EXEC_STARTED, "4s" }, { IPC_APPROVAL_ASK, "ssssss88" }, { IPC_W_ATTACH, "444" }, { IPC_W_END, "s" },
};

static void field(struct rd *r, char kind)
{
	char small[ID_MAX], shown[256];
	const char *s;
	size_t n;

	switch (kind) {
	case 's':
		if ((uintptr_t)r->p & 1) {
			rd_strcpy(r, small, sizeof(small));
			MUST(memchr(small, 0, sizeof(small)));
			id_valid(small);
		} else {
			s = rd_str(r, IPC_BODY_MAX, &n);
			MUST(!n || !memchr(s, 0, n));
			str_display(s, n, shown, sizeof(shown));
		}
		break;
	case '1':
		rd_u8(r);
		break;
	case '4':
		rd_u32(r);
		break;
	case '8':
		rd_u64(r);
		break;
	default:
		abort();
	}
}

static void handler(const struct ipc_frame *f, const char *fields)
{
	struct rd r = rd_init(f->body, f->len);
	const char *c;

	for (c = fields; *c && *c != '*'; c++)
		field(&r, *c);
	if (*c == '*')
		for (uint32_t n = rd_u32(&r); n && !r.bad; n--)
			for (const char *k = c + 1; *k; k++)
				field(&r, *k);
	MUST(r.p <= r.end && (!rd_done(&r) || r.p == r.end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ipc_frame f;
	static const unsigned who[] = { IPC_C, IPC_D, IPC_W, IPC_DW };

	for (size_t i = 0; i < 8; i++) {
		f.fd = 99;
		if (ipc_recv_raw(data, n, i & 1, who[i / 2], &f) != 1)
			continue;
		MUST(f.fd == -1 && f.len <= IPC_BODY_MAX && strcmp(ipc_name(f.type), "?") != 0);
		for (size_t k = 0; k < sizeof(reads) / sizeof(reads[0]); k++)
			if (reads[k].type == f.type)
				handler(&f, reads[k].fields);
	}
	return 0;
}
