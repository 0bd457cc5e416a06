/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop alone calls the library: it takes a request whole, suspends its connection and queues it for the workers; what they have
 * answered lies in a list, an eventfd wakes the loop, which resumes the connection and hands the answer over.
 */
#include "net/http_own.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define BODIES_MAX_BYTES ((size_t)256 << 20)
#define HTTP_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE"

enum { HEADERS_MAX_BYTES = 16 << 10, MEMORY_BYTES = 40 << 10, DRAIN_BYTES = 1 << 20, TICK_MS = 500, LINGER_S = 8,
    READER_BYTES_PER_S = 16 << 10 };

const char *http_header(const struct http_request *q, const char *name)
{
    return http_headers_find(q->headers, name);
}

void http_reply_header(struct http_reply *r, const char *name, const char *value)
{
    size_t n = strlen(value);
    if (r->n_headers == sizeof(r->headers) / sizeof(*r->headers) || n >= sizeof(r->headers[0].value))
        return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return;
    r->headers[r->n_headers].name = name;
    memcpy(r->headers[r->n_headers].value, value, n + 1);
    r->n_headers++;
}

void http_wake_loop(struct http_server *s)
{
    uint64_t one = 1;
    if (write(s->event, &one, sizeof(one)) < 0) /* full: it is awake anyway */
        return;
}

/* --- a request comes in --------------------------------------------------------------------------------------------- */

/* begin_exchange - the library has read the request line. */
static void *begin_exchange(void *context, const char *uri, struct MHD_Connection *c)
{
    struct http_server *s = context;
    struct http_exchange *x = calloc(1, sizeof(*x));
    struct http_connection *of = http_connection_of(c);
    if (x)
        x->target = strdup(uri);
    if (!x || !x->target || !of) {
        if (x)
            free(x->target);
        free(x);
        return NULL;
    }
    x->server = s;
    x->connection = c;
    x->of = of;
    x->q.headers = &x->headers;
    x->q.query = "";
    x->q.client = of->ip;
    s->n_exchanges++;
    http_connection_allow(of, s->o.read_timeout_s);
    return x;
}

static void end_exchange(void *context, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode code)
{
    struct http_exchange *x = *con_cls;
    (void)context;
    (void)c;
    (void)code;
    if (!x)
        return;
    if (x->stream)
        http_stream_gone(x->stream);
    http_connection_allow(x->of, x->server->o.read_timeout_s);
    x->server->n_exchanges--;
    x->server->n_body_bytes -= x->body.n;
    buf_fini(&x->body);
    buf_fini(&x->reply.body);
    free(x->target);
    free(x);
    *con_cls = NULL;
}

static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct http_headers *h = context;
    (void)kind;
    if (h->n == HTTP_HEADERS_MAX)
        return MHD_NO;
    h->h[h->n].name = name;
    h->h[h->n].value = value ? value : "";
    h->n++;
    return MHD_YES;
}

static void refuse(struct http_exchange *x, int status)
{
    x->refused = status;
    http_count(x->server, status == 413 || status == 431 ? COUNT_REFUSED_SIZE : COUNT_REFUSED_REQUEST, 1);
}

/* announced - Content-Length; 0: none or not a number (the library has refused that). */
static uint64_t announced(const struct http_exchange *x)
{
    uint64_t n;
    const char *given = http_headers_find(&x->headers, "Content-Length");
    return given && !text_u64((struct text){given, strlen(given)}, UINT64_MAX, &n) ? n : 0;
}

static void read_headers(struct http_exchange *x, const char *method)
{
    const union MHD_ConnectionInfo *size = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    int n = MHD_get_connection_values(x->connection, MHD_HEADER_KIND, take_field, &x->headers);
    x->q.method = method;
    http_count(x->server, COUNT_REQUESTS, 1);
    http_count(x->server, COUNT_BYTES_IN, size ? size->header_size : 0);
    http_connection_certificate(x->of, x->connection);
    x->q.has_certificate = x->of->has_certificate;
    memcpy(x->q.certificate_name, x->of->certificate_name, sizeof(x->q.certificate_name));
    if (http_target_split(x->target, &x->q.query))
        refuse(x, 400);
    else
        x->q.path = x->target;
    if (n > (int)HTTP_HEADERS_MAX || (size && size->header_size > HEADERS_MAX_BYTES))
        refuse(x, 431);
}

