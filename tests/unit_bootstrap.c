/*
 * Unit test of bootstrap.c: orders come back as they were given, in whatever pieces
 * they arrive; what is cut, changed or too large is never complete; an answer is
 * recognised among noise and nothing else is; and a quoted word is one word for
 * the shell.
 */
#include "ssh/bootstrap.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const char token[] = "0123456789abcdef0123456789abcdef";
static uint64_t random_state;
static uint8_t key[BOOTSTRAP_KEY];

static void
forget(struct bootstrap *o)
{
	size_t i;

	for (i = 0; i <= BOOTSTRAP_WORDS; i++)
		free(o->word[i]);
	memset(o, 0, sizeof(*o));
}

/* In pieces of `most' bytes at most; 0 = random ones. */
static const char *
take(struct bootstrap *o, const char *text, size_t n, size_t most)
{
	const char *why = NULL;
	size_t piece, taken;

	memset(o, 0, sizeof(*o));
	while (n > 0 && why == NULL) {
		piece = most != 0 ? most : 1 + check_below(&random_state, 7);
		piece = piece < n ? piece : n;
		why = bootstrap_take(o, text, piece, &taken);
		CHECK(why != NULL || taken == piece);
		text += piece;
		n -= piece;
	}
	return why;
}

static void
compare(const struct bootstrap *o, const char *const *words, size_t n)
{
	size_t i;

	CHECK(o->state == BOOTSTRAP_COMPLETE);
	CHECK(o->words == n && o->count == n);
	CHECK(strcmp(o->token, token) == 0);
	CHECK(memcmp(o->key, key, BOOTSTRAP_KEY) == 0);
	for (i = 0; i < n; i++)
		CHECK(strcmp(o->word[i], words[i]) == 0);
	CHECK(o->word[n] == NULL);
}

static const char *const plain[] = {
	"rx", "0", "wait", "60", "", "\n", "\n\n12\n", " two words ", "'\"$`\\\r\t", "exec",
	"\xc3\xa4\xff\x01", "cat >x\nviamillipede answer 1 2 3"
};

#define NPLAIN (sizeof(plain) / sizeof(plain[0]))

static void
test_round(void)
{
	static struct bootstrap o;
	const size_t most[] = { 1, 2, 3, 0, 0, 0, 100000 };
	size_t length, taken, i;
	char *more, *text = bootstrap_write(token, key, plain, NPLAIN, &length);

	CHECK(text != NULL && strlen(text) == length);
	for (i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		CHECK(take(&o, text, length, most[i]) == NULL);
		compare(&o, plain, NPLAIN);
		forget(&o);
	}
	bootstrap_forget(text, length);
	text = bootstrap_write(token, key, plain, 0, &length);
	CHECK(take(&o, text, length, 1) == NULL);
	compare(&o, plain, 0);
	/* What follows is left to who reads the records. */
	CHECK(bootstrap_take(&o, "x\n\0y", 4, &taken) == NULL && o.state == BOOTSTRAP_COMPLETE);
	CHECK(taken == 0);
	memset(&o, 0, sizeof(o));
	more = malloc(length + 4);
	CHECK(more != NULL);
	memcpy(more, text, length);
	memcpy(more + length, "x\n\0y", 4);
	CHECK(bootstrap_take(&o, more, length + 4, &taken) == NULL && taken == length);
	compare(&o, plain, 0);
	bootstrap_forget(more, length + 4);
	bootstrap_forget(text, length);
}

/* 100 KiB in one word, and as many words as there may be. */
static void
test_large(void)
{
	static struct bootstrap o;
	static const char *many[BOOTSTRAP_WORDS + 1];
	static char large[100 * 1024 + 1];
	size_t length, i;
	char *text;

	for (i = 0; i + 1 < sizeof(large); i++)
		large[i] = (char)(1 + check_below(&random_state, 255));
	for (i = 0; i <= BOOTSTRAP_WORDS; i++)
		many[i] = "word";
	many[7] = large;
	text = bootstrap_write(token, key, many, BOOTSTRAP_WORDS, &length);
	CHECK(take(&o, text, length, 4096) == NULL);
	compare(&o, many, BOOTSTRAP_WORDS);
	forget(&o);
	bootstrap_forget(text, length);
	text = bootstrap_write(token, key, many, BOOTSTRAP_WORDS + 1, &length);
	CHECK(take(&o, text, length, 4096) != NULL);
	forget(&o);
	bootstrap_forget(text, length);
}

