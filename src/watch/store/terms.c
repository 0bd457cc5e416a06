/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group: TERM_GROUP terms (the last fewer), each: u8 bytes shared with the term before (0 for the first), u8 bytes of
 * its own, those; then its blocks (block_list.h).
 */
#include "watch/store/terms.h"

#include "base/cursor.h"
#include "watch/store/block_list.h"
#include "watch/store/byte_masks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

/* --- words ---------------------------------------------------------------------------------------------------- */

enum { SEPARATOR, LETTER, DIGIT, HIGH };

#define L LETTER, LETTER, LETTER, LETTER
#define D DIGIT, DIGIT
#define S SEPARATOR, SEPARATOR, SEPARATOR, SEPARATOR
#define H HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH
static const uint8_t classes[256] = {
    S, S, S, S, S, S, S, S, S, S, S, S,                    /* ..0x2f */
    D, D, D, D, D, SEPARATOR, SEPARATOR, S,                /* digits, ..0x3f */
    SEPARATOR, L, L, L, L, L, L, LETTER, LETTER, SEPARATOR, S, /* @, A-Z, ..0x5f */
    SEPARATOR, L, L, L, L, L, L, LETTER, LETTER, SEPARATOR, S, /* `, a-z, ..0x7f */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
};
#undef L
#undef D
#undef S
#undef H

/* is_letter - of characters beyond ASCII: what is no blank, punctuation or symbol of the common planes. */
static bool is_letter(uint32_t c)
{
    if (c < 0xc0)
        return c == 0xaa || c == 0xb5 || c == 0xba;
    return c != 0xd7 && c != 0xf7 && !(c >= 0x2000 && c <= 0x2bff) && !(c >= 0x3000 && c <= 0x3004) &&
           !(c >= 0x3008 && c <= 0x3020) && !(c >= 0xe000 && c <= 0xf8ff) && !(c >= 0xfe00 && c <= 0xfe0f) && c != 0xfffd &&
           c != 0xfeff;
}

/* step - one character at @p: its folded form in @out. Return: bytes read, 0 if it is no part of a word; @ret_n written. */
static unsigned step(const char *p, const char *end, char out[4], unsigned *ret_n)
{
    unsigned char c = (unsigned char)*p;
    unsigned class = classes[c];
    if (class == SEPARATOR)
        return 0;
    if (class != HIGH) {
        out[0] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        *ret_n = 1;
        return 1;
    }
    const char *next = p;
    uint32_t u = text_next(&next, end), folded = text_fold_char(u);
    if (folded && !is_letter(u))
        return 0;
    *ret_n = folded ? (unsigned)text_put(folded, out) : 0; /* a combining mark belongs to the word and leaves nothing */
    return (unsigned)(next - p);
}

unsigned term_letter(const char *p, const char *end)
{
    char c[4];
    unsigned n;
    return step(p, end, c, &n);
}

/* of bytes that are part of a word, in lower case; 0: not; 1: above ASCII, a character must be decoded */
static const uint8_t folds[256] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',
    ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',
    ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n',
    ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z',
    [0x80 ... 0xff] = 1,
};

/* to_word - past what is no part of a word. */
static const char *to_word(const char *p, const char *end)
{
    char c[4];
    unsigned n;
    for (;;) {
        while (p < end && !folds[(unsigned char)*p])
            p++;
        if (p == end || folds[(unsigned char)*p] != 1 || step(p, end, c, &n))
            return p;
        text_next(&p, end);
    }
}

/*
 * take_word - the word at @p, which to_word found, folded into @out (TERM_MAX bytes). Return: where it ends.
 * @ret_n: its bytes; 0: lone combining marks are no word.
 */
static const char *take_word(const char *p, const char *end, char *out, unsigned *ret_n, bool *ret_is_cut)
{
    char c[4];
    unsigned n = 0, n_char, used;
    bool is_cut = false;
    for (;;) {
        const char *most = (size_t)(end - p) > TERM_MAX - n ? p + (TERM_MAX - n) : end;
        uint8_t folded = 0;
        while (p < most && (folded = folds[(unsigned char)*p]) > 1) {
            out[n++] = (char)folded;
            p++;
        }
        if (p == end || !(folded = folds[(unsigned char)*p]))
            break;
        if (folded > 1 && n == TERM_MAX) { /* the rest of a long word */
            is_cut = true;
            p++;
            continue;
        }
        if (!(used = step(p, end, c, &n_char)))
            break;
        p += used;
        is_cut |= n + n_char > TERM_MAX;
        for (unsigned i = 0; i < n_char && !is_cut; i++)
            out[n++] = c[i];
        while (is_cut && p < end && (used = step(p, end, c, &n_char)))
            p += used;
    }
    *ret_n = n;
    *ret_is_cut = is_cut;
    return p;
}

