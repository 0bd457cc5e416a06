/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/watch_imports - behaviour in what is imported while the node runs.
 *
 * In:     the span of time each import brought. The stored rows of that span, and of restart.back_s before it, go through
 *         detectors of their own in the order of time, as `detect --behaviour` reads the store: detectors of the stream
 *         know no past.
 * Out:    alarms that reach into the span, to the taker of the stream's alarms: a finding that is known is not made twice.
 * Kept:   what is still to be judged stands in DIR/findings/behaviour.imports, so that a new start goes on with it.
 * Limits: one span at a time, those that come meanwhile are joined; restart.rows rows and twice the imported ones, of more
 *         the newest; a thread of its own at low priority. Detectors live as long as a span is judged. Logs failures.
 */
#pragma once

#include "node/watch_state.h"
#include "watch/detect/behaviour_engine.h"

struct watch_imports;

/* watch_imports_start - @base: of the stream's detectors, borrowed as what it points to. Return: 0 or -errno with the fault. */
int watch_imports_start(struct watch *w, const struct behaviour_base *base, struct watch_imports **ret, struct fault *f);
/* watch_imports_end - when the watch is ending: waits for the thread. @x may be NULL, as for _free, which comes after it. */
void watch_imports_end(struct watch_imports *x);
void watch_imports_free(struct watch_imports *x);
/* watch_imports_want - @n_rows were imported. Never fails: what cannot be noted down is judged all the same, unless the node dies. */
void watch_imports_want(struct watch_imports *x, int64_t since_us, int64_t until_us, uint64_t n_rows);
/* watch_imports_status - into the object of behaviour. */
void watch_imports_status(struct watch_imports *x, json_t *o);

/* watch_behaviour_imported - an import is stored (watch_behaviour.c); nothing where behaviour is off. */
void watch_behaviour_imported(struct watch *w, int64_t since_us, int64_t until_us, uint64_t n_rows);
