/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_client - one GET at a time to a system of the operator's, over libcurl: no knowledge of what is asked.
 *
 * In:     a URL (http, https), at most one header that carries a secret, whom to trust.
 * Out:    the body of a 200 answer. Anything else is refused with its reason; secrets and URLs stand in no message, hosts do.
 * Limits: time, bytes of the body; redirects are not followed; certificates and names are verified, TLS 1.2 at least; no
 *         proxy of the environment, no cookies, no compression, no name and password in a URL.
 *         A client belongs to one thread; connections are used again.
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"

#include <stdint.h>

#define HTTP_CLIENT_REFUSED 1

struct http_client;

struct http_client_options {
    const char *header;  /* "Authorization: Bearer ..." or NULL; copied */
    const char *ca;      /* certificates to trust, PEM; NULL: those of the system; copied */
    size_t n_ca;
    int64_t timeout_us;  /* of one question, connecting included */
    size_t max_bytes;    /* of a body */
};

/* http_client_new - Return: 0 or -ENOMEM. */
int http_client_new(const struct http_client_options *o, struct http_client **ret);
void http_client_free(struct http_client *c);
/*
 * http_client_get - @body: cleared, then the answer's.
 * Return: 0; HTTP_CLIENT_REFUSED (not reached, not trusted, another status than 200, too large, too late: the fault says which);
 * -ENOMEM.
 */
int http_client_get(struct http_client *c, const char *url, struct buf *body, struct fault *f);
