/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of JSON logs are in ECS. A row: path, field, a second field that gets a copy, how, detail, slot.
 */
#include "format/event_json_own.h"
#include "format/evtx.h"

#define PUT(path, field) {path, EV_##field, EVENT_NO_FIELD, OP_PUT, 0, 0}
#define OWN(path, op, slot) {path, EVENT_NO_FIELD, EVENT_NO_FIELD, op, 0, slot}
#define MAP(path, op, field) {path, EV_##field, EVENT_NO_FIELD, op, 0, 0}
#define SLOT(path, op, field, slot) {path, EV_##field, EVENT_NO_FIELD, op, 0, slot}
#define TWO(path, op, field, copy) {path, EV_##field, EV_##copy, op, 0, 0}
#define TIME(path, rank) {path, EVENT_NO_FIELD, EVENT_NO_FIELD, OP_TIME, rank, 0}
#define SYSTEM(path, id) {path, EVENT_NO_FIELD, EVENT_NO_FIELD, OP_SYSTEM, EVTX_##id, 0}
#define SKIP(path) {path, EVENT_NO_FIELD, EVENT_NO_FIELD, OP_SKIP, 0, 0}

static const struct json_map eve[] = {
    TIME("timestamp", 1),
    OWN("event_type", OP_TEXT, SLOT_TYPE),
    PUT("src_ip", SOURCE_IP), PUT("src_port", SOURCE_PORT), PUT("dest_ip", DESTINATION_IP), PUT("dest_port", DESTINATION_PORT),
    MAP("proto", OP_LOWER, NETWORK_TRANSPORT), PUT("app_proto", NETWORK_PROTOCOL), PUT("community_id", NETWORK_COMMUNITY_ID),
    MAP("vlan", OP_TEXT, NETWORK_VLAN), PUT("in_iface", OBSERVER_INGRESS_NAME), PUT("host", OBSERVER_HOSTNAME),
    PUT("ether.src_mac", SOURCE_MAC),
    OWN("alert.action", OP_TEXT, SLOT_ACTION), MAP("alert.signature_id", OP_TEXT, RULE_ID), MAP("alert.rev", OP_TEXT, RULE_VERSION),
    TWO("alert.signature", OP_PUT, RULE_NAME, MESSAGE), PUT("alert.category", RULE_CATEGORY), PUT("alert.severity", EVENT_SEVERITY),
    PUT("alert.metadata.mitre_tactic_id", THREAT_TACTIC_ID), PUT("alert.metadata.mitre_tactic_name", THREAT_TACTIC_NAME),
    PUT("alert.metadata.mitre_technique_id", THREAT_TECHNIQUE_ID), PUT("alert.metadata.mitre_technique_name", THREAT_TECHNIQUE_NAME),
    PUT("flow.pkts_toserver", SOURCE_PACKETS), PUT("flow.pkts_toclient", DESTINATION_PACKETS), PUT("flow.bytes_toserver", SOURCE_BYTES),
    PUT("flow.bytes_toclient", DESTINATION_BYTES), MAP("flow.start", OP_DATE, EVENT_START), MAP("flow.end", OP_DATE, EVENT_END),
    MAP("flow.age", OP_SECONDS, EVENT_DURATION), PUT("flow.state", NETWORK_STATE),
    PUT("netflow.pkts", NETWORK_PACKETS), PUT("netflow.bytes", NETWORK_BYTES), MAP("netflow.start", OP_DATE, EVENT_START),
    MAP("netflow.end", OP_DATE, EVENT_END), MAP("netflow.age", OP_SECONDS, EVENT_DURATION),
    PUT("dns.type", DNS_TYPE), MAP("dns.id", OP_TEXT, DNS_ID), PUT("dns.rrname", DNS_QUESTION_NAME), PUT("dns.rrtype", DNS_QUESTION_TYPE),
    PUT("dns.rcode", DNS_RESPONSE_CODE), PUT("dns.rdata", DNS_ANSWERS_DATA), PUT("dns.ttl", DNS_ANSWERS_TTL),
    PUT("dns.answers.rdata", DNS_ANSWERS_DATA), PUT("dns.answers.ttl", DNS_ANSWERS_TTL), PUT("dns.queries.rrname", DNS_QUESTION_NAME),
    PUT("dns.queries.rrtype", DNS_QUESTION_TYPE), TWO("dns.grouped.A", OP_PUT, DNS_ANSWERS_DATA, DNS_RESOLVED_IP),
    TWO("dns.grouped.AAAA", OP_PUT, DNS_ANSWERS_DATA, DNS_RESOLVED_IP), PUT("dns.grouped.CNAME", DNS_ANSWERS_DATA),
    PUT("dns.query.rrname", DNS_QUESTION_NAME), PUT("dns.query.rrtype", DNS_QUESTION_TYPE), MAP("dns.query.id", OP_TEXT, DNS_ID),
    PUT("http.hostname", URL_DOMAIN), PUT("http.url", URL_ORIGINAL), PUT("http.http_user_agent", USER_AGENT),
    PUT("http.http_method", HTTP_METHOD),
    PUT("http.http_refer", HTTP_REFERRER), PUT("http.status", HTTP_STATUS), PUT("http.length", HTTP_RESPONSE_BODY_BYTES),
    PUT("http.protocol", HTTP_VERSION), PUT("http.http_content_type", HTTP_RESPONSE_MIME), PUT("http.http_port", URL_PORT),
    PUT("tls.sni", TLS_SERVER_NAME), PUT("tls.subject", TLS_SUBJECT), PUT("tls.issuerdn", TLS_ISSUER),
    PUT("tls.fingerprint", TLS_FINGERPRINT),
    PUT("tls.version", TLS_VERSION), PUT("tls.ja3.hash", TLS_JA3), PUT("tls.ja3s.hash", TLS_JA3S), PUT("tls.ja4", TLS_JA4),
    PUT("quic.sni", TLS_SERVER_NAME), PUT("quic.ja3.hash", TLS_JA3), PUT("quic.ja4", TLS_JA4),
    TWO("fileinfo.filename", OP_PUT, FILE_PATH, FILE_NAME), PUT("fileinfo.size", FILE_SIZE), PUT("fileinfo.md5", FILE_HASH_MD5),
    PUT("fileinfo.sha1", FILE_HASH_SHA1), PUT("fileinfo.sha256", FILE_HASH_SHA256), PUT("fileinfo.mimetype", FILE_MIME_TYPE),
    PUT("files.filename", FILE_NAME), PUT("files.size", FILE_SIZE), PUT("files.sha256", FILE_HASH_SHA256), PUT("files.md5", FILE_HASH_MD5),
    PUT("smtp.mail_from", EMAIL_FROM), PUT("smtp.rcpt_to", EMAIL_TO), PUT("email.subject", EMAIL_SUBJECT),
    PUT("email.message_id", EMAIL_MESSAGE_ID),
    PUT("anomaly.event", EVENT_REASON), PUT("dhcp.client_mac", CLIENT_MAC), PUT("dhcp.hostname", CLIENT_DOMAIN),
    MAP("dhcp.assigned_ip", OP_IP, CLIENT_IP), PUT("ftp.command", EVENT_ACTION), PUT("ssh.client.software_version", USER_AGENT),
    PUT("krb5.cname", USER_NAME), PUT("krb5.sname", SERVICE_NAME), PUT("smb.ntlmssp.user", USER_NAME),
    PUT("smb.ntlmssp.domain", USER_DOMAIN),
    PUT("smb.filename", FILE_NAME), PUT("rdp.cookie", USER_NAME),
};

