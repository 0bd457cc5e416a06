/* SPDX-License-Identifier: Apache-2.0 */
/* Files as they arrive, written here by hand, against the rows a person would read out of them. */
#include "cmocka_house.h"

#include "base/buf.h"
#include "base/clock.h"
#include "help_dir.h"
#include "watch/indicator/list.h"
#include "watch/indicator/list_parse.h"
#include "watch/indicator/list_read.h"

#include <stdio.h>
#include <sys/mman.h>

/* a row in words: range[:port] role [family=] [unit=] ... */
static void put_text(struct buf *b, const char *name, struct text t)
{
    if (t.n)
        buf_printf(b, " %s=%.*s", name, (int)t.n, t.p);
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    char text[TIME_TEXT_MAX];
    if (us == 0 || us == INT64_MIN || us == INT64_MAX)
        return;
    clock_format_utc(us, text);
    buf_printf(b, " %s=%.19s", name, text);
}

static int put_row(void *context, const struct list_row *row)
{
    struct buf *b = context;
    char range[2 * IP_TEXT_MAX];
    ip_range_format(&row->range, range);
    if (row->kind != NAME_NONE)
        buf_printf(b, "%llu %s %.*s", (unsigned long long)row->row, name_kind_text(row->kind), (int)row->name.n, row->name.p);
    else
        buf_printf(b, "%llu %s", (unsigned long long)row->row, range);
    if (row->port)
        buf_printf(b, " port=%u", row->port);
    if (row->role == LIST_C2)
        buf_add_text(b, " c2");
    put_text(b, "family", row->family);
    put_text(b, "unit", row->unit);
    put_text(b, "isp", row->isp);
    put_text(b, "province", row->province);
    put_text(b, "note", row->note);
    if (row->asn)
        buf_printf(b, " asn=%u", row->asn);
    if (row->count)
        buf_printf(b, " count=%llu", (unsigned long long)row->count);
    put_time(b, "first", row->first_us);
    put_time(b, "last", row->last_us);
    buf_add_text(b, "\n");
    return 0;
}

static void put_refused(void *context, uint64_t row, enum list_refusal why, struct text value)
{
    (void)value;
    buf_printf(context, "%llu refused %s\n", (unsigned long long)row, list_refusal_name(why));
}

static void put_warned(void *context, uint64_t row, enum list_warning why, struct text value)
{
    (void)value;
    buf_printf(context, "%llu warned %s\n", (unsigned long long)row, list_warning_name(why));
}

