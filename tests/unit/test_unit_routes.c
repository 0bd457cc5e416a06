/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of units and machines through the office's web: the main ways, what is refused, and that nobody sees another's. */
#include "web_help.h"

#include <unistd.h>

#include "cmocka_house.h"
#include "desk/asset/asset_desk.h"
#include "desk/unit/unit_desk.h"
#include "state/person.h"
#include "watch/indicator/lists.h"

static struct help_dir dir;
static struct web *web;
static struct unit_desk *units;
static struct asset_desk *assets;
static struct asking root, an, binh; /* all; unit A and below; unit B */
static int64_t unit_a, unit_b;

static struct asking person(const char *login, const char *role, int64_t unit)
{
    struct asking k = {.web = web, .type = "application/json"};
    struct fault f = {0};
    char text[TOKEN_TEXT_MAX];
    int64_t id, other;
    struct db *db = db_write(web->pool);
    const struct person p = {.login = login, .name = login, .email = "", .phone = "", .is_connector = true};
    assert_int_equal(person_add(db, &p, NULL, web_help_now, &id), 0);
    const struct binding b = {.person = id, .unit = unit, .role = role, .is_below = true, .from_us = 1};
    assert_int_equal(binding_add(db, web->roles, &b, web_help_now, &other), 0);
    const struct token t = {.person = id, .by_person = id, .name = "t", .scopes = PERMISSION_ALL, .tlp_max = TLP_RED,
                            .expires_us = web_help_now + 30 * US_PER_DAY};
    assert_int_equal(token_add(db, &t, web_help_now, &other, text), 0);
    assert_int_equal(db_end(db, true, &f), 0);
    snprintf(k.bearer, sizeof(k.bearer), "%s", text);
    return k;
}

static int64_t number_at(const struct asked *a, const char *name)
{
    return json_integer_value(json_object_get(a->json, name));
}

/* made - POST that must answer 201; Return: the id. */
static int64_t made(const struct asking *k, const char *path, const char *body)
{
    struct asked a = ask(k, "POST", path, body);
    if (a.status != 201)
        fail_msg("POST %s %s: %d %.*s", path, body, a.status, (int)a.reply.body.n, (const char *)a.reply.body.p);
    int64_t id = number_at(&a, "id");
    asked_fini(&a);
    return id;
}

