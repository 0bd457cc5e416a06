/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/evtx - Windows event log files (.evtx) to events: named, typed values; and XML text when wanted.
 *
 * In:     one mapped file of any size (evtx_open), or its chunks of 64 KiB one by one (evtx_header, evtx_chunk);
 *         untrusted, borrowed until the next of these calls or evtx_free.
 * Out:    evtx_next gives one record at a time: number, time and a list of fields in the order of the document.
 *         Everything in a record is borrowed until the next call of evtx_next. Records that cannot be read are
 *         answered one by one too (EVTX_REFUSED: where and why) and counted: the account balances,
 *         n_candidates = n_records + the sum of n_refused over the record reasons.
 * How:    a template is compiled into a list of operations when a chunk first uses it; a record is then one walk
 *         along that list over its array of substitution values.
 * Carved: with may_recover also what lies in the slack behind the last record of a chunk and in chunks with a
 *         destroyed header or a broken chain of records; such records say is_carved. A template that was overwritten
 *         is replaced by one of the same id seen before (of a stream, copies of up to 64 chunks are kept for that). A carved record of
 *         which <System> can be read and the data cannot is delivered with damage, others are refused.
 * Limits: no I/O, no logging, no global state. About 4.5 MiB per decoder (7 with has_xml), taken by evtx_new (the list of
 *         fields grows to 1.5 MiB more); no allocation per record. Per record: EVTX_DEPTH_MAX levels, EVTX_FIELDS_MAX fields,
 *         EVTX_STEPS_MAX operations, EVTX_TEXT_MAX bytes of text, else refused as EVTX_LIMIT; so is
 *         what follows in a chunk that has cost a hundred times what an honest one can.
 * Source: [MS-EVEN6] 2.2.12 to 2.2.20 (BinXml); the layout of files and chunks as published by the libevtx project
 *         ("Windows XML Event Log (EVTX) format"), and real files.
 * Fuzz:   tests/fuzz/evtx.c
 *
 * Use:
 *     struct evtx *e;
 *     if (evtx_new(&e, &(struct evtx_options){.may_recover = true}) || evtx_open(e, p, n)) ...
 *     const struct evtx_record *r;
 *     for (int s; (s = evtx_next(e, &r)) != EVTX_END;) {
 *         if (s < 0) ... no memory
 *         if (s == EVTX_REFUSED) { evtx_refusal(e)->offset, ->reason ...; continue; }
 *         for (uint32_t i = 0; i < r->n_fields; i++)
 *             r->fields[i].name, evtx_text(e, &r->fields[i]) ...
 *     }
 */
#pragma once

#include "base/buf.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVTX_FILE_HEADER 4096u
#define EVTX_CHUNK 65536u
#define EVTX_DEPTH_MAX 32u           /* nested elements, and nested fragments */
#define EVTX_FIELDS_MAX 32768u       /* per record; an array counts each item */
#define EVTX_STEPS_MAX 16384u        /* operations per record; the bytes of a chunk cannot spell half of that */
#define EVTX_TEXT_MAX (256u << 10)   /* UTF-8 of one record's strings; four times what a whole chunk of them gives */
#define EVTX_NAME_MAX 4096u          /* a dotted path in bytes */

/* conditions */
#define EVTX_END 1      /* no more records: give the next chunk, or it is the end of the file */
#define EVTX_REFUSED 2  /* something unreadable: evtx_refusal says where and why; go on with evtx_next */
#define EVTX_NOT_EVTX 3 /* no magic of an event log */

/* X(id, "meaning") - why a chunk or a record was refused. The first group speaks of chunks, the others of records. */
#define EVTX_REASONS(X)                                                                       \
    X(EVTX_FINE, "not refused")                                                               \
    X(EVTX_CHUNK_MAGIC, "the chunk does not begin as a chunk does")                           \
    X(EVTX_CHUNK_SHORT, "the file ends inside a chunk's header")                              \
    X(EVTX_CHUNK_CHAIN, "the chain of records breaks: no record where the one before ends")   \
    X(EVTX_RECORD_SIZE, "the record's size cannot be")                                        \
    X(EVTX_RECORD_SHORT, "a length or an offset points outside the record or its chunk")      \
    X(EVTX_RECORD_EMPTY, "the record holds no event")                                         \
    X(EVTX_RECORD_TORN, "the record was written in part: its end does not repeat its size")   \
    X(EVTX_BAD_TOKEN, "unknown or misplaced token in the binary XML")                         \
    X(EVTX_BAD_NAME, "an element or attribute name that cannot be read")                      \
    X(EVTX_BAD_VALUE, "a literal value of a type that cannot be there")                       \
    X(EVTX_BAD_TEMPLATE, "the template the record needs is not where it says")                \
    X(EVTX_TOO_DEEP, "elements or fragments nested too deeply")                               \
    X(EVTX_LIMIT, "more fields, text or work than one record or its chunk may ask for")

