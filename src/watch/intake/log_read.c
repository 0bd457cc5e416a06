/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window slides over the unpacked content; the kind of the file decides what a record is. Everything that is kept or
 * refused passes log_kept or log_refused, so the account balances by construction.
 */
#include "watch/intake/log_read.h"

#include "base/clock.h"
#include "format/evtx.h"
#include "watch/intake/log_read_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 18, LOOK = 1 << 16, KEPT_BYTES = 1 << 20 };
/* a record at its limit and a piece behind it; UTF-16 may grow by half */
#define WINDOW_MAX (EVENT_ORIGINAL_MAX + 4u * PIECE)

static const char *const format_names[LOG_N_FORMATS] = {
#define X(ID, name) [LOG_##ID] = name,
    LOG_FORMATS(X)
#undef X
};

const char *log_format_name(enum log_format format)
{
    return format_names[format];
}

int log_format_parse(const char *name, enum log_format *ret)
{
    for (int i = 0; i < LOG_N_FORMATS; i++)
        if (!strcmp(name, format_names[i])) {
            *ret = (enum log_format)i;
            return 0;
        }
    return 1;
}

uint64_t log_account_refused(const struct log_account *a)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < a->n_reasons; i++)
        n += a->refused[i].n;
    return n;
}

/* --- the window ----------------------------------------------------------------------------------------- */

/* add_utf16 - UTF-16 bytes as UTF-8; an unpaired surrogate becomes U+FFFD. */
static void add_utf16(struct log_reading *r, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char out[8];
        size_t n_out = 0;
        if (!r->n_odd) {
            /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): @n bytes of @p were read */
            r->odd = p[i];
            r->n_odd = 1;
            continue;
        }
        r->n_odd = 0;
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): as above */
        uint16_t unit = (uint16_t)(r->utf16 == 1 ? r->odd | p[i] << 8 : r->odd << 8 | p[i]);
        bool is_low = unit >= 0xdc00 && unit <= 0xdfff, is_high = unit >= 0xd800 && unit <= 0xdbff;
        if (r->high && is_low) {
            n_out = text_put(0x10000 + ((uint32_t)(r->high - 0xd800) << 10) + (uint32_t)(unit - 0xdc00), out);
            r->high = 0;
        } else {
            if (r->high)
                n_out = text_put(0xfffd, out);
            r->high = is_high ? unit : 0;
            if (!is_high)
                n_out += text_put(is_low ? 0xfffd : unit, out + n_out);
        }
        buf_add(&r->bytes, out, n_out);
    }
}

static int read_piece(struct log_reading *r)
{
    size_t n;
    uint8_t narrow[PIECE / 4] __attribute__((uninitialized)); /* of UTF-16 only */
    uint8_t *to = r->utf16 ? narrow : buf_room(&r->bytes, PIECE);
    if (!to)
        return -ENOMEM;
    int rc = unpack_read(r->unpack, to, r->utf16 ? sizeof narrow : PIECE, &n);
    if (rc < 0)
        return rc;
    if (r->utf16)
        add_utf16(r, narrow, n);
    else
        r->bytes.n += n;
    if (rc || !n) {
        r->has_ended = true;
        r->condition = rc;
        r->account->is_truncated = rc == UNPACK_TRUNCATED;
        r->account->is_over_limit = rc == UNPACK_BOMB;
    }
    return r->bytes.is_bad ? -ENOMEM : 0;
}

int log_fill(struct log_reading *r)
{
    if (r->at) {
        memmove(r->bytes.p, r->bytes.p + r->at, r->bytes.n - r->at);
        r->bytes.n -= r->at;
        r->offset += r->at;
        r->at = 0;
    }
    return r->has_ended ? 0 : read_piece(r);
}

void log_take(struct log_reading *r, size_t n)
{
    const char *p = (const char *)r->bytes.p + r->at, *end = p + n;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        r->line++;
        p++;
    }
    r->at += n;
}

/* --- the account ---------------------------------------------------------------------------------------- */

static int give_batch(struct log_reading *r)
{
    int rc = r->events->n ? r->sink(r->context, r->events) : 0;
    events_clear(r->events);
    return rc;
}

int log_kept(struct log_reading *r)
{
    const struct events *e = r->events;
    r->account->read++;
    r->account->kept++;
    r->account->n_plain += !event_get(e, e->n - 1, EV_EVENT_DECODER);
    return events_full(e) ? give_batch(r) : 0;
}

