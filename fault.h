/*
 * fault: what chaos asks for, done to a leg.  chaos.h decides when and which.
 */
#ifndef FAULT_H
#define FAULT_H

struct leg;

/* The fault that is pending happens now.  NULL, or why the leg ends by it. */
const char *fault_act(struct leg *leg);

#endif
