/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac status: what the node counts and what the store holds, for people, as csv or json, or as
 * Prometheus text (exposition format 0.0.4). Numbers of objects in a list carry labels that name the object.
 */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "node/control.h"
#include "node/status_flat.h"
#include "watch/store/segment.h"
#include "watch/store/store.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int take_status(void *context, const json_t *reply)
{
    json_t **status = context;
    json_t *s = json_object_get(reply, "status");
    if (s && !*status)
        *status = json_incref(s);
    return 0;
}

/* node_status - NULL when no node runs there. */
static json_t *node_status(const char *data_dir)
{
    json_t *status = NULL;
    int node = control_connect(data_dir);
    if (node < 0) {
        if (node == -EACCES)
            SAY(stderr, status_no_access, data_dir);
        return NULL;
    }
    int r = control_ask(node, json_pack("{s:s}", "op", "status"), NULL, 0);
    if (!r)
        r = control_each(node, take_status, &status);
    close(node);
    if (r)
        SAY(stderr, cli_node_lost, strerror(-r));
    return status;
}

static void put_time(json_t *o, const char *key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    clock_format_utc(us, text);
    json_object_set_new(o, key, json_string(text));
}

/* stored_status - read from the files, with or without a node. */
static json_t *stored_status(const char *data_dir, int *ret_status)
{
    struct store_view *v;
    struct fault f = {0};
    json_t *o = json_object();
    int r = store_view_open(data_dir, &v, &f);
    if (r) {
        if (r < 0)
            *ret_status = cli_fail(&f);
        return o;
    }
    uint64_t rows = 0, unsealed = 0;
    int64_t from_us = INT64_MAX, to_us = INT64_MIN;
    size_t n = store_view_n_segments(v);
    for (size_t i = 0; i < n; i++) {
        const struct segment_info *s = segment_info(store_view_segment(v, i));
        rows += s->n_rows;
        unsealed += s->is_unsealed ? s->n_rows : 0;
        from_us = s->event_min_us < from_us ? s->event_min_us : from_us;
        to_us = s->event_max_us > to_us ? s->event_max_us : to_us;
    }
    json_object_set_new(o, "segments", json_integer((json_int_t)n));
    json_object_set_new(o, "rows", json_integer((json_int_t)rows));
    json_object_set_new(o, "rows_unsealed", json_integer((json_int_t)unsealed));
    json_object_set_new(o, "bytes", json_integer((json_int_t)store_view_bytes(v)));
    json_object_set_new(o, "damaged", json_integer((json_int_t)store_view_n_damaged(v)));
    if (rows) {
        put_time(o, "from", from_us);
        put_time(o, "to", to_us);
    }
    store_view_close(v);
    return o;
}

/* --- flat forms ------------------------------------------------------------------------- */

static void put_prometheus(void *context, const char *name, const char *labels, const json_t *v)
{
    (void)context;
    if (!json_is_integer(v) && !json_is_boolean(v))
        return;
    printf("vonggac_%s%s%s%s %lld\n", name, *labels ? "{" : "", labels, *labels ? "}" : "",
           json_is_boolean(v) ? (long long)json_is_true(v) : (long long)json_integer_value(v));
}

static const struct table_column columns[] = {
    {"name", MSG_col_counter, false, false},
    {"labels", MSG_col_labels, false, true},
    {"value", MSG_col_value, false, false},
};

static void put_row(void *context, const char *name, const char *labels, const json_t *v)
{
    struct table *t = context;
    char digits[32];
    table_text(t, (struct text){name, strlen(name)});
    table_text(t, (struct text){labels, strlen(labels)});
    const char *text = json_string_value(v);
    if (json_is_integer(v)) {
        snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(v));
        text = t->format == CLI_TABLE && json_integer_value(v) >= 0 ? message_count((uint64_t)json_integer_value(v)) : digits;
    } else if (json_is_boolean(v)) {
        text = json_is_true(v) ? "true" : "false";
    }
    text = text ? text : "";
    table_text(t, (struct text){text, strlen(text)});
}

static int print_flat(const json_t *all, enum cli_format format)
{
    struct table t;
    struct status_flat f = {put_row, &t};
    table_begin(&t, format, columns, 3);
    status_flatten(&f, all);
    return table_end(&t);
}

/* --- for people ----------------------------------------------------------------------------- */

static long long at(const json_t *o, const char *group, const char *key)
{
    return (long long)json_integer_value(json_object_get(json_object_get(o, group), key));
}

static const char *count_at(const json_t *o, const char *group, const char *key)
{
    long long n = at(o, group, key);
    return message_count(n < 0 ? 0 : (uint64_t)n);
}

static const char *local_time(const json_t *o, const char *key, char out[TIME_TEXT_MAX])
{
    const char *text = json_string_value(json_object_get(o, key));
    int64_t us;
    if (!text || clock_parse(text, strlen(text), 0, &us))
        return "-";
    clock_format_local(us, ZONE_VIETNAM_S, out);
    return out;
}

