/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and events for tests of watch/detect/sigma: events from JSON objects, matches gathered in order. */
#pragma once

#include "cmocka_house.h"
#include "help_dir.h"
#include "watch/detect/sigma.h"

#include <jansson.h>
#include <stdio.h>

struct sigma_help_hits {
    struct {
        uint32_t row, rule;
    } all[65536];
    uint32_t n;
};

__attribute__((unused)) static int help_hit(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    struct sigma_help_hits *h = context;
    assert_true(row < e->n);
    assert_true(h->n < COUNT_OF(h->all));
    h->all[h->n].row = row;
    h->all[h->n++].rule = rule;
    return 0;
}

__attribute__((unused)) static struct text help_text(const char *p)
{
    return (struct text){p, strlen(p)};
}

/* help_put - a JSON value under @name; objects are joined by dots, arrays are lists. */
__attribute__((unused)) static void help_put(struct events *e, const char *name, json_t *value)
{
    char below[512];
    const char *key;
    json_t *child;
    size_t i;
    uint16_t field = json_is_object(value) || json_is_array(value) ? 0 : event_names_add(e->names, help_text(name));
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_foreach(value, key, child)
        {
            snprintf(below, sizeof below, "%s%s%s", name, *name ? "." : "", key);
            help_put(e, below, child);
        }
        break;
    case JSON_ARRAY:
        json_array_foreach(value, i, child) help_put(e, name, child);
        break;
    case JSON_STRING: event_put_text(e, field, (struct text){json_string_value(value), json_string_length(value)}); break;
    case JSON_INTEGER: event_put_long(e, field, json_integer_value(value)); break;
    case JSON_REAL: event_put_real(e, field, json_real_value(value)); break;
    case JSON_TRUE: event_put_bool(e, field, true); break;
    case JSON_FALSE: event_put_bool(e, field, false); break;
    case JSON_NULL: event_put_null(e, field); break;
    }
}

/* help_event - one event; a key "event.original" is its original. */
__attribute__((unused)) static void help_event(struct events *e, json_t *object)
{
    json_t *original = json_object_get(object, "event.original");
    struct text text = original ? (struct text){json_string_value(original), json_string_length(original)} : TEXT("");
    assert_int_equal(event_begin(e, text, 1700000000000000), 0);
    if (original)
        json_object_del(object, "event.original");
    help_put(e, "", object);
    assert_int_equal(event_end(e), 0);
}

__attribute__((unused)) static void help_event_text(struct events *e, const char *json)
{
    json_error_t error;
    json_t *object = json_loads(json, JSON_ALLOW_NUL, &error);
    if (!object)
        fail_msg("%s: %s", json, error.text);
    help_event(e, object);
    json_decref(object);
}

static const char *const help_system[][2] = {
    {"Channel", "winlog.channel"}, {"EventID", "winlog.event_id"}, {"Computer", "winlog.computer_name"},
    {"EventRecordID", "winlog.record_id"}, {"Level", "winlog.level"}, {"Task", "winlog.task"}};

/* help_windows - an event as evtx_dump and Sigma's regression data write it: {"Event": {"System": ..., "EventData": ...}} */
__attribute__((unused)) static void help_windows(struct events *e, json_t *record)
{
    json_t *event = json_object_get(record, "Event"), *system = json_object_get(event, "System");
    assert_non_null(system);
    assert_int_equal(event_begin(e, TEXT(""), 1700000000000000), 0);
    for (size_t i = 0; i < COUNT_OF(help_system); i++) {
        json_t *value = json_object_get(system, help_system[i][0]);
        char digits[32];
        if (json_is_object(value)) /* with attributes: <EventID Qualifiers="..."> */
            value = json_object_get(value, "#text");
        if (json_is_integer(value)) {
            snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            event_put_name(e, help_text(help_system[i][1]), help_text(digits));
        } else if (value) {
            help_put(e, help_system[i][1], value);
        }
    }
    json_t *provider = json_object_get(json_object_get(json_object_get(system, "Provider"), "#attributes"), "Name");
    if (provider)
        help_put(e, "winlog.provider_name", provider);
    json_t *data = json_object_get(event, "EventData"), *user = json_object_get(event, "UserData");
    if (data && !json_is_null(data))
        help_put(e, "winlog.event_data", data);
    if (user && !json_is_null(user))
        help_put(e, "winlog.user_data", user);
    assert_int_equal(event_end(e), 0);
}

/* help_unpack - an archive of the shared data; false and a word why if it is not there. */
__attribute__((unused)) static bool help_unpack(const char *archive, struct help_dir *ret)
{
    const char *shared = getenv("VONGGAC_SHARED");
    char path[1024], command[2048];
    snprintf(path, sizeof(path), "%s/data/%s", shared ? shared : "../shared", archive);
    if (access(path, R_OK)) {
        print_message("skipped: no %s under VONGGAC_SHARED/data\n", archive);
        return false;
    }
    *ret = help_dir_new();
    snprintf(command, sizeof(command), "tar -xJf '%s' -C '%s'", path, ret->path);
    assert_int_equal(system(command), 0);
    return true;
}

__attribute__((unused)) static struct sigma_rules *help_load(struct event_names *names, const char *directory)
{
    char pipelines[512];
    const char *source = getenv("VONGGAC_SOURCE");
    snprintf(pipelines, sizeof pipelines, "%s/content/sigma/pipelines", source ? source : ".");
    struct sigma_load load = {.paths = &directory, .n_paths = 1, .pipelines = pipelines, .names = names};
    struct sigma_rules *rules;
    struct fault f;
    if (sigma_rules_load(&load, &rules, &f))
        fail_msg("%s", f.text);
    return rules;
}

__attribute__((unused)) static struct sigma_rules *help_rules(struct event_names *names, const char *text)
{
    char pipelines[512];
    const char *source = getenv("VONGGAC_SOURCE");
    snprintf(pipelines, sizeof pipelines, "%s/content/sigma/pipelines", source ? source : ".");
    struct sigma_load load = {.pipelines = pipelines, .names = names};
    struct sigma_rules *rules;
    struct fault f;
    if (sigma_rules_parse(&load, "test", help_text(text), &rules, &f))
        fail_msg("%s", f.text);
    return rules;
}
