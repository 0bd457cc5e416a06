/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/list_read - list files as they really arrive -> rows, with every refusal named.
 *
 * TXT, CSV (comma, semicolon, TAB; BOM; UTF-16), XLSX (read in the lab), JSON lines, STIX 2.1
 * indicators, Shadowserver CSV. A row is accepted, accepted with a warning (bogon, private, own,
 * duplicate), or refused with a reason; refused rows never stop the rest.
 */
#pragma once

#include "base/ip.h"
#include "base/text.h"

/* X(id, "what was expected") - texts for people are messages list_refused_<id> */
#define LIST_REFUSALS(X)                  \
    X(bad_address, "an address")          \
    X(bad_time, "a time")                 \
    X(bad_port, "a port 1..65535")        \
    X(bad_columns, "as many columns as the header") \
    X(bad_encoding, "UTF-8 or UTF-16")    \
    X(bad_json, "a JSON object")          \
    X(bad_pattern, "a STIX pattern of addresses") \
    X(too_long, "a row of at most 64 KiB")

/* warnings: the row is kept */
#define LIST_WARNINGS(X) X(bogon) X(private_address) X(own_address) X(duplicate) X(host_bits)

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
