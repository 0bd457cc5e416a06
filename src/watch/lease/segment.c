/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding: the directory says which blocks may hold the address, and which of them the time; within a block the rows of an
 * address stand together. Nothing is unpacked but what decides, until a row is wanted.
 */
#include "watch/lease/segment_inside.h"

#include "base/cursor.h"
#include "base/file.h"
#include "watch/store/checksum.h"
#include "watch/store/resident.h"
#include "watch/store/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct lease_segment {
    const uint8_t *p; /* the mapping */
    size_t mapped_bytes;
    struct lease_header header;
    struct lease_segment_info info;
    struct sealed body;
    const struct lease_block_entry *blocks;
    const uint8_t *text_ends, *texts;
    const struct lease_hour *hours;
};

/* --- opening ------------------------------------------------------------------------------------------- */

static bool are_places_sane(const struct lease_header *h, uint64_t n_bytes)
{
    uint64_t rest = n_bytes - LEASE_HEADER_BYTES;
    if (h->body_bytes > rest || rest - h->body_bytes != sealed_pieces(h->body_bytes) * 8)
        return false;
    if (h->blocks_at > h->text_ends_at || h->text_ends_at > h->texts_at || h->texts_at > h->hours_at || h->hours_at > h->body_bytes ||
        (h->blocks_at | h->hours_at) % 8 || h->n_hours > h->body_bytes / sizeof(struct lease_hour))
        return false;
    return h->n_rows <= LEASE_ROWS_MAX && h->n_blocks == (h->n_rows + LEASE_BLOCK_ROWS - 1) / LEASE_BLOCK_ROWS && h->n_texts >= 1 &&
           h->text_ends_at - h->blocks_at == (uint64_t)h->n_blocks * sizeof(struct lease_block_entry) &&
           h->texts_at - h->text_ends_at == (uint64_t)h->n_texts * 4 &&
           h->body_bytes - h->hours_at == h->n_hours * sizeof(struct lease_hour);
}

static int check_header(const struct lease_header *h, uint64_t id, uint64_t n_bytes, struct fault *f)
{
    const char *wrong = NULL;
    if (memcmp(h->magic, LEASE_MAGIC, sizeof(h->magic)) || h->byte_order != LEASE_BYTE_ORDER)
        wrong = "magic";
    else if (h->major > LEASE_SEGMENT_MAJOR)
        return FAULT(f, -EPROTO, segment_newer, (unsigned long long)id, h->major, LEASE_SEGMENT_MAJOR);
    else if (checksum(h, offsetof(struct lease_header, checksum)) != h->checksum)
        wrong = "checksum";
    else if (h->id != id)
        wrong = "id";
    else if (!are_places_sane(h, n_bytes))
        wrong = "size";
    return wrong ? FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, wrong) : 0;
}

static bool are_blocks_sane(const struct lease_segment *s)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < s->header.n_blocks; i++) {
        if (s->blocks[i].offset < before || s->blocks[i].offset > s->header.blocks_at ||
            (i && ip_compare(&s->blocks[i - 1].first, &s->blocks[i].first) > 0))
            return false;
        before = s->blocks[i].offset;
    }
    return true;
}

static bool are_texts_sane(const struct lease_segment *s)
{
    uint64_t n_bytes = s->header.hours_at - s->header.texts_at;
    uint32_t before = 0;
    for (uint32_t i = 0; i < s->header.n_texts; i++) {
        uint32_t end = load_le32(s->text_ends + (size_t)i * 4);
        if (end < before || end > n_bytes)
            return false;
        before = end;
    }
    return true;
}

static int open_sections(struct lease_segment *s, struct fault *f)
{
    const struct lease_header *h = &s->header;
    int r = sealed_init(&s->body, s->p + LEASE_HEADER_BYTES, h->body_bytes, s->p + LEASE_HEADER_BYTES + h->body_bytes);
    if (r)
        return FAULT(f, r, store_no_memory, LEASE_MAGIC);
    const uint8_t *p = sealed_get(&s->body, h->blocks_at, h->body_bytes - h->blocks_at);
    if (!p)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)h->id, "checksum");
    s->blocks = (const void *)p;
    s->text_ends = p + (h->text_ends_at - h->blocks_at);
    s->texts = p + (h->texts_at - h->blocks_at);
    s->hours = (const void *)(p + (h->hours_at - h->blocks_at));
    if (!are_blocks_sane(s) || !are_texts_sane(s))
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)h->id, "directory");
    return 0;
}

static int map(struct lease_segment *s, int fd, uint64_t id, struct fault *f)
{
    struct stat st;
    if (fstat(fd, &st))
        return FAULT(f, -errno, segment_bad_header, (unsigned long long)id, "stat");
    if (st.st_size < (off_t)LEASE_HEADER_BYTES)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "size");
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return FAULT(f, -errno, segment_bad_header, (unsigned long long)id, "mmap");
    s->p = p;
    s->mapped_bytes = (size_t)st.st_size;
    resident_map(s->p, s->mapped_bytes, st.st_uid);
    memcpy(&s->header, s->p, sizeof(s->header));
    return check_header(&s->header, id, s->mapped_bytes, f);
}

