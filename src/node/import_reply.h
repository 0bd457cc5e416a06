/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/import_reply - what an import says per file, in one form: the node sends it as JSON, the command
 * line prints it, whether it wrote itself or asked the node.
 */
#pragma once

#include "watch/intake/import_store.h"

#include <jansson.h>

#define IMPORT_REPLY_REFUSED_SHOWN 20u

/* NULL when memory is out */
json_t *import_reply_refused(const struct import_refused *r);
json_t *import_reply_file(const char *name, int result, const struct import_stored *s, const struct fault *f);
json_t *import_reply_left(const struct import_summary *s);
/* import_reply_status - the exit status after one more file: 1 outlives 2 outlives 0. */
int import_reply_status(int before, int result, const struct import_stored *s);
/* import_reply_print - one reply for people, on standard error. */
void import_reply_print(const json_t *reply);

/*
 * import_reply_mapping - "source.ip=srcaddr,destination.ip=dstaddr" as a mapping.
 * Return: 0, 1 (not of that form), or -ENOMEM. import_reply_mapping_free takes it back (NULL is fine).
 */
int import_reply_mapping(const char *text, const struct flow_mapping **ret, uint32_t *ret_n);
void import_reply_mapping_free(const struct flow_mapping *m);
