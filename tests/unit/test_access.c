/* SPDX-License-Identifier: Apache-2.0 */
/* state/access: the decision against the sentences of its header, walked naively; a table of cells by hand; what changes in time. */
#include "failing_alloc.h"
#include "state_help.h"

/* --- a small world, and the rules as they are written ------------------------------------------------------------- */

enum { UNITS = 14, PERSONS = 4, RIGHTS = 12, AUDIENCES = 5, MEMBERS = 4, MOMENTS = 8, OBJECTS = 6 };

static const char *const ROLES[] = {"duty_officer", "analyst", "auditor", "nobody_knows"};
static const enum permission ASKED[] = {PERMISSION_ALERT_READ, PERMISSION_ALERT_WRITE, PERMISSION_AUDIT_READ, PERMISSION_SUBSCRIBER_READ};
static const char *const KINDS[] = {"alert", "machine"};

struct world {
    struct { int64_t id, parent; bool is_body; } unit[UNITS]; /* parent 0: the root */
    bool is_disabled[PERSONS + 1];
    struct {
        int64_t person, unit, from, to; /* to 0: open */
        int64_t ended;                  /* 0: not */
        bool is_grant, is_below;
        const char *role;        /* of a binding */
        enum permission granted; /* of a grant */
        const char *kind;        /* of a grant on one object */
        int64_t object;
    } right[RIGHTS];
    struct { int64_t person, unit; bool is_below; } member[AUDIENCES + 1][MEMBERS];
    size_t n_members[AUDIENCES + 1];
};

static int64_t parent_of(const struct world *w, int64_t unit)
{
    for (size_t i = 0; i < UNITS; i++)
        if (w->unit[i].id == unit)
            return w->unit[i].parent;
    return 0;
}

static bool is_unit(const struct world *w, int64_t unit)
{
    for (size_t i = 0; i < UNITS; i++)
        if (w->unit[i].id == unit)
            return true;
    return unit == 0;
}

/* is @above the unit itself or on the way from it to the root? */
static bool is_at_or_above(const struct world *w, int64_t above, int64_t unit)
{
    for (;; unit = parent_of(w, unit)) {
        if (unit == above)
            return true;
        if (!unit)
            return false;
    }
}

static int64_t body_of(const struct world *w, int64_t unit)
{
    for (int64_t at = unit; at; at = parent_of(w, at))
        for (size_t i = 0; i < UNITS; i++)
            if (w->unit[i].id == at && w->unit[i].is_body)
                return at;
    return unit; /* no body above it: it alone */
}

static bool is_in_force(const struct world *w, size_t i, int64_t now)
{
    return w->right[i].from <= now && (!w->right[i].to || now < w->right[i].to) && (!w->right[i].ended || now < w->right[i].ended);
}

static uint64_t permissions_of(const struct world *w, const struct roles *roles, size_t i)
{
    const struct role *role = w->right[i].is_grant ? NULL : roles_find(roles, (struct text){w->right[i].role, strlen(w->right[i].role)});
    return w->right[i].is_grant ? UINT64_C(1) << w->right[i].granted : role ? role->permissions : 0;
}

static bool gives(const struct world *w, const struct roles *roles, size_t i, const struct subject *who, enum permission p,
                  const struct access_object *o, int64_t now)
{
    if (w->right[i].person != who->user || w->is_disabled[who->user] || !is_in_force(w, i, now))
        return false;
    if (!(permissions_of(w, roles, i) >> p & 1))
        return false;
    if (w->right[i].kind) /* names the object itself */
        return o->kind && !strcmp(o->kind, w->right[i].kind) && o->id == w->right[i].object;
    bool is_at = w->right[i].unit == o->unit || (w->right[i].is_below && is_at_or_above(w, w->right[i].unit, o->unit));
    if (!is_at || o->tlp != TLP_AMBER_STRICT)
        return is_at;
    return is_at_or_above(w, body_of(w, o->unit), w->right[i].unit);
}

static bool is_named(const struct world *w, const struct roles *roles, const struct subject *who, int64_t audience, bool is_personally, int64_t now)
{
    if (audience < 1 || audience > AUDIENCES)
        return false;
    for (size_t k = 0; k < w->n_members[audience]; k++) {
        int64_t unit = w->member[audience][k].unit;
        if (w->member[audience][k].person == who->user)
            return true;
        for (size_t i = 0; i < RIGHTS && unit && !is_personally; i++) {
            bool is_binding = w->right[i].person == who->user && !w->right[i].is_grant && is_in_force(w, i, now) && permissions_of(w, roles, i);
            if (is_binding && (w->right[i].unit == unit || (w->member[audience][k].is_below && is_at_or_above(w, unit, w->right[i].unit))))
                return true;
        }
    }
    return false;
}

