/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store under a hammer.
 *
 * A child works on a store and says through shared memory what it has begun and what was acknowledged.
 *   1. It is killed at its n-th durable step, for many n.
 *   2. Each durable step fails once (ENOSPC, EIO): the child is told, tries again, and goes on.
 *   3. It works with several threads and is killed at random moments, again and again on one store.
 * After each, a reader, then the next writer, then a reader again must find: everything acknowledged,
 * once, with every field as it was; an operation that was under way wholly or not at all; nothing else.
 *
 * VONGGAC_ROUNDS: 0 or unset: a short choice; else every step, and that many kills. VONGGAC_SEED.
 */
#include "unit/store_help.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { MAX_OPERATIONS = 1 << 18, STEP_NAME_MAX = 32, SEGMENT_ROWS_SMALL = 100 };

enum kind { APPEND, IMPORT };
enum progress { BEGUN = 1, DONE = 2 };

struct operation {
    atomic_int progress;
    enum kind kind;
    int family;
    uint64_t serial;
    uint32_t n;
};

struct shared {
    atomic_uint n_operations;
    atomic_ullong n_steps, n_reported, next_serial;
    uint64_t target_step;
    int target_error; /* 0: kill */
    char step[STEP_NAME_MAX];
    struct operation operations[MAX_OPERATIONS];
};

static struct shared *shared;

static void shared_reset(uint64_t target_step, int target_error)
{
    unsigned n = atomic_load(&shared->n_operations);
    memset(shared->operations, 0, n * sizeof(*shared->operations));
    atomic_store(&shared->n_operations, 0);
    atomic_store(&shared->n_steps, 0);
    atomic_store(&shared->n_reported, 0);
    atomic_store(&shared->next_serial, 1);
    shared->target_step = target_step;
    shared->target_error = target_error;
    shared->step[0] = 0;
}

static int hook(const char *what)
{
    if (atomic_fetch_add(&shared->n_steps, 1) + 1 != shared->target_step)
        return 0;
    snprintf(shared->step, sizeof(shared->step), "%s", what);
    if (!shared->target_error)
        kill(getpid(), SIGKILL);
    return -shared->target_error;
}

/* --- rows made from their serial ----------------------------------------------------------- */

static const struct flow_observer observer = {.ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}},
                                              .domain = 3};

static void make_batch(struct flow_batch *b, uint64_t serial, uint32_t n)
{
    struct buf texts = {0};
    uint32_t index = 0, taken;
    flow_batch_clear(b);
    HELP_MUST(!flow_batch_observer(b, &observer, &index));
    for (uint32_t i = 0; i < n; i++) {
        struct flow f;
        uint64_t random = serial + i;
        help_row(&f, b->family, serial + i, &random, &texts);
        f.observer = index;
        f.present |= FLOW_HAS(FLOW_OBSERVER);
        HELP_MUST(!flow_batch_add(b, &f, 1, &taken) && taken == 1);
    }
    buf_fini(&texts);
}

static bool is_as_made(const struct flow *f, int family, const struct flow_observer *o)
{
    struct buf texts = {0};
    struct flow made;
    uint64_t random = f->source_packets;
    help_row(&made, family, f->source_packets, &random, &texts);
    made.present |= FLOW_HAS(FLOW_OBSERVER);
    bool is = help_fingerprint(f, o) == help_fingerprint(&made, &observer);
    buf_fini(&texts);
    return is;
}

/* --- what a reader sees --------------------------------------------------------------------- */

struct seen {
    uint8_t *times; /* per serial */
    uint64_t n_serials;
};

static void see_segment(struct seen *seen, const struct segment *s)
{
    const struct segment_info *info = segment_info(s);
    for (uint32_t b = 0; b < info->n_blocks; b++) {
        struct segment_texts *t = NULL;
        if (info->columns & FLOW_HAS_TEXT)
            HELP_MUST(!segment_texts_open(s, b, &t));
        for (uint32_t i = 0; i < segment_block_rows(s, b); i++) {
            struct flow f;
            HELP_MUST(!segment_flow(s, b, i, t, &f));
            HELP_MUST(f.source_packets < seen->n_serials);
            HELP_MUST(seen->times[f.source_packets] < 255);
            seen->times[f.source_packets]++;
            HELP_MUST(f.observer < segment_n_observers(s));
            HELP_MUST(is_as_made(&f, info->family, segment_observer(s, f.observer)));
        }
        if (t)
            segment_texts_close(t);
    }
}

