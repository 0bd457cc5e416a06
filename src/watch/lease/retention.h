/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/retention - how long leases must and may be kept: personal data has a greatest age too.
 *
 * DIR/leases/RETENTION: what the node's configuration says ("keep_at_least=US keep_at_most=US"), so that the command line obeys
 * it as well. A purge is due when something would grow older than allowed before the next one (a day, a tenth of the age at
 * most); it never reaches below the least age.
 */
#pragma once

#include "watch/lease/store.h"

struct lease_retention {
    int64_t keep_at_least_us, keep_at_most_us; /* 0: no such limit */
};

/* lease_retention_load - none: both 0. lease_retention_save - only if it differs. Return: 0 or -errno. */
int lease_retention_load(const char *data_dir, struct lease_retention *ret, struct fault *f);
int lease_retention_save(const char *data_dir, const struct lease_retention *r, struct fault *f);

/* lease_retention_limit - what was last told of before this goes now; INT64_MIN: nothing. */
int64_t lease_retention_limit(const struct lease_retention *r, int64_t now_us);
/* lease_retention_every_us - how often a purge must come so that nothing grows too old. */
int64_t lease_retention_every_us(const struct lease_retention *r);

struct lease_proof {
    uint64_t n_rows, n_older, n_unused_texts; /* read; last told of before the limit; texts that no row uses */
};
/*
 * lease_purge - purge and prove: what is left is read whole, every row and which texts they use. @wait_us: for the lock.
 * Return: 0 (@proof says whether it holds), LEASE_BUSY, LEASE_EMPTY (there are no leases), or -errno.
 */
int lease_purge(const char *data_dir, int64_t before_us, int64_t wait_us, struct lease_compaction *ret, struct lease_proof *proof,
                struct fault *f);
