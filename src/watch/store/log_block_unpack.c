/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes, perhaps hostile, to rows. The format stands in log_block_inside.h.
 */
#include "watch/store/log_block_inside.h"

#include <errno.h>
#include <string.h>

/* get_count - a varint that counts things of which each takes at least a byte of what is left, or at most @max. */
static size_t get_count(struct cursor *c, size_t max)
{
    uint64_t n = varint_take(c);
    if (n > max)
        c->is_bad = true;
    return c->is_bad ? 0 : (size_t)n;
}

void log_get_array(struct cursor *c, uint64_t *out, size_t n)
{
    uint8_t tag = cursor_u8(c);
    unsigned width = tag & 0xf;
    bool is_delta = tag & ARRAY_DELTA;
    uint64_t base = varint_take(c);
    if (width > 8 || tag & ~(unsigned)(ARRAY_DELTA | 0xf))
        c->is_bad = true;
    const uint8_t *p = cursor_take(c, n * width);
    if (!p)
        return;
    uint64_t mask = width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1, last = base;
    for (size_t i = 0; i < n; i++, p += width) {
        uint64_t x = load_le64(p) & mask;
        out[i] = last = is_delta ? last + unzigzag(x) : base + x;
    }
}

size_t log_block_size(const uint8_t *p, size_t n)
{
    if (n < LOG_BLOCK_HEAD_BYTES || (load_le32(p) != MAGIC && load_le32(p) != MAGIC_1))
        return 0;
    uint64_t size = (uint64_t)LOG_BLOCK_HEAD_BYTES + load_le32(p + 8) + load_le32(p + 12);
    return size <= n ? (size_t)size : 0;
}

int log_block_head(const uint8_t *p, size_t n, struct log_block_head *ret)
{
    if (n < LOG_BLOCK_HEAD_BYTES || (load_le32(p) != MAGIC && load_le32(p) != MAGIC_1))
        return -EBADMSG;
    *ret = (struct log_block_head){.n_rows = load_le32(p + 4), .columns_bytes = load_le32(p + 8), .text_bytes = load_le32(p + 12),
                                   .columns_unpacked_bytes = load_le64(p + 16), .text_unpacked_bytes = load_le64(p + 24)};
    bool is_whole = (uint64_t)ret->columns_bytes + ret->text_bytes + LOG_BLOCK_HEAD_BYTES == n;
    return ret->n_rows && ret->n_rows <= LOG_BLOCK_ROWS_MAX && is_whole &&
                   ret->columns_unpacked_bytes <= LOG_BLOCK_BYTES_MAX && ret->text_unpacked_bytes <= LOG_BLOCK_BYTES_MAX
               ? 0
               : -EBADMSG;
}

/* --- the parts ------------------------------------------------------------------------------------------------------ */

static int inflate_part(struct log_scratch *s, const uint8_t *p, size_t n, size_t unpacked, uint8_t *to)
{
    size_t k = ZSTD_decompressDCtx(s->decompress, to, unpacked, p, n);
    return ZSTD_isError(k) || k != unpacked ? -EBADMSG : 0;
}

struct unpacking {
    struct log_scratch *s;
    struct events *out;
    struct cursor c;
    uint32_t n;       /* rows */
    uint64_t text;    /* in the heap: where the text part begins */
    uint64_t own;     /* next text of its own, from there */
    uint64_t text_n;
    bool has_lines; /* log_lines.h */
    struct cursor lines;
};