static const struct json_map cloudtrail[] = {
    TIME("eventTime", 1), TIME("@timestamp", 3), SLOT("errorCode", OP_PUT, ERROR_CODE, SLOT_ERROR), PUT("errorMessage", ERROR_MESSAGE),
    PUT("eventSource", EVENT_PROVIDER), PUT("eventName", EVENT_ACTION), PUT("eventID", EVENT_ID), PUT("awsRegion", CLOUD_REGION),
    TWO("sourceIPAddress", OP_TEXT, SOURCE_ADDRESS, SOURCE_IP), PUT("userAgent", USER_AGENT), PUT("recipientAccountId", CLOUD_ACCOUNT),
    PUT("userIdentity.userName", USER_NAME), PUT("userIdentity.principalId", USER_ID),
    PUT("userIdentity.sessionContext.sessionIssuer.userName", USER_EFFECTIVE_NAME),
    PUT("requestParameters.userName", USER_TARGET_NAME), PUT("requestParameters.groupName", GROUP_NAME),
};

static const struct json_map wazuh[] = {
    TIME("timestamp", 1), TIME("@timestamp", 2), MAP("rule.id", OP_TEXT, RULE_ID), PUT("rule.level", EVENT_SEVERITY),
    PUT("rule.description", RULE_NAME), PUT("rule.groups", RULE_CATEGORY), PUT("rule.mitre.id", THREAT_TECHNIQUE_ID),
    PUT("rule.mitre.tactic", THREAT_TACTIC_NAME), PUT("rule.mitre.technique", THREAT_TECHNIQUE_NAME),
    TWO("agent.name", OP_PUT, AGENT_NAME, HOST_NAME), PUT("agent.id", AGENT_ID), MAP("agent.ip", OP_IP, HOST_IP),
    PUT("manager.name", OBSERVER_NAME), PUT("id", EVENT_ID), PUT("full_log", MESSAGE), PUT("location", LOG_FILE_PATH),
    PUT("predecoder.hostname", HOST_HOSTNAME), PUT("predecoder.program_name", PROCESS_NAME),
    MAP("data.srcip", OP_IP, SOURCE_IP), MAP("data.dstip", OP_IP, DESTINATION_IP), PUT("data.srcport", SOURCE_PORT),
    PUT("data.dstport", DESTINATION_PORT), PUT("data.srcuser", USER_NAME), PUT("data.dstuser", USER_TARGET_NAME),
    MAP("data.src_ip", OP_IP, SOURCE_IP), MAP("data.dest_ip", OP_IP, DESTINATION_IP), PUT("data.src_port", SOURCE_PORT),
    PUT("data.dest_port", DESTINATION_PORT), PUT("data.url", URL_ORIGINAL), PUT("data.protocol", HTTP_METHOD),
    PUT("syscheck.path", FILE_PATH), PUT("syscheck.md5_after", FILE_HASH_MD5), PUT("syscheck.sha1_after", FILE_HASH_SHA1),
    PUT("syscheck.sha256_after", FILE_HASH_SHA256), PUT("syscheck.event", EVENT_ACTION),
    SYSTEM("data.win.system.providerName", PROVIDER_NAME), SYSTEM("data.win.system.providerGuid", PROVIDER_GUID),
    SYSTEM("data.win.system.eventID", EVENT_ID), SYSTEM("data.win.system.version", VERSION), SYSTEM("data.win.system.level", LEVEL),
    SYSTEM("data.win.system.task", TASK), SYSTEM("data.win.system.opcode", OPCODE), SYSTEM("data.win.system.keywords", KEYWORDS),
    SYSTEM("data.win.system.systemTime", TIME_CREATED), SYSTEM("data.win.system.eventRecordID", RECORD_ID),
    SYSTEM("data.win.system.processID", PROCESS_ID), SYSTEM("data.win.system.threadID", THREAD_ID),
    SYSTEM("data.win.system.channel", CHANNEL), SYSTEM("data.win.system.computer", COMPUTER), PUT("data.win.system.message", MESSAGE),
};

