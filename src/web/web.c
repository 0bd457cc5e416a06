/* SPDX-License-Identifier: Apache-2.0 */
#include "web/web_own.h"

#include "base/clock.h"
#include "base/content.h"
#include "base/file.h"
#include "base/log.h"
#include "web/web_db.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_US US_PER_SECOND
#define TIDY_US (3600 * US_PER_SECOND)
enum { DESKS_MAX = 32, KINDS_MAX = 128 };

static const struct web_desk *const own_desks[] = {&web_session_desk, &web_settings_desk, &web_people_desk, &web_grant_desk,
    &web_trail_desk, &web_system_desk};
enum { N_OWN_DESKS = sizeof(own_desks) / sizeof(*own_desks) };

/* --- what desks use ------------------------------------------------------------------------------------------------- */

struct db_pool *web_pool(struct web *w)
{
    return w->pool;
}

struct access *web_access(struct web *w)
{
    return w->access;
}

int64_t web_now(struct web *w)
{
    return w->o.clock ? w->o.clock() : clock_now_us();
}

const char *web_data_dir(struct web *w)
{
    return w->o.data_dir;
}

void web_audit(const struct web_request *q, const char *action, int64_t object, json_t *detail, struct text why)
{
    struct web_call *c = call_of(q);
    char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;
    json_decref(detail);
    c->has_entry = true;
    if (c->is_writing) {
        const char *kind = c->entry.route->kind ? c->entry.route->kind : "";
        struct trail_entry e = {q->now_us, {q->who_name, strlen(q->who_name)}, {action, strlen(action)}, {kind, strlen(kind)}, object, why,
                                {text ? text : "", text ? strlen(text) : 0}, q->client};
        trail_add(q->db, &e);
        free(text);
        return;
    }
    struct web_noted *n = arena_alloc(q->arena, sizeof(*n));
    const char *kept = arena_text(q->arena, text ? text : "", text ? strlen(text) : 0), *reason = arena_text(q->arena, why.p, why.n);
    free(text);
    if (!n || !kept || !reason) {
        c->has_entry = false;
        return;
    }
    *n = (struct web_noted){.action = action, .object = object, .detail = kept, .why = reason};
    *c->last_noted = n;
    c->last_noted = &n->next;
}

void web_tell(const struct web_request *q, const char *event, const struct access_object *o, enum permission permission, json_t *data)
{
    struct web_call *c = call_of(q);
    struct web_told *t = arena_alloc(q->arena, sizeof(*t));
    if (!t) {
        json_decref(data);
        return;
    }
    *t = (struct web_told){.event = event, .object = *o, .permission = permission, .data = data};
    *c->last_told = t;
    c->last_told = &t->next;
}

void web_tell_all(struct web *w, const char *event, const struct access_object *o, enum permission permission, json_t *data)
{
    hub_tell(w->hub, event, o, permission, data);
    json_decref(data);
}

/* --- beginning ---------------------------------------------------------------------------------------------------------- */

static int add_desk(struct web *w, const struct web_desk *d, struct fault *f)
{
    for (size_t i = 0; i < d->n_routes; i++) {
        if (w->n_routes == WEB_ROUTES_MAX)
            return FAULT(f, -E2BIG, no_memory, "routes");
        w->routes[w->n_routes++] = (struct web_entry){&d->routes[i], d};
    }
    return 0;
}

/* migrate - access and trail first: what desks refer to. */
static int migrate(struct web *w, struct fault *f)
{
    const struct db_migrations *rooms[DESKS_MAX + 2] = {&access_migrations, &trail_migrations};
    size_t n = 2;
    for (size_t i = 0; i < w->o.n_desks && n < DESKS_MAX + 2; i++)
        if (w->o.desks[i]->migrations)
            rooms[n++] = w->o.desks[i]->migrations;
    return db_migrate(w->pool, rooms, n, f);
}

