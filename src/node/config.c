/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of keys below is the schema. The YAML events of libyaml are walked
 * once into a small tree (bounded), then every mapping is checked against its
 * table: an unknown key, a doubled key or a value of the wrong form is an error
 * that names its line.
 */
#include "node/config_own.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "watch/intake/log_receive.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 20000, MAX_DEPTH = 8 };

int config_bad(struct config_loader *l, int line, const char *value, const char *expected)
{
    char shown[160];
    return FAULT(l->fault, 1, config_bad_value, l->config->file, line,
                 text_escape(value, strlen(value), shown, sizeof(shown)), expected);
}

/* --- YAML to a tree ------------------------------------------------------------- */

static int parse_node(struct config_loader *l, const yaml_event_t *event, int depth, struct config_node **ret);

static int next_event(struct config_loader *l, yaml_event_t *event)
{
    if (yaml_parser_parse(&l->parser, event))
        return 0;
    if (l->parser.error == YAML_MEMORY_ERROR)
        return FAULT(l->fault, -ENOMEM, no_memory, "config");
    return FAULT(l->fault, 1, config_bad_yaml, l->config->file, (int)l->parser.problem_mark.line + 1,
                 l->parser.problem ? l->parser.problem : "?");
}

static int parse_children(struct config_loader *l, struct config_node *parent, yaml_event_type_t end, int depth)
{
    struct config_node **tail = &parent->first;
    for (;;) {
        yaml_event_t event;
        int r = next_event(l, &event);
        if (r)
            return r;
        bool is_end = event.type == end;
        struct config_node *child = NULL;
        if (!is_end)
            r = parse_node(l, &event, depth + 1, &child);
        yaml_event_delete(&event);
        if (is_end || r)
            return r;
        *tail = child;
        tail = &child->next;
    }
}

static int parse_node(struct config_loader *l, const yaml_event_t *event, int depth, struct config_node **ret)
{
    int line = (int)event->start_mark.line + 1;
    if (event->type != YAML_SCALAR_EVENT && event->type != YAML_SEQUENCE_START_EVENT &&
        event->type != YAML_MAPPING_START_EVENT)
        return config_bad(l, line, "*", "a plain value (aliases are not read)");
    if (depth > MAX_DEPTH || ++l->n_nodes > MAX_NODES)
        return config_bad(l, line, "...", "a smaller file");
    struct config_node *n = arena_alloc(&l->config->arena, sizeof(*n));
    if (!n)
        return FAULT(l->fault, -ENOMEM, no_memory, "config");
    n->line = line;
    *ret = n;
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        n->kind = SEQUENCE;
        return parse_children(l, n, YAML_SEQUENCE_END_EVENT, depth);
    }
    if (event->type == YAML_MAPPING_START_EVENT) {
        n->kind = MAPPING;
        return parse_children(l, n, YAML_MAPPING_END_EVENT, depth);
    }
    n->kind = SCALAR;
    n->n_text = event->data.scalar.length;
    n->text = arena_text(&l->config->arena, (const char *)event->data.scalar.value, n->n_text);
    return n->text ? 0 : FAULT(l->fault, -ENOMEM, no_memory, "config");
}

static int parse_document(struct config_loader *l, struct config_node **ret)
{
    yaml_event_t event;
    *ret = NULL;
    for (;;) {
        int r = next_event(l, &event);
        if (r)
            return r;
        yaml_event_type_t type = event.type;
        bool is_content = type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
                          type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT;
        if (is_content && *ret)
            r = config_bad(l, (int)event.start_mark.line + 1, "---", "one document");
        else if (is_content)
            r = parse_node(l, &event, 0, ret);
        yaml_event_delete(&event);
        if (r || type == YAML_STREAM_END_EVENT)
            return r;
    }
}

/* --- values ---------------------------------------------------------------------- */

int config_text(struct config_loader *l, const struct config_node *v, void *to)
{
    if (v->kind != SCALAR || !v->n_text || strlen(v->text) != v->n_text)
        return config_bad(l, v->line, v->text ? v->text : "", "a text");
    memcpy(to, &v->text, sizeof(v->text));
    return 0;
}

