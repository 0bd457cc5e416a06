/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/hits - records become hits: who is own, who is listed, counted per (own, remote, list).
 */
#pragma once

#include "watch/hunt/hunt.h"

struct hits;

/* hits_new - NULL when memory is out. All borrowed. */
struct hits *hits_new(struct list *const *lists, size_t n_lists, const struct space *space, size_t memory_bytes);
void hits_free(struct hits *h);
/*
 * hits_add - one record with a listed end.
 * @ret_is_foreign: own space is known and neither end is own: it made no hit.
 * Return: 0 or -ENOMEM (memory or the ceiling).
 */
int hits_add(struct hits *h, const struct hunt_row *r, bool *ret_is_foreign);
size_t hits_n(const struct hits *h);
/* hits_each - last seen first. Return: 0, -ENOMEM, or what @each returned. */
int hits_each(struct hits *h, int (*each)(void *context, const struct hunt_hit *hit), void *context);
