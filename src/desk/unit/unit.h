/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/unit - the tree of bodies, versioned in time: what a letter of 2024 names still resolves, and to whom it belongs today.
 *
 * A unit is one body from its first day to its last; what it was called and where it stood is kept by version (unit_past), so a date
 * always has its names and its tree. Two bodies that became one are units that ended, linked to their successor; ended ones hang below
 * it from then on, so that who answers today sees what was.
 * Names: official, short, aliases; a text of an import that names nobody for certain waits in a queue for a person (unit_text), whose
 * decision is remembered.
 * All functions work inside the caller's transaction on @db; failures of SQL are sticky there. Who may, is the caller's question,
 * except where sees() stands.
 */
#pragma once

#include "base/arena.h"
#include "base/ip.h"
#include "desk/unit/table_read.h"
#include "desk/unit/unit_name.h"
#include "state/access.h"
#include "state/db.h"
#include "state/trail.h"

#define UNIT_FOREVER INT64_MAX
#define UNIT_CODE_BYTES 60u

extern const struct db_migrations unit_migrations;
extern const struct trail_kind unit_kinds[];
extern const size_t unit_n_kinds;

/* X(ID, "word", "how imports may write it, folded") */
#define UNIT_KINDS(X)                                                                                                      \
    X(NATIONAL, "national", "national|quoc gia|trung uong")                                                                \
    X(MINISTRY, "ministry", "ministry|bo|bo nganh|co quan ngang bo")                                                        \
    X(PROVINCE, "province", "province|tinh|tinh thanh|tinh thanh pho|thanh pho")                                            \
    X(DEPARTMENT, "department", "department|so|so nganh|so ban nganh|cuc|ban|phong|don vi truc thuoc")                      \
    X(COMMUNE, "commune", "commune|xa|phuong|xa phuong|dac khu|ward")                                                       \
    X(PROVIDER, "provider", "provider|nha mang|nha cung cap|doanh nghiep vien thong|isp")                                   \
    X(BANK, "bank", "bank|ngan hang")                                                                                       \
    X(ENTERPRISE, "enterprise", "enterprise|doanh nghiep|cong ty|tap doan|tong cong ty")                                    \
    X(CLUSTER, "cluster", "cluster|cum|cum mang luoi")                                                                      \
    X(DISTRICT, "district", "district|huyen|quan|thi xa")                                                                   \
    X(OTHER, "other", "other|khac|to chuc khac")
enum unit_kind {
#define X(ID, word, words) UNIT_##ID,
    UNIT_KINDS(X)
#undef X
        UNIT_N_KINDS
};
const char *unit_kind_name(enum unit_kind k);
/* unit_kind_choices - the third column of the table, for table_choice. */
const char *const *unit_kind_choices(void);

/* who does it, for the trail */
struct unit_actor {
    struct text who, address;
    int64_t now_us;
};
/* unit_note - an entry of the trail about one object. @detail: JSON or empty. */
void unit_note(struct db *db, const struct unit_actor *by, const char *action, const char *kind, int64_t object, struct text detail);

/* a version of a unit: what it is from @from_us up to, not at, @to_us */
struct unit_form {
    struct text name, short_name, code, kind, note, source;
    int64_t parent; /* 0: right under the root */
    bool is_body, has_own_node;
    int64_t from_us, to_us; /* 0: since ever; UNIT_FOREVER */
};

struct unit {
    int64_t id, version;
    struct unit_form form; /* as it is now; from_us and to_us of the unit as a whole; texts in the arena */
    int64_t since_us;      /* of the present version */
    const char *uuid;
};

enum unit_condition { UNIT_DONE, UNIT_NO_SUCH = 2 /* DB_CONFLICT is 1 */, UNIT_CHANGED, UNIT_BAD_PERIOD, UNIT_CIRCLE, UNIT_SAME };

/* unit_get - Return: 0 or UNIT_NO_SUCH (also where sees() says no, unless @is_system). */
int unit_get(struct db *db, int64_t id, bool is_system, struct arena *arena, struct unit *ret);
/* unit_get_by_code - by its code, or its uuid, as exports name those without a code. */
int unit_get_by_code(struct db *db, struct text code, struct arena *arena, struct unit *ret);
/* unit_add - Return: 0 with its id, UNIT_BAD_PERIOD, -errno. */
int unit_add(struct db *db, const struct unit_form *form, const struct unit_actor *by, int64_t *ret_id);
/*
 * unit_put - a version of a unit that is there: from form->from_us on it is so. A date before the present version corrects or adds a
 * past one; the date of a version corrects that one; a later date makes a new one and keeps the present as past.
 * @version: the one that was seen, or -1. Return: 0, UNIT_SAME (nothing differs), UNIT_NO_SUCH, UNIT_CHANGED, UNIT_BAD_PERIOD, UNIT_CIRCLE.
 */
