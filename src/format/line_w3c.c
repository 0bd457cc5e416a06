/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C extended logs: IIS (columns between blanks) and Exchange (between commas). #Fields names the columns of the rows
 * that follow it in the same file. Times are UTC, as both write them.
 * Source: W3C Working Draft WD-logfile-960323; Microsoft, "W3C Logging", "Protocol logging" (Exchange).
 */
#include "format/line_impl.h"

#include <string.h>

static bool begins(struct text t, const char *with)
{
    size_t n = strlen(with);
    return t.n >= n && !memcmp(t.p, with, n);
}

static const struct line_decoder *whose(const struct line_decoders *d, struct text fields)
{
    for (uint32_t i = 0; i < d->n_decoders; i++) {
        const struct line_decoder *w = d->decoders[i];
        bool fits = w->is_w3c;
        for (uint32_t k = 0; fits && k < w->require.n; k++)
            fits = memmem(fields.p, fields.n, w->require.items[k].p, w->require.items[k].n);
        if (fits)
            return w;
    }
    return NULL;
}

static struct text column(struct text *rest, char separator)
{
    const char *end = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    struct text t = {rest->p, n};
    if (separator == ',' && rest->n && *rest->p == '"') {
        const char *quote = rest->p + 1, *stop = rest->p + rest->n;
        while (quote < stop && (*quote != '"' || (quote + 1 < stop && quote[1] == '"')))
            quote += *quote == '"' ? 2 : 1;
        if (quote < stop) {
            t = (struct text){rest->p + 1, (size_t)(quote - rest->p - 1)};
            n = (size_t)(quote + 1 - rest->p);
        }
    }
    n += n < rest->n;
    *rest = (struct text){rest->p + n, rest->n - n};
    return t;
}

const struct line_decoder *line_w3c_directive(const struct line_decoders *d, struct line_file *file, struct text line)
{
    static const char *const others[] = {"#Software:", "#Version:", "#Date:", "#Log-type:", "#Start-Date:", "#End-Date:", "#Remark:"};
    struct text t = begins(line, "\xef\xbb\xbf") ? (struct text){line.p + 3, line.n - 3} : line;
    if (!begins(t, "#Fields:")) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            if (begins(t, others[i]))
                return file->w3c;
        return NULL;
    }
    t = text_trim((struct text){t.p + 8, t.n - 8});
    file->n_w3c = 0;
    file->w3c = whose(d, t);
    file->w3c_separator = memchr(t.p, ',', t.n) ? ',' : ' ';
    while (file->w3c && t.n && file->n_w3c < LINE_W3C_COLUMNS)
        file->w3c_columns[file->n_w3c++] = line_key_find(&file->w3c->keys, column(&t, file->w3c_separator));
    return file->w3c;
}

void line_w3c(struct line_scratch *s, struct events *e, const struct line_file *file, struct text line)
{
    s->clock.zone_s = 0;
    for (uint32_t i = 0; i < file->n_w3c && line.n; i++) {
        struct text t = column(&line, file->w3c_separator);
        if (file->w3c_columns[i])
            line_put(s, e, file->w3c_columns[i], t);
    }
}
