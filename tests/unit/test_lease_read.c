/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/read: what each kind of file says, and the account that always balances. Times of the inputs are worked out by hand. */
#include "watch/lease/read.h"

#include "base/clock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct got {
    char rows[8192]; /* one line a row, as show writes it */
    size_t n;
    unsigned n_rows, n_refused;
};

static const char *clock_of(int64_t us, char out[TIME_TEXT_MAX])
{
    if (us == LEASE_UNKNOWN)
        return "?";
    clock_format_utc(us, out);
    out[19] = '\0'; /* without decimals */
    return out;
}

static int show(void *context, const struct lease_row *r)
{
    struct got *g = context;
    char outside[IP_TEXT_MAX], inside[IP_TEXT_MAX] = "-", from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    ip_format(&r->l.outside, outside);
    if (!ip_is_zero(&r->l.inside))
        ip_format(&r->l.inside, inside);
    g->n_rows++;
    if (g->n < sizeof(g->rows))
        g->n += (size_t)snprintf(g->rows + g->n, sizeof(g->rows) - g->n, "%s %s/%u %u-%u %s %s..%s mac %012llx gw %.*s who %.*s host %.*s%s%s\n",
                                 lease_kind_name((enum lease_kind)r->l.kind), outside, r->l.prefix, r->l.port_first, r->l.port_last, inside,
                                 clock_of(r->l.from_us, from), clock_of(r->l.to_us, to), (unsigned long long)r->l.mac,
                                 (int)r->gateway.n, r->gateway.p, (int)r->subscriber.n, r->subscriber.p, (int)r->host.n, r->host.p,
                                 r->l.flags & LEASE_TO_PLANNED ? " planned" : "", r->l.flags & LEASE_SEEN_ONLY ? " seen" : "");
    return 0;
}

static void refuse(void *context, uint64_t line, enum lease_refusal why, struct text value)
{
    struct got *g = context;
    (void)value;
    g->n_refused++;
    if (g->n < sizeof(g->rows))
        g->n += (size_t)snprintf(g->rows + g->n, sizeof(g->rows) - g->n, "line %llu %s\n", (unsigned long long)line, lease_refusal_name(why));
}

