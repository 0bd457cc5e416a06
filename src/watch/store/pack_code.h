/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/pack_code - the work of pack.h as compiled for one kind of processor; for pack*.c only.
 */
#pragma once

#include "watch/store/pack.h"

/* what the mini-blocks before in the same array were best packed as: the next is likely to be so too; zero at first */
struct pack_advice {
    bool is_quick; /* look for runs only, and among narrow values not even for them */
    bool is_set;
    unsigned form, width; /* patched: of the low bits */
    size_t bytes;
};

struct pack_code {
    size_t (*put_mini8)(const uint8_t *v, uint32_t n, struct pack_advice *a, uint8_t *out);
    size_t (*put_mini16)(const uint16_t *v, uint32_t n, struct pack_advice *a, uint8_t *out);
    size_t (*put_mini32)(const uint32_t *v, uint32_t n, struct pack_advice *a, uint8_t *out);
    size_t (*put_mini64)(const uint64_t *v, uint32_t n, struct pack_advice *a, uint8_t *out);
    int (*get_mini32)(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t *out);
    int (*get_mini64)(const uint8_t *p, size_t n_bytes, uint32_t n, uint64_t *out);
    int (*get_one)(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t i, uint64_t *ret);
    size_t (*put_lanes)(const uint32_t *v, uint32_t n, unsigned width, uint8_t *out);
    void (*get_lanes)(const uint8_t *p, uint32_t n, unsigned width, uint32_t *out);
    void (*get_deltas)(const uint8_t *p, uint32_t n, unsigned width, uint32_t first, uint32_t *out);
    void (*bounds8)(const uint8_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max);
    void (*bounds16)(const uint16_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max);
    void (*bounds32)(const uint32_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max);
    void (*bounds64)(const uint64_t *v, uint32_t n, uint64_t turn, uint64_t *ret_min, uint64_t *ret_max);
    size_t (*mark_common)(const uint32_t *v, uint32_t n, const uint32_t *keys, size_t n_keys, uint32_t last, uint64_t *bits);
    int (*mark_keys)(const uint8_t *p, size_t n_bytes, uint32_t n, const uint32_t *keys, uint32_t n_keys, uint64_t *bits);
};

/* any processor; AVX2 and BMI2; AVX-512 F, BW, DQ and VL with them */
extern const struct pack_code pack_code_plain, pack_code_fast, pack_code_wide;
