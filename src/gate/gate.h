/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate - intake over TLS: takes streams (RFC 5425) and HTTPS pushes off TLS and hands the plain bytes to the watch.
 *
 * In:     listening sockets, PEM bytes of certificates and keys, tokens; connections of anyone, untrusted.
 * Out:    for each stream or push a descriptor on the listener's link (watch/intake/log_link.h); counters on a board that
 *         others may read. Not one byte of a record is looked at.
 * Rules:  TLS 1.2 and 1.3 with forward secrecy only, no tickets, no renegotiation. A sender that must show a certificate is
 *         known by its first DNS name (subjectAltName), else its common name. With a list of peers it must be one of them;
 *         where all of them are fingerprints a stream needs no authority (RFC 5425 section 4.2.2).
 * Pressure: what the watch does not take is not read either: the sender's TCP window closes.
 * Limits: connections in all and of one address, time for a handshake, idle time, bytes and time of a push: each refusal is
 *         counted by its reason. One thread, no files once it runs, no logging.
 */
#pragma once

#include "base/fault.h"
#include "base/ip.h"
#include "gate/tokens.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATE_LISTENERS_MAX 8u

#define GATE_COUNTERS(X)                                                            \
    X(connections, "connections that are open")                                     \
    X(accepted, "connections accepted")                                             \
    X(not_allowed, "refused: the address is not allowed")                           \
    X(over_limit, "refused: too many connections in all")                           \
    X(over_limit_of_one, "refused: too many connections of one address")            \
    X(handshakes, "TLS handshakes completed")                                       \
    X(handshakes_failed, "TLS handshakes that failed: no TLS, or too old")          \
    X(handshakes_late, "TLS handshakes that took too long")                         \
    X(certificates_refused, "senders without a certificate we trust")               \
    X(peers_refused, "senders whose certificate is not among those that may send")  \
    X(idle, "closed: idle for too long")                                            \
    X(cut, "streams that ended without saying so")                                  \
    X(watch_away, "streams and pushes the watch did not take")                      \
    X(bytes, "plain bytes handed on")                                               \
    X(pushes, "pushes that began")                                                  \
    X(pushes_kept, "pushes answered with 200")                                      \
    X(pushes_malformed, "pushes refused: nothing in them could be read")            \
    X(pushes_unauthorized, "pushes refused: no token we know")                      \
    X(pushes_too_large, "pushes refused: over the limit")                           \
    X(pushes_put_off, "pushes told to come again: the store or a quota is full")    \
    X(pushes_late, "pushes cut off: they took too long")                            \
    X(requests_refused, "requests refused: other paths and methods")

/* a sender that was refused: the last ones of a listener, one place each; written by the gate, read by others through _read */
#define GATE_REFUSED_MAX 16u
enum gate_refusal { GATE_UNTRUSTED, GATE_NOT_AMONG_PEERS };
struct gate_refused {
    atomic_uint turn;      /* odd while it is written */
    atomic_ullong n;       /* how often; 0: nobody */
    atomic_llong last_us;
    enum gate_refusal why;
    struct ip ip;          /* where it came from the last time */
    bool has_certificate;
    char name[128];        /* its first DNS name, else its common name: its own words where it is untrusted; printable */
    uint8_t sha256[32];    /* of the certificate */
};
/* gate_refused_read - a copy. Return: false: nobody, or it is being written all the time. */
bool gate_refused_read(const struct gate_refused *from, struct gate_refused *ret);

struct gate_board {
    struct {
#define X(name, help) atomic_ullong name;
        GATE_COUNTERS(X)
#undef X
        struct gate_refused refused[GATE_REFUSED_MAX];
    } listeners[GATE_LISTENERS_MAX];
};

struct gate_bytes {
    const uint8_t *p;
    size_t n;
};

struct gate_listener {
    int tcp_fd, link_fd; /* -1: this listener is not ours */
    bool has_push;
    bool may_be_text;    /* a push of plain text is taken too */
    struct gate_bytes certificate, key, client_ca; /* PEM; client_ca empty: senders need no certificate */
    const char *const *peers; /* borrowed until gate_free; who may send, by certificate (gate/peers.h); none: whoever is trusted */
    size_t n_peers;
    struct gate_tokens tokens;
    const struct ip_range *allow; /* none: everyone */
    size_t n_allow;
    uint64_t connections, connections_of_one, body_max_bytes;
    int64_t handshake_us, idle_us;
};

struct gate_options {
    struct gate_listener listeners[GATE_LISTENERS_MAX];
    size_t n_listeners;
    struct gate_board *board; /* may be shared memory */
    int stop_fd;              /* readable: end */
};

struct gate;

/* what the files are called, for faults */
struct gate_names {
    const char *certificate, *key, *client_ca;
};
/* gate_try - whether the certificates and keys of @o can be read; nothing stays. */
int gate_try(const struct gate_options *o, const struct gate_names *names, struct fault *f);
/*
 * gate_new - reads certificates and keys; @o and the PEM bytes are borrowed for the call only, the board and descriptors until
 * gate_free. Return: 0, -ENOMEM, or 1: the fault says which file (by @names of certificate, key, client_ca) is not what it should be.
 */
int gate_new(const struct gate_options *o, const struct gate_names *names, struct gate **ret, struct fault *f);
/* gate_run - until stop_fd is readable; then what is on its way is handed on for GATE_LINGER_US. Return: 0 or -errno. */
#define GATE_LINGER_US INT64_C(1000000)
int gate_run(struct gate *g);
void gate_free(struct gate *g);
