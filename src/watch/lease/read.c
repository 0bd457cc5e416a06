/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input in pieces and lines, what a file is, and the account: every record is kept, joined to another, no lease, or refused.
 */
#include "watch/lease/read_inside.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 << 10, LOOK = 16 << 10 };

static const char *const format_names[] = {
#define X(ID, name) name,
    LEASE_FORMATS(X)
#undef X
};

static const char *const refusal_names[] = {
#define X(ID, name) name,
    LEASE_REFUSALS(X)
#undef X
};

const char *lease_format_name(enum lease_format f)
{
    return format_names[f];
}

int lease_format_parse(const char *text, enum lease_format *ret)
{
    for (int i = 0; i < LEASE_N_FORMATS; i++) {
        if (strcmp(format_names[i], text))
            continue;
        *ret = (enum lease_format)i;
        return 0;
    }
    return 1;
}

const char *lease_refusal_name(enum lease_refusal r)
{
    return refusal_names[r];
}

/* --- words -------------------------------------------------------------------------------------------------- */

enum lease_word lease_word_of(struct text t)
{
    /* natEvent of IPFIX: 1, 2 session, 16, 17 port block (RFC 8158); one letter as in compact logs of carriers */
    static const struct {
        const char *name;
        enum lease_word word;
    } words[] = {
        {"start", LEASE_WORD_BEGIN}, {"begin", LEASE_WORD_BEGIN}, {"alloc", LEASE_WORD_BEGIN}, {"allocate", LEASE_WORD_BEGIN},
        {"allocated", LEASE_WORD_BEGIN}, {"allocation", LEASE_WORD_BEGIN}, {"assign", LEASE_WORD_BEGIN}, {"assigned", LEASE_WORD_BEGIN},
        {"create", LEASE_WORD_BEGIN}, {"created", LEASE_WORD_BEGIN}, {"add", LEASE_WORD_BEGIN}, {"added", LEASE_WORD_BEGIN},
        {"new", LEASE_WORD_BEGIN}, {"on", LEASE_WORD_BEGIN}, {"up", LEASE_WORD_BEGIN}, {"login", LEASE_WORD_BEGIN},
        {"connect", LEASE_WORD_BEGIN}, {"connected", LEASE_WORD_BEGIN}, {"a", LEASE_WORD_BEGIN}, {"1", LEASE_WORD_BEGIN},
        {"16", LEASE_WORD_BEGIN}, {"stop", LEASE_WORD_END}, {"end", LEASE_WORD_END}, {"free", LEASE_WORD_END},
        {"freed", LEASE_WORD_END}, {"release", LEASE_WORD_END}, {"released", LEASE_WORD_END}, {"deallocate", LEASE_WORD_END},
        {"deallocated", LEASE_WORD_END}, {"deallocation", LEASE_WORD_END}, {"delete", LEASE_WORD_END}, {"deleted", LEASE_WORD_END},
        {"del", LEASE_WORD_END}, {"remove", LEASE_WORD_END}, {"removed", LEASE_WORD_END}, {"expire", LEASE_WORD_END},
        {"expired", LEASE_WORD_END}, {"off", LEASE_WORD_END}, {"down", LEASE_WORD_END}, {"logout", LEASE_WORD_END},
        {"disconnect", LEASE_WORD_END}, {"disconnected", LEASE_WORD_END}, {"d", LEASE_WORD_END}, {"r", LEASE_WORD_END},
        {"2", LEASE_WORD_END}, {"17", LEASE_WORD_END}, {"interim-update", LEASE_WORD_STILL}, {"interim", LEASE_WORD_STILL},
        {"update", LEASE_WORD_STILL}, {"alive", LEASE_WORD_STILL}, {"renew", LEASE_WORD_STILL}, {"renewed", LEASE_WORD_STILL},
        {"3", LEASE_WORD_STILL},
    };
    t = text_trim(t);
    if (!t.n)
        return LEASE_WORD_NONE;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (text_is_nocase(t, words[i].name))
            return words[i].word;
    return LEASE_WORD_BAD;
}

