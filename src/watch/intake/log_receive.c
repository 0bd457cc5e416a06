/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/log_receive.h"

#include "base/clock.h"
#include "format/event_record.h"
#include "watch/intake/log_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { N_DATAGRAMS = 64, DATAGRAM_BYTES = 1 << 16, STREAM_BYTES = 1 << 16, FLUSH_US = 200000, RETRY_US = 100000, N_EVENTS = 64,
       LINGER_US = 1000000, DRAIN_US = 3000000, PAUSE_MS = 10, SPOOL_MS = 100, SPOOLED_A_TURN = 4096 };

#define NOTE_KEY "spool"

/* places of the array of connections; what epoll tells is an index of these or one of two more */
#define TAG_UDP UINT64_MAX
#define TAG_TCP (UINT64_MAX - 1)
#define TAG_WAKE (UINT64_MAX - 2)
#define TAG_LINK (UINT64_MAX - 3)

struct connection {
    int fd; /* -1: free */
    uint32_t source;
    struct log_framer framer;
};

struct log_receiver_inside {
    int epoll, wake;
    struct events *events;
    struct event_names *names; /* a view: what senders may add is bounded */
    struct event_decoder *decoder;
    int64_t oldest_us; /* when the batch got its first row; 0: empty */
    int64_t ticked_us;
    struct connection connections[LOG_CONNECTIONS_MAX];
    uint32_t n_connections;
    uint32_t rows_of[EVENTS_ROWS]; /* source of each row of the batch */
    uint8_t *bytes;                /* N_DATAGRAMS of DATAGRAM_BYTES, also for streams */
    pthread_t spooler;             /* reads datagrams, if there is a spool */
    uint8_t *spooled;              /* as bytes, the spooler's */
    uint64_t place;                /* in the spool, as noted last */
    bool has_given_up;             /* the store took nothing until the end */
};

/* --- sockets --------------------------------------------------------------------------------------------------- */

