/* SPDX-License-Identifier: Apache-2.0 */
/* desk/asset: sightings become one record per machine; people decide what is doubtful; an inventory comes in; nobody sees another's. */
#include "office_house.h"
#include "desk/asset/asset_own.h"

#define HOUR (3600 * US_PER_SECOND)

static struct office office;
static struct unit_words *words;
static const struct db_migrations *const rooms[] = {&unit_migrations, &asset_migrations};
static const struct unit_actor actor = {TEXT("cli:test"), TEXT(""), OFFICE_NOW};
static int64_t unit_a, unit_b;

static struct text of(const char *p)
{
    return (struct text){p, strlen(p)};
}

static int begin(void **state)
{
    (void)state;
    struct fault f = {0};
    office_open(&office, rooms, 2);
    static const char csv[] = "form,words\nubnd,uy ban nhan dan\n", units[] = "code,name,parent\na,Sở A,\nb,Sở B,\n";
    struct trail_kind kinds[16];
    memcpy(kinds, unit_kinds, unit_n_kinds * sizeof(*kinds));
    memcpy(kinds + unit_n_kinds, asset_kinds, asset_n_kinds * sizeof(*kinds));
    if (unit_words_read(csv, sizeof(csv) - 1, "words", &words, &f) || trail_watch(office.pool, kinds, unit_n_kinds + asset_n_kinds, &f))
        fail_msg("%s", f.text);
    struct table_report *report = table_report_new();
    struct unit_import o = {.words = words, .by = actor, .source = TEXT("units.csv")};
    struct db *db = db_write(office.pool);
    assert_int_equal(unit_import(db, (const uint8_t *)units, sizeof(units) - 1, &o, report, &f), 0);
    struct unit u;
    struct arena arena = {0};
    assert_int_equal(unit_get_by_code(db, TEXT("a"), &arena, &u), 0);
    unit_a = u.id;
    assert_int_equal(unit_get_by_code(db, TEXT("b"), &arena, &u), 0);
    unit_b = u.id;
    arena_fini(&arena);
    assert_int_equal(db_end(db, true, NULL), 0);
    table_report_free(report);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unit_words_free(words);
    office_close(&office);
    return 0;
}

static int64_t count(const char *sql)
{
    struct db *db = db_read(office.pool);
    struct db_statement *s = db_sql(db, sql);
    int64_t n = db_next(s) ? db_int(s, 0) : -1;
    db_end(db, false, NULL);
    return n;
}

/* see - one sighting in a transaction of its own */
static struct machine_seen see(enum machine_source source, const char *agent, const char *mac, const char *name, const char *ip, int hours)
{
    struct machine_sighting m = {.source = source, .seen_by = TEXT("test"), .at_us = OFFICE_NOW + hours * HOUR, .unit = unit_a,
                                 .product = TEXT(""), .os = TEXT(""), .note = TEXT("")};
    struct machine_seen seen;
    m.keys[IDENTITY_AGENT][0] = of(agent);
    m.keys[IDENTITY_MAC][0] = of(mac);
    m.keys[IDENTITY_NAME][0] = of(name);
    m.keys[IDENTITY_IP][0] = of(ip);
    struct db *db = db_write(office.pool);
    int r = machine_see(db, &m, &actor, &seen);
    assert_int_equal(db_end(db, true, NULL), 0);
    assert_int_equal(r, 0);
    return seen;
}

static void one_machine_seen_by_many_is_one_record(void **state)
{
    (void)state;
    int64_t flow = see(MACHINE_BY_FLOW, "", "", "", "10.0.0.5", -3).machine;
    assert_int_equal(count("SELECT is_managed FROM machine"), 0);
    assert_int_equal(see(MACHINE_BY_LEASE, "", "00:11:22:33:44:55", "PC-05", "10.0.0.5", -3).machine, flow);
    assert_int_equal(see(MACHINE_BY_AGENT, "agent-0005", "00-11-22-33-44-55", "pc-05", "10.0.0.5", -2).machine, flow);
    assert_int_equal(see(MACHINE_BY_ANTIVIRUS, "", "", "PC-05", "", -1).machine, flow);
    assert_int_equal(see(MACHINE_BY_FLOW, "", "", "", "10.0.0.5", 0).machine, flow);
    assert_int_equal(count("SELECT count(*) FROM machine"), 1);
    assert_int_equal(count("SELECT count(*) FROM machine_key"), 4);
    assert_int_equal(count("SELECT is_managed FROM machine"), 1);
    assert_int_equal(count("SELECT name = 'PC-05' OR name = 'pc-05' FROM machine"), 1);
    struct db *db = db_read(office.pool);
    assert_int_equal(machine_at(db, TEXT("10.0.0.5"), unit_a, OFFICE_NOW), flow);
    assert_int_equal(machine_at(db, TEXT("10.0.0.5"), unit_b, OFFICE_NOW), 0);
    assert_int_equal(machine_named(db, TEXT("PC-05"), 0), flow);
    db_end(db, false, NULL);
}

