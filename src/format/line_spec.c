/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of content/decoders, as content/decoders/README.md describes them: several YAML documents, each a decoder. What
 * is wrong is told with file and line, and nothing of that file is kept. The tree of libyaml is walked by name, never by
 * recursion, so that aliases to oneself do no harm.
 */
#include "format/line_impl.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#define FILE_MAX_BYTES ((size_t)4 << 20)

struct reader {
    struct line_decoders *d;
    struct line_decoder *decoder;
    yaml_document_t *document;
    struct text file;
    struct fault *f;
};

static int refuse(struct reader *r, const yaml_node_t *n, const char *why, struct text value)
{
    char shown[160];
    int line = n ? (int)n->start_mark.line + 1 : 1;
    text_escape(value.p ? value.p : "", value.n, shown, sizeof shown);
    return FAULT(r->f, 1, decoder_fault, r->file.p, line, why, shown);
}

static int no_memory(struct reader *r)
{
    return FAULT(r->f, -ENOMEM, no_memory, message_text(MSG_decoder_reading));
}

static struct text scalar(const yaml_node_t *n)
{
    if (!n || n->type != YAML_SCALAR_NODE)
        return (struct text){NULL, 0};
    return (struct text){(const char *)n->data.scalar.value, n->data.scalar.length};
}

static int copied(struct reader *r, const yaml_node_t *n, struct text *ret)
{
    struct text t = scalar(n);
    if (!t.p)
        return refuse(r, n, message_text(MSG_decoder_bad_value), TEXT("a list or a table where one value is due"));
    const char *copy = arena_text(&r->d->arena, t.p, t.n);
    if (!copy)
        return no_memory(r);
    *ret = (struct text){copy, t.n};
    return 0;
}

static yaml_node_t *value_of(struct reader *r, const yaml_node_t *map, const char *key)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
        if (text_is(scalar(yaml_document_get_node(r->document, p->key)), key))
            return yaml_document_get_node(r->document, p->value);
    return NULL;
}

/* known_keys - @keys: a blank before and behind each. */
static int known_keys(struct reader *r, const yaml_node_t *map, const char *keys)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return refuse(r, map, message_text(MSG_decoder_bad_value), scalar(map));
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        yaml_node_t *key = yaml_document_get_node(r->document, p->key);
        struct text t = scalar(key);
        char word[34] = " ";
        if (t.n && t.n < 32) {
            memcpy(word + 1, t.p, t.n);
            word[t.n + 1] = ' ';
        }
        if (t.n >= 32 || !strstr(keys, word) || memchr(word + 1, ' ', t.n) || !t.n)
            return refuse(r, key, message_text(MSG_decoder_unknown_key), t);
    }
    return 0;
}

/* list_of - a sequence of scalars, or one scalar. */
static int list_of(struct reader *r, yaml_node_t *n, struct line_list *ret)
{
    *ret = (struct line_list){NULL, 0};
    if (!n)
        return 0;
    size_t count = n->type == YAML_SEQUENCE_NODE ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start) : 1;
    if (count > LINE_LIST_MAX)
        return refuse(r, n, message_text(MSG_decoder_too_many), TEXT("list"));
    ret->items = arena_alloc(&r->d->arena, (count + 1) * sizeof *ret->items);
    if (!ret->items)
        return no_memory(r);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = n->type == YAML_SEQUENCE_NODE ? yaml_document_get_node(r->document, n->data.sequence.items.start[i]) : n;
        int e = copied(r, item, &ret->items[i]);
        if (e)
            return e;
    }
    ret->n = (uint32_t)count;
    return 0;
}

static bool list_has(const struct line_list *l, struct text t)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (text_equal(l->items[i], t))
            return true;
    return false;
}

static uint32_t pairs_in(const yaml_node_t *map)
{
    return map ? (uint32_t)(map->data.mapping.pairs.top - map->data.mapping.pairs.start) : 0;
}

/* pairs_of - a mapping of scalars. */
static int pairs_of(struct reader *r, yaml_node_t *map, struct line_pair **ret, uint32_t *ret_n)
{
    *ret_n = 0;
    *ret = NULL;
    if (!map)
        return 0;
    if (map->type != YAML_MAPPING_NODE || pairs_in(map) > LINE_LIST_MAX)
        return refuse(r, map, message_text(MSG_decoder_bad_value), scalar(map));
    *ret = arena_alloc(&r->d->arena, (pairs_in(map) + 1) * sizeof **ret);
    if (!*ret)
        return no_memory(r);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        struct line_pair *to = &(*ret)[(*ret_n)++];
        int e = copied(r, yaml_document_get_node(r->document, p->key), &to->from);
        if (!e)
            e = copied(r, yaml_document_get_node(r->document, p->value), &to->to);
        if (e)
            return e;
    }
    return 0;
}

