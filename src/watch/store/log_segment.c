/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a segment of log events. Nothing is believed before its checksum was right.
 */
#include "watch/store/log_segment_inside.h"

#include "base/cursor.h"
#include "watch/store/block_list.h"
#include "watch/store/checksum.h"
#include "watch/store/sealed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct log_segment {
    const uint8_t *p; /* the mapping */
    size_t mapped_bytes;
    struct log_segment_header header;
    struct log_segment_info info;
    struct sealed index;
    const struct log_block_entry *blocks;
    struct text *fields;
};

static bool are_places_sane(const struct log_segment_header *h, uint64_t n_bytes)
{
    if (h->n_bytes != n_bytes || h->index_offset < LOG_SEGMENT_HEADER_BYTES || h->index_offset > n_bytes ||
        h->index_bytes > n_bytes - h->index_offset ||
        n_bytes - h->index_offset - h->index_bytes != sealed_pieces(h->index_bytes) * 8)
        return false;
    for (unsigned s = 0; s < N_LOG_SECTIONS; s++)
        if (h->sections[s].offset > h->index_bytes || h->sections[s].n_bytes > h->index_bytes - h->sections[s].offset)
            return false;
    return h->n_rows >= 1 && h->n_rows <= LOG_SEGMENT_ROWS + LOG_BLOCK_ROWS && h->n_blocks >= 1 && h->n_blocks <= TERMS_BLOCKS_MAX &&
           h->sections[LOG_SECTION_BLOCKS].n_bytes == (uint64_t)h->n_blocks * sizeof(struct log_block_entry) &&
           h->sections[LOG_SECTION_ADDRESSES].n_bytes == (uint64_t)h->n_addresses * 16 &&
           h->sections[LOG_SECTION_POSTINGS_AT].n_bytes == (uint64_t)h->n_addresses * 4 &&
           h->sections[LOG_SECTION_TERM_HEADS].n_bytes % 4 == 0 && h->n_fields <= EVENT_NAMES_MAX &&
           h->sections[LOG_SECTION_TERMS].n_bytes <= UINT32_MAX;
}

static int check_header(const struct log_segment_header *h, uint64_t id, uint64_t n_bytes, struct fault *f)
{
    if (memcmp(h->magic, LOG_SEGMENT_MAGIC, sizeof(h->magic)) || h->byte_order != LOG_SEGMENT_BYTE_ORDER)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "magic");
    if (h->major > LOG_SEGMENT_MAJOR)
        return FAULT(f, -EPROTO, segment_newer, (unsigned long long)id, h->major, LOG_SEGMENT_MAJOR);
    if (checksum(h, offsetof(struct log_segment_header, checksum)) != h->checksum)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "checksum");
    if (h->id != id)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "id");
    if (!are_places_sane(h, n_bytes))
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "size");
    return 0;
}

static const uint8_t *section(const struct log_segment *s, enum log_section x)
{
    return sealed_get(&s->index, s->header.sections[x].offset, s->header.sections[x].n_bytes);
}

/* load_blocks - the directory: every block lies before the index, rows follow one another. */
static int load_blocks(struct log_segment *s)
{
    const struct log_segment_header *h = &s->header;
    const uint8_t *p = section(s, LOG_SECTION_BLOCKS);
    if (!p)
        return -EBADMSG;
    struct log_block_entry *x = malloc(h->n_blocks * sizeof(*x));
    if (!x)
        return -ENOMEM;
    memcpy(x, p, h->n_blocks * sizeof(*x));
    s->blocks = x;
    uint32_t row = 0;
    for (uint32_t i = 0; i < h->n_blocks; i++) {
        if (x[i].offset > h->index_offset || x[i].n_bytes > h->index_offset - x[i].offset || x[i].first_row != row ||
            !x[i].n_rows || x[i].n_rows > h->n_rows - row)
            return -EBADMSG;
        row += x[i].n_rows;
    }
    return row == h->n_rows ? 0 : -EBADMSG;
}

