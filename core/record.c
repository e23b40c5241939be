/*
 * record: the heads of records.  See record.h.
 */
#include "core/record.h"

#include <stddef.h>
#include <string.h>

/* What the value of each type may be, and whether it has a reason. */
static const struct {
	uint32_t least, most;
	uint8_t reasons;
} limits[] = {
	[RECORD_OPEN] = { 0, 0, 0 },
	[RECORD_DATA] = { 1, RECORD_DATA_MAX, 0 },
	[RECORD_CREDIT] = { 1, RECORD_CREDIT_MAX, 0 },
	[RECORD_FIN] = { 0, 0, 0 },
	[RECORD_RESET] = { 0, 0, STREAM_PROTOCOL },
	[RECORD_CLOSE] = { 0, 0, 0 }
};

#define TYPES	(sizeof(limits) / sizeof(limits[0]))

static void
put_32(uint8_t *to, uint32_t n)
{
	to[0] = (uint8_t)(n >> 24);
	to[1] = (uint8_t)(n >> 16);
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
}

static uint32_t
get_32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

void
record_encode(const struct record *record, uint8_t out[RECORD_HEAD])
{
	memset(out, 0, RECORD_HEAD);
	out[0] = (uint8_t)record->type;
	out[1] = (uint8_t)record->reason;
	put_32(out + 4, record->number);
	put_32(out + 8, record->value);
}

const char *
record_decode(struct record *record, const uint8_t in[RECORD_HEAD])
{
	if (in[0] == 0 || in[0] >= TYPES)
		return "a record of a type that is not known";
	record->type = (enum record_type)in[0];
	record->reason = (enum stream_reason)in[1];
	record->number = get_32(in + 4);
	record->value = get_32(in + 8);
	if (in[2] != 0 || in[3] != 0)
		return "reserved bytes of a record are not zero";
	if (record->number == 0)
		return "a record of stream 0";
	if (record->value < limits[in[0]].least || record->value > limits[in[0]].most)
		return "a record whose length or credit is out of range";
	if (in[1] > limits[in[0]].reasons || (in[1] == 0 && limits[in[0]].reasons != 0))
		return "a record whose reason is not known";
	return NULL;
}

const char *
record_reason(enum stream_reason reason)
{
	switch (reason) {
	case STREAM_LOST:
		return "the connection was reset";
	case STREAM_REFUSED:
		return "nothing listens there";
	case STREAM_UNREACHABLE:
		return "it does not answer";
	case STREAM_NOWHERE:
		return "the other side has no terminate";
	case STREAM_RESOURCE:
		return "no memory or no more descriptors there";
	case STREAM_PROTOCOL:
		return "the other side broke the protocol";
	}
	return NULL;
}
