/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories to compiled rules.
 */
#include "base/file.h"
#include "watch/detect/sigma_inside.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WALK_DEPTH 16u

struct loader {
    struct sigma_rules *r;
    struct fault *f;
    const char **files; /* in the arena */
    uint32_t n_files, files_capacity;
    struct sigma_loaded *all;
    uint32_t n, capacity;
    struct sigma_options options;
};

static int no_memory(struct loader *l)
{
    return FAULT(l->f, -ENOMEM, no_memory, "sigma");
}

/* --- finding files ----------------------------------------------------------------------------------- */

static int add_file(struct loader *l, const char *path)
{
    if (l->n_files == l->files_capacity) {
        uint32_t capacity = l->files_capacity ? 2 * l->files_capacity : 1024;
        const char **more = realloc(l->files, capacity * sizeof *more);
        if (!more)
            return no_memory(l);
        l->files = more;
        l->files_capacity = capacity;
    }
    l->files[l->n_files] = arena_text(&l->r->arena, path, strlen(path));
    return l->files[l->n_files++] ? 0 : no_memory(l);
}

static bool is_rule_name(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '.' && ((n > 4 && !strcmp(name + n - 4, ".yml")) || (n > 5 && !strcmp(name + n - 5, ".yaml")));
}

static int not_hidden(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* walk - links are not followed, so that the walk ends. */
static int walk(struct loader *l, const char *directory, unsigned depth)
{
    struct dirent **names;
    int n = scandir(directory, &names, not_hidden, alphasort);
    if (n < 0) {
        int e = errno;
        return FAULT(l->f, -e, cli_cannot_read, directory, strerror(e));
    }
    int e = 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat st;
        int length = snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name);
        bool is_there = length < (int)sizeof path && !lstat(path, &st);
        if (!e && is_there && S_ISDIR(st.st_mode) && depth < WALK_DEPTH)
            e = walk(l, path, depth + 1);
        else if (!e && is_there && S_ISREG(st.st_mode) && is_rule_name(names[i]->d_name) && l->n_files < SIGMA_FILES_MAX)
            e = add_file(l, path);
        free(names[i]);
    }
    free(names);
    return e;
}

static int find_files(struct loader *l, const struct sigma_load *load)
{
    for (size_t i = 0; i < load->n_paths; i++) {
        struct stat st;
        if (stat(load->paths[i], &st)) {
            int e = errno;
            return FAULT(l->f, -e, cli_cannot_read, load->paths[i], strerror(e));
        }
        int e = S_ISDIR(st.st_mode) ? walk(l, load->paths[i], 0) : add_file(l, load->paths[i]);
        if (e)
            return e;
    }
    return 0;
}

/* --- reading ----------------------------------------------------------------------------------------- */

static int keep(struct loader *l, struct sigma_rule *first, const char *file)
{
    for (struct sigma_rule *rule = first; rule; rule = rule->next) {
        if (l->n == l->capacity) {
            uint32_t capacity = l->capacity ? 2 * l->capacity : 1024;
            struct sigma_loaded *more = realloc(l->all, capacity * sizeof *more);
            if (!more)
                return no_memory(l);
            l->all = more;
            l->capacity = capacity;
        }
        if (l->n >= SIGMA_RULES_MAX && !rule->reason)
            rule->reason = SIGMA_TOO_MANY;
        l->all[l->n++] = (struct sigma_loaded){.rule = rule, .file = file, .compiled = UINT32_MAX};
    }
    return 0;
}

static int read_text(struct loader *l, const char *file, struct text t)
{
    struct sigma_rule *first;
    if (sigma_parse(t.p, t.n, &l->options, &l->r->arena, &first))
        return no_memory(l);
    return keep(l, first, file);
}

/* read_file - what cannot be read is refused like a bad rule. */
static int read_file(struct loader *l, const char *file)
{
    _cleanup_free_ uint8_t *p = NULL;
    size_t n;
    int e = file_read_path(file, YAML_FILE_MAX, &p, &n);
    if (!e)
        return read_text(l, file, (struct text){(const char *)p, n});
    if (e == -ENOMEM)
        return no_memory(l);
    struct sigma_rule *rule = arena_alloc(&l->r->arena, sizeof *rule);
    if (!rule)
        return no_memory(l);
    rule->reason = e == -EFBIG ? SIGMA_LARGE : SIGMA_UNREADABLE;
    snprintf(rule->detail, sizeof rule->detail, "%s", strerror(-e));
    return keep(l, rule, file);
}

/* --- compiling --------------------------------------------------------------------------------------- */

