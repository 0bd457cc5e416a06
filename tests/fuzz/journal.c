/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal read back after a crash. The input is frames (u16 length, payload); each is written with a
 * right checksum, so that hostile batches reach the unpacker and the segment builder; the last byte
 * chooses a place in the file to damage. What comes out as a segment must verify.
 */
#include "base/file.h"
#include "watch/store/journal.h"
#include "watch/store/store_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static uint64_t rows_out;

static int check_segment(void *context, struct segment_builder *b, int64_t arrived_min_us, int64_t arrived_max_us)
{
    (void)context;
    assert(arrived_min_us <= arrived_max_us);
    uint64_t n_bytes;
    struct segment *s;
    struct fault f;
    int fd = memfd_create("segment", MFD_CLOEXEC);
    assert(fd >= 0);
    rows_out += segment_builder_rows(b);
    assert(!segment_builder_write(b, 3, fd, &n_bytes, &f));
    segment_builder_free(b);
    assert(!segment_open(fd, 3, true, &s, &f));
    assert(!segment_verify(s, &f));
    segment_close(s);
    close(fd);
    return 0;
}

/* header - of a journal with id 9, made once by the code itself. */
static const uint8_t *header(void)
{
    static uint8_t bytes[JOURNAL_HEADER_BYTES];
    static bool is_made;
    if (is_made)
        return bytes;
    char path[] = "/tmp/vonggac-fuzz-XXXXXX";
    struct journal j;
    struct fault f;
    assert(mkdtemp(path));
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert(dir >= 0 && !journal_create(dir, 9, 4, &j, &f) && !file_pread_full(j.fd, bytes, sizeof(bytes), 0));
    journal_close(&j);
    char name[JOURNAL_NAME_MAX];
    journal_name(9, name);
    unlinkat(dir, name, 0);
    close(dir);
    rmdir(path);
    is_made = true;
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 2 || n > 1 << 16)
        return 0;
    struct fault f;
    struct journal j = {.fd = memfd_create("journal", MFD_CLOEXEC), .id = 9, .family = 4,
                        .n_bytes = JOURNAL_HEADER_BYTES, .arrived_min_us = INT64_MAX, .arrived_max_us = INT64_MIN};
    assert(j.fd >= 0 && !file_write_full(j.fd, header(), JOURNAL_HEADER_BYTES));
    uint8_t where = p[--n];
    for (uint64_t sequence = 1; n >= 2; sequence++) {
        size_t length = (size_t)(p[0] | p[1] << 8);
        length = length < n - 2 ? length : n - 2;
        int family;
        uint32_t n_rows = 0;
        if (batch_pack_head(p + 2, length, &family, &n_rows) || family != 4)
            n_rows = 1;
        struct journal_frame frame = {.sequence = sequence, .n_rows = n_rows <= FLOW_BATCH_ROWS ? n_rows : 1,
                                      .batch = p + 2, .n_batch = length};
        assert(!journal_append(&j, &frame, &f));
        p += 2 + length;
        n -= 2 + length;
    }
    if (where && j.n_bytes > JOURNAL_HEADER_BYTES) {
        uint64_t at = JOURNAL_HEADER_BYTES + (j.n_bytes - JOURNAL_HEADER_BYTES) * where / 256;
        (void)!pwrite(j.fd, &where, 1, (off_t)at);
    }
    struct manifest_notes notes = {0};
    struct replay replay = {.segment_rows = 10000, .full = check_segment, .notes = &notes};
    struct journal_report report;
    rows_out = 0;
    int r = replay_journal(&replay, j.fd, 9, 4, &report, &f);
    assert(!r || r == -EPROTO); /* columns no program of today writes: a newer one's */
    if (!r) {
        assert(rows_out <= report.n_rows);
        uint64_t n_all = report.n_bytes + report.n_torn_bytes; /* with the mark at the end where the last frame is torn */
        assert(n_all == j.n_bytes || n_all == j.n_bytes + 8);
    }
    free(notes.slots);
    close(j.fd);
    return 0;
}
