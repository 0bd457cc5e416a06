/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of every shape into events. Each case gives a record and fields that must be there, written by hand from what
 * the shipper's documentation says the record means; "name=" means the field must not be there.
 */
#include "cmocka_house.h"

#include "failing_alloc.h"
#include "format/event_record.h"

#include <errno.h>
#include <stdio.h>

#define ARRIVED INT64_C(1795000000000000)

static struct event_names *names;
static struct event_decoder *decoder;
static struct events *events;

static int set_up(void **state)
{
    (void)state;
    names = event_names_new();
    decoder = names ? event_decoder_new(names, NULL) : NULL;
    events = names ? events_new(names) : NULL;
    return decoder && events ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    events_free(events);
    event_decoder_free(decoder);
    event_names_free(names);
    return 0;
}

static struct event_source source = {.arrived_us = ARRIVED, .zone_s = 7 * 3600};

static int decode(struct text record)
{
    enum event_refusal reason = EVENT_N_REFUSALS;
    size_t at = 0;
    events_clear(events);
    return event_record(decoder, EVENT_RECORD_ANY, record, &source, events, &reason, &at);
}

/* has - row 0 has field=value; several values are joined by '|'. */
static bool has(const char *name, size_t n_name, const char *value)
{
    char all[4096] = "", scratch[EVENT_VALUE_TEXT_MAX];
    size_t n = 0;
    if (n_name == 10 && !memcmp(name, "@timestamp", 10)) {
        struct event_value v = {.type = EVENT_DATE, .number = events->time_us[0]};
        struct text t = event_value_text(events, &v, scratch);
        return text_is(t, value);
    }
    uint16_t field = event_names_find(names, (struct text){name, n_name});
    for (uint32_t i = 0; i < events->value_end[0]; i++) {
        if (events->values[i].field != field)
            continue;
        struct text t = event_value_text(events, &events->values[i], scratch);
        if (events->values[i].type == EVENT_NULL)
            t = TEXT("null");
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%.*s", n ? "|" : "", (int)t.n, t.p);
    }
    return !strcmp(all, value);
}

static void check(const char *record, const char *fields)
{
    char line[2048];
    struct text t = {record, strlen(record)};
    int rc = decode(t);
    if (rc)
        fail_msg("refused: %s", record);
    assert_int_equal(events->n, 1);
    assert_true(text_equal(event_original(events, 0), t));
    for (const char *p = fields; *p;) {
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, p);
        char *equals = strchr(line, '=');
        assert_non_null(equals);
        if (!has(line, (size_t)(equals - line), equals + 1)) {
            struct buf out = {.max = 1 << 20};
            event_json(events, 0, &out);
            print_error("wanted %s\n of %s\ngot %.*s\n", line, record, (int)out.n, (const char *)out.p);
            buf_fini(&out);
            fail();
        }
        p += n + (p[n] == '\n');
    }
}

struct record_case {
    const char *record, *fields;
};

static void check_all(const struct record_case *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check(table[i].record, table[i].fields);
}

/* --- Windows ------------------------------------------------------------------------------------------- */

/* one Sysmon process creation, as seven programs write it; what all must give */
#define SYSMON_FIELDS                                                                                          \
    "winlog.channel=Microsoft-Windows-Sysmon/Operational\nwinlog.provider_name=Microsoft-Windows-Sysmon\n"     \
    "winlog.event_id=1\nevent.code=1\nevent.provider=Microsoft-Windows-Sysmon\nwinlog.computer_name=PC1.example.vn\n" \
    "winlog.event_data.Image=C:\\Windows\\System32\\cmd.exe\nwinlog.event_data.ProcessId=4460\n"               \
    "winlog.event_data.CommandLine=cmd /c \"dir\" & echo 1\nwinlog.event_data.User=PC1\\lan\n"                 \
    "winlog.event_data.ProcessGuid={0197231E-005A-6928-A50B-000000000D00}\n"                                   \
    "process.executable=C:\\Windows\\System32\\cmd.exe\nprocess.name=cmd.exe\nprocess.pid=4460\n"              \
    "process.command_line=cmd /c \"dir\" & echo 1\nuser.name=lan\nuser.domain=PC1\n"                           \
    "process.hash.md5=FAB4B30C1C4F0A9202A7B42DCF1729DC\nprocess.hash.sha1=5E4F2C531C549BB72A658ED9DD16D491EDDBB286\n" \
    "process.parent.executable=C:\\Windows\\explorer.exe\nprocess.parent.name=explorer.exe\nprocess.parent.pid=900\n" \
    "event.category=process\nevent.type=start\nevent.action=process-created\n"

#define SYSMON_DATA                                                                                            \
    "\"Image\":\"C:\\\\Windows\\\\System32\\\\cmd.exe\",\"ProcessId\":\"4460\",\"CommandLine\":\"cmd /c \\\"dir\\\" & echo 1\"," \
    "\"User\":\"PC1\\\\lan\",\"ProcessGuid\":\"{0197231E-005A-6928-A50B-000000000D00}\","                      \
    "\"Hashes\":\"SHA1=5E4F2C531C549BB72A658ED9DD16D491EDDBB286,MD5=FAB4B30C1C4F0A9202A7B42DCF1729DC\","        \
    "\"ParentImage\":\"C:\\\\Windows\\\\explorer.exe\",\"ParentProcessId\":\"900\""

