/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose line it is: of the patterns that may be for its program the first that fits, then of those for any program.
 *
 * A program that decoders name has few patterns: those whose first bytes stand there and whose other literals occur are
 * tried in order, no pass over the line is needed. What is left is found by one Vectorscan pass for literals. Either way
 * the answer is that of trying all of them (line_scratch_set_plain), only sooner.
 */
#include "format/line_impl.h"

#include <errno.h>
#include <hs.h>
#include <string.h>

#define STEPS_OF_LINE 20000u
#define STEPS_PER_BYTE 8u

static void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* --- literals ---------------------------------------------------------------------------------------- */

/* rarity - how seldom logs hold a byte: blanks, digits, frequent letters; other small ones; capitals, signs. */
static unsigned rarity(char c)
{
    if (c == ' ' || c == '.' || (c >= '0' && c <= '9') || memchr("etaoinsr", c, 8))
        return 0;
    if (c >= 'a' && c <= 'z')
        return 1;
    return memchr("-:/=,\"", c, 6) ? 2 : c >= 'A' && c <= 'Z' ? 3 : 4;
}

static struct line_needle needle_of(struct text t)
{
    struct line_needle n = {t, 0};
    for (uint32_t i = 1; i < t.n; i++)
        if (rarity(t.p[i]) > rarity(t.p[n.rare]))
            n.rare = i;
    return n;
}

static bool holds(struct text t, const struct line_needle *n)
{
    if (t.n < n->text.n)
        return false;
    const char *p = t.p + n->rare, *end = t.p + (t.n - n->text.n) + n->rare + 1;
    while ((p = memchr(p, n->text.p[n->rare], (size_t)(end - p)))) {
        if (!memcmp(p - n->rare, n->text.p, n->text.n))
            return true;
        if (++p == end)
            break;
    }
    return false;
}

static bool is_among(struct text t, const struct line_needle *needles, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (text_equal(needles[i].text, t))
            return true;
    return false;
}

/* is_found - by the pass for literals already. */
static bool is_found(const struct line_pattern *p, struct text t)
{
    if (p->decoder->is_first)
        return false;
    for (uint32_t i = 0; i < p->n_secondary; i++)
        if (text_equal(p->secondary[i], t))
            return true;
    return !p->choices && p->anchor.n >= LINE_ANCHOR_MIN && text_equal(p->anchor, t);
}

static uint32_t begin_bit(char c)
{
    return UINT32_C(1) << ((uint8_t)c & 31u);
}

/* begins_of_type - the bytes a capture may begin with. */
static uint32_t begins_of_type(const struct line_node *n)
{
    uint32_t bits = 0;
    switch ((enum line_type)n->type) {
    case LINE_ONE_OF:
        for (uint32_t i = 0; i < n->n; i += 1u + (uint8_t)n->p[i])
            bits |= n->p[i] ? begin_bit(n->p[i + 1]) : UINT32_MAX;
        return bits;
    case LINE_QUOTED:
    case LINE_REQUEST: return begin_bit('"');
    case LINE_JSON: return begin_bit('{');
    case LINE_INT:
    case LINE_REAL:
    case LINE_SECONDS:
    case LINE_MILLISECONDS:
        for (int c = '0'; c <= '9'; c++)
            bits |= begin_bit((char)c);
        return bits | begin_bit('-');
    case LINE_WORD:
    case LINE_TEXT:
    case LINE_LONG:
    case LINE_HEX:
    case LINE_IP:
    case LINE_HOST:
    case LINE_MAC:
    case LINE_TIME:
    case LINE_TIME_US:
    case LINE_EPOCH:
    case LINE_URL:
    case LINE_ENDPOINT:
    case LINE_WEB_AGENT:
    case LINE_TOKEN:
    case LINE_BLANKS:
    case LINE_KV:
    case LINE_CSV:
    case LINE_CEF:
    case LINE_LEEF:
    case LINE_ACCESS:
    case LINE_N_TYPES: break;
    case LINE_RECORDS: return begin_bit('[');
    }
    return UINT32_MAX;
}

