/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment or merged dictionary built from rows, then changed: whatever its bytes, everything can be read from it or is
 * refused, and what is given stays within bounds.
 *
 * Input: pairs of changes (offset, value) to a small sealed segment; checksums are made right again, so that the parsers
 * behind them are reached. Input of SEGMENT_HEADER_BYTES and more that begins with the magic is a whole file.
 */
#include "watch/store/merged.h"
#include "watch/store/segment_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* two blocks for family 4; one short one for family 6, so that some inputs run quickly */
static const uint32_t n_rows[2] = {8400, 700};

static uint8_t *original[2];
static size_t original_bytes[2];

static void make_flow(struct flow *f, uint32_t i, int family)
{
    memset(f, 0, sizeof(*f));
    f->present = ((UINT64_C(1) << FLOW_N_NUMBERS) - 1) << FLOW_N_ADDRESSES & ~FLOW_HAS(FLOW_OBSERVER);
    f->present |= FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | (i % 3 ? 0 : FLOW_HAS_TEXT);
    f->source_ip = ip_from_v4(i * 2654435761u >> 20);
    f->destination_ip = ip_from_v4(i % 50 ? i * 40503u : 9);
    if (family == 6)
        f->source_ip.b[0] = 0x20;
    f->start_us = 1700000000000000 + i * 1000;
    f->end_us = f->start_us + i % 77 * 1000;
    f->source_bytes = i % 100 ? i % 1000 : (uint64_t)i << 40;
    f->source_as = f->source_ip.b[14] * 7u + (i % 500 == 0);
    f->source_mask = f->source_ip.b[15] % 9;
    f->input_if = i % 4 * 1000000;
    f->received_us = 1700000000000000 + i / 30 * 12345;
    static const char text[] = "\005label\004\000text";
    f->texts = (struct text){text, sizeof(text) - 1};
}

static void make_original(int which)
{
    int family = which ? 6 : 4, fd = memfd_create("segment", 0);
    struct segment_builder *b = segment_builder_new(family, n_rows[which]);
    struct flow_batch *batch = flow_batch_new(family);
    struct fault f;
    uint32_t taken;
    uint64_t n_bytes;
    assert(b && batch && fd >= 0);
    for (uint32_t i = 0; i < n_rows[which]; i++) {
        struct flow x;
        make_flow(&x, i, family);
        assert(flow_batch_add(batch, &x, 1, &taken) >= 0);
        if (batch->n == FLOW_BATCH_ROWS || i + 1 == n_rows[which]) {
            assert(segment_builder_add(b, batch, 0, &taken) >= 0);
            flow_batch_clear(batch);
        }
    }
    assert(!segment_builder_write(b, 1, fd, &n_bytes, &f));
    original[which] = malloc(n_bytes);
    assert(original[which] && pread(fd, original[which], n_bytes, 0) == (ssize_t)n_bytes);
    original_bytes[which] = n_bytes;
    close(fd);
    segment_builder_free(b);
    flow_batch_free(batch);
}

/* seal_again - all checksums right for what the bytes are now, as far as the header's places allow. */
static void seal_again(uint8_t *p, size_t n)
{
    struct segment_header h;
    memcpy(&h, p, sizeof(h));
    uint64_t cells = h.sections[SECTION_DIRECTORY].n_bytes / sizeof(struct segment_cell);
    if (h.index_offset > n || h.index_bytes > n - h.index_offset ||
        n - h.index_offset - h.index_bytes != sealed_pieces_of(h.index_bytes, SEALED_PAGE) * 8)
        return;
    for (uint64_t i = 0; i < cells; i++) {
        struct segment_cell cell;
        uint64_t at = h.index_offset + h.sections[SECTION_DIRECTORY].offset + i * sizeof(cell);
        if (at > n - sizeof(cell))
            break;
        memcpy(&cell, p + at, sizeof(cell));
        uint64_t offset = cell.offset_and_kind & ((UINT64_C(1) << 56) - 1);
        if (offset > n || cell.n_bytes > n - offset)
            continue;
        cell.checksum = (uint32_t)XXH3_64bits(p + offset, cell.n_bytes);
        memcpy(p + at, &cell, sizeof(cell));
    }
    uint8_t *checksums = p + h.index_offset + h.index_bytes;
    sealed_write_page_checksums(p + h.index_offset, h.index_bytes, checksums);
    h.checksums_checksum = XXH3_64bits(checksums, sealed_pieces_of(h.index_bytes, SEALED_PAGE) * 8);
    h.checksum = XXH3_64bits(&h, offsetof(struct segment_header, checksum));
    memcpy(p, &h, sizeof(h));
}

static int count_found(void *context, const struct ip *a, const uint64_t *members)
{
    (void)a;
    assert(members[0] < 4);
    (*(uint64_t *)context)++;
    return 0;
}

