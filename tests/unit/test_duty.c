/* SPDX-License-Identifier: Apache-2.0 */
/* desk/duty: an alert nobody takes reaches the next person to the second; a crash doubles nothing; an answer with the code ends it. */
#include "base/clock.h"
#include "desk/alert/alert_db.h"
#include "desk/duty/duty_send.h"
#include "state/trail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIDNIGHT INT64_C(1771261200000000) /* 2026-02-17 00:00 +07:00, the first day of Tết */
#define MIN (60 * US_PER_SECOND)
enum { SHIFT = 1, TECHNICAL, LEADER, DEPUTY };

/* --- texts ------------------------------------------------------------------------------------------------------- */

static void a_phone_number_is_one_however_it_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } CASES[] = {{"0912 345 678", "+84912345678"}, {"+84 912.345.678", "+84912345678"}, {"84912345678", "+84912345678"},
                 {"(024) 3640-4421", "+842436404421"}, {"113", ""}, {"", ""}, {"0912x45678", ""}, {"+1", ""},
                 {"an@example.vn", ""}, {"091234567890123456789", ""}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char out[24];
        duty_phone((struct text){CASES[i].in, strlen(CASES[i].in)}, out);
        if (i != 9)
            assert_string_equal(out, CASES[i].out);
        assert_true(strlen(out) < sizeof(out));
    }
}

static void a_message_is_one_sms_with_its_code_whatever_the_title(void **state)
{
    (void)state;
    char out[DUTY_SMS_MAX], title[600];
    memset(title, 'x', sizeof(title));
    title[sizeof(title) - 1] = '\0';
    const char *const TITLES[] = {"Máy chủ liên lạc với máy điều khiển botnet", title, "", "\x01[{\xff"};
    for (size_t i = 0; i < 4; i++) {
        duty_sms("critical", TITLES[i], "192.0.2.1", "Sở Khoa học và Công nghệ", "123456", out);
        assert_true(strlen(out) <= 160);
        assert_non_null(strstr(out, "123456"));
        assert_non_null(strstr(out, "192.0.2.1"));
        for (const char *p = out; *p; p++)
            assert_true(*p >= ' ' && *p < 0x7f);
    }
    duty_sms("critical", TITLES[0], "192.0.2.1", "Sở Khoa học", "123456", out);
    assert_non_null(strstr(out, "May chu lien lac voi may dieu khien botnet"));
}

static void a_code_is_found_as_a_word_of_its_own(void **state)
{
    (void)state;
    assert_true(duty_code_in(TEXT("123456"), "123456"));
    assert_true(duty_code_in(TEXT("OK, ma 123456."), "123456"));
    assert_false(duty_code_in(TEXT("1234567"), "123456"));
    assert_false(duty_code_in(TEXT("0123456"), "123456"));
    assert_false(duty_code_in(TEXT("12345"), "123456"));
    assert_false(duty_code_in(TEXT(""), "123456"));
}

static void the_shipped_ladder_is_read_and_a_wrong_one_is_refused_with_its_line(void **state)
{
    (void)state;
    struct duty_policy p;
    struct fault f = {0};
    assert_int_equal(duty_policy_read(NULL, &p, &f), 0);
    assert_true(p.wakes[ALERT_CRITICAL] && !p.wakes[ALERT_HIGH]);
    assert_int_equal(p.n_steps, 6);
    assert_int_equal(p.ladder[5].to, DUTY_LEADER);
    static const char *const BAD[] = {"ladder:\n  - {to: boss, by: sms, wait: 5m}\n", "ladder:\n  - {to: shift, by: pigeon, wait: 5m}\n",
                                      "ladder:\n  - {to: shift, by: sms}\n", "wake:\n  severities: [loud]\n", "wake:\n  after: never\n", "x: 1\n", "- 1\n"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char name[] = "/tmp/vonggac-duty-XXXXXX";
        int fd = mkstemp(name);
        assert_int_equal(write(fd, BAD[i], strlen(BAD[i])), strlen(BAD[i]));
        close(fd);
        f = (struct fault){0};
        assert_int_equal(duty_policy_read(name, &p, &f), 1);
        assert_non_null(strstr(f.text, name));
        unlink(name);
    }
}

/* --- in the state ------------------------------------------------------------------------------------------------ */

static char directory[64], path[96];
static struct db_pool *pool;
static struct duty_policy policy;
static struct {
    struct duty_message all[32];
    int64_t at_us[32];
    size_t n;
    bool is_broken;
    int64_t now_us;
    int die_after; /* of the process, at the n-th message; 0: never */
} box;

static int deliver(void *context, const struct duty_message *m, char *proof, size_t n_proof)
{
    (void)context;
    box.all[box.n] = *m;
    box.at_us[box.n++] = box.now_us;
    snprintf(proof, n_proof, "%s", box.is_broken ? "modem: no carrier" : "250 queued");
    return box.is_broken ? -5 : 0;
}
static const struct duty_sender SENDER = {NULL, deliver};