int config_span(struct config_loader *l, const struct config_node *v, void *to)
{
    int64_t us;
    if (v->kind != SCALAR || clock_parse_span(v->text, &us))
        return config_bad(l, v->line, v->text ? v->text : "", "a span: 90s, 15m, 24h, 30d, 2w");
    memcpy(to, &us, sizeof(us));
    return 0;
}

int config_bytes(struct config_loader *l, const struct config_node *v, void *to)
{
    uint64_t n = 0, scale = 1;
    size_t digits = v->kind == SCALAR ? v->n_text : 0;
    if (digits) {
        static const char units[] = "KMGT";
        const char *unit = strchr(units, v->text[digits - 1]);
        if (unit && *unit) {
            scale = UINT64_C(1) << (10 * (unit - units + 1));
            digits--;
        }
    }
    if (!digits || text_u64((struct text){v->text, digits}, UINT64_MAX / scale, &n))
        return config_bad(l, v->line, v->text ? v->text : "", "bytes: 1048576, 512M, 200G, 4T");
    n *= scale;
    memcpy(to, &n, sizeof(n));
    return 0;
}

int config_count(struct config_loader *l, const struct config_node *v, void *to)
{
    uint64_t n;
    if (v->kind != SCALAR || text_u64((struct text){v->text, v->n_text}, UINT64_MAX, &n) || !n)
        return config_bad(l, v->line, v->text ? v->text : "", "a number above 0");
    memcpy(to, &n, sizeof(n));
    return 0;
}

static int read_receivers(struct config_loader *l, const struct config_node *v, void *to)
{
    uint64_t n;
    if (v->kind != SCALAR || text_u64((struct text){v->text, v->n_text}, CONFIG_MAX_RECEIVERS, &n) || !n)
        return config_bad(l, v->line, v->text ? v->text : "", "1..16");
    uint32_t n32 = (uint32_t)n;
    memcpy(to, &n32, sizeof(n32));
    return 0;
}

static int read_level(struct config_loader *l, const struct config_node *v, void *to)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; v->kind == SCALAR && i < 4; i++)
        if (!strcmp(v->text, names[i])) {
            enum log_level level = (enum log_level)i;
            memcpy(to, &level, sizeof(level));
            return 0;
        }
    return config_bad(l, v->line, v->text ? v->text : "", "error, warn, info or debug");
}

static int read_zone(struct config_loader *l, const struct config_node *v, void *to)
{
    int zone_s;
    if (v->kind != SCALAR || clock_parse_zone(v->text, &zone_s))
        return config_bad(l, v->line, v->text ? v->text : "", "a zone: +07:00, UTC, Asia/Ho_Chi_Minh");
    memcpy(to, &zone_s, sizeof(zone_s));
    return 0;
}

struct ranges {
    struct ip_range *p;
    size_t n;
};

static int read_ranges(struct config_loader *l, const struct config_node *v, void *to)
{
    size_t n = 0;
    if (v->kind != SEQUENCE)
        return config_bad(l, v->line, v->text ? v->text : "", "a list of addresses or prefixes: [10.0.0.1, 192.0.2.0/24]");
    for (const struct config_node *c = v->first; c; c = c->next)
        n++;
    if (n > CONFIG_MAX_ALLOW)
        return config_bad(l, v->line, "[...]", "at most 4096 addresses or prefixes");
    struct ranges r = {arena_alloc(&l->config->arena, (n + 1) * sizeof(*r.p)), n};
    if (!r.p)
        return FAULT(l->fault, -ENOMEM, no_memory, "config");
    size_t i = 0;
    for (const struct config_node *c = v->first; c; c = c->next, i++)
        if (c->kind != SCALAR || ip_range_parse(c->text, c->n_text, &r.p[i], NULL))
            return config_bad(l, c->line, c->text ? c->text : "", "an address, a prefix or a range");
    memcpy(to, &r.p, sizeof(r.p));
    memcpy((char *)to + sizeof(r.p), &r.n, sizeof(r.n)); /* the count follows the pointer in every struct here */
    return 0;
}
_Static_assert(offsetof(struct config_listener, n_allow) ==
                   offsetof(struct config_listener, allow) + sizeof(struct ip_range *), "read_ranges");