static const struct json_map auditd[] = {
    OWN("ID", OP_TEXT, SLOT_TIME_LOCAL), PUT("NODE", HOST_NAME), PUT("SYSCALL.pid", PROCESS_PID), PUT("SYSCALL.ppid", PROCESS_PARENT_PID),
    PUT("SYSCALL.comm", PROCESS_NAME), PUT("SYSCALL.exe", PROCESS_EXECUTABLE), MAP("SYSCALL.uid", OP_TEXT, USER_ID),
    PUT("SYSCALL.UID", USER_NAME), MAP("SYSCALL.euid", OP_TEXT, USER_EFFECTIVE_ID), PUT("SYSCALL.EUID", USER_EFFECTIVE_NAME),
    PUT("SYSCALL.key", RULE_NAME), PUT("EXECVE.ARGV", PROCESS_ARGS), PUT("CWD.cwd", PROCESS_WORKING_DIRECTORY),
    PUT("PATH.name", FILE_PATH), PUT("SYSCALL.SYSCALL", EVENT_ACTION), OWN("SYSCALL.success", OP_TEXT, SLOT_STATUS),
};

#define SAME_SYSTEM(prefix)                                                                                        \
    SYSTEM(prefix "EventID", EVENT_ID), SYSTEM(prefix "EventID.#text", EVENT_ID), SYSTEM(prefix "EventID.text", EVENT_ID), \
    SYSTEM(prefix "EventID.Value", EVENT_ID), SYSTEM(prefix "EventID.value", EVENT_ID),                            \
    SYSTEM(prefix "Version", VERSION), SYSTEM(prefix "Level", LEVEL), SYSTEM(prefix "Task", TASK), SYSTEM(prefix "Opcode", OPCODE), \
    SYSTEM(prefix "Keywords", KEYWORDS), SYSTEM(prefix "EventRecordID", RECORD_ID), SYSTEM(prefix "Channel", CHANNEL), \
    SYSTEM(prefix "Computer", COMPUTER), SYSTEM(prefix "Provider.Name", PROVIDER_NAME), SYSTEM(prefix "Provider.Guid", PROVIDER_GUID), \
    SYSTEM(prefix "TimeCreated.SystemTime", TIME_CREATED), SYSTEM(prefix "TimeCreated", TIME_CREATED), \
    SYSTEM(prefix "Correlation.ActivityID", ACTIVITY_ID), SYSTEM(prefix "Correlation.RelatedActivityID", RELATED_ACTIVITY_ID), \
    SYSTEM(prefix "Execution.ProcessID", PROCESS_ID), SYSTEM(prefix "Execution.ThreadID", THREAD_ID), \
    SYSTEM(prefix "Security.UserID", USER_ID), SYSTEM(prefix "EventID.Qualifiers", QUALIFIERS)

