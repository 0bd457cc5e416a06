/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines through a set of decoders that uses every node and every reader of the rest of a line. The first byte says where
 * the input splits into YAML and lines: 0 means all of it is lines. The quick way to a line's pattern must find what trying all
 * of them finds, unless it ran out of steps.
 */
#include "format/line_decoder.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char built_in[] =
    "decoder: one\n"
    "apps: [sshd, 'post*']\n"
    "set: {event.kind: event, event.category: [authentication, network]}\n"
    "lower: [network.transport]\n"
    "map: [{from: _r, to: event.outcome, values: {ok: success}, else: failure}]\n"
    "patterns:\n"
    "  - '{?error: }Failed {m.m:word} for {?invalid user }{user.name:long} from {source.address:host}{? port {source.port:int}} {_r:word}'\n"
    "  - '{@timestamp:time} {a:hex} {b:real} {c:mac} {d:quoted} {e:a|bc|d} {f:token}:{_}{event.duration:seconds}{g:text}{h:url}'\n"
    "  - '{source.ip}:{source.port:int} {destination.address:endpoint} {network.transport:word} {*}x{*}y{*}z{*}'\n"
    "---\n"
    "decoder: pairs\nkv: {unknown: keep, nested: msg}\nhex: [comm]\nrequire: ['id=']\n"
    "fields: {id: event.id, src: 'source.address:host', comm: process.name, date: '@date', time: '@time', mac: 'source.mac:mac', t: '@epoch'}\n"
    "patterns: ['{*}{:kv}']\n"
    "---\n"
    "decoder: columns\npatterns:\n  - {match: 'CSV,{:csv}', columns: [source.ip, '-', event.action, 'url.original:url', 'event.duration:ms']}\n"
    "---\n"
    "decoder: brackets\npatterns:\n  - {match: 'NAT {:records}', columns: [event.action, source.ip, '-', source.nat.ip, source.nat.port]}\n"
    "---\n"
    "decoder: cef\nkv: {unknown: keep}\nfields: {src: source.ip, msg: event.reason}\npatterns: ['{*}CEF:{:cef}', '{*}LEEF:{:leef}']\n"
    "---\n"
    "decoder: web\nfirst: yes\npatterns: ['{:access}']\n"
    "---\n"
    "decoder: iis\nformat: w3c\nrequire: ['cs-method']\nfields: {date: '@date', time: '@time', c-ip: source.ip, 'cs(User-Agent)': 'user_agent.original:web-agent'}\n";

static struct event_names *names;

/* the slow way: a scratch, a batch and the memory of a file of its own */
struct slow {
    struct line_scratch *scratch;
    struct events *events;
    struct line_file file;
    struct buf quick_text, slow_text;
};

static void compare(const struct line_decoders *d, struct slow *x, const struct events *quick, struct text line, int r,
                    const struct line_origin *o)
{
    struct line_origin mine = *o;
    mine.file = &x->file;
    events_clear(x->events);
    assert(line_decode(d, x->scratch, x->events, line, &mine) == r);
    if (r == LINE_EMPTY)
        return;
    buf_clear(&x->quick_text);
    buf_clear(&x->slow_text);
    event_json(quick, quick->n - 1, &x->quick_text);
    event_json(x->events, 0, &x->slow_text);
    assert(x->quick_text.n == x->slow_text.n && !memcmp(x->quick_text.p, x->slow_text.p, x->slow_text.n));
}

static void compare_all(const struct line_decoders *d, const char *p, size_t n)
{
    struct slow x = {line_scratch_new(d), events_new(names), {.n_w3c = 0}, {.max = 4 << 20}, {.max = 4 << 20}};
    struct line_scratch *s = line_scratch_new(d);
    struct events *e = events_new(names);
    struct line_file file = {0};
    struct line_origin o = {.arrived_us = INT64_C(1700000000000000), .zone_s = 25200, .file = &file, .path = {"f", 1}};
    bool is_ready = x.scratch && x.events && s && e;
    if (is_ready)
        line_scratch_set_plain(x.scratch);
    for (const char *end = p + n; is_ready && p < end;) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        struct text line = {p, (size_t)((lf ? lf : end) - p)};
        events_clear(e);
        int r = line_decode(d, s, e, line, &o);
        if (line_scratch_counts(s)->n_exhausted) /* from here on the two may remember different things */
            break;
        compare(d, &x, e, line, r, &o);
        p = lf ? lf + 1 : end;
    }
    events_free(e);
    events_free(x.events);
    line_scratch_free(s);
    line_scratch_free(x.scratch);
    buf_fini(&x.quick_text);
    buf_fini(&x.slow_text);
}

static void lines_of(const struct line_decoders *d, const char *p, size_t n)
{
    compare_all(d, p, n);
    struct line_scratch *s = line_scratch_new(d);
    struct events *e = events_new(names);
    struct line_file file = {0};
    struct line_origin o = {.arrived_us = INT64_C(1700000000000000), .zone_s = 25200, .file = &file, .path = {"f", 1}};
    for (const char *end = p + n; s && e && p < end;) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        struct text line = {p, (size_t)((lf ? lf : end) - p)};
        uint32_t before = e->n;
        int r = line_decode(d, s, e, line, &o);
        if (r == 0 || r == LINE_KEPT) {
            assert(e->n == before + 1);
            struct text original = event_original(e, before);
            assert(original.n <= line.n && !memcmp(original.p, line.p, original.n));
            assert(!!event_get(e, before, EV_EVENT_DECODER) == (r == 0));
            for (uint32_t i = event_from(e, before); i < e->value_end[before]; i++)
                if (e->values[i].type == EVENT_KEYWORD) {
                    struct text t = event_text(e, &e->values[i]);
                    assert(text_is_utf8(t.p, t.n));
                }
        } else {
            assert(r == LINE_EMPTY && e->n == before);
        }
        p = lf ? lf + 1 : end;
        if (events_full(e))
            events_clear(e);
    }
    if (s) {
        const struct line_counts *c = line_scratch_counts(s);
        assert(c->n_lines == c->n_understood + c->n_kept + c->n_empty);
    }
    events_free(e);
    line_scratch_free(s);
}

static void draft(struct text line)
{
    struct buf out = {.max = 1 << 20};
    struct line_clock clock = {.arrived_us = INT64_C(1700000000000000)};
    line_draft(line, &clock, &out);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct line_decoders *usual;
    struct fault f;
    if (!names) {
        names = event_names_new();
        usual = line_decoders_new(names);
        assert(usual && !line_decoders_add(usual, "built-in", (struct text){built_in, sizeof built_in - 1}, &f));
        assert(!line_decoders_compile(usual, &f));
    }
    if (!n || n > 8192)
        return 0;
    size_t n_yaml = (size_t)data[0] * 8 < n - 1 ? (size_t)data[0] * 8 : n - 1;
    char *copy = malloc(n);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, n - 1);
    const char *lines = copy + n_yaml;
    size_t n_lines = n - 1 - n_yaml;
    lines_of(usual, lines, n_lines);
    draft((struct text){lines, n_lines < 512 ? n_lines : 512});
    if (n_yaml) {
        struct line_decoders *d = line_decoders_new(names);
        if (d && !line_decoders_add(d, "input", (struct text){copy, n_yaml}, &f) && !line_decoders_compile(d, &f))
            lines_of(d, lines, n_lines);
        line_decoders_free(d);
    }
    free(copy);
    return 0;
}
