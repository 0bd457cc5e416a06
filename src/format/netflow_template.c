/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiling: walk the field specifiers once, keep for each purpose the best
 * field, and lay the survivors out as ops in the order of the record.
 */
#include "format/netflow_template.h"

#include "base/cursor.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { ENTERPRISE_BIT = 0x8000, NOT_CHOSEN = 0xffff };

/* field_specifier - the next one; IPFIX puts an enterprise number behind a type with the top bit set (RFC 7011 3.2). */
static void field_specifier(struct cursor *c, uint16_t version, uint16_t *ret_id, uint16_t *ret_length, uint32_t *ret_pen)
{
    *ret_id = cursor_u16(c);
    *ret_length = cursor_u16(c);
    *ret_pen = 0;
    if (version == 10 && *ret_id & ENTERPRISE_BIT) {
        *ret_id = (uint16_t)(*ret_id & ~ENTERPRISE_BIT);
        *ret_pen = cursor_u32(c);
    }
}

/* is_padding - what is left is zeros: the exporter aligned its set. */
static bool is_padding(const struct cursor *c)
{
    for (const uint8_t *p = c->p; p < c->end; p++)
        if (*p)
            return false;
    return true;
}

static void skip_fields(struct cursor *c, uint16_t version, uint32_t n)
{
    uint16_t id, length;
    uint32_t pen;
    while (n-- && !c->is_bad)
        field_specifier(c, version, &id, &length, &pen);
}

static int cut_options(struct cursor *set, struct netflow_definition *d)
{
    if (d->version == 10) { /* RFC 7011 3.4.2.2: field count, scope field count */
        d->n_fields = cursor_u16(set);
        d->n_scope = d->n_fields ? cursor_u16(set) : 0;
        return d->n_scope > d->n_fields ? NETFLOW_DEFINITION_BAD : 0;
    }
    uint16_t scope_bytes = cursor_u16(set), option_bytes = cursor_u16(set); /* RFC 3954 6.1: lengths in bytes */
    if (scope_bytes % 4 || option_bytes % 4)
        return NETFLOW_DEFINITION_BAD;
    d->n_scope = scope_bytes / 4;
    d->n_fields = (uint16_t)(d->n_scope + option_bytes / 4);
    return 0;
}

int netflow_definition_next(struct cursor *set, uint16_t version, bool is_options, struct netflow_definition *ret)
{
    if (cursor_left(set) < 4 || is_padding(set))
        return 1;
    struct netflow_definition d = {.p = set->p, .version = version, .is_options = is_options};
    d.id = cursor_u16(set);
    if (!is_options)
        d.n_fields = cursor_u16(set);
    else if (cut_options(set, &d))
        return NETFLOW_DEFINITION_BAD;
    skip_fields(set, version, d.n_fields);
    if (set->is_bad)
        return NETFLOW_DEFINITION_BAD;
    d.n_bytes = (size_t)(set->p - d.p);
    *ret = d;
    return 0;
}

bool netflow_template_is(const struct netflow_template *t, const struct netflow_definition *d)
{
    return t->is_options == d->is_options && t->n_raw_bytes == d->n_bytes && !memcmp(t->raw, d->p, d->n_bytes);
}

/* scope_meaning - v9 scope types are a numbering of their own (RFC 3954 6.1): 2 interface, 5 template. */
static struct netflow_meaning scope_meaning(uint16_t id)
{
    static const struct netflow_meaning interface = {NETFLOW_ROLE_INPUT_IF, NETFLOW_OP_UINT, 0},
                                        template = {NETFLOW_ROLE_TEMPLATE_ID, NETFLOW_OP_UINT, 0};
    if (id == 2)
        return interface;
    return id == 5 ? template : (struct netflow_meaning){0};
}

