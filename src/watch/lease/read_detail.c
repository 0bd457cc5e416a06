/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FreeRADIUS accounting detail: a line with the time, then "\tAttribute = value" lines, then a blank one. Attributes of RFC 2866,
 * RFC 2869 (Event-Timestamp), RFC 3162 and RFC 4818 (IPv6 prefixes).
 */
#include "watch/lease/read_inside.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum attribute {
    A_STATUS, A_USER, A_CALLER, A_ADDRESS, A_PREFIX, A_NAS, A_NAS_ID, A_TIME, A_STAMP, A_SECONDS, A_SESSION, A_PORT_ID, A_PORT, N_ATTRIBUTES
};

static const struct {
    const char *name;
    uint8_t attribute;
} names[] = {{"Acct-Status-Type", A_STATUS},   {"User-Name", A_USER},           {"Calling-Station-Id", A_CALLER},
             {"Framed-IP-Address", A_ADDRESS}, {"Framed-IPv6-Address", A_PREFIX}, {"Framed-IPv6-Prefix", A_PREFIX},
             {"Delegated-IPv6-Prefix", A_PREFIX}, {"NAS-IP-Address", A_NAS},    {"NAS-IPv6-Address", A_NAS},
             {"NAS-Identifier", A_NAS_ID},     {"Event-Timestamp", A_TIME},     {"Timestamp", A_STAMP},
             {"Acct-Session-Time", A_SECONDS}, {"Acct-Session-Id", A_SESSION},
             {"NAS-Port-Id", A_PORT_ID},       {"NAS-Port", A_PORT}};

struct detail {
    struct reading *r;
    char values[N_ATTRIBUTES][256];
    struct text value[N_ATTRIBUTES]; /* of the open record; empty: not there */
    int64_t heading_us;
    uint64_t line;
    bool is_open;
};

/* month_time - "Aug 25 2016 12:53:07 +07" and "Thu Aug 25 12:53:07 2016". Return: 0 or 1. */
static int month_time(struct text x, int zone_s, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[64], month[4] = "", zone[16] = "";
    struct civil c = {0};
    int n = 0;
    snprintf(text, sizeof(text), "%.*s", (int)(x.n < 63 ? x.n : 63), x.p);
    bool is_known = sscanf(text, "%3s %d %d %d:%d:%d %15s%n", month, &c.day, &c.year, &c.hour, &c.minute, &c.second, zone, &n) >= 6 ||
                    sscanf(text, "%*3s %3s %d %d:%d:%d %d", month, &c.day, &c.hour, &c.minute, &c.second, &c.year) == 6;
    const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (!is_known || !at || (at - months) % 3)
        return 1;
    c.month = (int)((at - months) / 3) + 1;
    if (*zone && clock_parse_zone(zone, &zone_s) && strcmp(zone, "ICT")) /* ICT: Indochina time, the house's own */
        return 1;
    return clock_from_civil(&c, zone_s, ret);
}

static int time_of(const struct detail *d, int64_t *ret)
{
    struct text t = d->value[A_TIME], stamp = d->value[A_STAMP];
    uint64_t v;
    if (t.n && !month_time(t, d->r->o->zone_s, ret))
        return 0;
    if (t.n && !clock_parse(t.p, t.n, d->r->o->zone_s, ret))
        return 0;
    if (stamp.n && !text_u64(stamp, UINT32_MAX * UINT64_C(4), &v)) {
        *ret = (int64_t)v * US_PER_SECOND;
        return 0;
    }
    *ret = d->heading_us;
    return *ret == LEASE_UNKNOWN;
}

/* set_times - a stop tells when the session ended, everything else that it is there. */
static enum lease_word set_times(const struct detail *d, struct lease *l, enum lease_word word, int64_t at_us)
{
    uint64_t seconds;
    bool has_seconds = d->value[A_SECONDS].n && !text_u64(d->value[A_SECONDS], UINT32_MAX, &seconds);
    if (word != LEASE_WORD_BEGIN && word != LEASE_WORD_STILL) {
        l->to_us = at_us;
        return LEASE_WORD_END;
    }
    l->from_us = has_seconds ? at_us - (int64_t)seconds * US_PER_SECOND : at_us;
    return LEASE_WORD_BEGIN;
}

/* port_row - a session without an address (802.1X): which machine, whose, at which port. */
static int port_row(struct detail *d, uint64_t mac, enum lease_word word, int64_t at_us)
{
    struct lease_row row = {.l = {.outside = lease_mac_address(mac), .mac = mac, .from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN,
                                  .port_last = UINT16_MAX, .prefix = 128, .kind = LEASE_DOT1X},
                            .subscriber = d->value[A_USER], .gateway = d->value[A_NAS].n ? d->value[A_NAS] : d->value[A_NAS_ID],
                            .host = d->value[A_PORT_ID].n ? d->value[A_PORT_ID] : d->value[A_PORT]};
    word = set_times(d, &row.l, word, at_us);
    return reading_row(d->r, &row, word, d->line, d->value[A_CALLER]);
}