static int watch_kinds(struct web *w, struct fault *f)
{
    struct trail_kind all[KINDS_MAX];
    size_t n = 0;
    for (; n < state_n_kinds && n < KINDS_MAX; n++)
        all[n] = state_kinds[n];
    for (size_t i = 0; i < w->o.n_desks; i++)
        for (size_t k = 0; k < w->o.desks[i]->n_kinds && n < KINDS_MAX; k++)
            all[n++] = w->o.desks[i]->kinds[k];
    return trail_watch(w->pool, all, n, f);
}

/* read_key - of cursors: kept, so that a page is turned over a restart too. */
static int read_key(struct web *w, struct fault *f)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/office/key", w->o.data_dir);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : file_pread_full(fd, w->key, sizeof(w->key), 0);
    if (fd >= 0 && r == -EIO) {
        randombytes_buf(w->key, sizeof(w->key));
        r = file_pwrite_full(fd, w->key, sizeof(w->key), 0);
        if (!r && fsync(fd))
            r = -errno;
    }
    return r ? FAULT(f, r, cli_cannot_read, path, strerrordesc_np(-r)) : 0;
}

static int load_content(struct web *w, struct fault *f)
{
    char dir[4096];
    int r = roles_load(w->o.roles_path, &w->roles, f);
    if (!r && !w->o.openapi_dir)
        r = content_path("openapi", dir, sizeof(dir), f);
    if (!r)
        r = web_openapi_load(w->o.openapi_dir ? w->o.openapi_dir : dir, &w->openapi, f);
    if (!r && w->o.console_dir)
        r = web_files_load(w->o.console_dir, &w->files, f);
    return r;
}

static int open_state(struct web *w, struct fault *f)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/office/tmp", w->o.data_dir);
    int r = file_make_dirs(path, 0700);
    if (r)
        return FAULT(f, r, cli_cannot_read, path, strerrordesc_np(-r));
    snprintf(path, sizeof(path), "%s/office/state.db", w->o.data_dir);
    r = db_pool_open(path, w->o.n_readers, true, &w->pool, f);
    if (!r)
        r = migrate(w, f);
    if (!r)
        r = watch_kinds(w, f);
    if (!r)
        r = access_functions(w->pool, f);
    if (!r && access_new(w->roles, &w->access))
        r = FAULT(f, -ENOMEM, no_memory, "access");
    if (r)
        return r;
    struct db *db = db_read(w->pool);
    r = access_load(w->access, db, f);
    int e = db_end(db, false, f);
    return r ? r : e;
}