void log_refused(struct log_reading *r, const char *reason, size_t ahead, size_t at, uint64_t line, struct text value)
{
    struct log_account *a = r->account;
    uint32_t i = 0;
    a->read++;
    while (i < a->n_reasons && strcmp(a->refused[i].reason, reason))
        i++;
    if (i == a->n_reasons && i < LOG_REASONS_MAX)
        a->refused[a->n_reasons++].reason = reason;
    a->refused[i < LOG_REASONS_MAX ? i : LOG_REASONS_MAX - 1].n++;
    if (!r->refuse)
        return;
    struct log_refused refused = {.offset = r->offset + r->at + ahead + at, .line = line, .reason = reason, .value = value};
    if (value.n > 256)
        refused.value.n = 256;
    r->refuse(r->context, &refused);
}

int log_record(struct log_reading *r, enum event_record_kind kind, struct text t, uint64_t line)
{
    enum event_refusal reason;
    size_t at;
    size_t ahead = (size_t)(t.p - ((const char *)r->bytes.p + r->at));
    r->source.offset = r->offset + r->at + ahead;
    int rc = event_record(r->decoder, kind, t, &r->source, r->events, &reason, &at);
    if (rc == EVENT_RECORD_NONE)
        return 0;
    if (rc == EVENT_RECORD_REFUSED) {
        log_refused(r, event_refusal_name(reason), ahead, at, line, t);
        return 0;
    }
    return rc ? rc : log_kept(r);
}

/* --- lines ---------------------------------------------------------------------------------------------- */

/* take_line - one line of the window. Return: 0 (there is none: fill), 1 (@ret without its end; r->at stands behind it). */
static int next_line(struct log_reading *r, struct text *ret, size_t *ret_used)
{
    struct text rest = log_rest(r);
    const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
    if (!end && !(r->has_ended && rest.n))
        return 0;
    size_t n = end ? (size_t)(end - rest.p) : rest.n;
    *ret_used = n + (end != NULL);
    if (n && rest.p[n - 1] == '\r')
        n--;
    *ret = (struct text){rest.p, n};
    return 1;
}

/* too_long - the window is full and holds no line end. */
static void too_long(struct log_reading *r)
{
    struct text rest = log_rest(r);
    if (!r->is_skipping)
        log_refused(r, event_refusal_name(EVENT_REFUSED_TOO_LONG), 0, 0, r->line, rest);
    r->is_skipping = true;
    r->at += rest.n;
}

/* each_line - calls @one for every line. */
static int each_line(struct log_reading *r, int (*one)(struct log_reading *, struct text, const void *), const void *context)
{
    struct text line;
    size_t used;
    for (;;) {
        while (next_line(r, &line, &used)) {
            bool is_cut = r->has_ended && r->condition && r->at + used == r->bytes.n && used == line.n;
            int rc = 0;
            if (is_cut && line.n && !r->is_skipping)
                log_refused(r, "row_cut", 0, 0, r->line, line);
            else if (!r->is_skipping)
                rc = one(r, line, context);
            if (rc < 0)
                return rc;
            r->is_skipping = false;
            r->at += used;
            r->line++;
        }
        if (r->has_ended)
            return 0;
        if (r->bytes.n - r->at > EVENT_ORIGINAL_MAX)
            too_long(r);
        int rc = log_fill(r);
        if (rc)
            return rc;
    }
}

static int one_record(struct log_reading *r, struct text line, const void *context)
{
    enum event_record_kind kind = *(const enum event_record_kind *)context;
    return log_record(r, kind, line, r->line);
}

int log_read_lines(struct log_reading *r, enum event_record_kind kind)
{
    return each_line(r, one_record, &kind);
}

static int one_row(struct log_reading *r, struct text line, const void *context)
{
    (void)context;
    r->source.offset = r->offset + r->at;
    int rc = event_zeek_line(r->zeek, line, &r->source, r->events);
    if (!rc)
        return log_kept(r);
    if (rc < 0 || rc == EVENT_ZEEK_DIRECTIVE)
        return rc < 0 ? rc : 0;
    const char *reason = rc == EVENT_ZEEK_NO_HEADER ? "no_header" : rc == EVENT_ZEEK_COLUMNS ? "column_count" : "record_too_long";
    log_refused(r, reason, 0, 0, r->line, line);
    return 0;
}

int log_read_zeek(struct log_reading *r)
{
    r->zeek = event_zeek_new(r->names);
    return !r->zeek ? -ENOMEM : each_line(r, one_row, NULL);
}

/* --- what kind of file ------------------------------------------------------------------------------------ */

static bool begins(struct text t, const char *lead)
{
    size_t n = strlen(lead);
    return t.n >= n && !memcmp(t.p, lead, n);
}

