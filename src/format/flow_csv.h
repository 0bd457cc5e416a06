/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/flow_csv - any separated text with a header, through names.
 *
 * A column means what the mapping says; without one, what its own name says:
 * ECS names and aliases of format/flow.h (so our own csv output reads back), and
 * what programs and people usually call it, with and without diacritics. What
 * nobody knows is kept as a text under its own name.
 * Fuzz: tests/fuzz/flow_text.c
 */
#pragma once

#include "format/flow_field.h"

/* one pair of a mapping: the column called @column holds the ECS field (or alias) @ecs */
struct flow_mapping {
    const char *ecs, *column;
};

/* flow_csv_known_ecs - what an ECS name or alias means; NULL if it is none. Static. */
const struct flow_known *flow_csv_known_ecs(struct text name);
/* flow_csv_mapping_parse - "ecs=column" cut in place at '='. Return: 0, or 1 (no '=', or no ECS name we know). */
int flow_csv_mapping_parse(char *pair, struct flow_mapping *ret);

/* flow_csv_plan - Return: 0, -ENOMEM, or 1: the header does not hold two addresses and a time. */
int flow_csv_plan(struct flow_plan *p, const struct csv_record *header, const struct flow_mapping *mapping, uint32_t n);
