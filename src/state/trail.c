/* SPDX-License-Identifier: Apache-2.0 */
#include "state/trail.h"

#include "base/clock.h"
#include "state/trail_layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REFUSES(table, what) \
    "CREATE TRIGGER " table "_no_" what " BEFORE " what " ON " table " BEGIN SELECT RAISE(ABORT, '" table ": append only'); END;"

static const char STEP[] =
    "CREATE TABLE trail_layout(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, table_name TEXT NOT NULL, columns TEXT NOT NULL,"
    " id_column TEXT NOT NULL, child TEXT NOT NULL, child_key TEXT NOT NULL, child_columns TEXT NOT NULL,"
    " is_whole INTEGER NOT NULL CHECK(is_whole IN (0, 1))) STRICT;" REFUSES("trail_layout", "UPDATE") REFUSES("trail_layout", "DELETE")
    "CREATE TABLE trail(n INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL,"
    " object INTEGER NOT NULL, why TEXT NOT NULL, detail TEXT NOT NULL, address TEXT NOT NULL, layout INTEGER, content BLOB,"
    " link BLOB NOT NULL CHECK(length(link) = 32)) STRICT;"
    "CREATE INDEX trail_by_object ON trail(kind, object, n) WHERE kind <> '';"
    "CREATE INDEX trail_by_time ON trail(at_us);"
    "CREATE INDEX trail_by_who ON trail(who, n);"
    REFUSES("trail", "UPDATE") REFUSES("trail", "DELETE")
    /* REPLACE would pass the trigger of DELETE */
    "CREATE TRIGGER trail_in_order BEFORE INSERT ON trail WHEN NEW.n <> (SELECT coalesce(max(n), 0) FROM trail) + 1"
    " BEGIN SELECT RAISE(ABORT, 'trail: append only'); END;";
static const char *const STEPS[] = {STEP};
const struct db_migrations trail_migrations = {"trail", STEPS, 1};

/* one row, as it is stored and hashed */
struct entry {
    int64_t n;
    struct trail_entry e;
    int64_t layout; /* 0: no content */
    struct sha256 content;
};

/* --- the chain --------------------------------------------------------------------------------------------------- */

static void add_text(struct sha256_state *h, struct text t)
{
    char head[24];
    int n = snprintf(head, sizeof(head), "%zu:", t.n);
    sha256_add(h, head, (size_t)n);
    sha256_add(h, t.p ? t.p : "", t.n);
}

/* link_of - each value with its length before it, so that no two entries have the same text. */
static struct sha256 link_of(const struct sha256 *before, const struct entry *e)
{
    struct sha256_state h;
    char numbers[128];
    sha256_init(&h);
    sha256_add(&h, before->b, sizeof(before->b));
    int n = snprintf(numbers, sizeof(numbers), "%lld;%lld;%lld;%lld;", (long long)e->n, (long long)e->e.at_us, (long long)e->e.object,
                     (long long)e->layout);
    sha256_add(&h, numbers, (size_t)n);
    add_text(&h, e->e.who);
    add_text(&h, e->e.action);
    add_text(&h, e->e.kind);
    add_text(&h, e->e.why);
    add_text(&h, e->e.detail);
    add_text(&h, e->e.address);
    if (e->layout)
        sha256_add(&h, e->content.b, sizeof(e->content.b));
    return sha256_end(&h);
}

static bool take_hash(struct text blob, struct sha256 *ret)
{
    bool is_one = blob.n == sizeof(ret->b);
    if (is_one)
        memcpy(ret->b, blob.p, blob.n);
    return is_one;
}

