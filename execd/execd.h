/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of execd share: the session, its commands, and one function set per file. */
#ifndef EXECD_EXECD_H
#define EXECD_EXECD_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "common/approve.h"
#include "common/board.h"
#include "common/daemon.h"
#include "common/lineage.h"
#include "policy/generation.h"

#define MOUNTS_MAX 96              /* trees that fsd hands over */
#define GROUPS_MAX 64              /* supplementary groups of the caller */
#define ARGV_BYTES_MAX ((size_t)2 << 20)  /* the kernel's own usual limit of arguments; longer ones are refused */
#define ARGV_MAX 65536
#define TRACED_MAX 512             /* execs between their verdict and their exec stop; one more is refused */
#define SETS_MAX 64                /* directories of labels of one command; an exec that needs one more is refused */
#define WAITING_MAX 512            /* execs that wait for one of their own thread group; one more is refused */

enum cmd_state { CMD_FREE, CMD_APPROVAL, CMD_LAUNCHED, CMD_RUNNING, CMD_EXITED, CMD__COUNT };

struct cmd {
	struct session *s;
	enum cmd_state state;
	char id[ID_MAX];
	int client;                /* who waits for EXEC_DONE, -1: answered or gone */
	uint32_t frame_id;
	int fds[3];                /* stdin, stdout, stderr until launched */
	int gate;                  /* our end of the launch socket, -1 once through */
	int listener;              /* seccomp listener, -1: none (yet, or all of its processes are gone) */
	struct loop_io *gate_io, *listener_io;
	struct loop_timer *timer;
	uint64_t approval, started_ms, timeout_ms;
	int slot;                  /* on the board */
	int cgroup;                /* directory descriptor, -1 none */
	struct lineage sets[SETS_MAX]; /* directories below it */
	size_t n_sets;
	uint32_t num;              /* this launch, as pid 1 names it */
	bool approved, redirected, first_done, timed_out, kill_sent;
	char cwd[4096];
	char **argv, **env;        /* owned; NULL-terminated */
	uint64_t judged;           /* number of the generation that judged the submitted command: approved and redirected are its */
	struct pol_verdict verdict;/* of the submitted command: for the answer. Nothing in it points into a policy */
	char rule[256], message[1024];
};

struct session {
	struct worker *w;
	struct generation *gen;    /* what judges from now on */
	struct policy *policy;     /* of gen */
	struct update update;
	struct plan *plan;
	struct approve *approve;
	struct board *board;
	int board_fd, netns, leases[2];
	const char *lease_names[2];
	char workspace[4096], policy_name[256], home[4096];   /* policy_name: until gen has it */
	struct { char path[4096]; int fd; } mounts[MOUNTS_MAX];
	size_t n_mounts;
	char **env;                /* additions for every command, from netd */
	size_t n_env;
	char *file_text;           /* of the sandbox's resolv.conf */
	gid_t groups[GROUPS_MAX];
	int n_groups;
	pid_t init;
	int init_sock;
	int cgroup;                /* session's directory, -1: no cgroup v2 here */
	char cgroup_path[4200];
	uint32_t depths;           /* policy_depths */
	uint64_t created_ms;
	struct sock_filter *bpf;
	unsigned short bpf_len;
	struct cmd cmds[BOARD_CMDS];
	uint32_t next_num;
	bool started;
};

/* build.c: in the session's future pid 1, still root: namespaces' contents. 0 or negative errno, err says what. */
int build_root(struct session *s, struct err *err);

/* plan.c: what build_root does with each of the host's trees, to be compared with what another policy would have done. */
struct plan;
int plan_make(struct session *s, struct err *err);         /* s->plan, by s->policy; before build_root */
int plan_compare(const struct session *s, const struct policy *next, struct err *err); /* 0: the same; -EXDEV: words name what is not */
bool plan_hot(const struct policy *p, const char *path);   /* the file may be bound into the sandbox: it is only ever read */
extern const char *const plan_hot_files[];                 /* NULL-terminated */
bool plan_ours(const char *name);                          /* an entry of the host's root that no session has from there */

/* update.c: another policy */
void update_start(struct session *s, struct generation *first);
int update_request(struct session *s, int sock, const struct ipc_frame *f); /* -ENOSYS: nothing of this file's */
void update_client_gone(struct session *s, int sock);
/* A frame on lease i. False: it is not one of an update's. */
bool update_answer(struct session *s, int i, const struct ipc_frame *f);

