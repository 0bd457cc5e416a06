/* SPDX-License-Identifier: Apache-2.0 */
#include "format/line_impl.h"

#include "base/clock.h"

#include <string.h>

/* names that keys nobody described may add to the table of a process, all threads together */
#define UNKNOWN_NAMES_MAX 8192u
#define KEY_MAX 64u

static uint32_t hash_of(struct text t)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (uint8_t)t.p[i]) * 16777619u;
    return h;
}

const struct line_target *line_key_find(const struct line_keys *k, struct text key)
{
    if (!k->slots)
        return NULL;
    for (uint32_t i = hash_of(key) & k->mask; k->slots[i].key.p; i = (i + 1) & k->mask)
        if (text_equal(k->slots[i].key, key))
            return k->slots[i].target;
    return NULL;
}

static struct text lowered(struct line_scratch *s, struct text t)
{
    if (t.n > s->n_work)
        return t;
    for (size_t i = 0; i < t.n; i++)
        s->work[i] = t.p[i] >= 'A' && t.p[i] <= 'Z' ? (char)(t.p[i] | 32) : t.p[i];
    return (struct text){s->work, t.n};
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* dehexed - auditd writes values with blanks or quotes as hexadecimal; zeros between arguments become blanks. */
static struct text dehexed(struct line_scratch *s, struct text t)
{
    if (t.n < 2 || t.n % 2 || t.n / 2 > s->n_work)
        return t;
    for (size_t i = 0; i < t.n; i += 2) {
        int high = hex_value(t.p[i]), low = hex_value(t.p[i + 1]);
        if (high < 0 || low < 0)
            return t;
        char c = (char)(high << 4 | low);
        s->work[i / 2] = c ? c : ' ';
    }
    return (struct text){s->work, t.n / 2};
}

struct text line_unescaped(struct line_scratch *s, struct text value, bool is_cef)
{
    if (!value.n || !memchr(value.p, '\\', value.n) || value.n > s->n_work)
        return value;
    size_t n = 0;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\\' && i + 1 < value.n) {
            char next = value.p[i + 1];
            if (next == '\\' || next == '"' || next == '\'' || next == '=' || next == '|' || next == ']')
                c = next, i++;
            else if (is_cef && (next == 'n' || next == 'r'))
                c = next == 'n' ? '\n' : '\r', i++;
        }
        s->work[n++] = c;
    }
    return (struct text){s->work, n};
}

/* ECS writes them with hyphens and capitals (RFC 7042) */
static void put_mac(struct events *e, uint16_t field, struct text t)
{
    char out[17];
    size_t n = 0, digits = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (hex_value(t.p[i]) < 0)
            continue;
        if (digits == 12)
            break;
        if (digits && digits % 2 == 0)
            out[n++] = '-';
        out[n++] = (t.p[i] >= 'a' && t.p[i] <= 'f') ? (char)(t.p[i] & ~32) : t.p[i];
        digits++;
    }
    event_put_text(e, field, digits == 12 ? (struct text){out, n} : t);
}

static int ip_of(struct text t, struct ip *ip)
{
    const char *zone = memchr(t.p, '%', t.n);
    if (t.n > 2 && t.p[0] == '[' && t.p[t.n - 1] == ']')
        return ip_parse(t.p + 1, t.n - 2, ip);
    return ip_parse(t.p, zone ? (size_t)(zone - t.p) : t.n, ip);
}

static uint16_t sibling(uint16_t field, bool is_ip)
{
    switch (field) {
    case EV_SOURCE_ADDRESS: return is_ip ? EV_SOURCE_IP : EV_SOURCE_DOMAIN;
    case EV_DESTINATION_ADDRESS: return is_ip ? EV_DESTINATION_IP : EV_DESTINATION_DOMAIN;
    case EV_CLIENT_ADDRESS: return is_ip ? EV_CLIENT_IP : EV_CLIENT_DOMAIN;
    case EV_SERVER_ADDRESS: return is_ip ? EV_SERVER_IP : EV_SERVER_DOMAIN;
    default: return EVENT_NO_FIELD;
    }
}

static bool is_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((t.p[i] | 32) >= 'a' && (t.p[i] | 32) <= 'z')
            return !text_is_nocase(t, "unknown");
    return false;
}

/* put_host - source.address and what it is: source.ip or source.domain. */
static void put_host(struct events *e, uint16_t field, struct text t)
{
    struct ip ip;
    bool is_ip = !ip_of(t, &ip);
    uint16_t to = sibling(field, is_ip);
    if (to == EVENT_NO_FIELD) {
        if (is_ip)
            event_put_ip(e, field, &ip);
        else
            event_put(e, field, t);
        return;
    }
    event_put_text(e, field, t);
    if (is_ip)
        event_put_ip(e, to, &ip);
    else if (is_name(t))
        event_put_text(e, to, t);
}

static uint16_t port_of(uint16_t field)
{
    switch (field) {
    case EV_SOURCE_ADDRESS: return EV_SOURCE_PORT;
    case EV_DESTINATION_ADDRESS: return EV_DESTINATION_PORT;
    case EV_CLIENT_ADDRESS: return EV_CLIENT_PORT;
    case EV_SERVER_ADDRESS: return EV_SERVER_PORT;
    default: return EVENT_NO_FIELD;
    }
}