#define SYSMON_XML                                                                                             \
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"                            \
    "<Provider Name='Microsoft-Windows-Sysmon' Guid='{5770385f-c22a-43e0-bf4c-06f5698ffbd9}'/><EventID>1</EventID>" \
    "<Version>5</Version><Level>4</Level><Task>1</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>" \
    "<TimeCreated SystemTime='2025-11-27T07:40:10.165324Z'/><EventRecordID>571146</EventRecordID><Correlation/>" \
    "<Execution ProcessID='3544' ThreadID='4272'/><Channel>Microsoft-Windows-Sysmon/Operational</Channel>"      \
    "<Computer>PC1.example.vn</Computer><Security UserID='S-1-5-18'/></System><EventData>"                     \
    "<Data Name='Image'>C:\\Windows\\System32\\cmd.exe</Data><Data Name='ProcessId'>4460</Data>"                \
    "<Data Name='CommandLine'>cmd /c &quot;dir&quot; &amp; echo 1</Data><Data Name='User'>PC1\\lan</Data>"      \
    "<Data Name='ProcessGuid'>{0197231E-005A-6928-A50B-000000000D00}</Data>"                                   \
    "<Data Name='Hashes'>SHA1=5E4F2C531C549BB72A658ED9DD16D491EDDBB286,MD5=FAB4B30C1C4F0A9202A7B42DCF1729DC</Data>" \
    "<Data Name='ParentImage'>C:\\Windows\\explorer.exe</Data><Data Name='ParentProcessId'>900</Data></EventData></Event>"

#define SYSTEM_FIELDS                                                                                          \
    "winlog.record_id=571146\nwinlog.level=4\nlog.level=information\nwinlog.task=1\nwinlog.version=5\n"         \
    "winlog.process.pid=3544\nwinlog.process.thread.id=4272\nwinlog.user.identifier=S-1-5-18\n@timestamp=2025-11-27T07:40:10.165324Z\n"

