/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is this file? Decided once, from its first 64 KiB, by what it holds and
 * never by its name; then the reader of that form takes the whole stream.
 */
#include "watch/indicator/list_read.h"

#include "base/clock.h"
#include "base/file.h"
#include "format/csv.h"
#include "watch/indicator/list_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const struct list_xlsx *list_xlsx;

static ssize_t read_some(int fd, void *p, size_t n)
{
    ssize_t got;
    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* read_sheet - the next bytes of the present sheet */
static ssize_t read_sheet(struct list_source *s, uint8_t *p, size_t n)
{
    struct list_sheets *w = s->sheets;
    if (w->is_at_end)
        return 0;
    if (w->at == w->n) {
        ssize_t got = read_some(s->fd, w->rest, LIST_SAMPLE_BYTES);
        w->is_at_end_of_all = w->is_at_end = got <= 0;
        if (got <= 0)
            return got;
        w->n = (size_t)got;
        w->at = 0;
    }
    if (w->skip_newline && w->rest[w->at] == '\n')
        w->at++;
    w->skip_newline = false;
    size_t left = w->n - w->at < n ? w->n - w->at : n;
    if (!left)
        return read_sheet(s, p, n);
    const uint8_t *end = memchr(w->rest + w->at, '\f', left);
    if (end) {
        left = (size_t)(end - (w->rest + w->at));
        w->is_at_end = w->skip_newline = true;
    }
    memcpy(p, w->rest + w->at, left);
    w->at += left + (end != NULL);
    return (ssize_t)left;
}

static ssize_t read_more(struct list_source *s, void *p, size_t n)
{
    return s->sheets ? read_sheet(s, p, n) : read_some(s->fd, p, n);
}

ssize_t list_source_read(struct list_source *s, void *p, size_t n)
{
    size_t left = s->n_sample - s->at;
    if (!left)
        return read_more(s, p, n);
    if (left > n)
        left = n;
    memcpy(p, s->sample + s->at, left);
    s->at += left;
    return (ssize_t)left;
}

static int take_sample(struct list_source *s)
{
    s->sample = malloc(LIST_SAMPLE_BYTES);
    if (!s->sample)
        return -ENOMEM;
    while (s->n_sample < LIST_SAMPLE_BYTES) {
        ssize_t got = read_more(s, s->sample + s->n_sample, LIST_SAMPLE_BYTES - s->n_sample);
        if (got < 0)
            return (int)got;
        if (!got)
            break;
        s->n_sample += (size_t)got;
    }
    return 0;
}

enum form { FORM_TEXT, FORM_UTF16, FORM_XLSX, FORM_JSON, FORM_BINARY };

/* UTF-16 without a mark: nearly every second byte is zero */
static bool looks_utf16(const uint8_t *p, size_t n, bool *is_big)
{
    size_t zeros[2] = {0, 0};
    if (n < 8)
        return false;
    for (size_t i = 0; i < n; i++)
        zeros[i & 1] += !p[i];
    *is_big = zeros[0] > zeros[1];
    size_t many = zeros[*is_big ? 0 : 1], few = zeros[*is_big ? 1 : 0];
    return many * 2 >= n / 2 && !few;
}

static bool is_known_binary(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t bytes[6];
        size_t n;
    } magics[] = {{{0x7f, 'E', 'L', 'F'}, 4}, {{0x1f, 0x8b}, 2}, {{0xfd, '7', 'z', 'X', 'Z'}, 5}, {{'%', 'P', 'D', 'F'}, 4},
                  {{0xd0, 0xcf, 0x11, 0xe0}, 4}, {{0xd4, 0xc3, 0xb2, 0xa1}, 4}, {{0xa1, 0xb2, 0xc3, 0xd4}, 4},
                  {{0x0a, 0x0d, 0x0d, 0x0a}, 4}, {{'R', 'a', 'r', '!'}, 4}, {{'7', 'z', 0xbc, 0xaf}, 4}, {{'M', 'Z', 0x90}, 3},
                  {{0x89, 'P', 'N', 'G'}, 4}, {{0x28, 0xb5, 0x2f, 0xfd}, 4}, {{'B', 'Z', 'h'}, 3}};
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
        if (n >= magics[i].n && !memcmp(p, magics[i].bytes, magics[i].n))
            return true;
    return false;
}

