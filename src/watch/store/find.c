/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merge at the heart of a hunt, segment by segment or dictionary by dictionary.
 *
 * A unit of work is one segment, or one merged dictionary with those of its members that are asked for: it tells which
 * addresses stand in each, and looking up their codes in a segment is work of its own. Threads take what is told first,
 * then units, newest first; the calling thread hands segments on in their order as soon as they are done. Threads stay
 * within a window ahead of it, which bounds the codes in memory and what was asked of the disk but not yet used.
 *
 * Where the dictionaries are not in memory the disk is what is waited for: then there are more threads than are asked
 * for, each waiting for another segment, so that the disk has many requests to choose from.
 */
#include "watch/store/view.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 64u
#define WAITING_THREADS 16u             /* where the disk is what is waited for */
#define TOLD_AHEAD 32u                  /* segments, before the one being handed on */
#define MAX_PAIRS ((size_t)1 << 20)     /* hits of one dictionary, times their members */
#define MAX_RANGE_WIDTH (UINT64_C(1) << 20) /* wider sets hit densely: segments' own dictionaries are better */
#define NO_UNIT SIZE_MAX

enum slot_state { SLOT_SKIPPED, SLOT_WAITS, SLOT_TOLD, SLOT_DIRECT, SLOT_TAKEN, SLOT_DONE };

/* what a dictionary says of one segment: addresses that stand in it */
struct told {
    struct ip *ip;
    size_t n, room;
};

struct slot { /* per segment */
    enum slot_state state;
    size_t unit;
    struct told told;
    uint32_t *codes;
    size_t n;
    int error;
};

struct unit {
    const struct view_dictionary *dictionary; /* NULL: one segment */
    size_t segment;
};

struct find {
    struct store_view *view;
    const struct address_set *set;
    const struct store_find *ask;
    struct slot *slots;
    struct unit *units;
    size_t n_units;
    pthread_mutex_t lock;
    pthread_cond_t done, may_go;
    size_t next_unit, limit_unit;
    size_t next_slot; /* handed on next */
    bool is_stopped, is_cold;
};

/* --- one segment --------------------------------------------------------------------------- */

static void merge_segment(const struct find *f, size_t i, struct slot *ret)
{
    const struct segment *s = f->view->segments[i];
    uint32_t n_entries = segment_info(s)->n_entries;
    uint32_t *codes = malloc(((size_t)n_entries + 1) * sizeof(*codes));
    size_t n = 0;
    int r = codes ? segment_merge(s, f->set, codes, &n) : -ENOMEM;
    if (r || n == 0) {
        free(codes);
        codes = NULL;
        n = 0;
    }
    if (n && n < n_entries / 2) {
        uint32_t *less = realloc(codes, n * sizeof(*codes));
        codes = less ? less : codes;
    }
    ret->codes = codes;
    ret->n = n;
    ret->error = r;
}

/* --- one dictionary -------------------------------------------------------------------------- */

struct gather {
    const struct view_dictionary *dictionary;
    struct told **told; /* per member; NULL: not asked for */
    size_t n_pairs;
};

enum { TOO_DENSE = 1 };

static int add_told(struct gather *g, struct told *t, const struct ip *a)
{
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct ip *more = realloc(t->ip, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        t->ip = more;
        t->room = room;
    }
    t->ip[t->n++] = *a;
    return ++g->n_pairs > MAX_PAIRS ? TOO_DENSE : 0;
}

static int gather_entry(void *context, const struct ip *a, const uint64_t *members)
{
    struct gather *g = context;
    for (size_t word = 0; word < (g->dictionary->n_members + 63) / 64; word++)
        for (uint64_t bits = members[word]; bits; bits &= bits - 1) {
            size_t member = word * 64 + (size_t)__builtin_ctzll(bits);
            if (member >= g->dictionary->n_members || !g->told[member])
                continue;
            int r = add_told(g, g->told[member], a);
            if (r)
                return r;
        }
    return 0;
}

/* look_up - the codes of what was told of a segment. */
static int look_up(const struct segment *s, const struct told *t, uint32_t **ret, size_t *ret_n)
{
    uint32_t *codes = malloc((t->n + 1) * sizeof(*codes));
    int r = codes ? 0 : -ENOMEM;
    if (!r)
        segment_want_addresses(s, t->ip, t->n);
    for (size_t i = 0; !r && i < t->n; i++)
        if (!segment_find(s, &t->ip[i], &codes[i]))
            r = -EBADMSG; /* the dictionary and the segment disagree: trust the segment */
    if (r) {
        free(codes);
        return r;
    }
    *ret = codes;
    *ret_n = t->n;
    return 0;
}

