/* SPDX-License-Identifier: Apache-2.0 */
/* state/trail: what was changed, taken out, put in or rewritten is found; a given head tells a chain that was computed anew. */
#include "base/clock.h"
#include "state_help.h"

#include <sodium.h>

static const struct trail_kind THINGS[] = {
    {.kind = "thing", .table = "thing", .child = "part", .child_key = "thing", .is_whole = true},
    {.kind = "alarm", .table = "alarm", .columns = "id, state"},
};

static void begin(struct state_help *h)
{
    struct fault f = {0};
    state_begin(h);
    state_run(h->pool, "CREATE TABLE thing(id INTEGER PRIMARY KEY, name TEXT, weight REAL, blob BLOB) STRICT;"
                       "CREATE TABLE part(id INTEGER PRIMARY KEY, thing INTEGER NOT NULL, name TEXT NOT NULL) STRICT;"
                       "CREATE TABLE alarm(id INTEGER PRIMARY KEY, state TEXT NOT NULL, count INTEGER NOT NULL) STRICT;");
    if (trail_watch(h->pool, THINGS, COUNT_OF(THINGS), &f))
        fail_msg("%s", f.text);
}

static struct text text_of(const char *p)
{
    return (struct text){p, strlen(p)};
}

static void enter(struct db *db, const char *action, const char *kind, int64_t object, const char *detail)
{
    const struct trail_entry e = {.at_us = 1000, .who = TEXT("user:1"), .action = text_of(action), .kind = text_of(kind), .object = object,
        .why = TEXT("v\xc3\xac l\xc3\xbd do"), .detail = text_of(detail), .address = TEXT("192.0.2.1")};
    trail_add(db, &e);
}

/* three things with parts, an alarm, and five entries of reads */
static void fill(struct state_help *h)
{
    struct db *db = db_write(h->pool);
    db_many(db, "INSERT INTO thing VALUES(1, 'one', 1.5, x'00ff'), (2, NULL, NULL, NULL), (3, '', 0.1, x'');"
                "INSERT INTO part VALUES(1, 1, 'a'), (2, 1, 'b'), (3, 3, 'c'); INSERT INTO alarm VALUES(1, 'new', 7);");
    for (int64_t i = 1; i <= 3; i++)
        enter(db, "thing.add", "thing", i, "{}");
    enter(db, "alarm.new", "alarm", 1, "{}");
    for (int i = 0; i < 5; i++)
        enter(db, "thing.read", "", 0, "{\"n\":1}");
    state_keep(db);
}

static struct trail_report verify(struct state_help *h, const struct sha256 *head)
{
    struct trail_report r;
    struct fault f = {0};
    struct db *db = db_read(h->pool);
    if (trail_verify(db, head, &r, &f))
        fail_msg("%s", f.text);
    db_end(db, false, NULL);
    return r;
}

static struct sha256 head_of(struct state_help *h)
{
    struct sha256 head;
    uint64_t n;
    struct db *db = db_read(h->pool);
    assert_int_equal(trail_head(db, &head, &n), 0);
    db_end(db, false, NULL);
    return head;
}

static void an_untouched_trail_is_whole(void **state)
{
    (void)state;
    struct state_help h;
    begin(&h);
    struct trail_report r = verify(&h, NULL);
    assert_int_equal(r.n_entries, 0);
    assert_int_equal(r.first_wrong, 0);
    fill(&h);
    struct sha256 head = head_of(&h);
    r = verify(&h, &head);
    assert_int_equal(r.n_entries, 9);
    assert_int_equal(r.first_wrong, 0);
    assert_int_equal(r.n_objects, 4);
    assert_int_equal(r.n_objects_wrong, 0);
    assert_true(r.has_head);
    assert_memory_equal(r.head.b, head.b, 32);
    /* the head of then is still there when more was written */
    struct db *db = db_write(h.pool);
    enter(db, "thing.read", "", 0, "{}");
    state_keep(db);
    assert_true(verify(&h, &head).has_head);
    head.b[7] ^= 1;
    assert_false(verify(&h, &head).has_head);
    state_end(&h);
}

