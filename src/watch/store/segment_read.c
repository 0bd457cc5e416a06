/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of a block, whole or one value; rows; texts; a block as a batch.
 */
#include "base/cursor.h"
#include "watch/store/pack.h"
#include "watch/store/segment_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define UNSET __attribute__((uninitialized))

_Static_assert(SEGMENT_CODES <= PACK_KEYS, "codes are looked for as keys");

/* --- columns told by the address ------------------------------------------------------------ */

struct exceptions {
    uint32_t n;
    const uint8_t *rows, *values;
};

static int load_exceptions(const struct segment_column *x, uint32_t n_rows, struct exceptions *ret)
{
    if (x->n_bytes < 4)
        return -EBADMSG;
    ret->n = load_le32(x->p);
    if (ret->n > n_rows || x->n_bytes != 4 + (size_t)ret->n * EXCEPTION_BYTES)
        return -EBADMSG;
    ret->rows = x->p + 4;
    ret->values = ret->rows + (size_t)ret->n * 2;
    return 0;
}

/* attributes_of - the values of all entries, made once. */
static const uint32_t *attributes_of(const struct segment *cs, enum segment_section section)
{
    struct segment *s = (struct segment *)(uintptr_t)cs; /* only its atomic caches change */
    uint32_t *_Atomic *slot = section == SECTION_AS ? &s->as : &s->masks;
    uint32_t *v = atomic_load(slot), *none = NULL;
    if (v)
        return v;
    const struct segment_place *at = &s->header.sections[section];
    const uint8_t *p = sealed_get(&s->index, at->offset, at->n_bytes);
    v = malloc(((size_t)s->info.n_entries + PACK_VALUES) * sizeof(*v));
    if (!p || !v || unpack_array32(p, at->n_bytes, s->info.n_entries, v)) {
        free(v);
        return NULL;
    }
    if (atomic_compare_exchange_strong(slot, &none, v))
        return v;
    free(v);
    return none;
}

static int read_by_address(const struct segment *s, uint32_t block, unsigned column, const struct segment_column *x,
                           uint32_t *out)
{
    struct exceptions e;
    uint32_t n = segment_block_rows(s, block);
    int by = segment_by_address(column);
    if (by < 0 || load_exceptions(x, n, &e) || segment_read32(s, block, (unsigned)by, out))
        return -EBADMSG;
    const uint32_t *values = attributes_of(s, segment_attribute(column));
    if (!values)
        return -EBADMSG;
    for (uint32_t i = 0; i < n; i++)
        out[i] = out[i] < s->info.n_entries ? values[out[i]] : 0;
    for (uint32_t i = 0; i < e.n; i++) {
        uint16_t row = load_le16(e.rows + (size_t)i * 2);
        if (row >= n)
            return -EBADMSG;
        out[row] = load_le32(e.values + (size_t)i * 4);
    }
    return 0;
}

static int get_by_address(const struct segment *s, uint32_t block, unsigned column, uint32_t row,
                          const struct segment_column *x, uint64_t *ret)
{
    struct exceptions e;
    int by = segment_by_address(column);
    if (by < 0 || load_exceptions(x, segment_block_rows(s, block), &e))
        return -EBADMSG;
    uint32_t from = 0, to = e.n;
    while (from < to) {
        uint32_t mid = (from + to) / 2;
        if (load_le16(e.rows + (size_t)mid * 2) < row)
            from = mid + 1;
        else
            to = mid;
    }
    if (from < e.n && load_le16(e.rows + (size_t)from * 2) == row) {
        *ret = load_le32(e.values + (size_t)from * 4);
        return 0;
    }
    uint64_t code;
    if (segment_get(s, block, (unsigned)by, row, &code))
        return -EBADMSG;
    *ret = 0;
    if (code >= s->info.n_entries)
        return 0;
    const struct segment_place *at = &s->header.sections[segment_attribute(column)];
    const uint8_t *p = sealed_get(&s->index, at->offset, at->n_bytes);
    return p ? unpack_array_get(p, at->n_bytes, s->info.n_entries, (uint32_t)code, ret) : -EBADMSG;
}

/* --- whole columns ---------------------------------------------------------------------------- */

