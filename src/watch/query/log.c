/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/query/log.h"

#include "watch/query/filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_WORDS = TERMS_BLOCKS_MAX / 64 };

struct query_log_leaf {
    const struct query_leaf *leaf;
    struct query_log_source source;
    bool is_message;        /* words of it are enough */
    struct phrase *phrases; /* one per pattern: where to look; of a message also what matches */
    bool *has_phrase;       /* false: the pattern says nothing about words */
};

static struct query_log_source source_of(struct event_names *names, const struct query_field *f)
{
    if (text_is(f->name, "@timestamp") || text_is(f->name, "event.start"))
        return (struct query_log_source){.place = QUERY_LOG_TIME};
    if (text_is(f->name, "event.created"))
        return (struct query_log_source){.place = QUERY_LOG_ARRIVED};
    if (text_is(f->name, "event.original"))
        return (struct query_log_source){.place = QUERY_LOG_ORIGINAL};
    if (f->kind == QUERY_FIELD_SUM && text_is(f->name, "network.bytes"))
        return (struct query_log_source){QUERY_LOG_BYTES, EV_SOURCE_BYTES, EV_DESTINATION_BYTES, EV_NETWORK_BYTES};
    if (f->kind == QUERY_FIELD_SUM)
        return (struct query_log_source){QUERY_LOG_PACKETS, EV_SOURCE_PACKETS, EV_DESTINATION_PACKETS, EV_NETWORK_PACKETS};
    return (struct query_log_source){.place = QUERY_LOG_VALUES, .field = event_names_add(names, f->name)};
}

/* --- values ------------------------------------------------------------------------------------------------- */

static void value_of(const struct events *e, const struct event_value *v, struct query_value *ret)
{
    ret->kind = QUERY_ABSENT;
    switch ((enum event_type)v->type) {
    case EVENT_KEYWORD:
    case EVENT_TEXT:
        ret->kind = QUERY_TEXT;
        ret->text = event_text(e, v);
        return;
    case EVENT_LONG:
        ret->kind = v->number < 0 ? QUERY_SIGNED : QUERY_NUMBER;
        ret->time_us = v->number;
        return;
    case EVENT_ULONG:
        ret->kind = QUERY_NUMBER;
        ret->number = v->unsigned_number;
        return;
    case EVENT_REAL:
        ret->kind = QUERY_REAL;
        ret->real = v->real;
        return;
    case EVENT_BOOL:
        ret->kind = QUERY_TEXT;
        ret->text = v->number ? TEXT("true") : TEXT("false");
        return;
    case EVENT_IP:
        ret->kind = QUERY_IP;
        ret->ip = event_ip(e, v);
        return;
    case EVENT_DATE:
        ret->kind = QUERY_TIME;
        ret->time_us = v->number;
        return;
    case EVENT_NULL:
    case EVENT_N_TYPES: return;
    }
}

static bool number_of(const struct events *e, uint32_t row, uint16_t field, uint64_t *ret)
{
    const struct event_value *v = event_get(e, row, field);
    if (!v || (v->type != EVENT_ULONG && (v->type != EVENT_LONG || v->number < 0)))
        return false;
    *ret = v->unsigned_number;
    return true;
}

/* sum_of - both sides, or what the event gives for both together. */
static bool sum_of(const struct events *e, uint32_t row, const struct query_log_source *s, uint64_t *ret)
{
    uint64_t a = 0, b = 0;
    bool has_a = number_of(e, row, s->field, &a), has_b = number_of(e, row, s->field2, &b);
    if (!has_a && !has_b)
        return number_of(e, row, s->total, ret);
    if (__builtin_add_overflow(a, b, ret))
        *ret = UINT64_MAX;
    return true;
}

static void special_value(const struct events *e, uint32_t row, const struct query_log_source *s, struct query_value *ret)
{
    ret->kind = QUERY_ABSENT;
    switch (s->place) {
    case QUERY_LOG_TIME:
        ret->kind = QUERY_TIME;
        ret->time_us = e->time_us[row];
        return;
    case QUERY_LOG_ARRIVED:
        ret->kind = QUERY_TIME;
        ret->time_us = e->arrived_us[row];
        return;
    case QUERY_LOG_ORIGINAL:
        ret->kind = QUERY_TEXT;
        ret->text = event_original(e, row);
        return;
    case QUERY_LOG_BYTES:
    case QUERY_LOG_PACKETS:
        ret->kind = sum_of(e, row, s, &ret->number) ? QUERY_NUMBER : QUERY_ABSENT;
        return;
    case QUERY_LOG_VALUES: return;
    }
}

