/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of an answer, to the byte: csv, json and tables of queries and of hunts.
 */
#include "cmocka_house.h"
#include "base/message.h"
#include "failing_alloc.h"
#include "watch/hunt/output.h"
#include "watch/query/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 2026-11-20T01:02:03.000004Z */
#define A_TIME INT64_C(1795136523000004)

struct written {
    FILE *to;
    char *text;
    size_t n;
    struct output *output;
};

static struct query_sink begin(struct written *w, enum output_form form, unsigned width, bool is_rows)
{
    struct output_options o = {.form = form, .width = width, .zone_s = ZONE_VIETNAM_S, .is_rows = is_rows};
    *w = (struct written){0};
    w->to = open_memstream(&w->text, &w->n);
    assert_non_null(w->to);
    w->output = output_new(w->to, &o);
    assert_non_null(w->output);
    return output_sink(w->output);
}

static const char *end(struct written *w)
{
    assert_int_equal(output_flush(w->output), 0);
    output_free(w->output);
    fclose(w->to);
    return w->text;
}

static struct query_value ip(const char *text)
{
    struct query_value v = {.kind = QUERY_IP};
    assert_int_equal(ip_parse(text, strlen(text), &v.ip), 0);
    return v;
}

static struct query_value text(const char *s)
{
    return (struct query_value){.kind = QUERY_TEXT, .text = {s, strlen(s)}};
}

static const struct query_column columns[] = {
    {{"source.ip", 9}, QUERY_IP}, {{"event.start", 11}, QUERY_TIME}, {{"network.bytes", 13}, QUERY_NUMBER},
    {{"event.label", 11}, QUERY_TEXT}, {{"offset", 6}, QUERY_SIGNED}, {{"avg(x)", 6}, QUERY_REAL},
};
enum { N_COLUMNS = sizeof(columns) / sizeof(*columns) };

static void fill(struct query_value v[N_COLUMNS])
{
    v[0] = ip("2001:0db8::0001");
    v[1] = (struct query_value){.kind = QUERY_TIME, .time_us = A_TIME};
    v[2] = (struct query_value){.kind = QUERY_NUMBER, .number = UINT64_MAX};
    v[3] = text("a,\"b\"\nc");
    v[4] = (struct query_value){.kind = QUERY_SIGNED, .time_us = -5};
    v[5] = (struct query_value){.kind = QUERY_REAL, .real = 2.5};
}

static void csv_quotes_only_what_needs_it(void **state)
{
    struct written w;
    struct query_sink s = begin(&w, OUTPUT_CSV, 0, false);
    struct query_value v[N_COLUMNS];
    (void)state;
    fill(v);
    assert_int_equal(s.begin(s.context, columns, N_COLUMNS), 0);
    assert_int_equal(s.row(s.context, v, N_COLUMNS, TEXT("")), 0);
    for (size_t i = 0; i < N_COLUMNS; i++)
        v[i].kind = QUERY_ABSENT;
    assert_int_equal(s.row(s.context, v, N_COLUMNS, TEXT("")), 0);
    assert_string_equal(end(&w), "source.ip,event.start,network.bytes,event.label,offset,avg(x)\n"
                                 "2001:db8::1,2026-11-20T01:02:03.000004Z,18446744073709551615,\"a,\"\"b\"\"\nc\",-5,2.5\n"
                                 ",,,,,\n");
    free(w.text);
}

static void the_header_stands_also_without_rows(void **state)
{
    struct written w;
    struct query_sink s = begin(&w, OUTPUT_CSV, 0, false);
    (void)state;
    assert_int_equal(s.begin(s.context, columns, 2), 0);
    assert_string_equal(end(&w), "source.ip,event.start\n");
    free(w.text);
    s = begin(&w, OUTPUT_JSON, 0, false);
    assert_int_equal(s.begin(s.context, columns, 2), 0);
    assert_string_equal(end(&w), "");
    free(w.text);
    s = begin(&w, OUTPUT_TABLE, 80, false);
    assert_int_equal(s.begin(s.context, columns, 2), 0);
    assert_string_equal(end(&w), "source.ip  event.start\n");
    free(w.text);
}

