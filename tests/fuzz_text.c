/*
 * Fuzz target: what people write, the option words and the specification of
 * chaos.
 *
 * Byte 0 chooses; for options the rest are the words, each ended by a
 * newline, for chaos it is the text.  A text that is accepted gives what is
 * within the manual's limits; one that is not, a reason.
 */
#include "fuzz.h"

#include "../chaos.h"
#include "../options.h"

#define WORDS	32

static void
judge_options(const struct options *o)
{
	bool ssh = o->ssh_host[0] != '\0';	/* then the ports, or all paths, come later */
	unsigned i;

	if (o->mode != OPTIONS_TX && o->mode != OPTIONS_RX && o->mode != OPTIONS_DUPLEX)
		return;
	MUST(ssh ? o->calls : o->calls == (o->npaths > 0));
	MUST(o->npaths <= OPTIONS_PATHS_MAX);
	for (i = 0; i < o->npaths; i++) {
		MUST(o->paths[i].host[0] != '\0');
		MUST(ssh || (atoi(o->paths[i].port) >= 1 && atoi(o->paths[i].port) <= 65535));
	}
	MUST(!o->calls || (o->legs >= 1 && o->legs <= OPTIONS_LEGS_MAX));
	MUST(!o->frame_given || (o->frame_bytes >= 4096 && o->frame_bytes <= 16u << 20));
	MUST(o->window_given ? o->window_bytes >= 1u << 20 &&
	    o->window_bytes <= (uint64_t)64 << 30 : o->window_bytes == 0);
	MUST(o->heartbeat_ms >= 1000 && o->heartbeat_ms <= 3600u * 1000);
	MUST(o->timeout_ms <= (uint64_t)1 << 50);
	MUST(o->verbose <= 20);
	MUST(!(o->progress && o->quiet));
	MUST(o->remote_count <= OPTIONS_REMOTE_MAX);
	MUST(o->command == NULL || o->command[0] != NULL);
	MUST(memchr(o->key, '\0', sizeof(o->key)) != NULL);
	MUST(memchr(o->chaos, '\0', sizeof(o->chaos)) != NULL);
	MUST(memchr(o->report, '\0', sizeof(o->report)) != NULL);
}

static void
try_options(char *text)
{
	static struct options options;
	char why[OPTIONS_WHY_SIZE] = "";
	char program[] = "viamillipede", *word[WORDS + 2] = { program };
	int n = 1;

	while (*text != '\0' && n <= WORDS) {
		word[n++] = text;
		text += strcspn(text, "\n");
		if (*text != '\0')
			*text++ = '\0';
	}
	word[n] = NULL;
	if (options_parse(&options, n, word, why, sizeof(why)) == 0)
		judge_options(&options);
	else
		MUST(why[0] != '\0' && memchr(why, '\0', sizeof(why)) != NULL);
}

static void
try_chaos(const char *text)
{
	char why[OPTIONS_WHY_SIZE] = "";
	struct chaos_spec spec;

	if (chaos_parse(text, &spec, why, sizeof(why)) == 0)
		MUST(spec.every >= 1 && spec.every <= 1000000000 && spec.kinds != 0 &&
		    spec.kinds < 1u << CHAOS_KINDS);
	else
		MUST(why[0] != '\0' && memchr(why, '\0', sizeof(why)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	MUST(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] % 2 == 0)
		try_options(text);
	else
		try_chaos(text);
	free(text);
	return 0;
}