static bool rules_say(const struct world *w, const struct roles *roles, const struct subject *who, enum permission p,
                      const struct access_object *o, int64_t now)
{
    bool has = false;
    if (!(who->scopes >> p & 1) || !is_unit(w, o->unit) || o->tlp > who->tlp_max)
        return false;
    for (size_t i = 0; i < RIGHTS; i++)
        has |= gives(w, roles, i, who, p, o, now);
    if (!has)
        return false;
    if (o->tlp == TLP_RED)
        return is_named(w, roles, who, o->audience, true, now);
    return !o->audience || is_named(w, roles, who, o->audience, false, now);
}

/* --- a random one ------------------------------------------------------------------------------------------------ */

static void make_rights(struct world *w, uint64_t *chance)
{
    for (size_t i = 0; i < RIGHTS; i++) {
        uint64_t r = next_random(chance);
        w->right[i].person = 1 + (int64_t)(r % PERSONS);
        w->right[i].is_grant = r >> 8 & 1;
        w->right[i].is_below = r >> 9 & 1;
        w->right[i].unit = (r >> 10) % 7 ? w->unit[(r >> 13) % UNITS].id : 0;
        w->right[i].from = (int64_t)(r >> 20) % MOMENTS;
        w->right[i].to = w->right[i].from + 1 + (int64_t)((r >> 24) % MOMENTS);
        w->right[i].to = !w->right[i].is_grant && r >> 32 & 1 ? 0 : w->right[i].to;
        w->right[i].ended = (r >> 33) % 5 ? 0 : w->right[i].from + (int64_t)((r >> 36) % 4);
        w->right[i].role = ROLES[(r >> 40) % COUNT_OF(ROLES)];
        w->right[i].granted = ASKED[(r >> 44) % COUNT_OF(ASKED)];
        w->right[i].kind = w->right[i].is_grant && (r >> 48) % 3 == 0 ? KINDS[(r >> 50) % COUNT_OF(KINDS)] : NULL;
        w->right[i].object = 1 + (int64_t)((r >> 52) % OBJECTS);
        if (w->right[i].is_grant && !w->right[i].unit && !w->right[i].kind)
            w->right[i].unit = w->unit[0].id; /* no grant stands at the root */
    }
}

static void make_world(struct world *w, uint64_t *chance)
{
    *w = (struct world){0};
    for (size_t i = 0; i < UNITS; i++) { /* ids in no order of the tree: 1 .. by a step that hits each once */
        w->unit[i].id = 1 + (int64_t)((i * 9 + 4) % UNITS) * 3;
        w->unit[i].parent = i && next_random(chance) % 6 ? w->unit[next_random(chance) % i].id : 0;
        w->unit[i].is_body = next_random(chance) % 3 == 0;
    }
    make_rights(w, chance);
    for (size_t a = 1; a <= AUDIENCES; a++) {
        w->n_members[a] = next_random(chance) % (MEMBERS + 1);
        for (size_t k = 0; k < w->n_members[a]; k++) {
            uint64_t r = next_random(chance);
            w->member[a][k].person = r & 1 ? 1 + (int64_t)((r >> 1) % PERSONS) : 0;
            w->member[a][k].unit = r & 1 ? 0 : w->unit[(r >> 1) % UNITS].id;
            w->member[a][k].is_below = r >> 20 & 1;
        }
    }
    w->is_disabled[1 + next_random(chance) % PERSONS] = next_random(chance) % 2;
}

static void bind_or_null(struct db_statement *s, int i, int64_t value)
{
    if (value)
        db_bind(s, i, value);
}

static void write_right(struct db *db, const struct world *w, size_t i)
{
    struct db_statement *s = db_sql(db, w->right[i].is_grant
        ? "INSERT INTO access_grant(id, person, permissions, reason, from_us, to_us, ended_us, created_us) VALUES(?1, ?2, ?3, 'r', ?4, ?5, ?6, 0)"
        : "INSERT INTO binding(id, person, role, from_us, to_us, ended_us, created_us, unit, is_below) VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)");
    db_bind(s, 1, (int64_t)i + 1);
    db_bind(s, 2, w->right[i].person);
    db_bind_str(s, 3, w->right[i].is_grant ? permission_name(w->right[i].granted) : w->right[i].role);
    db_bind(s, 4, w->right[i].from);
    bind_or_null(s, 5, w->right[i].to);
    if (w->right[i].ended || w->right[i].to < 0)
        db_bind(s, 6, w->right[i].ended);
    if (!w->right[i].is_grant) {
        bind_or_null(s, 7, w->right[i].unit);
        db_bind(s, 8, w->right[i].is_below);
    }
    db_done(s);
    if (!w->right[i].is_grant)
        return;
    s = db_sql(db, "INSERT INTO access_grant_target(access_grant, unit, is_below, kind, object) VALUES(?1, ?2, ?3, ?4, ?5)");
    db_bind(s, 1, (int64_t)i + 1);
    if (!w->right[i].kind)
        db_bind(s, 2, w->right[i].unit);
    db_bind(s, 3, !w->right[i].kind && w->right[i].is_below);
    db_bind_str(s, 4, w->right[i].kind);
    if (w->right[i].kind)
        db_bind(s, 5, w->right[i].object);
    db_done(s);
}