/* put_endpoint - the port stands behind the last ':', '#' or, of Cisco, '/'; an IPv6 address without brackets has none. */
static void put_endpoint(struct events *e, uint16_t field, struct text t)
{
    struct ip ip;
    size_t at = t.n;
    while (at && t.p[at - 1] >= '0' && t.p[at - 1] <= '9')
        at--;
    bool has_port = at > 1 && at < t.n && (t.p[at - 1] == ':' || t.p[at - 1] == '#' || t.p[at - 1] == '/');
    if (!has_port || !ip_of(t, &ip)) {
        put_host(e, field, t);
        return;
    }
    struct text host = {t.p, at - 1};
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct text){host.p + 1, host.n - 2};
    put_host(e, field, host);
    if (port_of(field) != EVENT_NO_FIELD)
        event_put(e, port_of(field), (struct text){t.p + at, t.n - at});
}

static struct text plus_to_blank(struct line_scratch *s, struct text t)
{
    if (t.n > s->n_work)
        return t;
    for (size_t i = 0; i < t.n; i++)
        s->work[i] = t.p[i] == '+' ? ' ' : t.p[i];
    return (struct text){s->work, t.n};
}

/* put_duration - ECS event.duration is nanoseconds. */
static void put_duration(struct events *e, uint16_t field, struct text t, int64_t unit_ns)
{
    int64_t whole = 0, fraction = 0, scale = unit_ns;
    size_t i = 0;
    for (; i < t.n && t.p[i] >= '0' && t.p[i] <= '9'; i++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, t.p[i] - '0', &whole))
            return;
    if (i < t.n && t.p[i] == '.')
        for (i++; i < t.n && t.p[i] >= '0' && t.p[i] <= '9'; i++) {
            scale /= 10;
            fraction += (t.p[i] - '0') * scale;
        }
    int64_t ns;
    if (i != t.n || __builtin_mul_overflow(whole, unit_ns, &ns) || __builtin_add_overflow(ns, fraction, &ns)) {
        event_put(e, field, t);
        return;
    }
    event_put_long(e, field, ns);
}

static void put_part(struct events *e, uint16_t field, const char *p, const char *end)
{
    if (p < end)
        event_put_text(e, field, (struct text){p, (size_t)(end - p)});
}

static void put_authority(struct events *e, const char *p, const char *end)
{
    const char *at = memrchr(p, '@', (size_t)(end - p));
    if (at)
        p = at + 1;
    const char *close = memchr(p, ']', (size_t)(end - p));
    const char *from = close && *p == '[' ? close : p;
    const char *colon = memchr(from, ':', (size_t)(end - from));
    const char *host_end = colon ? colon : end;
    if (close && *p == '[')
        p++, host_end = close;
    put_part(e, EV_URL_DOMAIN, p, host_end);
    if (colon && colon + 1 < end)
        event_put(e, EV_URL_PORT, (struct text){colon + 1, (size_t)(end - colon - 1)});
}

void line_put_url(struct line_scratch *s, struct events *e, struct text url)
{
    (void)s;
    const char *p = url.p, *end = url.p + url.n;
    event_put_text(e, EV_URL_ORIGINAL, url);
    const char *scheme = url.n > 3 ? memmem(p, url.n < 16 ? url.n : 16, "://", 3) : NULL;
    if (scheme && *p != '/') {
        put_part(e, EV_URL_SCHEME, p, scheme);
        p = scheme + 3;
        const char *slash = p;
        while (slash < end && *slash != '/' && *slash != '?')
            slash++;
        put_authority(e, p, slash);
        p = slash;
    } else if (*p != '/' && *p != '*' && *p != '?') {
        return; /* CONNECT host:port, or nonsense */
    }
    const char *fragment = memchr(p, '#', (size_t)(end - p));
    if (fragment)
        end = fragment;
    const char *query = memchr(p, '?', (size_t)(end - p));
    const char *path_end = query ? query : end;
    put_part(e, EV_URL_PATH, p, path_end);
    if (query)
        put_part(e, EV_URL_QUERY, query + 1, end);
    const char *slash = memrchr(p, '/', (size_t)(path_end - p));
    const char *dot = slash ? memrchr(slash, '.', (size_t)(path_end - slash)) : NULL;
    if (dot && dot > slash + 1 && path_end - dot > 1 && path_end - dot <= 9)
        put_part(e, EV_URL_EXTENSION, dot + 1, path_end);
}

static void put_mapped(struct line_scratch *s, struct events *e, const struct line_target *t, struct text value)
{
    (void)s;
    for (const struct line_map *m = t->map; m; m = m->next) {
        struct text to = m->other;
        for (uint32_t i = 0; i < m->n_pairs; i++)
            if (text_equal(m->pairs[i].from, value)) {
                to = m->pairs[i].to;
                break;
            }
        if (to.p && to.n)
            event_put(e, m->field, to);
    }
}

