/* SPDX-License-Identifier: Apache-2.0 */
/* desk/unit: the units that ship come in through the import; dates, names and successors are those of the sources. */
#include "office_house.h"
#include "base/content.h"
#include "base/file.h"
#include "desk/unit/unit_own.h"
#include "watch/indicator/lists.h"

#define DAY(y, m, d) day(y, m, d)
#define IN_2024 day(2024, 1, 24)
#define JULY_2025 day(2025, 7, 1)

static struct office office;
static struct unit_words *words;
static const struct db_migrations *const rooms[] = {&unit_migrations};

static int64_t day(int y, int m, int d)
{
    int64_t us;
    assert_int_equal(clock_from_civil(&(struct civil){.year = y, .month = m, .day = d}, ZONE_VIETNAM_S, &us), 0);
    return us;
}

static struct text of(const char *p)
{
    return (struct text){p, strlen(p)};
}

static int begin(void **state)
{
    (void)state;
    struct fault f = {0};
    office_open(&office, rooms, 1);
    if (trail_watch(office.pool, unit_kinds, unit_n_kinds, &f) || unit_words_load(&words, &f))
        fail_msg("%s", f.text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unit_words_free(words);
    office_close(&office);
    return 0;
}

static const struct unit_actor actor = {TEXT("cli:test"), TEXT(""), OFFICE_NOW};

/* import - @expected: what unit_import answers */
static struct table_report *import(const char *csv, size_t n, bool is_whole, int expected)
{
    struct fault f = {0};
    struct table_report *report = table_report_new();
    struct unit_import o = {.words = words, .by = actor, .source = TEXT("test.csv"), .is_whole = is_whole};
    struct db *db = db_write(office.pool);
    int r = unit_import(db, (const uint8_t *)csv, n, &o, report, &f);
    if (r != expected)
        fail_msg("unit_import: %d: %s", r, f.text);
    if (db_end(db, !r, &f) && !r)
        fail_msg("%s", f.text);
    assert_int_equal(report->n_rows, report->n_kept + report->n_refused);
    return report;
}

static struct table_report *import_content(const char *name)
{
    char path[4096];
    uint8_t *p = NULL;
    size_t n;
    struct fault f = {0};
    assert_int_equal(content_path(name, path, sizeof(path), &f), 0);
    assert_int_equal(file_read_path(path, (size_t)8 << 20, &p, &n), 0);
    struct table_report *r = import((const char *)p, n, false, 0);
    for (size_t i = 0; i < r->n_shown; i++)
        fail_msg("%s line %llu %s: %s", name, (unsigned long long)r->shown[i].line, r->shown[i].column, table_refusal_name(r->shown[i].why));
    free(p);
    return r;
}

static int64_t count(const char *sql)
{
    struct db *db = db_read(office.pool);
    struct db_statement *s = db_sql(db, sql);
    int64_t n = db_next(s) ? db_int(s, 0) : -1;
    db_end(db, false, NULL);
    return n;
}

static int64_t by_code(const char *code)
{
    struct arena arena = {0};
    struct unit u = {0};
    struct db *db = db_read(office.pool);
    if (unit_get_by_code(db, of(code), &arena, &u))
        fail_msg("no unit %s", code);
    db_end(db, false, NULL);
    arena_fini(&arena);
    return u.id;
}

static void load_all(void)
{
    table_report_free(import_content("units/provinces.csv"));
    table_report_free(import_content("units/authorities.csv"));
    table_report_free(import_content("units/departments.csv"));
}

static void the_units_that_ship_are_63_provinces_before_and_34_after_july_2025(void **state)
{
    (void)state;
    load_all();
    struct db *db = db_read(office.pool);
    struct db_statement *s = db_sql(db, "SELECT count(DISTINCT unit) FROM unit_then WHERE kind = 'province' AND from_us <= ?1 AND to_us > ?1");
    static const struct {
        int y, m, d, n;
    } all[] = {{2024, 1, 24, 63}, {2025, 6, 30, 63}, {2025, 7, 1, 34}, {2026, 11, 20, 34}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        db_bind(s, 1, day(all[i].y, all[i].m, all[i].d));
        assert_true(db_next(s));
        assert_int_equal(db_int(s, 0), all[i].n);
        db_reset(s);
    }
    db_end(db, false, NULL);
    /* 63 - 11 that were not merged ended; each has exactly one successor */
    assert_int_equal(count("SELECT count(*) FROM unit WHERE kind = 'province' AND valid_to_us IS NOT NULL"), 52);
    assert_int_equal(count("SELECT count(*) FROM unit_link l JOIN unit u ON u.id = l.earlier WHERE u.kind = 'province'"), 52);
    assert_int_equal(count("SELECT count(*) FROM unit u WHERE u.kind = 'province' AND u.valid_to_us IS NOT NULL AND u.parent <>"
                           " (SELECT l.later FROM unit_link l WHERE l.earlier = u.id)"), 0);
}

static void what_a_letter_of_2024_names_resolves_then_and_leads_to_who_answers_today(void **state)
{
    (void)state;
    static const struct {
        const char *name, *code, *today;
    } all[] = {
        {"UBND tỉnh Kon Tum", "province.kon-tum", "province.quang-ngai.2025"},
        {"Tỉnh Bình Dương", "province.binh-duong", "province.ho-chi-minh.2025"},
        {"tỉnh Thái Bình", "province.thai-binh", "province.hung-yen.2025"},
        {"TỈNH LAI CHÂU", "province.lai-chau", "province.lai-chau"},
        {"Thừa Thiên Huế", "province.hue", "province.hue"},
        {"Sở TTTT tỉnh Lai Châu", "dept.tttt.lai-chau", "dept.khcn.lai-chau"},
        {"Sở TT&TT Kon Tum", "dept.tttt.kon-tum", "dept.khcn.quang-ngai.2025"},
        {"SO THONG TIN VA TRUYEN THONG TINH BINH DUONG", "dept.tttt.binh-duong", "dept.khcn.ho-chi-minh.2025"},
        {"Bộ Thông tin và Truyền thông", "ministry.btttt", "ministry.bkhcn"},
        {"Bộ TT&TT", "ministry.btttt", "ministry.bkhcn"},
        {"Cục An toàn thông tin", "authority.cattt", "authority.a05"},
        {"NCSC", "authority.ncsc", "authority.ttanmqg"},
        {"VNCERT/CC", "authority.vncert", "authority.a05"},
        {"TP.HCM", "province.ho-chi-minh", "province.ho-chi-minh.2025"},
        {"Viettel", "provider.viettel", "provider.viettel"},
    };
    load_all();
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct unit_found found;
        int64_t today[4];
        struct db *db = db_read(office.pool);
        assert_int_equal(unit_resolve(db, words, of(all[i].name), IN_2024, &found), 0);
        size_t n = unit_today(db, found.unit, OFFICE_NOW, today, 4);
        db_end(db, false, NULL);
        if (found.unit != by_code(all[i].code))
            fail_msg("%s: unit %lld, %u candidates", all[i].name, (long long)found.unit, found.n);
        assert_int_equal(n, 1);
        assert_int_equal(today[0], by_code(all[i].today));
    }
}