int tcp_listen(const struct ip *ip, uint16_t port, struct fault *f)
{
    char shown[IP_TEXT_MAX];
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    bool is_v4 = ip_is_v4(ip);
    int yes = 1, no = 0, fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(&a.sin6_addr, ip->b, sizeof(ip->b));
    a4.sin_addr.s_addr = htonl(ip_v4(ip));
    ip_format(ip, shown);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (fd >= 0 && !is_v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    if (fd < 0 || (is_v4 ? bind(fd, (struct sockaddr *)&a4, sizeof(a4)) : bind(fd, (struct sockaddr *)&a, sizeof(a))) ||
        listen(fd, 128)) {
        int e = -errno;
        if (fd >= 0)
            close(fd);
        return FAULT(f, e, tcp_cannot_listen, shown, port, strerrordesc_np(-e));
    }
    return fd;
}

static struct ip address_of(const struct sockaddr_storage *s)
{
    struct ip ip = {{0}};
    if (s->ss_family == AF_INET) {
        struct sockaddr_in a;
        memcpy(&a, s, sizeof(a));
        return ip_from_v4(ntohl(a.sin_addr.s_addr));
    }
    if (s->ss_family == AF_INET6) {
        struct sockaddr_in6 a;
        memcpy(&a, s, sizeof(a));
        memcpy(ip.b, &a.sin6_addr, sizeof(ip.b));
    }
    return ip;
}

static bool is_allowed(const struct log_receiver *r, const struct ip *ip)
{
    for (size_t i = 0; i < r->o.n_allow; i++)
        if (ip_range_has(&r->o.allow[i], ip))
            return true;
    return !r->o.n_allow;
}

/* --- the batch ------------------------------------------------------------------------------------------------------ */

static void count_dropped(struct log_receiver *r)
{
    pthread_mutex_lock(&r->sources.lock);
    for (uint32_t i = 0; i < r->inside->events->n; i++)
        r->sources.all[r->inside->rows_of[i]].dropped++;
    pthread_mutex_unlock(&r->sources.lock);
}

/* note_place - behind the datagrams of this batch, into its frame. */
static int note_place(struct log_receiver *r)
{
    uint8_t key[sizeof(NOTE_KEY) - 1 + 2] = NOTE_KEY;
    uint64_t place = log_spool_place(r->spool);
    if (place == r->inside->place)
        return 0;
    key[sizeof(NOTE_KEY) - 1] = (uint8_t)r->o.id;
    key[sizeof(NOTE_KEY)] = (uint8_t)(r->o.id >> 8);
    r->inside->place = place;
    return store_log_writer_note(r->o.writer, key, sizeof(key), place);
}

/*
 * flush - the batch to the hook and into the journal. While the store takes nothing: wait, unless we are ending: then a
 * second chance, and what is lost is counted. Return: 0 or <0 (the hook's).
 */
static int flush(struct log_receiver *r)
{
    struct log_receiver_inside *x = r->inside;
    struct events *e = x->events;
    int result = 0;
    if (!e->n)
        return 0;
    if (r->o.hook)
        result = r->o.hook(r->o.context, e);
    if (r->spool && !result)
        result = note_place(r);
    for (unsigned n_tries = 0; !result && store_log_writer_append(r->o.writer, e, &r->fault);) {
        atomic_store(&r->is_waiting, true);
        if (atomic_load(&r->is_ending) && ++n_tries > 5) {
            count_dropped(r);
            x->has_given_up = true;
            break;
        }
        if (r->o.tick)
            (void)r->o.tick(r->o.context);
        usleep(RETRY_US);
    }
    atomic_store(&r->is_waiting, false);
    atomic_fetch_add(&r->batches, 1);
    events_clear(e);
    x->oldest_us = 0;
    if (r->spool && !x->has_given_up)
        log_spool_settle(r->spool);
    return result;
}

/* one sender's messages: who it is, as text and as number */
struct sender {
    uint32_t source;
    struct text address, name;
    char shown[IP_TEXT_MAX], name_text[LOG_SOURCE_NAME_MAX];
};

/* kind_of - what a record must be: on a listener of one format what is something else is malformed (and kept as text). */
static enum event_record_kind kind_of(const struct log_receiver *r)
{
    switch (r->o.format) {
    case LOG_FRAME_JSON: return EVENT_RECORD_JSON;
    case LOG_FRAME_XML: return EVENT_RECORD_WINXML;
    case LOG_FRAME_SYSLOG:
    case LOG_FRAME_AUTO: break;
    }
    return EVENT_RECORD_ANY;
}

/* is_admitted - a message of @n_bytes came; whether its sender may send it. */
static bool is_admitted(struct log_receiver *r, uint32_t source, size_t n_bytes, int64_t now_us)
{
    pthread_mutex_lock(&r->sources.lock);
    struct log_source *s = &r->sources.all[source];
    bool is = log_source_admits(s, &r->o.quota, n_bytes, now_us);
    s->messages++;
    s->bytes += n_bytes;
    s->last_us = now_us;
    s->over_quota += !is;
    pthread_mutex_unlock(&r->sources.lock);
    return is;
}

/* add - one message as one row. Return: 0 or <0. */
static int add(struct log_receiver *r, struct text message, const struct sender *sender, int64_t arrived_us)
{
    struct log_receiver_inside *x = r->inside;
    struct event_source from = {.arrived_us = arrived_us, .zone_s = r->o.zone_s, .address = sender->address, .sender = sender->name};
    enum event_refusal reason;
    size_t at;
    while (message.n && (message.p[message.n - 1] == '\n' || message.p[message.n - 1] == '\r' || !message.p[message.n - 1]))
        message.n--;
    if (!is_admitted(r, sender->source, message.n, from.arrived_us))
        return 0;
    uint64_t before = r->sources.all[sender->source].names, names = before, names_refused = 0; /* written by this thread only */
    event_names_ask(x->names, &names, &names_refused);
    int e = event_record(x->decoder, kind_of(r), message, &from, x->events, &reason, &at);
    bool is_malformed = e == EVENT_RECORD_REFUSED;
    if (is_malformed)
        e = event_record(x->decoder, EVENT_RECORD_LINE, message, &from, x->events, &reason, &at);
    bool is_plain = !e && !event_get(x->events, x->events->n - 1, EV_EVENT_DECODER);
    event_names_ask(x->names, NULL, NULL);
    if (e || is_malformed || is_plain || names != before || names_refused) {
        pthread_mutex_lock(&r->sources.lock);
        struct log_source *s = &r->sources.all[sender->source];
        s->names = names;
        s->names_refused += names_refused;
        s->malformed += is_malformed;
        s->plain += is_plain;
        s->empty += e == EVENT_RECORD_NONE;
        s->dropped += e == EVENT_RECORD_REFUSED;
        pthread_mutex_unlock(&r->sources.lock);
    }
    if (e == -ENOMEM)
        return FAULT(&r->fault, e, no_memory, "receivers");
    if (!e) {
        x->rows_of[x->events->n - 1] = sender->source;
        if (!x->oldest_us)
            x->oldest_us = clock_steady_us();
    }
    return events_full(x->events) ? flush(r) : 0;
}

/* --- datagrams -------------------------------------------------------------------------------------------------------- */

static void note_drops(struct log_receiver *r, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t n;
            memcpy(&n, CMSG_DATA(c), sizeof(n));
            atomic_store(&r->kernel_drops, n);
        }
}

