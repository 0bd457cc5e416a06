/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/output - hits and rows of a hunt as csv, json or a table, over query/output.
 *
 * csv of hits: own,unit,remote,list,family,direction,first_seen,last_seen,flows,packets,bytes,ports,listed
 *   own is empty where a log names no end of ours; remote is the listed address, or the listed domain, URL or hash, and
 *   empty where our own address is what is listed.
 * csv of rows: start,end,source_ip,source_port,destination_ip,destination_port,transport,packets,bytes,listed
 *   listed: source, destination, both; name: of a record that holds a listed name, but no listed end.
 * json: the same names, numbers as numbers, ports as the same text; absent and empty values have no key; a hit with
 * remote empty or a name has "remotes", the addresses it talked to most, joined by ';', and of a name "indicator": domain,
 * url or hash.
 */
#pragma once

#include "watch/hunt/hunt.h"
#include "watch/query/output.h"

struct hunt_output {
    struct query_sink sink; /* of the output the hunt writes to */
    bool is_table;          /* for people: direction and listed in their language */
};

/* hunt_output_hits, hunt_output_rows - write the header. Return: 0 or <0 as the sink answers. */
int hunt_output_hits(struct hunt_output *o);
int hunt_output_rows(struct hunt_output *o);
/* hunt_output_hit, hunt_output_row - for `each` of hunt_hits and hunt_rows; @context is a struct hunt_output. */
int hunt_output_hit(void *context, const struct hunt_hit *h);
int hunt_output_row(void *context, const struct hunt_row *r);

/* hunt_coverage_text - the statement for people, some lines in the language of the process. */
void hunt_coverage_text(const struct hunt_coverage *c, int zone_s, struct buf *out);
/* hunt_list_text - a line where a list is past its validity; nothing otherwise. */
void hunt_list_text(const struct list *l, int64_t now_us, int zone_s, struct buf *out);