static void one_windows_event_has_the_same_fields_in_every_form(void **state)
{
    (void)state;
    static const struct record_case table[] = {
        {SYSMON_XML, SYSMON_FIELDS SYSTEM_FIELDS "winlog.keywords=0x8000000000000000\nhost.name=PC1.example.vn\nevent.decoder=windows-xml"},
        /* forwarded in syslog, RFC 5424 */
        {"<14>1 2025-11-27T14:40:11+07:00 wec01 nxlog 812 - - " SYSMON_XML, SYSMON_FIELDS SYSTEM_FIELDS "log.syslog.hostname=wec01\nlog.syslog.appname=nxlog"},
        /* evtx_dump: attributes apart, GUIDs without braces, numbers */
        {"{\"Event\":{\"#attributes\":{\"xmlns\":\"http://schemas.microsoft.com/win/2004/08/events/event\"},\"System\":{\"Provider\":{\"#attributes\":"
         "{\"Name\":\"Microsoft-Windows-Sysmon\",\"Guid\":\"5770385f-c22a-43e0-bf4c-06f5698ffbd9\"}},\"EventID\":1,\"Version\":5,\"Level\":4,\"Task\":1,"
         "\"Opcode\":0,\"Keywords\":\"0x8000000000000000\",\"TimeCreated\":{\"#attributes\":{\"SystemTime\":\"2025-11-27T07:40:10.165324Z\"}},"
         "\"EventRecordID\":571146,\"Correlation\":null,\"Execution\":{\"#attributes\":{\"ProcessID\":3544,\"ThreadID\":4272}},"
         "\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Computer\":\"PC1.example.vn\",\"Security\":{\"#attributes\":{\"UserID\":\"S-1-5-18\"}}},"
         "\"EventData\":{\"Image\":\"C:\\\\Windows\\\\System32\\\\cmd.exe\",\"ProcessId\":4460,\"CommandLine\":\"cmd /c \\\"dir\\\" & echo 1\","
         "\"User\":\"PC1\\\\lan\",\"ProcessGuid\":\"0197231E-005A-6928-A50B-000000000D00\","
         "\"Hashes\":\"SHA1=5E4F2C531C549BB72A658ED9DD16D491EDDBB286,MD5=FAB4B30C1C4F0A9202A7B42DCF1729DC\","
         "\"ParentImage\":\"C:\\\\Windows\\\\explorer.exe\",\"ParentProcessId\":900}}}",
         SYSMON_FIELDS SYSTEM_FIELDS "winlog.provider_guid={5770385f-c22a-43e0-bf4c-06f5698ffbd9}\nwinlog.system.Correlation=\nevent.decoder=windows-json"},
        /* the same with attributes beside, as its other option writes them, and EventID with qualifiers */
        {"{\"Event\":{\"System\":{\"Provider_attributes\":{\"Name\":\"Microsoft-Windows-Sysmon\"},\"EventID\":{\"#attributes\":{\"Qualifiers\":0},\"#text\":1},"
         "\"TimeCreated_attributes\":{\"SystemTime\":\"2025-11-27T07:40:10.165324Z\"},\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","
         "\"Computer\":\"PC1.example.vn\"},\"EventData\":{" SYSMON_DATA "}}}", SYSMON_FIELDS "winlog.qualifiers=0"},
        /* XML turned into a dictionary: names and texts of <Data> apart */
        {"{\"Event\":{\"System\":{\"Provider\":{\"@Name\":\"Microsoft-Windows-Sysmon\"},\"EventID\":\"1\",\"TimeCreated\":{\"@SystemTime\":\"2025-11-27T07:40:10Z\"},"
         "\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Computer\":\"PC1.example.vn\"},\"EventData\":{\"Data\":["
         "{\"@Name\":\"Image\",\"#text\":\"C:\\\\Windows\\\\System32\\\\cmd.exe\"},{\"@Name\":\"ProcessId\",\"#text\":\"4460\"},{\"@Name\":\"RuleName\"},"
         "{\"@Name\":\"CommandLine\",\"#text\":\"cmd /c \\\"dir\\\" & echo 1\"},{\"@Name\":\"User\",\"#text\":\"PC1\\\\lan\"},"
         "{\"@Name\":\"ProcessGuid\",\"#text\":\"{0197231E-005A-6928-A50B-000000000D00}\"},"
         "{\"@Name\":\"Hashes\",\"#text\":\"SHA1=5E4F2C531C549BB72A658ED9DD16D491EDDBB286,MD5=FAB4B30C1C4F0A9202A7B42DCF1729DC\"},"
         "{\"@Name\":\"ParentImage\",\"#text\":\"C:\\\\Windows\\\\explorer.exe\"},{\"@Name\":\"ParentProcessId\",\"#text\":\"900\"}]}}}",
         SYSMON_FIELDS "@timestamp=2025-11-27T07:40:10.000000Z\nwinlog.event_data.Data=\n"},
        /* Winlogbeat 8 */
        {"{\"@timestamp\":\"2025-11-27T07:40:10.165Z\",\"ecs\":{\"version\":\"8.0.0\"},\"event\":{\"code\":\"1\",\"kind\":\"event\",\"provider\":\"Microsoft-Windows-Sysmon\","
         "\"created\":\"2025-11-27T07:40:12Z\"},\"host\":{\"name\":\"pc1\"},\"log\":{\"level\":\"information\"},\"message\":\"Process Create\",\"winlog\":{\"channel\":"
         "\"Microsoft-Windows-Sysmon/Operational\",\"provider_name\":\"Microsoft-Windows-Sysmon\",\"event_id\":\"1\",\"computer_name\":\"PC1.example.vn\",\"record_id\":571146,"
         "\"api\":\"wineventlog\",\"process\":{\"pid\":3544,\"thread\":{\"id\":4272}},\"event_data\":{" SYSMON_DATA "}}}",
         SYSMON_FIELDS "host.name=pc1\nevent.kind=event\nevent.ingested=2025-11-27T07:40:12Z\nmessage=Process Create\nwinlog.record_id=571146\nwinlog.api=wineventlog"},
        /* NXLog: flat, times without zone */
        {"{\"EventTime\":\"2025-11-27 14:40:10\",\"Hostname\":\"PC1.example.vn\",\"Keywords\":-9223372036854775808,\"EventType\":\"INFO\",\"SeverityValue\":2,"
         "\"Severity\":\"INFO\",\"EventID\":1,\"SourceName\":\"Microsoft-Windows-Sysmon\",\"ProviderGuid\":\"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}\",\"Version\":5,"
         "\"Task\":1,\"OpcodeValue\":0,\"RecordNumber\":571146,\"ExecutionProcessID\":3544,\"ThreadID\":4272,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","
         "\"@timestamp\":\"2025-11-27T07:40:12.500Z\",\"UserID\":\"S-1-5-18\"," SYSMON_DATA "}",
         SYSMON_FIELDS "winlog.keywords=0x8000000000000000\n@timestamp=2025-11-27T07:40:10.000000Z\nnxlog.Severity=INFO\nwinlog.event_data.Severity=\n"
         "nxlog.EventType=INFO\nwinlog.process.pid=3544\nwinlog.user.identifier=S-1-5-18"},
    };
    check_all(table, COUNT_OF(table));
}

