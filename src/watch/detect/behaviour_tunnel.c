/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data in questions: one machine, one registered name, many different long names below it whose letters carry many bits.
 * Information is counted as the entropy of all letters below the registered name times their number: what a sender could
 * have said at most. A name counts once; short ones (www, mail) are not looked at.
 */
#include "watch/detect/behaviour_names_own.h"

#include "base/clock.h"

#include <string.h>

enum { LEAST_BELOW = 10, CLASSES = 48, LONG_LABEL = 40, SEVERITY = 3, COUNTED = 1 };

struct pair {
    struct table_entry head;
    struct names_asker who;
    char registered[NAMES_NAME_BYTES], example[NAMES_NAME_BYTES];
    int64_t window_us, first_us, last_us;
    uint64_t n_questions, letters;
    uint32_t names, failed, long_labels, types[NAMES_N_TYPES];
    uint32_t of_class[CLASSES];
    double told;
    struct series series;
};

const size_t names_pair_bytes = sizeof(struct pair);

static double limit(const struct names *n, enum behaviour_setting s)
{
    return n->base->settings->v[s];
}

static unsigned class_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a');
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 26;
    return c == '-' ? 36 : c == '_' ? 37 : c == '.' ? 38 : 39 + (uint8_t)c % (CLASSES - 39);
}

static double entropy(const struct pair *p)
{
    double bits = 0;
    for (unsigned i = 0; i < CLASSES; i++)
        if (p->of_class[i]) {
            double share = p->of_class[i] / (double)p->letters;
            bits -= share * log2(share);
        }
    return bits;
}

static double information_bytes(const struct pair *p)
{
    return entropy(p) * (double)p->letters / 8;
}

static bool is_tunnel(const struct names *n, const struct pair *p, double *ret_bytes)
{
    *ret_bytes = 0;
    if (p->names < limit(n, BEHAVIOUR_SET_DNS_TUNNEL_NAMES) || (double)p->letters < limit(n, BEHAVIOUR_SET_DNS_TUNNEL_LENGTH) * p->names)
        return false;
    *ret_bytes = information_bytes(p);
    return *ret_bytes >= limit(n, BEHAVIOUR_SET_DNS_TUNNEL_BYTES);
}

static uint32_t confidence(const struct names *n, const struct pair *p, double bytes)
{
    uint32_t rare = p->types[NAMES_TXT] + p->types[NAMES_NULL] + p->types[NAMES_CNAME] + p->types[NAMES_MX];
    uint32_t c = 50;
    c += rare * 2 > p->names ? 20 : 0;
    c += p->long_labels * 2 > p->names ? 15 : 0;
    c += bytes > 10 * limit(n, BEHAVIOUR_SET_DNS_TUNNEL_BYTES) ? 10 : 0;
    return c;
}

static int tell_pair(struct names *n, struct pair *p, double bytes)
{
    struct behaviour_alarm a;
    char room[TELL_QUERY_BYTES], what[NAMES_NAME_BYTES + 32];
    p->told = bytes;
    tell_begin(&a, n->base, BEHAVIOUR_DNS_TUNNEL, p->first_us, p->last_us, p->n_questions);
    bool is_plain = !strpbrk(p->registered, "\"\\*?");
    snprintf(what, sizeof(what), "dns.question.name : *.%s", p->registered);
    names_tell_asker(&a, &p->who, is_plain ? what : NULL, room);
    a.name = (struct text){p->registered, strlen(p->registered)};
    a.confidence_pct = confidence(n, p, bytes);
    a.severity = SEVERITY;
    behaviour_put_number(&a, "names", p->names, limit(n, BEHAVIOUR_SET_DNS_TUNNEL_NAMES));
    behaviour_put_number(&a, "information_bytes", bytes, limit(n, BEHAVIOUR_SET_DNS_TUNNEL_BYTES));
    behaviour_put_number(&a, "mean_length", (double)p->letters / p->names, limit(n, BEHAVIOUR_SET_DNS_TUNNEL_LENGTH));
    behaviour_put_number(&a, "entropy_bits_per_letter", entropy(p), NAN);
    behaviour_put_number(&a, "names_with_long_label", p->long_labels, NAN);
    behaviour_put_number(&a, "txt_questions", p->types[NAMES_TXT], NAN);
    behaviour_put_number(&a, "null_questions", p->types[NAMES_NULL], NAN);
    behaviour_put_number(&a, "cname_mx_questions", p->types[NAMES_CNAME] + p->types[NAMES_MX], NAN);
    behaviour_put_number(&a, "failed_questions", p->failed, NAN);
    behaviour_put_number(&a, "window_s", limit(n, BEHAVIOUR_SET_DNS_TUNNEL_WINDOW_S), NAN);
    tell_series(&a, &p->series, "letters");
    return tell(n->base, &n->counters, &a);
}

