/* SPDX-License-Identifier: Apache-2.0 */
/* desk/search/job_own - one job as the queue (job.c) and who runs it (job_run.c) share it. */
#pragma once

#include "desk/search/job.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct job {
    int64_t id;
    struct job_request request;     /* its texts and ranges in @arena */
    struct arena arena;
    atomic_bool is_cancelled;
    atomic_uint_least64_t done, total; /* segments */
    int64_t created_us, started_us, ended_us;
    /* under the lock of the queue once the job is over; before that the running thread's own */
    json_t *columns, *coverage, *warnings;
    char fault[768];
    bool is_cut;
    atomic_uint_least64_t n_rows, n_bytes;
    enum job_state state;           /* under the lock */
};

/* job_run - everything a job does, on the worker's thread. @rows, @csv: open for writing. Return: 0, -ECANCELED, -errno (fault set). */
int job_run(struct job *job, const struct job_options *o, FILE *rows, FILE *csv);
