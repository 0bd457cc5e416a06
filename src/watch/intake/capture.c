/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait for a block, meter its packets, and every FLUSH_US give time its due:
 * idle flows end, rows do not wait, the journal gets its turn.
 */
#include "watch/intake/capture.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLUSH_US (200 * 1000)
#define POLL_MS 100
#define LAST_BLOCK_MS 150
/* a block may lie this long before it is handed over: the meter's clock stays behind it */
#define BLOCK_AGE_US US_PER_SECOND

static int store_batch(void *context, struct flow_batch *b)
{
    struct capture_receiver *r = context;
    int e = r->o.writer ? store_writer_append(r->o.writer, b, &r->fault) : 0;
    if (e < 0)
        return e;
    return r->o.hook ? r->o.hook(r->o.context, b) : 0;
}

static int take_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct capture_receiver *r = context;
    for (uint32_t i = 0; i < n; i++) {
        struct flow f = flows[i];
        f.received_us = r->now_us;
        f.present |= FLOW_HAS(FLOW_RECEIVED);
        int e = flow_sorter_put(&r->sorter, &f, 1, o);
        if (e < 0)
            return e;
    }
    return 0;
}

static int take_packet(void *context, const struct pcap_packet *k)
{
    struct capture_receiver *r = context;
    return meter_frame(r->meter, k->link, k->p, k->n_captured, k->n_original, k->timestamp_us);
}

int capture_init(struct capture_receiver *r, const struct capture_options *o)
{
    memset(r, 0, sizeof(*r));
    r->o = *o;
    r->sorter = (struct flow_sorter){.sink = store_batch, .context = r};
    r->last_flush_us = clock_steady_us();
    r->now_us = clock_now_us();
    int e = ring_map(o->fd, &o->ring, &r->ring);
    if (e) {
        close(o->fd);
        return e;
    }
    r->meter = meter_new(&o->meter, take_flows, r);
    if (r->meter)
        e = -pthread_mutex_init(&r->lock, NULL);
    if (r->meter && !e)
        return 0;
    meter_free(r->meter);
    ring_free(r->ring);
    r->meter = NULL;
    r->ring = NULL;
    return e ? e : -ENOMEM;
}

void capture_fini(struct capture_receiver *r)
{
    if (!r->ring)
        return;
    ring_free(r->ring);
    meter_free(r->meter);
    flow_sorter_fini(&r->sorter);
    pthread_mutex_destroy(&r->lock);
    r->ring = NULL;
}

static void counters_renew(struct capture_receiver *r)
{
    pthread_mutex_lock(&r->lock);
    (void)ring_count(r->ring, &r->ring_seen);
    meter_count(r->meter, &r->meter_seen);
    pthread_mutex_unlock(&r->lock);
}

void capture_count(struct capture_receiver *r, struct ring_counters *ret_ring, struct meter_counters *ret_meter)
{
    pthread_mutex_lock(&r->lock);
    *ret_ring = r->ring_seen;
    *ret_meter = r->meter_seen;
    pthread_mutex_unlock(&r->lock);
}

static int tick(struct capture_receiver *r)
{
    int64_t steady_us = clock_steady_us();
    if (steady_us - r->last_flush_us < FLUSH_US)
        return 0;
    r->last_flush_us = steady_us;
    r->now_us = clock_now_us();
    int e = meter_tick(r->meter, r->now_us - BLOCK_AGE_US);
    if (e >= 0)
        e = flow_sorter_flush(&r->sorter);
    if (e >= 0 && r->o.writer)
        e = store_writer_tick(r->o.writer, r->now_us, &r->fault);
    if (e >= 0 && r->o.tick)
        e = r->o.tick(r->o.context, NULL);
    counters_renew(r);
    return e < 0 ? e : 0;
}

int capture_run(struct capture_receiver *r)
{
    struct pollfd wait = {.fd = ring_fd(r->ring), .events = POLLIN};
    int e = 0;
    while (e >= 0 && !atomic_load_explicit(&r->must_stop, memory_order_acquire)) {
        int n = poll(&wait, 1, POLL_MS);
        if (n > 0 && wait.revents & (POLLERR | POLLNVAL)) { /* the interface went down: it may come back */
            int error = 0;
            socklen_t n_error = sizeof(error);
            (void)getsockopt(wait.fd, SOL_SOCKET, SO_ERROR, &error, &n_error);
            if (error && error != ENETDOWN)
                e = -error;
        }
        if (e >= 0)
            e = ring_read(r->ring, take_packet, r);
        if (e >= 0)
            e = tick(r);
    }
    (void)poll(&wait, 1, LAST_BLOCK_MS); /* the block that was filling is handed over in this time */
    if (e >= 0)
        e = ring_read(r->ring, take_packet, r);
    if (e >= 0)
        e = meter_flush(r->meter);
    if (e >= 0)
        e = flow_sorter_flush(&r->sorter);
    counters_renew(r);
    return e < 0 ? e : 0;
}