static int memory_file(const void *p, size_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static char *read_to_words(const void *p, size_t n, bool is_space, int *ret_rc, struct list_report *report, struct fault *f)
{
    struct buf b = {.max = (size_t)16 << 20};
    struct list_read_options o = {.zone_s = ZONE_VIETNAM_S, .is_space = is_space, .put = put_row, .context = &b};
    *report = (struct list_report){.refused_row = put_refused, .warned_row = put_warned, .context = &b};
    int fd = memory_file(p, n);
    *ret_rc = list_read(fd, &o, report, f);
    close(fd);
    buf_add_byte(&b, 0);
    assert_false(b.is_bad);
    uint64_t refused = 0;
    for (size_t i = 0; i < LIST_N_REFUSALS; i++)
        refused += report->refused[i];
    assert_int_equal(report->rows, report->kept + refused); /* the account balances */
    return (char *)b.p;
}

struct one_case {
    const char *name, *input, *expected;
    bool is_space;
};

static const struct one_case cases[] = {
    {"one address per line", "1.2.3.4\n8.8.8.8\r\n2001:db8::1\n", "1 1.2.3.4\n2 8.8.8.8\n3 warned bogon\n3 2001:db8::1\n", false},
    {"comments and blank lines are not rows", "# a list\n\n; also\n1.2.3.4 # seen\n// no\n5.6.7.8", "4 1.2.3.4 note=seen\n6 5.6.7.8\n", false},
    {"a number after the address is a count", "77.90.185.20\t10\n77.239.124.102 3\n", "1 77.90.185.20 count=10\n2 77.239.124.102 count=3\n", false},
    {"disarmed addresses", "1[.]2[.]3[.]4\n1(.)2.3(.)5\nhxxp://1[.]2.3.6/\nhxxps[://]1.2.3.9/\n1.2.3[dot]7\n",
     "1 1.2.3.4\n2 1.2.3.5\n3 1.2.3.6\n4 1.2.3.9\n5 1.2.3.7\n", false},
    {"ports", "1.2.3.4:8080\n[2606:4700::1]:443\n[2606:4700::2]\n1.2.3.4:0\n1.2.3.4:65536\nhttp://1.2.3.5:81/x\n",
     "1 1.2.3.4 port=8080\n2 2606:4700::1 port=443\n3 2606:4700::2\n4 refused bad_port\n5 refused bad_port\n6 1.2.3.5 port=81\n", false},
    {"prefixes and ranges", "1.2.3.0/24\n1.2.3.4/24\n1.2.3.4/33\n1.2.3.4-1.2.3.9\n1.2.3.4 - 1.2.3.9\n1.2.3.9-1.2.3.4\n2606:4700::/32\n1.2.3.1-10\n",
     "1 1.2.3.0/24\n2 warned host_bits\n2 1.2.3.0/24\n3 refused bad_address\n4 1.2.3.4-1.2.3.9\n5 1.2.3.4-1.2.3.9\n"
     "6 refused bad_address\n7 2606:4700::/32\n8 1.2.3.1-1.2.3.10\n", false},
    {"what is no address is named by kind", "999.1.1.1\n1.2.3\nexample.com\nhttp://evil.example/x\nnot an address\n1.2.3.4\n01.2.3.4\n"
     "d41d8cd98f00b204e9800998ecf8427e\n",
     "1 refused bad_address\n2 refused bad_address\n3 domain example.com\n4 url evil.example/x\n5 refused bad_address\n6 1.2.3.4\n"
     "7 refused bad_address\n8 hash d41d8cd98f00b204e9800998ecf8427e\n", false},
    {"names as people write them", "Evil[.]Example.\n*.Bad.example\nhxxp://user@A.example:80/P?q=1#f\nhxxps[://]b.example:8443/x;y,z#w seen\nhttp://c.example/\n"
     "https://d.example:444\nD41D8CD98F00B204E9800998ECF8427E\nda39a3ee5e6b4b0d3255bfef95601890afd80709\n/gate.php\nlocalhost\nhttp://1.2.3.4/x\n",
     "1 domain evil.example\n2 domain bad.example\n3 url a.example/P?q=1\n4 url b.example:8443/x;y,z note=seen\n5 domain c.example\n"
     "6 domain d.example\n7 hash d41d8cd98f00b204e9800998ecf8427e\n8 hash da39a3ee5e6b4b0d3255bfef95601890afd80709\n"
     "9 refused other_kind\n10 refused bad_address\n11 1.2.3.4\n", false},
    {"columns of names count where no address stands", "domain,url,md5,sha256,malware,ip\na.example,http://a.example/x,,,Mirai,\nb.example,,,,Mozi,1.2.3.4\n"
     ",,d41d8cd98f00b204e9800998ecf8427e,x,Mozi,\n,,,x,Mozi,\n",
     "2 domain a.example family=Mirai\n2 url a.example/x family=Mirai\n3 1.2.3.4 family=Mozi\n4 hash d41d8cd98f00b204e9800998ecf8427e family=Mozi\n"
     "5 refused other_kind\n", false},
    {"ThreatFox' layout", "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"malware_printable\"\n"
     "\"2024-03-01 00:00:00\", \"17\", \"evil.example\", \"domain\", \"botnet_cc\", \"Mirai\"\n"
     "\"2024-03-01 00:00:00\", \"18\", \"https://evil.example/a.exe\", \"url\", \"payload_delivery\", \"Mirai\"\n",
     "2 domain evil.example c2 family=Mirai first=2024-03-01T00:00:00\n3 url evil.example/a.exe family=Mirai first=2024-03-01T00:00:00\n", false},
    {"a warning list of MISP", "{\"name\":\"x\",\"version\":1,\"references\":[\"https://ref.example/\"],\"list\":[\"a.example\",\".b.example\"],\"matching_attributes\":[\"domain\"]}",
     "1 domain a.example\n2 domain b.example\n", false},
    {"names are no own space", "example.com\n1.2.3.0/24\n", "1 refused other_kind\n2 1.2.3.0/24\n", true},
    {"private and bogon addresses are warned about", "10.0.0.1\n127.0.0.1\n100.64.0.1\n8.8.8.8\n",
     "1 warned private_address\n1 10.0.0.1\n2 warned bogon\n2 127.0.0.1\n3 warned private_address\n3 100.64.0.1\n4 8.8.8.8\n", false},
    {"malformed bytes in a text become U+FFFD and the row stays", "ip,malware,note\n1.2.3.4,Mir\xe1i,x\xff\xfey\n1.2.3.5,Mirai,ok\n999.1.1.1\xff,Mirai,x\n",
     "2 warned bad_encoding\n2 1.2.3.4 family=Mir\xef\xbf\xbdi note=x\xef\xbf\xbd\xef\xbf\xbdy\n3 1.2.3.5 family=Mirai note=ok\n"
     "4 refused bad_address\n", false},
    {"malformed bytes behind an address become U+FFFD too", "1.2.3.4 # a\xc3\n1.2.3.5 # \xc4\x91\n\xff\xff\n",
     "1 warned bad_encoding\n1 1.2.3.4 note=a\xef\xbf\xbd\n2 1.2.3.5 note=\xc4\x91\n3 refused bad_encoding\n", false},
    {"a header alone makes one column a table", "ip\n1.2.3.4\n", "2 1.2.3.4\n", false},
    {"comma table with English names", "ip,port,first_seen,last_seen,malware,org,asn,count,note\n"
     "1.2.3.4,25,2024-03-01T00:00:00Z,2024-03-02 07:00:00,Mozi,Sở A,AS7552,12,a \"b\"\n",
     "2 1.2.3.4 port=25 family=Mozi unit=Sở A note=a \"b\" asn=7552 count=12 first=2024-03-01T00:00:00 last=2024-03-02T00:00:00\n", false},
    {"semicolons and Vietnamese names, as Excel writes them", "\xef\xbb\xbfSTT;Địa chỉ IP;Cổng nguồn;Thời gian;Tên mã độc;Đơn vị;Nhà mạng;Tỉnh/Thành phố;Số lần;Ghi chú\r\n"
     "1;1.52.0.9;4096;01/03/2024 07:30:00;Mirai;UBND tỉnh X;Viettel;Hà Nội;3;\"xử lý; gấp\"\r\n",
     "2 1.52.0.9 port=4096 family=Mirai unit=UBND tỉnh X isp=Viettel province=Hà Nội note=xử lý; gấp count=3 "
     "first=2024-03-01T00:30:00 last=2024-03-01T00:30:00\n", false},
    {"names without diacritics and with underscores", "DIA_CHI_IP\tTHOI_DIEM\tLOAI_MA_DOC\n1.2.3.4\t2024-03-01\tNecurs\n",
     "2 1.2.3.4 family=Necurs first=2024-02-29T17:00:00 last=2024-02-29T17:00:00\n", false},
    {"a control server column is an entry of its own", "IP nguồn,IP C&C,Cổng đích,Tên mã độc\n1.2.3.4,5.6.7.8,443,Emotet\n1.2.3.5,,,Emotet\n,5.6.7.9,80,Emotet\n"
     "1.2.3.6,evil.example.com,80,Emotet\n1.2.3.7,5.6.7.300,80,Emotet\n",
     "2 1.2.3.4 family=Emotet\n2 5.6.7.8 port=443 c2 family=Emotet\n3 1.2.3.5 family=Emotet\n4 5.6.7.9 port=80 c2 family=Emotet\n"
     "5 1.2.3.6 family=Emotet\n5 domain evil.example.com port=80 c2 family=Emotet\n6 refused bad_address\n", false},
    {"a role column says which rows are control servers", "ip,role\n1.2.3.4,bot\n1.2.3.5,c2\n1.2.3.6,C&C\n1.2.3.7,\n",
     "2 1.2.3.4\n3 1.2.3.5 c2\n4 1.2.3.6 c2\n5 1.2.3.7\n", false},
    {"a broken cell refuses the row and names it", "ip,port,time\n1.2.3.4,http,2024-03-01\n1.2.3.5,80,yesterday\n1.2.3.6,80\n1.2.3.7,80,2024-03-01,x\n1.2.3.8,80,-\n",
     "2 refused bad_port\n3 refused bad_time\n4 refused bad_columns\n5 refused bad_columns\n6 1.2.3.8 port=80\n", false},
    {"without a header the address is found", "Mirai,1.2.3.4,2024-03-01T00:00:00Z\nMirai,1.2.3.5,2024-03-01T00:00:00Z\n",
     "1 1.2.3.4 first=2024-03-01T00:00:00 last=2024-03-01T00:00:00\n2 1.2.3.5 first=2024-03-01T00:00:00 last=2024-03-01T00:00:00\n", false},
    {"a title above the header is passed over", "DANH SÁCH ĐỊA CHỈ IP NHIỄM MÃ ĐỘC THÁNG 3,,\nSTT,Địa chỉ IP,Tên mã độc\n1,1.2.3.4,Mirai\n",
     "3 1.2.3.4 family=Mirai\n", false},
    {"tables joined end to end, each with its header", "ip,family\n1.2.3.4,Mirai\nfamily,ip,port\nMozi,1.2.3.5,80\n",
     "2 1.2.3.4 family=Mirai\n4 1.2.3.5 port=80 family=Mozi\n", false},
    {"a header in a comment", "# first_seen_utc,ioc_value,malware\n\"2024-03-01 00:00:00\",\"1.2.3.4:443\",\"Mirai\"\n",
     "2 1.2.3.4 port=443 family=Mirai first=2024-03-01T00:00:00\n", false},
    {"quotes after a blank", "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"threat_type\",\"malware_printable\"\n"
     "\"2024-03-01 00:00:00\", \"17\", \"1.2.3.4:443\", \"botnet_cc\", \"Mirai\"\n",
     "2 1.2.3.4 port=443 c2 family=Mirai first=2024-03-01T00:00:00\n", false},
    {"a range by its two ends", "start_ip,end_ip,family\n1.2.3.4,1.2.3.9,x\n1.2.3.4,,y\n1.2.3.9,1.2.3.4,z\n",
     "2 1.2.3.4-1.2.3.9 family=x\n3 1.2.3.4 family=y\n4 refused bad_address\n", false},
    {"the zone of a column", "ip,Thời gian (UTC)\n1.2.3.4,2024-03-01 00:00:00\n", "2 1.2.3.4 first=2024-03-01T00:00:00 last=2024-03-01T00:00:00\n", false},
    {"Shadowserver sinkhole events",
     "\"timestamp\",\"protocol\",\"src_ip\",\"src_port\",\"src_asn\",\"src_geo\",\"src_region\",\"src_city\",\"dst_ip\",\"dst_port\",\"dst_asn\",\"infection\",\"family\",\"tag\"\n"
     "\"2024-03-01 00:00:13Z\",\"tcp\",\"1.52.3.4\",\"51200\",\"18403\",\"VN\",\"HA NOI\",\"HANOI\",\"184.105.192.2\",\"80\",\"6939\",\"andromeda\",\"\",\"x\"\n",
     "2 1.52.3.4 port=51200 family=andromeda province=HA NOI asn=18403 first=2024-03-01T00:00:13 last=2024-03-01T00:00:13\n"
     "2 184.105.192.2 port=80 c2 family=andromeda province=HA NOI asn=18403 first=2024-03-01T00:00:13 last=2024-03-01T00:00:13\n", false},
    {"JSON lines", "{\"ip\":\"1.2.3.4\",\"family\":\"Mirai\",\"port\":23}\n{\"source\":{\"ip\":\"1.2.3.5\"},\"c2_ip\":\"5.6.7.8\"}\n{\"ip\":\n{\"ip\":\"x\"}\n",
     "1 1.2.3.4 port=23 family=Mirai\n2 1.2.3.5\n2 5.6.7.8 c2\n3 refused bad_json\n4 refused bad_address\n", false},
    {"a JSON array of objects or texts", "[\n {\"ip\": \"1.2.3.4\"},\n \"1.2.3.5\"\n]\n", "1 1.2.3.4\n2 1.2.3.5\n", false},
    {"a registry's JSON document", "{\n \"country\": \"Vietnam\",\n \"status\": [\"allocated\"],\n \"subnets\": {\"ipv4\": [\"1.52.0.0/14\", \"14.0.16.0/20\"],\n"
     " \"ipv6\": [\"2001:dc8::/32\"]}\n}\n", "1 1.52.0.0/14\n2 14.0.16.0/20\n3 2001:dc8::/32\n", true},
    {"STIX 2.1 indicators",
     "{\"type\":\"bundle\",\"id\":\"bundle--1\",\"objects\":["
     "{\"type\":\"malware\",\"id\":\"malware--1\",\"name\":\"Mozi\"},"
     "{\"type\":\"indicator\",\"id\":\"indicator--1\",\"name\":\"n\",\"pattern_type\":\"stix\",\"valid_from\":\"2024-03-01T00:00:00Z\","
     "\"pattern\":\"[ipv4-addr:value = '1.2.3.4' OR ipv4-addr:value ISSUBSET '5.6.7.0/24']\"},"
     "{\"type\":\"indicator\",\"id\":\"indicator--2\",\"pattern\":\"[network-traffic:dst_ref.value = '9.9.9.9' AND network-traffic:dst_port = 443]\"},"
     "{\"type\":\"indicator\",\"id\":\"indicator--3\",\"pattern\":\"[domain-name:value = 'a.example']\"},"
     "{\"type\":\"indicator\",\"id\":\"indicator--4\",\"pattern\":\"[ipv4-addr:value = \"},"
     "{\"type\":\"indicator\",\"id\":\"indicator--5\",\"pattern_type\":\"sigma\",\"pattern\":\"x\"},"
     "{\"type\":\"relationship\",\"relationship_type\":\"indicates\",\"source_ref\":\"indicator--1\",\"target_ref\":\"malware--1\"}]}",
     "2 1.2.3.4 family=Mozi note=n first=2024-03-01T00:00:00\n2 5.6.7.0/24 family=Mozi note=n first=2024-03-01T00:00:00\n"
     "3 9.9.9.9 port=443 c2\n4 domain a.example\n5 refused bad_pattern\n6 refused other_kind\n", false},
    {"own space with names of both languages", "Dải địa chỉ;Đơn vị;Hiệu lực từ;Hiệu lực đến\n10.0.0.0/8;Sở A;01/01/2024;31/12/2024\n203.162.0.0/24;Sở B;;\n",
     "2 10.0.0.0/8 unit=Sở A first=2023-12-31T17:00:00 last=2024-12-31T16:59:59\n3 203.162.0.0/24 unit=Sở B\n", true},
    {"own space from a routing list", "asn,operator,prefix\n7552,\"Viettel Group\",27.64.0.0/12\n", "2 27.64.0.0/12 unit=Viettel Group asn=7552\n", true},
    {"own space from plain prefixes", "# Country: Vietnam (VN)\n1.52.0.0/14\n2001:dc8::/32\n", "2 1.52.0.0/14\n3 2001:dc8::/32\n", true},
    {"own space from a registry's statistics", "2|apnic|20240301|3|19850701|20240301|+1000\napnic|*|ipv4|*|2|summary\napnic|VN|asn|7552|1|20020829|allocated\n"
     "apnic|VN|ipv4|1.52.0.0|262144|20100101|allocated|A91\napnic|VN|ipv4|14.0.16.0|768|20100101|assigned\napnic|VN|ipv6|2001:dc8::|32|20031209|allocated\n"
     "apnic||ipv4|1.2.3.0|256||available\napnic|VN|ipv4|1.52.0|1|20100101|allocated\n",
     "4 1.52.0.0/14 unit=A91\n5 14.0.16.0-14.0.18.255\n6 2001:dc8::/32\n8 refused bad_address\n", true},
};

static void reads_what_arrives(void **state)
{
    (void)state;
    unsigned n_wrong = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct list_report report;
        struct fault f = {0};
        int rc;
        char *words = read_to_words(cases[i].input, strlen(cases[i].input), cases[i].is_space, &rc, &report, &f);
        if (rc || strcmp(words, cases[i].expected)) {
            fprintf(stderr, "case: %s (%d %s)\n--- read:\n%s--- expected:\n%s", cases[i].name, rc, f.text, words, cases[i].expected);
            n_wrong++;
        }
        free(words);
    }
    assert_int_equal(n_wrong, 0);
}

