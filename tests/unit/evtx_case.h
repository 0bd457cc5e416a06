/* SPDX-License-Identifier: Apache-2.0 */
/* evtx_case - a log made by hand, a decoder over it, and what it says as text. */
#pragma once

#include "cmocka_house.h"
#include "evtx_build.h"
#include "format/evtx.h"

#include <stdio.h>

#define TEMPLATE_ID 0x12345678u

struct fixture {
    struct evtx_build b;
    struct evtx *e;
    struct buf xml;
    char text[1 << 16]; /* the fields of the last record, one per line */
};

__attribute__((unused)) static struct fixture *begin(bool may_recover)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->xml.max = 1 << 20;
    assert_int_equal(evtx_new(&f->e, &(struct evtx_options){.may_recover = may_recover, .has_xml = true,
                                                             .checks_sums = true}), 0);
    return f;
}

__attribute__((unused)) static void end(struct fixture *f)
{
    evtx_free(f->e);
    buf_fini(&f->xml);
    free(f);
}

/* reopen - the decoder sees a copy that ends where the bytes end, so that the sanitizer sees the next byte. */
__attribute__((unused)) static uint8_t *reopen(struct fixture *f)
{
    uint8_t *copy = malloc(f->b.n);
    assert_non_null(copy);
    memcpy(copy, f->b.p, f->b.n);
    assert_int_equal(evtx_open(f->e, copy, f->b.n), 0);
    return copy;
}

/* fields - "name=value" lines; @text must have room */
__attribute__((unused)) static const char *fields(struct fixture *f, const struct evtx_record *r)
{
    size_t n = 0;
    f->text[0] = '\0';
    for (uint32_t i = 0; i < r->n_fields; i++) {
        struct text t = evtx_text(f->e, &r->fields[i]);
        assert_non_null(t.p);
        n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%.*s=%.*s\n", (int)r->fields[i].n_name, r->fields[i].name,
                              (int)t.n, t.p);
        assert_true(n < sizeof(f->text));
    }
    return f->text;
}

__attribute__((unused)) static const char *xml(struct fixture *f)
{
    buf_clear(&f->xml);
    assert_int_equal(evtx_xml(f->e, &f->xml), 0);
    buf_add_byte(&f->xml, 0);
    return (const char *)f->xml.p;
}

/* expect_one - the only record has these fields and this XML; NULL: not asked */
__attribute__((unused)) static void expect_one(struct fixture *f, const char *want_fields, const char *want_xml)
{
    const struct evtx_record *r;
    uint8_t *copy = reopen(f);
    assert_int_equal(evtx_next(f->e, &r), 0);
    assert_int_equal(r->damage, EVTX_FINE);
    assert_string_equal(fields(f, r), want_fields);
    if (want_xml)
        assert_string_equal(xml(f), want_xml);
    assert_int_equal(evtx_next(f->e, &r), EVTX_END);
    free(copy);
}

/* event - one record of a template with <Event> around what @body builds; then its values */
__attribute__((unused)) static void event(struct fixture *f, void (*body)(struct evtx_build *), const struct build_value *v, uint32_t n)
{
    memset(&f->b, 0, sizeof(f->b));
    build_chunk(&f->b);
    build_record(&f->b, 1, 0);
    build_template(&f->b, TEMPLATE_ID);
    build_open(&f->b, "Event", false);
    build_gt(&f->b);
    body(&f->b);
    build_close(&f->b);
    build_template_end(&f->b);
    build_values(&f->b, v, n);
    build_record_end(&f->b);
    build_chunk_end(&f->b);
}

__attribute__((unused)) static void simple_record(struct evtx_build *b, uint64_t id)
{
    build_record(b, id, 0);
    build_template(b, TEMPLATE_ID);
    build_open(b, "Event", false);
    build_gt(b);
    build_system(b);
    build_close(b);
    build_template_end(b);
    build_values(b, &(struct build_value){6, 2, "\x07\0"}, 1);
    build_record_end(b);
}

__attribute__((unused)) static void three_records(struct evtx_build *b, uint64_t first)
{
    build_chunk(b);
    for (uint64_t id = first; id < first + 3; id++)
        simple_record(b, id);
    build_chunk_end(b);
}
