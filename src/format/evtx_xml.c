/* SPDX-License-Identifier: Apache-2.0 */
/* One record as XML: the text that was compiled, and between it the values. */
#include "format/evtx_own.h"

#include <errno.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

struct walk {
    struct evtx *e;
    const struct evtx_program *g;
    uint32_t values, n_values;
    unsigned depth;
    uint16_t item_slot; /* the array whose item is being written, or EVTX_NONE */
    uint8_t item_type;
    const uint8_t *item;
    size_t n_item;
};

static int run(struct walk *w, uint32_t first, uint32_t end);

/* escape_of - how a character of ASCII is written, or NULL: as it is. Line ends would be changed by the next reader. */
static const char *escape_of(uint32_t c, bool is_attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\'':
        return "&apos;";
    case '"':
        return "&quot;";
    case '\r':
        return "&#13;";
    case '\n':
        return is_attribute ? "&#10;" : NULL;
    case '\t':
        return is_attribute ? "&#9;" : NULL;
    default:
        return c < 0x20 ? "\xef\xbf\xbd" : NULL;
    }
}

static char *escape_one(char *to, uint32_t c, bool is_attribute)
{
    const char *text = c < 0x40 ? escape_of(c, is_attribute) : NULL;
    if (text) {
        size_t n = strlen(text);
        memcpy(to, text, n);
        return to + n;
    }
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    bool is_forbidden = (c >= 0xd800 && c <= 0xdfff) || c == 0xfffe || c == 0xffff; /* XML 1.0, production 2 */
    return to + text_put(is_forbidden ? 0xfffd : c, to);
}

#if defined(__SSE2__)
/* plain_run - units copied eight at a time while none of them needs more. */
static size_t plain_run(const uint8_t *p, size_t n_units, char *out)
{
    size_t i = 0;
    for (; i + 8 <= n_units; i += 8) {
        __m128i units = _mm_loadu_si128((const __m128i *)(const void *)(p + 2 * i));
        /* 0x20..0x7f: subtract 0x20, then nothing above 0x5f may be left (unsigned, by saturation) */
        __m128i above = _mm_subs_epu16(_mm_sub_epi16(units, _mm_set1_epi16(0x20)), _mm_set1_epi16(0x5f));
        __m128i bad = _mm_cmpeq_epi16(units, _mm_set1_epi16('&'));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi16(units, _mm_set1_epi16('<')));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi16(units, _mm_set1_epi16('>')));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi16(units, _mm_set1_epi16('"')));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi16(units, _mm_set1_epi16('\'')));
        bad = _mm_or_si128(bad, above);
        if (_mm_movemask_epi8(_mm_cmpeq_epi16(bad, _mm_setzero_si128())) != 0xffff)
            break;
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packus_epi16(units, units));
    }
    return i;
}
#else
static size_t plain_run(const uint8_t *p, size_t n_units, char *out)
{
    (void)p, (void)n_units, (void)out;
    return 0;
}
#endif

size_t evtx_xml_escape(const uint8_t *p, size_t n_units, bool is_attribute, char *out)
{
    char *to = out;
    for (size_t i = 0; i < n_units;) {
        size_t n = n_units - i < 8 ? 0 : plain_run(p + 2 * i, n_units - i, to);
        i += n;
        to += n;
        for (size_t end = n_units - i < 8 ? n_units : i + 8; i < end; i++) {
            uint32_t c = load_le16(p + 2 * i), low = i + 1 < n_units ? load_le16(p + 2 * i + 2) : 0;
            if (c >= 0xd800 && c <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i++;
            }
            to = escape_one(to, c, is_attribute);
        }
    }
    return (size_t)(to - out);
}

static int room(struct evtx *e, size_t n, char **ret)
{
    uint8_t *to = buf_room(e->out, n);
    if (!to)
        return e->out->n + n > e->out->max ? EVTX_LIMIT : -ENOMEM;
    *ret = (char *)to;
    return 0;
}

static int put(struct evtx *e, const char *p, size_t n)
{
    char *to;
    int s = room(e, n, &to);
    if (s)
        return s;
    if (n)
        memcpy(to, p, n);
    e->out->n += n;
    return 0;
}

static int put_units(struct evtx *e, const uint8_t *p, size_t n, bool is_attribute)
{
    char *to;
    n /= 2;
    while (n && !load_le16(p + 2 * n - 2))
        n--;
    /* Most text grows by nothing: ask for the worst case only where that fits. */
    int s = room(e, n * 6, &to);
    if (!s)
        e->out->n += evtx_xml_escape(p, n, is_attribute, to);
    return s;
}

static int put_binary(struct evtx *e, const uint8_t *p, size_t n)
{
    char *to;
    int s = room(e, 2 * n, &to);
    for (size_t i = 0; i < n && !s; i++) {
        to[2 * i] = "0123456789ABCDEF"[p[i] >> 4];
        to[2 * i + 1] = "0123456789ABCDEF"[p[i] & 15];
    }
    e->out->n += s ? 0 : 2 * n;
    return s;
}