static void write_world(struct db *db, const struct world *w)
{
    db_many(db, "DROP TRIGGER person_stays; DROP TRIGGER binding_stays; DROP TRIGGER access_grant_stays; DROP TRIGGER access_grant_target_stays;"
                "DELETE FROM audience_member; DELETE FROM audience; DELETE FROM access_grant_target; DELETE FROM access_grant; DELETE FROM binding;"
                "DELETE FROM person; UPDATE unit SET parent = NULL; DELETE FROM unit;"
                "CREATE TRIGGER person_stays AFTER DELETE ON person BEGIN SELECT 1; END;"
                "CREATE TRIGGER binding_stays AFTER DELETE ON binding BEGIN SELECT 1; END;"
                "CREATE TRIGGER access_grant_stays AFTER DELETE ON access_grant BEGIN SELECT 1; END;"
                "CREATE TRIGGER access_grant_target_stays AFTER DELETE ON access_grant_target BEGIN SELECT 1; END;");
    for (size_t i = 0; i < UNITS; i++) {
        struct db_statement *s = db_sql(db, "INSERT INTO unit(id, uuid, parent, name, kind, is_body) VALUES(?1, ?1, ?2, 'n', 'province', ?3)");
        db_bind(s, 1, w->unit[i].id);
        bind_or_null(s, 2, w->unit[i].parent);
        db_bind(s, 3, w->unit[i].is_body);
        db_done(s);
    }
    for (int64_t i = 1; i <= PERSONS; i++) {
        struct db_statement *s = db_sql(db, "INSERT INTO person(id, uuid, login, name, is_disabled, created_us, changed_us) VALUES(?1, ?1, ?1, 'n', ?2, 0, 0)");
        db_bind(s, 1, i);
        db_bind(s, 2, w->is_disabled[i]);
        db_done(s);
    }
    for (size_t i = 0; i < RIGHTS; i++)
        write_right(db, w, i);
    for (int64_t a = 1; a <= AUDIENCES; a++) {
        struct db_statement *s = db_sql(db, "INSERT INTO audience(id, created_us) VALUES(?1, 0)");
        db_bind(s, 1, a);
        db_done(s);
        for (size_t k = 0; k < w->n_members[a]; k++) {
            s = db_sql(db, "INSERT INTO audience_member(audience, person, unit, is_below) VALUES(?1, ?2, ?3, ?4)");
            db_bind(s, 1, a);
            bind_or_null(s, 2, w->member[a][k].person);
            bind_or_null(s, 3, w->member[a][k].unit);
            db_bind(s, 4, w->member[a][k].unit && w->member[a][k].is_below);
            db_done(s);
        }
    }
}

static struct subject random_subject(uint64_t *chance)
{
    uint64_t r = next_random(chance);
    return (struct subject){.user = (int64_t)(r % (PERSONS + 2)), .token = (int64_t)(r >> 8 & 1),
        .scopes = r >> 9 & 3 ? ~UINT64_C(0) : next_random(chance), .tlp_max = r >> 11 & 1 ? TLP_RED : (enum tlp)((r >> 12) % TLP_COUNT)};
}

static void compare_one(const struct world *w, struct state_help *h, struct db *db, const struct access_view *v, uint64_t *chance, uint64_t began)
{
    uint64_t r = next_random(chance);
    struct subject who = random_subject(chance);
    enum permission p = ASKED[r % COUNT_OF(ASKED)];
    int64_t now = (int64_t)(r >> 8) % (MOMENTS * 2);
    struct access_object o = {.unit = (r >> 16) % 5 ? w->unit[(r >> 20) % UNITS].id : (int64_t)((r >> 20) % 3) * 1000, .tlp = (enum tlp)((r >> 24) % TLP_COUNT),
        .audience = (r >> 28) % 2 ? 0 : (int64_t)((r >> 30) % (AUDIENCES + 3)), .kind = (r >> 36) % 4 ? KINDS[(r >> 38) % COUNT_OF(KINDS)] : NULL,
        .id = 1 + (int64_t)((r >> 42) % OBJECTS)};
    bool expected = rules_say(w, h->roles, &who, p, &o, now);
    if (access_sees(v, &who, p, &o, now) != expected)
        fail_msg("VONGGAC_SEED=%llu: user %lld, %s, unit %lld, tlp %d, audience %lld at %lld: the rules say %d", (unsigned long long)began,
                 (long long)who.user, permission_name(p), (long long)o.unit, (int)o.tlp, (long long)o.audience, (long long)now, expected);
    const struct access_scope scope = {.view = v, .who = &who, .permission = p, .kind = o.kind, .now_us = now};
    access_enter(db, &scope);
    struct db_statement *s = db_sql(db, "SELECT sees(?1, ?2, ?3, ?4)");
    db_bind(s, 1, o.unit);
    db_bind(s, 2, o.tlp);
    db_bind(s, 3, o.audience);
    db_bind(s, 4, o.id);
    assert_true(db_next(s));
    assert_int_equal(db_int(s, 0), expected);
    db_reset(s);
}

