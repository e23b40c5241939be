/*
 * The command line: what each word leaves in struct options, and that
 * everything else is refused with a line that quotes it and tells the range.
 */
#define _POSIX_C_SOURCE 200809L

#include <string.h>

#include "check.h"
#include "options.h"

#define WORDS_MAX	400

static struct options o;
static char why[OPTIONS_WHY_SIZE];

/* Parse a line; arguments are parted by single spaces, "_" is an empty one. */
static int
parse(const char *line)
{
	static char text[8192];
	static char *argv[WORDS_MAX + 1];
	char *s = text;
	int argc = 0;

	CHECK(strlen(line) < sizeof(text));
	strcpy(text, line);
	argv[argc++] = text + strlen(text);
	while (*s != '\0') {
		CHECK(argc < WORDS_MAX);
		argv[argc++] = s;
		s += strcspn(s, " ");
		if (*s != '\0')
			*s++ = '\0';
		if (strcmp(argv[argc - 1], "_") == 0)
			argv[argc - 1][0] = '\0';
	}
	argv[argc] = NULL;
	memset(&o, 0xa5, sizeof(o));
	memset(why, 0, sizeof(why));
	return options_parse(&o, argc, argv, why, sizeof(why));
}

static void
good(const char *line)
{
	if (parse(line) != 0) {
		fprintf(stderr, "\"%s\" was refused: %s\n", line, why);
		exit(1);
	}
	CHECK(why[0] == '\0');
}

/* Refused, and the reason holds each of the words of said (parted by |). */
static void
bad(const char *line, const char *said)
{
	char words[512], *w, *rest = words;

	if (parse(line) != -1) {
		fprintf(stderr, "\"%s\" was accepted\n", line);
		exit(1);
	}
	CHECK(why[0] != '\0');
	CHECK(strlen(said) < sizeof(words));
	strcpy(words, said);
	while ((w = strtok_r(rest, "|", &rest)) != NULL)
		if (strstr(why, w) == NULL) {
			fprintf(stderr, "\"%s\": \"%s\" does not tell %s\n",
			    line, why, w);
			exit(1);
		}
	CHECK(strstr(why, "legal: ") != NULL);
}

static void
test_defaults(void)
{
	good("tx a 1");
	CHECK(o.mode == OPTIONS_TX && o.npaths == 1);
	CHECK(strcmp(o.paths[0].host, "a") == 0);
	CHECK(strcmp(o.paths[0].port, "1") == 0);
	CHECK(o.paths[0].from[0] == '\0');
	CHECK(o.legs == 64 && !o.checksum && o.verbose == 1);
	CHECK(o.window_bytes == 0 && !o.window_given);
	CHECK(o.frame_bytes == 0 && !o.frame_given);
	CHECK(o.wait_ms == 60000 && o.timeout_ms == 604800000);
	CHECK(o.heartbeat_ms == 5000);
	CHECK(memcmp(o.phrase, OPTIONS_PHRASE, 4) == 0);
	CHECK(strcmp(o.congestion, "auto") == 0 && options_congestion(&o)[0] == '\0');
	CHECK(o.chaos[0] == '\0');

	good("duplex a 1");
	CHECK(o.mode == OPTIONS_DUPLEX && o.calls && o.npaths == 1 && o.wait_ms == 60000);
	CHECK(strcmp(o.paths[0].host, "a") == 0 && strcmp(o.paths[0].port, "1") == 0);
	good("duplex 12-14 bind ::1 checksum frame 8k");
	CHECK(o.mode == OPTIONS_DUPLEX && !o.calls && o.npaths == 0 && o.wait_ms == 0);
	CHECK(strcmp(o.port, "12-14") == 0 && o.checksum && o.frame_bytes == 8192);
	good("legs 3 duplex a 1 from b duplex c 2 exec cat");
	CHECK(o.npaths == 2 && o.legs == 3 && o.command != NULL);

	good("rx 0");
	CHECK(o.mode == OPTIONS_RX && o.npaths == 0);
	CHECK(strcmp(o.port, "0") == 0 && o.bind[0] == '\0');
	CHECK(o.wait_ms == 0 && o.timeout_ms == 604800000);
	CHECK(o.window_bytes == 0 && !o.window_given);
	CHECK(o.heartbeat_ms == 5000 && o.verbose == 1);
	CHECK(memcmp(o.phrase, OPTIONS_PHRASE, 4) == 0);
}

