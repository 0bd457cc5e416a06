/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hits and rows as values of a fixed set of columns.
 */
#include "watch/hunt/output.h"

#include <stdio.h>
#include <string.h>

enum { TEXTS_BYTES = 4096 };

#define COLUMN(name, kind) {{name, sizeof(name) - 1}, kind}

static const struct query_column hit_columns[] = {
    COLUMN("own", QUERY_IP),          COLUMN("unit", QUERY_TEXT),       COLUMN("remote", QUERY_IP),
    COLUMN("list", QUERY_TEXT),       COLUMN("family", QUERY_TEXT),     COLUMN("direction", QUERY_TEXT),
    COLUMN("first_seen", QUERY_TIME), COLUMN("last_seen", QUERY_TIME),  COLUMN("flows", QUERY_NUMBER),
    COLUMN("packets", QUERY_NUMBER),  COLUMN("bytes", QUERY_NUMBER),    COLUMN("ports", QUERY_TEXT),
    COLUMN("listed", QUERY_TEXT),
};

static const struct query_column row_columns[] = {
    COLUMN("start", QUERY_TIME),           COLUMN("end", QUERY_TIME),
    COLUMN("source_ip", QUERY_IP),         COLUMN("source_port", QUERY_NUMBER),
    COLUMN("destination_ip", QUERY_IP),    COLUMN("destination_port", QUERY_NUMBER),
    COLUMN("transport", QUERY_TEXT),       COLUMN("packets", QUERY_NUMBER),
    COLUMN("bytes", QUERY_NUMBER),         COLUMN("listed", QUERY_TEXT),
};

enum {
    N_HIT_COLUMNS = sizeof(hit_columns) / sizeof(*hit_columns),
    N_ROW_COLUMNS = sizeof(row_columns) / sizeof(*row_columns)
};

int hunt_output_hits(struct hunt_output *o)
{
    return o->sink.begin(o->sink.context, hit_columns, N_HIT_COLUMNS);
}

int hunt_output_rows(struct hunt_output *o)
{
    return o->sink.begin(o->sink.context, row_columns, N_ROW_COLUMNS);
}

/* --- values ------------------------------------------------------------------------ */

static struct query_value text_of(struct text t)
{
    struct query_value v = {.kind = t.n ? QUERY_TEXT : QUERY_ABSENT};
    if (t.n)
        v.text = t;
    return v;
}

static struct query_value name_of(const char *name)
{
    return text_of((struct text){name, strlen(name)});
}

static struct query_value ip_of(const struct ip *a, bool is)
{
    struct query_value v = {.kind = is ? QUERY_IP : QUERY_ABSENT};
    if (is)
        v.ip = *a;
    return v;
}

static struct query_value time_of(int64_t us, bool is)
{
    struct query_value v = {.kind = is ? QUERY_TIME : QUERY_ABSENT};
    if (is)
        v.time_us = us;
    return v;
}

static struct query_value number_of(uint64_t n, bool is)
{
    struct query_value v = {.kind = is ? QUERY_NUMBER : QUERY_ABSENT};
    if (is)
        v.number = n;
    return v;
}

static void put_remotes(struct buf *texts, const struct hunt_hit *h)
{
    char all[HUNT_REMOTES * IP_TEXT_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < h->n_remotes; i++) {
        if (i)
            all[n++] = ';';
        n += ip_format(&h->remotes[i].ip, all + n);
    }
    if (n)
        flow_text_add(texts, "remotes", (struct text){all, n});
}

/* word_of - a fixed word of csv and json, for people in their language. */
static struct query_value word_of(const struct hunt_output *o, const char *prefix, const char *name)
{
    return name_of(o->is_table ? message_find(prefix, name) : name);
}

