/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of machines. Words of enumerations stand as numbers of their tables in asset.h and identity.h: short rows, short indexes. */
#include "desk/asset/asset.h"

static const char TABLES[] =
    "CREATE TABLE machine(id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1,"
    " unit INTEGER REFERENCES unit(id), tlp INTEGER NOT NULL DEFAULT 2 CHECK(tlp BETWEEN 0 AND 4), audience INTEGER REFERENCES"
    " audience(id),"
    " name TEXT NOT NULL, kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 4), os TEXT NOT NULL, system INTEGER REFERENCES system(id),"
    " exposure INTEGER NOT NULL CHECK(exposure BETWEEN 0 AND 2), protection INTEGER NOT NULL CHECK(protection BETWEEN 0 AND 4),"
    " product TEXT NOT NULL, protection_us INTEGER, list_hits INTEGER NOT NULL DEFAULT 0, open_vulnerabilities INTEGER NOT NULL DEFAULT 0,"
    " is_managed INTEGER NOT NULL CHECK(is_managed IN (0, 1)), first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " last_source INTEGER NOT NULL, last_by TEXT NOT NULL, unit_text INTEGER REFERENCES unit_text(id), note TEXT NOT NULL, ended_us"
    " INTEGER,"
    " ended_why TEXT NOT NULL DEFAULT '', became INTEGER REFERENCES machine(id)) STRICT;"
    /* lists go newest first; one index per filter that people use, so that a page never walks the table */
    "CREATE INDEX machine_by_time ON machine(last_us, id) WHERE ended_us IS NULL;"
    "CREATE INDEX machine_by_unit ON machine(unit, last_us, id) WHERE ended_us IS NULL;"
    "CREATE INDEX machine_by_kind ON machine(kind, last_us, id) WHERE ended_us IS NULL;"
    "CREATE INDEX machine_by_protection ON machine(protection, last_us, id) WHERE ended_us IS NULL;"
    "CREATE INDEX machine_by_exposure ON machine(exposure, last_us, id) WHERE ended_us IS NULL;"
    "CREATE INDEX machine_by_managed ON machine(is_managed, last_us, id) WHERE ended_us IS NULL;"
    "CREATE INDEX machine_by_system ON machine(system, last_us, id) WHERE ended_us IS NULL AND system IS NOT NULL;"
    "CREATE INDEX machine_by_unit_text ON machine(unit_text) WHERE unit_text IS NOT NULL;"
    "CREATE INDEX machine_counted ON machine(unit, tlp, audience, kind, protection, is_managed, exposure) WHERE ended_us IS NULL;"
    /* came_from: the record that had it before a merge */
    "CREATE TABLE machine_key(id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL REFERENCES machine(id), kind INTEGER NOT NULL"
    " CHECK(kind BETWEEN 0 AND 4), value TEXT NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, source INTEGER NOT NULL,"
    " seen_by TEXT NOT NULL, came_from INTEGER REFERENCES machine(id), UNIQUE(machine, kind, value)) STRICT;"
    "CREATE INDEX machine_key_by_value ON machine_key(kind, value, last_us);"
    "CREATE TABLE machine_event(id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL REFERENCES machine(id), at_us INTEGER"
    " NOT NULL,"
    " event TEXT NOT NULL, source INTEGER NOT NULL, detail TEXT NOT NULL) STRICT;"
    "CREATE INDEX machine_event_by_machine ON machine_event(machine, id);"
    /* state: open (a person decides), same, different, told (needs no decision) */
    "CREATE TABLE machine_link(id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL REFERENCES machine(id), other INTEGER"
    " NOT NULL"
    " REFERENCES machine(id) CHECK(other <> machine), kind TEXT NOT NULL, state TEXT NOT NULL CHECK(state IN ('open', 'same', 'different',"
    " 'told')), at_us INTEGER NOT NULL, decided_us INTEGER, decided_by TEXT NOT NULL DEFAULT '', UNIQUE(machine, other, kind)) STRICT;"
    "CREATE INDEX machine_link_by_other ON machine_link(other);"
    "CREATE INDEX machine_link_open ON machine_link(id) WHERE state = 'open';";

static const char *const STEPS[] = {TABLES};
const struct db_migrations asset_migrations = {"asset", STEPS, sizeof(STEPS) / sizeof(*STEPS)};

const struct trail_kind asset_kinds[] = {
    {.kind = "machine", .table = "machine", .columns = "unit, tlp, audience, kind, exposure, system, note, ended_us, ended_why, became"},
};
const size_t asset_n_kinds = sizeof(asset_kinds) / sizeof(*asset_kinds);
