/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/unit_api - the table of routes: unit_api.c (units, names), unit_owned_api.c (prefixes, handles, systems, contacts).
 */
#pragma once

#include "desk/unit/desk_api.h"
#include "desk/unit/unit_desk.h"

extern const struct web_route unit_routes[];
extern const size_t unit_n_routes;

/* owned_get_prefixes and those below: handlers of what belongs to units */
int owned_get_prefixes(const struct web_request *q, struct web_reply *r);
int owned_post_prefix(const struct web_request *q, struct web_reply *r);
int owned_patch_prefix(const struct web_request *q, struct web_reply *r);
int owned_delete_prefix(const struct web_request *q, struct web_reply *r);
int owned_publish(const struct web_request *q, struct web_reply *r);
int owned_get_handles(const struct web_request *q, struct web_reply *r);
int owned_post_handle(const struct web_request *q, struct web_reply *r);
int owned_delete_handle(const struct web_request *q, struct web_reply *r);
int owned_get_systems(const struct web_request *q, struct web_reply *r);
int owned_get_system(const struct web_request *q, struct web_reply *r);
int owned_post_system(const struct web_request *q, struct web_reply *r);
int owned_patch_system(const struct web_request *q, struct web_reply *r);
int owned_delete_system(const struct web_request *q, struct web_reply *r);
int owned_post_level(const struct web_request *q, struct web_reply *r);
int owned_get_contacts(const struct web_request *q, struct web_reply *r);
int owned_post_contact(const struct web_request *q, struct web_reply *r);
int owned_patch_contact(const struct web_request *q, struct web_reply *r);
int owned_delete_contact(const struct web_request *q, struct web_reply *r);
int owned_verify_contact(const struct web_request *q, struct web_reply *r);
int owned_import(const struct web_request *q, struct web_reply *r);