static int get_heads(struct unpacking *u)
{
    struct log_scratch *s = u->s;
    s->n_columns = s->n_shapes = s->n_shape_columns = 0;
    size_t n = get_count(&u->c, COLUMNS_MAX);
    if (log_grow(&s->column, &s->columns_capacity, n, sizeof(*s->column)))
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct text name = {.n = get_count(&u->c, EVENT_NAME_MAX)};
        name.p = (const char *)cursor_take(&u->c, name.n);
        uint8_t type = cursor_u8(&u->c);
        if (u->c.is_bad || !name.n || type >= EVENT_N_TYPES || type == EVENT_TEXT)
            return -EBADMSG;
        s->column[s->n_columns++] = (struct column){.field = event_names_add(u->out->names, name), .type = type};
    }
    n = get_count(&u->c, u->n);
    if (log_grow(&s->shape, &s->shapes_capacity, n, sizeof(*s->shape)))
        return -ENOMEM;
    for (size_t i = 0; i < n && !u->c.is_bad; i++) {
        size_t k = get_count(&u->c, EVENT_VALUES_MAX);
        if (log_grow(&s->shape_columns, &s->shape_columns_capacity, s->n_shape_columns + k, sizeof(*s->shape_columns)))
            return -ENOMEM;
        s->shape[s->n_shapes++] = (struct shape){.first = (uint32_t)s->n_shape_columns, .n = (uint32_t)k};
        while (k--) {
            uint64_t column = varint_take(&u->c);
            if (column >= s->n_columns)
                return -EBADMSG;
            s->shape_columns[s->n_shape_columns++] = (uint32_t)column;
        }
    }
    return u->c.is_bad ? -EBADMSG : 0;
}

/* get_rows - shapes, times, originals; counts the values of every column. */
static int get_rows(struct unpacking *u, uint32_t *ret_values)
{
    struct log_scratch *s = u->s;
    struct events *e = u->out;
    uint64_t n_values = 0, at = 0, sign = sign_of(EVENT_DATE);
    if (log_grow(&s->numbers, &s->numbers_capacity, LOG_BLOCK_ROWS_MAX + 1, 2 * sizeof(*s->numbers)))
        return -ENOMEM;
    log_get_array(&u->c, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n && !u->c.is_bad; i++) {
        if (s->numbers[i] >= s->n_shapes)
            return -EBADMSG;
        s->row_shape[i] = (uint32_t)s->numbers[i];
        const struct shape *shape = &s->shape[s->row_shape[i]];
        n_values += shape->n;
        e->value_end[e->n + i] = e->n_values + (uint32_t)n_values;
        for (uint32_t k = 0; k < shape->n; k++)
            s->column[s->shape_columns[shape->first + k]].n++;
    }
    log_get_array(&u->c, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n; i++)
        e->time_us[e->n + i] = (int64_t)(s->numbers[i] ^ sign);
    log_get_array(&u->c, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n; i++)
        e->arrived_us[e->n + i] = (int64_t)(s->numbers[i] ^ sign);
    log_get_array(&u->c, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n && !u->c.is_bad; i++) {
        if (s->numbers[i] > u->text_n - at || s->numbers[i] > EVENT_ORIGINAL_MAX)
            return -EBADMSG;
        e->original[e->n + i] = u->text + at;
        e->original_n[e->n + i] = (uint32_t)s->numbers[i];
        s->lines.at[i] = at;
        s->lines.end[i] = at += s->numbers[i];
    }
    u->own = at;
    *ret_values = (uint32_t)n_values; /* rows times values: below 2^24 */
    return u->c.is_bad ? -EBADMSG : 0;
}

/* get_templates - Return: 0 (@ret_texts: their bytes), -EBADMSG or -ENOMEM. */
static int get_templates(struct unpacking *u, size_t n, const uint8_t **ret_texts)
{
    struct log_scratch *s = u->s;
    struct log_lines *l = &s->lines;
    uint64_t at = 0;
    l->n_templates = 0;
    if (log_grow(&l->templates, &l->templates_capacity, n, sizeof(*l->templates)))
        return -ENOMEM;
    log_get_array(&u->lines, s->numbers, n);
    for (size_t i = 0; i < n && !u->lines.is_bad; i++) {
        uint64_t k = s->numbers[i] / 2;
        if (k > LOG_BLOCK_BYTES_MAX || at > LOG_BLOCK_BYTES_MAX)
            return -EBADMSG;
        l->templates[l->n_templates++] = (struct line_template){.at = (uint32_t)at, .n = (uint32_t)k, .is_literal = s->numbers[i] & 1};
        at += k + 1;
    }
    *ret_texts = cursor_take(&u->lines, at);
    log_get_array(&u->lines, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n && !u->lines.is_bad; i++) {
        if (s->numbers[i] >= n)
            return -EBADMSG;
        l->row_template[i] = (uint32_t)s->numbers[i];
        l->templates[s->numbers[i]].n_rows++;
    }
    return u->lines.is_bad ? -EBADMSG : 0;
}