/* can_carry - whether a field of this length can hold the encoding. */
static bool can_carry(enum netflow_op_kind kind, uint16_t length)
{
    if (length == NETFLOW_VARIABLE)
        return true;
    switch (kind) {
    case NETFLOW_OP_IP4: return length == 4;
    case NETFLOW_OP_IP6: return length == 16;
    case NETFLOW_OP_NTP: return length == 8;
    case NETFLOW_OP_UPTIME: return length == 4;
    case NETFLOW_OP_TEXT: return length > 0;
    case NETFLOW_OP_NONE: return true; /* only that it is there matters */
    case NETFLOW_OP_UINT:
    case NETFLOW_OP_SECONDS:
    case NETFLOW_OP_MILLISECONDS:
    case NETFLOW_OP_BEFORE:
    case NETFLOW_OP_SPAN_MS: return length >= 1 && length <= 8;
    }
    return false;
}

struct choice {
    uint16_t field[NETFLOW_N_ROLES];
    struct netflow_meaning meaning[NETFLOW_N_ROLES];
    bool is_tunnel; /* the protocol stands there twice */
};

/*
 * is_of_packet - the fields that describe the packet. A record of tunnelled traffic has them twice, the outermost header
 * first (RFC 7011 8); who talked to whom stands in the inner one.
 */
static bool is_of_packet(uint8_t role)
{
    static const bool of_packet[NETFLOW_N_ROLES] = {
        [NETFLOW_ROLE_SOURCE_IP] = true,   [NETFLOW_ROLE_DESTINATION_IP] = true,   [NETFLOW_ROLE_SOURCE_IP6] = true,
        [NETFLOW_ROLE_DESTINATION_IP6] = true, [NETFLOW_ROLE_SOURCE_PORT] = true,  [NETFLOW_ROLE_DESTINATION_PORT] = true,
        [NETFLOW_ROLE_PROTOCOL] = true,    [NETFLOW_ROLE_TCP_FLAGS] = true,        [NETFLOW_ROLE_TOS] = true,
    };
    return of_packet[role];
}

/* choose - for each role the field that serves it best; of equals the first, or of the packet's own fields the last. */
static void choose(const struct netflow_definition *d, struct choice *ch)
{
    struct cursor c = cursor_over(d->p, d->n_bytes);
    cursor_skip(&c, d->is_options ? 6 : 4);
    memset(ch->field, 0xff, sizeof(ch->field));
    for (uint16_t i = 0; i < d->n_fields; i++) {
        uint16_t id, length;
        uint32_t pen;
        field_specifier(&c, d->version, &id, &length, &pen);
        bool is_v9_scope = d->is_options && d->version == 9 && i < d->n_scope;
        struct netflow_meaning m = is_v9_scope ? scope_meaning(id) : netflow_element(d->version, pen, id);
        if (m.role == NETFLOW_ROLE_NONE || !can_carry(m.kind, length))
            continue;
        if (ch->field[m.role] != NOT_CHOSEN && ch->meaning[m.role].rank <= m.rank - is_of_packet(m.role))
            continue;
        ch->is_tunnel |= m.role == NETFLOW_ROLE_PROTOCOL && ch->field[m.role] != NOT_CHOSEN;
        ch->field[m.role] = i;
        ch->meaning[m.role] = m;
    }
}

static bool chose(const struct choice *ch, enum netflow_role r)
{
    return ch->field[r] != NOT_CHOSEN;
}

/* promote_ip6 - an IPv6 field without an IPv4 one beside it goes straight into the flow. */
static void promote_ip6(struct choice *ch, enum netflow_role v6, enum netflow_role v4)
{
    if (!chose(ch, v6) || chose(ch, v4))
        return;
    ch->field[v4] = ch->field[v6];
    ch->meaning[v4] = ch->meaning[v6];
    ch->field[v6] = NOT_CHOSEN;
}

/* is_release - Cisco's carrier-grade NAT (CGv6) ends a translation with the VRF, the inside address and the port alone. */
static bool is_release(const struct choice *ch)
{
    return chose(ch, NETFLOW_ROLE_REALM) && chose(ch, NETFLOW_ROLE_SOURCE_IP) && chose(ch, NETFLOW_ROLE_SOURCE_PORT) &&
           !chose(ch, NETFLOW_ROLE_DESTINATION_IP) && !chose(ch, NETFLOW_ROLE_SOURCE_BYTES);
}