static void
test_any_order(void)
{
	good("verbose 20 legs 64 tx a 65535 checksum from eth0 window 1M "
	    "tx [::1] 00007 frame 256k checkphrase a!~0 tx fe80::1%lo 9 "
	    "timeout 0 wait 31536000 heartbeat 300 chaos 17:reset:5 "
	    "from [fe80::2%lo] congestion bbr");
	CHECK(o.npaths == 3 && o.legs == 64 && o.checksum);
	CHECK(o.verbose == 20);
	CHECK(strcmp(o.paths[0].port, "65535") == 0);
	CHECK(strcmp(o.paths[0].from, "eth0") == 0);
	CHECK(strcmp(o.paths[1].host, "::1") == 0);
	CHECK(strcmp(o.paths[1].port, "7") == 0);
	CHECK(o.paths[1].from[0] == '\0');
	CHECK(strcmp(o.paths[2].host, "fe80::1%lo") == 0);
	CHECK(strcmp(o.paths[2].from, "fe80::2%lo") == 0);
	CHECK(o.window_bytes == 1u << 20 && o.window_given);
	CHECK(o.frame_bytes == 256u << 10 && o.frame_given);
	CHECK(o.timeout_ms == 0 && o.wait_ms == UINT64_C(31536000000));
	CHECK(o.heartbeat_ms == 300000);
	CHECK(memcmp(o.phrase, "a!~0", 4) == 0);
	CHECK(strcmp(o.chaos, "17:reset:5") == 0);
	CHECK(strcmp(o.congestion, "bbr") == 0);

	good("bind [::] wait 7 window 64G heartbeat 3 rx 65535 verbose 0");
	CHECK(strcmp(o.bind, "::") == 0 && o.wait_ms == 7000);
	CHECK(strcmp(o.port, "65535") == 0 && o.verbose == 0);
	CHECK(o.window_bytes == UINT64_C(64) << 30 && o.heartbeat_ms == 3000);

	/* A word may be a host's name. */
	good("tx legs 4");
	CHECK(strcmp(o.paths[0].host, "legs") == 0 && o.legs == 64);
	good("tx a 1 checksums");
	CHECK(o.checksum);
}

static void
test_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "1048576", 1 << 20 }, { "1024k", 1 << 20 },
		{ "1024K", 1 << 20 }, { "1M", 1 << 20 }, { "0001M", 1 << 20 },
		{ "1048577", (1 << 20) + 1 }, { "63G", UINT64_C(63) << 30 },
		{ "68719476736", UINT64_C(64) << 30 },
	};
	static const char *const refused[] = { "1048575", "1023K", "0", "65G",
	    "68719476737", "1T", "18446744073709551615",
	    "18446744073709551616", "18446744073709551617", "99999999999999T",
	    "18014398509483008K", "17592186044417M", "17179869185G", "340282366920938463463374607",
	    "1e9", "+5M", "-5M", "0x10M", "_", "M", "1MM", "1MB", "1m", "1g",
	    "1.5M", "1M1", "1,000M", "\t2M", "2M\t", "2M\n", "inf" };
	char line[128], said[128];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		(void)snprintf(line, sizeof(line), "tx a 1 window %s",
		    sizes[i].text);
		good(line);
		CHECK(o.window_bytes == sizes[i].bytes && o.window_given);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		(void)snprintf(line, sizeof(line), "rx 1 window %s",
		    refused[i]);
		(void)snprintf(said, sizeof(said), "window|\"%s\"|1M-64G",
		    strcmp(refused[i], "_") == 0 ? "" : refused[i]);
		bad(line, said);
	}
}

