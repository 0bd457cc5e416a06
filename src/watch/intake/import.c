/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpack, look at the first bytes, choose the kind, feed it. The kinds of
 * packets and exports stand in import_capture.c and import_exports.c.
 */
#include "watch/intake/import.h"

#include "base/clock.h"
#include "format/flow_text.h"
#include "format/pcap.h"
#include "watch/intake/import_impl.h"
#include "watch/intake/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 18, SNIFF_BYTES = 4096 };

static const char *const format_names[IMPORT_N_FORMATS] = {
#define X(ID, name) name,
    IMPORT_FORMATS(X)
#undef X
};

const char *import_format_name(enum import_format format)
{
    return format < IMPORT_N_FORMATS ? format_names[format] : "";
}

int import_format_parse(const char *name, enum import_format *ret)
{
    for (int f = 0; f < IMPORT_N_FORMATS; f++)
        if (!strcmp(name, format_names[f])) {
            *ret = (enum import_format)f;
            return 0;
        }
    return 1;
}

uint64_t import_summary_refused(const struct import_summary *s)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->n_reasons; i++)
        n += s->refused[i].n;
    return n;
}

int import_new(const struct import_options *o, struct import **ret)
{
    struct import *i = calloc(1, sizeof(*i));
    if (!i)
        return -ENOMEM;
    i->options = *o;
    *ret = i;
    return 0;
}

void import_free(struct import *i)
{
    if (!i)
        return;
    netflow_free(i->netflow);
    free(i);
}

/* ---- the account */

void import_add(struct import_summary *s, const char *reason, uint64_t n)
{
    uint32_t k = 0;
    while (k < s->n_reasons && strcmp(s->refused[k].reason, reason) != 0)
        k++;
    if (k == IMPORT_REASONS_MAX)
        k--; /* never happens with the reasons there are; the sum still holds */
    else if (k == s->n_reasons)
        s->refused[s->n_reasons++].reason = reason;
    s->refused[k].n += n;
}

void import_count(struct import *i, const char *reason, uint64_t n, uint64_t row, uint64_t line, struct text value)
{
    if (!n)
        return;
    import_add(i->summary, reason, n);
    struct import_refused r = {.reason = reason, .row = row, .line = line, .n = n, .value = value};
    if (i->options.on_refused)
        i->options.on_refused(i->options.context, &r);
}

int import_sink(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct import *i = context;
    i->summary->n_flows += n;
    return i->options.sink(i->options.context, flows, n, o);
}

/* ---- text */

static void text_refused(void *context, const struct flow_text_refused *r)
{
    import_count(context, flow_text_refusal_name(r->reason), 1, r->row, r->line, r->value);
}

static int text_open(struct import *i)
{
    static const enum flow_text_kind wanted[IMPORT_N_FORMATS] = {
        [IMPORT_BINETFLOW] = FLOW_TEXT_KIND_BINETFLOW,
        [IMPORT_NFDUMP_CSV] = FLOW_TEXT_KIND_NFDUMP_CSV,
        [IMPORT_ZEEK] = FLOW_TEXT_KIND_ZEEK,
        [IMPORT_CSV] = FLOW_TEXT_KIND_CSV,
    };
    struct flow_text_options o = {.want = wanted[i->options.format],
                                  .zone_s = i->options.zone_s,
                                  .mapping = i->options.mapping,
                                  .n_mapping = i->options.n_mapping};
    i->text = flow_text_reader_new(&o, import_sink, text_refused, i);
    return i->text ? 0 : FAULT(i->fault, -ENOMEM, no_memory, i->name);
}

static int text_result(struct import *i, int rc)
{
    const struct flow_text_counts *n = flow_text_reader_counts(i->text);
    i->summary->read = n->read;
    i->summary->kept = n->kept;
    enum flow_text_kind kind = flow_text_reader_kind(i->text);
    i->summary->kind = kind == FLOW_TEXT_KIND_AUTO ? "" : flow_text_kind_name(kind);
    if (rc == FLOW_TEXT_NOT_TEXT)
        return FAULT(i->fault, IMPORT_REFUSED, import_binary, i->name);
    if (rc != FLOW_TEXT_UNKNOWN)
        return rc;
    char line[120];
    struct text header = flow_text_reader_header(i->text);
    text_escape(header.p, header.n, line, sizeof(line));
    if (i->options.format == IMPORT_AUTO)
        return FAULT(i->fault, IMPORT_REFUSED, import_unknown, i->name, line);
    if (i->options.format == IMPORT_CSV)
        return FAULT(i->fault, IMPORT_REFUSED, import_no_columns, i->name, line);
    return FAULT(i->fault, IMPORT_REFUSED, import_not_this, i->name, import_format_name(i->options.format), line);
}

