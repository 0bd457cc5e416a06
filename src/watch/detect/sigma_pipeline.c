/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/sigma_pipeline.h"

#include "base/content.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loader {
    struct arena *arena;
    struct sigma_pipelines *p;
    const char *path;
    struct fault *f;
};

static int wrong(struct loader *l, const struct yaml_tree *t, const char *what)
{
    return FAULT(l->f, -EINVAL, sigma_pipeline_wrong, l->path, t->line, what);
}

static int no_memory(struct loader *l)
{
    return FAULT(l->f, -ENOMEM, no_memory, l->path);
}

static struct text scalar(const struct yaml_tree *map, const char *key)
{
    const struct yaml_tree *t = yaml_tree_get(map, key);
    return t && t->kind == YAML_SCALAR ? t->text : (struct text){0};
}

/* texts - a scalar or a list of them. */
static int texts(struct loader *l, const struct yaml_tree *t, const struct text **ret, uint32_t *ret_n)
{
    uint32_t n = t->kind == YAML_LIST ? t->n : 1;
    struct text *all = n ? arena_alloc(l->arena, n * sizeof *all) : NULL;
    if (n && !all)
        return no_memory(l);
    *ret = all;
    *ret_n = n;
    uint32_t i = 0;
    for (const struct yaml_tree *e = t->kind == YAML_LIST ? t->first : t; e && i < n; e = e->next) {
        if (e->kind != YAML_SCALAR || !e->text.n)
            return wrong(l, e, "fields");
        all[i++] = e->text;
    }
    return 0;
}

static int mappings(struct loader *l, const struct yaml_tree *t, struct sigma_mappings *ret)
{
    if (!t)
        return 0;
    if (t->kind != YAML_MAP)
        return wrong(l, t, "fields");
    struct sigma_mapping *all = t->n ? arena_alloc(l->arena, t->n * sizeof *all) : NULL;
    if (t->n && !all)
        return no_memory(l);
    uint32_t i = 0;
    for (const struct yaml_tree *e = t->first; all && e && i < t->n; e = e->next) {
        all[i].from = e->key;
        int error = texts(l, e, &all[i].to, &all[i].n);
        if (error)
            return error;
        i++;
    }
    *ret = (struct sigma_mappings){all, t->n};
    return 0;
}

static int source(struct loader *l, const struct yaml_tree *t, struct text product, const struct sigma_mappings *file)
{
    struct sigma_source s = {.logsource = {scalar(t, "category"), scalar(t, "product"), scalar(t, "service")}, .file = *file,
        .n_file = l->p->n_files};
    if (!yaml_tree_get(t, "product"))
        s.logsource.product = product;
    const struct yaml_tree *when = yaml_tree_get(t, "when");
    if (t->kind != YAML_MAP || !when || (!s.logsource.category.n && !s.logsource.product.n && !s.logsource.service.n))
        return wrong(l, t, "sources");
    const struct yaml_tree *guess = yaml_tree_get(t, "guess");
    if (guess && yaml_tree_bool(guess, &s.is_guess))
        return wrong(l, guess, "guess");
    struct sigma_rule why = {0};
    int e = sigma_search(when, l->arena, &why, &s.when);
    if (e < 0)
        return no_memory(l);
    if (e)
        return FAULT(l->f, -EINVAL, sigma_pipeline_wrong, l->path, why.line, why.detail);
    e = mappings(l, yaml_tree_get(t, "fields"), &s.own);
    if (e)
        return e;
    struct sigma_pipelines *p = l->p;
    if (p->n_sources == SIGMA_SOURCES_MAX)
        return wrong(l, t, "sources");
    if (p->n_sources == p->capacity) {
        uint32_t capacity = p->capacity ? 2 * p->capacity : 64;
        struct sigma_source *more = arena_alloc(l->arena, capacity * sizeof *more);
        if (!more)
            return no_memory(l);
        if (p->n_sources)
            memcpy(more, p->sources, p->n_sources * sizeof *more);
        p->sources = more;
        p->capacity = capacity;
    }
    p->sources[p->n_sources++] = s;
    return 0;
}