static void
test_frame_in_window(void)
{
	good("tx a 1 frame 1M");
	good("tx a 1 frame 4K window 1M");
	good("tx a 1 frame 4096 window 1M");
	CHECK(o.frame_bytes == 4096);
	good("tx a 1 window 1M frame 256K");
	bad("tx a 1 window 1M frame 262145", "frame|\"262145\"|4K-1M|256K|1M");
	bad("tx a 1 frame 1M window 3M", "frame|\"1M\"|3M|768K");
	bad("duplex", "ends too early|HOST PORT");
	bad("duplex a", "ends too early|HOST PORT");
	bad("duplex 1 bind a duplex 2", "given twice");
	bad("duplex 0 source cat", "source|tx and offer|duplex");
	bad("duplex 0 from a", "from");
	bad("tx a 1 duplex 3", "duplex");
	bad("duplex a 1 bind b", "bind|duplex");
	bad("tx a 1 frame 4095", "frame|\"4095\"|4K-1M");
	bad("tx a 1 frame 1048577", "frame|\"1048577\"|4K-1M");
	bad("tx a 1 frame 3K", "frame|\"3K\"|4K-1M");
}

/* For each number its bounds, just beyond them, and what is no number. */
static void
test_numbers(void)
{
	static const struct {
		const char *rest, *word, *low, *below, *high, *above, *range;
	} numbers[] = {
		{ "tx a 1", "legs", "1", "0", "64", "65", "1-64" },
		{ "tx a 1", "wait", "0", NULL, "31536000", "31536001",
		    "0-31536000" },
		{ "rx 1", "wait", "0", NULL, "31536000", "31536001",
		    "0-31536000" },
		{ "rx 1", "timeout", "0", NULL, "31536000", "31536001",
		    "0-31536000" },
		{ "tx a 1", "heartbeat", "3", "2", "300", "301", "3-300" },
		{ "rx 1", "verbose", "0", NULL, "20", "21", "0-20" },
		{ "tx a 1 report -", "interval", "1", "0", "86400", "86401",
		    "1-86400" },
		{ "", "rx", "0", NULL, "65535", "65536", "0-65535" },
		{ "", "tx a", "1", "0", "65535", "65536", "1-65535" },
	};
	static const char *const none[] = { "_", "x", "-1", "+5", "0x10",
	    "1e1", "5s", "5K", "1.5", "18446744073709551617", "4294967297",
	    "\t5", "5\t", "http" };
	char line[128], said[128];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const char *word = numbers[i].word, *range = numbers[i].range;
		const char *end = strncmp(word, "tx", 2) == 0 ? "tx" : word;

#define LINE(value) (void)snprintf(line, sizeof(line), "%s %s%s%s",	\
	word, (value), numbers[i].rest[0] != '\0' ? " " : "",		\
	numbers[i].rest)
#define SAID(value) (void)snprintf(said, sizeof(said), "%s|\"%s\"|%s",	\
	end, (value), range)
		LINE(numbers[i].low);
		good(line);
		LINE(numbers[i].high);
		good(line);
		if (numbers[i].below != NULL) {
			LINE(numbers[i].below);
			SAID(numbers[i].below);
			bad(line, said);
		}
		LINE(numbers[i].above);
		SAID(numbers[i].above);
		bad(line, said);
		for (size_t j = 0; j < sizeof(none) / sizeof(none[0]); j++) {
			LINE(none[j]);
			SAID(strcmp(none[j], "_") == 0 ? "" : none[j]);
			bad(line, said);
		}
	}
}

