/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exporters that send each direction as a flow of its own are the rule, so who asked whom is worked out here once, for
 * all detectors.
 */
#include "watch/detect/behaviour_row.h"

#include "watch/detect/behaviour_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

enum {
    TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58,
    FIN = 1, SYN = 2, RST = 4, PUSH = 8, ACK = 16,
    SERVICE_PORTS = 1024,
    AHEAD_ROWS = 3,           /* that many in a row far ahead: there was a pause */
    BEHIND_ROWS = 1000,       /* that many more are late than not: the stream began again, or its time was wrong */
    FIREWALL_DENIED = 3,      /* IPFIX 233 */
    FEW_PACKETS = 3,          /* an attempt and its repetitions */
    BARE_PACKET = 64,         /* bytes of a TCP packet without data, Ethernet padding included */
    ONE_WAY_ENOUGH = 1000, PAIRED_PCT = 5,
};
#define LAST_US (INT64_C(1) << 52) /* the year 2112: later times are nonsense, and sums of times cannot overflow */
#define PAIR_US (INT64_C(3600) * 1000000)

struct pair {
    uint32_t tag;
    int32_t last_s;
    uint8_t is_known, is_lower_asking; /* the end that sorts first asked */
};

int behaviour_reader_init(struct behaviour_reader *r, uint64_t seed)
{
    *r = (struct behaviour_reader){.seed = seed, .v4.now_us = INT64_MIN, .v6.now_us = INT64_MIN, .events.now_us = INT64_MIN};
    r->pairs = calloc(PAIR_SLOTS, sizeof(*r->pairs));
    return r->pairs ? 0 : -ENOMEM;
}

void behaviour_reader_fini(struct behaviour_reader *r)
{
    free(r->pairs);
    r->pairs = NULL;
}

bool behaviour_is_own(const struct behaviour_own *o, const struct ip *a, int64_t at_us)
{
    struct space_entry e;
    if (o && o->space)
        return space_find(o->space, a, at_us, &e);
    for (size_t i = 0; o && i < o->n_ranges; i++)
        if (ip_range_has(&o->ranges[i], a))
            return true;
    return !(o && o->n_ranges) && ip_is_private(a);
}

void behaviour_hear(struct behaviour_clock *c, int64_t us)
{
    if (c->now_us == INT64_MIN)
        c->now_us = us;
    bool is_ahead = us > c->now_us + BEHAVIOUR_AHEAD_US, is_behind = us < c->now_us - BEHAVIOUR_LATE_US;
    c->n_ahead = is_ahead ? c->n_ahead + 1 : 0;
    c->n_behind = is_behind ? c->n_behind + 1 : c->n_behind ? c->n_behind - 1 : 0;
    if ((us > c->now_us && !is_ahead) || c->n_ahead >= AHEAD_ROWS || c->n_behind >= BEHIND_ROWS) {
        c->now_us = us;
        c->n_ahead = c->n_behind = 0;
    }
}

static bool is_group(const struct ip *a)
{
    if (!ip_is_v4(a))
        return a->b[0] == 0xff;
    return a->b[12] >= 224 || a->b[15] == 255 || ip_v4(a) == 0;
}

static bool is_in(struct text t, const char *names)
{
    for (const char *p = names; t.n && *p; p++) /* blanks around each */
        if (*p == ' ' && strcspn(p + 1, " ") == t.n && !memcmp(p + 1, t.p, t.n))
            return true;
    return false;
}

/* by_state - what Zeek's conn_state or Argus' state says. Return: marks, 0: nothing. */
static unsigned by_state(struct text t)
{
    const char *under = t.n ? memchr(t.p, '_', t.n) : NULL;
    if (under) { /* Argus: flags of either side */
        size_t n_left = (size_t)(under - t.p);
        bool has_asked = n_left && memchr(t.p, 'S', n_left);
        bool has_answer = t.n > n_left + 1 && memchr(under + 1, 'S', t.n - n_left - 1);
        return !has_asked ? ROW_ANSWERED | ROW_PIECE : has_answer ? ROW_ANSWERED : ROW_FAILED;
    }
    if (text_is(t, "OTH")) /* Zeek: midstream */
        return ROW_ANSWERED | ROW_PIECE;
    if (is_in(t, " S0 REJ SH RSTOS0 INT REQ URP URH URN URO URFIL UNK TIM RST "))
        return ROW_FAILED;
    if (is_in(t, " S1 S2 S3 SF RSTO RSTR CON EST FIN CLO ECO ECR ACC "))
        return ROW_ANSWERED;
    return 0;
}

