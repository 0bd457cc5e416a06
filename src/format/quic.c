/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long header, then the keys from the destination connection id, then the
 * packet number from under its mask, then the frames from under theirs.
 * A datagram may hold several packets, one behind the other.
 */
#include "format/quic.h"

#include "base/aes128.h"
#include "base/cursor.h"

#define PACKETS_MAX 8
#define ID_MAX 20 /* RFC 9000 17.2 */
#define TAG_BYTES 16
#define FRAMES_MAX 4096

enum frame { FRAME_PADDING = 0, FRAME_PING = 1, FRAME_ACK = 2, FRAME_ACK_ECN = 3, FRAME_CRYPTO = 6 };

struct version {
    uint8_t salt[20];
    uint8_t initial_type; /* bits 4 and 5 of the first byte */
    const char *key, *iv, *header;
};

static const struct version version_1 = {{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                          0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
                                         0, "quic key", "quic iv", "quic hp"};
static const struct version version_2 = {{0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                                          0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
                                         1, "quicv2 key", "quicv2 iv", "quicv2 hp"};
static const struct version draft_29 = {{0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                                         0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99},
                                        0, "quic key", "quic iv", "quic hp"};
static const struct version draft_23 = {{0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                                         0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02},
                                        0, "quic key", "quic iv", "quic hp"};

static const struct version *version_of(uint32_t number)
{
    if (number == 1)
        return &version_1;
    if (number == 0x6b3343cf)
        return &version_2;
    unsigned draft = number & 0xff;
    if (number >> 8 != 0xff0000 || draft < 23 || draft > 34)
        return NULL;
    if (draft < 29)
        return &draft_23;
    return draft < 33 ? &draft_29 : &version_1;
}

bool quic_is_long(const uint8_t *p, size_t n)
{
    return n >= 7 && (p[0] & 0xc0) == 0xc0 && version_of(load_be32(p + 1));
}

/* RFC 9000 16: two bits tell the length */
static uint64_t varint(struct cursor *c)
{
    uint8_t first = cursor_u8(c);
    uint64_t v = first & 0x3f;
    for (int i = (1 << (first >> 6)) - 1; i > 0; i--)
        v = v << 8 | cursor_u8(c);
    return v;
}

struct keys {
    struct aes128 packet, header;
    uint8_t iv[12];
};

/* RFC 9001 5.2: the client's secret from the id it chose for the server */
static void keys_derive(struct keys *k, const struct version *v, const uint8_t *id, size_t n_id)
{
    uint8_t bytes[32];
    struct sha256 initial = hmac_sha256(v->salt, sizeof(v->salt), id, n_id), client;
    hkdf_expand_label(&initial, "client in", client.b, 32);
    hkdf_expand_label(&client, v->key, bytes, 16);
    aes128_init(&k->packet, bytes);
    hkdf_expand_label(&client, v->iv, k->iv, 12);
    hkdf_expand_label(&client, v->header, bytes, 16);
    aes128_init(&k->header, bytes);
}

static void ack_skip(struct cursor *c, bool has_ecn)
{
    (void)varint(c); /* largest */
    (void)varint(c); /* delay */
    uint64_t n_ranges = varint(c);
    (void)varint(c); /* first range */
    for (uint64_t i = 0; i < n_ranges && !c->is_bad; i++) {
        (void)varint(c);
        (void)varint(c);
    }
    for (int i = 0; i < 3 && has_ecn; i++)
        (void)varint(c);
}

static int frames_read(const uint8_t *p, size_t n, quic_piece piece, void *context)
{
    struct cursor c = cursor_over(p, n);
    for (int i = 0; i < FRAMES_MAX && cursor_left(&c); i++) {
        uint64_t type = varint(&c);
        if (type == FRAME_PADDING || type == FRAME_PING)
            continue;
        if (type == FRAME_ACK || type == FRAME_ACK_ECN) {
            ack_skip(&c, type == FRAME_ACK_ECN);
            continue;
        }
        if (type != FRAME_CRYPTO) /* nothing else may stand here but a close, RFC 9000 12.4 */
            return type == 0x1c ? 0 : QUIC_MALFORMED;
        uint64_t offset = varint(&c), length = varint(&c);
        if (length > cursor_left(&c))
            return QUIC_MALFORMED;
        const uint8_t *bytes = cursor_take(&c, (size_t)length);
        if (!bytes)
            return QUIC_MALFORMED;
        piece(context, offset, bytes, (size_t)length);
    }
    return c.is_bad ? QUIC_MALFORMED : 0;
}

/* Takes the masks off; @packet..@number is the header as sent, @n_rest the bytes from the packet number on. */
static int packet_open(const struct keys *k, const uint8_t *packet, const uint8_t *number, size_t n_rest,
                       quic_piece piece, void *context)
{
    uint8_t mask[16], plain[QUIC_PACKET_MAX], counter[16] = {0};
    if (n_rest < 4 + 16 || n_rest > QUIC_PACKET_MAX)
        return QUIC_MALFORMED;
    aes128_block(&k->header, number + 4, mask); /* RFC 9001 5.4.2: the sample assumes a number of four bytes */
    size_t n_number = (size_t)((packet[0] ^ mask[0]) & 3) + 1;
    if (n_rest < n_number + TAG_BYTES)
        return QUIC_MALFORMED;
    memcpy(counter, k->iv, 12);
    for (size_t i = 0; i < n_number; i++)
        counter[12 - n_number + i] ^= number[i] ^ mask[1 + i];
    counter[15] = 2; /* GCM: block 1 is the tag's */
    size_t n_plain = n_rest - n_number - TAG_BYTES;
    aes128_counter(&k->packet, counter, number + n_number, plain, n_plain);
    return frames_read(plain, n_plain, piece, context);
}

int quic_initial_read(const uint8_t *p, size_t n, quic_piece piece, void *context)
{
    struct cursor c = cursor_over(p, n);
    for (int i = 0; i < PACKETS_MAX && quic_is_long(c.p, cursor_left(&c)); i++) {
        const uint8_t *packet = c.p;
        const struct version *v = version_of(load_be32(packet + 1));
        cursor_skip(&c, 5);
        size_t n_id = cursor_u8(&c);
        const uint8_t *id = cursor_take(&c, n_id);
        cursor_skip(&c, cursor_u8(&c));
        bool is_initial = (packet[0] >> 4 & 3) == v->initial_type;
        if (!is_initial)
            return i ? 0 : QUIC_NOT_INITIAL;
        uint64_t n_token = varint(&c);
        cursor_skip(&c, n_token > n ? n + 1 : (size_t)n_token);
        uint64_t n_rest = varint(&c);
        const uint8_t *number = n_rest > n ? NULL : cursor_take(&c, (size_t)n_rest);
        if (!number || !id || n_id > ID_MAX)
            return QUIC_MALFORMED;
        struct keys k;
        keys_derive(&k, v, id, n_id);
        int e = packet_open(&k, packet, number, (size_t)n_rest, piece, context);
        if (e)
            return e;
    }
    return c.p == p ? QUIC_NOT_INITIAL : 0;
}
