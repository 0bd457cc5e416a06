/* SPDX-License-Identifier: Apache-2.0 */
/* A small writer of ZIP archives and spreadsheets for tests: every byte of the format stands here, taken from APPNOTE and ECMA-376. */
#pragma once

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct help_part {
    const char *name, *content;
};

static inline void help_le(struct buf *b, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_add_byte(b, (uint8_t)(i < 8 ? v >> (8 * i) : 0));
}

/* help_zip - @method 0 stored or 8 deflated; @flags: bit 0 encrypted */
__attribute__((unused)) static struct buf help_zip(const struct help_part *parts, size_t n, unsigned method, unsigned flags)
{
    struct buf b = {.max = (size_t)256 << 20}, directory = {.max = (size_t)1 << 20};
    for (size_t i = 0; i < n; i++) {
        size_t n_name = strlen(parts[i].name), n_content = strlen(parts[i].content);
        uLong crc = crc32(0, (const Bytef *)parts[i].content, (uInt)n_content);
        uLong bound = compressBound(n_content) + 64;
        uint8_t *packed = malloc(bound);
        z_stream s = {.avail_in = (uInt)n_content, .next_out = packed, .avail_out = (uInt)bound};
        memcpy(&s.next_in, &parts[i].content, sizeof(s.next_in));
        deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
        deflate(&s, Z_FINISH);
        size_t n_packed = method ? bound - s.avail_out : n_content;
        deflateEnd(&s);
        size_t offset = b.n;
        for (int is_directory = 0; is_directory < 2; is_directory++) {
            struct buf *to = is_directory ? &directory : &b;
            help_le(to, is_directory ? 0x02014b50 : 0x04034b50, 4);
            if (is_directory)
                help_le(to, 20, 2);
            help_le(to, 20, 2);
            help_le(to, flags, 2);
            help_le(to, method, 2);
            help_le(to, 0, 4);
            help_le(to, crc, 4);
            help_le(to, n_packed, 4);
            help_le(to, n_content, 4);
            help_le(to, n_name, 2);
            help_le(to, 0, 2);
            if (is_directory) {
                help_le(to, 0, 10); /* comment, disk, attributes */
                help_le(to, offset, 4);
            }
            buf_add_text(to, parts[i].name);
        }
        buf_add(&b, method ? (const void *)packed : parts[i].content, n_packed);
        free(packed);
    }
    size_t at = b.n;
    buf_add(&b, directory.p, directory.n);
    help_le(&b, 0x06054b50, 4);
    help_le(&b, 0, 4);
    help_le(&b, n, 2);
    help_le(&b, n, 2);
    help_le(&b, directory.n, 4);
    help_le(&b, at, 4);
    help_le(&b, 0, 2);
    buf_fini(&directory);
    return b;
}

#define HELP_XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define HELP_SHEET(rows) HELP_XML "<worksheet><sheetData>" rows "</sheetData></worksheet>"

/* help_xlsx - a workbook of one or two sheets; NULL parts are left out */
__attribute__((unused)) static struct buf help_xlsx(const char *sheet1, const char *sheet2, const char *strings, const char *styles, unsigned method)
{
    static const char book1[] = HELP_XML "<workbook xmlns:r=\"x\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>";
    static const char book2[] = HELP_XML "<workbook xmlns:r=\"x\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"rId1\"/>"
                                         "<sheet name=\"B\" sheetId=\"2\" r:id=\"rId7\"/></sheets></workbook>";
    static const char relations[] = HELP_XML "<Relationships><Relationship Id=\"rId1\" Target=\"worksheets/sheet1.xml\"/>"
                                             "<Relationship Id=\"rId7\" Target=\"/xl/worksheets/other.xml\"/></Relationships>";
    struct help_part parts[8];
    size_t n = 0;
    parts[n++] = (struct help_part){"[Content_Types].xml", HELP_XML "<Types/>"};
    parts[n++] = (struct help_part){"xl/workbook.xml", sheet2 ? book2 : book1};
    parts[n++] = (struct help_part){"xl/_rels/workbook.xml.rels", relations};
    if (strings)
        parts[n++] = (struct help_part){"xl/sharedStrings.xml", strings};
    if (styles)
        parts[n++] = (struct help_part){"xl/styles.xml", styles};
    parts[n++] = (struct help_part){"xl/worksheets/sheet1.xml", sheet1};
    if (sheet2)
        parts[n++] = (struct help_part){"xl/worksheets/other.xml", sheet2};
    return help_zip(parts, n, method, 0);
}
