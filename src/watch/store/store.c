/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening for writing: the lock, the manifest, then what a crash left behind: files no transaction
 * names are removed, journals become segments. What cannot be sealed now (a full disk) stays a journal.
 */
#include "watch/store/store_impl.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_AFTER_US (INT64_C(3600) * US_PER_SECOND)
enum { FOLDER_MODE = 0750 };

static const struct {
    const char *folder, *ending;
} kinds[] = {
    [STORE_SEGMENT] = {"segments", "seg"},
    [STORE_DICTIONARY] = {"dictionaries", "dic"},
    [STORE_JOURNAL] = {"journals", "wal"},
};

/* --- names and files ------------------------------------------------------------------- */

void store_file_name(enum store_kind kind, uint64_t id, char out[STORE_NAME_MAX])
{
    snprintf(out, STORE_NAME_MAX, "%llu.%s", (unsigned long long)id, kinds[kind].ending);
}

const char *store_file_shown(enum store_kind kind, uint64_t id, char out[STORE_SHOWN_MAX])
{
    snprintf(out, STORE_SHOWN_MAX, "store/%s/%llu.%s", kinds[kind].folder, (unsigned long long)id, kinds[kind].ending);
    return out;
}

const char *store_folder(enum store_kind kind)
{
    return kinds[kind].folder;
}

int store_folder_fd(const struct store *s, enum store_kind kind)
{
    if (kind == STORE_SEGMENT)
        return s->segments_fd;
    return kind == STORE_DICTIONARY ? s->dictionaries_fd : s->journals_fd;
}

void store_unlink(const struct store *s, enum store_kind kind, uint64_t id)
{
    char name[STORE_NAME_MAX];
    store_file_name(kind, id, name);
    if (!file_step("unlink"))
        (void)unlinkat(store_folder_fd(s, kind), name, 0);
}

int store_set_aside(const struct store *s, enum store_kind kind, uint64_t id, const char *reason)
{
    char name[STORE_NAME_MAX], why[STORE_NAME_MAX + 8];
    store_file_name(kind, id, name);
    snprintf(why, sizeof(why), "%s.txt", name);
    int r = file_step("set-aside");
    if (!r && linkat(store_folder_fd(s, kind), name, s->damaged_fd, name, 0) && errno != EEXIST)
        r = -errno;
    if (!r)
        r = file_replace(s->damaged_fd, why, reason, strlen(reason));
    return r;
}

uint64_t store_new_id(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t id = s->manifest.next_id++;
    pthread_mutex_unlock(&s->lock);
    return id;
}

uint32_t store_segment_rows(const struct store *s)
{
    return s->options.segment_rows;
}

/* add_new_notes - those the manifest does not hold yet; under both locks' order. */
static uint64_t add_new_notes(struct store *s, struct manifest_change *c)
{
    uint64_t highest = s->notes_kept_sequence;
    pthread_mutex_lock(&s->notes_lock);
    for (size_t i = 0; i < s->notes.n_slots; i++) {
        const struct manifest_note *n = &s->notes.slots[i];
        if (!n->n_key || n->sequence <= s->notes_kept_sequence)
            continue;
        manifest_add_note(c, n);
        highest = n->sequence > highest ? n->sequence : highest;
    }
    pthread_mutex_unlock(&s->notes_lock);
    return highest;
}

int store_commit(struct store *s, struct manifest_change *c, bool *ret_is_uncertain, struct fault *f)
{
    pthread_mutex_lock(&s->lock);
    uint64_t highest = add_new_notes(s, c);
    int r = manifest_commit(&s->log, &s->manifest, c, ret_is_uncertain, f);
    if (!r)
        s->notes_kept_sequence = highest;
    pthread_mutex_unlock(&s->lock);
    return r;
}

