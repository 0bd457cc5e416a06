/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac import flows, vonggac decode of flows. When a node runs, it holds the store: the files are handed to it as open
 * descriptors, and it reads them; else this process writes itself.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/flow_values.h"
#include "cli/owner.h"
#include "node/control.h"
#include "node/import_reply.h"
#include "watch/intake/decoders.h"
#include "watch/intake/log_store.h"
#include "watch/query/output.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct importing {
    struct import_store_options o;
    bool are_logs;
    struct log_store_options logs; /* then */
    const struct cli_args *args;
    int status;
    uint64_t n_refused_shown;
    int64_t last_progress_us;
    bool has_progress;
};

static void clear_progress(struct importing *i)
{
    if (i->has_progress)
        fputs("\r\033[K", stderr);
    i->has_progress = false;
}

static void show_progress(struct importing *i, uint64_t n_bytes, uint64_t n_read)
{
    int64_t now_us = clock_steady_us();
    if (!isatty(STDERR_FILENO) || now_us - i->last_progress_us < 200000)
        return;
    i->last_progress_us = now_us;
    fprintf(stderr, "\r\033[K  %s MiB, %s ...", message_count(n_bytes >> 20), message_count(n_read));
    i->has_progress = true;
}

static void on_progress(void *context, uint64_t n_bytes_in, const struct import_summary *s)
{
    show_progress(context, n_bytes_in, s->read);
}

static void on_refused(void *context, const struct import_refused *r)
{
    struct importing *i = context;
    if (++i->n_refused_shown > IMPORT_REPLY_REFUSED_SHOWN)
        return;
    clear_progress(i);
    json_t *reply = import_reply_refused(r);
    import_reply_print(reply);
    json_decref(reply);
}

static int read_options(struct importing *i)
{
    const struct cli_args *a = i->args;
    const char *format = a->value[CLI_FORMAT], *zone = a->value[CLI_ZONE], *map = a->value[CLI_MAP];
    if (format && import_format_parse(format, &i->o.import.format)) {
        SAY(stderr, cli_bad_format, format, "auto, pcap, exports, binetflow, nfdump-csv, zeek, csv");
        return 1;
    }
    if (zone && clock_parse_zone(zone, &i->o.import.zone_s)) {
        SAY(stderr, cli_bad_zone, zone);
        return 1;
    }
    if (map && import_reply_mapping(map, &i->o.import.mapping, &i->o.import.n_mapping)) {
        SAY(stderr, cli_bad_map, map);
        return 1;
    }
    i->o.again = a->value[CLI_AGAIN] != NULL;
    return 0;
}

static int read_log_options(struct importing *i)
{
    const struct cli_args *a = i->args;
    const char *format = a->value[CLI_FORMAT], *zone = a->value[CLI_ZONE], *year = a->value[CLI_YEAR];
    uint64_t y = 0;
    i->logs.read.zone_s = ZONE_VIETNAM_S;
    if (format && log_format_parse(format, &i->logs.read.format)) {
        SAY(stderr, cli_bad_format, format, "auto, evtx, winxml, json, eve, zeek, syslog, access, cef, leef, w3c, text");
        return 1;
    }
    if (zone && clock_parse_zone(zone, &i->logs.read.zone_s)) {
        SAY(stderr, cli_bad_zone, zone);
        return 1;
    }
    if (year && (text_u64((struct text){year, strlen(year)}, 9999, &y) || y < 1970)) {
        SAY(stderr, cli_bad_year, year);
        return 1;
    }
    i->logs.read.year = (int)y;
    i->logs.read.may_recover = a->value[CLI_RECOVER] != NULL;
    i->logs.again = a->value[CLI_AGAIN] != NULL;
    return 0;
}

/* --- this process writes ------------------------------------------------------------------ */

/* import_one - @into: of flows; NULL: logs, into @s. */
static void import_one(struct importing *i, struct store *s, struct import_store *into, const char *name)
{
    struct import_stored stored;
    struct fault f = {0};
    int fd = cli_open(name);
    if (fd < 0) {
        i->status = EXIT_FAILED;
        return;
    }
    i->n_refused_shown = 0;
    int r = into ? import_store_file(into, fd, name, &stored, &f) : log_store_file(s, &i->logs, fd, name, &stored, &f);
    close(fd);
    clear_progress(i);
    json_t *reply = import_reply_file(name, r, &stored, &f);
    import_reply_print(reply);
    json_decref(reply);
    i->status = import_reply_status(i->status, r, &stored);
}

