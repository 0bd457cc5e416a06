/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions out of events and flows; what they mean is judged in behaviour_dga.c and behaviour_tunnel.c.
 */
#include "watch/detect/behaviour_names_own.h"

#include "base/clock.h"
#include "base/content.h"
#include "base/file.h"
#include "watch/indicator/suffixes.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CONTENT_MAX ((size_t)16 << 20)
#define ASKED_WITHIN_US (30 * US_PER_SECOND)
#define HORIZON_US (2 * 3600 * US_PER_SECOND)

/* --- knowledge --------------------------------------------------------------------------------------------------------- */

static int read_content(const char *name, uint8_t **ret, size_t *ret_n, struct fault *f)
{
    char path[PATH_MAX];
    int r = content_path(name, path, sizeof(path), f);
    if (r < 0)
        return r;
    r = file_read_path(path, CONTENT_MAX, ret, ret_n);
    return r < 0 ? FAULT(f, r, store_read_failed, path, strerror(-r)) : 0;
}

typedef int parse_fn(struct domain_rules *, struct text, struct domain_rules_read *);

static int read_rules(const char *name, struct domain_rules **rules, parse_fn *parse, struct domain_rules_read *ret, struct fault *f)
{
    uint8_t *p = NULL;
    size_t n = 0;
    int r = read_content(name, &p, &n, f);
    if (r < 0)
        return r;
    *rules = domain_rules_new();
    r = *rules ? parse(*rules, (struct text){(const char *)p, n}, ret) : -ENOMEM;
    free(p);
    return r < 0 ? FAULT(f, r, no_memory, name) : 0;
}

static int read_model(struct names_knowledge *k, struct fault *f)
{
    uint8_t *p = NULL;
    size_t n = 0;
    uint32_t line;
    int r = read_content("names/model.txt", &p, &n, f);
    if (r < 0)
        return r;
    k->model = malloc(sizeof(*k->model));
    bool is_bad = k->model && name_model_parse(k->model, (struct text){(const char *)p, n}, &line);
    free(p);
    if (!k->model)
        return FAULT(f, -ENOMEM, no_memory, "names/model.txt");
    if (!is_bad)
        return 0;
    free(k->model);
    k->model = NULL;
    return FAULT(f, -EBADMSG, names_model_bad, "names/model.txt", (unsigned)line);
}

int names_knowledge_read(struct names_knowledge *ret, struct fault *f)
{
    *ret = (struct names_knowledge){0};
    int result = 0;
    for (unsigned step = 0; step < 3 && result != -ENOMEM; step++) {
        struct fault one = {0};
        int r = step == 0   ? suffixes_load(&ret->suffixes, &ret->n_suffixes, &one)
                : step == 1 ? read_rules("names/exceptions.txt", &ret->exceptions, domain_exceptions_read, &ret->n_exceptions, &one)
                            : read_model(ret, &one);
        if (r < 0 && (!result || r == -ENOMEM)) {
            result = r;
            *f = one;
        }
    }
    return result;
}

void names_knowledge_fini(struct names_knowledge *k)
{
    domain_rules_free(k->suffixes);
    domain_rules_free(k->exceptions);
    free(k->model);
    *k = (struct names_knowledge){0};
}

/* --- the detector --------------------------------------------------------------------------------------------------------- */

static void destroy(void *detector)
{
    struct names *n = detector;
    table_fini(&n->machines);
    table_fini(&n->once);
    table_fini(&n->pairs);
    table_fini(&n->askers);
    names_knowledge_fini(&n->known);
    free(n);
}

struct once {
    struct table_entry head;
    uint64_t flags;
};

struct asked {
    struct table_entry head;
    struct names_asker who;
};

