/* SPDX-License-Identifier: Apache-2.0 */
/* state/person, grant, session, token: who exists, what he is bound to, and what ends with what. */
#include "state/secret.h"
#include "state_help.h"

#include <errno.h>

#define NOW (INT64_C(1700000000) * SECOND)
#define DAY (86400 * SECOND)

static const struct login_from FROM = {.address = {"192.0.2.1", 9}, .agent = {"curl/8", 6}};
/* one hash for all: it takes time, and these tests do not ask for it */
static const struct password_first FIRST = {.text = "x", .hash = {"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zm9v"}};

static int64_t add_person(struct state_help *h, const char *login)
{
    int64_t id = 0;
    const struct person p = {.login = login, .name = "Nguyễn Văn An"};
    struct db *db = db_write(h->pool);
    assert_int_equal(person_add(db, &p, &FIRST, NOW, &id), 0);
    state_keep(db);
    return id;
}

static int64_t bind(struct state_help *h, int64_t person, const char *role, int64_t unit)
{
    int64_t id = 0;
    const struct binding b = {.person = person, .role = role, .unit = unit, .is_below = true};
    struct db *db = db_write(h->pool);
    assert_int_equal(binding_add(db, h->roles, &b, NOW, &id), 0);
    state_keep(db);
    return id;
}

static int64_t open_session(struct state_help *h, int64_t person, int64_t now, char cookie[SESSION_TEXT_MAX])
{
    int64_t id;
    struct db *db = db_write(h->pool);
    assert_int_equal(session_open(db, person, &FROM, NULL, now, cookie, &id), 0);
    state_keep(db);
    return id;
}

static int find(struct state_help *h, const char *cookie, int64_t now, struct session *ret)
{
    bool is_touch;
    struct db *db = db_read(h->pool);
    int r = session_find(db, (struct text){cookie, strlen(cookie)}, now, &h->arena, ret, &is_touch);
    db_end(db, false, NULL);
    return r;
}

static void a_person_is_who_was_entered(void **state)
{
    (void)state;
    struct state_help h;
    struct person p;
    state_begin(&h);
    int64_t id = add_person(&h, "An.NV@so-tttt");
    struct db *db = db_read(h.pool);
    assert_int_equal(person_get_by_login(db, TEXT("AN.nv@SO-tttt"), &h.arena, &p), 0);
    assert_int_equal(p.id, id);
    assert_string_equal(p.login, "an.nv@so-tttt");
    assert_string_equal(p.name, "Nguyễn Văn An");
    assert_string_equal(p.language, "vi");
    assert_true(p.must_change_password && p.has_password && !p.has_totp && !p.is_disabled);
    assert_int_equal(person_get(db, id + 1, &h.arena, &p), PERSON_NO_SUCH);
    assert_int_equal(person_get_by_login(db, TEXT("an"), &h.arena, &p), PERSON_NO_SUCH);
    db_end(db, false, NULL);
    state_end(&h);
}

static void what_is_no_person_is_refused(void **state)
{
    (void)state;
    static const struct { struct person p; int expected; } CASES[] = {
        {{.login = "an", .name = "An"}, PERSON_TAKEN}, {{.login = "AN", .name = "An"}, PERSON_TAKEN}, {{.login = "", .name = "An"}, PERSON_BAD_LOGIN},
        {{.login = ".an", .name = "An"}, PERSON_BAD_LOGIN}, {{.login = "an vo", .name = "An"}, PERSON_BAD_LOGIN}, {{.login = "đan", .name = "An"}, PERSON_BAD_LOGIN},
        {{.login = "a12345678901234567890123456789012345678901234567890123456789012345", .name = "An"}, PERSON_BAD_LOGIN}, {{.login = "b"}, PERSON_BAD_NAME},
        {{.login = "b", .name = ""}, PERSON_BAD_NAME}, {{.login = "b", .name = "A\nB"}, PERSON_BAD_NAME}, {{.login = "b", .name = "A\xff"}, PERSON_BAD_NAME},
        {{.login = "b", .name = "B", .language = "fr"}, PERSON_BAD_NAME}, {{.login = "b", .name = "B", .unit = 7}, PERSON_NO_SUCH},
        {{.login = "b", .name = "B", .is_connector = true}, PERSON_BAD_NAME}, /* a connector has no password */
    };
    struct state_help h;
    int64_t id;
    state_begin(&h);
    add_person(&h, "an");
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct db *db = db_write(h.pool);
        int r = person_add(db, &CASES[i].p, &FIRST, NOW, &id);
        if (r != CASES[i].expected)
            fail_msg("case %zu: %d", i, r);
        assert_int_equal(db_end(db, false, NULL), 0); /* a refusal is no failure of the transaction */
    }
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM person"), 1);
    state_end(&h);
}

