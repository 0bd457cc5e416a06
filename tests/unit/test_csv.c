/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected values are RFC 4180's own examples and what stands in the input.
 */
#include "format/csv.h"

#include "cmocka_house.h"
#include "failing_alloc.h"

#include <stdio.h>

struct seen {
    struct buf text; /* fields closed by '|', records by '\n', refusals as "!reason\n" */
    uint64_t last_row, last_line;
};

static void drain(struct csv_reader *r, struct seen *s)
{
    struct csv_record record;
    for (;;) {
        int rc = csv_next(r, &record);
        if (rc == CSV_MORE || rc == CSV_END)
            return;
        s->last_row = record.row;
        s->last_line = record.line;
        if (rc == CSV_REFUSED) {
            buf_printf(&s->text, "!%s\n", csv_refusal_name(record.refusal));
            continue;
        }
        assert_int_equal(rc, 0);
        for (uint32_t i = 0; i < record.n; i++) {
            buf_add(&s->text, record.fields[i].p, record.fields[i].n);
            buf_add_byte(&s->text, '|');
        }
        buf_add_byte(&s->text, '\n');
    }
}

static void read_in_pieces(const char *in, size_t n, size_t piece, const struct csv_options *o, struct seen *s)
{
    static struct csv_reader r;
    *s = (struct seen){.text = {.max = 1 << 24}};
    csv_init(&r, o);
    for (size_t at = 0; at < n; at += piece) {
        size_t m = n - at < piece ? n - at : piece;
        assert_int_equal(csv_feed(&r, in + at, m), 0);
        drain(&r, s);
    }
    assert_int_equal(csv_end(&r), 0);
    drain(&r, s);
    struct csv_record record;
    assert_int_equal(csv_next(&r, &record), CSV_END);
    buf_add_byte(&s->text, 0);
    csv_fini(&r);
}

static void expect(const char *in, size_t n, const struct csv_options *o, const char *wanted)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1u << 20};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct seen s;
        read_in_pieces(in, n, pieces[i], o, &s);
        assert_string_equal((char *)s.text.p, wanted);
        buf_fini(&s.text);
    }
}

#define EXPECT(in, wanted) expect(in, sizeof(in) - 1, NULL, wanted)

static void records_are_read_as_rfc_4180_shows_them(void **state)
{
    (void)state;
    EXPECT("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", "aaa|bbb|ccc|\nzzz|yyy|xxx|\n");
    EXPECT("aaa,bbb,ccc\r\nzzz,yyy,xxx", "aaa|bbb|ccc|\nzzz|yyy|xxx|\n");
    EXPECT("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx", "aaa|b\r\nbb|ccc|\nzzz|yyy|xxx|\n");
    EXPECT("\"aaa\",\"b\"\"bb\",\"ccc\"", "aaa|b\"bb|ccc|\n");
    EXPECT("a,,\n,,\n", "a|||\n|||\n");
    EXPECT("\"\",\"\"\"\"\n", "|\"|\n");
}

static void line_ends_of_all_systems_end_a_record(void **state)
{
    (void)state;
    EXPECT("a,b\nc,d\r\ne,f\rg,h", "a|b|\nc|d|\ne|f|\ng|h|\n");
    EXPECT("a,b\r\n\r\n \n\nc,d\n\n", "a|b|\nc|d|\n");
    EXPECT("", "");
}

static void quotes_inside_an_unquoted_field_are_characters(void **state)
{
    (void)state;
    EXPECT("a\"b,c\"\nd,e\n", "a\"b|c\"|\nd|e|\n");
    EXPECT("\"a\"b,c\n", "ab|c|\n");
}