void store_leave_journal(struct store *s, uint64_t id)
{
    char name[STORE_NAME_MAX];
    struct stat st;
    store_file_name(STORE_JOURNAL, id, name);
    uint64_t least_bytes = (uint64_t)store_segment_rows(s) * STORE_SPARE_ROW_BYTES;
    bool is_kept = !fstatat(s->journals_fd, name, &st, AT_SYMLINK_NOFOLLOW) && (uint64_t)st.st_size >= least_bytes;
    pthread_mutex_lock(&s->lock);
    is_kept = is_kept && s->n_spares < STORE_SPARES_MAX;
    if (is_kept)
        s->spares[s->n_spares++] = (struct store_spare){id, (uint64_t)st.st_size};
    pthread_mutex_unlock(&s->lock);
    if (!is_kept)
        store_unlink(s, STORE_JOURNAL, id);
}

static bool take_spare(struct store *s, uint64_t *ret)
{
    pthread_mutex_lock(&s->lock);
    bool is = s->n_spares > 0;
    if (is) {
        *ret = s->spares[0].id;
        memmove(s->spares, s->spares + 1, --s->n_spares * sizeof(*s->spares));
    }
    pthread_mutex_unlock(&s->lock);
    return is;
}

void store_drop_spares(struct store *s)
{
    for (uint64_t id; take_spare(s, &id);)
        store_unlink(s, STORE_JOURNAL, id);
}

/* make_journal - in the file of a spare, or a new one. */
static int make_journal(struct store *s, int family, struct journal *ret, struct fault *f)
{
    uint64_t old;
    if (take_spare(s, &old)) {
        if (!journal_reuse(s->journals_fd, old, store_new_id(s), family, ret, NULL))
            return 0;
        store_unlink(s, STORE_JOURNAL, old);
    }
    return journal_create(s->journals_fd, store_new_id(s), family, ret, f);
}

int store_open_journal(struct store *s, int family, struct journal *ret, struct fault *f)
{
    struct manifest_change c = {0};
    bool is_uncertain = false;
    int r = make_journal(s, family, ret, f);
    if (r)
        return r;
    manifest_add_journal(&c, ret->id, family);
    r = store_commit(s, &c, &is_uncertain, f);
    manifest_change_fini(&c);
    if (r) {
        journal_close(ret);
        if (!is_uncertain)
            store_unlink(s, STORE_JOURNAL, ret->id);
    }
    return r;
}

void store_take_notes(struct store *s, struct manifest_notes *notes)
{
    pthread_mutex_lock(&s->notes_lock);
    for (size_t i = 0; i < notes->n_slots; i++) {
        const struct manifest_note *n = &notes->slots[i];
        if (n->n_key)
            (void)manifest_note_set(&s->notes, n->key, n->n_key, n->value, n->sequence);
    }
    pthread_mutex_unlock(&s->notes_lock);
    free(notes->slots);
    *notes = (struct manifest_notes){0};
}

int store_each_note(struct store *s, int (*each)(void *context, const void *key, size_t n_key, uint64_t value),
                    void *context)
{
    pthread_mutex_lock(&s->notes_lock);
    size_t n = s->notes.n_slots;
    struct manifest_note *copy = malloc((n + 1) * sizeof(*copy)); /* so that @each may note */
    if (copy && n)
        memcpy(copy, s->notes.slots, n * sizeof(*copy));
    pthread_mutex_unlock(&s->notes_lock);
    int r = copy ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < n; i++)
        if (copy[i].n_key)
            r = each(context, copy[i].key, copy[i].n_key, copy[i].value);
    free(copy);
    return r;
}

void store_get_counters(struct store *s, struct store_counters *ret)
{
#define X(name, help) ret->name = atomic_load_explicit(&s->n_##name, memory_order_relaxed);
    STORE_COUNTERS(X)
#undef X
}

/* --- opening --------------------------------------------------------------------------------- */

static int make_folder(int dir_fd, const char *name, int *ret_fd)
{
    int r = 0;
    *ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd >= 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    r = file_step("create");
    if (!r && mkdirat(dir_fd, name, FOLDER_MODE) && errno != EEXIST)
        r = -errno;
    if (r)
        return r;
    *ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *ret_fd < 0 ? -errno : 0;
}

