/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/log_leases.h"

#include "base/clock.h"
#include "watch/lease/pair.h"
#include "watch/lease/store.h"
#include "watch/store/chain.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORDS_MAX = 64, MERGED_DEPTH = 16 };

void lease_fields_find(const struct event_names *names, struct lease_fields *ret)
{
    *ret = (struct lease_fields){
        .kind = event_names_find(names, TEXT("vonggac.lease.kind")),
        .event = event_names_find(names, TEXT("vonggac.lease.event")),
        .port_start = event_names_find(names, TEXT("vonggac.nat.port_start")),
        .port_end = event_names_find(names, TEXT("vonggac.nat.port_end")),
        .vrf = event_names_find(names, TEXT("vonggac.nat.vrf")),
        .seconds = event_names_find(names, TEXT("vonggac.lease.seconds")),
        .subscriber = event_names_find(names, TEXT("vonggac.subscriber.id")),
        .client_name = event_names_find(names, TEXT("dhcp.client_name")),
        .protocol = event_names_find(names, TEXT("network.iana_number"))};
}

/* --- one event --------------------------------------------------------------------------------------------- */

struct reader {
    const struct events *e;
    uint32_t row;
    char room[4][EVENT_VALUE_TEXT_MAX];
    unsigned n_room;
};

/* nth - the @n-th value of @field; NULL: it has fewer. */
static const struct event_value *nth(const struct reader *r, uint16_t field, unsigned n)
{
    for (uint32_t i = event_from(r->e, r->row); field != EVENT_NO_FIELD && i < r->e->value_end[r->row]; i++)
        if (r->e->values[i].field == field && !n--)
            return &r->e->values[i];
    return NULL;
}

/* text_at - as text; borrowed from the batch, or from @r for numbers and addresses. */
static struct text text_at(struct reader *r, uint16_t field, unsigned n)
{
    const struct event_value *v = nth(r, field, n);
    return v ? event_value_text(r->e, v, r->room[r->n_room++ % 4]) : (struct text){"", 0};
}

static bool ip_at(struct reader *r, uint16_t field, unsigned n, struct ip *ret)
{
    const struct event_value *v = nth(r, field, n);
    if (!v)
        return false;
    if (v->type == EVENT_IP) {
        *ret = event_ip(r->e, v);
        return true;
    }
    struct text t = text_at(r, field, n);
    return !ip_parse(t.p, t.n, ret);
}

static bool number_at(struct reader *r, uint16_t field, unsigned n, uint64_t max, uint64_t *ret)
{
    const struct event_value *v = nth(r, field, n);
    if (!v)
        return false;
    if (v->type == EVENT_LONG) {
        *ret = (uint64_t)v->number;
        return v->number >= 0 && *ret <= max;
    }
    return !text_u64(text_at(r, field, n), max, ret);
}

static struct text first_text(struct reader *r, const uint16_t *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct event_value *v = nth(r, fields[i], 0);
        if (v && v->type == EVENT_KEYWORD && v->n)
            return event_text(r->e, v);
    }
    return (struct text){"", 0};
}

static struct text gateway_of(struct reader *r, char out[EVENT_VALUE_TEXT_MAX])
{
    static const uint16_t fields[] = {EV_HOST_NAME, EV_OBSERVER_NAME};
    struct text t = first_text(r, fields, 2);
    const struct event_value *v = t.n ? NULL : nth(r, EV_OBSERVER_IP, 0);
    if (!t.n && !v)
        v = nth(r, EV_LOG_SOURCE_ADDRESS, 0);
    return v ? event_value_text(r->e, v, out) : t;
}

static uint8_t protocol_of(struct reader *r, const struct lease_fields *f, unsigned n)
{
    uint64_t number;
    uint8_t protocol = 0;
    if (number_at(r, f->protocol, n, UINT8_MAX, &number))
        return (uint8_t)number;
    struct text t = text_at(r, EV_NETWORK_TRANSPORT, n);
    return t.n && !lease_protocol_of(t, &protocol) ? protocol : 0;
}

static bool is_nat(enum lease_kind kind)
{
    return kind == LEASE_NAT_SESSION || kind == LEASE_PORT_BLOCK;
}

