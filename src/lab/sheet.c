/* SPDX-License-Identifier: Apache-2.0 */
/* The child maps the file, walks its sheets and writes CSV into the pipe; whatever it trips over dies with it. */
#include "lab/sheet.h"

#include "base/buf.h"
#include "base/file.h"
#include "format/csv.h"
#include "format/xlsx.h"
#include "lab/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((off_t)256 << 20)
#define FLUSH_BYTES ((size_t)64 << 10)

enum job_end { JOB_DONE, JOB_NOT_A_SHEET, JOB_DAMAGED, JOB_TOO_LARGE, JOB_ENCRYPTED, JOB_NO_MEMORY, JOB_IO };

struct writer {
    int fd;
    struct buf b;
    uint32_t line; /* lines written of this sheet */
};

static int flush(struct writer *w)
{
    size_t at = 0;
    while (at < w->b.n) {
        ssize_t put = write(w->fd, w->b.p + at, w->b.n - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return -EIO;
        at += (size_t)put;
    }
    buf_clear(&w->b);
    return 0;
}

static int begin_sheet(void *context, struct text name)
{
    struct writer *w = context;
    (void)name;
    if (w->line)
        buf_add_text(&w->b, "\f\n");
    w->line = 0;
    return w->b.is_bad ? -ENOMEM : 0;
}

/* a cell in one line: control characters become blanks */
static void put_cell(struct writer *w, struct text cell)
{
    size_t from = w->b.n;
    csv_put(&w->b, cell);
    for (size_t i = from; i < w->b.n; i++)
        if (w->b.p[i] < 0x20 || w->b.p[i] == 0x7f)
            w->b.p[i] = ' ';
}

static int put_row(void *context, uint32_t row, const struct text *cells, uint32_t n)
{
    struct writer *w = context;
    int r = 0;
    while (!r && w->line + 1 < row) {
        buf_add_byte(&w->b, '\n');
        w->line++;
        r = w->b.n > FLUSH_BYTES ? flush(w) : 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            buf_add_byte(&w->b, ',');
        put_cell(w, cells[i]);
    }
    buf_add_byte(&w->b, '\n');
    w->line++;
    if (!r && w->b.is_bad)
        r = -ENOMEM;
    return r || w->b.n <= FLUSH_BYTES ? r : flush(w);
}

static int end_of(int r)
{
    switch (r) {
    case 0:
        return JOB_DONE;
    case ZIP_NOT_ZIP:
    case XLSX_NO_SHEET:
        return JOB_NOT_A_SHEET;
    case ZIP_TOO_LARGE:
        return JOB_TOO_LARGE;
    case ZIP_ENCRYPTED:
        return JOB_ENCRYPTED;
    case -ENOMEM:
        return JOB_NO_MEMORY;
    default:
        return r < 0 ? JOB_IO : JOB_DAMAGED;
    }
}

static int read_sheets(int fd_in, int fd_out, void *context)
{
    struct writer w = {.fd = fd_out, .b = {.max = (size_t)64 << 20}};
    struct xlsx_out out = {.sheet = begin_sheet, .row = put_row, .context = &w};
    struct stat st;
    (void)context;
    if (fstat(fd_in, &st))
        return JOB_IO;
    if (st.st_size <= 0 || st.st_size > FILE_MAX_BYTES)
        return st.st_size > 0 ? JOB_TOO_LARGE : JOB_NOT_A_SHEET;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd_in, 0);
    if (p == MAP_FAILED)
        return JOB_NO_MEMORY;
    int r = xlsx_read(p, (size_t)st.st_size, &out);
    if (!r)
        r = flush(&w);
    buf_fini(&w.b);
    return end_of(r);
}

int lab_sheet_open(int fd_in, int *ret_fd, void **ret_job, struct fault *f)
{
    struct lab *l;
    int r = lab_open(read_sheets, NULL, fd_in, NULL, &l, ret_fd, f);
    if (!r)
        *ret_job = l;
    return r;
}

int lab_sheet_close(void *job, struct fault *f)
{
    int r = lab_close(job, f);
    switch (r) {
    case JOB_NOT_A_SHEET:
        return FAULT(f, -EBADMSG, sheet_none);
    case JOB_DAMAGED:
        return FAULT(f, -EBADMSG, sheet_damaged);
    case JOB_TOO_LARGE:
        return FAULT(f, -EFBIG, sheet_too_large);
    case JOB_ENCRYPTED:
        return FAULT(f, -EBADMSG, sheet_encrypted);
    case JOB_NO_MEMORY:
        return FAULT(f, -ENOMEM, no_memory, "xlsx");
    case JOB_IO:
        return FAULT(f, -EIO, sheet_cut);
    default:
        return r;
    }
}
