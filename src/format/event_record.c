/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record is: by its first byte that is no blank. A line with a syslog header whose message is JSON or XML keeps
 * the header under log.syslog.* and is otherwise the document.
 */
#include "format/event_record.h"

#include "base/clock.h"
#include "format/event_json.h"
#include "format/event_windows.h"
#include "format/line_decoder.h"
#include "format/syslog.h"
#include "format/winxml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct event_decoder {
    struct event_names *names;
    const struct line_decoders *lines;
    struct line_scratch *scratch; /* made with the first line: it is large, too */
    struct event_windows *windows;
    struct winxml *xml;
    struct event_json *json; /* made when the first JSON comes: it is large, and an .evtx file has none */
    struct line_file file; /* of the source in hand: see event_decoder_source */
    const struct event_source *source;
};

static const char *const refusal_names[] = {
#define X(ID, name) [EVENT_REFUSED_##ID] = name,
    EVENT_REFUSALS(X)
#undef X
};

const char *event_refusal_name(enum event_refusal reason)
{
    return refusal_names[reason];
}

/* --- documents ------------------------------------------------------------------------------------------ */

/* the open event's payload at @at .. @at + @n: 0, or >0 with the reason, or -ENOMEM; nothing stays of what is refused */

static int put_json(struct event_decoder *d, struct events *e, size_t at, size_t n, const struct event_source *source,
                    enum event_refusal *ret_reason, size_t *ret_at)
{
    if (!d->json)
        d->json = event_json_new(d->names, d->windows, d->xml);
    if (!d->json)
        return -ENOMEM;
    int rc = event_json_put(d->json, e, at, n, source, ret_at);
    if (rc > 0)
        *ret_reason = rc == JSON_TOO_DEEP ? EVENT_REFUSED_JSON_DEEP
                      : rc == EVENT_JSON_NO_OBJECT ? EVENT_REFUSED_JSON_NO_OBJECT : EVENT_REFUSED_JSON_MALFORMED;
    return rc;
}

static int put_xml(struct event_decoder *d, struct events *e, struct text t, const struct event_source *source,
                   enum event_refusal *ret_reason, size_t *ret_at)
{
    uint32_t n_values = e->n_values;
    event_windows_begin(d->windows, e, source->zone_s);
    int rc = winxml_event(d->xml, t, d->windows, ret_at);
    if (rc) {
        e->n_values = n_values;
        *ret_reason = rc == WINXML_LIMIT ? EVENT_REFUSED_XML_LIMIT
                      : rc == WINXML_NO_EVENT ? EVENT_REFUSED_XML_NO_EVENT : EVENT_REFUSED_XML_MALFORMED;
        return rc;
    }
    event_windows_end(d->windows, false);
    event_put_text(e, EV_EVENT_MODULE, TEXT("windows"));
    event_put_text(e, EV_EVENT_DATASET, TEXT("windows.eventlog"));
    event_put_text(e, EV_EVENT_DECODER, TEXT("windows-xml"));
    return 0;
}

static bool is_xml(struct text t)
{
    static const char *const leads[] = {"<Event", "<?xml", "<ns0:Event", "<e:Event"};
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (t.n > strlen(leads[i]) && !memcmp(t.p, leads[i], strlen(leads[i])))
            return true;
    return false;
}

static int put_document(struct event_decoder *d, struct events *e, struct text record, struct text t, const struct event_source *source,
                        enum event_refusal *ret_reason, size_t *ret_at)
{
    if (t.n && t.p[0] == '<')
        return put_xml(d, e, t, source, ret_reason, ret_at);
    return put_json(d, e, (size_t)(t.p - record.p), t.n, source, ret_reason, ret_at);
}

/* payload_of_line - what line decoders find behind a header of their own. */
static int payload_of_line(void *context, struct events *e, struct text payload)
{
    struct event_decoder *d = context;
    enum event_refusal reason;
    uint32_t n_values = e->n_values;
    uintptr_t from = (uintptr_t)e->record, p = (uintptr_t)payload.p;
    if (p < from || p - from > e->original_n[e->n] || payload.n > e->original_n[e->n] - (p - from))
        return 1;
    if (!put_document(d, e, (struct text){e->record, 0}, payload, d->source, &reason, NULL))
        return 0;
    e->n_values = n_values;
    return 1;
}

/* --- the decoder ---------------------------------------------------------------------------------------- */

