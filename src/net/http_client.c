/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_client.h"

#include "base/file.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct http_client {
    CURL *curl;
    struct curl_slist *headers;
    int ca_fd; /* libcurl over GnuTLS takes certificates from files only; -1: none */
    size_t max_bytes;
    struct buf *body;
    bool is_too_large;
    char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_curl;

static void start_curl(void)
{
    has_curl = !curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take_body(char *p, size_t one, size_t n, void *context)
{
    struct http_client *c = context;
    size_t n_bytes = one * n; /* libcurl: one is 1 */
    if (n_bytes > c->max_bytes - c->body->n) {
        c->is_too_large = true;
        return 0;
    }
    buf_add(c->body, p, n_bytes);
    return c->body->is_bad ? 0 : n_bytes;
}

static int set_options(struct http_client *c, const struct http_client_options *o)
{
    CURL *h = c->curl;
    long timeout_ms = (long)(o->timeout_us / 1000);
    CURLcode r = CURLE_OK;
#define SET(option, value) r = r ? r : curl_easy_setopt(h, option, value)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_TIMEOUT_MS, timeout_ms < 1 ? 1L : timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < 1 ? 1L : timeout_ms);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)o->max_bytes);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_USERAGENT, "vonggac");
    SET(CURLOPT_HTTPHEADER, c->headers);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, c);
    SET(CURLOPT_ERRORBUFFER, c->error);
    char name[32];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", c->ca_fd);
    if (c->ca_fd >= 0)
        SET(CURLOPT_CAINFO, name);
#undef SET
    return r ? -ENOMEM : 0;
}

static int add_header(struct http_client *c, const char *line)
{
    struct curl_slist *more = curl_slist_append(c->headers, line);
    if (!more)
        return -ENOMEM;
    c->headers = more;
    return 0;
}

int http_client_new(const struct http_client_options *o, struct http_client **ret)
{
    pthread_once(&once, start_curl);
    struct http_client *c = has_curl ? calloc(1, sizeof(*c)) : NULL;
    if (!c)
        return -ENOMEM;
    c->ca_fd = -1;
    c->curl = curl_easy_init();
    c->max_bytes = o->max_bytes;
    c->ca_fd = o->ca ? memfd_create("ca", MFD_CLOEXEC) : -1;
    int r = !c->curl || (o->ca && c->ca_fd < 0) ? -ENOMEM : add_header(c, "Accept: application/json, text/csv");
    if (!r && o->ca)
        r = file_write_full(c->ca_fd, o->ca, o->n_ca);
    if (!r && o->header)
        r = add_header(c, o->header);
    if (!r)
        r = set_options(c, o);
    if (r) {
        http_client_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    if (c->curl)
        curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    file_close(&c->ca_fd);
    free(c);
}

/* host_of - of @url, for messages: no path, no query. */
static void host_of(const char *url, char out[256])
{
    const char *from = strstr(url, "://");
    from = from ? from + 3 : url;
    size_t n = strcspn(from, "/?#");
    n = n < 255 ? n : 255;
    memcpy(out, from, n);
    out[n] = '\0';
}

int http_client_get(struct http_client *c, const char *url, struct buf *body, struct fault *f)
{
    char host[256], status_text[32];
    long status = 0;
    buf_clear(body);
    body->max = c->max_bytes;
    c->body = body;
    c->is_too_large = false;
    c->error[0] = '\0';
    host_of(url, host);
    if (curl_easy_setopt(c->curl, CURLOPT_URL, url))
        return FAULT(f, -ENOMEM, no_memory, "http");
    CURLcode r = curl_easy_perform(c->curl);
    if (c->is_too_large || r == CURLE_FILESIZE_EXCEEDED)
        return FAULT(f, HTTP_CLIENT_REFUSED, http_client_too_large, host, (unsigned long long)c->max_bytes);
    if (r == CURLE_OUT_OF_MEMORY || (r == CURLE_WRITE_ERROR && body->is_bad))
        return FAULT(f, -ENOMEM, no_memory, "http");
    if (r)
        return FAULT(f, HTTP_CLIENT_REFUSED, http_client_failed, host, c->error[0] ? c->error : curl_easy_strerror(r));
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return 0;
    snprintf(status_text, sizeof(status_text), "HTTP %ld", status);
    if (status >= 300 && status < 400)
        return FAULT(f, HTTP_CLIENT_REFUSED, http_client_redirect, host, status_text);
    return FAULT(f, HTTP_CLIENT_REFUSED, http_client_failed, host, status_text);
}
