/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: header, then one sealed area (members, heads, groups, body, member sets), then its checksums.
 * Member sets are kept like postings, a member in the place of a block.
 *
 * Writing walks the address space in windows that hold a few thousand entries of all members together:
 * collect, sort in the cache, give out. Windows are cut at heads of the members' own groups.
 */
#include "watch/store/merged.h"

#include "base/file.h"
#include "watch/store/checksum.h"
#include "watch/store/pairs.h"
#include "watch/store/resident.h"
#include "watch/store/segment_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MERGED_MAGIC "VGMERGED"
#define MERGED_MAJOR 2u
#define MERGED_MINOR 0u
#define MERGED_HEADER_BYTES 512u /* zero-padded to a page; version 1: followed at once by the area */
#define MERGED_PART_MAX ((size_t)1 << 36)

enum part { PART_MEMBERS, PART_HEADS, PART_GROUPS, PART_BODY, PART_SET_GROUPS, PART_SETS, N_PARTS };

struct merged_header {
    char magic[8];
    uint16_t major, minor;
    uint32_t byte_order;
    uint64_t id;
    uint32_t family, n_members;
    uint64_t n_entries, n_bytes, area_bytes, checksums_checksum;
    struct segment_place parts[N_PARTS];
    uint64_t checksum; /* XXH3 of all before */
};
_Static_assert(DICTIONARY_GROUP4 <= 4096, "what a group finds has room");
_Static_assert(sizeof(struct merged_header) == 64 + N_PARTS * 16 + 8, "stored as it is");

struct merged {
    const uint8_t *p;
    size_t n_bytes;
    struct merged_header header;
    struct sealed area;
    struct dictionary dictionary;
    struct postings sets;
    uint64_t members[MERGED_MEMBERS];
};

/* --- writing: windows -------------------------------------------------------------------- */

enum { WINDOW_GROUPS = 64 };

/* where the walk through one member's dictionary stands */
struct member {
    const struct dictionary *d;
    uint64_t next_group;
    uint32_t at, n; /* entries at..n-1 of the open group are still to come */
    union {
        uint32_t v4[DICTIONARY_GROUP4];
        struct wide v6[DICTIONARY_GROUP6];
    };
};

struct merger {
    int family;
    size_t n_members;
    struct member *members;
    struct wide *cuts; /* sorted heads of all groups of all members (family 4: in `low`) */
    size_t n_cuts;
    void *pairs, *spare;
    size_t n, capacity;
    uint64_t n_entries;
    struct buf parts[N_PARTS];
    uint32_t n_open; /* entries of the open group */
    union {
        uint32_t v4[DICTIONARY_GROUP4];
        struct wide v6[DICTIONARY_GROUP6];
    } open;
    struct postings_writer sets;
};

static int compare_wide(const void *a, const void *b)
{
    struct wide x = *(const struct wide *)a, y = *(const struct wide *)b;
    return wide_less(x, y) ? -1 : wide_less(y, x);
}

static struct wide load_head(const struct dictionary *d, uint64_t g, bool *is_bad)
{
    size_t size = d->family == 4 ? 4 : 16;
    const uint8_t *p = sealed_get(d->area, d->heads + g * size, size);
    *is_bad |= !p;
    if (!p)
        return (struct wide){0, 0};
    if (d->family == 4) {
        uint32_t v;
        memcpy(&v, p, 4);
        return (struct wide){0, v};
    }
    struct ip a = ip_from_v6(p);
    return wide_of(&a);
}

static int make_cuts(struct merger *m)
{
    bool is_bad = false;
    size_t n = 0;
    for (size_t i = 0; i < m->n_members; i++)
        n += dictionary_n_groups(m->family, m->members[i].d->n);
    m->cuts = malloc((n + 1) * sizeof(*m->cuts));
    if (!m->cuts)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_members; i++)
        for (uint64_t g = 0; g < dictionary_n_groups(m->family, m->members[i].d->n); g++)
            m->cuts[m->n_cuts++] = load_head(m->members[i].d, g, &is_bad);
    qsort(m->cuts, m->n_cuts, sizeof(*m->cuts), compare_wide);
    return is_bad ? -EBADMSG : 0;
}

static int open_group(struct merger *m, struct member *x)
{
    x->at = x->n = 0;
    if (x->next_group == dictionary_n_groups(m->family, x->d->n))
        return 0;
    if (m->family == 4)
        return dictionary_read4(x->d, x->next_group++, x->v4, &x->n);
    return dictionary_read6(x->d, x->next_group++, x->v6, &x->n);
}