struct event_decoder *event_decoder_new(struct event_names *names, const struct line_decoders *lines)
{
    struct event_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->names = names;
    d->lines = lines;
    d->windows = event_windows_new(names);
    d->xml = winxml_new();
    if (!d->windows || !d->xml) {
        event_decoder_free(d);
        return NULL;
    }
    return d;
}

void event_decoder_free(struct event_decoder *d)
{
    if (!d)
        return;
    line_scratch_free(d->scratch);
    event_json_free(d->json);
    winxml_free(d->xml);
    event_windows_free(d->windows);
    free(d);
}

struct event_windows *event_decoder_windows(struct event_decoder *d)
{
    return d->windows;
}

void event_decoder_source(struct event_decoder *d)
{
    d->file = (struct line_file){0};
}

void event_record_source(struct events *e, const struct event_source *source)
{
    if (source->path.n)
        event_put_text(e, EV_LOG_FILE_PATH, source->path);
    if (source->address.n)
        event_put_text(e, EV_LOG_SOURCE_ADDRESS, source->address);
    if (source->sender.n)
        event_put_name(e, TEXT("log.source.name"), source->sender);
    if (source->has_offset)
        event_put_long(e, EV_LOG_OFFSET, source->offset > INT64_MAX ? INT64_MAX : (int64_t)source->offset);
}

static void put_header(struct events *e, const struct syslog *h)
{
    if (h->priority >= 0) {
        event_put_long(e, EV_LOG_SYSLOG_PRIORITY, h->priority);
        event_put_long(e, EV_LOG_SYSLOG_FACILITY, h->priority / 8);
        event_put_long(e, EV_LOG_SYSLOG_SEVERITY, h->priority % 8);
    }
    if (h->hostname.n) {
        event_put_text(e, EV_LOG_SYSLOG_HOSTNAME, h->hostname);
        if (!event_find(e, EV_HOST_NAME))
            event_put_text(e, EV_HOST_NAME, h->hostname);
    }
    if (h->appname.n)
        event_put_text(e, EV_LOG_SYSLOG_APPNAME, h->appname);
    if (h->procid.n)
        event_put_text(e, EV_LOG_SYSLOG_PROCID, h->procid);
    if (h->msgid.n)
        event_put_text(e, EV_LOG_SYSLOG_MSGID, h->msgid);
}

/* begin - Return: 0, EVENT_RECORD_REFUSED or -ENOMEM. */
static int begin(struct events *e, struct text record, const struct event_source *source, enum event_refusal *ret_reason, size_t *ret_at)
{
    int rc = event_begin(e, record, source->arrived_us);
    if (rc <= 0)
        return rc;
    *ret_reason = EVENT_REFUSED_TOO_LONG;
    *ret_at = 0;
    return EVENT_RECORD_REFUSED;
}

static int document(struct event_decoder *d, struct text record, struct text t, const struct event_source *source, struct events *e,
                    enum event_refusal *ret_reason, size_t *ret_at)
{
    int rc = begin(e, record, source, ret_reason, ret_at);
    if (rc)
        return rc;
    rc = put_document(d, e, record, t, source, ret_reason, ret_at);
    if (rc) {
        event_cancel(e);
        *ret_at += (size_t)(t.p - record.p);
        return rc > 0 ? EVENT_RECORD_REFUSED : rc;
    }
    event_record_source(e, source);
    return event_end(e);
}

/* --- lines ---------------------------------------------------------------------------------------------- */

/*
 * header_and_document - a syslog line whose message is JSON or XML. Return: 0, or 1: it is not, nothing was put; -ENOMEM.
 */
static int header_and_document(struct event_decoder *d, struct text record, const struct event_source *source, struct events *e)
{
    struct syslog h;
    enum event_refusal reason;
    struct line_clock clock = {.arrived_us = source->known_us ? source->known_us : source->arrived_us, .zone_s = source->zone_s,
                               .year = source->year, .years = &d->file.years};
    bool has_sign = record.n > 1 && memchr(record.p + 1, '<', record.n - 1); /* that of the priority aside */
    if (!memchr(record.p, '{', record.n) && !(has_sign && memmem(record.p, record.n, "<Event", 6)))
        return 1;
    syslog_parse(record, &clock, &h);
    struct text t = text_trim(h.message);
    if (t.n > 5 && !memcmp(t.p, "@cee:", 5))
        t = text_trim((struct text){t.p + 5, t.n - 5});
    if (!t.n || t.p == record.p || !((t.p[0] == '{' && t.p[t.n - 1] == '}') || is_xml(t)))
        return 1;
    if (event_begin(e, record, source->arrived_us))
        return 1;
    if (h.has_time)
        event_time(e, h.time_us);
    uint32_t n_values = e->n_values;
    int rc = put_document(d, e, record, t, source, &reason, NULL);
    if (rc) {
        event_cancel(e);
        return rc > 0 ? 1 : rc;
    }
    if (h.has_time) /* the header's time was better than the arrival's */
        for (uint32_t i = n_values; i < e->n_values; i++)
            if (e->values[i].field == EV_EVENT_TIME_SOURCE)
                e->values[i--] = e->values[--e->n_values];
    put_header(e, &h);
    event_record_source(e, source);
    return event_end(e);
}