/* nat_record - the @n-th record of a translation. Return: whether it can be. */
static bool nat_record(struct reader *r, const struct lease_fields *f, unsigned n, enum lease_kind kind, struct lease *l)
{
    uint64_t first, last, inside_port;
    if (!ip_at(r, EV_SOURCE_NAT_IP, n, &l->outside) || !ip_at(r, EV_SOURCE_IP, n, &l->inside))
        return false;
    if (kind == LEASE_NAT_SESSION) {
        if (!number_at(r, EV_SOURCE_NAT_PORT, n, UINT16_MAX, &first))
            return true; /* one address for one: all of its ports */
        l->port_first = l->port_last = (uint16_t)first;
        if (number_at(r, EV_SOURCE_PORT, n, UINT16_MAX, &inside_port))
            l->inside_port = (uint16_t)inside_port;
        return true;
    }
    if (!number_at(r, f->port_start, n, UINT16_MAX, &first) || !number_at(r, f->port_end, n, UINT16_MAX, &last))
        return false;
    l->port_first = (uint16_t)first;
    l->port_last = (uint16_t)last;
    return first <= last;
}

/* record - the @n-th of an event. Return: whether it can be. */
static bool record(struct reader *r, const struct lease_fields *f, unsigned n, enum lease_kind kind, enum lease_word word,
                   struct lease_row *out)
{
    static const uint16_t hosts[] = {EV_CLIENT_DOMAIN};
    int64_t at_us = r->e->time_us[r->row];
    uint64_t seconds = 0;
    struct lease *l = &out->l;
    *l = (struct lease){.from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .prefix = 128, .kind = (uint8_t)kind,
                        .protocol = is_nat(kind) ? protocol_of(r, f, n) : 0};
    if (is_nat(kind) ? !nat_record(r, f, n, kind, l) : !ip_at(r, EV_CLIENT_IP, n, &l->outside))
        return false;
    (void)number_at(r, f->seconds, 0, UINT32_MAX, &seconds);
    int64_t span_us = (int64_t)seconds * US_PER_SECOND;
    if (word == LEASE_WORD_END) {
        l->to_us = at_us;
        if (kind == LEASE_RADIUS && span_us && span_us <= at_us)
            l->from_us = at_us - span_us;
    } else {
        l->from_us = kind == LEASE_RADIUS && span_us && span_us <= at_us ? at_us - span_us : at_us;
    }
    if (!is_nat(kind)) {
        const uint16_t names[] = {f->client_name, hosts[0]};
        (void)lease_mac_of(text_at(r, EV_CLIENT_MAC, 0), &l->mac);
        out->host = first_text(r, names, 2);
    }
    return true;
}

int lease_of_event(const struct events *e, uint32_t row, const struct lease_fields *f, uint64_t *ret_refused,
                   int (*each)(void *context, const struct lease_row *r, enum lease_word word), void *context)
{
    struct reader r = {.e = e, .row = row};
    const uint16_t subscribers[] = {f->subscriber, EV_USER_NAME}, realms[] = {f->vrf};
    char gateway[EVENT_VALUE_TEXT_MAX];
    enum lease_kind kind;
    struct text name = text_at(&r, f->kind, 0);
    if (!name.n)
        return 0;
    if (lease_kind_parse(name.p, name.n, &kind)) {
        ++*ret_refused;
        return 0;
    }
    struct lease_row base = {.gateway = gateway_of(&r, gateway), .realm = first_text(&r, realms, 1), .source = TEXT("log"),
                             .subscriber = first_text(&r, subscribers, 2)};
    uint16_t counted = is_nat(kind) ? EV_SOURCE_NAT_IP : EV_CLIENT_IP;
    for (unsigned n = 0; n < RECORDS_MAX && (n == 0 || nth(&r, counted, n)); n++) {
        struct lease_row out = base;
        struct text event = text_at(&r, f->event, nth(&r, f->event, n) ? n : 0);
        enum lease_word word = event.n ? lease_word_of(event) : LEASE_WORD_BEGIN;
        if (word == LEASE_WORD_BAD || !record(&r, f, n, kind, word, &out) || !lease_is_sane(&out.l)) {
            ++*ret_refused;
            continue;
        }
        int rc = each(context, &out, word);
        if (rc)
            return rc;
    }
    return 0;
}

/* --- segments ------------------------------------------------------------------------------------------------ */

struct gathering {
    struct lease_store *store;
    struct lease_import *import;
    struct pairs *pairs;
    struct lease_gathered *account;
    struct fault *fault;
    int store_fd;
};

static int store_row(void *context, const struct lease_row *r)
{
    struct gathering *g = context;
    int rc = lease_import_row(g->import, r, g->fault);
    g->account->n_rows += !rc;
    return rc;
}

static int take_row(void *context, const struct lease_row *r, enum lease_word word)
{
    struct gathering *g = context;
    bool is_whole = r->l.from_us != LEASE_UNKNOWN && r->l.to_us != LEASE_UNKNOWN;
    int rc = is_whole ? store_row(g, r) : word == LEASE_WORD_END ? pairs_end(g->pairs, r) : pairs_begin(g->pairs, r);
    g->account->n_joined += rc == PAIRS_JOINED;
    return rc == PAIRS_JOINED ? 0 : rc;
}

