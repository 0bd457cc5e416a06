/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/clock - time as int64_t microseconds since 1970 UTC, and its text forms.
 *
 * Local time exists only at the doors; the zone of the house is +07:00 unless
 * the operator says otherwise. Years 1..9999.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)
#define ZONE_VIETNAM_S (7 * 3600)
#define TIME_TEXT_MAX 40

/* clock_now_us - wall clock; clock_steady_us - never jumps, for intervals. */
int64_t clock_now_us(void);
int64_t clock_steady_us(void);

struct civil {
    int year, month, day, hour, minute, second, microsecond;
};

/* clock_civil - the calendar of @us in a zone @zone_s east of UTC; any int64_t is taken, years may be negative. */
struct civil clock_civil(int64_t us, int zone_s);
/* clock_from_civil - second 60 becomes .999999 of second 59. Return: 0, or 1 if a part is out of range. */
int clock_from_civil(const struct civil *c, int zone_s, int64_t *ret_us);

/* clock_format_utc - RFC 3339 with six decimals and Z, as csv and json print it; outside years 1..9999 the plain number
 * of microseconds. Returns the length. */
size_t clock_format_utc(int64_t us, char out[TIME_TEXT_MAX]);
/* clock_format_local - "dd/mm/yyyy HH:MM:SS" for tables, in @zone_s. Returns the length. */
size_t clock_format_local(int64_t us, int zone_s, char out[TIME_TEXT_MAX]);

/*
 * clock_parse - a point in time as people and programs write it.
 * Accepts: RFC 3339 / ISO 8601 (T or blank between, 0-9 decimals, '.' or ',', Z or +hh[:mm] or none),
 * yyyy/mm/dd, yyyy-mm-dd, dd/mm/yyyy and dd-mm-yyyy with or without HH:MM[:SS[.f]], HH:MM[:SS] dd/mm/yyyy,
 * and seconds since 1970 (10 digits, optional decimals; 13 digits are milliseconds, 16 microseconds).
 * @zone_s: used where the text names none.
 * Return: 0 or 1 (not a time).
 */
int clock_parse(const char *p, size_t n, int zone_s, int64_t *ret_us);

/* clock_parse_zone - "Z", "+07:00", "+0700", "+7", "UTC", "Asia/Ho_Chi_Minh". Return: 0 or 1. */
int clock_parse_zone(const char *text, int *ret_zone_s);

/*
 * clock_parse_when - a point on a command line: what clock_parse takes, or a span back from @now_us:
 * 90s, 15m, 24h, 30d, 2w. Return: 0 or 1.
 */
int clock_parse_when(const char *text, int zone_s, int64_t now_us, int64_t *ret_us);
/* clock_parse_span - 90s, 15m, 24h, 30d, 2w as microseconds. Return: 0 or 1. */
int clock_parse_span(const char *text, int64_t *ret_us);