/* Cut anywhere, they are not complete; with any byte changed, they are not the same. */
static void
test_damaged(void)
{
	static struct bootstrap o;
	size_t length, i, w;
	char *text = bootstrap_write(token, key, plain, NPLAIN, &length), old;
	bool differs;

	for (i = 0; i < length; i++) {
		take(&o, text, i, 0);
		CHECK(o.state != BOOTSTRAP_COMPLETE);
		forget(&o);
	}
	for (i = 0; i < length; i++) {
		old = text[i];
		do
			text[i] = (char)check_random(&random_state);
		while (text[i] == old);
		if (take(&o, text, length, 0) == NULL && o.state == BOOTSTRAP_COMPLETE) {
			differs = o.words != NPLAIN || memcmp(o.key, key, BOOTSTRAP_KEY) != 0 ||
			    strcmp(o.token, token) != 0;
			for (w = 0; w < o.words && !differs; w++)
				differs = strcmp(o.word[w], plain[w]) != 0;
			CHECK(differs);
		}
		forget(&o);
		text[i] = old;
	}
	bootstrap_forget(text, length);
}

#define HEAD	"viamillipede orders 2 0123456789abcdef0123456789abcdef " \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "

static void
test_refused(void)
{
	static const struct {
		const char *text;
		size_t length;
	} bad[] = {
#define BAD(text) { text, sizeof(text) - 1 }
		BAD("\n"), BAD("GET / HTTP/1.1\r\n"), BAD("viamillipede orders 2 x\n"),
		BAD("viamillipede orders 2 \n"), BAD("viamillipede orders 2 a b c\n"),
		BAD(HEAD "\n"), BAD(HEAD "1 \n"), BAD(HEAD " 1\n"), BAD(HEAD "-1\n"),
		BAD(HEAD "257\n"), BAD(HEAD "1x\n"), BAD(HEAD "99999999999999999999\n"),
		BAD(HEAD "1 2\n"), BAD(HEAD "1\r\n"), BAD(HEAD "\0\n"),
		BAD(HEAD "1\n\n"), BAD(HEAD "1\n-1\nx\n"), BAD(HEAD "1\n1048577\n"),
		BAD(HEAD "1\n18446744073709551616\n"), BAD(HEAD "1\n 1\nx\n"),
		BAD(HEAD "1\n1\nxx"), BAD(HEAD "1\n3\na\0b\n"),
		BAD(HEAD "1\n1\n\0\n"), BAD(HEAD "1\n0\nx"), BAD(HEAD "1\n0x1\nx\n"),
		BAD(HEAD "2\n0\n\n1048576\n" "\0")
	};
	static struct bootstrap o;
	static char junk[2048];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		take(&o, bad[i].text, bad[i].length, 0);
		CHECK(o.state != BOOTSTRAP_COMPLETE);
		forget(&o);
		/* Except for what is only unfinished, the reason comes at once. */
		if (bad[i].text[bad[i].length - 1] == '\n')
			CHECK(take(&o, bad[i].text, bad[i].length, 0) != NULL);
		forget(&o);
	}
	/* A line without end takes no more memory than there is. */
	memset(junk, 'v', sizeof(junk));
	CHECK(take(&o, junk, sizeof(junk), 100) != NULL);
	memcpy(junk, "viamillipede orders 2 ", 22);
	CHECK(take(&o, junk, sizeof(junk), 100) != NULL);
}

/* Each is just small enough, all of them are not. */
static void
test_sum(void)
{
	static struct bootstrap o;
	static char word[BOOTSTRAP_MAX / 2];
	char line[32];
	size_t taken;

	memset(word, 'x', sizeof(word));
	snprintf(line, sizeof(line), "%zu\n", sizeof(word));
	CHECK(take(&o, HEAD "3\n", sizeof(HEAD) + 1, 0) == NULL);
	CHECK(bootstrap_take(&o, line, strlen(line), &taken) == NULL);
	CHECK(bootstrap_take(&o, word, sizeof(word), &taken) == NULL);
	CHECK(bootstrap_take(&o, "\n", 1, &taken) == NULL && o.words == 1);
	CHECK(bootstrap_take(&o, line, strlen(line), &taken) == NULL);
	CHECK(bootstrap_take(&o, word, sizeof(word), &taken) == NULL);
	CHECK(bootstrap_take(&o, "\n", 1, &taken) == NULL && o.words == 2);
	CHECK(bootstrap_take(&o, "1\n", 2, &taken) != NULL);
	forget(&o);
}

/* What means every machine itself. */
static void
test_loopback(void)
{
	static const char *const us[] = {
		"127.0.0.1", "127.255.0.9", "0.0.0.0", "0.1.2.3", "::1", "::", "::ffff:127.0.0.2",
		"::ffff:0.0.0.0"
	};
	static const char *const others[] = {
		"10.0.0.1", "128.0.0.1", "1.0.0.127", "fe80::1", "2001:db8::1", "::ffff:10.0.0.1",
		"-", "localhost"
	};
	size_t i;

	for (i = 0; i < sizeof(us) / sizeof(us[0]); i++)
		CHECK(bootstrap_loopback(us[i]));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK(!bootstrap_loopback(others[i]));
}

