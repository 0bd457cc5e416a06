/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate/peers - which senders may pass, by the certificate they show (RFC 5425 sections 4.2 and 5.2).
 *
 * In:     texts of the configuration and the certificate of a session whose handshake is done.
 *         "web1.example.vn"   a DNS name among its subjectAltNames; the common name where there is none
 *         "*.dmz.example.vn"  the same, any one label for the star
 *         "192.0.2.7"         an address among its subjectAltNames
 *         "sha256:4F:9C..."   SHA-256 of the certificate itself, in hex, colons may be left out
 * Out:    yes or no; for those refused a name, an address and that fingerprint (struct gate_refused), for who keeps the list.
 * Limits: 64 names of a certificate are looked at. No I/O, no logging.
 */
#pragma once

#include "gate/gate.h"

#include <gnutls/gnutls.h>

enum { GATE_NAME_BYTES = 256 };

/* gate_peer_is_valid - whether @text is one of the above. gate_peer_is_fingerprint - the last. */
bool gate_peer_is_valid(const char *text);
bool gate_peer_is_fingerprint(const char *text);
/* gate_peer_name - of the certificate the peer has shown, printable ASCII; "" if there is none. */
void gate_peer_name(gnutls_session_t s, char *out, size_t n_out);
/* gate_peer_may_pass - whether its certificate is one of @peers. false if it has shown none. */
bool gate_peer_may_pass(gnutls_session_t s, const char *const *peers, size_t n_peers);
/* gate_peer_note - into the first free or oldest place of @all; the same peer has one. @s NULL: nothing is known of it but @ip. */
void gate_peer_note(struct gate_refused *all, gnutls_session_t s, const struct ip *ip, enum gate_refusal why);
