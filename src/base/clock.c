/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Civil time by the proleptic Gregorian calendar (days from civil, era of 400
 * years); nothing here asks the C library, whose zone data may be missing.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000;
}

int64_t clock_steady_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct civil clock_civil(int64_t us, int zone_s)
{
    int64_t local;
    if (__builtin_add_overflow(us, (int64_t)zone_s * US_PER_SECOND, &local))
        local = us;
    int64_t days = floor_div(local, US_PER_DAY);
    int64_t rest = local % US_PER_DAY; /* not local - days * US_PER_DAY: that overflows near INT64_MIN */
    if (rest < 0)
        rest += US_PER_DAY;
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c;
    c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c.year = (int)(yoe + era * 400 + (c.month <= 2));
    c.microsecond = (int)(rest % US_PER_SECOND);
    rest /= US_PER_SECOND;
    c.second = (int)(rest % 60);
    c.minute = (int)(rest / 60 % 60);
    c.hour = (int)(rest / 3600);
    return c;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

int clock_from_civil(const struct civil *c, int zone_s, int64_t *ret_us)
{
    if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > days_of(c->year, c->month) || c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 ||
        c->second < 0 || c->second > 60 || c->microsecond < 0 || c->microsecond > 999999)
        return 1;
    int second = c->second, micro = c->microsecond;
    if (second == 60)
        second = 59, micro = 999999;
    *ret_us = (days_from_civil(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + second - zone_s) *
                  US_PER_SECOND +
              micro;
    return 0;
}

static char *put_digits(char *o, int value, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        o[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return o + n;
}

size_t clock_format_utc(int64_t us, char out[TIME_TEXT_MAX])
{
    struct civil c = clock_civil(us, 0);
    if (c.year < 1 || c.year > 9999)
        return (size_t)snprintf(out, TIME_TEXT_MAX, "%lld", (long long)us);
    char *o = put_digits(out, c.year, 4);
    *o++ = '-';
    o = put_digits(o, c.month, 2);
    *o++ = '-';
    o = put_digits(o, c.day, 2);
    *o++ = 'T';
    o = put_digits(o, c.hour, 2);
    *o++ = ':';
    o = put_digits(o, c.minute, 2);
    *o++ = ':';
    o = put_digits(o, c.second, 2);
    *o++ = '.';
    o = put_digits(o, c.microsecond, 6);
    *o++ = 'Z';
    *o = '\0';
    return (size_t)(o - out);
}

size_t clock_format_local(int64_t us, int zone_s, char out[TIME_TEXT_MAX])
{
    struct civil c = clock_civil(us, zone_s);
    return (size_t)snprintf(out, TIME_TEXT_MAX, "%02d/%02d/%04d %02d:%02d:%02d", c.day, c.month, c.year, c.hour,
                            c.minute, c.second);
}

/* a small reader over the text */
struct reader {
    const char *p, *end;
};

static bool take(struct reader *r, char c)
{
    if (r->p < r->end && *r->p == c) {
        r->p++;
        return true;
    }
    return false;
}

static int digits(struct reader *r, int least, int most, int64_t *ret)
{
    int64_t v = 0;
    int n = 0;
    while (n < most && r->p < r->end && *r->p >= '0' && *r->p <= '9') {
        v = v * 10 + (*r->p++ - '0');
        n++;
    }
    *ret = v;
    return n >= least ? n : 0;
}

static int fraction(struct reader *r)
{
    int micro = 0, scale = 100000;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
        micro += (*r->p++ - '0') * scale;
        scale /= 10;
    }
    return micro;
}

static bool read_time(struct reader *r, struct civil *c)
{
    int64_t h, m, s = 0;
    if (!digits(r, 1, 2, &h) || !take(r, ':') || !digits(r, 2, 2, &m))
        return false;
    if (take(r, ':') && !digits(r, 2, 2, &s))
        return false;
    if (r->p + 1 < r->end && (*r->p == '.' || *r->p == ',') && r->p[1] >= '0' && r->p[1] <= '9') {
        r->p++;
        c->microsecond = fraction(r);
    }
    c->hour = (int)h;
    c->minute = (int)m;
    c->second = (int)s;
    return true;
}

static bool read_date(struct reader *r, struct civil *c)
{
    int64_t a, b, d;
    int n = digits(r, 1, 4, &a);
    char separator = r->p < r->end ? *r->p : 0;
    if (!n || (separator != '-' && separator != '/' && separator != '.'))
        return false;
    r->p++;
    if (!digits(r, 1, 2, &b) || !take(r, separator))
        return false;
    int m = digits(r, 1, 4, &d);
    if (!m)
        return false;
    c->month = (int)b;
    if (n == 4 && m <= 2)
        c->year = (int)a, c->day = (int)d;
    else if (n <= 2 && m == 4)
        c->day = (int)a, c->year = (int)d;
    else
        return false;
    return true;
}

static bool read_zone(struct reader *r, int *zone_s)
{
    if (take(r, 'Z') || take(r, 'z')) {
        *zone_s = 0;
        return true;
    }
    if (r->end - r->p >= 3 && !memcmp(r->p, "UTC", 3)) {
        r->p += 3;
        *zone_s = 0;
        return true;
    }
    int sign = take(r, '+') ? 1 : take(r, '-') ? -1 : 0;
    int64_t h, m = 0;
    if (!sign || !digits(r, 1, 2, &h))
        return false;
    if ((take(r, ':') || r->p < r->end) && !digits(r, 2, 2, &m))
        return false;
    if (h > 14 || m > 59)
        return false;
    *zone_s = sign * (int)(h * 3600 + m * 60);
    return true;
}

static void blanks(struct reader *r)
{
    while (r->p < r->end && *r->p == ' ')
        r->p++;
}

static int parse_epoch(struct reader r, int64_t *ret_us)
{
    int64_t v;
    int n = digits(&r, 9, 16, &v);
    int micro = 0;
    if (n == 13 && r.p == r.end) {
        *ret_us = v * 1000;
        return 0;
    }
    if (n == 16 && r.p == r.end) {
        *ret_us = v;
        return 0;
    }
    if (n != 9 && n != 10)
        return 1;
    if (take(&r, '.'))
        micro = fraction(&r);
    if (r.p != r.end)
        return 1;
    *ret_us = v * US_PER_SECOND + micro;
    return 0;
}

int clock_parse(const char *p, size_t n, int zone_s, int64_t *ret_us)
{
    while (n && (*p == ' ' || *p == '\t'))
        p++, n--;
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
        n--;
    struct reader r = {p, p + n};
    if (!n || n > 64)
        return 1;
    if (!parse_epoch(r, ret_us))
        return 0;
    struct civil c = {0};
    struct reader first = r;
    if (read_time(&first, &c)) { /* HH:MM dd/mm/yyyy */
        blanks(&first);
        if (!read_date(&first, &c) || first.p != first.end)
            return 1;
        return clock_from_civil(&c, zone_s, ret_us);
    }
    c = (struct civil){0};
    if (!read_date(&r, &c))
        return 1;
    if (take(&r, 'T') || take(&r, 't') || (r.p < r.end && *r.p == ' ')) {
        blanks(&r);
        if (!read_time(&r, &c))
            return 1;
        blanks(&r);
        if (r.p < r.end && !read_zone(&r, &zone_s))
            return 1;
    }
    if (r.p != r.end)
        return 1;
    return clock_from_civil(&c, zone_s, ret_us);
}

int clock_parse_zone(const char *text, int *ret_zone_s)
{
    if (!strcmp(text, "Asia/Ho_Chi_Minh") || !strcmp(text, "Asia/Bangkok")) {
        *ret_zone_s = ZONE_VIETNAM_S;
        return 0;
    }
    struct reader r = {text, text + strlen(text)};
    return !read_zone(&r, ret_zone_s) || r.p != r.end;
}

int clock_parse_span(const char *text, int64_t *ret_us)
{
    struct reader r = {text, text + strlen(text)};
    int64_t v, unit_s;
    if (!digits(&r, 1, 6, &v) || r.end - r.p != 1)
        return 1;
    switch (*r.p) {
    case 's': unit_s = 1; break;
    case 'm': unit_s = 60; break;
    case 'h': unit_s = 3600; break;
    case 'd': unit_s = 86400; break;
    case 'w': unit_s = 7 * 86400; break;
    default: return 1;
    }
    *ret_us = v * unit_s * US_PER_SECOND;
    return 0;
}

int clock_parse_when(const char *text, int zone_s, int64_t now_us, int64_t *ret_us)
{
    int64_t span_us;
    if (!clock_parse_span(text, &span_us)) {
        *ret_us = now_us - span_us;
        return 0;
    }
    return clock_parse(text, strlen(text), zone_s, ret_us);
}
