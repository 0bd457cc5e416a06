/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, the directory, the dictionary and the postings. Nothing is believed before its checksum was right.
 */
#include "watch/store/segment.h"

#include "base/cursor.h"
#include "watch/store/checksum.h"
#include "watch/store/resident.h"
#include "watch/store/segment_builder.h"
#include "watch/store/segment_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- opening ---------------------------------------------------------------------------- */

static bool is_section_inside(const struct segment_header *h, enum segment_section s)
{
    return h->sections[s].offset <= h->index_bytes && h->sections[s].n_bytes <= h->index_bytes - h->sections[s].offset;
}

static bool are_counts_sane(const struct segment_header *h)
{
    uint64_t n_cells = (uint64_t)h->n_columns * h->n_blocks;
    return (h->family == 4 || h->family == 6) && h->n_rows >= 1 && h->n_rows <= SEGMENT_ROWS &&
           h->n_blocks == (h->n_rows + SEGMENT_BLOCK_ROWS - 1) / SEGMENT_BLOCK_ROWS &&
           h->n_entries <= h->n_blocks * BLOCK_ADDRESSES_MAX &&
           h->n_columns == (uint32_t)__builtin_popcountll(h->columns) + 1 &&
           h->sections[SECTION_DIRECTORY].n_bytes == n_cells * sizeof(struct segment_cell) &&
           h->n_observers <= SEGMENT_OBSERVERS_MAX &&
           h->sections[SECTION_OBSERVERS].n_bytes == (uint64_t)h->n_observers * 20;
}

/* checksums_bytes - of the index: one a page, in version 1 one a larger piece. */
static size_t checksums_bytes(const struct segment_header *h)
{
    return sealed_pieces_of(h->index_bytes, h->major < 2 ? SEALED_PIECE : SEALED_PAGE) * 8;
}

static bool are_places_sane(const struct segment_header *h, uint64_t n_bytes)
{
    if (h->n_bytes != n_bytes || h->index_offset < SEGMENT_HEADER_BYTES || h->index_offset > n_bytes ||
        h->index_bytes > n_bytes - h->index_offset ||
        n_bytes - h->index_offset - h->index_bytes != checksums_bytes(h))
        return false;
    for (unsigned s = 0; s < N_SECTIONS; s++)
        if (!is_section_inside(h, s))
            return false;
    return true;
}

static int check_header(const struct segment_header *h, uint64_t id, uint64_t n_bytes, struct fault *f)
{
    if (memcmp(h->magic, SEGMENT_MAGIC, sizeof(h->magic)) || h->byte_order != SEGMENT_BYTE_ORDER)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "magic");
    if (h->major > SEGMENT_MAJOR)
        return FAULT(f, -EPROTO, segment_newer, (unsigned long long)id, h->major, SEGMENT_MAJOR);
    if (checksum(h, offsetof(struct segment_header, checksum)) != h->checksum)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "checksum");
    if (h->columns & ~flow_stored_known())
        return FAULT(f, -EPROTO, segment_newer_columns, (unsigned long long)id);
    if (h->id != id)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "id");
    if (!are_places_sane(h, n_bytes) || !are_counts_sane(h))
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "size");
    return 0;
}

static int load_observers(struct segment *s)
{
    uint32_t n = s->header.n_observers;
    if (!n)
        return 0;
    const struct segment_place *at = &s->header.sections[SECTION_OBSERVERS];
    const uint8_t *p = sealed_get(&s->index, at->offset, at->n_bytes);
    if (!p)
        return -EBADMSG;
    s->observers = malloc(n * sizeof(*s->observers));
    if (!s->observers)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++, p += 20) {
        memcpy(s->observers[i].ip.b, p, 16);
        s->observers[i].domain = load_le32(p + 16);
    }
    return 0;
}