static int open_folders(struct store *s)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/store", s->data_dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0 && errno == ENOENT) {
        int r = file_step("create");
        if (!r)
            r = file_make_dirs(path, FOLDER_MODE);
        if (r)
            return r;
        s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return s->dir_fd < 0 ? -errno : 0;
}

static int take_lock(struct store *s)
{
    s->lock_fd = openat(s->dir_fd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (s->lock_fd < 0)
        return -errno;
    if (!flock(s->lock_fd, LOCK_EX | LOCK_NB))
        return 0;
    return errno == EWOULDBLOCK ? STORE_BUSY : -errno;
}

static int make_folders(struct store *s)
{
    int r = make_folder(s->dir_fd, "segments", &s->segments_fd);
    if (!r)
        r = make_folder(s->dir_fd, "dictionaries", &s->dictionaries_fd);
    if (!r)
        r = make_folder(s->dir_fd, "journals", &s->journals_fd);
    if (!r)
        r = make_folder(s->dir_fd, "damaged", &s->damaged_fd);
    return r;
}

/* parse_name - "12.seg" of this kind. Return: true and the id. */
static bool parse_name(enum store_kind kind, const char *name, uint64_t *ret_id)
{
    const char *dot = strchr(name, '.');
    struct text digits = {name, dot ? (size_t)(dot - name) : 0};
    return dot && !strcmp(dot + 1, kinds[kind].ending) && !text_u64(digits, UINT64_MAX, ret_id);
}

static bool is_named(const struct store *s, enum store_kind kind, uint64_t id)
{
    if (kind == STORE_SEGMENT)
        return manifest_find_segment(&s->manifest, id) != NULL;
    if (kind == STORE_JOURNAL)
        return manifest_has_journal(&s->manifest, id);
    for (size_t i = 0; i < s->manifest.n_dictionaries; i++)
        if (s->manifest.dictionaries[i].id == id)
            return true;
    return false;
}

/*
 * sweep - files of one kind no transaction names. They are removed, unless the manifest itself was
 * damaged: then it cannot be trusted to have forgotten them on purpose, and they go to damaged/.
 * Return: 0 or -errno; @ret_n: how many there were.
 */
static int sweep(struct store *s, enum store_kind kind, bool may_remove, size_t *ret_n)
{
    int fd = openat(store_folder_fd(s, kind), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int e = -errno;
        file_close(&fd);
        return e;
    }
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t id = 0;
        if (e->d_name[0] == '.' || !parse_name(kind, e->d_name, &id) || is_named(s, kind, id))
            continue;
        ++*ret_n;
        /* an id that a file has borne once is not given to another while that file may be in the way */
        if (s->manifest.next_id <= id && id < UINT64_MAX - 1)
            s->manifest.next_id = id + 1;
        if (!may_remove)
            continue;
        if (s->manifest.n_bad_lines && store_set_aside(s, kind, id, message_text(MSG_store_unnamed)))
            continue; /* then it stays where it is */
        store_unlink(s, kind, id);
    }
    closedir(d);
    return 0;
}

static int sweep_all(struct store *s, bool may_remove, size_t *ret_n)
{
    int r = sweep(s, STORE_SEGMENT, may_remove, ret_n);
    if (!r)
        r = sweep(s, STORE_DICTIONARY, may_remove, ret_n);
    return r ? r : sweep(s, STORE_JOURNAL, may_remove, ret_n);
}

static int read_manifest(struct store *s, struct fault *f)
{
    int r = manifest_load(s->dir_fd, &s->manifest, f);
    if (r < 0)
        return r;
    size_t n_files = 0;
    if (r == MANIFEST_NONE) {
        s->manifest.next_id = 1;
        int e = sweep_all(s, false, &n_files);
        if (e)
            return FAULT(f, e, store_read_failed, s->data_dir, strerrordesc_np(-e));
        if (n_files)
            return FAULT(f, -ENOENT, store_manifest_lost, "store/" MANIFEST_NAME);
    }
    if (s->manifest.n_bad_lines) { /* keep the damaged log itself for whoever must find out */
        char name[64];
        snprintf(name, sizeof(name), MANIFEST_NAME ".%lld", (long long)(clock_now_us() / US_PER_SECOND));
        if (linkat(s->dir_fd, MANIFEST_NAME, s->damaged_fd, name, 0))
            name[0] = '\0'; /* a copy is kept if it can be; the log itself stays in any case */
    }
    r = sweep_all(s, true, &n_files);
    if (r)
        return FAULT(f, r, store_read_failed, s->data_dir, strerrordesc_np(-r));
    return manifest_log_open(&s->log, s->dir_fd, &s->manifest, f);
}

