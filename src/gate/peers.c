/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/peers.h"

#include "base/clock.h"

#include <gnutls/x509.h>
#include <string.h>
#include <strings.h>

enum { HASH_BYTES = 32, NAMES_MAX = 64 };

/* --- texts --------------------------------------------------------------------------------------------------------- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* parse_fingerprint - Return: whether @text is "sha256:" and 64 hex digits. */
static bool parse_fingerprint(const char *text, uint8_t ret[HASH_BYTES])
{
    static const char kind[] = "sha256:";
    size_t n = 0;
    if (strncasecmp(text, kind, sizeof(kind) - 1) != 0)
        return false;
    for (const char *p = text + sizeof(kind) - 1; *p; p += 2) {
        p += n && *p == ':';
        int high = digit(*p), low = high < 0 ? -1 : digit(p[1]);
        if (low < 0 || n == HASH_BYTES)
            return false;
        ret[n++] = (uint8_t)(high << 4 | low);
    }
    return n == HASH_BYTES;
}

static bool is_label_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_';
}

static bool is_name(const char *text)
{
    const char *p = !strncmp(text, "*.", 2) ? text + 2 : text;
    size_t n_label = 0;
    if (strlen(text) >= GATE_NAME_BYTES)
        return false;
    for (; *p; p++) {
        if (*p == '.' ? !n_label : !is_label_byte(*p))
            return false;
        n_label = *p == '.' ? 0 : n_label + 1;
    }
    return n_label > 0;
}

bool gate_peer_is_fingerprint(const char *text)
{
    uint8_t unused[HASH_BYTES];
    return parse_fingerprint(text, unused);
}

bool gate_peer_is_valid(const char *text)
{
    struct ip unused;
    return gate_peer_is_fingerprint(text) || !ip_parse(text, strlen(text), &unused) || is_name(text);
}

static bool is_named(const char *peer, const char *name)
{
    if (strncmp(peer, "*.", 2) != 0)
        return !strcasecmp(peer, name);
    const char *dot = strchr(name, '.');
    return dot && dot > name && *name != '*' && !strcasecmp(peer + 1, dot);
}

/* --- certificates ----------------------------------------------------------------------------------------------------- */

/* open_certificate - the peer's own. Return: false: it has shown none that can be read. */
static bool open_certificate(gnutls_session_t s, gnutls_x509_crt_t *ret)
{
    unsigned n = 0;
    const gnutls_datum_t *all = s ? gnutls_certificate_get_peers(s, &n) : NULL;
    if (!all || !n || gnutls_x509_crt_init(ret))
        return false;
    if (!gnutls_x509_crt_import(*ret, &all[0], GNUTLS_X509_FMT_DER))
        return true;
    gnutls_x509_crt_deinit(*ret);
    return false;
}

/* name_of - its @i-th alternative name if it is a DNS name, as text without zeros. Return: its kind, or <0: there are no more. */
static int name_of(gnutls_x509_crt_t c, unsigned i, char out[GATE_NAME_BYTES], size_t *n)
{
    *n = GATE_NAME_BYTES - 1;
    int kind = gnutls_x509_crt_get_subject_alt_name(c, i, out, n, NULL);
    if (kind == GNUTLS_E_SHORT_MEMORY_BUFFER)
        *n = 0; /* no DNS name is that long */
    else if (kind < 0)
        return kind;
    if (kind == GNUTLS_SAN_DNSNAME && memchr(out, 0, *n))
        *n = 0;
    out[*n] = 0;
    return kind < 0 ? GNUTLS_SAN_OTHERNAME : kind;
}

static bool common_name(gnutls_x509_crt_t c, char out[GATE_NAME_BYTES])
{
    size_t n = GATE_NAME_BYTES - 1;
    int r = gnutls_x509_crt_get_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &n);
    out[r ? 0 : n] = 0;
    return !r && !memchr(out, 0, n);
}

/* first_name - the first DNS name, else the common name; "" if there is neither. */
static void first_name(gnutls_x509_crt_t c, char out[GATE_NAME_BYTES])
{
    size_t n;
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        int kind = name_of(c, i, out, &n);
        if (kind < 0)
            break;
        if (kind == GNUTLS_SAN_DNSNAME && n)
            return;
    }
    if (!common_name(c, out))
        out[0] = 0;
}

static void copy_printable(const char *p, char *out, size_t n_out)
{
    size_t k = 0;
    for (; *p && k + 1 < n_out; p++)
        out[k++] = *p > ' ' && *p < 0x7f ? *p : '?';
    out[k] = 0;
}

