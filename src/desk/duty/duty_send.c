/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/duty/duty_send.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INBOX_FILE_MAX = 16 << 10, INBOX_PASS_MAX = 100, URL_MAX = 8192 };

/* --- out --------------------------------------------------------------------------------------------------------- */

static int by_spool(const char *dir, const struct duty_message *m, char *proof, size_t n_proof)
{
    char hidden[PATH_MAX], name[PATH_MAX], text[DUTY_TEXT_MAX + 64];
    int n = snprintf(hidden, sizeof(hidden), "%s/.vonggac-%s", dir, m->uuid);
    if (n >= (int)sizeof(hidden))
        return -ENAMETOOLONG;
    snprintf(name, sizeof(name), "%.*s/vonggac-%s", PATH_MAX - 64, dir, m->uuid);
    n = snprintf(text, sizeof(text), "To: %s\n\n%s\n", m->address + (m->address[0] == '+'), m->text);
    int fd = open(hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0660);
    int r = fd < 0 ? -errno : file_write_full(fd, text, (size_t)n);
    if (!r && fsync(fd))
        r = -errno;
    file_close(&fd);
    if (!r && rename(hidden, name)) /* now it is there, and whole */
        r = -errno;
    if (r)
        unlink(hidden);
    snprintf(proof, n_proof, "%s: vonggac-%s", r ? strerrordesc_np(-r) : "spool", m->uuid);
    return r;
}

/* put_encoded - RFC 3986: everything but unreserved characters */
static void put_encoded(struct buf *b, const char *p)
{
    for (; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c))
            buf_add_byte(b, c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

static void put_url(struct buf *b, const char *pattern, const struct duty_message *m)
{
    static const char *const NAMES[] = {"{to}", "{text}", "{id}"};
    const char *const values[] = {m->address, m->text, m->uuid};
    for (const char *p = pattern; *p;) {
        size_t i = 0;
        while (i < 3 && strncmp(p, NAMES[i], strlen(NAMES[i])) != 0)
            i++;
        if (i < 3) {
            put_encoded(b, values[i]);
            p += strlen(NAMES[i]);
        } else
            buf_add_byte(b, (uint8_t)*p++);
    }
    buf_add_byte(b, '\0');
}

static int by_gateway(const struct duty_channels *c, const struct duty_message *m, char *proof, size_t n_proof)
{
    struct buf url = {.max = URL_MAX}, body = {.max = 64 << 10};
    struct http_client *client = NULL;
    struct fault f = {0};
    put_url(&url, c->sms_url, m);
    int r = url.is_bad ? -E2BIG : http_client_new(&c->sms_http, &client);
    if (!r)
        r = http_client_get(client, (const char *)url.p, &body, &f);
    if (r)
        snprintf(proof, n_proof, "%s", *f.text ? f.text : strerrordesc_np(r < 0 ? -r : EIO));
    else
        text_escape((const char *)body.p, body.n < 150 ? body.n : 150, proof, n_proof);
    http_client_free(client);
    buf_fini(&url);
    buf_fini(&body);
    return r > 0 ? -EIO : r;
}

static int by_mail(const struct duty_channels *c, const struct duty_message *m, char *proof, size_t n_proof)
{
    struct fault f = {0};
    struct mail_message mail = {.to = m->address, .subject = m->subject, .text = m->text, .id = m->uuid, .at_us = m->at_us};
    int r = mail_send(&c->mail, &mail, proof, n_proof, &f);
    if (r)
        snprintf(proof, n_proof, "%s", f.text);
    return r > 0 ? -EIO : r;
}

int duty_send(void *context, const struct duty_message *m, char *proof, size_t n_proof)
{
    const struct duty_channels *c = context;
    if (m->channel == DUTY_MAIL && c->mail.url)
        return by_mail(c, m, proof, n_proof);
    if (m->channel == DUTY_SMS && c->sms_url)
        return by_gateway(c, m, proof, n_proof);
    if (m->channel == DUTY_SMS && c->sms_spool)
        return by_spool(c->sms_spool, m, proof, n_proof);
    snprintf(proof, n_proof, "office: duty: %s is not configured", duty_channel_names[m->channel]);
    return -ENOTSUP;
}

/* --- back -------------------------------------------------------------------------------------------------------- */

bool duty_read_sms(const char *p, size_t n, struct text *ret_from, struct text *ret_text)
{
    const char *end = p + n;
    *ret_from = *ret_text = (struct text){0};
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        struct text line = text_trim((struct text){p, (size_t)((stop ? stop : end) - p)});
        p = stop ? stop + 1 : end;
        if (!line.n)
            break;
        if (line.n > 5 && text_is_nocase((struct text){line.p, 5}, "from:"))
            *ret_from = text_trim((struct text){line.p + 5, line.n - 5});
    }
    *ret_text = text_trim((struct text){p, (size_t)(end - p)});
    return ret_from->n && ret_text->n;
}

static int take_file(struct db_pool *pool, int dir_fd, const char *name, int64_t now_us,
                     struct fault *f)
{
    char text[INBOX_FILE_MAX], refused[300];
    struct text from, said;
    int64_t alert;
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    file_close(&fd);
    if (n > 0 && duty_read_sms(text, (size_t)n, &from, &said)) {
        int r = duty_answer(pool, DUTY_SMS, from, said, now_us, &alert, f);
        /* written down first, removed then: an answer that is read twice acknowledges nothing twice */
        return r ? r : unlinkat(dir_fd, name, 0) ? -errno : 0;
    }
    snprintf(refused, sizeof(refused), "%.255s.refused", name);
    return renameat(dir_fd, name, dir_fd, refused) ? -errno : 0;
}

int duty_inbox(const struct duty_channels *c, struct db_pool *pool, int64_t now_us, unsigned *ret_n, struct fault *f)
{
    *ret_n = 0;
    DIR *d = c->sms_inbox ? opendir(c->sms_inbox) : NULL;
    int r = c->sms_inbox && !d ? -errno : 0;
    for (struct dirent *e; !r && d && *ret_n < INBOX_PASS_MAX && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (e->d_name[0] == '.' || (n > 8 && !strcmp(e->d_name + n - 8, ".refused")) ||
            (n > 5 && !strcmp(e->d_name + n - 5, ".LOCK")))
            continue;
        r = take_file(pool, dirfd(d), e->d_name, now_us, f);
        *ret_n += !r;
    }
    if (d)
        closedir(d);
    return r && !f->code ? FAULT(f, r, node_cannot_enter, c->sms_inbox, strerrordesc_np(-r)) : r;
}
