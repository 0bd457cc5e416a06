/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary XML is a small document that repeats in every record of its kind. It is read once: each place where a value
 * will stand becomes an operation that already knows the dotted name, section and number of the field, so that a
 * record costs one step per value. For XML a second list of operations holds the text between the values.
 *
 * The list of a template depends on where it stands (<EventData> inside <Event>, or a fragment inside <UserData>):
 * it is kept under the template's offset and the operation around it.
 */
#include "format/evtx_own.h"

#include <string.h>

struct name {
    const uint8_t *units;
    uint32_t n;
};

/* the element whose content is being read */
struct level {
    struct name name;
    uint32_t n_path; /* of compiler.path before this element's name */
    uint16_t depth;
    uint8_t section;
    bool is_data; /* <Data> of <EventData> */
    bool has_name, is_dynamic;
    bool has_field; /* content, children or attributes other than the name of <Data> */
    uint32_t name_at, n_name; /* of <Data>, in the pool */
};

struct compiler {
    struct evtx *e;
    const uint8_t *base; /* the chunk the definition lies in: this one, or when carving one before */
    uint32_t n_base;
    uint32_t at, end;
    int reason;
    bool has_dependency; /* template definitions carry a dependency id in each element, free elements do not */
    bool has_xml;
    uint32_t run;  /* first operation of the text being gathered */
    uint32_t xml_text; /* where text for the next XML operation begins */
    uint32_t n_path;
    char path[EVTX_NAME_MAX];
};

static int fail(struct compiler *c, int reason)
{
    if (!c->reason) {
        c->reason = reason;
        c->e->failed_at = c->at;
    }
    return c->reason;
}

static bool need(struct compiler *c, uint32_t n)
{
    if (!c->reason && c->end - c->at >= n)
        return true;
    fail(c, EVTX_RECORD_SHORT);
    return false;
}

static uint8_t read8(struct compiler *c)
{
    return need(c, 1) ? c->base[c->at++] : 0;
}

static uint16_t read16(struct compiler *c)
{
    if (!need(c, 2))
        return 0;
    c->at += 2;
    return load_le16(c->base + c->at - 2);
}

static uint32_t read32(struct compiler *c)
{
    if (!need(c, 4))
        return 0;
    c->at += 4;
    return load_le32(c->base + c->at - 4);
}

static uint8_t peek(struct compiler *c)
{
    return need(c, 1) ? c->base[c->at] : 0;
}

/* name - at @at of the chunk: next of the same hash (4), hash (2), length in units (2), units, zero unit. */
static bool name_at(const struct compiler *c, uint32_t at, struct name *ret)
{
    if (at > c->n_base || c->n_base - at < 8)
        return false;
    ret->n = load_le16(c->base + at + 6);
    ret->units = c->base + at + 8;
    return ret->n && c->n_base - at - 8 >= 2 * ret->n;
}

/* read_name - names are written where they are first used: the offset then points right behind itself. */
static struct name read_name(struct compiler *c)
{
    struct name name = {0};
    uint32_t at = read32(c);
    if (c->reason)
        return name;
    if (!name_at(c, at, &name)) {
        fail(c, EVTX_BAD_NAME);
        return (struct name){0};
    }
    uint32_t n_inline = 8 + 2 * name.n + 2;
    if (at == c->at && need(c, n_inline))
        c->at += n_inline;
    return name;
}

static bool name_is(struct name name, const char *ascii)
{
    size_t n = strlen(ascii);
    for (size_t i = 0; name.n == n && i < n; i++)
        if (load_le16(name.units + 2 * i) != (uint8_t)ascii[i])
            return false;
    return name.n == n;
}

/* ---- the pools ---- */

static char *pool_room(struct compiler *c, uint32_t n_pool, char *pool, uint64_t n)
{
    if (!c->reason && n <= EVTX_POOL_MAX - n_pool)
        return pool + n_pool;
    fail(c, EVTX_LIMIT);
    return NULL;
}

static void keep(struct compiler *c, const char *p, size_t n)
{
    char *to = pool_room(c, c->e->n_names, c->e->names, n);
    if (!to || !n)
        return;
    memcpy(to, p, n);
    c->e->n_names += (uint32_t)n;
}

