/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_record - the records of a data set, a run at a time, by the ops of their template.
 *
 * In:     a cursor over a data set and its compiled template.
 * Out:    struct flow and netflow_extra rows, as exported: nothing is multiplied or defaulted here.
 * Limits: no allocation; a run is at most NETFLOW_RUN records; every step consumes at least one byte.
 * Source: RFC 7011 6.1 (encodings), 6.2 (reduced size), 7 (variable length).
 */
#pragma once

#include "base/cursor.h"
#include "format/netflow.h"
#include "format/netflow_template.h"

/* the clock of the message the records stand in */
struct netflow_clock {
    int64_t exported_us, received_us;
    int64_t init_us;    /* when sysUpTime was 0; only if has_init and not has_uptime */
    uint32_t uptime_ms; /* sysUpTime at exported_us; only if has_uptime (v9) */
    bool has_uptime, has_init;
};

/* rows of one run; the rows of a template that lacks a field keep that member zero: see netflow_rows_for */
struct netflow_rows {
    const struct netflow_template *last; /* whose fields may stand in the rows */
    struct flow flows[NETFLOW_RUN];
    struct netflow_extra extras[NETFLOW_RUN];
    uint8_t packed[65536]; /* the fixed fields of records of variable length, side by side */
};

/* netflow_rows_for - make the rows fit for @t: what another template left is cleared. */
void netflow_rows_for(struct netflow_rows *rows, const struct netflow_template *t);

/*
 * netflow_run - decode the next run.
 * @set:     moved past the records
 * @ret_n:   records in @rows, up to NETFLOW_RUN; 0 at the end
 * Return: 0, or 1: the set ends within a record of variable length (what came before is in @rows).
 */
int netflow_run(const struct netflow_template *t, struct cursor *set, const struct netflow_clock *clock,
                struct netflow_rows *rows, uint32_t *ret_n);

/* netflow_skip - walk to the end without decoding. Return: the number of records; *ret_is_cut as above. */
uint32_t netflow_skip(const struct netflow_template *t, struct cursor *set, bool *ret_is_cut);
