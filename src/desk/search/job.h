/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/search/job - questions to the event store that take their time: queued, run beside the rest at low priority, stopped when asked.
 *
 * In:     a query's text, or lists or addresses to hunt for; a window; what the person may see of the store.
 * Out:    state, progress and coverage; rows in files below DIR/office/jobs (JSON lines and CSV), read by pages.
 * Limits: JOB_MAX jobs are remembered, JOB_OF_ONE waiting or running per person, job_options.bytes_max of rows a job (then the answer
 *         says that it was cut), keep_us after the end. Nothing outlives a restart but the hunt's record.
 * A job is its person's alone; of others' it is not said that they exist.
 */
#pragma once

#include "base/arena.h"
#include "base/fault.h"
#include "base/ip.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define JOB_MAX 256u
#define JOB_OF_ONE 5u
#define JOB_TEXT_MAX 65536u
#define JOB_ROWS_MAX 1000000

enum job_kind { JOB_QUERY, JOB_HUNT };
enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };
extern const char *const job_state_names[];

struct jobs;

struct job_options {
    const char *data_dir;  /* borrowed */
    unsigned n_workers;    /* 1..4 */
    uint64_t bytes_max;    /* of the rows of one job */
    int64_t keep_us;       /* after its end */
};

/* what is asked; everything is copied */
struct job_request {
    enum job_kind kind;
    int64_t person;
    const char *text;              /* a query; of a hunt the addresses and names, one a line; NULL: @lists */
    const char *const *lists;      /* names of published lists */
    size_t n_lists;
    int64_t since_us, until_us;    /* INT64_MIN, INT64_MAX: all time */
    int64_t rows_max;              /* 1..JOB_ROWS_MAX */
    bool is_rows;                  /* a hunt: the records themselves, not the hits */
    bool sees_all;                 /* else only rows and hits with an end in @only */
    const struct ip_range *only;
    size_t n_only;
};

/* jobs_new - sweeps what an earlier run left below DIR/office/jobs. Return: 0 or -errno. */
int jobs_new(const struct job_options *o, struct jobs **ret, struct fault *f);
/* jobs_free - running ones are stopped; waits for their threads. */
void jobs_free(struct jobs *j);

#define JOBS_FULL 1  /* too many of this person, or of all */
/* jobs_add - Return: 0 with the job's number, JOBS_FULL, or -errno. */
int jobs_add(struct jobs *j, const struct job_request *r, int64_t now_us, int64_t *ret_id);
/* jobs_json - {id, kind, state, progress, coverage, columns, n_rows, is_cut, fault, ...}, or NULL: this person has no such job. */
json_t *jobs_json(struct jobs *j, int64_t id, int64_t person);
/* jobs_each - a person's jobs, newest first. */
void jobs_each(struct jobs *j, int64_t person, bool (*each)(void *context, json_t *job, int64_t id), void *context);
/* jobs_cancel - Return: false: no such job of this person. One that is over stays as it is. */
bool jobs_cancel(struct jobs *j, int64_t id, int64_t person);
/*
 * jobs_rows - at most @n rows from byte @from of the answer, as a JSON array. @ret_next: where the next page begins; -1: this was the last
 * as far as the answer goes now. Return: 0, 1 (no such job of this person), or -errno.
 */
int jobs_rows(struct jobs *j, int64_t id, int64_t person, int64_t from, size_t n, json_t **ret, int64_t *ret_next);
/* jobs_file - a descriptor of all rows as CSV or JSON lines, positioned at the beginning. Return: >= 0, -ENOENT, -errno. */
int jobs_file(struct jobs *j, int64_t id, int64_t person, bool is_csv);
/* jobs_upkeep - answers that were kept long enough go. */
void jobs_upkeep(struct jobs *j, int64_t now_us);
