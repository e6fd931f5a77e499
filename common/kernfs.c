/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kernfs.h"

#include <linux/magic.h>
#include <stddef.h>
#include <sys/vfs.h>

#include "common/cleanup.h"

/* Not in linux/magic.h. */
#define CONFIGFS 0x62656570
#define FUSECTL 0x65735543
#define MQUEUE 0x19800202
#define RPC_PIPEFS 0x67596969
#define NFSD 0x6e667364
#define PIDFS 0x50494446
#define OCFS2_DLM 0x76a9f425

bool kernfs_at(int fd)
{
	static const unsigned long types[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,
		CONFIGFS, SECURITYFS_MAGIC, BPF_FS_MAGIC, BINDERFS_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, EFIVARFS_MAGIC, FUSECTL,
		MQUEUE, PSTOREFS_MAGIC, SELINUX_MAGIC, SMACK_MAGIC, NSFS_MAGIC, BINFMTFS_MAGIC, RDTGROUP_SUPER_MAGIC,
		RPC_PIPEFS, NFSD, XENFS_SUPER_MAGIC, OCFS2_DLM, AAFS_MAGIC, PIDFS, SECRETMEM_MAGIC,
	};
	struct statfs s;

	if (fstatfs(fd, &s) < 0)
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((unsigned long)s.f_type == types[i])
			return true;
	return false;
}
