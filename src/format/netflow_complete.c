/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step per run. Each part asks the template once whether it is needed
 * and then walks the rows, so that plain templates pay for times only.
 */
#include "format/netflow_complete.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HAS(t, ROLE) netflow_template_has(t, NETFLOW_ROLE_##ROLE)

/* a flow longer than this was not measured but miscounted */
#define MOST_DURATION_US (INT64_C(30) * 86400 * 1000000)

/* a zero IPv4 address ("none") beside a real IPv6 one, or the reverse: the real one counts; of two IPv4, or the inner */
static void prefer_real(struct ip *v4, const struct ip *v6, bool is_inner_ip6)
{
    static const struct ip none4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
    if ((is_inner_ip6 || ip_equal(v4, &none4)) && !ip_is_zero(v6))
        *v4 = *v6;
}

static void choose_families(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t)
{
    bool is_inner_ip6 = t->has_inner_ip6;
#define CHOOSE(ROLE, ROLE6, member, member6)                                      \
    if (HAS(t, ROLE6))                                                            \
        for (uint32_t i = 0; i < n; i++)                                          \
            prefer_real(&rows->flows[i].member, &rows->extras[i].member6, is_inner_ip6);
    CHOOSE(SOURCE_IP, SOURCE_IP6, source_ip, source_ip6)
    CHOOSE(DESTINATION_IP, DESTINATION_IP6, destination_ip, destination_ip6)
    is_inner_ip6 = false;
    CHOOSE(SOURCE_NAT_IP, SOURCE_NAT_IP6, source_nat_ip, source_nat_ip6)
    CHOOSE(DESTINATION_NAT_IP, DESTINATION_NAT_IP6, destination_nat_ip, destination_nat_ip6)
    CHOOSE(NEXT_HOP, NEXT_HOP6, next_hop, next_hop6)
#undef CHOOSE
}

/* subscriber_ip - the inside address in Nokia's "LSN-Host@10.10.10.101"; L2-aware subscribers have more in front. */
static bool subscriber_ip(struct text t, struct ip *ret)
{
    t = text_trim(t);
    for (size_t i = t.n; i > 0; i--)
        if (t.p[i - 1] == '@' || t.p[i - 1] == ' ')
            return !ip_parse(t.p + i, t.n - i, ret);
    return !ip_parse(t.p, t.n, ret);
}

/*
 * set_inside - Nokia's format 2 has no source address but the subscriber's text; when that names none, the outside
 * address is the source. Format 1 has the outside address as source: left as exported.
 */
static void set_inside(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t)
{
    if (HAS(t, SOURCE_IP) || t->use != NETFLOW_USE_FLOW)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct flow *f = &rows->flows[i];
        if (!subscriber_ip(rows->extras[i].subscriber, &f->source_ip))
            f->source_ip = f->source_nat_ip;
        f->present |= FLOW_HAS_ADDRESS(FLOW_SOURCE_IP);
    }
}

bool netflow_default_times(int64_t *start_us, int64_t *end_us, uint64_t duration_us, const struct netflow_clock *k,
                           uint8_t *ret_source)
{
    int64_t duration = (int64_t)(duration_us > MOST_DURATION_US ? 0 : duration_us);
    if (*start_us <= 0 && *end_us <= 0) {
        bool has_export = k->exported_us > 0;
        if (*start_us < 0 && *end_us < 0) /* both as -1 - sysUpTime, see netflow_uptime_clock */
            duration = (int64_t)(uint32_t)(*start_us - *end_us) * 1000;
        *end_us = has_export ? k->exported_us : k->received_us;
        *start_us = duration <= MOST_DURATION_US ? *end_us - duration : *end_us;
        *ret_source = has_export ? FLOW_TIME_OF_EXPORT : FLOW_TIME_OF_RECEIPT;
        return true;
    }
    if (*start_us <= 0)
        *start_us = *end_us > duration ? *end_us - duration : *end_us;
    else if (*end_us <= 0)
        (void)(__builtin_add_overflow(*start_us, duration, end_us) && (*end_us = *start_us));
    return false;
}

static void default_times(struct flow *f, const struct netflow_extra *e, const struct netflow_clock *k)
{
    if (netflow_default_times(&f->start_us, &f->end_us, e->duration_us, k, &f->time_source))
        f->present |= FLOW_HAS(FLOW_TIME_SOURCE);
}

