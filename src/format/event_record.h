/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/event_record - one record of any log (a line, a datagram, a JSON text, an XML event) into one log event.
 *
 * What a record is, is told from its own bytes, so that one source may mix them:
 *   JSON    Windows events of any shipper, Suricata EVE, Zeek, CloudTrail, auditd, Wazuh, ECS, any other
 *   <Event  Windows events as XML
 *   line    syslog RFC 3164, RFC 5424 (whose message may again be one of these), and what line decoders know
 * A record that nothing understands is kept: its text is message and there is no event.decoder.
 *
 * In:     one untrusted record without its line end or framing; borrowed for the call.
 * Out:    one row of a batch, or a refusal with the offset of the fault. The batch must not be full.
 * Limits: those of event.h. No I/O, no logging, no clock, no global state; a decoder belongs to one thread.
 * Fuzz:   tests/fuzz/event_record.c
 */
#pragma once

#include "format/event.h"

struct line_decoders;
struct event_windows;

/* what the caller knows of a record: its source rather than its bytes */
struct event_source {
    int64_t arrived_us;  /* event.created */
    int64_t known_us;    /* what years are guessed from: when a file was last written; 0: arrived_us */
    int zone_s;          /* of times that name none */
    int year;            /* of times without one; 0: guessed */
    struct text path;    /* log.file.path; empty: not put */
    struct text address; /* log.source.address; empty: not put */
    struct text sender;  /* log.source.name: proved by a certificate or a token; empty: not put */
    bool has_offset;     /* put log.offset */
    uint64_t offset;
};

enum event_record_kind {
    EVENT_RECORD_ANY,    /* told from its bytes */
    EVENT_RECORD_JSON,   /* refused unless it is one JSON object */
    EVENT_RECORD_WINXML, /* refused unless it is one <Event> */
    EVENT_RECORD_LINE,   /* text, whatever it looks like */
};

/* why a record is refused: X(ID, "stable id") */
#define EVENT_REFUSALS(X)                    \
    X(TOO_LONG, "record_too_long")           \
    X(JSON_MALFORMED, "json_malformed")      \
    X(JSON_DEEP, "json_too_deep")            \
    X(JSON_NO_OBJECT, "json_no_object")      \
    X(XML_MALFORMED, "xml_malformed")        \
    X(XML_LIMIT, "xml_limit")                \
    X(XML_NO_EVENT, "xml_no_event")

enum event_refusal {
#define X(ID, name) EVENT_REFUSED_##ID,
    EVENT_REFUSALS(X)
#undef X
        EVENT_N_REFUSALS
};
/* event_refusal_name - the stable id, see message_find("reason_", ...); static. */
const char *event_refusal_name(enum event_refusal reason);

/* event_record_source - log.file.path, log.source.address and log.offset into the open event, as far as known. */
void event_record_source(struct events *e, const struct event_source *source);

struct event_decoder;

/* event_decoder_new - for one thread; @names and @lines (may be NULL) are borrowed. Return: NULL when memory is out. */
struct event_decoder *event_decoder_new(struct event_names *names, const struct line_decoders *lines);
void event_decoder_free(struct event_decoder *d);
/* event_decoder_source - another file or connection begins: what was learnt of the one before (years, #Fields) is forgotten. */
void event_decoder_source(struct event_decoder *d);
/* event_decoder_windows - the mapping of Windows events, for .evtx; borrowed. */
struct event_windows *event_decoder_windows(struct event_decoder *d);

/*
 * event_record - decode one record into the next row of @e, whose names must be the decoder's.
 * @ret_reason, @ret_at: set with EVENT_RECORD_REFUSED: why, and at which byte of the record.
 * Return: 0 (one row more); EVENT_RECORD_REFUSED (none); EVENT_RECORD_NONE (none: blanks only, or a directive such as
 * #Fields: no record); -ENOMEM (none).
 */
#define EVENT_RECORD_REFUSED 1
#define EVENT_RECORD_NONE 2
int event_record(struct event_decoder *d, enum event_record_kind kind, struct text record, const struct event_source *source,
                 struct events *e, enum event_refusal *ret_reason, size_t *ret_at);