static int load_fields(struct log_segment *s)
{
    const struct log_segment_header *h = &s->header;
    const uint8_t *p = section(s, LOG_SECTION_FIELDS);
    if (!p)
        return -EBADMSG;
    s->fields = calloc(h->n_fields + 1, sizeof(*s->fields));
    if (!s->fields)
        return -ENOMEM;
    struct cursor c = cursor_over(p, h->sections[LOG_SECTION_FIELDS].n_bytes);
    for (uint32_t i = 0; i < h->n_fields; i++) {
        s->fields[i].n = cursor_u8(&c);
        s->fields[i].p = (const char *)cursor_take(&c, s->fields[i].n);
    }
    return c.is_bad ? -EBADMSG : 0;
}

static int open_parts(struct log_segment *s, uint64_t id, struct fault *f)
{
    const struct log_segment_header *h = &s->header;
    const uint8_t *sums = s->p + h->index_offset + h->index_bytes;
    if (checksum(sums, sealed_pieces(h->index_bytes) * 8) != h->checksums_checksum)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "checksums");
    int r = sealed_init(&s->index, s->p + h->index_offset, h->index_bytes, sums);
    if (!r)
        r = load_blocks(s);
    if (!r)
        r = load_fields(s);
    if (r == -ENOMEM)
        return FAULT(f, r, segment_no_memory, (unsigned long long)id, (unsigned long long)h->n_blocks * 64);
    return r ? FAULT(f, r, segment_bad_part, (unsigned long long)id, "index", 0u) : 0;
}

int log_segment_open(int fd, uint64_t id, bool is_unsealed, struct log_segment **ret, struct fault *f)
{
    struct stat st;
    if (fstat(fd, &st))
        return FAULT(f, -errno, segment_io, (unsigned long long)id, "fstat", strerrordesc_np(errno));
    if (st.st_size < (off_t)LOG_SEGMENT_HEADER_BYTES)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "size");
    struct log_segment *s = calloc(1, sizeof(*s));
    if (!s)
        return FAULT(f, -ENOMEM, segment_no_memory, (unsigned long long)id, (unsigned long long)sizeof(*s));
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        int e = -errno;
        free(s);
        return FAULT(f, e, segment_io, (unsigned long long)id, "mmap", strerrordesc_np(-e));
    }
    s->p = p;
    s->mapped_bytes = (size_t)st.st_size;
    memcpy(&s->header, p, sizeof(s->header));
    const struct log_segment_header *h = &s->header;
    struct log_segment_tail tail;
    memcpy(&tail, s->p + LOG_SEGMENT_TAIL_AT, sizeof(tail));
    int r = check_header(h, id, (uint64_t)st.st_size, f);
    bool has_digest = !r && (h->major > 1 || h->minor >= 1);
    if (has_digest && tail.checksum != checksum(&tail, offsetof(struct log_segment_tail, checksum)))
        r = FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "digest");
    if (!r)
        r = open_parts(s, id, f);
    if (r) {
        log_segment_close(s);
        return r;
    }
    s->info = (struct log_segment_info){.id = id, .n_rows = h->n_rows, .n_blocks = h->n_blocks, .n_addresses = h->n_addresses,
                                        .n_fields = h->n_fields, .event_min_us = h->event_min_us, .event_max_us = h->event_max_us,
                                        .arrived_min_us = h->arrived_min_us, .arrived_max_us = h->arrived_max_us,
                                        .n_bytes = h->n_bytes, .text_bytes = h->text_bytes, .is_unsealed = is_unsealed,
                                        .n_terms = h->sections[LOG_SECTION_TERM_HEADS].n_bytes / 4 * TERM_GROUP,
                                        .terms_bytes = h->sections[LOG_SECTION_TERMS].n_bytes, .has_digest = has_digest,
                                        .rows = tail.rows, .is_imported = has_digest && tail.flags & LOG_SEGMENT_IMPORTED};
    *ret = s;
    return 0;
}

