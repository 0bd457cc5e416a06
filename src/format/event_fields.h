/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/event_fields - the well-known fields of log events: ECS 8 names and types.
 *
 * Any other name may appear too (struct event_names gives it a number when it is first seen). Names outside ECS 8
 * are marked (*). Numbers of fields are of the running process only: files hold names. Order is free.
 *
 * X(ID, "ECS name", TYPE): KEYWORD and TEXT hold UTF-8, LONG an integer, REAL a double, BOOL, IP an address, DATE a time.
 * What does not fit the type of its field is kept as text (see event_put).
 * Source: Elastic Common Schema 8.17, https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html
 */
#pragma once

#define EVENT_FIELDS(X)                                             \
    X(MESSAGE, "message", TEXT)                                     \
    X(TAGS, "tags", KEYWORD)                                        \
    X(EVENT_KIND, "event.kind", KEYWORD)                            \
    X(EVENT_CATEGORY, "event.category", KEYWORD)                    \
    X(EVENT_TYPE, "event.type", KEYWORD)                            \
    X(EVENT_ACTION, "event.action", KEYWORD)                        \
    X(EVENT_OUTCOME, "event.outcome", KEYWORD)                      \
    X(EVENT_REASON, "event.reason", KEYWORD)                        \
    X(EVENT_CODE, "event.code", KEYWORD)                            \
    X(EVENT_ID, "event.id", KEYWORD)                                \
    X(EVENT_MODULE, "event.module", KEYWORD)                        \
    X(EVENT_DATASET, "event.dataset", KEYWORD)                      \
    X(EVENT_PROVIDER, "event.provider", KEYWORD)                    \
    X(EVENT_SEVERITY, "event.severity", LONG)                       \
    X(EVENT_RISK_SCORE, "event.risk_score", REAL)                   \
    X(EVENT_SEQUENCE, "event.sequence", LONG)                       \
    X(EVENT_DURATION, "event.duration", LONG)                       \
    X(EVENT_START, "event.start", DATE)                             \
    X(EVENT_END, "event.end", DATE)                                 \
    X(EVENT_URL, "event.url", KEYWORD)                              \
    X(EVENT_TIMEZONE, "event.timezone", KEYWORD)                    \
    X(EVENT_DECODER, "event.decoder", KEYWORD)         /* (*) who understood it; absent: nobody */ \
    X(EVENT_TIME_SOURCE, "event.time_source", KEYWORD) /* (*) absent: the event's own; "year_guessed", "arrival", "record" */ \
    X(EVENT_TRUNCATED, "event.truncated", BOOL)        /* (*) fields or text over a limit are missing */ \
    X(EVENT_CARVED, "event.carved", BOOL)              /* (*) recovered from slack or damage */ \
    X(LOG_LEVEL, "log.level", KEYWORD)                              \
    X(LOG_LOGGER, "log.logger", KEYWORD)                            \
    X(LOG_FILE_PATH, "log.file.path", KEYWORD)                      \
    X(LOG_OFFSET, "log.offset", LONG)                               \
    X(LOG_SOURCE_ADDRESS, "log.source.address", KEYWORD) /* (*) who sent it to us */ \
    X(LOG_SYSLOG_PRIORITY, "log.syslog.priority", LONG)             \
    X(LOG_SYSLOG_FACILITY, "log.syslog.facility.code", LONG)        \
    X(LOG_SYSLOG_FACILITY_NAME, "log.syslog.facility.name", KEYWORD) \
    X(LOG_SYSLOG_SEVERITY, "log.syslog.severity.code", LONG)        \
    X(LOG_SYSLOG_SEVERITY_NAME, "log.syslog.severity.name", KEYWORD) \
    X(LOG_SYSLOG_HOSTNAME, "log.syslog.hostname", KEYWORD)          \
    X(LOG_SYSLOG_APPNAME, "log.syslog.appname", KEYWORD)            \
    X(LOG_SYSLOG_PROCID, "log.syslog.procid", KEYWORD)              \
    X(LOG_SYSLOG_MSGID, "log.syslog.msgid", KEYWORD)                \
    X(LOG_SYSLOG_VERSION, "log.syslog.version", KEYWORD)            \
    X(HOST_NAME, "host.name", KEYWORD)                              \
    X(HOST_HOSTNAME, "host.hostname", KEYWORD)                      \
    X(HOST_ID, "host.id", KEYWORD)                                  \
    X(HOST_IP, "host.ip", IP)                                       \
    X(HOST_MAC, "host.mac", KEYWORD)                                \
    X(HOST_DOMAIN, "host.domain", KEYWORD)                          \
    X(HOST_OS_NAME, "host.os.name", KEYWORD)                        \
    X(HOST_OS_VERSION, "host.os.version", KEYWORD)                  \
    X(AGENT_NAME, "agent.name", KEYWORD)                            \
    X(AGENT_ID, "agent.id", KEYWORD)                                \
    X(AGENT_TYPE, "agent.type", KEYWORD)                            \
    X(AGENT_VERSION, "agent.version", KEYWORD)                      \
    X(OBSERVER_NAME, "observer.name", KEYWORD)                      \
    X(OBSERVER_HOSTNAME, "observer.hostname", KEYWORD)              \
    X(OBSERVER_IP, "observer.ip", IP)                               \
    X(OBSERVER_VENDOR, "observer.vendor", KEYWORD)                  \
    X(OBSERVER_PRODUCT, "observer.product", KEYWORD)                \
    X(OBSERVER_TYPE, "observer.type", KEYWORD)                      \
    X(OBSERVER_VERSION, "observer.version", KEYWORD)                \
    X(OBSERVER_SERIAL, "observer.serial_number", KEYWORD)           \
    X(OBSERVER_INGRESS_NAME, "observer.ingress.interface.name", KEYWORD) \
    X(OBSERVER_EGRESS_NAME, "observer.egress.interface.name", KEYWORD) \
    X(OBSERVER_INGRESS_ZONE, "observer.ingress.zone", KEYWORD)      \
    X(OBSERVER_EGRESS_ZONE, "observer.egress.zone", KEYWORD)        \
    X(SOURCE_ADDRESS, "source.address", KEYWORD)                    \
    X(SOURCE_IP, "source.ip", IP)                                   \
    X(SOURCE_PORT, "source.port", LONG)                             \
    X(SOURCE_MAC, "source.mac", KEYWORD)                            \
    X(SOURCE_DOMAIN, "source.domain", KEYWORD)                      \
    X(SOURCE_BYTES, "source.bytes", LONG)                           \
    X(SOURCE_PACKETS, "source.packets", LONG)                       \
    X(SOURCE_NAT_IP, "source.nat.ip", IP)                           \
    X(SOURCE_NAT_PORT, "source.nat.port", LONG)                     \
    X(SOURCE_USER_NAME, "source.user.name", KEYWORD)                \
    X(SOURCE_GEO_COUNTRY, "source.geo.country_iso_code", KEYWORD)   \
    X(SOURCE_AS, "source.as.number", LONG)                          \
    X(DESTINATION_ADDRESS, "destination.address", KEYWORD)          \
    X(DESTINATION_IP, "destination.ip", IP)                         \
    X(DESTINATION_PORT, "destination.port", LONG)                   \
    X(DESTINATION_MAC, "destination.mac", KEYWORD)                  \
    X(DESTINATION_DOMAIN, "destination.domain", KEYWORD)            \
    X(DESTINATION_BYTES, "destination.bytes", LONG)                 \
    X(DESTINATION_PACKETS, "destination.packets", LONG)             \
    X(DESTINATION_NAT_IP, "destination.nat.ip", IP)                 \
    X(DESTINATION_NAT_PORT, "destination.nat.port", LONG)           \
    X(DESTINATION_USER_NAME, "destination.user.name", KEYWORD)      \
    X(DESTINATION_GEO_COUNTRY, "destination.geo.country_iso_code", KEYWORD) \
    X(CLIENT_IP, "client.ip", IP)                                   \
    X(CLIENT_PORT, "client.port", LONG)                             \
    X(CLIENT_ADDRESS, "client.address", KEYWORD)                    \
    X(CLIENT_MAC, "client.mac", KEYWORD)                            \
    X(CLIENT_DOMAIN, "client.domain", KEYWORD)                      \
    X(SERVER_IP, "server.ip", IP)                                   \
    X(SERVER_PORT, "server.port", LONG)                             \
    X(SERVER_ADDRESS, "server.address", KEYWORD)                    \
    X(SERVER_DOMAIN, "server.domain", KEYWORD)                      \
    X(RELATED_IP, "related.ip", IP)                                 \
    X(RELATED_USER, "related.user", KEYWORD)                        \
    X(RELATED_HOSTS, "related.hosts", KEYWORD)                      \
    X(RELATED_HASH, "related.hash", KEYWORD)                        \
    X(NETWORK_TRANSPORT, "network.transport", KEYWORD)              \
    X(NETWORK_PROTOCOL, "network.protocol", KEYWORD)                \
    X(NETWORK_APPLICATION, "network.application", KEYWORD)          \
    X(NETWORK_TYPE, "network.type", KEYWORD)                        \
    X(NETWORK_IANA, "network.iana_number", KEYWORD)                 \
    X(NETWORK_DIRECTION, "network.direction", KEYWORD)              \
    X(NETWORK_BYTES, "network.bytes", LONG)                         \
    X(NETWORK_PACKETS, "network.packets", LONG)                     \
    X(NETWORK_COMMUNITY_ID, "network.community_id", KEYWORD)        \
    X(NETWORK_NAME, "network.name", KEYWORD)                        \
    X(NETWORK_VLAN, "network.vlan.id", KEYWORD)                     \
    X(NETWORK_STATE, "network.state", KEYWORD) /* (*) */            \
    X(RULE_ID, "rule.id", KEYWORD)                                  \
    X(RULE_NAME, "rule.name", KEYWORD)                              \
    X(RULE_CATEGORY, "rule.category", KEYWORD)                      \
    X(RULE_RULESET, "rule.ruleset", KEYWORD)                        \
    X(RULE_VERSION, "rule.version", KEYWORD)                        \
    X(RULE_DESCRIPTION, "rule.description", KEYWORD)                \
    X(RULE_REFERENCE, "rule.reference", KEYWORD)                    \
    X(RULE_UUID, "rule.uuid", KEYWORD)                              \
    X(THREAT_TACTIC_ID, "threat.tactic.id", KEYWORD)                \
    X(THREAT_TACTIC_NAME, "threat.tactic.name", KEYWORD)            \
    X(THREAT_TECHNIQUE_ID, "threat.technique.id", KEYWORD)          \
    X(THREAT_TECHNIQUE_NAME, "threat.technique.name", KEYWORD)      \
    X(THREAT_INDICATOR_NAME, "threat.indicator.name", KEYWORD)      \
    X(USER_NAME, "user.name", KEYWORD)                              \
    X(USER_ID, "user.id", KEYWORD)                                  \
    X(USER_DOMAIN, "user.domain", KEYWORD)                          \
    X(USER_EMAIL, "user.email", KEYWORD)                            \
    X(USER_FULL_NAME, "user.full_name", KEYWORD)                    \
    X(USER_GROUP_NAME, "user.group.name", KEYWORD)                  \
    X(USER_ROLES, "user.roles", KEYWORD)                            \
    X(USER_EFFECTIVE_NAME, "user.effective.name", KEYWORD)          \
    X(USER_EFFECTIVE_ID, "user.effective.id", KEYWORD)              \
    X(USER_TARGET_NAME, "user.target.name", KEYWORD)                \
    X(USER_TARGET_ID, "user.target.id", KEYWORD)                    \
    X(USER_TARGET_DOMAIN, "user.target.domain", KEYWORD)            \
    X(GROUP_NAME, "group.name", KEYWORD)                            \
    X(GROUP_ID, "group.id", KEYWORD)                                \
    X(PROCESS_NAME, "process.name", KEYWORD)                        \
    X(PROCESS_PID, "process.pid", LONG)                             \
    X(PROCESS_ENTITY_ID, "process.entity_id", KEYWORD)              \
    X(PROCESS_EXECUTABLE, "process.executable", KEYWORD)            \
    X(PROCESS_COMMAND_LINE, "process.command_line", KEYWORD)        \
    X(PROCESS_ARGS, "process.args", KEYWORD)                        \
    X(PROCESS_WORKING_DIRECTORY, "process.working_directory", KEYWORD) \
    X(PROCESS_TITLE, "process.title", KEYWORD)                      \
    X(PROCESS_EXIT_CODE, "process.exit_code", LONG)                 \
    X(PROCESS_THREAD_ID, "process.thread.id", LONG)                 \
    X(PROCESS_HASH_MD5, "process.hash.md5", KEYWORD)                \
    X(PROCESS_HASH_SHA1, "process.hash.sha1", KEYWORD)              \
    X(PROCESS_HASH_SHA256, "process.hash.sha256", KEYWORD)          \
    X(PROCESS_PE_ORIGINAL, "process.pe.original_file_name", KEYWORD) \
    X(PROCESS_PE_IMPHASH, "process.pe.imphash", KEYWORD)            \
    X(PROCESS_PARENT_NAME, "process.parent.name", KEYWORD)          \
    X(PROCESS_PARENT_PID, "process.parent.pid", LONG)               \
    X(PROCESS_PARENT_ENTITY_ID, "process.parent.entity_id", KEYWORD) \
    X(PROCESS_PARENT_EXECUTABLE, "process.parent.executable", KEYWORD) \
    X(PROCESS_PARENT_COMMAND_LINE, "process.parent.command_line", KEYWORD) \
    X(FILE_NAME, "file.name", KEYWORD)                              \
    X(FILE_PATH, "file.path", KEYWORD)                              \
    X(FILE_TARGET_PATH, "file.target_path", KEYWORD)                \
    X(FILE_EXTENSION, "file.extension", KEYWORD)                    \
    X(FILE_DIRECTORY, "file.directory", KEYWORD)                    \
    X(FILE_SIZE, "file.size", LONG)                                 \
    X(FILE_OWNER, "file.owner", KEYWORD)                            \
    X(FILE_MIME_TYPE, "file.mime_type", KEYWORD)                    \
    X(FILE_HASH_MD5, "file.hash.md5", KEYWORD)                      \
    X(FILE_HASH_SHA1, "file.hash.sha1", KEYWORD)                    \
    X(FILE_HASH_SHA256, "file.hash.sha256", KEYWORD)                \
    X(FILE_PE_IMPHASH, "file.pe.imphash", KEYWORD)                  \
    X(FILE_PE_ORIGINAL, "file.pe.original_file_name", KEYWORD)      \
    X(DLL_PATH, "dll.path", KEYWORD)                                \
    X(DLL_NAME, "dll.name", KEYWORD)                                \
    X(REGISTRY_PATH, "registry.path", KEYWORD)                      \
    X(REGISTRY_KEY, "registry.key", KEYWORD)                        \
    X(REGISTRY_VALUE, "registry.value", KEYWORD)                    \
    X(REGISTRY_DATA, "registry.data.strings", KEYWORD)              \
    X(SERVICE_NAME, "service.name", KEYWORD)                        \
    X(SERVICE_TYPE, "service.type", KEYWORD)                        \
    X(DNS_QUESTION_NAME, "dns.question.name", KEYWORD)              \
    X(DNS_QUESTION_TYPE, "dns.question.type", KEYWORD)              \
    X(DNS_QUESTION_CLASS, "dns.question.class", KEYWORD)            \
    X(DNS_RESPONSE_CODE, "dns.response_code", KEYWORD)              \
    X(DNS_ID, "dns.id", KEYWORD)                                    \
    X(DNS_TYPE, "dns.type", KEYWORD)                                \
    X(DNS_ANSWERS_DATA, "dns.answers.data", KEYWORD)                \
    X(DNS_ANSWERS_TTL, "dns.answers.ttl", LONG)                     \
    X(DNS_RESOLVED_IP, "dns.resolved_ip", IP)                       \
    X(HTTP_METHOD, "http.request.method", KEYWORD)                  \
    X(HTTP_REFERRER, "http.request.referrer", KEYWORD)              \
    X(HTTP_REQUEST_BYTES, "http.request.bytes", LONG)               \
    X(HTTP_REQUEST_BODY_BYTES, "http.request.body.bytes", LONG)     \
    X(HTTP_REQUEST_BODY, "http.request.body.content", KEYWORD)      \
    X(HTTP_REQUEST_ID, "http.request.id", KEYWORD)                  \
    X(HTTP_STATUS, "http.response.status_code", LONG)               \
    X(HTTP_RESPONSE_BYTES, "http.response.bytes", LONG)             \
    X(HTTP_RESPONSE_BODY_BYTES, "http.response.body.bytes", LONG)   \
    X(HTTP_RESPONSE_MIME, "http.response.mime_type", KEYWORD)       \
    X(HTTP_VERSION, "http.version", KEYWORD)                        \
    X(URL_ORIGINAL, "url.original", KEYWORD)                        \
    X(URL_FULL, "url.full", KEYWORD)                                \
    X(URL_SCHEME, "url.scheme", KEYWORD)                            \
    X(URL_DOMAIN, "url.domain", KEYWORD)                            \
    X(URL_PORT, "url.port", LONG)                                   \
    X(URL_PATH, "url.path", KEYWORD)                                \
    X(URL_QUERY, "url.query", KEYWORD)                              \
    X(URL_EXTENSION, "url.extension", KEYWORD)                      \
    X(USER_AGENT, "user_agent.original", KEYWORD)                   \
    X(TLS_VERSION, "tls.version", KEYWORD)                          \
    X(TLS_CIPHER, "tls.cipher", KEYWORD)                            \
    X(TLS_SERVER_NAME, "tls.client.server_name", KEYWORD)           \
    X(TLS_JA3, "tls.client.ja3", KEYWORD)                           \
    X(TLS_JA3S, "tls.server.ja3s", KEYWORD)                         \
    X(TLS_JA4, "tls.client.ja4", KEYWORD)                           \
    X(TLS_SUBJECT, "tls.server.subject", KEYWORD)                   \
    X(TLS_ISSUER, "tls.server.issuer", KEYWORD)                     \
    X(TLS_FINGERPRINT, "tls.server.hash.sha1", KEYWORD)             \
    X(EMAIL_FROM, "email.from.address", KEYWORD)                    \
    X(EMAIL_TO, "email.to.address", KEYWORD)                        \
    X(EMAIL_SUBJECT, "email.subject", KEYWORD)                      \
    X(EMAIL_MESSAGE_ID, "email.message_id", KEYWORD)                \
    X(EMAIL_LOCAL_ID, "email.local_id", KEYWORD)                    \
    X(ERROR_MESSAGE, "error.message", TEXT)                         \
    X(ERROR_CODE, "error.code", KEYWORD)                            \
    X(CONTAINER_ID, "container.id", KEYWORD)                        \
    X(CONTAINER_NAME, "container.name", KEYWORD)                    \
    X(CLOUD_PROVIDER, "cloud.provider", KEYWORD)                    \
    X(CLOUD_ACCOUNT, "cloud.account.id", KEYWORD)                   \
    X(CLOUD_REGION, "cloud.region", KEYWORD)                        \
    X(ORGANIZATION_NAME, "organization.name", KEYWORD)              \
    X(WINLOG_CHANNEL, "winlog.channel", KEYWORD)       /* winlog.*: as Winlogbeat names them */ \
    X(WINLOG_PROVIDER, "winlog.provider_name", KEYWORD)             \
    X(WINLOG_PROVIDER_GUID, "winlog.provider_guid", KEYWORD)        \
    X(WINLOG_EVENT_ID, "winlog.event_id", KEYWORD)                  \
    X(WINLOG_RECORD_ID, "winlog.record_id", KEYWORD)                \
    X(WINLOG_COMPUTER, "winlog.computer_name", KEYWORD)             \
    X(WINLOG_TASK, "winlog.task", KEYWORD)                          \
    X(WINLOG_OPCODE, "winlog.opcode", KEYWORD)                      \
    X(WINLOG_KEYWORDS, "winlog.keywords", KEYWORD)                  \
    X(WINLOG_LEVEL, "winlog.level", KEYWORD)                        \
    X(WINLOG_VERSION, "winlog.version", LONG)                       \
    X(WINLOG_QUALIFIERS, "winlog.qualifiers", KEYWORD)              \
    X(WINLOG_PROCESS_PID, "winlog.process.pid", LONG)               \
    X(WINLOG_THREAD_ID, "winlog.process.thread.id", LONG)           \
    X(WINLOG_USER_SID, "winlog.user.identifier", KEYWORD)           \
    X(WINLOG_ACTIVITY_ID, "winlog.activity_id", KEYWORD)            \
    X(WINLOG_RELATED_ACTIVITY_ID, "winlog.related_activity_id", KEYWORD)              \
    X(LEASE_KIND, "vonggac.lease.kind", KEYWORD)       /* (*) who held an address: docs/logs.md */ \
    X(LEASE_EVENT, "vonggac.lease.event", KEYWORD)     /* (*) start, stop, interim */ \
    X(LEASE_SECONDS, "vonggac.lease.seconds", LONG)    /* (*) */    \
    X(NAT_PORT_START, "vonggac.nat.port_start", LONG)  /* (*) of a block */ \
    X(NAT_PORT_END, "vonggac.nat.port_end", LONG)      /* (*) */    \
    X(NAT_POOL, "vonggac.nat.pool", KEYWORD)           /* (*) */    \
    X(NAT_VRF, "vonggac.nat.vrf", KEYWORD)             /* (*) of the inside */ \
    X(SUBSCRIBER_ID, "vonggac.subscriber.id", KEYWORD) /* (*) */    \
    X(NAT_EVENT, "nat.event", LONG)                    /* (*) IPFIX 230, as of flows */ \
    X(CLOCK_OFFSET, "observer.clock_offset_us", LONG)  /* (*) received - sender's clock, as of flows */
