/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record is written after the answer: it says what was found, not what was meant to be searched.
 */
#include "watch/hunt/record.h"

#include "base/file.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RECORD_BYTES = 4 << 20, NAMES_TRIED = 1000 };

static void put_time(struct buf *b, const char *name, int64_t us)
{
    char text[TIME_TEXT_MAX];
    if (us == INT64_MIN || us == INT64_MAX)
        return;
    clock_format_utc(us, text);
    buf_printf(b, ",\"%s\":\"%s\"", name, text);
}

static void put_number(struct buf *b, const char *name, uint64_t n)
{
    buf_printf(b, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void put_lists(struct buf *b, struct list *const *lists, size_t n_lists)
{
    buf_add_text(b, ",\"lists\":[");
    for (size_t i = 0; i < n_lists; i++) {
        const struct list_about *a = list_about(lists[i]);
        buf_add_text(b, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(b, a->name);
        put_number(b, "version", a->version);
        put_number(b, "entries", a->n_entries);
        put_time(b, "valid_until", a->valid_until_us);
        buf_add_byte(b, '}');
    }
    buf_add_byte(b, ']');
}

static void put_gaps(struct buf *b, const struct hunt_coverage *c)
{
    buf_add_text(b, ",\"gaps\":[");
    for (uint32_t i = 0; i < c->n_gaps; i++) {
        char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
        clock_format_utc(c->gaps[i].from_us, from);
        clock_format_utc(c->gaps[i].to_us, to);
        buf_printf(b, "%s{\"from\":\"%s\",\"to\":\"%s\"}", i ? "," : "", from, to);
    }
    buf_add_byte(b, ']');
    put_number(b, "gaps_unnamed", c->n_gaps_unnamed);
}

static void put_damage(struct buf *b, const struct hunt_coverage *c)
{
    buf_add_text(b, ",\"damaged\":[");
    for (uint32_t i = 0; i < c->n_damaged; i++) {
        if (i)
            buf_add_byte(b, ',');
        json_put_string(b, (struct text){c->damaged[i], strlen(c->damaged[i])});
    }
    buf_add_byte(b, ']');
    put_number(b, "damaged_unnamed", c->n_damaged_unnamed);
    put_number(b, "damaged_blocks", c->n_damaged_blocks);
}

void hunt_record_json(const struct hunt_coverage *c, struct list *const *lists, size_t n_lists, bool has_space,
                      int64_t at_us, struct buf *out)
{
    char at[TIME_TEXT_MAX];
    clock_format_utc(at_us, at);
    buf_printf(out, "{\"at\":\"%s\"", at);
    put_lists(out, lists, n_lists);
    buf_printf(out, ",\"own_space\":%s", has_space ? "true" : "false");
    put_time(out, "since", c->since_us);
    put_time(out, "until", c->until_us);
    if (c->from_us <= c->to_us) {
        put_time(out, "from", c->from_us);
        put_time(out, "to", c->to_us);
    }
    put_number(out, "segments", c->n_segments);
    put_number(out, "segments_outside", c->n_segments_outside);
    put_number(out, "rows", c->n_rows);
    put_number(out, "rows_listed", c->n_rows_listed);
    put_number(out, "rows_foreign", c->n_rows_foreign);
    put_number(out, "hits", c->n_hits);
    put_gaps(out, c);
    put_damage(out, c);
    buf_add_text(out, "}\n");
}

/* 20261120T081500Z-0.json */
static void name_of(int64_t at_us, unsigned n, char *out, size_t n_out)
{
    struct civil t = clock_civil(at_us, 0);
    snprintf(out, n_out, "%04d%02d%02dT%02d%02d%02dZ-%u.json", t.year, t.month, t.day, t.hour, t.minute, t.second, n);
}

static int write_record(int dir_fd, int64_t at_us, const struct buf *json)
{
    char name[64];
    for (unsigned n = 0; n < NAMES_TRIED; n++) {
        name_of(at_us, n, name, sizeof(name));
        int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640); /* takes the name */
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return -errno;
        close(fd);
        int r = file_replace(dir_fd, name, json->p, json->n);
        if (r)
            (void)unlinkat(dir_fd, name, 0);
        return r;
    }
    return -EEXIST;
}

static bool is_not_ours(int r)
{
    return r == -EACCES || r == -EPERM || r == -EROFS;
}

int hunt_record_write(const char *data_dir, const struct hunt_coverage *c, struct list *const *lists, size_t n_lists,
                      bool has_space, int64_t at_us, struct fault *f)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/hunts", data_dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return FAULT(f, -ENAMETOOLONG, hunt_record_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    struct buf json = {.max = RECORD_BYTES};
    hunt_record_json(c, lists, n_lists, has_space, at_us, &json);
    int r = json.is_bad ? -ENOMEM : file_make_dirs(path, 0750);
    int dir_fd = r ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!r && dir_fd < 0)
        r = -errno;
    if (!r)
        r = write_record(dir_fd, at_us, &json);
    if (dir_fd >= 0)
        close(dir_fd);
    buf_fini(&json);
    if (is_not_ours(r))
        return 1;
    return r ? FAULT(f, r, hunt_record_failed, path, strerrordesc_np(-r)) : 0;
}
