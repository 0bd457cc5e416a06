/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass: for every rule the cheapest set of literals one of which must occur when the rule holds.
 *
 * A literal stands for a value; a search needs the set of one of its "and" parts, or the sets of all "or" parts together;
 * "not" promises nothing. A set costs what its literals are likely to cost: how many rules ask for them (the rules'
 * own measure of what is common), and how short they are. What decides by the log source's key is not asked again.
 */
#include "watch/detect/sigma_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LITERAL_LEAST 2u
#define LITERAL_MOST 48u
#define SET_MAX 4096u
#define FILES_APART 24u /* pipeline files with a pass each; further ones share them */

struct literal {
    struct text text;
    uint32_t count;
    uint32_t number; /* in the database, from 1; 0: not chosen */
    uint32_t n_rules;
    bool is_common;
};

struct builder {
    struct sigma_rules *r;
    struct arena arena;
    struct literal *all;
    uint32_t n, capacity;
    uint32_t *hash, n_hash;
    bool is_bad;
};

struct set {
    uint32_t n;
    uint32_t *literals;
    uint64_t cost;
    bool is_there;
};

/* what stands in ordinary logs all the time, whatever the rules make of it */
static const char *const common[] = {
    "get", "post", "head", "http", "https", "http://", "https://", "true", "false", "system", "user", "users", "\\users\\", "windows",
        "c:\\windows\\",
    "c:\\", "system32", "\\system32\\", "c:\\windows\\system32\\", "program files", "c:\\program files\\", "c:\\program files (x86)\\",
        ".exe", ".dll",
    "exe", "dll", "cmd", "\\cmd.exe", "cmd.exe", "powershell", "\\powershell.exe", "\\svchost.exe", "\\explorer.exe", "\\services.exe",
        "microsoft",
    "administrator", "nt authority", "200", "404", "success", "localhost", "127.0.0.1", "error", "failed", "tcp", "udp", "root",
        "/bin/", "/usr/bin/",
    "hklm\\", "\\software\\", "\\microsoft\\windows", "software\\microsoft", "authority", "process", "\\appdata\\", "execute", "mozilla",
};

static bool is_common(struct text t)
{
    if (t.n && t.p[0] == SIGMA_SEPARATOR) {
        t.p++;
        t.n--;
    }
    if (t.n && t.p[t.n - 1] == SIGMA_SEPARATOR)
        t.n--;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (text_is(t, common[i]))
            return true;
    return false;
}

static bool grow(struct builder *b)
{
    if (b->n == b->capacity) {
        uint32_t capacity = b->capacity ? 2 * b->capacity : 16384;
        struct literal *more = realloc(b->all, capacity * sizeof *more);
        if (!more)
            return false;
        b->all = more;
        b->capacity = capacity;
        uint32_t *hash = realloc(b->hash, 4 * capacity * sizeof *hash);
        if (!hash)
            return false;
        b->hash = hash;
        b->n_hash = 4 * capacity;
        memset(hash, 0, b->n_hash * sizeof *hash);
        for (uint32_t i = 0; i < b->n; i++) {
            uint32_t at = (uint32_t)XXH3_64bits(b->all[i].text.p, b->all[i].text.n) % b->n_hash;
            while (hash[at])
                at = (at + 1) % b->n_hash;
            hash[at] = i + 1;
        }
    }
    return true;
}

/* literal_of - its number; UINT32_MAX when memory is out. */
static uint32_t literal_of(struct builder *b, struct text t)
{
    if (!grow(b)) {
        b->is_bad = true;
        return UINT32_MAX;
    }
    uint32_t at = (uint32_t)XXH3_64bits(t.p, t.n) % b->n_hash;
    while (b->hash[at] && !text_equal(b->all[b->hash[at] - 1].text, t))
        at = (at + 1) % b->n_hash;
    if (!b->hash[at]) {
        b->all[b->n] = (struct literal){.text = t, .is_common = is_common(t)};
        b->hash[at] = ++b->n;
    }
    return b->hash[at] - 1;
}

/* longest - the longest run without marks. */
static struct text longest(const char *p, size_t n)
{
    struct text best = {0};
    for (size_t i = 0; i < n;) {
        size_t from = i;
        while (i < n && p[i] != SIGMA_ANY && p[i] != SIGMA_ONE && p[i] != SIGMA_DASH)
            i++;
        if (i - from > best.n)
            best = (struct text){p + from, i - from};
        i++;
    }
    return best;
}

