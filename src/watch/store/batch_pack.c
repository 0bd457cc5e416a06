/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Head, observers, presence, then every column of `columns` in order of ids: length u32 and a packed array. Presence and
 * `columns` are bits by id (format/flow.h).
 * Addresses of family 6 are two arrays, the upper and the lower eight bytes. Texts are bytes as they are.
 *
 * The second form: a longer head; observers with their numbers; the segment's cells of every column but the addresses, in
 * order of ids, presence last; the packed columns; then the late ones in order of ids, each as in the first form.
 */
#include "watch/store/batch_pack.h"

#include "watch/store/pack.h"
#include "watch/store/segment_format.h"

#include <errno.h>
#include <string.h>

#define BATCH_PACK_MAGIC UINT32_C(0x31504256)  /* VBP1 */
#define BATCH_BLOCK_MAGIC UINT32_C(0x32504256) /* VBP2 */
#define UNSET __attribute__((uninitialized))

struct head {
    uint32_t magic, n, n_observers, family;
    uint64_t columns;
};
_Static_assert(sizeof(struct head) == 24, "stored as it is");

struct block_head {
    struct head head;
    uint64_t late; /* ids */
    uint32_t n_packed, reserved;
};
_Static_assert(sizeof(struct block_head) == 40, "stored as it is");

enum { OBSERVER_BYTES = 20, NUMBERED_BYTES = OBSERVER_BYTES + 4 };
#define ADDRESS_COLUMNS ((UINT64_C(1) << FLOW_N_ADDRESSES) - 1)

/* --- packing ----------------------------------------------------------------------- */

/* put_array - a length, then mini-blocks of what @load gives for rows. */
static void end_array(struct buf *out, size_t from)
{
    uint32_t n = (uint32_t)(out->n - from - 4);
    memcpy(out->p + from, &n, 4);
}

static size_t begin_array(struct buf *out)
{
    size_t from = out->n;
    buf_add(out, "\0\0\0\0", 4);
    return from;
}

static void put_array64(struct buf *out, const uint64_t *v, uint32_t n)
{
    size_t from = begin_array(out);
    uint8_t *p = buf_room(out, PACK_ARRAY_MAX_BYTES(n));
    if (!p)
        return;
    out->n += pack_array64_quick(v, n, p);
    end_array(out, from);
}

static void put_array32(struct buf *out, const uint32_t *v, uint32_t n)
{
    size_t from = begin_array(out);
    uint8_t *p = buf_room(out, PACK_ARRAY_MAX_BYTES(n));
    if (!p)
        return;
    out->n += pack_array32_quick(v, n, p);
    end_array(out, from);
}

static void put_number(struct buf *out, const struct flow_batch *b, unsigned k)
{
    unsigned width = flow_columns[FLOW_COLUMN_NUMBER(k)].width;
    const void *v = b->number[k];
    if (width == 8) {
        put_array64(out, v, b->n);
        return;
    }
    if (width == 4) {
        put_array32(out, v, b->n);
        return;
    }
    size_t from = begin_array(out);
    uint8_t *p = buf_room(out, PACK_ARRAY_MAX_BYTES(b->n));
    if (!p)
        return;
    out->n += width == 2 ? pack_array16_quick(v, b->n, p) : pack_array8_quick(v, b->n, p);
    end_array(out, from);
}

static void put_addresses6(struct buf *out, const struct ip *a, uint32_t n)
{
    uint64_t half[FLOW_BATCH_ROWS] UNSET;
    for (unsigned at = 0; at < 16; at += 8) {
        for (uint32_t i = 0; i < n; i++)
            memcpy(&half[i], a[i].b + at, 8);
        for (uint32_t i = 0; i < n; i++)
            half[i] = __builtin_bswap64(half[i]);
        put_array64(out, half, n);
    }
}

static void put_texts(struct buf *out, const struct flow_batch *b)
{
    uint32_t n = (uint32_t)b->text.n;
    put_array32(out, b->text_end, b->n);
    buf_add(out, &n, 4);
    buf_add(out, b->text.p, b->text.n);
}

static void put_observers(struct buf *out, const struct flow_batch *b)
{
    for (uint32_t i = 0; i < b->n_observers; i++) {
        buf_add(out, b->observers[i].ip.b, 16);
        buf_add(out, &b->observers[i].domain, 4);
    }
}

static void put_presence(struct buf *out, const struct flow_batch *b)
{
    uint64_t moved[FLOW_BATCH_ROWS] UNSET;
    for (uint32_t i = 0; flow_columns_moved() && i < b->n; i++)
        moved[i] = flow_columns_store(b->present[i]);
    put_array64(out, flow_columns_moved() ? moved : b->present, b->n);
}