/* get_lines - the originals, of which the lengths are known, into the heap; behind them the texts of their own. */
static int get_lines(struct unpacking *u)
{
    struct buf *heap = &u->out->heap;
    size_t n = get_count(&u->lines, u->n);
    const uint8_t *texts = NULL;
    struct cursor variables = {0};
    int r = n ? get_templates(u, n, &texts) : 0;
    if (!r && n)
        variables = cursor_sub(&u->lines, get_count(&u->lines, LOG_BLOCK_BYTES_MAX));
    if (r || u->lines.is_bad)
        return r ? r : -EBADMSG;
    size_t left = cursor_left(&u->lines), originals = n ? u->own : 0;
    uint8_t *to = buf_room(heap, originals + left);
    if (!to)
        return u->out->n ? LOG_BLOCK_NO_ROOM : -ENOMEM;
    if (n && log_lines_join(&u->s->lines, u->n, texts, &variables, to))
        return -EBADMSG;
    if (left)
        memcpy(to + originals, u->lines.p, left);
    heap->n += originals + left;
    u->text_n = originals + left;
    return u->own <= u->text_n ? 0 : -EBADMSG;
}

/* get_codes - @n codes below @n_distinct into numbers[]. */
static int get_codes(struct unpacking *u, uint32_t n, size_t n_distinct)
{
    log_get_array(&u->c, u->s->numbers, n);
    for (uint32_t i = 0; i < n && !u->c.is_bad; i++)
        if (u->s->numbers[i] >= n_distinct)
            return -EBADMSG;
    return u->c.is_bad ? -EBADMSG : 0;
}

static int get_ips(struct unpacking *u, const struct column *c, struct event_value *v)
{
    size_t n = get_count(&u->c, c->n);
    const uint8_t *bytes = cursor_take(&u->c, n * sizeof(struct ip));
    uint64_t at = u->out->heap.n;
    buf_add(&u->out->heap, bytes, bytes ? n * sizeof(struct ip) : 0);
    int r = get_codes(u, c->n, n);
    for (uint32_t i = 0; !r && i < c->n; i++)
        v[i].at = at + u->s->numbers[i] * sizeof(struct ip);
    return r;
}

static int get_dictionary(struct unpacking *u, const struct column *c, struct event_value *v)
{
    struct log_scratch *s = u->s;
    size_t n = get_count(&u->c, c->n);
    uint64_t *at = s->numbers + c->n, total = 0; /* numbers[] has room for twice the values */
    uint64_t lengths[NUMBERS_AT_ONCE];
    if (c->n && !n)
        return -EBADMSG;
    for (size_t from = 0; from < n && !u->c.is_bad; from += NUMBERS_AT_ONCE) {
        size_t k = n - from < NUMBERS_AT_ONCE ? n - from : NUMBERS_AT_ONCE;
        log_get_array(&u->c, lengths, k);
        for (size_t i = 0; i < k; i++) {
            if (lengths[i] > LOG_BLOCK_BYTES_MAX)
                return -EBADMSG;
            at[from + i] = total << 28 | lengths[i];
            total += lengths[i];
            if (total > LOG_BLOCK_BYTES_MAX)
                return -EBADMSG;
        }
    }
    const uint8_t *bytes = cursor_take(&u->c, total);
    uint64_t heap = u->out->heap.n;
    buf_add(&u->out->heap, bytes, bytes ? total : 0);
    int r = get_codes(u, c->n, n);
    for (uint32_t i = 0; !r && i < c->n; i++) {
        uint64_t x = at[s->numbers[i]];
        v[i].at = heap + (x >> 28);
        v[i].n = (uint32_t)(x & ((1u << 28) - 1));
    }
    return r;
}
_Static_assert(LOG_BLOCK_BYTES_MAX <= (size_t)1 << 28, "place and length share a word");

