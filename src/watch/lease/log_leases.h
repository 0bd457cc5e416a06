/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/log_leases - leases out of stored log events: what decoders marked with vonggac.lease.kind (docs/logs.md).
 */
#pragma once

#include "format/event.h"
#include "watch/lease/read.h"

/* numbers of the fields, looked up once per table of names */
struct lease_fields {
    uint16_t clock_offset, calling_station, nas_port_id, nas_port, nas;
    uint16_t kind, event, port_start, port_end, vrf, seconds, subscriber, client_name, protocol;
};
void lease_fields_find(const struct event_names *names, struct lease_fields *ret);

/*
 * lease_of_event - the rows of one event; several of one message each.
 * @each: 0, or <0: handed up. A value that cannot be (no address, ports the wrong way) makes no row: @ret_refused counts.
 * Return: 0 (also when the event is none of these), or what @each answered.
 */
int lease_of_event(const struct events *e, uint32_t row, const struct lease_fields *f, uint64_t *ret_refused,
                   int (*each)(void *context, const struct lease_row *r, enum lease_word word), void *context);
