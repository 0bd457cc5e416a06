/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting: a radix sort of row numbers by begin, then by the halves of the address, byte by byte from the least; bytes in
 * which all rows agree are passed over, so IPv4 rows of a day take about eight passes. Rows alike in both are few.
 */
#include "watch/lease/builder.h"

#include "base/clock.h"
#include "watch/lease/segment_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sort_item {
    uint64_t key;
    uint32_t row;
};

struct lease_builder {
    struct lease *rows;
    struct sort_item *items, *other;
    uint32_t n, room;
    struct texts texts;
    struct lease_hours hours;
};

/* --- hours -------------------------------------------------------------------------------------------- */

enum { HOURS_FIRST = 4096 };

int lease_hours_init(struct lease_hours *h)
{
    *h = (struct lease_hours){.n_slots = HOURS_FIRST};
    h->slots = calloc(h->n_slots, sizeof(*h->slots));
    return h->slots ? 0 : -ENOMEM;
}

void lease_hours_fini(struct lease_hours *h)
{
    free(h->slots);
    *h = (struct lease_hours){0};
}

static struct lease_hour *hour_slot(const struct lease_hours *h, uint32_t gateway, uint32_t hour)
{
    uint64_t x = ((uint64_t)gateway << 32 | hour) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(x >> 32) & (h->n_slots - 1);
    while (h->slots[at].n && (h->slots[at].gateway != gateway || h->slots[at].hour != hour))
        at = (at + 1) & (h->n_slots - 1);
    return &h->slots[at];
}

static bool grow_hours(struct lease_hours *h)
{
    struct lease_hours more = {.n_slots = h->n_slots * 2, .n = h->n, .n_lost = h->n_lost};
    if (h->n >= LEASE_HOURS_MAX)
        return false;
    more.slots = calloc(more.n_slots, sizeof(*more.slots));
    if (!more.slots)
        return false;
    for (uint32_t i = 0; i < h->n_slots; i++)
        if (h->slots[i].n)
            *hour_slot(&more, h->slots[i].gateway, h->slots[i].hour) = h->slots[i];
    free(h->slots);
    *h = more;
    return true;
}

void lease_hours_add(struct lease_hours *h, uint32_t gateway, uint32_t hour, uint32_t n)
{
    struct lease_hour *slot = hour_slot(h, gateway, hour);
    if (!slot->n && h->n >= h->n_slots / 2) {
        if (!grow_hours(h)) {
            h->n_lost += n;
            return;
        }
        slot = hour_slot(h, gateway, hour);
    }
    h->n += !slot->n;
    uint32_t sum = slot->n + n;
    *slot = (struct lease_hour){.gateway = gateway, .hour = hour, .n = sum < n ? UINT32_MAX : sum};
}

void lease_hours_heard(struct lease_hours *h, const struct lease *l)
{
    const int64_t hour_us = 3600 * US_PER_SECOND;
    if (l->kind == LEASE_CLOCK)
        return;
    if (l->from_us != LEASE_UNKNOWN)
        lease_hours_add(h, l->gateway, (uint32_t)(l->from_us / hour_us), 1);
    if (l->to_us != LEASE_UNKNOWN && !(l->flags & LEASE_TO_PLANNED))
        lease_hours_add(h, l->gateway, (uint32_t)(l->to_us / hour_us), 1);
}

static int compare_hours(const void *a, const void *b)
{
    const struct lease_hour *x = a, *y = b;
    if (x->gateway != y->gateway)
        return x->gateway < y->gateway ? -1 : 1;
    return x->hour < y->hour ? -1 : x->hour > y->hour;
}

uint32_t lease_hours_sort(struct lease_hours *h)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->n_slots; i++)
        if (h->slots[i].n)
            h->slots[n++] = h->slots[i];
    qsort(h->slots, n, sizeof(*h->slots), compare_hours);
    return n;
}

/* --- rows ------------------------------------------------------------------------------------------------ */

struct lease_builder *lease_builder_new(uint32_t max_rows)
{
    struct lease_builder *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->room = max_rows ? max_rows : LEASE_BUILD_ROWS;
    b->rows = malloc(b->room * sizeof(*b->rows));
    b->items = malloc(b->room * sizeof(*b->items));
    b->other = malloc(b->room * sizeof(*b->other));
    if (!b->rows || !b->items || !b->other || texts_init(&b->texts) || lease_hours_init(&b->hours)) {
        lease_builder_free(b);
        return NULL;
    }
    return b;
}

