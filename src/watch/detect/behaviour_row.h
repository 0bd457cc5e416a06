/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_row - a flow as behaviour reads it: who asked whom, and whether an answer came.
 *
 * In:     batches of flows, one-way (routers) and two-way (Zeek, Argus, biflow exporters).
 * Out:    one row per flow, from = who asked. The second half of a conversation exported one-way is a row of its own
 *         marked ROW_REPLY: same from and to, only back_* filled.
 * How:    a two-way record is believed. One-way: the other half seen before (a table of PAIR_SLOTS conversations, by
 *         arrival), a lone SYN or SYN+ACK, at last the lower port below 1024 is the server's.
 *         Answered: network.state of Zeek and Argus; packets back; of one-way TCP the flags (who sends an ACK got
 *         an answer). UDP and ICMP one-way: what is unanswered is only said when this stream shows answers at all
 *         (ROW_UNKNOWN else: exporters that see one direction).
 * Own:    the own space, else ranges, else private addresses; with none of these and neither end private, who asked.
 * Limits: the table of conversations, overwritten in place; a forgotten one falls back to ports. No I/O, no clock.
 */
#pragma once

#include "watch/flow_batch.h"

#define PAIR_SLOTS (1u << 18)

enum {
    ROW_FROM_OWN = 1,
    ROW_TO_OWN = 2,
    ROW_REPLY = 4,      /* one-way answer */
    ROW_TWO_WAY = 8,    /* the record counts both directions */
    ROW_FAILED = 16,    /* an attempt that was refused or not answered */
    ROW_ANSWERED = 32,
    ROW_UNKNOWN = 64,   /* neither is known */
    ROW_LATE = 128,     /* more than BEHAVIOUR_LATE_US behind the stream */
    ROW_UNASKED = 256,  /* an answer to no question we saw */
    ROW_GROUP = 512,    /* multicast or broadcast */
    ROW_PIECE = 1024,   /* TCP without a SYN: a later piece of a connection */
    ROW_NOTE = 4096,    /* ICMP that answers something: errors, replies to no request we saw */
    ROW_NOTHING = 2048, /* no traffic: NAT events, rows without addresses or time */
};

struct behaviour_row {
    struct ip from, to;
    int64_t start_us, end_us;
    uint64_t out_packets, out_bytes, back_packets, back_bytes; /* times the sampling rate, as stored */
    uint64_t from_hash, to_hash;
    uint16_t from_port, to_port, marks;
    uint8_t protocol;
    uint32_t sampling; /* 1: none */
};

/* the time of one stream: flows of one family wait for each other in batches and blocks, the families do not */
struct behaviour_clock {
    int64_t now_us;             /* INT64_MIN: nothing yet */
    uint32_t n_ahead, n_behind; /* rows in a row far ahead; surplus of late rows */
};

/* what the reader remembers */
struct behaviour_reader {
    struct pair *pairs;
    uint64_t seed;
    uint64_t one_way, paired; /* UDP and ICMP rows; those whose other half was seen */
    struct behaviour_clock v4, v6, events;
};

struct behaviour_own;

/* behaviour_reader_init - Return: 0 or -ENOMEM. */
int behaviour_reader_init(struct behaviour_reader *r, uint64_t seed);
void behaviour_reader_fini(struct behaviour_reader *r);
/* behaviour_read - @ret has room for b->n rows; the stream's time moves on. */
void behaviour_read(struct behaviour_reader *r, const struct flow_batch *b, const struct behaviour_own *own, struct behaviour_row *ret);
/* behaviour_hear - something at @us moves a stream's time. */
void behaviour_hear(struct behaviour_clock *c, int64_t us);
