/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/office_keys - what the office shows in TLS, read by the parent: the configured files, or its own certificate, made at the first
 * start and kept as DIR/office/tls/{certificate,key}.pem (0600).
 *
 * The memory of the key is given back wiped by whoever has no business with it.
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"
#include "base/sha256.h"
#include "node/config.h"

struct office_keys {
    struct buf certificate, key, client_ca; /* PEM, a closing zero behind .n */
    struct buf mail_password, sms_header;   /* a line each, without its end, a closing zero behind .n; .p NULL: none */
    bool is_own;                            /* its own: nobody else vouches for it */
    struct sha256 fingerprint;
};

/*
 * office_keys_read - the configured files; with the rights of root. Nothing where the office has none of its own to read.
 * Return: 0; 1 or <0 with the fault.
 */
int office_keys_read(const struct config *c, struct office_keys *ret, struct fault *f);
/* office_keys_own - as the node's user, inside the data directory: reads or makes its own where none is configured. Return: as above. */
int office_keys_own(const struct config *c, struct office_keys *k, struct fault *f);
/* office_keys_wipe_tls - what the server has its own copy of; the other secrets stay. */
void office_keys_wipe_tls(struct office_keys *k);
/* office_keys_wipe - the key is overwritten, all is freed. */
void office_keys_wipe(struct office_keys *k);
