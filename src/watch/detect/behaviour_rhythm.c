/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/behaviour_rhythm.h"

#include <math.h>
#include <stdlib.h>

enum { MIN_BEATS = 4, MAX_PARTS = 24, BEATS_A_PART = 4, MOST_MISSED = 6 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* quantile - of sorted values, linear between ranks. */
static double quantile(const double *v, uint32_t n, double q)
{
    double at = q * (n - 1);
    uint32_t i = (uint32_t)at;
    return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* spread - sorts @v. */
static void spread(double *v, uint32_t n, double *ret_median, double *ret_mad, double *ret_skew)
{
    double away[RHYTHM_MAX];
    qsort(v, n, sizeof(*v), by_value);
    double q1 = quantile(v, n, 0.25), q2 = quantile(v, n, 0.5), q3 = quantile(v, n, 0.75);
    for (uint32_t i = 0; i < n; i++)
        away[i] = fabs(v[i] - q2);
    qsort(away, n, sizeof(*away), by_value);
    *ret_median = q2;
    *ret_mad = quantile(away, n, 0.5);
    *ret_skew = q3 > q1 ? (q3 + q1 - 2 * q2) / (q3 - q1) : 0;
}

static double spread_score(double median, double mad, double skew)
{
    double tight = median > 0 ? fmax(0, 1 - mad / median) : mad > 0 ? 0 : 1;
    /* a skew of values that hardly differ says nothing */
    double even = median > 0 && mad / median < 0.05 ? 1 : 1 - fabs(skew);
    return (even + tight) / 2;
}

struct beat {
    double at_s, bytes;
};

/* join - beats within a second are one. Return: how many are left. */
static uint32_t join(double *at_s, double *bytes, uint32_t n)
{
    struct beat b[RHYTHM_MAX];
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++)
        b[i] = (struct beat){at_s[i], bytes[i]};
    qsort(b, n, sizeof(*b), by_value); /* at_s is the first member */
    for (uint32_t i = 0; i < n; i++) {
        if (left && b[i].at_s - at_s[left - 1] < 1) {
            bytes[left - 1] += b[i].bytes;
            continue;
        }
        at_s[left] = b[i].at_s;
        bytes[left++] = b[i].bytes;
    }
    return left;
}

static double evenness_of(const double *at_s, uint32_t n)
{
    uint32_t parts = n / BEATS_A_PART < MAX_PARTS ? n / BEATS_A_PART : MAX_PARTS, counts[MAX_PARTS] = {0};
    double span = at_s[n - 1] - at_s[0], sum = 0;
    if (parts < 2 || span <= 0)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t part = (uint32_t)((at_s[i] - at_s[0]) / span * parts);
        counts[part < parts ? part : parts - 1]++;
    }
    double mean = (double)n / parts;
    for (uint32_t i = 0; i < parts; i++)
        sum += (counts[i] - mean) * (counts[i] - mean);
    return fmax(0, 1 - sqrt(sum / parts) / mean);
}

/* fold - missed beats: an interval near k times the median counts as the median. Return: how many. */
static uint32_t fold(double *v, uint32_t n, double median)
{
    uint32_t folded = 0;
    for (uint32_t i = 0; i < n && median > 0; i++) {
        double k = round(v[i] / median);
        if (k < 2 || k > MOST_MISSED || fabs(v[i] / median - k) > 0.1 * k)
            continue;
        v[i] /= k;
        folded++;
    }
    return folded;
}

int rhythm_of(double *at_s, double *bytes, uint32_t n, struct rhythm *ret)
{
    double gaps[RHYTHM_MAX];
    *ret = (struct rhythm){0};
    if (n > RHYTHM_MAX)
        n = RHYTHM_MAX;
    n = ret->n = join(at_s, bytes, n);
    if (n < MIN_BEATS)
        return 1;
    ret->evenness = evenness_of(at_s, n);
    for (uint32_t i = 1; i < n; i++)
        gaps[i - 1] = at_s[i] - at_s[i - 1];
    spread(gaps, n - 1, &ret->interval_s, &ret->interval_mad_s, &ret->interval_skew);
    /* folding a wide spread would make rhythm out of noise */
    if (ret->interval_mad_s < 0.1 * ret->interval_s) {
        uint32_t folded = fold(gaps, n - 1, ret->interval_s);
        ret->folded_pct = 100.0 * folded / (n - 1);
        spread(gaps, n - 1, &ret->interval_s, &ret->interval_mad_s, &ret->interval_skew);
        ret->evenness = fmax(ret->evenness, folded ? 0.8 * (1 - (double)folded / n) : 0);
    }
    spread(bytes, n, &ret->size_bytes, &ret->size_mad_bytes, &ret->size_skew);
    ret->interval_score = spread_score(ret->interval_s, ret->interval_mad_s, ret->interval_skew);
    ret->size_score = spread_score(ret->size_bytes, ret->size_mad_bytes, ret->size_skew);
    ret->score = 0.5 * ret->interval_score + 0.2 * ret->size_score + 0.3 * ret->evenness;
    return 0;
}
