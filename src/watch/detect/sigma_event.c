/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/sigma_event.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOWER_MAX ((size_t)64 << 20) /* an original and what the values add, twice over */

int sigma_event_init(struct sigma_event *v, const struct sigma_rules *r)
{
    *v = (struct sigma_event){.r = r, .lower.max = LOWER_MAX};
    v->seen = calloc(r->n_slots + 1, sizeof *v->seen);
    v->more = calloc(EVENT_VALUES_MAX + 1, sizeof *v->more);
    v->texts = calloc(EVENT_VALUES_MAX + 1, sizeof *v->texts);
    v->numbers = calloc(EVENT_VALUES_MAX, sizeof *v->numbers);
    v->slots = calloc(EVENT_NAMES_MAX, sizeof *v->slots);
    v->is_ours = calloc(EVENT_NAMES_MAX, 1);
    v->match_data = pcre2_match_data_create(1, NULL);
    v->match_context = pcre2_match_context_create(NULL);
    if (!v->seen || !v->more || !v->texts || !v->numbers || !v->slots || !v->is_ours || !v->match_data || !v->match_context)
        return -ENOMEM;
    pcre2_set_match_limit(v->match_context, SIGMA_REGEX_MATCH_LIMIT);
    pcre2_set_depth_limit(v->match_context, SIGMA_REGEX_DEPTH_LIMIT);
    pcre2_set_heap_limit(v->match_context, SIGMA_REGEX_HEAP_KIB);
    return 0;
}

void sigma_event_fini(struct sigma_event *v)
{
    free(v->seen);
    free(v->more);
    free(v->texts);
    free(v->numbers);
    free(v->slots);
    free(v->is_ours);
    buf_fini(&v->lower);
    pcre2_match_data_free(v->match_data);
    pcre2_match_context_free(v->match_context);
}

void sigma_event_batch(struct sigma_event *v, const struct events *e)
{
    v->e = e;
    uint32_t n = event_names_count(e->names);
    for (; v->n_named < n; v->n_named++) {
        struct text name = event_name(e->names, (uint16_t)v->n_named);
        v->slots[v->n_named] = (uint16_t)sigma_slot_of_name(v->r, name);
        v->is_ours[v->n_named] = name.n > 6 && !memcmp(name.p, "event.", 6);
    }
}

static void see(struct sigma_event *v, uint32_t slot, uint32_t i)
{
    struct sigma_seen *s = &v->seen[slot];
    v->more[i] = 0;
    if (s->generation != v->generation) {
        *s = (struct sigma_seen){v->generation, (uint16_t)(i + 1), (uint16_t)(i + 1)};
        return;
    }
    v->more[s->last - 1] = (uint16_t)(i + 1);
    s->last = (uint16_t)(i + 1);
}

void sigma_event_row(struct sigma_event *v, uint32_t row)
{
    v->row = row;
    v->from = event_from(v->e, row);
    v->n = v->e->value_end[row] - v->from;
    if (v->n > EVENT_VALUES_MAX)
        v->n = EVENT_VALUES_MAX;
    if (!++v->generation) { /* after 2^32 rows */
        memset(v->seen, 0, (v->r->n_slots + 1) * sizeof *v->seen);
        memset(v->texts, 0, (EVENT_VALUES_MAX + 1) * sizeof *v->texts);
        v->generation = 1;
    }
    buf_clear(&v->lower);
    const struct event_value *values = v->e->values + v->from;
    for (uint32_t i = 0; i < v->n; i++) {
        uint32_t slot = v->slots[values[i].field];
        if (slot)
            see(v, slot, i);
    }
}

/* --- texts of values --------------------------------------------------------------------------------- */

static struct text number_text(struct sigma_event *v, uint32_t i, const struct event_value *value)
{
    char *out = v->numbers[i];
    if (value->type == EVENT_BOOL)
        return value->number ? TEXT("true") : TEXT("false");
    if (value->type != EVENT_LONG)
        return event_value_text(v->e, value, out);
    char digits[24];
    size_t n = sizeof digits;
    uint64_t u = value->number < 0 ? -(uint64_t)value->number : (uint64_t)value->number;
    do
        digits[--n] = (char)('0' + u % 10);
    while (u /= 10);
    if (value->number < 0)
        digits[--n] = '-';
    memcpy(out, digits + n, sizeof digits - n);
    return (struct text){out, sizeof digits - n};
}

/* text_at - of value @i of the row; @i == v->n: the original. */
static struct sigma_text *text_at(struct sigma_event *v, uint32_t i)
{
    struct sigma_text *t = &v->texts[i];
    if (t->generation == v->generation)
        return t;
    struct text text;
    if (i == v->n) {
        text = event_original(v->e, v->row);
    } else {
        const struct event_value *value = &v->e->values[v->from + i];
        text = value->type == EVENT_KEYWORD ? event_text(v->e, value) : value->type == EVENT_NULL ? (struct text){"", 0}
            : number_text(v, i, value);
    }
    *t = (struct sigma_text){.p = text.p, .n = (uint32_t)text.n, .generation = v->generation};
    return t;
}

