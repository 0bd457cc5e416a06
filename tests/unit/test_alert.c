/* SPDX-License-Identifier: Apache-2.0 */
/* desk/alert: what a finding says, which alert it belongs to, how severe; the journal goes into the state exactly once. */
#include "base/clock.h"
#include "base/content.h"
#include "base/file.h"
#include "desk/alert/alert_db.h"
#include "desk/alert/alert_desk.h"
#include "state/role.h"
#include "watch/detect/finding.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOON INT64_C(1771297200000000) /* 2026-02-17T03:00:00Z */
#define CONTACT(own, list, flows, last)                                                                                        \
    "{\"finding.kind\":\"contact\",\"own.ip\":\"" own "\",\"remote.ip\":\"198.51.100.2\",\"list.name\":\"" list "\",\"unit\":\"Phong\"," \
    "\"first_seen\":\"2026-02-17T02:00:00Z\",\"last_seen\":\"" last "\",\"flows\":" #flows "}"
#define SIGMA(host, level)                                                                                                        \
    "{\"finding.kind\":\"sigma\",\"rule.id\":\"r-1\",\"rule.title\":\"A rule\",\"severity\":\"" level "\",\"host.name\":\"" host "\"," \
    "\"first_seen\":\"2026-02-17T02:00:00Z\",\"last_seen\":\"2026-02-17T02:30:00Z\",\"events\":3}"

static struct text of(const char *p)
{
    return (struct text){p, strlen(p)};
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static void a_finding_says_its_cause_and_what_of_ours_it_is_about(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *cause, *entity;
        enum alert_entity kind;
        enum alert_severity severity;
        uint64_t n;
    } CASES[] = {
        {CONTACT("192.0.2.1", "c2", 7, "2026-02-17T02:10:00Z"), "list:c2", "192.0.2.1", ALERT_IP, 0, 7},
        {"{\"finding.kind\":\"own_listed\",\"own.ip\":\"2001:db8::1\",\"list.name\":\"thang 9\",\"first_seen\":\"2026-02-17T02:00:00Z\","
         "\"last_seen\":\"2026-02-17T02:00:00Z\",\"flows\":0}", "own-list:thang 9", "2001:db8::1", ALERT_IP, 0, 0},
        {SIGMA("PC-01", "critical"), "sigma:r-1", "PC-01", ALERT_HOST, ALERT_CRITICAL, 3},
        {SIGMA("PC-01", "informational"), "sigma:r-1", "PC-01", ALERT_HOST, ALERT_INFO, 3},
        {"{\"finding.kind\":\"behaviour\",\"behaviour.kind\":\"spraying\",\"severity\":\"high\",\"confidence_pct\":70,\"users\":[\"an\"],"
         "\"first_seen\":\"2026-02-17T02:00:00Z\",\"last_seen\":\"2026-02-17T02:00:00Z\",\"events\":9}", "behaviour:spraying", "an", ALERT_USER, ALERT_HIGH, 9},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct alert_sign s;
        const char *why;
        if (alert_read(of(CASES[i].payload), &s, &why))
            fail_msg("case %zu: %s", i, why);
        assert_string_equal(s.cause, CASES[i].cause);
        assert_string_equal(s.entity, CASES[i].entity);
        assert_int_equal(s.entity_kind, CASES[i].kind);
        assert_int_equal(s.severity, CASES[i].severity);
        assert_int_equal(s.n, CASES[i].n);
    }
}

static void what_is_no_finding_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "", "x", "[]", "{}", "{\"finding.kind\":\"new\"}", "{\"finding.kind\":1}", "{\"finding.kind\":\"contact\"}",
        "{\"finding.kind\":\"contact\",\"list.name\":\"l\"}",
        "{\"finding.kind\":\"contact\",\"list.name\":\"l\",\"own.ip\":\"999.1.1.1\"}",
        "{\"finding.kind\":\"contact\",\"list.name\":\"l\",\"own.ip\":\"192.0.2.1\"}",
        "{\"finding.kind\":\"contact\",\"list.name\":\"l\",\"own.ip\":\"192.0.2.1\",\"first_seen\":\"2026-02-17T02:00:00Z\",\"last_seen\":\"2026-02-16T02:00:00Z\"}",
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct alert_sign s;
        const char *why = NULL;
        assert_int_equal(alert_read(of(BAD[i]), &s, &why), 1);
        assert_non_null(why);
    }
}