/* finish_told - codes of what was told of segment @i, or of its own dictionary where that does not hold. */
static void finish_told(const struct find *f, size_t i, bool is_told, struct slot *ret)
{
    struct slot *s = &f->slots[i]; /* taken: nobody else touches it */
    if (!is_told || look_up(f->view->segments[i], &s->told, &ret->codes, &ret->n))
        merge_segment(f, i, ret);
    free(s->told.ip);
    s->told = (struct told){0};
}

/* merge_dictionary - Return: 0, or another value: nothing is told and the members must be searched directly. */
static int merge_dictionary(struct find *f, const struct unit *u)
{
    const struct view_dictionary *d = u->dictionary;
    struct gather g = {.dictionary = d, .told = calloc(d->n_members + 1, sizeof(struct told *))};
    if (!g.told)
        return -ENOMEM;
    for (size_t i = 0; i < d->n_members; i++)
        if (d->members[i] != VIEW_NO_SEGMENT && f->slots[d->members[i]].unit == (size_t)(u - f->units))
            g.told[i] = &f->slots[d->members[i]].told;
    int r = merged_find(d->merged, f->set, gather_entry, &g);
    for (size_t i = 0; r && i < d->n_members; i++)
        if (g.told[i]) {
            free(g.told[i]->ip);
            *g.told[i] = (struct told){0};
        }
    free(g.told);
    return r;
}

/* --- units ------------------------------------------------------------------------------------- */

/* ask_ahead - what @each will read of a segment, while others are still looked at. */
static void ask_ahead(const struct find *f, size_t i, const struct slot *s)
{
    if (f->is_cold && f->ask->ahead && s->n)
        f->ask->ahead(f->ask->context, f->view->segments[i], s->codes, s->n);
}

static void settle(struct find *f, size_t segment, const struct slot *result)
{
    struct slot *s = &f->slots[segment];
    pthread_mutex_lock(&f->lock);
    s->codes = result->codes;
    s->n = result->n;
    s->error = result->error;
    s->state = SLOT_DONE;
    pthread_cond_broadcast(&f->done);
    pthread_mutex_unlock(&f->lock);
}

static void run_slot(struct find *f, size_t i, bool is_told)
{
    struct slot result = {0};
    finish_told(f, i, is_told, &result);
    ask_ahead(f, i, &result);
    settle(f, i, &result);
}

static void run_unit(struct find *f, size_t i)
{
    const struct unit *u = &f->units[i];
    if (!u->dictionary) {
        run_slot(f, u->segment, false);
        return;
    }
    int r = merge_dictionary(f, u);
    pthread_mutex_lock(&f->lock);
    for (size_t k = 0; k < u->dictionary->n_members; k++) {
        size_t segment = u->dictionary->members[k];
        if (segment == VIEW_NO_SEGMENT || f->slots[segment].unit != i)
            continue;
        struct slot *s = &f->slots[segment];
        s->state = r ? SLOT_DIRECT : s->told.n ? SLOT_TOLD : SLOT_DONE;
    }
    pthread_cond_broadcast(&f->done);
    pthread_cond_broadcast(&f->may_go);
    pthread_mutex_unlock(&f->lock);
}

/* take_slot - a segment that waits to be looked up, among those next in turn; under the lock. */
static bool take_slot(struct find *f, size_t *ret, bool *ret_is_told)
{
    for (size_t i = f->next_slot; i < f->view->n_segments && i < f->next_slot + TOLD_AHEAD; i++) {
        struct slot *s = &f->slots[i];
        if (s->state != SLOT_TOLD && s->state != SLOT_DIRECT)
            continue;
        *ret = i;
        *ret_is_told = s->state == SLOT_TOLD;
        s->state = SLOT_TAKEN;
        return true;
    }
    return false;
}

