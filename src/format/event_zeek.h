/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/event_zeek - rows of Zeek's logs as log events: all logs, as TSV with headers or (through event_json) as JSON.
 *
 * What ECS has a name for goes there, the rest is zeek.<log>.<column>; both forms give the same fields.
 * - Several headers may follow each other; columns glued with blanks (labels behind tunnel_parents) are taken apart.
 * - Unset ("-") and empty ("(empty)") values are left out; sets and vectors are several values; \xHH is undone.
 * - A row with more or fewer columns than the header is refused, as is one without header.
 * No I/O, no logging, no clock; one per file.
 * Source: Zeek's Ascii writer; Zeek's log reference ("Zeek Log Formats and Inspection"); ECS 8.17.
 * Fuzz:   tests/fuzz/event_record.c
 */
#pragma once

#include "format/event_record.h"

enum zeek_op {
    ZEEK_PUT,     /* typed by the field */
    ZEEK_TEXT,    /* as text */
    ZEEK_TIME,    /* of the event */
    ZEEK_SECONDS, /* kept in nanoseconds */
    ZEEK_IP,      /* only if it is an address */
    ZEEK_OUTCOME, /* true: success */
    ZEEK_SKIP,
};

struct zeek_map {
    const char *log;  /* NULL: any */
    const char *name; /* of the column, "id.orig_h" */
    uint16_t field;
    uint8_t op;
    bool is_weak;     /* only when the field has no value yet */
    bool keeps_own;   /* zeek.<log>.<column> is put too */
};
/* zeek_map_find - of column @name in @log ("id_orig_h" is "id.orig_h"); NULL if ECS has no name for it. */
const struct zeek_map *zeek_map_find(struct text log, struct text name);
/* zeek_field - zeek.<log>.<column>. */
uint16_t zeek_field(struct event_names *names, struct text log, struct text name);
/* zeek_put_kind - what the log is: event.kind, .category, .type, .module, .dataset; @decoder. */
void zeek_put_kind(struct events *e, struct text log, const char *decoder);
/* zeek_log_of_path - "conn" of ".../conn.15:00:00-16:00:00.log.gz"; empty if the name is no log's. Static or borrowed. */
struct text zeek_log_of_path(struct text path);

#define ZEEK_LOG_MAX 48
/* zeek_log_name - only letters, digits and '_', at most ZEEK_LOG_MAX: else "other". */
struct text zeek_log_name(struct text log);

struct event_zeek;
/* event_zeek_new - Return: NULL when memory is out. */
struct event_zeek *event_zeek_new(struct event_names *names);
void event_zeek_free(struct event_zeek *z);

/*
 * event_zeek_line - a line of a TSV log without its end.
 * Return: 0 (one row more in @e); EVENT_ZEEK_DIRECTIVE (a header or blank line: no record); EVENT_ZEEK_NO_HEADER,
 * EVENT_ZEEK_COLUMNS (refused); EVENT_TOO_LONG; -ENOMEM.
 */
enum { EVENT_ZEEK_DIRECTIVE = 2, EVENT_ZEEK_NO_HEADER = 3, EVENT_ZEEK_COLUMNS = 4 };
int event_zeek_line(struct event_zeek *z, struct text line, const struct event_source *source, struct events *e);
