/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/scan - from dictionary entries to rows: the postings name blocks, and of these only the columns of
 * codes are decoded.
 */
#pragma once

#include "watch/hunt/hunt.h"
#include "watch/query/block.h"
#include "watch/store/store.h"

enum { HUNT_END_SOURCE = 1, HUNT_END_DESTINATION = 2 };

/*
 * what a scan gives: rows of a block that touch the set and lie in the window, ascending.
 * @ends: per row which ends do. Return 0 to go on; -EBADMSG: the block is damaged; anything else ends the scan.
 */
typedef int (*hunt_scan_each)(void *context, struct query_block *b, const uint32_t *rows, const uint8_t *ends, uint32_t n);

/*
 * hunt_scan - newest segment first; fills the coverage.
 * @columns: those @each will ask for, but for the addresses; told for the sake of the disk.
 * Return: 0, what @each returned, or -errno with the fault.
 */
int hunt_scan(struct store_view *v, const struct address_set *set, const struct hunt_options *o, const unsigned *columns,
              size_t n_columns, hunt_scan_each each, void *context, struct hunt_coverage *coverage, struct fault *f);

/* hunt_row_read - one row as a record. Return: 0, -EBADMSG, -ENOMEM. */
int hunt_row_read(struct query_block *b, uint32_t row, uint8_t ends, struct hunt_row *ret);

/* --- hunt/coverage.c ---------------------------------------------------------------- */

/* hunt_coverage_begin - before a scan: what lies in the window, its extent and gaps. Return: 0 or -ENOMEM. */
int hunt_coverage_begin(struct hunt_coverage *c, struct store_view *v, int64_t since_us, int64_t until_us);
/* hunt_coverage_damage - a block of a segment could not be read. */
void hunt_coverage_damage(struct hunt_coverage *c, const struct segment *s, uint32_t n_blocks);
/* hunt_coverage_end - take over what the view knows to be damaged. */
void hunt_coverage_end(struct hunt_coverage *c, const struct store_view *v);