/* --- targets ---------------------------------------------------------------------------------------- */

static enum line_type type_of_field(uint16_t field)
{
    switch (event_field_type(field)) {
    case EVENT_LONG: return LINE_INT;
    case EVENT_REAL: return LINE_REAL;
    case EVENT_IP: return LINE_IP;
    case EVENT_DATE: return LINE_TIME;
    case EVENT_KEYWORD:
    case EVENT_TEXT:
    case EVENT_BOOL:
    case EVENT_ULONG:
    case EVENT_NULL:
    case EVENT_N_TYPES: break;
    }
    return LINE_WORD;
}

static const struct {
    const char *name;
    enum line_special special;
    enum line_type type;
} specials[] = {
    {"-", LINE_IGNORE, LINE_WORD}, {"@timestamp", LINE_STAMP, LINE_TIME}, {"@epoch", LINE_STAMP, LINE_EPOCH},
    {"@date", LINE_DATE_PART, LINE_WORD}, {"@time", LINE_TIME_PART, LINE_WORD}, {"@zone", LINE_ZONE_PART, LINE_WORD},
};

struct line_target *line_target_new(struct line_decoders *d, const struct line_decoder *decoder, struct text name_and_type)
{
    const char *colon = memchr(name_and_type.p, ':', name_and_type.n);
    struct text name = {name_and_type.p, colon ? (size_t)(colon - name_and_type.p) : name_and_type.n};
    struct line_target *t = arena_alloc(&d->arena, sizeof *t);
    const char *copy = arena_text(&d->arena, name.p, name.n);
    if (!t || !copy || !name.n)
        return NULL;
    t->name = (struct text){copy, name.n};
    t->field = EVENT_NO_FIELD;
    t->type = LINE_WORD;
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (text_is(name, specials[i].name)) {
            t->special = (uint8_t)specials[i].special;
            t->type = (uint8_t)specials[i].type;
        }
    if (name.p[0] == '_')
        t->special = LINE_TEMPORARY;
    if (t->special == LINE_PLAIN) {
        t->field = event_names_add(d->names, name);
        t->type = (uint8_t)type_of_field(t->field);
        if (t->field == EVENT_NO_FIELD || name.p[0] == '@')
            return NULL;
    }
    if (colon)
        t->type = (uint8_t)line_type_named((struct text){colon + 1, name_and_type.n - name.n - 1});
    if (t->type == LINE_N_TYPES)
        return NULL;
    t->is_lower = list_has(&decoder->lower, name);
    for (struct line_map *m = decoder->maps; m; m = m->next)
        if (text_equal(m->from, name)) {
            struct line_map *own = arena_alloc(&d->arena, sizeof *own);
            if (!own)
                return NULL;
            *own = *m;
            own->next = t->map;
            t->map = own;
        }
    return t;
}

static uint32_t hash_of(struct text t)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (uint8_t)t.p[i]) * 16777619u;
    return h;
}

static int add_key(struct reader *r, yaml_node_t *key_node, yaml_node_t *value, struct line_keys *k)
{
    struct text key;
    struct line_list names;
    struct line_target *first = NULL;
    int e = copied(r, key_node, &key);
    if (!e)
        e = list_of(r, value, &names);
    if (e)
        return e;
    for (uint32_t i = names.n; i-- > 0;) {
        struct line_target *t = line_target_new(r->d, r->decoder, names.items[i]);
        if (!t)
            return refuse(r, value, message_text(MSG_decoder_bad_target), names.items[i]);
        t->is_hex = list_has(&r->decoder->hex, key);
        t->next = first;
        first = t;
    }
    uint32_t at = hash_of(key) & k->mask;
    while (k->slots[at].key.p && !text_equal(k->slots[at].key, key))
        at = (at + 1) & k->mask;
    if (k->slots[at].key.p)
        return refuse(r, key_node, message_text(MSG_decoder_twice), key);
    k->slots[at].key = key;
    k->slots[at].target = first;
    return 0;
}

