/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "cmocka_house.h"
#include "failing_alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char path[64];
    int fd;
};

static int make_place(void **state)
{
    static struct place place;
    snprintf(place.path, sizeof(place.path), "/tmp/vonggac-test-file-XXXXXX");
    if (!mkdtemp(place.path))
        return -1;
    place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = &place;
    file_step_hook = NULL;
    return place.fd < 0 ? -1 : 0;
}

/* files - how many names stand in the directory; removes them if asked */
static int files(struct place *place, bool removes)
{
    DIR *d = opendir(place->path);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        n++;
        if (removes && unlinkat(place->fd, e->d_name, 0))
            assert_int_equal(unlinkat(place->fd, e->d_name, AT_REMOVEDIR), 0);
    }
    closedir(d);
    return n;
}

static int clean_place(void **state)
{
    struct place *place = *state;
    file_step_hook = NULL;
    files(place, true);
    close(place->fd);
    return rmdir(place->path);
}

static void path_of(const struct place *place, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", place->path, name);
}

static void expect_content(const struct place *place, const char *name, const char *expected)
{
    char path[128];
    path_of(place, name, path);
    _cleanup_free_ uint8_t *p = NULL;
    size_t n = 0;
    assert_int_equal(file_read_path(path, 1 << 20, &p, &n), 0);
    assert_int_equal(n, strlen(expected));
    assert_string_equal((char *)p, expected); /* it is terminated */
}

static void a_replaced_file_has_the_new_content_and_nothing_beside_it(void **state)
{
    struct place *place = *state;
    assert_int_equal(file_replace(place->fd, "a", "one", 3), 0);
    assert_int_equal(file_replace(place->fd, "a", "second", 6), 0);
    expect_content(place, "a", "second");
    assert_int_equal(files(place, false), 1);
    struct stat st;
    assert_int_equal(fstatat(place->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0007, 0); /* nothing for others */
}

static int step_countdown;

static int fail_step(const char *what)
{
    (void)what;
    return --step_countdown == 0 ? -EIO : 0;
}

static void whichever_step_fails_the_old_or_the_new_content_is_whole(void **state)
{
    struct place *place = *state;
    assert_int_equal(file_replace(place->fd, "a", "old", 3), 0);
    file_step_hook = fail_step;
    int n_steps = 0;
    for (int i = 1;; i++) {
        step_countdown = i;
        int r = file_replace(place->fd, "a", "new!", 4);
        if (step_countdown > 0) {
            assert_int_equal(r, 0);
            break;
        }
        n_steps = i;
        assert_int_equal(r, -EIO);
        assert_int_equal(files(place, false), 1);
        if (i < 4) /* write, sync, rename: not yet visible; the last is the sync of the directory */
            expect_content(place, "a", "old");
        else
            expect_content(place, "a", "new!");
    }
    assert_int_equal(n_steps, 4);
    expect_content(place, "a", "new!");
}

static void a_link_planted_under_the_name_beside_is_not_followed(void **state)
{
    struct place *place = *state;
    assert_int_equal(file_replace(place->fd, "victim", "safe", 4), 0);
    for (unsigned i = 0; i < 64; i++) { /* whatever serial comes next */
        char name[64];
        snprintf(name, sizeof(name), ".b.%d.%u.new", (int)getpid(), i);
        assert_int_equal(symlinkat("victim", place->fd, name), 0);
    }
    assert_int_equal(file_replace(place->fd, "b", "content", 7), 0);
    expect_content(place, "victim", "safe");
    expect_content(place, "b", "content");
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    struct place *place = *state;
    char name[300];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(file_replace(place->fd, name, "x", 1), -ENAMETOOLONG);
    assert_int_equal(files(place, false), 0);
}

static void the_maximum_size_is_kept_to_the_byte(void **state)
{
    struct place *place = *state;
    char path[128];
    path_of(place, "a", path);
    assert_int_equal(file_replace(place->fd, "a", "0123456789", 10), 0);
    uint8_t *p = NULL;
    size_t n;
    assert_int_equal(file_read_path(path, 9, &p, &n), -EFBIG);
    assert_int_equal(file_read_path(path, 10, &p, &n), 0);
    assert_int_equal(n, 10);
    free(p);
    assert_int_equal(file_read_path("/nonexistent/x", 10, &p, &n), -ENOENT);
    assert_int_equal(file_read_path(place->path, 10, &p, &n), -EISDIR);
}

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 1 << 18) >= 1 << 18, 1);
    static uint8_t sent[200000];
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 31 >> 3);
    assert_int_equal(file_write_full(fds[1], sent, sizeof(sent)), 0);
    close(fds[1]);
    uint8_t *p = NULL;
    size_t n = 0;
    assert_int_equal(file_read_all(fds[0], 1 << 20, &p, &n), 0);
    assert_int_equal(n, sizeof(sent));
    assert_memory_equal(p, sent, n);
    free(p);
    close(fds[0]);
}

