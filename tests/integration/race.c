/* SPDX-License-Identifier: Apache-2.0 */
/* race N: N execs by children that share this memory, while a thread flips path and argument between the allowed and the denied ones. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK 65536

static char path[256], argument[8];
static volatile int stop;

static void set(const char *p, const char *a)
{
	memcpy(path, p, strlen(p) + 1);
	memcpy(argument, a, strlen(a) + 1);
	__asm__ volatile("" ::: "memory");
	for (volatile int i = 0; i < 300; i++)
		;
}

static void *flip(void *arg)
{
	while (!stop) {
		set(DIR "/good", "good");
		set(DIR "/bad", "evil");
	}
	return arg;
}

static int child(void *arg)
{
	char name[] = "x", *argv[] = { name, argument, NULL }, *env[] = { NULL };

	execve(path, argv, env);
	(void)arg;
	_exit(1);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000, count[3] = { 0 };
	char *stack = malloc(STACK);
	pthread_t t;

	if (!stack || pthread_create(&t, NULL, flip, NULL))
		return 1;
	for (int i = 0; i < n; i++) {
		pid_t pid = clone(child, stack + STACK, CLONE_VM | SIGCHLD, NULL);
		int status;

		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			return 1;
		count[WIFSIGNALED(status) ? 2 : WEXITSTATUS(status) != 0]++;
	}
	stop = 1;
	printf("ran %d refused %d killed %d\n", count[0], count[1], count[2]);
	return 0;
}
