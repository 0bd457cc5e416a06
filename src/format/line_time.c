/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scanner over the bytes: each form is a few steps that all must succeed. The first byte and the place of the first
 * separator choose the form, so that no form is tried in vain on the common stamps.
 */
#include "format/line_time.h"

#include "base/clock.h"

#include <stdbool.h>
#include <string.h>

#define DAY_S 86400
#define HALF_YEAR_MONTHS 6

/* a reader that remembers a failure, as base/cursor does for bytes */
struct scan {
    const char *p, *end;
    bool is_bad;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct scan *s)
{
    return s->p < s->end ? *s->p : 0;
}

static bool take(struct scan *s, char c)
{
    if (s->is_bad || s->p == s->end || *s->p != c) {
        s->is_bad = true;
        return false;
    }
    s->p++;
    return true;
}

static bool may_take(struct scan *s, char c)
{
    if (s->p < s->end && *s->p == c) {
        s->p++;
        return true;
    }
    return false;
}

/* number - @min to @max digits, not followed by one more. */
static int number(struct scan *s, unsigned min, unsigned max)
{
    int v = 0;
    unsigned n = 0;
    while (n < max && s->p < s->end && is_digit(*s->p)) {
        v = v * 10 + (*s->p++ - '0');
        n++;
    }
    if (n < min || (s->p < s->end && is_digit(*s->p)))
        s->is_bad = true;
    return v;
}

/* padded - a day or an hour of one or two digits, maybe after blanks. */
static int padded(struct scan *s)
{
    for (int i = 0; i < 3 && may_take(s, ' '); i++)
        ;
    return number(s, 1, 2);
}

#define MONTH(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

int line_month(struct text t)
{
    if (t.n < 3)
        return 0;
    switch (MONTH((uint8_t)t.p[0] | 32, (uint8_t)t.p[1] | 32, (uint8_t)t.p[2] | 32)) {
    case MONTH('j', 'a', 'n'): return 1;
    case MONTH('f', 'e', 'b'): return 2;
    case MONTH('m', 'a', 'r'): return 3;
    case MONTH('a', 'p', 'r'): return 4;
    case MONTH('m', 'a', 'y'): return 5;
    case MONTH('j', 'u', 'n'): return 6;
    case MONTH('j', 'u', 'l'): return 7;
    case MONTH('a', 'u', 'g'): return 8;
    case MONTH('s', 'e', 'p'): return 9;
    case MONTH('o', 'c', 't'): return 10;
    case MONTH('n', 'o', 'v'): return 11;
    case MONTH('d', 'e', 'c'): return 12;
    default: return 0;
    }
}

static int month(struct scan *s)
{
    int m = s->is_bad ? 0 : line_month((struct text){s->p, (size_t)(s->end - s->p)});
    if (!m) {
        s->is_bad = true;
        return 0;
    }
    s->p += 3;
    return m;
}

/* time_of_day - H:MM:SS with decimals after '.' or ','; with @may_lack_seconds also H:MM. */
static void time_of_day(struct scan *s, struct civil *c, bool may_lack_seconds)
{
    c->hour = padded(s);
    take(s, ':');
    c->minute = number(s, 2, 2);
    if (may_lack_seconds && peek(s) != ':')
        return;
    take(s, ':');
    c->second = number(s, 2, 2);
    if (s->is_bad || s->end - s->p < 2 || (*s->p != '.' && *s->p != ',') || !is_digit(s->p[1]))
        return;
    s->p++;
    int us = 0, n = 0;
    for (; s->p < s->end && is_digit(*s->p); s->p++, n++)
        if (n < 6)
            us = us * 10 + (*s->p - '0');
    for (; n < 6; n++)
        us *= 10;
    c->microsecond = us;
}

