/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/log_rows.h"

#include <sodium.h>
#include <stdlib.h>

struct log_rows {
    crypto_generichash_state state; /* wants its own alignment */
};

static void begin(struct log_rows *d)
{
    (void)crypto_generichash_init(&d->state, NULL, 0, sizeof(struct log_digest)); /* fails for other lengths only */
}

struct log_rows *log_rows_new(void)
{
    if (sodium_init() < 0) /* chooses the code for this processor, once */
        return NULL;
    size_t align = _Alignof(struct log_rows), n = (sizeof(struct log_rows) + align - 1) / align * align;
    struct log_rows *d = aligned_alloc(align, n);
    if (d)
        begin(d);
    return d;
}

void log_rows_free(struct log_rows *d)
{
    free(d);
}

static void put(struct log_rows *d, const void *p, size_t n)
{
    (void)crypto_generichash_update(&d->state, p, n);
}

static void put_bytes(struct log_rows *d, const void *p, uint32_t n)
{
    put(d, &n, sizeof(n));
    put(d, p, n);
}

static void put_value(struct log_rows *d, const struct events *e, const struct event_value *v)
{
    struct text name = event_name(e->names, v->field);
    uint8_t n_name = (uint8_t)name.n; /* EVENT_NAME_MAX */
    put(d, &n_name, 1);
    put(d, name.p, name.n);
    put(d, &v->type, 1);
    if (v->type == EVENT_KEYWORD || v->type == EVENT_IP)
        put_bytes(d, e->heap.p + v->at, v->type == EVENT_IP ? 16u : v->n);
    else
        put_bytes(d, &v->unsigned_number, v->type == EVENT_NULL ? 0u : 8u);
}

void log_rows_add(struct log_rows *d, const struct events *e, uint32_t row)
{
    uint8_t head[20];
    struct text original = event_original(e, row);
    uint32_t n = (uint32_t)original.n;
    memcpy(head, &e->time_us[row], 8);
    memcpy(head + 8, &e->arrived_us[row], 8);
    memcpy(head + 16, &n, 4);
    put(d, head, sizeof(head));
    if (n) {
        put(d, original.p, n);
        const struct event_value *v = event_get(e, row, EV_LOG_SOURCE_ADDRESS);
        bool is_text = v && v->type == EVENT_KEYWORD;
        put_bytes(d, is_text ? (const void *)(e->heap.p + v->at) : "", is_text ? v->n : 0);
        return;
    }
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        put_value(d, e, &e->values[i]);
}

struct log_digest log_rows_end(struct log_rows *d)
{
    struct log_digest x;
    (void)crypto_generichash_final(&d->state, x.b, sizeof(x.b));
    begin(d);
    return x;
}