static void a_reimaged_machine_ends_and_its_successor_is_linked(void **state)
{
    (void)state;
    int64_t old = see(MACHINE_BY_AGENT, "agent-old", "00:11:22:33:44:55", "pc-old", "", -5).machine;
    int64_t person = office_person(&office, "an", "coordinator", 0);
    const struct machine_change c = {.unit = unit_a, .tlp = TLP_AMBER, .name = TEXT("pc-old"), .note = TEXT("kế toán")};
    struct db *db = office_see(&office, person, PERMISSION_ASSET_WRITE, "machine", true);
    assert_int_equal(machine_change(db, old, -1, &c, &actor), 0); /* from now on the trail vouches for it */
    assert_int_equal(db_end(db, true, NULL), 0);
    struct machine_seen fresh = see(MACHINE_BY_AGENT, "agent-new", "00:11:22:33:44:55", "pc-new", "", 0);
    assert_true(fresh.is_new && fresh.machine != old);
    assert_int_equal(count("SELECT count(*) FROM machine WHERE ended_us IS NULL"), 1);
    assert_int_equal(count("SELECT became FROM machine WHERE ended_why = 'reimaged'"), fresh.machine);
    assert_int_equal(count("SELECT count(*) FROM machine_link WHERE kind = 'reimaged' AND state = 'told'"), 1);
    assert_int_equal(see(MACHINE_BY_LEASE, "", "00:11:22:33:44:55", "", "10.0.0.9", 1).machine, fresh.machine);
    struct trail_report report;
    struct fault f = {0};
    db = db_read(office.pool);
    assert_int_equal(trail_verify(db, NULL, &report, &f), 0);
    db_end(db, false, NULL);
    assert_int_equal(report.first_wrong + report.n_objects_wrong, 0);
}

static void a_renamed_machine_stays_one_and_says_so(void **state)
{
    (void)state;
    int64_t id = see(MACHINE_BY_AGENT, "agent-0001", "", "before", "", -5).machine;
    assert_int_equal(see(MACHINE_BY_AGENT, "agent-0001", "", "after", "", 0).machine, id);
    assert_int_equal(count("SELECT name = 'after' FROM machine"), 1);
    assert_int_equal(count("SELECT count(*) FROM machine_event WHERE event = 'renamed' AND detail = 'after'"), 1);
    assert_int_equal(see(MACHINE_BY_LOG, "", "", "before", "", 1).machine, id); /* its old name still finds it */
}

static void doubt_is_a_link_that_a_person_judges(void **state)
{
    (void)state;
    int64_t one = see(MACHINE_BY_LEASE, "", "00:11:22:33:44:01", "laptop", "", -5).machine;
    int64_t two = see(MACHINE_BY_LEASE, "", "00:11:22:33:44:02", "laptop", "", -4).machine;
    assert_true(one != two);
    assert_int_equal(count("SELECT count(*) FROM machine_link WHERE state = 'open' AND kind = 'same_name'"), 1);
    int64_t person = office_person(&office, "an", "coordinator", 0);
    struct db *db = office_see(&office, person, PERMISSION_ASSET_WRITE, "machine", true);
    assert_int_equal(machine_judge(db, 1, true, TEXT("hai card mạng"), &actor), 0);
    assert_int_equal(machine_judge(db, 1, true, TEXT(""), &actor), MACHINE_NO_SUCH); /* it is decided */
    assert_int_equal(db_end(db, true, NULL), 0);
    assert_int_equal(count("SELECT count(*) FROM machine WHERE ended_us IS NULL"), 1);
    assert_int_equal(count("SELECT count(DISTINCT value) FROM machine_key k JOIN machine m ON m.id = k.machine AND m.ended_us IS NULL AND k.kind = 2"), 2);
    /* and taken apart again: the record that was merged away has its key back */
    int64_t made = 0;
    db = office_see(&office, person, PERMISSION_ASSET_WRITE, "machine", true);
    int64_t kept = count("SELECT id FROM machine WHERE ended_us IS NULL"), gone = kept == one ? two : one;
    assert_int_equal(machine_split(db, kept, -1, NULL, 0, gone, TEXT("nhầm"), &actor, &made), 0);
    assert_int_equal(made, gone);
    assert_int_equal(db_end(db, true, NULL), 0);
    assert_int_equal(count("SELECT count(*) FROM machine WHERE ended_us IS NULL"), 2);
    assert_int_equal(see(MACHINE_BY_LEASE, "", "00:11:22:33:44:01", "", "", 1).machine, one);
    assert_int_equal(see(MACHINE_BY_LEASE, "", "00:11:22:33:44:02", "", "", 1).machine, two);
    struct trail_report report;
    struct fault f = {0};
    db = db_read(office.pool);
    assert_int_equal(trail_verify(db, NULL, &report, &f), 0);
    db_end(db, false, NULL);
    assert_int_equal(report.first_wrong + report.n_objects_wrong, 0);
}

