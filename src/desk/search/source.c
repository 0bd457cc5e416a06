/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/search/source.h"

#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int64_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    const char *p = json_string_value(json_object_get(o, key));
    return p ? p : "";
}

static int64_t time_of(const json_t *o, const char *key)
{
    const char *p = text(o, key);
    int64_t us;
    return *p && !clock_parse(p, strlen(p), 0, &us) ? us : 0;
}

static json_t *copy(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return v ? json_incref(v) : json_null();
}

/* sum_of - all numbers of an object of reasons */
static int64_t sum_of(const json_t *reasons)
{
    const char *key;
    json_t *v;
    int64_t n = 0;
    json_object_foreach ((json_t *)(uintptr_t)reasons, key, v)
        n += json_integer_value(v);
    return n;
}

/* --- sources ----------------------------------------------------------------------------------------------------- */

static void add(json_t *all, json_t *o)
{
    if (json_array_size(all) < SOURCE_MAX)
        json_array_append_new(all, o);
    else
        json_decref(o);
}

static json_t *exporter(const json_t *x, int64_t now_us)
{
    int64_t last = time_of(x, "last"), lost = number(x, "lost");
    const char *state = now_us - last > SOURCE_SILENT_US ? "silent"
                        : lost                           ? "loss"
                        : number(x, "datagrams_refused") ? "refused"
                                                         : "ok";
    char name[96];
    snprintf(name, sizeof(name), "%s/%lld", text(x, "address"), (long long)number(x, "domain"));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:s, s:{s:I, s:I, s:I}, s:I}", "kind", "flows", "address",
                     text(x, "address"), "name", name, "state", state, "last_at", copy(x, "last"), "received",
                     (json_int_t)number(x, "datagrams"), "kept", (json_int_t)number(x, "flows"), "kept_unit", "flow", "dropped",
                     "lost", (json_int_t)lost, "refused", (json_int_t)number(x, "datagrams_refused"), "records_refused",
                     (json_int_t)number(x, "records_refused"), "clock_offset_us", (json_int_t)number(x, "clock_offset_us"));
}

static json_t *sender(const json_t *s)
{
    int64_t dropped = number(s, "dropped") + number(s, "over_quota") + number(s, "spool_full");
    const char *state = json_is_true(json_object_get(s, "silent")) ? "silent"
                        : dropped                                  ? "loss"
                        : number(s, "refused")                     ? "refused"
                                                                   : "ok";
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:s, s:{s:I, s:I, s:I, s:I}}", "kind", "logs", "address",
                     text(s, "address"), "name", *text(s, "name") ? text(s, "name") : text(s, "address"), "state", state,
                     "last_at", copy(s, "last"), "received", (json_int_t)number(s, "messages"), "kept",
                     (json_int_t)(number(s, "messages") - dropped - number(s, "refused") - number(s, "empty")), "kept_unit",
                     "message", "dropped", "store", (json_int_t)number(s, "dropped"), "quota",
                     (json_int_t)number(s, "over_quota"), "spool", (json_int_t)number(s, "spool_full"), "refused",
                     (json_int_t)number(s, "refused"));
}

static json_t *capture(const json_t *c)
{
    bool is_running = json_is_true(json_object_get(c, "is_running"));
    int64_t dropped = number(c, "n_dropped");
    return json_pack("{s:s, s:s, s:s, s:s, s:n, s:I, s:I, s:s, s:{s:I, s:I}}", "kind", "capture", "address", "", "name",
                     text(c, "name"), "state",
                     !is_running ? "silent"
                     : dropped   ? "loss"
                                 : "ok",
                     "last_at", "received", (json_int_t)number(c, "n_delivered"), "kept", (json_int_t)number(c, "n_flows"),
                     "kept_unit", "flow", "dropped", "kernel", (json_int_t)dropped, "refused",
                     (json_int_t)sum_of(json_object_get(c, "refused")));
}

static json_t *file(const json_t *x)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:n, s:I, s:I, s:s, s:{}}", "kind", "file", "address", "", "name", text(x, "path"),
                     "state", "ok", "last_at", "received", (json_int_t)number(x, "bytes"), "kept",
                     (json_int_t)number(x, "offset"), "kept_unit", "byte", "dropped");
}

