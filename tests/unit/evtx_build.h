/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evtx_build - event logs made by hand, token by token, after [MS-EVEN6] 2.2.12 and the published layout of chunks.
 *
 *     struct evtx_build b = {0};
 *     build_chunk(&b);
 *     build_record(&b, 1, 0);
 *     ...
 *     build_record_end(&b);
 *     build_chunk_end(&b);   // b.p, b.n
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUILD_MAX (4096u + 4 * 65536u)
#define BUILD_CHUNK 65536u

struct evtx_build {
    uint8_t p[BUILD_MAX];
    size_t n;
    size_t chunk, record, definition; /* where they begin */
    uint64_t first_id, last_id;
    bool has_dependency;
};

struct build_value {
    uint8_t type;
    uint16_t n;
    const void *p;
};

__attribute__((unused)) static void build_bytes(struct evtx_build *b, const void *p, size_t n)
{
    if (n > sizeof(b->p) - b->n)
        abort();
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

__attribute__((unused)) static void build_le(struct evtx_build *b, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        build_bytes(b, (uint8_t[]){(uint8_t)(i < 8 ? v >> 8 * i : 0)}, 1);
}

__attribute__((unused)) static void build_put(struct evtx_build *b, size_t at, uint64_t v, size_t n)
{
    size_t end = b->n;
    b->n = at;
    build_le(b, v, n);
    b->n = end;
}

/* build_units - ASCII as UTF-16LE */
__attribute__((unused)) static void build_units(struct evtx_build *b, const char *text)
{
    for (; *text; text++)
        build_le(b, (uint8_t)*text, 2);
}

/* build_name - offset of a name that follows right behind */
__attribute__((unused)) static void build_name(struct evtx_build *b, const char *name)
{
    build_le(b, b->n + 4 - b->chunk, 4);
    build_le(b, 0, 4);
    build_le(b, 0, 2);
    build_le(b, strlen(name), 2);
    build_units(b, name);
    build_le(b, 0, 2);
}

__attribute__((unused)) static void build_open_depending(struct evtx_build *b, const char *name, bool has_attributes,
                                                         uint16_t dependency)
{
    build_le(b, has_attributes ? 0x41 : 0x01, 1);
    if (b->has_dependency)
        build_le(b, dependency, 2);
    build_le(b, 0, 4); /* size of the element; nobody needs it */
    build_name(b, name);
    if (has_attributes)
        build_le(b, 0, 4);
}

/* build_open - "<name"; then attributes, then build_gt or build_empty */
__attribute__((unused)) static void build_open(struct evtx_build *b, const char *name, bool has_attributes)
{
    build_open_depending(b, name, has_attributes, 0xffff);
}

__attribute__((unused)) static void build_gt(struct evtx_build *b)
{
    build_le(b, 0x02, 1);
}

__attribute__((unused)) static void build_empty(struct evtx_build *b)
{
    build_le(b, 0x03, 1);
}

__attribute__((unused)) static void build_close(struct evtx_build *b)
{
    build_le(b, 0x04, 1);
}

__attribute__((unused)) static void build_text(struct evtx_build *b, const char *text)
{
    build_le(b, 0x05, 1);
    build_le(b, 0x01, 1);
    build_le(b, strlen(text), 2);
    build_units(b, text);
}

__attribute__((unused)) static void build_slot(struct evtx_build *b, unsigned slot, bool is_optional)
{
    build_le(b, is_optional ? 0x0e : 0x0d, 1);
    build_le(b, slot, 2);
    build_le(b, 0x01, 1);
}

__attribute__((unused)) static void build_attribute(struct evtx_build *b, const char *name)
{
    build_le(b, 0x06, 1);
    build_name(b, name);
}

__attribute__((unused)) static void build_attribute_text(struct evtx_build *b, const char *name, const char *text)
{
    build_attribute(b, name);
    build_text(b, text);
}

/* build_leaf - <name>text</name>, or of a substitution with @slot >= 0 */
__attribute__((unused)) static void build_leaf(struct evtx_build *b, const char *name, const char *text, int slot)
{
    build_open(b, name, false);
    build_gt(b);
    if (slot < 0)
        build_text(b, text);
    else
        build_slot(b, (unsigned)slot, false);
    build_close(b);
}

/* build_data - <Data Name='name'>substitution</Data>, without a name if NULL */
__attribute__((unused)) static void build_data(struct evtx_build *b, const char *name, unsigned slot)
{
    build_open(b, "Data", name != NULL);
    if (name)
        build_attribute_text(b, "Name", name);
    build_gt(b);
    build_slot(b, slot, false);
    build_close(b);
}

__attribute__((unused)) static void build_fragment(struct evtx_build *b)
{
    build_bytes(b, "\x0f\x01\x01\x00", 4);
}

/* build_template - an instance whose definition follows; end it with build_template_end, then build_values */
__attribute__((unused)) static uint32_t build_template(struct evtx_build *b, uint32_t id)
{
    build_bytes(b, "\x0c\x01", 2);
    build_le(b, id, 4);
    build_le(b, b->n + 4 - b->chunk, 4);
    b->definition = b->n;
    build_le(b, 0, 4);
    build_le(b, id, 4);
    build_le(b, 0, 12);
    build_le(b, 0, 4);
    build_fragment(b);
    b->has_dependency = true;
    return (uint32_t)(b->definition - b->chunk);
}

__attribute__((unused)) static void build_template_end(struct evtx_build *b)
{
    build_le(b, 0, 1);
    build_put(b, b->definition + 20, b->n - b->definition - 24, 4);
    b->has_dependency = false;
}

/* build_template_again - an instance of one defined before */
__attribute__((unused)) static void build_template_again(struct evtx_build *b, uint32_t id, uint32_t definition)
{
    build_bytes(b, "\x0c\x01", 2);
    build_le(b, id, 4);
    build_le(b, definition, 4);
}

__attribute__((unused)) static void build_values(struct evtx_build *b, const struct build_value *v, uint32_t n)
{
    build_le(b, n, 4);
    for (uint32_t i = 0; i < n; i++) {
        build_le(b, v[i].n, 2);
        build_le(b, v[i].type, 1);
        build_le(b, 0, 1);
    }
    for (uint32_t i = 0; i < n; i++)
        build_bytes(b, v[i].p, v[i].n);
}

/* build_file - the header block, stating @n_chunks */
__attribute__((unused)) static void build_file(struct evtx_build *b, uint16_t n_chunks)
{
    build_bytes(b, "ElfFile", 8);
    build_le(b, 0, 8);
    build_le(b, n_chunks ? n_chunks - 1u : 0, 8);
    build_le(b, 1, 8);
    build_le(b, 128, 4);
    build_le(b, 1, 2);
    build_le(b, 3, 2);
    build_le(b, 4096, 2);
    build_le(b, n_chunks, 2);
    build_le(b, 0, 4); /* the rest is zero already */
    b->n = 4096;
}

__attribute__((unused)) static void build_chunk(struct evtx_build *b)
{
    b->chunk = b->n;
    b->first_id = b->last_id = 0;
    build_bytes(b, "ElfChnk", 8);
    b->n = b->chunk + 512;
}

/* build_chunk_end - without checksums; the chunk is filled up with zeros */
__attribute__((unused)) static void build_chunk_end(struct evtx_build *b)
{
    build_put(b, b->chunk + 8, b->first_id, 8);
    build_put(b, b->chunk + 16, b->last_id, 8);
    build_put(b, b->chunk + 24, b->first_id, 8);
    build_put(b, b->chunk + 32, b->last_id, 8);
    build_put(b, b->chunk + 40, 128, 4);
    build_put(b, b->chunk + 44, b->record - b->chunk, 4);
    build_put(b, b->chunk + 48, b->n - b->chunk, 4);
    if (b->n - b->chunk > BUILD_CHUNK)
        abort();
    b->n = b->chunk + BUILD_CHUNK;
}

__attribute__((unused)) static void build_record(struct evtx_build *b, uint64_t id, uint64_t filetime)
{
    b->record = b->n;
    b->first_id = b->first_id ? b->first_id : id;
    b->last_id = id;
    build_bytes(b, "**\0\0", 4);
    build_le(b, 0, 4);
    build_le(b, id, 8);
    build_le(b, filetime, 8);
    build_fragment(b);
}

__attribute__((unused)) static void build_record_end(struct evtx_build *b)
{
    build_le(b, 0, 1);
    while ((b->n + 4 - b->record) % 8)
        build_le(b, 0, 1);
    size_t size = b->n + 4 - b->record;
    build_put(b, b->record + 4, size, 4);
    build_le(b, size, 4);
}

/* build_system - <System> with a literal provider and channel, EventID from substitution 0 */
__attribute__((unused)) static void build_system(struct evtx_build *b)
{
    build_open(b, "System", false);
    build_gt(b);
    build_open(b, "Provider", true);
    build_attribute_text(b, "Name", "Acme-Provider");
    build_empty(b);
    build_leaf(b, "EventID", NULL, 0);
    build_leaf(b, "Channel", "Acme/Operational", -1);
    build_close(b);
}