static void another_units_machines_are_neither_seen_nor_changed(void **state)
{
    (void)state;
    int64_t mine = see(MACHINE_BY_LEASE, "", "00:11:22:33:44:01", "a-1", "", -5).machine;
    int64_t other = see(MACHINE_BY_LEASE, "", "00:11:22:33:44:02", "a-2", "", -4).machine, key, made;
    int64_t person = office_person(&office, "binh", "coordinator", unit_b);
    key = count("SELECT min(id) FROM machine_key");
    struct machine_change c = {.unit = unit_b, .name = TEXT("x"), .note = TEXT("")};
    struct db *db = office_see(&office, person, PERMISSION_ASSET_WRITE, "machine", true);
    assert_int_equal(machine_merge(db, mine, other, -1, TEXT(""), &actor), MACHINE_NO_SUCH);
    assert_int_equal(machine_split(db, mine, -1, &key, 1, 0, TEXT(""), &actor, &made), MACHINE_NO_SUCH);
    assert_int_equal(machine_change(db, mine, -1, &c, &actor), MACHINE_NO_SUCH);
    assert_int_equal(machine_end(db, mine, -1, TEXT(""), &actor), MACHINE_NO_SUCH);
    struct machine_row row;
    assert_int_equal(machine_row_get(db, mine, false, &row), MACHINE_NO_SUCH);
    /* his inventory with the same serials and MACs makes machines of his own */
    struct machine_sighting m = {.source = MACHINE_BY_INVENTORY, .only_seen = true, .unit = unit_b, .at_us = OFFICE_NOW, .seen_by = TEXT("x"),
                                 .product = TEXT(""), .os = TEXT(""), .note = TEXT("")};
    struct machine_seen seen;
    m.keys[IDENTITY_MAC][0] = TEXT("00:11:22:33:44:01");
    assert_int_equal(machine_see(db, &m, &actor, &seen), 0);
    assert_true(seen.is_new && seen.machine != mine);
    assert_int_equal(db_end(db, true, NULL), 0);
    assert_int_equal(count("SELECT count(*) FROM machine WHERE version <> 1"), 0);
}

static struct table_report *import(const char *csv, enum machine_source from, int expected)
{
    struct fault f = {0};
    struct table_report *report = table_report_new();
    struct machine_import o = {.words = words, .by = actor, .source = TEXT("kiem-ke.csv"), .from = from, .unit = 0};
    struct db *db = db_write(office.pool);
    int r = machine_import(db, (const uint8_t *)csv, strlen(csv), &o, report, &f);
    if (r != expected)
        fail_msg("machine_import: %d: %s", r, f.text);
    assert_int_equal(db_end(db, !r, NULL), 0);
    assert_int_equal(report->n_rows, report->n_kept + report->n_refused);
    return report;
}

