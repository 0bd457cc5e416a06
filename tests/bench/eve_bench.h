/* SPDX-License-Identifier: Apache-2.0 */
/* eve_bench - what the three readers of the same EVE lines share: the fields they take and the match they make. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* one line's fields, folded into a sum that must come out the same for all readers */
struct eve_sums {
    uint64_t n, n_refused, n_matched, sum;
};

/* eve_text, eve_number - a field into the sum. */
static inline void eve_text(struct eve_sums *s, const char *p, size_t n)
{
    uint64_t head = 0;
    __builtin_memcpy(&head, p, n < 8 ? n : 8);
    s->sum = s->sum * 31 + n * 7 + head;
}
static inline void eve_number(struct eve_sums *s, uint64_t v)
{
    s->sum = s->sum * 31 + v;
}
/* eve_address - parsed, looked up in a list of about 1 of 1,000 addresses, and into the sum. */
void eve_address(struct eve_sums *s, const char *p, size_t n);

/* each reads all lines of @p; 64 readable bytes follow them */
void eve_by_scan(const char *p, size_t n, struct eve_sums *s);    /* json_scan, the same fields as the peers */
void eve_by_events(const char *p, size_t n, struct eve_sums *s);  /* event_record: all fields, as events; then the same */
void eve_by_jansson(const char *p, size_t n, struct eve_sums *s);
void eve_by_simdjson(const char *p, size_t n, struct eve_sums *s);

#ifdef __cplusplus
}
#endif
