/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linker sends our calls to __wrap_NAME and keeps the C library's as __real_NAME.
 */
#include "failing_alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_POINTS = 20000 };

static atomic_uint countdown; /* 0: nothing fails */
static atomic_bool has_failed;

void failing_alloc_arm(unsigned n)
{
    has_failed = false;
    countdown = n;
}

bool failing_alloc_has_failed(void)
{
    return has_failed;
}

static bool fails(void)
{
    unsigned left = countdown;
    while (left && !atomic_compare_exchange_weak(&countdown, &left, left - 1))
        ;
    if (left != 1)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t n);
int __real_posix_memalign(void **ret, size_t alignment, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(p, n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t n)
{
    return fails() ? ENOMEM : __real_posix_memalign(ret, alignment, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return fails() ? NULL : __real_strndup(text, n);
}

unsigned failing_alloc_each(const char *what, int (*work)(void *context), void *context, bool may_survive)
{
    for (unsigned n = 1; n <= MAX_POINTS; n++) {
        failing_alloc_arm(n);
        int r = work(context);
        bool failed = failing_alloc_has_failed();
        failing_alloc_arm(0);
        if (!failed) {
            if (r)
                fail_msg("%s: returned %d although no allocation failed", what, r);
            return n - 1;
        }
        if (!r && !may_survive)
            fail_msg("%s: allocation %u failed and nobody said so", what, n);
    }
    fail_msg("%s: more than %d allocations", what, MAX_POINTS);
    return MAX_POINTS;
}
