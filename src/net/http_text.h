/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_text - the texts of an HTTP request: target, query, headers, cookies.
 *
 * In:     bytes of a client, terminated, untrusted.
 * Limits: no I/O, no allocation but the arena's, no global state; reentrant.
 * Source: RFC 3986 (percent-encoding), RFC 9110 (fields), RFC 6265 (cookies), RFC 6750 (bearer).
 * Fuzz:   tests/fuzz/http_text.c
 */
#pragma once

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEADERS_MAX 64u

/* the fields of a request, borrowed */
struct http_headers {
    unsigned n;
    struct {
        const char *name, *value;
    } h[HTTP_HEADERS_MAX];
};

/* http_headers_find - the first of that name (ASCII letters of either case) or NULL. */
const char *http_headers_find(const struct http_headers *h, const char *name);

/*
 * http_target_split - "/a%20b?c=d" in place: @target becomes the decoded path, *@ret_query what stands behind '?' ("" if nothing).
 * Return: 0; 1: no path of this server: not starting with '/', a broken escape, %00 or a control character, no UTF-8, a '\', an empty,
 * "." or ".." segment (but an empty last one).
 */
int http_target_split(char *target, const char **ret_query);

/*
 * http_decode - percent-decoded text; '+' is a blank where @is_form. Return: terminated in @arena, *@ret_n its length; NULL: a broken
 * escape, a NUL, no UTF-8, or no memory.
 */
const char *http_decode(struct arena *arena, struct text t, bool is_form, size_t *ret_n);

/* http_query_next - the next name=value of @rest, raw. Return: false: no more. */
bool http_query_next(struct text *rest, struct text *ret_name, struct text *ret_value);

/* http_cookie - the value of a cookie in the header @cookies (may be NULL). Return: false: not there, or there twice. */
bool http_cookie(const char *cookies, const char *name, struct text *ret);

/* http_bearer - the token of an Authorization header. Return: false: NULL or another scheme. */
bool http_bearer(const char *authorization, struct text *ret);

/* http_entity_version - the number of an entity tag "17" (If-Match; weak ones do not match). Return: -1: none, -2: not one of ours. */
int64_t http_entity_version(const char *if_match);

/* http_accepts_gzip - of Accept-Encoding: gzip named and not with q=0. */
bool http_accepts_gzip(const char *accept_encoding);