static void set_common(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t, const struct netflow_clock *k)
{
    uint64_t present = t->present | NETFLOW_ALWAYS;
    bool may_be_icmp = netflow_has_icmp(t) || HAS(t, DESTINATION_PORT);
    int64_t offset_us = k->received_us - k->exported_us;
    if (!HAS(t, START)) /* what the run before was given */
        for (uint32_t i = 0; i < n; i++)
            rows->flows[i].start_us = 0;
    if (!HAS(t, END))
        for (uint32_t i = 0; i < n; i++)
            rows->flows[i].end_us = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct flow *f = &rows->flows[i];
        f->present = present;
        f->time_source = 0;
        f->icmp = 0;
        f->sampling = 0;
        f->received_us = k->received_us;
        f->clock_offset_us = offset_us;
        if (f->start_us <= 0 || f->end_us <= 0)
            default_times(f, &rows->extras[i], k);
        if (may_be_icmp && (f->protocol == 1 || f->protocol == 58)) {
            f->icmp = f->destination_port; /* Cisco's habit where no field says it: type * 256 + code */
            f->present |= FLOW_HAS(FLOW_ICMP);
        }
    }
}

uint16_t netflow_icmp(uint8_t protocol, const struct netflow_extra *e)
{
    uint64_t v4 = e->icmp4 ? e->icmp4 : (e->icmp4_type & 0xff) << 8 | (e->icmp4_code & 0xff);
    uint64_t v6 = e->icmp6 ? e->icmp6 : (e->icmp6_type & 0xff) << 8 | (e->icmp6_code & 0xff);
    uint64_t first = protocol == 58 ? v6 : v4, second = protocol == 58 ? v4 : v6;
    return (uint16_t)(first ? first : second);
}

static void set_icmp(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t)
{
    if (!netflow_has_icmp(t))
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t icmp = netflow_icmp(rows->flows[i].protocol, &rows->extras[i]);
        if (!icmp)
            continue;
        rows->flows[i].icmp = icmp;
        rows->flows[i].present |= FLOW_HAS(FLOW_ICMP);
    }
}

/* set_flags - YAF tells the flags of the first packet from those of the rest. */
static void set_flags(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t)
{
    bool is_forward = HAS(t, TCP_FLAGS), is_reverse = HAS(t, REVERSE_TCP_FLAGS);
    for (uint32_t i = 0; i < n; i++) {
        if (is_forward)
            rows->flows[i].tcp_flags |= (uint16_t)(rows->extras[i].initial_flags & 0xfff);
        if (is_reverse)
            rows->flows[i].reverse_tcp_flags |= (uint16_t)(rows->extras[i].reverse_initial_flags & 0xfff);
    }
}

static void set_sampling(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t,
                         const struct netflow_sampling *s)
{
    for (uint32_t i = 0; i < n; i++)
        flow_sampled(&rows->flows[i], netflow_sampling_rate(s, t, &rows->flows[i], &rows->extras[i]));
}

/* is_text - what an exporter calls a string may be anything; only readable UTF-8 is kept. */
static bool is_text(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
            return false;
    return t.n && text_is_utf8(t.p, t.n);
}

static void add_texts(const struct netflow_extra *e, const struct netflow_applications *a, struct buf *texts)
{
    static const char *const names[] = {
#define X(ID, name) name,
        NETFLOW_TEXTS(X)
#undef X
    };
    for (unsigned i = 0; i < NETFLOW_N_TEXTS; i++)
        if (is_text(e->text[i]))
            flow_text_add(texts, names[i], e->text[i]);
    if (!e->text[NETFLOW_TEXT_APPLICATION].n && e->application.n) {
        struct text name = netflow_application_name(a, e->application);
        if (is_text(name))
            flow_text_add(texts, names[NETFLOW_TEXT_APPLICATION], name);
    }
    char number[24];
    if (e->extended_event) {
        int length = snprintf(number, sizeof(number), "%llu", (unsigned long long)e->extended_event);
        flow_text_add(texts, "firewall.extended_event", (struct text){number, (size_t)length});
    }
}

/* set_texts - packed one behind the other; the spans are set once the buffer no longer moves. */
static int set_texts(struct netflow_rows *rows, uint32_t n, const struct netflow_applications *a, struct buf *texts)
{
    size_t end[NETFLOW_RUN];
    buf_clear(texts);
    for (uint32_t i = 0; i < n; i++) {
        add_texts(&rows->extras[i], a, texts);
        end[i] = texts->n;
    }
    if (texts->is_bad)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        size_t from = i ? end[i - 1] : 0;
        rows->flows[i].texts = (struct text){0};
        if (end[i] == from)
            continue;
        rows->flows[i].texts = (struct text){(const char *)texts->p + from, end[i] - from};
        rows->flows[i].present |= FLOW_HAS_TEXT;
    }
    return 0;
}

