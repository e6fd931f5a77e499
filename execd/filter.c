/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's seccomp filter, libseccomp's home: static refusals, and a notification for every exec. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "execd/execd.h"

/* Refused with EPERM: what would act on other processes, on mounts, on the kernel, or go round a layer of ours. */
static const int refused[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(kcmp),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(umount), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
	SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(acct),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(stime),
	SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(modify_ldt), SCMP_SYS(quotactl), SCMP_SYS(quotactl_fd), SCMP_SYS(syslog),
	SCMP_SYS(vhangup), SCMP_SYS(nfsservctl), SCMP_SYS(lookup_dcookie), SCMP_SYS(uselib), SCMP_SYS(_sysctl), SCMP_SYS(vm86),
	SCMP_SYS(vm86old),
	SCMP_SYS(fanotify_init), SCMP_SYS(fanotify_mark), SCMP_SYS(migrate_pages), SCMP_SYS(move_pages), SCMP_SYS(mbind),
};

#define NR_FCHMODAT2 452 /* newer than the library's table; the same on every architecture */
#define CLONE_NEW_ANY (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Protocols [base, base + 2^bits) of a family are refused, but for those that the gateway knows: in as few aligned blocks as leave them
 * out, for libseccomp takes tens of microseconds a rule. */
static int add_protocols(scmp_filter_ctx x, uint32_t family, uint32_t base, unsigned bits)
{
	static const uint32_t known[] = { 0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 };
	uint64_t end = base + (1ull << bits);
	bool some = false;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		some |= known[i] >= base && known[i] < end;
	if (!some)
		return seccomp_rule_add(x, SCMP_ACT_ERRNO(EPROTONOSUPPORT), SCMP_SYS(socket), 2, SCMP_A0_32(SCMP_CMP_EQ, family),
					SCMP_A2_32(SCMP_CMP_MASKED_EQ, (uint32_t)~((1ull << bits) - 1), base));
	if (bits == 0)
		return 0;
	r = add_protocols(x, family, base, bits - 1);
	return r ? r : add_protocols(x, family, base + (1u << (bits - 1)), bits - 1);
}

static int add_sockets(scmp_filter_ctx x)
{
	const uint32_t eaf = SCMP_ACT_ERRNO(EAFNOSUPPORT);
	const int calls[] = { SCMP_SYS(socket), SCMP_SYS(socketpair) };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(calls) && r == 0; i++) {
		/* Families other than UNIX 1, INET 2, INET6 10, NETLINK 16: by ranges, for a filter cannot say "none of". */
		r = seccomp_rule_add(x, eaf, calls[i], 1, SCMP_A0_32(SCMP_CMP_LT, AF_UNIX));
		for (uint32_t f = AF_INET + 1; f < AF_NETLINK && r == 0; f++)
			if (f != AF_INET6)
				r = seccomp_rule_add(x, eaf, calls[i], 1, SCMP_A0_32(SCMP_CMP_EQ, f));
		if (r == 0)
			r = seccomp_rule_add(x, eaf, calls[i], 1, SCMP_A0_32(SCMP_CMP_GT, AF_NETLINK));
	}
	/* NETLINK: route (0) only. INET: no raw sockets, and no protocol that the gateway does not know (MPTCP, SCTP, UDPLITE ...). */
	if (r == 0)
		r = seccomp_rule_add(x, eaf, SCMP_SYS(socket), 2, SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2_32(SCMP_CMP_GT, 0));
	for (uint32_t fam = AF_INET; fam <= AF_INET6 && r == 0; fam += AF_INET6 - AF_INET) {
		r = seccomp_rule_add(x, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2, SCMP_A0_32(SCMP_CMP_EQ, fam),
				     SCMP_A1_32(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW));
		if (r == 0)
			r = add_protocols(x, fam, 0, 32);
	}
	return r;
}

/* No file of the host may get set-id bits through a tree that is bound writable: fsd takes them off in its own. Set-gid by chmod passes,
 * directories need it. openat2 has its mode in memory, out of a filter's sight: it is not there, and callers use openat. */