static void json_has_one_object_a_line_without_absent_keys(void **state)
{
    struct written w;
    struct query_sink s = begin(&w, OUTPUT_JSON, 0, true);
    struct query_value v[N_COLUMNS];
    struct buf texts = {.max = 1000};
    (void)state;
    flow_text_add(&texts, "event.label", TEXT("has a column"));
    flow_text_add(&texts, "odd \"name\"", TEXT("x\xff"));
    flow_text_add(&texts, "odd \"name\"", TEXT("second of the name"));
    fill(v);
    assert_int_equal(s.begin(s.context, columns, N_COLUMNS), 0);
    assert_int_equal(s.row(s.context, v, N_COLUMNS, (struct text){(const char *)texts.p, texts.n}), 0);
    v[1].kind = v[2].kind = v[3].kind = v[4].kind = v[5].kind = QUERY_ABSENT;
    assert_int_equal(s.row(s.context, v, N_COLUMNS, TEXT("")), 0);
    assert_string_equal(end(&w),
                        "{\"@timestamp\":\"2026-11-20T01:02:03.000004Z\",\"source.ip\":\"2001:db8::1\","
                        "\"event.start\":\"2026-11-20T01:02:03.000004Z\",\"network.bytes\":18446744073709551615,"
                        "\"event.label\":\"a,\\\"b\\\"\\nc\",\"offset\":-5,\"avg(x)\":2.5,\"odd \\\"name\\\"\":\"x\xef\xbf\xbd\"}\n"
                        "{\"source.ip\":\"2001:db8::1\"}\n");
    free(w.text);
    buf_fini(&texts);
}

static void a_table_aligns_shows_local_time_and_fits(void **state)
{
    struct written w;
    struct query_sink s = begin(&w, OUTPUT_TABLE, 0, false);
    struct query_value v[N_COLUMNS];
    (void)state;
    fill(v);
    v[2].number = 7;
    v[3] = text("\x1b[31m\xc4\x90\xe1\xbb\x8f"); /* a terminal command, then a word */
    assert_int_equal(s.begin(s.context, columns, 4), 0);
    assert_int_equal(s.row(s.context, v, 4, TEXT("")), 0);
    assert_string_equal(end(&w), "source.ip    event.start          network.bytes  event.label\n"
                                 "2001:db8::1  20/11/2026 08:02:03              7  \xef\xbf\xbd[31m\xc4\x90\xe1\xbb\x8f\n");
    free(w.text);
    v[3] = text("a label that is longer than what is left of a narrow terminal; the other columns are never cut");
    s = begin(&w, OUTPUT_TABLE, 64, false);
    assert_int_equal(s.begin(s.context, columns, 4), 0);
    assert_int_equal(s.row(s.context, v, 4, TEXT("")), 0);
    const char *line = end(&w);
    while (*line) { /* no line is wider than the terminal */
        const char *stop = strchr(line, '\n'), *at = line;
        unsigned n = 0;
        while (at < stop) {
            text_next(&at, stop);
            n++;
        }
        assert_in_range(n, 1, 64);
        line = stop + 1;
    }
    free(w.text);
}

/* widest_line - of a text, in characters */
static unsigned widest_line(const char *line)
{
    unsigned widest = 0;
    while (*line) {
        const char *stop = strchr(line, '\n'), *at = line;
        unsigned n = 0;
        while (at < stop) {
            text_next(&at, stop);
            n++;
        }
        widest = n > widest ? n : widest;
        line = stop + 1;
    }
    return widest;
}

static void a_table_of_hits_fits_and_says_what_it_goes_without(void **state)
{
    static const unsigned widths[] = {200, 160, 120, 100, 80};
    struct hunt_hit h = {.has_remote = true, .unit = TEXT("Trung t\xc3\xa2m CNTT t\xe1\xbb\x89nh X"), .list = TEXT("botnet-thang-9"), .family = TEXT("mirai;emotet"),
                         .direction = HIT_OUTBOUND, .listed = HIT_LISTED_REMOTE, .first_seen_us = A_TIME, .last_seen_us = A_TIME + 1,
                         .flows = 1234, .packets = 12345678, .bytes = 1234567890, .n_ports = HUNT_PORTS};
    (void)state;
    h.own = ip("203.113.131.255").ip;
    h.remote = ip("198.51.100.255").ip;
    for (unsigned i = 0; i < HUNT_PORTS; i++)
        h.ports[i] = (uint16_t)(60000 + i);
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        struct written w;
        struct buf hidden = {.max = 1000};
        struct hunt_output o = {.sink = begin(&w, OUTPUT_TABLE, widths[i], false), .is_table = true};
        assert_int_equal(hunt_output_hits(&o), 0);
        assert_int_equal(hunt_output_hit(&o, &h), 0);
        assert_int_equal(output_flush(w.output), 0);
        output_hidden(w.output, &hidden);
        buf_add_byte(&hidden, '\0');
        const char *shown = end(&w);
        assert_in_range(widest_line(shown), 60, widths[i]);
        assert_non_null(strstr(shown, "203.113.131.255")); /* whose machine, and with whom: always, and whole */
        assert_non_null(strstr(shown, "198.51.100.255"));
        assert_non_null(strstr(shown, " 1,234"));
        assert_int_equal(strstr(shown, "1,234,567,890") == NULL, strstr((char *)hidden.p, "Bytes") != NULL);
        assert_int_equal(hidden.n > 1, widths[i] < 180);
        free(w.text);
        buf_fini(&hidden);
    }
}

