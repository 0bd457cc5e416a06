/* SPDX-License-Identifier: Apache-2.0 */
/* What a JSON record is: each key it has may set a bit, the bits together tell the schema. */
#include "format/event_json_own.h"

#include <string.h>

enum { ZEEK_BIT = 32 };

static const struct {
    const char *path;
    uint32_t mark;
} marks[] = {
    {"event_type", MARK_EVENT_TYPE}, {"timestamp", MARK_TIMESTAMP}, {"flow_id", MARK_FLOW}, {"src_ip", MARK_FLOW}, {"pcap_cnt", MARK_FLOW},
    {"stats.uptime", MARK_FLOW}, {"in_iface", MARK_FLOW}, {"engine.message", MARK_FLOW}, {"ts", MARK_TS}, {"uid", MARK_ZEEK},
    {"fuid", MARK_ZEEK}, {"id.orig_h", MARK_ZEEK},
    {"id_orig_h", MARK_ZEEK}, {"certificate.version", MARK_ZEEK}, {"certificate_version", MARK_ZEEK}, {"_path", MARK_ZEEK | MARK_LOG_NAME},
    {"@stream", MARK_ZEEK | MARK_LOG_NAME}, {"event_data.ProcessGuid", MARK_WINLOG6}, {"log_name", MARK_WINLOG6},
    {"EventID", MARK_EVENTID}, {"EventId", MARK_EVENTID},
    {"Channel", MARK_CHANNEL}, {"SourceName", MARK_CHANNEL}, {"EventSourceName", MARK_CHANNEL}, {"ProviderGuid", MARK_CHANNEL},
    {"Provider_Name", MARK_CHANNEL}, {"ProviderName", MARK_CHANNEL}, {"EventData", MARK_DATA_XML}, {"eventVersion", MARK_TRAIL_VERSION},
    {"eventName", MARK_TRAIL_NAME}, {"rule.level", MARK_WAZUH_RULE}, {"manager.name", MARK_WAZUH_AGENT}, {"agent.id", MARK_WAZUH_AGENT},
    {"ecs.version", MARK_ECS}, {"event.kind", MARK_ECS}, {"event.category", MARK_ECS}, {"event.dataset", MARK_ECS},
    {"event.module", MARK_ECS},
    {"SYSCALL.syscall", MARK_AUDITD}, {"SYSCALL.SYSCALL", MARK_AUDITD}, {"ID", MARK_AUDIT_ID}, {"winlog.user_data.xml_name", MARK_XML_NAME},
    {"user_data.xml_name", MARK_XML_NAME}, {"data.win.system.eventID", MARK_WAZUH_WINDOWS},
};

/* keys that only one of Zeek's logs has: what a record without _path is of; in this order */
static const struct {
    const char *key, *log;
} zeek_keys[] = {
    {"conn_state", "conn"}, {"qtype_name", "dns"}, {"rcode_name", "dns"}, {"qclass", "dns"}, {"request_body_len", "http"},
    {"user_agent", "http"},
    {"cipher", "ssl"}, {"ssl_history", "ssl"}, {"server_name", "ssl"}, {"resumed", "ssl"}, {"certificate.version", "x509"},
    {"certificate_version", "x509"},
    {"note", "notice"}, {"auth_attempts", "ssh"}, {"hassh", "ssh"}, {"domainname", "ntlm"}, {"request_type", "kerberos"},
    {"share_type", "smb_mapping"}, {"operation", "dce_rpc"},
    {"security_protocol", "rdp"}, {"helo", "smtp"}, {"lease_time", "dhcp"}, {"community", "snmp"}, {"call_id", "sip"},
    {"tunnel_type", "tunnel"},
    {"seen_bytes", "files"}, {"notice", "weird"}, {"data_channel.passive", "ftp"}, {"trans_depth", "http"}, {"community_id", "conn"},
    {"history", "conn"}, {"query", "dns"},
};
_Static_assert(sizeof zeek_keys / sizeof *zeek_keys <= 64 - ZEEK_BIT, "a bit each");

struct text json_short_path(struct text path)
{
    static const char wrapper[] = "_source.";
    size_t n = sizeof wrapper - 1;
    return path.n > n && !memcmp(path.p, wrapper, n) ? (struct text){path.p + n, path.n - n} : path;
}

bool json_begins(struct text t, const char *lead)
{
    size_t n = strlen(lead);
    return t.n >= n && !memcmp(t.p, lead, n);
}

uint64_t json_mark_of(struct text path)
{
    uint64_t mark = 0;
    path = json_short_path(path);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (text_is(path, marks[i].path))
            mark |= marks[i].mark;
    for (size_t i = 0; i < sizeof zeek_keys / sizeof *zeek_keys; i++)
        if (text_is(path, zeek_keys[i].key))
            mark |= UINT64_C(1) << (ZEEK_BIT + i);
    if (json_begins(path, "winlog."))
        mark |= MARK_WINLOG;
    if (json_begins(path, "Event.System.") || json_begins(path, "System.Provider.") || json_begins(path, "System.EventID"))
        mark |= MARK_WINEVENT;
    return mark;
}

enum json_schema json_schema_of(uint64_t m)
{
    if (m & MARK_WINEVENT)
        return SCHEMA_WINEVENT;
    if (m & MARK_WINLOG)
        return SCHEMA_WINLOG;
    if ((m & MARK_EVENTID) && (m & MARK_CHANNEL))
        return m & MARK_DATA_XML ? SCHEMA_AZURE : SCHEMA_WINFLAT;
    if (m & MARK_WINLOG6)
        return SCHEMA_WINLOG6;
    if ((m & MARK_EVENT_TYPE) && (m & MARK_TIMESTAMP) && (m & MARK_FLOW))
        return SCHEMA_EVE;
    if ((m & MARK_WAZUH_RULE) && (m & MARK_WAZUH_AGENT))
        return SCHEMA_WAZUH;
    if (m & MARK_ECS)
        return SCHEMA_ECS;
    if ((m & MARK_LOG_NAME) || ((m & MARK_TS) && (m & MARK_ZEEK)))
        return SCHEMA_ZEEK;
    if ((m & MARK_TRAIL_VERSION) && (m & MARK_TRAIL_NAME))
        return SCHEMA_CLOUDTRAIL;
    if ((m & MARK_AUDITD) && (m & MARK_AUDIT_ID))
        return SCHEMA_AUDITD;
    return SCHEMA_GENERIC;
}

struct text json_zeek_log(uint64_t m)
{
    for (size_t i = 0; i < sizeof zeek_keys / sizeof *zeek_keys; i++)
        if (m >> (ZEEK_BIT + i) & 1)
            return (struct text){zeek_keys[i].log, strlen(zeek_keys[i].log)};
    return TEXT("other");
}
