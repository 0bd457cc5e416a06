/* SPDX-License-Identifier: Apache-2.0 */
/* Spreadsheets written here part by part, against the cells a person sees. */
#include "cmocka_house.h"

#include "base/clock.h"
#include "failing_alloc.h"
#include "format/xlsx.h"
#include "help_xlsx.h"

#include <errno.h>
#include <stdio.h>

static int put_sheet(void *context, struct text name)
{
    buf_printf(context, "[%.*s]", (int)name.n, name.p);
    return 0;
}

static int put_row(void *context, uint32_t row, const struct text *cells, uint32_t n)
{
    buf_printf(context, "%u:", row);
    for (uint32_t i = 0; i < n; i++)
        buf_printf(context, "%s%.*s", i ? "|" : "", (int)cells[i].n, cells[i].p);
    buf_add_text(context, "\n");
    return 0;
}

static int read_words(const struct buf *file, struct buf *words)
{
    *words = (struct buf){.max = (size_t)64 << 20};
    struct xlsx_out out = {.sheet = put_sheet, .row = put_row, .context = words};
    int r = xlsx_read(file->p, file->n, &out);
    buf_add_byte(words, 0);
    return r;
}

static const char strings[] = HELP_XML "<sst><si><t>Địa chỉ IP</t></si><si><r><t>Mi</t></r><r><t>rai</t></r><rPh><t>no</t></rPh></si><si/></sst>";
/* style 0 general, 1 built-in date 14, 2 own date code, 3 a number code whose text holds letters, 4 a duration */
static const char styles[] = HELP_XML "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"dd/mm/yyyy\\ hh:mm\"/>"
                                      "<numFmt numFmtId=\"165\" formatCode=\"0&quot; days&quot;\"/><numFmt numFmtId=\"166\" formatCode=\"[h]:mm\"/></numFmts>"
                                      "<cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs>"
                                      "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"164\"/><xf numFmtId=\"165\"/><xf numFmtId=\"166\"/></cellXfs></styleSheet>";

static void shows_what_the_cells_show(void **state)
{
    (void)state;
    static const char sheet[] = HELP_SHEET(
        "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"C1\" t=\"s\"><v>1</v></c></row>"
        "<row r=\"3\"><c r=\"A3\" t=\"inlineStr\"><is><t>1.2.3.4</t></is></c><c r=\"B3\"><v>443</v></c><c r=\"C3\" s=\"1\"><v>45352</v></c>"
        "<c r=\"D3\" s=\"2\"><v>45352.3125</v></c><c r=\"E3\" s=\"3\"><v>45352</v></c><c r=\"F3\" s=\"4\"><v>1.5</v></c>"
        "<c r=\"G3\" t=\"b\"><v>1</v></c><c r=\"H3\" t=\"str\"><f>A1</f><v>a&amp;b</v></c><c r=\"I3\"><v>4.5352E4</v></c><c r=\"J3\" t=\"s\"><v>99</v></c></row>"
        "<row><c><v>7</v></c><c><v>8</v></c></row>");
    for (unsigned method = 0; method <= 8; method += 8) {
        struct buf file = help_xlsx(sheet, NULL, strings, styles, method), words;
        assert_int_equal(read_words(&file, &words), 0);
        /* 45352 is 2024-03-01 (Excel's DATEVALUE); .3125 of a day is 07:30 */
        assert_string_equal((char *)words.p, "[A]1:Địa chỉ IP||Mirai\n"
                                             "3:1.2.3.4|443|2024-03-01T00:00:00|2024-03-01T07:30:00|45352|1.5|1|a&b|45352|\n4:7|8\n");
        buf_fini(&words);
        buf_fini(&file);
    }
}

static void reads_every_sheet_in_the_order_of_the_workbook(void **state)
{
    (void)state;
    struct buf file = help_xlsx(HELP_SHEET("<row r=\"2\"><c><v>1</v></c></row>"),
                                HELP_XML "<x:worksheet xmlns:x=\"y\"><x:sheetData><x:row r=\"1\"><x:c><x:v>2</x:v></x:c></x:row></x:sheetData></x:worksheet>",
                                NULL, NULL, 8), words;
    assert_int_equal(read_words(&file, &words), 0);
    assert_string_equal((char *)words.p, "[A]2:1\n[B]1:2\n");
    buf_fini(&words);
    buf_fini(&file);
}

