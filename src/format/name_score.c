/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same arithmetic as tools/train_names.py, which learns the weights: change both or none.
 */
#include "format/name_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_BASE = 13 }; /* features; the other weights are of products of them */

static const char *const weight_names[NAME_WEIGHTS] = {
    "bias", "surprise_mean", "surprise_sum", "surprise_top", "length", "digits", "switches", "vowels", "consonant_run",
    "entropy", "is_hex", "alternates", "repeats", "surprise_mean*length", "alternates*surprise_sum", "vowels*length",
    "entropy*length", "surprise_mean^2",
};

static const char alphabet[] = "^abcdefghijklmnopqrstuvwxyz0123456789-";
static const char steps[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/";

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_vowel(char c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y';
}

/* symbol - 0 for what no label holds (the mark of the ends is 0 too). */
static unsigned symbol(char c)
{
    if (is_letter(c))
        return (unsigned)(c - 'a') + 1;
    if (is_digit(c))
        return (unsigned)(c - '0') + 27;
    return c == '-' ? 37 : 0;
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

static int index_in(const char *set, char c)
{
    const char *at = c ? strchr(set, c) : NULL;
    return at ? (int)(at - set) : -1;
}

/* parse_row - "ab 38 digits". Return: 0 or 1; @ret_row which. */
static int parse_row(struct name_model *m, struct text t, unsigned *ret_row)
{
    if (t.n != 3 + NAME_SYMBOLS || t.p[2] != ' ')
        return 1;
    int a = index_in(alphabet, t.p[0]), b = index_in(alphabet, t.p[1]);
    if (a < 0 || b < 0)
        return 1;
    *ret_row = (unsigned)a * NAME_SYMBOLS + (unsigned)b;
    for (unsigned i = 0; i < NAME_SYMBOLS; i++) {
        int v = index_in(steps, t.p[3 + i]);
        if (v < 0)
            return 1;
        m->surprise[*ret_row][i] = (uint8_t)v;
    }
    return 0;
}

/* parse_weight - "name number". Return: 0 or 1; @ret_which. */
static int parse_weight(struct name_model *m, struct text t, unsigned *ret_which)
{
    char number[40];
    const char *blank = t.n ? memchr(t.p, ' ', t.n) : NULL;
    if (!blank)
        return 1;
    struct text name = {t.p, (size_t)(blank - t.p)};
    size_t n = t.n - name.n - 1;
    if (!n || n >= sizeof(number))
        return 1;
    memcpy(number, blank + 1, n);
    number[n] = 0;
    char *end;
    double v = strtod(number, &end);
    if (end != number + n || !isfinite(v) || fabs(v) > 1e6)
        return 1;
    for (unsigned i = 0; i < NAME_WEIGHTS; i++)
        if (text_is(name, weight_names[i])) {
            m->weights[i] = v;
            *ret_which = i;
            return 0;
        }
    return 1;
}

static bool begins(struct text t, const char *with, struct text *ret_rest)
{
    size_t n = strlen(with);
    if (t.n < n || memcmp(t.p, with, n) != 0)
        return false;
    *ret_rest = (struct text){t.p + n, t.n - n};
    return true;
}

int name_model_parse(struct name_model *m, struct text t, uint32_t *ret_line)
{
    bool has_row[NAME_SYMBOLS * NAME_SYMBOLS] = {false};
    unsigned has_weight = 0, n_rows = 0, which = 0;
    for (*ret_line = 1; t.n; ++*ret_line) {
        const char *end = memchr(t.p, '\n', t.n);
        size_t n = end ? (size_t)(end - t.p) : t.n;
        struct text line = {t.p, n}, rest;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        n += end != NULL;
        t = (struct text){t.p + n, t.n - n};
        if (!line.n || line.p[0] == '#')
            continue;
        if (begins(line, "row ", &rest)) {
            if (parse_row(m, rest, &which))
                return 1;
            n_rows += !has_row[which];
            has_row[which] = true;
        } else if (begins(line, "weight ", &rest)) {
            if (parse_weight(m, rest, &which))
                return 1;
            has_weight |= 1u << which;
        } else if (!begins(line, "alphabet ", &rest) || !text_is(rest, alphabet)) {
            return 1;
        }
    }
    *ret_line = 0;
    return n_rows != NAME_SYMBOLS * NAME_SYMBOLS || has_weight != (1u << NAME_WEIGHTS) - 1;
}

/* --- a label -------------------------------------------------------------------------------------------------------- */

static void surprises(const struct name_model *m, struct text t, double f[N_BASE])
{
    unsigned a = 0, b = 0, sum = 0, top[3] = {0};
    for (size_t i = 0; i <= t.n; i++) {
        unsigned c = i < t.n ? symbol(t.p[i]) : 0, s = m->surprise[a * NAME_SYMBOLS + b][c];
        sum += s;
        for (unsigned k = 0, x = s; k < 3; k++)
            if (x > top[k]) {
                unsigned smaller = top[k];
                top[k] = x;
                x = smaller;
            }
        a = b;
        b = c;
    }
    f[1] = sum / 4.0 / (double)(t.n + 1);
    f[2] = sum / 4.0 / 100;
    f[3] = (top[0] + top[1] + top[2]) / 4.0 / 30;
}

static double entropy_of(struct text t)
{
    unsigned counts[NAME_SYMBOLS] = {0};
    double entropy = 0;
    for (size_t i = 0; i < t.n; i++)
        counts[symbol(t.p[i])]++;
    for (unsigned i = 0; i < NAME_SYMBOLS; i++)
        if (counts[i]) {
            double p = counts[i] / (double)t.n;
            entropy -= p * log2(p);
        }
    return entropy;
}

static void shapes(struct text t, double f[N_BASE])
{
    unsigned letters = 0, digits = 0, vowels = 0, run = 0, longest = 0, switches = 0, alternating = 0, repeats = 0;
    bool is_hex = true;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i], before = i ? t.p[i - 1] : 0;
        letters += is_letter(c);
        digits += is_digit(c);
        vowels += is_vowel(c);
        is_hex = is_hex && (is_digit(c) || (c >= 'a' && c <= 'f'));
        run = is_letter(c) && !is_vowel(c) ? run + 1 : 0;
        longest = run > longest ? run : longest;
        if (!i)
            continue;
        switches += is_digit(c) != is_digit(before);
        alternating += is_letter(c) && is_letter(before) && is_vowel(c) != is_vowel(before);
        repeats += c == before;
    }
    double n = (double)t.n;
    f[4] = n / 20;
    f[5] = digits / n;
    f[6] = switches / n;
    f[7] = vowels / (double)(letters ? letters : 1);
    f[8] = longest / 10.0;
    f[9] = entropy_of(t) / 4;
    f[10] = digits && is_hex;
    f[11] = alternating / (t.n > 1 ? n - 1 : 1);
    f[12] = repeats / n;
}

int name_score(const struct name_model *m, struct text t, double *ret)
{
    if (!t.n || t.n > NAME_SCORE_MAX || (t.n > 3 && !memcmp(t.p, "xn--", 4)))
        return NAME_SCORE_NONE;
    for (size_t i = 0; i < t.n; i++)
        if (!symbol(t.p[i]))
            return NAME_SCORE_NONE;
    double f[NAME_WEIGHTS] = {1}, z = 0;
    surprises(m, t, f);
    shapes(t, f);
    f[13] = f[1] * f[4];
    f[14] = f[11] * f[2];
    f[15] = f[7] * f[4];
    f[16] = f[9] * f[4];
    f[17] = f[1] * f[1] / 10;
    for (unsigned i = 0; i < NAME_WEIGHTS; i++)
        z += m->weights[i] * f[i];
    *ret = 1 / (1 + exp(-z));
    return 0;
}
