/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is a header block and chunks of 64 KiB; a chunk is a header and a chain of records, and everything a record
 * needs lies in its chunk. So a chunk is read alone, whatever happened to the others; within one the chain is
 * followed as long as it holds. What the headers count is compared, never believed: the service writes them late.
 */
#include "format/evtx.h"

#include "format/evtx_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 4096u /* candidates carved per chunk; records are at least 28 bytes, real ones some hundred */

enum state {
    STATE_IDLE,
    STATE_CHAIN, /* following the records */
    STATE_SLACK, /* searching the rest by magic */
};

static const char file_magic[8] = "ElfFile";
static const char chunk_magic[8] = "ElfChnk";
static const uint8_t record_magic[4] = {'*', '*', 0, 0};

/* ---- checksums (CRC-32 as in zip, eight bytes at a time) ---- */

static void crc_fill(struct evtx *e)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        e->crc_table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            e->crc_table[k][i] = e->crc_table[k - 1][i] >> 8 ^ e->crc_table[0][e->crc_table[k - 1][i] & 255];
}

/* crc - of @n more bytes; start with 0. */
static uint32_t crc(const struct evtx *e, uint32_t c, const uint8_t *p, size_t n)
{
    c = ~c;
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t low = c ^ load_le32(p), high = load_le32(p + 4);
        c = e->crc_table[7][low & 255] ^ e->crc_table[6][low >> 8 & 255] ^ e->crc_table[5][low >> 16 & 255] ^
            e->crc_table[4][low >> 24] ^ e->crc_table[3][high & 255] ^ e->crc_table[2][high >> 8 & 255] ^
            e->crc_table[1][high >> 16 & 255] ^ e->crc_table[0][high >> 24];
    }
    for (; n; p++, n--)
        c = c >> 8 ^ e->crc_table[0][(c ^ *p) & 255];
    return ~c;
}

static uint32_t crc_plain(const uint8_t *p, size_t n)
{
    uint32_t c = ~0u;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}

/* ---- the decoder ---- */

const char *evtx_reason_text(enum evtx_reason reason)
{
    static const char *const texts[EVTX_N_REASONS] = {
#define X(id, meaning) [id] = meaning,
        EVTX_REASONS(X)
#undef X
    };
    return reason < EVTX_N_REASONS ? texts[reason] : "";
}

static void programs_clear(struct evtx *e)
{
    e->n_ops = e->n_xml_ops = e->n_programs = e->n_names = e->n_xml = 0;
    memset(e->heads, 0xff, sizeof(e->heads));
}

int evtx_new(struct evtx **ret, const struct evtx_options *options)
{
    struct evtx *e = calloc(1, sizeof(*e));
    if (!e)
        return -ENOMEM;
    e->options = *options;
    e->fields_capacity = 256;
    e->ops = malloc(EVTX_OPS_MAX * sizeof(*e->ops));
    e->programs = malloc(EVTX_PROGRAMS_MAX * sizeof(*e->programs));
    e->names = malloc(EVTX_POOL_MAX);
    e->values = malloc(EVTX_VALUES_MAX * sizeof(*e->values));
    e->fields = malloc(e->fields_capacity * sizeof(*e->fields));
    e->text = malloc(2 * EVTX_TEXT_MAX);
    if (options->has_xml) {
        e->xml_ops = malloc(EVTX_OPS_MAX * sizeof(*e->xml_ops));
        e->xml = malloc(EVTX_POOL_MAX);
    }
    if (!e->ops || !e->programs || !e->names || !e->values || !e->fields || !e->text ||
        (options->has_xml && (!e->xml_ops || !e->xml))) {
        evtx_free(e);
        return -ENOMEM;
    }
    programs_clear(e);
    if (options->checks_sums)
        crc_fill(e);
    *ret = e;
    return 0;
}

void evtx_again(struct evtx *e, bool may_recover)
{
    evtx_known_fini(e);
    e->options.may_recover = may_recover;
    e->counters = (struct evtx_counters){0};
    e->refusal = (struct evtx_refusal){0};
    e->record.n_bytes = 0;
    e->file = e->chunk = NULL;
    e->n_file = e->next_chunk = 0;
    e->next_number = e->chunk_base = 0;
    e->state = STATE_IDLE;
    e->is_stream = false;
    programs_clear(e);
}

void evtx_free(struct evtx *e)
{
    if (!e)
        return;
    free(e->ops);
    free(e->xml_ops);
    free(e->programs);
    free(e->names);
    free(e->xml);
    free(e->values);
    free(e->fields);
    free(e->text);
    evtx_known_fini(e);
    free(e);
}