static void day_numbers_become_dates(void **state)
{
    (void)state;
    static const struct {
        double serial;
        bool is_1904;
        const char *expected;
    } cases[] = {{1, false, "1900-01-01T00:00:00"}, {59, false, "1900-02-28T00:00:00"}, {61, false, "1900-03-01T00:00:00"},
                 {25569, false, "1970-01-01T00:00:00"}, {43890.5, false, "2020-02-29T12:00:00"}, {42428.5, true, "2020-02-29T12:00:00"},
                 {2958465.99999, false, "9999-12-31T23:59:59"}, {0, false, ""}, {-3, false, ""}, {2958466, false, ""}, {1e300, false, ""}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[32] = "";
        size_t n = xlsx_serial_format(cases[i].serial, cases[i].is_1904, out);
        assert_int_equal(n, strlen(cases[i].expected));
        if (n)
            assert_string_equal(out, cases[i].expected);
    }
}

static void refuses_what_is_damaged_or_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *sheet;
        int expected;
    } cases[] = {{HELP_XML "<worksheet><sheetData><row r=\"1\">", XLSX_BAD_XML},
                 {HELP_XML "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><worksheet>&b;</worksheet>", XLSX_BAD_XML},
                 {HELP_SHEET("<row r=\"5\"/><row r=\"4\"/>"), ZIP_DAMAGED},
                 {HELP_SHEET("<row r=\"1048577\"/>"), ZIP_DAMAGED},
                 {HELP_SHEET("<row r=\"1\"><c r=\"ZZZ1\"><v>1</v></c></row>"), 0},
                 {"not xml", XLSX_BAD_XML}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf file = help_xlsx(cases[i].sheet, NULL, NULL, NULL, 8), words;
        assert_int_equal(read_words(&file, &words), cases[i].expected);
        buf_fini(&words);
        buf_fini(&file);
    }
    struct help_part secret = {"xl/workbook.xml", "<workbook/>"};
    struct buf file = help_zip(&secret, 1, 8, 1), words;
    assert_int_equal(read_words(&file, &words), ZIP_ENCRYPTED);
    buf_fini(&words);
    buf_fini(&file);
    file = help_zip(&secret, 1, 8, 0);
    assert_int_equal(read_words(&file, &words), XLSX_NO_SHEET);
    buf_fini(&words);
    buf_fini(&file);
}

static void a_bomb_is_refused_by_its_ratio(void **state)
{
    (void)state;
    size_t n = (size_t)40 << 20;
    char *blanks = malloc(n + 1);
    assert_non_null(blanks);
    memset(blanks, ' ', n);
    blanks[n] = '\0';
    struct buf file = help_xlsx(blanks, NULL, NULL, NULL, 8), words;
    assert_int_equal(read_words(&file, &words), ZIP_TOO_LARGE);
    buf_fini(&words);
    buf_fini(&file);
    free(blanks);
}

/* every cut and every changed byte: an answer, never a crash; a whole answer only with a right checksum */
static void every_damage_is_survived(void **state)
{
    (void)state;
    static const char sheet[] = HELP_SHEET("<row r=\"1\"><c t=\"s\"><v>1</v></c><c s=\"2\"><v>45352.5</v></c></row>");
    struct buf file = help_xlsx(sheet, NULL, strings, styles, 8), words;
    for (size_t cut = 0; cut < file.n; cut++) {
        struct buf shorter = {.p = malloc(cut + 1), .n = cut};
        assert_non_null(shorter.p);
        memcpy(shorter.p, file.p, cut);
        assert_true(read_words(&shorter, &words) > 0);
        buf_fini(&words);
        free(shorter.p);
    }
    uint64_t s = seed();
    for (size_t i = 0; i < 20000; i++) {
        uint64_t r = next_random(&s);
        size_t at = r % file.n;
        uint8_t old = file.p[at];
        file.p[at] = (uint8_t)(r >> 32);
        assert_true(read_words(&file, &words) >= 0);
        file.p[at] = old;
        buf_fini(&words);
    }
    buf_fini(&file);
}

static int read_once(void *context)
{
    struct buf *file = context;
    static char words[256];
    struct buf fixed = {.p = (uint8_t *)words, .capacity = sizeof(words), .max = sizeof(words)};
    struct xlsx_out out = {.row = put_row, .context = &fixed};
    return xlsx_read(file->p, file->n, &out);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct buf file = help_xlsx(HELP_SHEET("<row r=\"1\"><c t=\"s\"><v>1</v></c></row>"), NULL, strings, styles, 8);
    assert_true(failing_alloc_each("xlsx", read_once, &file, false) >= 6);
    buf_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_the_cells_show),
        cmocka_unit_test(reads_every_sheet_in_the_order_of_the_workbook),
        cmocka_unit_test(day_numbers_become_dates),
        cmocka_unit_test(refuses_what_is_damaged_or_hostile),
        cmocka_unit_test(a_bomb_is_refused_by_its_ratio),
        cmocka_unit_test(every_damage_is_survived),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
