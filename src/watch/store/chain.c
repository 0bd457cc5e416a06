/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/chain_inside.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 512 + 21 * CHAIN_PARTS_MAX };

struct sha256 chain_link(const struct sha256 *before, const char *said, size_t n)
{
    struct sha256_state s;
    sha256_init(&s);
    sha256_add(&s, before->b, sizeof(before->b));
    sha256_add(&s, said, n);
    return sha256_end(&s);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static struct text word(struct text *rest)
{
    const char *blank = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
    struct text w = {rest->p, blank ? (size_t)(blank - rest->p) : rest->n};
    rest->p += w.n + (blank != NULL);
    rest->n -= w.n + (blank != NULL);
    return w;
}

/* behind - what stands behind @name at the begin of @w; .n 0: something else. */
static struct text behind(struct text w, const char *name)
{
    size_t n = strlen(name);
    return w.n > n && !memcmp(w.p, name, n) ? (struct text){w.p + n, w.n - n} : (struct text){"", 0};
}

static int parse_digest(struct text hex, struct log_digest *ret)
{
    struct sha256 bytes; /* as long, and written the same way */
    if (sha256_parse(hex.p, hex.n, &bytes))
        return 1;
    memcpy(ret->b, bytes.b, sizeof(ret->b));
    return 0;
}

int chain_parse(struct text t, struct chain_line *ret)
{
    struct text rest = t, id = word(&rest), rows = word(&rest), content = word(&rest), w = word(&rest), value;
    *ret = (struct chain_line){.from = {"", 0}};
    if ((value = behind(w, "rows=")).n) {
        if (parse_digest(value, &ret->rows))
            return 1;
        ret->has_rows = true;
        w = word(&rest);
    }
    if ((value = behind(w, "from=")).n) {
        ret->from = value;
        w = word(&rest);
    }
    ret->n_said = w.p > t.p ? (size_t)(w.p - t.p) - 1 : 0;
    return text_u64(id, UINT64_MAX, &ret->id) || text_u64(rows, UINT64_MAX, &ret->n_rows) ||
           sha256_parse(content.p, content.n, &ret->content) || sha256_parse(w.p, w.n, &ret->link) || rest.n;
}

bool chain_next(struct text *rest, struct text *ret)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end)
        return false;
    *ret = (struct text){rest->p, (size_t)(end - rest->p)};
    rest->n -= ret->n + 1;
    rest->p += ret->n + 1;
    return true;
}

bool chain_is_magic(struct text t)
{
    return text_is(t, CHAIN_MAGIC) || text_is(t, CHAIN_MAGIC_1);
}

int chain_next_id(struct text *rest, uint64_t *ret)
{
    const char *comma = rest->n ? memchr(rest->p, ',', rest->n) : NULL;
    struct text one = {rest->p, comma ? (size_t)(comma - rest->p) : rest->n};
    rest->p += one.n + (comma != NULL);
    rest->n -= one.n + (comma != NULL);
    return text_u64(one, UINT64_MAX, ret);
}

/* --- ids ----------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int chain_add_id(struct chain *c, uint64_t id)
{
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        uint64_t *more = realloc(c->ids, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        c->ids = more;
        c->room = room;
    }
    c->ids[c->n++] = id;
    if (c->n > 1 && c->ids[c->n - 2] > id) /* ids nearly always rise */
        qsort(c->ids, c->n, sizeof(*c->ids), by_number);
    return 0;
}

bool chain_has(const struct chain *c, uint64_t id)
{
    return c->n && bsearch(&id, c->ids, c->n, sizeof(*c->ids), by_number);
}

/* load - the whole lines of the file. Return: 0, -EBADMSG (a line is wrong: its number in @ret_line), -ENOMEM. */
static int load(struct chain *c, struct text all, uint64_t *ret_line)
{
    struct text rest = all, t;
    *ret_line = 1;
    if (!chain_next(&rest, &t))
        return 0;
    if (!chain_is_magic(t))
        return -EBADMSG;
    c->n_bytes = (uint64_t)(rest.p - all.p);
    while (chain_next(&rest, &t)) {
        struct chain_line x;
        ++*ret_line;
        if (chain_parse(t, &x))
            return -EBADMSG;
        struct sha256 expected = chain_link(&c->head, t.p, x.n_said);
        if (memcmp(expected.b, x.link.b, sizeof(expected.b)))
            return -EBADMSG;
        c->head = x.link;
        c->n_bytes = (uint64_t)(rest.p - all.p);
        if (chain_add_id(c, x.id))
            return -ENOMEM;
    }
    return 0;
}

static int sync_file(int fd)
{
    int r = file_step("chain-sync");
    return r ? r : fdatasync(fd) ? -errno : 0;
}

