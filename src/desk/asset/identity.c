/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of identity.h from its strongest key downwards; each step either decides or hands on to the next.
 */
#include "desk/asset/identity.h"

#include "base/clock.h"
#include "base/ip.h"

#include <string.h>

const struct identity_times identity_times = {3600 * US_PER_SECOND, 24 * 3600 * US_PER_SECOND, 3600 * US_PER_SECOND};

#define X(ID, word) word,
static const char *const key_names[] = {IDENTITY_KEYS(X)};
static const char *const event_names[] = {IDENTITY_EVENTS(X)};
static const char *const link_names[] = {IDENTITY_LINK_KINDS(X)};
#undef X

const char *identity_key_name(enum identity_kind k)
{
    return key_names[k];
}

const char *identity_event_name(enum identity_event e)
{
    return event_names[e];
}

const char *identity_link_name(enum identity_link l)
{
    return link_names[l];
}

/* --- one form per key -------------------------------------------------------------------------------------------- */

static bool is_one_of(struct text t, const char *const *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_is(t, all[i]))
            return true;
    return false;
}

#define IS_ONE_OF(t, all) is_one_of((t), (all), sizeof(all) / sizeof(*(all)))

/* what makers leave in the field of the serial (in lower case) */
static const char *const junk_serials[] = {"to be filled by o.e.m.", "to be filled by oem", "default string", "system serial number",
                                           "not specified", "not applicable", "none", "n/a", "na", "unknown", "invalid", "oem",
                                           "chassis serial number", "0123456789", "123456789", "1234567890", "12345678", "empty"};
static const char *const junk_names[] = {"localhost", "localhost.localdomain", "unknown", "none", "n/a", "-", "android", "iphone",
                                         "localhost4", "localhost6", "workgroup", "host", "pc", "computer", "desktop", "ubuntu", "debian"};

static bool is_one_character(struct text t)
{
    for (size_t i = 1; i < t.n; i++)
        if (t.p[i] != t.p[0] && t.p[i] != '-' && t.p[i] != '.')
            return false;
    return true;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* canonical_mac - 12 hexadecimal digits with any of ":-. " between. Source: IEEE 802-2014 8.2 (bits of the first octet). */
static size_t canonical_mac(struct text v, char *out)
{
    static const char digits[] = "0123456789abcdef";
    static const uint8_t vrrp[5] = {0, 0, 0x5e, 0, 1}, vrrp6[5] = {0, 0, 0x5e, 0, 2}, hsrp[5] = {0, 0, 0x0c, 7, 0xac};
    uint8_t mac[6] = {0};
    unsigned n = 0;
    for (size_t i = 0; i < v.n; i++) {
        int h = hex_value(v.p[i]);
        if (h < 0 && strchr(":-. ", v.p[i]) && v.p[i])
            continue;
        if (h < 0 || n == 12)
            return 0;
        mac[n / 2] = (uint8_t)(mac[n / 2] << 4 | h);
        n++;
    }
    bool is_nobody = !memcmp(mac, "\0\0\0\0\0", 6);
    if (n != 12 || (mac[0] & 3) || is_nobody || !memcmp(mac, vrrp, 5) || !memcmp(mac, vrrp6, 5) || !memcmp(mac, hsrp, 5))
        return 0; /* a group, locally administered, or of a virtual router */
    for (unsigned i = 0; i < 6; i++) {
        out[i * 3] = digits[mac[i] >> 4];
        out[i * 3 + 1] = digits[mac[i] & 15];
        out[i * 3 + 2] = i < 5 ? ':' : '\0';
    }
    return 17;
}

static size_t canonical_ip(struct text v, char *out)
{
    struct ip a;
    if (ip_parse(v.p, v.n, &a) || ip_is_zero(&a))
        return 0;
    bool is_loopback = ip_is_v4(&a) ? ip_v4(&a) >> 24 == 127 || ip_v4(&a) == 0 || ip_v4(&a) >> 28 >= 14
                                    : a.b[0] == 0xff || (a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80);
    struct ip one = {{0}};
    one.b[15] = 1;
    return is_loopback || ip_equal(&a, &one) ? 0 : ip_format(&a, out); /* loopback, groups, link-local: of no one machine */
}

size_t identity_canonical(enum identity_kind kind, struct text value, char out[IDENTITY_KEY_BYTES])
{
    value = text_trim(value);
    if (!value.n || value.n >= IDENTITY_KEY_BYTES || !text_is_utf8(value.p, value.n))
        return 0;
    if (kind == IDENTITY_MAC)
        return canonical_mac(value, out);
    if (kind == IDENTITY_IP)
        return canonical_ip(value, out);
    size_t n = value.n;
    for (size_t i = 0; i < n; i++) {
        char c = value.p[i];
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return 0;
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    while (kind == IDENTITY_NAME && n && (out[n - 1] == '.' || out[n - 1] == '$')) /* a root dot; an Active Directory account */
        n = text_trim((struct text){out, n - 1}).n;
    out[n] = '\0';
    struct text t = {out, n};
    bool is_junk = kind == IDENTITY_NAME ? IS_ONE_OF(t, junk_names) : n < 4 || is_one_character(t) || IS_ONE_OF(t, junk_serials);
    return is_junk ? 0 : n;
}

/* --- asking what is known ---------------------------------------------------------------------------------------- */

enum same { SAME_UNKNOWN, SAME_YES, SAME_NO };

static const struct identity_key *find_key(const struct identity_known *k, enum identity_kind kind, struct text value)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->keys[i].kind == kind && text_equal(k->keys[i].value, value))
            return &k->keys[i];
    return NULL;
}

