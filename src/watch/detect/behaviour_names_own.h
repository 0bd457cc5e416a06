/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_names_own - between reading questions and the two judgements of them.
 */
#pragma once

#include "watch/detect/behaviour_names.h"
#include "watch/detect/behaviour_tell.h"

#define NAMES_HOST_BYTES 64u
#define NAMES_NAME_BYTES 128u
#define NAMES_EXAMPLES 5u

enum names_answer { NAMES_UNKNOWN, NAMES_EXISTS, NAMES_FAILED };
enum names_type { NAMES_ADDRESS, NAMES_TXT, NAMES_NULL, NAMES_CNAME, NAMES_MX, NAMES_OTHER, NAMES_N_TYPES };

struct names_asker {
    struct ip ip; /* all zero: known by host only */
    char host[NAMES_HOST_BYTES];
    size_t n_host;
    uint64_t key;
};

struct names_question {
    int64_t time_us;
    const struct names_asker *asker;
    const struct domain_name *name;
    enum names_type type;
    enum names_answer answer;
};

struct names {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct names_knowledge known;
    struct table machines, once, pairs, askers;
};

/* names_hash - @t under the engine's seed. */
uint64_t names_hash(const struct names *n, struct text t, uint64_t tag);
/* names_once - the flags remembered of (@key, @hash), made when missing; borrowed until the next call. */
uint8_t *names_once(struct names *n, uint64_t key, uint64_t hash, int64_t time_us);
/* names_tell_asker - own, host and query of an alarm. @what: a further condition, may be NULL. */
void names_tell_asker(struct behaviour_alarm *a, const struct names_asker *asker, const char *what, char room[TELL_QUERY_BYTES]);

/* Return: 0 or <0 */
int names_dga_ask(struct names *n, const struct names_question *q);
int names_dga_flush(struct names *n, int64_t at_us);
int names_tunnel_ask(struct names *n, const struct names_question *q);
int names_tunnel_flush(struct names *n, int64_t at_us);
/* sizes of table entries */
extern const size_t names_machine_bytes, names_pair_bytes;
