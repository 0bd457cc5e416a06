/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people type and operators write: passwords, names of permissions, roles.yaml. First byte: which of them.
 * A password has one form, and its form has the same; sets of permissions survive being written; roles that are taken hold
 * what the header promises.
 */
#include "state/password_form.h"
#include "state/role.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void passwords(struct text t)
{
    char once[PASSWORD_FORM_MAX], twice[PASSWORD_FORM_MAX];
    size_t half = t.n / 2;
    struct text login = {t.p, half < 64 ? half : 64}, name = {t.p + half, t.n - half < 200 ? t.n - half : 200};
    enum password_fault fault = password_check(t, login, name);
    assert(fault <= PASSWORD_SAME);
    assert(t.n <= PASSWORD_MAX || fault == PASSWORD_LONG);
    size_t n = password_form(t, once);
    assert(n <= PASSWORD_FORM_MAX);
    if (n <= PASSWORD_MAX && t.n <= PASSWORD_MAX) {
        size_t m = password_form((struct text){once, n}, twice);
        assert(m == n && !memcmp(once, twice, n));
    }
}

static void permissions(struct text t)
{
    uint64_t set, again;
    struct text wrong = {"", 0};
    char out[PERMISSIONS_TEXT_MAX];
    if (permissions_parse(t, &set, &wrong)) {
        assert(wrong.p >= t.p && wrong.p + wrong.n <= t.p + t.n && wrong.n);
        return;
    }
    assert(!(set & ~PERMISSION_ALL));
    permissions_format(set, out);
    assert(!permissions_parse((struct text){out, strlen(out)}, &again, NULL) && again == set);
}

static void roles(struct text t)
{
    struct roles *r = NULL;
    struct fault f = {0};
    if (roles_parse("roles.yaml", t, &r, &f)) {
        assert(f.text[0]);
        return;
    }
    assert(r->n && r->n <= ROLES_MAX);
    for (size_t i = 0; i < r->n; i++) {
        struct text name = {r->role[i].name, strlen(r->role[i].name)};
        assert(name.n && name.n < ROLE_NAME_MAX && r->role[i].title[0][0] && r->role[i].title[1][0]);
        assert(!(r->role[i].permissions & ~PERMISSION_ALL) && roles_find(r, name) == &r->role[i]);
    }
    free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!n || n > 65536)
        return 0;
    char *copy = malloc(n); /* its own block, so that every byte beyond is seen */
    if (!copy)
        return 0;
    memcpy(copy, p + 1, n - 1);
    struct text t = {copy, n - 1};
    if (p[0] % 3 == 0)
        passwords(t);
    else if (p[0] % 3 == 1)
        permissions(t);
    else
        roles(t);
    free(copy);
    return 0;
}
