/* SPDX-License-Identifier: Apache-2.0 */
/* web/web_db - the few questions that web itself asks of the state. In a transaction of the caller; failures are sticky there. */
#pragma once

#include "base/arena.h"
#include "state/db.h"

/* web_db_token_holds - neither ended nor over, and its owner is not disabled. After a failure: true (the next look tells). */
bool web_db_token_holds(struct db *db, int64_t token, int64_t now_us);
/* web_db_has_person - is there anybody? */
bool web_db_has_person(struct db *db);

/* web_db_unit_name - in @arena; "" where there is none. */
const char *web_db_unit_name(struct db *db, int64_t unit, struct arena *arena);
/* web_db_person_name - the same of a person. */
const char *web_db_person_name(struct db *db, int64_t person, struct arena *arena);

struct web_db_entry {
    int64_t n, at_us, object;
    struct text who, action, kind, why, detail, address, link; /* borrowed until the next row */
};
struct web_db_entries {
    int64_t before;            /* n below it; 0: from the newest */
    int64_t since_us, until_us;
    const char *who, *kind, *action; /* NULL: any */
    int64_t object;            /* 0: any */
    int64_t limit;
};
/* web_db_entries - of the trail, newest first. */
void web_db_entries(struct db *db, const struct web_db_entries *x, bool (*take)(void *context, const struct web_db_entry *e),
    void *context);
