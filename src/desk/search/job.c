/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed table of jobs and a few threads. What a thread writes while it runs is its own or atomic; the rest changes under one lock.
 * Rows lie in files without a name for anybody but us: a page is read where the last one ended.
 */
#include "desk/search/job_own.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_WORKERS = 4, NICE = 10, PAGE_BYTES = 8 << 20 };

const char *const job_state_names[] = {"waiting", "running", "done", "failed", "cancelled", NULL};
static const char *const KINDS[] = {"query", "hunt"};

struct jobs {
    struct job_options o;
    char dir[PATH_MAX];
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *all[JOB_MAX]; /* NULL: free */
    int64_t next_id;
    pthread_t threads[MAX_WORKERS];
    unsigned n_threads;
    bool is_ending;
};

/* --- files ------------------------------------------------------------------------------------------------------- */

static void path_of(const struct jobs *j, int64_t id, bool is_csv, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%.*s/%lld.%s", PATH_MAX - 32, j->dir, (long long)id, is_csv ? "csv" : "jsonl");
}

static void remove_files(const struct jobs *j, int64_t id)
{
    char path[PATH_MAX];
    for (int csv = 0; csv < 2; csv++) {
        path_of(j, id, csv, path);
        unlink(path);
    }
}

static FILE *create(const struct jobs *j, int64_t id, bool is_csv)
{
    char path[PATH_MAX];
    path_of(j, id, is_csv, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f)
        file_close(&fd);
    return f;
}

static void sweep(const struct jobs *j)
{
    DIR *d = opendir(j->dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".jsonl") || strstr(e->d_name, ".csv"))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static void job_free(struct job *job)
{
    json_decref(job->columns);
    json_decref(job->coverage);
    json_decref(job->warnings);
    arena_fini(&job->arena);
    free(job);
}

static bool is_over(const struct job *job)
{
    return job->state > JOB_RUNNING;
}

/* find - under the lock; somebody else's job is none */
static struct job *find(struct jobs *j, int64_t id, int64_t person)
{
    for (size_t i = 0; i < JOB_MAX; i++)
        if (j->all[i] && j->all[i]->id == id && j->all[i]->request.person == person)
            return j->all[i];
    return NULL;
}

/* drop - under the lock: the job at @i and its rows are gone */
static void drop(struct jobs *j, size_t i)
{
    remove_files(j, j->all[i]->id);
    job_free(j->all[i]);
    j->all[i] = NULL;
}

/* room - under the lock: a free place, made by the oldest that is over. Return: JOB_MAX: none, or this person has too many. */
static size_t room(struct jobs *j, int64_t person)
{
    size_t free_at = JOB_MAX, oldest = JOB_MAX, n_his = 0;
    for (size_t i = 0; i < JOB_MAX; i++) {
        const struct job *job = j->all[i];
        if (!job)
            free_at = i;
        else if (!is_over(job))
            n_his += job->request.person == person;
        else if (oldest == JOB_MAX || job->ended_us < j->all[oldest]->ended_us)
            oldest = i;
    }
    if (n_his >= JOB_OF_ONE)
        return JOB_MAX;
    if (free_at == JOB_MAX && oldest != JOB_MAX) {
        drop(j, oldest);
        return oldest;
    }
    return free_at;
}

static int copy_request(struct job *job, const struct job_request *r)
{
    struct job_request *mine = &job->request;
    *mine = *r;
    mine->text = r->text ? arena_text(&job->arena, r->text, strlen(r->text)) : NULL;
    struct ip_range *only = arena_alloc(&job->arena, (r->n_only + 1) * sizeof(*only));
    const char **lists = arena_alloc(&job->arena, (r->n_lists + 1) * sizeof(*lists));
    if ((r->text && !mine->text) || !only || !lists)
        return -ENOMEM;
    if (r->n_only)
        memcpy(only, r->only, r->n_only * sizeof(*only));
    for (size_t i = 0; i < r->n_lists; i++)
        if (!(lists[i] = arena_text(&job->arena, r->lists[i], strlen(r->lists[i]))))
            return -ENOMEM;
    mine->only = only;
    mine->lists = lists;
    return 0;
}

int jobs_add(struct jobs *j, const struct job_request *r, int64_t now_us, int64_t *ret_id)
{
    struct job *job = calloc(1, sizeof(*job));
    int e = job ? copy_request(job, r) : -ENOMEM;
    if (e) {
        if (job)
            job_free(job);
        return e;
    }
    job->created_us = now_us;
    pthread_mutex_lock(&j->lock);
    size_t at = room(j, r->person);
    if (at < JOB_MAX) {
        *ret_id = job->id = j->next_id++;
        j->all[at] = job;
        pthread_cond_signal(&j->more);
    }
    pthread_mutex_unlock(&j->lock);
    if (at == JOB_MAX)
        job_free(job);
    return at == JOB_MAX ? JOBS_FULL : 0;
}

