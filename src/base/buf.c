/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_fini(struct buf *b)
{
    free(b->p);
    b->p = NULL;
    b->n = b->capacity = 0;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->is_bad = false;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
    size_t wanted;
    if (b->is_bad || __builtin_add_overflow(b->n, n, &wanted) || wanted > b->max) {
        b->is_bad = true;
        return NULL;
    }
    if (wanted > b->capacity || !b->p) {
        size_t grown = b->capacity ? b->capacity * 2 : 256;
        if (grown < wanted)
            grown = wanted;
        if (grown > b->max)
            grown = b->max ? b->max : 1;
        uint8_t *p = realloc(b->p, grown);
        if (!p) {
            b->is_bad = true;
            return NULL;
        }
        b->p = p;
        b->capacity = grown;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    uint8_t *to = buf_room(b, n);
    if (!to || !n)
        return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_byte(struct buf *b, uint8_t byte)
{
    buf_add(b, &byte, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *to = n < 0 ? NULL : buf_room(b, (size_t)n + 1);
    if (!to) {
        b->is_bad = true;
        return;
    }
    va_start(args, format);
    vsnprintf((char *)to, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
}