static void use_merged(struct segment *s)
{
    static const struct v4_range all = {0, UINT32_MAX};
    const struct address_set set = {.v4_ranges = &all, .n_v4_ranges = 1};
    struct segment *two[2] = {s, s};
    struct merged *m;
    struct fault f;
    uint64_t n_bytes, found = 0;
    int fd = memfd_create("merged", 0);
    if (!merged_write(two, 2, 5, fd, &n_bytes, &f) && !merged_open(fd, 5, &m, &f)) {
        (void)merged_find(m, &set, count_found, &found);
        assert(found <= merged_n_entries(m));
        (void)merged_verify(m, &f);
        merged_close(m);
    }
    close(fd);
}

static void use_dictionary(struct segment *s)
{
    const struct segment_info *info = segment_info(s);
    static const uint32_t singles[] = {0, 9, 77, 4000000000u};
    static const struct v4_range ranges[] = {{10, 20}, {1000, 3000000000u}};
    struct ip_range v6 = {{{0x20}}, {{0xff}}};
    const struct address_set set = {singles, 4, ranges, 2, &v6, 1};
    uint32_t *codes = malloc(((size_t)info->n_entries + 1) * sizeof(*codes)), code;
    uint64_t bitmap[SEGMENT_BLOCKS_MAX / 64];
    size_t n_codes;
    assert(codes);
    if (!segment_merge(s, &set, codes, &n_codes)) {
        assert(n_codes <= info->n_entries);
        for (size_t i = 0; i < n_codes; i++)
            assert(codes[i] < info->n_entries);
        (void)segment_postings(s, codes, n_codes, bitmap);
    }
    (void)segment_postings_range(s, 0, info->n_entries, bitmap);
    for (uint32_t i = 0; i < info->n_entries; i += 1 + info->n_entries / 50) {
        struct ip a = segment_address(s, i);
        (void)segment_find(s, &a, &code);
        assert(segment_lower_bound(s, &a) <= info->n_entries);
    }
    free(codes);
}

static void use_rows(struct segment *s, struct flow_batch *batch)
{
    static uint64_t v[SEGMENT_BLOCK_ROWS];
    const struct segment_info *info = segment_info(s);
    for (uint32_t b = 0; b < info->n_blocks; b++) {
        struct segment_texts *t = NULL;
        struct flow f;
        if (segment_texts_open(s, b, &t))
            t = NULL;
        for (uint32_t row = 0; row < segment_block_rows(s, b); row += 509)
            (void)segment_flow(s, b, row, t, &f);
        if (t)
            (void)segment_texts_get(t, 8191);
        segment_texts_close(t);
        for (unsigned c = 0; c < FLOW_N_ADDRESSES; c++)
            if (!segment_read64(s, b, c, v))
                for (uint32_t i = 0; i < segment_block_rows(s, b); i++)
                    assert(v[i] <= info->n_entries);
        if (!segment_to_batch(s, b, batch))
            for (uint32_t i = 0; i < batch->n; i++)
                flow_batch_get(batch, i, &f);
    }
}

static void use(const uint8_t *p, size_t n)
{
    static struct flow_batch *batches[2];
    struct segment *s;
    struct fault f;
    int fd = memfd_create("segment", 0);
    assert(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    int r = segment_open(fd, 1, false, &s, &f);
    close(fd);
    if (r)
        return;
    struct flow_batch **batch = &batches[segment_info(s)->family == 6];
    if (!*batch)
        *batch = flow_batch_new(segment_info(s)->family);
    assert(*batch);
    use_dictionary(s);
    use_rows(s, *batch);
    use_merged(s);
    (void)segment_verify(s, &f);
    segment_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n >= SEGMENT_HEADER_BYTES && !memcmp(data, SEGMENT_MAGIC, 8)) {
        use(data, n);
        return 0;
    }
    if (n < 2)
        return 0;
    int which = data[0] & 1;
    if (!original[which])
        make_original(which);
    uint8_t *p = malloc(original_bytes[which]);
    assert(p);
    memcpy(p, original[which], original_bytes[which]);
    /* the first byte's other bits choose where: anywhere, the header, or the index */
    struct segment_header h;
    memcpy(&h, p, sizeof(h));
    for (size_t i = 1; i + 4 < n && i < 200; i += 5) {
        uint32_t at;
        memcpy(&at, data + i, 4);
        switch (data[0] >> 1 & 3) {
        case 0: at %= (uint32_t)original_bytes[which]; break;
        case 1: at %= sizeof(struct segment_header); break;
        case 2: at = (uint32_t)(h.index_offset + at % h.index_bytes); break;
        default: at = (uint32_t)(SEGMENT_HEADER_BYTES + at % (h.index_offset - SEGMENT_HEADER_BYTES)); break;
        }
        p[at] = data[i + 4];
    }
    if (data[0] >> 3 & 1 || data[0] >> 1 & 3)
        seal_again(p, original_bytes[which]);
    use(p, original_bytes[which]);
    free(p);
    return 0;
}
