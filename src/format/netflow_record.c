/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One op at a time over all records of a run, so that the choice of encoding is
 * made once per run and the loops below stay small and predictable. Of records
 * of variable length the fixed fields are first laid side by side.
 */
#include "format/netflow_record.h"

#include "format/netflow_value.h"

/* where the field of the first record is, and where it goes */
struct column {
    const uint8_t *from;
    size_t from_stride;
    uint8_t *to;
    size_t to_stride;
    uint32_t n;
    uint32_t length;
};

#define EACH(c, from_p, to_p)                                       \
    const uint8_t *from_p = (c)->from;                              \
    uint8_t *to_p = (c)->to;                                        \
    for (uint32_t i_ = 0; i_ < (c)->n; i_++, from_p += (c)->from_stride, to_p += (c)->to_stride)

static inline void store(uint8_t *to, uint64_t v, uint32_t width)
{
    uint64_t most = width == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
    if (v > most)
        v = most;
    memcpy(to, &v, width); /* little-endian: the low bytes come first */
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "store keeps the low bytes");

/* put_uint - with @length and @width constants at every hot call, the loop is one load, one swap, one store. */
static inline __attribute__((always_inline)) void put_uint(const struct column *c, uint32_t length, uint32_t width)
{
    EACH(c, from, to)
        store(to, netflow_load_uint(from, length), width);
}

/* put_flow_uint - the same into struct flow, whose size the compiler knows: four records at a time. */
static inline __attribute__((always_inline)) void put_flow_uint(const struct column *c, uint32_t length, uint32_t width)
{
    const uint8_t *from = c->from;
    uint8_t *to = c->to;
    const size_t stride = c->from_stride;
    uint32_t n = c->n;
    for (; n >= 4; n -= 4, from += 4 * stride, to += 4 * sizeof(struct flow)) {
        uint64_t a = netflow_load_uint(from, length), b = netflow_load_uint(from + stride, length);
        uint64_t d = netflow_load_uint(from + 2 * stride, length), e = netflow_load_uint(from + 3 * stride, length);
        store(to, a, width);
        store(to + sizeof(struct flow), b, width);
        store(to + 2 * sizeof(struct flow), d, width);
        store(to + 3 * sizeof(struct flow), e, width);
    }
    for (; n; n--, from += stride, to += sizeof(struct flow))
        store(to, netflow_load_uint(from, length), width);
}

#define UINT_CASE(length, width) case (length) * 16 + (width): put_flow_uint(c, length, width); return true;
#define UINT_CASES(length) UINT_CASE(length, 1) UINT_CASE(length, 2) UINT_CASE(length, 4) UINT_CASE(length, 8)

/* column_flow_uint - the usual lengths. Return: false when it is another. */
static bool column_flow_uint(const struct column *c, uint32_t width)
{
    switch (c->length * 16 + width) {
    UINT_CASES(1)
    UINT_CASES(2)
    UINT_CASES(4)
    UINT_CASES(8)
    default: return false;
    }
}

static void column_uint(const struct column *c, uint32_t width)
{
    if (c->to_stride == sizeof(struct flow) && column_flow_uint(c, width))
        return;
    put_uint(c, c->length <= 8 ? c->length : 0, width);
}

/* zero - a field that came empty or in a length that cannot be: what the record before had must not stay. */
static void zero(const struct column *c, size_t width)
{
    for (uint32_t i = 0; i < c->n; i++)
        memset(c->to + i * c->to_stride, 0, width);
}

static void column_ip4(const struct column *c)
{
    if (c->length != 4) {
        zero(c, 16);
        return;
    }
    EACH(c, from, to) {
        struct ip a = ip_from_v4(load_be32(from));
        memcpy(to, &a, sizeof(a));
    }
}

static void column_ip6(const struct column *c)
{
    if (c->length != 16) {
        zero(c, 16);
        return;
    }
    EACH(c, from, to)
        memcpy(to, from, 16);
}