static int get_slices_known(struct unpacking *u, const struct column *c, struct event_value *v)
{
    struct log_scratch *s = u->s;
    const struct events *e = u->out;
    size_t n = get_count(&u->c, c->n);
    uint64_t *at = s->numbers + c->n; /* numbers[] has room for twice the values */
    uint64_t rows[NUMBERS_AT_ONCE], places[NUMBERS_AT_ONCE], lengths[NUMBERS_AT_ONCE];
    if (log_grow(&s->keys, &s->keys_capacity, n, sizeof(*s->keys)))
        return -ENOMEM;
    for (size_t from = 0; from < n && !u->c.is_bad; from += NUMBERS_AT_ONCE) {
        size_t k = n - from < NUMBERS_AT_ONCE ? n - from : NUMBERS_AT_ONCE;
        log_get_array(&u->c, rows, k);
        log_get_array(&u->c, places, k);
        log_get_array(&u->c, lengths, k);
        for (size_t i = 0; i < k && !u->c.is_bad; i++) {
            uint64_t whole = rows[i] < u->n ? e->original_n[e->n + rows[i]] : 0;
            if (rows[i] >= u->n || places[i] > whole || lengths[i] > whole - places[i])
                return -EBADMSG;
            at[from + i] = e->original[e->n + rows[i]] + places[i];
            s->keys[from + i].n = (uint32_t)lengths[i];
        }
    }
    int r = c->n && !n ? -EBADMSG : get_codes(u, c->n, n);
    for (uint32_t i = 0; !r && i < c->n; i++) {
        v[i].at = at[s->numbers[i]];
        v[i].n = s->keys[s->numbers[i]].n;
    }
    return r;
}

static int get_texts(struct unpacking *u, const struct column *c, struct event_value *v)
{
    struct log_scratch *s = u->s;
    uint8_t mode = cursor_u8(&u->c);
    if (mode == MODE_DICTIONARY)
        return get_dictionary(u, c, v);
    if (mode == MODE_SLICES_KNOWN)
        return get_slices_known(u, c, v);
    if (mode != MODE_SLICE && mode != MODE_OWN)
        return -EBADMSG;
    if (mode == MODE_SLICE) {
        log_get_array(&u->c, s->numbers, c->n);
        for (uint32_t i = 0; i < c->n; i++) {
            v[i].at = s->numbers[i];
            v[i].reserved = 1; /* place in the original: added and checked when the row is known */
        }
    }
    log_get_array(&u->c, s->numbers, c->n);
    for (uint32_t i = 0; i < c->n && !u->c.is_bad; i++) {
        if (s->numbers[i] > LOG_BLOCK_BYTES_MAX)
            return -EBADMSG;
        v[i].n = (uint32_t)s->numbers[i];
        if (mode == MODE_SLICE)
            continue;
        if (v[i].n > u->text_n - u->own)
            return -EBADMSG;
        v[i].at = u->text + u->own;
        u->own += v[i].n;
    }
    return u->c.is_bad ? -EBADMSG : 0;
}

static int get_column(struct unpacking *u, struct column *c)
{
    struct log_scratch *s = u->s;
    struct event_value *v = s->values + c->first;
    for (uint32_t i = 0; i < c->n; i++)
        v[i] = (struct event_value){.field = c->field, .type = c->type};
    if (c->type == EVENT_NULL)
        return 0;
    if (c->type == EVENT_IP)
        return get_ips(u, c, v);
    if (!is_number(c->type))
        return get_texts(u, c, v);
    uint64_t sign = sign_of(c->type);
    log_get_array(&u->c, s->numbers, c->n);
    for (uint32_t i = 0; i < c->n; i++)
        v[i].unsigned_number = s->numbers[i] ^ sign;
    return u->c.is_bad ? -EBADMSG : 0;
}

