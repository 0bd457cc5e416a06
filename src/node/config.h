/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/config - the node's one configuration file: YAML, read against a table of keys.
 *
 * In:     YAML 1.1 as libyaml reads it, at most CONFIG_MAX_BYTES, no aliases, no tags, depth 8.
 * Out:    struct config, owned by its arena; defaults for what is absent.
 * Errors: every one with file, line, the value and what was expected; unknown and doubled keys are errors.
 *         Reload is in two phases: read and check the new file whole, then swap; a bad file changes nothing.
 */
#pragma once

#include "base/arena.h"
#include "base/fault.h"
#include "base/ip.h"
#include "base/log.h"
#include "watch/detect/behaviour_settings.h"
#include "watch/detect/log_alert.h"
#include "watch/intake/log_frame.h"
#include "watch/lease/remote.h"

#include <stdbool.h>

#define CONFIG_MAX_BYTES ((size_t)1 << 20)
#define CONFIG_MAX_LISTENERS 16u
#define CONFIG_MAX_CAPTURES 8u
#define CONFIG_MAX_LOGS 8u
#define CONFIG_MAX_RULES 64u
#define CONFIG_MAX_FILES 64u
#define CONFIG_MAX_EXCEPTIONS 1024u
#define CONFIG_MAX_ALLOW 4096u
#define CONFIG_MAX_PEERS 1024u
#define CONFIG_MAX_RECEIVERS 16u
#define CONFIG_MAX_PUSH 4u /* listeners for pushes: what they remember of keys is bounded by the store's notes */

enum config_protocol { CONFIG_NETFLOW, CONFIG_SFLOW };

struct config_listener {
    enum config_protocol protocol; /* netflow: v5, v9 and IPFIX are told apart by version */
    struct ip ip;
    uint16_t port;
    uint32_t n_receivers;          /* sockets and threads; datagrams steered by source address */
    uint64_t receive_buffer_bytes;
    struct ip_range *allow;        /* exporters; none given: everyone, and status says so */
    size_t n_allow;
    struct ip_range *by_port;      /* exporters whose templates are kept apart by source port */
    size_t n_by_port;
    int line;
};

/* where log messages arrive */
struct config_log_listener {
    struct ip ip;
    uint16_t port;
    bool has_udp, has_tcp;         /* has_tcp also where TLS runs over it */
    bool has_tls, has_push;        /* the gate's; push: HTTPS */
    enum log_frame_format format;
    const char *const *peers; /* senders by certificate (gate/peers.h) */
    size_t n_peers;
    const char *certificate, *key, *client_ca, *tokens; /* absolute paths; client_ca NULL: senders need no certificate */
    uint64_t connections, connections_of_one;           /* of the gate */
    int64_t handshake_us, idle_us;
    uint64_t body_max_bytes; /* of a push, unpacked */
    uint64_t quota_messages_per_s, quota_bytes_per_day; /* 0: none */
    uint64_t spool_bytes;    /* of datagrams that wait on disk; 0: none */
    uint64_t receive_buffer_bytes; /* of UDP */
    struct ip_range *allow;
    size_t n_allow;
    int64_t silent_after_us; /* a sender that sent regularly and is quiet that long is said to be silent */
    int line;
};

struct config_capture {
    const char *interface;
    uint64_t ring_bytes;
    int64_t active_us, idle_us;
    int line;
};

/* the office: API and console over HTTPS */
/* how people are woken (docs/alerts.md); a way that is not configured fails at once, with that reason */
struct config_duty {
    const char *policy;                        /* NULL: as shipped */
    const char *sms_spool, *sms_inbox;         /* directories of smstools; they are writable for the office's user */
    const char *sms_url, *sms_header_file;     /* a gateway's, with {to}, {text}, {id}; a header that carries its secret */
    const char *mail_server, *mail_from, *mail_user, *mail_password_file;
    bool mail_tls;
    int line;
};

struct config_office {
    bool is_wanted;
    struct ip ip;
    uint16_t port;
    const char *certificate, *key, *client_ca; /* absolute paths; none: a certificate of its own, made at the first start */
    const char *console;                       /* directory of the console's files; none: the API alone */
    const char *public_url, *node_name;
    uint64_t workers, connections, connections_of_one, streams;
    uint64_t requests_per_second;              /* of one person */
    int64_t session_idle_us, session_absolute_us;
    const char *alert_policy;                  /* NULL: as shipped */
    struct config_duty duty;
    int line;
};

struct config {
    struct arena arena;
    const char *file;
    const char *data_dir;   /* NULL: the command line's */
    const char *user, *group;
    enum log_level log_level;
    int zone_s;
    struct config_listener listeners[CONFIG_MAX_LISTENERS];
    size_t n_listeners;
    struct config_log_listener logs[CONFIG_MAX_LOGS];
    size_t n_logs;
    const char *files[CONFIG_MAX_FILES]; /* patterns of log files that are followed, absolute paths */
    size_t n_files;
    const char *rules[CONFIG_MAX_RULES]; /* directories or files of Sigma rules, absolute paths */
    size_t n_rules;
    struct log_exception *exceptions;    /* what rules find and is to be no finding */
    size_t n_exceptions;
    bool has_behaviour;                  /* false: behaviour: false */
    struct behaviour_settings behaviour; /* where is_behaviour_set; the others as shipped */
    bool is_behaviour_set[BEHAVIOUR_N_SETTINGS];
    struct config_capture captures[CONFIG_MAX_CAPTURES];
    size_t n_captures;
    struct config_office office;
    uint64_t store_budget_bytes;
    int64_t store_keep_at_least_us, store_seal_after_us, store_compact_every_us;
    int64_t store_keep_logs_at_least_us; /* of log events; 0: as the others */
    int64_t leases_keep_at_least_us, leases_keep_at_most_us; /* 0: no such limit */
    bool leases_from_flows;              /* translated flows become leases too */
    struct remote_system lease_remote;   /* the owner's own log system; without url: none */
    int64_t finding_window_us, finding_flush_us;
    uint64_t finding_max_bytes, finding_max_pending;
    uint64_t memory_bytes; /* ceiling of the watch role's address space growth */
};

/*
 * config_read - @path NULL: the defaults (NetFlow on 127.0.0.1:2055).
 * Return: 0, 1 (refused, fault says line and reason), or -errno. *@ret is owned; config_free.
 */
int config_read(const char *path, struct config **ret, struct fault *f);
void config_free(struct config *c);
