/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_house.h"

#include "base/clock.h"
#include "watch/intake/decoders.h"

#include <stdlib.h>
#include <string.h>

static void say(void *context, const char *file, int line, const char *what)
{
    (void)context;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

static const char *decoders_directory(void)
{
    static char path[4096];
    const char *source = getenv("VONGGAC_SOURCE");
    snprintf(path, sizeof path, "%s/content/decoders", source ? source : ".");
    return path;
}

static void every_test_in_the_decoder_files_holds(void **state)
{
    (void)state;
    struct fault f = {0};
    struct event_names *names = event_names_new();
    struct line_decoders *d = NULL;
    unsigned n_tests, n_patterns;
    int r = decoders_load(decoders_directory(), names, NULL, NULL, &d, &f);
    if (r)
        fprintf(stderr, "%s\n", f.text);
    assert_int_equal(r, 0);
    unsigned n = line_decoders_count(d, &n_patterns, &n_tests);
    int failures = line_decoders_test(d, say, NULL, &n_tests);
    printf("%u decoders, %u patterns, %u tests\n", n, n_patterns, n_tests);
    assert_int_equal(failures, 0);
    line_decoders_free(d);
    event_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_test_in_the_decoder_files_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
