/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/row_json - a row of SQL as the JSON object of the API.
 */
#pragma once

#include "state/db.h"

#include <jansson.h>

/*
 * row_json - the row @s stands on; @shape: one "letter name" per column from 0 on, blanks between: i number, b boolean, s text, t time
 * (0, null and the largest: null), n number or null (0 too), x text or null (empty too), l TLP by name, - passed over.
 * Return: a new object, NULL without memory.
 */
json_t *row_json(struct db_statement *s, const char *shape);
/* row_tlp_name, row_tlp_names - "clear", "green", "amber", "amber_strict", "red". */
const char *row_tlp_name(int64_t tlp);
extern const char *const row_tlp_names[5];