bool term_next(struct text *rest, struct term *ret)
{
    const char *p = rest->p, *end = rest->p + rest->n;
    for (ret->n = 0; !ret->n && p < end;) {
        p = to_word(p, end);
        if (p < end)
            p = take_word(p, end, ret->p, &ret->n, &ret->is_cut);
    }
    *rest = (struct text){p, (size_t)(end - p)};
    return ret->n > 0;
}

unsigned term_address(struct text t)
{
    unsigned i = 0;
    for (unsigned part = 0; part < 4; part++) {
        unsigned digits = 0;
        while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9' && digits < 4)
            i++, digits++;
        if (!digits || digits > 3)
            return 0;
        if (part < 3 && (i >= t.n || t.p[i++] != '.'))
            return 0;
    }
    char c[4];
    unsigned n;
    bool goes_on = i < t.n && (step(t.p + i, t.p + t.n, c, &n) ||
                               (t.p[i] == '.' && i + 1 < t.n && classes[(unsigned char)t.p[i + 1]] == DIGIT));
    return goes_on ? 0 : i;
}

unsigned term_value(struct text t, char out[TERM_VALUE_MAX])
{
    unsigned n = 0;
    out[n++] = TERM_VALUE;
    for (const char *p = t.p, *end = t.p + t.n; p < end && n + 4 <= TERM_VALUE_MAX;) {
        uint32_t c = text_fold_char(text_next(&p, end));
        n += c ? (unsigned)text_put(c, out + n) : 0;
    }
    return n;
}

/* --- building --------------------------------------------------------------------------------------------------- */

static int grow(void *p, size_t *capacity, size_t n, size_t size)
{
    if (n <= *capacity)
        return 0;
    size_t wanted = *capacity * 2 > n ? *capacity * 2 : n < 1024 ? 1024 : n;
    void *old;
    memcpy(&old, p, sizeof(old));
    void *grown = realloc(old, wanted * size);
    if (!grown)
        return -ENOMEM;
    memcpy(p, &grown, sizeof(grown));
    *capacity = wanted;
    return 0;
}

struct entry {
    uint64_t head;     /* its first eight bytes, as their order goes; the rest zero */
    uint32_t at;       /* in the bytes */
    uint32_t n_blocks;
    uint16_t last_block;
    uint8_t n;         /* length of the term */
};

/* a word on its way in */
struct waiting {
    uint64_t head;
    uint32_t hash, at; /* in the text of those that wait */
    uint8_t n;
};

/* a word added not long ago: short ones are known exactly by their first and their last eight bytes */
struct recent {
    uint64_t head, tail;
    uint32_t block;
    uint32_t n;
};

enum { AT_ONCE = 64, WAITING_BYTES = AT_ONCE * 256, PADDED = 8, NO_BLOCK = UINT16_MAX, RECENT = 4096, RECENT_BYTES = 16 };

struct terms_builder {
    struct buf bytes, legacy;
    struct entry *entries;
    size_t n, capacity;
    uint64_t *slots; /* hash << 32 | number + 1 */
    size_t n_slots;
    uint32_t *pairs; /* term, in order of the blocks */
    size_t n_pairs, pairs_capacity;
    uint16_t *pair_blocks;
    size_t pair_blocks_capacity;
    struct waiting waiting[AT_ONCE];
    uint64_t seed; /* of the hashes: who sends words cannot make them alike */
    unsigned n_waiting, n_text;
    uint32_t block; /* of those that wait */
    struct recent recent[RECENT];
    uint8_t text[WAITING_BYTES + PADDED];
};

struct terms_builder *terms_builder_new(void)
{
    struct terms_builder *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->bytes.max = b->legacy.max = TERMS_BYTES_MAX + (1 << 20);
    if (getrandom(&b->seed, sizeof(b->seed), GRND_NONBLOCK) != sizeof(b->seed))
        b->seed = (uint64_t)(uintptr_t)b; /* only right after the machine's start */
    return b;
}

