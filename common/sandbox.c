/* SPDX-License-Identifier: Apache-2.0 */
/* The posture of our own processes: capabilities, and one seccomp row per role (Landlock's rows: landlock.c). What is
 * refused is what a taken-over worker would want first: new programs, new mounts, other processes' memory, kernel modules, bpf. */
#include "common/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define NR_OPEN_TREE_ATTR 467 /* newer than the library's table; the same on every architecture */
#define R(role) (1u << SANDBOX_##role)
#define ALL (R(NETD_WORKER) | R(FSD_WORKER) | R(EXECD_WORKER))

static const struct row {
	int nr;
	unsigned refused_in;
} table[] = {
	{ SCMP_SYS(execve), ALL },           { SCMP_SYS(execveat), ALL },
	{ SCMP_SYS(ptrace), R(NETD_WORKER) | R(FSD_WORKER) },
	{ SCMP_SYS(process_vm_readv), R(NETD_WORKER) | R(FSD_WORKER) },
	{ SCMP_SYS(process_vm_writev), ALL },
	{ SCMP_SYS(fork), R(NETD_WORKER) | R(FSD_WORKER) },
	{ SCMP_SYS(vfork), ALL },
	{ SCMP_SYS(mount), ALL },            { SCMP_SYS(umount2), ALL },
	{ SCMP_SYS(move_mount), ALL },       { SCMP_SYS(open_tree), ALL },
	{ SCMP_SYS(fsopen), ALL },           { SCMP_SYS(fsmount), ALL },
	{ SCMP_SYS(pivot_root), ALL },       { SCMP_SYS(chroot), ALL },
	{ SCMP_SYS(mount_setattr), ALL },    { SCMP_SYS(setns), ALL },
	{ SCMP_SYS(unshare), ALL },          { SCMP_SYS(bpf), ALL },
	{ SCMP_SYS(perf_event_open), ALL },  { SCMP_SYS(init_module), ALL },
	{ SCMP_SYS(finit_module), ALL },     { SCMP_SYS(delete_module), ALL },
	{ SCMP_SYS(kexec_load), ALL },       { SCMP_SYS(kexec_file_load), ALL },
	{ SCMP_SYS(io_uring_setup), ALL },   { SCMP_SYS(io_uring_enter), ALL },
	{ SCMP_SYS(userfaultfd), ALL },      { SCMP_SYS(add_key), ALL },
	{ SCMP_SYS(keyctl), ALL },           { SCMP_SYS(request_key), ALL },
	{ SCMP_SYS(reboot), ALL },           { SCMP_SYS(swapon), ALL },
	{ SCMP_SYS(swapoff), ALL },          { SCMP_SYS(sethostname), ALL },
	{ SCMP_SYS(acct), ALL },             { SCMP_SYS(iopl), ALL },
	{ SCMP_SYS(ioperm), ALL },           { SCMP_SYS(modify_ldt), ALL },
	{ SCMP_SYS(personality), ALL },      { SCMP_SYS(open_by_handle_at), ALL },
	/* What CAP_SYS_ADMIN, which fsd's worker keeps, would open besides. It starts its threads before: no clone. */
	{ SCMP_SYS(clone), R(FSD_WORKER) },  { SCMP_SYS(clone3), R(FSD_WORKER) },
	{ SCMP_SYS(fsconfig), ALL },         { SCMP_SYS(fspick), ALL },
	{ NR_OPEN_TREE_ATTR, ALL },          { SCMP_SYS(umount), ALL },
	{ SCMP_SYS(quotactl), ALL },         { SCMP_SYS(quotactl_fd), ALL },
	{ SCMP_SYS(syslog), ALL },           { SCMP_SYS(setdomainname), ALL },
	{ SCMP_SYS(fanotify_init), ALL },    { SCMP_SYS(lookup_dcookie), ALL },
	{ SCMP_SYS(nfsservctl), ALL },       { SCMP_SYS(vhangup), ALL },
	{ SCMP_SYS(pidfd_getfd), R(NETD_WORKER) | R(FSD_WORKER) },
	{ SCMP_SYS(kcmp), ALL },             { SCMP_SYS(process_madvise), ALL },
	{ SCMP_SYS(move_pages), ALL },       { SCMP_SYS(migrate_pages), ALL },
	{ SCMP_SYS(ioprio_set), ALL },
	{ SCMP_SYS(lsetxattr), R(FSD_WORKER) }, { SCMP_SYS(fsetxattr), R(FSD_WORKER) },
	{ SCMP_SYS(msgctl), R(FSD_WORKER) }, { SCMP_SYS(shmctl), R(FSD_WORKER) },
	{ SCMP_SYS(semctl), R(FSD_WORKER) },
	{ SCMP_SYS(connect), R(FSD_WORKER) | R(EXECD_WORKER) },
	{ SCMP_SYS(bind), R(FSD_WORKER) | R(EXECD_WORKER) },
	{ SCMP_SYS(unlinkat), R(NETD_WORKER) },
	{ SCMP_SYS(renameat2), R(NETD_WORKER) },
};

/* First: it needs CAP_SETPCAP, which a change of uid takes away. */
static int drop_bounding(uint64_t keep, struct err *err)
{
	for (int c = 0; c <= CAP_LAST_CAP; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return err_set(err, -errno, "dropping capability %d from the bounding set: %s", c, strerror(errno));
	return 0;
}

static int drop_caps(uint64_t keep, struct err *err)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, data) < 0)
		return err_set(err, -errno, "dropping capabilities: %s", strerror(errno));
	return 0;
}

int priv_drop(uid_t uid, gid_t gid, uint64_t keep, struct err *err)
{
	if (drop_bounding(keep, err) < 0)
		return err->status;
	if (uid != (uid_t)-1) {
		prctl(PR_SET_KEEPCAPS, keep != 0, 0, 0, 0);
		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
			return err_set(err, -errno, "dropping to uid %u: %s", (unsigned)uid, strerror(errno));
	}
	if (drop_caps(keep, err) < 0)
		return err->status;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "no_new_privs: %s", strerror(errno));
	return 0;
}

/* ioctls reach everything that has a driver: of fsd's only these pass. No comparison means "none of several", so that all numbers are
 * refused which begin like one of them and differ in the next bit, unless another goes on like that. */
static int fsd_ioctls(scmp_filter_ctx ctx)
{
	/* FUSE_DEV_IOC_BACKING_OPEN and _CLOSE, FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, FICLONE */
	static const uint32_t passed[] = { 0x4010e501, 0x4004e502, 0x80086601, 0x801c581f, 0x40049409 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		for (int k = 0; k < 32 && r == 0; k++) {
			uint32_t mask = ~0u << k, refused = (passed[i] ^ 1u << k) & mask;
			bool not_now = false;

			for (size_t j = 0; j < ARRAY_LEN(passed); j++)
				not_now |= (passed[j] & mask) == refused || (j < i && ((passed[j] ^ 1u << k) & mask) == refused);
			if (!not_now)
				r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
						     SCMP_A1(SCMP_CMP_MASKED_EQ, mask, refused));
		}
	return r;
}

int sandbox_enter(enum sandbox_role role, struct err *err)
{
	scmp_filter_ctx ctx;
	int r;

	if (landlock_enter(role, err) < 0)
		return err->status;
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	r = ctx ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(table); i++)
		if (table[i].refused_in & (1u << role))
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), table[i].nr, 0);
	if (r == 0 && role == SANDBOX_FSD_WORKER)
		r = fsd_ioctls(ctx);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r < 0 ? err_set(err, r, "loading our own seccomp filter: %s", strerror(-r)) : 0;
}
