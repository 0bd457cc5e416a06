/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prefixes of all units as a file of the own space: compiled in memory under the ids of the units, for the desks; published under
 * their names, for the watch. One reader of address space, so both answer alike.
 */
#include "desk/unit/unit_own.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/buf.h"
#include "format/csv.h"
#include "watch/indicator/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct unit_space {
    struct space *space; /* NULL: no prefix at all */
    int64_t change;
};

static void put_time(struct buf *b, int64_t us)
{
    char text[TIME_TEXT_MAX];
    if (us <= 0 || us >= UNIT_FOREVER - 1)
        return;
    clock_format_utc(us, text);
    buf_add_text(b, text);
}

/* write_space - Return: a descriptor of the file in memory, or -errno. */
static int write_space(struct db *db, bool has_names, uint64_t *ret_n)
{
    struct buf b = {.max = (size_t)256 << 20};
    struct unit_prefix_row row;
    struct db_statement *s = unit_prefix_each(db);
    *ret_n = 0;
    buf_add_text(&b, "cidr,unit,valid_from,valid_to\n");
    while (unit_prefix_next(s, &row)) {
        csv_put(&b, row.range);
        buf_add_byte(&b, ',');
        if (has_names)
            csv_put(&b, row.name);
        else
            buf_printf(&b, "%lld%s", (long long)row.unit, row.is_nat ? " nat" : "");
        buf_add_byte(&b, ',');
        put_time(&b, row.from_us);
        buf_add_byte(&b, ',');
        put_time(&b, row.to_us - 1); /* the own space counts its last moment in */
        buf_add_byte(&b, '\n');
        ++*ret_n;
    }
    int fd = b.is_bad ? -1 : memfd_create("space", MFD_CLOEXEC), r = b.is_bad ? -ENOMEM : fd < 0 ? -errno : file_pwrite_full(fd, b.p,
            b.n, 0);
    buf_fini(&b);
    if (r)
        file_close(&fd);
    return r ? r : fd;
}

int unit_space_load(struct db *db, struct unit_space **ret, struct fault *f)
{
    struct unit_space *s = calloc(1, sizeof(*s));
    struct list_report report = {0};
    uint64_t n = 0;
    if (!s)
        return FAULT(f, -ENOMEM, no_memory, "unit_space");
    s->change = unit_space_change(db);
    _cleanup_close_ int fd = write_space(db, false, &n);
    int r = fd < 0 ? FAULT(f, fd, no_memory, "unit_space") : n ? space_compile(fd, "units", &report, &s->space, f) : 0;
    r = r ? r : db_failed(db);
    if (r) {
        unit_space_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void unit_space_free(struct unit_space *s)
{
    if (!s)
        return;
    space_close(s->space);
    free(s);
}

bool unit_space_is_old(const struct unit_space *s, struct db *db)
{
    return s->change != unit_space_change(db);
}

int64_t unit_space_find(const struct unit_space *s, const struct ip *a, int64_t at_us, bool *ret_is_nat)
{
    struct space_entry e;
    uint64_t id = 0;
    if (ret_is_nat)
        *ret_is_nat = false;
    if (!s->space || !space_find(s->space, a, at_us, &e))
        return 0;
    const char *blank = memchr(e.unit.p, ' ', e.unit.n);
    struct text number = {e.unit.p, blank ? (size_t)(blank - e.unit.p) : e.unit.n};
    if (text_u64(number, INT64_MAX, &id))
        return 0;
    if (ret_is_nat)
        *ret_is_nat = blank;
    return (int64_t)id;
}

int unit_publish_space(struct db *db, const char *data_dir, uint32_t *ret_version, uint64_t *ret_n, struct fault *f)
{
    struct list_report report = {0};
    uint64_t n = 0;
    _cleanup_close_ int fd = write_space(db, true, &n);
    if (ret_n)
        *ret_n = n;
    if (fd < 0 || db_failed(db))
        return fd < 0 ? FAULT(f, fd, no_memory, "unit_space") : db_failed(db);
    return n ? space_add(data_dir, fd, "units", &report, ret_version, f) : 1;
}