static void keep_units(struct compiler *c, struct name t)
{
    char *to = pool_room(c, c->e->n_names, c->e->names, (uint64_t)t.n * 3);
    if (to)
        c->e->n_names += (uint32_t)evtx_utf8(t.units, t.n, to);
}

static void xml(struct compiler *c, const char *p, size_t n)
{
    char *to = c->has_xml ? pool_room(c, c->e->n_xml, c->e->xml, n) : NULL;
    if (!to || !n)
        return;
    memcpy(to, p, n);
    c->e->n_xml += (uint32_t)n;
}

static bool is_name_character(uint16_t u)
{
    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_' || u == ':' ||
           u == '-' || u == '.';
}

/*
 * xml_name - a name as markup. Manifests name elements in ASCII; whatever else stands there becomes "_", so that a
 * hostile name cannot become markup and no reader disputes what a letter is (the field keeps the name as it was).
 */
static void xml_name(struct compiler *c, struct name t)
{
    char *to = c->has_xml ? pool_room(c, c->e->n_xml, c->e->xml, (uint64_t)t.n + 1) : NULL;
    if (!to || !t.n)
        return;
    uint16_t first = load_le16(t.units);
    if ((first >= '0' && first <= '9') || first == '-' || first == '.' || first == ':')
        *to++ = '_';
    for (uint32_t i = 0; i < t.n; i++) {
        uint16_t u = load_le16(t.units + 2 * i);
        *to++ = is_name_character(u) ? (char)u : '_';
    }
    c->e->n_xml = (uint32_t)(to - c->e->xml);
}

static void xml_units(struct compiler *c, struct name t, bool is_attribute)
{
    char *to = c->has_xml ? pool_room(c, c->e->n_xml, c->e->xml, (uint64_t)t.n * 6) : NULL;
    if (to)
        c->e->n_xml += (uint32_t)evtx_xml_escape(t.units, t.n, is_attribute, to);
}

static struct evtx_op *push(struct compiler *c, enum evtx_code code)
{
    if (c->reason || c->e->n_ops == EVTX_OPS_MAX) {
        fail(c, EVTX_LIMIT);
        return NULL;
    }
    struct evtx_op *op = &c->e->ops[c->e->n_ops++];
    *op = (struct evtx_op){.code = (uint8_t)code, .slot = EVTX_NONE};
    return op;
}

/* push_xml - an operation that takes the text gathered so far with it. */
static struct evtx_xml_op *push_xml(struct compiler *c, enum evtx_xml_code code)
{
    if (!c->has_xml)
        return NULL;
    if (c->reason || c->e->n_xml_ops == EVTX_OPS_MAX) {
        fail(c, EVTX_LIMIT);
        return NULL;
    }
    struct evtx_xml_op *op = &c->e->xml_ops[c->e->n_xml_ops++];
    *op = (struct evtx_xml_op){.code = (uint8_t)code, .slot = EVTX_NONE, .text_at = c->xml_text,
                           .n_text = c->e->n_xml - c->xml_text};
    c->xml_text = c->e->n_xml;
    return op;
}

/* ---- text and substitutions, gathered into one field ---- */

static void run_begin(struct compiler *c)
{
    c->run = c->e->n_ops;
}

/* run_text - the operation for literal text at the end of the run; its text stands at the end of the pool. */
static struct evtx_op *run_text(struct compiler *c)
{
    if (c->e->n_ops > c->run && c->e->ops[c->e->n_ops - 1].code == OP_TEXT)
        return &c->e->ops[c->e->n_ops - 1];
    struct evtx_op *op = push(c, OP_TEXT);
    if (op)
        op->text_at = c->e->n_names;
    return op;
}

static void literal_units(struct compiler *c, struct name t, bool is_attribute)
{
    struct evtx_op *op = run_text(c);
    if (!op)
        return;
    keep_units(c, t);
    op->n_text = c->e->n_names - op->text_at;
    xml_units(c, t, is_attribute);
}

static struct name counted_units(struct compiler *c)
{
    struct name t = {.n = read16(c)};
    if (need(c, 2 * t.n))
        t.units = c->base + c->at;
    else
        return (struct name){0};
    c->at += 2 * t.n;
    return t;
}

