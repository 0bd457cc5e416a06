/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path of element names below the section in hand; a leaf is given when it ends. Names lose their prefixes.
 */
#include "format/winxml.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_BYTES = 512, NAME_MAX_BYTES = 256 };

struct winxml {
    XML_Parser parser;
    struct event_windows *w;
    struct buf text;
    int verdict;
    unsigned depth;        /* elements that are open */
    unsigned section_depth; /* of the element that is the section; 0: none is open */
    enum evtx_section section;
    bool is_leaf;          /* the open element has had no child yet */
    bool has_attributes;
    bool is_named;         /* <Data Name='..'> */
    char name[NAME_MAX_BYTES];
    uint16_t ends[WINXML_DEPTH_MAX + 1]; /* of the path at each depth */
    char path[PATH_MAX_BYTES];
};

struct winxml *winxml_new(void)
{
    struct winxml *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->text.max = WINXML_TEXT_MAX;
    x->parser = XML_ParserCreate(NULL);
    if (!x->parser) {
        free(x);
        return NULL;
    }
    return x;
}

void winxml_free(struct winxml *x)
{
    if (!x)
        return;
    XML_ParserFree(x->parser);
    buf_fini(&x->text);
    free(x);
}

static void stop(struct winxml *x, int verdict)
{
    if (!x->verdict)
        x->verdict = verdict;
    XML_StopParser(x->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

/* path_add - @name behind the path of the depth above; false when it is too long. */
static bool path_add(struct winxml *x, uint16_t from, const char *name, uint16_t *ret_end)
{
    size_t n = strlen(name), dot = from ? 1 : 0;
    if (from + dot + n > sizeof x->path)
        return false;
    if (dot)
        x->path[from] = '.';
    memcpy(x->path + from + dot, name, n);
    *ret_end = (uint16_t)(from + dot + n);
    return true;
}

static void give(struct winxml *x, struct text name, struct text value)
{
    if (x->section == EVTX_IN_SYSTEM) {
        enum evtx_system id = event_windows_system_id(name);
        if (id != EVTX_NOT_SYSTEM) {
            event_windows_system(x->w, id, value);
            return;
        }
        if (!value.n)
            return;
    }
    event_windows_data(x->w, x->section, name, value);
}

static void give_attributes(struct winxml *x, const char **attributes)
{
    for (; attributes[0]; attributes += 2) {
        uint16_t end;
        const char *name = local_name(attributes[0]);
        if (!strncmp(attributes[0], "xmlns", 5))
            continue;
        x->has_attributes = true;
        if (x->is_named && !strcmp(name, "Name"))
            continue;
        if (!path_add(x, x->ends[x->depth], name, &end)) {
            stop(x, WINXML_LIMIT);
            return;
        }
        give(x, (struct text){x->path, end}, (struct text){attributes[1], strlen(attributes[1])});
    }
}

static void remember_name(struct winxml *x, const char **attributes)
{
    x->is_named = false;
    for (; attributes[0]; attributes += 2) {
        size_t n = strlen(attributes[1]);
        if (strcmp(local_name(attributes[0]), "Name") || !n || n >= sizeof x->name)
            continue;
        memcpy(x->name, attributes[1], n + 1);
        x->is_named = true;
    }
}

/* enter_section - an element right below <Event>, or the root itself when it is a section. */
static void enter_section(struct winxml *x, const char *name, const char **attributes)
{
    x->section_depth = x->depth;
    x->ends[x->depth] = 0;
    if (event_windows_section((struct text){name, strlen(name)}, &x->section)) {
        if (x->section == EVTX_IN_EVENT_DATA && path_add(x, 0, name, &x->ends[x->depth]))
            give_attributes(x, attributes); /* "EventData.Name", as .evtx files have it */
        x->ends[x->depth] = 0;
        return;
    }
    x->section = EVTX_IN_EVENT; /* RenderingInfo and others: their name is part of the path */
    if (!path_add(x, 0, name, &x->ends[x->depth]))
        stop(x, WINXML_LIMIT);
}

static void on_start(void *context, const char *qualified, const char **attributes)
{
    struct winxml *x = context;
    const char *name = local_name(qualified);
    if (x->depth == WINXML_DEPTH_MAX) {
        stop(x, WINXML_LIMIT);
        return;
    }
    x->depth++;
    x->is_leaf = true;
    x->has_attributes = x->is_named = false;
    buf_clear(&x->text);
    if (x->depth == 1 && !strcmp(name, "Event"))
        return;
    if (x->depth == 1 && strcmp(name, "EventData") && strcmp(name, "UserData")) {
        stop(x, WINXML_NO_EVENT);
        return;
    }
    if (!x->section_depth) {
        enter_section(x, name, attributes);
        return;
    }
    if (!path_add(x, x->ends[x->depth - 1], name, &x->ends[x->depth])) {
        stop(x, WINXML_LIMIT);
        return;
    }
    if (x->section == EVTX_IN_EVENT_DATA && x->depth == x->section_depth + 1 && !strcmp(name, "Data"))
        remember_name(x, attributes);
    give_attributes(x, attributes);
}

static void on_end(void *context, const char *qualified)
{
    struct winxml *x = context;
    (void)qualified;
    struct text value = {(const char *)x->text.p, x->text.n};
    struct text name = {x->path, x->ends[x->depth]};
    if (x->is_named)
        name = (struct text){x->name, strlen(x->name)};
    bool is_section = x->depth == x->section_depth;
    bool has_value = value.n || (!x->has_attributes && !is_section) || x->is_named;
    if (x->section_depth && x->is_leaf && has_value && name.n)
        give(x, name, value.n ? value : TEXT(""));
    else if (is_section && x->section == EVTX_IN_EVENT_DATA && x->is_leaf && value.n)
        give(x, TEXT("EventData"), value);
    if (is_section)
        x->section_depth = 0;
    x->depth--;
    x->is_leaf = x->is_named = x->has_attributes = false;
    buf_clear(&x->text);
}

static void on_text(void *context, const char *p, int n)
{
    struct winxml *x = context;
    if (!x->is_leaf || n <= 0)
        return;
    buf_add(&x->text, p, (size_t)n);
    if (x->text.is_bad)
        stop(x, x->text.n + (size_t)n > x->text.max ? WINXML_LIMIT : -ENOMEM);
}

static void on_doctype(void *context, const char *name, const char *system, const char *public, int has_subset)
{
    (void)name, (void)system, (void)public, (void)has_subset;
    stop(context, WINXML_LIMIT);
}

int winxml_event(struct winxml *x, struct text t, struct event_windows *w, size_t *ret_at)
{
    x->w = w;
    x->verdict = 0;
    x->depth = x->section_depth = 0;
    x->is_leaf = x->is_named = x->has_attributes = false;
    buf_clear(&x->text);
    if (!XML_ParserReset(x->parser, "UTF-8"))
        return -ENOMEM;
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_start, on_end);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    if (t.n > EVENT_ORIGINAL_MAX)
        return WINXML_LIMIT;
    enum XML_Status status = XML_Parse(x->parser, t.p, (int)t.n, XML_TRUE);
    if (status == XML_STATUS_OK && !x->verdict)
        return 0;
    if (ret_at)
        *ret_at = (size_t)XML_GetCurrentByteIndex(x->parser) < t.n ? (size_t)XML_GetCurrentByteIndex(x->parser) : t.n;
    if (x->verdict)
        return x->verdict;
    return XML_GetErrorCode(x->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : WINXML_MALFORMED;
}