int trail_head(struct db *db, struct sha256 *ret, uint64_t *ret_n)
{
    *ret = (struct sha256){{0}};
    *ret_n = 0;
    struct db_statement *s = db_sql(db, "SELECT n, link FROM trail ORDER BY n DESC LIMIT 1");
    if (!db_next(s))
        return 1;
    *ret_n = (uint64_t)db_int(s, 0);
    take_hash(db_blob(s, 1), ret);
    db_reset(s);
    return 0;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static struct text cut(struct text t, size_t max)
{
    if (t.n <= max)
        return t;
    t.n = max;
    while (t.n && (t.p[t.n] & 0xc0) == 0x80)
        t.n--;
    return t;
}

static void insert(struct db *db, const struct entry *e, const struct sha256 *link)
{
    struct db_statement *s = db_sql(db, "INSERT INTO trail(n, at_us, who, action, kind, object, why, detail, address, layout,"
                                        " content, link) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
    db_bind(s, 1, e->n);
    db_bind(s, 2, e->e.at_us);
    db_bind_text(s, 3, e->e.who);
    db_bind_text(s, 4, e->e.action);
    db_bind_text(s, 5, e->e.kind);
    db_bind(s, 6, e->e.object);
    db_bind_text(s, 7, e->e.why);
    db_bind_text(s, 8, e->e.detail);
    db_bind_text(s, 9, e->e.address);
    if (e->layout) {
        db_bind(s, 10, e->layout);
        db_bind_blob(s, 11, e->content.b, sizeof(e->content.b));
    }
    db_bind_blob(s, 12, link->b, sizeof(link->b));
    db_done(s);
}

void trail_add(struct db *db, const struct trail_entry *given)
{
    struct entry e = {.e = *given};
    char instead[64];
    struct sha256 head;
    uint64_t n;
    e.e.who = cut(given->who, 200);
    e.e.action = cut(given->action, 100);
    e.e.kind = cut(given->kind, TRAIL_KIND_MAX - 1);
    e.e.why = cut(given->why, TRAIL_WHY_MAX);
    e.e.address = cut(given->address, 100);
    if (given->detail.n > TRAIL_DETAIL_MAX) {
        int length = snprintf(instead, sizeof(instead), "{\"is_cut\":true,\"bytes\":%zu}", given->detail.n);
        e.e.detail = (struct text){instead, (size_t)length};
    }
    const struct trail_layout *l = given->kind.n && given->object > 0 ? trail_layout_newest(db, given->kind) : NULL;
    if (l) {
        e.layout = l->id;
        e.content = trail_content(db, l, given->object);
    }
    trail_head(db, &head, &n);
    e.n = (int64_t)n + 1;
    struct sha256 link = link_of(&head, &e);
    insert(db, &e, &link);
}

int64_t trail_again(struct db *db, struct text kind, const char *why, int64_t now_us)
{
    const struct trail_layout *l = trail_layout_newest(db, kind);
    int64_t n = 0;
    if (!l)
        return 0;
    struct db_statement *s = db_sql(db, "SELECT DISTINCT object FROM trail WHERE kind = ?1 AND content IS NOT NULL ORDER BY object");
    db_bind_text(s, 1, kind);
    while (db_next(s)) {
        const struct trail_entry e = {.at_us = now_us, .who = TEXT("system"), .action = TEXT("trail.again"), .kind = kind,
            .object = db_int(s, 0), .why = {why, strlen(why)}};
        trail_add(db, &e);
        n++;
    }
    return n;
}

/* --- verifying --------------------------------------------------------------------------------------------------- */

static bool read_entry(struct db_statement *s, struct entry *e, struct sha256 *ret_link)
{
    *e = (struct entry){.n = db_int(s, 0), .layout = db_int(s, 9)};
    e->e = (struct trail_entry){.at_us = db_int(s, 1), .who = db_text(s, 2), .action = db_text(s, 3), .kind = db_text(s, 4),
        .object = db_int(s, 5), .why = db_text(s, 6), .detail = db_text(s, 7), .address = db_text(s, 8)};
    bool has_content = !db_is_null(s, 10);
    if (has_content != (e->layout != 0) || (has_content && !take_hash(db_blob(s, 10), &e->content)))
        return false;
    return take_hash(db_blob(s, 11), ret_link);
}

static void verify_chain(struct db *db, const struct sha256 *head, struct trail_report *ret)
{
    struct db_statement *s = db_sql(db, "SELECT n, at_us, who, action, kind, object, why, detail, address, layout, content, link FROM trail"
                                        " ORDER BY n");
    while (db_next(s)) {
        struct entry e;
        struct sha256 link, expected;
        ret->n_entries++;
        if (ret->first_wrong)
            continue;
        bool is_entry = read_entry(s, &e, &link) && (uint64_t)e.n == ret->n_entries;
        expected = is_entry ? link_of(&ret->head, &e) : (struct sha256){{0}};
        if (!is_entry || memcmp(link.b, expected.b, sizeof(link.b)) != 0) {
            ret->first_wrong = ret->n_entries;
            continue;
        }
        ret->head = link;
        ret->has_head |= head && !memcmp(head->b, link.b, sizeof(link.b));
    }
}

static void object_wrong(struct trail_report *ret, const char *kind, size_t n_kind, int64_t id)
{
    if (!ret->n_objects_wrong++) {
        char shown[64];
        snprintf(ret->wrong_object, sizeof(ret->wrong_object), "%s %lld", text_escape(kind, n_kind, shown, sizeof(shown)), (long long)id);
    }
}

/* verify_objects - what the last entry of each says against what stands there. */
static void verify_objects(struct db *db, struct trail_report *ret)
{
    const struct trail_layout *fits = NULL;
    struct db_statement *s = db_sql(db, "SELECT t.kind, t.object, t.layout, t.content FROM (SELECT max(n) AS n FROM trail"
                                        " WHERE kind <> '' AND content IS NOT NULL GROUP BY kind, object) l JOIN trail t ON t.n = l.n");
    while (db_next(s)) {
        struct sha256 said, is;
        struct text kind = db_text(s, 0);
        const struct trail_layout *l = trail_layout_of(db, db_int(s, 2));
        ret->n_objects++;
        bool is_one = l && text_is(kind, l->kind) && take_hash(db_blob(s, 3), &said) && (l == fits || trail_layout_fits(db, l));
        fits = is_one ? l : fits;
        is = is_one ? trail_content(db, l, db_int(s, 1)) : (struct sha256){{0}};
        if (!is_one || memcmp(said.b, is.b, sizeof(is.b)) != 0)
            object_wrong(ret, kind.p, kind.n, db_int(s, 1));
    }
}

/* verify_strays - rows of a kind that is watched as a whole which no entry knows. */
static void verify_strays(struct db *db, struct trail_report *ret)
{
    for (const struct trail_layout *l = trail_layout_each(db, NULL); l; l = trail_layout_each(db, l)) {
        if (!l->is_newest || !l->is_whole || !trail_layout_fits(db, l))
            continue;
        struct db_statement *s = db_sql(db, l->stray_sql);
        while (db_next(s)) {
            ret->n_objects++;
            object_wrong(ret, l->kind, strlen(l->kind), db_int(s, 0));
        }
    }
}

int trail_verify(struct db *db, const struct sha256 *head, struct trail_report *ret, struct fault *f)
{
    *ret = (struct trail_report){0};
    int r = trail_layouts_read(db);
    if (r == -EBADMSG)
        object_wrong(ret, "trail_layout", 12, 0);
    else if (r)
        return FAULT(f, r < 0 ? r : -EIO, trail_watch_failed, "trail_layout", strerrordesc_np(r < 0 ? -r : EIO));
    verify_chain(db, head, ret);
    verify_objects(db, ret);
    verify_strays(db, ret);
    r = db_failed(db);
    return r < 0 ? r : r ? -EIO : 0;
}