static int import_logs_here(struct importing *i, struct store *s)
{
    struct line_decoders *decoders = NULL;
    struct fault f = {0};
    if (decoders_load(NULL, store_names(s), NULL, NULL, &decoders, &f))
        return cli_fail(&f);
    i->logs.decoders = decoders;
    for (size_t k = 0; k < i->args->n_operands; k++)
        import_one(i, s, NULL, i->args->operands[k]);
    line_decoders_free(decoders);
    return i->status;
}

static int import_here(struct importing *i, struct store *s)
{
    struct import_store *into;
    struct import_summary left;
    int r = import_store_new(s, &i->o, &into);
    if (r) {
        SAY(stderr, no_memory, "import");
        return EXIT_FAILED;
    }
    for (size_t k = 0; k < i->args->n_operands; k++)
        import_one(i, s, into, i->args->operands[k]);
    import_store_finish(into, &left);
    if (import_summary_refused(&left)) {
        json_t *reply = import_reply_left(&left);
        import_reply_print(reply);
        json_decref(reply);
        i->status = i->status ? i->status : EXIT_REFUSED;
    }
    import_store_free(into);
    return i->status;
}

/* --- the node writes ------------------------------------------------------------------------- */

enum { REPLY_NEXT = 2 }; /* the node waits for the next files of this command */

static int take_reply(void *context, const json_t *reply)
{
    struct importing *i = context;
    const char *what = json_string_value(json_object_get(reply, "what"));
    if (json_is_true(json_object_get(reply, "done"))) {
        i->status = (int)json_integer_value(json_object_get(reply, "exit"));
        return 0;
    }
    if (what && !strcmp(what, "progress")) {
        show_progress(i, (uint64_t)json_integer_value(json_object_get(reply, "bytes")),
                      (uint64_t)json_integer_value(json_object_get(reply, "read")));
        return 0;
    }
    clear_progress(i);
    import_reply_print(reply);
    return what && !strcmp(what, "next") ? REPLY_NEXT : 0;
}

/* handed - files of one request */
struct handed {
    const char *names[CONTROL_MAX_FDS];
    int fds[CONTROL_MAX_FDS];
    size_t n;
};

static json_t *names_of(const struct handed *h)
{
    json_t *names = json_array();
    char shown[PATH_MAX];
    for (size_t k = 0; k < h->n; k++) /* a name need not be UTF-8, JSON must */
        json_array_append_new(names, json_string(text_escape(h->names[k], strlen(h->names[k]), shown, sizeof(shown))));
    return names;
}

static int import_there(struct importing *i, int node, const struct handed *h, bool has_more)
{
    const struct log_options *l = &i->logs.read;
    json_t *request =
        i->are_logs ? json_pack("{s:s, s:o, s:s, s:i, s:i, s:b, s:b, s:b}", "op", "import-logs", "names", names_of(h), "format",
                                log_format_name(l->format), "zone_s", l->zone_s, "year", l->year, "recover", (int)l->may_recover,
                                "again", (int)i->logs.again, "more", (int)has_more)
                    : json_pack("{s:s, s:o, s:s, s:i, s:b, s:b, s:s*}", "op", "import", "names", names_of(h), "format",
                                import_format_name(i->o.import.format), "zone_s", i->o.import.zone_s, "again",
                                (int)i->o.again, "more", (int)has_more, "map", i->args->value[CLI_MAP]);
    int r = request ? control_ask(node, request, h->fds, h->n) : -ENOMEM;
    if (!r)
        r = control_each(node, take_reply, i);
    if (r == REPLY_NEXT)
        return 0;
    if (r)
        SAY(stderr, cli_node_lost, strerror(-r));
    return r;
}

