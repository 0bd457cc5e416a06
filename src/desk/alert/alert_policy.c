/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/alerts.yaml (or an office's own): every key is known, every value checked, a fault says line and what was expected.
 * What a file leaves out is what we ship: an office's own is read over it.
 */
#include "base/clock.h"
#include "base/content.h"
#include "base/file.h"
#include "desk/alert/alert.h"
#include "format/yaml_tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct alert_policy p;
    const char *path;
    struct fault *f;
};

static int wrong(struct reader *r, const struct yaml_tree *t, const char *expected)
{
    char value[96];
    struct text shown = t->kind == YAML_SCALAR ? t->text : t->key;
    text_escape(shown.p ? shown.p : "", shown.n, value, sizeof(value));
    return FAULT(r->f, 1, alert_policy_wrong, r->path, t->line, value, expected);
}

/* name_of - the index of a scalar or key among @names, ended by NULL, from @first; -1 */
static int name_of(struct text t, const char *const *names, int first)
{
    for (int i = first; names[i]; i++)
        if (text_is(t, names[i]))
            return i;
    return -1;
}

static int integer(struct reader *r, const struct yaml_tree *t, int least, int most, int *ret)
{
    int64_t v;
    char expected[64];
    snprintf(expected, sizeof(expected), "%d..%d", least, most);
    if (t->kind != YAML_SCALAR || yaml_tree_integer(t, &v) || v < least || v > most)
        return wrong(r, t, expected);
    *ret = (int)v;
    return 0;
}

static int span(struct reader *r, const struct yaml_tree *t, int64_t *ret)
{
    char text[32];
    if (t->kind != YAML_SCALAR || t->text.n >= sizeof(text))
        return wrong(r, t, "15m, 8h, 3d");
    snprintf(text, sizeof(text), "%.*s", (int)t->text.n, t->text.p);
    return clock_parse_span(text, ret) ? wrong(r, t, "15m, 8h, 3d") : 0;
}

static int read_severity(struct reader *r, const struct yaml_tree *map)
{
    static const char *const KINDS[] = {"contact", "own_listed", "sigma", "behaviour", "external", NULL};
    for (const struct yaml_tree *t = map->first; t; t = t->next) {
        int kind = name_of(t->key, KINDS, 0);
        int severity = t->kind == YAML_SCALAR ? name_of(t->text, alert_severity_names, 1) : -1;
        if (kind < 0)
            return wrong(r, t, "contact, own_listed, sigma, behaviour, external");
        if (severity < 0 && !text_is(t->text, "rule"))
            return wrong(r, t, "info, low, medium, high, critical, rule");
        r->p.severity[kind] = severity < 0 ? 0 : (enum alert_severity)severity;
    }
    return 0;
}

static int read_levels(struct reader *r, const struct yaml_tree *map)
{
    for (const struct yaml_tree *t = map->first; t; t = t->next) {
        if (t->key.n != 1 || *t->key.p < '1' || *t->key.p > '5')
            return wrong(r, t, "1, 2, 3, 4, 5");
        int e = integer(r, t, -4, 4, &r->p.level_step[*t->key.p - '0']);
        if (e)
            return e;
    }
    return 0;
}

static int read_steps(struct reader *r, const struct yaml_tree *map)
{
    int e = 0;
    for (const struct yaml_tree *t = map->first; t && !e; t = t->next) {
        const struct yaml_tree *internet = t->kind == YAML_MAP ? yaml_tree_get(t, "internet") : NULL;
        if (text_is(t->key, "level") && t->kind == YAML_MAP)
            e = read_levels(r, t);
        else if (text_is(t->key, "exposure") && internet && t->n == 1)
            e = integer(r, internet, -4, 4, &r->p.internet_step);
        else if (text_is(t->key, "unprotected"))
            e = integer(r, t, -4, 4, &r->p.unprotected_step);
        else if (text_is(t->key, "confidence_below_pct"))
            e = integer(r, t, 0, 100, &r->p.confidence_below_pct);
        else if (text_is(t->key, "confidence_step"))
            e = integer(r, t, -4, 0, &r->p.confidence_step);
        else
            e = wrong(r, t, "level, exposure, unprotected, confidence_below_pct, confidence_step");
    }
    return e;
}