static int room_for_pairs(struct merger *m, size_t n)
{
    size_t size = m->family == 4 ? sizeof(uint64_t) : sizeof(struct wide_pair);
    if (m->n + n <= m->capacity)
        return 0;
    size_t capacity = (m->n + n) * 2;
    void *p = realloc(m->pairs, capacity * size);
    if (!p)
        return -ENOMEM;
    m->pairs = p;
    free(m->spare);
    m->spare = malloc(capacity * size);
    m->capacity = m->spare ? capacity : 0;
    return m->spare ? 0 : -ENOMEM;
}

/* collect4 - the member's entries of the open group below @end. */
static void collect4(struct merger *m, struct member *x, uint32_t i, struct wide end)
{
    uint64_t *out = (uint64_t *)m->pairs + m->n;
    uint32_t at = x->at;
    for (; at < x->n && x->v4[at] < end.low; at++)
        *out++ = (uint64_t)x->v4[at] << 32 | i;
    m->n += at - x->at;
    x->at = at;
}

static void collect6(struct merger *m, struct member *x, uint32_t i, struct wide end, bool is_last)
{
    struct wide_pair *out = (struct wide_pair *)m->pairs + m->n;
    uint32_t at = x->at;
    for (; at < x->n && (is_last || wide_less(x->v6[at], end)); at++)
        *out++ = (struct wide_pair){.a = x->v6[at], .what = i};
    m->n += at - x->at;
    x->at = at;
}

/* collect - all members' entries below @end. */
static int collect(struct merger *m, struct wide end, bool is_last)
{
    m->n = 0;
    for (uint32_t i = 0; i < m->n_members; i++) {
        struct member *x = &m->members[i];
        for (;;) {
            if (x->at == x->n) {
                int r = open_group(m, x);
                if (r)
                    return r;
                if (!x->n)
                    break;
            }
            if (room_for_pairs(m, x->n - x->at))
                return -ENOMEM;
            if (m->family == 4)
                collect4(m, x, i, end);
            else
                collect6(m, x, i, end, is_last);
            if (x->at < x->n)
                break;
        }
    }
    return 0;
}

static void close_group(struct merger *m)
{
    if (m->family == 4)
        dictionary_add4(m->open.v4, m->n_open, &m->parts[PART_HEADS], &m->parts[PART_GROUPS], &m->parts[PART_BODY]);
    else
        dictionary_add6(m->open.v6, m->n_open, &m->parts[PART_HEADS], &m->parts[PART_GROUPS], &m->parts[PART_BODY]);
    m->n_open = 0;
}

static bool is_same(const struct merger *m, size_t i, size_t k)
{
    if (m->family == 4)
        return ((const uint64_t *)m->pairs)[i] >> 32 == ((const uint64_t *)m->pairs)[k] >> 32;
    const struct wide_pair *p = m->pairs;
    return p[i].a.high == p[k].a.high && p[i].a.low == p[k].a.low;
}

/* give_out - the sorted window becomes entries. A member that names an address twice is damaged. */
static int give_out(struct merger *m)
{
    uint16_t members[MERGED_MEMBERS];
    for (size_t i = 0; i < m->n;) {
        size_t first = i;
        uint32_t n = 0;
        if (m->family == 4)
            m->open.v4[m->n_open++] = (uint32_t)(((const uint64_t *)m->pairs)[i] >> 32);
        else
            m->open.v6[m->n_open++] = ((const struct wide_pair *)m->pairs)[i].a;
        for (; i < m->n && is_same(m, i, first); i++) {
            uint32_t member = m->family == 4 ? (uint32_t)((const uint64_t *)m->pairs)[i]
                                             : (uint32_t)((const struct wide_pair *)m->pairs)[i].what;
            if (n == m->n_members || (n && member <= members[n - 1]))
                return -EBADMSG;
            members[n++] = (uint16_t)member;
        }
        postings_add(&m->sets, members, n);
        m->n_entries++;
        if (m->n_open == dictionary_group(m->family))
            close_group(m);
    }
    return 0;
}

static int merge_window(struct merger *m, struct wide end, bool is_last)
{
    int r = collect(m, end, is_last);
    if (r)
        return r;
    if (m->family == 4)
        pairs_sort4((uint64_t **)&m->pairs, (uint64_t **)&m->spare, m->n);
    else
        pairs_sort6((struct wide_pair **)&m->pairs, (struct wide_pair **)&m->spare, m->n);
    return give_out(m);
}

