/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and framing: spans lie within the line, no message is lost or invented, portions do not matter. */
#include "format/syslog.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void inside(struct text whole, struct text part)
{
    if (part.n)
        assert(part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void header(struct text line)
{
    struct line_clock clock = {.arrived_us = INT64_C(1700000000000000), .zone_s = 25200};
    struct syslog s;
    syslog_parse(line, &clock, &s);
    struct text parts[] = {s.hostname, s.appname, s.procid, s.msgid, s.structured, s.message, s.body, s.sequence, s.repeated};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        inside(line, parts[i]);
    assert(s.priority >= -1 && s.priority <= 191);
    struct text rest = s.structured, id = {NULL, 0}, name, value;
    bool is_escaped;
    for (size_t left = rest.n + 1; syslog_structured_next(&rest, &id, &name, &value, &is_escaped); left = rest.n) {
        assert(rest.n < left);
        inside(line, name);
        inside(line, value);
    }
    int64_t us;
    unsigned flags;
    assert(line_time_parse(line, &clock, &us, &flags) <= line.n);
    assert(line_time_epoch(line, &us) <= line.n);
}

/* all messages one after the other, each behind its length */
static size_t frames(const uint8_t *p, size_t n, size_t step, uint8_t *out)
{
    struct syslog_framer f = {.max_bytes = 64};
    size_t used = 0;
    struct text t;
    for (size_t from = 0; from < n; from += step) {
        const uint8_t *at = p + from;
        size_t left = n - from < step ? n - from : step;
        while (!syslog_frame(&f, &at, &left, &t)) {
            assert(t.n && t.n <= 64);
            out[used++] = (uint8_t)t.n;
            memcpy(out + used, t.p, t.n);
            used += t.n;
        }
        assert(!left);
    }
    if (!syslog_frame_end(&f, &t)) {
        out[used++] = (uint8_t)t.n;
        memcpy(out + used, t.p, t.n);
        used += t.n;
    }
    syslog_framer_fini(&f);
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 4096)
        return 0;
    char *copy = malloc(n + 1); /* exact: reads past the end are seen */
    uint8_t *one = malloc(2 * n + 16), *other = malloc(2 * n + 16);
    if (copy && one && other) {
        if (n)
            memcpy(copy, data, n);
        header((struct text){copy, n});
        size_t a = frames(data, n, n ? n : 1, one), b = frames(data, n, 3, other);
        assert(a == b && !memcmp(one, other, a));
    }
    free(copy);
    free(one);
    free(other);
    return 0;
}
