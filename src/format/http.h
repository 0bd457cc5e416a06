/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/http - the host an HTTP/1 request asks for.
 *
 * In:     the first bytes of one direction of a connection, untrusted.
 * Out:    the host of the request target (absolute form, CONNECT) or of the Host field, lower case, without port.
 * Limits: no I/O, no allocation, no global state; HTTP_HOST_MAX.
 * Source: RFC 9110 7.2, RFC 9112 3.
 * Fuzz:   tests/fuzz/http.c
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HTTP_HOST_MAX 256

/* conditions */
#define HTTP_NOT_HTTP 1 /* no method and target at the beginning */
#define HTTP_MORE 2     /* a request whose head has not ended yet */
#define HTTP_NO_HOST 3  /* a whole head without a usable host */

/*
 * http_host_read - @is_end: no more bytes will come; what there is is judged as the whole head.
 * @ret: terminated; written when 0 is returned
 * Return: 0 or a condition.
 */
int http_host_read(const uint8_t *p, size_t n, int is_end, char ret[HTTP_HOST_MAX], size_t *ret_n);
