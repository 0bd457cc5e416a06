/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_house.h"

#include "gate/elastic.h"

#include <string.h>

/* base64 by coreutils */
static void a_token_is_found_in_every_form_of_authorization(void **state)
{
    static const struct {
        const char *header, *token;
    } cases[] = {
        {"Bearer abc", "abc"},
        {"bearer   abc", "abc"},
        {"Basic dXNlcjphYmM=", "abc"},          /* user:abc */
        {"basic dXNlcjphOmI=", "a:b"},          /* user:a:b */
        {"ApiKey d2ViMTphYmM=", "abc"},         /* web1:abc */
        {"ApiKey OmFiYw==", "abc"},             /* :abc */
        {"Basic dXNlcjo=", ""},                 /* user: */
        {"Basic dXNlcg==", ""},                 /* user */
        {"Basic dXNlcjphYmM", ""},              /* cut */
        {"Basic !!!!", ""},
        {"Basic", ""},
        {"Bearer", ""},
        {"Bearerabc", ""},
        {"Digest username=x", ""},
        {"", ""},
    };
    char room[ELASTIC_TOKEN_BYTES], big[2048];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct text t = elastic_token(cases[i].header, room);
        if (t.n != strlen(cases[i].token) || memcmp(t.p, cases[i].token, t.n) != 0)
            fail_msg("%s: \"%.*s\"", cases[i].header, (int)t.n, t.p);
    }
    memset(big, 'A', sizeof(big)); /* more than there is room for */
    memcpy(big, "Basic ", 6);
    big[6 + 1024] = '\0';
    assert_int_equal(elastic_token(big, room).n, 0);
}

static void what_senders_ask_is_answered_and_nothing_else(void **state)
{
    static const struct {
        const char *method, *path;
        bool is_answered;
    } cases[] = {
        {"GET", "/", true},
        {"HEAD", "/", true},
        {"POST", "/", false},
        {"GET", "/_license", true},
        {"PUT", "/_license", false},
        {"GET", "/_index_template/filebeat-8.15.3", true},
        {"PUT", "/_index_template/filebeat-8.15.3", true},
        {"DELETE", "/_index_template/filebeat-8.15.3", false},
        {"GET", "/_index_template/", false},
        {"PUT", "/_ilm/policy/filebeat", true},
        {"POST", "/_bulk", false},
        {"GET", "/_search", false},
        {"GET", "/x/_search", false},
        {"GET", "//", false},
        {"GET", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if ((elastic_answer(cases[i].method, cases[i].path) != NULL) != cases[i].is_answered)
            fail_msg("%s %s", cases[i].method, cases[i].path);
    assert_true(elastic_is_bulk("/_bulk"));
    assert_true(elastic_is_bulk("/logs/_bulk"));
    assert_false(elastic_is_bulk("/a/b/_bulk"));
    assert_false(elastic_is_bulk("/_bulk/x"));
    assert_false(elastic_is_bulk(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_found_in_every_form_of_authorization),
        cmocka_unit_test(what_senders_ask_is_answered_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
