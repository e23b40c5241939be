/*
 * millipedesh: ssh's command line.  See millipedesh.h; runs in the main thread.
 */
#include "ssh/millipedesh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "ssh/bootstrap.h"
#include "sys/log.h"

/* As ssh(1) of OpenSSH 9 has them; those with an argument have a colon. */
#define LETTERS	"1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:PQ:R:S:TVw:W:XYy"
/* Of these what ssh does is not a command's input and output; of the last nobody is told. */
#define LEFT	"tfNMAXYLRDWOwGVQ"
#define ASKED	"GVQOM"
#define DAY	86400

/* Where sftp's server is; which of them is known to sshd there alone. */
#define SFTP	"for s in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh " \
	"/usr/libexec /usr/local/libexec /usr/lib; do test -x $s/sftp-server && " \
	"exec $s/sftp-server; done; echo no sftp-server >&2; exit 127"

bool
millipedesh_called(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash != NULL ? slash + 1 : name;
	return strcmp(name, "millipedesh") == 0 || strcmp(name, "ssh") == 0;
}

/* The real ssh */

/* The first program of this name in PATH that is not `other'; its path is in `to'. */
static bool
find(const char *name, const struct stat *other, char *to, size_t size)
{
	const char *path = getenv("PATH"), *end;
	struct stat st;

	if (path == NULL)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (; *path != '\0'; path = *end != '\0' ? end + 1 : end) {
		end = path + strcspn(path, ":");
		if (snprintf(to, size, "%.*s/%s", (int)(end - path), path, name) < (int)size &&
		    access(to, X_OK) == 0 && stat(to, &st) == 0 && S_ISREG(st.st_mode) &&
		    (other == NULL || st.st_dev != other->st_dev || st.st_ino != other->st_ino))
			return true;
	}
	to[0] = '\0';
	return false;
}

/* The real one: a link to this program would call itself without end. */
static bool
find_ssh(struct millipedesh *m)
{
	const char *named = getenv("MILLIPEDESH_SSH"), *name = m->argv[0];
	char path[sizeof(m->ssh)];
	struct stat us;

	if (named != NULL && named[0] != '\0')
		return snprintf(m->ssh, sizeof(m->ssh), "%s", named) < (int)sizeof(m->ssh);
	if (stat("/proc/self/exe", &us) == -1 &&
	    ((strchr(name, '/') == NULL && !find(name, NULL, path, sizeof(path))) ||
	    stat(strchr(name, '/') == NULL ? path : name, &us) == -1))
		return false;
	return find("ssh", &us, m->ssh, sizeof(m->ssh));
}

/* Was this told to this user, for this host, within a day?  It is from now on. */
static bool
told_today(const char *host)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char name[1024];
	struct stat st;
	size_t n;
	int fd;

	if (cache != NULL && cache[0] != '\0')
		n = (size_t)snprintf(name, sizeof(name) - 300, "%s", cache);
	else if (home != NULL && home[0] != '\0')
		n = (size_t)snprintf(name, sizeof(name) - 300, "%s/.cache", home);
	else
		return false;
	if (n >= sizeof(name) - 300)
		return false;
	mkdir(name, 0700);
	n += (size_t)snprintf(name + n, sizeof(name) - n, "/viamillipede");
	mkdir(name, 0700);
	n += (size_t)snprintf(name + n, sizeof(name) - n, "/");
	snprintf(name + n, sizeof(name) - n, "%.250s", host);
	for (; name[n] != '\0'; n++)
		if (name[n] == '/')
			name[n] = '_';
	if (stat(name, &st) == 0 && st.st_mtime + DAY > time(NULL))
		return true;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd != -1) {
		/* A file of no bytes that is cut keeps its time on some systems. */
		if (write(fd, "\n", 1) == -1)
			n = 0;
		close(fd);
	}
	return false;
}

