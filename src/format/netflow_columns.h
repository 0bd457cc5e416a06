/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_columns - records of a plain template straight into the columns of a batch, a column at a time.
 *
 * Plain (netflow_template.plain_family) is a template whose fields all have a fixed length and each fill one column of a
 * flow: nothing to choose between, no NAT event, no text. Its records become the same rows as by netflow_record and
 * netflow_complete; those stay the way of everything else.
 *
 * In:     records that lie one behind the other, all of one family and one sampling rate (struct netflow_plain).
 * Out:    values in columns as struct flow_batch keeps them: IPv4 as 32 bits in host order, IPv6 as struct ip.
 * Limits: no allocation; writes just the rows asked for.
 */
#pragma once

#include "format/netflow_sampling.h"

struct netflow_plain {
    const struct netflow_template *t;
    const struct netflow_clock *clock;
    const uint8_t *p; /* the first record; the next ones t->least_bytes apart */
    uint32_t n;
    uint32_t rate;    /* 1 in N for all of them; 0 or 1: not sampled */
};

/*
 * netflow_plain_is_one - whether the records agree on what a run must have in common: the bytes that say how they were
 * sampled (asked only if @sampling_matters) and, of IPv6, that none is an IPv4 address in disguise (::ffff:a.b.c.d).
 */
bool netflow_plain_is_one(const struct netflow_plain *r, bool sampling_matters);

/* netflow_plain_present - the fields that all rows of the run have. */
uint64_t netflow_plain_present(const struct netflow_plain *r);

/* where the rows go; @present holds netflow_plain_present already */
struct netflow_columns {
    void *const *column; /* by column of the flow: its first row of the batch */
    uint64_t *present;
    uint32_t row;        /* of the batch, for the first record */
};

/*
 * netflow_columns_decode - records [from, from + n) of the run.
 * Return: fields beyond netflow_plain_present that some of the rows have; their columns are written for all @n rows.
 */
uint64_t netflow_columns_decode(const struct netflow_plain *r, uint32_t from, uint32_t n, const struct netflow_columns *to);
