/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of every kind through the one door: how many records, where the refused ones stand, and that the account balances.
 * The real files are those of the shared data; their counts come from grep, wc and the companions.
 */
#include "cmocka_house.h"

#include "failing_alloc.h"
#include "format/json.h"
#include "watch/intake/log_read.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

static struct event_names *names;

static int set_up(void **state)
{
    (void)state;
    names = event_names_new();
    return names ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    event_names_free(names);
    return 0;
}

struct seen {
    uint64_t n, n_refused;
    char said[4096];   /* "offset:line:reason " of each refused one */
    char times[4096];  /* of field @wanted, one behind the other */
    const char *wanted;
    int answer;        /* of the sink */
};

static int take(void *context, struct events *e)
{
    struct seen *s = context;
    char scratch[EVENT_VALUE_TEXT_MAX];
    assert_true(e->n > 0);
    s->n += e->n;
    for (uint32_t i = 0; s->wanted && i < e->n; i++) {
        const struct event_value *v = event_get(e, i, event_names_find(names, (struct text){s->wanted, strlen(s->wanted)}));
        struct text t = v ? event_value_text(e, v, scratch) : TEXT("?");
        size_t at = strlen(s->times);
        snprintf(s->times + at, sizeof s->times - at, "%.*s ", (int)t.n, t.p);
    }
    return s->answer;
}

static void refused(void *context, const struct log_refused *r)
{
    struct seen *s = context;
    size_t at = strlen(s->said);
    s->n_refused++;
    snprintf(s->said + at, sizeof s->said - at, "%llu:%llu:%s ", (unsigned long long)r->offset, (unsigned long long)r->line, r->reason);
}

static int read_fd(int fd, struct log_options o, struct seen *s, struct log_account *a)
{
    struct fault f = {0};
    int rc = log_read(fd, &o, names, NULL, take, refused, s, a, &f);
    assert_int_equal(a->read, a->kept + log_account_refused(a));
    assert_int_equal(a->kept, s->n);
    assert_int_equal(log_account_refused(a), s->n_refused);
    assert_int_equal(rc != 0, f.text[0] != 0);
    return rc;
}

