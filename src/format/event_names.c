/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of field names: a hash of fixed size, filled under a lock and read without one. A slot is written last, with
 * release, after the name it leads to.
 */
#include "format/event.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SLOTS 65536u /* twice EVENT_NAMES_MAX: the search for a name always ends */

_Static_assert(SLOTS >= 2 * EVENT_NAMES_MAX && EVENT_NAMES_MAX < EVENT_NO_FIELD, "an empty slot is always near");

struct table {
    atomic_flag is_locked; /* adding is rare and short: a name is seen for the first time once */
    _Atomic(uint16_t) slots[SLOTS]; /* number + 1; 0 is empty */
    struct text names[EVENT_NAMES_MAX];
    _Atomic(unsigned) n;
};

struct event_names {
    struct table *table;
    bool is_view;
    uint64_t *asking, *refused; /* of a view: names its source has added, and could not; NULL: no bound */
};

static const struct text known[EVENT_N_FIELDS] = {
#define X(ID, name, type) [EV_##ID] = {name, sizeof name - 1},
    EVENT_FIELDS(X)
#undef X
};

/* FNV-1a: names are short and an attacker gains little, the table being bounded and probing linear over at most it */
static uint32_t hash(struct text name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (uint8_t)name.p[i]) * 16777619u;
    return h ^ h >> 15;
}

/* slot_of - where @name stands or would stand. */
static uint32_t slot_of(const struct table *x, struct text name, uint16_t *ret_field)
{
    uint32_t i = hash(name) % SLOTS;
    for (;; i = (i + 1) % SLOTS) {
        uint16_t v = atomic_load_explicit(&x->slots[i], memory_order_acquire);
        *ret_field = v ? (uint16_t)(v - 1) : EVENT_NO_FIELD;
        if (!v || text_equal(x->names[v - 1], name))
            return i;
    }
}

struct event_names *event_names_new(void)
{
    struct event_names *names = calloc(1, sizeof *names);
    struct table *x = calloc(1, sizeof *x);
    if (!names || !x) {
        free(names);
        free(x);
        return NULL;
    }
    names->table = x;
    atomic_flag_clear(&x->is_locked);
    for (uint32_t i = 0; i < EVENT_N_FIELDS; i++) {
        uint16_t unused;
        x->names[i] = known[i];
        atomic_store(&x->slots[slot_of(x, known[i], &unused)], (uint16_t)(i + 1));
    }
    atomic_store(&x->n, EVENT_N_FIELDS);
    return names;
}

struct event_names *event_names_view(struct event_names *of)
{
    struct event_names *x = calloc(1, sizeof *x);
    if (x)
        *x = (struct event_names){.table = of->table, .is_view = true};
    return x;
}

void event_names_ask(struct event_names *view, uint64_t *asking, uint64_t *refused)
{
    view->asking = asking;
    view->refused = refused;
}

void event_names_free(struct event_names *x)
{
    if (!x)
        return;
    for (unsigned i = EVENT_N_FIELDS; !x->is_view && i < x->table->n; i++)
        free((void *)(uintptr_t)x->table->names[i].p);
    if (!x->is_view)
        free(x->table);
    free(x);
}

uint16_t event_names_find(const struct event_names *x, struct text name)
{
    uint16_t field;
    slot_of(x->table, name, &field);
    return field;
}

/* cleaned - @name with '_' for every byte that could confuse a reader; @out holds EVENT_NAME_MAX bytes. */
static struct text cleaned(struct text name, char out[EVENT_NAME_MAX])
{
    bool is_utf8 = text_is_utf8(name.p, name.n);
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        out[i] = c < 0x20 || c == 0x7f || c == '"' || c == '\\' || (c >= 0x80 && !is_utf8) ? '_' : (char)c;
    }
    return (struct text){out, name.n};
}

/* may_add - a source may have a part of what the others have left free: so there is always room for the next. */
static bool may_add(const struct event_names *names)
{
    unsigned n = atomic_load_explicit(&names->table->n, memory_order_relaxed);
    if (!names->asking || *names->asking < (EVENT_NAMES_MAX - n) / EVENT_NAMES_SHARE)
        return true;
    ++*names->refused;
    return false;
}

uint16_t event_names_add(struct event_names *names, struct text name)
{
    struct table *x = names->table;
    uint16_t field = EVENT_NO_FIELD;
    if (!name.n || name.n > EVENT_NAME_MAX)
        return field;
    slot_of(x, name, &field);
    if (field != EVENT_NO_FIELD)
        return field;
    char clean[EVENT_NAME_MAX];
    name = cleaned(name, clean);
    slot_of(x, name, &field);
    if (field != EVENT_NO_FIELD || !may_add(names))
        return field;
    while (atomic_flag_test_and_set_explicit(&x->is_locked, memory_order_acquire))
        ;
    uint32_t slot = slot_of(x, name, &field);
    unsigned n = atomic_load_explicit(&x->n, memory_order_relaxed);
    char *copy = field == EVENT_NO_FIELD && n < EVENT_NAMES_MAX ? malloc(name.n) : NULL;
    if (copy) {
        memcpy(copy, name.p, name.n);
        x->names[n] = (struct text){copy, name.n};
        atomic_store_explicit(&x->n, n + 1, memory_order_release);
        atomic_store_explicit(&x->slots[slot], (uint16_t)(n + 1), memory_order_release);
        field = (uint16_t)n;
        if (names->asking)
            ++*names->asking;
    }
    atomic_flag_clear_explicit(&x->is_locked, memory_order_release);
    return field;
}

struct text event_name(const struct event_names *names, uint16_t field)
{
    const struct table *x = names->table;
    return field < atomic_load_explicit(&x->n, memory_order_acquire) ? x->names[field] : TEXT("");
}

unsigned event_names_count(const struct event_names *names)
{
    return atomic_load_explicit(&names->table->n, memory_order_acquire);
}