static enum form form_of(const uint8_t *p, size_t n, bool *is_big, bool *has_mark)
{
    *has_mark = n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff));
    if (*has_mark)
        return FORM_UTF16;
    if (n >= 4 && !memcmp(p, "PK\3\4", 4))
        return FORM_XLSX;
    if (is_known_binary(p, n))
        return FORM_BINARY;
    if (looks_utf16(p, n, is_big))
        return FORM_UTF16;
    size_t i = n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3) ? 3 : 0, n_control = 0;
    for (size_t k = i; k < n; k++)
        n_control += p[k] < 0x20 && p[k] != '\n' && p[k] != '\r' && p[k] != '\t' && p[k] != '\f';
    if ((n && memchr(p, 0, n)) || n_control * 20 > n)
        return FORM_BINARY;
    while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n'))
        i++;
    if (i < n && p[i] == '{')
        return FORM_JSON;
    if (i < n && p[i] == '[') { /* "[2001:db8::1]:80" is an address, not an array */
        for (i++; i < n && (p[i] == ' ' || p[i] == '\r' || p[i] == '\n' || p[i] == '\t'); i++)
            ;
        return i >= n || p[i] == '{' || p[i] == '"' || p[i] == ']' ? FORM_JSON : FORM_TEXT;
    }
    return FORM_TEXT;
}

/* what the first records say about a text */
struct layout {
    uint64_t header_line;
    char separator;
    bool is_commented_header, is_table;
    bool is_list; /* a header or an address was seen */
};

#define LAYOUT_RECORDS 200u

/* has_name - whether a field holds one; a header of dotted words looks like it too. */
static bool has_name(const struct csv_record *r, bool *ret_in_first)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (list_is_indicator(text_trim(r->fields[i]), false)) {
            *ret_in_first = !i;
            return true;
        }
    return false;
}

static bool has_address(const struct csv_record *r, bool *ret_in_first)
{
    bool any = false;
    *ret_in_first = false;
    for (uint32_t i = 0; i < r->n && !any; i++) {
        struct ip_range range;
        uint16_t port;
        bool bits;
        struct text t = text_trim(r->fields[i]);
        any = !list_address_parse(t, &range, &port, &bits);
        *ret_in_first = any && !i;
    }
    return any;
}

struct survey {
    struct csv_reader csv;
    struct csv_record r;
};

/* study - one record of the beginning; true when enough is known */
static bool study(const struct csv_record *r, bool is_space, struct layout *l, uint64_t *n_content, uint64_t *unknown_line)
{
    struct text first = text_trim(r->fields[0]);
    bool in_first, names_address, is_comment = first.n && (*first.p == '#' || (*first.p == ';' && l->separator != ';'));
    uint32_t known = list_columns_known(r->fields, r->n, is_space, &names_address);
    bool has_names = !is_space && !names_address && has_name(r, &in_first);
    names_address |= !is_space && !has_names && list_columns_hold_names(r->fields, r->n);
    if (is_comment) {
        if (names_address && known >= 2 && r->n >= 2) {
            l->header_line = r->line;
            l->is_commented_header = true;
            l->is_table = true;
        }
        return false;
    }
    if (has_address(r, &in_first) || (has_names && has_name(r, &in_first))) {
        if (!l->header_line && *unknown_line && r->n >= 2)
            l->header_line = *n_content == 1 ? *unknown_line : 0;
        l->is_table |= l->header_line || !in_first || (r->n >= 2 && l->separator != '\t') || r->n > 2;
        return true;
    }
    ++*n_content;
    if (names_address && !l->is_commented_header && (known >= 2 || r->n == 1 || known == r->n || *n_content == 1)) {
        l->header_line = r->line;
        l->is_commented_header = false;
        l->is_table = r->n > 1;
        return true;
    }
    if (*n_content == 1 && r->n >= 2)
        *unknown_line = r->line;
    return false;
}

