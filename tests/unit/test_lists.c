/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: what is published, when nothing is, and that a step that fails or a process that dies leaves the old version. */
#include "cmocka_house.h"

#include "base/buf.h"
#include "failing_alloc.h"
#include "help_dir.h"
#include "watch/indicator/image.h"
#include "watch/indicator/lists.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

static int memory_file(const char *p, size_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_full(fd, p, n), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int add(const char *dir, const char *name, const char *text, struct list_report *report, uint32_t *version, struct fault *f)
{
    int fd = memory_file(text, strlen(text));
    *report = (struct list_report){0};
    int r = lists_add(dir, fd, &(struct list_add){.name = name, .file_name = "a.txt", .kind = LIST_WINDOWED, .letter = "12/CV", .family = "Mozi",
                                                  .date_us = INT64_C(1709226000) * US_PER_SECOND}, report, version, f);
    close(fd);
    return r;
}

static struct list *open_list(const char *dir, const char *name, uint32_t version)
{
    struct list *l;
    struct fault f;
    int r = lists_open(dir, name, version, &l, &f);
    if (r)
        print_error("%s\n", f.text);
    assert_int_equal(r, 0);
    return l;
}

static bool has(const struct list *l, const char *address)
{
    struct ip a;
    assert_int_equal(ip_parse(address, strlen(address), &a), 0);
    return list_has(l, &a);
}

static void versions_are_kept_and_the_last_is_current(void **state)
{
    (void)state;
    struct help_dir d = help_dir_new();
    struct list_report report;
    struct fault f;
    uint32_t version;
    uint64_t g[4];
    assert_int_equal(lists_generation(d.path, &g[0], &f), 0);
    assert_int_equal(add(d.path, "botnet", "1.2.3.4\n1.2.3.5\n", &report, &version, &f), 0);
    assert_int_equal(version, 1);
    assert_int_equal(lists_generation(d.path, &g[1], &f), 0);
    assert_int_equal(add(d.path, "botnet", "1.2.3.5\n1.2.3.6\n1.2.3.6\nx\n", &report, &version, &f), 0);
    assert_int_equal(version, 2);
    assert_int_equal(report.rows, 4);
    assert_int_equal(report.kept, 3);
    assert_int_equal(report.warned[LIST_WARNED_duplicate], 1);
    assert_int_equal(lists_generation(d.path, &g[2], &f), 0);
    assert_int_equal(lists_generation(d.path, &g[3], &f), 0);
    assert_true(g[0] != g[1] && g[1] != g[2] && g[2] == g[3]);
    struct list *old = open_list(d.path, "botnet", 1), *current = open_list(d.path, "botnet", 0);
    assert_true(has(old, "1.2.3.4") && has(old, "1.2.3.5") && !has(old, "1.2.3.6"));
    assert_true(!has(current, "1.2.3.4") && has(current, "1.2.3.5") && has(current, "1.2.3.6"));
    const struct list_about *a = list_about(current);
    assert_true(text_is(a->name, "botnet") && text_is(a->letter, "12/CV") && text_is(a->family, "Mozi") && text_is(a->file_name, "a.txt"));
    assert_int_equal(a->version, 2);
    assert_int_equal(a->kind, LIST_WINDOWED);
    assert_int_equal(a->n_entries, 3);
    assert_int_equal(a->n_addresses_v4, 2);
    assert_int_equal(a->valid_until_us, INT64_MAX);
    char family[16];
    struct ip address = ip_from_v4(0x01020306);
    assert_int_equal(list_family(current, &address, family, sizeof(family)), 4); /* of the list, for rows without one */
    struct list_diff diff;
    assert_int_equal(lists_diff(old, current, &diff, NULL, NULL), 0);
    assert_int_equal(diff.n_new, 1);
    assert_int_equal(diff.n_persistent, 1);
    assert_int_equal(diff.n_gone, 1);
    list_close(old);
    list_close(current);
    help_dir_free(&d);
}

static int sees(void *context, char what, const struct list_entry *e)
{
    char range[2 * IP_TEXT_MAX];
    ip_range_format(&e->range, range);
    buf_printf(context, "%c%s%s ", what, range, e->role == LIST_C2 ? "!" : "");
    return 0;
}

static void a_difference_compares_whole_entries_of_one_role(void **state)
{
    (void)state;
    struct help_dir d = help_dir_new();
    struct list_report report;
    struct fault f;
    assert_int_equal(add(d.path, "a", "ip,c2\n1.2.3.4,9.9.9.9\n1.2.3.0/24,\n2001:db8::/32,\n5.5.5.5,5.5.5.5\n1.2.3.4,\n", &report, NULL, &f), 0);
    assert_int_equal(add(d.path, "a", "ip,c2\n1.2.3.0/25,\n1.2.3.4,\n1.2.3.4,\n9.9.9.9,\n2001:db8::/32,\n5.5.5.5,\n2001:db8::1,\n", &report, NULL, &f), 0);
    struct list *old = open_list(d.path, "a", 1), *new = open_list(d.path, "a", 2);
    struct buf b = {.max = 4096};
    struct list_diff diff;
    assert_int_equal(lists_diff(old, new, &diff, sees, &b), 0);
    buf_add_byte(&b, 0);
    assert_string_equal((char *)b.p, "-1.2.3.0/24 +1.2.3.0/25 =1.2.3.4 =5.5.5.5 -5.5.5.5! +9.9.9.9 -9.9.9.9! =2001:db8::/32 +2001:db8::1 ");
    assert_int_equal(diff.n_new, 3);
    assert_int_equal(diff.n_gone, 3);
    assert_int_equal(diff.n_persistent, 3);
    buf_fini(&b);
    list_close(old);
    list_close(new);
    help_dir_free(&d);
}

static void nothing_is_published_from_what_is_no_list(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int expected;
    } cases[] = {{"x\ny\n", LISTS_NOTHING_VALID}, {"", LISTS_NOTHING_VALID}, {"# only a comment\n", LISTS_NOTHING_VALID},
                 {"1.2.3.4\nx\ny\n", LISTS_MOSTLY_BAD}, {"1.2.3.4\nx\n", 0}, {"1.2.3.4\na.example\nb.example\n", 0},
                 {"\x7f" "ELF binary", -EBADMSG}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct help_dir d = help_dir_new();
        struct list_report report;
        struct fault f = {0};
        struct list *l;
        assert_int_equal(add(d.path, "l", cases[i].text, &report, NULL, &f), cases[i].expected);
        if (cases[i].expected) {
            assert_true(f.text[0]);
            assert_int_equal(lists_open(d.path, "l", 0, &l, &f), -ENOENT);
        } else {
            list_close(open_list(d.path, "l", 0));
        }
        help_dir_free(&d);
    }
}