static void
test_hosts(void)
{
	static const char *const hosts[] = { "a", "a-b.example.org", "a_b",
	    "10.0.0.1", "::1", "::", "2001:db8::1", "::ffff:10.0.0.1",
	    "fe80::1%eth0" };
	static const char *const refused[] = { "_", "[]", "[", "]", "[::1",
	    "::1]", "[a]", "[10.0.0.1]", "a:5", "10.0.0.1:5", "[::1]:5",
	    "::1::2", "fe80::1%", "-h", "--legs", "a/b", "http://a", "a\tb",
	    "a\177", "a\n", "\033[1m" };
	char line[1024], said[128];

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		(void)snprintf(line, sizeof(line), "tx %s 5", hosts[i]);
		good(line);
		CHECK(strcmp(o.paths[0].host, hosts[i]) == 0);
		(void)snprintf(line, sizeof(line), "tx a 5 from %s", hosts[i]);
		good(line);
		CHECK(strcmp(o.paths[0].from, hosts[i]) == 0);
		(void)snprintf(line, sizeof(line), "rx 5 bind %s", hosts[i]);
		good(line);
		CHECK(strcmp(o.bind, hosts[i]) == 0);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const char *text = refused[i][0] == '_' ? "" : refused[i];

		if (strcmp(text, "[]") == 0)
			text = "";
		(void)snprintf(said, sizeof(said), "\"%s\"", text);
		(void)snprintf(line, sizeof(line), "tx %s 5", refused[i]);
		bad(line, said);
		CHECK(strstr(why, "tx") != NULL);
		(void)snprintf(line, sizeof(line), "tx a 5 from %s",
		    refused[i]);
		bad(line, said);
		CHECK(strstr(why, "from") != NULL);
		(void)snprintf(line, sizeof(line), "rx 5 bind %s", refused[i]);
		bad(line, said);
		CHECK(strstr(why, "bind") != NULL);
	}
	(void)snprintf(line, sizeof(line), "tx %0255d 5", 1);
	good(line);
	CHECK(strlen(o.paths[0].host) == 255);
	(void)snprintf(line, sizeof(line), "tx %0256d 5", 1);
	bad(line, "too long|255");
	(void)snprintf(line, sizeof(line), "tx %0900d 5", 1);
	bad(line, "too long|255");
	(void)snprintf(line, sizeof(line), "tx %0900d:1 5", 1);
	bad(line, "too long");
}

static void
test_texts(void)
{
	bad("tx a 1 checkphrase abc", "checkphrase|\"abc\"|exactly 4");
	bad("tx a 1 checkphrase abcde", "checkphrase|\"abcde\"|exactly 4");
	bad("rx 1 checkphrase _", "checkphrase|\"\"|exactly 4");
	bad("rx 1 checkphrase a\tcd", "checkphrase|exactly 4");
	bad("rx 1 name", "name");
	bad("rx 1 name a\tb", "name|a line of 1 to 255");
	bad("rx 1 checkphrase \303\244\303\244", "checkphrase|exactly 4");
	bad("tx a 1 congestion _", "congestion|\"\"");
	bad("tx a 1 congestion b\tr", "congestion|\"b\tr\"");
	bad("rx 1 chaos _", "chaos|\"\"");
}

static void
test_paths(void)
{
	char line[4096] = "";
	size_t n = 0;

	for (int i = 0; i < 64; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		    "tx h%d %d from f%d ", i, i + 1, i);
	line[n - 1] = '\0';
	good(line);
	CHECK(o.npaths == 64);
	for (unsigned i = 0; i < 64; i++) {
		char host[8], port[8], from[8];

		(void)snprintf(host, sizeof(host), "h%u", i);
		(void)snprintf(port, sizeof(port), "%u", i + 1);
		(void)snprintf(from, sizeof(from), "f%u", i);
		CHECK(strcmp(o.paths[i].host, host) == 0);
		CHECK(strcmp(o.paths[i].port, port) == 0);
		CHECK(strcmp(o.paths[i].from, from) == 0);
	}
	strcat(line, " tx h64 65");
	bad(line, "tx|\"h64\"|1-64");

	/* The same path twice is a weight. */
	good("tx a 1 tx a 1");
	CHECK(o.npaths == 2);
	bad("tx a 1 from x from y", "from|\"y\"|tx a 1");
	bad("tx a 1 from x legs 2 from y", "from|\"y\"");
	bad("from x tx a 1", "from|\"x\"|before");
}