int lease_segment_open(int dir_fd, const char *name, uint64_t id, struct lease_segment **ret, struct fault *f)
{
    _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAULT(f, -errno, store_read_failed, name, strerrordesc_np(errno));
    return lease_segment_open_fd(fd, name, id, ret, f);
}

int lease_segment_open_fd(int fd, const char *name, uint64_t id, struct lease_segment **ret, struct fault *f)
{
    struct lease_segment *s = calloc(1, sizeof(*s));
    if (!s)
        return FAULT(f, -ENOMEM, store_no_memory, name);
    int r = map(s, fd, id, f);
    if (!r)
        r = open_sections(s, f);
    if (r) {
        lease_segment_close(s);
        return r;
    }
    const struct lease_header *h = &s->header;
    s->info = (struct lease_segment_info){.id = id, .n_rows = h->n_rows, .n_bytes = s->mapped_bytes, .begin_min_us = h->begin_min_us,
                                          .begin_max_us = h->begin_max_us, .end_max_us = h->end_max_us};
    *ret = s;
    return 0;
}

void lease_segment_close(struct lease_segment *s)
{
    if (!s)
        return;
    sealed_fini(&s->body);
    if (s->p)
        munmap((void *)(uintptr_t)s->p, s->mapped_bytes);
    free(s);
}

const struct lease_segment_info *lease_segment_info(const struct lease_segment *s)
{
    return &s->info;
}

uint32_t lease_segment_n_texts(const struct lease_segment *s)
{
    return s->header.n_texts;
}

struct text lease_segment_text(const struct lease_segment *s, uint32_t number)
{
    if (!number || number >= s->header.n_texts)
        return (struct text){"", 0};
    uint32_t from = load_le32(s->text_ends + (size_t)(number - 1) * 4), end = load_le32(s->text_ends + (size_t)number * 4);
    return (struct text){(const char *)s->texts + from, end - from};
}

const struct lease_hour *lease_segment_hours(const struct lease_segment *s, size_t *ret_n)
{
    *ret_n = s->header.n_hours;
    return s->hours;
}

uint32_t lease_segment_n_blocks(const struct lease_segment *s)
{
    return s->header.n_blocks;
}

/* --- blocks ----------------------------------------------------------------------------------------------- */

struct block {
    const uint8_t *p;   /* the table of ends; the columns follow */
    size_t n_bytes;     /* of the columns */
    uint32_t n;         /* rows */
};

static int get_block(const struct lease_segment *s, uint32_t i, struct block *ret)
{
    uint64_t from = s->blocks[i].offset, end = i + 1 < s->header.n_blocks ? s->blocks[i + 1].offset : s->header.blocks_at;
    const size_t table = LEASE_N_COLUMNS * 4;
    if (end - from < table)
        return -EBADMSG;
    ret->p = sealed_get(&s->body, from, end - from);
    ret->n_bytes = end - from - table;
    ret->n = i + 1 < s->header.n_blocks ? LEASE_BLOCK_ROWS : (uint32_t)(s->header.n_rows - (uint64_t)i * LEASE_BLOCK_ROWS);
    return ret->p ? 0 : -EBADMSG;
}

static int get_column(const struct block *b, enum lease_column c, const uint8_t **ret, size_t *ret_n)
{
    uint32_t from = c ? load_le32(b->p + (size_t)(c - 1) * 4) : 0, end = load_le32(b->p + (size_t)c * 4);
    if (from > end || end > b->n_bytes)
        return -EBADMSG;
    *ret = b->p + LEASE_N_COLUMNS * 4 + from;
    *ret_n = end - from;
    return 0;
}

static int unpack_column(const struct block *b, enum lease_column c, uint64_t out[LEASE_BLOCK_ROWS])
{
    const uint8_t *p;
    size_t n;
    int r = get_column(b, c, &p, &n);
    return r ? r : unpack_mini64(p, n, b->n, out);
}

static int get_value(const struct block *b, enum lease_column c, uint32_t row, uint64_t *ret)
{
    const uint8_t *p;
    size_t n;
    int r = get_column(b, c, &p, &n);
    return r ? r : unpack_mini_get(p, n, b->n, row, ret);
}

