/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One op at a time over all records: the encoding is chosen once per run, and
 * each loop reads at one stride and writes one array from end to end. What
 * needs the whole record (missing times, ICMP) looks at the finished columns.
 */
#include "format/netflow_columns.h"

#include "format/netflow_complete.h"
#include "format/netflow_value.h"

#define HAS(t, ROLE) netflow_template_has(t, NETFLOW_ROLE_##ROLE)

/* the field of the first record, and where its values go */
struct lane {
    const uint8_t *from;
    size_t stride;
    uint32_t n, length;
    void *to;
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define EACH(l, type, value)                                   \
    do {                                                       \
        const uint8_t *from = (l)->from;                       \
        const size_t stride = (l)->stride;                     \
        const uint32_t n_rows = (l)->n;                        \
        type *out = (l)->to;                                   \
        _Pragma("GCC unroll 4")                                \
        for (uint32_t i = 0; i < n_rows; i++, from += stride)  \
            out[i] = (type)(value);                            \
    } while (0)

ALWAYS_INLINE uint64_t at_most(uint64_t v, uint64_t most)
{
    return v > most ? most : v;
}

/* put_uint - with @length and @width constants the loop is a load, a swap, a store; a wider field saturates. */
ALWAYS_INLINE void put_uint(const struct lane *l, uint32_t length, uint32_t width)
{
    switch (width) {
    case 1: EACH(l, uint8_t, at_most(netflow_load_uint(from, length), UINT8_MAX)); break;
    case 2: EACH(l, uint16_t, at_most(netflow_load_uint(from, length), UINT16_MAX)); break;
    case 4: EACH(l, uint32_t, at_most(netflow_load_uint(from, length), UINT32_MAX)); break;
    default: EACH(l, uint64_t, netflow_load_uint(from, length)); break;
    }
}

#define UINT_CASE(length, width) case (length) * 16 + (width): put_uint(l, length, width); break;
#define UINT_CASES(length) UINT_CASE(length, 1) UINT_CASE(length, 2) UINT_CASE(length, 4) UINT_CASE(length, 8)

static void lane_uint(const struct lane *l, uint32_t width)
{
    switch (l->length * 16 + width) {
    UINT_CASES(1)
    UINT_CASES(2)
    UINT_CASES(4)
    UINT_CASES(8)
    default: put_uint(l, l->length, width); break; /* 3, 5, 6, 7 bytes */
    }
}

static void lane_ip6(const struct lane *l)
{
    struct ip *out = l->to;
    for (uint32_t i = 0; i < l->n; i++)
        memcpy(&out[i], l->from + i * l->stride, sizeof(*out));
}

ALWAYS_INLINE void lane_scaled(const struct lane *l, uint64_t unit_us)
{
    if (l->length == 8)
        EACH(l, int64_t, netflow_scaled_us(load_be64(from), unit_us));
    else if (l->length == 4)
        EACH(l, int64_t, netflow_scaled_us(load_be32(from), unit_us));
    else
        EACH(l, int64_t, netflow_scaled_us(netflow_load_any(from, l->length), unit_us));
}

static void lane_uptime(const struct lane *l, const struct netflow_clock *k)
{
    const struct netflow_uptime_clock u = netflow_uptime_clock(k);
    if (u.is_known)
        EACH(l, int64_t, netflow_uptime_us(u.exported_us, u.now_ms, load_be32(from)));
    else
        EACH(l, int64_t, netflow_uptime_time(&u, load_be32(from)));
}

static void run_lane(const struct netflow_op *op, const struct lane *l, const struct netflow_clock *k)
{
    switch ((enum netflow_op_kind)op->kind) {
    case NETFLOW_OP_UINT: lane_uint(l, op->width); return;
    case NETFLOW_OP_IP4: EACH(l, uint32_t, load_be32(from)); return;
    case NETFLOW_OP_IP6: lane_ip6(l); return;
    case NETFLOW_OP_UPTIME: lane_uptime(l, k); return;
    case NETFLOW_OP_SECONDS: lane_scaled(l, 1000000); return;
    case NETFLOW_OP_MILLISECONDS:
    case NETFLOW_OP_SPAN_MS: lane_scaled(l, 1000); return;
    case NETFLOW_OP_NTP: EACH(l, int64_t, netflow_ntp_us(load_be64(from), k->exported_us)); return;
    case NETFLOW_OP_BEFORE:
        EACH(l, int64_t, netflow_before_us(netflow_load_uint(from, l->length), k->exported_us));
        return;
    case NETFLOW_OP_NONE:
    case NETFLOW_OP_TEXT: return; /* never in a plain template */
    }
}

static void *column_at(const struct netflow_columns *to, unsigned column, size_t width)
{
    return (uint8_t *)to->column[column] + to->row * width;
}

#define NUMBER(to, ID, type) ((type *)column_at(to, FLOW_COLUMN_NUMBER(FLOW_##ID), sizeof(type)))

static void put_ops(const struct netflow_plain *r, uint32_t from, uint32_t n, const struct netflow_columns *to)
{
    const struct netflow_template *t = r->t;
    const uint8_t *p = r->p + (size_t)from * t->least_bytes;
    for (uint16_t i = 0; i < t->n_ops; i++) {
        const struct netflow_op *op = &t->ops[i];
        if (op->to_extra)
            continue;
        size_t width = op->kind == NETFLOW_OP_IP4 ? sizeof(uint32_t) : op->width;
        struct lane l = {.from = p + op->from, .stride = t->least_bytes, .n = n, .length = op->length,
                         .to = column_at(to, op->column, width)};
        run_lane(op, &l, r->clock);
    }
}

static void put_clock(const struct netflow_plain *r, uint32_t n, const struct netflow_columns *to)
{
    int64_t *received = NUMBER(to, RECEIVED, int64_t), *offset = NUMBER(to, CLOCK_OFFSET, int64_t);
    const int64_t received_us = r->clock->received_us, offset_us = received_us - r->clock->exported_us;
    for (uint32_t i = 0; i < n; i++) {
        received[i] = received_us;
        offset[i] = offset_us;
    }
}

static void put_sampling(const struct netflow_plain *r, uint32_t n, const struct netflow_columns *to)
{
    static const uint8_t counters[] = {FLOW_SOURCE_BYTES, FLOW_DESTINATION_BYTES, FLOW_SOURCE_PACKETS,
                                       FLOW_DESTINATION_PACKETS, FLOW_POST_BYTES, FLOW_POST_PACKETS};
    const uint32_t rate = r->rate;
    if (rate <= 1)
        return;
    for (size_t c = 0; c < sizeof(counters); c++) {
        if (!(r->t->present & FLOW_HAS(counters[c])))
            continue;
        uint64_t *v = column_at(to, FLOW_COLUMN_NUMBER(counters[c]), sizeof(*v));
        for (uint32_t i = 0; i < n; i++)
            v[i] = flow_times(v[i], rate);
    }
    uint32_t *sampling = NUMBER(to, SAMPLING, uint32_t);
    for (uint32_t i = 0; i < n; i++)
        sampling[i] = rate;
}

/* extra_of - the fields of one record that go to no column; the same ones for every record, the others stay. */
static void extra_of(const struct netflow_template *t, const uint8_t *record, struct netflow_extra *ret)
{
    for (uint16_t i = 0; i < t->n_ops; i++) {
        const struct netflow_op *op = &t->ops[i];
        if (!op->to_extra)
            continue;
        uint64_t v = netflow_load_uint(record + op->from, op->length);
        if (op->kind == NETFLOW_OP_SPAN_MS)
            v = (uint64_t)netflow_scaled_us(v, 1000);
        memcpy((uint8_t *)ret + op->to, &v, sizeof(v));
    }
}

/* mend_times - rare: some record lacks a time. */
static uint64_t mend_times(const struct netflow_plain *r, uint32_t from, uint32_t n, const struct netflow_columns *to)
{
    int64_t *start = NUMBER(to, START, int64_t), *end = NUMBER(to, END, int64_t);
    uint8_t *source = NUMBER(to, TIME_SOURCE, uint8_t);
    struct netflow_extra e = {0};
    uint64_t added = 0;
    memset(source, 0, n);
    for (uint32_t i = 0; i < n; i++) {
        if (start[i] > 0 && end[i] > 0)
            continue;
        extra_of(r->t, r->p + (size_t)(from + i) * r->t->least_bytes, &e);
        if (!netflow_default_times(&start[i], &end[i], e.duration_us, r->clock, &source[i]))
            continue;
        to->present[to->row + i] |= FLOW_HAS(FLOW_TIME_SOURCE);
        added = FLOW_HAS(FLOW_TIME_SOURCE);
    }
    return added;
}

static uint64_t check_times(const struct netflow_plain *r, uint32_t from, uint32_t n, const struct netflow_columns *to)
{
    const int64_t *start = NUMBER(to, START, int64_t), *end = NUMBER(to, END, int64_t);
    uint64_t sign = 0; /* of time - 1: set when some time is not above zero */
    for (uint32_t i = 0; i < n; i++)
        sign |= ((uint64_t)start[i] - 1) | ((uint64_t)end[i] - 1);
    return sign >> 63 ? mend_times(r, from, n, to) : 0;
}

/* mark_icmp - rows of ICMP have FLOW_ICMP: Cisco's habit where no field says it is type * 256 + code as destination port. */
static uint64_t mark_icmp(const struct netflow_plain *r, uint32_t from, uint32_t n, const struct netflow_columns *to)
{
    const struct netflow_template *t = r->t;
    const uint8_t *protocol = HAS(t, PROTOCOL) ? NUMBER(to, PROTOCOL, uint8_t) : NULL;
    const uint16_t *port = HAS(t, DESTINATION_PORT) ? NUMBER(to, DESTINATION_PORT, uint16_t) : NULL;
    uint16_t *icmp = NUMBER(to, ICMP, uint16_t);
    const bool has_field = netflow_has_icmp(t);
    struct netflow_extra e = {0};
    uint64_t added = 0;
    memset(icmp, 0, n * sizeof(*icmp));
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t of = protocol ? protocol[i] : 0;
        const bool is_icmp = of == 1 || of == 58;
        if (is_icmp && port)
            icmp[i] = port[i];
        uint16_t said = 0;
        if (has_field) {
            extra_of(t, r->p + (size_t)(from + i) * t->least_bytes, &e);
            said = netflow_icmp(of, &e);
        }
        if (said)
            icmp[i] = said;
        if (!is_icmp && !said)
            continue;
        to->present[to->row + i] |= FLOW_HAS(FLOW_ICMP);
        added = FLOW_HAS(FLOW_ICMP);
    }
    return added;
}

