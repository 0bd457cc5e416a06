/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/chain.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_LINE "VGCHAIN 1\n"
#define CHAIN_BYTES_MAX ((size_t)1 << 30)
enum { LINE_MAX_BYTES = 256 };

struct line {
    uint64_t id, n_rows;
    struct sha256 content, link;
    size_t n_said; /* bytes the link covers */
};

static struct sha256 link_of(const struct sha256 *before, const char *said, size_t n)
{
    struct sha256_state s;
    sha256_init(&s);
    sha256_add(&s, before->b, sizeof(before->b));
    sha256_add(&s, said, n);
    return sha256_end(&s);
}

static struct text word(struct text *rest)
{
    const char *blank = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
    struct text w = {rest->p, blank ? (size_t)(blank - rest->p) : rest->n};
    rest->p += w.n + (blank != NULL);
    rest->n -= w.n + (blank != NULL);
    return w;
}

/* parse_line - without its line end. Return: 0 or 1. */
static int parse_line(struct text t, struct line *ret)
{
    struct text rest = t, id = word(&rest), rows = word(&rest), content = word(&rest), link = word(&rest);
    ret->n_said = (size_t)(content.p + content.n - t.p);
    return text_u64(id, UINT64_MAX, &ret->id) || text_u64(rows, UINT64_MAX, &ret->n_rows) ||
           sha256_parse(content.p, content.n, &ret->content) || sha256_parse(link.p, link.n, &ret->link) || rest.n;
}

