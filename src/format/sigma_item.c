/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "field|modifier|modifier: values": modifiers are applied in their order, value by value.
 */
#include "format/sigma_inside.h"
#include "format/sigma_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* X(ID, "name") */
#define MODIFIERS(X)                                                                                                      \
    X(CONTAINS, "contains") X(STARTSWITH, "startswith") X(ENDSWITH, "endswith") X(ALL, "all") X(EXISTS, "exists")          \
    X(CASED, "cased") X(NEQ, "neq") X(WINDASH, "windash") X(RE, "re") X(I, "i") X(M, "m") X(S, "s") X(BASE64, "base64")    \
    X(BASE64OFFSET, "base64offset") X(UTF16, "utf16") X(UTF16LE, "utf16le") X(UTF16BE, "utf16be") X(WIDE, "wide")          \
    X(LT, "lt") X(LTE, "lte") X(GT, "gt") X(GTE, "gte") X(MINUTE, "minute") X(HOUR, "hour") X(DAY, "day") X(WEEK, "week")  \
    X(MONTH, "month") X(YEAR, "year") X(CIDR, "cidr") X(EXPAND, "expand") X(FIELDREF, "fieldref")

enum modifier {
#define X(ID, name) M_##ID,
    MODIFIERS(X)
#undef X
        N_MODIFIERS
};
static const char *const names[N_MODIFIERS] = {
#define X(ID, name) [M_##ID] = name,
    MODIFIERS(X)
#undef X
};
#define BIT(ID) (UINT64_C(1) << M_##ID)
#define TIME_PARTS (BIT(MINUTE) | BIT(HOUR) | BIT(DAY) | BIT(WEEK) | BIT(MONTH) | BIT(YEAR))
#define ORDERS (BIT(LT) | BIT(LTE) | BIT(GT) | BIT(GTE))
#define ENCODINGS (BIT(BASE64) | BIT(BASE64OFFSET) | BIT(UTF16) | BIT(UTF16LE) | BIT(UTF16BE) | BIT(WIDE))
#define UTF16S (BIT(UTF16) | BIT(UTF16LE) | BIT(UTF16BE) | BIT(WIDE))
#define PLACES (BIT(CONTAINS) | BIT(STARTSWITH) | BIT(ENDSWITH))

#define MODIFIERS_MAX 16u

struct item_parser {
    struct sigma_parser *p;
    struct sigma_item *item;
    enum modifier modifiers[MODIFIERS_MAX];
    uint32_t n_modifiers;
    uint64_t set, done; /* bits by modifier: all, and those that the value in hand went through */
    uint32_t line;
};

static int misuse(struct item_parser *i, enum modifier m)
{
    return sigma_refuse(i->p, SIGMA_MODIFIER_MISUSE, i->line, (struct text){names[m], strlen(names[m])});
}

/* kinds of comparison exclude each other */
static int check_modifiers(struct item_parser *i)
{
    uint64_t text_only = PLACES | ENCODINGS | BIT(WINDASH) | BIT(CASED) | BIT(EXPAND);
    static const enum modifier alone[] = {M_RE, M_CIDR, M_FIELDREF, M_EXISTS, M_LT, M_LTE, M_GT, M_GTE};
    uint64_t rest[] = {
        BIT(ALL) | BIT(NEQ) | BIT(I) | BIT(M) | BIT(S) | BIT(CASED) | BIT(EXPAND) | PLACES, /* re */
        BIT(ALL) | BIT(NEQ) | BIT(EXPAND),
        BIT(ALL) | BIT(NEQ) | PLACES | BIT(CASED),
        BIT(NEQ),
        TIME_PARTS | BIT(NEQ) | BIT(ALL), TIME_PARTS | BIT(NEQ) | BIT(ALL), TIME_PARTS | BIT(NEQ) | BIT(ALL),
            TIME_PARTS | BIT(NEQ) | BIT(ALL),
    };
    for (size_t k = 0; k < sizeof alone / sizeof *alone; k++)
        if (i->set >> alone[k] & 1 && i->set & ~rest[k] & ~(UINT64_C(1) << alone[k]))
            return misuse(i, alone[k]);
    if (i->set & (BIT(I) | BIT(M) | BIT(S)) && !(i->set & BIT(RE)))
        return misuse(i, i->set & BIT(I) ? M_I : i->set & BIT(M) ? M_M : M_S);
    if (i->set & TIME_PARTS && (i->set & text_only || __builtin_popcountll(i->set & TIME_PARTS) > 1))
        return misuse(i, (enum modifier)__builtin_ctzll(i->set & TIME_PARTS));
    if (!i->item->field.n && i->set & (BIT(EXISTS) | BIT(FIELDREF) | ORDERS | TIME_PARTS | BIT(CIDR)))
        return misuse(i, (enum modifier)__builtin_ctzll(i->set & (BIT(EXISTS) | BIT(FIELDREF) | ORDERS | TIME_PARTS | BIT(CIDR))));
    return 0;
}

