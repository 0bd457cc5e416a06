/* SPDX-License-Identifier: Apache-2.0 */
/* Regularity of points whose making is known. */
#include "cmocka_house.h"

#include "watch/detect/behaviour_rhythm.h"

#include <math.h>
#include <stdio.h>

struct beats {
    double at[RHYTHM_MAX], bytes[RHYTHM_MAX];
    uint32_t n;
};

static double uniform(uint64_t *s)
{
    return (double)(next_random(s) >> 11) / (double)(UINT64_C(1) << 53);
}

/* make - @n beats a @period apart, each gap off by up to +-@jitter of it; every @miss th is missed (0: none). */
static struct beats make(uint64_t *s, uint32_t n, double period, double jitter, unsigned miss)
{
    struct beats b = {.n = 0};
    double t = 0;
    for (unsigned i = 1; b.n < n; i++) {
        t += period * (1 + jitter * (2 * uniform(s) - 1));
        if (miss && i % miss == 0)
            continue;
        b.at[b.n] = t;
        b.bytes[b.n++] = 500;
    }
    return b;
}

static void a_clock_scores_one(void **state)
{
    uint64_t s = seed();
    struct rhythm r;
    struct beats b = make(&s, 100, 60, 0, 0);
    (void)state;
    assert_int_equal(rhythm_of(b.at, b.bytes, b.n, &r), 0);
    assert_true(fabs(r.interval_s - 60) < 1e-6);
    assert_true(r.interval_mad_s < 1e-6);
    assert_true(r.interval_score > 0.999 && r.size_score > 0.999 && r.evenness > 0.9 && r.score > 0.95);
    assert_int_equal(r.n, 100);
}

/* Half the gaps of a uniform +-j lie within j/2 of the period: mad/median is j/2. */
static void a_known_jitter_gives_its_known_dispersion(void **state)
{
    static const double jitters[] = {0.1, 0.2, 0.3, 0.5};
    uint64_t s = seed();
    (void)state;
    for (size_t k = 0; k < COUNT_OF(jitters); k++) {
        double mad = 0, score = 0;
        for (unsigned i = 0; i < 40; i++) {
            struct rhythm r;
            struct beats b = make(&s, 120, 300, jitters[k], 0);
            assert_int_equal(rhythm_of(b.at, b.bytes, b.n, &r), 0);
            mad += r.interval_mad_s / r.interval_s / 40;
            score += r.score / 40;
        }
        if (fabs(mad - jitters[k] / 2) > 0.03 || score < 0.85)
            fail_msg("jitter %g: mad/median %g, score %g, seed %llu", jitters[k], mad, score, (unsigned long long)seed());
    }
}

static void missed_beats_are_folded(void **state)
{
    uint64_t s = seed();
    struct rhythm r;
    struct beats b = make(&s, 100, 60, 0.02, 5);
    (void)state;
    assert_int_equal(rhythm_of(b.at, b.bytes, b.n, &r), 0);
    assert_true(fabs(r.interval_s - 60) < 1);
    assert_true(r.folded_pct > 20 && r.folded_pct < 30); /* every fourth gap is a double one */
    assert_true(r.score > 0.9);
}

/* Gaps of a Poisson process: mad/median = 0.4812/0.6931, Bowley skewness log(4/3)/log(3). */
static void chance_is_no_rhythm(void **state)
{
    uint64_t s = seed();
    double score = 0, mad = 0, most = 0;
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        struct rhythm r;
        struct beats b = {.n = 120};
        double t = 0;
        for (uint32_t k = 0; k < b.n; k++) {
            t += -300 * log(1 - uniform(&s));
            b.at[k] = t;
            b.bytes[k] = 500;
        }
        assert_int_equal(rhythm_of(b.at, b.bytes, b.n, &r), 0);
        score += r.score / 60;
        mad += r.interval_mad_s / r.interval_s / 60;
        most = r.score > most ? r.score : most;
    }
    assert_true(fabs(mad - 0.4812 / 0.6931) < 0.05);
    assert_true(score < 0.68);
    assert_true(most < 0.80); /* below the limit content/behaviour.yaml sets */
}

static void bursts_of_a_person_are_no_rhythm(void **state)
{
    uint64_t s = seed();
    struct rhythm r;
    struct beats b = {.n = 0};
    double t = 0;
    (void)state;
    while (b.n < 120) { /* a page and its parts, then reading */
        t += 30 + 600 * uniform(&s);
        for (unsigned i = 0; i < 6 && b.n < 120; i++) {
            t += 1 + 2 * uniform(&s);
            b.at[b.n] = t;
            b.bytes[b.n++] = 300 + 4000 * uniform(&s);
        }
    }
    assert_int_equal(rhythm_of(b.at, b.bytes, b.n, &r), 0);
    assert_true(r.score < 0.7);
}

static void order_does_not_matter_and_beats_of_one_second_are_one(void **state)
{
    uint64_t s = seed();
    struct rhythm one, other;
    struct beats b = make(&s, 60, 100, 0.2, 0), c = b;
    (void)state;
    for (uint32_t i = 0; i < 60; i++) { /* backwards, each twice */
        c.at[i] = b.at[59 - i];
        c.at[60 + i] = b.at[i] + 0.4;
        c.bytes[i] = c.bytes[60 + i] = 250;
    }
    assert_int_equal(rhythm_of(b.at, b.bytes, 60, &one), 0);
    assert_int_equal(rhythm_of(c.at, c.bytes, 120, &other), 0);
    assert_int_equal(other.n, 60);
    assert_true(fabs(one.score - other.score) < 1e-9);
    assert_int_equal(rhythm_of(b.at, b.bytes, 3, &one), 1);
    assert_int_equal(rhythm_of(b.at, b.bytes, 0, &one), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_scores_one),
        cmocka_unit_test(a_known_jitter_gives_its_known_dispersion),
        cmocka_unit_test(missed_beats_are_folded),
        cmocka_unit_test(chance_is_no_rhythm),
        cmocka_unit_test(bursts_of_a_person_are_no_rhythm),
        cmocka_unit_test(order_does_not_matter_and_beats_of_one_second_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
