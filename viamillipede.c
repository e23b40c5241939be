/*
 * viamillipede: one pipe over many TCP connections.
 *
 * What crosses the wire.  The sender (tx) makes several connections to the
 * receiver (rx), or the receiver (fetch) to the sender (offer): the legs of one
 * session.  Each begins with a HELLO, which names the session, the leg and its
 * incarnation, and a WELCOME, which names who listens (frame.h has the tables).
 * With a key each proves between these that it has it, and every frame carries
 * a MAC (auth.h).  Then the sender cuts the stream into
 * frames, each with the offset of its first octet, and gives every frame to
 * the first leg, in order of preference, that can take it now.  The receiver
 * says on each leg how far it has received there and how far it has delivered;
 * the sender sends nothing beyond what was delivered plus the window, and
 * keeps every octet until it is acknowledged.  Both sides speak at least once
 * a second on every leg.  When a leg dies, by a reset or by silence, what it
 * held is sent again on others and it is dialled anew with a higher
 * incarnation; its end of file means nothing to the stream.  The stream ends
 * with FIN, which says its length and digest; with DONE, which the receiver
 * says only after the consumer has taken everything and the output is closed;
 * and with BYE, after which the receiver need not remember it.  FAIL says, in
 * either direction and with a reason, that it will never be done.
 *
 * The life of one buffer.  At the sender the reader thread (tx.c) takes a chunk
 * of a megabyte from a pool, reads standard input into it and publishes what
 * it got in the window (window.c); if a leg is without work, it is woken.  The
 * leg's thread (worker.c, outflow.c) cuts a frame from the chunk and sends
 * header and payload in one call, straight from the chunk; a leg that dies
 * leaves the frame to be cut again.  At the receiver the leg's thread
 * (inflow.c) reads the header and asks for a way (order.c): if the frame is
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
 * This file has the main thread: descriptors, options, signals, exit status.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth.h"
#include "chaos.h"
#include "command.h"
#include "listener.h"
#include "log.h"
#include "monitor.h"
#include "net.h"
#include "options.h"
#include "rx.h"
#include "session.h"
#include "ssh.h"
#include "tunnel.h"
#include "tx.h"
#include "worker.h"

#ifndef VERSION
#define VERSION	"1.0"
#endif

/*
 * Descriptors 0 to 2 that were closed by our parent are filled with ones that
 * fail when they are used as what they are, so that no socket or file gets
 * their number.
 */
static int
fill_descriptors(void)
{
	static const int flags[3] = { O_WRONLY, O_RDONLY, O_RDWR };
	int fd;

	for (fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
			continue;
		if (open("/dev/null", flags[fd]) != fd)
			return -1;
	}
	return 0;
}

/* Standard output under a number of its own, so that closing it frees no number below 3. */
static int
take_output(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), null;

	if (fd == -1)
		return -1;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1 || dup2(null, STDOUT_FILENO) == -1)
		return -1;
	close(null);
	return fd;
}

/* Signals */

static sigset_t ours;	/* [I] before threads start */

/* What has no handler and would be ignored is lost while it is blocked. */
static void
never_run(int number)
{
	(void)number;
}

/* Those that ask, which a process that did not know them would die of. */
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

/* Those that end us, unless our parent chose that they should not. */
static void
block_ending(void)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa;
	size_t i;

	for (i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (sigaction(ending[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(&ours, ending[i]);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
}

/* Nothing is printed here: a signal that ends us never waits for one that asks. */
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
		} else if (number == SIGINT || number == SIGTERM || number == SIGHUP)
			session_signal(m->session, number);
		else
			monitor_ask(m);
	}
	return NULL;
}

