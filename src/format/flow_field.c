/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One switch over what a column holds. What a single value cannot decide (is
 * there an end or only a duration, are the totals split by direction) waits in
 * the row until it is finished.
 */
#include "format/flow_field.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SECONDS INT64_C(100000000000)

/* bits of flow_row.seen; payload uses two: SEEN_PAYLOAD << direction */
enum {
    SEEN_DURATION = 1,
    SEEN_TOTAL_BYTES = 2,
    SEEN_TOTAL_PACKETS = 4,
    SEEN_PAYLOAD = 8,
    SEEN_OBSERVER = 32,
    SEEN_HEX_PORT = 64, /* Argus: the source port is ICMP type and code */
    SEEN_TYPE_CODE = 128, /* nfdump: the destination port was type.code */
    SEEN_BIFLOW = 256,    /* a total says of the other direction also that it was empty */
};

static const char *const refusal_names[FLOW_TEXT_N_REFUSALS] = {
#define X(ID, name) name,
    FLOW_TEXT_REFUSALS(X)
#undef X
};

const char *flow_text_refusal_name(enum flow_text_refusal reason)
{
    return reason < FLOW_TEXT_N_REFUSALS ? refusal_names[reason] : "";
}

/* ---- plans */

void flow_plan_clear(struct flow_plan *p)
{
    p->n = 0;
    p->meant = 0;
    p->names.max = (size_t)1 << 20; /* CSV_MAX_FIELDS columns of two names of 256 bytes are half of it */
    buf_clear(&p->names);
}

void flow_plan_fini(struct flow_plan *p)
{
    buf_fini(&p->names);
}

/* cut - at most @n bytes, on a character. */
static struct text cut(struct text t, size_t n)
{
    if (t.n <= n)
        return t;
    while (n && ((uint8_t)t.p[n] & 0xc0) == 0x80)
        n--;
    return (struct text){t.p, n};
}

static uint32_t put_name(struct buf *names, const char *prefix, struct text name)
{
    uint32_t at = (uint32_t)names->n;
    size_t n_prefix = strlen(prefix);
    name = cut(name, 255 - n_prefix);
    buf_add_byte(names, (uint8_t)(n_prefix + name.n));
    buf_add(names, prefix, n_prefix);
    buf_add(names, name.p, name.n);
    return at;
}

static uint64_t meaning(const struct flow_known *k)
{
    switch ((enum flow_field_kind)k->kind) {
    case FIELD_ADDRESS:
    case FIELD_ADDRESS_PORT:
        return FLOW_HAS_ADDRESS(k->arg);
    case FIELD_TIME:
    case FIELD_EPOCH:
        return FLOW_HAS(k->arg);
    case FIELD_TEXT:
    case FIELD_IGNORED:
    case FIELD_NUMBER:
    case FIELD_SMALL:
    case FIELD_PORT:
    case FIELD_DURATION:
    case FIELD_DURATION_MS:
    case FIELD_DURATION_NS:
    case FIELD_PROTOCOL:
    case FIELD_FLAGS:
    case FIELD_TOTAL_BYTES:
    case FIELD_TOTAL_PACKETS:
    case FIELD_PAYLOAD:
    case FIELD_OBSERVER:
    case FIELD_ENGINE:
        return 0;
    }
    return 0;
}

int flow_plan_add(struct flow_plan *p, struct text column, const struct flow_known *known, const char *prefix)
{
    if (p->n == CSV_MAX_FIELDS)
        return 1;
    column = text_trim(column);
    struct flow_field *f = &p->fields[p->n];
    *f = (struct flow_field){.kind = FIELD_TEXT};
    if (known) {
        *f = (struct flow_field){.kind = known->kind, .arg = known->arg, .may_skip_zero = known->may_skip_zero,
                                .is_proof = known->is_proof};
        p->meant |= meaning(known);
    } else if (!column.n) {
        f->kind = FIELD_IGNORED; /* a separator behind the last name */
    }
    f->column = put_name(&p->names, "", column);
    if (known && known->text)
        f->text = put_name(&p->names, "", (struct text){known->text, strlen(known->text)});
    else
        f->text = put_name(&p->names, prefix, column);
    if (p->names.is_bad)
        return -ENOMEM;
    p->n++;
    return 0;
}

struct text flow_plan_column(const struct flow_plan *p, uint32_t i)
{
    const char *name = (const char *)p->names.p + p->fields[i].column;
    return (struct text){name + 1, (uint8_t)*name};
}