int lease_mac_of(struct text t, uint64_t *ret)
{
    uint64_t v = 0;
    unsigned n = 0;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (isxdigit(c)) {
            v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
            n++;
        } else if ((c != ':' && c != '-' && c != '.') || !n || n % 2) {
            return 1;
        }
        if (n > 12)
            return 1;
    }
    if (n != 12 || !v)
        return 1;
    *ret = v;
    return 0;
}

int lease_protocol_of(struct text t, uint8_t *ret)
{
    static const struct {
        const char *name;
        uint8_t number;
    } names[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"gre", 47}, {"esp", 50}, {"icmp6", 58}, {"ipv6-icmp", 58}, {"sctp", 132},
                 {"any", 0}, {"all", 0}, {"*", 0}, {"-", 0}};
    uint64_t v;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (text_is_nocase(t, names[i].name)) {
            *ret = names[i].number;
            return 0;
        }
    if (text_u64(t, UINT8_MAX, &v))
        return 1;
    *ret = (uint8_t)v;
    return 0;
}

struct text reading_word(struct text *rest)
{
    size_t from = 0, end;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t'))
        from++;
    for (end = from; end < rest->n && rest->p[end] != ' ' && rest->p[end] != '\t'; end++)
        ;
    struct text word = {rest->p + from, end - from};
    *rest = (struct text){rest->p + end, rest->n - end};
    return word;
}

/* --- input --------------------------------------------------------------------------------------------------- */

int reading_more(struct reading *r)
{
    if (r->at) {
        memmove(r->bytes.p, r->bytes.p + r->at, r->bytes.n - r->at);
        r->bytes.n -= r->at;
        r->at = 0;
    }
    uint8_t *room = buf_room(&r->bytes, PIECE);
    size_t n = 0;
    if (!room)
        return -ENOMEM;
    int rc = unpack_read(r->unpack, room, PIECE, &n);
    if (rc < 0)
        return rc;
    r->bytes.n += n;
    r->condition = rc ? rc : r->condition;
    r->has_ended = rc || !n;
    return 0;
}

int reading_line(struct reading *r, struct text *ret)
{
    for (size_t looked = 0;;) {
        size_t left = r->bytes.n - r->at;
        const uint8_t *from = r->bytes.p + r->at, *end = left > looked ? memchr(from + looked, '\n', left - looked) : NULL;
        if (end || (r->has_ended && left) || left >= READ_LINE_MAX) {
            size_t n = end ? (size_t)(end - from) : left < READ_LINE_MAX ? left : READ_LINE_MAX;
            r->at += n + (end != NULL);
            r->line++;
            *ret = (struct text){(const char *)from, n && from[n - 1] == '\r' ? n - 1 : n};
            return 0;
        }
        if (r->has_ended)
            return 1;
        looked = left;
        int rc = reading_more(r);
        if (rc)
            return rc;
    }
}

/* --- account ------------------------------------------------------------------------------------------------- */

int reading_refuse(struct reading *r, uint64_t line, enum lease_refusal why, struct text value)
{
    r->account->read++;
    r->account->refused[why]++;
    if (r->o->refused)
        r->o->refused(r->o->context, line, why, value);
    return 0;
}

int reading_other(struct reading *r)
{
    r->account->read++;
    r->account->other++;
    return 0;
}

/* take - a row that is done, from the pairs or straight. */
static int take(void *context, const struct lease_row *row)
{
    struct reading *r = context;
    r->account->kept++;
    r->account->n_open += row->l.to_us == LEASE_UNKNOWN && row->l.kind != LEASE_RESTART;
    r->account->n_unbegun += row->l.from_us == LEASE_UNKNOWN;
    return r->o->row(r->o->context, row);
}

