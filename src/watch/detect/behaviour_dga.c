/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that a program draws: one machine, one window, many different registered names of which most are drawn and do not
 * exist. A name counts once per machine and window.
 */
#include "watch/detect/behaviour_names_own.h"

#include "base/clock.h"

#include <string.h>

enum { COUNTED = 1, FAILED = 2, EXISTS = 4, DRAWN = 8 };
enum { SEVERITY_DRAWN = 3, SEVERITY_BURST = 2 };

struct machine {
    struct table_entry head;
    struct names_asker who;
    int64_t window_us, first_us, last_us;
    uint32_t names, failed, existing, drawn, drawn_failed;
    uint64_t n_questions;
    double score_sum, told;
    uint32_t n_examples;
    char examples[NAMES_EXAMPLES][NAMES_HOST_BYTES];
    struct series series;
};

const size_t names_machine_bytes = sizeof(struct machine);

static double limit(const struct names *n, enum behaviour_setting s)
{
    return n->base->settings->v[s];
}

enum reason { NOTHING, DRAWN_FAILED, DRAWN_MANY, FAILED_BURST };

/* judge - what speaks against the machine; @ret_strength grows with it: what is told again when it has grown. */
static enum reason judge(const struct names *n, const struct machine *m, double *ret_strength)
{
    double share = limit(n, BEHAVIOUR_SET_DGA_SHARE);
    *ret_strength = m->drawn_failed;
    if (m->drawn_failed >= limit(n, BEHAVIOUR_SET_DGA_NAMES) && tell_share_pct(m->drawn_failed, m->failed) >= share)
        return DRAWN_FAILED;
    *ret_strength = m->drawn;
    double share_of_all = limit(n, BEHAVIOUR_SET_DGA_UNANSWERED_SHARE);
    if (m->drawn >= limit(n, BEHAVIOUR_SET_DGA_UNANSWERED) && tell_share_pct(m->drawn, m->names) >= share_of_all)
        return DRAWN_MANY;
    *ret_strength = m->failed;
    if (m->failed >= limit(n, BEHAVIOUR_SET_DGA_FAILED) && tell_share_pct(m->failed, m->names) >= limit(n, BEHAVIOUR_SET_DGA_FAILED_SHARE))
        return FAILED_BURST;
    return NOTHING;
}

/* confidence - chance that this many of a normal machine's names look drawn falls quickly; word lists have no such proof. */
static uint32_t confidence(const struct machine *m, enum reason why)
{
    if (why == FAILED_BURST)
        return m->drawn * 5 > m->names ? 55 : 40;
    double share = why == DRAWN_FAILED ? tell_share_pct(m->drawn_failed, m->failed) : tell_share_pct(m->drawn, m->names);
    uint32_t c = 55 + (uint32_t)(share / 4) + (m->drawn >= 50 ? 10 : m->drawn / 5);
    c += why == DRAWN_FAILED ? 5 : 0;
    return c > 97 ? 97 : c;
}

/* put_query - who, and the first names of those that made it: as many as there is room for. */
static void put_query(struct behaviour_alarm *a, const struct machine *m, char room[TELL_QUERY_BYTES])
{
    char names[NAMES_EXAMPLES * (NAMES_HOST_BYTES + 6) + 32] = "";
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_examples; i++)
        n += (size_t)snprintf(names + n, sizeof(names) - n, "%s\"%s\"", i ? " or " : "dns.question.name : (", m->examples[i]);
    if (n)
        snprintf(names + n, sizeof(names) - n, ")");
    names_tell_asker(a, &m->who, n ? names : NULL, room);
}

static int tell_machine(struct names *n, struct machine *m, enum reason why, double strength)
{
    struct behaviour_alarm a;
    char room[TELL_QUERY_BYTES];
    m->told = strength;
    tell_begin(&a, n->base, BEHAVIOUR_DGA, m->first_us, m->last_us, m->n_questions);
    put_query(&a, m, room);
    a.confidence_pct = confidence(m, why);
    a.severity = why == FAILED_BURST ? SEVERITY_BURST : SEVERITY_DRAWN;
    behaviour_put_number(&a, "drawn_failed_names", m->drawn_failed, limit(n, BEHAVIOUR_SET_DGA_NAMES));
    behaviour_put_number(&a, "drawn_names", m->drawn, limit(n, BEHAVIOUR_SET_DGA_UNANSWERED));
    behaviour_put_number(&a, "failed_names", m->failed, limit(n, BEHAVIOUR_SET_DGA_FAILED));
    behaviour_put_number(&a, "names", m->names, NAN);
    behaviour_put_number(&a, "existing_names", m->existing, NAN);
    behaviour_put_number(&a, "drawn_share_pct", tell_share_pct(m->drawn, m->names), limit(n, BEHAVIOUR_SET_DGA_UNANSWERED_SHARE));
    behaviour_put_number(&a, "drawn_share_of_failed_pct", tell_share_pct(m->drawn_failed, m->failed), limit(n, BEHAVIOUR_SET_DGA_SHARE));
    behaviour_put_number(&a, "failed_share_pct", tell_share_pct(m->failed, m->names), limit(n, BEHAVIOUR_SET_DGA_FAILED_SHARE));
    behaviour_put_number(&a, "mean_score_pct", m->names ? m->score_sum * 100 / m->names : 0, NAN);
    behaviour_put_number(&a, "window_s", limit(n, BEHAVIOUR_SET_DGA_WINDOW_S), NAN);
    tell_series(&a, &m->series, "names");
    return tell(n->base, &n->counters, &a);
}