/* next_line - of @rest. Return: false when no whole line is left. */
static bool next_line(struct text *rest, struct text *ret)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end)
        return false;
    *ret = (struct text){rest->p, (size_t)(end - rest->p)};
    rest->n -= ret->n + 1;
    rest->p += ret->n + 1;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int add_id(struct chain *c, uint64_t id)
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
    if (!next_line(&rest, &t))
        return 0;
    if (!text_is(t, "VGCHAIN 1"))
        return -EBADMSG;
    c->n_bytes = (uint64_t)(rest.p - all.p);
    while (next_line(&rest, &t)) {
        struct line x;
        ++*ret_line;
        if (parse_line(t, &x))
            return -EBADMSG;
        struct sha256 expected = link_of(&c->head, t.p, x.n_said);
        if (memcmp(expected.b, x.link.b, sizeof(expected.b)))
            return -EBADMSG;
        c->head = x.link;
        c->n_bytes = (uint64_t)(rest.p - all.p);
        if (add_id(c, x.id))
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
        r = file_write_full(c->fd, MAGIC_LINE, strlen(MAGIC_LINE));
    if (!r)
        r = sync_file(c->fd);
    if (!r)
        r = file_sync_dir(c->dir_fd);
    c->n_bytes = strlen(MAGIC_LINE);
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

static int hash_segment(int segments_fd, uint64_t id, struct sha256 *ret)
{
    char name[32];
    snprintf(name, sizeof(name), "%llu.seg", (unsigned long long)id);
    _cleanup_close_ int fd = openat(segments_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : sha256_of_fd(fd, ret, NULL);
}

int chain_add(struct chain *c, uint64_t id, uint64_t n_rows, struct fault *f)
{
    struct sha256 content, link;
    char line[LINE_MAX_BYTES], hex[SHA256_TEXT_MAX];
    int r = hash_segment(c->segments_fd, id, &content);
    if (!r)
        r = file_step("chain-write");
    if (r)
        return FAULT(f, r, store_write_failed, "store/" CHAIN_NAME, strerrordesc_np(-r));
    sha256_format(&content, hex);
    int said = snprintf(line, sizeof(line), "%llu %llu %s", (unsigned long long)id, (unsigned long long)n_rows, hex);
    link = link_of(&c->head, line, (size_t)said);
    sha256_format(&link, hex);
    int n = said + snprintf(line + said, sizeof(line) - (size_t)said, " %s\n", hex);
    if (pwrite(c->fd, line, (size_t)n, (off_t)c->n_bytes) != n)
        r = errno ? -errno : -EIO; /* half a line is overwritten by the next */
    if (!r)
        r = sync_file(c->fd);
    if (!r)
        r = add_id(c, id);
    if (r) {
        (void)!ftruncate(c->fd, (off_t)c->n_bytes);
        return FAULT(f, r, store_write_failed, "store/" CHAIN_NAME, strerrordesc_np(-r));
    }
    c->head = link;
    c->n_bytes += (uint64_t)n;
    return 0;
}

/* --- verification --------------------------------------------------------------------------------------------- */

struct check {
    int segments_fd;
    const struct manifest *manifest;
    const struct sha256 *wanted;
    int (*wrong)(void *context, uint64_t id, const char *reason);
    void *context;
    struct chain_report *report;
    struct chain seen; /* only its ids and head */
};

static int check_line(struct check *x, const struct line *l)
{
    struct sha256 now;
    x->report->n_lines++;
    x->report->has_head |= x->wanted && !memcmp(x->wanted->b, l->link.b, sizeof(now.b));
    if (!manifest_find_segment(x->manifest, l->id)) {
        x->report->n_gone++;
        return 0;
    }
    int r = hash_segment(x->segments_fd, l->id, &now);
    if (!r && !memcmp(now.b, l->content.b, sizeof(now.b))) {
        x->report->n_present++;
        return 0;
    }
    return x->wrong(x->context, l->id, message_text(r ? MSG_store_segment_missing : MSG_chain_changed));
}

static int check_lines(struct check *x, struct text all)
{
    struct text rest = all, t;
    char reason[160];
    bool is_first = true;
    for (uint64_t number = 1; next_line(&rest, &t); number++) {
        struct line l;
        bool is_bad = is_first ? !text_is(t, "VGCHAIN 1") : parse_line(t, &l) != 0;
        struct sha256 expected = is_first || is_bad ? (struct sha256){{0}} : link_of(&x->seen.head, t.p, l.n_said);
        if (is_bad || (!is_first && memcmp(expected.b, l.link.b, sizeof(expected.b)))) {
            SAY_TO(reason, sizeof(reason), chain_broken, (unsigned long long)number);
            return x->wrong(x->context, 0, reason); /* what follows proves nothing */
        }
        if (!is_first) {
            x->seen.head = l.link;
            int r = add_id(&x->seen, l.id);
            r = r ? r : check_line(x, &l);
            if (r)
                return r;
        }
        is_first = false;
    }
    return 0;
}

static void count_unchained(struct check *x)
{
    for (size_t i = 0; i < x->manifest->n_segments; i++) {
        const struct manifest_segment *s = &x->manifest->segments[i];
        x->report->n_unchained += !s->is_gone && s->family == MANIFEST_LOGS && !chain_has(&x->seen, s->id);
    }
}

int chain_verify(int store_fd, const struct manifest *m, const struct sha256 *head,
                 int (*wrong)(void *context, uint64_t id, const char *reason), void *context, struct chain_report *ret,
                 struct fault *f)
{
    struct check x = {.manifest = m, .wanted = head, .wrong = wrong, .context = context, .report = ret};
    *ret = (struct chain_report){0};
    _cleanup_close_ int segments_fd = openat(store_fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = openat(store_fd, CHAIN_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    x.segments_fd = segments_fd;
    if (fd < 0 && errno == ENOENT) {
        count_unchained(&x);
        return -ENOENT;
    }
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r = fd < 0 ? -errno : file_read_all(fd, CHAIN_BYTES_MAX, &bytes, &n);
    if (r)
        return FAULT(f, r, store_read_failed, "store/" CHAIN_NAME, strerrordesc_np(-r));
    r = check_lines(&x, (struct text){(const char *)bytes, n});
    count_unchained(&x);
    ret->head = x.seen.head;
    free(bytes);
    free(x.seen.ids);
    return r == -ENOMEM ? FAULT(f, r, store_no_memory, "store/" CHAIN_NAME) : r;
}
