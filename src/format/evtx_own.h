/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/evtx_own - what the files of the event log decoder share; nobody else includes it.
 *
 * evtx.c          file, chunks, the chain of records, carving
 * evtx_template.c templates: finding, keeping and forgetting what was compiled
 * evtx_compile.c  binary XML (a template, or an element that stands for itself) to operations
 * evtx_run.c      one record: operations over substitution values to fields
 * evtx_value.c    values: UTF-16, times, identifiers; their text
 * evtx_xml.c      one record as XML text
 *
 * Every offset is one of the chunk, so that a 32-bit number holds it and one comparison with n_chunk checks it.
 * Functions that return int give 0, an enum evtx_reason, or -ENOMEM.
 */
#pragma once

#include "base/cursor.h"
#include "format/evtx.h"

#define EVTX_OPS_MAX 32768u
#define EVTX_PROGRAMS_MAX 4096u
#define EVTX_POOL_MAX (1u << 20)
#define EVTX_VALUES_MAX 16384u /* descriptors of 4 bytes, never overlapping, within one chunk */
#define EVTX_HEADS 256u
#define EVTX_KNOWN 1024u
#define EVTX_KEPT 64u
#define EVTX_WORK_MAX 2000000u /* per chunk: operations, fields and 16 bytes of text count one each; usual: 20,000 */
#define EVTX_NONE 0xffffu
#define EVTX_NO_CONTEXT 0xffffffffu
#define EVTX_CHUNK_HEADER 512u
#define EVTX_RECORD_HEADER 24u
#define EVTX_RECORD_LEAST 28u
#define EVTX_TYPE_BINXML 0x21u
#define EVTX_TYPE_ARRAY 0x80u

enum evtx_token {
    TOKEN_END = 0x00,
    TOKEN_OPEN = 0x01,
    TOKEN_CLOSE_START = 0x02,
    TOKEN_CLOSE_EMPTY = 0x03,
    TOKEN_CLOSE = 0x04,
    TOKEN_TEXT = 0x05,
    TOKEN_ATTRIBUTE = 0x06,
    TOKEN_CDATA = 0x07,
    TOKEN_CHARACTER = 0x08,
    TOKEN_ENTITY = 0x09,
    TOKEN_PI_TARGET = 0x0a,
    TOKEN_PI_DATA = 0x0b,
    TOKEN_TEMPLATE = 0x0c,
    TOKEN_SLOT = 0x0d,
    TOKEN_OPTIONAL_SLOT = 0x0e,
    TOKEN_HEADER = 0x0f,
    TOKEN_MORE = 0x40, /* or-ed: more of the same follows, an element has attributes */
};

enum evtx_code {
    OP_SLOT,   /* a field from a substitution */
    OP_TEXT,   /* a field from literal text */
    OP_NULL,   /* an element without content */
    OP_MIX,    /* one field from the next n_span operations (OP_SLOT, OP_TEXT) */
    OP_NAME,   /* the next fields marked OP_IS_DYNAMIC are named by a substitution */
    OP_DEPEND, /* leave n_span operations out when the substitution is null */
};

#define OP_IS_DYNAMIC 0x01u
#define OP_HAS_PREFIX 0x02u /* a fragment in this place continues the dotted name */
#define OP_TELLS_NULL 0x04u /* a null value is a field too: in <System>, and of attributes, it is not */

struct evtx_op {
    uint8_t code, flags;
    uint16_t slot;
    uint16_t n_span;
    uint16_t level; /* of the element around, 0: <Event> */
    uint32_t text_at, n_text;
    struct evtx_field field; /* as it will be, but for its value */
};

/* For XML; each first writes its text. */
enum evtx_xml_code {
    XML_DEPEND,    /* as OP_DEPEND */
    XML_SLOT,      /* a value. begin_at, n_begin, n_end: the tags of the element that it alone fills, end behind begin */
    XML_ATTRIBUTE, /* name (" Name='", n_begin bytes at begin_at), value and quote; left out when the value is null */
    XML_TEXT,
};

struct evtx_xml_op {
    uint8_t code;
    bool is_attribute;
    uint16_t slot;
    uint16_t n_span;
    uint32_t context; /* XML_SLOT: the operation for the field of the same value */
    uint32_t text_at, n_text;
    uint32_t begin_at, n_begin, n_end;
};

/* A compiled template, or for the time of its use an element that stands for itself. */
struct evtx_program {
    uint32_t definition; /* offset of the template, which is its key together with context */
    uint32_t id;         /* of the template: the first 4 bytes of its GUID */
    uint32_t context;    /* the operation whose substitution it stands in: that gives level and prefix of its names */
    uint32_t first, n;   /* operations for fields */
    uint32_t first_xml, n_xml;
    uint16_t next; /* in the hash chain, EVTX_NONE at its end */
};