static int text_feed(struct import *i, const uint8_t *p, size_t n)
{
    return text_result(i, flow_text_reader_feed(i->text, p, n));
}

static int text_end(struct import *i, bool is_cut)
{
    return text_result(i, flow_text_reader_end(i->text, is_cut));
}

static void text_close(struct import *i)
{
    flow_text_reader_free(i->text);
    i->text = NULL;
}

const struct import_kind import_kind_text = {"rows", text_open, text_feed, text_end, text_close};

/* ---- what is it */

struct magic {
    const char *name;
    size_t n;
    const char *bytes;
};

static bool begins_with(const uint8_t *p, size_t n, const struct magic *m)
{
    return n >= m->n && !memcmp(p, m->bytes, m->n);
}

/* exports_kind - version and lengths that only export traffic has. */
static const struct import_kind *exports_kind(const uint8_t *p, size_t n, bool is_whole)
{
    if (n < 20)
        return NULL;
    unsigned version = (unsigned)p[0] << 8 | p[1], count = (unsigned)p[2] << 8 | p[3], set = (unsigned)p[16] << 8 | p[17];
    if (!version && count == 5 && !p[4] && !p[5] && !p[6] && (p[7] == 1 || p[7] == 2))
        return &import_kind_datagram; /* sFlow v5: 32-bit version, family of the agent's address */
    if (version == 5 && count >= 1 && count <= 30 && is_whole && n == 24 + (size_t)count * 48)
        return &import_kind_datagram;
    if (version == 10 && count >= 20 && (set == 2 || set == 3 || set >= 256))
        return &import_kind_ipfix;
    if (version == 9 && n >= 24) {
        set = (unsigned)p[20] << 8 | p[21];
        unsigned n_set = (unsigned)p[22] << 8 | p[23];
        if ((set <= 1 || set >= 256) && n_set >= 4 && (!is_whole || n_set <= n - 20))
            return &import_kind_datagram;
    }
    return NULL;
}

/* is_dat - a .dat file holds one datagram, also where an IPFIX file would begin the same way: what follows is counted. */
static bool is_dat(const char *name)
{
    size_t n = strlen(name);
    return n >= 4 && !strcmp(name + n - 4, ".dat");
}

static int choose_exports(struct import *i, const uint8_t *p, size_t n)
{
    if (pcap_is_magic(p, n))
        i->kind = &import_kind_capture_of_exports;
    else if (n >= 4 && p[0] == 0 && p[1] == 10 && !is_dat(i->name))
        i->kind = &import_kind_ipfix;
    else if (n >= 4 && p[0] == 0 && (p[1] == 5 || p[1] == 9 || p[1] == 10 || !memcmp(p, "\0\0\0\5", 4)))
        i->kind = &import_kind_datagram;
    else
        return FAULT(i->fault, IMPORT_REFUSED, import_not_exports, i->name);
    return 0;
}

static int choose(struct import *i, const uint8_t *p, size_t n, bool is_whole)
{
    static const struct magic nfcapd[2] = {{"", 2, "\x0c\xa5"}, {"", 2, "\xa5\x0c"}};
    static const struct magic packed[] = {{"zip", 4, "PK\3\4"},        {"7z", 6, "7z\xbc\xaf\x27\x1c"},     {"rar", 4, "Rar!"},
                                          {"compress", 2, "\x1f\x9d"}, {"lz4", 4, "\x04\x22\x4d\x18"}};
    enum import_format format = i->options.format;
    if (!n)
        return FAULT(i->fault, IMPORT_REFUSED, import_empty, i->name);
    for (size_t k = 0; k < sizeof(packed) / sizeof(*packed); k++)
        if (begins_with(p, n, &packed[k]))
            return FAULT(i->fault, IMPORT_REFUSED, import_foreign_packing, i->name, packed[k].name);
    if (begins_with(p, n, &nfcapd[0]) || begins_with(p, n, &nfcapd[1]))
        return FAULT(i->fault, IMPORT_REFUSED, import_nfcapd, i->name, i->name);
    if (format == IMPORT_EXPORTS)
        return choose_exports(i, p, n);
    bool is_capture = pcap_is_magic(p, n);
    if (format == IMPORT_PCAP && !is_capture)
        return FAULT(i->fault, IMPORT_REFUSED, import_not_capture, i->name);
    const struct import_kind *exports = format == IMPORT_AUTO ? exports_kind(p, n, is_whole) : NULL;
    if (is_capture && (format == IMPORT_AUTO || format == IMPORT_PCAP))
        i->kind = &import_kind_packets;
    else
        i->kind = exports ? exports : &import_kind_text;
    return 0;
}