/* paths below are met with "Event." and the marks of attributes (#attributes, _attributes, @, $) taken out: see event_json.c */
static const struct json_map winevent[] = {
    SAME_SYSTEM("System."), PUT("RenderingInfo.Message", MESSAGE), PUT("Message", MESSAGE),
};

static const struct json_map winflat[] = {
    SYSTEM("EventID", EVENT_ID), SYSTEM("EventId", EVENT_ID), SYSTEM("Channel", CHANNEL), SYSTEM("LogName", CHANNEL),
    SYSTEM("EventLog", CHANNEL),
    SYSTEM("SourceName", PROVIDER_NAME), SYSTEM("EventSourceName", PROVIDER_NAME), SYSTEM("Provider_Name", PROVIDER_NAME),
    SYSTEM("ProviderName", PROVIDER_NAME),
    SYSTEM("Source", PROVIDER_NAME), SYSTEM("ProviderGuid", PROVIDER_GUID), SYSTEM("Provider_Guid", PROVIDER_GUID),
    SYSTEM("Hostname", COMPUTER), SYSTEM("Computer", COMPUTER), SYSTEM("ComputerName", COMPUTER), SYSTEM("MachineName", COMPUTER),
    SYSTEM("RecordNumber", RECORD_ID), SYSTEM("EventRecordID", RECORD_ID), SYSTEM("RecordId", RECORD_ID),
    SYSTEM("Version", VERSION), SYSTEM("Level", LEVEL), SYSTEM("Task", TASK), SYSTEM("OpcodeValue", OPCODE), SYSTEM("Keywords", KEYWORDS),
    SYSTEM("ExecutionProcessID", PROCESS_ID), SYSTEM("ExecutionThreadID", THREAD_ID), SYSTEM("ThreadID", THREAD_ID),
    SYSTEM("ActivityID", ACTIVITY_ID), SYSTEM("RelatedActivityID", RELATED_ACTIVITY_ID), SYSTEM("UserID", USER_ID),
    SYSTEM("UserId", USER_ID),
    OWN("@timestamp", OP_SKIP, SLOT_TIME_ZONED), OWN("EventTime", OP_SKIP, SLOT_TIME_LOCAL), OWN("TimeCreated", OP_SKIP, SLOT_TIME_LOCAL),
    OWN("TimeGenerated", OP_SKIP, SLOT_TIME_LOCAL), OWN("SystemTime", OP_SKIP, SLOT_TIME_LOCAL), OWN("UtcTime", OP_DATA, SLOT_NONE),
    PUT("Message", MESSAGE), PUT("message", MESSAGE), PUT("RenderedDescription", MESSAGE), PUT("tags", TAGS),
    PUT("host", LOG_SOURCE_ADDRESS),
    OWN("EventType", OP_EVENT_TYPE, SLOT_NONE), OWN("EventData", OP_DATA_XML, SLOT_NONE), OWN("UserData", OP_DATA_XML, SLOT_NONE),
};