static void
test_words(void)
{
	bad("", "tx|rx");
	bad("legs 4", "tx|rx");
	bad("wait 4", "tx|rx");
	bad("frobnicate", "\"frobnicate\"");
	bad("tx a 1 _", "\"\"");
	bad("tx a 1 2", "\"2\"");
	bad("tx a 1 Threads 2", "\"Threads\"");
	bad("tx a 1 thread 2", "\"thread\"");
	bad("tx a 1 --legs 2", "\"--legs\"");
	bad("tx a 1 frobnicate legs 99", "\"frobnicate\"");

	bad("tx", "\"tx\"|HOST PORT|1-65535");
	bad("tx a", "\"tx a\"|HOST PORT|1-65535");
	bad("rx", "\"rx\"|PORT|0-65535");
	bad("tx a 1 from", "\"from\"|ADDRESS");
	bad("tx a 1 legs", "\"legs\"|1-64");
	bad("rx 1 window", "\"window\"|1M-64G");

	bad("tx a 1 rx 2", "\"rx\"|tx");
	bad("rx 2 tx a 1", "\"tx\"|rx");
	bad("rx 2 rx 3", "\"rx\"|twice");
	bad("legs 4 rx 5", "\"legs\"|word of tx");
	bad("rx 5 from a", "\"from\"|word of tx");
	bad("rx 5 checksum", "\"checksum\"|word of tx");
	bad("rx 5 checksums", "\"checksums\"|word of tx");
	bad("rx 5 frame 64K", "\"frame\"|word of tx");
	bad("rx 5 congestion bbr", "\"congestion\"|word of tx");
	bad("tx a 1 bind ::", "\"bind\"|word of rx");
}

/* Every word but tx and from, also with another value, also under its alias. */
static void
test_repeated(void)
{
	static const char *const lines[] = { "legs 2", "checkphrase abcd",
	    "checksum", "checksums", "window 1M", "frame 4K", "wait 1",
	    "timeout 1", "verbose 1", "heartbeat 5", "chaos 1",
	    "congestion reno", "quiet", "progress", "size 1",
	    "report -" };
	char line[128], said[64];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		(void)snprintf(line, sizeof(line), "%s tx a 1 %s", lines[i],
		    lines[i]);
		(void)snprintf(said, sizeof(said), "\"%.*s\"|twice",
		    (int)strcspn(lines[i], " "), lines[i]);
		bad(line, said);
	}
	bad("tx a 1 checksum checksums", "\"checksums\"|twice");
	bad("tx a 1 verbose 1 tx b 1 verbose 2", "\"verbose\"|twice");
	bad("rx 1 bind :: bind ::", "\"bind\"|twice");
	bad("rx 1 wait 1 wait 2", "\"wait\"|twice");
	bad("rx 1 report x interval 1 interval 2", "\"interval\"|twice");
}

static void
test_reports(void)
{
	char line[OPTIONS_FILE_SIZE + 64];

	good("rx 1");
	CHECK(!o.progress && !o.quiet && !o.size_given && o.report[0] == '\0');
	CHECK(o.interval_ms == 1000);
	good("tx a 1 progress size 3G report - interval 10");
	CHECK(o.progress && !o.quiet && o.size_given);
	CHECK(o.size_bytes == UINT64_C(3) << 30);
	CHECK(strcmp(o.report, "-") == 0 && o.interval_ms == 10000);
	good("rx 1 quiet size 0 report /tmp/a\nb\"\377");
	CHECK(o.quiet && o.size_given && o.size_bytes == 0);
	CHECK(strcmp(o.report, "/tmp/a\nb\"\377") == 0);
	bad("rx 1 progress quiet", "progress|quiet");
	bad("rx 1 interval 5", "interval|report FILE");
	bad("rx 1 report", "report|FILE");
	bad("rx 1 report _", "report|empty");
	good("rx 1");
	CHECK(o.key[0] == '\0');
	good("rx 1 key /etc/k");
	CHECK(strcmp(o.key, "/etc/k") == 0);
	good("tx a 1 key k");
	CHECK(strcmp(o.key, "k") == 0);
	bad("rx 1 key", "key|FILE");
	bad("rx 1 key _", "key|empty");
	bad("rx 1 key a key b", "\"key\"|twice");
	bad("rx 1 size 8388608T", "size|8388608T|0-8388607T");
	bad("rx 1 size -1", "size|\"-1\"");
	good("rx 1 size 8388607T");
	memcpy(line, "rx 1 report ", 12);
	memset(line + 12, 'x', OPTIONS_FILE_SIZE);
	line[12 + OPTIONS_FILE_SIZE - 1] = '\0';
	good(line);
	CHECK(strlen(o.report) == OPTIONS_FILE_SIZE - 1);
	line[12 + OPTIONS_FILE_SIZE - 1] = 'x';
	line[12 + OPTIONS_FILE_SIZE] = '\0';
	bad(line, "report|too long");
}