/* remembered - the source of a field of the query, which stays where it is while the query runs. */
static struct query_log_source remembered(struct query_log *l, const struct query_field *f)
{
    size_t at = (uintptr_t)f / sizeof(*f) % QUERY_LOG_REMEMBERED;
    if (l->remembered[at].field != f) {
        l->remembered[at].field = f;
        l->remembered[at].source = source_of(l->names, f);
    }
    return l->remembered[at].source;
}

/* name_of_code - what events keep as a number only. */
static void name_of_code(const struct events *e, uint32_t row, uint16_t field, struct query_value *ret)
{
    uint16_t code_field = EVENT_NO_FIELD;
    uint64_t code;
    (void)event_code_name(field, 0, &code_field);
    if (code_field == EVENT_NO_FIELD || !number_of(e, row, code_field, &code))
        return;
    const char *name = event_code_name(field, code, &code_field);
    if (name) {
        ret->kind = QUERY_TEXT;
        ret->text = (struct text){name, strlen(name)};
    }
}

void query_log_value(struct query_log *l, const struct query_field *f, uint32_t row, struct query_value *ret)
{
    struct query_log_source s = remembered(l, f);
    if (s.place != QUERY_LOG_VALUES) {
        special_value(l->e, row, &s, ret);
        return;
    }
    const struct event_value *v = event_get(l->e, row, s.field);
    ret->kind = QUERY_ABSENT;
    if (v)
        value_of(l->e, v, ret);
    else
        name_of_code(l->e, row, s.field, ret);
}

struct text query_log_text(const struct query_value *v, char *out)
{
    switch (v->kind) {
    case QUERY_TEXT: return v->text;
    case QUERY_NUMBER: return (struct text){out, (size_t)snprintf(out, EVENT_VALUE_TEXT_MAX, "%" PRIu64, v->number)};
    case QUERY_SIGNED: return (struct text){out, (size_t)snprintf(out, EVENT_VALUE_TEXT_MAX, "%" PRId64, v->time_us)};
    case QUERY_REAL: return (struct text){out, (size_t)snprintf(out, EVENT_VALUE_TEXT_MAX, "%.15g", v->real)};
    case QUERY_IP: return (struct text){out, ip_format(&v->ip, out)};
    case QUERY_TIME: return (struct text){out, clock_format_utc(v->time_us, out)};
    case QUERY_ABSENT: break;
    }
    return TEXT("");
}

/* --- deciding -------------------------------------------------------------------------------------------------- */

static bool in_intervals(const struct query_leaf *leaf, uint64_t v)
{
    bool is_signed = leaf->field.value == QUERY_TIME || leaf->field.value == QUERY_SIGNED;
    uint64_t bias = is_signed ? UINT64_C(1) << 63 : 0;
    for (size_t i = 0; i < leaf->n_intervals; i++)
        if ((leaf->intervals[i].first ^ bias) <= (v ^ bias) && (v ^ bias) <= (leaf->intervals[i].last ^ bias))
            return true;
    return false;
}

/* as_number - a value where the leaf compares numbers. Return: false if it is none. */
static bool as_number(const struct query_leaf *leaf, const struct query_value *v, uint64_t *ret)
{
    uint8_t protocol;
    *ret = v->number; /* the same bits as time_us */
    if (leaf->field.kind == QUERY_FIELD_TRANSPORT && v->kind == QUERY_TEXT) {
        if (flow_transport_parse(v->text, &protocol))
            return false;
        *ret = protocol;
        return true;
    }
    if (leaf->field.kind == QUERY_FIELD_DIRECTION && v->kind == QUERY_TEXT) {
        *ret = text_is(v->text, "egress") || text_is(v->text, "outbound");
        return *ret || text_is(v->text, "ingress") || text_is(v->text, "inbound");
    }
    if (leaf->field.value == QUERY_TIME)
        return v->kind == QUERY_TIME;
    if (v->kind == QUERY_TEXT)
        return !text_u64(v->text, UINT64_MAX, ret);
    return v->kind == QUERY_NUMBER || (v->kind == QUERY_SIGNED && leaf->field.value == QUERY_SIGNED);
}

