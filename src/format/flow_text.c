/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind is decided on the first line: '{' is JSON, "#separator" Zeek, a
 * "Date first seen" nfdump's table; anything else is separated text whose
 * header decides. Then every row goes the same way: read, keep or refuse, count.
 */
#include "format/flow_text.h"

#include "format/binetflow.h"
#include "format/nfdump_csv.h"
#include "format/zeek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RUN = 256, RUN_TEXT_BYTES = 1 << 20, SNIFF_BYTES = 4096, HEADER_KEPT = 200 };
#define NO_SEPARATOR '\x01' /* a line is one field: JSON and tables for people */

struct flow_text_reader {
    struct flow_text_options options;
    flow_sink sink;
    flow_text_on_refused on_refused;
    void *context;
    struct flow_text_counts counts;
    enum flow_text_kind kind;
    bool is_past_summary;
    struct csv_reader csv;
    struct flow_plan plan;
    struct flow_row row;
    struct zeek zeek;
    struct buf texts; /* of the run */
    uint32_t n;       /* flows of the run */
    struct flow_observer observer;
    struct flow flows[RUN];
    size_t text_at[RUN];
    char header[HEADER_KEPT];
    size_t n_header;
};

static const char *const kind_names[FLOW_TEXT_N_KINDS] = {
#define X(ID, name) name,
    FLOW_TEXT_KINDS(X)
#undef X
};

const char *flow_text_kind_name(enum flow_text_kind kind)
{
    return kind < FLOW_TEXT_N_KINDS ? kind_names[kind] : "";
}

struct flow_text_reader *flow_text_reader_new(const struct flow_text_options *o, flow_sink sink,
                                              flow_text_on_refused on_refused, void *context)
{
    struct flow_text_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->options = *o;
    r->sink = sink;
    r->on_refused = on_refused;
    r->context = context;
    r->texts.max = 2 * RUN_TEXT_BYTES + 4 * CSV_MAX_RECORD_BYTES; /* a run closes behind the record that fills it */
    r->row.texts = &r->texts;
    r->row.zone_s = o->zone_s;
    flow_plan_clear(&r->plan);
    zeek_init(&r->zeek);
    csv_init(&r->csv, &(struct csv_options){.comment = '#'});
    return r;
}

void flow_text_reader_free(struct flow_text_reader *r)
{
    if (!r)
        return;
    csv_fini(&r->csv);
    flow_plan_fini(&r->plan);
    zeek_fini(&r->zeek);
    buf_fini(&r->texts);
    free(r);
}

enum flow_text_kind flow_text_reader_kind(const struct flow_text_reader *r)
{
    return r->kind;
}

const struct flow_text_counts *flow_text_reader_counts(const struct flow_text_reader *r)
{
    return &r->counts;
}

struct text flow_text_reader_header(const struct flow_text_reader *r)
{
    return (struct text){r->header, r->n_header};
}

/* ---- flows out */

static int flush(struct flow_text_reader *r)
{
    if (!r->n)
        return 0;
    static const struct flow_observer none;
    for (uint32_t i = 0; i < r->n; i++) {
        size_t end = i + 1 < r->n ? r->text_at[i + 1] : r->texts.n;
        struct flow *f = &r->flows[i];
        f->texts = (struct text){NULL, end - r->text_at[i]};
        if (!f->texts.n)
            continue; /* and perhaps no buffer at all: nothing may be added to NULL */
        f->texts.p = (const char *)r->texts.p + r->text_at[i];
        f->present |= FLOW_HAS_TEXT;
    }
    bool has_observer = memcmp(&r->observer, &none, sizeof(none)) != 0;
    uint32_t n = r->n;
    r->n = 0;
    int rc = r->sink(r->context, r->flows, n, has_observer ? &r->observer : NULL);
    buf_clear(&r->texts);
    return rc;
}

