/*
 * time: the units that times are kept in, for every layer: nanoseconds, unless a
 * name says something else.  What time it is only sys/clock.h knows.
 */
#ifndef TIME_UNITS_H
#define TIME_UNITS_H

#define SECOND		1000000000ULL
#define MS		1000000ULL

#endif
