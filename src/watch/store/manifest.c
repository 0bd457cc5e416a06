/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the log of transactions. Every change of the state goes through apply_line, also the
 * writer's own: what a reader will understand is what the writer holds.
 */
#include "watch/store/manifest.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { HASH_DIGITS = 16, MAX_MEMBERS = 4096 };

/* words - what is left of one record. */
struct words {
    struct text rest;
    bool is_bad;
};

static struct text next_word(struct words *w)
{
    const char *blank = w->rest.n ? memchr(w->rest.p, ' ', w->rest.n) : NULL;
    size_t n = blank ? (size_t)(blank - w->rest.p) : w->rest.n;
    struct text word = {w->rest.p, n};
    w->is_bad |= n == 0;
    w->rest.p += blank ? n + 1 : n;
    w->rest.n -= blank ? n + 1 : n;
    return word;
}

static uint64_t next_number(struct words *w)
{
    uint64_t v = 0;
    struct text t = next_word(w);
    w->is_bad |= text_u64(t, UINT64_MAX, &v) != 0;
    return v;
}

static int64_t next_time(struct words *w)
{
    struct text t = next_word(w);
    bool is_negative = t.n && t.p[0] == '-';
    if (is_negative) {
        t.p++;
        t.n--;
    }
    uint64_t v = 0;
    w->is_bad |= text_u64(t, is_negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX, &v) != 0;
    return is_negative ? (int64_t)(0 - v) : (int64_t)v;
}

static int next_family(struct words *w)
{
    uint64_t v = next_number(w);
    w->is_bad |= v != 4 && v != 6 && v != MANIFEST_LOGS && v != MANIFEST_LEASES;
    return (int)v;
}

/* grow - room for one more element. */
static int grow(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return 0;
    size_t wanted = *room ? *room * 2 : 16, bytes;
    if (__builtin_mul_overflow(wanted, size, &bytes))
        return -ENOMEM;
    void *old;
    memcpy(&old, array, sizeof(old));
    void *grown = realloc(old, bytes);
    if (!grown)
        return -ENOMEM;
    memcpy(array, &grown, sizeof(grown));
    *room = wanted;
    return 0;
}

static char *copy_text(struct text t)
{
    char *p = malloc(t.n + 1);
    if (!p)
        return NULL;
    memcpy(p, t.p, t.n);
    p[t.n] = '\0';
    return p;
}

void manifest_unescape(const char *p, char *out, size_t n_out)
{
    size_t n = 0;
    for (; *p && n + 1 < n_out; p++) {
        unsigned c;
        if (*p == '%' && sscanf(p + 1, "%2x", &c) == 1 && p[1] && p[2]) {
            out[n++] = (char)c;
            p += 2;
        } else
            out[n++] = *p;
    }
    out[n] = '\0';
}

/* --- segments ------------------------------------------------------------------ */

