/*
 * viamillipede: one pipe over many TCP connections.
 *
 * What crosses the wire.  The sender (tx) makes several connections to the
 * receiver (rx), or the receiver (fetch) to the sender (offer): the legs of one
 * session.  Each begins with a HELLO, which names the session, the leg and its
 * incarnation, and a WELCOME, which names the listener (frame.h has the tables).
 * With a key the greetings are those of a handshake (handshake.h), and every frame is
 * encrypted and authenticated (crypto/channel.h).  Then the sender segments the stream
 * into frames, each with the offset of its first byte, and gives every frame to the
 * first leg, in order of preference, that can take it now.  The receiver acknowledges
 * on each leg how far it has received there and how far it has delivered; the sender
 * sends nothing beyond what was delivered plus the window, and keeps every byte until
 * it is acknowledged.  Both sides send about once a second on every leg, less on a thin
 * path.  When a leg dies, by a reset or by silence, what it had in flight is sent again
 * on others, and it is dialled again with a higher incarnation; the end of file of a leg
 * is never that of the stream.  The stream ends with FIN, which has its length and
 * digest; with DONE, which the receiver sends only after the consumer has taken
 * everything and the output is closed; and with BYE, after which the receiver may forget
 * the session.  FAIL, in
 * either direction and with a reason, says that the transfer has failed.
 *
 * The life of one buffer.  At the sender the reader thread (tx.c) takes a chunk
 * of a megabyte from a pool, reads standard input into it and publishes what
 * it got in the window (window.c); if a leg is without work, it is woken.  The
 * leg's thread (worker.c, outflow.c) takes a frame from the chunk and sends
 * header and payload in one call, straight from the chunk; if the leg dies, the
 * bytes are segmented again.  At the receiver the leg's thread
 * (inflow.c) reads the header and asks for a way (reassembly.c): if the frame is
 * next it gets the turn, and the payload moves from the socket to standard
 * output while it arrives; otherwise it is received into a buffer, which waits
 * among the stored pieces until the writer thread (rx.c) has written all that
 * lies before it.  When the consumer takes nothing, the rest of the frame goes
 * into a buffer too, so no leg is ever left unread, and credit stops the
 * sender.  The receiver's count comes back, the window moves, and the chunk
 * returns to the pool when all of it is acknowledged.  A full window makes the
 * reader wait, and with it the source.  End of file on standard input makes
 * the last frame shorter and adds FIN.
 *
 * Many connections (initiate, terminate).  They stand in the place of standard input and
 * output: one thread (mux.c) makes records of what their sockets give (core/record.h) and
 * writes them to the pipe that tx reads, and it takes apart what rx writes to another.  So
 * tx, rx and the legs carry two streams as ever, and core/streams.h has the books of those
 * in them: numbers, credit, half-close, reset, and whose turn it is.
 *
 * The threads.  None is joined: when the main thread has the exit status, it ends
 * the process.
 *
 *	thread		started by	waits for		ends
 *	main		the system	the session's `changed'	with the process
 *			(supervise.c)	or the next look
 *	signals, -s	main		a signal		with the process
 *	monitor, -m	main		the next look, or to	when it was asked to
 *			(monitor.c)	be asked		finish
 *	streams, -x	main (mux.c)	connections, tx and	with the process
 *					rx by their pipes
 *	reader, -r	main (tx.c)	the source; room in	at the source's end or
 *					the window; a receiver	error
 *	writer, -w	main (rx.c)	what it can write; the	when all is taken, or
 *					consumer		the half is stopped
 *	listener, -l	main		connections, greetings	when the session is over
 *	leg N, -N	main (caller),	its socket, the wake of	when the session is over
 *			listener	its leg, the consumer
 *			(worker.c)
 *	command, -c	the first leg,	the command's standard	when the command is gone
 *			or main		error, its end
 *	command, -e	thread -c	the command's end	when it has ended
 *	ssh, -f		main (ssh.c)	what the remote command	when that has ended
 *					prints
 *	ssh, -p		main (line.c)	ssh's pipes, their leg,	when ssh has ended
 *					what the command prints
 *	lookup, -n	a leg		the resolver		with its answer
 *			(lookup.c), or
 *			streams (target.c)
 *
 * The locks.  Who holds one may take those below it in its branch and no other;
 * none is held while something is logged, read, written or waited for, but by the
 * conditions that belong to it.
 *
 *	session			session.h, by session_lock
 *		tx		tx.c: the window and the legs' shares
 *		rx		rx.c: reassembly and its buffers
 *		fork		child.c: a leg's thread gets its wake-up pipe
 *	tunnel			tunnel.c: which processes of ssh run
 *		fork		child.c: nobody forks between a descriptor and its
 *				close-on-exec
 *	command, key, events, monitor, lookup (one for each), target, line, log and the
 *	log's limits		each by itself
 *
 * tx and rx call their owner (half.h), and a command those who watch it, with no
 * lock held.
 *
 * This file has the main thread: descriptors, options, signals, exit status.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos.h"
#include "command.h"
#include "greeting.h"
#include "leg.h"
#include "listener.h"
#include "mux.h"
#include "options.h"
#include "report/monitor.h"
#include "rx.h"
#include "outcome.h"
#include "session.h"
#include "ssh/millipedesh.h"
#include "ssh/ssh.h"
#include "ssh/tunnel.h"
#include "sys/guardian.h"
#include "sys/log.h"
#include "sys/net.h"
#include "supervise.h"
#include "sys/thread.h"
#include "tx.h"
#include "worker.h"

#ifndef VERSION
#define VERSION	"1.0"
#endif

#define DIAL_SPARE	6	/* descriptors */
#define NAME_VARIABLE	"VIAMILLIPEDE_NAME"

