/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate/tokens - who may push: bearer tokens (RFC 6750), of which only hashes are kept.
 *
 * In:     a file: a line a sender, "name token" or "name sha256:<64 hexadecimal digits>"; blank lines and # are skipped.
 * Out:    the name that belongs to a token.
 * Limits: GATE_TOKENS_MAX senders; tokens of GATE_TOKEN_MIN bytes or more, so that they cannot be guessed. Comparison takes the
 *         same time whatever is wrong. No I/O, no logging, no allocation.
 */
#pragma once

#include "base/fault.h"
#include "base/sha256.h"
#include "base/text.h"

#define GATE_TOKENS_MAX 256u
#define GATE_TOKEN_MIN 20u
#define GATE_TOKEN_NAME_MAX 64u

struct gate_tokens {
    size_t n;
    struct {
        struct sha256 hash;
        char name[GATE_TOKEN_NAME_MAX];
    } all[GATE_TOKENS_MAX];
};

/* gate_tokens_parse - @file: for the fault. Return: 0, or 1 (the fault names the line, never the token). */
int gate_tokens_parse(struct gate_tokens *t, const char *file, struct text content, struct fault *f);
/* gate_tokens_name - of a bearer token. Return: NULL: nobody's. */
const char *gate_tokens_name(const struct gate_tokens *t, struct text token);
