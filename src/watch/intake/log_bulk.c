/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/log_bulk.h"

#include "base/file.h"
#include "watch/intake/unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536 };

/* action_of - the first key of an action: {"create":{"_index":"x"}} */
static struct text action_of(struct text line)
{
    line = text_trim(line);
    if (!line.n || line.p[0] != '{')
        return (struct text){0};
    const char *from = memchr(line.p, '"', line.n);
    const char *to = from ? memchr(from + 1, '"', (size_t)(line.p + line.n - from - 1)) : NULL;
    return to ? (struct text){from + 1, (size_t)(to - from - 1)} : (struct text){0};
}

static bool is(struct text t, struct text what)
{
    return t.n == what.n && !memcmp(t.p, what.p, t.n);
}

size_t log_bulk_lines(char *body, size_t n)
{
    size_t at = 0, to = 0;
    bool is_document = false;
    while (at < n) {
        const char *end = memchr(body + at, '\n', n - at);
        size_t used = end ? (size_t)(end + 1 - (body + at)) : n - at;
        struct text line = {body + at, used};
        bool is_blank = !text_trim(line).n;
        if (is_document && !is_blank) {
            memmove(body + to, body + at, used);
            to += used;
            is_document = false;
        } else if (!is_blank) {
            struct text action = action_of(line);
            is_document = !is(action, TEXT("delete")); /* what is no action has a document behind it: the record is refused by its form */
        }
        at += used;
    }
    return to;
}

static int read_all(int fd, struct buf *b)
{
    struct unpack *u;
    int r = unpack_new(fd, &u);
    size_t n = 1;
    while (!r && n) {
        uint8_t *to = buf_room(b, PIECE);
        if (!to) {
            r = b->n + PIECE > b->max ? LOG_BULK_TOO_LARGE : -ENOMEM;
            break;
        }
        r = unpack_read(u, to, PIECE, &n);
        b->n += n;
    }
    unpack_free(u);
    return r > 0 && r != LOG_BULK_TOO_LARGE ? LOG_BULK_MALFORMED : r;
}

int log_bulk_documents(int fd, uint64_t max_bytes)
{
    struct buf b = {.max = (size_t)max_bytes + PIECE};
    int r = read_all(fd, &b);
    if (!r)
        b.n = log_bulk_lines((char *)b.p, b.n);
    if (!r && (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET)))
        r = -errno;
    if (!r && b.n)
        r = file_write_full(fd, b.p, b.n);
    if (!r && lseek(fd, 0, SEEK_SET))
        r = -errno;
    buf_fini(&b);
    return r;
}
