/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header is read from left to right: priority, what devices put before the time, the time, host, tag. Each part may
 * be missing; what decides is the byte that ends a word (a colon or a bracket makes it a tag, a blank a host).
 */
#include "format/syslog.h"

#include <errno.h>
#include <string.h>

#define TAG_MAX 128u      /* RFC 3164 says 32; container names are longer */
#define HOST_MAX 255u
#define PRIORITY_MAX 191  /* RFC 5424 6.2.1 */

enum { C_BLANK = 1, C_TAG = 2, C_HOST = 4, C_DIGIT = 8 };

/* what a byte may be part of; a tag is what programs are called: no quotes, brackets, equals signs */
static const uint8_t classes[256] = {
    ['\t'] = C_BLANK, [' '] = C_BLANK, ['#'] = C_TAG, ['%'] = C_TAG, ['(' ... '+'] = C_TAG, ['-' ... '/'] = C_TAG | C_HOST,
    ['0' ... '9'] = C_TAG | C_HOST | C_DIGIT, [':'] = C_HOST, ['@'] = C_TAG, ['A' ... 'Z'] = C_TAG | C_HOST, ['\\'] = C_TAG,
    ['_'] = C_TAG | C_HOST, ['a' ... 'z'] = C_TAG | C_HOST, ['~'] = C_TAG, [0x80 ... 0xff] = C_TAG | C_HOST,
};

