/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events, gathered by a function that calls itself once per level and stops at YAML_TREE_DEPTH.
 */
#include "format/yaml_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct yaml_tree_fault *f;
    uint32_t n_nodes;
};

static int refuse(struct reader *r, enum yaml_tree_reason reason, size_t line, const char *p, size_t n)
{
    r->f->reason = reason;
    r->f->line = (uint32_t)(line + 1);
    text_escape(p, n, r->f->detail, sizeof r->f->detail);
    return 1;
}

static int next(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return 0;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    const char *problem = r->parser.problem ? r->parser.problem : "?";
    return refuse(r, YAML_TREE_SYNTAX, r->parser.problem_mark.line, problem, strlen(problem));
}

static struct yaml_tree *node_new(struct reader *r, enum yaml_tree_kind kind, const yaml_event_t *event)
{
    struct yaml_tree *t = arena_alloc(r->arena, sizeof *t);
    if (!t)
        return NULL;
    t->kind = kind;
    t->line = (uint32_t)event->start_mark.line + 1;
    return t;
}

static int take_text(struct reader *r, const yaml_event_t *event, struct text *ret)
{
    size_t n = event->data.scalar.length;
    char *p = arena_text(r->arena, (const char *)event->data.scalar.value, n);
    if (!p)
        return -ENOMEM;
    *ret = (struct text){p, n};
    return 0;
}

static bool has_key(const struct yaml_tree *map, struct text key)
{
    for (const struct yaml_tree *t = map->first; t; t = t->next)
        if (text_equal(t->key, key))
            return true;
    return false;
}

static int read_node(struct reader *r, yaml_event_t *event, unsigned depth, struct yaml_tree **ret);

/* read_entries - what stands between the start of a list or map and its end. */
static int read_entries(struct reader *r, struct yaml_tree *parent, unsigned depth)
{
    struct yaml_tree **tail = &parent->first;
    yaml_event_type_t end = parent->kind == YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        yaml_event_t event;
        struct text key = {0};
        int e = next(r, &event);
        if (e)
            return e;
        if (event.type == end) {
            yaml_event_delete(&event);
            return 0;
        }
        if (parent->kind == YAML_MAP) {
            size_t line = event.start_mark.line;
            e = event.type == YAML_SCALAR_EVENT ? take_text(r, &event, &key)
                : event.type == YAML_ALIAS_EVENT ? refuse(r, YAML_TREE_ALIAS, line, "", 0)
                                                 : refuse(r, YAML_TREE_KEY, line, "", 0);
            yaml_event_delete(&event);
            if (!e && parent->n < 4096 && has_key(parent, key))
                e = refuse(r, YAML_TREE_TWICE, line, key.p, key.n);
            if (!e && parent->n == 4096) /* the look for a second one costs its square */
                e = refuse(r, YAML_TREE_LARGE, line, "", 0);
            if (e || (e = next(r, &event)))
                return e;
        }
        struct yaml_tree *child;
        e = read_node(r, &event, depth, &child);
        if (e)
            return e;
        child->key = key;
        *tail = child;
        tail = &child->next;
        parent->n++;
    }
}

/* read_node - @event is deleted here. */
static int read_node(struct reader *r, yaml_event_t *event, unsigned depth, struct yaml_tree **ret)
{
    size_t line = event->start_mark.line;
    int e = 0;
    struct yaml_tree *t = NULL;
    bool is_scalar = event->type == YAML_SCALAR_EVENT, is_list = event->type == YAML_SEQUENCE_START_EVENT;
    if (event->type == YAML_ALIAS_EVENT || (is_scalar && event->data.scalar.anchor) ||
        (is_list && event->data.sequence_start.anchor) ||
        (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor))
        e = refuse(r, YAML_TREE_ALIAS, line, "", 0);
    else if (++r->n_nodes > YAML_TREE_NODES)
        e = refuse(r, YAML_TREE_LARGE, line, "", 0);
    else if (!is_scalar && depth == YAML_TREE_DEPTH)
        e = refuse(r, YAML_TREE_DEEP, line, "", 0);
    if (!e && !(t = node_new(r, is_scalar ? YAML_SCALAR : is_list ? YAML_LIST : YAML_MAP, event)))
        e = -ENOMEM;
    if (!e && is_scalar) {
        t->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event->data.scalar.plain_implicit;
        e = take_text(r, event, &t->text);
    }
    yaml_event_delete(event);
    if (!e && !is_scalar)
        e = read_entries(r, t, depth + 1);
    *ret = t;
    return e;
}

