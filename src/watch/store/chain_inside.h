/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/chain_inside - what writing and checking the chain share; for chain*.c only.
 */
#pragma once

#include "watch/store/chain.h"

#include "base/text.h"

#define CHAIN_BYTES_MAX ((size_t)1 << 30)
#define CHAIN_MAGIC_1 "VGCHAIN 1" /* lines without rows= and from= */
#define CHAIN_MAGIC "VGCHAIN 2"

struct chain_line {
    uint64_t id, n_rows;
    struct sha256 content, link;
    struct log_digest rows;
    bool has_rows;
    struct text from; /* "12,15"; empty: not merged */
    size_t n_said;    /* bytes the link covers */
};

/* chain_parse - a line without its end. Return: 0 or 1. */
int chain_parse(struct text t, struct chain_line *ret);
/* chain_next - the next line of @rest. Return: false when no whole one is left. */
bool chain_next(struct text *rest, struct text *ret);
bool chain_is_magic(struct text t);
struct sha256 chain_link(const struct sha256 *before, const char *said, size_t n);
int chain_hash_segment(int segments_fd, uint64_t id, struct sha256 *ret);
/* chain_add_id - Return: 0 or -ENOMEM. */
int chain_add_id(struct chain *c, uint64_t id);
/* chain_next_id - of "12,15". Return: 0 (taken), 1 (malformed). */
int chain_next_id(struct text *rest, uint64_t *ret);