static int add_datagram(struct log_receiver *r, const struct spooled *d)
{
    struct sender sender = {0};
    pthread_mutex_lock(&r->sources.lock);
    sender.source = log_sources_find(&r->sources, &d->ip, TEXT(""), d->arrived_us);
    pthread_mutex_unlock(&r->sources.lock);
    sender.address = (struct text){sender.shown, ip_format(&d->ip, sender.shown)};
    return add(r, d->bytes, &sender, d->arrived_us);
}

/* spool_datagram - it waits; or it is lost, and counted. */
static int spool_datagram(struct log_receiver *r, const struct spooled *d)
{
    if (!log_spool_put(r->spool, d))
        return 0;
    pthread_mutex_lock(&r->sources.lock);
    struct log_source *s = &r->sources.all[log_sources_find(&r->sources, &d->ip, TEXT(""), d->arrived_us)];
    s->messages++;
    s->bytes += d->bytes.n;
    s->last_us = d->arrived_us;
    s->spool_full++;
    pthread_mutex_unlock(&r->sources.lock);
    return 0;
}

/* take_datagrams - at most N_DATAGRAMS from the socket. Return: how many, or <0. */
static int take_datagrams(struct log_receiver *r, uint8_t *bytes, int (*each)(struct log_receiver *, const struct spooled *))
{
    struct mmsghdr m[N_DATAGRAMS] = {0};
    struct iovec parts[N_DATAGRAMS];
    struct sockaddr_storage from[N_DATAGRAMS];
    char control[N_DATAGRAMS][CMSG_SPACE(sizeof(uint32_t))];
    for (size_t i = 0; i < N_DATAGRAMS; i++) {
        parts[i] = (struct iovec){bytes + i * DATAGRAM_BYTES, DATAGRAM_BYTES};
        m[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &parts[i], .msg_iovlen = 1,
                                       .msg_control = control[i], .msg_controllen = sizeof(control[i])};
    }
    int n = recvmmsg(r->o.udp_fd, m, N_DATAGRAMS, MSG_DONTWAIT, NULL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    int64_t now_us = clock_now_us();
    for (int i = 0; i < n; i++) {
        struct spooled d = {now_us, address_of(&from[i]), {parts[i].iov_base, m[i].msg_len}};
        note_drops(r, &m[i].msg_hdr);
        if (!is_allowed(r, &d.ip)) {
            atomic_fetch_add(&r->not_allowed, 1);
            continue;
        }
        int e = each(r, &d);
        if (e)
            return e;
    }
    return n;
}

/* take_udp - what is there, from the socket or from the spool. Return: how many, or <0. */
static int take_udp(struct log_receiver *r)
{
    struct spooled d;
    int n = 0, e = 0;
    if (!r->spool) {
        n = take_datagrams(r, r->inside->bytes, add_datagram);
        return n < 0 && !r->fault.code ? FAULT(&r->fault, n, log_receive_failed, strerrordesc_np(-n)) : n;
    }
    while (n < SPOOLED_A_TURN && !(e = log_spool_take(r->spool, &d))) {
        if ((e = add_datagram(r, &d)))
            return e;
        n++;
    }
    return e < 0 ? FAULT(&r->fault, e, no_memory, "receivers") : n;
}

/* spooler - the thread that empties the socket, whatever the others wait for. */
static void *spool_all(void *context)
{
    struct log_receiver *r = context;
    uint64_t one = 1;
    for (;;) {
        bool is_ending = atomic_load(&r->is_ending);
        struct pollfd p = {.fd = r->o.udp_fd, .events = POLLIN};
        if (!is_ending)
            (void)poll(&p, 1, SPOOL_MS);
        int n = take_datagrams(r, r->inside->spooled, spool_datagram);
        if (n > 0)
            (void)!write(r->inside->wake, &one, sizeof(one));
        if (n <= 0 && is_ending)
            return NULL;
        if (n < 0)
            poll(NULL, 0, SPOOL_MS); /* the socket is in trouble: it may pass */
    }
}

/* --- streams ---------------------------------------------------------------------------------------------------------- */

static void close_connection(struct log_receiver *r, struct connection *c)
{
    pthread_mutex_lock(&r->sources.lock);
    r->sources.all[c->source].n_connections--;
    pthread_mutex_unlock(&r->sources.lock);
    close(c->fd);
    c->fd = -1;
    log_framer_fini(&c->framer);
    c->framer = (struct log_framer){0};
    r->inside->n_connections--;
    atomic_fetch_sub(&r->connections, 1);
}

static struct connection *free_connection(struct log_receiver_inside *x)
{
    for (size_t i = 0; i < LOG_CONNECTIONS_MAX; i++)
        if (x->connections[i].fd < 0)
            return &x->connections[i];
    return NULL;
}

/* add_connection - @fd becomes a connection of that sender, or is closed: too many. */
static void add_connection(struct log_receiver *r, int fd, const struct ip *ip, struct text name)
{
    struct log_receiver_inside *x = r->inside;
    struct connection *c = free_connection(x);
    pthread_mutex_lock(&r->sources.lock);
    uint32_t source = log_sources_find(&r->sources, ip, name, clock_now_us());
    bool has_room = c && r->sources.all[source].n_connections < LOG_CONNECTIONS_OF_ONE;
    r->sources.all[source].n_connections += has_room;
    pthread_mutex_unlock(&r->sources.lock);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = has_room ? (uint64_t)(c - x->connections) : 0};
    if (!has_room || epoll_ctl(x->epoll, EPOLL_CTL_ADD, fd, &e)) {
        atomic_fetch_add(&r->connections_refused, 1);
        close(fd);
        return;
    }
    *c = (struct connection){.fd = fd, .source = source, .framer = {.format = r->o.format}};
    x->n_connections++;
    atomic_fetch_add(&r->connections, 1);
}