/* scatter - from columns to rows. A field whose name found no number any more is left out of no row: it has none. */
static int scatter(struct unpacking *u)
{
    struct log_scratch *s = u->s;
    struct events *e = u->out;
    struct event_value *to = e->values + e->n_values;
    for (uint32_t i = 0; i < u->n; i++) {
        const struct shape *shape = &s->shape[s->row_shape[i]];
        uint64_t original = e->original[e->n + i], original_n = e->original_n[e->n + i];
        for (uint32_t k = 0; k < shape->n; k++, to++) {
            *to = s->values[s->column[s->shape_columns[shape->first + k]].next++];
            if (!to->reserved)
                continue;
            if (to->at > original_n || to->n > original_n - to->at)
                return -EBADMSG;
            to->at += original;
            to->reserved = 0;
        }
    }
    return 0;
}

static int get_all(struct unpacking *u)
{
    struct log_scratch *s = u->s;
    uint32_t n_values = 0, first = 0;
    int r = get_heads(u);
    if (!r)
        r = get_rows(u, &n_values);
    if (!r && u->has_lines)
        r = get_lines(u);
    if (r)
        return r;
    if (events_room(u->out, n_values) || log_grow(&s->values, &s->values_capacity, n_values, sizeof(*s->values)) ||
        log_grow(&s->numbers, &s->numbers_capacity, (size_t)n_values + 1, 2 * sizeof(*s->numbers)))
        return -ENOMEM;
    for (size_t i = 0; i < s->n_columns; i++) {
        s->column[i].first = s->column[i].next = first;
        first += s->column[i].n;
    }
    for (size_t i = 0; !r && i < s->n_columns; i++)
        r = get_column(u, &s->column[i]);
    if (!r && (cursor_left(&u->c) || u->own != u->text_n))
        r = -EBADMSG; /* more than was counted */
    if (!r && u->out->heap.is_bad)
        r = -ENOMEM;
    if (!r)
        r = scatter(u);
    if (!r)
        u->out->n_values += n_values;
    return r;
}

/* inflate - both parts, the text to @text, before a cursor goes over them. Return: 0 or -EBADMSG. */
static int inflate(struct log_scratch *s, const uint8_t *p, const struct log_block_head *h, uint8_t *columns, uint8_t *text)
{
    memset(columns + h->columns_unpacked_bytes, 0, PAD);
    int r = inflate_part(s, p + LOG_BLOCK_HEAD_BYTES, h->columns_bytes, h->columns_unpacked_bytes, columns);
    return r ? r : inflate_part(s, p + LOG_BLOCK_HEAD_BYTES + h->columns_bytes, h->text_bytes, h->text_unpacked_bytes, text);
}

int log_block_unpack(struct log_scratch *s, const uint8_t *p, size_t n, struct events *out)
{
    struct log_block_head h;
    if (log_block_head(p, n, &h))
        return -EBADMSG;
    if (h.n_rows > EVENTS_ROWS - out->n)
        return LOG_BLOCK_NO_ROOM;
    size_t heap = out->heap.n;
    bool has_lines = load_le32(p) == MAGIC;
    buf_clear(&s->columns);
    buf_clear(&s->text);
    uint8_t *columns = buf_room(&s->columns, h.columns_unpacked_bytes + PAD);
    uint8_t *text = buf_room(has_lines ? &s->text : &out->heap, h.text_unpacked_bytes + (has_lines ? PAD : 0));
    if (!columns || !text) {
        out->heap.is_bad = false;
        return out->n && !has_lines ? LOG_BLOCK_NO_ROOM : -ENOMEM;
    }
    int r = inflate(s, p, &h, columns, text);
    if (!r) {
        struct unpacking u = {.s = s, .out = out, .c = cursor_over(columns, h.columns_unpacked_bytes), .n = h.n_rows, .text = heap,
                              .text_n = has_lines ? LOG_BLOCK_BYTES_MAX : h.text_unpacked_bytes, .has_lines = has_lines,
                              .lines = cursor_over(text, has_lines ? h.text_unpacked_bytes : 0)};
        if (has_lines)
            memset(text + h.text_unpacked_bytes, 0, PAD);
        else
            out->heap.n += h.text_unpacked_bytes;
        r = get_all(&u);
    }
    if (r) {
        out->heap.n = heap;
        out->heap.is_bad = false;
        return r;
    }
    out->n += h.n_rows;
    return 0;
}
