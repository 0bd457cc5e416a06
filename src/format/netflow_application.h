/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/netflow_application - the names an exporter gives its application ids (options records with 95 and 96).
 *
 * In:     id and name as exported; then ids of flow records.
 * Out:    the name, for network.protocol.
 * Limits: NETFLOW_APPLICATIONS_MAX names per domain, each cut to NETFLOW_APPLICATION_NAME bytes; sorted, no allocation
 *         for a name that is known.
 * Source: RFC 6759 (engine and selector in one id of 1 to 20 bytes).
 */
#pragma once

#include "base/text.h"

#define NETFLOW_APPLICATIONS_MAX 4096u
#define NETFLOW_APPLICATION_NAME 31u

struct netflow_application {
    uint64_t key; /* hash of the id's bytes */
    uint8_t n;
    char name[NETFLOW_APPLICATION_NAME];
};

struct netflow_applications {
    struct netflow_application *entries; /* sorted by key */
    uint32_t n, capacity;
};

/* netflow_application_learn - Return: 0; 1 (no id, no name); NETFLOW_APPLICATIONS_FULL; -ENOMEM. */
#define NETFLOW_APPLICATIONS_FULL 2
int netflow_application_learn(struct netflow_applications *a, struct text id, struct text name, bool may_grow);
/* netflow_application_growth - bytes that the next growth takes. */
size_t netflow_application_growth(const struct netflow_applications *a);
/* netflow_application_name - borrowed until the next learn; empty when unknown. */
struct text netflow_application_name(const struct netflow_applications *a, struct text id);
void netflow_applications_fini(struct netflow_applications *a);