static int read_documents(struct reader *r, struct yaml_trees *ret)
{
    struct yaml_tree **tail = &ret->first;
    for (;;) {
        yaml_event_t event;
        int e = next(r, &event);
        if (e)
            return e;
        yaml_event_type_t type = event.type;
        if (type == YAML_STREAM_END_EVENT || type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
            type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&event);
            if (type == YAML_STREAM_END_EVENT)
                return 0;
            continue;
        }
        struct yaml_tree *t;
        e = read_node(r, &event, 0, &t);
        if (e)
            return e;
        if (yaml_tree_is_null(t))
            continue;
        *tail = t;
        tail = &t->next;
        ret->n++;
    }
}

int yaml_tree_parse(const char *p, size_t n, struct arena *arena, struct yaml_trees *ret, struct yaml_tree_fault *f)
{
    struct reader r = {.arena = arena, .f = f};
    *ret = (struct yaml_trees){0};
    *f = (struct yaml_tree_fault){0};
    if (n > YAML_FILE_MAX)
        return refuse(&r, YAML_TREE_LARGE, 0, "", 0);
    if (!yaml_parser_initialize(&r.parser))
        return -ENOMEM;
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)p, n);
    int e = read_documents(&r, ret);
    yaml_parser_delete(&r.parser);
    return e;
}

const struct yaml_tree *yaml_tree_get(const struct yaml_tree *map, const char *key)
{
    if (!map || map->kind != YAML_MAP)
        return NULL;
    for (const struct yaml_tree *t = map->first; t; t = t->next)
        if (text_is(t->key, key))
            return t;
    return NULL;
}

bool yaml_tree_is_null(const struct yaml_tree *t)
{
    return t->kind == YAML_SCALAR && t->is_plain &&
           (!t->text.n || text_is(t->text, "~") || text_is(t->text, "null") || text_is(t->text, "Null") ||
            text_is(t->text, "NULL"));
}

int yaml_tree_bool(const struct yaml_tree *t, bool *ret)
{
    if (t->kind != YAML_SCALAR || !t->is_plain)
        return 1;
    *ret = text_is_nocase(t->text, "true") || text_is_nocase(t->text, "yes") || text_is_nocase(t->text, "on");
    return !(*ret || text_is_nocase(t->text, "false") || text_is_nocase(t->text, "no") || text_is_nocase(t->text, "off"));
}

/* hexadecimal - "0x1f". Return: 0 or 1. */
static int hexadecimal(struct text t, uint64_t *ret)
{
    if (t.n < 3 || t.n > 18 || t.p[0] != '0' || t.p[1] != 'x')
        return 1;
    *ret = 0;
    for (size_t i = 2; i < t.n; i++) {
        char c = t.p[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
        if (digit == 16)
            return 1;
        *ret = *ret << 4 | digit;
    }
    return 0;
}

int yaml_tree_integer(const struct yaml_tree *t, int64_t *ret)
{
    if (t->kind != YAML_SCALAR || !t->is_plain || !t->text.n)
        return 1;
    bool is_signed = t->text.p[0] == '-' || t->text.p[0] == '+', is_negative = t->text.p[0] == '-';
    struct text digits = {t->text.p + is_signed, t->text.n - is_signed};
    uint64_t u;
    if (hexadecimal(digits, &u)) {
        if (!digits.n || (digits.n > 1 && digits.p[0] == '0') || text_u64(digits, INT64_MAX, &u))
            return 1;
    }
    if (u > INT64_MAX)
        return 1;
    *ret = is_negative ? -(int64_t)u : (int64_t)u;
    return 0;
}
