/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/list_read - list files as they really arrive -> rows, with every refusal named.
 *
 * TXT, CSV (comma, semicolon, TAB; BOM; UTF-16), XLSX (read in the lab), JSON lines, STIX 2.1
 * indicators, Shadowserver CSV. A row is accepted, accepted with a warning (bogon, private, own,
 * duplicate), or refused with a reason; refused rows never stop the rest.
 */
#pragma once

#include "base/fault.h"
#include "base/ip.h"
#include "base/text.h"
#include "watch/indicator/name.h"

/* X(id, "what was expected") - texts for people are messages list_refused_<id> */
#define LIST_REFUSALS(X)                  \
    X(bad_address, "an address")          \
    X(bad_time, "a time")                 \
    X(bad_port, "a port 1..65535")        \
    X(bad_columns, "as many columns as the header") \
    X(bad_encoding, "UTF-8 or UTF-16")    \
    X(bad_json, "a JSON object")          \
    X(bad_pattern, "a STIX pattern")      \
    X(other_kind, "an address, a domain, a URL or a hash (MD5, SHA-1, SHA-256)") \
    X(too_long, "a row of at most 64 KiB")

/* warnings: the row is kept */
#define LIST_WARNINGS(X) X(bogon) X(private_address) X(own_address) X(duplicate) X(host_bits) X(bad_encoding) X(public_suffix)

enum list_refusal {
#define X(id, expected) LIST_REFUSED_##id,
    LIST_REFUSALS(X)
#undef X
        LIST_N_REFUSALS
};
enum list_warning {
#define X(id) LIST_WARNED_##id,
    LIST_WARNINGS(X)
#undef X
        LIST_N_WARNINGS
};

/* the account: rows = kept + refused (sum); comments, blank lines and the header are not rows */
struct list_report {
    uint64_t rows, kept, refused[LIST_N_REFUSALS], warned[LIST_N_WARNINGS];
    uint64_t entries; /* a row with a C2 column gives two */
    /* called for each refused row and each warning, as it is read; may be NULL. @value: hostile bytes, borrowed */
    void (*refused_row)(void *context, uint64_t row, enum list_refusal why, struct text value);
    void (*warned_row)(void *context, uint64_t row, enum list_warning why, struct text value);
    void *context;
};

/* list_refusal_name, list_warning_name, list_refusal_expected - stable ids and what was expected; static. */
const char *list_refusal_name(enum list_refusal r);
const char *list_refusal_expected(enum list_refusal r);
const char *list_warning_name(enum list_warning w);
/* list_report_malformed - the refused rows that count against a list: all but those of another kind. */
uint64_t list_report_malformed(const struct list_report *r);

#define LIST_MAX_ROW_BYTES ((size_t)64 << 10)

/* one address or name of a row, as handed to the compiler; texts borrowed for the call */
struct list_row {
    enum name_kind kind;       /* NAME_NONE: an address */
    struct text name;          /* canonical */
    struct ip_range range;
    int role;                  /* enum list_role */
    uint16_t port;             /* 0 none */
    int64_t first_us, last_us; /* 0 unknown; in a space: valid_from, valid_to */
    uint64_t row;              /* line (STIX: object) in the file, from 1 */
    uint64_t count;
    uint32_t asn;
    struct text family, unit, note, isp, province;
};

struct list_read_options {
    int zone_s;      /* of times that name none */
    bool is_space;   /* own address space: unit and validity columns, private prefixes are normal, RIR files */
    /* put - each address of each accepted row. Return: 0 or <0, which ends the reading. */
    int (*put)(void *context, const struct list_row *row);
    /* is_own - whether the range touches the own space; NULL: no own space known */
    bool (*is_own)(void *context, const struct ip_range *range);
    const struct domain_rules *suffixes; /* below what names are registered; NULL: not known */
    void *context;
};

/*
 * list_xlsx_to_csv - who turns a spreadsheet into CSV (the jailed reader; set by the program's wiring).
 * Gives a descriptor to read the CSV from and a closing function that tells how the reader ended (0 or -errno).
 * NULL: spreadsheets are refused as a whole.
 */
struct list_xlsx {
    int (*open)(int fd_in, int *ret_fd, void **ret_job, struct fault *f);
    int (*close)(void *job, struct fault *f);
};
extern const struct list_xlsx *list_xlsx;

/*
 * list_read - read the whole of @fd from its present offset; form and encoding are recognised.
 * @report: counts are added; callbacks are called as rows are read.
 * Return: 0, or <0 with the fault: -EBADMSG when the file as a whole is no list (binary, damaged), -ENOMEM,
 * -errno of read, what put returned.
 */
int list_read(int fd, const struct list_read_options *o, struct list_report *report, struct fault *f);

/*
 * list_address_parse - one address as people write it: defanged, as URL, with port, prefix, range.
 * Return: 0, or the refusal (LIST_REFUSED_bad_address, bad_port, other_kind) plus 1.
 */
int list_address_parse(struct text t, struct ip_range *ret, uint16_t *ret_port, bool *ret_had_host_bits);