static int plain_line(struct event_decoder *d, struct text record, const struct event_source *source, struct events *e)
{
    struct syslog h;
    struct line_clock clock = {.arrived_us = source->known_us ? source->known_us : source->arrived_us, .zone_s = source->zone_s,
                               .year = source->year, .years = &d->file.years};
    int rc = event_begin(e, record, source->arrived_us);
    if (rc)
        return rc;
    syslog_parse(record, &clock, &h);
    if (h.has_time)
        event_time(e, h.time_us);
    else
        event_put_text(e, EV_EVENT_TIME_SOURCE, TEXT("arrival"));
    if (h.has_time && (h.time_flags & LINE_TIME_YEAR_GUESSED))
        event_put_text(e, EV_EVENT_TIME_SOURCE, TEXT("year_guessed"));
    put_header(e, &h);
    event_put_text(e, EV_MESSAGE, h.message.n ? h.message : record);
    event_record_source(e, source);
    return event_end(e);
}

static int need_scratch(struct event_decoder *d)
{
    if (!d->lines || d->scratch)
        return 0;
    d->scratch = line_scratch_new(d->lines);
    if (!d->scratch)
        return -ENOMEM;
    line_scratch_set_json(d->scratch, payload_of_line, d);
    return 0;
}

static int line(struct event_decoder *d, struct text record, const struct event_source *source, struct events *e,
                enum event_refusal *ret_reason, size_t *ret_at)
{
    int rc = header_and_document(d, record, source, e);
    if (rc <= 0)
        return rc;
    rc = need_scratch(d);
    if (rc)
        return rc;
    d->source = source;
    int64_t known_us = source->known_us ? source->known_us : source->arrived_us;
    struct line_origin origin = {.arrived_us = known_us, .zone_s = source->zone_s, .year = source->year,
                                 .source_address = source->address, .source_name = source->sender, .path = source->path, .file = &d->file};
    rc = d->scratch ? line_decode(d->lines, d->scratch, e, record, &origin) : plain_line(d, record, source, e);
    if (d->scratch && rc == LINE_EMPTY)
        return EVENT_RECORD_NONE;
    if (d->scratch && (!rc || rc == LINE_KEPT)) {
        e->arrived_us[e->n - 1] = source->arrived_us;
        return 0;
    }
    if (rc > 0) {
        *ret_reason = EVENT_REFUSED_TOO_LONG;
        *ret_at = 0;
        return EVENT_RECORD_REFUSED;
    }
    return rc;
}

int event_record(struct event_decoder *d, enum event_record_kind kind, struct text record, const struct event_source *source,
                 struct events *e, enum event_refusal *ret_reason, size_t *ret_at)
{
    struct text t = text_trim(record);
    *ret_at = 0;
    if (!t.n)
        return EVENT_RECORD_NONE;
    bool is_document = kind == EVENT_RECORD_JSON || kind == EVENT_RECORD_WINXML;
    if (kind == EVENT_RECORD_ANY)
        is_document = t.p[0] == '{' || is_xml(t);
    if (!is_document)
        return line(d, record, source, e, ret_reason, ret_at);
    if ((kind == EVENT_RECORD_JSON && t.p[0] != '{') || (kind == EVENT_RECORD_WINXML && t.p[0] != '<')) {
        *ret_reason = kind == EVENT_RECORD_JSON ? EVENT_REFUSED_JSON_NO_OBJECT : EVENT_REFUSED_XML_NO_EVENT;
        return EVENT_RECORD_REFUSED;
    }
    return document(d, record, t, source, e, ret_reason, ret_at);
}