bool jobs_cancel(struct jobs *j, int64_t id, int64_t person)
{
    pthread_mutex_lock(&j->lock);
    struct job *job = find(j, id, person);
    if (job)
        atomic_store(&job->is_cancelled, true);
    if (job && job->state == JOB_WAITING) {
        job->state = JOB_CANCELLED;
        job->ended_us = clock_now_us();
    }
    pthread_mutex_unlock(&j->lock);
    return job != NULL;
}

void jobs_upkeep(struct jobs *j, int64_t now_us)
{
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < JOB_MAX; i++)
        if (j->all[i] && is_over(j->all[i]) && j->all[i]->ended_us + j->o.keep_us <= now_us)
            drop(j, i);
    pthread_mutex_unlock(&j->lock);
}

/* --- telling ----------------------------------------------------------------------------------------------------- */

static json_t *time_json(int64_t us)
{
    char text[TIME_TEXT_MAX];
    if (!us)
        return json_null();
    clock_format_utc(us, text);
    return json_string(text);
}

static json_t *describe(const struct job *job)
{
    bool is_told = is_over(job); /* the running thread's own until then */
    json_t *none = json_null();
    json_t *o = json_pack("{s:I, s:s, s:s, s:{s:I, s:I, s:s}, s:I, s:I, s:b, s:O, s:O, s:O, s:s}", "id", (json_int_t)job->id,
                          "kind", KINDS[job->request.kind], "state", job_state_names[job->state], "progress", "done",
                          (json_int_t)atomic_load(&job->done), "total", (json_int_t)atomic_load(&job->total), "unit", "segment",
                          "n_rows", (json_int_t)atomic_load(&job->n_rows), "bytes", (json_int_t)atomic_load(&job->n_bytes),
                          "is_cut", is_told && job->is_cut, "columns", is_told && job->columns ? job->columns : none, "coverage",
                          is_told && job->coverage ? job->coverage : none, "warnings",
                          is_told && job->warnings ? job->warnings : none, "fault", is_told ? job->fault : "");
    if (o) {
        json_object_set_new(o, "created_at", time_json(job->created_us));
        json_object_set_new(o, "started_at", time_json(job->started_us));
        json_object_set_new(o, "ended_at", time_json(job->ended_us));
        json_object_set_new(o, "text", job->request.text ? json_string(job->request.text) : json_null());
    }
    return o;
}

json_t *jobs_json(struct jobs *j, int64_t id, int64_t person)
{
    pthread_mutex_lock(&j->lock);
    const struct job *job = find(j, id, person);
    json_t *o = job ? describe(job) : NULL;
    pthread_mutex_unlock(&j->lock);
    return o;
}

void jobs_each(struct jobs *j, int64_t person, bool (*each)(void *context, json_t *job, int64_t id), void *context)
{
    pthread_mutex_lock(&j->lock);
    int64_t below = INT64_MAX;
    for (bool goes_on = true; goes_on;) {
        const struct job *next = NULL;
        for (size_t i = 0; i < JOB_MAX; i++) {
            const struct job *job = j->all[i];
            if (job && job->request.person == person && job->id < below && (!next || job->id > next->id))
                next = job;
        }
        goes_on = next && each(context, describe(next), next->id);
        below = next ? next->id : 0;
    }
    pthread_mutex_unlock(&j->lock);
}

int jobs_file(struct jobs *j, int64_t id, int64_t person, bool is_csv)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&j->lock);
    int fd = -ENOENT;
    if (find(j, id, person)) {
        path_of(j, id, is_csv, path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        fd = fd < 0 ? -errno : fd;
    }
    pthread_mutex_unlock(&j->lock);
    return fd;
}

/* rows_of - whole lines of @p, at most @n of them; *@ret_used: bytes they take */
static json_t *rows_of(const char *p, size_t n_bytes, size_t n, size_t *ret_used)
{
    json_t *all = json_array();
    *ret_used = 0;
    while (all && json_array_size(all) < n) {
        const char *line = p + *ret_used, *end = memchr(line, '\n', n_bytes - *ret_used);
        json_t *row = end ? json_loadb(line, (size_t)(end - line), 0, NULL) : NULL;
        if (!row)
            break;
        json_array_append_new(all, row);
        *ret_used = (size_t)(end + 1 - p);
    }
    return all;
}

