/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of this desk; unit, unit_link and unit_alias are those of state/access. */
#include "desk/unit/unit.h"

/* every change of a prefix moves the counter by which compiled spaces notice that they are old */
#define CHANGES_SPACE(what) \
    "CREATE TRIGGER unit_prefix_told_" what " AFTER " what " ON unit_prefix BEGIN UPDATE unit_space_change SET n = n + 1; END;"

static const char TABLES[] =
    /* what a unit was before the version that stands in the table unit: [from, to) */
    "CREATE TABLE unit_past(id INTEGER PRIMARY KEY, unit INTEGER NOT NULL REFERENCES unit(id), name TEXT NOT NULL, short_name TEXT NOT"
    " NULL,"
    " kind TEXT NOT NULL, parent INTEGER REFERENCES unit(id), from_us INTEGER NOT NULL, to_us INTEGER NOT NULL CHECK(to_us > from_us),"
    " UNIQUE(unit, from_us)) STRICT;"
    "CREATE VIEW unit_then AS"
    " SELECT unit, name, short_name, kind, parent, from_us, to_us FROM unit_past UNION ALL"
    " SELECT id, name, short_name, kind, parent, coalesce((SELECT max(to_us) FROM unit_past p WHERE p.unit = u.id), valid_from_us),"
    " coalesce(valid_to_us, 9223372036854775807) FROM unit u;"
    /*
     * first and last: 16 bytes, so that they sort as addresses; kind: own, nat (many machines behind it), lent (used by it, owned by
     * others)
     */
    "CREATE TABLE unit_prefix(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, unit INTEGER NOT NULL"
    " REFERENCES unit(id), tlp INTEGER NOT NULL DEFAULT 1 CHECK(tlp BETWEEN 0 AND 4), audience INTEGER REFERENCES audience(id),"
    " range TEXT NOT NULL, first BLOB NOT NULL CHECK(length(first) = 16), last BLOB NOT NULL CHECK(length(last) = 16),"
    " kind TEXT NOT NULL CHECK(kind IN ('own', 'nat', 'lent')), from_us INTEGER NOT NULL, to_us INTEGER NOT NULL CHECK(to_us > from_us),"
    " note TEXT NOT NULL, source TEXT NOT NULL, changed_us INTEGER NOT NULL, UNIQUE(unit, first, last, from_us)) STRICT;"
    "CREATE INDEX unit_prefix_by_unit ON unit_prefix(unit, id);"
    "CREATE INDEX unit_prefix_by_range ON unit_prefix(first, last);"
    "CREATE TABLE unit_space_change(one INTEGER PRIMARY KEY CHECK(one = 1), n INTEGER NOT NULL) STRICT;"
    "INSERT INTO unit_space_change VALUES(1, 1);" CHANGES_SPACE("INSERT") CHANGES_SPACE("UPDATE") CHANGES_SPACE("DELETE")
    /* kind: domain, asn */
    "CREATE TABLE unit_handle(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, unit INTEGER NOT NULL"
    " REFERENCES unit(id),"
    " tlp INTEGER NOT NULL DEFAULT 1 CHECK(tlp BETWEEN 0 AND 4), audience INTEGER REFERENCES audience(id),"
    " kind TEXT NOT NULL CHECK(kind IN ('domain', 'asn')), value TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL"
    " CHECK(to_us > from_us), note TEXT NOT NULL, changed_us INTEGER NOT NULL, UNIQUE(kind, value, unit, from_us)) STRICT;"
    "CREATE INDEX unit_handle_by_unit ON unit_handle(unit, kind);"
    "CREATE TABLE system(id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1, unit"
    " INTEGER NOT NULL"
    " REFERENCES unit(id), tlp INTEGER NOT NULL DEFAULT 2 CHECK(tlp BETWEEN 0 AND 4), audience INTEGER REFERENCES audience(id),"
    " name TEXT NOT NULL CHECK(length(name) BETWEEN 1 AND 300), folded TEXT NOT NULL, kind TEXT NOT NULL, operator INTEGER REFERENCES"
    " unit(id),"
    " exposure TEXT NOT NULL CHECK(exposure IN ('internet', 'internal', 'unknown')), note TEXT NOT NULL, ended_us INTEGER,"
    " created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, UNIQUE(unit, folded)) STRICT;"
    /* the level is what the last decision says: number, day and body; a proposed one has none of them */
    "CREATE TABLE system_level(id INTEGER PRIMARY KEY AUTOINCREMENT, system INTEGER NOT NULL REFERENCES system(id), level INTEGER NOT NULL"
    " CHECK(level BETWEEN 1 AND 5), state TEXT NOT NULL CHECK(state IN ('drafted', 'submitted', 'appraised', 'approved', 'ended')),"
    " number TEXT NOT NULL, decided_us INTEGER NOT NULL, body TEXT NOT NULL, law TEXT NOT NULL, note TEXT NOT NULL, entered_us INTEGER"
    " NOT NULL,"
    " entered_by TEXT NOT NULL, CHECK(state <> 'approved' OR (number <> '' AND body <> '' AND decided_us > 0))) STRICT;"
    "CREATE INDEX system_level_by_system ON system_level(system, decided_us);"
    "CREATE TABLE contact(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, unit INTEGER NOT NULL REFERENCES"
    " unit(id),"
    " tlp INTEGER NOT NULL DEFAULT 2 CHECK(tlp BETWEEN 0 AND 4), audience INTEGER REFERENCES audience(id), name TEXT NOT NULL,"
    " purpose TEXT NOT NULL, channel TEXT NOT NULL CHECK(channel IN ('phone', 'hotline', 'sms', 'email', 'address', 'other')),"
    " value TEXT NOT NULL CHECK(length(value) BETWEEN 1 AND 300), place INTEGER NOT NULL, is_24_7 INTEGER NOT NULL CHECK(is_24_7 IN"
    " (0, 1)),"
    " from_us INTEGER NOT NULL, to_us INTEGER NOT NULL CHECK(to_us > from_us), verified_us INTEGER, verified_by TEXT NOT NULL,"
    " note TEXT NOT NULL, changed_us INTEGER NOT NULL, UNIQUE(unit, channel, value, from_us)) STRICT;"
    "CREATE INDEX contact_by_unit ON contact(unit, place, id);"
    /* a text that was meant to name a unit; unit: for whom it was imported (0: the root); means: what a person said */
    "CREATE TABLE unit_text(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, unit INTEGER NOT NULL, text TEXT"
    " NOT NULL,"
    " folded TEXT NOT NULL, source TEXT NOT NULL, at_us INTEGER NOT NULL, n_seen INTEGER NOT NULL, first_us INTEGER NOT NULL,"
    " last_us INTEGER NOT NULL, state TEXT NOT NULL CHECK(state IN ('open', 'matched', 'refused')), means INTEGER REFERENCES unit(id),"
    " decided_us INTEGER, decided_by TEXT NOT NULL, CHECK((state = 'matched') = (means IS NOT NULL)), UNIQUE(unit, folded)) STRICT;"
    "CREATE INDEX unit_text_by_state ON unit_text(state, id);";

