/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event log behind one byte of options (1 carve, 2 checksums, 4 as a chunk of a stream). Invariants: the account
 * balances; names and texts are UTF-8 and inside their limits; a record's XML is a well-formed document.
 */
#include "format/evtx.h"

#include <assert.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

/* Several roots or none are possible (a fragment may hold anything), and attributes of one name. */
static void check_xml(const struct buf *xml)
{
    XML_Parser parser = XML_ParserCreate("UTF-8");
    assert(parser);
    if (XML_Parse(parser, "<r>", 3, 0) != XML_STATUS_OK || XML_Parse(parser, (const char *)xml->p, (int)xml->n, 0) != XML_STATUS_OK ||
        XML_Parse(parser, "</r>", 4, 1) != XML_STATUS_OK)
        assert(XML_GetErrorCode(parser) == XML_ERROR_DUPLICATE_ATTRIBUTE);
    XML_ParserFree(parser);
}

static void check_record(struct evtx *e, const struct evtx_record *r, struct buf *xml)
{
    assert(r->n_fields <= EVTX_FIELDS_MAX && r->n_bytes >= 28 && r->n_bytes <= EVTX_CHUNK);
    for (uint32_t i = 0; i < r->n_fields; i++) {
        const struct evtx_field *f = &r->fields[i];
        struct text t = evtx_text(e, f);
        uint64_t number;
        int64_t us;
        assert(text_is_utf8(f->name, f->n_name) && f->leaf_at <= f->n_name);
        assert(f->name_hash == evtx_name_hash(f->name, f->n_name));
        assert(f->system < EVTX_N_SYSTEM && f->section <= EVTX_IN_ERROR_DATA);
        assert(!t.p || (t.n <= EVTX_TEXT_MAX && text_is_utf8(t.p, t.n)));
        (void)evtx_number(f, &number);
        (void)evtx_moment(f, &us);
    }
    for (int i = 1; i < EVTX_N_SYSTEM; i++)
        assert(!r->system_at[i] || evtx_system_field(r, (enum evtx_system)i)->system == i);
    buf_clear(xml);
    if (!evtx_xml(e, xml))
        check_xml(xml);
    else
        assert(xml->n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct evtx *decoders[4];
    static struct buf xml = {.max = 1 << 20};
    if (!n)
        return 0;
    struct evtx **e = &decoders[*p & 3];
    if (!*e)
        assert(!evtx_new(e, &(struct evtx_options){.may_recover = *p & 1, .has_xml = true, .checks_sums = *p & 2}));
    if (*p & 4) {
        (void)evtx_open(*e, p, 0); /* counters from zero */
        assert(evtx_chunk_length(p + 1, n - 1) <= n - 1);
        evtx_chunk(*e, p + 1, n - 1, 4096, 0);
    } else if (evtx_open(*e, p + 1, n - 1)) {
        return 0;
    }
    const struct evtx_record *r;
    for (int s; (s = evtx_next(*e, &r)) != EVTX_END;) {
        assert(s == 0 || s == EVTX_REFUSED);
        if (s)
            assert(evtx_refusal(*e)->reason > EVTX_FINE && evtx_refusal(*e)->reason < EVTX_N_REASONS);
        else
            check_record(*e, r, &xml);
    }
    const struct evtx_counters *c = evtx_counters(*e);
    uint64_t refused = 0;
    for (int i = EVTX_FIRST_RECORD_REASON; i < EVTX_N_REASONS; i++)
        refused += c->n_refused[i];
    assert(c->n_candidates == c->n_records + refused);
    assert(c->n_carved <= c->n_records && c->n_damaged <= c->n_records);
    (void)evtx_open(*e, p, 0); /* the bytes are not ours behind this */
    return 0;
}
