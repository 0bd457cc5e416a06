/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_alerts - alarms of behaviour become findings: one per (kind, own, peer, host, user, name, window).
 *
 * In:     alarms, of any thread; repetitions with higher numbers.
 * Out:    findings in the journal, growing by revision; or one by one, for a command line.
 * Payload: one JSON object with dotted keys: finding.kind "behaviour", behaviour.kind, severity (informational, low, medium,
 *         high, critical), confidence_pct, attack.techniques (array), own.ip, unit, remote.ip, remote.port, host.name, users
 *         (array), name (a domain, a service, a kind of flood), window.start, window.length_s, first_seen, last_seen, events,
 *         numbers (object: name -> {value, limit}; limit only where it was held against one), remotes (array of {ip}), series
 *         ({from, step_s, unit, values}: what a picture shows), query (a filter that finds the rows). What is not known is absent.
 *         Names come from the network: untrusted.
 * Once:   the greater count of events wins: what a new start works out anew from a part of the past never makes a finding
 *         smaller, and writes nothing when it says the same.
 * Except: what the operator excepts (log_alert.h; `rule` is the kind, "*" any) makes no finding; it is counted.
 * Limits: max_alerts in memory: written ones of past windows leave first; without room an alarm is counted as lost. No logging.
 */
#pragma once

#include "base/buf.h"
#include "watch/detect/behaviour_engine.h"
#include "watch/detect/finder.h"
#include "watch/detect/log_alert.h"

#define BEHAVIOUR_ALERTS_DEFAULT 16384u

struct behaviour_alerts_options {
    const struct log_exception *exceptions; /* borrowed */
    size_t n_exceptions;
    uint32_t max_alerts;
};

#define BEHAVIOUR_ALERT_COUNTERS(X)                                \
    X(alarms, "alarms, repetitions included")                      \
    X(excepted, "alarms that an exception took away")              \
    X(smaller, "alarms that said less than the finding already does") \
    X(lost, "alarms without room for a finding")                   \
    X(findings, "findings begun since start")

struct behaviour_alert_counters {
#define X(name, help) uint64_t name;
    BEHAVIOUR_ALERT_COUNTERS(X)
#undef X
    uint32_t n_open;
};

struct behaviour_alerts;
/* behaviour_alerts_new - Return: 0 or -ENOMEM. */
int behaviour_alerts_new(const struct behaviour_alerts_options *o, struct behaviour_alerts **ret);
void behaviour_alerts_free(struct behaviour_alerts *a);
/* behaviour_alerts_clock - wall clock from now on, for the end of exceptions; INT64_MIN at first: none has ended. */
void behaviour_alerts_clock(struct behaviour_alerts *a, int64_t now_us);
/* behaviour_alerts_take - a behaviour_emit; @alerts is the struct behaviour_alerts. Return: 0 (what has no room is counted). */
int behaviour_alerts_take(void *alerts, const struct behaviour_alarm *alarm);
/*
 * behaviour_alerts_write - what changed into the journal of @x; finder_write commits it. @space gives units, may be NULL.
 * Return: 0 or -errno: what was not written is tried again.
 */
int behaviour_alerts_write(struct behaviour_alerts *a, struct finder *x, const struct space *space, int64_t now_us, struct fault *f);
/* behaviour_alerts_each - by time of the first event. @each: not 0 ends the walk and is returned. Return: 0, that, or -ENOMEM. */
int behaviour_alerts_each(struct behaviour_alerts *a, int (*each)(void *context, const struct behaviour_alarm *alarm), void *context);
void behaviour_alerts_count(struct behaviour_alerts *a, struct behaviour_alert_counters *ret);
/* behaviour_alerts_excepted - alarms exception @i took away. */
uint64_t behaviour_alerts_excepted(struct behaviour_alerts *a, size_t i);

/* behaviour_put - the payload above. @space may be NULL. */
void behaviour_put(struct buf *b, const struct behaviour_alarm *alarm, const struct space *space);
/* behaviour_severity - "low"; static. */
const char *behaviour_severity(uint32_t severity);
