/* SPDX-License-Identifier: Apache-2.0 */
/* desk/asset/asset_list_db, desk/unit/unit_list_db against the naive way: over random trees, people, TLPs and filters a list shows exactly
 * what access_sees says, each once, newest first, and counts agree. */
#include "office_house.h"
#include "desk/asset/asset_list_db.h"
#include "desk/unit/unit_list_db.h"

enum { UNITS = 24, MACHINES = 300, PEOPLE = 6 };

static struct office office;
static const struct db_migrations *const rooms[] = {&unit_migrations, &asset_migrations};
static const struct unit_actor actor = {TEXT("cli:test"), TEXT(""), OFFICE_NOW};

static struct machine {
    int64_t id, unit, last_us, kind, protection, exposure, managed, tlp;
} machines[MACHINES];
static int64_t parents[UNITS + 1]; /* by id, 1..UNITS */
static int64_t people[PEOPLE];

static void make_units(struct db *db, uint64_t *x)
{
    for (int64_t i = 1; i <= UNITS; i++) {
        char name[32];
        int n = snprintf(name, sizeof(name), "Đơn vị %d", (int)i);
        parents[i] = (int64_t)(next_random(x) % (uint64_t)i); /* 0: the root */
        const struct unit_form f = {.name = {name, (size_t)n}, .short_name = TEXT(""), .code = TEXT(""), .kind = TEXT("department"), .note = TEXT(""),
                                    .source = TEXT(""), .parent = parents[i], .is_body = next_random(x) % 3 == 0, .to_us = UNIT_FOREVER};
        int64_t id;
        assert_int_equal(unit_add(db, &f, &actor, &id), 0);
        assert_int_equal(id, i);
        struct unit_prefix_form p = {.unit = id, .tlp = (int64_t)(next_random(x) % 4), .kind = "own", .to_us = UNIT_FOREVER, .note = TEXT(""), .source = TEXT("")};
        char range[32];
        int m = snprintf(range, sizeof(range), "10.%d.0.0/16", (int)i);
        assert_int_equal(ip_range_parse(range, (size_t)m, &p.range, NULL), 0);
        assert_int_equal(unit_prefix_put(db, 0, -1, &p, &actor, &id), 0);
    }
}

static void make_machines(struct db *db, uint64_t *x)
{
    for (int64_t i = 0; i < MACHINES; i++) {
        struct machine *m = &machines[i];
        *m = (struct machine){i + 1, (int64_t)(next_random(x) % (UNITS + 1)), (int64_t)(next_random(x) % 50), (int64_t)(next_random(x) % MACHINE_N_KINDS),
                              (int64_t)(next_random(x) % PROTECTION_N), (int64_t)(next_random(x) % EXPOSURE_N), (int64_t)(next_random(x) % 2),
                              (int64_t)(next_random(x) % 5)};
        struct db_statement *s = db_sql(db, "INSERT INTO machine(id, uuid, unit, tlp, name, kind, os, exposure, protection, product, is_managed, first_us, last_us,"
                       " last_source, last_by, note) VALUES(?1, 'u' || ?1, ?2, ?3, 'm', ?4, '', ?5, ?6, '', ?7, 1, ?8, 0, '', '')");
        db_bind(s, 1, m->id);
        if (m->unit)
            db_bind(s, 2, m->unit);
        db_bind(s, 3, m->tlp);
        db_bind(s, 4, m->kind);
        db_bind(s, 5, m->exposure);
        db_bind(s, 6, m->protection);
        db_bind(s, 7, m->managed);
        db_bind(s, 8, m->last_us);
        db_done(s);
    }
}

static bool is_below(int64_t unit, int64_t above)
{
    while (unit && unit != above)
        unit = parents[unit];
    return unit == above;
}

/* sees - the naive way: the one decision, asked for one object */
static bool sees(const struct machine *m)
{
    const struct access_object o = {.unit = m->unit, .tlp = (enum tlp)m->tlp, .kind = "machine", .id = m->id};
    return access_sees(office.view, &office.who, PERMISSION_ASSET_READ, &o, OFFICE_NOW);
}

static bool fits(const struct machine *m, const struct machine_filter *f)
{
    return (!f->below || (m->unit && is_below(m->unit, f->below))) && (f->kind < 0 || m->kind == f->kind) &&
           (f->protection < 0 || m->protection == f->protection) && (f->exposure < 0 || m->exposure == f->exposure) &&
           (f->is_managed < 0 || m->managed == f->is_managed) && sees(m);
}

static int64_t one_of(uint64_t *x, int64_t n)
{
    return next_random(x) % 3 ? -1 : (int64_t)(next_random(x) % (uint64_t)n);
}