static bool value_matches(struct query_log *l, const struct query_log_leaf *x, const struct query_value *v)
{
    const struct query_leaf *leaf = x->leaf;
    char scratch[EVENT_VALUE_TEXT_MAX];
    uint64_t number;
    if (v->kind == QUERY_ABSENT)
        return false;
    if (leaf->is_presence)
        return true;
    if (leaf->field.value == QUERY_IP)
        return v->kind == QUERY_IP && address_set_has(&leaf->set, &v->ip);
    if (leaf->field.kind != QUERY_FIELD_TEXT)
        return as_number(leaf, v, &number) && in_intervals(leaf, number);
    struct text t = query_log_text(v, scratch);
    for (size_t i = 0; i < leaf->n_patterns; i++)
        if (query_text_matches(leaf->patterns[i], t) ||
            (x->is_message && x->has_phrase[i] && phrase_match(&x->phrases[i], t, &l->folding)))
            return true;
    return false;
}

static bool phrase_in_row(struct query_log *l, const struct phrase *p, uint32_t row)
{
    const struct events *e = l->e;
    if (phrase_match(p, event_original(e, row), &l->folding))
        return true;
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        if (e->values[i].type == EVENT_KEYWORD && phrase_match(p, event_text(e, &e->values[i]), &l->folding))
            return true;
    return false;
}

static bool leaf_matches(struct query_log *l, const struct query_leaf *leaf, uint32_t row)
{
    const struct query_log_leaf *x = &l->leaves[leaf->index];
    const struct events *e = l->e;
    struct query_value v;
    if (leaf->phrase)
        return phrase_in_row(l, leaf->phrase, row);
    if (x->source.place != QUERY_LOG_VALUES) {
        special_value(e, row, &x->source, &v);
        return value_matches(l, x, &v);
    }
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++) {
        if (e->values[i].field != x->source.field)
            continue;
        value_of(e, &e->values[i], &v);
        if (value_matches(l, x, &v))
            return true;
    }
    return false;
}

static bool node_matches(struct query_log *l, const struct query_node *n, uint32_t row)
{
    switch (n->op) {
    case QUERY_TRUE: return true;
    case QUERY_LEAF: return leaf_matches(l, n->leaf, row);
    case QUERY_NOT: return !node_matches(l, n->children, row);
    case QUERY_AND:
    case QUERY_OR: break;
    }
    for (const struct query_node *c = n->children; c; c = c->next)
        if (node_matches(l, c, row) != (n->op == QUERY_AND))
            return n->op == QUERY_OR;
    return n->op == QUERY_AND;
}

bool query_log_matches(struct query_log *l, uint32_t row)
{
    int64_t t = l->e->time_us[row];
    return t >= l->options->since_us && t <= l->options->until_us && t >= l->not_before_us && t <= l->not_after_us &&
           node_matches(l, l->q->filter, row);
}

/* --- where to look ------------------------------------------------------------------------------------------------ */

/* addresses_may - blocks with an address of @set. Return: 0 or -EBADMSG. */
static int addresses_may(const struct log_segment *s, const struct address_set *set, uint64_t *may)
{
    uint32_t n = log_segment_info(s)->n_addresses;
    for (uint32_t i = 0; i < n; i++) {
        struct ip a;
        if (log_segment_address(s, i, &a))
            return -EBADMSG;
        if (address_set_has(set, &a) && log_segment_postings(s, i, i + 1, may))
            return -EBADMSG;
    }
    return 0;
}

static int patterns_may(const struct query_log_leaf *x, const struct terms *terms, uint64_t *may, uint64_t *spare)
{
    size_t n = (terms->n_blocks + 63) / 64;
    int r = 0;
    for (size_t i = 0; !r && i < x->leaf->n_patterns; i++) {
        memset(spare, 0xff, n * sizeof(*spare));
        if (x->has_phrase[i])
            r = phrase_blocks(&x->phrases[i], terms, spare);
        for (size_t k = 0; k < n; k++)
            may[k] |= spare[k];
    }
    return r;
}

