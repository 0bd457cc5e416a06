/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/event - log events: rows of (field, typed value), gathered in a batch that one thread owns.
 *
 * A decoder calls event_begin, then event_put_* for each field, then event_end; the same batch goes through the
 * rules, the lists and the store. One record of the source = one event. The same field put twice is a list, in order.
 *
 *   In   the untouched bytes of the record, values as the decoder understood them
 *   Out  struct events: values of row i are values[event_from(e, i) .. e->value_end[i])
 *   Limits  EVENTS_ROWS rows; EVENT_VALUES_MAX values and EVENT_BYTES_MAX bytes an event: what is over is left out
 *        and event.truncated says so; the original is never cut here. Memory: 16 bytes a value plus the text.
 *
 * Texts are valid UTF-8 (event_put_text replaces each malformed byte by U+FFFD); the original is raw bytes.
 * Values that lie inside the original are not copied: they refer to it.
 */
#pragma once

#include "base/buf.h"
#include "base/ip.h"
#include "base/text.h"
#include "format/event_fields.h"

#define EVENTS_ROWS 8192u
#define EVENT_VALUES_MAX 2048u
#define EVENT_BYTES_MAX ((size_t)4 << 20)     /* of values an event adds beside its original */
#define EVENT_ORIGINAL_MAX ((size_t)16 << 20) /* longer records are refused by event_begin */
#define EVENTS_HEAP_FULL ((size_t)16 << 20)   /* a batch with that much text is handed on */
#define EVENT_NAME_MAX 255u                   /* bytes of a field's name */
#define EVENT_NAMES_MAX 32768u                /* fields of a process, the well-known ones included */
#define EVENT_NO_FIELD UINT16_MAX
#define EVENT_NO_TIME INT64_MIN

enum event_field {
#define X(ID, name, type) EV_##ID,
    EVENT_FIELDS(X)
#undef X
        EVENT_N_FIELDS
};

/* what a field should hold (of well-known ones), and what a value is (never TEXT: that is EVENT_KEYWORD too) */
enum event_type {
    EVENT_KEYWORD,
    EVENT_TEXT,
    EVENT_LONG,
    EVENT_REAL,
    EVENT_BOOL,
    EVENT_IP,
    EVENT_DATE,
    EVENT_ULONG,
    EVENT_NULL,
    EVENT_N_TYPES
};

struct event_value {
    uint16_t field; /* enum event_field, or a number of the names */
    uint8_t type;   /* KEYWORD, LONG, REAL, BOOL, IP, DATE, ULONG (above INT64_MAX only), NULL (there, but without value) */
    uint8_t reserved;
    uint32_t n;     /* bytes of a KEYWORD */
    union {
        int64_t number;  /* LONG; BOOL 0 or 1; DATE in microseconds since 1970 UTC */
        uint64_t unsigned_number;
        double real;
        uint64_t at;     /* KEYWORD, IP (16 bytes): offset in the heap */
    };
};
_Static_assert(sizeof(struct event_value) == 16, "one load pair");

/*
 * struct event_names - numbers of field names, for all threads of a process: adding takes a lock, looking up none.
 * Numbers below EVENT_N_FIELDS are enum event_field; a number once given stays.
 */
struct event_names;
struct event_names *event_names_new(void);
void event_names_free(struct event_names *names);
/*
 * event_names_view - the same table for one thread that reads what strangers send, with a bound on what they add to it: of
 * what others have left free a source may take one part in EVENT_NAMES_SHARE, so that however many hostile senders there are,
 * the next source finds room. @of must outlive it; freed by event_names_free. NULL: no memory.
 * event_names_ask - who is asking from now on: @asking counts the names this source has added, @refused those it could not
 * (their values are counted as truncated). NULL: no bound.
 */
#define EVENT_NAMES_SHARE 16u
struct event_names *event_names_view(struct event_names *of);
void event_names_ask(struct event_names *view, uint64_t *asking, uint64_t *refused);
/* event_names_find - the number of @name, or EVENT_NO_FIELD. */
uint16_t event_names_find(const struct event_names *names, struct text name);
/*
 * event_names_add - the number of @name, a new one if needed; bytes that are no printable UTF-8 become '_'.
 * Return: EVENT_NO_FIELD when the name is empty, longer than EVENT_NAME_MAX, the table full or memory out.
 */
uint16_t event_names_add(struct event_names *names, struct text name);
/* event_name - dotted; borrowed for the life of @names. */
struct text event_name(const struct event_names *names, uint16_t field);
unsigned event_names_count(const struct event_names *names);
/* event_field_type - of a well-known field; EVENT_KEYWORD of all others. */
enum event_type event_field_type(uint16_t field);

struct events {
    struct event_names *names; /* borrowed */
    uint32_t n;                /* rows that are complete */
    int64_t time_us[EVENTS_ROWS];    /* @timestamp, never EVENT_NO_TIME in a complete row */
    int64_t arrived_us[EVENTS_ROWS]; /* event.created */
    uint64_t original[EVENTS_ROWS];  /* offset in the heap */
    uint32_t original_n[EVENTS_ROWS];
    uint32_t value_end[EVENTS_ROWS];
    struct event_value *values;
    uint32_t n_values, values_capacity;
    struct buf heap;
    /* the open event */
    const char *record; /* the caller's bytes: values inside are references */
    uint32_t row_values;
    size_t row_heap, row_bytes;
    bool is_open, is_failed, is_truncated;
    bool is_ascii; /* all of the record: texts inside need no check */
};

