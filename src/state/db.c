/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite in serialized calls of one thread each: a connection belongs to whoever took it, so the library's own locks are off.
 */
#include "state/db.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_READERS = 16, MAX_STATEMENTS = 1024, MAX_FUNCTIONS = 8, CACHE_KIB = 32 << 10, NAME_MAX_BYTES = 32 };

struct db_statement {
    const char *sql;
    sqlite3_stmt *s; /* NULL: could not be prepared */
    struct db *db;
};

struct db {
    struct db_pool *pool;
    sqlite3 *c;
    struct db_statement *statements[MAX_STATEMENTS]; /* open addressing by the address of the text */
    unsigned n_statements;
    struct db_statement none; /* stands in for what could not be prepared */
    void *context;
    bool is_writer, is_begun;
    int code;                 /* the first failure */
    char reason[256];
};

struct function {
    struct db *db;
    int64_t (*call)(void *context, const int64_t *v, int n);
};

struct db_pool {
    char path[4096];
    pthread_mutex_t lock, writing;
    pthread_cond_t given;
    struct db writer, readers[MAX_READERS];
    struct db *idle[MAX_READERS];
    unsigned n_readers, n_idle;
    struct function functions[MAX_FUNCTIONS][MAX_READERS + 1];
    unsigned n_functions;
    void *attached;
    void (*release)(void *what);
};

/* --- failures ---------------------------------------------------------------------------------------------------- */

static int code_of(int sqlite)
{
    switch (sqlite & 0xff) {
    case SQLITE_OK: return 0;
    case SQLITE_CONSTRAINT: return DB_CONFLICT;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return -EBADMSG;
    case SQLITE_CANTOPEN: return -ENOENT;
    case SQLITE_TOOBIG: return -EMSGSIZE;
    default: return -EIO;
    }
}

static void fail(struct db *db, int sqlite)
{
    if (db->code)
        return;
    db->code = code_of(sqlite);
    snprintf(db->reason, sizeof(db->reason), "%s", db->c ? sqlite3_errmsg(db->c) : sqlite3_errstr(sqlite));
}

int db_failed(const struct db *db)
{
    return db->code;
}

/* --- paths ------------------------------------------------------------------------------------------------------- */

/*
 * SQLite turns a relative path into one from the root, and then has to pass every folder on the way. A command that works as the
 * owner of a directory which lies in another's (cli/owner) may stand in it, but not come to it from above: such a path stays as it is.
 */
static sqlite3_vfs plain_paths;
static pthread_once_t paths_once = PTHREAD_ONCE_INIT;
static int (*full_path)(sqlite3_vfs *vfs, const char *path, int n, char *out);

static int keep_relative(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    size_t length = strlen(path);
    if (path[0] == '/')
        return full_path(vfs, path, n, out);
    if (n < 0 || length >= (size_t)n)
        return SQLITE_CANTOPEN;
    memcpy(out, path, length + 1);
    return SQLITE_OK;
}

static void make_paths(void)
{
    if (sqlite3_initialize() || !sqlite3_vfs_find(NULL))
        return;
    plain_paths = *sqlite3_vfs_find(NULL);
    full_path = plain_paths.xFullPathname;
    plain_paths.zName = "vonggac";
    plain_paths.pNext = NULL;
    plain_paths.xFullPathname = keep_relative;
    sqlite3_vfs_register(&plain_paths, 0);
}

static int open_file(const char *path, sqlite3 **ret, int flags)
{
    pthread_once(&paths_once, make_paths);
    return sqlite3_open_v2(path, ret, flags, "vonggac");
}

/* --- connections ------------------------------------------------------------------------------------------------- */

static int run(struct db *db, const char *sql)
{
    int r = sqlite3_exec(db->c, sql, NULL, NULL, NULL);
    if (r)
        fail(db, r);
    return r;
}

