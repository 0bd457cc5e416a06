/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a request through the office's web: who is let in, what is refused and how, and what a reply carries. */
#include "web_help.h"

#include <unistd.h>

#include "cmocka_house.h"

#define GOOD "mot-mat-khau-that-dai-2026"

static struct help_dir dir;
static struct web *web;
static struct password_first first;

static const struct web_options *options(void)
{
    static char openapi[300], roles[300];
    static struct web_options o;
    const char *source = getenv("VONGGAC_SOURCE");
    snprintf(openapi, sizeof(openapi), "%s/content/openapi", source ? source : ".");
    snprintf(roles, sizeof(roles), "%s/content/roles.yaml", source ? source : ".");
    o = (struct web_options){.data_dir = dir.path, .openapi_dir = openapi, .roles_path = roles, .node_name = "thu", .n_readers = 2,
                             .clock = web_help_clock};
    return &o;
}

static int set_up(void **state)
{
    struct fault f = {0};
    (void)state;
    dir = help_dir_new();
    int r = web_new(options(), &web, &f);
    if (!r)
        r = web_first_person(web, "admin", &first, &f);
    if (r)
        print_error("%s\n", f.text);
    return r;
}

static int tear_down(void **state)
{
    (void)state;
    web_free(web);
    help_dir_free(&dir);
    return 0;
}

/* admin - logged in, with a password of his own; made once. */
static struct asking admin(void)
{
    static bool is_ready;
    struct asking k = {.web = web};
    web_help_now += 600 * US_PER_SECOND; /* rates and locks of the tests before are over */
    if (!is_ready) {
        char body[300];
        assert_int_equal(log_in(&k, "admin", first.text), 200);
        assert_int_equal(status_of(&k, "GET", "/api/v1/users", NULL), 403); /* first a password of his own */
        snprintf(body, sizeof(body), "{\"before\":\"%s\",\"after\":\"" GOOD "\"}", first.text);
        assert_int_equal(status_of(&k, "POST", "/api/v1/settings/password", body), 204);
        is_ready = true;
    }
    assert_int_equal(log_in(&k, "admin", GOOD), 200);
    return k;
}

