/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_tell - what detectors over flows share: which rows concern them, and telling an alarm.
 */
#pragma once

#include "watch/detect/behaviour_engine.h"
#include "watch/detect/behaviour_sketch.h"

#include <math.h>

#define TELL_QUERY_BYTES 400u

/* addresses that stand as examples, each once */
struct tell_peers {
    uint32_t n;
    struct ip ip[BEHAVIOUR_PEERS];
};
void tell_peer(struct tell_peers *p, const struct ip *a);

/* tell_begin - an alarm of @kind over [first, last]; numbers, peers and so on are then filled in. */
void tell_begin(struct behaviour_alarm *a, const struct behaviour_base *base, enum behaviour_kind kind, int64_t first_us, int64_t last_us,
                uint64_t n_events);
void tell_peers(struct behaviour_alarm *a, const struct tell_peers *p);
void tell_series(struct behaviour_alarm *a, const struct series *s, const char *unit);
/* tell_query - "source.ip : FROM and destination.ip : TO and destination.port : PORT and ...", what is NULL or 0 is left out. */
void tell_query(struct behaviour_alarm *a, char room[TELL_QUERY_BYTES], const struct ip *from, const struct ip *to, uint16_t port,
                uint8_t protocol);
/* tell - counted and handed on. Return: what the taker answered. */
int tell(const struct behaviour_base *base, struct behaviour_counters *c, const struct behaviour_alarm *a);

/* tell_concerns - counts the row as seen and, if it is no traffic or too late, as such. Return: whether to look at it. */
static inline bool tell_concerns(struct behaviour_counters *c, const struct behaviour_row *x)
{
    c->seen++;
    c->late += (x->marks & (ROW_LATE | ROW_NOTHING)) == ROW_LATE;
    c->skipped += (x->marks & ROW_NOTHING) != 0;
    return !(x->marks & (ROW_LATE | ROW_NOTHING));
}

static inline bool tell_is_on(const struct behaviour_base *base, enum behaviour_setting enabled)
{
    return base->settings->v[enabled] > 0;
}

/* tell_is_more - worth telling again: half as much more than last time. */
static inline bool tell_is_more(double now, double told)
{
    return now >= told * 1.5 && now > told;
}

/*
 * struct tell_news - entries that went on since they were told: at a flush, every TELL_NEWS_US at most, they are told as
 * they stand. tell_news_add - at a row of @is_told entries; @is_new is the entry's own mark. tell_news_due - time to do so?
 */
#define TELL_NEWS_US ((int64_t)300 * 1000000)
struct tell_news {
    uint32_t n;
    int64_t last_us;
};
static inline void tell_news_add(struct tell_news *w, bool is_told, bool *is_new)
{
    if (!is_told || *is_new)
        return;
    *is_new = true;
    w->n++;
}
static inline bool tell_news_due(struct tell_news *w, int64_t at_us)
{
    if (!w->n || (at_us != INT64_MAX && at_us - w->last_us < TELL_NEWS_US && at_us >= w->last_us))
        return false;
    w->last_us = at_us == INT64_MAX ? w->last_us : at_us;
    w->n = 0;
    return true;
}

/* is_probe - nothing was said: an attempt without an answer, or a connection without data. */
static inline bool tell_is_probe(const struct behaviour_row *x)
{
    enum { PROBE_PACKETS = 4, BARE_PACKET = 64 };
    bool is_bare = x->protocol == 6 && x->out_packets <= PROBE_PACKETS * (uint64_t)x->sampling &&
                   x->out_bytes <= BARE_PACKET * x->out_packets;
    return x->marks & ROW_FAILED || (is_bare && !(x->marks & ROW_PIECE) && x->out_packets);
}

static inline double tell_share_pct(double part, double whole)
{
    return whole > 0 ? part * 100 / whole : 0;
}