static void what_nobody_is_called_any_more_is_asked_about(void **state)
{
    (void)state;
    struct unit_found found;
    load_all();
    struct db *db = db_read(office.pool);
    assert_int_equal(unit_resolve(db, words, TEXT("Tỉnh Bình Dương"), OFFICE_NOW, &found), 0);
    db_end(db, false, NULL);
    assert_int_equal(found.unit, 0);
    assert_true(found.n >= 1 && found.candidates[0].unit == by_code("province.binh-duong") && !found.candidates[0].is_valid);
}

static void the_same_file_again_changes_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"units/provinces.csv", "units/authorities.csv", "units/departments.csv"};
    load_all();
    int64_t n = count("SELECT count(*) FROM trail"), n_alias = count("SELECT count(*) FROM unit_alias");
    for (size_t i = 0; i < 3; i++) {
        struct table_report *r = import_content(names[i]);
        assert_int_equal(r->n_same, r->n_kept);
        assert_int_equal(r->n_new + r->n_changed, 0);
        table_report_free(r);
    }
    assert_int_equal(count("SELECT count(*) FROM trail"), n);
    assert_int_equal(count("SELECT count(*) FROM unit_alias"), n_alias);
}

static void rows_of_one_code_are_versions_in_any_order_of_the_file(void **state)
{
    (void)state;
    static const char csv[] = "Mã đơn vị;Tên đơn vị;Hiệu lực từ;Hiệu lực đến;Cấp trên\n"
                              "a;Sở Mới;01/07/2025;;P\nP;Tỉnh P;;;\na;Sở Cũ;;01/07/2025;P\n";
    struct table_report *r = import(csv, sizeof(csv) - 1, false, 0);
    assert_int_equal(r->n_new, 2);
    assert_int_equal(r->n_changed, 1);
    table_report_free(r);
    struct db *db = db_read(office.pool);
    struct unit_found found;
    static const struct {
        const char *name;
        bool is_old;
    } all[] = {{"Sở Cũ", true}, {"Sở Mới", false}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(unit_resolve(db, words, of(all[i].name), all[i].is_old ? IN_2024 : OFFICE_NOW, &found), 0);
        assert_int_equal(found.how, UNIT_BY_NAME);
        assert_int_equal(unit_resolve(db, words, of(all[i].name), all[i].is_old ? OFFICE_NOW : IN_2024, &found), 0);
        assert_int_equal(found.unit, 0);
    }
    db_end(db, false, NULL);
}