static int set_up(void **state)
{
    static char openapi[300], roles[300];
    static struct web_desk desks[2];
    static const struct web_desk *const all[] = {&desks[0], &desks[1]};
    const char *source = getenv("VONGGAC_SOURCE");
    struct fault f = {0};
    (void)state;
    (void)log_in; /* these people have tokens */
    dir = help_dir_new();
    snprintf(openapi, sizeof(openapi), "%s/content/openapi", source ? source : ".");
    snprintf(roles, sizeof(roles), "%s/content/roles.yaml", source ? source : ".");
    if (unit_desk_new(&units, &f) || asset_desk_new(units, &assets, &f))
        fail_msg("%s", f.text);
    desks[0] = unit_desk_entry(units);
    desks[1] = asset_desk_entry(assets);
    const struct web_options o = {.data_dir = dir.path, .openapi_dir = openapi, .roles_path = roles, .node_name = "thu", .n_readers = 2,
                                  .desks = all, .n_desks = 2, .clock = web_help_clock, .reads_per_second = 100000};
    if (web_new(&o, &web, &f))
        fail_msg("%s", f.text);
    root = person("root", "administrator", 0);
    unit_a = made(&root, "/api/v1/units", "{\"name\":\"Sở A\",\"kind\":\"department\",\"code\":\"a\"}");
    unit_b = made(&root, "/api/v1/units", "{\"name\":\"Sở B\",\"kind\":\"department\",\"code\":\"b\"}");
    an = person("an", "coordinator", unit_a);
    binh = person("binh", "coordinator", unit_b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    web_free(web);
    asset_desk_free(assets);
    unit_desk_free(units);
    help_dir_free(&dir);
    return 0;
}

static void next_minute(void)
{
    web_help_now += 60 * US_PER_SECOND; /* rates of writes begin anew */
}

static size_t n_items(const struct asking *k, const char *target)
{
    struct asked a = ask(k, "GET", target, NULL);
    if (a.status != 200)
        fail_msg("GET %s: %d %.*s", target, a.status, (int)a.reply.body.n, (const char *)a.reply.body.p);
    size_t n = json_array_size(json_object_get(a.json, "items"));
    asked_fini(&a);
    return n;
}

/* patched - with the version that stands; Return: the status. */
static int change(struct asking k, const char *method, const char *path, const char *body, int64_t version)
{
    snprintf(k.match, sizeof(k.match), "\"%lld\"", (long long)version);
    return status_of(&k, method, path, body);
}

static void a_unit_is_made_changed_at_its_version_and_told_whole(void **state)
{
    char path[80];
    (void)state;
    next_minute();
    int64_t id = made(&an, "/api/v1/units", "{\"name\":\"Phòng A1\",\"kind\":\"department\",\"parent\":1}");
    snprintf(path, sizeof(path), "/api/v1/units/%lld", (long long)id);
    assert_int_equal(status_of(&an, "PATCH", path, "{\"name\":\"x\"}"), 428);
    assert_int_equal(change(an, "PATCH", path, "{\"name\":\"Phòng A1 mới\",\"valid_from\":\"2026-01-01T00:00:00Z\"}", 1), 200);
    assert_int_equal(change(an, "PATCH", path, "{\"name\":\"Phòng khác\"}", 1), 412);
    assert_int_equal(change(an, "PATCH", path, "{\"parent\":2}", 2), 422); /* not his to put things below */
    assert_int_equal(change(an, "PATCH", path, "{\"name\":\"...\"}", 2), 422);
    assert_int_equal(status_of(&binh, "GET", path, NULL), 404);
    assert_int_equal(change(binh, "PATCH", path, "{\"name\":\"x\"}", 2), 404);
    struct asked a = ask(&an, "GET", path, NULL);
    assert_string_equal(reply_header(&a, "ETag"), "\"2\"");
    assert_int_equal(json_array_size(json_object_get(a.json, "history")), 2);
    assert_int_equal(json_array_size(json_object_get(a.json, "path")), 2);
    asked_fini(&a);
    a = ask(&an, "GET", "/api/v1/units/resolve?name=ph%C3%B2ng%20a1&at=2025-06-01", NULL);
    assert_string_equal(text_at(&a, "how"), "folded");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(a.json, "unit"), "id")), id);
    asked_fini(&a);
    a = ask(&binh, "GET", "/api/v1/units/resolve?name=ph%C3%B2ng%20a1&at=2025-06-01", NULL);
    assert_string_equal(text_at(&a, "how"), "none");
    assert_int_equal(json_array_size(json_object_get(a.json, "candidates")), 0);
    asked_fini(&a);
}

