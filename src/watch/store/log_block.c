/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns, unpacked (varint: LEB128 of at most ten bytes):
 *   names     varint n, each: varint length, bytes
 *   columns   varint n, each: varint name, u8 type
 *   shapes    varint n, each: varint n values, varint column of each
 *   arrays    shape of every row; time; arrival; length of every original
 *   per column its values in order of the rows: an array of numbers, or
 *     IP       varint n distinct, 16 bytes each, array of codes
 *     KEYWORD  u8 mode: dictionary (varint n, array of lengths, bytes, array of codes), slice (array of places in the
 *              row's original, array of lengths), or own text (array of lengths; bytes in the text part)
 * An array: u8 width in bytes, with ARRAY_DELTA; varint base; then per value width bytes of value - base (or of the
 * zigzag difference to the one before).
 */
#include "watch/store/log_block.h"

#include "base/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

enum { MODE_DICTIONARY, MODE_SLICE, MODE_OWN };
enum { ARRAY_DELTA = 0x10, NUMBERS_AT_ONCE = 1024 };
#define MAGIC UINT32_C(0x31424c56) /* "VLB1" */
#define COLUMNS_MAX 65535u
#define PAD 8 /* readable bytes behind every part */

struct column {
    uint16_t field; /* of the batch when packing, of the output's names when unpacking */
    uint8_t type;
    uint32_t n;     /* values */
    uint32_t first; /* in order[] or values[] */
    uint32_t next;
};

struct shape {
    uint32_t first, n; /* its columns, in shape_columns */
    uint32_t row;      /* that has it, packing */
};

struct log_scratch {
    struct buf columns, text, packed;
    struct column *column;
    size_t n_columns, columns_capacity;
    struct shape *shape;
    size_t n_shapes, shapes_capacity;
    uint32_t *shape_columns; /* column of each value of each shape */
    size_t n_shape_columns, shape_columns_capacity;
    uint32_t row_shape[LOG_BLOCK_ROWS_MAX];
    uint32_t *order; /* values of the columns one after the other: number in the batch */
    uint16_t *order_row;
    size_t order_capacity, order_row_capacity;
    uint64_t *numbers;
    size_t numbers_capacity;
    uint32_t *table; /* hash table of distinct things */
    size_t table_capacity;
    struct event_value *values; /* unpacking */
    size_t values_capacity;
    uint64_t column_table[1 << 12]; /* key + 1 << 32 | column */
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

struct log_scratch *log_scratch_new(void)
{
    struct log_scratch *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->columns.max = s->text.max = LOG_BLOCK_BYTES_MAX + PAD;
    s->compress = ZSTD_createCCtx();
    s->decompress = ZSTD_createDCtx();
    if (!s->compress || !s->decompress) {
        log_scratch_free(s);
        return NULL;
    }
    return s;
}

void log_scratch_free(struct log_scratch *s)
{
    if (!s)
        return;
    buf_fini(&s->columns);
    buf_fini(&s->text);
    free(s->column);
    free(s->shape);
    free(s->shape_columns);
    free(s->order);
    free(s->order_row);
    free(s->numbers);
    free(s->table);
    free(s->values);
    ZSTD_freeCCtx(s->compress);
    ZSTD_freeDCtx(s->decompress);
    free(s);
}

/* grow - room for @n items of @size in *@p. Return: 0 or -ENOMEM. */
static int grow(void *p, size_t *capacity, size_t n, size_t size)
{
    if (n <= *capacity)
        return 0;
    size_t wanted = *capacity * 2 > n ? *capacity * 2 : n, bytes;
    if (__builtin_mul_overflow(wanted, size, &bytes))
        return -ENOMEM;
    void *old;
    memcpy(&old, p, sizeof(old));
    void *grown = realloc(old, bytes);
    if (!grown)
        return -ENOMEM;
    memcpy(p, &grown, sizeof(grown));
    *capacity = wanted;
    return 0;
}

/* --- small things ------------------------------------------------------------------------------------ */

static void put_varint(struct buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    buf_add(b, bytes, n);
}

static uint64_t get_varint(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(c);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    c->is_bad = true;
    return 0;
}

/* get_count - a varint that counts things of which each takes at least a byte of what is left, or at most @max. */
static size_t get_count(struct cursor *c, size_t max)
{
    uint64_t n = get_varint(c);
    if (n > max)
        c->is_bad = true;
    return c->is_bad ? 0 : (size_t)n;
}

static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static uint64_t unzigzag(uint64_t z)
{
    return z >> 1 ^ (0 - (z & 1));
}

static unsigned width_of(uint64_t most)
{
    return most ? (71 - (unsigned)__builtin_clzll(most)) / 8 : 0;
}

/* put_array - in the narrower of the two ways. */
static void put_array(struct buf *b, const uint64_t *v, size_t n)
{
    uint64_t min = n ? v[0] : 0, max = min, most = 0;
    for (size_t i = 1; i < n; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
        uint64_t z = zigzag(v[i] - v[i - 1]);
        most = z > most ? z : most;
    }
    unsigned plain = width_of(max - min), delta = width_of(most);
    bool is_delta = delta < plain;
    unsigned width = is_delta ? delta : plain;
    uint64_t base = is_delta ? v[0] : min;
    buf_add_byte(b, (uint8_t)(width | (is_delta ? ARRAY_DELTA : 0)));
    put_varint(b, base);
    uint8_t *to = buf_room(b, n * width + PAD);
    if (!to || !width)
        return;
    for (size_t i = 0; i < n; i++, to += width) {
        uint64_t x = is_delta ? zigzag(v[i] - (i ? v[i - 1] : base)) : v[i] - base;
        memcpy(to, &x, 8); /* what is too much is overwritten by the next */
    }
    b->n += n * width;
}

/* get_array - @n values into @out; PAD bytes behind the cursor's end can be read. */
static void get_array(struct cursor *c, uint64_t *out, size_t n)
{
    uint8_t tag = cursor_u8(c);
    unsigned width = tag & 0xf;
    bool is_delta = tag & ARRAY_DELTA;
    uint64_t base = get_varint(c);
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

static bool is_number(uint8_t type)
{
    return type == EVENT_LONG || type == EVENT_ULONG || type == EVENT_REAL || type == EVENT_BOOL || type == EVENT_DATE;
}

/* signed numbers are kept so that their order is that of unsigned ones */
static uint64_t sign_of(uint8_t type)
{
    return type == EVENT_LONG || type == EVENT_DATE ? UINT64_C(1) << 63 : 0;
}

/* --- packing: shapes and columns ------------------------------------------------------------------------ */

struct packing {
    struct log_scratch *s;
    const struct events *e;
    uint32_t from, n;
};

static uint32_t row_values(const struct events *e, uint32_t row)
{
    return e->value_end[row] - event_from(e, row);
}

static bool same_shape(const struct events *e, uint32_t a, uint32_t b)
{
    uint32_t n = row_values(e, a);
    if (n != row_values(e, b))
        return false;
    const struct event_value *x = e->values + event_from(e, a), *y = e->values + event_from(e, b);
    for (uint32_t i = 0; i < n; i++)
        if (x[i].field != y[i].field || x[i].type != y[i].type)
            return false;
    return true;
}

static uint64_t shape_hash(const struct events *e, uint32_t row)
{
    uint64_t h = row_values(e, row);
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        h = (h ^ ((uint64_t)e->values[i].field << 8 | e->values[i].type)) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* column_number - of (@field, @type), a new one if needed. Return: the number, or UINT32_MAX (no memory). */
static uint32_t column_number(struct log_scratch *s, uint16_t field, uint8_t type)
{
    uint32_t key = (uint32_t)field << 4 | type;
    size_t mask = sizeof(s->column_table) / sizeof(*s->column_table) - 1;
    size_t slot = key * UINT32_C(2654435761) >> 20 & mask;
    uint64_t found = s->column_table[slot];
    if (found >> 32 == (uint64_t)key + 1)
        return (uint32_t)found;
    /* the table is a cache of the last: what is not there may yet be known */
    for (size_t i = 0; i < s->n_columns; i++)
        if (s->column[i].field == field && s->column[i].type == type) {
            s->column_table[slot] = ((uint64_t)key + 1) << 32 | i;
            return (uint32_t)i;
        }
    if (s->n_columns == COLUMNS_MAX || grow(&s->column, &s->columns_capacity, s->n_columns + 1, sizeof(*s->column)))
        return UINT32_MAX;
    s->column[s->n_columns] = (struct column){.field = field, .type = type};
    s->column_table[slot] = ((uint64_t)key + 1) << 32 | s->n_columns;
    return (uint32_t)s->n_columns++;
}

static int add_shape(struct packing *p, uint32_t row)
{
    struct log_scratch *s = p->s;
    uint32_t n = row_values(p->e, row);
    if (grow(&s->shape, &s->shapes_capacity, s->n_shapes + 1, sizeof(*s->shape)) ||
        grow(&s->shape_columns, &s->shape_columns_capacity, s->n_shape_columns + n, sizeof(*s->shape_columns)))
        return -ENOMEM;
    s->shape[s->n_shapes++] = (struct shape){.first = (uint32_t)s->n_shape_columns, .n = n, .row = row};
    for (uint32_t i = event_from(p->e, row); i < p->e->value_end[row]; i++) {
        uint32_t column = column_number(s, p->e->values[i].field, p->e->values[i].type);
        if (column == UINT32_MAX)
            return -ENOMEM;
        s->shape_columns[s->n_shape_columns++] = column;
    }
    return 0;
}

static int table_clear(struct log_scratch *s, size_t n)
{
    int r = grow(&s->table, &s->table_capacity, n, sizeof(*s->table));
    if (!r)
        memset(s->table, 0xff, n * sizeof(*s->table));
    return r;
}

static int find_shapes(struct packing *p)
{
    struct log_scratch *s = p->s;
    enum { SLOTS = 2 * LOG_BLOCK_ROWS_MAX };
    s->n_columns = s->n_shapes = s->n_shape_columns = 0;
    memset(s->column_table, 0, sizeof(s->column_table));
    int r = table_clear(s, SLOTS);
    for (uint32_t i = 0; !r && i < p->n; i++) {
        uint32_t row = p->from + i;
        if (i && same_shape(p->e, s->shape[s->row_shape[i - 1]].row, row)) {
            s->row_shape[i] = s->row_shape[i - 1];
            continue;
        }
        size_t slot = shape_hash(p->e, row) % SLOTS;
        while (s->table[slot] != UINT32_MAX && !same_shape(p->e, s->shape[s->table[slot]].row, row))
            slot = (slot + 1) % SLOTS;
        if (s->table[slot] == UINT32_MAX) {
            s->table[slot] = (uint32_t)s->n_shapes;
            r = add_shape(p, row);
        }
        s->row_shape[i] = s->table[slot];
    }
    return r;
}

/* order_values - column by column, each in order of the rows. */
static int order_values(struct packing *p)
{
    struct log_scratch *s = p->s;
    uint32_t first_value = event_from(p->e, p->from);
    size_t n = p->n ? p->e->value_end[p->from + p->n - 1] - first_value : 0;
    if (grow(&s->order, &s->order_capacity, n, sizeof(*s->order)) ||
        grow(&s->order_row, &s->order_row_capacity, n, sizeof(*s->order_row)) ||
        grow(&s->numbers, &s->numbers_capacity, (n > LOG_BLOCK_ROWS_MAX ? n : LOG_BLOCK_ROWS_MAX) + 1, 2 * sizeof(*s->numbers)))
        return -ENOMEM;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct shape *shape = &s->shape[s->row_shape[i]];
        for (uint32_t k = 0; k < shape->n; k++)
            s->column[s->shape_columns[shape->first + k]].n++;
    }
    uint32_t first = 0;
    for (size_t c = 0; c < s->n_columns; c++) {
        s->column[c].first = s->column[c].next = first;
        first += s->column[c].n;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        const struct shape *shape = &s->shape[s->row_shape[i]];
        uint32_t value = event_from(p->e, p->from + i);
        for (uint32_t k = 0; k < shape->n; k++) {
            uint32_t at = s->column[s->shape_columns[shape->first + k]].next++;
            s->order[at] = value + k;
            s->order_row[at] = (uint16_t)i;
        }
    }
    return 0;
}

/* --- packing: values -------------------------------------------------------------------------------------- */

/*
 * distinct - codes of values in order of first appearance into numbers[]; which values are new into numbers + n.
 * @bytes: their content. Return: how many are distinct, or UINT32_MAX as soon as there are more than @limit.
 */
static uint32_t distinct(struct packing *p, const struct column *c, uint32_t limit)
{
    struct log_scratch *s = p->s;
    size_t slots = 16;
    while (slots < 2 * ((size_t)limit + 1))
        slots *= 2;
    if (table_clear(s, slots))
        return UINT32_MAX;
    uint64_t *codes = s->numbers, *first = s->numbers + c->n;
    const uint8_t *heap = p->e->heap.p;
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct event_value *v = &p->e->values[s->order[c->first + i]];
        size_t bytes = v->type == EVENT_IP ? sizeof(struct ip) : v->n;
        if (i) { /* often the same as before */
            const struct event_value *w = &p->e->values[s->order[c->first + first[codes[i - 1]]]];
            if (w->n == v->n && !memcmp(heap + w->at, heap + v->at, bytes)) {
                codes[i] = codes[i - 1];
                continue;
            }
        }
        size_t slot = XXH3_64bits(heap + v->at, bytes) & (slots - 1);
        for (; s->table[slot] != UINT32_MAX; slot = (slot + 1) & (slots - 1)) {
            const struct event_value *w = &p->e->values[s->order[c->first + first[s->table[slot]]]];
            if (w->n == v->n && !memcmp(heap + w->at, heap + v->at, bytes))
                break;
        }
        if (s->table[slot] == UINT32_MAX) {
            if (n == limit)
                return UINT32_MAX;
            first[n] = i;
            s->table[slot] = n++;
        }
        codes[i] = s->table[slot];
    }
    return n;
}

static void put_ips(struct packing *p, const struct column *c)
{
    struct log_scratch *s = p->s;
    uint32_t n = distinct(p, c, c->n);
    if (n == UINT32_MAX) {
        s->columns.is_bad = true;
        return;
    }
    put_varint(&s->columns, n);
    for (uint32_t i = 0; i < n; i++)
        buf_add(&s->columns, p->e->heap.p + p->e->values[s->order[c->first + s->numbers[c->n + i]]].at, sizeof(struct ip));
    put_array(&s->columns, s->numbers, c->n);
}

static void put_dictionary(struct packing *p, const struct column *c, uint32_t n)
{
    struct log_scratch *s = p->s;
    buf_add_byte(&s->columns, MODE_DICTIONARY);
    put_varint(&s->columns, n);
    uint64_t lengths[NUMBERS_AT_ONCE]; /* arrays of lengths in pieces of that many */
    for (uint32_t from = 0; from < n; from += NUMBERS_AT_ONCE) {
        uint32_t k = n - from < NUMBERS_AT_ONCE ? n - from : NUMBERS_AT_ONCE;
        for (uint32_t i = 0; i < k; i++)
            lengths[i] = p->e->values[s->order[c->first + s->numbers[c->n + from + i]]].n;
        put_array(&s->columns, lengths, k);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct event_value *v = &p->e->values[s->order[c->first + s->numbers[c->n + i]]];
        buf_add(&s->columns, p->e->heap.p + v->at, v->n);
    }
    put_array(&s->columns, s->numbers, c->n);
}

/* slice_of - whether @v lies in the original of @row; its place there. */
static bool slice_of(const struct packing *p, const struct event_value *v, uint32_t row, uint64_t *ret_at)
{
    uint64_t original = p->e->original[p->from + row];
    *ret_at = v->at - original;
    return v->at >= original && v->at + v->n <= original + p->e->original_n[p->from + row];
}

static void put_texts(struct packing *p, const struct column *c)
{
    struct log_scratch *s = p->s;
    uint64_t at;
    bool are_slices = true;
    for (uint32_t i = 0; are_slices && i < c->n; i++)
        are_slices = slice_of(p, &p->e->values[s->order[c->first + i]], s->order_row[c->first + i], &at);
    /* a code costs a byte or two; a slice about as much; own text what it is */
    uint32_t n = distinct(p, c, are_slices ? c->n / 8 + 1 : c->n / 2 + 1);
    if (n != UINT32_MAX) {
        put_dictionary(p, c, n);
        return;
    }
    buf_add_byte(&s->columns, are_slices ? MODE_SLICE : MODE_OWN);
    uint64_t *places = s->numbers, *lengths = s->numbers + c->n;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct event_value *v = &p->e->values[s->order[c->first + i]];
        lengths[i] = v->n;
        if (are_slices)
            slice_of(p, v, s->order_row[c->first + i], &places[i]);
        else
            buf_add(&s->text, p->e->heap.p + v->at, v->n);
    }
    if (are_slices)
        put_array(&s->columns, places, c->n);
    put_array(&s->columns, lengths, c->n);
}

static void put_column(struct packing *p, const struct column *c)
{
    struct log_scratch *s = p->s;
    if (c->type == EVENT_NULL)
        return;
    if (c->type == EVENT_IP) {
        put_ips(p, c);
        return;
    }
    if (!is_number(c->type)) {
        put_texts(p, c);
        return;
    }
    uint64_t sign = sign_of(c->type);
    for (uint32_t i = 0; i < c->n; i++)
        s->numbers[i] = p->e->values[s->order[c->first + i]].unsigned_number ^ sign;
    put_array(&s->columns, s->numbers, c->n);
}

static void put_heads(struct packing *p)
{
    struct log_scratch *s = p->s;
    put_varint(&s->columns, s->n_columns); /* a name per column: zstd sees the repeated ones */
    for (size_t i = 0; i < s->n_columns; i++) {
        struct text name = event_name(p->e->names, s->column[i].field);
        put_varint(&s->columns, name.n);
        buf_add(&s->columns, name.p, name.n);
        buf_add_byte(&s->columns, s->column[i].type);
    }
    put_varint(&s->columns, s->n_shapes);
    for (size_t i = 0; i < s->n_shapes; i++) {
        put_varint(&s->columns, s->shape[i].n);
        for (uint32_t k = 0; k < s->shape[i].n; k++)
            put_varint(&s->columns, s->shape_columns[s->shape[i].first + k]);
    }
}

static void put_rows(struct packing *p)
{
    struct log_scratch *s = p->s;
    uint64_t sign = sign_of(EVENT_DATE);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = s->row_shape[i];
    put_array(&s->columns, s->numbers, p->n);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = (uint64_t)p->e->time_us[p->from + i] ^ sign;
    put_array(&s->columns, s->numbers, p->n);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = (uint64_t)p->e->arrived_us[p->from + i] ^ sign;
    put_array(&s->columns, s->numbers, p->n);
    for (uint32_t i = 0; i < p->n; i++) {
        s->numbers[i] = p->e->original_n[p->from + i];
        buf_add(&s->text, p->e->heap.p + p->e->original[p->from + i], p->e->original_n[p->from + i]);
    }
    put_array(&s->columns, s->numbers, p->n);
}

/* put_part - @from compressed behind @out. Return: its bytes, or 0 (failed; a part is never empty). */
static size_t put_part(struct log_scratch *s, const struct buf *from, int level, struct buf *out)
{
    size_t bound = ZSTD_compressBound(from->n);
    uint8_t *to = buf_room(out, bound);
    size_t n = to ? ZSTD_compressCCtx(s->compress, to, bound, from->p ? from->p : (const uint8_t *)"", from->n, level) : 0;
    if (!to || ZSTD_isError(n) || n > UINT32_MAX)
        return 0;
    out->n += n;
    return n;
}

int log_block_pack(struct log_scratch *s, const struct events *e, uint32_t from, uint32_t n, int level, struct buf *out)
{
    struct packing p = {s, e, from, n};
    size_t begin = out->n;
    buf_clear(&s->columns);
    buf_clear(&s->text);
    int r = find_shapes(&p);
    if (!r)
        r = order_values(&p);
    if (r)
        return r;
    put_heads(&p);
    put_rows(&p);
    for (size_t i = 0; i < s->n_columns; i++)
        put_column(&p, &s->column[i]);
    uint8_t head[LOG_BLOCK_HEAD_BYTES] = {0};
    buf_add(out, head, sizeof(head));
    size_t columns = s->columns.is_bad || s->text.is_bad || out->is_bad ? 0 : put_part(s, &s->columns, level, out);
    size_t text = columns ? put_part(s, &s->text, level, out) : 0;
    if (!text) {
        out->n = begin;
        out->is_bad = false;
        return -ENOMEM;
    }
    uint32_t magic = MAGIC, columns32 = (uint32_t)columns, text32 = (uint32_t)text;
    uint64_t columns_raw = s->columns.n, text_raw = s->text.n;
    uint8_t *h = out->p + begin;
    memcpy(h, &magic, 4);
    memcpy(h + 4, &n, 4);
    memcpy(h + 8, &columns32, 4);
    memcpy(h + 12, &text32, 4);
    memcpy(h + 16, &columns_raw, 8);
    memcpy(h + 24, &text_raw, 8);
    return 0;
}

/* --- unpacking ---------------------------------------------------------------------------------------------- */

int log_block_head(const uint8_t *p, size_t n, struct log_block_head *ret)
{
    if (n < LOG_BLOCK_HEAD_BYTES || load_le32(p) != MAGIC)
        return -EBADMSG;
    *ret = (struct log_block_head){.n_rows = load_le32(p + 4), .columns_bytes = load_le32(p + 8), .text_bytes = load_le32(p + 12),
                                   .columns_unpacked_bytes = load_le64(p + 16), .text_unpacked_bytes = load_le64(p + 24)};
    bool is_whole = (uint64_t)ret->columns_bytes + ret->text_bytes + LOG_BLOCK_HEAD_BYTES == n;
    return ret->n_rows && ret->n_rows <= LOG_BLOCK_ROWS_MAX && is_whole &&
                   ret->columns_unpacked_bytes <= LOG_BLOCK_BYTES_MAX && ret->text_unpacked_bytes <= LOG_BLOCK_BYTES_MAX
               ? 0
               : -EBADMSG;
}

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
};