int netflow_complete(struct netflow_rows *rows, uint32_t n, const struct netflow_template *t, const struct netflow_clock *k,
                     const struct netflow_sampling *s, const struct netflow_applications *a, struct buf *texts)
{
    choose_families(rows, n, t);
    set_common(rows, n, t, k);
    set_inside(rows, n, t);
    set_icmp(rows, n, t);
    if (HAS(t, INITIAL_FLAGS))
        set_flags(rows, n, t);
    if (netflow_sampling_matters(s, t))
        set_sampling(rows, n, t, s);
    return t->has_texts || HAS(t, EXTENDED_EVENT) ? set_texts(rows, n, a, texts) : 0;
}

bool netflow_is_nat(const struct netflow_template *t)
{
    return HAS(t, NAT_EVENT) || HAS(t, PORT_FIRST) || HAS(t, SUBSCRIBER) || t->use == NETFLOW_USE_NAT;
}

static uint16_t port(uint64_t v)
{
    return v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

enum nat_meaning nat_event_meaning(uint8_t event, bool is_block)
{
    switch (event) {
    case 1:  /* NAT44 session made, as routers say it since before RFC 8158 */
    case 4:  /* NAT44 session */
    case 6:  /* NAT64 session */
    case 8:  /* NAT44 binding */
    case 10: /* NAT64 binding */
    case 14: /* address binding; in the draft a port block */
        return NAT_BEGINS;
    case 2:
    case 5:
    case 7:
    case 9:
    case 11:
    case 15:
        return NAT_ENDS;
    case 16:
        return is_block ? NAT_BEGINS : NAT_OTHER;
    case 17:
        return is_block ? NAT_ENDS : NAT_OTHER;
    default: /* exhausted, quota, threshold: about nobody */
        return NAT_OTHER;
    }
}

/* name_subscriber - Nokia says "made" by a start time alone and "gone" by an end time. */
static void name_subscriber(const struct flow *f, const struct netflow_extra *e, const struct netflow_template *t,
                            struct nat_event *ret)
{
    (void)subscriber_ip(e->subscriber, &ret->inside);
    struct text name = text_trim(e->subscriber);
    bool is_address = name.n > 9 && !memcmp(name.p, "LSN-Host@", 9);
    if (!is_address)
        ret->subscriber = name;
    ret->is_flow &= is_address && HAS(t, SOURCE_NAT_IP);
    if (!HAS(t, SOURCE_NAT_IP)) /* format 1: the source is the outside address */
        ret->outside = f->source_ip;
    if (!HAS(t, NAT_EVENT) && HAS(t, START) != HAS(t, END))
        ret->event = HAS(t, END) ? 2 : 1;
}

/* implied_event - Cisco's CGv6 has a template per event and no field for it: what is released lacks its outside address. */
static uint8_t implied_event(const struct netflow_template *t)
{
    bool is_made = HAS(t, SOURCE_NAT_IP);
    if (HAS(t, PORT_FIRST))
        return is_made ? 16 : 17;
    return is_made ? 1 : 2;
}

bool netflow_nat_event(const struct flow *f, const struct netflow_extra *e, const struct netflow_template *t,
                       struct nat_event *ret)
{
    bool has_block = HAS(t, PORT_FIRST);
    if (HAS(t, NAT_EVENT) && !f->nat_event && !has_block)
        return false;
    if (!HAS(t, SOURCE_IP) && !HAS(t, SOURCE_NAT_IP))
        return false;
    *ret = (struct nat_event){.time_us = f->start_us, .inside = f->source_ip, .outside = f->source_nat_ip,
                              .event = f->nat_event, .protocol = f->protocol,
                              .realm = e->realm > UINT32_MAX ? UINT32_MAX : (uint32_t)e->realm, .is_block = has_block,
                              .is_flow = t->use == NETFLOW_USE_FLOW && !has_block,
                              .received_us = f->received_us, .clock_offset_us = f->clock_offset_us};
    if (HAS(t, SUBSCRIBER))
        name_subscriber(f, e, t, ret);
    else if (!HAS(t, NAT_EVENT))
        ret->event = implied_event(t);
    if (!has_block) {
        ret->inside_port = f->source_port;
        ret->port_first = ret->port_last = f->source_nat_port;
        return true;
    }
    ret->port_first = port(e->port_first);
    ret->port_step = port(e->port_step);
    uint64_t step = e->port_step ? e->port_step : 1, span = e->n_ports ? (e->n_ports - 1) * step : 0;
    if (HAS(t, PORT_LAST) && e->port_last)
        ret->port_last = port(e->port_last);
    else
        ret->port_last = e->n_ports <= UINT16_MAX && step <= UINT16_MAX ? port(e->port_first + span) : ret->port_first;
    return true;
}
