/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log - what the node's roles and the CLI say to their operator's log.
 *
 * Standard error, one line: time level role id key=value... Values are escaped.
 * An id that speaks more than LOG_BURST times within a second is silent for the
 * rest of it and then says how often (`repeated=N`). Thread-safe.
 * Library code (base, format, watch) never logs.
 */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define LOG_BURST 5

/* log_set - name of this role and the least important level that is written. */
void log_set(const char *role, enum log_level level);

/*
 * log_line - @id: stable message id (snake_case); then pairs of key and value texts, closed by NULL:
 * log_line(LOG_WARN, "exporter_unknown", "address", text, NULL);
 */
__attribute__((sentinel)) void log_line(enum log_level level, const char *id, ...);
/* log_number - the text of @v for log_line; a ring of 16 per thread. */
const char *log_number(long long v);
