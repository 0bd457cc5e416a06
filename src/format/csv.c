/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is looked for without changing a byte, so that an incomplete one can
 * be looked at again when more has come; quotes are removed once it is whole.
 *
 * Two things keep hostile input linear. An incomplete record is looked at again
 * only when twice as many bytes are there. And a quote that is not closed
 * within max_record_bytes costs its first line only; up to where the search
 * ended, further records may not hold line ends, so no byte is searched twice.
 */
#include "format/csv.h"

#include <errno.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { ENCODING_UNKNOWN, ENCODING_UTF8, ENCODING_UTF16LE, ENCODING_UTF16BE };
enum { DETECT_LINES = 8, DETECT_BYTES = 65536 };
enum scan { SCAN_RECORD, SCAN_MORE, SCAN_UNCLOSED, SCAN_TOO_MANY };

static const char *const refusal_names[CSV_N_REFUSALS] = {
#define X(ID, name) name,
    CSV_REFUSALS(X)
#undef X
};

const char *csv_refusal_name(enum csv_refusal reason)
{
    return reason < CSV_N_REFUSALS ? refusal_names[reason] : "";
}

void csv_set_separator(struct csv_reader *r, char separator)
{
    r->separator = separator;
    memset(r->ends_field, 0, sizeof(r->ends_field));
    r->ends_field[(uint8_t)separator] = r->ends_field['\n'] = r->ends_field['\r'] = 1;
}

void csv_init(struct csv_reader *r, const struct csv_options *o)
{
    memset(r, 0, sizeof(*r));
    if (o)
        r->options = *o;
    if (!r->options.max_record_bytes)
        r->options.max_record_bytes = CSV_MAX_RECORD_BYTES;
    r->bytes.max = SIZE_MAX / 4; /* what bounds it: a record is cut at max_record_bytes before more is fed */
    if (r->options.separator)
        csv_set_separator(r, r->options.separator);
}

void csv_fini(struct csv_reader *r)
{
    buf_fini(&r->bytes);
}

/* ---- bytes in */

static void put_char(struct csv_reader *r, uint32_t c)
{
    char utf8[4];
    buf_add(&r->bytes, utf8, text_put(c, utf8));
}

static void put_unit(struct csv_reader *r, uint16_t unit)
{
    bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
    if (r->high && is_low) {
        put_char(r, 0x10000 + ((uint32_t)(r->high - 0xd800) << 10) + (uint32_t)(unit - 0xdc00));
        r->high = 0;
        return;
    }
    if (r->high)
        put_char(r, 0xfffd);
    r->high = 0;
    if (unit >= 0xd800 && unit <= 0xdbff)
        r->high = unit;
    else
        put_char(r, is_low ? 0xfffd : unit);
}

static void add_utf16(struct csv_reader *r, const uint8_t *p, size_t n)
{
    bool is_le = r->encoding == ENCODING_UTF16LE;
    for (size_t i = 0; i < n; i++) {
        if (!r->n_carry) {
            r->carry[0] = p[i];
            r->n_carry = 1;
            continue;
        }
        uint8_t a = r->carry[0], b = p[i];
        r->n_carry = 0;
        put_unit(r, (uint16_t)(is_le ? b << 8 | a : a << 8 | b));
    }
}

static void add(struct csv_reader *r, const uint8_t *p, size_t n)
{
    if (r->encoding == ENCODING_UTF8)
        buf_add(&r->bytes, p, n);
    else
        add_utf16(r, p, n);
}

/* decide - take bytes into `carry` until the encoding is known; returns how many of @p were used. */
static size_t decide(struct csv_reader *r, const uint8_t *p, size_t n)
{
    static const uint8_t utf8[3] = {0xef, 0xbb, 0xbf};
    size_t used = 0;
    while (used < n && r->encoding == ENCODING_UNKNOWN) {
        uint8_t *c = r->carry;
        c[r->n_carry++] = p[used++];
        bool is_begun = r->n_carry == 1 ? c[0] >= 0xfe || c[0] == utf8[0] : !memcmp(c, utf8, r->n_carry);
        if (r->n_carry == 2 && c[0] == 0xff && c[1] == 0xfe)
            r->encoding = ENCODING_UTF16LE;
        else if (r->n_carry == 2 && c[0] == 0xfe && c[1] == 0xff)
            r->encoding = ENCODING_UTF16BE;
        else if (is_begun && r->n_carry < 3)
            continue;
        else
            r->encoding = ENCODING_UTF8;
        if (r->encoding == ENCODING_UTF8 && !is_begun)
            buf_add(&r->bytes, c, r->n_carry); /* no mark: it was text */
        r->n_carry = 0;
    }
    return used;
}