static void the_table_takes_no_update_delete_or_replacement(void **state)
{
    (void)state;
    static const char *const TRIES[] = {
        "UPDATE trail SET who = 'x' WHERE n = 2", "DELETE FROM trail WHERE n = 9", "DELETE FROM trail", "UPDATE trail_layout SET columns = 'id'",
        "DELETE FROM trail_layout", "REPLACE INTO trail SELECT n, at_us, 'x', action, kind, object, why, detail, address, layout, content, link FROM trail WHERE n = 3",
        "INSERT INTO trail SELECT n + 20, at_us, 'x', action, kind, object, why, detail, address, layout, content, link FROM trail WHERE n = 3"};
    struct state_help h;
    begin(&h);
    fill(&h);
    for (size_t i = 0; i < COUNT_OF(TRIES); i++) {
        struct db *db = db_write(h.pool);
        db_many(db, TRIES[i]);
        if (db_end(db, true, NULL) != DB_CONFLICT)
            fail_msg("taken: %s", TRIES[i]);
    }
    assert_int_equal(verify(&h, NULL).first_wrong, 0);
    state_end(&h);
}

#define NO_TRIGGERS                                                                                                            \
    "DROP TRIGGER trail_no_UPDATE; DROP TRIGGER trail_no_DELETE; DROP TRIGGER trail_in_order; DROP TRIGGER trail_layout_no_UPDATE;" \
    "DROP TRIGGER trail_layout_no_DELETE;"

