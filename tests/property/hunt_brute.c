/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hunts of random lists (addresses, prefixes, ranges, both families) through random stores give the hits and rows of a
 * linear scan, with and without own space.
 *
 * VONGGAC_SEED, VONGGAC_ROUNDS. A failure prints the seed.
 */
#include "model.h"
#include "watch/hunt/hunt.h"
#include "watch/hunt/output.h"
#include "watch/indicator/lists.h"

#include <sys/mman.h>

enum { LISTS_MAX = 4, ENTRIES_MAX = 200, SPACE_MAX = 12 };

struct own {
    struct ip_range range;
    unsigned length;
    int64_t from_us, to_us;
    char unit[16];
};

struct trial {
    struct model m;
    uint64_t seed;
    bool is_damaged;
    struct ip_range entries[LISTS_MAX][ENTRIES_MAX];
    size_t n_entries[LISTS_MAX], n_lists, n_own;
    struct list *lists[LISTS_MAX];
    struct own own[SPACE_MAX];
    struct space *space;
    struct hunt_options options;
    struct hunt_coverage coverage;
};

/* --- random lists and spaces ------------------------------------------------------------------- */

static int memory_file(const struct buf *b)
{
    int fd = memfd_create("list", MFD_CLOEXEC);
    HELP_MUST(fd >= 0 && !b->is_bad && write(fd, b->p, b->n) == (ssize_t)b->n && !lseek(fd, 0, SEEK_SET));
    return fd;
}

static struct ip_range random_range(struct model *m)
{
    struct ip a = model_random(m, 2) ? m->rows[model_random(m, m->n)].flow.destination_ip : model_ip(m);
    if (ip_is_zero(&a))
        a = model_v4(m);
    uint64_t kind = model_random(m, 6);
    unsigned bits = ip_is_v4(&a) ? 32 : 128;
    if (kind == 0)
        return ip_range_from_prefix(&a, bits - (unsigned)model_random(m, 9));
    struct ip_range r = {a, a};
    for (uint64_t i = model_random(m, 5); kind == 1 && i-- > 0;) {
        struct ip next = ip_next(&r.last);
        if (ip_is_v4(&next) == ip_is_v4(&a) && !ip_is_zero(&next))
            r.last = next;
    }
    return r;
}

static void random_list(struct trial *t, size_t k)
{
    struct buf b = {.max = 65536};
    char name[16], text[2 * IP_TEXT_MAX];
    struct list_report report = {0};
    struct fault f = {0};
    buf_add_text(&b, "ip,family\n");
    t->n_entries[k] = 1 + model_random(&t->m, model_random(&t->m, 3) ? 20 : ENTRIES_MAX);
    for (size_t i = 0; i < t->n_entries[k]; i++) {
        t->entries[k][i] = random_range(&t->m);
        ip_range_format(&t->entries[k][i], text);
        buf_printf(&b, "%s,%s\n", text, model_random(&t->m, 2) ? "mirai" : "emotet");
    }
    snprintf(name, sizeof(name), "list%zu", k);
    struct list_add a = {.name = name, .file_name = name};
    int fd = memory_file(&b);
    int r = lists_compile(fd, &a, &report, &t->lists[k], &f);
    if (r || report.kept != t->n_entries[k]) {
        fprintf(stderr, "seed %llu: list of %zu: %d %s\n%.*s", (unsigned long long)t->seed, t->n_entries[k], r, f.text, (int)b.n,
                (const char *)b.p);
        abort();
    }
    close(fd);
    buf_fini(&b);
}