static void *create(const struct behaviour_base *base)
{
    struct fault unused = {0};
    struct names *n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->base = base;
    if (names_knowledge_read(&n->known, &unused) != -ENOMEM && !table_make(&n->machines, NAMES_MACHINES, names_machine_bytes, HORIZON_US) &&
        !table_make(&n->once, NAMES_ONCE, sizeof(struct once), HORIZON_US) &&
        !table_make(&n->pairs, NAMES_PAIRS, names_pair_bytes, HORIZON_US) &&
        !table_make(&n->askers, NAMES_ASKERS, sizeof(struct asked), ASKED_WITHIN_US))
        return n;
    destroy(n);
    return NULL;
}

uint64_t names_hash(const struct names *n, struct text t, uint64_t tag)
{
    return sketch_mix(XXH3_64bits_withSeed(t.p, t.n, n->base->seed), tag);
}

uint8_t *names_once(struct names *n, uint64_t key, uint64_t hash, int64_t time_us)
{
    bool is_new;
    struct once *o = table_take(&n->once, sketch_mix(key, hash), time_us, &is_new);
    if (time_us > o->head.last_us)
        o->head.last_us = time_us;
    o->head.weight = (uint64_t)(o->head.last_us > 0 ? o->head.last_us : 0); /* the oldest leaves first */
    return (uint8_t *)&o->flags;
}

void names_tell_asker(struct behaviour_alarm *a, const struct names_asker *asker, const char *what, char room[TELL_QUERY_BYTES])
{
    bool has_ip = !ip_is_zero(&asker->ip);
    a->own = asker->ip;
    a->host = (struct text){asker->host, asker->n_host};
    tell_query(a, room, has_ip ? &asker->ip : NULL, NULL, 0, 0);
    if (!has_ip && asker->n_host && !strpbrk(asker->host, "\"\\*?"))
        a->query.n = (size_t)snprintf(room, TELL_QUERY_BYTES, "host.name : \"%s\"", asker->host);
    size_t n = what ? strlen(what) : 0;
    if (!n || a->query.n + n + 6 > TELL_QUERY_BYTES)
        return;
    a->query.n += (size_t)snprintf(room + a->query.n, TELL_QUERY_BYTES - a->query.n, "%s%s", a->query.n ? " and " : "", what);
}

static int ask(struct names *n, const struct names_question *q)
{
    int r = 0;
    n->counters.used++;
    if (tell_is_on(n->base, BEHAVIOUR_SET_DGA_ENABLED))
        r = names_dga_ask(n, q);
    if (r >= 0 && tell_is_on(n->base, BEHAVIOUR_SET_DNS_TUNNEL_ENABLED))
        r = names_tunnel_ask(n, q);
    return r;
}

static void asker_of(const struct names *n, struct names_asker *ret, const struct ip *ip, struct text host)
{
    *ret = (struct names_asker){0};
    if (ip)
        ret->ip = *ip;
    while (host.n >= NAMES_HOST_BYTES || (host.n && ((uint8_t)host.p[host.n - 1] & 0xc0) == 0x80 && host.n == NAMES_HOST_BYTES - 1))
        host.n--;
    if (host.n)
        memcpy(ret->host, host.p, host.n);
    ret->n_host = host.n;
    ret->key = ip ? names_hash(n, (struct text){(const char *)ip->b, sizeof(ip->b)}, 1) : names_hash(n, host, 2);
}

/* --- events ------------------------------------------------------------------------------------------------------------- */

static bool address(const struct events *e, uint32_t row, uint16_t field, struct ip *ret)
{
    const struct event_value *v = event_get(e, row, field);
    if (!v || v->type != EVENT_IP)
        return false;
    *ret = event_ip(e, v);
    return true;
}

static struct text word(const struct events *e, uint32_t row, uint16_t field, char out[EVENT_VALUE_TEXT_MAX])
{
    const struct event_value *v = event_get(e, row, field);
    return v && v->type != EVENT_NULL ? event_value_text(e, v, out) : (struct text){out, 0};
}