int flow_plan_find(const struct flow_plan *p, struct text column, uint32_t *hint)
{
    for (uint32_t k = 0; k < p->n; k++) {
        uint32_t i = *hint + k < p->n ? *hint + k : *hint + k - p->n;
        if (text_equal(flow_plan_column(p, i), column)) {
            *hint = i + 1 < p->n ? i + 1 : 0;
            return (int)i;
        }
    }
    return -1;
}

bool flow_plan_is_flow(const struct flow_plan *p)
{
    uint64_t ends = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP);
    return (p->meant & ends) == ends && (p->meant & (FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END)));
}

const struct flow_known *flow_known_find(const struct flow_known *table, size_t n, struct text name)
{
    name = text_trim(name);
    for (size_t i = 0; i < n; i++)
        if (text_is_nocase(name, table[i].name))
            return &table[i];
    return NULL;
}

/* ---- values */

bool field_is_mac(struct text t)
{
    if (t.n < 11 || t.n > 17)
        return false;
    unsigned octets = 1, digits = 0;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (c == ':' || c == '-') {
            if (!digits)
                return false;
            octets++;
            digits = 0;
        } else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
            if (++digits > 2)
                return false;
        } else {
            return false;
        }
    }
    return octets == 6 && digits;
}

/* with_exponent - what strtod reads, for the rare number written with an exponent. */
static int with_exponent(struct text t, int64_t *ret_us)
{
    char copy[64], *end;
    if (!t.n || t.n >= sizeof(copy))
        return 1;
    for (size_t i = 0; i < t.n; i++) /* no blanks, hexadecimals, infinities */
        if (!strchr("0123456789+-.eE", t.p[i]) || !t.p[i])
            return 1;
    memcpy(copy, t.p, t.n);
    copy[t.n] = '\0';
    double v = strtod(copy, &end) * 1e6;
    if (*end || end == copy || !(fabs(v) < 9e18))
        return 1;
    *ret_us = (int64_t)llround(v);
    return 0;
}

int field_decimal_us(struct text t, int64_t *ret_us)
{
    const char *p = t.p, *end = t.p + t.n;
    bool is_negative = p < end && *p == '-';
    p += is_negative;
    const char *begin = p;
    int64_t v = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - begin < 12)
        v = v * 10 + (*p++ - '0');
    if (p == begin)
        return with_exponent(t, ret_us);
    v *= US_PER_SECOND;
    if (p < end && *p == '.') {
        int64_t scale = US_PER_SECOND / 10;
        const char *fraction = ++p;
        for (; p < end && *p >= '0' && *p <= '9'; p++) {
            if (!scale && p == fraction + 6)
                v += *p >= '5';
            v += scale * (*p - '0');
            scale /= 10;
        }
        if (p == fraction)
            return 1;
    }
    if (p != end)
        return with_exponent(t, ret_us);
    *ret_us = is_negative ? -v : v;
    return 0;
}

/* clock_text_us - "[N d|N days ]HH:MM:SS[.mmm]", as nfdump writes long durations. */
static int clock_text_us(struct text t, int64_t *ret_us)
{
    uint64_t days = 0, h, m;
    const char *blank = memchr(t.p, ' ', t.n);
    if (blank) {
        if (text_u64((struct text){t.p, (size_t)(blank - t.p)}, 100000, &days))
            return 1;
        const char *last = memrchr(t.p, ' ', t.n);
        t = (struct text){last + 1, (size_t)(t.p + t.n - last - 1)};
    }
    const char *first = memchr(t.p, ':', t.n);
    const char *second = first ? memchr(first + 1, ':', (size_t)(t.p + t.n - first - 1)) : NULL;
    if (!second || text_u64((struct text){t.p, (size_t)(first - t.p)}, 1000000, &h) ||
        text_u64((struct text){first + 1, (size_t)(second - first - 1)}, 59, &m))
        return 1;
    int64_t seconds_us;
    if (field_decimal_us((struct text){second + 1, (size_t)(t.p + t.n - second - 1)}, &seconds_us) || seconds_us < 0)
        return 1;
    *ret_us = (int64_t)(days * 86400 + h * 3600 + m * 60) * US_PER_SECOND + seconds_us;
    return 0;
}

static bool two_digits(const char *p, unsigned *ret)
{
    unsigned a = (unsigned char)p[0] - (unsigned)'0', b = (unsigned char)p[1] - (unsigned)'0';
    *ret = a * 10 + b;
    return a < 10 && b < 10;
}