static enum same same(const struct identity_sighting *s, const struct identity_known *k, enum identity_kind kind)
{
    bool has_other = false;
    if (!s->keys[kind].n)
        return SAME_UNKNOWN;
    for (size_t i = 0; i < k->n; i++)
        if (k->keys[i].kind == kind) {
            if (text_equal(k->keys[i].value, s->keys[kind]))
                return SAME_YES;
            has_other = true;
        }
    return has_other ? SAME_NO : SAME_UNKNOWN;
}

struct scene {
    const struct identity_sighting *s;
    const struct identity_known *known;
    size_t n;
    const struct identity_times *t;
    struct identity_decision *ret;
};

/* matches - living machines with the key, in @out; the number of them */
static size_t matches(const struct scene *c, enum identity_kind kind, const struct identity_known **out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n && c->s->keys[kind].n; i++)
        if (!c->known[i].is_ended && find_key(&c->known[i], kind, c->s->keys[kind]))
            out[n++] = &c->known[i];
    return n;
}

static const struct identity_known *last_seen(const struct identity_known *const *all, size_t n)
{
    const struct identity_known *best = all[0];
    for (size_t i = 1; i < n; i++)
        if (all[i]->last_us > best->last_us)
            best = all[i];
    return best;
}

/* the only one that agrees in @kind, or NULL */
static const struct identity_known *only(const struct scene *c, const struct identity_known *const *all, size_t n, enum identity_kind kind)
{
    const struct identity_known *found = NULL;
    for (size_t i = 0; i < n; i++)
        if (same(c->s, all[i], kind) == SAME_YES) {
            if (found)
                return NULL;
            found = all[i];
        }
    return found;
}

/* --- deciding ---------------------------------------------------------------------------------------------------- */

static bool merge(const struct scene *c, const struct identity_known *k, enum identity_kind by, enum identity_event event)
{
    c->ret->act = IDENTITY_MERGE;
    c->ret->machine = k->machine;
    c->ret->by = by;
    c->ret->event = event;
    return true;
}

static void link_to(const struct scene *c, const struct identity_known *k, enum identity_link kind)
{
    if (c->ret->n_links < IDENTITY_LINKS) {
        c->ret->links[c->ret->n_links].machine = k->machine;
        c->ret->links[c->ret->n_links++].kind = kind;
    }
}

static bool apart(const struct scene *c, const struct identity_known *k, enum identity_kind by, enum identity_link link,
                  enum identity_event event)
{
    c->ret->act = IDENTITY_NEW;
    c->ret->by = by;
    c->ret->event = event;
    link_to(c, k, link);
    return true;
}

static enum identity_event renamed_or_seen(const struct scene *c, const struct identity_known *k)
{
    return same(c->s, k, IDENTITY_NAME) == SAME_NO ? IDENTITY_RENAMED : IDENTITY_SEEN;
}