/* wrong_with - LEASE_N_REFUSALS: nothing. */
static enum lease_refusal wrong_with(const struct lease_row *row)
{
    const struct lease *l = &row->l;
    if (l->from_us == LEASE_UNKNOWN && l->to_us == LEASE_UNKNOWN)
        return LEASE_REFUSED_NO_TIME;
    if (l->from_us != LEASE_UNKNOWN && l->to_us != LEASE_UNKNOWN && l->to_us < l->from_us)
        return LEASE_REFUSED_ENDS_BEFORE;
    if (l->port_first > l->port_last)
        return LEASE_REFUSED_BAD_PORTS;
    if (l->kind != LEASE_RESTART && ip_is_zero(&l->outside))
        return LEASE_REFUSED_BAD_ADDRESS;
    if (l->kind != LEASE_RESTART && ip_is_zero(&l->inside) && !l->mac && !row->subscriber.n && !row->host.n)
        return LEASE_REFUSED_NOBODY;
    return lease_is_sane(l) ? LEASE_N_REFUSALS : LEASE_REFUSED_BAD_TIME;
}

int reading_row(struct reading *r, const struct lease_row *row, enum lease_word word, uint64_t line, struct text value)
{
    struct lease_row x = *row;
    int rc;
    x.gateway = x.gateway.n ? x.gateway : r->o->gateway;
    x.realm = x.realm.n ? x.realm : r->o->realm;
    x.source = x.source.n ? x.source : (struct text){r->o->name, strlen(r->o->name)};
    enum lease_refusal why = wrong_with(&x);
    bool is_end_of_somebody = why == LEASE_REFUSED_NOBODY && word == LEASE_WORD_END; /* the begin says who */
    if (word == LEASE_WORD_BAD)
        return reading_refuse(r, line, LEASE_REFUSED_BAD_EVENT, value);
    if (why != LEASE_N_REFUSALS && !is_end_of_somebody)
        return reading_refuse(r, line, why, value);
    r->account->read++;
    if (x.l.kind == LEASE_RESTART) {
        rc = pairs_restart(r->pairs, x.gateway, x.l.from_us);
        return rc ? rc : take(r, &x);
    }
    if (word == LEASE_WORD_BEGIN || word == LEASE_WORD_STILL)
        rc = pairs_begin(r->pairs, &x);
    else if (word == LEASE_WORD_END)
        rc = pairs_end(r->pairs, &x);
    else
        return take(r, &x);
    r->account->joined += rc == PAIRS_JOINED;
    return rc == PAIRS_JOINED ? 0 : rc;
}

/* --- what it is ----------------------------------------------------------------------------------------------- */

static bool has(struct text t, const char *what)
{
    return memmem(t.p, t.n, what, strlen(what)) != NULL;
}

static bool begins(struct text t, const char *what)
{
    return t.n >= strlen(what) && !memcmp(t.p, what, strlen(what));
}

static bool is_dnsmasq(struct text line)
{
    uint64_t v;
    struct ip ip;
    struct text expiry = reading_word(&line), mac = reading_word(&line), address = reading_word(&line);
    return !text_u64(expiry, UINT32_MAX * UINT64_C(4), &v) && has(mac, ":") && !ip_parse(address.p, address.n, &ip);
}

static bool is_neighbour(struct text line)
{
    return has(line, " lladdr ") || has(line, " FAILED") || (begins(line, "Internet ") && has(line, "ARPA")) ||
           (has(line, ") at ") && has(line, " (")) || begins(line, "? (");
}

