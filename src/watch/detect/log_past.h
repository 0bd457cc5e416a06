/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/log_past - what rules had in mind before the program ended, read back from the store.
 *
 * Correlations remember what happened within their timespan. That memory is not written anywhere: every event it came from
 * is in the store, the journals' rows included, so it is made anew from there at start. A kill -9 loses none of it, and
 * rules that were changed meanwhile see the past with their present meaning.
 *
 * In:     the store; the last events by their own time, twice the longest timespan of the correlations.
 * Out:    correlations go on; answers the finding journal knows already stay as they are. What it does not know and what
 *         arrived within LOG_PAST_UNWRITTEN_US of the last event (findings are written every second or so: the last
 *         ones may be missing) becomes a finding now.
 * Limits: the newest max_rows events; what is left out is counted. Reads blocks by the time of their newest event. No clock.
 */
#pragma once

#include "watch/detect/log_alert.h"
#include "watch/store/store.h"

#define LOG_PAST_ROWS 1000000u
#define LOG_PAST_UNWRITTEN_US ((int64_t)5 * 60 * 1000000)

struct log_past_account {
    uint64_t events, blocks_damaged, rows_left_out;
    int64_t since_us; /* of the first event asked for; INT64_MAX: no rule needs the past */
};

/* log_past - before the first log_alerts_match. @now_us: wall clock. Return: 0 or -errno: correlations then begin empty. */
int log_past(const char *data_dir, struct log_alerts *a, const struct sigma_rules *rules, struct event_names *names, struct finder *x,
             uint64_t max_rows, int64_t now_us, struct log_past_account *ret, struct fault *f);

/*
 * log_past_met - which rules an event of their log source is stored for, among the newest @max_rows events: bits in @met
 * (SIGMA_RULE_WORDS words, zeroed by the caller). @ret_events: looked at. Return: 0 or -errno.
 */
int log_past_met(const char *data_dir, const struct sigma_rules *rules, struct event_names *names, uint64_t max_rows, uint64_t *met,
                 uint64_t *ret_events, struct fault *f);
