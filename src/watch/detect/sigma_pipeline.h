/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma_pipeline - which events a log source of Sigma means, and under which names they hold its fields.
 *
 * The files content/sigma/pipelines/ *.yaml:
 *
 *     product: windows                  # of sources that name none (optional)
 *     fields:                           # of every source of the file
 *       EventID: [winlog.event_id]      # tried in order: the first that is present counts
 *       '*': ['winlog.event_data.*']    # any other name; '**' stands for any path between
 *     sources:
 *       - category: process_creation    # with product, service: the log source of rules
 *         when:                         # a Sigma search over the names of events; a list of maps is an "or"
 *           - winlog.channel: Microsoft-Windows-Sysmon/Operational
 *             winlog.event_id: 1
 *         guess: yes                    # optional: may be of this source; such an event still counts as unknown
 *         fields:
 *           Image: [winlog.event_data.Image, process.executable]
 *     placeholders:                     # of the modifier expand
 *       Servers: ['srv*']
 *
 * A rule takes the sources whose category and service are its own and whose product is its own; if there are none,
 * those that name no product. After all mapped names the rule's own name is tried.
 */
#pragma once

#include "base/arena.h"
#include "base/fault.h"
#include "format/sigma.h"

struct sigma_mapping {
    struct text from;
    const struct text *to;
    uint32_t n;
};

struct sigma_mappings {
    const struct sigma_mapping *all;
    uint32_t n;
};

struct sigma_source {
    struct sigma_logsource logsource;
    struct sigma_node *when;
    struct sigma_mappings own, file;
    bool is_guess;
    uint32_t n_file; /* which file it came from, from 0 */
};

struct sigma_pipelines {
    struct sigma_source *sources;
    uint32_t n_sources, capacity;
    struct sigma_placeholder *placeholders;
    uint32_t n_placeholders, placeholders_capacity;
    uint32_t n_files;
};

#define SIGMA_SOURCES_MAX 4096u

/* sigma_pipelines_load - every file of @directory (NULL: content/sigma/pipelines), in order of names. Return: 0, or <0 with @f. */
int sigma_pipelines_load(const char *directory, struct arena *arena, struct sigma_pipelines *ret, struct fault *f);
/* sigma_pipelines_find - sources of @logsource; @out has room for @n. Return: how many. */
uint32_t sigma_pipelines_find(const struct sigma_pipelines *p, const struct sigma_logsource *logsource, uint32_t *out, uint32_t n);