static void
test_help(void)
{
	good("-h");
	CHECK(o.mode == OPTIONS_HELP);
	good("--help");
	CHECK(o.mode == OPTIONS_HELP);
	good("-V");
	CHECK(o.mode == OPTIONS_VERSION);
	good("key");
	CHECK(o.mode == OPTIONS_KEY);
	bad("key x", "tx");
	good("--version frobnicate");
	CHECK(o.mode == OPTIONS_VERSION);
	good("tx a 1 -h");
	CHECK(o.mode == OPTIONS_HELP);
	good("legs 99 --help");
	CHECK(o.mode == OPTIONS_HELP);
	bad("frobnicate --help", "\"frobnicate\"");
	/* As an argument it is an argument. */
	bad("tx -h 5", "\"-h\"");
	bad("rx --help", "\"--help\"");
}

/* What follows belongs to the command, whatever it looks like. */
static void
test_commands(void)
{
	good("rx 1 verbose 3 exec tar -x --help tx rx exec verbose _ %s");
	CHECK(o.mode == OPTIONS_RX && o.verbose == 3 && strcmp(o.command[0], "tar") == 0);
	CHECK(strcmp(o.command[2], "--help") == 0 && strcmp(o.command[3], "tx") == 0);
	CHECK(strcmp(o.command[5], "exec") == 0 && o.command[7][0] == '\0');
	CHECK(strcmp(o.command[8], "%s") == 0 && o.command[9] == NULL);
	good("tx a 1 checksum source -V");
	CHECK(o.mode == OPTIONS_TX && o.checksum && strcmp(o.command[0], "-V") == 0);
	CHECK(o.command[1] == NULL);
	good("rx 1");
	CHECK(o.command == NULL);
	good("rx 1 exec a _");
	bad("rx 1 exec", "\"exec\"|exec COMMAND ...");
	bad("rx 1 exec _", "exec|\"\"|empty");
	bad("rx 1 exec \t\n", "exec|empty");
	bad("rx 1 exec _ a", "exec|empty");
	bad("tx a 1 source", "\"source\"|source COMMAND ...");
	bad("tx a 1 source _", "source|\"\"|empty");
	bad("tx a 1 exec a", "\"exec\"|rx");
	bad("rx 1 source a", "\"source\"|tx");
	bad("exec rx 1", "neither");
	good("--help exec");
	CHECK(o.mode == OPTIONS_HELP);
}

/* However long what is quoted, the reason stays short and in its buffer. */
static void
test_long_values(void)
{
	static char line[8000], small[16];
	char *argv[] = { small, line, NULL };

	memset(line, 'x', sizeof(line) - 1);
	CHECK(options_parse(&o, 2, argv, why, sizeof(why)) == -1);
	CHECK(strlen(why) < 200 && strstr(why, "legal: ") != NULL);
	CHECK(options_parse(&o, 2, argv, small, sizeof(small)) == -1);
	CHECK(strlen(small) == sizeof(small) - 1);
	CHECK(options_parse(&o, 0, argv + 2, why, sizeof(why)) == -1);
}

