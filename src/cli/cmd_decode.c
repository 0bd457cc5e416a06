/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac decode: any file, no store. Logs are read here; files of flows go to cmd_import.c, in runs of the order given,
 * since templates of exports persist from file to file.
 */
#include "base/clock.h"
#include "base/content.h"
#include "base/text.h"
#include "cli/cli.h"
#include "format/flow_text.h"
#include "format/pcap.h"
#include "watch/intake/decoders.h"
#include "watch/intake/import.h"
#include "watch/intake/log_read.h"
#include "watch/intake/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LOOK_BYTES = 1 << 16, OUT_BYTES = 1 << 18, ROW_MAX = 512 << 20 };

/* --- is it flows? --------------------------------------------------------------------------------------- */

static int no_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    (void)context, (void)flows, (void)n, (void)o;
    return 0;
}

/* is_flow_text - a table of flows; Zeek and JSON are logs. */
static bool is_flow_text(const uint8_t *p, size_t n, bool is_whole)
{
    struct flow_text_options o = {.want = FLOW_TEXT_KIND_AUTO};
    struct flow_text_reader *r = flow_text_reader_new(&o, no_flows, NULL, NULL);
    if (!r)
        return false;
    int rc = flow_text_reader_feed(r, p, n);
    if (!rc && (is_whole || flow_text_reader_kind(r) == FLOW_TEXT_KIND_AUTO))
        rc = flow_text_reader_end(r, true);
    enum flow_text_kind kind = rc ? FLOW_TEXT_KIND_AUTO : flow_text_reader_kind(r);
    flow_text_reader_free(r);
    return kind == FLOW_TEXT_KIND_BINETFLOW || kind == FLOW_TEXT_KIND_NFDUMP_CSV || kind == FLOW_TEXT_KIND_NFDUMP_LINE ||
           kind == FLOW_TEXT_KIND_CSV;
}

/* is_flows - from the first bytes of the content. */
static bool is_flows(const uint8_t *p, size_t n, bool is_whole)
{
    if (n >= 7 && !memcmp(p, "ElfFile", 7))
        return false;
    if (pcap_is_magic(p, n))
        return true;
    bool is_utf16 = n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff));
    if (n >= 4 && p[0] == 0 && (p[1] == 0 || p[1] == 5 || p[1] == 9 || p[1] == 10)) /* versions of exports */
        return true;
    if (n >= 2 && ((p[0] == 0x0c && p[1] == 0xa5) || (p[0] == 0xa5 && p[1] == 0x0c))) /* nfcapd: flows says what to do */
        return true;
    if (n && (p[0] == '{' || p[0] == '[' || p[0] == '#' || p[0] == '<') && !is_utf16)
        return false;
    return n && is_flow_text(p, n, is_whole);
}

/* first_bytes - of the content behind @fd, unpacked. Return: how many. */
static size_t first_bytes(int fd, uint8_t *p, bool *ret_is_whole)
{
    struct unpack *u;
    size_t n = 0, more = 1;
    *ret_is_whole = false;
    if (unpack_new(fd, &u))
        return 0;
    while (n < LOOK_BYTES && more) {
        int rc = unpack_read(u, p + n, LOOK_BYTES - n, &more);
        n += more;
        if (rc)
            break;
    }
    *ret_is_whole = !more;
    unpack_free(u);
    return n;
}

/* --- a pipe that was looked into ------------------------------------------------------------------------- */

struct pump {
    int from, to;
    size_t n;
    uint8_t bytes[LOOK_BYTES];
};

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t m = write(fd, p, n);
        if (m < 0 && errno == EINTR)
            continue;
        if (m <= 0)
            return false;
        p += m;
        n -= (size_t)m;
    }
    return true;
}

/* pump - what was looked at, then the rest, until one side ends. */
static void *pump(void *context)
{
    struct pump *x = context;
    while (x->n && write_all(x->to, x->bytes, x->n)) {
        ssize_t m;
        do
            m = read(x->from, x->bytes, sizeof x->bytes);
        while (m < 0 && errno == EINTR);
        x->n = m > 0 ? (size_t)m : 0;
    }
    close(x->from);
    close(x->to);
    free(x);
    return NULL;
}