struct text sigma_event_text(struct sigma_event *v, uint32_t i, bool *ret_is_lower)
{
    const struct sigma_text *t = text_at(v, i);
    *ret_is_lower = t->low;
    return (struct text){t->p, t->n};
}

uint32_t sigma_event_lower(struct sigma_event *v, uint32_t i, uint32_t *ret_n)
{
    struct sigma_text *t = text_at(v, i);
    *ret_n = t->n;
    if (t->low)
        return t->low;
    /* a separator before the first one and behind each: neighbours share theirs */
    uint8_t *out = buf_room(&v->lower, (size_t)t->n + 2);
    if (!out) {
        v->is_bad = true;
        return 0;
    }
    if (!v->lower.n) {
        *out++ = SIGMA_SEPARATOR;
        v->lower.n++;
    }
    sigma_lower(t->p, t->n, (char *)out);
    out[t->n] = SIGMA_SEPARATOR;
    t->low = (uint32_t)v->lower.n + 1;
    v->lower.n += (size_t)t->n + 1;
    return t->low;
}

/* --- one value --------------------------------------------------------------------------------------- */

static bool text_test(const struct sigma_cvalue *c, const char *p, uint32_t n)
{
    switch ((enum sigma_test)c->test) {
    case SIGMA_IS: return n == c->n && !memcmp(p, c->p, n);
    case SIGMA_STARTS: return n >= c->n && !memcmp(p, c->p, c->n);
    case SIGMA_ENDS: return n >= c->n && !memcmp(p + n - c->n, c->p, c->n);
    case SIGMA_HAS: return memmem(p, n, c->p, c->n);
    case SIGMA_GLOB: return sigma_glob(c->p, c->n, p, n);
    case SIGMA_FULL: return true;
    case SIGMA_MATCHES_REGEX:
    case SIGMA_IN_RANGE:
    case SIGMA_AS_FIELD:
    case SIGMA_IS_THERE:
    case SIGMA_IS_NULL:
    case SIGMA_COMPARES:
    case SIGMA_NEVER: break;
    }
    return false;
}

