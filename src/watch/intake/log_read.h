/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_read - any log file into batches of log events: the one door for decode, detect and import logs.
 *
 * In:     a descriptor, untrusted, read once from where it stands (a pipe will do); unpacked on the way when it is
 *         gzip, xz, zstd or bzip2.
 * Out:    batches of events through a sink, in the order of the file; what was refused, one by one, with its place
 *         and reason; an account: read = kept + sum of refused.
 * Kind:   told by content: .evtx by its magic; XML of Windows events; JSON lines, JSON arrays, documents one behind
 *         the other or printed over many lines; Zeek TSV; W3C extended logs; else lines, each told by itself (syslog,
 *         syslog around JSON or XML, CEF, LEEF, access logs, auditd ...): see format/event_record.h.
 * Lines:  what no decoder understands is kept with its text as message and without event.decoder; only what is
 *         malformed in a format that says what it is (JSON, XML, EVTX, Zeek, W3C) is refused. Blank lines and the
 *         directives of a format (#fields) are no records.
 * Cut:    of a file that ends too early what was whole is kept; the cut record is refused and is_truncated says so.
 * Limits: a record is at most EVENT_ORIGINAL_MAX bytes; an .evtx from a pipe or packed is held in memory, LOG_EVTX_MAX
 *         at most; those of unpack. Does not log; reads the clock only when arrived_us is 0.
 * Fuzz:   tests/fuzz/log_read.c
 */
#pragma once

#include "base/fault.h"
#include "format/event.h"

#define LOG_EVTX_MAX ((uint64_t)4 << 30)

/* X(ID, "name on the command line") */
#define LOG_FORMATS(X)   \
    X(AUTO, "auto")      \
    X(EVTX, "evtx")      \
    X(WINXML, "winxml")  \
    X(JSON, "json")      \
    X(EVE, "eve")        \
    X(ZEEK, "zeek")      \
    X(SYSLOG, "syslog")  \
    X(ACCESS, "access")  \
    X(CEF, "cef")        \
    X(LEEF, "leef")      \
    X(W3C, "w3c")        \
    X(TEXT, "text")

enum log_format {
#define X(ID, name) LOG_##ID,
    LOG_FORMATS(X)
#undef X
        LOG_N_FORMATS
};

/* log_format_name - static; log_format_parse - Return: 0 or 1. */
const char *log_format_name(enum log_format format);
int log_format_parse(const char *name, enum log_format *ret);

struct line_decoders; /* format/line_decoder.h; NULL: lines are split into their syslog header only */

struct log_options {
    enum log_format format;
    int zone_s;          /* of times that name none, seconds east of UTC */
    int year;            /* of times without one; 0: the year that brings them closest before arrived_us */
    int64_t arrived_us;  /* event.created, and what years are guessed from; 0: now */
    const char *path;    /* for log.file.path; NULL: not put. Borrowed for the call */
    bool may_recover;    /* .evtx: also records carved from slack and damage */
    bool has_offset;     /* put log.offset: where in the unpacked file the record begins */
    struct text address, sender; /* who sent it; empty: not put. Borrowed for the call */
    uint64_t max_bytes;  /* unpacked; what is larger is refused as a whole. 0: the limits of unpack */
    struct log_memory *memory; /* of who reads many files; NULL: none */
};

/*
 * struct log_memory - what reading takes, kept from one file to the next by one thread: batch, decoders, buffers. Nothing of a
 * file is in it when the next is read. It is filled by log_read with the names and decoders given first; they must outlive it
 * and be the same each time.
 */
struct log_memory *log_memory_new(void);
void log_memory_free(struct log_memory *m);

/* one record that was refused */
struct log_refused {
    uint64_t offset;    /* in the unpacked file; of a malformed JSON text the place of the fault, else of the record */
    uint64_t line;      /* 1-based; 0: the format has none */
    const char *reason; /* stable id, see message_find("reason_", ...) */
    struct text value;  /* its beginning; untrusted, may be empty */
};

enum { LOG_REASONS_MAX = 48 };

struct log_account {
    const char *kind;    /* "evtx", "json", "lines" ...; "" of an empty file; static */
    const char *packing; /* "", "gzip", "xz", "zstd", "bzip2"; static */
    uint64_t n_bytes_in, n_bytes; /* of the file; unpacked */
    uint64_t read, kept;          /* read = kept + sum of refused */
    uint64_t n_plain;             /* of kept: nobody understood more than its header (no event.decoder) */
    uint64_t n_carved;            /* of kept */
    bool is_truncated;
    bool is_over_limit; /* more than max_bytes, or than unpack lets through */
    uint32_t n_reasons;
    struct {
        const char *reason; /* static */
        uint64_t n;
    } refused[LOG_REASONS_MAX];
};

/* log_account_refused - the sum over all reasons. */
uint64_t log_account_refused(const struct log_account *a);

/*
 * log_sink - takes a batch; it is cleared behind the call.
 * Return: 0, or <0, which ends the reading and is handed up.
 */
typedef int (*log_sink)(void *context, struct events *e);
typedef void (*log_refuse)(void *context, const struct log_refused *r);

/*
 * log_read - one file.
 * @names:   where new field names get numbers; shared by all files of a command.
 * @decoders: may be NULL; borrowed.   @refuse: may be NULL.   @context: of both.
 * @ret:     always written.   @f: filled unless 0 is returned.
 * Return: 0 (also with refusals or is_truncated: see @ret); LOG_REFUSED (wrong as a whole: a damaged archive, a bomb,
 *         packed otherwise, binary, not the format that was named; batches may have reached the sink before); <0: reading
 *         failed, memory is out, or what the sink answered.
 */
#define LOG_REFUSED 1
int log_read(int fd, const struct log_options *o, struct event_names *names, const struct line_decoders *decoders,
             log_sink sink, log_refuse refuse, void *context, struct log_account *ret, struct fault *f);