/* what access_units, access_objects and access_may answer, by asking the rules for every unit and object */
static void compare_sets(const struct world *w, struct state_help *h, const struct access_view *v, uint64_t *chance)
{
    struct subject who = random_subject(chance);
    who.tlp_max = TLP_RED;
    enum permission p = ASKED[next_random(chance) % COUNT_OF(ASKED)];
    int64_t now = (int64_t)(next_random(chance) % (MOMENTS * 2)), *ids, last = -1;
    size_t n, n_seen = 0;
    bool is_all, is_anywhere = false;
    assert_int_equal(access_units(v, &who, p, now, &h->arena, &ids, &n, &is_all), 0);
    for (size_t i = 0; i <= UNITS; i++) {
        const struct access_object o = {.unit = i ? w->unit[i - 1].id : 0};
        bool is_seen = rules_say(w, h->roles, &who, p, &o, now), is_listed = is_all;
        for (size_t k = 0; k < n; k++)
            is_listed |= ids[k] == o.unit;
        assert_int_equal(is_seen, is_listed);
        if (o.unit)
            assert_int_equal(access_may(v, &who, p, o.unit, now), is_seen);
        is_anywhere |= is_seen;
        n_seen += is_seen;
    }
    assert_true(is_all || n == n_seen);
    for (size_t k = 0; k < n; k++) {
        assert_true(ids[k] > last);
        last = ids[k];
    }
    assert_int_equal(access_objects(v, &who, p, KINDS[0], now, &h->arena, &ids, &n), 0);
    for (int64_t id = 1; id <= OBJECTS; id++) {
        const struct access_object o = {.unit = 0, .kind = KINDS[0], .id = id}, other = {.unit = 0};
        bool is_listed = false, is_singly = rules_say(w, h->roles, &who, p, &o, now);
        for (size_t k = 0; k < n; k++)
            is_listed |= ids[k] == id;
        if (!rules_say(w, h->roles, &who, p, &other, now))
            assert_int_equal(is_singly, is_listed);
        is_anywhere |= is_listed;
    }
    bool has_other_kind = access_objects(v, &who, p, KINDS[1], now, &h->arena, &ids, &n) == 0 && n;
    assert_int_equal(access_may(v, &who, p, 0, now), is_anywhere || has_other_kind);
    arena_fini(&h->arena);
}

static void the_decision_is_what_the_sentences_say(void **state)
{
    (void)state;
    uint64_t began = seed(), chance = began;
    struct state_help h;
    struct access *a;
    struct fault f = {0};
    state_begin(&h);
    assert_int_equal(access_new(h.roles, &a), 0);
    for (unsigned i = 0, n = rounds(40); i < n; i++) {
        static struct world w;
        make_world(&w, &chance);
        struct db *db = db_write(h.pool);
        write_world(db, &w);
        state_keep(db);
        db = db_read(h.pool);
        if (access_refresh(a, db, &f) != 1)
            fail_msg("%s", f.text);
        struct access_view *v = access_take(a);
        for (unsigned k = 0; k < 2000; k++)
            compare_one(&w, &h, db, v, &chance, began);
        for (unsigned k = 0; k < 40; k++)
            compare_sets(&w, &h, v, &chance);
        for (size_t x = 0; x < UNITS; x++)
            for (size_t y = 0; y < UNITS; y++)
                assert_int_equal(access_is_within(v, w.unit[x].id, w.unit[y].id), is_at_or_above(&w, w.unit[y].id, w.unit[x].id));
        access_give(v);
        db_end(db, false, NULL);
    }
    access_free(a);
    state_end(&h);
}

/* --- cells by hand ----------------------------------------------------------------------------------------------- */

/*
 * 1 the country (body) > 2 a province (body) > 3 its department (body) > 4 a division; 5 another province; 6 a cluster, no body.
 * Persons: 1 duty officer at the root and below; 2 at the province and below; 3 at the department alone; 4 at the division;
 * 5 nobody's; 6 by a grant at the department, moments 10..20; 7 by a grant on alert 77, 10..20; 8 disabled, else as 1;
 * 9 at the root alone.
 */