static void random_space(struct trial *t)
{
    struct buf b = {.max = 65536};
    struct list_report report = {0};
    struct fault f = {0};
    buf_add_text(&b, "prefix,unit,valid_from,valid_to\n");
    for (t->n_own = 0; t->n_own < 1 + model_random(&t->m, SPACE_MAX - 1); t->n_own++) {
        struct own *o = &t->own[t->n_own];
        char text[2 * IP_TEXT_MAX], from[TIME_TEXT_MAX] = "", to[TIME_TEXT_MAX] = "";
        struct ip a = model_ip(&t->m);
        *o = (struct own){.length = (ip_is_v4(&a) ? 32 : 128) - (unsigned)model_random(&t->m, 9), .from_us = INT64_MIN,
                          .to_us = INT64_MAX};
        o->range = ip_range_from_prefix(&a, o->length);
        for (size_t i = 0; i < t->n_own; i++) /* twice the same prefix says nothing new */
            if (ip_equal(&t->own[i].range.first, &o->range.first) && t->own[i].length == o->length)
                o->length = 0;
        if (!o->length)
            break;
        snprintf(o->unit, sizeof(o->unit), "unit %zu", t->n_own);
        if (!model_random(&t->m, 3)) {
            o->from_us = MODEL_START + (int64_t)model_random(&t->m, (uint64_t)t->m.span_us);
            clock_format_utc(o->from_us, from);
        }
        if (!model_random(&t->m, 3)) {
            o->to_us = MODEL_START + t->m.span_us + (int64_t)model_random(&t->m, (uint64_t)t->m.span_us);
            clock_format_utc(o->to_us, to);
        }
        ip_range_format(&o->range, text);
        buf_printf(&b, "%s,%s,%s,%s\n", text, o->unit, from, to);
    }
    int fd = memory_file(&b);
    if (t->n_own && space_compile(fd, "space", &report, &t->space, &f)) {
        fprintf(stderr, "seed %llu: space: %s\n%.*s", (unsigned long long)t->seed, f.text, (int)b.n, (const char *)b.p);
        abort();
    }
    close(fd);
    buf_fini(&b);
}

/* --- the linear scan -------------------------------------------------------------------------------- */

static bool is_listed(const struct trial *t, size_t list, const struct ip *a)
{
    for (size_t i = 0; i < t->n_entries[list]; i++)
        if (ip_is_v4(&t->entries[list][i].first) == ip_is_v4(a) && ip_range_has(&t->entries[list][i], a))
            return true;
    return false;
}

static const struct own *own_of(const struct trial *t, const struct ip *a, int64_t at_us)
{
    const struct own *best = NULL;
    for (size_t i = 0; i < t->n_own; i++) {
        const struct own *o = &t->own[i];
        if (ip_is_v4(&o->range.first) == ip_is_v4(a) && ip_range_has(&o->range, a) && o->from_us <= at_us &&
            at_us <= o->to_us && (!best || o->length > best->length))
            best = o;
    }
    return best;
}

static bool interval_of(const struct flow *f, int64_t *low, int64_t *high)
{
    bool has_start = f->present & FLOW_HAS(FLOW_START), has_end = f->present & FLOW_HAS(FLOW_END);
    int64_t a = has_start ? f->start_us : f->end_us, b = has_end ? f->end_us : f->start_us;
    *low = a < b ? a : b;
    *high = a < b ? b : a;
    return has_start || has_end;
}

static bool in_window(const struct trial *t, const struct flow *f)
{
    int64_t low, high;
    if (t->options.since_us == INT64_MIN && t->options.until_us == INT64_MAX)
        return true;
    return interval_of(f, &low, &high) && low <= t->options.until_us && high >= t->options.since_us;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* an absent end is no address: never listed */
static bool has_end(const struct flow *f, int end)
{
    return f->present & (end ? FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) : FLOW_HAS_ADDRESS(FLOW_SOURCE_IP));
}

struct model_hit {
    struct ip own, remote;
    bool has_remote, has_own; /* a record may lack either end */
    size_t list;
    enum hit_listed listed;
    enum hit_direction direction;
    int64_t direction_us, first_us, last_us, unit_us;
    const struct own *unit;
    uint64_t flows, packets, bytes;
    struct {
        uint32_t port, n;
    } *ports;
    size_t n_ports;
};

struct hits {
    struct model_hit *p;
    size_t n, room;
};

