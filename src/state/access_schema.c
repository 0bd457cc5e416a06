/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of units, people and permissions. access_change is the counter by which a running office notices that its
 * snapshot is old: triggers move it, so no writer can forget to.
 */
#include "state/access.h"

#define CHANGES(table, of)                                                                                                       \
    "CREATE TRIGGER " table "_told_insert AFTER INSERT ON " table " BEGIN UPDATE access_change SET n = n + 1; END;"              \
    "CREATE TRIGGER " table "_told_update AFTER UPDATE " of " ON " table " BEGIN UPDATE access_change SET n = n + 1; END;"       \
    "CREATE TRIGGER " table "_told_delete AFTER DELETE ON " table " BEGIN UPDATE access_change SET n = n + 1; END;"
/* what keeps history stays: it may end, not vanish */
#define STAYS(table) \
    "CREATE TRIGGER " table "_stays BEFORE DELETE ON " table " BEGIN SELECT RAISE(ABORT, '" table ": rows end, they are not deleted'); END;"

static const char UNITS[] =
    "CREATE TABLE access_change(one INTEGER PRIMARY KEY CHECK(one = 1), n INTEGER NOT NULL) STRICT;"
    "INSERT INTO access_change VALUES(1, 1);"
    /* parent null: stands right under the root. valid_to_us null: still is. */
    "CREATE TABLE unit(id INTEGER PRIMARY KEY CHECK(id > 0), uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1,"
    " parent INTEGER REFERENCES unit(id) CHECK(parent <> id),"
    " name TEXT NOT NULL CHECK(length(name) BETWEEN 1 AND 300), short_name TEXT NOT NULL DEFAULT '' CHECK(length(short_name) <= 100),"
    " code TEXT NOT NULL DEFAULT '' CHECK(length(code) <= 60), kind TEXT NOT NULL CHECK(length(kind) BETWEEN 1 AND 30),"
    " is_body INTEGER NOT NULL DEFAULT 1 CHECK(is_body IN (0, 1)), has_own_node INTEGER NOT NULL DEFAULT 0 CHECK(has_own_node IN (0, 1)),"
    " valid_from_us INTEGER NOT NULL DEFAULT 0, valid_to_us INTEGER CHECK(valid_to_us > valid_from_us),"
    " note TEXT NOT NULL DEFAULT '', source TEXT NOT NULL DEFAULT '', created_us INTEGER NOT NULL DEFAULT 0,"
    " changed_us INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX unit_by_parent ON unit(parent);"
    "CREATE INDEX unit_by_code ON unit(code) WHERE code <> '';"
    "CREATE TRIGGER unit_is_a_tree BEFORE UPDATE OF parent ON unit WHEN NEW.parent IS NOT NULL BEGIN"
    " SELECT RAISE(ABORT, 'unit: it would lie below itself') WHERE EXISTS(WITH RECURSIVE up(id) AS (SELECT NEW.parent UNION"
    " SELECT u.parent FROM unit u JOIN up ON u.id = up.id WHERE u.parent IS NOT NULL) SELECT 1 FROM up WHERE id = NEW.id); END;"
    CHANGES("unit", "OF parent, is_body")
    /* who came before and after: kind renamed, merged, split, moved; @earlier went over into @later */
    "CREATE TABLE unit_link(id INTEGER PRIMARY KEY, earlier INTEGER NOT NULL REFERENCES unit(id), later INTEGER NOT NULL"
    " REFERENCES unit(id) CHECK(later <> earlier), kind TEXT NOT NULL CHECK(kind IN ('renamed', 'merged', 'split', 'moved')),"
    " at_us INTEGER NOT NULL, source TEXT NOT NULL DEFAULT '', UNIQUE(earlier, later)) STRICT;"
    "CREATE INDEX unit_link_by_later ON unit_link(later);"
    /* other names it is called by; folded by text_fold, for matching */
    "CREATE TABLE unit_alias(id INTEGER PRIMARY KEY, unit INTEGER NOT NULL REFERENCES unit(id) ON DELETE CASCADE, name TEXT NOT NULL"
    " CHECK(length(name) BETWEEN 1 AND 300), folded TEXT NOT NULL, kind TEXT NOT NULL DEFAULT 'alias'"
    " CHECK(kind IN ('alias', 'abbreviation', 'former', 'foreign', 'matched')), valid_from_us INTEGER, valid_to_us INTEGER,"
    " UNIQUE(unit, folded, kind)) STRICT;"
    "CREATE INDEX unit_alias_by_folded ON unit_alias(folded);";

