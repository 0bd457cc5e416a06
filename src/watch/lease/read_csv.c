/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables with a header. A name of a column counts without case, blanks and punctuation, so "Public IP", public_ip and PublicIP
 * are one. Kea's memfile and the audit log of Windows DHCP are such tables with a meaning of their own for some columns.
 */
#include "watch/lease/read_inside.h"

#include "base/clock.h"
#include "format/csv.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum column {
    C_OUTSIDE, C_INSIDE, C_PORT_FIRST, C_PORT_LAST, C_PORTS, C_PORT_COUNT, C_INSIDE_PORT, C_FROM, C_TO, C_TIME, C_DURATION,
    C_EVENT, C_GATEWAY, C_REALM, C_SOURCE, C_SUBSCRIBER, C_MAC, C_HOST, C_PROTOCOL, C_KIND, C_EXPIRE, C_LIFETIME, C_DATE, C_CLOCK, C_ID,
    C_STATE, N_COLUMNS
};

enum { CLOCK_AT = 11 }; /* where hh:mm:ss begins in "2026-02-15 03:12:08" */

/* names as they stand without case and punctuation; the first column of a name counts */
static const struct {
    const char *name;
    uint8_t column;
} aliases[] = {
    {"outsideip", C_OUTSIDE}, {"outside", C_OUTSIDE}, {"publicip", C_OUTSIDE}, {"publicaddress", C_OUTSIDE}, {"natip", C_OUTSIDE},
    {"nattedip", C_OUTSIDE}, {"externalip", C_OUTSIDE}, {"globalip", C_OUTSIDE}, {"translatedip", C_OUTSIDE}, {"postnatip", C_OUTSIDE},
    {"postnatsourceipv4address", C_OUTSIDE}, {"leasedip", C_OUTSIDE}, {"ipaddress", C_OUTSIDE}, {"address", C_OUTSIDE}, {"ip", C_OUTSIDE},
    {"framedipaddress", C_OUTSIDE}, {"prefix", C_OUTSIDE}, {"delegatedipv6prefix", C_OUTSIDE},
    {"diachi", C_OUTSIDE}, {"ippublic", C_OUTSIDE},
    {"insideip", C_INSIDE}, {"inside", C_INSIDE}, {"privateip", C_INSIDE}, {"internalip", C_INSIDE}, {"localip", C_INSIDE},
    {"subscriberip", C_INSIDE}, {"prenatip", C_INSIDE}, {"sourceip", C_INSIDE}, {"sourceipv4address", C_INSIDE}, {"ipprivate", C_INSIDE},
    {"portfirst", C_PORT_FIRST}, {"portstart", C_PORT_FIRST}, {"startport", C_PORT_FIRST}, {"portblockstart", C_PORT_FIRST},
    {"portrangestart", C_PORT_FIRST}, {"port", C_PORT_FIRST}, {"publicport", C_PORT_FIRST},
    {"natport", C_PORT_FIRST}, {"outsideport", C_PORT_FIRST},
    {"externalport", C_PORT_FIRST}, {"postnaptsourcetransportport", C_PORT_FIRST},
    {"portlast", C_PORT_LAST}, {"portend", C_PORT_LAST}, {"endport", C_PORT_LAST}, {"portblockend", C_PORT_LAST},
    {"portrangeend", C_PORT_LAST},
    {"ports", C_PORTS}, {"portrange", C_PORTS}, {"portblock", C_PORTS},
    {"portcount", C_PORT_COUNT}, {"blocksize", C_PORT_COUNT}, {"portblocksize", C_PORT_COUNT}, {"portrangenumports", C_PORT_COUNT},
    {"insideport", C_INSIDE_PORT}, {"privateport", C_INSIDE_PORT}, {"internalport", C_INSIDE_PORT}, {"sourceport", C_INSIDE_PORT},
    {"sourcetransportport", C_INSIDE_PORT}, {"localport", C_INSIDE_PORT},
    {"from", C_FROM}, {"start", C_FROM}, {"starttime", C_FROM}, {"begin", C_FROM}, {"begintime", C_FROM}, {"alloctime", C_FROM},
    {"firstseen", C_FROM}, {"tu", C_FROM}, {"batdau", C_FROM}, {"validfrom", C_FROM}, {"login", C_FROM},
    {"to", C_TO}, {"end", C_TO}, {"endtime", C_TO}, {"stoptime", C_TO}, {"stop", C_TO}, {"releasetime", C_TO}, {"lastseen", C_TO},
    {"den", C_TO}, {"ketthuc", C_TO}, {"validuntil", C_TO}, {"logout", C_TO},
    {"time", C_TIME}, {"timestamp", C_TIME}, {"eventtime", C_TIME}, {"datetime", C_TIME},
    {"thoigian", C_TIME}, {"observationtimemilliseconds", C_TIME},
    {"duration", C_DURATION}, {"durations", C_DURATION}, {"sessiontime", C_DURATION}, {"acctsessiontime", C_DURATION},
    {"event", C_EVENT}, {"action", C_EVENT}, {"natevent", C_EVENT}, {"type", C_EVENT}, {"acctstatustype", C_EVENT}, {"operation", C_EVENT},
    {"gateway", C_GATEWAY}, {"device", C_GATEWAY}, {"natgateway", C_GATEWAY}, {"cgnat", C_GATEWAY}, {"nas", C_GATEWAY},
    {"nasipaddress", C_GATEWAY}, {"server", C_GATEWAY}, {"exporter", C_GATEWAY}, {"thietbi", C_GATEWAY},
    {"realm", C_REALM}, {"vrf", C_REALM}, {"vpn", C_REALM}, {"instance", C_REALM}, {"ingressvrfid", C_REALM},
    {"source", C_SOURCE},
    {"subscriber", C_SUBSCRIBER}, {"subscriberid", C_SUBSCRIBER}, {"user", C_SUBSCRIBER}, {"username", C_SUBSCRIBER},
    {"msisdn", C_SUBSCRIBER}, {"imsi", C_SUBSCRIBER}, {"account", C_SUBSCRIBER}, {"contract", C_SUBSCRIBER}, {"thuebao", C_SUBSCRIBER},
    {"mac", C_MAC}, {"macaddress", C_MAC}, {"hwaddr", C_MAC}, {"hardwareaddress", C_MAC}, {"callingstationid", C_MAC},
    {"host", C_HOST}, {"hostname", C_HOST}, {"clienthostname", C_HOST}, {"tenmay", C_HOST},
    {"switchport", C_HOST}, {"nasportid", C_HOST}, {"interface", C_HOST},
    {"protocol", C_PROTOCOL}, {"proto", C_PROTOCOL}, {"protocolidentifier", C_PROTOCOL}, {"kind", C_KIND},
    {"expire", C_EXPIRE}, {"expires", C_EXPIRE}, {"validlifetime", C_LIFETIME}, {"date", C_DATE}, {"id", C_ID}, {"state", C_STATE},
};

