/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/alert_table.h"

#include "base/clock.h"
#include "format/json.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { LEAST_SLOTS = 64, MOST_SLOTS = 1 << 24 };

int alert_table_init(struct alert_table *t, const struct alert_table_kind *kind, void *context, uint32_t max)
{
    *t = (struct alert_table){.kind = kind, .context = context, .n_slots = LEAST_SLOTS, .max = max,
                              .payload = {.max = FINDING_MAX_PAYLOAD}};
    while (t->n_slots / 2 < max && t->n_slots < MOST_SLOTS)
        t->n_slots *= 2;
    t->slots = calloc(t->n_slots, kind->n_bytes);
    return t->slots ? 0 : -ENOMEM;
}

void *alert_table_at(const struct alert_table *t, uint32_t i)
{
    return t->slots + (size_t)i * t->kind->n_bytes;
}

static struct alert_head *head_at(const struct alert_table *t, uint32_t i)
{
    return alert_table_at(t, i);
}

void alert_table_fini(struct alert_table *t)
{
    for (uint32_t i = 0; t->slots && i < t->n_slots; i++)
        if (head_at(t, i)->is_used)
            t->kind->clear(alert_table_at(t, i));
    free(t->slots);
    t->slots = NULL;
    buf_fini(&t->payload);
}

/* slot_of - where @id stands or would stand. */
static struct alert_head *slot_of(const struct alert_table *t, const struct finding_id *id)
{
    uint64_t h;
    memcpy(&h, id->b, sizeof(h));
    uint32_t i = (uint32_t)h & (t->n_slots - 1);
    while (head_at(t, i)->is_used && memcmp(head_at(t, i)->id.b, id->b, sizeof(id->b)) != 0)
        i = (i + 1) & (t->n_slots - 1);
    return head_at(t, i);
}

void *alert_table_find(const struct alert_table *t, const struct finding_id *id)
{
    struct alert_head *h = slot_of(t, id);
    return h->is_used ? h : NULL;
}

/* drop_written - clean entries of windows before @before_us leave; the others find their places anew. Return: 0 or -ENOMEM. */
static int drop_written(struct alert_table *t, int64_t before_us)
{
    struct alert_table old = *t;
    uint8_t *fresh = calloc(t->n_slots, t->kind->n_bytes);
    if (!fresh)
        return -ENOMEM;
    t->slots = fresh;
    t->n = 0;
    for (uint32_t i = 0; i < old.n_slots; i++) {
        struct alert_head *h = head_at(&old, i);
        if (!h->is_used)
            continue;
        if (!h->is_dirty && h->window_us < before_us) {
            t->kind->clear(h);
            continue;
        }
        memcpy(slot_of(t, &h->id), h, t->kind->n_bytes);
        t->n++;
    }
    free(old.slots);
    return 0;
}

void *alert_table_add(struct alert_table *t, const struct finding_id *id, int64_t window_us)
{
    if (t->n >= t->max && (drop_written(t, INT64_MAX) || t->n >= t->max))
        return NULL;
    struct alert_head *h = slot_of(t, id);
    memset(h, 0, t->kind->n_bytes);
    *h = (struct alert_head){.id = *id, .is_used = true, .needs_recall = true, .window_us = window_us};
    t->n++;
    return h;
}

/* --- into the journal ------------------------------------------------------------------------------------------------- */

struct recalling {
    struct alert_table *t;
    uint32_t n; /* entries still to be found */
};

static int recall_one(void *context, const struct finding_id *id, struct text payload)
{
    struct recalling *r = context;
    struct alert_head *h = slot_of(r->t, id);
    if (!h->is_used || !h->needs_recall)
        return 0;
    r->t->kind->recall(r->t->context, h, payload);
    h->needs_recall = false;
    return --r->n ? 0 : 1;
}

/* recall - entries that are new here and known to the journal are held against what it says. Return: 0 or -errno. */
static int recall(struct alert_table *t, struct finder *x, struct fault *f)
{
    struct recalling r = {.t = t};
    for (uint32_t i = 0; i < t->n_slots; i++) {
        struct alert_head *h = head_at(t, i);
        if (h->is_used && h->needs_recall && !finder_revision(x, &h->id))
            h->needs_recall = false;
        r.n += h->is_used && h->needs_recall;
    }
    int e = r.n ? finder_recall(x, recall_one, &r, f) : 0;
    return e < 0 ? e : 0;
}

static int write_changed(struct alert_table *t, struct finder *x, const struct space *space, struct fault *f)
{
    int r = recall(t, x, f);
    for (uint32_t i = 0; !r && i < t->n_slots; i++) {
        struct alert_head *h = head_at(t, i);
        if (!h->is_used || !h->is_dirty)
            continue;
        buf_clear(&t->payload);
        t->kind->put(t->context, h, space, &t->payload);
        r = t->payload.is_bad ? -ENOMEM : finder_journal(x, &h->id, (struct text){(const char *)t->payload.p, t->payload.n});
        if (r)
            return FAULT(f, r, no_memory, "findings");
        h->is_dirty = h->needs_recall = false;
    }
    return r;
}

int alert_table_write(struct alert_table *t, struct finder *x, const struct space *space, int64_t before_us, struct fault *f)
{
    int r = write_changed(t, x, space, f);
    if (t->n > t->max / 2)
        (void)drop_written(t, t->n > t->max / 4 * 3 ? INT64_MAX : before_us);
    return r;
}

/* --- ids, texts and payloads ---------------------------------------------------------------------------------------------- */

struct text alert_cut(struct text t)
{
    while (t.n > ALERT_TEXT_BYTES) {
        t.n = ALERT_TEXT_BYTES;
        while (t.n && ((uint8_t)t.p[t.n] & 0xc0) == 0x80)
            t.n--;
    }
    return t;
}

size_t alert_id_part(uint8_t *to, struct text t)
{
    t = alert_cut(t);
    uint16_t n = (uint16_t)t.n;
    memcpy(to, &n, sizeof(n));
    memcpy(to + sizeof(n), n ? t.p : "", n);
    return sizeof(n) + n;
}

struct finding_id alert_id(const uint8_t *bytes, size_t n)
{
    struct finding_id id;
    XXH128_hash_t h = XXH3_128bits(bytes, n);
    memcpy(id.b, &h.high64, 8);
    memcpy(id.b + 8, &h.low64, 8);
    return id;
}

bool alert_is_like(const char *pattern, struct text t)
{
    char text[ALERT_TEXT_BYTES + 1];
    if (!pattern)
        return true;
    t = alert_cut(t);
    memcpy(text, t.n ? t.p : "", t.n);
    text[t.n] = 0;
    return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

void alert_put_key(struct buf *b, const char *key)
{
    if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
        buf_add_byte(b, ',');
    buf_printf(b, "\"%s\":", key);
}

void alert_put_text(struct buf *b, const char *key, struct text t)
{
    alert_put_key(b, key);
    json_put_string(b, t);
}

void alert_put_time(struct buf *b, const char *key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    size_t n = clock_format_utc(us, text);
    alert_put_text(b, key, (struct text){text, n});
}

void alert_put_ip(struct buf *b, const char *key, const struct ip *ip)
{
    char text[IP_TEXT_MAX];
    size_t n = ip_format(ip, text);
    alert_put_text(b, key, (struct text){text, n});
}