static void accept_connection(struct log_receiver *r)
{
    struct sockaddr_storage from = {0};
    socklen_t n = sizeof(from);
    int yes = 1, fd = accept4(r->o.tcp_fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* it went away, or descriptors are out: the next may do */
    struct ip ip = address_of(&from);
    if (!is_allowed(r, &ip)) {
        atomic_fetch_add(&r->not_allowed, 1);
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    add_connection(r, fd, &ip, TEXT(""));
}

/* accept_stream - one that the gate has taken off TLS. */
static void accept_stream(struct log_receiver *r)
{
    struct log_link_hello hello;
    int fd;
    if (log_link_receive(r->o.link_fd, &hello, &fd))
        return;
    if (hello.kind == LOG_LINK_STREAM)
        add_connection(r, fd, &hello.ip, (struct text){hello.name, strlen(hello.name)});
    else
        close(fd);
}

static void describe(struct log_receiver *r, const struct connection *c, struct sender *ret)
{
    pthread_mutex_lock(&r->sources.lock);
    const struct log_source *s = &r->sources.all[c->source];
    struct ip ip = s->ip;
    memcpy(ret->name_text, s->name, sizeof(ret->name_text));
    pthread_mutex_unlock(&r->sources.lock);
    ret->source = c->source;
    ret->address = (struct text){ret->shown, ip_format(&ip, ret->shown)};
    ret->name = (struct text){ret->name_text, strlen(ret->name_text)};
}

static int end_stream(struct log_receiver *r, struct connection *c, const struct sender *sender)
{
    struct text message;
    int e = log_frame_end(&c->framer, &message) ? 0 : add(r, message, sender, clock_now_us());
    close_connection(r, c);
    return e;
}

/* read_connection - one piece. Return: bytes read (0: nothing there, or it ended), or <0. */
static int read_connection(struct log_receiver *r, struct connection *c)
{
    struct sender sender;
    struct text message;
    if (c->fd < 0)
        return 0;
    describe(r, c, &sender);
    ssize_t n = recv(c->fd, r->inside->bytes, STREAM_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        int e = end_stream(r, c, &sender);
        return e;
    }
    const uint8_t *p = r->inside->bytes;
    size_t left = (size_t)n;
    int e;
    while (!(e = log_frame(&c->framer, &p, &left, &message)))
        if ((e = add(r, message, &sender, clock_now_us())) < 0)
            break;
    if (e == -ENOMEM)
        return FAULT(&r->fault, e, no_memory, "receivers");
    return e < 0 ? e : (int)n;
}

/* --- the thread ---------------------------------------------------------------------------------------------------------- */

static int recall(void *context, const void *key, size_t n_key, uint64_t value)
{
    struct log_receiver *r = context;
    const uint8_t *k = key;
    if (n_key == sizeof(NOTE_KEY) - 1 + 2 && !memcmp(k, NOTE_KEY, sizeof(NOTE_KEY) - 1) &&
        (k[sizeof(NOTE_KEY) - 1] | k[sizeof(NOTE_KEY)] << 8) == r->o.id)
        r->inside->place = value;
    return 0;
}

static int open_spool(struct log_receiver *r)
{
    r->inside->spooled = malloc((size_t)N_DATAGRAMS * DATAGRAM_BYTES);
    int e = r->inside->spooled ? store_each_note(r->o.store, recall, r) : -ENOMEM;
    return e ? e : log_spool_open(r->o.spool_dir, r->o.spool_bytes, r->inside->place, &r->spool);
}

int log_receiver_init(struct log_receiver *r, const struct log_receiver_options *o)
{
    *r = (struct log_receiver){.o = *o};
    int no_room = log_sources_init(&r->sources);
    struct log_receiver_inside *x = r->inside = calloc(1, sizeof(*x));
    if (!x || no_room)
        return -ENOMEM;
    x->epoll = x->wake = -1;
    for (size_t i = 0; i < LOG_CONNECTIONS_MAX; i++)
        x->connections[i].fd = -1;
    x->names = event_names_view(o->names);
    x->events = x->names ? events_new(x->names) : NULL;
    x->decoder = x->names ? event_decoder_new(x->names, o->decoders) : NULL;
    x->bytes = malloc((size_t)N_DATAGRAMS * DATAGRAM_BYTES);
    x->epoll = epoll_create1(EPOLL_CLOEXEC);
    x->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!x->events || !x->decoder || !x->bytes)
        return -ENOMEM;
    if (x->epoll < 0 || x->wake < 0)
        return -errno;
    const struct {
        int fd;
        uint64_t tag;
    } watched[] = {{o->spool_dir ? -1 : o->udp_fd, TAG_UDP}, {o->tcp_fd, TAG_TCP}, {o->link_fd, TAG_LINK}, {x->wake, TAG_WAKE}};
    int yes = 1;
    for (size_t i = 0; i < sizeof(watched) / sizeof(*watched); i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u64 = watched[i].tag};
        if (watched[i].fd >= 0 && epoll_ctl(x->epoll, EPOLL_CTL_ADD, watched[i].fd, &e))
            return -errno;
    }
    if (o->udp_fd >= 0)
        setsockopt(o->udp_fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof(yes));
    return o->udp_fd >= 0 && o->spool_dir ? open_spool(r) : 0;
}

