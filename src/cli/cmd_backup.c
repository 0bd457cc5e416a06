/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac backup FILE | restore FILE: the office's state, copied while it works, put back while nothing runs. The copy is made
 * and judged in DIR/office as its owner; the user's file is read and written with the user's own rights.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/owner.h"
#include "node/control.h"
#include "state/audit.h"
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 4096, PIECE_BYTES = 256 << 10 };

static int fail_at(const char *path, int r)
{
    char shown[300];
    SAY(stderr, backup_failed, text_escape(path, strlen(path), shown, sizeof(shown)), strerror(-r));
    return EXIT_FAILED;
}

/* copy - all of @from, durable. Return: 0 or -errno. */
static int copy(int from, int to)
{
    static uint8_t piece[PIECE_BYTES];
    for (;;) {
        ssize_t n = read(from, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 || fsync(to) ? -errno : 0;
        int r = file_write_full(to, piece, (size_t)n);
        if (r)
            return r;
    }
}

/* write_out - @from to the user's @path: written beside, then renamed. */
static int write_out(int from, const char *path)
{
    char beside[PATH_MAX_BYTES];
    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        return -ENAMETOOLONG;
    cli_as_invoker();
    int dir = cli_open_at();
    unlinkat(dir, beside, 0);
    _cleanup_close_ int to = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = to < 0 ? -errno : copy(from, to);
    if (!r && renameat(dir, beside, dir, path))
        r = -errno;
    if (r && to >= 0)
        unlinkat(dir, beside, 0);
    cli_as_owner();
    return r;
}

static void say_made(const char *file, const struct state_about *about)
{
    char hex[SHA256_TEXT_MAX], shown[300];
    sha256_format(&about->head, hex);
    SAY(stdout, backup_made, text_escape(file, strlen(file), shown, sizeof(shown)), message_count(about->n_entries), hex,
        message_count(about->n_content));
    SAY(stdout, backup_without);
}

int cli_backup(const struct cli_args *a)
{
    char path[PATH_MAX_BYTES];
    struct state_about about;
    struct fault f = {0};
    const char *data_dir = cli_become_owner(a->data_dir);
    snprintf(path, sizeof(path), "%s/office/backup.%ld", data_dir, (long)getpid());
    if (state_backup(data_dir, path, clock_now_us(), &about, &f))
        return cli_fail(&f);
    _cleanup_close_ int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    unlink(path);
    int r = from < 0 ? -errno : write_out(from, a->operands[0]);
    if (r)
        return fail_at(a->operands[0], r);
    say_made(a->operands[0], &about);
    return EXIT_DONE;
}

/* --- restore ----------------------------------------------------------------------------------------------------- */

static bool is_running(const char *data_dir)
{
    int fd = control_connect(data_dir);
    bool is = fd >= 0;
    file_close(&fd);
    return is;
}

/* take_in - the user's file into DIR/office. */
static int take_in(const char *data_dir, int from, const char *path)
{
    char dir[PATH_MAX_BYTES];
    snprintf(dir, sizeof(dir), "%s/office", data_dir);
    int r = file_make_dirs(dir, 0750);
    if (r)
        return r;
    unlink(path);
    _cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    r = to < 0 ? -errno : copy(from, to);
    if (r)
        unlink(path);
    return r;
}

static void say_restored(const struct state_about *about)
{
    char hex[SHA256_TEXT_MAX];
    sha256_format(&about->head, hex);
    SAY(stdout, restore_done, message_count(about->n_entries), hex);
    if (about->kept[0])
        SAY(stdout, restore_kept, about->kept);
    if (about->n_missing)
        SAY(stdout, restore_missing, message_count(about->n_missing), message_count(about->n_content), about->first_missing);
    SAY(stdout, restore_without);
}

/* write_audit - in the trail of files too: the state's own has just gone back in time. */
static int write_audit(const struct cli_args *a, const char *data_dir, const struct state_about *about)
{
    char hex[SHA256_TEXT_MAX], result[200];
    struct fault f = {0};
    sha256_format(&about->head, hex);
    snprintf(result, sizeof(result), "%llu entries, head %s, before: %s", (unsigned long long)about->n_entries, hex, about->kept);
    const struct audit_entry e = {.action = "state.restore", .object = a->operands[0], .why = a->value[CLI_PURPOSE], .result = result};
    return audit_add(data_dir, &e, &f) ? cli_fail(&f) : EXIT_DONE;
}

static int say_broken(const struct state_about *about)
{
    if (about->trail.first_wrong)
        SAY(stderr, trail_wrong, (unsigned long long)about->trail.first_wrong);
    if (about->trail.n_objects_wrong)
        SAY(stderr, trail_objects_wrong, message_count(about->trail.n_objects_wrong), about->trail.wrong_object);
    SAY(stderr, restore_refused);
    return EXIT_FAILED;
}

int cli_restore(const struct cli_args *a)
{
    char path[PATH_MAX_BYTES];
    struct state_about about;
    struct fault f = {0};
    _cleanup_close_ int from = cli_open(a->operands[0]);
    if (from < 0)
        return EXIT_FAILED;
    const char *data_dir = cli_become_owner(a->data_dir);
    if (is_running(data_dir)) {
        SAY(stderr, restore_running, a->data_dir);
        return EXIT_FAILED;
    }
    snprintf(path, sizeof(path), "%s/office/restore.%ld", data_dir, (long)getpid());
    int r = take_in(data_dir, from, path);
    if (r)
        return fail_at(path, r);
    r = state_restore(data_dir, path, clock_now_us(), &about, &f);
    if (r)
        unlink(path);
    if (r == STATE_BROKEN_TRAIL)
        return say_broken(&about);
    if (r)
        return cli_fail(&f);
    say_restored(&about);
    return write_audit(a, data_dir, &about);
}