static int keep(struct flow_text_reader *r, size_t text_at)
{
    if (r->texts.is_bad)
        return -ENOMEM;
    r->counts.kept++;
    if (r->n && memcmp(&r->observer, &r->row.observer, sizeof(r->observer))) {
        /* another exporter: hand on the rows before; this one's texts move to the front */
        size_t n_text = r->texts.n - text_at;
        r->texts.n = text_at;
        int rc = flush(r);
        if (rc)
            return rc;
        if (n_text)
            memmove(r->texts.p, r->texts.p + text_at, n_text);
        r->texts.n = n_text;
        text_at = 0;
    }
    r->observer = r->row.observer;
    r->flows[r->n] = r->row.flow;
    r->text_at[r->n++] = text_at;
    return r->n == RUN || r->texts.n >= RUN_TEXT_BYTES ? flush(r) : 0;
}

static void refuse(struct flow_text_reader *r, const struct csv_record *record, enum flow_text_refusal reason,
                   struct text value)
{
    r->counts.refused[reason]++;
    if (!r->on_refused)
        return;
    struct flow_text_refused refused = {.row = record->row, .line = record->line, .reason = reason, .value = value};
    r->on_refused(r->context, &refused);
}

/* ---- one record */

static bool is_repeated_header(const struct flow_text_reader *r, const struct csv_record *record)
{
    if (record->n != r->plan.n || r->plan.n < 2)
        return false;
    for (uint32_t i = 0; i < record->n; i++)
        if (!text_equal(text_trim(record->fields[i]), flow_plan_column(&r->plan, i)))
            return false;
    return true;
}

static bool is_no_data(struct flow_text_reader *r, const struct csv_record *record)
{
    char first = record->fields[0].n ? *record->fields[0].p : '\0';
    if (first >= '0' && first <= '9' && !r->is_past_summary)
        return false; /* a date or an address: data */
    switch (r->kind) {
    case FLOW_TEXT_KIND_NFDUMP_CSV:
        if (nfdump_csv_is_summary(record))
            r->is_past_summary = true;
        else if (nfdump_csv_is_header(record))
            r->is_past_summary = false;
        return r->is_past_summary || is_repeated_header(r, record);
    case FLOW_TEXT_KIND_NFDUMP_LINE:
        if (nfdump_csv_is_summary(record))
            r->is_past_summary = true;
        else if (nfdump_line_is_header(record->raw))
            r->is_past_summary = false;
        return r->is_past_summary || nfdump_line_is_header(record->raw);
    case FLOW_TEXT_KIND_BINETFLOW:
    case FLOW_TEXT_KIND_CSV:
        return is_repeated_header(r, record);
    case FLOW_TEXT_KIND_AUTO:
    case FLOW_TEXT_KIND_ZEEK:
    case FLOW_TEXT_KIND_ZEEK_JSON:
    case FLOW_TEXT_N_KINDS:
        return false;
    }
    return false;
}

static int read_row(struct flow_text_reader *r, const struct csv_record *record)
{
    switch (r->kind) {
    case FLOW_TEXT_KIND_BINETFLOW:
        return binetflow_row(&r->row, &r->plan, record);
    case FLOW_TEXT_KIND_NFDUMP_CSV:
        return nfdump_csv_row(&r->row, &r->plan, record);
    case FLOW_TEXT_KIND_CSV:
        return flow_row_read(&r->row, &r->plan, record);
    case FLOW_TEXT_KIND_NFDUMP_LINE:
        return nfdump_line_row(&r->row, &r->plan, record->raw);
    case FLOW_TEXT_KIND_ZEEK:
        return zeek_row(&r->zeek, &r->row, &r->plan, record);
    case FLOW_TEXT_KIND_ZEEK_JSON:
        return zeek_json_row(&r->zeek, &r->row, &r->plan, record->raw);
    case FLOW_TEXT_KIND_AUTO:
    case FLOW_TEXT_N_KINDS:
        break;
    }
    return 0;
}

static int directive(struct flow_text_reader *r, const struct csv_record *record)
{
    int rc = zeek_directive(&r->zeek, &r->plan, record);
    if (!rc && r->zeek.separator)
        csv_set_separator(&r->csv, r->zeek.separator);
    return rc;
}

