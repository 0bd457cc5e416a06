/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/part_numbers - the distinct addresses of one part of a segment, numbered as its records come.
 *
 * A hash table that fits the cache gives the number; what is known of the address stands in an array by number. The
 * hash has a secret factor: no exporter can make all addresses of a part meet.
 *
 * Records of family 4 go sixteen at a time where the processor has AVX-512; the file becomes the same in any case.
 */
#pragma once

#include "watch/store/block_records.h"

struct number_slot {
    uint32_t key;    /* the address; family 6: bits of its hash */
    uint32_t number; /* 1..n; 0: free */
};

/*
 * What is known of an address. First: the AS number and prefix length the first row said, the last block that has it plus
 * one, and how many have it. When all records of the part are known: code, and place of its next posting.
 */
struct address {
    union {
        uint32_t as, code;
    };
    union {
        uint32_t state, place;
    };
};

/* state: prefix length; the block; what was said; how many blocks */
enum { ADDRESS_LAST_SHIFT = 8, ADDRESS_COUNT_SHIFT = 22 };
#define ADDRESS_MASK UINT32_C(0xff)
#define ADDRESS_LAST (UINT32_C(0x3ff) << ADDRESS_LAST_SHIFT)
#define ADDRESS_HAS_AS (UINT32_C(1) << 18)
#define ADDRESS_HAS_MASK (UINT32_C(1) << 19)
#define ADDRESS_BLOCKS_MAX 1022u

struct part_numbers {
    int family;
    uint64_t factors[2];
    struct number_slot *slots;
    size_t n_slots, slots_room;
    unsigned shift; /* of a hash to a slot */
    uint32_t n;     /* addresses of the part */
    struct address *of; /* by number */
    struct wide *wide;  /* family 6: by number */
};

/* the records of a block in the part */
struct part_block {
    uint32_t block; /* 0..ADDRESS_BLOCKS_MAX - 1, ascending */
    uint32_t n;
    void *records;  /* struct record4 or record6; the key becomes the number */
    uint32_t says[PLACES_MAX / FLOW_BATCH_ROWS]; /* by column of the places: ADDRESS_HAS_AS, ADDRESS_HAS_MASK */
    uint32_t *seen; /* out: the numbers of the block, each once; room for n + 16 */
};

/* part_numbers_init - room for parts of up to @n records. Return: 0 or -ENOMEM; fini in any case. */
int part_numbers_init(struct part_numbers *p, int family, size_t n);
void part_numbers_fini(struct part_numbers *p);
/* part_numbers_begin - the next part, of @n_records. Return: 0 or -ENOMEM. */
int part_numbers_begin(struct part_numbers *p, size_t n_records);
/* part_numbers_add - one block's records. Return: 0 or -ENOMEM; @ret_n: numbers in @seen. */
int part_numbers_add(struct part_numbers *p, const struct part_block *b, uint32_t *ret_n);
