/* SPDX-License-Identifier: Apache-2.0 */
/* The tests inside the files of content/decoders: a line, and what must come of it. */
#include "format/line_impl.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct testing {
    const struct line_test *test;
    line_say_fn *say;
    void *context;
    int n_failures;
};

static void fail(struct testing *t, const char *what)
{
    t->n_failures++;
    t->say(t->context, t->test->decoder->file.p, t->test->line, what);
}

static void fail_field(struct testing *t, struct text name, struct text want, struct text is)
{
    char what[512], a[128], b[128], c[128];
    SAY_TO(what, sizeof what, decoder_test_field, text_escape(name.p, name.n, a, sizeof a),
        text_escape(want.p, want.n, b, sizeof b), text_escape(is.p, is.n, c, sizeof c));
    fail(t, what);
}

static void check_time(struct testing *t, const struct events *e, struct text want)
{
    char is[TIME_TEXT_MAX];
    int64_t us;
    size_t n = clock_format_utc(e->time_us[0], is);
    if (clock_parse(want.p, want.n, ZONE_VIETNAM_S, &us) || us != e->time_us[0])
        fail_field(t, TEXT("@timestamp"), want, (struct text){is, n});
}

/* check_field - one of the field's values is @want; "" and "~": there must be none. */
static void check_field(struct testing *t, const struct events *e, struct text name, struct text want)
{
    char scratch[EVENT_VALUE_TEXT_MAX];
    struct text is = {"", 0};
    uint16_t field = event_names_find(e->names, name);
    for (uint32_t i = 0; i < e->value_end[0]; i++) {
        if (e->values[i].field != field)
            continue;
        struct text value = event_value_text(e, &e->values[i], scratch);
        if (text_equal(value, want))
            return;
        is = value;
    }
    if (is.n || (want.n && !text_is(want, "~")))
        fail_field(t, name, want, is);
}

static void check(struct testing *t, const struct events *e, int r)
{
    const struct event_value *by = event_get(e, 0, EV_EVENT_DECODER);
    struct text name = by ? event_text(e, by) : (struct text){"", 0};
    if (t->test->is_for_nobody != (r == LINE_KEPT) || (!r && !text_equal(name, t->test->decoder->name) && !t->test->is_for_nobody)) {
        char what[256], shown[128];
        SAY_TO(what, sizeof what, decoder_test_other, text_escape(name.p, name.n, shown, sizeof shown));
        fail(t, r == LINE_KEPT ? message_text(MSG_decoder_test_nobody) : what);
        return;
    }
    for (uint32_t i = 0; i < t->test->n_fields; i++) {
        const struct line_pair *f = &t->test->fields[i];
        if (text_is(f->from, "@timestamp"))
            check_time(t, e, f->to);
        else
            check_field(t, e, f->from, f->to);
    }
}

/* every line but the last prepares the way (#Fields of a W3C file) */
static int run_lines(const struct line_decoders *d, struct line_scratch *s, struct events *e, struct text lines, struct line_origin *o)
{
    int r = LINE_EMPTY;
    const char *p = lines.p, *end = lines.p + lines.n;
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        events_clear(e);
        r = line_decode(d, s, e, (struct text){p, (size_t)((lf ? lf : end) - p)}, o);
        p = lf ? lf + 1 : end;
    }
    return r;
}

int line_decoders_test(const struct line_decoders *d, line_say_fn *say, void *context, unsigned *ret_n_tests)
{
    struct events *e = events_new(d->names);
    struct line_scratch *s = line_scratch_new(d);
    struct testing t = {.say = say, .context = context};
    unsigned n = 0;
    int r = e && s ? 0 : -ENOMEM;
    for (const struct line_test *test = d->tests; test && r >= 0; test = test->next, n++) {
        struct line_file file = {0};
        struct line_origin o = {.zone_s = ZONE_VIETNAM_S, .year = test->year, .file = &file};
        struct text arrived = test->arrived.n ? test->arrived : TEXT("2026-06-30T12:00:00Z");
        clock_parse(arrived.p, arrived.n, 0, &o.arrived_us);
        t.test = test;
        r = run_lines(d, s, e, test->text, &o);
        if (r >= 0)
            check(&t, e, r);
    }
    line_scratch_free(s);
    events_free(e);
    *ret_n_tests = n;
    return r < 0 ? r : t.n_failures;
}