static int put_item(struct evtx *e, uint8_t type, const uint8_t *p, size_t n, bool is_attribute)
{
    struct evtx_field f = {0};
    char text[EVTX_VALUE_ROOM];
    if (type == EVTX_STRING)
        return put_units(e, p, n, is_attribute);
    if (type == EVTX_ANSI_STRING) {
        if (n * 3 > 2 * EVTX_TEXT_MAX - e->n_text)
            return EVTX_LIMIT;
        size_t n_text = evtx_value(type, p, n, &f, e->text + e->n_text);
        char *to;
        int s = room(e, n_text * 6, &to);
        const char *from = f.text.p, *end = from + n_text;
        while (!s && from < end) {
            uint32_t c = text_next(&from, end);
            char *after = escape_one(to, c, is_attribute);
            e->out->n += (size_t)(after - to);
            to = after;
        }
        return s;
    }
    evtx_value(type, p, n, &f, text);
    if (f.type == EVTX_BINARY)
        return put_binary(e, f.bytes.p, f.bytes.n);
    return put(e, text, evtx_value_text(&f, text));
}

static int put_value(struct walk *w, const struct evtx_op *op, struct evtx_value v)
{
    struct evtx *e = w->e;
    bool is_attribute = op->flags & OP_IS_ATTRIBUTE;
    const uint8_t *p = e->chunk + v.at, *item;
    size_t at = 0, n;
    if (op->slot == w->item_slot && op->slot != EVTX_NONE)
        return put_item(e, w->item_type, w->item, w->n_item, is_attribute);
    if (v.type == EVTX_TYPE_BINXML)
        return is_attribute ? EVTX_BAD_VALUE : evtx_run(e, v.at, v.at + v.n, op->context, w->depth + 1);
    if (!(v.type & EVTX_TYPE_ARRAY))
        return put_item(e, v.type, p, v.n, is_attribute);
    while (evtx_array_item(v.type, p, v.n, &at, &item, &n)) {
        int s = item == p ? 0 : put(e, ",", 1);
        s = s ? s : put_item(e, v.type & (uint8_t)~EVTX_TYPE_ARRAY, item, n, is_attribute);
        if (s)
            return s;
    }
    return 0;
}

static struct evtx_value value_of(const struct walk *w, uint16_t number)
{
    return number < w->n_values ? w->e->values[w->values + number] : (struct evtx_value){0};
}

/* element - @i is its operation; its parts follow. */
static int element(struct walk *w, uint32_t i)
{
    const struct evtx_op *op = &w->e->xml_ops[i];
    struct evtx_value v = value_of(w, op->other);
    if (op->slot != EVTX_NONE && value_of(w, op->slot).type == EVTX_NULL)
        return 0;
    if (op->other == EVTX_NONE || !(v.type & EVTX_TYPE_ARRAY) || !v.n || w->item_slot != EVTX_NONE)
        return run(w, i + 1, i + 1 + op->n_span);
    size_t at = 0;
    int s = 0;
    w->item_slot = op->other;
    w->item_type = v.type & (uint8_t)~EVTX_TYPE_ARRAY;
    while (!s && evtx_array_item(v.type, w->e->chunk + v.at, v.n, &at, &w->item, &w->n_item))
        s = run(w, i + 1, i + 1 + op->n_span);
    w->item_slot = EVTX_NONE;
    return s;
}

static int attribute(struct walk *w, const struct evtx_op *op, struct evtx_value v)
{
    struct evtx *e = w->e;
    if (v.type == EVTX_NULL)
        return 0;
    int s = put(e, e->xml + op->name_at, op->n_name);
    s = s ? s : put_value(w, op, v);
    return s ? s : put(e, "'", 1);
}

/* run - operations @first..@end; an element that neither depends nor repeats runs on without a call. */
static int run(struct walk *w, uint32_t first, uint32_t end)
{
    struct evtx *e = w->e;
    for (uint32_t i = first; i < end; i++) {
        const struct evtx_op *op = &e->xml_ops[i];
        struct evtx_value v = value_of(w, op->slot);
        if (++e->n_steps > EVTX_STEPS_MAX)
            return EVTX_LIMIT;
        int s = op->n_text ? put(e, e->xml + op->text_at, op->n_text) : 0;
        if (s)
            return s;
        if (op->code == XML_ELEMENT && (op->slot != EVTX_NONE || op->other != EVTX_NONE)) {
            s = element(w, i);
            i += op->n_span;
        } else if (op->code == XML_ATTRIBUTE) {
            s = attribute(w, op, v);
        } else if (op->code == XML_SLOT) {
            s = put_value(w, op, v);
        }
        if (s)
            return s;
    }
    return 0;
}

int evtx_xml_program(struct evtx *e, const struct evtx_program *g, uint32_t values, uint32_t n_values, unsigned depth)
{
    struct walk w = {.e = e, .g = g, .values = values, .n_values = n_values, .depth = depth, .item_slot = EVTX_NONE};
    return run(&w, g->first_xml, g->first_xml + g->n_xml);
}

int evtx_xml(struct evtx *e, struct buf *out)
{
    if (!e->options.has_xml || !e->record.n_bytes || (e->record.damage && e->record.damage != EVTX_RECORD_TORN))
        return EVTX_REFUSED;
    size_t before = out->n;
    struct evtx_mark mark = evtx_mark(e);
    e->out = out;
    e->n_steps = 0;
    int s = evtx_run(e, e->body_at, e->body_end, EVTX_NO_CONTEXT, 0);
    e->out = NULL;
    evtx_forget(e, mark);
    if (!s)
        return 0;
    out->n = before;
    out->is_bad = false;
    return s < 0 ? s : EVTX_REFUSED;
}