static void see_store(struct seen *seen, const char *dir)
{
    struct store_view *v;
    struct fault f = {0};
    memset(seen->times, 0, seen->n_serials);
    int r = store_view_open(dir, &v, &f);
    if (r == STORE_EMPTY)
        return;
    if (r)
        fail_msg("view: %s", f.text);
    for (size_t i = 0; i < store_view_n_damaged(v); i++)
        fail_msg("damage: %s: %s", store_view_damaged(v, i)->file, store_view_damaged(v, i)->reason);
    for (size_t i = 0; i < store_view_n_segments(v); i++)
        see_segment(seen, store_view_segment(v, i));
    store_view_close(v);
}

/* check - against what the child said; an operation under way is settled by what is seen. */
static void check(struct seen *seen, const char *where)
{
    unsigned n = atomic_load(&shared->n_operations);
    for (unsigned i = 0; i < n; i++) {
        struct operation *o = &shared->operations[i];
        int progress = atomic_load(&o->progress);
        if (!progress)
            continue;
        unsigned present = seen->times[o->serial];
        if (present > 1 || (progress == DONE && present != 1))
            fail_msg("%s, step %llu (%s): operation %u (kind %d, family %d, rows %u, acknowledged %d) is there %u times",
                     where, (unsigned long long)shared->target_step, shared->step, i, (int)o->kind, o->family, o->n,
                     progress == DONE, present);
        for (uint32_t k = 0; k < o->n; k++)
            if (seen->times[o->serial + k] != present)
                fail_msg("%s, step %llu (%s): operation %u is there in part", where,
                         (unsigned long long)shared->target_step, shared->step, i);
        if (present) /* from here on it must stay; what was not seen must not appear later */
            atomic_store(&o->progress, DONE);
        else
            atomic_store(&o->progress, 0);
        memset(seen->times + o->serial, 0, o->n);
    }
    for (uint64_t i = 0; i < seen->n_serials; i++)
        if (seen->times[i])
            fail_msg("%s, step %llu (%s): row %llu was never given", where, (unsigned long long)shared->target_step,
                     shared->step, (unsigned long long)i);
}

static void check_store(const char *dir)
{
    struct seen seen = {.n_serials = atomic_load(&shared->next_serial) + 1};
    struct fault f = {0};
    struct store *s;
    struct store_options o = {.segment_rows = SEGMENT_ROWS_SMALL};
    seen.times = calloc(seen.n_serials, 1);
    HELP_MUST(seen.times);
    see_store(&seen, dir);
    check(&seen, "before reopening");
    if (store_open(dir, &o, &s, &f))
        fail_msg("step %llu (%s): reopen: %s", (unsigned long long)shared->target_step, shared->step, f.text);
    see_store(&seen, dir);
    check(&seen, "after reopening");
    if (store_compact(s, NULL, NULL, NULL, &f))
        fail_msg("compact: %s", f.text);
    store_close(s);
    see_store(&seen, dir);
    check(&seen, "after compaction");
    assert_int_equal(help_count_files(dir, "journals"), 0);
    free(seen.times);
}

/* --- the child's work --------------------------------------------------------------------------- */

static struct operation *begin(enum kind kind, int family, uint32_t n)
{
    unsigned i = atomic_fetch_add(&shared->n_operations, 1);
    HELP_MUST(i < MAX_OPERATIONS);
    struct operation *o = &shared->operations[i];
    o->kind = kind;
    o->family = family;
    o->serial = atomic_fetch_add(&shared->next_serial, n);
    o->n = n;
    atomic_store(&o->progress, BEGUN);
    return o;
}

/* told - a failure was reported with words; after one injected failure the next attempt must work. */
static bool told(int r, const struct fault *f, unsigned *attempts)
{
    if (r == 0)
        return false;
    HELP_MUST(shared->target_error && f->text[0] && ++*attempts < 3);
    atomic_fetch_add(&shared->n_reported, 1);
    return true;
}

static void do_append(struct store_writer *w, struct flow_batch *b, uint32_t n)
{
    struct operation *o = begin(APPEND, b->family, n);
    struct fault f = {0};
    unsigned attempts = 0;
    make_batch(b, o->serial, n);
    while (told(store_writer_append(w, b, &f), &f, &attempts))
        ;
    atomic_store(&o->progress, DONE);
}

