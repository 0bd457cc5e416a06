/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/indicator/suffixes.h"

#include "base/content.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIXES_BYTES ((size_t)16 << 20)
#define OURS "names/suffixes.txt"
#define DEBIAN "/usr/share/publicsuffix/public_suffix_list.dat"

/* add - the rules of a file. Return: 0 or -errno. */
static int add(const char *path, struct domain_rules *rules, struct domain_rules_read *sum)
{
    struct domain_rules_read one = {0};
    uint8_t *p = NULL;
    size_t n = 0;
    int r = file_read_path(path, SUFFIXES_BYTES, &p, &n);
    if (!r)
        r = domain_suffixes_read(rules, (struct text){(const char *)p, n}, &one);
    free(p);
    sum->rules += one.rules;
    sum->passed_over += one.passed_over;
    return r < 0 ? r : 0; /* more than there is room for: the first ones count */
}

int suffixes_load(struct domain_rules **ret, struct domain_rules_read *ret_read, struct fault *f)
{
    char path[PATH_MAX];
    *ret_read = (struct domain_rules_read){0};
    *ret = domain_rules_new();
    if (!*ret)
        return FAULT(f, -ENOMEM, no_memory, OURS);
    int r = content_path(OURS, path, sizeof(path), f);
    int e = r < 0 ? 0 : add(path, *ret, ret_read);
    if (e)
        r = FAULT(f, e, store_read_failed, path, strerror(-e));
    e = add(DEBIAN, *ret, ret_read); /* without it ours alone is the smaller list, nothing else */
    if (e == -ENOMEM && r >= 0)
        r = FAULT(f, e, no_memory, DEBIAN);
    return r < 0 ? r : 0;
}
