/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots and lists: the names of events that rules ask for, and in which order.
 */
#include "watch/detect/sigma_inside.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define SLOT_HASH (2 * SIGMA_SLOTS_MAX)
#define LIST_MAX 64u /* slots of a list */

static const char any_path[] = "winlog.user_data.**.";

static uint32_t *slot_place(const struct sigma_rules *r, struct text name)
{
    uint32_t at = (uint32_t)XXH3_64bits(name.p, name.n) % SLOT_HASH;
    while (r->slot_hash[at] && !text_equal(r->slot_names[r->slot_hash[at]], name))
        at = (at + 1) % SLOT_HASH;
    return &r->slot_hash[at];
}

uint32_t sigma_slot_find(const struct sigma_rules *r, struct text name)
{
    return *slot_place(r, name);
}

static int tables(struct sigma_rules *r)
{
    r->slot_hash = arena_alloc(&r->arena, SLOT_HASH * sizeof *r->slot_hash);
    r->slot_names = arena_alloc(&r->arena, (SIGMA_SLOTS_MAX + 1) * sizeof *r->slot_names);
    r->slot_fields = arena_alloc(&r->arena, (SIGMA_SLOTS_MAX + 1) * sizeof *r->slot_fields);
    r->slot_keys = arena_alloc(&r->arena, SIGMA_SLOTS_MAX + 1);
    return r->slot_hash && r->slot_names && r->slot_fields && r->slot_keys ? 0 : 1;
}

uint32_t sigma_slot(struct sigma_rules *r, struct text name)
{
    if (!r->slot_hash && tables(r))
        return 0;
    uint32_t *place = slot_place(r, name);
    if (*place)
        return *place;
    char *copy = r->n_slots < SIGMA_SLOTS_MAX ? arena_text(&r->arena, name.p, name.n) : NULL;
    if (!copy)
        return 0;
    bool is_any = name.n > sizeof any_path && !memcmp(name.p, any_path, sizeof any_path - 1);
    uint32_t slot = ++r->n_slots;
    r->slot_names[slot] = (struct text){copy, name.n};
    r->slot_fields[slot] = is_any ? EVENT_NO_FIELD : event_names_add(r->names, name);
    *place = slot;
    return slot;
}

uint32_t sigma_slot_of_name(const struct sigma_rules *r, struct text name)
{
    static const char prefix[] = "winlog.user_data.";
    if (!r->slot_hash)
        return 0;
    uint32_t slot = sigma_slot_find(r, name);
    if (slot || name.n <= sizeof prefix || memcmp(name.p, prefix, sizeof prefix - 1))
        return slot;
    const char *dot = memrchr(name.p, '.', name.n);
    char any[EVENT_NAME_MAX + sizeof any_path];
    size_t n = name.n - (size_t)(dot + 1 - name.p);
    memcpy(any, any_path, sizeof any_path - 1);
    memcpy(any + sizeof any_path - 1, dot + 1, n);
    return sigma_slot_find(r, (struct text){any, sizeof any_path - 1 + n});
}

/* --- lists ------------------------------------------------------------------------------------------- */

struct gather {
    struct sigma_rules *r;
    uint16_t slots[LIST_MAX];
    uint32_t n;
    bool is_bad;
};

static void put(struct gather *g, struct text name)
{
    if (!name.n || name.n > EVENT_NAME_MAX)
        return;
    uint32_t slot = sigma_slot(g->r, name);
    if (!slot) {
        g->is_bad = true;
        return;
    }
    for (uint32_t i = 0; i < g->n; i++)
        if (g->slots[i] == slot)
            return;
    if (g->n < LIST_MAX)
        g->slots[g->n++] = (uint16_t)slot;
}

/* put_template - the last '*' of @to is the name itself ("winlog.user_data.**.*" keeps its "**"). */
static void put_template(struct gather *g, struct text to, struct text field)
{
    const char *star = memrchr(to.p, '*', to.n);
    char name[2 * EVENT_NAME_MAX];
    if (!star || (star > to.p && star[-1] == '*')) {
        put(g, to);
        return;
    }
    size_t before = (size_t)(star - to.p), after = to.n - before - 1;
    if (before + field.n + after > EVENT_NAME_MAX)
        return;
    memcpy(name, to.p, before);
    memcpy(name + before, field.p, field.n);
    memcpy(name + before + field.n, star + 1, after);
    put(g, (struct text){name, before + field.n + after});
}

static const struct sigma_mapping *find(const struct sigma_mappings *m, struct text field)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (text_equal(m->all[i].from, field))
            return &m->all[i];
    return NULL;
}

static void put_mapping(struct gather *g, const struct sigma_mapping *m, struct text field)
{
    for (uint32_t i = 0; m && i < m->n; i++)
        put_template(g, m->to[i], field);
}

static uint32_t list_of(struct sigma_rules *r, const struct gather *g)
{
    if (g->is_bad)
        return UINT32_MAX;
    for (uint32_t i = r->n_lists; i-- > 0;) /* rules of one source ask for the same fields again and again */
        if (r->lists[i].n == g->n && !memcmp(r->lists[i].slots, g->slots, g->n * sizeof *g->slots))
            return i;
    if (r->n_lists == r->lists_capacity) {
        uint32_t capacity = r->lists_capacity ? 2 * r->lists_capacity : 256;
        struct sigma_list *more = arena_alloc(&r->arena, capacity * sizeof *more);
        if (!more)
            return UINT32_MAX;
        if (r->n_lists)
            memcpy(more, r->lists, r->n_lists * sizeof *more);
        r->lists = more;
        r->lists_capacity = capacity;
    }
    uint16_t *slots = arena_alloc(&r->arena, (g->n + 1) * sizeof *slots);
    if (!slots)
        return UINT32_MAX;
    memcpy(slots, g->slots, g->n * sizeof *slots);
    r->lists[r->n_lists] = (struct sigma_list){g->n, slots};
    return r->n_lists++;
}

uint32_t sigma_raw_list(struct sigma_rules *r, struct text name)
{
    struct gather g = {.r = r};
    put(&g, name);
    return list_of(r, &g);
}

uint32_t sigma_field_list(struct sigma_rules *r, const uint32_t *sources, uint32_t n_sources, struct text field)
{
    struct gather g = {.r = r};
    for (uint32_t i = 0; i < n_sources; i++) {
        const struct sigma_source *s = &r->pipelines.sources[sources[i]];
        const struct sigma_mapping *own = find(&s->own, field);
        put_mapping(&g, own ? own : find(&s->file, field), field);
    }
    for (uint32_t i = 0; i < n_sources; i++) {
        const struct sigma_source *s = &r->pipelines.sources[sources[i]];
        const struct sigma_mapping *any = find(&s->own, TEXT("*"));
        put_mapping(&g, any ? any : find(&s->file, TEXT("*")), field);
    }
    put(&g, field);
    return list_of(r, &g);
}
