/*
 * Goal: a name means what the resolver says now; an address needs no resolver;
 * one that hangs costs half a second when there is an older answer, and who
 * waits can be called away.  The resolver is this file's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "sys/clock.h"
#include "sys/lookup.h"
#include "sys/wake.h"

static const char name[] = "receiver.test", other[] = "other.test", port[] = "4711";
static atomic_int asked, hangs, fails;
static _Atomic uint32_t means;

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
	struct addrinfo *ai;
	struct sockaddr_in *sin;
	uint32_t address = means;

	(void)service;
	if ((hints->ai_flags & AI_NUMERICHOST) != 0) {
		if (inet_addr(host) == INADDR_NONE)
			return EAI_NONAME;
		address = ntohl(inet_addr(host));
	} else {
		asked++;
		while (hangs)
			usleep(1000);
		if (fails)
			return EAI_AGAIN;
		address = means;
	}
	ai = calloc(1, sizeof(*ai) + sizeof(*sin));
	sin = (struct sockaddr_in *)(void *)(ai + 1);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(address);
	sin->sin_port = htons((uint16_t)atoi(service));
	ai->ai_family = AF_INET;
	ai->ai_addr = (struct sockaddr *)sin;
	ai->ai_addrlen = sizeof(*sin);
	*out = ai;
	return 0;
}

void
freeaddrinfo(struct addrinfo *ai)
{
	free(ai);
}

static uint32_t
answer(const struct lookup *l)
{
	struct sockaddr_in sin;

	CHECK(l->answer.count == 1 && l->answer.list[0].family == AF_INET);
	memcpy(&sin, &l->answer.list[0].sa, sizeof(sin));
	CHECK(ntohs(sin.sin_port) == 4711);
	return ntohl(sin.sin_addr.s_addr);
}

int
main(void)
{
	static struct lookup l;
	struct lookup_answer now;
	char why[LOOKUP_WHY];
	struct wake wake;
	uint64_t began;

	CHECK(wake_init(&wake) == 0);
	CHECK(lookup(&l, "10.1.2.3", port, 1000, wake_fd(&wake), why) == 0);
	CHECK(answer(&l) == 0x0a010203 && asked == 0);

	means = 1;
	CHECK(lookup(&l, name, port, 1000, wake_fd(&wake), why) == 0);
	CHECK(answer(&l) == 1 && asked == 1);
	means = 2;
	CHECK(lookup(&l, name, port, 1000, wake_fd(&wake), why) == 0);
	CHECK(answer(&l) == 2 && asked == 2);

	/* It hangs: the older answer, soon; one question at a time. */
	hangs = 1;
	began = clock_now_ns();
	CHECK(lookup(&l, name, port, 60000, wake_fd(&wake), why) == 0 && answer(&l) == 2);
	CHECK(lookup(&l, name, port, 60000, wake_fd(&wake), why) == 0 && answer(&l) == 2);
	CHECK(clock_now_ns() - began >= 2 * 500000000ULL);
	CHECK(clock_now_ns() - began < 20 * 1000000000ULL);
	CHECK(asked == 3);
	means = 3;
	hangs = 0;
	CHECK(lookup(&l, name, port, 60000, wake_fd(&wake), why) == 0 && answer(&l) == 3);
	CHECK(asked == 3);

	/* An error is no better than an older answer, but better than none. */
	fails = 1;
	CHECK(lookup(&l, name, port, 60000, wake_fd(&wake), why) == 0 && answer(&l) == 3);
	CHECK(lookup(&l, other, port, 60000, wake_fd(&wake), why) == -1);
	CHECK(errno == EHOSTUNREACH && strcmp(why, gai_strerror(EAI_AGAIN)) == 0);
	fails = 0;

	/* Of another name nothing is known, and what is asked of it may be given up. */
	hangs = 1;
	CHECK(lookup(&l, other, port, 50, wake_fd(&wake), why) == -1 && errno == ETIMEDOUT);
	wake_signal(&wake);
	CHECK(lookup(&l, other, port, 60000, wake_fd(&wake), why) == -1 && errno == ECANCELED);
	wake_clear(&wake);
	/* Two questions are out there when this one is answered. */
	asked = 0;
	CHECK(lookup(&l, name, port, 50, wake_fd(&wake), why) == -1 && errno == ETIMEDOUT);
	while (asked == 0)
		usleep(1000);
	hangs = 0;
	means = 4;
	CHECK(lookup(&l, name, port, 60000, wake_fd(&wake), why) == 0);
	CHECK(lookup(&l, name, port, 60000, wake_fd(&wake), why) == 0 && answer(&l) == 4);
	CHECK(lookup_now("10.9.8.7", port, false, &now, why) == 0 && now.count == 1);
	wake_free(&wake);
	return check_done();
}
