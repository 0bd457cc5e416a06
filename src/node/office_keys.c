/* SPDX-License-Identifier: Apache-2.0 */
#include "node/office_keys.h"

#include "base/clock.h"
#include "base/file.h"
#include "net/tls_self.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_FILE_MAX = 256 << 10 };

static int read_pem(const char *path, struct buf *ret, struct fault *f)
{
    uint8_t *p;
    size_t n;
    int r = file_read_path(path, KEY_FILE_MAX, &p, &n);
    if (r)
        return FAULT(f, r, office_cannot_read, path, strerrordesc_np(-r));
    *ret = (struct buf){.p = p, .n = n, .capacity = n + 1, .max = n + 1};
    return 0;
}

/* read_secret - the first line of a file */
static int read_secret(const char *path, struct buf *ret, struct fault *f)
{
    int r = path ? read_pem(path, ret, f) : 0;
    if (r || !path)
        return r;
    size_t n = strcspn((const char *)ret->p, "\r\n");
    explicit_bzero(ret->p + n, ret->n - n);
    ret->n = n;
    return n ? 0 : FAULT(f, 1, office_cannot_read, path, strerrordesc_np(ENODATA));
}

static int check(const struct config *c, struct office_keys *k, struct fault *f)
{
    const char *why;
    const char *certificate = c->office.certificate ? c->office.certificate : "office/tls/certificate.pem";
    if (tls_pair_check((const char *)k->certificate.p, (const char *)k->key.p, &why))
        return FAULT(f, 1, office_bad_certificate, certificate, why);
    if (tls_fingerprint((const char *)k->certificate.p, &k->fingerprint))
        return FAULT(f, 1, office_bad_certificate, certificate, "no certificate in it");
    return 0;
}

int office_keys_read(const struct config *c, struct office_keys *ret, struct fault *f)
{
    const struct config_office *o = &c->office;
    *ret = (struct office_keys){0};
    int r = o->is_wanted && o->client_ca ? read_pem(o->client_ca, &ret->client_ca, f) : 0;
    if (!r && o->is_wanted)
        r = read_secret(o->duty.mail_password_file, &ret->mail_password, f);
    if (!r && o->is_wanted)
        r = read_secret(o->duty.sms_header_file, &ret->sms_header, f);
    if (!r && o->is_wanted && o->certificate) {
        r = read_pem(o->certificate, &ret->certificate, f);
        if (!r)
            r = read_pem(o->key, &ret->key, f);
        if (!r)
            r = check(c, ret, f);
    }
    if (r)
        office_keys_wipe(ret);
    return r;
}

/* keep - both files, beside what is there; a half-written pair of a crash does not fit together and is made anew. */
static int keep(int dir, const struct office_keys *k)
{
    int r = file_replace(dir, "key.pem", k->key.p, k->key.n);
    if (!r && fchmodat(dir, "key.pem", 0600, 0))
        r = -errno;
    return r ? r : file_replace(dir, "certificate.pem", k->certificate.p, k->certificate.n);
}

static int make_own(const struct config *c, int dir, struct office_keys *k, struct fault *f)
{
    char host[256] = "", address[IP_TEXT_MAX];
    const char *names[4];
    size_t n = 0;
    if (!gethostname(host, sizeof(host) - 1) && host[0])
        names[n++] = host;
    names[n++] = "localhost";
    ip_format(&c->office.ip, address);
    if (strcmp(address, "0.0.0.0") != 0 && strcmp(address, "::") != 0)
        names[n++] = address;
    if (strcmp(address, "127.0.0.1") != 0)
        names[n++] = "127.0.0.1";
    int r = tls_self_make(names, n, clock_now_us(), &k->certificate, &k->key, f);
    if (!r) {
        r = keep(dir, k);
        r = r ? FAULT(f, r, office_cannot_read, "office/tls", strerrordesc_np(-r)) : 0;
    }
    return r;
}

int office_keys_own(const struct config *c, struct office_keys *k, struct fault *f)
{
    struct fault not_there;
    if (!c->office.is_wanted || c->office.certificate)
        return 0;
    umask(0077);
    int r = file_make_dirs("office/tls", 0700);
    _cleanup_close_ int dir = r ? -1 : open("office/tls", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (dir < 0) {
        r = r ? r : -errno;
        umask(0027);
        return FAULT(f, r, office_cannot_read, "office/tls", strerrordesc_np(-r));
    }
    k->is_own = true;
    r = read_pem("office/tls/certificate.pem", &k->certificate, &not_there) || read_pem("office/tls/key.pem", &k->key, &not_there) ||
        check(c, k, &not_there);
    if (r) {
        buf_fini(&k->certificate);
        buf_fini(&k->key);
        r = make_own(c, dir, k, f);
        if (!r)
            r = check(c, k, f);
    }
    umask(0027);
    return r;
}

static void wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->n);
    buf_fini(b);
    *b = (struct buf){0};
}

void office_keys_wipe_tls(struct office_keys *k)
{
    wipe(&k->key);
    wipe(&k->certificate);
    wipe(&k->client_ca);
}

void office_keys_wipe(struct office_keys *k)
{
    office_keys_wipe_tls(k);
    wipe(&k->mail_password);
    wipe(&k->sms_header);
    *k = (struct office_keys){0};
}