static void read_slot(struct compiler *c, bool is_attribute)
{
    uint16_t slot = read16(c);
    read8(c); /* the type it will have; the value itself says it too */
    struct evtx_op *op = push(c, OP_SLOT);
    if (!op)
        return;
    op->slot = slot;
    struct evtx_xml_op *x = is_attribute ? NULL : push_xml(c, XML_SLOT);
    if (x) {
        x->slot = slot;
        x->context = c->run; /* where run_join will leave the field's operation */
    }
}

static void read_entity(struct compiler *c, bool is_attribute)
{
    static const struct {
        const char *name;
        char unit[2];
    } known[] = {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}};
    struct name name = read_name(c);
    for (size_t i = 0; !c->reason && i < sizeof(known) / sizeof(*known); i++)
        if (name_is(name, known[i].name)) {
            literal_units(c, (struct name){(const uint8_t *)known[i].unit, 1}, is_attribute);
            return;
        }
    fail(c, EVTX_BAD_NAME);
}

/*
 * read_piece - one piece of text or one substitution, if the next token is one.
 * Return: false if it is not (nothing is read then).
 */
static bool read_piece(struct compiler *c, bool is_attribute)
{
    uint8_t token = peek(c);
    if (c->reason)
        return false;
    switch (token & ~TOKEN_MORE) {
    case TOKEN_TEXT:
        c->at++;
        if (read8(c) != EVTX_STRING)
            fail(c, EVTX_BAD_VALUE);
        literal_units(c, counted_units(c), is_attribute);
        return true;
    case TOKEN_CDATA:
        c->at++;
        literal_units(c, counted_units(c), is_attribute);
        return true;
    case TOKEN_CHARACTER:
        c->at++;
        if (need(c, 2))
            literal_units(c, (struct name){c->base + c->at, 1}, is_attribute);
        c->at += c->reason ? 0 : 2;
        return true;
    case TOKEN_ENTITY:
        c->at++;
        read_entity(c, is_attribute);
        return true;
    case TOKEN_SLOT:
    case TOKEN_OPTIONAL_SLOT:
        if (token & TOKEN_MORE)
            return false;
        c->at++;
        read_slot(c, is_attribute);
        return true;
    default:
        return false;
    }
}

static bool is_blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
            return false;
    return true;
}

/* run_join - the run as one operation: itself, or a head that joins several. Return: it, or NULL if there is none. */
static struct evtx_op *run_join(struct compiler *c)
{
    struct evtx *e = c->e;
    uint32_t n = e->n_ops - c->run;
    if (c->reason || n == 0)
        return NULL;
    if (n == 1)
        return &e->ops[c->run];
    if (!push(c, OP_MIX))
        return NULL;
    struct evtx_op head = e->ops[e->n_ops - 1];
    head.n_span = (uint16_t)n;
    memmove(&e->ops[c->run + 1], &e->ops[c->run], n * sizeof(head));
    e->ops[c->run] = head;
    return &e->ops[c->run];
}

/* ---- names of fields ---- */

static const struct {
    const char *path, *name;
} system_fields[EVTX_N_SYSTEM] = {
#define X(id, path, name) [id] = {path, name},
    EVTX_SYSTEM_FIELDS(X)
#undef X
};

static void name_system(struct evtx_op *op, const struct compiler *c, const char **name, size_t *n)
{
    for (unsigned i = 1; i < EVTX_N_SYSTEM; i++)
        if (strlen(system_fields[i].path) == *n && !memcmp(system_fields[i].path, c->path, *n)) {
            op->field.system = (uint8_t)i;
            *name = system_fields[i].name;
            *n = strlen(*name);
            return;
        }
}

static uint32_t leaf_of(const char *p, size_t n)
{
    while (n && p[n - 1] != '.')
        n--;
    return (uint32_t)n;
}

