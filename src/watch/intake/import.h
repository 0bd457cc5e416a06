/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/import - files of any kind we read to flows: captures, export traffic, text, packed or not.
 *
 * In:     descriptors of files, untrusted; read once from where they stand, so a pipe will do.
 * Out:    flows through a sink in the order of the file; what was refused, by reason; an account per file.
 * Kind:   told by content. A file of packets is metered; with --format exports a capture is one of export datagrams,
 *         an IPFIX file is read message by message (RFC 5655), and any other file is one datagram. All files of one
 *         `struct import` are one exporter: templates persist from file to file.
 * Cut:    of a file that ends too early (cut capture, torn archive) what was whole is kept and is_truncated says so.
 * Wrong as a whole (not a format we know, a damaged archive, a bomb): IMPORT_REFUSED with the fault filled; flows may
 *         have reached the sink before, so the caller stages a file and drops what it staged.
 * Limits: those of unpack, flow_text, pcap, netflow and meter. Does not log; reads the clock for received_us only.
 */
#pragma once

#include "base/fault.h"
#include "format/flow.h"
#include "format/flow_csv.h"
#include "format/netflow.h"

#include <stdbool.h>
#include <stdint.h>

/* X(ID, "name on the command line") */
#define IMPORT_FORMATS(X)          \
    X(AUTO, "auto")                \
    X(PCAP, "pcap")                \
    X(EXPORTS, "exports")          \
    X(BINETFLOW, "binetflow")      \
    X(NFDUMP_CSV, "nfdump-csv")    \
    X(ZEEK, "zeek")                \
    X(CSV, "csv")

enum import_format {
#define X(ID, name) IMPORT_##ID,
    IMPORT_FORMATS(X)
#undef X
        IMPORT_N_FORMATS
};

/* import_format_name - static; import_format_parse - Return: 0 or 1. */
const char *import_format_name(enum import_format format);
int import_format_parse(const char *name, enum import_format *ret);

/* one thing that was refused, for the list a user reads */
struct import_refused {
    const char *reason; /* stable id, see message_find("reason_", ...) */
    uint64_t row, line; /* of text, 1-based; of a capture row is the packet's number; 0: no such number */
    uint64_t n;         /* how many at once, at least 1 */
    struct text value;  /* at fault; untrusted, may be empty */
};

struct import_summary;

struct import_options {
    enum import_format format;
    int zone_s; /* of times that name none; 0 (UTC) is the default of the command line for flow files */
    const struct flow_mapping *mapping; /* borrowed while the import lives */
    uint32_t n_mapping;
    uint32_t max_flows; /* open at a time while packets are metered; 0: the meter's default */
    flow_sink sink;
    nat_sink nat; /* NAT events of exports, those of flows too; may be NULL */
    void (*on_refused)(void *context, const struct import_refused *r);                  /* may be NULL */
    void (*on_progress)(void *context, uint64_t n_bytes_in, const struct import_summary *s); /* may be NULL; per piece */
    void *context; /* of all four */
};

enum { IMPORT_REASONS_MAX = 48 };

struct import_summary {
    const char *kind;  /* "binetflow", "pcap", "ipfix" ...; "" if not found out; static */
    const char *unit;  /* what read, kept and refused count: "rows", "packets", "records"; static */
    const char *packing; /* "", "gzip", "xz", "zstd"; static */
    uint64_t n_bytes_in, n_bytes; /* of the file; unpacked */
    uint64_t read, kept, other;   /* read = kept + other + sum of refused */
    /* other: what is no flow and no fault: packets that are not IP, NAT events without a flow, in --format exports
       packets that are no datagrams of an exporter */
    uint64_t n_flows;             /* given to the sink; of rows and records as many as kept */
    uint64_t n_nat;               /* NAT events without a flow: of the other, those that went to the nat sink */
    bool is_truncated;
    uint32_t n_reasons;
    struct {
        const char *reason; /* static */
        uint64_t n;
    } refused[IMPORT_REASONS_MAX];
};

/* import_summary_refused - the sum over all reasons. */
uint64_t import_summary_refused(const struct import_summary *s);

struct import;

/* import_new - one command; @o is copied. Return: 0 or -ENOMEM. */
int import_new(const struct import_options *o, struct import **ret);
void import_free(struct import *i);

/*
 * import_file - one file; @name is for messages only.
 * @ret: always written.   @f: filled unless 0 is returned.
 * Return: 0 (also with refusals or is_truncated: see @ret); IMPORT_REFUSED (wrong as a whole);
 *         <0: reading failed, memory is out, or what the sink answered.
 */
#define IMPORT_REFUSED 1
int import_file(struct import *i, int fd, const char *name, struct import_summary *ret, struct fault *f);
/* import_finish - behind the last file: export sets whose template never came are refused in @ret. */
void import_finish(struct import *i, struct import_summary *ret);