static void windows_events_of_other_sources(void **state)
{
    (void)state;
    static const struct record_case table[] = {
        {"{\"EventID\":4625,\"Channel\":\"Security\",\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\"Hostname\":\"dc\",\"TimeCreated\":\"2025-01-02T03:04:05.678Z\","
         "\"Keywords\":\"0x8010000000000000\",\"TargetUserName\":\"quan.tri\",\"TargetDomainName\":\"VN\",\"IpAddress\":\"203.0.113.9\",\"IpPort\":\"50123\","
         "\"ProcessName\":\"-\",\"SubjectUserName\":\"-\",\"LogonType\":\"3\"}",
         "event.action=logon-failed\nevent.outcome=failure\nevent.category=authentication\nuser.name=quan.tri\nuser.domain=VN\nsource.ip=203.0.113.9\nsource.port=50123\n"
         "winlog.event_data.LogonType=3\nprocess.executable=\nwinlog.event_data.ProcessName=-\n@timestamp=2025-01-02T03:04:05.678000Z"},
        {"{\"EventID\":4688,\"Channel\":\"Security\",\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\"Keywords\":\"0x8020000000000000\",\"NewProcessId\":\"0x27cc\","
         "\"ProcessId\":\"0x4\",\"NewProcessName\":\"C:\\\\Windows\\\\System32\\\\netsh.exe\",\"SubjectUserName\":\"wardog\",\"CommandLine\":\"netsh x\"}",
         "process.pid=10188\nprocess.parent.pid=4\nprocess.name=netsh.exe\nuser.name=wardog\nevent.outcome=success\nprocess.command_line=netsh x"},
        {"{\"EventID\":5156,\"Channel\":\"Security\",\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\"Direction\":\"%%14593\",\"SourceAddress\":\"192.168.2.5\","
         "\"SourcePort\":\"61143\",\"DestAddress\":\"168.63.129.16\",\"DestPort\":\"80\",\"Protocol\":\"6\",\"Application\":\"\\\\device\\\\hd2\\\\a.exe\"}",
         "source.ip=192.168.2.5\nsource.port=61143\ndestination.ip=168.63.129.16\ndestination.port=80\nnetwork.transport=tcp\nnetwork.iana_number=6\n"
         "network.direction=outbound\nprocess.name=a.exe\nevent.type=connection|allowed"},
        {"{\"EventID\":7045,\"Channel\":\"System\",\"SourceName\":\"Service Control Manager\",\"ServiceName\":\"evil\",\"ImagePath\":\"%COMSPEC% /c x\",\"AccountName\":\"LocalSystem\"}",
         "service.name=evil\nprocess.command_line=%COMSPEC% /c x\nevent.action=service-installed\nuser.name=LocalSystem"},
        {"{\"EventID\":1116,\"Channel\":\"Microsoft-Windows-Windows Defender/Operational\",\"ProviderName\":\"Microsoft-Windows-Windows Defender\",\"Threat Name\":\"Trojan:X\","
         "\"Path\":\"file:_C:\\\\a.exe\",\"Detection User\":\"PC\\\\an\"}",
         "event.kind=alert\nevent.category=malware\nrule.name=Trojan:X\nuser.name=an\nwinlog.event_data.Threat Name=Trojan:X"},
        {"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Windows Defender'/><EventID>1117</EventID>"
         "<Channel>Microsoft-Windows-Windows Defender/Operational</Channel><Computer>may-01</Computer></System><EventData><Data Name='Threat ID'>2147700001</Data>"
         "<Data Name='Threat Name'>Trojan:Win32/Mau.A!cl</Data><Data Name='Category Name'>Trojan</Data><Data Name='Action Name'>Quarantine</Data>"
         "<Data Name='Detection User'>CTY\\lan</Data><Data Name='Process Name'>C:\\Windows\\explorer.exe</Data><Data Name='Path'>file:_C:\\a b.exe</Data></EventData></Event>",
         "event.kind=alert\nevent.category=malware\nevent.action=malware-action-taken\nevent.outcome=success\nrule.name=Trojan:Win32/Mau.A!cl\nrule.id=2147700001\n"
         "rule.category=Trojan\nuser.name=lan\nuser.domain=CTY\nprocess.name=explorer.exe\nfile.path=file:_C:\\a b.exe\nwinlog.event_data.Action Name=Quarantine"},
        {"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Windows Defender'/><EventID>5007</EventID>"
         "<Channel>Microsoft-Windows-Windows Defender/Operational</Channel><Computer>may-01</Computer></System><EventData><Data Name='Product Name'>Microsoft Defender Antivirus</Data>"
         "<Data Name='Old Value'>Default\\Exclusions</Data><Data Name='New Value'>HKLM\\SOFTWARE\\Microsoft\\Windows Defender\\Exclusions\\Paths\\C:\\Temp = 0x0</Data></EventData></Event>",
         "event.category=configuration\nevent.type=change\nevent.action=configuration-changed\nwinlog.event_data.Old Value=Default\\Exclusions\n"
         "registry.data.strings=HKLM\\SOFTWARE\\Microsoft\\Windows Defender\\Exclusions\\Paths\\C:\\Temp = 0x0"},
        {"{\"EventID\":22,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"SourceName\":\"Microsoft-Windows-Sysmon\",\"QueryName\":\"c2.example\",\"QueryStatus\":\"0\"}",
         "dns.question.name=c2.example\nevent.action=dns-query"},
        {"{\"EventID\":13,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"SourceName\":\"Microsoft-Windows-Sysmon\",\"EventType\":\"SetValue\","
         "\"TargetObject\":\"HKLM\\\\Software\\\\Run\\\\x\",\"Details\":\"evil.exe\"}",
         "winlog.event_data.EventType=SetValue\nregistry.path=HKLM\\Software\\Run\\x\nregistry.value=x\nregistry.data.strings=evil.exe"},
        /* Wazuh: names with a small first letter */
        {"{\"timestamp\":\"2025-03-01T10:00:00.123+0700\",\"rule\":{\"level\":12,\"description\":\"Mimikatz\",\"id\":\"92052\",\"mitre\":{\"id\":[\"T1003\"]},\"groups\":[\"sysmon\",\"windows\"]},"
         "\"agent\":{\"id\":\"003\",\"name\":\"PC3\",\"ip\":\"10.1.1.3\"},\"manager\":{\"name\":\"w\"},\"id\":\"1.2\",\"data\":{\"win\":{\"system\":{\"providerName\":\"Microsoft-Windows-Sysmon\","
         "\"eventID\":\"1\",\"channel\":\"Microsoft-Windows-Sysmon/Operational\",\"computer\":\"PC3\",\"systemTime\":\"2025-03-01T02:59:59.000Z\"},"
         "\"eventdata\":{\"image\":\"C:\\\\\\\\m.exe\",\"commandLine\":\"m.exe\"}}}}",
         "event.kind=alert\nrule.id=92052\nrule.name=Mimikatz\nevent.severity=12\nrule.category=sysmon|windows\nthreat.technique.id=T1003\nagent.name=PC3\n"
         "host.ip=10.1.1.3\nwinlog.event_data.CommandLine=m.exe\nprocess.command_line=m.exe\nprocess.name=m.exe\nwinlog.channel=Microsoft-Windows-Sysmon/Operational"},
        /* user data: the element's name is part of the path in every form */
        {"<Event><System><Provider Name='Microsoft-Windows-Eventlog'/><EventID>1102</EventID><Channel>Security</Channel><Computer>dc</Computer></System><UserData>"
         "<LogFileCleared xmlns='http://manifests.microsoft.com/win/2004/08/windows/eventlog'><SubjectUserName>an</SubjectUserName></LogFileCleared></UserData></Event>",
         "winlog.user_data.LogFileCleared.SubjectUserName=an\nuser.name=an\nevent.action=audit-log-cleared"},
        {"{\"@timestamp\":\"2025-01-01T00:00:00Z\",\"winlog\":{\"provider_name\":\"Microsoft-Windows-Eventlog\",\"event_id\":1102,\"channel\":\"Security\",\"user_data\":{\"SubjectUserName\":\"an\","
         "\"xml_name\":\"LogFileCleared\"}}}", "winlog.user_data.LogFileCleared.SubjectUserName=an\nuser.name=an\nwinlog.event_id=1102"},
        /* Azure: the data are XML in a text */
        {"{\"TimeGenerated\":\"2022-05-13T08:54:05.21Z\",\"Computer\":\"W5\",\"EventSourceName\":\"Microsoft-Windows-Security-Auditing\",\"Channel\":\"Security\",\"EventID\":5156,"
         "\"EventData\":\"\\u003cEventData xmlns=\\\"http://schemas.microsoft.com/win/2004/08/events/event\\\"\\u003e\\r\\n  \\u003cData Name=\\\"ProcessID\\\"\\u003e3936\\u003c/Data\\u003e\\r\\n"
         "\\u003cData Name=\\\"DestPort\\\"\\u003e8888\\u003c/Data\\u003e\\u003c/EventData\\u003e\",\"TenantId\":\"redacted\"}",
         "winlog.event_data.ProcessID=3936\ndestination.port=8888\nazure.TenantId=redacted\nwinlog.computer_name=W5\n@timestamp=2022-05-13T08:54:05.210000Z"},
        /* data without names, and empty ones */
        {"<Event><System><Provider Name='PowerShell'/><EventID Qualifiers='0'>400</EventID><Channel>Windows PowerShell</Channel></System><EventData><Data>Available</Data>"
         "<Data>None</Data><Binary>0102</Binary><Data Name='e'></Data></EventData><RenderingInfo Culture='en-US'><Message>Engine state</Message></RenderingInfo></Event>",
         "winlog.event_data.Data=Available|None\nwinlog.event_data.Binary=0102\nwinlog.event_data.e=\nmessage=Engine state\nevent.action=engine-started\nwinlog.event_id=400\nwinlog.qualifiers=0"},
    };
    check_all(table, COUNT_OF(table));
}