static void put_column(struct buf *out, const struct flow_batch *b, unsigned c)
{
    if (c == FLOW_COLUMN_TEXT)
        put_texts(out, b);
    else if (c >= FLOW_N_ADDRESSES)
        put_number(out, b, c - FLOW_N_ADDRESSES);
    else if (b->family == 4)
        put_array32(out, b->v4[c], b->n);
    else
        put_addresses6(out, b->v6[c], b->n);
}

int batch_pack(const struct flow_batch *b, struct buf *out)
{
    size_t before = out->n;
    struct head h = {BATCH_PACK_MAGIC, b->n, b->n_observers, (uint32_t)b->family, flow_columns_store(b->columns)};
    buf_add(out, &h, sizeof(h));
    put_observers(out, b);
    if (b->n) {
        put_presence(out, b);
        for (uint64_t left = h.columns; left; left &= left - 1)
            put_column(out, b, flow_stored_column((unsigned)__builtin_ctzll(left)));
    }
    if (!out->is_bad)
        return 0;
    out->is_bad = false;
    out->n = before;
    return -ENOMEM;
}

/* n_cells - of a block with the columns of @stored ids. */
static uint32_t n_cells(uint64_t stored)
{
    return (uint32_t)__builtin_popcountll(flow_columns_load(stored) & ~ADDRESS_COLUMNS) + 1;
}

int batch_block_begin(const struct flow_batch *b, struct buf *out)
{
    size_t n = sizeof(struct block_head) + (size_t)b->n_observers * NUMBERED_BYTES +
               n_cells(flow_columns_store(b->columns)) * sizeof(struct segment_cell);
    if (!buf_room(out, n)) {
        out->is_bad = false;
        return -ENOMEM;
    }
    out->n += n;
    return 0;
}

/* put_head - what batch_block_begin left room for. */
static void put_block_head(const struct batch_block *x, uint32_t n_packed, uint8_t *p)
{
    const struct flow_batch *b = x->batch;
    struct block_head h = {.head = {BATCH_BLOCK_MAGIC, b->n, b->n_observers, (uint32_t)b->family, flow_columns_store(b->columns)},
                           .late = flow_columns_store(x->late), .n_packed = n_packed};
    memcpy(p, &h, sizeof(h));
    p += sizeof(h);
    for (uint32_t i = 0; i < b->n_observers; i++, p += NUMBERED_BYTES) {
        memcpy(p, b->observers[i].ip.b, 16);
        memcpy(p + 16, &b->observers[i].domain, 4);
        memcpy(p + OBSERVER_BYTES, &x->observers[i], 4);
    }
    for (uint64_t left = h.head.columns; left; left &= left - 1) {
        unsigned c = flow_stored_column((unsigned)__builtin_ctzll(left));
        if (c < FLOW_N_ADDRESSES)
            continue;
        memcpy(p, &x->cells[c], sizeof(*x->cells));
        p += sizeof(*x->cells);
    }
    memcpy(p, &x->cells[SEGMENT_PRESENCE], sizeof(*x->cells));
}

int batch_block_end(const struct batch_block *x, size_t from, size_t packed, struct buf *out)
{
    put_block_head(x, (uint32_t)(out->n - packed), out->p + from);
    for (uint64_t left = flow_columns_store(x->late); left; left &= left - 1)
        put_column(out, x->batch, flow_stored_column((unsigned)__builtin_ctzll(left)));
    if (!out->is_bad)
        return 0;
    out->is_bad = false;
    out->n = from;
    return -ENOMEM;
}

/* --- unpacking --------------------------------------------------------------------- */

struct reader {
    const uint8_t *p;
    size_t left;
    bool is_bad;
};