/* limit_of - values above are damage that would lead readers astray. */
static uint64_t limit_of(const struct segment *s, unsigned column)
{
    if (column < FLOW_N_ADDRESSES)
        return s->info.n_entries;
    if (column == FLOW_COLUMN_NUMBER(FLOW_OBSERVER))
        return s->header.n_observers ? s->header.n_observers - 1 : 0;
    return flow_columns[column].width == 1 ? UINT8_MAX : flow_columns[column].width == 2 ? UINT16_MAX : UINT32_MAX;
}

static int read32_kind(const struct segment *s, uint32_t block, unsigned column, const struct segment_column *x,
                       uint32_t *out)
{
    uint32_t n = segment_block_rows(s, block), v = 0;
    switch (x->kind) {
    case KIND_ABSENT:
        v = column < FLOW_N_ADDRESSES ? s->info.n_entries : 0;
        break;
    case KIND_CONSTANT:
        v = (uint32_t)x->min;
        break;
    case KIND_PLAIN: return unpack_array32(x->p, x->n_bytes, n, out);
    case KIND_BY_ADDRESS: return read_by_address(s, block, column, x, out);
    case KIND_SINCE_START:
    case KIND_TEXTS:
    case N_KINDS:
    default: return -EBADMSG;
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] = v;
    return 0;
}

int segment_read32(const struct segment *s, uint32_t block, unsigned column, uint32_t *out)
{
    struct segment_column x;
    uint8_t scratch[SEGMENT_CELL_BYTES] UNSET;
    if (column >= FLOW_COLUMN_TEXT || (column >= FLOW_N_ADDRESSES && flow_columns[column].width > 4))
        return -EINVAL;
    if (segment_column_read(s, block, column, scratch, &x) || read32_kind(s, block, column, &x, out))
        return -EBADMSG;
    uint32_t least, most;
    pack_bounds32(out, segment_block_rows(s, block), &least, &most);
    return most <= limit_of(s, column) ? 0 : -EBADMSG;
}

int segment_mark_codes(const struct segment *s, uint32_t block, unsigned column, const uint32_t *codes, uint32_t n_codes,
                       uint64_t *bits)
{
    struct segment_column x;
    uint32_t n = segment_block_rows(s, block);
    if (column >= FLOW_N_ADDRESSES || n_codes > SEGMENT_CODES)
        return -EINVAL;
    if (segment_column(s, block, column, &x)) /* two columns side by side: here copying was measured to be no gain */
        return -EBADMSG;
    if (x.kind == KIND_PLAIN)
        return pack_array_mark(x.p, x.n_bytes, n, codes, n_codes, bits);
    if (x.kind != KIND_CONSTANT && x.kind != KIND_ABSENT)
        return -EBADMSG;
    bool is = false;
    for (uint32_t k = 0; k < n_codes && x.kind == KIND_CONSTANT; k++)
        is = is || codes[k] == x.min;
    memset(bits, 0, SEGMENT_BLOCK_ROWS / 8);
    for (uint32_t i = 0; is && i < n; i++)
        bits[i / 64] |= UINT64_C(1) << i % 64;
    return 0;
}

static int read_since_start(const struct segment *s, uint32_t block, const struct segment_column *x, uint64_t *out)
{
    uint64_t since[SEGMENT_BLOCK_ROWS] UNSET;
    uint32_t n = segment_block_rows(s, block);
    if (unpack_array64(x->p, x->n_bytes, n, since) ||
        segment_read64(s, block, FLOW_COLUMN_NUMBER(FLOW_START), out))
        return -EBADMSG;
    for (uint32_t i = 0; i < n; i++)
        out[i] += since[i] ^ UINT64_C(1) << 63;
    return 0;
}

static int read_wide(const struct segment *s, uint32_t block, unsigned column, uint64_t *out)
{
    struct segment_column x;
    uint8_t scratch[SEGMENT_CELL_BYTES] UNSET;
    uint32_t n = segment_block_rows(s, block);
    if (segment_column_read(s, block, column, scratch, &x))
        return -EBADMSG;
    uint64_t sign = segment_sign(column);
    switch (x.kind) {
    case KIND_ABSENT:
    case KIND_CONSTANT:
        for (uint32_t i = 0; i < n; i++)
            out[i] = x.kind == KIND_CONSTANT ? x.min : 0;
        return 0;
    case KIND_PLAIN:
        if (unpack_array64(x.p, x.n_bytes, n, out))
            return -EBADMSG;
        for (uint32_t i = 0; sign && i < n; i++)
            out[i] ^= sign;
        return 0;
    case KIND_SINCE_START:
        return column == FLOW_COLUMN_NUMBER(FLOW_END) ? read_since_start(s, block, &x, out) : -EBADMSG;
    case KIND_BY_ADDRESS:
    case KIND_TEXTS:
    case N_KINDS:
    default: return -EBADMSG;
    }
}