static void rows_that_are_wrong_are_named_and_the_rest_goes_on(void **state)
{
    (void)state;
    static const char csv[] = "BẢNG DANH MỤC ĐƠN VỊ,,,\n,,,\ncode,name,kind,parent,valid_from,valid_to\n"
                              "p,Tỉnh P,tỉnh,,,\nc1,Xã Một,xã,p,,\nc2,Xã Hai,xã,Tỉnh P,,\nc3,,xã,p,,\nc4,Xã Bốn,hành tinh,p,,\n"
                              "c5,Xã Năm,xã,nơi nào đó,,\nc6,Xã Sáu,xã,p,hôm qua,\nc7,Xã Bảy,xã,p,2025-01-01,2024-01-01\nc8,Xã Tám,xã,p,,\nc9,Xã Chín,xã,p,,\n";
    struct table_report *r = import(csv, sizeof(csv) - 1, false, 0);
    assert_int_equal(r->n_rows, 10);
    assert_int_equal(r->n_kept, 5);
    assert_int_equal(r->n_queued, 1);
    static const struct {
        uint64_t line;
        enum table_refusal why;
    } all[] = {{7, TABLE_REFUSED_MISSING}, {8, TABLE_REFUSED_BAD_CHOICE}, {10, TABLE_REFUSED_BAD_TIME}, {11, TABLE_REFUSED_BAD_PERIOD},
               {9, TABLE_REFUSED_UNKNOWN_PARENT}};
    assert_int_equal(r->n_shown, COUNT_OF(all));
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        assert_int_equal(r->shown[i].line, all[i].line);
        assert_int_equal(r->shown[i].why, all[i].why);
    }
    table_report_free(r);
    assert_int_equal(count("SELECT count(*) FROM unit"), 5);
}

static void a_file_all_or_nothing_leaves_nothing_of_a_wrong_one(void **state)
{
    (void)state;
    static const char csv[] = "code,name,parent\np,Tỉnh P,\nc,Xã C,ai đó\n", bad[] = "name,valid_from\nA,x\nB,y\nC,\n", none[] = "foo,bar\n1,2\n";
    table_report_free(import(csv, sizeof(csv) - 1, true, UNIT_IMPORT_REFUSED));
    table_report_free(import(bad, sizeof(bad) - 1, false, UNIT_IMPORT_REFUSED)); /* more than half is wrong */
    table_report_free(import(none, sizeof(none) - 1, false, TABLE_NO_HEADER));
    assert_int_equal(count("SELECT count(*) FROM unit"), 0);
    assert_int_equal(count("SELECT count(*) FROM unit_text"), 0);
}