static int merge_all(struct merger *m)
{
    static const struct wide beyond4 = {0, UINT64_C(1) << 32};
    int r = make_cuts(m);
    for (size_t at = WINDOW_GROUPS; !r && at < m->n_cuts; at += WINDOW_GROUPS)
        r = merge_window(m, m->cuts[at], false);
    if (!r)
        r = merge_window(m, beyond4, true);
    if (r)
        return r;
    if (m->n_open)
        close_group(m);
    r = postings_end(&m->sets);
    for (unsigned i = 0; i < N_PARTS; i++)
        if (m->parts[i].is_bad)
            r = -ENOMEM;
    return r;
}

/* --- writing: the file ---------------------------------------------------------------------- */

static int write_at(int fd, const uint8_t *p, size_t n, uint64_t at)
{
    int r = file_step("write dictionary");
    return r ? r : file_pwrite_full(fd, p, n, at);
}

static int write_file(struct merger *m, uint64_t id, int fd, uint64_t *ret_n_bytes)
{
    static const uint8_t zeros[8];
    struct merged_header h = {.major = MERGED_MAJOR, .minor = MERGED_MINOR, .byte_order = SEGMENT_BYTE_ORDER, .id = id,
                              .family = (uint32_t)m->family, .n_members = (uint32_t)m->n_members,
                              .n_entries = m->n_entries};
    struct buf area = {.max = MERGED_PART_MAX};
    uint8_t page[SEALED_PAGE] = {0};
    for (unsigned i = 0; i < N_PARTS; i++) {
        buf_add(&area, zeros, -area.n & 7);
        h.parts[i] = (struct segment_place){area.n, m->parts[i].n};
        if (m->parts[i].n)
            buf_add(&area, m->parts[i].p, m->parts[i].n);
        buf_fini(&m->parts[i]);
    }
    h.area_bytes = area.n;
    size_t n_checksums = sealed_pieces_of(area.n, SEALED_PAGE) * 8;
    uint8_t *p = buf_room(&area, n_checksums);
    if (!p) {
        buf_fini(&area);
        return -ENOMEM;
    }
    sealed_write_page_checksums(area.p, area.n, p);
    h.checksums_checksum = checksum(p, n_checksums);
    h.n_bytes = sizeof(page) + area.n + n_checksums;
    memcpy(h.magic, MERGED_MAGIC, sizeof(h.magic));
    h.checksum = checksum(&h, offsetof(struct merged_header, checksum));
    memcpy(page, &h, sizeof(h));
    int r = write_at(fd, area.p, area.n + n_checksums, sizeof(page));
    if (!r)
        r = write_at(fd, page, sizeof(page), 0);
    buf_fini(&area);
    *ret_n_bytes = h.n_bytes;
    return r;
}

static void fini_merger(struct merger *m)
{
    for (unsigned i = 0; i < N_PARTS; i++)
        buf_fini(&m->parts[i]);
    buf_fini(&m->sets.longs);
    free(m->members);
    free(m->cuts);
    free(m->pairs);
    free(m->spare);
    free(m);
}

int merged_write(struct segment *const *segments, size_t n, uint64_t id, int fd, uint64_t *ret_n_bytes, struct fault *f)
{
    int family = n ? segments[0]->info.family : 0;
    for (size_t i = 0; i < n; i++)
        if (segments[i]->info.family != family)
            n = 0;
    if (n < 1 || n > MERGED_MEMBERS)
        return FAULT(f, -EINVAL, merged_mixed, (unsigned long long)id, (unsigned long long)n, MERGED_MEMBERS);
    struct merger *m = calloc(1, sizeof(*m));
    if (m)
        m->members = calloc(n, sizeof(*m->members));
    int r = m && m->members ? 0 : -ENOMEM;
    if (!r) {
        m->family = family;
        m->n_members = n;
        for (unsigned i = 0; i < N_PARTS; i++)
            m->parts[i].max = MERGED_PART_MAX;
        for (size_t i = 0; i < n; i++) {
            m->members[i].d = &segments[i]->dictionary;
            buf_add(&m->parts[PART_MEMBERS], &segments[i]->info.id, 8);
        }
        postings_writer_init(&m->sets, (uint32_t)n, &m->parts[PART_SET_GROUPS], &m->parts[PART_SETS]);
        r = merge_all(m);
    }
    if (!r)
        r = write_file(m, id, fd, ret_n_bytes);
    if (m)
        fini_merger(m);
    if (r == -ENOMEM)
        return FAULT(f, r, segment_no_memory, (unsigned long long)id, 0ull);
    if (r == -EBADMSG)
        return FAULT(f, r, merged_bad, (unsigned long long)id, "segment");
    if (r)
        return FAULT(f, r, segment_io, (unsigned long long)id, "write", strerror(-r));
    return 0;
}

