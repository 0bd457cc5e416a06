/* SPDX-License-Identifier: Apache-2.0 */
/* desk/duty/duty_own - what the files of this desk share. */
#pragma once

#include "desk/duty/duty_desk.h"

#include <pthread.h>

struct duty_desk {
    struct duty_options o;
    struct duty_policy policy;
    struct web *web;       /* known from the first tick on */
    pthread_t thread;
    bool has_thread, is_ending;
    pthread_mutex_t lock;
    pthread_cond_t end;
};

extern const struct web_route duty_routes[];
extern const size_t duty_n_routes;