static struct behaviour_row take(const struct behaviour_reader *r, const struct flow *f)
{
    struct behaviour_row x = {.from = f->source_ip, .to = f->destination_ip, .start_us = f->start_us, .end_us = f->end_us,
                              .out_packets = f->source_packets, .out_bytes = f->source_bytes, .back_packets = f->destination_packets,
                              .back_bytes = f->destination_bytes, .from_port = f->source_port, .to_port = f->destination_port,
                              .protocol = f->protocol, .sampling = f->present & FLOW_HAS(FLOW_SAMPLING) && f->sampling ? f->sampling : 1};
    const uint64_t both = FLOW_HAS(FLOW_DESTINATION_BYTES) | FLOW_HAS(FLOW_DESTINATION_PACKETS) | FLOW_HAS(FLOW_REVERSE_TCP_FLAGS);
    if (!(f->present & FLOW_HAS(FLOW_START)))
        x.start_us = x.end_us;
    if (!(f->present & FLOW_HAS(FLOW_END)) || x.end_us < x.start_us)
        x.end_us = x.start_us;
    if (x.protocol == ICMP || x.protocol == ICMP6)
        x.from_port = x.to_port = 0;
    if (f->present & both)
        x.marks |= ROW_TWO_WAY;
    if (!x.out_packets && !x.back_packets && f->present & FLOW_HAS(FLOW_NAT_EVENT))
        x.marks |= ROW_NOTHING;
    const uint64_t ends = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP);
    if (x.start_us < 0 || x.end_us > LAST_US || !(f->present & (FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END))) || (f->present & ends) != ends)
        x.marks |= ROW_NOTHING;
    x.from_hash = XXH3_64bits_withSeed(x.from.b, sizeof(x.from.b), r->seed);
    x.to_hash = XXH3_64bits_withSeed(x.to.b, sizeof(x.to.b), r->seed);
    return x;
}

/* turn - the record is an answer: who asked is its destination. */
static void turn(struct behaviour_row *x)
{
    struct behaviour_row t = *x;
    x->from = t.to;
    x->to = t.from;
    x->from_port = t.to_port;
    x->to_port = t.from_port;
    x->from_hash = t.to_hash;
    x->to_hash = t.from_hash;
    x->back_packets = t.out_packets;
    x->back_bytes = t.out_bytes;
    x->out_packets = x->out_bytes = 0;
    x->marks |= ROW_REPLY | ROW_ANSWERED;
}

/* is_icmp_answer - replies and errors answer something; Argus writes which in its state. */
static bool is_icmp_answer(const struct flow *f, const struct behaviour_row *x)
{
    struct text state;
    if (x->protocol != ICMP && x->protocol != ICMP6)
        return false;
    if (f->present & FLOW_HAS(FLOW_ICMP))
        return f->icmp >> 8 != (x->protocol == ICMP ? 8 : 128); /* anything but an echo request */
    return f->texts.n && flow_text_get(f->texts, "network.state", &state) &&
           is_in(state, " ECR URP URH URN URO URF URNPRO URFIL TXD TIM SRC RED PAR TSR MSR ");
}

/* looks_like_answer - of one record by itself; flags are those of its sender. */
static bool looks_like_answer(const struct flow *f, const struct behaviour_row *x)
{
    if (x->protocol == TCP && f->present & FLOW_HAS(FLOW_TCP_FLAGS)) {
        if ((f->tcp_flags & (SYN | ACK | RST)) == SYN)
            return false;
        if (!(f->tcp_flags & SYN) && f->tcp_flags & RST && x->out_packets <= FEW_PACKETS)
            return true;
    }
    return x->from_port && x->from_port < SERVICE_PORTS && x->to_port >= SERVICE_PORTS;
}

/* find_side - of a one-way record: does it ask or answer? */
static void find_side(struct behaviour_reader *r, const struct flow *f, struct behaviour_row *x)
{
    int order = ip_compare(&x->from, &x->to);
    bool is_lower = order ? order < 0 : x->from_port < x->to_port;
    uint64_t a = x->from_hash + (uint64_t)x->from_port * 0x9e3779b97f4a7c15u, b = x->to_hash + (uint64_t)x->to_port * 0x9e3779b97f4a7c15u;
    uint64_t h = (a ^ (a >> 29)) * 0xbf58476d1ce4e5b9u + (b ^ (b >> 29)) * 0xbf58476d1ce4e5b9u + x->protocol; /* the same both ways */
    h ^= h >> 32;
    h *= 0x94d049bb133111ebu;
    struct pair *p = &r->pairs[h & (PAIR_SLOTS - 1)];
    uint32_t tag = (uint32_t)(h >> 32);
    int64_t now_s = x->start_us / 1000000, apart_s = now_s - p->last_s;
    bool is_known = p->is_known && p->tag == tag && apart_s < PAIR_US / 1000000 && apart_s > -PAIR_US / 1000000;
    bool is_connectionless = x->protocol != TCP;
    r->one_way += is_connectionless;
    if (!is_known) {
        bool is_answer = looks_like_answer(f, x);
        *p = (struct pair){.tag = tag, .last_s = (int32_t)now_s, .is_known = true, .is_lower_asking = is_answer ? !is_lower : is_lower};
        if (!is_answer)
            return;
        turn(x);
        x->marks |= ROW_UNASKED;
        return;
    }
    p->last_s = (int32_t)now_s;
    if (p->is_lower_asking == is_lower)
        return;
    r->paired += is_connectionless;
    turn(x);
}

