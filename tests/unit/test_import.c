/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of every kind through the door of the command line. Datagrams and captures are written here byte by byte
 * from their standards; counts of real files are their publishers'.
 */
#include "base/buf.h"
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "watch/intake/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

struct seen {
    uint64_t flows, bytes, packets, labelled, refusals;
    struct flow last;
    const char *label; /* counted where the label contains it */
};

static int take(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct seen *s = context;
    (void)o;
    for (uint32_t i = 0; i < n; i++) {
        struct text label;
        s->flows++;
        s->bytes += flows[i].source_bytes + flows[i].destination_bytes;
        s->packets += flows[i].source_packets + flows[i].destination_packets;
        if (s->label && flow_text_get(flows[i].texts, "event.label", &label))
            s->labelled += memmem(label.p, label.n, s->label, strlen(s->label)) != NULL;
        s->last = flows[i];
    }
    return 0;
}

static void refused(void *context, const struct import_refused *r)
{
    ((struct seen *)context)->refusals += r->n;
}

static struct import *start(enum import_format format, struct seen *s)
{
    struct import *i;
    struct import_options o = {.format = format, .sink = take, .on_refused = refused, .context = s};
    assert_int_equal(import_new(&o, &i), 0);
    return i;
}

static int fd_of(const void *p, size_t n)
{
    int fd = memfd_create("import", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int read_bytes(struct import *i, const void *p, size_t n, struct import_summary *s, struct fault *f)
{
    int fd = fd_of(p, n);
    int rc = import_file(i, fd, "a file", s, f);
    close(fd);
    if (rc >= 0) /* what ended the run may have ended it inside a row */
        assert_int_equal(s->read, s->kept + s->other + import_summary_refused(s));
    assert_true((rc != 0) == (f->text[0] != '\0'));
    return rc;
}

static const char argus[] = "StartTime,Dur,Proto,SrcAddr,DstAddr,TotBytes,SrcBytes,Label\n"
                            "2024-01-01 00:00:00,1,tcp,192.0.2.1,198.51.100.2,100,60,x\n"
                            "2024-01-01 00:00:00,1,tcp,oops,198.51.100.2,100,60,x\n"
                            "2024-01-01 00:00:00,1,udp,192.0.2.1,198.51.100.3,50,50,x\n";

static void text_is_read_and_accounted(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct import_summary s;
    struct fault f;
    struct import *i = start(IMPORT_AUTO, &seen);
    assert_int_equal(read_bytes(i, argus, sizeof(argus) - 1, &s, &f), 0);
    assert_string_equal(s.kind, "binetflow");
    assert_string_equal(s.unit, "rows");
    assert_int_equal(s.read, 3);
    assert_int_equal(s.kept, 2);
    assert_int_equal(s.n_flows, 2);
    assert_int_equal(s.n_reasons, 1);
    assert_string_equal(s.refused[0].reason, "bad_address");
    assert_int_equal(seen.refusals, 1);
    assert_int_equal(seen.bytes, 150);
    import_free(i);
}

static size_t gzip(const void *p, size_t n, uint8_t *out, size_t room)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&z, 0, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void a_packed_file_is_unpacked_and_a_torn_one_keeps_its_whole_rows(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct import_summary s;
    struct fault f;
    uint8_t packed[1024];
    size_t n = gzip(argus, sizeof(argus) - 1, packed, sizeof(packed));
    struct import *i = start(IMPORT_BINETFLOW, &seen);
    assert_int_equal(read_bytes(i, packed, n, &s, &f), 0);
    assert_string_equal(s.packing, "gzip");
    assert_int_equal(s.kept, 2);
    assert_int_equal(s.n_bytes, sizeof(argus) - 1);
    assert_false(s.is_truncated);
    /* stored, not deflated: 8 bytes of trailer and 20 of the last row are missing */
    assert_int_equal(read_bytes(i, packed, n - 28, &s, &f), 0);
    assert_true(s.is_truncated);
    assert_int_equal(s.read, 3);
    assert_int_equal(s.kept, 1);
    packed[n - 6] ^= 1; /* its check sum */
    assert_int_equal(read_bytes(i, packed, n, &s, &f), IMPORT_REFUSED);
    import_free(i);
}

static void what_we_cannot_read_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        enum import_format format;
        const char *bytes;
        size_t n;
        const char *wanted; /* in the message */
    } cases[] = {
        {IMPORT_AUTO, "", 0, "empty"},
        {IMPORT_AUTO, "\x0c\xa5\1\0\0\0\0\0", 8, "nfdump -r"},
        {IMPORT_BINETFLOW, "\x0c\xa5\1\0\0\0\0\0", 8, "nfdump -r"},
        {IMPORT_AUTO, "PK\3\4....", 8, "zip"},
        {IMPORT_AUTO, "\x7f" "ELF\2\1\1\0", 8, "binary"},
        {IMPORT_ZEEK, "\x7f" "ELF\2\1\1\0", 8, "binary"},
        {IMPORT_AUTO, "hello world\n", 12, "hello world"},
        {IMPORT_ZEEK, "StartTime,SrcAddr,DstAddr\n", 26, "not zeek"},
        {IMPORT_PCAP, "StartTime,SrcAddr,DstAddr\n", 26, "capture"},
        {IMPORT_EXPORTS, "StartTime,SrcAddr,DstAddr\n", 26, "export traffic"},
        {IMPORT_CSV, "a,b\n1,2\n", 8, "--map"},
        {IMPORT_CSV, "\xd4\xc3\xb2\xa1\2\0\4\0", 8, "binary"},
    };
    for (size_t k = 0; k < COUNT_OF(cases); k++) {
        struct seen seen = {0};
        struct import_summary s;
        struct fault f;
        struct import *i = start(cases[k].format, &seen);
        assert_int_equal(read_bytes(i, cases[k].bytes, cases[k].n, &s, &f), IMPORT_REFUSED);
        if (!strstr(f.text, cases[k].wanted))
            fail_msg("%zu: %s", k, f.text);
        assert_int_equal(seen.flows, 0);
        import_free(i);
    }
}