static void two_who_change_the_same_person_do_not_overwrite_each_other(void **state)
{
    (void)state;
    struct state_help h;
    struct person p;
    state_begin(&h);
    int64_t id = add_person(&h, "an");
    struct db *db = db_write(h.pool);
    assert_int_equal(person_get(db, id, &h.arena, &p), 0);
    p.name = "Another";
    p.email = "an@example.org";
    assert_int_equal(person_change(db, &p, NOW), 0);
    p.name = "Third";
    assert_int_equal(person_change(db, &p, NOW), PERSON_CHANGED);
    assert_int_equal(person_get(db, id, &h.arena, &p), 0);
    assert_string_equal(p.name, "Another");
    assert_int_equal(p.version, 2);
    state_keep(db);
    state_end(&h);
}

static void a_session_ends_by_rest_by_its_day_and_with_a_change_of_role_password_or_person(void **state)
{
    (void)state;
    static const int64_t MINUTE = 60 * SECOND;
    struct state_help h;
    struct session s;
    char cookie[SESSION_TEXT_MAX], other[SESSION_TEXT_MAX];
    state_begin(&h);
    int64_t keeper = add_person(&h, "keeper"), an = add_person(&h, "an");
    bind(&h, keeper, "administrator", 0);
    int64_t id = open_session(&h, an, NOW, cookie);
    assert_int_equal(strlen(cookie), 43); /* 256 bits in base64 without '=' */
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM session WHERE instr(hash, 'x') >= 0 AND length(hash) = 32"), 1);
    assert_int_equal(find(&h, cookie, NOW + 29 * MINUTE, &s), 0);
    assert_int_equal(s.id, id);
    assert_int_equal(s.subject.user, an);
    assert_int_equal(s.subject.scopes, 0); /* the first password is not changed yet: nothing else is possible */
    assert_int_equal(find(&h, cookie, NOW + 30 * MINUTE, &s), 1);
    /* used, it lives on, up to its absolute end */
    for (int i = 1; i <= 24; i++) {
        assert_int_equal(find(&h, cookie, NOW + i * 29 * MINUTE, &s), 0);
        assert_int_equal(session_touch(h.pool, id, NOW + i * 29 * MINUTE, NULL), 0);
    }
    assert_int_equal(find(&h, cookie, NOW + 12 * 60 * MINUTE - 1, &s), 0);
    assert_int_equal(find(&h, cookie, NOW + 12 * 60 * MINUTE, &s), 1);
    /* by role, by password, by disabling, by hand */
    state_run(h.pool, "UPDATE credential SET must_change = 0");
    id = open_session(&h, an, NOW, cookie);
    assert_int_equal(find(&h, cookie, NOW, &s), 0);
    assert_int_equal(s.subject.scopes, ~UINT64_C(0));
    bind(&h, an, "analyst", 0);
    assert_int_equal(find(&h, cookie, NOW, &s), 1);
    id = open_session(&h, an, NOW, cookie);
    struct db *db = db_write(h.pool);
    assert_int_equal(person_reset_password(db, an, &FIRST, NOW), 0);
    state_keep(db);
    assert_int_equal(find(&h, cookie, NOW, &s), 1);
    id = open_session(&h, an, NOW, cookie);
    open_session(&h, keeper, NOW, other);
    db = db_write(h.pool);
    assert_int_equal(session_end(db, id, keeper, "logout", NOW), 1); /* not his */
    assert_int_equal(person_disable(db, h.roles, an, true, NOW), 0);
    state_keep(db);
    assert_int_equal(find(&h, cookie, NOW, &s), 1);
    assert_int_equal(find(&h, other, NOW, &s), 0);
    db = db_write(h.pool);
    assert_int_equal(session_end(db, s.id, 0, "revoked", NOW), 0);
    state_keep(db);
    assert_int_equal(find(&h, other, NOW, &s), 1);
    assert_int_equal(find(&h, "", NOW, &s), 1);
    state_end(&h);
}

