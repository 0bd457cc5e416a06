/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables behind the X-macros, and the packed text pairs.
 */
#include "format/flow.h"

#include <stdio.h>
#include <string.h>

#define IS_SIGNED(type) _Generic((type)0, int64_t: true, default: false)

const struct flow_column flow_columns[FLOW_N_COLUMNS] = {
#define X(ID, member, ecs, alias) [FLOW_##ID] = {ecs, alias, 16, false},
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias) [FLOW_COLUMN_NUMBER(FLOW_##ID)] = {ecs, alias, sizeof(type), IS_SIGNED(type)},
        FLOW_NUMBERS(X)
#undef X
            [FLOW_COLUMN_TEXT] = {"text", "", 0, false},
};

/* --- columns in files ---------------------------------------------------------------- */

#define X(column, id) +1
_Static_assert(FLOW_STORED(X) == FLOW_N_COLUMNS, "every column has an id");
#undef X

unsigned flow_stored_column(unsigned id)
{
    switch (id) { /* the compiler refuses an id that is given twice */
#define X(column, id) case id: return column;
        FLOW_STORED(X)
#undef X
    default: return FLOW_N_COLUMNS;
    }
}

static unsigned id_of(unsigned column)
{
    switch (column) { /* and a column that has two */
#define X(column, id) case column: return id;
        FLOW_STORED(X)
#undef X
    default: return 0;
    }
}

uint64_t flow_columns_move(uint64_t columns)
{
    uint64_t stored = 0;
    for (; columns; columns &= columns - 1)
        stored |= UINT64_C(1) << id_of((unsigned)__builtin_ctzll(columns));
    return stored;
}

uint64_t flow_columns_move_back(uint64_t stored)
{
    uint64_t columns = 0;
    for (stored &= flow_stored_known(); stored; stored &= stored - 1)
        columns |= UINT64_C(1) << flow_stored_column((unsigned)__builtin_ctzll(stored));
    return columns;
}

/* --- texts ------------------------------------------------------------------------------ */

void flow_text_add(struct buf *b, const char *name, struct text value)
{
    size_t n_name = strlen(name);
    if (n_name < 1 || n_name > 255)
        return;
    size_t n_value = value.n > 65535 ? 65535 : value.n, n = 3 + n_name + n_value;
    uint8_t *p = buf_room(b, n);
    if (!p)
        return;
    p[0] = (uint8_t)n_name;
    memcpy(p + 1, name, n_name);
    p[1 + n_name] = (uint8_t)n_value;
    p[2 + n_name] = (uint8_t)(n_value >> 8);
    if (n_value)
        memcpy(p + 3 + n_name, value.p, n_value);
    b->n += n;
}

bool flow_text_next(struct text *rest, struct text *ret_name, struct text *ret_value)
{
    const uint8_t *p = (const uint8_t *)rest->p;
    if (rest->n < 1 || rest->n < 3 + (size_t)p[0])
        return false;
    size_t n_name = p[0];
    size_t n_value = (size_t)p[1 + n_name] | (size_t)p[2 + n_name] << 8;
    if (rest->n < 3 + n_name + n_value)
        return false;
    *ret_name = (struct text){rest->p + 1, n_name};
    *ret_value = (struct text){rest->p + 3 + n_name, n_value};
    rest->p += 3 + n_name + n_value;
    rest->n -= 3 + n_name + n_value;
    return true;
}

bool flow_text_get(struct text texts, const char *name, struct text *ret)
{
    struct text n;
    while (flow_text_next(&texts, &n, ret))
        if (text_is(n, name))
            return true;
    return false;
}

/* IANA protocol numbers registry, those seen in flow exports */
static const struct {
    uint8_t number;
    const char *name;
} transports[] = {
    {1, "icmp"},      {2, "igmp"}, {4, "ipip"},  {6, "tcp"},    {17, "udp"},  {33, "dccp"}, {41, "ipv6"},  {46, "rsvp"},
    {47, "gre"},      {50, "esp"}, {51, "ah"},   {58, "ipv6-icmp"}, {88, "eigrp"}, {89, "ospf"}, {103, "pim"}, {112, "vrrp"},
    {132, "sctp"},    {136, "udplite"},
};

const char *flow_transport_name(uint8_t protocol)
{
    for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++)
        if (transports[i].number == protocol)
            return transports[i].name;
    return NULL;
}

int flow_transport_parse(struct text t, uint8_t *ret)
{
    static const struct {
        const char *name;
        uint8_t number;
    } others[] = {{"icmp6", 58},    {"icmpv6", 58}, {"ipv6icmp", 58}, {"ospfigp", 89}, {"ipencap", 4},
                  {"ipnip", 4},     {"rtp", 17},    {"rtcp", 17},     {"udt", 17},     {"udp-lite", 136}};
    uint64_t number;
    if (!text_u64(t, 255, &number)) {
        *ret = (uint8_t)number;
        return 0;
    }
    for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++)
        if (text_is_nocase(t, transports[i].name)) {
            *ret = transports[i].number;
            return 0;
        }
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (text_is_nocase(t, others[i].name)) {
            *ret = others[i].number;
            return 0;
        }
    return 1;
}

void flow_sampled(struct flow *f, uint32_t rate)
{
    if (rate <= 1)
        return;
    f->source_bytes = flow_times(f->source_bytes, rate);
    f->source_packets = flow_times(f->source_packets, rate);
    f->destination_bytes = flow_times(f->destination_bytes, rate);
    f->destination_packets = flow_times(f->destination_packets, rate);
    f->post_bytes = flow_times(f->post_bytes, rate);
    f->post_packets = flow_times(f->post_packets, rate);
    f->sampling = rate;
    f->present |= FLOW_HAS(FLOW_SAMPLING);
}
