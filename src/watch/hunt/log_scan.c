/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/hunt/log_scan.h"

#include "watch/store/log_segment.h"
#include "watch/store/terms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct log_scan {
    const struct address_set *set;
    const struct names *names;
    const struct hunt_options *options;
    int (*each)(void *context, const struct hunt_row *r);
    hunt_log_each each_event; /* instead */
    void *context;
    struct hunt_coverage *coverage;
    struct name_match found[NAMES_OF_EVENT];
    bool is_imported; /* the segment */
    struct event_names *fields;
    struct events *events;
    struct log_scratch *scratch;
};

/* --- an event as a record -------------------------------------------------------------------------------------- */

/* first_ip - of the fields in this order. Return: whether there is one. */
static bool first_ip(const struct events *e, uint32_t row, const uint16_t *fields, size_t n, struct ip *ret)
{
    for (size_t i = 0; i < n; i++) {
        const struct event_value *v = event_get(e, row, fields[i]);
        if (v && v->type == EVENT_IP) {
            *ret = event_ip(e, v);
            return true;
        }
    }
    const struct event_value *sender = n && fields[n - 1] == EV_LOG_SOURCE_ADDRESS ? event_get(e, row, EV_LOG_SOURCE_ADDRESS) : NULL;
    struct text t = sender && sender->type == EVENT_KEYWORD ? event_text(e, sender) : (struct text){"", 0};
    return t.n && !ip_parse(t.p, t.n, ret);
}

static bool number(const struct events *e, uint32_t row, uint16_t field, uint64_t max, uint64_t *ret)
{
    const struct event_value *v = event_get(e, row, field);
    if (!v || v->type != EVENT_LONG || v->number < 0 || (uint64_t)v->number > max)
        return false;
    *ret = (uint64_t)v->number;
    return true;
}

/* sum - of both directions; @total: what says both at once. */
static bool sum(const struct events *e, uint32_t row, uint16_t a, uint16_t b, uint16_t total, uint64_t *ret)
{
    uint64_t x = 0, y = 0;
    bool has_x = number(e, row, a, INT64_MAX, &x), has_y = number(e, row, b, INT64_MAX, &y);
    *ret = x + y; /* both below 2^63 */
    return has_x || has_y || number(e, row, total, INT64_MAX, ret);
}

/* place_listed - a listed address that is neither end gets the place of one. Return: whether any address is listed. */
static bool place_listed(const struct log_scan *s, uint32_t row, struct hunt_row *r)
{
    const struct events *e = s->events;
    r->is_source_listed = r->has_source && address_set_has(s->set, &r->source);
    r->is_destination_listed = r->has_destination && address_set_has(s->set, &r->destination);
    if (r->is_source_listed || r->is_destination_listed)
        return true;
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++) {
        if (e->values[i].type != EVENT_IP)
            continue;
        struct ip ip = event_ip(e, &e->values[i]);
        if (!address_set_has(s->set, &ip))
            continue;
        bool is_source = !r->has_source && r->has_destination;
        *(is_source ? &r->source : &r->destination) = ip;
        *(is_source ? &r->has_source : &r->has_destination) = true;
        *(is_source ? &r->is_source_listed : &r->is_destination_listed) = true;
        return true;
    }
    return false;
}

static bool record_of(struct log_scan *s, uint32_t row, struct hunt_row *r)
{
    static const uint16_t sources[] = {EV_SOURCE_IP, EV_CLIENT_IP};
    static const uint16_t destinations[] = {EV_DESTINATION_IP, EV_SERVER_IP, EV_HOST_IP, EV_LOG_SOURCE_ADDRESS};
    const struct events *e = s->events;
    uint64_t n;
    *r = (struct hunt_row){.start_us = e->time_us[row], .end_us = e->time_us[row], .has_start = true, .has_end = true,
                           .received_us = e->arrived_us[row], .has_received = true};
    r->has_source = first_ip(e, row, sources, sizeof(sources) / sizeof(*sources), &r->source);
    r->has_destination = first_ip(e, row, destinations, sizeof(destinations) / sizeof(*destinations), &r->destination);
    bool is_listed = place_listed(s, row, r);
    r->n_names = names_of_event(s->names, e, row, s->found);
    r->names = s->found;
    if (!is_listed && !r->n_names)
        return false;
    if ((r->has_source_port = number(e, row, EV_SOURCE_PORT, UINT16_MAX, &n)))
        r->source_port = (uint16_t)n;
    if ((r->has_destination_port = number(e, row, EV_DESTINATION_PORT, UINT16_MAX, &n)))
        r->destination_port = (uint16_t)n;
    const struct event_value *transport = event_get(e, row, EV_NETWORK_TRANSPORT);
    r->has_protocol = transport && transport->type == EVENT_KEYWORD && !flow_transport_parse(event_text(e, transport), &r->protocol);
    r->has_bytes = sum(e, row, EV_SOURCE_BYTES, EV_DESTINATION_BYTES, EV_NETWORK_BYTES, &r->bytes);
    r->has_packets = sum(e, row, EV_SOURCE_PACKETS, EV_DESTINATION_PACKETS, EV_NETWORK_PACKETS, &r->packets);
    return true;
}

/* --- segments ---------------------------------------------------------------------------------------------------- */

struct named {
    const struct names *names;
    uint64_t *blocks;
    size_t n_words;
};

static int take_value(void *context, struct text value, const uint64_t *bitmap)
{
    struct named *x = context;
    if (names_may_hold(x->names, value, TERM_VALUE_MAX - 1))
        for (size_t i = 0; i < x->n_words; i++)
            x->blocks[i] |= bitmap[i];
    return 0;
}

