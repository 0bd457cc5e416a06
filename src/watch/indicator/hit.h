/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/hit - what a listed address in a flow means: the one place that decides,
 * for the live match and for the hunt alike.
 *
 * For one flow and one list there is at most one hit, so that a record counts once per list:
 *
 *   own ends      listed ends         hit
 *   one (E)       the other           contact:    own E, remote the other, listed remote
 *   one (E)       E                   own_listed: own E, remote empty,     listed own
 *   one (E)       both                contact:    own E, remote the other, listed both
 *   both          one (E)             own_listed: own E, remote empty,     listed own
 *   both          both                contact:    own the initiator, remote the other, listed both
 *   none, with own space              no hit (the flow is not ours; --rows shows it all the same)
 *   none, without own space:
 *                 one (E)             contact:    own the unlisted end, remote E, listed remote
 *                 both                contact:    own the initiator, remote the other, listed both
 *
 * direction, by the initiator (source): outbound from own, inbound to own, internal both own, external none.
 */
#pragma once

#include "base/ip.h"

#include <stdbool.h>

enum hit_kind { HIT_NONE, HIT_CONTACT, HIT_OWN_LISTED };
enum hit_direction { HIT_INBOUND, HIT_OUTBOUND, HIT_INTERNAL, HIT_EXTERNAL };
enum hit_listed { HIT_LISTED_OWN = 1, HIT_LISTED_REMOTE = 2, HIT_LISTED_BOTH = 3 };

struct hit {
    enum hit_kind kind;
    enum hit_direction direction;
    enum hit_listed listed;
    bool own_is_source; /* else the destination is the own end */
};

/*
 * hit_decide - @has_space: an own address space is known; then @source_own, @destination_own say who lies in it.
 * Return: a hit whose kind is HIT_NONE where there is none.
 */
static inline struct hit hit_decide(bool has_space, bool source_own, bool destination_own, bool source_listed,
                                    bool destination_listed)
{
    struct hit h = {.kind = HIT_CONTACT, .listed = HIT_LISTED_REMOTE, .direction = HIT_EXTERNAL};
    bool both_listed = source_listed && destination_listed;
    if (source_own || destination_own)
        h.direction = source_own && destination_own ? HIT_INTERNAL : source_own ? HIT_OUTBOUND : HIT_INBOUND;
    if ((!source_listed && !destination_listed) || (has_space && !source_own && !destination_own)) {
        h.kind = HIT_NONE;
        return h;
    }
    if (both_listed) {
        h.listed = HIT_LISTED_BOTH;
        h.own_is_source = source_own || !destination_own;
        return h;
    }
    if (!source_own && !destination_own) { /* no own space */
        h.own_is_source = !source_listed;
        return h;
    }
    bool listed_is_own = source_listed ? source_own : destination_own;
    h.own_is_source = listed_is_own ? source_listed : !source_listed;
    if (listed_is_own) {
        h.kind = HIT_OWN_LISTED;
        h.listed = HIT_LISTED_OWN;
    }
    return h;
}

static inline const char *hit_kind_name(enum hit_kind k)
{
    static const char *const names[] = {"", "contact", "own_listed"};
    return names[k];
}

static inline const char *hit_direction_name(enum hit_direction d)
{
    static const char *const names[] = {"inbound", "outbound", "internal", "external"};
    return names[d];
}

static inline const char *hit_listed_name(enum hit_listed l)
{
    static const char *const names[] = {"", "own", "remote", "both"};
    return names[l];
}
