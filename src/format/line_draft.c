/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first guess at a decoder: the words of the message one after the other, each typed by what it looks like and named by
 * the word in front of it. What is not recognised stays literal; a person edits the rest.
 */
#include "format/line_impl.h"

#include <string.h>

#define DRAFT_MAX_WORDS 200u

struct drafting {
    struct buf *out;
    const struct line_clock *clock;
    unsigned n_ips, n_ports, n_users, n_numbers, n_quoted, n_times;
    struct text before; /* the word in front */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-' || c == '.' || (uint8_t)c >= 0x80;
}

/* literal - within a single-quoted YAML text. */
static void literal(struct buf *out, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '{' || t.p[i] == '}' || t.p[i] == '\\')
            buf_add_byte(out, '\\');
        if (t.p[i] == '\'')
            buf_add_byte(out, '\'');
        buf_add_byte(out, (uint8_t)t.p[i] < ' ' ? ' ' : (uint8_t)t.p[i]);
    }
}

static bool is_one_of(struct text t, const char *const *names)
{
    for (; *names; names++)
        if (text_is_nocase(t, *names))
            return true;
    return false;
}

static void capture(struct drafting *d, const char *name, unsigned n, const char *type)
{
    if (n)
        buf_printf(d->out, "{%s_%u%s%s}", name, n + 1, *type ? ":" : "", type);
    else
        buf_printf(d->out, "{%s%s%s}", name, *type ? ":" : "", type);
}

static size_t quoted(struct drafting *d, struct text t)
{
    char quote = *t.p;
    const char *end = memchr(t.p + 1, quote, t.n - 1);
    if (!end || (quote != '"' && quote != '\'') || end == t.p + 1)
        return 0;
    literal(d->out, (struct text){t.p, 1});
    capture(d, "_text", d->n_quoted++, "text");
    literal(d->out, (struct text){t.p, 1});
    return (size_t)(end + 1 - t.p);
}

static bool is_of_address(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f') || c == ':' || c == '.';
}

static size_t address(struct drafting *d, struct text t)
{
    struct ip ip;
    size_t n = 0;
    while (n < t.n && n < IP_TEXT_MAX && is_of_address(t.p[n]))
        n++;
    while (n && (t.p[n - 1] == '.' || t.p[n - 1] == ':') && ip_parse(t.p, n, &ip))
        n--;
    const char *colon = n ? memrchr(t.p, ':', n) : NULL;
    if (colon && ip_parse(t.p, n, &ip)) /* a port behind it */
        n = (size_t)(colon - t.p);
    if (n < 3 || ip_parse(t.p, n, &ip) || (n < t.n && is_word(t.p[n]) && t.p[n] != '.'))
        return 0;
    if (d->n_ips < 2)
        buf_add_text(d->out, d->n_ips ? "{destination.ip}" : "{source.ip}");
    else
        capture(d, "_ip", d->n_ips - 2, "ip");
    d->n_ips++;
    if (n + 1 < t.n && t.p[n] == ':' && is_digit(t.p[n + 1])) {
        buf_add_text(d->out, d->n_ips == 1 ? ":{source.port}" : d->n_ips == 2 ? ":{destination.port}" : ":{:int}");
        for (n++; n < t.n && is_digit(t.p[n]); n++)
            ;
    }
    return n;
}

static size_t number(struct drafting *d, struct text t)
{
    static const char *const ports[] = {"port", "spt", "sport", "dpt", "dport", NULL}, *const pids[] = {"pid", NULL};
    size_t n = 0;
    while (n < t.n && is_digit(t.p[n]))
        n++;
    if (!n || (n < t.n && is_word(t.p[n])))
        return 0;
    if (is_one_of(d->before, ports) && d->n_ports < 2)
        buf_add_text(d->out, d->n_ports++ ? "{destination.port}" : "{source.port}");
    else if (is_one_of(d->before, pids))
        buf_add_text(d->out, "{process.pid}");
    else
        capture(d, "_number", d->n_numbers++, "int");
    return n;
}

/* word - literal, but for the one behind "user". */
static size_t word(struct drafting *d, struct text t)
{
    static const char *const users[] = {"user", "username", "account", "acct", "usr", NULL};
    size_t n = 0;
    while (n < t.n && is_word(t.p[n]))
        n++;
    struct text w = {t.p, n};
    if (is_one_of(d->before, users) && !d->n_users && !is_one_of(w, users)) {
        buf_add_text(d->out, "{user.name}");
        d->n_users++;
    } else {
        literal(d->out, w);
    }
    d->before = w;
    return n;
}

static size_t step(struct drafting *d, struct text t, bool is_start)
{
    int64_t us;
    unsigned flags;
    size_t n = is_start ? line_time_parse(t, d->clock, &us, &flags) : 0;
    if (n && !d->n_times) {
        buf_add_text(d->out, "{@timestamp}");
        d->n_times++;
        return n;
    }
    n = t.n > 2 ? quoted(d, t) : 0;
    if (!n && is_start)
        n = address(d, t);
    if (!n && is_start)
        n = number(d, t);
    if (!n && is_word(*t.p))
        n = word(d, t);
    if (n)
        return n;
    literal(d->out, (struct text){t.p, 1});
    return 1;
}

/* yaml_quoted - a text in single quotes of YAML. */
static void yaml_quoted(struct buf *out, struct text t)
{
    buf_add_byte(out, '\'');
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '\'')
            buf_add_byte(out, '\'');
        buf_add_byte(out, (uint8_t)t.p[i] < ' ' ? ' ' : (uint8_t)t.p[i]);
    }
    buf_add_byte(out, '\'');
}

static bool has_pairs(struct text t)
{
    struct line_kv_form form = {0};
    unsigned n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += line_kv_begins(&form, t.p, t.p + i, t.p + t.n);
    return n >= 4;
}

void line_draft(struct text line, const struct line_clock *clock, struct buf *out)
{
    struct syslog h;
    syslog_parse(line, clock, &h);
    struct text t = h.message.n ? h.message : h.body;
    buf_add_text(out, "decoder: ");
    yaml_quoted(out, h.appname.n ? h.appname : TEXT("new_decoder"));
    buf_add_text(out, "\nset: {event.kind: event, event.category: [host], event.type: [info]}\n");
    if (h.appname.n) {
        buf_add_text(out, "apps: [");
        yaml_quoted(out, h.appname);
        buf_add_text(out, "]\n");
    }
    buf_add_text(out, "patterns:\n  - match: '");
    if (has_pairs(t)) {
        buf_add_text(out, "{*}{:kv}");
    } else {
        struct drafting d = {.out = out, .clock = clock};
        const char *from = t.p;
        for (unsigned i = 0; t.n && i < DRAFT_MAX_WORDS; i++) {
            size_t n = step(&d, t, t.p == from || !is_word(t.p[-1]));
            t = (struct text){t.p + n, t.n - n};
        }
        if (t.n)
            buf_add_text(out, "{*}");
    }
    buf_add_text(out, "'\ntests:\n  - line: ");
    yaml_quoted(out, line);
    buf_add_text(out, "\n    fields: {}\n");
}