int csv_feed(struct csv_reader *r, const void *p, size_t n)
{
    size_t left = r->bytes.n - r->at;
    if (r->at) {
        memmove(r->bytes.p, r->bytes.p + r->at, left);
        r->bytes.n = left;
        r->at = 0;
    }
    size_t used = r->encoding == ENCODING_UNKNOWN ? decide(r, p, n) : 0;
    if (used < n)
        add(r, (const uint8_t *)p + used, n - used);
    return r->bytes.is_bad ? -ENOMEM : 0;
}

int csv_end(struct csv_reader *r)
{
    if (r->is_ended)
        return 0;
    r->is_ended = true;
    bool is_wide = r->encoding == ENCODING_UTF16LE || r->encoding == ENCODING_UTF16BE;
    if (!is_wide)
        buf_add(&r->bytes, r->carry, r->n_carry);
    else if (r->n_carry || r->high)
        put_char(r, 0xfffd);
    r->n_carry = 0;
    return r->bytes.is_bad ? -ENOMEM : 0;
}

int csv_cut(struct csv_reader *r)
{
    r->is_cut = true;
    return csv_end(r);
}

/* ---- the separator */

/* count_line - candidates of one line outside quotes; returns the line's end. */
static const char *count_line(const char *p, const char *end, unsigned counts[3])
{
    bool in_quotes = false;
    counts[0] = counts[1] = counts[2] = 0;
    for (; p < end; p++) {
        if (*p == '"')
            in_quotes = !in_quotes;
        else if (*p == '\n' || *p == '\r')
            break;
        if (in_quotes)
            continue;
        counts[0] += *p == '\t';
        counts[1] += *p == ';';
        counts[2] += *p == ',';
    }
    return p;
}

/*
 * detect - count over the first DETECT_LINES lines that hold something.
 * @is_whole: a last line without line end counts too.
 * Return: the lines looked at.
 */
static unsigned detect(struct text t, char comment, bool is_whole, char *ret)
{
    static const char candidates[3] = {'\t', ';', ','};
    unsigned first[3] = {0}, agree[3] = {0}, lines = 0;
    const char *p = t.p, *end = t.p + t.n;
    while (p < end && lines < DETECT_LINES) {
        unsigned counts[3];
        const char *line = p;
        p = count_line(p, end, counts);
        if (p == end && !is_whole)
            break;
        struct text content = text_trim((struct text){line, (size_t)(p - line)});
        while (p < end && (*p == '\n' || *p == '\r'))
            p++;
        if (!content.n || (comment && *content.p == comment))
            continue;
        for (int i = 0; i < 3; i++) {
            if (!lines)
                first[i] = counts[i];
            agree[i] += first[i] && counts[i] == first[i];
        }
        lines++;
    }
    int best = -1;
    for (int i = 0; i < 3; i++)
        if (first[i] && (best < 0 || agree[i] > agree[best] || (agree[i] == agree[best] && first[i] > first[best])))
            best = i;
    *ret = best < 0 ? 0 : candidates[best];
    return lines;
}

char csv_detect_separator(struct text t, char comment)
{
    char found = 0;
    if (t.n)
        detect(t, comment, true, &found);
    return found;
}

/* know_separator - false while more lines are wanted before choosing; the choice does not depend on how they come. */
static bool know_separator(struct csv_reader *r)
{
    if (r->separator)
        return true;
    size_t n = r->bytes.n - r->at;
    bool is_all = r->is_ended || n >= DETECT_BYTES;
    if (!is_all && (!n || n < 2 * r->looked_at))
        return false;
    char found = 0;
    struct text t = {n ? (const char *)r->bytes.p + r->at : "", n < DETECT_BYTES ? n : DETECT_BYTES};
    if (detect(t, r->options.comment, is_all, &found) < DETECT_LINES && !is_all) {
        r->looked_at = n;
        return false;
    }
    r->looked_at = 0;
    csv_set_separator(r, found ? found : ',');
    return true;
}

/* ---- records out */

/* field_end - the first separator or line end from @p on, or @end. Sixteen bytes at a time where the processor can. */
#if defined(__SSE2__)
static const char *field_end(const struct csv_reader *r, const char *p, const char *end)
{
    const __m128i separator = _mm_set1_epi8(r->separator), lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, separator), _mm_or_si128(_mm_cmpeq_epi8(v, lf), _mm_cmpeq_epi8(v, cr)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask)
            return p + __builtin_ctz(mask);
    }
    while (p < end && !r->ends_field[(uint8_t)*p])
        p++;
    return p;
}
#else
static const char *field_end(const struct csv_reader *r, const char *p, const char *end)
{
    while (p < end && !r->ends_field[(uint8_t)*p])
        p++;
    return p;
}
#endif

/*
 * close_quote - the closing quote of the field whose content begins at @p; NULL if there is none.
 * @end: moved back to the first line end when the field may not hold one.
 */
