/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows to bytes. The format stands in log_block_inside.h.
 */
#include "watch/store/log_block_inside.h"

#include "watch/store/terms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

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
    log_lines_fini(&s->lines);
    free(s->column);
    free(s->shape);
    free(s->shape_columns);
    free(s->order);
    free(s->order_row);
    free(s->known);
    free(s->keys);
    free(s->numbers);
    free(s->table);
    free(s->values);
    ZSTD_freeCCtx(s->compress);
    ZSTD_freeDCtx(s->decompress);
    free(s);
}

int log_grow(void *p, size_t *capacity, size_t n, size_t size)
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

/* --- small things -------------------------------------------------------------------------------------- */

static unsigned width_of(uint64_t most)
{
    return most ? (71 - (unsigned)__builtin_clzll(most)) / 8 : 0;
}

void log_put_array(struct buf *b, const uint64_t *v, size_t n)
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
    varint_put(b, base);
    uint8_t *to = buf_room(b, n * width + PAD);
    if (!to || !width)
        return;
    for (size_t i = 0; i < n; i++, to += width) {
        uint64_t x = is_delta ? zigzag(v[i] - (i ? v[i - 1] : base)) : v[i] - base;
        memcpy(to, &x, 8); /* what is too much is overwritten by the next */
    }
    b->n += n * width;
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
    if (s->n_columns == COLUMNS_MAX || log_grow(&s->column, &s->columns_capacity, s->n_columns + 1, sizeof(*s->column)))
        return UINT32_MAX;
    s->column[s->n_columns] = (struct column){.field = field, .type = type};
    s->column_table[slot] = ((uint64_t)key + 1) << 32 | s->n_columns;
    return (uint32_t)s->n_columns++;
}

static int add_shape(struct packing *p, uint32_t row)
{
    struct log_scratch *s = p->s;
    uint32_t n = row_values(p->e, row);
    if (log_grow(&s->shape, &s->shapes_capacity, s->n_shapes + 1, sizeof(*s->shape)) ||
        log_grow(&s->shape_columns, &s->shape_columns_capacity, s->n_shape_columns + n, sizeof(*s->shape_columns)))
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
    int r = log_grow(&s->table, &s->table_capacity, n, sizeof(*s->table));
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
    if (log_grow(&s->order, &s->order_capacity, n, sizeof(*s->order)) ||
        log_grow(&s->order_row, &s->order_row_capacity, n, sizeof(*s->order_row)) ||
        log_grow(&s->numbers, &s->numbers_capacity, (n > LOG_BLOCK_ROWS_MAX ? n : LOG_BLOCK_ROWS_MAX) + 1, 2 * sizeof(*s->numbers)))
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

/* key_of - a value of @n bytes: up to 16 by themselves (the first and the last eight), longer ones by their hash. */
static struct value_key key_of(const struct buf *heap, uint64_t at, uint32_t n)
{
    struct value_key k = {.n = n};
    uint8_t copy[8] = {0};
    const uint8_t *p = heap->p + at;
    if (n > 16) {
        k.first = XXH3_64bits(p, n);
        return k;
    }
    if (n < 8 && heap->capacity - at < 8)
        p = n ? memcpy(copy, p, n) : copy;
    k.first = n >= 8 ? load_le64(p) : n ? load_le64(p) << (64 - 8 * n) : 0;
    k.last = n > 8 ? load_le64(p + n - 8) : 0;
    return k;
}

/* key_slot - @seed: whoever sends values cannot make them alike. */
static size_t key_slot(const struct value_key *k, uint64_t seed)
{
    uint64_t x = (k->first ^ k->n ^ seed) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32 ^ k->last) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(x ^ x >> 32);
}

/* is_value - whether @v is the value that the key @w stands for, whose bytes lie at @at. */
static bool is_value(const struct value_key *k, const struct value_key *w, const uint8_t *heap, uint64_t k_at, uint64_t at)
{
    return k->first == w->first && k->last == w->last && k->n == w->n && (k->n <= 16 || !memcmp(heap + k_at, heap + at, k->n));
}

/*
 * distinct - codes of values in order of first appearance into numbers[]; which values are new into numbers + n.
 * Return: how many are distinct, or UINT32_MAX as soon as there are more than @limit (or memory is out: the columns are bad then).
 */