static const struct {
    char name[5];
    int16_t minutes;
} zones[] = {{"UTC", 0}, {"GMT", 0}, {"ICT", 420}, {"CET", 60}, {"CEST", 120}, {"EST", -300}, {"EDT", -240}, {"CST", -360},
             {"CDT", -300}, {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"JST", 540}, {"KST", 540},
             {"SGT", 480}, {"HKT", 480}, {"MSK", 180}, {"BST", 60}, {"WIB", 420}, {"EET", 120}, {"EEST", 180},
             {"WET", 0}, {"WEST", 60}, {"AEST", 600}, {"AEDT", 660}};

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static size_t zone_name(struct text t, int *ret_zone_s)
{
    size_t n = 0;
    while (n < t.n && n < 6 && t.p[n] >= 'A' && t.p[n] <= 'Z')
        n++;
    if (n < t.n && is_letter(t.p[n]))
        return 0;
    if (n == 1 && t.p[0] == 'Z') {
        *ret_zone_s = 0;
        return 1;
    }
    for (size_t i = 0; n >= 3 && n <= 4 && i < sizeof zones / sizeof *zones; i++)
        if (!zones[i].name[n] && !memcmp(zones[i].name, t.p, n)) {
            *ret_zone_s = zones[i].minutes * 60;
            return n;
        }
    return 0;
}

size_t line_time_zone(struct text t, int *ret_zone_s)
{
    if (t.n && is_letter(t.p[0]))
        return zone_name(t, ret_zone_s);
    if (t.n < 3 || (t.p[0] != '+' && t.p[0] != '-') || !is_digit(t.p[1]) || !is_digit(t.p[2]))
        return 0;
    int hours = (t.p[1] - '0') * 10 + (t.p[2] - '0'), minutes = 0;
    size_t n = 3;
    size_t at = t.n > 3 && t.p[3] == ':' ? 4 : 3;
    if (t.n >= at + 2 && is_digit(t.p[at]) && is_digit(t.p[at + 1])) {
        minutes = (t.p[at] - '0') * 10 + (t.p[at + 1] - '0');
        n = at + 2;
    }
    if (hours > 15 || minutes > 59 || (n < t.n && is_digit(t.p[n])))
        return 0;
    *ret_zone_s = (hours * 60 + minutes) * 60 * (t.p[0] == '-' ? -1 : 1);
    return n;
}

/* may_follow - a byte that ends a word of a time. */
static bool may_follow(char c)
{
    return c == ' ' || c == ']' || c == ':' || c == ')' || c == ',';
}

/* zone - directly behind the seconds, or after one blank when it cannot be anything else. */
static void zone(struct scan *s, int *zone_s, unsigned *flags)
{
    if (s->is_bad)
        return;
    size_t blank = peek(s) == ' ';
    struct text t = {s->p + blank, (size_t)(s->end - s->p) - blank};
    bool is_closed = t.n > 3 && (t.p[3] == ']' || t.p[3] == ')'); /* "[... +07]": Viet Nam's zone has no other name */
    if (blank && t.n && !is_letter(t.p[0]) && !is_closed && (t.n < 5 || !is_digit(t.p[3] == ':' ? t.p[4] : t.p[3])))
        return; /* " -5" or " +07 " may be text */
    size_t n = line_time_zone(t, zone_s);
    char after = n < t.n ? t.p[n] : ' ';
    if (!n || is_letter(after) || is_digit(after) || (blank && !may_follow(after)))
        return;
    s->p = t.p + n;
    *flags |= LINE_TIME_HAS_ZONE;
}

/* --- the year nobody wrote -------------------------------------------------------------------------- */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* days of a Gregorian cycle of 400 years */
#define CYCLE_DAYS 146097

static int guess_year(struct civil *c, const struct line_clock *clock, int zone_s, int64_t *ret_us)
{
    int64_t latest = clock->arrived_us > INT64_MAX - US_PER_DAY ? INT64_MAX : clock->arrived_us + US_PER_DAY;
    int64_t days = latest / US_PER_DAY + 3; /* a guess that is never too early: zones, leap days */
    int year = 1970 + (int)(days * 400 / CYCLE_DAYS);
    for (int back = 0; back <= 9; back++) { /* eight and one: over 2100, which has no 29 February */
        c->year = year - back;
        if (!clock_from_civil(c, zone_s, ret_us) && *ret_us <= latest)
            return 0;
    }
    return 1;
}

