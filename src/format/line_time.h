/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/line_time - the times that log lines begin with, in the forms programs and devices write.
 *
 * In:     text whose first byte begins the time; what follows it is left alone.
 * Out:    microseconds UTC and how many bytes the time took.
 * Limits: no I/O, no allocation, no clock: what a stamp does not say comes from struct line_clock. Reentrant.
 * Source: RFC 3164 4.1.2, RFC 5424 6.2.3, RFC 3339; Apache mod_log_config; manuals of Cisco IOS, Huawei VRP, BIND, MySQL.
 * Fuzz:   tests/fuzz/syslog.c
 */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What one file or connection knows of its own years: lines whose stamps have none keep their order over New Year.
 * Zero-initialise one per file; not shared between threads.
 */
struct line_years {
    int year, month; /* of the line before; year 0: none yet */
};

struct line_clock {
    int64_t arrived_us;       /* when the line came, or the modification time of its file */
    int zone_s;               /* east of UTC, of stamps without zone */
    int year;                 /* of the first line of a file, as the operator says; 0: guess from arrived_us */
    struct line_years *years; /* may be NULL; used with .year only */
    bool is_month_first;      /* 10/06/2013 is 6 October; else 10 June */
};

#define LINE_TIME_YEAR_GUESSED 1u
#define LINE_TIME_HAS_ZONE 2u

/*
 * line_time_parse - the time at the very start of @t.
 * A stamp without year: the latest year in which it is not more than a day after @clock->arrived_us (29 February: of the
 * leap years); with @clock->year: that year, going on in the next one when the months fall back by more than half a year.
 * Return: bytes taken, 0 if @t does not begin with a time (also when a part is out of range).
 */
size_t line_time_parse(struct text t, const struct line_clock *clock, int64_t *ret_us, unsigned *ret_flags);

/* line_time_epoch - seconds since 1970 with decimals; 13 digits are milliseconds, 16 micro-, 19 nanoseconds. As above. */
size_t line_time_epoch(struct text t, int64_t *ret_us);

/* line_time_zone - Z, +hh:mm, +hhmm, +hh, or a well-known abbreviation (UTC, GMT, ICT, CET ...). Return: bytes taken, or 0. */
size_t line_time_zone(struct text t, int *ret_zone_s);
/* line_month - 1..12 for Jan..Dec at the start of @t in any case, or 0. */
int line_month(struct text t);