static void an_inventory_in_vietnamese_comes_in_and_names_what_it_refuses(void **state)
{
    (void)state;
    static const char csv[] = "DANH SÁCH MÁY\nTên máy;Địa chỉ IP;Địa chỉ MAC;Số serial;Đơn vị;Loại máy;Hệ điều hành;Phần mềm diệt virus;Trạng thái\n"
                              "PC-01;10.0.0.1, 10.0.1.1;00:11:22:33:44:01;S0001;Sở A;Máy trạm;Windows 10;AV-X;Đang hoạt động\n"
                              "SRV-01;10.0.0.2;;S0002;SO A;Máy chủ;Debian 12;;Chưa cài\n"
                              "PC-02;10.0.0.3;;;Phòng nào đó;Máy trạm;;;\n"
                              ";10.0.0.999;;;Sở A;;;;\n;;;To be filled by O.E.M.;Sở A;;;;\nPC-03;;;;Sở A;Tàu vũ trụ;;;\n";
    struct table_report *r = import(csv, MACHINE_BY_INVENTORY, 0);
    assert_int_equal(r->n_rows, 6);
    assert_int_equal(r->n_new, 3);
    assert_int_equal(r->n_queued, 1);
    assert_int_equal(r->refused[TABLE_REFUSED_BAD_ADDRESS], 1);
    assert_int_equal(r->refused[TABLE_REFUSED_NO_KEY], 1);
    assert_int_equal(r->refused[TABLE_REFUSED_BAD_CHOICE], 1);
    table_report_free(r);
    assert_int_equal(count("SELECT count(*) FROM machine_key WHERE kind = 4"), 4);
    assert_int_equal(count("SELECT kind * 10 + protection FROM machine WHERE name = 'SRV-01'"), MACHINE_SERVER * 10 + PROTECTION_NONE);
    assert_int_equal(count("SELECT unit FROM machine WHERE name = 'SRV-01'"), unit_a);
    /* the queue: once a person has said what the text means, its machine goes there, and the next import knows */
    int64_t person = office_person(&office, "an", "coordinator", 0);
    struct db *db = office_see(&office, person, PERMISSION_UNIT_WRITE, "unit_text", true);
    assert_int_equal(unit_text_decide(db, 1, 1, unit_b, &actor), 0);
    assert_int_equal(machine_adopt(db, &actor), 1);
    assert_int_equal(db_end(db, true, NULL), 0);
    assert_int_equal(count("SELECT unit FROM machine WHERE name = 'PC-02'"), unit_b);
    r = import("Tên máy,Đơn vị\nPC-09,phòng NÀO đó\n", MACHINE_BY_INVENTORY, 0);
    assert_int_equal(r->n_queued, 0);
    table_report_free(r);
    assert_int_equal(count("SELECT unit FROM machine WHERE name = 'PC-09'"), unit_b);
    /* and the same file again is nothing new */
    r = import(csv, MACHINE_BY_INVENTORY, 0);
    assert_int_equal(r->n_new, 0);
    table_report_free(r);
    assert_int_equal(count("SELECT count(*) FROM machine"), 4);
}

static void an_antivirus_console_tells_the_state_of_protection(void **state)
{
    (void)state;
    table_report_free(import("name,unit\nPC-01,Sở A\nPC-02,Sở A\n", MACHINE_BY_INVENTORY, 0));
    table_report_free(import("Computer name,Group,Antivirus,Status,Last connection\nPC-01,Sở A,AV-X,Enabled,17/02/2026 09:00\n"
                             "PC-02,Sở A,AV-X,Out of date,01/02/2026\n", MACHINE_BY_ANTIVIRUS, 0));
    assert_int_equal(count("SELECT protection FROM machine WHERE name = 'PC-01'"), PROTECTION_PROTECTED);
    assert_int_equal(count("SELECT protection FROM machine WHERE name = 'PC-02'"), PROTECTION_OUTDATED);
    /* an older list does not undo a newer one */
    table_report_free(import("Computer name,Group,Status,Last connection\nPC-01,Sở A,Disabled,10/02/2026\n", MACHINE_BY_ANTIVIRUS, 0));
    assert_int_equal(count("SELECT protection FROM machine WHERE name = 'PC-01'"), PROTECTION_PROTECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_machine_seen_by_many_is_one_record, begin, end),
        cmocka_unit_test_setup_teardown(a_reimaged_machine_ends_and_its_successor_is_linked, begin, end),
        cmocka_unit_test_setup_teardown(a_renamed_machine_stays_one_and_says_so, begin, end),
        cmocka_unit_test_setup_teardown(doubt_is_a_link_that_a_person_judges, begin, end),
        cmocka_unit_test_setup_teardown(another_units_machines_are_neither_seen_nor_changed, begin, end),
        cmocka_unit_test_setup_teardown(an_inventory_in_vietnamese_comes_in_and_names_what_it_refuses, begin, end),
        cmocka_unit_test_setup_teardown(an_antivirus_console_tells_the_state_of_protection, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