static int year_of_file(struct civil *c, const struct line_clock *clock)
{
    struct line_years *y = clock->years;
    c->year = y && y->year ? y->year : clock->year;
    if (y && y->year && y->month - c->month > HALF_YEAR_MONTHS)
        c->year++;
    else if (y && y->year && c->month - y->month > HALF_YEAR_MONTHS)
        c->year--; /* a straggler of December among January's lines */
    if (c->month == 2 && c->day == 29 && !is_leap(c->year))
        return 1;
    return 0;
}

static int missing_year(struct civil *c, const struct line_clock *clock, int zone_s, int64_t *ret_us)
{
    if (!clock->year)
        return guess_year(c, clock, zone_s, ret_us);
    if (year_of_file(c, clock) || clock_from_civil(c, zone_s, ret_us))
        return 1;
    if (clock->years)
        *clock->years = (struct line_years){c->year, c->month};
    return 0;
}

/* two - two digits, the first maybe a blank; negative when they are none. */
static int two(const char *p)
{
    int high = p[0] == ' ' ? 0 : p[0] - '0', low = p[1] - '0';
    return high < 0 || high > 9 || low < 0 || low > 9 ? -1 : high * 10 + low;
}

/* plain_stamp - "Mmm dd HH:MM:SS " of RFC 3164 and nothing else, which most lines begin with. */
static bool plain_stamp(struct text t, struct civil *c)
{
    const char *p = t.p;
    if (t.n < 18 || p[3] != ' ' || p[6] != ' ' || p[9] != ':' || p[12] != ':' || p[15] != ' ' || is_digit(p[16]) || !is_letter(p[17]))
        return false;
    c->month = line_month(t);
    c->day = two(p + 4);
    c->hour = two(p + 7);
    c->minute = two(p + 10);
    c->second = two(p + 13);
    return c->month && c->day > 0 && c->hour >= 0 && c->minute >= 0 && c->second >= 0 && p[7] != ' ' && p[10] != ' ' && p[13] != ' ';
}

/* decimals - six at most, as microseconds; digits beyond are passed over. Return: bytes taken. */
static size_t decimals(const char *p, size_t n, int *ret_us)
{
    size_t i = 0;
    int us = 0, scale = 100000;
    for (; i < n && is_digit(p[i]); i++, scale /= 10)
        us += (p[i] - '0') * scale;
    *ret_us = us;
    return i;
}

/* full_stamp - "YYYY-MM-DDTHH:MM:SS[.decimals]Z" or with +HH:MM, all of @t: RFC 5424 6.2.3. Return: its bytes, or 0. */
static size_t full_stamp(struct text t, int64_t *ret_us)
{
    const char *p = t.p;
    if (t.n < 20 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':')
        return 0;
    int high = two(p), low = two(p + 2), month = two(p + 5), day = two(p + 8), hour = two(p + 11), minute = two(p + 14);
    struct civil c = {high * 100 + low, month, day, hour, minute, two(p + 17), 0};
    if ((high | low | month | day | hour | minute | c.second) < 0 || memchr(p, ' ', 19))
        return 0;
    size_t at = 19;
    if (p[at] == '.') {
        size_t n = decimals(p + 20, t.n - 20, &c.microsecond);
        if (!n)
            return 0;
        at += 1 + n;
    }
    int zone_s = 0;
    if (t.n == at + 6 && (p[at] == '+' || p[at] == '-') && p[at + 3] == ':' && is_digit(p[at + 1]) && is_digit(p[at + 4])) {
        int hours = two(p + at + 1), minutes = two(p + at + 4);
        if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59)
            return 0;
        zone_s = (hours * 60 + minutes) * (p[at] == '-' ? -60 : 60);
    } else if (t.n != at + 1 || p[at] != 'Z') {
        return 0;
    }
    return clock_from_civil(&c, zone_s, ret_us) ? 0 : t.n;
}

/* --- the forms -------------------------------------------------------------------------------------- */