static const char CELLS[] =
    "INSERT INTO unit(id, uuid, parent, name, kind, is_body) VALUES(1, 'a', NULL, 'n', 'national', 1), (2, 'b', 1, 'n', 'province', 1),"
    " (3, 'c', 2, 'n', 'department', 1), (4, 'd', 3, 'n', 'department', 0), (5, 'e', 1, 'n', 'province', 1), (6, 'f', NULL, 'n', 'cluster', 0);"
    "INSERT INTO person(id, uuid, login, name, is_disabled, created_us, changed_us) VALUES(1, 'a', 'a', 'n', 0, 0, 0), (2, 'b', 'b', 'n', 0, 0, 0),"
    " (3, 'c', 'c', 'n', 0, 0, 0), (4, 'd', 'd', 'n', 0, 0, 0), (5, 'e', 'e', 'n', 0, 0, 0), (6, 'f', 'f', 'n', 0, 0, 0), (7, 'g', 'g', 'n', 0, 0, 0),"
    " (8, 'h', 'h', 'n', 1, 0, 0), (9, 'i', 'i', 'n', 0, 0, 0);"
    "INSERT INTO binding(person, role, unit, is_below, from_us, created_us) VALUES(1, 'duty_officer', NULL, 1, 0, 0), (2, 'duty_officer', 2, 1, 0, 0),"
    " (3, 'duty_officer', 3, 0, 0, 0), (4, 'duty_officer', 4, 1, 0, 0), (8, 'duty_officer', NULL, 1, 0, 0), (9, 'duty_officer', NULL, 0, 0, 0);"
    "INSERT INTO access_grant(id, person, permissions, reason, from_us, to_us, created_us) VALUES(1, 6, 'alert.read', 'r', 10, 20, 0),"
    " (2, 7, 'alert.read', 'r', 10, 20, 0);"
    "INSERT INTO access_grant_target(access_grant, unit, is_below) VALUES(1, 3, 1);"
    "INSERT INTO access_grant_target(access_grant, kind, object) VALUES(2, 'alert', 77);"
    "INSERT INTO audience(id, created_us) VALUES(1, 0), (2, 0), (3, 0), (4, 0);"
    "INSERT INTO audience_member(audience, person, unit, is_below) VALUES(1, 2, NULL, 0), (2, NULL, 2, 0), (3, NULL, 2, 1);";

static const struct {
    const char *what;
    int64_t user, unit, audience, id, now;
    enum tlp tlp;
    bool is_seen;
} CELL[] = {
    {"from the root, below", 1, 4, 0, 1, 15, TLP_AMBER, true},
    {"from the root, nobody's", 1, 0, 0, 1, 15, TLP_AMBER, true},
    {"from the root, a unit nobody knows", 1, 99, 0, 1, 15, TLP_CLEAR, false},
    {"from the root, not below: nobody's", 9, 0, 0, 1, 15, TLP_CLEAR, true},
    {"from the root, not below: a unit", 9, 1, 0, 1, 15, TLP_CLEAR, false},
    {"disabled", 8, 4, 0, 1, 15, TLP_CLEAR, false},
    {"nobody's friend", 5, 4, 0, 1, 15, TLP_CLEAR, false},
    {"nobody", 0, 4, 0, 1, 15, TLP_CLEAR, false},
    {"province: its own", 2, 2, 0, 1, 15, TLP_AMBER, true},
    {"province: below", 2, 4, 0, 1, 15, TLP_AMBER, true},
    {"province: another", 2, 5, 0, 1, 15, TLP_CLEAR, false},
    {"province: above", 2, 1, 0, 1, 15, TLP_CLEAR, false},
    {"province: nobody's", 2, 0, 0, 1, 15, TLP_CLEAR, false},
    {"department alone: itself", 3, 3, 0, 1, 15, TLP_AMBER, true},
    {"department alone: its division", 3, 4, 0, 1, 15, TLP_CLEAR, false},
    {"division: its department", 4, 3, 0, 1, 15, TLP_CLEAR, false},
    {"AMBER+STRICT of the province, from the province", 2, 2, 0, 1, 15, TLP_AMBER_STRICT, true},
    {"AMBER+STRICT of the province, from the root", 1, 2, 0, 1, 15, TLP_AMBER_STRICT, false},
    {"AMBER+STRICT of the department, from the province", 2, 3, 0, 1, 15, TLP_AMBER_STRICT, false},
    {"AMBER+STRICT of a division, from the province", 2, 4, 0, 1, 15, TLP_AMBER_STRICT, false},
    {"AMBER+STRICT of a division, from itself", 4, 4, 0, 1, 15, TLP_AMBER_STRICT, true},
    {"AMBER+STRICT of a division, by a grant at its department", 6, 4, 0, 1, 15, TLP_AMBER_STRICT, true},
    {"AMBER+STRICT, by a grant on it", 7, 4, 0, 77, 15, TLP_AMBER_STRICT, true},
    {"AMBER+STRICT of a cluster without a body, from the root", 1, 6, 0, 1, 15, TLP_AMBER_STRICT, false},
    {"AMBER+STRICT, nobody's, from the root", 1, 0, 0, 1, 15, TLP_AMBER_STRICT, true},
    {"RED without an audience", 2, 2, 0, 1, 15, TLP_RED, false},
    {"RED, named as a person", 2, 2, 1, 1, 15, TLP_RED, true},
    {"RED, the unit is named", 2, 2, 2, 1, 15, TLP_RED, false},
    {"RED, another is named", 1, 2, 1, 1, 15, TLP_RED, false},
    {"named as a person", 2, 2, 1, 1, 15, TLP_CLEAR, true},
    {"another is named", 1, 2, 1, 1, 15, TLP_CLEAR, false},
    {"named, but without the right", 2, 5, 1, 1, 15, TLP_CLEAR, false},
    {"his unit is named", 2, 4, 2, 1, 15, TLP_CLEAR, true},
    {"a unit above his is named, not below", 4, 4, 2, 1, 15, TLP_CLEAR, false},
    {"a unit above his is named, with below", 4, 4, 3, 1, 15, TLP_CLEAR, true},
    {"a unit below his is named", 1, 4, 3, 1, 15, TLP_CLEAR, false},
    {"a grant is no membership", 6, 3, 3, 1, 15, TLP_CLEAR, false},
    {"an empty audience", 1, 4, 4, 1, 15, TLP_CLEAR, false},
    {"an audience nobody knows", 1, 4, 99, 1, 15, TLP_CLEAR, false},
    {"a grant before it begins", 6, 3, 0, 1, 9, TLP_CLEAR, false},
    {"a grant at its first moment", 6, 3, 0, 1, 10, TLP_CLEAR, true},
    {"a grant, below", 6, 4, 0, 1, 19, TLP_CLEAR, true},
    {"a grant at its end", 6, 3, 0, 1, 20, TLP_CLEAR, false},
    {"a grant, above its unit", 6, 2, 0, 1, 15, TLP_CLEAR, false},
    {"a grant on one object", 7, 3, 0, 77, 15, TLP_CLEAR, true},
    {"a grant on one object, another", 7, 3, 0, 78, 15, TLP_CLEAR, false},
    {"a grant on one object, at its end", 7, 3, 0, 77, 20, TLP_CLEAR, false},
    {"a grant on one object of a unit nobody knows", 7, 99, 0, 77, 15, TLP_CLEAR, false},
    {"a TLP there is not", 1, 4, 0, 1, 15, TLP_COUNT, false},
};