static const struct json_map winlog[] = {
    SYSTEM("winlog.channel", CHANNEL), SYSTEM("winlog.provider_name", PROVIDER_NAME), SYSTEM("winlog.provider_guid", PROVIDER_GUID),
    SYSTEM("winlog.event_id", EVENT_ID), SYSTEM("winlog.record_id", RECORD_ID), SYSTEM("winlog.computer_name", COMPUTER),
    SYSTEM("winlog.task", TASK), SYSTEM("winlog.opcode", OPCODE), SYSTEM("winlog.level", LEVEL), SYSTEM("winlog.version", VERSION),
    SYSTEM("winlog.process.pid", PROCESS_ID), SYSTEM("winlog.process.thread.id", THREAD_ID), SYSTEM("winlog.user.identifier", USER_ID),
    SYSTEM("winlog.activity_id", ACTIVITY_ID), SYSTEM("winlog.related_activity_id", RELATED_ACTIVITY_ID),
    MAP("winlog.keywords", OP_TEXT, WINLOG_KEYWORDS),
    OWN("winlog.user_data.xml_name", OP_SKIP, SLOT_XML_NAME), TIME("@timestamp", 1),
};

static const struct json_map winlog6[] = {
    SYSTEM("log_name", CHANNEL), SYSTEM("source_name", PROVIDER_NAME), SYSTEM("provider_guid", PROVIDER_GUID), SYSTEM("event_id", EVENT_ID),
    SYSTEM("record_number", RECORD_ID), SYSTEM("computer_name", COMPUTER), SYSTEM("task", TASK), SYSTEM("opcode", OPCODE),
    SYSTEM("version", VERSION), SYSTEM("process_id", PROCESS_ID), SYSTEM("thread_id", THREAD_ID), SYSTEM("user.identifier", USER_ID),
    SYSTEM("activity_id", ACTIVITY_ID), SYSTEM("related_activity_id", RELATED_ACTIVITY_ID), MAP("keywords", OP_TEXT, WINLOG_KEYWORDS),
    PUT("level", LOG_LEVEL), PUT("message", MESSAGE), TIME("@timestamp", 1), PUT("beat.hostname", AGENT_NAME),
    PUT("beat.version", AGENT_VERSION),
    PUT("tags", TAGS), PUT("host.name", HOST_NAME), OWN("user_data.xml_name", OP_SKIP, SLOT_XML_NAME),
};

static const struct json_map ecs[] = {TIME("@timestamp", 1)};

