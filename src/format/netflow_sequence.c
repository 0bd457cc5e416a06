/* SPDX-License-Identifier: Apache-2.0 */
#include "format/netflow_sequence.h"

#include "base/cursor.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

uint64_t netflow_fingerprint(const uint8_t *p, size_t n_bytes)
{
    uint64_t h = mix(0, n_bytes);
    size_t n_head = n_bytes < 64 ? n_bytes : 64;
    for (size_t i = 0; i + 8 <= n_head; i += 8)
        h = mix(h, load_le64(p + i));
    uint64_t tail = 0;
    size_t n_tail = n_bytes < 8 ? n_bytes : 8;
    if (n_tail)
        memcpy(&tail, p + n_bytes - n_tail, n_tail);
    return mix(h, tail) | 1; /* never 0, which marks an empty place */
}

static bool is_repeated(struct netflow_sequence *s, uint64_t fingerprint)
{
    for (unsigned i = 0; i < NETFLOW_SEQUENCE_RECENT; i++)
        if (s->recent[i] == fingerprint)
            return true;
    s->recent[s->at] = fingerprint;
    s->at = (uint8_t)((s->at + 1) % NETFLOW_SEQUENCE_RECENT);
    return false;
}

/* is_restart - sysUpTime that falls says so (not when it wrapped or a datagram was overtaken); so does a far jump. */
static bool is_restart(const struct netflow_sequence *s, const struct netflow_result *r, int32_t ahead)
{
    int32_t elapsed_ms = (int32_t)(r->uptime_ms - s->uptime_ms);
    if (r->version != 10 && elapsed_ms < -60000 && r->uptime_ms < s->uptime_ms)
        return true;
    return ahead < -(int32_t)NETFLOW_SEQUENCE_WINDOW || ahead > (int32_t)NETFLOW_SEQUENCE_WINDOW;
}

static void move_on(struct netflow_sequence *s, const struct netflow_result *r)
{
    s->next = r->sequence + r->n_units;
    s->uptime_ms = r->uptime_ms;
    s->is_unsure = !r->is_exact;
}

enum netflow_sequence_finding netflow_sequence_note(struct netflow_sequence *s, const struct netflow_result *r,
                                                    uint64_t fingerprint, uint32_t *ret_n_missing)
{
    if (!r->has_sequence)
        return NETFLOW_SEQUENCE_NONE;
    if (is_repeated(s, fingerprint)) {
        s->n_repeated++;
        return NETFLOW_SEQUENCE_REPEATED;
    }
    int32_t ahead = (int32_t)(r->sequence - s->next);
    if (!s->is_begun) {
        s->is_begun = true;
        move_on(s, r);
        return NETFLOW_SEQUENCE_FIRST;
    }
    if (is_restart(s, r, ahead)) {
        s->n_restarts++;
        move_on(s, r);
        return NETFLOW_SEQUENCE_RESTART;
    }
    if (ahead < 0) {
        s->n_late++;
        s->n_missing -= r->n_units < s->n_missing ? r->n_units : s->n_missing;
        return NETFLOW_SEQUENCE_LATE;
    }
    bool was_unsure = s->is_unsure;
    move_on(s, r);
    if (!ahead || was_unsure)
        return NETFLOW_SEQUENCE_NEXT;
    s->n_gaps++;
    s->n_missing += (uint32_t)ahead;
    *ret_n_missing = (uint32_t)ahead;
    return NETFLOW_SEQUENCE_GAP;
}
