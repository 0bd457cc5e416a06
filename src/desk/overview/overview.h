/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/overview/overview - the first look: does anything need a person, what is not seen, and only then numbers.
 *
 * Each part stands for itself: who may not read alerts has no part of alerts, and nothing tells that there would be one. Numbers name
 * their counting unit and, where there is one, their denominator.
 */
#pragma once

#include "web/web.h"

struct overview_options {
    void *context;
    /* what is not seen, as desk/search gives it: an array (owned by the caller) or NULL. May be NULL. */
    json_t *(*blind_spots)(void *context, int64_t now_us);
};

struct overview_desk;
/* overview_desk_new - Return: 0 or -ENOMEM. */
int overview_desk_new(const struct overview_options *o, struct overview_desk **ret, struct fault *f);
void overview_desk_free(struct overview_desk *d);
/* overview_desk_entry - the line of the node's table of desks. */
struct web_desk overview_desk_entry(struct overview_desk *d);
