/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_complete - decoded rows to finished flows and NAT events.
 *
 * What one field alone cannot say: which of two address families is meant, ICMP from whichever field has it, missing
 * times, the receive time, sampling multiplied once, texts packed.
 * Limits: no allocation but the texts buffer, which grows to a run's texts and stays.
 */
#pragma once

#include "format/netflow_application.h"
#include "format/netflow_sampling.h"

/* netflow_complete - @n rows of template @t become flows. @texts holds their texts until the next call. Return: 0 or -ENOMEM. */
int netflow_complete(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t, const struct netflow_clock *k,
                     const struct netflow_sampling *s, const struct netflow_applications *a, struct buf *texts);

/* what every flow has, whatever its template */
#define NETFLOW_ALWAYS (FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_RECEIVED) | FLOW_HAS(FLOW_CLOCK_OFFSET))

/*
 * netflow_default_times - of a record of which one time or both are missing (not above zero).
 * Return: true when it has neither and *@ret_source says where the times come from now.
 */
bool netflow_default_times(int64_t *start_us, int64_t *end_us, uint64_t duration_us, const struct netflow_clock *k,
                           uint8_t *ret_source);
/* netflow_icmp - type * 256 + code as the record has it, 0 if it has none; the field of the flow's own family first. */
uint16_t netflow_icmp(uint8_t protocol, const struct netflow_extra *e);

static inline bool netflow_has_icmp(const struct netflow_template *t)
{
    return netflow_template_has(t, NETFLOW_ROLE_ICMP4) || netflow_template_has(t, NETFLOW_ROLE_ICMP6) ||
           netflow_template_has(t, NETFLOW_ROLE_ICMP4_TYPE) || netflow_template_has(t, NETFLOW_ROLE_ICMP6_TYPE);
}

/* netflow_is_nat - whether rows of @t are also NAT events. */
bool netflow_is_nat(const struct netflow_template *t);
/* netflow_nat_event - a completed row as a NAT event (observer not set). Return: true if it is one. */
bool netflow_nat_event(const struct flow *f, const struct netflow_extra *e, const struct netflow_template *t,
                       struct nat_event *ret);