static void of_many_sessions_the_oldest_ends_and_what_ended_is_forgotten_in_time(void **state)
{
    (void)state;
    struct state_help h;
    struct session s, all[40];
    char cookie[SESSIONS_OF_ONE_MAX + 2][SESSION_TEXT_MAX];
    state_begin(&h);
    int64_t an = add_person(&h, "an");
    for (unsigned i = 0; i < SESSIONS_OF_ONE_MAX + 2; i++)
        open_session(&h, an, NOW + i, cookie[i]);
    assert_int_equal(find(&h, cookie[0], NOW + 100, &s), 1);
    assert_int_equal(find(&h, cookie[1], NOW + 100, &s), 1);
    assert_int_equal(find(&h, cookie[2], NOW + 100, &s), 0);
    struct db *db = db_read(h.pool);
    assert_int_equal(session_each(db, an, 0, 40, NOW + 100, &h.arena, all), SESSIONS_OF_ONE_MAX + 2);
    assert_true(all[0].id > all[1].id);
    assert_int_equal(all[0].ended_us, 0);
    assert_string_equal(all[21].end_reason, "too_many");
    db_end(db, false, NULL);
    db = db_write(h.pool);
    session_tidy(db, NOW + DAY);
    state_keep(db);
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM session WHERE end_reason = 'idle'"), SESSIONS_OF_ONE_MAX);
    db = db_write(h.pool);
    session_tidy(db, NOW + 40 * DAY);
    state_keep(db);
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM session"), 0);
    state_end(&h);
}

static void the_csrf_token_belongs_to_its_cookie(void **state)
{
    (void)state;
    struct state_help h;
    struct session a, b, again;
    char one[SESSION_TEXT_MAX], two[SESSION_TEXT_MAX];
    state_begin(&h);
    int64_t an = add_person(&h, "an");
    open_session(&h, an, NOW, one);
    open_session(&h, an, NOW, two);
    assert_string_not_equal(one, two);
    find(&h, one, NOW, &a);
    find(&h, two, NOW, &b);
    find(&h, one, NOW + 1, &again);
    assert_string_not_equal(a.csrf, b.csrf);
    assert_string_not_equal(a.csrf, one);
    assert_string_equal(a.csrf, again.csrf);
    assert_int_equal(strlen(a.csrf), 43);
    state_end(&h);
}

static void the_last_who_may_write_users_for_the_office_cannot_be_lost(void **state)
{
    (void)state;
    struct state_help h;
    state_begin(&h);
    state_run(h.pool, "INSERT INTO unit(id, uuid, name, kind) VALUES(1, 'a', 'n', 'province')");
    int64_t keeper = add_person(&h, "keeper"), other = add_person(&h, "other");
    int64_t first = bind(&h, keeper, "administrator", 0);
    bind(&h, other, "administrator", 1);
    struct db *db = db_write(h.pool);
    assert_int_equal(person_disable(db, h.roles, keeper, true, NOW), PERSON_LAST);
    db_end(db, false, NULL);
    db = db_write(h.pool);
    assert_int_equal(binding_end(db, h.roles, first, NOW), PERSON_LAST);
    db_end(db, false, NULL);
    bind(&h, other, "administrator", 0);
    db = db_write(h.pool);
    assert_int_equal(binding_end(db, h.roles, first, NOW + 1), 0);
    assert_int_equal(binding_end(db, h.roles, first, NOW + 1), PERSON_NO_SUCH);
    assert_int_equal(person_disable(db, h.roles, keeper, true, NOW), 0);
    assert_int_equal(person_disable(db, h.roles, other, true, NOW), PERSON_LAST);
    db_end(db, false, NULL);
    state_end(&h);
}