/* refilled - a descriptor that gives the bytes of @x and then what follows them; takes @x and its .from. -1: failed. */
static int refilled(struct pump *x)
{
    int ends[2];
    pthread_t thread;
    if (pipe2(ends, O_CLOEXEC)) {
        close(x->from);
        free(x);
        return -1;
    }
    x->to = ends[1];
    if (pthread_create(&thread, NULL, pump, x)) {
        close(x->from);
        close(ends[0]);
        close(ends[1]);
        free(x);
        return -1;
    }
    pthread_detach(thread);
    return ends[0];
}

/* look_into_pipe - some of its bytes, unpacked if need be; *@fd becomes a descriptor that still has them. */
static bool look_into_pipe(int *fd, uint8_t *room)
{
    struct pump *x = malloc(sizeof *x);
    int spool = memfd_create("look", MFD_CLOEXEC);
    bool is_whole, answer = false;
    if (!x || spool < 0) {
        free(x);
        return false;
    }
    x->from = *fd;
    x->n = 0;
    for (ssize_t m = 1; m > 0 && x->n < 4096;) {
        m = read(*fd, x->bytes + x->n, sizeof x->bytes - x->n);
        if (m < 0 && errno == EINTR)
            m = 1;
        else if (m > 0)
            x->n += (size_t)m;
    }
    if (write_all(spool, x->bytes, x->n) && !lseek(spool, 0, SEEK_SET)) {
        size_t n = first_bytes(spool, room, &is_whole);
        answer = is_flows(room, n, is_whole);
    }
    close(spool);
    *fd = refilled(x);
    return answer;
}

/* holds_flows - what the file behind *@fd is; a pipe's descriptor is exchanged. */
static bool holds_flows(int *fd)
{
    bool is_whole, answer;
    uint8_t *room = malloc(LOOK_BYTES);
    if (!room)
        return false;
    off_t at = lseek(*fd, 0, SEEK_CUR);
    if (at >= 0) {
        size_t n = first_bytes(*fd, room, &is_whole);
        answer = is_flows(room, n, is_whole);
        (void)lseek(*fd, at, SEEK_SET);
    } else {
        answer = look_into_pipe(fd, room);
    }
    free(room);
    return answer;
}

/* --- logs ------------------------------------------------------------------------------------------------ */

struct decoding {
    const struct cli_args *args;
    struct log_options o;
    struct event_names *names;
    struct line_decoders *decoders;
    struct buf out;
    const char *name;
    int status;
    bool has_no_reader; /* of our output: nothing is said, nothing more is read */
};

static int write_out(struct decoding *d)
{
    if (d->out.is_bad)
        return -ENOMEM;
    if (!write_all(STDOUT_FILENO, d->out.p, d->out.n)) {
        d->has_no_reader = errno == EPIPE;
        return -errno;
    }
    d->out.n = 0;
    return 0;
}

static int print_events(void *context, struct events *e)
{
    struct decoding *d = context;
    for (uint32_t i = 0; i < e->n; i++) {
        event_json(e, i, &d->out);
        buf_add_byte(&d->out, '\n');
        int rc = d->out.n >= OUT_BYTES || d->out.is_bad ? write_out(d) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static void print_refused(void *context, const struct log_refused *r)
{
    struct decoding *d = context;
    char value[200], offset[24], line[24];
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)r->offset);
    snprintf(line, sizeof line, r->line ? "%llu" : "-", (unsigned long long)r->line);
    text_escape(r->value.p ? r->value.p : "", r->value.n, value, sizeof value);
    SAY(stderr, log_refused_record, d->name, offset, line, message_find("reason_", r->reason), value[0] ? ": " : "", value);
}

static void say_result(struct decoding *d, int rc, const struct log_account *a, const struct fault *f)
{
    if (d->has_no_reader)
        return;
    if (rc) {
        SAY(stderr, log_file_failed, f->text);
        d->status = rc < 0 ? EXIT_FAILED : d->status == EXIT_FAILED ? EXIT_FAILED : EXIT_REFUSED;
        return;
    }
    uint64_t refused = log_account_refused(a);
    if (a->is_truncated)
        SAY(stderr, log_file_cut, d->name);
    SAY(stderr, log_file_done, d->name, a->kind[0] ? a->kind : "-", message_count(a->read), message_count(a->kept), message_count(refused));
    if ((refused || a->is_truncated) && d->status == EXIT_DONE)
        d->status = EXIT_REFUSED;
}