int jobs_rows(struct jobs *j, int64_t id, int64_t person, int64_t from, size_t n, json_t **ret, int64_t *ret_next)
{
    int fd = jobs_file(j, id, person, false);
    *ret = NULL;
    *ret_next = -1;
    pthread_mutex_lock(&j->lock);
    bool is_known = find(j, id, person) != NULL;
    pthread_mutex_unlock(&j->lock);
    if (fd == -ENOENT && is_known) { /* it waits still */
        *ret = json_array();
        return *ret ? 0 : -ENOMEM;
    }
    if (fd < 0)
        return fd == -ENOENT ? 1 : fd;
    char *p = malloc(PAGE_BYTES);
    ssize_t got = p && from >= 0 ? pread(fd, p, PAGE_BYTES, from) : -1;
    size_t used = 0;
    if (got >= 0)
        *ret = rows_of(p, (size_t)got, n, &used);
    if (used && (size_t)got > used)
        *ret_next = from + (int64_t)used;
    free(p);
    file_close(&fd);
    return *ret ? 0 : -ENOMEM;
}

/* --- running ----------------------------------------------------------------------------------------------------- */

static int run_files(struct jobs *j, struct job *job)
{
    FILE *rows = create(j, job->id, false), *csv = create(j, job->id, true);
    int r = rows && csv ? job_run(job, &j->o, rows, csv) : -errno;
    if (rows && fclose(rows) && !r)
        r = -errno;
    if (csv && fclose(csv) && !r)
        r = -errno;
    if (r && r != -ECANCELED && !*job->fault)
        snprintf(job->fault, sizeof(job->fault), "%s", strerrordesc_np(-r));
    return r;
}

static struct job *next_waiting(struct jobs *j)
{
    struct job *next = NULL;
    for (size_t i = 0; i < JOB_MAX; i++)
        if (j->all[i] && j->all[i]->state == JOB_WAITING && (!next || j->all[i]->id < next->id))
            next = j->all[i];
    return next;
}

static void *work(void *context)
{
    struct jobs *j = context;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* of this thread: whoever looks at alerts comes first */
    pthread_mutex_lock(&j->lock);
    for (;;) {
        struct job *job = NULL;
        while (!j->is_ending && !(job = next_waiting(j)))
            pthread_cond_wait(&j->more, &j->lock);
        if (j->is_ending)
            break;
        job->state = JOB_RUNNING;
        job->started_us = clock_now_us();
        pthread_mutex_unlock(&j->lock);
        int r = run_files(j, job);
        pthread_mutex_lock(&j->lock);
        job->state = !r ? JOB_DONE : r == -ECANCELED ? JOB_CANCELLED : JOB_FAILED;
        job->ended_us = clock_now_us();
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

int jobs_new(const struct job_options *o, struct jobs **ret, struct fault *f)
{
    struct jobs *j = calloc(1, sizeof(*j));
    if (!j)
        return FAULT(f, -ENOMEM, no_memory, "jobs");
    j->o = *o;
    j->next_id = 1;
    int n = snprintf(j->dir, sizeof(j->dir), "%s/office/jobs", o->data_dir);
    int r = n >= (int)sizeof(j->dir) - 32 ? -ENAMETOOLONG : file_make_dirs(j->dir, 0750);
    if (r) {
        FAULT(f, r, node_cannot_enter, j->dir, strerrordesc_np(-r));
        free(j);
        return r;
    }
    sweep(j);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->more, NULL);
    unsigned wanted = o->n_workers > MAX_WORKERS ? MAX_WORKERS : o->n_workers;
    while (j->n_threads < wanted && !pthread_create(&j->threads[j->n_threads], NULL, work, j))
        j->n_threads++;
    if (!j->n_threads) {
        jobs_free(j);
        return FAULT(f, -EAGAIN, no_memory, "jobs");
    }
    *ret = j;
    return 0;
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->is_ending = true;
    for (size_t i = 0; i < JOB_MAX; i++)
        if (j->all[i])
            atomic_store(&j->all[i]->is_cancelled, true);
    pthread_cond_broadcast(&j->more);
    pthread_mutex_unlock(&j->lock);
    for (unsigned i = 0; i < j->n_threads; i++)
        pthread_join(j->threads[i], NULL);
    for (size_t i = 0; i < JOB_MAX; i++)
        if (j->all[i])
            drop(j, i);
    pthread_cond_destroy(&j->more);
    pthread_mutex_destroy(&j->lock);
    free(j);
}
