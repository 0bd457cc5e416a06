/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decoders of all files become together, and the event of one line: its header, whose it is (line_choose), what
 * its pattern took.
 */
#include "format/line_impl.h"

#include <errno.h>
#include <hs.h>
#include <stdlib.h>
#include <string.h>

struct line_decoders *line_decoders_new(struct event_names *names)
{
    struct line_decoders *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->names = names;
    d->arena.max_bytes = (size_t)256 << 20;
    d->n_names_added = calloc(1, sizeof *d->n_names_added);
    d->field_line_number = event_names_add(names, TEXT("log.line"));
    if (!d->n_names_added) {
        free(d);
        return NULL;
    }
    return d;
}

void line_decoders_free(struct line_decoders *d)
{
    if (!d)
        return;
    hs_free_database(d->database);
    hs_free_database(d->general);
    hs_free_scratch(d->prototype);
    arena_fini(&d->arena);
    free(d->decoders);
    free(d->patterns);
    free(d->n_names_added);
    free(d);
}

void line_decoders_set_json(struct line_decoders *d, line_json_fn *json, void *context)
{
    d->json = json;
    d->json_context = context;
}

unsigned line_decoders_count(const struct line_decoders *d, unsigned *ret_n_patterns, unsigned *ret_n_tests)
{
    unsigned n = 0;
    for (const struct line_test *t = d->tests; t; t = t->next)
        n++;
    *ret_n_patterns = d->n_patterns;
    *ret_n_tests = n;
    return d->n_decoders;
}

/* --- compiling -------------------------------------------------------------------------------------- */

static void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* is_sure - enough to tell whose line it is when the line names no program. */
static bool is_sure(const struct line_pattern *p)
{
    return !p->decoder->apps.n || p->decoder->is_bare || p->anchor.n >= LINE_SURE_ANCHOR;
}

static int compile_apps(struct line_decoders *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_decoders; i++)
        n += d->decoders[i]->apps.n;
    d->apps = arena_alloc(&d->arena, (n + 1) * sizeof *d->apps);
    d->without_app = arena_alloc(&d->arena, LINE_PATTERNS_MAX / 8);
    d->for_nameless = arena_alloc(&d->arena, LINE_PATTERNS_MAX / 8);
    if (!d->apps || !d->without_app || !d->for_nameless)
        return -ENOMEM;
    for (uint32_t i = 0; i < d->n_patterns; i++) {
        if (!d->patterns[i]->decoder->apps.n)
            set_bit(d->without_app, i);
        if (is_sure(d->patterns[i]))
            set_bit(d->for_nameless, i);
    }
    for (uint32_t i = 0; i < d->n_decoders; i++) {
        const struct line_list *l = &d->decoders[i]->apps;
        for (uint32_t k = 0; k < l->n; k++) {
            struct text name = l->items[k];
            bool is_prefix = name.n > 1 && name.p[name.n - 1] == '*';
            name.n -= is_prefix;
            d->apps[d->n_apps++] = (struct line_app){name, is_prefix, (uint16_t)i};
        }
    }
    return 0;
}

/* a literal and the pattern it is the anchor of (rank 0) or a further condition of (1..) */
struct anchor {
    struct text text;
    uint32_t pattern, rank;
};

