/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/image - the compiled file behind a list and behind the own space.
 *
 * In:     rows (list_read.h), then one write to a descriptor; or a descriptor to map.
 * Out:    a file with magic, major.minor, byte-order mark and checksums: the merged sorted set of addresses
 *         (address_set), every entry as it stood, a heap of texts. The same rows and the same about-texts give
 *         the same bytes.
 * Limits: UINT32_MAX entries, rows numbered to UINT32_MAX, 4 GiB of texts. While building about 45 bytes per entry
 *         (20 of it while sorting); the mapped image costs no anonymous memory.
 */
#pragma once

#include "watch/indicator/list.h"
#include "watch/indicator/list_read.h"

#define IMAGE_MAGIC_LIST "VGLIST\r\n"
#define IMAGE_MAGIC_SPACE "VGSPACE\n"

enum image_section {
    IMAGE_V4,       /* uint32_t: singles outside every range, ascending, each once */
    IMAGE_V4_RANGES, /* struct v4_range: merged */
    IMAGE_V6,       /* struct ip_range: merged */
    IMAGE_SINGLE4,  /* struct image_entry4, by address, then row */
    IMAGE_RANGE4,   /* struct image_entry4, by first, widest first, then row */
    IMAGE_ENTRY6,   /* struct image_entry6, likewise */
    IMAGE_MAX4,     /* uint32_t: greatest last of each IMAGE_BLOCK entries of IMAGE_RANGE4 */
    IMAGE_MAX6,     /* struct ip: the same of IMAGE_ENTRY6 */
    IMAGE_EXTRA,    /* struct image_extra; number 0 says nothing */
    IMAGE_HEAP,     /* texts: 16 bits of length, bytes; offset 0 is the empty text */
    IMAGE_NAME_BUCKETS, /* uint32_t: first name of each bucket of keys by their upper bits, and the end; since minor 1 */
    IMAGE_NAMES,    /* struct image_name, by key, text, row */
    IMAGE_N_SECTIONS
};
#define IMAGE_BLOCK 64u
#define IMAGE_ALIGN 64u
#define IMAGE_MAJOR 1
#define IMAGE_MINOR 1
#define IMAGE_BYTE_ORDER 0x01020304u

struct image_entry4 {
    uint32_t first, last, extra, row;
    uint16_t port;
    uint8_t role, pad;
};

struct image_entry6 {
    struct ip first, last;
    uint32_t extra, row;
    uint16_t port;
    uint8_t role, pad;
};

struct image_name {
    uint64_t key; /* name_key */
    uint32_t text, extra, row; /* canonical text */
    uint16_t port;
    uint8_t role, kind;
};
_Static_assert(sizeof(struct image_name) == 24, "stored as it is");

struct image_extra {
    int64_t first_us, last_us;
    uint64_t count;
    uint32_t asn, family, unit, note, isp, province;
};

struct image_header {
    char magic[8];
    uint16_t major, minor;
    uint32_t byte_order;
    uint64_t n_bytes, body_checksum;
    uint32_t version, kind;
    int64_t date_us, valid_until_us, added_us;
    uint64_t n_entries, n_addresses_v4;
    uint32_t name, letter, source, family, file_name, pad;
    struct {
        uint64_t offset, count;
    } sections[IMAGE_N_SECTIONS];
    uint8_t reserved[512 - 104 - 16 * IMAGE_N_SECTIONS - 8];
    uint64_t checksum; /* of the bytes before it */
};
_Static_assert(sizeof(struct image_header) == 512, "the header is one fixed block");

#define IMAGE_RECENT 4096u

struct image_builder {
    struct image_entry4 *single4, *range4;
    struct image_entry6 *entry6;
    struct image_extra *extra;
    struct image_name *names;
    size_t n_single4, n_range4, n_entry6, n_extra, n_names;
    size_t room_single4, room_range4, room_entry6, room_extra, room_names;
    struct buf_heap {
        uint8_t *p;
        size_t n, room;
    } heap;
    uint32_t recent_text[IMAGE_RECENT], recent_extra[IMAGE_RECENT]; /* last offset or number of this hash */
};

/* image_builder_init - the builder is about 33 KiB: not for small stacks. fini may follow a failed init. Return: 0 or -ENOMEM. */
int image_builder_init(struct image_builder *b);
void image_builder_fini(struct image_builder *b);
/* image_builder_add - Return: 0, -ENOMEM, or -EFBIG (row number, entries or texts past the limit). */
int image_builder_add(struct image_builder *b, const struct list_row *row);

/* image_builder_duplicates - calls @each for every entry whose range and role an earlier row gave. After image_builder_sort. */
void image_builder_duplicates(const struct image_builder *b, void (*each)(void *context, uint64_t row, const struct ip_range *r),
                              void *context);
/* image_builder_same_names - the same for names. */
void image_builder_same_names(const struct image_builder *b, void (*each)(void *context, uint64_t row, struct text name), void *context);
/* image_builder_sort - Return: 0 or -ENOMEM. */
int image_builder_sort(struct image_builder *b);
/*
 * image_builder_write - the image into @fd (empty, at offset 0); not synced. @h carries version, kind, times; sorted rows only.
 * Return: 0 or -errno.
 */
struct image_about {
    const char *magic;
    uint32_t version;
    enum list_kind kind;
    int64_t date_us, valid_until_us, added_us;
    struct text name, letter, source, family, file_name;
};
int image_builder_write(struct image_builder *b, int fd, const struct image_about *about);

struct image {
    const struct image_header *h; /* the mapping */
    size_t n_bytes;
    struct address_set set;
    const void *section[IMAGE_N_SECTIONS];
    size_t count[IMAGE_N_SECTIONS];
};

/* image_map - checks everything the header claims and both checksums. @what names the file. Return: 0 or -errno with the fault. */
int image_map(int fd, const char *magic, const char *what, struct image *ret, struct fault *f);
void image_unmap(struct image *im);
struct text image_text(const struct image *im, uint32_t offset);

/*
 * image_cover - every entry that covers @a, in no promised order.
 * Cost: a binary search and the hits; for nests of ranges that end before @a at worst a 64th of the ranges.
 */
typedef void (*image_hit)(void *context, const struct list_entry *e);
void image_cover(const struct image *im, const struct ip *a, image_hit hit, void *context);
/* image_name_range - the names whose key is @key: [from, to) of IMAGE_NAMES. */
void image_name_range(const struct image *im, uint64_t key, size_t *ret_from, size_t *ret_to);
/* image_entry - Return: 0, or 1 (no such entry). */
int image_entry(const struct image *im, uint64_t i, struct list_entry *ret);
/* image_compare_width - by how many addresses they hold; <0: @a is the narrower. */
int image_compare_width(const struct ip_range *a, const struct ip_range *b);
/* list_image - what a list is made of, for its siblings in this room. */
const struct image *list_image(const struct list *l);
