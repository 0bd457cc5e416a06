/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/unit/row_json.h"

#include "web/web.h"

#include <string.h>

const char *const row_tlp_names[5] = {"clear", "green", "amber", "amber_strict", "red"};

const char *row_tlp_name(int64_t tlp)
{
    return tlp >= 0 && tlp < 5 ? row_tlp_names[tlp] : "red";
}

static json_t *value_of(struct db_statement *s, int column, char letter)
{
    int64_t v = db_int(s, column);
    switch (letter) {
    case 'i':
        return json_integer(v);
    case 'b':
        return json_boolean(v);
    case 't':
        return web_time(v == INT64_MAX ? 0 : v);
    case 'n':
        return v ? json_integer(v) : json_null();
    case 'l':
        return json_string(row_tlp_name(v));
    case 'x':
        return db_text(s, column).n ? web_string(db_text(s, column)) : json_null();
    default:
        return web_string(db_text(s, column));
    }
}

json_t *row_json(struct db_statement *s, const char *shape)
{
    json_t *o = json_object();
    for (int column = 0; o && *shape; column++) {
        char letter = *shape, name[64];
        const char *from = letter == '-' ? shape + 1 : shape + 2, *end = strchrnul(from, ' ');
        size_t n = (size_t)(end - from) < sizeof(name) ? (size_t)(end - from) : sizeof(name) - 1;
        memcpy(name, from, n);
        name[n] = '\0';
        if (letter != '-' && json_object_set_new(o, name, value_of(s, column, letter))) {
            json_decref(o);
            return NULL;
        }
        shape = *end ? end + 1 : end;
    }
    return o;
}
