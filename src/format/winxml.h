/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/winxml - Windows events as XML, the way Event Viewer, wevtutil and forwarders write them.
 *
 * In:     one untrusted document whose root is <Event> (a declaration and prefixes of names may stand before), or
 *         <EventData> or <UserData> alone.
 * Out:    its fields, given to event_windows_system and event_windows_data; what was given before a fault counts for
 *         nothing: cancel the event.
 * Limits: no document type (so no entities but the five), WINXML_DEPTH_MAX levels, WINXML_TEXT_MAX bytes a text.
 *         No I/O, no logging; memory is expat's, one parser per document.
 * Source: XML 1.0; the event schema of Windows (http://schemas.microsoft.com/win/2004/08/events/event).
 * Fuzz:   tests/fuzz/event_record.c
 */
#pragma once

#include "format/event_windows.h"

enum { WINXML_DEPTH_MAX = 32, WINXML_TEXT_MAX = 1 << 20 };

struct winxml;

/* winxml_new - Return: NULL when memory is out. */
struct winxml *winxml_new(void);
void winxml_free(struct winxml *x);

/*
 * winxml_event - between event_windows_begin and _end.
 * @ret_at: with a condition: about where in @t; may be NULL.
 * Return: 0; WINXML_MALFORMED, WINXML_LIMIT (a limit above, or a document type), WINXML_NO_EVENT (XML of something
 *         else); -ENOMEM.
 */
enum { WINXML_MALFORMED = 1, WINXML_LIMIT = 2, WINXML_NO_EVENT = 3 };
int winxml_event(struct winxml *x, struct text t, struct event_windows *w, size_t *ret_at);
