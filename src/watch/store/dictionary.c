/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group word: offset of the group in the body (low 48 bits), bits of the upper halves (8; family 4:
 * of the differences), bits of the lower halves (8). Body of a group of family 4: lanes of
 * difference - 1, whole units, the first difference standing for the head itself. Of family 6: the
 * least lower half (8 bytes), upper halves minus the head's, lower halves minus the least.
 */
#include "watch/store/dictionary.h"

#include "watch/store/pack.h"

#include <errno.h>
#include <string.h>

_Static_assert(DICTIONARY_GROUP4 == PACK_UNIT, "a group is a unit of lanes");

#define UNSET __attribute__((uninitialized))

static size_t head_bytes(int family)
{
    return family == 4 ? 4 : 16;
}

int dictionary_check(const struct dictionary *d)
{
    uint64_t groups = dictionary_n_groups(d->family, d->n);
    size_t size = d->area->n_bytes;
    if (groups > size / 8 || d->heads > size || groups * head_bytes(d->family) > size - d->heads ||
        d->groups > size || groups * 8 > size - d->groups || d->body > size || d->n_body > size - d->body)
        return -EBADMSG;
    return 0;
}

/* --- writing --------------------------------------------------------------------- */

static void put_group(struct buf *groups, uint64_t offset, unsigned high, unsigned low)
{
    uint64_t word = offset | (uint64_t)high << 48 | (uint64_t)low << 56;
    buf_add(groups, &word, 8);
}

void dictionary_add4(const uint32_t *v, uint32_t n, struct buf *heads, struct buf *groups, struct buf *body)
{
    uint32_t gap[DICTIONARY_GROUP4] UNSET, all = 0;
    gap[0] = 0;
    for (uint32_t i = 1; i < n; i++) {
        gap[i] = v[i] - v[i - 1] - 1;
        all |= gap[i];
    }
    unsigned width = pack_width(all);
    buf_add(heads, v, 4);
    put_group(groups, body->n, width, 0);
    uint8_t *p = buf_room(body, pack_bits_bytes(n, width));
    if (p)
        body->n += pack_bits(gap, n, width, p);
}

void dictionary_add6(const struct wide *v, uint32_t n, struct buf *heads, struct buf *groups, struct buf *body)
{
    uint64_t high[DICTIONARY_GROUP6], low[DICTIONARY_GROUP6], least = UINT64_MAX, most = 0;
    for (uint32_t i = 0; i < n; i++) {
        least = v[i].low < least ? v[i].low : least;
        most = v[i].low > most ? v[i].low : most;
    }
    for (uint32_t i = 0; i < n; i++) {
        high[i] = v[i].high - v[0].high;
        low[i] = v[i].low - least;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): @n is at least 1 */
    unsigned high_width = pack_width(high[n - 1]), low_width = pack_width(most - least);
    struct ip head = ip_of_wide(v[0]);
    buf_add(heads, head.b, 16);
    put_group(groups, body->n, high_width, low_width);
    buf_add(body, &least, 8);
    uint8_t *p = buf_room(body, pack_plain_bytes(n, high_width) + pack_plain_bytes(n, low_width));
    if (!p)
        return;
    pack_plain(high, n, high_width, p);
    p += pack_plain_bytes(n, high_width);
    pack_plain(low, n, low_width, p);
    body->n += pack_plain_bytes(n, high_width) + pack_plain_bytes(n, low_width);
}

/* --- reading --------------------------------------------------------------------- */

struct group {
    const uint8_t *body;
    uint32_t n;
    unsigned high, low;
};

static int find_group(const struct dictionary *d, uint64_t g, struct group *ret)
{
    uint32_t size = dictionary_group(d->family);
    if (g >= dictionary_n_groups(d->family, d->n))
        return -EBADMSG;
    const uint8_t *p = sealed_get(d->area, d->groups + g * 8, 8);
    uint64_t word;
    if (!p)
        return -EBADMSG;
    memcpy(&word, p, 8);
    size_t offset = word & ((UINT64_C(1) << 48) - 1);
    ret->n = d->n - g * size < size ? (uint32_t)(d->n - g * size) : size;
    ret->high = word >> 48 & 0xff;
    ret->low = (unsigned)(word >> 56);
    if (ret->high > (d->family == 4 ? 32 : 64) || ret->low > 64 || offset > d->n_body)
        return -EBADMSG;
    size_t bytes = d->family == 4
                       ? pack_bits_bytes(ret->n, ret->high)
                       : 8 + pack_plain_bytes(ret->n, ret->high) + pack_plain_bytes(ret->n, ret->low);
    if (bytes > d->n_body - offset)
        return -EBADMSG;
    ret->body = sealed_get(d->area, d->body + offset, bytes);
    return ret->body ? 0 : -EBADMSG;
}