static void what_belongs_to_a_unit_stays_with_it(void **state)
{
    (void)state;
    next_minute();
    made(&root, "/api/v1/prefixes", "{\"unit\":1,\"prefix\":\"203.0.113.0/24\"}");
    made(&root, "/api/v1/prefixes", "{\"unit\":2,\"prefix\":\"198.51.100.0/24\"}");
    made(&an, "/api/v1/prefixes", "{\"unit\":1,\"prefix\":\"203.0.113.9\",\"kind\":\"nat\"}");
    assert_int_equal(status_of(&an, "POST", "/api/v1/prefixes", "{\"unit\":1,\"prefix\":\"198.51.100.7\"}"), 403); /* a neighbour's */
    assert_int_equal(status_of(&an, "POST", "/api/v1/prefixes", "{\"unit\":1,\"prefix\":\"0.0.0.0/0\"}"), 403);
    assert_int_equal(status_of(&an, "POST", "/api/v1/prefixes", "{\"unit\":2,\"prefix\":\"203.0.113.10\"}"), 422);
    assert_int_equal(status_of(&an, "POST", "/api/v1/prefixes", "{\"unit\":1,\"prefix\":\"203.0.113.0/99\"}"), 422);
    assert_int_equal(n_items(&an, "/api/v1/prefixes"), 2);
    assert_int_equal(n_items(&binh, "/api/v1/prefixes"), 1);
    assert_int_equal(status_of(&an, "POST", "/api/v1/prefixes/publish", "{}"), 403);
    struct asked a = ask(&root, "POST", "/api/v1/prefixes/publish", "{}");
    assert_int_equal(a.status, 201);
    assert_int_equal(number_at(&a, "prefixes"), 3);
    asked_fini(&a);
    struct ip ip;
    struct asset_place place;
    assert_int_equal(ip_parse("203.0.113.9", 11, &ip), 0);
    struct db *db = db_read(web->pool);
    bool is_nat = false;
    assert_int_equal(unit_desk_of(units, db, &ip, web_help_now, &is_nat), unit_a);
    assert_true(is_nat);
    asset_desk_place(assets, db, TEXT("198.51.100.7"), TEXT(""), web_help_now, &place);
    assert_int_equal(place.unit, unit_b);
    db_end(db, false, NULL);
}

static void a_systems_level_is_its_last_decision(void **state)
{
    char path[80];
    (void)state;
    next_minute();
    int64_t id = made(&an, "/api/v1/systems", "{\"unit\":1,\"name\":\"Cổng dịch vụ công\",\"exposure\":\"internet\"}");
    snprintf(path, sizeof(path), "/api/v1/systems/%lld/levels", (long long)id);
    assert_int_equal(status_of(&an, "POST", path, "{\"level\":3,\"state\":\"approved\",\"decided_at\":\"2025-01-01T00:00:00Z\"}"), 422);
    assert_int_equal(status_of(&an, "POST", path, "{\"level\":3,\"state\":\"approved\",\"number\":\"1/QĐ\",\"body\":\"UBND\",\"decided_at\":\"2025-01-01T00:00:00Z\"}"), 201);
    assert_int_equal(status_of(&binh, "POST", path, "{\"level\":1,\"state\":\"approved\",\"number\":\"1/QĐ\",\"body\":\"UBND\",\"decided_at\":\"2025-01-01T00:00:00Z\"}"), 404);
    struct asked a = ask(&an, "GET", "/api/v1/systems", NULL);
    const json_t *one = json_array_get(json_object_get(a.json, "items"), 0);
    assert_int_equal(json_integer_value(json_object_get(one, "level")), 3);
    assert_string_equal(json_string_value(json_object_get(one, "level_number")), "1/QĐ");
    asked_fini(&a);
}

static void contacts_have_channels_and_the_day_they_were_tried(void **state)
{
    char path[80];
    (void)state;
    next_minute();
    int64_t id = made(&an, "/api/v1/contacts", "{\"unit\":1,\"channel\":\"phone\",\"value\":\"+84 24 0000 0000\",\"is_24_7\":true}");
    snprintf(path, sizeof(path), "/api/v1/contacts/%lld/verified", (long long)id);
    assert_int_equal(change(an, "POST", path, "{}", 1), 200);
    assert_int_equal(n_items(&an, "/api/v1/contacts"), 1);
    assert_int_equal(n_items(&binh, "/api/v1/contacts"), 0);
    snprintf(path, sizeof(path), "/api/v1/contacts/%lld", (long long)id);
    assert_int_equal(change(an, "DELETE", path, NULL, 2), 200);
    assert_int_equal(n_items(&an, "/api/v1/contacts"), 0);
    assert_int_equal(n_items(&an, "/api/v1/contacts?state=all"), 1);
}

