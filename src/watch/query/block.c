/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers start at different offsets modulo 4 KiB: columns read side by side must not share cache sets.
 */
#include "watch/query/block.h"

#include <errno.h>
#include <stdlib.h>

enum { STAGGER_BYTES = 320 };

void query_block_open(struct query_block *b, const struct segment *s, uint32_t block)
{
    if (b->texts)
        segment_texts_close(b->texts);
    b->texts = NULL;
    b->segment = s;
    b->block = block;
    b->n_rows = segment_block_rows(s, block);
    b->loaded = b->narrowed = b->present_all = 0;
    b->has_all = b->has_present = false;
}

void query_block_fini(struct query_block *b)
{
    if (b->texts)
        segment_texts_close(b->texts);
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++) {
        free(b->v32[c] ? (char *)b->v32[c] - c * STAGGER_BYTES : NULL);
        free(b->v64[c] ? (char *)b->v64[c] - c * STAGGER_BYTES : NULL);
    }
    segment_copies_fini(&b->copies);
    free(b->present);
    *b = (struct query_block){0};
}

int query_block_present(struct query_block *b)
{
    if (b->has_present)
        return 0;
    if (!b->present)
        b->present = malloc(SEGMENT_BLOCK_ROWS * sizeof(*b->present));
    if (!b->present)
        return -ENOMEM;
    int r = segment_present(b->segment, b->block, b->present);
    if (r)
        return r;
    uint64_t all = UINT64_MAX;
    for (uint32_t i = 0; i < b->n_rows; i++)
        all &= b->present[i];
    b->present_all = all;
    b->has_all = b->has_present = true;
    return 0;
}

int query_block_all(struct query_block *b)
{
    struct segment_bounds bounds;
    if (b->has_all)
        return 0;
    segment_bounds(b->segment, b->block, SEGMENT_COLUMN_PRESENT, &bounds);
    if (!bounds.is_constant)
        return query_block_present(b);
    if (bounds.min & ~segment_info(b->segment)->columns)
        return -EBADMSG;
    b->present_all = bounds.min;
    b->has_all = true;
    return 0;
}

int query_block_has(struct query_block *b, uint32_t row, uint64_t *ret)
{
    if (!b->has_present)
        return segment_present_get(b->segment, b->block, row, ret);
    *ret = b->present[row];
    return 0;
}

static void *column_new(unsigned column, size_t width)
{
    char *p = aligned_alloc(64, SEGMENT_BLOCK_ROWS * width + 64 * STAGGER_BYTES);
    return p ? p + column * STAGGER_BYTES : NULL;
}

int query_block_load(struct query_block *b, unsigned column)
{
    if (b->loaded >> column & 1)
        return 0;
    int r;
    if (query_column_is_wide(column)) {
        if (!b->v64[column])
            b->v64[column] = column_new(column, sizeof(uint64_t));
        r = b->v64[column] ? segment_read64(b->segment, b->block, column, b->v64[column]) : -ENOMEM;
    } else {
        if (!b->v32[column])
            b->v32[column] = column_new(column, sizeof(uint32_t));
        r = b->v32[column] ? segment_read32(b->segment, b->block, column, b->v32[column]) : -ENOMEM;
    }
    if (r)
        return r;
    b->loaded |= UINT64_C(1) << column;
    return 0;
}

int query_block_widen(struct query_block *b, unsigned column)
{
    if (!b->v64[column])
        b->v64[column] = column_new(column, sizeof(uint64_t));
    if (!b->v64[column])
        return -ENOMEM;
    for (uint32_t i = 0; i < b->n_rows; i++)
        b->v64[column][i] = b->v32[column][i];
    return 0;
}

int query_block_narrow(struct query_block *b, unsigned column)
{
    if (!query_column_is_wide(column))
        return query_block_load(b, column);
    if (b->narrowed >> column & 1)
        return 0;
    if (flow_columns[column].is_signed)
        return QUERY_BLOCK_WIDE;
    if (!b->v32[column])
        b->v32[column] = column_new(column, sizeof(uint32_t));
    int r = b->v32[column] ? segment_read_narrow(b->segment, b->block, column, b->v32[column]) : -ENOMEM;
    if (r)
        return r == -ERANGE ? QUERY_BLOCK_WIDE : r;
    b->narrowed |= UINT64_C(1) << column;
    return 0;
}

int query_block_number(struct query_block *b, unsigned column, uint32_t row, uint64_t *ret)
{
    if (!(b->loaded >> column & 1))
        return segment_copies_get(&b->copies, b->segment, b->block, column, row, ret);
    *ret = query_column_is_wide(column) ? b->v64[column][row] : b->v32[column][row];
    return 0;
}