static int read_head4(const struct dictionary *d, uint64_t g, uint32_t *ret)
{
    const uint8_t *p = sealed_get(d->area, d->heads + g * 4, 4);
    if (!p)
        return -EBADMSG;
    memcpy(ret, p, 4);
    return 0;
}

static int read_head6(const struct dictionary *d, uint64_t g, struct wide *ret)
{
    const uint8_t *p = sealed_get(d->area, d->heads + g * 16, 16);
    if (!p)
        return -EBADMSG;
    struct ip a = ip_from_v6(p);
    *ret = wide_of(&a);
    return 0;
}

int dictionary_read4(const struct dictionary *d, uint64_t g, uint32_t *out, uint32_t *ret_n)
{
    struct group group;
    uint32_t head;
    if (find_group(d, g, &group) || read_head4(d, g, &head))
        return -EBADMSG;
    unpack_deltas(group.body, group.n, group.high, head - 1, out);
    *ret_n = group.n;
    return 0;
}

static struct wide entry6(const struct group *group, struct wide head, uint32_t i)
{
    size_t high_bytes = pack_plain_bytes(group->n, group->high), low_bytes = pack_plain_bytes(group->n, group->low);
    uint64_t least;
    memcpy(&least, group->body, 8);
    return (struct wide){head.high + unpack_plain_get(group->body + 8, high_bytes, group->high, i),
                         least + unpack_plain_get(group->body + 8 + high_bytes, low_bytes, group->low, i)};
}

int dictionary_read6(const struct dictionary *d, uint64_t g, struct wide *out, uint32_t *ret_n)
{
    struct group group;
    struct wide head;
    if (find_group(d, g, &group) || read_head6(d, g, &head))
        return -EBADMSG;
    for (uint32_t i = 0; i < group.n; i++)
        out[i] = entry6(&group, head, i);
    *ret_n = group.n;
    return 0;
}

int dictionary_at(const struct dictionary *d, uint64_t i, struct ip *ret)
{
    uint32_t size = dictionary_group(d->family), n;
    if (i >= d->n)
        return -EBADMSG;
    if (d->family == 4) {
        uint32_t v[DICTIONARY_GROUP4] UNSET;
        if (dictionary_read4(d, i / size, v, &n))
            return -EBADMSG;
        *ret = ip_from_v4(v[i % size]);
        return 0;
    }
    struct group group;
    struct wide head;
    if (find_group(d, i / size, &group) || read_head6(d, i / size, &head))
        return -EBADMSG;
    *ret = ip_of_wide(entry6(&group, head, (uint32_t)(i % size)));
    return 0;
}

/* --- finding ---------------------------------------------------------------------- */

/* last_group4 - the last group whose head is <= @a, in [@from, n_groups); @from itself if none. */
static int last_group4(const struct dictionary *d, uint32_t a, uint64_t from, uint64_t *ret)
{
    uint64_t n = dictionary_n_groups(4, d->n), step = 1, low = from, high;
    uint32_t head;
    for (;; step *= 2) { /* gallop: the next address is likely near */
        high = step < n - low ? low + step : n;
        if (high == n)
            break;
        if (read_head4(d, high, &head))
            return -EBADMSG;
        if (head > a)
            break;
        low = high;
    }
    while (low + 1 < high) {
        uint64_t mid = (low + high) / 2;
        if (read_head4(d, mid, &head))
            return -EBADMSG;
        if (head <= a)
            low = mid;
        else
            high = mid;
    }
    *ret = low;
    return 0;
}

static int last_group6(const struct dictionary *d, struct wide a, uint64_t from, uint64_t *ret)
{
    uint64_t n = dictionary_n_groups(6, d->n), step = 1, low = from, high;
    struct wide head;
    for (;; step *= 2) {
        high = step < n - low ? low + step : n;
        if (high == n)
            break;
        if (read_head6(d, high, &head))
            return -EBADMSG;
        if (wide_less(a, head))
            break;
        low = high;
    }
    while (low + 1 < high) {
        uint64_t mid = (low + high) / 2;
        if (read_head6(d, mid, &head))
            return -EBADMSG;
        if (!wide_less(a, head))
            low = mid;
        else
            high = mid;
    }
    *ret = low;
    return 0;
}

