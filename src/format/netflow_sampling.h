/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_sampling - what an exporter said about its sampling, and the rate of a record.
 *
 * In:     options records (decoded), then flow records.
 * Out:    1 in N for a record: what the record itself says, else its sampler's, its interface's, its template's rate,
 *         the exporter's only or general rate; 0 when nothing is known.
 * Limits: NETFLOW_SAMPLERS_MAX entries per domain, sorted; memory only for a new one.
 * Source: NetFlow v9 types 34, 48..50; RFC 5477 (302..311).
 */
#pragma once

#include "format/netflow_record.h"

#define NETFLOW_SAMPLERS_MAX 4096u

enum netflow_sampler_kind { NETFLOW_BY_SELECTOR, NETFLOW_BY_INTERFACE, NETFLOW_BY_TEMPLATE, NETFLOW_N_SAMPLER_KINDS };

struct netflow_sampler {
    uint64_t key;
    uint32_t rate;
    uint8_t kind;
};

struct netflow_sampling {
    struct netflow_sampler *entries; /* sorted by kind and key */
    uint32_t n, capacity;
    uint32_t n_of[NETFLOW_N_SAMPLER_KINDS];
    uint32_t general; /* 0: not said */
};

/*
 * netflow_sampling_learn - one options record.
 * @may_grow: whether the table may take netflow_sampling_growth bytes more
 * Return: 0; 1: nothing about sampling in it; NETFLOW_SAMPLING_FULL; -ENOMEM.
 */
#define NETFLOW_SAMPLING_FULL 2
int netflow_sampling_learn(struct netflow_sampling *s, const struct netflow_template *t, const struct flow *f,
                           const struct netflow_extra *e, bool may_grow);
size_t netflow_sampling_growth(const struct netflow_sampling *s);
/* netflow_sampling_rate - 1 in N of a flow record of template @t. */
uint32_t netflow_sampling_rate(const struct netflow_sampling *s, const struct netflow_template *t, const struct flow *f,
                               const struct netflow_extra *e);
/* netflow_sampling_matters - whether records of @t can have a rate at all: asked once per run. */
bool netflow_sampling_matters(const struct netflow_sampling *s, const struct netflow_template *t);
/* netflow_sampling_is_by_interface - records of @t may have different rates though they say the same about sampling. */
bool netflow_sampling_is_by_interface(const struct netflow_sampling *s, const struct netflow_template *t);
void netflow_sampling_fini(struct netflow_sampling *s);