static void names_that_could_be_paths_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", ".", "..", ".hidden", "a/b", "../x", "a b", "t\xc3\xa9", "a23456789012345678901234567890123456789012345678901234567890123456"};
    struct help_dir d = help_dir_new();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct list_report report;
        struct fault f;
        struct list *l;
        assert_int_equal(add(d.path, names[i], "1.2.3.4\n", &report, NULL, &f), -EINVAL);
        assert_int_equal(lists_open(d.path, names[i], 0, &l, &f), -EINVAL);
    }
    help_dir_free(&d);
}

static int note_list(void *context, const char *name, uint32_t current, uint32_t n_versions)
{
    buf_printf(context, "%s %u of %u;", name, current, n_versions);
    return 0;
}

static void every_list_is_found_by_name(void **state)
{
    (void)state;
    struct help_dir d = help_dir_new();
    struct list_report report;
    struct fault f;
    struct buf b = {.max = 4096};
    struct list **lists;
    size_t n;
    assert_int_equal(lists_open_all(d.path, &lists, &n, &f), 0);
    assert_int_equal(n, 0);
    free(lists);
    assert_int_equal(add(d.path, "b", "1.2.3.4\n", &report, NULL, &f), 0);
    assert_int_equal(add(d.path, "a", "1.2.3.4\n", &report, NULL, &f), 0);
    assert_int_equal(add(d.path, "a", "1.2.3.4\n", &report, NULL, &f), 0);
    assert_int_equal(add(d.path, "c", "no\n", &report, NULL, &f), LISTS_NOTHING_VALID);
    assert_int_equal(lists_each(d.path, note_list, &b, &f), 0);
    buf_add_byte(&b, 0);
    assert_string_equal((char *)b.p, "a 2 of 2;b 1 of 1;");
    assert_int_equal(lists_open_all(d.path, &lists, &n, &f), 0);
    assert_int_equal(n, 2);
    assert_true(text_is(list_about(lists[0])->name, "a"));
    for (size_t i = 0; i < n; i++)
        list_close(lists[i]);
    free(lists);
    buf_fini(&b);
    help_dir_free(&d);
}