static const char *close_quote(const char *p, const char **end, bool is_one_line)
{
    const char *line_end = is_one_line ? memchr(p, '\n', (size_t)(*end - p)) : NULL;
    if (line_end)
        *end = line_end;
    for (;;) {
        const char *q = memchr(p, '"', (size_t)(*end - p));
        if (!q || q + 1 == *end || q[1] != '"')
            return q;
        p = q + 2;
    }
}

/*
 * scan_record - find the fields of the record at @p, quotes still in place.
 * @ret_end: the line end that closes it (or the end of input).
 */
static enum scan scan_record(struct csv_reader *r, const char *p, const char *end, const char **ret_end, uint32_t *ret_n)
{
    bool may_quote = !r->options.is_unquoted, is_one_line = r->n_one_line > 0;
    bool too_many = false;
    uint32_t n = 0;
    for (;;) {
        const char *field = p;
        if (may_quote && p < end && *p == '"') {
            const char *stop = end, *q = close_quote(p + 1, &stop, is_one_line);
            if (!q)
                return r->is_ended || stop != end ? SCAN_UNCLOSED : SCAN_MORE;
            if (q + 1 == end && !r->is_ended)
                return SCAN_MORE; /* perhaps the first of two */
            p = q + 1;
        }
        p = field_end(r, p, end);
        if (p == end && !r->is_ended)
            return SCAN_MORE;
        if (n < CSV_MAX_FIELDS)
            r->fields[n++] = (struct text){field, (size_t)(p - field)};
        else
            too_many = true;
        if (p == end || *p != r->separator)
            break;
        p++;
    }
    if (p < end && *p == '\r' && p + 1 == end && !r->is_ended)
        return SCAN_MORE; /* perhaps CR LF */
    *ret_end = p;
    *ret_n = n;
    return too_many ? SCAN_TOO_MANY : SCAN_RECORD;
}

static size_t line_end_bytes(const char *p, const char *end)
{
    if (p == end)
        return 0;
    return *p == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
}

/* unquote - in place; returns how many line ends the content holds. */
static uint64_t unquote(char *base, struct text *t)
{
    char *from = base + (t->p - base), *end = from + t->n, *to = from;
    uint64_t lines = 0;
    from++;
    while (from < end) {
        char *q = memchr(from, '"', (size_t)(end - from));
        size_t n = (size_t)((q ? q : end) - from);
        for (size_t i = 0; i < n; i++)
            lines += from[i] == '\n';
        memmove(to, from, n);
        to += n;
        if (!q)
            break;
        if (q + 1 < end && q[1] == '"') {
            *to++ = '"';
            from = q + 2;
            continue;
        }
        n = (size_t)(end - q - 1); /* whatever follows the closing quote belongs to the field */
        memmove(to, q + 1, n);
        to += n;
        break;
    }
    t->n = (size_t)(to - t->p);
    return lines;
}

static void consume(struct csv_reader *r, size_t n)
{
    r->at += n;
    r->looked_at = 0;
    r->n_one_line = r->n_one_line > n ? r->n_one_line - n : 0;
}

/* skip_line - drop the rest of a line; Return: true when its end has been passed. */
static bool skip_line(struct csv_reader *r)
{
    if (r->at == r->bytes.n && !r->is_ended)
        return false;
    const char *base = r->bytes.p ? (const char *)r->bytes.p : "", *p = base + r->at, *end = base + r->bytes.n;
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    consume(r, (size_t)(p - base) - r->at);
    if (p == end && !r->is_ended)
        return false;
    size_t n = line_end_bytes(p, end);
    r->had_cr = n == 1 && *p == '\r' && p + 1 == end;
    consume(r, n);
    r->line++;
    r->is_skipping = false;
    return true;
}

static int refuse(struct csv_reader *r, enum csv_refusal reason, size_t n_raw, struct csv_record *ret)
{
    const char *p = (const char *)r->bytes.p + r->at;
    *ret = (struct csv_record){.row = ++r->row, .line = r->line + 1, .raw = {p, n_raw}, .refusal = reason};
    return CSV_REFUSED;
}

/* refuse_record - refuse all of a record whose end is known. */
static int refuse_record(struct csv_reader *r, enum csv_refusal reason, const char *record_end, struct csv_record *ret)
{
    const char *p = (const char *)r->bytes.p + r->at, *end = (const char *)r->bytes.p + r->bytes.n;
    size_t n = (size_t)(record_end - p);
    int rc = refuse(r, reason, n < 256 ? n : 256, ret);
    for (const char *q = p; q < record_end; q++)
        r->line += *q == '\n';
    r->line++;
    consume(r, n + line_end_bytes(record_end, end));
    return rc;
}

