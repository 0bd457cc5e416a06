/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/view - what view.c opens and find.c searches. Nobody else includes this.
 */
#pragma once

#include "watch/store/log_segment.h"
#include "watch/store/manifest.h"
#include "watch/store/merged.h"
#include "watch/store/segment_build.h"
#include "watch/store/store.h"

#include <pthread.h>

#define VIEW_NO_SEGMENT SIZE_MAX

struct view_dictionary {
    struct merged *merged;
    int family;
    size_t *members; /* index into segments, VIEW_NO_SEGMENT if it is gone */
    size_t n_members;
};

struct store_view {
    struct segment **segments; /* newest arrival first */
    size_t n_segments;
    struct log_segment **logs; /* newest arrival first */
    size_t n_logs;
    struct view_dictionary *dictionaries;
    size_t n_dictionaries;
    pthread_mutex_t lock;          /* guards the damage that reading finds later */
    struct store_damage *damaged; /* room for every segment, dictionary and record: never moves */
    size_t n_damaged, room_damaged;
    uint64_t n_bytes;
};

/* view_add_damage - once per file. */
void view_add_damage(struct store_view *v, const char *file, uint64_t n_rows, const char *reason);
