/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of Zeek's logs in ECS. Rows of one log stand before those of all logs.
 */
#include "format/event_zeek.h"

#include <string.h>

#define PUT(log, name, field) {log, name, EV_##field, ZEEK_PUT, false, false}
#define MAP(log, name, op, field) {log, name, EV_##field, ZEEK_##op, false, false}
#define WEAK(log, name, op, field) {log, name, EV_##field, ZEEK_##op, true, true}
#define ALSO(log, name, op, field) {log, name, EV_##field, ZEEK_##op, false, true}

static const struct zeek_map rows[] = {
    PUT("conn", "service", NETWORK_PROTOCOL), PUT("conn", "orig_ip_bytes", SOURCE_BYTES), PUT("conn", "resp_ip_bytes", DESTINATION_BYTES),
    PUT("conn", "orig_pkts", SOURCE_PACKETS), PUT("conn", "resp_pkts", DESTINATION_PACKETS), PUT("conn", "conn_state", NETWORK_STATE),
    MAP("conn", "duration", SECONDS, EVENT_DURATION), PUT("conn", "community_id", NETWORK_COMMUNITY_ID),
    PUT("conn", "orig_l2_addr", SOURCE_MAC),
    MAP("conn", "vlan", TEXT, NETWORK_VLAN),
    PUT("dns", "query", DNS_QUESTION_NAME), PUT("dns", "qtype_name", DNS_QUESTION_TYPE), PUT("dns", "qclass_name", DNS_QUESTION_CLASS),
    PUT("dns", "rcode_name", DNS_RESPONSE_CODE), PUT("dns", "answers", DNS_ANSWERS_DATA), PUT("dns", "TTLs", DNS_ANSWERS_TTL),
    MAP("dns", "trans_id", TEXT, DNS_ID),
    PUT("http", "method", HTTP_METHOD), PUT("http", "host", URL_DOMAIN), PUT("http", "uri", URL_ORIGINAL),
    PUT("http", "referrer", HTTP_REFERRER),
    PUT("http", "user_agent", USER_AGENT), PUT("http", "status_code", HTTP_STATUS),
    PUT("http", "request_body_len", HTTP_REQUEST_BODY_BYTES),
    PUT("http", "response_body_len", HTTP_RESPONSE_BODY_BYTES), PUT("http", "version", HTTP_VERSION), PUT("http", "username", USER_NAME),
    PUT("http", "resp_mime_types", HTTP_RESPONSE_MIME),
    PUT("ssl", "version", TLS_VERSION), PUT("ssl", "cipher", TLS_CIPHER), PUT("ssl", "server_name", TLS_SERVER_NAME),
    PUT("ssl", "subject", TLS_SUBJECT),
    PUT("ssl", "issuer", TLS_ISSUER), PUT("ssl", "ja3", TLS_JA3), PUT("ssl", "ja3s", TLS_JA3S), PUT("ssl", "ja4", TLS_JA4),
    ALSO("ssh", "auth_success", OUTCOME, EVENT_OUTCOME), PUT("ssh", "client", USER_AGENT),
    MAP("files", "tx_hosts", IP, SERVER_IP), MAP("files", "rx_hosts", IP, CLIENT_IP), PUT("files", "filename", FILE_NAME),
    PUT("files", "mime_type", FILE_MIME_TYPE),
    PUT("files", "md5", FILE_HASH_MD5), PUT("files", "sha1", FILE_HASH_SHA1), PUT("files", "sha256", FILE_HASH_SHA256),
    PUT("files", "total_bytes", FILE_SIZE),
    ALSO("files", "source", TEXT, NETWORK_PROTOCOL),
    PUT("notice", "note", RULE_NAME), PUT("notice", "msg", MESSAGE), WEAK("notice", "src", IP, SOURCE_IP),
    WEAK("notice", "dst", IP, DESTINATION_IP),
    WEAK("notice", "p", PUT, DESTINATION_PORT), PUT("notice", "file_mime_type", FILE_MIME_TYPE),
    ALSO("weird", "name", TEXT, EVENT_REASON),
    PUT("smtp", "mailfrom", EMAIL_FROM), PUT("smtp", "rcptto", EMAIL_TO), PUT("smtp", "subject", EMAIL_SUBJECT),
    PUT("smtp", "msg_id", EMAIL_MESSAGE_ID),
    PUT("smtp", "user_agent", USER_AGENT), PUT("smtp", "helo", SOURCE_DOMAIN),
    PUT("ftp", "user", USER_NAME), PUT("ftp", "command", EVENT_ACTION), PUT("ftp", "mime_type", FILE_MIME_TYPE),
    PUT("ftp", "file_size", FILE_SIZE),
    PUT("rdp", "cookie", USER_NAME), PUT("rdp", "client_name", SOURCE_DOMAIN),
    PUT("ntlm", "username", USER_NAME), PUT("ntlm", "domainname", USER_DOMAIN), PUT("ntlm", "hostname", SOURCE_DOMAIN),
    ALSO("ntlm", "success", OUTCOME, EVENT_OUTCOME),
    PUT("kerberos", "client", USER_NAME), PUT("kerberos", "service", SERVICE_NAME), PUT("kerberos", "error_msg", ERROR_MESSAGE),
    ALSO("kerberos", "success", OUTCOME, EVENT_OUTCOME),
    PUT("smb_files", "path", FILE_DIRECTORY), PUT("smb_files", "name", FILE_NAME), PUT("smb_files", "size", FILE_SIZE),
    PUT("smb_files", "action", EVENT_ACTION),
    PUT("dce_rpc", "operation", EVENT_ACTION),
    MAP("dhcp", "client_addr", IP, CLIENT_IP), MAP("dhcp", "server_addr", IP, SERVER_IP), PUT("dhcp", "mac", CLIENT_MAC),
    PUT("dhcp", "host_name", CLIENT_DOMAIN),
    PUT("radius", "username", USER_NAME), PUT("radius", "mac", SOURCE_MAC),
    PUT("sip", "method", EVENT_ACTION), PUT("sip", "user_agent", USER_AGENT), PUT("socks", "user", USER_NAME),
    PUT("irc", "user", USER_NAME),
    PUT("mysql", "cmd", EVENT_ACTION), PUT("software", "host", HOST_IP), PUT("software", "unparsed_version", USER_AGENT),
    PUT("known_hosts", "host", HOST_IP),
    PUT("known_services", "host", HOST_IP), PUT("known_services", "port_num", SERVER_PORT), PUT("known_certs", "host", HOST_IP),
    PUT("known_certs", "subject", TLS_SUBJECT), PUT("known_certs", "issuer_subject", TLS_ISSUER),
    PUT("intel", "seen.indicator", THREAT_INDICATOR_NAME), PUT("signatures", "sig_id", RULE_ID), PUT("signatures", "event_msg", MESSAGE),
    WEAK("signatures", "src_addr", IP, SOURCE_IP), WEAK("signatures", "src_port", PUT, SOURCE_PORT),
    WEAK("signatures", "dst_addr", IP, DESTINATION_IP),
    WEAK("signatures", "dst_port", PUT, DESTINATION_PORT), PUT("syslog", "message", MESSAGE),
    PUT("syslog", "facility", LOG_SYSLOG_FACILITY_NAME),
    PUT("syslog", "severity", LOG_SYSLOG_SEVERITY_NAME), PUT("reporter", "message", MESSAGE), PUT("reporter", "level", LOG_LEVEL),
    PUT("quic", "server_name", TLS_SERVER_NAME), PUT("x509", "certificate.subject", TLS_SUBJECT),
    PUT("x509", "certificate.issuer", TLS_ISSUER),
    MAP(NULL, "ts", TIME, EVENT_START), PUT(NULL, "uid", EVENT_ID), PUT(NULL, "id.orig_h", SOURCE_IP), PUT(NULL, "id.orig_p", SOURCE_PORT),
    PUT(NULL, "id.resp_h", DESTINATION_IP), PUT(NULL, "id.resp_p", DESTINATION_PORT), PUT(NULL, "proto", NETWORK_TRANSPORT),
    PUT(NULL, "_system_name", OBSERVER_HOSTNAME), PUT(NULL, "@system", OBSERVER_HOSTNAME), MAP(NULL, "_path", SKIP, EVENT_DATASET),
    MAP(NULL, "@stream", SKIP, EVENT_DATASET),
};