const struct evtx_refusal *evtx_refusal(const struct evtx *e)
{
    return &e->refusal;
}

const struct evtx_counters *evtx_counters(const struct evtx *e)
{
    return &e->counters;
}

static int refuse(struct evtx *e, enum evtx_reason reason, uint64_t offset, uint64_t record_id, uint32_t at)
{
    e->refusal = (struct evtx_refusal){.offset = offset,
                                       .chunk = e->chunk_number,
                                       .record_id = record_id,
                                       .at = at,
                                       .reason = (uint8_t)reason,
                                       .is_carved = e->state == STATE_SLACK};
    e->counters.n_refused[reason]++;
    return EVTX_REFUSED;
}

/* ---- the file ---- */

bool evtx_is_magic(const uint8_t *p, size_t n)
{
    return n >= 8 && !memcmp(p, file_magic, 8);
}

/*
 * magic (8), first chunk (8), last chunk (8), next record (8), size of this (4), minor (2), major (2), size of the
 * block (2), chunks (2), unused (76), flags (4): 1 dirty, 2 full; CRC-32 of the first 120 bytes (4)
 */
int evtx_header_read(const uint8_t *p, size_t n, struct evtx_header *ret)
{
    if (n < 128 || !evtx_is_magic(p, n))
        return EVTX_NOT_EVTX;
    uint32_t block = load_le16(p + 40), flags = load_le32(p + 120);
    *ret = (struct evtx_header){.first_chunk = load_le64(p + 8),
                                .last_chunk = load_le64(p + 16),
                                .next_record_id = load_le64(p + 24),
                                .header_bytes = block >= 128 ? block : EVTX_FILE_HEADER,
                                .minor = load_le16(p + 36),
                                .major = load_le16(p + 38),
                                .n_chunks = load_le16(p + 42),
                                .is_dirty = flags & 1,
                                .is_full = flags & 2,
                                .is_sum_right = crc_plain(p, 120) == load_le32(p + 124)};
    return 0;
}

/*
 * find_chunk - the next chunk from @from on, wherever it begins; @n: none. The magic alone may be text in some event:
 * the size of the header (at 40) and the free space offset (at 48) must be possible too, where they can be seen.
 */
static size_t find_chunk(const uint8_t *p, size_t n, size_t from)
{
    while (from < n) {
        const uint8_t *found = memmem(p + from, n - from, chunk_magic, 8);
        if (!found)
            return n;
        from = (size_t)(found - p);
        uint32_t end = n - from < 52 ? EVTX_CHUNK : load_le32(found + 48);
        if (n - from < 52 || (load_le32(found + 40) == 128 && end >= EVTX_CHUNK_HEADER && end <= EVTX_CHUNK))
            return from;
        from++;
    }
    return n;
}

int evtx_open(struct evtx *e, const uint8_t *p, size_t n)
{
    struct evtx_header header;
    e->state = STATE_IDLE;
    e->is_stream = false;
    evtx_known_fini(e);
    e->counters = (struct evtx_counters){0};
    e->record.n_bytes = 0;
    e->file = NULL;
    e->next_number = e->chunk_base = 0;
    if (!evtx_header_read(p, n, &header)) {
        e->next_chunk = header.header_bytes;
        /* the block's size is wrong rather than the place of the first chunk */
        if (n >= EVTX_FILE_HEADER + 8 && !memcmp(p + EVTX_FILE_HEADER, chunk_magic, 8))
            e->next_chunk = EVTX_FILE_HEADER;
    } else if (n >= 8 && !memcmp(p, chunk_magic, 8)) {
        e->next_chunk = 0;
    } else if (e->options.may_recover) {
        e->next_chunk = find_chunk(p, n, 0);
        if (e->next_chunk == n)
            return EVTX_NOT_EVTX;
    } else {
        return EVTX_NOT_EVTX;
    }
    e->file = p;
    e->n_file = n;
    return 0;
}

/* ---- a chunk ---- */

static bool is_zero(const uint8_t *p, size_t n)
{
    return n == 0 || (!*p && !memcmp(p, p + 1, n - 1));
}

/* check_sums - the header's over its first 120 bytes and the tables behind it, the records' over what it counts. */
static void check_sums(struct evtx *e)
{
    const uint8_t *p = e->chunk;
    uint32_t records = load_le32(p + 52), header = load_le32(p + 124);
    if (!records && !header) {
        e->counters.n_chunks_no_sum++;
        return;
    }
    if (crc(e, crc(e, 0, p, 120), p + 128, 384) != header ||
        crc(e, 0, p + EVTX_CHUNK_HEADER, e->end - EVTX_CHUNK_HEADER) != records)
        e->counters.n_chunks_bad_sum++;
}

