/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/flow_field - the fields of one textual flow record, one by one, to a struct flow.
 *
 * A plan says for every column of a header what it means; a row takes the
 * values in any order and is finished once. Shared by all textual flow formats:
 * each of them is a table of names (flow_known) and its own small rules.
 *
 * In:     untrusted text.   Out: one flow, or why not with the value that was at fault.
 * Limits: values are spans of the caller; texts go to a buffer of the caller. No I/O, no global state.
 */
#pragma once

#include "format/csv.h"
#include "format/flow.h"

/* why a row is no flow: X(ID, "stable id"); the first four are those of format/csv in its order */
#define FLOW_TEXT_REFUSALS(X)                  \
    X(ROW_TOO_LONG, "row_too_long")            \
    X(TOO_MANY_COLUMNS, "too_many_columns")    \
    X(UNCLOSED_QUOTE, "unclosed_quote")        \
    X(ROW_CUT, "row_cut")                      \
    X(TOO_FEW_COLUMNS, "too_few_columns")      \
    X(BAD_JSON, "bad_json")                    \
    X(NO_HEADER, "no_header")                  \
    X(OTHER_LOG, "other_log") /* a Zeek log that does not hold connections */ \
    X(MANAGEMENT, "management_record") /* Argus about itself */ \
    X(NO_ADDRESS, "no_address")                \
    X(MAC_ADDRESS, "mac_address")              \
    X(BAD_ADDRESS, "bad_address")              \
    X(NO_TIME, "no_time")                      \
    X(BAD_TIME, "bad_time")                    \
    X(BAD_PORT, "bad_port")                    \
    X(BAD_NUMBER, "bad_number")

enum flow_text_refusal {
#define X(ID, name) FLOW_TEXT_##ID,
    FLOW_TEXT_REFUSALS(X)
#undef X
        FLOW_TEXT_N_REFUSALS
};

/* flow_text_refusal_name - the stable id; static. */
const char *flow_text_refusal_name(enum flow_text_refusal reason);

/* what a column holds */
enum flow_field_kind {
    FIELD_TEXT,          /* kept under its name */
    FIELD_IGNORED,       /* says nothing that another column does not */
    FIELD_ADDRESS,       /* arg: enum flow_address */
    FIELD_NUMBER,        /* arg: enum flow_number; decimal, bounded by the member's width */
    FIELD_SMALL,         /* as FIELD_NUMBER, but what does not fit is kept as text: no reason to lose the row */
    FIELD_PORT,          /* arg: enum flow_number; decimal, 0x hexadecimal, type.code, a service name, or empty */
    FIELD_TIME,          /* arg: enum flow_number; a civil time or seconds since 1970 */
    FIELD_EPOCH,         /* arg: enum flow_number; seconds since 1970 whatever their size, else as FIELD_TIME */
    FIELD_DURATION,      /* seconds with decimals */
    FIELD_DURATION_MS,
    FIELD_DURATION_NS,
    FIELD_PROTOCOL,      /* a name or a number */
    FIELD_FLAGS,         /* arg: enum flow_number; a number or letters as nfdump writes them */
    FIELD_TOTAL_BYTES,   /* both directions; arg 1: what the source did not send came back, also when that is zero */
    FIELD_TOTAL_PACKETS,
    FIELD_PAYLOAD,       /* arg: SOURCE_BYTES or DESTINATION_BYTES; used where the IP bytes are unknown; kept as text */
    FIELD_OBSERVER,      /* address of the exporter */
    FIELD_ENGINE,        /* "type/id" of the exporter */
    FIELD_ADDRESS_PORT,  /* arg: SOURCE_IP or DESTINATION_IP; a.b.c.d:port */
};

/* one known column of a format */
struct flow_known {
    const char *name;    /* of the column; compared without regard to case */
    uint8_t kind, arg;
    const char *text;    /* FIELD_TEXT and what falls back to it: under which name; NULL: prefix and column name */
    bool may_skip_zero;  /* a zero says "not there" */
    bool is_proof;       /* only records of connections have this column (Zeek) */
};

struct flow_field {
    uint8_t kind, arg;
    bool may_skip_zero, is_proof;
    uint32_t column; /* offsets into names: u8 length, name */
    uint32_t text;
};

struct flow_plan {
    uint32_t n;
    uint64_t meant; /* FLOW_HAS... of the columns, for "is this a flow file at all" */
    struct flow_field fields[CSV_MAX_FIELDS];
    struct buf names;
};

void flow_plan_clear(struct flow_plan *p);
void flow_plan_fini(struct flow_plan *p);
/*
 * flow_plan_add - the next column.
 * @column: its name in the file.   @known: what it means, or NULL: text named @prefix + column.
 * Return: 0; 1 when CSV_MAX_FIELDS columns are there; -ENOMEM.
 */
int flow_plan_add(struct flow_plan *p, struct text column, const struct flow_known *known, const char *prefix);
/* flow_plan_column - the name of column @i in the file; borrowed. */
struct text flow_plan_column(const struct flow_plan *p, uint32_t i);
/*
 * flow_plan_find - the column called @column exactly, or -1.
 * @hint: where to look first; set to the column behind the one found, since records repeat their order.
 */
int flow_plan_find(const struct flow_plan *p, struct text column, uint32_t *hint);
/* flow_plan_is_flow - whether the columns hold both addresses and a time. */
bool flow_plan_is_flow(const struct flow_plan *p);
/* flow_known_find - in a table of @n; NULL if it is not there. */
const struct flow_known *flow_known_find(const struct flow_known *table, size_t n, struct text name);

struct flow_row {
    struct flow flow;
    struct flow_observer observer; /* all zero: none */
    int64_t duration_us;
    uint64_t total_bytes, total_packets;
    uint64_t payload[2];
    uint32_t seen; /* bits of what flow.present cannot say; see flow_field.c */
    enum flow_text_refusal reason;
    struct text fault; /* the value at fault, borrowed */
    /* set once by the owner, kept by flow_row_begin */
    struct buf *texts;
    int zone_s;
    int64_t day_us; /* the day last read and its text, because the next row has it too */
    char day[10];
};

void flow_row_begin(struct flow_row *r);
/* flow_row_put - one value. Return: 0, or 1 (refused: r->reason and r->fault say why). */
int flow_row_put(struct flow_row *r, const struct flow_plan *p, uint32_t column, struct text value);
/* flow_row_refuse - for the rules of one format. Return: 1. */
int flow_row_refuse(struct flow_row *r, enum flow_text_refusal reason, struct text fault);
/*
 * flow_row_read - all of a record of separated text: begin, put each, finish.
 * Fewer values than names are refused; more are kept as texts "column.N".
 * Return: 0, or 1 (refused).
 */
int flow_row_read(struct flow_row *r, const struct flow_plan *p, const struct csv_record *record);
/*
 * flow_row_finish - what follows from several fields: end from duration, the reverse direction from totals.
 * Return: 0, or 1 (refused). The texts are the caller's to attach.
 */
int flow_row_finish(struct flow_row *r);

/* field_decimal_us - a decimal number of seconds as microseconds, rounded half up; also with exponent. Return: 0 or 1. */
int field_decimal_us(struct text t, int64_t *ret_us);
/* field_is_mac - six hexadecimal octets joined by ':' or '-'. */
bool field_is_mac(struct text t);