int query_block_texts(struct query_block *b, uint32_t row, struct text *ret)
{
    uint64_t has;
    *ret = (struct text){"", 0};
    int r = query_block_has(b, row, &has);
    if (r || !(has & FLOW_HAS_TEXT))
        return r;
    if (!b->texts) {
        r = segment_texts_open(b->segment, b->block, &b->texts);
        if (r) {
            b->texts = NULL;
            return r;
        }
    }
    *ret = segment_texts_get(b->texts, row);
    return 0;
}

static int text_value(struct query_block *b, const struct query_field *f, uint32_t row, struct query_value *ret)
{
    struct text texts, name, value;
    int r = query_block_texts(b, row, &texts);
    while (!r && flow_text_next(&texts, &name, &value))
        if (text_equal(name, f->name)) {
            ret->kind = QUERY_TEXT;
            ret->text = value;
            break;
        }
    return r;
}

static int sum_value(struct query_block *b, const struct query_field *f, uint32_t row, uint64_t has, struct query_value *ret)
{
    uint64_t first = 0, second = 0;
    int r = 0;
    if (has >> f->column & 1)
        r = query_block_number(b, f->column, row, &first);
    if (!r && (has >> f->column2 & 1))
        r = query_block_number(b, f->column2, row, &second);
    ret->kind = QUERY_NUMBER;
    ret->number = query_add(first, second);
    return r;
}

static void named(struct query_value *ret, uint64_t v, const char *name)
{
    ret->kind = name ? QUERY_TEXT : QUERY_NUMBER;
    if (name)
        ret->text = (struct text){name, strlen(name)};
    else
        ret->number = v;
}

int query_block_value(struct query_block *b, const struct query_field *f, uint32_t row, struct query_value *ret)
{
    ret->kind = QUERY_ABSENT;
    if (f->kind == QUERY_FIELD_TEXT)
        return text_value(b, f, row, ret);
    uint64_t has;
    int r = query_block_has(b, row, &has);
    if (r || !(has & query_field_has(f)))
        return r;
    if (f->kind == QUERY_FIELD_SUM)
        return sum_value(b, f, row, has, ret);
    uint64_t v;
    r = query_block_number(b, f->column, row, &v);
    if (r)
        return r;
    switch (f->kind) {
    case QUERY_FIELD_ADDRESS:
        if (v >= segment_info(b->segment)->n_entries)
            return -EBADMSG;
        ret->kind = QUERY_IP;
        ret->ip = segment_address(b->segment, (uint32_t)v);
        return 0;
    case QUERY_FIELD_OBSERVER_IP:
    case QUERY_FIELD_OBSERVER_DOMAIN:
        if (v >= segment_n_observers(b->segment))
            return -EBADMSG;
        const struct flow_observer *o = segment_observer(b->segment, (uint32_t)v);
        if (f->kind == QUERY_FIELD_OBSERVER_DOMAIN) {
            ret->kind = QUERY_NUMBER;
            ret->number = o->domain;
        } else if (!ip_is_zero(&o->ip)) {
            ret->kind = QUERY_IP;
            ret->ip = o->ip;
        }
        return 0;
    case QUERY_FIELD_TRANSPORT:
        named(ret, v, flow_transport_name((uint8_t)v));
        return 0;
    case QUERY_FIELD_DIRECTION:
        named(ret, v, query_direction_name(v));
        return 0;
    case QUERY_FIELD_NUMBER:
    case QUERY_FIELD_SUM:
    case QUERY_FIELD_TEXT:
    case QUERY_FIELD_EVENT:
    case QUERY_FIELD_ENDS_IP:
    case QUERY_FIELD_ENDS_PORT:
    case QUERY_FIELD_LIST:
        break;
    }
    ret->kind = f->value;
    if (f->value == QUERY_NUMBER)
        ret->number = v;
    else
        ret->time_us = (int64_t)v;
    return 0;
}

int query_block_load_field(struct query_block *b, const struct query_field *f)
{
    if (f->kind == QUERY_FIELD_TEXT || f->kind == QUERY_FIELD_EVENT)
        return 0;
    struct segment_bounds bounds;
    unsigned columns[2] = {f->column, f->column2};
    for (unsigned i = 0; i < (f->kind == QUERY_FIELD_SUM ? 2 : 1); i++) {
        segment_bounds(b->segment, b->block, columns[i], &bounds);
        int r = bounds.is_absent ? 0 : query_block_load(b, columns[i]);
        if (r)
            return r;
    }
    return 0;
}