static uint64_t check_icmp(const struct netflow_plain *r, uint32_t from, uint32_t n, const struct netflow_columns *to)
{
    if (netflow_has_icmp(r->t))
        return mark_icmp(r, from, n, to);
    if (!HAS(r->t, PROTOCOL) || !HAS(r->t, DESTINATION_PORT))
        return 0;
    const uint8_t *protocol = NUMBER(to, PROTOCOL, uint8_t);
    unsigned any = 0;
    for (uint32_t i = 0; i < n; i++)
        any |= (unsigned)(protocol[i] == 1) | (unsigned)(protocol[i] == 58);
    return any ? mark_icmp(r, from, n, to) : 0;
}

uint64_t netflow_plain_present(const struct netflow_plain *r)
{
    return r->t->present | NETFLOW_ALWAYS | (r->rate > 1 ? FLOW_HAS(FLOW_SAMPLING) : 0);
}

uint64_t netflow_columns_decode(const struct netflow_plain *r, uint32_t from, uint32_t n, const struct netflow_columns *to)
{
    put_ops(r, from, n, to);
    put_clock(r, n, to);
    put_sampling(r, n, to);
    return check_times(r, from, n, to) | check_icmp(r, from, n, to);
}

/* is_same - the bytes of a field in all records. */
static bool is_same(const struct netflow_plain *r, const struct netflow_op *op)
{
    const uint8_t *first = r->p + op->from;
    for (uint32_t i = 1; i < r->n; i++)
        if (memcmp(first, first + (size_t)i * r->t->least_bytes, op->length) != 0)
            return false;
    return true;
}

/* has_mapped - some record's source is an IPv4 address in IPv6 form: its row may belong among those of IPv4. */
static bool has_mapped(const struct netflow_plain *r, const struct netflow_op *op)
{
    const uint8_t *p = r->p + op->from;
    bool any = false;
    for (uint32_t i = 0; i < r->n; i++, p += r->t->least_bytes)
        any |= !(load_be64(p) | (load_be32(p + 8) ^ 0xffff));
    return any;
}

bool netflow_plain_is_one(const struct netflow_plain *r, bool sampling_matters)
{
    if (!sampling_matters && r->t->plain_family == 4)
        return true;
    for (uint16_t i = 0; i < r->t->n_ops; i++) {
        const struct netflow_op *op = &r->t->ops[i];
        if (sampling_matters && op->to_extra && netflow_op_is_sampling(op->to) && !is_same(r, op))
            return false;
        if (r->t->plain_family == 6 && !op->to_extra && op->column == FLOW_SOURCE_IP && has_mapped(r, op))
            return false;
    }
    return true;
}
