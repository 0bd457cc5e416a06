/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/block_list - in which blocks something occurs, in as few bytes as it takes; for terms and log segments.
 *
 * varint n * 2, then n varint steps between the blocks (the first from 0); or, when there are many, varint n * 2 + 1 and
 * a bitmap of all blocks.
 */
#pragma once

#include "base/buf.h"
#include "base/cursor.h"

/* block_list_put - @blocks: ascending, below @n_blocks. */
void block_list_put(struct buf *b, const uint16_t *blocks, uint32_t n, uint32_t n_blocks);
/* block_list_take - move @c behind a list; is_bad when it is malformed. @bitmap: its bits are set; NULL: only pass. */
void block_list_take(struct cursor *c, uint32_t n_blocks, uint64_t *bitmap);
