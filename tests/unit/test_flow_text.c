/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: what a file is, when it is refused whole, and that nothing is lost when memory is.
 * Counts of real files are those of their publishers and of awk over the files.
 */
#include "failing_alloc.h"
#include "flow_text_case.h"

static void a_file_is_what_its_first_line_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum flow_text_kind kind;
    } cases[] = {
        {"StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr\n", FLOW_TEXT_KIND_BINETFLOW},
        {"\xef\xbb\xbf" "ts,te,td,sa,da\n", FLOW_TEXT_KIND_NFDUMP_CSV},
        {"Date first seen          Duration Proto\n", FLOW_TEXT_KIND_NFDUMP_LINE},
        {"#separator \\x09\n#path\tconn\n", FLOW_TEXT_KIND_ZEEK},
        {"\n\n {\"a\":1}\n", FLOW_TEXT_KIND_ZEEK_JSON},
        {"source.ip;destination.ip;event.start\n", FLOW_TEXT_KIND_CSV},
        {"# made by somebody\nsrc_ip,dst_ip,timestamp\n", FLOW_TEXT_KIND_CSV},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct flow_text_reader *r = flow_text_reader_new(&(struct flow_text_options){0}, case_sink, NULL, NULL);
        assert_non_null(r);
        assert_int_equal(flow_text_reader_feed(r, cases[i].text, strlen(cases[i].text)), 0);
        assert_int_equal(flow_text_reader_end(r, false), 0);
        if (flow_text_reader_kind(r) != cases[i].kind)
            fail_msg("%s: %s", cases[i].text, flow_text_kind_name(flow_text_reader_kind(r)));
        flow_text_reader_free(r);
    }
}

static void binary_data_is_refused_whole(void **state)
{
    (void)state;
    char data[8192];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    struct flow_text_options o = {0};
    expect_wrong(&o, data, sizeof(data), FLOW_TEXT_NOT_TEXT);
    expect_wrong(&o, "\x7f" "ELF\2\1\1\0", 8, FLOW_TEXT_NOT_TEXT);
    o.want = FLOW_TEXT_KIND_BINETFLOW;
    expect_wrong(&o, data, sizeof(data), FLOW_TEXT_NOT_TEXT);
    expect_wrong(&o, "", 0, FLOW_TEXT_UNKNOWN);
}

static void a_file_of_another_kind_than_wanted_is_refused_whole(void **state)
{
    (void)state;
    static const char zeek[] = "#separator \\x09\n#path\tconn\n", argus[] = "StartTime,SrcAddr,DstAddr\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2\n";
    expect_wrong(&(struct flow_text_options){.want = FLOW_TEXT_KIND_BINETFLOW}, zeek, sizeof(zeek) - 1, FLOW_TEXT_UNKNOWN);
    expect_wrong(&(struct flow_text_options){.want = FLOW_TEXT_KIND_ZEEK}, argus, sizeof(argus) - 1, FLOW_TEXT_UNKNOWN);
    expect_wrong(&(struct flow_text_options){.want = FLOW_TEXT_KIND_NFDUMP_CSV}, argus, sizeof(argus) - 1, FLOW_TEXT_UNKNOWN);
}

static void a_row_that_the_file_breaks_off_in_is_not_believed(void **state)
{
    (void)state;
    static const char in[] = "StartTime,SrcAddr,DstAddr,TotBytes\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2,1\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2,12";
    struct case_output out = {.flows = {.max = 4096}, .refused = {.max = 4096}};
    struct flow_text_reader *r = flow_text_reader_new(&(struct flow_text_options){0}, case_sink, case_refused, &out);
    assert_non_null(r);
    assert_int_equal(flow_text_reader_feed(r, in, sizeof(in) - 1), 0);
    assert_int_equal(flow_text_reader_end(r, true), 0);
    assert_int_equal(flow_text_reader_counts(r)->read, 2);
    assert_int_equal(flow_text_reader_counts(r)->kept, 1);
    assert_int_equal(flow_text_reader_counts(r)->refused[FLOW_TEXT_ROW_CUT], 1);
    flow_text_reader_free(r);
    buf_fini(&out.flows);
    buf_fini(&out.refused);
}

static int refuse_all(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    (void)context, (void)flows, (void)n, (void)o;
    return -28; /* ENOSPC */
}

static void what_the_sink_says_is_handed_up(void **state)
{
    (void)state;
    static const char in[] = "StartTime,SrcAddr,DstAddr\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2\n";
    struct flow_text_reader *r = flow_text_reader_new(&(struct flow_text_options){0}, refuse_all, NULL, NULL);
    assert_non_null(r);
    int rc = flow_text_reader_feed(r, in, sizeof(in) - 1);
    assert_int_equal(rc ? rc : flow_text_reader_end(r, false), -28);
    flow_text_reader_free(r);
}

static int count_rows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    (void)flows, (void)o;
    *(uint64_t *)context += n;
    return 0;
}

static int read_with_failures(void *context)
{
    const char *in = *(const char **)context;
    uint64_t rows = 0;
    struct flow_text_reader *r = flow_text_reader_new(&(struct flow_text_options){0}, count_rows, NULL, &rows);
    if (!r)
        return -12;
    int rc = 0;
    for (size_t at = 0, n = strlen(in); !rc && at < n; at += 50)
        rc = flow_text_reader_feed(r, in + at, n - at < 50 ? n - at : 50);
    if (!rc)
        rc = flow_text_reader_end(r, false);
    if (!rc)
        assert_int_equal(rows, 2);
    flow_text_reader_free(r);
    return rc;
}

static void every_allocation_may_fail_once(void **state)
{
    (void)state;
    static const char *const files[] = {
        "StartTime,SrcAddr,DstAddr,Label\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2,a\n2024-01-01 00:00:00,1.1.1.1,2.2.2.2,b\n",
        "{\"ts\":1,\"id.orig_h\":\"1.1.1.1\",\"id.resp_h\":\"2.2.2.2\",\"conn_state\":\"\\u0041\"}\n"
                 "{\"ts\":1,\"id.orig_h\":\"1.1.1.1\",\"id.resp_h\":\"2.2.2.2\",\"conn_state\":\"x\",\"y\":\"z\"}\n",
        "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tconn_state\n"
                 "1\t1.1.1.1\t2.2.2.2\tS\n1\t1.1.1.1\t2.2.2.2\tS\n",
        "Date first seen Duration Proto Src IP Addr:Port Dst IP Addr:Port Label\n"
                 "2024-01-01 00:00:00 1.0 UDP 1.1.1.1:1 -> 2.2.2.2:2 x\n2024-01-01 00:00:00 1.0 UDP 1.1.1.1:1 -> 2.2.2.2:2 y\n",
        "sa,da,ts,lbl\n1.1.1.1,2.2.2.2,2024-01-01 00:00:00,x\n1.1.1.1,2.2.2.2,2024-01-01 00:00:00,y\n",
        "src,dst,time,note\n1.1.1.1,2.2.2.2,2024-01-01 00:00:00,x\n1.1.1.1,2.2.2.2,2024-01-01 00:00:00,y\n",
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        const char *in = files[i];
        assert_true(failing_alloc_each("reading a flow file", read_with_failures, &in, false) >= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_what_its_first_line_says),
        cmocka_unit_test(binary_data_is_refused_whole),
        cmocka_unit_test(a_file_of_another_kind_than_wanted_is_refused_whole),
        cmocka_unit_test(a_row_that_the_file_breaks_off_in_is_not_believed),
        cmocka_unit_test(what_the_sink_says_is_handed_up),
        cmocka_unit_test(every_allocation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