/* --- others ---------------------------------------------------------------------------------------------- */

static void suricata_records(void **state)
{
    (void)state;
    static const struct record_case table[] = {
        {"{\"timestamp\":\"2019-12-25T04:52:02.806123+0000\",\"flow_id\":1000001,\"in_iface\":\"eth0\",\"event_type\":\"alert\",\"src_ip\":\"192.0.2.1\",\"src_port\":5000,"
         "\"dest_ip\":\"2001:db8::5\",\"dest_port\":443,\"proto\":\"TCP\",\"app_proto\":\"tls\",\"alert\":{\"action\":\"blocked\",\"gid\":1,\"signature_id\":2024897,\"rev\":2,"
         "\"signature\":\"ET TROJAN X\",\"category\":\"A Network Trojan was detected\",\"severity\":1,\"metadata\":{\"mitre_technique_id\":[\"T1071\"],\"tag\":[\"a\",\"b\"]}}}",
         "@timestamp=2019-12-25T04:52:02.806123Z\nevent.kind=alert\nevent.severity=1\nrule.id=2024897\nrule.name=ET TROJAN X\nrule.category=A Network Trojan was detected\n"
         "rule.version=2\nmessage=ET TROJAN X\nsource.ip=192.0.2.1\nsource.port=5000\ndestination.ip=2001:db8::5\ndestination.port=443\nnetwork.transport=tcp\n"
         "network.protocol=tls\nsuricata.eve.flow_id=1000001\nsuricata.eve.event_type=alert\nsuricata.eve.alert.action=blocked\nevent.type=denied\n"
         "threat.technique.id=T1071\nsuricata.eve.alert.metadata.tag=a|b\nevent.module=suricata\nevent.dataset=suricata.eve\nevent.decoder=suricata-eve\n"
         "observer.ingress.interface.name=eth0\nevent.category=intrusion_detection"},
        {"{\"timestamp\":\"2019-12-25T04:52:02.806123+0700\",\"flow_id\":1,\"event_type\":\"dns\",\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"8.8.8.8\",\"proto\":\"UDP\",\"dns\":{\"version\":2,"
         "\"type\":\"answer\",\"id\":4711,\"rrname\":\"a.example\",\"rrtype\":\"A\",\"rcode\":\"NOERROR\",\"answers\":[{\"rrname\":\"a.example\",\"rrtype\":\"A\",\"ttl\":60,\"rdata\":\"192.0.2.7\"},"
         "{\"rrname\":\"a.example\",\"rrtype\":\"A\",\"ttl\":61,\"rdata\":\"192.0.2.8\"}],\"grouped\":{\"A\":[\"192.0.2.7\"]}}}",
         "@timestamp=2019-12-24T21:52:02.806123Z\ndns.question.name=a.example\ndns.id=4711\ndns.response_code=NOERROR\ndns.answers.data=192.0.2.7|192.0.2.8|192.0.2.7\n"
         "dns.resolved_ip=192.0.2.7\ndns.answers.ttl=60|61\nsuricata.eve.dns.version=2\nsuricata.eve.dns.answers.rrname=a.example|a.example\nevent.kind=event"},
        {"{\"timestamp\":\"2024-01-01T00:00:10.5+0000\",\"flow_id\":7,\"event_type\":\"flow\",\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"10.0.0.2\",\"proto\":\"ICMP\",\"flow\":{\"pkts_toserver\":3,"
         "\"pkts_toclient\":2,\"bytes_toserver\":300,\"bytes_toclient\":200,\"start\":\"2024-01-01T00:00:00.000000+0000\",\"end\":\"2024-01-01T00:00:09.000000+0000\",\"age\":9,"
         "\"state\":\"closed\",\"alerted\":false}}",
         "source.packets=3\ndestination.bytes=200\nevent.start=2024-01-01T00:00:00.000000Z\nevent.duration=9000000000\nnetwork.state=closed\nsuricata.eve.flow.alerted=false"},
        {"{\"timestamp\":\"2024-01-01T00:00:10.5+0000\",\"event_type\":\"stats\",\"stats\":{\"uptime\":8,\"decoder\":{\"pkts\":18446744073709551615,\"avg\":1.5}}}",
         "event.kind=metric\nsuricata.eve.stats.decoder.pkts=18446744073709551615\nsuricata.eve.stats.decoder.avg=1.5"},
    };
    check_all(table, COUNT_OF(table));
}

