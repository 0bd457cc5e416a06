/* SPDX-License-Identifier: Apache-2.0 */
#include "net/mail.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 72, WORD_BYTES = 45, HEADER_MAX = 4096 };

int mail_is_address(const char *p)
{
    const char *at = strchr(p, '@');
    size_t n = strlen(p);
    if (!at || at == p || !at[1] || strchr(at + 1, '@') || n > 254)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f || strchr(",;:<>()[]\\\"", p[i]))
            return 0;
    return 1;
}

/* --- composing --------------------------------------------------------------------------------------------------- */

static bool is_plain(const char *p)
{
    for (; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f || (*p == '=' && p[1] == '?'))
            return false;
    return true;
}

static void base64(struct buf *b, const uint8_t *p, size_t n)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        buf_add_byte(b, (uint8_t)DIGITS[v >> 18]);
        buf_add_byte(b, (uint8_t)DIGITS[v >> 12 & 63]);
        buf_add_byte(b, i + 1 < n ? (uint8_t)DIGITS[v >> 6 & 63] : '=');
        buf_add_byte(b, i + 2 < n ? (uint8_t)DIGITS[v & 63] : '=');
    }
}

/* put_subject - RFC 2047: words of at most 75 characters, cut between characters; control characters never reach a header */
static void put_subject(struct buf *b, const char *subject)
{
    const char *p = subject, *end = subject + strlen(subject);
    buf_add_text(b, "Subject: ");
    if (is_plain(subject) && end - subject <= LINE_MAX_BYTES) {
        buf_add_text(b, subject);
        buf_add_text(b, "\r\n");
        return;
    }
    for (bool is_first = true; p < end || is_first; is_first = false) {
        char word[WORD_BYTES + 4];
        size_t n = 0;
        while (p < end && n + 4 <= WORD_BYTES) {
            uint32_t c = text_next(&p, end);
            n += text_put(c < ' ' || c == 0x7f ? ' ' : c, word + n);
        }
        buf_add_text(b, is_first ? "=?UTF-8?B?" : " =?UTF-8?B?");
        base64(b, (const uint8_t *)word, n);
        buf_add_text(b, "?=\r\n");
    }
}

/* put_body - quoted-printable (RFC 2045, 6.7) */
static void put_body(struct buf *b, const char *text)
{
    size_t at = 0;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\r')
            continue;
        if (c == '\n') {
            buf_add_text(b, "\r\n");
            at = 0;
            continue;
        }
        bool ends = p[1] == '\n' || p[1] == '\r' || !p[1];
        bool is_as_it_is = (c > ' ' && c < 0x7f && c != '=' && !(c == '.' && !at)) || ((c == ' ' || c == '\t') && !ends);
        if (at + 3 > LINE_MAX_BYTES) {
            buf_add_text(b, "=\r\n");
            at = 0;
            is_as_it_is = is_as_it_is && c != '.';
        }
        if (is_as_it_is)
            buf_add_byte(b, c);
        else
            buf_printf(b, "=%02X", c);
        at += is_as_it_is ? 1 : 3;
    }
    buf_add_text(b, "\r\n");
}

static void put_date(struct buf *b, int64_t at_us)
{
    static const char *const DAYS[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = clock_civil(at_us, ZONE_VIETNAM_S);
    int64_t day = (at_us + ZONE_VIETNAM_S * US_PER_SECOND) / US_PER_DAY;
    buf_printf(b, "Date: %s, %d %s %04d %02d:%02d:%02d +0700\r\n", DAYS[((day % 7) + 7) % 7], c.day, MONTHS[c.month - 1], c.year,
               c.hour, c.minute, c.second);
}

char *mail_compose(const char *from, const struct mail_message *m, size_t *ret_n)
{
    struct buf b = {.max = MAIL_TEXT_MAX * 4};
    const char *host = strchr(from, '@');
    if (!mail_is_address(from) || !mail_is_address(m->to) || !is_plain(m->id) || strpbrk(m->id, "<> ") ||
        strlen(m->text) > MAIL_TEXT_MAX)
        return NULL;
    put_date(&b, m->at_us);
    buf_printf(&b, "From: <%s>\r\nTo: <%s>\r\nMessage-ID: <%s%s>\r\n", from, m->to, m->id, host);
    if (m->in_reply_to && is_plain(m->in_reply_to) && !strpbrk(m->in_reply_to, "<> "))
        buf_printf(&b, "In-Reply-To: <%s%s>\r\n", m->in_reply_to, host);
    put_subject(&b, m->subject);
    buf_add_text(&b, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
                     "quoted-printable\r\nAuto-Submitted: auto-generated\r\n\r\n");
    put_body(&b, m->text);
    buf_add_byte(&b, '\0');
    if (b.is_bad) {
        buf_fini(&b);
        return NULL;
    }
    *ret_n = b.n - 1;
    return (char *)b.p;
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

struct sending {
    const char *p;
    size_t n;
    char answer[256]; /* the last line the server said */
};

static size_t give(char *out, size_t size, size_t n, void *context)
{
    struct sending *s = context;
    size_t room = size * n, k = s->n < room ? s->n : room;
    memcpy(out, s->p, k);
    s->p += k;
    s->n -= k;
    return k;
}

static size_t hear(char *p, size_t size, size_t n, void *context)
{
    struct sending *s = context;
    struct text line = text_trim((struct text){p, size * n});
    if (line.n)
        text_escape(line.p, line.n, s->answer, sizeof(s->answer));
    return size * n;
}

static void start_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void set_up(CURL *c, const struct mail_server *s, struct sending *x, struct curl_slist *to)
{
    curl_easy_setopt(c, CURLOPT_URL, s->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(s->timeout_us / 1000));
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (s->is_tls)
        curl_easy_setopt(c, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    if (s->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file);
    if (s->user)
        curl_easy_setopt(c, CURLOPT_USERNAME, s->user);
    if (s->password)
        curl_easy_setopt(c, CURLOPT_PASSWORD, s->password);
    curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(c, CURLOPT_READDATA, x);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, hear);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
}

int mail_send(const struct mail_server *s, const struct mail_message *m, char *proof, size_t n_proof, struct fault *f)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char from[320], to[320];
    size_t n;
    proof[0] = '\0';
    if (!mail_is_address(s->from) || !mail_is_address(m->to))
        return FAULT(f, -EINVAL, mail_bad_address, mail_is_address(s->from) ? m->to : s->from);
    pthread_once(&once, start_library);
    char *text = mail_compose(s->from, m, &n);
    CURL *c = text ? curl_easy_init() : NULL;
    snprintf(from, sizeof(from), "<%s>", s->from);
    snprintf(to, sizeof(to), "<%s>", m->to);
    struct curl_slist *list = c ? curl_slist_append(NULL, to) : NULL;
    int r = list ? 0 : FAULT(f, -ENOMEM, no_memory, "mail");
    if (!r) {
        struct sending x = {text, n, ""};
        long code = 0;
        set_up(c, s, &x, list);
        curl_easy_setopt(c, CURLOPT_MAIL_FROM, from);
        CURLcode e = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
        snprintf(proof, n_proof, "%s", x.answer);
        if (e)
            r = FAULT(f, MAIL_REFUSED, mail_refused, curl_easy_strerror(e), x.answer);
    }
    curl_slist_free_all(list);
    if (c)
        curl_easy_cleanup(c);
    free(text);
    return r;
}
