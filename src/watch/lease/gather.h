/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/gather - leases out of what the event store keeps: log events (log_leases.h) and flows (flow_leases.h).
 *
 * lease_gather takes every sealed segment once (taken.h): its rows become leases in one transaction, then it is noted as taken.
 * A crash between the two has it read again: equal rows count once. lease_view_open_fresh is for readers: what is not yet sealed
 * and what nobody gathered yet is read into memory beside the stored leases, so that an answer knows what arrived a second ago.
 * Limits: FRESH_SEGMENTS segments and the rows of an overlay (overlay.h) are read that way, the newest first; what is left out
 * is counted.
 */
#pragma once

#include "base/fault.h"
#include "watch/lease/store.h"

#define FRESH_SEGMENTS 64u

struct lease_gather_options {
    bool no_flows; /* of flows, none */
    int64_t oldest_us; /* rows last told of before are left out: they would be purged again; 0: none */
    bool (*must_stop)(void *context); /* asked between segments; may be NULL */
    void *context;
};

struct lease_gathered {
    uint64_t n_segments, n_events, n_flows, n_rows, n_joined, n_refused, n_too_old; /* segments that had any; events and flows of leases */
};
/* lease_gather - all segments of DIR/store that were not yet taken. @o may be NULL. Return: 0, LEASE_BUSY (store.h), or -errno. */
int lease_gather(const char *data_dir, const struct lease_gather_options *o, struct lease_gathered *ret, struct fault *f);

struct lease_fresh {
    uint64_t n_segments, n_rows, n_left; /* read into memory; segments left out */
};
/* lease_view_open_fresh - Return: 0, LEASE_EMPTY (neither leases nor events of any), or -errno. */
int lease_view_open_fresh(const char *data_dir, struct lease_view **ret, struct lease_fresh *ret_fresh, struct fault *f);
