/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The csv kinds are tables of names. The table for people has blanks both
 * between and inside its columns, so it is cut into words and the words are
 * given to the columns its header names.
 */
#include "format/nfdump_csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* short names are those of 1.6, long names those of 1.7 */
static const struct flow_known columns[] = {
    {"ts", FIELD_TIME, FLOW_START},
    {"firstSeen", FIELD_TIME, FLOW_START},
    {"te", FIELD_TIME, FLOW_END},
    {"lastSeen", FIELD_TIME, FLOW_END},
    {"td", FIELD_DURATION},
    {"duration", FIELD_DURATION},
    {"tr", FIELD_TIME, FLOW_RECEIVED, .may_skip_zero = true},
    {"received", FIELD_TIME, FLOW_RECEIVED, .may_skip_zero = true},
    {"sa", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"srcAddr", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"da", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dstAddr", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"sp", FIELD_PORT, FLOW_SOURCE_PORT},
    {"srcPort", FIELD_PORT, FLOW_SOURCE_PORT},
    {"dp", FIELD_PORT, FLOW_DESTINATION_PORT},
    {"dstPort", FIELD_PORT, FLOW_DESTINATION_PORT},
    {"pr", FIELD_PROTOCOL, .text = "network.protocol"},
    {"proto", FIELD_PROTOCOL, .text = "network.protocol"},
    {"flg", FIELD_FLAGS, FLOW_TCP_FLAGS},
    {"flags", FIELD_FLAGS, FLOW_TCP_FLAGS},
    {"stos", FIELD_SMALL, FLOW_TOS},
    {"srcTos", FIELD_SMALL, FLOW_TOS},
    {"tos", FIELD_SMALL, FLOW_TOS},
    {"ipkt", FIELD_NUMBER, FLOW_SOURCE_PACKETS},
    {"packets", FIELD_NUMBER, FLOW_SOURCE_PACKETS},
    {"inPackets", FIELD_NUMBER, FLOW_SOURCE_PACKETS},
    {"ibyt", FIELD_NUMBER, FLOW_SOURCE_BYTES},
    {"bytes", FIELD_NUMBER, FLOW_SOURCE_BYTES},
    {"inBytes", FIELD_NUMBER, FLOW_SOURCE_BYTES},
    {"opkt", FIELD_NUMBER, FLOW_POST_PACKETS, .may_skip_zero = true},
    {"outPackets", FIELD_NUMBER, FLOW_POST_PACKETS, .may_skip_zero = true},
    {"obyt", FIELD_NUMBER, FLOW_POST_BYTES, .may_skip_zero = true},
    {"outBytes", FIELD_NUMBER, FLOW_POST_BYTES, .may_skip_zero = true},
    {"in", FIELD_SMALL, FLOW_INPUT_IF, .may_skip_zero = true},
    {"input", FIELD_SMALL, FLOW_INPUT_IF, .may_skip_zero = true},
    {"out", FIELD_SMALL, FLOW_OUTPUT_IF, .may_skip_zero = true},
    {"output", FIELD_SMALL, FLOW_OUTPUT_IF, .may_skip_zero = true},
    {"sas", FIELD_SMALL, FLOW_SOURCE_AS, .may_skip_zero = true},
    {"srcAS", FIELD_SMALL, FLOW_SOURCE_AS, .may_skip_zero = true},
    {"das", FIELD_SMALL, FLOW_DESTINATION_AS, .may_skip_zero = true},
    {"dstAS", FIELD_SMALL, FLOW_DESTINATION_AS, .may_skip_zero = true},
    {"smk", FIELD_SMALL, FLOW_SOURCE_MASK, .may_skip_zero = true},
    {"srcMask", FIELD_SMALL, FLOW_SOURCE_MASK, .may_skip_zero = true},
    {"dmk", FIELD_SMALL, FLOW_DESTINATION_MASK, .may_skip_zero = true},
    {"dstMask", FIELD_SMALL, FLOW_DESTINATION_MASK, .may_skip_zero = true},
    {"dir", FIELD_SMALL, FLOW_DIRECTION, .may_skip_zero = true},
    {"direction", FIELD_SMALL, FLOW_DIRECTION, .may_skip_zero = true},
    {"endReason", FIELD_SMALL, FLOW_END_REASON, .may_skip_zero = true},
    {"nh", FIELD_ADDRESS, FLOW_NEXT_HOP, .may_skip_zero = true},
    {"nextIP", FIELD_ADDRESS, FLOW_NEXT_HOP, .may_skip_zero = true},
    {"svln", FIELD_SMALL, FLOW_VLAN, .may_skip_zero = true},
    {"srcVlan", FIELD_SMALL, FLOW_VLAN, .may_skip_zero = true},
    {"ra", FIELD_OBSERVER},
    {"routerIP", FIELD_OBSERVER},
    {"eng", FIELD_ENGINE},
    {"engine", FIELD_ENGINE},
    {"nsa", FIELD_ADDRESS, FLOW_SOURCE_NAT_IP, .may_skip_zero = true},
    {"xsa", FIELD_ADDRESS, FLOW_SOURCE_NAT_IP, .may_skip_zero = true},
    {"srcXIP", FIELD_ADDRESS, FLOW_SOURCE_NAT_IP, .may_skip_zero = true},
    {"nda", FIELD_ADDRESS, FLOW_DESTINATION_NAT_IP, .may_skip_zero = true},
    {"xda", FIELD_ADDRESS, FLOW_DESTINATION_NAT_IP, .may_skip_zero = true},
    {"dstXIP", FIELD_ADDRESS, FLOW_DESTINATION_NAT_IP, .may_skip_zero = true},
    {"nsp", FIELD_SMALL, FLOW_SOURCE_NAT_PORT, .may_skip_zero = true},
    {"xsp", FIELD_SMALL, FLOW_SOURCE_NAT_PORT, .may_skip_zero = true},
    {"srcXPort", FIELD_SMALL, FLOW_SOURCE_NAT_PORT, .may_skip_zero = true},
    {"ndp", FIELD_SMALL, FLOW_DESTINATION_NAT_PORT, .may_skip_zero = true},
    {"xdp", FIELD_SMALL, FLOW_DESTINATION_NAT_PORT, .may_skip_zero = true},
    {"dstXPort", FIELD_SMALL, FLOW_DESTINATION_NAT_PORT, .may_skip_zero = true},
    {"ja3", FIELD_TEXT, .text = "tls.client.ja3"},
    {"ja4", FIELD_TEXT, .text = "tls.client.ja4"},
    {"sniName", FIELD_TEXT, .text = "tls.client.server_name"},
    {"lbl", FIELD_TEXT, .text = "event.label"},
    {"label", FIELD_TEXT, .text = "event.label"},
    {"cnt", FIELD_IGNORED},   /* running number of the listing */
    {"count", FIELD_IGNORED},
    {"af", FIELD_IGNORED},
    {"bps", FIELD_IGNORED},   /* reckoned from the others */
    {"pps", FIELD_IGNORED},
    {"bpp", FIELD_IGNORED},
    {"fl", FIELD_IGNORED},
    {"flows", FIELD_IGNORED},
};

static const char *const order_of_1_6[] = {
    "ts",    "te",    "td",    "sa",    "da",    "sp",    "dp",    "pr",    "flg",    "fwd",  "stos", "ipkt",
    "ibyt",  "opkt",  "obyt",  "in",    "out",   "sas",   "das",   "smk",   "dmk",    "dtos", "dir",  "nh",
    "nhb",   "svln",  "dvln",  "ismc",  "odmc",  "idmc",  "osmc",  "mpls1", "mpls2",  "mpls3", "mpls4", "mpls5",
    "mpls6", "mpls7", "mpls8", "mpls9", "mpls10", "cl",   "sl",    "al",    "ra",     "eng",  "exid", "tr",
};

static const struct flow_known *known(struct text name)
{
    return flow_known_find(columns, sizeof(columns) / sizeof(*columns), name);
}

static int add(struct flow_plan *p, struct text name)
{
    if (flow_plan_add(p, name, known(name), "nfdump."))
        return -ENOMEM;
    if (!known(name))
        p->fields[p->n - 1].may_skip_zero = true;
    return 0;
}

bool nfdump_csv_is_header(const struct csv_record *header)
{
    unsigned has_short = 0, has_long = 0;
    for (uint32_t i = 0; i < header->n; i++) {
        struct text name = text_trim(header->fields[i]);
        has_short |= text_is(name, "ts") | (text_is(name, "sa") ? 2u : 0) | (text_is(name, "da") ? 4u : 0);
        has_long |= text_is(name, "firstSeen") | (text_is(name, "srcAddr") ? 2u : 0) | (text_is(name, "dstAddr") ? 4u : 0);
    }
    return has_short == 7 || has_long == 7;
}

static bool is_time(struct text t)
{
    t = text_trim(t);
    return t.n >= 19 && t.p[4] == '-' && t.p[7] == '-' && t.p[13] == ':' && t.p[16] == ':';
}

bool nfdump_csv_is_headless(const struct csv_record *record)
{
    struct ip a;
    if (record->n < 15 || !is_time(record->fields[0]) || !is_time(record->fields[1]))
        return false;
    struct text source = text_trim(record->fields[3]), destination = text_trim(record->fields[4]);
    return !ip_parse(source.p, source.n, &a) && !ip_parse(destination.p, destination.n, &a);
}

int nfdump_csv_plan(struct flow_plan *p, const struct csv_record *header)
{
    size_t n = header ? header->n : sizeof(order_of_1_6) / sizeof(*order_of_1_6);
    flow_plan_clear(p);
    for (size_t i = 0; i < n; i++) {
        struct text name = header ? header->fields[i] : (struct text){order_of_1_6[i], strlen(order_of_1_6[i])};
        if (add(p, name))
            return -ENOMEM;
    }
    return 0;
}

/* finish_icmp - csv-fast prints the destination port as NetFlow carries it: type * 256 + code. */
static int finish_icmp(struct flow *f)
{
    if ((f->protocol == 1 || f->protocol == 58) && !(f->present & FLOW_HAS(FLOW_ICMP)) &&
        (f->present & FLOW_HAS(FLOW_DESTINATION_PORT))) {
        f->icmp = f->destination_port;
        f->present |= FLOW_HAS(FLOW_ICMP);
    }
    return 0;
}

int nfdump_csv_row(struct flow_row *r, const struct flow_plan *p, const struct csv_record *record)
{
    return flow_row_read(r, p, record) || finish_icmp(&r->flow);
}

bool nfdump_csv_is_summary(const struct csv_record *record)
{
    struct text first = record->fields[0];
    return first.n >= 7 && !memcmp(first.p, "Summary", 7);
}

/* ---- the table for people */

static struct text next_word(struct text *rest)
{
    const char *p = rest->p, *end = rest->p + rest->n;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    const char *begin = p;
    while (p < end && *p != ' ' && *p != '\t' && *p != '\r')
        p++;
    *rest = (struct text){p, (size_t)(end - p)};
    return (struct text){begin, (size_t)(p - begin)};
}

bool nfdump_line_is_header(struct text line)
{
    struct text date = next_word(&line), flow = next_word(&line), seen = next_word(&line);
    return text_is(date, "Date") &&
           ((text_is(flow, "flow") && text_is(seen, "start")) || (text_is(flow, "first") && text_is(seen, "seen")));
}

int nfdump_line_plan(struct flow_plan *p, struct text header)
{
    static const struct flow_known ends[2] = {{"Src", FIELD_ADDRESS_PORT, FLOW_SOURCE_IP},
                                              {"Dst", FIELD_ADDRESS_PORT, FLOW_DESTINATION_IP}};
    flow_plan_clear(p);
    for (int i = 0; i < 3; i++) /* Date first seen */
        (void)next_word(&header);
    if (add(p, TEXT("ts")))
        return -ENOMEM;
    for (;;) {
        struct text word = next_word(&header);
        if (!word.n)
            return 0;
        if (text_is(word, "IP") || text_is(word, "Addr:Port"))
            continue;
        const struct flow_known *end = text_is(word, "Src") ? &ends[0] : text_is(word, "Dst") ? &ends[1] : NULL;
        int rc = end ? flow_plan_add(p, word, end, "nfdump.") : add(p, word);
        if (rc)
            return -ENOMEM;
    }
}

static bool is_unit(struct text word)
{
    return word.n == 1 && strchr("KMGT", *word.p);
}

/* next_value - the words of one column: two for a date, a unit behind a counter, the rest of the line for the last. */
static struct text next_value(struct text *rest, uint32_t column, bool is_last)
{
    struct text word = next_word(rest), before = *rest;
    while (text_is(word, "->") || text_is(word, "<->")) {
        word = next_word(rest);
        before = *rest;
    }
    if (is_last)
        return text_trim((struct text){word.p, word.n + rest->n});
    struct text second = next_word(rest);
    if (column == 0 || (is_unit(second) && word.n && *word.p >= '0' && *word.p <= '9'))
        return (struct text){word.p, (size_t)(second.p + second.n - word.p)};
    *rest = before;
    return word;
}

int nfdump_line_row(struct flow_row *r, const struct flow_plan *p, struct text line)
{
    struct text rest = line;
    flow_row_begin(r);
    for (uint32_t i = 0; i < p->n; i++) {
        struct text value = next_value(&rest, i, i + 1 == p->n);
        char when[40];
        if (!value.n)
            return flow_row_refuse(r, FLOW_TEXT_TOO_FEW_COLUMNS, line);
        if (i == 0) { /* a TAB or several blanks may stand between day and hour */
            struct text words = value, day = next_word(&words), hour = next_word(&words);
            int n = snprintf(when, sizeof(when), "%.*s %.*s", (int)day.n, day.p, (int)hour.n, hour.p);
            if (n < 0 || n >= (int)sizeof(when))
                return flow_row_refuse(r, FLOW_TEXT_BAD_TIME, value);
            if (flow_row_put(r, p, i, (struct text){when, (size_t)n}))
                return flow_row_refuse(r, r->reason, value);
            continue;
        }
        if (flow_row_put(r, p, i, value))
            return 1;
    }
    return flow_row_finish(r) || finish_icmp(&r->flow);
}