/* name_op - the operation makes a field of element @v (or, with the attribute's name on the path, of that). */
static void name_op(struct compiler *c, struct evtx_op *op, const struct level *v, bool is_attribute)
{
    struct evtx_field *f = &op->field;
    bool is_data = v->is_data && !is_attribute;
    const char *name = c->path;
    size_t n = c->n_path;
    op->level = v->depth;
    f->section = v->section;
    f->is_attribute = is_attribute;
    if (v->depth > 1 || v->section == EVTX_IN_EVENT)
        op->flags |= OP_HAS_PREFIX;
    if (v->depth > 1 && v->section != EVTX_IN_SYSTEM && !is_attribute)
        op->flags |= OP_TELLS_NULL;
    if (v->section == EVTX_IN_SYSTEM)
        name_system(op, c, &name, &n);
    f->is_unnamed = is_data && !v->has_name;
    op->flags |= is_data && v->is_dynamic ? OP_IS_DYNAMIC : 0;
    f->name = c->e->names + c->e->n_names;
    if (is_data && v->has_name && !v->is_dynamic) { /* its name is in the pool already */
        f->name = c->e->names + v->name_at;
        n = v->n_name;
    } else {
        keep(c, name, n);
        f->leaf_at = is_data ? 0 : leaf_of(name, n);
    }
    f->n_name = (uint32_t)n;
    f->name_hash = c->reason ? 0 : evtx_name_hash(f->name, n);
}

static void path_add(struct compiler *c, struct name t)
{
    bool has_dot = c->n_path > 0;
    if (c->reason || c->n_path + has_dot + (uint64_t)t.n * 3 > sizeof(c->path)) {
        fail(c, EVTX_LIMIT);
        return;
    }
    if (has_dot)
        c->path[c->n_path++] = '.';
    c->n_path += (uint32_t)evtx_utf8(t.units, t.n, c->path + c->n_path);
}

/* enter - what element @name of depth @v->depth means; its part of the path. */
static void enter(struct compiler *c, struct level *v, struct name name)
{
    static const struct {
        const char *name;
        enum evtx_section section;
    } sections[] = {{"System", EVTX_IN_SYSTEM},
                    {"EventData", EVTX_IN_EVENT_DATA},
                    {"UserData", EVTX_IN_USER_DATA},
                    {"ProcessingErrorData", EVTX_IN_ERROR_DATA}};
    v->n_path = c->n_path;
    if (v->depth == 0)
        return;
    for (size_t i = 0; v->depth == 1 && i < sizeof(sections) / sizeof(*sections); i++)
        if (name_is(name, sections[i].name)) {
            v->section = (uint8_t)sections[i].section;
            return;
        }
    v->is_data = v->depth == 2 && v->section == EVTX_IN_EVENT_DATA && name_is(name, "Data");
    path_add(c, name);
}

/* content_end - the text gathered since run_begin becomes a field of element @v. */
static void content_end(struct compiler *c, struct level *v, bool has_children)
{
    struct evtx_op *op = run_join(c);
    if (!op)
        return;
    bool is_space = op->code == OP_TEXT && is_blank(c->e->names + op->text_at, op->n_text);
    if (is_space && (has_children || v->depth < 2 || v->section == EVTX_IN_SYSTEM)) {
        c->e->n_ops = c->run; /* white space between elements */
        return;
    }
    v->has_field = true;
    name_op(c, op, v, false);
}

/* ---- elements ---- */

/* attribute_field - what the attribute gives besides XML: a field, or the name of <Data>. */
static void attribute_field(struct compiler *c, struct level *v, struct name name)
{
    struct evtx_op *op = run_join(c);
    bool is_namespace = name.n >= 5 && name_is((struct name){name.units, 5}, "xmlns");
    if (!op || is_namespace || v->depth == 0) {
        c->e->n_ops = c->run;
        return;
    }
    if (v->is_data && !v->has_name && name_is(name, "Name") && op->code != OP_MIX) {
        v->has_name = true;
        if (op->code == OP_SLOT) {
            op->code = OP_NAME;
            v->is_dynamic = true;
            return;
        }
        v->name_at = op->text_at;
        v->n_name = op->n_text;
        c->e->n_ops = c->run;
        return;
    }
    v->has_field = true;
    uint32_t n_path = c->n_path;
    if (v->depth == 1 && v->section != EVTX_IN_EVENT) /* of a section: <EventData Name='...'> is not <Data Name=...> */
        path_add(c, v->name);
    path_add(c, name);
    name_op(c, op, v, true);
    c->n_path = n_path;
}