static int import_once(struct store *s, struct flow_batch *b, const struct operation *o, struct fault *f)
{
    struct store_import *i;
    struct sha256 content = sha256_of(&o->serial, sizeof(o->serial));
    int r = store_import_begin(s, &content, "file", false, &i, f);
    HELP_MUST(r != STORE_ALREADY_KEPT);
    if (r)
        return r;
    for (uint32_t from = 0; !r && from < o->n; from += 64) {
        uint32_t n = o->n - from < 64 ? o->n - from : 64;
        make_batch(b, o->serial + from, n);
        r = store_import_append(i, b, f);
    }
    if (r) {
        store_import_abort(i);
        return r;
    }
    return store_import_commit(i, f);
}

static void do_import(struct store *s, struct flow_batch *b, uint32_t n)
{
    struct operation *o = begin(IMPORT, b->family, n);
    struct fault f = {0};
    unsigned attempts = 0;
    while (told(import_once(s, b, o, &f), &f, &attempts))
        ;
    atomic_store(&o->progress, DONE);
}

static struct store *do_open(const char *dir, unsigned n_threads)
{
    struct store_options o = {.segment_rows = SEGMENT_ROWS_SMALL, .n_build_threads = n_threads};
    struct store *s;
    struct fault f = {0};
    unsigned attempts = 0;
    while (told(store_open(dir, &o, &s, &f), &f, &attempts))
        ;
    return s;
}

static void do_seal(struct store_writer *w)
{
    struct fault f = {0};
    unsigned attempts = 0;
    while (told(store_writer_seal(w, &f), &f, &attempts))
        ;
}

static void do_tick(struct store_writer *w, int64_t now_us)
{
    struct fault f = {0};
    unsigned attempts = 0;
    while (told(store_writer_tick(w, now_us, &f), &f, &attempts))
        ;
}

static void do_compact(struct store *s)
{
    struct fault f = {0};
    unsigned attempts = 0;
    while (told(store_compact(s, NULL, NULL, NULL, &f), &f, &attempts))
        ;
}

static void work(const char *dir)
{
    struct flow_batch *b[2] = {flow_batch_new(4), flow_batch_new(6)};
    int64_t now_us = 1000000;
    for (int session = 0; session < 2; session++) {
        struct store *s = do_open(dir, 0);
        struct store_writer *w;
        HELP_MUST(!store_writer_new(s, &w, NULL));
        for (uint32_t i = 0; i < 6; i++) {
            do_append(w, b[0], 11 + i);
            HELP_MUST(!store_writer_note(w, "exporter", 8, i));
            do_append(w, b[1], 5);
            do_tick(w, now_us += 1100000);
            if (i == 2)
                do_seal(w);
        }
        do_import(s, b[0], 230);
        do_append(w, b[0], 120); /* more than a segment: sealed at once */
        do_import(s, b[1], 15);
        do_seal(w);
        do_import(s, b[0], 12);
        do_compact(s);
        do_append(w, b[0], 9); /* stays a journal */
        store_writer_free(w);
        store_close(s);
    }
    flow_batch_free(b[0]);
    flow_batch_free(b[1]);
}

static int run_child(const char *dir, void (*child)(const char *dir))
{
    pid_t pid = fork();
    HELP_MUST(pid >= 0);
    if (pid == 0) {
        child(dir);
        _exit(0);
    }
    int status;
    HELP_MUST(waitpid(pid, &status, 0) == pid);
    return status;
}

static void hooked_work(const char *dir)
{
    file_step_hook = hook;
    work(dir);
}

static uint64_t count_steps(void)
{
    struct help_dir d = help_dir_new();
    shared_reset(0, 0);
    int status = run_child(d.path, hooked_work);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_store(d.path);
    help_dir_free(&d);
    return atomic_load(&shared->n_steps);
}

/* stride - all steps in a long run, about @few in a short one; a different choice per seed. */
static uint64_t stride(uint64_t n_steps, unsigned few)
{
    uint64_t s = help_rounds(0) ? 1 : n_steps / few;
    return s ? s : 1;
}

static void killed_at_any_step_it_loses_and_doubles_nothing(void **state)
{
    (void)state;
    uint64_t n_steps = count_steps(), step = stride(n_steps, 40), n = 0;
    for (uint64_t i = 1 + help_seed() % step; i <= n_steps; i += step, n++) {
        struct help_dir d = help_dir_new();
        shared_reset(i, 0);
        int status = run_child(d.path, hooked_work);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check_store(d.path);
        help_dir_free(&d);
    }
    print_message("             killed at %llu of %llu steps\n", (unsigned long long)n, (unsigned long long)n_steps);
}