enum evtx_reason {
#define X(id, meaning) id,
    EVTX_REASONS(X)
#undef X
    EVTX_N_REASONS
};
#define EVTX_FIRST_RECORD_REASON EVTX_RECORD_SIZE

/* X(id, "path in the document", "name of the field") - what Windows itself writes into <System> */
#define EVTX_SYSTEM_FIELDS(X)                                                       \
    X(EVTX_PROVIDER_NAME, "Provider.Name", "Provider.Name")                         \
    X(EVTX_PROVIDER_GUID, "Provider.Guid", "Provider.Guid")                         \
    X(EVTX_PROVIDER_SOURCE, "Provider.EventSourceName", "Provider.EventSourceName") \
    X(EVTX_EVENT_ID, "EventID", "EventID")                                          \
    X(EVTX_QUALIFIERS, "EventID.Qualifiers", "Qualifiers")                          \
    X(EVTX_VERSION, "Version", "Version")                                           \
    X(EVTX_LEVEL, "Level", "Level")                                                 \
    X(EVTX_TASK, "Task", "Task")                                                    \
    X(EVTX_OPCODE, "Opcode", "Opcode")                                              \
    X(EVTX_KEYWORDS, "Keywords", "Keywords")                                        \
    X(EVTX_TIME_CREATED, "TimeCreated.SystemTime", "TimeCreated")                   \
    X(EVTX_RECORD_ID, "EventRecordID", "EventRecordID")                             \
    X(EVTX_ACTIVITY_ID, "Correlation.ActivityID", "Correlation.ActivityID")         \
    X(EVTX_RELATED_ACTIVITY_ID, "Correlation.RelatedActivityID", "Correlation.RelatedActivityID") \
    X(EVTX_PROCESS_ID, "Execution.ProcessID", "Execution.ProcessID")                \
    X(EVTX_THREAD_ID, "Execution.ThreadID", "Execution.ThreadID")                   \
    X(EVTX_CHANNEL, "Channel", "Channel")                                           \
    X(EVTX_COMPUTER, "Computer", "Computer")                                        \
    X(EVTX_USER_ID, "Security.UserID", "Security.UserID")

enum evtx_system {
    EVTX_NOT_SYSTEM, /* a field of another section, or one of <System> that is not in the table */
#define X(id, path, name) id,
    EVTX_SYSTEM_FIELDS(X)
#undef X
    EVTX_N_SYSTEM
};

/* where in the document a field stands */
enum evtx_section {
    EVTX_IN_EVENT, /* anywhere else under <Event>; the name then begins with the section: "RenderingInfo.Message" */
    EVTX_IN_SYSTEM,
    EVTX_IN_EVENT_DATA, /* <EventData>: name is that of <Data Name='...'>, "Data" if it has none, "Binary", ...;
                         * an attribute of the section itself: "EventData.Name" */
    EVTX_IN_USER_DATA,  /* <UserData>: element names joined by dots, "EventXML.Param1" */
    EVTX_IN_ERROR_DATA, /* <ProcessingErrorData>: ErrorCode, DataItemName, EventPayload */
};

/* the numbers are those of BinXml's value types ([MS-EVEN6] 2.2.12, ValueType); arrays come apart into items */
enum evtx_type {
    EVTX_NULL = 0x00,
    EVTX_STRING = 0x01,
    EVTX_ANSI_STRING = 0x02,
    EVTX_INT8 = 0x03,
    EVTX_UINT8 = 0x04,
    EVTX_INT16 = 0x05,
    EVTX_UINT16 = 0x06,
    EVTX_INT32 = 0x07,
    EVTX_UINT32 = 0x08,
    EVTX_INT64 = 0x09,
    EVTX_UINT64 = 0x0a,
    EVTX_REAL32 = 0x0b,
    EVTX_REAL64 = 0x0c,
    EVTX_BOOL = 0x0d,
    EVTX_BINARY = 0x0e,
    EVTX_GUID = 0x0f,
    EVTX_SIZE = 0x10,
    EVTX_FILETIME = 0x11,
    EVTX_SYSTEMTIME = 0x12,
    EVTX_SID = 0x13,
    EVTX_HEX32 = 0x14,
    EVTX_HEX64 = 0x15,
};

