/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/role - permissions by name, and roles: named sets of them, kept in content/roles.yaml.
 *
 * In:     content/roles.yaml: a map "roles" of name to {vi, en, permissions: [...]}; a person bound to a role at a unit has its
 *         permissions there.
 * Out:    an immutable table. A fault names the file and the line.
 * Limits: ROLES_MAX roles, 64 KiB, names of 1..32 lower-case letters and '_'.
 */
#pragma once

#include "base/fault.h"
#include "base/message.h"
#include "base/text.h"
#include "state/permission.h"

#include <stdbool.h>
#include <stddef.h>

#define ROLES_MAX 32u
#define ROLE_NAME_MAX 33u    /* with the zero */
#define ROLE_TITLE_MAX 121u
#define PERMISSION_ALL ((UINT64_C(1) << PERMISSION_COUNT) - 1)
#define PERMISSION_BIT(id) (UINT64_C(1) << PERMISSION_##id)
#define PERMISSIONS_TEXT_MAX 1024u /* all names with commas and the zero */

/* permission_name - "alert.read"; NULL beyond the last. */
const char *permission_name(enum permission p);
/* permission_find - Return: 0, or 1: no permission has this name. */
int permission_find(struct text name, enum permission *ret);
/*
 * permissions_parse - names with commas or blanks between; "" is none. @ret_wrong: the first that is no permission (may be NULL).
 * Return: 0 or 1.
 */
int permissions_parse(struct text t, uint64_t *ret, struct text *ret_wrong);
/* permissions_format - in the order of the table, commas between. Return: @out. */
const char *permissions_format(uint64_t set, char out[PERMISSIONS_TEXT_MAX]);

struct role {
    char name[ROLE_NAME_MAX];
    char title[2][ROLE_TITLE_MAX]; /* by enum language */
    uint64_t permissions;
};

struct roles {
    struct role role[ROLES_MAX]; /* in the order of the file */
    size_t n;
};

/* roles_load - @path NULL: content/roles.yaml. Heap; free() it. Return: 0, -EBADMSG with file and line in @f, -ENOENT, -ENOMEM. */
int roles_load(const char *path, struct roles **ret, struct fault *f);
/* roles_parse - the same of text that is there already; @name stands in faults. */
int roles_parse(const char *name, struct text text, struct roles **ret, struct fault *f);
/* roles_find - NULL: there is none. */
const struct role *roles_find(const struct roles *r, struct text name);