static const uint8_t *take(struct reader *r, size_t n)
{
    if (r->is_bad || r->left < n) {
        r->is_bad = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    r->left -= n;
    return p;
}

static uint32_t take_u32(struct reader *r)
{
    uint32_t v = 0;
    const uint8_t *p = take(r, 4);
    if (p)
        memcpy(&v, p, 4);
    return v;
}

static void get_array64(struct reader *r, uint32_t n, uint64_t *out)
{
    uint32_t n_bytes = take_u32(r);
    const uint8_t *p = take(r, n_bytes);
    if (!p || unpack_array64(p, n_bytes, n, out))
        r->is_bad = true;
}

static void get_array32(struct reader *r, uint32_t n, uint32_t *out)
{
    uint32_t n_bytes = take_u32(r);
    const uint8_t *p = take(r, n_bytes);
    if (!p || unpack_array32(p, n_bytes, n, out))
        r->is_bad = true;
}

static void get_number(struct reader *r, struct flow_batch *b, unsigned k)
{
    uint32_t wide[FLOW_BATCH_ROWS] UNSET;
    unsigned width = flow_columns[FLOW_COLUMN_NUMBER(k)].width;
    if (width == 8) {
        get_array64(r, b->n, b->number[k]);
        return;
    }
    get_array32(r, b->n, width == 4 ? b->number[k] : wide);
    if (width == 4 || r->is_bad)
        return;
    for (uint32_t i = 0; i < b->n && width == 2; i++)
        ((uint16_t *)b->number[k])[i] = (uint16_t)wide[i];
    for (uint32_t i = 0; i < b->n && width == 1; i++)
        ((uint8_t *)b->number[k])[i] = (uint8_t)wide[i];
}

static void get_addresses6(struct reader *r, struct ip *a, uint32_t n)
{
    uint64_t half[FLOW_BATCH_ROWS] UNSET;
    for (unsigned at = 0; at < 16; at += 8) {
        get_array64(r, n, half);
        if (r->is_bad)
            return;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t v = __builtin_bswap64(half[i]);
            memcpy(a[i].b + at, &v, 8);
        }
    }
}

static int get_texts(struct reader *r, struct flow_batch *b)
{
    get_array32(r, b->n, b->text_end);
    uint32_t n = take_u32(r), before = 0;
    const uint8_t *p = take(r, n);
    if (!p || n > FLOW_BATCH_TEXT_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->text_end[i] < before)
            return -EBADMSG;
        before = b->text_end[i];
    }
    if (before != n)
        return -EBADMSG;
    buf_add(&b->text, p, n);
    return b->text.is_bad ? -ENOMEM : 0;
}

static void get_observers(struct reader *r, struct flow_batch *b, uint32_t n)
{
    const uint8_t *p = take(r, (size_t)n * OBSERVER_BYTES);
    for (uint32_t i = 0; p && i < n; i++, p += OBSERVER_BYTES) {
        memcpy(b->observers[i].ip.b, p, 16);
        memcpy(&b->observers[i].domain, p + 16, 4);
    }
    b->n_observers = p ? n : 0;
}

static int load_head(const uint8_t *p, size_t n, struct head *h)
{
    if (n < sizeof(*h))
        return -EBADMSG;
    memcpy(h, p, sizeof(*h));
    if ((h->magic != BATCH_PACK_MAGIC && h->magic != BATCH_BLOCK_MAGIC) || h->n > FLOW_BATCH_ROWS ||
        h->n_observers > FLOW_BATCH_OBSERVERS || (h->family != 4 && h->family != 6))
        return -EBADMSG;
    return h->columns & ~flow_stored_known() ? -EPROTO : 0;
}

int batch_pack_head(const uint8_t *p, size_t n, int *ret_family, uint32_t *ret_rows)
{
    struct head h;
    int r = load_head(p, n, &h);
    if (r)
        return r;
    *ret_family = (int)h.family;
    *ret_rows = h.n;
    return 0;
}

/* check_rows - presence inside `columns`, observers inside the table. */
static int check_rows(const struct flow_batch *b)
{
    const uint32_t *observer = b->number[FLOW_OBSERVER];
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->present[i] & ~b->columns)
            return -EBADMSG;
        if ((b->present[i] & FLOW_HAS(FLOW_OBSERVER)) && observer[i] >= b->n_observers)
            return -EBADMSG;
    }
    return 0;
}

/* load_presence - a row that has what this program does not know is as bad as one that has what the batch has not. */
static void load_presence(struct reader *r, struct flow_batch *b)
{
    uint64_t all = 0;
    for (uint32_t i = 0; !r->is_bad && i < b->n; i++)
        all |= b->present[i];
    for (uint32_t i = 0; !r->is_bad && flow_columns_moved() && i < b->n; i++)
        b->present[i] = flow_columns_load(b->present[i]);
    r->is_bad |= (all & ~flow_stored_known()) != 0;
}

static int get_column(struct reader *r, struct flow_batch *b, unsigned c)
{
    if (c == FLOW_COLUMN_TEXT)
        return get_texts(r, b);
    if (c >= FLOW_N_ADDRESSES)
        get_number(r, b, c - FLOW_N_ADDRESSES);
    else if (b->family == 4)
        get_array32(r, b->n, b->v4[c]);
    else
        get_addresses6(r, b->v6[c], b->n);
    return 0;
}