static void a_descriptor_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct import_summary s;
    struct fault f;
    struct import *i = start(IMPORT_AUTO, &seen);
    assert_int_equal(import_file(i, -1, "no file", &s, &f), -EBADF);
    assert_non_null(strstr(f.text, "no file"));
    import_free(i);
}

/* ---- export traffic */

static void put16(struct buf *b, unsigned v)
{
    buf_add_byte(b, (uint8_t)(v >> 8));
    buf_add_byte(b, (uint8_t)v);
}

static void put32(struct buf *b, uint32_t v)
{
    put16(b, v >> 16);
    put16(b, v & 0xffff);
}

/* v9: source, destination, bytes, packets (RFC 3954 8, types 8, 12, 1, 2) */
static void template_datagram(struct buf *b)
{
    static const unsigned fields[][2] = {{8, 4}, {12, 4}, {1, 4}, {2, 4}};
    put16(b, 9), put16(b, 1), put32(b, 1000), put32(b, 1700000000), put32(b, 1), put32(b, 5);
    put16(b, 0), put16(b, 8 + 4 * COUNT_OF(fields)), put16(b, 256), put16(b, COUNT_OF(fields));
    for (size_t k = 0; k < COUNT_OF(fields); k++)
        put16(b, fields[k][0]), put16(b, fields[k][1]);
}

static void data_datagram(struct buf *b, uint32_t bytes)
{
    put16(b, 9), put16(b, 1), put32(b, 2000), put32(b, 1700000001), put32(b, 2), put32(b, 5);
    put16(b, 256), put16(b, 20), put32(b, 0xc0000201), put32(b, 0xc6336402), put32(b, bytes), put32(b, 3);
}

static void templates_persist_over_the_files_of_one_command(void **state)
{
    (void)state;
    for (int is_late = 0; is_late < 2; is_late++) {
        struct seen seen = {0};
        struct import_summary s;
        struct fault f;
        struct buf t = {.max = 1000}, d = {.max = 1000};
        template_datagram(&t);
        data_datagram(&d, 777);
        struct import *i = start(IMPORT_EXPORTS, &seen);
        const struct buf *first = is_late ? &d : &t, *second = is_late ? &t : &d;
        assert_int_equal(read_bytes(i, first->p, first->n, &s, &f), 0);
        assert_int_equal(s.n_flows, 0);
        assert_int_equal(read_bytes(i, second->p, second->n, &s, &f), 0);
        assert_int_equal(s.kept, 1);
        assert_int_equal(seen.bytes, 777);
        assert_int_equal(seen.last.received_us, seen.last.received_us / 1000000 * 1000000); /* not today's clock */
        assert_true(seen.last.received_us <= INT64_C(1700000001000000));
        import_finish(i, &s);
        assert_int_equal(s.read, 0);
        import_free(i);
        buf_fini(&t);
        buf_fini(&d);
    }
}

