/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/watch_role - the process that sees the network: receivers, live match, store, findings.
 *
 * Threads: one per receiving socket (udp.h); one for upkeep (compaction, retention); one that hunts the past
 * for new lists and late data; one per command on the control socket; the main thread watches signals,
 * lists and threads. It holds no key, opens no connection, and may touch its data directory only.
 *
 * Ending: SIGTERM stops intake, drains the sockets, seals, journals findings; at most WATCH_END_US.
 */
#pragma once

#include "base/fault.h"
#include "node/config.h"
#include "watch/intake/ring.h"

#define WATCH_END_US INT64_C(9500000)

struct watch_sockets {
    int *fds; /* per listener n_receivers sockets, in the order of the configuration */
    size_t n;
    int rings[CONFIG_MAX_CAPTURES]; /* packet rings, in the order of the configuration */
    size_t n_rings;
    struct {
        int udp, tcp; /* -1: none; of TLS the gate's */
        int gate_link, watch_link; /* the two ends of the link between them; -1: no TLS */
    } logs[CONFIG_MAX_LOGS];
    size_t n_logs;
    struct gate_board *board; /* shared with the gate, which counts there; NULL: no gate */
};

/* watch_ring_options - how the ring of a capture is laid out: the parent and the role must agree. */
struct ring_options watch_ring_options(const struct config_capture *c);

/*
 * watch_role_run - until SIGTERM. Called in the child, after privileges are dropped, with its signals blocked.
 * @ready_fd: one byte is written when everything listens; then closed.
 * Return: exit status of the process.
 */
int watch_role_run(const struct config *c, const char *data_dir, const struct watch_sockets *sockets, int ready_fd);