static void read_attribute(struct compiler *c, struct level *v)
{
    c->at++;
    struct name name = read_name(c);
    uint32_t xml_before = c->e->n_xml;
    xml(c, " ", 1);
    xml_name(c, name);
    xml(c, "='", 2);
    run_begin(c);
    uint32_t n_pieces = 0;
    while (read_piece(c, true)) {
        struct evtx_op *op = c->reason ? NULL : &c->e->ops[c->e->n_ops - 1];
        n_pieces++;
        if (!op || op->code != OP_SLOT || !c->has_xml)
            continue;
        /* Alone it may be left out together with the attribute's name; between text it is a value like others. */
        uint8_t next = peek(c) & (uint8_t)~TOKEN_MORE;
        bool is_alone = n_pieces == 1 && next <= TOKEN_ATTRIBUTE && next != TOKEN_TEXT;
        uint32_t n_name = c->e->n_xml - xml_before;
        if (is_alone)
            c->e->n_xml = xml_before; /* the name stays behind the end of the pool for a moment */
        struct evtx_xml_op *x = push_xml(c, is_alone ? XML_ATTRIBUTE : XML_SLOT);
        if (!x)
            return;
        x->slot = op->slot;
        x->is_attribute = true;
        if (is_alone) {
            x->begin_at = xml_before;
            x->n_begin = n_name;
            c->e->n_xml += n_name;
            c->xml_text = c->e->n_xml;
            attribute_field(c, v, name);
            return;
        }
    }
    xml(c, "'", 1);
    attribute_field(c, v, name);
}

static void read_element(struct compiler *c, struct level v);

/* read_content - behind ">" up to and with the end token. Return: whether it is one substitution and nothing else. */
static bool read_content(struct compiler *c, struct level *v)
{
    bool has_children = false;
    uint32_t n_pieces = 0;
    bool is_slot = false;
    run_begin(c);
    while (!c->reason) {
        if (read_piece(c, false)) {
            is_slot = n_pieces++ == 0 && !c->reason && c->e->ops[c->e->n_ops - 1].code == OP_SLOT;
            continue;
        }
        uint8_t token = peek(c) & (uint8_t)~TOKEN_MORE;
        if (token == TOKEN_OPEN) {
            content_end(c, v, true);
            has_children = v->has_field = true;
            read_element(c, (struct level){.depth = (uint16_t)(v->depth + 1), .section = v->section});
            run_begin(c);
            continue;
        }
        c->at++;
        if (token == TOKEN_PI_TARGET) {
            (void)read_name(c);
            continue;
        }
        if (token == TOKEN_PI_DATA) {
            (void)counted_units(c);
            continue;
        }
        if (token != TOKEN_CLOSE) {
            c->at--;
            fail(c, EVTX_BAD_TOKEN);
        }
        break;
    }
    content_end(c, v, has_children);
    return !has_children && is_slot;
}

/* null_field - an element without anything in it is a fact too, outside <System>. */
static void null_field(struct compiler *c, struct level *v)
{
    if (v->has_field || v->depth < 2 || v->section == EVTX_IN_SYSTEM)
        return;
    struct evtx_op *op = push(c, OP_NULL);
    if (op)
        name_op(c, op, v, false);
}

/* read_tag - from "<" to ">" or "/>". Return: whether content follows. */
static bool read_tag(struct compiler *c, struct level *v, struct name name, bool has_attributes)
{
    xml(c, "<", 1);
    xml_name(c, name);
    if (has_attributes)
        read32(c); /* size of the list; its end shows itself */
    while (!c->reason && (peek(c) & ~TOKEN_MORE) == TOKEN_ATTRIBUTE)
        read_attribute(c, v);
    uint8_t token = read8(c);
    if (token == TOKEN_CLOSE_START) {
        xml(c, ">", 1);
        return true;
    }
    if (token != TOKEN_CLOSE_EMPTY && !c->reason) {
        c->at--;
        fail(c, EVTX_BAD_TOKEN);
    }
    xml(c, "/>", 2);
    return false;
}