/* column_text - trailing zeros are padding of a fixed field. */
static void column_text(const struct column *c)
{
    EACH(c, from, to) {
        struct text t = {(const char *)from, c->length};
        while (t.n && !t.p[t.n - 1])
            t.n--;
        memcpy(to, &t, sizeof(t));
    }
}

static inline __attribute__((always_inline)) void put_scaled(const struct column *c, uint32_t length, uint64_t unit_us)
{
    EACH(c, from, to) {
        int64_t us = netflow_scaled_us(netflow_load_uint(from, length), unit_us);
        memcpy(to, &us, 8);
    }
}

static inline __attribute__((always_inline)) void column_scaled(const struct column *c, uint64_t unit_us)
{
    if (c->length == 8)
        put_scaled(c, 8, unit_us);
    else if (c->length == 4)
        put_scaled(c, 4, unit_us);
    else
        put_scaled(c, c->length <= 8 ? c->length : 0, unit_us);
}

static void column_before(const struct column *c, int64_t exported_us)
{
    if (c->length < 1 || c->length > 8) {
        zero(c, 8);
        return;
    }
    EACH(c, from, to) {
        int64_t us = netflow_before_us(netflow_load_uint(from, c->length), exported_us);
        memcpy(to, &us, 8);
    }
}

static void column_uptime(const struct column *c, const struct netflow_clock *k)
{
    if (c->length != 4) {
        zero(c, 8);
        return;
    }
    const struct netflow_uptime_clock u = netflow_uptime_clock(k);
    EACH(c, from, to) {
        int64_t us = netflow_uptime_time(&u, load_be32(from));
        memcpy(to, &us, 8);
    }
}

static void column_ntp(const struct column *c, int64_t exported_us)
{
    if (c->length != 8) {
        zero(c, 8);
        return;
    }
    EACH(c, from, to) {
        int64_t us = netflow_ntp_us(load_be64(from), exported_us);
        memcpy(to, &us, 8);
    }
}

static void run_op(const struct netflow_op *op, const struct column *c, const struct netflow_clock *k)
{
    switch ((enum netflow_op_kind)op->kind) {
    case NETFLOW_OP_NONE: return;
    case NETFLOW_OP_UINT: column_uint(c, op->width); return;
    case NETFLOW_OP_IP4: column_ip4(c); return;
    case NETFLOW_OP_IP6: column_ip6(c); return;
    case NETFLOW_OP_TEXT: column_text(c); return;
    case NETFLOW_OP_UPTIME: column_uptime(c, k); return;
    case NETFLOW_OP_SECONDS: column_scaled(c, 1000000); return;
    case NETFLOW_OP_MILLISECONDS: column_scaled(c, 1000); return;
    case NETFLOW_OP_NTP: column_ntp(c, k->exported_us); return;
    case NETFLOW_OP_BEFORE: column_before(c, k->exported_us); return;
    case NETFLOW_OP_SPAN_MS: column_scaled(c, 1000); return;
    }
}

static struct column column_of(const struct netflow_op *op, struct netflow_rows *rows, uint32_t row)
{
    struct column c = {.n = 1, .length = op->length};
    if (op->to_extra) {
        c.to = (uint8_t *)&rows->extras[row] + op->to;
        c.to_stride = sizeof(struct netflow_extra);
    } else {
        c.to = (uint8_t *)&rows->flows[row] + op->to;
        c.to_stride = sizeof(struct flow);
    }
    return c;
}

/* is_same_shape - both write the same members: exporters of one make send the same templates in turn. */
static bool is_same_shape(const struct netflow_template *a, const struct netflow_template *b)
{
    return a->use == b->use && a->n_ops == b->n_ops && !memcmp(a->ops, b->ops, a->n_ops * sizeof(*a->ops));
}

void netflow_rows_for(struct netflow_rows *rows, const struct netflow_template *t)
{
    if (rows->last == t)
        return;
    if (!rows->last || !is_same_shape(rows->last, t)) {
        memset(rows->flows, 0, sizeof(rows->flows));
        memset(rows->extras, 0, sizeof(rows->extras));
    }
    rows->last = t;
}

