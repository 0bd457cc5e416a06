/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/unit/unit_desk.h"

#include "desk/unit/unit_api.h"
#include "desk/unit/unit_own.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct unit_desk {
    struct unit_words *words;
    pthread_mutex_t lock; /* of what is kept in memory: look-ups are short */
    struct unit_space *space;
    struct unit_names *names;
    int64_t names_change;
    int64_t succeeded_us;
};

int unit_desk_new(struct unit_desk **ret, struct fault *f)
{
    struct unit_desk *d = calloc(1, sizeof(*d));
    int r = d ? unit_words_load(&d->words, f) : FAULT(f, -ENOMEM, no_memory, "unit_desk");
    if (r) {
        free(d);
        return r;
    }
    pthread_mutex_init(&d->lock, NULL);
    *ret = d;
    return 0;
}

void unit_desk_free(struct unit_desk *d)
{
    if (!d)
        return;
    unit_words_free(d->words);
    unit_space_free(d->space);
    unit_names_free(d->names);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

const struct unit_words *unit_desk_words(const struct unit_desk *d)
{
    return d->words;
}

int64_t unit_desk_of(struct unit_desk *d, struct db *db, const struct ip *a, int64_t at_us, bool *ret_is_nat)
{
    int64_t unit = 0;
    pthread_mutex_lock(&d->lock);
    if (!d->space || unit_space_is_old(d->space, db)) {
        struct unit_space *fresh = NULL;
        struct fault f = {0};
        if (!unit_space_load(db, &fresh, &f)) {
            unit_space_free(d->space);
            d->space = fresh;
        }
    }
    if (d->space)
        unit = unit_space_find(d->space, a, at_us, ret_is_nat);
    pthread_mutex_unlock(&d->lock);
    return unit;
}

int unit_desk_resolve(struct unit_desk *d, struct db *db, struct text name, int64_t at_us, struct unit_found *ret)
{
    int r = 0;
    pthread_mutex_lock(&d->lock);
    int64_t change = unit_name_change(db);
    if (!d->names || d->names_change != change) {
        struct unit_names *fresh = NULL;
        r = unit_names_load(db, d->words, true, &fresh);
        if (!r) {
            unit_names_free(d->names);
            d->names = fresh;
            d->names_change = change;
        }
    }
    *ret = (struct unit_found){.how = UNIT_BY_NOTHING};
    if (!r)
        unit_names_find(d->names, name, at_us, ret);
    pthread_mutex_unlock(&d->lock);
    return r;
}

/* tick - once an hour: bodies whose day has come go below their successors */
static int64_t tick(struct web *w, void *desk, int64_t now_us)
{
    enum { EVERY_S = 3600 };
    struct unit_desk *d = desk;
    const struct unit_actor by = {TEXT("system"), TEXT(""), now_us};
    if (now_us - d->succeeded_us < (int64_t)EVERY_S * 1000000)
        return 0;
    d->succeeded_us = now_us;
    struct db *db = db_write(web_pool(w));
    unit_succeed(db, &by);
    db_end(db, true, NULL);
    return 0;
}

struct web_desk unit_desk_entry(struct unit_desk *d)
{
    return (struct web_desk){.name = "unit", .migrations = &unit_migrations, .routes = unit_routes, .n_routes = unit_n_routes,
                             .kinds = unit_kinds, .n_kinds = unit_n_kinds, .desk = d, .tick = tick};
}
