/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/import_impl - shared by import.c and the kinds of input; nobody else includes it.
 */
#pragma once

#include "format/netflow.h"
#include "watch/intake/import.h"

/* one kind of input being read: made per file */
struct import_kind {
    const char *unit;
    /* open - Return: 0, IMPORT_REFUSED or <0, with the fault filled. */
    int (*open)(struct import *i);
    /* feed, end - Return: as open. @is_cut: the input broke off. */
    int (*feed)(struct import *i, const uint8_t *p, size_t n);
    int (*end)(struct import *i, bool is_cut);
    void (*close)(struct import *i);
};

extern const struct import_kind import_kind_text, import_kind_packets, import_kind_capture_of_exports,
    import_kind_ipfix, import_kind_datagram;

struct import {
    struct import_options options;
    struct netflow *netflow; /* lives as long as the command */
    /* of the file in hand */
    const struct import_kind *kind;
    const char *name;
    struct import_summary *summary;
    struct fault *fault;
    int64_t started_us;
    union {
        struct flow_text_reader *text;
        struct import_capture *capture;
        struct buf bytes; /* of a message or datagram not yet whole */
    };
};

/* import_count - @n of @reason were refused; also tells the caller. */
void import_count(struct import *i, const char *reason, uint64_t n, uint64_t row, uint64_t line, struct text value);
/* import_add - the same without telling. */
void import_add(struct import_summary *s, const char *reason, uint64_t n);
/* import_sink - counts and hands on to the caller's sink; @context is the struct import. */
int import_sink(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o);
/* import_datagram - one export datagram. Return: 0 or <0. */
int import_datagram(struct import *i, const struct netflow_datagram *d, uint64_t row);
