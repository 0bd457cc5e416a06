/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows wait in a batch of their own until a block is full; a batch that is a whole block is taken as it is.
 */
#include "watch/store/segment_build.h"

#include "watch/store/segment_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* carve - @n bytes of the scratch area, a cache line apart from its neighbours. */
static void *carve(uint8_t **at, size_t n)
{
    void *p = *at;
    *at += (n + 127) / 64 * 64;
    return p;
}

static int make_scratch(struct segment_builder *b)
{
    b->scratch = memory_large(PLACES_MAX * sizeof(*b->numbers) + SEGMENT_BLOCK_ROWS * sizeof(*b->numbers64) + 256);
    if (!b->scratch)
        return -ENOMEM;
    uint8_t *at = b->scratch;
    b->numbers = carve(&at, PLACES_MAX * sizeof(*b->numbers));
    b->numbers64 = carve(&at, SEGMENT_BLOCK_ROWS * sizeof(*b->numbers64));
    return 0;
}

static void destroy(struct segment_builder *b);

/* Spare builders of full size: what they have beside the memory of blocks, which all share anyway. */
enum { N_SPARES = 2 };
static struct segment_builder *_Atomic spares[N_SPARES];

static struct segment_builder *take_spare(int family, uint32_t max_rows)
{
    for (unsigned i = 0; i < N_SPARES; i++) {
        struct segment_builder *b = atomic_exchange(&spares[i], NULL);
        if (b && b->family == family && b->max_rows == max_rows)
            return b;
        destroy(b);
    }
    return NULL;
}

static bool keep_as_spare(struct segment_builder *b)
{
    if (b->max_rows < SEGMENT_ROWS)
        return false;
    for (unsigned i = 0; i < N_SPARES; i++) {
        struct segment_builder *none = NULL;
        if (atomic_compare_exchange_strong(&spares[i], &none, b))
            return true;
    }
    return false;
}

/* --- what writing needs -------------------------------------------------------------------- */

static struct segment_finish *_Atomic spare_finish;

static void free_finish(struct segment_finish *x)
{
    if (!x)
        return;
    buf_fini(&x->out);
    page_writer_fini(&x->body);
    segment_index_fini(&x->index);
    free(x);
}

int segment_finish_take(struct segment_builder *b)
{
    if (!b->finish && b->max_rows == SEGMENT_ROWS)
        b->finish = atomic_exchange(&spare_finish, NULL);
    if (!b->finish)
        b->finish = calloc(1, sizeof(*b->finish));
    if (!b->finish)
        return -ENOMEM;
    segment_index_clear(&b->finish->index);
    buf_clear(&b->finish->out);
    b->finish->out.max = (size_t)1 << 33;
    return 0;
}

void segment_finish_give(struct segment_builder *b)
{
    struct segment_finish *none = NULL, *x = b->finish;
    b->finish = NULL;
    if (x && (b->max_rows < SEGMENT_ROWS || !atomic_compare_exchange_strong(&spare_finish, &none, x)))
        free_finish(x);
}

void segment_builder_trim(void)
{
    free_finish(atomic_exchange(&spare_finish, NULL));
    for (unsigned i = 0; i < N_SPARES; i++)
        destroy(atomic_exchange(&spares[i], NULL));
    block_memory_trim();
}

void segment_builder_give(struct segment_builder *b, uint32_t k)
{
    block_memory_give(b->blocks[k].packed);
    block_memory_give(b->blocks[k].places.records);
    b->blocks[k].packed = NULL;
    b->blocks[k].places.records = NULL;
}

static void give_all(struct segment_builder *b)
{
    for (uint32_t k = 0; b->blocks && k < b->n_blocks; k++)
        segment_builder_give(b, k);
    block_memory_fini(&b->memory);
}

/* begin - as new, but for the memory it has. */
static void begin(struct segment_builder *b)
{
    b->n_rows = b->n_blocks = b->n_observers = 0;
    b->columns = 0;
    b->event_min_us = b->arrived_min_us = INT64_MAX;
    b->event_max_us = b->arrived_max_us = INT64_MIN;
    flow_batch_clear(b->pending);
    b->packed_bytes = 0;
    b->waiting.is = false;
    b->journal_fd = -1;
    buf_clear(&b->packed);
    block_records_clear(&b->records);
}