static int recover(struct store *s, struct fault *f)
{
    struct manifest_notes kept = {0};
    for (size_t i = 0; i < s->manifest.notes.n_slots; i++) {
        const struct manifest_note *n = &s->manifest.notes.slots[i];
        if (n->n_key && manifest_note_set(&kept, n->key, n->n_key, n->value, n->sequence))
            break;
        if (n->n_key && n->sequence > s->notes_kept_sequence)
            s->notes_kept_sequence = n->sequence;
    }
    atomic_store(&s->sequence, s->notes_kept_sequence);
    store_take_notes(s, &kept);
    size_t n = s->manifest.n_journals;
    struct manifest_journal *journals = malloc((n + 1) * sizeof(*journals));
    if (!journals)
        return FAULT(f, -ENOMEM, store_no_memory, "store/journals");
    if (n)
        memcpy(journals, s->manifest.journals, n * sizeof(*journals));
    int r = 0;
    for (size_t i = 0; !r && i < n; i++) {
        struct fault why = {0};
        int e = replay_to_segments(s, journals[i].id, journals[i].family, true, &why);
        if (e == -EPROTO || (e && s->log.is_broken)) { /* a newer program's, or nothing can be relied on */
            r = e;
            if (f)
                *f = why;
        } else if (e)
            (void)build_add_pending(s, journals[i].id, journals[i].family);
    }
    free(journals);
    return r;
}

/* seal_one - the line of one segment. Return: 0 or <0. */
static int seal_one(struct store *s, const struct manifest_segment *m)
{
    struct log_segment *segment;
    int r = s->chain.fd < 0 ? -EBADF : store_open_log_segment(s, m->id, &segment, NULL);
    if (r)
        return r;
    const struct log_segment_info *info = log_segment_info(segment);
    struct log_digest rows = info->rows;
    struct chain_segment said = {.id = m->id, .n_rows = m->n_rows, .rows = info->has_digest ? &rows : NULL};
    log_segment_close(segment);
    return chain_add(&s->chain, &said, NULL);
}

int store_chain_merged(struct store *s, const struct manifest_segment *m, size_t n, const struct manifest_segment *merged,
                       const struct log_digest *rows, struct fault *f)
{
    uint64_t from[CHAIN_PARTS_MAX];
    struct chain_segment said = {.id = merged->id, .n_rows = merged->n_rows, .rows = rows, .from = from, .n_from = n};
    for (size_t i = 0; i < n && i < CHAIN_PARTS_MAX; i++)
        from[i] = m[i].id;
    pthread_mutex_lock(&s->chain_lock);
    int r = s->chain.fd < 0 ? FAULT(f, -EBADF, store_write_failed, "store/" CHAIN_NAME, strerrordesc_np(EBADF)) : 0;
    for (size_t i = 0; !r && i < n; i++) /* a part without a line of its own could not be proved */
        if (!chain_has(&s->chain, m[i].id))
            r = seal_one(s, &m[i]);
    if (!r)
        r = chain_add(&s->chain, &said, f);
    pthread_mutex_unlock(&s->chain_lock);
    return r;
}

void store_seal_chain(struct store *s, const struct manifest_segment *segments, size_t n)
{
    pthread_mutex_lock(&s->chain_lock);
    for (size_t i = 0; i < n; i++) {
        if (segments[i].family != MANIFEST_LOGS || (s->chain.fd >= 0 && chain_has(&s->chain, segments[i].id)))
            continue;
        if (seal_one(s, &segments[i]))
            STORE_COUNT(s, chain_failures, 1);
    }
    pthread_mutex_unlock(&s->chain_lock);
}