static int parse_key(struct item_parser *i, struct text key)
{
    const char *bar = memchr(key.p, '|', key.n), *end = key.p + key.n;
    i->item->field = (struct text){key.p, bar ? (size_t)(bar - key.p) : key.n};
    while (bar) {
        const char *from = bar + 1;
        bar = memchr(from, '|', (size_t)(end - from));
        struct text name = {from, (size_t)((bar ? bar : end) - from)};
        enum modifier m = 0;
        while (m < N_MODIFIERS && !text_is(name, names[m]))
            m++;
        if (m == N_MODIFIERS)
            return sigma_refuse(i->p, SIGMA_MODIFIER, i->line, name);
        if (i->n_modifiers == MODIFIERS_MAX)
            return sigma_refuse(i->p, SIGMA_MODIFIER_MISUSE, i->line, name);
        i->modifiers[i->n_modifiers++] = m;
        i->set |= UINT64_C(1) << m;
    }
    i->item->is_all = i->set & BIT(ALL);
    i->item->is_not = i->set & BIT(NEQ);
    i->item->is_cased = i->set & BIT(CASED);
    for (unsigned part = 0; part < 6; part++)
        if (i->set >> (M_MINUTE + part) & 1)
            i->item->part = (enum sigma_part)(SIGMA_MINUTE + part);
    return check_modifiers(i);
}

/* value_add - one more form of a value. */
static int value_count(struct item_parser *i)
{
    if (++i->p->n_values > SIGMA_VALUES_MAX)
        return sigma_refuse(i->p, SIGMA_VALUES, i->line, i->item->field);
    return 0;
}

static struct sigma_value *value_also(struct item_parser *i, struct sigma_value *v)
{
    struct sigma_value *more = arena_alloc(i->p->arena, sizeof *more);
    if (more) {
        *more = *v;
        v->or = more;
    }
    return more;
}

/* --- placeholders ------------------------------------------------------------------------------------ */

/* find_placeholder - the next unescaped %name% in @t. Return: whether there is one. */
static bool find_placeholder(struct text t, size_t *ret_from, size_t *ret_to)
{
    size_t open = SIZE_MAX;
    for (size_t k = 0; k < t.n; k++) {
        if (t.p[k] == '\\' && k + 1 < t.n && t.p[k + 1] == '%') {
            k++;
            open = SIZE_MAX;
            continue;
        }
        if (t.p[k] != '%')
            continue;
        if (open != SIZE_MAX && k > open + 1) {
            *ret_from = open;
            *ret_to = k + 1;
            return true;
        }
        open = k;
    }
    return false;
}

static struct text without_escapes(struct arena *arena, struct text t)
{
    char *p = arena_alloc(arena, t.n + 1);
    size_t n = 0;
    for (size_t k = 0; p && k < t.n; k++) {
        if (t.p[k] == '\\' && k + 1 < t.n && t.p[k + 1] == '%')
            k++;
        p[n++] = t.p[k];
    }
    return (struct text){p, n};
}

static int join(struct arena *arena, struct text a, struct text b, struct text c, struct text *ret)
{
    if (a.n + b.n + c.n > SIGMA_TEXT_MAX)
        return 1;
    char *p = arena_alloc(arena, a.n + b.n + c.n + 1);
    if (!p)
        return -ENOMEM;
    memcpy(p, a.p, a.n);
    memcpy(p + a.n, b.p, b.n);
    memcpy(p + a.n + b.n, c.p, c.n);
    *ret = (struct text){p, a.n + b.n + c.n};
    return 0;
}

