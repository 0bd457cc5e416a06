/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name is at most 255 bytes however it is put together, and every pointer
 * must go further back than the one before: both bound the walk.
 */
#include "format/dns.h"

#include "base/cursor.h"

#define NAME_WIRE_MAX 255

static size_t put_byte(char *out, size_t at, uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        byte = (uint8_t)(byte + 32);
    if (byte > ' ' && byte < 127 && byte != '.' && byte != '\\') {
        out[at] = (char)byte;
        return at + 1;
    }
    out[at] = '\\';
    if (byte == '.' || byte == '\\') {
        out[at + 1] = (char)byte;
        return at + 2;
    }
    out[at + 1] = (char)('0' + byte / 100);
    out[at + 2] = (char)('0' + byte / 10 % 10);
    out[at + 3] = (char)('0' + byte % 10);
    return at + 4;
}

size_t dns_name_read(const uint8_t *p, size_t n, size_t *at, char out[DNS_NAME_TEXT_MAX])
{
    size_t here = *at, floor = *at, n_out = 0, n_wire = 0;
    bool is_followed = false;
    for (;;) {
        if (here >= n)
            return 0;
        uint8_t length = p[here];
        if ((length & 0xc0) == 0xc0) {
            if (here + 2 > n)
                return 0;
            size_t target = (size_t)(load_be16(p + here) & 0x3fff);
            if (!is_followed)
                *at = here + 2;
            is_followed = true;
            if (target >= floor) /* only backwards, RFC 1035 4.1.4: "a prior occurrence" */
                return 0;
            here = floor = target;
            continue;
        }
        if (length > 63 || here + 1 + length > n)
            return 0;
        n_wire += 1u + length;
        if (n_wire > NAME_WIRE_MAX)
            return 0;
        here += 1;
        if (!length)
            break;
        if (n_out)
            out[n_out++] = '.';
        for (size_t i = 0; i < length; i++)
            n_out = put_byte(out, n_out, p[here + i]);
        here += length;
    }
    if (!is_followed)
        *at = here;
    if (!n_out)
        out[n_out++] = '.';
    out[n_out] = '\0';
    return n_out;
}

int dns_question_read(const uint8_t *p, size_t n, struct dns_question *ret)
{
    if (n < 12)
        return DNS_MALFORMED;
    uint16_t flags = load_be16(p + 2), n_questions = load_be16(p + 4);
    if (n_questions > 16) /* nobody answers more than one; a handful is tolerated */
        return DNS_MALFORMED;
    if (!n_questions)
        return DNS_NO_QUESTION;
    size_t at = 12;
    ret->n_name = dns_name_read(p, n, &at, ret->name);
    if (!ret->n_name || n - at < 4)
        return DNS_MALFORMED;
    ret->type = load_be16(p + at);
    ret->class = load_be16(p + at + 2);
    unsigned class = ret->class & 0x7fff; /* the top bit asks for unicast in multicast DNS, RFC 6762 5.4 */
    if (class != 1 && class != 3 && class != 4 && class != 254 && class != 255)
        return DNS_MALFORMED;
    ret->id = load_be16(p);
    ret->is_response = flags >> 15;
    ret->response_code = flags & 15;
    return 0;
}
