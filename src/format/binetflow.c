/* SPDX-License-Identifier: Apache-2.0 */
#include "format/binetflow.h"

#include <errno.h>

static const struct flow_known columns[] = {
    {"StartTime", FIELD_EPOCH, FLOW_START},
    {"LastTime", FIELD_EPOCH, FLOW_END},
    {"Dur", FIELD_DURATION},
    {"Proto", FIELD_PROTOCOL, .text = "network.protocol"},
    {"SrcAddr", FIELD_ADDRESS, FLOW_SOURCE_IP},
    {"Sport", FIELD_PORT, FLOW_SOURCE_PORT, .text = "argus.sport"},
    {"Dir", FIELD_TEXT, .text = "argus.dir"},
    {"DstAddr", FIELD_ADDRESS, FLOW_DESTINATION_IP},
    {"Dport", FIELD_PORT, FLOW_DESTINATION_PORT, .text = "argus.dport"},
    {"State", FIELD_TEXT, .text = "network.state"},
    {"sTos", FIELD_SMALL, FLOW_TOS, .text = "argus.stos"},
    {"dTos", FIELD_TEXT, .text = "argus.dtos"},
    {"TotPkts", FIELD_TOTAL_PACKETS, 1},
    {"SrcPkts", FIELD_NUMBER, FLOW_SOURCE_PACKETS},
    {"DstPkts", FIELD_NUMBER, FLOW_DESTINATION_PACKETS},
    {"TotBytes", FIELD_TOTAL_BYTES, 1},
    {"SrcBytes", FIELD_NUMBER, FLOW_SOURCE_BYTES},
    {"DstBytes", FIELD_NUMBER, FLOW_DESTINATION_BYTES},
    {"Label", FIELD_TEXT, .text = "event.label"},
};

static const struct flow_known *known(struct text name)
{
    return flow_known_find(columns, sizeof(columns) / sizeof(*columns), name);
}

bool binetflow_is_header(const struct csv_record *header)
{
    bool has_time = false, has_source = false, has_destination = false;
    for (uint32_t i = 0; i < header->n; i++) {
        struct text name = text_trim(header->fields[i]);
        has_time |= text_is_nocase(name, "StartTime") || text_is_nocase(name, "LastTime");
        has_source |= text_is_nocase(name, "SrcAddr");
        has_destination |= text_is_nocase(name, "DstAddr");
    }
    return has_time && has_source && has_destination;
}

int binetflow_plan(struct flow_plan *p, const struct csv_record *header)
{
    flow_plan_clear(p);
    for (uint32_t i = 0; i < header->n; i++)
        if (flow_plan_add(p, header->fields[i], known(header->fields[i]), "argus."))
            return -ENOMEM;
    return 0;
}

int binetflow_row(struct flow_row *r, const struct flow_plan *p, const struct csv_record *record)
{
    if (!flow_row_read(r, p, record))
        return 0;
    uint32_t n = record->n < p->n ? record->n : p->n;
    for (uint32_t i = 0; i < n; i++)
        if (p->fields[i].kind == FIELD_PROTOCOL && text_is_nocase(text_trim(record->fields[i]), "man"))
            return flow_row_refuse(r, FLOW_TEXT_MANAGEMENT, record->fields[i]);
    return 1;
}