static void the_manifest_holds_the_sums_of_the_files(void **state)
{
    (void)state;
    struct help_dir d = help_dir_new();
    struct list_report report;
    struct fault f;
    char path[512];
    assert_int_equal(add(d.path, "l", "1.2.3.4\n", &report, NULL, &f), 0);
    snprintf(path, sizeof(path), "%s/lists/l/1/manifest", d.path);
    json_t *o = json_load_file(path, 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "name")), "l");
    assert_int_equal(json_integer_value(json_object_get(o, "version")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "raw"), "bytes")), 8);
    char command[1200], line[80] = "";
    const char *const files[] = {"raw", "compiled"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof(command), "sha256sum %s/lists/l/1/%s", d.path, files[i]);
        FILE *p = popen(command, "r");
        assert_non_null(p);
        assert_non_null(fgets(line, sizeof(line), p));
        pclose(p);
        line[64] = '\0';
        assert_string_equal(json_string_value(json_object_get(json_object_get(o, files[i]), "sha256")), line);
    }
    json_decref(o);
    help_dir_free(&d);
}

static void the_same_rows_compile_to_the_same_bytes(void **state)
{
    (void)state;
    static struct image_builder b;
    struct buf images[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(image_builder_init(&b), 0);
        for (uint32_t k = 0; k < 1000; k++) {
            uint32_t v4 = k * 2654435761u;
            struct list_row row = {.range = {ip_from_v4(v4), ip_from_v4(v4 | (k % 3 ? 0 : 255))}, .row = k + 1, .role = LIST_BOT,
                                   .family = k % 2 ? TEXT("Mirai") : TEXT("Mozi")};
            assert_int_equal(image_builder_add(&b, &row), 0);
        }
        assert_int_equal(image_builder_sort(&b), 0);
        int fd = memory_file("", 0);
        struct image_about about = {.magic = IMAGE_MAGIC_LIST, .name = TEXT("x"), .version = 3};
        assert_int_equal(image_builder_write(&b, fd, &about), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(file_read_all(fd, 1 << 20, &images[i].p, &images[i].n), 0);
        close(fd);
        image_builder_fini(&b);
    }
    assert_int_equal(images[0].n, images[1].n);
    assert_memory_equal(images[0].p, images[1].p, images[0].n);
    free(images[0].p);
    free(images[1].p);
}

/* a damaged image is refused, whatever byte is hit */
static void damage_to_an_image_is_seen(void **state)
{
    (void)state;
    struct help_dir d = help_dir_new();
    struct list_report report;
    struct fault f;
    char path[512];
    uint8_t *p;
    size_t n;
    assert_int_equal(add(d.path, "l", "ip,family\n1.2.3.4,Mirai\n5.0.0.0/8,\n2001:db8::1,Mozi\n", &report, NULL, &f), 0);
    snprintf(path, sizeof(path), "%s/lists/l/1/compiled", d.path);
    assert_int_equal(file_read_path(path, 1 << 20, &p, &n), 0);
    for (size_t i = 0; i < n; i += i < 600 ? 1 : 37) {
        if (i >= 8 + 2 && i < 12)
            continue; /* the minor version may differ: covered by the header's sum */
        struct list *l = NULL;
        p[i] ^= 0x20;
        int fd = memory_file((char *)p, n);
        assert_int_equal(list_open_fd(fd, "x", &l, &f), -EBADMSG);
        close(fd);
        p[i] ^= 0x20;
    }
    for (size_t cut = 0; cut < n; cut += 61) {
        struct list *l = NULL;
        int fd = memory_file((char *)p, cut);
        assert_int_equal(list_open_fd(fd, "x", &l, &f), -EBADMSG);
        close(fd);
    }
    free(p);
    help_dir_free(&d);
}

/* the own space */
static void add_space(const char *dir, const char *text)
{
    struct list_report report = {0};
    struct fault f;
    int fd = memory_file(text, strlen(text));
    int r = space_add(dir, fd, "space.csv", &report, NULL, &f);
    if (r)
        print_error("%s\n", f.text);
    assert_int_equal(r, 0);
    close(fd);
}

static void the_space_answers_by_prefix_and_by_time(void **state)
{
    (void)state;
    struct help_dir d = help_dir_new();
    struct space *s;
    struct fault f;
    assert_int_equal(space_open_current(d.path, &s, &f), 1);
    assert_null(s);
    add_space(d.path, "prefix,unit,valid_from,valid_to\n10.0.0.0/8,Ministry,,\n10.1.0.0/16,Old office,2023-01-01,2023-12-31\n"
                      "10.1.0.0/16,New office,2024-01-01,\n10.1.2.0/24,Lab,2024-06-01,2024-06-30\n203.162.0.0/24,,,\n2001:dc8::/32,v6 unit,,\n"
                      "10.9.0.0/16,First,2024-01-01,\n10.9.0.0/16,Later,2024-02-01,\n");
    static const struct {
        const char *address, *when, *unit; /* NULL: not ours */
    } cases[] = {{"10.200.0.1", "2020-01-01", "Ministry"}, {"10.1.9.9", "2022-12-31", "Ministry"}, {"10.1.9.9", "2023-06-01", "Old office"},
                 {"10.1.9.9", "2023-12-31 23:59:59", "Old office"}, {"10.1.9.9", "2024-01-01", "New office"}, {"10.1.2.3", "2024-05-31", "New office"},
                 {"10.1.2.3", "2024-06-15", "Lab"}, {"10.1.2.3", "2024-07-01", "New office"}, {"203.162.0.9", "2024-01-01", ""},
                 {"203.162.1.9", "2024-01-01", NULL}, {"2001:dc8::5", "2024-01-01", "v6 unit"}, {"2001:dc9::5", "2024-01-01", NULL},
                 {"10.9.1.1", "2024-01-15", "First"}, {"10.9.1.1", "2024-03-01", "Later"}};
    assert_int_equal(space_open_current(d.path, &s, &f), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ip a;
        int64_t at_us;
        struct space_entry e;
        assert_int_equal(ip_parse(cases[i].address, strlen(cases[i].address), &a), 0);
        assert_int_equal(clock_parse(cases[i].when, strlen(cases[i].when), ZONE_VIETNAM_S, &at_us), 0);
        assert_int_equal(space_find(s, &a, at_us, &e), cases[i].unit != NULL);
        if (cases[i].unit && !text_is(e.unit, cases[i].unit))
            print_error("%s at %s: '%.*s'\n", cases[i].address, cases[i].when, (int)e.unit.n, e.unit.p);
        assert_true(!cases[i].unit || text_is(e.unit, cases[i].unit));
    }
    assert_int_equal(space_n_entries(s), 8);
    space_close(s);
    struct list_report report;
    assert_int_equal(add(d.path, "l", "10.1.2.3\n8.8.8.8\n203.162.0.0/16\n", &report, NULL, &f), 0);
    assert_int_equal(report.warned[LIST_WARNED_own_address], 2);
    assert_int_equal(report.warned[LIST_WARNED_private_address], 1);
    help_dir_free(&d);
}

/* ---- crash safety: at every durable step fail, or die ---- */
static int step_number, fail_at;
static bool is_dying;

static int hook(const char *what)
{
    (void)what;
    if (++step_number != fail_at)
        return 0;
    if (is_dying)
        _exit(9);
    return -EIO;
}

/* what may be seen after an unfinished publication: the old list whole, or the new one whole */
static uint32_t check_whole(const char *dir)
{
    struct list *l = open_list(dir, "l", 0);
    uint32_t version = list_about(l)->version;
    assert_true(version == 1 || version == 2);
    assert_int_equal(has(l, "1.2.3.4"), version == 1);
    assert_int_equal(has(l, "1.2.3.5"), version == 2);
    list_close(l);
    return version;
}

static void every_step_that_fails_leaves_the_old_or_the_new_version(void **state)
{
    (void)state;
    unsigned n_steps = 0, n_old = 0;
    for (int dying = 0; dying < 2; dying++) {
        for (int at = 1;; at++) {
            struct help_dir d = help_dir_new();
            struct list_report report;
            struct fault f;
            assert_int_equal(add(d.path, "l", "1.2.3.4\n", &report, NULL, &f), 0);
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (!pid) {
                step_number = 0;
                fail_at = at;
                is_dying = dying;
                file_step_hook = hook;
                int fd = memfd_create("test", MFD_CLOEXEC);
                int r = write(fd, "1.2.3.5\n", 8) == 8 && !lseek(fd, 0, SEEK_SET)
                            ? lists_add(d.path, fd, &(struct list_add){.name = "l"}, &report, NULL, &f) : -1;
                _exit(r ? 1 : step_number < at ? 2 : 0);
            }
            int status;
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_true(WIFEXITED(status));
            bool ran_through = WEXITSTATUS(status) == 2;
            n_old += check_whole(d.path) == 1;
            n_steps++;
            /* the next one publishes whatever was left behind */
            assert_int_equal(add(d.path, "l", "1.2.3.6\n", &report, NULL, &f), 0);
            struct list *l = open_list(d.path, "l", 0);
            assert_true(has(l, "1.2.3.6"));
            list_close(l);
            help_dir_free(&d);
            if (ran_through)
                break;
        }
    }
    print_message("%u steps, %u left the old version\n", n_steps, n_old);
    assert_true(n_steps > 16);
}

struct work {
    struct help_dir d;
    const char *text;
};

/* no allocation of its own: one of these is to fail */
static int add_once(void *context)
{
    struct work *w = context;
    struct list_report report = {0};
    struct fault f;
    char path[512], current[16] = "";
    int fd = memory_file(w->text, strlen(w->text));
    int r = lists_add(w->d.path, fd, &(struct list_add){.name = "l", .family = "Mozi"}, &report, NULL, &f);
    close(fd);
    snprintf(path, sizeof(path), "%s/lists/l/current", w->d.path);
    fd = open(path, O_RDONLY);
    assert_true(read(fd, current, sizeof(current) - 1) > 0);
    close(fd);
    assert_string_equal(current, r ? "1\n" : "2\n");
    return r;
}

static void every_allocation_of_adding_may_fail(void **state)
{
    (void)state;
    static const char *const texts[] = {"1.2.3.9\n1.2.3.8\n1.2.0.0/16\n2001:db8::1\n", "ip,family,unit\n1.2.3.9,a,b\n1.2.3.8,b,c\n",
                                        "{\"ip\":\"1.2.3.9\"}\n{\"ip\":\"1.2.3.7\"}\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct work w = {.d = help_dir_new(), .text = texts[i]};
        struct list_report report;
        struct fault f;
        assert_int_equal(add(w.d.path, "l", "5.5.5.5\n", &report, NULL, &f), 0);
        assert_true(failing_alloc_each("lists_add", add_once, &w, false) > 8);
        help_dir_free(&w.d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_kept_and_the_last_is_current),
        cmocka_unit_test(a_difference_compares_whole_entries_of_one_role),
        cmocka_unit_test(nothing_is_published_from_what_is_no_list),
        cmocka_unit_test(names_that_could_be_paths_are_refused),
        cmocka_unit_test(every_list_is_found_by_name),
        cmocka_unit_test(the_manifest_holds_the_sums_of_the_files),
        cmocka_unit_test(the_same_rows_compile_to_the_same_bytes),
        cmocka_unit_test(damage_to_an_image_is_seen),
        cmocka_unit_test(the_space_answers_by_prefix_and_by_time),
        cmocka_unit_test(every_step_that_fails_leaves_the_old_or_the_new_version),
        cmocka_unit_test(every_allocation_of_adding_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