int segment_read64(const struct segment *s, uint32_t block, unsigned column, uint64_t *out)
{
    if (column >= FLOW_COLUMN_TEXT)
        return -EINVAL;
    if (column >= FLOW_N_ADDRESSES && flow_columns[column].width == 8)
        return read_wide(s, block, column, out);
    uint32_t narrow[SEGMENT_BLOCK_ROWS] UNSET;
    int r = segment_read32(s, block, column, narrow);
    for (uint32_t i = 0; !r && i < segment_block_rows(s, block); i++)
        out[i] = narrow[i];
    return r;
}

int segment_read_narrow(const struct segment *s, uint32_t block, unsigned column, uint32_t *out)
{
    struct segment_column x;
    uint8_t scratch[SEGMENT_CELL_BYTES] UNSET;
    if (column >= FLOW_COLUMN_TEXT || column < FLOW_N_ADDRESSES || flow_columns[column].width != 8 || segment_is_signed(column))
        return -EINVAL;
    if (segment_column_read(s, block, column, scratch, &x))
        return -EBADMSG;
    if (x.kind != KIND_ABSENT && x.max > UINT32_MAX)
        return -ERANGE;
    return x.kind == KIND_BY_ADDRESS ? -EBADMSG : read32_kind(s, block, column, &x, out);
}

int segment_present(const struct segment *s, uint32_t block, uint64_t *out)
{
    uint32_t n = segment_block_rows(s, block);
    if (read_wide(s, block, SEGMENT_PRESENCE, out))
        return -EBADMSG;
    uint64_t all = 0;
    for (uint32_t i = 0; i < n; i++)
        all |= out[i];
    for (uint32_t i = 0; flow_columns_moved() && i < n; i++)
        out[i] = flow_columns_load(out[i]);
    return all & ~s->header.columns ? -EBADMSG : 0;
}

/* --- one value ---------------------------------------------------------------------------------- */

static int get_any(const struct segment *s, uint32_t block, unsigned column, uint32_t row, uint64_t *ret)
{
    struct segment_column x;
    uint32_t n = segment_block_rows(s, block);
    uint64_t start, sign = segment_sign(column);
    if (row >= n || segment_column(s, block, column, &x))
        return -EBADMSG;
    switch (x.kind) {
    case KIND_ABSENT:
        *ret = column < FLOW_N_ADDRESSES ? s->info.n_entries : 0;
        return 0;
    case KIND_CONSTANT:
        *ret = x.min;
        return 0;
    case KIND_PLAIN:
        if (unpack_array_get(x.p, x.n_bytes, n, row, ret))
            return -EBADMSG;
        *ret ^= sign;
        return 0;
    case KIND_SINCE_START:
        if (column != FLOW_COLUMN_NUMBER(FLOW_END) || unpack_array_get(x.p, x.n_bytes, n, row, ret) ||
            get_any(s, block, FLOW_COLUMN_NUMBER(FLOW_START), row, &start)) /* once: start is never of this kind */
            return -EBADMSG;
        *ret = start + (*ret ^ sign);
        return 0;
    case KIND_BY_ADDRESS: return get_by_address(s, block, column, row, &x, ret);
    case KIND_TEXTS:
    case N_KINDS:
    default: return -EBADMSG;
    }
}

int segment_get(const struct segment *s, uint32_t block, unsigned column, uint32_t row, uint64_t *ret)
{
    if (column >= FLOW_COLUMN_TEXT)
        return -EINVAL;
    uint64_t v;
    if (get_any(s, block, column, row, &v))
        return -EBADMSG;
    if ((column < FLOW_N_ADDRESSES || flow_columns[column].width < 8) && v > limit_of(s, column))
        return -EBADMSG;
    *ret = v;
    return 0;
}

