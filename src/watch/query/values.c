/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values become sets: intervals of numbers and times, sorted sets of addresses.
 */
#include "watch/query/parse.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
    const char *name;
    uint64_t times;
} units[] = {
    {"", 1},
    {"k", 1000},
    {"m", 1000000},
    {"g", 1000000000},
    {"t", UINT64_C(1000000000000)},
    {"ki", UINT64_C(1) << 10},
    {"mi", UINT64_C(1) << 20},
    {"gi", UINT64_C(1) << 30},
    {"ti", UINT64_C(1) << 40},
};

static int parse_hex(struct text t, uint64_t *ret)
{
    if (t.n < 3 || t.n > 18 || t.p[0] != '0' || (t.p[1] | 0x20) != 'x')
        return 1;
    uint64_t v = 0;
    for (size_t i = 2; i < t.n; i++) {
        char c = t.p[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
        if (digit > 15)
            return 1;
        v = v << 4 | digit;
    }
    *ret = v;
    return 0;
}

static int parse_unit(struct text t, uint64_t *ret)
{
    if (t.n && (t.p[t.n - 1] | 0x20) == 'b')
        t.n--;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (text_is_nocase(t, units[i].name)) {
            *ret = units[i].times;
            return 0;
        }
    return 1;
}

static size_t digits(struct text t, size_t from)
{
    size_t i = from;
    while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9')
        i++;
    return i - from;
}

int query_number_parse(struct text t, uint64_t *ret)
{
    if (!parse_hex(t, ret))
        return 0;
    size_t n_whole = digits(t, 0), n_fraction = 0, end = n_whole;
    if (!n_whole)
        return 1;
    if (end < t.n && t.p[end] == '.') {
        n_fraction = digits(t, end + 1);
        if (n_fraction < 1 || n_fraction > 6)
            return 1;
        end += 1 + n_fraction;
    }
    uint64_t whole, times, fraction = 0, scale = 1;
    if (text_u64((struct text){t.p, n_whole}, UINT64_MAX, &whole) || parse_unit((struct text){t.p + end, t.n - end}, &times))
        return 1;
    if (n_fraction && text_u64((struct text){t.p + n_whole + 1, n_fraction}, 999999, &fraction))
        return 1;
    for (size_t i = 0; i < n_fraction; i++)
        scale *= 10;
    if (fraction * times % scale) /* at most 10^6 * 2^40 */
        return 1;
    if (__builtin_mul_overflow(whole, times, &whole) || __builtin_add_overflow(whole, fraction * times / scale, &whole))
        return 1;
    *ret = whole;
    return 0;
}

static bool is_signed_field(const struct query_field *f)
{
    return f->value == QUERY_TIME || f->value == QUERY_SIGNED;
}

/* A time says a stretch: a day when it has no clock, a second when it has no decimals. */
static int parse_time(const struct query_language *l, struct text t, struct query_interval *ret)
{
    int64_t us;
    if (!clock_parse(t.p, t.n, l->zone_s, &us)) {
        bool has_clock = memchr(t.p, ':', t.n), has_decimals = memchr(t.p, '.', t.n) || memchr(t.p, ',', t.n);
        bool is_number = digits(t, 0) >= 10;
        int64_t more = is_number || has_decimals ? 0 : has_clock ? US_PER_SECOND - 1 : US_PER_DAY - 1;
        *ret = (struct query_interval){(uint64_t)us, (uint64_t)(us + more)};
        return 0;
    }
    char span[24];
    if (t.n >= sizeof(span))
        return 1;
    memcpy(span, t.p, t.n);
    span[t.n] = '\0';
    if (clock_parse_span(span, &us))
        return 1;
    *ret = (struct query_interval){(uint64_t)(l->now_us - us), (uint64_t)(l->now_us - us)};
    return 0;
}

static int parse_signed(struct text t, struct query_interval *ret)
{
    bool is_negative = t.n && t.p[0] == '-';
    uint64_t v;
    if (query_number_parse(is_negative ? (struct text){t.p + 1, t.n - 1} : t, &v) || v > INT64_MAX)
        return 1;
    int64_t s = is_negative ? -(int64_t)v : (int64_t)v;
    *ret = (struct query_interval){(uint64_t)s, (uint64_t)s};
    return 0;
}

/* one point (or the stretch a time means) of a field */
static int parse_point(const struct query_language *l, const struct query_field *f, struct text t, struct query_interval *ret)
{
    if (f->value == QUERY_TIME)
        return parse_time(l, t, ret);
    if (f->value == QUERY_SIGNED)
        return parse_signed(t, ret);
    uint8_t protocol;
    uint64_t v;
    bool is_protocol = f->column == FLOW_COLUMN_NUMBER(FLOW_PROTOCOL);
    if (is_protocol && !flow_transport_parse(t, &protocol))
        v = protocol;
    else if (f->kind == QUERY_FIELD_DIRECTION && (text_is_nocase(t, "ingress") || text_is_nocase(t, "egress")))
        v = text_is_nocase(t, "egress");
    else if (query_number_parse(t, &v) || v > f->max)
        return 1;
    *ret = (struct query_interval){v, v};
    return 0;
}

/* where a range is split: at "..", or for unsigned numbers at '-' */
static bool split_range(const struct query_field *f, struct text t, struct text *ret_low, struct text *ret_high)
{
    for (size_t i = 1; i < t.n; i++) {
        size_t n = t.p[i] == '.' && i + 1 < t.n && t.p[i + 1] == '.' ? 2 : t.p[i] == '-' && !is_signed_field(f) ? 1 : 0;
        if (!n || i + n >= t.n)
            continue;
        *ret_low = text_trim((struct text){t.p, i});
        *ret_high = text_trim((struct text){t.p + i + n, t.n - i - n});
        return true;
    }
    return false;
}

static bool is_after(const struct query_field *f, uint64_t a, uint64_t b)
{
    return is_signed_field(f) ? (int64_t)a > (int64_t)b : a > b;
}

int query_interval_of(const struct query_language *l, const struct query_field *f, enum query_compare compare,
                      struct text word, struct query_interval *ret, bool *ret_is_empty)
{
    struct query_interval low, high;
    struct text first, last;
    *ret_is_empty = false;
    if (parse_point(l, f, word, ret)) {
        if (compare > QUERY_UNEQUAL || !split_range(f, word, &first, &last) || parse_point(l, f, first, &low) ||
            parse_point(l, f, last, &high) || is_after(f, low.first, high.last))
            return 1;
        *ret = (struct query_interval){low.first, high.last};
        return 0;
    }
    uint64_t least = is_signed_field(f) ? (uint64_t)INT64_MIN : 0, greatest = is_signed_field(f) ? INT64_MAX : UINT64_MAX;
    uint64_t point = ret->first;
    switch (compare) {
    case QUERY_EQUAL:
    case QUERY_UNEQUAL:
        return 0;
    case QUERY_LESS:
        *ret_is_empty = point == least;
        *ret = (struct query_interval){least, point - 1};
        return 0;
    case QUERY_LESS_EQUAL:
        *ret = (struct query_interval){least, point};
        return 0;
    case QUERY_GREATER:
        *ret_is_empty = point == greatest;
        *ret = (struct query_interval){point + 1, greatest};
        return 0;
    case QUERY_GREATER_EQUAL:
        *ret = (struct query_interval){point, greatest};
        return 0;
    }
    return 1;
}

enum message_id query_wants(const struct query_field *f)
{
    if (f->value == QUERY_IP)
        return MSG_query_want_address;
    if (f->value == QUERY_TIME)
        return MSG_query_want_time;
    if (f->column == FLOW_COLUMN_NUMBER(FLOW_PROTOCOL) && f->kind != QUERY_FIELD_TEXT)
        return MSG_query_want_transport;
    if (f->kind == QUERY_FIELD_DIRECTION)
        return MSG_query_want_direction;
    if (f->max == UINT16_MAX)
        return MSG_query_want_number16;
    if (f->max == UINT8_MAX)
        return MSG_query_want_number8;
    return f->value == QUERY_TEXT ? MSG_query_want_text : MSG_query_want_number;
}

static int order_unsigned(const void *a, const void *b)
{
    const struct query_interval *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

size_t query_intervals_join(struct query_interval *v, size_t n, bool is_signed)
{
    const uint64_t bias = is_signed ? UINT64_C(1) << 63 : 0;
    if (!n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        v[i].first ^= bias;
        v[i].last ^= bias;
    }
    qsort(v, n, sizeof(*v), order_unsigned);
    size_t kept = 0;
    for (size_t i = 1; i < n; i++) {
        if (v[kept].last == UINT64_MAX || v[i].first <= v[kept].last + 1) {
            if (v[i].last > v[kept].last)
                v[kept].last = v[i].last;
            continue;
        }
        v[++kept] = v[i];
    }
    for (size_t i = 0; i <= kept; i++) {
        v[i].first ^= bias;
        v[i].last ^= bias;
    }
    return kept + 1;
}

static int order_ranges(const void *a, const void *b)
{
    const struct ip_range *x = a, *y = b;
    return ip_compare(&x->first, &y->first);
}

/* overlapping and touching ranges become one; returns how many are left */
static size_t join_ranges(struct ip_range *r, size_t n)
{
    size_t kept = 0;
    for (size_t i = 1; i < n; i++) {
        struct ip after = ip_next(&r[kept].last);
        bool touches = ip_compare(&r[i].first, &r[kept].last) <= 0 ||
                       (ip_equal(&r[i].first, &after) && ip_is_v4(&r[i].first) == ip_is_v4(&r[kept].last));
        if (!touches) {
            r[++kept] = r[i];
            continue;
        }
        if (ip_compare(&r[i].last, &r[kept].last) > 0)
            r[kept].last = r[i].last;
    }
    return n ? kept + 1 : 0;
}

/* A range of IPv6 over the mapped block leaves it out: those are IPv4. @out: room for two more. Return: how many. */
static size_t split_mapped(const struct ip_range *r, struct ip_range *out)
{
    struct ip v4_first = ip_from_v4(0), v4_last = ip_from_v4(UINT32_MAX);
    if (ip_is_v4(&r->first) || ip_compare(&r->last, &v4_first) < 0 || ip_compare(&r->first, &v4_last) > 0) {
        out[0] = *r;
        return 1;
    }
    struct ip before = v4_first;
    before.b[10] = 0xff;
    before.b[11] = 0xfe;
    memset(before.b + 12, 0xff, 4);
    size_t n = 0;
    out[n++] = (struct ip_range){r->first, before};
    if (ip_compare(&r->last, &v4_last) > 0)
        out[n++] = (struct ip_range){ip_next(&v4_last), r->last};
    return n;
}

int query_set_build(struct arena *a, struct ip_range *ranges, size_t n, struct address_set *ret)
{
    struct ip_range *all = arena_alloc(a, (2 * n + 1) * sizeof(*all));
    uint32_t *v4 = arena_alloc(a, (n + 1) * sizeof(*v4));
    struct v4_range *v4_ranges = arena_alloc(a, (n + 1) * sizeof(*v4_ranges));
    struct ip_range *v6 = arena_alloc(a, (2 * n + 1) * sizeof(*v6));
    if (!all || !v4 || !v4_ranges || !v6)
        return -ENOMEM;
    size_t n_all = 0;
    for (size_t i = 0; i < n; i++)
        n_all += split_mapped(&ranges[i], all + n_all);
    qsort(all, n_all, sizeof(*all), order_ranges);
    n_all = join_ranges(all, n_all);
    *ret = (struct address_set){.v4 = v4, .v4_ranges = v4_ranges, .v6 = v6};
    for (size_t i = 0; i < n_all; i++) {
        if (!ip_is_v4(&all[i].first))
            v6[ret->n_v6++] = all[i];
        else if (ip_equal(&all[i].first, &all[i].last))
            v4[ret->n_v4++] = ip_v4(&all[i].first);
        else
            v4_ranges[ret->n_v4_ranges++] = (struct v4_range){ip_v4(&all[i].first), ip_v4(&all[i].last)};
    }
    return 0;
}