static void compare(struct db *db, const struct machine_filter *f, int64_t limit)
{
    bool listed[MACHINES] = {false};
    struct web_list l = {0};
    int64_t before_us = INT64_MAX, before_id = INT64_MAX;
    do {
        struct web_list page = {.limit = limit, .has_after = l.n > 0, .after = {l.last[0], l.last[1]}, .rows = json_array()};
        machine_list(db, f, &page);
        for (size_t i = 0; i < json_array_size(page.rows); i++) {
            int64_t id = json_integer_value(json_object_get(json_array_get(page.rows, i), "id"));
            assert_in_range(id, 1, MACHINES);
            assert_false(listed[id - 1]);
            listed[id - 1] = true;
            const struct machine *m = &machines[id - 1];
            assert_true(m->last_us < before_us || (m->last_us == before_us && id < before_id));
            before_us = m->last_us;
            before_id = id;
        }
        json_decref(page.rows);
        l = page;
    } while (l.has_more);
    for (size_t i = 0; i < MACHINES; i++)
        if (listed[i] != fits(&machines[i], f))
            fail_msg("machine %zu of unit %d, TLP %d: listed %d", i + 1, (int)machines[i].unit, (int)machines[i].tlp, (int)listed[i]);
}

static void check_person(uint64_t *x, int64_t person)
{
    struct db *db = office_see(&office, person, PERMISSION_ASSET_READ, "machine", false);
    struct arena arena = {0};
    int64_t *ids, total = 0;
    size_t n;
    bool is_all;
    assert_int_equal(access_units(office.view, &office.who, PERMISSION_ASSET_READ, OFFICE_NOW, &arena, &ids, &n, &is_all), 0);
    struct buf b = {.max = 1 << 16};
    buf_add_byte(&b, '[');
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%lld", i ? "," : "", (long long)ids[i]);
    buf_add_byte(&b, ']');
    for (int i = 0; i < 12; i++) {
        struct machine_filter f = {.below = next_random(x) % 2 ? 0 : (int64_t)(next_random(x) % UNITS) + 1, .kind = one_of(x, MACHINE_N_KINDS),
                                   .protection = one_of(x, PROTECTION_N), .exposure = one_of(x, EXPOSURE_N), .is_managed = one_of(x, 2)};
        bool has_nobodys = n && ids[0] == 0;
        f.is_wide = is_all || has_nobodys || next_random(x) % 2;
        f.units = (struct text){(const char *)b.p, b.n};
        compare(db, &f, 1 + (int64_t)(next_random(x) % 70));
    }
    json_t *counts = machine_counts(db, 0);
    for (size_t i = 0; i < MACHINES; i++)
        total += sees(&machines[i]);
    assert_int_equal(json_integer_value(json_object_get(counts, "total")), total);
    json_decref(counts);
    buf_fini(&b);
    arena_fini(&arena);
    assert_int_equal(db_end(db, false, NULL), 0);
}

static void check_units(int64_t person)
{
    struct db *db = office_see(&office, person, PERMISSION_UNIT_READ, "unit", false);
    struct web_list l = {.limit = 1000, .rows = json_array()};
    const struct unit_filter f = {.parent = -1};
    bool listed[UNITS + 1] = {false};
    unit_list(db, &f, &l);
    for (size_t i = 0; i < json_array_size(l.rows); i++)
        listed[json_integer_value(json_object_get(json_array_get(l.rows, i), "id"))] = true;
    json_decref(l.rows);
    json_t *tree = unit_tree_rows(db, OFFICE_NOW, -1, 1000);
    size_t n_seen = 0;
    for (int64_t id = 1; id <= UNITS; id++) {
        const struct access_object o = {.unit = id, .tlp = TLP_CLEAR, .kind = "unit"};
        bool is_seen = access_sees(office.view, &office.who, PERMISSION_UNIT_READ, &o, OFFICE_NOW);
        assert_int_equal(listed[id], is_seen);
        json_t *one = unit_show(db, id, false);
        assert_int_equal(one != NULL, is_seen);
        json_decref(one);
        n_seen += is_seen;
    }
    assert_int_equal(json_array_size(tree), n_seen);
    json_decref(tree);
    assert_int_equal(db_end(db, false, NULL), 0);
}

static void every_list_shows_what_the_one_decision_says(void **state)
{
    (void)state;
    static const char *const roles[] = {"coordinator", "analyst", "auditor", "system_owner", "connector", "leader"};
    uint64_t x = seed();
    for (unsigned i = 0; i < rounds(3); i++) {
        uint64_t now = x;
        print_message("seed %llu\n", (unsigned long long)now);
        office_open(&office, rooms, 2);
        struct db *db = db_write(office.pool);
        make_units(db, &x);
        make_machines(db, &x);
        assert_int_equal(db_end(db, true, NULL), 0);
        for (int p = 0; p < PEOPLE; p++) {
            char login[16];
            snprintf(login, sizeof(login), "p%d", p);
            people[p] = office_person(&office, login, roles[next_random(&x) % 6], (int64_t)(next_random(&x) % (UNITS + 1)));
        }
        for (int p = 0; p < PEOPLE; p++) {
            check_person(&x, people[p]);
            check_units(people[p]);
        }
        office_close(&office);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_shows_what_the_one_decision_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
