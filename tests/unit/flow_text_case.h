/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_text_case - a textual flow file in a string, and what must come out, in a line per flow:
 *
 *     source.ip=10.0.0.1 destination.ip=... event.start=2011-08-18T15:40:53.826372Z ... event.label="x"
 *     !bad_address 3 10.0.0.300          (refused: reason, row, value; all behind the flows)
 *
 * Every field that is present is printed, so that nothing appears unasked. The file is fed in pieces of
 * several sizes, which must all give the same.
 */
#pragma once

#include "base/clock.h"
#include "cmocka_house.h"
#include "format/flow_text.h"

#include <stdio.h>

struct case_output {
    struct buf flows, refused;
};

static void case_flow(struct buf *b, const struct flow *f, const struct flow_observer *o)
{
    char text[64];
#define X(ID, member, ecs, alias)                         \
    if (f->present & FLOW_HAS_ADDRESS(FLOW_##ID)) {       \
        ip_format(&f->member, text);                      \
        buf_printf(b, ecs "=%s ", text);                  \
    }
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias)                                                            \
    if (f->present & FLOW_HAS(FLOW_##ID)) {                                                        \
        if (FLOW_##ID == FLOW_START || FLOW_##ID == FLOW_END || FLOW_##ID == FLOW_RECEIVED) {      \
            clock_format_utc((int64_t)f->member, text);                                            \
            buf_printf(b, ecs "=%s ", text);                                                       \
        } else if (FLOW_##ID == FLOW_OBSERVER) {                                                   \
            ip_format(&o->ip, text);                                                               \
            buf_printf(b, ecs "=%s/%u ", text, o->domain);                                         \
        } else {                                                                                   \
            buf_printf(b, ecs "=%llu ", (unsigned long long)f->member);                            \
        }                                                                                          \
    }
    FLOW_NUMBERS(X)
#undef X
    struct text rest = f->texts, name, value;
    while (flow_text_next(&rest, &name, &value))
        buf_printf(b, "%.*s=\"%.*s\" ", (int)name.n, name.p, (int)value.n, value.p);
    b->p[b->n - 1] = '\n';
}

static int case_sink(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    for (uint32_t i = 0; i < n; i++)
        case_flow(&((struct case_output *)context)->flows, &flows[i], o);
    return 0;
}

static void case_refused(void *context, const struct flow_text_refused *r)
{
    buf_printf(&((struct case_output *)context)->refused, "!%s %llu %.*s\n", flow_text_refusal_name(r->reason), (unsigned long long)r->row,
               (int)r->value.n, r->value.p);
}

/* case_read - the whole of @in in pieces; the text of what came out is terminated. Return: what the reader said. */
static int case_read(const struct flow_text_options *o, const char *in, size_t n, size_t piece, struct buf *out,
                     struct flow_text_counts *ret)
{
    int rc = 0;
    struct case_output output = {.flows = {.max = 1 << 24}, .refused = {.max = 1 << 24}};
    struct flow_text_reader *r = flow_text_reader_new(o, case_sink, case_refused, &output);
    assert_non_null(r);
    for (size_t at = 0; !rc && at < n; at += piece)
        rc = flow_text_reader_feed(r, in + at, n - at < piece ? n - at : piece);
    if (!rc)
        rc = flow_text_reader_end(r, false);
    *ret = *flow_text_reader_counts(r);
    uint64_t sum = ret->kept;
    for (int i = 0; i < FLOW_TEXT_N_REFUSALS; i++)
        sum += ret->refused[i];
    assert_int_equal(ret->read, sum);
    flow_text_reader_free(r);
    buf_add(&output.flows, output.refused.p, output.refused.n);
    buf_add_byte(&output.flows, 0);
    buf_fini(&output.refused);
    *out = output.flows;
    return rc;
}

static inline void expect_with(const struct flow_text_options *o, const char *in, const char *wanted)
{
    static const size_t pieces[] = {1 << 20, 1, 13};
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct buf out = {0};
        struct flow_text_counts counts;
        assert_int_equal(case_read(o, in, strlen(in), pieces[i], &out, &counts), 0);
        assert_string_equal((char *)out.p, wanted);
        buf_fini(&out);
    }
}

static inline void expect(const char *in, const char *wanted)
{
    expect_with(&(struct flow_text_options){0}, in, wanted);
}

static inline void expect_wrong(const struct flow_text_options *o, const char *in, size_t n, int wanted)
{
    struct buf out = {0};
    struct flow_text_counts counts;
    assert_int_equal(case_read(o, in, n, 64, &out, &counts), wanted);
    assert_int_equal(out.n, 1); /* nothing reached the sink */
    buf_fini(&out);
}
