/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state.h"

#include "base/clock.h"
#include "base/file.h"
#include "state/person.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 4096, CONTENT_MAX = 200000 };

static int path_of(const char *data_dir, const char *name, char out[PATH_MAX_BYTES], struct fault *f)
{
    int n = snprintf(out, PATH_MAX_BYTES, "%s/office%s%s", data_dir, *name ? "/" : "", name);
    return n >= PATH_MAX_BYTES - 128 ? FAULT(f, -ENAMETOOLONG, db_failed, data_dir, strerrordesc_np(ENAMETOOLONG)) : 0;
}

int state_open_as_it_is(const char *data_dir, unsigned n_readers, bool may_create, struct db_pool **ret, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    int r = path_of(data_dir, "", path, f);
    if (!r && may_create && (r = file_make_dirs(path, 0750)))
        FAULT(f, r, db_failed, path, strerrordesc_np(-r));
    if (!r)
        r = path_of(data_dir, "state.db", path, f);
    if (!r && !may_create && access(path, F_OK))
        r = FAULT(f, -ENOENT, state_none, path);
    return r ? r : db_pool_open(path, n_readers, may_create, ret, f);
}

int state_open(const char *data_dir, unsigned n_readers, bool may_create, struct db_pool **ret, struct fault *f)
{
    static const struct db_migrations *const ROOMS[] = {&access_migrations, &trail_migrations};
    struct db_pool *p = NULL;
    int r = state_open_as_it_is(data_dir, n_readers, may_create, &p, f);
    r = r ? r : db_migrate(p, ROOMS, 2, f);
    r = r ? r : trail_watch(p, state_kinds, state_n_kinds, f);
    if (r) {
        db_pool_close(p);
        return r;
    }
    *ret = p;
    return 0;
}

/* --- what a copy says of itself ---------------------------------------------------------------------------------- */

static void add_content(struct db *db, const char *data_dir, const char *name, struct state_about *about)
{
    char path[PATH_MAX_BYTES];
    struct sha256 hash;
    if (snprintf(path, sizeof(path), "%s/%s", data_dir, name) >= (int)sizeof(path) || about->n_content >= CONTENT_MAX)
        return;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || sha256_of_fd(fd, &hash, NULL))
        return;
    struct db_statement *s = db_sql(db, "INSERT OR REPLACE INTO backup_content(name, sha256) VALUES(?1, ?2)");
    db_bind_str(s, 1, name);
    db_bind_blob(s, 2, hash.b, sizeof(hash.b));
    db_done(s);
    about->n_content++;
}

/* add_versions - every VERSION/manifest below @name, and below the folders in it where @depth is left. */
static void add_versions(struct db *db, const char *data_dir, const char *name, int depth, struct state_about *about)
{
    char path[PATH_MAX_BYTES];
    if (snprintf(path, sizeof(path), "%s/%s", data_dir, name) >= (int)sizeof(path))
        return;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char inner[PATH_MAX_BYTES];
        if (e->d_name[0] == '.' || snprintf(inner, sizeof(inner), "%s/%s", name, e->d_name) >= (int)sizeof(inner) - 16)
            continue;
        if (!strcmp(e->d_name, "manifest"))
            add_content(db, data_dir, inner, about);
        else if (depth)
            add_versions(db, data_dir, inner, depth - 1, about);
    }
    if (d)
        closedir(d);
}

static const char ABOUT[] =
    "DROP TABLE IF EXISTS backup_about; DROP TABLE IF EXISTS backup_content;"
    "CREATE TABLE backup_about(made_us INTEGER NOT NULL, program TEXT NOT NULL, entries INTEGER NOT NULL, head BLOB NOT NULL) STRICT;"
    "CREATE TABLE backup_content(name TEXT PRIMARY KEY, sha256 BLOB NOT NULL) STRICT, WITHOUT ROWID;";

static int write_about(const char *path, const char *data_dir, int64_t now_us, struct state_about *about, struct fault *f)
{
    struct db_pool *p = NULL;
    int r = db_pool_open(path, 1, false, &p, f);
    if (r)
        return r;
    struct db *db = db_write(p);
    db_many(db, ABOUT);
    about->made_us = now_us;
    trail_head(db, &about->head, &about->n_entries);
    add_versions(db, data_dir, "lists", 2, about);
    add_versions(db, data_dir, "space", 1, about);
    struct db_statement *s = db_sql(db, "INSERT INTO backup_about VALUES(?1, ?2, ?3, ?4)");
    db_bind(s, 1, now_us);
    db_bind_str(s, 2, VONGGAC_VERSION);
    db_bind(s, 3, (int64_t)about->n_entries);
    db_bind_blob(s, 4, about->head.b, sizeof(about->head.b));
    db_done(s);
    r = db_end(db, true, f);
    db_pool_close(p);
    return r ? (r < 0 ? r : -EIO) : db_settle(path, f);
}

