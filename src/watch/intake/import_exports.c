/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Export traffic out of files: datagrams go to the decoder that lives as long
 * as the command. A file has no receive time of its own; the exporter's clock
 * stands in, so that nothing of an old file is measured against today.
 */
#include "base/clock.h"
#include "base/cursor.h"
#include "format/ipfix_file.h"
#include "format/sflow.h"
#include "watch/intake/import_impl.h"

#include <errno.h>
#include <string.h>

/* exported_us - the export time in a header of version 5, 9 or 10; 0 if there is none. */
static int64_t exported_us(const uint8_t *p, size_t n)
{
    struct cursor c = cursor_over(p, n);
    unsigned version = cursor_u16(&c);
    cursor_skip(&c, version == 10 ? 2 : 6);
    uint32_t seconds = cursor_u32(&c);
    return c.is_bad || (version != 5 && version != 9 && version != 10) ? 0 : (int64_t)seconds * US_PER_SECOND;
}

/* one command may hold days of exports with a template behind all of them: sets wait as long as the command runs */
static const struct netflow_options patient = {.max_bytes = (size_t)512 << 20, .max_waiting_bytes = (size_t)64 << 20,
                                               .max_waiting_us = INT64_MAX / 4};

static void take_result(struct import *i, const struct netflow_result *r, uint64_t row)
{
    struct import_summary *s = i->summary;
    s->kept += r->n_flows;
    s->other += r->n_nat_only;
    s->n_nat += i->options.nat ? r->n_nat_only : 0;
    s->read += (uint64_t)r->n_flows + r->n_nat_only;
    for (int k = 0; k < NETFLOW_N_REASONS; k++) {
        s->read += r->n_refused[k];
        import_count(i, netflow_reason_names[k], r->n_refused[k], row, 0, (struct text){0});
    }
}

/* sflow_datagram - samples: what is not IP is no fault of theirs. */
static int sflow_datagram(struct import *i, const struct netflow_datagram *d, uint64_t row)
{
    struct sflow_result r;
    struct import_summary *s = i->summary;
    int rc = sflow_decode(d->p, d->n_bytes, &d->peer, d->received_us, import_sink, i, &r);
    s->kind = "sflow";
    s->kept += r.n_flows;
    s->other += r.n_refused[SFLOW_NOT_IP];
    s->read += (uint64_t)r.n_flows + r.n_refused[SFLOW_NOT_IP];
    for (int k = 0; k < SFLOW_N_REASONS; k++) {
        if (k == SFLOW_NOT_IP)
            continue;
        s->read += r.n_refused[k];
        import_count(i, sflow_reason_names[k], r.n_refused[k], row, 0, (struct text){0});
    }
    return rc;
}

int import_datagram(struct import *i, const struct netflow_datagram *d, uint64_t row)
{
    struct netflow_result r;
    if (d->n_bytes >= 4 && !memcmp(d->p, "\0\0\0\5", 4)) /* NetFlow has 5 in its first two bytes */
        return sflow_datagram(i, d, row);
    if (!i->netflow) {
        i->netflow = netflow_new(&patient);
        if (!i->netflow)
            return FAULT(i->fault, -ENOMEM, no_memory, i->name);
        netflow_set_nat_sink(i->netflow, i->options.nat, i->options.context);
    }
    int rc = netflow_decode(i->netflow, d, import_sink, i, &r);
    if (r.version)
        i->summary->kind = r.version == 10 ? "ipfix" : r.version == 9 ? "netflow9" : "netflow5";
    take_result(i, &r, row);
    return rc;
}

void import_finish(struct import *i, struct import_summary *ret)
{
    struct netflow_result r = {0};
    *ret = (struct import_summary){.kind = "exports", .unit = "records", .packing = ""};
    if (!i->netflow)
        return;
    i->summary = ret;
    netflow_finish(i->netflow, &r);
    take_result(i, &r, 0);
}

static int decode(struct import *i, const uint8_t *p, size_t n, uint64_t row)
{
    struct netflow_datagram d = {.p = p, .n_bytes = n, .received_us = exported_us(p, n)};
    if (!d.received_us)
        d.received_us = i->started_us;
    return import_datagram(i, &d, row);
}

/* ---- one file, one datagram */

static int bytes_open(struct import *i)
{
    i->bytes = (struct buf){.max = (size_t)1 << 20}; /* a message and the piece behind it */
    return 0;
}

static void bytes_close(struct import *i)
{
    buf_fini(&i->bytes);
}

static int datagram_feed(struct import *i, const uint8_t *p, size_t n)
{
    if (i->bytes.n + n > 65535)
        return FAULT(i->fault, IMPORT_REFUSED, import_long_datagram, i->name);
    buf_add(&i->bytes, p, n);
    return i->bytes.is_bad ? FAULT(i->fault, -ENOMEM, no_memory, i->name) : 0;
}

static int datagram_end(struct import *i, bool is_cut)
{
    (void)is_cut;
    return decode(i, i->bytes.p, i->bytes.n, 1);
}

const struct import_kind import_kind_datagram = {"records", bytes_open, datagram_feed, datagram_end, bytes_close};

/* ---- IPFIX messages behind each other (RFC 5655) */

static int ipfix_drain(struct import *i)
{
    size_t at = 0;
    int rc = 0;
    while (!rc && at < i->bytes.n) {
        const uint8_t *p = i->bytes.p + at;
        size_t left = i->bytes.n - at, n;
        int frame = ipfix_frame(p, left, &n);
        if (frame == IPFIX_FRAME_MORE)
            break;
        if (frame == IPFIX_FRAME_BAD) {
            n = ipfix_resync(p, left);
            i->summary->read++;
            import_count(i, "not_a_message", 1, 0, 0, (struct text){0});
        } else {
            rc = decode(i, p, n, 0);
        }
        at += n;
    }
    if (at && at < i->bytes.n)
        memmove(i->bytes.p, i->bytes.p + at, i->bytes.n - at);
    i->bytes.n -= at;
    return rc;
}

static int ipfix_feed(struct import *i, const uint8_t *p, size_t n)
{
    buf_add(&i->bytes, p, n);
    return i->bytes.is_bad ? FAULT(i->fault, -ENOMEM, no_memory, i->name) : ipfix_drain(i);
}

static int ipfix_end(struct import *i, bool is_cut)
{
    (void)is_cut;
    if (!i->bytes.n)
        return 0;
    i->summary->is_truncated = true; /* the last message is not whole: its whole records are kept */
    return decode(i, i->bytes.p, i->bytes.n, 0);
}

const struct import_kind import_kind_ipfix = {"records", bytes_open, ipfix_feed, ipfix_end, bytes_close};
