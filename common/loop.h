/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's epoll loop: descriptors, one-shot timers, signals (signalfd). Handles are owned by the loop until removed. */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;
typedef void (*loop_io_fn)(void *arg, int fd, uint32_t events);
typedef void (*loop_timer_fn)(void *arg);
typedef void (*loop_signal_fn)(void *arg, int signo);

int loop_new(struct loop **ret);
void loop_free(struct loop *l);                     /* takes NULL; closes nothing that the caller gave */
/* Watches fd (caller keeps owning it). events: EPOLLIN|EPOLLOUT... level-triggered. Removing inside any callback is
 * fine, of any handle: what was removed is not called again. 0 or negative errno. */
int loop_add(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *arg, struct loop_io **ret);
int loop_mod(struct loop_io *io, uint32_t events);
void loop_del(struct loop_io *io);                  /* takes NULL; call before closing the fd */
/* Calls fn once after ms; the handle is gone when fn is called. */
int loop_after(struct loop *l, uint64_t ms, loop_timer_fn fn, void *arg, struct loop_timer **ret);
void loop_cancel(struct loop_timer *t);             /* takes NULL */
/* Blocks the signals in this thread and calls fn for each. Once per loop. */
int loop_signals(struct loop *l, const int *signos, int n, loop_signal_fn fn, void *arg);
int loop_run(struct loop *l);                       /* until loop_stop; returns its code */
void loop_stop(struct loop *l, int code);
uint64_t clock_ms(void);                            /* CLOCK_MONOTONIC */

#endif