/* events_new - @names borrowed. Return: NULL when memory is out. */
struct events *events_new(struct event_names *names);
void events_free(struct events *e);
void events_clear(struct events *e);
/* events_room - for @n more values, for who writes rows himself (the store). Return: 0 or -ENOMEM. */
int events_room(struct events *e, uint32_t n);
/* events_full - hand it on before the next event_begin. */
bool events_full(const struct events *e);

/*
 * event_begin - open row e->n. @original: the record's bytes, borrowed until event_end (they are copied at once; values
 * inside them become references). @arrived_us: when we got it; also the time of the event until event_time is called.
 * Return: 0; 1 (EVENT_TOO_LONG: longer than EVENT_ORIGINAL_MAX, nothing opened); -ENOMEM.
 */
#define EVENT_TOO_LONG 1
int event_begin(struct events *e, struct text original, int64_t arrived_us);
/* event_time - when it happened. */
void event_time(struct events *e, int64_t time_us);
/*
 * event_put - @value as text, turned into what the field should hold: numbers in decimal (LONG, REAL), true/false,
 * addresses; a date only as RFC 3339. What does not fit stays text. Empty texts are not put.
 */
void event_put(struct events *e, uint16_t field, struct text value);
/* event_put_text - as text whatever the field should hold; an empty text is put. */
void event_put_text(struct events *e, uint16_t field, struct text value);
void event_put_long(struct events *e, uint16_t field, int64_t value);
void event_put_ulong(struct events *e, uint16_t field, uint64_t value);
void event_put_real(struct events *e, uint16_t field, double value);
void event_put_bool(struct events *e, uint16_t field, bool value);
void event_put_ip(struct events *e, uint16_t field, const struct ip *value);
void event_put_date(struct events *e, uint16_t field, int64_t value_us);
void event_put_null(struct events *e, uint16_t field);
/*
 * event_put_ready - values prepared beforehand: .at of texts and addresses counts from @text, whose @n_text bytes are
 * copied once. For constants that stand in every event of a kind; all or none of them are put.
 */
void event_put_ready(struct events *e, const struct event_value *values, uint32_t n, const void *text, size_t n_text);
/* event_put_name - event_put for a name: looked up or added; the value is counted as truncated when the names are full. */
void event_put_name(struct events *e, struct text name, struct text value);
/* event_copy - the value @v of the open event or of the batch again, under another field. */
void event_copy(struct events *e, uint16_t field, const struct event_value *v);
/*
 * event_put_part - bytes @from .. @from + @n of the text value @v of this batch, as a reference (a file's name out of its
 * path). Texts of the batch must not be given to event_put_text: its heap may move meanwhile.
 */
void event_put_part(struct events *e, uint16_t field, const struct event_value *v, uint32_t from, uint32_t n);
/* event_find - first value of @field in the open event (NULL if none); invalid after the next put. */
const struct event_value *event_find(const struct events *e, uint16_t field);
/* event_end - the row is complete. Return: 0, or -ENOMEM (the row is gone, the batch is as before). */
int event_end(struct events *e);
/*
 * event_append - row @row of @from, whose names are the same, as a new row. Return: 0 or -ENOMEM.
 */
int event_append(struct events *e, const struct events *from, uint32_t row);
/* event_cancel - the open row is gone. */
void event_cancel(struct events *e);

/* reading complete rows */
static inline uint32_t event_from(const struct events *e, uint32_t row)
{
    return row ? e->value_end[row - 1] : 0;
}
/* event_get - first value of @field in row @row, or NULL. */
const struct event_value *event_get(const struct events *e, uint32_t row, uint16_t field);
static inline struct text event_original(const struct events *e, uint32_t row)
{
    return (struct text){(const char *)e->heap.p + e->original[row], e->original_n[row]};
}
/* event_text - of a KEYWORD value. */
static inline struct text event_text(const struct events *e, const struct event_value *v)
{
    return (struct text){(const char *)e->heap.p + v->at, v->n};
}
static inline struct ip event_ip(const struct events *e, const struct event_value *v)
{
    return ip_from_v6(e->heap.p + v->at);
}

/*
 * event_code_name - what a number is called where events keep only the number: @field EV_LOG_SYSLOG_FACILITY_NAME (kern, user,
 * mail ... local7) or EV_LOG_SYSLOG_SEVERITY_NAME (Emergency ... Debug) of the code @code; @ret_code_field: the field that
 * holds the number. Return: NULL for other fields and codes. Source: RFC 5424 6.2.1, with the keywords of syslog.conf(5).
 */
const char *event_code_name(uint16_t field, uint64_t code, uint16_t *ret_code_field);

#define EVENT_VALUE_TEXT_MAX 64
/* event_value_text - any value as text: KEYWORD borrowed from the batch, others written to @out (dates RFC 3339 UTC). */
struct text event_value_text(const struct events *e, const struct event_value *v, char out[EVENT_VALUE_TEXT_MAX]);

/*
 * event_json - row @row as one JSON object without line end: "@timestamp", "event.created", the fields in order of first
 * appearance with dotted keys, lists as arrays, "event.original" last (bytes that are no UTF-8 as U+FFFD).
 */
void event_json(const struct events *e, uint32_t row, struct buf *out);
