/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/behaviour_settings.h"

#include "base/arena.h"
#include "base/content.h"
#include "base/file.h"
#include "format/yaml_tree.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct setting {
    const char *name;
    double value, least, most;
} settings[BEHAVIOUR_N_SETTINGS] = {
#define X(id, text, number, low, high) {text, number, low, high},
    BEHAVIOUR_SETTINGS(X)
#undef X
};

void behaviour_settings_default(struct behaviour_settings *ret)
{
    for (unsigned i = 0; i < BEHAVIOUR_N_SETTINGS; i++)
        ret->v[i] = settings[i].value;
}

const char *behaviour_setting_name(enum behaviour_setting s)
{
    return settings[s].name;
}

static const struct setting *find(struct text name)
{
    for (unsigned i = 0; i < BEHAVIOUR_N_SETTINGS; i++)
        if (text_is(name, settings[i].name))
            return &settings[i];
    return NULL;
}

int behaviour_setting_bounds(struct text name, double *ret_least, double *ret_most)
{
    const struct setting *s = find(name);
    if (!s)
        return 1;
    *ret_least = s->least;
    *ret_most = s->most;
    return 0;
}

static int parse_number(struct text t, double *ret)
{
    char text[40], *end;
    if (text_is(t, "true") || text_is(t, "false")) {
        *ret = t.n == 4;
        return 0;
    }
    if (!t.n || t.n >= sizeof(text) || (!(t.p[0] >= '0' && t.p[0] <= '9') && t.p[0] != '.'))
        return 1;
    memcpy(text, t.p, t.n);
    text[t.n] = 0;
    *ret = strtod(text, &end);
    double factor = !strcmp(end, "k") ? 1e3 : !strcmp(end, "M") ? 1e6 : !strcmp(end, "G") ? 1e9 : !*end ? 1 : 0;
    *ret *= factor;
    return factor == 0 || !isfinite(*ret);
}

int behaviour_settings_set(struct behaviour_settings *s, struct text name, struct text value)
{
    const struct setting *x = find(name);
    double v;
    if (!x)
        return 1;
    if (parse_number(value, &v))
        return 2;
    if (v < x->least || v > x->most)
        return 3;
    s->v[x - settings] = v;
    return 0;
}

struct loader {
    struct behaviour_settings s;
    const char *path;
    struct fault *f;
};

static int load_number(struct loader *l, struct text kind, const struct yaml_tree *t)
{
    char name[128], shown[80];
    const struct yaml_tree *v = t->kind == YAML_MAP ? yaml_tree_get(t, "value") : t;
    double least = 0, most = 0;
    if (!v || v->kind != YAML_SCALAR || kind.n + t->key.n + 2 > sizeof(name))
        return FAULT(l->f, -EINVAL, behaviour_setting_wrong, l->path, t->line, text_escape(t->key.p, t->key.n, shown, sizeof(shown)));
    memcpy(name, kind.p, kind.n);
    name[kind.n] = '.';
    memcpy(name + kind.n + 1, t->key.p, t->key.n);
    struct text full = {name, kind.n + 1 + t->key.n};
    int r = behaviour_settings_set(&l->s, full, v->text);
    if (r <= 1)
        return r ? FAULT(l->f, -EINVAL, behaviour_setting_unknown, l->path, t->line, text_escape(name, full.n, shown, sizeof(shown))) : 0;
    (void)behaviour_setting_bounds(full, &least, &most);
    name[full.n] = 0;
    return FAULT(l->f, -EINVAL, behaviour_setting_bounds, l->path, t->line, name, text_escape(v->text.p, v->text.n, shown, sizeof(shown)),
                 least, most);
}

static int load_tree(struct loader *l, const struct yaml_tree *root)
{
    char shown[80];
    if (root->kind != YAML_MAP)
        return FAULT(l->f, -EINVAL, behaviour_setting_wrong, l->path, root->line, "");
    for (const struct yaml_tree *k = root->first; k; k = k->next) {
        if (k->kind != YAML_MAP)
            return FAULT(l->f, -EINVAL, behaviour_setting_wrong, l->path, k->line, text_escape(k->key.p, k->key.n, shown, sizeof(shown)));
        for (const struct yaml_tree *t = k->first; t; t = t->next) {
            int r = load_number(l, k->key, t);
            if (r)
                return r;
        }
    }
    return 0;
}

static int load_bytes(struct loader *l, struct arena *arena, const uint8_t *p, size_t n)
{
    struct yaml_trees trees;
    struct yaml_tree_fault why;
    int r = yaml_tree_parse((const char *)p, n, arena, &trees, &why);
    if (r < 0)
        return FAULT(l->f, r, no_memory, l->path);
    if (r)
        return FAULT(l->f, -EINVAL, behaviour_setting_wrong, l->path, why.line, why.detail);
    for (const struct yaml_tree *t = trees.first; t && !r; t = t->next)
        r = load_tree(l, t);
    return r;
}

int behaviour_settings_load(struct behaviour_settings *s, const char *path, struct fault *f)
{
    struct arena arena = {0};
    char found[PATH_MAX];
    uint8_t *p = NULL;
    size_t n;
    if (!path) {
        int r = content_path("behaviour.yaml", found, sizeof(found), f);
        if (r)
            return r;
        path = found;
    }
    struct loader l = {.s = *s, .path = path, .f = f};
    int r = file_read_path(path, YAML_FILE_MAX, &p, &n);
    if (r)
        return FAULT(f, r, cli_cannot_read, path, strerror(-r));
    r = load_bytes(&l, &arena, p, n);
    if (!r)
        *s = l.s;
    free(p);
    arena_fini(&arena);
    return r;
}