/* begins - the bytes that the nodes from @at on may begin with; parts are nested LINE_NEST_MAX deep at most. */
static uint32_t begins(const struct line_pattern *p, uint32_t at)
{
    uint32_t bits = 0;
    for (;; at++) {
        const struct line_node *n = &p->nodes[at];
        switch ((enum line_op)n->op) {
        case LINE_LITERAL: return bits | begin_bit(n->p[0]);
        case LINE_CAPTURE:
            if (n->type != LINE_BLANKS)
                return bits | begins_of_type(n);
            bits |= begin_bit(' ') | begin_bit('\t');
            break;
        case LINE_SPLIT:
            bits |= begins(p, at + 1);
            at = n->other - 1u;
            break;
        case LINE_END: return bits;
        }
    }
}

int line_choose_prepare(struct line_decoders *d, struct line_pattern *p)
{
    const struct line_list *lists[] = {&p->decoder->require, &p->require};
    uint32_t most = lists[0]->n + lists[1]->n + 1 + LINE_SECONDARY_MAX;
    struct line_needle *all = p->needles = arena_alloc(&d->arena, most * sizeof *all);
    if (!all)
        return -ENOMEM;
    if (p->nodes[0].op == LINE_LITERAL && p->nodes[0].p[0] && !p->decoder->is_on_line)
        p->lead = (struct text){p->nodes[0].p, p->nodes[0].n};
    p->begins = p->decoder->is_on_line ? UINT32_MAX : begins(p, 0);
    bool is_choice_first = p->nodes[0].op == LINE_CAPTURE && p->choices == p->nodes[0].p; /* the matcher refuses as quickly */
    if (p->choices && !is_choice_first) {
        p->any = arena_alloc(&d->arena, p->n_choices * sizeof *p->any);
        if (!p->any)
            return -ENOMEM;
        for (uint32_t k = 0; k < p->n_choices; k += 1u + (uint8_t)p->choices[k])
            p->any[p->n_any++] = needle_of((struct text){p->choices + k + 1, (uint8_t)p->choices[k]});
    }
    for (unsigned pass = 0; pass < 2; pass++) { /* those the pass does not find first */
        for (size_t k = 0; k < 2; k++)
            for (uint32_t i = 0; i < lists[k]->n; i++)
                if (is_found(p, lists[k]->items[i]) == (pass == 1) && !is_among(lists[k]->items[i], all, p->n_needles))
                    all[p->n_needles++] = needle_of(lists[k]->items[i]);
        if (!pass)
            p->n_required = p->n_needles;
    }
    for (uint32_t i = 0; i <= p->n_secondary; i++) {
        struct text t = i < p->n_secondary ? p->secondary[i] : p->choices ? (struct text){NULL, 0} : p->anchor;
        bool is_in_lead = p->lead.n && t.n && memmem(p->lead.p, p->lead.n, t.p, t.n);
        if (t.n >= LINE_ANCHOR_MIN && !is_in_lead && !is_among(t, all, p->n_needles))
            all[p->n_needles++] = needle_of(t);
    }
    return 0;
}

/* --- which patterns --------------------------------------------------------------------------------- */

/* app_name - "/usr/sbin/cron", "(systemd)", "sshd(pam_unix)" by their bare names. */
static struct text app_name(struct text t)
{
    if (t.n && t.p[0] == '/') {
        const char *slash = memrchr(t.p, '/', t.n);
        t = (struct text){slash + 1, t.n - (size_t)(slash + 1 - t.p)};
    }
    if (t.n > 2 && t.p[0] == '(' && t.p[t.n - 1] == ')')
        return (struct text){t.p + 1, t.n - 2};
    const char *paren = t.n ? memchr(t.p, '(', t.n) : NULL;
    if (paren && paren > t.p)
        t.n = (size_t)(paren - t.p);
    return t;
}

static bool app_fits(const struct line_app *a, struct text name)
{
    struct text known = a->name;
    if (name.n < known.n || (!a->is_prefix && name.n != known.n))
        return false;
    for (size_t i = 0; i < known.n; i++) {
        char x = known.p[i], y = name.p[i];
        if (x != y && ((x | 32) != (y | 32) || (x | 32) < 'a' || (x | 32) > 'z'))
            return false;
    }
    return true;
}