/* expand - the placeholders of @v's text replaced, every combination another form; from left to right. */
static int expand(struct item_parser *i, struct sigma_value *v, uint32_t *n_forms)
{
    size_t from, to;
    struct arena *arena = i->p->arena;
    while (find_placeholder(v->text, &from, &to)) {
        struct text name = {v->text.p + from + 1, to - from - 2};
        const struct sigma_placeholder *found = NULL;
        for (uint32_t k = 0; i->p->options && k < i->p->options->n_placeholders; k++)
            if (text_equal(i->p->options->placeholders[k].name, name))
                found = &i->p->options->placeholders[k];
        if (!found || !found->n)
            return sigma_refuse(i->p, SIGMA_PLACEHOLDER, i->line, name);
        struct text whole = v->text, before = {whole.p, from}, after = {whole.p + to, whole.n - to};
        struct sigma_value *form = v;
        for (uint32_t k = 0; k < found->n; k++) {
            const struct sigma_value *rest = form->or;
            if (k && !(form = value_also(i, form)))
                return -ENOMEM;
            if (k)
                form->or = rest;
            struct text value = v->match == SIGMA_REGEX ? found->values[k] : sigma_text_pattern(arena, found->values[k]);
            int e = value.p ? join(arena, before, value, after, &form->text) : -ENOMEM;
            if (e < 0)
                return e;
            if (e || (k && ++*n_forms > SIGMA_EXPANSIONS_MAX))
                return sigma_refuse(i->p, SIGMA_VALUES, i->line, name);
            if ((e = value_count(i)))
                return e;
        }
    }
    if (v->or) {
        /* the other forms may hold further placeholders */
        struct sigma_value *next = arena_alloc(arena, sizeof *next);
        if (!next)
            return -ENOMEM;
        *next = *v->or;
        v->or = next;
        int e = *n_forms > SIGMA_EXPANSIONS_MAX ? 1 : expand(i, next, n_forms);
        if (e)
            return e;
    }
    v->text = without_escapes(arena, v->text);
    return v->text.p ? 0 : -ENOMEM;
}

/* --- one modifier on one value ----------------------------------------------------------------------- */

static int base64_offsets(struct item_parser *i, struct sigma_value *v)
{
    struct text t = v->text;
    struct sigma_value *form = v;
    const struct sigma_value *rest = v->or;
    bool is_first = true;
    for (unsigned shift = 0; shift < 3; shift++) {
        struct text part;
        int e = sigma_value_base64_offset(i->p->arena, shift, i->done & UTF16S, t, &part);
        if (e < 0)
            return e;
        if (e && ((!(i->done & UTF16S) && sigma_value_has_marks(t)) || t.n > 2))
            return sigma_refuse(i->p, SIGMA_BAD_BASE64, i->line, t);
        if (e)
            continue; /* too short to leave a digit of its own at this offset */
        if (!is_first && !(form = value_also(i, form)))
            return -ENOMEM;
        form->text = part;
        is_first = false;
        if ((e = value_count(i)))
            return e;
    }
    form->or = rest;
    return is_first ? sigma_refuse(i->p, SIGMA_BAD_BASE64, i->line, t) : 0;
}

static int change_text(struct item_parser *i, enum modifier m, struct sigma_value *v)
{
    struct arena *arena = i->p->arena;
    int e = 0;
    bool is_last = !(i->set & (BIT(BASE64) | BIT(BASE64OFFSET)));
    if (UINT64_C(1) << m & ENCODINGS && i->done & PLACES) /* the stars around would be encoded */
        return sigma_refuse(i->p, SIGMA_BAD_BASE64, i->line, v->text);
    switch ((int)m) {
    case M_CONTAINS: e = sigma_value_open(arena, true, true, &v->text); break;
    case M_STARTSWITH: e = sigma_value_open(arena, false, true, &v->text); break;
    case M_ENDSWITH: e = sigma_value_open(arena, true, false, &v->text); break;
    case M_WINDASH: e = sigma_value_windash(arena, &v->text); break;
    case M_UTF16: e = sigma_value_utf16(arena, SIGMA_UTF16_BOM, is_last, &v->text); break;
    case M_UTF16LE:
    case M_WIDE: e = sigma_value_utf16(arena, SIGMA_UTF16LE, is_last, &v->text); break;
    case M_UTF16BE: e = sigma_value_utf16(arena, SIGMA_UTF16BE, is_last, &v->text); break;
    case M_BASE64: e = sigma_value_base64(arena, i->done & UTF16S, &v->text); break;
    case M_BASE64OFFSET: return base64_offsets(i, v);
    default: break;
    }
    return e > 0 ? sigma_refuse(i->p, SIGMA_BAD_BASE64, i->line, v->text) : e;
}

/* change - modifier @m on every form of @v. */
static int change(struct item_parser *i, enum modifier m, struct sigma_value *v)
{
    if (v->match == SIGMA_REGEX || v->match == SIGMA_FIELDREF)
        return 0; /* a search already; fieldref has its places from the set */
    while (v) {
        struct sigma_value *next = NULL;
        if (v->or) { /* forms are shared by copies: an own one before it changes */
            next = arena_alloc(i->p->arena, sizeof *next);
            if (!next)
                return -ENOMEM;
            *next = *v->or;
            v->or = next;
        }
        int e = change_text(i, m, v);
        if (e)
            return e;
        v = next;
    }
    return 0;
}

