/* SPDX-License-Identifier: Apache-2.0 */
/* watch/intake/log_read_own - one file as the parts of log_read see it; nobody else includes it. */
#pragma once

#include "format/event_record.h"
#include "format/event_zeek.h"
#include "watch/intake/log_read.h"
#include "watch/intake/unpack.h"

struct evtx;

/* kept for the next file */
struct log_memory {
    struct events *events;
    struct event_decoder *decoder;
    struct evtx *evtx;
    struct buf bytes, xml;
    struct unpack *unpack;
};

struct log_reading {
    struct log_memory *memory; /* o->memory, or one of this file's own */
    const struct log_options *o;
    struct event_names *names;
    struct event_decoder *decoder;
    struct event_zeek *zeek;
    struct events *events;
    struct event_source source;
    log_sink sink;
    log_refuse refuse;
    void *context;
    struct log_account *account;
    struct unpack *unpack;
    struct buf bytes;    /* window of the content: bytes.p[at .. bytes.n) is not yet used */
    size_t at;
    uint64_t offset;     /* in the content, of bytes.p[0] */
    uint64_t line;       /* of bytes.p[at], 1-based */
    bool has_ended;      /* nothing comes behind the window */
    bool is_wrong;       /* not the format that was named */
    bool is_binary;      /* no log at all */
    const char *foreign; /* a packing we do not undo; NULL */
    bool is_skipping;    /* a record over the limit has been refused: the rest of its line is passed over */
    int condition;       /* of unpack_read: what ended the content; 0 */
    uint8_t utf16;       /* 0, or 1 little-endian, 2 big-endian: turned into UTF-8 on the way */
    uint8_t odd, n_odd;  /* a byte of half a unit */
    uint16_t high;       /* a high surrogate that waits */
};

/* log_fill - more of the content into the window; what was used is dropped. Return: 0 (also at the end), or <0. */
int log_fill(struct log_reading *r);
/* log_rest - what of the window is not yet used. */
static inline struct text log_rest(const struct log_reading *r)
{
    return r->bytes.p ? (struct text){(const char *)r->bytes.p + r->at, r->bytes.n - r->at} : (struct text){"", 0};
}
/* log_kept - the last row of the batch counts; the batch goes to the sink when it is full. Return: 0, or <0. */
int log_kept(struct log_reading *r);
/* log_refused - one record that begins @ahead bytes behind r->at; @at: the fault in it. */
void log_refused(struct log_reading *r, const char *reason, size_t ahead, size_t at, uint64_t line, struct text value);
/* log_record - decode @t, which lies in the window. Return: 0 (kept, refused or no record), or <0. */
int log_record(struct log_reading *r, enum event_record_kind kind, struct text t, uint64_t line);
/* log_take - @n bytes of the window are used; counts their lines. */
void log_take(struct log_reading *r, size_t n);

/* the kinds: read to the end. Return: 0, or <0. */
int log_read_lines(struct log_reading *r, enum event_record_kind kind);
int log_read_zeek(struct log_reading *r);
int log_read_documents(struct log_reading *r);
int log_read_xml(struct log_reading *r);
int log_read_evtx(struct log_reading *r);

/* log_is_documents - whether the JSON that begins the window is not one record a line. */
bool log_is_documents(const struct log_reading *r);
