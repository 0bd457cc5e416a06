/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the log of transactions. A commit is one line at a known offset, one fdatasync; until that
 * has answered, the transaction does not exist. When a failed line cannot be taken back, the log calls
 * itself broken: going on could acknowledge what the next reader would not see.
 */
#include "base/file.h"
#include "watch/store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { HASH_DIGITS = 16 };
#define REWRITE_BYTES ((uint64_t)1 << 20) /* shorter logs are not worth a rewrite */

/* --- records ----------------------------------------------------------------------- */

static struct buf *begin_record(struct manifest_change *c)
{
    c->text.max = MANIFEST_LINE_MAX;
    if (c->text.n)
        buf_add_byte(&c->text, ';');
    return &c->text;
}

/* add_escaped - one word of any bytes: all but letters, digits and a few marks as %XX. */
static void add_escaped(struct buf *b, const char *text)
{
    size_t n = strnlen(text, 1024);
    if (n == 0)
        buf_add_byte(b, '-');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        (c && strchr("._/:+,()", c));
        if (is_plain)
            buf_add_byte(b, c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

void manifest_change_fini(struct manifest_change *c)
{
    buf_fini(&c->text);
}

void manifest_add_segment(struct manifest_change *c, const struct manifest_segment *s)
{
    buf_printf(begin_record(c), "segment %llu %d %llu %llu %llu %lld %lld %lld %lld", (unsigned long long)s->id,
               s->family, (unsigned long long)s->order, (unsigned long long)s->n_rows,
               (unsigned long long)s->n_bytes, (long long)s->event_min_us, (long long)s->event_max_us,
               (long long)s->arrived_min_us, (long long)s->arrived_max_us);
}

void manifest_del_segment(struct manifest_change *c, uint64_t id)
{
    buf_printf(begin_record(c), "segment- %llu", (unsigned long long)id);
}

void manifest_add_dictionary(struct manifest_change *c, const struct manifest_dictionary *d)
{
    struct buf *b = begin_record(c);
    buf_printf(b, "dictionary %llu %d %d %llu ", (unsigned long long)d->id, d->family, (int)d->level,
               (unsigned long long)d->n_bytes);
    for (size_t i = 0; i < d->n_members; i++)
        buf_printf(b, i ? ",%llu" : "%llu", (unsigned long long)d->members[i]);
}

void manifest_del_dictionary(struct manifest_change *c, uint64_t id)
{
    buf_printf(begin_record(c), "dictionary- %llu", (unsigned long long)id);
}

void manifest_add_journal(struct manifest_change *c, uint64_t id, int family)
{
    buf_printf(begin_record(c), "journal %llu %d", (unsigned long long)id, family);
}

void manifest_del_journal(struct manifest_change *c, uint64_t id)
{
    buf_printf(begin_record(c), "journal- %llu", (unsigned long long)id);
}

static void add_import(struct manifest_change *c, const struct sha256 *content, uint64_t n_rows, int64_t at_us)
{
    char hex[SHA256_TEXT_MAX];
    sha256_format(content, hex);
    buf_printf(begin_record(c), "import %s %llu %lld ", hex, (unsigned long long)n_rows, (long long)at_us);
}

void manifest_add_import(struct manifest_change *c, const struct sha256 *content, uint64_t n_rows, int64_t at_us,
                         const char *name)
{
    add_import(c, content, n_rows, at_us);
    add_escaped(&c->text, name);
}

void manifest_add_note(struct manifest_change *c, const struct manifest_note *n)
{
    struct buf *b = begin_record(c);
    buf_add_text(b, "note ");
    for (size_t i = 0; i < n->n_key; i++)
        buf_printf(b, "%02x", n->key[i]);
    buf_printf(b, " %llu %llu", (unsigned long long)n->value, (unsigned long long)n->sequence);
}

static void add_damage(struct manifest_change *c, char kind, uint64_t id, uint64_t n_rows)
{
    buf_printf(begin_record(c), "damage %c %llu %llu ", kind, (unsigned long long)id, (unsigned long long)n_rows);
}

void manifest_add_damage(struct manifest_change *c, char kind, uint64_t id, uint64_t n_rows, const char *reason)
{
    add_damage(c, kind, id, n_rows);
    add_escaped(&c->text, reason);
}

void manifest_set_next(struct manifest_change *c, uint64_t next_id)
{
    buf_printf(begin_record(c), "next %llu", (unsigned long long)next_id);
}

/* --- lines ------------------------------------------------------------------------- */

static void add_header(struct buf *b)
{
    buf_printf(b, "vonggac-manifest %d.%d utf-8\n", MANIFEST_MAJOR, MANIFEST_MINOR);
}

/* add_line - @records as a whole line with its number and checksum. */
static void add_line(struct buf *b, uint64_t number, const struct buf *records)
{
    char head[24];
    int n_head = snprintf(head, sizeof(head), "%llu ", (unsigned long long)number);
    XXH3_state_t *hash = XXH3_createState();
    if (!hash) {
        b->is_bad = true;
        return;
    }
    XXH3_64bits_reset(hash);
    XXH3_64bits_update(hash, head, (size_t)n_head);
    XXH3_64bits_update(hash, records->p, records->n);
    buf_printf(b, "%016llx %s", (unsigned long long)XXH3_64bits_digest(hash), head);
    XXH3_freeState(hash);
    buf_add(b, records->p, records->n);
    buf_add_byte(b, '\n');
}

/* flush_piece - a rewritten state is many lines: one would be long, and a bad one would cost all. */
static void flush_piece(struct buf *out, struct manifest_change *piece, uint64_t *number, size_t at_least)
{
    if (piece->text.n <= at_least)
        return;
    out->is_bad |= piece->text.is_bad;
    add_line(out, (*number)++, &piece->text);
    buf_clear(&piece->text);
}

static void add_state(struct buf *out, const struct manifest *m, uint64_t *number)
{
    enum { PIECE = 8192 };
    struct manifest_change c = {0};
    manifest_set_next(&c, m->next_id);
    for (size_t i = 0; i < m->n_segments; i++) {
        if (!m->segments[i].is_gone)
            manifest_add_segment(&c, &m->segments[i]);
        flush_piece(out, &c, number, PIECE);
    }
    for (size_t i = 0; i < m->n_dictionaries; i++) {
        manifest_add_dictionary(&c, &m->dictionaries[i]);
        flush_piece(out, &c, number, PIECE);
    }
    for (size_t i = 0; i < m->n_journals; i++)
        manifest_add_journal(&c, m->journals[i].id, m->journals[i].family);
    for (size_t i = 0; i < m->n_imports; i++) {
        add_import(&c, &m->imports[i].content, m->imports[i].n_rows, m->imports[i].at_us);
        buf_add_text(&c.text, m->imports[i].name); /* escaped already */
        flush_piece(out, &c, number, PIECE);
    }
    for (size_t i = 0; i < m->n_damages; i++) {
        add_damage(&c, m->damages[i].kind, m->damages[i].id, m->damages[i].n_rows);
        buf_add_text(&c.text, m->damages[i].reason);
        flush_piece(out, &c, number, PIECE);
    }
    for (size_t i = 0; i < m->notes.n_slots; i++) {
        if (m->notes.slots[i].n_key)
            manifest_add_note(&c, &m->notes.slots[i]);
        flush_piece(out, &c, number, PIECE);
    }
    flush_piece(out, &c, number, 0);
    if (m->unknown.n) {
        buf_add(begin_record(&c), m->unknown.p, m->unknown.n);
        flush_piece(out, &c, number, 0);
    }
    out->is_bad |= c.text.is_bad;
    manifest_change_fini(&c);
}

static int open_log(struct manifest_log *l)
{
    file_close(&l->fd);
    l->fd = openat(l->dir_fd, MANIFEST_NAME, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    return l->fd < 0 ? -errno : 0;
}

/* is_still_there - whether the name leads to the very file that is open here. */
static bool is_still_there(const struct manifest_log *l)
{
    struct stat here, there;
    return l->fd >= 0 && !fstat(l->fd, &here) && !fstatat(l->dir_fd, MANIFEST_NAME, &there, AT_SYMLINK_NOFOLLOW) &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

int manifest_rewrite(struct manifest_log *l, struct manifest *m, struct fault *f)
{
    struct buf out = {.max = MANIFEST_MAX_BYTES};
    uint64_t number = 0;
    add_header(&out);
    add_state(&out, m, &number);
    if (out.is_bad) {
        buf_fini(&out);
        return FAULT(f, -ENOMEM, store_no_memory, "store/" MANIFEST_NAME);
    }
    int r = file_step("manifest-rewrite");
    if (!r)
        r = file_replace(l->dir_fd, MANIFEST_NAME, out.p, out.n);
    if (r && !is_still_there(l))
        l->is_broken = true; /* renamed, but not durably: only the next open can tell which file stays */
    if (!r) {
        r = open_log(l);
        l->is_broken |= r != 0;
    }
    if (r) {
        buf_fini(&out);
        return FAULT(f, r, store_write_failed, "store/" MANIFEST_NAME, strerrordesc_np(-r));
    }
    m->n_bytes = m->n_bytes_file = out.n;
    m->next_line = number;
    m->n_bad_lines = 0;
    buf_fini(&out);
    return 0;
}

/* wasted - whether most of the file is history. */
static bool is_wasted(const struct manifest *m)
{
    uint64_t live = 200 + (m->n_segments - m->n_gone) * 110 + m->n_journals * 16 + m->n_imports * 120 +
                    m->notes.n * 60 + m->n_damages * 120;
    for (size_t i = 0; i < m->n_dictionaries; i++)
        live += 48 + m->dictionaries[i].n_members * 8;
    return m->n_bytes > REWRITE_BYTES && m->n_bytes / 4 > live;
}

int manifest_log_open(struct manifest_log *l, int dir_fd, struct manifest *m, struct fault *f)
{
    *l = (struct manifest_log){.dir_fd = dir_fd, .fd = -1};
    if (m->n_bytes == 0) {
        if (m->next_id == 0)
            m->next_id = 1;
        return manifest_rewrite(l, m, f);
    }
    int r = open_log(l);
    if (!r && (m->n_bad_lines || is_wasted(m)) && !manifest_rewrite(l, m, NULL))
        return 0; /* else the disk may be full: go on with the long file */
    if (!r && l->is_broken)
        r = -EIO;
    if (!r && m->n_bytes_file > m->n_bytes) {
        r = file_step("manifest-cut");
        if (!r && ftruncate(l->fd, (off_t)m->n_bytes))
            r = -errno;
        if (!r && fdatasync(l->fd))
            r = -errno;
    }
    if (r) {
        manifest_log_close(l);
        return FAULT(f, r, store_write_failed, "store/" MANIFEST_NAME, strerrordesc_np(-r));
    }
    m->n_bytes_file = m->n_bytes;
    return 0;
}

void manifest_log_close(struct manifest_log *l)
{
    file_close(&l->fd);
}

static int write_line(struct manifest_log *l, uint64_t offset, const struct buf *line)
{
    int r = file_step("manifest-write");
    if (r)
        return r;
    for (size_t done = 0; done < line->n;) {
        ssize_t put = pwrite(l->fd, line->p + done, line->n - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        done += (size_t)put;
    }
    r = file_step("manifest-sync");
    return r ? r : (fdatasync(l->fd) ? -errno : 0);
}

/* take_back - a failed line must not come to life at the next open. Return: whether it certainly will not. */
static bool take_back(struct manifest_log *l, uint64_t offset)
{
    return !file_step("manifest-undo") && !ftruncate(l->fd, (off_t)offset) && !fdatasync(l->fd);
}

/* read_again - memory ran out while a durable line was taken in: the file holds the whole state. */
static int read_again(struct manifest_log *l, struct manifest *m)
{
    struct manifest fresh;
    uint64_t next_id = m->next_id;
    manifest_fini(m);
    int r = manifest_load(l->dir_fd, &fresh, NULL);
    if (r) {
        m->next_id = next_id;
        return r;
    }
    *m = fresh;
    if (m->next_id < next_id)
        m->next_id = next_id;
    return 0;
}

int manifest_commit(struct manifest_log *l, struct manifest *m, struct manifest_change *c, bool *ret_is_uncertain,
                    struct fault *f)
{
    bool is_uncertain = false;
    struct buf line = {.max = MANIFEST_LINE_MAX + 64};
    int r = 0;
    if (l->is_broken)
        r = FAULT(f, -EIO, store_broken, "store/" MANIFEST_NAME);
    if (!r && !c->text.is_bad)
        add_line(&line, m->next_line, &c->text);
    if (!r && (c->text.is_bad || line.is_bad))
        r = FAULT(f, -ENOMEM, store_no_memory, "store/" MANIFEST_NAME);
    if (!r) {
        r = write_line(l, m->n_bytes, &line);
        if (r && !take_back(l, m->n_bytes))
            is_uncertain = l->is_broken = true;
        if (r)
            r = FAULT(f, r, store_write_failed, "store/" MANIFEST_NAME, strerrordesc_np(-r));
    }
    if (!r) {
        m->n_bytes += line.n;
        m->n_bytes_file = m->n_bytes;
        r = manifest_apply(m, (const char *)line.p, line.n - 1);
        if (r)
            r = read_again(l, m);
        if (r) { /* on disk it is done; this process no longer knows the whole of it */
            is_uncertain = l->is_broken = true;
            r = FAULT(f, r, store_broken, "store/" MANIFEST_NAME);
        }
    }
    buf_fini(&line);
    buf_clear(&c->text);
    if (ret_is_uncertain)
        *ret_is_uncertain = is_uncertain;
    if (!r && is_wasted(m))
        (void)manifest_rewrite(l, m, NULL); /* if it fails, the next commit says so */
    return r;
}