static int add_set_id(scmp_filter_ctx x)
{
	static const struct { int call; unsigned mode; } changes[] = {
		{ SCMP_SYS(chmod), 1 }, { SCMP_SYS(fchmod), 1 }, { SCMP_SYS(fchmodat), 2 }, { NR_FCHMODAT2, 2 },
	}, makes[] = { { SCMP_SYS(creat), 1 }, { SCMP_SYS(mknod), 1 }, { SCMP_SYS(mknodat), 2 } },
	  opens[] = { { SCMP_SYS(open), 2 }, { SCMP_SYS(openat), 3 } };
	static const uint32_t bits[] = { S_ISUID, S_ISGID }, making[] = { O_CREAT, O_TMPFILE & ~O_DIRECTORY };
	const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
	int r = seccomp_rule_add(x, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);

	for (size_t i = 0; i < ARRAY_LEN(changes) && r == 0; i++)
		r = seccomp_rule_add(x, eperm, changes[i].call, 1, SCMP_CMP32(changes[i].mode, SCMP_CMP_MASKED_EQ, S_ISUID, S_ISUID));
	for (size_t k = 0; k < ARRAY_LEN(bits); k++) {
		for (size_t i = 0; i < ARRAY_LEN(makes) && r == 0; i++)
			r = seccomp_rule_add(x, eperm, makes[i].call, 1, SCMP_CMP32(makes[i].mode, SCMP_CMP_MASKED_EQ, bits[k], bits[k]));
		/* Without one of these flags the mode's register holds anything. */
		for (size_t i = 0; i < ARRAY_LEN(opens) * ARRAY_LEN(making) && r == 0; i++) {
			uint32_t flag = making[i % 2];
			unsigned mode = opens[i / 2].mode;

			r = seccomp_rule_add(x, eperm, opens[i / 2].call, 2, SCMP_CMP32(mode - 1, SCMP_CMP_MASKED_EQ, flag, flag),
					     SCMP_CMP32(mode, SCMP_CMP_MASKED_EQ, bits[k], bits[k]));
		}
	}
	return r ? r : add_sockets(x);
}

static int add_rules(scmp_filter_ctx x)
{
	const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(refused) && r == 0; i++)
		r = seccomp_rule_add(x, eperm, refused[i], 0);
	if (r == 0)
		r = seccomp_rule_add(x, SCMP_ACT_NOTIFY, SCMP_SYS(execve), 0);
	if (r == 0)
		r = seccomp_rule_add(x, SCMP_ACT_NOTIFY, SCMP_SYS(execveat), 0);
	/* New namespaces bring capabilities over new things; clone3's flags lie in memory, so it is not there and libc uses clone. */
	for (uint32_t bit = 1; bit && r == 0; bit <<= 1)
		if (bit & CLONE_NEW_ANY)
			r = seccomp_rule_add(x, eperm, SCMP_SYS(clone), 1, SCMP_A0_64(SCMP_CMP_MASKED_EQ, bit, bit));
	if (r == 0)
		r = seccomp_rule_add(x, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* Pushing bytes into a terminal that a person reads from: TIOCSTI, TIOCLINUX. */
	if (r == 0)
		r = seccomp_rule_add(x, eperm, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI));
	if (r == 0)
		r = seccomp_rule_add(x, eperm, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, TIOCLINUX));
	return r ? r : add_set_id(x);
}

int filter_make(struct sock_filter **ret, unsigned short *ret_len)
{
	scmp_filter_ctx x = seccomp_init(SCMP_ACT_ALLOW);
	auto_fd fd = memfd_create("filter", MFD_CLOEXEC);
	struct sock_filter *bpf = NULL;
	struct stat st;
	int r = x && fd >= 0 ? 0 : -ENOMEM;

	/* Only the native ABI: 32-bit and x32 calls end the process. */
	if (r == 0)
		r = seccomp_attr_set(x, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(x, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_rules(x);
	if (r == 0)
		r = seccomp_export_bpf(x, fd);
	if (r == 0 && fstat(fd, &st) == 0) {
		bpf = malloc((size_t)st.st_size);
		if (!bpf || pread(fd, bpf, (size_t)st.st_size, 0) != st.st_size)
			r = -EIO;
		*ret_len = (unsigned short)((size_t)st.st_size / sizeof(*bpf));
	}
	if (x)
		seccomp_release(x);
	if (r < 0) {
		free(bpf);
		return r;
	}
	*ret = bpf;
	return 0;
}
