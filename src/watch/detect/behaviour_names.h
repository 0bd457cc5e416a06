/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_names - what machines ask the DNS: names that a program draws (DGA), and data hidden in questions
 * (tunnels).
 *
 * In:     log events with dns.question.name (Zeek, Suricata, BIND, dnsmasq, Windows, firewalls), flows that carry names.
 *         Who asks: client.ip, else source.ip (destination.ip when the line is an answer from port 53), else the host that
 *         speaks. An answer whose line names no client (dnsmasq) goes to who asked for that name last.
 * DGA:    per machine and window of dga.window_s: different registered names, how many look drawn (name_score.h), how many do
 *         not exist. Alarm when enough drawn names failed and they are a large share of what failed; when drawn names are many
 *         and a large share of all; or when a great many names of any look failed (word lists; said with less confidence).
 * Tunnel: per machine and registered name: different names below it, their length, and the bits their letters carry.
 * Except: content/names/exceptions.txt. Suffixes: content/names/suffixes.txt and, where installed, the Debian package
 *         publicsuffix. Without these files everything still works, worse: names_knowledge says what was read.
 * Limits: tables of NAMES_* entries, about 32 MiB; the least busy leaves. Content is read once, in create.
 */
#pragma once

#include "base/fault.h"
#include "format/domain_name.h"
#include "format/name_score.h"
#include "watch/detect/behaviour_engine.h"

#define NAMES_MACHINES 8192u
#define NAMES_ONCE 524288u /* (machine, name) pairs remembered */
#define NAMES_PAIRS 8192u  /* (machine, registered name) */
#define NAMES_ASKERS 16384u

extern const struct behaviour_detector behaviour_names_detector;

/* what content/names holds, ready to use; what could not be read is NULL */
struct names_knowledge {
    struct domain_rules *suffixes, *exceptions;
    struct name_model *model;
    struct domain_rules_read n_suffixes, n_exceptions;
};

/*
 * names_knowledge_read - Return: 0; or -errno of the first file that could not be read, named in @f: the rest is there.
 * names_knowledge_fini - always.
 */
int names_knowledge_read(struct names_knowledge *ret, struct fault *f);
void names_knowledge_fini(struct names_knowledge *k);