static void open_window(struct pair *p, const struct names_question *q)
{
    struct table_entry head = p->head;
    *p = (struct pair){.head = head, .who = *q->asker, .window_us = q->time_us, .first_us = q->time_us, .last_us = q->time_us};
    size_t n = q->name->registered.n < NAMES_NAME_BYTES ? q->name->registered.n : NAMES_NAME_BYTES - 1;
    memcpy(p->registered, q->name->registered.p, n);
}

static int close_window(struct names *n, struct pair *p)
{
    double bytes;
    return is_tunnel(n, p, &bytes) && bytes > p->told ? tell_pair(n, p, bytes) : 0;
}

static void count(struct pair *p, const struct domain_name *name)
{
    uint32_t run = 0, longest = 0;
    p->names++;
    p->letters += name->below.n;
    for (size_t i = 0; i < name->below.n; i++) {
        char c = name->below.p[i];
        p->of_class[class_of(c)]++;
        run = c == '.' ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    p->long_labels += longest >= LONG_LABEL;
}

int names_tunnel_ask(struct names *n, const struct names_question *q)
{
    int64_t window_us = (int64_t)limit(n, BEHAVIOUR_SET_DNS_TUNNEL_WINDOW_S) * US_PER_SECOND;
    bool is_new;
    if (!q->name->registered.n || q->name->below.n < LEAST_BELOW)
        return 0;
    uint64_t key = sketch_mix(q->asker->key, names_hash(n, q->name->registered, 0));
    struct pair *p = table_take(&n->pairs, key, q->time_us, &is_new);
    int r = 0;
    if (!is_new && q->time_us < p->window_us - BEHAVIOUR_LATE_US)
        return 0; /* counted as late by the other judge */
    if (is_new || q->time_us - p->window_us >= window_us) {
        r = is_new ? 0 : close_window(n, p);
        open_window(p, q);
    }
    p->head.last_us = q->time_us > p->head.last_us ? q->time_us : p->head.last_us;
    p->first_us = q->time_us < p->first_us ? q->time_us : p->first_us;
    p->last_us = q->time_us > p->last_us ? q->time_us : p->last_us;
    p->n_questions++;
    p->types[q->type]++;
    p->failed += q->answer == NAMES_FAILED;
    series_add(&p->series, q->time_us, (double)q->name->below.n, 60 * US_PER_SECOND);
    uint8_t *flags = names_once(n, key, names_hash(n, q->name->below, (uint64_t)p->window_us), q->time_us);
    if (r < 0 || *flags & COUNTED)
        return r;
    *flags |= COUNTED;
    count(p, q->name);
    p->head.weight = p->letters;
    double bytes;
    return is_tunnel(n, p, &bytes) && tell_is_more(bytes, p->told) ? tell_pair(n, p, bytes) : 0;
}

int names_tunnel_flush(struct names *n, int64_t at_us)
{
    int64_t window_us = (int64_t)limit(n, BEHAVIOUR_SET_DNS_TUNNEL_WINDOW_S) * US_PER_SECOND;
    for (uint32_t i = 0; i < table_size(&n->pairs); i++) {
        struct pair *p = table_at(&n->pairs, i);
        if (!p || (at_us != INT64_MAX && at_us - p->window_us < window_us + BEHAVIOUR_LATE_US))
            continue;
        int r = close_window(n, p);
        table_drop(&n->pairs, p);
        if (r < 0)
            return r;
    }
    return 0;
}