/* seen elsewhere with this agent id, by other keys, within the time of a clone */
static bool is_elsewhere(const struct scene *c, const struct identity_known *k)
{
    if (same(c->s, k, IDENTITY_MAC) != SAME_NO || same(c->s, k, IDENTITY_NAME) != SAME_NO)
        return false;
    for (size_t i = 0; i < k->n; i++)
        if (k->keys[i].kind == IDENTITY_MAC && k->keys[i].last_us > c->s->at_us - c->t->clone_us)
            return true;
    return false;
}

static bool by_cloned_agent(const struct scene *c, const struct identity_known *k)
{
    const struct identity_known *of_serial[IDENTITY_KNOWN_MAX];
    size_t n = matches(c, IDENTITY_SERIAL, of_serial);
    if (n == 1 && of_serial[0] != k) {
        merge(c, of_serial[0], IDENTITY_SERIAL, IDENTITY_CLONED);
        link_to(c, k, IDENTITY_LINK_CLONED);
        return true;
    }
    return apart(c, k, IDENTITY_AGENT, IDENTITY_LINK_CLONED, IDENTITY_CLONED);
}

static bool by_agent(const struct scene *c)
{
    const struct identity_known *all[IDENTITY_KNOWN_MAX];
    size_t n = matches(c, IDENTITY_AGENT, all);
    if (!n)
        return false;
    if (n == 1) {
        if (same(c->s, all[0], IDENTITY_SERIAL) == SAME_NO || is_elsewhere(c, all[0]))
            return by_cloned_agent(c, all[0]);
        return merge(c, all[0], IDENTITY_AGENT, renamed_or_seen(c, all[0]));
    }
    for (enum identity_kind kind = IDENTITY_SERIAL; kind <= IDENTITY_NAME; kind++) {
        const struct identity_known *k = only(c, all, n, kind);
        if (k)
            return merge(c, k, IDENTITY_AGENT, renamed_or_seen(c, k));
    }
    const struct identity_known *k = last_seen(all, n);
    if (same(c->s, k, IDENTITY_SERIAL) == SAME_NO || same(c->s, k, IDENTITY_MAC) == SAME_NO)
        return apart(c, k, IDENTITY_AGENT, IDENTITY_LINK_CLONED, IDENTITY_CLONED);
    return merge(c, k, IDENTITY_AGENT, IDENTITY_DOUBT);
}

/* by_hardware - by serial or MAC */
static bool by_hardware(const struct scene *c, enum identity_kind kind)
{
    const struct identity_known *all[IDENTITY_KNOWN_MAX], *k;
    size_t n = matches(c, kind, all);
    if (!n)
        return false;
    bool is_in_doubt = false;
    k = n == 1 ? all[0] : only(c, all, n, IDENTITY_NAME);
    if (!k) {
        k = last_seen(all, n);
        is_in_doubt = true;
    }
    if (kind == IDENTITY_MAC && same(c->s, k, IDENTITY_SERIAL) == SAME_NO)
        return apart(c, k, kind, IDENTITY_LINK_SAME_MAC, IDENTITY_FIRST);
    if (same(c->s, k, IDENTITY_AGENT) == SAME_NO) {
        if (same(c->s, k, IDENTITY_NAME) == SAME_YES)
            return merge(c, k, kind, IDENTITY_REINSTALLED);
        return apart(c, k, kind, IDENTITY_LINK_REIMAGED, IDENTITY_REIMAGED);
    }
    return merge(c, k, kind, is_in_doubt ? IDENTITY_DOUBT : renamed_or_seen(c, k));
}

static bool contradicts(const struct scene *c, const struct identity_known *k)
{
    return same(c->s, k, IDENTITY_AGENT) == SAME_NO || same(c->s, k, IDENTITY_SERIAL) == SAME_NO || same(c->s, k, IDENTITY_MAC) == SAME_NO;
}

/* of_unit - leaves those of the sighting's unit; where there are none, those whose unit, or the sighting's, nobody knows */
static size_t of_unit(const struct scene *c, const struct identity_known **all, size_t n)
{
    size_t n_same = 0, n_open = 0;
    const struct identity_known *open[IDENTITY_KNOWN_MAX];
    for (size_t i = 0; i < n; i++)
        if (all[i]->unit == c->s->unit)
            all[n_same++] = all[i];
        else if (!all[i]->unit || !c->s->unit)
            open[n_open++] = all[i];
    if (n_same)
        return n_same;
    memcpy(all, open, n_open * sizeof(*all));
    return n_open;
}

