/* SPDX-License-Identifier: Apache-2.0 */
/* netflow_decoder - one decoder per test, and what it gave: for the tests of NetFlow v9 and IPFIX. */
#pragma once

#include "cmocka_house.h"

#include "netflow_case.h"

#define NOW_S 1600000000u

static struct built b;
static struct kept k;
static struct netflow_result r;
static struct netflow *n;

/* begin, end - set-up and tear-down of every test. */
static int begin(void **state)
{
    (void)state;
    n = netflow_new(NULL);
    k = (struct kept){0};
    if (n)
        netflow_set_nat_sink(n, keep_nat, &k);
    return n ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    netflow_free(n);
    return 0;
}

/* give_one_record - a datagram of @version with a template of @f and one record of it. */
static inline void give_one_record(int version, const struct specifier *f, size_t n_fields, const uint8_t *record, size_t n_bytes)
{
    static uint32_t sequence;
    if (version == 9)
        v9_header(&b, 100000, NOW_S, ++sequence, 0);
    else
        ipfix_header(&b, NOW_S, 0, 0);
    put_template(&b, version == 9 ? 0 : 2, 300, f, n_fields);
    set_open(&b, 300);
    put_bytes(&b, record, n_bytes);
    set_close(&b);
    if (version == 10)
        ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
}