/*
 * civil_time - "yyyy?mm?dd HH:MM:SS[.ffffff]" without a zone, the day remembered from row to row.
 * Return: 0, or 1: anything else, which clock_parse may know.
 */
static int civil_time(struct flow_row *r, struct text t, int64_t *ret_us)
{
    unsigned h, m, s;
    const char *p = t.p;
    if (t.n < 19 || t.n > 26 || (p[10] != ' ' && p[10] != 'T') || p[13] != ':' || p[16] != ':' ||
        !two_digits(p + 11, &h) || !two_digits(p + 14, &m) || !two_digits(p + 17, &s) || h > 23 || m > 59 || s > 59)
        return 1;
    if (memcmp(p, r->day, 10)) {
        int64_t day_us;
        if (clock_parse(p, 10, r->zone_s, &day_us))
            return 1;
        r->day_us = day_us;
        memcpy(r->day, p, 10);
    }
    int64_t us = 0;
    if (t.n > 19) {
        if (p[19] != '.' || t.n == 20)
            return 1;
        for (size_t i = 20; i < 26; i++) {
            unsigned digit = i < t.n ? (unsigned char)p[i] - (unsigned)'0' : 0;
            if (digit > 9)
                return 1;
            us = us * 10 + digit;
        }
    }
    *ret_us = r->day_us + (int64_t)(h * 3600 + m * 60 + s) * US_PER_SECOND + us;
    return 0;
}

static int64_t *time_member(struct flow *f, uint8_t number)
{
    switch (number) {
    case FLOW_START: return &f->start_us;
    case FLOW_END: return &f->end_us;
    case FLOW_RECEIVED: return &f->received_us;
    default: return NULL;
    }
}

static int put_time(struct flow_row *r, uint8_t number, struct text t, bool is_epoch)
{
    int64_t us, *member = time_member(&r->flow, number);
    if (!t.n || !member)
        return 0;
    /* a number of 12 digits and more counts milliseconds or less: clock_parse tells which */
    bool is_seconds = is_epoch && civil_time(r, t, &us) && !field_decimal_us(t, &us) &&
                      us > -MOST_SECONDS * US_PER_SECOND && us < MOST_SECONDS * US_PER_SECOND;
    if (!is_seconds && civil_time(r, t, &us) && clock_parse(t.p, t.n, r->zone_s, &us))
        return flow_row_refuse(r, FLOW_TEXT_BAD_TIME, t);
    *member = us;
    r->flow.present |= FLOW_HAS(number);
    return 0;
}

static int put_duration(struct flow_row *r, struct text t, int64_t per_second)
{
    int64_t us;
    if (!t.n)
        return 0;
    if (field_decimal_us(t, &us) && clock_text_us(t, &us))
        return flow_row_refuse(r, FLOW_TEXT_BAD_TIME, t);
    if (us < 0)
        return flow_row_refuse(r, FLOW_TEXT_BAD_TIME, t);
    r->duration_us = us / per_second;
    r->seen |= SEEN_DURATION;
    return 0;
}

static int put_address(struct flow_row *r, uint8_t which, struct text t)
{
    struct ip a;
    bool is_end = which == FLOW_SOURCE_IP || which == FLOW_DESTINATION_IP;
    if (!t.n)
        return is_end ? flow_row_refuse(r, FLOW_TEXT_NO_ADDRESS, t) : 0;
    if (ip_parse(t.p, t.n, &a)) {
        const char *zone = memchr(t.p, '%', t.n); /* RFC 4007: an interface of the exporter, no part of the address */
        if (!zone || ip_parse(t.p, (size_t)(zone - t.p), &a))
            return flow_row_refuse(r, field_is_mac(t) ? FLOW_TEXT_MAC_ADDRESS : FLOW_TEXT_BAD_ADDRESS, t);
    }
    switch ((enum flow_address)which) {
#define X(ID, member, ecs, alias)  \
    case FLOW_##ID:                \
        r->flow.member = a;        \
        break;
        FLOW_ADDRESSES(X)
#undef X
    case FLOW_N_ADDRESSES:
        return 0;
    }
    r->flow.present |= FLOW_HAS_ADDRESS(which);
    return 0;
}