int web_new(const struct web_options *o, struct web **ret, struct fault *f)
{
    struct web *w = calloc(1, sizeof(*w));
    if (!w || sodium_init() < 0) {
        free(w);
        return FAULT(f, -ENOMEM, no_memory, "the office");
    }
    w->o = *o;
    int r = load_content(w, f);
    for (size_t i = 0; !r && i < N_OWN_DESKS; i++)
        r = add_desk(w, own_desks[i], f);
    for (size_t i = 0; !r && i < o->n_desks; i++)
        r = add_desk(w, o->desks[i], f);
    if (!r)
        r = open_state(w, f);
    if (!r)
        r = read_key(w, f);
    if (!r && (rates_new(o->reads_per_second, &w->rates) || hub_new(w, &w->hub)))
        r = FAULT(f, -ENOMEM, no_memory, "the office");
    if (r) {
        web_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void web_free(struct web *w)
{
    if (!w)
        return;
    hub_free(w->hub);
    rates_free(w->rates);
    if (w->access)
        access_free(w->access);
    if (w->pool)
        db_pool_close(w->pool);
    web_files_free(&w->files);
    json_decref(w->openapi);
    free(w->roles);
    sodium_memzero(w->key, sizeof(w->key));
    free(w);
}

void web_serve_with(struct web *w, struct http_server *s)
{
    w->server = s;
}

void web_end(struct web *w)
{
    atomic_store(&w->is_ending, true);
}

void web_stream_opened(void *context, struct http_stream *s, void *stream_context)
{
    hub_opened(((struct web *)context)->hub, s, stream_context);
}

void web_stream_closed(void *context, struct http_stream *s, void *stream_context)
{
    hub_closed(((struct web *)context)->hub, s, stream_context);
}

/* --- time -------------------------------------------------------------------------------------------------------------------- */

static void refresh(struct web *w, int64_t now_us)
{
    struct fault f = {0};
    struct db *db = db_read(w->pool);
    int r = access_refresh(w->access, db, &f), e = db_end(db, false, &f);
    if (r == 1)
        hub_recheck(w->hub);
    if (r < 0 || e)
        log_line(LOG_ERROR, "access_not_read", "reason", f.text, NULL);
    if (now_us - w->tidied_us < TIDY_US)
        return;
    w->tidied_us = now_us;
    db = db_write(w->pool);
    session_tidy(db, now_us);
    if (db_end(db, true, &f))
        log_line(LOG_WARN, "sessions_not_tidied", "reason", f.text, NULL);
}

int64_t web_tick(struct web *w)
{
    int64_t now_us = web_now(w), next_us = now_us + TICK_US;
    refresh(w, now_us);
    hub_tick(w->hub, now_us);
    for (size_t i = 0; i < w->o.n_desks; i++) {
        const struct web_desk *d = w->o.desks[i];
        int64_t wanted_us = d->tick ? d->tick(w, d->desk, web_now(w)) : 0;
        if (wanted_us > 0 && wanted_us < next_us)
            next_us = wanted_us;
    }
    return next_us;
}

/* --- the first person -------------------------------------------------------------------------------------------------------- */

static int add_administrator(struct web *w, const char *login, const struct password_first *first, struct fault *f)
{
    int64_t id = 0, binding = 0, now_us = web_now(w);
    struct db *db = db_write(w->pool);
    bool is_somebody = web_db_has_person(db);
    int r = 0;
    if (!is_somebody) {
        const struct person p = {.login = login, .name = "Quản trị", .language = "vi"};
        r = person_add(db, &p, first, now_us, &id);
    }
    if (!is_somebody && !r) {
        const struct trail_entry e = {now_us, TEXT("system"), TEXT("person.first"), TEXT("person"), id, {"", 0}, {"", 0}, {"", 0}};
        trail_add(db, &e);
        const struct binding b = {.person = id, .role = "administrator", .is_below = true, .from_us = now_us};
        r = binding_add(db, w->roles, &b, now_us, &binding);
    }
    if (!is_somebody && !r) {
        const struct trail_entry e = {now_us, TEXT("system"), TEXT("binding.add"), TEXT("binding"), binding, {"", 0}, {"", 0}, {"", 0}};
        trail_add(db, &e);
    }
    int e = db_end(db, !r && !is_somebody, f);
    if (is_somebody)
        return 1;
    return r || e ? FAULT(f, r < 0 ? r : -EIO, web_no_first_person, login) : 0;
}

int web_first_person(struct web *w, const char *login, struct password_first *ret, struct fault *f)
{
    struct db *db = db_read(w->pool);
    bool is_somebody = web_db_has_person(db);
    int r = db_end(db, false, f);
    if (r || is_somebody)
        return r ? r : 1;
    if (password_first(ret))
        return FAULT(f, -ENOMEM, no_memory, "a password");
    r = add_administrator(w, login, ret, f);
    if (r)
        password_wipe(ret);
    return r;
}

bool web_first_is_used(struct web *w, const char *login)
{
    struct arena arena = {0};
    struct person p;
    struct fault f;
    struct db *db = db_read(w->pool);
    bool is_used = !person_get_by_login(db, (struct text){login, strlen(login)}, &arena, &p) && !p.must_change_password;
    if (db_end(db, false, &f))
        is_used = false;
    arena_fini(&arena);
    return is_used;
}