void log_segment_close(struct log_segment *s)
{
    if (!s)
        return;
    sealed_fini(&s->index);
    free((void *)(uintptr_t)s->blocks);
    free(s->fields);
    munmap((void *)(uintptr_t)s->p, s->mapped_bytes);
    free(s);
}

const struct log_segment_info *log_segment_info(const struct log_segment *s)
{
    return &s->info;
}

void log_segment_block(const struct log_segment *s, uint32_t block, struct log_block_info *ret)
{
    const struct log_block_entry *x = &s->blocks[block];
    *ret = (struct log_block_info){.first_row = x->first_row, .n_rows = x->n_rows, .event_min_us = x->event_min_us,
                                   .event_max_us = x->event_max_us, .arrived_min_us = x->arrived_min_us,
                                   .arrived_max_us = x->arrived_max_us};
}

int log_segment_read(const struct log_segment *s, uint32_t block, struct log_scratch *scratch, struct events *out)
{
    const struct log_block_entry *x = &s->blocks[block];
    events_clear(out);
    if (checksum(s->p + x->offset, x->n_bytes) != x->checksum)
        return -EBADMSG;
    int r = log_block_unpack(scratch, s->p + x->offset, x->n_bytes, out);
    if (r > 0 || (!r && out->n != x->n_rows))
        r = -EBADMSG;
    if (r)
        events_clear(out);
    return r;
}

int log_segment_terms(const struct log_segment *s, struct terms *ret)
{
    const struct log_place *heads = &s->header.sections[LOG_SECTION_TERM_HEADS], *body = &s->header.sections[LOG_SECTION_TERMS];
    *ret = (struct terms){.area = &s->index, .heads = heads->offset, .body = body->offset, .n_groups = heads->n_bytes / 4,
                          .body_bytes = body->n_bytes, .n_blocks = s->header.n_blocks};
    return 0;
}

bool log_segment_has_field(const struct log_segment *s, struct text name)
{
    for (uint32_t i = 0; i < s->header.n_fields; i++)
        if (text_equal(s->fields[i], name))
            return true;
    return false;
}

struct text log_segment_field(const struct log_segment *s, uint32_t i)
{
    return s->fields[i];
}

int log_segment_address(const struct log_segment *s, uint32_t i, struct ip *ret)
{
    const uint8_t *p = sealed_get(&s->index, s->header.sections[LOG_SECTION_ADDRESSES].offset + (size_t)i * 16, 16);
    if (!p)
        return -EBADMSG;
    memcpy(ret->b, p, 16);
    return 0;
}