static void xml_end_tag(struct compiler *c, struct name name)
{
    xml(c, "</", 2);
    xml_name(c, name);
    xml(c, ">", 1);
}

/*
 * repeat_tags - the element holds one substitution and nothing else: if that is an array, the element is repeated for
 * each item ([MS-EVEN6] 2.2.12.2). Its tags stand in the pool around the place of the value.
 */
static void repeat_tags(struct evtx_xml_op *x, uint32_t tag, uint32_t slot_at, uint32_t end)
{
    x->begin_at = tag;
    x->n_begin = slot_at - tag;
    x->n_end = end - slot_at;
}

static void read_element(struct compiler *c, struct level v)
{
    struct evtx *e = c->e;
    if (v.depth >= EVTX_DEPTH_MAX) {
        fail(c, EVTX_TOO_DEEP);
        return;
    }
    bool has_attributes = read8(c) & TOKEN_MORE;
    uint16_t dependency = c->has_dependency ? read16(c) : EVTX_NONE;
    read32(c); /* size of the element; its end shows itself */
    struct name name = read_name(c);
    v.name = name;
    enter(c, &v, name);
    uint32_t head = e->n_ops, xml_head = e->n_xml_ops;
    if (v.depth == 0) /* an event without data is an event all the same */
        dependency = EVTX_NONE;
    if (dependency != EVTX_NONE && push(c, OP_DEPEND)) {
        push_xml(c, XML_DEPEND);
        e->ops[head].slot = dependency;
    }
    uint32_t tag = e->n_xml, n_xml_ops = e->n_xml_ops;
    if (read_tag(c, &v, name, has_attributes)) {
        bool is_one_slot = read_content(c, &v);
        uint32_t slot_at = e->n_xml;
        xml_end_tag(c, name);
        if (is_one_slot && !c->reason && c->has_xml && e->n_xml_ops == n_xml_ops + 1)
            repeat_tags(&e->xml_ops[n_xml_ops], tag, slot_at, e->n_xml);
    }
    null_field(c, &v);
    c->n_path = v.n_path;
    if (c->reason || dependency == EVTX_NONE)
        return;
    e->ops[head].n_span = (uint16_t)(e->n_ops - head - 1);
    if (!push_xml(c, XML_TEXT)) /* the end tag is left out with the rest */
        return;
    e->xml_ops[xml_head].slot = dependency;
    e->xml_ops[xml_head].n_span = (uint16_t)(e->n_xml_ops - xml_head - 1);
}

/* ---- programs ---- */

/* place - depth, section and prefix that the operation around gives to a fragment. */
static struct level place(struct compiler *c, uint32_t context)
{
    struct level v = {0};
    if (context == EVTX_NO_CONTEXT)
        return v;
    const struct evtx_op *op = &c->e->ops[context];
    v.depth = (uint16_t)(op->level + 1);
    v.section = op->field.section;
    if (op->flags & OP_HAS_PREFIX && op->field.n_name <= sizeof(c->path)) {
        memcpy(c->path, op->field.name, op->field.n_name);
        c->n_path = op->field.n_name;
    }
    return v;
}

int evtx_compile(struct evtx *e, struct evtx_source *from, uint32_t context, bool has_dependency,
                 struct evtx_program *g)
{
    struct compiler c;
    c.e = e;
    c.base = from->base;
    c.n_base = from->n_base;
    c.at = from->at;
    c.end = from->end;
    c.reason = 0;
    c.has_dependency = has_dependency;
    c.has_xml = e->options.has_xml;
    c.run = e->n_ops;
    c.xml_text = e->n_xml;
    c.n_path = 0;
    struct evtx_mark mark = evtx_mark(e);
    *g = (struct evtx_program){.context = context, .first = e->n_ops, .first_xml = e->n_xml_ops};
    read_element(&c, place(&c, context));
    push_xml(&c, XML_TEXT);
    e->work += e->n_ops - mark.n_ops + (e->n_names - mark.n_names + e->n_xml - mark.n_xml) / 16;
    if (c.reason) {
        evtx_forget(e, mark);
        return c.reason;
    }
    g->n = e->n_ops - g->first;
    g->n_xml = e->n_xml_ops - g->first_xml;
    from->at = c.at;
    return 0;
}