static void the_separator_is_found(void **state)
{
    (void)state;
    EXPECT("a;b;c\n1,5;2,5;3\n", "a|b|c|\n1,5|2,5|3|\n");
    EXPECT("a\tb\n1,2\t3\n", "a|b|\n1,2|3|\n");
    EXPECT("a b\nc\n", "a b|\nc|\n");
    EXPECT("\"x;y;z\",b\n1,2\n", "x;y;z|b|\n1|2|\n");
    assert_int_equal(csv_detect_separator(TEXT("# a;b;c\nip,org\n1,2\n"), '#'), ',');
    assert_int_equal(csv_detect_separator(TEXT("1.2.3.4\n"), '#'), 0);
}

static void comments_are_skipped_and_rows_keep_their_numbers(void **state)
{
    (void)state;
    static const char in[] = "# \"one,\n\nip,org\n #two\n\"a\nb\",c\nx,y\n";
    struct csv_options o = {.comment = '#'};
    expect(in, sizeof(in) - 1, &o, "ip|org|\na\nb|c|\nx|y|\n");
    struct seen s;
    read_in_pieces(in, sizeof(in) - 1, 5, &o, &s);
    assert_int_equal(s.last_row, 3);
    assert_int_equal(s.last_line, 7);
    buf_fini(&s.text);
}

static void byte_order_marks_choose_the_encoding(void **state)
{
    (void)state;
    EXPECT("\xef\xbb\xbf" "ip,\xc4\x91\n", "ip|\xc4\x91|\n");
    EXPECT("\xff\xfe" "i\0p\0,\0\x11\x01\r\0\n\0" "\x3d\xd8\x00\xde,\0z\0", "ip|\xc4\x91|\n\xf0\x9f\x98\x80|z|\n");
    EXPECT("\xfe\xff" "\0i\0p\0,\x01\x11\0\n", "ip|\xc4\x91|\n");
    EXPECT("\xff\xfe" "a\0\x00\xd8" "b\0,\0c\0", "a\xef\xbf\xbd" "b|c|\n");
    EXPECT("\xff\xfe" "a\0\x00\xd8", "a\xef\xbf\xbd|\n");
    EXPECT("\xef\xbb,x\n", "\xef\xbb|x|\n");
    EXPECT("\xef\xbb\xbf", "");
    EXPECT("\xef", "\xef|\n");
}

static void an_unclosed_quote_costs_only_its_line(void **state)
{
    (void)state;
    EXPECT("a,b\n\"c,d\ne,f\ng,h\n", "a|b|\n!unclosed_quote\ne|f|\ng|h|\n");
    EXPECT("\"", "!unclosed_quote\n");
}

static void limits_refuse_the_row_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct buf in = {.max = 1 << 24};
    struct csv_options o = {.max_record_bytes = 4096};
    buf_add_text(&in, "a,b\n");
    for (int i = 0; i < 5000; i++)
        buf_add_byte(&in, 'x');
    buf_add_text(&in, "\nc,d\n");
    for (unsigned i = 0; i < CSV_MAX_FIELDS + 1; i++)
        buf_add_byte(&in, ',');
    buf_add_text(&in, "\ne,f\n\"g,");
    for (int i = 0; i < 3000; i++)
        buf_add_text(&in, "h\n");
    struct seen s;
    read_in_pieces((char *)in.p, in.n, 512, &o, &s);
    static const char head[] = "a|b|\n!row_too_long\nc|d|\n!too_many_columns\ne|f|\n!unclosed_quote\nh|\nh|\n";
    assert_memory_equal(s.text.p, head, sizeof(head) - 1);
    assert_int_equal(s.last_row, 6 + 2999); /* the first h stands on the refused line */
    buf_fini(&s.text);
    buf_fini(&in);
}

static void without_quoting_a_quote_is_a_character(void **state)
{
    (void)state;
    struct csv_options o = {.is_unquoted = true, .separator = '\t'};
    expect("\"a\tb\"\n\"\n", 8, &o, "\"a|b\"|\n\"|\n");
}

