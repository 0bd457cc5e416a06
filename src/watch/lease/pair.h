/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/pair - begins and ends told apart become whole leases.
 *
 * A begin waits until its end comes: the same gateway, outside address, ports, protocol, inside address and subscriber (an
 * end that names no subscriber or no inside address closes what holds the ports). A begin said twice waits once. What waits at
 * the end goes out open, an end without begin as such. Limits: READ_OPEN_MAX wait, then the oldest goes out open. One thread.
 */
#pragma once

#include "watch/lease/read.h"

struct pairs;

/* pairs_new - @out takes finished rows. Return: NULL when memory is out. */
struct pairs *pairs_new(uint32_t max_open, int (*out)(void *context, const struct lease_row *r), void *context);
void pairs_free(struct pairs *p);
/*
 * pairs_begin - @r without end. pairs_end - @r without begin, r->l.to_us is when. Return: 0, -ENOMEM, or what @out answered;
 * PAIRS_JOINED: an end closed a begin, a begin was said again.
 */
#define PAIRS_JOINED 1
int pairs_begin(struct pairs *p, const struct lease_row *r);
int pairs_end(struct pairs *p, const struct lease_row *r);
/* pairs_restart - what @gateway had given is over at @at_us: those begins go out with that end. */
int pairs_restart(struct pairs *p, struct text gateway, int64_t at_us);
/* pairs_flush - what waits goes out open, oldest first. @ret_n: how many. */
int pairs_flush(struct pairs *p, uint64_t *ret_n);