/* copy_of - the column in memory of @c, or NULL where it is not to be copied or cannot be. */
static const struct segment_copy *copy_of(struct segment_copies *c, const struct segment *s, uint32_t block, unsigned column)
{
    struct segment_copy *to = &c->of[column];
    struct segment_column x;
    if (to->is_made && c->segment == s && to->block == block)
        return to;
    if (!to->p)
        to->p = malloc(SEGMENT_CELL_BYTES);
    to->is_made = false;
    if (!to->p || segment_column_read(s, block, column, to->p, &x) || x.p != to->p)
        return NULL;
    *to = (struct segment_copy){.p = to->p, .n_bytes = x.n_bytes, .block = block, .kind = x.kind, .is_made = true};
    return to;
}

int segment_copies_get(struct segment_copies *c, const struct segment *s, uint32_t block, unsigned column, uint32_t row,
                       uint64_t *ret)
{
    uint64_t v, start = 0, sign = segment_sign(column);
    if (column >= FLOW_COLUMN_TEXT)
        return -EINVAL;
    if (c->segment != s)
        for (unsigned i = 0; i < FLOW_COLUMN_TEXT; i++)
            c->of[i].is_made = false;
    c->segment = s;
    const struct segment_copy *from = copy_of(c, s, block, column);
    bool is_since_start = from && from->kind == KIND_SINCE_START && column == FLOW_COLUMN_NUMBER(FLOW_END);
    if (!from || (from->kind != KIND_PLAIN && !is_since_start))
        return segment_get(s, block, column, row, ret);
    if (unpack_array_get(from->p, from->n_bytes, segment_block_rows(s, block), row, &v))
        return -EBADMSG;
    if (is_since_start && segment_copies_get(c, s, block, FLOW_COLUMN_NUMBER(FLOW_START), row, &start))
        return -EBADMSG;
    v = start + (v ^ sign);
    if ((column < FLOW_N_ADDRESSES || flow_columns[column].width < 8) && v > limit_of(s, column))
        return -EBADMSG;
    *ret = v;
    return 0;
}

void segment_copies_fini(struct segment_copies *c)
{
    for (unsigned i = 0; i < FLOW_COLUMN_TEXT; i++)
        free(c->of[i].p);
    *c = (struct segment_copies){0};
}

int segment_present_get(const struct segment *s, uint32_t block, uint32_t row, uint64_t *ret)
{
    if (get_any(s, block, SEGMENT_PRESENCE, row, ret) || *ret & ~s->header.columns)
        return -EBADMSG;
    *ret = flow_columns_load(*ret);
    return 0;
}

/* --- texts ---------------------------------------------------------------------------------------- */

struct segment_texts {
    uint32_t n_rows;
    size_t n_bytes;      /* of texts */
    const uint8_t *ends; /* u32 per row */
    const char *texts;
    uint8_t raw[];
};

#define TEXTS_RAW_MAX (SEGMENT_BLOCK_ROWS * 4 + FLOW_BATCH_TEXT_MAX)

static int check_ends(const struct segment_texts *t)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < t->n_rows; i++) {
        uint32_t end = load_le32(t->ends + (size_t)i * 4);
        if (end < before || end > t->n_bytes)
            return -EBADMSG;
        before = end;
    }
    return before == t->n_bytes ? 0 : -EBADMSG;
}

int segment_texts_open(const struct segment *s, uint32_t block, struct segment_texts **ret)
{
    struct segment_column x;
    uint32_t n = segment_block_rows(s, block), raw = 0;
    if (segment_column(s, block, FLOW_COLUMN_TEXT, &x))
        return -EBADMSG;
    if (x.kind == KIND_TEXTS && x.n_bytes > 4)
        raw = load_le32(x.p);
    else if (x.kind != KIND_ABSENT)
        return -EBADMSG;
    if (x.kind == KIND_TEXTS && (raw > TEXTS_RAW_MAX || raw < n * 4))
        return -EBADMSG;
    struct segment_texts *t = malloc(sizeof(*t) + raw);
    if (!t)
        return -ENOMEM;
    *t = (struct segment_texts){.n_rows = raw ? n : 0};
    if (raw) {
        size_t got = ZSTD_decompress(t->raw, raw, x.p + 4, x.n_bytes - 4);
        t->ends = t->raw;
        t->texts = (const char *)t->raw + (size_t)n * 4;
        t->n_bytes = raw - (size_t)n * 4;
        if (ZSTD_isError(got) || got != raw || check_ends(t)) {
            free(t);
            return -EBADMSG;
        }
    }
    *ret = t;
    return 0;
}