struct table {
    struct reading *r;
    enum lease_format format;
    uint16_t at[N_COLUMNS]; /* index + 1; 0: no such column */
    struct csv_reader csv;
    struct {
        char text[48];
        size_t n;
        int64_t us; /* of midnight */
    } times[2]; /* what was read last: rows near each other are of one day, and differ in hh:mm:ss only */
};

/* --- the header --------------------------------------------------------------------------------------------- */

enum { PLAIN_MAX = 40 };

/* plain_name - small letters and digits only. */
static void plain_name(struct text name, char plain[PLAIN_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n + 1 < PLAIN_MAX; i++)
        if (isalnum((unsigned char)name.p[i]))
            plain[n++] = (char)tolower((unsigned char)name.p[i]);
    plain[n] = '\0';
}

enum lease_csv_meaning lease_csv_meaning(struct text name)
{
    char plain[PLAIN_MAX];
    plain_name(name, plain);
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++) {
        if (strcmp(plain, aliases[i].name) != 0)
            continue;
        uint8_t c = aliases[i].column;
        return c == C_OUTSIDE                                             ? LEASE_CSV_ADDRESS
               : c == C_PORT_FIRST || c == C_PORTS                        ? LEASE_CSV_PORT
               : c == C_FROM || c == C_TO || c == C_TIME || c == C_EXPIRE ? LEASE_CSV_TIME
                                                                          : LEASE_CSV_OTHER;
    }
    return LEASE_CSV_UNKNOWN;
}