static const struct json_map generic[] = {
    TIME("@timestamp", 1), TIME("timestamp", 2), TIME("time", 3), TIME("ts", 4), TIME("eventTime", 5), TIME("event_time", 5),
    TIME("EventTime", 5),
    TIME("datetime", 6), TIME("TimeGenerated", 6), TIME("TimeCreated", 6), TIME("event.created", 6), TIME("_time", 6), TIME("@t", 6),
    TIME("timeStamp", 6), TIME("Timestamp", 6), TIME("time_local", 6), TIME("time_iso8601", 5), TIME("timestamp_ms", 6),
    TIME("start_time", 7),
    TIME("asctime", 7), TIME("created_at", 8), TIME("date", 9), TIME("__REALTIME_TIMESTAMP", 4), TIME("_SOURCE_REALTIME_TIMESTAMP", 3),
    PUT("message", MESSAGE), PUT("msg", MESSAGE), PUT("log", MESSAGE), PUT("MESSAGE", MESSAGE), PUT("@m", MESSAGE),
    PUT("SyslogMessage", MESSAGE),
    PUT("host", HOST_NAME), PUT("hostname", HOST_NAME), PUT("HostName", HOST_NAME), PUT("Hostname", HOST_NAME), PUT("Computer", HOST_NAME),
    PUT("computer", HOST_NAME), PUT("host_name", HOST_NAME), PUT("_HOSTNAME", HOST_NAME),
    PUT("user", USER_NAME), PUT("username", USER_NAME), PUT("user_name", USER_NAME), PUT("userName", USER_NAME), PUT("UserName", USER_NAME),
    PUT("remote_user", USER_NAME), PUT("email", USER_EMAIL), MAP("uid", OP_TEXT, USER_ID), MAP("user_id", OP_TEXT, USER_ID),
    MAP("userId", OP_TEXT, USER_ID),
    MAP("src_ip", OP_IP, SOURCE_IP), MAP("srcip", OP_IP, SOURCE_IP), MAP("source_ip", OP_IP, SOURCE_IP), MAP("sourceIp", OP_IP, SOURCE_IP),
    MAP("SourceIp", OP_IP, SOURCE_IP), MAP("SourceIP", OP_IP, SOURCE_IP), MAP("sourceIPAddress", OP_IP, SOURCE_IP),
    MAP("src", OP_IP, SOURCE_IP),
    MAP("client_ip", OP_IP, SOURCE_IP), MAP("clientip", OP_IP, SOURCE_IP), MAP("clientIp", OP_IP, SOURCE_IP),
    MAP("ClientIP", OP_IP, SOURCE_IP),
    MAP("ClientIp", OP_IP, SOURCE_IP), MAP("remote_addr", OP_IP, SOURCE_IP), MAP("remote_ip", OP_IP, SOURCE_IP),
    MAP("remoteAddress", OP_IP, SOURCE_IP),
    MAP("ip", OP_IP, SOURCE_IP), MAP("ip_address", OP_IP, SOURCE_IP), MAP("ipAddress", OP_IP, SOURCE_IP), MAP("saddr", OP_IP, SOURCE_IP),
    MAP("dst_ip", OP_IP, DESTINATION_IP), MAP("dstip", OP_IP, DESTINATION_IP), MAP("dest_ip", OP_IP, DESTINATION_IP),
    MAP("dst", OP_IP, DESTINATION_IP),
    MAP("destination_ip", OP_IP, DESTINATION_IP), MAP("destinationIp", OP_IP, DESTINATION_IP), MAP("DestinationIp", OP_IP, DESTINATION_IP),
    MAP("DestinationIP", OP_IP, DESTINATION_IP), MAP("daddr", OP_IP, DESTINATION_IP), MAP("server_ip", OP_IP, DESTINATION_IP),
    PUT("src_port", SOURCE_PORT), PUT("srcport", SOURCE_PORT), PUT("source_port", SOURCE_PORT), PUT("SourcePort", SOURCE_PORT),
    PUT("sport", SOURCE_PORT),
    PUT("remote_port", SOURCE_PORT), PUT("dst_port", DESTINATION_PORT), PUT("dstport", DESTINATION_PORT),
    PUT("dest_port", DESTINATION_PORT),
    PUT("destination_port", DESTINATION_PORT), PUT("DestinationPort", DESTINATION_PORT), PUT("dport", DESTINATION_PORT),
    MAP("proto", OP_LOWER, NETWORK_TRANSPORT), MAP("Protocol", OP_LOWER, NETWORK_TRANSPORT),
    PUT("level", LOG_LEVEL), PUT("log_level", LOG_LEVEL), PUT("loglevel", LOG_LEVEL), PUT("severity", LOG_LEVEL),
    PUT("levelname", LOG_LEVEL),
    PUT("@l", LOG_LEVEL), PUT("SeverityLevel", LOG_LEVEL), PUT("logger", LOG_LOGGER), PUT("logger_name", LOG_LOGGER),
    PUT("pid", PROCESS_PID), PUT("_PID", PROCESS_PID), PUT("ProcessName", PROCESS_NAME), PUT("process_name", PROCESS_NAME),
    PUT("program", PROCESS_NAME),
    PUT("SYSLOG_IDENTIFIER", PROCESS_NAME), PUT("_COMM", PROCESS_NAME), PUT("_EXE", PROCESS_EXECUTABLE),
    PUT("_CMDLINE", PROCESS_COMMAND_LINE),
    PUT("cmdline", PROCESS_COMMAND_LINE), PUT("command_line", PROCESS_COMMAND_LINE), PUT("CommandLine", PROCESS_COMMAND_LINE),
    PUT("user_agent", USER_AGENT), PUT("userAgent", USER_AGENT), PUT("http_user_agent", USER_AGENT), PUT("useragent", USER_AGENT),
    PUT("agent", USER_AGENT),
    PUT("http_referer", HTTP_REFERRER), PUT("referer", HTTP_REFERRER), PUT("referrer", HTTP_REFERRER), PUT("request_method", HTTP_METHOD),
    PUT("method", HTTP_METHOD), PUT("http_method", HTTP_METHOD), PUT("status", HTTP_STATUS), PUT("status_code", HTTP_STATUS),
    PUT("request_uri", URL_ORIGINAL),
    PUT("uri", URL_ORIGINAL), PUT("url", URL_ORIGINAL), PUT("http_host", URL_DOMAIN), PUT("body_bytes_sent", HTTP_RESPONSE_BODY_BYTES),
    PUT("bytes_sent", HTTP_RESPONSE_BYTES), PUT("domain", URL_DOMAIN), PUT("container_id", CONTAINER_ID),
    PUT("container_name", CONTAINER_NAME),
};

