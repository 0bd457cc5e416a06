/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/sigma_value - what modifiers do to one value: marks put around, dashes opened, encodings applied.
 *
 * Patterns are texts with the marks of format/sigma.h. Results live in @arena.
 * Return of all: 0; 1 (the text cannot take it: wildcards inside an encoding, or too long); -ENOMEM.
 */
#pragma once

#include "format/sigma.h"

/* sigma_value_open - any run of characters before, behind. */
int sigma_value_open(struct arena *arena, bool at_start, bool at_end, struct text *t);
/* sigma_value_windash - every dash and slash becomes SIGMA_DASH. */
int sigma_value_windash(struct arena *arena, struct text *t);
enum sigma_utf16 { SIGMA_UTF16LE, SIGMA_UTF16BE, SIGMA_UTF16_BOM };
/* @is_last: nothing encodes the bytes further: what would be a mark becomes another byte that no text holds. */
int sigma_value_utf16(struct arena *arena, enum sigma_utf16 how, bool is_last, struct text *t);
/* @is_bytes, here and below: the text was encoded before and holds no marks but bytes. */
int sigma_value_base64(struct arena *arena, bool is_bytes, struct text *t);
/* sigma_value_base64_offset - the part of the encoding that does not depend on its surroundings, @shift 0..2 bytes in. */
int sigma_value_base64_offset(struct arena *arena, unsigned shift, bool is_bytes, struct text t, struct text *ret);
/* sigma_value_has_marks */
bool sigma_value_has_marks(struct text t);