/* row_of - Return: 0, or -EBADMSG when the values are none that a writer writes. */
static int row_of(const uint64_t v[LEASE_N_COLUMNS], struct lease *l)
{
    uint64_t bits = v[LEASE_BITS];
    int64_t begin = (int64_t)v[LEASE_BEGIN], end;
    if (__builtin_add_overflow(begin, (int64_t)v[LEASE_SPAN], &end) || v[LEASE_PORT] > UINT16_MAX || v[LEASE_PORTS] > UINT16_MAX)
        return -EBADMSG;
    *l = (struct lease){
        .outside = lease_ip_of(v[LEASE_HIGH], v[LEASE_LOW]), .inside = lease_ip_of(v[LEASE_INSIDE_HIGH], v[LEASE_INSIDE_LOW]),
        .from_us = bits & LEASE_NO_FROM ? LEASE_UNKNOWN : begin, .to_us = bits & LEASE_NO_TO ? LEASE_UNKNOWN : end,
        .port_first = (uint16_t)v[LEASE_PORT], .port_last = (uint16_t)(v[LEASE_PORT] + v[LEASE_PORTS]),
        .inside_port = (uint16_t)v[LEASE_INSIDE_PORT], .kind = (uint8_t)bits, .protocol = (uint8_t)(bits >> 8),
        .flags = (uint8_t)(bits >> 16), .prefix = (uint8_t)(128 - (bits >> 32 & 255)), .mac = v[LEASE_MAC],
        .gateway = (uint32_t)v[LEASE_GATEWAY], .realm = (uint32_t)v[LEASE_REALM],
        .source = (uint32_t)v[LEASE_SOURCE], .subscriber = (uint32_t)v[LEASE_SUBSCRIBER], .host = (uint32_t)v[LEASE_HOST],
    };
    return lease_is_sane(l) ? 0 : -EBADMSG;
}

int lease_segment_block(const struct lease_segment *s, uint32_t i, struct lease rows[LEASE_BLOCK_ROWS], uint32_t *ret_n)
{
    struct block b;
    uint64_t columns[LEASE_N_COLUMNS][LEASE_BLOCK_ROWS], v[LEASE_N_COLUMNS];
    int r = get_block(s, i, &b);
    for (unsigned c = 0; !r && c < LEASE_N_COLUMNS; c++)
        r = unpack_column(&b, (enum lease_column)c, columns[c]);
    for (uint32_t row = 0; !r && row < b.n; row++) {
        for (unsigned c = 0; c < LEASE_N_COLUMNS; c++)
            v[c] = columns[c][row];
        r = row_of(v, &rows[row]);
    }
    if (!r)
        *ret_n = b.n;
    return r;
}