/* the table in hunt.h, row by row */
static void see(struct trial *t, struct hits *hits, const struct flow *f, size_t list)
{
    const struct ip *source = &f->source_ip, *destination = &f->destination_ip;
    bool source_listed = has_end(f, 0) && is_listed(t, list, source);
    bool destination_listed = has_end(f, 1) && is_listed(t, list, destination);
    if (!source_listed && !destination_listed)
        return;
    int64_t low = 0, high = 0, at;
    bool has_time = interval_of(f, &low, &high);
    at = f->present & FLOW_HAS(FLOW_START) ? f->start_us : has_time ? low : 0;
    const struct own *source_own = has_end(f, 0) ? own_of(t, source, at) : NULL;
    const struct own *destination_own = has_end(f, 1) ? own_of(t, destination, at) : NULL;
    struct model_hit h = {.list = list, .listed = source_listed && destination_listed ? HIT_LISTED_BOTH : HIT_LISTED_REMOTE, .has_remote = true};
    bool own_is_source = true;
    h.direction = source_own && destination_own ? HIT_INTERNAL : source_own ? HIT_OUTBOUND : destination_own ? HIT_INBOUND : HIT_EXTERNAL;
    if (t->space && h.direction == HIT_EXTERNAL)
        return;
    switch (h.direction) {
    case HIT_OUTBOUND:
    case HIT_INBOUND:
        own_is_source = h.direction == HIT_OUTBOUND;
        h.has_remote = own_is_source ? destination_listed : source_listed;
        break;
    case HIT_INTERNAL:
        own_is_source = source_listed;
        h.has_remote = source_listed && destination_listed;
        break;
    case HIT_EXTERNAL: own_is_source = destination_listed; break;
    }
    if (!h.has_remote)
        h.listed = HIT_LISTED_OWN;
    h.own = own_is_source ? *source : *destination;
    if (h.has_remote)
        h.remote = own_is_source ? *destination : *source;
    size_t i = 0;
    while (i < hits->n && !(ip_equal(&hits->p[i].own, &h.own) && hits->p[i].has_remote == h.has_remote &&
                            ip_equal(&hits->p[i].remote, &h.remote) && hits->p[i].list == list))
        i++;
    if (i == hits->n) {
        if (hits->n == hits->room) {
            hits->room = hits->room ? 2 * hits->room : 64;
            hits->p = realloc(hits->p, hits->room * sizeof(*hits->p));
            HELP_MUST(hits->p);
        }
        h.direction_us = h.first_us = INT64_MAX;
        h.last_us = h.unit_us = INT64_MIN;
        h.unit = own_is_source ? source_own : destination_own;
        hits->p[hits->n++] = h;
    }
    struct model_hit *to = &hits->p[i];
    to->listed = (enum hit_listed)(to->listed | h.listed);
    to->has_own |= has_end(f, own_is_source ? 0 : 1);
    to->flows++;
    to->packets = plus(to->packets, plus(f->source_packets, f->destination_packets));
    to->bytes = plus(to->bytes, plus(f->source_bytes, f->destination_bytes));
    int64_t begin = has_time ? low : INT64_MAX;
    static const int rank[] = {[HIT_OUTBOUND] = 0, [HIT_INBOUND] = 1, [HIT_INTERNAL] = 2, [HIT_EXTERNAL] = 3};
    if (begin < to->direction_us || (begin == to->direction_us && rank[h.direction] < rank[to->direction])) {
        to->direction_us = begin;
        to->direction = h.direction;
    }
    if (has_time) {
        to->first_us = low < to->first_us ? low : to->first_us;
        to->last_us = high > to->last_us ? high : to->last_us;
        if (low >= to->unit_us) {
            to->unit_us = low;
            to->unit = own_is_source ? source_own : destination_own;
        }
    }
    bool has_port = f->present & (own_is_source ? FLOW_HAS(FLOW_DESTINATION_PORT) : FLOW_HAS(FLOW_SOURCE_PORT));
    uint32_t port = own_is_source ? f->destination_port : f->source_port;
    if (!has_port || f->protocol == 1 || f->protocol == 58)
        return;
    for (i = 0; i < to->n_ports && to->ports[i].port != port;)
        i++;
    if (i == to->n_ports) {
        to->ports = realloc(to->ports, (i + 1) * sizeof(*to->ports));
        HELP_MUST(to->ports);
        to->ports[to->n_ports].port = port;
        to->ports[to->n_ports++].n = 0;
    }
    to->ports[i].n++;
}

