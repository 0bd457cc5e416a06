/* SPDX-License-Identifier: Apache-2.0 */
#include "state/role.h"

#include "base/content.h"
#include "base/file.h"
#include "format/yaml_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 64 << 10 };

static const char *const NAMES[PERMISSION_COUNT] = {
#define PERMISSION(id, name) name,
    PERMISSIONS(PERMISSION)
#undef PERMISSION
};

/* --- permissions ------------------------------------------------------------------------------------------------- */

const char *permission_name(enum permission p)
{
    return (unsigned)p < PERMISSION_COUNT ? NAMES[p] : NULL;
}

int permission_find(struct text name, enum permission *ret)
{
    for (unsigned i = 0; i < PERMISSION_COUNT; i++)
        if (text_is(name, NAMES[i])) {
            *ret = (enum permission)i;
            return 0;
        }
    return 1;
}

static bool is_between(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\n';
}

int permissions_parse(struct text t, uint64_t *ret, struct text *ret_wrong)
{
    uint64_t set = 0;
    for (size_t i = 0; i < t.n;) {
        size_t from = i;
        while (i < t.n && !is_between(t.p[i]))
            i++;
        struct text one = {t.p + from, i - from};
        enum permission p = 0;
        if (one.n && permission_find(one, &p)) {
            if (ret_wrong)
                *ret_wrong = one;
            return 1;
        }
        if (one.n)
            set |= UINT64_C(1) << p;
        i += i < t.n;
    }
    *ret = set;
    return 0;
}

const char *permissions_format(uint64_t set, char out[PERMISSIONS_TEXT_MAX])
{
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < PERMISSION_COUNT; i++)
        if (set >> i & 1)
            n += (size_t)snprintf(out + n, PERMISSIONS_TEXT_MAX - n, "%s%s", n ? "," : "", NAMES[i]);
    return out;
}

/* --- roles ------------------------------------------------------------------------------------------------------- */

static int wrong(const char *file, uint32_t line, struct text what, struct fault *f)
{
    char shown[80];
    return FAULT(f, -EBADMSG, role_wrong, file, line, text_escape(what.p, what.n, shown, sizeof(shown)));
}

static bool is_name(struct text t)
{
    if (!t.n || t.n >= ROLE_NAME_MAX)
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] != '_' && (t.p[i] < 'a' || t.p[i] > 'z'))
            return false;
    return true;
}

static int read_title(const char *file, const struct yaml_tree *t, char out[ROLE_TITLE_MAX], struct fault *f)
{
    if (t->kind != YAML_SCALAR || !t->text.n || t->text.n >= ROLE_TITLE_MAX)
        return wrong(file, t->line, t->key, f);
    memcpy(out, t->text.p, t->text.n);
    out[t->text.n] = '\0';
    return 0;
}

static int read_permissions(const char *file, const struct yaml_tree *t, uint64_t *ret, struct fault *f)
{
    if (t->kind != YAML_LIST)
        return wrong(file, t->line, t->key, f);
    for (const struct yaml_tree *e = t->first; e; e = e->next) {
        enum permission p;
        if (e->kind != YAML_SCALAR || permission_find(e->text, &p))
            return wrong(file, e->line, e->text, f);
        *ret |= UINT64_C(1) << p;
    }
    return 0;
}

static int read_role(const char *file, const struct yaml_tree *t, struct role *role, struct fault *f)
{
    if (t->kind != YAML_MAP || !is_name(t->key))
        return wrong(file, t->line, t->key, f);
    memcpy(role->name, t->key.p, t->key.n);
    int r = 0;
    for (const struct yaml_tree *e = t->first; e && !r; e = e->next)
        r = text_is(e->key, "vi") ? read_title(file, e, role->title[LANGUAGE_VI], f)
          : text_is(e->key, "en") ? read_title(file, e, role->title[LANGUAGE_EN], f)
          : text_is(e->key, "permissions") ? read_permissions(file, e, &role->permissions, f)
          : wrong(file, e->line, e->key, f);
    if (!r && (!role->title[LANGUAGE_VI][0] || !role->title[LANGUAGE_EN][0] || !yaml_tree_get(t, "permissions")))
        r = wrong(file, t->line, t->key, f);
    return r;
}

static int read_roles(const char *file, const struct yaml_trees *trees, struct roles *roles, struct fault *f)
{
    const struct yaml_tree *top = trees->n == 1 ? trees->first : NULL, *list = NULL;
    if (top && top->kind == YAML_MAP && top->n == 1)
        list = yaml_tree_get(top, "roles");
    if (!list || list->kind != YAML_MAP || !list->n || list->n > ROLES_MAX)
        return wrong(file, list ? list->line : 1, TEXT("roles"), f);
    int r = 0;
    for (const struct yaml_tree *t = list->first; t && !r; t = t->next)
        r = read_role(file, t, &roles->role[roles->n++], f);
    return r;
}

int roles_parse(const char *name, struct text text, struct roles **ret, struct fault *f)
{
    struct arena arena = {.max_bytes = 4 << 20};
    struct yaml_trees trees;
    struct yaml_tree_fault why = {0};
    struct roles *roles = calloc(1, sizeof(*roles));
    int r = roles ? yaml_tree_parse(text.p, text.n, &arena, &trees, &why) : -ENOMEM;
    if (r > 0)
        r = wrong(name, why.line, (struct text){why.detail, strlen(why.detail)}, f);
    else if (r < 0)
        FAULT(f, r, no_memory, name);
    else
        r = read_roles(name, &trees, roles, f);
    arena_fini(&arena);
    if (r) {
        free(roles);
        return r;
    }
    *ret = roles;
    return 0;
}

int roles_load(const char *path, struct roles **ret, struct fault *f)
{
    char found[4096];
    uint8_t *p = NULL;
    size_t n = 0;
    int r = path ? 0 : content_path("roles.yaml", found, sizeof(found), f);
    if (r)
        return r;
    path = path ? path : found;
    r = file_read_path(path, FILE_MAX_BYTES, &p, &n);
    if (r)
        return FAULT(f, r, cli_cannot_read, path, strerrordesc_np(-r));
    r = roles_parse(path, (struct text){(const char *)p, n}, ret, f);
    free(p);
    return r;
}

const struct role *roles_find(const struct roles *r, struct text name)
{
    for (size_t i = 0; i < r->n; i++)
        if (text_is(name, r->role[i].name))
            return &r->role[i];
    return NULL;
}
