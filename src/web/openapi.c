/* SPDX-License-Identifier: Apache-2.0 */
/* The description of the API is written by the desks in parts (content/openapi/NAME.yaml); here they become one JSON document. */
#include "web/web_own.h"

#include "base/file.h"
#include "format/yaml_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *scalar(const struct yaml_tree *t)
{
    int64_t i;
    bool b;
    char *end, number[64];
    if (yaml_tree_is_null(t))
        return json_null();
    if (!yaml_tree_bool(t, &b))
        return json_boolean(b);
    if (!yaml_tree_integer(t, &i))
        return json_integer(i);
    if (t->is_plain && t->text.n && t->text.n < sizeof(number) && strchr("0123456789-", t->text.p[0])) {
        memcpy(number, t->text.p, t->text.n);
        number[t->text.n] = 0;
        double d = strtod(number, &end);
        if (!*end)
            return json_real(d);
    }
    return json_stringn(t->text.p, t->text.n);
}

static json_t *json_of(const struct yaml_tree *t)
{
    if (t->kind == YAML_SCALAR)
        return scalar(t);
    json_t *all = t->kind == YAML_LIST ? json_array() : json_object();
    for (const struct yaml_tree *x = t->first; all && x; x = x->next) {
        char key[200];
        json_t *v = json_of(x);
        if (t->kind == YAML_LIST) {
            json_array_append_new(all, v);
            continue;
        }
        snprintf(key, sizeof(key), "%.*s", (int)x->key.n, x->key.p);
        json_object_set_new(all, key, v);
    }
    return all;
}

/* merge - maps are joined, all else of @from replaces. Return: false: something stands in two files. */
static bool merge(json_t *into, json_t *from, int depth)
{
    const char *key;
    json_t *v;
    json_object_foreach(from, key, v) {
        json_t *there = json_object_get(into, key);
        if (there && json_is_object(there) && json_is_object(v) && depth) {
            if (!merge(there, v, depth - 1))
                return false;
            continue;
        }
        if (there && json_is_array(there) && json_is_array(v) && depth) {
            json_array_extend(there, v);
            continue;
        }
        if (there)
            return false;
        json_object_set(into, key, v);
    }
    return true;
}

static int add_part(json_t *all, const char *path, struct fault *f)
{
    _cleanup_free_ uint8_t *text = NULL;
    size_t n;
    struct arena arena = {0};
    struct yaml_trees trees;
    struct yaml_tree_fault why = {0};
    int r = file_read_path(path, YAML_FILE_MAX, &text, &n);
    if (r)
        return FAULT(f, r, cli_cannot_read, path, strerrordesc_np(-r));
    r = yaml_tree_parse((const char *)text, n, &arena, &trees, &why);
    if (r || !trees.n || trees.first->kind != YAML_MAP) {
        arena_fini(&arena);
        return FAULT(f, -EBADMSG, web_bad_openapi, path, (int)why.line, why.detail);
    }
    json_t *part = json_of(trees.first);
    /* three levels: paths / path / method, components / schemas / name */
    bool is_fine = part && merge(all, part, 2);
    json_decref(part);
    arena_fini(&arena);
    return is_fine ? 0 : FAULT(f, -EBADMSG, web_bad_openapi, path, 0, "stands in another file too");
}

static int is_part(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && e->d_name[0] != '.' && !strcmp(e->d_name + n - 5, ".yaml");
}

int web_openapi_load(const char *dir, json_t **ret, struct fault *f)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_part, alphasort), r = 0;
    if (n < 0)
        return FAULT(f, -errno, cli_cannot_read, dir, strerrordesc_np(errno));
    json_t *all = json_object();
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        if (!r)
            r = all ? add_part(all, path, f) : FAULT(f, -ENOMEM, no_memory, "openapi");
        free(names[i]);
    }
    free(names);
    if (r) {
        json_decref(all);
        return r;
    }
    *ret = all;
    return 0;
}
