/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows are packed into a block as soon as there are enough; whole blocks' worth of a large batch without a second copy.
 * While a block is packed its words and addresses go to the index.
 */
#include "watch/store/log_segment_inside.h"

#include "base/file.h"
#include "watch/store/block_list.h"
#include "watch/store/checksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ZSTD_LEVEL = 1 }; /* of templates and columns: higher levels cost more and win nothing */

/* an address in a block */
struct pair {
    struct ip ip;
    uint32_t block;
};

struct log_builder {
    struct event_names *names;
    uint32_t max_rows, n_rows;
    struct events *pending;
    size_t pending_bytes;
    uint64_t text_bytes;
    struct log_scratch *scratch;
    struct terms_builder *terms;
    struct log_rows *digest;
    uint64_t flags;
    struct buf packed, blocks; /* blocks: struct log_block_entry */
    struct pair *pairs;
    size_t n_pairs, pairs_capacity;
    uint64_t fields[EVENT_NAMES_MAX / 64]; /* that occur */
    int64_t event_min_us, event_max_us, arrived_min_us, arrived_max_us;
};

struct log_builder *log_builder_new(struct event_names *names, uint32_t max_rows)
{
    struct log_builder *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->names = names;
    b->max_rows = max_rows;
    b->packed.max = (size_t)2 << 30;
    b->blocks.max = (TERMS_BLOCKS_MAX + 1) * sizeof(struct log_block_entry);
    b->pending = events_new(names);
    b->scratch = log_scratch_new();
    b->terms = terms_builder_new();
    b->digest = log_rows_new();
    b->event_min_us = b->arrived_min_us = INT64_MAX;
    b->event_max_us = b->arrived_max_us = INT64_MIN;
    if (b->pending && b->scratch && b->terms && b->digest)
        return b;
    log_builder_free(b);
    return NULL;
}

void log_builder_free(struct log_builder *b)
{
    if (!b)
        return;
    events_free(b->pending);
    log_scratch_free(b->scratch);
    terms_builder_free(b->terms);
    log_rows_free(b->digest);
    buf_fini(&b->packed);
    buf_fini(&b->blocks);
    free(b->pairs);
    free(b);
}

void log_builder_imported(struct log_builder *b)
{
    b->flags |= LOG_SEGMENT_IMPORTED;
}

uint32_t log_builder_rows(const struct log_builder *b)
{
    return b->n_rows + b->pending->n;
}

static uint32_t n_blocks(const struct log_builder *b)
{
    return (uint32_t)(b->blocks.n / sizeof(struct log_block_entry));
}

/* --- the index of a block ------------------------------------------------------------------------------------ */

/* is_joined - fields whose whole values lists of domains, hashes, users and the like are joined with. */
static bool is_joined(uint16_t field)
{
    switch (field) {
    case EV_USER_NAME: case EV_USER_EMAIL: case EV_USER_TARGET_NAME: case EV_SOURCE_USER_NAME: case EV_DESTINATION_USER_NAME:
    case EV_HOST_NAME: case EV_HOST_HOSTNAME: case EV_SOURCE_DOMAIN: case EV_DESTINATION_DOMAIN: case EV_CLIENT_DOMAIN:
    case EV_SERVER_DOMAIN: case EV_SOURCE_MAC: case EV_CLIENT_MAC: case EV_DNS_QUESTION_NAME: case EV_DNS_ANSWERS_DATA:
    case EV_URL_DOMAIN: case EV_URL_FULL: case EV_URL_ORIGINAL: case EV_TLS_SERVER_NAME: case EV_TLS_JA3: case EV_TLS_JA4:
    case EV_TLS_FINGERPRINT: case EV_PROCESS_HASH_MD5: case EV_PROCESS_HASH_SHA1: case EV_PROCESS_HASH_SHA256:
    case EV_FILE_HASH_MD5: case EV_FILE_HASH_SHA1: case EV_FILE_HASH_SHA256: case EV_FILE_PE_IMPHASH:
    case EV_PROCESS_PE_IMPHASH: case EV_RELATED_HASH: case EV_RELATED_HOSTS: case EV_RELATED_USER: case EV_EMAIL_FROM:
    case EV_EMAIL_TO: return true;
    default: return false;
    }
}

