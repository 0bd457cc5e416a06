/* SPDX-License-Identifier: Apache-2.0 */
/* A client over loopback that speaks TLS and says what it is told to, and a port to listen on. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    char text[1 << 17]; /* all that came, terminated */
    size_t n;
    bool is_closed;
};

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 128) || getsockname(fd, (struct sockaddr *)&a, &n))
        abort();
    *ret_port = ntohs(a.sin_port);
    return fd;
}

/* client_open - @priorities NULL: the usual; @certificate, @key: PEM or NULL. Return: NULL: it was not let in. */
static struct client *client_open(uint16_t port, const char *priorities, const char *certificate, const char *key)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct timeval most = {10, 0};
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
    gnutls_certificate_allocate_credentials(&c->credentials);
    if (certificate) {
        gnutls_datum_t pem = {(unsigned char *)(uintptr_t)certificate, (unsigned)strlen(certificate)};
        gnutls_datum_t secret = {(unsigned char *)(uintptr_t)key, (unsigned)strlen(key)};
        gnutls_certificate_set_x509_key_mem(c->credentials, &pem, &secret, GNUTLS_X509_FMT_PEM);
    }
    gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_priority_set_direct(c->session, priorities ? priorities : "NORMAL", NULL);
    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials);
    gnutls_transport_set_int(c->session, c->fd);
    int r = connect(c->fd, (struct sockaddr *)&a, sizeof(a)) ? -1 : 0;
    if (!r)
        do
            r = gnutls_handshake(c->session);
        while (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED);
    if (!r)
        return c;
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    close(c->fd);
    free(c);
    return NULL;
}

static void client_close(struct client *c)
{
    if (!c)
        return;
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    close(c->fd);
    free(c);
}

/* client_say - Return: false: the other end is gone. */
static bool client_say(struct client *c, const char *p, size_t n)
{
    while (n) {
        ssize_t k = gnutls_record_send(c->session, p, n);
        if (k == GNUTLS_E_AGAIN || k == GNUTLS_E_INTERRUPTED)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static bool client_says(struct client *c, const char *text)
{
    return client_say(c, text, strlen(text));
}

/* client_hears - read until @what stands in what came (from @from on), or the end, or ten seconds of silence. */
static const char *client_hears(struct client *c, size_t from, const char *what)
{
    for (;;) {
        const char *found = what ? strstr(c->text + (from < c->n ? from : c->n), what) : NULL;
        if (found || c->is_closed)
            return found;
        ssize_t k = gnutls_record_recv(c->session, c->text + c->n, sizeof(c->text) - 1 - c->n);
        if (k == GNUTLS_E_INTERRUPTED || k == GNUTLS_E_REHANDSHAKE)
            continue;
        if (k <= 0) {
            c->is_closed = true;
            continue;
        }
        c->n += (size_t)k;
        c->text[c->n] = 0;
    }
}

/* client_asks - one whole reply with Content-Length. Return: its status, or 0. */
static inline int client_asks(struct client *c, const char *request)
{
    c->n = 0;
    c->text[0] = 0;
    if (!client_says(c, request))
        return 0;
    const char *end = client_hears(c, 0, "\r\n\r\n");
    const char *length = end ? strcasestr(c->text, "content-length:") : NULL;
    size_t n = length ? strtoul(length + 15, NULL, 10) : 0;
    while (end && c->n < (size_t)(end + 4 - c->text) + n && !c->is_closed) {
        ssize_t k = gnutls_record_recv(c->session, c->text + c->n, sizeof(c->text) - 1 - c->n);
        if (k <= 0)
            c->is_closed = true;
        else
            c->n += (size_t)k;
        c->text[c->n] = 0;
    }
    return end ? (int)strtol(c->text + 9, NULL, 10) : 0;
}