static void counts_are_grouped_for_people_as_their_language_does_and_names_never(void **state)
{
    static const struct query_column some[] = {{{"destination.port", 16}, QUERY_NUMBER}, {{"count", 5}, QUERY_NUMBER},
                                               {{"sum(source.bytes)", 17}, QUERY_NUMBER}, {{"avg(source.bytes)", 17}, QUERY_REAL},
                                               {{"max(source.port)", 16}, QUERY_NUMBER}, {{"n.bytes", 7}, QUERY_SIGNED}};
    const struct query_value v[] = {{.kind = QUERY_NUMBER, .number = 65535}, {.kind = QUERY_NUMBER, .number = 999},
                                    {.kind = QUERY_NUMBER, .number = UINT64_MAX}, {.kind = QUERY_REAL, .real = 1234567.5},
                                    {.kind = QUERY_NUMBER, .number = 50000}, {.kind = QUERY_SIGNED, .time_us = -1000}};
    static const char *const expected[] = {
        "           65535    999  18,446,744,073,709,551,615        1,234,567.5             50000   -1,000\n",
        "           65535    999  18.446.744.073.709.551.615        1.234.567,5             50000   -1.000\n"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct written w;
        message_set_language(i ? LANGUAGE_VI : LANGUAGE_EN);
        struct query_sink s = begin(&w, OUTPUT_TABLE, 0, false);
        assert_int_equal(s.begin(s.context, some, COUNT_OF(some)), 0);
        assert_int_equal(s.row(s.context, v, COUNT_OF(some), TEXT("")), 0);
        assert_string_equal(strchr(end(&w), '\n') + 1, expected[i]);
        free(w.text);
        s = begin(&w, OUTPUT_CSV, 0, false);
        assert_int_equal(s.begin(s.context, some, COUNT_OF(some)), 0);
        assert_int_equal(s.row(s.context, v, COUNT_OF(some), TEXT("")), 0);
        assert_string_equal(strchr(end(&w), '\n') + 1, "65535,999,18446744073709551615,1234567.5,50000,-1000\n");
        free(w.text);
    }
    message_set_language(LANGUAGE_EN);
}

static void hits_have_exactly_the_columns_of_the_manual(void **state)
{
    struct written w;
    struct hunt_output o = {begin(&w, OUTPUT_CSV, 0, false)};
    struct hunt_hit h = {.has_remote = true, .unit = TEXT("S\xe1\xbb\x9f X"), .list = TEXT("t11"), .family = TEXT("mirai;emotet"),
                         .direction = HIT_OUTBOUND, .listed = HIT_LISTED_REMOTE, .first_seen_us = A_TIME, .last_seen_us = A_TIME + 1,
                         .flows = 3, .packets = 4, .bytes = 5, .ports = {443, 80}, .n_ports = 2};
    (void)state;
    h.own = ip("10.0.0.1").ip;
    h.remote = ip("203.0.113.9").ip;
    assert_int_equal(hunt_output_hits(&o), 0);
    assert_int_equal(hunt_output_hit(&o, &h), 0);
    h.has_remote = false;
    h.listed = HIT_LISTED_OWN;
    h.direction = HIT_INBOUND;
    h.n_ports = 0;
    h.unit = h.family = TEXT("");
    h.n_remotes = 1;
    h.remotes[0].ip = ip("198.51.100.7").ip;
    assert_int_equal(hunt_output_hit(&o, &h), 0);
    assert_string_equal(end(&w),
                        "own,unit,remote,list,family,direction,first_seen,last_seen,flows,packets,bytes,ports,listed\n"
                        "10.0.0.1,S\xe1\xbb\x9f X,203.0.113.9,t11,mirai;emotet,outbound,2026-11-20T01:02:03.000004Z,"
                        "2026-11-20T01:02:03.000005Z,3,4,5,443;80,remote\n"
                        "10.0.0.1,,,t11,,inbound,2026-11-20T01:02:03.000004Z,2026-11-20T01:02:03.000005Z,3,4,5,,own\n");
    free(w.text);
    o.sink = begin(&w, OUTPUT_JSON, 0, false);
    assert_int_equal(hunt_output_hits(&o), 0);
    assert_int_equal(hunt_output_hit(&o, &h), 0);
    assert_string_equal(end(&w), "{\"own\":\"10.0.0.1\",\"list\":\"t11\",\"direction\":\"inbound\","
                                 "\"first_seen\":\"2026-11-20T01:02:03.000004Z\",\"last_seen\":\"2026-11-20T01:02:03.000005Z\","
                                 "\"flows\":3,\"packets\":4,\"bytes\":5,\"listed\":\"own\",\"remotes\":\"198.51.100.7\"}\n");
    free(w.text);
}

