/* SPDX-License-Identifier: Apache-2.0 */
/* spawn N PROGRAM [ARG...]: the median time of vfork, exec and wait, after one run that does not count (N > 1).
 * Without arguments it does nothing: so it is also the smallest program to start. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define RUNS_MAX 100000

static int once(char **argv)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	uint64_t *v;
	size_t n;

	if (argc == 1)
		return 0;
	if (argc < 3)
		return 2;
	n = number(argv[1], RUNS_MAX);
	v = calloc(n, sizeof(*v));
	for (size_t i = n > 1 ? 0 : 1; v && i <= n; i++) {
		uint64_t from = now_ns();
		int code = once(argv + 2);

		if (i)
			v[i - 1] = now_ns() - from;
		if (code != 0) {
			fprintf(stderr, "%s ended with %d\n", argv[2], code);
			return 1;
		}
	}
	if (v)
		print_p50(v, n);
	return !v;
}
