/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every match of a regular expression must hold: the longest run of plain characters outside of groups,
 * classes and quantified parts. In doubt: none.
 */
#include "watch/detect/sigma_inside.h"

#include <string.h>

struct scan {
    struct text t;
    size_t at;
    bool is_nocase, is_lost;
    char *run;
    size_t n_run;
    struct text best;
    struct arena *arena;
};

static void end_run(struct scan *s)
{
    if (s->n_run > s->best.n) {
        char *copy = arena_text(s->arena, s->run, s->n_run);
        if (copy)
            s->best = (struct text){copy, s->n_run};
    }
    s->n_run = 0;
}

static void put(struct scan *s, char c)
{
    /* k and s have a third letter without case: the Kelvin sign and the long s */
    if (s->is_nocase && ((c | 32) == 'k' || (c | 32) == 's' || (c & 0x80)))
        end_run(s);
    else
        s->run[s->n_run++] = c;
}

/* drop_last - the character before a quantifier that may make it vanish. */
static void drop_last(struct scan *s)
{
    while (s->n_run && ((uint8_t)s->run[s->n_run - 1] & 0xc0) == 0x80)
        s->n_run--;
    if (s->n_run)
        s->n_run--;
    end_run(s);
}

static void skip_class(struct scan *s)
{
    size_t i = s->at + 1;
    if (i < s->t.n && s->t.p[i] == '^')
        i++;
    if (i < s->t.n && s->t.p[i] == ']')
        i++;
    for (; i < s->t.n && s->t.p[i] != ']'; i++) {
        if (s->t.p[i] == '\\') {
            s->is_lost |= i + 1 < s->t.n && s->t.p[i + 1] == 'Q';
            i++;
        } else if (s->t.p[i] == '[' && i + 1 < s->t.n && s->t.p[i + 1] == ':') {
            const char *end = memmem(s->t.p + i, s->t.n - i, ":]", 2);
            if (end)
                i = (size_t)(end + 1 - s->t.p);
        }
    }
    s->is_lost |= i >= s->t.n;
    s->at = i;
}

/* skip_group - to its closing bracket; switches such as (?i) are seen, others that change the reading give up. */
static void skip_group(struct scan *s)
{
    unsigned depth = 0;
    for (; s->at < s->t.n; s->at++) {
        char c = s->t.p[s->at];
        if (c == '\\') {
            s->is_lost |= s->at + 1 < s->t.n && s->t.p[s->at + 1] == 'Q';
            s->at++;
        } else if (c == '[') {
            skip_class(s);
        } else if (c == '(') {
            depth++;
            const char *p = s->t.p + s->at + 1, *end = s->t.p + s->t.n;
            s->is_lost |= p < end && *p == '*';
            if (p < end && *p == '?') {
                p++;
                s->is_lost |= p < end && *p == '#'; /* comments may hold brackets */
                for (; p < end && ((*p >= 'a' && *p <= 'z') || *p == '-'); p++) {
                    s->is_nocase |= *p == 'i';
                    s->is_lost |= *p == 'x';
                }
            }
        } else if (c == ')' && !--depth) {
            return;
        }
    }
    s->is_lost = true;
}

static void escape(struct scan *s)
{
    if (++s->at >= s->t.n) {
        s->is_lost = true;
        return;
    }
    char c = s->t.p[s->at];
    bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_word) {
        put(s, c);
        return;
    }
    end_run(s);
    s->is_lost |= !memchr("dDwWsSbBAzZtnrhHvV", c, 18);
}

struct text sigma_regex_literal(struct arena *arena, const struct sigma_value *v)
{
    struct scan s = {.t = v->text, .is_nocase = v->is_nocase, .arena = arena, .run = arena_alloc(arena, v->text.n + 1)};
    if (!s.run)
        return (struct text){0};
    s.is_nocase |= memmem(v->text.p, v->text.n, "(?", 2) != NULL; /* maybe a switch somewhere */
    for (; s.at < s.t.n && !s.is_lost; s.at++) {
        char c = s.t.p[s.at];
        switch (c) {
        case '\\': escape(&s); break;
        case '(':
            end_run(&s);
            skip_group(&s);
            break;
        case '[':
            end_run(&s);
            skip_class(&s);
            break;
        case '|':
        case ')': s.is_lost = true; break;
        case '*':
        case '?':
        case '{': drop_last(&s); break;
        case '}':
        case '+':
        case '.':
        case '^':
        case '$': end_run(&s); break;
        default: put(&s, c); break;
        }
        if (c == '{')
            while (s.at + 1 < s.t.n && s.t.p[s.at] != '}')
                s.at++;
    }
    end_run(&s);
    return s.is_lost ? (struct text){0} : s.best;
}