/* list_named - those of .allowed that name the program, in their order. */
static void list_named(const struct line_decoders *d, struct line_app_cache *c)
{
    c->n_named = 0;
    for (uint32_t w = 0; w < (d->n_patterns + 63) / 64; w++)
        for (uint64_t bits = c->allowed[w] & ~d->without_app[w]; bits; bits &= bits - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits);
            if (c->n_named == LINE_NAMED_MAX) {
                c->n_named++;
                return;
            }
            c->named[c->n_named] = (uint16_t)i;
            c->begins[c->n_named++] = d->patterns[i]->begins;
        }
}

/* of_app - the patterns that a line of program @app may be for. */
static const struct line_app_cache *of_app(struct line_scratch *s, struct text app)
{
    const struct line_decoders *d = s->decoders;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < app.n; i++)
        h = (h ^ (uint8_t)app.p[i]) * 16777619u;
    struct line_app_cache *c = &s->apps[(h >> 8) % LINE_APP_CACHE];
    for (uint32_t i = 0; i < 4; i++, c = &s->apps[((h >> 8) + i) % LINE_APP_CACHE])
        if (app.n && c->n == app.n && !memcmp(c->name, app.p, app.n))
            return c;
    c = &s->apps[((h >> 8) + s->counts.n_lines % 4) % LINE_APP_CACHE]; /* one of the four goes */
    c->n = app.n <= sizeof c->name ? (uint32_t)app.n : 0; /* longer: not remembered */
    memcpy(c->name, app.p, c->n);
    memcpy(c->allowed, d->without_app, sizeof c->allowed);
    for (uint32_t i = 0; i < d->n_apps; i++) {
        if (!app_fits(&d->apps[i], app))
            continue;
        for (uint32_t k = 0; k < d->n_patterns; k++)
            if (d->patterns[k]->decoder->number == d->apps[i].decoder)
                set_bit(c->allowed, k);
    }
    list_named(d, c);
    return c;
}

static int found_anchor(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct line_scratch *s = context;
    (void)from, (void)to, (void)flags;
    set_bit(s->found, id);
    const struct line_decoders *d = s->decoders;
    for (uint32_t i = d->anchor_from[id]; i < d->anchor_from[id + 1]; i++)
        set_bit(s->candidates, d->anchor_patterns[i]);
    return 0;
}

/* has_choice - one of the texts that stand for an anchor, if any do. */
static bool has_choice(const struct line_pattern *p, struct text t)
{
    for (uint32_t i = 0; i < p->n_any; i++)
        if (holds(t, &p->any[i]))
            return true;
    return !p->n_any;
}

/* fits - with the first @n of its needles. */
static bool fits(struct line_scratch *s, const struct line_pattern *p, const struct syslog *h, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!holds(h->body, &p->needles[i]))
            return false;
    return line_match(p, s, p->decoder->is_on_line ? h->body : h->message);
}

static bool has_literals(const struct line_scratch *s, const struct line_pattern *p)
{
    for (uint32_t i = 0; i < p->n_secondary; i++)
        if (!line_has_bit(s->found, p->anchors[i]))
            return false;
    return true;
}

static const struct line_pattern *choose_first(struct line_scratch *s, const struct syslog *h)
{
    const struct line_decoders *d = s->decoders;
    for (uint32_t i = 0; i < d->n_first; i++)
        if (fits(s, d->patterns[d->first[i]], h, d->patterns[d->first[i]]->n_required))
            return d->patterns[d->first[i]];
    return NULL;
}

/* of_named - the first that fits of those of one program; no step is paid for what its literals exclude. */
static const struct line_pattern *of_named(struct line_scratch *s, const struct syslog *h, const struct line_app_cache *c)
{
    unsigned begins = h->message.n ? (uint8_t)h->message.p[0] & 31u : 0;
    for (uint32_t i = 0; i < c->n_named; i++) {
        if (h->message.n && !(c->begins[i] >> begins & 1))
            continue;
        const struct line_pattern *p = s->decoders->patterns[c->named[i]];
        if (p->lead.n > h->message.n || (p->lead.n && memcmp(h->message.p, p->lead.p, p->lead.n) != 0) || p->decoder->is_first)
            continue;
        if (!has_choice(p, h->body))
            continue;
        if (fits(s, p, h, p->n_needles))
            return p;
        if (!s->steps)
            return NULL;
    }
    return NULL;
}

