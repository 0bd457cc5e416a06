/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/status_flat - the node's status, a tree of JSON, as flat figures with labels: for tables, csv and Prometheus.
 *
 * Limits: depth 8; names of 255 bytes, labels of 1,023: what is beyond is left out.
 */
#pragma once

#include "base/buf.h"

#include <jansson.h>

struct status_flat {
    void (*put)(void *context, const char *name, const char *labels, const json_t *value);
    void *context;
};

/* status_flatten - every value of @all, in its order; names joined by '_', labels as name="value",... */
void status_flatten(const struct status_flat *f, const json_t *all);
/* status_metrics - numbers and booleans of @all as lines of Prometheus, their names after "vonggac_". */
void status_metrics(const json_t *all, struct buf *out);