static int begin_file(struct chain *c)
{
    int r = file_step("chain-write");
    if (!r)
        r = file_write_full(c->fd, CHAIN_MAGIC "\n", strlen(CHAIN_MAGIC "\n"));
    if (!r)
        r = sync_file(c->fd);
    if (!r)
        r = file_sync_dir(c->dir_fd);
    c->n_bytes = strlen(CHAIN_MAGIC "\n");
    return r;
}

int chain_open(struct chain *c, int dir_fd, int segments_fd, struct fault *f)
{
    *c = (struct chain){.dir_fd = dir_fd, .segments_fd = segments_fd};
    c->fd = openat(dir_fd, CHAIN_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (c->fd < 0)
        return FAULT(f, -errno, store_write_failed, "store/" CHAIN_NAME, strerrordesc_np(errno));
    uint8_t *bytes = NULL;
    size_t n = 0;
    uint64_t line = 0;
    int r = file_read_all(c->fd, CHAIN_BYTES_MAX, &bytes, &n);
    if (!r)
        r = load(c, (struct text){(const char *)bytes, n}, &line);
    if (r == -EBADMSG)
        FAULT(f, r, chain_broken, (unsigned long long)line);
    if (!r && c->n_bytes != n && (ftruncate(c->fd, (off_t)c->n_bytes) || lseek(c->fd, 0, SEEK_SET) < 0))
        r = -errno;
    if (!r && !c->n_bytes)
        r = begin_file(c);
    else if (!r && n > strlen(CHAIN_MAGIC_1) && !memcmp(bytes, CHAIN_MAGIC_1, strlen(CHAIN_MAGIC_1)))
        r = pwrite(c->fd, CHAIN_MAGIC, strlen(CHAIN_MAGIC), 0) < 0 ? -errno : 0; /* one byte differs */
    free(bytes);
    if (!r)
        return 0;
    chain_close(c);
    return r == -EBADMSG ? r : FAULT(f, r, store_write_failed, "store/" CHAIN_NAME, strerrordesc_np(-r));
}

void chain_close(struct chain *c)
{
    file_close(&c->fd);
    free(c->ids);
    *c = (struct chain){.fd = -1};
}

int chain_hash_segment(int segments_fd, uint64_t id, struct sha256 *ret)
{
    char name[32];
    snprintf(name, sizeof(name), "%llu.seg", (unsigned long long)id);
    _cleanup_close_ int fd = openat(segments_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : sha256_of_fd(fd, ret, NULL);
}

/* say - the line but for its link. */
static void say(struct buf *b, const struct chain_segment *s, const struct sha256 *content)
{
    char hex[SHA256_TEXT_MAX];
    sha256_format(content, hex);
    buf_printf(b, "%llu %llu %s", (unsigned long long)s->id, (unsigned long long)s->n_rows, hex);
    if (s->rows) {
        struct sha256 bytes;
        memcpy(bytes.b, s->rows->b, sizeof(bytes.b));
        sha256_format(&bytes, hex);
        buf_printf(b, " rows=%s", hex);
    }
    for (size_t i = 0; i < s->n_from; i++)
        buf_printf(b, i ? ",%llu" : " from=%llu", (unsigned long long)s->from[i]);
}

/* write_line - behind the last; what of it a failure leaves is overwritten by the next. */
static int write_line(struct chain *c, const struct buf *line)
{
    ssize_t put = pwrite(c->fd, line->p, line->n, (off_t)c->n_bytes);
    if (put < 0)
        return -errno;
    return (size_t)put == line->n ? sync_file(c->fd) : -ENOSPC;
}

int chain_add(struct chain *c, const struct chain_segment *s, struct fault *f)
{
    struct sha256 content, link = {{0}};
    struct buf line = {.max = LINE_BYTES_MAX};
    char hex[SHA256_TEXT_MAX];
    int r = s->n_from > CHAIN_PARTS_MAX ? -EINVAL : chain_hash_segment(c->segments_fd, s->id, &content);
    if (!r)
        r = file_step("chain-write");
    if (!r) {
        say(&line, s, &content);
        link = chain_link(&c->head, (const char *)line.p, line.n);
        sha256_format(&link, hex);
        buf_printf(&line, " %s\n", hex);
        r = line.is_bad ? -ENOMEM : write_line(c, &line);
        if (!r)
            r = chain_add_id(c, s->id);
        if (r)
            (void)!ftruncate(c->fd, (off_t)c->n_bytes);
    }
    if (!r) {
        c->head = link;
        c->n_bytes += line.n;
    }
    buf_fini(&line);
    return r ? FAULT(f, r, store_write_failed, "store/" CHAIN_NAME, strerrordesc_np(-r)) : 0;
}