/* cover.c: below the current directory, before what is wanted of these file systems is mounted there */
int cover_kernel_mounts(struct err *err);
/* init.c: pid 1 of the session. Never returns. ready: written once when built (empty: fine; else words). */
void init_main(struct session *s, int sock, int ready) __attribute__((noreturn));
/* start.c: reads set-up frames, starts pid 1. */
int session_start(struct session *s, struct err *err);
/* filter.c: the static seccomp filter with exec notifications; *ret owned by the caller. 0 or negative errno. */
int filter_make(struct sock_filter **ret, unsigned short *ret_len);
/* cgroup.c */
void cgroup_session_make(struct session *s);
int cgroup_cmd_make(struct session *s, struct cmd *c, uint64_t *ret_id); /* sets c->cgroup; 0 or negative errno */
/* Makes the directory of these labels below the command's if there is none: 0, -ENOSPC (too many), or negative errno. */
int cgroup_set_make(struct session *s, struct cmd *c, const struct lineage *l);
/* Its cgroup.procs, to move whole processes into one that was made; l NULL: the command's own. Negative errno. */
int cgroup_procs(const struct cmd *c, const struct lineage *l);
void cgroup_cmd_await(struct cmd *c, unsigned ms); /* until no process of the command is left, at most so long */
void cgroup_cmd_end(struct session *s, struct cmd *c);
void cgroup_session_end(struct session *s);
void cgroup_bury(const char *id);    /* in the daemon's parent: the cgroups of a session whose worker was killed */
/* cmd.c */
int cmd_exec(struct session *s, int sock, struct ipc_frame *f);
int cmd_take_fd(struct session *s, int sock, struct ipc_frame *f);
int cmd_take_args(struct session *s, int sock, struct ipc_frame *f);
void cmd_client_gone(struct session *s, int sock);
void cmd_kill(struct cmd *c);
void cmd_keep_verdict(struct cmd *c, const struct pol_verdict *v); /* it outlives the policy that it is from */
void cmd_exit(struct session *s, uint32_t num, int status, uint64_t utime_us, uint64_t stime_us, uint64_t maxrss_kb);
/* Frees a command once it has exited and no process of it can exec any more. */
void cmd_maybe_free(struct cmd *c);
char **strv_read(struct rd *r, uint32_t max);
void strv_free(char **v);
/* launch.c */
int launch_send(struct session *s, struct cmd *c);
/* notif.c */
int notif_watch(struct cmd *c);
void notif_close(struct cmd *c);
void notif_resume(void);           /* a thread group may have become free: the execs that waited for it go on */
/* guard.c: seizes the thread, continues its exec, verifies at the exec stop. approved: what was judged; argv owned by guard from here. */
struct exec_facts {
	char given[4096];          /* as the caller wrote it */
	char resolved[4096];       /* path of the file, "" unknown */
	char place[4096];          /* the name given, its directory resolved; "" none: a descriptor, or not known */
	char written[4096];        /* the name given, absolute, by its text alone, where that is another; "" */
	bool up;                   /* it had a ".." */
	uint64_t dev, ino;
	char **argv;               /* owned */
	size_t argc;
	struct pol_who who;        /* the program that calls exec */
	uint32_t depth;            /* that the new one will have */
	pid_t pid;                 /* 0: a command that is not started yet */
	bool running;              /* it stands at its exec stop */
	bool unsettled;            /* the file found by the name may not be the one that was opened: the strictest rule counts */
};
/* gen judged v, and judges again at the exec stop. */
int guard_begin(struct cmd *c, struct generation *gen, uint64_t notif_id, pid_t tid, struct exec_facts *facts, const struct pol_verdict *v);
pid_t guard_group(pid_t tid);        /* its thread group; 0: it is gone */
bool guard_busy(pid_t tgid);         /* an exec of this thread group is under way: guard_begin would refuse another */
void guard_reap(struct session *s);  /* on SIGCHLD */
/* peek.c: facts of an exec that waits in its notification, read from the target. 0, or the errno to answer. */
int peek_exec(const struct session *s, const struct seccomp_notif *req, struct exec_facts *f);
int peek_running(pid_t pid, struct exec_facts *f); /* of a process stopped at exec: what really runs */
/* The file name by which the kernel was asked for what now runs, of a process stopped at exec: of a script, the script's. */
int peek_execfn(pid_t pid, char *out, size_t cap);
/* By a name that the kernel was given, of a process at its exec stop, whatever it now leads to; without arguments. 0 or negative errno. */
int peek_named(const struct session *s, pid_t pid, const char *name, struct exec_facts *f);
void facts_fini(struct exec_facts *f);
/* chain.c: scripts between what an exec was asked for and the interpreter that runs, now, of a process at its exec stop. */
#define CHAIN_WORDS 10             /* the kernel opens five scripts, of each there is a name and an argument */
struct chain {
	char name[4096];           /* what was asked for: AT_EXECFN */
	size_t n;                  /* words that may be steps, the last of them is name */
	bool direct;               /* name is not among the arguments: no script was run */
};
int chain_find(const struct exec_facts *now, struct chain *ret);   /* 0 or negative errno */
/* Step i < c->n: 1, facts of the script, whose argv is now's; 0: only an argument; or negative errno: it cannot be known. Its path is
 * ret->resolved, which only counts as a reason to allow anything if not ret->unsettled. */