static int find_layout(const struct list_parse *p, struct layout *l)
{
    const struct list_source *s = &p->source;
    struct survey *v = calloc(1, sizeof(*v));
    uint64_t n_content = 0, unknown_line = 0, n = 0;
    bool is_known = false;
    if (!v)
        return -ENOMEM;
    csv_init(&v->csv, &(struct csv_options){.separator = p->is_sheet ? ',' : 0, .max_record_bytes = LIST_MAX_ROW_BYTES});
    int r = csv_feed(&v->csv, s->sample, s->n_sample), c;
    if (!r && s->n_sample < LIST_SAMPLE_BYTES)
        r = csv_end(&v->csv);
    while (!r && !is_known && n++ < LAYOUT_RECORDS && ((c = csv_next(&v->csv, &v->r)) == 0 || c == CSV_REFUSED)) {
        l->separator = v->csv.separator;
        if (!c)
            is_known = study(&v->r, p->o->is_space, l, &n_content, &unknown_line);
    }
    l->is_list = is_known;
    l->separator = v->csv.separator;
    csv_fini(&v->csv);
    free(v);
    return r;
}

/* delegated statistics of a registry: lines of fields parted by '|' (RIR statistics exchange format) */
static bool is_delegated(const struct list_source *s)
{
    static const char *const registries[] = {"afrinic", "apnic", "arin", "lacnic", "ripencc", "iana"};
    const char *p = (const char *)s->sample, *end = p + s->n_sample;
    for (int lines = 0; lines < 20 && p < end; lines++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop : end) - p);
        for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++) {
            size_t m = strlen(registries[i]);
            if (n > m && !memcmp(p, registries[i], m) && p[m] == '|')
                return true;
        }
        p = stop ? stop + 1 : end;
    }
    return false;
}

static int read_text(struct list_parse *p)
{
    struct layout l = {.header_line = 0};
    if (p->o->is_space && is_delegated(&p->source))
        return list_read_delegated(p);
    int r = find_layout(p, &l);
    if (r)
        return FAULT(p->fault, r, no_memory, "list_read");
    bool is_utf16 = p->source.n_sample >= 2 && p->source.sample[0] >= 0xfe;
    if (!l.is_table && !is_utf16)
        return list_read_lines(p, l.header_line != 0);
    return list_read_table(p, l.header_line, l.is_table ? l.separator : ',', l.is_commented_header);
}

/* with_mark - UTF-16 without a byte order mark gets one in front */
static int read_unmarked(struct list_parse *p, bool is_big)
{
    static const uint8_t marks[2][2] = {{0xff, 0xfe}, {0xfe, 0xff}};
    uint8_t *with = malloc(p->source.n_sample + 2);
    if (!with)
        return FAULT(p->fault, -ENOMEM, no_memory, "list_read");
    memcpy(with, marks[is_big], 2);
    memcpy(with + 2, p->source.sample, p->source.n_sample);
    free(p->source.sample);
    p->source.sample = with;
    p->source.n_sample += 2;
    return read_text(p);
}