/* skip_mark - a byte order mark; UTF-16 is turned into UTF-8 from here on. Return: 0 or -ENOMEM. */
static int skip_mark(struct log_reading *r)
{
    struct text t = log_rest(r);
    if (begins(t, "\xef\xbb\xbf")) {
        r->at += 3;
        return 0;
    }
    bool is_little = begins(t, "\xff\xfe"), is_big = begins(t, "\xfe\xff");
    if (!is_little && !is_big)
        return 0;
    struct buf raw = r->bytes;
    r->bytes = (struct buf){.max = WINDOW_MAX};
    r->utf16 = is_little ? 1 : 2;
    add_utf16(r, raw.p + 2, raw.n - 2);
    buf_fini(&raw);
    return r->bytes.is_bad ? -ENOMEM : 0;
}

static enum log_format detect(const struct log_reading *r)
{
    struct text t = log_rest(r), first = t;
    while (first.n && (first.p[0] == ' ' || first.p[0] == '\t' || first.p[0] == '\n' || first.p[0] == '\r'))
        first = (struct text){first.p + 1, first.n - 1};
    if (begins(t, "ElfFile"))
        return LOG_EVTX;
    if (begins(t, "#separator") || begins(t, "#fields\t") || begins(t, "#path\t"))
        return LOG_ZEEK;
    if (begins(t, "#Software:") || begins(t, "#Version:") || begins(t, "#Fields:"))
        return LOG_W3C;
    if (begins(first, "<?xml") || begins(first, "<Event"))
        return LOG_WINXML;
    if (begins(first, "{"))
        return LOG_JSON;
    if (!begins(first, "["))
        return LOG_TEXT;
    struct text inside = text_trim((struct text){first.p + 1, first.n - 1});
    return begins(inside, "{") || begins(inside, "]") ? LOG_JSON : LOG_TEXT;
}

static int read_kind(struct log_reading *r, enum log_format format)
{
    bool is_auto = r->o->format == LOG_AUTO;
    switch (format) {
    case LOG_EVTX: r->account->kind = "evtx"; return log_read_evtx(r);
    case LOG_WINXML: r->account->kind = "winxml"; return log_read_xml(r);
    case LOG_ZEEK:
        if (begins(log_rest(r), "#")) {
            r->account->kind = "zeek";
            return log_read_zeek(r);
        }
        r->account->kind = "json";
        return log_read_lines(r, EVENT_RECORD_JSON);
    case LOG_JSON:
    case LOG_EVE:
        r->account->kind = "json";
        if (log_is_documents(r))
            return log_read_documents(r);
        return log_read_lines(r, is_auto ? EVENT_RECORD_ANY : EVENT_RECORD_JSON);
    case LOG_TEXT:
    case LOG_SYSLOG:
    case LOG_ACCESS:
    case LOG_CEF:
    case LOG_LEEF:
    case LOG_W3C:
    case LOG_AUTO:
    case LOG_N_FORMATS: break;
    }
    r->account->kind = format == LOG_W3C ? "w3c" : "lines";
    return log_read_lines(r, is_auto || format == LOG_SYSLOG ? EVENT_RECORD_ANY : EVENT_RECORD_LINE);
}

/* --- one file ------------------------------------------------------------------------------------------- */

static const char *packing_name(enum unpack_kind kind)
{
    switch (kind) {
    case UNPACK_GZIP: return "gzip";
    case UNPACK_XZ: return "xz";
    case UNPACK_ZSTD: return "zstd";
    case UNPACK_BZIP2: return "bzip2";
    case UNPACK_PLAIN: break;
    }
    return "";
}

static int open_reading(struct log_reading *r, int fd, const struct line_decoders *decoders)
{
    struct stat st;
    const struct log_options *o = r->o;
    r->source = (struct event_source){.arrived_us = o->arrived_us ? o->arrived_us : clock_now_us(), .zone_s = o->zone_s, .year = o->year,
                                      .has_offset = o->has_offset, .address = o->address, .sender = o->sender};
    if (o->path)
        r->source.path = (struct text){o->path, strlen(o->path)};
    if (!fstat(fd, &st) && S_ISREG(st.st_mode))
        r->source.known_us = st.st_mtim.tv_sec * US_PER_SECOND;
    struct log_memory *m = r->memory;
    if (!m->events)
        m->events = events_new(r->names);
    if (!m->decoder)
        m->decoder = event_decoder_new(r->names, decoders);
    if (!m->events || !m->decoder)
        return -ENOMEM;
    events_clear(m->events);
    event_decoder_source(m->decoder);
    r->events = m->events;
    r->decoder = m->decoder;
    r->bytes = m->bytes;
    buf_clear(&r->bytes);
    r->bytes.max = WINDOW_MAX;
    m->bytes = (struct buf){0};
    int rc = m->unpack ? unpack_again(m->unpack, fd) : unpack_new(fd, &m->unpack);
    r->unpack = m->unpack;
    if (!rc && o->max_bytes)
        unpack_limit(r->unpack, o->max_bytes);
    return rc;
}