#define CHANGES_NAMES(table, what, name) \
    "CREATE TRIGGER unit_name_told_" name " AFTER " what " ON " table " BEGIN UPDATE unit_name_change SET n = n + 1; END;"

/* the counter by which names kept in memory notice that they are old */
static const char NAMES[] =
    "CREATE TABLE unit_name_change(one INTEGER PRIMARY KEY CHECK(one = 1), n INTEGER NOT NULL) STRICT;"
    "INSERT INTO unit_name_change VALUES(1, 1);"
    CHANGES_NAMES("unit", "INSERT", "unit_new")
    CHANGES_NAMES("unit", "UPDATE OF name, short_name, valid_from_us, valid_to_us", "unit")
    CHANGES_NAMES("unit_past", "INSERT", "past_new") CHANGES_NAMES("unit_past", "UPDATE", "past")
    CHANGES_NAMES("unit_alias", "INSERT", "alias_new") CHANGES_NAMES("unit_alias", "UPDATE", "alias")
    CHANGES_NAMES("unit_alias", "DELETE", "alias_gone") CHANGES_NAMES("unit_text", "UPDATE OF means", "text");

static const char *const STEPS[] = {TABLES, NAMES};
const struct db_migrations unit_migrations = {"unit", STEPS, sizeof(STEPS) / sizeof(*STEPS)};

const struct trail_kind unit_kinds[] = {
    {.kind = "unit", .table = "unit"},
    {.kind = "prefix", .table = "unit_prefix"},
    {.kind = "handle", .table = "unit_handle"},
    {.kind = "system", .table = "system", .child = "system_level", .child_key = "system"},
    {.kind = "contact", .table = "contact"},
    {.kind = "unit_text", .table = "unit_text", .columns = "unit, text, state, means, decided_us, decided_by"},
};
const size_t unit_n_kinds = sizeof(unit_kinds) / sizeof(*unit_kinds);
