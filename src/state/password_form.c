/* SPDX-License-Identifier: Apache-2.0 */
#include "state/password_form.h"

#include <string.h>

/* Unicode's canonical combining classes of the marks of Vietnamese: by them marks behind one letter are ordered */
static const struct mark {
    uint16_t c;
    uint8_t class;
} MARKS[] = {{0, 0}, {0x300, 230}, {0x301, 230}, {0x302, 230}, {0x303, 230}, {0x306, 230}, {0x309, 230}, {0x31b, 216}, {0x323, 220}};

/* letters that are written as one sign: the letter and one or two places in MARKS (Unicode 15, canonical decompositions) */
static const struct letter {
    uint16_t c;
    char base;
    uint8_t first, second;
} LETTERS[] = {
    {0xc0, 'A', 1, 0}, {0xc1, 'A', 2, 0}, {0xc2, 'A', 3, 0}, {0xc3, 'A', 4, 0}, {0xc8, 'E', 1, 0}, {0xc9, 'E', 2, 0}, {0xca, 'E', 3, 0},
    {0xcc, 'I', 1, 0}, {0xcd, 'I', 2, 0}, {0xce, 'I', 3, 0}, {0xd1, 'N', 4, 0}, {0xd2, 'O', 1, 0}, {0xd3, 'O', 2, 0}, {0xd4, 'O', 3, 0},
    {0xd5, 'O', 4, 0}, {0xd9, 'U', 1, 0}, {0xda, 'U', 2, 0}, {0xdb, 'U', 3, 0}, {0xdd, 'Y', 2, 0}, {0xe0, 'a', 1, 0}, {0xe1, 'a', 2, 0},
    {0xe2, 'a', 3, 0}, {0xe3, 'a', 4, 0}, {0xe8, 'e', 1, 0}, {0xe9, 'e', 2, 0}, {0xea, 'e', 3, 0}, {0xec, 'i', 1, 0}, {0xed, 'i', 2, 0},
    {0xee, 'i', 3, 0}, {0xf1, 'n', 4, 0}, {0xf2, 'o', 1, 0}, {0xf3, 'o', 2, 0}, {0xf4, 'o', 3, 0}, {0xf5, 'o', 4, 0}, {0xf9, 'u', 1, 0},
    {0xfa, 'u', 2, 0}, {0xfb, 'u', 3, 0}, {0xfd, 'y', 2, 0}, {0x102, 'A', 5, 0}, {0x103, 'a', 5, 0}, {0x106, 'C', 2, 0},
    {0x107, 'c', 2, 0}, {0x108, 'C', 3, 0}, {0x109, 'c', 3, 0}, {0x114, 'E', 5, 0}, {0x115, 'e', 5, 0}, {0x11c, 'G', 3, 0},
    {0x11d, 'g', 3, 0}, {0x11e, 'G', 5, 0}, {0x11f, 'g', 5, 0}, {0x124, 'H', 3, 0}, {0x125, 'h', 3, 0}, {0x128, 'I', 4, 0},
    {0x129, 'i', 4, 0}, {0x12c, 'I', 5, 0}, {0x12d, 'i', 5, 0}, {0x134, 'J', 3, 0}, {0x135, 'j', 3, 0}, {0x139, 'L', 2, 0},
    {0x13a, 'l', 2, 0}, {0x143, 'N', 2, 0}, {0x144, 'n', 2, 0}, {0x14e, 'O', 5, 0}, {0x14f, 'o', 5, 0}, {0x154, 'R', 2, 0},
    {0x155, 'r', 2, 0}, {0x15a, 'S', 2, 0}, {0x15b, 's', 2, 0}, {0x15c, 'S', 3, 0}, {0x15d, 's', 3, 0}, {0x168, 'U', 4, 0},
    {0x169, 'u', 4, 0}, {0x16c, 'U', 5, 0}, {0x16d, 'u', 5, 0}, {0x174, 'W', 3, 0}, {0x175, 'w', 3, 0}, {0x176, 'Y', 3, 0},
    {0x177, 'y', 3, 0}, {0x179, 'Z', 2, 0}, {0x17a, 'z', 2, 0}, {0x1a0, 'O', 7, 0}, {0x1a1, 'o', 7, 0}, {0x1af, 'U', 7, 0},
    {0x1b0, 'u', 7, 0}, {0x1f4, 'G', 2, 0}, {0x1f5, 'g', 2, 0}, {0x1f8, 'N', 1, 0}, {0x1f9, 'n', 1, 0}, {0x1ea0, 'A', 8, 0},
    {0x1ea1, 'a', 8, 0}, {0x1ea2, 'A', 6, 0}, {0x1ea3, 'a', 6, 0}, {0x1ea4, 'A', 3, 2}, {0x1ea5, 'a', 3, 2}, {0x1ea6, 'A', 3, 1},
    {0x1ea7, 'a', 3, 1}, {0x1ea8, 'A', 3, 6}, {0x1ea9, 'a', 3, 6}, {0x1eaa, 'A', 3, 4}, {0x1eab, 'a', 3, 4}, {0x1eac, 'A', 8, 3},
    {0x1ead, 'a', 8, 3}, {0x1eae, 'A', 5, 2}, {0x1eaf, 'a', 5, 2}, {0x1eb0, 'A', 5, 1}, {0x1eb1, 'a', 5, 1}, {0x1eb2, 'A', 5, 6},
    {0x1eb3, 'a', 5, 6}, {0x1eb4, 'A', 5, 4}, {0x1eb5, 'a', 5, 4}, {0x1eb6, 'A', 8, 5}, {0x1eb7, 'a', 8, 5}, {0x1eb8, 'E', 8, 0},
    {0x1eb9, 'e', 8, 0}, {0x1eba, 'E', 6, 0}, {0x1ebb, 'e', 6, 0}, {0x1ebc, 'E', 4, 0}, {0x1ebd, 'e', 4, 0}, {0x1ebe, 'E', 3, 2},
    {0x1ebf, 'e', 3, 2}, {0x1ec0, 'E', 3, 1}, {0x1ec1, 'e', 3, 1}, {0x1ec2, 'E', 3, 6}, {0x1ec3, 'e', 3, 6}, {0x1ec4, 'E', 3, 4},
    {0x1ec5, 'e', 3, 4}, {0x1ec6, 'E', 8, 3}, {0x1ec7, 'e', 8, 3}, {0x1ec8, 'I', 6, 0}, {0x1ec9, 'i', 6, 0}, {0x1eca, 'I', 8, 0},
    {0x1ecb, 'i', 8, 0}, {0x1ecc, 'O', 8, 0}, {0x1ecd, 'o', 8, 0}, {0x1ece, 'O', 6, 0}, {0x1ecf, 'o', 6, 0}, {0x1ed0, 'O', 3, 2},
    {0x1ed1, 'o', 3, 2}, {0x1ed2, 'O', 3, 1}, {0x1ed3, 'o', 3, 1}, {0x1ed4, 'O', 3, 6}, {0x1ed5, 'o', 3, 6}, {0x1ed6, 'O', 3, 4},
    {0x1ed7, 'o', 3, 4}, {0x1ed8, 'O', 8, 3}, {0x1ed9, 'o', 8, 3}, {0x1eda, 'O', 7, 2}, {0x1edb, 'o', 7, 2}, {0x1edc, 'O', 7, 1},
    {0x1edd, 'o', 7, 1}, {0x1ede, 'O', 7, 6}, {0x1edf, 'o', 7, 6}, {0x1ee0, 'O', 7, 4}, {0x1ee1, 'o', 7, 4}, {0x1ee2, 'O', 7, 8},
    {0x1ee3, 'o', 7, 8}, {0x1ee4, 'U', 8, 0}, {0x1ee5, 'u', 8, 0}, {0x1ee6, 'U', 6, 0}, {0x1ee7, 'u', 6, 0}, {0x1ee8, 'U', 7, 2},
    {0x1ee9, 'u', 7, 2}, {0x1eea, 'U', 7, 1}, {0x1eeb, 'u', 7, 1}, {0x1eec, 'U', 7, 6}, {0x1eed, 'u', 7, 6}, {0x1eee, 'U', 7, 4},
    {0x1eef, 'u', 7, 4}, {0x1ef0, 'U', 7, 8}, {0x1ef1, 'u', 7, 8}, {0x1ef2, 'Y', 1, 0}, {0x1ef3, 'y', 1, 0}, {0x1ef4, 'Y', 8, 0},
    {0x1ef5, 'y', 8, 0}, {0x1ef6, 'Y', 6, 0}, {0x1ef7, 'y', 6, 0}, {0x1ef8, 'Y', 4, 0}, {0x1ef9, 'y', 4, 0},
};