#define ROWS(x) x, sizeof(x) / sizeof *(x)
const struct json_schema_map json_schema_maps[SCHEMA_ZEEK] = {
    [SCHEMA_GENERIC] = {ROWS(generic), "", "json", NULL, NULL, true},
    [SCHEMA_ECS] = {ROWS(ecs), "", "ecs", NULL, NULL, false},
    [SCHEMA_EVE] = {ROWS(eve), "suricata.eve.", "suricata-eve", "suricata", "suricata.eve", false},
    [SCHEMA_CLOUDTRAIL] = {ROWS(cloudtrail), "aws.cloudtrail.", "cloudtrail", "aws", "aws.cloudtrail", true},
    [SCHEMA_WAZUH] = {ROWS(wazuh), "wazuh.", "wazuh", "wazuh", "wazuh.alerts", false},
    [SCHEMA_AUDITD] = {ROWS(auditd), "auditd.", "auditd-json", "auditd", "auditd.log", false},
    [SCHEMA_WINLOG] = {ROWS(winlog), "", "windows-json", NULL, NULL, false},
    [SCHEMA_WINLOG6] = {ROWS(winlog6), "winlogbeat.", "windows-json", "windows", "windows.eventlog", false},
    [SCHEMA_WINEVENT] = {ROWS(winevent), "winlog.", "windows-json", "windows", "windows.eventlog", false},
    [SCHEMA_WINFLAT] = {ROWS(winflat), "", "windows-json", "windows", "windows.eventlog", false},
    [SCHEMA_AZURE] = {ROWS(winflat), "azure.", "windows-json", "windows", "windows.eventlog", false},
};
