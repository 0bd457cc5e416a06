/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/read - files that say who was given which address, as rows of leases.
 *
 * In:     a descriptor, packed or plain (intake/unpack.h), untrusted. What it is, is told by its first lines:
 *         csv         a header names the columns, by the usual names (docs/leases.md); a row is a whole lease, or the begin or
 *                     the end of one if a column says which: NAT sessions, port blocks, VPN, 802.1X, static tables
 *         kea         the memfile of Kea DHCP (a csv with columns valid_lifetime and expire)
 *         windows-dhcp the audit log of Windows DHCP (ID,Date,Time,Description,IP Address,...)
 *         isc         dhcpd.leases
 *         dnsmasq     dnsmasq.leases
 *         detail      FreeRADIUS accounting detail
 *         neighbours  ip neigh, arp -an, arp -a, show ip arp: at the time given
 * Out:    rows to a sink, begins and ends of one file joined (pair.h); the account: read = kept + joined + other + refused.
 * Limits: lines of READ_LINE_MAX; READ_OPEN_MAX begins wait for their ends, then the oldest go out open.
 * Fuzz:   tests/fuzz/lease_read.c
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "watch/lease/lease.h"

#define READ_LINE_MAX ((size_t)64 << 10)
#define READ_OPEN_MAX (8u << 20)

/* X(ID, "name") */
#define LEASE_FORMATS(X)               \
    X(AUTO, "auto")                    \
    X(CSV, "csv")                      \
    X(KEA, "kea")                      \
    X(WINDOWS, "windows-dhcp")         \
    X(ISC, "isc")                      \
    X(DNSMASQ, "dnsmasq")              \
    X(DETAIL, "detail")                \
    X(NEIGHBOURS, "neighbours")

enum lease_format {
#define X(ID, name) LEASE_FORMAT_##ID,
    LEASE_FORMATS(X)
#undef X
    LEASE_N_FORMATS
};
const char *lease_format_name(enum lease_format f);
int lease_format_parse(const char *text, enum lease_format *ret); /* Return: 0 or 1 */

/* why a line is refused: X(ID, "id"), each with a message lease_refused_<id> */
#define LEASE_REFUSALS(X)                                                        \
    X(BAD_ROW, "bad_row")              /* not in the form of the file */         \
    X(BAD_ADDRESS, "bad_address")                                                \
    X(BAD_INSIDE, "bad_inside")                                                  \
    X(BAD_PORTS, "bad_ports")                                                    \
    X(BAD_TIME, "bad_time")                                                      \
    X(NO_TIME, "no_time")                                                        \
    X(ENDS_BEFORE, "ends_before_it_begins")                                      \
    X(BAD_EVENT, "bad_event")          /* neither begin nor end */               \
    X(NOBODY, "nobody")                /* neither inside address nor subscriber, machine or host */ \
    X(BAD_KIND, "bad_kind")                                                      \
    X(CUT, "cut")                      /* the file ends inside */

enum lease_refusal {
#define X(ID, name) LEASE_REFUSED_##ID,
    LEASE_REFUSALS(X)
#undef X
    LEASE_N_REFUSALS
};
const char *lease_refusal_name(enum lease_refusal r);

struct lease_read_options {
    enum lease_format format;
    int zone_s;                  /* of times that name none */
    int64_t at_us;               /* of tables that hold no time; LEASE_UNKNOWN: none was given */
    struct text gateway, realm;  /* where a row names none */
    const char *name;            /* of the file: its source, and for messages */
    enum lease_kind kind;        /* where a csv row names none and its columns do not tell; LEASE_N_KINDS: told by the columns */
    int (*row)(void *context, const struct lease_row *r);                /* 0, or <0: handed up */
    void (*refused)(void *context, uint64_t line, enum lease_refusal why, struct text value); /* may be NULL */
    void *context;
};

struct lease_account {
    enum lease_format format;
    uint64_t read, kept, joined, other, refused[LEASE_N_REFUSALS]; /* joined: ends that closed a begin; other: no leases */
    uint64_t n_open, n_unbegun; /* of the kept: without end, without begin */
    bool is_cut;
};

#define LEASE_READ_REFUSED 1 /* wrong as a whole: nothing was given, the fault says why */

/* lease_read - Return: 0 (also with refusals), LEASE_READ_REFUSED, what the sink answered, or -errno. */
int lease_read(int fd, const struct lease_read_options *o, struct lease_account *ret, struct fault *f);

/* lease_csv_meaning - what a column of this name says, as far as others need to know. */
enum lease_csv_meaning { LEASE_CSV_UNKNOWN, LEASE_CSV_ADDRESS, LEASE_CSV_PORT, LEASE_CSV_TIME, LEASE_CSV_OTHER };
enum lease_csv_meaning lease_csv_meaning(struct text name);

/* --- words of values, for this and for log events (log_leases.h) --------------------------------------------- */

enum lease_word { LEASE_WORD_NONE, LEASE_WORD_BEGIN, LEASE_WORD_END, LEASE_WORD_STILL, LEASE_WORD_BAD };
/* lease_word_of - "start", "ALLOCATED", "16", "Release" ... of an event's column; NONE for an empty text. */
enum lease_word lease_word_of(struct text t);
/* lease_mac_of - 6 bytes in any of the usual forms. Return: 0 or 1. */
int lease_mac_of(struct text t, uint64_t *ret);
/* lease_protocol_of - a number or tcp, udp, icmp ... Return: 0 or 1. */
int lease_protocol_of(struct text t, uint8_t *ret);