/* framed - between the separators of the pass where the value ends there: "equal" and "ends with" are found as such. */
static struct text framed(struct builder *b, struct text t, bool at_start, bool at_end)
{
    char *p = arena_alloc(&b->arena, t.n + 2);
    size_t n = 0;
    if (!p) {
        b->is_bad = true;
        return (struct text){0};
    }
    if (at_start)
        p[n++] = SIGMA_SEPARATOR;
    memcpy(p + n, t.p, t.n);
    n += t.n;
    if (at_end)
        p[n++] = SIGMA_SEPARATOR;
    return (struct text){p, n};
}

/* text_of - what must occur for @v to match, in lower case; .n 0: nothing known. */
static struct text text_of(struct builder *b, const struct sigma_citem *item, const struct sigma_cvalue *v)
{
    struct text t = {0};
    bool is_plain = v->test == SIGMA_IS || v->test == SIGMA_STARTS || v->test == SIGMA_ENDS;
    if (is_plain || v->test == SIGMA_GLOB || v->test == SIGMA_HAS)
        t = longest(v->p, v->n);
    if (v->test == SIGMA_MATCHES_REGEX) {
        uint32_t options = 0;
        pcre2_pattern_info(v->regex, PCRE2_INFO_ALLOPTIONS, &options);
        struct sigma_value value = {.text = {v->p, v->n}, .is_nocase = options & PCRE2_CASELESS};
        t = sigma_regex_literal(&b->arena, &value);
    }
    while (t.n && !*t.p) { /* Vectorscan takes no literal that begins with a zero */
        t.p++;
        t.n--;
    }
    bool at_start = v->test == SIGMA_IS || v->test == SIGMA_STARTS, at_end = v->test == SIGMA_IS || v->test == SIGMA_ENDS;
    if (t.n > LITERAL_MOST && at_end) { /* its end says more than its beginning */
        t.p += t.n - LITERAL_MOST;
        at_start = false;
    } else if (t.n > LITERAL_MOST) {
        at_end = false;
    }
    t.n = t.n > LITERAL_MOST ? LITERAL_MOST : t.n;
    if (!t.n || t.n + at_start + at_end < LITERAL_LEAST)
        return (struct text){0};
    if (v->test == SIGMA_MATCHES_REGEX || item->is_cased) {
        char *low = arena_alloc(&b->arena, t.n);
        if (!low) {
            b->is_bad = true;
            return (struct text){0};
        }
        sigma_lower(t.p, t.n, low);
        t.p = low;
    }
    return at_start || at_end ? framed(b, t, at_start, at_end) : t;
}

static uint64_t weight(const struct literal *l)
{
    static const uint32_t of_short[] = {0, 0, 2000, 600, 120, 40, 20, 8, 4};
    return l->count + (l->is_common ? 5000 : 0) + (l->text.n < sizeof of_short / sizeof *of_short ? of_short[l->text.n] : 1);
}

static void add(struct builder *b, struct set *s, uint32_t literal)
{
    for (uint32_t i = 0; i < s->n && s->n < 64; i++)
        if (s->literals[i] == literal)
            return;
    if ((s->n & (s->n + 1)) == 0) { /* room for 1, 3, 7, ... */
        uint32_t *more = arena_alloc(&b->arena, (2 * (size_t)s->n + 1) * sizeof *more);
        if (!more) {
            b->is_bad = true;
            return;
        }
        if (s->n)
            memcpy(more, s->literals, s->n * sizeof *more);
        s->literals = more;
    }
    s->literals[s->n++] = literal;
    s->cost += weight(&b->all[literal]);
}

/* value_set - every form of a value gives one literal. */
static struct set value_set(struct builder *b, const struct sigma_citem *item, const struct sigma_cvalue *v)
{
    struct set s = {.is_there = true};
    for (; v && !b->is_bad; v = v->or) {
        struct text t = text_of(b, item, v);
        uint32_t literal = t.n ? literal_of(b, t) : UINT32_MAX;
        if (literal == UINT32_MAX || s.n == SET_MAX)
            return (struct set){0};
        add(b, &s, literal);
    }
    return s;
}

static void unite(struct builder *b, struct set *all, const struct set *more)
{
    if (!more->is_there || all->n + more->n > SET_MAX) {
        all->is_there = false;
        return;
    }
    for (uint32_t i = 0; i < more->n && !b->is_bad; i++)
        add(b, all, more->literals[i]);
}