struct text segment_texts_get(const struct segment_texts *t, uint32_t row)
{
    if (row >= t->n_rows)
        return (struct text){NULL, 0};
    uint32_t from = row ? load_le32(t->ends + ((size_t)row - 1) * 4) : 0, to = load_le32(t->ends + (size_t)row * 4);
    return (struct text){t->texts + from, to - from};
}

void segment_texts_close(struct segment_texts *t)
{
    free(t);
}

/* --- rows ------------------------------------------------------------------------------------------- */

/*
 * fetch_row - a row lies in as many places as it has columns, none of them in the cache: ask for all before
 * waiting for any. First the directory, then the mini-blocks' tables, then what the tables point to.
 */
static void fetch_row(const struct segment *s, uint32_t block, uint32_t row)
{
    const uint8_t *directory = s->p + s->header.index_offset + s->header.sections[SECTION_DIRECTORY].offset;
    const uint8_t *column[FLOW_N_COLUMNS + 1] UNSET;
    size_t end = s->header.index_offset;
    uint32_t n = 0, n_blocks = s->info.n_blocks, mini = row / PACK_VALUES;
    for (uint32_t c = 0; c < s->header.n_columns; c++)
        __builtin_prefetch(directory + ((size_t)c * n_blocks + block) * sizeof(struct segment_cell));
    for (uint32_t c = 0; c < s->header.n_columns; c++) {
        struct segment_cell cell;
        memcpy(&cell, directory + ((size_t)c * n_blocks + block) * sizeof(cell), sizeof(cell));
        uint64_t at = cell.offset_and_kind & ((UINT64_C(1) << 56) - 1);
        if (cell.n_bytes < (mini + 1) * 4 || at > end || cell.n_bytes > end - at)
            continue; /* constant, or damaged: not the place to say so */
        column[n++] = s->p + at;
        __builtin_prefetch(s->p + at);
    }
    uint32_t n_minis = (segment_block_rows(s, block) + PACK_VALUES - 1) / PACK_VALUES;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = mini ? load_le32(column[i] + (mini - 1) * 4) : 0, to = load_le32(column[i] + mini * 4);
        const uint8_t *p = column[i] + n_minis * 4 + from;
        __builtin_prefetch(p);
        if (to - from > 64) /* where the bits of the row are about */
            __builtin_prefetch(p + (uint64_t)(to - from) * (row % PACK_VALUES) / PACK_VALUES);
    }
}

static int get_address(const struct segment *s, uint32_t block, unsigned c, uint32_t row, struct ip *ret)
{
    uint64_t code;
    if (segment_get(s, block, c, row, &code) || dictionary_at(&s->dictionary, code, ret))
        return -EBADMSG;
    return 0;
}