static int read_json(struct list_parse *p)
{
    const char *s = (const char *)p->source.sample, *end = s + p->source.n_sample;
    unsigned n = 0, n_whole = 0;
    if (p->source.n_sample >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
        s += 3, p->source.at = 3;
    for (; s < end && n < 20; n++) { /* lines that are whole objects: JSON lines */
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        struct text line = text_trim((struct text){s, (size_t)((stop ? stop : end) - s)});
        n_whole += line.n >= 2 && line.p[0] == '{' && line.p[line.n - 1] == '}';
        n -= !line.n;
        s = stop ? stop + 1 : end;
    }
    bool is_single = n == 1; /* one line: a bundle or one row; the document reader knows both */
    return n_whole * 2 >= n && !is_single ? list_read_json_lines(p) : list_read_json_document(p);
}

/* a descriptor that can be read from its beginning again: the file itself, or a copy in memory */
static int rewound(struct list_source *s, int *ret_fd)
{
    if (lseek(s->fd, -(off_t)s->n_sample, SEEK_CUR) >= 0) {
        *ret_fd = dup(s->fd);
        return *ret_fd < 0 ? -errno : 0;
    }
    _cleanup_close_ int fd = memfd_create("list", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    uint8_t piece[16384];
    ssize_t got;
    size_t total = 0;
    while ((got = list_source_read(s, piece, sizeof(piece))) > 0) {
        if ((total += (size_t)got) > ((size_t)512 << 20))
            return -EFBIG;
        int r = file_write_full(fd, piece, (size_t)got);
        if (r)
            return r;
    }
    if (got < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return got < 0 ? (int)got : -errno;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* read_one_sheet - a sheet in which nothing looks like a list (a cover, an explanation) holds no rows */
static int read_one_sheet(const struct list_parse *p, struct list_sheets *sheets, int fd)
{
    struct list_parse one = *p;
    struct layout l = {.header_line = 0};
    one.source = (struct list_source){.fd = fd, .sheets = sheets};
    one.mended = (struct buf){0};
    one.is_sheet = true;
    int r = take_sample(&one.source);
    if (!r)
        r = find_layout(&one, &l);
    if (r)
        FAULT(p->fault, r, list_read_failed, strerror(-r));
    else if (l.is_list)
        r = list_read_table(&one, l.header_line, ',', false);
    free(one.source.sample);
    buf_fini(&one.mended);
    return r;
}

static int read_sheets(struct list_parse *p, int fd)
{
    struct list_sheets sheets = {.rest = malloc(LIST_SAMPLE_BYTES)};
    int r = sheets.rest ? 0 : FAULT(p->fault, -ENOMEM, no_memory, "list_read");
    uint8_t left[4096];
    while (!r && !sheets.is_at_end_of_all) {
        sheets.is_at_end = false;
        r = read_one_sheet(p, &sheets, fd);
        struct list_source rest = {.fd = fd, .sheets = &sheets}; /* of a sheet that was passed over */
        while (!r && read_more(&rest, left, sizeof(left)) > 0)
            ;
    }
    free(sheets.rest);
    return r;
}

static int read_xlsx(struct list_parse *p)
{
    int fd = -1, out = -1;
    void *job;
    if (!list_xlsx)
        return FAULT(p->fault, -EBADMSG, list_is_spreadsheet);
    int r = rewound(&p->source, &fd);
    if (r)
        return FAULT(p->fault, r, list_read_failed, strerror(-r));
    r = list_xlsx->open(fd, &out, &job, p->fault);
    close(fd);
    if (r)
        return r;
    r = read_sheets(p, out);
    close(out);
    struct fault other;
    int ended = list_xlsx->close(job, &other);
    if (r || !ended)
        return r; /* our own fault first: the reader dies of it when we close its pipe */
    *p->fault = other; /* rows of a damaged sheet are not to be trusted */
    return ended;
}

int list_read(int fd, const struct list_read_options *o, struct list_report *report, struct fault *f)
{
    struct list_parse p = {.o = o, .report = report, .fault = f, .source = {.fd = fd}};
    bool is_big = false, has_mark = false;
    int r = take_sample(&p.source);
    if (r) {
        free(p.source.sample);
        return r == -ENOMEM ? FAULT(f, r, no_memory, "list_read") : FAULT(f, r, list_read_failed, strerror(-r));
    }
    switch (form_of(p.source.sample, p.source.n_sample, &is_big, &has_mark)) {
    case FORM_TEXT:
        r = read_text(&p);
        break;
    case FORM_UTF16:
        r = has_mark ? read_text(&p) : read_unmarked(&p, is_big);
        break;
    case FORM_XLSX:
        r = read_xlsx(&p);
        break;
    case FORM_JSON:
        r = read_json(&p);
        break;
    case FORM_BINARY:
        r = FAULT(f, -EBADMSG, list_is_binary);
        break;
    }
    free(p.source.sample);
    buf_fini(&p.mended);
    return r;
}
