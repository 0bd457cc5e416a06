/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/behaviour_tell.h"

#include <stdio.h>
#include <string.h>

void tell_peer(struct tell_peers *p, const struct ip *a)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (ip_equal(&p->ip[i], a))
            return;
    if (p->n < BEHAVIOUR_PEERS)
        p->ip[p->n++] = *a;
}

void tell_begin(struct behaviour_alarm *a, const struct behaviour_base *base, enum behaviour_kind kind, int64_t first_us, int64_t last_us,
                uint64_t n_events)
{
    memset(a, 0, sizeof(*a));
    a->kind = kind;
    a->first_us = first_us;
    a->last_us = last_us;
    a->window_us = behaviour_window(base, first_us);
    a->window_length_us = base->window_us;
    a->n_events = n_events;
    a->confidence_pct = 50;
    a->severity = 1;
}

void tell_peers(struct behaviour_alarm *a, const struct tell_peers *p)
{
    a->n_peers = p->n;
    memcpy(a->peers, p->ip, sizeof(a->peers));
}

void tell_series(struct behaviour_alarm *a, const struct series *s, const char *unit)
{
    _Static_assert(SERIES_SLOTS <= BEHAVIOUR_SERIES, "one picture");
    a->n_series = s->n;
    for (uint32_t i = 0; i < s->n; i++)
        a->series[i] = (double)s->v[i];
    a->series_from_us = s->from_us;
    a->series_step_us = s->step_us;
    a->series_unit = unit;
}

void tell_query(struct behaviour_alarm *a, char room[TELL_QUERY_BYTES], const struct ip *from, const struct ip *to, uint16_t port,
                uint8_t protocol)
{
    char ip[IP_TEXT_MAX];
    size_t n = 0;
    room[0] = 0;
    if (from) {
        ip_format(from, ip);
        n += (size_t)snprintf(room + n, TELL_QUERY_BYTES - n, "source.ip : %s", ip);
    }
    if (to) {
        ip_format(to, ip);
        n += (size_t)snprintf(room + n, TELL_QUERY_BYTES - n, "%sdestination.ip : %s", n ? " and " : "", ip);
    }
    if (port)
        n += (size_t)snprintf(room + n, TELL_QUERY_BYTES - n, "%sdestination.port : %u", n ? " and " : "", port);
    if (protocol)
        n += (size_t)snprintf(room + n, TELL_QUERY_BYTES - n, "%snetwork.iana_number : %u", n ? " and " : "", protocol);
    a->query = (struct text){room, n};
}

int tell(const struct behaviour_base *base, struct behaviour_counters *c, const struct behaviour_alarm *a)
{
    c->alarms++;
    return base->emit(base->context, a);
}