/* detect - by the first lines; csv when nothing else fits. */
static enum lease_format detect(struct text t)
{
    if (has(t, "valid_lifetime") && has(t, "expire"))
        return LEASE_FORMAT_KEA;
    if (has(t, "ID,Date,Time,Description,IP Address"))
        return LEASE_FORMAT_WINDOWS;
    while (t.n) {
        const char *end = memchr(t.p, '\n', t.n);
        struct text line = {t.p, end ? (size_t)(end - t.p) : t.n};
        t = (struct text){t.p + line.n + (end != NULL), t.n - line.n - (end != NULL)};
        struct text trimmed = text_trim(line);
        if (!trimmed.n || *trimmed.p == '#')
            continue;
        if (begins(line, "lease ") || begins(line, "ia-na ") || begins(line, "ia-pd ") || begins(line, "authoring-byte-order") ||
            begins(line, "server-duid"))
            return LEASE_FORMAT_ISC;
        if (begins(line, "\t") && has(line, " = "))
            return LEASE_FORMAT_DETAIL;
        if (is_dnsmasq(trimmed))
            return LEASE_FORMAT_DNSMASQ;
        if (is_neighbour(trimmed))
            return LEASE_FORMAT_NEIGHBOURS;
        if (has(line, ",") || has(line, ";"))
            return LEASE_FORMAT_CSV;
    }
    return LEASE_FORMAT_CSV;
}

static int read_format(struct reading *r)
{
    switch (r->account->format) {
    case LEASE_FORMAT_CSV:
    case LEASE_FORMAT_KEA:
    case LEASE_FORMAT_WINDOWS:
        return read_csv(r, r->account->format);
    case LEASE_FORMAT_ISC:
        return read_isc(r);
    case LEASE_FORMAT_DNSMASQ:
        return read_dnsmasq(r);
    case LEASE_FORMAT_DETAIL:
        return read_detail(r);
    case LEASE_FORMAT_NEIGHBOURS:
        return read_neighbours(r);
    case LEASE_FORMAT_AUTO:
    case LEASE_N_FORMATS:
        break;
    }
    return -EINVAL;
}

static int read_all(struct reading *r, struct fault *f)
{
    int rc = 0;
    while (!rc && !r->has_ended && r->bytes.n < LOOK)
        rc = reading_more(r);
    if (!rc && r->bytes.n >= 3 && !memcmp(r->bytes.p, "\xef\xbb\xbf", 3))
        r->at = 3;
    if (rc)
        return FAULT(f, rc, store_read_failed, r->o->name, strerrordesc_np(-rc));
    struct text first = {(const char *)r->bytes.p + r->at, r->bytes.n - r->at};
    if (first.n && memchr(first.p, 0, first.n < LOOK ? first.n : LOOK))
        return FAULT(f, LEASE_READ_REFUSED, lease_binary, r->o->name);
    r->account->format = r->o->format == LEASE_FORMAT_AUTO ? detect(first) : r->o->format;
    if (r->account->format == LEASE_FORMAT_NEIGHBOURS && r->o->at_us == LEASE_UNKNOWN)
        return FAULT(f, LEASE_READ_REFUSED, lease_needs_time, r->o->name);
    rc = read_format(r);
    if (rc == LEASE_READ_REFUSED)
        return FAULT(f, rc, lease_no_columns, r->o->name);
    uint64_t n_open = 0;
    if (!rc)
        rc = pairs_flush(r->pairs, &n_open);
    r->account->is_cut = r->condition != 0;
    return rc < 0 ? FAULT(f, rc, store_read_failed, r->o->name, strerrordesc_np(-rc)) : rc;
}

int lease_read(int fd, const struct lease_read_options *o, struct lease_account *ret, struct fault *f)
{
    struct reading r = {.o = o, .account = ret, .bytes.max = (size_t)4 << 20};
    *ret = (struct lease_account){.format = o->format};
    if (unpack_is_device(fd))
        return FAULT(f, -ENODEV, import_device, o->name);
    r.pairs = pairs_new(READ_OPEN_MAX, take, &r);
    int rc = r.pairs ? unpack_new(fd, &r.unpack) : -ENOMEM;
    rc = rc ? FAULT(f, rc, store_no_memory, o->name) : read_all(&r, f);
    unpack_free(r.unpack);
    pairs_free(r.pairs);
    buf_fini(&r.bytes);
    return rc;
}