struct segment_builder *segment_builder_new(int family, uint32_t max_rows)
{
    if (max_rows < 1 || max_rows > SEGMENT_ROWS)
        max_rows = SEGMENT_ROWS;
    struct segment_builder *b = max_rows == SEGMENT_ROWS ? take_spare(family, max_rows) : NULL;
    if (b) {
        begin(b);
        return b;
    }
    b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->family = family;
    b->max_rows = max_rows;
    b->packed.max = PACKED_MAX * 2;
    b->texts.max = FLOW_BATCH_TEXT_MAX * 3;
    block_records_init(&b->records, family, max_rows);
    b->pending = flow_batch_new(family);
    b->blocks = calloc((max_rows + SEGMENT_BLOCK_ROWS - 1) / SEGMENT_BLOCK_ROWS, sizeof(*b->blocks));
    if (!b->pending || !b->blocks || make_scratch(b)) {
        destroy(b);
        return NULL;
    }
    begin(b);
    return b;
}

static void destroy(struct segment_builder *b)
{
    if (!b)
        return;
    give_all(b);
    flow_batch_free(b->pending);
    free(b->blocks);
    free(b->scratch);
    free(b->observers);
    block_records_fini(&b->records);
    buf_fini(&b->packed);
    buf_fini(&b->texts);
    segment_finish_give(b);
    free(b);
}

void segment_builder_free(struct segment_builder *b)
{
    if (!b)
        return;
    give_all(b);
    b->n_blocks = 0;
    if (!keep_as_spare(b))
        destroy(b);
}

uint32_t segment_builder_rows(const struct segment_builder *b)
{
    return b->n_rows + b->pending->n;
}

/* --- adding ---------------------------------------------------------------------------------------- */

static int find_observer(struct segment_builder *b, const struct flow_observer *o, uint32_t *ret)
{
    for (uint32_t i = b->n_observers; i-- > 0;)
        if (b->observers[i].domain == o->domain && ip_equal(&b->observers[i].ip, &o->ip)) {
            *ret = i;
            return 0;
        }
    if (b->n_observers == SEGMENT_OBSERVERS_MAX)
        return SEGMENT_FULL;
    if (b->n_observers == b->observers_capacity) {
        uint32_t capacity = b->observers_capacity ? b->observers_capacity * 2 : 64;
        void *p = realloc(b->observers, capacity * sizeof(*b->observers));
        if (!p)
            return -ENOMEM;
        b->observers = p;
        b->observers_capacity = capacity;
    }
    b->observers[b->n_observers] = *o;
    *ret = b->n_observers++;
    return 0;
}

static size_t width_of(const struct segment_builder *b, unsigned c)
{
    return c < FLOW_N_ADDRESSES ? (b->family == 4 ? 4 : 16) : flow_columns[c].width;
}

static uint8_t *column_of(const struct flow_batch *x, unsigned c)
{
    if (c < FLOW_N_ADDRESSES)
        return x->family == 4 ? (uint8_t *)x->v4[c] : (uint8_t *)x->v6[c];
    return x->number[c - FLOW_N_ADDRESSES];
}

/* texts_fitting - how many of @n rows from @from have texts that fit the open block. */
static uint32_t texts_fitting(const struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t n)
{
    if (!(x->columns & FLOW_HAS_TEXT))
        return n;
    size_t begin = from ? x->text_end[from - 1] : 0, room = FLOW_BATCH_TEXT_MAX - b->pending->text.n;
    while (n && x->text_end[from + n - 1] - begin > room)
        n--;
    return n;
}

static int copy_texts(struct flow_batch *to, const struct flow_batch *x, uint32_t from, uint32_t n)
{
    uint32_t end = (uint32_t)to->text.n;
    if (!(x->columns & FLOW_HAS_TEXT)) {
        for (uint32_t i = 0; i < n; i++)
            to->text_end[to->n + i] = end;
        return 0;
    }
    uint32_t begin = from ? x->text_end[from - 1] : 0;
    if (x->text_end[from + n - 1] > begin)
        buf_add(&to->text, x->text.p + begin, x->text_end[from + n - 1] - begin);
    if (to->text.is_bad) {
        to->text.is_bad = false;
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++)
        to->text_end[to->n + i] = x->text_end[from + i] - begin + end;
    return 0;
}