static void a_decision_about_a_text_is_remembered(void **state)
{
    (void)state;
    struct unit_found found;
    load_all();
    int64_t officer = office_person(&office, "root", "coordinator", 0), kontum = by_code("province.kon-tum");
    struct db *db = db_write(office.pool);
    unit_text_ask(db, TEXT("Văn phòng Kontum cũ"), words, 0, TEXT("machines.csv"), OFFICE_NOW, &actor);
    unit_text_ask(db, TEXT("VP Kontum  cũ"), words, 0, TEXT("machines.csv"), OFFICE_NOW, &actor);
    assert_int_equal(unit_resolve(db, words, TEXT("văn phòng kontum cũ"), OFFICE_NOW, &found), 0);
    assert_int_equal(found.unit, 0);
    assert_int_equal(db_end(db, true, NULL), 0);
    assert_int_equal(count("SELECT count(*) FROM unit_text WHERE n_seen = 2"), 1);
    db = office_see(&office, officer, PERMISSION_UNIT_READ, "unit_text", true);
    assert_int_equal(unit_text_decide(db, 1, 7, kontum, &actor), UNIT_CHANGED);
    assert_int_equal(unit_text_decide(db, 1, 1, kontum, &actor), 0);
    assert_int_equal(unit_resolve(db, words, TEXT("văn phòng kontum cũ"), OFFICE_NOW, &found), 0);
    assert_int_equal(found.unit, kontum);
    assert_int_equal(found.how, UNIT_BY_DECISION);
    assert_int_equal(db_end(db, true, NULL), 0);
}

static void a_circle_and_an_old_version_are_refused(void **state)
{
    (void)state;
    static const char csv[] = "code,name,parent\na,Đơn vị A,\nb,Đơn vị B,a\n";
    table_report_free(import(csv, sizeof(csv) - 1, false, 0));
    int64_t a = by_code("a"), b = by_code("b");
    struct db *db = db_write(office.pool);
    struct unit_form f = {.name = TEXT("Đơn vị A"), .code = TEXT("a"), .kind = TEXT("other"), .parent = b, .is_body = true, .to_us = UNIT_FOREVER};
    assert_int_equal(unit_put(db, a, -1, &f, &actor), UNIT_CIRCLE);
    f.parent = 0;
    f.name = TEXT("Đơn vị A mới");
    assert_int_equal(unit_put(db, a, 9, &f, &actor), UNIT_CHANGED);
    assert_int_equal(unit_put(db, a, 1, &f, &actor), 0);
    assert_int_equal(unit_put(db, 99, -1, &f, &actor), UNIT_NO_SUCH);
    assert_int_equal(db_end(db, true, NULL), 0);
}

static int64_t prefix(struct db *db, int64_t unit, const char *range, const char *kind, int64_t from, int64_t to)
{
    int64_t id;
    struct unit_prefix_form f = {.unit = unit, .tlp = TLP_GREEN, .from_us = from, .to_us = to, .kind = kind, .note = TEXT(""), .source = TEXT("")};
    assert_int_equal(ip_range_parse(range, strlen(range), &f.range, NULL), 0);
    assert_int_equal(unit_prefix_put(db, 0, -1, &f, &actor, &id), 0);
    return id;
}

static void the_own_space_carries_the_unit_of_the_most_specific_prefix_of_the_time(void **state)
{
    (void)state;
    static const char csv[] = "code,name,parent\na,Tỉnh A,\nb,Sở B,a\n";
    table_report_free(import(csv, sizeof(csv) - 1, false, 0));
    int64_t a = by_code("a"), b = by_code("b");
    struct fault f = {0};
    struct db *db = db_write(office.pool);
    prefix(db, a, "203.0.113.0/24", "own", 0, UNIT_FOREVER);
    prefix(db, b, "203.0.113.64/26", "own", JULY_2025, UNIT_FOREVER);
    prefix(db, b, "203.0.113.7", "nat", 0, UNIT_FOREVER);
    prefix(db, a, "2001:db8::/32", "own", 0, UNIT_FOREVER);
    struct ip_range r;
    assert_int_equal(ip_range_parse("203.0.113.70", 12, &r, NULL), 0);
    assert_int_equal(unit_prefix_holder(db, &r, OFFICE_NOW, UNIT_FOREVER), b);
    assert_int_equal(unit_prefix_holder(db, &r, 0, IN_2024), a);
    assert_int_equal(db_end(db, true, &f), 0);
    db = db_read(office.pool);
    struct unit_space *s = NULL;
    assert_int_equal(unit_space_load(db, &s, &f), 0);
    assert_false(unit_space_is_old(s, db));
    static const struct {
        const char *ip;
        int y;
        char unit;
        bool is_nat;
    } all[] = {{"203.0.113.1", 2024, 'a', false}, {"203.0.113.70", 2024, 'a', false}, {"203.0.113.70", 2026, 'b', false},
               {"203.0.113.7", 2024, 'b', true},  {"2001:db8::9", 2024, 'a', false},  {"198.51.100.1", 2024, 0, false}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct ip ip;
        bool is_nat;
        assert_int_equal(ip_parse(all[i].ip, strlen(all[i].ip), &ip), 0);
        assert_int_equal(unit_space_find(s, &ip, day(all[i].y, 2, 1), &is_nat), all[i].unit == 'a' ? a : all[i].unit ? b : 0);
        assert_int_equal(is_nat, all[i].is_nat);
    }
    uint32_t version = 0;
    uint64_t n = 0;
    assert_int_equal(unit_publish_space(db, office.directory, &version, &n, &f), 0);
    assert_int_equal(version, 1);
    assert_int_equal(n, 4);
    db_end(db, false, NULL);
    unit_space_free(s);
    struct space *space;
    struct space_entry e;
    struct ip ip;
    assert_int_equal(space_open_current(office.directory, &space, &f), 0);
    assert_int_equal(ip_parse("203.0.113.70", 12, &ip), 0);
    assert_true(space_find(space, &ip, OFFICE_NOW, &e));
    assert_true(text_is(e.unit, "Sở B"));
    space_close(space);
    char command[160];
    snprintf(command, sizeof(command), "rm -r %s/space", office.directory);
    assert_int_equal(system(command), 0);
}

