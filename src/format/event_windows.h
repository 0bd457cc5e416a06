/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/event_windows - records of the Windows event log under one set of names, whatever form they came in.
 *
 * <System>    -> winlog.channel, .provider_name, .event_id ...; event.code, event.provider, host.name, log.level; @timestamp
 * <EventData> -> winlog.event_data.<Name>, always texts as Windows writes them ("0x3e7", "4460"); <Data> without a name
 *                is winlog.event_data.Data, several times if need be
 * <UserData>  -> winlog.user_data.<Element.Element>
 * else        -> message (of RenderingInfo), winlog.<Path>
 *
 * Behind these come ECS copies of what Sysmon, Security, PowerShell, System, Defender and others say (process.*, user.*,
 * source.*, file.*, registry.*, dns.* ...), as references to the same text: tables in event_windows_map.c.
 *
 * Use: event_begin; event_windows_begin; _system and _data for each field; event_windows_end; event_end.
 * Texts must be valid UTF-8 or are repaired by event_put_text. No I/O, no logging, no clock; one thread each.
 * Source: [MS-EVEN6] 2.2.12; Sysmon's manifest; Microsoft's "Appendix L: Events to Monitor" and the events' own pages;
 *         field names as Winlogbeat 8 writes them.
 */
#pragma once

#include "format/event.h"
#include "format/evtx.h"

struct event_windows;

/* event_windows_new - @names borrowed. Return: NULL when memory is out. */
struct event_windows *event_windows_new(struct event_names *names);
void event_windows_free(struct event_windows *w);

/* event_windows_begin - of the event that is open in @e. @zone_s: of times that name none. */
void event_windows_begin(struct event_windows *w, struct events *e, int zone_s);
/* event_windows_system - one value of <System>. The first of each counts. */
void event_windows_system(struct event_windows *w, enum evtx_system id, struct text value);
/* event_windows_data - one value of another section: @name as in struct evtx_field. */
void event_windows_data(struct event_windows *w, enum evtx_section section, struct text name, struct text value);
/* event_windows_time - when it happened, if not known from EVTX_TIME_CREATED. */
void event_windows_time(struct event_windows *w, int64_t time_us);
/* event_windows_end - what follows from the whole. @has_ecs: the source may have put ECS fields itself; they win. */
void event_windows_end(struct event_windows *w, bool has_ecs);

/* event_windows_record - all of a decoded .evtx record; the rest of the use as above. */
void event_windows_record(struct event_windows *w, struct evtx *decoder, const struct evtx_record *r);

/* event_windows_section - the section @name of one known as "EventData", "UserData" ...; false if it is none. */
bool event_windows_section(struct text name, enum evtx_section *ret);
/* event_windows_system_id - of the path below <System>, attributes joined by a dot: "Execution.ProcessID"; EVTX_NOT_SYSTEM. */
enum evtx_system event_windows_system_id(struct text path);