/* of_mask - the first candidate of @mask that fits. */
static const struct line_pattern *of_mask(struct line_scratch *s, const struct syslog *h, const uint64_t *mask, const uint64_t *but)
{
    const struct line_decoders *d = s->decoders;
    for (uint32_t w = 0; w < (d->n_patterns + 63) / 64; w++)
        for (uint64_t bits = s->candidates[w] & mask[w] & ~(but ? but[w] : 0); bits; bits &= bits - 1) {
            const struct line_pattern *p = d->patterns[w * 64 + (uint32_t)__builtin_ctzll(bits)];
            if (has_literals(s, p) && fits(s, p, h, p->n_required))
                return p;
            if (!s->steps)
                return NULL;
        }
    return NULL;
}

static void scan(struct line_scratch *s, const struct syslog *h, const struct hs_database *database)
{
    const struct line_decoders *d = s->decoders;
    memcpy(s->candidates, d->always, (d->n_patterns + 63) / 64 * 8);
    memset(s->found, 0, (d->n_anchors + 63) / 64 * 8);
    if (database)
        hs_scan(database, h->body.p, (unsigned)h->body.n, 0, s->hs, found_anchor, s);
}

static bool has_all(const struct line_list *l, struct text t)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (!memmem(t.p, t.n, l->items[i].p, l->items[i].n))
            return false;
    return true;
}

/* by_trial - every pattern of @mask is tried, with steps of its own. */
static const struct line_pattern *by_trial(struct line_scratch *s, const struct syslog *h, const uint64_t *mask, const uint64_t *but)
{
    const struct line_decoders *d = s->decoders;
    for (uint32_t i = 0; i < d->n_patterns; i++) {
        const struct line_pattern *p = d->patterns[i];
        if (!line_has_bit(mask, i) || (but && line_has_bit(but, i)) || p->decoder->is_first)
            continue;
        s->steps = STEPS_OF_LINE + STEPS_PER_BYTE * (uint32_t)h->body.n;
        bool is_worth_it = has_all(&p->decoder->require, h->body) && has_all(&p->require, h->body);
        if (is_worth_it && line_match(p, s, p->decoder->is_on_line ? h->body : h->message))
            return p;
    }
    return NULL;
}

static const struct line_pattern *choose_plain(struct line_scratch *s, const struct syslog *h, struct text app)
{
    const struct line_decoders *d = s->decoders;
    if (!app.n)
        return by_trial(s, h, d->for_nameless, NULL);
    const struct line_pattern *p = by_trial(s, h, of_app(s, app)->allowed, d->without_app);
    return p ? p : by_trial(s, h, d->without_app, NULL);
}

const struct line_pattern *line_choose(struct line_scratch *s, const struct syslog *h)
{
    const struct line_decoders *d = s->decoders;
    if (h->body.n > LINE_MATCHED_MAX)
        return NULL;
    s->steps = STEPS_OF_LINE + STEPS_PER_BYTE * (uint32_t)h->body.n;
    const struct line_pattern *p = choose_first(s, h);
    struct text app = app_name(h->appname);
    if (p)
        return p;
    if (s->is_plain)
        return choose_plain(s, h, app);
    if (!app.n) {
        scan(s, h, d->database);
        p = of_mask(s, h, d->for_nameless, NULL);
    } else {
        const struct line_app_cache *c = of_app(s, app);
        bool is_listed = c->n_named <= LINE_NAMED_MAX;
        p = is_listed ? of_named(s, h, c) : NULL;
        if (!p && s->steps) {
            scan(s, h, is_listed ? d->general : d->database);
            p = is_listed ? NULL : of_mask(s, h, c->allowed, d->without_app);
            p = p || !s->steps ? p : of_mask(s, h, d->without_app, NULL);
        }
    }
    s->counts.n_exhausted += !p && !s->steps;
    return p;
}