/* Makes descriptor fd /dev/null; if that is missing, one end of a pipe whose other is closed. */
static int
lead_nowhere(int fd, int flags)
{
	int null = open("/dev/null", flags), ends[2], other = -1;

	if (null == -1) {
		if (pipe(ends) == -1)
			return -1;
		null = ends[flags != O_RDONLY];
		other = ends[flags == O_RDONLY];
	}
	if (null != fd) {
		if (dup2(null, fd) == -1)
			return -1;
		close(null);
	}
	if (other != -1 && other != fd)
		close(other);
	return 0;
}

/*
 * Fills those of the descriptors 0 to 2 that our parent closed, so that no socket or
 * file gets their number.  Reading from or writing to them fails, as if they were closed.
 */
static int
fill_descriptors(void)
{
	static const int flags[3] = { O_WRONLY, O_RDONLY, O_RDWR };
	int fd;

	for (fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
			continue;
		if (lead_nowhere(fd, flags[fd]) == -1)
			return -1;
	}
	return 0;
}

/* Moves standard output to another number, so that closing it frees no number below 3. */
static int
take_output(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD, 3);

	if (fd == -1 || net_close_on_exec(fd) == -1 ||
	    lead_nowhere(STDOUT_FILENO, O_RDWR) == -1)
		return -1;
	return fd;
}

/* Signals */

static sigset_t ours;	/* [I] before threads start */

/* A handler that never runs: a signal that would be ignored is not kept while blocked. */
static void
never_run(int number)
{
	(void)number;
}

/* Blocks the signals that ask for something: without that, they would kill the process. */
static void
block_asking(void)
{
	static const int asking[] = {
#ifdef SIGINFO
		SIGINFO,
#endif
		SIGUSR1, SIGUSR2
	};
	size_t i;

	sigemptyset(&ours);
	for (i = 0; i < sizeof(asking) / sizeof(asking[0]); i++)
		sigaddset(&ours, asking[i]);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	for (i = 0; i < sizeof(asking) / sizeof(asking[0]); i++)
		signal(asking[i], never_run);
	signal(SIGPIPE, SIG_IGN);
}