static uint64_t most(uint8_t number)
{
    unsigned width = flow_columns[FLOW_COLUMN_NUMBER(number)].width;
    return width >= 8 ? UINT64_MAX : (UINT64_C(1) << width * 8) - 1;
}

static void set_number(struct flow *f, uint8_t number, uint64_t v)
{
    switch ((enum flow_number)number) {
#define X(ID, member, type, ecs, alias) \
    case FLOW_##ID:                     \
        f->member = (type)v;            \
        break;
        FLOW_NUMBERS(X)
#undef X
    case FLOW_N_NUMBERS:
        return;
    }
    f->present |= FLOW_HAS(number);
}

/* scaled - "1.2 M" and "12.0" as nfdump and spreadsheets write counters; a whole number in the end. */
static int scaled(struct text t, uint64_t *ret)
{
    double scale = 1;
    if (t.n && strchr("kKMGT", t.p[t.n - 1]) && t.p[t.n - 1]) {
        static const char letters[] = "kKMGT";
        static const double scales[] = {1e3, 1e3, 1e6, 1e9, 1e12};
        scale = scales[strchr(letters, t.p[t.n - 1]) - letters];
        t = text_trim((struct text){t.p, t.n - 1});
    }
    int64_t millionths;
    if (!t.n || *t.p == '-' || field_decimal_us(t, &millionths))
        return 1;
    double v = (double)millionths / 1e6 * scale;
    if (v >= 1.8e19)
        return 1;
    *ret = (uint64_t)(v + 0.5);
    return 0;
}

static int counter(struct flow_row *r, struct text t, uint64_t max, uint64_t *ret)
{
    if (t.n == 1 && *t.p == '0') {
        *ret = 0;
        return 0;
    }
    if (!text_u64(t, max, ret) || (!scaled(t, ret) && *ret <= max))
        return 0;
    return flow_row_refuse(r, FLOW_TEXT_BAD_NUMBER, t);
}

static bool is_zero_text(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] != '0' && t.p[i] != '.' && t.p[i] != ':' && t.p[i] != '-' && t.p[i] != '/' && t.p[i] != ' ')
            return false;
    return true;
}

/* is_zero_time - nfdump prints second 0 of 1970 in local time for a time that was not exported. */
static bool is_zero_time(const struct flow_field *f, struct text t)
{
    return f->kind == FIELD_TIME && t.n >= 10 && !memcmp(t.p, "1970-01-01", 10);
}

static void put_text(struct flow_row *r, const char *packed_name, struct text value)
{
    if (!value.n)
        return;
    if (value.n > 65535)
        value = cut(value, 65535);
    size_t n_name = 1 + (size_t)(uint8_t)packed_name[0];
    uint8_t *p = buf_room(r->texts, n_name + 2 + value.n);
    if (!p)
        return; /* is_bad tells the owner */
    memmove(p, packed_name, n_name); /* not memcpy: gcc makes "rep movs" of it here, which starts slowly */
    p[n_name] = (uint8_t)value.n;
    p[n_name + 1] = (uint8_t)(value.n >> 8);
    memmove(p + n_name + 2, value.p, value.n);
    r->texts->n += n_name + 2 + value.n;
}

static int put_number(struct flow_row *r, const struct flow_field *f, const char *text_name, struct text t)
{
    uint64_t v;
    if (!t.n)
        return 0;
    if (f->kind == FIELD_SMALL && text_u64(t, most(f->arg), &v)) {
        put_text(r, text_name, t);
        return 0;
    }
    if (f->kind == FIELD_NUMBER && counter(r, t, most(f->arg), &v))
        return 1;
    if (v || !f->may_skip_zero)
        set_number(&r->flow, f->arg, v);
    return 0;
}

static int hexadecimal(struct text t, uint64_t *ret)
{
    uint64_t v = 0;
    if (t.n < 3 || t.n > 10 || t.p[0] != '0' || (t.p[1] != 'x' && t.p[1] != 'X'))
        return 1;
    for (size_t i = 2; i < t.n; i++) {
        char c = t.p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return 1;
        v = v << 4 | digit;
    }
    *ret = v;
    return 0;
}

/* type_and_code - "8.0": nfdump's destination port of ICMP. */
static int type_and_code(struct text t, uint64_t *ret)
{
    uint64_t type, code;
    const char *dot = t.n ? memchr(t.p, '.', t.n) : NULL;
    if (!dot && t.n)
        dot = memchr(t.p, ':', t.n);
    if (!dot || text_u64((struct text){t.p, (size_t)(dot - t.p)}, 255, &type) ||
        text_u64((struct text){dot + 1, (size_t)(t.p + t.n - dot - 1)}, 255, &code))
        return 1;
    *ret = type << 8 | code;
    return 0;
}