static int file_of(const char *p, size_t n)
{
    int fd = memfd_create("log", 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int read_text(const char *p, size_t n, struct log_options o, struct seen *s, struct log_account *a)
{
    int fd = file_of(p, n);
    o.arrived_us = 1795000000000000;
    int rc = read_fd(fd, o, s, a);
    close(fd);
    return rc;
}

struct file_case {
    const char *content, *kind;
    const char *wanted, *values; /* a field, and its values in order */
    const char *refused;         /* offset:line:reason */
    enum log_format format;
};

static void check_files(const struct file_case *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct seen s = {.wanted = table[i].wanted};
        struct log_account a;
        int rc = read_text(table[i].content, strlen(table[i].content), (struct log_options){.format = table[i].format}, &s, &a);
        if (rc || strcmp(s.times, table[i].values) || strcmp(s.said, table[i].refused) || strcmp(a.kind, table[i].kind))
            fail_msg("case %zu: %d, %s, values '%s', refused '%s' of: %s", i, rc, a.kind, s.times, s.said, table[i].content);
    }
}

static void json_in_every_arrangement(void **state)
{
    (void)state;
    static const struct file_case table[] = {
        {"{\"a\":1}\n{\"a\":2}\n", "json", "a", "1 2 ", "", LOG_AUTO},
        {"{\"a\":1}\r\n\r\n{\"a\":2}", "json", "a", "1 2 ", "", LOG_AUTO},
        {"\xef\xbb\xbf{\"a\":1}\n", "json", "a", "1 ", "", LOG_AUTO},
        {"{\"a\":1}\n{\"a\":,}\n{\"a\":3}\n", "json", "a", "1 3 ", "13:2:json_malformed ", LOG_AUTO},
        {"{\"a\":1\n{\"a\":2}\n{\"a\":3}\n", "json", "a", "2 3 ", "6:1:json_malformed ", LOG_AUTO},
        {"{\"a\":1}\n[2]\n", "json", "a", "1 ", "8:2:json_no_object ", LOG_JSON},
        {"{\"a\":1}{\"a\":2} {\"a\":3}\n", "json", "a", "1 2 3 ", "", LOG_AUTO},
        {"{\n  \"a\": 1,\n  \"b\": \"}{\\\"\"\n}\n{\n  \"a\": 2\n}\n", "json", "a", "1 2 ", "", LOG_AUTO},
        {"{\n  \"a\": 1,\n  \"b\": {\n}\n{\n  \"a\": 2\n}\n", "json", "a", "2 ", "0:1:json_malformed ", LOG_AUTO},
        {"[{\"a\":1},\n {\"a\":2}]\n", "json", "a", "1 2 ", "", LOG_AUTO},
        {"[\n{\"a\":1}\n,{\"a\":x},{\"a\":3}]", "json", "a", "1 3 ", "16:3:json_malformed ", LOG_AUTO},
        {"[]", "json", "a", "", "", LOG_AUTO},
        {"{\"Records\":[{\"a\":1},{\"a\":2}],\"next\":{\"x\":[1]}}\n{\"Records\": [ {\"a\":3} ] }", "json", "a", "1 2 3 ", "", LOG_AUTO},
        {"{\"value\":5,\"a\":1}\n{\"value\":[6],\"a\":2}\n", "json", "a", "1 2 ", "", LOG_AUTO},
        {"[{\"a\":1}, 7\n]", "json", "a", "1 ", "10:1:json_no_object ", LOG_AUTO},
        {"{\"a\":1}\nplain line\n<13>Nov 20 10:00:00 h p: {\"a\":2}\n", "json", "a", "1 ? 2 ", "", LOG_AUTO},
        {"Nov 20 10:00:00 h p: text\n{\"a\":2}\n", "lines", "message", "text ? ", "", LOG_AUTO},
        {"[core:error] something\n", "lines", "message", "[core:error] something ", "", LOG_AUTO},
        {"", "", "a", "", "", LOG_AUTO},
        {"\n\n", "lines", "a", "", "", LOG_AUTO},
    };
    check_files(table, COUNT_OF(table));
}

#define EVENT(id) "<Event><System><EventID>" id "</EventID><Channel>c</Channel></System></Event>"

static void xml_in_every_arrangement(void **state)
{
    (void)state;
    static const struct file_case table[] = {
        {EVENT("1"), "winxml", "winlog.event_id", "1 ", "", LOG_AUTO},
        {"<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Events>" EVENT("1") "\r\n" EVENT("2") "</Events>\n", "winxml", "winlog.event_id", "1 2 ", "", LOG_AUTO},
        {EVENT("1") "\n" EVENT("2") EVENT("3"), "winxml", "winlog.event_id", "1 2 3 ", "", LOG_AUTO},
        {EVENT("1") "rubbish" EVENT("2"), "winxml", "winlog.event_id", "1 2 ", "72:1:xml_no_event ", LOG_AUTO},
        {"<Events>\n<Event><System></Event>\n" EVENT("2") "</Events>", "winxml", "winlog.event_id", "2 ", "26:2:xml_malformed ", LOG_AUTO},
        {"<Events>\n" EVENT("2") "<Event><System>", "winxml", "winlog.event_id", "2 ", "81:2:row_cut ", LOG_AUTO},
    };
    check_files(table, COUNT_OF(table));
}

#define ZEEK_HEAD "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
#define ZEEK_DNS ZEEK_HEAD "#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tquery\tanswers\tTTLs\trejected\tZ\n" \
                 "#types\ttime\tstring\taddr\tport\tstring\tvector[string]\tvector[interval]\tbool\tcount\n"

static void zeek_as_tsv(void **state)
{
    (void)state;
    static const struct file_case table[] = {
        {ZEEK_DNS "1.5\tC1\t10.0.0.1\t53\ta.example\t192.0.2.1,b\\x2cc\t30.0,60.0\tF\t0\n", "zeek", "dns.question.name", "a.example ", "", LOG_AUTO},
        {ZEEK_DNS "1.5\tC1\t10.0.0.1\t53\ta\\x09b\t-\t-\tF\t0\n", "zeek", "dns.question.name", "a\tb ", "", LOG_AUTO},
        {ZEEK_DNS "1.5\tC1\t10.0.0.1\t53\ta\t-\t-\tF\t7\n", "zeek", "zeek.dns.Z", "7 ", "", LOG_AUTO},
        {ZEEK_DNS "1.5\tC1\t10.0.0.1\t53\ta\t-\t-\tT\t7\n", "zeek", "zeek.dns.rejected", "true ", "", LOG_AUTO},
        {ZEEK_DNS "1.5\tC1\t10.0.0.1\t53\t-\t(empty)\t-\t-\t-\n#close\t2020\n", "zeek", "dns.question.name", "? ", "", LOG_AUTO},
        {ZEEK_HEAD "1.5\tC1\n", "zeek", "event.id", "", "69:5:no_header ", LOG_AUTO},
        {ZEEK_DNS "1.5\tC1\n1.5\tC2\t10.0.0.1\t53\ta\t-\t-\tF\t0\n", "zeek", "event.id", "C2 ", "223:8:column_count ", LOG_AUTO},
        {ZEEK_HEAD "#path\tconn\n#fields\tts\tproto\ttunnel_parents   label   detailed-label\n#types\ttime\tenum\tset[string]   string   string\n"
                   "1.5\ttcp\t(empty)   Malicious   C&C\n", "zeek", "zeek.conn.detailed-label", "C&C ", "", LOG_AUTO},
        {ZEEK_DNS "1.5\tC1\t10.0.0.1\t53\ta\t-\t-\tF\t0\n" ZEEK_HEAD "#path\tx\n#fields\tts\tuid\n#types\ttime\tstring\n2.5\tC9\n", "zeek", "event.dataset",
         "zeek.dns zeek.x ", "", LOG_AUTO},
    };
    check_files(table, COUNT_OF(table));
}

static void utf16_is_read(void **state)
{
    (void)state;
    static const char text[] = "<Events>" EVENT("7") "</Events>";
    char wide[2 * sizeof text + 2];
    for (int is_big = 0; is_big < 2; is_big++) {
        size_t n = 0;
        wide[n++] = is_big ? '\xfe' : '\xff';
        wide[n++] = is_big ? '\xff' : '\xfe';
        for (size_t i = 0; i < sizeof text - 1; i++) {
            wide[n + (is_big ? 1 : 0)] = text[i];
            wide[n + (is_big ? 0 : 1)] = 0;
            n += 2;
        }
        struct seen s = {.wanted = "winlog.event_id"};
        struct log_account a;
        assert_int_equal(read_text(wide, n, (struct log_options){0}, &s, &a), 0);
        assert_string_equal(s.times, "7 ");
    }
}

static size_t gzip(const char *p, size_t n, char *out, size_t room)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = (Bytef *)out, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = z.total_out;
    deflateEnd(&z);
    return made;
}