static int open_one(struct db_pool *p, struct db *db, bool is_writer, bool may_create)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (may_create ? SQLITE_OPEN_CREATE : 0);
    db->pool = p;
    db->is_writer = is_writer;
    db->none.db = db;
    int r = open_file(p->path, &db->c, flags);
    if (r) {
        fail(db, r);
        return db->code;
    }
    sqlite3_extended_result_codes(db->c, 1);
    sqlite3_busy_timeout(db->c, DB_WAIT_MS);
    sqlite3_limit(db->c, SQLITE_LIMIT_LENGTH, (int)DB_VALUE_MAX);
    sqlite3_limit(db->c, SQLITE_LIMIT_VARIABLE_NUMBER, 1000);
    sqlite3_limit(db->c, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(db->c, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    sqlite3_db_config(db->c, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    char cache[64];
    snprintf(cache, sizeof(cache), "PRAGMA cache_size=-%d", CACHE_KIB);
    if (is_writer)
        run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000");
    else
        run(db, "PRAGMA query_only=1");
    run(db, "PRAGMA foreign_keys=1; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=268435456");
    run(db, cache);
    return db->code;
}

static void close_one(struct db *db)
{
    for (unsigned i = 0; i < MAX_STATEMENTS; i++)
        if (db->statements[i]) {
            sqlite3_finalize(db->statements[i]->s);
            free(db->statements[i]);
        }
    sqlite3_close(db->c);
}

int db_pool_open(const char *path, unsigned n_readers, bool may_create, struct db_pool **ret, struct fault *f)
{
    if (strlen(path) >= sizeof((*ret)->path) || n_readers < 1 || n_readers > MAX_READERS)
        return FAULT(f, -EINVAL, db_failed, path, "arguments");
    if (may_create) { /* SQLite would make it readable by everybody the umask lets */
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return FAULT(f, -errno, db_failed, path, strerrordesc_np(errno));
        close(fd);
    }
    struct db_pool *p = calloc(1, sizeof(*p));
    if (!p)
        return FAULT(f, -ENOMEM, no_memory, path);
    snprintf(p->path, sizeof(p->path), "%s", path);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->writing, NULL);
    pthread_cond_init(&p->given, NULL);
    struct db *bad = open_one(p, &p->writer, true, may_create) ? &p->writer : NULL;
    for (unsigned i = 0; i < n_readers && !bad; i++) {
        p->n_readers = i + 1;
        bad = open_one(p, &p->readers[i], false, false) ? &p->readers[i] : NULL;
        p->idle[p->n_idle++] = &p->readers[i];
    }
    if (bad) {
        int code = bad->code == DB_CONFLICT ? -EIO : bad->code;
        FAULT(f, code, db_failed, path, bad->reason);
        db_pool_close(p);
        return code;
    }
    *ret = p;
    return 0;
}

void db_pool_close(struct db_pool *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < p->n_readers; i++)
        close_one(&p->readers[i]);
    close_one(&p->writer);
    if (p->release)
        p->release(p->attached);
    pthread_cond_destroy(&p->given);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->writing);
    free(p);
}

static struct db *begin(struct db *db, const char *sql)
{
    db->code = 0;
    db->reason[0] = '\0';
    db->context = NULL;
    db->is_begun = !run(db, sql);
    return db;
}

struct db *db_read(struct db_pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->n_idle)
        pthread_cond_wait(&p->given, &p->lock);
    struct db *db = p->idle[--p->n_idle];
    pthread_mutex_unlock(&p->lock);
    return begin(db, "BEGIN");
}

struct db *db_write(struct db_pool *p)
{
    pthread_mutex_lock(&p->writing);
    return begin(&p->writer, "BEGIN IMMEDIATE");
}

