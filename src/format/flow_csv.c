/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names are compared folded: lower case, without diacritics, blanks for
 * underscores, dashes and dots. So source_ip, "Source IP" and source.ip are one.
 */
#include "format/flow_csv.h"

#include <errno.h>
#include <string.h>

/* the kind that fits a number column */
#define KIND_OF_START FIELD_TIME
#define KIND_OF_END FIELD_TIME
#define KIND_OF_RECEIVED FIELD_TIME
#define KIND_OF_SOURCE_PORT FIELD_PORT
#define KIND_OF_DESTINATION_PORT FIELD_PORT
#define KIND_OF_TCP_FLAGS FIELD_FLAGS
#define KIND_OF_REVERSE_TCP_FLAGS FIELD_FLAGS
#define KIND_OF_PROTOCOL FIELD_PROTOCOL
#define KIND_OF_OBSERVER FIELD_OBSERVER
#define KIND_OF_SOURCE_BYTES FIELD_NUMBER
#define KIND_OF_DESTINATION_BYTES FIELD_NUMBER
#define KIND_OF_SOURCE_PACKETS FIELD_NUMBER
#define KIND_OF_DESTINATION_PACKETS FIELD_NUMBER
#define KIND_OF_POST_BYTES FIELD_NUMBER
#define KIND_OF_POST_PACKETS FIELD_NUMBER
#define KIND_OF_CLOCK_OFFSET FIELD_TEXT /* signed, ours alone */
#define KIND_OF_SAMPLING FIELD_SMALL
#define KIND_OF_INPUT_IF FIELD_SMALL
#define KIND_OF_OUTPUT_IF FIELD_SMALL
#define KIND_OF_SOURCE_AS FIELD_SMALL
#define KIND_OF_DESTINATION_AS FIELD_SMALL
#define KIND_OF_VLAN FIELD_SMALL
#define KIND_OF_SOURCE_NAT_PORT FIELD_SMALL
#define KIND_OF_DESTINATION_NAT_PORT FIELD_SMALL
#define KIND_OF_ICMP FIELD_SMALL
#define KIND_OF_TOS FIELD_SMALL
#define KIND_OF_SOURCE_MASK FIELD_SMALL
#define KIND_OF_DESTINATION_MASK FIELD_SMALL
#define KIND_OF_DIRECTION FIELD_SMALL
#define KIND_OF_NAT_EVENT FIELD_SMALL
#define KIND_OF_FIREWALL_EVENT FIELD_SMALL
#define KIND_OF_END_REASON FIELD_SMALL
#define KIND_OF_TIME_SOURCE FIELD_SMALL

static const struct flow_known ecs_columns[] = {
#define X(ID, member, ecs, alias) {ecs, FIELD_ADDRESS, FLOW_##ID, ecs}, {alias, FIELD_ADDRESS, FLOW_##ID, ecs},
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias) {ecs, KIND_OF_##ID, FLOW_##ID, ecs}, {alias, KIND_OF_##ID, FLOW_##ID, ecs},
        FLOW_NUMBERS(X)
#undef X
#define X(ID, ecs, alias) {ecs, FIELD_TEXT, 0, ecs}, {alias, FIELD_TEXT, 0, ecs},
            FLOW_TEXTS(X)
#undef X
    {"@timestamp", FIELD_TIME, FLOW_START},
    {"event.duration", FIELD_DURATION_NS},
    {"network.transport", FIELD_PROTOCOL, .text = "network.protocol"},
    {"network.bytes", FIELD_TOTAL_BYTES},
    {"network.packets", FIELD_TOTAL_PACKETS},
};