struct evtx_field {
    const char *name;   /* UTF-8, not terminated; see enum evtx_section */
    uint32_t n_name;
    uint32_t leaf_at;   /* where the last part of a dotted name begins */
    uint32_t name_hash; /* evtx_name_hash of name: look names up without hashing them again */
    uint16_t index;     /* item number in an array; of unnamed <Data> its number in the record; else 0 */
    uint8_t section;    /* enum evtx_section */
    uint8_t system;     /* enum evtx_system */
    uint8_t type;       /* enum evtx_type: which member below is valid */
    bool is_unnamed;    /* a <Data> without a name */
    bool is_attribute;
    bool is_array; /* one item of an array */
    union {
        struct text text; /* EVTX_STRING, EVTX_ANSI_STRING: well-formed UTF-8 (may hold U+0000), no closing zeros */
        struct {
            const uint8_t *p;
            size_t n;
        } bytes;      /* EVTX_BINARY, EVTX_GUID (16), EVTX_SID (8 + 4 k) */
        uint64_t u64; /* EVTX_UINT*, EVTX_HEX*, EVTX_SIZE, EVTX_BOOL; EVTX_FILETIME, EVTX_SYSTEMTIME as FILETIME ticks */
        int64_t i64;  /* EVTX_INT* */
        double real;  /* EVTX_REAL* */
    };
};

struct evtx_record {
    uint64_t offset; /* of the record, from the start of the file */
    uint64_t chunk;  /* number of its chunk, from 0 */
    uint64_t record_id;
    int64_t written_us; /* UTC; when the service wrote it. The event's own time is TimeCreated */
    uint32_t n_bytes;
    uint32_t n_fields;
    const struct evtx_field *fields; /* in the order of the document, repeated names kept */
    uint16_t system_at[EVTX_N_SYSTEM]; /* 1 + index of that field, 0: not there; see evtx_system_field */
    bool is_carved;
    /* enum evtx_reason: not EVTX_FINE if the fields end early, what is behind could not be read; EVTX_RECORD_TORN if
     * they are all there but some of the bytes were never written: zeros then stand for values that are lost */
    uint8_t damage;
};

struct evtx_refusal {
    uint64_t offset; /* of the chunk or record, from the start of the file */
    uint64_t chunk;
    uint64_t record_id; /* 0 if unknown */
    uint32_t at;        /* where in the chunk the reading failed */
    uint8_t reason;     /* enum evtx_reason */
    bool is_carved;     /* a candidate found by its magic only: it may never have been a record */
};

/* X(member, "meaning") */
#define EVTX_COUNTERS(X)                                                                   \
    X(n_chunks, "chunks read")                                                             \
    X(n_chunks_empty, "chunks never used (all zero)")                                      \
    X(n_chunks_bad_sum, "chunks whose checksums are wrong (read all the same)")            \
    X(n_chunks_no_sum, "chunks without checksums (read all the same)")                     \
    X(n_chunks_bad_end, "chunks whose free space offset cannot be (read to the last record)") \
    X(n_candidates, "records found")                                                       \
    X(n_records, "records delivered")                                                      \
    X(n_carved, "of these, carved")                                                        \
    X(n_damaged, "of these, torn, or delivered up to the place where they break")          \
    X(n_beyond_end, "of these, behind the end the chunk's header states but continuing its numbers") \
    X(n_templates, "templates compiled")

struct evtx_counters {
#define X(member, meaning) uint64_t member;
    EVTX_COUNTERS(X)
#undef X
    uint64_t n_refused[EVTX_N_REASONS];
};

struct evtx_options {
    bool may_recover; /* carve, see above */
    bool has_xml;     /* evtx_xml will be called: templates are compiled for it too */
    bool checks_sums; /* compute the CRC-32 of every chunk (n_chunks_bad_sum); else they are not looked at */
};

/* what the header of the file says; of a dirty file most of it is out of date, so nothing here steers the reading */
struct evtx_header {
    uint64_t first_chunk, last_chunk, next_record_id;
    uint32_t header_bytes; /* where the chunks begin */
    uint16_t major, minor, n_chunks;
    bool is_dirty, is_full, is_sum_right;
};

struct evtx;

/* evtx_new - a decoder; free it with evtx_free. Return: 0 or -ENOMEM. */
int evtx_new(struct evtx **ret, const struct evtx_options *options);
/* evtx_again - as a new one with other options for carving: nothing of the file before is known any more. Its memory is kept. */
void evtx_again(struct evtx *e, bool may_recover);
/* evtx_free - NULL is fine. */
void evtx_free(struct evtx *e);

/* evtx_is_magic - whether the first @n bytes of a file (8 are enough) open an event log. */
bool evtx_is_magic(const uint8_t *p, size_t n);

