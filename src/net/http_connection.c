/* SPDX-License-Identifier: Apache-2.0 */
/* Who is connected: counted in all and by address, watched by one deadline each, so that neither many nor slow clients take the server. */
#include "net/http_own.h"

#include "base/clock.h"

#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct ip address_of(const struct sockaddr *a)
{
    struct ip ip = {{0}};
    if (a && a->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof(v4));
        return ip_from_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (a && a->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof(v6));
        memcpy(ip.b, &v6.sin6_addr, sizeof(ip.b));
    }
    return ip;
}

static unsigned bucket_of(const struct http_server *s, const struct ip *ip)
{
    uint64_t h = s->key, w[2];
    memcpy(w, ip->b, sizeof(w));
    for (int i = 0; i < 2; i++) {
        h = (h ^ w[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return (unsigned)(h % HTTP_BUCKETS);
}

enum MHD_Result http_may_connect(void *context, const struct sockaddr *a, socklen_t n)
{
    struct http_server *s = context;
    struct ip ip = address_of(a);
    unsigned n_alike = 0;
    (void)n;
    http_count(s, COUNT_ACCEPTED, 1);
    if (s->n_connections >= s->o.connections_max) {
        http_count(s, COUNT_REFUSED_CONNECTIONS, 1);
        return MHD_NO;
    }
    for (const struct http_connection *x = s->buckets[bucket_of(s, &ip)]; x; x = x->next_alike)
        n_alike += ip_equal(&x->ip, &ip);
    if (n_alike < s->o.connections_of_one_max)
        return MHD_YES;
    http_count(s, COUNT_REFUSED_OF_ONE, 1);
    return MHD_NO;
}

static void begin(struct http_server *s, struct MHD_Connection *c, void **socket_context)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *a = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_connection *x = calloc(1, sizeof(*x));
    s->n_connections++;
    atomic_store_explicit(&s->counters[COUNT_CONNECTIONS], s->n_connections, memory_order_relaxed);
    if (!x) /* its requests are refused: http_connection_of answers NULL */
        return;
    *x = (struct http_connection){.server = s, .fd = fd ? fd->connect_fd : -1, .ip = address_of(a ? a->client_addr : NULL)};
    http_connection_allow(x, s->o.read_timeout_s);
    x->next = s->connections;
    x->from = &s->connections;
    if (x->next)
        x->next->from = &x->next;
    s->connections = x;
    struct http_connection **bucket = &s->buckets[bucket_of(s, &x->ip)];
    x->next_alike = *bucket;
    x->from_alike = bucket;
    if (x->next_alike)
        x->next_alike->from_alike = &x->next_alike;
    *bucket = x;
    *socket_context = x;
}

void http_note_connection(void *context, struct MHD_Connection *c, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = context;
    struct http_connection *x = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        begin(s, c, socket_context);
        return;
    }
    s->n_connections--;
    atomic_store_explicit(&s->counters[COUNT_CONNECTIONS], s->n_connections, memory_order_relaxed);
    if (!x)
        return;
    *x->from = x->next;
    if (x->next)
        x->next->from = x->from;
    *x->from_alike = x->next_alike;
    if (x->next_alike)
        x->next_alike->from_alike = x->from_alike;
    free(x);
    *socket_context = NULL;
}

struct http_connection *http_connection_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

void http_connection_allow(struct http_connection *x, int64_t seconds)
{
    if (x)
        x->deadline_us = seconds ? clock_steady_us() + seconds * US_PER_SECOND : 0;
}

void http_connections_tick(struct http_server *s, int64_t now_us)
{
    for (struct http_connection *x = s->connections; x; x = x->next)
        if (x->deadline_us && now_us > x->deadline_us && x->fd >= 0) {
            http_count(s, COUNT_REFUSED_SLOW, 1);
            x->deadline_us = 0;
            shutdown(x->fd, SHUT_RDWR); /* the library sees it and closes */
        }
}

/* --- client certificates ------------------------------------------------------------------------------------------ */

/* name_of - the distinguished name of a certificate (RFC 4514); printable, and empty where it does not fit. */
static void name_of(const gnutls_datum_t *der, char *out, size_t n_out)
{
    gnutls_datum_t name = {0};
    gnutls_x509_crt_t c;
    if (gnutls_x509_crt_init(&c))
        return;
    int r = gnutls_x509_crt_import(c, der, GNUTLS_X509_FMT_DER);
    if (!r)
        r = gnutls_x509_crt_get_dn3(c, &name, 0);
    if (!r && name.size < n_out && !memchr(name.data, 0, name.size) && text_is_utf8((const char *)name.data, name.size)) {
        memcpy(out, name.data, name.size);
        out[name.size] = 0;
    }
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *out = 0; /* no name of ours */
    gnutls_free(name.data);
    gnutls_x509_crt_deinit(c);
}

void http_connection_certificate(struct http_connection *x, struct MHD_Connection *c)
{
    unsigned status = 0, n = 0;
    if (x->is_certificate_checked || !x->server->o.client_ca_pem)
        return;
    x->is_certificate_checked = true;
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = i ? i->tls_session : NULL;
    const gnutls_datum_t *all = session ? gnutls_certificate_get_peers(session, &n) : NULL;
    if (!all || !n || gnutls_certificate_verify_peers2(session, &status) || status)
        return;
    name_of(&all[0], x->certificate_name, sizeof(x->certificate_name));
    x->has_certificate = x->certificate_name[0] != 0;
}
