/* SPDX-License-Identifier: Apache-2.0 */
/* All threads of one process call execve at once, leader and others, ROUNDS times, one process after the other; every process must end. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

static char *const argv_true[] = { "true", NULL };
static pthread_barrier_t barrier;

static void *run(void *arg)
{
	pthread_barrier_wait(&barrier);
	execve("/usr/bin/true", argv_true, environ);
	return arg;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1, ran = 0;

	for (int n = 0; n < rounds; n++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			pthread_t t[THREADS];

			pthread_barrier_init(&barrier, NULL, THREADS + 1);
			for (int i = 0; i < THREADS; i++)
				pthread_create(&t[i], NULL, run, NULL);
			run(NULL);
			_exit(9);
		}
		if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
			ran++;
	}
	printf("%d\n", ran);
	return 0;
}
