/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/unit_own - what the files of this desk share and nobody else needs.
 */
#pragma once

#include "desk/unit/unit.h"

/* unit_is_below - whether @id is @above or lies below it, in the tree of now. */
bool unit_is_below(struct db *db, int64_t id, int64_t above);
/* unit_name_change - the counter that every change of a name moves. */
int64_t unit_name_change(struct db *db);
/* unit_next_id - the id the next new unit will have. */
int64_t unit_next_id(struct db *db);

/* --- what belongs to a unit (unit_owned_db.c) ---------------------------------------------------------------------- */
struct unit_prefix_row {
    int64_t unit, from_us, to_us;
    struct text range, name; /* of the statement's row */
    bool is_nat;
};
/* unit_prefix_each - all prefixes of all units; unit_prefix_next walks them. */
struct db_statement *unit_prefix_each(struct db *db);
bool unit_prefix_next(struct db_statement *s, struct unit_prefix_row *ret);
/* unit_space_change - the counter that every change of a prefix moves. */
int64_t unit_space_change(struct db *db);

struct unit_prefix_form {
    int64_t unit, tlp, from_us, to_us;
    struct ip_range range;
    const char *kind; /* own, nat, lent */
    struct text note, source;
};
/*
 * unit_prefix_holder - whose is the most specific prefix that covers @range at any time of [from, to): who takes a part of it needs to
 * write there, so that nobody takes a neighbour's addresses. 0: nobody's; then it takes the right to write at the root.
 */
int64_t unit_prefix_holder(struct db *db, const struct ip_range *range, int64_t from_us, int64_t to_us);
/* unit_prefix_put - @id 0: new, else changed. Return: 0, UNIT_SAME (the same is there), UNIT_CHANGED, UNIT_NO_SUCH, UNIT_BAD_PERIOD. */
int unit_prefix_put(struct db *db, int64_t id, int64_t version, const struct unit_prefix_form *f, const struct unit_actor *by,
                    int64_t *ret_id);

struct unit_handle_form {
    int64_t unit, from_us, to_us;
    const char *kind; /* domain, asn */
    struct text value, note;
};
/* unit_handle_value - a domain in lower case, an ASN as its number. Return: length, 0: none. */
size_t unit_handle_value(const char *kind, struct text value, char out[256]);
int unit_handle_put(struct db *db, const struct unit_handle_form *f, const struct unit_actor *by, int64_t *ret_id);
/* unit_owned_end - prefix, handle, contact or system @id ends at @at_us. Return: 0, UNIT_NO_SUCH, UNIT_CHANGED, UNIT_BAD_PERIOD. */
int unit_owned_end(struct db *db, const char *kind, int64_t id, int64_t version, int64_t at_us, const struct unit_actor *by);

struct system_form {
    int64_t unit, operator_unit, tlp;
    struct text name, kind, note;
    const char *exposure; /* internet, internal, unknown */
};
int system_put(struct db *db, int64_t id, int64_t version, const struct system_form *f, const struct unit_actor *by, int64_t *ret_id);
struct system_level_form {
    int64_t level, decided_us;
    const char *state; /* drafted, submitted, appraised, approved, ended */
    struct text number, body, law, note;
};
/* system_level_add - a decision; an approved one has number, day and body. Return: 0, UNIT_NO_SUCH. */
int system_level_add(struct db *db, int64_t system, const struct system_level_form *f, const struct unit_actor *by);
/* system_level - of the last approved decision by @at_us; 0: none. */
int64_t system_level(struct db *db, int64_t system, int64_t at_us);

struct contact_form {
    int64_t unit, tlp, place, from_us, to_us, verified_us;
    struct text name, purpose, value, note;
    const char *channel; /* phone, hotline, sms, email, address, other */
    bool is_24_7;
};
int contact_put(struct db *db, int64_t id, int64_t version, const struct contact_form *f, const struct unit_actor *by, int64_t *ret_id);
/* contact_verify - somebody called and it was right. */
int contact_verify(struct db *db, int64_t id, int64_t version, int64_t at_us, const struct unit_actor *by);
/* unit_of_owned - the unit of prefix, handle, system, contact or unit_text @id, where sees() shows it; 0: not there. */
int64_t unit_of_owned(struct db *db, const char *kind, int64_t id);
/* unit_version_check - Return: 0, UNIT_NO_SUCH (not there or not seen), UNIT_CHANGED. @version -1: any. */
int unit_version_check(struct db_statement *s, int64_t id, int64_t version);
