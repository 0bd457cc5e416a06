/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/nat_log.h"

#include <errno.h>
#include <stdio.h>

void nat_log_init(struct nat_log *x, struct event_names *names, int (*sink)(void *context, struct events *e), void *context)
{
    *x = (struct nat_log){.names = names, .sink = sink, .context = context, .event_min_us = INT64_MAX, .event_max_us = INT64_MIN};
}

void nat_log_fini(struct nat_log *x)
{
    if (x->events)
        events_free(x->events);
    x->events = NULL;
}

int nat_log_flush(struct nat_log *x)
{
    if (!x->events || !x->events->n)
        return 0;
    int r = x->sink(x->context, x->events);
    events_clear(x->events);
    return r < 0 ? r : 0;
}

static void put_ip(struct events *to, uint16_t field, const struct ip *ip)
{
    if (!ip_is_zero(ip) && !(ip_is_v4(ip) && !ip_v4(ip)))
        event_put_ip(to, field, ip);
}

static void put_lease(struct events *to, const struct nat_event *e, enum nat_meaning meaning)
{
    if (meaning == NAT_OTHER)
        return;
    event_put_text(to, EV_LEASE_KIND, e->is_block ? TEXT("port_block") : TEXT("nat_session"));
    event_put_text(to, EV_LEASE_EVENT, meaning == NAT_BEGINS ? TEXT("start") : TEXT("stop"));
}

static void put_ports(struct events *to, const struct nat_event *e)
{
    if (e->is_block) {
        event_put_long(to, EV_NAT_PORT_START, e->port_first);
        event_put_long(to, EV_NAT_PORT_END, e->port_last);
        return;
    }
    if (e->inside_port)
        event_put_long(to, EV_SOURCE_PORT, e->inside_port);
    if (e->port_first)
        event_put_long(to, EV_SOURCE_NAT_PORT, e->port_first);
}

int nat_log_put(void *context, const struct nat_event *e)
{
    struct nat_log *x = context;
    if (e->is_flow)
        return 0;
    if (!x->events && !(x->events = events_new(x->names)))
        return -ENOMEM;
    struct events *to = x->events;
    int r = event_begin(to, (struct text){"", 0}, e->received_us);
    if (r)
        return r;
    event_time(to, e->time_us);
    event_put_text(to, EV_EVENT_DATASET, TEXT("netflow.nat"));
    put_ip(to, EV_OBSERVER_IP, &e->observer.ip);
    put_lease(to, e, nat_event_meaning(e->event, e->is_block));
    put_ip(to, EV_SOURCE_IP, &e->inside);
    put_ip(to, EV_SOURCE_NAT_IP, &e->outside);
    put_ports(to, e);
    if (e->protocol) {
        char number[4];
        int n = snprintf(number, sizeof(number), "%u", e->protocol);
        event_put_text(to, EV_NETWORK_IANA, (struct text){number, (size_t)n});
    }
    if (e->realm)
        event_put_long(to, EV_NAT_VRF, e->realm);
    if (e->subscriber.n)
        event_put_text(to, EV_SUBSCRIBER_ID, e->subscriber);
    event_put_long(to, EV_NAT_EVENT, e->event);
    if (e->clock_offset_us)
        event_put_long(to, EV_CLOCK_OFFSET, e->clock_offset_us);
    r = event_end(to);
    if (r)
        return r;
    x->n_events++;
    x->event_min_us = e->time_us < x->event_min_us ? e->time_us : x->event_min_us;
    x->event_max_us = e->time_us > x->event_max_us ? e->time_us : x->event_max_us;
    return events_full(to) ? nat_log_flush(x) : 0;
}