static int read_clocks(struct reader *r, const struct yaml_tree *map)
{
    int e = 0;
    for (const struct yaml_tree *t = map->first; t && !e; t = t->next) {
        int severity = name_of(t->key, alert_severity_names, 1);
        if (severity < 0 || t->kind != YAML_MAP)
            return wrong(r, t, "info, low, medium, high, critical");
        r->p.acknowledge_us[severity] = r->p.resolve_us[severity] = 0;
        for (const struct yaml_tree *c = t->first; c && !e; c = c->next)
            e = text_is(c->key, "acknowledge") ? span(r, c, &r->p.acknowledge_us[severity])
                : text_is(c->key, "resolve")   ? span(r, c, &r->p.resolve_us[severity])
                                               : wrong(r, c, "acknowledge, resolve");
    }
    return e;
}

static int read_quiet(struct reader *r, const struct yaml_tree *map)
{
    int e = 0;
    for (const struct yaml_tree *t = map->first; t && !e; t = t->next) {
        int verdict = name_of(t->key, alert_verdict_names, 1);
        e = verdict != ALERT_FALSE && verdict != ALERT_BENIGN ? wrong(r, t, "false, benign")
                                                              : span(r, t, &r->p.quiet_us[verdict]);
    }
    return e;
}

static int read_verified(struct reader *r, const struct yaml_tree *map)
{
    int e = 0;
    for (const struct yaml_tree *t = map->first; t && !e; t = t->next)
        e = text_is(t->key, "engines")      ? integer(r, t, 1, 100, &r->p.engines)
            : text_is(t->key, "known_hash") ? (yaml_tree_bool(t, &r->p.may_hash) ? wrong(r, t, "true, false") : 0)
            : text_is(t->key, "analyst")    ? (yaml_tree_bool(t, &r->p.may_analyst) ? wrong(r, t, "true, false") : 0)
                                            : wrong(r, t, "engines, known_hash, analyst");
    return e;
}

static int read_document(struct reader *r, const struct yaml_tree *map)
{
    static const struct {
        const char *key;
        int (*read)(struct reader *r, const struct yaml_tree *map);
    } PARTS[] = {{"severity", read_severity},
                 {"steps", read_steps},
                 {"clocks", read_clocks},
                 {"quiet", read_quiet},
                 {"verified_malware", read_verified}};
    for (const struct yaml_tree *t = map->first; t; t = t->next) {
        size_t i = 0, n = sizeof(PARTS) / sizeof(PARTS[0]);
        while (i < n && !text_is(t->key, PARTS[i].key))
            i++;
        int e =
            i == n || t->kind != YAML_MAP ? wrong(r, t, "severity, steps, clocks, quiet, verified_malware") : PARTS[i].read(r, t);
        if (e)
            return e;
    }
    return 0;
}

static int read_file(struct reader *r, const char *path)
{
    struct arena arena = {0};
    struct yaml_trees trees;
    struct yaml_tree_fault why;
    uint8_t *p = NULL;
    size_t n;
    r->path = path;
    int e = file_read_path(path, YAML_FILE_MAX, &p, &n);
    if (e)
        return FAULT(r->f, e, cli_cannot_read, path, strerrordesc_np(-e));
    e = yaml_tree_parse((const char *)p, n, &arena, &trees, &why);
    if (e > 0)
        FAULT(r->f, e, alert_policy_wrong, path, why.line, why.detail, "YAML");
    else if (e < 0)
        FAULT(r->f, e, no_memory, path);
    for (const struct yaml_tree *t = trees.first; t && !e; t = t->next)
        e = t->kind == YAML_MAP ? read_document(r, t) : wrong(r, t, "severity, steps, clocks, quiet, verified_malware");
    arena_fini(&arena);
    free(p);
    return e;
}

int alert_policy_read(const char *path, struct alert_policy *ret, struct fault *f)
{
    char shipped[PATH_MAX];
    struct reader r = {.f = f};
    int e = content_path("alerts.yaml", shipped, sizeof(shipped), f);
    e = e ? e : read_file(&r, shipped);
    if (!e && path)
        e = read_file(&r, path);
    if (!e)
        *ret = r.p;
    return e;
}