static void bindings_and_grants_need_what_they_name(void **state)
{
    (void)state;
    struct state_help h;
    int64_t id;
    state_begin(&h);
    state_run(h.pool, "INSERT INTO unit(id, uuid, name, kind) VALUES(1, 'a', 'n', 'province')");
    int64_t an = add_person(&h, "an");
    struct grant_target unit = {.unit = 1, .is_below = true}, object = {.kind = "alert", .object = 7}, both = {.unit = 1, .kind = "alert", .object = 7},
        none = {0}, ghost = {.unit = 9}, odd = {.kind = "Alert;", .object = 7}, no_object = {.kind = "alert"};
    const struct { struct binding b; int expected; } BINDINGS[] = {
        {{.person = an, .role = "analyst", .unit = 1}, 0}, {{.person = an, .role = "king"}, PERSON_NO_SUCH}, {{.person = 99, .role = "analyst"}, PERSON_NO_SUCH},
        {{.person = an, .role = "analyst", .unit = 9}, PERSON_NO_SUCH}, {{.person = an, .role = "analyst", .from_us = NOW, .to_us = NOW}, PERSON_BAD_PERIOD}};
    for (size_t i = 0; i < COUNT_OF(BINDINGS); i++) {
        struct db *db = db_write(h.pool);
        if (binding_add(db, h.roles, &BINDINGS[i].b, NOW, &id) != BINDINGS[i].expected)
            fail_msg("binding %zu", i);
        db_end(db, false, NULL);
    }
    const struct grant GOOD = {.person = an, .permissions = PERMISSION_BIT(ALERT_READ), .reason = "hợp đồng 12", .to_us = NOW + DAY, .targets = &unit, .n_targets = 1};
    struct { struct grant g; int expected; } grants[12];
    size_t n = 0;
#define GRANT(expect, ...) (grants[n].g = GOOD, grants[n].expected = (expect), __VA_ARGS__, n++)
    GRANT(0, grants[n].g.from_us = 0);
    GRANT(0, grants[n].g.targets = &object);
    GRANT(PERSON_BAD_TARGET, grants[n].g.targets = &both);
    GRANT(PERSON_BAD_TARGET, grants[n].g.targets = &none);
    GRANT(PERSON_BAD_TARGET, grants[n].g.targets = &odd);
    GRANT(PERSON_BAD_TARGET, grants[n].g.targets = &no_object);
    GRANT(PERSON_NO_SUCH, grants[n].g.targets = &ghost);
    GRANT(PERSON_NO_REASON, grants[n].g.reason = "");
    GRANT(PERSON_BAD_PERIOD, grants[n].g.to_us = NOW);
    GRANT(PERSON_BAD_PERIOD, grants[n].g.to_us = NOW + 3000 * DAY);
    GRANT(PERSON_BAD_TARGET, grants[n].g.permissions = 0);
    GRANT(PERSON_NO_SUCH, grants[n].g.person = 99);
    for (size_t i = 0; i < n; i++) {
        struct db *db = db_write(h.pool);
        int r = grant_add(db, &grants[i].g, NOW, &id);
        if (r != grants[i].expected)
            fail_msg("grant %zu: %d", i, r);
        if (!r) {
            struct grant g;
            assert_int_equal(grant_get(db, id, &h.arena, &g), 0);
            assert_int_equal(g.permissions, PERMISSION_BIT(ALERT_READ));
            assert_int_equal(g.n_targets, 1);
            assert_int_equal(g.from_us, NOW);
            assert_int_equal(grant_end(db, id, an, NOW + 5), 0);
            assert_int_equal(grant_end(db, id, an, NOW + 6), PERSON_NO_SUCH);
        }
        db_end(db, false, NULL);
    }
    state_end(&h);
}

