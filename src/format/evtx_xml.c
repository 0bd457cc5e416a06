/* SPDX-License-Identifier: Apache-2.0 */
/* One record as XML: the text that was compiled, and between it the values. */
#include "format/evtx_own.h"

#include <errno.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BLOCK_UNITS 1024u

struct walk {
    struct evtx *e;
    uint32_t values, n_values;
    unsigned depth;
};

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
        while (*text)
            *to++ = *text++;
        return to;
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

/* room_more - the buffer has to grow. Return: 0, EVTX_LIMIT or -ENOMEM. */
static int room_more(struct evtx *e, size_t n)
{
    if (n > e->out->max - e->out->n)
        return EVTX_LIMIT;
    return buf_room(e->out, n) ? 0 : -ENOMEM;
}

static inline int room(struct evtx *e, size_t n, char **ret)
{
    struct buf *out = e->out;
    int s = !out->is_bad && n <= out->capacity - out->n && out->p ? 0 : room_more(e, n);
    *ret = (char *)out->p + out->n;
    return s;
}

static inline int put(struct evtx *e, const char *p, size_t n)
{
    char *to;
    int s = room(e, n, &to);
    if (s || !n)
        return s;
    memcpy(to, p, n);
    e->out->n += n;
    return 0;
}

/* put_units - block by block, so that the worst case of escaping is asked for a short piece only. */
static int put_units(struct evtx *e, const uint8_t *p, size_t n, bool is_attribute)
{
    n /= 2;
    while (n && !load_le16(p + 2 * n - 2))
        n--;
    while (n) {
        size_t step = n;
        char *to;
        if (step > BLOCK_UNITS) { /* never between the two halves of a pair */
            uint16_t last = load_le16(p + 2 * BLOCK_UNITS - 2);
            step = last >= 0xd800 && last <= 0xdbff ? BLOCK_UNITS - 1 : BLOCK_UNITS;
        }
        int s = room(e, step * 6, &to);
        if (s)
            return s;
        e->out->n += evtx_xml_escape(p, step, is_attribute, to);
        p += 2 * step;
        n -= step;
    }
    return 0;
}

static int put_ansi(struct evtx *e, const uint8_t *p, size_t n, bool is_attribute)
{
    struct evtx_field f = {0};
    if (n * 3 > 2 * EVTX_TEXT_MAX - e->n_text)
        return EVTX_LIMIT;
    size_t n_text = evtx_value(EVTX_ANSI_STRING, p, n, &f, e->text + e->n_text);
    const char *from = f.text.p, *end = from + n_text;
    while (from < end) {
        char *to;
        int s = room(e, 6, &to);
        if (s)
            return s;
        e->out->n += (size_t)(escape_one(to, text_next(&from, end), is_attribute) - to);
    }
    return 0;
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
    struct evtx_field f;
    char *to;
    if (type == EVTX_STRING)
        return put_units(e, p, n, is_attribute);
    if (type == EVTX_ANSI_STRING)
        return put_ansi(e, p, n, is_attribute);
    evtx_value(type, p, n, &f, NULL);
    if (f.type == EVTX_BINARY)
        return put_binary(e, f.bytes.p, f.bytes.n);
    int s = room(e, EVTX_VALUE_ROOM, &to);
    e->out->n += s ? 0 : evtx_value_text(&f, to);
    return s;
}

/* put_array - the element repeated for each item; items joined where they stand between other text. */
static int put_array(struct evtx *e, const struct evtx_xml_op *op, struct evtx_value v)
{
    const uint8_t *p = e->chunk + v.at, *item;
    bool is_repeated = op->n_begin && !op->is_attribute;
    size_t at = 0, n;
    while (evtx_array_item(v.type, p, v.n, &at, &item, &n)) {
        int s = 0;
        if (item != p && !is_repeated)
            s = put(e, ",", 1);
        else if (item != p)
            s = put(e, e->xml + op->begin_at + op->n_begin, op->n_end);
        if (!s && item != p && is_repeated)
            s = put(e, e->xml + op->begin_at, op->n_begin);
        s = s ? s : put_item(e, v.type & (uint8_t)~EVTX_TYPE_ARRAY, item, n, op->is_attribute);
        if (s)
            return s;
    }
    return 0;
}

static int put_value(struct walk *w, const struct evtx_xml_op *op, struct evtx_value v)
{
    if (v.type == EVTX_TYPE_BINXML)
        return op->is_attribute ? EVTX_BAD_VALUE : evtx_run(w->e, v.at, v.at + v.n, op->context, w->depth + 1);
    if (v.type & EVTX_TYPE_ARRAY)
        return put_array(w->e, op, v);
    return put_item(w->e, v.type, w->e->chunk + v.at, v.n, op->is_attribute);
}

static int attribute(struct walk *w, const struct evtx_xml_op *op, struct evtx_value v)
{
    struct evtx *e = w->e;
    if (v.type == EVTX_NULL)
        return 0;
    int s = put(e, e->xml + op->begin_at, op->n_begin);
    s = s ? s : put_value(w, op, v);
    return s ? s : put(e, "'", 1);
}

static int run(struct walk *w, uint32_t first, uint32_t end)
{
    struct evtx *e = w->e;
    e->n_steps += end - first;
    if (e->n_steps > EVTX_STEPS_MAX)
        return EVTX_LIMIT;
    for (uint32_t i = first; i < end; i++) {
        const struct evtx_xml_op *op = &e->xml_ops[i];
        struct evtx_value v = {0};
        if (op->slot < w->n_values)
            v = e->values[w->values + op->slot];
        int s = put(e, e->xml + op->text_at, op->n_text);
        if (s)
            return s;
        if (op->code == XML_SLOT)
            s = put_value(w, op, v);
        else if (op->code == XML_ATTRIBUTE)
            s = attribute(w, op, v);
        else if (op->code == XML_DEPEND && v.type == EVTX_NULL)
            i += op->n_span;
        if (s)
            return s;
    }
    return 0;
}

int evtx_xml_program(struct evtx *e, const struct evtx_program *g, uint32_t values, uint32_t n_values, unsigned depth)
{
    struct walk w = {.e = e, .values = values, .n_values = n_values, .depth = depth};
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
    s = !s && out->n > out->max ? EVTX_LIMIT : s;
    if (!s)
        return 0;
    out->n = before;
    out->is_bad = false;
    return s < 0 ? s : EVTX_REFUSED;
}