static struct asked upload(struct asking k, const char *target, const char *csv)
{
    k.type = "text/csv";
    return ask(&k, "POST", target, csv);
}

static void an_import_tells_every_row_it_refused_and_keeps_nothing_when_dry(void **state)
{
    static const char csv[] = "Tên máy,Địa chỉ IP,Đơn vị\nPC-1,10.0.0.1,Sở A\nPC-2,10.0.0.2,Sở B\nPC-3,10.0.0.3,ai đó\n";
    (void)state;
    next_minute();
    struct asked a = upload(root, "/api/v1/machines/import?dry_run=1", csv);
    assert_int_equal(a.status, 200);
    assert_true(json_is_true(json_object_get(a.json, "is_dry_run")));
    assert_int_equal(number_at(&a, "new"), 3);
    asked_fini(&a);
    assert_int_equal(n_items(&root, "/api/v1/machines"), 0);
    next_minute();
    a = upload(an, "/api/v1/machines/import?unit=1&file_name=kiem-ke.csv", csv);
    assert_int_equal(a.status, 200);
    assert_int_equal(number_at(&a, "kept"), 2);
    assert_int_equal(number_at(&a, "queued"), 1);
    const json_t *row = json_array_get(json_object_get(a.json, "refused_rows"), 0);
    assert_int_equal(json_integer_value(json_object_get(row, "row")), 3);
    assert_string_equal(json_string_value(json_object_get(row, "reason")), "not_allowed");
    asked_fini(&a);
    assert_int_equal(n_items(&an, "/api/v1/machines"), 2);
    assert_int_equal(n_items(&binh, "/api/v1/machines"), 0);
    next_minute();
    a = upload(an, "/api/v1/machines/import?unit=1&mode=whole", csv);
    assert_int_equal(a.status, 422);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(a.json, "report"), "refused")), 1);
    asked_fini(&a);
    next_minute();
    a = upload(an, "/api/v1/machines/import", "foo\n1\n");
    assert_int_equal(a.status, 422);
    asked_fini(&a);
    /* the queue: seen by who imported, decided, and the machine goes there */
    assert_int_equal(n_items(&binh, "/api/v1/unit-names"), 0);
    assert_int_equal(n_items(&an, "/api/v1/unit-names?state=open"), 1);
    assert_int_equal(change(an, "PATCH", "/api/v1/unit-names/1", "{\"unit\":2}", 1), 422); /* not seen, so not there */
    assert_int_equal(change(an, "PATCH", "/api/v1/unit-names/1", "{\"unit\":1}", 1), 200);
    web_tick(web);
    a = ask(&an, "GET", "/api/v1/machines?q=pc-3", NULL);
    const json_t *machine = json_array_get(json_object_get(a.json, "items"), 0);
    assert_int_equal(json_integer_value(json_object_get(machine, "unit")), unit_a);
    assert_true(json_is_null(json_object_get(machine, "unit_waiting")));
    asked_fini(&a);
}