/* segment_place - index of the first element whose id is >= @id. */
static size_t segment_place(const struct manifest *m, uint64_t id)
{
    size_t from = 0, to = m->n_segments;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (m->segments[middle].id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static int put_segment(struct manifest *m, const struct manifest_segment *s)
{
    size_t at = segment_place(m, s->id);
    if (at < m->n_segments && m->segments[at].id == s->id) {
        m->n_gone -= m->segments[at].is_gone;
        m->segments[at] = *s;
        return 0;
    }
    int r = grow(&m->segments, m->n_segments, &m->room_segments, sizeof(*m->segments));
    if (r)
        return r;
    memmove(m->segments + at + 1, m->segments + at, (m->n_segments - at) * sizeof(*m->segments));
    m->segments[at] = *s;
    m->n_segments++;
    return 0;
}

static void drop_segment(struct manifest *m, uint64_t id)
{
    size_t at = segment_place(m, id);
    if (at == m->n_segments || m->segments[at].id != id || m->segments[at].is_gone)
        return;
    m->segments[at].is_gone = true;
    if (++m->n_gone < 1024 || m->n_gone < m->n_segments / 2)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < m->n_segments; i++)
        if (!m->segments[i].is_gone)
            m->segments[kept++] = m->segments[i];
    m->n_segments = kept;
    m->n_gone = 0;
}

const struct manifest_segment *manifest_find_segment(const struct manifest *m, uint64_t id)
{
    size_t at = segment_place(m, id);
    bool is_live = at < m->n_segments && m->segments[at].id == id && !m->segments[at].is_gone;
    return is_live ? &m->segments[at] : NULL;
}

static int by_order(const void *a, const void *b)
{
    const struct manifest_segment *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

int manifest_live(const struct manifest *m, struct manifest_segment **ret, size_t *ret_n)
{
    struct manifest_segment *all = malloc((m->n_segments + 1) * sizeof(*all));
    if (!all)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < m->n_segments; i++)
        if (!m->segments[i].is_gone)
            all[n++] = m->segments[i];
    qsort(all, n, sizeof(*all), by_order);
    *ret = all;
    *ret_n = n;
    return 0;
}

static int read_segment(struct manifest *m, struct words *w)
{
    struct manifest_segment s = {.id = next_number(w)};
    s.family = next_family(w);
    s.order = next_number(w);
    s.n_rows = next_number(w);
    s.n_bytes = next_number(w);
    s.event_min_us = next_time(w);
    s.event_max_us = next_time(w);
    s.arrived_min_us = next_time(w);
    s.arrived_max_us = next_time(w);
    if (w->is_bad)
        return -EBADMSG;
    if (s.id >= m->next_id)
        m->next_id = s.id + 1;
    return put_segment(m, &s);
}

/* --- dictionaries ---------------------------------------------------------------- */

static void drop_dictionary(struct manifest *m, uint64_t id)
{
    for (size_t i = 0; i < m->n_dictionaries; i++)
        if (m->dictionaries[i].id == id) {
            free(m->dictionaries[i].members);
            m->dictionaries[i] = m->dictionaries[--m->n_dictionaries];
            return;
        }
}

static int read_members(struct manifest_dictionary *d, struct text list)
{
    d->members = malloc(MAX_MEMBERS * sizeof(*d->members));
    if (!d->members)
        return -ENOMEM;
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;
        if (d->n_members == MAX_MEMBERS ||
            text_u64((struct text){list.p, n}, UINT64_MAX, &d->members[d->n_members++]))
            return -EBADMSG;
        n += comma != NULL;
        list.p += n;
        list.n -= n;
    }
    uint64_t *less = realloc(d->members, (d->n_members + 1) * sizeof(*less));
    if (less)
        d->members = less;
    return 0;
}

static int read_dictionary(struct manifest *m, struct words *w)
{
    struct manifest_dictionary d = {.id = next_number(w)};
    d.family = next_family(w);
    uint64_t level = next_number(w);
    d.n_bytes = next_number(w);
    struct text members = next_word(w);
    if (w->is_bad || (level != MANIFEST_HOUR && level != MANIFEST_DAY))
        return -EBADMSG;
    d.level = (enum manifest_level)level;
    int r = read_members(&d, members);
    if (!r)
        r = grow(&m->dictionaries, m->n_dictionaries, &m->room_dictionaries, sizeof(*m->dictionaries));
    if (r) {
        free(d.members);
        return r;
    }
    if (d.id >= m->next_id)
        m->next_id = d.id + 1;
    drop_dictionary(m, d.id);
    m->dictionaries[m->n_dictionaries++] = d;
    return 0;
}

/* --- journals, imports, notes, damage ---------------------------------------------- */

bool manifest_has_journal(const struct manifest *m, uint64_t id)
{
    for (size_t i = 0; i < m->n_journals; i++)
        if (m->journals[i].id == id)
            return true;
    return false;
}

static void drop_journal(struct manifest *m, uint64_t id)
{
    for (size_t i = 0; i < m->n_journals; i++)
        if (m->journals[i].id == id) {
            memmove(m->journals + i, m->journals + i + 1, (m->n_journals - i - 1) * sizeof(*m->journals));
            m->n_journals--;
            return;
        }
}

