/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model - random rows in an array, and the same rows in a store: what both tests of this folder compare.
 *
 * The rows are nasty on purpose: both families, absent fields, ends before starts, late and doubled rows, texts of
 * known and unknown names, observers without address. model_store keeps them in several imports and in journals that
 * are not sealed, in small segments.
 */
#pragma once

#include "../unit/help_dir.h"
#include "base/clock.h"
#include "watch/flow_batch.h"
#include "watch/store/segment.h"
#include "watch/store/store.h"

#include <dirent.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#define MODEL_START INT64_C(1700000000000000)

struct model_row {
    struct flow flow; /* texts owned */
    struct flow_observer observer;
};

struct model {
    struct model_row *rows;
    size_t n, room;
    uint64_t state; /* of the random source */
    struct help_dir dir;
    int64_t span_us;
    bool has_huge; /* counters near the end of their range */
};

__attribute__((unused)) static uint64_t model_random(struct model *m, uint64_t below)
{
    return help_random(&m->state) % below;
}

/* few enough that they repeat and meet, in clusters so that prefixes mean something */
__attribute__((unused)) static struct ip model_v4(struct model *m)
{
    static const uint32_t bases[] = {0x0a000000, 0x0a0000f0, 0xc0a80100, 0xcb007100, 0xffffff00, 0};
    return ip_from_v4(bases[model_random(m, 6)] + (uint32_t)model_random(m, model_random(m, 4) ? 24 : 256));
}

__attribute__((unused)) static struct ip model_ip(struct model *m)
{
    if (model_random(m, 3))
        return model_v4(m);
    struct ip a = {{0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)model_random(m, 2)}};
    a.b[15] = (uint8_t)model_random(m, 20);
    if (!model_random(m, 40))
        memset(a.b, model_random(m, 2) ? 0xff : 0, 15);
    return a;
}

static uint64_t model_counter(struct model *m)
{
    uint64_t kind = model_random(m, 50);
    if (!m->has_huge)
        return model_random(m, 100000);
    return kind == 0 ? UINT64_MAX : kind == 1 ? 0 : help_random(&m->state) >> (20 + model_random(m, 44));
}

static void model_texts(struct model *m, struct flow *f)
{
    static const char *const values[] = {"flow=Background", "flow=From-Botnet-V42", "", "a,b\"c", "\xc4\x90\xc3\xa0 N\xe1\xba\xb5ng",
                                         "*", "line\nend"};
    struct buf b = {.max = 4096};
    const char *v = values[model_random(m, 7)];
    flow_text_add(&b, "event.label", (struct text){v, strlen(v)});
    if (model_random(m, 2))
        flow_text_add(&b, "odd name", TEXT("x1"));
    HELP_MUST(!b.is_bad);
    f->texts = (struct text){(const char *)b.p, b.n};
    f->present |= FLOW_HAS_TEXT;
}

#define MODEL_MAYBE(m, f, in, ID) \
    if (model_random((m), (in)))  \
        (f)->present |= (ID);

__attribute__((unused)) static void model_row(struct model *m, bool is_v6, struct model_row *r)
{
    struct flow *f = &r->flow;
    *r = (struct model_row){0};
    f->source_ip = is_v6 ? model_ip(m) : model_v4(m);
    f->destination_ip = is_v6 ? model_ip(m) : model_v4(m);
    if (!model_random(m, 50))
        f->destination_ip = f->source_ip;
    f->next_hop = is_v6 ? model_ip(m) : model_v4(m);
    f->start_us = MODEL_START + (int64_t)model_random(m, (uint64_t)m->span_us);
    if (!model_random(m, 60))
        f->start_us -= 40 * US_PER_DAY; /* late */
    f->end_us = f->start_us + (int64_t)model_random(m, 90 * US_PER_SECOND) - (model_random(m, 30) ? 0 : 60 * US_PER_SECOND);
    f->received_us = f->start_us + 1000;
    f->clock_offset_us = (int64_t)model_random(m, 2000) - 1000;
    f->source_bytes = model_counter(m);
    f->destination_bytes = model_counter(m);
    f->source_packets = model_random(m, 100);
    f->destination_packets = model_random(m, 100);
    f->source_port = (uint16_t)(model_random(m, 3) ? 1024 + model_random(m, 30) : 80 + model_random(m, 11));
    f->destination_port = (uint16_t)(model_random(m, 3) ? 80 + model_random(m, 11) : model_random(m, 65536));
    f->protocol = (uint8_t)(model_random(m, 5) ? (model_random(m, 2) ? 6 : 17) : model_random(m, 256));
    f->tos = (uint8_t)model_random(m, 3);
    f->direction = (uint8_t)model_random(m, 3);
    f->present = FLOW_HAS(FLOW_PROTOCOL) | FLOW_HAS(FLOW_RECEIVED);
    MODEL_MAYBE(m, f, 60, FLOW_HAS_ADDRESS(FLOW_SOURCE_IP))
    MODEL_MAYBE(m, f, 60, FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP))
    MODEL_MAYBE(m, f, 60, FLOW_HAS(FLOW_START))
    MODEL_MAYBE(m, f, 30, FLOW_HAS(FLOW_END))
    MODEL_MAYBE(m, f, 30, FLOW_HAS(FLOW_SOURCE_BYTES))
    MODEL_MAYBE(m, f, 2, FLOW_HAS(FLOW_DESTINATION_BYTES))
    MODEL_MAYBE(m, f, 30, FLOW_HAS(FLOW_SOURCE_PACKETS) | FLOW_HAS(FLOW_SOURCE_PORT))
    MODEL_MAYBE(m, f, 3, FLOW_HAS(FLOW_DESTINATION_PACKETS) | FLOW_HAS(FLOW_DESTINATION_PORT))
    if (!model_random(m, 4))
        f->present |= FLOW_HAS(FLOW_TOS) | FLOW_HAS_ADDRESS(FLOW_NEXT_HOP) | FLOW_HAS(FLOW_CLOCK_OFFSET);
    if (!model_random(m, 4))
        f->present |= FLOW_HAS(FLOW_DIRECTION);
    if (!model_random(m, 5))
        model_texts(m, f);
    r->observer = (struct flow_observer){.domain = (uint32_t)model_random(m, 3)};
    if (model_random(m, 3))
        r->observer.ip = ip_from_v4(0xc0a80001u + (uint32_t)model_random(m, 2));
    if (model_random(m, 3))
        f->present |= FLOW_HAS(FLOW_OBSERVER);
}

