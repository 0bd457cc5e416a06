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

enum { BOOT_SLACK_MS = 60000, LATE_RUN = 4 };

static int64_t boot_of(const struct netflow_result *r)
{
    return r->exported_us / 1000 - r->uptime_ms;
}

/*
 * is_restart - another boot time says so (modulo the wrap of sysUpTime), so do a far jump and a count that is back at 0: the
 * first message of a session (RFC 7011 10.3.2) is hardly ever the overtaken one. A count that goes on as expected is
 * no restart whatever the exporter's clock does.
 */
static bool is_restart(const struct netflow_sequence *s, const struct netflow_result *r, int32_t ahead)
{
    if (!ahead)
        return false;
    int32_t later_ms = (int32_t)(uint32_t)(uint64_t)(boot_of(r) - s->boot_ms);
    if (r->version != 10 && (later_ms > BOOT_SLACK_MS || later_ms < -BOOT_SLACK_MS))
        return true;
    if (!r->sequence && ahead < 0)
        return true;
    return ahead < -(int32_t)NETFLOW_SEQUENCE_WINDOW || ahead > (int32_t)NETFLOW_SEQUENCE_WINDOW;
}

static void move_on(struct netflow_sequence *s, const struct netflow_result *r)
{
    s->next = r->sequence + r->n_units;
    s->boot_ms = boot_of(r);
    s->n_late_run = 0;
    s->is_unsure = !r->is_exact;
}

/* is_new_count - several late datagrams one behind the other are an exporter that began again without saying so. */
static bool is_new_count(struct netflow_sequence *s, const struct netflow_result *r)
{
    s->n_late_run = s->n_late_run && r->sequence == s->late_next ? (uint8_t)(s->n_late_run + 1) : 1;
    s->late_next = r->sequence + r->n_units;
    return s->n_late_run >= LATE_RUN;
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
    if (is_restart(s, r, ahead) || (ahead < 0 && r->n_units && is_new_count(s, r))) {
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