int chain_step(const struct session *s, const struct policy *p, const struct exec_facts *now, const struct chain *c, size_t i,
	       struct exec_facts *ret);
/* name.c: what a program is called. An O_PATH descriptor of a process's root, or negative errno. */
int name_root(pid_t pid);
/* An O_PATH descriptor of the program that an absolute path leads to below root, or negative errno; sets f->place. */
int name_find(int root, const char *path, struct exec_facts *f);
int name_written(const struct session *s, const char *path, struct exec_facts *f); /* sets f->written, by f->place */
void name_submitted(struct cmd *c, struct exec_facts *f);          /* both, of a command that is not started yet, where they can be known */
/* The session can neither have made f->place nor have had another file judged by it. */
bool name_trusted(const struct policy *p, const struct exec_facts *f);
/* Links of the session's root and what they lead to. 0, or negative errno: not all are known, and nothing is to be allowed. */
int name_twins(const struct session *s, const struct pol_twin **ret, size_t *ret_n);
/* label.c: what a program descends from. 0, or negative errno: the exec is refused. */
void label_policy(struct session *s);   /* s->policy is another: what is kept of programs from now on */
bool label_on(const struct session *s, const struct policy *p); /* execs are followed in the cgroup tree: a rule asks, and there is one */
int label_start(struct cmd *c, const struct policy *p);         /* cgroup.procs of where a command begins, or -1: it has no cgroup */
/* p: the policy that judges this exec. Sets f->who and f->depth. */
int label_caller(struct cmd *c, const struct policy *p, pid_t tid, struct exec_facts *f, bool first);
int label_ready(struct cmd *c, const struct policy *p, const struct exec_facts *f); /* there is a place for the new program */
/* At the exec stop: puts what runs, now, where its labels are kept; judged: what was asked for. False: it must not run. */
bool label_apply(struct cmd *c, const struct policy *p, pid_t pid, const struct exec_facts *now, const struct exec_facts *judged);
/* resolve.c: an O_PATH descriptor of what the path leads to below root, within a bound of time; or negative errno. */
int resolve_in_root(int root, const char *path);
int resolve_entry(int dir, const char *name);                      /* the same of an entry of a directory itself, also when it is a link */
int resolve_link(int fd, char *out, size_t cap);                   /* the text of a link behind an O_PATH descriptor, in the same time; 0 */
/* settle.c: the path, without links, of the file that an absolute path leads to below root, if no name on the way is one that the session
 * could make or replace. 0; -EPERM: one is; or negative errno. */
int settle_file(const struct policy *p, int root, const char *path, char *out, size_t cap);
/* SHA-256 of the regular file behind an O_PATH descriptor, and whether it has but this name here: no other link, or a mount that is not
 * written through; within a bound of size and time. 0 or negative errno. */
int digest_file(int fd, uint8_t ret[32], bool *ret_alone);
/* digest.c: for struct pol_exec; found out once. */
struct digest { struct cmd *c; const struct policy *p; const struct exec_facts *f; bool known; int r; uint8_t sum[32]; };
int digest_exec(void *arg, uint8_t ret[32]);
/* inject.c: the environment of a process stopped at exec has a variable that can make the program load or run other code, or cannot be
 * read. */
bool inject_any(pid_t pid);
/* judge.c */
/* The names and arguments of what is run, as the policy is asked about them. Points to d and into d->f, valid as long as those. */
struct pol_exec judge_names(const struct session *s, struct digest *d);
struct pol_verdict judge_exec(struct cmd *c, const struct generation *gen, const struct exec_facts *f, bool first);
void judge_event(struct cmd *c, const struct generation *gen, pid_t pid, const struct exec_facts *f, const struct pol_verdict *v,
		 const char *effective);
/* What a person is asked about: the file and every argument, quoted as for a shell. Owned by the caller; NULL: out of memory. */
char *judge_target(const struct exec_facts *f);
void judge_message(const struct exec_facts *f, const struct pol_verdict *v, char *out, size_t cap);

#endif
