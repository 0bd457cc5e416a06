/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_hello_build - client hellos for tests, after RFC 8446 4.1.2.
 */
#pragma once

#include <stdint.h>
#include <string.h>

struct hello_build {
    uint8_t p[32768];
    size_t n, extensions_at;
};

static inline void hello_u16(struct hello_build *h, unsigned v)
{
    h->p[h->n++] = (uint8_t)(v >> 8);
    h->p[h->n++] = (uint8_t)v;
}

static inline void hello_bytes(struct hello_build *h, const void *p, size_t n)
{
    memcpy(h->p + h->n, p, n);
    h->n += n;
}

static inline void hello_begin(struct hello_build *h, unsigned version, const uint16_t *ciphers, size_t n_ciphers)
{
    h->n = 9; /* record and handshake header come last */
    hello_u16(h, version);
    memset(h->p + h->n, 7, 32);
    h->n += 32;
    h->p[h->n++] = 0; /* no session */
    hello_u16(h, (unsigned)n_ciphers * 2);
    for (size_t i = 0; i < n_ciphers; i++)
        hello_u16(h, ciphers[i]);
    h->p[h->n++] = 1;
    h->p[h->n++] = 0; /* no compression */
    h->extensions_at = 0;
}

static inline void hello_extension(struct hello_build *h, unsigned type, const void *p, size_t n)
{
    if (!h->extensions_at) {
        h->extensions_at = h->n;
        h->n += 2;
    }
    hello_u16(h, type);
    hello_u16(h, (unsigned)n);
    hello_bytes(h, p, n);
}

/* a list of 16-bit values behind its length of two bytes */
static inline void hello_list(struct hello_build *h, unsigned type, const uint16_t *v, size_t n)
{
    uint8_t room[512];
    room[0] = (uint8_t)(n * 2 >> 8);
    room[1] = (uint8_t)(n * 2);
    for (size_t i = 0; i < n; i++) {
        room[2 + 2 * i] = (uint8_t)(v[i] >> 8);
        room[3 + 2 * i] = (uint8_t)v[i];
    }
    hello_extension(h, type, room, 2 + 2 * n);
}

static inline void hello_name(struct hello_build *h, const char *name)
{
    uint8_t room[300] = {0};
    size_t n = strlen(name);
    room[0] = (uint8_t)((n + 3) >> 8);
    room[1] = (uint8_t)(n + 3);
    room[3] = (uint8_t)(n >> 8);
    room[4] = (uint8_t)n;
    memcpy(room + 5, name, n);
    hello_extension(h, 0, room, n + 5);
}

static inline void hello_alpn(struct hello_build *h, const void *protocol, size_t n)
{
    uint8_t room[300] = {0};
    room[1] = (uint8_t)(n + 1);
    room[2] = (uint8_t)n;
    memcpy(room + 3, protocol, n);
    hello_extension(h, 16, room, n + 3);
}

/* closes the lengths; the whole is p, n: one record */
static inline void hello_end(struct hello_build *h)
{
    if (h->extensions_at) {
        size_t n = h->n - h->extensions_at - 2;
        h->p[h->extensions_at] = (uint8_t)(n >> 8);
        h->p[h->extensions_at + 1] = (uint8_t)n;
    }
    size_t n_body = h->n - 9, n_record = h->n - 5;
    const uint8_t head[9] = {22, 3, 1, (uint8_t)(n_record >> 8), (uint8_t)n_record, 1, (uint8_t)(n_body >> 16),
                             (uint8_t)(n_body >> 8), (uint8_t)n_body};
    memcpy(h->p, head, 9);
}