static void take_name(struct table *t, struct text name, uint16_t index)
{
    char plain[PLAIN_MAX];
    plain_name(name, plain);
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
        if (!strcmp(plain, aliases[i].name) && !t->at[aliases[i].column])
            t->at[aliases[i].column] = (uint16_t)(index + 1);
}

/* take_header - Return: whether it names an address and a time. */
static bool take_header(struct table *t, const struct csv_record *record)
{
    memset(t->at, 0, sizeof(t->at));
    for (uint32_t i = 0; i < record->n; i++)
        take_name(t, text_trim(record->fields[i]), (uint16_t)i);
    if (t->format == LEASE_FORMAT_WINDOWS) {
        t->at[C_CLOCK] = t->at[C_TIME];
        t->at[C_TIME] = 0;
        return t->at[C_ID] && t->at[C_DATE] && t->at[C_CLOCK] && t->at[C_OUTSIDE];
    }
    bool has_time = t->at[C_FROM] || t->at[C_TO] || t->at[C_TIME] || (t->at[C_EXPIRE] && t->at[C_LIFETIME]);
    bool has_machine = t->at[C_MAC] && (t->at[C_KIND] || t->r->o->kind == LEASE_DOT1X);
    return (t->at[C_OUTSIDE] || has_machine) && (has_time || t->r->o->at_us != LEASE_UNKNOWN);
}

/* --- values -------------------------------------------------------------------------------------------------- */

static struct text field(const struct table *t, const struct csv_record *record, enum column c)
{
    unsigned at = t->at[c];
    if (!at || at > record->n)
        return (struct text){"", 0};
    struct text x = text_trim(record->fields[at - 1]);
    if (x.n > 4)
        return x;
    bool is_none = (x.n == 1 && *x.p == '-') || text_is_nocase(x, "null") || text_is_nocase(x, "n/a");
    return is_none ? (struct text){"", 0} : x;
}

/* seconds_at - of the day, "hh:mm:ss" at @at; -1: there is none. */
static int seconds_at(struct text x, size_t at)
{
    static const char form[] = "dd:dd:dd";
    if (x.n < at + 8)
        return -1;
    const char *p = x.p + at;
    for (int i = 0; i < 8; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)p[i]) : p[i] != ':')
            return -1;
    int hour = (p[0] - '0') * 10 + p[1] - '0', minute = (p[3] - '0') * 10 + p[4] - '0', second = (p[6] - '0') * 10 + p[7] - '0';
    return hour < 24 && minute < 60 && second < 60 ? hour * 3600 + minute * 60 + second : -1;
}

/* time_of - Return: 0 (also when empty: unknown) or 1. */
static int time_of(struct table *t, struct text x, unsigned slot, int64_t *ret)
{
    *ret = LEASE_UNKNOWN;
    if (!x.n)
        return 0;
    int seconds = seconds_at(x, CLOCK_AT);
    bool is_known = seconds >= 0 && x.n == t->times[slot].n && !memcmp(x.p, t->times[slot].text, CLOCK_AT) &&
                    !memcmp(x.p + CLOCK_AT + 8, t->times[slot].text + CLOCK_AT + 8, x.n - CLOCK_AT - 8);
    if (is_known) {
        *ret = t->times[slot].us + seconds * US_PER_SECOND;
        return 0;
    }
    if (clock_parse(x.p, x.n, t->r->o->zone_s, ret))
        return 1;
    if (seconds >= 0 && x.n <= sizeof(t->times[slot].text)) {
        memcpy(t->times[slot].text, x.p, x.n);
        t->times[slot].n = x.n;
        t->times[slot].us = *ret - seconds * US_PER_SECOND;
    }
    return 0;
}

static int times_of(struct table *t, const struct csv_record *record, enum lease_word word, struct lease *l)
{
    uint64_t seconds = 0;
    int64_t at;
    struct text duration = field(t, record, C_DURATION);
    if (time_of(t, field(t, record, C_FROM), 0, &l->from_us) || time_of(t, field(t, record, C_TO), 1, &l->to_us) ||
        time_of(t, field(t, record, C_TIME), 0, &at) || (duration.n && text_u64(duration, UINT32_MAX, &seconds)))
        return 1;
    if (at != LEASE_UNKNOWN && word == LEASE_WORD_END) {
        l->to_us = at;
        l->from_us = duration.n ? at - (int64_t)seconds * US_PER_SECOND : LEASE_UNKNOWN;
    } else if (at != LEASE_UNKNOWN && l->from_us == LEASE_UNKNOWN) {
        l->from_us = at;
    }
    if (word != LEASE_WORD_END && duration.n && l->from_us != LEASE_UNKNOWN && l->to_us == LEASE_UNKNOWN)
        l->to_us = l->from_us + (int64_t)seconds * US_PER_SECOND;
    if (l->from_us == LEASE_UNKNOWN && l->to_us == LEASE_UNKNOWN)
        l->from_us = t->r->o->at_us;
    return 0;
}

