/* SPDX-License-Identifier: Apache-2.0 */
#include "state/trail_layout.h"

#include "base/buf.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 16 << 10 };

/* what hangs on the pool */
struct layouts {
    pthread_mutex_t lock;
    struct trail_layout *first;
    unsigned n;
};

/* the columns of a row of trail_layout, in order */
enum part { KIND, TABLE, COLUMNS, ID_COLUMN, CHILD, CHILD_KEY, CHILD_COLUMNS, N_PARTS };

static void layout_free(struct trail_layout *l)
{
    if (!l)
        return;
    free(l->text);
    free(l->row_sql);
    free(l->child_sql);
    free(l->stray_sql);
    free(l);
}

static void layouts_free(void *what)
{
    struct layouts *all = what;
    for (struct trail_layout *l = all->first, *next; l; l = next) {
        next = l->next;
        layout_free(l);
    }
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static int layouts_attach(struct db_pool *p)
{
    struct layouts *all = calloc(1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    pthread_mutex_init(&all->lock, NULL);
    db_attach(p, all, layouts_free);
    return 0;
}

/* --- one layout -------------------------------------------------------------------------------------------------- */

static bool is_names(struct text t, bool is_list)
{
    for (size_t i = 0; i < t.n; i++)
        if (!(t.p[i] >= 'a' && t.p[i] <= 'z') && !(t.p[i] >= '0' && t.p[i] <= '9') && t.p[i] != '_' && !(is_list && t.p[i] == ','))
            return false;
    return t.n > 0 && t.n < TEXT_MAX_BYTES / 8 && t.p[0] != ',' && t.p[t.n - 1] != ',' && !(t.p[0] >= '0' && t.p[0] <= '9');
}

/* add_quoted - "quote(a), quote(b)": the values as literals of SQL, typed and without two readings. */
static void add_quoted(struct buf *b, struct text columns)
{
    for (size_t i = 0, from = 0; i <= columns.n; i++)
        if (i == columns.n || columns.p[i] == ',') {
            buf_printf(b, "%squote(\"%.*s\")", from ? ", " : "", (int)(i - from), columns.p + from);
            from = i + 1;
        }
}

static char *taken(struct buf *b)
{
    buf_add_byte(b, 0);
    char *p = b->is_bad ? NULL : strdup((const char *)b->p);
    buf_fini(b);
    return p;
}

#define SHOWN(t) (int)(t).n, (t).p

static char *compose_row(const struct text part[N_PARTS])
{
    struct buf b = {.max = TEXT_MAX_BYTES};
    buf_add_text(&b, "SELECT ");
    add_quoted(&b, part[COLUMNS]);
    buf_printf(&b, " FROM \"%.*s\" WHERE \"%.*s\" = ?1", SHOWN(part[TABLE]), SHOWN(part[ID_COLUMN]));
    return taken(&b);
}

static char *compose_child(const struct text part[N_PARTS])
{
    struct buf b = {.max = TEXT_MAX_BYTES};
    buf_add_text(&b, "SELECT ");
    add_quoted(&b, part[CHILD_COLUMNS]);
    buf_printf(&b, " FROM \"%.*s\" WHERE \"%.*s\" = ?1 ORDER BY 1", SHOWN(part[CHILD]), SHOWN(part[CHILD_KEY]));
    return taken(&b);
}

/* compose_stray - objects that no entry knows. */
static char *compose_stray(const struct text part[N_PARTS])
{
    struct buf b = {.max = TEXT_MAX_BYTES};
    buf_printf(&b, "SELECT x.\"%.*s\" FROM \"%.*s\" x WHERE NOT EXISTS(SELECT 1 FROM trail t WHERE t.kind = '%.*s' AND"
                   " t.kind <> '' AND" /* so that the index, which is partial, may be used */
                   " t.object = x.\"%.*s\" AND t.content IS NOT NULL)", SHOWN(part[ID_COLUMN]), SHOWN(part[TABLE]), SHOWN(part[KIND]),
               SHOWN(part[ID_COLUMN]));
    return taken(&b);
}

static char *compose_text(const struct text part[N_PARTS], bool is_whole)
{
    struct buf b = {.max = TEXT_MAX_BYTES};
    for (size_t i = 0; i < N_PARTS; i++)
        buf_printf(&b, "%.*s;", SHOWN(part[i]));
    buf_add_text(&b, is_whole ? "whole;" : "some;");
    return taken(&b);
}

static int layout_new(int64_t id, const struct text part[N_PARTS], bool is_whole, struct trail_layout **ret)
{
    bool has_child = part[CHILD].n > 0;
    if (!is_names(part[KIND], false) || part[KIND].n >= TRAIL_KIND_MAX || !is_names(part[TABLE], false) || !is_names(part[COLUMNS], true) ||
        !is_names(part[ID_COLUMN], false) || (has_child && (!is_names(part[CHILD], false) || !is_names(part[CHILD_KEY], false) ||
        !is_names(part[CHILD_COLUMNS], true))))
        return -EBADMSG;
    struct trail_layout *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->id = id;
    l->is_whole = is_whole;
    memcpy(l->kind, part[KIND].p, part[KIND].n);
    l->text = compose_text(part, is_whole);
    l->row_sql = compose_row(part);
    l->stray_sql = compose_stray(part);
    l->child_sql = has_child ? compose_child(part) : NULL;
    if (!l->text || !l->row_sql || !l->stray_sql || (has_child && !l->child_sql)) {
        layout_free(l);
        return -ENOMEM;
    }
    *ret = l;
    return 0;
}

/* --- those of a file --------------------------------------------------------------------------------------------- */

static struct trail_layout *find(const struct layouts *all, int64_t id)
{
    struct trail_layout *l = all->first;
    while (l && l->id != id)
        l = l->next;
    return l;
}

static int read_one(struct layouts *all, struct db_statement *s)
{
    struct text part[N_PARTS];
    struct trail_layout *l = NULL;
    if (find(all, db_int(s, 0)))
        return 0;
    if (all->n == TRAIL_LAYOUTS_MAX)
        return -EBADMSG;
    for (int i = 0; i < N_PARTS; i++) { /* all live until the next step */
        part[i] = db_text(s, i + 1);
    }
    int r = layout_new(db_int(s, 0), part, db_int(s, N_PARTS + 1) != 0, &l);
    if (r)
        return r;
    for (struct trail_layout *other = all->first; other; other = other->next)
        if (!strcmp(other->kind, l->kind)) {
            l->is_newest |= other->is_newest && other->id < l->id;
            other->is_newest &= other->id > l->id;
        }
    bool is_only = true;
    for (struct trail_layout *other = all->first; other; other = other->next)
        is_only &= strcmp(other->kind, l->kind) != 0;
    l->is_newest |= is_only;
    l->next = all->first;
    all->first = l;
    all->n++;
    return 0;
}

int trail_layouts_read(struct db *db)
{
    struct layouts *all = db_attached(db);
    int r = 0;
    if (!all)
        return -EINVAL;
    pthread_mutex_lock(&all->lock);
    struct db_statement *s = db_sql(db, "SELECT id, kind, table_name, columns, id_column, child, child_key, child_columns, is_whole"
                                        " FROM trail_layout ORDER BY id");
    while (!r && db_next(s))
        r = read_one(all, s);
    db_reset(s);
    pthread_mutex_unlock(&all->lock);
    return r ? r : db_failed(db);
}

const struct trail_layout *trail_layout_each(struct db *db, const struct trail_layout *after)
{
    const struct layouts *all = db_attached(db);
    return after ? after->next : all ? all->first : NULL;
}

const struct trail_layout *trail_layout_newest(struct db *db, struct text kind)
{
    const struct trail_layout *l = trail_layout_each(db, NULL);
    while (l && !(l->is_newest && text_is(kind, l->kind)))
        l = l->next;
    return l;
}

const struct trail_layout *trail_layout_of(struct db *db, int64_t id)
{
    const struct layouts *all = db_attached(db);
    return all ? find(all, id) : NULL;
}

/* --- what the program watches ------------------------------------------------------------------------------------ */

/* columns_of - every column of @table in order, with commas. Return: 0, or -errno. */
static int columns_of(struct db *db, const char *table, struct buf *b)
{
    struct db_statement *s = db_sql(db, "SELECT name FROM pragma_table_info(?1) ORDER BY cid");
    db_bind_str(s, 1, table);
    while (db_next(s)) {
        struct text name = db_text(s, 0);
        if (b->n)
            buf_add_byte(b, ',');
        buf_add(b, name.p, name.n);
    }
    return b->is_bad ? -ENOMEM : db_failed(db) ? db_failed(db) : b->n ? 0 : -ENOENT;
}

/* without_blanks - "a, b" as "a,b". */
static void without_blanks(struct buf *b, const char *columns)
{
    for (; *columns; columns++)
        if (*columns != ' ')
            buf_add_byte(b, (uint8_t)*columns);
}

static int columns_into(struct db *db, const char *table, const char *columns, struct buf *b)
{
    *b = (struct buf){.max = TEXT_MAX_BYTES};
    if (!columns)
        return columns_of(db, table, b);
    without_blanks(b, columns);
    return b->is_bad ? -ENOMEM : 0;
}

static void insert_layout(struct db *db, const struct text part[N_PARTS], bool is_whole)
{
    struct db_statement *s = db_sql(db, "INSERT INTO trail_layout(kind, table_name, columns, id_column, child, child_key, child_columns,"
                                        " is_whole) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    for (int i = 0; i < N_PARTS; i++)
        db_bind_text(s, i + 1, part[i]);
    db_bind(s, N_PARTS + 1, is_whole);
    db_done(s);
}

static struct text text_of(const char *p)
{
    return (struct text){p ? p : "", p ? strlen(p) : 0};
}

static int watch_one(struct db *db, const struct trail_kind *k)
{
    struct buf columns, children = {.max = TEXT_MAX_BYTES};
    struct trail_layout *l = NULL;
    int r = columns_into(db, k->table, k->columns, &columns);
    if (!r && k->child)
        r = columns_into(db, k->child, k->child_columns, &children);
    const struct text part[N_PARTS] = {[KIND] = text_of(k->kind), [TABLE] = text_of(k->table),
        [COLUMNS] = {(const char *)columns.p, columns.n}, [ID_COLUMN] = text_of(k->id ? k->id : "id"), [CHILD] = text_of(k->child),
        [CHILD_KEY] = text_of(k->child ? k->child_key : NULL), [CHILD_COLUMNS] = {children.p ? (const char *)children.p : "", children.n}};
    r = r ? r : layout_new(0, part, k->is_whole, &l);
    if (!r && !trail_layout_fits(db, l)) /* told at the start, not with the first entry */
        r = -ENOENT;
    const struct trail_layout *known = r ? NULL : trail_layout_newest(db, part[KIND]);
    if (!r && (!known || strcmp(known->text, l->text) != 0))
        insert_layout(db, part, k->is_whole);
    layout_free(l);
    buf_fini(&columns);
    buf_fini(&children);
    return r ? r : db_failed(db);
}

int trail_watch(struct db_pool *p, const struct trail_kind *kinds, size_t n, struct fault *f)
{
    struct db *db = db_write(p);
    int r = db_attached(db) ? 0 : layouts_attach(p);
    r = r ? r : trail_layouts_read(db);
    const char *what = "trail_layout";
    for (size_t i = 0; i < n && !r; i++) {
        what = kinds[i].kind;
        r = watch_one(db, &kinds[i]);
    }
    int ended = db_end(db, !r, f);
    r = r ? r : ended;
    if (!r) { /* only what was kept is known from now on */
        db = db_read(p);
        r = trail_layouts_read(db);
        ended = db_end(db, false, f);
        r = r ? r : ended;
    }
    return r ? FAULT(f, r < 0 ? r : -EIO, trail_watch_failed, what, strerrordesc_np(r < 0 ? -r : EIO)) : 0;
}

/* --- the state of an object -------------------------------------------------------------------------------------- */

/* has_columns - every name between quote(" and ") of @sql is a column of @table. */
static bool has_columns(struct db *db, struct text table, struct text columns)
{
    for (size_t i = 0, from = 0; i <= columns.n; i++) {
        if (i < columns.n && columns.p[i] != ',')
            continue;
        struct db_statement *s = db_sql(db, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2");
        db_bind_text(s, 1, table);
        db_bind_text(s, 2, (struct text){columns.p + from, i - from});
        bool is_there = db_next(s);
        db_reset(s);
        if (!is_there)
            return false;
        from = i + 1;
    }
    return true;
}

bool trail_layout_fits(struct db *db, const struct trail_layout *l)
{
    struct text part[N_PARTS];
    const char *p = l->text;
    for (int i = 0; i < N_PARTS; i++) {
        const char *end = strchr(p, ';');
        part[i] = (struct text){p, (size_t)(end - p)};
        p = end + 1;
    }
    return has_columns(db, part[TABLE], part[COLUMNS]) && has_columns(db, part[TABLE], part[ID_COLUMN]) &&
           (!part[CHILD].n || (has_columns(db, part[CHILD], part[CHILD_COLUMNS]) && has_columns(db, part[CHILD], part[CHILD_KEY])));
}

/* add_row - each value with its length before it. */
static void add_row(struct sha256_state *h, struct db_statement *s, int n_columns)
{
    for (int i = 0; i < n_columns; i++) {
        struct text value = db_text(s, i);
        char head[24];
        int n = snprintf(head, sizeof(head), "%zu:", value.n);
        sha256_add(h, head, (size_t)n);
        sha256_add(h, value.p, value.n);
    }
}

static int count_columns(const char *sql)
{
    int n = 0;
    for (const char *p = sql; (p = strstr(p, "quote(")); p++)
        n++;
    return n;
}

struct sha256 trail_content(struct db *db, const struct trail_layout *l, int64_t object)
{
    struct sha256_state h;
    sha256_init(&h);
    sha256_add(&h, l->text, strlen(l->text));
    struct db_statement *s = db_sql(db, l->row_sql);
    db_bind(s, 1, object);
    bool is_there = db_next(s);
    sha256_add(&h, is_there ? "row;" : "absent;", is_there ? 4 : 7);
    if (is_there)
        add_row(&h, s, count_columns(l->row_sql));
    db_reset(s);
    if (l->child_sql) {
        s = db_sql(db, l->child_sql);
        db_bind(s, 1, object);
        while (db_next(s)) {
            sha256_add(&h, "part;", 5);
            add_row(&h, s, count_columns(l->child_sql));
        }
    }
    return sha256_end(&h);
}