static int compile_whens(struct loader *l)
{
    struct sigma_rules *r = l->r;
    r->whens = arena_alloc(&r->arena, (r->pipelines.n_sources + 1) * sizeof *r->whens);
    if (!r->whens)
        return no_memory(l);
    struct sigma_source_set raw = {.is_raw = true};
    for (uint32_t i = 0; i < r->pipelines.n_sources; i++) {
        struct sigma_rule why = {0};
        int e = sigma_compile_node(r, &raw, r->pipelines.sources[i].when, &why, &r->whens[i].node);
        if (e < 0)
            return no_memory(l);
        if (e)
            return FAULT(l->f, -EINVAL, sigma_pipeline_wrong, "when", why.line, why.detail);
    }
    return 0;
}

/* mark_keys - slots a `when` asks for: their values, or only whether they are there. */
static void mark_keys(struct sigma_rules *r, const struct sigma_cnode *node)
{
    for (uint32_t i = 0; node->kind != SIGMA_LEAF && i < node->n; i++)
        mark_keys(r, node->children[i]);
    if (node->kind != SIGMA_LEAF || node->item->list == SIGMA_ANYWHERE)
        return;
    uint8_t how = SIGMA_KEY_PRESENCE;
    for (uint32_t i = 0; i < node->item->n; i++)
        if (node->item->values[i].test != SIGMA_IS_THERE)
            how = SIGMA_KEY_VALUE;
    const struct sigma_list *list = &r->lists[node->item->list];
    for (uint32_t i = 0; i < list->n; i++)
        r->slot_keys[list->slots[i]] |= how;
}

static void fill_about(struct sigma_about *a, const struct sigma_rule *rule, const char *file)
{
    a->id = rule->id.n ? rule->id : rule->name;
    a->title = rule->title;
    a->name = rule->name;
    a->status = rule->status;
    a->level = rule->level;
    a->kind = rule->kind;
    a->file = file;
    a->line = rule->line;
    a->tags = rule->tags;
    a->n_tags = rule->n_tags;
    a->logsource = rule->logsource;
}

/* is_true_of_nothing - whether the condition holds for an event without any field. */
static bool is_true_of_nothing(const struct sigma_cnode *node)
{
    if (node->kind == SIGMA_NOT)
        return !is_true_of_nothing(node->children[0]);
    for (uint32_t i = 0; node->kind != SIGMA_LEAF && i < node->n; i++)
        if (is_true_of_nothing(node->children[i]) == (node->kind == SIGMA_OR))
            return node->kind == SIGMA_OR;
    if (node->kind != SIGMA_LEAF)
        return node->kind == SIGMA_AND;
    const struct sigma_citem *item = node->item;
    bool is_true = item->is_all;
    for (uint32_t i = 0; i < item->n && is_true == item->is_all; i++) {
        is_true = false;
        for (const struct sigma_cvalue *v = &item->values[i]; v; v = v->or)
            is_true = is_true || v->test == SIGMA_IS_NULL || (v->test == SIGMA_IS_THERE && !v->is_true) ||
                      (v->test == SIGMA_FULL && item->list == SIGMA_ANYWHERE);
    }
    return is_true != item->is_not;
}

static int compile_rule(struct loader *l, struct sigma_loaded *me)
{
    struct sigma_rules *r = l->r;
    struct sigma_crule *out = &r->rules[r->n_rules];
    uint32_t sources[256];
    uint32_t n = sigma_pipelines_find(&r->pipelines, &me->rule->logsource, sources, 256);
    uint32_t *kept = arena_alloc(&r->arena, (n + 1) * sizeof *kept);
    if (!kept)
        return no_memory(l);
    memcpy(kept, sources, n * sizeof *kept);
    struct sigma_source_set set = {.sources = kept, .n = n};
    uint32_t line = me->rule->line;
    int e = sigma_compile_node(r, &set, me->rule->root, me->rule, &out->root);
    if (e)
        return e < 0 ? no_memory(l) : 0;
    me->rule->line = line;
    out->ast = me->rule;
    out->sources = kept;
    out->n_sources = n;
    out->has_keywords = sigma_node_has_keywords(out->root);
    out->is_idle = !n && is_true_of_nothing(out->root);
    out->about.file = me->file;
    out->about.is_mapped = n > 0;
    me->compiled = r->n_rules++;
    return 0;
}