/* address_of - "a.b.c.d", "a.b.c.d:port", "2001:db8::/56". Return: 0 or 1. */
static int address_of(struct text x, struct lease *l)
{
    struct ip_range range;
    l->prefix = 128;
    if (!ip_parse(x.p, x.n, &l->outside))
        return 0;
    const char *colon = memrchr(x.p, ':', x.n);
    uint64_t port;
    if (colon && !ip_parse(x.p, (size_t)(colon - x.p), &l->outside) &&
        !text_u64((struct text){colon + 1, x.n - (size_t)(colon - x.p) - 1}, UINT16_MAX, &port)) {
        l->port_first = l->port_last = (uint16_t)port;
        return 0;
    }
    if (ip_range_parse(x.p, x.n, &range, NULL))
        return 1;
    int prefix = ip_range_prefix(&range);
    if (prefix < 0)
        return 1;
    l->outside = range.first;
    l->prefix = (uint8_t)(ip_is_v4(&range.first) ? prefix + 96 : prefix);
    return l->prefix == 0;
}

/* range_of - "1024-2047", "1024..2047", "[1024 - 2047]". Return: 0 or 1. */
static int range_of(struct text x, struct lease *l)
{
    uint64_t v[2] = {0};
    unsigned n = 0;
    bool was_digit = false;
    for (size_t i = 0; i < x.n; i++) {
        bool is_digit = isdigit((unsigned char)x.p[i]);
        if (is_digit && !was_digit && ++n > 2)
            return 1;
        if (is_digit)
            v[n - 1] = v[n - 1] * 10 + (uint64_t)(x.p[i] - '0');
        if (n && v[n - 1] > UINT16_MAX)
            return 1;
        was_digit = is_digit;
    }
    if (!n)
        return 1;
    l->port_first = (uint16_t)v[0];
    l->port_last = (uint16_t)(n == 2 ? v[1] : v[0]);
    return 0;
}

static int ports_of(const struct table *t, const struct csv_record *record, struct lease *l)
{
    struct text first = field(t, record, C_PORT_FIRST), last = field(t, record, C_PORT_LAST), ports = field(t, record, C_PORTS),
                count = field(t, record, C_PORT_COUNT), inside = field(t, record, C_INSIDE_PORT);
    uint64_t v;
    if (inside.n) {
        if (text_u64(inside, UINT16_MAX, &v))
            return 1;
        l->inside_port = (uint16_t)v;
    }
    if (ports.n)
        return range_of(ports, l);
    if (!first.n)
        return 0;
    if (!last.n && range_of(first, l) == 0 && l->port_first != l->port_last)
        return 0; /* "1024-2047" in a column called port */
    if (text_u64(first, UINT16_MAX, &v))
        return 1;
    l->port_first = l->port_last = (uint16_t)v;
    if (last.n && (text_u64(last, UINT16_MAX, &v) || v < l->port_first))
        return 1;
    if (last.n)
        l->port_last = (uint16_t)v;
    if (!last.n && count.n && (text_u64(count, UINT16_MAX + 1u, &v) || !v || l->port_first + v - 1 > UINT16_MAX))
        return 1;
    if (!last.n && count.n)
        l->port_last = (uint16_t)(l->port_first + v - 1);
    return 0;
}

/* kind_of - Return: 0 or 1. */
static int kind_of(const struct table *t, const struct csv_record *record, const struct lease_row *row, struct lease *l)
{
    struct text x = field(t, record, C_KIND);
    enum lease_kind kind;
    if (x.n && lease_kind_parse(x.p, x.n, &kind))
        return 1;
    if (!x.n && t->r->o->kind < LEASE_N_KINDS)
        kind = t->r->o->kind;
    else if (!x.n && !ip_is_zero(&l->inside))
        kind = l->port_first == l->port_last ? LEASE_NAT_SESSION : LEASE_PORT_BLOCK;
    else if (!x.n)
        kind = row->subscriber.n ? LEASE_RADIUS : l->mac ? LEASE_DHCP : LEASE_STATIC;
    l->kind = (uint8_t)kind;
    if (kind == LEASE_RESTART)
        l->outside = (struct ip){{0}};
    return 0;
}

