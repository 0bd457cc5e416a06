/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_engine - all behaviour detectors over one stream, and what they have in common.
 *
 * In:     batches of flows and of log events; each detector sees all of them, in the order they come.
 * Out:    alarms (behaviour.h) to one taker.
 * Time:   the greatest start of a flow or time of an event so far is "now" (what lies more than BEHAVIOUR_AHEAD_US in front
 *         moves it only when three in a row do; when the late ones become the rule, time goes back to them); no clock is
 *         read. Flows whose end lies more than BEHAVIOUR_LATE_US behind are late and left out, counted.
 * Threads: flows and events may be fed by different threads: one lock per detector, one around the taker.
 * Limits: each detector states its memory; what finds no room is counted (struct behaviour_counters).
 */
#pragma once

#include "format/event.h"
#include "watch/detect/behaviour.h"
#include "watch/detect/behaviour_row.h"
#include "watch/detect/behaviour_settings.h"
#include "watch/flow_batch.h"
#include "watch/indicator/space.h"

#define BEHAVIOUR_LATE_US ((int64_t)30 * 60 * 1000000)  /* active timeout of most exporters at its usual greatest */
#define BEHAVIOUR_AHEAD_US ((int64_t)10 * 60 * 1000000)

/* whose machines are ours: the own space, else ranges, else what is private (RFC 1918, 6598, 4193) */
struct behaviour_own {
    const struct space *space;     /* may be NULL */
    const struct ip_range *ranges; /* may be none */
    size_t n_ranges;
};

/* behaviour_is_own - at that time. */
bool behaviour_is_own(const struct behaviour_own *o, const struct ip *a, int64_t at_us);

/* what a detector is made with; borrowed for its life */
struct behaviour_base {
    const struct behaviour_settings *settings;
    struct event_names *names;  /* fields of events; NULL: it will see none */
    behaviour_emit *emit;
    void *context;              /* of emit */
    int64_t window_us;          /* of findings: alarm.window_us = behaviour_window(base, first_us), .window_length_us = this */
    int zone_s;                 /* windows begin at local midnight */
    uint64_t seed;              /* of hashes: secret in a node, so that nobody can fill one set of a table on purpose */
};

/* behaviour_window - start of the window of findings that holds @us. */
int64_t behaviour_window(const struct behaviour_base *base, int64_t us);

/* X(name, "help") - the account of a detector: seen = used + the rest up to late */
#define BEHAVIOUR_COUNTERS(X)                                                          \
    X(seen, "rows or events looked at")                                                \
    X(used, "of them what the detector is about")                                      \
    X(skipped, "of them what it is not about")                                         \
    X(late, "of them too late for its windows")                                        \
    X(evicted, "entries of its tables that left for others before their time")         \
    X(alarms, "alarms raised, repetitions included")

struct behaviour_counters {
#define X(name, help) uint64_t name;
    BEHAVIOUR_COUNTERS(X)
#undef X
};

/*
 * struct behaviour_detector - what a detector offers. flows or events may be NULL: it is not about them.
 * create: NULL when memory is out.
 * flows: one batch, and the same rows (b->n) as behaviour reads them (behaviour_row.h). events: one batch. Borrowed for
 *     the call. Return: 0, or <0 (-ENOMEM, or what emit answered).
 * flush: the time of the stream has reached @at_us: windows that have ended may be judged (INT64_MAX: nothing follows).
 *     Called every minute of the stream's time or less often.
 */
struct behaviour_detector {
    const char *name; /* in status */
    void *(*create)(const struct behaviour_base *base);
    void (*destroy)(void *detector);
    int (*flows)(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own);
    int (*events)(void *detector, const struct events *e, const struct behaviour_own *own);
    int (*flush)(void *detector, int64_t at_us);
    void (*count)(const void *detector, struct behaviour_counters *ret);
};

/* all that exist, NULL at the end; a new detector is a line in behaviour_engine.c */
extern const struct behaviour_detector *const behaviour_detectors[];

struct behaviour_engine;

/* behaviour_engine_new - @base is copied, what it points to borrowed. Return: 0 or -ENOMEM. */
int behaviour_engine_new(const struct behaviour_base *base, struct behaviour_engine **ret);
void behaviour_engine_free(struct behaviour_engine *x);
/* behaviour_flows, behaviour_events - one batch to every detector. Return: 0 or <0. */
int behaviour_flows(struct behaviour_engine *x, const struct flow_batch *b, const struct behaviour_own *own);
int behaviour_events(struct behaviour_engine *x, const struct events *e, const struct behaviour_own *own);
/* behaviour_flush - @at_us INT64_MAX: the end of a file or of the past. Return: 0 or <0. */
int behaviour_flush(struct behaviour_engine *x, int64_t at_us);
/* behaviour_count - of detector @i of behaviour_detectors; alarms_of: raised of one kind. */
void behaviour_count(struct behaviour_engine *x, size_t i, struct behaviour_counters *ret);
uint64_t behaviour_alarms_of(struct behaviour_engine *x, enum behaviour_kind kind);
/* behaviour_now - the stream's time; INT64_MIN: nothing was seen. */
int64_t behaviour_now(struct behaviour_engine *x);

/* behaviour_name, behaviour_technique - static. behaviour_kind_parse - Return: 0 or 1. */
const char *behaviour_name(enum behaviour_kind kind);
const char *behaviour_technique(enum behaviour_kind kind);
int behaviour_kind_parse(struct text name, enum behaviour_kind *ret);
/* behaviour_put_number - one more figure of @a, if there is room; @limit NAN: it only informs. */
void behaviour_put_number(struct behaviour_alarm *a, const char *name, double value, double limit);