static enum names_type type_of(struct text t)
{
    static const struct {
        const char *name;
        enum names_type type;
    } all[] = {{"A", NAMES_ADDRESS}, {"AAAA", NAMES_ADDRESS}, {"TXT", NAMES_TXT}, {"NULL", NAMES_NULL}, {"CNAME", NAMES_CNAME},
               {"MX", NAMES_MX},     {"1", NAMES_ADDRESS},    {"28", NAMES_ADDRESS}, {"16", NAMES_TXT}, {"10", NAMES_NULL},
               {"5", NAMES_CNAME},   {"15", NAMES_MX},        {"PRIVATE", NAMES_NULL}, {"TYPE65399", NAMES_NULL}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (text_is_nocase(t, all[i].name))
            return all[i].type;
    return NAMES_OTHER;
}

/* answer_of - dns.response_code as names and numbers write it (9003: DNS_ERROR_RCODE_NAME_ERROR of Windows), dnsmasq's data. */
static enum names_answer answer_of(const struct events *e, uint32_t row)
{
    static const char *const failed[] = {"NXDOMAIN", "NXDomain", "3", "9003", "NAME_ERROR"};
    static const char *const exists[] = {"NOERROR", "0", "NoError", "SUCCESS"};
    char room[EVENT_VALUE_TEXT_MAX];
    struct text code = word(e, row, EV_DNS_RESPONSE_CODE, room);
    for (size_t i = 0; i < sizeof(failed) / sizeof(*failed); i++)
        if (text_is_nocase(code, failed[i]))
            return NAMES_FAILED;
    for (size_t i = 0; i < sizeof(exists) / sizeof(*exists); i++)
        if (text_is_nocase(code, exists[i]))
            return NAMES_EXISTS;
    struct text data = word(e, row, EV_DNS_ANSWERS_DATA, room);
    return !data.n || code.n ? NAMES_UNKNOWN : text_is_nocase(data, "NXDOMAIN") ? NAMES_FAILED : NAMES_EXISTS;
}

/* client_of - whose question it was. Return: whether an address is known. */
static bool client_of(const struct events *e, uint32_t row, struct ip *ret, struct ip *ret_server)
{
    const struct event_value *from = event_get(e, row, EV_SOURCE_PORT), *to = event_get(e, row, EV_DESTINATION_PORT);
    bool is_answer = from && from->type == EVENT_LONG && from->number == 53 && to && to->type == EVENT_LONG && to->number != 53;
    *ret_server = (struct ip){{0}};
    address(e, row, is_answer ? EV_SOURCE_IP : EV_DESTINATION_IP, ret_server);
    return address(e, row, EV_CLIENT_IP, ret) || address(e, row, is_answer ? EV_DESTINATION_IP : EV_SOURCE_IP, ret);
}

static struct text host_of(const struct events *e, uint32_t row, char out[EVENT_VALUE_TEXT_MAX])
{
    static const uint16_t fields[] = {EV_HOST_NAME, EV_HOST_HOSTNAME, EV_WINLOG_COMPUTER, EV_OBSERVER_NAME, EV_OBSERVER_HOSTNAME,
                                      EV_LOG_SOURCE_ADDRESS};
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        struct text t = word(e, row, fields[i], out);
        if (t.n)
            return t;
    }
    return (struct text){out, 0};
}

/* remember - who asked, for answers that do not say it; or recall it. Return: whether @asker is known now. */
static bool remember(struct names *n, const struct domain_name *name, struct text host, int64_t time_us, bool has_ip,
                     struct names_asker *asker)
{
    bool is_new;
    uint64_t key = names_hash(n, (struct text){name->name, name->n}, names_hash(n, host, 3));
    if (has_ip) {
        struct asked *x = table_take(&n->askers, key, time_us, &is_new);
        x->who = *asker;
        x->head.last_us = time_us;
        x->head.weight = (uint64_t)(time_us > 0 ? time_us : 0);
        return true;
    }
    const struct asked *x = table_find(&n->askers, key);
    if (!x || time_us - x->head.last_us > ASKED_WITHIN_US)
        return false;
    *asker = x->who;
    return true;
}

