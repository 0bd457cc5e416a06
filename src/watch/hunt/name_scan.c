/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/hunt/name_scan.h"

#include "watch/hunt/scan.h"
#include "watch/query/block.h"
#include "watch/store/segment.h"

#include <errno.h>

struct name_scan {
    const struct names *names;
    const struct address_set *set;
    const struct hunt_options *options;
    int (*each)(void *context, const struct hunt_row *r);
    void *context;
    struct hunt_coverage *coverage;
};

static bool has(const struct flow *f, uint64_t bits)
{
    return (f->present & bits) != 0;
}

static struct hunt_row row_of(const struct name_scan *s, const struct flow *f)
{
    struct hunt_row r = {.start_us = f->start_us, .end_us = f->end_us, .received_us = f->received_us,
                         .has_received = has(f, FLOW_HAS(FLOW_RECEIVED)), .has_start = has(f, FLOW_HAS(FLOW_START)),
                         .has_end = has(f, FLOW_HAS(FLOW_END)), .has_source = has(f, FLOW_HAS_ADDRESS(FLOW_SOURCE_IP)),
                         .has_destination = has(f, FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP)),
                         .has_source_port = has(f, FLOW_HAS(FLOW_SOURCE_PORT)),
                         .has_destination_port = has(f, FLOW_HAS(FLOW_DESTINATION_PORT)), .has_protocol = has(f, FLOW_HAS(FLOW_PROTOCOL)),
                         .has_packets = has(f, FLOW_HAS(FLOW_SOURCE_PACKETS) | FLOW_HAS(FLOW_DESTINATION_PACKETS)),
                         .has_bytes = has(f, FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_DESTINATION_BYTES)),
                         .source_port = (uint16_t)f->source_port, .destination_port = (uint16_t)f->destination_port,
                         .protocol = (uint8_t)f->protocol, .source = f->source_ip, .destination = f->destination_ip,
                         .packets = query_add(f->source_packets, f->destination_packets),
                         .bytes = query_add(f->source_bytes, f->destination_bytes)};
    r.is_source_listed = r.has_source && address_set_has(s->set, &r.source);
    r.is_destination_listed = r.has_destination && address_set_has(s->set, &r.destination);
    return r;
}

static bool in_window(const struct hunt_options *o, const struct hunt_row *r)
{
    if (o->since_us == INT64_MIN && o->until_us == INT64_MAX)
        return true;
    if (!r->has_start && !r->has_end)
        return false;
    int64_t start = r->has_start ? r->start_us : r->end_us, end = r->has_end ? r->end_us : r->start_us;
    return (start < end ? start : end) <= o->until_us && (start < end ? end : start) >= o->since_us;
}

static int scan_row(struct name_scan *s, const struct segment *segment, uint32_t block, uint32_t row, const struct segment_texts *texts)
{
    struct name_match names[NAMES_OF_EVENT];
    struct flow f;
    size_t n = names_of_texts(s->names, segment_texts_get(texts, row), names);
    if (!n)
        return 0;
    int r = segment_flow(segment, block, row, texts, &f);
    if (r)
        return r;
    struct hunt_row found = row_of(s, &f);
    found.names = names;
    found.n_names = n;
    if (!in_window(s->options, &found))
        return 0;
    s->coverage->n_rows_listed += !found.is_source_listed && !found.is_destination_listed;
    return s->each(s->context, &found);
}

static int scan_segment(struct name_scan *s, const struct segment *segment)
{
    const struct segment_info *info = segment_info(segment);
    int r = 0;
    for (uint32_t b = 0; !r && b < info->n_blocks; b++) {
        struct segment_texts *texts = NULL;
        r = segment_texts_open(segment, b, &texts);
        for (uint32_t i = 0; !r && i < segment_block_rows(segment, b); i++)
            r = scan_row(s, segment, b, i, texts);
        if (texts)
            segment_texts_close(texts);
        if (r == -EBADMSG) {
            hunt_coverage_damage(s->coverage, segment, 1);
            r = 0;
        }
    }
    return r;
}

int hunt_name_scan(struct store_view *v, const struct names *names, const struct address_set *set, const struct hunt_options *o,
                   int (*each)(void *context, const struct hunt_row *r), void *context, struct hunt_coverage *coverage,
                   struct fault *f)
{
    struct name_scan s = {names, set, o, each, context, coverage};
    int r = 0;
    for (size_t i = 0; !r && names_count(names) && i < store_view_n_segments(v); i++) {
        const struct segment *segment = store_view_segment(v, i);
        const struct segment_info *info = segment_info(segment);
        if (!(info->columns & FLOW_HAS_TEXT) || info->event_min_us > o->until_us || info->event_max_us < o->since_us)
            continue;
        r = scan_segment(&s, segment);
    }
    return r == -ENOMEM ? FAULT(f, r, no_memory, "hunt") : r;
}