static int read_journal(struct manifest *m, struct words *w)
{
    struct manifest_journal j = {.id = next_number(w)};
    j.family = next_family(w);
    if (w->is_bad)
        return -EBADMSG;
    int r = grow(&m->journals, m->n_journals, &m->room_journals, sizeof(*m->journals));
    if (r)
        return r;
    if (j.id >= m->next_id)
        m->next_id = j.id + 1;
    drop_journal(m, j.id);
    m->journals[m->n_journals++] = j;
    return 0;
}

static size_t import_slot(const struct manifest *m, const struct sha256 *content)
{
    uint64_t hash;
    memcpy(&hash, content->b, sizeof(hash));
    size_t i = (size_t)hash & (m->n_import_slots - 1);
    while (m->import_slots[i] &&
           memcmp(m->imports[m->import_slots[i] - 1].content.b, content->b, sizeof(content->b)) != 0)
        i = (i + 1) & (m->n_import_slots - 1);
    return i;
}

const struct manifest_import *manifest_find_import(const struct manifest *m, const struct sha256 *content)
{
    if (!m->n_import_slots)
        return NULL;
    uint32_t at = m->import_slots[import_slot(m, content)];
    return at ? &m->imports[at - 1] : NULL;
}

static int index_import(struct manifest *m, uint32_t i)
{
    if (m->n_import_slots < 2 * (size_t)(i + 1)) {
        size_t wanted = m->n_import_slots ? m->n_import_slots * 2 : 64;
        uint32_t *slots = calloc(wanted, sizeof(*slots));
        if (!slots)
            return -ENOMEM;
        free(m->import_slots);
        m->import_slots = slots;
        m->n_import_slots = wanted;
        for (uint32_t k = 0; k < i; k++)
            m->import_slots[import_slot(m, &m->imports[k].content)] = k + 1;
    }
    m->import_slots[import_slot(m, &m->imports[i].content)] = i + 1; /* the latest import of a content wins */
    return 0;
}

static int read_import(struct manifest *m, struct words *w)
{
    struct manifest_import i = {0};
    struct text content = next_word(w);
    i.n_rows = next_number(w);
    i.at_us = next_time(w);
    struct text name = next_word(w);
    if (w->is_bad || sha256_parse(content.p, content.n, &i.content))
        return -EBADMSG;
    if (m->n_imports >= UINT32_MAX / 4)
        return -ENOBUFS;
    int r = grow(&m->imports, m->n_imports, &m->room_imports, sizeof(*m->imports));
    if (r)
        return r;
    i.name = copy_text(name);
    if (!i.name)
        return -ENOMEM;
    m->imports[m->n_imports] = i;
    r = index_import(m, (uint32_t)m->n_imports);
    if (r) {
        free(i.name);
        return r;
    }
    m->n_imports++;
    return 0;
}

static struct manifest_note *note_slot(const struct manifest_notes *notes, const void *key, size_t n_key)
{
    size_t i = (size_t)XXH3_64bits(key, n_key) & (notes->n_slots - 1);
    while (notes->slots[i].n_key && (notes->slots[i].n_key != n_key || memcmp(notes->slots[i].key, key, n_key) != 0))
        i = (i + 1) & (notes->n_slots - 1);
    return &notes->slots[i];
}

static int grow_notes(struct manifest_notes *notes)
{
    struct manifest_notes more = {.n = notes->n, .n_slots = notes->n_slots ? notes->n_slots * 2 : 64};
    more.slots = calloc(more.n_slots, sizeof(*more.slots));
    if (!more.slots)
        return -ENOMEM;
    for (size_t i = 0; i < notes->n_slots; i++)
        if (notes->slots[i].n_key)
            *note_slot(&more, notes->slots[i].key, notes->slots[i].n_key) = notes->slots[i];
    free(notes->slots);
    *notes = more;
    return 0;
}

