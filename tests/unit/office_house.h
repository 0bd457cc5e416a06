/* SPDX-License-Identifier: Apache-2.0 */
/* office_house - a state in a folder of its own with people who see all, a part or nothing; for tests of desks. */
#pragma once

#include "cmocka_house.h"
#include "base/clock.h"
#include "state/access.h"
#include "state/role.h"
#include "state/trail.h"

#include <stdio.h>
#include <unistd.h>

#define OFFICE_NOW INT64_C(1771297200000000) /* 2026-02-17T03:00:00Z */

struct office {
    char directory[64], path[96];
    struct db_pool *pool;
    struct roles *roles;
    struct access *access;
    struct access_view *view; /* taken by office_see */
    struct subject who;
    struct access_scope scope;
};

/* office_open - @rooms: the desk's migrations behind those of access and trail */
static inline void office_open(struct office *o, const struct db_migrations *const *rooms, size_t n)
{
    struct fault f = {0};
    const struct db_migrations *all[8] = {&access_migrations, &trail_migrations};
    memset(o, 0, sizeof(*o));
    snprintf(o->directory, sizeof(o->directory), "/tmp/vonggac-office-XXXXXX");
    assert_non_null(mkdtemp(o->directory));
    snprintf(o->path, sizeof(o->path), "%s/state.db", o->directory);
    for (size_t i = 0; i < n; i++)
        all[2 + i] = rooms[i];
    if (db_pool_open(o->path, 2, true, &o->pool, &f) || db_migrate(o->pool, all, 2 + n, &f) || access_functions(o->pool, &f) ||
        roles_load(NULL, &o->roles, &f) || access_new(o->roles, &o->access))
        fail_msg("%s", f.text);
}

static inline void office_close(struct office *o)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    char name[128];
    if (o->view)
        access_give(o->view);
    access_free(o->access);
    free(o->roles);
    db_pool_close(o->pool);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", o->path, ENDS[i]);
        unlink(name);
    }
    rmdir(o->directory);
}

/* office_person - bound to @role at @unit (0: the root) and below. Return: his id. */
static inline int64_t office_person(struct office *o, const char *login, const char *role, int64_t unit)
{
    struct db *db = db_write(o->pool);
    struct db_statement *s = db_sql(db, "INSERT INTO person(uuid, login, name, created_us, changed_us) VALUES(?1, ?1, ?1, 1, 1)");
    db_bind_str(s, 1, login);
    db_done(s);
    int64_t id = db_new_id(db);
    s = db_sql(db, "INSERT INTO binding(person, role, unit, is_below, from_us, created_us) VALUES(?1, ?2, ?3, 1, 1, 1)");
    db_bind(s, 1, id);
    db_bind_str(s, 2, role);
    if (unit)
        db_bind(s, 3, unit);
    db_done(s);
    struct fault f = {0};
    if (db_end(db, true, &f))
        fail_msg("%s", f.text);
    return id;
}

/* office_see - a transaction in which sees() answers for @person; writing or reading. db_end ends it. */
static inline struct db *office_see(struct office *o, int64_t person, enum permission permission, const char *kind, bool is_writing)
{
    struct fault f = {0};
    struct db *db = db_read(o->pool);
    if (access_load(o->access, db, &f))
        fail_msg("%s", f.text);
    db_end(db, false, NULL);
    if (o->view)
        access_give(o->view);
    o->view = access_take(o->access);
    o->who = (struct subject){.user = person, .scopes = UINT64_MAX, .tlp_max = TLP_RED};
    o->scope = (struct access_scope){.view = o->view, .who = &o->who, .permission = permission, .kind = kind, .now_us = OFFICE_NOW};
    db = is_writing ? db_write(o->pool) : db_read(o->pool);
    access_enter(db, &o->scope);
    return db;
}