static int read_fields(struct reader *r, yaml_node_t *map)
{
    struct line_keys *k = &r->decoder->keys;
    if (!map)
        return 0;
    if (map->type != YAML_MAPPING_NODE || pairs_in(map) > LINE_LIST_MAX)
        return refuse(r, map, message_text(MSG_decoder_bad_value), TEXT("fields"));
    uint32_t size = 8;
    while (size < 2 * pairs_in(map) + 2)
        size *= 2;
    k->slots = arena_alloc(&r->d->arena, size * sizeof *k->slots);
    k->mask = size - 1;
    if (!k->slots)
        return no_memory(r);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        int e = add_key(r, yaml_document_get_node(r->document, p->key), yaml_document_get_node(r->document, p->value), k);
        if (e)
            return e;
    }
    return 0;
}

/* --- parts of a decoder ----------------------------------------------------------------------------- */

static int read_sets(struct reader *r, yaml_node_t *map, const struct line_set *base, uint32_t n_base, struct line_set **ret,
    uint32_t *ret_n)
{
    uint32_t room = n_base + 4 * pairs_in(map && map->type == YAML_MAPPING_NODE ? map : NULL) + 1, n = 0;
    struct line_set *sets = arena_alloc(&r->d->arena, room * sizeof *sets);
    if (!sets)
        return no_memory(r);
    if (map && map->type != YAML_MAPPING_NODE)
        return refuse(r, map, message_text(MSG_decoder_bad_value), TEXT("set"));
    for (yaml_node_pair_t *p = map ? map->data.mapping.pairs.start : NULL; map && p < map->data.mapping.pairs.top; p++) {
        struct text name = scalar(yaml_document_get_node(r->document, p->key));
        struct line_list values;
        uint16_t field = name.n ? event_names_add(r->d->names, name) : EVENT_NO_FIELD;
        if (field == EVENT_NO_FIELD)
            return refuse(r, map, message_text(MSG_decoder_bad_target), name);
        int e = list_of(r, yaml_document_get_node(r->document, p->value), &values);
        if (e)
            return e;
        if (values.n > 4)
            return refuse(r, map, message_text(MSG_decoder_too_many), name);
        for (uint32_t i = 0; i < values.n; i++)
            sets[n++] = (struct line_set){field, values.items[i]};
    }
    uint32_t own = n;
    for (uint32_t i = 0; i < n_base; i++) {
        bool is_replaced = false;
        for (uint32_t k = 0; k < own; k++)
            is_replaced |= sets[k].field == base[i].field;
        if (!is_replaced)
            sets[n++] = base[i];
    }
    *ret = sets;
    *ret_n = n;
    return 0;
}

static int read_maps(struct reader *r, yaml_node_t *list)
{
    if (!list)
        return 0;
    if (list->type != YAML_SEQUENCE_NODE)
        return refuse(r, list, message_text(MSG_decoder_bad_value), TEXT("map"));
    for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++) {
        yaml_node_t *n = yaml_document_get_node(r->document, *i);
        int e = known_keys(r, n, " from to values else ");
        struct line_map *m = arena_alloc(&r->d->arena, sizeof *m);
        if (!e && !m)
            return no_memory(r);
        if (!e)
            e = copied(r, value_of(r, n, "from"), &m->from);
        if (!e)
            e = pairs_of(r, value_of(r, n, "values"), &m->pairs, &m->n_pairs);
        if (!e && value_of(r, n, "else"))
            e = copied(r, value_of(r, n, "else"), &m->other);
        if (e)
            return e;
        struct text to = scalar(value_of(r, n, "to"));
        m->field = to.n ? event_names_add(r->d->names, to) : EVENT_NO_FIELD;
        if (m->field == EVENT_NO_FIELD)
            return refuse(r, n, message_text(MSG_decoder_bad_target), to);
        m->next = r->decoder->maps;
        r->decoder->maps = m;
    }
    return 0;
}