static const char PEOPLE[] =
    /* unit null: the office's own */
    "CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT CHECK(id > 0), uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1,"
    " login TEXT NOT NULL UNIQUE CHECK(length(login) BETWEEN 1 AND 64), name TEXT NOT NULL CHECK(length(name) BETWEEN 1 AND 200),"
    " email TEXT NOT NULL DEFAULT '' CHECK(length(email) <= 200), phone TEXT NOT NULL DEFAULT '' CHECK(length(phone) <= 200),"
    " language TEXT NOT NULL DEFAULT 'vi' CHECK(language IN ('vi', 'en')), unit INTEGER REFERENCES unit(id),"
    " is_disabled INTEGER NOT NULL DEFAULT 0 CHECK(is_disabled IN (0, 1)),"
    " is_connector INTEGER NOT NULL DEFAULT 0 CHECK(is_connector IN (0, 1)), created_us INTEGER NOT NULL,"
    " changed_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX person_by_unit ON person(unit);" STAYS("person") CHANGES("person", "OF is_disabled")
    /* what a person proves himself with; first_until_us: a first password works until then */
    "CREATE TABLE credential(person INTEGER PRIMARY KEY REFERENCES person(id), password TEXT NOT NULL, changed_us INTEGER NOT NULL,"
    " must_change INTEGER NOT NULL CHECK(must_change IN (0, 1)), first_until_us INTEGER, totp BLOB, totp_since_us INTEGER) STRICT;"
    /* what changes with every way in, and is not part of what the trail vouches for */
    "CREATE TABLE login_state(person INTEGER PRIMARY KEY REFERENCES person(id), totp_step INTEGER NOT NULL DEFAULT -1, totp_offer BLOB,"
    " totp_offer_us INTEGER, last_login_us INTEGER, last_address TEXT) STRICT;"
    "CREATE TABLE recovery_code(id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES person(id), hash BLOB NOT NULL, used_us INTEGER,"
    " UNIQUE(person, hash)) STRICT;"
    "CREATE TABLE login_challenge(hash BLOB PRIMARY KEY, person INTEGER NOT NULL REFERENCES person(id), address TEXT NOT NULL,"
    " until_us INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    /* key: l: and the login as it was given, a: and the address */
    "CREATE TABLE login_lock(key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_us INTEGER NOT NULL, until_us INTEGER NOT NULL,"
    " refused INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "CREATE INDEX login_lock_by_time ON login_lock(last_us);"
    "CREATE TABLE session(id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, person INTEGER NOT NULL REFERENCES person(id),"
    " address TEXT NOT NULL, agent TEXT NOT NULL, created_us INTEGER NOT NULL, seen_us INTEGER NOT NULL, idle_us INTEGER NOT NULL,"
    " until_us INTEGER NOT NULL, ended_us INTEGER, end_reason TEXT) STRICT;"
    "CREATE INDEX session_by_person ON session(person, id);"
    "CREATE TABLE token(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, hash BLOB NOT NULL UNIQUE,"
    " person INTEGER NOT NULL REFERENCES person(id), name TEXT NOT NULL CHECK(length(name) BETWEEN 1 AND 100), scopes TEXT NOT NULL,"
    " tlp_max INTEGER NOT NULL CHECK(tlp_max BETWEEN 0 AND 4), is_wall INTEGER NOT NULL DEFAULT 0 CHECK(is_wall IN (0, 1)),"
    " by_person INTEGER REFERENCES person(id), created_us INTEGER NOT NULL, until_us INTEGER NOT NULL CHECK(until_us > created_us),"
    " ended_us INTEGER, used_us INTEGER, used_address TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE INDEX token_by_person ON token(person, id);"
    "CREATE TABLE certificate(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, subject TEXT NOT NULL"
    " CHECK(length(subject) BETWEEN 1 AND 255), person INTEGER NOT NULL REFERENCES person(id), by_person INTEGER REFERENCES person(id),"
    " from_us INTEGER NOT NULL, to_us INTEGER NOT NULL CHECK(to_us > from_us), ended_us INTEGER) STRICT;"
    "CREATE UNIQUE INDEX certificate_by_subject ON certificate(subject) WHERE ended_us IS NULL;";

