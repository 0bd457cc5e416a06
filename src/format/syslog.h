/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/syslog - headers of syslog messages, as the standards say and as devices and files really have them.
 *
 * In:     one message without its line end, untrusted. Nothing of it is ever refused: what has no header is all message.
 * Out:    spans of the line, the time in microseconds UTC. Missing parts are empty.
 * Limits: no I/O, no allocation (the framer aside), no logging; reentrant.
 * Source: RFC 3164, RFC 5424, RFC 6587; Cisco IOS/NX-OS/ASA System Message Guides, Huawei VRP Information Center.
 * Fuzz:   tests/fuzz/syslog.c
 */
#pragma once

#include "base/buf.h"
#include "format/line_time.h"

#include <stdbool.h>

enum syslog_form {
    SYSLOG_PLAIN, /* no header that we know: .message is the line */
    SYSLOG_BSD,   /* RFC 3164 and its relatives, with time or PRI or both */
    SYSLOG_5424,
    SYSLOG_STAMP, /* a time and no host or program behind it: .message follows the time */
};

struct syslog {
    enum syslog_form form;
    int priority;        /* facility * 8 + severity, 0..191; -1: none */
    unsigned time_flags; /* LINE_TIME_* */
    bool has_time;
    int64_t time_us;
    struct text hostname, appname, procid, msgid;
    struct text structured; /* RFC 5424 STRUCTURED-DATA with its brackets; empty for "-" */
    struct text message;    /* without leading blank and byte order mark */
    struct text body;       /* the line without priority and byte order mark */
    struct text sequence;   /* Cisco's message number */
    struct text repeated;   /* "message repeated N times: [ ... ]": N; .message is what stands in the brackets */
};

/* syslog_parse - of one line; every span lies within @line. Never fails. */
void syslog_parse(struct text line, const struct line_clock *clock, struct syslog *ret);

/*
 * syslog_structured_next - the next parameter of @rest (.structured of a message): its element's id, name and value
 * (still escaped by '\' when *@ret_is_escaped). Begin with an empty @id. Return: false at the end or where it is malformed.
 */
bool syslog_structured_next(struct text *rest, struct text *id, struct text *ret_name, struct text *ret_value, bool *ret_is_escaped);

/* --- messages out of a stream ----------------------------------------------------------------------- */

#define SYSLOG_MESSAGE_MAX ((size_t)64 << 10)

/*
 * struct syslog_framer - octet counting and lines ended by LF (or NUL), told apart for each message.
 * Zero-initialise; .max_bytes 0 means SYSLOG_MESSAGE_MAX. What is longer comes in pieces, none of it is lost.
 */
struct syslog_framer {
    size_t max_bytes;
    size_t counted;      /* bytes left of an octet-counted message */
    bool is_counted, is_piece;
    struct buf held;     /* the beginning of a message whose end has not come */
    uint64_t n_counted, n_lines; /* messages of either framing */
    uint64_t n_split;    /* times a message was cut at max_bytes */
    uint64_t n_empty;    /* empty lines */
};

void syslog_framer_fini(struct syslog_framer *f);
/*
 * syslog_frame - the next message out of *@p, *@n (moved over what was taken). RFC 6587 3.4.1 and 3.4.2.
 * @ret: the message, borrowed from the input or the framer until the next call.
 * Return: 0; 1 (all is taken, no message ended); -ENOMEM.
 */
int syslog_frame(struct syslog_framer *f, const uint8_t **p, size_t *n, struct text *ret);
/* syslog_frame_end - what the stream ended with. Return: 0, or 1 (nothing was left). */
int syslog_frame_end(struct syslog_framer *f, struct text *ret);
