/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that is not one record a line: documents printed over many lines, one behind the other, as elements of an array,
 * or of the array that one key of an outermost object holds ({"Records": [...]}). XML: <Event> elements, wherever they
 * stand.
 */
#include "watch/intake/log_read_own.h"

#include "format/json.h"

#include <errno.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* --- where a JSON document ends ----------------------------------------------------------------------------- */

struct ends {
    size_t at;      /* looked at so far */
    unsigned depth;
    bool is_string, is_escaped;
};

/* find_end - goes on where it stopped. Return: true when the document is whole; s->at stands behind it. */
static bool find_end(struct text t, struct ends *s)
{
    for (; s->at < t.n; s->at++) {
        char c = t.p[s->at];
        if (s->is_string) {
            if (s->is_escaped)
                s->is_escaped = false;
            else if (c == '\\')
                s->is_escaped = true;
            else if (c == '"')
                s->is_string = false;
            continue;
        }
        if (c == '"')
            s->is_string = true;
        else if (c == '{' || c == '[')
            s->depth++;
        else if ((c == '}' || c == ']') && s->depth && --s->depth == 0) {
            s->at++;
            return true;
        }
    }
    return false;
}

/* wrapper - bytes of {"Records":[ before the first record, if @t begins so; else 0. */
static size_t wrapper(struct text t)
{
    static const char *const keys[] = {"Records", "records", "events", "Events", "value", "hits", "logs", "results"};
    size_t at = 1;
    if (!t.n || t.p[0] != '{')
        return 0;
    while (at < t.n && is_blank(t.p[at]))
        at++;
    if (at == t.n || t.p[at] != '"')
        return 0;
    const char *name = t.p + at + 1, *quote = memchr(name, '"', t.n - at - 1);
    if (!quote)
        return 0;
    struct text key = {name, (size_t)(quote - name)};
    bool is_known = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        is_known = is_known || text_is(key, keys[i]);
    if (!is_known)
        return 0;
    static const char next[] = ":[";
    at = (size_t)(quote + 1 - t.p);
    for (int i = 0; i < 2; i++) {
        while (at < t.n && is_blank(t.p[at]))
            at++;
        if (at == t.n || t.p[at++] != next[i])
            return 0;
    }
    size_t begin = at;
    while (at < t.n && is_blank(t.p[at]))
        at++;
    return at < t.n && (t.p[at] == '{' || t.p[at] == ']') ? begin : 0;
}

bool log_is_documents(const struct log_reading *r)
{
    struct text t = log_rest(r);
    while (t.n && is_blank(t.p[0]))
        t = (struct text){t.p + 1, t.n - 1};
    if (t.n && t.p[0] == '[')
        return true;
    if (wrapper(t))
        return true;
    const char *end = t.n ? memchr(t.p, '\n', t.n) : NULL;
    struct text first = {t.p, end ? (size_t)(end - t.p) : t.n};
    if (!end && !r->has_ended) /* one giant line */
        return false;
    struct ends s = {0};
    if (find_end(first, &s)) {
        /* a whole document on the first line: with nothing behind it, it is a record a line */
        struct text behind = text_trim((struct text){first.p + s.at, first.n - s.at});
        return behind.n && behind.p[0] == '{';
    }
    /* documents over many lines, unless it is a broken line among others that are whole */
    struct text second = {end ? end + 1 : t.p, end ? t.n - first.n - 1 : 0};
    return !(second.n && second.p[0] == '{' && s.depth);
}

/* --- documents ------------------------------------------------------------------------------------------ */

/* resume - how far to go behind a document that does not end: to the next line that begins one. */
static size_t resume(struct text t)
{
    const char *p = t.p, *end = t.p + t.n;
    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        p++;
        if (p < end && *p == '{')
            return (size_t)(p - t.p);
    }
    return t.n;
}

/* whole - more of the content until the document at r->at is whole. Return: 0; 1 (it never is); <0. */
static int whole(struct log_reading *r, size_t *ret_n)
{
    struct ends s = {0};
    for (;;) {
        if (find_end(log_rest(r), &s)) {
            *ret_n = s.at;
            return 0;
        }
        if (r->has_ended || r->bytes.n - r->at > EVENT_ORIGINAL_MAX)
            return 1;
        int rc = log_fill(r);
        if (rc)
            return rc;
    }
}

/* one_document - r->at stands at its '{'. */
static int one_document(struct log_reading *r)
{
    size_t n;
    int rc = whole(r, &n);
    if (rc < 0)
        return rc;
    struct text t = log_rest(r);
    uint64_t line = r->line;
    if (rc) {
        size_t skip = resume(t);
        log_refused(r, r->has_ended && r->condition ? "row_cut" : t.n > EVENT_ORIGINAL_MAX ? "record_too_long" : "json_malformed", 0,
                    0, line, t);
        log_take(r, skip);
        return 0;
    }
    rc = log_record(r, EVENT_RECORD_JSON, (struct text){t.p, n}, line);
    log_take(r, n);
    return rc;
}

/* stray - something that is neither a document nor what stands between them: refused to the end of its line. */
static void stray(struct log_reading *r)
{
    struct text t = log_rest(r);
    const char *end = memchr(t.p, '\n', t.n);
    size_t n = end ? (size_t)(end - t.p) : t.n;
    const char *open = n > 1 ? memchr(t.p + 1, '{', n - 1) : NULL;
    if (open)
        n = (size_t)(open - t.p);
    log_refused(r, "json_no_object", 0, 0, r->line, (struct text){t.p, n});
    log_take(r, n);
}

