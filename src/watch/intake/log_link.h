/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_link - how the gate hands to the watch what it has taken off TLS: one descriptor a stream or push, with
 * who is at its other end.
 *
 * A link is a pair of SOCK_SEQPACKET sockets that the parent made; either role may die and come back without the other.
 * stream: the descriptor is a SOCK_STREAM socket; the bytes in it are those the sender sent.
 * push:   a SOCK_SEQPACKET socket: pieces of the body (LOG_PUSH_BODY, then up to LOG_PUSH_PIECE bytes), LOG_PUSH_END; then the
 *         watch answers one struct log_push_reply. Closed before the end: the push never was.
 * Limits: the watch believes nothing of it but what it can check: lengths, ends of texts, kinds. No logging.
 */
#pragma once

#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINK_MAGIC 0x314b4c47u /* "GLK1" */
#define LOG_LINK_NAME_MAX 64u

enum log_link_kind { LOG_LINK_STREAM = 1, LOG_LINK_PUSH = 2 };
enum log_push_form { LOG_PUSH_JSON, LOG_PUSH_ANY, LOG_PUSH_ELASTIC };

struct log_link_hello {
    uint32_t magic;
    uint8_t kind;   /* enum log_link_kind */
    uint8_t form;   /* enum log_push_form */
    uint8_t has_key;
    uint8_t unused;
    struct ip ip;   /* the peer's address */
    char name[LOG_LINK_NAME_MAX]; /* proved by certificate or token, ended by a zero; "": none */
    uint8_t key[16];              /* has_key: of the idempotency key, a hash */
};

enum { LOG_PUSH_BODY = 'b', LOG_PUSH_END = 'e', LOG_PUSH_PIECE = 32768, LOG_PUSH_REASONS_MAX = 8, LOG_PUSH_FAULTS_MAX = 64 };

enum log_push_result {
    LOG_PUSH_KEPT,      /* durable; some records may be refused */
    LOG_PUSH_REFUSED,   /* nothing of it is kept: see the first fault */
    LOG_PUSH_TOO_LARGE, /* more than the limit, unpacked */
    LOG_PUSH_BUSY,      /* nothing new is kept: come again in retry_after_s */
    LOG_PUSH_OVER_QUOTA,
    LOG_PUSH_OTHER_BODY /* the key was used for another body */
};

struct log_push_reply {
    uint32_t magic;
    uint8_t result; /* enum log_push_result */
    uint8_t is_repeated;
    uint16_t retry_after_s;
    uint32_t received, kept, refused;
    uint32_t n_faults, n_reasons;
    struct {
        uint32_t record, line; /* from 1; line 0: the form has none */
        char reason[32];
    } faults[LOG_PUSH_FAULTS_MAX]; /* the first ones */
    struct {
        uint32_t n;
        char reason[32];
    } reasons[LOG_PUSH_REASONS_MAX];
};

/* log_link_send - never waits. Return: 0, -EAGAIN (the watch is behind), or -errno. */
int log_link_send(int link, const struct log_link_hello *hello, int fd);
/* log_link_receive - never waits; *@ret_fd is the caller's, close-on-exec. Return: 0; 1 (nothing there, or not ours); -errno. */
int log_link_receive(int link, struct log_link_hello *ret, int *ret_fd);