static void any_tampering_is_found_where_it_is(void **state)
{
    (void)state;
    static const struct { const char *sql; uint64_t first_wrong, objects_wrong; const char *object; } CASES[] = {
        {"UPDATE trail SET at_us = at_us + 1 WHERE n = 4", 4, 0, ""},
        {"UPDATE trail SET who = 'user:2' WHERE n = 5", 5, 0, ""},
        {"UPDATE trail SET action = 'thing.reax' WHERE n = 5", 5, 0, ""},
        {"UPDATE trail SET why = '' WHERE n = 9", 9, 0, ""},
        {"UPDATE trail SET detail = '{\"n\":2}' WHERE n = 6", 6, 0, ""},
        {"UPDATE trail SET address = '192.0.2.2' WHERE n = 6", 6, 0, ""},
        {"UPDATE trail SET who = 'user:1thing', action = '.read' WHERE n = 5", 5, 0, ""}, /* the same bytes in another place */
        {"UPDATE trail SET object = 2 WHERE n = 1", 1, 1, "thing 1"},    /* of thing 2 the last entry counts */
        {"UPDATE trail SET layout = 1 WHERE n = 9", 9, 0, ""},
        {"UPDATE trail SET content = zeroblob(32) WHERE n = 2", 2, 1, "thing 2"},
        {"UPDATE trail SET content = NULL WHERE n = 2", 2, 1, "thing 2"},
        {"UPDATE trail SET link = zeroblob(32) WHERE n = 9", 9, 0, ""},
        {"DELETE FROM trail WHERE n = 5", 5, 0, ""},
        {"DELETE FROM trail WHERE n = 5; UPDATE trail SET n = n - 1 WHERE n > 5", 5, 0, ""},
        {"DELETE FROM trail WHERE n = 1", 1, 1, "thing 1"},
        {"UPDATE trail SET n = 100 WHERE n = 5; UPDATE trail SET n = 5 WHERE n = 6; UPDATE trail SET n = 6 WHERE n = 100", 5, 0, ""},
        {"DELETE FROM trail WHERE n > 3", 0, 0, ""}, /* only a head kept elsewhere tells */
        {"UPDATE thing SET name = 'two' WHERE id = 1", 0, 1, "thing 1"},
        {"UPDATE thing SET name = '' WHERE id = 2", 0, 1, "thing 2"}, /* null and empty are not the same */
        {"UPDATE thing SET name = NULL WHERE id = 3", 0, 1, "thing 3"},
        {"UPDATE thing SET weight = 1.5000000000000002 WHERE id = 1", 0, 1, "thing 1"}, /* the last bit */
        {"UPDATE thing SET blob = x'00fe' WHERE id = 1", 0, 1, "thing 1"},
        {"UPDATE part SET name = 'z' WHERE id = 2", 0, 1, "thing 1"},
        {"UPDATE part SET thing = 2 WHERE id = 3", 0, 2, "thing"},
        {"DELETE FROM part WHERE id = 1", 0, 1, "thing 1"},
        {"INSERT INTO part VALUES(9, 2, 'new')", 0, 1, "thing 2"},
        {"DELETE FROM thing WHERE id = 2", 0, 1, "thing 2"},
        {"INSERT INTO thing VALUES(4, 'stray', 0, x'')", 0, 1, "thing 4"},
        {"UPDATE alarm SET state = 'resolved'", 0, 1, "alarm 1"},
        {"UPDATE alarm SET count = 8", 0, 0, ""}, /* what machines change is not part of it */
        {"INSERT INTO alarm VALUES(2, 'new', 1)", 0, 0, ""}, /* of this kind machines make rows */
        {"UPDATE trail_layout SET columns = 'id' WHERE kind = 'thing'; UPDATE thing SET name = 'x' WHERE id = 1", 0, 3, "thing"},
        {"UPDATE trail_layout SET is_whole = 0 WHERE kind = 'thing'", 0, 3, "thing"},
        {"DELETE FROM trail_layout WHERE kind = 'thing'", 0, 3, "thing"},
        {"UPDATE trail_layout SET table_name = 'thing;--' WHERE kind = 'alarm'", 0, 2, ""},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct state_help h;
        struct fault f = {0};
        begin(&h);
        fill(&h);
        struct sha256 head = head_of(&h);
        state_run(h.pool, NO_TRIGGERS);
        state_run(h.pool, CASES[i].sql);
        db_pool_close(h.pool); /* as verify does: with what stands in the file */
        assert_int_equal(db_pool_open(h.path, 2, false, &h.pool, &f), 0);
        int watched = trail_watch(h.pool, NULL, 0, &f);
        assert_true(watched == 0 || watched == -EBADMSG);
        struct trail_report r = verify(&h, &head);
        if (r.first_wrong != CASES[i].first_wrong || r.n_objects_wrong != CASES[i].objects_wrong ||
            strncmp(r.wrong_object, CASES[i].object, strlen(CASES[i].object)) != 0)
            fail_msg("%s: entry %llu, %llu objects, first %s", CASES[i].sql, (unsigned long long)r.first_wrong, (unsigned long long)r.n_objects_wrong,
                     r.wrong_object);
        bool is_cut = r.first_wrong || strstr(CASES[i].sql, "n > 3");
        assert_int_equal(r.has_head, !is_cut);
        state_end(&h);
    }
}

