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

/* netflow_is_nat - whether rows of @t are also NAT events. */
bool netflow_is_nat(const struct netflow_template *t);
/* netflow_nat_event - a completed row as a NAT event (observer not set). Return: true if it is one. */
bool netflow_nat_event(const struct flow *f, const struct netflow_extra *e, const struct netflow_template *t,
                       struct nat_event *ret);
