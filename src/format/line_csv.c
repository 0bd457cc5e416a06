/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns by position (Palo Alto, pf filterlog, Sophos): RFC 4180 quotes; columns behind the named ones are left. And records in
 * brackets (carrier NAT), each with the same columns.
 */
#include "format/line_impl.h"

#include <string.h>

void line_csv(struct line_scratch *s, struct events *e, const struct line_pattern *p, struct text rest)
{
    const char *at = rest.p, *end = rest.p + rest.n;
    char separator = p->column_separator ? p->column_separator : ',';
    for (uint32_t i = 0; i < p->n_columns && at <= end; i++) {
        struct text value;
        if (at < end && *at == '"') {
            const char *from = ++at;
            bool has_quotes = false;
            while (at < end && (*at != '"' || (at + 1 < end && at[1] == '"'))) {
                has_quotes |= *at == '"';
                at += *at == '"' ? 2 : 1;
            }
            value = (struct text){from, (size_t)(at - from)};
            if (has_quotes && value.n <= s->n_work) {
                size_t n = 0;
                for (size_t k = 0; k < value.n; k++) {
                    s->work[n++] = value.p[k];
                    k += value.p[k] == '"';
                }
                value = (struct text){s->work, n};
            }
            const char *next = memchr(at, separator, (size_t)(end - at));
            at = next ? next + 1 : end + 1;
        } else {
            const char *next = memchr(at, separator, (size_t)(end - at));
            value = text_trim((struct text){at, (size_t)((next ? next : end) - at)});
            at = next ? next + 1 : end + 1;
        }
        if (p->columns[i])
            line_put(s, e, p->columns[i], value);
    }
}

static void record(struct line_scratch *s, struct events *e, const struct line_pattern *p, const char *at, const char *end)
{
    for (uint32_t i = 0; i < p->n_columns && at < end; i++) {
        while (at < end && *at == ' ')
            at++;
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        struct text value = {at, (size_t)((blank ? blank : end) - at)};
        at += value.n;
        if (p->columns[i])
            line_put(s, e, p->columns[i], value);
    }
}

void line_records(struct line_scratch *s, struct events *e, const struct line_pattern *p, struct text rest)
{
    const char *at = rest.p, *end = rest.p + rest.n;
    for (uint32_t n = 0; n < LINE_RECORDS_MAX && at < end; n++) {
        const char *open = memchr(at, '[', (size_t)(end - at));
        const char *close = open ? memchr(open, ']', (size_t)(end - open)) : NULL;
        if (!close)
            return;
        record(s, e, p, open + 1, close);
        at = close + 1;
    }
}