json_t *source_list(const json_t *status, int64_t now_us)
{
    json_t *all = json_array(), *x, *s, *intake = json_object_get(status, "intake");
    size_t i, k;
    if (!all)
        return NULL;
    json_array_foreach (json_object_get(intake, "exporters"), i, x)
        add(all, exporter(x, now_us));
    json_array_foreach (json_object_get(intake, "logs"), i, x)
        json_array_foreach (json_object_get(x, "senders"), k, s)
            add(all, sender(s));
    json_array_foreach (json_object_get(intake, "captures"), i, x)
        add(all, capture(x));
    json_array_foreach (json_object_get(json_object_get(intake, "files"), "open"), i, x)
        add(all, file(x));
    return all;
}

/* --- what is not seen -------------------------------------------------------------------------------------------- */

static void spot(json_t *all, const char *kind, const char *what, json_t *since, int64_t n)
{
    add(all, json_pack("{s:s, s:s, s:o, s:I}", "kind", kind, "what", what, "since", since, "n", (json_int_t)n));
}

static void of_sources(json_t *all, const json_t *sources)
{
    json_t *x;
    size_t i;
    json_array_foreach (sources, i, x) {
        const char *state = text(x, "state");
        if (!strcmp(state, "silent"))
            spot(all, "silent_source", text(x, "name"), copy(x, "last_at"), 1);
        else if (!strcmp(state, "loss"))
            spot(all, "loss", text(x, "name"), json_null(), sum_of(json_object_get(x, "dropped")));
    }
}

static void of_intake(json_t *all, const json_t *intake)
{
    json_t *x;
    size_t i;
    if (number(intake, "kernel_drops"))
        spot(all, "kernel_drops", "flows", json_null(), number(intake, "kernel_drops"));
    json_array_foreach (json_object_get(intake, "receivers"), i, x)
        if (!json_is_true(json_object_get(x, "is_running")))
            spot(all, "receiver_down", text(x, "address"), json_null(), 1);
    json_array_foreach (json_object_get(intake, "logs"), i, x) {
        if (json_is_true(json_object_get(x, "waits_for_store")))
            spot(all, "waits_for_store", text(x, "address"), json_null(), 1);
        if (number(x, "kernel_drops"))
            spot(all, "kernel_drops", text(x, "address"), json_null(), number(x, "kernel_drops"));
    }
    if (!json_array_size(json_object_get(intake, "exporters")) && !number(intake, "log_events_kept") &&
        !json_array_size(json_object_get(intake, "captures")))
        spot(all, "nothing_arrives", "", json_null(), 1);
}

static void of_the_rest(json_t *all, const json_t *status)
{
    const json_t *store = json_object_get(status, "store"), *match = json_object_get(status, "match");
    const json_t *findings = json_object_get(status, "findings"), *behaviour = json_object_get(status, "behaviour");
    const json_t *rules = json_object_get(status, "rules");
    if (json_is_true(json_object_get(store, "takes_nothing")))
        spot(all, "store_takes_nothing", "", json_null(), 1);
    if (!json_is_true(json_object_get(match, "has_space")))
        spot(all, "no_own_space", "", json_null(), 1);
    if (!json_array_size(json_object_get(match, "lists")))
        spot(all, "no_lists", "", json_null(), 1);
    if (number(match, "hits_lost") || number(findings, "write_errors") || number(findings, "journal_trimmed_unread"))
        spot(all, "findings_lost", "", json_null(),
             number(match, "hits_lost") + number(findings, "write_errors") + number(findings, "journal_trimmed_unread"));
    if (json_is_true(json_object_get(behaviour, "enabled")) && !json_is_true(json_object_get(behaviour, "is_read_back")))
        spot(all, "behaviour_reading_back", "", json_null(), 1);
    if (!number(rules, "loaded"))
        spot(all, "no_rules", "", json_null(), 1);
    if (number(rules, "waiting"))
        spot(all, "rules_without_source", "", json_null(), number(rules, "waiting"));
}

json_t *source_blind_spots(const json_t *status, int64_t now_us)
{
    json_t *all = json_array();
    if (!all)
        return NULL;
    if (!status) {
        spot(all, "watch_down", "", json_null(), 1);
        return all;
    }
    json_t *sources = source_list(status, now_us);
    of_intake(all, json_object_get(status, "intake"));
    of_sources(all, sources);
    of_the_rest(all, status);
    json_decref(sources);
    return all;
}