struct kind {
    const char *log, *kind, *category, *type;
};
static const struct kind kinds[] = {
    {"conn", "event", "network", "connection"}, {"dns", "event", "network", "protocol"}, {"http", "event", "web", "access"},
    {"ssl", "event", "network", "protocol"}, {"quic", "event", "network", "protocol"}, {"ssh", "event", "network", "protocol"},
    {"files", "event", "file", "info"},
    {"notice", "alert", "intrusion_detection", "info"}, {"intel", "alert", "threat", "indicator"},
    {"signatures", "alert", "intrusion_detection", "info"},
    {"weird", "event", "network", "error"}, {"smtp", "event", "email", "info"}, {"ftp", "event", "network", "protocol"},
    {"rdp", "event", "network", "protocol"},
    {"ntlm", "event", "authentication", "info"}, {"kerberos", "event", "authentication", "info"},
    {"radius", "event", "authentication", "info"},
    {"smb_files", "event", "file", "access"}, {"smb_mapping", "event", "file", "access"}, {"dhcp", "event", "network", "protocol"},
    {"stats", "metric", NULL, NULL}, {"capture_loss", "metric", NULL, NULL},
};

static bool is_named(struct text name, const char *row)
{
    if (text_is(name, row))
        return true;
    return !strncmp(row, "id.", 3) && name.n == strlen(row) && name.p[2] == '_' && !memcmp(name.p, row, 2) && !memcmp(name.p + 3,
        row + 3, name.n - 3);
}