static bool regex_test(struct sigma_event *v, const struct sigma_cvalue *c, const struct sigma_text *t)
{
    int r = pcre2_match(c->regex, (PCRE2_SPTR)t->p, t->n, 0, 0, v->match_data, v->match_context);
    if (r == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter keeps its stack on the heap, under its own limit */
        r = pcre2_match(c->regex, (PCRE2_SPTR)t->p, t->n, 0, PCRE2_NO_JIT, v->match_data, v->match_context);
    v->regex_limits += r < 0 && r != PCRE2_ERROR_NOMATCH;
    return r >= 0;
}

static bool range_test(const struct sigma_event *v, const struct sigma_cvalue *c, uint32_t i, const struct sigma_text *t)
{
    const struct event_value *value = &v->e->values[v->from + i];
    struct ip ip;
    if (value->type == EVENT_IP)
        ip = event_ip(v->e, value);
    else if (ip_parse(t->p, t->n, &ip))
        return false;
    return ip_is_v4(&ip) == ip_is_v4(&c->range->first) && ip_range_has(c->range, &ip);
}

/* two - decimal digits at @p. */
static int two(const char *p)
{
    return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' ? (p[0] - '0') * 10 + p[1] - '0' : -1;
}

/* iso_week - ISO 8601: the week that holds the year's first Thursday is the first. @yday from 0, @wday from 0 = Monday. */
static int iso_week(int year, int yday, int wday)
{
    int week = (yday - wday + 10) / 7;
    if (week < 1) {
        int last = year - 1, days = 365 + ((last % 4 == 0 && last % 100) || last % 400 == 0);
        return iso_week(last, yday + days, wday);
    }
    int days = 365 + ((year % 4 == 0 && year % 100) || year % 400 == 0);
    return week == 53 && days - yday <= 3 - wday ? 1 : week;
}

/* part_of - of "YYYY-MM-DD[ T]hh:mm", as it is written, whatever its zone. Return: whether it is a time. */
static bool part_of(enum sigma_part part, const char *p, uint32_t n, double *ret)
{
    if (n < 10 || two(p) < 0 || two(p + 2) < 0 || (p[4] != '-' && p[4] != '/') || p[7] != p[4] || two(p + 5) < 1 || two(p + 8) < 1 ||
        two(p + 5) > 12 || two(p + 8) > 31)
        return false;
    bool has_time = n >= 16 && (p[10] == ' ' || p[10] == 'T' || p[10] == 't') && two(p + 11) >= 0 && p[13] == ':' && two(p + 14) >= 0;
    int year = two(p) * 100 + two(p + 2), month = two(p + 5), day = two(p + 8);
    switch (part) {
    case SIGMA_MINUTE: *ret = has_time ? two(p + 14) : 0; return has_time;
    case SIGMA_HOUR: *ret = has_time ? two(p + 11) : 0; return has_time;
    case SIGMA_DAY: *ret = day; return true;
    case SIGMA_MONTH: *ret = month; return true;
    case SIGMA_YEAR: *ret = year; return true;
    case SIGMA_WEEK: break;
    case SIGMA_WHOLE: return false;
    }
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
    int yday = before[month - 1] + day - 1 + (leap && month > 2);
    /* 0001-01-01 was a Monday of the proleptic calendar */
    int y = year - 1, wday = (y + y / 4 - y / 100 + y / 400 + yday) % 7;
    *ret = iso_week(year, yday, wday);
    return true;
}

static bool number_of(const char *p, uint32_t n, double *ret)
{
    char copy[64], *end;
    while (n && (*p == ' ' || *p == '\t')) {
        p++;
        n--;
    }
    if (!n || n >= sizeof copy || (*p != '-' && *p != '+' && *p != '.' && !(*p >= '0' && *p <= '9')))
        return false;
    memcpy(copy, p, n);
    copy[n] = 0;
    *ret = strtod(copy, &end); /* decimal, or 0x */
    while (*end == ' ')
        end++;
    return !*end && isfinite(*ret);
}

static bool compare_test(const struct sigma_event *v, const struct sigma_citem *item, const struct sigma_cvalue *c, uint32_t i,
                         const struct sigma_text *t)
{
    const struct event_value *value = &v->e->values[v->from + i];
    double x;
    if (item->part) {
        if (!part_of((enum sigma_part)item->part, t->p, t->n, &x))
            return false;
    } else if (value->type == EVENT_LONG) {
        x = (double)value->number;
    } else if (value->type == EVENT_REAL) {
        x = value->real;
    } else if (value->type == EVENT_ULONG) {
        x = (double)value->unsigned_number;
    } else if (value->type == EVENT_NULL || !number_of(t->p, t->n, &x)) {
        return false;
    }
    switch ((enum sigma_match)c->how) {
    case SIGMA_LT: return x < c->number;
    case SIGMA_LTE: return x <= c->number;
    case SIGMA_GT: return x > c->number;
    case SIGMA_GTE: return x >= c->number;
    case SIGMA_NUMBER: return x >= c->number && x <= c->number;
    case SIGMA_PATTERN:
    case SIGMA_REGEX:
    case SIGMA_CIDR:
    case SIGMA_FIELDREF:
    case SIGMA_EXISTS:
    case SIGMA_NULL: break;
    }
    return false;
}

static const struct sigma_seen *list_seen(const struct sigma_event *v, uint32_t list)
{
    const struct sigma_list *l = &v->r->lists[list];
    for (uint32_t i = 0; i < l->n; i++)
        if (v->seen[l->slots[i]].generation == v->generation)
            return &v->seen[l->slots[i]];
    return NULL;
}

/* as_field - the other field holds a text that lies in this one as asked. */
static bool as_field(struct sigma_event *v, const struct sigma_citem *item, const struct sigma_cvalue *c, uint32_t i)
{
    const struct sigma_seen *other = list_seen(v, c->list);
    for (uint32_t k = other ? other->first : 0; k && !v->is_bad; k = v->more[k - 1]) {
        if (v->e->values[v->from + k - 1].type == EVENT_NULL)
            continue;
        const struct sigma_text *a = text_at(v, i), *b = text_at(v, k - 1);
        struct sigma_cvalue want = {.n = b->n, .p = b->p};
        want.test = c->is_open_start && c->is_open_end ? SIGMA_HAS : c->is_open_start ? SIGMA_ENDS : c->is_open_end ? SIGMA_STARTS
            : SIGMA_IS;
        const char *p = a->p;
        if (!item->is_cased) {
            uint32_t n, x = sigma_event_lower(v, i, &n), y = sigma_event_lower(v, k - 1, &n);
            if (!x || !y)
                return false;
            p = (const char *)v->lower.p + x - 1;
            want.p = (const char *)v->lower.p + y - 1;
        }
        if (text_test(&want, p, a->n))
            return true;
    }
    return false;
}

/* value_test - form @c of a value against value @i of the row. */
static bool value_test(struct sigma_event *v, const struct sigma_citem *item, const struct sigma_cvalue *c, uint32_t i)
{
    bool is_null = i < v->n && v->e->values[v->from + i].type == EVENT_NULL;
    if (c->test == SIGMA_NEVER || c->test == SIGMA_IS_NULL || c->test == SIGMA_IS_THERE)
        return c->test == SIGMA_IS_NULL && is_null;
    if (is_null)
        return false;
    if (c->test == SIGMA_AS_FIELD)
        return as_field(v, item, c, i);
    const struct sigma_text *t = text_at(v, i);
    if (c->test == SIGMA_MATCHES_REGEX)
        return regex_test(v, c, t);
    if (c->test == SIGMA_IN_RANGE)
        return range_test(v, c, i, t);
    if (c->test == SIGMA_COMPARES)
        return compare_test(v, item, c, i, t);
    if (item->is_cased)
        return text_test(c, t->p, t->n);
    uint32_t n, low = sigma_event_lower(v, i, &n);
    return low && text_test(c, (const char *)v->lower.p + low - 1, n);
}

/* --- an item, a condition ---------------------------------------------------------------------------- */

/* anywhere_test - some value or the original. */
static bool anywhere_test(struct sigma_event *v, const struct sigma_citem *item, const struct sigma_cvalue *c)
{
    for (const struct sigma_cvalue *form = c; form; form = form->or) {
        for (uint32_t i = 0; i <= v->n && !v->is_bad; i++)
            if ((i == v->n || !v->is_ours[v->e->values[v->from + i].field]) && value_test(v, item, form, i))
                return true;
    }
    return false;
}

static bool field_test(struct sigma_event *v, const struct sigma_citem *item, const struct sigma_cvalue *c, const struct sigma_seen *seen)
{
    for (const struct sigma_cvalue *form = c; form; form = form->or) {
        if (form->test == SIGMA_IS_THERE && form->is_true == (seen != NULL))
            return true;
        if (form->test == SIGMA_IS_NULL && !seen)
            return true;
        for (uint32_t i = seen ? seen->first : 0; i && !v->is_bad; i = v->more[i - 1])
            if (value_test(v, item, form, i - 1))
                return true;
    }
    return false;
}

/* key_known - with only_keys: whether the first slot that is present is one whose value is part of the key. */
static bool key_known(const struct sigma_event *v, uint32_t list)
{
    const struct sigma_list *l = &v->r->lists[list];
    for (uint32_t i = 0; i < l->n; i++) {
        uint8_t key = v->r->slot_keys[l->slots[i]];
        bool is_seen = v->seen[l->slots[i]].generation == v->generation;
        if (!key || (is_seen && !(key & SIGMA_KEY_VALUE)))
            return false;
        if (is_seen)
            return true;
    }
    return true; /* none of them is there, and all of them count */
}

static bool refers(const struct sigma_citem *item)
{
    for (uint32_t i = 0; i < item->n; i++)
        if (item->values[i].test == SIGMA_AS_FIELD)
            return true;
    return false;
}

static enum sigma_truth item_test(struct sigma_event *v, const struct sigma_citem *item)
{
    bool is_anywhere = item->list == SIGMA_ANYWHERE;
    if (v->only_keys && (is_anywhere || !key_known(v, item->list) || refers(item)))
        return SIGMA_UNKNOWN;
    const struct sigma_seen *seen = is_anywhere ? NULL : list_seen(v, item->list);
    bool is_true = item->is_all;
    for (uint32_t i = 0; i < item->n && is_true == item->is_all; i++)
        is_true = is_anywhere ? anywhere_test(v, item, &item->values[i]) : field_test(v, item, &item->values[i], seen);
    return is_true != item->is_not ? SIGMA_TRUE : SIGMA_FALSE;
}

enum sigma_truth sigma_event_test(struct sigma_event *v, const struct sigma_cnode *node)
{
    if (node->kind == SIGMA_LEAF)
        return item_test(v, node->item);
    if (node->kind == SIGMA_NOT) {
        enum sigma_truth t = sigma_event_test(v, node->children[0]);
        return t == SIGMA_UNKNOWN ? t : t == SIGMA_TRUE ? SIGMA_FALSE : SIGMA_TRUE;
    }
    enum sigma_truth decisive = node->kind == SIGMA_AND ? SIGMA_FALSE : SIGMA_TRUE;
    enum sigma_truth sum = node->kind == SIGMA_AND ? SIGMA_TRUE : SIGMA_FALSE;
    for (uint32_t i = 0; i < node->n; i++) {
        enum sigma_truth t = sigma_event_test(v, node->children[i]);
        if (t == decisive)
            return t;
        if (t == SIGMA_UNKNOWN)
            sum = t;
    }
    return sum;
}

const struct event_value *sigma_event_first(struct sigma_event *v, uint32_t list)
{
    const struct sigma_seen *seen = list_seen(v, list);
    return seen ? &v->e->values[v->from + seen->first - 1] : NULL;
}