/* times_may - blocks whose times meet the leaf's. */
static void times_may(const struct query_log_leaf *x, const struct log_segment *s, uint64_t *may)
{
    uint64_t bias = UINT64_C(1) << 63;
    for (uint32_t b = 0; b < log_segment_info(s)->n_blocks; b++) {
        struct log_block_info info;
        log_segment_block(s, b, &info);
        bool is_time = x->source.place == QUERY_LOG_TIME;
        uint64_t min = (uint64_t)(is_time ? info.event_min_us : info.arrived_min_us) ^ bias;
        uint64_t max = (uint64_t)(is_time ? info.event_max_us : info.arrived_max_us) ^ bias;
        for (size_t i = 0; i < x->leaf->n_intervals; i++)
            if ((x->leaf->intervals[i].first ^ bias) <= max && min <= (x->leaf->intervals[i].last ^ bias))
                may[b / 64] |= UINT64_C(1) << b % 64;
    }
}

/* leaf_may - into @may, cleared before. Return: 0, -EBADMSG or -ENOMEM. */
static int leaf_may(struct query_log *l, const struct query_leaf *leaf, uint64_t *may, uint64_t *spare)
{
    const struct query_log_leaf *x = &l->leaves[leaf->index];
    const struct log_segment *s = l->segment;
    struct terms terms;
    int r = log_segment_terms(s, &terms);
    if (r)
        return r;
    if (leaf->phrase) {
        memset(may, 0xff, N_WORDS * sizeof(*may));
        return phrase_blocks(leaf->phrase, &terms, may);
    }
    bool is_time = x->source.place == QUERY_LOG_TIME || x->source.place == QUERY_LOG_ARRIVED;
    if (is_time && !leaf->is_presence) {
        times_may(x, s, may);
        return 0;
    }
    if (x->source.place == QUERY_LOG_VALUES && !log_segment_has_field(s, event_name(l->names, x->source.field)))
        return 0;
    if (x->source.place == QUERY_LOG_VALUES && !leaf->is_presence && leaf->field.value == QUERY_IP)
        return addresses_may(s, &leaf->set, may);
    if (!leaf->is_presence && leaf->field.kind == QUERY_FIELD_TEXT)
        return patterns_may(x, &terms, may, spare);
    memset(may, 0xff, N_WORDS * sizeof(*may));
    return 0;
}

static int node_may(struct query_log *l, const struct query_node *n, uint64_t *may, unsigned depth)
{
    memset(may, 0, N_WORDS * sizeof(*may));
    if (n->op == QUERY_LEAF)
        return leaf_may(l, n->leaf, may, l->spare[QUERY_DEPTH + 1]);
    if (n->op == QUERY_TRUE || n->op == QUERY_NOT || depth >= QUERY_DEPTH) {
        memset(may, 0xff, N_WORDS * sizeof(*may));
        return 0;
    }
    uint64_t *child = l->spare[depth];
    if (n->op == QUERY_AND)
        memset(may, 0xff, N_WORDS * sizeof(*may));
    for (const struct query_node *c = n->children; c; c = c->next) {
        int r = node_may(l, c, child, depth + 1);
        if (r)
            return r;
        for (size_t i = 0; i < N_WORDS; i++)
            may[i] = n->op == QUERY_AND ? may[i] & child[i] : may[i] | child[i];
    }
    return 0;
}

/* is_wanted - whether rows of these times may still be. */
static bool is_wanted(const struct query_log *l, int64_t min_us, int64_t max_us)
{
    return max_us >= l->not_before_us && min_us <= l->not_after_us;
}

void query_log_bind(struct query_log *l, const struct log_segment *s, struct query_report *report)
{
    const struct log_segment_info *info = log_segment_info(s);
    l->segment = s;
    l->next_block = 0;
    l->has_block = false;
    report->n_segments++;
    report->n_blocks += info->n_blocks;
    report->n_rows += info->n_rows;
    if (info->event_min_us > l->options->until_us || info->event_max_us < l->options->since_us ||
        !is_wanted(l, info->event_min_us, info->event_max_us)) {
        memset(l->may, 0, N_WORDS * sizeof(*l->may));
        return;
    }
    int r = node_may(l, l->q->filter, l->may, 0);
    if (r) /* a damaged index, or no memory for it: look everywhere */
        memset(l->may, 0xff, N_WORDS * sizeof(*l->may));
    report->n_segments_read++;
}

int query_log_at(struct query_log *l, const struct log_segment *s, uint32_t block)
{
    if (l->has_block && l->segment == s && l->block == block)
        return 0;
    l->segment = s;
    l->block = block;
    int r = log_segment_read(s, block, l->scratch, l->e);
    l->has_block = !r;
    return r;
}