static void any_bit_of_any_entry_counts(void **state)
{
    (void)state;
    static const char *const COLUMNS[] = {"at_us", "who", "action", "kind", "object", "why", "detail", "address", "layout", "content", "link"};
    uint64_t began = seed(), chance = began;
    struct state_help h;
    begin(&h);
    fill(&h);
    state_run(h.pool, NO_TRIGGERS);
    for (unsigned i = 0, n = rounds(120); i < n; i++) {
        char sql[400];
        uint64_t r = next_random(&chance), entry = 1 + r % 9;
        const char *column = COLUMNS[(r >> 8) % COUNT_OF(COLUMNS)];
        bool is_number = !strcmp(column, "at_us") || !strcmp(column, "object") || !strcmp(column, "layout");
        bool is_blob = !strcmp(column, "content") || !strcmp(column, "link");
        state_run(h.pool, "CREATE TABLE before AS SELECT * FROM trail");
        if (is_number)
            snprintf(sql, sizeof(sql), "UPDATE trail SET %s = (coalesce(%s, 0) | %lld) - (coalesce(%s, 0) & %lld) WHERE n = %d", column, column,
                     1LL << (r >> 16) % 40, column, 1LL << (r >> 16) % 40, (int)entry);
        else if (is_blob)
            snprintf(sql, sizeof(sql), "UPDATE trail SET %s = CAST(substr(%s, 1, %d) || x'%02x' || substr(%s, %d) AS BLOB) WHERE n = %d AND %s IS NOT NULL",
                     column, column, (int)((r >> 16) % 32), (unsigned)(r >> 24) & 0xff, column, (int)((r >> 16) % 32) + 2, (int)entry, column);
        else
            snprintf(sql, sizeof(sql), "UPDATE trail SET %s = substr(%s, 1, %d) || 'x' || substr(%s, %d) WHERE n = %d", column, column, (int)((r >> 16) % 6),
                     column, (int)((r >> 16) % 6) + 1 + (int)(r >> 32 & 1), (int)entry);
        state_run(h.pool, sql);
        bool is_changed = state_number(h.pool, "SELECT EXISTS(SELECT * FROM trail EXCEPT SELECT * FROM before)") == 1;
        struct trail_report report = verify(&h, NULL);
        if (report.first_wrong != (is_changed ? entry : 0))
            fail_msg("VONGGAC_SEED=%llu: %s: found at %llu", (unsigned long long)began, sql, (unsigned long long)report.first_wrong);
        state_run(h.pool, "DELETE FROM trail; INSERT INTO trail SELECT * FROM before; DROP TABLE before");
    }
    state_end(&h);
}

/* The owner of the file computes everything anew: a forger as good as the program itself. Only a head from before tells. */
static void a_chain_computed_anew_lacks_the_head_that_was_printed(void **state)
{
    (void)state;
    struct state_help h;
    begin(&h);
    fill(&h);
    struct sha256 printed = head_of(&h);
    state_run(h.pool, NO_TRIGGERS "DELETE FROM trail; UPDATE thing SET name = 'forged' WHERE id = 1");
    struct db *db = db_write(h.pool);
    for (int64_t i = 1; i <= 3; i++)
        enter(db, "thing.add", "thing", i, "{}");
    enter(db, "alarm.new", "alarm", 1, "{}");
    for (int i = 0; i < 5; i++)
        enter(db, "thing.read", "", 0, "{\"n\":1}");
    state_keep(db);
    struct trail_report r = verify(&h, &printed);
    assert_int_equal(r.n_entries, 9);
    assert_int_equal(r.first_wrong, 0);
    assert_int_equal(r.n_objects_wrong, 0);
    assert_false(r.has_head);
    state_end(&h);
}

static void a_column_that_came_later_leaves_old_entries_true(void **state)
{
    (void)state;
    struct state_help h;
    struct fault f = {0};
    begin(&h);
    fill(&h);
    db_pool_close(h.pool);
    state_open_pool(&h);
    state_run(h.pool, "ALTER TABLE thing ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'");
    assert_int_equal(trail_watch(h.pool, THINGS, COUNT_OF(THINGS), &f), 0);
    assert_int_equal(verify(&h, NULL).n_objects_wrong, 0);
    struct db *db = db_write(h.pool);
    db_many(db, "UPDATE thing SET colour = 'blue' WHERE id = 2");
    enter(db, "thing.paint", "thing", 2, "{}");
    state_keep(db);
    assert_int_equal(verify(&h, NULL).n_objects_wrong, 0);
    state_run(h.pool, "UPDATE thing SET colour = 'green' WHERE id = 2");
    assert_int_equal(verify(&h, NULL).n_objects_wrong, 1);
    /* a migration that rewrites rows, or takes a column away, enters them again */
    state_run(h.pool, "UPDATE thing SET colour = 'blue' WHERE id = 2; ALTER TABLE thing DROP COLUMN name");
    assert_int_equal(verify(&h, NULL).n_objects_wrong, 3);
    assert_int_equal(trail_watch(h.pool, THINGS, COUNT_OF(THINGS), &f), 0);
    db = db_write(h.pool);
    assert_int_equal(trail_again(db, TEXT("thing"), "migration", 2000), 3);
    state_keep(db);
    assert_int_equal(verify(&h, NULL).n_objects_wrong, 0);
    state_end(&h);
}