/* what others call it; folded */
static const struct flow_known usual[] = {
    {"source address", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"src ip", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"srcip", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"src addr", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"srcaddr", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"sourceaddress", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"sourceip", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"source", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"saddr", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"sip", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"ip nguon", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"dia chi nguon", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"dia chi ip nguon", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"destination address", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dst ip", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dstip", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dest ip", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dst addr", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dstaddr", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"destinationaddress", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"destinationip", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"destination", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"daddr", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dip", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"ip dich", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dia chi dich", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"dia chi ip dich", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"src port", FIELD_PORT, FLOW_SOURCE_PORT, "source.service"},
    {"srcport", FIELD_PORT, FLOW_SOURCE_PORT, "source.service"},
    {"sourceport", FIELD_PORT, FLOW_SOURCE_PORT, "source.service"},
    {"spt", FIELD_PORT, FLOW_SOURCE_PORT, "source.service"},
    {"cong nguon", FIELD_PORT, FLOW_SOURCE_PORT, "source.service"},
    {"dst port", FIELD_PORT, FLOW_DESTINATION_PORT, "destination.service"},
    {"dest port", FIELD_PORT, FLOW_DESTINATION_PORT, "destination.service"},
    {"dstport", FIELD_PORT, FLOW_DESTINATION_PORT, "destination.service"},
    {"destinationport", FIELD_PORT, FLOW_DESTINATION_PORT, "destination.service"},
    {"dpt", FIELD_PORT, FLOW_DESTINATION_PORT, "destination.service"},
    {"cong dich", FIELD_PORT, FLOW_DESTINATION_PORT, "destination.service"},
    {"protocol", FIELD_PROTOCOL, .text = "network.protocol"},
    {"transport", FIELD_PROTOCOL, .text = "network.protocol"},
    {"giao thuc", FIELD_PROTOCOL, .text = "network.protocol"},
    {"timestamp", FIELD_TIME, FLOW_START},
    {"time", FIELD_TIME, FLOW_START},
    {"date", FIELD_TIME, FLOW_START},
    {"start time", FIELD_TIME, FLOW_START},
    {"starttime", FIELD_TIME, FLOW_START},
    {"first", FIELD_TIME, FLOW_START},
    {"first seen", FIELD_TIME, FLOW_START},
    {"time start", FIELD_TIME, FLOW_START},
    {"thoi gian", FIELD_TIME, FLOW_START},
    {"thoi gian bat dau", FIELD_TIME, FLOW_START},
    {"bat dau", FIELD_TIME, FLOW_START},
    {"end time", FIELD_TIME, FLOW_END},
    {"endtime", FIELD_TIME, FLOW_END},
    {"last", FIELD_TIME, FLOW_END},
    {"last seen", FIELD_TIME, FLOW_END},
    {"time end", FIELD_TIME, FLOW_END},
    {"thoi gian ket thuc", FIELD_TIME, FLOW_END},
    {"ket thuc", FIELD_TIME, FLOW_END},
    {"duration", FIELD_DURATION},
    {"dur", FIELD_DURATION},
    {"duration ms", FIELD_DURATION_MS},
    {"bytes", FIELD_TOTAL_BYTES},
    {"octets", FIELD_TOTAL_BYTES},
    {"total bytes", FIELD_TOTAL_BYTES},
    {"so byte", FIELD_TOTAL_BYTES},
    {"packets", FIELD_TOTAL_PACKETS},
    {"pkts", FIELD_TOTAL_PACKETS},
    {"total packets", FIELD_TOTAL_PACKETS},
    {"so goi", FIELD_TOTAL_PACKETS},
    {"so goi tin", FIELD_TOTAL_PACKETS},
    {"src bytes", FIELD_NUMBER, FLOW_SOURCE_BYTES},
    {"bytes sent", FIELD_NUMBER, FLOW_SOURCE_BYTES},
    {"dst bytes", FIELD_NUMBER, FLOW_DESTINATION_BYTES},
    {"bytes received", FIELD_NUMBER, FLOW_DESTINATION_BYTES},
    {"src packets", FIELD_NUMBER, FLOW_SOURCE_PACKETS},
    {"dst packets", FIELD_NUMBER, FLOW_DESTINATION_PACKETS},
    {"tcp flags", FIELD_FLAGS, FLOW_TCP_FLAGS, "network.tcp_flags"},
    {"service", FIELD_TEXT, .text = "network.protocol"},
    {"application", FIELD_TEXT, .text = "network.protocol"},
};

static size_t fold(struct text name, char out[80])
{
    char plain[80];
    size_t n = name.n < sizeof(plain) ? name.n : sizeof(plain) - 1;
    for (size_t i = 0; i < n; i++)
        plain[i] = name.p[i] == '.' ? ' ' : name.p[i];
    return text_fold((struct text){plain, n}, out, 80);
}

static const struct flow_known *find_folded(const struct flow_known *table, size_t n, struct text name)
{
    char wanted[80], has[80];
    size_t n_wanted = fold(name, wanted);
    if (!n_wanted)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (fold((struct text){table[i].name, strlen(table[i].name)}, has) == n_wanted && !memcmp(has, wanted, n_wanted))
            return &table[i];
    return NULL;
}

const struct flow_known *flow_csv_known_ecs(struct text name)
{
    return find_folded(ecs_columns, sizeof(ecs_columns) / sizeof(*ecs_columns), name);
}

int flow_csv_mapping_parse(char *pair, struct flow_mapping *ret)
{
    char *equals = strchr(pair, '=');
    if (!equals || equals == pair || !equals[1])
        return 1;
    *equals = '\0';
    *ret = (struct flow_mapping){.ecs = pair, .column = equals + 1};
    return !flow_csv_known_ecs((struct text){pair, strlen(pair)});
}

static const struct flow_known *meaning_of(struct text column, const struct flow_mapping *mapping, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (text_is_nocase(text_trim(column), mapping[i].column))
            return flow_csv_known_ecs((struct text){mapping[i].ecs, strlen(mapping[i].ecs)});
    const struct flow_known *k = flow_csv_known_ecs(column);
    if (!k)
        k = find_folded(usual, sizeof(usual) / sizeof(*usual), column);
    for (uint32_t i = 0; k && i < n; i++) { /* the mapping took this field for another column */
        const struct flow_known *taken = flow_csv_known_ecs((struct text){mapping[i].ecs, strlen(mapping[i].ecs)});
        if (taken && taken->kind == k->kind && taken->arg == k->arg && k->kind != FIELD_TEXT)
            return NULL;
    }
    return k;
}

int flow_csv_plan(struct flow_plan *p, const struct csv_record *header, const struct flow_mapping *mapping, uint32_t n)
{
    flow_plan_clear(p);
    for (uint32_t i = 0; i < header->n; i++)
        if (flow_plan_add(p, header->fields[i], meaning_of(header->fields[i], mapping, n), ""))
            return -ENOMEM;
    return !flow_plan_is_flow(p);
}