/* Random lines of words, values and rubbish: parsed or refused, no worse. */
static void
test_random(uint64_t seed)
{
	static const char *const pieces[] = { "tx", "rx", "duplex", "from", "legs",
	    "checkphrase", "checksum", "checksums", "window", "frame", "bind",
	    "wait", "timeout", "verbose", "heartbeat", "chaos", "congestion",
	    "quiet", "progress", "size", "report", "interval", "key", "name", "exec", "source",
	    "a", "::1", "[::1]", "1", "5", "64", "0", "64M", "4K", "abcd", "_",
	    "-", "99999999999999999999", "%s%n", "\377" };
	char line[2048];

	for (int round = 0; round < 200000; round++) {
		size_t n = 0, count = (size_t)(check_random(&seed) % 9);

		line[0] = '\0';
		for (size_t i = 0; i < count; i++)
			n += (size_t)snprintf(line + n, sizeof(line) - n,
			    "%s%s", i > 0 ? " " : "", pieces[check_random(&seed)
			    % (sizeof(pieces) / sizeof(pieces[0]))]);
		if (parse(line) == 0) {
			CHECK(why[0] == '\0');
			CHECK(o.mode == OPTIONS_TX ? o.npaths > 0 :
			    o.mode == OPTIONS_KEY ||
			    (o.mode == OPTIONS_RX && o.npaths == 0) ||
			    (o.mode == OPTIONS_DUPLEX && o.calls == (o.npaths > 0)));
			CHECK(!o.window_given || o.frame_bytes <= o.window_bytes / 4);
		} else
			CHECK(strstr(why, "legal: ") != NULL);
	}
}

static void
test_usage(void)
{
	char line[256];
	FILE *f = tmpfile();
	int lines = 0;

	CHECK(f != NULL);
	options_usage(f);
	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		size_t length = strcspn(line, "\n");

		CHECK(length <= 80 && line[length] == '\n');
		CHECK(length == 0 || line[length - 1] != ' ');
		CHECK(strchr(line, '\t') == NULL);
		lines++;
	}
	CHECK(lines > 40);
	(void)fclose(f);
}

/* The words that the remote side of ssh is given, as one line. */
static void
remote(const char *line, const char *words)
{
	char text[2048] = "";
	size_t i;

	good(line);
	for (i = 0; i < o.remote_count; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, o.remote_words[i]);
	}
	if (strcmp(text, words) != 0) {
		fprintf(stderr, "\"%s\": the remote side gets \"%s\", not \"%s\"\n", line, text,
		    words);
		exit(1);
	}
}