static bool is_key(const struct sigma_rules *r, const struct sigma_citem *item)
{
    return item->list != SIGMA_ANYWHERE && r->lists[item->list].n && r->slot_keys[r->lists[item->list].slots[0]] & SIGMA_KEY_VALUE;
}

static struct set item_set(struct builder *b, const struct sigma_citem *item)
{
    struct set all = {.is_there = true}, best = {0};
    if (item->is_not || item->part || is_key(b->r, item))
        return best;
    for (uint32_t i = 0; i < item->n && !b->is_bad && (all.is_there || item->is_all); i++) {
        struct set s = value_set(b, item, &item->values[i]);
        if (item->is_all && s.is_there && (!best.is_there || s.cost < best.cost))
            best = s;
        if (!item->is_all)
            unite(b, &all, &s);
    }
    return item->is_all ? best : all;
}

static struct set node_set(struct builder *b, const struct sigma_cnode *node)
{
    struct set all = {.is_there = true}, best = {0};
    if (node->kind == SIGMA_LEAF)
        return item_set(b, node->item);
    if (node->kind == SIGMA_NOT)
        return best;
    for (uint32_t i = 0; i < node->n && !b->is_bad && (node->kind == SIGMA_AND || all.is_there); i++) {
        struct set s = node_set(b, node->children[i]);
        if (node->kind == SIGMA_AND && s.is_there && (!best.is_there || s.cost < best.cost))
            best = s;
        if (node->kind == SIGMA_OR)
            unite(b, &all, &s);
    }
    return node->kind == SIGMA_AND ? best : all;
}

/* count - how many places ask for each literal. */
static void count(struct builder *b, const struct sigma_cnode *node)
{
    for (uint32_t i = 0; node->kind != SIGMA_LEAF && i < node->n && !b->is_bad; i++)
        count(b, node->children[i]);
    if (node->kind != SIGMA_LEAF)
        return;
    for (uint32_t i = 0; i < node->item->n; i++)
        for (const struct sigma_cvalue *v = &node->item->values[i]; v && !b->is_bad; v = v->or) {
            struct text t = text_of(b, node->item, v);
            uint32_t literal = t.n ? literal_of(b, t) : UINT32_MAX;
            if (literal != UINT32_MAX)
                b->all[literal].count++;
        }
}

/* common_pass - @own of the first source of a rule if it is that of all of them, else 0. */
static uint32_t common_pass(const struct sigma_crule *rule, const uint32_t *own)
{
    uint32_t pass = rule->n_sources ? own[rule->sources[0]] : 0;
    for (uint32_t i = 1; i < rule->n_sources; i++)
        if (own[rule->sources[i]] != pass)
            return 0;
    return pass;
}

/*
 * choose_passes - of a rule: that of its source if it is large, else its file's; 0 for rules between. Rules with keywords are
 * apart, by file: what they are looked for in is the whole record, which the literals of the others need not see.
 */
static int choose_passes(struct builder *b, const struct set *sets)
{
    struct sigma_rules *r = b->r;
    uint32_t n_sources = r->pipelines.n_sources, n_files = r->pipelines.n_files < FILES_APART ? r->pipelines.n_files : FILES_APART;
    uint32_t *sums = arena_alloc(&b->arena, (n_sources + 1) * sizeof *sums), *own = arena_alloc(&b->arena, (n_sources + 1) * sizeof *own);
    uint32_t *files = arena_alloc(&b->arena, (n_sources + 1) * sizeof *files);
    if (!sums || !own || !files)
        return -ENOMEM;
    for (uint32_t i = 0; i < r->n_rules; i++)
        if (r->rules[i].n_sources && !r->rules[i].has_keywords)
            sums[r->rules[i].sources[0]] += sets[i].n;
    uint32_t keywords = 1 + n_files;
    r->n_passes = 2 * keywords;
    r->keyword_passes = ((UINT64_C(1) << keywords) - 1) << keywords;
    for (uint32_t s = 0; s < n_sources; s++) {
        files[s] = 1 + r->pipelines.sources[s].n_file % FILES_APART;
        own[s] = sums[s] >= SIGMA_PASS_OWN && r->n_passes < SIGMA_PASSES_MAX ? r->n_passes++ : files[s];
    }
    for (uint32_t i = 0; i < r->n_rules; i++) {
        struct sigma_crule *rule = &r->rules[i];
        rule->pass = rule->has_keywords ? keywords + common_pass(rule, files) : common_pass(rule, own);
    }
    r->passes = arena_alloc(&r->arena, r->n_passes * sizeof *r->passes);
    return r->passes ? 0 : -ENOMEM;
}

