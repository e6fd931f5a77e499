/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the disk, in threads of their own: a slow one holds up who asked for it and nobody else. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "fsd/ops.h"

#define THREADS 4
#define QUEUE 64 /* more than that many wait for room in the loop: the disk is what there is no more of */

struct job { fuse_req_t req; int fd; bool data; };

static struct job queue[QUEUE];
static size_t first, n_jobs;
static bool running;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static void run(const struct job *j)
{
	int r = (j->data ? fdatasync(j->fd) : fsync(j->fd)) < 0 ? errno : 0;

	close(j->fd);
	fuse_reply_err(j->req, r);
}

static void *work(void *arg UNUSED)
{
	for (;;) {
		struct job j;

		pthread_mutex_lock(&lock);
		while (!n_jobs)
			pthread_cond_wait(&more, &lock);
		j = queue[first];
		first = (first + 1) % QUEUE;
		n_jobs--;
		pthread_mutex_unlock(&lock);
		run(&j);
	}
	return NULL;
}

void sync_start(void)
{
	sigset_t all, before;
	pthread_t t;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t, NULL, work, NULL) == 0) {
			pthread_detach(t);
			running = true;
		}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void sync_later(fuse_req_t req, int fd, bool data)
{
	/* Its own descriptor: the file may be let go of before it is done. */
	struct job j = { req, fcntl(fd, F_DUPFD_CLOEXEC, 0), data };
	bool queued = false;

	if (j.fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	pthread_mutex_lock(&lock);
	if (running && n_jobs < QUEUE) {
		queue[(first + n_jobs++) % QUEUE] = j;
		queued = true;
		pthread_cond_signal(&more);
	}
	pthread_mutex_unlock(&lock);
	if (!queued)
		run(&j);
}