static void packed_and_torn_files(void **state)
{
    (void)state;
    static char text[40000], packed[40000];
    size_t n = 0;
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"a\":%d,\"b\":\"%d\"}\n", i, i * i % 7919);
    size_t made = gzip(text, n, packed, sizeof packed);
    struct seen s = {0};
    struct log_account a;
    assert_int_equal(read_text(packed, made, (struct log_options){0}, &s, &a), 0);
    assert_int_equal(a.kept, 1000);
    assert_string_equal(a.packing, "gzip");
    assert_int_equal(a.n_bytes, n);
    s = (struct seen){0};
    assert_int_equal(read_text(packed, made / 2, (struct log_options){0}, &s, &a), 0);
    assert_true(a.is_truncated);
    assert_true(a.kept > 100 && a.kept < 1000);
    assert_int_equal(log_account_refused(&a), 1); /* the record that is cut */
    packed[made / 2] ^= 0x55;
    packed[made / 2 + 1] ^= 0x55;
    s = (struct seen){0};
    assert_int_equal(read_text(packed, made, (struct log_options){0}, &s, &a), LOG_REFUSED);
}

static void a_record_beyond_the_limit_is_refused_and_the_rest_goes_on(void **state)
{
    (void)state;
    size_t big = EVENT_ORIGINAL_MAX + (1 << 20), n = 0;
    char *text = malloc(big + 100);
    assert_non_null(text);
    n += (size_t)sprintf(text, "{\"a\":1}\n");
    memset(text + n, 'x', big);
    n += big;
    n += (size_t)sprintf(text + n, "\n{\"a\":3}\n");
    struct seen s = {.wanted = "a"};
    struct log_account a;
    assert_int_equal(read_text(text, n, (struct log_options){0}, &s, &a), 0);
    assert_string_equal(s.times, "1 3 ");
    assert_string_equal(s.said, "8:2:record_too_long ");
    free(text);
}