int
millipedesh_leave(struct millipedesh *m, const char *why)
{
	const char *host = m->host != NULL ? m->host : "ssh";
	sigset_t none;

	if (m->ssh[0] == '\0') {
		log_line(LOG_ERROR, "no ssh in PATH but this program; say where it is with "
		    "MILLIPEDESH_SSH");
		return EXIT_RUN;
	}
	if (why[0] != '\0' && !told_today(host))
		log_line(LOG_ERROR, "%s: %s; ssh does it alone (said once a day)", host, why);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(m->ssh, m->argv);
	log_line(LOG_ERROR, "cannot run %s: %s", m->ssh, strerror(errno));
	return EXIT_RUN;
}

/* ssh's command line */

/* What was found on it. */
struct found {
	const char *host;		/* NULL: none */
	int command;			/* index of its first word; argc = there is none */
	bool subsystem;			/* -s */
	bool nothing;			/* -n: nothing is read */
	const char *left;		/* why it is for the real ssh, or NULL */
};

/* Adds a word to the line that runs ssh.  false: no room. */
static bool
add(struct millipedesh *m, const char *text)
{
	size_t n = strlen(m->line);

	if (n > 0 && n + 1 < sizeof(m->line)) {
		m->line[n++] = ' ';
		m->line[n] = '\0';
	}
	return bootstrap_quote(text, m->line + n, sizeof(m->line) - n) == 0;
}

static bool
is_no(const char *value)
{
	return strcasecmp(value, "no") == 0 || strcasecmp(value, "none") == 0 ||
	    strcasecmp(value, "false") == 0 || strcasecmp(value, "auto") == 0;
}

