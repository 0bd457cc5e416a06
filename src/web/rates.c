/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token buckets in a table of fixed size: who asks too often waits. A full neighbourhood gives up its longest idle bucket, which
 * makes the table forgiving under a flood of addresses, never larger.
 */
#include "web/web_own.h"

#include "base/clock.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { N_BUCKETS = 16384, N_TRIED = 8 };

struct bucket {
    uint64_t who; /* 0: free */
    int64_t at_us;
    double tokens;
};

struct rate {
    double per_second, most;
};

struct rates {
    pthread_mutex_t lock;
    uint8_t key[crypto_shorthash_KEYBYTES];
    struct rate limits[RATE_N];
    struct bucket buckets[N_BUCKETS];
};

int rates_new(unsigned reads_per_second, struct rates **ret)
{
    struct rates *r = calloc(1, sizeof(*r));
    double reads = reads_per_second ? reads_per_second : 200;
    if (!r)
        return -ENOMEM;
    pthread_mutex_init(&r->lock, NULL);
    randombytes_buf(r->key, sizeof(r->key));
    r->limits[RATE_READ] = (struct rate){reads, reads * 3};
    r->limits[RATE_WRITE] = (struct rate){reads / 5, reads};
    r->limits[RATE_COSTLY] = (struct rate){reads / 100, 20 + reads / 50};
    r->limits[RATE_LOGIN] = (struct rate){0.5, 30};
    *ret = r;
    return 0;
}

void rates_free(struct rates *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct bucket *find(struct rates *r, uint64_t who, const struct rate *limit, int64_t now_us)
{
    struct bucket *oldest = NULL;
    for (unsigned i = 0; i < N_TRIED; i++) {
        struct bucket *b = &r->buckets[(who + i) % N_BUCKETS];
        if (b->who == who)
            return b;
        if (!oldest || b->at_us < oldest->at_us)
            oldest = b;
    }
    *oldest = (struct bucket){who, now_us, limit->most};
    return oldest;
}

unsigned rates_take(struct rates *r, enum rate_class class, char kind, const void *key, size_t n_key, int64_t now_us)
{
    uint8_t all[2 + 64] = {(uint8_t)class, (uint8_t)kind};
    uint64_t who;
    struct rate limit = r->limits[class];
    n_key = n_key < 64 ? n_key : 64;
    memcpy(all + 2, key, n_key);
    crypto_shorthash((uint8_t *)&who, all, 2 + n_key, r->key);
    who |= 1;
    if (kind == 'a' && (class == RATE_READ || class == RATE_WRITE)) { /* people share an address: a province behind one NAT */
        limit.per_second *= 4;
        limit.most *= 4;
    }
    pthread_mutex_lock(&r->lock);
    struct bucket *b = find(r, who, &limit, now_us);
    if (now_us > b->at_us) {
        b->tokens += (double)(now_us - b->at_us) / (double)US_PER_SECOND * limit.per_second;
        b->at_us = now_us;
    }
    if (b->tokens > limit.most)
        b->tokens = limit.most;
    unsigned wait_s = b->tokens >= 1 ? 0 : (unsigned)((1 - b->tokens) / limit.per_second) + 1;
    if (!wait_s)
        b->tokens -= 1;
    pthread_mutex_unlock(&r->lock);
    return wait_s;
}