static int get_columns(struct reader *r, struct flow_batch *b)
{
    get_array64(r, b->n, b->present);
    load_presence(r, b);
    for (uint64_t left = flow_columns_store(b->columns); left && !r->is_bad; left &= left - 1) {
        int e = get_column(r, b, flow_stored_column((unsigned)__builtin_ctzll(left)));
        if (e)
            return e;
    }
    return r->is_bad ? -EBADMSG : check_rows(b);
}

/* --- unpacking a block ------------------------------------------------------------- */

/* the parts of the second form */
struct block_parts {
    const uint8_t *observers, *cells, *packed;
    uint32_t n_packed;
};

static struct segment_cell load_cell(const struct block_parts *x, uint32_t k)
{
    struct segment_cell cell;
    memcpy(&cell, x->cells + (size_t)k * sizeof(cell), sizeof(cell));
    return cell;
}

/* bytes_of - where a cell says its bytes lie. */
static struct reader bytes_of(const struct block_parts *x, const struct segment_cell *cell)
{
    uint64_t at = cell->offset_and_kind & ((UINT64_C(1) << 56) - 1);
    bool is_outside = at > x->n_packed || cell->n_bytes > x->n_packed - at;
    return (struct reader){.p = is_outside ? x->packed : x->packed + at, .left = is_outside ? 0 : cell->n_bytes,
                           .is_bad = is_outside};
}

static enum segment_kind kind_of(const struct segment_cell *cell)
{
    uint64_t kind = cell->offset_and_kind >> 56;
    return kind < N_KINDS ? (enum segment_kind)kind : N_KINDS;
}

/* get_wide - @start: where event.start has been read to. */
static int get_wide(const struct block_parts *x, const struct segment_cell *cell, uint64_t sign, const uint64_t *start,
                    uint32_t n, uint64_t *out)
{
    enum segment_kind kind = kind_of(cell);
    struct reader r = bytes_of(x, cell);
    if (kind == KIND_CONSTANT) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = cell->min;
        return 0;
    }
    if ((kind != KIND_PLAIN && (kind != KIND_SINCE_START || !start)) || r.is_bad || unpack_array64(r.p, r.left, n, out))
        return -EBADMSG;
    for (uint32_t i = 0; sign && i < n; i++)
        out[i] ^= sign;
    for (uint32_t i = 0; kind == KIND_SINCE_START && i < n; i++)
        out[i] += start[i];
    return 0;
}

static int get_narrow(const struct block_parts *x, const struct segment_cell *cell, struct flow_batch *b, unsigned k)
{
    uint32_t wide[FLOW_BATCH_ROWS] UNSET;
    enum segment_kind kind = kind_of(cell);
    struct reader r = bytes_of(x, cell);
    if (kind == KIND_CONSTANT)
        for (uint32_t i = 0; i < b->n; i++)
            wide[i] = (uint32_t)cell->min;
    else if (kind != KIND_PLAIN || r.is_bad || unpack_array32(r.p, r.left, b->n, wide))
        return -EBADMSG;
    unsigned width = flow_columns[FLOW_COLUMN_NUMBER(k)].width;
    if (width == 4)
        memcpy(b->number[k], wide, b->n * sizeof(*wide));
    for (uint32_t i = 0; i < b->n && width == 2; i++)
        ((uint16_t *)b->number[k])[i] = (uint16_t)wide[i];
    for (uint32_t i = 0; i < b->n && width == 1; i++)
        ((uint8_t *)b->number[k])[i] = (uint8_t)wide[i];
    return 0;
}

/* number_observers - the batch's own numbers in the place of the segment's, which mostly come in runs. */
static int number_observers(const struct block_parts *x, struct flow_batch *b)
{
    uint32_t *v = b->number[FLOW_OBSERVER], last = 0, last_is = 0;
    bool has_last = false;
    for (uint32_t i = 0; i < b->n; i++) {
        if (!(b->present[i] & FLOW_HAS(FLOW_OBSERVER))) {
            v[i] = 0;
            continue;
        }
        if (!has_last || v[i] != last) {
            uint32_t k = 0, number = 0;
            for (; k < b->n_observers; k++) {
                memcpy(&number, x->observers + (size_t)k * NUMBERED_BYTES + OBSERVER_BYTES, 4);
                if (number == v[i])
                    break;
            }
            if (k == b->n_observers)
                return -EBADMSG;
            last = v[i];
            last_is = k;
            has_last = true;
        }
        v[i] = last_is;
    }
    return 0;
}