static int placeholders(struct loader *l, const struct yaml_tree *t)
{
    if (t->kind != YAML_MAP)
        return wrong(l, t, "placeholders");
    struct sigma_pipelines *p = l->p;
    struct sigma_placeholder *all = arena_alloc(l->arena, (p->n_placeholders + t->n + 1) * sizeof *all);
    if (!all)
        return no_memory(l);
    if (p->n_placeholders)
        memcpy(all, p->placeholders, p->n_placeholders * sizeof *all);
    p->placeholders = all;
    for (const struct yaml_tree *e = t->first; e; e = e->next) {
        struct sigma_placeholder *one = &all[p->n_placeholders++];
        one->name = e->key;
        int error = texts(l, e, &one->values, &one->n);
        if (error)
            return error;
    }
    return 0;
}

static int document(struct loader *l, const struct yaml_tree *t)
{
    struct sigma_mappings file = {0};
    int e = t->kind == YAML_MAP ? mappings(l, yaml_tree_get(t, "fields"), &file) : wrong(l, t, "sources");
    const struct yaml_tree *sources = yaml_tree_get(t, "sources"), *names = yaml_tree_get(t, "placeholders");
    if (!e && sources && sources->kind != YAML_LIST)
        e = wrong(l, sources, "sources");
    for (const struct yaml_tree *s = sources ? sources->first : NULL; s && !e; s = s->next)
        e = source(l, s, scalar(t, "product"), &file);
    return e || !names ? e : placeholders(l, names);
}

static int load_file(struct loader *l)
{
    _cleanup_free_ uint8_t *p = NULL;
    size_t n;
    int e = file_read_path(l->path, YAML_FILE_MAX, &p, &n);
    if (e)
        return FAULT(l->f, e, cli_cannot_read, l->path, strerror(-e));
    struct yaml_trees trees;
    struct yaml_tree_fault why;
    e = yaml_tree_parse((const char *)p, n, l->arena, &trees, &why);
    if (e < 0)
        return no_memory(l);
    if (e)
        return FAULT(l->f, -EINVAL, sigma_pipeline_wrong, l->path, why.line, why.detail);
    for (const struct yaml_tree *t = trees.first; t && !e; t = t->next)
        e = document(l, t);
    return e;
}

static int is_yaml(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return d->d_name[0] != '.' && n > 5 && !strcmp(d->d_name + n - 5, ".yaml");
}

int sigma_pipelines_load(const char *directory, struct arena *arena, struct sigma_pipelines *ret, struct fault *f)
{
    char found[PATH_MAX], path[PATH_MAX];
    *ret = (struct sigma_pipelines){0};
    if (!directory) {
        int e = content_path("sigma/pipelines", found, sizeof found, f);
        if (e)
            return e;
        directory = found;
    }
    struct dirent **names;
    int n = scandir(directory, &names, is_yaml, alphasort);
    if (n < 0) {
        int e = errno;
        return FAULT(f, -e, cli_cannot_read, directory, strerror(e));
    }
    struct loader l = {.arena = arena, .p = ret, .path = path, .f = f};
    int e = 0;
    for (int i = 0; i < n; i++) {
        if (!e && snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name) >= (int)sizeof path)
            e = FAULT(f, -ENAMETOOLONG, cli_cannot_read, directory, strerror(ENAMETOOLONG));
        if (!e)
            e = load_file(&l);
        ret->n_files++;
        free(names[i]);
    }
    free(names);
    return e;
}

static bool same(struct text a, struct text b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        char x = a.p[i], y = b.p[i];
        x = (char)(x >= 'A' && x <= 'Z' ? x + 32 : x);
        y = (char)(y >= 'A' && y <= 'Z' ? y + 32 : y);
        if (x != y)
            return false;
    }
    return true;
}

uint32_t sigma_pipelines_find(const struct sigma_pipelines *p, const struct sigma_logsource *logsource, uint32_t *out, uint32_t n)
{
    uint32_t found = 0;
    for (int pass = 0; pass < 2 && !found; pass++)
        for (uint32_t i = 0; i < p->n_sources && found < n; i++) {
            const struct sigma_logsource *l = &p->sources[i].logsource;
            if (same(l->category, logsource->category) && same(l->service, logsource->service) &&
                (pass ? !l->product.n : same(l->product, logsource->product)))
                out[found++] = i;
        }
    return found;
}
