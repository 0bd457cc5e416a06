/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published lists as their makers serve them, unpacked by xz and tar; the numbers beside them come from awk and grep
 * over the same bytes, in this run.
 */
#include "cmocka_house.h"

#include "help_dir.h"
#include "watch/indicator/lists.h"
#include "watch/indicator/match.h"

#include <stdio.h>
#include <sys/mman.h>

static char shared_path[512];

static void find_shared(void)
{
    const char *shared = getenv("VONGGAC_SHARED");
    snprintf(shared_path, sizeof(shared_path), "%s/data", shared ? shared : "../shared");
    if (access(shared_path, R_OK)) {
        print_message("skipped: %s is absent\n", shared_path);
        skip();
    }
}

/* output of a shell script, which knows the shared data as $D and the words as $A and $B, as a memory file */
static int output_of(const char *script, const char *a, const char *b)
{
    char command[2048], piece[65536];
    snprintf(command, sizeof(command), "D='%s'; A='%s'; B='%s'; %s", shared_path, a, b, script);
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t got;
    while ((got = fread(piece, 1, sizeof(piece), p)) > 0)
        assert_int_equal(file_write_full(fd, piece, got), 0);
    assert_int_equal(pclose(p), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static uint64_t number_from(const char *script, const char *a, const char *b)
{
    char text[64] = "";
    int fd = output_of(script, a, b);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    return strtoull(text, NULL, 10);
}

static struct list *compile(int fd, struct list_report *report)
{
    struct list *l = NULL;
    struct fault f;
    *report = (struct list_report){0};
    int r = lists_compile(fd, &(struct list_add){.name = "real"}, report, &l, &f);
    close(fd);
    if (r)
        print_error("%s\n", f.text);
    assert_int_equal(r, 0);
    return l;
}

/* the scripts: a monthly list, a plain one, one of a family, without comments */
#define MONTH "month() { tar xJOf $D/iplists/threatfox-monthly.tar.xz --wildcards \"*$1.txt\"; }; rows() { awk 'NF && !/^#/'; }; "
#define PLAIN "plain() { xz -dc $D/iplists/$A.txt.xz; }; "
#define FAMILY "family() { tar xJOf $D/iplists/maltrail-families.tar.xz --wildcards \"*/$A.txt\" \"$A.txt\" 2>/dev/null | tr -d '\\r'; }; "

static void monthly_lists_load_whole_and_cumulative_ones_only_grow_by_what_is_new(void **state)
{
    (void)state;
    find_shared();
    static const char *const months[] = {"2023-09-30", "2023-10-31", "2023-11-30", "2023-12-31", "2024-01-31",
                                         "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30"};
    struct list *older = NULL;
    for (size_t i = 0; i < COUNT_OF(months); i++) {
        struct list_report report;
        struct list *l = compile(output_of(MONTH "month $A", months[i], ""), &report);
        uint64_t n = number_from(MONTH "month $A | rows | wc -l", months[i], "");
        uint64_t n_distinct = number_from(MONTH "month $A | rows | sort -u | wc -l", months[i], "");
        assert_int_equal(report.rows, n);
        assert_int_equal(report.kept, n);
        assert_int_equal(list_n_entries(l), n);
        assert_int_equal(list_about(l)->n_addresses_v4, n_distinct);
        if (older) {
            struct list_diff d;
            assert_int_equal(lists_diff(older, l, &d, NULL, NULL), 0);
            assert_int_equal(d.n_persistent, number_from(MONTH "for m in $A $B; do month $m | rows | sort -u; done | sort | uniq -d | wc -l",
                                                         months[i - 1], months[i]));
            assert_int_equal(d.n_new, n_distinct - d.n_persistent);
            assert_int_equal(d.n_gone, list_about(older)->n_addresses_v4 - d.n_persistent);
        }
        list_close(older);
        older = l;
    }
    list_close(older);
}

static void plain_lists_with_counts_and_comments_load_whole(void **state)
{
    (void)state;
    find_shared();
    static const char *const names[] = {"ipsum", "malicious-ip-vn"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct list_report report;
        struct list *l = compile(output_of(PLAIN "plain", names[i], ""), &report);
        uint64_t n = number_from(PLAIN "plain | awk 'NF && !/^#/{n++} END{print n}'", names[i], "");
        assert_int_equal(report.rows, n);
        assert_int_equal(report.kept, n);
        uint64_t count = 0, sum = number_from(PLAIN "plain | awk '!/^#/{n+=$2} END{print n+0}'", names[i], "");
        struct list_entry e;
        for (uint64_t k = 0; !list_entry(l, k, &e); k++)
            count += e.count;
        assert_int_equal(count, sum);
        list_close(l);
    }
    static const char vn[] = "tail -n +2 $D/iplists/threatfox-monthly-vn.csv | cut -d, -f2 ";
    char all[128], distinct[128];
    snprintf(all, sizeof(all), "%s| wc -l", vn);
    snprintf(distinct, sizeof(distinct), "%s| sort -u | wc -l", vn);
    struct list_report report;
    struct list *l = compile(output_of("cat $D/iplists/threatfox-monthly-vn.csv", "", ""), &report);
    assert_int_equal(report.kept, number_from(all, "", ""));
    assert_int_equal(report.rows, report.kept);
    assert_int_equal(list_about(l)->n_addresses_v4, number_from(distinct, "", ""));
    list_close(l);
}

/* families mix domains, paths, addresses and addresses with ports: all but bare paths are kept */
static void mixed_lists_keep_all_but_bare_paths(void **state)
{
    (void)state;
    find_shared();
    static const char *const names[] = {"elf_hajime", "trickbot", "elf_xorddos", "systembc"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct list_report report;
        struct list *l = compile(output_of(FAMILY "family || true", names[i], ""), &report);
        uint64_t n_rows = number_from(FAMILY "family | awk 'NF && !/^[ \\t]*(#|;|\\/\\/)/{n++} END{print n}'", names[i], "");
        uint64_t n = number_from(FAMILY "family | grep -vE '^[ \t]*(#|;|//|$)' | grep -cvE '^/'", names[i], ""); /* bare paths are none */
        assert_int_equal(report.rows, n_rows);
        assert_int_equal(report.kept, n);
        assert_int_equal(report.refused[LIST_REFUSED_other_kind], n_rows - n);
        list_close(l);
    }
}

/* every comparison with an address or a name in the file, by grep */
static void stix_bundles_and_pages_load(void **state)
{
    (void)state;
    find_shared();
    static const char *const archives[] = {"stix/tweetfeed.tar.xz", "stix/oasis-examples.tar.xz"};
    static const char *const members[] = {"*pages/2026-07-30.0.json", "*example_json/poisonivy.json"};
    for (size_t i = 0; i < COUNT_OF(archives); i++) {
        struct list_report report;
        struct list *l = compile(output_of("tar xJOf $D/$A --wildcards \"$B\"", archives[i], members[i]), &report);
        assert_int_equal(report.entries, number_from("tar xJOf $D/$A --wildcards \"$B\" | grep -oE \"(ipv[46]-addr:value|domain-name:value|url:value|file:hashes\\.[^ =]+) *= *'[^' ]*'\" | wc -l",
                                                     archives[i], members[i]));
        assert_int_equal(report.rows, number_from("tar xJOf $D/$A --wildcards \"$B\" | grep -oE '\"type\": *\"indicator\"' | wc -l",
                                                  archives[i], members[i]));
        list_close(l);
    }
}

static void registry_files_become_own_space(void **state)
{
    (void)state;
    find_shared();
    static const struct {
        const char *file, *count;
        const char *inside, *unit;
    } files[] = {{"vn/net/rir-vn-ipv4-aggregated.txt", "grep -cv '^ *#\\|^$' $D/vn/net/rir-vn-ipv4-aggregated.txt", "1.52.0.1", ""},
                 {"vn/net/rir-vn-ipv6-aggregated.txt", "grep -cv '^ *#\\|^$' $D/vn/net/rir-vn-ipv6-aggregated.txt", "2001:dc8::1", ""},
                 {"vn/net/country-ip-blocks-vn.cidr", "grep -c . $D/vn/net/country-ip-blocks-vn.cidr", "14.160.0.1", ""},
                 {"vn/net/rir-vn-aggregated.json", "grep -cE '\"[0-9a-f.:]+/[0-9]+\"' $D/vn/net/rir-vn-aggregated.json", "1.52.0.1", ""},
                 {"vn/net/vn-operators-prefixes.csv", "tail -n +2 $D/vn/net/vn-operators-prefixes.csv | grep -c .", "27.64.0.1", "Viettel Group"}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct list_report report = {0};
        struct space *s = NULL;
        struct space_entry e;
        struct fault f;
        struct ip a;
        int fd = output_of("cat $D/$A", files[i].file, "");
        assert_int_equal(space_compile(fd, files[i].file, &report, &s, &f), 0);
        close(fd);
        assert_int_equal(report.kept, number_from(files[i].count, "", ""));
        assert_int_equal(report.rows, report.kept);
        assert_int_equal(ip_parse(files[i].inside, strlen(files[i].inside), &a), 0);
        assert_true(space_find(s, &a, 0, &e));
        assert_true(text_is(e.unit, files[i].unit));
        space_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monthly_lists_load_whole_and_cumulative_ones_only_grow_by_what_is_new),
        cmocka_unit_test(plain_lists_with_counts_and_comments_load_whole),
        cmocka_unit_test(mixed_lists_keep_all_but_bare_paths),
        cmocka_unit_test(stix_bundles_and_pages_load),
        cmocka_unit_test(registry_files_become_own_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
