/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/page_writer.h"

#include "base/file.h"
#include "watch/store/block_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void page_writer_begin(struct page_writer *w, int fd)
{
    w->fd = fd;
    w->at = 0;
    w->n = 0;
}

uint8_t *page_writer_room(struct page_writer *w, size_t n)
{
    size_t wanted;
    if (__builtin_add_overflow(w->n, n, &wanted))
        return NULL;
    if (w->p && wanted <= w->room)
        return w->p + w->n;
    size_t room = 2 * PAGE_WRITER_FLUSH_BYTES;
    if (wanted > room && __builtin_add_overflow(wanted, (size_t)PAGE_WRITER_FLUSH_BYTES, &room))
        return NULL;
    uint8_t *p = memory_large(room);
    if (!p)
        return NULL;
    if (w->p && w->n)
        memcpy(p, w->p, w->n);
    free(w->p);
    w->p = p;
    w->room = room;
    return p + w->n;
}

int page_writer_add(struct page_writer *w, const void *p, size_t n)
{
    uint8_t *to = page_writer_room(w, n);
    if (!to)
        return -ENOMEM;
    if (n)
        memcpy(to, p, n);
    w->n += n;
    return 0;
}

int page_write(int fd, const uint8_t *p, size_t n, uint64_t at)
{
    int r = file_step("write segment");
    return r ? r : file_pwrite_full(fd, p, n, at);
}

/* write_front - the first @n bytes that wait. */
static int write_front(struct page_writer *w, size_t n)
{
    int r = n ? page_write(w->fd, w->p, n, w->at) : 0;
    if (r)
        return r;
    if (w->n > n)
        memmove(w->p, w->p + n, w->n - n);
    w->n -= n;
    w->at += n;
    return 0;
}

int page_writer_flush(struct page_writer *w)
{
    if (w->n < PAGE_WRITER_FLUSH_BYTES)
        return 0;
    return write_front(w, w->n / PAGE_WRITER_PAGE * PAGE_WRITER_PAGE);
}

int page_writer_end(struct page_writer *w)
{
    return write_front(w, w->n);
}

void page_writer_fini(struct page_writer *w)
{
    free(w->p);
    *w = (struct page_writer){0};
}
