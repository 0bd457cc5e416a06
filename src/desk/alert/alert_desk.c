/* SPDX-License-Identifier: Apache-2.0 */
/* The desk's line in the node's table, and its clockwork: a few times a second what is new goes in and open consoles are told. */
#include "base/clock.h"
#include "base/log.h"
#include "desk/alert/alert_own.h"

enum { TICK_US = 250000 };

static void tell(struct web *w, const struct alert_taken *t)
{
    size_t room = sizeof(t->changed) / sizeof(t->changed[0]);
    for (size_t i = 0; i < t->n_changed && i < room; i++) {
        struct access_object o;
        struct db *db = db_read(web_pool(w));
        bool is_there = alert_db_object(db, t->changed[i], &o);
        db_end(db, false, NULL);
        if (is_there)
            web_tell_all(w, "alert", &o, PERMISSION_ALERT_READ, json_pack("{s:I}", "id", (json_int_t)t->changed[i]));
    }
}

static int64_t tick(struct web *w, void *desk, int64_t now_us)
{
    struct alert_taken t;
    struct fault f = {0};
    int r = alert_desk_upkeep(desk, web_pool(w), now_us, &f);
    r = r ? r : alert_desk_take(desk, web_pool(w), web_data_dir(w), now_us, &t, &f);
    if (r) {
        log_line(LOG_ERROR, "alerts_not_taken", "reason", f.text, NULL);
        return now_us + US_PER_SECOND;
    }
    tell(w, &t);
    return now_us + (t.has_more ? 0 : TICK_US);
}

struct web_desk alert_desk_entry(struct alert_desk *d)
{
    static const struct trail_kind KINDS[] = {
        {"alert_decision", "alert_decision"}, {"alert_mute", "alert_mute"}, {"alert_note", "alert_note"}};
    return (struct web_desk){.name = "alert",
                             .migrations = &alert_migrations,
                             .routes = alert_routes,
                             .n_routes = alert_n_routes,
                             .kinds = KINDS,
                             .n_kinds = sizeof(KINDS) / sizeof(KINDS[0]),
                             .desk = d,
                             .tick = tick};
}