/* the rest behind "Mmm ": "dd HH:MM:SS", "dd yyyy HH:MM:SS", "dd HH:MM:SS yyyy", "dd, yyyy H:MM:SS AM" */
static void after_month(struct scan *s, struct civil *c, int *zone_s, unsigned *flags)
{
    c->day = padded(s);
    bool is_prose = may_take(s, ',');
    take(s, ' ');
    if (!s->is_bad && s->end - s->p > 5 && is_digit(s->p[3]) && is_digit(s->p[2]) && (s->p[4] == ' ' || s->p[4] == ',')) {
        c->year = number(s, 4, 4);
        may_take(s, ',');
        take(s, ' ');
    }
    time_of_day(s, c, false);
    if (is_prose && s->end - s->p >= 3 && s->p[0] == ' ' && (s->p[1] == 'A' || s->p[1] == 'P') && s->p[2] == 'M') {
        c->hour = c->hour % 12 + (s->p[1] == 'P' ? 12 : 0);
        s->p += 3;
    }
    zone(s, zone_s, flags);
    if (c->year || s->is_bad || s->end - s->p < 5 || s->p[0] != ' ')
        return;
    struct scan year = {s->p + 1, s->end, false};
    int y = number(&year, 4, 4);
    if (year.is_bad || y < 1970 || y > 2199 || (year.p < year.end && !may_follow(*year.p)))
        return;
    c->year = y;
    s->p = year.p;
    if (!(*flags & LINE_TIME_HAS_ZONE))
        zone(s, zone_s, flags);
}

/* "Www Mmm dd HH:MM:SS [zone] yyyy", "Www, dd Mmm yyyy HH:MM:SS zone", "Mmm ..." */
static void words(struct scan *s, struct civil *c, int *zone_s, unsigned *flags)
{
    c->month = line_month((struct text){s->p, (size_t)(s->end - s->p)});
    if (!c->month) { /* a day of the week first, or a zone */
        size_t n = zone_name((struct text){s->p, (size_t)(s->end - s->p)}, zone_s);
        *flags |= n ? LINE_TIME_HAS_ZONE : 0;
        s->p += n ? n : 3;
        may_take(s, ',');
        take(s, ' ');
        if (is_digit(peek(s))) {
            c->day = padded(s);
            take(s, ' ');
            c->month = month(s);
            take(s, ' ');
            c->year = number(s, 4, 4);
            take(s, ' ');
            time_of_day(s, c, false);
            zone(s, zone_s, flags);
            return;
        }
        c->month = month(s);
    } else {
        s->p += 3;
    }
    take(s, ' ');
    after_month(s, c, zone_s, flags);
}

/* "dd/Mmm/yyyy:HH:MM:SS zone", "dd-Mmm-yyyy HH:MM:SS", "dd Mmm yyyy HH:MM:SS", "dd Mmm HH:MM:SS" */
static void day_month_name(struct scan *s, struct civil *c, int *zone_s, unsigned *flags)
{
    c->day = number(s, 1, 2);
    char between = peek(s);
    take(s, between);
    c->month = month(s);
    take(s, between);
    if (s->end - s->p > 4 && is_digit(s->p[2]) && is_digit(s->p[3])) {
        c->year = number(s, 4, 4);
        if (!may_take(s, ':'))
            take(s, ' ');
    } else if (between == '/' || between == '-') {
        s->is_bad = true;
    }
    time_of_day(s, c, false);
    zone(s, zone_s, flags);
}