static void zeek_json_records(void **state)
{
    (void)state;
    static const struct record_case table[] = {
        {"{\"_path\":\"conn\",\"ts\":1591367999.305988,\"uid\":\"CMdzit\",\"id.orig_h\":\"192.168.4.76\",\"id.orig_p\":36844,\"id.resp_h\":\"192.168.4.1\",\"id.resp_p\":53,\"proto\":\"udp\","
         "\"service\":\"dns\",\"duration\":0.06685185432434082,\"orig_bytes\":62,\"resp_bytes\":141,\"conn_state\":\"SF\",\"missed_bytes\":0,\"orig_pkts\":2,\"orig_ip_bytes\":118,\"resp_pkts\":2,"
         "\"resp_ip_bytes\":197,\"local_orig\":true}",
         "@timestamp=2020-06-05T14:39:59.305988Z\nsource.ip=192.168.4.76\nsource.port=36844\ndestination.port=53\nnetwork.transport=udp\nnetwork.protocol=dns\n"
         "event.duration=66852000\nsource.bytes=118\ndestination.bytes=197\nnetwork.bytes=315\nnetwork.packets=4\nnetwork.state=SF\nevent.id=CMdzit\n"
         "zeek.conn.orig_bytes=62\nzeek.conn.local_orig=true\nevent.dataset=zeek.conn\nevent.module=zeek\nevent.end=2020-06-05T14:39:59.372840Z"},
        {"{\"@stream\":\"files\",\"@system\":\"sensor\",\"ts\":1588206049.300416,\"fuid\":\"F1\",\"tx_hosts\":[\"10.0.0.4\"],\"rx_hosts\":[\"10.0.1.6\",\"10.0.1.7\"],\"filename\":\"a\\\\b.ini\","
         "\"mime_type\":\"text/ini\",\"depth\":0}",
         "server.ip=10.0.0.4\nclient.ip=10.0.1.6|10.0.1.7\nfile.name=a\\b.ini\nfile.mime_type=text/ini\nzeek.files.depth=0\nobserver.hostname=sensor"},
        {"{\"ts\":\"2021-01-02T03:04:05.5Z\",\"uid\":\"C1\",\"id_orig_h\":\"10.0.0.1\",\"id_resp_h\":\"10.0.0.2\",\"query\":\"x.example\",\"qtype_name\":\"A\","
        "\"answers\":[\"192.0.2.1\"],\"TTLs\":[30.0]}",
         "@timestamp=2021-01-02T03:04:05.500000Z\nevent.dataset=zeek.dns\ndns.question.name=x.example\nsource.ip=10.0.0.1\ndns.answers.data=192.0.2.1"},
        {"{\"_path\":\"no/../name\",\"ts\":0.5,\"x\":1}", "event.dataset=zeek.other\nzeek.other.x=1\n@timestamp=1970-01-01T00:00:00.500000Z"},
    };
    check_all(table, COUNT_OF(table));
}

