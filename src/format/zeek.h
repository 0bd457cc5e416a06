/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/zeek - Zeek connection logs (conn.log and its kin), as TSV with headers or as JSON lines.
 *
 * - Several headers may follow each other in one file; #close and the last line end may be missing.
 * - orig is the source, resp the destination. Bytes are *_ip_bytes where present, else orig_bytes/resp_bytes;
 *   the latter are kept as texts too.
 * - Unknown columns and types are kept as texts zeek.<column>; columns glued with blanks (labels behind
 *   tunnel_parents) are taken apart.
 * - Logs of other kinds hold no flows of their own: their rows are refused as other_log.
 * - ICMP: orig_p is the type, resp_p the code. Zeek says icmp for both families: over IPv6 it is 58.
 * - A JSON object with ECS names (our own query output) is read too.
 * Source: Zeek's Ascii writer and base/protocols/conn.
 * Fuzz:   tests/fuzz/flow_text.c
 */
#pragma once

#include "format/flow_field.h"
#include "format/json.h"

enum { ZEEK_MARK_MAX = 32 };

struct zeek {
    bool has_fields;   /* a #fields has been read */
    bool is_other_log; /* #path says so */
    bool has_proof;    /* a column that only connections have */
    char separator;    /* wanted for the records that follow; 0: as before */
    char unset[ZEEK_MARK_MAX], empty[ZEEK_MARK_MAX];
    uint8_t n_unset, n_empty;
    uint32_t n_columns;       /* of the header; fields of the plan beyond them are parts of the glued one */
    uint32_t glued, n_parts;  /* n_parts 0: none is glued */
    uint32_t hint;            /* JSON: where the next key is expected */
    struct buf scratch;       /* JSON: a string without its escapes */
};

void zeek_init(struct zeek *z);
void zeek_fini(struct zeek *z);

/*
 * zeek_directive - a line that begins with '#'.
 * Return: 0; -ENOMEM.
 */
int zeek_directive(struct zeek *z, struct flow_plan *p, const struct csv_record *record);
/* zeek_row - one TSV record. Return: 0 (r->flow is a flow) or 1 (refused). */
int zeek_row(struct zeek *z, struct flow_row *r, const struct flow_plan *p, const struct csv_record *record);
/* zeek_json_row - one JSON text; the plan grows with the keys met. Return: 0, 1 (refused) or -ENOMEM. */
int zeek_json_row(struct zeek *z, struct flow_row *r, struct flow_plan *p, struct text line);