static enum netflow_use use_of(const struct netflow_definition *d, const struct choice *ch)
{
    if (d->is_options)
        return NETFLOW_USE_OPTIONS;
    bool has_source = chose(ch, NETFLOW_ROLE_SOURCE_IP) ||
                      (chose(ch, NETFLOW_ROLE_SUBSCRIBER) && chose(ch, NETFLOW_ROLE_SOURCE_NAT_IP));
    if (has_source && chose(ch, NETFLOW_ROLE_DESTINATION_IP))
        return NETFLOW_USE_FLOW;
    if (chose(ch, NETFLOW_ROLE_PORT_FIRST) || chose(ch, NETFLOW_ROLE_NAT_EVENT) || chose(ch, NETFLOW_ROLE_SOURCE_NAT_IP))
        return NETFLOW_USE_NAT;
    if (is_release(ch))
        return NETFLOW_USE_NAT;
    return chose(ch, NETFLOW_ROLE_MAC) ? NETFLOW_USE_LAYER2 : NETFLOW_USE_NOTHING;
}

/* add_op - Return: its index, or NETFLOW_NO_OP for a field that only has to be there. */
static uint16_t add_op(struct netflow_template *t, struct netflow_meaning m, unsigned role, uint16_t length)
{
    const struct netflow_place *to = &netflow_places[role];
    if (m.kind == NETFLOW_OP_NONE || !to->width)
        return NETFLOW_NO_OP;
    /* a record longer than a datagram never comes: then the cut offset is never used */
    t->ops[t->n_ops] = (struct netflow_op){.from = (uint16_t)t->fixed_bytes, .length = length, .to = to->to,
                                           .kind = m.kind, .width = to->width, .to_extra = to->to_extra,
                                           .column = to->present ? (uint8_t)__builtin_ctzll(to->present) : 0};
    t->present |= to->present;
    return t->n_ops++;
}

static void add_piece(struct netflow_template *t, uint16_t length, uint16_t op, bool is_variable)
{
    struct netflow_piece *next = t->pieces + t->n_pieces;
    if (!is_variable && t->n_pieces && !next[-1].is_variable) {
        next[-1].n_bytes += length;
        return;
    }
    *next = (struct netflow_piece){.n_bytes = is_variable ? 0 : length, .op = op, .is_variable = is_variable};
    t->n_pieces++;
}

/* lay_out - the ops in the order of the record, and where the fields of variable length stand between the others. */
static void lay_out(struct netflow_template *t, const struct netflow_definition *d, const struct choice *ch)
{
    struct cursor c = cursor_over(d->p, d->n_bytes);
    cursor_skip(&c, d->is_options ? 6 : 4);
    for (unsigned r = 1; r < NETFLOW_N_ROLES; r++)
        if (chose(ch, r))
            t->roles[r / 64] |= UINT64_C(1) << (r % 64);
    for (uint16_t i = 0; i < d->n_fields; i++) {
        uint16_t id, length, op = NETFLOW_NO_OP;
        uint32_t pen;
        field_specifier(&c, d->version, &id, &length, &pen);
        for (unsigned r = 1; r < NETFLOW_N_ROLES; r++)
            if (ch->field[r] == i)
                op = add_op(t, ch->meaning[r], r, length);
        bool is_variable = length == NETFLOW_VARIABLE; /* IPFIX; H3C does the same in v9 */
        add_piece(t, length, op, is_variable);
        t->is_variable |= is_variable;
        t->least_bytes += is_variable ? 1 : length; /* a variable field takes at least its length byte */
        t->fixed_bytes += is_variable ? 0 : length;
    }
}

/* is_harmless - what else a record may say without changing more than its times, its ICMP type or its sampling. */
static bool is_harmless(uint16_t to)
{
#define AT(member) (to == offsetof(struct netflow_extra, member))
    return AT(icmp4) || AT(icmp6) || AT(icmp4_type) || AT(icmp4_code) || AT(icmp6_type) || AT(icmp6_code) ||
           AT(duration_us) || AT(realm) || AT(template_id) || AT(init_ms) || netflow_op_is_sampling(to);
#undef AT
}

