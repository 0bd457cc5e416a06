/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/event_json - JSON records of any source as log events: what a record is, is told from the keys it has.
 *
 *   windows     Winlogbeat and Elastic agent (winlog.*), NXLog and other flat forms (EventID, Channel ...), the XML
 *               structure as JSON (Event.System ...), Azure, Wazuh's data.win: the names of event_windows
 *   eve         Suricata: ECS, the rest suricata.eve.<path>; alerts are event.kind alert
 *   zeek        ECS, the rest zeek.<log>.<field>
 *   cloudtrail  aws.cloudtrail.<path>, and ECS copies
 *   wazuh       ECS, the rest wazuh.<path>;   auditd (laurel): ECS, the rest auditd.<path>
 *   ecs         as it is
 *   json        any other: its own dotted keys, and ECS copies of what is commonly called host, user, src_ip ...
 *
 * Numbers stay numbers under names that are not ECS; lists are several values. What a path means is looked up when it
 * is first seen.
 * No I/O, no logging, no clock; one thread each. Limits: those of json_scan and event.
 * Source: Suricata 7 "EVE JSON Format"; Zeek's log reference; AWS CloudTrail record contents; Wazuh alert fields; ECS 8.17.
 */
#pragma once

#include "format/event_record.h"
#include "format/event_windows.h"
#include "format/json.h"
#include "format/winxml.h"

struct event_json;

/* event_json_new - all borrowed. Return: NULL when memory is out. */
struct event_json *event_json_new(struct event_names *names, struct event_windows *windows, struct winxml *xml);
void event_json_free(struct event_json *j);

/*
 * event_json_put - the JSON object at @at .. @at + @n of the original of the event open in @e: its fields, time and decoder.
 * Return: 0; JSON_MALFORMED, JSON_TOO_DEEP, EVENT_JSON_NO_OBJECT (nothing was put); -ENOMEM.
 * @ret_at: with a condition: offset of the fault from @at.
 */
#define EVENT_JSON_NO_OBJECT 16
int event_json_put(struct event_json *j, struct events *e, size_t at, size_t n, const struct event_source *source, size_t *ret_at);
