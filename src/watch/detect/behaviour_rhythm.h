/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_rhythm - how regular a row of points in time is.
 *
 * In:     times and sizes of up to RHYTHM_MAX beats.
 * Out:    a score 0..1 and the figures behind it.
 * How:    beats within one second are one. Intervals: Bowley skewness and median absolute deviation over the median (robust
 *         dispersion, as RITA does), after intervals near a multiple of the median were folded (missed beats). Sizes: the same.
 *         Evenness: 1 - coefficient of variation of beats per equal part of the span.
 *         score = 0.5 (1 - |skew| + 1 - mad/median)/2 + 0.2 (the same of sizes) + 0.3 evenness.
 *         A jitter of +-50 % scores about 0.9, a Poisson process about 0.6, bursts of a person lower.
 * Source: RITA (Active Countermeasures), "beacon score"; Bowley, Elements of Statistics (1901).
 */
#pragma once

#include <stdint.h>

#define RHYTHM_MAX 128u

struct rhythm {
    double score, interval_score, size_score, evenness;
    double interval_s, interval_mad_s, interval_skew, folded_pct;
    double size_bytes, size_mad_bytes, size_skew;
    uint32_t n; /* beats, those within a second as one */
};

/* rhythm_of - @at_s, @bytes of @n beats in any order, both sorted or changed in place. Return: 0, or 1 (fewer than 4 beats). */
int rhythm_of(double *at_s, double *bytes, uint32_t n, struct rhythm *ret);
