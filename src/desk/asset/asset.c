/* SPDX-License-Identifier: Apache-2.0 */
/* A sighting is brought to its keys, compared with who has them, decided by identity.h and written down; people decide the rest. */
#include "desk/asset/asset_own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- sightings --------------------------------------------------------------------------------------------------- */

struct keys {
    char bytes[IDENTITY_N_KEYS][MACHINE_VALUES][IDENTITY_KEY_BYTES];
    struct text of[IDENTITY_N_KEYS][MACHINE_VALUES];
};

static void read_keys(const struct machine_sighting *m, struct keys *k, struct identity_sighting *s)
{
    memset(k->of, 0, sizeof(k->of));
    *s = (struct identity_sighting){.unit = m->unit, .at_us = m->at_us};
    for (int kind = 0; kind < IDENTITY_N_KEYS; kind++) {
        unsigned n = 0;
        for (unsigned i = 0; i < MACHINE_VALUES; i++) {
            size_t length = m->keys[kind][i].n ? identity_canonical((enum identity_kind)kind, m->keys[kind][i], k->bytes[kind][n]) : 0;
            if (length && !(kind == IDENTITY_IP && m->is_nat)) {
                k->of[kind][n] = (struct text){k->bytes[kind][n], length};
                n++;
            }
        }
        s->keys[kind] = k->of[kind][0];
    }
}

/* name_of - what people will call it: its name as it came, else its address, else the next key */
static struct text name_of(const struct machine_sighting *m, const struct keys *k)
{
    static const enum identity_kind order[] = {IDENTITY_NAME, IDENTITY_IP, IDENTITY_MAC, IDENTITY_SERIAL, IDENTITY_AGENT};
    struct text as_came = text_trim(m->keys[IDENTITY_NAME][0]);
    if (k->of[IDENTITY_NAME][0].n && as_came.n <= MACHINE_NAME_MAX)
        return as_came;
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
        if (k->of[order[i]][0].n)
            return k->of[order[i]][0];
    return TEXT("?");
}

static void put_keys(struct db *db, int64_t machine, const struct machine_sighting *m, const struct keys *k)
{
    for (int kind = 0; kind < IDENTITY_N_KEYS; kind++)
        for (unsigned i = 0; i < MACHINE_VALUES && k->of[kind][i].n; i++)
            machine_key_put(db, machine, (enum identity_kind)kind, k->of[kind][i], m);
}

static void put_links(struct db *db, int64_t machine, const struct machine_sighting *m, const struct identity_decision *d,
                      const struct unit_actor *by)
{
    for (unsigned i = 0; i < d->n_links; i++) {
        bool is_reimaged = d->links[i].kind == IDENTITY_LINK_REIMAGED;
        if (machine == d->links[i].machine)
            continue;
        machine_link_add(db, machine, d->links[i].machine, identity_link_name(d->links[i].kind), is_reimaged ? "told" : "open", m->at_us);
        if (!is_reimaged)
            continue;
        machine_finish(db, d->links[i].machine, m->at_us, "reimaged", machine);
        machine_event_add(db, d->links[i].machine, m->at_us, "reimaged", m->source, TEXT(""));
        unit_note(db, by, "machine.reimaged", "machine", d->links[i].machine, TEXT(""));
    }
}

/* changes_name - a name seen now stands for the machine if it is newer, or the first it has */
static bool changes_name(const struct machine_row *old, const struct machine_sighting *m, const struct keys *k,
                         const struct identity_decision *d)
{
    if (!k->of[IDENTITY_NAME][0].n)
        return false;
    return d->event == IDENTITY_RENAMED ? m->at_us >= old->last_us : d->event == IDENTITY_IDENTIFIED || d->by != IDENTITY_NAME;
}