static int by_text(const void *a, const void *b)
{
    const struct anchor *x = a, *y = b;
    size_t n = x->text.n < y->text.n ? x->text.n : y->text.n;
    int c = memcmp(x->text.p, y->text.p, n);
    if (!c)
        c = (x->text.n > y->text.n) - (x->text.n < y->text.n);
    if (!c)
        c = (x->pattern > y->pattern) - (x->pattern < y->pattern);
    return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

/* gather_anchors - distinct literals in @literals, and the patterns behind each. Return: how many. */
static uint32_t gather_anchors(struct line_decoders *d, struct anchor *all, uint32_t n, struct text *literals)
{
    uint32_t n_literals = 0, n_behind = 0;
    qsort(all, n, sizeof *all, by_text);
    for (uint32_t i = 0; i < n; i++) {
        if (!i || !text_equal(all[i].text, all[i - 1].text)) {
            d->anchor_from[n_literals] = n_behind;
            literals[n_literals++] = all[i].text;
        }
        if (all[i].rank)
            d->patterns[all[i].pattern]->anchors[all[i].rank - 1] = n_literals - 1;
        else
            d->anchor_patterns[n_behind++] = all[i].pattern;
    }
    d->anchor_from[n_literals] = n_behind;
    return n_literals;
}

/* prepare - constants as an event holds them. */
static int prepare(struct line_decoders *d, struct events *e, const struct line_decoder *c, const struct line_set *sets, uint32_t n,
    struct line_ready *ret)
{
    events_clear(e);
    if (event_begin(e, (struct text){"", 0}, 0))
        return -ENOMEM;
    event_put_text(e, EV_EVENT_DECODER, c->name);
    event_put_text(e, EV_EVENT_MODULE, c->module);
    event_put_text(e, EV_EVENT_DATASET, c->dataset);
    for (uint32_t i = 0; i < n; i++)
        if (sets[i].field != EV_EVENT_MODULE && sets[i].field != EV_EVENT_DATASET)
            event_put(e, sets[i].field, sets[i].value);
    if (event_end(e))
        return -ENOMEM;
    ret->n = e->n_values;
    ret->n_text = (uint32_t)e->heap.n;
    ret->values = arena_alloc(&d->arena, ret->n * sizeof *ret->values);
    ret->text = arena_alloc(&d->arena, ret->n_text + 1);
    if (!ret->values || !ret->text)
        return -ENOMEM;
    memcpy(ret->values, e->values, ret->n * sizeof *ret->values);
    memcpy(ret->text, e->heap.p, ret->n_text);
    return 0;
}

static int prepare_all(struct line_decoders *d)
{
    struct events *e = events_new(d->names);
    int r = e ? 0 : -ENOMEM;
    for (uint32_t i = 0; !r && i < d->n_decoders; i++)
        r = prepare(d, e, d->decoders[i], d->decoders[i]->sets, d->decoders[i]->n_sets, &d->decoders[i]->ready);
    for (uint32_t i = 0; !r && i < d->n_patterns; i++)
        r = prepare(d, e, d->patterns[i]->decoder, d->patterns[i]->sets, d->patterns[i]->n_sets, &d->patterns[i]->ready);
    events_free(e);
    return r;
}

/* compile_database - of those of the @n literals that @is_wanted names (NULL: all), by their numbers. */
static int compile_database(struct line_decoders *d, const struct text *literals, uint32_t n, const uint64_t *is_wanted,
    struct hs_database **ret, struct fault *f)
{
    const char **p = calloc(n, sizeof *p);
    size_t *lengths = calloc(n, sizeof *lengths);
    unsigned *flags = calloc(n, sizeof *flags), *ids = calloc(n, sizeof *ids);
    hs_compile_error_t *error = NULL;
    int r = 0;
    if (!p || !lengths || !flags || !ids) {
        r = FAULT(f, -ENOMEM, no_memory, message_text(MSG_decoder_reading));
    } else {
        uint32_t k = 0;
        for (uint32_t i = 0; i < n; i++)
            if (!is_wanted || line_has_bit(is_wanted, i))
                p[k] = literals[i].p, lengths[k] = literals[i].n, flags[k] = HS_FLAG_SINGLEMATCH, ids[k++] = i;
        if (k && hs_compile_lit_multi(p, flags, ids, lengths, k, HS_MODE_BLOCK, NULL, ret, &error) != HS_SUCCESS)
            r = FAULT(f, -EINVAL, decoder_database, error && error->message ? error->message : "");
        else if (k && hs_alloc_scratch(*ret, &d->prototype) != HS_SUCCESS)
            r = FAULT(f, -ENOMEM, no_memory, message_text(MSG_decoder_reading));
    }
    hs_free_compile_error(error);
    free(p);
    free(lengths);
    free(flags);
    free(ids);
    return r;
}

/* compile_databases - one of all literals, and one of those that patterns of no program need. */
static int compile_databases(struct line_decoders *d, const struct text *literals, struct fault *f)
{
    uint64_t *is_wanted = calloc(d->n_anchors / 64 + 1, sizeof *is_wanted);
    if (!is_wanted)
        return FAULT(f, -ENOMEM, no_memory, message_text(MSG_decoder_reading));
    for (uint32_t i = 0; i < d->n_anchors; i++)
        for (uint32_t k = d->anchor_from[i]; k < d->anchor_from[i + 1]; k++)
            if (!d->patterns[d->anchor_patterns[k]]->decoder->apps.n)
                set_bit(is_wanted, i);
    for (uint32_t i = 0; i < d->n_patterns; i++)
        for (uint32_t k = 0; !d->patterns[i]->decoder->apps.n && k < d->patterns[i]->n_secondary; k++)
            set_bit(is_wanted, d->patterns[i]->anchors[k]);
    int r = compile_database(d, literals, d->n_anchors, NULL, &d->database, f);
    if (!r)
        r = compile_database(d, literals, d->n_anchors, is_wanted, &d->general, f);
    free(is_wanted);
    return r;
}

static uint32_t count_anchors(const struct line_decoders *d)
{
    uint32_t n = 1;
    for (uint32_t i = 0; i < d->n_patterns; i++) {
        const struct line_pattern *p = d->patterns[i];
        n += 1 + p->n_secondary;
        for (uint32_t k = 0; p->choices && k < p->n_choices; k += 1u + (uint8_t)p->choices[k])
            n++;
    }
    return n;
}

/* list_anchors - all literals of all patterns; those tried first need none. */
static uint32_t list_anchors(struct line_decoders *d, struct anchor *all)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_patterns; i++) {
        struct line_pattern *p = d->patterns[i];
        if (p->decoder->is_first) {
            d->first[d->n_first++] = i;
            p->n_secondary = 0;
            continue;
        }
        if (!p->choices && p->anchor.n >= LINE_ANCHOR_MIN)
            all[n++] = (struct anchor){p->anchor, i, 0};
        else if (!p->choices)
            set_bit(d->always, i);
        for (uint32_t k = 0; p->choices && k < p->n_choices; k += 1u + (uint8_t)p->choices[k])
            all[n++] = (struct anchor){{p->choices + k + 1, (uint8_t)p->choices[k]}, i, 0};
        for (uint32_t k = 0; k < p->n_secondary; k++)
            all[n++] = (struct anchor){p->secondary[k], i, k + 1};
    }
    return n;
}