int hunt_output_hit(void *context, const struct hunt_hit *h)
{
    struct hunt_output *o = context;
    char ports[HUNT_PORTS * 6 + 1];
    size_t n_ports = 0;
    for (unsigned i = 0; i < h->n_ports; i++)
        n_ports += (size_t)snprintf(ports + n_ports, sizeof(ports) - n_ports, i ? ";%u" : "%u", h->ports[i]);
    bool has_time = h->first_seen_us <= h->last_seen_us;
    struct query_value values[N_HIT_COLUMNS] = {
        ip_of(&h->own, !h->lacks_own),
        text_of(h->unit),
        h->name_kind != NAME_NONE ? text_of(h->name) : ip_of(&h->remote, h->has_remote),
        text_of(h->list),
        text_of(h->family),
        word_of(o, "hunt_direction_", hit_direction_name(h->direction)),
        time_of(h->first_seen_us, has_time),
        time_of(h->last_seen_us, has_time),
        number_of(h->flows, true),
        number_of(h->packets, true),
        number_of(h->bytes, true),
        text_of((struct text){ports, n_ports}),
        word_of(o, "hunt_listed_", hit_listed_name(h->listed)),
    };
    struct buf texts = {.max = TEXTS_BYTES};
    if (h->name_kind != NAME_NONE)
        flow_text_add(&texts, "indicator", (struct text){name_kind_text(h->name_kind), strlen(name_kind_text(h->name_kind))});
    put_remotes(&texts, h);
    int r = o->sink.row(o->sink.context, values, N_HIT_COLUMNS, (struct text){(const char *)texts.p, texts.n});
    buf_fini(&texts);
    return r;
}

int hunt_output_row(void *context, const struct hunt_row *r)
{
    struct hunt_output *o = context;
    char number[4];
    const char *transport = r->has_protocol ? flow_transport_name(r->protocol) : "";
    if (!transport) {
        snprintf(number, sizeof(number), "%u", r->protocol);
        transport = number;
    }
    bool is_both = r->is_source_listed && r->is_destination_listed;
    struct query_value values[N_ROW_COLUMNS] = {
        time_of(r->start_us, r->has_start),
        time_of(r->end_us, r->has_end),
        ip_of(&r->source, r->has_source),
        number_of(r->source_port, r->has_source_port),
        ip_of(&r->destination, r->has_destination),
        number_of(r->destination_port, r->has_destination_port),
        name_of(transport),
        number_of(r->packets, r->has_packets),
        number_of(r->bytes, r->has_bytes),
        name_of(is_both ? "both" : r->is_source_listed ? "source" : r->is_destination_listed ? "destination" : "name"),
    };
    return o->sink.row(o->sink.context, values, N_ROW_COLUMNS, (struct text){"", 0});
}

/* --- for people ------------------------------------------------------------------------- */

static void put_line(struct buf *out, const char *text)
{
    buf_add_text(out, text);
    buf_add_byte(out, '\n');
}

void hunt_coverage_text(const struct hunt_coverage *c, int zone_s, struct buf *out)
{
    char line[512], from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    if (c->from_us > c->to_us) {
        put_line(out, message_text(MSG_hunt_covered_nothing));
    } else {
        clock_format_local(c->from_us, zone_s, from);
        clock_format_local(c->to_us, zone_s, to);
        SAY_TO(line, sizeof(line), hunt_covered, from, to, message_count(c->n_segments), message_count(c->n_rows),
               message_count(c->n_rows_listed));
        put_line(out, line);
    }
    if (c->n_rows_foreign) {
        SAY_TO(line, sizeof(line), hunt_foreign, message_count(c->n_rows_foreign));
        put_line(out, line);
    }
    for (uint32_t i = 0; i < c->n_gaps; i++) {
        clock_format_local(c->gaps[i].from_us, zone_s, from);
        clock_format_local(c->gaps[i].to_us, zone_s, to);
        SAY_TO(line, sizeof(line), hunt_gap, from, to);
        put_line(out, line);
    }
    if (c->n_gaps_unnamed) {
        SAY_TO(line, sizeof(line), hunt_more_gaps, c->n_gaps_unnamed);
        put_line(out, line);
    }
    for (uint32_t i = 0; i < c->n_damaged; i++) {
        SAY_TO(line, sizeof(line), hunt_damaged, c->damaged[i]);
        put_line(out, line);
    }
    if (c->n_damaged_unnamed) {
        SAY_TO(line, sizeof(line), hunt_more_damaged, c->n_damaged_unnamed);
        put_line(out, line);
    }
}

void hunt_list_text(const struct list *l, int64_t now_us, int zone_s, struct buf *out)
{
    const struct list_about *a = list_about(l);
    char line[512], until[TIME_TEXT_MAX], name[128];
    if (a->valid_until_us == INT64_MAX || a->valid_until_us >= now_us)
        return;
    clock_format_local(a->valid_until_us, zone_s, until);
    SAY_TO(line, sizeof(line), hunt_list_expired, text_escape(a->name.p, a->name.n, name, sizeof(name)), until);
    put_line(out, line);
}