/* candidates - blocks in which an address of the set, or perhaps a listed name, stands. Return: 0 or -EBADMSG. */
static int candidates(const struct log_scan *s, const struct log_segment *segment, uint64_t *blocks)
{
    uint32_t n = log_segment_info(segment)->n_addresses;
    for (uint32_t i = 0; i < n; i++) {
        struct ip a;
        if (log_segment_address(segment, i, &a))
            return -EBADMSG;
        if (address_set_has(s->set, &a) && log_segment_postings(segment, i, i + 1, blocks))
            return -EBADMSG;
    }
    struct terms terms;
    struct named named = {s->names, blocks, (log_segment_info(segment)->n_blocks + 63) / 64};
    if (!names_count(s->names))
        return 0;
    return log_segment_terms(segment, &terms) || terms_each_value(&terms, take_value, &named) ? -EBADMSG : 0;
}

static void note_damage(struct hunt_coverage *c, const struct log_segment *segment, uint32_t n_blocks)
{
    char file[96];
    snprintf(file, sizeof(file), "store/segments/%llu.seg", (unsigned long long)log_segment_info(segment)->id);
    c->n_damaged_blocks += n_blocks;
    for (uint32_t i = 0; i < c->n_damaged; i++)
        if (!strcmp(c->damaged[i], file))
            return;
    if (c->n_damaged < HUNT_DAMAGES)
        memcpy(c->damaged[c->n_damaged++], file, sizeof(file));
    else
        c->n_damaged_unnamed++;
}

static int scan_block(struct log_scan *s)
{
    const struct events *e = s->events;
    for (uint32_t row = 0; row < e->n; row++) {
        struct hunt_row r;
        if (e->time_us[row] < s->options->since_us || e->time_us[row] > s->options->until_us ||
            (s->each && !record_of(s, row, &r)))
            continue;
        s->coverage->n_rows_listed++;
        int answer = s->each ? s->each(s->context, &r) : s->each_event(s->context, e, row, s->is_imported);
        if (answer)
            return answer;
    }
    return 0;
}

static int scan_segment(struct log_scan *s, const struct log_segment *segment)
{
    uint64_t blocks[TERMS_BLOCKS_MAX / 64] = {0};
    const struct log_segment_info *info = log_segment_info(segment);
    s->is_imported = info->is_imported;
    if (candidates(s, segment, blocks)) { /* a damaged index: look everywhere */
        note_damage(s->coverage, segment, 0);
        memset(blocks, 0xff, sizeof(blocks));
    }
    int r = 0;
    for (uint32_t b = 0; !r && b < info->n_blocks; b++) {
        struct log_block_info x;
        log_segment_block(segment, b, &x);
        if (!(blocks[b / 64] >> b % 64 & 1) || x.event_min_us > s->options->until_us || x.event_max_us < s->options->since_us)
            continue;
        r = log_segment_read(segment, b, s->scratch, s->events);
        if (r == -EBADMSG) {
            note_damage(s->coverage, segment, 1);
            r = 0;
        } else if (!r)
            r = scan_block(s);
    }
    return r;
}

static void cover(struct hunt_coverage *c, const struct log_segment_info *info)
{
    c->n_segments++;
    c->n_rows += info->n_rows;
    bool is_first = c->from_us > c->to_us;
    int64_t from = info->event_min_us > c->since_us ? info->event_min_us : c->since_us;
    int64_t to = info->event_max_us < c->until_us ? info->event_max_us : c->until_us;
    c->from_us = is_first || from < c->from_us ? from : c->from_us;
    c->to_us = is_first || to > c->to_us ? to : c->to_us;
}

/* scan_all - every segment of the window. */
static int scan_all(struct log_scan *s, struct store_view *v, struct fault *f)
{
    const struct hunt_options *o = s->options;
    struct hunt_coverage *coverage = s->coverage;
    size_t n = store_view_n_logs(v);
    if (!n)
        return 0;
    s->fields = event_names_new();
    s->events = s->fields ? events_new(s->fields) : NULL;
    s->scratch = log_scratch_new();
    int r = s->events && s->scratch ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < n; i++) {
        const struct log_segment *segment = store_view_log(v, i);
        const struct log_segment_info *info = log_segment_info(segment);
        if (info->event_min_us > o->until_us || info->event_max_us < o->since_us) {
            coverage->n_segments_outside++;
            continue;
        }
        cover(coverage, info);
        r = scan_segment(s, segment);
        if (!r && o->progress)
            r = o->progress(o->progress_context, i + 1, n);
    }
    log_scratch_free(s->scratch);
    events_free(s->events);
    event_names_free(s->fields);
    return r == -ENOMEM ? FAULT(f, r, no_memory, "hunt") : r;
}

int hunt_log_scan(struct store_view *v, const struct address_set *set, const struct names *names, const struct hunt_options *o,
                  int (*each)(void *context, const struct hunt_row *r), void *context, struct hunt_coverage *coverage,
                  struct fault *f)
{
    struct log_scan s = {.set = set, .names = names, .options = o, .each = each, .context = context, .coverage = coverage};
    return scan_all(&s, v, f);
}

int hunt_log_each_event(struct store_view *v, const struct address_set *set, const struct names *names, const struct hunt_options *o,
                        hunt_log_each each, void *context, struct hunt_coverage *coverage, struct fault *f)
{
    struct log_scan s = {.set = set, .names = names, .options = o, .each_event = each, .context = context, .coverage = coverage};
    return scan_all(&s, v, f);
}