/* absent fields hold nothing, as in the store */
__attribute__((unused)) static void model_clean(struct flow *f)
{
#define X(ID, member, ecs, alias) \
    if (!(f->present & FLOW_HAS_ADDRESS(FLOW_##ID))) \
        memset(&f->member, 0, sizeof(f->member));
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias) \
    if (!(f->present & FLOW_HAS(FLOW_##ID))) \
        f->member = 0;
    FLOW_NUMBERS(X)
#undef X
}

__attribute__((unused)) static void model_fill(struct model *m, size_t n)
{
    m->has_huge = model_random(m, 2);
    m->rows = calloc(n + 1, sizeof(*m->rows));
    HELP_MUST(m->rows);
    for (m->n = 0; m->n < n; m->n++) {
        struct model_row *r = &m->rows[m->n];
        if (m->n && !model_random(m, 20)) { /* doubled */
            *r = m->rows[model_random(m, m->n)];
            if (r->flow.present & FLOW_HAS_TEXT) {
                char *copy = malloc(r->flow.texts.n);
                HELP_MUST(copy);
                memcpy(copy, r->flow.texts.p, r->flow.texts.n);
                r->flow.texts.p = copy;
            }
            continue;
        }
        model_row(m, model_random(m, 4) == 0, r);
        model_clean(&r->flow);
    }
}

__attribute__((unused)) static void model_fini(struct model *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->rows[i].flow.present & FLOW_HAS_TEXT)
            free((void *)(uintptr_t)m->rows[i].flow.texts.p);
    free(m->rows);
    help_dir_free(&m->dir);
}

struct model_writing {
    struct store_import *import;
    struct store_writer *writer;
};

static int model_sink(void *context, struct flow_batch *b)
{
    struct model_writing *w = context;
    struct fault f = {0};
    int r = w->import ? store_import_append(w->import, b, &f) : store_writer_append(w->writer, b, &f);
    if (r)
        fprintf(stderr, "%s\n", f.text);
    return r;
}

static void model_write(struct model *m, struct model_writing *w, size_t from, size_t to)
{
    struct flow_sorter sorter = {.sink = model_sink, .context = w};
    for (size_t i = from; i < to; i++) {
        const struct model_row *r = &m->rows[i];
        HELP_MUST(!flow_sorter_put(&sorter, &r->flow, 1, r->flow.present & FLOW_HAS(FLOW_OBSERVER) ? &r->observer : NULL));
    }
    HELP_MUST(!flow_sorter_flush(&sorter));
    flow_sorter_fini(&sorter);
}

/* model_store - all rows into a new store: thirds by import, the rest through a writer that seals only now and then. */
__attribute__((unused)) static void model_store(struct model *m, uint32_t segment_rows, bool is_compacted)
{
    struct store_options o = {.segment_rows = segment_rows};
    struct store *s;
    struct fault f = {0};
    m->dir = help_dir_new();
    if (store_open(m->dir.path, &o, &s, &f)) {
        fprintf(stderr, "%s\n", f.text);
        abort();
    }
    size_t half = m->n / 2, from = 0;
    for (uint32_t part = 0; part < 3; part++) {
        struct model_writing w = {0};
        struct sha256 sum = {{0}};
        memcpy(&sum, &part, sizeof(part));
        HELP_MUST(!store_import_begin(s, &sum, "part", false, &w.import, &f));
        size_t to = part == 2 ? half : from + half / 3;
        model_write(m, &w, from, to);
        HELP_MUST(!store_import_commit(w.import, &f));
        from = to;
    }
    if (is_compacted) {
        struct store_compaction c;
        HELP_MUST(!store_compact(s, &c, NULL, NULL, &f));
    }
    struct model_writing w = {0};
    HELP_MUST(!store_writer_new(s, &w.writer, &f));
    size_t rest = from + (m->n - from) / 2;
    model_write(m, &w, from, rest);
    HELP_MUST(!store_writer_seal(w.writer, &f));
    model_write(m, &w, rest, m->n);
    store_writer_free(w.writer);
    store_close(s);
}

/* model_damage - one byte of one segment file turned. Return: false if there is none. */
__attribute__((unused)) static bool model_damage(struct model *m)
{
    char folder[300], path[700], chosen[700] = "";
    snprintf(folder, sizeof(folder), "%s/store/segments", m->dir.path);
    DIR *d = opendir(folder);
    if (!d)
        return false;
    uint64_t n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.' && !model_random(m, ++n))
            memcpy(chosen, path, sizeof(path));
    }
    closedir(d);
    int fd = n ? open(chosen, O_RDWR | O_CLOEXEC) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) || !st.st_size)
        return false;
    uint8_t byte;
    off_t at = (off_t)model_random(m, (uint64_t)st.st_size);
    HELP_MUST(pread(fd, &byte, 1, at) == 1);
    byte ^= (uint8_t)(1u << model_random(m, 8));
    HELP_MUST(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
    return true;
}