static void a_level_is_a_decision_with_number_day_and_body(void **state)
{
    (void)state;
    static const char csv[] = "code,name,parent\na,Tỉnh A,\n";
    table_report_free(import(csv, sizeof(csv) - 1, false, 0));
    int64_t root = office_person(&office, "root", "coordinator", 0), id;
    struct db *db = office_see(&office, root, PERMISSION_UNIT_READ, "system", true);
    struct system_form s = {.unit = by_code("a"), .tlp = TLP_AMBER, .name = TEXT("Cổng dịch vụ công"), .kind = TEXT("portal"), .exposure = "internet"};
    assert_int_equal(system_put(db, 0, -1, &s, &actor, &id), 0);
    assert_int_equal(system_level(db, id, OFFICE_NOW), 0);
    struct system_level_form l = {.level = 2, .decided_us = IN_2024, .state = "approved", .number = TEXT("12/QĐ-UBND"), .body = TEXT("UBND tỉnh A"), .law = TEXT(""), .note = TEXT("")};
    assert_int_equal(system_level_add(db, id, &l, &actor), 0);
    l.level = 3;
    l.decided_us = JULY_2025;
    assert_int_equal(system_level_add(db, id, &l, &actor), 0);
    assert_int_equal(system_level(db, id, day(2024, 6, 1)), 2);
    assert_int_equal(system_level(db, id, OFFICE_NOW), 3);
    assert_int_equal(system_level(db, id, day(2020, 1, 1)), 0);
    assert_int_equal(db_end(db, true, NULL), 0);
    db = office_see(&office, root, PERMISSION_UNIT_READ, "system", true);
    l.number = TEXT("");
    assert_int_equal(system_level_add(db, id, &l, &actor), DB_CONFLICT); /* approved without a number is no decision */
    assert_int_equal(db_end(db, false, NULL), DB_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_units_that_ship_are_63_provinces_before_and_34_after_july_2025, begin, end),
        cmocka_unit_test_setup_teardown(what_a_letter_of_2024_names_resolves_then_and_leads_to_who_answers_today, begin, end),
        cmocka_unit_test_setup_teardown(what_nobody_is_called_any_more_is_asked_about, begin, end),
        cmocka_unit_test_setup_teardown(the_same_file_again_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(rows_of_one_code_are_versions_in_any_order_of_the_file, begin, end),
        cmocka_unit_test_setup_teardown(rows_that_are_wrong_are_named_and_the_rest_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(a_file_all_or_nothing_leaves_nothing_of_a_wrong_one, begin, end),
        cmocka_unit_test_setup_teardown(a_decision_about_a_text_is_remembered, begin, end),
        cmocka_unit_test_setup_teardown(a_circle_and_an_old_version_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(the_own_space_carries_the_unit_of_the_most_specific_prefix_of_the_time, begin, end),
        cmocka_unit_test_setup_teardown(a_level_is_a_decision_with_number_day_and_body, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