/* --- rows ---------------------------------------------------------------------------------------------------- */

static int whose(const struct table *t, const struct csv_record *record, struct lease_row *row)
{
    struct text inside = field(t, record, C_INSIDE), mac = field(t, record, C_MAC), protocol = field(t, record, C_PROTOCOL);
    row->gateway = field(t, record, C_GATEWAY);
    row->realm = field(t, record, C_REALM);
    row->source = field(t, record, C_SOURCE);
    row->subscriber = field(t, record, C_SUBSCRIBER);
    row->host = field(t, record, C_HOST);
    if (inside.n && ip_parse(inside.p, inside.n, &row->l.inside))
        return 1;
    if (mac.n && lease_mac_of(mac, &row->l.mac) && !row->subscriber.n)
        row->subscriber = mac; /* a caller's id that is no machine's address */
    return protocol.n && lease_protocol_of(protocol, &row->l.protocol);
}

/* kea - expire and valid_lifetime make begin and planned end; state 1: declined, 2: reclaimed. */
static int kea_times(struct table *t, const struct csv_record *record, struct lease *l)
{
    uint64_t lifetime;
    int64_t expire;
    if (time_of(t, field(t, record, C_EXPIRE), 0, &expire) || expire == LEASE_UNKNOWN ||
        text_u64(field(t, record, C_LIFETIME), UINT32_MAX, &lifetime))
        return 1;
    l->to_us = expire;
    l->from_us = expire - (int64_t)lifetime * US_PER_SECOND;
    l->flags = text_is(field(t, record, C_STATE), "2") ? 0 : LEASE_TO_PLANNED;
    return 0;
}

/* windows_event - ids of the audit log: what begins, goes on, ends. Source: "DHCP Server audit log event IDs", Windows Server. */
static enum lease_word windows_event(struct text id)
{
    uint64_t v;
    if (text_u64(id, UINT32_MAX, &v))
        return LEASE_WORD_BAD;
    if (v == 10)
        return LEASE_WORD_BEGIN;
    if (v == 11)
        return LEASE_WORD_STILL;
    return v == 12 || v == 16 || v == 17 || v == 18 ? LEASE_WORD_END : LEASE_WORD_NONE;
}

/* windows_time - mm/dd/yy and HH:MM:SS. */
static int windows_time(const struct table *t, const struct csv_record *record, int64_t *ret)
{
    struct text date = field(t, record, C_DATE), clock = field(t, record, C_CLOCK);
    struct civil c = {0};
    char text[48];
    int n = 0;
    snprintf(text, sizeof(text), "%.*s %.*s", (int)(date.n < 16 ? date.n : 16), date.p, (int)(clock.n < 16 ? clock.n : 16), clock.p);
    if (sscanf(text, "%d/%d/%d %d:%d:%d%n", &c.month, &c.day, &c.year, &c.hour, &c.minute, &c.second, &n) != 6 || text[n])
        return 1;
    c.year += c.year < 100 ? 2000 : 0;
    return clock_from_civil(&c, t->r->o->zone_s, ret);
}

static int windows_row(struct table *t, const struct csv_record *record)
{
    enum lease_word word = windows_event(field(t, record, C_ID));
    struct text address = field(t, record, C_OUTSIDE);
    struct lease_row row = {.l = {.from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .kind = LEASE_DHCP}};
    int64_t at;
    if (word == LEASE_WORD_NONE)
        return reading_other(t->r); /* service messages */
    if (word == LEASE_WORD_BAD)
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_EVENT, record->raw);
    if (windows_time(t, record, &at))
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_TIME, field(t, record, C_DATE));
    if (address_of(address, &row.l))
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_ADDRESS, address);
    row.subscriber = field(t, record, C_SUBSCRIBER);
    row.host = field(t, record, C_HOST);
    (void)lease_mac_of(field(t, record, C_MAC), &row.l.mac); /* an expiry names none */
    if (word == LEASE_WORD_END)
        row.l.to_us = at;
    else
        row.l.from_us = at;
    return reading_row(t->r, &row, word, record->line, address);
}

