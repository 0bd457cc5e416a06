/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/flow_leases.h"

#include "format/netflow.h"

#include <errno.h>
#include <stdlib.h>

#define NAT_COLUMNS (FLOW_HAS_ADDRESS(FLOW_SOURCE_NAT_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_NAT_IP))

/* the columns of a block that decide */
struct block {
    const struct segment *s;
    uint32_t n;
    uint64_t present[SEGMENT_BLOCK_ROWS], start[SEGMENT_BLOCK_ROWS], end[SEGMENT_BLOCK_ROWS], clock[SEGMENT_BLOCK_ROWS];
    uint32_t address[FLOW_N_ADDRESSES][SEGMENT_BLOCK_ROWS];
    uint32_t source_port[SEGMENT_BLOCK_ROWS], destination_port[SEGMENT_BLOCK_ROWS], source_nat_port[SEGMENT_BLOCK_ROWS],
        destination_nat_port[SEGMENT_BLOCK_ROWS], protocol[SEGMENT_BLOCK_ROWS], nat_event[SEGMENT_BLOCK_ROWS],
        observer[SEGMENT_BLOCK_ROWS];
};

bool flow_has_leases(const struct segment *s)
{
    return segment_info(s)->columns & NAT_COLUMNS;
}

static bool block_has_any(const struct segment *s, uint32_t b)
{
    struct segment_bounds source, destination;
    segment_bounds(s, b, FLOW_SOURCE_NAT_IP, &source);
    segment_bounds(s, b, FLOW_DESTINATION_NAT_IP, &destination);
    return !source.is_absent || !destination.is_absent;
}

static int read_block(struct block *k, uint32_t b)
{
    const struct segment *s = k->s;
    static const enum flow_address addresses[] = {FLOW_SOURCE_IP, FLOW_DESTINATION_IP, FLOW_SOURCE_NAT_IP, FLOW_DESTINATION_NAT_IP};
    const struct {
        enum flow_number column;
        uint32_t *to;
    } numbers[] = {{FLOW_SOURCE_PORT, k->source_port}, {FLOW_DESTINATION_PORT, k->destination_port},
                   {FLOW_SOURCE_NAT_PORT, k->source_nat_port}, {FLOW_DESTINATION_NAT_PORT, k->destination_nat_port},
                   {FLOW_PROTOCOL, k->protocol}, {FLOW_NAT_EVENT, k->nat_event}, {FLOW_OBSERVER, k->observer}};
    k->n = segment_block_rows(s, b);
    int r = segment_present(s, b, k->present);
    for (size_t i = 0; !r && i < sizeof(addresses) / sizeof(*addresses); i++)
        r = segment_read32(s, b, addresses[i], k->address[addresses[i]]);
    for (size_t i = 0; !r && i < sizeof(numbers) / sizeof(*numbers); i++)
        r = segment_read32(s, b, FLOW_COLUMN_NUMBER(numbers[i].column), numbers[i].to);
    if (!r)
        r = segment_read64(s, b, FLOW_COLUMN_NUMBER(FLOW_START), k->start);
    if (!r)
        r = segment_read64(s, b, FLOW_COLUMN_NUMBER(FLOW_CLOCK_OFFSET), k->clock);
    return r ? r : segment_read64(s, b, FLOW_COLUMN_NUMBER(FLOW_END), k->end);
}

/* address_of - Return: whether the row has one that is any. */
static bool address_of(const struct block *k, uint32_t i, enum flow_address column, struct ip *ret)
{
    uint32_t code = k->address[column][i];
    if (!(k->present[i] & FLOW_HAS_ADDRESS(column)) || code >= segment_info(k->s)->n_entries || segment_address_of(k->s, code, ret))
        return false;
    return !ip_is_zero(ret) && !(ip_is_v4(ret) && !ip_v4(ret));
}

