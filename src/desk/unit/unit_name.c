/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way from a written name to its folded form; two hash tables (texts, folded forms) whose entries of one key lie next to each
 * other after sorting; likeness by shared words, the rare ones weighing more.
 */
#include "desk/unit/unit_name.h"

#include "base/arena.h"
#include "format/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct word {
    struct text form, words;
};

struct unit_words {
    struct arena arena;
    struct word *all; /* by form */
    size_t n;
};

/* --- the table of abbreviations ---------------------------------------------------------------------------------- */

static int compare_text(struct text a, struct text b)
{
    int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return r ? r : (a.n > b.n) - (a.n < b.n);
}

static int compare_words(const void *a, const void *b)
{
    return compare_text(((const struct word *)a)->form, ((const struct word *)b)->form);
}

static int add_word(struct unit_words *w, const struct csv_record *c)
{
    struct text form = text_trim(c->fields[0]), words = c->n == 2 ? text_trim(c->fields[1]) : (struct text){0};
    if (!form.n || !words.n || form.n > 32 || words.n > 128 || w->n == UNIT_WORDS_MAX)
        return -EBADMSG;
    char *p = arena_text(&w->arena, form.p, form.n), *q = arena_text(&w->arena, words.p, words.n);
    if (!p || !q)
        return -ENOMEM;
    w->all[w->n++] = (struct word){{p, form.n}, {q, words.n}};
    return 0;
}

static int read_words(struct unit_words *w, struct csv_reader *csv, const char *what, struct fault *f)
{
    struct csv_record c;
    int r;
    bool is_header = true;
    while ((r = csv_next(csv, &c)) != CSV_END) {
        int wrong = r ? -EBADMSG : is_header ? 0 : add_word(w, &c);
        if (wrong)
            return wrong == -ENOMEM ? FAULT(f, wrong, no_memory, what) : FAULT(f, wrong, unit_words_line, what, (unsigned long long)c.line);
        is_header = false;
    }
    qsort(w->all, w->n, sizeof(*w->all), compare_words);
    return 0;
}

