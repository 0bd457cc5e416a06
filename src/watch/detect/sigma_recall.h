/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma_recall - which literals a value holds, remembered: logs name the same programs, users and hosts again
 * and again, and what was looked through once need not be looked through again.
 *
 * In:     values as they stand in events (untrusted, any bytes) and the passes they are looked through by
 * Out:    the literals found in them; a value is known by all its bytes, never by its hash alone
 * Limits: values of SIGMA_RECALL_TEXT bytes with SIGMA_RECALL_LITERALS literals at most; SIGMA_RECALL_ENTRIES values, the ones not
 *         asked for lately give way. Memory: about 1.7 MiB. One thread.
 */
#pragma once

#include "base/text.h"

enum { SIGMA_RECALL_TEXT = 256, SIGMA_RECALL_LITERALS = 30, SIGMA_RECALL_ENTRIES = 4096 };
enum { SIGMA_RECALL_PASS_SHIFT = 26 }; /* a literal: its pass above, its number in it below */

struct sigma_recalled {
    uint64_t hash, passes;
    uint16_t n, n_literals;
    uint8_t state; /* of sigma_recall.c */
    bool is_recent;
    uint32_t literals[SIGMA_RECALL_LITERALS];
    char text[SIGMA_RECALL_TEXT];
};

struct sigma_recall;
/* sigma_recall_new - Return: NULL when memory is out. */
struct sigma_recall *sigma_recall_new(void);
void sigma_recall_free(struct sigma_recall *r);
/*
 * sigma_recall_find - what is known of @t, looked through by @passes. Return: NULL when nothing is: then *ret_open is a place
 * for it, or NULL: it is not to be kept.
 */
const struct sigma_recalled *sigma_recall_find(struct sigma_recall *r, uint64_t passes, struct text t, struct sigma_recalled **ret_open);
/* sigma_recall_add - a literal of an open one. */
void sigma_recall_add(struct sigma_recalled *e, uint32_t pass, uint32_t literal);
/* sigma_recall_close - all of its literals were added; @is_whole false: the search was given up. */
void sigma_recall_close(struct sigma_recalled *e, bool is_whole);