/* hand_over - at most CONTROL_MAX_FDS files a request; a file that cannot be opened does not keep the others back. */
static int hand_over(struct importing *i, int node)
{
    bool is_missing = false;
    int r = 0;
    for (size_t at = 0; !r && at < i->args->n_operands;) {
        struct handed h = {.n = 0};
        for (; at < i->args->n_operands && h.n < CONTROL_MAX_FDS; at++) {
            h.names[h.n] = i->args->operands[at];
            h.fds[h.n] = cli_open(h.names[h.n]);
            is_missing = is_missing || h.fds[h.n] < 0;
            h.n += h.fds[h.n] >= 0;
        }
        r = import_there(i, node, &h, at < i->args->n_operands);
        while (h.n)
            close(h.fds[--h.n]);
    }
    close(node);
    return r || is_missing ? EXIT_FAILED : i->status;
}

static int import_files(struct importing *i)
{
    const struct cli_args *a = i->args;
    struct store *s;
    struct fault f = {0};
    int status;
    int node = control_connect(a->data_dir);
    if (node >= 0) {
        status = hand_over(i, node);
    } else {
        i->o.spool_dir = i->logs.spool_dir = cli_become_owner(a->data_dir);
        int r = store_open(i->o.spool_dir, NULL, &s, &f);
        if (r == STORE_BUSY)
            FAULT(&f, r, node_store_busy, a->data_dir);
        status = r ? cli_fail(&f) : i->are_logs ? import_logs_here(i, s) : import_here(i, s);
        if (!r)
            store_close(s);
    }
    return status;
}

int cli_import_flows(const struct cli_args *a)
{
    struct importing i = {.args = a, .o = {.on_refused = on_refused, .on_progress = on_progress}};
    i.o.context = &i;
    int status = read_options(&i) ? EXIT_FAILED : import_files(&i);
    import_reply_mapping_free(i.o.import.mapping);
    return status;
}

int cli_import_logs(const struct cli_args *a)
{
    struct importing i = {.args = a, .are_logs = true, .logs = {.on_refused = on_refused, .on_progress = on_progress}};
    i.logs.context = &i;
    return read_log_options(&i) ? EXIT_FAILED : import_files(&i);
}

/* --- decode: see cmd_decode.c for logs -------------------------------------------------------------------------------- */

struct decoding {
    struct importing importing;
    struct output *output;
    struct flow_values values;
};

static int print_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct decoding *d = context;
    int r = 0;
    for (uint32_t i = 0; i < n && !r; i++)
        r = flow_values_put(&d->values, &flows[i], o);
    return r;
}

static void decode_refused(void *context, const struct import_refused *r)
{
    struct decoding *d = context;
    on_refused(&d->importing, r);
}

static void decode_one(struct decoding *d, struct import *import, const char *name)
{
    struct import_stored stored = {0};
    struct fault f = {0};
    int fd = cli_open(name);
    if (fd < 0) {
        d->importing.status = EXIT_FAILED;
        return;
    }
    d->importing.n_refused_shown = 0;
    int r = import_file(import, fd, name, &stored.summary, &f);
    close(fd);
    json_t *reply = import_reply_file(name, r, &stored, &f);
    import_reply_print(reply);
    json_decref(reply);
    d->importing.status = import_reply_status(d->importing.status, r, &stored);
}

int cli_decode_flows(const struct cli_args *a)
{
    struct decoding d = {.importing = {.args = a}};
    struct import *import;
    struct output_options options = {.form = OUTPUT_JSON, .zone_s = ZONE_VIETNAM_S, .is_rows = true};
    if (read_options(&d.importing))
        return EXIT_FAILED;
    d.output = output_new(stdout, &options);
    struct import_options o = d.importing.o.import;
    o.sink = print_flows;
    o.on_refused = decode_refused;
    o.context = &d;
    struct query_sink sink = d.output ? output_sink(d.output) : (struct query_sink){0};
    if (!d.output || flow_values_begin(&d.values, &sink) || import_new(&o, &import)) {
        SAY(stderr, no_memory, "decode");
        output_free(d.output);
        return EXIT_FAILED;
    }
    for (size_t k = 0; k < a->n_operands; k++)
        decode_one(&d, import, a->operands[k]);
    if (output_flush(d.output))
        d.importing.status = EXIT_FAILED;
    import_free(import);
    output_free(d.output);
    import_reply_mapping_free(d.importing.o.import.mapping);
    return d.importing.status;
}
