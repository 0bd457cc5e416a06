/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delegated statistics of a regional registry as own space:
 * registry|cc|type|start|value|date|status[|opaque-id]. IPv4 counts addresses
 * and need not be one prefix; IPv6 gives a prefix length. Version, summary and
 * AS lines are not rows; space that is not delegated to anybody is skipped too.
 * Source: RIR statistics exchange format, version 2.
 */
#include "format/csv.h"
#include "watch/indicator/list_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTRY, COUNTRY, TYPE, START, VALUE, DATE, STATUS, HOLDER };

static bool is_row(const struct csv_record *r)
{
    if (r->n < 7 || text_is(r->fields[COUNTRY], "*"))
        return false;
    if (!text_is(r->fields[TYPE], "ipv4") && !text_is(r->fields[TYPE], "ipv6"))
        return false;
    return !text_is(r->fields[STATUS], "available") && !text_is(r->fields[STATUS], "reserved");
}

static void take(struct list_parse *p, const struct csv_record *r)
{
    struct list_row row = {.row = r->line, .role = LIST_BOT, .first_us = INT64_MIN, .last_us = INT64_MAX};
    uint64_t v;
    struct ip a;
    if (!is_row(r))
        return;
    bool is_v4 = text_is(r->fields[TYPE], "ipv4");
    struct text start = r->fields[START];
    int bad = ip_parse(start.p, start.n, &a) || ip_is_v4(&a) != is_v4 ||
              text_u64(r->fields[VALUE], is_v4 ? UINT64_C(1) << 32 : 128, &v);
    if (!bad && is_v4)
        bad = !v || v - 1 > UINT32_MAX - ip_v4(&a);
    if (bad) {
        list_row_refuse(p, r->line, LIST_REFUSED_bad_address, r->raw);
        return;
    }
    row.range = is_v4 ? (struct ip_range){a, ip_from_v4((uint32_t)(ip_v4(&a) + (v - 1)))} : ip_range_from_prefix(&a, (unsigned)v);
    if (r->n > HOLDER && text_is_utf8(r->fields[HOLDER].p, r->fields[HOLDER].n))
        row.unit = text_trim(r->fields[HOLDER]);
    p->report->rows++;
    p->report->kept++;
    list_row_put(p, &row, false, start);
}

static void drain(struct list_parse *p, struct csv_reader *csv)
{
    struct csv_record r;
    int c;
    while (!p->rc && ((c = csv_next(csv, &r)) == 0 || c == CSV_REFUSED)) {
        if (c)
            list_row_refuse(p, r.line, LIST_REFUSED_too_long, r.raw);
        else
            take(p, &r);
    }
}

int list_read_delegated(struct list_parse *p)
{
    struct csv_reader *csv = calloc(1, sizeof(*csv));
    uint8_t *piece = malloc(LIST_SAMPLE_BYTES);
    ssize_t got = 0;
    int r = csv && piece ? 0 : -ENOMEM;
    if (csv)
        csv_init(csv, &(struct csv_options){.separator = '|', .comment = '#', .is_unquoted = true, .max_record_bytes = LIST_MAX_ROW_BYTES});
    while (!r && !p->rc && (got = list_source_read(&p->source, piece, LIST_SAMPLE_BYTES)) > 0) {
        r = csv_feed(csv, piece, (size_t)got);
        if (!r)
            drain(p, csv);
    }
    if (!r && !p->rc && !got && !(r = csv_end(csv)))
        drain(p, csv);
    if (csv)
        csv_fini(csv);
    free(csv);
    free(piece);
    if (r)
        return FAULT(p->fault, r, no_memory, "list_read");
    if (got < 0)
        return FAULT(p->fault, (int)got, list_read_failed, strerror((int)-got));
    return p->rc;
}
