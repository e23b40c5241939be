/*
 * auth: the key, the proofs and the MACs.  See auth.h; runs in whichever thread
 * calls it, auth_load in the main thread before any other is there.
 */
#include "auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/*
 * What K is used for.  Each is fed with its final zero and before anything
 * else, so none is the beginning of another.
 */
static const char label_key[] = "viamillipede 1 key";
static const char label_caller[] = "viamillipede 1 proof of the caller";
static const char label_listener[] = "viamillipede 1 proof of the listener";
static const char label_up[] = "viamillipede 1 frames from caller to listener";
static const char label_down[] = "viamillipede 1 frames from listener to caller";

/* The key */

void
auth_init(struct auth *a)
{
	memset(a, 0, sizeof(*a));
	lock_init(&a->lock);
}

static int	fail(char *why, size_t size, const char *format, ...) LOG_FORMAT(3, 4);

/* Always -1. */
static int
fail(char *why, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, size, format, ap);
	va_end(ap);
	return -1;
}

static int
judge_length(size_t n, char *why, size_t size)
{
	if (n < AUTH_LEAST)
		return fail(why, size, "has %zu octets, which is too short; legal: %d or more",
		    n, AUTH_LEAST);
	if (n > AUTH_MOST)
		return fail(why, size, "is too long; legal: at most %u octets", AUTH_MOST);
	return 0;
}

static void
set_key(struct auth *a, struct sha256_hmac *h)
{
	sha256_hmac_final(h, a->key);
	a->given = a->alive = true;
}

int
auth_take(struct auth *a, const void *octets, size_t n, char *why, size_t size)
{
	struct sha256_hmac h;

	if (judge_length(n, why, size) == -1)
		return -1;
	sha256_hmac_init(&h, label_key, sizeof(label_key));
	sha256_hmac_add(&h, octets, n);
	set_key(a, &h);
	return 0;
}

/* What is read from a pipe was given to us on purpose, whatever its mode says. */
static int
judge_file(int fd, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return fail(why, size, "cannot be examined: %s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fail(why, size, "is a directory; legal: a file or a pipe");
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return fail(why, size, "is a device; legal: a file or a pipe");
	if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		return fail(why, size, "is open to its group or to others (mode %04o); "
		    "legal: to its owner only, as after chmod 600",
		    (unsigned)st.st_mode & 07777);
	return 0;
}

static int
read_key(struct auth *a, int fd, char *why, size_t size)
{
	struct sha256_hmac h;
	uint8_t octets[4096];
	size_t sum = 0;
	ssize_t n;
	int error = 0;

	sha256_hmac_init(&h, label_key, sizeof(label_key));
	while (sum <= AUTH_MOST && (n = read(fd, octets, sizeof(octets))) != 0) {
		if (n > 0) {
			sha256_hmac_add(&h, octets, (size_t)n);
			sum += (size_t)n;
		} else if (errno != EINTR) {
			error = errno;
			break;
		}
	}
	sha256_wipe(octets, sizeof(octets));
	if (error != 0)
		fail(why, size, "cannot be read: %s", strerror(error));
	else if (judge_length(sum, why, size) == -1)
		error = EINVAL;
	if (error == 0)
		set_key(a, &h);
	sha256_wipe(&h, sizeof(h));
	return error == 0 ? 0 : -1;
}

int
auth_load(struct auth *a, const char *file, char *why, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY), result;

	if (fd == -1)
		return fail(why, size, "cannot be opened: %s", strerror(errno));
	result = judge_file(fd, why, size);
	if (result == 0)
		result = read_key(a, fd, why, size);
	close(fd);
	return result;
}

void
auth_close(struct auth *a)
{
	lock_take(&a->lock);
	a->alive = false;
	sha256_wipe(a->key, sizeof(a->key));
	lock_drop(&a->lock);
}

/* Proofs */

void
auth_talk_init(struct auth_talk *talk)
{
	sha256_init(&talk->said);
}

void
auth_talk_add(struct auth_talk *talk, const uint8_t greeting[FRAME_GREETING])
{
	sha256_add(&talk->said, greeting, FRAME_GREETING);
}

/* HMAC under K of a label and the talk so far; false when there is no K any more. */
static bool
derive(struct auth *a, const struct auth_talk *talk, const char *label, size_t n,
    uint8_t out[SHA256_LENGTH])
{
	struct sha256 said = talk->said;
	uint8_t hash[SHA256_LENGTH];
	struct sha256_hmac h;
	bool alive;

	lock_take(&a->lock);
	alive = a->alive;
	if (alive)
		sha256_hmac_init(&h, a->key, sizeof(a->key));
	lock_drop(&a->lock);
	if (!alive)
		return false;
	sha256_final(&said, hash);
	sha256_hmac_add(&h, label, n);
	sha256_hmac_add(&h, hash, sizeof(hash));
	sha256_hmac_final(&h, out);
	return true;
}

bool
auth_prove(struct auth *a, const struct auth_talk *talk, enum auth_side side,
    uint8_t proof[FRAME_PROOF])
{
	return side == AUTH_CALLER ?
	    derive(a, talk, label_caller, sizeof(label_caller), proof) :
	    derive(a, talk, label_listener, sizeof(label_listener), proof);
}

bool
auth_proven(struct auth *a, const struct auth_talk *talk, enum auth_side side,
    const uint8_t proof[FRAME_PROOF])
{
	uint8_t right[FRAME_PROOF];
	bool good;

	if (!auth_prove(a, talk, side, right))
		return false;
	good = sha256_equal(right, proof, sizeof(right));
	sha256_wipe(right, sizeof(right));
	return good;
}

/* Frames */

bool
auth_ways(struct auth *a, const struct auth_talk *talk, enum auth_side side,
    struct auth_way *says, struct auth_way *hears)
{
	struct auth_way *up = side == AUTH_CALLER ? says : hears;
	struct auth_way *down = side == AUTH_CALLER ? hears : says;
	uint8_t key[SHA256_LENGTH];
	bool good;

	says->number = hears->number = 0;
	good = derive(a, talk, label_up, sizeof(label_up), key);
	if (good) {
		memcpy(up->key, key, SIPHASH_KEY);
		good = derive(a, talk, label_down, sizeof(label_down), key);
	}
	if (good)
		memcpy(down->key, key, SIPHASH_KEY);
	sha256_wipe(key, sizeof(key));
	return good;
}

void
auth_way_wipe(struct auth_way *way)
{
	sha256_wipe(way, sizeof(*way));
}

void
auth_frame_begin(struct auth_way *way, const uint8_t header[FRAME_HEADER], struct siphash *mac)
{
	uint64_t number = way->number++;
	uint8_t octets[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		octets[i] = (uint8_t)(number >> (56 - 8 * i));
	siphash_init(mac, way->key);
	siphash_add(mac, octets, sizeof(octets));
	siphash_add(mac, header, FRAME_HEADER);
}

bool
auth_frame_good(struct siphash *mac, const uint8_t said[FRAME_MAC])
{
	uint8_t right[FRAME_MAC];

	siphash_final(mac, right);
	return sha256_equal(right, said, sizeof(right));
}
