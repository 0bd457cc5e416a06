/* SPDX-License-Identifier: Apache-2.0 */
/* format/json_scan_own - what json_scan.c and json_scan_index.c share; nobody else includes it. */
#pragma once

#include "format/json_scan.h"

/*
 * json_index_... - offsets of everything that is outside strings and no blank (of a number or word its first byte),
 * and of both quotes of a string, into s->index; backslashes into s->escapes; s->has_high and s->has_escapes.
 * Return: how many; SIZE_MAX if a string is not closed or holds a control character.
 */
size_t json_index_plain(struct json_scan *s, const char *p, size_t n);
typedef size_t (*json_index)(struct json_scan *s, const char *p, size_t n);
enum json_index_kind { JSON_INDEX_PLAIN, JSON_INDEX_AVX2, JSON_INDEX_AVX512 };
/* json_index_of - NULL if this processor cannot. json_index_best - the fastest it has. */
json_index json_index_of(enum json_index_kind kind);
json_index json_index_best(void);

/* json_escapes_are_right - every backslash of a string's inside begins an escape of RFC 8259, surrogates in pairs. */
bool json_escapes_are_right(struct text raw);