/*
 * header: magic (8), first and last record number (8, 8), first and last record id (8, 8), size of this (4),
 * offset of the last record (4), free space offset (4), CRC-32 of the records (4), unused (64), flags (4), CRC-32 (4),
 * 64 offsets of names (256), 32 of templates (128)
 */
static int chunk_open(struct evtx *e)
{
    const uint8_t *p = e->chunk;
    programs_clear(e);
    e->state = STATE_IDLE;
    e->has_last_id = e->is_chunk_damaged = false;
    e->n_attempts = 0;
    e->work = 0;
    e->record.n_bytes = 0;
    e->at = EVTX_CHUNK_HEADER;
    if (is_zero(p, e->n_chunk)) {
        e->counters.n_chunks_empty++;
        return 0;
    }
    if (e->n_chunk < EVTX_CHUNK_HEADER)
        return refuse(e, EVTX_CHUNK_SHORT, e->chunk_offset, 0, e->n_chunk);
    if (memcmp(p, chunk_magic, 8)) {
        e->is_chunk_damaged = true;
        int s = refuse(e, EVTX_CHUNK_MAGIC, e->chunk_offset, 0, 0);
        e->state = e->options.may_recover ? STATE_SLACK : STATE_IDLE;
        return s;
    }
    e->counters.n_chunks++;
    e->state = STATE_CHAIN;
    e->end = load_le32(p + 48);
    if (e->end < EVTX_CHUNK_HEADER || e->end > e->n_chunk) {
        e->counters.n_chunks_bad_end++;
        e->end = e->n_chunk;
    }
    if (e->options.checks_sums)
        check_sums(e);
    return 0;
}

size_t evtx_chunk_length(const uint8_t *p, size_t n)
{
    n = n < EVTX_CHUNK ? n : EVTX_CHUNK;
    return n < 8 || !memcmp(p, chunk_magic, 8) ? n : find_chunk(p, n, 1);
}

void evtx_chunk(struct evtx *e, const uint8_t *p, size_t n, uint64_t offset, uint64_t number)
{
    evtx_known_forget(e);
    e->is_stream = true;
    e->file = p;
    e->n_file = n < EVTX_CHUNK ? n : EVTX_CHUNK;
    e->next_chunk = 0;
    e->next_number = number;
    e->chunk_base = offset;
    e->state = STATE_IDLE;
}

/* chunk_next - open the next chunk of the file. Return: 0, EVTX_REFUSED (it is open as far as it can be), EVTX_END. */
static int chunk_next(struct evtx *e)
{
    if (!e->file || e->next_chunk >= e->n_file)
        return EVTX_END;
    size_t left = e->n_file - e->next_chunk, n = left < EVTX_CHUNK ? left : EVTX_CHUNK;
    e->chunk = e->file + e->next_chunk;
    e->chunk_offset = e->chunk_base + e->next_chunk;
    e->chunk_number = e->next_number++;
    if (e->options.may_recover)
        n = evtx_chunk_length(e->chunk, n);
    e->n_chunk = (uint32_t)n;
    e->next_chunk += n;
    return chunk_open(e);
}

/* ---- records ---- */

static bool is_record(const struct evtx *e, uint32_t at)
{
    return e->n_chunk - at >= EVTX_RECORD_LEAST && !memcmp(e->chunk + at, record_magic, 4);
}

