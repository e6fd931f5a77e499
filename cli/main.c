/* SPDX-License-Identifier: Apache-2.0 */
/* agentsh: the table of commands. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "common/log.h"

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "server", cmd_server, "server [stop]: run the three daemons in the foreground, or stop them" },
	{ "session", cmd_session, "session create|list|info|update|destroy: session --help lists what each takes" },
	{ "exec", cmd_exec, "exec [--output shell|json] [--events all|full|summary|blocked|none] [--timeout D] SID -- CMD..." },
	{ "run", cmd_run, "run [--policy P] [--workspace D] -- CMD...: session, command, report, end" },
	{ "kill", cmd_kill, "kill SID [CMDID]: end a command's whole tree (all commands without CMDID)" },
	{ "events", cmd_events, "events tail SID [--follow] | events query [--session S] [--type T] [--decision D] [--path-like P] "
	  "[--limit N]: the newest 200" },
	{ "trash", cmd_trash,
	  "trash list [--session S] [--json] [--all: passing files of a command and what an undo put aside, too] | "
	  "trash restore TOKEN... [--dest D] [--force] | trash restore --all --session S | trash purge TOKEN...|--ttl D|--quota SIZE | "
	  "trash empty; all but list with --dry-run, all with --session S and --json" },
	{ "undo", cmd_undo, "undo SID CMDID [--dry-run] [--force] [--json]: give back what a command deleted, overwrote or renamed" },
	{ "checkpoint", cmd_checkpoint, "checkpoint create [--reason R] | list | show ID [--diff] | rollback ID [--dry-run] [--force] | "
	  "purge ID|--older-than D|--keep N [--dry-run]; all with --session S and --json: a session's changes since, taken back together" },
	{ "approve", cmd_approve, "approve list | approve resolve ID --allow|--deny [--reason R] | approve watch" },
	{ "policy", cmd_policy, "policy VERB ...: list, show, validate, explain, test, diff, compile or sign policies; "
	  "policy --help lists the verbs" },
	{ "mount", cmd_mount, "mount [--policy P] [--json] DIR MOUNTPOINT: DIR, governed, for any program; root only" },
	{ "umount", cmd_umount, "umount [--lazy] MOUNTPOINT" },
	{ "detect", cmd_detect, "detect [--json]: what this machine offers, and what is missing" },
};

/* Named by the contract; saying so clearly beats an unknown command. */
static const char *const later[] = { "report", "proxy", "top", "ui", "shim", "audit", "output", "config", "gateway", "llm", "usage",
	"wrap" };

int complain(const char *fmt, ...)
{
	char words[2048], shown[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	str_display(words, strlen(words), shown, sizeof(shown));
	fprintf(stderr, "agentsh: %s\n", shown);
	return EXIT_ERROR;
}

void print_json(cJSON *j)
{
	char *text = cJSON_Print(j);

	if (text)
		puts(text);
	cJSON_free(text);
	cJSON_Delete(j);
}

static int usage(FILE *to)
{
	fprintf(to, "agentsh: a policy-enforced execution gateway for AI agents\n\nusage: agentsh COMMAND [options]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %s\n", commands[i].help);
	fprintf(to, "\nagentsh COMMAND --help shows one line for a command. README.md says what works and what does not yet.\n");
	return to == stdout ? 0 : EXIT_ERROR;
}

/* --help anywhere before the command that is to be run. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static bool bad_dir(const char *name)
{
	const char *s = getenv(name);

	return s && s[0] && s[0] != '/';
}

int main(int argc, char **argv)
{
	log_open("agentsh");
	if (bad_dir("AGENTSH_RUN_DIR") || bad_dir("AGENTSH_DATA_DIR"))
		return complain("%s must be an absolute path", bad_dir("AGENTSH_RUN_DIR") ? "AGENTSH_RUN_DIR" : "AGENTSH_DATA_DIR");
	if (argc > 2 && !strcmp(argv[1], "--config")) { /* the environment: what this starts must read the same */
		if (setenv("AGENTSH_CONFIG", argv[2], 1) < 0)
			return complain("--config: %s", strerror(errno));
		argv += 2;
		argc -= 2;
	}
	if (argc < 2)
		return usage(stderr);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return usage(stdout);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version"))
		return puts("agentsh 0.1.0") < 0;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		/* The verbs of some have their own. */
		if (commands[i].fn != cmd_policy && commands[i].fn != cmd_session && wants_help(argc, argv))
			return printf("usage: agentsh %s\n", commands[i].help) < 0;
		return commands[i].fn(argc - 1, argv + 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		if (!strcmp(argv[1], later[i]))
			return complain("\"%s\" is not built yet: see the table in README.md", later[i]);
	return complain("unknown command \"%s\": see agentsh --help", argv[1]);
}
