/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma_event - one row as the rules see it: values by slot, texts made once, conditions evaluated exactly.
 */
#pragma once

#include "watch/detect/sigma_inside.h"

enum sigma_truth { SIGMA_FALSE, SIGMA_TRUE, SIGMA_UNKNOWN };

struct sigma_seen {
    uint32_t generation;
    uint16_t first; /* value of the row, from 1; the next ones by `more` */
    uint16_t last;
};

struct sigma_text {
    const char *p;
    uint32_t n;
    uint32_t low;       /* offset in `lower`, from 1; 0: not made yet */
    uint32_t generation; /* p and n are of this row */
};

struct sigma_event {
    const struct sigma_rules *r;
    const struct events *e;
    uint32_t row, from, n;        /* values [from, from + n) of the batch */
    uint32_t generation;
    struct sigma_seen *seen;      /* by slot */
    uint16_t *more;               /* by value: the next of the same slot, from 1 */
    struct sigma_text *texts;     /* by value; the last one is the original */
    char (*numbers)[EVENT_VALUE_TEXT_MAX]; /* by value */
    struct buf lower;             /* lower-cased texts with separators between */
    bool only_keys;               /* other slots are unknown */
    bool is_bad;                  /* memory was out */
    pcre2_match_data *match_data;
    pcre2_match_context *match_context;
    uint64_t regex_limits;
    /* fields of events to slots */
    uint16_t *slots;              /* by field: EVENT_NAMES_MAX */
    uint8_t *is_ours;             /* by field: event.*, said by us and not by the log; no keyword is looked for there */
    uint32_t n_named;             /* fields looked at so far */
};

/* sigma_event_init - Return: 0 or -ENOMEM. */
int sigma_event_init(struct sigma_event *v, const struct sigma_rules *r);
void sigma_event_fini(struct sigma_event *v);
/* sigma_event_batch - a batch begins: names that appeared since get their slots. */
void sigma_event_batch(struct sigma_event *v, const struct events *e);
void sigma_event_row(struct sigma_event *v, uint32_t row);
/* sigma_event_test - UNKNOWN only with only_keys. */
enum sigma_truth sigma_event_test(struct sigma_event *v, const struct sigma_cnode *node);
/* sigma_event_lower - value @i (v->n: the original) in lower case. Return: offset in v->lower, from 1; 0 when memory is out. */
uint32_t sigma_event_lower(struct sigma_event *v, uint32_t i, uint32_t *ret_n);
/* sigma_event_text - value @i as text (v->n: the original). @ret_is_lower: sigma_event_lower was asked for it before. */
struct text sigma_event_text(struct sigma_event *v, uint32_t i, bool *ret_is_lower);
/* sigma_event_first - the first value of a list, or NULL. */
const struct event_value *sigma_event_first(struct sigma_event *v, uint32_t list);
