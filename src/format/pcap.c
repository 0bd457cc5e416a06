/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine of small steps: each step looks at the bytes at hand and either
 * says how many it needs in one piece, or consumes a header, a record or a
 * block. Pieces that lie whole in what was fed are never copied; only what is
 * cut by the end of a feed waits in `pending`. Blocks nobody needs are passed
 * over by counting, so a huge one costs no memory.
 */
#include "format/pcap.h"

#include "base/cursor.h"

#include <errno.h>
#include <stdlib.h>

enum state { START, CLASSIC, BLOCKS };

/* pcapng block types, section 10.1 of the draft */
enum block {
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 2,
    BLOCK_SIMPLE = 3,
    BLOCK_ENHANCED = 6,
    BLOCK_SECTION = 0x0A0D0D0A,
};

#define BYTE_ORDER_MAGIC 0x1A2B3C4Du
#define INTERFACE_BLOCK_MAX 65536u
#define OPTION_END 0
#define OPTION_IF_TSRESOL 9
#define OPTION_IF_TSOFFSET 14

struct pcap_interface {
    uint64_t units_per_s; /* of the timestamps */
    int64_t offset_s;     /* to add */
    uint32_t snap_bytes;  /* 0: none */
    uint16_t link;
};

/* answers of a step beside the conditions of the header */
#define STEP_MORE (-1000)

void pcap_fini(struct pcap *r)
{
    buf_fini(&r->pending);
    free(r->interfaces);
    *r = (struct pcap){0};
}

static uint16_t get16(const struct pcap *r, const uint8_t *p)
{
    return r->is_swapped ? load_be16(p) : load_le16(p);
}

static uint32_t get32(const struct pcap *r, const uint8_t *p)
{
    return r->is_swapped ? load_be32(p) : load_le32(p);
}

/* The magic as a little-endian machine would have written it; `is_swapped` means big-endian here. */
static bool magic_is(uint32_t le, uint32_t be, uint32_t magic, bool *is_swapped)
{
    if (le == magic) {
        *is_swapped = false;
        return true;
    }
    if (be == magic) {
        *is_swapped = true;
        return true;
    }
    return false;
}

static bool magic_read(struct pcap *r, const uint8_t *p)
{
    uint32_t le = load_le32(p), be = load_be32(p);
    if (magic_is(le, be, 0xa1b2c3d4u, &r->is_swapped))
        return true;
    if (magic_is(le, be, 0xa1b23c4du, &r->is_swapped)) {
        r->is_nano = true;
        return true;
    }
    if (magic_is(le, be, 0xa1b2cd34u, &r->is_swapped)) {
        r->is_modified = true;
        return true;
    }
    return false;
}

bool pcap_is_magic(const uint8_t *p, size_t n)
{
    struct pcap probe = {0};
    return n >= 4 && (load_be32(p) == BLOCK_SECTION || magic_read(&probe, p));
}

static int more(struct pcap *r, size_t need_bytes)
{
    r->need_bytes = need_bytes;
    return STEP_MORE;
}

static int step_start(struct pcap *r, const uint8_t *p, size_t n, size_t *used)
{
    if (n < 4)
        return more(r, 4);
    if (load_be32(p) == BLOCK_SECTION) {
        r->state = BLOCKS;
        *used = 0;
        return 0;
    }
    if (!magic_read(r, p))
        return PCAP_NOT_CAPTURE;
    if (n < 24)
        return more(r, 24);
    if (get16(r, p + 4) != 2) /* major version; every minor of it reads alike */
        return PCAP_MALFORMED;
    r->section_link = get32(r, p + 20) & 0xffff; /* the upper bits tell of a frame check sequence */
    r->state = CLASSIC;
    *used = 24;
    return 0;
}

static int deliver(struct pcap *r, struct pcap_packet *packet, pcap_sink sink, void *context)
{
    if (packet->n_original < packet->n_captured)
        packet->n_original = packet->n_captured;
    r->n_packets++;
    return sink(context, packet);
}

static int step_classic(struct pcap *r, const uint8_t *p, size_t n, size_t *used, pcap_sink sink, void *context)
{
    size_t n_header = r->is_modified ? 24 : 16;
    if (n < n_header)
        return more(r, n_header);
    uint32_t n_captured = get32(r, p + 8);
    if (n_captured > PCAP_PACKET_MAX) /* the lengths are the only links of the chain: nothing behind can be trusted */
        return PCAP_MALFORMED;
    if (n < n_header + n_captured)
        return more(r, n_header + n_captured);
    int64_t fraction = get32(r, p + 4);
    struct pcap_packet packet = {
        .timestamp_us = (int64_t)get32(r, p) * 1000000 + (r->is_nano ? fraction / 1000 : fraction),
        .p = p + n_header,
        .n_captured = n_captured,
        .n_original = get32(r, p + 12),
        .link = (uint16_t)r->section_link,
        .has_time = true,
    };
    *used = n_header + n_captured;
    return deliver(r, &packet, sink, context);
}

