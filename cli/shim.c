/* SPDX-License-Identifier: Apache-2.0 */
/* agentsh-shell-shim: stands where a shell stood and hands its arguments to the session named in AGENTSH_SESSION_ID. Links nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *id = getenv("AGENTSH_SESSION_ID");
	char **v = calloc((size_t)argc + 6, sizeof(char *));
	static char exec[] = "exec", agentsh[] = "agentsh", dashes[] = "--", sh[] = "/bin/sh";
	int n = 0;

	if (!id || !id[0] || !v) {
		fputs("agentsh-shell-shim: AGENTSH_SESSION_ID is not set: this shell runs only inside a session\n", stderr);
		free(v);
		return 126;
	}
	v[n++] = agentsh;
	v[n++] = exec;
	v[n++] = (char *)(size_t)id;
	v[n++] = dashes;
	v[n++] = sh;
	for (int i = 1; i < argc; i++)
		v[n++] = argv[i];
	execvp(agentsh, v);
	perror("agentsh-shell-shim: agentsh");
	free(v);
	return 126;
}
