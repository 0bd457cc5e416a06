/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the office. */
#include "node/config_own.h"

#include "base/clock.h"

#include <stddef.h>
#include <string.h>

enum { WORKERS_MAX = 12, CONNECTIONS_MAX = 4096, STREAMS_MAX = 1024, REQUESTS_MAX = 1000000 };

static int read_endpoint(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_office *o = to;
    return config_place(l, v, &o->ip, &o->port);
}

static int read_sessions(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"idle", config_span, offsetof(struct config_office, session_idle_us)},
        {"absolute", config_span, offsetof(struct config_office, session_absolute_us)},
    };
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}

static int check(struct config_loader *l, int line, const struct config_office *o)
{
    if (!o->port)
        return config_bad(l, line, "", "listen: address:port");
    if (!o->certificate != !o->key)
        return config_bad(l, line, "certificate", "certificate and key, both or neither");
    if (o->workers > WORKERS_MAX)
        return config_bad(l, line, "workers", "workers: 1..12");
    if (o->connections > CONNECTIONS_MAX || o->connections_of_one > CONNECTIONS_MAX || o->streams > STREAMS_MAX)
        return config_bad(l, line, "connections", "connections: 1..4096, streams: 1..1024");
    if (o->requests_per_second > REQUESTS_MAX)
        return config_bad(l, line, "requests_per_second", "requests_per_second: 1..1000000");
    if (o->session_idle_us < 60 * US_PER_SECOND || o->session_absolute_us < o->session_idle_us || o->session_absolute_us > 31 * US_PER_DAY)
        return config_bad(l, line, "sessions", "sessions: idle of 60s or more, absolute not below it, at most 31d");
    return 0;
}

int config_office(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"listen", read_endpoint, 0},
        {"certificate", config_path, offsetof(struct config_office, certificate)},
        {"key", config_path, offsetof(struct config_office, key)},
        {"client_ca", config_path, offsetof(struct config_office, client_ca)},
        {"console", config_path, offsetof(struct config_office, console)},
        {"name", config_text, offsetof(struct config_office, node_name)},
        {"public_url", config_text, offsetof(struct config_office, public_url)},
        {"workers", config_count, offsetof(struct config_office, workers)},
        {"connections", config_count, offsetof(struct config_office, connections)},
        {"connections_of_one", config_count, offsetof(struct config_office, connections_of_one)},
        {"streams", config_count, offsetof(struct config_office, streams)},
        {"requests_per_second", config_count, offsetof(struct config_office, requests_per_second)},
        {"sessions", read_sessions, 0},
        {"alerts", config_path, offsetof(struct config_office, alert_policy)},
        {"duty", config_duty, offsetof(struct config_office, duty)},
    };
    struct config_office *o = to;
    *o = (struct config_office){.is_wanted = true, .ip = ip_from_v4(0x7f000001), .port = 8443, .workers = 4, .connections = 512,
                                .connections_of_one = 64, .streams = 256, .requests_per_second = 200,
                                .session_idle_us = 1800 * US_PER_SECOND, .session_absolute_us = 12 * 3600 * US_PER_SECOND, .line = v->line};
    int r = config_mapping(l, v, CONFIG_KEYS(keys), o);
    return r ? r : check(l, v->line, o);
}