/* if_tsresol: the top bit chooses a power of two, else of ten. 0 when it does not fit 64 bits. */
static uint64_t resolution(uint8_t code)
{
    unsigned power = code & 0x7f;
    if (code & 0x80)
        return power < 64 ? UINT64_C(1) << power : 0;
    uint64_t units = 1;
    for (unsigned i = 0; i < power; i++)
        if (__builtin_mul_overflow(units, (uint64_t)10, &units))
            return 0;
    return units;
}

static int interface_add(struct pcap *r, const uint8_t *p, size_t n_block)
{
    if (n_block < 20 || r->n_interfaces >= PCAP_INTERFACES)
        return PCAP_MALFORMED;
    struct pcap_interface one = {.units_per_s = 1000000, .link = get16(r, p + 8), .snap_bytes = get32(r, p + 12)};
    size_t at = 16, end = n_block - 4;
    while (end - at >= 4) {
        uint16_t code = get16(r, p + at), length = get16(r, p + at + 2);
        size_t padded = ((size_t)length + 3) & ~(size_t)3;
        at += 4;
        if (code == OPTION_END || end - at < padded)
            break;
        if (code == OPTION_IF_TSRESOL && length == 1)
            one.units_per_s = resolution(p[at]);
        if (code == OPTION_IF_TSOFFSET && length == 8)
            one.offset_s = (int64_t)(r->is_swapped ? load_be64(p + at) : load_le64(p + at));
        at += padded;
    }
    /* an offset above a million years would only serve to overflow the sum */
    if (!one.units_per_s || one.offset_s > INT64_C(31556952000000) || one.offset_s < -INT64_C(31556952000000))
        return PCAP_MALFORMED;
    if (r->n_interfaces % 16 == 0) {
        struct pcap_interface *grown = realloc(r->interfaces, (r->n_interfaces + 16) * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        r->interfaces = grown;
    }
    r->interfaces[r->n_interfaces++] = one;
    return 0;
}

static int64_t block_time(const struct pcap *r, const struct pcap_interface *one, const uint8_t *p)
{
    uint64_t units = (uint64_t)get32(r, p) << 32 | get32(r, p + 4);
    uint64_t seconds = units / one->units_per_s, rest = units % one->units_per_s;
    if (seconds > INT64_C(4000000000000)) /* beyond any calendar: keep the sum within 64 bits */
        seconds = INT64_C(4000000000000), rest = 0;
    __int128 us = (__int128)rest * 1000000 / one->units_per_s;
    us += ((__int128)seconds + one->offset_s) * 1000000;
    if (us > INT64_MAX)
        return INT64_MAX;
    return us < INT64_MIN ? INT64_MIN : (int64_t)us;
}

static int packet_block(struct pcap *r, uint32_t type, const uint8_t *p, size_t n_block, pcap_sink sink, void *context)
{
    size_t n_header = type == BLOCK_SIMPLE ? 12 : 28;
    if (n_block < n_header + 4) {
        r->n_bad_blocks++;
        return 0;
    }
    uint32_t number = 0;
    if (type == BLOCK_ENHANCED)
        number = get32(r, p + 8);
    if (type == BLOCK_PACKET)
        number = get16(r, p + 8);
    if (number >= r->n_interfaces) {
        r->n_no_interface++;
        return 0;
    }
    const struct pcap_interface *one = &r->interfaces[number];
    size_t n_room = n_block - n_header - 4;
    struct pcap_packet packet = {.p = p + n_header, .interface = number, .link = one->link};
    if (type == BLOCK_SIMPLE) {
        packet.n_original = get32(r, p + 8);
        packet.n_captured = packet.n_original;
        if (one->snap_bytes && packet.n_captured > one->snap_bytes)
            packet.n_captured = one->snap_bytes;
    } else {
        packet.timestamp_us = block_time(r, one, p + 12);
        packet.has_time = true;
        packet.n_captured = get32(r, p + 20);
        packet.n_original = get32(r, p + 24);
    }
    if (packet.n_captured > n_room) {
        r->n_bad_blocks++;
        return 0;
    }
    if (packet.n_captured > PCAP_PACKET_MAX) {
        r->n_too_long++;
        return 0;
    }
    return deliver(r, &packet, sink, context);
}

/* A section header sets the byte order of all that follows and forgets the interfaces before it. */
static int section_begin(struct pcap *r, const uint8_t *p, size_t n, size_t *used)
{
    if (n < 24)
        return more(r, 24);
    if (!magic_is(load_le32(p + 8), load_be32(p + 8), BYTE_ORDER_MAGIC, &r->is_swapped))
        return PCAP_MALFORMED;
    uint32_t n_block = get32(r, p + 4);
    if (n_block < 28 || n_block % 4 || get16(r, p + 12) != 1)
        return PCAP_MALFORMED;
    r->n_interfaces = 0;
    r->skip_bytes = n_block - 24;
    *used = 24;
    return 0;
}

static int step_block(struct pcap *r, const uint8_t *p, size_t n, size_t *used, pcap_sink sink, void *context)
{
    if (n < 8)
        return more(r, 8);
    uint32_t type = get32(r, p);
    if (load_be32(p) == BLOCK_SECTION) /* a palindrome: reads alike in both byte orders */
        return section_begin(r, p, n, used);
    uint32_t n_block = get32(r, p + 4);
    if (n_block < 12 || n_block % 4)
        return PCAP_MALFORMED;
    bool is_packet = type == BLOCK_ENHANCED || type == BLOCK_SIMPLE || type == BLOCK_PACKET;
    if ((!is_packet && type != BLOCK_INTERFACE) || (is_packet && n_block > PCAP_RECORD_MAX)) {
        *(is_packet ? &r->n_too_long : &r->n_other_blocks) += 1;
        r->skip_bytes = n_block - 8;
        *used = 8;
        return 0;
    }
    if (type == BLOCK_INTERFACE && n_block > INTERFACE_BLOCK_MAX)
        return PCAP_MALFORMED;
    if (n < n_block)
        return more(r, n_block);
    if (get32(r, p + n_block - 4) != n_block)
        return PCAP_MALFORMED;
    *used = n_block;
    if (type == BLOCK_INTERFACE)
        return interface_add(r, p, n_block);
    return packet_block(r, type, p, n_block, sink, context);
}

static int step(struct pcap *r, const uint8_t *p, size_t n, size_t *used, pcap_sink sink, void *context)
{
    *used = 0;
    if (r->state == START)
        return step_start(r, p, n, used);
    if (r->state == CLASSIC)
        return step_classic(r, p, n, used, sink, context);
    return step_block(r, p, n, used, sink, context);
}

static size_t pass_over(struct pcap *r, size_t n)
{
    size_t now = r->skip_bytes < n ? (size_t)r->skip_bytes : n;
    r->skip_bytes -= now;
    return now;
}

/* One step over bytes that a feed cut: complete `pending` to what the step needs, then run it there. */
static int step_pending(struct pcap *r, const uint8_t **p, size_t *n, pcap_sink sink, void *context)
{
    size_t take = r->need_bytes - r->pending.n;
    if (take > *n)
        take = *n;
    buf_add(&r->pending, *p, take);
    if (r->pending.is_bad)
        return -ENOMEM;
    *p += take;
    *n -= take;
    if (r->pending.n < r->need_bytes)
        return 0;
    size_t used;
    int e = step(r, r->pending.p, r->pending.n, &used, sink, context);
    if (e == STEP_MORE)
        return 0;
    /* a step takes the whole piece it asked for, or (having only learnt the kind of the file) nothing */
    if (used)
        buf_clear(&r->pending);
    return e;
}

static int feed(struct pcap *r, const uint8_t *p, size_t n, pcap_sink sink, void *context)
{
    while (n) {
        size_t used = pass_over(r, n);
        p += used;
        n -= used;
        if (!n)
            return 0;
        int e = 0;
        if (r->pending.n) {
            e = step_pending(r, &p, &n, sink, context);
            if (e)
                return e;
            continue;
        }
        e = step(r, p, n, &used, sink, context);
        if (e == STEP_MORE) {
            buf_add(&r->pending, p, n);
            return r->pending.is_bad ? -ENOMEM : 0;
        }
        if (e)
            return e;
        p += used;
        n -= used;
    }
    return 0;
}

int pcap_feed(struct pcap *r, const uint8_t *p, size_t n, pcap_sink sink, void *context)
{
    if (r->failed)
        return r->failed;
    r->pending.max = PCAP_RECORD_MAX + 64;
    int e = feed(r, p, n, sink, context);
    if (e)
        r->failed = e;
    return e;
}

int pcap_end(const struct pcap *r)
{
    if (r->failed)
        return r->failed;
    if (r->state == START)
        return r->pending.n >= 4 ? PCAP_TRUNCATED : PCAP_NOT_CAPTURE;
    return r->pending.n || r->skip_bytes ? PCAP_TRUNCATED : 0;
}