static int add_pair(struct log_builder *b, const struct ip *ip, uint32_t block)
{
    if (b->n_pairs && b->pairs[b->n_pairs - 1].block == block && ip_equal(&b->pairs[b->n_pairs - 1].ip, ip))
        return 0;
    if (b->n_pairs == b->pairs_capacity) {
        size_t wanted = b->pairs_capacity ? 2 * b->pairs_capacity : 4096;
        struct pair *more = realloc(b->pairs, wanted * sizeof(*more));
        if (!more)
            return -ENOMEM;
        b->pairs = more;
        b->pairs_capacity = wanted;
    }
    b->pairs[b->n_pairs++] = (struct pair){*ip, block};
    return 0;
}

/* goes_on - whether a word or an address may go on over this byte: then what ends there is no whole word of the original. */
static bool goes_on(uint8_t c)
{
    return c >= 0x80 || c == '.' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* stands_in_original - the words of the original are those of the value too. */
static bool stands_in_original(const struct events *e, uint32_t row, const struct event_value *v)
{
    uint64_t begin = e->original[row], end = begin + e->original_n[row];
    return v->at >= begin && v->at + v->n <= end && (v->at == begin || !goes_on(e->heap.p[v->at - 1])) &&
           (v->at + v->n == end || !goes_on(e->heap.p[v->at + v->n]));
}

/* index_texts - a value that stands in the original has its words there already. */
static int index_texts(struct log_builder *b, const struct events *e, uint32_t from, const struct log_block_column *c, uint32_t block)
{
    bool has_join = is_joined(c->field);
    int r = 0;
    for (uint32_t i = 0; !r && i < c->n; i++) {
        const struct event_value *v = &e->values[c->values[i]];
        if (!c->rows || !stands_in_original(e, from + c->rows[i], v))
            r = terms_add_text(b->terms, event_text(e, v), block);
        if (!r && has_join)
            r = terms_add_value(b->terms, event_text(e, v), block);
    }
    return r;
}

static int index_columns(struct log_builder *b, const struct events *e, uint32_t from, uint32_t block)
{
    struct log_block_column c;
    int r = 0;
    for (size_t k = 0; !r && log_block_column(b->scratch, k, &c); k++) {
        if (c.field < EVENT_NAMES_MAX)
            b->fields[c.field / 64] |= UINT64_C(1) << c.field % 64;
        for (uint32_t i = 0; !r && c.type == EVENT_IP && i < c.n; i++) {
            struct ip ip = event_ip(e, &e->values[c.values[i]]);
            r = add_pair(b, &ip, block);
        }
        if (c.type == EVENT_KEYWORD)
            r = index_texts(b, e, from, &c, block);
    }
    return r;
}

/* index_rows - what the scratch has packed last. */
static int index_rows(struct log_builder *b, const struct events *e, uint32_t from, uint32_t n, struct log_block_entry *entry)
{
    uint32_t block = n_blocks(b);
    int r = log_block_words(b->scratch, e, from, n, b->terms, block);
    if (!r)
        r = index_columns(b, e, from, block);
    for (uint32_t row = from; row < from + n; row++) {
        int64_t t = e->time_us[row], a = e->arrived_us[row];
        entry->event_min_us = t < entry->event_min_us ? t : entry->event_min_us;
        entry->event_max_us = t > entry->event_max_us ? t : entry->event_max_us;
        entry->arrived_min_us = a < entry->arrived_min_us ? a : entry->arrived_min_us;
        entry->arrived_max_us = a > entry->arrived_max_us ? a : entry->arrived_max_us;
        b->text_bytes += e->original_n[row];
    }
    return r;
}

static void widen(struct log_builder *b, const struct log_block_entry *x)
{
    b->event_min_us = x->event_min_us < b->event_min_us ? x->event_min_us : b->event_min_us;
    b->event_max_us = x->event_max_us > b->event_max_us ? x->event_max_us : b->event_max_us;
    b->arrived_min_us = x->arrived_min_us < b->arrived_min_us ? x->arrived_min_us : b->arrived_min_us;
    b->arrived_max_us = x->arrived_max_us > b->arrived_max_us ? x->arrived_max_us : b->arrived_max_us;
}

/* close_block - rows of @e as the next block. On failure the index may know the block's words: they lead nowhere. */
static int close_block(struct log_builder *b, const struct events *e, uint32_t from, uint32_t n)
{
    struct log_block_entry x = {.offset = b->packed.n, .first_row = b->n_rows, .n_rows = n,
                                .event_min_us = INT64_MAX, .event_max_us = INT64_MIN,
                                .arrived_min_us = INT64_MAX, .arrived_max_us = INT64_MIN};
    int r = log_block_pack(b->scratch, e, from, n, ZSTD_LEVEL, &b->packed);
    if (!r)
        r = index_rows(b, e, from, n, &x);
    if (r) {
        b->packed.n = x.offset;
        return r;
    }
    x.n_bytes = (uint32_t)(b->packed.n - x.offset);
    x.checksum = checksum(b->packed.p + x.offset, x.n_bytes);
    buf_add(&b->blocks, &x, sizeof(x));
    if (b->blocks.is_bad) {
        b->blocks.is_bad = false;
        b->packed.n = x.offset;
        return -ENOMEM;
    }
    for (uint32_t row = from; row < from + n; row++)
        log_rows_add(b->digest, e, row);
    b->n_rows += n;
    widen(b, &x);
    return 0;
}

static int flush(struct log_builder *b)
{
    int r = b->pending->n ? close_block(b, b->pending, 0, b->pending->n) : 0;
    if (!r) {
        events_clear(b->pending);
        b->pending_bytes = 0;
    }
    return r;
}

static bool is_full(const struct log_builder *b)
{
    return log_builder_rows(b) >= b->max_rows || b->text_bytes >= LOG_SEGMENT_TEXT_MAX || n_blocks(b) + 2 >= TERMS_BLOCKS_MAX ||
           terms_builder_is_full(b->terms) || b->packed.n >= b->packed.max / 4;
}

/* worth_a_block - how many rows from @from make a block by themselves; 0: too few. */
static uint32_t worth_a_block(const struct log_builder *b, const struct events *e, uint32_t from)
{
    uint32_t most = b->max_rows - b->n_rows < LOG_BLOCK_ROWS ? b->max_rows - b->n_rows : LOG_BLOCK_ROWS, n = 0;
    size_t bytes = 0;
    if (b->pending->n)
        return 0;
    while (n < most && from + n < e->n) {
        bytes += e->original_n[from + n++];
        if (bytes >= LOG_BLOCK_BYTES)
            return n;
    }
    return n == most ? n : 0;
}

bool log_builder_is_worth(const struct events *e)
{
    size_t bytes = 0;
    for (uint32_t row = 0; row < e->n && bytes < LOG_BLOCK_BYTES / 4; row++)
        bytes += e->original_n[row];
    return e->n >= LOG_BLOCK_ROWS / 4 || bytes >= LOG_BLOCK_BYTES / 4;
}

int log_builder_take(struct log_builder *b, const struct events *e, const uint8_t **ret_p, size_t *ret_n)
{
    int r = flush(b);
    size_t begin = b->packed.n;
    for (uint32_t from = 0, n = 0; !r && from < e->n; from += n) {
        size_t bytes = 0;
        for (n = 0; n < LOG_BLOCK_ROWS && from + n < e->n && bytes < LOG_BLOCK_BYTES; n++)
            bytes += e->original_n[from + n];
        uint32_t left = e->n - from - n;
        if (left && left < LOG_BLOCK_ROWS / 8 && n + left <= LOG_BLOCK_ROWS_MAX && bytes < LOG_BLOCK_BYTES)
            n += left; /* no block for a handful */
        r = close_block(b, e, from, n);
    }
    if (r)
        return r;
    *ret_p = b->packed.p + begin;
    *ret_n = b->packed.n - begin;
    return is_full(b) ? LOG_SEGMENT_FULL : 0;
}

int log_builder_add(struct log_builder *b, const struct events *e, uint32_t from, uint32_t *ret_taken)
{
    uint32_t begin = from;
    int r = 0;
    *ret_taken = 0;
    while (!r && from < e->n && !is_full(b)) {
        uint32_t n = worth_a_block(b, e, from);
        if (n)
            r = close_block(b, e, from, n);
        else {
            n = 1;
            r = event_append(b->pending, e, from);
            b->pending_bytes += r ? 0 : e->original_n[from];
        }
        if (r)
            break;
        from += n;
        *ret_taken = from - begin;
        if (b->pending->n == LOG_BLOCK_ROWS || b->pending_bytes >= LOG_BLOCK_BYTES || events_full(b->pending))
            r = flush(b);
    }
    return r ? r : is_full(b) ? LOG_SEGMENT_FULL : 0;
}

/* --- the file ---------------------------------------------------------------------------------------------------- */

struct file_writer {
    struct log_builder *b;
    struct log_segment_header header;
    struct buf index;
};

static void begin_section(struct file_writer *w, enum log_section s)
{
    while (w->index.n % 8 && !w->index.is_bad)
        buf_add_byte(&w->index, 0);
    w->header.sections[s].offset = w->index.n;
}

static void end_section(struct file_writer *w, enum log_section s)
{
    w->header.sections[s].n_bytes = w->index.n - w->header.sections[s].offset;
}

static void add_section(struct file_writer *w, enum log_section s, const void *p, size_t n)
{
    begin_section(w, s);
    buf_add(&w->index, p, n);
    end_section(w, s);
}

static int by_address(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;
    int c = ip_compare(&a->ip, &b->ip);
    return c ? c : (a->block > b->block) - (a->block < b->block);
}

static int put_addresses(struct file_writer *w)
{
    struct log_builder *b = w->b;
    struct buf at = {.max = SIZE_MAX / 2}, lists = {.max = UINT32_MAX};
    uint16_t blocks[TERMS_BLOCKS_MAX];
    if (b->n_pairs)
        qsort(b->pairs, b->n_pairs, sizeof(*b->pairs), by_address);
    begin_section(w, LOG_SECTION_ADDRESSES);
    for (size_t i = 0, k; i < b->n_pairs; i = k) {
        uint32_t n = 0, offset = (uint32_t)lists.n;
        for (k = i; k < b->n_pairs && ip_equal(&b->pairs[i].ip, &b->pairs[k].ip); k++)
            if (!n || blocks[n - 1] != b->pairs[k].block)
                blocks[n++] = (uint16_t)b->pairs[k].block;
        buf_add(&w->index, b->pairs[i].ip.b, sizeof(b->pairs[i].ip.b));
        buf_add(&at, &offset, sizeof(offset));
        block_list_put(&lists, blocks, n, n_blocks(b));
        w->header.n_addresses++;
    }
    end_section(w, LOG_SECTION_ADDRESSES);
    add_section(w, LOG_SECTION_POSTINGS_AT, at.p, at.n);
    add_section(w, LOG_SECTION_POSTINGS, lists.p, lists.n);
    int r = at.is_bad || lists.is_bad ? -ENOMEM : 0;
    buf_fini(&at);
    buf_fini(&lists);
    return r;
}

static int put_terms(struct file_writer *w)
{
    struct buf heads = {.max = UINT32_MAX}, body = {.max = UINT32_MAX};
    int r = terms_write(w->b->terms, n_blocks(w->b), &heads, &body);
    if (!r) {
        add_section(w, LOG_SECTION_TERM_HEADS, heads.p, heads.n);
        add_section(w, LOG_SECTION_TERMS, body.p, body.n);
    }
    buf_fini(&heads);
    buf_fini(&body);
    return r;
}

static void put_fields(struct file_writer *w)
{
    begin_section(w, LOG_SECTION_FIELDS);
    for (uint16_t i = 0; i < EVENT_NAMES_MAX; i++) {
        if (!(w->b->fields[i / 64] >> i % 64 & 1))
            continue;
        struct text name = event_name(w->b->names, i);
        buf_add_byte(&w->index, (uint8_t)name.n);
        buf_add(&w->index, name.p, name.n);
        w->header.n_fields++;
    }
    end_section(w, LOG_SECTION_FIELDS);
}

static int write_all(struct file_writer *w, int fd)
{
    uint8_t first[LOG_SEGMENT_HEADER_BYTES] = {0};
    const struct {
        const void *p;
        size_t n;
    } parts[] = {{first, sizeof(first)}, {w->b->packed.p, w->b->packed.n}, {w->index.p, w->index.n}};
    struct log_segment_tail tail = {.rows = log_rows_end(w->b->digest), .flags = w->b->flags};
    tail.checksum = checksum(&tail, offsetof(struct log_segment_tail, checksum));
    memcpy(first, &w->header, sizeof(w->header));
    memcpy(first + LOG_SEGMENT_TAIL_AT, &tail, sizeof(tail));
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        int r = file_step("write segment");
        if (!r)
            r = file_write_full(fd, parts[i].p, parts[i].n);
        if (r)
            return r;
    }
    return 0;
}

