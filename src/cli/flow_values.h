/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/flow_values - a decoded flow as the row a query would give, so that `decode` prints what `query` prints.
 */
#pragma once

#include "watch/query/output.h"

struct flow_values {
    struct query_sink sink; /* of an output with is_rows */
    struct query_column columns[QUERY_COLUMNS];
    struct query_field fields[QUERY_COLUMNS];
    struct query_value values[QUERY_COLUMNS];
    size_t n;
};

/* flow_values_begin - Return: 0 or what the sink answered. */
int flow_values_begin(struct flow_values *v, const struct query_sink *sink);
/* flow_values_put - @o: may be NULL. Return: as above. */
int flow_values_put(struct flow_values *v, const struct flow *f, const struct flow_observer *o);