static int serve_one(struct log_receiver *r, uint64_t tag)
{
    struct log_receiver_inside *x = r->inside;
    if (tag == TAG_UDP) {
        int n = take_udp(r);
        return n < 0 ? n : 0;
    }
    if (tag == TAG_TCP || tag == TAG_LINK) {
        tag == TAG_TCP ? accept_connection(r) : accept_stream(r);
        return 0;
    }
    if (tag == TAG_WAKE) {
        uint64_t unused;
        (void)!read(x->wake, &unused, sizeof(unused));
        return 0;
    }
    int n = tag < LOG_CONNECTIONS_MAX ? read_connection(r, &x->connections[tag]) : 0;
    return n < 0 ? n : 0;
}

static int upkeep(struct log_receiver *r)
{
    struct log_receiver_inside *x = r->inside;
    int64_t now_us = clock_steady_us();
    int e = x->oldest_us && now_us - x->oldest_us >= FLUSH_US ? flush(r) : 0;
    if (e || now_us - x->ticked_us < FLUSH_US)
        return e;
    x->ticked_us = now_us;
    (void)store_log_writer_tick(r->o.writer, now_us, NULL); /* rows that are journaled stay so: sealing is tried again */
    return r->o.tick ? r->o.tick(r->o.context) : 0;
}

