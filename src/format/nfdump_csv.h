/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/nfdump_csv - flows as nfdump prints them: `-o csv` of 1.6 and 1.7 (with or without its header),
 * `-o csv-fast`, and the table for people (`-o line`, `-o long`, `-o extended`; also with a label behind).
 *
 * - nfdump prints zero for what an exporter did not send: zeros of optional columns are not kept.
 * - opkt and obyt are counters after metering (IPFIX 23, 24), not the other direction.
 * - ra and eng are the exporter; a destination port "8.0" is ICMP type and code.
 * - Times carry no zone: nfdump prints local time; UTC unless the operator names another.
 * - "Summary" and what follows it is no data.
 * Source: nfdump(1), output formats.
 * Fuzz:   tests/fuzz/flow_text.c
 */
#pragma once

#include "format/flow_field.h"

/* nfdump_csv_is_header - time and both addresses are among the names, as 1.6 or 1.7 spell them. */
bool nfdump_csv_is_header(const struct csv_record *header);
/* nfdump_csv_is_headless - a first record that is already data in the order of 1.6. */
bool nfdump_csv_is_headless(const struct csv_record *record);
/* nfdump_csv_plan - @header NULL: the order of 1.6. Return: 0 or -ENOMEM. */
int nfdump_csv_plan(struct flow_plan *p, const struct csv_record *header);
/* nfdump_csv_row - one record. Return: 0 or 1 (refused). */
int nfdump_csv_row(struct flow_row *r, const struct flow_plan *p, const struct csv_record *record);
/* nfdump_csv_is_summary - the first line of what stands behind the flows. */
bool nfdump_csv_is_summary(const struct csv_record *record);

/* nfdump_line_is_header - "Date first seen  Duration Proto  Src IP Addr:Port ..." */
bool nfdump_line_is_header(struct text line);
/* nfdump_line_plan - Return: 0 or -ENOMEM. */
int nfdump_line_plan(struct flow_plan *p, struct text header);
/* nfdump_line_row - one line of the table. Return: 0 or 1 (refused). */
int nfdump_line_row(struct flow_row *r, const struct flow_plan *p, struct text line);
