/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern is literal text with {captures}. It becomes a row of nodes; an optional part {?...} is a SPLIT in front of
 * its nodes that knows where to go on without them. The longest literal that no optional part holds is the anchor: the
 * one pass over a line looks for anchors only.
 */
#include "format/line_impl.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *name;
    enum line_type type;
} types[] = {
    {"word", LINE_WORD}, {"text", LINE_TEXT}, {"long", LINE_LONG}, {"int", LINE_INT}, {"hex", LINE_HEX}, {"real", LINE_REAL},
    {"ip", LINE_IP}, {"host", LINE_HOST}, {"mac", LINE_MAC}, {"time", LINE_TIME}, {"time-us", LINE_TIME_US}, {"epoch", LINE_EPOCH},
    {"quoted", LINE_QUOTED}, {"seconds", LINE_SECONDS}, {"ms", LINE_MILLISECONDS}, {"url", LINE_URL}, {"endpoint", LINE_ENDPOINT},
    {"web-agent", LINE_WEB_AGENT}, {"token", LINE_TOKEN}, {"request", LINE_REQUEST}, {"kv", LINE_KV},
    {"csv", LINE_CSV}, {"json", LINE_JSON}, {"cef", LINE_CEF}, {"leef", LINE_LEEF}, {"access", LINE_ACCESS}, {"records", LINE_RECORDS},
};

enum line_type line_type_named(struct text name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (text_is(name, types[i].name))
            return types[i].type;
    return LINE_N_TYPES;
}

struct compiler {
    struct line_decoders *d;
    struct line_pattern *p;
    const char *at, *end, *begin;
    struct line_node nodes[LINE_NODES_MAX];
    struct line_target *targets[LINE_SLOTS_MAX];
    uint32_t n_nodes, n_slots;
    const char *why; /* set once */
    size_t why_at;
    bool is_out_of_memory;
};

static void wrong(struct compiler *c, const char *why)
{
    if (c->why)
        return;
    c->why = why;
    c->why_at = (size_t)(c->at - c->begin);
}

static struct line_node *node(struct compiler *c, enum line_op op)
{
    if (c->n_nodes == LINE_NODES_MAX) {
        wrong(c, message_text(MSG_decoder_too_many_parts));
        return NULL;
    }
    struct line_node *n = &c->nodes[c->n_nodes++];
    *n = (struct line_node){.op = (uint8_t)op};
    return n;
}

/* literal - up to the next brace; '\' takes the next byte as it is. */
static void literal(struct compiler *c, unsigned depth)
{
    char *copy = arena_alloc(&c->d->arena, (size_t)(c->end - c->at) + 1);
    if (!copy) {
        c->is_out_of_memory = true;
        return;
    }
    uint32_t n = 0;
    while (c->at < c->end && *c->at != '{' && (*c->at != '}' || !depth)) {
        if (*c->at == '\\' && c->at + 1 < c->end)
            c->at++;
        copy[n++] = *c->at++;
    }
    struct line_node *l = node(c, LINE_LITERAL);
    if (l)
        l->p = copy, l->n = n;
}

/* one_of - "a|b|c" as length-prefixed texts. */
static void one_of(struct compiler *c, struct line_node *n, struct text list)
{
    char *copy = arena_alloc(&c->d->arena, list.n + 2);
    if (!copy) {
        c->is_out_of_memory = true;
        return;
    }
    uint32_t at = 0;
    for (const char *p = list.p, *end = list.p + list.n; p <= end;) {
        const char *bar = memchr(p, '|', (size_t)(end - p));
        size_t length = (size_t)((bar ? bar : end) - p);
        if (!length || length > 255) {
            wrong(c, message_text(MSG_decoder_bad_choice));
            return;
        }
        copy[at++] = (char)length;
        memcpy(copy + at, p, length);
        at += (uint32_t)length;
        p += length + 1;
    }
    n->p = copy;
    n->n = at;
}

static void capture(struct compiler *c, struct text inside)
{
    const char *colon = memchr(inside.p, ':', inside.n);
    struct text name = {inside.p, colon ? (size_t)(colon - inside.p) : inside.n};
    struct text type = {colon ? colon + 1 : inside.p, colon ? inside.n - name.n - 1 : 0};
    bool is_constant = type.n > 1 && type.p[0] == '='; /* {event.reason:=literal text} */
    bool is_choice = is_constant || memchr(type.p, '|', type.n);
    if (is_constant)
        type = (struct text){type.p + 1, type.n - 1};
    struct line_target *target = NULL;
    enum line_type kind = LINE_WORD;
    if (name.n) {
        target = line_target_new(c->d, c->p->decoder, is_choice ? name : inside);
        if (!target) {
            wrong(c, message_text(MSG_decoder_bad_target));
            return;
        }
        kind = target->type;
    } else if (!is_choice) {
        kind = line_type_named(type);
    }
    if (is_choice)
        kind = LINE_ONE_OF;
    if (kind == LINE_N_TYPES) {
        wrong(c, message_text(MSG_decoder_bad_type));
        return;
    }
    struct line_node *n = node(c, LINE_CAPTURE);
    if (!n)
        return;
    n->type = (uint8_t)kind;
    if (is_choice)
        one_of(c, n, type);
    if (c->n_slots == LINE_SLOTS_MAX) {
        wrong(c, message_text(MSG_decoder_too_many_parts));
        return;
    }
    n->slot = (uint16_t)c->n_slots;
    c->targets[c->n_slots++] = target;
}

