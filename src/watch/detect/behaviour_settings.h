/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_settings - the limits of the behaviour detectors: one number each, with its bounds.
 *
 * In:     content/behaviour.yaml (what we ship, each number with its source), then `behaviour:` of the configuration.
 * Out:    struct behaviour_settings, read by detectors as s->v[BEHAVIOUR_SET_...].
 * Limits: what is no number, out of bounds or unknown is refused with its line. No logging.
 *
 * X(ID, "kind.name", default, least, most): the default here and in content/behaviour.yaml are the same, which a test
 * holds. Append in the section of your detector.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdint.h>

#define BEHAVIOUR_SETTINGS(X)                                                                 \
    /* beacon */                                                                              \
    X(BEACON_ENABLED, "beacon.enabled", 1, 0, 1)                                              \
    X(BEACON_SCORE, "beacon.score_pct", 80, 1, 100)                                           \
    X(BEACON_CONNECTIONS, "beacon.connections", 12, 4, 100000)                                \
    X(BEACON_SPAN_S, "beacon.span_s", 1800, 60, 604800)                                       \
    X(BEACON_PREVALENCE, "beacon.prevalence", 10, 1, 15)                                 \
    X(BEACON_LONG_S, "beacon.long_s", 14400, 600, 604800)                                     \
    /* port_scan, host_scan */                                                                \
    X(PORT_SCAN_ENABLED, "port_scan.enabled", 1, 0, 1)                                        \
    X(PORT_SCAN_PORTS, "port_scan.ports", 15, 8, 65536)                                       \
    X(PORT_SCAN_WINDOW_S, "port_scan.window_s", 300, 10, 86400)                               \
    X(PORT_SCAN_SLOW_PORTS, "port_scan.slow_ports", 60, 8, 65536)                             \
    X(HOST_SCAN_ENABLED, "host_scan.enabled", 1, 0, 1)                                        \
    X(HOST_SCAN_HOSTS, "host_scan.hosts", 25, 8, 1000000)                                     \
    X(HOST_SCAN_WINDOW_S, "host_scan.window_s", 300, 10, 86400)                               \
    X(HOST_SCAN_SLOW_HOSTS, "host_scan.slow_hosts", 100, 8, 1000000)                          \
    X(HOST_SCAN_UDP_FACTOR, "host_scan.udp_factor", 2, 1, 100)                                \
    X(SCAN_FAILED_PCT, "host_scan.failed_pct", 60, 1, 100)                                    \
    /* ddos_in, ddos_out */                                                                   \
    X(DDOS_IN_ENABLED, "ddos_in.enabled", 1, 0, 1)                                            \
    X(DDOS_IN_PACKETS, "ddos_in.packets_per_s", 1000, 10, 1000000000)                         \
    X(DDOS_IN_FLOWS, "ddos_in.flows_per_s", 200, 1, 1000000000)                               \
    X(DDOS_IN_SOURCES, "ddos_in.sources", 100, 2, 1000000)                                    \
    X(DDOS_IN_FACTOR, "ddos_in.factor", 10, 2, 1000000)                                       \
    X(DDOS_OUT_ENABLED, "ddos_out.enabled", 1, 0, 1)                                          \
    X(DDOS_OUT_PACKETS, "ddos_out.packets_per_s", 100, 1, 1000000000)                         \
    X(DDOS_OUT_STREAM, "ddos_out.stream_packets_per_s", 1000, 1, 1000000000)                  \
    X(DDOS_OUT_FLOWS, "ddos_out.flows_per_s", 50, 1, 1000000000)                              \
    X(DDOS_OUT_FACTOR, "ddos_out.factor", 10, 2, 1000000)                                     \
    X(DDOS_OUT_SECONDS, "ddos_out.seconds", 30, 1, 3600)                                      \
    /* spam */                                                                                \
    X(SPAM_ENABLED, "spam.enabled", 1, 0, 1)                                                  \
    X(SPAM_PEERS, "spam.peers", 20, 2, 1000000)                                               \
    X(SPAM_WINDOW_S, "spam.window_s", 3600, 60, 86400)                                        \
    /* exfiltration */                                                                        \
    X(EXFILTRATION_ENABLED, "exfiltration.enabled", 1, 0, 1)                                  \
    X(EXFILTRATION_BYTES, "exfiltration.bytes", 500e6, 1e3, 1e15)                             \
    X(EXFILTRATION_RATIO, "exfiltration.ratio", 5, 1, 1e6)                                    \
    X(EXFILTRATION_FACTOR, "exfiltration.factor", 5, 1, 1e6)                                  \
    X(EXFILTRATION_PREVALENCE, "exfiltration.prevalence", 10, 1, 15)                         \
    /* new_destination */                                                                     \
    X(NEW_DESTINATION_ENABLED, "new_destination.enabled", 1, 0, 1)                            \
    X(NEW_DESTINATION_LEARN_S, "new_destination.learn_s", 86400, 60, 31536000)                \
    X(NEW_DESTINATION_CONNECTIONS, "new_destination.connections", 10, 1, 1e6)                 \
    X(NEW_DESTINATION_BYTES, "new_destination.bytes", 10e6, 1, 1e15)                          \
    /* silent */                                                                              \
    X(SILENT_ENABLED, "silent.enabled", 1, 0, 1)                                              \
    X(SILENT_BINS, "silent.bins", 48, 4, 50)                                                  \
    X(SILENT_BIN_S, "silent.bin_s", 1800, 60, 86400)                                          \
    X(SILENT_PRESENT_PCT, "silent.present_pct", 95, 50, 100)                                  \
    X(SILENT_MISSED, "silent.missed", 4, 1, 12)                                               \
    /* what a new start reads back */                                                         \
    X(RESTART_BACK_S, "restart.back_s", 86400, 0, 2678400)                                    \
    X(RESTART_ROWS, "restart.rows", 50e6, 0, 1e12)                                            \
    /* dga, dns_tunnel, brute_force, password_spray: behaviour_names, behaviour_logins; append here */ \
    X(DGA_ENABLED, "dga.enabled", 1, 0, 1)                                                    \
    X(DGA_WINDOW_S, "dga.window_s", 3600, 60, 86400)                                          \
    X(DGA_SCORE, "dga.score_pct", 50, 1, 100)                                                 \
    X(DGA_NAMES, "dga.names", 10, 3, 1000000)                                                 \
    X(DGA_SHARE, "dga.share_pct", 30, 1, 100)                                                 \
    X(DGA_UNANSWERED, "dga.unanswered_names", 25, 3, 1000000)                                 \
    X(DGA_UNANSWERED_SHARE, "dga.unanswered_pct", 15, 1, 100)                                 \
    X(DGA_FAILED, "dga.failed_names", 60, 3, 1000000)                                         \
    X(DGA_FAILED_SHARE, "dga.failed_pct", 20, 1, 100)                                         \
    X(DNS_TUNNEL_ENABLED, "dns_tunnel.enabled", 1, 0, 1)                                      \
    X(DNS_TUNNEL_WINDOW_S, "dns_tunnel.window_s", 3600, 60, 86400)                            \
    X(DNS_TUNNEL_NAMES, "dns_tunnel.names", 60, 3, 1000000)                                   \
    X(DNS_TUNNEL_BYTES, "dns_tunnel.bytes", 2000, 100, 1e9)                                   \
    X(DNS_TUNNEL_LENGTH, "dns_tunnel.length", 18, 4, 250)                                     \
    X(BRUTE_FORCE_ENABLED, "brute_force.enabled", 1, 0, 1)                                    \
    X(BRUTE_FORCE_FAILURES, "brute_force.failures", 10, 2, 1000000)                           \
    X(BRUTE_FORCE_WINDOW_S, "brute_force.window_s", 600, 10, 86400)                           \
    X(BRUTE_FORCE_BURST_FAILURES, "brute_force.burst_failures", 6, 2, 1000000)                \
    X(BRUTE_FORCE_BURST_WINDOW_S, "brute_force.burst_window_s", 60, 10, 86400)                \
    X(BRUTE_FORCE_SLOW_FAILURES, "brute_force.slow_failures", 40, 2, 1000000)                 \
    X(BRUTE_FORCE_SLOW_WINDOW_S, "brute_force.slow_window_s", 21600, 60, 604800)              \
    X(BRUTE_FORCE_SOURCES, "brute_force.sources", 10, 2, 1000000)                             \
    X(BRUTE_FORCE_CONNECTIONS, "brute_force.connections", 20, 5, 1000000)                     \
    X(PASSWORD_SPRAY_ENABLED, "password_spray.enabled", 1, 0, 1)                              \
    X(PASSWORD_SPRAY_ACCOUNTS, "password_spray.accounts", 8, 3, 1000000)                      \
    X(PASSWORD_SPRAY_TRIES, "password_spray.tries", 3, 1, 100)                                \
    X(PASSWORD_SPRAY_WINDOW_S, "password_spray.window_s", 3600, 60, 604800)