static void data_whose_template_never_comes_is_refused_at_the_end(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct import_summary s;
    struct fault f;
    struct buf d = {.max = 1000};
    data_datagram(&d, 777);
    struct import *i = start(IMPORT_AUTO, &seen);
    assert_int_equal(read_bytes(i, d.p, d.n, &s, &f), 0);
    import_finish(i, &s);
    assert_int_equal(s.read, 1);
    assert_int_equal(s.refused[0].n, 1);
    assert_string_equal(s.refused[0].reason, "template_unknown");
    import_free(i);
    buf_fini(&d);
}

/* ---- captures: pcap header, then packets of raw IPv4 (LINKTYPE_RAW 101) with UDP */

static void pcap_header(struct buf *b)
{
    put32(b, 0xa1b2c3d4), put16(b, 2), put16(b, 4), put32(b, 0), put32(b, 0), put32(b, 65535), put32(b, 101);
}

static void pcap_packet(struct buf *b, uint32_t second, unsigned port, const struct buf *payload)
{
    unsigned n_payload = payload ? (unsigned)payload->n : 4, n = 28 + n_payload;
    put32(b, second), put32(b, 0), put32(b, n), put32(b, n);
    put16(b, 0x4500), put16(b, n), put32(b, 0), put16(b, 0x4011), put16(b, 0), put32(b, 0x0a000001), put32(b, 0x0a000002);
    put16(b, port), put16(b, 2055), put16(b, 8 + n_payload), put16(b, 0);
    buf_add(b, payload ? payload->p : (const uint8_t *)"abcd", n_payload);
}

static void packets_are_metered_and_a_cut_capture_keeps_the_whole_ones(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct import_summary s;
    struct fault f;
    struct buf b = {.max = 10000};
    pcap_header(&b);
    for (unsigned k = 0; k < 3; k++)
        pcap_packet(&b, 1700000000 + k, 4000 + k, NULL);
    struct import *i = start(IMPORT_AUTO, &seen);
    assert_int_equal(read_bytes(i, b.p, b.n, &s, &f), 0);
    assert_string_equal(s.unit, "packets");
    assert_int_equal(s.kept, 3);
    assert_int_equal(s.n_flows, 3);
    assert_int_equal(seen.bytes, 3 * 32);
    assert_false(s.is_truncated);
    assert_int_equal(read_bytes(i, b.p, b.n - 10, &s, &f), 0);
    assert_true(s.is_truncated);
    assert_int_equal(s.kept, 2);
    assert_int_equal(s.n_flows, 2);
    import_free(i);
    buf_fini(&b);
}

static void a_capture_of_export_datagrams_is_decoded_when_asked_for(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct import_summary s;
    struct fault f;
    struct buf b = {.max = 10000}, t = {.max = 1000}, d = {.max = 1000};
    template_datagram(&t);
    data_datagram(&d, 777);
    pcap_header(&b);
    pcap_packet(&b, 1700000000, 4000, &t);
    pcap_packet(&b, 1700000001, 4000, &d);
    struct import *i = start(IMPORT_EXPORTS, &seen);
    assert_int_equal(read_bytes(i, b.p, b.n, &s, &f), 0);
    assert_string_equal(s.kind, "netflow9");
    assert_string_equal(s.unit, "records");
    assert_int_equal(s.kept, 1);
    assert_int_equal(seen.bytes, 777);
    assert_int_equal(seen.last.received_us, INT64_C(1700000001000000));
    import_free(i);
    buf_fini(&b);
    buf_fini(&t);
    buf_fini(&d);
}

/* pcap_part - bytes [from, from + n) of a UDP datagram (header included) as a fragment, RFC 791 3.1. */
static void pcap_part(struct buf *b, const struct buf *datagram, size_t from, size_t n, bool has_more)
{
    uint32_t n_packet = (uint32_t)(20 + n), offset = (uint32_t)(from / 8) | (has_more ? 0x2000 : 0);
    put32(b, 1700000002), put32(b, 0), put32(b, n_packet), put32(b, n_packet);
    put16(b, 0x4500), put16(b, n_packet), put16(b, 99), put16(b, offset), put16(b, 0x4011), put16(b, 0);
    put32(b, 0x0a000001), put32(b, 0x0a000002);
    buf_add(b, datagram->p + from, n);
}