static void open_state(void)
{
    struct fault f = {0};
    static const struct db_migrations *const ROOMS[] = {&access_migrations, &trail_migrations, &alert_migrations, &duty_migrations};
    static const struct trail_kind KINDS[] = {{"alert_decision", "alert_decision"}};
    if (db_pool_open(path, 2, true, &pool, &f) || access_functions(pool, &f) || db_migrate(pool, ROOMS, 4, &f) ||
        trail_watch(pool, KINDS, 1, &f))
        fail_msg("%s", f.text);
}

static void sql(const char *text)
{
    struct fault f = {0};
    struct db *db = db_write(pool);
    db_many(db, text);
    if (db_end(db, true, &f))
        fail_msg("%s: %s", text, f.text);
}

static int begin(void **state)
{
    (void)state;
    struct fault f = {0};
    memset(&box, 0, sizeof(box));
    snprintf(directory, sizeof(directory), "/tmp/vonggac-duty-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/state.db", directory);
    open_state();
    assert_int_equal(duty_policy_read(NULL, &policy, &f), 0);
    sql("INSERT INTO person(id, uuid, login, name, phone, email, created_us, changed_us) VALUES"
        "(1, 'u1', 'shift', 'Ca', '0912345671', 'ca@example.vn', 1, 1), (2, 'u2', 'tech', 'Kỹ thuật', '0912345672', '', 1, 1),"
        "(3, 'u3', 'lead', 'Lãnh đạo', '0912345673', 'ld@example.vn', 1, 1), (4, 'u4', 'dep', 'Phó ca', '0912345674', '', 1, 1);"
        "INSERT INTO duty_shift(uuid, place, person, from_us, to_us) VALUES"
        "('s1', 0, 1, 1771261200000000, 1771347600000000), ('s2', 2, 2, 1771261200000000, 1771347600000000),"
        "('s3', 4, 3, 1771261200000000, 1771347600000000);");
    return 0;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    db_pool_close(pool);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

/* raise - a critical alert nobody has looked at, raised at midnight */
static void raise_alert(int id, int severity)
{
    char text[700];
    snprintf(text, sizeof(text), "INSERT INTO alert(id, uuid, unit, kind, cause, entity_kind, entity, title, rule_id, list, folded, severity, "
             "confidence, first_us, last_us, raised_us, due_us, n_events, n_findings) VALUES(%d, 'a%d', 0, 0, 'list:c%d', 0, '192.0.2.%d', "
             "'Botnet', '', '', '', %d, -1, 1, 1, %lld, 1, 1, 1);", id, id, id, id, severity, (long long)MIDNIGHT);
    sql(text);
}

/* run_until - passes at each moment something is due, on a simulated clock */
static void run_until(int64_t from_us, int64_t to_us)
{
    struct fault f = {0};
    int64_t next = from_us;
    bool is_first = true;
    while (next <= to_us) {
        box.now_us = next;
        int64_t at = next;
        if (duty_pass(pool, &policy, &SENDER, "https://vg", is_first, at, &next, &f))
            fail_msg("%s", f.text);
        is_first = false;
        assert_true(next > at);
    }
}

static int64_t ask(const char *text)
{
    struct db *db = db_read(pool);
    struct db_statement *s = db_sql(db, text);
    int64_t n = db_next(s) ? db_int(s, 0) : -1;
    db_reset(s);
    db_end(db, false, NULL);
    return n;
}

static void nobody_takes_it_and_each_is_reached_to_the_second(void **state)
{
    (void)state;
    raise_alert(1, ALERT_CRITICAL);
    raise_alert(2, ALERT_HIGH); /* wakes nobody */
    run_until(MIDNIGHT, MIDNIGHT + 60 * MIN);
    /* content/duty.yaml: shift sms after 5 m, shift mail at once, no deputy, technical 5 m after the mail at once since the
       deputy's place is empty, leader sms 10 m later, leader mail at once */
    static const struct {
        int person, channel, after_min;
    } EXPECTED[] = {{SHIFT, DUTY_SMS, 5}, {SHIFT, DUTY_MAIL, 5}, {TECHNICAL, DUTY_SMS, 10}, {LEADER, DUTY_SMS, 20}, {LEADER, DUTY_MAIL, 20}};
    assert_int_equal(box.n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(box.all[i].person, EXPECTED[i].person);
        assert_int_equal(box.all[i].channel, EXPECTED[i].channel);
        assert_int_equal(box.at_us[i], MIDNIGHT + EXPECTED[i].after_min * MIN);
        assert_int_equal(box.all[i].alert, 1);
    }
    assert_string_equal(box.all[2].address, "+84912345672");
    assert_int_equal(ask("SELECT state FROM duty_wake"), DUTY_EXHAUSTED);
    assert_int_equal(ask("SELECT count(*) FROM duty_message WHERE state = 3"), 1); /* the deputy's empty place is said */
}

static void who_takes_it_ends_it(void **state)
{
    (void)state;
    raise_alert(1, ALERT_CRITICAL);
    run_until(MIDNIGHT, MIDNIGHT + 6 * MIN);
    assert_int_equal(box.n, 2);
    struct db *db = db_write(pool);
    struct alert_decision d = {.alert = 1, .person = SHIFT, .at_us = MIDNIGHT + 7 * MIN, .state = ALERT_OPEN};
    assert_true(alert_db_decide(db, &d, 1) > 0);
    assert_int_equal(db_end(db, true, NULL), 0);
    run_until(MIDNIGHT + 7 * MIN, MIDNIGHT + 60 * MIN);
    assert_int_equal(box.n, 2);
    assert_int_equal(ask("SELECT state FROM duty_wake"), DUTY_ACKNOWLEDGED);
    assert_int_equal(ask("SELECT ended_by FROM duty_wake"), SHIFT);
}

static void an_answer_with_the_code_from_who_was_asked_takes_it(void **state)
{
    (void)state;
    struct fault f = {0};
    int64_t alert;
    char text[32];
    raise_alert(1, ALERT_CRITICAL);
    run_until(MIDNIGHT, MIDNIGHT + 6 * MIN);
    snprintf(text, sizeof(text), "OK %06lld", (long long)ask("SELECT code FROM duty_wake"));
    struct text right = {text, strlen(text)};
    assert_int_equal(duty_answer(pool, DUTY_SMS, TEXT("0912345672"), right, MIDNIGHT + 7 * MIN, &alert, &f), 0);
    assert_int_equal(alert, 0); /* he was not asked yet */
    assert_int_equal(duty_answer(pool, DUTY_SMS, TEXT("0912345671"), TEXT("OK 000000"), MIDNIGHT + 7 * MIN, &alert, &f), 0);
    assert_int_equal(alert, 0);
    assert_int_equal(duty_answer(pool, DUTY_SMS, TEXT("0912 345 671"), right, MIDNIGHT + 8 * MIN, &alert, &f), 0);
    assert_int_equal(alert, 1);
    assert_int_equal(ask("SELECT state FROM alert"), ALERT_OPEN);
    assert_int_equal(ask("SELECT assignee FROM alert"), SHIFT);
    assert_int_equal(ask("SELECT count(*) FROM duty_answer"), 3); /* nothing that came is thrown away */
    run_until(MIDNIGHT + 8 * MIN, MIDNIGHT + 60 * MIN);
    assert_int_equal(box.n, 2);
    struct trail_report report;
    struct db *db = db_read(pool);
    assert_int_equal(trail_verify(db, NULL, &report, &f), 0);
    db_end(db, false, NULL);
    assert_int_equal(report.first_wrong, 0);
    assert_int_equal(report.n_objects_wrong, 0);
    assert_true(report.n_entries > 2);
}

static void what_cannot_be_sent_costs_no_time(void **state)
{
    (void)state;
    box.is_broken = true;
    raise_alert(1, ALERT_CRITICAL);
    run_until(MIDNIGHT, MIDNIGHT + 60 * MIN);
    assert_int_equal(box.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(box.at_us[i], MIDNIGHT + 5 * MIN);
    assert_int_equal(ask("SELECT count(*) FROM duty_message WHERE state = 2 AND proof LIKE 'modem%'"), 5);
}

static void a_crash_while_sending_doubles_nothing_and_the_next_follows_at_once(void **state)
{
    (void)state;
    raise_alert(1, ALERT_CRITICAL);
    run_until(MIDNIGHT, MIDNIGHT + 5 * MIN - 1);
    sql("UPDATE duty_wake SET step = 1, due_us = 9223372036854775807;" /* the first moment was kept, then the machine died */
        "INSERT INTO duty_message(uuid, wake, step, place, person, channel, address, state, begun_us) VALUES('m', 1, 0, 0, 1, 0, '+84912345671', 0, 1);");
    db_pool_close(pool);
    open_state();
    run_until(MIDNIGHT + 9 * MIN, MIDNIGHT + 60 * MIN);
    assert_int_equal(ask("SELECT state FROM duty_message WHERE step = 0"), DUTY_UNKNOWN);
    assert_int_equal(box.all[0].channel, DUTY_MAIL); /* the shift's mail, at once */
    assert_int_equal(box.at_us[0], MIDNIGHT + 9 * MIN);
    for (size_t i = 0; i < box.n; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(box.all[i].person == box.all[k].person && box.all[i].channel == box.all[k].channel);
    assert_int_equal(ask("SELECT count(*) FROM duty_message WHERE person = 1 AND channel = 0"), 1);
}

static void a_node_that_was_down_does_not_fire_its_whole_ladder(void **state)
{
    (void)state;
    raise_alert(1, ALERT_CRITICAL);
    run_until(MIDNIGHT, MIDNIGHT + 5 * MIN);
    box.n = 0;
    run_until(MIDNIGHT + 180 * MIN, MIDNIGHT + 180 * MIN);
    assert_int_equal(box.n, 1); /* the technician, now; the leader has his ten minutes still */
    assert_int_equal(box.all[0].person, TECHNICAL);
}

static void a_message_leaves_by_the_spool_and_its_answer_comes_back_by_the_inbox(void **state)
{
    (void)state;
    struct fault f = {0};
    struct duty_channels c = {.sms_spool = directory, .sms_inbox = path};
    struct duty_message m = {.channel = DUTY_SMS, .uuid = "u-1", .address = "+84912345671", .text = "VONG GAC"};
    char proof[100], name[128], text[200] = "", inbox[96];
    unsigned n;
    assert_int_equal(duty_send(&c, &m, proof, sizeof(proof)), 0);
    snprintf(name, sizeof(name), "%s/vonggac-u-1", directory);
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    assert_true(fread(text, 1, sizeof(text) - 1, in) > 0);
    fclose(in);
    assert_string_equal(text, "To: 84912345671\n\nVONG GAC\n");
    m.channel = DUTY_MAIL;
    assert_true(duty_send(&c, &m, proof, sizeof(proof)) < 0); /* not configured: at once, with the reason */
    assert_non_null(strstr(proof, "mail"));

    raise_alert(1, ALERT_CRITICAL);
    run_until(MIDNIGHT, MIDNIGHT + 5 * MIN);
    snprintf(inbox, sizeof(inbox), "%s/in", directory);
    snprintf(name, sizeof(name), "mkdir %s", inbox);
    assert_int_equal(system(name), 0);
    c.sms_inbox = inbox;
    snprintf(name, sizeof(name), "%s/GSM1.a", inbox);
    in = fopen(name, "w");
    fprintf(in, "From: 84912345671\nReceived: 26-02-17 00:06:00\n\n%06lld\n", (long long)ask("SELECT code FROM duty_wake"));
    fclose(in);
    snprintf(name, sizeof(name), "%s/GSM1.b", inbox);
    in = fopen(name, "w");
    fputs("no header here", in);
    fclose(in);
    assert_int_equal(duty_inbox(&c, pool, MIDNIGHT + 6 * MIN, &n, &f), 0);
    assert_int_equal(n, 2);
    assert_int_equal(ask("SELECT state FROM alert"), ALERT_OPEN);
    assert_int_equal(duty_inbox(&c, pool, MIDNIGHT + 6 * MIN, &n, &f), 0);
    assert_int_equal(n, 0); /* one is gone, the other stands as refused */
    snprintf(name, sizeof(name), "%s/GSM1.b.refused", inbox);
    assert_int_equal(access(name, F_OK), 0);
}

static void the_roster_of_the_moment_is_asked(void **state)
{
    (void)state;
    raise_alert(1, ALERT_CRITICAL);
    sql("UPDATE duty_shift SET to_us = 1771261440000000 WHERE place = 0;" /* 00:04 */
        "INSERT INTO duty_shift(uuid, place, person, from_us, to_us) VALUES('s9', 0, 4, 1771261440000000, 1771347600000000);");
    run_until(MIDNIGHT, MIDNIGHT + 5 * MIN);
    assert_int_equal(box.n, 1); /* he has no mail address */
    assert_int_equal(box.all[0].person, DEPUTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_phone_number_is_one_however_it_is_written),
        cmocka_unit_test(a_message_is_one_sms_with_its_code_whatever_the_title),
        cmocka_unit_test(a_code_is_found_as_a_word_of_its_own),
        cmocka_unit_test(the_shipped_ladder_is_read_and_a_wrong_one_is_refused_with_its_line),
        cmocka_unit_test_setup_teardown(nobody_takes_it_and_each_is_reached_to_the_second, begin, end),
        cmocka_unit_test_setup_teardown(who_takes_it_ends_it, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_with_the_code_from_who_was_asked_takes_it, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_costs_no_time, begin, end),
        cmocka_unit_test_setup_teardown(a_crash_while_sending_doubles_nothing_and_the_next_follows_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_node_that_was_down_does_not_fire_its_whole_ladder, begin, end),
        cmocka_unit_test_setup_teardown(a_message_leaves_by_the_spool_and_its_answer_comes_back_by_the_inbox, begin, end),
        cmocka_unit_test_setup_teardown(the_roster_of_the_moment_is_asked, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