static void every_cell_of_the_table_is_answered_as_written(void **state)
{
    (void)state;
    struct state_help h;
    struct access *a;
    state_begin(&h);
    state_run(h.pool, CELLS);
    assert_int_equal(access_new(h.roles, &a), 0);
    struct db *db = db_read(h.pool);
    assert_int_equal(access_load(a, db, NULL), 0);
    db_end(db, false, NULL);
    struct access_view *v = access_take(a);
    for (size_t i = 0; i < COUNT_OF(CELL); i++) {
        const struct subject who = {.user = CELL[i].user, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
        const struct access_object o = {.unit = CELL[i].unit, .tlp = CELL[i].tlp, .audience = CELL[i].audience, .kind = "alert", .id = CELL[i].id};
        if (access_sees(v, &who, PERMISSION_ALERT_READ, &o, CELL[i].now) != CELL[i].is_seen)
            fail_msg("%s: must be %d", CELL[i].what, CELL[i].is_seen);
        assert_false(access_sees(v, &who, PERMISSION_USER_WRITE, &o, CELL[i].now)); /* in nobody's role here */
    }
    /* a token: cut by its scopes and its TLP */
    const struct access_object o = {.unit = 2, .tlp = TLP_AMBER, .kind = "alert", .id = 1};
    struct subject token = {.user = 2, .token = 1, .scopes = PERMISSION_BIT(ALERT_READ), .tlp_max = TLP_AMBER};
    assert_true(access_sees(v, &token, PERMISSION_ALERT_READ, &o, 15));
    assert_false(access_sees(v, &token, PERMISSION_ALERT_WRITE, &o, 15));
    token.tlp_max = TLP_GREEN;
    assert_false(access_sees(v, &token, PERMISSION_ALERT_READ, &o, 15));
    token.tlp_max = TLP_AMBER;
    assert_int_equal(access_permissions(v, &token, 15), PERMISSION_BIT(ALERT_READ));
    token.scopes = 0;
    assert_false(access_sees(v, &token, PERMISSION_ALERT_READ, &o, 15));
    assert_false(access_may(v, &token, PERMISSION_ALERT_READ, 0, 15));
    /* when the next answer may differ */
    const struct subject granted = {.user = 6, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
    assert_int_equal(access_next_change(v, &granted, 0), 10);
    assert_int_equal(access_next_change(v, &granted, 10), 20);
    assert_int_equal(access_next_change(v, &granted, 20), INT64_MAX);
    assert_int_equal(access_parent(v, 4), 3);
    assert_int_equal(access_parent(v, 1), 0);
    assert_int_equal(access_body(v, 4), 3);
    assert_int_equal(access_body(v, 6), 0);
    access_give(v);
    access_free(a);
    state_end(&h);
}

static void nobody_gives_away_what_he_has_not(void **state)
{
    (void)state;
    static const struct { int64_t user, unit; uint64_t permissions; bool is_below, may; } CASES[] = {
        {1, 0, PERMISSION_BIT(ALERT_READ), true, true}, {1, 4, PERMISSION_BIT(ALERT_READ) | PERMISSION_BIT(ALERT_WRITE), true, true},
        {1, 4, PERMISSION_BIT(ALERT_READ) | PERMISSION_BIT(USER_WRITE), true, false}, {2, 0, PERMISSION_BIT(ALERT_READ), false, false},
        {2, 3, PERMISSION_BIT(ALERT_READ), true, true}, {2, 5, PERMISSION_BIT(ALERT_READ), false, false},
        {3, 3, PERMISSION_BIT(ALERT_READ), false, true}, {3, 3, PERMISSION_BIT(ALERT_READ), true, false},
        {9, 0, PERMISSION_BIT(ALERT_READ), false, true}, {9, 0, PERMISSION_BIT(ALERT_READ), true, false},
        {7, 3, PERMISSION_BIT(ALERT_READ), false, false}, {5, 0, 0, false, true}, {5, 0, PERMISSION_BIT(ALERT_READ), false, false},
        {1, 99, PERMISSION_BIT(ALERT_READ), false, false},
    };
    struct state_help h;
    struct access *a;
    state_begin(&h);
    state_run(h.pool, CELLS);
    assert_int_equal(access_new(h.roles, &a), 0);
    struct db *db = db_read(h.pool);
    assert_int_equal(access_load(a, db, NULL), 0);
    db_end(db, false, NULL);
    struct access_view *v = access_take(a);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct subject who = {.user = CASES[i].user, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
        if (access_covers(v, &who, CASES[i].permissions, CASES[i].unit, CASES[i].is_below, 15) != CASES[i].may)
            fail_msg("case %zu: must be %d", i, CASES[i].may);
    }
    access_give(v);
    access_free(a);
    state_end(&h);
}

/* --- changes ----------------------------------------------------------------------------------------------------- */

static void a_change_of_another_program_is_noticed_and_an_old_snapshot_stays_whole(void **state)
{
    (void)state;
    static const char *const CHANGES[] = {
        "UPDATE binding SET ended_us = 5 WHERE person = 2", "UPDATE person SET is_disabled = 1 WHERE id = 4", "UPDATE unit SET parent = 5 WHERE id = 3",
        "INSERT INTO audience_member(audience, person) VALUES(4, 1)", "UPDATE access_grant SET ended_us = 11 WHERE id = 1",
        "INSERT INTO unit(id, uuid, name, kind) VALUES(7, 'g', 'n', 'bank')", "UPDATE unit SET is_body = 0 WHERE id = 3"};
    struct state_help h, other = {0};
    struct access *a;
    state_begin(&h);
    state_run(h.pool, CELLS);
    memcpy(other.path, h.path, sizeof(h.path));
    state_open_pool(&other);
    assert_int_equal(access_new(h.roles, &a), 0);
    const struct subject who = {.user = 2, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
    struct access_view *none = access_take(a);
    assert_false(access_may(none, &who, PERMISSION_ALERT_READ, 0, 15));
    access_give(none);
    struct db *db = db_read(h.pool);
    assert_int_equal(access_refresh(a, db, NULL), 1);
    assert_int_equal(access_refresh(a, db, NULL), 0);
    db_end(db, false, NULL);
    struct access_view *before = access_take(a);
    for (size_t i = 0; i < COUNT_OF(CHANGES); i++) {
        state_run(other.pool, CHANGES[i]);
        db = db_read(h.pool);
        if (access_refresh(a, db, NULL) != 1)
            fail_msg("not noticed: %s", CHANGES[i]);
        assert_int_equal(access_refresh(a, db, NULL), 0);
        db_end(db, false, NULL);
    }
    state_run(other.pool, "UPDATE unit SET name = 'another' WHERE id = 1"); /* decides nothing */
    db = db_read(h.pool);
    assert_int_equal(access_refresh(a, db, NULL), 0);
    db_end(db, false, NULL);
    struct access_view *after = access_take(a);
    assert_true(access_may(before, &who, PERMISSION_ALERT_READ, 2, 15));
    assert_false(access_may(after, &who, PERMISSION_ALERT_READ, 2, 15));
    access_give(before);
    access_give(after);
    access_free(a);
    db_pool_close(other.pool);
    state_end(&h);
}

static void a_unit_cannot_lie_below_itself_and_one_that_does_is_seen_by_nobody(void **state)
{
    (void)state;
    struct state_help h;
    struct access *a;
    state_begin(&h);
    state_run(h.pool, CELLS);
    struct db *db = db_write(h.pool);
    db_many(db, "UPDATE unit SET parent = 4 WHERE id = 2");
    assert_int_equal(db_end(db, true, NULL), DB_CONFLICT);
    state_run(h.pool, "DROP TRIGGER unit_is_a_tree; UPDATE unit SET parent = 4 WHERE id = 2");
    assert_int_equal(access_new(h.roles, &a), 0);
    db = db_read(h.pool);
    assert_int_equal(access_load(a, db, NULL), 0);
    db_end(db, false, NULL);
    struct access_view *v = access_take(a);
    const struct subject root = {.user = 1, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
    const struct subject lost = {.user = 2, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
    for (int64_t unit = 2; unit <= 4; unit++) {
        const struct access_object o = {.unit = unit};
        assert_false(access_sees(v, &root, PERMISSION_ALERT_READ, &o, 15));
        assert_int_equal(access_sees(v, &lost, PERMISSION_ALERT_READ, &o, 15), unit == 2); /* bound right there */
    }
    const struct access_object o = {.unit = 5};
    assert_true(access_sees(v, &root, PERMISSION_ALERT_READ, &o, 15));
    access_give(v);
    access_free(a);
    state_end(&h);
}

static void without_a_subject_sql_sees_nothing(void **state)
{
    (void)state;
    struct state_help h;
    state_begin(&h);
    state_run(h.pool, CELLS);
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM unit WHERE sees(id, 0, 0, id)"), 0);
    state_end(&h);
}

static int load(void *context)
{
    struct state_help *h = context;
    struct access *a;
    int r = access_new(h->roles, &a);
    if (r)
        return r;
    struct db *db = db_read(h->pool);
    r = access_load(a, db, NULL);
    db_end(db, false, NULL);
    const struct subject who = {.user = 1, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
    struct access_view *v = access_take(a);
    assert_int_equal(access_may(v, &who, PERMISSION_ALERT_READ, 4, 15), !r); /* half a snapshot is none */
    access_give(v);
    access_free(a);
    return r;
}

static void every_allocation_of_a_snapshot_may_fail(void **state)
{
    (void)state;
    struct state_help h;
    state_begin(&h);
    state_run(h.pool, CELLS);
    failing_alloc_each("a snapshot", load, &h, false);
    state_end(&h);
}

static void ten_thousand_units_in_a_chain_and_in_a_bush_are_read(void **state)
{
    (void)state;
    struct state_help h;
    struct access *a;
    state_begin(&h);
    state_run(h.pool, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
                      " INSERT INTO unit(id, uuid, parent, name, kind) SELECT i, i, nullif(i - 1, 0), 'n', 'commune' FROM n;"
                      "WITH RECURSIVE n(i) AS (SELECT 5001 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
                      " INSERT INTO unit(id, uuid, parent, name, kind) SELECT i, i, 1 + i % 34, 'n', 'commune' FROM n;"
                      "INSERT INTO person(id, uuid, login, name, created_us, changed_us) VALUES(1, 'a', 'a', 'n', 0, 0);"
                      "INSERT INTO binding(person, role, unit, is_below, from_us, created_us) VALUES(1, 'auditor', 20, 1, 0, 0);");
    assert_int_equal(access_new(h.roles, &a), 0);
    struct db *db = db_read(h.pool);
    assert_int_equal(access_load(a, db, NULL), 0);
    db_end(db, false, NULL);
    struct access_view *v = access_take(a);
    const struct subject who = {.user = 1, .scopes = ~UINT64_C(0), .tlp_max = TLP_RED};
    size_t n, n_expected = 4981; /* 20 .. 5000 of the chain; of the bush those whose parent is 20 .. 34 */
    for (int i = 5001; i <= 10000; i++)
        n_expected += 1 + i % 34 >= 20;
    int64_t *ids;
    bool is_all;
    assert_int_equal(access_units(v, &who, PERMISSION_UNIT_READ, 1, &h.arena, &ids, &n, &is_all), 0);
    assert_int_equal(n, n_expected);
    assert_false(is_all);
    access_give(v);
    access_free(a);
    state_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_of_the_table_is_answered_as_written),
        cmocka_unit_test(the_decision_is_what_the_sentences_say),
        cmocka_unit_test(nobody_gives_away_what_he_has_not),
        cmocka_unit_test(a_change_of_another_program_is_noticed_and_an_old_snapshot_stays_whole),
        cmocka_unit_test(a_unit_cannot_lie_below_itself_and_one_that_does_is_seen_by_nobody),
        cmocka_unit_test(without_a_subject_sql_sees_nothing),
        cmocka_unit_test(every_allocation_of_a_snapshot_may_fail),
        cmocka_unit_test(ten_thousand_units_in_a_chain_and_in_a_bush_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