static void severity_is_the_policys_arithmetic(void **state)
{
    (void)state;
    struct alert_policy p;
    struct fault f = {0};
    if (alert_policy_read(NULL, &p, &f))
        fail_msg("%s", f.text);
    static const struct {
        enum alert_kind kind;
        enum alert_severity own;
        int confidence, level;
        bool is_internet, is_unprotected;
        enum alert_severity expected; /* by hand from content/alerts.yaml */
    } CASES[] = {
        {ALERT_OF_CONTACT, 0, -1, 0, false, false, ALERT_HIGH},
        {ALERT_OF_CONTACT, 0, -1, 3, false, false, ALERT_CRITICAL},
        {ALERT_OF_CONTACT, 0, -1, 5, true, true, ALERT_CRITICAL},
        {ALERT_OF_SIGMA, ALERT_LOW, -1, 2, false, false, ALERT_LOW},
        {ALERT_OF_SIGMA, ALERT_LOW, -1, 5, false, false, ALERT_HIGH},
        {ALERT_OF_SIGMA, ALERT_LOW, -1, 0, true, true, ALERT_HIGH},
        {ALERT_OF_BEHAVIOUR, ALERT_MEDIUM, 59, 0, false, false, ALERT_LOW},
        {ALERT_OF_BEHAVIOUR, ALERT_MEDIUM, 60, 0, false, false, ALERT_MEDIUM},
        {ALERT_OF_BEHAVIOUR, ALERT_INFO, 10, 0, false, false, ALERT_INFO},
        {ALERT_OF_SIGMA, 0, -1, 0, false, false, ALERT_MEDIUM},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct alert_sign s = {.kind = CASES[i].kind, .severity = CASES[i].own, .confidence_pct = CASES[i].confidence};
        struct alert_place place = {.level = CASES[i].level, .is_internet = CASES[i].is_internet, .is_unprotected = CASES[i].is_unprotected};
        if (alert_severity_of(&p, &s, &place) != CASES[i].expected)
            fail_msg("case %zu", i);
    }
}

static void a_suppression_matches_what_it_says_and_never_everything(void **state)
{
    (void)state;
    struct alert_mute m = {.cause = "sigma:win*", .entity = "192.0.2.0/24", .from_us = 10, .to_us = 20};
    assert_true(alert_is_muted(&m, "sigma:win_x", ALERT_IP, "192.0.2.9", 10));
    assert_false(alert_is_muted(&m, "sigma:win_x", ALERT_IP, "192.0.2.9", 20));
    assert_false(alert_is_muted(&m, "sigma:lnx", ALERT_IP, "192.0.2.9", 10));
    assert_false(alert_is_muted(&m, "sigma:win_x", ALERT_IP, "192.0.3.9", 10));
    assert_false(alert_is_muted(&m, "sigma:win_x", ALERT_HOST, "192.0.2.9", 10));
    const char *wrong;
    assert_true(alert_mute_is_sane("sigma:x", "*", &wrong));
    assert_true(alert_mute_is_sane("*", "192.0.2.0/24", &wrong));
    assert_false(alert_mute_is_sane("*", "*", &wrong));
    assert_false(alert_mute_is_sane("si*gma", "a", &wrong));
    assert_string_equal(wrong, "cause");
    assert_false(alert_mute_is_sane("sigma:x", "192.0.2.0/99", &wrong));
    assert_string_equal(wrong, "entity");
}

/* --- the journal into the state ---------------------------------------------------------------------------------- */

