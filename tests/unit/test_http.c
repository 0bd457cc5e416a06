/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request heads and the host they ask for.
 */
#include "format/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int host(const char *text, size_t n, int is_end, char *out)
{
    size_t n_host = 0;
    char *exact = malloc(n ? n : 1);
    memcpy(exact, text, n);
    int e = http_host_read((const uint8_t *)exact, n, is_end, out, &n_host);
    free(exact);
    if (!e)
        assert_int_equal(n_host, strlen(out));
    return e;
}

static void the_host_of_every_form_of_request(void **state)
{
    (void)state;
    static const struct {
        const char *request, *want;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: Example.COM\r\n\r\n", "example.com"},
        {"GET / HTTP/1.1\r\nAccept: x\r\nhOsT:   example.com:8080 \r\n\r\n", "example.com"},
        {"POST /a HTTP/1.0\nHost:example.com.\n\n", "example.com"},
        {"GET http://user:secret@proxied.example/path?x HTTP/1.1\r\nHost: other.example\r\n\r\n", "proxied.example"},
        {"CONNECT tunnel.example:443 HTTP/1.1\r\n\r\n", "tunnel.example"},
        {"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n", "2001:db8::1"},
        {"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "192.0.2.1"},
        {"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", "239.255.255.250"},
        {"VERSION-CONTROL / HTTP/1.1\r\nHost: my_host.example\r\n\r\n", "my_host.example"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[HTTP_HOST_MAX];
        assert_int_equal(host(rows[i].request, strlen(rows[i].request), 0, out), 0);
        assert_string_equal(out, rows[i].want);
    }
}

static void what_is_no_request_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int is_end, want;
    } rows[] = {
        {"", 0, HTTP_NOT_HTTP},
        {"HTTP/1.1 200 OK\r\n", 0, HTTP_NOT_HTTP},
        {"get / HTTP/1.1\r\n", 0, HTTP_NOT_HTTP},
        {"EHLO example.com\r\n", 0, HTTP_NOT_HTTP},
        {"GET / SIP/2.0\r\n", 0, HTTP_NOT_HTTP},
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, HTTP_NOT_HTTP},
        {"GE", 0, HTTP_MORE},
        {"GET /long", 0, HTTP_MORE},
        {"GET / HTTP/1.1\r\nAccept: a", 0, HTTP_MORE},
        {"GET / HTTP/1.1\r\n", 0, HTTP_MORE},
        {"GET / HTTP/1.1\r\nHost: exam", 0, HTTP_MORE},
        {"GET / HTTP/1.1\r\nHost: exam", 1, 0},
        {"GET / HTTP/1.1\r\nAccept: a", 1, HTTP_NO_HOST},
        {"GET / HTTP/1.0\r\n\r\nHost: body.example\r\n", 0, HTTP_NO_HOST},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, HTTP_NO_HOST},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0, HTTP_NO_HOST},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 0, HTTP_NO_HOST},
        {"GET / HTTP/1.1\r\nHost: \"><script>\r\n\r\n", 0, HTTP_NO_HOST},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[HTTP_HOST_MAX];
        int e = host(rows[i].text, strlen(rows[i].text), rows[i].is_end, out);
        if (e != rows[i].want)
            fail_msg("row %zu: %d", i, e);
    }
}

static void a_host_longer_than_a_name_can_be_is_not_taken(void **state)
{
    (void)state;
    char text[1024] = "GET / HTTP/1.1\r\nHost: ", out[HTTP_HOST_MAX];
    size_t n = strlen(text);
    memset(text + n, 'a', HTTP_HOST_MAX);
    memcpy(text + n + HTTP_HOST_MAX, "\r\n\r\n", 5);
    assert_int_equal(host(text, strlen(text), 0, out), HTTP_NO_HOST);
    memcpy(text + n + HTTP_HOST_MAX - 1, "\r\n\r\n", 5);
    assert_int_equal(host(text, strlen(text), 0, out), 0);
    assert_int_equal(strlen(out), HTTP_HOST_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_of_every_form_of_request),
        cmocka_unit_test(what_is_no_request_is_told_apart),
        cmocka_unit_test(a_host_longer_than_a_name_can_be_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