static const char RIGHTS[] =
    /* unit null: the root, above every unit */
    "CREATE TABLE binding(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, person INTEGER NOT NULL"
    " REFERENCES person(id), role TEXT NOT NULL, unit INTEGER REFERENCES unit(id), is_below INTEGER NOT NULL CHECK(is_below IN (0, 1)),"
    " from_us INTEGER NOT NULL, to_us INTEGER CHECK(to_us > from_us), by_person INTEGER REFERENCES person(id), created_us INTEGER NOT NULL,"
    " ended_us INTEGER) STRICT;"
    "CREATE INDEX binding_by_person ON binding(person);" STAYS("binding") CHANGES("binding", "")
    /* permissions: names with commas */
    "CREATE TABLE access_grant(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL DEFAULT 1, person INTEGER NOT NULL"
    " REFERENCES person(id), permissions TEXT NOT NULL, reason TEXT NOT NULL CHECK(length(reason) BETWEEN 1 AND 2000),"
    " from_us INTEGER NOT NULL, to_us INTEGER NOT NULL CHECK(to_us > from_us), by_person INTEGER REFERENCES person(id),"
    " created_us INTEGER NOT NULL, ended_us INTEGER, ended_by INTEGER REFERENCES person(id)) STRICT;"
    "CREATE INDEX access_grant_by_person ON access_grant(person);" STAYS("access_grant") CHANGES("access_grant", "")
    "CREATE TABLE access_grant_target(id INTEGER PRIMARY KEY, access_grant INTEGER NOT NULL REFERENCES access_grant(id),"
    " unit INTEGER REFERENCES unit(id), is_below INTEGER NOT NULL DEFAULT 0 CHECK(is_below IN (0, 1)), kind TEXT, object INTEGER,"
    " CHECK((unit IS NULL) <> (kind IS NULL) AND (kind IS NULL) = (object IS NULL))) STRICT;"
    "CREATE INDEX access_grant_target_by_grant ON access_grant_target(access_grant);"
    STAYS("access_grant_target") CHANGES("access_grant_target", "")
    "CREATE TABLE audience(id INTEGER PRIMARY KEY AUTOINCREMENT, created_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE audience_member(id INTEGER PRIMARY KEY, audience INTEGER NOT NULL REFERENCES audience(id), person INTEGER"
    " REFERENCES person(id), unit INTEGER REFERENCES unit(id), is_below INTEGER NOT NULL DEFAULT 0 CHECK(is_below IN (0, 1)),"
    " CHECK((person IS NULL) <> (unit IS NULL))) STRICT;"
    "CREATE INDEX audience_member_by_audience ON audience_member(audience);" CHANGES("audience_member", "");

static const char *const STEPS[] = {UNITS, PEOPLE, RIGHTS};
const struct db_migrations access_migrations = {"access", STEPS, sizeof(STEPS) / sizeof(*STEPS)};