struct evtx_value {
    uint32_t at; /* offset in the chunk */
    uint16_t n;
    uint8_t type;
};

/* where a template was found before; a hint, checked again when it is used */
struct evtx_known {
    const uint8_t *chunk; /* NULL: none */
    uint32_t n_chunk, definition;
};

struct evtx {
    struct evtx_options options;
    struct evtx_counters counters;
    struct evtx_refusal refusal;
    struct evtx_record record;

    /* the file */
    const uint8_t *file; /* the whole file, or the chunk that was given */
    size_t n_file, next_chunk;
    uint64_t next_number, chunk_base; /* chunk_base: offset in the file of what is at @file */

    /* the chunk */
    const uint8_t *chunk;
    uint32_t n_chunk;
    uint32_t at, end; /* next record; end of those the header counts */
    uint32_t n_attempts;
    uint64_t work; /* done for this chunk, see EVTX_WORK_MAX */
    uint64_t chunk_offset, chunk_number;
    uint64_t last_id;
    uint8_t state;
    bool has_last_id, is_chunk_damaged;

    /* what was compiled from it */
    struct evtx_op *ops;
    struct evtx_xml_op *xml_ops;
    struct evtx_program *programs;
    char *names, *xml; /* pools of text */
    uint32_t n_ops, n_xml_ops, n_programs, n_names, n_xml;
    uint16_t heads[EVTX_HEADS];
    struct evtx_known known[EVTX_KNOWN]; /* by template id; in the file, in the chunk given, or in a copy of one */
    uint8_t *kept[EVTX_KEPT]; /* copies of chunks of a stream that are gone */
    uint32_t n_kept;
    bool is_stream, has_learned; /* has_learned: known points into the chunk that was given */

    /* the record */
    struct evtx_value *values;
    struct evtx_field *fields;
    char *text;
    uint32_t n_values, n_fields, fields_capacity, n_text, n_steps;
    uint32_t body_at, body_end;
    uint32_t failed_at;
    const char *dynamic_name;
    uint32_t n_dynamic_name;
    uint16_t n_unnamed;
    bool has_event;
    struct buf *out; /* while XML is written: fields are not */
    uint32_t crc_table[8][256];
};

/* a mark to return to: what was compiled behind it is forgotten */
struct evtx_mark {
    uint32_t n_ops, n_xml_ops, n_programs, n_names, n_xml;
};

/* where a definition lies: in this chunk, or when carving in one before; from @at, the element, to @end */
struct evtx_source {
    const uint8_t *base;
    uint32_t n_base;
    uint32_t at, end;
};

/* evtx_compile.c: the element at @from->at, which moves behind it; on a refusal nothing is left of it */
int evtx_compile(struct evtx *e, struct evtx_source *from, uint32_t context, bool has_dependency,
                 struct evtx_program *g);

/* evtx_template.c */
struct evtx_mark evtx_mark(const struct evtx *e);
void evtx_forget(struct evtx *e, struct evtx_mark mark);
/* the bytes at @file are about to go: what is known from them moves into a copy, or is forgotten */
void evtx_known_keep(struct evtx *e);
void evtx_known_forget(struct evtx *e);
void evtx_known_fini(struct evtx *e);
int evtx_template(struct evtx *e, uint32_t definition, uint32_t id, uint32_t context, uint32_t *ret_program);
int evtx_element(struct evtx *e, uint32_t *at, uint32_t end, uint32_t context, struct evtx_program *ret);

/* evtx_run.c */
int evtx_run(struct evtx *e, uint32_t at, uint32_t end, uint32_t context, unsigned depth);
bool evtx_array_item(uint8_t type, const uint8_t *p, size_t n, size_t *at, const uint8_t **ret_p, size_t *ret_n);

/* evtx_xml.c */
/* UTF-16LE as XML text; @out has room for 6 bytes per unit. Return: bytes written. */
size_t evtx_xml_escape(const uint8_t *p, size_t n_units, bool is_attribute, char *out);
int evtx_xml_program(struct evtx *e, const struct evtx_program *g, uint32_t values, uint32_t n_values, unsigned depth);

/* evtx_value.c */
/* UTF-16LE of @n_units to UTF-8; @out has room for 3 bytes per unit. Return: bytes written. */
size_t evtx_utf8(const uint8_t *p, size_t n_units, char *out);
/* a value of one item to the field's type and member; strings are written to @text (3 bytes per unit, or per byte of
 * an ANSI string); returns the bytes used of it. What has not the size of its type becomes EVTX_BINARY. */
size_t evtx_value(uint8_t type, const uint8_t *p, size_t n, struct evtx_field *f, char *text);
