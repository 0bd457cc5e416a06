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
/* json_index_best - the fastest this processor has. */
size_t (*json_index_best(void))(struct json_scan *s, const char *p, size_t n);

/* json_escapes_are_right - every backslash of a string's inside begins an escape of RFC 8259, surrogates in pairs. */
bool json_escapes_are_right(struct text raw);