_Static_assert(offsetof(struct config_listener, n_by_port) ==
                   offsetof(struct config_listener, by_port) + sizeof(struct ip_range *), "read_ranges");

/* config_place - "0.0.0.0:2055", "[::]:2055" into ip and port. */
int config_place(struct config_loader *l, const struct config_node *v, struct ip *ret_ip, uint16_t *ret_port)
{
    const char *colon = v->kind == SCALAR ? strrchr(v->text, ':') : NULL;
    uint64_t port;
    if (!colon || text_u64((struct text){colon + 1, strlen(colon + 1)}, 65535, &port) || !port)
        return config_bad(l, v->line, v->text ? v->text : "", "address:port, e.g. 0.0.0.0:2055 or [::]:2055");
    const char *p = v->text;
    size_t n = (size_t)(colon - p);
    if (n >= 2 && p[0] == '[' && p[n - 1] == ']')
        p++, n -= 2;
    if (ip_parse(p, n, ret_ip))
        return config_bad(l, v->line, v->text, "address:port, e.g. 0.0.0.0:2055 or [::]:2055");
    *ret_port = (uint16_t)port;
    return 0;
}

static int read_endpoint(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_listener *listener = to;
    listener->line = v->line;
    return config_place(l, v, &listener->ip, &listener->port);
}

static int read_log_endpoint(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_log_listener *listener = to;
    listener->line = v->line;
    return config_place(l, v, &listener->ip, &listener->port);
}

/* read_transport - of a listener for logs. */
static int read_transport(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct {
        const char *name;
        bool has_udp, has_tcp, has_tls, has_push;
    } all[] = {{"udp", true, false, false, false}, {"tcp", false, true, false, false}, {"both", true, true, false, false},
               {"tls", false, true, true, false}, {"https", false, true, true, true}};
    struct config_log_listener *listener = to;
    for (size_t i = 0; v->kind == SCALAR && i < sizeof(all) / sizeof(*all); i++)
        if (!strcmp(v->text, all[i].name)) {
            listener->has_udp = all[i].has_udp;
            listener->has_tcp = all[i].has_tcp;
            listener->has_tls = all[i].has_tls;
            listener->has_push = all[i].has_push;
            return 0;
        }
    return config_bad(l, v->line, v->text ? v->text : "", "udp, tcp, both, tls or https");
}

static int read_frame_format(struct config_loader *l, const struct config_node *v, void *to)
{
    static const char *const names[] = {
        [LOG_FRAME_AUTO] = "auto", [LOG_FRAME_SYSLOG] = "syslog", [LOG_FRAME_JSON] = "json", [LOG_FRAME_XML] = "xml"};
    for (int i = 0; v->kind == SCALAR && i < 4; i++)
        if (!strcmp(v->text, names[i])) {
            enum log_frame_format format = (enum log_frame_format)i;
            memcpy(to, &format, sizeof(format));
            return 0;
        }
    return config_bad(l, v->line, v->text ? v->text : "", "auto, syslog, json or xml");
}

_Static_assert(offsetof(struct config_log_listener, n_allow) ==
                   offsetof(struct config_log_listener, allow) + sizeof(struct ip_range *), "read_ranges");

/* --- mappings against their tables -------------------------------------------------- */