static int merge_sighting(struct db *db, const struct machine_sighting *m, const struct keys *k, const struct unit_actor *by,
                          struct machine_seen *ret)
{
    struct machine_row old;
    const struct identity_decision *d = &ret->decision;
    if (machine_row_get(db, d->machine, true, &old))
        return db_failed(db) ? db_failed(db) : -EIO;
    ret->machine = d->machine;
    ret->is_changed = machine_touch(db, &old, m);
    if (changes_name(&old, m, k, d))
        machine_rename(db, old.id, name_of(m, k));
    put_keys(db, old.id, m, k);
    put_links(db, old.id, m, d, by);
    if (ret->is_changed) {
        machine_bump(db, old.id);
        unit_note(db, by, "machine.seen", "machine", old.id, TEXT(""));
    }
    if (d->event != IDENTITY_SEEN)
        machine_event_add(db, old.id, m->at_us, identity_event_name(d->event), m->source,
                          d->event == IDENTITY_RENAMED ? k->of[IDENTITY_NAME][0] : TEXT(""));
    return db_failed(db);
}

int machine_see(struct db *db, const struct machine_sighting *m, const struct unit_actor *by, struct machine_seen *ret)
{
    struct keys k;
    struct identity_sighting s;
    struct identity_known known[IDENTITY_KNOWN_MAX];
    struct arena arena = {0};
    *ret = (struct machine_seen){0};
    read_keys(m, &k, &s);
    int n = machine_known(db, &s, m->only_seen, &arena, known);
    if (n >= 0)
        identity_decide(&s, known, (size_t)n, &identity_times, &ret->decision);
    arena_fini(&arena);
    if (n < 0)
        return n;
    if (ret->decision.act == IDENTITY_NOTHING)
        return 1;
    if (ret->decision.act == IDENTITY_MERGE)
        return merge_sighting(db, m, &k, by, ret);
    ret->machine = machine_insert(db, m, name_of(m, &k), by);
    ret->is_new = true;
    put_keys(db, ret->machine, m, &k);
    machine_event_add(db, ret->machine, m->at_us, identity_event_name(ret->decision.event), m->source, TEXT(""));
    put_links(db, ret->machine, m, &ret->decision, by);
    return db_failed(db);
}

int64_t machine_at(struct db *db, struct text address, int64_t unit, int64_t at_us)
{
    struct identity_sighting s = {.unit = unit, .at_us = at_us};
    struct identity_known known[IDENTITY_KNOWN_MAX];
    struct identity_decision d = {0};
    struct arena arena = {0};
    char canonical[IDENTITY_KEY_BYTES];
    s.keys[IDENTITY_IP] = (struct text){canonical, identity_canonical(IDENTITY_IP, address, canonical)};
    int n = s.keys[IDENTITY_IP].n ? machine_known(db, &s, false, &arena, known) : 0;
    if (n > 0)
        identity_decide(&s, known, (size_t)n, &identity_times, &d);
    arena_fini(&arena);
    return n > 0 && d.act == IDENTITY_MERGE ? d.machine : 0;
}

/* --- decisions of people ----------------------------------------------------------------------------------------- */

/* get_seen - a living record the caller sees, in the version he saw */
static int get_seen(struct db *db, int64_t id, int64_t version, struct machine_row *ret)
{
    if (machine_row_get(db, id, false, ret))
        return MACHINE_NO_SUCH;
    return version >= 0 && version != ret->version ? MACHINE_CHANGED : ret->is_ended ? MACHINE_ENDED : 0;
}

static struct text number(int64_t id, char out[24])
{
    int n = snprintf(out, 24, "%lld", (long long)id);
    return (struct text){out, (size_t)n};
}

static int answer(const struct db *db)
{
    return db_failed(db);
}