static size_t to_utf16(const char *s, bool is_big, bool has_mark, uint8_t *out)
{
    size_t n = 0;
    const char *end = s + strlen(s);
    if (has_mark) {
        out[n++] = is_big ? 0xfe : 0xff;
        out[n++] = is_big ? 0xff : 0xfe;
    }
    while (s < end) {
        uint32_t c = text_next(&s, end);
        out[n + is_big] = (uint8_t)c;
        out[n + !is_big] = (uint8_t)(c >> 8);
        n += 2;
    }
    return n;
}

static void reads_utf16_of_both_orders_with_and_without_a_mark(void **state)
{
    (void)state;
    static const char table[] = "Địa chỉ IP\tTên mã độc\r\n1.2.3.4\tMirai\r\n1.2.3.5\tNecurs mới\r\n";
    static const char plain[] = "1.2.3.4\r\n1.2.3.5\r\n";
    for (int i = 0; i < 8; i++) {
        uint8_t bytes[512];
        struct list_report report;
        struct fault f;
        int rc;
        bool is_table = !(i & 4);
        size_t n = to_utf16(is_table ? table : plain, i & 1, !(i & 2), bytes);
        char *words = read_to_words(bytes, n, false, &rc, &report, &f);
        assert_int_equal(rc, 0);
        assert_string_equal(words, is_table ? "2 1.2.3.4 family=Mirai\n3 1.2.3.5 family=Necurs mới\n" : "1 1.2.3.4\n2 1.2.3.5\n");
        free(words);
    }
}