/* foreign_packing - of archives that we do not undo, by their magic. NULL: none of them. */
static const char *foreign_packing(struct text t)
{
    static const struct {
        const char *name, *magic;
    } table[] = {{"zip", "PK\3\4"}, {"7z", "7z\xbc\xaf\x27\x1c"}, {"rar", "Rar!"}, {"lz4", "\x04\x22\x4d\x18"},
                 {"compress", "\x1f\x9d"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (begins(t, table[i].magic))
            return table[i].name;
    return NULL;
}

/* is_binary - a twentieth of the first bytes are control characters: of evenly spread bytes it would be a ninth, of text in any of the
 * country's encodings next to none; some zeros in a log are left by a crash of its writer. */
static bool is_binary(struct text t)
{
    size_t n = t.n < 4096 ? t.n : 4096, n_control = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        n_control += c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != 0x1b;
    }
    return n_control * 20 > n;
}

static int read_all(struct log_reading *r)
{
    int rc = 0;
    while (!rc && !r->has_ended && r->bytes.n < LOOK)
        rc = read_piece(r);
    r->account->packing = packing_name(unpack_kind(r->unpack));
    if (!rc)
        rc = skip_mark(r);
    if (rc || r->at == r->bytes.n)
        return rc;
    enum log_format format = r->o->format == LOG_AUTO ? detect(r) : r->o->format;
    r->foreign = foreign_packing(log_rest(r));
    r->is_binary = format != LOG_EVTX && is_binary(log_rest(r));
    if (r->foreign || r->is_binary)
        return 0;
    rc = read_kind(r, format);
    return rc ? rc : give_batch(r);
}

static void close_reading(struct log_reading *r)
{
    if (r->unpack) {
        r->account->n_bytes_in = unpack_bytes_in(r->unpack);
        r->account->n_bytes = unpack_bytes_out(r->unpack);
    }
    event_zeek_free(r->zeek);
    r->memory->bytes = r->bytes;
    if (r->bytes.capacity > KEPT_BYTES)
        buf_fini(&r->memory->bytes);
}

static void memory_fini(struct log_memory *m)
{
    unpack_free(m->unpack);
    event_decoder_free(m->decoder);
    evtx_free(m->evtx);
    events_free(m->events);
    buf_fini(&m->bytes);
    buf_fini(&m->xml);
}

struct log_memory *log_memory_new(void)
{
    return calloc(1, sizeof(struct log_memory));
}

void log_memory_free(struct log_memory *m)
{
    if (m)
        memory_fini(m);
    free(m);
}

int log_read(int fd, const struct log_options *o, struct event_names *names, const struct line_decoders *decoders,
             log_sink sink, log_refuse refuse, void *context, struct log_account *ret, struct fault *f)
{
    struct log_memory own = {0};
    struct log_reading r = {.memory = o->memory ? o->memory : &own, .o = o, .names = names, .sink = sink, .refuse = refuse,
                            .context = context, .account = ret, .line = 1};
    *ret = (struct log_account){.kind = "", .packing = ""};
    int rc = open_reading(&r, fd, decoders);
    if (!rc)
        rc = read_all(&r);
    close_reading(&r);
    memory_fini(&own);
    if (rc == -ENOMEM)
        return FAULT(f, rc, no_memory, "reading logs");
    if (rc < 0)
        return FAULT(f, rc, log_cannot_read, o->path ? o->path : "-", strerror(-rc));
    if (r.foreign)
        return FAULT(f, LOG_REFUSED, import_foreign_packing, o->path ? o->path : "-", r.foreign);
    if (r.is_binary)
        return FAULT(f, LOG_REFUSED, log_binary, o->path ? o->path : "-");
    if (r.is_wrong)
        return FAULT(f, LOG_REFUSED, log_wrong_format, o->path ? o->path : "-", log_format_name(o->format));
    if (r.condition == UNPACK_CORRUPT)
        return FAULT(f, LOG_REFUSED, log_damaged, o->path ? o->path : "-", ret->packing, (unsigned long long)ret->kept);
    if (r.condition == UNPACK_BOMB || r.condition == UNPACK_MEMORY)
        return FAULT(f, LOG_REFUSED, log_bomb, o->path ? o->path : "-", ret->packing, (unsigned long long)ret->kept);
    return 0;
}
