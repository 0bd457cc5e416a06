/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the store share: folders, random rows, and the plain model (a sorted array of row
 * fingerprints) that every way through the store must equal.
 */
#pragma once

#include "base/clock.h"
#include "help_dir.h"
#include "watch/flow_batch.h"
#include "watch/store/store.h"
#include "watch/store/segment.h"

#include <dirent.h>
#include <xxhash.h>

/* --- rows -------------------------------------------------------------------------------- */

/* help_address - few enough that addresses repeat, spread enough that dictionaries have gaps. */
__attribute__((unused)) static struct ip help_address(int family, uint64_t *state)
{
    uint64_t r = help_random(state);
    if (family == 4 || r % 4 == 0)
        return ip_from_v4((uint32_t)(0x0a000000 + (r >> 8) % 500 * 257));
    uint8_t b[16] = {0x20, 0x01, 0x0d, 0xb8, (uint8_t)(r >> 16), 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(r >> 8 & 3),
                     (uint8_t)(r >> 40)};
    return ip_from_v6(b);
}

/* help_row - @serial makes the row unique; @texts: room that must outlive the row */
__attribute__((unused)) static void help_row(struct flow *f, int family, uint64_t serial, uint64_t *state,
                                             struct buf *texts)
{
    memset(f, 0, sizeof(*f));
    f->source_ip = help_address(family, state);
    f->destination_ip = help_address(family, state);
    f->start_us = INT64_C(1700000000000000) + (int64_t)(help_random(state) % 3600000000);
    f->end_us = f->start_us + (int64_t)(help_random(state) % 60000000);
    f->source_bytes = help_random(state) >> (help_random(state) % 64);
    f->source_packets = serial; /* unique */
    f->source_port = (uint16_t)help_random(state);
    f->destination_port = (uint16_t)(help_random(state) % 4 ? 443 : 53);
    f->protocol = help_random(state) % 3 ? 6 : 17;
    f->present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) |
                 FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_SOURCE_PACKETS) |
                 FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_PROTOCOL);
    if (help_random(state) % 8 == 0) {
        f->next_hop = help_address(family, state);
        f->tos = (uint8_t)help_random(state);
        f->present |= FLOW_HAS_ADDRESS(FLOW_NEXT_HOP) | FLOW_HAS(FLOW_TOS);
    }
    if (help_random(state) % 16 == 0) {
        char value[32];
        int n = snprintf(value, sizeof(value), "label-%llu", (unsigned long long)(serial % 7));
        texts->max = FLOW_BATCH_TEXT_MAX;
        buf_clear(texts);
        flow_text_add(texts, "event.label", (struct text){value, (size_t)n});
        f->texts = (struct text){(const char *)texts->p, texts->n};
        f->present |= FLOW_HAS_TEXT;
    }
}

/* help_batch - fill with @n rows, serials from @serial on, one observer. */
__attribute__((unused)) static void help_batch(struct flow_batch *b, uint32_t n, uint64_t serial, uint64_t *state)
{
    flow_batch_clear(b);
    struct flow_observer o = {.ip = ip_from_v4(0xc0a80001u + (uint32_t)(help_random(state) % 3)), .domain = 7};
    uint32_t index = 0, taken;
    HELP_MUST(!flow_batch_observer(b, &o, &index));
    struct buf texts = {0};
    for (uint32_t i = 0; i < n; i++) {
        struct flow f;
        help_row(&f, b->family, serial + i, state, &texts);
        f.observer = index;
        f.present |= FLOW_HAS(FLOW_OBSERVER);
        HELP_MUST(flow_batch_add(b, &f, 1, &taken) >= 0 && taken == 1);
    }
    buf_fini(&texts);
}