static uint32_t distinct(struct packing *p, const struct column *c, uint32_t limit)
{
    struct log_scratch *s = p->s;
    size_t slots = 16;
    while (slots < 2 * ((size_t)limit + 1))
        slots *= 2;
    if (table_clear(s, slots) || log_grow(&s->keys, &s->keys_capacity, (size_t)limit + 1, sizeof(*s->keys))) {
        s->columns.is_bad = true;
        return UINT32_MAX;
    }
    uint64_t *codes = s->numbers, *first = s->numbers + c->n;
    const uint8_t *heap = p->e->heap.p;
    uint32_t n = 0, code = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct event_value *v = &p->e->values[s->order[c->first + i]];
        struct value_key k = key_of(&p->e->heap, v->at, v->type == EVENT_IP ? (uint32_t)sizeof(struct ip) : v->n);
        if (i && is_value(&k, &s->keys[code], heap, v->at, p->e->values[s->order[c->first + first[code]]].at)) {
            codes[i] = code; /* often the same as before */
            continue;
        }
        size_t slot = key_slot(&k, s->lines.seed) & (slots - 1);
        for (; s->table[slot] != UINT32_MAX; slot = (slot + 1) & (slots - 1)) {
            code = s->table[slot];
            if (is_value(&k, &s->keys[code], heap, v->at, p->e->values[s->order[c->first + first[code]]].at))
                break;
        }
        if (s->table[slot] == UINT32_MAX) {
            if (n == limit)
                return UINT32_MAX;
            first[n] = i;
            s->keys[n] = k;
            s->table[slot] = code = n++;
        }
        codes[i] = code;
    }
    return n;
}

/* keep_known - the distinct values, for who indexes them. Return: 0 or -ENOMEM. */
static int keep_known(struct packing *p, struct column *c, uint32_t n)
{
    struct log_scratch *s = p->s;
    if (log_grow(&s->known, &s->known_capacity, s->n_known + n, sizeof(*s->known)))
        return -ENOMEM;
    c->are_known = true;
    c->known = (uint32_t)s->n_known;
    c->n_known = n;
    for (uint32_t i = 0; i < n; i++)
        s->known[s->n_known++] = s->order[c->first + s->numbers[c->n + i]];
    return 0;
}

static void put_ips(struct packing *p, struct column *c)
{
    struct log_scratch *s = p->s;
    uint32_t n = distinct(p, c, c->n);
    if (n == UINT32_MAX || keep_known(p, c, n)) {
        s->columns.is_bad = true;
        return;
    }
    varint_put(&s->columns, n);
    for (uint32_t i = 0; i < n; i++)
        buf_add(&s->columns, p->e->heap.p + p->e->values[s->order[c->first + s->numbers[c->n + i]]].at, sizeof(struct ip));
    log_put_array(&s->columns, s->numbers, c->n);
}

static void put_dictionary(struct packing *p, const struct column *c, uint32_t n)
{
    struct log_scratch *s = p->s;
    buf_add_byte(&s->columns, MODE_DICTIONARY);
    varint_put(&s->columns, n);
    uint64_t lengths[NUMBERS_AT_ONCE]; /* arrays of lengths in pieces of that many */
    for (uint32_t from = 0; from < n; from += NUMBERS_AT_ONCE) {
        uint32_t k = n - from < NUMBERS_AT_ONCE ? n - from : NUMBERS_AT_ONCE;
        for (uint32_t i = 0; i < k; i++)
            lengths[i] = p->e->values[s->order[c->first + s->numbers[c->n + from + i]]].n;
        log_put_array(&s->columns, lengths, k);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct event_value *v = &p->e->values[s->order[c->first + s->numbers[c->n + i]]];
        buf_add(&s->columns, p->e->heap.p + v->at, v->n);
    }
    log_put_array(&s->columns, s->numbers, c->n);
}

/* slice_of - whether @v lies in the original of @row; its place there. */
static bool slice_of(const struct packing *p, const struct event_value *v, uint32_t row, uint64_t *ret_at)
{
    uint64_t original = p->e->original[p->from + row];
    *ret_at = v->at - original;
    return v->at >= original && v->at + v->n <= original + p->e->original_n[p->from + row];
}

/* put_slices_known - a dictionary of which every text lies in the original of the row that has it first. */
static void put_slices_known(struct packing *p, const struct column *c, uint32_t n)
{
    struct log_scratch *s = p->s;
    const uint64_t *first = s->numbers + c->n;
    uint64_t rows[NUMBERS_AT_ONCE], places[NUMBERS_AT_ONCE], lengths[NUMBERS_AT_ONCE];
    buf_add_byte(&s->columns, MODE_SLICES_KNOWN);
    varint_put(&s->columns, n);
    for (uint32_t from = 0; from < n; from += NUMBERS_AT_ONCE) {
        uint32_t k = n - from < NUMBERS_AT_ONCE ? n - from : NUMBERS_AT_ONCE;
        for (uint32_t i = 0; i < k; i++) {
            uint32_t at = c->first + (uint32_t)first[from + i];
            const struct event_value *v = &p->e->values[s->order[at]];
            rows[i] = s->order_row[at];
            lengths[i] = v->n;
            slice_of(p, v, s->order_row[at], &places[i]);
        }
        log_put_array(&s->columns, rows, k);
        log_put_array(&s->columns, places, k);
        log_put_array(&s->columns, lengths, k);
    }
    log_put_array(&s->columns, s->numbers, c->n);
}