static void
test_answer(void)
{
	static const struct {
		const char *line;
		enum answer is;
	} c[] = {
#define TOKEN "0123456789abcdef0123456789abcdef"
		{ "viamillipede answer 2 " TOKEN " 1 -", ANSWER_GOOD },
		{ "viamillipede answer 2 " TOKEN " 65535 fe80::1%eth0.5", ANSWER_GOOD },
		{ "$ viamillipede answer 2 " TOKEN " 12323 10.0.0.1", ANSWER_GOOD },
		{ "viamillipede answer 2 " TOKEN " 1 ::ffff:10.0.0.1", ANSWER_GOOD },
		{ "viamillipede answer 2 " TOKEN " 1 localhost", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 db.internal", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 a", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 10.0.0", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 10.0.0.1%eth0", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 0x7f000001", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 2130706433", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 %", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 [::1]", ANSWER_BAD },
		{ "", ANSWER_NONE },
		{ "Welcome! viamillipede answer", ANSWER_NONE },
		{ "viamillipede answer 2 123 12323 10.0.0.1", ANSWER_NONE },
		{ "viamillipede answer 2 1123456789abcdef0123456789abcdef 1 -", ANSWER_NONE },
		{ "viamillipede orders 2 " TOKEN " 1 -", ANSWER_NONE },
		{ "viamillipede answer 3 " TOKEN " 1 -", ANSWER_OTHER },
		{ "viamillipede answer " TOKEN, ANSWER_OTHER },
		{ "viamillipede answer 2 " TOKEN, ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " ", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN "0 1 -", ANSWER_BAD },
		{ "viamillipede answer 2 x" TOKEN " 1 -", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 12323", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 12323 ", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 0 -", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 65536 -", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 70000 -", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " -5 -", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 4294967297 -", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 -oProxyCommand=x", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 a/b", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 a b", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 \xc3\xa4", ANSWER_BAD },
		{ "viamillipede answer 2 " TOKEN " 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ANSWER_BAD }
	};
	char port[BOOTSTRAP_PORT], address[BOOTSTRAP_ADDRESS], text[BOOTSTRAP_ANSWER];
	size_t i, n;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		CHECK(bootstrap_read_answer(c[i].line, token, port, address) == c[i].is);
	n = bootstrap_answer(text, token, "40123", "2001:db8::7");
	CHECK(n == strlen(text) && text[0] == '\n' && text[n - 1] == '\n');
	text[n - 1] = '\0';
	CHECK(bootstrap_read_answer(text + 1, token, port, address) == ANSWER_GOOD);
	CHECK(strcmp(port, "40123") == 0 && strcmp(address, "2001:db8::7") == 0);
}

/* What a shell makes of it is one word, and the same. */
static void
quoted(const char *text)
{
	char word[1024], script[1200], back[1024];
	size_t have = 0;
	int out[2], status;
	ssize_t n;
	pid_t pid;

	CHECK(bootstrap_quote(text, word, sizeof(word)) == 0);
	snprintf(script, sizeof(script), "set -- %s; printf '%%s.%%s' $# \"$1\"", word);
	CHECK(pipe(out) == 0);
	pid = fork();
	CHECK(pid != -1);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	while ((n = read(out[0], back + have, sizeof(back) - 1 - have)) > 0)
		have += (size_t)n;
	back[have] = '\0';
	close(out[0]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(strncmp(back, "1.", 2) == 0 && strcmp(back + 2, text) == 0);
}

static void
test_quote(void)
{
	static const char letters[] = "a' \"$`\\!*?~;|&<>(){}[]#=^%-\t\xc3\xa4";
	char text[40], word[8];
	size_t i, k, n;

	quoted("viamillipede");
	quoted("/opt/my programs/it's \"this\"");
	quoted("'");
	quoted("$(id)`id`");
	quoted("~/x");
	for (i = 0; i < 100; i++) {
		n = 1 + check_below(&random_state, sizeof(text) - 1);
		for (k = 0; k < n; k++)
			text[k] = letters[check_below(&random_state, sizeof(letters) - 1)];
		text[n] = '\0';
		quoted(text);
	}
	CHECK(bootstrap_quote("abcdefg", word, sizeof(word)) == 0);
	CHECK(bootstrap_quote("abcdefgh", word, sizeof(word)) == -1);
	for (n = 0; n < sizeof(word); n++)
		CHECK(bootstrap_quote("''''''''", word, n) == -1);
}

int
main(int argc, char **argv)
{
	size_t i;

	random_state = check_seed(argc, argv, 81);
	for (i = 0; i < BOOTSTRAP_KEY; i++)
		key[i] = (uint8_t)check_random(&random_state);
	test_round();
	test_large();
	test_damaged();
	test_refused();
	test_sum();
	test_answer();
	test_loopback();
	test_quote();
	return check_done();
}
