/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/config_own - between the files that read the configuration: the tree of a file, and values checked against tables.
 *
 * Every reader returns 0, 1 (refused: the fault names file, line, value and what was expected) or -ENOMEM.
 */
#pragma once

#include "node/config.h"

#include <yaml.h>

struct config_node {
    enum { SCALAR, SEQUENCE, MAPPING } kind;
    const char *text; /* of a scalar */
    size_t n_text;
    struct config_node *first, *next; /* children in order; a mapping alternates key and value */
    int line;
};

struct config_loader {
    yaml_parser_t parser;
    struct config *config;
    struct fault *fault;
    unsigned n_nodes;
};

typedef int (*config_reader)(struct config_loader *l, const struct config_node *v, void *to);

struct config_key {
    const char *name;
    config_reader read;
    size_t offset; /* of what it fills, from the base of the mapping */
};

/* config_duty - office: duty:, into a struct config_duty. */
int config_duty(struct config_loader *l, const struct config_node *v, void *to);

#define CONFIG_KEYS(table) table, sizeof(table) / sizeof(*table)

/* config_bad - refuse @value on @line. Return: 1. */
int config_bad(struct config_loader *l, int line, const char *value, const char *expected);
/* config_mapping - @m against its table: unknown and doubled keys are refused. */
int config_mapping(struct config_loader *l, const struct config_node *m, const struct config_key *keys, size_t n_keys, void *base);
int config_text(struct config_loader *l, const struct config_node *v, void *to);  /* const char *: not empty */
int config_path(struct config_loader *l, const struct config_node *v, void *to);  /* const char *: absolute */
int config_span(struct config_loader *l, const struct config_node *v, void *to);  /* int64_t microseconds */
int config_bytes(struct config_loader *l, const struct config_node *v, void *to); /* uint64_t */
int config_count(struct config_loader *l, const struct config_node *v, void *to); /* uint64_t above 0 */

/* config_leases - the mapping "leases". */
int config_leases(struct config_loader *l, const struct config_node *v, void *to);
/* config_place - "0.0.0.0:2055", "[::]:2055". */
int config_place(struct config_loader *l, const struct config_node *v, struct ip *ret_ip, uint16_t *ret_port);
/* config_office - the mapping "office"; @to: struct config_office. */
int config_office(struct config_loader *l, const struct config_node *v, void *to);
