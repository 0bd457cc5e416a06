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

/*
 * tell_rows - every row of a batch that concerns detectors, to @look. @look: Return: TELL_NOT_MINE (counted as skipped), 0 (used)
 * or <0, which ends it. Return: 0 or that. Here, so that @look becomes part of the loop.
 */
#define TELL_NOT_MINE 1
typedef int tell_look(void *detector, const struct behaviour_row *x);
static inline int tell_rows(struct behaviour_counters *c, const struct flow_batch *b, const struct behaviour_row *rows, tell_look *look,
                            void *detector)
{
    int r = 0;
    for (uint32_t i = 0; i < b->n && r >= 0; i++) {
        if (!tell_concerns(c, &rows[i]))
            continue;
        r = look(detector, &rows[i]);
        c->used += r != TELL_NOT_MINE;
        c->skipped += r == TELL_NOT_MINE;
    }
    return r < 0 ? r : 0;
}

/* tell_entries - every entry of @t to @each, until it answers below 0. */
static inline int tell_entries(struct table *t, int (*each)(void *detector, void *entry), void *detector)
{
    int r = 0;
    for (uint32_t i = 0; i < table_size(t) && r >= 0; i++) {
        void *e = table_at(t, i);
        r = e ? each(detector, e) : 0;
    }
    return r < 0 ? r : 0;
}

/* tell_is_outgoing - asked by one of ours of somebody else's, and not into the void. */
static inline bool tell_is_outgoing(const struct behaviour_row *x)
{
    return (x->marks & (ROW_FROM_OWN | ROW_TO_OWN)) == ROW_FROM_OWN && !(x->marks & (ROW_GROUP | ROW_UNASKED));
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