static bool by_name(const struct scene *c)
{
    const struct identity_known *all[IDENTITY_KNOWN_MAX], *k;
    size_t n = of_unit(c, all, matches(c, IDENTITY_NAME, all)), n_free = 0;
    if (!n)
        return false;
    const struct identity_known *first = all[0];
    for (size_t i = 0; i < n; i++)
        if (!contradicts(c, all[i]))
            all[n_free++] = all[i];
    if (!n_free || (n_free > 1 && all[0]->unit != c->s->unit))
        return apart(c, first, IDENTITY_NAME, IDENTITY_LINK_SAME_NAME, IDENTITY_FIRST);
    if (n_free == 1)
        return merge(c, all[0], IDENTITY_NAME, IDENTITY_SEEN);
    k = only(c, all, n_free, IDENTITY_IP);
    return k ? merge(c, k, IDENTITY_NAME, IDENTITY_SEEN) : merge(c, last_seen(all, n_free), IDENTITY_NAME, IDENTITY_DOUBT);
}

static bool is_private(struct text address)
{
    struct ip a;
    return !ip_parse(address.p, address.n, &a) && ip_is_private(&a);
}

/* by_address - whoever held it last before the moment, if that was not too long ago */
static bool by_address(const struct scene *c)
{
    const struct identity_known *all[IDENTITY_KNOWN_MAX], *holder = NULL;
    size_t n = matches(c, IDENTITY_IP, all);
    bool has_keys = c->s->keys[IDENTITY_AGENT].n || c->s->keys[IDENTITY_SERIAL].n || c->s->keys[IDENTITY_MAC].n ||
        c->s->keys[IDENTITY_NAME].n;
    int64_t hold_us = has_keys ? c->t->claim_us : c->t->hold_us, best = INT64_MIN;
    bool is_local = is_private(c->s->keys[IDENTITY_IP]);
    for (size_t i = 0; i < n; i++) {
        const struct identity_key *e = find_key(all[i], IDENTITY_IP, c->s->keys[IDENTITY_IP]);
        bool is_then = e->first_us - hold_us <= c->s->at_us && c->s->at_us <= e->last_us + hold_us;
        int64_t until = e->last_us < c->s->at_us ? e->last_us : c->s->at_us; /* two that overlap: the later comer */
        int64_t rank = until / 2 + (e->first_us <= c->s->at_us ? e->first_us / 2 : 0);
        if (is_then && !(is_local && all[i]->unit != c->s->unit) && rank > best) {
            best = rank;
            holder = all[i];
        }
    }
    if (!holder)
        return false;
    if (contradicts(c, holder) || same(c->s, holder, IDENTITY_NAME) == SAME_NO) {
        c->ret->act = IDENTITY_NEW;
        c->ret->by = IDENTITY_IP;
        c->ret->event = IDENTITY_REUSED;
        return true;
    }
    return merge(c, holder, IDENTITY_IP, has_keys ? IDENTITY_IDENTIFIED : IDENTITY_SEEN);
}

void identity_decide(const struct identity_sighting *s, const struct identity_known *known, size_t n, const struct identity_times *t,
                     struct identity_decision *ret)
{
    struct scene c = {s, known, n < IDENTITY_KNOWN_MAX ? n : IDENTITY_KNOWN_MAX, t, ret};
    bool has_any = false;
    *ret = (struct identity_decision){.act = IDENTITY_NEW, .event = IDENTITY_FIRST};
    for (int kind = 0; kind < IDENTITY_N_KEYS; kind++) {
        has_any |= s->keys[kind].n > 0;
        ret->by = has_any && !ret->by && s->keys[kind].n ? (enum identity_kind)kind : ret->by;
    }
    if (!has_any) {
        ret->act = IDENTITY_NOTHING;
        return;
    }
    if (by_agent(&c) || by_hardware(&c, IDENTITY_SERIAL) || by_hardware(&c, IDENTITY_MAC) || by_name(&c))
        return;
    by_address(&c);
}