int config_mapping(struct config_loader *l, const struct config_node *m, const struct config_key *keys, size_t n_keys, void *base)
{
    uint64_t seen = 0;
    if (m->kind == SCALAR && !m->n_text) /* a key whose lines are all comments */
        return 0;
    if (m->kind != MAPPING)
        return config_bad(l, m->line, m->text ? m->text : "[...]", "keys and values");
    for (const struct config_node *k = m->first; k; k = k->next->next) {
        size_t i = 0;
        while (i < n_keys && (k->kind != SCALAR || strcmp(k->text, keys[i].name) != 0))
            i++;
        if (i == n_keys)
            return FAULT(l->fault, 1, config_unknown_key, l->config->file, k->line, k->text ? k->text : "?");
        if (seen >> i & 1)
            return FAULT(l->fault, 1, config_doubled_key, l->config->file, k->line, k->text);
        seen |= UINT64_C(1) << i;
        int r = keys[i].read(l, k->next, (char *)base + keys[i].offset);
        if (r)
            return r;
    }
    return 0;
}

static int read_listener(struct config_loader *l, const struct config_node *v, enum config_protocol protocol)
{
    static const struct config_key keys[] = {
        {"listen", read_endpoint, 0},
        {"receivers", read_receivers, offsetof(struct config_listener, n_receivers)},
        {"receive_buffer", config_bytes, offsetof(struct config_listener, receive_buffer_bytes)},
        {"allow", read_ranges, offsetof(struct config_listener, allow)},
        {"by_port", read_ranges, offsetof(struct config_listener, by_port)},
    };
    struct config *c = l->config;
    if (c->n_listeners == CONFIG_MAX_LISTENERS)
        return config_bad(l, v->line, "listen", "at most 16 listeners");
    struct config_listener *listener = &c->listeners[c->n_listeners];
    *listener = (struct config_listener){.protocol = protocol, .n_receivers = 2, .receive_buffer_bytes = 64 << 20};
    int r = config_mapping(l, v, CONFIG_KEYS(keys), listener);
    if (r)
        return r;
    if (!listener->port)
        return config_bad(l, v->line, "", "listen: address:port");
    c->n_listeners++;
    return 0;
}

static int read_listeners(struct config_loader *l, const struct config_node *v, enum config_protocol protocol)
{
    if (v->kind == SCALAR && !v->n_text)
        return 0;
    if (v->kind != SEQUENCE)
        return config_bad(l, v->line, v->text ? v->text : "{...}", "a list of listeners: - listen: 0.0.0.0:2055");
    for (const struct config_node *c = v->first; c; c = c->next) {
        int r = read_listener(l, c, protocol);
        if (r)
            return r;
    }
    return 0;
}

static int read_netflow(struct config_loader *l, const struct config_node *v, void *to)
{
    (void)to;
    return read_listeners(l, v, CONFIG_NETFLOW);
}

static int read_sflow(struct config_loader *l, const struct config_node *v, void *to)
{
    (void)to;
    return read_listeners(l, v, CONFIG_SFLOW);
}

/* read_path - absolute: the roles work in the data directory. */
int config_path(struct config_loader *l, const struct config_node *v, void *to)
{
    if (v->kind != SCALAR || v->text[0] != '/')
        return config_bad(l, v->line, v->text ? v->text : "", "an absolute path");
    return config_text(l, v, to);
}

static int read_peers(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_log_listener *x = to;
    size_t n = 0;
    for (const struct config_node *c = v->first; c; c = c->next)
        n++;
    const char **all = v->kind == SEQUENCE && n <= CONFIG_MAX_PEERS ? arena_alloc(&l->config->arena, (n + 1) * sizeof(*all)) : NULL;
    if (!all)
        return config_bad(l, v->line, v->text ? v->text : "[...]", "at most 1024 names of certificates: [web1.example.vn, ...]");
    x->peers = all;
    for (const struct config_node *c = v->first; c; c = c->next, x->n_peers++)
        if (config_text(l, c, &all[x->n_peers]))
            return 1;
    return 0;
}

static int read_tls(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"certificate", config_path, offsetof(struct config_log_listener, certificate)},
        {"key", config_path, offsetof(struct config_log_listener, key)},
        {"client_ca", config_path, offsetof(struct config_log_listener, client_ca)},
        {"peers", read_peers, 0},
        {"handshake", config_span, offsetof(struct config_log_listener, handshake_us)},
    };
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}