static void a_step_that_fails_once_is_told_and_costs_nothing(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO};
    uint64_t n_steps = count_steps(), step = stride(n_steps, 40), n = 0, n_reported = 0;
    for (uint64_t i = 1 + help_seed() % step; i <= n_steps; i += step, n++) {
        struct help_dir d = help_dir_new();
        shared_reset(i, errors[i % 2]);
        int status = run_child(d.path, hooked_work);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("step %llu (%s): the worker ended with status %d", (unsigned long long)i, shared->step, status);
        n_reported += atomic_load(&shared->n_reported) != 0;
        check_store(d.path);
        help_dir_free(&d);
    }
    print_message("             %llu of %llu steps failed once, %llu of them reported\n", (unsigned long long)n,
                  (unsigned long long)n_steps, (unsigned long long)n_reported);
    assert_true(n_reported > n / 2);
}

/* --- random kills ------------------------------------------------------------------------------------ */

struct loader {
    struct store *store;
    uint64_t random;
};

static void *append_for_ever(void *context)
{
    struct loader *l = context;
    struct flow_batch *b[2] = {flow_batch_new(4), flow_batch_new(6)};
    struct store_writer *w;
    int64_t now_us = 0;
    HELP_MUST(!store_writer_new(l->store, &w, NULL));
    for (;;) {
        uint64_t r = help_random(&l->random);
        do_append(w, b[r % 5 == 0], 1 + (uint32_t)(r >> 8) % 60);
        if (r % 7 == 0)
            do_tick(w, now_us += 400000);
        if (r % 41 == 0)
            do_seal(w);
        if (atomic_load(&shared->n_operations) > MAX_OPERATIONS - 64)
            for (;;)
                pause();
    }
    return NULL;
}

static uint64_t load_seed;

static void load(const char *dir)
{
    struct loader l[2];
    pthread_t t;
    struct store *s = do_open(dir, 2);
    struct flow_batch *b = flow_batch_new(4);
    for (int i = 0; i < 2; i++) {
        l[i] = (struct loader){s, load_seed + (uint64_t)i};
        HELP_MUST(!pthread_create(&t, NULL, append_for_ever, &l[i]));
    }
    for (;;) {
        do_import(s, b, 1 + (uint32_t)(help_random(&load_seed) % 400));
        do_compact(s);
        usleep((unsigned)(help_random(&load_seed) % 5000));
        if (atomic_load(&shared->n_operations) > MAX_OPERATIONS - 64)
            for (;;)
                pause();
    }
}

static void kill_once(const char *dir, uint64_t *random)
{
    load_seed = help_random(random);
    pid_t pid = fork();
    HELP_MUST(pid >= 0);
    if (pid == 0) {
        load(dir);
        _exit(1);
    }
    /* wait until it has got somewhere, then for a moment that nobody chose */
    unsigned from = atomic_load(&shared->n_operations), enough = (unsigned)(help_random(random) % 300);
    for (int i = 0; i < 5000 && atomic_load(&shared->n_operations) - from < enough; i++)
        usleep(1000);
    usleep((unsigned)(help_random(random) % 20000));
    int status;
    HELP_MUST(!kill(pid, SIGKILL));
    HELP_MUST(waitpid(pid, &status, 0) == pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("the worker ended by itself, status %d", status);
    check_store(dir);
}

static void killed_under_load_again_and_again_it_loses_and_doubles_nothing(void **state)
{
    (void)state;
    enum { PER_STORE = 10 };
    uint64_t random = help_seed(), n_rows = 0;
    unsigned n = help_rounds(0) ? (help_rounds(0) < 200 ? help_rounds(0) : 200) : 12;
    for (unsigned i = 0; i < n;) {
        struct help_dir d = help_dir_new();
        shared_reset(0, 0);
        for (unsigned k = 0; k < PER_STORE && i < n; k++, i++)
            kill_once(d.path, &random);
        n_rows += atomic_load(&shared->next_serial) - 1;
        help_dir_free(&d);
    }
    print_message("             killed %u times, %llu rows given (seed %llu)\n", n, (unsigned long long)n_rows,
                  (unsigned long long)help_seed());
}

int main(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HELP_MUST(shared != MAP_FAILED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_step_it_loses_and_doubles_nothing),
        cmocka_unit_test(a_step_that_fails_once_is_told_and_costs_nothing),
        cmocka_unit_test(killed_under_load_again_and_again_it_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests_name("store_torture", tests, NULL, NULL);
}