/* set_right - a two-way record in which only the other side sent: the meter saw it the wrong way round. */
static void set_right(struct behaviour_row *x)
{
    struct behaviour_row t = *x;
    if (x->out_bytes || !x->back_bytes)
        return;
    turn(x); /* nothing but the other side was seen: it is the one that sends */
    x->out_packets = t.back_packets ? t.back_packets : t.out_packets;
    x->out_bytes = t.back_bytes;
    x->back_packets = x->back_bytes = 0;
    x->marks = t.marks;
}

/* find_answer - was what was asked answered? */
static void find_answer(const struct behaviour_reader *r, const struct flow *f, struct behaviour_row *x)
{
    struct text state = {NULL, 0};
    unsigned known = f->texts.n && flow_text_get(f->texts, "network.state", &state) ? by_state(state) : 0;
    bool has_flags = x->protocol == TCP && f->present & FLOW_HAS(FLOW_TCP_FLAGS);
    if (f->present & FLOW_HAS(FLOW_FIREWALL_EVENT) && f->firewall_event == FIREWALL_DENIED)
        known = ROW_FAILED;
    if (!known && x->marks & ROW_TWO_WAY) {
        bool is_bare = x->protocol == TCP && x->out_packets <= FEW_PACKETS && x->back_packets <= FEW_PACKETS &&
                       x->back_bytes <= BARE_PACKET * x->back_packets && x->out_bytes <= BARE_PACKET * x->out_packets;
        bool is_reset = is_bare;
        if (f->present & FLOW_HAS(FLOW_REVERSE_TCP_FLAGS))
            is_reset = !(f->reverse_tcp_flags & SYN) && f->reverse_tcp_flags & RST;
        known = (x->back_packets || x->back_bytes) && !is_reset ? ROW_ANSWERED : ROW_FAILED;
    }
    if (!known && has_flags) {
        bool is_lone = f->tcp_flags & SYN && (!(f->tcp_flags & ACK) || f->tcp_flags & RST) && x->out_packets <= FEW_PACKETS * x->sampling;
        known = is_lone && x->sampling == 1 ? ROW_FAILED : f->tcp_flags & ACK ? ROW_ANSWERED : ROW_UNKNOWN;
    }
    if (!known && x->protocol == TCP) /* one-way and no flags: more than repetitions of an attempt got an answer */
        known = x->out_packets > FEW_PACKETS * (uint64_t)x->sampling ? ROW_ANSWERED : ROW_UNKNOWN;
    if (!known) {
        bool sees_answers = r->one_way < ONE_WAY_ENOUGH || r->paired * 100 >= r->one_way * PAIRED_PCT;
        known = sees_answers && x->out_packets <= FEW_PACKETS * (uint64_t)x->sampling ? ROW_FAILED : ROW_UNKNOWN;
    }
    x->marks |= (uint16_t)known;
    if (has_flags && !(f->tcp_flags & SYN) && x->sampling == 1)
        x->marks |= ROW_PIECE;
}

static void find_own(const struct behaviour_own *own, struct behaviour_row *x)
{
    bool is_from = behaviour_is_own(own, &x->from, x->start_us), is_to = behaviour_is_own(own, &x->to, x->start_us);
    bool is_guess = !is_from && !is_to && !(own && (own->space || own->n_ranges));
    x->marks |= (uint16_t)((is_from || is_guess ? ROW_FROM_OWN : 0) | (is_to ? ROW_TO_OWN : 0) | (is_group(&x->to) ? ROW_GROUP : 0));
}

void behaviour_read(struct behaviour_reader *r, const struct flow_batch *b, const struct behaviour_own *own, struct behaviour_row *ret)
{
    struct flow f;
    struct behaviour_clock *c = b->family == 4 ? &r->v4 : &r->v6;
    for (uint32_t i = 0; i < b->n; i++) {
        struct behaviour_row *x = &ret[i];
        flow_batch_get(b, i, &f);
        *x = take(r, &f);
        if (x->marks & ROW_NOTHING)
            continue;
        behaviour_hear(c, x->start_us); /* what is ordered by start and what is exported at its end keep step with this */
        if (x->end_us < c->now_us - BEHAVIOUR_LATE_US)
            x->marks |= ROW_LATE;
        if (!(x->marks & ROW_TWO_WAY))
            find_side(r, &f, x);
        else
            set_right(x);
        if (!(x->marks & ROW_REPLY) && is_icmp_answer(&f, x))
            x->marks |= ROW_NOTE;
        if (!(x->marks & ROW_REPLY))
            find_answer(r, &f, x);
        find_own(own, x);
    }
}
