/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/resolve - who held this address and port at that time: candidates with reasons, never one by chance.
 *
 * In:     a question, and what the rows of the store say; formulas (formula.h) add candidates of theirs.
 * Out:    every holder the records allow, each with how sure that is and why it is not surer. One holder: one candidate,
 *         however many rows speak of it. An inside address that was itself leased is asked after again: its holders are the
 *         children of the candidate.
 * Ends:   a row without end is over when somebody says it stopped, when the gateway gives its ports to somebody else, or when
 *         the gateway began anew; a row without begin cannot have begun before others held its ports. A planned end counts
 *         as one unless the same holder's next row joins it.
 * Sure:   certain   one holder, its rows cover the whole of the question's window, begin and end were heard
 *         likely    one holder, but an end is open, planned or guessed, or the window reaches over an edge
 *         possible  one of several, or something is missing that could name others (no port given, a gap in the records)
 * Limits: RESOLVE_ROWS rows near the time are weighed, RESOLVE_CANDIDATES holders kept, RESOLVE_DEPTH steps of a chain: what is
 *         over is said (LEASE_WHY_TOO_MANY). A resolver belongs to one thread.
 */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "watch/lease/formula.h"
#include "watch/lease/store.h"

#define RESOLVE_ROWS 65536u
#define RESOLVE_CANDIDATES 4096u
#define RESOLVE_DEPTH 4u

/* why an answer is not surer, of a candidate or of the whole: X(ID, "id") */
#define LEASE_WHYS(X)                                                                                     \
    X(NO_PORT, "no_port")               /* the question names none, and the address is shared by ports */ \
    X(ROUNDED_TIME, "rounded_time")     /* the time is known to the day or worse */                       \
    X(EDGE, "edge")                     /* held for a part of the window only */                          \
    X(OPEN_END, "open_end")             /* nobody told the end */                                         \
    X(NO_BEGIN, "no_begin")             /* nobody told the begin */                                       \
    X(PLANNED_END, "planned_end")       /* the end is when it would have run out */                       \
    X(SEEN_ONLY, "seen_only")           /* seen before or after, not given */                             \
    X(GAP, "gap")                       /* the gateway was not heard for an hour or more around that time */ \
    X(RESTARTED, "restarted")           /* the gateway began anew in the window */                        \
    X(CONFLICT, "conflict")             /* two gateways, or two rows of one, give the same ports at once */ \
    X(OTHER_REALM, "other_realm")       /* the inside address was looked up outside the realm of its gateway */ \
    X(TOO_MANY, "too_many")             /* limits: not everything was weighed */                          \
    X(DAMAGED, "damaged")               /* a part of the records cannot be read */                        \
    X(NO_RECORDS, "no_records")         /* the records never name this address */                         \
    X(OTHER_TIME, "other_time")         /* they do, but not at that time */                               \
    X(OTHER_PORT, "other_port")         /* they do at that time, but not that port */                     \
    X(NARROWED, "narrowed")             /* flows were asked who talked to the remote address (narrow.h) */ \
    X(SAMPLED, "sampled")               /* those flows are a sample: silence proves nothing */            \
    X(CLOCK_OFF, "clock_off")           /* the gateway's clock was off, or its messages were held up: the window is wider by that */

enum lease_why_bit {
#define X(ID, name) LEASE_WHY_BIT_##ID,
    LEASE_WHYS(X)
#undef X
    LEASE_N_WHYS
};
enum lease_why {
#define X(ID, name) LEASE_WHY_##ID = 1 << LEASE_WHY_BIT_##ID,
    LEASE_WHYS(X)
#undef X
};

enum lease_resolver_kind { LEASE_BY_STATIC, LEASE_BY_FORMULA, LEASE_BY_RECORD }; /* in the order of the door */
enum lease_confidence { LEASE_POSSIBLE, LEASE_LIKELY, LEASE_CERTAIN };
enum lease_verdict { LEASE_NONE, LEASE_ONE, LEASE_SEVERAL };

struct lease_question {
    struct ip address;
    int32_t port;          /* -1: none */
    uint8_t protocol;      /* 0: any */
    int64_t at_us, skew_us;/* the window is [at - skew, at + skew] */
};

struct lease_candidate {
    uint8_t by, confidence, kind, flags; /* enum lease_resolver_kind, lease_confidence, lease_kind, lease_flag */
    uint32_t why;                        /* enum lease_why */
    struct ip inside;                    /* zero: none */
    uint16_t port_first, port_last, inside_port; /* of the first row */
    uint64_t mac;
    int64_t from_us, to_us;              /* what its rows near the window cover; LEASE_UNKNOWN: open */
    struct text gateway, realm, source, subscriber, host; /* borrowed from the view */
    uint32_t n_rows;
    int64_t clock_us;                    /* of its gateway near that time (gateways.h); 0: nothing to say */
    uint64_t n_flows, n_flow_packets;    /* with the remote address; only with LEASE_WHY_NARROWED (narrow.h) */
    int64_t flow_first_us, flow_last_us;
    struct lease_candidate *children;    /* who held the inside address; in the arena */
    uint32_t n_children, children_why;   /* why there is none, or not one for sure */
};

struct lease_answer {
    enum lease_verdict verdict; /* of the candidates below; a narrowed answer may be ONE with candidates of no flow beside it */
    uint32_t why;
    struct lease_candidate *candidates; /* surest first; in the arena */
    uint32_t n;
    uint32_t sampling;          /* of the flows asked: 1 in so many, 0: none asked */
    double missed;              /* chance that a contact as small as the smallest seen would not be among them, 0..1 */
};

struct lease_resolver;
/* lease_resolver_new - over @v and @formulas, borrowed; either may be NULL. Return: 0 or -ENOMEM, -EBADMSG. */
int lease_resolver_new(const struct lease_view *v, const struct formulas *formulas, struct lease_resolver **ret);
void lease_resolver_free(struct lease_resolver *r);
/*
 * lease_resolve - @arena holds the answer. What cannot be read is said in the answer, not returned.
 * Return: 0 or -ENOMEM.
 */
int lease_resolve(struct lease_resolver *r, const struct lease_question *q, struct arena *arena, struct lease_answer *ret);
/* lease_settle - verdict, order and the cap of confidence anew, after candidates were added or narrowed. */
void lease_settle(struct lease_answer *a);
/* lease_why_name - static. */
const char *lease_why_name(enum lease_why_bit bit);
const char *lease_confidence_name(enum lease_confidence c);

/* by how much messages of an hour came later than they say (lease.h, LEASE_CLOCK) */
struct lease_clock {
    uint32_t hour;
    int64_t us;
};

/* hours a gateway was heard: sorted by gateway and hour; for `lease status` too */
struct lease_gateway {
    struct text name;       /* borrowed */
    const uint32_t *hours;  /* since 1970, ascending */
    const uint32_t *counts;
    uint32_t n_hours;
    const int64_t *restarts_us; /* ascending */
    uint32_t n_restarts;
    const struct lease_clock *clocks; /* by hour */
    uint32_t n_clocks;
};
const struct lease_gateway *lease_resolver_gateways(const struct lease_resolver *r, size_t *ret_n);