static int put_port(struct flow_row *r, uint8_t number, const char *text_name, struct text t)
{
    uint64_t v;
    if (!t.n)
        return 0;
    if (!text_u64(t, UINT64_MAX, &v)) {
        if (v > 65535)
            return flow_row_refuse(r, FLOW_TEXT_BAD_PORT, t);
    } else if (!hexadecimal(t, &v)) {
        if (v > 65535)
            return flow_row_refuse(r, FLOW_TEXT_BAD_PORT, t);
        if (number == FLOW_SOURCE_PORT)
            r->seen |= SEEN_HEX_PORT;
    } else if (!type_and_code(t, &v)) {
        if (number == FLOW_DESTINATION_PORT)
            r->seen |= SEEN_TYPE_CODE;
    } else if ((t.p[0] >= 'a' && t.p[0] <= 'z') || (t.p[0] >= 'A' && t.p[0] <= 'Z') || t.p[0] == '*') {
        put_text(r, text_name, t); /* a service name: the number is not known */
        return 0;
    } else {
        return flow_row_refuse(r, FLOW_TEXT_BAD_PORT, t);
    }
    set_number(&r->flow, number, v);
    return 0;
}

static int put_address_port(struct flow_row *r, uint8_t which, const char *text_name, struct text t)
{
    uint8_t port = which == FLOW_SOURCE_IP ? FLOW_SOURCE_PORT : FLOW_DESTINATION_PORT;
    const char *last = t.n ? memrchr(t.p, ':', t.n) : NULL, *first = t.n ? memchr(t.p, ':', t.n) : NULL;
    if (last && first != last && memchr(t.p, '.', (size_t)(first - t.p))) { /* IPv4:type:code, as one labeller has it */
        last = first;
    } else if (last && first != last) { /* IPv6: nfdump joins the port with a dot */
        const char *dot = memchr(last, '.', (size_t)(t.p + t.n - last));
        if (!dot)
            return put_address(r, which, t);
        last = dot;
    }
    if (!last)
        return put_address(r, which, t);
    if (put_address(r, which, (struct text){t.p, (size_t)(last - t.p)}))
        return 1;
    return put_port(r, port, text_name, (struct text){last + 1, (size_t)(t.p + t.n - last - 1)});
}

static void put_protocol(struct flow_row *r, const char *text_name, struct text t)
{
    uint8_t number;
    if (!t.n)
        return;
    if (t.n == 3 && !memcmp(t.p, "tcp", 3)) {
        number = 6;
    } else if (t.n == 3 && !memcmp(t.p, "udp", 3)) {
        number = 17;
    } else if (flow_transport_parse(t, &number)) {
        put_text(r, text_name, t); /* not over IP (arp), or a name nobody numbered */
        return;
    } else if (number == 17 && (text_is_nocase(t, "rtp") || text_is_nocase(t, "rtcp") || text_is_nocase(t, "udt"))) {
        put_text(r, text_name, t);
    }
    set_number(&r->flow, FLOW_PROTOCOL, number);
}

/* put_flags - a number, or letters: nfdump writes one column per flag, dots where it is not set. */
static void put_flags(struct flow_row *r, uint8_t number, const char *text_name, struct text t)
{
    static const char letters[] = "FSRPAUEC"; /* RFC 9293 3.1 and RFC 3168, bit 0 upwards */
    uint64_t v = 0;
    if (!t.n)
        return;
    if (text_u64(t, 65535, &v) && hexadecimal(t, &v)) {
        for (size_t i = 0; i < t.n; i++) {
            const char *letter = t.p[i] ? strchr(letters, t.p[i]) : NULL;
            if (t.p[i] == 'W') /* CWR by its second letter */
                v |= 128;
            else if (letter)
                v |= UINT64_C(1) << (letter - letters);
            else if (t.p[i] != '.')
                break;
            if (i + 1 == t.n) {
                set_number(&r->flow, number, v);
                return;
            }
        }
        put_text(r, text_name, t);
        return;
    }
    set_number(&r->flow, number, v);
}

