/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing_alloc - every allocation of a piece of work fails once.
 *
 * A test that links dep_failing_alloc has malloc, calloc, realloc, reallocarray, aligned_alloc, posix_memalign,
 * strdup and strndup of our own code wrapped (not those inside shared libraries). Nothing fails unless asked for.
 *
 *     static int work(void *context) { ...; return 0 or what the function under test said; }
 *     failing_alloc_each("opening a list", work, &context);
 *
 * runs work() with the 1st, 2nd, ... allocation failing until it runs through. Work must clean up after itself
 * whatever happens (the leak checker of the asan variant watches) and assert what has to hold after a failure,
 * for example that nothing was published.
 */
#pragma once

#include <stdbool.h>

/*
 * failing_alloc_each - see above; inside a cmocka test.
 * @may_survive: work may return 0 although one allocation failed (it can do without it, or it goes on without
 * the part that was refused); else that is an error: the failure was swallowed.
 * Return: how many allocations were made to fail.
 */
unsigned failing_alloc_each(const char *what, int (*work)(void *context), void *context, bool may_survive);

/* failing_alloc_arm - the @n-th allocation from now on fails, counted over all threads; 0 disarms. */
void failing_alloc_arm(unsigned n);
/* failing_alloc_has_failed - since the last arm. */
bool failing_alloc_has_failed(void);