static void lists_and_counts_of_machines_agree(void **state)
{
    static const char *const filters[] = {"", "?kind=server", "?kind=workstation", "?protection=none", "?managed=yes", "?managed=no", "?exposure=internet",
                                          "?unit=1", "?unit=2", "?q=srv", "?q=10.9."};
    static const size_t of_root[] = {6, 2, 1, 2, 6, 0, 1, 4, 2, 2, 3}, of_an[] = {4, 1, 1, 1, 4, 0, 1, 4, 0, 1, 2};
    (void)state;
    next_minute();
    struct asked a = upload(root, "/api/v1/machines/import",
                            "name,ip,unit,kind,protection,exposure\nsrv-1,10.9.0.1,Sở A,server,none,internet\nws-1,10.9.0.2,Sở A,workstation,protected,\n"
                            "srv-2,10.9.0.3,Sở B,server,none,\nx-2,,Sở B,,,\n");
    assert_int_equal(a.status, 200);
    asked_fini(&a);
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        char target[100];
        snprintf(target, sizeof(target), "/api/v1/machines%s", filters[i]);
        if (n_items(&root, target) != of_root[i] || n_items(&an, target) != of_an[i])
            fail_msg("%s: %zu, %zu", target, n_items(&root, target), n_items(&an, target));
    }
    a = ask(&root, "GET", "/api/v1/machines/counts?by=unit", NULL);
    assert_int_equal(number_at(&a, "total"), 6);
    assert_int_equal(json_array_size(json_object_get(a.json, "units")), 2);
    asked_fini(&a);
    a = ask(&binh, "GET", "/api/v1/machines/counts", NULL);
    assert_int_equal(number_at(&a, "total"), 2);
    asked_fini(&a);
    /* a page at a time gives the same machines once each */
    char target[300] = "/api/v1/machines?limit=2";
    size_t n = 0;
    for (int page = 0; page < 9 && *target; page++) {
        a = ask(&root, "GET", target, NULL);
        n += json_array_size(json_object_get(a.json, "items"));
        const char *next = json_string_value(json_object_get(a.json, "next"));
        snprintf(target, sizeof(target), next ? "/api/v1/machines?limit=2&cursor=%s" : "%.0s", next ? next : "");
        asked_fini(&a);
    }
    assert_int_equal(n, 6);
}

static void no_route_shows_or_changes_what_another_units_are(void **state)
{
    static const char *const gets[] = {"units/1", "machines/1", "machines/1/story", "systems/1", "unit-names/1", "units/999", "machines/999"};
    static const struct {
        const char *method, *path, *body;
    } writes[] = {{"PATCH", "units/1", "{\"name\":\"x\"}"}, {"POST", "units/1/aliases", "{\"name\":\"x\"}"},
                  {"POST", "units/1/successors", "{\"unit\":2,\"at\":\"2026-01-01T00:00:00Z\"}"}, {"PATCH", "prefixes/1", "{\"note\":\"x\"}"},
                  {"DELETE", "prefixes/1", NULL}, {"PATCH", "systems/1", "{\"note\":\"x\"}"}, {"DELETE", "systems/1", NULL},
                  {"PATCH", "contacts/1", "{\"note\":\"x\"}"}, {"DELETE", "contacts/1", NULL}, {"POST", "contacts/1/verified", "{}"},
                  {"PATCH", "machines/1", "{\"note\":\"x\"}"}, {"DELETE", "machines/1", NULL},
                  {"POST", "machines/1/merge", "{\"machine\":2,\"reason\":\"x\"}"}, {"POST", "machines/1/split", "{\"keys\":[1],\"reason\":\"x\"}"},
                  {"PATCH", "unit-names/1", "{\"unit\":2}"}, {"PATCH", "machines/links/1", "{\"verdict\":\"same\"}"}};
    (void)state;
    next_minute();
    for (size_t i = 0; i < COUNT_OF(gets); i++) {
        char path[80];
        snprintf(path, sizeof(path), "/api/v1/%s", gets[i]);
        assert_int_equal(status_of(&binh, "GET", path, NULL), 404);
    }
    for (size_t i = 0; i < COUNT_OF(writes); i++) {
        char path[80];
        next_minute();
        snprintf(path, sizeof(path), "/api/v1/%s", writes[i].path);
        int there = change(binh, writes[i].method, path, writes[i].body, 1);
        if (there != 404)
            fail_msg("%s %s: %d", writes[i].method, path, there);
    }
}