const struct zeek_map *zeek_map_find(struct text log, struct text name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((!rows[i].log || text_is(log, rows[i].log)) && is_named(name, rows[i].name))
            return &rows[i];
    return NULL;
}

uint16_t zeek_field(struct event_names *names, struct text log, struct text name)
{
    char full[EVENT_NAME_MAX];
    if (5 + log.n + 1 + name.n > sizeof full)
        return EVENT_NO_FIELD;
    memcpy(full, "zeek.", 5);
    memcpy(full + 5, log.p, log.n);
    full[5 + log.n] = '.';
    memcpy(full + 6 + log.n, name.p, name.n);
    return event_names_add(names, (struct text){full, 6 + log.n + name.n});
}

static void put(struct events *e, uint16_t field, const char *words)
{
    if (words)
        event_put_text(e, field, (struct text){words, strlen(words)});
}

/* number - the first value of @field as a number, or -1. */
static int64_t number(const struct events *e, uint16_t field)
{
    const struct event_value *v = event_find(e, field);
    return v && v->type == EVENT_LONG && v->number >= 0 ? v->number : -1;
}

/* put_connection - what a flow has besides: its begin and end, and both directions together. */
static void put_connection(struct events *e)
{
    int64_t duration = number(e, EV_EVENT_DURATION), a = number(e, EV_SOURCE_BYTES), b = number(e, EV_DESTINATION_BYTES);
    int64_t start = e->time_us[e->n];
    event_put_date(e, EV_EVENT_START, start);
    if (duration >= 0 && start < INT64_MAX / 2)
        event_put_date(e, EV_EVENT_END, start + duration / 1000);
    if (a >= 0 && b >= 0 && a < INT64_MAX / 2 && b < INT64_MAX / 2)
        event_put_long(e, EV_NETWORK_BYTES, a + b);
    a = number(e, EV_SOURCE_PACKETS), b = number(e, EV_DESTINATION_PACKETS);
    if (a >= 0 && b >= 0 && a < INT64_MAX / 2 && b < INT64_MAX / 2)
        event_put_long(e, EV_NETWORK_PACKETS, a + b);
}

void zeek_put_kind(struct events *e, struct text log, const char *decoder)
{
    static const struct kind other = {NULL, "event", "network", "info"};
    const struct kind *k = &other;
    char dataset[5 + ZEEK_LOG_MAX];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (text_is(log, kinds[i].log))
            k = &kinds[i];
    if (text_is(log, "conn"))
        put_connection(e);
    memcpy(dataset, "zeek.", 5);
    memcpy(dataset + 5, log.p, log.n);
    put(e, EV_EVENT_KIND, k->kind);
    put(e, EV_EVENT_CATEGORY, k->category);
    put(e, EV_EVENT_TYPE, k->type);
    put(e, EV_EVENT_MODULE, "zeek");
    event_put_text(e, EV_EVENT_DATASET, (struct text){dataset, 5 + log.n});
    put(e, EV_EVENT_DECODER, decoder);
}

struct text zeek_log_name(struct text log)
{
    bool is_fine = log.n && log.n <= ZEEK_LOG_MAX;
    for (size_t i = 0; is_fine && i < log.n; i++) {
        char c = log.p[i];
        is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    return is_fine ? log : TEXT("other");
}

struct text zeek_log_of_path(struct text path)
{
    static const char *const logs[] = {"conn", "dns", "http", "ssl", "ssh", "files", "notice", "weird", "x509", "smtp", "ftp", "rdp",
        "ntlm",
        "kerberos", "smb_files", "smb_mapping", "smb_cmd", "dce_rpc", "dhcp", "radius", "sip", "socks", "irc", "mysql", "software",
        "known_hosts",
        "known_services", "known_certs", "intel", "signatures", "syslog", "reporter", "snmp", "tunnel", "dpd", "pe", "stats",
        "capture_loss",
        "packet_filter", "loaded_scripts", "traceroute", "quic", "ldap", "ldap_search", "ntp", "mqtt_publish", "mqtt_connect",
        "modbus", "dnp3", "ocsp",
        "analyzer", "telemetry", "websocket", "postgresql", "redis", "rfb"};
    if (!path.n)
        return TEXT("");
    size_t from = path.n;
    while (from && path.p[from - 1] != '/')
        from--;
    struct text name = {path.p + from, path.n - from};
    const char *dot = name.n ? memchr(name.p, '.', name.n) : NULL;
    if (!dot)
        return TEXT("");
    name.n = (size_t)(dot - name.p);
    static const char *const leads[] = {"open_", "labeled-"}; /* logs of connections that are still open; labelled ones */
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (name.n > strlen(leads[i]) && !memcmp(name.p, leads[i], strlen(leads[i])))
            name = (struct text){name.p + strlen(leads[i]), name.n - strlen(leads[i])};
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++)
        if (text_is(name, logs[i]))
            return (struct text){logs[i], strlen(logs[i])};
    return TEXT("");
}
