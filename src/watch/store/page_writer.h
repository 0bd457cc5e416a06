/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/page_writer - the body of a large new file, written in few large pieces of whole pages.
 *
 * Through the page cache, on purpose: written past it (O_DIRECT) a flow costs 5 % less to store, but the next hunt reads the
 * blocks back in small folios and costs a third more, cold or warm.
 *
 * In:     bytes one after the other, from the file's begin.
 * Out:    the file up to page_writer_end; not synced.
 * Limits: one thread; memory for what waits: a little above PAGE_WRITER_FLUSH_BYTES, kept for the next file.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PAGE_WRITER_PAGE = 4096, PAGE_WRITER_FLUSH_BYTES = 2 << 20 };

/* zero-initialise */
struct page_writer {
    int fd;
    uint8_t *p; /* what waits; aligned to pages */
    size_t n, room;
    uint64_t at; /* file offset of p[0] */
};

/* page_writer_begin - an empty file. @fd: borrowed until page_writer_end. */
void page_writer_begin(struct page_writer *w, int fd);
/* page_writer_room - a place for @n more bytes, counted by adding to w->n what was used. Return: NULL when memory is out. */
uint8_t *page_writer_room(struct page_writer *w, size_t n);
/* page_writer_add - @n bytes more. Return: 0 or -ENOMEM. */
int page_writer_add(struct page_writer *w, const void *p, size_t n);
/* page_writer_flush - write the whole pages that wait, once they are many; w->n changes. Return: 0 or -errno. */
int page_writer_flush(struct page_writer *w);
/* page_writer_end - write the rest: w->at is the end of the body. Return: 0 or -errno. */
int page_writer_end(struct page_writer *w);
void page_writer_fini(struct page_writer *w);

/* page_write - all of @n bytes at @at. Return: 0 or -errno. */
int page_write(int fd, const uint8_t *p, size_t n, uint64_t at);