enum behaviour_setting {
#define X(id, name, value, least, most) BEHAVIOUR_SET_##id,
    BEHAVIOUR_SETTINGS(X)
#undef X
    BEHAVIOUR_N_SETTINGS
};

struct behaviour_settings {
    double v[BEHAVIOUR_N_SETTINGS];
};

/* behaviour_settings_default - as in the table above. */
void behaviour_settings_default(struct behaviour_settings *ret);
/* behaviour_setting_name - "beacon.score_pct"; static. */
const char *behaviour_setting_name(enum behaviour_setting s);
/*
 * behaviour_settings_set - one number by its name; also bytes with k, M, G (powers of 1000) and true/false.
 * Return: 0; 1 (no such name); 2 (not a number); 3 (out of bounds).
 */
int behaviour_settings_set(struct behaviour_settings *s, struct text name, struct text value);
/* behaviour_setting_bounds - of @name, for messages. Return: 0 or 1. */
int behaviour_setting_bounds(struct text name, double *ret_least, double *ret_most);
/*
 * behaviour_settings_load - a YAML file: kinds, below each its numbers, plain or as {value: 12, source: "..."}.
 * @path: NULL takes content/behaviour.yaml. Return: 0 or -errno with line and value in @f; @s is then unchanged.
 */
int behaviour_settings_load(struct behaviour_settings *s, const char *path, struct fault *f);