/* plain_family - fixed fields that each fill one column, all addresses of one family, no NAT event, no text. */
static uint8_t plain_family(const struct netflow_template *t)
{
    if (t->use != NETFLOW_USE_FLOW || t->is_variable || t->has_texts || t->least_bytes > UINT16_MAX ||
        !netflow_template_has(t, NETFLOW_ROLE_SOURCE_IP) || !netflow_template_has(t, NETFLOW_ROLE_START) ||
        !netflow_template_has(t, NETFLOW_ROLE_END) || netflow_template_has(t, NETFLOW_ROLE_NAT_EVENT))
        return 0;
    bool has_v4 = false, has_v6 = false;
    for (uint16_t i = 0; i < t->n_ops; i++) {
        if (t->ops[i].to_extra && !is_harmless(t->ops[i].to))
            return 0;
        has_v4 |= t->ops[i].kind == NETFLOW_OP_IP4;
        has_v6 |= t->ops[i].kind == NETFLOW_OP_IP6;
    }
    return has_v4 && has_v6 ? 0 : has_v6 ? 6 : 4;
}

int netflow_template_new(const struct netflow_definition *d, struct netflow_template **ret)
{
    struct choice ch = {0};
    choose(d, &ch);
    promote_ip6(&ch, NETFLOW_ROLE_SOURCE_IP6, NETFLOW_ROLE_SOURCE_IP);
    promote_ip6(&ch, NETFLOW_ROLE_DESTINATION_IP6, NETFLOW_ROLE_DESTINATION_IP);
    promote_ip6(&ch, NETFLOW_ROLE_SOURCE_NAT_IP6, NETFLOW_ROLE_SOURCE_NAT_IP);
    promote_ip6(&ch, NETFLOW_ROLE_DESTINATION_NAT_IP6, NETFLOW_ROLE_DESTINATION_NAT_IP);
    promote_ip6(&ch, NETFLOW_ROLE_NEXT_HOP6, NETFLOW_ROLE_NEXT_HOP);
    _Static_assert(_Alignof(struct netflow_piece) <= _Alignof(struct netflow_template) &&
                       _Alignof(struct netflow_op) <= _Alignof(struct netflow_piece), "one block, descending alignment");
    size_t n_ops = NETFLOW_N_ROLES; /* n_fields <= 2^16 and n_ops < 2^8: no overflow below */
    size_t n_bytes = sizeof(struct netflow_template) + n_ops * sizeof(struct netflow_op) +
                     d->n_fields * sizeof(struct netflow_piece) + d->n_bytes;
    struct netflow_template *t = calloc(1, n_bytes);
    if (!t)
        return -ENOMEM;
    t->pieces = (struct netflow_piece *)(void *)(t + 1); /* the wider alignment first */
    t->ops = (struct netflow_op *)(void *)(t->pieces + d->n_fields);
    t->raw = (uint8_t *)(t->ops + n_ops);
    memcpy(t->raw, d->p, d->n_bytes);
    t->n_raw_bytes = (uint32_t)d->n_bytes;
    t->n_memory_bytes = (uint32_t)n_bytes;
    t->id = d->id;
    t->is_options = d->is_options;
    lay_out(t, d, &ch);
    t->has_inner_ip6 = ch.is_tunnel && chose(&ch, NETFLOW_ROLE_SOURCE_IP6) && chose(&ch, NETFLOW_ROLE_SOURCE_IP) &&
                       ch.field[NETFLOW_ROLE_SOURCE_IP6] > ch.field[NETFLOW_ROLE_SOURCE_IP];
    t->use = (uint8_t)use_of(d, &ch);
    for (uint16_t i = 0; i < t->n_ops; i++)
        t->has_texts |= t->ops[i].kind == NETFLOW_OP_TEXT;
    t->plain_family = plain_family(t);
    if (!t->least_bytes) {
        free(t);
        return 1;
    }
    *ret = t;
    return 0;
}
