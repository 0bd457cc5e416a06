/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console is read into memory when the office starts: no path of a request ever meets the file system. A file NAME.gz beside
 * NAME is its packed form.
 */
#include "web/web_own.h"

#include "base/file.h"
#include "base/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MAX = 2000, DEPTH_MAX = 6, HASH_MIN = 8 };
#define FILES_MAX_BYTES ((size_t)64 << 20)

static const char *type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } all[] = {{".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
               {".json", "application/json"}, {".webmanifest", "application/manifest+json"}, {".svg", "image/svg+xml"},
               {".png", "image/png"}, {".ico", "image/x-icon"}, {".woff2", "font/woff2"}, {".txt", "text/plain; charset=utf-8"},
               {".map", "application/json"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof(all) / sizeof(*all); i++)
        if (!strcmp(dot, all[i].ending))
            return all[i].type;
    return "application/octet-stream";
}

/* has_hash - "app-3F2A9C1D.js", "app.3f2a9c1d.js": eight or more letters and digits, one of them a digit, before the ending. */
static bool has_hash(const char *path)
{
    const char *name = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!name || !dot || dot < name)
        return false;
    const char *p = dot;
    bool has_digit = false;
    while (p > name + 1 && ((p[-1] >= '0' && p[-1] <= '9') || (p[-1] >= 'a' && p[-1] <= 'z') || (p[-1] >= 'A' && p[-1] <= 'Z'))) {
        p--;
        has_digit |= *p >= '0' && *p <= '9';
    }
    return dot - p >= HASH_MIN && p > name + 1 && (p[-1] == '-' || p[-1] == '.') && (has_digit || dot - p == HASH_MIN);
}

static int add_file(struct web_files *f, const char *disk, const char *path)
{
    struct web_file *all = reallocarray(f->all, f->n + 1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    f->all = all;
    struct web_file *x = &all[f->n];
    *x = (struct web_file){.path = strdup(path), .type = type_of(path), .is_forever = has_hash(path)};
    int r = x->path ? file_read_path(disk, FILES_MAX_BYTES - f->n_bytes, &x->bytes, &x->n) : -ENOMEM;
    if (r) {
        free(x->path);
        return r;
    }
    struct sha256 h = sha256_of(x->bytes, x->n);
    x->tag[0] = '"';
    sha256_format(&h, x->tag + 1);
    memcpy(x->tag + 33, "\"", 2); /* half of it is enough */
    f->n_bytes += x->n;
    f->n++;
    return 0;
}

static int load_dir(struct web_files *f, const char *dir, const char *path, int depth)
{
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    int r = 0;
    for (struct dirent *e; !r && (e = readdir(d));) {
        char disk[4096], below[1024];
        struct stat st;
        if (e->d_name[0] == '.')
            continue;
        if (snprintf(disk, sizeof(disk), "%s/%s", dir, e->d_name) >= (int)sizeof(disk) ||
            snprintf(below, sizeof(below), "%s/%s", path, e->d_name) >= (int)sizeof(below))
            r = -ENAMETOOLONG;
        else if (lstat(disk, &st))
            r = -errno;
        else if (S_ISDIR(st.st_mode))
            r = depth < DEPTH_MAX ? load_dir(f, disk, below, depth + 1) : -ELOOP;
        else if (S_ISREG(st.st_mode))
            r = f->n < FILES_MAX ? add_file(f, disk, below) : -E2BIG;
    }
    closedir(d);
    return r;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct web_file *)a)->path, ((const struct web_file *)b)->path);
}

static struct web_file *find(const struct web_files *f, const char *path)
{
    struct web_file wanted = {.path = (char *)(uintptr_t)path};
    return f->n ? bsearch(&wanted, f->all, f->n, sizeof(*f->all), by_path) : NULL;
}

const struct web_file *web_files_find(const struct web_files *f, const char *path)
{
    return find(f, path);
}

int web_files_load(const char *dir, struct web_files *ret, struct fault *f)
{
    *ret = (struct web_files){0};
    int r = load_dir(ret, dir, "", 0);
    if (r) {
        web_files_free(ret);
        return FAULT(f, r, web_no_console, dir, strerrordesc_np(-r));
    }
    if (ret->n)
        qsort(ret->all, ret->n, sizeof(*ret->all), by_path);
    for (size_t i = 0; i < ret->n; i++) {
        char packed[1030];
        snprintf(packed, sizeof(packed), "%s.gz", ret->all[i].path);
        const struct web_file *z = find(ret, packed);
        if (z) {
            ret->all[i].gzip = z->bytes;
            ret->all[i].n_gzip = z->n;
        }
    }
    return 0;
}

void web_files_free(struct web_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->all[i].path);
        free(f->all[i].bytes);
    }
    free(f->all);
    *f = (struct web_files){0};
}

/* wanted - the file of a path: of the application's own addresses (no ending) its page. */
static const struct web_file *wanted(const struct web_files *f, const char *path)
{
    const char *name = strrchr(path, '/');
    const struct web_file *x = web_files_find(f, path);
    if (x)
        return x;
    return name && !strchr(name, '.') ? web_files_find(f, "/index.html") : NULL;
}

void web_files_answer(const struct web_files *f, const struct http_request *q, struct http_reply *r)
{
    const struct web_file *x = wanted(f, q->path);
    bool is_read = !strcmp(q->method, "GET") || !strcmp(q->method, "HEAD");
    r->body.max = FILES_MAX_BYTES;
    web_headers_for_all(r, false);
    if (!x || !is_read) {
        r->status = x ? 405 : 404;
        http_reply_header(r, "Cache-Control", "no-store");
        http_reply_header(r, "Content-Type", "text/plain; charset=utf-8");
        if (x)
            http_reply_header(r, "Allow", "GET, HEAD");
        buf_add_text(&r->body, x ? "405\n" : "404\n");
        return;
    }
    const char *tag = http_header(q, "If-None-Match");
    bool is_same = tag && !strcmp(tag, x->tag);
    bool is_packed = x->gzip && http_accepts_gzip(http_header(q, "Accept-Encoding"));
    r->status = is_same ? 304 : 200;
    http_reply_header(r, "ETag", x->tag);
    http_reply_header(r, "Vary", "Accept-Encoding");
    http_reply_header(r, "Cache-Control", x->is_forever ? "public, max-age=31536000, immutable" : "no-cache");
    http_reply_header(r, "Content-Type", x->type);
    if (is_same)
        return;
    if (is_packed)
        http_reply_header(r, "Content-Encoding", "gzip");
    buf_add(&r->body, is_packed ? x->gzip : x->bytes, is_packed ? x->n_gzip : x->n);
}