static void the_first_person_must_set_a_password_before_anything_else(void **state)
{
    struct fault f;
    struct password_first second;
    (void)state;
    struct asking k = admin();
    assert_int_equal(web_first_person(web, "admin", &second, &f), 1); /* once */
    struct asked a = ask(&k, "GET", "/api/v1/session", NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(json_string_value(json_object_get(json_object_get(a.json, "person"), "login")), "admin");
    assert_true(json_array_size(json_object_get(a.json, "permissions")) > 10);
    asked_fini(&a);
    assert_int_equal(log_in(&k, "admin", first.text), 401);
}

static void nobody_is_let_in_without_a_session(void **state)
{
    static const char *const targets[] = {"/api/v1/session", "/api/v1/users", "/api/v1/audit", "/api/v1/metrics", "/api/v1/events", "/api/v1/roles"};
    struct asking k = {.web = web};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        assert_int_equal(status_of(&k, "GET", targets[i], NULL), 401);
    snprintf(k.cookie, sizeof(k.cookie), "__Host-vonggac=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(status_of(&k, "GET", "/api/v1/session", NULL), 401);
    snprintf(k.bearer, sizeof(k.bearer), "vg_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(status_of(&k, "GET", "/api/v1/session", NULL), 401);
    assert_int_equal(status_of(&(struct asking){.web = web}, "GET", "/api/v1/health", NULL), 200);
    assert_int_equal(status_of(&(struct asking){.web = web}, "GET", "/api/v1/openapi.json", NULL), 200);
}

static void every_problem_is_a_document_in_the_language_of_the_reader(void **state)
{
    struct asking k = {.web = web, .accept_language = "en"};
    (void)state;
    struct asked a = ask(&k, "GET", "/api/v1/nothing", NULL);
    assert_int_equal(a.status, 404);
    assert_string_equal(reply_header(&a, "Content-Type"), "application/problem+json");
    assert_string_equal(text_at(&a, "title"), "There is nothing here");
    assert_string_equal(text_at(&a, "type"), "urn:vonggac:problem:not_found");
    assert_string_equal(text_at(&a, "instance"), "/api/v1/nothing");
    assert_int_equal(json_integer_value(json_object_get(a.json, "status")), 404);
    assert_string_equal(reply_header(&a, "Cache-Control"), "no-store");
    assert_string_equal(reply_header(&a, "X-Content-Type-Options"), "nosniff");
    assert_non_null(strstr(reply_header(&a, "Content-Security-Policy"), "frame-ancestors 'none'"));
    assert_non_null(reply_header(&a, "Strict-Transport-Security"));
    asked_fini(&a);
    k.accept_language = NULL;
    a = ask(&k, "PUT", "/api/v1/session", NULL);
    assert_int_equal(a.status, 405);
    assert_string_equal(reply_header(&a, "Allow"), "GET, POST, DELETE");
    assert_string_equal(text_at(&a, "title"), "Không làm được việc này ở đây");
    asked_fini(&a);
}

static void a_write_with_the_cookie_needs_the_token_of_the_page(void **state)
{
    (void)state;
    struct asking k = admin(), without = k, wrong = k, foreign = k;
    without.csrf[0] = 0;
    wrong.csrf[0] ^= 1;
    foreign.more_name = "Sec-Fetch-Site";
    foreign.more_value = "cross-site";
    assert_int_equal(status_of(&without, "PATCH", "/api/v1/settings/own", "{\"language\":\"en\"}"), 403);
    assert_int_equal(status_of(&wrong, "PATCH", "/api/v1/settings/own", "{\"language\":\"en\"}"), 403);
    assert_int_equal(status_of(&foreign, "PATCH", "/api/v1/settings/own", "{\"language\":\"en\"}"), 403);
    assert_int_equal(status_of(&k, "PATCH", "/api/v1/settings/own", "{\"language\":\"en\"}"), 200);
    assert_int_equal(status_of(&k, "PATCH", "/api/v1/settings/own", "{\"language\":\"vi\"}"), 200);
}

static void a_body_is_checked_member_by_member(void **state)
{
    static const struct {
        const char *body, *type;
        int status;
    } cases[] = {
        {"{", NULL, 400},
        {"[]", NULL, 400},
        {"{\"login\":\"a\",\"login\":\"b\"}", NULL, 400},
        {"{\"login\":\"a\"}", "text/plain", 415},
        {"{}", NULL, 422},
        {"{\"login\":7,\"name\":[]}", NULL, 422},
        {"{\"login\":\"Bad Login\",\"name\":\"x\"}", NULL, 422},
        {"{\"login\":\"ok.login\",\"name\":\"x\",\"unit\":-1}", NULL, 422},
        {"{\"login\":\"ok.login\",\"name\":\"x\",\"language\":\"fr\"}", NULL, 422},
        {"{\"login\":\"ok.login\",\"name\":\"a\\u0001b\"}", NULL, 422},
        {"{\"login\":\"ok.login\",\"name\":\"a\",\"unit\":99999}", NULL, 403}, /* where he has no right, or where nothing is: alike */
    };
    (void)state;
    struct asking k = admin();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        web_help_now += 60 * US_PER_SECOND;
        k.type = cases[i].type;
        struct asked a = ask(&k, "POST", "/api/v1/users", cases[i].body);
        if (a.status != cases[i].status)
            fail_msg("%s: %d", cases[i].body, a.status);
        assert_string_equal(reply_header(&a, "Content-Type"), "application/problem+json");
        if (i == 5)
            assert_int_equal(json_array_size(json_object_get(a.json, "errors")), 2);
        asked_fini(&a);
    }
}

/* new_user - Return: his id; his first password in @password. */
static int64_t new_user(struct asking *k, const char *login, char password[64])
{
    char body[200];
    snprintf(body, sizeof(body), "{\"login\":\"%s\",\"name\":\"Người %s\"}", login, login);
    struct asked a = ask(k, "POST", "/api/v1/users", body);
    assert_int_equal(a.status, 201);
    int64_t id = json_integer_value(json_object_get(a.json, "id"));
    snprintf(password, 64, "%s", text_at(&a, "first_password"));
    asked_fini(&a);
    return id;
}

static void who_has_no_role_is_refused_and_told_nothing(void **state)
{
    char password[64], body[200];
    (void)state;
    struct asking k = admin(), other = {.web = web};
    int64_t id = new_user(&k, "khong.vai", password);
    assert_true(id > 0);
    assert_int_equal(log_in(&other, "khong.vai", password), 200);
    assert_int_equal(status_of(&other, "GET", "/api/v1/session", NULL), 200);
    snprintf(body, sizeof(body), "{\"before\":\"%s\",\"after\":\"mat-khau-cua-rieng-toi\"}", password);
    assert_int_equal(status_of(&other, "POST", "/api/v1/settings/password", body), 204);
    assert_int_equal(log_in(&other, "khong.vai", "mat-khau-cua-rieng-toi"), 200);
    assert_int_equal(status_of(&other, "GET", "/api/v1/users", NULL), 403);
    assert_int_equal(status_of(&other, "GET", "/api/v1/audit", NULL), 403);
    assert_int_equal(status_of(&other, "GET", "/api/v1/sessions?user=1", NULL), 403);
    assert_int_equal(status_of(&other, "GET", "/api/v1/sessions", NULL), 200);
    /* disabled: the session is over at once */
    snprintf(body, sizeof(body), "/api/v1/users/%lld/disable", (long long)id);
    assert_int_equal(status_of(&k, "POST", body, "{\"reason\":\"nghỉ việc\"}"), 200);
    assert_int_equal(status_of(&other, "GET", "/api/v1/session", NULL), 401);
}

static void a_person_is_changed_only_at_the_version_that_was_read(void **state)
{
    char password[64], target[64];
    (void)state;
    struct asking k = admin();
    snprintf(target, sizeof(target), "/api/v1/users/%lld", (long long)new_user(&k, "phien.ban", password));
    struct asked a = ask(&k, "GET", target, NULL);
    snprintf(k.match, sizeof(k.match), "%s", reply_header(&a, "ETag"));
    asked_fini(&a);
    struct asking without = k;
    without.match[0] = 0;
    assert_int_equal(status_of(&without, "PATCH", target, "{\"name\":\"Tên mới\"}"), 428);
    assert_int_equal(status_of(&k, "PATCH", target, "{\"name\":\"Tên mới\"}"), 200);
    a = ask(&k, "PATCH", target, "{\"name\":\"Tên khác\"}");
    assert_int_equal(a.status, 412);
    asked_fini(&a);
    snprintf(k.match, sizeof(k.match), "nonsense");
    assert_int_equal(status_of(&k, "PATCH", target, "{\"name\":\"Tên khác\"}"), 412);
    k.match[0] = 0;
    assert_int_equal(status_of(&k, "GET", "/api/v1/users/999999", NULL), 404);
    assert_int_equal(status_of(&k, "GET", "/api/v1/users/0", NULL), 404);
    assert_int_equal(status_of(&k, "GET", "/api/v1/users/x", NULL), 404);
}

static void a_list_goes_on_at_its_cursor_and_takes_no_other(void **state)
{
    char target[300], cursor[100], password[64];
    int64_t seen[8];
    size_t n = 0;
    (void)state;
    struct asking k = admin();
    for (int i = 0; i < 3; i++) {
        char login[20];
        web_help_now += 60 * US_PER_SECOND;
        snprintf(login, sizeof(login), "nguoi.%d", i);
        new_user(&k, login, password);
    }
    snprintf(target, sizeof(target), "/api/v1/users?limit=2");
    for (bool has_more = true; has_more && n < 8;) {
        struct asked a = ask(&k, "GET", target, NULL);
        assert_int_equal(a.status, 200);
        json_t *items = json_object_get(a.json, "items"), *item;
        size_t i;
        assert_true(json_array_size(items) <= 2);
        json_array_foreach(items, i, item) for (size_t j = 0; j <= n && n < 8; j++) {
            if (j == n) {
                seen[n++] = json_integer_value(json_object_get(item, "id"));
                break;
            }
            assert_int_not_equal(seen[j], json_integer_value(json_object_get(item, "id")));
        }
        has_more = json_is_string(json_object_get(a.json, "next"));
        snprintf(cursor, sizeof(cursor), "%s", text_at(&a, "next"));
        if (has_more)
            snprintf(target, sizeof(target), "/api/v1/users?limit=2&cursor=%s", cursor);
        asked_fini(&a);
    }
    assert_true(n >= 5);
    struct asked a = ask(&k, "GET", "/api/v1/users?limit=2", NULL);
    snprintf(cursor, sizeof(cursor), "%s", text_at(&a, "next"));
    asked_fini(&a);
    snprintf(target, sizeof(target), "/api/v1/grants?cursor=%s", cursor); /* another list's */
    assert_int_equal(status_of(&k, "GET", target, NULL), 400);
    cursor[3] = cursor[3] == 'A' ? 'B' : 'A';
    snprintf(target, sizeof(target), "/api/v1/users?cursor=%s", cursor); /* made up */
    assert_int_equal(status_of(&k, "GET", target, NULL), 400);
    assert_int_equal(status_of(&k, "GET", "/api/v1/users?limit=0", NULL), 400);
    assert_int_equal(status_of(&k, "GET", "/api/v1/users?limit=501", NULL), 400);
    assert_int_equal(status_of(&k, "GET", "/api/v1/users?limit=%zz", NULL), 400);
    assert_int_equal(status_of(&k, "GET", "/api/v1/users?format=pdf", NULL), 400);
}

static void a_list_comes_as_csv_and_xlsx_that_run_nothing(void **state)
{
    (void)state;
    struct asking k = admin();
    assert_int_equal(status_of(&k, "POST", "/api/v1/users", "{\"login\":\"cong.thuc\",\"name\":\"=cmd|' /C calc'!A0, \\\"x\\\"\"}"), 201);
    struct asked a = ask(&k, "GET", "/api/v1/users?format=csv", NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(reply_header(&a, "Content-Type"), "text/csv; charset=utf-8");
    assert_non_null(strstr(reply_header(&a, "Content-Disposition"), "user_list.csv"));
    buf_add_byte(&a.reply.body, 0);
    const char *text = (const char *)a.reply.body.p;
    assert_memory_equal(text, "\xef\xbb\xbfid,version,login,name,", 25);
    assert_non_null(strstr(text, ",cong.thuc,\"'=cmd|' /C calc'!A0, \"\"x\"\"\","));
    assert_non_null(strstr(text, "\r\n"));
    asked_fini(&a);
    a = ask(&k, "GET", "/api/v1/users?format=xlsx", NULL);
    assert_int_equal(a.status, 200);
    assert_memory_equal(a.reply.body.p, "PK\003\004", 4);
    asked_fini(&a);
}

static void a_token_acts_within_its_scopes_until_it_ends(void **state)
{
    char body[300], target[64];
    (void)state;
    struct asking k = admin(), t = {.web = web};
    assert_int_equal(status_of(&k, "POST", "/api/v1/tokens", "{\"name\":\"x\",\"scopes\":[\"no.such\"],\"expires_at\":\"2026-06-01T00:00:00Z\"}"), 422);
    assert_int_equal(status_of(&k, "POST", "/api/v1/tokens", "{\"name\":\"x\",\"scopes\":[\"exchange\"],\"expires_at\":\"2026-06-01T00:00:00Z\"}"), 403);
    assert_int_equal(status_of(&k, "POST", "/api/v1/tokens", "{\"name\":\"x\",\"scopes\":[\"user.read\"],\"expires_at\":\"2020-06-01T00:00:00Z\"}"), 422);
    snprintf(body, sizeof(body), "{\"name\":\"kịch bản\",\"scopes\":[\"user.read\"],\"expires_at\":\"2026-06-01T00:00:00Z\"}");
    struct asked a = ask(&k, "POST", "/api/v1/tokens", body);
    assert_int_equal(a.status, 201);
    snprintf(t.bearer, sizeof(t.bearer), "%s", text_at(&a, "token"));
    snprintf(target, sizeof(target), "/api/v1/tokens/%lld", (long long)json_integer_value(json_object_get(a.json, "id")));
    asked_fini(&a);
    assert_int_equal(status_of(&t, "GET", "/api/v1/users", NULL), 200);
    assert_int_equal(status_of(&t, "GET", "/api/v1/audit", NULL), 403);
    assert_int_equal(status_of(&t, "POST", "/api/v1/tokens", body), 403); /* a token makes no tokens */
    assert_int_equal(status_of(&t, "POST", "/api/v1/settings/password", "{\"before\":\"" GOOD "\",\"after\":\"xxxxxxxxxxxxxxxxx\"}"), 403);
    assert_int_equal(status_of(&k, "DELETE", target, NULL), 204);
    assert_int_equal(status_of(&t, "GET", "/api/v1/users", NULL), 401);
}

static void a_grant_ends_on_time(void **state)
{
    char password[64], body[400], from[40], to[40];
    (void)state;
    struct asking k = admin(), other = {.web = web};
    int64_t id = new_user(&k, "thanh.tra", password);
    assert_int_equal(log_in(&other, "thanh.tra", password), 200);
    snprintf(body, sizeof(body), "{\"before\":\"%s\",\"after\":\"mot-bi-mat-khac-2026\"}", password);
    assert_int_equal(status_of(&other, "POST", "/api/v1/settings/password", body), 204);
    assert_int_equal(log_in(&other, "thanh.tra", "mot-bi-mat-khac-2026"), 200);
    struct db *db = db_write(web_pool(web));
    db_many(db, "INSERT INTO unit(uuid, name, kind) VALUES('0190aaaa-0000-7000-8000-000000000001', 'Sở Y tế', 'department');");
    int64_t unit = db_new_id(db);
    struct fault f;
    assert_int_equal(db_end(db, true, &f), 0);
    clock_format_utc(web_help_now, from);
    clock_format_utc(web_help_now + 3600 * US_PER_SECOND, to);
    snprintf(body, sizeof(body), "{\"person\":%lld,\"permissions\":[\"user.read\"],\"targets\":[{\"unit\":%lld}],\"reason\":\"thanh tra\",\"from\":\"%s\",\"to\":\"%s\"}",
             (long long)id, (long long)unit, from, to);
    assert_int_equal(status_of(&other, "POST", "/api/v1/grants", body), 403);
    struct asked a = ask(&k, "POST", "/api/v1/grants", body);
    assert_int_equal(a.status, 201);
    asked_fini(&a);
    assert_int_equal(status_of(&other, "GET", "/api/v1/users", NULL), 200); /* in the session that was open already */
    web_help_now += 1799 * US_PER_SECOND; /* the session's rest is half an hour */
    assert_int_equal(status_of(&other, "GET", "/api/v1/users", NULL), 200);
    web_help_now += 1799 * US_PER_SECOND;
    assert_int_equal(status_of(&other, "GET", "/api/v1/users", NULL), 200);
    web_help_now += 3 * US_PER_SECOND;
    assert_int_equal(status_of(&other, "GET", "/api/v1/users", NULL), 403);
    assert_int_equal(status_of(&other, "GET", "/api/v1/session", NULL), 200);
}

static void the_trail_tells_of_writes_and_of_its_own_readers(void **state)
{
    (void)state;
    struct asking k = admin();
    assert_int_equal(status_of(&k, "PATCH", "/api/v1/settings/own", "{\"language\":\"vi\"}"), 200);
    assert_int_equal(status_of(&k, "GET", "/api/v1/audit", NULL), 200);
    struct asked a = ask(&k, "GET", "/api/v1/audit?limit=2", NULL);
    json_t *items = json_object_get(a.json, "items");
    assert_string_equal(json_string_value(json_object_get(json_array_get(items, 0), "action")), "audit_list");
    assert_string_equal(json_string_value(json_object_get(json_array_get(items, 1), "action")), "person.language");
    assert_string_equal(json_string_value(json_object_get(json_array_get(items, 1), "who")), "user:1");
    asked_fini(&a);
    a = ask(&k, "GET", "/api/v1/audit/verify", NULL);
    assert_int_equal(a.status, 200);
    assert_true(json_is_true(json_object_get(a.json, "is_whole")));
    asked_fini(&a);
}

static void who_guesses_is_locked_out(void **state)
{
    struct asking k = {.web = web, .address = "198.51.100.9"};
    int status = 0;
    (void)state;
    admin();
    for (int i = 0; i < 8; i++)
        status = log_in(&k, "nobody.here", "wrong password");
    assert_int_equal(status, 429);
}

static void who_asks_too_often_waits(void **state)
{
    struct asking k = {.web = web, .address = "203.0.113.7"};
    int n = 0;
    (void)state;
    web_help_now += 600 * US_PER_SECOND;
    while (n < 5000 && status_of(&k, "GET", "/api/v1/health", NULL) == 200)
        n++;
    assert_int_equal(n, 200 * 3 * 4); /* the burst of an address */
    struct asked a = ask(&k, "GET", "/api/v1/health", NULL);
    assert_int_equal(a.status, 429);
    assert_string_equal(reply_header(&a, "Retry-After"), "1");
    asked_fini(&a);
    web_help_now += US_PER_SECOND;
    assert_int_equal(status_of(&k, "GET", "/api/v1/health", NULL), 200);
    k.address = "203.0.113.8";
    assert_int_equal(status_of(&k, "GET", "/api/v1/health", NULL), 200);
}

static void every_route_has_an_operation_and_every_operation_a_route(void **state)
{
    const char *path, *method;
    json_t *item, *operation, *paths = json_object_get(web->openapi, "paths");
    size_t n_operations = 0;
    (void)state;
    for (size_t i = 0; i < web->n_routes; i++) {
        const struct web_route *r = web->routes[i].route;
        char lower[10] = "";
        for (size_t k = 0; web_method_names[r->method][k]; k++)
            lower[k] = (char)(web_method_names[r->method][k] | 0x20);
        operation = json_object_get(json_object_get(paths, r->pattern), lower);
        if (!operation || strcmp(json_string_value(json_object_get(operation, "operationId")), r->operation) != 0)
            fail_msg("%s %s (%s) is not described", lower, r->pattern, r->operation);
    }
    json_object_foreach(paths, path, item) json_object_foreach(item, method, operation)
    {
        const json_t *id = json_object_get(operation, "operationId");
        size_t i = 0;
        if (!id) /* parameters of a path */
            continue;
        const json_t *tags = json_object_get(operation, "tags");
        static const char *const ours[] = {"session", "token", "settings", "user", "grant", "audit", "system"};
        bool is_ours = false;
        for (size_t k = 0; k < COUNT_OF(ours); k++)
            is_ours |= !strcmp(ours[k], json_string_value(json_array_get(tags, 0)));
        while (i < web->n_routes && strcmp(web->routes[i].route->operation, json_string_value(id)) != 0)
            i++;
        if (is_ours && i == web->n_routes)
            fail_msg("%s %s has no route", method, path);
        n_operations++;
    }
    assert_true(n_operations >= web->n_routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_person_must_set_a_password_before_anything_else),
        cmocka_unit_test(nobody_is_let_in_without_a_session),
        cmocka_unit_test(every_problem_is_a_document_in_the_language_of_the_reader),
        cmocka_unit_test(a_write_with_the_cookie_needs_the_token_of_the_page),
        cmocka_unit_test(a_body_is_checked_member_by_member),
        cmocka_unit_test(who_has_no_role_is_refused_and_told_nothing),
        cmocka_unit_test(a_person_is_changed_only_at_the_version_that_was_read),
        cmocka_unit_test(a_list_goes_on_at_its_cursor_and_takes_no_other),
        cmocka_unit_test(a_list_comes_as_csv_and_xlsx_that_run_nothing),
        cmocka_unit_test(a_token_acts_within_its_scopes_until_it_ends),
        cmocka_unit_test(a_grant_ends_on_time),
        cmocka_unit_test(the_trail_tells_of_writes_and_of_its_own_readers),
        cmocka_unit_test(who_guesses_is_locked_out),
        cmocka_unit_test(who_asks_too_often_waits),
        cmocka_unit_test(every_route_has_an_operation_and_every_operation_a_route),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