static void wrong_formats_and_sinks_are_said(void **state)
{
    (void)state;
    struct seen s = {0};
    struct log_account a;
    assert_int_equal(read_text("no log", 6, (struct log_options){.format = LOG_EVTX}, &s, &a), LOG_REFUSED);
    static const char *const no_logs[] = {"7z\xbc\xaf\x27\x1c rest", "PK\3\4 something", "\x01\x02\x03\x04 binary \x05\x06"};
    for (size_t i = 0; i < COUNT_OF(no_logs); i++)
        assert_int_equal(read_text(no_logs[i], strlen(no_logs[i]), (struct log_options){0}, &s, &a), LOG_REFUSED);
    uint32_t x = 1;
    for (int round = 0; round < 200; round++) { /* evenly spread bytes, as of anything packed or encrypted */
        char noise[4000];
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
        assert_int_equal(read_text(noise, sizeof noise, (struct log_options){0}, &s, &a), LOG_REFUSED);
    }
    s = (struct seen){.answer = -EPIPE};
    struct fault f = {0};
    int fd = file_of("{\"a\":1}\n", 8);
    assert_int_equal(log_read(fd, &(struct log_options){0}, names, NULL, take, refused, &s, &a, &f), -EPIPE);
    close(fd);
    for (int i = 0; i < LOG_N_FORMATS; i++) {
        enum log_format format;
        assert_int_equal(log_format_parse(log_format_name((enum log_format)i), &format), 0);
        assert_int_equal(format, i);
    }
}

static void many_batches_keep_their_order(void **state)
{
    (void)state;
    enum { RECORDS = 3 * EVENTS_ROWS + 17 };
    char *text = malloc(RECORDS * 24);
    size_t n = 0;
    assert_non_null(text);
    for (int i = 0; i < RECORDS; i++)
        n += (size_t)sprintf(text + n, "{\"a\":%d}\n", i);
    struct seen s = {0};
    struct log_account a;
    assert_int_equal(read_text(text, n, (struct log_options){0}, &s, &a), 0);
    assert_int_equal(a.kept, RECORDS);
    free(text);
}

/* --- real files ------------------------------------------------------------------------------------------ */

static long number_from(const char *command)
{
    FILE *p = popen(command, "r");
    long n = -1;
    assert_non_null(p);
    if (fscanf(p, "%ld", &n) != 1)
        n = -1;
    pclose(p);
    return n;
}

static void real_files_are_read_whole(void **state)
{
    (void)state;
    static const struct {
        const char *archive, *members; /* what tar gives on standard output, one kind of file */
    } table[] = {
        {"evtx/otrf-security-datasets.tar.xz", "*empire_launcher_vbs*.json"},
        {"evtx/otrf-security-datasets.tar.xz", "*ec2_proxy_s3*.json"},
        {"evtx/otrf-security-datasets.tar.xz", "*UTICA-A*/ssl.log"},
        {"logs/wrccdc-zeek.tar.xz", "*dns.log"},
        {"logs/wrccdc-zeek.tar.xz", "*kerberos.log"},
        {"flows/rita-zeek.tar.xz", "*proxy_rolling/http.16*"},
        {"flows/stratosphere-testing.tar.xz", "*010*conn.log.labeled"},
    };
    const char *shared = getenv("VONGGAC_SHARED");
    char command[1024];
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        snprintf(command, sizeof command, "tar xJOf '%s/data/%s' --wildcards '%s' 2>/dev/null | grep -c '^[^#]'", shared ? shared : "../shared",
                 table[i].archive, table[i].members);
        long n = number_from(command);
        if (n <= 0) {
            print_message("skipped: no %s\n", table[i].archive);
            continue;
        }
        snprintf(command, sizeof command, "tar xJOf '%s/data/%s' --wildcards '%s' 2>/dev/null", shared ? shared : "../shared", table[i].archive, table[i].members);
        FILE *p = popen(command, "r");
        struct seen s = {0};
        struct log_account a;
        assert_non_null(p);
        assert_int_equal(read_fd(fileno(p), (struct log_options){0}, &s, &a), 0);
        pclose(p);
        if (a.kept != (uint64_t)n || a.read != a.kept || a.n_plain)
            fail_msg("%s %s: %llu of %ld, %llu plain: %s", table[i].archive, table[i].members, (unsigned long long)a.kept, n,
                     (unsigned long long)a.n_plain, s.said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_in_every_arrangement),
        cmocka_unit_test(xml_in_every_arrangement),
        cmocka_unit_test(zeek_as_tsv),
        cmocka_unit_test(utf16_is_read),
        cmocka_unit_test(packed_and_torn_files),
        cmocka_unit_test(a_record_beyond_the_limit_is_refused_and_the_rest_goes_on),
        cmocka_unit_test(wrong_formats_and_sinks_are_said),
        cmocka_unit_test(many_batches_keep_their_order),
        cmocka_unit_test(real_files_are_read_whole),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