/*
 * As if nobody had caught it, so that the parent sees what it was.  It is sent
 * to this thread: one for the process might go to the thread that waits for
 * signals.
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

static int
make_legs(struct session *s)
{
	unsigned i, legs = s->caller ? s->options->threads : FRAME_LEGS;

	for (i = 0; i < legs; i++) {
		s->leg[i] = worker_new(s, i);
		if (s->leg[i] == NULL) {
			log_line(LOG_ERROR, "cannot make leg %u: %s", i, strerror(errno));
			return -1;
		}
		s->legs = i + 1;
	}
	return 0;
}

/* The half that sends or receives. */
static int
make_half(struct session *s)
{
	int output;

	if (s->sender) {
		s->tx = tx_new(s, s->command != NULL ? command_stream(s->command) :
		    STDIN_FILENO, s->window, s->options->window_given, s->frame, s->checked);
		if (s->tx == NULL)
			log_line(LOG_ERROR, "cannot make the window: %s", strerror(errno));
		return s->tx != NULL ? 0 : -1;
	}
	output = s->command != NULL ? command_stream(s->command) : take_output();
	if (output == -1 || (s->rx = rx_new(s, output)) == NULL) {
		log_line(LOG_ERROR, "cannot take standard output: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static int
start_legs(struct session *s, struct listener *l)
{
	unsigned i;
	int error;

	if (!s->caller) {
		error = listener_start(l);
		return error == 0 ? 0 : start_thread_failed("the listener", error);
	}
	for (i = 0; i < s->legs; i++)
		if ((error = worker_start(s->leg[i])) != 0)
			return start_thread_failed("a leg", error);
	return 0;
}

static int
start(struct session *s, struct monitor *m, struct listener *l)
{
	int error;

	if (make_half(s) == -1 || make_legs(s) == -1 || (!s->caller && listener_open(l, s) == -1))
		return -1;
	if ((error = monitor_start(m)) != 0)
		return start_thread_failed("the monitor", error);
	if (s->sender && (error = tx_start(s->tx)) != 0)
		return start_thread_failed("the reader", error);
	if (!s->sender && (error = rx_start(s->rx)) != 0)
		return start_thread_failed("the writer", error);
	return start_legs(s, l);
}

/* It may come out of a pipe, late: nothing is begun yet, so signals just end us. */
static int
read_key(struct session *s)
{
	char why[256];
	int result;

	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
	result = auth_load(&s->auth, s->options->key, why, sizeof(why));
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	if (result == -1)
		log_line(LOG_ERROR, "key '%s' %s", s->options->key, why);
	return result;
}

/* The one that was made for this session alone. */
static void
take_key(struct session *s, struct ssh *ssh)
{
	char why[256];
	int result = auth_take(&s->auth, ssh->key, sizeof(ssh->key), why, sizeof(why));

	sha256_wipe(ssh->key, sizeof(ssh->key));
	assert(result == 0);
	(void)result;
}

/* What can be said to be wrong before anything is opened.  0, or -1 after saying it. */
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
	if ((s->chaos.kinds & CHAOS_CORRUPT) != 0 && s->sender && !o->checksum &&
	    !s->auth.given) {
		log_line(LOG_ERROR, "chaos '%s' corrupts, which needs checksum or key", o->chaos);
		return -1;
	}
	if (o->congestion[0] != '\0' && !net_congestion_known(o->congestion, names)) {
		log_line(LOG_ERROR, "congestion '%s' is not known here; these are: %s",
		    o->congestion, names);
		return -1;
	}
	if (s->sender && s->paths.count > s->paths.legs)
		log_line(LOG_LOSS, "%u paths for %u leg%s: a leg whose path does not answer tries the next",
		    s->paths.count, s->paths.legs, s->paths.legs == 1 ? "" : "s");
	if (s->chaos.every != 0)
		log_line(LOG_LOSS, "chaos: every %llu frames, seed %llu",
		    (unsigned long long)s->chaos.every, (unsigned long long)s->chaos.seed);
	return 0;
}

/*
 * The transfer is over, or never began: the command, which was told if it
 * failed, has its time to end.
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
 * The two sides of ssh: the near one passes on what the far one says, the far
 * one tells where it listens.
 */
static int
connect_ssh(struct ssh *ssh, const struct session *s, const struct listener *l)
{
	int error;

	if (s->options->served)
		return ssh_answer(ssh, s->options, l->net.name[0]);
	if (s->options->ssh_host[0] == '\0')
		return 0;
	error = ssh_listen(ssh, s->sender ? STDOUT_FILENO : STDERR_FILENO);
	return error == 0 ? 0 : start_thread_failed("the thread that listens to ssh", error);
}

/* Where there never was a session, there is nothing that the far side could still say. */
static void
end_ssh(struct session *s, struct ssh *ssh)
{
	bool never;

	if (s->ssh == NULL)
		return;
	lock_take(&s->lock);
	never = s->contact_ns == 0;
	lock_drop(&s->lock);
	if (never)
		ssh_hurry(ssh);
	ssh_end(ssh);
	tunnel_end();
}

/* All of it; the exit status.  s->signal is set if a signal is to end us. */
static int
transfer(struct session *s, struct ssh *ssh)
{
	static struct monitor monitor;
	static struct listener listener;
	pthread_t thread;
	int error;

	if (check_options(s) == -1)
		return EXIT_USAGE;
	if (s->options->command != NULL &&
	    (s->command = command_new(s->options->command, !s->sender)) == NULL) {
		log_line(LOG_ERROR, "cannot make a pipe to the command: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (monitor_open(&monitor, s, VERSION, s->sender ? STDIN_FILENO : STDOUT_FILENO) == -1)
		return EXIT_FAILED;
	if ((error = thread_start(&thread, "viamillipede-s", signals, &monitor)) != 0) {
		start_thread_failed("the signals' thread", error);
		return EXIT_FAILED;
	}
	thread_detach(thread);
	if (start(s, &monitor, &listener) == -1 || connect_ssh(ssh, s, &listener) == -1) {
		end_command(s, false);
		return EXIT_FAILED;
	}
	session_run(s);
	end_command(s, true);
	end_ssh(s, ssh);
	monitor_finish(&monitor);
	log_settle(true);
	lock_take(&s->lock);
	error = s->status;
	lock_drop(&s->lock);
	return error;
}

static int
run(const struct options *o, struct ssh *ssh)
{
	static struct session session;
	struct session *s = &session;
	int status;

	if (session_init(s, o) == -1) {
		log_line(LOG_ERROR, "cannot get random octets: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (o->ssh_host[0] != '\0' || o->served) {
		s->ssh = ssh;
		take_key(s, ssh);
	}
	status = transfer(s, ssh);
	/* Where it did not come to a session. */
	ssh_end(ssh);
	auth_close(&s->auth);
	lock_take(&s->lock);
	if (s->signal != 0 && s->verdict != VERDICT_DONE)
		end_by_signal(s->signal);
	lock_drop(&s->lock);
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

/* ssh may ask for a password meanwhile, and whoever does not know it gives up by a signal. */
static int
begin_ssh(struct ssh *ssh, struct options *options)
{
	char host[61];

	if (options->mode == OPTIONS_SERVE) {
		if (gethostname(host, sizeof(host)) == -1)
			snprintf(host, sizeof(host), "far side");
		host[sizeof(host) - 1] = '\0';
		log_from(host);
		return ssh_serve(ssh, options);
	}
	if (options->ssh_host[0] == '\0')
		return EXIT_DELIVERED;
	log_set(options->verbose);
	return ssh_begin(ssh, options);
}

int
main(int argc, char *argv[])
{
	static struct options options;
	static struct ssh ssh;
	char why[OPTIONS_WHY_SIZE];
	int status;

	if (fill_descriptors() == -1)
		return EXIT_FAILED;
	block_asking();
	if (options_parse(&options, argc, argv, why, sizeof(why)) == -1) {
		log_line(LOG_ERROR, "%s", why);
		return EXIT_USAGE;
	}
	if (options.mode == OPTIONS_HELP)
		return print_out(options_usage);
	if (options.mode == OPTIONS_VERSION)
		return print_out(print_version);
	status = begin_ssh(&ssh, &options);
	if (status != EXIT_DELIVERED)
		return status;
	block_ending();
	log_open();
	log_set(options.verbose);
	/* Threads may be in a read or a write that never ends: none is waited for. */
	exit(run(&options, &ssh));
}