static void a_token_acts_within_its_scopes_until_its_day(void **state)
{
    (void)state;
    struct state_help h;
    struct token t = {.name = "siem", .scopes = PERMISSION_BIT(ALERT_READ) | PERMISSION_BIT(LIST_READ), .tlp_max = TLP_AMBER, .expires_us = NOW + DAY}, found;
    struct subject who;
    char text[TOKEN_TEXT_MAX], wall[TOKEN_TEXT_MAX];
    bool is_touch;
    int64_t id, wall_id;
    state_begin(&h);
    t.person = add_person(&h, "an");
    struct db *db = db_write(h.pool);
    assert_int_equal(token_add(db, &t, NOW, &id, text), 0);
    t.is_wall = true;
    t.tlp_max = TLP_RED;
    assert_int_equal(token_add(db, &t, NOW, &wall_id, wall), 0);
    t.expires_us = NOW;
    assert_int_equal(token_add(db, &t, NOW, &id, wall), PERSON_BAD_PERIOD);
    state_keep(db);
    assert_memory_equal(text, "vg_", 3);
    assert_int_equal(strlen(text), 46);
    db = db_read(h.pool);
    assert_int_equal(token_find(db, (struct text){text, 46}, NOW, &h.arena, &found, &who, &is_touch), 0);
    assert_int_equal(who.user, t.person);
    assert_int_equal(who.scopes, PERMISSION_BIT(ALERT_READ) | PERMISSION_BIT(LIST_READ));
    assert_int_equal(who.tlp_max, TLP_AMBER);
    assert_true(is_touch);
    assert_int_equal(token_find(db, (struct text){text, 46}, NOW + DAY, &h.arena, &found, &who, &is_touch), 1);
    assert_int_equal(token_find(db, (struct text){text, 45}, NOW, &h.arena, &found, &who, &is_touch), 1);
    db_end(db, false, NULL);
    assert_int_equal(state_number(h.pool, "SELECT max(tlp_max) FROM token WHERE is_wall"), TLP_GREEN);
    assert_int_equal(token_touch(h.pool, found.id, TEXT("192.0.2.9"), NOW + 1, NULL), 0);
    db = db_write(h.pool);
    assert_int_equal(token_end(db, found.id, 4711, NOW), 1);
    assert_int_equal(token_end(db, found.id, t.person, NOW), 0);
    assert_int_equal(token_find(db, (struct text){text, 46}, NOW, &h.arena, &found, &who, &is_touch), 1);
    state_keep(db);
    state_end(&h);
}

static void a_certificate_is_one_connectors_for_its_time(void **state)
{
    (void)state;
    struct state_help h;
    struct subject who;
    int64_t connector = 0, id;
    state_begin(&h);
    int64_t an = add_person(&h, "an");
    const struct person p = {.login = "soc", .name = "SOC", .is_connector = true};
    struct db *db = db_write(h.pool);
    assert_int_equal(person_add(db, &p, NULL, NOW, &connector), 0);
    struct certificate c = {.person = connector, .subject = "CN=soc,O=Bộ", .to_us = NOW + DAY};
    assert_int_equal(certificate_add(db, &c, NOW, &id), 0);
    assert_int_equal(certificate_add(db, &c, NOW, &id), PERSON_TAKEN);
    c.subject = "CN=an";
    c.person = an;
    assert_int_equal(certificate_add(db, &c, NOW, &id), 0);
    state_keep(db);
    db = db_write(h.pool);
    assert_int_equal(certificate_find(db, TEXT("CN=soc,O=Bộ"), NOW, &who), 0);
    assert_int_equal(who.user, connector);
    assert_int_equal(certificate_find(db, TEXT("CN=soc,O=Bộ"), NOW + DAY, &who), 1);
    assert_int_equal(certificate_find(db, TEXT("CN=soc"), NOW, &who), 1);
    assert_int_equal(certificate_find(db, TEXT("CN=an"), NOW, &who), 1); /* no connector: a person comes by password */
    assert_int_equal(who.user, 0);
    assert_int_equal(certificate_end(db, id - 1, NOW), 0);
    assert_int_equal(certificate_find(db, TEXT("CN=soc,O=Bộ"), NOW, &who), 1);
    state_keep(db);
    state_end(&h);
}

