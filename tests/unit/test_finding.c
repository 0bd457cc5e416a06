/* SPDX-License-Identifier: Apache-2.0 */
/* The finding journal: in order, once, nothing acknowledged lost, nothing trimmed in silence. */
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "help_dir.h"

#include "base/file.h"
#include "watch/detect/finding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int setup(void **state)
{
    struct help_dir *d = malloc(sizeof(*d));
    *d = help_dir_new();
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    file_step_hook = NULL;
    help_dir_free(*state);
    free(*state);
    return 0;
}

static struct findings *open_journal(void **state, uint64_t max_bytes)
{
    struct help_dir *d = *state;
    struct findings *w;
    struct fault f = {0};
    assert_int_equal(findings_open(d->path, max_bytes, &w, &f), 0);
    return w;
}

static struct finding_id id_of(uint64_t n)
{
    struct finding_id id = {{0}};
    memcpy(id.b, &n, sizeof(n));
    return id;
}

static void add(struct findings *w, uint64_t n, const char *payload)
{
    struct finding_id id = id_of(n);
    assert_int_equal(findings_add(w, &id, 1, (struct text){payload, strlen(payload)}), 0);
}

struct seen {
    uint64_t n, first, last, bytes;
};

static int see(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    struct seen *s = context;
    struct finding_id expected = id_of(sequence);
    assert_int_equal(revision, 1);
    assert_memory_equal(id->b, expected.b, 16);
    if (!s->n)
        s->first = sequence;
    else
        assert_int_equal(sequence, s->last + 1);
    s->last = sequence;
    s->bytes += payload.n;
    s->n++;
    return 0;
}

static struct seen read_all(void **state, uint64_t from)
{
    struct help_dir *d = *state;
    struct seen s = {0};
    struct fault f = {0};
    assert_int_equal(findings_read(d->path, from, see, &s, &f), 0);
    return s;
}