/* Blocks the signals that end us, except those that our parent ignores. */
static void
block_ending(void)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa;
	size_t i;

	for (i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (sigaction(ending[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(&ours, ending[i]);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
}

/* The thread for signals.  It prints nothing, so a signal that ends us never waits. */
static void *
signals(void *argument)
{
	struct monitor *m = argument;
	int number;

	for (;;) {
		if (sigwait(&ours, &number) != 0)
			continue;
		if (number == SIGUSR2) {
			log_raise();
			monitor_raised(m);
		} else if (number == SIGINT || number == SIGTERM || number == SIGHUP ||
		    number == SIGQUIT)
			outcome_signal(m->session, number);
		else
			monitor_ask(m);
	}
	return NULL;
}

/*
 * Ends this process by the signal, so that the parent sees which it was.  The signal is
 * sent to this thread: one sent to the process might go to the thread for signals.
 */
static void
end_by_signal(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
}

/* Start */

static int
start_thread_failed(const char *what, int error)
{
	log_line(LOG_ERROR, "cannot start %s: %s", what, strerror(error));
	return -1;
}

/* The number of legs that are possible: at least one is needed; logs if they are fewer. */
static int
legs_are(const struct session *s, unsigned legs, unsigned wanted, const char *why)
{
	if (legs == 0)
		log_line(LOG_ERROR, "cannot make a leg: %s", why);
	else if (legs < wanted && s->caller)
		log_line(LOG_LOSS, "only %u of %u legs are possible: %s", legs, wanted, why);
	return legs == 0 ? -1 : 0;
}

/* Each of a caller's legs needs two descriptors, and a dial a few more. */
static unsigned
legs_possible(unsigned wanted)
{
	unsigned free = net_descriptors();

	free = free > DIAL_SPARE + 2 ? (free - DIAL_SPARE) / 2 : 1;
	return free < wanted ? free : wanted;
}

/*
 * With ssh: one more leg, for the connection of ssh itself; its HELLO goes out with the
 * orders, so that the answer to it comes with theirs.  An exit status.
 */
static int
make_piped(struct session *s)
{
	struct leg *leg = leg_new(s, LEG_PIPED);
	int error;

	if (leg == NULL || (leg->fd = line_call(&s->ssh->line)) == -1) {
		log_line(LOG_ERROR, "cannot make a leg: %s", strerror(errno));
		return EXIT_UNBEGUN;
	}
	error = greeting_say(leg);
	if (error != 0) {
		log_line(LOG_ERROR, "cannot make a leg: %s", strerror(error));
		return EXIT_UNBEGUN;
	}
	s->leg[LEG_PIPED] = leg;
	return EXIT_DELIVERED;
}

/* It was made before the halves. */
static void
add_piped(struct session *s)
{
	struct leg *leg = s->leg[LEG_PIPED];

	leg->tx = s->tx;
	leg->rx = s->rx;
	s->leg[LEG_PIPED] = NULL;
	s->leg[s->legs++] = leg;
}

static int
make_legs(struct session *s)
{
	unsigned i, wanted = s->caller ? s->options->legs : FRAME_LEGS;
	unsigned legs = s->caller ? legs_possible(wanted) : wanted;
	int error = EMFILE;

	for (i = 0; i < legs; i++) {
		s->leg[i] = leg_new(s, i);
		if (s->leg[i] == NULL) {
			error = errno;
			break;
		}
		s->legs = i + 1;
	}
	if (legs_are(s, s->legs, wanted, strerror(error)) == -1)
		return -1;
	if (s->options->line != 0)
		add_piped(s);
	return 0;
}

static struct tx *
make_tx(struct session *s, const struct half_owner *owner)
{
	/* Where the command is the consumer, too, how it ends is the receiving half's matter. */
	struct tx_setup setup = {
		.owner = *owner, .command = s->receives ? NULL : s->command,
		.fd = s->mux != NULL ? mux_source(s->mux) :
		    s->command != NULL ? command_output(s->command) : STDIN_FILENO,
		.prompt = s->mux != NULL,
		.window = s->direction.window, .all = s->options->window_given,
		.frame = s->direction.frame,
		.digest = s->direction.checked, .legs = s->caller ? s->paths.legs : FRAME_LEGS,
		.options = s->options
	};

	return tx_new(&setup);
}

/* Standard input and output are the same, a socket: closing one does not end the other. */
static bool
one_socket(int output)
{
	struct stat in, out;

	return fstat(STDIN_FILENO, &in) == 0 && S_ISSOCK(in.st_mode) &&
	    fstat(output, &out) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static struct rx *
make_rx(struct session *s, const struct half_owner *owner)
{
	int output = s->mux != NULL ? mux_sink(s->mux) :
	    s->command != NULL ? command_input(s->command) : take_output();
	struct rx *rx;

	if (output == -1)
		return NULL;
	rx = rx_new(owner, s->command, output);
	if (rx != NULL && s->sends && s->mux == NULL && s->command == NULL && one_socket(output))
		rx_shuts(rx);
	if (rx != NULL && s->options->runs && s->command != NULL) {
		rx_lenient(rx);
		command_hangs_up(s->command);
	} else if (rx != NULL && s->options->runs)
		rx_unwatched(rx);
	return rx;
}

/* The half that sends, the one that receives, or both. */
static int
make_halves(struct session *s)
{
	struct half_owner owner;
	struct tx *tx = NULL;
	struct rx *rx = NULL;

	outcome_of_halves(s, &owner);
	if (options_streams(s->options) && (s->mux = mux_new(&owner, s->options)) == NULL)
		return -1;
	if (s->sends && (tx = make_tx(s, &owner)) == NULL) {
		log_line(LOG_ERROR, errno == EPROTOTYPE ?
		    "cannot read standard input: datagrams have no end" :
		    "cannot make the window: %s", strerror(errno));
		return -1;
	}
	if (s->receives && (rx = make_rx(s, &owner)) == NULL) {
		log_line(LOG_ERROR, "cannot take standard output: %s", strerror(errno));
		return -1;
	}
	/* The thread for signals runs already. */
	session_lock(s);
	s->tx = tx;
	s->rx = rx;
	session_unlock(s);
	return 0;
}

/* The caller's other legs: as many as there can be. */
static void
start_more_legs(struct session *s)
{
	unsigned i = 1, all = s->options->line != 0 ? s->legs - 1 : s->legs;
	int error = 0;

	while (i < all && (error = worker_start(s->leg[i])) == 0)
		i++;
	session_has_legs(s, i);
	legs_are(s, i, all, strerror(error));
}

/* 0, or an errno, and *what could not be started. */
static int
start_rest(struct session *s, struct monitor *m, struct listener *l, const char **what)
{
	int error = s->sends ? tx_start(s->tx) : 0;

	*what = "the reader";
	if (error == 0 && s->receives) {
		*what = "the writer";
		error = rx_start(s->rx);
	}
	if (error == 0 && s->mux != NULL) {
		*what = "the thread of the streams";
		error = mux_start(s->mux, s->tx);
	}
	/* A sender that listens starts its command only when a caller has come. */
	if (error == 0 && !s->receives && s->command != NULL && s->caller &&
	    s->options->ssh_host[0] == '\0')
		command_start(s->command);
	if (error == 0) {
		*what = "the monitor";
		error = monitor_start(m);
	}
	if (error == 0 && !s->caller) {
		*what = "the listener";
		error = listener_start(l);
	}
	return error;
}

/*
 * A caller starts a leg first, so that its peer is told if the rest cannot be started;
 * with ssh the piped one before it, as that has its connection already.
 */
static int
start_first_legs(struct session *s)
{
	int error = 0;

	if (s->options->line != 0)
		error = worker_start(s->leg[s->legs - 1]);
	return error != 0 ? error : worker_start(s->leg[0]);
}

static int
start(struct session *s, struct monitor *m, struct listener *l)
{
	const char *what;
	int error;

	if (make_halves(s) == -1 || make_legs(s) == -1 || (!s->caller && listener_open(l, s) == -1))
		return -1;
	if (s->caller && (error = start_first_legs(s)) != 0)
		return start_thread_failed("a leg", error);
	error = start_rest(s, m, l, &what);
	if (error != 0 && !s->caller)
		return start_thread_failed(what, error);
	if (error != 0)
		outcome_fail(s, FAIL_RESOURCE, "cannot start %s: %s", what, strerror(error));
	else if (s->caller)
		start_more_legs(s);
	return 0;
}

/* Reading the key may block, from a pipe; nothing has begun yet, so signals just end us. */
static int
read_key(struct session *s)
{
	char why[256];
	int result;

	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
	result = key_load(&s->key, s->options->key, why, sizeof(why));
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	if (result == -1)
		log_line(LOG_ERROR, "key '%s' %s", s->options->key, why);
	return result;
}

/* Takes the key that ssh_begin or the orders made for this session alone. */
static void
take_key(struct session *s, struct ssh *ssh)
{
	char why[256];
	int result = key_take(&s->key, ssh->key, sizeof(ssh->key), why, sizeof(why));

	sha256_wipe(ssh->key, sizeof(ssh->key));
	assert(result == 0);
	(void)result;
}

static bool
is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	    strcmp(host, "localhost") == 0;
}

/* The stream crosses a network in clear: tells the user, if one may be there to read it. */
static void
tell_clear(const struct session *s)
{
	const struct options *o = s->options;
	unsigned i = 0;

	if (s->key.given || isatty(STDERR_FILENO) != 1)
		return;
	while (s->caller && i < o->npaths && is_loopback(o->paths[i].host))
		i++;
	if (s->caller ? i < o->npaths : !is_loopback(o->bind))
		log_line(LOG_LOSS, "not encrypted, not authenticated: see key");
}

/* Checks what can be checked before anything is opened.  0, or -1 after logging it. */
static int
check_options(struct session *s)
{
	char why[OPTIONS_WHY_SIZE], names[NET_WHY];
	const struct options *o = s->options;

	if (o->key[0] != '\0' && read_key(s) == -1)
		return -1;
	if (o->chaos[0] != '\0' && chaos_parse(o->chaos, &s->chaos, why, sizeof(why)) == -1) {
		log_line(LOG_ERROR, "%s", why);
		return -1;
	}
	if ((s->chaos.kinds & CHAOS_CORRUPT) != 0 && s->sends && !o->checksum &&
	    !s->key.given) {
		log_line(LOG_ERROR, "chaos '%s' corrupts, which needs checksum or key", o->chaos);
		return -1;
	}
	if (options_congestion(o)[0] != '\0' && !net_congestion_known(o->congestion, names)) {
		log_line(LOG_ERROR, "congestion '%s' is not known here; these are: %s",
		    o->congestion, names);
		return -1;
	}
	if (s->sends && s->paths.count > s->paths.legs)
		log_line(LOG_LOSS,
		    "%u paths for %u leg%s: a leg whose path does not answer tries the next",
		    s->paths.count, s->paths.legs, s->paths.legs == 1 ? "" : "s");
	if (s->chaos.every != 0)
		log_line(LOG_LOSS, "chaos: every %llu frames, seed %llu",
		    (unsigned long long)s->chaos.every, (unsigned long long)s->chaos.seed);
	tell_clear(s);
	return 0;
}

/*
 * The transfer is over, or never began: waits for the command to end; if the transfer
 * failed, the command was stopped.
 */
static void
end_command(struct session *s, bool began)
{
	if (s->command == NULL)
		return;
	if (!began)
		command_stop(s->command);
	command_finish(s->command);
}

/*
 * With ssh: the local side passes on the remote side's output, the remote side answers
 * where it listens.
 */
static int
connect_ssh(struct ssh *ssh, const struct session *s, const struct listener *l)
{
	int error;

	if (s->options->served)
		return ssh_answer(ssh, s->options, l->net.name[0]);
	if (s->options->ssh_host[0] == '\0')
		return 0;
	error = ssh_listen(ssh, s->receives ? STDERR_FILENO : STDOUT_FILENO);
	return error == 0 ? 0 : start_thread_failed("the thread that listens to ssh", error);
}

/* If there never was a session, the remote side has no output to wait for. */
static void
end_ssh(struct session *s, struct ssh *ssh)
{
	bool never;

	if (s->ssh == NULL)
		return;
	session_lock(s);
	never = s->contact_ns == 0;
	session_unlock(s);
	if (never)
		ssh_hurry(ssh);
	ssh_end(ssh);
	tunnel_end();
}

static int
init(struct session *s, const struct options *o, struct ssh *ssh)
{
	if (session_init(s, o) == -1) {
		log_line(LOG_ERROR, "cannot get random bytes: %s", strerror(errno));
		return -1;
	}
	if (o->ssh_host[0] != '\0' || o->served) {
		s->ssh = ssh;
		take_key(s, ssh);
	}
	return 0;
}

/* The whole transfer; returns the exit status.  s->signal is set if a signal must end us. */
static int
transfer(struct session *s, struct ssh *ssh)
{
	static struct monitor monitor;
	static struct listener listener;
	int error;

	if (check_options(s) == -1)
		return EXIT_USAGE;
	if (s->options->command != NULL &&
	    (s->command = command_new(s->options->command, session_text(s), s->sends,
	    s->receives)) == NULL) {
		log_line(LOG_ERROR, "cannot make a pipe to the command: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (monitor_open(&monitor, s, VERSION, s->receives ? STDOUT_FILENO : STDIN_FILENO) == -1)
		return EXIT_FAILED;
	if ((error = thread_start_detached("viamillipede-s", signals, &monitor)) != 0) {
		start_thread_failed("the signals' thread", error);
		return EXIT_FAILED;
	}
	if (start(s, &monitor, &listener) == -1 || connect_ssh(ssh, s, &listener) == -1) {
		end_command(s, false);
		return EXIT_FAILED;
	}
	supervise(s);
	end_command(s, true);
	end_ssh(s, ssh);
	if (s->mux != NULL)
		mux_end(s->mux);
	monitor_finish(&monitor);
	log_settle(true);
	session_lock(s);
	error = s->status;
	session_unlock(s);
	return error;
}

static int
run(struct session *s, const struct options *o, struct ssh *ssh)
{
	int status;

	if (o->line != 0)
		session_begin(s);
	else if (init(s, o, ssh) == -1)
		return EXIT_FAILED;
	/* For the command of exec or source, before there are threads. */
	if ((o->name[0] != '\0' ? setenv(NAME_VARIABLE, o->name, 1) :
	    unsetenv(NAME_VARIABLE)) == -1) {
		log_line(LOG_ERROR, "cannot set %s: %s", NAME_VARIABLE, strerror(errno));
		return EXIT_FAILED;
	}
	status = transfer(s, ssh);
	/* With ssh nothing of standard input was read, as there never was a session. */
	if (status == EXIT_FAILED && o->ssh_host[0] != '\0' && !s->bound)
		status = EXIT_UNBEGUN;
	/* Where it did not come to a session. */
	ssh_end(ssh);
	guardian_end();
	key_close(&s->key);
	session_lock(s);
	if (s->signal != 0 && s->direction.outcome != OUTCOME_DONE)
		end_by_signal(s->signal);
	session_unlock(s);
	return status;
}

static int
print_out(void (*print)(FILE *))
{
	print(stdout);
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? EXIT_DELIVERED : EXIT_FAILED;
}

static void
print_version(FILE *f)
{
	fprintf(f, "viamillipede %s\n", VERSION);
}

static int
print_key(void)
{
	if (key_print(stdout) == 0)
		return EXIT_DELIVERED;
	log_line(LOG_ERROR, "cannot print a key: %s", strerror(errno));
	return EXIT_FAILED;
}

/* Signals are not blocked here: ssh may ask for a password, and the user may press Ctrl-C. */
static int
begin_ssh(struct session *s, struct ssh *ssh, struct options *options)
{
	char host[61];
	int status;

	if (options->mode == OPTIONS_SERVE) {
		if (gethostname(host, sizeof(host)) == -1)
			snprintf(host, sizeof(host), "remote side");
		host[sizeof(host) - 1] = '\0';
		log_from(host);
		return ssh_serve(ssh, options);
	}
	if (options->ssh_host[0] == '\0')
		return EXIT_DELIVERED;
	log_set((int)options->verbose);
	status = ssh_prepare(ssh, options);
	if (status == EXIT_DELIVERED && init(s, options, ssh) == -1)
		status = EXIT_UNBEGUN;
	if (status == EXIT_DELIVERED)
		status = make_piped(s);
	return status == EXIT_DELIVERED ? ssh_begin(ssh, options) : status;
}

int
main(int argc, char *argv[])
{
	static struct options options;
	static struct session session;
	static struct millipedesh shell;
	static struct ssh ssh;
	char why[OPTIONS_WHY_SIZE];
	const char *left;
	bool called;
	int status;

	if (fill_descriptors() == -1)
		return EXIT_FAILED;
	called = argc > 0 && millipedesh_called(argv[0]);
	if (called && !millipedesh_words(&shell, argc, argv, &left))
		return millipedesh_leave(&shell, left);
	block_asking();
	if (options_parse(&options, called ? shell.words : argc, called ? shell.word : argv, why,
	    sizeof(why)) == -1) {
		log_line(LOG_ERROR, "%s", why);
		return called ? EXIT_RUN : EXIT_USAGE;
	}
	options.yields = called;
	if (options.mode == OPTIONS_HELP)
		return print_out(options_usage);
	if (options.mode == OPTIONS_VERSION)
		return print_out(print_version);
	if (options.mode == OPTIONS_KEY)
		return print_key();
	/* With a command the stream does not go to our standard output.  run is as ssh. */
	if (!options.runs)
		log_avoid_stream(options.command == NULL && !options_streams(&options) &&
		    (options.mode == OPTIONS_RX || options.mode == OPTIONS_DUPLEX));
	/* Before there is anything that the guardian must not inherit. */
	if ((options.command != NULL || options.mode == OPTIONS_SERVE) &&
	    guardian_start() == -1) {
		log_line(LOG_ERROR, "cannot start the guardian of the command: %s",
		    strerror(errno));
		return EXIT_FAILED;
	}
	status = begin_ssh(&session, &ssh, &options);
	if (status != EXIT_DELIVERED && called && ssh.absent)
		return millipedesh_leave(&shell, "it has no viamillipede of this version");
	if (status != EXIT_DELIVERED)
		return options.runs ? EXIT_RUN : status;
	block_ending();
	log_open();
	log_set((int)options.verbose);
	status = run(&session, &options, &ssh);
	/* As ssh does: the command's own, or one that says that there is none. */
	if (options.runs)
		status = status == EXIT_DELIVERED ? session.command_status : EXIT_RUN;
	/* Threads may be in a read or a write that never ends, so none is joined. */
	exit(status);
}
