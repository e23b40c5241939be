/*
 * half: to whom tx and rx report.  See half.h.
 */
#include "half.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
half_fail(const struct half_owner *owner, enum failure reason, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	owner->failed(owner->cookie, reason, text);
}

void
half_fail_errno(const struct half_owner *owner, enum failure reason, const char *what, int error)
{
	half_fail(owner, reason, "%s: %s", what, strerror(error));
}