static enum MHD_Result queue_reply(struct http_exchange *x);

static enum MHD_Result take_headers(struct http_exchange *x, const char *method)
{
    x->state = HTTP_BODY;
    read_headers(x, method);
    uint64_t n = announced(x);
    if (!x->refused) {
        int64_t most = x->server->h.begin(x->server->h.context, &x->q);
        x->body_max = most > 0 ? (size_t)most : 0;
        x->body.max = x->body_max;
        if (most < 0)
            refuse(x, (int)-most);
        else if (n > x->body_max)
            refuse(x, 413);
    }
    /* who is refused is read away if it is little: an answer beside unread bytes would be lost in a reset */
    bool is_waiting = http_headers_find(&x->headers, "Expect") != NULL;
    return x->refused && (is_waiting || n > DRAIN_BYTES) ? queue_reply(x) : MHD_YES;
}

static enum MHD_Result take_body(struct http_exchange *x, const char *bytes, size_t *n)
{
    size_t k = *n;
    *n = 0;
    http_count(x->server, COUNT_BYTES_IN, k);
    if (!x->refused && k > x->body_max - x->body.n)
        refuse(x, 413);
    if (!x->refused && k > x->server->o.bodies_max_bytes - x->server->n_body_bytes) { /* all that is under way has one bound */
        x->refused = 503;
        http_count(x->server, COUNT_REFUSED_BODIES, 1);
    }
    if (x->refused) {
        x->drained += k;
        return x->drained > DRAIN_BYTES ? MHD_NO : MHD_YES;
    }
    buf_add(&x->body, bytes, k);
    x->server->n_body_bytes += x->body.is_bad ? 0 : k;
    return x->body.is_bad ? MHD_NO : MHD_YES;
}

/* --- an answer goes out --------------------------------------------------------------------------------------------- */

static struct MHD_Response *response_of(struct http_exchange *x)
{
    struct http_reply *a = &x->reply;
    struct MHD_Response *r;
    if (a->is_stream) {
        r = http_stream_response(x);
        if (r)
            return r;
        buf_fini(&a->body);
        *a = (struct http_reply){0};
        x->server->h.refuse(x->server->h.context, &x->q, 503, a);
        a->status = 503;
    }
    if (a->body.is_bad)
        return NULL;
    r = MHD_create_response_from_buffer(a->body.n, a->body.p, MHD_RESPMEM_MUST_FREE);
    if (r)
        a->body.p = NULL;
    return r;
}

