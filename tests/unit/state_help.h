/* SPDX-License-Identifier: Apache-2.0 */
/* A state of its own for a test, in memory if possible: all tables of the room, roles, whatever is watched. */
#pragma once

#include "cmocka_house.h"
#include "help_dir.h"
#include "state/person.h"
#include "state/trail.h"

#define SECOND INT64_C(1000000)

struct state_help {
    struct help_dir dir;
    char path[300];
    struct db_pool *pool;
    struct roles *roles;
    struct arena arena;
};

__attribute__((unused)) static void state_open_pool(struct state_help *s)
{
    static const struct db_migrations *const ROOMS[] = {&access_migrations, &trail_migrations};
    struct fault f = {0};
    if (db_pool_open(s->path, 2, true, &s->pool, &f) || db_migrate(s->pool, ROOMS, 2, &f) || access_functions(s->pool, &f) ||
        trail_watch(s->pool, state_kinds, state_n_kinds, &f))
        fail_msg("%s", f.text);
}

__attribute__((unused)) static void state_begin(struct state_help *s)
{
    char roles[512];
    struct fault f = {0};
    *s = (struct state_help){.dir = help_dir_new()};
    snprintf(s->path, sizeof(s->path), "%s/state.db", s->dir.path);
    snprintf(roles, sizeof(roles), "%s/content/roles.yaml", getenv("VONGGAC_SOURCE") ? getenv("VONGGAC_SOURCE") : ".");
    if (roles_load(roles, &s->roles, &f))
        fail_msg("%s", f.text);
    state_open_pool(s);
}

__attribute__((unused)) static void state_end(struct state_help *s)
{
    db_pool_close(s->pool);
    free(s->roles);
    arena_fini(&s->arena);
    help_dir_free(&s->dir);
}

/* state_run - statements past the program. */
__attribute__((unused)) static void state_run(struct db_pool *p, const char *sql)
{
    struct fault f = {0};
    struct db *db = db_write(p);
    db_many(db, sql);
    if (db_end(db, true, &f))
        fail_msg("%s: %s", sql, f.text);
}

__attribute__((unused)) static void state_keep(struct db *db)
{
    struct fault f = {0};
    if (db_end(db, true, &f))
        fail_msg("%s", f.text);
}

/* state_number - the first column of the first row. */
__attribute__((unused)) static int64_t state_number(struct db_pool *p, const char *sql)
{
    struct db *db = db_read(p);
    struct db_statement *s = db_sql(db, sql);
    int64_t n = db_next(s) ? db_int(s, 0) : INT64_MIN;
    db_end(db, false, NULL);
    return n;
}