static void an_export_of_units_comes_in_again_unchanged(void **state)
{
    (void)state;
    next_minute();
    struct asked a = ask(&root, "GET", "/api/v1/units/export?format=csv", NULL);
    assert_int_equal(a.status, 200);
    char *csv = strndup((const char *)a.reply.body.p, a.reply.body.n);
    asked_fini(&a);
    next_minute();
    a = upload(root, "/api/v1/units/import", csv);
    if (a.status != 200 || number_at(&a, "new") || number_at(&a, "changed") || number_at(&a, "refused"))
        fail_msg("%s\n%.*s", csv, (int)a.reply.body.n, (const char *)a.reply.body.p);
    asked_fini(&a);
    free(csv);
    /* and as a spreadsheet, read in the lab */
    next_minute();
    a = ask(&root, "GET", "/api/v1/units/export?format=xlsx", NULL);
    assert_int_equal(a.status, 200);
    assert_memory_equal(a.reply.body.p, "PK", 2);
    struct table_report *report = table_report_new();
    struct fault f = {0};
    const struct unit_import o = {.words = unit_desk_words(units), .by = {TEXT("test"), TEXT(""), web_help_now}, .source = TEXT("u.xlsx")};
    struct db *db = db_write(web->pool);
    if (unit_import(db, a.reply.body.p, a.reply.body.n, &o, report, &f))
        fail_msg("%s", f.text);
    assert_int_equal(db_end(db, false, NULL), 0);
    assert_int_equal(report->n_same, 4);
    assert_int_equal(report->n_rows, 4);
    table_report_free(report);
    asked_fini(&a);
}

static void every_route_is_described_and_every_bad_body_is_a_problem(void **state)
{
    static const char *const bodies[] = {"{}", "[]", "{\"unit\":\"x\"}", "{\"name\":\"\\u0007\"}", "{\"name\":7,\"unit\":-1,\"parent\":1.5}", "{\"keys\":{}}",
                                         "{\"unit\":9223372036854775807,\"prefix\":\"x\",\"value\":\"\",\"level\":9}"};
    const json_t *paths = json_object_get(web->openapi, "paths");
    (void)state;
    for (size_t i = 0; i < web->n_routes; i++) {
        const struct web_route *r = web->routes[i].route;
        if (web->routes[i].desk == NULL || (strcmp(web->routes[i].desk->name, "unit") && strcmp(web->routes[i].desk->name, "asset")))
            continue;
        char lower[10] = "", path[120] = "";
        for (size_t k = 0; web_method_names[r->method][k]; k++)
            lower[k] = (char)(web_method_names[r->method][k] | 0x20);
        const json_t *o = json_object_get(json_object_get(paths, r->pattern), lower);
        if (!o || strcmp(json_string_value(json_object_get(o, "operationId")), r->operation) != 0)
            fail_msg("%s %s (%s) is not described", lower, r->pattern, r->operation);
        for (const char *p = r->pattern; *p; p++) /* {…} is 99999 */
            if (*p == '{') {
                strcat(path, "99999");
                p = strchr(p, '}');
            } else {
                strncat(path, p, 1);
            }
        for (size_t k = 0; k < COUNT_OF(bodies) && r->method != WEB_GET; k++) {
            next_minute();
            int status = change(root, web_method_names[r->method], path, bodies[k], 1);
            if (status >= 500 || (status < 400 && !strstr(r->pattern, "publish")))
                fail_msg("%s %s %s: %d", lower, path, bodies[k], status);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_is_made_changed_at_its_version_and_told_whole),
        cmocka_unit_test(what_belongs_to_a_unit_stays_with_it),
        cmocka_unit_test(a_systems_level_is_its_last_decision),
        cmocka_unit_test(contacts_have_channels_and_the_day_they_were_tried),
        cmocka_unit_test(an_import_tells_every_row_it_refused_and_keeps_nothing_when_dry),
        cmocka_unit_test(lists_and_counts_of_machines_agree),
        cmocka_unit_test(no_route_shows_or_changes_what_another_units_are),
        cmocka_unit_test(an_export_of_units_comes_in_again_unchanged),
        cmocka_unit_test(every_route_is_described_and_every_bad_body_is_a_problem),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