static int read_bytes(const void *p, size_t n, const struct lease_read_options *more, struct got *g, struct lease_account *a)
{
    struct lease_read_options o = *more;
    struct fault f = {0};
    int fd = memfd_create("leases", 0);
    assert_true(fd >= 0 && write(fd, p, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
    *g = (struct got){.n = 0};
    o.name = "test";
    o.row = show;
    o.refused = refuse;
    o.context = g;
    int rc = lease_read(fd, &o, a, &f);
    close(fd);
    uint64_t refused = 0;
    for (int i = 0; i < LEASE_N_REFUSALS; i++)
        refused += a->refused[i];
    if (!rc)
        assert_int_equal(a->read, a->kept + a->joined + a->other + refused);
    assert_int_equal(refused, g->n_refused);
    return rc;
}

static const struct lease_read_options plain = {.zone_s = ZONE_VIETNAM_S, .at_us = LEASE_UNKNOWN, .kind = LEASE_N_KINDS};

static const struct {
    const char *what;
    enum lease_format format;
    int64_t at_us;
    const char *text, *expected;
} cases[] = {
    {"port blocks as whole rows", LEASE_FORMAT_CSV, LEASE_UNKNOWN,
     "Public IP;Port Start;Port End;Private IP;Start Time;End Time;Gateway\n"
     "113.160.0.1;1024;2047;100.64.0.5;2026-02-15 03:00:00;2026-02-15 03:30:00;cgn1\n",
     "port_block 113.160.0.1/128 1024-2047 100.64.0.5 2026-02-14T20:00:00..2026-02-14T20:30:00 mac 000000000000 gw cgn1 who  host \n"},
    {"begins and ends, out of order, one end too many", LEASE_FORMAT_CSV, LEASE_UNKNOWN,
     "time,event,nat_ip,port_range,inside_ip,vrf\n"
     "2026-02-15T03:00:00Z,alloc,113.160.0.1,1024-2047,100.64.0.5,a\n"
     "2026-02-15T03:00:01Z,alloc,113.160.0.1,2048-3071,100.64.0.6,a\n"
     "2026-02-15T03:00:02Z,free,113.160.0.1,2048-3071,100.64.0.6,a\n"
     "2026-02-15T03:00:03Z,free,113.160.0.1,4096-5119,100.64.0.7,a\n"
     "2026-02-15T03:00:04Z,maybe,113.160.0.1,4096-5119,100.64.0.7,a\n",
     "port_block 113.160.0.1/128 2048-3071 100.64.0.6 2026-02-15T03:00:01..2026-02-15T03:00:02 mac 000000000000 gw  who  host \n"
     "port_block 113.160.0.1/128 4096-5119 100.64.0.7 ?..2026-02-15T03:00:03 mac 000000000000 gw  who  host \n"
     "line 6 bad_event\n"
     "port_block 113.160.0.1/128 1024-2047 100.64.0.5 2026-02-15T03:00:00..? mac 000000000000 gw  who  host \n"},
    {"what cannot be", LEASE_FORMAT_CSV, LEASE_UNKNOWN,
     "ip,port,port_last,inside,from,to\n"
     "1.2.3.4,5,4,10.0.0.1,2026-02-15,2026-02-16\n"
     "1.2.3.4,5,70000,10.0.0.1,2026-02-15,2026-02-16\n"
     "1.2.3,5,6,10.0.0.1,2026-02-15,2026-02-16\n"
     "1.2.3.4,5,6,10.0.0,2026-02-15,2026-02-16\n"
     "1.2.3.4,5,6,10.0.0.1,15th,2026-02-16\n"
     "1.2.3.4,5,6,10.0.0.1,,\n"
     "1.2.3.4,5,6,10.0.0.1,2026-02-16,2026-02-15\n"
     "1.2.3.4,5,6,,2026-02-15,2026-02-16\n",
     "line 2 bad_ports\nline 3 bad_ports\nline 4 bad_address\nline 5 bad_inside\nline 6 bad_time\nline 7 no_time\n"
     "line 8 ends_before_it_begins\nline 9 nobody\n"},
    {"a static table of the day, prefixes too", LEASE_FORMAT_CSV, INT64_C(1771113600000000),
     "address,username,from\n2001:db8:5:100::/56,hn_77,\n203.0.113.0/29,acme,2020-01-01\n",
     "radius 2001:db8:5:100::/56 0-65535 - 2026-02-15T00:00:00..? mac 000000000000 gw  who hn_77 host \n"
     "radius 203.0.113.0/125 0-65535 - 2019-12-31T17:00:00..? mac 000000000000 gw  who acme host \n"},
    {"Kea's memfile", LEASE_FORMAT_KEA, LEASE_UNKNOWN,
     "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
     "192.168.1.10,52:54:00:12:34:56,01:52:54,3600,1771117200,1,0,0,pc-10,0,\n",
     "dhcp 192.168.1.10/128 0-65535 - 2026-02-15T00:00:00..2026-02-15T01:00:00 mac 525400123456 gw  who  host pc-10 planned\n"},
    {"the audit log of Windows DHCP", LEASE_FORMAT_WINDOWS, LEASE_UNKNOWN,
     "\t\tMicrosoft DHCP Service Activity Log\r\n\r\nEvent ID  Meaning\r\n00\tLog started.\r\n\r\n"
     "ID,Date,Time,Description,IP Address,Host Name,MAC Address,User Name, TransactionID, QResult\r\n"
     "00,02/15/26,00:00:10,Started,,,,,0,6\r\n"
     "10,02/15/26,08:00:00,Assign,10.0.0.7,ke-toan.tinh.local,005056AABBCC,,1,0\r\n"
     "11,02/15/26,09:00:00,Renew,10.0.0.7,ke-toan.tinh.local,005056AABBCC,,2,0\r\n"
     "12,02/15/26,17:00:00,Release,10.0.0.7,ke-toan.tinh.local,005056AABBCC,,3,0\r\n",
     "dhcp 10.0.0.7/128 0-65535 - 2026-02-15T01:00:00..2026-02-15T10:00:00 mac 005056aabbcc gw  who  host ke-toan.tinh.local\n"},
    {"dhcpd.leases", LEASE_FORMAT_ISC, LEASE_UNKNOWN,
     "# comment\nauthoring-byte-order little-endian;\n\n"
     "lease 10.1.1.5 {\n  starts 0 2026/02/15 01:00:00;\n  ends 0 2026/02/15 02:00:00;\n  binding state active;\n"
     "  next binding state free;\n  hardware ethernet 00:11:22:33:44:55;\n  client-hostname \"may \\\"1\\\"\";\n}\n"
     "lease 10.1.1.6 {\n  starts epoch 1771113600; # Sun\n  ends never;\n  binding state active;\n  hardware ethernet 00:11:22:33:44:66;\n}\n"
     "lease 10.1.1.7 {\n  starts 0 2026/02/15 01:00:00;\n  ends 0 2026/02/15 01:10:00;\n  binding state free;\n"
     "  hardware ethernet 00:11:22:33:44:77;\n}\n"
     "lease 10.1.1.8 {\n  starts 0 2026/02/15 01:00:00;\n  binding state abandoned;\n}\n"
     "lease 10.1.1.999 {\n  starts 0 2026/02/15 01:00:00;\n}\n"
     "lease 10.1.1.9 {\n  starts 0 yesterday;\n  hardware ethernet 00:11:22:33:44:99;\n}\n"
     "lease 10.1.1.10 {\n  starts 0 2026/02/15 01:00:00;\n",
     "dhcp 10.1.1.5/128 0-65535 - 2026-02-15T01:00:00..2026-02-15T02:00:00 mac 001122334455 gw  who  host may \\\"1\\\" planned\n"
     "dhcp 10.1.1.7/128 0-65535 - 2026-02-15T01:00:00..2026-02-15T01:10:00 mac 001122334477 gw  who  host \n"
     "line 28 bad_address\nline 32 bad_time\nline 36 cut\n"
     "dhcp 10.1.1.6/128 0-65535 - 2026-02-15T00:00:00..? mac 001122334466 gw  who  host \n"},
    {"dnsmasq.leases", LEASE_FORMAT_DNSMASQ, INT64_C(1771113600000000),
     "1771117200 52:54:00:ab:cd:ef 192.168.5.20 laptop 01:52:54:00:ab:cd:ef\nduid 00:01:00:01\nx y z\n",
     "dhcp 192.168.5.20/128 0-65535 - 2026-02-15T00:00:00..2026-02-15T01:00:00 mac 525400abcdef gw  who  host laptop planned\n"
     "line 3 bad_time\n"},
    {"FreeRADIUS accounting", LEASE_FORMAT_DETAIL, LEASE_UNKNOWN,
     "Sun Feb 15 08:00:00 2026\n\tAcct-Status-Type = Start\n\tUser-Name = \"hn_0123\"\n\tFramed-IP-Address = 100.64.9.9\n"
     "\tNAS-IP-Address = 10.255.0.1\n\tCalling-Station-Id = \"00-11-22-33-44-55\"\n\tEvent-Timestamp = \"Feb 15 2026 08:00:00 +07\"\n\n"
     "Sun Feb 15 09:00:00 2026\n\tAcct-Status-Type = Stop\n\tUser-Name = \"hn_0123\"\n\tFramed-IP-Address = 100.64.9.9\n"
     "\tNAS-IP-Address = 10.255.0.1\n\tAcct-Session-Time = 3600\n\tTimestamp = 1771120800\n\n"
     "Sun Feb 15 09:00:00 2026\n\tAcct-Status-Type = Start\n\tUser-Name = \"hn_9\"\n\tDelegated-IPv6-Prefix = 2001:db8:9::/48\n"
     "\tNAS-IP-Address = 10.255.0.1\n\n"
     "Sun Feb 15 10:00:00 2026\n\tAcct-Status-Type = Accounting-On\n\tNAS-IP-Address = 10.255.0.1\n\n"
     "Sun Feb 15 10:00:00 2026\n\tUser-Name = \"nobody\"\n\n",
     "radius 100.64.9.9/128 0-65535 - 2026-02-15T01:00:00..2026-02-15T02:00:00 mac 001122334455 gw 10.255.0.1 who hn_0123 host \n"
     "radius 2001:db8:9::/48 0-65535 - 2026-02-15T02:00:00..2026-02-15T03:00:00 mac 000000000000 gw 10.255.0.1 who hn_9 host \n"
     "restart ::/128 0-65535 - 2026-02-15T03:00:00..? mac 000000000000 gw 10.255.0.1 who  host \n"},
    {"neighbours of Linux, BSD and Cisco", LEASE_FORMAT_NEIGHBOURS, INT64_C(1771113600000000),
     "192.168.1.1 dev eth0 lladdr 52:54:00:aa:aa:01 REACHABLE\n192.168.1.2 dev eth0  FAILED\n"
     "? (192.168.1.3) at 52:54:00:aa:aa:03 [ether] on eth0\nInternet  192.168.1.4   12   5254.00aa.aa04  ARPA   Vlan10\n",
     "neighbour 192.168.1.1/128 0-65535 - 2026-02-15T00:00:00..2026-02-15T00:00:00 mac 525400aaaa01 gw  who  host  seen\n"
     "neighbour 192.168.1.3/128 0-65535 - 2026-02-15T00:00:00..2026-02-15T00:00:00 mac 525400aaaa03 gw  who  host  seen\n"
     "neighbour 192.168.1.4/128 0-65535 - 2026-02-15T00:00:00..2026-02-15T00:00:00 mac 525400aaaa04 gw  who  host  seen\n"},
};

static void every_kind_of_file_is_told_and_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct lease_read_options o = plain;
        struct lease_account a;
        struct got g;
        o.at_us = cases[i].at_us;
        assert_int_equal(read_bytes(cases[i].text, strlen(cases[i].text), &o, &g, &a), 0);
        if (a.format != cases[i].format || strcmp(g.rows, cases[i].expected))
            fail_msg("%s: as %s:\n%s--- expected:\n%s", cases[i].what, lease_format_name(a.format), g.rows, cases[i].expected);
    }
}

