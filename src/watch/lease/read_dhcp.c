/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lease files of ISC DHCP (dhcpd.leases(5), v4 and ia-na/ia-pd of v6) and dnsmasq. Both are journals of what the server believes:
 * a lease stands there once for every change, so an active one has a planned end and a free one the end it had.
 */
#include "watch/lease/read_inside.h"

#include "base/clock.h"

#include <ctype.h>
#include <string.h>

/* --- ISC ------------------------------------------------------------------------------------------------------ */

struct isc {
    struct reading *r;
    struct lease_row row;
    uint64_t line;
    int64_t touched_us; /* cltt: the begin of leases of v6 */
    char host[256], mac_text[64], address[80];
    bool is_open, is_refused, is_active, is_known_state;
};

/* isc_time - "4 2016/08/25 05:53:07;" in UTC, "epoch 1472104387; # ...", "never;". Return: 0 or 1. */
static int isc_time(struct text rest, int64_t *ret)
{
    struct text word = reading_word(&rest);
    uint64_t v;
    if (text_is(word, "never;") || text_is(word, "never")) {
        *ret = LEASE_UNKNOWN;
        return 0;
    }
    struct text date = reading_word(&rest);
    if (date.n && date.p[date.n - 1] == ';')
        date.n--;
    if (text_is(word, "epoch")) {
        if (text_u64(date, UINT32_MAX * UINT64_C(4), &v))
            return 1;
        *ret = (int64_t)v * US_PER_SECOND;
        return 0;
    }
    struct text time = reading_word(&rest);
    if (time.n && time.p[time.n - 1] == ';')
        time.n--;
    if (!date.n || time.p + time.n < date.p)
        return 1;
    return clock_parse(date.p, (size_t)(time.p + time.n - date.p), 0, ret);
}

/* keep - a text of a line for as long as the block lasts; quotes and the semicolon go. */
static struct text keep(struct text x, char *out, size_t n_out)
{
    x = text_trim(x);
    if (x.n && x.p[x.n - 1] == ';')
        x.n--;
    if (x.n >= 2 && *x.p == '"' && x.p[x.n - 1] == '"')
        x = (struct text){x.p + 1, x.n - 2};
    x.n = x.n < n_out ? x.n : n_out;
    memcpy(out, x.p, x.n);
    return (struct text){out, x.n};
}

static void isc_begin(struct isc *s, struct text address)
{
    s->row = (struct lease_row){.l = {.from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .prefix = 128,
                                      .kind = LEASE_DHCP}};
    struct ip_range range;
    struct text kept = keep(address, s->address, sizeof(s->address));
    s->is_open = true;
    s->is_refused = s->is_known_state = false;
    s->is_active = true;
    s->line = s->r->line;
    s->touched_us = LEASE_UNKNOWN;
    if (ip_range_parse(kept.p, kept.n, &range, NULL) || ip_range_prefix(&range) < 1) {
        s->is_refused = true;
        (void)reading_refuse(s->r, s->line, LEASE_REFUSED_BAD_ADDRESS, kept);
        return;
    }
    s->row.l.outside = range.first;
    s->row.l.prefix = (uint8_t)(ip_range_prefix(&range) + (ip_is_v4(&range.first) ? 96 : 0));
}

static void isc_refuse(struct isc *s, enum lease_refusal why, struct text value)
{
    if (!s->is_refused)
        (void)reading_refuse(s->r, s->r->line, why, value);
    s->is_refused = true;
}

static void isc_statement(struct isc *s, struct text line)
{
    struct text rest = line, word = reading_word(&rest);
    struct lease *l = &s->row.l;
    if (text_is(word, "starts") && isc_time(rest, &l->from_us))
        isc_refuse(s, LEASE_REFUSED_BAD_TIME, line);
    else if (text_is(word, "cltt") && isc_time(rest, &s->touched_us))
        isc_refuse(s, LEASE_REFUSED_BAD_TIME, line);
    else if (text_is(word, "ends") && isc_time(rest, &l->to_us))
        isc_refuse(s, LEASE_REFUSED_BAD_TIME, line);
    else if (text_is(word, "binding") && !s->is_known_state) {
        (void)reading_word(&rest); /* state */
        struct text state = text_trim(rest);
        s->is_known_state = true;
        s->is_active = text_is(state, "active;");
        if (text_is(state, "abandoned;")) /* nobody's: it answered a ping */
            s->is_refused = !reading_other(s->r);
    } else if (text_is(word, "hardware")) {
        (void)reading_word(&rest); /* ethernet */
        struct text mac = keep(rest, s->mac_text, sizeof(s->mac_text));
        if (lease_mac_of(mac, &l->mac))
            s->row.subscriber = mac;
    } else if (text_is(word, "client-hostname")) {
        s->row.host = keep(rest, s->host, sizeof(s->host));
    }
}

