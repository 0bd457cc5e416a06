/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/log_leases.h"

#include "base/clock.h"

#include <string.h>

enum { RECORDS_MAX = 64 };

void lease_fields_find(const struct event_names *names, struct lease_fields *ret)
{
    *ret = (struct lease_fields){
        .clock_offset = event_names_find(names, TEXT("observer.clock_offset_us")),
        .calling_station = event_names_find(names, TEXT("radius.calling_station")),
        .nas_port_id = event_names_find(names, TEXT("radius.nas_port_id")),
        .nas_port = event_names_find(names, TEXT("radius.nas_port")),
        .nas = event_names_find(names, TEXT("radius.client")),
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
    char room[8][EVENT_VALUE_TEXT_MAX]; /* of texts made from numbers, the last eight */
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
    return v ? event_value_text(r->e, v, r->room[r->n_room++ % 8]) : (struct text){"", 0};
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

/* release - an end that names the inside address only: what it had is over. Return: whether it is one. */
static bool release(struct reader *r, const struct lease_fields *f, unsigned n, struct lease *l)
{
    uint64_t first, inside_port;
    if (nth(r, EV_SOURCE_NAT_IP, 0) || n || !ip_at(r, EV_SOURCE_IP, 0, &l->outside))
        return false;
    if (l->kind == LEASE_PORT_BLOCK && !number_at(r, f->port_start, 0, UINT16_MAX, &first))
        return false;
    if (l->kind == LEASE_NAT_SESSION && !number_at(r, EV_SOURCE_PORT, 0, UINT16_MAX, &inside_port))
        return false;
    if (l->kind == LEASE_PORT_BLOCK)
        l->port_first = l->port_last = (uint16_t)first;
    else
        l->inside_port = (uint16_t)inside_port;
    l->kind = LEASE_RELEASE;
    return true;
}

/* set_machine - its hardware address and name; of 802.1X the port of the switch in place of a name, and the switch. */
static void set_machine(struct reader *r, const struct lease_fields *f, enum lease_kind kind, struct lease_row *out)
{
    const uint16_t names[] = {f->client_name, EV_CLIENT_DOMAIN};
    if (lease_mac_of(text_at(r, EV_CLIENT_MAC, 0), &out->l.mac))
        (void)lease_mac_of(text_at(r, f->calling_station, 0), &out->l.mac);
    out->host = first_text(r, names, 2);
    if (kind != LEASE_DOT1X)
        return;
    struct text port = text_at(r, f->nas_port_id, 0), nas = text_at(r, f->nas, 0);
    out->host = port.n ? port : text_at(r, f->nas_port, 0);
    out->gateway = nas.n ? nas : out->gateway;
}

/* held_address - of a lease; who logged in at a port without one is known by his machine. Return: whether there is any. */
static bool held_address(struct reader *r, unsigned n, struct lease *l)
{
    if (ip_at(r, EV_CLIENT_IP, n, &l->outside))
        return true;
    if (l->kind != LEASE_DOT1X || !l->mac || n)
        return false;
    l->outside = lease_mac_address(l->mac);
    return true;
}

/* record - the @n-th of an event. Return: whether it can be. */
static bool record(struct reader *r, const struct lease_fields *f, unsigned n, enum lease_kind kind, enum lease_word word,
                   struct lease_row *out)
{
    int64_t at_us = r->e->time_us[r->row];
    uint64_t seconds = 0;
    struct lease *l = &out->l;
    *l = (struct lease){.from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN, .port_last = UINT16_MAX, .prefix = 128, .kind = (uint8_t)kind,
                        .protocol = is_nat(kind) ? protocol_of(r, f, n) : 0};
    if (!is_nat(kind))
        set_machine(r, f, kind, out);
    bool is_release = is_nat(kind) && word == LEASE_WORD_END && release(r, f, n, l);
    if (!is_release && (is_nat(kind) ? !nat_record(r, f, n, kind, l) : !held_address(r, n, l)))
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
    return true;
}

/* clock_of - how much later the event came than it says it happened. */
static void clock_of(struct reader *r, const struct lease_fields *f, struct lease_row *out)
{
    const struct event_value *v = nth(r, f->clock_offset, 0);
    out->has_clock = true;
    out->clock_us = v && v->type == EVENT_LONG ? v->number : r->e->arrived_us[r->row] - r->e->time_us[r->row];
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
    clock_of(&r, f, &base);
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