int machine_merge(struct db *db, int64_t from, int64_t into, int64_t version, struct text why, const struct unit_actor *by)
{
    struct machine_row a, b;
    char text[24];
    int r = from == into ? MACHINE_SAME : get_seen(db, from, -1, &a);
    r = r ? r : get_seen(db, into, version, &b);
    if (r)
        return r;
    machine_move(db, from, into);
    machine_finish(db, from, by->now_us, "merged", into);
    machine_link_add(db, into, from, "merged", "same", by->now_us);
    machine_bump(db, into);
    machine_renew(db, into);
    machine_event_add(db, from, by->now_us, "merged_into", MACHINE_BY_PERSON, number(into, text));
    machine_event_add(db, into, by->now_us, "merged", MACHINE_BY_PERSON, number(from, text));
    unit_note(db, by, "machine.merge", "machine", from, why);
    unit_note(db, by, "machine.merge", "machine", into, why);
    return answer(db);
}

/* move_apart - Return: keys that went over. */
static int64_t move_apart(struct db *db, int64_t machine, const int64_t *keys, size_t n, int64_t of, int64_t to)
{
    int64_t moved = of ? machine_move_back(db, machine, of) : 0;
    for (size_t i = 0; i < n; i++)
        moved += machine_move_key(db, keys[i], machine, to);
    return moved;
}

int machine_split(struct db *db, int64_t machine, int64_t version, const int64_t *key_ids, size_t n, int64_t of, struct text why,
                  const struct unit_actor *by, int64_t *ret_id)
{
    struct machine_row row, ended;
    char text[24];
    int r = get_seen(db, machine, version, &row);
    if (!r && of && (machine_row_get(db, of, false, &ended) || !ended.is_ended))
        r = MACHINE_NO_SUCH;
    if (r)
        return r;
    int64_t to = of ? of : machine_copy(db, machine, by);
    if (of)
        machine_revive(db, of);
    if (!move_apart(db, machine, key_ids, n, of, to))
        return answer(db) ? answer(db) : MACHINE_SAME; /* the caller rolls back */
    machine_link_add(db, machine, to, "split", "different", by->now_us);
    machine_renew(db, to);
    machine_renew(db, machine);
    machine_bump(db, machine);
    machine_event_add(db, machine, by->now_us, "split", MACHINE_BY_PERSON, number(to, text));
    machine_event_add(db, to, by->now_us, "split_from", MACHINE_BY_PERSON, number(machine, text));
    unit_note(db, by, "machine.split", "machine", machine, why);
    unit_note(db, by, "machine.split", "machine", to, why);
    *ret_id = to;
    return answer(db);
}

int machine_judge(struct db *db, int64_t link, bool is_same, struct text why, const struct unit_actor *by)
{
    int64_t machine, other;
    int r = machine_link_get(db, link, &machine, &other);
    if (r)
        return r;
    machine_link_decide(db, link, is_same, by);
    if (is_same)
        return machine_merge(db, other, machine, -1, why, by);
    unit_note(db, by, "machine.differ", "machine", machine, why);
    return answer(db);
}

int machine_change(struct db *db, int64_t machine, int64_t version, const struct machine_change *c, const struct unit_actor *by)
{
    struct machine_row row;
    int r = get_seen(db, machine, version, &row);
    if (r)
        return r;
    machine_update(db, machine, c);
    unit_note(db, by, "machine.change", "machine", machine, TEXT(""));
    return answer(db);
}

int machine_end(struct db *db, int64_t machine, int64_t version, struct text why, const struct unit_actor *by)
{
    struct machine_row row;
    int r = get_seen(db, machine, version, &row);
    if (r)
        return r;
    machine_finish(db, machine, by->now_us, "removed", 0);
    machine_event_add(db, machine, by->now_us, "removed", MACHINE_BY_PERSON, why);
    unit_note(db, by, "machine.end", "machine", machine, TEXT(""));
    return answer(db);
}

int64_t machine_adopt(struct db *db, const struct unit_actor *by)
{
    enum { AT_ONCE = 5000 }; /* a decision about a whole inventory does not keep others from writing for long */
    int64_t machine, unit, n = 0;
    while (n < AT_ONCE && machine_next_adopted(db, &machine, &unit)) {
        machine_set_unit(db, machine, unit);
        unit_note(db, by, "machine.adopt", "machine", machine, TEXT(""));
        n++;
    }
    return n;
}