static int get_heads(struct unpacking *u)
{
    struct log_scratch *s = u->s;
    s->n_columns = s->n_shapes = s->n_shape_columns = 0;
    size_t n = get_count(&u->c, COLUMNS_MAX);
    if (grow(&s->column, &s->columns_capacity, n, sizeof(*s->column)))
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
    if (grow(&s->shape, &s->shapes_capacity, n, sizeof(*s->shape)))
        return -ENOMEM;
    for (size_t i = 0; i < n && !u->c.is_bad; i++) {
        size_t k = get_count(&u->c, EVENT_VALUES_MAX);
        if (grow(&s->shape_columns, &s->shape_columns_capacity, s->n_shape_columns + k, sizeof(*s->shape_columns)))
            return -ENOMEM;
        s->shape[s->n_shapes++] = (struct shape){.first = (uint32_t)s->n_shape_columns, .n = (uint32_t)k};
        while (k--) {
            uint64_t column = get_varint(&u->c);
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
    if (grow(&s->numbers, &s->numbers_capacity, LOG_BLOCK_ROWS_MAX + 1, 2 * sizeof(*s->numbers)))
        return -ENOMEM;
    get_array(&u->c, s->numbers, u->n);
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
    get_array(&u->c, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n; i++)
        e->time_us[e->n + i] = (int64_t)(s->numbers[i] ^ sign);
    get_array(&u->c, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n; i++)
        e->arrived_us[e->n + i] = (int64_t)(s->numbers[i] ^ sign);
    get_array(&u->c, s->numbers, u->n);
    for (uint32_t i = 0; i < u->n && !u->c.is_bad; i++) {
        if (s->numbers[i] > u->text_n - at || s->numbers[i] > EVENT_ORIGINAL_MAX)
            return -EBADMSG;
        e->original[e->n + i] = u->text + at;
        e->original_n[e->n + i] = (uint32_t)s->numbers[i];
        at += s->numbers[i];
    }
    u->own = at;
    *ret_values = (uint32_t)n_values; /* rows times values: below 2^24 */
    return u->c.is_bad ? -EBADMSG : 0;
}

/* get_codes - @n codes below @n_distinct into numbers[]. */
static int get_codes(struct unpacking *u, uint32_t n, size_t n_distinct)
{
    get_array(&u->c, u->s->numbers, n);
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
        get_array(&u->c, lengths, k);
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

static int get_texts(struct unpacking *u, const struct column *c, struct event_value *v)
{
    struct log_scratch *s = u->s;
    uint8_t mode = cursor_u8(&u->c);
    if (mode == MODE_DICTIONARY)
        return get_dictionary(u, c, v);
    if (mode != MODE_SLICE && mode != MODE_OWN)
        return -EBADMSG;
    if (mode == MODE_SLICE) {
        get_array(&u->c, s->numbers, c->n);
        for (uint32_t i = 0; i < c->n; i++) {
            v[i].at = s->numbers[i];
            v[i].reserved = 1; /* place in the original: added and checked when the row is known */
        }
    }
    get_array(&u->c, s->numbers, c->n);
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
    get_array(&u->c, s->numbers, c->n);
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
    if (r)
        return r;
    if (events_room(u->out, n_values) || grow(&s->values, &s->values_capacity, n_values, sizeof(*s->values)) ||
        grow(&s->numbers, &s->numbers_capacity, (size_t)n_values + 1, 2 * sizeof(*s->numbers)))
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

int log_block_unpack(struct log_scratch *s, const uint8_t *p, size_t n, struct events *out)
{
    struct log_block_head h;
    if (log_block_head(p, n, &h))
        return -EBADMSG;
    if (h.n_rows > EVENTS_ROWS - out->n)
        return LOG_BLOCK_NO_ROOM;
    size_t heap = out->heap.n;
    buf_clear(&s->columns);
    uint8_t *columns = buf_room(&s->columns, h.columns_unpacked_bytes + PAD);
    uint8_t *text = buf_room(&out->heap, h.text_unpacked_bytes);
    if (!columns || !text) {
        out->heap.is_bad = false;
        return out->n ? LOG_BLOCK_NO_ROOM : -ENOMEM;
    }
    memset(columns + h.columns_unpacked_bytes, 0, PAD);
    int r = inflate_part(s, p + LOG_BLOCK_HEAD_BYTES, h.columns_bytes, h.columns_unpacked_bytes, columns);
    if (!r)
        r = inflate_part(s, p + LOG_BLOCK_HEAD_BYTES + h.columns_bytes, h.text_bytes, h.text_unpacked_bytes, text);
    if (!r) {
        out->heap.n += h.text_unpacked_bytes;
        struct unpacking u = {.s = s, .out = out, .c = cursor_over(columns, h.columns_unpacked_bytes), .n = h.n_rows,
                              .text = heap, .text_n = h.text_unpacked_bytes};
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
