/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/unit/unit_ranges.h"

#include <errno.h>
#include <string.h>

enum { ROOM = 65536 };

static int64_t count(struct db *db, int64_t unit, int64_t at_us)
{
    struct db_statement *s = db_sql(db, "SELECT count(*) FROM unit_prefix WHERE unit = ?1 AND from_us <= ?2 AND to_us > ?2");
    db_bind(s, 1, unit); /* system: see the header */
    db_bind(s, 2, at_us);
    int64_t n = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return n;
}

static size_t take(struct db *db, int64_t unit, int64_t at_us, struct ip_range *out, size_t room)
{
    struct db_statement *s = db_sql(db, "SELECT range FROM unit_prefix WHERE unit = ?1 AND from_us <= ?2 AND to_us > ?2");
    size_t n = 0; /* system: see the header */
    db_bind(s, 1, unit);
    db_bind(s, 2, at_us);
    while (n < room && db_next(s)) {
        struct text t = db_text(s, 0);
        n += !ip_range_parse(t.p, t.n, &out[n], NULL);
    }
    db_reset(s);
    return n;
}

int unit_ranges(struct db *db, const int64_t *units, size_t n, int64_t at_us, struct arena *arena, struct ip_range **ret,
                size_t *ret_n)
{
    size_t room = 0;
    *ret_n = 0;
    for (size_t i = 0; i < n; i++)
        room += (size_t)count(db, units[i], at_us);
    room = room < ROOM ? room : ROOM; /* what a query can hold: beyond it less is seen, never more */
    *ret = arena_alloc(arena, (room + 1) * sizeof(**ret));
    if (!*ret)
        return -ENOMEM;
    for (size_t i = 0; i < n && *ret_n < room; i++)
        *ret_n += take(db, units[i], at_us, *ret + *ret_n, room - *ret_n);
    return 0;
}