static int read_kv(struct reader *r, yaml_node_t *n)
{
    struct line_kv_form *k = &r->decoder->kv;
    k->prefix = r->decoder->name;
    if (!n)
        return 0;
    int e = known_keys(r, n, " assign separator unknown prefix nested ");
    if (e)
        return e;
    struct text assign = scalar(value_of(r, n, "assign")), separator = scalar(value_of(r, n, "separator"));
    struct text unknown = scalar(value_of(r, n, "unknown"));
    if (assign.n > 1 || separator.n > 1)
        return refuse(r, n, message_text(MSG_decoder_bad_value), assign.n > 1 ? assign : separator);
    k->assign = assign.n ? assign.p[0] : 0;
    k->separator = separator.n ? separator.p[0] : 0;
    if (unknown.n && !text_is(unknown, "keep") && !text_is(unknown, "leave"))
        return refuse(r, n, message_text(MSG_decoder_bad_value), unknown);
    k->keeps_unknown = text_is(unknown, "keep");
    if (value_of(r, n, "prefix"))
        e = copied(r, value_of(r, n, "prefix"), &k->prefix);
    if (!e && value_of(r, n, "nested"))
        e = copied(r, value_of(r, n, "nested"), &k->nested);
    return e;
}

static int read_columns(struct reader *r, yaml_node_t *n, struct line_pattern *p)
{
    struct line_list names;
    int e = list_of(r, n, &names);
    if (e || !n)
        return e;
    p->columns = arena_alloc(&r->d->arena, names.n * sizeof *p->columns);
    if (!p->columns)
        return no_memory(r);
    p->n_columns = names.n;
    for (uint32_t i = 0; i < names.n; i++) {
        if (text_is(names.items[i], "-"))
            continue;
        p->columns[i] = line_target_new(r->d, r->decoder, names.items[i]);
        if (!p->columns[i])
            return refuse(r, n, message_text(MSG_decoder_bad_target), names.items[i]);
    }
    return 0;
}

static int append_pattern(struct reader *r, struct line_pattern *p)
{
    struct line_decoders *d = r->d;
    if (d->n_patterns == LINE_PATTERNS_MAX)
        return refuse(r, NULL, message_text(MSG_decoder_too_many), TEXT("patterns"));
    if (d->n_patterns == d->patterns_capacity) {
        uint32_t capacity = d->patterns_capacity ? 2 * d->patterns_capacity : 256;
        struct line_pattern **more = reallocarray(d->patterns, capacity, sizeof(struct line_pattern *));
        if (!more)
            return no_memory(r);
        d->patterns = more;
        d->patterns_capacity = capacity;
    }
    d->patterns[d->n_patterns++] = p;
    return 0;
}

static int add_pattern(struct reader *r, yaml_node_t *match, const struct line_pattern *common)
{
    const char *why = NULL;
    size_t at = 0;
    struct line_pattern *p = arena_alloc(&r->d->arena, sizeof *p);
    if (!p)
        return no_memory(r);
    *p = *common;
    int e = copied(r, match, &p->source);
    if (e)
        return e;
    const struct line_decoder *c = r->decoder;
    if (c->before.n || c->behind.n) {
        char *whole = arena_alloc(&r->d->arena, c->before.n + p->source.n + c->behind.n + 1);
        if (!whole)
            return no_memory(r);
        memcpy(whole, c->before.p ? c->before.p : "", c->before.n);
        memcpy(whole + c->before.n, p->source.p, p->source.n);
        memcpy(whole + c->before.n + p->source.n, c->behind.p ? c->behind.p : "", c->behind.n);
        p->source = (struct text){whole, c->before.n + p->source.n + c->behind.n};
    }
    p->line = (int)match->start_mark.line + 1;
    e = line_pattern_compile(r->d, p, &why, &at);
    if (e < 0)
        return no_memory(r);
    if (e)
        return refuse(r, match, why, (struct text){p->source.p + at, p->source.n - at});
    return append_pattern(r, p);
}

/* read_pattern - a text, or {match: text or list, set:, require:, columns:, separator:}. */
static int read_pattern(struct reader *r, yaml_node_t *n)
{
    struct line_pattern common = {.decoder = r->decoder, .sets = r->decoder->sets, .n_sets = r->decoder->n_sets};
    if (n->type == YAML_SCALAR_NODE)
        return add_pattern(r, n, &common);
    int e = known_keys(r, n, " match set require columns separator ");
    yaml_node_t *match = value_of(r, n, "match");
    if (!e && !match)
        return refuse(r, n, message_text(MSG_decoder_no_patterns), r->decoder->name);
    if (!e)
        e = read_sets(r, value_of(r, n, "set"), r->decoder->sets, r->decoder->n_sets, &common.sets, &common.n_sets);
    if (!e)
        e = list_of(r, value_of(r, n, "require"), &common.require);
    if (!e)
        e = read_columns(r, value_of(r, n, "columns"), &common);
    struct text separator = scalar(value_of(r, n, "separator"));
    common.column_separator = separator.n ? separator.p[0] : 0;
    if (e || match->type == YAML_SCALAR_NODE)
        return e ? e : add_pattern(r, match, &common);
    if (match->type != YAML_SEQUENCE_NODE)
        return refuse(r, match, message_text(MSG_decoder_bad_value), TEXT("match"));
    for (yaml_node_item_t *i = match->data.sequence.items.start; !e && i < match->data.sequence.items.top; i++)
        e = add_pattern(r, yaml_document_get_node(r->document, *i), &common);
    return e;
}