static int finish(struct file_writer *w, uint64_t id)
{
    struct log_builder *b = w->b;
    struct log_segment_header *h = &w->header;
    add_section(w, LOG_SECTION_BLOCKS, b->blocks.p, b->blocks.n);
    put_fields(w);
    int r = put_terms(w);
    if (!r)
        r = put_addresses(w);
    if (r)
        return r;
    memcpy(h->magic, LOG_SEGMENT_MAGIC, sizeof(h->magic));
    h->major = LOG_SEGMENT_MAJOR;
    h->minor = LOG_SEGMENT_MINOR;
    h->byte_order = LOG_SEGMENT_BYTE_ORDER;
    h->id = id;
    h->n_rows = b->n_rows;
    h->n_blocks = n_blocks(b);
    h->event_min_us = b->event_min_us;
    h->event_max_us = b->event_max_us;
    h->arrived_min_us = b->arrived_min_us;
    h->arrived_max_us = b->arrived_max_us;
    h->text_bytes = b->text_bytes;
    h->index_offset = LOG_SEGMENT_HEADER_BYTES + b->packed.n;
    h->index_bytes = w->index.n;
    size_t n_sums = sealed_pieces(w->index.n) * 8;
    uint8_t *sums = buf_room(&w->index, n_sums);
    if (!sums)
        return -ENOMEM;
    sealed_write_checksums(w->index.p, h->index_bytes, sums);
    w->index.n += n_sums;
    h->checksums_checksum = checksum(sums, n_sums);
    h->n_bytes = h->index_offset + w->index.n;
    h->checksum = checksum(h, offsetof(struct log_segment_header, checksum));
    return 0;
}

int log_builder_write(struct log_builder *b, uint64_t id, int fd, uint64_t *ret_n_bytes, struct fault *f)
{
    struct file_writer w = {.b = b, .index = {.max = (size_t)2 << 30}};
    /* places of blocks count from the file's begin */
    int r = flush(b);
    for (uint32_t i = 0; !r && i < n_blocks(b); i++)
        ((struct log_block_entry *)(void *)b->blocks.p)[i].offset += LOG_SEGMENT_HEADER_BYTES;
    if (!r)
        r = finish(&w, id);
    int e = r ? 0 : write_all(&w, fd);
    *ret_n_bytes = w.header.n_bytes;
    buf_fini(&w.index);
    if (r)
        return FAULT(f, r, segment_no_memory, (unsigned long long)id, (unsigned long long)b->packed.n);
    return e ? FAULT(f, e, segment_io, (unsigned long long)id, "write", strerrordesc_np(-e)) : 0;
}