static void
test_ssh(void)
{
	remote("ssh h exec c", "rx 0 wait 60 exec c");
	CHECK(o.mode == OPTIONS_TX && o.calls && o.npaths == 0 && !o.tunnel);
	CHECK(strcmp(o.ssh_host, "h") == 0 && strcmp(o.inner, "127.0.0.1") == 0);
	CHECK(strcmp(o.ssh, "ssh") == 0 && strcmp(o.remote, "viamillipede") == 0);
	CHECK(o.command == NULL);
	remote("ssh u@h source c", "offer 0 wait 60 source c");
	CHECK(o.mode == OPTIONS_RX && o.calls);
	remote("ssh h run c checksum legs 3 bind 10.0.0.1",
	    "duplex 0 wait 60 checksum bind 10.0.0.1 run c");
	CHECK(o.mode == OPTIONS_DUPLEX && o.calls && o.runs && o.checksum && o.command == NULL);
	bad("ssh h run c exec d", "run|exec|source");
	bad("ssh h source d run c", "run|exec|source");
	bad("duplex 0 run c", "run|ssh");
	bad("duplex a 1 run c", "run");
	/* Each word goes to who has a use for it. */
	remote("ssh h source c checksum window 2M legs 3 timeout 9 frame 64K congestion x",
	    "offer 0 wait 60 checksum window 2M timeout 9 frame 64K congestion x source c");
	CHECK(o.legs == 3 && o.window_bytes == 2 << 20 && o.timeout_ms == 9000);
	CHECK(o.window_given && !o.frame_given && o.frame_bytes != 64 << 10);
	remote("ssh h exec c checksum progress size 5 report r interval 2 verbose 3 heartbeat 7",
	    "rx 0 wait 60 verbose 3 heartbeat 7 exec c");
	CHECK(o.checksum && o.progress && o.verbose == 3);
	remote("path a path b from c ports 5-7 ssh h exec c", "rx 5-7 wait 60 exec c");
	CHECK(o.npaths == 2 && strcmp(o.paths[1].from, "c") == 0);
	/* It waits at least as long as we do. */
	remote("ssh h exec c wait 5", "rx 0 wait 60 exec c");
	remote("ssh h exec c wait 300", "rx 0 wait 300 exec c");
	remote("ssh h exec c wait 0", "rx 0 wait 0 exec c");
	/* Nobody else reaches it; but where it listens is the user's to say. */
	remote("ssh h exec c tunnel", "rx 0 wait 60 bind 127.0.0.1 exec c");
	remote("ssh h exec c tunnel bind [::1]", "rx 0 wait 60 bind [::1] exec c");
	CHECK(strcmp(o.inner, "::1") == 0);
	remote("ssh h exec c bind 10.0.0.1", "rx 0 wait 60 bind 10.0.0.1 exec c");
	CHECK(strcmp(o.inner, "10.0.0.1") == 0);
	/* A command at either end. */
	good("ssh h exec c source d");
	CHECK(o.mode == OPTIONS_TX && o.calls && o.command[1] == NULL &&
	    strcmp(o.command[0], "d") == 0 && strcmp(o.remote_words[o.remote_count - 1], "c") == 0);
	good("ssh h source d window 8M exec c");
	CHECK(o.mode == OPTIONS_TX && strcmp(o.command[0], "d") == 0 &&
	    strcmp(o.remote_words[0], "rx") == 0 && strcmp(o.remote_words[o.remote_count - 2],
	    "exec") == 0);
	/* A word of ours after the command is not the command's. */
	remote("ssh h exec rx quiet", "rx 0 wait 60 exec rx");
	CHECK(o.quiet);
}

static void
test_ssh_refused(void)
{
	/* What is for the other side is judged here as well. */
	bad("ssh h source c frame 2", "frame|\"2\"|4K-1M");
	bad("ssh h", "exec COMMAND or source COMMAND");
	bad("ssh h exec c exec d", "twice");
	bad("ssh h exec c tunnel path a", "tunnel|path|exclude");
	bad("ssh h exec c tx a 1", "tx");
	bad("ssh h exec c rx 1", "rx");
	bad("ssh h exec c key k", "key");
	bad("ssh h exec c bind a/b", "bind|a/b");
	bad("ssh -x exec c", "-x");
	bad("ssh u@-x exec c", "u@-x");
	bad("ssh @h exec c", "@h");
	bad("ssh u@ exec c", "u@");
	bad("ssh _ exec c", "empty");
	bad("ssh h exec _", "empty");
	bad("ssh h exec c remote-program _", "remote");
	bad("ssh h exec c ports 7-5", "7-5");
	bad("serve rx 1", "serve");
}

/* What words were called before is understood, and not told. */
static void
test_old_words(void)
{
	good("tx a 1 threads 3");
	CHECK(o.legs == 3);
	good("ssh h exec c sshcommand 'x' remote /y");
	CHECK(strcmp(o.ssh, "'x'") == 0 && strcmp(o.remote, "/y") == 0);
	bad("tx a 1 threads 3 legs 3", "legs");
	bad("tx a 1 threads 0", "legs|1-64");
}

int
main(int argc, char **argv)
{
	uint64_t seed = check_seed(argc, argv, 20260731);

	test_defaults();
	test_any_order();
	test_sizes();
	test_frame_in_window();
	test_numbers();
	test_hosts();
	test_texts();
	test_paths();
	test_words();
	test_old_words();
	test_repeated();
	test_reports();
	test_help();
	test_commands();
	test_long_values();
	test_random(seed);
	test_usage();
	test_ssh();
	test_ssh_refused();
	return check_done();
}
