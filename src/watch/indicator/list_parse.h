/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/list_parse - what the forms of list files share: the source of bytes, the meaning of
 * columns, and the door through which a row is accepted or refused.
 *
 * list_read.c recognises the form; list_text.c reads plain lines, list_table.c separated text,
 * list_json.c JSON lines and STIX; all speak to the same struct list_parse.
 */
#pragma once

#include "base/buf.h"
#include "watch/indicator/list.h"
#include "watch/indicator/list_read.h"

/* what a column means; X(ID) - the synonyms stand in list_columns.c */
#define LIST_COLUMNS(X)                                                                                       \
    X(IP) X(PORT) X(TIME) X(FIRST) X(LAST) X(FAMILY) X(C2_IP) X(C2_PORT) X(UNIT) X(ISP) X(ASN) X(PROVINCE)    \
    X(COUNT) X(NOTE) X(ROLE) X(FROM) X(TO) X(TYPE) X(FIRST_IP) X(LAST_IP)                                         \
    X(DOMAIN) X(URL) X(MD5) X(SHA1) X(SHA256)
enum list_column {
    LIST_COLUMN_NONE,
#define X(id) LIST_COLUMN_##id,
    LIST_COLUMNS(X)
#undef X
        LIST_N_COLUMNS
};

/* the values of one row by meaning; empty: not given */
struct list_cells {
    struct text of[LIST_N_COLUMNS];
    int zone_s[LIST_N_COLUMNS]; /* of time columns, from the header */
};

#define LIST_SAMPLE_BYTES ((size_t)64 << 10)

/* several sheets in one stream, each ended by a form feed and a line feed */
struct list_sheets {
    uint8_t *rest; /* room for LIST_SAMPLE_BYTES: read, not yet given */
    size_t n, at;
    bool is_at_end; /* of a sheet: reading answers 0 until it is cleared */
    bool skip_newline, is_at_end_of_all;
};

struct list_source {
    int fd;
    struct list_sheets *sheets; /* NULL: the stream is one text */
    uint8_t *sample; /* the first bytes, already taken from @fd */
    size_t n_sample, at;
};

/* list_source_read - the next bytes, the sample first. Return: bytes, 0 at the end, or -errno. */
ssize_t list_source_read(struct list_source *s, void *p, size_t n);

struct list_parse {
    const struct list_read_options *o;
    struct list_report *report;
    struct fault *fault;
    struct list_source source;
    int rc; /* what put returned; stops the reading */
    struct buf mended; /* texts of the present row whose malformed bytes were replaced */
    bool is_sheet; /* of a spreadsheet: separated by commas, rows end at their last filled cell */
};

/*
 * list_column_of - what a header cell means. @ret_zone_s: changed when the header names a zone ("(UTC)", "(GMT+7)").
 * @is_space: a space's words (from, to) count too.
 */
enum list_column list_column_of(struct text header, bool is_space, int *ret_zone_s);
/* list_column_rank - of two columns of one meaning the lower rank speaks first (family before tag). */
int list_column_rank(struct text header);

/* list_column_name - cell @i of a header, without the comment sign that may stand before the first. */
struct text list_column_name(const struct text *cells, uint32_t i);
/* list_columns_known - how many cells name a known column; @ret_address: one of them holds addresses. */
uint32_t list_columns_known(const struct text *cells, uint32_t n, bool is_space, bool *ret_address);

/* list_columns_hold_names - whether a cell names a column of domains, URLs or hashes. */
bool list_columns_hold_names(const struct text *cells, uint32_t n);
/* list_is_indicator - whether @t is an address or, of a list, a name. */
bool list_is_indicator(struct text t, bool is_space);
/* list_column_holds_names - DOMAIN to SHA256: they count in rows without an address. */
bool list_column_holds_names(enum list_column c);

/* list_row_cells - one row of a table or object: check, account, hand on. */
void list_row_cells(struct list_parse *p, uint64_t row, const struct list_cells *cells, struct text whole);
/* list_row_refuse - count and report; the row counts in rows. */
void list_row_refuse(struct list_parse *p, uint64_t row, enum list_refusal why, struct text value);
/*
 * list_row_mend - malformed bytes of @n texts of a row become U+FFFD, and the row is warned about once.
 * The texts point into p->mended until the next row. Without memory p->rc is set.
 */
void list_row_mend(struct list_parse *p, uint64_t row, struct text *texts[], size_t n);
/* list_row_begin, list_row_put, list_row_kept - for the readers that build rows themselves: count, each address, kept. */
void list_row_put(struct list_parse *p, struct list_row *row, bool had_host_bits, struct text value);

/*
 * list_rearm - "[.]", "(.)", "{.}", "[dot]", "[:]" become what they stand for; an en dash becomes '-'.
 * @out: cut to @n_out, with a zero. Return: bytes.
 */
size_t list_rearm(struct text t, char *out, size_t n_out);

/* the forms; each returns 0 or <0 with the fault */
int list_read_lines(struct list_parse *p, bool has_header);
int list_read_table(struct list_parse *p, uint64_t header_line, char separator, bool is_commented_header);
int list_read_json_lines(struct list_parse *p);
int list_read_json_document(struct list_parse *p);
int list_read_delegated(struct list_parse *p);

/* list_row_json - one object whose keys are column names. @scratch: room for twice the line. */
void list_row_json(struct list_parse *p, uint64_t row, struct text line, char *scratch);
/* list_row_stix_line - one STIX indicator that stands alone on a line. */
void list_row_stix_line(struct list_parse *p, uint64_t row, struct text line);