static const struct letter *find(uint32_t c)
{
    size_t low = 0, high = sizeof(LETTERS) / sizeof(*LETTERS);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (LETTERS[middle].c < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof(LETTERS) / sizeof(*LETTERS) && LETTERS[low].c == c ? &LETTERS[low] : NULL;
}

static uint8_t class_of(uint32_t c)
{
    for (size_t i = 1; i < sizeof(MARKS) / sizeof(*MARKS); i++)
        if (MARKS[i].c == c)
            return MARKS[i].class;
    return 0;
}

/* put - @c behind what is there; a mark goes before those of a higher class that stand behind the same letter. */
static size_t put(uint32_t *out, size_t n, uint32_t c)
{
    uint8_t class = class_of(c);
    size_t at = n;
    while (class && at && class_of(out[at - 1]) > class)
        at--;
    memmove(out + at + 1, out + at, (n - at) * sizeof(*out));
    out[at] = c;
    return n + 1;
}

size_t password_form(struct text t, char out[PASSWORD_FORM_MAX])
{
    uint32_t signs[PASSWORD_MAX * 2 + 2];
    size_t n = 0, n_out = 0;
    const char *p = t.p, *end = p + (t.n < PASSWORD_MAX ? t.n : PASSWORD_MAX);
    if (!t.n || !text_is_utf8(p, (size_t)(end - p))) { /* as it is */
        memcpy(out, t.n ? p : "", (size_t)(end - p));
        return (size_t)(end - p);
    }
    while (p < end) {
        uint32_t c = text_next(&p, end);
        const struct letter *l = find(c);
        n = put(signs, n, l ? (uint32_t)(uint8_t)l->base : c);
        if (l)
            n = put(signs, n, MARKS[l->first].c);
        if (l && l->second)
            n = put(signs, n, MARKS[l->second].c);
    }
    for (size_t i = 0; i < n; i++)
        n_out += text_put(signs[i], out + n_out);
    explicit_bzero(signs, sizeof(signs));
    return n_out;
}