static void place_parts(struct segment *s)
{
    const struct segment_header *h = &s->header;
    const struct segment_place *at = h->sections;
    s->dictionary = (struct dictionary){.family = (int)h->family, .n = h->n_entries, .area = &s->index,
                                        .heads = at[SECTION_HEADS].offset, .groups = at[SECTION_GROUPS].offset,
                                        .body = at[SECTION_BODY].offset, .n_body = at[SECTION_BODY].n_bytes};
    s->postings = (struct postings){.n = h->n_entries, .n_blocks = h->n_blocks, .area = &s->index,
                                    .groups = at[SECTION_POSTING_GROUPS].offset, .body = at[SECTION_POSTINGS].offset,
                                    .n_body = at[SECTION_POSTINGS].n_bytes};
    int8_t next = 0;
    for (unsigned c = 0; c < FLOW_N_COLUMNS; c++)
        s->cell_of[c] = -1;
    for (uint64_t left = h->columns; left; left &= left - 1)
        s->cell_of[flow_stored_column((unsigned)__builtin_ctzll(left))] = next++;
    s->cell_of[SEGMENT_PRESENCE] = next;
    s->info = (struct segment_info){.id = h->id, .family = (int)h->family, .n_rows = h->n_rows,
                                    .n_blocks = h->n_blocks, .n_entries = h->n_entries, .columns = flow_columns_load(h->columns),
                                    .event_min_us = h->event_min_us, .event_max_us = h->event_max_us,
                                    .arrived_min_us = h->arrived_min_us, .arrived_max_us = h->arrived_max_us,
                                    .n_bytes = h->n_bytes, .is_unsealed = s->info.is_unsealed};
}

static int open_parts(struct segment *s, uint64_t id, struct fault *f)
{
    const struct segment_header *h = &s->header;
    const uint8_t *checksums = s->p + h->index_offset + h->index_bytes;
    if (checksum(checksums, checksums_bytes(h)) != h->checksums_checksum)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "checksums");
    s->is_checked = calloc((size_t)h->n_columns * h->n_blocks / 64 + 1, sizeof(*s->is_checked));
    const uint8_t *index = s->p + h->index_offset;
    int r = h->major < 2 ? sealed_init(&s->index, index, h->index_bytes, checksums)
                         : sealed_init_pages(&s->index, index, h->index_bytes, checksums);
    place_parts(s);
    if (!r)
        r = load_observers(s);
    if (r == -ENOMEM || !s->is_checked)
        return FAULT(f, -ENOMEM, segment_no_memory, (unsigned long long)id, (unsigned long long)h->n_blocks * 64);
    if (r)
        return FAULT(f, r, segment_bad_part, (unsigned long long)id, "observers", 0u);
    if (dictionary_check(&s->dictionary) || postings_check(&s->postings))
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "sections");
    return 0;
}

/* --- descriptors: up to half of what the process may have, so that thousands of segments can be open -------------- */

static atomic_uint n_descriptors;

static int keep_descriptor(int fd)
{
    struct rlimit most;
    unsigned limit = getrlimit(RLIMIT_NOFILE, &most) ? 0 : most.rlim_cur > 8192 ? 4096 : (unsigned)most.rlim_cur / 2;
    int kept = -1;
    if (atomic_fetch_add(&n_descriptors, 1) < limit)
        kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (kept < 0)
        atomic_fetch_sub(&n_descriptors, 1);
    return kept;
}

static void drop_descriptor(int fd)
{
    if (fd < 0)
        return;
    close(fd);
    atomic_fetch_sub(&n_descriptors, 1);
}

