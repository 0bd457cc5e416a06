/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac export: what a question finds, as a folder that can be handed to an authority and checked without us: the records
 * as JSON lines, the chain of hashes of that moment, what was asked and what was searched, and the SHA-256 of each file.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "cli/cli.h"
#include "watch/query/output.h"
#include "watch/store/chain.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHAIN_BYTES_MAX ((size_t)1 << 30)

struct bundle {
    const struct cli_args *args;
    const char *path;
    int dir_fd;
    struct query_report report;
    struct buf about, sums;
    uint64_t n_rows, n_damaged_files;
};

static int cannot(struct bundle *b, int e, struct fault *f)
{
    return FAULT(f, e, export_cannot_write, b->path, strerrordesc_np(-e));
}

/* seal - sync a file of the bundle and note its SHA-256. */
static int seal(struct bundle *b, int fd, const char *name, struct fault *f)
{
    struct sha256 h;
    char hex[SHA256_TEXT_MAX];
    int r = fsync(fd) ? -errno : 0;
    if (!r)
        r = sha256_of_fd(fd, &h, NULL);
    if (r)
        return cannot(b, r, f);
    sha256_format(&h, hex);
    buf_printf(&b->sums, "%s  %s\n", hex, name);
    return 0;
}

static int write_file(struct bundle *b, const char *name, const void *p, size_t n, struct fault *f)
{
    _cleanup_close_ int fd = openat(b->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    int r = fd < 0 ? -errno : file_write_full(fd, p, n);
    return r ? cannot(b, r, f) : seal(b, fd, name, f);
}

static bool has_field(void *context, struct text name)
{
    const struct store_view *v = context;
    for (size_t i = 0; i < store_view_n_logs(v); i++)
        if (log_segment_has_field(store_view_log(v, i), name))
            return true;
    return false;
}

/* write_events - the answer to the question, whole rows. */
static int write_events(struct bundle *b, struct store_view *v, const struct query *q, const struct query_options *o, struct fault *f)
{
    struct output_options options = {.form = OUTPUT_JSON, .zone_s = ZONE_VIETNAM_S, .is_rows = true};
    int fd = openat(b->dir_fd, "events.jsonl", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "w+");
    struct output *out = to ? output_new(to, &options) : NULL;
    int r = out ? 0 : cannot(b, fd < 0 ? -errno : -ENOMEM, f);
    if (out) {
        struct query_sink sink = output_sink(out);
        r = query_run(v, q, o, &sink, &b->report, f);
        int w = output_flush(out);
        if (!r && w)
            r = cannot(b, w, f);
        b->n_rows = output_rows(out);
    }
    if (!r)
        r = seal(b, fd, "events.jsonl", f);
    output_free(out);
    if (to)
        fclose(to);
    else
        file_close(&fd);
    return r;
}

/* write_chain - as it stands now; a store of flows alone has none. */
static int write_chain(struct bundle *b, struct fault *f)
{
    char path[4096];
    uint8_t *p;
    size_t n;
    if (snprintf(path, sizeof(path), "%s/store/" CHAIN_NAME, b->args->data_dir) >= (int)sizeof(path))
        return cannot(b, -ENAMETOOLONG, f);
    int r = file_read_path(path, CHAIN_BYTES_MAX, &p, &n);
    if (r == -ENOENT)
        return 0;
    if (r)
        return FAULT(f, r, cli_cannot_read, path, strerrordesc_np(-r));
    r = write_file(b, CHAIN_NAME, p, n, f);
    free(p);
    return r;
}

static void put_time(struct buf *b, const char *what, int64_t us)
{
    char text[TIME_TEXT_MAX];
    clock_format_utc(us, text);
    buf_printf(b, "%s: %s\n", what, us == INT64_MIN || us == INT64_MAX ? "-" : text);
}

/* describe - for whoever reads the folder years later: names in English, as the keys of the records are. */
static void describe(struct bundle *b, const struct query_options *o)
{
    struct buf *t = &b->about;
    buf_printf(t, "program: vonggac %s\n", VONGGAC_VERSION);
    put_time(t, "made", clock_now_us());
    buf_printf(t, "question: %s\n", b->args->operands[1]);
    put_time(t, "since", o->since_us);
    put_time(t, "until", o->until_us);
    buf_printf(t, "letter: %s\n", b->args->value[CLI_LETTER] ? b->args->value[CLI_LETTER] : "-");
    buf_printf(t, "records: %llu\n", (unsigned long long)b->n_rows);
    buf_printf(t, "segments searched: %llu of %llu, holding %llu records\n", (unsigned long long)b->report.n_segments_read,
               (unsigned long long)b->report.n_segments, (unsigned long long)b->report.n_rows);
    buf_printf(t, "damaged blocks left out: %llu\ndamaged files left out: %llu\n", (unsigned long long)b->report.n_damaged_blocks,
               (unsigned long long)b->n_damaged_files);
    buf_add_text(t, "files: events.jsonl (one record a line, ECS names; event.original is the untouched record), CHAIN (SHA-256 of every "
                    "sealed segment of logs, each line linked with all before), SHA256SUMS (check with: sha256sum -c SHA256SUMS)\n");
}

static int fill(struct bundle *b, struct store_view *v, const struct query *q, const struct query_options *o, struct fault *f)
{
    int r = write_events(b, v, q, o, f);
    if (!r)
        r = write_chain(b, f);
    if (r)
        return r;
    b->n_damaged_files = store_view_n_damaged(v);
    describe(b, o);
    r = b->about.is_bad ? cannot(b, -ENOMEM, f) : write_file(b, "ABOUT", b->about.p, b->about.n, f);
    if (r)
        return r;
    _cleanup_close_ int fd = openat(b->dir_fd, "SHA256SUMS", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    r = fd < 0 ? -errno : file_write_full(fd, b->sums.p, b->sums.n);
    if (!r)
        r = fsync(fd) ? -errno : file_sync_dir(b->dir_fd);
    return r ? cannot(b, r, f) : 0;
}

int cli_export(const struct cli_args *a)
{
    struct bundle b = {.args = a, .path = a->operands[0], .dir_fd = -1, .about.max = 1 << 20, .sums.max = 1 << 16};
    struct query_options o = {.n_threads = cli_threads(a)};
    struct store_view *view = NULL;
    struct query *q = NULL;
    struct fault f = {0};
    if (cli_window(a, &o.since_us, &o.until_us))
        return EXIT_FAILED;
    int r = store_view_open(a->data_dir, &view, &f);
    struct query_language language = {.zone_s = ZONE_VIETNAM_S, .now_us = clock_now_us(), .has_field = has_field, .context = view};
    if (!r)
        r = query_parse(a->operands[1], strlen(a->operands[1]), &language, &q, &f);
    if (!r && !query_is_rows(q))
        r = FAULT(&f, -EINVAL, export_wants_rows);
    if (!r && mkdir(b.path, 0750))
        r = cannot(&b, -errno, &f);
    if (!r) {
        b.dir_fd = open(b.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = b.dir_fd < 0 ? cannot(&b, -errno, &f) : fill(&b, view, q, &o, &f);
    }
    if (r)
        cli_fail(&f);
    else
        SAY(stderr, export_done, b.path, message_count(b.n_rows));
    bool is_short = b.report.n_damaged_blocks || b.n_damaged_files;
    file_close(&b.dir_fd);
    buf_fini(&b.about);
    buf_fini(&b.sums);
    query_free(q);
    if (view)
        store_view_close(view);
    return r || is_short ? EXIT_FAILED : EXIT_DONE;
}