static int read_quota(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"messages_per_second", config_count, offsetof(struct config_log_listener, quota_messages_per_s)},
        {"bytes_per_day", config_bytes, offsetof(struct config_log_listener, quota_bytes_per_day)},
    };
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}

/* check_log_listener - what belongs together. */
static int check_log_listener(struct config_loader *l, int line, const struct config_log_listener *x)
{
    size_t n_push = x->has_push;
    for (size_t i = 0; i < l->config->n_logs; i++)
        n_push += l->config->logs[i].has_push;
    if (!x->port)
        return config_bad(l, line, "", "listen: address:port");
    if (x->has_tls && (!x->certificate || !x->key))
        return config_bad(l, line, "tls", "tls: certificate and key of this listener");
    if (!x->has_tls && (x->certificate || x->key || x->client_ca || x->peers))
        return config_bad(l, line, "tls", "transport: tls or https, which alone have a certificate");
    if (x->has_push && !x->tokens)
        return config_bad(l, line, "https", "tokens: a file with a name and a token a line");
    if (!x->has_push && x->tokens)
        return config_bad(l, line, "tokens", "transport: https, which alone has tokens");
    if (n_push > CONFIG_MAX_PUSH)
        return config_bad(l, line, "https", "at most 4 listeners with transport: https");
    if (!x->connections || x->connections > LOG_CONNECTIONS_MAX || !x->connections_of_one)
        return config_bad(l, line, "connections", "connections: 1..1024");
    if (x->body_max_bytes < 1024 || x->body_max_bytes > (UINT64_C(1) << 30))
        return config_bad(l, line, "body_max", "body_max: 1K..1G");
    return 0;
}

static int read_log_listener(struct config_loader *l, const struct config_node *n, struct config_log_listener *x)
{
    static const struct config_key keys[] = {
        {"listen", read_log_endpoint, 0},
        {"transport", read_transport, 0},
        {"format", read_frame_format, offsetof(struct config_log_listener, format)},
        {"tls", read_tls, 0},
        {"tokens", config_path, offsetof(struct config_log_listener, tokens)},
        {"body_max", config_bytes, offsetof(struct config_log_listener, body_max_bytes)},
        {"connections", config_count, offsetof(struct config_log_listener, connections)},
        {"connections_of_one", config_count, offsetof(struct config_log_listener, connections_of_one)},
        {"idle", config_span, offsetof(struct config_log_listener, idle_us)},
        {"quota", read_quota, 0},
        {"spool", config_bytes, offsetof(struct config_log_listener, spool_bytes)},
        {"receive_buffer", config_bytes, offsetof(struct config_log_listener, receive_buffer_bytes)},
        {"allow", read_ranges, offsetof(struct config_log_listener, allow)},
        {"silent_after", config_span, offsetof(struct config_log_listener, silent_after_us)},
    };
    *x = (struct config_log_listener){.has_udp = true, .has_tcp = true, .receive_buffer_bytes = 16 << 20,
                                      .connections = LOG_CONNECTIONS_MAX,
                                      .connections_of_one = LOG_CONNECTIONS_OF_ONE, .handshake_us = 10 * US_PER_SECOND,
                                      .idle_us = US_PER_DAY, .body_max_bytes = 16 << 20, .silent_after_us = 3600 * US_PER_SECOND,
                                      .spool_bytes = (uint64_t)256 << 20};
    int r = config_mapping(l, n, CONFIG_KEYS(keys), x);
    return r ? r : check_log_listener(l, n->line, x);
}

static int read_logs(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config *c = l->config;
    (void)to;
    if (v->kind == SCALAR && !v->n_text)
        return 0;
    if (v->kind != SEQUENCE)
        return config_bad(l, v->line, v->text ? v->text : "{...}", "a list of listeners: - listen: 0.0.0.0:514");
    for (const struct config_node *n = v->first; n; n = n->next) {
        if (c->n_logs == CONFIG_MAX_LOGS)
            return config_bad(l, n->line, "logs", "at most 8 listeners");
        int r = read_log_listener(l, n, &c->logs[c->n_logs]);
        if (r)
            return r;
        c->n_logs++;
    }
    return 0;
}

