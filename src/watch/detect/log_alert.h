/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/log_alert - Sigma rules over the events that come in, and the findings they make.
 *
 * In:     batches of events, before the store, of any number of threads, each with a matcher of its own.
 * Out:    one finding per (rule, entity, window) in the finding journal, its counts growing by revision. Entity: the own
 *         address (log_live.h) and the host's name; of a correlation its group.
 * Payload: one JSON object with dotted keys: finding.kind "sigma", rule.id, rule.title, rule.tags (array), severity (level
 *         of the rule), attack.techniques, attack.tactics (arrays, from the tags), own.ip, unit, host.name, users (array),
 *         remotes (array), group and value (correlations), window.start, window.length_s, first_seen, last_seen, events, and
 *         evidence (array of the first ones: time, arrived, source, record, original). own.ip, host.name ... are absent when
 *         nobody knows them. Texts come from the log: untrusted.
 * Except: what the operator excepts, with reason, author and end, makes no finding and feeds no correlation; it is counted.
 * Limits: max_alerts in memory: written ones of past windows leave first, and go on from the journal when seen again;
 *         without room a match is counted as lost. ALERT_* below. Correlations share one memory over all threads; at a
 *         new start it is made anew from the store (log_past.h). No logging.
 */
#pragma once

#include "watch/detect/alert_table.h"
#include "watch/detect/log_live.h"
#include "watch/detect/sigma_correlate.h"

#define ALERT_EVIDENCE 3u
#define ALERT_ORIGINAL_BYTES 1024u
#define ALERT_USERS 8u
#define ALERT_REMOTES 8u

struct log_exception {
    const char *rule;                   /* id or title, without case; "*" any */
    const char *host, *user;            /* NULL: any; may hold * and ? */
    const struct ip_range *addresses;   /* none: any; else one of the event's lies in one of these */
    size_t n_addresses;
    const char *reason, *author;
    int64_t until_us;                   /* from then on it excepts nothing */
};

struct log_alerts_options {
    const struct sigma_rules *rules;  /* all borrowed */
    struct event_names *names;
    const struct log_exception *exceptions;
    size_t n_exceptions;
    int64_t window_us;
    int zone_s;                       /* windows begin at local midnight of this zone */
    uint32_t max_alerts;
};

#define LOG_ALERT_COUNTERS(X)                                             \
    X(matches, "matches of rules, correlations included")                 \
    X(correlated, "of them by correlations")                              \
    X(excepted, "matches that an exception took away")                    \
    X(lost, "matches without room for a finding")                         \
    X(findings, "findings begun since start")

struct log_alert_counters {
#define X(name, help) uint64_t name;
    LOG_ALERT_COUNTERS(X)
#undef X
    uint32_t n_open;
};

struct log_alerts;
/* log_alerts_new - Return: 0 or -ENOMEM. */
int log_alerts_new(const struct log_alerts_options *o, struct log_alerts **ret);
void log_alerts_free(struct log_alerts *a);
/*
 * log_alerts_match - one batch, by the thread of @m. @space may be NULL. @now_us: wall clock, for the end of exceptions.
 * Return: 0 or -ENOMEM.
 */
int log_alerts_match(struct log_alerts *a, struct sigma_matcher *m, const struct events *e, const struct space *space, int64_t now_us);
/*
 * log_alerts_past - events that were judged before, by their own time not before @since_us: correlations remember them; a
 * finding is begun only when the journal of @x knows none and the event arrived at @unwritten_from_us or later. Before the
 * first log_alerts_match. Return: 0 or -ENOMEM.
 */
int log_alerts_past(struct log_alerts *a, struct sigma_matcher *m, const struct events *e, int64_t since_us, int64_t now_us,
                    struct finder *x, int64_t unwritten_from_us);
/*
 * log_alerts_write - what changed into the journal of @x; finder_write commits it. @space gives units, may be NULL.
 * Return: 0 or -errno: what was not written is tried again.
 */
int log_alerts_write(struct log_alerts *a, struct finder *x, const struct space *space, int64_t now_us, struct fault *f);
/* log_alerts_met - whether an event of rule @rule's log source has come since start, or is in what was recalled. */
bool log_alerts_met(struct log_alerts *a, uint32_t rule);
void log_alerts_count(struct log_alerts *a, struct log_alert_counters *ret);
/* log_alerts_excepted - matches exception @i took away. */
uint64_t log_alerts_excepted(struct log_alerts *a, size_t i);
void log_alerts_correlated(struct log_alerts *a, struct sigma_correlate_counters *ret);
