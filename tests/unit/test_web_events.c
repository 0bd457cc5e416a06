/* SPDX-License-Identifier: Apache-2.0 */
/* Events over a real server: who sees what is asked at the moment of sending, and what ends the right ends the stream. */
#include "https_help.h"
#include "net/tls_self.h"
#include "web_help.h"

#include "cmocka_house.h"

#define GOOD "mot-mat-khau-that-dai-2026"

static struct help_dir dir;
static struct web *web;
static struct http_server *server;
static uint16_t port;
static struct asking admin, other;
static int64_t unit, other_id;

static struct asking person(const char *login, const char *first)
{
    char body[300];
    struct asking k = {.web = web};
    assert_int_equal(log_in(&k, login, first), 200);
    snprintf(body, sizeof(body), "{\"before\":\"%s\",\"after\":\"" GOOD "\"}", first);
    assert_int_equal(status_of(&k, "POST", "/api/v1/settings/password", body), 204);
    assert_int_equal(log_in(&k, login, GOOD), 200);
    return k;
}

static int set_up(void **state)
{
    static const char *const names[] = {"localhost"};
    static char openapi[300], roles[300];
    struct buf certificate = {0}, key = {0};
    struct password_first first;
    struct fault f = {0};
    const char *source = getenv("VONGGAC_SOURCE");
    (void)state;
    dir = help_dir_new();
    snprintf(openapi, sizeof(openapi), "%s/content/openapi", source ? source : ".");
    snprintf(roles, sizeof(roles), "%s/content/roles.yaml", source ? source : ".");
    const struct web_options o = {.data_dir = dir.path, .openapi_dir = openapi, .roles_path = roles, .n_readers = 3, .clock = web_help_clock};
    assert_int_equal(web_new(&o, &web, &f), 0);
    assert_int_equal(web_first_person(web, "admin", &first, &f), 0);
    admin = person("admin", first.text);
    struct asked a = ask(&admin, "POST", "/api/v1/users", "{\"login\":\"doi.tac\",\"name\":\"Đối tác\"}");
    other_id = json_integer_value(json_object_get(a.json, "id"));
    other = person("doi.tac", text_at(&a, "first_password"));
    asked_fini(&a);
    struct db *db = db_write(web_pool(web));
    db_many(db, "INSERT INTO unit(uuid, name, kind) VALUES('0190aaaa-0000-7000-8000-000000000001', 'Sở Y tế', 'department');");
    unit = db_new_id(db);
    assert_int_equal(db_end(db, true, &f), 0);
    assert_int_equal(tls_self_make(names, 1, clock_now_us(), &certificate, &key, &f), 0);
    const struct http_options h = {.listen_fd = listen_somewhere(&port), .certificate_pem = (const char *)certificate.p,
                                   .key_pem = (const char *)key.p, .n_workers = 2, .connections_max = 20, .connections_of_one_max = 20,
                                   .streams_max = 10, .read_timeout_s = 10};
    const struct http_handlers handlers = {.context = web, .begin = web_begin, .answer = web_answer, .refuse = web_refuse,
                                           .stream_opened = web_stream_opened, .stream_closed = web_stream_closed};
    int r = http_server_start(&h, &handlers, &server, &f);
    buf_fini(&certificate);
    buf_fini(&key);
    return r;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(server);
    web_free(web);
    help_dir_free(&dir);
    return 0;
}

/* listen_as - the hub knows the stream before its first byte goes out. */
static struct client *listen_as(const struct asking *k, const char *last_id)
{
    char request[600];
    struct client *c = client_open(port, NULL, NULL, NULL);
    snprintf(request, sizeof(request), "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n%s%s%s\r\n", k->cookie, last_id ? "Last-Event-ID: " : "",
             last_id ? last_id : "", last_id ? "\r\n" : "");
    assert_non_null(c);
    assert_true(client_says(c, request));
    assert_non_null(client_hears(c, 0, "retry: 3000\n\n"));
    return c;
}