static void rows_of_a_hunt_have_exactly_the_columns_of_the_manual(void **state)
{
    struct written w;
    struct hunt_output o = {begin(&w, OUTPUT_CSV, 0, false)};
    struct hunt_row r = {.start_us = A_TIME, .end_us = A_TIME, .has_start = true, .has_end = true, .has_source = true,
                         .has_destination = true, .has_source_port = true, .has_destination_port = true, .has_protocol = true,
                         .has_packets = true, .has_bytes = true, .source_port = 1, .destination_port = 65535, .protocol = 6,
                         .packets = 2, .bytes = 3, .is_source_listed = true, .is_destination_listed = true};
    (void)state;
    r.source = ip("10.0.0.1").ip;
    r.destination = ip("2001:db8::1").ip;
    assert_int_equal(hunt_output_rows(&o), 0);
    assert_int_equal(hunt_output_row(&o, &r), 0);
    r.is_destination_listed = r.has_end = r.has_source_port = r.has_packets = false;
    r.protocol = 253;
    assert_int_equal(hunt_output_row(&o, &r), 0);
    r.is_destination_listed = true;
    r.is_source_listed = r.has_protocol = false;
    assert_int_equal(hunt_output_row(&o, &r), 0);
    assert_string_equal(end(&w),
                        "start,end,source_ip,source_port,destination_ip,destination_port,transport,packets,bytes,listed\n"
                        "2026-11-20T01:02:03.000004Z,2026-11-20T01:02:03.000004Z,10.0.0.1,1,2001:db8::1,65535,tcp,2,3,both\n"
                        "2026-11-20T01:02:03.000004Z,,10.0.0.1,,2001:db8::1,65535,253,,3,source\n"
                        "2026-11-20T01:02:03.000004Z,,10.0.0.1,,2001:db8::1,65535,,,3,destination\n");
    free(w.text);
}

static void nobody_reading_is_an_error_of_its_own(void **state)
{
    struct output_options form = {.form = OUTPUT_CSV};
    FILE *full = fopen("/dev/full", "w");
    (void)state;
    if (!full) {
        print_message("skipped: no /dev/full here\n");
        skip();
    }
    struct output *o = output_new(full, &form);
    struct query_sink s = output_sink(o);
    int r = s.begin(s.context, columns, N_COLUMNS);
    assert_int_equal(r ? r : output_flush(o), -ENOSPC);
    output_free(o);
    fclose(full);
}

static int write_some(void *context)
{
    enum output_form form = *(enum output_form *)context;
    struct output_options o = {.form = form, .width = 60};
    FILE *to = fopen("/dev/null", "w");
    struct output *out = to ? output_new(to, &o) : NULL;
    struct query_value v[N_COLUMNS];
    fill(v);
    int r = out ? 0 : -ENOMEM;
    struct query_sink s = out ? output_sink(out) : (struct query_sink){0};
    r = r ? r : s.begin(s.context, columns, N_COLUMNS);
    for (int i = 0; !r && i < 500; i++)
        r = s.row(s.context, v, N_COLUMNS, TEXT(""));
    r = r ? r : output_flush(out);
    output_free(out);
    if (to)
        fclose(to);
    return r;
}

static void a_failed_allocation_is_answered(void **state)
{
    (void)state;
    for (enum output_form form = OUTPUT_TABLE; form <= OUTPUT_JSON; form++)
        assert_true(failing_alloc_each("writing an answer", write_some, &form, false) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_only_what_needs_it),
        cmocka_unit_test(the_header_stands_also_without_rows),
        cmocka_unit_test(json_has_one_object_a_line_without_absent_keys),
        cmocka_unit_test(a_table_aligns_shows_local_time_and_fits),
        cmocka_unit_test(a_table_of_hits_fits_and_says_what_it_goes_without),
        cmocka_unit_test(counts_are_grouped_for_people_as_their_language_does_and_names_never),
        cmocka_unit_test(hits_have_exactly_the_columns_of_the_manual),
        cmocka_unit_test(rows_of_a_hunt_have_exactly_the_columns_of_the_manual),
        cmocka_unit_test(nobody_reading_is_an_error_of_its_own),
        cmocka_unit_test(a_failed_allocation_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
