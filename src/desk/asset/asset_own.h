/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/asset/asset_own - the SQL of machines, for the rules of this desk (asset_db.c).
 */
#pragma once

#include "desk/asset/asset.h"

/* what the state holds of a machine that a sighting may change */
struct machine_row {
    int64_t id, version, unit, tlp, system, last_us, protection_us, unit_text;
    enum machine_kind kind;
    enum machine_exposure exposure;
    enum machine_protection protection;
    bool is_managed, is_ended, has_os, has_product;
    int64_t last_source;
};
/* machine_row_get - @is_system or as sees() says. Return: 0 or MACHINE_NO_SUCH. */
int machine_row_get(struct db *db, int64_t id, bool is_system, struct machine_row *ret);

/*
 * machine_known - those with one of the keys (@only_seen: that sees() shows), with their keys, in @arena. Return: their number, or
 * -ENOMEM.
 */
int machine_known(struct db *db, const struct identity_sighting *s, bool only_seen, struct arena *arena, struct identity_known *ret);
int64_t machine_insert(struct db *db, const struct machine_sighting *s, struct text name, const struct unit_actor *by);
/* machine_touch - what the sighting adds to a machine that is known. Return: whether a watched column changed (an entry is due). */
bool machine_touch(struct db *db, const struct machine_row *old, const struct machine_sighting *s);
void machine_rename(struct db *db, int64_t id, struct text name);
/* machine_key_put - seen with this key. Return: true if the machine had it not. */
bool machine_key_put(struct db *db, int64_t machine, enum identity_kind kind, struct text value, const struct machine_sighting *s);
void machine_event_add(struct db *db, int64_t machine, int64_t at_us, const char *event, int64_t source, struct text detail);
/* machine_link_add - Return: true if it is new. */
bool machine_link_add(struct db *db, int64_t machine, int64_t other, const char *kind, const char *state, int64_t at_us);
/* machine_finish - the record ends; @became 0: nothing follows. */
void machine_finish(struct db *db, int64_t id, int64_t at_us, const char *why, int64_t became);
/* machine_revive - @id is a record of its own again. */
void machine_revive(struct db *db, int64_t id);
/* machine_move - keys, events and open links of @from go over to @into. */
void machine_move(struct db *db, int64_t from, int64_t into);
/* machine_move_key - one key of @from to @to. Return: true if it was one of his. */
bool machine_move_key(struct db *db, int64_t key, int64_t from, int64_t to);
/* machine_move_back - keys that came into @from by the merge of @of. Return: their number. */
int64_t machine_move_back(struct db *db, int64_t from, int64_t of);
/* machine_copy - a new record like @from, with no keys. */
int64_t machine_copy(struct db *db, int64_t from, const struct unit_actor *by);
/* machine_renew - name, first and last seen as the keys say. */
void machine_renew(struct db *db, int64_t id);
void machine_bump(struct db *db, int64_t id);
void machine_update(struct db *db, int64_t id, const struct machine_change *c);
/* machine_link_get - an open link and its machines. Return: 0 or MACHINE_NO_SUCH. */
int machine_link_get(struct db *db, int64_t link, int64_t *ret_machine, int64_t *ret_other);
void machine_link_decide(struct db *db, int64_t link, bool is_same, const struct unit_actor *by);
/* machine_next_adopted - the next machine whose unit's name was decided. */
bool machine_next_adopted(struct db *db, int64_t *ret_machine, int64_t *ret_unit);
void machine_set_unit(struct db *db, int64_t id, int64_t unit);
/* machine_find_system - a system of the unit by its folded name; 0: none. */
int64_t machine_find_system(struct db *db, int64_t unit, struct text name);
/* machine_named - the living machine of the unit (0: of any) that alone has this host name; 0: none, or several. */
int64_t machine_named(struct db *db, struct text host, int64_t unit);
/* machine_sees_system - whether sees() shows the system. */
bool machine_sees_system(struct db *db, int64_t system);