int segment_open(int fd, uint64_t id, bool is_unsealed, struct segment **ret, struct fault *f)
{
    struct stat st;
    if (fstat(fd, &st))
        return FAULT(f, -errno, segment_io, (unsigned long long)id, "fstat", strerror(errno));
    if (st.st_size < (off_t)SEGMENT_HEADER_BYTES)
        return FAULT(f, -EBADMSG, segment_bad_header, (unsigned long long)id, "size");
    struct segment *s = calloc(1, sizeof(*s));
    if (!s)
        return FAULT(f, -ENOMEM, segment_no_memory, (unsigned long long)id, (unsigned long long)sizeof(*s));
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        int e = -errno;
        free(s);
        return FAULT(f, e, segment_io, (unsigned long long)id, "mmap", strerror(-e));
    }
    resident_map(p, (size_t)st.st_size, st.st_uid);
    s->p = p;
    s->fd = is_unsealed ? -1 : keep_descriptor(fd); /* rows of a journal lie in memory as they are */
    s->info.n_bytes = (uint64_t)st.st_size;
    s->info.is_unsealed = is_unsealed;
    memcpy(&s->header, p, sizeof(s->header));
    int r = check_header(&s->header, id, (uint64_t)st.st_size, f);
    if (!r)
        r = open_parts(s, id, f);
    if (r) {
        s->info.n_bytes = (uint64_t)st.st_size;
        segment_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void segment_trim(struct segment *s)
{
    free(atomic_exchange(&s->as, NULL));
    free(atomic_exchange(&s->masks, NULL));
    free(atomic_exchange(&s->v4, NULL));
    free(atomic_exchange(&s->v6, NULL));
}

void segment_close(struct segment *s)
{
    if (!s)
        return;
    segment_trim(s);
    sealed_fini(&s->index);
    free((void *)(uintptr_t)s->is_checked);
    free(s->observers);
    drop_descriptor(s->fd);
    munmap((void *)(uintptr_t)s->p, s->info.n_bytes);
    free(s);
}

/* --- the directory ------------------------------------------------------------------------ */

const struct segment_info *segment_info(const struct segment *s)
{
    return &s->info;
}

uint32_t segment_n_observers(const struct segment *s)
{
    return s->header.n_observers;
}

const struct flow_observer *segment_observer(const struct segment *s, uint32_t i)
{
    return i < s->header.n_observers ? &s->observers[i] : NULL;
}

uint32_t segment_block_rows(const struct segment *s, uint32_t b)
{
    if (b >= s->info.n_blocks)
        return 0;
    return b + 1 < s->info.n_blocks ? SEGMENT_BLOCK_ROWS : s->info.n_rows - b * SEGMENT_BLOCK_ROWS;
}

static int load_cell(const struct segment *s, uint32_t block, unsigned column, struct segment_cell *ret, size_t *ret_at)
{
    if (block >= s->info.n_blocks || column > FLOW_N_COLUMNS)
        return -EBADMSG;
    if (s->cell_of[column] < 0) {
        *ret = (struct segment_cell){.offset_and_kind = (uint64_t)KIND_ABSENT << 56};
        return 0;
    }
    size_t first = (size_t)s->cell_of[column] * s->info.n_blocks, cells = s->header.sections[SECTION_DIRECTORY].offset;
    const uint8_t *wanted;
    size_t n_wanted;
    *ret_at = first + block;
    if (sealed_place(&s->index, cells + *ret_at * sizeof(*ret), sizeof(*ret), &wanted, &n_wanted)) /* all of the column, then */
        sealed_want(&s->index, cells + first * sizeof(*ret), s->info.n_blocks * sizeof(*ret));
    const uint8_t *p = sealed_get(&s->index, cells + *ret_at * sizeof(*ret), sizeof(*ret));
    if (!p)
        return -EBADMSG;
    memcpy(ret, p, sizeof(*ret));
    return ret->offset_and_kind >> 56 < N_KINDS ? 0 : -EBADMSG;
}

void segment_bounds(const struct segment *s, uint32_t block, unsigned column, struct segment_bounds *ret)
{
    struct segment_cell cell;
    size_t at;
    uint64_t sign = segment_sign(column);
    *ret = (struct segment_bounds){.min = sign, .max = UINT64_MAX ^ sign};
    if (load_cell(s, block, column, &cell, &at))
        return; /* says nothing; who reads it learns of the damage */
    enum segment_kind kind = (enum segment_kind)(cell.offset_and_kind >> 56);
    ret->is_absent = kind == KIND_ABSENT;
    ret->is_constant = kind == KIND_CONSTANT || kind == KIND_ABSENT;
    ret->min = cell.min;
    ret->max = cell.max;
    if (column == SEGMENT_PRESENCE && kind == KIND_CONSTANT) {
        ret->is_constant = !(cell.min & ~s->header.columns); /* if not, who reads it learns of the damage */
        ret->min = ret->max = flow_columns_load(cell.min);
    }
    if (kind == KIND_ABSENT)
        ret->min = ret->max = column < FLOW_N_ADDRESSES ? s->info.n_entries : 0;
}

/* find_cell - where a column lies, nothing of it read. @ret_at: its place in the directory. */
static int find_cell(const struct segment *s, uint32_t block, unsigned column, struct segment_column *ret, uint32_t *ret_checksum,
                     size_t *ret_at)
{
    struct segment_cell cell;
    *ret_at = 0;
    if (load_cell(s, block, column, &cell, ret_at))
        return -EBADMSG;
    uint64_t offset = cell.offset_and_kind & ((UINT64_C(1) << 56) - 1);
    ret->kind = (enum segment_kind)(cell.offset_and_kind >> 56);
    ret->p = NULL;
    ret->n_bytes = cell.n_bytes;
    ret->min = cell.min;
    ret->max = cell.max;
    *ret_checksum = cell.checksum;
    if (ret->kind == KIND_CONSTANT || ret->kind == KIND_ABSENT)
        return 0;
    if (offset < SEGMENT_HEADER_BYTES || offset > s->header.index_offset ||
        cell.n_bytes > s->header.index_offset - offset)
        return -EBADMSG;
    ret->p = s->p + offset;
    return 0;
}

int segment_column_place(const struct segment *s, uint32_t block, unsigned column, struct segment_column *ret)
{
    uint32_t expected;
    size_t at;
    return find_cell(s, block, column, ret, &expected, &at);
}

static bool is_cell_checked(const struct segment *s, size_t at)
{
    return atomic_load_explicit(&s->is_checked[at / 64], memory_order_acquire) >> at % 64 & 1;
}

int segment_column(const struct segment *s, uint32_t block, unsigned column, struct segment_column *ret)
{
    uint32_t expected;
    size_t at;
    if (find_cell(s, block, column, ret, &expected, &at))
        return -EBADMSG;
    if (!ret->p || is_cell_checked(s, at))
        return 0;
    resident_want(ret->p, ret->n_bytes);
    if ((uint32_t)checksum(ret->p, ret->n_bytes) != expected)
        return -EBADMSG;
    atomic_fetch_or_explicit(&s->is_checked[at / 64], UINT64_C(1) << at % 64, memory_order_release);
    return 0;
}

int segment_column_read(const struct segment *s, uint32_t block, unsigned column, uint8_t *scratch, struct segment_column *ret)
{
    uint32_t expected;
    size_t at;
    if (find_cell(s, block, column, ret, &expected, &at))
        return -EBADMSG;
    if (!ret->p || is_cell_checked(s, at))
        return 0;
    if (s->fd < 0 || ret->n_bytes > SEGMENT_CELL_BYTES ||
        pread(s->fd, scratch, ret->n_bytes, ret->p - s->p) != (ssize_t)ret->n_bytes)
        return segment_column(s, block, column, ret);
    ret->p = scratch;
    return (uint32_t)checksum(scratch, ret->n_bytes) == expected ? 0 : -EBADMSG;
}

/* --- dictionary and postings ---------------------------------------------------------------- */

struct ip segment_address(const struct segment *s, uint32_t code)
{
    struct ip a = {{0}};
    if (code < s->info.n_entries && dictionary_at(&s->dictionary, code, &a))
        a = (struct ip){{0}};
    return a;
}

uint32_t segment_lower_bound(const struct segment *s, const struct ip *a)
{
    uint64_t at;
    return dictionary_lower_bound(&s->dictionary, a, &at) ? s->info.n_entries : (uint32_t)at;
}

bool segment_find(const struct segment *s, const struct ip *a, uint32_t *ret_code)
{
    uint32_t code = segment_lower_bound(s, a);
    if (code >= s->info.n_entries)
        return false;
    struct ip found = segment_address(s, code);
    if (!ip_equal(&found, a))
        return false;
    *ret_code = code;
    return true;
}

int segment_address_of(const struct segment *s, uint32_t code, struct ip *ret)
{
    return dictionary_at(&s->dictionary, code, ret);
}

int segment_look_up(const struct segment *s, const struct ip *a, uint32_t *ret_code)
{
    uint64_t code;
    struct ip found;
    if (dictionary_lower_bound(&s->dictionary, a, &code))
        return -EBADMSG;
    if (code >= s->info.n_entries)
        return SEGMENT_NO_ENTRY;
    if (dictionary_at(&s->dictionary, code, &found))
        return -EBADMSG;
    *ret_code = (uint32_t)code;
    return ip_equal(&found, a) ? 0 : SEGMENT_NO_ENTRY;
}

int segment_decode_entries4(const struct segment *s, uint32_t from, uint32_t n, uint32_t *out)
{
    uint32_t v[DICTIONARY_GROUP4] __attribute__((uninitialized)), n_group;
    if (s->info.family != 4 || from > s->info.n_entries || n > s->info.n_entries - from)
        return -EBADMSG;
    while (n) {
        uint32_t skip = from % DICTIONARY_GROUP4;
        bool is_whole = !skip && n >= DICTIONARY_GROUP4;
        if (dictionary_read4(&s->dictionary, from / DICTIONARY_GROUP4, is_whole ? out : v, &n_group))
            return -EBADMSG;
        uint32_t k = n_group - skip < n ? n_group - skip : n;
        if (!is_whole)
            memcpy(out, v + skip, k * sizeof(*out));
        out += k;
        from += k;
        n -= k;
    }
    return 0;
}

const uint32_t *segment_all4(struct segment *s)
{
    uint32_t *v = atomic_load(&s->v4), *none = NULL;
    if (v)
        return v;
    v = malloc(((size_t)s->info.n_entries + 1) * sizeof(*v));
    if (!v || segment_decode_entries4(s, 0, s->info.n_entries, v)) {
        free(v);
        return NULL;
    }
    if (atomic_compare_exchange_strong(&s->v4, &none, v))
        return v;
    free(v);
    return none;
}

const struct ip *segment_all6(struct segment *s)
{
    struct wide group[DICTIONARY_GROUP6];
    struct ip *v = atomic_load(&s->v6), *none = NULL;
    if (v)
        return v;
    v = malloc(((size_t)s->info.n_entries + 1) * sizeof(*v));
    bool is_bad = !v || s->info.family != 6;
    for (uint64_t g = 0; !is_bad && g < dictionary_n_groups(6, s->info.n_entries); g++) {
        uint32_t n = 0;
        is_bad = dictionary_read6(&s->dictionary, g, group, &n);
        for (uint32_t i = 0; !is_bad && i < n; i++)
            v[g * DICTIONARY_GROUP6 + i] = ip_of_wide(group[i]);
    }
    if (is_bad) {
        free(v);
        return NULL;
    }
    if (atomic_compare_exchange_strong(&s->v6, &none, v))
        return v;
    free(v);
    return none;
}

static void clear_bitmap(const struct segment *s, uint64_t *bitmap)
{
    memset(bitmap, 0, (s->info.n_blocks + 63) / 64 * sizeof(*bitmap));
}

int segment_postings(const struct segment *s, const uint32_t *codes, size_t n_codes, uint64_t *bitmap)
{
    clear_bitmap(s, bitmap);
    for (size_t i = 0; i < n_codes;) {
        size_t run = 1; /* neighbours share the opening of their group */
        while (i + run < n_codes && codes[i + run] == codes[i] + run)
            run++;
        if (postings_mark_all(&s->postings, codes[i], (uint64_t)codes[i] + run, bitmap))
            return -EBADMSG;
        i += run;
    }
    return 0;
}

int segment_postings_range(const struct segment *s, uint32_t from, uint32_t to, uint64_t *bitmap)
{
    clear_bitmap(s, bitmap);
    return from < to ? postings_mark_all(&s->postings, from, to, bitmap) : 0;
}

/* --- what will be read soon ------------------------------------------------------------------- */

enum { FEW_ADDRESSES = 4 }; /* are found through a few pages each */

struct wanted {
    const struct segment *s;
    const struct ip *addresses;
    const uint32_t *codes, *blocks;
    const unsigned *columns;
    size_t n_columns;
};

static bool place_address(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n)
{
    const struct wanted *w = context;
    return dictionary_place(&w->s->dictionary, &w->addresses[i], ret_p, ret_n);
}

static bool place_postings(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n)
{
    const struct wanted *w = context;
    return postings_place(&w->s->postings, w->codes[i], ret_p, ret_n);
}

static bool place_column(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n)
{
    const struct wanted *w = context;
    struct segment_column x;
    uint32_t expected;
    size_t at;
    if (find_cell(w->s, w->blocks[i / w->n_columns], w->columns[i % w->n_columns], &x, &expected, &at) || !x.p ||
        is_cell_checked(w->s, at))
        return false;
    *ret_p = x.p;
    *ret_n = x.n_bytes;
    return true;
}

void segment_want_addresses(const struct segment *s, const struct ip *a, size_t n)
{
    struct wanted w = {.s = s, .addresses = a};
    if (n > FEW_ADDRESSES)
        dictionary_want_tables(&s->dictionary);
    resident_want_all(n, place_address, &w);
}

bool segment_is_resident(const struct segment *s)
{
    return dictionary_is_resident(&s->dictionary) &&
           sealed_is_resident(&s->index, s->postings.body, s->postings.n_body) &&
           resident_is(s->p + SEGMENT_HEADER_BYTES, s->header.index_offset - SEGMENT_HEADER_BYTES);
}

void segment_want_postings(const struct segment *s, const uint32_t *codes, size_t n)
{
    struct wanted w = {.s = s, .codes = codes};
    if (n)
        postings_want_table(&s->postings, codes[0], codes[n - 1]);
    resident_want_all(n, place_postings, &w);
}

void segment_want_columns(const struct segment *s, const uint32_t *blocks, size_t n_blocks, const unsigned *columns, size_t n_columns)
{
    struct wanted w = {.s = s, .blocks = blocks, .columns = columns, .n_columns = n_columns};
    resident_want_all(n_blocks * n_columns, place_column, &w);
}