/* --- reading ----------------------------------------------------------------------------------- */

/* area_at - where it begins in the file. */
static size_t area_at(const struct merged_header *h)
{
    return h->major < 2 ? MERGED_HEADER_BYTES : SEALED_PAGE;
}

/* checksums_bytes - of the area: one a page, in version 1 one a larger piece. */
static size_t checksums_bytes(const struct merged_header *h)
{
    return sealed_pieces_of(h->area_bytes, h->major < 2 ? SEALED_PIECE : SEALED_PAGE) * 8;
}

static const char *check_header(const struct merged_header *h, uint64_t id, size_t n_bytes)
{
    if (memcmp(h->magic, MERGED_MAGIC, sizeof(h->magic)) || h->byte_order != SEGMENT_BYTE_ORDER)
        return "magic";
    if (h->major > MERGED_MAJOR)
        return "version";
    if (checksum(h, offsetof(struct merged_header, checksum)) != h->checksum)
        return "checksum";
    if (h->id != id)
        return "id";
    if (h->n_bytes != n_bytes || n_bytes < area_at(h) || h->area_bytes > n_bytes - area_at(h) ||
        n_bytes - area_at(h) - h->area_bytes != checksums_bytes(h))
        return "size";
    if ((h->family != 4 && h->family != 6) || h->n_members < 1 || h->n_members > MERGED_MEMBERS ||
        h->parts[PART_MEMBERS].n_bytes != (uint64_t)h->n_members * 8 || h->n_entries > n_bytes * 8)
        return "counts";
    for (unsigned i = 0; i < N_PARTS; i++)
        if (h->parts[i].offset > h->area_bytes || h->parts[i].n_bytes > h->area_bytes - h->parts[i].offset)
            return "parts";
    return NULL;
}

static const char *open_parts(struct merged *m)
{
    const struct merged_header *h = &m->header;
    const struct segment_place *at = h->parts;
    const uint8_t *area = m->p + area_at(h), *checksums = area + h->area_bytes;
    if (checksum(checksums, checksums_bytes(h)) != h->checksums_checksum)
        return "checksums";
    if (h->major < 2 ? sealed_init(&m->area, area, h->area_bytes, checksums) : sealed_init_pages(&m->area, area, h->area_bytes, checksums))
        return "memory";
    m->dictionary = (struct dictionary){.family = (int)h->family, .n = h->n_entries, .area = &m->area,
                                        .heads = at[PART_HEADS].offset, .groups = at[PART_GROUPS].offset,
                                        .body = at[PART_BODY].offset, .n_body = at[PART_BODY].n_bytes};
    m->sets = (struct postings){.n = h->n_entries, .n_blocks = h->n_members, .area = &m->area,
                                .groups = at[PART_SET_GROUPS].offset, .body = at[PART_SETS].offset,
                                .n_body = at[PART_SETS].n_bytes};
    const uint8_t *members = sealed_get(&m->area, at[PART_MEMBERS].offset, at[PART_MEMBERS].n_bytes);
    if (!members)
        return "members";
    memcpy(m->members, members, at[PART_MEMBERS].n_bytes);
    return dictionary_check(&m->dictionary) || postings_check(&m->sets) ? "parts" : NULL;
}

int merged_open(int fd, uint64_t id, struct merged **ret, struct fault *f)
{
    struct stat st;
    if (fstat(fd, &st))
        return FAULT(f, -errno, segment_io, (unsigned long long)id, "fstat", strerror(errno));
    if (st.st_size < (off_t)MERGED_HEADER_BYTES)
        return FAULT(f, -EBADMSG, merged_bad, (unsigned long long)id, "size");
    struct merged *m = calloc(1, sizeof(*m));
    if (!m)
        return FAULT(f, -ENOMEM, segment_no_memory, (unsigned long long)id, (unsigned long long)sizeof(*m));
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        int e = -errno;
        free(m);
        return FAULT(f, e, segment_io, (unsigned long long)id, "mmap", strerror(-e));
    }
    resident_map(p, (size_t)st.st_size, st.st_uid);
    m->p = p;
    m->n_bytes = (size_t)st.st_size;
    memcpy(&m->header, p, sizeof(m->header));
    const char *wrong = check_header(&m->header, id, m->n_bytes);
    if (!wrong)
        wrong = open_parts(m);
    if (wrong) {
        int code = m->header.major > MERGED_MAJOR ? -EPROTO : -EBADMSG;
        merged_close(m);
        return FAULT(f, code, merged_bad, (unsigned long long)id, wrong);
    }
    *ret = m;
    return 0;
}