/* --- lines --------------------------------------------------------------------------------------------- */

struct lines {
    char **p;
    size_t n, room;
};

static void lines_add(struct lines *l, const struct query_value *values, size_t n)
{
    struct buf b = {.max = 65536};
    for (size_t i = 0; i < n; i++) {
        output_value(&b, &values[i]);
        buf_add_byte(&b, i + 1 < n ? ',' : '\0');
    }
    HELP_MUST(!b.is_bad);
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->p = realloc(l->p, l->room * sizeof(*l->p));
        HELP_MUST(l->p);
    }
    l->p[l->n++] = (char *)b.p;
}

static int take_begin(void *context, const struct query_column *columns, size_t n)
{
    (void)context, (void)columns, (void)n;
    return 0;
}

static int take_row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    (void)texts;
    lines_add(context, values, n);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void must_equal(struct trial *t, const char *what, struct lines *got, struct lines *want, bool may_lack)
{
    if (got->n)
        qsort(got->p, got->n, sizeof(*got->p), by_text);
    if (want->n)
        qsort(want->p, want->n, sizeof(*want->p), by_text);
    size_t g = 0, missing = 0;
    for (size_t w = 0; w < want->n; w++) {
        if (g < got->n && !strcmp(got->p[g], want->p[w]))
            g++;
        else if (!missing++ && !may_lack)
            fprintf(stderr, "missing %s\n", want->p[w]);
    }
    if (g != got->n || (missing && !may_lack)) {
        fprintf(stderr, "seed %llu: %s: %zu lines, wanted %zu, %zu missing, first stranger %s\n", (unsigned long long)t->seed, what,
                got->n, want->n, missing, g < got->n ? got->p[g] : "none");
        abort();
    }
    for (size_t i = 0; i < got->n; i++)
        free(got->p[i]);
    for (size_t i = 0; i < want->n; i++)
        free(want->p[i]);
    free(got->p);
    free(want->p);
}

static struct query_value text_value(const char *s)
{
    return (struct query_value){.kind = *s ? QUERY_TEXT : QUERY_ABSENT, .text = {s, strlen(s)}};
}

static struct query_value time_value(int64_t us, bool is)
{
    return (struct query_value){.kind = is ? QUERY_TIME : QUERY_ABSENT, .time_us = us};
}

static struct query_value number_value(uint64_t n, bool is)
{
    return (struct query_value){.kind = is ? QUERY_NUMBER : QUERY_ABSENT, .number = n};
}

static struct query_value ip_value(const struct ip *a, bool is)
{
    return (struct query_value){.kind = is ? QUERY_IP : QUERY_ABSENT, .ip = *a};
}

/* ten times the most frequent of what is left, the lower first */
static void ports_text(struct model_hit *h, char *out, size_t n)
{
    *out = '\0';
    for (int i = 0; i < 10; i++) {
        size_t best = 0;
        for (size_t p = 1; p < h->n_ports; p++)
            if (h->ports[p].n > h->ports[best].n || (h->ports[p].n == h->ports[best].n && h->ports[p].port < h->ports[best].port))
                best = p;
        if (best >= h->n_ports || !h->ports[best].n)
            return;
        snprintf(out + strlen(out), n - strlen(out), "%s%u", i ? ";" : "", h->ports[best].port);
        h->ports[best].n = 0;
    }
}