static void an_entry_is_kept_or_lost_with_its_change(void **state)
{
    (void)state;
    struct state_help h;
    begin(&h);
    fill(&h);
    struct db *db = db_write(h.pool);
    db_many(db, "UPDATE thing SET name = 'never' WHERE id = 1");
    enter(db, "thing.change", "thing", 1, "{}");
    assert_int_equal(db_end(db, false, NULL), 0);
    struct trail_report r = verify(&h, NULL);
    assert_int_equal(r.n_entries, 9);
    assert_int_equal(r.n_objects_wrong, 0);
    db = db_write(h.pool);
    db_many(db, "DELETE FROM part WHERE thing = 1; DELETE FROM thing WHERE id = 1");
    enter(db, "thing.delete", "thing", 1, "{}");
    state_keep(db);
    assert_int_equal(verify(&h, NULL).n_objects_wrong, 0);
    state_end(&h);
}

static void texts_without_bounds_are_bounded(void **state)
{
    (void)state;
    struct state_help h;
    static char huge[TRAIL_DETAIL_MAX + 2];
    begin(&h);
    memset(huge, 'x', sizeof(huge));
    struct text all = {huge, sizeof(huge)};
    const struct trail_entry e = {.who = all, .action = all, .kind = all, .object = 1, .why = all, .detail = all, .address = all};
    struct db *db = db_write(h.pool);
    trail_add(db, &e);
    trail_add(db, &(struct trail_entry){0});
    state_keep(db);
    assert_int_equal(state_number(h.pool, "SELECT length(why) FROM trail WHERE n = 1"), (int64_t)TRAIL_WHY_MAX);
    assert_int_equal(state_number(h.pool, "SELECT detail = '{\"is_cut\":true,\"bytes\":262146}' FROM trail WHERE n = 1"), 1);
    assert_int_equal(verify(&h, NULL).first_wrong, 0);
    state_end(&h);
}

static void what_is_not_there_cannot_be_watched(void **state)
{
    (void)state;
    static const struct trail_kind WRONG[] = {{.kind = "ghost", .table = "ghost"}, {.kind = "thing", .table = "thing", .columns = "id, ghost"},
        {.kind = "Thing", .table = "thing"}, {.kind = "thing", .table = "thing\" --"}, {.kind = "alarm", .table = "alarm", .child = "part", .child_key = "alarm"}};
    struct state_help h;
    begin(&h);
    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        struct fault f = {0};
        assert_true(trail_watch(h.pool, &WRONG[i], 1, &f) < 0);
        assert_true(f.text[0] != '\0');
    }
    state_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_untouched_trail_is_whole),
        cmocka_unit_test(the_table_takes_no_update_delete_or_replacement),
        cmocka_unit_test(any_tampering_is_found_where_it_is),
        cmocka_unit_test(any_bit_of_any_entry_counts),
        cmocka_unit_test(a_chain_computed_anew_lacks_the_head_that_was_printed),
        cmocka_unit_test(a_column_that_came_later_leaves_old_entries_true),
        cmocka_unit_test(an_entry_is_kept_or_lost_with_its_change),
        cmocka_unit_test(texts_without_bounds_are_bounded),
        cmocka_unit_test(what_is_not_there_cannot_be_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