static int read_patterns(struct reader *r, yaml_node_t *root, yaml_node_t *n)
{
    if (!n || n->type != YAML_SEQUENCE_NODE)
        return r->decoder->is_w3c ? 0 : refuse(r, root, message_text(MSG_decoder_no_patterns), r->decoder->name);
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
        int e = read_pattern(r, yaml_document_get_node(r->document, *i));
        if (e)
            return e;
    }
    return 0;
}

static int read_test(struct reader *r, yaml_node_t *n)
{
    struct line_test *t = arena_alloc(&r->d->arena, sizeof *t);
    if (!t)
        return no_memory(r);
    int e = known_keys(r, n, " line fields arrived year understood ");
    if (!e)
        e = copied(r, value_of(r, n, "line"), &t->text);
    if (!e)
        e = pairs_of(r, value_of(r, n, "fields"), &t->fields, &t->n_fields);
    if (!e && value_of(r, n, "arrived"))
        e = copied(r, value_of(r, n, "arrived"), &t->arrived);
    if (e)
        return e;
    uint64_t year = 0;
    struct text y = scalar(value_of(r, n, "year"));
    if (y.n && text_u64(y, 9999, &year))
        return refuse(r, n, message_text(MSG_decoder_bad_value), y);
    t->year = (int)year;
    t->is_for_nobody = text_is(scalar(value_of(r, n, "understood")), "no");
    t->decoder = r->decoder;
    t->line = (int)n->start_mark.line + 1;
    if (r->d->last_test)
        r->d->last_test->next = t;
    else
        r->d->tests = t;
    r->d->last_test = t;
    return 0;
}

static int read_tests(struct reader *r, yaml_node_t *n)
{
    if (n && n->type != YAML_SEQUENCE_NODE)
        return refuse(r, n, message_text(MSG_decoder_bad_value), TEXT("tests"));
    for (yaml_node_item_t *i = n ? n->data.sequence.items.start : NULL; n && i < n->data.sequence.items.top; i++) {
        int e = read_test(r, yaml_document_get_node(r->document, *i));
        if (e)
            return e;
    }
    return 0;
}

static int append_decoder(struct reader *r, yaml_node_t *root)
{
    struct line_decoders *d = r->d;
    for (uint32_t i = 0; i < d->n_decoders; i++)
        if (text_equal(d->decoders[i]->name, r->decoder->name))
            return refuse(r, root, message_text(MSG_decoder_twice), r->decoder->name);
    if (d->n_decoders == LINE_DECODERS_MAX)
        return refuse(r, root, message_text(MSG_decoder_too_many), TEXT("decoders"));
    if (d->n_decoders == d->decoders_capacity) {
        uint32_t capacity = d->decoders_capacity ? 2 * d->decoders_capacity : 64;
        struct line_decoder **more = reallocarray(d->decoders, capacity, sizeof(struct line_decoder *));
        if (!more)
            return no_memory(r);
        d->decoders = more;
        d->decoders_capacity = capacity;
    }
    r->decoder->number = (uint16_t)d->n_decoders;
    d->decoders[d->n_decoders++] = r->decoder;
    return 0;
}