void lease_builder_free(struct lease_builder *b)
{
    if (!b)
        return;
    free(b->rows);
    free(b->items);
    free(b->other);
    texts_fini(&b->texts);
    lease_hours_fini(&b->hours);
    free(b);
}

uint32_t lease_builder_n(const struct lease_builder *b)
{
    return b->n;
}

int lease_builder_text(struct lease_builder *b, struct text x, uint32_t *ret)
{
    return texts_number(&b->texts, x, ret);
}

int lease_builder_add(struct lease_builder *b, const struct lease *l)
{
    if (b->n == b->room)
        return LEASE_FULL;
    if (!lease_is_sane(l))
        return -EINVAL;
    b->rows[b->n++] = *l;
    lease_hours_heard(&b->hours, l);
    return 0;
}

/* sort_by - stable, by the keys the items bear now. */
static void sort_by(struct lease_builder *b)
{
    static _Thread_local uint32_t counts[8][256];
    memset(counts, 0, sizeof(counts));
    for (uint32_t i = 0; i < b->n; i++)
        for (unsigned byte = 0; byte < 8; byte++)
            counts[byte][b->items[i].key >> (8 * byte) & 255]++;
    for (unsigned byte = 0; byte < 8; byte++) {
        uint32_t *c = counts[byte], at = 0;
        if (c[b->items[0].key >> (8 * byte) & 255] == b->n)
            continue; /* all the same */
        for (unsigned v = 0; v < 256; v++) {
            uint32_t n = c[v];
            c[v] = at;
            at += n;
        }
        for (uint32_t i = 0; i < b->n; i++)
            b->other[c[b->items[i].key >> (8 * byte) & 255]++] = b->items[i];
        struct sort_item *swap = b->items;
        b->items = b->other;
        b->other = swap;
    }
}

static int compare_rows(const void *a, const void *b, void *rows)
{
    const struct lease *all = rows;
    return lease_compare(&all[((const struct sort_item *)a)->row], &all[((const struct sort_item *)b)->row]);
}

static bool is_alike(const struct lease *a, const struct lease *b)
{
    return lease_begin_us(a) == lease_begin_us(b) && ip_equal(&a->outside, &b->outside);
}

static void sort_rows(struct lease_builder *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        b->items[i] = (struct sort_item){(uint64_t)lease_begin_us(&b->rows[i]), i};
    sort_by(b);
    for (uint32_t i = 0; i < b->n; i++)
        b->items[i].key = lease_ip_low(&b->rows[b->items[i].row].outside);
    sort_by(b);
    for (uint32_t i = 0; i < b->n; i++)
        b->items[i].key = lease_ip_high(&b->rows[b->items[i].row].outside);
    sort_by(b);
    for (uint32_t i = 0, end; i < b->n; i = end) {
        for (end = i + 1; end < b->n && is_alike(&b->rows[b->items[i].row], &b->rows[b->items[end].row]); end++)
            ;
        if (end - i > 1)
            qsort_r(b->items + i, end - i, sizeof(*b->items), compare_rows, b->rows);
    }
}

static void forget(struct lease_builder *b)
{
    b->n = 0;
    texts_clear(&b->texts);
    memset(b->hours.slots, 0, b->hours.n_slots * sizeof(*b->hours.slots));
    b->hours.n = 0;
}

static int write_sorted(struct lease_builder *b, struct lease_writer *w, struct lease_segment_info *ret, uint64_t *ret_n_doubled,
                        struct fault *f)
{
    int r = 0;
    if (b->n)
        sort_rows(b);
    for (uint32_t i = 0; !r && i < b->n; i++)
        r = lease_writer_add(w, &b->rows[b->items[i].row]);
    uint32_t n_hours = lease_hours_sort(&b->hours);
    r = lease_writer_close(w, &b->texts, b->hours.slots, n_hours, ret, ret_n_doubled, f);
    forget(b);
    return r;
}

int lease_builder_write(struct lease_builder *b, int dir_fd, const char *name, uint64_t id, struct lease_segment_info *ret,
                        uint64_t *ret_n_doubled, struct fault *f)
{
    struct lease_writer *w;
    int r = lease_writer_open(dir_fd, name, id, &w, f);
    return r ? r : write_sorted(b, w, ret, ret_n_doubled, f);
}

int lease_builder_write_fd(struct lease_builder *b, int fd, const char *name, uint64_t id, struct lease_segment_info *ret, struct fault *f)
{
    struct lease_writer *w;
    uint64_t n_doubled;
    int r = lease_writer_open_fd(fd, name, id, &w, f);
    return r ? r : write_sorted(b, w, ret, &n_doubled, f);
}