static uint8_t class_of(char c)
{
    return classes[(uint8_t)c];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct text after(struct text t, size_t n)
{
    return (struct text){t.p + n, t.n - n};
}

static struct text blanks_off(struct text t)
{
    while (t.n && (*t.p == ' ' || *t.p == '\t'))
        t = after(t, 1);
    return t;
}

static struct text bom_off(struct text t)
{
    return t.n >= 3 && !memcmp(t.p, "\xef\xbb\xbf", 3) ? after(t, 3) : t;
}

/* priority - "<0>".."<191>"; bytes taken or 0. */
static size_t priority(struct text t, int *ret)
{
    size_t n = 1;
    int v = 0;
    if (t.n < 3 || t.p[0] != '<')
        return 0;
    while (n < t.n && n < 4 && is_digit(t.p[n]))
        v = v * 10 + (t.p[n++] - '0');
    if (n == 1 || n >= t.n || t.p[n] != '>' || v > PRIORITY_MAX)
        return 0;
    *ret = v;
    return n + 1;
}

/* --- RFC 5424 --------------------------------------------------------------------------------------- */

/* word - up to a blank; the rest begins behind it. "-" is nothing. */
static struct text word(struct text *rest)
{
    const char *end = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    struct text w = {rest->p, n};
    *rest = after(*rest, end ? n + 1 : n);
    return n == 1 && w.p[0] == '-' ? (struct text){w.p, 0} : w;
}

/* structured_end - bytes of SD-ELEMENTs at the start of @t; 0 when none or not closed. */
static size_t structured_end(struct text t)
{
    size_t i = 0;
    while (i < t.n && t.p[i] == '[') {
        bool is_quoted = false;
        for (i++; i < t.n && (is_quoted || t.p[i] != ']'); i++) {
            if (t.p[i] == '\\' && is_quoted)
                i++;
            else if (t.p[i] == '"')
                is_quoted = !is_quoted;
        }
        if (i >= t.n)
            return 0;
        i++;
    }
    return i;
}

static bool parse_5424(struct text t, const struct line_clock *clock, struct syslog *s)
{
    if (t.n < 2 || t.p[0] != '1' || t.p[1] != ' ')
        return false;
    struct text rest = after(t, 2);
    struct text stamp = word(&rest);
    if (stamp.n) {
        size_t n = line_time_parse(stamp, clock, &s->time_us, &s->time_flags);
        if (n != stamp.n)
            return false;
        s->has_time = true;
    } else if (s->priority < 0) {
        return false; /* "1 - ..." of a file may be anything */
    }
    s->hostname = word(&rest);
    s->appname = word(&rest);
    s->procid = word(&rest);
    s->msgid = word(&rest);
    size_t n = structured_end(rest);
    if (n) {
        s->structured = (struct text){rest.p, n};
        rest = after(rest, n);
    } else if (rest.n && rest.p[0] == '-' && (rest.n == 1 || rest.p[1] == ' ')) {
        rest = after(rest, 1);
    }
    if (rest.n && rest.p[0] == ' ')
        rest = after(rest, 1);
    s->message = bom_off(rest);
    s->form = SYSLOG_5424;
    return true;
}

bool syslog_structured_next(struct text *rest, struct text *id, struct text *ret_name, struct text *ret_value, bool *ret_is_escaped)
{
    struct text t = *rest;
    while (t.n && t.p[0] != '"') {
        if (t.p[0] == '[') {
            size_t n = 1;
            while (n < t.n && t.p[n] != ' ' && t.p[n] != ']')
                n++;
            *id = (struct text){t.p + 1, n - 1};
            t = after(t, n);
            continue;
        }
        if (t.p[0] == ']' || t.p[0] == ' ') {
            t = after(t, 1);
            continue;
        }
        const char *equals = memchr(t.p, '=', t.n);
        if (!equals || equals + 1 >= t.p + t.n || equals[1] != '"')
            return false;
        *ret_name = (struct text){t.p, (size_t)(equals - t.p)};
        t = after(t, ret_name->n + 2);
        size_t n = 0;
        *ret_is_escaped = false;
        while (n < t.n && t.p[n] != '"') {
            if (t.p[n] == '\\') {
                *ret_is_escaped = true;
                n++;
            }
            n++;
        }
        if (n >= t.n)
            return false;
        *ret_value = (struct text){t.p, n};
        *rest = after(t, n + 1);
        return true;
    }
    return false;
}

/* --- RFC 3164 and its relatives --------------------------------------------------------------------- */

/*
 * tag - "name[pid]:", "name:", "[name]:", "name[pid]" before a blank. Bytes taken with the colon and one blank behind
 * it, 0 when @t does not begin with one; a bare word is none.
 */
static size_t tag(struct text t, struct syslog *s)
{
    size_t n = 0;
    bool is_bracketed = t.n && t.p[0] == '[';
    n += is_bracketed;
    size_t from = n;
    while (n < t.n && n < TAG_MAX && (class_of(t.p[n]) & C_TAG))
        n++;
    if (n == from || n >= t.n)
        return 0;
    struct text name = {t.p + from, n - from}, pid = {NULL, 0};
    if (is_bracketed) {
        if (t.p[n] != ']')
            return 0;
        n++;
    } else if (t.p[n] == '[') {
        size_t at = ++n;
        while (n < t.n && n - at < TAG_MAX && (class_of(t.p[n]) & (C_TAG | C_HOST)))
            n++;
        if (n >= t.n || t.p[n] != ']')
            return 0;
        pid = (struct text){t.p + at, n - at};
        n++;
    }
    bool has_colon = n < t.n && t.p[n] == ':';
    if (!has_colon && (!pid.n || (n < t.n && t.p[n] != ' ')))
        return 0;
    n += has_colon;
    if (has_colon && !pid.n && n < t.n && t.p[n] != ' ' && t.p[n] != '\t')
        return 0; /* "http://", "12:30", an address */
    s->appname = name;
    s->procid = pid;
    return n + (n < t.n && t.p[n] == ' ');
}

static size_t host_word(struct text t)
{
    size_t n = 0;
    while (n < t.n && n <= HOST_MAX && (class_of(t.p[n]) & C_HOST))
        n++;
    if (n && t.p[0] == ':' && (n == 1 || t.p[1] != ':'))
        return 0;
    return n && n <= HOST_MAX && n < t.n && t.p[n] == ' ' ? n : 0;
}

/* mnemonic - Cisco "%FAC-5-NAME: " and Huawei "%%01MOD/4/NAME(l)[12]:": bytes of the name, 0 if none. */
static size_t mnemonic(struct text t)
{
    if (t.n < 5 || t.p[0] != '%')
        return 0;
    const char *colon = memchr(t.p, ':', t.n < TAG_MAX ? t.n : TAG_MAX);
    const char *blank = memchr(t.p, ' ', t.n < TAG_MAX ? t.n : TAG_MAX);
    if (!colon || (blank && blank < colon))
        return 0;
    return (size_t)(colon - t.p);
}

/* level_and_tag - F5 writes "host notice tmsh[123]: ". */
static size_t level_and_tag(struct text t, struct syslog *s)
{
    static const char *const levels[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        size_t n = strlen(levels[i]);
        if (t.n > n + 1 && t.p[n] == ' ' && !memcmp(t.p, levels[i], n)) {
            size_t m = tag(after(t, n + 1), s);
            return m ? n + 1 + m : 0;
        }
    }
    return 0;
}

/* devices name no program: the mnemonic itself is the first word of the message */
static void host_and_tag(struct text t, struct syslog *s)
{
    t = blanks_off(t);
    if (mnemonic(t)) {
        s->message = t;
        return;
    }
    size_t n = tag(t, s);
    if (n) {
        s->message = after(t, n);
        if (mnemonic(s->message)) { /* "router1: %SYS-5-..." */
            s->hostname = s->appname;
            s->appname = (struct text){NULL, 0};
        }
        return;
    }
    n = host_word(t);
    if (!n) {
        s->message = t;
        return;
    }
    s->hostname = (struct text){t.p, n};
    if (n > 1 && t.p[n - 1] == ':')
        s->hostname.n--;
    t = blanks_off(after(t, n));
    if (t.n > n && t.p[n] == ' ' && !memcmp(t.p, s->hostname.p, n)) /* UniFi says it twice */
        t = blanks_off(after(t, n));
    if (t.n > 2 && t.p[0] == ':' && t.p[1] == ' ') /* ASA: "host : %ASA-6-..." */
        t = blanks_off(after(t, 1));
    n = mnemonic(t) ? 0 : tag(t, s);
    if (!n)
        n = level_and_tag(t, s);
    s->message = after(t, n);
}

/* before_time - Cisco's "29: ", "000029: ", "host: ", "*", "." before the time. */
static struct text before_time(struct text t, struct syslog *s)
{
    size_t n = 0;
    while (n < t.n && n < 12 && is_digit(t.p[n]))
        n++;
    if (n && n + 1 < t.n && t.p[n] == ':' && t.p[n + 1] == ' ') {
        s->sequence = (struct text){t.p, n};
        t = blanks_off(after(t, n + 1));
    }
    if (t.n > 1 && (t.p[0] == '*' || t.p[0] == '.') && (class_of(t.p[1]) & C_HOST))
        t = after(t, 1);
    return t;
}

/* looks_like_header - a file's line with a time in digits: only "host tag:" behind makes it syslog. */
static bool looks_like_header(struct text t)
{
    struct syslog probe = {0};
    t = blanks_off(t);
    if (mnemonic(t))
        return true;
    size_t n = host_word(t);
    if (!n || t.p[n - 1] == ':')
        return false;
    t = after(t, n + 1);
    return mnemonic(t) || tag(t, &probe);
}

static bool is_word_end(struct text t, size_t n)
{
    return n >= t.n || t.p[n] == ' ' || t.p[n] == ':' || t.p[n] == '\t' || t.p[n] == '|';
}

static int number_of(struct text name, const char *const *names, int n)
{
    uint64_t v;
    for (int i = 0; i < n; i++)
        if (text_is(name, names[i]))
            return i;
    return text_u64(name, (uint64_t)n - 1, &v) ? -1 : (int)v;
}

/* verbose - BSD's syslogd -v writes "<4.6> ", with -vv "<auth.info> ", behind the time. Return: the rest. */
static struct text verbose(struct text t, struct syslog *s)
{
    static const char *const facilities[] = {"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
                                             "authpriv", "ftp", "ntp", "security", "console", "clock", "local0", "local1", "local2",
                                             "local3", "local4", "local5", "local6", "local7"};
    static const char *const severities[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
    struct text part = blanks_off(t);
    const char *close = part.n > 4 && part.p[0] == '<' ? memchr(part.p, '>', part.n < 24 ? part.n : 24) : NULL;
    const char *dot = close ? memchr(part.p, '.', (size_t)(close - part.p)) : NULL;
    if (!dot || close + 1 == part.p + part.n || close[1] != ' ')
        return t;
    int facility = number_of((struct text){part.p + 1, (size_t)(dot - part.p) - 1}, facilities, 24);
    int severity = number_of((struct text){dot + 1, (size_t)(close - dot) - 1}, severities, 8);
    if (facility < 0 || severity < 0)
        return t;
    if (s->priority < 0)
        s->priority = facility * 8 + severity;
    return after(part, (size_t)(close - part.p) + 1);
}

/* after_stamp - what follows the time decides how much of a header there is. */
static void after_stamp(struct text t, bool is_strict, struct syslog *s)
{
    if (t.n && t.p[0] == ':')
        t = after(t, 1);
    t = verbose(t, s);
    if (is_strict && !looks_like_header(t)) {
        s->form = SYSLOG_STAMP;
        s->message = blanks_off(t);
        return;
    }
    s->form = SYSLOG_BSD;
    host_and_tag(t, s);
}

/* bracketed - "[time] message" of Apache and others. */
static bool bracketed(struct text t, const struct line_clock *clock, struct syslog *s)
{
    if (t.n < 10 || t.p[0] != '[')
        return false;
    size_t n = line_time_parse(after(t, 1), clock, &s->time_us, &s->time_flags);
    if (!n || n + 1 >= t.n || t.p[n + 1] != ']')
        return false;
    s->has_time = true;
    s->form = SYSLOG_STAMP;
    s->message = blanks_off(after(t, n + 2));
    return true;
}

/* journal - "host program[pid]: message" without time, as journalctl prints it for others to read. */
static void journal(struct text t, struct syslog *s)
{
    size_t n = host_word(t);
    if (!n || t.p[n - 1] == ':')
        return;
    struct syslog probe = {0};
    size_t m = tag(after(t, n + 1), &probe);
    if (!m || !probe.procid.n || !is_digit(probe.procid.p[0]) || after(t, n + 1 + m).p[-2] != ':')
        return;
    s->form = SYSLOG_BSD;
    s->hostname = (struct text){t.p, n};
    s->appname = probe.appname;
    s->procid = probe.procid;
    s->message = after(t, n + 1 + m);
}

static void parse_bsd(struct text t, const struct line_clock *clock, struct syslog *s)
{
    if (bracketed(t, clock, s))
        return;
    struct text rest = before_time(t, s);
    size_t n = line_time_parse(rest, clock, &s->time_us, &s->time_flags);
    if (!n && s->sequence.n) { /* "29: router1: *Mar  1 ..." */
        const char *colon = memchr(rest.p, ':', rest.n < HOST_MAX ? rest.n : HOST_MAX);
        struct text behind = colon ? blanks_off(after(rest, (size_t)(colon - rest.p) + 1)) : (struct text){"", 0};
        if (behind.n > 1 && (behind.p[0] == '*' || behind.p[0] == '.'))
            behind = after(behind, 1);
        n = line_time_parse(behind, clock, &s->time_us, &s->time_flags);
        if (n) {
            s->hostname = (struct text){rest.p, (size_t)(colon - rest.p)};
            rest = behind;
        }
    }
    if (n && is_word_end(rest, n)) {
        struct text host = s->hostname;
        bool is_names = (rest.p[0] | 32) >= 'a' && (rest.p[0] | 32) <= 'z';
        s->has_time = true;
        after_stamp(after(rest, n), !is_names && rest.p[0] != '@' && s->priority < 0, s);
        if (host.n)
            s->hostname = host;
        return;
    }
    s->has_time = false;
    s->time_flags = 0;
    s->hostname = s->sequence = (struct text){NULL, 0};
    s->message = t;
    if (s->priority < 0) {
        journal(t, s);
        return;
    }
    s->form = SYSLOG_BSD;
    if (mnemonic(t))
        return;
    n = tag(t, s);
    s->message = after(t, n);
    if (n)
        return;
    n = host_word(t); /* a host and a tag, without time */
    if (n && t.p[n - 1] != ':') {
        size_t m = tag(after(t, n + 1), s);
        if (m || mnemonic(after(t, n + 1))) {
            s->hostname = (struct text){t.p, n};
            s->message = after(t, n + 1 + m);
        }
    }
}

static bool begins(struct text t, const char *with)
{
    size_t n = strlen(with);
    return t.n >= n && !memcmp(t.p, with, n);
}

/* wrapped - what syslogd of others puts around a message: "[ID 800047 auth.info] ", "message repeated 3 times: [ ... ]". */
static void wrapped(struct syslog *s)
{
    struct text t = s->message;
    if (begins(t, "[ID ")) { /* Solaris */
        const char *close = memchr(t.p, ']', t.n < 48 ? t.n : 48);
        if (close)
            s->message = t = blanks_off(after(t, (size_t)(close - t.p) + 1));
    }
    if (!begins(t, "message repeated ") || t.p[t.n - 1] != ']') /* rsyslog */
        return;
    struct text number = after(t, 17);
    size_t n = 0;
    while (n < number.n && n < 10 && is_digit(number.p[n]))
        n++;
    struct text inner = after(number, n);
    if (!n || !begins(inner, " times: ["))
        return;
    s->repeated = (struct text){number.p, n};
    inner = blanks_off(after(inner, 9));
    s->message = (struct text){inner.p, inner.n - 1};
}

void syslog_parse(struct text line, const struct line_clock *clock, struct syslog *ret)
{
    *ret = (struct syslog){.priority = -1};
    struct text t = bom_off(line);
    size_t n = priority(t, &ret->priority);
    t = bom_off(after(t, n));
    ret->body = t;
    ret->message = t;
    if (parse_5424(t, clock, ret)) {
        wrapped(ret);
        return;
    }
    int kept = ret->priority;
    *ret = (struct syslog){.priority = kept, .body = t, .message = t};
    if (n)
        t = blanks_off(t);
    parse_bsd(t, clock, ret);
    wrapped(ret);
}

/* --- framing ---------------------------------------------------------------------------------------- */

void syslog_framer_fini(struct syslog_framer *f)
{
    buf_fini(&f->held);
}

static size_t limit(const struct syslog_framer *f)
{
    return f->max_bytes ? f->max_bytes : SYSLOG_MESSAGE_MAX;
}

static int hold(struct syslog_framer *f, const uint8_t **p, size_t *n, size_t take)
{
    f->held.max = limit(f) + 16;
    buf_add(&f->held, *p, take);
    *p += take;
    *n -= take;
    return f->held.is_bad ? -ENOMEM : 0;
}

/* emit - what is held and @take bytes of the input are one message (or piece); no copy when nothing is held. */
static int emit(struct syslog_framer *f, const uint8_t **p, size_t *n, size_t take, struct text *ret)
{
    if (f->held.n) {
        int r = hold(f, p, n, take);
        if (r)
            return r;
        *ret = (struct text){(const char *)f->held.p, f->held.n};
        f->held.n = 0; /* the bytes stay until the next call */
        return 0;
    }
    *ret = (struct text){(const char *)*p, take};
    *p += take;
    *n -= take;
    return 0;
}

static struct text line_end_off(struct text t)
{
    while (t.n && (t.p[t.n - 1] == '\n' || t.p[t.n - 1] == '\r' || t.p[t.n - 1] == 0))
        t.n--;
    return t;
}

#define COUNT_DIGITS 8u

/*
 * count_prefix - "123 <": the length of an octet-counted message. A line may begin with digits too, so the '<' that RFC
 * 6587 3.4.1 asks for (SYSLOG-MSG begins with PRI) decides. Return: bytes up to '<', 0 (no count), -1 (more input needed).
 */
static int count_prefix(const struct syslog_framer *f, const uint8_t *p, size_t n, size_t *ret_count)
{
    size_t count = 0;
    for (size_t i = 0; i < f->held.n + n && i <= COUNT_DIGITS + 1; i++) {
        uint8_t c = i < f->held.n ? f->held.p[i] : p[i - f->held.n];
        if (i && c == ' ') {
            if (i + 1 == f->held.n + n)
                return -1;
            uint8_t next = i + 1 < f->held.n ? f->held.p[i + 1] : p[i + 1 - f->held.n];
            *ret_count = count;
            return next == '<' && count >= 3 ? (int)i + 1 : 0;
        }
        if (c < '0' || c > '9' || (!i && c == '0') || i == COUNT_DIGITS)
            return 0;
        count = count * 10 + (size_t)(c - '0');
    }
    return -1;
}

static int counted_message(struct syslog_framer *f, const uint8_t **p, size_t *n, struct text *ret)
{
    size_t room = limit(f) - f->held.n;
    size_t wanted = f->counted < room ? f->counted : room;
    if (*n < wanted) {
        f->counted -= *n;
        int r = hold(f, p, n, *n);
        return r ? r : 1;
    }
    f->counted -= wanted;
    int r = emit(f, p, n, wanted, ret);
    if (r)
        return r;
    f->n_counted += !f->counted;
    f->n_split += f->counted > 0;
    f->is_counted = f->counted > 0;
    *ret = line_end_off(*ret);
    return 0;
}

static const uint8_t *line_end(const uint8_t *p, size_t n)
{
    const uint8_t *lf = memchr(p, '\n', n);
    const uint8_t *nul = memchr(p, 0, lf ? (size_t)(lf - p) : n);
    return nul ? nul : lf;
}

static int line_message(struct syslog_framer *f, const uint8_t **p, size_t *n, struct text *ret)
{
    size_t room = limit(f) - f->held.n;
    const uint8_t *end = line_end(*p, *n < room + 1 ? *n : room + 1);
    if (!end && *n <= room) {
        int r = hold(f, p, n, *n);
        return r ? r : 1;
    }
    int r = emit(f, p, n, end ? (size_t)(end - *p) + 1 : room, ret);
    if (r)
        return r;
    f->n_split += !end;
    f->is_piece = !end;
    *ret = end ? line_end_off(*ret) : *ret;
    f->n_lines += end && ret->n;
    return 0;
}

int syslog_frame(struct syslog_framer *f, const uint8_t **p, size_t *n, struct text *ret)
{
    while (*n) {
        size_t count = 0;
        int prefix = f->is_counted || f->is_piece ? 0 : count_prefix(f, *p, *n, &count);
        if (prefix < 0) {
            int r = hold(f, p, n, *n);
            return r ? r : 1;
        }
        if (prefix > 0) {
            size_t skip = (size_t)prefix - (f->held.n < (size_t)prefix ? f->held.n : (size_t)prefix);
            f->held.n = 0;
            *p += skip;
            *n -= skip;
            f->is_counted = true;
            f->counted = count;
            continue;
        }
        int r = f->is_counted ? counted_message(f, p, n, ret) : line_message(f, p, n, ret);
        if (r || ret->n)
            return r;
        f->n_empty++; /* also the LF that some send behind a counted message */
    }
    return 1;
}

int syslog_frame_end(struct syslog_framer *f, struct text *ret)
{
    *ret = line_end_off((struct text){(const char *)f->held.p, f->held.n});
    f->held.n = 0;
    f->is_counted = f->is_piece = false;
    f->counted = 0;
    f->n_lines += ret->n > 0;
    return !ret->n;
}