static void everything_here_is_vouched_for_by_the_trail(void **state)
{
    (void)state;
    static const char *const TAMPERS[] = {
        "UPDATE credential SET password = 'x'", "UPDATE person SET is_disabled = 1", "UPDATE binding SET role = 'administrator'",
        "UPDATE binding SET to_us = NULL, unit = NULL", "UPDATE access_grant_target SET is_below = 1", "UPDATE access_grant SET to_us = to_us + 1",
        "UPDATE token SET scopes = 'user.write'", "INSERT INTO binding(person, role, is_below, from_us, created_us) VALUES(1, 'administrator', 1, 0, 0)"};
    for (size_t i = 0; i <= COUNT_OF(TAMPERS); i++) {
        struct state_help h;
        struct trail_report r;
        char text[TOKEN_TEXT_MAX];
        int64_t grant, token;
        state_begin(&h);
        state_run(h.pool, "INSERT INTO unit(id, uuid, name, kind) VALUES(1, 'a', 'n', 'province')");
        int64_t an = add_person(&h, "an"), binding = bind(&h, an, "analyst", 1);
        struct grant_target target = {.unit = 1};
        const struct grant g = {.person = an, .permissions = 1, .reason = "r", .to_us = NOW + DAY, .targets = &target, .n_targets = 1};
        const struct token t = {.person = an, .name = "t", .scopes = 1, .expires_us = NOW + DAY};
        struct db *db = db_write(h.pool);
        assert_int_equal(grant_add(db, &g, NOW, &grant), 0);
        assert_int_equal(token_add(db, &t, NOW, &token, text), 0);
        const struct { struct text kind; int64_t id; } ENTRIES[] = {{TEXT("person"), an}, {TEXT("binding"), binding}, {TEXT("grant"), grant}, {TEXT("token"), token}};
        for (size_t k = 0; k < COUNT_OF(ENTRIES); k++) {
            const struct trail_entry e = {.at_us = NOW, .who = TEXT("cli:root"), .action = TEXT("add"), .kind = ENTRIES[k].kind, .object = ENTRIES[k].id};
            trail_add(db, &e);
        }
        state_keep(db);
        assert_int_equal(token_touch(h.pool, token, TEXT("::1"), NOW, NULL), 0);
        if (i < COUNT_OF(TAMPERS))
            state_run(h.pool, TAMPERS[i]);
        db = db_read(h.pool);
        assert_int_equal(trail_verify(db, NULL, &r, NULL), 0);
        db_end(db, false, NULL);
        if ((r.n_objects_wrong != 0) != (i < COUNT_OF(TAMPERS)))
            fail_msg("%s: %llu", i < COUNT_OF(TAMPERS) ? TAMPERS[i] : "untouched", (unsigned long long)r.n_objects_wrong);
        state_end(&h);
    }
}