static bool has_ports(uint32_t protocol)
{
    return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

/* set_ports - of the outside and the inside; a translation that tells none keeps them all. */
static void set_ports(struct lease *l, const struct block *k, uint32_t i, bool is_source)
{
    uint32_t outside = is_source ? k->source_nat_port[i] : k->destination_port[i];
    uint32_t inside = is_source ? k->source_port[i] : k->destination_nat_port[i];
    l->protocol = (uint8_t)k->protocol[i];
    l->port_last = UINT16_MAX;
    if (!outside || !has_ports(k->protocol[i]))
        return;
    l->port_first = l->port_last = (uint16_t)outside;
    l->inside_port = (uint16_t)inside;
}

/* lease_at - row @i as a lease. Return: whether it was translated. */
static bool lease_at(const struct block *k, uint32_t i, struct lease *l)
{
    struct ip source, behind;
    *l = (struct lease){.from_us = LEASE_UNKNOWN, .to_us = LEASE_UNKNOWN, .prefix = 128, .kind = LEASE_NAT_SESSION};
    bool is_source = address_of(k, i, FLOW_SOURCE_IP, &source) && address_of(k, i, FLOW_SOURCE_NAT_IP, &behind) &&
                     !ip_equal(&source, &behind);
    if (is_source) {
        l->inside = source;
        l->outside = behind;
    } else if (!address_of(k, i, FLOW_DESTINATION_IP, &l->outside) || !address_of(k, i, FLOW_DESTINATION_NAT_IP, &l->inside) ||
               ip_equal(&l->outside, &l->inside)) {
        return false;
    }
    set_ports(l, k, i, is_source);
    return true;
}

/* word_at - what the row says of the translation; false: nothing about anybody. */
static bool word_at(const struct block *k, uint32_t i, struct lease *l, enum lease_word *ret)
{
    int64_t start_us = (int64_t)k->start[i], end_us = k->present[i] & FLOW_HAS(FLOW_END) ? (int64_t)k->end[i] : start_us;
    bool has_event = (k->present[i] & FLOW_HAS(FLOW_NAT_EVENT)) && k->nat_event[i];
    enum nat_meaning meaning = has_event ? nat_event_meaning((uint8_t)k->nat_event[i], false) : NAT_OTHER;
    if (has_event && meaning == NAT_OTHER)
        return false;
    *ret = meaning == NAT_BEGINS ? LEASE_WORD_BEGIN : meaning == NAT_ENDS ? LEASE_WORD_END : LEASE_WORD_NONE;
    if (meaning == NAT_ENDS) {
        l->to_us = end_us;
        return true;
    }
    l->from_us = start_us;
    if (meaning == NAT_BEGINS)
        return true;
    l->to_us = end_us > start_us ? end_us : start_us + 1; /* one packet: it held the port when that went by */
    l->flags = LEASE_SEEN_ONLY;
    return true;
}

static int give_row(const struct block *k, uint32_t i, struct flow_lease_account *account,
                    int (*each)(void *context, const struct lease_row *r, enum lease_word word), void *context)
{
    struct lease_row r = {.source = TEXT("flow")};
    enum lease_word word;
    char gateway[IP_TEXT_MAX];
    if (!lease_at(k, i, &r.l) || !word_at(k, i, &r.l, &word))
        return 0;
    account->n_rows++;
    r.clock_us = (int64_t)k->clock[i];
    r.has_clock = r.clock_us && (k->present[i] & FLOW_HAS(FLOW_CLOCK_OFFSET)); /* of a file that was read, it is exactly none */
    if (!lease_is_sane(&r.l)) {
        account->n_refused++;
        return 0;
    }
    bool has_observer = (k->present[i] & FLOW_HAS(FLOW_OBSERVER)) && k->observer[i] < segment_n_observers(k->s);
    const struct flow_observer *o = has_observer ? segment_observer(k->s, k->observer[i]) : NULL;
    if (o && !ip_is_zero(&o->ip))
        r.gateway = (struct text){gateway, ip_format(&o->ip, gateway)};
    return each(context, &r, word);
}

int flow_leases(const struct segment *s, struct flow_lease_account *account,
                int (*each)(void *context, const struct lease_row *r, enum lease_word word), void *context)
{
    int rc = 0;
    if (!flow_has_leases(s))
        return 0;
    struct block *k = malloc(sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->s = s;
    for (uint32_t b = 0; !rc && b < segment_info(s)->n_blocks; b++) {
        if (!block_has_any(s, b))
            continue;
        rc = read_block(k, b);
        if (rc == -EBADMSG) { /* whoever verifies says so; the other blocks count */
            account->n_damaged_blocks++;
            rc = 0;
            continue;
        }
        for (uint32_t i = 0; !rc && i < k->n; i++)
            rc = give_row(k, i, account, each, context);
    }
    free(k);
    return rc;
}
