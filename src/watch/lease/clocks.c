/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/clocks.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (3600 * US_PER_SECOND)

int clocks_init(struct clocks *c)
{
    *c = (struct clocks){0};
    c->slots = calloc(CLOCKS_SLOTS, sizeof(*c->slots));
    return c->slots ? texts_init(&c->texts) : -ENOMEM;
}

void clocks_fini(struct clocks *c)
{
    texts_fini(&c->texts);
    free(c->slots);
    *c = (struct clocks){0};
}

/* hour_of - the place of a gateway's hour, a new one if needed. NULL: no room. */
static struct clock_hour *hour_of(struct clocks *c, uint32_t gateway, uint32_t hour)
{
    uint64_t x = ((uint64_t)gateway << 32 | hour) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(x >> 40) & (CLOCKS_SLOTS - 1);
    while (c->slots[at].n && (c->slots[at].gateway != gateway || c->slots[at].hour != hour))
        at = (at + 1) & (CLOCKS_SLOTS - 1);
    if (c->slots[at].n)
        return &c->slots[at];
    if (c->n == CLOCKS_MAX)
        return NULL;
    c->n++;
    c->slots[at] = (struct clock_hour){.gateway = gateway, .hour = hour, .least_us = INT64_MAX};
    return &c->slots[at];
}

/* told_us - the time that the message told, which came with the measure. */
static int64_t told_us(const struct lease *l)
{
    bool is_end = l->to_us != LEASE_UNKNOWN && !(l->flags & LEASE_TO_PLANNED);
    return is_end ? l->to_us : l->from_us;
}

int clocks_take(struct clocks *c, const struct lease_row *r)
{
    uint32_t gateway;
    int64_t at_us = told_us(&r->l);
    if (!r->has_clock || !r->gateway.n || at_us < 0)
        return 0;
    int rc = texts_number(&c->texts, r->gateway, &gateway);
    if (rc)
        return rc == -ENOBUFS ? 0 : rc;
    struct clock_hour *x = hour_of(c, gateway, (uint32_t)(at_us / HOUR_US));
    if (!x)
        return 0;
    x->n++;
    x->least_us = r->clock_us < x->least_us ? r->clock_us : x->least_us;
    return 0;
}

int clocks_give(struct clocks *c, int (*each)(void *context, const struct lease_row *r), void *context)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < CLOCKS_SLOTS; i++) {
        const struct clock_hour *x = &c->slots[i];
        struct lease_row r = {.l = {.from_us = x->hour * HOUR_US, .to_us = (x->hour + INT64_C(1)) * HOUR_US, .port_last = UINT16_MAX,
                                    .prefix = 128, .kind = LEASE_CLOCK},
                              .gateway = texts_get(&c->texts, x->gateway)};
        lease_set_clock(&r.l, x->least_us);
        if (x->n >= CLOCKS_LEAST)
            rc = each(context, &r);
    }
    memset(c->slots, 0, CLOCKS_SLOTS * sizeof(*c->slots));
    c->n = 0;
    return rc;
}