void gate_peer_name(gnutls_session_t s, char *out, size_t n_out)
{
    gnutls_x509_crt_t c;
    char name[GATE_NAME_BYTES];
    out[0] = 0;
    if (!open_certificate(s, &c))
        return;
    first_name(c, name);
    gnutls_x509_crt_deinit(c);
    copy_printable(name, out, n_out);
}

static bool fingerprint_of(gnutls_x509_crt_t c, uint8_t ret[HASH_BYTES])
{
    size_t n = HASH_BYTES;
    return !gnutls_x509_crt_get_fingerprint(c, GNUTLS_DIG_SHA256, ret, &n) && n == HASH_BYTES;
}

static bool has_address(const char *peer, const char *p, size_t n)
{
    struct ip wanted, shown = {{0}};
    if (ip_parse(peer, strlen(peer), &wanted))
        return false;
    if (n == 4)
        shown = ip_from_v4((uint32_t)(uint8_t)p[0] << 24 | (uint32_t)(uint8_t)p[1] << 16 | (uint32_t)(uint8_t)p[2] << 8 | (uint8_t)p[3]);
    else if (n == 16)
        memcpy(shown.b, p, 16);
    else
        return false;
    return ip_equal(&wanted, &shown);
}

/* is_peer - whether @c is the one that @peer names. */
static bool is_peer(gnutls_x509_crt_t c, const char *peer)
{
    uint8_t wanted[HASH_BYTES], shown[HASH_BYTES];
    char name[GATE_NAME_BYTES];
    bool has_names = false;
    size_t n;
    if (parse_fingerprint(peer, wanted))
        return fingerprint_of(c, shown) && !memcmp(wanted, shown, HASH_BYTES);
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        int kind = name_of(c, i, name, &n);
        if (kind < 0)
            break;
        has_names |= kind == GNUTLS_SAN_DNSNAME;
        if ((kind == GNUTLS_SAN_DNSNAME && n && is_named(peer, name)) || (kind == GNUTLS_SAN_IPADDRESS && has_address(peer, name, n)))
            return true;
    }
    return !has_names && common_name(c, name) && is_named(peer, name);
}

bool gate_peer_may_pass(gnutls_session_t s, const char *const *peers, size_t n_peers)
{
    gnutls_x509_crt_t c;
    bool may = false;
    if (!open_certificate(s, &c))
        return false;
    for (size_t i = 0; i < n_peers && !may; i++)
        may = is_peer(c, peers[i]);
    gnutls_x509_crt_deinit(c);
    return may;
}

/* --- who was refused ----------------------------------------------------------------------------------------------------- */

static bool is_same(const struct gate_refused *a, const struct gate_refused *b)
{
    return atomic_load(&a->n) && a->why == b->why && !memcmp(a->sha256, b->sha256, HASH_BYTES) &&
           (a->has_certificate ? b->has_certificate : !b->has_certificate && ip_equal(&a->ip, &b->ip));
}

void gate_peer_note(struct gate_refused *all, gnutls_session_t s, const struct ip *ip, enum gate_refusal why)
{
    struct gate_refused one = {.ip = *ip, .why = why};
    struct gate_refused *to = &all[0];
    gnutls_x509_crt_t c;
    one.has_certificate = open_certificate(s, &c);
    if (one.has_certificate) {
        char name[GATE_NAME_BYTES];
        first_name(c, name);
        copy_printable(name, one.name, sizeof(one.name));
        (void)fingerprint_of(c, one.sha256);
        gnutls_x509_crt_deinit(c);
    }
    for (size_t i = 0; i < GATE_REFUSED_MAX; i++) {
        if (is_same(&all[i], &one)) {
            to = &all[i];
            break;
        }
        if (atomic_load(&all[i].last_us) < atomic_load(&to->last_us)) /* 0: free */
            to = &all[i];
    }
    uint64_t n = is_same(to, &one) ? atomic_load(&to->n) + 1 : 1;
    atomic_fetch_add(&to->turn, 1); /* odd: it is being written */
    atomic_store(&to->n, n);
    atomic_store(&to->last_us, clock_now_us());
    to->ip = one.ip;
    to->why = one.why;
    to->has_certificate = one.has_certificate;
    memcpy(to->name, one.name, sizeof(to->name));
    memcpy(to->sha256, one.sha256, sizeof(to->sha256));
    atomic_fetch_add(&to->turn, 1);
}

bool gate_refused_read(const struct gate_refused *from, struct gate_refused *ret)
{
    enum { TRIES = 8 };
    for (int i = 0; i < TRIES; i++) {
        unsigned turn = atomic_load(&from->turn);
        memcpy(ret, from, sizeof(*ret));
        atomic_thread_fence(memory_order_acquire);
        if (!(turn & 1) && atomic_load(&from->turn) == turn)
            return atomic_load(&ret->n) > 0;
    }
    return false;
}