static void refuses_a_binary_file_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
    } files[] = {{"\x7f" "ELF\2\1\1\0\0\0\0\0", 12}, {"\x1f\x8b\x08\0abc", 7}, {"1.2.3.4\n\0\0\0\0\1\2\3", 16}, {"%PDF-1.7\n1.2.3.4\n", 17},
                 {"{\"objects\": [", 13}, {"PK\3\4rest", 8}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct list_report report;
        struct fault f = {0};
        int rc;
        char *words = read_to_words(files[i].p, files[i].n, false, &rc, &report, &f);
        assert_int_equal(rc, -EBADMSG);
        assert_true(strlen(f.text) > 10);
        assert_string_equal(words, "");
        free(words);
    }
}

static void a_row_without_end_is_refused_and_the_rest_is_read(void **state)
{
    (void)state;
    size_t n = (size_t)3 << 20;
    char *p = malloc(n + 64);
    assert_non_null(p);
    memcpy(p, "1.2.3.4\n", 8);
    memset(p + 8, 'x', n);
    memcpy(p + 8 + n, "\n1.2.3.5\n", 9);
    struct list_report report;
    struct fault f;
    int rc;
    char *words = read_to_words(p, n + 17, false, &rc, &report, &f);
    assert_int_equal(rc, 0);
    assert_string_equal(words, "1 1.2.3.4\n2 refused too_long\n3 1.2.3.5\n");
    free(words);
    free(p);
}