static void an_export_datagram_in_fragments_is_put_together_and_one_that_lacks_a_part_is_named(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct import_summary s;
    struct fault f;
    struct buf b = {.max = 10000}, t = {.max = 1000}, d = {.max = 1000}, u = {.max = 2000};
    template_datagram(&t);
    data_datagram(&d, 777);
    put16(&u, 4000), put16(&u, 2055), put16(&u, (unsigned)(8 + d.n)), put16(&u, 0);
    buf_add(&u, d.p, d.n);
    pcap_header(&b);
    pcap_packet(&b, 1700000000, 4000, &t);
    pcap_part(&b, &u, 24, u.n - 24, false);
    pcap_part(&b, &u, 0, 24, true);
    struct import *i = start(IMPORT_EXPORTS, &seen);
    assert_int_equal(read_bytes(i, b.p, b.n, &s, &f), 0);
    assert_int_equal(s.kept, 1);
    assert_int_equal(s.read, 1);
    assert_int_equal(seen.bytes, 777);
    pcap_part(&b, &u, 0, 24, true); /* its other part never comes */
    assert_int_equal(read_bytes(i, b.p, b.n, &s, &f), 0);
    assert_int_equal(s.kept, 1);
    assert_int_equal(s.read, 2);
    assert_string_equal(s.refused[0].reason, "datagram_in_parts");
    assert_int_equal(s.refused[0].n, 1);
    import_free(i);
    buf_fini(&b);
    buf_fini(&t);
    buf_fini(&d);
    buf_fini(&u);
}