/* read_names - name, module (the name unless said), dataset (the module's own). */
static int read_names(struct reader *r, yaml_node_t *root)
{
    struct line_decoder *c = r->decoder;
    if (!scalar(value_of(r, root, "decoder")).n)
        return refuse(r, root, message_text(MSG_decoder_no_name), TEXT(""));
    int e = copied(r, value_of(r, root, "decoder"), &c->name);
    c->module = c->dataset = c->name;
    if (!e && value_of(r, root, "module"))
        e = copied(r, value_of(r, root, "module"), &c->module);
    if (!e && value_of(r, root, "dataset"))
        e = copied(r, value_of(r, root, "dataset"), &c->dataset);
    c->file = r->file;
    struct text on = scalar(value_of(r, root, "on")), proof = scalar(value_of(r, root, "proof"));
    if (!e && on.n && !text_is(on, "line") && !text_is(on, "message"))
        return refuse(r, root, message_text(MSG_decoder_bad_value), on);
    static const char *const proofs[] = {"data", "description", "form"};
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++)
        if (text_is(proof, proofs[i]))
            c->proof = proofs[i];
    if (!e && proof.n && !c->proof)
        return refuse(r, root, message_text(MSG_decoder_bad_value), proof);
    if (!e && value_of(r, root, "before"))
        e = copied(r, value_of(r, root, "before"), &c->before);
    if (!e && value_of(r, root, "behind"))
        e = copied(r, value_of(r, root, "behind"), &c->behind);
    c->is_first = text_is(scalar(value_of(r, root, "first")), "yes");
    c->is_bare = text_is(scalar(value_of(r, root, "bare")), "yes");
    c->is_on_line = text_is(on, "line");
    c->takes_structured = text_is(scalar(value_of(r, root, "structured")), "yes");
    c->is_w3c = text_is(scalar(value_of(r, root, "format")), "w3c");
    return e;
}

static int read_decoder(struct reader *r, yaml_node_t *root)
{
    r->decoder = arena_alloc(&r->d->arena, sizeof *r->decoder);
    if (!r->decoder)
        return no_memory(r);
    struct line_decoder *c = r->decoder;
    int e = known_keys(r, root, " decoder about module dataset proof apps bare first on before behind"
                                " format require structured set lower hex map kv fields patterns tests ");
    if (!e)
        e = read_names(r, root);
    if (!e)
        e = list_of(r, value_of(r, root, "apps"), &c->apps);
    if (!e && c->apps.n > LINE_APPS_MAX)
        return refuse(r, root, message_text(MSG_decoder_too_many), TEXT("apps"));
    if (!e)
        e = list_of(r, value_of(r, root, "require"), &c->require);
    if (!e)
        e = list_of(r, value_of(r, root, "lower"), &c->lower);
    if (!e)
        e = list_of(r, value_of(r, root, "hex"), &c->hex);
    if (!e)
        e = read_sets(r, value_of(r, root, "set"), NULL, 0, &c->sets, &c->n_sets);
    if (!e)
        e = read_kv(r, value_of(r, root, "kv"));
    if (!e)
        e = read_maps(r, value_of(r, root, "map"));
    if (!e)
        e = append_decoder(r, root);
    if (!e)
        e = read_fields(r, value_of(r, root, "fields"));
    if (!e)
        e = read_patterns(r, root, value_of(r, root, "patterns"));
    if (!e)
        e = read_tests(r, value_of(r, root, "tests"));
    return e;
}

static int read_documents(struct reader *r, yaml_parser_t *parser)
{
    for (;;) {
        yaml_document_t document;
        if (!yaml_parser_load(parser, &document)) {
            char why[160];
            text_escape(parser->problem ? parser->problem : "", strlen(parser->problem ? parser->problem : ""), why, sizeof why);
            return FAULT(r->f, 1, decoder_fault, r->file.p, (int)parser->problem_mark.line + 1, message_text(MSG_decoder_bad_yaml), why);
        }
        yaml_node_t *root = yaml_document_get_root_node(&document);
        if (!root) {
            yaml_document_delete(&document);
            return 0;
        }
        r->document = &document;
        int e = read_decoder(r, root);
        r->document = NULL;
        yaml_document_delete(&document);
        if (e)
            return e;
    }
}

int line_decoders_add(struct line_decoders *d, const char *file, struct text yaml, struct fault *f)
{
    struct reader r = {.d = d, .f = f};
    const char *name = arena_text(&d->arena, file, strlen(file));
    if (!name)
        return no_memory(&r);
    r.file = (struct text){name, strlen(name)};
    if (yaml.n > FILE_MAX_BYTES)
        return refuse(&r, NULL, message_text(MSG_decoder_too_many), TEXT("bytes"));
    uint32_t n_decoders = d->n_decoders, n_patterns = d->n_patterns;
    struct line_test *last_test = d->last_test;
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return no_memory(&r);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.p, yaml.n);
    int e = read_documents(&r, &parser);
    yaml_parser_delete(&parser);
    if (!e)
        return 0;
    d->n_decoders = n_decoders;
    d->n_patterns = n_patterns;
    d->last_test = last_test;
    if (last_test)
        last_test->next = NULL;
    else
        d->tests = NULL;
    return e;
}