int lease_segment_count_older(const struct lease_segment *s, int64_t before_us, bool is_any, uint64_t *ret_n)
{
    int r = 0;
    *ret_n = 0;
    struct lease *rows = malloc(LEASE_BLOCK_ROWS * sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    for (uint32_t b = 0; !r && b < s->header.n_blocks && !(is_any && *ret_n); b++) {
        uint32_t n = 0;
        if (s->blocks[b].begin_min_us >= before_us) /* INT64_MIN where a row has no begin */
            continue;
        r = lease_segment_block(s, b, rows, &n);
        for (uint32_t i = 0; i < n; i++)
            *ret_n += lease_told_us(&rows[i]) < before_us;
    }
    free(rows);
    return r;
}

/* --- finding ------------------------------------------------------------------------------------------------ */

/* first_block - the first that may hold rows of @a: the one before the first that begins at or behind it. */
static uint32_t first_block(const struct lease_segment *s, const struct ip *a)
{
    uint32_t low = 0, high = s->header.n_blocks;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ip_compare(&s->blocks[middle].first, a) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : 0;
}

static int read_block(const struct lease_segment *s, struct lease_reader *r, uint32_t i, const struct block *b)
{
    if (r->segment == s && r->block == i)
        return 0;
    r->segment = NULL;
    int rc = unpack_column(b, LEASE_BEGIN, r->begin);
    if (!rc)
        rc = unpack_column(b, LEASE_SPAN, r->span);
    if (!rc)
        rc = unpack_column(b, LEASE_BITS, r->bits);
    if (rc)
        return rc;
    r->segment = s;
    r->block = i;
    r->n = b->n;
    return 0;
}

/* rows_of - the rows of block @b whose address is (high, low): from *ret_from up to *ret_end. */
static int rows_of(const struct block *b, uint64_t high, uint64_t low, uint32_t *ret_from, uint32_t *ret_end)
{
    uint32_t from = 0, to = b->n;
    for (unsigned behind = 0; behind < 2; behind++) {
        to = b->n;
        while (from < to) {
            uint32_t middle = from + (to - from) / 2;
            uint64_t h, l;
            int rc = get_value(b, LEASE_HIGH, middle, &h);
            if (!rc)
                rc = get_value(b, LEASE_LOW, middle, &l);
            if (rc)
                return rc;
            bool is_before = h < high || (h == high && (l < low || (behind && l == low)));
            from = is_before ? middle + 1 : from;
            to = is_before ? to : middle;
        }
        *(behind ? ret_end : ret_from) = from;
    }
    return 0;
}

static bool may_touch(const struct lease_reader *r, uint32_t i, int64_t since_us, int64_t until_us)
{
    int64_t begin = (int64_t)r->begin[i];
    if (!(r->bits[i] & LEASE_NO_FROM) && begin > until_us)
        return false;
    if (r->bits[i] & LEASE_NO_TO)
        return true;
    return (int64_t)(r->begin[i] + r->span[i]) >= since_us;
}

struct wanted {
    const struct lease_segment *s;
    struct lease_reader *r;
    uint64_t high, low, prefix;
    int32_t port;
    int64_t since_us, until_us;
    int (*each)(void *context, const struct lease_segment *s, const struct lease *l);
    void *context;
};

/* is_near - by time and prefix; nothing is prepared for the many rows that are not. */
static bool is_near(const struct wanted *w, uint32_t row)
{
    return 128 - (w->r->bits[row] >> 32 & 255) == w->prefix && may_touch(w->r, row, w->since_us, w->until_us);
}

/* visit_row - one that is near, if it is wanted; what decides soonest comes first. */
static int visit_row(const struct wanted *w, const struct block *b, uint32_t row)
{
    const struct lease_reader *r = w->r;
    uint64_t v[LEASE_N_COLUMNS] = {[LEASE_HIGH] = w->high, [LEASE_LOW] = w->low, [LEASE_BEGIN] = r->begin[row],
                                   [LEASE_SPAN] = r->span[row], [LEASE_BITS] = r->bits[row]};
    struct lease l;
    int rc = get_value(b, LEASE_PORT, row, &v[LEASE_PORT]);
    if (!rc)
        rc = get_value(b, LEASE_PORTS, row, &v[LEASE_PORTS]);
    if (!rc && w->port >= 0 && ((uint64_t)w->port < v[LEASE_PORT] || (uint64_t)w->port - v[LEASE_PORT] > v[LEASE_PORTS]))
        return 0;
    for (unsigned c = LEASE_PORTS + 1; !rc && c < LEASE_N_COLUMNS; c++)
        rc = get_value(b, (enum lease_column)c, row, &v[c]);
    if (!rc)
        rc = row_of(v, &l);
    return rc ? rc : w->each(w->context, w->s, &l);
}

static int visit_block(const struct wanted *w, const struct ip *base, uint32_t i)
{
    const struct lease_block_entry *e = &w->s->blocks[i];
    struct block b;
    uint32_t from = 0, end = LEASE_BLOCK_ROWS;
    bool is_whole = i + 1 < w->s->header.n_blocks && ip_equal(&e[0].first, base) && ip_equal(&e[1].first, base);
    int rc = get_block(w->s, i, &b);
    if (!rc && !is_whole)
        rc = rows_of(&b, w->high, w->low, &from, &end);
    if (rc || from == end)
        return rc;
    rc = read_block(w->s, w->r, i, &b);
    for (uint32_t row = from; !rc && row < end; row++)
        if (is_near(w, row))
            rc = visit_row(w, &b, row);
    return rc;
}

/* visit_prefix - rows whose first @prefix bits are those of @outside, and count. */
static int visit_prefix(struct wanted *w, const struct ip *outside, unsigned prefix)
{
    const struct lease_segment *s = w->s;
    struct ip base = prefix == 128 ? *outside : lease_mask(outside, prefix);
    w->high = lease_ip_high(&base);
    w->low = lease_ip_low(&base);
    w->prefix = prefix;
    for (uint32_t i = first_block(s, &base); i < s->header.n_blocks; i++) {
        const struct lease_block_entry *e = &s->blocks[i];
        if (ip_compare(&e->first, &base) > 0)
            break;
        if (e->begin_min_us > w->until_us || e->end_max_us < w->since_us)
            continue;
        int rc = visit_block(w, &base, i);
        if (rc)
            return rc;
    }
    return 0;
}

int lease_segment_visit(const struct lease_segment *s, struct lease_reader *r, const struct ip *outside, int32_t port,
                        int64_t since_us, int64_t until_us,
                        int (*each)(void *context, const struct lease_segment *s, const struct lease *l), void *context)
{
    const struct lease_header *h = &s->header;
    struct wanted w = {.s = s, .r = r, .port = port, .since_us = since_us, .until_us = until_us, .each = each, .context = context};
    if (h->begin_min_us > until_us || h->end_max_us < since_us)
        return 0;
    for (unsigned word = 3; word--;)
        for (uint64_t left = h->prefixes[word]; left; left &= ~(UINT64_C(1) << (63 - __builtin_clzll(left)))) {
            int rc = visit_prefix(&w, outside, word * 64 + 63 - (unsigned)__builtin_clzll(left));
            if (rc)
                return rc;
        }
    return 0;
}
