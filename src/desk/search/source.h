/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/search/source - what sends to the watch, and what is not seen: out of the watch's own account.
 *
 * In:     the object `status` of the control socket (node/watch_status); read with care, nothing in it is taken for granted.
 * Out:    sources: {kind, address, name, state, last_at, received, kept, dropped}; blind spots: {kind, what, since, n}, the most
 *         severe first. A node that answers nothing is the greatest blind spot of all.
 * Limits: pure; SOURCE_MAX of each, more are counted in one entry ("more").
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#define SOURCE_MAX 5000u
#define SOURCE_SILENT_US (INT64_C(900) * 1000000) /* an exporter of flows that is quiet that long; log senders say it themselves */

/* source_list - @status NULL: the watch did not answer. New arrays; NULL without memory. */
json_t *source_list(const json_t *status, int64_t now_us);
json_t *source_blind_spots(const json_t *status, int64_t now_us);