static void what_is_no_table_is_refused_whole(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "just words\nand more\n", "a,b,c\n1,2,3\n", "ip,user\n1.2.3.4,x\n"};
    struct lease_account a;
    struct got g;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_int_equal(read_bytes(texts[i], strlen(texts[i]), &plain, &g, &a), LEASE_READ_REFUSED);
        assert_int_equal(g.n_rows, 0);
    }
    assert_int_equal(read_bytes("ip,time\0x", 9, &plain, &g, &a), LEASE_READ_REFUSED);
    static const char arp[] = "192.168.1.1 dev eth0 lladdr 52:54:00:aa:aa:01 REACHABLE\n";
    assert_int_equal(read_bytes(arp, strlen(arp), &plain, &g, &a), LEASE_READ_REFUSED); /* when was it? */
}

static void macs_protocols_and_words_in_their_forms(void **state)
{
    (void)state;
    static const char *const macs[] = {"00:11:22:33:44:55", "00-11-22-33-44-55", "0011.2233.4455", "001122334455"};
    static const char *const no_macs[] = {"", "00:11:22:33:44", "00:11:22:33:44:55:66", "0:11:22:33:44:555", "84912345678", "zz:11:22:33:44:55",
                                          "00:00:00:00:00:00"};
    uint64_t mac;
    uint8_t protocol;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(lease_mac_of((struct text){macs[i], strlen(macs[i])}, &mac), 0);
        assert_int_equal(mac, 0x001122334455);
    }
    for (size_t i = 0; i < sizeof(no_macs) / sizeof(*no_macs); i++)
        assert_int_equal(lease_mac_of((struct text){no_macs[i], strlen(no_macs[i])}, &mac), 1);
    assert_int_equal(lease_protocol_of(TEXT("UDP"), &protocol), 0);
    assert_int_equal(protocol, 17);
    assert_int_equal(lease_protocol_of(TEXT("256"), &protocol), 1);
    assert_int_equal(lease_word_of(TEXT(" Allocated ")), LEASE_WORD_BEGIN);
    assert_int_equal(lease_word_of(TEXT("17")), LEASE_WORD_END);
    assert_int_equal(lease_word_of(TEXT("Interim-Update")), LEASE_WORD_STILL);
    assert_int_equal(lease_word_of(TEXT("")), LEASE_WORD_NONE);
    assert_int_equal(lease_word_of(TEXT("xyz")), LEASE_WORD_BAD);
}

static void a_table_cut_anywhere_keeps_its_account(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t n = 0; n < strlen(cases[i].text); n += 7) {
            struct lease_read_options o = plain;
            struct lease_account a;
            struct got g;
            o.at_us = INT64_C(1771113600000000);
            o.format = cases[i].format;
            (void)read_bytes(cases[i].text, n, &o, &g, &a); /* the balance is asserted there */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_file_is_told_and_read),
        cmocka_unit_test(what_is_no_table_is_refused_whole),
        cmocka_unit_test(macs_protocols_and_words_in_their_forms),
        cmocka_unit_test(a_table_cut_anywhere_keeps_its_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