/* take_all - what the sockets hold now. Return: bytes and datagrams, or <0. */
static int take_all(struct log_receiver *r)
{
    int n = r->o.udp_fd >= 0 && !r->inside->has_given_up ? take_udp(r) : 0;
    for (size_t i = 0; n >= 0 && i < LOG_CONNECTIONS_MAX; i++) {
        int k = read_connection(r, &r->inside->connections[i]);
        n = k < 0 ? k : n | k;
    }
    return n;
}

/*
 * drain - the end: senders are told by a FIN that nobody will read on, so that one who looks closes before anything is
 * lost; what is on its way is still taken, for a bounded time. Connections that are not accepted yet are the next reader's.
 */
static int drain(struct log_receiver *r)
{
    struct log_receiver_inside *x = r->inside;
    int64_t began_us = clock_steady_us();
    int e = 0, n = 1;
    for (size_t i = 0; i < LOG_CONNECTIONS_MAX; i++)
        if (x->connections[i].fd >= 0)
            shutdown(x->connections[i].fd, SHUT_WR);
    while (n >= 0 && clock_steady_us() - began_us < DRAIN_US) {
        n = take_all(r);
        if (!n && (!x->n_connections || clock_steady_us() - began_us >= LINGER_US))
            break;
        if (!n)
            poll(NULL, 0, PAUSE_MS);
    }
    for (size_t i = 0; i < LOG_CONNECTIONS_MAX; i++)
        if (x->connections[i].fd >= 0) {
            struct sender sender;
            describe(r, &x->connections[i], &sender);
            int k = end_stream(r, &x->connections[i], &sender);
            e = e ? e : k;
        }
    int k = flush(r);
    return n < 0 ? n : e ? e : k;
}

int log_receiver_run(struct log_receiver *r)
{
    struct log_receiver_inside *x = r->inside;
    struct epoll_event events[N_EVENTS];
    bool has_spooler = r->spool && !pthread_create(&x->spooler, NULL, spool_all, r), is_more = false;
    int e = r->spool && !has_spooler ? FAULT(&r->fault, -EAGAIN, no_memory, "threads") : 0;
    while (!e && !atomic_load(&r->is_ending)) {
        int n = epoll_wait(x->epoll, events, N_EVENTS, is_more ? 0 : x->oldest_us ? FLUSH_US / 4000 : FLUSH_US / 1000);
        for (int i = 0; !e && i < n; i++)
            e = serve_one(r, events[i].data.u64);
        int k = !e && r->spool ? take_udp(r) : 0;
        is_more = k == SPOOLED_A_TURN;
        e = e ? e : k < 0 ? k : upkeep(r);
    }
    atomic_store(&r->is_ending, true);
    if (has_spooler)
        pthread_join(x->spooler, NULL);
    return e ? e : drain(r);
}

void log_receiver_end(struct log_receiver *r)
{
    uint64_t one = 1;
    atomic_store(&r->is_ending, true);
    if (r->inside && r->inside->wake >= 0)
        (void)!write(r->inside->wake, &one, sizeof(one));
}

void log_receiver_fini(struct log_receiver *r)
{
    struct log_receiver_inside *x = r->inside;
    if (x) {
        for (size_t i = 0; i < LOG_CONNECTIONS_MAX; i++)
            if (x->connections[i].fd >= 0)
                close_connection(r, &x->connections[i]);
        if (x->epoll >= 0)
            close(x->epoll);
        if (x->wake >= 0)
            close(x->wake);
        events_free(x->events);
        event_decoder_free(x->decoder);
        event_names_free(x->names);
        free(x->bytes);
        free(x->spooled);
        free(x);
    }
    r->inside = NULL;
    log_spool_close(r->spool); /* what still waits is the next run's */
    r->spool = NULL;
    log_sources_fini(&r->sources);
}

int log_receiver_sources(struct log_receiver *r, struct log_source **ret, uint32_t *ret_n)
{
    return log_sources_copy(&r->sources, ret, ret_n);
}
