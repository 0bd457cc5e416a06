/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_self.h"

#include "base/clock.h"
#include "base/ip.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>

enum { DAYS = 3650, SERIAL_BYTES = 16 };

static int name_it(gnutls_x509_crt_t c, const char *name, bool is_first)
{
    struct ip ip;
    int r = is_first ? gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)) : 0;
    if (r)
        return r;
    if (ip_parse(name, strlen(name), &ip))
        return gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
    bool is_v4 = ip_is_v4(&ip);
    return gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, is_v4 ? ip.b + 12 : ip.b, is_v4 ? 4 : 16, GNUTLS_FSAN_APPEND);
}

static int fill(gnutls_x509_crt_t c, gnutls_x509_privkey_t key, const char *const *names, size_t n_names, int64_t now_us)
{
    uint8_t serial[SERIAL_BYTES];
    int64_t now_s = now_us / US_PER_SECOND;
    int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] &= 0x7f; /* positive (RFC 5280 4.1.2.2) */
    serial[0] |= 1;
    if (!r)
        r = gnutls_x509_crt_set_version(c, 3);
    if (!r)
        r = gnutls_x509_crt_set_serial(c, serial, sizeof(serial));
    if (!r)
        r = gnutls_x509_crt_set_activation_time(c, (time_t)(now_s - 86400));
    if (!r)
        r = gnutls_x509_crt_set_expiration_time(c, (time_t)(now_s + DAYS * INT64_C(86400)));
    for (size_t i = 0; !r && i < n_names; i++)
        r = name_it(c, names[i], !i);
    if (!r)
        r = gnutls_x509_crt_set_key(c, key);
    if (!r)
        r = gnutls_x509_crt_set_basic_constraints(c, 0, -1);
    if (!r)
        r = gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (!r)
        r = gnutls_x509_crt_set_key_purpose_oid(c, GNUTLS_KP_TLS_WWW_SERVER, 0);
    return r ? r : gnutls_x509_crt_sign2(c, c, key, GNUTLS_DIG_SHA256, 0);
}

static int put(struct buf *out, gnutls_datum_t *pem)
{
    out->max = (size_t)1 << 16;
    buf_add(out, pem->data, pem->size);
    buf_add_byte(out, 0);
    if (!out->is_bad)
        out->n--;
    return out->is_bad ? GNUTLS_E_MEMORY_ERROR : 0;
}

static int export_both(gnutls_x509_crt_t c, gnutls_x509_privkey_t k, struct buf *certificate, struct buf *key)
{
    gnutls_datum_t pem = {0};
    int r = gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &pem);
    if (!r)
        r = put(certificate, &pem);
    gnutls_free(pem.data);
    pem = (gnutls_datum_t){0};
    if (!r)
        r = gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
    if (!r)
        r = put(key, &pem);
    if (pem.data)
        explicit_bzero(pem.data, pem.size);
    gnutls_free(pem.data);
    return r;
}

int tls_self_make(const char *const *names, size_t n_names, int64_t now_us, struct buf *certificate, struct buf *key, struct fault *f)
{
    gnutls_x509_privkey_t k = NULL;
    gnutls_x509_crt_t c = NULL;
    int r = gnutls_x509_privkey_init(&k);
    if (!r)
        r = gnutls_x509_privkey_generate(k, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (!r)
        r = gnutls_x509_crt_init(&c);
    if (!r)
        r = fill(c, k, names, n_names, now_us);
    if (!r)
        r = export_both(c, k, certificate, key);
    if (c)
        gnutls_x509_crt_deinit(c);
    if (k)
        gnutls_x509_privkey_deinit(k);
    return r ? FAULT(f, -EIO, tls_not_made, gnutls_strerror(r)) : 0;
}

int tls_fingerprint(const char *pem, struct sha256 *ret)
{
    gnutls_x509_crt_t c;
    size_t n = sizeof(ret->b);
    gnutls_datum_t d = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
    if (gnutls_x509_crt_init(&c))
        return 1;
    int r = gnutls_x509_crt_import(c, &d, GNUTLS_X509_FMT_PEM);
    if (!r)
        r = gnutls_x509_crt_get_fingerprint(c, GNUTLS_DIG_SHA256, ret->b, &n);
    gnutls_x509_crt_deinit(c);
    return r ? 1 : 0;
}

int tls_pair_check(const char *certificate_pem, const char *key_pem, const char **ret_why)
{
    gnutls_certificate_credentials_t c;
    gnutls_datum_t certificate = {(unsigned char *)(uintptr_t)certificate_pem, (unsigned)strlen(certificate_pem)};
    gnutls_datum_t key = {(unsigned char *)(uintptr_t)key_pem, (unsigned)strlen(key_pem)};
    int r = gnutls_certificate_allocate_credentials(&c);
    if (!r) {
        r = gnutls_certificate_set_x509_key_mem(c, &certificate, &key, GNUTLS_X509_FMT_PEM);
        gnutls_certificate_free_credentials(c);
    }
    *ret_why = r < 0 ? gnutls_strerror(r) : "";
    return r < 0 ? 1 : 0;
}