static int report(struct loader *l)
{
    struct sigma_rules *r = l->r;
    for (uint32_t i = 0; i < r->n_rules; i++) {
        fill_about(&r->rules[i].about, r->rules[i].ast, r->rules[i].about.file);
    }
    r->checked = arena_alloc(&r->arena, (l->n + 1) * sizeof *r->checked);
    if (!r->checked)
        return no_memory(l);
    for (uint32_t i = 0; i < l->n; i++) {
        const struct sigma_rule *rule = l->all[i].rule;
        bool is_compiled = l->all[i].compiled != UINT32_MAX;
        r->checked[i] = (struct sigma_checked){.file = l->all[i].file, .line = rule->line, .kind = rule->kind, .reason = rule->reason,
            .detail = rule->detail, .id = rule->id, .title = rule->title, .status = rule->status, .level = rule->level,
                .logsource = rule->logsource,
            .is_mapped = rule->kind == SIGMA_FILTER || (is_compiled && r->rules[l->all[i].compiled].about.is_mapped)};
    }
    r->n_checked = l->n;
    return 0;
}

static int compile_all(struct loader *l)
{
    struct sigma_rules *r = l->r;
    r->rules = arena_alloc(&r->arena, (l->n + 1) * sizeof *r->rules);
    int e = r->rules ? compile_whens(l) : no_memory(l);
    for (uint32_t i = 0; i < r->pipelines.n_sources && !e; i++)
        mark_keys(r, r->whens[i].node);
    if (e)
        return e;
    sigma_link_ids(l->all, l->n);
    if (sigma_link_filters(r, l->all, l->n))
        return no_memory(l);
    for (uint32_t i = 0; i < l->n && !e; i++)
        if (!l->all[i].rule->reason && l->all[i].rule->kind == SIGMA_DETECTION)
            e = compile_rule(l, &l->all[i]);
    if (e)
        return e;
    if (sigma_link_correlations(r, l->all, l->n) || sigma_literals_build(r))
        return no_memory(l);
    return report(l);
}

/* load - @file and @text: instead of the paths. */
static int load_all(struct loader *l, const struct sigma_load *load, const char *file, struct text t)
{
    l->r->names = load->names;
    l->r->arena.max_bytes = SIGMA_RULES_BYTES;
    int e = sigma_pipelines_load(load->pipelines, &l->r->arena, &l->r->pipelines, l->f);
    l->options = (struct sigma_options){l->r->pipelines.placeholders, l->r->pipelines.n_placeholders};
    if (!e && file)
        e = read_text(l, file, t);
    if (!e && !file)
        e = find_files(l, load);
    for (uint32_t i = 0; i < l->n_files && !e; i++)
        e = read_file(l, l->files[i]);
    return e ? e : compile_all(l);
}

static int load_new(const struct sigma_load *load, const char *file, struct text t, struct sigma_rules **ret, struct fault *f)
{
    struct loader l = {.r = calloc(1, sizeof *l.r), .f = f};
    int e = l.r ? load_all(&l, load, file, t) : no_memory(&l);
    free(l.files);
    free(l.all);
    if (e)
        sigma_rules_free(l.r);
    else
        *ret = l.r;
    return e;
}

int sigma_rules_load(const struct sigma_load *load, struct sigma_rules **ret, struct fault *f)
{
    return load_new(load, NULL, (struct text){0}, ret, f);
}

int sigma_rules_parse(const struct sigma_load *load, const char *file, struct text text, struct sigma_rules **ret, struct fault *f)
{
    return load_new(load, file, text, ret, f);
}

void sigma_rules_free(struct sigma_rules *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_regexes; i++)
        pcre2_code_free(r->regexes[i]);
    free(r->regexes);
    for (uint32_t i = 0; i < r->n_passes; i++)
        hs_free_database(r->passes[i].database);
    arena_fini(&r->arena);
    free(r);
}

uint32_t sigma_rules_count(const struct sigma_rules *r)
{
    return r->n_rules;
}

const struct sigma_about *sigma_rules_about(const struct sigma_rules *r, uint32_t rule)
{
    return &r->rules[rule].about;
}

const struct sigma_checked *sigma_rules_checked(const struct sigma_rules *r, uint32_t *ret_n)
{
    *ret_n = r->n_checked;
    return r->checked;
}

struct sigma_shape sigma_rules_shape(const struct sigma_rules *r)
{
    struct sigma_shape s = {.n_rules = r->n_rules, .n_literals = r->n_literals, .n_slots = r->n_slots,
                            .n_sources = r->pipelines.n_sources, .n_passes = r->n_passes, .n_regexes = r->n_regexes,
                                .memory_bytes = r->arena.used_bytes};
    for (uint32_t i = 0; i < r->n_passes; i++) {
        size_t database = 0;
        if (r->passes[i].database && hs_database_size(r->passes[i].database, &database) == HS_SUCCESS)
            s.memory_bytes += database;
    }
    for (uint32_t i = 0; i < r->n_rules; i++)
        s.n_without_literal += r->rules[i].root && !r->rules[i].has_literals;
    return s;
}
