/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dictionary merged over three segments, then changed: it is refused, or what it gives stays within its bounds.
 *
 * Input: the first byte chooses the family (bit 0), whether checksums are made right again (bit 1) and where changes go
 * (bits 2 and 3: anywhere, header, first half of the area, second half); then changes: offset u32, value. An input of at
 * least HEADER_BYTES that begins with the magic is a whole file.
 */
#include "watch/store/merged.h"
#include "watch/store/sealed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* the header as the file has it: see merged.c */
enum { HEADER_BYTES = 4096, AT_AREA_BYTES = 48, AT_CHECKSUMS = 56, AT_CHECKSUM = 160, ID = 5, N_MEMBERS = 3, N_ROWS = 250 };

static uint8_t *original[2];
static size_t original_bytes[2];

static struct segment *make_segment(int family, uint64_t id)
{
    int fd = memfd_create("segment", 0);
    struct segment_builder *b = segment_builder_new(family, N_ROWS);
    struct flow_batch *batch = flow_batch_new(family);
    struct segment *s;
    struct fault f;
    uint32_t taken;
    uint64_t n_bytes;
    assert(b && batch && fd >= 0);
    for (uint32_t i = 0; i < N_ROWS; i++) {
        struct flow x = {.present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START),
                         .source_ip = ip_from_v4(i * (i % 2 ? 2654435761u : 3u) + (uint32_t)id),
                         .destination_ip = ip_from_v4(i % 7), .start_us = 1700000000000000 + i};
        if (family == 6)
            x.source_ip.b[0] = 0x20;
        assert(!flow_batch_add(batch, &x, 1, &taken));
    }
    assert(segment_builder_add(b, batch, 0, &taken) >= 0 && !segment_builder_write(b, id, fd, &n_bytes, &f));
    assert(!segment_open(fd, id, false, &s, &f));
    close(fd);
    segment_builder_free(b);
    flow_batch_free(batch);
    return s;
}

static void make_original(int which)
{
    struct segment *members[N_MEMBERS];
    struct fault f;
    uint64_t n_bytes;
    int fd = memfd_create("merged", 0);
    for (uint64_t i = 0; i < N_MEMBERS; i++)
        members[i] = make_segment(which ? 6 : 4, i + 1);
    assert(fd >= 0 && !merged_write(members, N_MEMBERS, ID, fd, &n_bytes, &f));
    original[which] = malloc(n_bytes);
    assert(original[which] && pread(fd, original[which], n_bytes, 0) == (ssize_t)n_bytes);
    original_bytes[which] = n_bytes;
    close(fd);
    for (uint64_t i = 0; i < N_MEMBERS; i++)
        segment_close(members[i]);
}

/* seal_again - all checksums right for what the bytes are now, as far as the header's places allow */
static void seal_again(uint8_t *p, size_t n)
{
    uint64_t area_bytes, sum;
    memcpy(&area_bytes, p + AT_AREA_BYTES, 8);
    if (area_bytes <= n - HEADER_BYTES && sealed_pieces_of(area_bytes, SEALED_PAGE) * 8 <= n - HEADER_BYTES - area_bytes) {
        uint8_t *checksums = p + HEADER_BYTES + area_bytes;
        sealed_write_page_checksums(p + HEADER_BYTES, area_bytes, checksums);
        sum = XXH3_64bits(checksums, sealed_pieces_of(area_bytes, SEALED_PAGE) * 8);
        memcpy(p + AT_CHECKSUMS, &sum, 8);
    }
    sum = XXH3_64bits(p, AT_CHECKSUM);
    memcpy(p + AT_CHECKSUM, &sum, 8);
}

struct seen {
    uint64_t n;
    size_t n_members;
};

static int check_found(void *context, const struct ip *a, const uint64_t *members)
{
    struct seen *s = context;
    (void)a;
    for (size_t i = 0; i < MERGED_MEMBERS / 64; i++) { /* by the word: this runs for every entry of every input */
        uint64_t inside = s->n_members >= (i + 1) * 64 ? UINT64_MAX : s->n_members <= i * 64 ? 0 : (UINT64_C(1) << s->n_members % 64) - 1;
        assert(!(members[i] & ~inside));
    }
    s->n++;
    return 0;
}

static void use(const uint8_t *p, size_t n)
{
    static const struct v4_range all = {0, UINT32_MAX}, some[] = {{5, 5}, {1000, 2000000000u}};
    static const uint32_t singles[] = {0, 3, 2654435762u};
    struct ip_range v6 = {{{0}}, {{0xff}}};
    const struct address_set sets[] = {{.v4_ranges = &all, .n_v4_ranges = 1, .v6 = &v6, .n_v6 = 1},
                                       {singles, 3, some, 2, NULL, 0}};
    struct merged *m;
    struct fault f;
    int fd = memfd_create("merged", 0);
    assert(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    int r = merged_open(fd, ID, &m, &f);
    close(fd);
    if (r)
        return;
    assert(merged_n_members(m) <= MERGED_MEMBERS);
    for (size_t i = 0; i < merged_n_members(m); i++)
        (void)merged_member(m, i);
    for (int i = 0; i < 2; i++) {
        struct seen seen = {0, merged_n_members(m)};
        (void)merged_find(m, &sets[i], check_found, &seen);
        assert(seen.n <= merged_n_entries(m));
    }
    (void)merged_verify(m, &f);
    merged_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n >= HEADER_BYTES && !memcmp(data, "VGMERGED", 8)) {
        use(data, n);
        return 0;
    }
    if (n < 1)
        return 0;
    int which = data[0] & 1;
    if (!original[which])
        make_original(which);
    size_t n_bytes = original_bytes[which], half = (n_bytes - HEADER_BYTES) / 2;
    const size_t from[] = {0, 0, HEADER_BYTES, HEADER_BYTES + half}, length[] = {n_bytes, AT_CHECKSUM, half, n_bytes - HEADER_BYTES - half};
    uint8_t *p = malloc(n_bytes);
    assert(p);
    memcpy(p, original[which], n_bytes);
    for (size_t i = 1; i + 4 < n && i < 200; i += 5) {
        uint32_t at;
        memcpy(&at, data + i, 4);
        p[from[data[0] >> 2 & 3] + at % length[data[0] >> 2 & 3]] = data[i + 4];
    }
    if (data[0] & 2)
        seal_again(p, n_bytes);
    use(p, n_bytes);
    free(p);
    return 0;
}