/* run_fixed - @n records, @stride apart; fields of variable length are not among them. */
static void run_fixed(const struct netflow_template *t, const uint8_t *p, size_t stride, uint32_t n,
                      const struct netflow_clock *k, struct netflow_rows *rows)
{
    for (uint16_t i = 0; i < t->n_ops && n; i++) {
        if (t->is_variable && t->ops[i].length == NETFLOW_VARIABLE)
            continue;
        struct column c = column_of(&t->ops[i], rows, 0);
        c.n = n;
        c.from = p + t->ops[i].from;
        c.from_stride = stride;
        run_op(&t->ops[i], &c, k);
    }
}

/* variable_length - RFC 7011 7: one byte, or 255 and two more. */
static uint32_t variable_length(struct cursor *c)
{
    uint32_t length = cursor_u8(c);
    return length < 255 ? length : cursor_u16(c);
}

static void run_variable(const struct netflow_op *op, const uint8_t *p, uint32_t length, const struct netflow_clock *k,
                         struct netflow_rows *rows, uint32_t row)
{
    struct column c = column_of(op, rows, row);
    c.from = p;
    c.length = length;
    if (op->kind == NETFLOW_OP_TEXT)
        column_text(&c);
    else
        run_op(op, &c, k);
}

/*
 * walk_record - one record of variable length: its fixed fields go to @packed, the others at once into their row.
 * @rows NULL: only past it. Return: false when it is cut.
 */
static bool walk_record(const struct netflow_template *t, struct cursor *set, const struct netflow_clock *k,
                        struct netflow_rows *rows, uint32_t row, uint8_t *packed)
{
    for (uint16_t i = 0; i < t->n_pieces; i++) {
        const struct netflow_piece *piece = &t->pieces[i];
        uint32_t length = piece->is_variable ? variable_length(set) : piece->n_bytes;
        const uint8_t *p = cursor_take(set, length);
        if (!p)
            return false;
        if (!rows)
            continue;
        if (piece->is_variable && piece->op != NETFLOW_NO_OP)
            run_variable(&t->ops[piece->op], p, length, k, rows, row);
        if (!piece->is_variable) {
            memcpy(packed, p, length);
            packed += length;
        }
    }
    return true;
}

int netflow_run(const struct netflow_template *t, struct cursor *set, const struct netflow_clock *k,
                struct netflow_rows *rows, uint32_t *ret_n)
{
    netflow_rows_for(rows, t);
    uint32_t n = 0;
    if (!t->is_variable) {
        size_t n_left = cursor_left(set) / t->least_bytes;
        n = n_left < NETFLOW_RUN ? (uint32_t)n_left : NETFLOW_RUN;
        const uint8_t *p = cursor_take(set, (size_t)n * t->least_bytes);
        if (p)
            run_fixed(t, p, t->least_bytes, n, k, rows);
        *ret_n = p ? n : 0;
        return 0;
    }
    bool is_cut = false;
    while (n < NETFLOW_RUN && cursor_left(set) >= t->least_bytes && (n + 1) * (size_t)t->fixed_bytes <= sizeof(rows->packed)) {
        is_cut = !walk_record(t, set, k, rows, n, rows->packed + n * (size_t)t->fixed_bytes);
        if (is_cut)
            break;
        n++;
    }
    run_fixed(t, rows->packed, t->fixed_bytes, n, k, rows);
    *ret_n = n;
    return is_cut;
}

uint32_t netflow_skip(const struct netflow_template *t, struct cursor *set, bool *ret_is_cut)
{
    *ret_is_cut = false;
    uint32_t n = 0;
    if (!t->is_variable) {
        n = (uint32_t)(cursor_left(set) / t->least_bytes);
        cursor_skip(set, (size_t)n * t->least_bytes);
        return n;
    }
    while (cursor_left(set) >= t->least_bytes) {
        if (!walk_record(t, set, NULL, NULL, 0, NULL)) {
            *ret_is_cut = true;
            break;
        }
        n++;
    }
    return n;
}