/* ---- one file */

static int unpack_fault(struct import *i, int rc)
{
    static const char *const names[] = {"", "gzip", "xz", "zstd"};
    const char *packing = i->summary->packing[0] ? i->summary->packing : names[0];
    switch (rc) {
    case UNPACK_CORRUPT:
        return FAULT(i->fault, IMPORT_REFUSED, import_corrupt, i->name, packing);
    case UNPACK_BOMB:
        return FAULT(i->fault, IMPORT_REFUSED, import_bomb, i->name, UNPACK_RATIO);
    case UNPACK_MEMORY:
        return FAULT(i->fault, IMPORT_REFUSED, import_dictionary, i->name, packing);
    default:
        return FAULT(i->fault, rc, import_unreadable, i->name, strerror(-rc));
    }
}

/* read_piece - fill @p as far as it goes. @ret_state: UNPACK_TRUNCATED at a torn end. Return: 0, or with the fault filled. */
static int read_piece(struct import *i, struct unpack *u, uint8_t *p, size_t room, size_t *ret_n, bool *ret_end)
{
    static const char *const names[] = {"", "gzip", "xz", "zstd"};
    *ret_n = 0;
    *ret_end = false;
    while (*ret_n < room && !*ret_end) {
        size_t n;
        int rc = unpack_read(u, p + *ret_n, room - *ret_n, &n);
        *ret_n += n;
        *ret_end = !n;
        i->summary->packing = names[unpack_kind(u)];
        i->summary->n_bytes_in = unpack_bytes_in(u);
        i->summary->n_bytes = unpack_bytes_out(u);
        if (rc == UNPACK_TRUNCATED)
            i->summary->is_truncated = *ret_end = true;
        else if (rc)
            return unpack_fault(i, rc);
        if (*ret_n >= SNIFF_BYTES)
            break; /* a pipe need not fill the piece */
    }
    return 0;
}

static int read_all(struct import *i, struct unpack *u, uint8_t *piece)
{
    size_t n;
    bool is_end;
    int rc = read_piece(i, u, piece, PIECE_BYTES, &n, &is_end);
    if (!rc)
        rc = choose(i, piece, n, is_end);
    if (!rc) {
        i->summary->unit = i->kind->unit;
        rc = i->kind->open(i);
    }
    if (rc)
        return rc;
    for (;;) {
        rc = n ? i->kind->feed(i, piece, n) : 0;
        if (i->options.on_progress)
            i->options.on_progress(i->options.context, i->summary->n_bytes_in, i->summary);
        if (rc || is_end)
            break;
        rc = read_piece(i, u, piece, PIECE_BYTES, &n, &is_end);
        if (rc)
            break;
    }
    if (!rc)
        rc = i->kind->end(i, i->summary->is_truncated);
    i->kind->close(i);
    return rc;
}

int import_file(struct import *i, int fd, const char *name, struct import_summary *ret, struct fault *f)
{
    struct unpack *u = NULL;
    uint8_t *piece = malloc(PIECE_BYTES);
    *ret = (struct import_summary){.kind = "", .unit = "", .packing = ""};
    f->code = 0;
    f->text[0] = '\0';
    i->name = name;
    i->summary = ret;
    i->fault = f;
    i->started_us = clock_now_us();
    int rc = !piece ? -ENOMEM : unpack_is_device(fd) ? FAULT(f, -ENODEV, import_device, name) : unpack_new(fd, &u);
    if (!rc)
        rc = read_all(i, u, piece);
    if (rc < 0 && !f->code)
        FAULT(f, rc, import_unreadable, name, strerror(-rc));
    unpack_free(u);
    free(piece);
    return rc;
}
