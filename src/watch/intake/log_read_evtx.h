/* SPDX-License-Identifier: Apache-2.0 */
/* watch/intake/log_read_evtx - a record of a Windows event log as a log event: the one way, of files and of logs that are followed. */
#pragma once

#include "format/event_record.h"
#include "format/evtx.h"

/*
 * log_evtx_event - @record, just given by @decoder (which has_xml), as the next row of @e; the XML is its original.
 * @xml: scratch, its max EVENT_ORIGINAL_MAX. Return: 0, EVENT_TOO_LONG (no row), or -ENOMEM.
 */
int log_evtx_event(struct evtx *decoder, const struct evtx_record *record, struct event_decoder *d, const struct event_source *source,
                   struct buf *xml, struct events *e);
