/* SPDX-License-Identifier: Apache-2.0 */
/* Routes are lines of tables; a request meets them one after the other, segment by segment. */
#include "web/web_own.h"

#include <string.h>

const char *const web_method_names[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};

bool web_route_matches(const char *pattern, const char *path, struct text parameters[WEB_PARAMETERS])
{
    unsigned n = 0;
    while (*pattern && *path) {
        if (*pattern == '{') {
            size_t k = strcspn(path, "/");
            if (!k || n == WEB_PARAMETERS)
                return false;
            parameters[n++] = (struct text){path, k};
            path += k;
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*pattern && !*path;
}

static int method_of(const char *name)
{
    if (!strcmp(name, "HEAD"))
        return WEB_GET;
    for (int i = 0; web_method_names[i]; i++)
        if (!strcmp(web_method_names[i], name))
            return i;
    return -1;
}

int web_route_find(const struct web *w, const char *method, const char *path, struct web_entry *ret,
                   struct text parameters[WEB_PARAMETERS], unsigned *ret_allowed)
{
    struct text found[WEB_PARAMETERS] = {{0}};
    int wanted = method_of(method), best = -1;
    *ret_allowed = 0;
    for (size_t i = 0; i < w->n_routes; i++) {
        const struct web_route *r = w->routes[i].route;
        struct text these[WEB_PARAMETERS] = {{0}};
        if (!web_route_matches(r->pattern, path, these))
            continue;
        *ret_allowed |= 1u << r->method;
        /* "/units/tree" before "/units/{unit}": '{' sorts behind letters, digits and '-' */
        if ((int)r->method != wanted || (best >= 0 && strcmp(r->pattern, w->routes[best].route->pattern) >= 0))
            continue;
        best = (int)i;
        memcpy(found, these, sizeof(found));
    }
    if (best < 0)
        return *ret_allowed ? 405 : 404;
    *ret = w->routes[best];
    memcpy(parameters, found, sizeof(found));
    return 0;
}
