/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/office_desks - the one table of the desks of the office: who knows them all. A desk is made before the web, in the order of the
 * table, from those made before it; its tables are brought to their last step in that order too.
 */
#pragma once

#include "node/config.h"
#include "node/office_keys.h"
#include "web/web.h"

#define OFFICE_DESKS_MAX 24u

struct alert_desk;
struct asset_desk;
struct duty_desk;
struct overview_desk;
struct search_desk;
struct unit_desk;

struct office_desks {
    struct web_desk desks[OFFICE_DESKS_MAX];
    const struct web_desk *pointers[OFFICE_DESKS_MAX];
    size_t n;
    const struct config *config;
    const char *data_dir;
    const struct office_keys *keys;
    /* what was made; NULL: not yet */
    struct unit_desk *units;
    struct asset_desk *assets;
    struct alert_desk *alerts;
    struct duty_desk *duty;
    struct search_desk *search;
    struct overview_desk *overview;
};

/*
 * office_desks_new - @ret stays where it is and @keys are not wiped while the desks live. Return: 0; 1 or <0 with the fault (a
 * desk's content is wrong).
 */
int office_desks_new(const struct config *c, const char *data_dir, const struct office_keys *keys, struct office_desks *ret,
                     struct fault *f);
void office_desks_free(struct office_desks *d);
