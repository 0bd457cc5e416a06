/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end record leads to the directory, the directory to the local headers;
 * every offset is checked against the bytes there are. Sizes come from the
 * directory alone: local headers of streamed archives hold none.
 */
#include "format/zip.h"

#include "base/cursor.h"

#include <errno.h>
#include <zlib.h>

#define END_BYTES 22u
#define DIRECTORY_BYTES 46u
#define LOCAL_BYTES 30u

int zip_open(const void *p, size_t n, struct zip *ret)
{
    const uint8_t *b = p;
    if (n < END_BYTES || load_le32(b) != 0x04034b50)
        return ZIP_NOT_ZIP;
    size_t least = n > END_BYTES + 65535 ? n - END_BYTES - 65535 : 0;
    for (size_t at = n - END_BYTES;; at--) {
        if (load_le32(b + at) == 0x06054b50 && at + END_BYTES + load_le16(b + at + 20) <= n) {
            uint32_t n_members = load_le16(b + at + 10), size = load_le32(b + at + 12), offset = load_le32(b + at + 16);
            if (load_le16(b + at + 4) || n_members == 0xffff || offset > at || size > at - offset || n_members > ZIP_MAX_MEMBERS)
                return ZIP_DAMAGED;
            *ret = (struct zip){.p = b, .n = at, .directory = offset, .n_members = n_members};
            return 0;
        }
        if (at == least)
            return ZIP_DAMAGED;
    }
}

/* locate - where the member's packed bytes begin: after the local header, whose own lengths count */
static int locate(const struct zip *z, uint32_t offset, struct zip_member *m)
{
    struct cursor c = cursor_over(z->p, z->n);
    cursor_skip(&c, offset);
    const uint8_t *h = cursor_take(&c, LOCAL_BYTES);
    if (!h || load_le32(h) != 0x04034b50)
        return ZIP_DAMAGED;
    cursor_skip(&c, (size_t)load_le16(h + 26) + load_le16(h + 28));
    m->packed = cursor_take(&c, m->n_packed);
    return m->packed ? 0 : ZIP_DAMAGED;
}

int zip_each(const struct zip *z, int (*each)(void *context, const struct zip_member *m), void *context)
{
    struct cursor c = cursor_over(z->p + z->directory, z->n - z->directory);
    for (uint32_t i = 0; i < z->n_members; i++) {
        const uint8_t *h = cursor_take(&c, DIRECTORY_BYTES);
        if (!h || load_le32(h) != 0x02014b50)
            return ZIP_DAMAGED;
        struct zip_member m = {.method = load_le16(h + 10), .crc = load_le32(h + 16), .n_packed = load_le32(h + 20),
                               .n_unpacked = load_le32(h + 24), .is_encrypted = load_le16(h + 8) & 1};
        m.name.n = load_le16(h + 28);
        m.name.p = (const char *)cursor_take(&c, m.name.n);
        cursor_skip(&c, (size_t)load_le16(h + 30) + load_le16(h + 32));
        if (c.is_bad)
            return ZIP_DAMAGED;
        int r = locate(z, load_le32(h + 42), &m);
        if (!r)
            r = each(context, &m);
        if (r)
            return r;
    }
    return 0;
}

struct output {
    uint64_t n, max;
    uint32_t crc;
    int (*each)(void *context, const uint8_t *p, size_t n);
    void *context;
};

static int put(struct output *o, const struct zip_member *m, const uint8_t *p, size_t n)
{
    o->n += n;
    if (o->n > o->max || (o->n > ZIP_FREE_BYTES && o->n / ZIP_MAX_RATIO > m->n_packed))
        return ZIP_TOO_LARGE;
    o->crc = (uint32_t)crc32(o->crc, p, (uInt)n);
    return n ? o->each(o->context, p, n) : 0;
}

static int unpack_deflated(const struct zip_member *m, struct output *o)
{
    uint8_t piece[16384];
    z_stream s = {.next_in = Z_NULL};
    uint64_t at = 0;
    int r = 0, zr = Z_OK;
    if (inflateInit2(&s, -15) != Z_OK)
        return -ENOMEM;
    while (!r && zr != Z_STREAM_END) {
        if (!s.avail_in && at < m->n_packed) {
            uint64_t n = m->n_packed - at < ((uint64_t)1 << 20) ? m->n_packed - at : (uint64_t)1 << 20;
            memcpy(&s.next_in, &(const uint8_t *){m->packed + at}, sizeof(s.next_in)); /* zlib's pointer is not const */
            s.avail_in = (uInt)n;
            at += n;
        }
        s.next_out = piece;
        s.avail_out = sizeof(piece);
        zr = inflate(&s, Z_NO_FLUSH);
        size_t n = sizeof(piece) - s.avail_out;
        if (zr == Z_MEM_ERROR)
            r = -ENOMEM;
        else if (zr != Z_OK && zr != Z_STREAM_END)
            r = ZIP_DAMAGED; /* also when the packed bytes end too early */
        else
            r = put(o, m, piece, n);
    }
    inflateEnd(&s);
    return r;
}

int zip_unpack(const struct zip_member *m, uint64_t max_bytes, bool ignore_crc, int (*each)(void *context, const uint8_t *p, size_t n),
               void *context)
{
    struct output o = {.max = max_bytes, .each = each, .context = context};
    int r = 0;
    if (m->is_encrypted)
        return ZIP_ENCRYPTED;
    if (m->method == 8)
        r = unpack_deflated(m, &o);
    else if (m->method)
        return ZIP_DAMAGED;
    for (uint64_t at = 0; !m->method && !r && at < m->n_packed; at += 65536)
        r = put(&o, m, m->packed + at, m->n_packed - at < 65536 ? (size_t)(m->n_packed - at) : 65536);
    return r || ignore_crc || o.crc == m->crc ? r : ZIP_DAMAGED;
}