/* one_row - the record's address or prefix. */
static int one_row(struct detail *d, struct text address, enum lease_word word, int64_t at_us)
{
    struct lease_row row = {.l = {.from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .kind = LEASE_RADIUS},
                            .subscriber = d->value[A_USER], .gateway = d->value[A_NAS].n ? d->value[A_NAS] : d->value[A_NAS_ID]};
    struct ip_range range;
    if (ip_range_parse(address.p, address.n, &range, NULL) || ip_range_prefix(&range) < 1)
        return reading_refuse(d->r, d->line, LEASE_REFUSED_BAD_ADDRESS, address);
    row.l.outside = range.first;
    row.l.prefix = (uint8_t)(ip_range_prefix(&range) + (ip_is_v4(&range.first) ? 96 : 0));
    if (lease_mac_of(d->value[A_CALLER], &row.l.mac))
        row.host = d->value[A_CALLER]; /* a line's or port's name */
    word = set_times(d, &row.l, word, at_us);
    return reading_row(d->r, &row, word, d->line, address);
}

static int restart(struct detail *d, int64_t at_us)
{
    struct lease_row row = {.l = {.from_us = at_us, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .prefix = 128, .kind = LEASE_RESTART},
                            .gateway = d->value[A_NAS].n ? d->value[A_NAS] : d->value[A_NAS_ID]};
    return reading_row(d->r, &row, LEASE_WORD_NONE, d->line, d->value[A_STATUS]);
}

static int close_record(struct detail *d)
{
    struct text status = d->value[A_STATUS];
    int64_t at_us;
    if (!d->is_open)
        return 0;
    d->is_open = false;
    if (!status.n)
        return reading_other(d->r);
    if (time_of(d, &at_us))
        return reading_refuse(d->r, d->line, LEASE_REFUSED_BAD_TIME, d->value[A_TIME]);
    if (text_is(status, "Accounting-On") || text_is(status, "Accounting-Off"))
        return restart(d, at_us);
    enum lease_word word = lease_word_of(status);
    if (word == LEASE_WORD_BAD)
        return reading_refuse(d->r, d->line, LEASE_REFUSED_BAD_EVENT, status);
    uint64_t mac;
    if (!d->value[A_ADDRESS].n && !d->value[A_PREFIX].n) /* authenticated, without an address */
        return lease_mac_of(d->value[A_CALLER], &mac) ? reading_other(d->r) : port_row(d, mac, word, at_us);
    int rc = d->value[A_ADDRESS].n ? one_row(d, d->value[A_ADDRESS], word, at_us) : 0;
    return rc || !d->value[A_PREFIX].n ? rc : one_row(d, d->value[A_PREFIX], word, at_us);
}

static void take_attribute(struct detail *d, struct text line)
{
    struct text rest = line, name = reading_word(&rest), sign = reading_word(&rest), value = text_trim(rest);
    if (!text_is(sign, "="))
        return;
    if (value.n >= 2 && *value.p == '"' && value.p[value.n - 1] == '"')
        value = (struct text){value.p + 1, value.n - 2};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        unsigned a = names[i].attribute;
        if (!text_is(name, names[i].name) || d->value[a].n)
            continue;
        value.n = value.n < sizeof(d->values[a]) ? value.n : sizeof(d->values[a]);
        memcpy(d->values[a], value.p, value.n);
        d->value[a] = (struct text){d->values[a], value.n};
    }
}

int read_detail(struct reading *r)
{
    struct detail d = {.r = r, .heading_us = LEASE_UNKNOWN};
    struct text line;
    int rc;
    while (!(rc = reading_line(r, &line))) {
        struct text trimmed = text_trim(line);
        bool is_attribute = line.n && (*line.p == '\t' || *line.p == ' ');
        if (is_attribute && trimmed.n) {
            take_attribute(&d, trimmed);
            continue;
        }
        rc = close_record(&d);
        if (rc)
            return rc;
        if (!trimmed.n)
            continue;
        memset(d.value, 0, sizeof(d.value));
        d.is_open = true;
        d.line = r->line;
        if (month_time(trimmed, r->o->zone_s, &d.heading_us))
            d.heading_us = LEASE_UNKNOWN;
    }
    if (rc < 0)
        return rc;
    if (d.is_open && r->condition)
        return reading_refuse(r, d.line, LEASE_REFUSED_CUT, d.value[A_STATUS]);
    return close_record(&d);
}
