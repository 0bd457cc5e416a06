/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/office_role - the process of the people: state database, desks, API and console over HTTPS.
 *
 * Threads: the server's loop and its workers (net/http_server); the main thread watches signals and gives the desks their clock.
 * It may write DIR/office, the lists, the own space, hunt records and its cursors of the finding journal; it reads the event store and
 * writes none of it; it may connect (mail, gateways), starts nothing and sees no packet.
 * Ending: SIGTERM: nobody is let in anew, what is being answered is answered, streams are closed; at most OFFICE_END_S.
 */
#pragma once

#include "node/config.h"
#include "node/office_keys.h"

#define OFFICE_END_S 10

/* office_role_run - until SIGTERM. Called in the child, after privileges are dropped, with its signals blocked.
 * @keys: wiped here. @listen_fd: taken over. @ready_fd: one byte is written when it listens; then closed. Return: exit status. */
int office_role_run(const struct config *c, const char *data_dir, struct office_keys *keys, int listen_fd, int ready_fd);
