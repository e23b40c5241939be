/*
 * wake: a way to end another thread's poll(2).
 *
 * One thread polls wake_fd for POLLIN and then calls wake_clear; any thread
 * may call wake_signal, which never blocks and costs a system call only when
 * no earlier signal is still unseen.  What the signal means lies in state that
 * was changed before it: the waker changes the state, then signals; the woken
 * thread clears, then looks at the state.
 */
#ifndef WAKE_H
#define WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

struct wake {
	int fd[2];		/* [I] fd[1] is fd[0] where one descriptor does */
	atomic_bool unseen;	/* [a] signalled since the last wake_clear */
};

int wake_init(struct wake *wake);	/* 0, or -1 with errno */
void wake_free(struct wake *wake);
void wake_signal(struct wake *wake);
void wake_clear(struct wake *wake);

static inline int
wake_fd(const struct wake *wake)
{
	return wake->fd[0];
}

#endif