int state_backup(const char *data_dir, const char *path, int64_t now_us, struct state_about *ret, struct fault *f)
{
    char part[PATH_MAX_BYTES];
    struct db_pool *p = NULL;
    *ret = (struct state_about){0};
    if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
        return FAULT(f, -ENAMETOOLONG, db_failed, path, strerrordesc_np(ENAMETOOLONG));
    int r = state_open_as_it_is(data_dir, 1, false, &p, f);
    r = r ? r : db_backup(p, part, f);
    db_pool_close(p);
    r = r ? r : write_about(part, data_dir, now_us, ret, f);
    if (!r && rename(part, path))
        r = FAULT(f, -errno, db_failed, path, strerrordesc_np(errno));
    if (r)
        unlink(part);
    return r;
}

/* --- a copy is judged -------------------------------------------------------------------------------------------- */

/* is_state - the tables of this room are there, at steps this program knows. */
static int is_state(struct db *db, const char *path, struct fault *f)
{
    struct db_statement *s = db_sql(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('migration', 'trail',"
                                        " 'trail_layout', 'person', 'unit', 'binding', 'access_change')");
    bool is_one = db_next(s) && db_int(s, 0) == 7;
    db_reset(s);
    if (!is_one)
        return FAULT(f, -EBADMSG, state_foreign, path);
    s = db_sql(db, "SELECT room, max(step) FROM migration WHERE room IN ('access', 'trail') GROUP BY room");
    int r = 0;
    while (!r && db_next(s)) {
        const struct db_migrations *m = text_is(db_text(s, 0), "trail") ? &trail_migrations : &access_migrations;
        if (db_int(s, 1) > m->n_steps)
            r = FAULT(f, -EPROTO, db_newer, path, m->room, (long long)db_int(s, 1), (long long)m->n_steps);
    }
    db_reset(s);
    return r;
}

static void read_about(struct db *db, struct state_about *ret)
{
    struct db_statement *s = db_sql(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('backup_about',"
                                        " 'backup_content')");
    bool has = db_next(s) && db_int(s, 0) == 2;
    db_reset(s);
    if (!has)
        return;
    s = db_sql(db, "SELECT made_us, (SELECT count(*) FROM backup_content) FROM backup_about");
    if (db_next(s)) {
        ret->made_us = db_int(s, 0);
        ret->n_content = (uint64_t)db_int(s, 1);
    }
    db_reset(s);
}

int state_check(const char *path, struct state_about *ret, struct fault *f)
{
    struct db_pool *p = NULL;
    *ret = (struct state_about){0};
    int r = db_pool_open(path, 1, false, &p, f);
    if (r)
        return r;
    struct db *db = db_read(p);
    r = db_check(db, f);
    r = r ? r : is_state(db, path, f);
    if (!r)
        read_about(db, ret);
    int e = db_end(db, false, r ? NULL : f);
    r = r ? r : e;
    r = r ? r : trail_watch(p, NULL, 0, f);
    if (!r) {
        db = db_read(p);
        r = trail_verify(db, NULL, &ret->trail, f);
        ret->head = ret->trail.head;
        ret->n_entries = ret->trail.n_entries;
        e = db_end(db, false, r ? NULL : f);
        r = r ? r : e;
    }
    db_pool_close(p);
    if (!r && (ret->trail.first_wrong || ret->trail.n_objects_wrong))
        return STATE_BROKEN_TRAIL;
    return r;
}

/* --- and put back ------------------------------------------------------------------------------------------------ */

/* find_missing - versions the copy refers to that are not here, or not the same. */
static void find_missing(struct db *db, const char *data_dir, struct state_about *ret)
{
    struct db_statement *s = db_sql(db, "SELECT name, sha256 FROM backup_content ORDER BY name");
    while (db_next(s)) {
        char path[PATH_MAX_BYTES];
        struct sha256 is;
        struct text name = db_text(s, 0), hash = db_blob(s, 1);
        bool is_plain = name.n < 1000 && !memmem(name.p, name.n, "..", 2);
        snprintf(path, sizeof(path), "%s/%.*s", data_dir, is_plain ? (int)name.n : 0, name.p);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        bool is_same = is_plain && fd >= 0 && !sha256_of_fd(fd, &is, NULL) && hash.n == sizeof(is.b) && !memcmp(hash.p, is.b, hash.n);
        if (!is_same && !ret->n_missing++)
            text_escape(name.p, name.n, ret->first_missing, sizeof(ret->first_missing));
    }
}

/* become_state - the copy is made a state again: the tables of the copy go, the restoring is entered in its trail. */
static int become_state(const char *data_dir, const char *path, int64_t now_us, struct state_about *ret, struct fault *f)
{
    struct db_pool *p = NULL;
    char detail[256], head[SHA256_TEXT_MAX], at[TIME_TEXT_MAX] = "";
    int r = db_pool_open(path, 1, false, &p, f);
    r = r ? r : trail_watch(p, NULL, 0, f);
    if (r) {
        db_pool_close(p);
        return r;
    }
    struct db *db = db_write(p);
    if (ret->made_us) {
        find_missing(db, data_dir, ret);
        clock_format_utc(ret->made_us, at);
    }
    db_many(db, "DROP TABLE IF EXISTS backup_about; DROP TABLE IF EXISTS backup_content;"
                "UPDATE session SET ended_us = unixepoch() * 1000000, end_reason = 'restored' WHERE ended_us IS NULL;"
                "DELETE FROM login_challenge");
    sha256_format(&ret->head, head);
    snprintf(detail, sizeof(detail), "{\"made_at\":\"%s\",\"entries\":%llu,\"head\":\"%s\"}", at,
             (unsigned long long)ret->n_entries, head);
    const struct trail_entry e = {.at_us = now_us, .who = TEXT("system"), .action = TEXT("state.restore"),
        .detail = {detail, strlen(detail)}};
    trail_add(db, &e);
    r = db_end(db, true, f);
    db_pool_close(p);
    return r ? (r < 0 ? r : -EIO) : db_settle(path, f);
}

/*
 * set_aside - what is there now gets a second name, so that at no moment there is no state. @ret: that name, "" if there was
 * nothing.
 */
static int set_aside(const char *data_dir, int64_t now_us, char ret[96], struct fault *f)
{
    static const char *const ENDS[] = {"-wal", "-shm"};
    char path[PATH_MAX_BYTES], aside[PATH_MAX_BYTES];
    int r = path_of(data_dir, "state.db", path, f);
    if (r || access(path, F_OK))
        return r;
    r = db_settle(path, f);
    if (r && r != -EBADMSG) /* a damaged one is put aside as it is */
        return r;
    snprintf(ret, 96, "state.db.before-%lld", (long long)(now_us / 1000000));
    r = path_of(data_dir, ret, aside, f);
    if (!r && link(path, aside))
        r = FAULT(f, -errno, db_failed, aside, strerrordesc_np(errno));
    /* of a damaged one: never to be read with another file */
    for (size_t i = 0, n = strlen(path), m = strlen(aside); i < 2 && !r; i++) {
        snprintf(path + n, sizeof(path) - n, "%s", ENDS[i]);
        snprintf(aside + m, sizeof(aside) - m, "%s", ENDS[i]);
        if (rename(path, aside) && errno != ENOENT)
            r = FAULT(f, -errno, db_failed, path, strerrordesc_np(errno));
    }
    return r;
}

int state_restore(const char *data_dir, const char *path, int64_t now_us, struct state_about *ret, struct fault *f)
{
    char to[PATH_MAX_BYTES];
    *ret = (struct state_about){0};
    int r = path_of(data_dir, "state.db", to, f);
    r = r ? r : state_check(path, ret, f);
    if (!r && !access(to, F_OK)) {
        r = db_settle(to, f); /* nobody has it open; before the copy is changed */
        r = r == -EBADMSG ? 0 : r;
    }
    r = r ? r : become_state(data_dir, path, now_us, ret, f);
    r = r ? r : set_aside(data_dir, now_us, ret->kept, f);
    if (!r && (chmod(path, 0600) || rename(path, to)))
        r = FAULT(f, -errno, db_failed, to, strerrordesc_np(errno));
    if (r)
        return r;
    to[strlen(to) - strlen("state.db")] = '\0';
    _cleanup_close_ int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? -errno : file_sync_dir(fd);
    return r ? FAULT(f, r, db_failed, to, strerrordesc_np(-r)) : 0;
}
