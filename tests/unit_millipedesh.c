/*
 * ssh's command line as millipedesh reads it: what is carried, with which words, and what
 * is left to the real ssh, and why.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../ssh/millipedesh.h"
#include "check.h"

#define MOST	40

static struct millipedesh m;
static const char *why;
static char text[2000], *arguments[MOST];

/* Cuts a line at its blanks; "_" is an empty word, "~" stands for a blank. */
static bool
words(const char *line)
{
	int n = 0;
	char *word, *rest, *p;

	snprintf(text, sizeof(text), "millipedesh %s", line);
	for (word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
		CHECK(n < MOST - 1);
		for (p = word; (p = strchr(p, '~')) != NULL; )
			*p = ' ';
		arguments[n++] = strcmp(word, "_") == 0 ? word + 1 : word;
	}
	arguments[n] = NULL;
	free(m.command);
	free(m.options);
	return millipedesh_words(&m, n, arguments, &why);
}

/* It is carried: to this host, with this for the shell there, and this for ssh. */
static void
carried(const char *line, const char *host, const char *command, const char *options)
{
	char all[2000];

	if (!words(line)) {
		fprintf(stderr, "\"%s\" is left to ssh: %s\n", line, why);
		exit(1);
	}
	CHECK(strcmp(m.word[1], "ssh") == 0 && strcmp(m.word[2], host) == 0);
	CHECK(strcmp(m.word[3], "run") == 0 && strcmp(m.word[5], "ssh-command") == 0);
	snprintf(all, sizeof(all), "exec \"${SHELL:-/bin/sh}\" -c %s", command);
	if (strcmp(m.word[4], all) != 0)
		fprintf(stderr, "\"%s\": \"%s\"\n", line, m.word[4]);
	CHECK(strcmp(m.word[4], all) == 0);
	snprintf(all, sizeof(all), "/real/ssh%s%s", options[0] != '\0' ? " " : "", options);
	if (strcmp(m.word[6], all) != 0)
		fprintf(stderr, "\"%s\": \"%s\"\n", line, m.word[6]);
	CHECK(strcmp(m.word[6], all) == 0);
	CHECK(m.word[m.words] == NULL);
}

static void
left(const char *line, const char *reason)
{
	CHECK(!words(line));
	if (strstr(why, reason) == NULL || (reason[0] == '\0' && why[0] != '\0'))
		fprintf(stderr, "\"%s\": \"%s\"\n", line, why);
	CHECK(strstr(why, reason) != NULL && (reason[0] != '\0' || why[0] == '\0'));
}

static void
test_carried(void)
{
	carried("h true", "h", "true", "");
	carried("u@h ls -l -t", "u@h", "'ls -l -t'", "");
	carried("h echo it's", "h", "'echo it'\\''s'", "");
	carried("h a _ b", "h", "'a  b'", "");
	/* Options before the host and after it, and an end of them. */
	carried("-p 22 -l me h -q -i k cmd -q", "h", "'cmd -q'", "-p 22 -l me -q -i k");
	carried("-p22 -- h cmd", "h", "cmd", "-p 22");
	carried("h -- cmd", "h", "cmd", "");
	carried("h -v -- -x", "h", "-x", "-v");
	carried("-4vqC h c", "h", "c", "-4 -v -q -C");
	carried("-vi k h c", "h", "c", "-v -i k");
	carried("-oBatchMode=yes -o RequestTTY=no -oRemoteCommand=none h c", "h", "c",
	    "-o 'BatchMode=yes' -o 'RequestTTY=no' -o 'RemoteCommand=none'");
	carried("-o ForwardAgent~no h c", "h", "c", "-o 'ForwardAgent no'");
	carried("-S /tmp/master -F /a~b h c", "h", "c", "-S /tmp/master -F '/a b'");
	carried("-T -x -a h c", "h", "c", "-T -x -a");
	carried("-J j1,j2 -b 10.0.0.1 -c aes128-ctr h c", "h", "c",
	    "-J j1,j2 -b 10.0.0.1 -c aes128-ctr");
	/* A lone dash is a host for ssh, which a word of ours is not for long. */
	carried("- c", "-", "c", "");
	CHECK(words("-s h sftp") && strstr(m.word[4], "sftp-server") != NULL);
	CHECK(words("-x -s -- h sftp"));
}

static void
test_left(void)
{
	static const char *const asked[] = {
		"-t h c", "-tt h c", "-f h c", "-N h", "-A h c", "-X h c", "-Y h c",
		"-L 1:h:2 h c", "-R 1 h c", "-D 1 h c", "-W h:1 h", "-w 0 h c", "h -t c",
		"-vt h c", "-oRequestTTY=yes h c", "-o requesttty=force h c",
		"-oForwardAgent=yes h c", "-o LocalForward=1~h:2 h c", "-oRemoteCommand=x h",
		"-oSessionType=subsystem h c", "-L1:h:2 h c"
	};
	size_t i;

	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		left(asked[i], "not carried");
	CHECK(strcmp(m.host, "h") == 0);
	left("h", "a login without a command");
	left("-v h", "a login without a command");
	left("h _", "a login without a command");
	/* Nobody needs to know. */
	left("-G h", "");
	left("-V", "");
	left("-Q cipher", "");
	left("-O exit h", "");
	left("-M -S /s -o ControlPersist=1m h exit", "");
	left("", "");
	left("-9 h c", "");
	left("-: h c", "");
	left("-p", "");
	left("h -p", "");
	left("--", "");
	left("ssh://h:22 c", "");
	left("-s h netconf", "");
	left("-s h sftp more", "");
}

static void
test_options(void)
{
	int i;

	CHECK(setenv("MILLIPEDESH_OPTIONS", "", 1) == 0);
	CHECK(words("h c") && m.words == 9);
	CHECK(strcmp(m.word[7], "verbose") == 0 && strcmp(m.word[8], "0") == 0);
	CHECK(setenv("MILLIPEDESH_OPTIONS", "  legs 3\tverbose 4\n", 1) == 0);
	CHECK(words("h c") && m.words == 11);
	CHECK(strcmp(m.word[7], "legs") == 0 && strcmp(m.word[10], "4") == 0);
	for (i = 0; i < MILLIPEDESH_WORDS; i++)
		text[i] = i % 2 == 0 ? 'a' : ' ';
	text[i] = '\0';
	CHECK(setenv("MILLIPEDESH_OPTIONS", text, 1) == 0);
	CHECK(words("h c") && m.words < MILLIPEDESH_WORDS);
	CHECK(unsetenv("MILLIPEDESH_OPTIONS") == 0);
}

static void
test_names(void)
{
	CHECK(millipedesh_called("millipedesh") && millipedesh_called("/usr/bin/ssh"));
	CHECK(!millipedesh_called("viamillipede") && !millipedesh_called("/ssh/viamillipede"));
	CHECK(!millipedesh_called("sshd") && !millipedesh_called(""));
}

int
main(void)
{
	CHECK(setenv("MILLIPEDESH_SSH", "/real/ssh", 1) == 0);
	CHECK(unsetenv("MILLIPEDESH_OPTIONS") == 0);
	test_carried();
	test_left();
	test_options();
	test_names();
	free(m.command);
	free(m.options);
	return check_done();
}
