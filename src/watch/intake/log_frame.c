/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/log_frame.h"

#include <errno.h>
#include <string.h>

enum { STEP = 512 };

#define XML_END "</Event>"

void log_framer_fini(struct log_framer *f)
{
    syslog_framer_fini(&f->line);
    buf_fini(&f->xml);
}

/* tell - what a message is by its first bytes. Return: AUTO: they do not say yet. */
static enum log_frame_format tell(const uint8_t *p, size_t n)
{
    static const char event[] = "<Event", prolog[] = "<?xml";
    size_t n_event = n < 6 ? n : 6, n_prolog = n < 5 ? n : 5;
    if (p[0] == '{' || p[0] == '[')
        return LOG_FRAME_JSON;
    if (!memcmp(p, event, n_event))
        return n_event == 6 ? LOG_FRAME_XML : LOG_FRAME_AUTO;
    if (!memcmp(p, prolog, n_prolog))
        return n_prolog == 5 ? LOG_FRAME_XML : LOG_FRAME_AUTO;
    return LOG_FRAME_SYSLOG;
}

static void open_message(struct log_framer *f, enum log_frame_format format)
{
    f->now = format;
    f->line.max_bytes = format == LOG_FRAME_JSON ? LOG_FRAME_MAX : SYSLOG_MESSAGE_MAX;
    f->xml.max = LOG_FRAME_MAX + STEP;
    buf_clear(&f->xml);
    f->searched = 0;
}

/* message_at - the event in the first @n bytes of xml: a prolog or an <Events> before it is not part of it. */
static struct text message_at(const struct log_framer *f, size_t n)
{
    const char *p = (const char *)f->xml.p, *end = p + n;
    for (const char *q = p; (q = memmem(q, (size_t)(end - q), "<Event", 6)) && end - q > 6; q += 6)
        if (strchr(" >\t\r\n", q[6]))
            return (struct text){q, (size_t)(end - q)};
    return (struct text){p, n};
}

/* take_xml - up to the end of the event that is open. Return: 0, 1 or -ENOMEM. */
static int take_xml(struct log_framer *f, const uint8_t **p, size_t *left, struct text *ret)
{
    while (*left) {
        size_t n = *left < STEP ? *left : STEP, before = f->xml.n;
        size_t from = f->searched > sizeof(XML_END) ? f->searched - sizeof(XML_END) : 0;
        buf_add(&f->xml, *p, n);
        if (f->xml.is_bad)
            return -ENOMEM;
        const uint8_t *end = memmem(f->xml.p + from, f->xml.n - from, XML_END, sizeof(XML_END) - 1);
        size_t whole = end ? (size_t)(end - f->xml.p) + sizeof(XML_END) - 1 : f->xml.n >= LOG_FRAME_MAX ? f->xml.n : 0;
        size_t taken = whole ? whole - before : n;
        *p += taken;
        *left -= taken;
        f->searched = f->xml.n;
        if (whole) {
            *ret = message_at(f, whole);
            f->now = LOG_FRAME_AUTO;
            return 0;
        }
    }
    return 1;
}

static int take(struct log_framer *f, const uint8_t **p, size_t *left, struct text *ret)
{
    if (f->now == LOG_FRAME_XML)
        return take_xml(f, p, left, ret);
    int r = syslog_frame(&f->line, p, left, ret);
    if (!r && !f->line.is_piece && !f->line.is_counted)
        f->now = LOG_FRAME_AUTO;
    return r;
}

/* between - what stands between messages is skipped. */
static void between(struct log_framer *f, const uint8_t **p, size_t *left)
{
    while (*left && (**p == '\n' || **p == '\r' || !**p)) {
        f->line.n_empty += **p == '\n';
        (*p)++;
        (*left)--;
    }
}

/* begin - a message: what is it? Its first bytes stay where they are unless they are too few. Return: false: too few. */
static bool begin(struct log_framer *f, const uint8_t **p, size_t *left)
{
    if (!f->n_first)
        between(f, p, left);
    enum log_frame_format told = LOG_FRAME_AUTO;
    if (*left && f->format != LOG_FRAME_AUTO)
        told = f->format;
    else if (*left && !f->n_first)
        told = tell(*p, *left);
    while (told == LOG_FRAME_AUTO && *left) {
        f->first[f->n_first++] = **p;
        (*p)++;
        (*left)--;
        told = tell(f->first, f->n_first);
    }
    if (told != LOG_FRAME_AUTO)
        open_message(f, told);
    return told != LOG_FRAME_AUTO;
}

int log_frame(struct log_framer *f, const uint8_t **p, size_t *left, struct text *ret)
{
    while (*left) {
        if (f->now == LOG_FRAME_AUTO) {
            if (!begin(f, p, left))
                return 1;
            const uint8_t *q = f->first;
            size_t n = f->n_first;
            f->n_first = 0;
            int r = n ? take(f, &q, &n, ret) : 1;
            if (r <= 0)
                return r;
        }
        int r = take(f, p, left, ret);
        if (r <= 0)
            return r;
    }
    return 1;
}

int log_frame_end(struct log_framer *f, struct text *ret)
{
    bool is_xml = f->now == LOG_FRAME_XML;
    if (f->now == LOG_FRAME_AUTO && f->n_first) { /* it never said what it is: a short line */
        *ret = (struct text){(const char *)f->first, f->n_first};
        f->n_first = 0;
        return 0;
    }
    f->now = LOG_FRAME_AUTO;
    if (!is_xml)
        return syslog_frame_end(&f->line, ret);
    struct text t = message_at(f, f->xml.n);
    while (t.n && strchr(" \t\r\n", t.p[t.n - 1]))
        t.n--;
    *ret = t;
    return !t.n;
}