/* is_at_port - a log-in of 802.1X that says the machine and no address. */
static bool is_at_port(const struct table *t, const struct csv_record *record, const struct lease *l)
{
    struct text kind = field(t, record, C_KIND);
    bool is_dot1x = kind.n ? text_is(kind, lease_kind_name(LEASE_DOT1X)) : t->r->o->kind == LEASE_DOT1X;
    return is_dot1x && l->mac && !field(t, record, C_OUTSIDE).n;
}

static int csv_row(struct table *t, const struct csv_record *record)
{
    struct lease_row row = {.l = {.from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .prefix = 128}};
    struct text address = field(t, record, C_OUTSIDE), event = field(t, record, C_EVENT);
    enum lease_word word = lease_word_of(event);
    bool is_kea = t->format == LEASE_FORMAT_KEA;
    if (whose(t, record, &row))
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_INSIDE, field(t, record, C_INSIDE));
    bool is_restart = text_is(field(t, record, C_KIND), lease_kind_name(LEASE_RESTART));
    if (is_at_port(t, record, &row.l))
        row.l.outside = lease_mac_address(row.l.mac);
    else if (!is_restart && address_of(address, &row.l))
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_ADDRESS, address);
    if (ports_of(t, record, &row.l))
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_PORTS, record->raw);
    if (is_kea ? kea_times(t, record, &row.l) : times_of(t, record, word, &row.l))
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_TIME, record->raw);
    if (kind_of(t, record, &row, &row.l))
        return reading_refuse(t->r, record->line, LEASE_REFUSED_BAD_KIND, field(t, record, C_KIND));
    /* an end whose begin is known, a begin whose end is known: whole leases */
    if (row.l.from_us != LEASE_UNKNOWN && row.l.to_us != LEASE_UNKNOWN && word != LEASE_WORD_BAD)
        word = LEASE_WORD_NONE;
    return reading_row(t->r, &row, word, record->line, word == LEASE_WORD_BAD ? event : address);
}

/* next - Return: 0, CSV_REFUSED, CSV_END, or -errno. */
static int next(struct table *t, struct csv_record *ret)
{
    for (;;) {
        int rc = csv_next(&t->csv, ret);
        if (rc != CSV_MORE)
            return rc;
        struct reading *r = t->r;
        if (r->at == r->bytes.n && !r->has_ended) {
            r->at = r->bytes.n = 0;
            rc = reading_more(r);
            if (rc < 0)
                return rc;
        }
        rc = csv_feed(&t->csv, r->bytes.p + r->at, r->bytes.n - r->at);
        r->at = r->bytes.n;
        if (!rc && r->has_ended)
            rc = r->condition ? csv_cut(&t->csv) : csv_end(&t->csv);
        if (rc)
            return rc;
    }
}

static int read_rows(struct table *t)
{
    struct csv_record record;
    bool has_header = false;
    for (int rc;;) {
        rc = next(t, &record);
        if (rc < 0)
            return rc;
        if (rc == CSV_END)
            return has_header ? 0 : LEASE_READ_REFUSED;
        if (rc == CSV_REFUSED) {
            (void)reading_refuse(t->r, record.line, record.refusal == CSV_CUT ? LEASE_REFUSED_CUT : LEASE_REFUSED_BAD_ROW, record.raw);
            continue;
        }
        if (!has_header) { /* an audit log of Windows explains itself before its header */
            has_header = take_header(t, &record);
            if (!has_header && t->format != LEASE_FORMAT_WINDOWS)
                return LEASE_READ_REFUSED;
            continue;
        }
        rc = t->format == LEASE_FORMAT_WINDOWS ? windows_row(t, &record) : csv_row(t, &record);
        if (rc)
            return rc;
    }
}

int read_csv(struct reading *r, enum lease_format format)
{
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->r = r;
    t->format = format;
    csv_init(&t->csv, &(struct csv_options){.comment = '#', .max_record_bytes = READ_LINE_MAX,
                                            .separator = format == LEASE_FORMAT_CSV ? '\0' : ','});
    int rc = read_rows(t);
    csv_fini(&t->csv);
    free(t);
    return rc;
}
