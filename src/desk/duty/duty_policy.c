/* SPDX-License-Identifier: Apache-2.0 */
/* content/duty.yaml, or an office's own in its place: a ladder is one thing, it is not read over another. */
#include "base/clock.h"
#include "base/content.h"
#include "base/file.h"
#include "desk/duty/duty.h"
#include "format/yaml_tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct duty_policy p;
    const char *path;
    struct fault *f;
};

static int wrong(struct reader *r, const struct yaml_tree *t, const char *expected)
{
    char value[96];
    struct text shown = t->kind == YAML_SCALAR ? t->text : t->key;
    text_escape(shown.p ? shown.p : "", shown.n, value, sizeof(value));
    return FAULT(r->f, 1, duty_policy_wrong, r->path, t->line, value, expected);
}

static int span(struct reader *r, const struct yaml_tree *t, int64_t *ret)
{
    char text[32];
    if (!t || t->kind != YAML_SCALAR || t->text.n >= sizeof(text))
        return wrong(r, t, "0s, 5m, 1h");
    snprintf(text, sizeof(text), "%.*s", (int)t->text.n, t->text.p);
    return clock_parse_span(text, ret) || *ret > US_PER_DAY ? wrong(r, t, "0s, 5m, 1h") : 0;
}

static int name_of(const struct yaml_tree *t, const char *const *names)
{
    for (int i = 0; t && t->kind == YAML_SCALAR && names[i]; i++)
        if (text_is(t->text, names[i]))
            return i;
    return -1;
}

static int read_wake(struct reader *r, const struct yaml_tree *map)
{
    static const char *const SEVERITIES[] = {"", "info", "low", "medium", "high", "critical", NULL};
    for (const struct yaml_tree *t = map->first; t; t = t->next) {
        if (text_is(t->key, "after")) {
            int e = span(r, t, &r->p.after_us);
            if (e)
                return e;
            continue;
        }
        if (!text_is(t->key, "severities") || t->kind != YAML_LIST)
            return wrong(r, t, "severities, after");
        for (const struct yaml_tree *s = t->first; s; s = s->next) {
            int severity = name_of(s, SEVERITIES);
            if (severity < 1)
                return wrong(r, s, "info, low, medium, high, critical");
            r->p.wakes[severity] = true;
        }
    }
    return 0;
}

static int read_step(struct reader *r, const struct yaml_tree *map)
{
    struct duty_step *s = &r->p.ladder[r->p.n_steps];
    const struct yaml_tree *wait = yaml_tree_get(map, "wait");
    int to = name_of(yaml_tree_get(map, "to"), duty_place_names), by = name_of(yaml_tree_get(map, "by"), duty_channel_names);
    if (map->n != 3 || to < 0 || by < 0 || !wait)
        return wrong(r, map,
                     "to: shift, shift_deputy, technical, technical_deputy, leader, leader_deputy; by: sms, mail; wait: 5m");
    s->to = (enum duty_place)to;
    s->by = (enum duty_channel)by;
    r->p.n_steps++;
    return span(r, wait, &s->wait_us);
}

static int read_ladder(struct reader *r, const struct yaml_tree *list)
{
    int e = 0;
    for (const struct yaml_tree *t = list->first; t && !e; t = t->next)
        e = t->kind != YAML_MAP || r->p.n_steps == DUTY_STEPS_MAX ? wrong(r, t, "at most 32 steps") : read_step(r, t);
    return e;
}

static int read_document(struct reader *r, const struct yaml_tree *map)
{
    int e = 0;
    for (const struct yaml_tree *t = map->first; t && !e; t = t->next)
        e = text_is(t->key, "wake") && t->kind == YAML_MAP      ? read_wake(r, t)
            : text_is(t->key, "ladder") && t->kind == YAML_LIST ? read_ladder(r, t)
                                                                : wrong(r, t, "wake, ladder");
    return e;
}

int duty_policy_read(const char *path, struct duty_policy *ret, struct fault *f)
{
    char shipped[PATH_MAX];
    struct arena arena = {0};
    struct yaml_trees trees;
    struct yaml_tree_fault why;
    uint8_t *p = NULL;
    size_t n;
    int e = path ? 0 : content_path("duty.yaml", shipped, sizeof(shipped), f);
    if (e)
        return e;
    struct reader r = {.path = path ? path : shipped, .f = f};
    e = file_read_path(r.path, YAML_FILE_MAX, &p, &n);
    if (e)
        return FAULT(f, e, cli_cannot_read, r.path, strerrordesc_np(-e));
    e = yaml_tree_parse((const char *)p, n, &arena, &trees, &why);
    if (e > 0)
        FAULT(f, e, duty_policy_wrong, r.path, why.line, why.detail, "YAML");
    else if (e < 0)
        FAULT(f, e, no_memory, r.path);
    for (const struct yaml_tree *t = trees.first; t && !e; t = t->next)
        e = t->kind == YAML_MAP ? read_document(&r, t) : wrong(&r, t, "wake, ladder");
    if (!e)
        *ret = r.p;
    arena_fini(&arena);
    free(p);
    return e;
}