static void what_is_committed_is_read_in_order(void **state)
{
    struct findings *w = open_journal(state, 0);
    struct fault f;
    add(w, 1, "{}");
    add(w, 2, "{\"a\":1}");
    assert_int_equal(read_all(state, 0).n, 0); /* not yet committed */
    assert_int_equal(findings_commit(w, &f), 0);
    assert_int_equal(read_all(state, 0).n, 2);
    assert_int_equal(read_all(state, 2).first, 2);
    findings_close(w);
    w = open_journal(state, 0);
    add(w, 3, "{}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    struct seen s = read_all(state, 0);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.last, 3);
}

/* the last file of the journal, opened for damage */
static int open_first_file(void **state)
{
    struct help_dir *d = *state;
    char path[4200];
    snprintf(path, sizeof(path), "%s/findings/00000000000000000001.fjl", d->path);
    return open(path, O_RDWR);
}

static void a_torn_tail_is_cut_wherever_it_is_torn(void **state)
{
    struct findings *w = open_journal(state, 0);
    struct fault f;
    add(w, 1, "{\"own.ip\":\"192.0.2.1\"}");
    assert_int_equal(findings_commit(w, &f), 0);
    int fd = open_first_file(state);
    off_t whole = lseek(fd, 0, SEEK_END);
    add(w, 2, "{\"own.ip\":\"192.0.2.2\"}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    off_t end = lseek(fd, 0, SEEK_END);
    char copy[512];
    assert_int_equal(pread(fd, copy, sizeof(copy), 0), end);
    for (off_t cut = end - 1; cut >= whole; cut--) {
        assert_int_equal(pwrite(fd, copy, (size_t)end, 0), end);
        assert_int_equal(ftruncate(fd, cut), 0);
        assert_int_equal(read_all(state, 0).n, 1);
        w = open_journal(state, 0);
        add(w, 2, "{}");
        assert_int_equal(findings_commit(w, &f), 0);
        findings_close(w);
        assert_int_equal(read_all(state, 0).n, 2);
    }
    close(fd);
}

static void a_file_that_was_only_begun_is_no_obstacle(void **state)
{
    struct findings *w = open_journal(state, 0);
    struct fault f;
    add(w, 1, "{}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    int fd = open_first_file(state);
    for (off_t cut = 32; cut >= 0; cut--) { /* killed before the header was whole, or before the first record */
        assert_int_equal(ftruncate(fd, cut), 0);
        close(fd);
        w = open_journal(state, 0);
        add(w, 1, "{}");
        assert_int_equal(findings_commit(w, &f), 0);
        findings_close(w);
        assert_int_equal(read_all(state, 0).n, 1);
        fd = open_first_file(state);
        assert_true(fd >= 0);
    }
    close(fd);
}

static void a_file_with_a_damaged_header_is_set_aside_and_its_numbers_are_not_given_again(void **state)
{
    struct help_dir *d = *state;
    struct findings *w = open_journal(state, 0);
    struct findings_state s;
    struct fault f;
    char path[4200];
    add(w, 1, "{}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    int fd = open_first_file(state);
    assert_int_equal(pwrite(fd, "X", 1, 20), 1);
    close(fd);
    w = open_journal(state, 0);
    findings_get_state(w, &s);
    assert_int_equal(s.n_damaged, 1);
    assert_true(s.next_sequence > 1);
    snprintf(path, sizeof(path), "%s/findings/00000000000000000001.fjl.damaged", d->path);
    assert_int_equal(access(path, F_OK), 0);
    add(w, s.next_sequence, "{}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    assert_int_equal(read_all(state, 0).n, 1);
}

static void a_reader_that_saw_what_a_power_cut_took_misses_nothing_new(void **state)
{
    struct help_dir *d = *state;
    struct findings *w = open_journal(state, 0);
    struct findings_state s;
    struct fault f;
    for (unsigned i = 1; i <= 3; i++)
        add(w, i, "{}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    assert_int_equal(findings_set_cursor(d->path, "office", 3, &f), 0);
    int fd = open_first_file(state);
    assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0); /* the third is gone */
    close(fd);
    w = open_journal(state, 0);
    findings_get_state(w, &s);
    assert_int_equal(s.next_sequence, 4);
    add(w, 4, "{}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    assert_int_equal(read_all(state, 4).n, 1);
}

static void a_flipped_bit_ends_the_reading_there(void **state)
{
    struct findings *w = open_journal(state, 0);
    struct fault f;
    add(w, 1, "{}");
    add(w, 2, "{\"flows\":12}");
    assert_int_equal(findings_commit(w, &f), 0);
    findings_close(w);
    int fd = open_first_file(state);
    off_t end = lseek(fd, 0, SEEK_END);
    char byte;
    assert_int_equal(pread(fd, &byte, 1, end - 3), 1);
    byte = (char)(byte ^ 4);
    assert_int_equal(pwrite(fd, &byte, 1, end - 3), 1);
    close(fd);
    assert_int_equal(read_all(state, 0).n, 1);
}

/* fill - about 8 MiB a file: records of 60 000 bytes, numbered from @from. */
static void fill(struct findings *w, uint64_t from, uint64_t to)
{
    struct fault f;
    char *payload = malloc(60000);
    memset(payload, ' ', 60000);
    for (uint64_t i = from; i <= to; i++) {
        struct finding_id id = id_of(i);
        assert_int_equal(findings_add(w, &id, 1, (struct text){payload, 60000}), 0);
        if (i % 50 == 0)
            assert_int_equal(findings_commit(w, &f), 0);
    }
    assert_int_equal(findings_commit(w, &f), 0);
    free(payload);
}

static void files_below_the_lowest_cursor_go(void **state)
{
    struct help_dir *d = *state;
    struct findings *w = open_journal(state, 0);
    struct findings_state s;
    struct fault f;
    assert_int_equal(findings_set_cursor(d->path, "office", 0, &f), 0);
    assert_int_equal(findings_set_cursor(d->path, "link", 0, &f), 0);
    fill(w, 1, 600); /* four files and a bit */
    assert_int_equal(read_all(state, 0).n, 600);
    assert_int_equal(findings_set_cursor(d->path, "office", 600, &f), 0);
    assert_int_equal(findings_set_cursor(d->path, "link", 250, &f), 0);
    fill(w, 601, 601);
    findings_get_state(w, &s);
    struct seen left = read_all(state, 0);
    assert_true(left.first > 1);
    assert_true(left.first <= 251); /* nothing that "link" has not read */
    assert_int_equal(left.last, 601);
    assert_int_equal(s.trimmed_unread, 0);
    assert_int_equal(s.n_cursors, 2);
    assert_int_equal(s.lowest_cursor, 250);
    findings_close(w);
}

static void the_size_cap_trims_and_says_so(void **state)
{
    struct help_dir *d = *state;
    struct findings *w = open_journal(state, (uint64_t)20 << 20);
    struct findings_state s;
    struct fault f;
    assert_int_equal(findings_set_cursor(d->path, "office", 10, &f), 0);
    fill(w, 1, 900);
    findings_get_state(w, &s);
    struct seen left = read_all(state, 0);
    assert_true(left.n * 60000 <= ((uint64_t)20 << 20) + FINDING_FILE_BYTES);
    assert_true(s.trimmed_unread > 0);
    assert_int_equal(s.trimmed_unread, left.first - 1 - 10); /* ten had been read */
    findings_close(w);
}

static void cursors_are_durable_and_named(void **state)
{
    struct help_dir *d = *state;
    struct fault f;
    uint64_t at = 7;
    assert_int_equal(findings_cursor(d->path, "office", &at), 1);
    assert_int_equal(findings_set_cursor(d->path, "office", 41, &f), 0);
    assert_int_equal(findings_set_cursor(d->path, "office", 42, &f), 0);
    assert_int_equal(findings_cursor(d->path, "office", &at), 0);
    assert_int_equal(at, 42);
    assert_int_equal(findings_set_cursor(d->path, "../office", 1, &f), -EINVAL);
    assert_int_equal(findings_set_cursor(d->path, ".hidden", 1, &f), -EINVAL);
    assert_int_equal(findings_set_cursor(d->path, "", 1, &f), -EINVAL);
}

static int fail_writes(const char *what)
{
    (void)what;
    return -ENOSPC;
}

static void a_full_disk_loses_nothing_that_was_committed(void **state)
{
    struct findings *w = open_journal(state, 0);
    struct fault f;
    add(w, 1, "{}");
    assert_int_equal(findings_commit(w, &f), 0);
    add(w, 2, "{}");
    file_step_hook = fail_writes;
    assert_int_equal(findings_commit(w, &f), -ENOSPC);
    file_step_hook = NULL;
    assert_int_equal(read_all(state, 0).n, 1);
    assert_int_equal(findings_commit(w, &f), 0); /* room again: the same records go in */
    assert_int_equal(read_all(state, 0).n, 2);
    findings_close(w);
}

static void a_payload_has_a_limit(void **state)
{
    struct findings *w = open_journal(state, 0);
    struct finding_id id = id_of(1);
    char *big = calloc(1, FINDING_MAX_PAYLOAD + 1);
    assert_int_equal(findings_add(w, &id, 1, (struct text){big, FINDING_MAX_PAYLOAD + 1}), -EMSGSIZE);
    assert_int_equal(findings_add(w, &id, 1, (struct text){big, FINDING_MAX_PAYLOAD}), 0);
    free(big);
    findings_close(w);
}

static int open_add_commit(void *context)
{
    struct help_dir *d = context;
    struct findings *w;
    struct fault f = {0};
    int r = findings_open(d->path, 1 << 20, &w, &f);
    if (r)
        return r;
    struct finding_id id = id_of(1);
    r = findings_add(w, &id, 1, TEXT("{}"));
    if (!r)
        r = findings_commit(w, &f);
    findings_close(w);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    failing_alloc_each("finding journal", open_add_commit, *state, true); /* trimming may wait */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_committed_is_read_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_cut_wherever_it_is_torn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_was_only_begun_is_no_obstacle, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_with_a_damaged_header_is_set_aside_and_its_numbers_are_not_given_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_saw_what_a_power_cut_took_misses_nothing_new, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flipped_bit_ends_the_reading_there, setup, teardown),
        cmocka_unit_test_setup_teardown(files_below_the_lowest_cursor_go, setup, teardown),
        cmocka_unit_test_setup_teardown(the_size_cap_trims_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(cursors_are_durable_and_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing_that_was_committed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_payload_has_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