static void want_hit(struct trial *t, struct model_hit *h, struct lines *want)
{
    char name[16], family[256], ports[80];
    snprintf(name, sizeof(name), "list%zu", h->list);
    list_family(t->lists[h->list], h->has_remote ? &h->remote : &h->own, family, sizeof(family));
    ports_text(h, ports, sizeof(ports));
    bool has_time = h->first_us <= h->last_us;
    struct query_value values[] = {ip_value(&h->own, h->has_own),
                                   text_value(h->unit ? h->unit->unit : ""),
                                   ip_value(&h->remote, h->has_remote),
                                   text_value(name),
                                   text_value(family),
                                   text_value(hit_direction_name(h->direction)),
                                   time_value(h->first_us, has_time),
                                   time_value(h->last_us, has_time),
                                   number_value(h->flows, true),
                                   number_value(h->packets, true),
                                   number_value(h->bytes, true),
                                   text_value(ports),
                                   text_value(hit_listed_name(h->listed))};
    lines_add(want, values, sizeof(values) / sizeof(*values));
    free(h->ports);
}

/* --- what is compared ------------------------------------------------------------------------------------- */

static void check_hits(struct trial *t, struct store_view *v)
{
    struct lines got = {0}, want = {0};
    struct hunt_output out = {{take_begin, take_row, &got}};
    struct fault f = {0};
    struct hits hits = {0};
    int r = hunt_hits(v, t->lists, t->n_lists, t->space, &t->options, hunt_output_hit, &out, &t->coverage, &f);
    if (r)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)t->seed, f.text);
    HELP_MUST(!r);
    for (size_t i = 0; i < t->m.n && !t->is_damaged; i++)
        for (size_t k = 0; k < t->n_lists && in_window(t, &t->m.rows[i].flow); k++)
            see(t, &hits, &t->m.rows[i].flow, k);
    for (size_t i = 0; i < hits.n; i++)
        want_hit(t, &hits.p[i], &want);
    free(hits.p);
    if (!t->is_damaged) {
        HELP_MUST(t->coverage.n_hits == want.n);
        must_equal(t, "hits", &got, &want, false);
        return;
    }
    for (size_t i = 0; i < got.n; i++)
        free(got.p[i]);
    for (size_t i = 0; i < want.n; i++)
        free(want.p[i]);
    free(got.p);
    free(want.p);
}

static void want_row(struct trial *t, const struct flow *f, struct lines *want, struct hunt_totals *totals)
{
    bool source = false, destination = false;
    for (size_t k = 0; k < t->n_lists && in_window(t, f); k++) {
        source = source || (has_end(f, 0) && is_listed(t, k, &f->source_ip));
        destination = destination || (has_end(f, 1) && is_listed(t, k, &f->destination_ip));
    }
    if (!source && !destination)
        return;
    uint64_t bytes = plus(f->source_bytes, f->destination_bytes);
    totals->rows++;
    totals->bytes = plus(totals->bytes, bytes);
    totals->bytes_max = bytes > totals->bytes_max ? bytes : totals->bytes_max;
    char number[8];
    const char *transport = flow_transport_name(f->protocol);
    snprintf(number, sizeof(number), "%u", f->protocol);
    struct query_value values[] = {
        time_value(f->start_us, f->present & FLOW_HAS(FLOW_START)),
        time_value(f->end_us, f->present & FLOW_HAS(FLOW_END)),
        ip_value(&f->source_ip, has_end(f, 0)),
        number_value(f->source_port, f->present & FLOW_HAS(FLOW_SOURCE_PORT)),
        ip_value(&f->destination_ip, has_end(f, 1)),
        number_value(f->destination_port, f->present & FLOW_HAS(FLOW_DESTINATION_PORT)),
        text_value(transport ? transport : number),
        number_value(plus(f->source_packets, f->destination_packets),
                     f->present & (FLOW_HAS(FLOW_SOURCE_PACKETS) | FLOW_HAS(FLOW_DESTINATION_PACKETS))),
        number_value(bytes, f->present & (FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_DESTINATION_BYTES))),
        text_value(source && destination ? "both" : source ? "source" : "destination"),
    };
    lines_add(want, values, sizeof(values) / sizeof(*values));
}

