/* SPDX-License-Identifier: Apache-2.0 */
/* format/event_json_own - the tables of event_json_map.c as event_json.c reads them, and Zeek's for its TSV form. */
#pragma once

#include "format/event.h"

enum json_schema {
    SCHEMA_GENERIC,
    SCHEMA_ECS,
    SCHEMA_EVE,
    SCHEMA_CLOUDTRAIL,
    SCHEMA_WAZUH,
    SCHEMA_AUDITD,
    SCHEMA_WINLOG,   /* winlog.* */
    SCHEMA_WINLOG6,  /* log_name, event_data.* */
    SCHEMA_WINEVENT, /* Event.System.* */
    SCHEMA_WINFLAT,  /* EventID, Channel, and the data beside them */
    SCHEMA_AZURE,    /* the same, the data in a text that is XML */
    SCHEMA_ZEEK,     /* any log of it */
};

/* what the keys of a record tell */
enum mark {
    MARK_EVENT_TYPE = 1 << 0,
    MARK_TIMESTAMP = 1 << 1,
    MARK_FLOW = 1 << 2,
    MARK_TS = 1 << 3,
    MARK_ZEEK = 1 << 4,
    MARK_WINLOG = 1 << 5,
    MARK_WINLOG6 = 1 << 6,
    MARK_WINEVENT = 1 << 7,
    MARK_EVENTID = 1 << 8,
    MARK_CHANNEL = 1 << 9,
    MARK_DATA_XML = 1 << 10,
    MARK_TRAIL_VERSION = 1 << 11,
    MARK_TRAIL_NAME = 1 << 12,
    MARK_WAZUH_RULE = 1 << 13,
    MARK_WAZUH_AGENT = 1 << 14,
    MARK_ECS = 1 << 15,
    MARK_AUDITD = 1 << 16,
    MARK_AUDIT_ID = 1 << 17,
    MARK_XML_NAME = 1 << 18,
    MARK_LOG_NAME = 1 << 19, /* _path, @stream */
    MARK_WAZUH_WINDOWS = 1 << 20,
};

/* json_mark_of - what one path tells; json_schema_of - what all of a record's together tell. */
uint64_t json_mark_of(struct text path);
enum json_schema json_schema_of(uint64_t marks);
/* json_zeek_log - the log of a Zeek record that does not name it, by a key that only this log has; "other". */
struct text json_zeek_log(uint64_t marks);
/* json_short_path - without the wrapper of exported Elasticsearch documents. */
struct text json_short_path(struct text path);
bool json_begins(struct text t, const char *lead);

enum json_op {
    OP_NONE, /* not looked up yet */
    OP_PUT,  /* typed by what the field holds and what the JSON value is */
    OP_TEXT, /* as text, also numbers */
    OP_LOWER, /* as text in lower case */
    OP_SKIP,
    OP_TIME,     /* of the event; arg: 1 is the best candidate */
    OP_DATE,     /* a time kept in a field: text or seconds since 1970 */
    OP_SECONDS,  /* kept in nanoseconds: event.duration */
    OP_IP,       /* only if it is an address */
    OP_BOOL_OUTCOME, /* true or T: success */
    OP_SYSTEM,   /* of a Windows event; arg: enum evtx_system */
    OP_DATA,     /* of a Windows event; arg: enum evtx_section, field: its name */
    OP_DATA_NAME, /* {"@Name": .., "#text": ..} */
    OP_DATA_TEXT,
    OP_DATA_XML, /* a text that is XML again */
    OP_EVENT_TYPE, /* NXLog's or Sysmon's */
};

/* what the finishing of a schema asks for */
enum json_slot {
    SLOT_NONE,
    SLOT_TYPE,   /* event_type of EVE */
    SLOT_ACTION, /* alert.action */
    SLOT_STATUS,
    SLOT_ERROR,
    SLOT_TIME_LOCAL, /* a time without zone */
    SLOT_TIME_ZONED,
    SLOT_XML_NAME,
    SLOT_LOG,        /* _path, @stream */
    SLOT_N,
};

struct json_map {
    const char *path;
    uint16_t field, copy;
    uint8_t op, arg, slot;
};

struct json_schema_map {
    const struct json_map *rows;
    unsigned n;
    const char *prefix;  /* of what is not in the rows */
    const char *decoder, *module, *dataset;
    bool keeps_own;      /* rows are copies: the own name is put too */
};
extern const struct json_schema_map json_schema_maps[SCHEMA_ZEEK];

/* event_put_words - a constant text. */
static inline void event_put_words(struct events *e, uint16_t field, const char *words)
{
    event_put_text(e, field, (struct text){words, __builtin_strlen(words)});
}