/* Does this -o make of it what cannot be carried? */
static bool
turns(const char *option)
{
	static const char *const key[] = {
		"RequestTTY", "RemoteCommand", "ForwardAgent", "ForwardX11", "LocalForward",
		"RemoteForward", "DynamicForward", "SessionType", "StdinNull",
		"ForkAfterAuthentication", "Tunnel", "StdioForward"
	};
	size_t n = strcspn(option, "= \t"), i;

	for (i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		if (strlen(key[i]) == n && strncasecmp(option, key[i], n) == 0)
			return !is_no(option + n + strspn(option + n, "= \t"));
	return false;
}

static void
leave(struct found *f, const char *why)
{
	if (f->left == NULL)
		f->left = why;
}

/* One letter; `argument' is NULL if it has none. */
static void
take_letter(struct millipedesh *m, struct found *f, char letter, const char *argument)
{
	char option[3] = { '-', letter, '\0' };

	if (strchr(LEFT, letter) != NULL)
		leave(f, strchr(ASKED, letter) != NULL ? "" : "what was asked for is not carried");
	else if (letter == 'o' && argument != NULL && turns(argument))
		leave(f, "what was asked for is not carried");
	else if (letter == 's')
		f->subsystem = true;
	else if (letter == 'n')
		f->nothing = true;
	else if (!add(m, option) || (argument != NULL && !add(m, argument)))
		leave(f, "its command line is too long");
}

/*
 * The letters of one argument, as getopt reads them.  How many arguments it took; 0: it is
 * wrong, as ssh will say.
 */
static int
take_letters(struct millipedesh *m, struct found *f, char *const argv[], int at)
{
	const char *p, *known;

	for (p = argv[at] + 1; *p != '\0'; p++) {
		known = *p != ':' ? strchr(LETTERS, *p) : NULL;
		if (known == NULL)
			return 0;
		if (known[1] != ':') {
			take_letter(m, f, *p, NULL);
			continue;
		}
		if (p[1] != '\0') {
			take_letter(m, f, *p, p + 1);
			return 1;
		}
		if (argv[at + 1] == NULL)
			return 0;
		take_letter(m, f, *p, argv[at + 1]);
		return 2;
	}
	return 1;
}

/* Options, the host, options again, and then the command. */
static void
take_all(struct millipedesh *m, struct found *f, int argc, char *const argv[])
{
	int i = 1, taken;

	memset(f, 0, sizeof(*f));
	while (i < argc) {
		taken = 1;
		if (strcmp(argv[i], "--") == 0) {
			i++;
			if (f->host != NULL || i == argc)
				break;
			f->host = argv[i];
		} else if (argv[i][0] == '-' && argv[i][1] != '\0')
			taken = take_letters(m, f, argv, i);
		else if (f->host == NULL)
			f->host = argv[i];
		else
			break;
		if (taken == 0) {
			f->left = "";
			break;
		}
		i += taken;
	}
	f->command = i;
}

/* The words of the command with a blank between them, as ssh sends them. */
static char *
join(int argc, char *const argv[], int from)
{
	size_t n = 1;
	char *text;
	int i;

	for (i = from; i < argc; i++)
		n += strlen(argv[i]) + 1;
	if ((text = malloc(n)) == NULL)
		return NULL;
	text[0] = '\0';
	for (n = 0, i = from; i < argc; i++)
		n += (size_t)sprintf(text + n, "%s%s", i > from ? " " : "", argv[i]);
	return text;
}

/* The user's login shell runs it there, as sshd would have it. */
static char *
for_shell(const char *command)
{
	static const char begin[] = "exec \"${SHELL:-/bin/sh}\" -c ";
	size_t size = sizeof(begin) + 4 * strlen(command) + 16;
	char *text = malloc(size);

	if (text == NULL)
		return NULL;
	memcpy(text, begin, sizeof(begin));
	if (bootstrap_quote(command, text + sizeof(begin) - 1, size - sizeof(begin)) == 0)
		return text;
	free(text);
	return NULL;
}

static bool
add_word(struct millipedesh *m, const char *word)
{
	if (m->words == MILLIPEDESH_WORDS - 1)
		return false;
	m->word[m->words++] = (char *)(uintptr_t)word;
	m->word[m->words] = NULL;
	return true;
}

/* The user's own words; ssh is silent, and so is this unless they say otherwise. */
static bool
add_options(struct millipedesh *m)
{
	const char *given = getenv("MILLIPEDESH_OPTIONS");
	bool verbose = false, room = true;
	char *word, *rest;

	m->options = strdup(given != NULL ? given : "");
	if (m->options == NULL)
		return false;
	for (word = strtok_r(m->options, " \t\n", &rest); word != NULL && room;
	    word = strtok_r(NULL, " \t\n", &rest)) {
		verbose = verbose || strcmp(word, "verbose") == 0;
		room = add_word(m, word);
	}
	return room && (verbose || (add_word(m, "verbose") && add_word(m, "0")));
}

bool
millipedesh_words(struct millipedesh *m, int argc, char *const argv[], const char **why)
{
	struct found f;
	char *command = NULL;

	memset(m, 0, sizeof(*m));
	m->argv = argv;
	*why = "";
	if (!find_ssh(m) || !add(m, m->ssh))
		return false;
	take_all(m, &f, argc, argv);
	m->host = f.host;
	*why = f.left;
	if (f.left != NULL)
		return false;
	*why = "";
	if (f.host == NULL || strncmp(f.host, "ssh://", 6) == 0)
		return false;
	if (f.subsystem) {
		if (f.command != argc - 1 || strcmp(argv[f.command], "sftp") != 0)
			return false;
		m->command = strdup(SFTP);
	} else {
		*why = "a login without a command is not carried";
		command = join(argc, argv, f.command);
		if (command == NULL || command[0] == '\0') {
			free(command);
			return false;
		}
		m->command = for_shell(command);
		free(command);
		*why = "";
	}
	if (f.nothing && freopen("/dev/null", "r", stdin) == NULL)
		return false;
	return m->command != NULL && add_word(m, "viamillipede") && add_word(m, "ssh") &&
	    add_word(m, f.host) && add_word(m, "run") && add_word(m, m->command) &&
	    add_word(m, "ssh-command") && add_word(m, m->line) && add_options(m);
}