/* "dd/mm/yyyy HH:MM:SS", "dd.mm.yyyy", "mm/dd/yyyy" where the second number can be no month */
static void day_month_number(struct scan *s, struct civil *c, int *zone_s, unsigned *flags,
    const struct line_clock *clock)
{
    c->day = number(s, 1, 2);
    char between = peek(s);
    take(s, between);
    c->month = number(s, 1, 2);
    take(s, between);
    c->year = number(s, 2, 4);
    if (c->year < 100)
        c->year += 2000;
    else if (c->year < 1970)
        s->is_bad = true;
    if (clock->is_month_first ? c->day <= 12 : c->month > 12) {
        int m = c->day;
        c->day = c->month;
        c->month = m;
    }
    bool is_column = may_take(s, ',') && is_digit(peek(s)); /* of CSV: 08/12/24,10:20:30 */
    if (s->end - s->p > 3 && !memcmp(s->p, " - ", 3))
        s->p += 3;
    else if (!is_column && !may_take(s, 'T') && !may_take(s, ':') && !may_take(s, '-'))
        take(s, ' ');
    time_of_day(s, c, true);
    if (s->end - s->p >= 3 && s->p[0] == ' ' && (s->p[1] == 'A' || s->p[1] == 'P') && s->p[2] == 'M') {
        c->hour = c->hour % 12 + (s->p[1] == 'P' ? 12 : 0);
        s->p += 3;
    }
    zone(s, zone_s, flags);
}

/* "yyyy-mm-ddTHH:MM:SS", blanks, '/', '.', one digit of month and day; "yyyy Mmm dd HH:MM:SS" */
static void year_first(struct scan *s, struct civil *c, int *zone_s, unsigned *flags)
{
    c->year = number(s, 4, 4);
    char between = peek(s);
    take(s, between);
    c->month = between == ' ' || is_letter(peek(s)) ? month(s) : number(s, 1, 2);
    take(s, between);
    c->day = between == ' ' ? padded(s) : number(s, 1, 2);
    may_take(s, ',');
    if (s->end - s->p > 3 && !memcmp(s->p, " - ", 3))
        s->p += 3;
    else if (!may_take(s, 'T') && !may_take(s, '-') && !may_take(s, ':'))
        take(s, ' ');
    time_of_day(s, c, true);
    zone(s, zone_s, flags);
}

/* "yyyymmdd HH:MM:SS", "yyyymmddTHHMMSS", "yymmdd HH:MM:SS" */
static void run_of_digits(struct scan *s, size_t n, struct civil *c, int *zone_s, unsigned *flags)
{
    struct scan part = {s->p, s->p + (n == 8 ? 4 : 2), false};
    c->year = number(&part, 2, 4) + (n == 8 ? 0 : 2000);
    part = (struct scan){part.end, part.end + 2, false};
    c->month = number(&part, 2, 2);
    part = (struct scan){part.end, part.end + 2, false};
    c->day = number(&part, 2, 2);
    s->p = part.end;
    if (may_take(s, 'T') && s->end - s->p >= 6 && is_digit(s->p[2])) {
        const char *p = s->p;
        for (int i = 0; i < 6; i++)
            if (!is_digit(p[i]))
                s->is_bad = true;
        c->hour = (p[0] - '0') * 10 + p[1] - '0';
        c->minute = (p[2] - '0') * 10 + p[3] - '0';
        c->second = (p[4] - '0') * 10 + p[5] - '0';
        s->p += 6;
    } else {
        if (s->p[-1] != 'T' && !may_take(s, '-') && !may_take(s, ':'))
            take(s, ' ');
        time_of_day(s, c, false);
    }
    zone(s, zone_s, flags);
}

size_t line_time_epoch(struct text t, int64_t *ret_us)
{
    uint64_t whole = 0;
    size_t n = 0;
    while (n < t.n && n < 20 && is_digit(t.p[n]))
        whole = whole * 10 + (uint64_t)(t.p[n++] - '0');
    if (n < 9 || n > 19 || (n > 10 && n != 13 && n != 16 && n != 19))
        return 0;
    if (n == 19)
        whole /= 1000;
    int64_t scale = n <= 10 ? US_PER_SECOND : n == 13 ? 1000 : 1;
    *ret_us = (int64_t)whole * scale;
    if (scale == 1 || n + 1 >= t.n || t.p[n] != '.' || !is_digit(t.p[n + 1]))
        return n;
    for (n++; n < t.n && is_digit(t.p[n]); n++) {
        scale /= 10;
        *ret_us += (t.p[n] - '0') * scale;
    }
    return n;
}