void terms_builder_free(struct terms_builder *b)
{
    if (!b)
        return;
    buf_fini(&b->bytes);
    buf_fini(&b->legacy);
    free(b->entries);
    free(b->slots);
    free(b->pairs);
    free(b->pair_blocks);
    free(b);
}

void terms_builder_clear(struct terms_builder *b)
{
    buf_clear(&b->bytes);
    b->n = b->n_pairs = 0;
    b->n_waiting = b->n_text = 0;
    memset(b->recent, 0, sizeof(b->recent));
    if (b->slots)
        memset(b->slots, 0, b->n_slots * sizeof(*b->slots));
}

bool terms_builder_is_full(const struct terms_builder *b)
{
    return b->n >= TERMS_MAX / 2 || b->bytes.n >= TERMS_BYTES_MAX / 2;
}

static int grow_slots(struct terms_builder *b, size_t more)
{
    size_t n = b->n_slots ? b->n_slots : 8192;
    while (2 * (b->n + more) > n)
        n *= 2;
    if (n == b->n_slots)
        return 0;
    uint64_t *slots = calloc(n, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_slots; i++)
        if (b->slots[i]) {
            size_t k = b->slots[i] >> 32 & (n - 1);
            while (slots[k])
                k = (k + 1) & (n - 1);
            slots[k] = b->slots[i];
        }
    free(b->slots);
    b->slots = slots;
    b->n_slots = n;
    return 0;
}

/* first_bytes - of a word of @n bytes, of which @head holds eight or more than there are. */
static uint64_t first_bytes(uint64_t head, unsigned n)
{
    return n >= 8 ? head : n ? head >> (64 - 8 * n) << (64 - 8 * n) : 0;
}

/* head_of - PADDED bytes behind @p can be read. */
static uint64_t head_of(const uint8_t *p, unsigned n)
{
    return first_bytes(load_be64(p), n);
}

/* hash_short - words of at most RECENT_BYTES, the common ones, in a few steps; @tail: the last eight bytes, 0 if there are no more. */
static uint32_t hash_short(uint64_t seed, unsigned n, uint64_t head, uint64_t tail)
{
    uint64_t x = (__builtin_bswap64(head) ^ seed) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) + n;
    if (n > 8)
        x = (x ^ tail) * UINT64_C(0xa24baed4963ee407), x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(x ^ x >> 32);
}

static uint32_t hash_long(uint64_t seed, const uint8_t *p, unsigned n)
{
    return (uint32_t)XXH3_64bits_withSeed(p, n, seed);
}

static bool is_term(const struct terms_builder *b, const struct entry *e, const struct waiting *w)
{
    if (e->head != w->head || e->n != w->n)
        return false;
    const uint8_t *x = b->bytes.p + e->at, *y = b->text + w->at;
    return w->n <= 8 || (w->n <= 16 ? load_be64(x + w->n - 8) == load_be64(y + w->n - 8) : !memcmp(x + 8, y + 8, w->n - 8u));
}

/* find - the term of @w: number + 1, or 0; @ret_slot: where it stands or would. */
static uint32_t find(const struct terms_builder *b, const struct waiting *w, size_t *ret_slot)
{
    size_t slot = w->hash & (b->n_slots - 1);
    for (; b->slots[slot]; slot = (slot + 1) & (b->n_slots - 1))
        if (b->slots[slot] >> 32 == w->hash && is_term(b, &b->entries[(uint32_t)b->slots[slot] - 1], w))
            break;
    *ret_slot = slot;
    return (uint32_t)b->slots[slot];
}

static int new_term(struct terms_builder *b, const struct waiting *w, size_t slot)
{
    if (b->n >= TERMS_MAX || grow(&b->entries, &b->capacity, b->n + 1, sizeof(*b->entries)))
        return -ENOMEM;
    size_t at = b->bytes.n;
    buf_add(&b->bytes, b->text + w->at, w->n);
    if (b->bytes.is_bad) {
        b->bytes.is_bad = false;
        return -ENOMEM;
    }
    b->entries[b->n++] = (struct entry){.head = w->head, .at = (uint32_t)at, .n = w->n, .last_block = NO_BLOCK};
    b->slots[slot] = (uint64_t)w->hash << 32 | b->n;
    return 0;
}