/* record_read - magic (4), size (4), record id (8), FILETIME when written (8), fragment, size again (4) */
static int record_read(struct evtx *e, uint32_t at, uint32_t size)
{
    const uint8_t *p = e->chunk + at;
    struct evtx_record *r = &e->record;
    *r = (struct evtx_record){.offset = e->chunk_offset + at,
                              .chunk = e->chunk_number,
                              .record_id = load_le64(p + 8),
                              .written_us = evtx_time_us(load_le64(p + 16)),
                              .is_carved = e->state == STATE_SLACK};
    if (e->n_ops > EVTX_OPS_MAX / 4 * 3 || e->n_names > EVTX_POOL_MAX / 4 * 3 || e->n_xml > EVTX_POOL_MAX / 4 * 3 ||
        e->n_xml_ops > EVTX_OPS_MAX / 4 * 3 || e->n_programs > EVTX_PROGRAMS_MAX / 4 * 3)
        programs_clear(e);
    e->n_fields = e->n_text = e->n_steps = e->n_values = e->n_unnamed = 0;
    e->has_event = false;
    e->failed_at = e->body_at = at + EVTX_RECORD_HEADER;
    e->body_end = at + size - 4;
    e->counters.n_candidates++;
    int s = e->work > EVTX_WORK_MAX ? EVTX_LIMIT : evtx_run(e, e->body_at, e->body_end, EVTX_NO_CONTEXT, 0);
    e->work += e->n_steps + e->n_fields + e->n_text / 16;
    r->fields = e->fields;
    r->n_fields = e->n_fields;
    if (s < 0)
        return s;
    if (!s && !e->has_event)
        s = EVTX_RECORD_EMPTY;
    if (!s && r->is_carved && !r->system_at[EVTX_EVENT_ID]) /* bytes that happen to parse are not an event */
        s = EVTX_RECORD_EMPTY;
    /* Up to the place where it breaks: if that tells which event it was; of carved ones the whole of <System>. */
    if (s && !r->system_at[r->is_carved ? EVTX_COMPUTER : EVTX_EVENT_ID]) {
        r->n_bytes = 0;
        return refuse(e, (enum evtx_reason)s, r->offset, r->record_id, e->failed_at);
    }
    if (!s && load_le32(p + size - 4) != size)
        s = EVTX_RECORD_TORN;
    r->damage = (uint8_t)s;
    r->n_bytes = size;
    e->counters.n_damaged += s != 0;
    e->counters.n_records++;
    e->counters.n_carved += r->is_carved;
    return 0;
}

/* chain_end - the chain has ended or is broken; the rest is slack. */
static void chain_end(struct evtx *e)
{
    e->state = e->options.may_recover ? STATE_SLACK : STATE_IDLE;
}

/* chain_next - Return: 0, EVTX_REFUSED, EVTX_END (go on with the slack). */
static int chain_next(struct evtx *e)
{
    uint32_t at = e->at;
    bool is_beyond = at >= e->end;
    if (!is_record(e, at)) {
        chain_end(e);
        /* of a chunk that was cut or whose end is unknown, the last record is followed by nothing */
        if (is_beyond || (e->end == e->n_chunk && is_zero(e->chunk + at, e->n_chunk - at)))
            return EVTX_END;
        return refuse(e, EVTX_CHUNK_CHAIN, e->chunk_offset + at, 0, at);
    }
    uint32_t size = load_le32(e->chunk + at + 4);
    uint64_t id = load_le64(e->chunk + at + 8);
    if (is_beyond && (!e->has_last_id || id != e->last_id + 1)) { /* what was here before */
        chain_end(e);
        return EVTX_END;
    }
    if (size < EVTX_RECORD_LEAST || size > e->n_chunk - at) {
        chain_end(e);
        e->counters.n_candidates += !is_beyond;
        return is_beyond ? EVTX_END : refuse(e, EVTX_RECORD_SIZE, e->chunk_offset + at, id, at + 4);
    }
    e->at += size;
    e->last_id = id;
    e->has_last_id = true;
    int s = record_read(e, at, size);
    e->counters.n_beyond_end += !s && is_beyond;
    return s;
}

/* slack_next - the next candidate: magic, a size that fits and its second copy. */
static int slack_next(struct evtx *e)
{
    while (e->n_chunk - e->at >= EVTX_RECORD_LEAST && e->n_attempts < ATTEMPTS_MAX) {
        const uint8_t *found = memmem(e->chunk + e->at, e->n_chunk - e->at, record_magic, 4);
        if (!found)
            break;
        uint32_t at = (uint32_t)(found - e->chunk), left = e->n_chunk - at;
        e->at = at + 1;
        if (left < EVTX_RECORD_LEAST)
            break;
        uint32_t size = load_le32(found + 4);
        if (size < EVTX_RECORD_LEAST || size > left || load_le32(found + size - 4) != size)
            continue;
        e->n_attempts++;
        int s = record_read(e, at, size);
        if (!s)
            e->at = at + size;
        return s;
    }
    e->state = STATE_IDLE;
    return EVTX_END;
}

int evtx_next(struct evtx *e, const struct evtx_record **ret)
{
    for (;;) {
        int s = EVTX_END;
        if (e->state == STATE_CHAIN)
            s = chain_next(e);
        else if (e->state == STATE_SLACK)
            s = slack_next(e);
        else if ((s = chunk_next(e)) == EVTX_END)
            break;
        else if (!s)
            continue;
        if (s == EVTX_END)
            continue;
        if (!s)
            *ret = &e->record;
        return s;
    }
    evtx_known_keep(e);
    return EVTX_END;
}