static void count_damage(struct query_report *report, uint64_t id)
{
    report->n_damaged_blocks++;
    for (uint32_t i = 0; i < report->n_damaged_segments; i++)
        if (report->damaged_segments[i] == id)
            return;
    if (report->n_damaged_segments < QUERY_DAMAGES)
        report->damaged_segments[report->n_damaged_segments++] = id;
}

bool query_log_next_block(struct query_log *l, struct query_report *report)
{
    const struct log_segment_info *info = log_segment_info(l->segment);
    while (l->next_block < info->n_blocks) {
        uint32_t k = l->next_block++, b = l->is_backwards ? info->n_blocks - 1 - k : k;
        struct log_block_info x;
        log_segment_block(l->segment, b, &x);
        if (!(l->may[b / 64] >> b % 64 & 1) || x.event_min_us > l->options->until_us || x.event_max_us < l->options->since_us ||
            !is_wanted(l, x.event_min_us, x.event_max_us))
            continue;
        report->n_blocks_read++;
        int r = query_log_at(l, l->segment, b);
        if (!r)
            return true;
        if (r == -ENOMEM) {
            l->failed = r;
            return false;
        }
        count_damage(report, info->id);
    }
    return false;
}

/* --- making ready ---------------------------------------------------------------------------------------------------- */

/* ready_patterns - the words every match must have: '?' parts them like '*', as it may stand for any character. */
static int ready_patterns(struct query_log_leaf *x)
{
    const struct query_leaf *leaf = x->leaf;
    x->phrases = calloc(leaf->n_patterns + 1, sizeof(*x->phrases));
    x->has_phrase = calloc(leaf->n_patterns + 1, sizeof(*x->has_phrase));
    if (!x->phrases || !x->has_phrase)
        return -ENOMEM;
    for (size_t i = 0; i < leaf->n_patterns; i++) {
        char copy[PHRASE_BYTES_MAX];
        struct text t = leaf->patterns[i];
        if (t.n > sizeof(copy))
            continue;
        for (size_t k = 0; k < t.n; k++)
            copy[k] = t.p[k] == '?' && (!k || t.p[k - 1] != '\\') ? '*' : t.p[k];
        x->has_phrase[i] = !phrase_compile((struct text){copy, t.n}, false, &x->phrases[i]);
    }
    return 0;
}

int query_log_init(struct query_log *l, const struct query *q, const struct query_options *o)
{
    *l = (struct query_log){.q = q, .options = o, .folding.max = 4 * EVENT_ORIGINAL_MAX,
                              .not_before_us = INT64_MIN, .not_after_us = INT64_MAX};
    l->names = event_names_new();
    l->e = l->names ? events_new(l->names) : NULL;
    l->scratch = log_scratch_new();
    l->leaves = calloc(q->n_leaves + 1, sizeof(*l->leaves));
    l->may = calloc(N_WORDS, sizeof(*l->may));
    bool has_all = l->e && l->scratch && l->leaves && l->may;
    for (size_t i = 0; i < QUERY_DEPTH + 2; i++) {
        l->spare[i] = calloc(N_WORDS, sizeof(**l->spare));
        has_all = has_all && l->spare[i];
    }
    for (unsigned i = 0; has_all && i < q->n_leaves; i++) {
        struct query_log_leaf *x = &l->leaves[i];
        x->leaf = q->leaves[i];
        x->source = source_of(l->names, &x->leaf->field);
        x->is_message = text_is(x->leaf->field.name, "message") || text_is(x->leaf->field.name, "error.message") ||
                        text_is(x->leaf->field.name, "event.original");
        has_all = !ready_patterns(x);
    }
    return has_all ? 0 : -ENOMEM;
}

void query_log_fini(struct query_log *l)
{
    for (unsigned i = 0; l->leaves && i < l->q->n_leaves; i++) {
        free(l->leaves[i].phrases);
        free(l->leaves[i].has_phrase);
    }
    free(l->leaves);
    for (size_t i = 0; i < QUERY_DEPTH + 2; i++)
        free(l->spare[i]);
    free(l->may);
    buf_fini(&l->folding);
    log_scratch_free(l->scratch);
    events_free(l->e);
    event_names_free(l->names);
}