int unit_words_read(const char *p, size_t n, const char *what, struct unit_words **ret, struct fault *f)
{
    struct unit_words *w = calloc(1, sizeof(*w));
    struct csv_reader *csv = calloc(1, sizeof(*csv));
    int r = -ENOMEM;
    if (w && csv && (w->all = calloc(UNIT_WORDS_MAX, sizeof(*w->all)))) {
        csv_init(csv, &(struct csv_options){.separator = ',', .comment = '#'});
        r = csv_feed(csv, p, n);
        r = r ? r : csv_end(csv);
        r = r ? FAULT(f, r, no_memory, what) : read_words(w, csv, what, f);
        csv_fini(csv);
    } else {
        FAULT(f, r, no_memory, what);
    }
    free(csv);
    if (r) {
        unit_words_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void unit_words_free(struct unit_words *w)
{
    if (!w)
        return;
    arena_fini(&w->arena);
    free(w->all);
    free(w);
}

static struct text find_word(const struct unit_words *w, struct text form)
{
    struct word key = {.form = form};
    const struct word *found = w && w->n ? bsearch(&key, w->all, w->n, sizeof(*w->all), compare_words) : NULL;
    return found ? found->words : (struct text){0};
}

/* --- the folded form --------------------------------------------------------------------------------------------- */

/* is_letter - does a letter or digit begin at @i; of what is not ASCII, the General Punctuation (U+2000..U+206F) is none. */
static bool is_letter(const char *p, size_t i, size_t n)
{
    unsigned char c = (unsigned char)p[i];
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    bool is_punctuation = i + 2 < n && c == 0xe2 && ((unsigned char)p[i + 1] == 0x80 || (unsigned char)p[i + 1] == 0x81);
    return !is_punctuation;
}

struct out {
    char *p;
    size_t n;
};

static void put_words(struct out *o, struct text t)
{
    size_t room = UNIT_FOLD_BYTES - 1 - o->n;
    if (!t.n || room < t.n + 1) /* a word that does not fit is left out whole */
        return;
    if (o->n)
        o->p[o->n++] = ' ';
    memcpy(o->p + o->n, t.p, t.n);
    o->n += t.n;
}

/* put_token - one run of letters, '&' and at most a closing '.'; what the table does not know is taken apart at '&'. */
static void put_token(struct out *o, const struct unit_words *w, struct text t)
{
    struct text words = find_word(w, t);
    if (!words.n && t.n && t.p[t.n - 1] == '.') {
        t.n--;
        words = find_word(w, t);
    }
    if (words.n) {
        put_words(o, words);
        return;
    }
    const char *amp = memchr(t.p, '&', t.n);
    if (!amp) {
        put_words(o, t);
        return;
    }
    size_t n = (size_t)(amp - t.p);
    put_token(o, w, (struct text){t.p, n});
    put_words(o, TEXT("va"));
    put_token(o, w, (struct text){amp + 1, t.n - n - 1});
}

size_t unit_name_fold(const struct unit_words *w, struct text name, char out[UNIT_FOLD_BYTES])
{
    char folded[UNIT_NAME_BYTES];
    struct out o = {out, 0};
    size_t n = text_fold(name, folded, sizeof(folded)), i = 0;
    while (i < n) {
        size_t from = i, n_and = 0;
        while (i < n && (is_letter(folded, i, n) || (folded[i] == '&' && ++n_and < 4)))
            i += (unsigned char)folded[i] >= 0xe0 && i + 2 < n ? 3 : 1; /* never into the middle of a character of three bytes */
        bool has_dot = i > from && i < n && folded[i] == '.';
        if (i > from)
            put_token(&o, w, (struct text){folded + from, i - from + has_dot});
        i += i == from && (unsigned char)folded[i] == 0xe2 && i + 2 < n ? 3 : has_dot || i == from;
    }
    out[o.n] = '\0';
    return o.n;
}

/* --- likeness ---------------------------------------------------------------------------------------------------- */

struct words {
    struct text all[UNIT_NAME_WORDS];
    size_t n;
};

static void split(struct text t, struct words *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < t.n && ret->n < UNIT_NAME_WORDS;) {
        size_t from = i;
        while (i < t.n && t.p[i] != ' ')
            i++;
        if (i > from)
            ret->all[ret->n++] = (struct text){t.p + from, i - from};
        i++;
    }
}

/* words that say of what rank a body is, or nothing; "thanh pho" is two of them */
static bool is_rank(struct text t)
{
    static const char *const RANKS[] = {"tinh", "thanh", "pho", "va", "cua", "viet", "nam", "the", "of"};
    for (size_t i = 0; i < sizeof(RANKS) / sizeof(*RANKS); i++)
        if (text_is(t, RANKS[i]))
            return true;
    return false;
}

/* words that many names share */
static bool is_common(struct text t)
{
    static const char *const COMMON[] = {"so",   "cuc",  "bo",   "ban",  "phong", "uy",   "nhan",  "dan",  "cong", "ty",   "co",   "phan",
                                         "tong", "quan", "huyen", "xa",  "phuong", "thi", "trung", "tam",  "truong", "hoc", "chi",  "nhanh",
                                         "thong", "tin", "truyen", "khoa", "nghe", "an",  "tap",   "doan", "ngan", "hang", "dai",
                                             "benh", "vien"};
    for (size_t i = 0; i < sizeof(COMMON) / sizeof(*COMMON); i++)
        if (text_is(t, COMMON[i]))
            return true;
    return false;
}

/* one letter other, more or less: an OCR slip in a word of four letters or more */
static bool is_near(struct text a, struct text b)
{
    if (text_equal(a, b))
        return true;
    if (a.n > b.n) {
        struct text t = a;
        a = b;
        b = t;
    }
    if (a.n < 4 || b.n - a.n > 1)
        return false;
    size_t i = 0;
    while (i < a.n && a.p[i] == b.p[i])
        i++;
    size_t skip = b.n == a.n;
    return !memcmp(a.p + i + skip, b.p + i + 1, a.n - i - skip);
}

static unsigned weight(struct text t)
{
    return is_rank(t) ? 1 : is_common(t) ? 2 : 6;
}

static bool is_equal_without_ranks(const struct words *a, const struct words *b)
{
    size_t i = 0, k = 0;
    bool has_any = false;
    for (;;) {
        while (i < a->n && is_rank(a->all[i]))
            i++;
        while (k < b->n && is_rank(b->all[k]))
            k++;
        if (i == a->n || k == b->n)
            return has_any && i == a->n && k == b->n;
        if (!text_equal(a->all[i++], b->all[k++]))
            return false;
        has_any = true;
    }
}

unsigned unit_name_likeness(struct text a, struct text b)
{
    struct words x, y;
    bool used[UNIT_NAME_WORDS] = {false};
    unsigned shared = 0, all = 0;
    if (!a.n || !b.n)
        return 0;
    if (text_equal(a, b))
        return 100;
    split(a, &x);
    split(b, &y);
    if (is_equal_without_ranks(&x, &y))
        return 90;
    for (size_t k = 0; k < y.n; k++)
        all += weight(y.all[k]);
    for (size_t i = 0; i < x.n; i++) {
        unsigned w = weight(x.all[i]);
        all += w;
        for (size_t k = 0; k < y.n; k++)
            if (!used[k] && is_near(x.all[i], y.all[k])) {
                used[k] = true;
                shared += (w + weight(y.all[k])) / (text_equal(x.all[i], y.all[k]) ? 1 : 2);
                break;
            }
    }
    return all ? shared * 85 / all : 0;
}

/* --- all names --------------------------------------------------------------------------------------------------- */

struct name {
    struct text text, folded;
    int64_t unit, from_us, to_us;
    enum unit_how how;
};

struct unit_names {
    const struct unit_words *words;
    struct arena arena;
    struct name *all; /* sorted by folded form, then text */
    size_t n, capacity;
};

int unit_names_new(const struct unit_words *w, struct unit_names **ret)
{
    struct unit_names *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->words = w;
    s->arena.max_bytes = (size_t)1 << 30;
    *ret = s;
    return 0;
}

void unit_names_free(struct unit_names *s)
{
    if (!s)
        return;
    arena_fini(&s->arena);
    free(s->all);
    free(s);
}

static int grow(struct unit_names *s)
{
    if (s->n < s->capacity)
        return 0;
    if (s->n >= UNIT_NAMES_MAX)
        return -E2BIG;
    size_t more = s->capacity ? s->capacity * 2 : 256;
    struct name *p = reallocarray(s->all, more, sizeof(*p));
    if (!p)
        return -ENOMEM;
    s->all = p;
    s->capacity = more;
    return 0;
}

int unit_names_add(struct unit_names *s, int64_t unit, struct text name, enum unit_how how, int64_t from_us, int64_t to_us)
{
    char folded[UNIT_FOLD_BYTES];
    name = text_trim(name);
    size_t n = name.n < UNIT_NAME_BYTES ? unit_name_fold(s->words, name, folded) : 0;
    if (!n)
        return 1;
    int r = grow(s);
    if (r)
        return r;
    char *p = arena_text(&s->arena, name.p, name.n), *q = arena_text(&s->arena, folded, n);
    if (!p || !q)
        return -ENOMEM;
    s->all[s->n++] = (struct name){{p, name.n}, {q, n}, unit, from_us, to_us, how};
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    int r = compare_text(x->folded, y->folded);
    r = r ? r : compare_text(x->text, y->text);
    return r ? r : (x->unit > y->unit) - (x->unit < y->unit);
}

int unit_names_done(struct unit_names *s)
{
    if (s->n)
        qsort(s->all, s->n, sizeof(*s->all), compare_names);
    return 0;
}

static size_t first_of(const struct unit_names *s, struct text folded)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_text(s->all[middle].folded, folded) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_then(const struct name *e, int64_t at_us)
{
    return e->from_us <= at_us && at_us < e->to_us;
}

/* put_candidate - keeps the best UNIT_CANDIDATES in order, a unit once */
static void put_candidate(struct unit_found *r, const struct name *e, unsigned score, int64_t at_us)
{
    struct unit_candidate c = {e->unit, score, e->from_us, e->to_us, is_then(e, at_us)};
    unsigned i = 0;
    while (i < r->n && r->candidates[i].unit != c.unit)
        i++;
    if (i < r->n) {
        struct unit_candidate *old = &r->candidates[i];
        if (old->score > score || (old->score == score && old->is_valid >= c.is_valid))
            return;
        memmove(old, old + 1, (r->n - i - 1) * sizeof(*old));
        r->n--;
    }
    for (i = 0; i < r->n; i++)
        if (score > r->candidates[i].score || (score == r->candidates[i].score && c.is_valid && !r->candidates[i].is_valid))
            break;
    if (i == UNIT_CANDIDATES)
        return;
    unsigned n = r->n < UNIT_CANDIDATES ? r->n++ : r->n - 1;
    memmove(&r->candidates[i + 1], &r->candidates[i], (n - i) * sizeof(c));
    r->candidates[i] = c;
}

/* decide - by the entries from @at on that have the folded form: the first step one unit alone answers. */
static void decide(const struct unit_names *s, size_t at, struct text name, struct text folded, int64_t at_us, struct unit_found *ret)
{
    int64_t unit[UNIT_BY_NOTHING] = {0};
    bool is_many[UNIT_BY_NOTHING] = {false};
    for (size_t i = at; i < s->n && text_equal(s->all[i].folded, folded); i++) {
        const struct name *e = &s->all[i];
        bool is_exact = e->how == UNIT_BY_DECISION || text_equal(e->text, name);
        put_candidate(ret, e, is_exact ? 100 : 97, at_us);
        if (!is_then(e, at_us))
            continue;
        enum unit_how step = is_exact ? e->how : UNIT_BY_FOLD;
        is_many[step] |= unit[step] && unit[step] != e->unit;
        unit[step] = e->unit;
    }
    for (int step = 0; step < UNIT_BY_NOTHING; step++) {
        if (is_many[step])
            return; /* two bodies by one name: a person says which */
        if (unit[step]) {
            *ret = (struct unit_found){.unit = unit[step], .how = (enum unit_how)step};
            return;
        }
    }
}

void unit_names_find(const struct unit_names *s, struct text name, int64_t at_us, struct unit_found *ret)
{
    enum { WORTH_SHOWING = 45 };
    char out[UNIT_FOLD_BYTES];
    *ret = (struct unit_found){.how = UNIT_BY_NOTHING};
    name = text_trim(name);
    struct text folded = {out, name.n < UNIT_NAME_BYTES ? unit_name_fold(s->words, name, out) : 0};
    if (!folded.n)
        return;
    decide(s, first_of(s, folded), name, folded, at_us, ret);
    if (ret->unit)
        return;
    for (size_t i = 0; i < s->n; i++) {
        unsigned score = text_equal(s->all[i].folded, folded) ? 0 : unit_name_likeness(folded, s->all[i].folded);
        if (score >= WORTH_SHOWING)
            put_candidate(ret, &s->all[i], score, at_us);
    }
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

size_t unit_names_search(const struct unit_names *s, struct text folded, int64_t *ret, size_t max)
{
    size_t n = 0, n_once = 0;
    for (size_t i = 0; i < s->n && n < max && folded.n; i++)
        if (memmem(s->all[i].folded.p, s->all[i].folded.n, folded.p, folded.n) && (!n || ret[n - 1] != s->all[i].unit))
            ret[n++] = s->all[i].unit;
    if (n)
        qsort(ret, n, sizeof(*ret), compare_ids);
    for (size_t i = 0; i < n; i++)
        if (!n_once || ret[n_once - 1] != ret[i])
            ret[n_once++] = ret[i];
    return n_once;
}