/* help_fingerprint - every field the row has; the observer by what it is, not by its number. */
__attribute__((unused)) static uint64_t help_fingerprint(const struct flow *f, const struct flow_observer *o)
{
    struct flow c;
    memset(&c, 0, sizeof(c));
    c.present = f->present;
#define X(ID, member, ecs, alias)                    \
    if (f->present & FLOW_HAS_ADDRESS(FLOW_##ID))    \
        c.member = f->member;
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias)      \
    if (f->present & FLOW_HAS(FLOW_##ID))    \
        c.member = f->member;
    FLOW_NUMBERS(X)
#undef X
    c.observer = 0;
    uint64_t h = XXH3_64bits(&c, offsetof(struct flow, texts));
    if (f->present & FLOW_HAS_TEXT)
        h = h * 31 + XXH3_64bits(f->texts.p, f->texts.n);
    if (f->present & FLOW_HAS(FLOW_OBSERVER))
        h = h * 31 + XXH3_64bits(o->ip.b, 16) + o->domain;
    return h;
}

/* --- the model ------------------------------------------------------------------------------- */

struct help_rows {
    uint64_t *p;
    size_t n, room;
};

__attribute__((unused)) static void help_rows_add(struct help_rows *r, uint64_t fingerprint)
{
    if (r->n == r->room) {
        r->room = r->room ? r->room * 2 : 1024;
        r->p = realloc(r->p, r->room * sizeof(*r->p));
        HELP_MUST(r->p);
    }
    r->p[r->n++] = fingerprint;
}

__attribute__((unused)) static void help_rows_add_batch(struct help_rows *r, const struct flow_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct flow f;
        flow_batch_get(b, i, &f);
        help_rows_add(r, help_fingerprint(&f, &b->observers[f.observer]));
    }
}

__attribute__((unused)) static void help_rows_fini(struct help_rows *r)
{
    free(r->p);
    *r = (struct help_rows){0};
}

__attribute__((unused)) static int help_by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

__attribute__((unused)) static bool help_rows_equal(struct help_rows *a, struct help_rows *b)
{
    if (a->n != b->n)
        return false;
    if (a->n == 0)
        return true;
    qsort(a->p, a->n, sizeof(*a->p), help_by_value);
    qsort(b->p, b->n, sizeof(*b->p), help_by_value);
    return !memcmp(a->p, b->p, a->n * sizeof(*a->p));
}

__attribute__((unused)) static void help_rows_of_segment(struct help_rows *r, const struct segment *s)
{
    const struct segment_info *info = segment_info(s);
    for (uint32_t b = 0; b < info->n_blocks; b++) {
        struct segment_texts *t = NULL;
        if (info->columns & FLOW_HAS_TEXT)
            HELP_MUST(!segment_texts_open(s, b, &t));
        for (uint32_t i = 0; i < segment_block_rows(s, b); i++) {
            struct flow f;
            HELP_MUST(!segment_flow(s, b, i, t, &f));
            bool is = f.present & FLOW_HAS(FLOW_OBSERVER);
            if (is)
                HELP_MUST(f.observer < segment_n_observers(s));
            help_rows_add(r, help_fingerprint(&f, is ? segment_observer(s, f.observer) : NULL));
        }
        if (t)
            segment_texts_close(t);
    }
}

/* help_rows_of_store - everything a reader sees. */
__attribute__((unused)) static void help_rows_of_store(struct help_rows *r, const char *data_dir)
{
    struct store_view *v;
    struct fault f = {0};
    int e = store_view_open(data_dir, &v, &f);
    if (e == STORE_EMPTY)
        return;
    if (e) {
        fprintf(stderr, "store_view_open: %s\n", f.text);
        abort();
    }
    for (size_t i = 0; i < store_view_n_segments(v); i++)
        help_rows_of_segment(r, store_view_segment(v, i));
    store_view_close(v);
}

/* help_count_files - names in DIR/store/@folder that do not begin with a dot. */
__attribute__((unused)) static size_t help_count_files(const char *data_dir, const char *folder)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/store/%s", data_dir, folder);
    DIR *d = opendir(path);
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}