int manifest_note_set(struct manifest_notes *notes, const void *key, size_t n_key, uint64_t value, uint64_t sequence)
{
    if (n_key == 0 || n_key > MANIFEST_KEY_MAX)
        return -EINVAL;
    if (2 * (notes->n + 1) > notes->n_slots) {
        int r = grow_notes(notes);
        if (r)
            return r;
    }
    struct manifest_note *slot = note_slot(notes, key, n_key);
    if (slot->n_key && slot->sequence > sequence)
        return 0;
    if (!slot->n_key) {
        if (notes->n >= MANIFEST_NOTES_MAX)
            return -ENOBUFS;
        notes->n++;
        memcpy(slot->key, key, n_key);
        slot->n_key = (uint8_t)n_key;
    }
    slot->value = value;
    slot->sequence = sequence;
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_note(struct manifest *m, struct words *w)
{
    uint8_t key[MANIFEST_KEY_MAX];
    struct text hex = next_word(w);
    uint64_t value = next_number(w), sequence = next_number(w);
    if (w->is_bad || hex.n % 2 || hex.n > 2 * sizeof(key))
        return -EBADMSG;
    for (size_t i = 0; i < hex.n; i += 2) {
        int high = hex_digit(hex.p[i]), low = hex_digit(hex.p[i + 1]);
        if (high < 0 || low < 0)
            return -EBADMSG;
        key[i / 2] = (uint8_t)(high << 4 | low);
    }
    int r = manifest_note_set(&m->notes, key, hex.n / 2, value, sequence);
    return r == -ENOBUFS ? 0 : r;
}

static int read_damage(struct manifest *m, struct words *w)
{
    struct text kind = next_word(w);
    struct manifest_damage d = {.id = next_number(w)};
    d.n_rows = next_number(w);
    struct text reason = next_word(w);
    if (w->is_bad || kind.n != 1 || !strchr("sdj", kind.p[0]))
        return -EBADMSG;
    d.kind = kind.p[0];
    int r = grow(&m->damages, m->n_damages, &m->room_damages, sizeof(*m->damages));
    if (r)
        return r;
    d.reason = copy_text(reason);
    if (!d.reason)
        return -ENOMEM;
    m->damages[m->n_damages++] = d;
    return 0;
}

/* --- lines ------------------------------------------------------------------------ */

static int read_removal(struct manifest *m, struct words *w, void (*drop)(struct manifest *, uint64_t))
{
    uint64_t id = next_number(w);
    if (w->is_bad)
        return -EBADMSG;
    drop(m, id);
    return 0;
}

static int keep_unknown(struct manifest *m, struct text record)
{
    m->unknown.max = MANIFEST_LINE_MAX;
    if (m->unknown.n)
        buf_add_byte(&m->unknown, ';');
    buf_add(&m->unknown, record.p, record.n);
    return m->unknown.is_bad ? -ENOMEM : 0;
}

static int apply_record(struct manifest *m, struct text record)
{
    struct words w = {.rest = record};
    struct text kind = next_word(&w);
    if (text_is(kind, "segment"))
        return read_segment(m, &w);
    if (text_is(kind, "segment-"))
        return read_removal(m, &w, drop_segment);
    if (text_is(kind, "dictionary"))
        return read_dictionary(m, &w);
    if (text_is(kind, "dictionary-"))
        return read_removal(m, &w, drop_dictionary);
    if (text_is(kind, "journal"))
        return read_journal(m, &w);
    if (text_is(kind, "journal-"))
        return read_removal(m, &w, drop_journal);
    if (text_is(kind, "import"))
        return read_import(m, &w);
    if (text_is(kind, "note"))
        return read_note(m, &w);
    if (text_is(kind, "damage"))
        return read_damage(m, &w);
    if (text_is(kind, "next")) {
        uint64_t next = next_number(&w);
        m->next_id = next > m->next_id ? next : m->next_id;
        return w.is_bad ? -EBADMSG : 0;
    }
    return keep_unknown(m, record);
}

/*
 * apply_line - one transaction. Return: 0, -EBADMSG (checksum, number or a record is wrong), -ENOMEM.
 * The checksum makes a half-applied line impossible but for a program's mistake.
 */
static int apply_line(struct manifest *m, struct text line)
{
    struct text hash = {line.p, HASH_DIGITS};
    char expected[HASH_DIGITS + 1];
    if (line.n < HASH_DIGITS + 2 || line.p[HASH_DIGITS] != ' ')
        return -EBADMSG;
    struct text rest = {line.p + HASH_DIGITS + 1, line.n - HASH_DIGITS - 1};
    snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)XXH3_64bits(rest.p, rest.n));
    if (memcmp(expected, hash.p, HASH_DIGITS) != 0)
        return -EBADMSG;
    struct words w = {.rest = rest};
    uint64_t number = next_number(&w);
    if (w.is_bad)
        return -EBADMSG;
    if (number != m->next_line)
        m->n_bad_lines++; /* lines between have been lost */
    m->next_line = number + 1;
    for (rest = w.rest; rest.n;) {
        const char *end = memchr(rest.p, ';', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        int r = apply_record(m, (struct text){rest.p, n});
        if (r)
            return r;
        n += end != NULL;
        rest.p += n;
        rest.n -= n;
    }
    return 0;
}