static void put_special(struct line_scratch *s, const struct line_target *t, struct text value)
{
    int64_t us;
    unsigned flags = LINE_TIME_HAS_ZONE;
    size_t n;
    switch ((enum line_special)t->special) {
    case LINE_STAMP:
        s->clock.is_month_first = t->type == LINE_TIME_US;
        n = t->type == LINE_EPOCH ? line_time_epoch(value, &us) : line_time_parse(value, &s->clock, &us, &flags);
        s->clock.is_month_first = false;
        if (!n)
            return;
        s->has_stamp = true;
        s->stamp_us = us;
        s->stamp_flags = flags;
        return;
    case LINE_DATE_PART: s->date = value; return;
    case LINE_TIME_PART: s->time = value; return;
    case LINE_ZONE_PART: s->zone = value; return;
    case LINE_PLAIN:
    case LINE_IGNORE:
    case LINE_TEMPORARY: return;
    }
}

static int put_moment(struct line_scratch *s, struct events *e, const struct line_target *t, struct text value)
{
    int64_t us;
    unsigned flags;
    s->clock.is_month_first = t->type == LINE_TIME_US;
    size_t n = t->type == LINE_EPOCH ? line_time_epoch(value, &us) : line_time_parse(value, &s->clock, &us, &flags);
    s->clock.is_month_first = false;
    if (n)
        event_put_date(e, t->field, us);
    return n ? 0 : 1;
}

static struct text unquoted(struct text t)
{
    return t.n >= 2 && t.p[0] == '"' ? (struct text){t.p + 1, t.n - 2} : t;
}

static int put_address(struct events *e, uint16_t field, struct text t)
{
    struct ip ip;
    if (ip_of(t, &ip))
        return 1;
    event_put_ip(e, field, &ip);
    return 0;
}

/* put_typed - Return: 0, or 1 (a text like any other, maybe another one now). */
static int put_typed(struct line_scratch *s, struct events *e, const struct line_target *t, struct text *value)
{
    switch ((enum line_type)t->type) {
    case LINE_HOST: return put_host(e, t->field, *value), 0;
    case LINE_IP: return put_address(e, t->field, *value);
    case LINE_MAC: return put_mac(e, t->field, *value), 0;
    case LINE_REQUEST: return line_put_request(s, e, unquoted(*value)), 0;
    case LINE_QUOTED: return *value = unquoted(*value), 1;
    case LINE_SECONDS: return put_duration(e, t->field, *value, INT64_C(1000000000)), 0;
    case LINE_MILLISECONDS: return put_duration(e, t->field, *value, 1000000), 0;
    case LINE_URL: return line_put_url(s, e, *value), 0;
    case LINE_ENDPOINT: return put_endpoint(e, t->field, *value), 0;
    case LINE_WEB_AGENT: return *value = plus_to_blank(s, *value), 1;
    case LINE_TIME:
    case LINE_TIME_US:
    case LINE_EPOCH: return put_moment(s, e, t, *value);
    case LINE_WORD:
    case LINE_TEXT:
    case LINE_LONG:
    case LINE_INT:
    case LINE_HEX:
    case LINE_REAL:
    case LINE_TOKEN:
    case LINE_ONE_OF:
    case LINE_BLANKS:
    case LINE_KV:
    case LINE_CSV:
    case LINE_JSON:
    case LINE_CEF:
    case LINE_LEEF:
    case LINE_ACCESS:
    case LINE_RECORDS:
    case LINE_N_TYPES: break;
    }
    return 1;
}

static void put_one(struct line_scratch *s, struct events *e, const struct line_target *t, struct text value)
{
    if (t->is_hex)
        value = dehexed(s, value);
    if (t->map)
        put_mapped(s, e, t, value);
    if (t->special != LINE_PLAIN) {
        put_special(s, t, value);
        return;
    }
    if (t->is_lower)
        value = lowered(s, value);
    if (put_typed(s, e, t, &value))
        event_put(e, t->field, value);
}

void line_put(struct line_scratch *s, struct events *e, const struct line_target *target, struct text value)
{
    if (!value.n || (value.n == 1 && *value.p == '-'))
        return; /* "-" is nothing in every format here */
    for (const struct line_target *t = target; t; t = t->next)
        put_one(s, e, t, value);
}

void line_put_unknown(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text key, struct text value)
{
    char name[EVENT_NAME_MAX + 1];
    if (!d->kv.keeps_unknown || !value.n || !key.n || key.n > KEY_MAX || d->kv.prefix.n + 1 + key.n > EVENT_NAME_MAX)
        return;
    memcpy(name, d->kv.prefix.p, d->kv.prefix.n);
    size_t n = d->kv.prefix.n;
    name[n++] = '.';
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool is_plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-' || c == '.';
        name[n++] = is_plain ? c : '_';
    }
    uint16_t field = event_names_find(e->names, (struct text){name, n});
    if (field == EVENT_NO_FIELD) {
        uint64_t *counter = s->decoders->n_names_added;
        if (__atomic_load_n(counter, __ATOMIC_RELAXED) >= UNKNOWN_NAMES_MAX)
            return; /* it still stands in the message */
        __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
        field = event_names_add(e->names, (struct text){name, n});
    }
    event_put(e, field, value);
}