static int read_files(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {{"path", config_path, 0}};
    struct config *c = l->config;
    (void)to;
    if (v->kind == SCALAR && !v->n_text)
        return 0;
    if (v->kind != SEQUENCE)
        return config_bad(l, v->line, v->text ? v->text : "{...}", "a list of files: - path: /var/log/auth.log");
    for (const struct config_node *n = v->first; n; n = n->next) {
        if (c->n_files == CONFIG_MAX_FILES)
            return config_bad(l, n->line, "files", "at most 64 patterns");
        int r = config_mapping(l, n, CONFIG_KEYS(keys), &c->files[c->n_files]);
        if (r)
            return r;
        if (!c->files[c->n_files])
            return config_bad(l, n->line, "", "path: /var/log/auth.log");
        c->n_files++;
    }
    return 0;
}

static int read_captures(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"interface", config_text, offsetof(struct config_capture, interface)},
        {"ring", config_bytes, offsetof(struct config_capture, ring_bytes)},
        {"active", config_span, offsetof(struct config_capture, active_us)},
        {"idle", config_span, offsetof(struct config_capture, idle_us)},
    };
    struct config *c = l->config;
    (void)to;
    if (v->kind == SCALAR && !v->n_text)
        return 0;
    if (v->kind != SEQUENCE)
        return config_bad(l, v->line, v->text ? v->text : "{...}", "a list: - interface: eth1");
    for (const struct config_node *n = v->first; n; n = n->next) {
        if (c->n_captures == CONFIG_MAX_CAPTURES)
            return config_bad(l, n->line, "capture", "at most 8 interfaces");
        struct config_capture *capture = &c->captures[c->n_captures];
        *capture = (struct config_capture){
            .ring_bytes = 64 << 20, .active_us = 300 * US_PER_SECOND, .idle_us = 30 * US_PER_SECOND, .line = n->line};
        int r = config_mapping(l, n, CONFIG_KEYS(keys), capture);
        if (r)
            return r;
        if (!capture->interface || strlen(capture->interface) > 15)
            return config_bad(l, n->line, capture->interface ? capture->interface : "", "interface: a name of 1..15 letters");
        c->n_captures++;
    }
    return 0;
}

static int read_intake(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"netflow", read_netflow, 0}, {"sflow", read_sflow, 0}, {"logs", read_logs, 0}, {"files", read_files, 0},
        {"capture", read_captures, 0}};
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}

/* --- rules and what is excepted from them ---------------------------------------------- */

static int read_rules(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config *c = l->config;
    (void)to;
    if (v->kind == SCALAR && !v->n_text)
        return 0;
    if (v->kind != SEQUENCE)
        return config_bad(l, v->line, v->text ? v->text : "{...}", "a list of directories: [/etc/vonggac/sigma]");
    for (const struct config_node *n = v->first; n; n = n->next) {
        if (c->n_rules == CONFIG_MAX_RULES)
            return config_bad(l, n->line, "rules", "at most 64 directories");
        int r = config_path(l, n, &c->rules[c->n_rules]);
        if (r)
            return r;
        c->n_rules++;
    }
    return 0;
}

static int read_until(struct config_loader *l, const struct config_node *v, void *to)
{
    int64_t us;
    if (v->kind != SCALAR || clock_parse(v->text, v->n_text, l->config->zone_s, &us))
        return config_bad(l, v->line, v->text ? v->text : "", "a date: 2026-12-31 or 31/12/2026");
    memcpy(to, &us, sizeof(us));
    return 0;
}

_Static_assert(offsetof(struct log_exception, n_addresses) ==
                   offsetof(struct log_exception, addresses) + sizeof(struct ip_range *), "read_ranges");