/* make_tables - what the patterns need at run time, but for the database. */
static int make_tables(struct line_decoders *d, uint32_t most)
{
    d->always = arena_alloc(&d->arena, LINE_PATTERNS_MAX / 8);
    d->anchor_from = arena_alloc(&d->arena, (most + 1) * sizeof *d->anchor_from);
    d->anchor_patterns = arena_alloc(&d->arena, most * sizeof *d->anchor_patterns);
    d->first = arena_alloc(&d->arena, (d->n_patterns + 1) * sizeof *d->first);
    if (!d->always || !d->anchor_from || !d->anchor_patterns || !d->first)
        return -ENOMEM;
    int r = compile_apps(d);
    for (uint32_t i = 0; !r && i < d->n_patterns; i++)
        r = line_choose_prepare(d, d->patterns[i]);
    return r ? r : prepare_all(d);
}

int line_decoders_compile(struct line_decoders *d, struct fault *f)
{
    uint32_t most = count_anchors(d);
    if (most > LINE_ANCHORS_MAX)
        return FAULT(f, -E2BIG, decoder_database, message_text(MSG_decoder_too_many));
    struct anchor *all = calloc(most, sizeof *all);
    struct text *literals = calloc(most, sizeof *literals);
    int r = all && literals ? make_tables(d, most) : -ENOMEM;
    if (r) {
        r = FAULT(f, r, no_memory, message_text(MSG_decoder_reading));
    } else {
        d->n_anchors = gather_anchors(d, all, list_anchors(d, all), literals);
        if (d->n_anchors)
            r = compile_databases(d, literals, f);
        d->is_compiled = !r;
    }
    free(all);
    free(literals);
    return r;
}

/* --- scratch ---------------------------------------------------------------------------------------- */

struct line_scratch *line_scratch_new(const struct line_decoders *d)
{
    struct line_scratch *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->decoders = d;
    s->json = d->json;
    s->json_context = d->json_context;
    s->n_work = LINE_WORK_MAX;
    s->work = malloc(s->n_work);
    s->apps = calloc(LINE_APP_CACHE, sizeof *s->apps);
    if (!s->work || !s->apps || (d->prototype && hs_clone_scratch(d->prototype, &s->hs) != HS_SUCCESS)) {
        line_scratch_free(s);
        return NULL;
    }
    return s;
}

void line_scratch_set_json(struct line_scratch *s, line_json_fn *json, void *context)
{
    s->json = json;
    s->json_context = context;
}

void line_scratch_set_plain(struct line_scratch *s)
{
    s->is_plain = true;
}

void line_scratch_free(struct line_scratch *s)
{
    if (!s)
        return;
    hs_free_scratch(s->hs);
    free(s->work);
    free(s->apps);
    free(s);
}

const struct line_counts *line_scratch_counts(const struct line_scratch *s)
{
    return &s->counts;
}

/* --- writing the event ------------------------------------------------------------------------------ */