static int take_record(struct flow_text_reader *r, const struct csv_record *record)
{
    if (r->kind == FLOW_TEXT_KIND_ZEEK && record->raw.n && *record->raw.p == '#')
        return directive(r, record);
    if (is_no_data(r, record))
        return 0;
    size_t text_at = r->texts.n;
    r->counts.read++;
    int rc = read_row(r, record);
    if (rc < 0)
        return rc;
    if (!rc)
        return keep(r, text_at);
    bool is_bad = r->texts.is_bad;
    r->texts.n = text_at;
    refuse(r, record, r->row.reason, r->row.fault);
    return is_bad ? -ENOMEM : 0;
}

/* ---- what is it */

static bool is_wanted(const struct flow_text_reader *r, enum flow_text_kind kind)
{
    enum flow_text_kind want = r->options.want;
    return want == FLOW_TEXT_KIND_AUTO || want == kind ||
           (want == FLOW_TEXT_KIND_NFDUMP_CSV && kind == FLOW_TEXT_KIND_NFDUMP_LINE) ||
           (want == FLOW_TEXT_KIND_ZEEK && kind == FLOW_TEXT_KIND_ZEEK_JSON);
}

static int decide(struct flow_text_reader *r, enum flow_text_kind kind)
{
    if (!is_wanted(r, kind))
        return FLOW_TEXT_UNKNOWN;
    r->kind = kind;
    return 0;
}

static void remember_header(struct flow_text_reader *r, struct text line)
{
    r->n_header = line.n < HEADER_KEPT ? line.n : HEADER_KEPT;
    if (r->n_header)
        memcpy(r->header, line.p, r->n_header);
}

/* is_binary - control characters that no text has. */
static bool is_binary(struct text head)
{
    for (size_t i = 0; i < head.n; i++) {
        unsigned char c = (unsigned char)head.p[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b)
            return true;
    }
    return false;
}

static bool begins_with(struct text t, const char *prefix)
{
    size_t n = strlen(prefix);
    return t.n >= n && !memcmp(t.p, prefix, n);
}

/* sniff_line - kinds whose lines are not separated text in the usual sense. Return: 0 or FLOW_TEXT_UNKNOWN. */
static int sniff_line(struct flow_text_reader *r, struct text head)
{
    struct text line = text_trim(head);
    const char *end = line.n ? memchr(line.p, '\n', line.n) : NULL;
    if (end)
        line = text_trim((struct text){line.p, (size_t)(end - line.p)});
    remember_header(r, line);
    if (line.n && *line.p == '{') {
        csv_set_separator(&r->csv, NO_SEPARATOR);
        r->csv.options.is_unquoted = true;
        return decide(r, FLOW_TEXT_KIND_ZEEK_JSON);
    }
    if (begins_with(line, "#separator") || begins_with(line, "#fields") || begins_with(line, "#path") ||
        begins_with(line, "#set_separator")) {
        csv_set_separator(&r->csv, '\t');
        r->csv.options = (struct csv_options){.is_unquoted = true, .max_record_bytes = CSV_MAX_RECORD_BYTES};
        return decide(r, FLOW_TEXT_KIND_ZEEK);
    }
    if (nfdump_line_is_header(line)) {
        csv_set_separator(&r->csv, NO_SEPARATOR);
        r->csv.options.is_unquoted = true;
        if (nfdump_line_plan(&r->plan, line))
            return -ENOMEM;
        return decide(r, FLOW_TEXT_KIND_NFDUMP_LINE);
    }
    return 0;
}

/*
 * sniff_header - separated text: the first record decides.
 * @ret_is_data: it is a row already.   Return: 0, FLOW_TEXT_UNKNOWN, -ENOMEM.
 */
