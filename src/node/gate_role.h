/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/gate_role - the process that holds the keys of intake and sees no record (src/gate).
 *
 * One thread. It may touch the listening sockets of TLS, its links to the watch and a board of counters; it opens no file, makes
 * no connection, starts nothing.
 * Ending: SIGTERM: senders are told, what is on its way is handed on, at most GATE_LINGER_US.
 */
#pragma once

#include "node/config.h"
#include "node/gate_keys.h"
#include "node/watch_role.h"

/* gate_is_wanted - whether any listener is the gate's. */
bool gate_is_wanted(const struct config *c);
/* gate_check - certificates, keys and tokens as the gate will read them. Return: 0; 1 or <0 with the fault. */
int gate_check(const struct config *c, const struct gate_keys *k, struct fault *f);
/*
 * gate_role_run - until SIGTERM. Called in the child, after privileges are dropped, with its signals blocked.
 * @keys: wiped here. @ready_fd: one byte is written when everything listens; then closed. Return: exit status.
 */
int gate_role_run(const struct config *c, struct gate_keys *keys, const struct watch_sockets *sockets, int ready_fd);
