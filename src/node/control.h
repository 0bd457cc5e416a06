/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/control - the door of a running node for the command line: DIR/run/control.sock.
 *
 * A request is one line of JSON (at most CONTROL_LINE_BYTES), with descriptors beside it when files are
 * handed over (SCM_RIGHTS, at most CONTROL_MAX_FDS); replies are lines of JSON, the last one has "done": true
 * and "exit": the status the command ends with.
 *   {"op":"status"}   {"op":"import","names":[...],"format":..,"zone_s":..,"again":..,"map":..}
 *      a name per descriptor; with "more": true the node answers {"what":"next"} and the same import goes on with the
 *      next request: all files of one command are read by one decoder
 *   {"op":"compact"}  {"op":"lists"} (published anew: look now)
 * The peer's credentials are checked: root, the node's user, or a member of its group.
 */
#pragma once

#include "base/fault.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CONTROL_LINE_BYTES ((size_t)1 << 20)
#define CONTROL_MAX_FDS 64u

/* --- the node's side ------------------------------------------------------------- */

/* control_listen - make DIR/run (0750) and the socket (0660). Return: descriptor or -errno. */
int control_listen(const char *data_dir, struct fault *f);
/* control_may - whether the peer may command this node. */
bool control_may(int fd);

struct control_request {
    json_t *body; /* owned */
    int fds[CONTROL_MAX_FDS];
    size_t n_fds;
};
/* control_receive - one request. Return: 0, 1 (closed or no request), or -errno. */
int control_receive(int fd, struct control_request *ret);
void control_request_fini(struct control_request *r);
/* control_send - one line; @reply is consumed. Return: 0 or -errno. */
int control_send(int fd, json_t *reply);

/* --- the command's side ------------------------------------------------------------ */

/* control_connect - Return: descriptor, or -errno (-ENOENT, -ECONNREFUSED: no node runs there). */
int control_connect(const char *data_dir);
/* control_ask - send a request with descriptors; @request is consumed. Return: 0 or -errno. */
int control_ask(int fd, json_t *request, const int *fds, size_t n_fds);
/*
 * control_each - replies until the one that is done.
 * @each: non-zero ends early. Return: 0 (done was read), -EPIPE (the node went away), or -errno.
 */
int control_each(int fd, int (*each)(void *context, const json_t *reply), void *context);