/* open_chain - a broken one is left as it is: verify tells. An id that has a line is never given again. */
static void open_chain(struct store *s)
{
    if (chain_open(&s->chain, s->dir_fd, s->segments_fd, NULL)) {
        s->chain.fd = -1;
        return;
    }
    uint64_t last = s->chain.n ? s->chain.ids[s->chain.n - 1] : 0;
    if (s->manifest.next_id <= last && last < UINT64_MAX - 1)
        s->manifest.next_id = last + 1;
}

/* seal_left - what a crash left without a line gets one. */
static void seal_left(struct store *s)
{
    struct manifest_segment *live;
    size_t n;
    if (manifest_live(&s->manifest, &live, &n))
        return;
    store_seal_chain(s, live, n);
    free(live);
}

static int open_all(struct store *s, struct fault *f)
{
    int r = open_folders(s);
    if (!r)
        r = take_lock(s);
    if (r == STORE_BUSY)
        return FAULT(f, STORE_BUSY, store_busy, s->data_dir);
    if (!r)
        r = make_folders(s);
    if (r)
        return FAULT(f, r, store_create_failed, s->data_dir, strerrordesc_np(-r));
    r = read_manifest(s, f);
    if (!r) {
        open_chain(s);
        r = recover(s, f);
    }
    if (!r)
        seal_left(s);
    return r ? r : build_start(s, f);
}

static void free_store(struct store *s)
{
    manifest_log_close(&s->log);
    manifest_fini(&s->manifest);
    free(s->notes.slots);
    free(s->pending);
    event_names_free(s->own_names);
    free(s->data_dir);
    chain_close(&s->chain);
    file_close(&s->segments_fd);
    file_close(&s->dictionaries_fd);
    file_close(&s->journals_fd);
    file_close(&s->damaged_fd);
    file_close(&s->dir_fd);
    file_close(&s->lock_fd); /* last: whoever takes the lock finds nothing of ours open */
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->upkeep_lock);
    pthread_mutex_destroy(&s->import_lock);
    pthread_mutex_destroy(&s->chain_lock);
    pthread_mutex_destroy(&s->notes_lock);
    pthread_mutex_destroy(&s->build_lock);
    pthread_cond_destroy(&s->build_more);
    pthread_cond_destroy(&s->build_less);
    pthread_cond_destroy(&s->sync_more);
    free(s);
}

int store_open(const char *data_dir, const struct store_options *o, struct store **ret, struct fault *f)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return FAULT(f, -ENOMEM, store_no_memory, data_dir);
    s->dir_fd = s->lock_fd = s->segments_fd = s->dictionaries_fd = s->journals_fd = s->damaged_fd = s->log.fd = s->chain.fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->upkeep_lock, NULL);
    pthread_mutex_init(&s->import_lock, NULL);
    pthread_mutex_init(&s->chain_lock, NULL);
    pthread_mutex_init(&s->notes_lock, NULL);
    pthread_mutex_init(&s->build_lock, NULL);
    pthread_cond_init(&s->build_more, NULL);
    pthread_cond_init(&s->build_less, NULL);
    pthread_cond_init(&s->sync_more, NULL);
    if (o)
        s->options = *o;
    if (s->options.segment_rows == 0 || s->options.segment_rows > SEGMENT_ROWS)
        s->options.segment_rows = SEGMENT_ROWS;
    if (s->options.seal_after_us <= 0)
        s->options.seal_after_us = SEAL_AFTER_US;
    s->data_dir = strdup(data_dir);
    s->names = s->options.names;
    if (!s->names)
        s->names = s->own_names = event_names_new();
    int r = s->data_dir && s->names ? open_all(s, f) : FAULT(f, -ENOMEM, store_no_memory, data_dir);
    if (r) {
        build_stop(s);
        free_store(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct event_names *store_names(const struct store *s)
{
    return s->names;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    build_stop(s);
    store_drop_spares(s);
    free_store(s);
}
