/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/log_source.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SLOTS = 2 * LOG_SOURCES_MAX };

int log_sources_init(struct log_sources *s)
{
    *s = (struct log_sources){.n = 1}; /* entry 0: those beyond the limit */
    pthread_mutex_init(&s->lock, NULL);
    s->all = calloc(LOG_SOURCES_MAX, sizeof(*s->all));
    s->slots = calloc(SLOTS, sizeof(*s->slots));
    return s->all && s->slots ? 0 : -ENOMEM;
}

void log_sources_fini(struct log_sources *s)
{
    free(s->all);
    free(s->slots);
    s->all = NULL;
    s->slots = NULL;
    s->n = 0;
    pthread_mutex_destroy(&s->lock);
}

uint32_t log_sources_find(struct log_sources *s, const struct ip *ip, struct text name, int64_t now_us)
{
    char key[sizeof(ip->b) + LOG_SOURCE_NAME_MAX] = {0};
    size_t n_name = name.n < LOG_SOURCE_NAME_MAX ? name.n : LOG_SOURCE_NAME_MAX - 1;
    memcpy(key, ip->b, sizeof(ip->b));
    if (n_name)
        memcpy(key + sizeof(ip->b), name.p, n_name);
    size_t slot = XXH3_64bits(key, sizeof(key)) % SLOTS;
    for (; s->slots[slot]; slot = (slot + 1) % SLOTS) {
        const struct log_source *x = &s->all[s->slots[slot] - 1];
        if (ip_equal(&x->ip, ip) && !memcmp(x->name, key + sizeof(ip->b), LOG_SOURCE_NAME_MAX))
            return s->slots[slot] - 1;
    }
    if (s->n == LOG_SOURCES_MAX)
        return 0;
    struct log_source *x = &s->all[s->n++];
    *x = (struct log_source){.ip = *ip, .first_us = now_us};
    memcpy(x->name, key + sizeof(ip->b), LOG_SOURCE_NAME_MAX);
    s->slots[slot] = s->n;
    return s->n - 1;
}

int log_sources_copy(struct log_sources *s, struct log_source **ret, uint32_t *ret_n)
{
    pthread_mutex_lock(&s->lock);
    struct log_source *copy = malloc(s->n * sizeof(*copy));
    if (copy)
        memcpy(copy, s->all, s->n * sizeof(*copy));
    *ret_n = s->n;
    pthread_mutex_unlock(&s->lock);
    *ret = copy;
    return copy ? 0 : -ENOMEM;
}

static int64_t cost_ns(const struct log_quota *q)
{
    return q->messages_per_s < 1000000000 ? (int64_t)(1000000000 / q->messages_per_s) : 1;
}

/* refill - what time has earned since the last time. */
static void refill(struct log_source *s, const struct log_quota *q, int64_t now_us)
{
    const int64_t full_ns = QUOTA_BURST_S * INT64_C(1000000000);
    int64_t since_us = now_us - s->credited_us, day = (now_us + q->zone_s * US_PER_SECOND) / US_PER_DAY;
    if (!s->credited_us)
        s->credit_ns = full_ns;
    else if (since_us > 0 && since_us < US_PER_DAY)
        s->credit_ns += since_us * 1000;
    else if (since_us)
        s->credit_ns = full_ns; /* the clock was set */
    if (s->credit_ns > full_ns)
        s->credit_ns = full_ns;
    s->credited_us = now_us;
    if (day != s->day) {
        s->day = day;
        s->bytes_of_day = 0;
    }
}

bool log_source_admits(struct log_source *s, const struct log_quota *q, size_t n_bytes, int64_t now_us)
{
    if (!q->messages_per_s && !q->bytes_per_day)
        return true;
    refill(s, q, now_us);
    if (q->messages_per_s && s->credit_ns < cost_ns(q))
        return false;
    if (q->bytes_per_day && (n_bytes > q->bytes_per_day || s->bytes_of_day > q->bytes_per_day - n_bytes))
        return false;
    s->credit_ns -= q->messages_per_s ? cost_ns(q) : 0;
    s->bytes_of_day += n_bytes;
    return true;
}

int64_t log_source_wait_us(struct log_source *s, const struct log_quota *q, uint64_t n_bytes, int64_t now_us)
{
    if (!q->messages_per_s && !q->bytes_per_day)
        return 0;
    refill(s, q, now_us);
    if (q->messages_per_s && s->credit_ns <= 0)
        return -s->credit_ns / 1000 + 1;
    bool is_over = q->bytes_per_day && (n_bytes > q->bytes_per_day || s->bytes_of_day > q->bytes_per_day - n_bytes);
    int64_t local_us = now_us + q->zone_s * US_PER_SECOND;
    return is_over ? US_PER_DAY - local_us % US_PER_DAY : 0;
}

void log_source_charge(struct log_source *s, const struct log_quota *q, uint64_t n_messages, uint64_t n_bytes, int64_t now_us)
{
    const int64_t deepest_ns = INT64_C(86400000000000);
    if (!q->messages_per_s && !q->bytes_per_day)
        return;
    refill(s, q, now_us);
    if (q->messages_per_s)
        s->credit_ns -= n_messages < (uint64_t)(deepest_ns / cost_ns(q)) ? (int64_t)n_messages * cost_ns(q) : deepest_ns;
    s->bytes_of_day += n_bytes;
}