static int one_event(struct names *n, const struct events *e, uint32_t row, const struct event_value *v, const struct behaviour_own *own)
{
    struct domain_name name;
    struct names_asker asker;
    struct ip client, server;
    char room[EVENT_VALUE_TEXT_MAX];
    if (v->type != EVENT_KEYWORD || domain_name_read(n->known.suffixes, event_text(e, v), &name) ||
        domain_is_excepted(n->known.exceptions, &name)) {
        n->counters.skipped++;
        return 0;
    }
    bool has_ip = client_of(e, row, &client, &server);
    if (has_ip && own && !behaviour_is_own(own, &client, e->time_us[row]) && behaviour_is_own(own, &server, e->time_us[row])) {
        n->counters.skipped++; /* others who ask our servers */
        return 0;
    }
    struct text host = host_of(e, row, room);
    /* a resolver's host is not who asked: only events without an address are of the host itself */
    asker_of(n, &asker, has_ip ? &client : NULL, has_ip ? (struct text){room, 0} : host);
    enum names_answer answer = answer_of(e, row);
    struct text provider = word(e, row, EV_EVENT_DATASET, (char[EVENT_VALUE_TEXT_MAX]){0});
    if (text_is(provider, "dnsmasq.log") && !remember(n, &name, host, e->time_us[row], has_ip, &asker)) {
        n->counters.skipped++;
        return 0;
    }
    char type[EVENT_VALUE_TEXT_MAX];
    struct names_question q = {.time_us = e->time_us[row], .asker = &asker, .name = &name, .answer = answer,
                               .type = type_of(word(e, row, EV_DNS_QUESTION_TYPE, type))};
    return ask(n, &q);
}

static int names_events(void *detector, const struct events *e, const struct behaviour_own *own)
{
    struct names *n = detector;
    for (uint32_t row = 0; row < e->n; row++) {
        const struct event_value *v = event_get(e, row, EV_DNS_QUESTION_NAME);
        n->counters.seen++;
        if (!v) {
            n->counters.skipped++;
            continue;
        }
        int r = one_event(n, e, row, v, own);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- flows ----------------------------------------------------------------------------------------------------------------- */

static int one_flow(struct names *n, const struct behaviour_row *x, struct text texts)
{
    struct text rest = texts, name, value;
    struct domain_name domain;
    struct names_asker asker;
    asker_of(n, &asker, &x->from, TEXT(""));
    while (flow_text_next(&rest, &name, &value)) {
        if (!text_is(name, "dns.question.name") || domain_name_read(n->known.suffixes, value, &domain) ||
            domain_is_excepted(n->known.exceptions, &domain))
            continue;
        struct names_question q = {.time_us = x->start_us, .asker = &asker, .name = &domain, .type = NAMES_OTHER};
        int r = ask(n, &q);
        if (r < 0)
            return r;
        n->counters.used--; /* the row counts once */
    }
    return 0;
}

static int names_flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct names *n = detector;
    (void)own;
    if (!(b->columns & FLOW_HAS_TEXT)) {
        n->counters.seen += b->n;
        n->counters.skipped += b->n;
        return 0;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        struct text unused, texts = flow_batch_texts(b, i);
        if (!tell_concerns(&n->counters, &rows[i]))
            continue;
        bool is_outside = !(rows[i].marks & ROW_FROM_OWN) && rows[i].marks & ROW_TO_OWN;
        if (is_outside || !flow_text_get(texts, "dns.question.name", &unused)) {
            n->counters.skipped++;
            continue;
        }
        n->counters.used++;
        int r = one_flow(n, &rows[i], texts);
        if (r < 0)
            return r;
    }
    return 0;
}

static int names_flush(void *detector, int64_t at_us)
{
    int r = names_dga_flush(detector, at_us);
    return r < 0 ? r : names_tunnel_flush(detector, at_us);
}

static void names_count(const void *detector, struct behaviour_counters *ret)
{
    const struct names *n = detector;
    *ret = n->counters;
    ret->evicted = n->machines.evicted + n->once.evicted + n->pairs.evicted;
}

const struct behaviour_detector behaviour_names_detector = {"names", create, destroy, names_flows, names_events, names_flush, names_count};
