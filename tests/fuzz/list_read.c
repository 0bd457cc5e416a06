/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a list and as an own space: the account balances, every row handed on is sound. */
#include "watch/indicator/list.h"
#include "watch/indicator/list_read.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int put(void *context, const struct list_row *row)
{
    uint64_t *n_put = context;
    ++*n_put;
    assert(row->row > 0);
    if (row->kind == NAME_NONE) {
        assert(ip_compare(&row->range.first, &row->range.last) <= 0);
        assert(ip_is_v4(&row->range.first) == ip_is_v4(&row->range.last));
    } else {
        assert(row->name.n && text_is_utf8(row->name.p, row->name.n));
    }
    assert(row->role == LIST_BOT || row->role == LIST_C2);
    const struct text *texts[] = {&row->family, &row->unit, &row->note, &row->isp, &row->province};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert(text_is_utf8(texts[i]->p, texts[i]->n) && texts[i]->n <= LIST_MAX_ROW_BYTES);
    return 0;
}

static void touch(void *context, uint64_t row, enum list_refusal why, struct text value)
{
    char shown[64];
    (void)context;
    assert(row > 0 && why < LIST_N_REFUSALS);
    text_escape(value.p, value.n, shown, sizeof(shown));
}

static void run(const uint8_t *p, size_t n, bool is_space)
{
    static int fd = -1;
    uint64_t n_put = 0, n_refused = 0;
    struct list_read_options o = {.zone_s = 7 * 3600, .is_space = is_space, .put = put, .context = &n_put};
    struct list_report report = {.refused_row = touch};
    struct fault f;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0);
    assert(!ftruncate(fd, 0) && pwrite(fd, p, n, 0) == (ssize_t)n && !lseek(fd, 0, SEEK_SET));
    int r = list_read(fd, &o, &report, &f);
    for (size_t i = 0; i < LIST_N_REFUSALS; i++)
        n_refused += report.refused[i];
    assert(r <= 0);
    assert(report.rows == report.kept + n_refused);
    assert(report.entries == n_put && n_put >= report.kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    run(p, n, false);
    run(p, n, true);
    return 0;
}
