/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/asset/asset_desk.h"

#include "desk/asset/asset_api.h"
#include "desk/asset/asset_own.h"
#include "desk/unit/unit_own.h"

#include <errno.h>
#include <stdlib.h>

struct asset_desk {
    struct unit_desk *units;
};

int asset_desk_new(struct unit_desk *units, struct asset_desk **ret, struct fault *f)
{
    struct asset_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return FAULT(f, -ENOMEM, no_memory, "asset_desk");
    d->units = units;
    *ret = d;
    return 0;
}

void asset_desk_free(struct asset_desk *d)
{
    free(d);
}

const struct unit_words *asset_desk_words(const struct asset_desk *d)
{
    return unit_desk_words(d->units);
}

void asset_desk_place(struct asset_desk *d, struct db *db, struct text address, struct text host, int64_t at_us, struct asset_place *ret)
{
    struct ip ip;
    struct machine_row row;
    *ret = (struct asset_place){0};
    bool has_ip = address.n && !ip_parse(address.p, address.n, &ip);
    if (has_ip)
        ret->unit = unit_desk_of(d->units, db, &ip, at_us, &ret->is_nat);
    if (has_ip && !ret->is_nat)
        ret->machine = machine_at(db, address, ret->unit, at_us);
    if (!ret->machine && host.n)
        ret->machine = machine_named(db, host, ret->unit);
    if (!ret->machine || machine_row_get(db, ret->machine, true, &row))
        return;
    ret->unit = row.unit ? row.unit : ret->unit;
    ret->system = row.system;
    ret->level = row.system ? system_level(db, row.system, at_us) : 0;
    ret->exposure = row.exposure;
    ret->protection = row.protection;
    ret->is_managed = row.is_managed;
}

int asset_desk_see(struct asset_desk *d, struct db *db, struct machine_sighting *s, const struct unit_actor *by, struct machine_seen *ret)
{
    struct ip ip;
    struct text address = s->keys[IDENTITY_IP][0];
    if (address.n && !ip_parse(address.p, address.n, &ip)) {
        int64_t unit = unit_desk_of(d->units, db, &ip, s->at_us, &s->is_nat);
        s->unit = s->unit ? s->unit : unit;
    }
    return machine_see(db, s, by, ret);
}

/* tick - names of units that were decided: their machines go there */
static int64_t tick(struct web *w, void *desk, int64_t now_us)
{
    (void)desk;
    const struct unit_actor by = {TEXT("system"), TEXT(""), now_us};
    struct db *db = db_read(web_pool(w));
    int64_t machine, unit;
    bool has_any = machine_next_adopted(db, &machine, &unit);
    db_end(db, false, NULL);
    if (!has_any)
        return 0;
    db = db_write(web_pool(w));
    machine_adopt(db, &by);
    db_end(db, true, NULL);
    return 0;
}

struct web_desk asset_desk_entry(struct asset_desk *d)
{
    return (struct web_desk){.name = "asset", .migrations = &asset_migrations, .routes = asset_routes, .n_routes = asset_n_routes,
                             .kinds = asset_kinds, .n_kinds = asset_n_kinds, .desk = d, .tick = tick};
}