static int add_waiting(struct terms_builder *b, const struct waiting *w, uint16_t block)
{
    size_t slot;
    uint32_t found = find(b, w, &slot);
    if (!found && new_term(b, w, slot))
        return -ENOMEM;
    struct entry *e = &b->entries[(found ? found : b->n) - 1];
    if (e->last_block == block)
        return 0;
    if (grow(&b->pairs, &b->pairs_capacity, b->n_pairs + 1, sizeof(*b->pairs)) ||
        grow(&b->pair_blocks, &b->pair_blocks_capacity, b->n_pairs + 1, sizeof(*b->pair_blocks)))
        return -ENOMEM;
    e->last_block = block;
    e->n_blocks++;
    b->pairs[b->n_pairs] = (uint32_t)(e - b->entries);
    b->pair_blocks[b->n_pairs++] = block;
    return 0;
}

/* flush - those that wait; the memory they lead to is asked for beforehand, many at a time. */
static int flush(struct terms_builder *b)
{
    unsigned n = b->n_waiting;
    b->n_waiting = b->n_text = 0;
    if (!n)
        return 0;
    if (grow_slots(b, n))
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(&b->slots[b->waiting[i].hash & (b->n_slots - 1)]);
    for (unsigned i = 0; i < n; i++) {
        uint64_t slot = b->slots[b->waiting[i].hash & (b->n_slots - 1)];
        if (slot)
            __builtin_prefetch(&b->entries[(uint32_t)slot - 1]);
    }
    int r = 0;
    for (unsigned i = 0; !r && i < n; i++)
        r = add_waiting(b, &b->waiting[i], (uint16_t)b->block);
    return r;
}

/* is_recent - whether this block is known to have the word of at most RECENT_BYTES; it is from now on. */
static bool is_recent(struct terms_builder *b, uint32_t hash, uint64_t head, uint64_t tail, unsigned n)
{
    struct recent *recent = &b->recent[hash % RECENT];
    if (recent->head == head && recent->tail == tail && recent->n == n && recent->block == b->block)
        return true;
    *recent = (struct recent){.head = head, .tail = tail, .block = b->block, .n = n};
    return false;
}

/* wait_for - the @n bytes at the end of the text are a word, of which nothing is known. */
static void wait_for(struct terms_builder *b, uint32_t hash, uint64_t head, unsigned n)
{
    memset(b->text + b->n_text + n, 0, PADDED);
    b->waiting[b->n_waiting++] = (struct waiting){.head = head, .hash = hash, .at = b->n_text, .n = (uint8_t)n};
    b->n_text += n;
}

/* wait - the @n bytes at the end of the text are a word: it waits, unless this block is known to have it. */
static void wait(struct terms_builder *b, unsigned n)
{
    uint8_t *p = b->text + b->n_text;
    memset(p + n, 0, PADDED);
    uint64_t head = head_of(p, n), tail = n > 8 ? load_le64(p + n - 8) : 0;
    uint32_t hash = n > RECENT_BYTES ? hash_long(b->seed, p, n) : hash_short(b->seed, n, head, tail);
    if (n > RECENT_BYTES || !is_recent(b, hash, head, tail, n))
        wait_for(b, hash, head, n);
}

/* make_room - for one more. Return: 0 or -ENOMEM. */
static int make_room(struct terms_builder *b)
{
    return b->n_waiting == AT_ONCE || b->n_text + TERM_VALUE_MAX > WAITING_BYTES ? flush(b) : 0;
}

/* go_to - what is added from now on stands in @block. */
static int go_to(struct terms_builder *b, uint32_t block)
{
    int r = b->block != block ? flush(b) : 0;
    b->block = block;
    return r;
}

static int add(struct terms_builder *b, const char *p, unsigned n)
{
    int r = make_room(b);
    memcpy(b->text + b->n_text, p, n);
    wait(b, n);
    return r;
}

/* add_address - of which @word, of @n digits, is the first part. */
static int add_address(struct terms_builder *b, const char *begin, const char *word, unsigned n, const char *end)
{
    bool goes_on = (size_t)(end - word) > n && word[n] == '.';
    bool is_first = word == begin || word[-1] != '.' || word - 1 == begin || classes[(unsigned char)word[-2]] != DIGIT;
    unsigned n_address = goes_on && is_first ? term_address((struct text){word, (size_t)(end - word)}) : 0;
    return n_address ? add(b, word, n_address) : 0;
}

