/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_frame - where a message of a stream ends: octet counts and lines (format/syslog), JSON lines, XML events.
 *
 * In:     pieces of a stream as they come, untrusted.
 * Out:    messages one by one, told apart at their first bytes, so that one stream may mix them: "<Event" or "<?xml" begins
 *         XML that ends with "</Event>" (back to back or one per line, line breaks inside); "{" or "[" a line of JSON; all
 *         else is syslog's framing.
 * Limits: LOG_FRAME_MAX bytes a JSON line or XML event, SYSLOG_MESSAGE_MAX all else; longer ones come in pieces, none of it is
 *         lost. No I/O, no logging.
 * Fuzz:   tests/fuzz/log_frame.c
 */
#pragma once

#include "format/syslog.h"

#define LOG_FRAME_MAX ((size_t)1 << 20)

enum log_frame_format { LOG_FRAME_AUTO, LOG_FRAME_SYSLOG, LOG_FRAME_JSON, LOG_FRAME_XML };

struct log_framer {
    enum log_frame_format format; /* what messages are, or AUTO: told from each */
    enum log_frame_format now;    /* of the message that is open; AUTO: none is */
    uint8_t first[6];             /* the bytes at the beginning of a message that do not yet tell what it is */
    uint8_t n_first;
    struct syslog_framer line;
    struct buf xml;
    size_t searched; /* of xml: no end begins before that */
};

void log_framer_fini(struct log_framer *f);
/*
 * log_frame - the next message in *@p (*@left bytes, both moved on).
 * @ret: borrowed until the next call.
 * Return: 0; 1 (no whole message in there: all of it was taken); -ENOMEM.
 */
int log_frame(struct log_framer *f, const uint8_t **p, size_t *left, struct text *ret);
/* log_frame_end - the stream has ended: what is open, if anything. Return: 0 or 1 (nothing). */
int log_frame_end(struct log_framer *f, struct text *ret);