static void tell(int64_t number)
{
    const struct access_object o = {.unit = unit, .tlp = TLP_AMBER, .kind = "alert", .id = number};
    web_tell_all(web, "alert", &o, PERMISSION_ALERT_READ, json_pack("{s:I}", "number", (json_int_t)number));
}

static void grant_for(int64_t seconds)
{
    char body[500], from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    clock_format_utc(web_help_now, from);
    clock_format_utc(web_help_now + seconds * US_PER_SECOND, to);
    snprintf(body, sizeof(body), "{\"person\":%lld,\"permissions\":[\"alert.read\"],\"targets\":[{\"unit\":%lld}],\"reason\":\"hợp đồng\",\"from\":\"%s\",\"to\":\"%s\"}",
             (long long)other_id, (long long)unit, from, to);
    assert_int_equal(status_of(&admin, "POST", "/api/v1/grants", body), 201);
    (void)web_tick(web);
}

static void an_event_goes_to_whom_the_object_is_seen_by_now(void **state)
{
    (void)state;
    struct client *a = listen_as(&admin, NULL), *b = listen_as(&other, NULL);
    tell(1);
    assert_non_null(client_hears(a, 0, "event: alert\ndata: {\"number\":1}\n\n"));
    grant_for(60);
    tell(2);
    assert_non_null(client_hears(a, 0, "{\"number\":2}"));
    assert_non_null(client_hears(b, 0, "{\"number\":2}"));
    web_help_now += 61 * US_PER_SECOND; /* the grant is over, the session and the stream are not */
    tell(3);
    assert_non_null(client_hears(a, 0, "{\"number\":3}"));
    grant_for(60);
    tell(4);
    assert_non_null(client_hears(b, 0, "{\"number\":4}"));
    assert_null(strstr(b->text, "{\"number\":1}"));
    assert_null(strstr(b->text, "{\"number\":3}"));
    client_close(a);
    client_close(b);
}

static void who_comes_back_gets_what_he_missed_and_no_number_counts_events(void **state)
{
    char id[40] = "";
    (void)state;
    web_help_now += 120 * US_PER_SECOND;
    struct client *a = listen_as(&admin, NULL);
    tell(10);
    const char *found = client_hears(a, 0, "{\"number\":10}");
    assert_non_null(found);
    const char *at = strstr(a->text, "id: ");
    assert_non_null(at);
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 4, "\n"), at + 4);
    assert_int_equal(strlen(id), 16);
    client_close(a);
    tell(11);
    tell(12);
    a = listen_as(&admin, id);
    assert_non_null(client_hears(a, 0, "{\"number\":12}"));
    assert_non_null(strstr(a->text, "{\"number\":11}"));
    assert_null(strstr(a->text, "{\"number\":10}"));
    client_close(a);
    a = listen_as(&other, id); /* his grant is over: of what was missed he sees nothing */
    tell(13);
    web_help_now += 16 * US_PER_SECOND;
    (void)web_tick(web);
    assert_non_null(client_hears(a, 0, ":\n\n")); /* the comment that keeps it open */
    assert_null(strstr(a->text, "number"));
    client_close(a);
    a = listen_as(&admin, "0123456789abcdef");
    assert_non_null(client_hears(a, 0, "event: reload"));
    client_close(a);
}

static void a_stream_ends_with_its_session(void **state)
{
    char target[80];
    (void)state;
    struct client *b = listen_as(&other, NULL);
    snprintf(target, sizeof(target), "/api/v1/users/%lld/disable", (long long)other_id);
    assert_int_equal(status_of(&admin, "POST", target, "{\"reason\":\"hết hợp đồng\"}"), 200);
    (void)web_tick(web);
    assert_non_null(client_hears(b, 0, "event: session\ndata: {\"state\":\"ended\"}"));
    assert_non_null(client_hears(b, 0, "\r\n0\r\n"));
    client_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_goes_to_whom_the_object_is_seen_by_now),
        cmocka_unit_test(who_comes_back_gets_what_he_missed_and_no_number_counts_events),
        cmocka_unit_test(a_stream_ends_with_its_session),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
