/* SPDX-License-Identifier: Apache-2.0 */
/* exec's arguments. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"

static bool level_known(const char *s)
{
	static const char *const levels[] = { "all", "full", "summary", "blocked", "none" };

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (!strcmp(s, levels[i]))
			return true;
	return false;
}

int cmd_exec(int argc, char **argv)
{
	const char *output = getenv("AGENTSH_OUTPUT"), *id = NULL;
	struct exec_opts o = { .events = getenv("AGENTSH_EVENTS") };
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "--output") && i + 1 < argc)
			output = argv[++i];
		else if (!strncmp(argv[i], "--output=", 9))
			output = argv[i] + 9;
		else if (!strcmp(argv[i], "--events") && i + 1 < argc)
			o.events = argv[++i];
		else if (!strncmp(argv[i], "--events=", 9))
			o.events = argv[i] + 9;
		else if (!strcmp(argv[i], "--timeout") && i + 1 < argc) {
			if (str_to_ms(argv[++i], &o.timeout_ms) < 0)
				return complain("--timeout %s is not a duration such as 30s or 5m", argv[i]);
		} else if (!strcmp(argv[i], "--stream"))
			continue; /* shell output streams by itself */
		else if (argv[i][0] == '-')
			return complain("exec: option \"%s\" is unknown or not built yet: see the table in README.md", argv[i]);
		else if (!id)
			id = argv[i];
		else
			break;
	}
	if (i < argc && !strcmp(argv[i], "--"))
		i++;
	if (!id)
		id = getenv("AGENTSH_SESSION_ID");
	o.argv = argv + i;
	o.argc = argc - i;
	if (!id || o.argc < 1)
		return complain("usage: agentsh exec [options] SID -- CMD... (session ids: agentsh session list)");
	if (output && strcmp(output, "json") != 0 && strcmp(output, "shell") != 0)
		return complain("--output is shell or json, not \"%s\"", output);
	o.json = output && !strcmp(output, "json");
	if (!o.events)
		o.events = o.json ? "summary" : "none";
	if (!level_known(o.events))
		return complain("--events is all, full, summary, blocked or none, not \"%s\"", o.events);
	return exec_run(id, &o);
}