static int put_total(struct flow_row *r, const struct flow_field *f, struct text t, uint64_t *total, uint32_t bit)
{
    if (!t.n)
        return 0;
    if (counter(r, t, UINT64_MAX, total))
        return 1;
    r->seen |= bit | (f->arg ? (uint32_t)SEEN_BIFLOW : 0);
    return 0;
}

static int put_payload(struct flow_row *r, const struct flow_field *f, const char *text_name, struct text t)
{
    unsigned direction = f->arg == FLOW_DESTINATION_BYTES;
    if (!t.n)
        return 0;
    if (counter(r, t, UINT64_MAX, &r->payload[direction]))
        return 1;
    r->seen |= (uint32_t)SEEN_PAYLOAD << direction;
    put_text(r, text_name, t);
    return 0;
}

static void put_engine(struct flow_row *r, const char *text_name, struct text t)
{
    uint64_t type, id;
    const char *slash = t.n ? memchr(t.p, '/', t.n) : NULL;
    if (!slash || text_u64((struct text){t.p, (size_t)(slash - t.p)}, 255, &type) ||
        text_u64((struct text){slash + 1, (size_t)(t.p + t.n - slash - 1)}, 255, &id)) {
        put_text(r, text_name, t);
        return;
    }
    r->observer.domain = (uint32_t)(type << 8 | id);
}

static void put_observer(struct flow_row *r, const char *text_name, struct text t)
{
    struct ip a;
    if (!t.n || is_zero_text(t))
        return;
    if (ip_parse(t.p, t.n, &a)) {
        put_text(r, text_name, t);
        return;
    }
    r->observer.ip = a;
    r->seen |= SEEN_OBSERVER;
}

void flow_row_begin(struct flow_row *r)
{
    memset(&r->flow, 0, sizeof(r->flow));
    r->observer = (struct flow_observer){0};
    r->seen = 0;
}

int flow_row_refuse(struct flow_row *r, enum flow_text_refusal reason, struct text fault)
{
    r->reason = reason;
    r->fault = fault;
    return 1;
}

int flow_row_put(struct flow_row *r, const struct flow_plan *p, uint32_t column, struct text value)
{
    const struct flow_field *f = &p->fields[column];
    const char *name = (const char *)p->names.p + f->text;
    if (value.n && (*value.p <= ' ' || value.p[value.n - 1] <= ' ' || (uint8_t)value.p[value.n - 1] == 0xa0))
        value = text_trim(value);
    if (f->may_skip_zero && f->kind != FIELD_NUMBER && (is_zero_text(value) || is_zero_time(f, value)))
        return 0;
    switch ((enum flow_field_kind)f->kind) {
    case FIELD_IGNORED:
        return 0;
    case FIELD_TEXT:
        put_text(r, name, value);
        return 0;
    case FIELD_ADDRESS:
        return put_address(r, f->arg, value);
    case FIELD_NUMBER:
    case FIELD_SMALL:
        return put_number(r, f, name, value);
    case FIELD_PORT:
        return put_port(r, f->arg, name, value);
    case FIELD_TIME:
        return put_time(r, f->arg, value, false);
    case FIELD_EPOCH:
        return put_time(r, f->arg, value, true);
    case FIELD_DURATION:
        return put_duration(r, value, 1);
    case FIELD_DURATION_MS:
        return put_duration(r, value, 1000);
    case FIELD_DURATION_NS:
        return put_duration(r, value, 1000000000);
    case FIELD_PROTOCOL:
        put_protocol(r, name, value);
        return 0;
    case FIELD_FLAGS:
        put_flags(r, f->arg, name, value);
        return 0;
    case FIELD_TOTAL_BYTES:
        return put_total(r, f, value, &r->total_bytes, SEEN_TOTAL_BYTES);
    case FIELD_TOTAL_PACKETS:
        return put_total(r, f, value, &r->total_packets, SEEN_TOTAL_PACKETS);
    case FIELD_PAYLOAD:
        return put_payload(r, f, name, value);
    case FIELD_OBSERVER:
        put_observer(r, name, value);
        return 0;
    case FIELD_ENGINE:
        put_engine(r, name, value);
        return 0;
    case FIELD_ADDRESS_PORT:
        return put_address_port(r, f->arg, name, value);
    }
    return 0;
}

