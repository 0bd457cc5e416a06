/* SPDX-License-Identifier: Apache-2.0 */
/* Columns by position (Palo Alto, pf filterlog, Sophos): RFC 4180 quotes; columns behind the named ones are left. */
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
