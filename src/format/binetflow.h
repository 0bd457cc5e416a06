/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/binetflow - flows as Argus' ra prints them (CTU-13 "binetflow"), separated by comma or TAB.
 *
 * The header names the columns, any set in any order, uni- or bidirectional.
 * - Rows of any Proto are flows if both ends are IP addresses; MAC ends and management records are refused.
 * - Sport and Dport: decimal, 0x hexadecimal, a service name, or empty. Hexadecimal Sport of ICMP is type and
 *   code (type in the low byte) and becomes network.icmp too.
 * - Dir is kept as argus.dir; "<-" does not swap the ends.
 * - destination.bytes = TotBytes - SrcBytes; TotPkts without SrcPkts stays whole in source.packets.
 * - StartTime has no zone: UTC unless the operator names one.
 * Source: ra(1) of Argus 3; the CTU-13 data set.
 * Fuzz:   tests/fuzz/flow_text.c
 */
#pragma once

#include "format/flow_field.h"

/* binetflow_is_header - a start or last time, SrcAddr and DstAddr are among the names. */
bool binetflow_is_header(const struct csv_record *header);
/* binetflow_plan - Return: 0 or -ENOMEM. */
int binetflow_plan(struct flow_plan *p, const struct csv_record *header);
/* binetflow_row - one record. Return: 0 (r->flow is a flow) or 1 (refused). */
int binetflow_row(struct flow_row *r, const struct flow_plan *p, const struct csv_record *record);
