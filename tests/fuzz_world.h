/*
 * The world around the product in fuzz_handshake.c and fuzz_session.c: time,
 * locks, threads, messages, connections, standard input and output.  It stands
 * in for lock.c, log.c, net.c, wake.c and entropy.c, and by fuzz_calls.h for
 * the system; all else is the product's own code.
 *
 * Everything runs in one thread.  Time passes when the target says so, or when
 * somebody sleeps and nothing else happens.  A thread of the product is run by
 * the target as far as it goes: where it would wait on a condition or poll for
 * ever it ends, and begins anew when it is run again, so only those that keep
 * their state elsewhere can be run (tx.c's reader, rx.c's writer, worker.c's
 * two).  Where it would sleep for a time, or a write would block, the target's
 * `wait' is asked to let something else happen meanwhile.
 *
 * What is checked here, always: no lock is taken twice, dropped by whom it is
 * not held or held over input and output; no descriptor is used after it was
 * closed, or closed twice; nothing is sent after the end was announced.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/net.h"

#define WORLD_CONNS	160
#define WORLD_FIRST	100	/* descriptor of connection 0 */
#define WORLD_OUTPUT	90	/* standard output of a receiver */
#define WORLD_SOURCE	91	/* standard input of a sender */
#define WORLD_PIPES	2	/* those of a receiver's own: its staging pipe */
#define WORLD_PIPE	80	/* where the first is read; then where it is written */

/* A connection as the product's end sees it. */
struct world_conn {
	bool open;
	bool shut;		/* it has said its end */
	bool end;		/* the peer has, behind what is still to be read */
	int error;		/* what every call returns from now on, or 0 */
	uint8_t *in;		/* what comes in: size bytes, at to have of them wait */
	size_t size;
	size_t at;
	size_t have;
	size_t hold;		/* so many of them are not there yet */
	size_t piece;		/* most bytes of one call; 0 = no matter */
	size_t room;		/* bytes that can be sent */
	uint64_t sent;		/* bytes, in all */
	uint8_t said[384];	/* the first of them: its greetings */
};

struct world {
	uint64_t now_ns;
	unsigned held;		/* locks */
	bool no_entropy;
	bool no_thread;
	uint64_t random;
	unsigned conns;
	struct world_conn conn[WORLD_CONNS];
	size_t used;		/* of the bytes that connections keep */

	/* Standard output. */
	bool pipe;
	bool output_open;
	bool gone;		/* the reader is */
	int output_error;
	size_t output_room;
	size_t output_piece;
	int untaken;		/* bytes that the reader has not taken */
	bool writing;		/* somebody is in a write that may block */

	/* Standard input. */
	uint64_t source_at;
	uint64_t source_have;
	bool source_end;
	int source_error;

	/* What the target is asked and told; NULL = nothing happens. */
	/* Somebody sleeps: let something happen, or return false. */
	bool (*wait)(int ms);
	/* After each piece; world_at(fd)->sent counts it already. */
	void (*sent)(int fd, const uint8_t *bytes, size_t n);
	void (*written)(const uint8_t *bytes, size_t n);
	void (*read)(uint8_t *to, uint64_t at, size_t n);
	int (*accept)(void);
	int (*dial)(struct net_target *target);
};

extern struct world world;

/* Everything anew. */
void world_reset(void);
/* A connection with room for so many bytes on their way in; -1 if there is none left. */
int world_connect(size_t size);
struct world_conn *world_at(int fd);
/* The peer says n bytes; false if there is no room. */
bool world_push(int fd, const uint8_t *bytes, size_t n);
/* Run a thread of the product, by its name, as far as it goes, unless it has ended before. */
void world_run(const char *name);
/* Likewise; true: it came to its end. */
bool world_run_function(void *(*start)(void *), void *argument);

#endif