int log_segment_lower_bound(const struct log_segment *s, const struct ip *a, uint32_t *ret)
{
    uint32_t from = 0, to = s->header.n_addresses;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        struct ip x;
        if (log_segment_address(s, middle, &x))
            return -EBADMSG;
        if (ip_compare(&x, a) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *ret = from;
    return 0;
}

int log_segment_postings(const struct log_segment *s, uint32_t from, uint32_t to, uint64_t *bitmap)
{
    const struct log_place *at = &s->header.sections[LOG_SECTION_POSTINGS_AT], *lists = &s->header.sections[LOG_SECTION_POSTINGS];
    for (uint32_t i = from; i < to; i++) {
        bool is_last = i + 1 == s->header.n_addresses;
        const uint8_t *p = sealed_get(&s->index, at->offset + (size_t)i * 4, is_last ? 4 : 8);
        if (!p)
            return -EBADMSG;
        uint32_t begin = load_le32(p), end = is_last ? (uint32_t)lists->n_bytes : load_le32(p + 4);
        p = begin <= end && end <= lists->n_bytes ? sealed_get(&s->index, lists->offset + begin, end - begin) : NULL;
        if (!p)
            return -EBADMSG;
        struct cursor c = cursor_over(p, end - begin);
        block_list_take(&c, s->header.n_blocks, bitmap);
        if (c.is_bad)
            return -EBADMSG;
    }
    return 0;
}

/* --- verification ------------------------------------------------------------------------------------------------ */

/* check_addresses - of the rows of a block: each stands in the index and leads back to the block. */
static int check_addresses(const struct log_segment *s, const struct events *e, uint32_t block, uint64_t *bitmap)
{
    for (uint32_t i = 0; i < e->n_values; i++) {
        if (e->values[i].type != EVENT_IP)
            continue;
        struct ip ip = event_ip(e, &e->values[i]), found;
        uint32_t at;
        int r = log_segment_lower_bound(s, &ip, &at);
        if (r || at == s->header.n_addresses || log_segment_address(s, at, &found) || !ip_equal(&ip, &found))
            return -EBADMSG;
        memset(bitmap, 0, (s->header.n_blocks / 64 + 1) * sizeof(*bitmap));
        if (log_segment_postings(s, at, at + 1, bitmap) || !(bitmap[block / 64] >> block % 64 & 1))
            return -EBADMSG;
    }
    return 0;
}

/* check_words - of some rows of a block: all words of the first and the last lead back to it. */
static int check_words(const struct log_segment *s, const struct events *e, uint32_t block, uint64_t *bitmap)
{
    struct terms t;
    int r = log_segment_terms(s, &t);
    for (uint32_t k = 0; !r && k < 2; k++) {
        struct text rest = event_original(e, k ? e->n - 1 : 0);
        struct term w;
        while (!r && term_next(&rest, &w)) {
            memset(bitmap, 0, (s->header.n_blocks / 64 + 1) * sizeof(*bitmap));
            r = terms_find(&t, (struct text){w.p, w.n}, false, bitmap);
            if (!r && !(bitmap[block / 64] >> block % 64 & 1))
                r = -EBADMSG;
        }
    }
    return r;
}

static int check_block(const struct log_segment *s, uint32_t block, struct log_scratch *scratch, struct events *e, uint64_t *bitmap,
                       struct log_rows *digest)
{
    int r = log_segment_read(s, block, scratch, e);
    for (uint32_t i = 0; !r && i < e->n; i++)
        log_rows_add(digest, e, i);
    const struct log_block_entry *x = &s->blocks[block];
    for (uint32_t i = 0; !r && i < e->n; i++)
        if (e->time_us[i] < x->event_min_us || e->time_us[i] > x->event_max_us || e->arrived_us[i] < x->arrived_min_us ||
            e->arrived_us[i] > x->arrived_max_us)
            r = -EBADMSG;
    if (!r)
        r = check_addresses(s, e, block, bitmap);
    return r ? r : check_words(s, e, block, bitmap);
}

int log_segment_verify(const struct log_segment *s, struct event_names *names, struct fault *f)
{
    unsigned long long id = s->info.id;
    struct terms t;
    uint64_t n_terms;
    if (!sealed_get(&s->index, 0, s->header.index_bytes))
        return FAULT(f, -EBADMSG, segment_bad_part, id, "index", 0u);
    if (log_segment_terms(s, &t) || terms_check(&t, &n_terms))
        return FAULT(f, -EBADMSG, segment_bad_part, id, "words", 0u);
    struct log_scratch *scratch = log_scratch_new();
    struct events *e = events_new(names);
    uint64_t *bitmap = calloc(s->header.n_blocks / 64 + 1, sizeof(*bitmap));
    struct log_rows *digest = log_rows_new();
    int r = scratch && e && bitmap && digest ? 0 : -ENOMEM;
    uint32_t block = 0;
    for (; !r && block < s->header.n_blocks; block++)
        r = check_block(s, block, scratch, e, bitmap, digest);
    struct log_digest rows = digest ? log_rows_end(digest) : s->info.rows;
    log_rows_free(digest);
    free(bitmap);
    events_free(e);
    log_scratch_free(scratch);
    if (r == -ENOMEM)
        return FAULT(f, r, segment_no_memory, id, (unsigned long long)LOG_BLOCK_BYTES);
    if (r)
        return FAULT(f, r, segment_bad_part, id, "block", block - 1);
    bool is_same = !s->info.has_digest || log_digest_equal(&rows, &s->info.rows);
    return is_same ? 0 : FAULT(f, -EBADMSG, segment_bad_part, id, "rows", 0u);
}
