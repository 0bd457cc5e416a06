/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/tls_self - a certificate that nobody but its owner vouches for: a node that was given none still speaks TLS, and its fingerprint is
 * shown where it was made, to be compared in the browser.
 *
 * Out:    ECDSA P-256, SHA-256, ten years, names as subject alternatives.
 * Source: RFC 5280; RFC 6125 6.4 (names).
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"
#include "base/sha256.h"

#include <stdint.h>

/*
 * tls_self_make - @names: DNS names or addresses, the first is the common name. @certificate, @key: PEM, with their closing zero inside
 * .p but not counted; the caller wipes the key. @now_us: valid from a day before.
 * Return: 0 or <0 with the fault.
 */
int tls_self_make(const char *const *names, size_t n_names, int64_t now_us, struct buf *certificate, struct buf *key, struct fault *f);
/* tls_fingerprint - SHA-256 of the first certificate of a PEM text. Return: 0, or 1: none in it. */
int tls_fingerprint(const char *pem, struct sha256 *ret);
/* tls_pair_check - whether key and certificate are one pair. Return: 0; 1: GnuTLS says why, static. */
int tls_pair_check(const char *certificate_pem, const char *key_pem, const char **ret_why);