/* lower4 - the first of @n sorted values that is >= @a, without branches on the data. */
static inline uint32_t lower4(const uint32_t *v, uint32_t n, uint32_t a)
{
    const uint32_t *base = v;
    while (n > 1) {
        uint32_t half = n / 2;
        base += (base[half - 1] < a) * half;
        n -= half;
    }
    return (uint32_t)(base - v) + (n && *base < a);
}

static uint32_t lower6(const struct wide *v, uint32_t n, struct wide a)
{
    uint32_t from = 0, to = n;
    while (from < to) {
        uint32_t mid = (from + to) / 2;
        if (wide_less(v[mid], a))
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static int lower_bound4(const struct dictionary *d, const struct ip *a, uint64_t *ret)
{
    static const struct ip lowest = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    uint32_t v[DICTIONARY_GROUP4] UNSET, n;
    uint64_t g;
    if (!ip_is_v4(a)) {
        *ret = ip_compare(a, &lowest) < 0 ? 0 : d->n;
        return 0;
    }
    if (last_group4(d, ip_v4(a), 0, &g) || dictionary_read4(d, g, v, &n))
        return -EBADMSG;
    *ret = g * DICTIONARY_GROUP4 + lower4(v, n, ip_v4(a));
    return 0;
}

int dictionary_lower_bound(const struct dictionary *d, const struct ip *a, uint64_t *ret)
{
    *ret = 0;
    if (!d->n)
        return 0;
    if (d->family == 4)
        return lower_bound4(d, a, ret);
    struct wide v[DICTIONARY_GROUP6] UNSET, w = wide_of(a);
    uint64_t g;
    uint32_t n;
    if (last_group6(d, w, 0, &g) || dictionary_read6(d, g, v, &n))
        return -EBADMSG;
    *ret = g * DICTIONARY_GROUP6 + lower6(v, n, w);
    return 0;
}

bool dictionary_place(const struct dictionary *d, const struct ip *a, const uint8_t **ret_p, size_t *ret_n)
{
    uint64_t g = 0, word;
    if (!d->n || (d->family == 4 && !ip_is_v4(a)) ||
        (d->family == 4 ? last_group4(d, ip_v4(a), 0, &g) : last_group6(d, wide_of(a), 0, &g)))
        return false;
    const uint8_t *p = sealed_get(d->area, d->groups + g * 8, 8);
    if (!p)
        return false;
    memcpy(&word, p, 8);
    size_t offset = word & ((UINT64_C(1) << 48) - 1);
    return offset < d->n_body && sealed_place(d->area, d->body + offset, 1, ret_p, ret_n);
}

void dictionary_want_tables(const struct dictionary *d)
{
    uint64_t n_groups = dictionary_n_groups(d->family, d->n);
    sealed_want(d->area, d->heads, n_groups * head_bytes(d->family));
    sealed_want(d->area, d->groups, n_groups * 8);
}

bool dictionary_is_resident(const struct dictionary *d)
{
    uint64_t n_groups = dictionary_n_groups(d->family, d->n);
    return sealed_is_resident(d->area, d->heads, n_groups * head_bytes(d->family)) &&
           sealed_is_resident(d->area, d->groups, n_groups * 8) && sealed_is_resident(d->area, d->body, d->n_body);
}

/* --- merging ---------------------------------------------------------------------- */

struct found {
    uint64_t entries[DICTIONARY_GROUP4];
    uint32_t v4[DICTIONARY_GROUP4];
    struct wide v6[DICTIONARY_GROUP6];
    uint32_t n;
};

/* where the walk through a set stands: all before is below the current group */
struct walk {
    const struct address_set *set;
    size_t single, range, range6;
    uint64_t asked; /* groups up to here were asked of the disk; UINT64_MAX: none need be */
};

/* STRIDE groups are asked for at a time (about a megabyte), and AHEAD strides before they are reached */
enum { STRIDE = 4096, AHEAD = 8 };
enum { FEW_ADDRESSES = 16 }; /* are found through a few pages each */

/* ask_ahead - the bodies of the groups to come, while those at hand are looked at. */
static void ask_ahead(const struct dictionary *d, struct walk *w, uint64_t g)
{
    uint64_t n_groups = dictionary_n_groups(d->family, d->n), end = g + AHEAD * STRIDE, from, to = d->n_body;
    if (w->asked == UINT64_MAX || g + (AHEAD - 1) * STRIDE < w->asked)
        return;
    end = end < n_groups ? end : n_groups;
    uint64_t first = w->asked > g ? w->asked : g;
    const uint8_t *p = first < end ? sealed_get(d->area, d->groups + first * 8, 8) : NULL;
    const uint8_t *last = end < n_groups ? sealed_get(d->area, d->groups + end * 8, 8) : NULL;
    w->asked = end < n_groups ? end : UINT64_MAX;
    if (!p)
        return;
    memcpy(&from, p, 8);
    if (last)
        memcpy(&to, last, 8);
    from &= (UINT64_C(1) << 48) - 1;
    to &= (UINT64_C(1) << 48) - 1;
    if (from < to && to <= d->n_body)
        sealed_want(d->area, d->body + from, to - from);
}

/* mark_singles - bits of the group's entries that stand among the singles up to @last. */
static void mark_singles(struct walk *w, const uint32_t *v, uint32_t n, uint32_t last, uint64_t *bits)
{
    const struct address_set *s = w->set;
    if (w->single < s->n_v4)
        w->single += pack_mark_common(v, n, s->v4 + w->single, s->n_v4 - w->single, last, bits);
}

static void mark_interval(uint32_t from, uint32_t to, uint64_t *bits)
{
    for (uint32_t i = from; i < to; i++)
        bits[i / 64] |= UINT64_C(1) << i % 64;
}

static void mark_ranges(struct walk *w, const uint32_t *v, uint32_t n, uint32_t last, uint64_t *bits)
{
    const struct address_set *s = w->set;
    for (; w->range < s->n_v4_ranges && s->v4_ranges[w->range].first <= last; w->range++) {
        const struct v4_range *r = &s->v4_ranges[w->range];
        uint32_t to = r->last == UINT32_MAX ? n : lower4(v, n, r->last + 1);
        mark_interval(lower4(v, n, r->first), to, bits);
        if (r->last > last)
            break; /* goes on in the next group */
    }
}

static int give(struct found *f, uint64_t first, uint32_t n, const uint64_t *bits, bool is_v4, dictionary_each each,
                void *context)
{
    f->n = 0;
    for (uint32_t word = 0; word < (n + 63) / 64; word++)
        for (uint64_t left = bits[word]; left; left &= left - 1) {
            uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(left);
            f->entries[f->n] = first + i;
            if (is_v4)
                f->v4[f->n] = f->v4[i];
            else
                f->v6[f->n] = f->v6[i];
            f->n++;
        }
    if (!f->n)
        return 0;
    return each(context, f->entries, is_v4 ? f->v4 : NULL, is_v4 ? NULL : f->v6, f->n);
}

/* next_wanted4 - the least address of the set not yet passed. Return: false at its end. */
static bool next_wanted4(const struct walk *w, uint32_t *ret)
{
    const struct address_set *s = w->set;
    bool is_single = w->single < s->n_v4, is_range = w->range < s->n_v4_ranges;
    if (is_single && is_range)
        *ret = s->v4[w->single] < s->v4_ranges[w->range].first ? s->v4[w->single] : s->v4_ranges[w->range].first;
    else if (is_single)
        *ret = s->v4[w->single];
    else if (is_range)
        *ret = s->v4_ranges[w->range].first;
    return is_single || is_range;
}

static int merge4(const struct dictionary *d, const struct address_set *set, uint64_t asked, dictionary_each each, void *context)
{
    struct walk w = {.set = set, .asked = asked};
    struct found f UNSET;
    uint64_t g = 0, n_groups = dictionary_n_groups(4, d->n);
    uint32_t wanted;
    for (; g < n_groups && next_wanted4(&w, &wanted); g++) {
        uint64_t bits[DICTIONARY_GROUP4 / 64] = {0}, at = g;
        uint32_t n, last = UINT32_MAX, head;
        if (last_group4(d, wanted, g, &at))
            return -EBADMSG;
        g = at;
        ask_ahead(d, &w, g);
        if (dictionary_read4(d, g, f.v4, &n))
            return -EBADMSG;
        if (g + 1 < n_groups) {
            if (read_head4(d, g + 1, &head))
                return -EBADMSG;
            last = head - 1;
        }
        mark_singles(&w, f.v4, n, last, bits);
        mark_ranges(&w, f.v4, n, last, bits);
        int r = give(&f, g * DICTIONARY_GROUP4, n, bits, true, each, context);
        if (r)
            return r;
        if (last == UINT32_MAX)
            break;
    }
    return 0;
}

static const uint64_t mapped = UINT64_C(0xffff00000000);

static bool is_mapped(struct wide a)
{
    return a.high == 0 && a.low >> 32 == 0xffff;
}

/* set_has6 - is an entry of family 6 in the set? Ranges that ended below it are passed for good. */
static bool set_has6(struct walk *w, struct wide a)
{
    const struct address_set *s = w->set;
    if (is_mapped(a)) {
        uint32_t v4 = (uint32_t)a.low;
        while (w->single < s->n_v4 && s->v4[w->single] < v4)
            w->single++;
        while (w->range < s->n_v4_ranges && s->v4_ranges[w->range].last < v4)
            w->range++;
        return (w->single < s->n_v4 && s->v4[w->single] == v4) ||
               (w->range < s->n_v4_ranges && s->v4_ranges[w->range].first <= v4);
    }
    while (w->range6 < s->n_v6 && wide_less(wide_of(&s->v6[w->range6].last), a))
        w->range6++;
    return w->range6 < s->n_v6 && !wide_less(a, wide_of(&s->v6[w->range6].first));
}

/* next_wanted6 - the least address >= @from that the set may hold; advances past what lies below. */
static bool next_wanted6(struct walk *w, struct wide from, struct wide *ret)
{
    const struct address_set *s = w->set;
    bool has = false;
    while (w->range6 < s->n_v6 && wide_less(wide_of(&s->v6[w->range6].last), from))
        w->range6++;
    if (w->range6 < s->n_v6) {
        *ret = wide_of(&s->v6[w->range6].first);
        has = true;
    }
    if (!wide_less((struct wide){0, mapped | UINT32_MAX}, from)) {
        uint32_t v4 = from.high == 0 && from.low > mapped ? (uint32_t)from.low : 0, least = UINT32_MAX;
        while (w->single < s->n_v4 && s->v4[w->single] < v4)
            w->single++;
        while (w->range < s->n_v4_ranges && s->v4_ranges[w->range].last < v4)
            w->range++;
        bool is_single = w->single < s->n_v4, is_range = w->range < s->n_v4_ranges;
        if (is_single)
            least = s->v4[w->single];
        if (is_range && s->v4_ranges[w->range].first < least)
            least = s->v4_ranges[w->range].first;
        struct wide v = {0, mapped | least};
        if ((is_single || is_range) && (!has || wide_less(v, *ret))) {
            *ret = v;
            has = true;
        }
    }
    if (has && wide_less(*ret, from))
        *ret = from;
    return has;
}

static int merge6(const struct dictionary *d, const struct address_set *set, uint64_t asked, dictionary_each each, void *context)
{
    struct walk w = {.set = set, .asked = asked};
    struct found f UNSET;
    struct wide from = {0, 0}, wanted;
    uint64_t n_groups = dictionary_n_groups(6, d->n);
    for (uint64_t g = 0; g < n_groups && next_wanted6(&w, from, &wanted); g++) {
        uint64_t bits[DICTIONARY_GROUP6 / 64] = {0};
        uint32_t n;
        if (last_group6(d, wanted, g, &g))
            return -EBADMSG;
        ask_ahead(d, &w, g);
        if (dictionary_read6(d, g, f.v6, &n))
            return -EBADMSG;
        for (uint32_t i = 0; i < n; i++)
            if (set_has6(&w, f.v6[i]))
                bits[i / 64] |= UINT64_C(1) << i % 64;
        int r = give(&f, g * DICTIONARY_GROUP6, n, bits, false, each, context);
        if (r)
            return r;
        if (g + 1 < n_groups && read_head6(d, g + 1, &from))
            return -EBADMSG;
    }
    return 0;
}

int dictionary_merge(const struct dictionary *d, const struct address_set *set, dictionary_each each, void *context)
{
    uint64_t asked = UINT64_MAX; /* a small set reads here and there: what it reads is seen when it is reached */
    if (!d->n)
        return 0;
    size_t n = set->n_v4 + set->n_v4_ranges + set->n_v6;
    if (n > FEW_ADDRESSES && !dictionary_is_resident(d)) {
        dictionary_want_tables(d);
        asked = n > dictionary_n_groups(d->family, d->n) / 4 ? 0 : UINT64_MAX;
    }
    return d->family == 4 ? merge4(d, set, asked, each, context) : merge6(d, set, asked, each, context);
}