int segment_flow(const struct segment *s, uint32_t block, uint32_t row, const struct segment_texts *t,
                 struct flow *ret)
{
    uint64_t v;
    memset(ret, 0, sizeof(*ret));
    if (row >= segment_block_rows(s, block))
        return -EBADMSG;
    fetch_row(s, block, row);
    if (segment_present_get(s, block, row, &ret->present))
        return -EBADMSG;
#define X(ID, member, ecs, alias)                                           \
    if ((ret->present & FLOW_HAS_ADDRESS(FLOW_##ID)) &&                      \
        get_address(s, block, FLOW_##ID, row, &ret->member))                \
        return -EBADMSG;
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias)                                     \
    if (ret->present & FLOW_HAS(FLOW_##ID)) {                               \
        if (segment_get(s, block, FLOW_COLUMN_NUMBER(FLOW_##ID), row, &v))  \
            return -EBADMSG;                                                \
        ret->member = (type)v;                                              \
    }
    FLOW_NUMBERS(X)
#undef X
    if (t && (ret->present & FLOW_HAS_TEXT))
        ret->texts = segment_texts_get(t, row);
    return 0;
}

/* --- a block as a batch ------------------------------------------------------------------------------- */

static int fill_addresses(const struct segment *cs, uint32_t b, unsigned c, struct flow_batch *out)
{
    struct segment *s = (struct segment *)(uintptr_t)cs; /* only its atomic caches change */
    uint32_t codes[SEGMENT_BLOCK_ROWS] UNSET;
    if (segment_read32(s, b, c, codes))
        return -EBADMSG;
    const uint32_t *v4 = s->info.family == 4 ? segment_all4(s) : NULL;
    const struct ip *v6 = s->info.family == 6 ? segment_all6(s) : NULL;
    if (!v4 && !v6)
        return -EBADMSG;
    for (uint32_t i = 0; i < out->n; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): out->n rows were read, as segment_block_rows tells */
        bool is = codes[i] < s->info.n_entries;
        if (v4)
            out->v4[c][i] = is ? v4[codes[i]] : 0;
        else
            out->v6[c][i] = is ? v6[codes[i]] : (struct ip){{0}};
    }
    return 0;
}

static int fill_number(const struct segment *s, uint32_t b, unsigned c, struct flow_batch *out)
{
    uint32_t narrow[SEGMENT_BLOCK_ROWS] UNSET;
    void *to = out->number[c - FLOW_N_ADDRESSES];
    unsigned width = flow_columns[c].width;
    if (width == 8)
        return segment_read64(s, b, c, to);
    if (segment_read32(s, b, c, width == 4 ? to : narrow))
        return -EBADMSG;
    for (uint32_t i = 0; width == 2 && i < out->n; i++)
        ((uint16_t *)to)[i] = (uint16_t)narrow[i];
    for (uint32_t i = 0; width == 1 && i < out->n; i++)
        ((uint8_t *)to)[i] = (uint8_t)narrow[i];
    return 0;
}

/* fill_observers - only those of the block, numbered anew in order of appearance. */
static int fill_observers(const struct segment *s, struct flow_batch *out)
{
    uint32_t *v = out->number[FLOW_OBSERVER];
    uint32_t *number = malloc((s->header.n_observers + 1) * sizeof(*number));
    if (!number)
        return -ENOMEM;
    memset(number, 0xff, (s->header.n_observers + 1) * sizeof(*number));
    for (uint32_t i = 0; i < out->n; i++) {
        if (!(out->present[i] & FLOW_HAS(FLOW_OBSERVER)) || v[i] >= s->header.n_observers) {
            v[i] = 0;
            continue;
        }
        if (number[v[i]] == UINT32_MAX) { /* never more than rows: the table of a batch has room */
            number[v[i]] = out->n_observers;
            out->observers[out->n_observers++] = s->observers[v[i]];
        }
        v[i] = number[v[i]];
    }
    free(number);
    return 0;
}

static int fill_texts(const struct segment *s, uint32_t b, struct flow_batch *out)
{
    struct segment_texts *t;
    int r = segment_texts_open(s, b, &t);
    if (r)
        return r;
    if (t->n_bytes)
        buf_add(&out->text, t->texts, t->n_bytes);
    for (uint32_t i = 0; i < out->n; i++)
        out->text_end[i] = t->n_rows ? load_le32(t->ends + (size_t)i * 4) : 0;
    segment_texts_close(t);
    return out->text.is_bad ? -ENOMEM : 0;
}

/* block_columns - those that some row of the block has. */
static uint64_t block_columns(const struct segment *s, uint32_t b)
{
    uint64_t columns = 0;
    for (unsigned c = 0; c < FLOW_N_COLUMNS; c++) {
        struct segment_bounds x;
        segment_bounds(s, b, c, &x);
        if (!x.is_absent)
            columns |= UINT64_C(1) << c;
    }
    return columns;
}

int segment_to_batch(const struct segment *s, uint32_t b, struct flow_batch *out)
{
    flow_batch_clear(out);
    if (out->family != s->info.family || b >= s->info.n_blocks)
        return -EINVAL;
    int r = segment_present(s, b, out->present);
    out->n = segment_block_rows(s, b);
    out->columns = block_columns(s, b);
    for (unsigned c = 0; !r && c < FLOW_N_COLUMNS; c++) {
        if (!(out->columns >> c & 1))
            continue;
        if (c == FLOW_COLUMN_TEXT)
            r = fill_texts(s, b, out);
        else
            r = c < FLOW_N_ADDRESSES ? fill_addresses(s, b, c, out) : fill_number(s, b, c, out);
    }
    if (!r && (out->columns & FLOW_HAS(FLOW_OBSERVER)))
        r = fill_observers(s, out);
    if (r)
        flow_batch_clear(out);
    return r;
}