int flow_row_read(struct flow_row *r, const struct flow_plan *p, const struct csv_record *record)
{
    flow_row_begin(r);
    uint32_t n = record->n < p->n ? record->n : p->n;
    for (uint32_t i = n; i < p->n; i++)
        if (p->fields[i].kind != FIELD_IGNORED)
            return flow_row_refuse(r, FLOW_TEXT_TOO_FEW_COLUMNS, record->raw);
    for (uint32_t i = 0; i < n; i++)
        if (flow_row_put(r, p, i, record->fields[i]))
            return 1;
    for (uint32_t i = n; i < record->n; i++) { /* more values than names: kept by position */
        char name[24];
        int n_name = snprintf(name + 1, sizeof(name) - 1, "column.%u", i + 1);
        name[0] = (char)n_name;
        put_text(r, name, text_trim(record->fields[i]));
    }
    return flow_row_finish(r);
}

/* ---- what follows from several fields */

static int finish_times(struct flow_row *r)
{
    struct flow *f = &r->flow;
    bool has_start = f->present & FLOW_HAS(FLOW_START), has_end = f->present & FLOW_HAS(FLOW_END);
    if (!has_start && !has_end)
        return flow_row_refuse(r, FLOW_TEXT_NO_TIME, (struct text){0});
    int64_t duration_us = r->seen & SEEN_DURATION ? r->duration_us : 0;
    if (!has_end && __builtin_add_overflow(f->start_us, duration_us, &f->end_us))
        f->end_us = f->start_us;
    if (!has_start && __builtin_sub_overflow(f->end_us, duration_us, &f->start_us))
        f->start_us = f->end_us;
    f->present |= FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END);
    return 0;
}

/*
 * split - a total of both directions over the two columns. Where only the total is
 * known it stands in the source column, so that source + destination stays the total.
 */
static void split(struct flow_row *r, uint64_t total, uint64_t *source, uint8_t source_number, uint64_t *destination,
                  uint8_t destination_number)
{
    struct flow *f = &r->flow;
    bool has_source = f->present & FLOW_HAS(source_number), has_destination = f->present & FLOW_HAS(destination_number);
    if (has_source && has_destination)
        return;
    if (has_source) {
        *destination = total > *source ? total - *source : 0;
        if (*destination || (r->seen & SEEN_BIFLOW))
            f->present |= FLOW_HAS(destination_number);
    } else {
        *source = has_destination ? (total > *destination ? total - *destination : 0) : total;
        f->present |= FLOW_HAS(source_number);
    }
}

static void finish_counters(struct flow_row *r)
{
    struct flow *f = &r->flow;
    if (r->seen & SEEN_TOTAL_BYTES)
        split(r, r->total_bytes, &f->source_bytes, FLOW_SOURCE_BYTES, &f->destination_bytes, FLOW_DESTINATION_BYTES);
    if (r->seen & SEEN_TOTAL_PACKETS)
        split(r, r->total_packets, &f->source_packets, FLOW_SOURCE_PACKETS, &f->destination_packets,
              FLOW_DESTINATION_PACKETS);
    if ((r->seen & SEEN_PAYLOAD) && !(f->present & FLOW_HAS(FLOW_SOURCE_BYTES)))
        set_number(f, FLOW_SOURCE_BYTES, r->payload[0]);
    if ((r->seen & SEEN_PAYLOAD << 1) && !(f->present & FLOW_HAS(FLOW_DESTINATION_BYTES)))
        set_number(f, FLOW_DESTINATION_BYTES, r->payload[1]);
}

static void finish_icmp(struct flow_row *r)
{
    struct flow *f = &r->flow;
    if ((f->protocol != 1 && f->protocol != 58) || (f->present & FLOW_HAS(FLOW_ICMP)))
        return;
    if (r->seen & SEEN_TYPE_CODE)
        set_number(f, FLOW_ICMP, f->destination_port);
    else if (r->seen & SEEN_HEX_PORT) /* Argus: type in the low byte, code in the high one */
        set_number(f, FLOW_ICMP, (uint64_t)(f->source_port & 255) << 8 | f->source_port >> 8);
}

int flow_row_finish(struct flow_row *r)
{
    struct flow *f = &r->flow;
    uint64_t ends = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP);
    if ((f->present & ends) != ends)
        return flow_row_refuse(r, FLOW_TEXT_NO_ADDRESS, (struct text){0});
    if (finish_times(r))
        return 1;
    finish_counters(r);
    finish_icmp(r);
    if (r->seen & SEEN_OBSERVER)
        f->present |= FLOW_HAS(FLOW_OBSERVER);
    else
        r->observer = (struct flow_observer){0};
    return 0;
}