/* add_ascii - the word of @n letters and digits at @w, of at most TERM_MAX bytes, of which BYTES_AT_ONCE can be read. */
static int add_ascii(struct terms_builder *b, const uint8_t *w, unsigned n)
{
    const uint64_t lower = UINT64_C(0x2020202020202020); /* of a letter: in lower case; of a digit: nothing new */
    uint64_t head = first_bytes(load_be64(w) | lower, n), tail = n > 8 ? load_le64(w + n - 8) | lower : 0;
    uint32_t hash = 0;
    if (n <= RECENT_BYTES) {
        hash = hash_short(b->seed, n, head, tail);
        if (is_recent(b, hash, head, tail, n))
            return 0;
    }
    int r = make_room(b);
    uint8_t *to = b->text + b->n_text;
    for (unsigned i = 0; i < n; i += 8) {
        uint64_t x = load_le64(w + i) | lower;
        memcpy(to + i, &x, 8);
    }
    if (n > RECENT_BYTES)
        hash = hash_long(b->seed, to, n);
    wait_for(b, hash, head, n);
    return r;
}

/*
 * add_ascii_words - as many words as can be told by 64 bytes at a time: up to a character beyond ASCII, a long word or nearly
 * the end. Return: 0 or -ENOMEM; *p moves behind them, never into a word.
 */
static int add_ascii_words(struct terms_builder *b, const char *begin, const char **p, const char *end)
{
    const uint8_t *at = (const uint8_t *)*p, *stop = (const uint8_t *)end;
    int r = 0;
    while (!r && stop - at >= 2 * (ptrdiff_t)BYTES_AT_ONCE) {
        struct word_masks m = word_masks_of(at);
        const uint8_t *next = at + BYTES_AT_ONCE;
        if (m.high)
            break;
        for (uint64_t words = m.ascii; !r && words;) {
            unsigned from = (unsigned)__builtin_ctzll(words);
            uint64_t rest = ~(words >> from);
            unsigned n = rest ? (unsigned)__builtin_ctzll(rest) : BYTES_AT_ONCE;
            if (from + n >= BYTES_AT_ONCE) { /* it may go on: looked at again from its begin */
                next = at + from;
                break;
            }
            const uint8_t *w = at + from;
            r = add_ascii(b, w, n);
            if (!r && n <= 3 && w[n] == '.' && *w <= '9')
                r = add_address(b, begin, (const char *)w, n, end);
            words &= words + (UINT64_C(1) << from);
        }
        if (next == at)
            break;
        at = next;
    }
    *p = (const char *)at;
    return r;
}

/* add_words - as they stand. */
static int add_words(struct terms_builder *b, struct text t)
{
    const char *p = t.p, *end = t.p + t.n;
    int r = 0;
    while (!r && (r = add_ascii_words(b, t.p, &p, end)) == 0 && (p = to_word(p, end)) < end) {
        unsigned n;
        bool is_cut;
        r = make_room(b);
        const char *word = p;
        uint8_t *to = b->text + b->n_text;
        p = take_word(p, end, (char *)to, &n, &is_cut);
        if (!n)
            continue;
        bool is_number = n <= 3 && (size_t)(p - word) == n && *to >= '0' && *to <= '9';
        wait(b, n);
        if (!r && is_cut)
            r = add(b, TERM_LONG, 1);
        if (!r && is_number)
            r = add_address(b, t.p, word, n, end);
    }
    return r;
}

int terms_add_words(struct terms_builder *b, struct text t, uint32_t block)
{
    int r = go_to(b, block);
    return r ? r : add_words(b, t);
}

int terms_add_text(struct terms_builder *b, struct text t, uint32_t block)
{
    int r = terms_add_words(b, t, block);
    if (!r && !text_is_utf8(t.p, t.n))
        for (int k = 0; !r && k < TEXT_N_LEGACY; k++) { /* what else the bytes may say */
            buf_clear(&b->legacy);
            char *p = (char *)buf_room(&b->legacy, t.n);
            r = p ? add_words(b, (struct text){p, text_fold_legacy((enum text_legacy)k, t, p)}) : -ENOMEM;
        }
    return r;
}

