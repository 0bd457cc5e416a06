/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (HTML, 9.2). Whether a listener sees the object is asked anew for every event and every listener at the moment of
 * sending. The number of an event is shown only as a keyed hash: counting up it would tell that others got events in between.
 */
#include "web/web_own.h"

#include "base/clock.h"
#include "web/web_db.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 1024, EVENT_MAX_BYTES = 64 << 10 };
#define HEARTBEAT_US (15 * US_PER_SECOND)
#define RECHECK_US (5 * US_PER_SECOND)

struct listener {
    struct listener *next, **from;
    struct subject who;
    int64_t session; /* 0: a token's */
    struct http_stream *stream;
    char last_id[24]; /* Last-Event-ID */
    int64_t checked_us, beat_us;
    bool is_over;
};

/* what was told lately, for those who come back */
struct kept {
    char id[20];
    char event[32];
    char kind[24];
    struct access_object object;
    enum permission permission;
    char *text;
    size_t n;
};

struct hub {
    struct web *web;
    pthread_mutex_t lock;
    struct listener *listeners;
    unsigned n_listeners;
    struct kept kept[KEPT];
    uint64_t n_told, n_sent;
    uint8_t key[crypto_shorthash_KEYBYTES];
};

int hub_new(struct web *w, struct hub **ret)
{
    struct hub *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->web = w;
    pthread_mutex_init(&h->lock, NULL);
    randombytes_buf(h->key, sizeof(h->key)); /* a restart forgets what was kept, and its ids with it */
    *ret = h;
    return 0;
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < KEPT; i++)
        free(h->kept[i].text);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

struct listener *hub_listener(const struct web_call *c)
{
    struct listener *l = calloc(1, sizeof(*l));
    const char *last = http_header(c->http, "Last-Event-ID");
    if (!l)
        return NULL;
    l->who = c->subject;
    l->session = c->has_session ? c->session.id : 0;
    l->checked_us = l->beat_us = c->q.now_us;
    if (last)
        snprintf(l->last_id, sizeof(l->last_id), "%s", last);
    return l;
}

/* --- sending --------------------------------------------------------------------------------------------------------- */

static void send_kept(struct hub *h, struct listener *l, const struct access_view *v, const struct kept *k, int64_t now_us)
{
    if (!access_sees(v, &l->who, k->permission, &k->object, now_us))
        return;
    h->n_sent++;
    (void)http_stream_send(l->stream, k->text, k->n);
}

void hub_opened(struct hub *h, struct http_stream *s, struct listener *l)
{
    struct access_view *v = access_take(h->web->access);
    int64_t now_us = web_now(h->web);
    pthread_mutex_lock(&h->lock);
    l->stream = s;
    l->next = h->listeners;
    l->from = &h->listeners;
    if (l->next)
        l->next->from = &l->next;
    h->listeners = l;
    h->n_listeners++;
    bool is_after = false;
    for (uint64_t i = h->n_told > KEPT ? h->n_told - KEPT : 0; l->last_id[0] && i < h->n_told; i++) {
        const struct kept *k = &h->kept[i % KEPT];
        if (is_after && k->text)
            send_kept(h, l, v, k, now_us);
        is_after |= !strcmp(k->id, l->last_id);
    }
    if (l->last_id[0] && !is_after) /* too long ago, or before a restart: what is shown is to be fetched anew */
        (void)http_stream_send(s, "event: reload\ndata: {}\n\n", 24);
    pthread_mutex_unlock(&h->lock);
    access_give(v);
}

void hub_closed(struct hub *h, struct http_stream *s, struct listener *l)
{
    pthread_mutex_lock(&h->lock);
    if (s && l->stream) {
        *l->from = l->next;
        if (l->next)
            l->next->from = l->from;
        h->n_listeners--;
    }
    pthread_mutex_unlock(&h->lock);
    free(l);
}

void hub_tell(struct hub *h, const char *event, const struct access_object *o, enum permission permission, const json_t *data)
{
    struct buf text = {.max = EVENT_MAX_BYTES};
    struct access_view *v = access_take(h->web->access);
    int64_t now_us = web_now(h->web);
    char *body = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    uint64_t n, id;
    pthread_mutex_lock(&h->lock);
    n = h->n_told++;
    struct kept *k = &h->kept[n % KEPT];
    free(k->text);
    crypto_shorthash((uint8_t *)&id, (const uint8_t *)&n, sizeof(n), h->key);
    *k = (struct kept){.object = *o, .permission = permission};
    snprintf(k->id, sizeof(k->id), "%016llx", (unsigned long long)id);
    snprintf(k->event, sizeof(k->event), "%s", event);
    if (o->kind) {
        snprintf(k->kind, sizeof(k->kind), "%s", o->kind);
        k->object.kind = k->kind;
    }
    buf_printf(&text, "id: %s\nevent: %s\ndata: %s\n\n", k->id, k->event, body ? body : "{}");
    if (!text.is_bad) {
        k->text = (char *)text.p;
        k->n = text.n;
        for (struct listener *l = h->listeners; l; l = l->next)
            if (!l->is_over)
                send_kept(h, l, v, k, now_us);
    } else {
        buf_fini(&text);
    }
    pthread_mutex_unlock(&h->lock);
    access_give(v);
    free(body);
}

/* --- time ------------------------------------------------------------------------------------------------------------ */

void hub_recheck(struct hub *h)
{
    pthread_mutex_lock(&h->lock);
    for (struct listener *l = h->listeners; l; l = l->next)
        l->checked_us = 0;
    pthread_mutex_unlock(&h->lock);
}

static bool may_stay(struct db *db, const struct listener *l, int64_t now_us)
{
    return l->session ? session_is_open(db, l->session, now_us) != 0 : web_db_token_holds(db, l->who.token, now_us);
}

void hub_tick(struct hub *h, int64_t now_us)
{
    static const char over[] = "event: session\ndata: {\"state\":\"ended\"}\n\n";
    struct db *db = NULL;
    struct fault f;
    pthread_mutex_lock(&h->lock);
    for (struct listener *l = h->listeners; l; l = l->next) {
        if (l->is_over)
            continue;
        if (now_us - l->beat_us >= HEARTBEAT_US) {
            l->beat_us = now_us;
            (void)http_stream_send(l->stream, ":\n\n", 3);
        }
        if (now_us - l->checked_us < RECHECK_US)
            continue;
        l->checked_us = now_us;
        if (!db)
            db = db_read(h->web->pool);
        if (may_stay(db, l, now_us))
            continue;
        l->is_over = true;
        (void)http_stream_send(l->stream, over, sizeof(over) - 1);
        http_stream_end(l->stream);
    }
    pthread_mutex_unlock(&h->lock);
    if (db)
        (void)db_end(db, false, &f);
}

void hub_numbers(struct hub *h, uint64_t *ret_listeners, uint64_t *ret_told, uint64_t *ret_sent)
{
    pthread_mutex_lock(&h->lock);
    *ret_listeners = h->n_listeners;
    *ret_told = h->n_told;
    *ret_sent = h->n_sent;
    pthread_mutex_unlock(&h->lock);
}
