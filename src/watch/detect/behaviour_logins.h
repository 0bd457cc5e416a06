/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_logins - guessing at passwords: many tries at one machine or account, few tries at many accounts.
 *
 * In:     log events of category authentication with an outcome (sshd, PAM, Windows 4624 4625 4768 4771 4776, mail, web, VPN,
 *         databases ...), Zeek's ssh, ntlm and kerberos, web accesses to a log-in page; flows where no log exists.
 * Brute force   one source at one machine: brute_force.failures within window_s, burst_failures within burst_window_s, or
 *         slow_failures within slow_window_s. One account from brute_force.sources sources or more within slow_window_s
 *         (distributed). Flows: short answered connections of like size to one log-in port, brute_force.connections within
 *         brute_force.window_s.
 * Spraying      one source, any machines: password_spray.accounts accounts or more within password_spray.window_s, at most
 *         password_spray.tries failures each.
 * Success       a log-in that succeeds from a source that is being told of, or at an account that is: severity 4.
 * Once    a try is often written twice (sshd and PAM, "Invalid user" and "Failed password"; events 4625, 4771 and 4776): lines of
 *         another wording about the same user and source within three seconds count once.
 * Windows slide by a tenth of their length: what is counted lies in the window or at most a tenth before it.
 * Limits  tables of LOGINS_* entries, about 52 MiB; the least busy leaves. Texts are cut to LOGINS_TEXT_BYTES.
 */
#pragma once

#include "watch/detect/behaviour_engine.h"

#define LOGINS_PAIRS 16384u
#define LOGINS_SOURCES 8192u
#define LOGINS_ACCOUNTS 8192u
#define LOGINS_SERVERS 8192u
#define LOGINS_TEXT_BYTES 64u

extern const struct behaviour_detector behaviour_logins_detector;