static enum MHD_Result queue_reply(struct http_exchange *x)
{
    if (x->refused)
        x->server->h.refuse(x->server->h.context, &x->q, x->refused, &x->reply);
    if (x->refused)
        x->reply.status = x->refused;
    struct MHD_Response *r = response_of(x);
    if (!r)
        return MHD_NO;
    for (unsigned i = 0; i < x->reply.n_headers; i++)
        (void)MHD_add_response_header(r, x->reply.headers[i].name, x->reply.headers[i].value);
    x->state = HTTP_QUEUED;
    http_count(x->server, COUNT_ANSWERED, 1);
    if (!x->stream)
        http_count(x->server, COUNT_BYTES_OUT, x->reply.body.n);
    http_connection_allow(x->of, x->stream ? 0 : (int64_t)(x->server->o.read_timeout_s + x->reply.body.n / READER_BYTES_PER_S));
    enum MHD_Result queued = MHD_queue_response(x->connection, x->reply.status ? (unsigned)x->reply.status : 200, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result hand_to_workers(struct http_exchange *x)
{
    struct http_server *s = x->server;
    x->state = HTTP_AT_WORK;
    x->q.body = x->body.p;
    x->q.n_body = x->body.n;
    http_connection_allow(x->of, 0);
    MHD_suspend_connection(x->connection);
    pthread_mutex_lock(&s->lock);
    x->next = NULL;
    *s->last = x;
    s->last = &x->next;
    s->n_working++;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    return MHD_YES;
}

static enum MHD_Result take_request(void *context, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                    const char *bytes, size_t *n, void **con_cls)
{
    struct http_exchange *x = *con_cls;
    (void)context;
    (void)c;
    (void)url;
    (void)version;
    if (!x)
        return MHD_NO;
    if (x->state == HTTP_HEADERS)
        return take_headers(x, method);
    if (*n)
        return take_body(x, bytes, n);
    if (x->state == HTTP_BODY && !x->refused)
        return hand_to_workers(x);
    return x->state == HTTP_QUEUED ? MHD_YES : queue_reply(x);
}

/* --- threads ---------------------------------------------------------------------------------------------------------- */

static void *worker(void *context)
{
    struct http_server *s = context;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->first && !s->are_workers_to_end)
            pthread_cond_wait(&s->work, &s->lock);
        struct http_exchange *x = s->first;
        if (!x)
            break;
        s->first = x->next;
        if (!s->first)
            s->last = &s->first;
        pthread_mutex_unlock(&s->lock);
        s->h.answer(s->h.context, &x->q, &x->reply);
        pthread_mutex_lock(&s->lock);
        bool was_empty = !s->done;
        x->next = s->done;
        s->done = x;
        s->n_working--;
        pthread_mutex_unlock(&s->lock);
        if (was_empty)
            http_wake_loop(s);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* take_done - Return: requests that are still being answered. */
static unsigned take_done(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    struct http_exchange *x = s->done;
    unsigned n = s->n_working;
    s->done = NULL;
    pthread_mutex_unlock(&s->lock);
    while (x) {
        struct http_exchange *next = x->next;
        x->state = HTTP_ANSWERED;
        MHD_resume_connection(x->connection);
        x = next;
    }
    return n;
}

static void end_workers(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->are_workers_to_end = true;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->n_workers; i++)
        pthread_join(s->workers[i], NULL);
    s->n_workers = 0;
}

/* turn - one round of the loop, which waits at most @most_ms. Return: requests that are still being answered. */
static unsigned turn(struct http_server *s, int most_ms, int64_t *ticked_us)
{
    struct epoll_event events[4];
    MHD_UNSIGNED_LONG_LONG ms;
    int wait_ms = MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms < (unsigned)most_ms ? (int)ms : most_ms;
    uint64_t n_events;
    (void)epoll_wait(s->epoll, events, 4, wait_ms);
    if (read(s->event, &n_events, sizeof(n_events)) < 0 && errno != EAGAIN)
        return 0;
    unsigned n = take_done(s);
    http_streams_wake(s);
    (void)MHD_run(s->daemon);
    int64_t now_us = clock_steady_us();
    if (now_us - *ticked_us >= TICK_MS * INT64_C(1000)) {
        *ticked_us = now_us;
        http_connections_tick(s, now_us);
    }
    return n;
}

static void *loop(void *context)
{
    struct http_server *s = context;
    int64_t ticked_us = 0;
    while (!atomic_load(&s->is_stopping))
        (void)turn(s, TICK_MS, &ticked_us);
    (void)MHD_quiesce_daemon(s->daemon); /* the socket stays open for who holds it too */
    http_streams_end(s);
    int64_t until_us = clock_steady_us() + LINGER_S * US_PER_SECOND;
    while ((turn(s, 20, &ticked_us) || s->n_exchanges) && clock_steady_us() < until_us)
        http_streams_end(s);
    end_workers(s);
    for (int i = 0; i < 4; i++) /* nobody may be suspended when the library ends */
        (void)turn(s, 0, &ticked_us);
    MHD_stop_daemon(s->daemon);
    s->daemon = NULL;
    return NULL;
}

/* --- beginning and end -------------------------------------------------------------------------------------------------- */

static int start_library(struct http_server *s, struct fault *f)
{
    const struct http_options *o = &s->o;
    struct MHD_OptionItem more[5] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (o->certificate_pem) {
        flags |= MHD_USE_TLS;
        more[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->certificate_pem};
        more[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->key_pem};
        more[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)HTTP_PRIORITIES};
        more[3] = (struct MHD_OptionItem){o->client_ca_pem ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
            (void *)(uintptr_t)o->client_ca_pem};
        more[4] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    errno = 0;
    s->daemon = MHD_start_daemon(flags, 0, http_may_connect, s, take_request, s, MHD_OPTION_LISTEN_SOCKET, o->listen_fd,
                                 MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, s, MHD_OPTION_NOTIFY_COMPLETED, end_exchange, s,
                                 MHD_OPTION_NOTIFY_CONNECTION, http_note_connection, s, MHD_OPTION_CONNECTION_LIMIT,
                                 o->connections_max + 8, MHD_OPTION_CONNECTION_TIMEOUT, o->read_timeout_s + 10,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (!s->daemon)
        return FAULT(f, errno ? -errno : -EINVAL, http_cannot_serve, errno ? strerrordesc_np(errno) : "certificate and key");
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event e = {.events = EPOLLIN};
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!i || s->epoll < 0 || s->event < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, i->epoll_fd, &e) ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->event, &e))
        return FAULT(f, -errno, http_cannot_serve, strerrordesc_np(errno));
    return 0;
}