static char directory[64], path[96];
static struct db_pool *pool;
static struct alert_desk *desk;
static struct access *rights;
static struct roles *known;
static struct access_view *view;
static const struct subject EVERYBODY = {.user = 1, .scopes = UINT64_MAX, .tlp_max = TLP_RED};

static void open_state(void)
{
    struct fault f = {0};
    static const struct db_migrations *const ROOMS[] = {&access_migrations, &alert_migrations};
    if (db_pool_open(path, 2, true, &pool, &f) || access_functions(pool, &f) || db_migrate(pool, ROOMS, 2, &f) ||
        alert_desk_new(NULL, NULL, &desk, &f) || (!known && roles_load(NULL, &known, &f)))
        fail_msg("%s", f.text);
}

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/vonggac-alert-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/state.db", directory);
    open_state();
    struct db *db = db_write(pool); /* an administrator at the root: sees all */
    db_many(db, "INSERT INTO person(uuid, login, name, created_us, changed_us) VALUES('p1', 'admin', 'Admin', 1, 1);"
                "INSERT INTO binding(person, role, unit, is_below, from_us, created_us) VALUES(1, 'administrator', NULL, 1, 0, 0);"
                "INSERT INTO binding(person, role, unit, is_below, from_us, created_us) VALUES(1, 'analyst', NULL, 1, 0, 0);");
    assert_int_equal(db_end(db, true, NULL), 0);
    return 0;
}

static void close_state(void)
{
    alert_desk_free(desk);
    db_pool_close(pool);
}