static void roles_say_which_line_is_wrong(void **state)
{
    (void)state;
    static const struct { const char *text, *line; } WRONG[] = {
        {"roles:\n  a:\n    vi: \"x\"\n    en: \"x\"\n    permissions: [alert.read, alert.eat]\n", "line 5"},
        {"roles:\n  a:\n    vi: \"x\"\n    permissions: [alert.read]\n", "line 3"}, /* where the role's map begins */
        {"roles:\n  a:\n    vi: \"x\"\n    en: \"x\"\n    permission: [alert.read]\n", "line 5"},
        {"roles:\n  A-b:\n    vi: \"x\"\n    en: \"x\"\n    permissions: []\n", "line 3"},
        {"roles: []\n", "line 1"}, {"", "line 1"}, {"roles:\n  a: 7\n", "line 2"}, {"other: 1\n", "line 1"},
        {"roles:\n  a:\n    vi: \"x\"\n    en: \"x\"\n    permissions: alert.read\n", "line 5"}, {"roles:\n  a: {vi: [\n", "line"},
        {"roles:\n  a: {vi: x, en: x, permissions: []}\n  a: {vi: x, en: x, permissions: []}\n", "line 3"}};
    struct roles *r = NULL;
    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        struct fault f = {0};
        assert_int_equal(roles_parse("roles.yaml", (struct text){WRONG[i].text, strlen(WRONG[i].text)}, &r, &f), -EBADMSG);
        if (!strstr(f.text, WRONG[i].line))
            fail_msg("%s: %s", WRONG[i].text, f.text);
    }
    struct fault f = {0};
    static const char GOOD[] = "roles:\n  a: {vi: \"một\", en: one, permissions: [exchange, unit.read]}\n";
    assert_int_equal(roles_parse("roles.yaml", (struct text){GOOD, sizeof(GOOD) - 1}, &r, &f), 0);
    assert_int_equal(r->n, 1);
    assert_int_equal(r->role[0].permissions, PERMISSION_BIT(EXCHANGE) | PERMISSION_BIT(UNIT_READ));
    assert_string_equal(r->role[0].title[LANGUAGE_VI], "một");
    free(r);
}

static void the_roles_that_are_shipped_are_all_there(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"administrator", "leader", "duty_officer", "analyst", "coordinator", "examiner", "system_owner", "complaint_agent", "auditor", "connector"};
    struct state_help h;
    state_begin(&h);
    assert_int_equal(h.roles->n, COUNT_OF(NAMES));
    uint64_t all = 0;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        assert_string_equal(h.roles->role[i].name, NAMES[i]);
        all |= h.roles->role[i].permissions;
    }
    assert_int_equal(all, PERMISSION_ALL); /* no permission that nobody can have */
    const uint64_t writes = PERMISSION_BIT(UNIT_WRITE) | PERMISSION_BIT(ASSET_WRITE) | PERMISSION_BIT(ALERT_WRITE) | PERMISSION_BIT(ALERT_SUPPRESS) |
        PERMISSION_BIT(LIST_WRITE) | PERMISSION_BIT(DUTY_WRITE) | PERMISSION_BIT(USER_WRITE) | PERMISSION_BIT(GRANT_WRITE) | PERMISSION_BIT(SETTING_WRITE);
    assert_int_equal(roles_find(h.roles, TEXT("auditor"))->permissions & writes, 0);
    char text[PERMISSIONS_TEXT_MAX];
    uint64_t again;
    assert_int_equal(permissions_parse((struct text){text, strlen(permissions_format(PERMISSION_ALL, text))}, &again, NULL), 0);
    assert_int_equal(again, PERMISSION_ALL);
    state_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_say_which_line_is_wrong),
        cmocka_unit_test(the_roles_that_are_shipped_are_all_there),
        cmocka_unit_test(a_person_is_who_was_entered),
        cmocka_unit_test(what_is_no_person_is_refused),
        cmocka_unit_test(two_who_change_the_same_person_do_not_overwrite_each_other),
        cmocka_unit_test(a_session_ends_by_rest_by_its_day_and_with_a_change_of_role_password_or_person),
        cmocka_unit_test(of_many_sessions_the_oldest_ends_and_what_ended_is_forgotten_in_time),
        cmocka_unit_test(the_csrf_token_belongs_to_its_cookie),
        cmocka_unit_test(the_last_who_may_write_users_for_the_office_cannot_be_lost),
        cmocka_unit_test(bindings_and_grants_need_what_they_name),
        cmocka_unit_test(a_token_acts_within_its_scopes_until_its_day),
        cmocka_unit_test(a_certificate_is_one_connectors_for_its_time),
        cmocka_unit_test(everything_here_is_vouched_for_by_the_trail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