/* skip_wrapper - what stands behind the array in the object around it, to its '}'. */
static int skip_wrapper(struct log_reading *r)
{
    struct ends s = {.depth = 1};
    while (!find_end(log_rest(r), &s)) {
        log_take(r, s.at);
        s.at = 0;
        if (r->has_ended)
            return 0;
        int rc = log_fill(r);
        if (rc)
            return rc;
    }
    log_take(r, s.at);
    return 0;
}

/* between - blanks, commas and brackets in front of the next document. Return: its first byte, 0 at the end; <0. */
static int between(struct log_reading *r, unsigned *in_array, bool *in_wrapper)
{
    for (;;) {
        struct text t = log_rest(r);
        if (!t.n) {
            int rc = r->has_ended ? 0 : log_fill(r);
            if (rc || (r->has_ended && r->at == r->bytes.n))
                return rc;
            continue;
        }
        char c = t.p[0];
        if (c == '[' && !*in_array)
            *in_array = 1;
        else if (c == ']' && *in_array) {
            *in_array = 0;
            log_take(r, 1);
            int rc = *in_wrapper ? skip_wrapper(r) : 0;
            *in_wrapper = false;
            if (rc)
                return rc;
            continue;
        } else if (!is_blank(c) && !(c == ',' && *in_array) && c != 0x1e) /* RFC 7464: a record separator */
            return (unsigned char)c;
        log_take(r, 1);
    }
}

int log_read_documents(struct log_reading *r)
{
    unsigned in_array = 0;
    bool in_wrapper = false;
    for (;;) {
        int c = between(r, &in_array, &in_wrapper);
        if (c <= 0)
            return c;
        size_t lead = c == '{' && !in_array ? wrapper(log_rest(r)) : 0;
        int rc = 0;
        if (lead) {
            in_array = 1;
            in_wrapper = true;
            log_take(r, lead);
        } else if (c == '{') {
            rc = one_document(r);
        } else {
            stray(r);
        }
        if (rc)
            return rc;
    }
}

/* --- XML ------------------------------------------------------------------------------------------------ */

/* event_begin_at - offset of the next "<Event" that is the element itself; t.n if there is none. */
static size_t event_begin_at(struct text t)
{
    const char *p = t.p, *end = t.p + t.n;
    while (p < end && (p = memmem(p, (size_t)(end - p), "<Event", 6))) {
        if (end - p > 6 && (is_blank(p[6]) || p[6] == '>' || p[6] == '/'))
            return (size_t)(p - t.p);
        p += 6;
    }
    return t.n;
}

/* is_frame - what may stand outside events: blanks, <?xml ..?>, <Events ..>, </Events>, comments. */
static bool is_frame(struct text t)
{
    for (;;) {
        t = text_trim(t);
        if (!t.n)
            return true;
        const char *end = memchr(t.p, '>', t.n);
        bool is_tag = t.p[0] == '<' && end && (!memcmp(t.p, "<?", 2) || !memcmp(t.p, "<!-", 3) ||
                      (t.n > 7 && (!memcmp(t.p, "<Events", 7) || !memcmp(t.p, "</Event", 7))));
        if (!is_tag)
            return false;
        t = (struct text){end + 1, t.n - (size_t)(end + 1 - t.p)};
    }
}

/* pass_frame - @n bytes outside events. */
static void pass_frame(struct log_reading *r, size_t n)
{
    struct text t = {log_rest(r).p, n};
    struct text inside = text_trim(t);
    if (!is_frame(t))
        log_refused(r, "xml_no_event", (size_t)(inside.p - t.p), 0, r->line, inside);
    log_take(r, n);
}

/* find_event - fills until an event begins at r->at or the content ends. Return: 1 (one does), 0, or <0. */
static int find_event(struct log_reading *r)
{
    for (;;) {
        struct text t = log_rest(r);
        size_t at = event_begin_at(t);
        if (at < t.n) {
            pass_frame(r, at);
            return 1;
        }
        if (r->has_ended) {
            pass_frame(r, t.n);
            return 0;
        }
        if (t.n > 2 * EVENT_VALUES_MAX) { /* keep what may be the beginning of a tag */
            const char *last = memrchr(t.p, '<', t.n);
            pass_frame(r, last && (size_t)(last - t.p) ? (size_t)(last - t.p) : t.n);
        }
        int rc = log_fill(r);
        if (rc)
            return rc;
    }
}

static int one_event(struct log_reading *r)
{
    for (size_t from = 0;;) {
        struct text t = log_rest(r);
        const char *end = memmem(t.p + from, t.n - from, "</Event>", 8);
        if (end) {
            size_t n = (size_t)(end + 8 - t.p);
            int rc = log_record(r, EVENT_RECORD_WINXML, (struct text){t.p, n}, r->line);
            log_take(r, n);
            return rc;
        }
        if (r->has_ended || t.n > EVENT_ORIGINAL_MAX) {
            size_t next = t.n > 1 ? 1 + event_begin_at((struct text){t.p + 1, t.n - 1}) : t.n;
            log_refused(r, r->has_ended ? "row_cut" : "record_too_long", 0, 0, r->line, t);
            log_take(r, next < t.n ? next : t.n);
            return 0;
        }
        from = t.n > 8 ? t.n - 8 : 0;
        int rc = log_fill(r);
        if (rc)
            return rc;
    }
}

int log_read_xml(struct log_reading *r)
{
    for (;;) {
        int rc = find_event(r);
        if (rc > 0)
            rc = one_event(r);
        else
            return rc;
        if (rc)
            return rc;
    }
}
