/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates and where they are: a definition lies in the chunk, and every instance says at which offset. What was
 * compiled is kept under that offset and the place it was used in, until the next chunk.
 */
#include "format/evtx_own.h"

#include <stdlib.h>
#include <string.h>

struct evtx_mark evtx_mark(const struct evtx *e)
{
    return (struct evtx_mark){e->n_ops, e->n_xml_ops, e->n_programs, e->n_names, e->n_xml};
}

static uint32_t head_of(uint32_t definition, uint32_t context)
{
    return ((definition >> 2) ^ definition >> 10 ^ context * 31) % EVTX_HEADS;
}

void evtx_forget(struct evtx *e, struct evtx_mark mark)
{
    while (e->n_programs > mark.n_programs) { /* last in, first out: each is the head of its chain */
        const struct evtx_program *g = &e->programs[--e->n_programs];
        e->heads[head_of(g->definition, g->context)] = g->next;
    }
    e->n_ops = mark.n_ops;
    e->n_xml_ops = mark.n_xml_ops;
    e->n_names = mark.n_names;
    e->n_xml = mark.n_xml;
}

/*
 * find_definition - offset of the next one (4), GUID (16; its first 4 bytes are the template's id), size (4), fragment
 * header, element. @ret: of the element, in the chunk @base. Return: whether template @id is there.
 */
static bool find_definition(const uint8_t *base, uint32_t n_base, uint32_t definition, uint32_t id, struct evtx_source *ret)
{
    if (definition > n_base || n_base - definition < 24 || load_le32(base + definition + 4) != id)
        return false;
    uint32_t size = load_le32(base + definition + 20), at = definition + 24;
    if (size > n_base - at)
        return false;
    uint32_t end = at + size;
    if (end - at >= 4 && base[at] == TOKEN_HEADER)
        at += 4;
    *ret = (struct evtx_source){base, n_base, at, end};
    return at < end && (base[at] & ~TOKEN_MORE) == TOKEN_OPEN;
}

static struct evtx_known *known_slot(struct evtx *e, uint32_t id)
{
    return &e->known[(id ^ id >> 16) % EVTX_KNOWN];
}

/* known_move - what is known from the bytes at @file is from now on at @to, or nowhere (NULL). */
static void known_move(struct evtx *e, const uint8_t *to)
{
    for (size_t i = 0; i < EVTX_KNOWN; i++) {
        struct evtx_known *k = &e->known[i];
        if (!k->chunk || k->chunk < e->file || k->chunk >= e->file + e->n_file)
            continue;
        k->chunk = to ? to + (k->chunk - e->file) : NULL;
    }
    e->has_learned = false;
}

void evtx_known_keep(struct evtx *e)
{
    if (!e->is_stream || !e->has_learned || e->n_kept == EVTX_KEPT)
        return;
    uint8_t *copy = malloc(e->n_file);
    if (!copy)
        return; /* less is carved */
    memcpy(copy, e->file, e->n_file);
    known_move(e, copy);
    e->kept[e->n_kept++] = copy;
}

void evtx_known_forget(struct evtx *e)
{
    if (e->is_stream && e->has_learned)
        known_move(e, NULL);
}

void evtx_known_fini(struct evtx *e)
{
    memset(e->known, 0, sizeof(e->known));
    while (e->n_kept)
        free(e->kept[--e->n_kept]);
    e->has_learned = false;
}

/*
 * evtx_template - when carving, a definition that was overwritten is replaced by one of the same id that was read
 * before, in this chunk or another of the file: providers write the same few templates again and again.
 */
int evtx_template(struct evtx *e, uint32_t definition, uint32_t id, uint32_t context, uint32_t *ret_program)
{
    uint32_t head = head_of(definition, context);
    for (uint32_t i = e->heads[head]; i != EVTX_NONE; i = e->programs[i].next) {
        const struct evtx_program *g = &e->programs[i];
        if (g->definition == definition && g->context == context && g->id == id) {
            *ret_program = i;
            return 0;
        }
    }
    e->failed_at = definition;
    struct evtx_source from;
    struct evtx_known *k = known_slot(e, id);
    bool is_here = find_definition(e->chunk, e->n_chunk, definition, id, &from);
    if (!is_here && (!k->chunk || !find_definition(k->chunk, k->n_chunk, k->definition, id, &from)))
        return EVTX_BAD_TEMPLATE;
    if (e->n_programs == EVTX_PROGRAMS_MAX)
        return EVTX_LIMIT;
    struct evtx_program g;
    int s = evtx_compile(e, &from, context, true, &g);
    if (s)
        return s;
    g.definition = definition;
    g.id = id;
    g.next = e->heads[head];
    e->programs[e->n_programs] = g;
    e->heads[head] = (uint16_t)e->n_programs;
    *ret_program = e->n_programs++;
    e->counters.n_templates++;
    if (is_here && e->options.may_recover) {
        *k = (struct evtx_known){e->chunk, e->n_chunk, definition};
        e->has_learned = true;
    }
    return 0;
}

/*
 * evtx_element - an element outside a template. [MS-EVEN6] 2.2.12: "DependencyID" is there within a template
 * definition only; some writers put it there all the same, which shows in a size that cannot be.
 */
int evtx_element(struct evtx *e, uint32_t *at, uint32_t end, uint32_t context, struct evtx_program *ret)
{
    struct evtx_source from = {e->chunk, e->n_chunk, *at, end};
    bool has_dependency = end - *at >= 5 && load_le32(e->chunk + *at + 1) > end - *at - 5;
    int s = evtx_compile(e, &from, context, has_dependency, ret);
    *at = from.at;
    return s;
}
