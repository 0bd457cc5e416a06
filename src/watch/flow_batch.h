/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/flow_batch - the unit that moves: up to FLOW_BATCH_ROWS flows as columns, owned by one thread.
 *
 * A batch is of one family: `family` 4 holds only rows whose addresses are all
 * IPv4 (u32 columns, host order); any row with an IPv6 address goes to a batch
 * of family 6 (16-byte columns, IPv4 mapped). Only columns in `columns` hold
 * meaning; a row that lacks a field of a used column holds zero there and lacks
 * its bit in `present[]`. Column buffers are staggered modulo 4 KiB (equal
 * offsets made the scatter 6x slower, reference figure).
 *
 * Memory: about 1.3 MiB for family 4, 2 MiB for family 6, allocated once.
 */
#pragma once

#include "format/flow.h"

#define FLOW_BATCH_ROWS 8192u
#define FLOW_BATCH_OBSERVERS FLOW_BATCH_ROWS /* a block of the store may hold that many */
#define FLOW_BATCH_TEXT_MAX ((size_t)8 << 20)

struct flow_batch {
    int family;       /* 4 or 6 */
    uint32_t n;       /* rows */
    uint64_t columns; /* FLOW_HAS...: union of all rows' present */
    uint64_t *present;
    union {
        uint32_t *v4[FLOW_N_ADDRESSES];
        struct ip *v6[FLOW_N_ADDRESSES];
    };
    void *number[FLOW_N_NUMBERS]; /* arrays of the C type in FLOW_NUMBERS */
    void *column[FLOW_COLUMN_TEXT]; /* all of these arrays again, by column */
    uint32_t *text_end;           /* texts of row i: bytes text_end[i-1] (0 for i=0) .. text_end[i] */
    struct buf text;
    struct flow_observer observers[FLOW_BATCH_OBSERVERS]; /* number[FLOW_OBSERVER] indexes this */
    uint32_t n_observers;
    void *memory;
};

/* flow_batch_new - @family 4 or 6. Return: NULL when memory is out. */
struct flow_batch *flow_batch_new(int family);
void flow_batch_free(struct flow_batch *b);
void flow_batch_clear(struct flow_batch *b);

/*
 * flow_batch_observer - index of an observer in the batch, added if new.
 * Return: 0, or 1 (FLOW_BATCH_FULL: the table is full, hand the batch on first).
 */
#define FLOW_BATCH_FULL 1
int flow_batch_observer(struct flow_batch *b, const struct flow_observer *o, uint32_t *ret_index);

/* flow_needs_v6 - whether this row must go to a batch of family 6. */
bool flow_needs_v6(const struct flow *f);

/*
 * flow_batch_add - append @n rows; @flows[i].observer must index b->observers when FLOW_HAS(FLOW_OBSERVER) is set.
 * All rows must fit the family.
 * @ret_taken: how many were appended: less than @n when the batch is full (rows or texts).
 * Return: 0, or FLOW_BATCH_FULL; -ENOMEM when texts could not be kept (the row is not appended).
 */
int flow_batch_add(struct flow_batch *b, const struct flow *flows, uint32_t n, uint32_t *ret_taken);

/*
 * flow_batch_open - make place for @n rows that all have just the fields @present (no texts), whose columns
 * the caller then writes itself at index b->n..b->n + n - 1 of v4[] or v6[] and number[]; present[] is written here.
 * flow_batch_extend - the opened rows turned out to have @more fields here and there: the caller has written their
 * columns for every opened row (zero where it lacks the field) and set the bits in present[].
 * flow_batch_close - they are written. Return of open: 0, or FLOW_BATCH_FULL (fewer than @n rows are free: hand it on).
 */
int flow_batch_open(struct flow_batch *b, uint64_t present, uint32_t n);
void flow_batch_extend(struct flow_batch *b, uint64_t more);
void flow_batch_close(struct flow_batch *b, uint32_t n);
/*
 * flow_batch_mark_icmp - of @n opened rows: those of protocol 1 get FLOW_ICMP from their destination port, where
 * NetFlow version 5 keeps type * 256 + code.
 */
void flow_batch_mark_icmp(struct flow_batch *b, uint32_t n);

/* flow_batch_get - row @i as a struct flow; texts borrowed from the batch. */
void flow_batch_get(const struct flow_batch *b, uint32_t i, struct flow *ret);
/* flow_batch_number - value of a number column as 64 bits (signed types sign-extended). */
uint64_t flow_batch_number(const struct flow_batch *b, enum flow_number n, uint32_t i);
/* flow_batch_texts - the packed texts of row @i. */
struct text flow_batch_texts(const struct flow_batch *b, uint32_t i);

/*
 * flow_sorter - the two open batches of a thread, and who takes them when full.
 * The sink borrows the batch for the call; afterwards the sorter clears it.
 */
struct flow_sorter {
    struct flow_batch *v4, *v6; /* v6 made on first need */
    int (*sink)(void *context, struct flow_batch *b); /* 0 or <0, handed up */
    void *context;
};

/* flow_sorter_put - rows from one observer (NULL: rows carry none). Return: 0 or <0. */
int flow_sorter_put(struct flow_sorter *s, const struct flow *flows, uint32_t n, const struct flow_observer *o);
/*
 * flow_sorter_open - the batch of @family with up to @n rows made ready as by flow_batch_open and their observer
 * written; @ret_n: how many, at least one (batches are filled to the last row: whole ones need no second copy).
 * flow_sorter_close - they are written; a full batch is handed on. Return: 0 or <0.
 */
int flow_sorter_open(struct flow_sorter *s, int family, uint64_t present, uint32_t n, const struct flow_observer *o,
                     struct flow_batch **ret, uint32_t *ret_n);
int flow_sorter_close(struct flow_sorter *s, struct flow_batch *b, uint32_t n);
/* flow_sorter_flush - hand on what is there. Return: 0 or <0. */
int flow_sorter_flush(struct flow_sorter *s);
void flow_sorter_fini(struct flow_sorter *s);
