/*
 * key: the key that both ends share.  See key.h; key_psk runs in whichever thread
 * shakes hands, the rest in the main thread before any other is there.
 */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/entropy.h"
#include "crypto/hkdf.h"
#include "crypto/secret.h"
#include "sys/log.h"

/* With their final zeros, so that none is the beginning of another. */
static const char label_file[] = "viamillipede 2 key file";
static const char label_psk[] = "viamillipede 2 psk";

void
key_init(struct key *k, const char phrase[KEY_PHRASE], const char *name)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->phrase, phrase, KEY_PHRASE);
	k->name = name;
	lock_init(&k->lock);
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
	if (n < KEY_MIN)
		return fail(why, size, "has %zu bytes, which is too short; legal: %d or more",
		    n, KEY_MIN);
	if (n > KEY_MAX)
		return fail(why, size, "is too long; legal: at most %u bytes", KEY_MAX);
	return 0;
}

/* HKDF-Extract: the file's bytes come in pieces, however cut. */
static void
extract_begin(struct sha256_hmac *h)
{
	sha256_hmac_init(h, label_file, sizeof(label_file));
}

/* HKDF-Expand, with what tells the transfers apart; each part has a known end. */
static int
set_key(struct key *k, struct sha256_hmac *h, char *why, size_t size)
{
	uint8_t secret[SHA256_LENGTH], info[sizeof(label_psk) + KEY_PHRASE + 1 + UINT8_MAX];
	size_t n = strlen(k->name);
	uint8_t *p = info;

	k->psk = secret_new(NOISE_KEY);
	if (k->psk == NULL)
		return fail(why, size, "finds no memory: %s", strerror(errno));
	memcpy(p, label_psk, sizeof(label_psk));
	p += sizeof(label_psk);
	memcpy(p, k->phrase, KEY_PHRASE);
	p += KEY_PHRASE;
	*p++ = (uint8_t)n;
	memcpy(p, k->name, n);
	p += n;
	sha256_hmac_final(h, secret);
	hkdf_expand(k->psk, NOISE_KEY, secret, info, (size_t)(p - info));
	sha256_wipe(secret, sizeof(secret));
	k->given = true;
	return 0;
}

int
key_take(struct key *k, const void *bytes, size_t n, char *why, size_t size)
{
	struct sha256_hmac h;

	if (judge_length(n, why, size) == -1)
		return -1;
	extract_begin(&h);
	sha256_hmac_add(&h, bytes, n);
	return set_key(k, &h, why, size);
}

/*
 * Nobody else may know the key, or choose it.  What is read from a pipe may be
 * read by whoever likes: it was given to us.
 */
static int
judge_stat(const struct stat *st, char *why, size_t size)
{
	unsigned mode = (unsigned)st->st_mode & 07777;

	if (S_ISDIR(st->st_mode))
		return fail(why, size, "is a directory; legal: a file or a pipe");
	if (!S_ISREG(st->st_mode) && !S_ISFIFO(st->st_mode))
		return fail(why, size, "is a device; legal: a file or a pipe");
	if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != getuid())
		return fail(why, size, "belongs to another user (number %lu); "
		    "legal: to you or to root", (unsigned long)st->st_uid);
	if (S_ISREG(st->st_mode) && (mode & 077) != 0)
		return fail(why, size, "is open to its group or to others (mode %04o); "
		    "legal: to its owner only, as after chmod 600", mode);
	if (S_ISFIFO(st->st_mode) && (mode & 022) != 0)
		return fail(why, size, "may be written by its group or by others (mode %04o); "
		    "legal: by its owner only, as after chmod 600", mode);
	return 0;
}

static int
judge_file(int fd, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return fail(why, size, "cannot be examined: %s", strerror(errno));
	return judge_stat(&st, why, size);
}

static int
read_key(struct key *k, int fd, char *why, size_t size)
{
	struct sha256_hmac h;
	uint8_t bytes[4096], first = 0, others = 0;
	size_t sum = 0;
	ssize_t n, i;
	int error = 0;

	extract_begin(&h);
	while (sum <= KEY_MAX && (n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (n > 0) {
			first = sum == 0 ? bytes[0] : first;
			for (i = 0; i < n; i++)
				others |= bytes[i] ^ first;
			sha256_hmac_add(&h, bytes, (size_t)n);
			sum += (size_t)n;
		} else if (errno != EINTR) {
			error = errno;
			break;
		}
	}
	sha256_wipe(bytes, sizeof(bytes));
	if (error != 0)
		fail(why, size, "cannot be read: %s", strerror(error));
	else if (judge_length(sum, why, size) == -1)
		error = EINVAL;
	else if (others == 0) {
		fail(why, size, "is one byte again and again; legal: random bytes, "
		    "as viamillipede key prints them");
		error = EINVAL;
	}

	if (error == 0)
		error = set_key(k, &h, why, size);
	sha256_wipe(&h, sizeof(h));
	return error == 0 ? 0 : -1;
}

int
key_load(struct key *k, const char *file, char *why, size_t size)
{
	int fd, result;
	struct stat st;

	/* A pipe of its own is opened when somebody writes to it: not if that may be anybody. */
	if (stat(file, &st) == 0 && S_ISFIFO(st.st_mode) && judge_stat(&st, why, size) == -1)
		return -1;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return fail(why, size, "cannot be opened: %s", strerror(errno));
	result = judge_file(fd, why, size);
	if (result == 0)
		result = read_key(k, fd, why, size);
	close(fd);
	return result;
}

int
key_print(FILE *f)
{
	uint8_t bytes[KEY_MIN];
	char text[2 * KEY_MIN + 2];
	int result;
	size_t i;

	if (entropy_fill(bytes, sizeof(bytes)) == -1)
		return -1;
	for (i = 0; i < sizeof(bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	text[2 * i] = '\n';
	/* Not by way of a buffer that nobody wipes. */
	setvbuf(f, NULL, _IONBF, 0);
	result = fwrite(text, 1, 2 * i + 1, f) == 2 * i + 1 ? 0 : -1;
	sha256_wipe(bytes, sizeof(bytes));
	sha256_wipe(text, sizeof(text));
	return result;
}

bool
key_psk(struct key *k, uint8_t psk[NOISE_KEY])
{
	bool there;

	lock_acquire(&k->lock);
	there = k->psk != NULL;
	if (there)
		memcpy(psk, k->psk, NOISE_KEY);
	lock_release(&k->lock);
	return there;
}

void
key_close(struct key *k)
{
	lock_acquire(&k->lock);
	secret_free(k->psk, NOISE_KEY);
	k->psk = NULL;
	lock_release(&k->lock);
}
