/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .evtx: chunk by chunk through the decoder, whatever the file comes out of, so that its size costs no memory.
 */
#include "watch/intake/log_read_evtx.h"

#include "format/event_windows.h"
#include "watch/intake/log_read_own.h"

#include <errno.h>
#include <string.h>

struct evtx_reading {
    struct log_reading *r;
    struct evtx *decoder;
    struct buf xml;
    uint64_t chunk_offset;
};

/* enough - fills until @n bytes are in the window or the content ends. */
static int enough(struct log_reading *r, size_t n)
{
    while (r->bytes.n - r->at < n && !r->has_ended) {
        int rc = log_fill(r);
        if (rc)
            return rc;
    }
    return 0;
}

int log_evtx_event(struct evtx *decoder, const struct evtx_record *record, struct event_decoder *d, const struct event_source *source,
                   struct buf *xml, struct events *e)
{
    buf_clear(xml);
    int rc = evtx_xml(decoder, xml);
    if (rc < 0)
        return rc;
    rc = event_begin(e, rc ? TEXT("") : (struct text){(const char *)xml->p, xml->n}, source->arrived_us);
    if (rc)
        return rc;
    struct event_windows *w = event_decoder_windows(d);
    event_windows_begin(w, e, source->zone_s);
    event_windows_record(w, decoder, record);
    event_windows_end(w, false);
    event_put_text(e, EV_EVENT_MODULE, TEXT("windows"));
    event_put_text(e, EV_EVENT_DATASET, TEXT("windows.eventlog"));
    event_put_text(e, EV_EVENT_DECODER, TEXT("evtx"));
    if (record->is_carved)
        event_put_bool(e, EV_EVENT_CARVED, true);
    if (record->damage != EVTX_FINE)
        e->is_truncated = true;
    event_record_source(e, source);
    return event_end(e);
}

static int keep(struct evtx_reading *x, const struct evtx_record *record)
{
    struct log_reading *r = x->r;
    r->source.offset = record->offset;
    int rc = log_evtx_event(x->decoder, record, r->decoder, &r->source, &x->xml, r->events);
    if (rc)
        return rc;
    r->account->n_carved += record->is_carved;
    return log_kept(r);
}

static const char *const reasons[EVTX_N_REASONS] = {
    [EVTX_FINE] = "evtx_fine",
    [EVTX_CHUNK_MAGIC] = "evtx_chunk_magic",
    [EVTX_CHUNK_SHORT] = "evtx_chunk_short",
    [EVTX_CHUNK_CHAIN] = "evtx_chunk_chain",
    [EVTX_RECORD_SIZE] = "evtx_record_size",
    [EVTX_RECORD_SHORT] = "evtx_record_short",
    [EVTX_RECORD_EMPTY] = "evtx_record_empty",
    [EVTX_BAD_TOKEN] = "evtx_bad_token",
    [EVTX_BAD_NAME] = "evtx_bad_name",
    [EVTX_BAD_VALUE] = "evtx_bad_value",
    [EVTX_BAD_TEMPLATE] = "evtx_bad_template",
    [EVTX_TOO_DEEP] = "evtx_too_deep",
    [EVTX_LIMIT] = "evtx_limit",
};

static void refuse(struct evtx_reading *x)
{
    const struct evtx_refusal *f = evtx_refusal(x->decoder);
    struct log_reading *r = x->r;
    /* a candidate that was found by its magic only may never have been a record */
    if (f->is_carved)
        return;
    size_t ahead = (size_t)(f->offset - (r->offset + r->at)); /* wraps and comes back: the sum is the record's offset */
    log_refused(r, reasons[f->reason], ahead, 0, 0, TEXT(""));
}

static int each_record(struct evtx_reading *x)
{
    const struct evtx_record *record;
    for (;;) {
        int rc = evtx_next(x->decoder, &record);
        if (rc == EVTX_END)
            return 0;
        if (rc == EVTX_REFUSED)
            refuse(x);
        else
            rc = rc ? rc : keep(x, record);
        if (rc < 0)
            return rc;
    }
}

static int each_chunk(struct evtx_reading *x)
{
    struct log_reading *r = x->r;
    struct evtx_header header;
    int rc = enough(r, EVTX_FILE_HEADER + 8);
    if (rc)
        return rc;
    struct text t = log_rest(r);
    bool has_header = !evtx_header_read((const uint8_t *)t.p, t.n, &header);
    static const char chunk_magic[8] = "ElfChnk";
    if (!has_header && !r->o->may_recover && (t.n < 8 || memcmp(t.p, chunk_magic, 8))) {
        r->is_wrong = true;
        return 0;
    }
    size_t skip = has_header ? header.header_bytes : 0;
    if (has_header && t.n >= EVTX_FILE_HEADER + 8 && !memcmp(t.p + EVTX_FILE_HEADER, chunk_magic, 8))
        skip = EVTX_FILE_HEADER; /* the block's size is wrong rather than the place of the first chunk */
    rc = enough(r, skip);
    if (rc)
        return rc;
    r->at += skip < r->bytes.n - r->at ? skip : r->bytes.n - r->at;
    for (uint64_t number = 0;; number++) {
        rc = enough(r, EVTX_CHUNK);
        size_t n = r->bytes.n - r->at < EVTX_CHUNK ? r->bytes.n - r->at : EVTX_CHUNK;
        if (rc || !n)
            return rc;
        evtx_chunk(x->decoder, r->bytes.p + r->at, n, r->offset + r->at, number);
        rc = each_record(x);
        if (rc)
            return rc;
        r->at += n;
    }
}

int log_read_evtx(struct log_reading *r)
{
    struct log_memory *m = r->memory;
    struct evtx_options o = {.may_recover = r->o->may_recover, .has_xml = true};
    struct evtx_reading x = {.r = r, .xml = m->xml};
    int rc = 0;
    x.xml.max = EVENT_ORIGINAL_MAX;
    if (!m->evtx)
        rc = evtx_new(&m->evtx, &o);
    else
        evtx_again(m->evtx, o.may_recover);
    x.decoder = m->evtx;
    if (!rc)
        rc = each_chunk(&x);
    m->xml = x.xml;
    return rc;
}