static int end(void **state)
{
    (void)state;
    char command[128];
    close_state();
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static void journal(uint8_t id, uint32_t revision, const char *payload)
{
    struct findings *w;
    struct fault f = {0};
    struct finding_id name = {{id}};
    if (findings_open(directory, 1 << 20, &w, &f) || findings_add(w, &name, revision, of(payload)) || findings_commit(w, &f))
        fail_msg("%s", f.text);
    findings_close(w);
}

static struct alert_taken take(int64_t now_us)
{
    struct alert_taken t;
    struct fault f = {0};
    if (alert_desk_take(desk, pool, directory, now_us, &t, &f))
        fail_msg("%s", f.text);
    return t;
}

struct rows {
    struct alert_row all[16];
    size_t n;
};

static bool keep(void *context, const struct alert_row *row, int64_t a, int64_t b)
{
    (void)a, (void)b;
    struct rows *r = context;
    r->all[r->n++] = *row;
    return r->n < 16;
}

/* rows - all alerts as the administrator sees them, newest first */
static struct rows rows(struct arena *arena, int64_t now_us)
{
    struct rows r = {.n = 0};
    struct fault f = {0};
    struct alert_filter filter = {.state = ALERT_ANY_STATE, .verdict = -1, .is_muted = -1};
    struct alert_page page = {.filter = &filter, .order = ALERT_BY_LAST};
    struct db *db = db_read(pool);
    assert_int_equal(access_new(known, &rights), 0);
    if (access_load(rights, db, &f))
        fail_msg("%s", f.text);
    view = access_take(rights);
    struct access_scope scope = {.view = view, .who = &EVERYBODY, .permission = PERMISSION_ALERT_READ, .kind = "alert", .now_us = now_us};
    access_enter(db, &scope);
    alert_db_list(db, arena, &page, keep, &r);
    assert_int_equal(db_end(db, false, &f), 0);
    access_give(view);
    access_free(rights);
    return r;
}

static void decide(int64_t alert, enum alert_state to, enum alert_verdict verdict, int64_t at_us)
{
    struct db *db = db_write(pool);
    struct alert_decision d = {.alert = alert, .person = 1, .at_us = at_us, .state = (int)to, .verdict = (int)verdict, .reason = "seen"};
    assert_true(alert_db_decide(db, &d, alert_db_version(db, alert)) > 0);
    assert_int_equal(db_end(db, true, NULL), 0);
}

static void findings_of_one_cause_at_one_machine_are_one_alert_and_updates_do_not_double(void **state)
{
    (void)state;
    struct arena arena = {0};
    journal(1, 1, CONTACT("192.0.2.1", "c2", 5, "2026-02-17T02:10:00Z"));
    journal(2, 1, CONTACT("192.0.2.1", "c2", 2, "2026-02-17T02:20:00Z"));
    journal(3, 1, CONTACT("192.0.2.9", "c2", 1, "2026-02-17T02:20:00Z"));
    assert_int_equal(take(NOON).n_records, 3);
    journal(1, 2, CONTACT("192.0.2.1", "c2", 8, "2026-02-17T02:30:00Z"));
    journal(1, 2, CONTACT("192.0.2.1", "c2", 8, "2026-02-17T02:30:00Z"));
    struct alert_taken t = take(NOON + 1);
    assert_int_equal(t.n_skipped, 1);
    struct rows r = rows(&arena, NOON);
    assert_int_equal(r.n, 2);
    assert_string_equal(r.all[0].entity, "192.0.2.1");
    assert_int_equal(r.all[0].n_events, 10);
    assert_int_equal(r.all[0].n_findings, 2);
    assert_int_equal(r.all[0].version, 1); /* machines do not move people's versions */
    assert_int_equal(r.all[0].severity, ALERT_HIGH);
    assert_int_equal(r.all[0].due_us, NOON + INT64_C(3600000000));
    arena_fini(&arena);
}

static void what_was_true_asks_again_and_what_was_false_is_quiet_for_a_while(void **state)
{
    (void)state;
    struct arena arena = {0};
    journal(1, 1, CONTACT("192.0.2.1", "c2", 1, "2026-02-17T02:10:00Z"));
    journal(2, 1, SIGMA("PC", "medium"));
    take(NOON);
    struct rows r = rows(&arena, NOON);
    assert_int_equal(r.n, 2);
    for (size_t i = 0; i < 2; i++)
        decide(r.all[i].id, ALERT_RESOLVED, r.all[i].kind == ALERT_OF_CONTACT ? ALERT_TRUE : ALERT_BENIGN, NOON);
    journal(1, 2, CONTACT("192.0.2.1", "c2", 2, "2026-02-17T02:59:00Z")); /* from before the decision */
    take(NOON + 1);
    assert_int_equal(rows(&arena, NOON).n, 2);
    journal(1, 3, CONTACT("192.0.2.1", "c2", 3, "2026-02-17T04:00:00Z"));
    journal(3, 1, "{\"finding.kind\":\"sigma\",\"rule.id\":\"r-1\",\"rule.title\":\"A rule\",\"severity\":\"medium\",\"host.name\":\"PC\","
                  "\"first_seen\":\"2026-02-18T02:00:00Z\",\"last_seen\":\"2026-02-18T02:30:00Z\",\"events\":3}");
    take(NOON + 2);
    r = rows(&arena, NOON);
    assert_int_equal(r.n, 3);
    size_t again = 0;
    while (again < r.n && !r.all[again].follows)
        again++;
    assert_true(again < r.n);
    assert_int_equal(r.all[again].kind, ALERT_OF_CONTACT);
    assert_int_equal(r.all[again].state, ALERT_NEW);
    journal(4, 1, "{\"finding.kind\":\"sigma\",\"rule.id\":\"r-1\",\"rule.title\":\"A rule\",\"severity\":\"medium\",\"host.name\":\"PC\","
                  "\"first_seen\":\"2026-03-18T02:00:00Z\",\"last_seen\":\"2026-03-18T02:30:00Z\",\"events\":3}");
    take(NOON + 3);
    assert_int_equal(rows(&arena, NOON).n, 4); /* a month later it asks */
    arena_fini(&arena);
}

static void who_has_looked_has_until_the_second_clock(void **state)
{
    (void)state;
    struct arena arena = {0};
    journal(1, 1, CONTACT("192.0.2.1", "c2", 1, "2026-02-17T02:10:00Z"));
    take(NOON);
    struct rows r = rows(&arena, NOON);
    assert_int_equal(r.all[0].due_us, NOON + INT64_C(3600000000)); /* content/alerts.yaml, high: acknowledge 1h */
    decide(r.all[0].id, ALERT_OPEN, ALERT_UNDECIDED, NOON + 1);
    r = rows(&arena, NOON);
    assert_int_equal(r.all[0].due_us, NOON + 24 * INT64_C(3600000000)); /* resolve 24h, from when it was raised */
    decide(r.all[0].id, ALERT_ASSIGNED, ALERT_UNDECIDED, NOON + 2);
    assert_int_equal(rows(&arena, NOON).all[0].due_us, NOON + 24 * INT64_C(3600000000));
    arena_fini(&arena);
}

static void what_the_watch_takes_back_asks_nobody(void **state)
{
    (void)state;
    struct arena arena = {0};
    journal(1, 1, CONTACT("192.0.2.1", "c2", 1, "2026-02-17T02:10:00Z"));
    take(NOON);
    journal(1, 2, "{\"finding.kind\":\"contact\",\"own.ip\":\"192.0.2.1\",\"list.name\":\"c2\",\"first_seen\":\"2026-02-17T02:00:00Z\","
                  "\"last_seen\":\"2026-02-17T02:10:00Z\",\"flows\":1,\"withdrawn\":\"own_space_changed\"}");
    take(NOON + 1);
    struct rows r = rows(&arena, NOON);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.all[0].state, ALERT_RESOLVED);
    assert_int_equal(r.all[0].verdict, ALERT_FALSE);
    assert_string_equal(r.all[0].verdict_reason, "withdrawn");
    arena_fini(&arena);
}