int terms_add_value(struct terms_builder *b, struct text t, uint32_t block)
{
    char value[TERM_VALUE_MAX];
    int r = go_to(b, block);
    return r ? r : add(b, value, term_value(t, value));
}

/* --- sorting: by the first eight bytes at once, what is alike there by comparison ----------------------------------- */

struct key {
    uint64_t head;
    uint32_t term;
};

static void sort_heads(struct key *keys, struct key *spare, size_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t counts[256] = {0}, at = 0;
        for (size_t i = 0; i < n; i++)
            counts[keys[i].head >> shift & 255]++;
        for (unsigned k = 0; k < 256; k++) {
            size_t c = counts[k];
            counts[k] = at;
            at += c;
        }
        for (size_t i = 0; i < n; i++)
            spare[counts[keys[i].head >> shift & 255]++] = keys[i];
        struct key *swap = keys;
        keys = spare;
        spare = swap;
    }
}

static int compare_terms(const void *x, const void *y, void *context)
{
    const struct terms_builder *b = context;
    const struct entry *p = &b->entries[((const struct key *)x)->term], *q = &b->entries[((const struct key *)y)->term];
    int c = memcmp(b->bytes.p + p->at, b->bytes.p + q->at, p->n < q->n ? p->n : q->n);
    return c ? c : (p->n > q->n) - (p->n < q->n);
}

/* sorted - the terms in order. Return: keys, caller frees; NULL: no memory. */
static struct key *sorted(const struct terms_builder *b)
{
    struct key *keys = malloc((b->n + 1) * sizeof(*keys)), *spare = malloc((b->n + 1) * sizeof(*spare));
    for (size_t i = 0; keys && spare && i < b->n; i++)
        keys[i] = (struct key){b->entries[i].head, (uint32_t)i};
    if (keys && spare) {
        sort_heads(keys, spare, b->n); /* an even number of passes: the result is in keys */
        for (size_t i = 0, k; i < b->n; i = k) {
            for (k = i + 1; k < b->n && keys[k].head == keys[i].head; k++)
                ;
            if (k > i + 1)
                qsort_r(keys + i, k - i, sizeof(*keys), compare_terms, (void *)(uintptr_t)b);
        }
    }
    free(spare);
    if (!spare) {
        free(keys);
        return NULL;
    }
    return keys;
}

static unsigned shared_bytes(const uint8_t *a, unsigned n_a, const uint8_t *b, unsigned n_b)
{
    unsigned n = 0;
    while (n < n_a && n < n_b && a[n] == b[n])
        n++;
    return n;
}

int terms_write(struct terms_builder *b, uint32_t n_blocks, struct buf *heads, struct buf *body)
{
    if (flush(b))
        return -ENOMEM;
    struct key *keys = sorted(b);
    uint32_t *first = calloc(b->n + 2, sizeof(*first)); /* of each term's blocks */
    uint16_t *blocks = malloc((b->n_pairs + 1) * sizeof(*blocks));
    int r = keys && first && blocks ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < b->n; i++)
        first[i + 1] = first[i] + b->entries[i].n_blocks;
    for (size_t i = 0; !r && i < b->n_pairs; i++) /* first[t] moves to the end of t: the begin of t + 1 before */
        blocks[first[b->pairs[i]]++] = b->pair_blocks[i];
    const struct entry *before = NULL;
    for (size_t i = 0; !r && i < b->n; i++) {
        const struct entry *e = &b->entries[keys[i].term];
        const uint8_t *p = b->bytes.p + e->at;
        if (i % TERM_GROUP == 0) {
            uint32_t at = (uint32_t)body->n;
            buf_add(heads, &at, 4);
            before = NULL;
        }
        unsigned shared = before ? shared_bytes(b->bytes.p + before->at, before->n, p, e->n) : 0;
        buf_add_byte(body, (uint8_t)shared);
        buf_add_byte(body, (uint8_t)(e->n - shared));
        buf_add(body, p + shared, e->n - shared);
        block_list_put(body, blocks + first[keys[i].term] - e->n_blocks, e->n_blocks, n_blocks);
        before = e;
    }
    if (!r && (heads->is_bad || body->is_bad))
        r = -ENOMEM;
    free(keys);
    free(first);
    free(blocks);
    return r;
}
