/* SPDX-License-Identifier: Apache-2.0 */
/* The server over loopback and real TLS: what is asked is answered, what is too much, too slow or too many is not. */
#include "base/clock.h"
#include "https_help.h"
#include "net/http_server.h"
#include "net/tls_self.h"

#include <pthread.h>
#include <stdatomic.h>

#include "cmocka_house.h"

static struct buf certificate, key;

static struct fixture {
    struct http_server *server;
    uint16_t port;
    pthread_mutex_t lock;
    struct http_stream *stream;
    int n_opened, n_closed;
} now;

/* --- what answers: an echo ----------------------------------------------------------------------------------------- */

static int64_t begin(void *context, const struct http_request *q)
{
    (void)context;
    if (!strcmp(q->path, "/nothing"))
        return -404;
    return !strcmp(q->path, "/big") ? 200000 : 1000;
}

static void answer(void *context, const struct http_request *q, struct http_reply *r)
{
    (void)context;
    r->body.max = (size_t)1 << 20;
    if (!strcmp(q->path, "/slow"))
        usleep(200000);
    if (!strcmp(q->path, "/stream")) {
        r->is_stream = true;
        r->stream_context = context;
        http_reply_header(r, "Content-Type", "text/event-stream");
        buf_add_text(&r->body, ": hello\n\n");
        return;
    }
    const char *x = http_header(q, "x-thing");
    http_reply_header(r, "Content-Type", "text/plain");
    http_reply_header(r, "X-Evil", "a\r\nSet-Cookie: b"); /* left out */
    buf_printf(&r->body, "%s %s?%s %zu %s %s", q->method, q->path, q->query, q->n_body, x ? x : "-",
               q->has_certificate ? q->certificate_name : "nobody");
    uint8_t sum = 0;
    for (size_t i = 0; i < q->n_body; i++)
        sum = (uint8_t)(sum + q->body[i]);
    buf_printf(&r->body, " %u\n", sum);
}

static void refuse(void *context, const struct http_request *q, int status, struct http_reply *r)
{
    (void)context;
    (void)q;
    r->body.max = 1000;
    buf_printf(&r->body, "refused %d\n", status);
}

static void stream_opened(void *context, struct http_stream *s, void *c)
{
    (void)context;
    (void)c;
    pthread_mutex_lock(&now.lock);
    now.stream = s;
    now.n_opened++;
    pthread_mutex_unlock(&now.lock);
}

static void stream_closed(void *context, struct http_stream *s, void *c)
{
    (void)context;
    (void)c;
    pthread_mutex_lock(&now.lock);
    if (now.stream == s)
        now.stream = NULL;
    now.n_closed++;
    pthread_mutex_unlock(&now.lock);
}

static void start_with(struct http_options o)
{
    static const struct http_handlers h = {.begin = begin, .answer = answer, .refuse = refuse, .stream_opened = stream_opened,
                                           .stream_closed = stream_closed};
    struct fault f;
    now.n_opened = now.n_closed = 0;
    o.listen_fd = listen_somewhere(&now.port);
    o.certificate_pem = (const char *)certificate.p;
    o.key_pem = (const char *)key.p;
    o.n_workers = 2;
    assert_int_equal(http_server_start(&o, &h, &now.server, &f), 0);
}

static void start(void)
{
    start_with((struct http_options){.connections_max = 20, .connections_of_one_max = 20, .streams_max = 1, .read_timeout_s = 10});
}

static struct http_counters stop(void)
{
    struct http_counters c;
    http_server_counters(now.server, &c);
    http_server_stop(now.server);
    now.server = NULL;
    return c;
}