static void written_fields_read_back_the_same(void **state)
{
    (void)state;
    static const char *const fields[] = {"plain", "", "a,b", "say \"x\"", "two\nlines", " blank ", "\r", "\"", "đ"};
    struct buf out = {.max = 4096}, wanted = {.max = 4096};
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        if (i)
            buf_add_byte(&out, ',');
        csv_put(&out, (struct text){fields[i], strlen(fields[i])});
        buf_printf(&wanted, "%s|", fields[i]);
    }
    buf_add_text(&wanted, "\n");
    buf_add_byte(&wanted, 0);
    struct csv_options o = {.separator = ','};
    expect((char *)out.p, out.n, &o, (char *)wanted.p);
    buf_fini(&out);
    buf_fini(&wanted);
}

static void random_records_read_back_the_same_in_any_pieces(void **state)
{
    (void)state;
    static const char letters[] = "ab,;\t\"\n\r #\xc4\x91";
    uint64_t random = seed();
    for (unsigned round = 0; round < rounds(2000); round++) {
        struct buf in = {.max = 1 << 20}, wanted = {.max = 1 << 20};
        unsigned n_records = 1 + (unsigned)(next_random(&random) % 12), n_fields = 2 + (unsigned)(next_random(&random) % 5);
        for (unsigned i = 0; i < n_records; i++) {
            for (unsigned k = 0; k < n_fields; k++) {
                char field[12];
                unsigned n = (unsigned)(next_random(&random) % sizeof(field));
                for (unsigned m = 0; m < n; m++)
                    field[m] = letters[next_random(&random) % (sizeof(letters) - 1)];
                if (k)
                    buf_add_byte(&in, ',');
                csv_put(&in, (struct text){field, n});
                buf_add(&wanted, field, n);
                buf_add_byte(&wanted, '|');
            }
            buf_add_text(&in, (unsigned)(next_random(&random) % 2) ? "\r\n" : "\n");
            buf_add_byte(&wanted, '\n');
        }
        struct csv_options o = {.separator = ','};
        struct seen s;
        read_in_pieces((char *)in.p, in.n, 1 + (unsigned)(next_random(&random) % 40), &o, &s);
        if (s.text.n != wanted.n + 1 || memcmp(s.text.p, wanted.p, wanted.n) != 0)
            fail_msg("VONGGAC_SEED=%llu round %u: %.*s", (unsigned long long)seed(), round, (int)in.n, (char *)in.p);
        buf_fini(&s.text);
        buf_fini(&in);
        buf_fini(&wanted);
    }
}

static int read_with_failures(void *context)
{
    const struct text *in = context;
    static struct csv_reader r;
    struct csv_record record;
    csv_init(&r, NULL);
    int rc = csv_feed(&r, in->p, in->n);
    if (!rc)
        rc = csv_end(&r);
    while (!rc && csv_next(&r, &record) != CSV_END)
        ;
    csv_fini(&r);
    return rc;
}

static void every_allocation_may_fail_once(void **state)
{
    (void)state;
    struct text texts[] = {TEXT("a,b\n1,2\n"), TEXT("\xff\xfe" "a\0,\0b\0\x00\xd8"), TEXT("\xef\xbb")};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_true(failing_alloc_each("reading csv", read_with_failures, &texts[i], false) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_as_rfc_4180_shows_them),
        cmocka_unit_test(line_ends_of_all_systems_end_a_record),
        cmocka_unit_test(quotes_inside_an_unquoted_field_are_characters),
        cmocka_unit_test(the_separator_is_found),
        cmocka_unit_test(comments_are_skipped_and_rows_keep_their_numbers),
        cmocka_unit_test(byte_order_marks_choose_the_encoding),
        cmocka_unit_test(an_unclosed_quote_costs_only_its_line),
        cmocka_unit_test(limits_refuse_the_row_and_the_rest_goes_on),
        cmocka_unit_test(without_quoting_a_quote_is_a_character),
        cmocka_unit_test(written_fields_read_back_the_same),
        cmocka_unit_test(random_records_read_back_the_same_in_any_pieces),
        cmocka_unit_test(every_allocation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
