/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/remote - the owner's own log system: what it is asked, and its answers as rows of leases. No network here.
 *
 * Out:    a URL from a template, and from an answer (JSON or CSV, untrusted) a CSV with the column names of read.h.
 * Limits: REMOTE_COLUMNS columns, REMOTE_ROWS rows an answer, texts cut to REMOTE_VALUE_MAX; a deeper or larger answer is refused.
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"
#include "watch/lease/resolve.h"

#define REMOTE_COLUMNS 24u
#define REMOTE_ROWS 10000u
#define REMOTE_VALUE_MAX 512u
#define REMOTE_URL_MAX 2048u

enum remote_format { REMOTE_JSON, REMOTE_CSV };

struct remote_column {
    const char *ours;   /* a name of a column that `lease import` knows */
    const char *theirs; /* JSON: a path with dots from the row; CSV: the name in the header */
};

/* what the configuration says of it */
struct remote_system {
    const char *url;        /* http or https, with {address} {port} {from} {to} {from_s} {to_s} {from_ms} {to_ms}; NULL: there is none */
    const char *token_file; /* absolute path, one line; NULL: none */
    const char *token_name; /* of the header that carries it: "Authorization: Bearer" unless another is given */
    const char *ca_file;    /* NULL: those of the system */
    const char *rows;       /* JSON: path with dots to the array; NULL: the answer is the array */
    const char *name;       /* source of the rows; NULL: the host of the URL */
    enum remote_format format;
    bool has_format;
    int zone_s;             /* of times in answers that name none */
    int64_t timeout_us;
    uint64_t max_bytes, asks_at_most;
    struct remote_column columns[REMOTE_COLUMNS];
    unsigned n_columns;
};

/* remote_check_url - Return: NULL, or what is wrong with the template, for people. */
const char *remote_check_url(const char *url);
/* remote_check_column - whether @ours is a column leases are read by. */
bool remote_check_column(const char *ours);
/* remote_url - @q asked. Return: 0, or 1 when it does not fit. */
int remote_url(const struct remote_system *s, const struct lease_question *q, char out[REMOTE_URL_MAX]);
/* remote_host - of the URL, borrowed. */
struct text remote_host(const char *url);
/*
 * remote_answer - @body to CSV in @out. @q: a row without an address, or without times, is about what was asked.
 * @ret_n_rows: of the answer.
 * Return: 0, 1 (refused, the fault says why), -ENOMEM.
 */
int remote_answer(const struct remote_system *s, const struct lease_question *q, struct text body, struct buf *out, uint64_t *ret_n_rows,
                  struct fault *f);
