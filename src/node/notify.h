/* SPDX-License-Identifier: Apache-2.0 */
/* node/notify - what systemd is told (sd_notify protocol), without its library. Nothing happens when NOTIFY_SOCKET is unset. */
#pragma once

/* notify_send - e.g. "READY=1\nSTATUS=...". Return: 0, 1 (nobody listens), or -errno. */
int notify_send(const char *state);