static void put_rest(struct line_scratch *s, struct events *e, const struct line_pattern *p, enum line_type type, struct text t)
{
    if (type == LINE_KV)
        line_kv(s, e, p->decoder, t);
    else if (type == LINE_CSV)
        line_csv(s, e, p, t);
    else if (type == LINE_CEF)
        line_cef(s, e, p->decoder, t);
    else if (type == LINE_RECORDS)
        line_records(s, e, p, t);
    else if (type == LINE_LEEF)
        line_leef(s, e, p->decoder, t);
    else if (type == LINE_ACCESS)
        line_access(s, e, t);
    else if (type == LINE_JSON && s->json)
        s->json(s->json_context, e, t);
}

static void put_captures(struct line_scratch *s, struct events *e, const struct line_pattern *p)
{
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const struct line_node *n = &p->nodes[i];
        if (n->op != LINE_CAPTURE || n->slot >= LINE_SLOTS_MAX || !s->slots[n->slot].p)
            continue;
        struct text t = {s->slots[n->slot].p, s->slots[n->slot].n};
        if (n->type >= LINE_KV)
            put_rest(s, e, p, (enum line_type)n->type, t);
        else if (p->targets[n->slot])
            line_put(s, e, p->targets[n->slot], t);
    }
}

static void put_constants(struct events *e, const struct line_ready *c)
{
    event_put_ready(e, c->values, c->n, c->text, c->n_text);
}

static void put_structured(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text rest)
{
    struct text id = {NULL, 0}, name, value;
    bool is_escaped;
    for (unsigned n = 0; n < 256 && syslog_structured_next(&rest, &id, &name, &value, &is_escaped); n++) {
        const struct line_target *t = d && d->takes_structured ? line_key_find(&d->keys, name) : NULL;
        if (is_escaped)
            value = line_unescaped(s, value, false);
        if (t) {
            line_put(s, e, t, value);
            continue;
        }
        char key[65];
        size_t cut = id.n && memchr(id.p, '@', id.n) ? (size_t)((const char *)memchr(id.p, '@', id.n) - id.p) : id.n;
        if (!cut || cut + 1 + name.n >= sizeof key)
            continue;
        memcpy(key, id.p, cut);
        key[cut] = '.';
        memcpy(key + cut + 1, name.p, name.n);
        struct line_decoder generic = {.kv = {.keeps_unknown = true, .prefix = TEXT("log.syslog.structured_data")}};
        line_put_unknown(s, e, &generic, (struct text){key, cut + 1 + name.n}, value);
    }
}

/* put_twice - under two names; the second refers to the first's text. */
static void put_twice(struct events *e, uint16_t field, uint16_t other, struct text t)
{
    uint32_t n = e->n_values;
    event_put_text(e, field, t);
    if (e->n_values == n + 1)
        event_copy(e, other, &e->values[n]);
}

static void put_header(struct events *e, const struct syslog *h)
{
    uint64_t number;
    if (h->priority >= 0) {
        event_put_long(e, EV_LOG_SYSLOG_PRIORITY, h->priority);
        event_put_long(e, EV_LOG_SYSLOG_FACILITY, h->priority / 8);
        event_put_long(e, EV_LOG_SYSLOG_SEVERITY, h->priority % 8);
    }
    if (h->form == SYSLOG_5424)
        event_put_text(e, EV_LOG_SYSLOG_VERSION, TEXT("1"));
    if (h->hostname.n)
        put_twice(e, EV_LOG_SYSLOG_HOSTNAME, EV_HOST_NAME, h->hostname);
    if (h->appname.n)
        put_twice(e, EV_LOG_SYSLOG_APPNAME, EV_PROCESS_NAME, h->appname);
    if (h->procid.n) {
        event_put_text(e, EV_LOG_SYSLOG_PROCID, h->procid);
        if (!text_u64(h->procid, INT32_MAX, &number))
            event_put_long(e, EV_PROCESS_PID, (int64_t)number);
    }
    if (h->msgid.n)
        event_put_text(e, EV_LOG_SYSLOG_MSGID, h->msgid);
    if (h->sequence.n)
        event_put(e, EV_EVENT_SEQUENCE, h->sequence);
    if (h->repeated.n && !text_u64(h->repeated, INT32_MAX, &number))
        event_put_long(e, event_names_add(e->names, TEXT("log.syslog.repeated")), (int64_t)number);
}

static void put_origin(const struct line_decoders *d, struct events *e, const struct line_origin *o)
{
    if (o->source_address.n)
        event_put_text(e, EV_LOG_SOURCE_ADDRESS, o->source_address);
    if (o->source_name.n)
        event_put_name(e, TEXT("log.source.name"), o->source_name);
    if (o->path.n)
        event_put_text(e, EV_LOG_FILE_PATH, o->path);
    if (o->line_number && d->field_line_number != EVENT_NO_FIELD)
        event_put_long(e, d->field_line_number, o->line_number > INT64_MAX ? INT64_MAX : (int64_t)o->line_number);
}

