/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/alert_table - findings in the making, by id, on their way into the journal: of rules and of behaviour.
 *
 * In:     entries that begin with struct alert_head; who has them says by callbacks what they hold and how they read.
 * Once:   an entry that is new here but known to the journal is first held against what that says (recall).
 * Limits: max entries, at most half of the slots; written ones of past windows leave first, without room there is none.
 *         No lock: the owner's. No logging.
 */
#pragma once

#include "base/buf.h"
#include "watch/detect/finder.h"

#define ALERT_TEXT_BYTES 256u /* of a host, a user, a group, a name */

struct alert_head {
    struct finding_id id;
    bool is_used, is_dirty, needs_recall; /* dirty: to be written */
    int64_t window_us;
};

struct alert_table_kind {
    size_t n_bytes; /* of an entry */
    /* clear - free what it owns, and zero it */
    void (*clear)(void *entry);
    /* recall - @payload is what the journal says of it */
    void (*recall)(void *context, void *entry, struct text payload);
    /* put - its payload into @b, which is empty. */
    void (*put)(void *context, const void *entry, const struct space *space, struct buf *b);
};

struct alert_table {
    const struct alert_table_kind *kind;
    void *context; /* of its callbacks */
    uint8_t *slots; /* open addressing, power of two */
    uint32_t n, n_slots, max;
    struct buf payload;
};

/* alert_table_init - Return: 0 or -ENOMEM. */
int alert_table_init(struct alert_table *t, const struct alert_table_kind *kind, void *context, uint32_t max);
void alert_table_fini(struct alert_table *t);
/* alert_table_at - slot @i of n_slots: its head says whether it is used. */
void *alert_table_at(const struct alert_table *t, uint32_t i);
/* alert_table_find - NULL: it has none. */
void *alert_table_find(const struct alert_table *t, const struct finding_id *id);
/* alert_table_add - a new entry of an id that has none: zero but for its head. NULL: no room. */
void *alert_table_add(struct alert_table *t, const struct finding_id *id, int64_t window_us);
/*
 * alert_table_write - what is dirty into the journal of @x; then, where more than half is taken, written entries of windows
 * before @before_us leave. Return: 0 or -errno: what was not written is tried again.
 */
int alert_table_write(struct alert_table *t, struct finder *x, const struct space *space, int64_t before_us, struct fault *f);

/* --- ids, texts and payloads */

/* alert_cut - at most ALERT_TEXT_BYTES, at the end of a character. */
struct text alert_cut(struct text t);
/* alert_id_part - a text, cut, behind its length, so that two parts never read as others. Return: bytes, 2 + ALERT_TEXT_BYTES at most. */
size_t alert_id_part(uint8_t *to, struct text t);
struct finding_id alert_id(const uint8_t *bytes, size_t n);
/* alert_is_like - @pattern with * and ?, in any case; NULL fits all. */
bool alert_is_like(const char *pattern, struct text t);
/* alert_put_key - `"key":`, with a comma where one is needed. _text, _time, _ip: with a value. */
void alert_put_key(struct buf *b, const char *key);
void alert_put_text(struct buf *b, const char *key, struct text t);
void alert_put_time(struct buf *b, const char *key, int64_t us);
void alert_put_ip(struct buf *b, const char *key, const struct ip *ip);