void merged_close(struct merged *m)
{
    if (!m)
        return;
    sealed_fini(&m->area);
    munmap((void *)(uintptr_t)m->p, m->n_bytes);
    free(m);
}

size_t merged_n_members(const struct merged *m)
{
    return m->header.n_members;
}

uint64_t merged_member(const struct merged *m, size_t i)
{
    return i < m->header.n_members ? m->members[i] : 0;
}

uint64_t merged_n_entries(const struct merged *m)
{
    return m->header.n_entries;
}

/* --- finding ------------------------------------------------------------------------------------- */

enum { FOUND = 4096 };
_Static_assert(DICTIONARY_GROUP4 <= FOUND && DICTIONARY_GROUP6 <= FOUND, "what a group holds has room");

/* entries wait until there are many, so that the disk is asked for the sets of all of them at once */
struct finder {
    const struct merged *m;
    int (*each)(void *context, const struct ip *a, const uint64_t *members);
    void *context;
    size_t n;
    uint64_t entries[FOUND];
    struct ip addresses[FOUND];
};

static bool place_set(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n)
{
    const struct finder *x = context;
    return postings_place(&x->m->sets, x->entries[i], ret_p, ret_n);
}

static int give_found(struct finder *x)
{
    if (x->n)
        postings_want_table(&x->m->sets, x->entries[0], x->entries[x->n - 1]);
    resident_want_all(x->n, place_set, x);
    for (size_t i = 0; i < x->n; i++) {
        uint64_t members[MERGED_MEMBERS / 64] = {0};
        if (postings_mark(&x->m->sets, x->entries[i], members))
            return -EBADMSG;
        int r = x->each(x->context, &x->addresses[i], members);
        if (r)
            return r;
    }
    x->n = 0;
    return 0;
}

static int take_found(void *context, const uint64_t *entries, const uint32_t *v4, const struct wide *v6, uint32_t n)
{
    struct finder *x = context;
    int r = x->n + n > FOUND ? give_found(x) : 0;
    for (uint32_t i = 0; !r && i < n; i++) {
        x->entries[x->n] = entries[i];
        x->addresses[x->n++] = v4 ? ip_from_v4(v4[i]) : ip_of_wide(v6[i]);
    }
    return r;
}

int merged_find(const struct merged *m, const struct address_set *set,
                int (*each)(void *context, const struct ip *a, const uint64_t *members), void *context)
{
    struct finder *x = malloc(sizeof(*x));
    if (!x)
        return -ENOMEM;
    x->m = m;
    x->each = each;
    x->context = context;
    x->n = 0;
    int r = dictionary_merge(&m->dictionary, set, take_found, x);
    if (!r)
        r = give_found(x);
    free(x);
    return r;
}

bool merged_is_resident(const struct merged *m)
{
    return dictionary_is_resident(&m->dictionary);
}

static bool is_group_ascending(const struct merged *m, uint64_t g, struct wide *last)
{
    uint32_t v4[DICTIONARY_GROUP4], n;
    struct wide v6[DICTIONARY_GROUP6];
    bool is_v4 = m->header.family == 4;
    if (is_v4 ? dictionary_read4(&m->dictionary, g, v4, &n) : dictionary_read6(&m->dictionary, g, v6, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct wide v = is_v4 ? (struct wide){0, v4[i]} : v6[i];
        if ((g || i) && !wide_less(*last, v))
            return false;
        *last = v;
    }
    return true;
}

int merged_verify(const struct merged *m, struct fault *f)
{
    struct wide last = {0, 0};
    uint64_t members[MERGED_MEMBERS / 64] = {0};
    for (size_t at = 0; at < m->area.n_bytes; at += m->area.piece_bytes)
        if (!sealed_get(&m->area, at, 1))
            return FAULT(f, -EBADMSG, merged_bad, (unsigned long long)m->header.id, "checksum");
    for (uint64_t g = 0; g < dictionary_n_groups((int)m->header.family, m->header.n_entries); g++)
        if (!is_group_ascending(m, g, &last))
            return FAULT(f, -EBADMSG, merged_bad, (unsigned long long)m->header.id, "order");
    if (postings_mark_all(&m->sets, 0, m->header.n_entries, members))
        return FAULT(f, -EBADMSG, merged_bad, (unsigned long long)m->header.id, "members");
    return 0;
}