/* put_time - the decoder's stamp, else its date and time columns, else the header's, else the arrival's. */
static void put_time(struct line_scratch *s, struct events *e, const struct syslog *h)
{
    if (!s->has_stamp && s->date.n && s->time.n && s->date.n + s->time.n + s->zone.n < 80) {
        char text[96];
        size_t n = s->date.n;
        memcpy(text, s->date.p, n);
        text[n++] = ' ';
        memcpy(text + n, s->time.p, s->time.n);
        n += s->time.n;
        memcpy(text + n, s->zone.p ? s->zone.p : "", s->zone.n);
        n += s->zone.n;
        s->has_stamp = line_time_parse((struct text){text, n}, &s->clock, &s->stamp_us, &s->stamp_flags);
    }
    unsigned flags = s->has_stamp ? s->stamp_flags : h->time_flags;
    if (!s->has_stamp && !h->has_time) {
        s->counts.n_no_time++;
        event_put_text(e, EV_EVENT_TIME_SOURCE, TEXT("arrival"));
        return;
    }
    event_time(e, s->has_stamp ? s->stamp_us : h->time_us);
    if (flags & LINE_TIME_YEAR_GUESSED)
        event_put_text(e, EV_EVENT_TIME_SOURCE, TEXT("year_guessed"));
}

/* understand - fields of whoever understands the line. Return: its decoder, or NULL. */
static const struct line_decoder *understand(struct line_scratch *s, struct events *e, const struct syslog *h, struct line_file *file)
{
    const struct line_decoders *d = s->decoders;
    if (file && h->body.n && h->body.p[0] == '#') {
        const struct line_decoder *w = line_w3c_directive(d, file, h->body);
        if (w) {
            put_constants(e, &w->ready);
            event_put_text(e, EV_EVENT_KIND, TEXT("metric"));
            return w;
        }
    }
    if (file && file->w3c && h->priority < 0 && h->body.n <= LINE_MATCHED_MAX) {
        put_constants(e, &file->w3c->ready);
        line_w3c(s, e, file, h->body);
        return file->w3c;
    }
    const struct line_pattern *p = line_choose(s, h);
    if (p) {
        put_constants(e, &p->ready);
        put_captures(s, e, p);
        return p->decoder;
    }
    static const struct line_decoder json = {.name = {"json", 4}, .module = {"json", 4}, .dataset = {"json", 4}};
    bool is_document = h->message.n && (h->message.p[0] == '{' || h->message.p[0] == '<');
    if (!s->json || !is_document || s->json(s->json_context, e, h->message))
        return NULL;
    if (!event_find(e, EV_EVENT_DECODER)) {
        event_put_text(e, EV_EVENT_DECODER, json.name);
        event_put_text(e, EV_EVENT_MODULE, json.module);
        event_put_text(e, EV_EVENT_DATASET, json.dataset);
    }
    return &json;
}

static struct text end_off(struct text t)
{
    while (t.n && (t.p[t.n - 1] == '\n' || t.p[t.n - 1] == '\r' || t.p[t.n - 1] == 0))
        t.n--;
    return t;
}

static bool is_blank(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] != ' ' && t.p[i] != '\t')
            return false;
    return true;
}

static void line_begins(struct line_scratch *s, const struct line_origin *o)
{
    s->date = s->time = s->zone = (struct text){NULL, 0};
    s->has_stamp = false;
    s->stamp_flags = 0;
    s->clock = (struct line_clock){o->arrived_us, o->zone_s, o->year, o->file ? &o->file->years : NULL};
    s->counts.n_lines++;
}

int line_decode(const struct line_decoders *d, struct line_scratch *s, struct events *e, struct text line,
    const struct line_origin *origin)
{
    struct syslog h;
    line_begins(s, origin);
    line = end_off(line);
    if (is_blank(line)) {
        s->counts.n_empty++;
        return LINE_EMPTY;
    }
    int r = event_begin(e, line, origin->arrived_us);
    if (r)
        return r < 0 ? r : LINE_TOO_LONG;
    syslog_parse(line, &s->clock, &h);
    const struct line_decoder *by = understand(s, e, &h, origin->file);
    put_time(s, e, &h);
    put_header(e, &h);
    if (h.structured.n)
        put_structured(s, e, by, h.structured);
    if (h.message.n)
        event_put_text(e, EV_MESSAGE, h.message);
    put_origin(d, e, origin);
    r = event_end(e);
    if (r)
        return r;
    s->counts.n_understood += by != NULL;
    s->counts.n_kept += by == NULL;
    return by ? 0 : LINE_KEPT;
}
