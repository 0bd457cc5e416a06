/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on the disk is made by what arrived first; what is younger than the law's minimum stays, and
 * the alarm is a counter. The time of the events themselves plays no part: an old file imported
 * today is young.
 */
#include "watch/store/store_impl.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t journal_bytes(const struct store *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->n_spares; i++)
        n += s->spares[i].n_bytes;
    for (size_t i = 0; i < s->manifest.n_journals; i++) {
        char name[STORE_NAME_MAX];
        struct stat st;
        store_file_name(STORE_JOURNAL, s->manifest.journals[i].id, name);
        if (!fstatat(s->journals_fd, name, &st, AT_SYMLINK_NOFOLLOW) && st.st_size > 0)
            n += (uint64_t)st.st_size;
    }
    return n;
}

/* bytes_of - all that the manifest names, and itself; under the lock. */
static uint64_t bytes_of(const struct store *s, const struct manifest_segment *live, size_t n)
{
    uint64_t bytes = s->manifest.n_bytes + journal_bytes(s);
    for (size_t i = 0; i < s->manifest.n_dictionaries; i++)
        bytes += s->manifest.dictionaries[i].n_bytes;
    for (size_t i = 0; i < n; i++)
        bytes += live[i].n_bytes;
    return bytes;
}

static bool is_among(const struct manifest_segment *s, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (s[i].id == id)
            return true;
    return false;
}

/* drop_empty_dictionaries - those that only the segments now going stood behind. Returns their bytes. */
static uint64_t drop_empty_dictionaries(const struct manifest *m, const struct manifest_segment *going, size_t n_going,
                                        struct manifest_change *c, uint64_t *out, size_t *ret_n)
{
    uint64_t bytes = 0;
    *ret_n = 0;
    for (size_t i = 0; i < m->n_dictionaries; i++) {
        const struct manifest_dictionary *d = &m->dictionaries[i];
        bool is_needed = false;
        for (size_t k = 0; !is_needed && k < d->n_members; k++)
            is_needed = manifest_find_segment(m, d->members[k]) && !is_among(going, n_going, d->members[k]);
        if (is_needed)
            continue;
        bytes += d->n_bytes;
        out[(*ret_n)++] = d->id;
        if (c)
            manifest_del_dictionary(c, d->id);
    }
    return bytes;
}

/* is_kept_by_law - younger than the minimum of its family. */
static bool is_kept_by_law(const struct store *s, const struct manifest_segment *m, int64_t now_us)
{
    int64_t keep_us = s->options.keep_at_least_us;
    if (m->family == MANIFEST_LOGS && s->options.keep_logs_at_least_us)
        keep_us = s->options.keep_logs_at_least_us;
    return keep_us > 0 && m->arrived_max_us > now_us - keep_us;
}

/* to_front - @at behind the @n that go already; the order of both parts stays. */
static void to_front(struct manifest_segment *live, size_t n, size_t at)
{
    struct manifest_segment m = live[at];
    memmove(live + n + 1, live + n, (at - n) * sizeof(*live));
    live[n] = m;
}

/* choose - how many must go: the oldest that may; they stand at the begin of @live then. */
static size_t choose(struct store *s, struct manifest_segment *live, size_t n, uint64_t *scratch, int64_t now_us)
{
    uint64_t bytes = bytes_of(s, live, n), budget = s->options.budget_bytes, dropped = 0;
    size_t going = 0, at = 0, n_dictionaries;
    while (bytes - dropped > budget && at < n) {
        if (is_kept_by_law(s, &live[at++], now_us))
            continue;
        to_front(live, going, at - 1);
        bytes -= live[going++].n_bytes;
        if (going % 64 == 0 || bytes - dropped <= budget) /* dictionaries go with the last of their members */
            dropped = drop_empty_dictionaries(&s->manifest, live, going, NULL, scratch, &n_dictionaries);
    }
    STORE_COUNT(s, retention_blocked, bytes - dropped > budget && going < n);
    return going;
}

int store_retain(struct store *s, int64_t now_us, struct fault *f)
{
    if (!s->options.budget_bytes)
        return 0;
    struct manifest_segment *live = NULL;
    struct manifest_change c = {0};
    size_t n = 0, n_going = 0, n_dictionaries = 0;
    pthread_mutex_lock(&s->upkeep_lock);
    int r = store_live(s, &live, &n, f);
    pthread_mutex_lock(&s->lock);
    uint64_t *dictionaries = r ? NULL : malloc((s->manifest.n_dictionaries + 1) * sizeof(*dictionaries));
    if (!r && !dictionaries)
        r = FAULT(f, -ENOMEM, store_no_memory, "store");
    if (!r)
        n_going = choose(s, live, n, dictionaries, now_us);
    for (size_t i = 0; i < n_going; i++)
        manifest_del_segment(&c, live[i].id);
    if (!r && n_going)
        (void)drop_empty_dictionaries(&s->manifest, live, n_going, &c, dictionaries, &n_dictionaries);
    pthread_mutex_unlock(&s->lock);
    if (!r && n_going)
        r = store_commit(s, &c, NULL, f);
    pthread_mutex_unlock(&s->upkeep_lock);
    manifest_change_fini(&c);
    for (size_t i = 0; !r && i < n_going; i++)
        store_unlink(s, STORE_SEGMENT, live[i].id);
    for (size_t i = 0; !r && n_going && i < n_dictionaries; i++)
        store_unlink(s, STORE_DICTIONARY, dictionaries[i]);
    if (!r)
        STORE_COUNT(s, segments_retired, n_going);
    free(dictionaries);
    free(live);
    return r;
}