static void decode_logs(struct decoding *d, int fd, const char *name)
{
    struct log_account account;
    struct fault f = {0};
    d->name = name;
    d->o.path = strcmp(name, "-") ? name : NULL;
    int rc = log_read(fd, &d->o, d->names, d->decoders, print_events, print_refused, d, &account, &f);
    if (d->out.n && rc >= 0) {
        int written = write_out(d);
        if (written && !d->has_no_reader) {
            SAY(stderr, cli_cannot_write_output, strerror(-written));
            d->status = EXIT_FAILED;
        }
    }
    say_result(d, rc, &account, &f);
}

static void load_decoders(struct decoding *d)
{
    struct fault f = {0};
    if (decoders_load(NULL, d->names, NULL, NULL, &d->decoders, &f)) {
        SAY(stderr, decode_no_decoders, f.text);
        d->decoders = NULL;
    }
}

/* --- the command ----------------------------------------------------------------------------------------- */

static int read_options(struct decoding *d, bool *ret_is_flows, bool *ret_is_auto)
{
    const char *format = d->args->value[CLI_FORMAT], *zone = d->args->value[CLI_ZONE], *year = d->args->value[CLI_YEAR];
    enum import_format flows;
    uint64_t y = 0;
    d->o.zone_s = ZONE_VIETNAM_S;
    *ret_is_flows = false;
    *ret_is_auto = !format || !strcmp(format, "auto");
    if (format && log_format_parse(format, &d->o.format)) {
        if (import_format_parse(format, &flows)) {
            SAY(stderr, cli_bad_format, format,
                "auto, evtx, winxml, json, eve, zeek, syslog, access, cef, leef, w3c, text, pcap, exports, binetflow, nfdump-csv, csv");
            return 1;
        }
        *ret_is_flows = true;
    }
    if (zone && clock_parse_zone(zone, &d->o.zone_s)) {
        SAY(stderr, cli_bad_zone, zone);
        return 1;
    }
    if (year && (text_u64((struct text){year, strlen(year)}, 9999, &y) || y < 1970)) {
        SAY(stderr, cli_bad_year, year);
        return 1;
    }
    d->o.year = (int)y;
    d->o.may_recover = d->args->value[CLI_RECOVER] != NULL;
    return 0;
}

/* decode_flows - operands @from .. @to as one command. */
static void decode_flows(struct decoding *d, size_t from, size_t to)
{
    struct cli_args some = *d->args;
    if (from == to || d->has_no_reader)
        return;
    some.operands = d->args->operands + from;
    some.n_operands = to - from;
    int status = cli_decode_flows(&some);
    if (status == EXIT_FAILED || d->status == EXIT_DONE)
        d->status = status;
}

/* decode_each - by content; runs of files with flows are kept together. */
static void decode_each(struct decoding *d)
{
    size_t from = 0, n = d->args->n_operands;
    for (size_t i = 0; i < n && !d->has_no_reader; i++) {
        const char *name = d->args->operands[i];
        int fd = cli_open(name);
        bool is_pipe = fd >= 0 && lseek(fd, 0, SEEK_CUR) < 0;
        if (fd < 0)
            d->status = EXIT_FAILED;
        if (fd >= 0 && d->o.format == LOG_AUTO && holds_flows(&fd)) {
            if (is_pipe) { /* the operand is opened again by name: standard input now has the bytes */
                decode_flows(d, from, i);
                (void)dup2(fd, STDIN_FILENO);
                close(fd);
                static char stdin_name[] = "-";
                d->args->operands[i] = stdin_name;
                decode_flows(d, i, i + 1);
                from = i + 1;
                continue;
            }
            close(fd);
            continue;
        }
        decode_flows(d, from, i);
        from = i + 1;
        if (fd >= 0)
            decode_logs(d, fd, name);
        if (fd >= 0)
            close(fd);
    }
    decode_flows(d, from, n);
}

int cli_decode(const struct cli_args *a)
{
    struct decoding d = {.args = a, .out = {.max = ROW_MAX}};
    bool is_flows_wanted, is_auto;
    if (read_options(&d, &is_flows_wanted, &is_auto))
        return EXIT_FAILED;
    if (is_flows_wanted || a->value[CLI_MAP])
        return cli_decode_flows(a);
    d.names = event_names_new();
    if (!d.names) {
        SAY(stderr, no_memory, "decode");
        return EXIT_FAILED;
    }
    if (d.o.format != LOG_EVTX && d.o.format != LOG_WINXML)
        load_decoders(&d);
    decode_each(&d);
    line_decoders_free(d.decoders);
    event_names_free(d.names);
    buf_fini(&d.out);
    return d.status;
}