/* the fast line reader against the careful one: the same rows whether or not a blank follows the address */
static void the_fast_way_reads_what_the_careful_way_reads(void **state)
{
    (void)state;
    uint64_t s = seed();
    struct buf plain = {.max = (size_t)1 << 26}, spaced = {.max = (size_t)1 << 26};
    for (int i = 0; i < 50000; i++) {
        uint64_t r = next_random(&s);
        char line[64];
        unsigned wild = (unsigned)(r >> 40) % 200;
        snprintf(line, sizeof(line), "%s%u.%u.%u.%u", wild == 1 ? "0" : wild == 2 ? "x" : "", (unsigned)r & 255, (unsigned)(r >> 8) & 255,
                 (unsigned)(r >> 16) & 255, wild == 3 ? 256 : (unsigned)(r >> 24) & 255);
        buf_printf(&plain, "%s\n", line);
        buf_printf(&spaced, "%s \n", line);
    }
    struct list_report a, b;
    struct fault f;
    int rc;
    char *wa = read_to_words(plain.p, plain.n, false, &rc, &a, &f);
    assert_int_equal(rc, 0);
    char *wb = read_to_words(spaced.p, spaced.n, false, &rc, &b, &f);
    assert_int_equal(rc, 0);
    assert_string_equal(wa, wb);
    assert_int_equal(a.rows, 50000);
    free(wa);
    free(wb);
    buf_fini(&plain);
    buf_fini(&spaced);
}

static int refuse_put(void *context, const struct list_row *row)
{
    (void)context;
    return row->row >= 2 ? -ENOSPC : 0;
}

static void a_consumer_that_fails_ends_the_reading(void **state)
{
    (void)state;
    static const char *const files[] = {"1.2.3.4\n1.2.3.5\n1.2.3.6\n", "ip,family\n1.2.3.4,x\n", "{\"ip\":\"1.2.3.4\"}\n{\"ip\":\"1.2.3.5\"}\n"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct list_read_options o = {.put = refuse_put};
        struct list_report report = {0};
        struct fault f;
        int fd = memory_file(files[i], strlen(files[i]));
        assert_int_equal(list_read(fd, &o, &report, &f), -ENOSPC);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_arrives),
        cmocka_unit_test(reads_utf16_of_both_orders_with_and_without_a_mark),
        cmocka_unit_test(refuses_a_binary_file_as_a_whole),
        cmocka_unit_test(a_row_without_end_is_refused_and_the_rest_is_read),
        cmocka_unit_test(the_fast_way_reads_what_the_careful_way_reads),
        cmocka_unit_test(a_consumer_that_fails_ends_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
