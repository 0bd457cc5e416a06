/* SPDX-License-Identifier: Apache-2.0 */
#include "node/status_flat.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool is_label(const char *key)
{
    static const char *const labels[] = {"address", "port", "domain", "protocol", "name", "version"};
    for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
        if (!strcmp(key, labels[i]))
            return true;
    return false;
}

static void make_labels(const json_t *object, char *out, size_t n_out)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    out[0] = '\0';
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        char shown[128];
        if (!is_label(key) || n + 200 > n_out)
            continue;
        const char *text = json_string_value(value);
        if (text)
            text_escape(text, strlen(text), shown, sizeof(shown));
        else
            snprintf(shown, sizeof(shown), "%lld", (long long)json_integer_value(value));
        n += (size_t)snprintf(out + n, n_out - n, "%s%s=\"%s\"", n ? "," : "", key, shown);
    }
}

enum { MAX_FLAT_DEPTH = 8, NAME_BYTES = 256, LABEL_BYTES = 1024 };

static void flatten(const struct status_flat *f, const char *name, const char *labels, const json_t *v, int depth)
{
    char below[NAME_BYTES], own[LABEL_BYTES];
    const char *key;
    json_t *child;
    size_t i;
    if (depth > MAX_FLAT_DEPTH)
        return;
    if (json_is_array(v)) {
        json_array_foreach(v, i, child)
        {
            make_labels(child, own, sizeof(own));
            flatten(f, name, own, child, depth + 1);
        }
        return;
    }
    if (!json_is_object(v)) {
        f->put(f->context, name, labels, v);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, child)
    {
        if (*labels && is_label(key))
            continue;
        snprintf(below, sizeof(below), "%s%s%s", name, *name ? "_" : "", key);
        flatten(f, below, labels, child, depth + 1);
    }
}

void status_flatten(const struct status_flat *f, const json_t *all)
{
    flatten(f, "", "", all, 0);
}

static void put_metric(void *context, const char *name, const char *labels, const json_t *v)
{
    if (!json_is_integer(v) && !json_is_boolean(v))
        return;
    buf_printf(context, "vonggac_%s%s%s%s %lld\n", name, *labels ? "{" : "", labels, *labels ? "}" : "",
               json_is_boolean(v) ? (long long)json_is_true(v) : (long long)json_integer_value(v));
}

void status_metrics(const json_t *all, struct buf *out)
{
    const struct status_flat f = {put_metric, out};
    status_flatten(&f, all);
}