static int sniff_header(struct flow_text_reader *r, const struct csv_record *header, bool *ret_is_data)
{
    int rc;
    *ret_is_data = false;
    if (r->options.n_mapping || r->options.want == FLOW_TEXT_KIND_CSV) {
        rc = flow_csv_plan(&r->plan, header, r->options.mapping, r->options.n_mapping);
        return rc ? (rc < 0 ? rc : FLOW_TEXT_UNKNOWN) : decide(r, FLOW_TEXT_KIND_CSV);
    }
    if (binetflow_is_header(header)) {
        rc = binetflow_plan(&r->plan, header);
        return rc ? rc : decide(r, FLOW_TEXT_KIND_BINETFLOW);
    }
    *ret_is_data = nfdump_csv_is_headless(header);
    if (*ret_is_data || nfdump_csv_is_header(header)) {
        rc = nfdump_csv_plan(&r->plan, *ret_is_data ? NULL : header);
        return rc ? rc : decide(r, FLOW_TEXT_KIND_NFDUMP_CSV);
    }
    rc = flow_csv_plan(&r->plan, header, NULL, 0);
    return rc ? (rc < 0 ? rc : FLOW_TEXT_UNKNOWN) : decide(r, FLOW_TEXT_KIND_CSV);
}

/* is_sniffable - enough is there to look at the first line, or nothing more will come. */
static bool is_sniffable(const struct flow_text_reader *r)
{
    return r->csv.is_ended || r->csv.bytes.n >= SNIFF_BYTES;
}

/* sniff - before the first record. Return: 0 (a kind, or separated text to be decided), or the file's fault. */
static int sniff(struct flow_text_reader *r)
{
    struct text head = {"", 0};
    if (r->csv.bytes.n) /* an empty buffer has no address to reckon with */
        head = (struct text){(const char *)r->csv.bytes.p, r->csv.bytes.n < SNIFF_BYTES ? r->csv.bytes.n : SNIFF_BYTES};
    if (is_binary(head))
        return FLOW_TEXT_NOT_TEXT;
    return sniff_line(r, head);
}

static int take_first(struct flow_text_reader *r, const struct csv_record *record)
{
    bool is_data;
    int rc = sniff_header(r, record, &is_data);
    return rc || !is_data ? rc : take_record(r, record);
}

static int drain(struct flow_text_reader *r)
{
    if (r->kind == FLOW_TEXT_KIND_AUTO && !r->csv.row) {
        if (!is_sniffable(r))
            return 0;
        int rc = sniff(r);
        if (rc)
            return rc;
    }
    for (;;) {
        struct csv_record record;
        int rc = csv_next(&r->csv, &record);
        if (rc == CSV_MORE)
            return flush(r);
        if (rc == CSV_END) {
            rc = flush(r);
            return rc ? rc : r->kind == FLOW_TEXT_KIND_AUTO ? FLOW_TEXT_UNKNOWN : 0;
        }
        if (rc == CSV_REFUSED) {
            if (r->kind == FLOW_TEXT_KIND_AUTO)
                return FLOW_TEXT_UNKNOWN; /* not even a header */
            r->counts.read++;
            refuse(r, &record, (enum flow_text_refusal)record.refusal, record.raw);
            continue;
        }
        rc = r->kind == FLOW_TEXT_KIND_AUTO ? take_first(r, &record) : take_record(r, &record);
        if (rc)
            return rc;
    }
}

_Static_assert((int)FLOW_TEXT_ROW_TOO_LONG == (int)CSV_TOO_LONG && (int)FLOW_TEXT_UNCLOSED_QUOTE == (int)CSV_UNCLOSED_QUOTE &&
                   (int)FLOW_TEXT_TOO_MANY_COLUMNS == (int)CSV_TOO_MANY_FIELDS && (int)FLOW_TEXT_ROW_CUT == (int)CSV_CUT,
               "refusals of csv come first, in its order");

int flow_text_reader_feed(struct flow_text_reader *r, const void *p, size_t n)
{
    int rc = csv_feed(&r->csv, p, n);
    return rc ? rc : drain(r);
}

int flow_text_reader_end(struct flow_text_reader *r, bool is_cut)
{
    int rc = is_cut ? csv_cut(&r->csv) : csv_end(&r->csv);
    return rc ? rc : drain(r);
}