static void check_rows(struct trial *t, struct store_view *v)
{
    struct lines got = {0}, want = {0};
    struct hunt_output out = {{take_begin, take_row, &got}};
    struct hunt_totals totals = {0}, counted;
    struct fault f = {0};
    HELP_MUST(!hunt_rows(v, t->lists, t->n_lists, &t->options, hunt_output_row, &out, &t->coverage, &f));
    for (size_t i = 0; i < t->m.n; i++)
        want_row(t, &t->m.rows[i].flow, &want, &totals);
    bool says_damage = t->coverage.n_damaged || t->coverage.n_damaged_blocks;
    HELP_MUST(t->coverage.n_rows_listed == got.n || t->is_damaged);
    HELP_MUST(!t->is_damaged || got.n == want.n || says_damage);
    must_equal(t, "rows", &got, &want, t->is_damaged);
    HELP_MUST(!hunt_total(v, t->lists, t->n_lists, &t->options, &counted, &t->coverage, &f));
    if (!t->is_damaged)
        HELP_MUST(counted.rows == totals.rows && counted.bytes == totals.bytes && counted.bytes_max == totals.bytes_max);
}

static void one_hunt(struct trial *t, struct store_view *v)
{
    t->n_lists = 1 + model_random(&t->m, LISTS_MAX);
    t->n_own = 0;
    t->space = NULL;
    for (size_t k = 0; k < t->n_lists; k++)
        random_list(t, k);
    if (model_random(&t->m, 2))
        random_space(t);
    t->options = (struct hunt_options){.since_us = INT64_MIN, .until_us = INT64_MAX, .n_threads = 1 + (unsigned)model_random(&t->m, 3)};
    if (!model_random(&t->m, 3))
        t->options.since_us = MODEL_START + (int64_t)model_random(&t->m, (uint64_t)t->m.span_us);
    if (!model_random(&t->m, 3))
        t->options.until_us = MODEL_START + (int64_t)model_random(&t->m, (uint64_t)t->m.span_us);
    check_rows(t, v);
    check_hits(t, v);
    for (size_t k = 0; k < t->n_lists; k++)
        list_close(t->lists[k]);
    if (t->space)
        space_close(t->space);
}

static void round_of(uint64_t seed, bool is_damaged)
{
    static const uint32_t sizes[] = {100, 700, 8192, 10000, 20000};
    static struct trial t;
    struct store_view *v;
    struct fault f = {0};
    memset(&t, 0, sizeof(t));
    t.m.state = t.seed = seed;
    t.m.span_us = (int64_t)(1 + model_random(&t.m, 3)) * 3600 * US_PER_SECOND;
    model_fill(&t.m, 1 + model_random(&t.m, model_random(&t.m, 4) ? 2000 : 20000));
    model_store(&t.m, sizes[model_random(&t.m, 5)], model_random(&t.m, 2));
    t.is_damaged = is_damaged && model_damage(&t.m);
    if (store_view_open(t.m.dir.path, &v, &f)) {
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, f.text);
        abort();
    }
    for (int i = 0; i < 6; i++)
        one_hunt(&t, v);
    store_view_close(v);
    model_fini(&t.m);
}

static void random_hunts_get_the_hits_and_rows_of_a_linear_scan(void **state)
{
    (void)state;
    for (unsigned i = 0; i < help_rounds(5); i++)
        round_of(help_seed() + i, false);
}

static void hunts_of_damaged_stores_find_what_is_whole_and_say_so(void **state)
{
    (void)state;
    for (unsigned i = 0; i < help_rounds(4); i++)
        round_of(help_seed() + 1000000 + i, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_hunts_get_the_hits_and_rows_of_a_linear_scan),
        cmocka_unit_test(hunts_of_damaged_stores_find_what_is_whole_and_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
