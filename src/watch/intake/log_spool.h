/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_spool - datagrams that wait to be decoded, first in memory, then on disk: a burst, or a store that is busy,
 * loses none of them before the spool is full.
 *
 * In:     one thread puts datagrams, as they come off the socket.
 * Out:    one thread takes them, in the order they came. While anything lies on disk, new ones go behind it.
 * Disk:   files of SPOOL_FILE_BYTES in a directory of one's own; what a run leaves there the next one takes first, from the place the
 *         caller noted. A file is removed when the caller says that its rows are journaled (log_spool_settle).
 * Limits: SPOOL_MEMORY_BYTES in memory, @max_bytes on disk; beyond that a datagram is refused. kill -9 costs what is in memory
 *         only, as it costs what is in the kernel. Damaged records end their file and are counted. No logging.
 * Fuzz:   tests/fuzz/log_spool.c
 */
#pragma once

#include "base/ip.h"
#include "base/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SPOOL_MEMORY_BYTES ((size_t)8 << 20)
#define SPOOL_FILE_BYTES ((size_t)16 << 20)

struct spooled {
    int64_t arrived_us;
    struct ip ip;
    struct text bytes;
};

struct log_spool;

struct log_spool_state {
    uint64_t waiting, disk_bytes; /* datagrams that wait, as far as known; bytes on disk */
    uint64_t on_disk;             /* datagrams that took the way over the disk */
    uint64_t damaged;             /* files of which a part could not be read */
};

/*
 * log_spool_open - @dir: made if it is not there. @place: where the last run stood (log_spool_place), 0: at the beginning.
 * Return: 0 or -errno.
 */
int log_spool_open(const char *dir, uint64_t max_bytes, uint64_t place, struct log_spool **ret);
/* log_spool_close - what is in memory still goes to disk, if it has room. */
void log_spool_close(struct log_spool *s);
/* log_spool_put - Return: 0, or 1: full, or the disk refuses. */
int log_spool_put(struct log_spool *s, const struct spooled *d);
/* log_spool_take - @ret: borrowed until the next call. Return: 0, 1: nothing there, or -ENOMEM. */
int log_spool_take(struct log_spool *s, struct spooled *ret);
/* log_spool_place - behind what was taken, as a number to be noted with its rows. */
uint64_t log_spool_place(const struct log_spool *s);
/* log_spool_settle - the rows of all that was taken are journaled, with the place. */
void log_spool_settle(struct log_spool *s);
struct log_spool_state log_spool_state(struct log_spool *s);