static void reading_past_the_end_is_an_error(void **state)
{
    struct place *place = *state;
    assert_int_equal(file_replace(place->fd, "a", "0123456789", 10), 0);
    _cleanup_close_ int fd = openat(place->fd, "a", O_RDONLY);
    char got[10];
    assert_int_equal(file_pread_full(fd, got, 4, 6), 0);
    assert_memory_equal(got, "6789", 4);
    assert_int_equal(file_pread_full(fd, got, 5, 6), -EIO);
    assert_int_equal(file_pread_full(fd, got, 0, 100), 0);
    assert_int_equal(file_pread_full(-1, got, 1, 0), -EBADF);
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    _cleanup_close_ int fd = open("/dev/full", O_WRONLY);
    if (fd < 0) {
        print_message("skipped: no /dev/full here\n");
        skip();
    }
    assert_int_equal(file_write_full(fd, "x", 1), -ENOSPC);
}

static void directories_are_made_where_they_are_missing(void **state)
{
    struct place *place = *state;
    char path[128];
    path_of(place, "x/y//z/", path);
    assert_int_equal(file_make_dirs(path, 0750), 0);
    assert_int_equal(file_make_dirs(path, 0750), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(file_replace(place->fd, "file", "", 0), 0);
    path_of(place, "file", path);
    assert_int_equal(file_make_dirs(path, 0750), -ENOTDIR);
    path_of(place, "file/below", path);
    assert_int_equal(file_make_dirs(path, 0750), -ENOTDIR);
    assert_int_equal(file_make_dirs("", 0750), -ENOENT);
    assert_int_equal(file_make_dirs("/", 0750), 0);
    assert_int_equal(unlinkat(place->fd, "x/y/z", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(place->fd, "x/y", AT_REMOVEDIR), 0);
}

static void closing_keeps_errno_and_forgets_the_descriptor(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY), none = -1;
    errno = EXDEV;
    file_close(&fd);
    file_close(&none);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(fd, -1);
}

static int read_and_make(void *context)
{
    struct place *place = context;
    char path[128];
    int r = file_make_dirs(place->path, 0750);
    if (r)
        return r;
    path_of(place, "big", path);
    int fds[2];
    assert_int_equal(pipe(fds), 0); /* a pipe has no size: the buffer must grow */
    static const uint8_t zeros[60000];
    assert_int_equal(file_write_full(fds[1], zeros, sizeof(zeros)), 0);
    close(fds[1]);
    uint8_t *p = NULL;
    size_t n;
    r = file_read_all(fds[0], 1 << 20, &p, &n);
    close(fds[0]);
    if (!r) {
        assert_int_equal(n, sizeof(zeros));
        free(p);
        r = file_read_path(path, 1 << 20, &p, &n);
    }
    if (!r)
        free(p);
    return r;
}

static void it_survives_every_failing_allocation(void **state)
{
    struct place *place = *state;
    assert_int_equal(file_replace(place->fd, "big", "0123456789", 10), 0);
    assert_true(failing_alloc_each("making and reading", read_and_make, place, false) >= 3);
}

#define PLACED(f) cmocka_unit_test_setup_teardown(f, make_place, clean_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(a_replaced_file_has_the_new_content_and_nothing_beside_it),
        PLACED(whichever_step_fails_the_old_or_the_new_content_is_whole),
        PLACED(a_link_planted_under_the_name_beside_is_not_followed),
        PLACED(a_name_that_is_too_long_is_refused),
        PLACED(the_maximum_size_is_kept_to_the_byte),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        PLACED(reading_past_the_end_is_an_error),
        cmocka_unit_test(a_full_disk_is_reported),
        PLACED(directories_are_made_where_they_are_missing),
        cmocka_unit_test(closing_keeps_errno_and_forgets_the_descriptor),
        PLACED(it_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