static int isc_end(struct isc *s)
{
    struct lease *l = &s->row.l;
    s->is_open = false;
    if (s->is_refused)
        return 0;
    if (l->from_us == LEASE_UNKNOWN)
        l->from_us = s->touched_us;
    if (s->is_active && l->to_us != LEASE_UNKNOWN)
        l->flags = LEASE_TO_PLANNED;
    struct text address = {s->address, strnlen(s->address, sizeof(s->address))};
    if (!l->mac && !s->row.subscriber.n && !s->row.host.n)
        return reading_other(s->r); /* never given to anybody: a pool's own bookkeeping */
    return reading_row(s->r, &s->row, l->to_us == LEASE_UNKNOWN ? LEASE_WORD_BEGIN : LEASE_WORD_NONE, s->line, address);
}

int read_isc(struct reading *r)
{
    struct isc s = {.r = r};
    char duid[256];
    struct text line, client = {"", 0};
    for (int rc; !(rc = reading_line(r, &line));) {
        line = text_trim(line);
        struct text rest = line, word = reading_word(&rest);
        if (!line.n || *line.p == '#')
            continue;
        if (text_is(word, "lease") || text_is(word, "iaaddr") || text_is(word, "iaprefix")) {
            struct text address = reading_word(&rest);
            memset(s.address, 0, sizeof(s.address));
            isc_begin(&s, address);
            if (!text_is(word, "lease"))
                s.row.subscriber = client;
        } else if (text_is(word, "ia-na") || text_is(word, "ia-pd") || text_is(word, "ia-ta")) {
            client = keep(reading_word(&rest), duid, sizeof(duid));
        } else if (text_is(word, "cltt") && !s.is_open) {
            (void)isc_time(rest, &s.touched_us);
        } else if (*line.p == '}' && s.is_open) {
            rc = isc_end(&s);
            if (rc)
                return rc;
        } else if (s.is_open) {
            isc_statement(&s, line);
        }
    }
    if (s.is_open)
        isc_refuse(&s, LEASE_REFUSED_CUT, (struct text){s.address, strnlen(s.address, sizeof(s.address))});
    return 0;
}

/* --- dnsmasq ----------------------------------------------------------------------------------------------------- */

/* "EXPIRY MAC ADDRESS HOST CLIENT": when it expires is all it says of time; it was held when the file was taken (at_us). */
int read_dnsmasq(struct reading *r)
{
    struct text line;
    int rc;
    while (!(rc = reading_line(r, &line))) {
        struct text rest = text_trim(line), whole = rest, expiry = reading_word(&rest), mac = reading_word(&rest),
                    address = reading_word(&rest), host = reading_word(&rest);
        struct lease_row row = {.l = {.from_us = r->o->at_us, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .prefix = 128,
                                      .kind = LEASE_DHCP, .flags = LEASE_TO_PLANNED}};
        uint64_t v;
        if (!whole.n)
            continue;
        if (text_is(expiry, "duid")) {
            (void)reading_other(r);
            continue;
        }
        if (text_u64(expiry, UINT32_MAX * UINT64_C(4), &v)) {
            (void)reading_refuse(r, r->line, LEASE_REFUSED_BAD_TIME, whole);
            continue;
        }
        row.l.to_us = v ? (int64_t)v * US_PER_SECOND : LEASE_UNKNOWN; /* 0: for ever */
        if (ip_parse(address.p, address.n, &row.l.outside)) {
            (void)reading_refuse(r, r->line, LEASE_REFUSED_BAD_ADDRESS, whole);
            continue;
        }
        if (lease_mac_of(mac, &row.l.mac))
            row.subscriber = mac; /* the id of an IPv6 association */
        row.host = text_is(host, "*") ? (struct text){"", 0} : host;
        rc = reading_row(r, &row, LEASE_WORD_NONE, r->line, whole);
        if (rc)
            return rc;
    }
    return rc < 0 ? rc : 0;
}
