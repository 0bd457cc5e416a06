/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything of the base that reads text from outside: addresses, ranges, times, zones, spans, UTF-8, folding,
 * escaping. What was understood must survive being written and read again; what is written must be well-formed.
 */
#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_ip(const char *t, size_t n)
{
    char text[2 * IP_TEXT_MAX];
    struct ip a, b;
    struct ip_range r, s;
    if (!ip_parse(t, n, &a)) {
        size_t length = ip_format(&a, text);
        assert(length < IP_TEXT_MAX && !ip_parse(text, length, &b) && ip_equal(&a, &b));
    }
    if (ip_range_parse(t, n, &r, NULL))
        return;
    assert(ip_compare(&r.first, &r.last) <= 0);
    size_t length = ip_range_format(&r, text);
    assert(length < sizeof(text) && !ip_range_parse(text, length, &s, NULL));
    assert(ip_equal(&r.first, &s.first) && ip_equal(&r.last, &s.last));
}

static void check_time(const char *t, size_t n, const char *terminated)
{
    char text[TIME_TEXT_MAX];
    int64_t us, back;
    int zone_s;
    if (!clock_parse(t, n, ZONE_VIETNAM_S, &us)) {
        size_t length = clock_format_utc(us, text);
        assert(length < sizeof(text));
        if (length == 27 && text[26] == 'Z')
            assert(!clock_parse(text, length, 0, &back) && back == us);
        assert(clock_format_local(us, ZONE_VIETNAM_S, text) < sizeof(text));
    }
    if (!clock_parse_zone(terminated, &zone_s))
        assert(zone_s >= -15 * 3600 && zone_s <= 15 * 3600);
    if (!clock_parse_span(terminated, &us))
        assert(us >= 0);
}

static void check_text(const char *t, size_t n)
{
    char folded[300], again[300], escaped[300];
    size_t length = text_fold((struct text){t, n}, folded, sizeof(folded));
    assert(length < sizeof(folded) && strlen(folded) <= length && text_is_utf8(folded, length));
    assert(text_fold((struct text){folded, length}, again, sizeof(again)) == length && !memcmp(folded, again, length));
    text_escape(t, n, escaped, sizeof(escaped));
    assert(text_is_utf8(escaped, strlen(escaped)));
    for (const char *c = escaped; *c; c++)
        assert((unsigned char)*c >= 0x20 && *c != 0x7f && *c != '"');
    const char *q = t, *end = t + n;
    bool is_replaced = false;
    while (q < end) {
        const char *from = q;
        uint32_t c = text_next(&q, end);
        assert(q > from && q - from <= 4 && c <= 0x10ffff);
        is_replaced = is_replaced || (c == 0xfffd && q - from == 1);
    }
    assert(text_is_utf8(t, n) == !is_replaced);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const char *t = (const char *)p;
    char *terminated = malloc(n + 1);
    if (!terminated)
        return 0;
    memcpy(terminated, p, n);
    terminated[n] = '\0';
    check_ip(t, n);
    check_time(t, n, terminated);
    check_text(t, n);
    free(terminated);
    return 0;
}