static int parse_number(struct item_parser *i, const struct yaml_tree *t, struct sigma_value *v)
{
    char copy[48], *end;
    int64_t integer;
    if (!yaml_tree_integer(t, &integer)) {
        v->number = (double)integer;
        return 0;
    }
    struct text text = text_trim(t->text);
    if (t->kind != YAML_SCALAR || !text.n || text.n >= sizeof copy || strspn(text.p, "+-.0123456789eE") < text.n)
        return sigma_refuse(i->p, SIGMA_BAD_NUMBER, t->line, t->text);
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    v->number = strtod(copy, &end);
    return *end ? sigma_refuse(i->p, SIGMA_BAD_NUMBER, t->line, t->text) : 0;
}

/* parse_special - comparisons that are no text. Return: as ever; *is_done when it was one. */
static int parse_special(struct item_parser *i, const struct yaml_tree *t, struct sigma_value *v, bool *is_done)
{
    *is_done = true;
    if (i->set & BIT(EXISTS)) {
        v->match = SIGMA_EXISTS;
        if (!yaml_tree_bool(t, &v->is_true))
            return 0;
        v->is_true = text_is_nocase(t->text, "true");
        return v->is_true || text_is_nocase(t->text, "false") ? 0 : sigma_refuse(i->p, SIGMA_BAD_BOOLEAN, t->line, t->text);
    }
    if (i->set & (ORDERS | TIME_PARTS)) {
        v->match = i->set & BIT(LT) ? SIGMA_LT : i->set & BIT(LTE) ? SIGMA_LTE : i->set & BIT(GT) ? SIGMA_GT
                   : i->set & BIT(GTE) ? SIGMA_GTE : SIGMA_NUMBER;
        return parse_number(i, t, v);
    }
    if (yaml_tree_is_null(t)) {
        v->match = SIGMA_NULL;
        if (i->set & ~(BIT(ALL) | BIT(NEQ) | BIT(CASED)))
            return misuse(i, (enum modifier)__builtin_ctzll(i->set & ~(BIT(ALL) | BIT(NEQ) | BIT(CASED))));
        return i->item->field.n ? 0 : sigma_refuse(i->p, SIGMA_BAD_SEARCH, t->line, TEXT("null"));
    }
    if (i->set & BIT(CIDR) && !(i->set & BIT(EXPAND))) {
        v->match = SIGMA_CIDR;
        v->text = t->text;
        struct text range = text_trim(t->text);
        return ip_range_parse(range.p, range.n, &v->range, NULL) || ip_range_prefix(&v->range) < 0
                   ? sigma_refuse(i->p, SIGMA_BAD_CIDR, t->line, t->text) : 0;
    }
    if (i->set & BIT(FIELDREF)) {
        v->match = SIGMA_FIELDREF;
        v->text = t->text;
        v->is_open_start = i->set & (BIT(CONTAINS) | BIT(ENDSWITH));
        v->is_open_end = i->set & (BIT(CONTAINS) | BIT(STARTSWITH));
        return t->text.n ? 0 : sigma_refuse(i->p, SIGMA_BAD_SEARCH, t->line, TEXT("fieldref"));
    }
    *is_done = false;
    return 0;
}

static int parse_text(struct item_parser *i, const struct yaml_tree *t, struct sigma_value *v)
{
    int64_t integer;
    bool boolean;
    if (i->set & BIT(RE)) {
        v->match = SIGMA_REGEX;
        v->is_nocase = i->set & BIT(I);
        v->is_multiline = i->set & BIT(M);
        v->is_dotall = i->set & BIT(S);
        v->text = t->text;
        return 0;
    }
    char number[24];
    struct text plain = t->text;
    if (!yaml_tree_integer(t, &integer)) {
        v->is_number = true;
        plain = (struct text){number, (size_t)snprintf(number, sizeof number, "%lld", (long long)integer)};
    } else if (!yaml_tree_bool(t, &boolean) && (text_is_nocase(t->text, "true") || text_is_nocase(t->text, "false"))) {
        plain = boolean ? TEXT("true") : TEXT("false");
    }
    v->text = sigma_text_pattern(i->p->arena, plain);
    return v->text.p ? 0 : -ENOMEM;
}