/*
 * evtx_open - read a whole file of @n bytes from the start; counters start from zero.
 * Chunks are looked for up to the end of the file, whatever the header counts. With may_recover anything goes: chunks
 * are searched for by their magic when there is no header (raw memory, unallocated space).
 * Return: 0 or EVTX_NOT_EVTX.
 */
int evtx_open(struct evtx *e, const uint8_t *p, size_t n);

/*
 * evtx_header_read - read the header block of a file (128 bytes are enough; the block itself is header_bytes long).
 * Return: 0 or EVTX_NOT_EVTX.
 */
int evtx_header_read(const uint8_t *p, size_t n, struct evtx_header *ret);

/* evtx_chunk - for streams: the next records come from this chunk of @n bytes (EVTX_CHUNK but for a cut file), which
 * lies at @offset of the file and is its @number-th. What was left of the chunk before is given up. */
void evtx_chunk(struct evtx *e, const uint8_t *p, size_t n, uint64_t offset, uint64_t number);

/*
 * evtx_chunk_length - how many of the @n bytes at @p belong to the chunk that begins there: EVTX_CHUNK or what is left;
 * less if it is none and another one begins inside (a file somebody put bytes into, raw memory). A stream that carves
 * gives evtx_chunk that many and goes on behind them.
 */
size_t evtx_chunk_length(const uint8_t *p, size_t n);

/*
 * evtx_next - the next record.
 * @ret: set on 0 only; borrowed until the next call.
 * Return: 0, EVTX_END, EVTX_REFUSED, or -ENOMEM (the record is lost, the reading may go on).
 */
int evtx_next(struct evtx *e, const struct evtx_record **ret);

/* evtx_refusal - about the last EVTX_REFUSED. */
const struct evtx_refusal *evtx_refusal(const struct evtx *e);
const struct evtx_counters *evtx_counters(const struct evtx *e);
/* evtx_reason_text - "the chunk does not begin as a chunk does", ... */
const char *evtx_reason_text(enum evtx_reason reason);

/* evtx_system_field - that field of the record, or NULL. */
static inline const struct evtx_field *evtx_system_field(const struct evtx_record *r, enum evtx_system id)
{
    return r->system_at[id] ? &r->fields[r->system_at[id] - 1] : NULL;
}

/* evtx_name_hash - FNV-1a, 32 bits, of a field's name as written. */
uint32_t evtx_name_hash(const char *p, size_t n);

/*
 * evtx_text - a field's value as Windows writes it into XML: strings as they are; integers in decimal; EVTX_HEX* and
 * EVTX_SIZE as 0x3e7 without padding; EVTX_BOOL true, false; EVTX_GUID {5770385F-C22A-43E0-BF4C-06F5698FFBD9};
 * EVTX_SID S-1-5-18; times 2025-11-27T07:40:10.1653240Z; EVTX_BINARY in upper-case hexadecimal; EVTX_NULL empty.
 * @f: a field of the last record. The text is borrowed until the next evtx_next; values that are not strings take new
 *     room at each call, so ask once per field.
 * Return: .p is NULL when a record's texts are more than there is room for (twice EVTX_TEXT_MAX; no real record).
 */
struct text evtx_text(struct evtx *e, const struct evtx_field *f);

/* evtx_value_text - the same into @out of at least EVTX_VALUE_ROOM bytes (no zero added), for every type but strings
 * and EVTX_BINARY, which give 0. Return: the length. */
#define EVTX_VALUE_ROOM 256u
size_t evtx_value_text(const struct evtx_field *f, char *out);

/* evtx_number - a field as an unsigned number: integers that are not negative, booleans, and text that is nothing but a
 * decimal or 0x-hexadecimal number (forwarded events hold text throughout). Return: whether it is one. */
bool evtx_number(const struct evtx_field *f, uint64_t *ret);
/* evtx_moment - a field as microseconds since 1970, UTC: times, and text in RFC 3339. Return: whether it is one. */
bool evtx_moment(const struct evtx_field *f, int64_t *ret_us);

/* evtx_time_us - FILETIME (100 ns since 1601) as microseconds since 1970, UTC; never overflows. */
int64_t evtx_time_us(uint64_t filetime);

/*
 * evtx_xml - the last record as XML text, appended to @out: the document Windows renders (EvtRender, Event Viewer's
 * "XML view" without its line breaks), UTF-8, escaped; characters that XML cannot hold become U+FFFD. Needs has_xml.
 * Leave 8 KiB more of out->max than the text may take: room is asked for before a piece of it is escaped.
 * Return: 0; EVTX_REFUSED if it would not fit into out->max or the record ends early (out is then as before);
 *         -ENOMEM.
 */
int evtx_xml(struct evtx *e, struct buf *out);