static void sequence(struct compiler *c, unsigned depth);

static void optional(struct compiler *c, unsigned depth)
{
    uint32_t at = c->n_nodes;
    struct line_node *split = node(c, LINE_SPLIT);
    if (!split)
        return;
    if (depth >= LINE_NEST_MAX) {
        wrong(c, message_text(MSG_decoder_too_many_parts));
        return;
    }
    split->slot = (uint16_t)c->n_slots;
    sequence(c, depth + 1);
    c->nodes[at].other = (uint16_t)c->n_nodes;
    c->nodes[at].slot_end = (uint16_t)c->n_slots;
    if (c->at == c->end)
        wrong(c, message_text(MSG_decoder_not_closed));
    else
        c->at++;
}

static void braces(struct compiler *c, unsigned depth)
{
    c->at++;
    if (c->at < c->end && *c->at == '?') {
        c->at++;
        optional(c, depth);
        return;
    }
    const char *close = memchr(c->at, '}', (size_t)(c->end - c->at));
    if (!close) {
        wrong(c, message_text(MSG_decoder_not_closed));
        return;
    }
    struct text inside = {c->at, (size_t)(close - c->at)};
    if (text_is(inside, "*"))
        inside = TEXT(":text");
    if (text_is(inside, "_")) {
        struct line_node *n = node(c, LINE_CAPTURE);
        if (n)
            n->type = LINE_BLANKS, n->slot = UINT16_MAX;
    } else {
        capture(c, inside);
    }
    c->at = close + 1;
}

static void sequence(struct compiler *c, unsigned depth)
{
    while (c->at < c->end && !c->why && !c->is_out_of_memory) {
        if (*c->at == '{')
            braces(c, depth);
        else if (*c->at == '}' && depth)
            return;
        else
            literal(c, depth);
    }
}

/* consider - keeps the longest literal as the anchor and the next ones behind it. */
static void consider(struct line_pattern *p, struct text t)
{
    if (t.n > p->anchor.n) {
        struct text was = p->anchor;
        p->anchor = t;
        t = was;
    }
    if (t.n < LINE_ANCHOR_MIN)
        return;
    if (p->n_secondary < LINE_SECONDARY_MAX) {
        p->secondary[p->n_secondary++] = t;
        return;
    }
    for (uint32_t i = 0; i < LINE_SECONDARY_MAX; i++)
        if (t.n > p->secondary[i].n) {
            p->secondary[i] = t;
            return;
        }
}

/* shortest_choice - bytes of the shortest alternative. */
static uint32_t shortest_choice(const struct line_node *n)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; n->p && i < n->n; i += 1u + (uint8_t)n->p[i])
        least = (uint8_t)n->p[i] < least ? (uint8_t)n->p[i] : least;
    return least;
}

/* find_anchors - among the literals that no optional part holds, and those the file requires. */
static void find_anchors(const struct compiler *c)
{
    uint32_t optional_until = 0, best_choice = 0;
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        const struct line_node *n = &c->nodes[i];
        if (n->op == LINE_SPLIT && n->other > optional_until)
            optional_until = n->other;
        bool is_constant = n->op == LINE_CAPTURE && n->type == LINE_ONE_OF && n->n && n->p && n->n == 1u + (uint8_t)n->p[0];
        if (i < optional_until)
            continue;
        if (n->op == LINE_LITERAL)
            consider(c->p, (struct text){n->p, n->n});
        else if (is_constant)
            consider(c->p, (struct text){n->p + 1, n->n - 1});
        else if (n->op == LINE_CAPTURE && n->type == LINE_ONE_OF && shortest_choice(n) > best_choice)
            best_choice = shortest_choice(n), c->p->choices = n->p, c->p->n_choices = n->n;
    }
    const struct line_list *lists[] = {&c->p->require, &c->p->decoder->require};
    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < lists[k]->n; i++)
            consider(c->p, lists[k]->items[i]);
    if (best_choice < LINE_ANCHOR_MIN || best_choice <= c->p->anchor.n)
        c->p->choices = NULL;
    else if (c->p->anchor.n >= LINE_ANCHOR_MIN)
        c->p->secondary[c->p->n_secondary < LINE_SECONDARY_MAX ? c->p->n_secondary++ : 0] = c->p->anchor;
    if (!c->p->choices && c->p->anchor.n >= LINE_SURE_ANCHOR) /* rare enough by itself */
        c->p->n_secondary = 0;
}

int line_pattern_compile(struct line_decoders *d, struct line_pattern *p, const char **ret_why, size_t *ret_at)
{
    struct compiler c = {.d = d, .p = p, .begin = p->source.p, .at = p->source.p, .end = p->source.p + p->source.n};
    sequence(&c, 0);
    if (!c.why && !c.is_out_of_memory)
        node(&c, LINE_END);
    if (c.why) {
        *ret_why = c.why;
        *ret_at = c.why_at;
        return 1;
    }
    p->nodes = arena_alloc(&d->arena, c.n_nodes * sizeof *p->nodes);
    p->targets = arena_alloc(&d->arena, (c.n_slots + 1) * sizeof *p->targets);
    if (c.is_out_of_memory || !p->nodes || !p->targets)
        return -ENOMEM;
    memcpy(p->nodes, c.nodes, c.n_nodes * sizeof *p->nodes);
    memcpy(p->targets, c.targets, c.n_slots * sizeof *p->targets);
    p->n_nodes = c.n_nodes;
    p->n_slots = c.n_slots;
    find_anchors(&c);
    return 0;
}
