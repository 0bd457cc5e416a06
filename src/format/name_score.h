/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/name_score - how much a registered label looks as if a program had drawn it.
 *
 * In:     the table of content/names/model.txt (untrusted text, made by tools/train_names.py), then labels in lower case.
 * Out:    0..1: a logistic regression over how surprising the letters are after each other (trigrams of ordinary names and
 *         Vietnamese syllables), length, digits, vowels, runs of consonants, entropy.
 * Limits: labels of letters, digits and hyphens that are not punycode; NAME_SCORE_MAX bytes. Names put together from words of a
 *         dictionary score as ordinary ones: this cannot tell them. No allocation, no I/O, no global state.
 * Fuzz:   tests/fuzz/names.c
 */
#pragma once

#include "base/text.h"

#define NAME_SCORE_MAX 63u /* a label */
#define NAME_SYMBOLS 38u
#define NAME_WEIGHTS 18u

struct name_model {
    uint8_t surprise[NAME_SYMBOLS * NAME_SYMBOLS][NAME_SYMBOLS]; /* -log2 p in quarters of a bit */
    double weights[NAME_WEIGHTS];
};

/*
 * name_model_parse - @ret is whole only when 0 is returned. @ret_line: the line at fault, 1-based (0: something is missing).
 * Return: 0 or 1.
 */
int name_model_parse(struct name_model *ret, struct text t, uint32_t *ret_line);
/* name_score - Return: 0; 1 (NAME_SCORE_NONE: not a label that can be judged). */
#define NAME_SCORE_NONE 1
int name_score(const struct name_model *m, struct text label, double *ret);