static void release(struct http_server *s)
{
    if (s->daemon) {
        (void)MHD_quiesce_daemon(s->daemon);
        MHD_stop_daemon(s->daemon);
    }
    file_close(&s->epoll);
    file_close(&s->event);
    file_close(&s->o.listen_fd);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->stream_lock);
    pthread_cond_destroy(&s->work);
    free(s->workers);
    free(s);
}

static int start_threads(struct http_server *s, struct fault *f)
{
    int e = 0;
    while (!e && s->n_workers < s->o.n_workers) {
        e = pthread_create(&s->workers[s->n_workers], NULL, worker, s);
        s->n_workers += !e;
    }
    if (!e)
        e = pthread_create(&s->loop, NULL, loop, s);
    if (e)
        end_workers(s);
    return e ? FAULT(f, -e, http_cannot_serve, strerrordesc_np(e)) : 0;
}

int http_server_start(const struct http_options *o, const struct http_handlers *h, struct http_server **ret, struct fault *f)
{
    struct http_server *s = calloc(1, sizeof(*s));
    if (!s)
        return FAULT(f, -ENOMEM, no_memory, "HTTPS");
    s->o = *o;
    s->h = *h;
    s->o.bodies_max_bytes = o->bodies_max_bytes ? o->bodies_max_bytes : BODIES_MAX_BYTES;
    s->epoll = s->event = -1;
    s->last = &s->first;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->stream_lock, NULL);
    pthread_cond_init(&s->work, NULL);
    if (getrandom(&s->key, sizeof(s->key), 0) != (ssize_t)sizeof(s->key))
        s->key = (uint64_t)clock_steady_us();
    s->workers = calloc(o->n_workers, sizeof(*s->workers));
    int r = s->workers ? start_library(s, f) : FAULT(f, -ENOMEM, no_memory, "HTTPS");
    if (!r)
        r = start_threads(s, f);
    if (r) {
        release(s);
        return r;
    }
    s->o.certificate_pem = s->o.key_pem = NULL; /* the caller wipes them */
    *ret = s;
    return 0;
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    atomic_store(&s->is_stopping, true);
    http_wake_loop(s);
    pthread_join(s->loop, NULL);
    release(s);
}

void http_server_counters(struct http_server *s, struct http_counters *ret)
{
    uint64_t v[16];
    for (int i = 0; i < 16; i++)
        v[i] = atomic_load_explicit(&s->counters[i], memory_order_relaxed);
    *ret = (struct http_counters){
        .accepted = v[COUNT_ACCEPTED], .requests = v[COUNT_REQUESTS], .answered = v[COUNT_ANSWERED], .bytes_in = v[COUNT_BYTES_IN],
        .bytes_out = v[COUNT_BYTES_OUT], .refused_size = v[COUNT_REFUSED_SIZE], .refused_request = v[COUNT_REFUSED_REQUEST],
        .refused_connections = v[COUNT_REFUSED_CONNECTIONS], .refused_connections_of_one = v[COUNT_REFUSED_OF_ONE],
        .refused_slow = v[COUNT_REFUSED_SLOW], .refused_streams = v[COUNT_REFUSED_STREAMS], .connections = v[COUNT_CONNECTIONS],
        .streams = v[COUNT_STREAMS], .streams_behind = v[COUNT_STREAMS_BEHIND], .refused_bodies = v[COUNT_REFUSED_BODIES]};
}
