/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_record - any record, by its first byte as JSON, XML, a line or a row of Zeek's: one row more or none, every text of
 * it valid UTF-8 inside the batch, the original untouched; a refusal leaves nothing and lies inside the record.
 */
#include "format/event_record.h"
#include "format/event_zeek.h"
#include "format/json.h"

#include <assert.h>
#include <string.h>

static struct event_names *names;
static struct event_decoder *decoder;
static struct event_zeek *zeek;
static struct events *events;

static void check_row(struct text record)
{
    struct text original = event_original(events, 0);
    assert(text_equal(original, record));
    for (uint32_t i = 0; i < events->value_end[0]; i++) {
        const struct event_value *v = &events->values[i];
        assert(event_name(names, v->field).n);
        if (v->type == EVENT_KEYWORD) {
            assert(v->at <= events->heap.n && v->n <= events->heap.n - v->at);
            assert(text_is_utf8((const char *)events->heap.p + v->at, v->n));
        }
    }
    static struct buf out = {.max = (size_t)1 << 30};
    buf_clear(&out);
    event_json(events, 0, &out);
    assert(!out.is_bad && !json_walk((struct text){(const char *)out.p, out.n}, NULL, NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct event_source source = {.arrived_us = INT64_C(1795000000000000), .zone_s = 25200};
    if (!size)
        return 0;
    if (!names || event_names_count(names) > EVENT_NAMES_MAX / 2) { /* hostile keys fill the table of a process */
        events_free(events);
        event_zeek_free(zeek);
        event_decoder_free(decoder);
        event_names_free(names);
        names = event_names_new();
        decoder = event_decoder_new(names, NULL);
        zeek = event_zeek_new(names);
        events = events_new(names);
        assert(decoder && zeek && events);
    }
    struct text record = {(const char *)data + 1, size - 1};
    events_clear(events);
    if (data[0] % 5 == 4) {
        for (struct text rest = record; rest.n;) {
            const char *end = memchr(rest.p, '\n', rest.n);
            struct text line = {rest.p, end ? (size_t)(end - rest.p) : rest.n};
            rest = end ? (struct text){end + 1, rest.n - line.n - 1} : TEXT("");
            events_clear(events);
            int rc = event_zeek_line(zeek, line, &source, events);
            assert(rc >= 0 && events->n == (rc == 0));
            if (!rc)
                check_row(line);
        }
        return 0;
    }
    enum event_refusal reason = EVENT_N_REFUSALS;
    size_t at = 0;
    int rc = event_record(decoder, (enum event_record_kind)(data[0] % 5), record, &source, events, &reason, &at);
    assert(rc >= 0 && events->n == (rc == 0));
    if (!rc)
        check_row(record);
    if (rc == EVENT_RECORD_REFUSED)
        assert(reason < EVENT_N_REFUSALS && at <= record.n && !events->n_values && !events->heap.n);
    return 0;
}