/* parse_header - "vonggac-manifest MAJOR.MINOR utf-8". Return: 0, -EPROTO, -EBADMSG. */
static int parse_header(struct text line, struct fault *f)
{
    struct words w = {.rest = line};
    bool is_ours = text_is(next_word(&w), "vonggac-manifest");
    struct text version = next_word(&w);
    const char *dot = version.n ? memchr(version.p, '.', version.n) : NULL;
    uint64_t major;
    if (!is_ours || !dot || text_u64((struct text){version.p, (size_t)(dot - version.p)}, UINT32_MAX, &major))
        return FAULT(f, -EBADMSG, store_manifest_foreign, "store/" MANIFEST_NAME);
    if (major > MANIFEST_MAJOR)
        return FAULT(f, -EPROTO, store_newer_format, "store/" MANIFEST_NAME, (unsigned)major, (unsigned)MANIFEST_MAJOR);
    return 0;
}

int manifest_parse(struct manifest *m, const char *p, size_t n, struct fault *f)
{
    memset(m, 0, sizeof(*m));
    m->next_id = 1;
    m->n_bytes_file = n;
    const char *end = n ? memchr(p, '\n', n) : NULL;
    if (!end) /* torn while it was created: nothing was ever committed */
        return n && memcmp(p, "vonggac-manifest", n < 16 ? n : 16) != 0
                   ? FAULT(f, -EBADMSG, store_manifest_foreign, "store/" MANIFEST_NAME)
                   : MANIFEST_NONE;
    int r = parse_header((struct text){p, (size_t)(end - p)}, f);
    if (r)
        return r;
    size_t at = (size_t)(end - p) + 1;
    m->n_bytes = at;
    while (at < n && (end = memchr(p + at, '\n', n - at))) {
        r = apply_line(m, (struct text){p + at, (size_t)(end - p) - at});
        if (r == -ENOMEM) {
            manifest_fini(m);
            return FAULT(f, r, store_no_memory, "store/" MANIFEST_NAME);
        }
        at = (size_t)(end - p) + 1;
        m->n_bad_lines += r != 0;
        if (!r)
            m->n_bytes = at;
    }
    return 0;
}

int manifest_load(int dir_fd, struct manifest *m, struct fault *f)
{
    memset(m, 0, sizeof(*m));
    _cleanup_close_ int fd = openat(dir_fd, MANIFEST_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return MANIFEST_NONE;
    uint8_t *p = NULL;
    size_t n = 0;
    int r = fd < 0 ? -errno : file_read_all(fd, MANIFEST_MAX_BYTES, &p, &n);
    if (r)
        return FAULT(f, r, store_read_failed, "store/" MANIFEST_NAME, strerrordesc_np(-r));
    r = manifest_parse(m, (const char *)p, n, f);
    free(p);
    return r;
}

void manifest_fini(struct manifest *m)
{
    for (size_t i = 0; i < m->n_dictionaries; i++)
        free(m->dictionaries[i].members);
    for (size_t i = 0; i < m->n_imports; i++)
        free(m->imports[i].name);
    for (size_t i = 0; i < m->n_damages; i++)
        free(m->damages[i].reason);
    free(m->segments);
    free(m->dictionaries);
    free(m->journals);
    free(m->imports);
    free(m->damages);
    free(m->notes.slots);
    free(m->import_slots);
    buf_fini(&m->unknown);
    memset(m, 0, sizeof(*m));
}

int manifest_apply(struct manifest *m, const char *p, size_t n)
{
    return apply_line(m, (struct text){p, n});
}
