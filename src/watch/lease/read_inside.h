/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/read_inside - between read.c (input, account) and the formats: read_csv.c, read_dhcp.c, read_detail.c, read_neighbours.c. */
#pragma once

#include "base/buf.h"
#include "watch/intake/unpack.h"
#include "watch/lease/pair.h"
#include "watch/lease/read.h"

struct reading {
    const struct lease_read_options *o;
    struct lease_account *account;
    struct unpack *unpack;
    struct pairs *pairs;
    struct buf bytes;   /* read ahead */
    size_t at;          /* of bytes: not yet handed out */
    uint64_t line;
    bool has_ended;
    int condition;      /* what unpack_read said beside data: UNPACK_TRUNCATED ... */
};

/* reading_more - the next piece behind bytes; has_ended at the end. Return: 0 or -errno. */
int reading_more(struct reading *r);
/* reading_line - the next line without its end, borrowed until the next call. Return: 0; 1: no more; -errno. */
int reading_line(struct reading *r, struct text *ret);
/* reading_refuse - one record of the account. Return: 0. */
int reading_refuse(struct reading *r, uint64_t line, enum lease_refusal why, struct text value);
/* reading_other - a record that is no lease. Return: 0. */
int reading_other(struct reading *r);
/*
 * reading_row - a whole lease, a begin or an end; what is wrong with it is refused. @value: for the message.
 * A row without gateway, realm or source gets those of the options. Return: 0, -ENOMEM, or what the sink answered.
 */
int reading_row(struct reading *r, const struct lease_row *row, enum lease_word word, uint64_t line, struct text value);

int read_csv(struct reading *r, enum lease_format format);
int read_isc(struct reading *r);
int read_dnsmasq(struct reading *r);
int read_detail(struct reading *r);
int read_neighbours(struct reading *r);

/* reading_word - the next word of @rest, cut at blanks; moves on. Empty: none. */
struct text reading_word(struct text *rest);