/* copy_rows - to the open block; a column new to it is zero in the rows before. */
static int copy_rows(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t n,
                     const uint32_t *observer)
{
    struct flow_batch *to = b->pending;
    uint64_t all = x->columns | to->columns;
    if (all & FLOW_HAS_TEXT) {
        if (!(to->columns & FLOW_HAS_TEXT))
            memset(to->text_end, 0, to->n * sizeof(*to->text_end));
        int r = copy_texts(to, x, from, n);
        if (r)
            return r;
    }
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++) {
        if (!(all >> c & 1))
            continue;
        size_t width = width_of(b, c);
        if (!(to->columns >> c & 1))
            memset(column_of(to, c), 0, to->n * width);
        if (!(x->columns >> c & 1))
            memset(column_of(to, c) + to->n * width, 0, n * width);
        else if (c == FLOW_COLUMN_NUMBER(FLOW_OBSERVER))
            memcpy(column_of(to, c) + to->n * width, observer + from, n * width);
        else
            memcpy(column_of(to, c) + to->n * width, column_of(x, c) + from * width, n * width);
    }
    memcpy(to->present + to->n, x->present + from, n * sizeof(*to->present));
    to->columns = all;
    to->n += n;
    return 0;
}

bool segment_builder_map(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t n, uint32_t *mapped,
                         uint32_t *out)
{
    const uint32_t *v = (const uint32_t *)x->number[FLOW_OBSERVER] + from;
    uint32_t known = b->n_observers, most = 0;
    uint64_t all = FLOW_HAS(FLOW_OBSERVER);
    if (x->n_observers > FEW_OBSERVERS)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        all &= x->present[from + i];
        most = v[i] > most ? v[i] : most;
    }
    bool is = all && most < x->n_observers;
    for (uint32_t i = 0; is && i < x->n_observers; i++)
        is = !find_observer(b, &x->observers[i], &mapped[i]);
    if (!is)
        b->n_observers = known;
    for (uint32_t i = 0; is && i < n; i++)
        out[from + i] = mapped[v[i]];
    return is;
}

/* map_observers - the batch's numbers as the segment's, for all rows from @from; may cut *@n short of a full table. */
static int map_observers(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t *n,
                         uint32_t *out)
{
    const uint32_t *v = x->number[FLOW_OBSERVER];
    uint32_t mapped[FLOW_BATCH_OBSERVERS] __attribute__((uninitialized));
    if (segment_builder_map(b, x, from, *n, mapped, out))
        return 0;
    memset(mapped, 0xff, x->n_observers * sizeof(*mapped));
    for (uint32_t i = from; i < from + *n; i++) {
        if (!(x->present[i] & FLOW_HAS(FLOW_OBSERVER)) || v[i] >= x->n_observers) {
            out[i] = 0;
            continue;
        }
        if (mapped[v[i]] == UINT32_MAX) {
            int r = find_observer(b, &x->observers[v[i]], &mapped[v[i]]);
            if (r) {
                *n = i - from;
                return r;
            }
        }
        out[i] = mapped[v[i]];
    }
    return 0;
}

/* take - up to a block's worth of rows. @ret_n: rows taken. */
static int take(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t *ret_n)
{
    uint32_t observer[SEGMENT_BLOCK_ROWS] __attribute__((uninitialized));
    uint32_t n = x->n - from, room = b->max_rows - segment_builder_rows(b);
    int full = 0;
    *ret_n = 0;
    n = n < room ? n : room;
    n = n < SEGMENT_BLOCK_ROWS - b->pending->n ? n : SEGMENT_BLOCK_ROWS - b->pending->n;
    uint32_t fitting = texts_fitting(b, x, from, n);
    if (fitting < n)
        full = SEGMENT_FULL;
    n = fitting;
    if (x->columns & FLOW_HAS(FLOW_OBSERVER)) {
        int r = map_observers(b, x, from, &n, observer);
        if (r < 0)
            return r;
        full |= r;
    }
    int r = 0;
    if (n == SEGMENT_BLOCK_ROWS)
        r = segment_builder_close(b, x, observer);
    else if (n)
        r = copy_rows(b, x, from, n, observer);
    if (r)
        return r;
    *ret_n = n;
    return full;
}

int segment_builder_add(struct segment_builder *b, const struct flow_batch *batch, uint32_t from, uint32_t *ret_taken)
{
    *ret_taken = 0;
    segment_builder_forget(b);
    while (from < batch->n) {
        uint32_t n;
        if (segment_builder_rows(b) == b->max_rows || b->packed_bytes > PACKED_MAX)
            return SEGMENT_FULL;
        int r = take(b, batch, from, &n);
        if (r < 0)
            return r;
        *ret_taken += n;
        from += n;
        if (b->pending->n == SEGMENT_BLOCK_ROWS) {
            int e = segment_builder_flush(b);
            if (e)
                return e;
        }
        if (r == SEGMENT_FULL)
            return r;
    }
    return segment_builder_rows(b) == b->max_rows || b->packed_bytes > PACKED_MAX ? SEGMENT_FULL : 0;
}
