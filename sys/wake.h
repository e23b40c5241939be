/*
 * wake: wakes another thread from poll(2).
 *
 * One thread polls wake_fd for POLLIN and then calls wake_clear.  Any thread
 * may call wake_signal, which never blocks, and makes a system call only when
 * every earlier signal was cleared.  A signal carries no data: the waker changes
 * some state, then signals; the woken thread clears, then reads the state.
 */
#ifndef WAKE_H
#define WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

struct wake {
	int fd[2];		/* [I] to read and to write; the same for an eventfd */
	atomic_bool unseen;	/* [a] signalled since the last wake_clear */
};

int wake_init(struct wake *wake);	/* 0, or -1 with errno */
/* Before wake_init: no descriptor yet, and signals are lost. */
static inline void
wake_none(struct wake *wake)
{
	wake->fd[0] = wake->fd[1] = -1;
	atomic_init(&wake->unseen, false);
}

void wake_free(struct wake *wake);
void wake_signal(struct wake *wake);
void wake_clear(struct wake *wake);

static inline int
wake_fd(const struct wake *wake)
{
	return wake->fd[0];
}

#endif