static void other_json_records(void **state)
{
    (void)state;
    static const struct record_case table[] = {
        {"{\"eventVersion\":\"1.05\",\"userIdentity\":{\"type\":\"IAMUser\",\"userName\":\"pedro\",\"principalId\":\"AID\"},\"eventTime\":\"2020-09-14T00:44:23Z\","
        "\"eventSource\":\"s3.amazonaws.com\","
         "\"eventName\":\"GetObject\",\"awsRegion\":\"us-east-1\",\"sourceIPAddress\":\"1.2.3.4\",\"errorCode\":\"AccessDenied\",\"requestParameters\":null,\"recipientAccountId\":\"123456789123\"}",
         "@timestamp=2020-09-14T00:44:23.000000Z\nevent.action=GetObject\nevent.provider=s3.amazonaws.com\ncloud.region=us-east-1\nsource.ip=1.2.3.4\nevent.outcome=failure\n"
         "user.name=pedro\naws.cloudtrail.eventName=GetObject\naws.cloudtrail.userIdentity.type=IAMUser\naws.cloudtrail.requestParameters=null\ncloud.account.id=123456789123\n"
         "cloud.provider=aws\nevent.decoder=cloudtrail"},
        {"{\"ID\":\"1604994496.155:92733\",\"NODE\":\"web1\",\"SYSCALL\":{\"arch\":\"0xc000003e\",\"syscall\":59,\"success\":\"yes\",\"ppid\":29002,\"pid\":1631,\"uid\":1000,\"comm\":\"arp\","
         "\"exe\":\"/usr/sbin/arp\",\"key\":\"rootcmd\"},\"EXECVE\":{\"argc\":2,\"ARGV\":[\"arp\",\"-a\"]},\"CWD\":{\"cwd\":\"/root\"}}",
         "@timestamp=2020-11-10T07:48:16.155000Z\nprocess.pid=1631\nprocess.parent.pid=29002\nprocess.executable=/usr/sbin/arp\nprocess.args=arp|-a\nuser.id=1000\n"
         "event.outcome=success\nauditd.SYSCALL.syscall=59\nhost.name=web1\nprocess.working_directory=/root"},
        {"{\"@timestamp\":\"2024-05-06T07:08:09.123456789Z\",\"ecs.version\":\"8.11\",\"event\":{\"kind\":\"event\",\"category\":[\"network\",\"web\"],\"original\":\"raw\"},"
        "\"source\":{\"ip\":\"10.1.2.3\",\"port\":80},"
         "\"labels\":{\"a\":1.25}}",
         "@timestamp=2024-05-06T07:08:09.123456Z\nevent.category=network|web\nsource.ip=10.1.2.3\nsource.port=80\nlabels.a=1.25\nlog.original=raw\nevent.decoder=ecs"},
        {"{\"time\":1700000000123,\"level\":\"warn\",\"msg\":\"login failed\",\"user\":\"an\",\"client_ip\":\"10.9.8.7\",\"status\":401,\"nested\":{\"list\":[1,\"two\",null]},\"ok\":false}",
         "@timestamp=2023-11-14T22:13:20.123000Z\nmessage=login failed\nuser.name=an\nuser=an\nsource.ip=10.9.8.7\nclient_ip=10.9.8.7\nlog.level=warn\n"
         "http.response.status_code=401\nnested.list=1|two|null\nok=false\nevent.decoder=json\nevent.time_source="},
        {"{\"a\":1}", "a=1\nevent.time_source=arrival\n@timestamp=2026-11-18T11:06:40.000000Z"},
        {"{\"_index\":\"x\",\"_source\":{\"@timestamp\":\"2024-01-01T00:00:00Z\",\"event\":{\"kind\":\"alert\"},"
        "\"host\":{\"name\":\"h\"}}}", "event.kind=alert\nhost.name=h\n@timestamp=2024-01-01T00:00:00.000000Z"},
        {" \t{\"a\":\"\\u1ec7 \\ud83d\\ude00\"}", "a=\xe1\xbb\x87 \xf0\x9f\x98\x80"},
        {"<165>Nov 20 10:00:00 fw1 app[12]: {\"message\":\"x\",\"src_ip\":\"10.0.0.9\"}",
         "log.syslog.hostname=fw1\nhost.name=fw1\nlog.syslog.appname=app\nsource.ip=10.0.0.9\nmessage=x\nlog.syslog.priority=165\nevent.time_source="},
        {"<13>Nov 20 10:00:00 h prog: it {broke} here", "message=it {broke} here\nevent.decoder=\nhost.name=h"},
        {"nothing known", "message=nothing known\nevent.decoder=\nevent.time_source=arrival"},
        {"[2024-01-01] {x", "event.decoder="},
    };
    check_all(table, COUNT_OF(table));
}