/* get_cells - the columns that are packed; the end after the start, to which it may refer. */
static int get_cells(const struct block_parts *x, const struct block_head *h, struct flow_batch *b)
{
    struct segment_cell end = {0};
    uint32_t k = 0;
    uint64_t late = flow_columns_load(h->late);
    bool has_end = false;
    for (uint64_t left = h->head.columns; left; left &= left - 1) {
        unsigned c = flow_stored_column((unsigned)__builtin_ctzll(left));
        if (c < FLOW_N_ADDRESSES)
            continue;
        struct segment_cell cell = load_cell(x, k++);
        int e = 0;
        if (late >> c & 1)
            continue;
        if (c == FLOW_COLUMN_NUMBER(FLOW_END)) {
            end = cell;
            has_end = true;
        } else if (flow_columns[c].width == 8)
            e = get_wide(x, &cell, segment_sign(c), NULL, b->n, b->number[c - FLOW_N_ADDRESSES]);
        else
            e = get_narrow(x, &cell, b, c - FLOW_N_ADDRESSES);
        if (e)
            return e;
    }
    bool has_start = (b->columns & ~late & FLOW_HAS(FLOW_START)) != 0;
    const uint64_t *start = has_start ? b->number[FLOW_START] : NULL;
    return has_end ? get_wide(x, &end, segment_sign(FLOW_COLUMN_NUMBER(FLOW_END)), start, b->n, b->number[FLOW_END]) : 0;
}

static int get_block(const uint8_t *p, size_t n, struct flow_batch *b)
{
    struct block_head h;
    if (n < sizeof(h))
        return -EBADMSG;
    memcpy(&h, p, sizeof(h));
    const uint64_t all = flow_columns_load(h.head.columns), late = flow_columns_load(h.late);
    struct reader r = {.p = p + sizeof(h), .left = n - sizeof(h)};
    if (!b->n || all & FLOW_HAS_TEXT || h.late & ~h.head.columns || (all & ADDRESS_COLUMNS) != (late & ADDRESS_COLUMNS))
        return -EBADMSG;
    struct block_parts x = {.observers = take(&r, (size_t)h.head.n_observers * NUMBERED_BYTES),
                            .cells = take(&r, n_cells(h.head.columns) * sizeof(struct segment_cell)),
                            .packed = take(&r, h.n_packed), .n_packed = h.n_packed};
    if (r.is_bad)
        return -EBADMSG;
    for (; b->n_observers < h.head.n_observers; b->n_observers++) {
        const uint8_t *o = x.observers + (size_t)b->n_observers * NUMBERED_BYTES;
        memcpy(b->observers[b->n_observers].ip.b, o, 16);
        memcpy(&b->observers[b->n_observers].domain, o + 16, 4);
    }
    struct segment_cell presence = load_cell(&x, n_cells(h.head.columns) - 1);
    if (get_wide(&x, &presence, 0, NULL, b->n, b->present))
        return -EBADMSG;
    load_presence(&r, b);
    for (uint64_t left = h.late; left && !r.is_bad; left &= left - 1)
        (void)get_column(&r, b, flow_stored_column((unsigned)__builtin_ctzll(left))); /* no texts: always 0 */
    if (r.is_bad || r.left || get_cells(&x, &h, b))
        return -EBADMSG;
    if (all & ~late & FLOW_HAS(FLOW_OBSERVER) && number_observers(&x, b))
        return -EBADMSG;
    return check_rows(b);
}

static int get_batch(const uint8_t *p, size_t n, const struct head *h, struct flow_batch *b)
{
    struct reader r = {.p = p + sizeof(*h), .left = n - sizeof(*h)};
    get_observers(&r, b, h->n_observers);
    int e = h->n ? get_columns(&r, b) : 0;
    return e ? e : r.is_bad || r.left ? -EBADMSG : 0;
}

int batch_unpack(const uint8_t *p, size_t n, struct flow_batch *out)
{
    struct head h;
    flow_batch_clear(out);
    int e = load_head(p, n, &h);
    if (e)
        return e;
    if ((int)h.family != out->family)
        return -EBADMSG;
    out->n = h.n;
    out->columns = flow_columns_load(h.columns);
    e = h.magic == BATCH_BLOCK_MAGIC ? get_block(p, n, out) : get_batch(p, n, &h, out);
    if (e)
        flow_batch_clear(out);
    return e;
}