/* starts_with_digits - the form by the place and kind of the first separator. */
static void starts_with_digits(struct scan *s, struct civil *c, int *zone_s, unsigned *flags, const struct line_clock *clock)
{
    size_t n = 0, left = (size_t)(s->end - s->p);
    while (n < left && n < 9 && is_digit(s->p[n]))
        n++;
    if (n == left) {
        s->is_bad = true;
        return;
    }
    char between = s->p[n];
    bool is_name = n + 1 < left && is_letter(s->p[n + 1]);
    if (n == 4 && (between == '-' || between == '/' || between == '.' || between == ':' || (between == ' ' && is_name)))
        year_first(s, c, zone_s, flags);
    else if ((n == 8 || n == 6) && (between == ' ' || between == 'T' || between == '-' || between == ':'))
        run_of_digits(s, n, c, zone_s, flags);
    else if (n <= 2 && is_name && (between == '/' || between == '-' || between == ' '))
        day_month_name(s, c, zone_s, flags);
    else if (n <= 2 && (between == '/' || between == '-' || between == '.'))
        day_month_number(s, c, zone_s, flags, clock);
    else
        s->is_bad = true;
}

/* tai64n - "@" and 24 hexadecimal digits (qmail, daemontools); leap seconds as the 10 of 1972 only, as multilog does. */
static size_t tai64n(struct text t, int64_t *ret_us)
{
    uint64_t part[2] = {0, 0};
    if (t.n < 25)
        return 0;
    for (size_t i = 1; i < 25; i++) {
        char d = t.p[i], l = (char)(d | 32);
        unsigned v;
        if (is_digit(d))
            v = (unsigned)(d - '0');
        else if (l >= 'a' && l <= 'f')
            v = (unsigned)(l - 'a') + 10;
        else
            return 0;
        part[i > 16] = part[i > 16] << 4 | v;
    }
    if (part[0] < UINT64_C(0x4000000000000000) || part[0] > UINT64_C(0x4000000fffffffff) || part[1] > 999999999)
        return 0;
    *ret_us = (int64_t)(part[0] - UINT64_C(0x400000000000000a)) * US_PER_SECOND + (int64_t)(part[1] / 1000);
    return 25;
}

size_t line_time_parse(struct text t, const struct line_clock *clock, int64_t *ret_us, unsigned *ret_flags)
{
    if (!t.n)
        return 0;
    struct scan s = {t.p, t.p + t.n, false};
    struct civil c = {0};
    int zone_s = clock->zone_s;
    unsigned flags = 0;
    if (t.n < 8)
        return 0;
    *ret_flags = LINE_TIME_YEAR_GUESSED;
    if (plain_stamp(t, &c) && line_time_zone((struct text){t.p + 16, t.n - 16}, &zone_s) == 0)
        return missing_year(&c, clock, zone_s, ret_us) ? 0 : 15;
    size_t n_full = full_stamp(t, ret_us);
    if (n_full) {
        *ret_flags = LINE_TIME_HAS_ZONE;
        return n_full;
    }
    c = (struct civil){0};
    zone_s = clock->zone_s;
    if (is_letter(t.p[0]))
        words(&s, &c, &zone_s, &flags);
    else if (is_digit(t.p[0]))
        starts_with_digits(&s, &c, &zone_s, &flags, clock);
    else if (t.p[0] == '@')
        return *ret_flags = LINE_TIME_HAS_ZONE, tai64n(t, ret_us);
    else
        return 0;
    if (s.is_bad) {
        size_t n = is_digit(t.p[0]) ? line_time_epoch(t, ret_us) : 0;
        *ret_flags = LINE_TIME_HAS_ZONE;
        return n >= 10 ? n : 0;
    }
    bool has_year = c.year;
    if (has_year ? clock_from_civil(&c, zone_s, ret_us) : missing_year(&c, clock, zone_s, ret_us))
        return 0;
    *ret_flags = flags | (has_year ? 0 : LINE_TIME_YEAR_GUESSED);
    return (size_t)(s.p - t.p);
}