/* close_window - the last word about what is over, when it has grown since it was told. Return: 0 or <0. */
static int close_window(struct names *n, struct machine *m)
{
    double strength;
    enum reason why = judge(n, m, &strength);
    return why != NOTHING && strength > m->told ? tell_machine(n, m, why, strength) : 0;
}

static void open_window(struct machine *m, int64_t time_us)
{
    struct table_entry head = m->head;
    struct names_asker who = m->who;
    *m = (struct machine){.head = head, .who = who, .window_us = time_us, .first_us = time_us, .last_us = time_us};
}

/* count - one name, as far as it is not counted yet. Return: whether anything changed. */
static bool count(struct names *n, struct machine *m, const struct names_question *q, uint8_t *flags)
{
    double score = 0;
    bool is_new = !(*flags & COUNTED), has_failed = q->answer == NAMES_FAILED && !(*flags & FAILED);
    if (is_new) {
        m->names++;
        if (n->known.model && !name_score(n->known.model, q->name->label, &score))
            m->score_sum += score;
        if (score * 100 >= limit(n, BEHAVIOUR_SET_DGA_SCORE)) {
            m->drawn++;
            *flags |= DRAWN;
        }
        series_add(&m->series, q->time_us, 1, 60 * US_PER_SECOND);
        *flags |= COUNTED;
    }
    if (has_failed) {
        m->failed++;
        m->drawn_failed += (*flags & DRAWN) != 0;
        *flags |= FAILED;
    }
    if (q->answer == NAMES_EXISTS && !(*flags & EXISTS)) {
        m->existing++;
        *flags |= EXISTS;
    }
    bool is_example = (is_new || has_failed) && (*flags & (DRAWN | FAILED)) && q->name->n < NAMES_HOST_BYTES;
    bool is_plain = !memchr(q->name->name, '"', q->name->n) && !memchr(q->name->name, '\\', q->name->n);
    if (is_example && is_plain && m->n_examples < NAMES_EXAMPLES &&
        (!m->n_examples || strcmp(m->examples[m->n_examples - 1], q->name->name) != 0))
        memcpy(m->examples[m->n_examples++], q->name->name, q->name->n + 1);
    return is_new || has_failed;
}

int names_dga_ask(struct names *n, const struct names_question *q)
{
    int64_t window_us = (int64_t)limit(n, BEHAVIOUR_SET_DGA_WINDOW_S) * US_PER_SECOND;
    bool is_new;
    if (!q->name->registered.n)
        return 0;
    struct machine *m = table_take(&n->machines, q->asker->key, q->time_us, &is_new);
    if (is_new) {
        m->who = *q->asker;
        open_window(m, q->time_us);
    }
    if (q->time_us < m->window_us - BEHAVIOUR_LATE_US) {
        n->counters.used--;
        n->counters.late++;
        return 0;
    }
    if (q->time_us - m->window_us >= window_us) {
        int r = close_window(n, m);
        open_window(m, q->time_us);
        if (r < 0)
            return r;
    }
    m->head.last_us = q->time_us > m->head.last_us ? q->time_us : m->head.last_us;
    m->first_us = q->time_us < m->first_us ? q->time_us : m->first_us;
    m->last_us = q->time_us > m->last_us ? q->time_us : m->last_us;
    m->n_questions++;
    uint64_t hash = names_hash(n, q->name->registered, (uint64_t)m->window_us);
    if (!count(n, m, q, names_once(n, q->asker->key, hash, q->time_us)))
        return 0;
    m->head.weight = (uint64_t)m->names + 8 * (uint64_t)(m->drawn + m->failed);
    double strength;
    enum reason why = judge(n, m, &strength);
    return why != NOTHING && tell_is_more(strength, m->told) ? tell_machine(n, m, why, strength) : 0;
}

int names_dga_flush(struct names *n, int64_t at_us)
{
    int64_t window_us = (int64_t)limit(n, BEHAVIOUR_SET_DGA_WINDOW_S) * US_PER_SECOND;
    for (uint32_t i = 0; i < table_size(&n->machines); i++) {
        struct machine *m = table_at(&n->machines, i);
        if (!m || (at_us != INT64_MAX && at_us - m->window_us < window_us + BEHAVIOUR_LATE_US))
            continue;
        int r = close_window(n, m);
        table_drop(&n->machines, m);
        if (r < 0)
            return r;
    }
    return 0;
}