static void put_texts(struct packing *p, struct column *c)
{
    struct log_scratch *s = p->s;
    uint64_t at;
    bool are_slices = true;
    for (uint32_t i = 0; are_slices && i < c->n; i++)
        are_slices = slice_of(p, &p->e->values[s->order[c->first + i]], s->order_row[c->first + i], &at);
    /* a code costs a byte or two; a slice about as much; own text what it is */
    uint32_t n = distinct(p, c, are_slices ? c->n / 8 + 1 : c->n / 2 + 1);
    if (n != UINT32_MAX) {
        s->columns.is_bad |= keep_known(p, c, n) != 0;
        if (are_slices)
            put_slices_known(p, c, n);
        else
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
        log_put_array(&s->columns, places, c->n);
    log_put_array(&s->columns, lengths, c->n);
}

static void put_column(struct packing *p, struct column *c)
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
    log_put_array(&s->columns, s->numbers, c->n);
}

static void put_heads(struct packing *p)
{
    struct log_scratch *s = p->s;
    varint_put(&s->columns, s->n_columns); /* a name per column: zstd sees the repeated ones */
    for (size_t i = 0; i < s->n_columns; i++) {
        struct text name = event_name(p->e->names, s->column[i].field);
        varint_put(&s->columns, name.n);
        buf_add(&s->columns, name.p, name.n);
        buf_add_byte(&s->columns, s->column[i].type);
    }
    varint_put(&s->columns, s->n_shapes);
    for (size_t i = 0; i < s->n_shapes; i++) {
        varint_put(&s->columns, s->shape[i].n);
        for (uint32_t k = 0; k < s->shape[i].n; k++)
            varint_put(&s->columns, s->shape_columns[s->shape[i].first + k]);
    }
}

static void put_rows(struct packing *p)
{
    struct log_scratch *s = p->s;
    uint64_t sign = sign_of(EVENT_DATE);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = s->row_shape[i];
    log_put_array(&s->columns, s->numbers, p->n);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = (uint64_t)p->e->time_us[p->from + i] ^ sign;
    log_put_array(&s->columns, s->numbers, p->n);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = (uint64_t)p->e->arrived_us[p->from + i] ^ sign;
    log_put_array(&s->columns, s->numbers, p->n);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = p->e->original_n[p->from + i];
    log_put_array(&s->columns, s->numbers, p->n);
}

/* put_lines - the originals, into the text part. Return: 0 or -ENOMEM. */
static int put_lines(struct packing *p)
{
    struct log_scratch *s = p->s;
    int r = log_lines_split(&s->lines, p->e, p->from, p->n);
    s->is_plain = r == LOG_LINES_PLAIN;
    if (r < 0)
        return r;
    varint_put(&s->text, s->is_plain ? 0 : s->lines.n_templates);
    for (uint32_t i = 0; s->is_plain && i < p->n; i++)
        buf_add(&s->text, p->e->heap.p + p->e->original[p->from + i], p->e->original_n[p->from + i]);
    if (s->is_plain)
        return 0;
    for (size_t i = 0; i < s->lines.n_templates; i++)
        s->numbers[i] = (uint64_t)s->lines.templates[i].n * 2 + s->lines.templates[i].is_literal;
    log_put_array(&s->text, s->numbers, s->lines.n_templates);
    buf_add(&s->text, s->lines.texts.p, s->lines.texts.n);
    for (uint32_t i = 0; i < p->n; i++)
        s->numbers[i] = s->lines.row_template[i];
    log_put_array(&s->text, s->numbers, p->n);
    log_lines_put_variables(&s->lines, p->e, &s->text);
    return 0;
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
    s->n_known = 0;
    int r = find_shapes(&p);
    if (!r)
        r = order_values(&p);
    if (!r)
        r = put_lines(&p);
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

int log_block_words(const struct log_scratch *s, const struct events *e, uint32_t from, uint32_t n, struct terms_builder *terms,
                    uint32_t block)
{
    const struct log_lines *l = &s->lines;
    int r = 0;
    if (!s->is_plain) {
        r = terms_add_words(terms, (struct text){(const char *)l->texts.p, l->texts.n}, block);
        if (!r)
            r = terms_add_words(terms, (struct text){(const char *)s->text.p + l->variables_at, l->variables_n}, block);
    }
    for (uint32_t i = 0; !r && i < n; i++)
        if (s->is_plain || l->is_odd[i])
            r = terms_add_text(terms, event_original(e, from + i), block);
    return r;
}

bool log_block_column(const struct log_scratch *s, size_t i, struct log_block_column *ret)
{
    if (i >= s->n_columns)
        return false;
    const struct column *c = &s->column[i];
    *ret = (struct log_block_column){.field = c->field, .type = c->type, .n = c->are_known ? c->n_known : c->n,
                                     .values = c->are_known ? s->known + c->known : s->order + c->first,
                                     .rows = c->are_known ? NULL : s->order_row + c->first};
    return true;
}
