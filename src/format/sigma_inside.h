/* SPDX-License-Identifier: Apache-2.0 */
/* format/sigma_inside - what the files of format/sigma share. */
#pragma once

#include "format/sigma.h"

struct sigma_parser {
    const struct sigma_options *options;
    struct arena *arena;
    struct sigma_rule *rule; /* takes the refusal */
    uint32_t n_values;
};

/* sigma_refuse - Return: 1. @detail: hostile bytes, escaped and cut here. */
int sigma_refuse(struct sigma_parser *p, enum sigma_reason reason, uint32_t line, struct text detail);

/* a named search of a rule */
struct sigma_named {
    struct text name;
    struct sigma_node *node;
};

/* All return 0, 1 (refused, said in the rule) or -ENOMEM. */
int sigma_parse_search(struct sigma_parser *p, const struct yaml_tree *t, struct sigma_node **ret);
int sigma_parse_item(struct sigma_parser *p, struct text key, const struct yaml_tree *values, struct sigma_node **ret);
int sigma_parse_condition(struct sigma_parser *p, const struct yaml_tree *t, const struct sigma_named *searches,
                          uint32_t n, struct sigma_node **ret);
int sigma_parse_correlation(struct sigma_parser *p, const struct yaml_tree *document, const struct yaml_tree *t);
int sigma_parse_texts(struct sigma_parser *p, const struct yaml_tree *t, enum sigma_reason reason, struct text **ret, uint32_t *ret_n);
/* sigma_node_new - with room for @n children; NULL when memory is out. */
struct sigma_node *sigma_node_new(struct arena *arena, enum sigma_node_kind kind, uint32_t n);

/* sigma_text_pattern - wildcards and escapes of @t as marks; NULL .p when memory is out. Malformed UTF-8 never gets here. */
struct text sigma_text_pattern(struct arena *arena, struct text t);