static int set_up(void **state)
{
    static const char *const names[] = {"localhost", "127.0.0.1"};
    struct fault f;
    (void)state;
    pthread_mutex_init(&now.lock, NULL);
    return tls_self_make(names, 2, clock_now_us(), &certificate, &key, &f);
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&certificate);
    buf_fini(&key);
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void a_request_is_read_whole_and_answered_by_a_worker(void **state)
{
    (void)state;
    start();
    struct client *c = client_open(now.port, NULL, NULL, NULL);
    assert_non_null(c);
    assert_int_equal(client_asks(c, "GET /a%20b/c?d=%41 HTTP/1.1\r\nHost: x\r\nX-Thing: 17\r\n\r\n"), 200);
    assert_non_null(strstr(c->text, "GET /a b/c?d=%41 0 17 nobody"));
    assert_null(strstr(c->text, "X-Evil"));
    assert_int_equal(client_asks(c, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\001\002\003"), 200);
    assert_non_null(strstr(c->text, "POST /p? 3 - nobody 6\n"));
    client_close(c);
    struct http_counters n = stop();
    assert_int_equal(n.requests, 2);
    assert_int_equal(n.answered, 2);
    assert_int_equal(n.accepted, 1);
}

static void a_target_that_is_no_path_is_refused(void **state)
{
    static const char *const bad[] = {"/a/../b", "/..", "/.", "/a/./b", "/a//b", "/%00", "/a%2e%2e%5cb", "/%2e%2e/x", "/%zz", "/%4",
                                      "/%c3%28", "/a%0ab", "*", "/a%2f%2f"};
    (void)state;
    start();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char request[200];
        struct client *c = client_open(now.port, NULL, NULL, NULL);
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", bad[i]);
        assert_non_null(c);
        if (client_asks(c, request) != 400)
            fail_msg("%s: %s", bad[i], c->text);
        assert_non_null(strstr(c->text, "refused 400"));
        client_close(c);
    }
    assert_int_equal(stop().refused_request, COUNT_OF(bad));
}

static void what_is_too_large_is_refused_and_the_connection_stays_in_step(void **state)
{
    static char large[220000];
    (void)state;
    start();
    struct client *c = client_open(now.port, NULL, NULL, NULL);
    int n = snprintf(large, sizeof(large), "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    memset(large + n, 'x', 1001);
    large[n + 1001] = 0;
    assert_int_equal(client_asks(c, large), 413);
    assert_int_equal(client_asks(c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    /* in chunks, which announce nothing: 3e9 is 1001 */
    n = snprintf(large, sizeof(large), "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
    memset(large + n, 'x', 1001);
    snprintf(large + n + 1001, 20, "\r\n0\r\n\r\n");
    assert_int_equal(client_asks(c, large), 413);
    assert_int_equal(client_asks(c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    /* more than is read away */
    assert_int_equal(client_asks(c, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"), 413);
    client_close(c);
    /* allowed there */
    c = client_open(now.port, NULL, NULL, NULL);
    n = snprintf(large, sizeof(large), "POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
    memset(large + n, 1, 200000);
    large[n + 200000] = 0;
    assert_int_equal(client_asks(c, large), 200);
    assert_non_null(strstr(c->text, "POST /big? 200000 - nobody 64\n")); /* 200000 mod 256 */
    assert_int_equal(client_asks(c, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"), 404);
    client_close(c);
    assert_int_equal(stop().refused_size, 3);
}

static void bodies_under_way_have_one_bound(void **state)
{
    static char body[150001];
    static const char head[] = "POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 150000\r\n\r\n";
    (void)state;
    start_with((struct http_options){.connections_max = 20, .connections_of_one_max = 20, .streams_max = 1, .read_timeout_s = 10,
                                     .bodies_max_bytes = 200000});
    memset(body, 1, 150000);
    struct client *first = client_open(now.port, NULL, NULL, NULL), *second = client_open(now.port, NULL, NULL, NULL);
    assert_true(client_says(first, head) && client_say(first, body, 149999));
    usleep(200000);
    assert_true(client_says(second, head) && client_says(second, body));
    assert_non_null(client_hears(second, 0, "refused 503"));
    assert_true(client_says(first, "\001"));
    assert_non_null(client_hears(first, 0, "POST /big? 150000"));
    client_close(second);
    second = client_open(now.port, NULL, NULL, NULL); /* what was answered is given back */
    assert_true(client_says(second, head) && client_says(second, body));
    assert_non_null(client_hears(second, 0, "POST /big? 150000"));
    client_close(first);
    client_close(second);
    assert_int_equal(stop().refused_bodies, 1);
}

static void headers_have_an_end(void **state)
{
    static char request[60000];
    (void)state;
    start();
    for (int kind = 0; kind < 2; kind++) { /* many small ones, few large ones */
        struct client *c = client_open(now.port, NULL, NULL, NULL);
        size_t n = (size_t)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\n");
        for (int i = 0; i < (kind ? 5 : 100); i++)
            n += (size_t)snprintf(request + n, sizeof(request) - n, "A%d: %0*d\r\n", i, kind ? 4000 : 5, 1);
        snprintf(request + n, sizeof(request) - n, "\r\n");
        assert_int_equal(client_asks(c, request), 431);
        client_close(c);
    }
    stop();
}

static void requests_in_one_write_are_answered_in_order(void **state)
{
    (void)state;
    start();
    struct client *c = client_open(now.port, NULL, NULL, NULL);
    assert_true(client_says(c, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
                               "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n"));
    const char *third = client_hears(c, 0, "GET /3?");
    const char *first = strstr(c->text, "GET /slow?"), *second = strstr(c->text, "POST /2? 2");
    assert_non_null(third);
    assert_true(first && second && first < second && second < third);
    client_close(c);
    stop();
}

static void slow_and_silent_clients_are_sent_away(void **state)
{
    (void)state;
    start_with((struct http_options){.connections_max = 20, .connections_of_one_max = 20, .streams_max = 1, .read_timeout_s = 1});
    struct client *silent = client_open(now.port, NULL, NULL, NULL), *slow = client_open(now.port, NULL, NULL, NULL);
    int64_t began_us = clock_steady_us();
    assert_true(client_says(slow, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"));
    for (int i = 0; i < 60 && client_say(slow, "x", 1); i++) /* a byte at a time would take it 100 s */
        usleep(100000);
    assert_null(client_hears(silent, 0, "HTTP"));
    assert_true(silent->is_closed);
    int64_t took_us = clock_steady_us() - began_us;
    assert_true(took_us > 900000 && took_us < 8000000);
    client_close(silent);
    client_close(slow);
    assert_int_equal(stop().refused_slow, 2);
}

static void one_address_has_its_share_of_connections(void **state)
{
    struct client *c[4];
    (void)state;
    start_with((struct http_options){.connections_max = 20, .connections_of_one_max = 3, .streams_max = 1, .read_timeout_s = 10});
    for (int i = 0; i < 4; i++)
        c[i] = client_open(now.port, NULL, NULL, NULL);
    assert_non_null(c[2]);
    assert_null(c[3]);
    client_close(c[1]);
    assert_int_equal(client_asks(c[0], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    for (int i = 0; i < 50 && !c[3]; i++) { /* until the server has seen the end */
        usleep(20000);
        c[3] = client_open(now.port, NULL, NULL, NULL);
    }
    assert_non_null(c[3]);
    for (int i = 0; i < 4; i++)
        if (i != 1)
            client_close(c[i]);
    assert_true(stop().refused_connections_of_one >= 1);
}

static void there_are_not_more_connections_than_the_limit(void **state)
{
    struct client *c[3];
    (void)state;
    start_with((struct http_options){.connections_max = 2, .connections_of_one_max = 9, .streams_max = 1, .read_timeout_s = 10});
    for (int i = 0; i < 3; i++)
        c[i] = client_open(now.port, NULL, NULL, NULL);
    assert_true(c[0] && c[1]);
    assert_null(c[2]);
    client_close(c[0]);
    client_close(c[1]);
    assert_int_equal(stop().refused_connections, 1);
}

static void a_stream_is_fed_by_anybody_and_ends_when_told(void **state)
{
    char line[64];
    (void)state;
    start();
    struct client *c = client_open(now.port, NULL, NULL, NULL), *second = client_open(now.port, NULL, NULL, NULL);
    assert_true(client_says(c, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_non_null(client_hears(c, 0, ": hello\n\n"));
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "data: %d\n\n", i);
        pthread_mutex_lock(&now.lock);
        assert_non_null(now.stream);
        assert_int_equal(http_stream_send(now.stream, line, strlen(line)), 0);
        pthread_mutex_unlock(&now.lock);
        if (i % 10 == 0)
            assert_non_null(client_hears(c, 0, line));
    }
    assert_non_null(client_hears(c, 0, "data: 99\n\n"));
    assert_int_equal(client_asks(second, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"), 503); /* streams_max is 1 */
    pthread_mutex_lock(&now.lock);
    http_stream_end(now.stream);
    pthread_mutex_unlock(&now.lock);
    assert_non_null(client_hears(c, 0, "\r\n0\r\n"));
    client_close(c);
    client_close(second);
    struct http_counters n = stop();
    assert_int_equal(n.refused_streams, 1);
    assert_int_equal(now.n_opened, 1);
    assert_int_equal(now.n_closed, 2); /* the one that was not opened is told too */
}

static void a_stream_too_far_behind_is_closed(void **state)
{
    static char much[65536];
    int r = 0;
    (void)state;
    start();
    struct client *c = client_open(now.port, NULL, NULL, NULL);
    assert_true(client_says(c, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_non_null(client_hears(c, 0, ": hello\n\n"));
    memset(much, 'x', sizeof(much));
    for (int i = 0; i < 1000 && !r; i++) { /* it reads nothing of it */
        pthread_mutex_lock(&now.lock);
        r = now.stream ? http_stream_send(now.stream, much, sizeof(much)) : 1;
        pthread_mutex_unlock(&now.lock);
    }
    assert_int_equal(r, 1);
    client_close(c);
    assert_int_equal(stop().streams_behind, 1);
}

static void old_versions_of_tls_are_refused(void **state)
{
    (void)state;
    start();
    assert_null(client_open(now.port, "NORMAL:-VERS-ALL:+VERS-TLS1.1", NULL, NULL));
    assert_null(client_open(now.port, "NORMAL:-VERS-ALL:+VERS-TLS1.0", NULL, NULL));
    struct client *c = client_open(now.port, "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL, NULL);
    assert_non_null(c);
    client_close(c);
    stop();
}

static void a_client_certificate_names_its_owner_if_the_authority_signed_it(void **state)
{
    static const char *const names[] = {"connector-1"}, *const others[] = {"stranger"};
    struct buf cert = {0}, secret = {0}, cert_2 = {0}, secret_2 = {0};
    struct fault f;
    (void)state;
    assert_int_equal(tls_self_make(names, 1, clock_now_us(), &cert, &secret, &f), 0);
    assert_int_equal(tls_self_make(others, 1, clock_now_us(), &cert_2, &secret_2, &f), 0);
    start_with((struct http_options){.connections_max = 20, .connections_of_one_max = 20, .streams_max = 1, .read_timeout_s = 10,
                                     .client_ca_pem = (const char *)cert.p});
    struct client *c = client_open(now.port, NULL, (const char *)cert.p, (const char *)secret.p);
    assert_int_equal(client_asks(c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    assert_non_null(strstr(c->text, " CN=connector-1 "));
    client_close(c);
    c = client_open(now.port, NULL, NULL, NULL);
    assert_int_equal(client_asks(c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    assert_non_null(strstr(c->text, " nobody "));
    client_close(c);
    c = client_open(now.port, NULL, (const char *)cert_2.p, (const char *)secret_2.p);
    if (c && client_asks(c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert_non_null(strstr(c->text, " nobody "));
    client_close(c);
    stop();
    buf_fini(&cert);
    buf_fini(&secret);
    buf_fini(&cert_2);
    buf_fini(&secret_2);
}

static void what_is_being_answered_is_still_answered_at_the_end(void **state)
{
    (void)state;
    start();
    struct client *c = client_open(now.port, NULL, NULL, NULL);
    assert_true(client_says(c, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
    usleep(50000);
    stop();
    assert_non_null(client_hears(c, 0, "GET /slow?"));
    client_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_whole_and_answered_by_a_worker),
        cmocka_unit_test(a_target_that_is_no_path_is_refused),
        cmocka_unit_test(what_is_too_large_is_refused_and_the_connection_stays_in_step),
        cmocka_unit_test(bodies_under_way_have_one_bound),
        cmocka_unit_test(headers_have_an_end),
        cmocka_unit_test(requests_in_one_write_are_answered_in_order),
        cmocka_unit_test(slow_and_silent_clients_are_sent_away),
        cmocka_unit_test(one_address_has_its_share_of_connections),
        cmocka_unit_test(there_are_not_more_connections_than_the_limit),
        cmocka_unit_test(a_stream_is_fed_by_anybody_and_ends_when_told),
        cmocka_unit_test(a_stream_too_far_behind_is_closed),
        cmocka_unit_test(old_versions_of_tls_are_refused),
        cmocka_unit_test(a_client_certificate_names_its_owner_if_the_authority_signed_it),
        cmocka_unit_test(what_is_being_answered_is_still_answered_at_the_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