static void print_people(const json_t *all, bool has_node)
{
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    const json_t *stored = json_object_get(all, "stored");
    const json_t *landlock = json_object_get(all, "landlock");
    SAY(stdout, status_stored, count_at(all, "stored", "rows"), count_at(all, "stored", "segments"),
        message_count((uint64_t)(at(all, "stored", "bytes") >> 20)), local_time(stored, "from", from), local_time(stored, "to", to));
    if (at(all, "stored", "damaged"))
        SAY(stdout, status_damaged, count_at(all, "stored", "damaged"));
    if (!has_node) {
        SAY(stdout, status_no_node);
        return;
    }
    SAY(stdout, status_node, local_time(all, "started", from));
    SAY(stdout, status_datagrams, count_at(all, "intake", "datagrams_received"), count_at(all, "intake", "datagrams_decoded"),
        count_at(all, "intake", "datagrams_refused"), count_at(all, "intake", "datagrams_not_allowed"),
        count_at(all, "intake", "kernel_drops"));
    SAY(stdout, status_flows, count_at(all, "intake", "flows_kept"), count_at(all, "store", "rows_kept"));
    if (at(all, "store", "rows_dropped"))
        SAY(stdout, status_dropped, count_at(all, "store", "rows_dropped"));
    if (json_is_true(json_object_get(json_object_get(all, "store"), "takes_nothing")))
        SAY(stdout, status_takes_nothing);
    SAY(stdout, status_match, count_at(all, "match", "rows"), count_at(all, "match", "rows_listed"),
        count_at(all, "match", "hits"));
    SAY(stdout, status_findings, count_at(all, "findings", "written"), count_at(all, "findings", "hunts"));
    if (at(all, "findings", "journal_trimmed_unread"))
        SAY(stdout, status_trimmed, count_at(all, "findings", "journal_trimmed_unread"));
    if (landlock && strcmp(json_string_value(landlock), "full") != 0)
        SAY(stdout, status_landlock, json_string_value(landlock));
}

static const struct table_column exporter_columns[] = {
    {"address", MSG_col_exporter, false, false}, {"domain", MSG_col_domain, true, false},
    {"version", MSG_col_version, true, false},   {"datagrams", MSG_col_datagrams, true, false},
    {"flows", MSG_col_flows, true, false},       {"refused", MSG_col_refused, true, false},
    {"lost", MSG_col_lost, true, false},         {"waiting", MSG_col_no_template, true, false},
    {"last", MSG_col_last_seen, false, false},
};

static void print_exporters(const json_t *all)
{
    const json_t *exporters = json_object_get(json_object_get(all, "intake"), "exporters");
    struct table t;
    size_t i;
    json_t *x;
    if (!json_array_size(exporters))
        return;
    putchar('\n');
    table_begin(&t, CLI_TABLE, exporter_columns, sizeof(exporter_columns) / sizeof(*exporter_columns));
    json_array_foreach(exporters, i, x)
    {
        static const char *const numbers[] = {"domain", "version", "datagrams", "flows"};
        const char *address = json_string_value(json_object_get(x, "address"));
        char last[TIME_TEXT_MAX];
        table_text(&t, (struct text){address, strlen(address)});
        for (size_t k = 0; k < 4; k++)
            table_number(&t, (uint64_t)json_integer_value(json_object_get(x, numbers[k])));
        table_number(&t, (uint64_t)(json_integer_value(json_object_get(x, "records_refused")) +
                                    json_integer_value(json_object_get(x, "datagrams_refused"))));
        table_number(&t, (uint64_t)json_integer_value(json_object_get(x, "lost")));
        table_number(&t, (uint64_t)(json_integer_value(json_object_get(x, "sets_waiting")) -
                                    json_integer_value(json_object_get(x, "sets_resolved"))));
        const char *shown = local_time(x, "last", last);
        table_text(&t, (struct text){shown, strlen(shown)});
    }
    table_end(&t);
}

int cli_status(const struct cli_args *a)
{
    enum cli_format format = CLI_TABLE;
    int status = EXIT_DONE;
    bool is_prometheus = a->value[CLI_FORMAT] && !strcmp(a->value[CLI_FORMAT], "prometheus");
    if (!is_prometheus && cli_format(a, &format))
        return EXIT_FAILED;
    json_t *node = node_status(a->data_dir);
    bool has_node = node != NULL;
    json_t *all = has_node ? node : json_object();
    json_object_set_new(all, "is_running", json_boolean(has_node));
    json_object_set_new(all, "stored", stored_status(a->data_dir, &status));
    struct status_flat prometheus = {put_prometheus, NULL};
    if (is_prometheus) {
        status_flatten(&prometheus, all);
    } else if (format == CLI_JSON) {
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (format == CLI_CSV) {
        print_flat(all, format);
    } else {
        print_people(all, has_node);
        if (has_node)
            print_exporters(all);
    }
    json_decref(all);
    return status;
}
