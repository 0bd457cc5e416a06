/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything the node counts, as one JSON object: the first screen of an operator.
 * The account must balance: received = kept + dropped{reason}; a test adds it up.
 */
#include "node/watch_state.h"

#include "base/clock.h"
#include "watch/indicator/list.h"

#include <jansson.h>
#include <stdlib.h>

static void put_time(json_t *o, const char *key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    if (!us)
        return;
    clock_format_utc(us, text);
    json_object_set_new(o, key, json_string(text));
}

static void put(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *exporter_status(const struct exporter *x)
{
    char ip[IP_TEXT_MAX];
    json_t *o = json_object(), *refused = json_object();
    ip_format(&x->observer.ip, ip);
    json_object_set_new(o, "address", json_string(ip));
    put(o, "domain", x->observer.domain);
    put(o, "port", x->port);
    put(o, "version", x->version);
    put_time(o, "first", x->first_us);
    put_time(o, "last", x->last_us);
    json_object_set_new(o, "clock_offset_us", json_integer((json_int_t)x->clock_offset_us));
#define X(name, help) put(o, #name, x->n.name);
    EXPORTER_COUNTERS(X)
#undef X
    for (int i = 0; i < NETFLOW_N_REASONS; i++)
        if (x->refused[i])
            put(refused, netflow_reason_names[i], x->refused[i]);
    json_object_set_new(o, "refused", refused);
    return o;
}

static json_t *receiver_status(struct watch_receiver *r, json_t *exporters, uint64_t totals[4])
{
    char ip[IP_TEXT_MAX];
    struct exporter *all;
    uint32_t n;
    json_t *o = json_object();
    ip_format(&r->listener->ip, ip);
    json_object_set_new(o, "protocol", json_string(r->listener->protocol == CONFIG_SFLOW ? "sflow" : "netflow"));
    json_object_set_new(o, "address", json_string(ip));
    put(o, "port", r->listener->port);
    json_object_set_new(o, "is_running", json_boolean(atomic_load(&r->is_running)));
    json_object_set_new(o, "allows_everyone", json_boolean(!r->listener->n_allow));
    put(o, "kernel_drops", atomic_load(&r->udp.kernel_drops));
    put(o, "batches", atomic_load(&r->udp.batches));
    put(o, "batch_errors", atomic_load(&r->udp.batch_errors));
    if (exporters_copy(&r->udp.exporters, &all, &n))
        return o;
    uint64_t datagrams = 0, refused = 0, flows = 0;
    for (uint32_t i = 0; i < n; i++) {
        datagrams += all[i].n.datagrams;
        refused += all[i].n.datagrams_refused;
        flows += all[i].n.flows;
        json_array_append_new(exporters, exporter_status(&all[i]));
    }
    free(all);
    pthread_mutex_lock(&r->udp.exporters.lock);
    uint64_t not_allowed = r->udp.exporters.not_allowed, overflow = r->udp.exporters.overflow;
    uint64_t n_gone = r->udp.exporters.n_gone;
    struct exporter_counters gone = r->udp.exporters.gone;
    pthread_mutex_unlock(&r->udp.exporters.lock);
    datagrams += gone.datagrams;
    refused += gone.datagrams_refused;
    flows += gone.flows;
    put(o, "datagrams", datagrams + not_allowed + overflow);
    put(o, "not_allowed", not_allowed);
    put(o, "exporters_over_limit", overflow);
    put(o, "exporters_let_go", n_gone);
    put(o, "flows", flows);
    totals[0] += datagrams + not_allowed + overflow;
    totals[1] += refused;
    totals[2] += not_allowed;
    totals[3] += flows;
    return o;
}

static json_t *capture_status(struct watch_receiver *r)
{
    struct ring_counters ring;
    struct meter_counters meter;
    json_t *o = json_object(), *refused = json_object();
    capture_count(&r->ring, &ring, &meter);
    json_object_set_new(o, "name", json_string(r->capture->interface));
    json_object_set_new(o, "is_running", json_boolean(atomic_load(&r->is_running)));
#define X(name, help) put(o, #name, ring.name);
    RING_COUNTERS(X)
#undef X
#define X(name, help) put(o, #name, meter.name);
    METER_COUNTERS(X)
#undef X
    for (unsigned i = 0; i < PACKET_N_REASONS; i++)
        if (meter.n_refused[i])
            put(refused, packet_reason_name((enum packet_reason)i), meter.n_refused[i]);
    json_object_set_new(o, "refused", refused);
    return o;
}

static json_t *intake_status(struct watch *w)
{
    json_t *o = json_object(), *receivers = json_array(), *exporters = json_array(), *captures = json_array();
    uint64_t totals[4] = {0}, drops = 0;
    for (size_t i = 0; i < w->n_receivers; i++) {
        if (w->receivers[i].capture) {
            json_array_append_new(captures, capture_status(&w->receivers[i]));
            continue;
        }
        json_array_append_new(receivers, receiver_status(&w->receivers[i], exporters, totals));
        drops += atomic_load(&w->receivers[i].udp.kernel_drops);
    }
    put(o, "datagrams_received", totals[0]);
    put(o, "datagrams_refused", totals[1]);
    put(o, "datagrams_not_allowed", totals[2]);
    put(o, "datagrams_decoded", totals[0] - totals[1] - totals[2]);
    put(o, "kernel_drops", drops);
    put(o, "flows_kept", totals[3]);
    json_object_set_new(o, "receivers", receivers);
    json_object_set_new(o, "exporters", exporters);
    json_object_set_new(o, "captures", captures);
    uint64_t events = 0;
    json_object_set_new(o, "logs", watch_logs_status(w, &events));
    json_object_set_new(o, "files", watch_files_status(w));
    put(o, "log_events_kept", events);
    return o;
}

static json_t *match_status(struct watch *w)
{
    uint64_t rows = 0, listed = 0, hits = 0, lost = 0;
    json_t *o = json_object(), *lists = json_array();
    for (size_t i = 0; i < w->n_receivers; i++) {
        rows += atomic_load(&w->receivers[i].live.rows);
        listed += atomic_load(&w->receivers[i].live.rows_listed);
        hits += atomic_load(&w->receivers[i].live.hits);
        lost += atomic_load(&w->receivers[i].live.hits_lost);
    }
    put(o, "rows", rows);
    put(o, "rows_listed", listed);
    put(o, "hits", hits);
    put(o, "hits_lost", lost);
    json_object_set_new(o, "logs", watch_logs_match_status(w));
    pthread_mutex_lock(&w->set_lock);
    put(o, "generation", w->current ? w->current->generation : 0);
    for (size_t i = 0; w->current && i < w->current->n_lists; i++) {
        const struct list_about *a = list_about(w->current->lists[i].list);
        json_t *l = json_object();
        json_object_set_new(l, "name", json_stringn(a->name.p, a->name.n));
        put(l, "version", a->version);
        put(l, "entries", a->n_entries);
        put_time(l, "valid_until", a->valid_until_us == INT64_MAX ? 0 : a->valid_until_us);
        json_array_append_new(lists, l);
    }
    json_object_set_new(o, "has_space", json_boolean(w->current && w->current->space));
    pthread_mutex_unlock(&w->set_lock);
    json_object_set_new(o, "lists", lists);
    return o;
}

static json_t *store_status(struct watch *w)
{
    struct store_counters c;
    bool is_in_trouble = false;
    json_t *o = json_object();
    for (size_t i = 0; i < w->n_receivers; i++)
        is_in_trouble |= atomic_load(&w->receivers[i].is_in_trouble);
    json_object_set_new(o, "takes_nothing", json_boolean(is_in_trouble));
    store_get_counters(w->store, &c);
#define X(name, help) put(o, #name, c.name);
    STORE_COUNTERS(X)
#undef X
    pthread_mutex_lock(&w->work_lock);
    put(o, "compactions", w->compactions_done);
    put_time(o, "last_compaction", w->last_compaction_us);
    pthread_mutex_unlock(&w->work_lock);
    return o;
}

static json_t *finding_status(struct watch *w)
{
    struct finder_state s;
    json_t *o = json_object();
    finder_get_state(w->finder, &s);
    put(o, "written", s.written);
    put(o, "write_errors", s.write_errors);
    put(o, "open", s.sightings);
    put(o, "overflow", s.overflow);
    put(o, "journal_next", s.journal.next_sequence);
    put(o, "journal_bytes", s.journal.n_bytes);
    put(o, "journal_trimmed_unread", s.journal.trimmed_unread);
    put(o, "journal_bytes_cut", s.journal.bytes_cut);
    put(o, "journal_damaged_files", s.journal.n_damaged);
    put(o, "readers", s.journal.n_cursors);
    pthread_mutex_lock(&w->work_lock);
    put(o, "hunts", w->hunts_done);
    put(o, "hunt_failures", w->hunt_failures);
    put(o, "hunt_rows", w->hunt_rows);
    json_object_set_new(o, "is_hunting", json_boolean(w->is_hunting || w->job.is_wanted));
    put_time(o, "last_hunt", w->last_hunt_us);
    if (w->hunt_failures)
        json_object_set_new(o, "last_hunt_failure", json_string(w->last_hunt_fault.text));
    pthread_mutex_unlock(&w->work_lock);
    return o;
}

json_t *watch_status(struct watch *w)
{
    json_t *o = json_object();
    json_object_set_new(o, "version", json_string(VONGGAC_VERSION));
    put_time(o, "started", w->started_us);
    put_time(o, "now", clock_now_us());
    json_object_set_new(o, "landlock", json_string(landlock_state_name(w->landlock)));
    json_object_set_new(o, "intake", intake_status(w));
    json_object_set_new(o, "match", match_status(w));
    json_object_set_new(o, "rules", watch_rules_status(w));
    json_object_set_new(o, "behaviour", watch_behaviour_status(w));
    json_object_set_new(o, "store", store_status(w));
    json_object_set_new(o, "findings", finding_status(w));
    return o;
}