static int parse_value(struct item_parser *i, const struct yaml_tree *t, struct sigma_value *v)
{
    if (t->kind != YAML_SCALAR)
        return sigma_refuse(i->p, SIGMA_BAD_SEARCH, t->line, i->item->field);
    if (t->text.n > SIGMA_TEXT_MAX)
        return sigma_refuse(i->p, SIGMA_VALUES, t->line, i->item->field);
    if (!text_is_utf8(t->text.p, t->text.n)) /* the marks must stay ours */
        return sigma_refuse(i->p, SIGMA_YAML, t->line, TEXT("UTF-8"));
    i->line = t->line;
    i->done = 0;
    bool is_done;
    int e = value_count(i);
    if (!e)
        e = parse_special(i, t, v, &is_done);
    if (e || is_done)
        return e;
    e = parse_text(i, t, v);
    for (uint32_t k = 0; k < i->n_modifiers && !e; k++) {
        uint32_t n_forms = 1;
        e = i->modifiers[k] == M_EXPAND ? expand(i, v, &n_forms) : change(i, i->modifiers[k], v);
        i->done |= UINT64_C(1) << i->modifiers[k];
    }
    for (struct sigma_value *form = v; !e && form && i->set & BIT(CIDR);) { /* expanded: every form is a range */
        form->match = SIGMA_CIDR;
        if (ip_range_parse(form->text.p, form->text.n, &form->range, NULL) || ip_range_prefix(&form->range) < 0)
            e = sigma_refuse(i->p, SIGMA_BAD_CIDR, t->line, form->text);
        struct sigma_value *next = form->or ? arena_alloc(i->p->arena, sizeof *next) : NULL;
        if (form->or && !next)
            return -ENOMEM;
        if (next)
            *next = *form->or;
        form->or = next;
        form = next;
    }
    return e;
}

int sigma_parse_item(struct sigma_parser *p, struct text key, const struct yaml_tree *values, struct sigma_node **ret)
{
    struct sigma_item *item = arena_alloc(p->arena, sizeof *item);
    struct sigma_node *node = sigma_node_new(p->arena, SIGMA_LEAF, 0);
    if (!item || !node)
        return -ENOMEM;
    struct item_parser i = {.p = p, .item = item, .line = values->line};
    item->line = values->line;
    int e = parse_key(&i, key);
    if (e)
        return e;
    bool is_list = values->kind == YAML_LIST;
    item->n = is_list ? values->n : 1;
    if (!item->n)
        return sigma_refuse(p, SIGMA_EMPTY_LIST, values->line, key);
    item->values = arena_alloc(p->arena, item->n * sizeof *item->values);
    if (!item->values)
        return -ENOMEM;
    uint32_t n = 0;
    for (const struct yaml_tree *t = is_list ? values->first : values; t && !e && n < item->n; t = t->next)
        e = parse_value(&i, t, &item->values[n++]);
    node->item = item;
    *ret = node;
    return e;
}

/* --- searches ---------------------------------------------------------------------------------------- */

static int parse_map(struct sigma_parser *p, const struct yaml_tree *t, struct sigma_node **ret)
{
    struct sigma_node *node = sigma_node_new(p->arena, SIGMA_AND, t->n);
    if (!t->n)
        return sigma_refuse(p, SIGMA_EMPTY_LIST, t->line, t->key);
    if (!node)
        return -ENOMEM;
    uint32_t n = 0;
    for (const struct yaml_tree *entry = t->first; entry; entry = entry->next) {
        int e = sigma_parse_item(p, entry->key, entry, &node->children[n++]);
        if (e)
            return e;
    }
    *ret = node->n == 1 ? node->children[0] : node;
    return 0;
}

int sigma_parse_search(struct sigma_parser *p, const struct yaml_tree *t, struct sigma_node **ret)
{
    if (t->kind == YAML_MAP)
        return parse_map(p, t, ret);
    if (t->kind == YAML_SCALAR)
        return yaml_tree_is_null(t) ? sigma_refuse(p, SIGMA_BAD_SEARCH, t->line, t->key)
                                     : sigma_parse_item(p, TEXT(""), t, ret);
    if (!t->n)
        return sigma_refuse(p, SIGMA_EMPTY_LIST, t->line, t->key);
    struct sigma_node *node = sigma_node_new(p->arena, SIGMA_OR, t->n);
    if (!node)
        return -ENOMEM;
    uint32_t n = 0;
    for (const struct yaml_tree *entry = t->first; entry; entry = entry->next) {
        struct yaml_tree word = *entry; /* alone, not the words behind it */
        word.next = NULL;
        int e = entry->kind == YAML_MAP      ? parse_map(p, entry, &node->children[n++])
                : entry->kind == YAML_SCALAR ? sigma_parse_item(p, TEXT(""), &word, &node->children[n++])
                                              : sigma_refuse(p, SIGMA_BAD_SEARCH, entry->line, t->key);
        if (e)
            return e;
    }
    *ret = node->n == 1 ? node->children[0] : node;
    return 0;
}