static int read_exception(struct config_loader *l, const struct config_node *v, struct log_exception *x)
{
    static const struct config_key keys[] = {
        {"rule", config_text, offsetof(struct log_exception, rule)},
        {"host", config_text, offsetof(struct log_exception, host)},
        {"user", config_text, offsetof(struct log_exception, user)},
        {"addresses", read_ranges, offsetof(struct log_exception, addresses)},
        {"reason", config_text, offsetof(struct log_exception, reason)},
        {"author", config_text, offsetof(struct log_exception, author)},
        {"until", read_until, offsetof(struct log_exception, until_us)},
    };
    int r = config_mapping(l, v, CONFIG_KEYS(keys), x);
    if (r)
        return r;
    if (!x->rule)
        return config_bad(l, v->line, "", "rule: id or title of a rule, or \"*\"");
    if (!x->reason || !x->author || !x->until_us)
        return config_bad(l, v->line, x->rule, "reason, author and until of every exception");
    return 0;
}

static int read_exceptions(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config *c = l->config;
    size_t n = 0;
    (void)to;
    if (v->kind == SCALAR && !v->n_text)
        return 0;
    if (v->kind != SEQUENCE)
        return config_bad(l, v->line, v->text ? v->text : "{...}", "a list of exceptions: - rule: ...");
    for (const struct config_node *e = v->first; e; e = e->next)
        n++;
    if (n > CONFIG_MAX_EXCEPTIONS)
        return config_bad(l, v->line, "exceptions", "at most 1024 of them");
    c->exceptions = arena_alloc(&c->arena, (n + 1) * sizeof(*c->exceptions));
    if (!c->exceptions)
        return FAULT(l->fault, -ENOMEM, no_memory, "config");
    for (const struct config_node *e = v->first; e; e = e->next) {
        c->exceptions[c->n_exceptions] = (struct log_exception){0};
        int r = read_exception(l, e, &c->exceptions[c->n_exceptions]);
        if (r)
            return r;
        c->n_exceptions++;
    }
    return 0;
}

/* read_limit - one number of a kind of behaviour. */
static int read_limit(struct config_loader *l, const char *kind, const struct config_node *k)
{
    const struct config_node *v = k->next;
    struct config *c = l->config;
    char name[96], expected[200];
    double least = 0, most = 0;
    struct text full = {name, (size_t)snprintf(name, sizeof(name), "%s.%s", kind, k->text ? k->text : "")};
    if (k->kind != SCALAR || v->kind != SCALAR || full.n >= sizeof(name))
        return config_bad(l, k->line, k->text ? k->text : "{...}", "a limit and its number, as in content/behaviour.yaml");
    int i = behaviour_settings_set(&c->behaviour, full, (struct text){v->text, v->n_text});
    if (i == 1)
        return config_bad(l, k->line, name, "a limit of behaviour, as in content/behaviour.yaml");
    if (i) {
        (void)behaviour_setting_bounds(full, &least, &most);
        snprintf(expected, sizeof(expected), "%s: a number between %g and %g", name, least, most);
        return config_bad(l, v->line, v->text, expected);
    }
    for (unsigned s = 0; s < BEHAVIOUR_N_SETTINGS; s++)
        c->is_behaviour_set[s] |= !strcmp(name, behaviour_setting_name((enum behaviour_setting)s));
    return 0;
}

static int read_behaviour(struct config_loader *l, const struct config_node *v, void *to)
{
    (void)to;
    if (v->kind == SCALAR && (!v->n_text || !strcmp(v->text, "true") || !strcmp(v->text, "false"))) {
        l->config->has_behaviour = !v->n_text || v->text[0] == 't';
        return 0;
    }
    if (v->kind != MAPPING)
        return config_bad(l, v->line, v->text ? v->text : "[...]", "false, or kinds of behaviour with their limits below");
    for (const struct config_node *k = v->first; k; k = k->next->next) {
        if (k->kind != SCALAR || k->next->kind != MAPPING)
            return config_bad(l, k->line, k->text ? k->text : "{...}", "a kind of behaviour with its limits below");
        for (const struct config_node *n = k->next->first; n; n = n->next->next) {
            int r = read_limit(l, k->text, n);
            if (r)
                return r;
        }
    }
    return 0;
}

