/* SPDX-License-Identifier: Apache-2.0 */
/* format/event_windows_own - the tables of event_windows_map.c as event_windows.c reads them; nobody else includes it. */
#pragma once

#include "format/event_fields.h"
#include "format/event.h"

/* who wrote the event: decides what its number means */
enum windows_source {
    WINDOWS_OTHER,
    WINDOWS_SYSMON,
    WINDOWS_SECURITY,
    WINDOWS_POWERSHELL,
    WINDOWS_SYSTEM,
    WINDOWS_DEFENDER,
    WINDOWS_TASKS,
    WINDOWS_DNS_CLIENT,
    WINDOWS_WMI,
    WINDOWS_TERMINAL,
    WINDOWS_BITS,
    WINDOWS_FIREWALL,
    WINDOWS_NTLM,
    WINDOWS_ANY, /* in the tables only: whatever the source */
};

struct windows_source_name {
    const char *provider; /* NULL: any */
    enum windows_source source;
};
extern const struct windows_source_name windows_sources[];
extern const unsigned windows_n_sources;

enum windows_op {
    WINDOWS_COPY,    /* as text; "-" and empty ones are none */
    WINDOWS_NUMBER,  /* decimal or 0x.. */
    WINDOWS_ADDRESS, /* also ::ffff:1.2.3.4 and "LOCAL" (left out) */
    WINDOWS_PATH,    /* a path: its field, and its last part in the second field */
    WINDOWS_USER,    /* DOMAIN\name: name and domain */
    WINDOWS_HASHES,  /* SHA1=..,MD5=..: the first field tells of what (PROCESS, FILE) */
    WINDOWS_DIRECTION, /* true, %%14593 and the like */
    WINDOWS_PROTOCOL,  /* a protocol number */
};

/* one field of one event (or of a span of events) */
struct windows_copy {
    uint8_t source; /* enum windows_source */
    uint16_t from, to;
    const char *name; /* of <EventData> */
    uint8_t op;
    uint16_t field, second;
};
extern const struct windows_copy windows_copies[];
extern const unsigned windows_n_copies;

/* what an event is */
struct windows_meaning {
    uint8_t source;
    uint16_t id;
    const char *action, *category, *type, *outcome, *kind; /* NULL: none; two categories are joined by a comma */
};
extern const struct windows_meaning windows_meanings[];
extern const unsigned windows_n_meanings;