/* refuse_line - refuse only the first line of what is there. */
static int refuse_line(struct csv_reader *r, enum csv_refusal reason, struct csv_record *ret)
{
    const char *p = (const char *)r->bytes.p + r->at, *end = (const char *)r->bytes.p + r->bytes.n, *q = p;
    while (q < end && *q != '\n' && *q != '\r' && q - p < 256)
        q++;
    int rc = refuse(r, reason, (size_t)(q - p), ret);
    r->is_skipping = true;
    skip_line(r);
    return rc;
}

static int hand_out(struct csv_reader *r, const char *record_end, uint32_t n, struct csv_record *ret)
{
    char *base = (char *)r->bytes.p, *p = base + r->at, *end = base + r->bytes.n;
    size_t n_raw = (size_t)(record_end - p);
    *ret = (struct csv_record){.fields = r->fields, .n = n, .row = ++r->row, .line = r->line + 1, .raw = {p, n_raw}};
    r->line++;
    if (!r->options.is_unquoted && memchr(p, '"', n_raw))
        for (uint32_t i = 0; i < n; i++)
            if (r->fields[i].n && *r->fields[i].p == '"')
                r->line += unquote(base, &r->fields[i]);
    consume(r, n_raw + line_end_bytes(record_end, end));
    return 0;
}

static bool is_comment(const struct csv_reader *r, const char *p, const char *end)
{
    if (!r->options.comment)
        return false;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p < end && *p == r->options.comment;
}

static bool is_blank(const struct text *field)
{
    return !text_trim(*field).n;
}

/* incomplete - no whole record is there: wait, or give up on this line. */
static int incomplete(struct csv_reader *r, size_t n, struct csv_record *ret)
{
    if (n <= r->options.max_record_bytes) {
        r->looked_at = n;
        return CSV_MORE;
    }
    const char *p = (const char *)r->bytes.p + r->at;
    if (!memchr(p, '\n', n))
        return refuse_line(r, CSV_TOO_LONG, ret);
    r->n_one_line = n; /* a quote that swallows line after line */
    return refuse_line(r, CSV_UNCLOSED_QUOTE, ret);
}

int csv_next(struct csv_reader *r, struct csv_record *ret)
{
    if (!know_separator(r))
        return CSV_MORE;
    for (;;) {
        if (r->is_skipping && !skip_line(r))
            return CSV_MORE;
        size_t n = r->bytes.n - r->at;
        if (!n)
            return r->is_ended ? CSV_END : CSV_MORE;
        const char *p = (const char *)r->bytes.p + r->at, *end = p + n;
        if (r->had_cr && *p == '\n') {
            r->had_cr = false;
            consume(r, 1);
            continue;
        }
        r->had_cr = false;
        if (!r->is_ended && n < 2 * r->looked_at && n <= r->options.max_record_bytes)
            return CSV_MORE;
        if (is_comment(r, p, end)) {
            r->n_comments++;
            r->is_skipping = true;
            continue;
        }
        const char *record_end;
        uint32_t n_fields;
        switch (scan_record(r, p, end, &record_end, &n_fields)) {
        case SCAN_MORE:
            return incomplete(r, n, ret);
        case SCAN_UNCLOSED:
            if (!r->n_one_line)
                r->n_one_line = n;
            return refuse_line(r, CSV_UNCLOSED_QUOTE, ret);
        case SCAN_TOO_MANY:
            return refuse_record(r, CSV_TOO_MANY_FIELDS, record_end, ret);
        case SCAN_RECORD:
            break;
        }
        if ((size_t)(record_end - p) > r->options.max_record_bytes)
            return refuse_record(r, CSV_TOO_LONG, record_end, ret);
        if (n_fields == 1 && !r->options.keep_blank && is_blank(r->fields)) {
            r->n_blank++;
            r->line++;
            consume(r, (size_t)(record_end - p) + line_end_bytes(record_end, end));
            continue;
        }
        if (r->is_cut && record_end == end)
            return refuse_record(r, CSV_CUT, record_end, ret);
        return hand_out(r, record_end, n_fields, ret);
    }
}

void csv_put(struct buf *b, struct text field)
{
    bool must_quote = field.n && (*field.p == ' ' || field.p[field.n - 1] == ' ');
    for (size_t i = 0; i < field.n && !must_quote; i++)
        must_quote = field.p[i] == '"' || field.p[i] == ',' || field.p[i] == '\n' || field.p[i] == '\r';
    if (!must_quote) {
        buf_add(b, field.p, field.n);
        return;
    }
    buf_add_byte(b, '"');
    const char *p = field.p, *end = field.p + field.n;
    while (p < end) {
        const char *q = memchr(p, '"', (size_t)(end - p));
        size_t n = (size_t)((q ? q + 1 : end) - p);
        buf_add(b, p, n);
        if (q)
            buf_add_byte(b, '"');
        p += n;
    }
    buf_add_byte(b, '"');
}
