/* SPDX-License-Identifier: Apache-2.0 */
/* What a process of a session descends from, as execd wrote it into the kernel's cgroup tree: a command's processes begin below its
 * cgroup-v2 directory agentsh-SESSION/cNUMBER, and one whose program the policy labels is moved to the directory pSURE-MAY-DEPTH-ID there
 * before that program's first instruction. A child is born where its parent is, and nothing of the tree is in the sandbox's reach. */
#ifndef COMMON_LINEAGE_H
#define COMMON_LINEAGE_H

#include <stdint.h>
#include <sys/types.h>

struct lineage {
	uint32_t command;    /* number of the launch within its session */
	uint64_t sure, may;  /* labels as policy_labels gives them, or-ed along the line of descent; may has all of sure */
	uint32_t depth;      /* of the program that runs: 0 the submitted one */
	uint64_t id;         /* whose numbering the labels are by: policy_labels_id. 0: of none, it was not followed */
};
#define LINEAGE_NAME_MAX 64
/* The directory's name below the command's own. */
void lineage_name(const struct lineage *l, char out[LINEAGE_NAME_MAX]);
/* text: what /proc/PID/cgroup holds. 0, or -ENOENT: no process of this session, or not written by execd. */
int lineage_parse(const char *text, const char *session, struct lineage *ret);
/* Of a process or thread in the reader's pid namespace, which must not end meanwhile. 0 or negative errno. */
int lineage_of(pid_t pid, const char *session, struct lineage *ret);

#endif