int unit_put(struct db *db, int64_t id, int64_t version, const struct unit_form *form, const struct unit_actor *by);
/* unit_link - @earlier went over into @later; kind: renamed, merged, split, moved. Return: 1 if it is new. */
int unit_link(struct db *db, int64_t earlier, int64_t later, const char *kind, int64_t at_us, struct text source);
/* unit_succeed - every unit that ended by now and has a successor hangs below it. Return: units moved. */
int64_t unit_succeed(struct db *db, const struct unit_actor *by);
/*
 * unit_today - who answers for @id at @at_us: itself while it is, else its successors (at most @n), followed through. Return: their
 * number.
 */
size_t unit_today(struct db *db, int64_t id, int64_t at_us, int64_t *ret, size_t n);
/* unit_alias_add - kind: alias, abbreviation, former, foreign, matched. Return: 1 if it is new. */
int unit_alias_add(struct db *db, int64_t unit, struct text name, const char *kind, int64_t from_us, int64_t to_us);

/* a version of a unit in the columns of the import; texts of the row */
struct unit_version {
    struct text code, kind, name, short_name, parent, successors, aliases, source, note;
    int64_t from_us, to_us;
    bool is_body, has_own_node;
};
/* unit_each_version - all versions of all units, for who holds the state itself (the command line). */
void unit_each_version(struct db *db, void (*each)(void *context, const struct unit_version *v), void *context);

/* unit_words_load - content/units/abbreviations.csv. */
int unit_words_load(struct unit_words **ret, struct fault *f);
/*
 * unit_names_load - every name of every time, and remembered decisions. @is_system: for deciding; else only units that sees() shows, for
 * showing candidates. Return: 0 or -errno.
 */
int unit_names_load(struct db *db, const struct unit_words *w, bool is_system, struct unit_names **ret);
/* unit_resolve - as unit_names_find, over what unit_names_load gives; for one name. */
int unit_resolve(struct db *db, const struct unit_words *w, struct text name, int64_t at_us, struct unit_found *ret);

/* --- texts that name nobody for certain ---------------------------------------------------------------------------- */
/*
 * unit_text_ask - a text from an import into the queue. @scope: the unit it was imported for (0: the root); @source: "machines.csv".
 * Return: its id in the queue; 0: it names nothing (no letter or digit).
 */
int64_t unit_text_ask(struct db *db, struct text text, const struct unit_words *w, int64_t scope, struct text source, int64_t at_us,
                      const struct unit_actor *by);
/* unit_text_decide - @unit: what it means; 0: nobody, it is refused. Return: 0, UNIT_NO_SUCH, UNIT_CHANGED. */
int unit_text_decide(struct db *db, int64_t id, int64_t version, int64_t unit, const struct unit_actor *by);

/* --- import -------------------------------------------------------------------------------------------------------- */
struct unit_import {
    const struct unit_words *words;
    struct unit_actor by;
    struct text source;                           /* file name */
    bool is_whole;                                /* one refused row refuses the file */
    bool (*may)(void *context, int64_t unit);     /* NULL: everything */
    void *context;
};
#define UNIT_IMPORT_REFUSED 7 /* too much was wrong: the caller rolls back; the report says what */
/*
 * unit_import - rows of units: code, kind, name, short_name, aliases (| between), parent (code or name), valid_from, valid_to, successors
 * (codes or names, | between), is_body, has_own_node, mark, note. Rows of one code are versions. Parents may stand further down.
 * Return: 0, UNIT_IMPORT_REFUSED, TABLE_NO_HEADER, -errno with the fault.
 */
int unit_import(struct db *db, const uint8_t *p, size_t n, const struct unit_import *o, struct table_report *report, struct fault *f);

/*
 * owned_import_rows - rows of what belongs to units: unit (code or name) and a prefix (kind own, nat, lent), domain, asn or contact
 * (channel, value, name, purpose, verified_on). Return: as unit_import.
 */
int owned_import_rows(struct db *db, const uint8_t *p, size_t n, const struct unit_import *o, struct table_report *report, struct fault *f);

/* --- whose address ------------------------------------------------------------------------------------------------- */
struct unit_space; /* prefixes of units, compiled; immutable */
/* unit_space_load - of the state as it is; a new one after prefixes changed (unit_space_is_old). */
int unit_space_load(struct db *db, struct unit_space **ret, struct fault *f);
void unit_space_free(struct unit_space *s);
/* unit_space_is_old - whether prefixes changed since it was loaded. */
bool unit_space_is_old(const struct unit_space *s, struct db *db);
/*
 * unit_space_find - whose @a was at @at_us: the most specific prefix. @ret_is_nat: many machines stand behind it. Return: unit id, 0
 * nobody's.
 */
int64_t unit_space_find(const struct unit_space *s, const struct ip *a, int64_t at_us, bool *ret_is_nat);
/*
 * unit_publish_space - the own space of the watch out of the prefixes of all units, through the same door as `space add`: findings
 * carry the
 * unit's name. Outside a transaction: reads through @db, writes files below @data_dir.
 * Return: 0 with the version; 1: no unit has a prefix, nothing was published; -errno.
 */
int unit_publish_space(struct db *db, const char *data_dir, uint32_t *ret_version, uint64_t *ret_n, struct fault *f);