_Static_assert(2 * (1 + FILES_APART) < SIGMA_PASSES_MAX && SIGMA_PASSES_MAX <= 64, "a bit for each");

/* link_rules - literals of one pass to the rules that need them, in one array. */
static int link_rules(struct builder *b, const struct set *sets, uint32_t number)
{
    struct sigma_rules *r = b->r;
    struct sigma_pass *pass = &r->passes[number];
    size_t sum = 0;
    for (uint32_t i = 0; i < b->n; i++)
        b->all[i].number = b->all[i].n_rules = 0;
    for (uint32_t i = 0; i < r->n_rules; i++)
        for (uint32_t k = 0; k < sets[i].n && r->rules[i].pass == number; k++) {
            struct literal *l = &b->all[sets[i].literals[k]];
            l->number = l->number ? l->number : ++pass->n_literals;
            l->n_rules++;
            sum++;
        }
    uint32_t *from = arena_alloc(&r->arena, (pass->n_literals + 2) * sizeof *from), *rules = arena_alloc(&r->arena,
        (sum + 1) * sizeof *rules);
    if (!from || !rules)
        return -ENOMEM;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->all[i].number)
            from[b->all[i].number + 1] = b->all[i].n_rules; /* number counts from 1: one further on */
    for (uint32_t i = 1; i <= pass->n_literals + 1; i++)
        from[i] += from[i - 1];
    for (uint32_t i = 0; i < r->n_rules; i++)
        for (uint32_t k = 0; k < sets[i].n && r->rules[i].pass == number; k++)
            rules[from[b->all[sets[i].literals[k]].number]++] = i;
    pass->literal_from = from; /* from[l] .. from[l + 1] of literal l, from 0: each was moved on to the next one's begin */
    pass->literal_rules = rules;
    r->n_literals += pass->n_literals;
    return 0;
}

static int compile(struct builder *b, struct sigma_pass *pass)
{
    if (!pass->n_literals)
        return 0;
    const char **texts = calloc(pass->n_literals, sizeof *texts);
    size_t *lengths = calloc(pass->n_literals, sizeof *lengths);
    unsigned *flags = calloc(pass->n_literals, sizeof *flags), *ids = calloc(pass->n_literals, sizeof *ids);
    int e = texts && lengths && flags && ids ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < b->n && !e; i++) {
        uint32_t at = b->all[i].number - 1;
        if (!b->all[i].number)
            continue;
        texts[at] = b->all[i].text.p;
        lengths[at] = b->all[i].text.n;
        ids[at] = at;
    }
    hs_compile_error_t *why = NULL;
    if (!e && hs_compile_lit_multi(texts, flags, ids, lengths, pass->n_literals, HS_MODE_BLOCK, NULL, &pass->database, &why) != HS_SUCCESS)
        e = -ENOMEM; /* plain literals of bounded size: nothing else can be wrong */
    hs_free_compile_error(why);
    free(texts);
    free(lengths);
    free(flags);
    free(ids);
    return e;
}

int sigma_literals_build(struct sigma_rules *r)
{
    struct builder b = {.r = r, .arena = {.max_bytes = SIGMA_RULES_BYTES}};
    struct set *sets = calloc(r->n_rules + 1, sizeof *sets);
    int e = sets ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < r->n_rules && !e && !b.is_bad; i++)
        if (r->rules[i].root)
            count(&b, r->rules[i].root);
    for (uint32_t i = 0; i < r->n_rules && !e && !b.is_bad; i++) {
        struct sigma_crule *rule = &r->rules[i];
        if (rule->root)
            sets[i] = node_set(&b, rule->root);
        rule->has_literals = sets[i].is_there && sets[i].n;
        if (!rule->has_literals)
            sets[i].n = 0;
    }
    if (b.is_bad)
        e = -ENOMEM;
    if (!e)
        e = choose_passes(&b, sets);
    for (uint32_t i = 0; i < r->n_passes && !e; i++) {
        e = link_rules(&b, sets, i);
        if (!e)
            e = compile(&b, &r->passes[i]);
    }
    free(sets);
    free(b.all);
    free(b.hash);
    arena_fini(&b.arena);
    return e;
}
