/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/ipfix_file - IPFIX files: messages one behind the other, nothing between them.
 *
 * In:     bytes of the file, whole or a part of it, untrusted.
 * Out:    where each message ends; after damage, where the next one may begin. The messages go to netflow_decode.
 * Limits: no I/O, no state.
 * Source: RFC 5655 7; RFC 7011 3.1.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define IPFIX_MESSAGE_MAX_BYTES 65535u

/*
 * ipfix_frame - the message at @p.
 * @ret_n_bytes: its length; when more is needed, how many bytes there should be
 * Return: 0, IPFIX_FRAME_MORE or IPFIX_FRAME_BAD (no message begins here).
 */
#define IPFIX_FRAME_MORE 1
#define IPFIX_FRAME_BAD 2
int ipfix_frame(const uint8_t *p, size_t n_bytes, size_t *ret_n_bytes);

/*
 * ipfix_resync - bytes to pass over, at least one, until a message that ends at the end of @p or at another message's
 * version; @n_bytes when there is none.
 */
size_t ipfix_resync(const uint8_t *p, size_t n_bytes);