static void what_is_malformed_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *record;
        enum event_record_kind kind;
        enum event_refusal reason;
        size_t at;
    } table[] = {
        {"{\"a\":1,}", EVENT_RECORD_ANY, EVENT_REFUSED_JSON_MALFORMED, 7},
        {"  {\"a\":01}", EVENT_RECORD_ANY, EVENT_REFUSED_JSON_MALFORMED, 8},
        {"{\"a\":\"\xff\"}", EVENT_RECORD_ANY, EVENT_REFUSED_JSON_MALFORMED, SIZE_MAX},
        {"{\"a\":1}{", EVENT_RECORD_ANY, EVENT_REFUSED_JSON_MALFORMED, 7},
        {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", EVENT_RECORD_ANY, EVENT_REFUSED_JSON_DEEP, SIZE_MAX},
        {"[1]", EVENT_RECORD_JSON, EVENT_REFUSED_JSON_NO_OBJECT, SIZE_MAX},
        {"text", EVENT_RECORD_JSON, EVENT_REFUSED_JSON_NO_OBJECT, 0},
        {"<Event><System></Event>", EVENT_RECORD_ANY, EVENT_REFUSED_XML_MALFORMED, SIZE_MAX},
        {"<Event", EVENT_RECORD_WINXML, EVENT_REFUSED_XML_MALFORMED, SIZE_MAX},
        {"<?xml version=\"1.0\"?><html/>", EVENT_RECORD_ANY, EVENT_REFUSED_XML_NO_EVENT, SIZE_MAX},
        {"<?xml version=\"1.0\"?><!DOCTYPE Event [<!ENTITY a \"b\">]><Event>&a;</Event>", EVENT_RECORD_ANY, EVENT_REFUSED_XML_LIMIT, SIZE_MAX},
        {"<Event><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", EVENT_RECORD_ANY, EVENT_REFUSED_XML_LIMIT, SIZE_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        enum event_refusal reason = EVENT_N_REFUSALS;
        size_t at = 0;
        struct text t = {table[i].record, strlen(table[i].record)};
        events_clear(events);
        int rc = event_record(decoder, table[i].kind, t, &source, events, &reason, &at);
        if (rc != EVENT_RECORD_REFUSED || reason != table[i].reason || (table[i].at != SIZE_MAX && at != table[i].at))
            fail_msg("case %zu: %d, %s at %zu: %s", i, rc, reason < EVENT_N_REFUSALS ? event_refusal_name(reason) : "?", at, table[i].record);
        assert_true(at <= t.n);
        assert_int_equal(events->n, 0);
        assert_int_equal(events->n_values, 0);
        assert_int_equal(events->heap.n, 0);
    }
    assert_int_equal(decode(TEXT("")), EVENT_RECORD_NONE);
    assert_int_equal(decode(TEXT(" \t\r")), EVENT_RECORD_NONE);
}

static void more_than_an_event_may_hold_is_marked(void **state)
{
    (void)state;
    static char record[200000];
    size_t n = (size_t)snprintf(record, sizeof record, "{");
    for (int i = 0; i < 9000; i++)
        n += (size_t)snprintf(record + n, sizeof record - n, "%s\"many%d\":%d", i ? "," : "", i, i);
    n += (size_t)snprintf(record + n, sizeof record - n, "}");
    assert_int_equal(decode((struct text){record, n}), 0);
    assert_int_equal(events->value_end[0], EVENT_VALUES_MAX);
    assert_true(has("event.truncated", 15, "true"));
    check("{\"many1\":5}", "many1=5\nevent.truncated=");
}

static void the_source_is_said(void **state)
{
    (void)state;
    source.path = TEXT("/var/log/x.json");
    source.address = TEXT("10.0.0.1");
    source.has_offset = true;
    source.offset = 77;
    check("{\"a\":1}", "log.file.path=/var/log/x.json\nlog.source.address=10.0.0.1\nlog.offset=77");
    check("plain", "log.file.path=/var/log/x.json\nlog.source.address=10.0.0.1\nlog.offset=77");
    source = (struct event_source){.arrived_us = ARRIVED, .zone_s = 7 * 3600};
}

static int once(void *context)
{
    (void)context;
    enum event_refusal reason;
    size_t at;
    struct event_names *x = event_names_new();
    struct events *e = x ? events_new(x) : NULL;
    struct event_decoder *d = e ? event_decoder_new(x, NULL) : NULL;
    int rc = d ? event_record(d, EVENT_RECORD_ANY, TEXT("{\"EventID\":1,\"Channel\":\"a\\\\b\",\"c\":\"d\"}"), &source, e, &reason, &at) : -ENOMEM;
    assert_true(rc == 0 || rc == -ENOMEM);
    if (rc)
        assert_true(!e || e->n == 0);
    event_decoder_free(d);
    events_free(e);
    event_names_free(x);
    return rc;
}

static void memory_that_is_out_is_said(void **state)
{
    (void)state;
    assert_true(failing_alloc_each("decoding a record", once, NULL, true) > 8); /* a name without memory is left out and marked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_windows_event_has_the_same_fields_in_every_form),
        cmocka_unit_test(windows_events_of_other_sources),
        cmocka_unit_test(suricata_records),
        cmocka_unit_test(zeek_json_records),
        cmocka_unit_test(other_json_records),
        cmocka_unit_test(what_is_malformed_is_refused_with_its_place),
        cmocka_unit_test(more_than_an_event_may_hold_is_marked),
        cmocka_unit_test(the_source_is_said),
        cmocka_unit_test(memory_that_is_out_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