static void what_is_broken_is_counted_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct arena arena = {0};
    journal(1, 1, "{\"finding.kind\":\"tomorrow\"}");
    journal(2, 1, CONTACT("192.0.2.1", "c2", 1, "2026-02-17T02:10:00Z"));
    struct alert_taken t = take(NOON);
    assert_int_equal(t.n_refused, 1);
    assert_int_equal(t.n_new, 1);
    assert_int_equal(rows(&arena, NOON).n, 1);
    arena_fini(&arena);
}

static void a_reader_killed_anywhere_takes_each_finding_once(void **state)
{
    (void)state;
    struct arena arena = {0};
    enum { N = 6, EACH = 40 };
    for (int round = 0; round < N; round++) {
        for (int i = 0; i < EACH; i++)
            journal((uint8_t)(round * EACH + i + 1), 1, CONTACT("192.0.2.1", "c2", 1, "2026-02-17T02:10:00Z"));
        close_state();
        pid_t child = fork();
        if (!child) {
            open_state();
            for (;;)
                take(NOON);
        }
        usleep((useconds_t)round * 3000); /* where it dies is not the point: every place must do */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        open_state();
    }
    take(NOON);
    struct rows r = rows(&arena, NOON);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.all[0].n_events, N * EACH);
    assert_int_equal(r.all[0].n_findings, N * EACH);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_says_its_cause_and_what_of_ours_it_is_about),
        cmocka_unit_test(what_is_no_finding_is_refused_with_a_reason),
        cmocka_unit_test(severity_is_the_policys_arithmetic),
        cmocka_unit_test(a_suppression_matches_what_it_says_and_never_everything),
        cmocka_unit_test_setup_teardown(findings_of_one_cause_at_one_machine_are_one_alert_and_updates_do_not_double, begin, end),
        cmocka_unit_test_setup_teardown(what_was_true_asks_again_and_what_was_false_is_quiet_for_a_while, begin, end),
        cmocka_unit_test_setup_teardown(who_has_looked_has_until_the_second_clock, begin, end),
        cmocka_unit_test_setup_teardown(what_the_watch_takes_back_asks_nobody, begin, end),
        cmocka_unit_test_setup_teardown(what_is_broken_is_counted_and_the_rest_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(a_reader_killed_anywhere_takes_each_finding_once, begin, end),
    };
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    free(known);
    return r;
}
