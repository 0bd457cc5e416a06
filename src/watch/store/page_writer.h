/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/page_writer - the body of a large new file, written in whole pages past the page cache.
 *
 * What is written once and rarely read soon need not be copied into the page cache: that costs more than making the bytes
 * (each page must be found, cleared of its past and, in a virtual machine, often be given by the host first), and drives
 * out what hunts do need. Where a file system knows no direct writing, or refuses it later, the bytes go the usual way.
 *
 * In:     bytes one after the other, from the file's begin.
 * Out:    the file up to page_writer_end; not synced.
 * Limits: one thread; memory for what waits: a little above PAGE_WRITER_FLUSH_BYTES, kept for the next file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_WRITER_PAGE = 4096, PAGE_WRITER_FLUSH_BYTES = 2 << 20 };

/* zero-initialise */
struct page_writer {
    int fd;
    uint8_t *p; /* what waits; aligned to pages */
    size_t n, room;
    uint64_t at; /* file offset of p[0] */
    bool may_be_direct; /* nothing has been written: small files go the usual way */
    bool is_direct;
};

/* page_writer_begin - an empty file. @fd: borrowed until page_writer_end. */
void page_writer_begin(struct page_writer *w, int fd);
/* page_writer_room - a place for @n more bytes, counted by adding to w->n what was used. Return: NULL when memory is out. */
uint8_t *page_writer_room(struct page_writer *w, size_t n);
/* page_writer_add - @n bytes more. Return: 0 or -ENOMEM. */
int page_writer_add(struct page_writer *w, const void *p, size_t n);
/* page_writer_flush - write the whole pages that wait, once they are many; w->n changes. Return: 0 or -errno. */
int page_writer_flush(struct page_writer *w);
/* page_writer_end - write the rest, in the usual way again from here on: w->at is the end of the body. Return: 0 or -errno. */
int page_writer_end(struct page_writer *w);
void page_writer_fini(struct page_writer *w);

/* page_write - all of @n bytes at @at. Return: 0 or -errno. */
int page_write(int fd, const uint8_t *p, size_t n, uint64_t at);