static void *find_thread(void *context)
{
    struct find *f = context;
    pthread_mutex_lock(&f->lock);
    while (!f->is_stopped) {
        size_t i;
        bool is_told;
        if (take_slot(f, &i, &is_told)) {
            pthread_mutex_unlock(&f->lock);
            run_slot(f, i, is_told);
            pthread_mutex_lock(&f->lock);
        } else if (f->next_unit < f->n_units && f->next_unit < f->limit_unit) {
            i = f->next_unit++;
            pthread_mutex_unlock(&f->lock);
            run_unit(f, i);
            pthread_mutex_lock(&f->lock);
        } else {
            pthread_cond_wait(&f->may_go, &f->lock);
        }
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static bool is_inside(const struct segment_info *info, int64_t since_us, int64_t until_us)
{
    return info->n_rows && info->event_max_us >= since_us && info->event_min_us <= until_us;
}

static uint64_t range_width(const struct address_set *set)
{
    uint64_t width = 0;
    for (size_t i = 0; i < set->n_v4_ranges; i++)
        width += (uint64_t)set->v4_ranges[i].last - set->v4_ranges[i].first + 1;
    for (size_t i = 0; i < set->n_v6; i++) /* a prefix shorter than /64 may hold anything */
        width += memcmp(set->v6[i].first.b, set->v6[i].last.b, 8) != 0 ? MAX_RANGE_WIDTH + 1 : 1;
    return width;
}

/* assign_dictionaries - the segments a dictionary answers for; one that would answer for one only is no gain. */
static void assign_dictionaries(struct find *f, const struct view_dictionary **of)
{
    struct store_view *v = f->view;
    if (range_width(f->set) > MAX_RANGE_WIDTH)
        return;
    for (size_t i = 0; i < v->n_dictionaries; i++) {
        const struct view_dictionary *d = &v->dictionaries[i];
        size_t n = 0;
        for (size_t k = 0; k < d->n_members; k++)
            n += d->members[k] != VIEW_NO_SEGMENT && f->slots[d->members[k]].state == SLOT_WAITS && !of[d->members[k]];
        for (size_t k = 0; n > 1 && k < d->n_members; k++)
            if (d->members[k] != VIEW_NO_SEGMENT && f->slots[d->members[k]].state == SLOT_WAITS && !of[d->members[k]])
                of[d->members[k]] = d;
    }
}

static int plan(struct find *f, int64_t since_us, int64_t until_us)
{
    struct store_view *v = f->view;
    const struct view_dictionary **of = calloc(v->n_segments + 1, sizeof(const struct view_dictionary *));
    f->slots = calloc(v->n_segments + 1, sizeof(*f->slots));
    f->units = calloc(v->n_segments + 1, sizeof(*f->units));
    if (!of || !f->slots || !f->units) {
        free(of);
        return -ENOMEM;
    }
    for (size_t i = 0; i < v->n_segments; i++) {
        f->slots[i].unit = NO_UNIT;
        if (is_inside(segment_info(v->segments[i]), since_us, until_us))
            f->slots[i].state = SLOT_WAITS;
    }
    assign_dictionaries(f, of);
    for (size_t i = 0; i < v->n_segments; i++) {
        if (f->slots[i].state != SLOT_WAITS || f->slots[i].unit != NO_UNIT)
            continue;
        size_t unit = f->n_units++;
        f->units[unit] = (struct unit){.dictionary = of[i], .segment = i};
        f->slots[i].unit = unit;
        for (size_t k = i + 1; of[i] && k < v->n_segments; k++)
            if (of[k] == of[i] && f->slots[k].state == SLOT_WAITS)
                f->slots[k].unit = unit;
    }
    free(of);
    return 0;
}

/* --- handing on ------------------------------------------------------------------------------------ */

/* await - until segment @i has its codes; without threads by doing the work here. */
static void await(struct find *f, size_t i, unsigned n_threads)
{
    struct slot *s = &f->slots[i];
    pthread_mutex_lock(&f->lock);
    f->next_slot = i;
    if (f->limit_unit < s->unit + 1 + 4 * (size_t)n_threads)
        f->limit_unit = s->unit + 1 + 4 * (size_t)n_threads;
    if (n_threads)
        pthread_cond_broadcast(&f->may_go);
    while (n_threads && s->state != SLOT_DONE)
        pthread_cond_wait(&f->done, &f->lock);
    enum slot_state state = s->state;
    pthread_mutex_unlock(&f->lock);
    if (state == SLOT_WAITS) {
        run_unit(f, s->unit);
        state = s->state;
    }
    if (state == SLOT_TOLD || state == SLOT_DIRECT)
        run_slot(f, i, state == SLOT_TOLD);
}

/* want_next - postings of the segment after the one about to be handed on, if its codes are there. */
static void want_next(struct find *f, size_t i)
{
    if (i >= f->view->n_segments)
        return;
    pthread_mutex_lock(&f->lock);
    bool is_done = f->slots[i].state == SLOT_DONE && f->slots[i].n;
    pthread_mutex_unlock(&f->lock);
    if (is_done)
        segment_want_postings(f->view->segments[i], f->slots[i].codes, f->slots[i].n);
}

static int hand_on(struct find *f, unsigned n_threads, struct fault *fault)
{
    for (size_t i = 0; i < f->view->n_segments; i++) {
        struct slot *s = &f->slots[i];
        if (s->unit == NO_UNIT) /* skipped */
            continue;
        await(f, i, n_threads);
        if (s->error == -EBADMSG) {
            char file[64];
            const struct segment_info *info = segment_info(f->view->segments[i]);
            snprintf(file, sizeof(file), "store/segments/%llu.seg", (unsigned long long)info->id);
            view_add_damage(f->view, file, info->n_rows, message_text(MSG_store_index_damaged));
            continue;
        }
        if (s->error)
            return FAULT(fault, s->error, store_no_memory, "store/segments");
        want_next(f, i + 1);
        int r = s->n ? f->ask->each(f->ask->context, f->view->segments[i], s->codes, s->n) : 0;
        free(s->codes);
        s->codes = NULL;
        if (r)
            return r;
    }
    return 0;
}

static unsigned start_threads(struct find *f, unsigned wanted, pthread_t *threads)
{
    unsigned n = 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (n < wanted && !pthread_create(&threads[n], NULL, find_thread, f))
        n++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n; /* fewer than wanted, or none, still finds everything */
}

/* is_cold - whether the disk will be waited for, judged by the newest dictionary and the newest segment. */
static bool is_cold(const struct find *f)
{
    const struct unit *u = f->n_units ? &f->units[0] : NULL;
    if (!u)
        return false;
    if (u->dictionary && !merged_is_resident(u->dictionary->merged))
        return true;
    return !segment_is_resident(f->view->segments[u->segment]);
}

static unsigned threads_wanted(const struct find *f)
{
    size_t n_segments = f->view->n_segments, n = f->ask->n_threads;
    if (n < 2)
        return 0;
    if (f->is_cold && n < WAITING_THREADS)
        n = WAITING_THREADS;
    n = n < n_segments ? n : n_segments;
    return n < MAX_THREADS ? (unsigned)n : MAX_THREADS;
}

static void stop_threads(struct find *f, const pthread_t *threads, unsigned n)
{
    pthread_mutex_lock(&f->lock);
    f->is_stopped = true;
    pthread_cond_broadcast(&f->may_go);
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

int store_view_find_with(struct store_view *v, const struct address_set *set, const struct store_find *ask, struct fault *fault)
{
    struct find f = {.view = v, .set = set, .ask = ask};
    pthread_t threads[MAX_THREADS];
    pthread_mutex_init(&f.lock, NULL);
    pthread_cond_init(&f.done, NULL);
    pthread_cond_init(&f.may_go, NULL);
    int r = plan(&f, ask->since_us, ask->until_us);
    if (r)
        r = FAULT(fault, r, store_no_memory, "store/segments");
    f.is_cold = !r && ask->n_threads > 1 && is_cold(&f);
    unsigned n = r ? 0 : start_threads(&f, threads_wanted(&f), threads);
    if (!r)
        r = hand_on(&f, n, fault);
    stop_threads(&f, threads, n);
    for (size_t i = 0; f.slots && i < v->n_segments; i++) {
        free(f.slots[i].codes);
        free(f.slots[i].told.ip);
    }
    free(f.slots);
    free(f.units);
    pthread_mutex_destroy(&f.lock);
    pthread_cond_destroy(&f.done);
    pthread_cond_destroy(&f.may_go);
    return r;
}

int store_view_find(struct store_view *v, const struct address_set *set, int64_t since_us, int64_t until_us,
                    unsigned n_threads,
                    int (*each)(void *context, struct segment *s, const uint32_t *codes, size_t n_codes),
                    void *context, struct fault *f)
{
    struct store_find ask = {since_us, until_us, n_threads, each, NULL, context};
    return store_view_find_with(v, set, &ask, f);
}