static void give_back(struct db *db)
{
    struct db_pool *p = db->pool;
    db->context = NULL;
    if (db->is_writer) {
        pthread_mutex_unlock(&p->writing);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->idle[p->n_idle++] = db;
    pthread_cond_signal(&p->given);
    pthread_mutex_unlock(&p->lock);
}

int db_end(struct db *db, bool is_kept, struct fault *f)
{
    for (unsigned i = 0; i < MAX_STATEMENTS; i++)
        if (db->statements[i] && db->statements[i]->s && sqlite3_stmt_busy(db->statements[i]->s))
            sqlite3_reset(db->statements[i]->s);
    if (db->is_begun && is_kept && !db->code)
        run(db, "COMMIT");
    if (!sqlite3_get_autocommit(db->c))
        sqlite3_exec(db->c, "ROLLBACK", NULL, NULL, NULL);
    int r = db->code;
    if (r)
        FAULT(f, r, db_failed, db->pool->path, db->reason);
    give_back(db);
    return r;
}

/* --- statements -------------------------------------------------------------------------------------------------- */

static struct db_statement *find(struct db *db, const char *sql)
{
    unsigned i = (unsigned)(((uintptr_t)sql >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 54) % MAX_STATEMENTS;
    while (db->statements[i] && db->statements[i]->sql != sql)
        i = (i + 1) % MAX_STATEMENTS;
    if (db->statements[i])
        return db->statements[i];
    struct db_statement *s = db->n_statements < MAX_STATEMENTS - 1 ? calloc(1, sizeof(*s)) : NULL;
    if (!s) {
        fail(db, SQLITE_NOMEM);
        return NULL;
    }
    s->sql = sql;
    s->db = db;
    int r = sqlite3_prepare_v3(db->c, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->s, NULL);
    if (r || !s->s) {
        fail(db, r ? r : SQLITE_MISUSE);
        free(s);
        return NULL;
    }
    db->statements[i] = s;
    db->n_statements++;
    return s;
}

struct db_statement *db_sql(struct db *db, const char *sql)
{
    struct db_statement *s = db->code ? NULL : find(db, sql);
    if (!s)
        return &db->none;
    sqlite3_reset(s->s);
    sqlite3_clear_bindings(s->s);
    return s;
}

static void check(struct db_statement *s, int r)
{
    if (r)
        fail(s->db, r);
}

void db_bind(struct db_statement *s, int i, int64_t value)
{
    if (s->s)
        check(s, sqlite3_bind_int64(s->s, i, value));
}

void db_bind_real(struct db_statement *s, int i, double value)
{
    if (s->s)
        check(s, sqlite3_bind_double(s->s, i, value));
}

void db_bind_text(struct db_statement *s, int i, struct text value)
{
    if (s->s)
        check(s, sqlite3_bind_text64(s->s, i, value.p ? value.p : "", value.n, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_str(struct db_statement *s, int i, const char *value)
{
    if (value)
        db_bind_text(s, i, (struct text){value, strlen(value)});
}

void db_bind_blob(struct db_statement *s, int i, const void *p, size_t n)
{
    if (s->s)
        check(s, sqlite3_bind_blob64(s->s, i, p ? p : "", n, SQLITE_STATIC));
}

void db_bind_null(struct db_statement *s, int i)
{
    if (s->s)
        check(s, sqlite3_bind_null(s->s, i));
}

bool db_next(struct db_statement *s)
{
    if (!s->s || s->db->code)
        return false;
    int r = sqlite3_step(s->s);
    if (r == SQLITE_ROW)
        return true;
    if (r != SQLITE_DONE)
        fail(s->db, r);
    sqlite3_reset(s->s);
    return false;
}

int64_t db_done(struct db_statement *s)
{
    if (!s->s || s->db->code)
        return 0;
    while (db_next(s))
        ;
    return s->db->code ? 0 : sqlite3_changes64(s->db->c);
}

void db_reset(struct db_statement *s)
{
    if (s->s)
        sqlite3_reset(s->s);
}

bool db_is_null(struct db_statement *s, int column)
{
    return !s->s || sqlite3_column_type(s->s, column) == SQLITE_NULL;
}

int64_t db_int(struct db_statement *s, int column)
{
    return s->s ? sqlite3_column_int64(s->s, column) : 0;
}

double db_real(struct db_statement *s, int column)
{
    return s->s ? sqlite3_column_double(s->s, column) : 0;
}

struct text db_text(struct db_statement *s, int column)
{
    const char *p = s->s ? (const char *)sqlite3_column_text(s->s, column) : NULL;
    return p ? (struct text){p, (size_t)sqlite3_column_bytes(s->s, column)} : (struct text){"", 0};
}

struct text db_blob(struct db_statement *s, int column)
{
    const char *p = s->s ? sqlite3_column_blob(s->s, column) : NULL;
    return p ? (struct text){p, (size_t)sqlite3_column_bytes(s->s, column)} : (struct text){"", 0};
}

int64_t db_new_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->c);
}

void db_many(struct db *db, const char *sql)
{
    if (!db->code)
        run(db, sql);
}

/* --- migrations -------------------------------------------------------------------------------------------------- */

static int64_t step_of(struct db *db, const char *room)
{
    struct db_statement *s = db_sql(db, "SELECT coalesce(max(step), 0) FROM migration WHERE room = ?1");
    db_bind_str(s, 1, room);
    return db_next(s) ? db_int(s, 0) : 0;
}

static int migrate_room(struct db *db, const struct db_migrations *m, struct fault *f)
{
    int64_t at = step_of(db, m->room);
    if (at > m->n_steps)
        return FAULT(f, -EPROTO, db_newer, db->pool->path, m->room, (long long)at, (long long)m->n_steps);
    for (int64_t i = at; i < m->n_steps && !db->code; i++) {
        db_many(db, m->steps[i]);
        struct db_statement *s = db_sql(db, "INSERT INTO migration(room, step, at_us) VALUES(?1, ?2, unixepoch() * 1000000)");
        db_bind_str(s, 1, m->room);
        db_bind(s, 2, i + 1);
        db_done(s);
    }
    return 0;
}

int db_migrate(struct db_pool *p, const struct db_migrations *const *rooms, size_t n_rooms, struct fault *f)
{
    struct db *db = db_write(p);
    db_many(db, "CREATE TABLE IF NOT EXISTS migration(room TEXT NOT NULL, step INTEGER NOT NULL, at_us INTEGER NOT NULL,"
                " PRIMARY KEY(room, step)) STRICT, WITHOUT ROWID");
    int r = 0;
    for (size_t i = 0; i < n_rooms && !r && !db->code; i++)
        r = migrate_room(db, rooms[i], f);
    int ended = db_end(db, !r, r ? NULL : f);
    return r ? r : ended == DB_CONFLICT ? -EBADMSG : ended;
}

/* --- a copy ------------------------------------------------------------------------------------------------------ */

static int copy_pages(struct db_pool *p, sqlite3 *to)
{
    struct db *db = db_read(p);
    sqlite3_backup *b = sqlite3_backup_init(to, "main", db->c, "main");
    int r = b ? SQLITE_OK : sqlite3_errcode(to);
    while (b && (r = sqlite3_backup_step(b, 1024)) == SQLITE_OK)
        ;
    if (b)
        sqlite3_backup_finish(b);
    db_end(db, false, NULL);
    return r == SQLITE_DONE ? 0 : r;
}

static int check_copy(sqlite3 *c)
{
    sqlite3_stmt *s = NULL;
    int r = sqlite3_exec(c, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    r = r ? r : sqlite3_prepare_v2(c, "PRAGMA integrity_check(1)", -1, &s, NULL);
    bool is_ok = !r && sqlite3_step(s) == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(s, 0), "ok");
    sqlite3_finalize(s);
    return r ? r : is_ok ? 0 : SQLITE_CORRUPT;
}

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) ? -errno : 0;
    file_close(&fd);
    return r;
}

int db_backup(struct db_pool *p, const char *path, struct fault *f)
{
    char beside[4096];
    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        return FAULT(f, -ENAMETOOLONG, db_failed, path, "");
    sqlite3 *to = NULL;
    unlink(beside);
    int fd = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return FAULT(f, -errno, db_failed, beside, strerrordesc_np(errno));
    close(fd);
    int s = open_file(beside, &to, SQLITE_OPEN_READWRITE);
    s = s ? s : copy_pages(p, to);
    s = s ? s : check_copy(to);
    sqlite3_close(to);
    int r = s ? code_of(s) : sync_path(beside);
    if (!r && rename(beside, path))
        r = -errno;
    if (r)
        unlink(beside);
    return r ? FAULT(f, r, db_failed, path, s ? sqlite3_errstr(s) : strerrordesc_np(-r)) : 0;
}

/* --- functions --------------------------------------------------------------------------------------------------- */

static void call(sqlite3_context *c, int n, sqlite3_value **values)
{
    const struct function *one = sqlite3_user_data(c);
    int64_t v[8] = {0};
    for (int i = 0; i < n && i < 8; i++)
        v[i] = sqlite3_value_int64(values[i]);
    sqlite3_result_int64(c, one->call(one->db->context, v, n));
}

int db_function(struct db_pool *p, const char *name, int n_arguments, int64_t (*function)(void *context, const int64_t *v, int n),
                struct fault *f)
{
    if (p->n_functions == MAX_FUNCTIONS || n_arguments > 8)
        return FAULT(f, -E2BIG, db_failed, p->path, name);
    struct function *all = p->functions[p->n_functions++];
    for (unsigned i = 0; i <= p->n_readers; i++) {
        struct db *db = i ? &p->readers[i - 1] : &p->writer;
        all[i] = (struct function){.db = db, .call = function};
        int r = sqlite3_create_function_v2(db->c, name, n_arguments, SQLITE_UTF8 | SQLITE_DIRECTONLY, &all[i], call, NULL, NULL, NULL);
        if (r)
            return FAULT(f, code_of(r), db_failed, p->path, sqlite3_errmsg(db->c));
    }
    return 0;
}

void db_set_context(struct db *db, void *context)
{
    db->context = context;
}

void db_attach(struct db_pool *p, void *what, void (*release)(void *what))
{
    if (p->release)
        p->release(p->attached);
    p->attached = what;
    p->release = release;
}

void *db_attached(const struct db *db)
{
    return db->pool->attached;
}

const char *db_path(const struct db_pool *p)
{
    return p->path;
}

/* --- a file at rest ---------------------------------------------------------------------------------------------- */

int db_settle(const char *path, struct fault *f)
{
    sqlite3 *c = NULL;
    sqlite3_stmt *s = NULL;
    int r = open_file(path, &c, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
    /* leaving WAL needs the file alone; a refusal is the answer "wal", or busy */
    r = r ? r : sqlite3_prepare_v2(c, "PRAGMA journal_mode=DELETE", -1, &s, NULL);
    int step = r ? r : sqlite3_step(s);
    bool is_alone = step == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(s, 0), "delete");
    sqlite3_finalize(s);
    sqlite3_close(c);
    int code = is_alone ? sync_path(path) : r ? code_of(r) : step == SQLITE_ROW ? -EBUSY : code_of(step);
    return code ? FAULT(f, code, db_failed, path, strerrordesc_np(code < 0 ? -code : EIO)) : 0;
}

int db_check(struct db *db, struct fault *f)
{
    struct db_statement *s = db_sql(db, "PRAGMA integrity_check(1)");
    bool is_read = db_next(s);
    struct text said = is_read ? db_text(s, 0) : (struct text){"", 0};
    if (is_read && !text_is(said, "ok")) {
        FAULT(f, -EBADMSG, db_failed, db->pool->path, said.p);
        db_reset(s);
        return -EBADMSG;
    }
    db_reset(s);
    s = db_sql(db, "PRAGMA foreign_key_check");
    bool is_broken = db_next(s);
    db_reset(s);
    if (db->code)
        return FAULT(f, db->code < 0 ? db->code : -EIO, db_failed, db->pool->path, db->reason);
    return is_broken ? FAULT(f, -EBADMSG, db_failed, db->pool->path, "foreign keys") : 0;
}