static void a_device_is_refused_by_name_and_not_read(void **state)
{
    (void)state;
    static const char *const devices[] = {"/dev/zero", "/dev/null"};
    struct seen seen = {0};
    struct import *i = start(IMPORT_AUTO, &seen);
    for (size_t k = 0; k < COUNT_OF(devices); k++) {
        struct import_summary s;
        struct fault f;
        int fd = open(devices[k], O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(import_file(i, fd, devices[k], &s, &f), -ENODEV);
        assert_non_null(strstr(f.text, devices[k]));
        assert_non_null(strstr(f.text, "device"));
        assert_int_equal(s.n_bytes_in, 0);
        close(fd);
    }
    import_free(i);
}

static int full(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    (void)context, (void)flows, (void)n, (void)o;
    return -ENOSPC;
}

static void what_the_sink_says_is_handed_up(void **state)
{
    (void)state;
    struct import *i;
    struct import_summary s;
    struct fault f;
    struct import_options o = {.sink = full};
    assert_int_equal(import_new(&o, &i), 0);
    assert_int_equal(read_bytes(i, argus, sizeof(argus) - 1, &s, &f), -ENOSPC);
    import_free(i);
}

static int import_with_failures(void *context)
{
    const struct buf *b = context;
    struct seen seen = {0};
    struct import *i;
    struct import_summary s;
    struct fault f;
    struct import_options o = {.sink = take, .on_refused = refused, .context = &seen};
    int rc = import_new(&o, &i);
    if (rc)
        return rc;
    rc = read_bytes(i, b->p, b->n, &s, &f);
    import_free(i);
    return rc;
}

static void every_allocation_may_fail_once(void **state)
{
    (void)state;
    struct buf text = {.max = 1000}, datagrams = {.max = 1000};
    buf_add(&text, argus, sizeof(argus) - 1);
    template_datagram(&datagrams);
    failing_alloc_each("importing text", import_with_failures, &text, false);
    failing_alloc_each("importing a datagram", import_with_failures, &datagrams, true);
    buf_fini(&text);
    buf_fini(&datagrams);
}

/* ---- real files */

static const struct {
    const char *archive, *member; /* below VONGGAC_SHARED/data; member NULL: the file itself */
    const char *kind;
    uint64_t read, kept;
    const char *label;
    uint64_t labelled;
} files[] = {
    {"flows/ctu13-scenario11-rbot.binetflow.xz", NULL, "binetflow", 107251, 107248, "Botnet", 8164},
    {"flows/ctu13-scenario11-rbot-unidirectional.csv.xz", NULL, "binetflow", 195532, 195529, "From-Botnet-Rbot", 12477},
    {"netflow/nfcapd-slips-test1.nfdump.csv.xz", NULL, "nfdump-csv", 4593, 4593, NULL, 0},
    {"flows/netflowlabeler-examples.tar.xz", "test5.tabs.binetflow", "binetflow", 6725, 6723, "Malware", 6277},
    {"flows/netflowlabeler-examples.tar.xz", "nfcapd.sample1.labeled", "nfdump-line", 35, 35, "Test-Label", 0},
    {"flows/netflowlabeler-examples.tar.xz", "conn.json.log", "json", 1000, 1000, NULL, 0},
    {"flows/netflowlabeler-examples.tar.xz", "conn.tab.log", "zeek", 92, 92, NULL, 0},
    {"flows/stratosphere-testing.tar.xz", "008-zeek-mixed/data/conn.log.labeled", "zeek", 5663, 5663, "Malicious", 4201},
    {"flows/stratosphere-testing.tar.xz", "001-zeek-scenario-malicious/labeled-conn.log", "zeek", 992, 992, "Malicious", 244},
    {"flows/rita-zeek.tar.xz", "proxy_rolling/conn.16:00:00-17:00:00.log", "zeek", 7260, 7260, NULL, 0},
    {"flows/rita-zeek.tar.xz", "json_with_all_fields/open_conn.log", "json", 59, 59, NULL, 0},
    {"flows/rita-zeek.tar.xz", "json_with_all_fields/dns.log", "json", 34, 0, NULL, 0},
    {"netflow/ipfixcol2-example_flows.ipfix.xz", NULL, "ipfix", 3979, 3979, NULL, 0},
};

static void real_files_give_the_counts_of_their_publishers(void **state)
{
    (void)state;
    const char *shared = getenv("VONGGAC_SHARED");
    char path[4096];
    snprintf(path, sizeof(path), "%s/data/flows", shared ? shared : "../shared");
    if (access(path, R_OK)) {
        printf("skipped: %s is not there\n", path);
        skip();
    }
    for (size_t k = 0; k < COUNT_OF(files); k++) {
        struct seen seen = {.label = files[k].label};
        struct import_summary s;
        struct fault f;
        char command[8192];
        snprintf(path, sizeof(path), "%s/data/%s", shared ? shared : "../shared", files[k].archive);
        snprintf(command, sizeof(command), "tar -xJOf '%s' --wildcards '*%s'", path, files[k].member ? files[k].member : "");
        FILE *pipe = files[k].member ? popen(command, "r") : fopen(path, "r");
        assert_non_null(pipe);
        struct import *i = start(IMPORT_AUTO, &seen);
        assert_int_equal(import_file(i, fileno(pipe), files[k].archive, &s, &f), 0);
        import_free(i);
        if (files[k].member)
            assert_int_equal(pclose(pipe), 0);
        else
            fclose(pipe);
        if (strcmp(s.kind, files[k].kind) != 0 || s.read != files[k].read || s.kept != files[k].kept ||
            seen.labelled != (files[k].labelled ? files[k].labelled : seen.labelled))
            fail_msg("%s %s: %s, read %llu kept %llu labelled %llu", files[k].archive, files[k].member ? files[k].member : "",
                     s.kind, (unsigned long long)s.read, (unsigned long long)s.kept, (unsigned long long)seen.labelled);
        assert_int_equal(s.read, s.kept + import_summary_refused(&s));
        assert_int_equal(seen.flows, s.n_flows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_and_accounted),
        cmocka_unit_test(a_packed_file_is_unpacked_and_a_torn_one_keeps_its_whole_rows),
        cmocka_unit_test(what_we_cannot_read_is_refused_with_a_reason),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error),
        cmocka_unit_test(templates_persist_over_the_files_of_one_command),
        cmocka_unit_test(data_whose_template_never_comes_is_refused_at_the_end),
        cmocka_unit_test(packets_are_metered_and_a_cut_capture_keeps_the_whole_ones),
        cmocka_unit_test(a_capture_of_export_datagrams_is_decoded_when_asked_for),
        cmocka_unit_test(an_export_datagram_in_fragments_is_put_together_and_one_that_lacks_a_part_is_named),
        cmocka_unit_test(a_device_is_refused_by_name_and_not_read),
        cmocka_unit_test(what_the_sink_says_is_handed_up),
        cmocka_unit_test(every_allocation_may_fail_once),
        cmocka_unit_test(real_files_give_the_counts_of_their_publishers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