static int read_store(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"budget", config_bytes, offsetof(struct config, store_budget_bytes)},
        {"keep_at_least", config_span, offsetof(struct config, store_keep_at_least_us)},
        {"keep_logs_at_least", config_span, offsetof(struct config, store_keep_logs_at_least_us)},
        {"seal_after", config_span, offsetof(struct config, store_seal_after_us)},
        {"compact_every", config_span, offsetof(struct config, store_compact_every_us)},
    };
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}

static int read_findings(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"window", config_span, offsetof(struct config, finding_window_us)},
        {"flush", config_span, offsetof(struct config, finding_flush_us)},
        {"max_bytes", config_bytes, offsetof(struct config, finding_max_bytes)},
        {"max_pending", config_count, offsetof(struct config, finding_max_pending)},
    };
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}

static int read_root(struct config_loader *l, const struct config_node *root)
{
    static const struct config_key keys[] = {
        {"data", config_text, offsetof(struct config, data_dir)},
        {"user", config_text, offsetof(struct config, user)},
        {"group", config_text, offsetof(struct config, group)},
        {"log_level", read_level, offsetof(struct config, log_level)},
        {"zone", read_zone, offsetof(struct config, zone_s)},
        {"memory", config_bytes, offsetof(struct config, memory_bytes)},
        {"intake", read_intake, 0},
        {"store", read_store, 0},
        {"findings", read_findings, 0},
        {"rules", read_rules, 0},
        {"exceptions", read_exceptions, 0},
        {"behaviour", read_behaviour, 0},
        {"leases", config_leases, 0},
        {"office", config_office, offsetof(struct config, office)},
    };
    return config_mapping(l, root, CONFIG_KEYS(keys), l->config);
}

static void set_defaults(struct config *c)
{
    c->file = "(defaults)";
    c->user = c->group = "vonggac";
    c->log_level = LOG_INFO;
    c->zone_s = ZONE_VIETNAM_S;
    c->store_seal_after_us = 3600 * US_PER_SECOND;
    c->store_compact_every_us = 600 * US_PER_SECOND;
    c->finding_window_us = US_PER_DAY;
    c->finding_flush_us = 10 * US_PER_SECOND;
    c->finding_max_bytes = (uint64_t)1 << 30;
    c->finding_max_pending = 1000000;
    c->memory_bytes = (uint64_t)4 << 30;
    c->has_behaviour = true;
    c->leases_from_flows = true;
}

static int load(struct config_loader *l, const char *path)
{
    struct config_node *root;
    _cleanup_free_ uint8_t *content = NULL;
    size_t n;
    int r = file_read_path(path, CONFIG_MAX_BYTES, &content, &n);
    if (r)
        return FAULT(l->fault, r, cli_cannot_read, path, strerror(-r));
    if (!yaml_parser_initialize(&l->parser))
        return FAULT(l->fault, -ENOMEM, no_memory, "config");
    yaml_parser_set_input_string(&l->parser, content, n);
    r = parse_document(l, &root);
    yaml_parser_delete(&l->parser);
    if (r || !root) /* an empty file means the defaults */
        return r;
    return read_root(l, root);
}

int config_read(const char *path, struct config **ret, struct fault *f)
{
    struct config *c = calloc(1, sizeof(*c));
    if (!c)
        return FAULT(f, -ENOMEM, no_memory, "config");
    set_defaults(c);
    struct config_loader l = {.config = c, .fault = f};
    int r = 0;
    if (path) {
        c->file = arena_text(&c->arena, path, strlen(path));
        r = c->file ? load(&l, path) : FAULT(f, -ENOMEM, no_memory, "config");
    }
    if (r) {
        config_free(c);
        return r;
    }
    if (!path) {
        c->listeners[c->n_listeners++] = (struct config_listener){.protocol = CONFIG_NETFLOW,
                                                                   .ip = ip_from_v4(0x7f000001),
                                                                   .port = 2055,
                                                                   .n_receivers = 2,
                                                                   .receive_buffer_bytes = 64 << 20};
    }
    *ret = c;
    return 0;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    arena_fini(&c->arena);
    free(c);
}