static size_t key_of(uint64_t id, uint8_t out[16])
{
    memcpy(out, "log-seg", 7);
    memcpy(out + 7, &id, sizeof(id));
    return 7 + sizeof(id);
}

static bool is_taken(const struct gathering *g, uint64_t id, int depth)
{
    uint8_t key[16];
    uint64_t value, parts[CHAIN_PARTS_MAX];
    size_t n = 0;
    if (!lease_store_get_note(g->store, key, key_of(id, key), &value))
        return true;
    if (depth == MERGED_DEPTH || chain_parts(g->store_fd, id, parts, &n) || !n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_taken(g, parts[i], depth + 1))
            return false;
    return true;
}

static int read_segment(struct gathering *g, const struct log_segment *s)
{
    struct event_names *names = event_names_new();
    struct events *e = names ? events_new(names) : NULL;
    struct log_scratch *scratch = log_scratch_new();
    struct lease_fields fields;
    int rc = e && scratch ? 0 : -ENOMEM;
    for (uint32_t b = 0; !rc && b < log_segment_info(s)->n_blocks; b++) {
        rc = log_segment_read(s, b, scratch, e);
        if (rc == -EBADMSG) { /* the block is said to be damaged by whoever verifies; the others count */
            rc = 0;
            continue;
        }
        if (!rc)
            lease_fields_find(names, &fields);
        for (uint32_t row = 0; !rc && row < e->n; row++) {
            g->account->n_events += event_get(e, row, fields.kind) != NULL;
            rc = lease_of_event(e, row, &fields, &g->account->n_refused, take_row, g);
        }
    }
    uint64_t n_open;
    if (!rc)
        rc = pairs_flush(g->pairs, &n_open);
    log_scratch_free(scratch);
    events_free(e);
    event_names_free(names);
    return rc;
}

static int take_segment(struct gathering *g, const struct log_segment *s)
{
    uint64_t id = log_segment_info(s)->id;
    struct sha256 content = sha256_of(&id, sizeof(id));
    struct lease_import_result result;
    uint8_t key[16];
    char name[48];
    snprintf(name, sizeof(name), "store/segments/%llu.seg", (unsigned long long)id);
    int rc = lease_import_begin(g->store, &content, name, true, &g->import, g->fault);
    if (rc)
        return rc;
    g->pairs = pairs_new(READ_OPEN_MAX, store_row, g);
    rc = !g->pairs ? -ENOMEM : log_segment_has_field(s, TEXT("vonggac.lease.kind")) ? read_segment(g, s) : 0;
    if (!rc)
        rc = lease_import_note(g->import, key, key_of(id, key), 1);
    pairs_free(g->pairs);
    if (rc) {
        lease_import_abort(g->import);
        return FAULT(g->fault, rc, store_write_failed, name, strerrordesc_np(-rc));
    }
    g->account->n_segments++;
    return lease_import_commit(g->import, &result, g->fault);
}

static bool has_work(const struct gathering *g, const struct store_view *v)
{
    for (size_t i = 0; i < store_view_n_logs(v); i++) {
        const struct log_segment_info *info = log_segment_info(store_view_log(v, i));
        if (!info->is_unsealed && !is_taken(g, info->id, 0))
            return true;
    }
    return false;
}

static int gather(struct gathering *g, const struct store_view *v)
{
    int rc = 0;
    for (size_t i = store_view_n_logs(v); !rc && i-- > 0;) { /* oldest first */
        const struct log_segment *s = store_view_log(v, i);
        if (!log_segment_info(s)->is_unsealed && !is_taken(g, log_segment_info(s)->id, 0))
            rc = take_segment(g, s);
    }
    struct lease_compaction c;
    return rc ? rc : lease_store_compact(g->store, &c, g->fault);
}

int lease_gather(const char *data_dir, struct lease_gathered *ret, struct fault *f)
{
    struct gathering g = {.account = ret, .fault = f, .store_fd = -1};
    struct store_view *v = NULL;
    char path[4096];
    *ret = (struct lease_gathered){.n_segments = 0};
    int rc = store_view_open(data_dir, &v, f);
    if (rc || !store_view_n_logs(v)) {
        if (v)
            store_view_close(v);
        return rc == STORE_EMPTY ? 0 : rc;
    }
    snprintf(path, sizeof(path), "%s/store", data_dir);
    g.store_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = g.store_fd < 0 ? FAULT(f, -errno, store_read_failed, path, strerrordesc_np(errno)) : lease_store_open(data_dir, NULL, &g.store, f);
    if (!rc && has_work(&g, v))
        rc = gather(&g, v);
    lease_store_close(g.store);
    if (g.store_fd >= 0)
        close(g.store_fd);
    store_view_close(v);
    return rc;
}
