/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries out of events: who, from where, at what, and whether it worked.
 */
#include "watch/detect/behaviour_logins_own.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HORIZON_US (24 * 3600 * US_PER_SECOND)

static void destroy(void *detector)
{
    struct logins *x = detector;
    table_fini(&x->pairs);
    table_fini(&x->sources);
    table_fini(&x->accounts);
    table_fini(&x->servers);
    free(x);
}

static void *create(const struct behaviour_base *base)
{
    struct logins *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->base = base;
    if (!table_make(&x->pairs, LOGINS_PAIRS, logins_pair_bytes, HORIZON_US) &&
        !table_make(&x->sources, LOGINS_SOURCES, logins_source_bytes, HORIZON_US) &&
        !table_make(&x->accounts, LOGINS_ACCOUNTS, logins_account_bytes, HORIZON_US) &&
        !table_make(&x->servers, LOGINS_SERVERS, logins_server_bytes, HORIZON_US))
        return x;
    destroy(x);
    return NULL;
}

void login_text_set(struct login_text *t, struct text from)
{
    while (from.n && (from.n >= LOGINS_TEXT_BYTES || (from.n + 4 > LOGINS_TEXT_BYTES && ((uint8_t)from.p[from.n - 1] & 0x80))))
        from.n--; /* never within a character */
    if (from.n)
        memcpy(t->p, from.p, from.n);
    t->p[from.n] = 0;
    t->n = from.n;
}

static uint64_t hash(const struct logins *x, struct text t, uint64_t tag)
{
    return t.n ? sketch_mix(XXH3_64bits_withSeed(t.p, t.n, x->base->seed), tag) : 0;
}

static uint64_t hash_ip(const struct logins *x, const struct ip *ip, uint64_t tag)
{
    return hash(x, (struct text){(const char *)ip->b, sizeof(ip->b)}, tag);
}

/* --- fields ------------------------------------------------------------------------------------------------------------ */

static struct text word(const struct events *e, uint32_t row, uint16_t field, char out[EVENT_VALUE_TEXT_MAX])
{
    const struct event_value *v = event_get(e, row, field);
    struct text t = v && v->type != EVENT_NULL ? event_value_text(e, v, out) : (struct text){out, 0};
    return text_is(t, "-") ? (struct text){out, 0} : t;
}

static struct text first_of(const struct events *e, uint32_t row, const uint16_t *fields, size_t n, char out[EVENT_VALUE_TEXT_MAX])
{
    for (size_t i = 0; i < n; i++) {
        struct text t = word(e, row, fields[i], out);
        if (t.n)
            return t;
    }
    return (struct text){out, 0};
}

static bool address(const struct events *e, uint32_t row, uint16_t field, struct ip *ret)
{
    const struct event_value *v = event_get(e, row, field);
    if (!v || v->type != EVENT_IP)
        return false;
    *ret = event_ip(e, v);
    return true;
}

static bool holds(struct text t, const char *part)
{
    return t.n && memmem(t.p, t.n, part, strlen(part));
}

/* is_login_page - a path where names and passwords are sent to. */
static bool is_login_page(struct text path)
{
    static const char *const parts[] = {"login",   "logon",      "signin", "sign-in",    "sign_in", "/auth",
                                        "session", "xmlrpc.php", "/owa",   "oauth/token"};
    char lower[256];
    size_t n = path.n < sizeof(lower) ? path.n : sizeof(lower);
    for (size_t i = 0; i < n; i++)
        lower[i] = path.p[i] >= 'A' && path.p[i] <= 'Z' ? (char)(path.p[i] | 0x20) : path.p[i];
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (holds((struct text){lower, n}, parts[i]))
            return true;
    return false;
}

enum outcome { NONE, FAILED, SUCCEEDED };

/* of_web - an access log knows no outcome, but a form that is refused answers 401 or 403; WordPress with the form again. */
static enum outcome of_web(const struct events *e, uint32_t row)
{
    char method[EVENT_VALUE_TEXT_MAX], path[EVENT_VALUE_TEXT_MAX];
    const struct event_value *status = event_get(e, row, EV_HTTP_STATUS);
    static const uint16_t paths[] = {EV_URL_PATH, EV_URL_ORIGINAL};
    if (!status || status->type != EVENT_LONG || !text_is(word(e, row, EV_HTTP_METHOD, method), "POST"))
        return NONE;
    struct text where = first_of(e, row, paths, 2, path);
    if (!is_login_page(where))
        return NONE;
    if (status->number == 401 || status->number == 403 || (status->number == 200 && holds(where, "wp-login.php")))
        return FAILED;
    return status->number == 302 && holds(where, "wp-login.php") ? SUCCEEDED : NONE;
}

/* is_given_up - sshd says only that who named a user left before he was let in: all that is seen where keys alone are taken. */
static bool is_given_up(const struct events *e, uint32_t row)
{
    char message[EVENT_VALUE_TEXT_MAX];
    return event_get(e, row, EV_USER_NAME) && holds(word(e, row, EV_MESSAGE, message), "[preauth]");
}

/* what an event says it is about: read in one walk over its values, since nearly all are about something else */
struct about {
    bool is_login, is_zeek, is_web, is_ssh_end;
    enum outcome outcome;
};

static void read_about(const struct events *e, const struct event_value *v, struct about *ret)
{
    if (v->type != EVENT_KEYWORD)
        return;
    struct text t = event_text(e, v);
    switch (v->field) {
    case EV_EVENT_CATEGORY:
        ret->is_login = ret->is_login || text_is(t, "authentication");
        ret->is_web = ret->is_web || text_is(t, "web");
        return;
    case EV_EVENT_OUTCOME:
        if (ret->outcome == NONE)
            ret->outcome = text_is(t, "failure") ? FAILED : text_is(t, "success") ? SUCCEEDED : NONE;
        return;
    case EV_EVENT_DATASET: ret->is_zeek = text_is(t, "zeek.ssh") || text_is(t, "zeek.ntlm") || text_is(t, "zeek.kerberos"); return;
    case EV_EVENT_ACTION: ret->is_ssh_end = text_is(t, "ssh_disconnected"); return;
    default: return;
    }
}

static enum outcome outcome_of(const struct events *e, uint32_t row)
{
    struct about x = {0};
    char room[EVENT_VALUE_TEXT_MAX];
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        read_about(e, &e->values[i], &x);
    if (!x.is_login && !x.is_zeek) {
        if (x.is_ssh_end && is_given_up(e, row))
            return FAILED;
        return x.is_web ? of_web(e, row) : NONE;
    }
    /* the first step of every Kerberos log-in */
    if (x.outcome == FAILED && holds(word(e, row, EV_ERROR_MESSAGE, room), "PREAUTH_REQUIRED"))
        return NONE;
    return x.outcome;
}

/*
 * wording_of - what kind of line this is, of those who write about one try more than once: sshd and PAM by the first word of
 * the message, Windows by the event's number. 0: everybody else, every line is a try.
 */
static uint64_t wording_of(const struct logins *x, const struct events *e, uint32_t row)
{
    char room[EVENT_VALUE_TEXT_MAX], code[EVENT_VALUE_TEXT_MAX];
    struct text decoder = word(e, row, EV_EVENT_DECODER, room);
    if (!text_is(decoder, "sshd") && !text_is(decoder, "pam"))
        return event_get(e, row, EV_WINLOG_CHANNEL) ? hash(x, word(e, row, EV_EVENT_CODE, code), 13) : 0;
    uint64_t h = hash(x, decoder, 12);
    struct text message = word(e, row, EV_MESSAGE, room);
    size_t n = 0;
    while (n < message.n && message.p[n] != ' ')
        n++;
    return sketch_mix(h, hash(x, (struct text){message.p, n}, 11));
}

/* tries_of - "more authentication failures" of PAM, auth_attempts of Zeek; never more than a line can mean. */
static uint32_t tries_of(const struct events *e, uint32_t row, uint16_t pam_attempts, uint16_t zeek_attempts)
{
    enum { MOST = 20 };
    const struct event_value *v = event_get(e, row, pam_attempts);
    if (!v)
        v = event_get(e, row, zeek_attempts);
    return v && v->type == EVENT_LONG && v->number > 1 ? (uint32_t)(v->number < MOST ? v->number : MOST) : 1;
}

static void lower(struct login_text *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->p[i] >= 'A' && t->p[i] <= 'Z')
            t->p[i] = (char)(t->p[i] | 0x20);
}

static void read_source(struct logins *x, const struct events *e, uint32_t row, struct login *l)
{
    static const uint16_t texts[] = {EV_SOURCE_ADDRESS, EV_CLIENT_ADDRESS, EV_SOURCE_DOMAIN, EV_CLIENT_DOMAIN};
    char room[EVENT_VALUE_TEXT_MAX];
    if (address(e, row, EV_SOURCE_IP, &l->source) || address(e, row, EV_CLIENT_IP, &l->source)) {
        l->source_key = hash_ip(x, &l->source, 1);
        return;
    }
    login_text_set(&l->origin, first_of(e, row, texts, sizeof(texts) / sizeof(*texts), room));
    l->source_key = hash(x, login_text(&l->origin), 2);
}

static void read_target(struct logins *x, const struct events *e, uint32_t row, struct login *l)
{
    static const uint16_t hosts[] = {EV_WINLOG_COMPUTER, EV_HOST_NAME, EV_HOST_HOSTNAME, EV_OBSERVER_NAME, EV_OBSERVER_HOSTNAME,
                                     EV_URL_DOMAIN, EV_SERVER_DOMAIN, EV_LOG_SOURCE_ADDRESS, EV_LOG_FILE_PATH};
    char room[EVENT_VALUE_TEXT_MAX];
    bool has_ip = address(e, row, EV_DESTINATION_IP, &l->target) || address(e, row, EV_SERVER_IP, &l->target) ||
                  address(e, row, EV_HOST_IP, &l->target) || address(e, row, EV_OBSERVER_IP, &l->target);
    login_text_set(&l->host, first_of(e, row, hosts, sizeof(hosts) / sizeof(*hosts), room));
    l->target_key = has_ip && !l->host.n ? hash_ip(x, &l->target, 3) : hash(x, login_text(&l->host), 4);
}

static void read_user(struct logins *x, const struct events *e, uint32_t row, struct login *l)
{
    static const uint16_t users[] = {EV_USER_NAME, EV_USER_TARGET_NAME, EV_USER_EMAIL, EV_USER_ID};
    char room[EVENT_VALUE_TEXT_MAX];
    login_text_set(&l->user, first_of(e, row, users, sizeof(users) / sizeof(*users), room));
    lower(&l->user);
    l->user_key = hash(x, login_text(&l->user), 5);
}

static int one_event(struct logins *x, const struct events *e, uint32_t row, enum outcome outcome, const uint16_t attempts[2])
{
    static const uint16_t services[] = {EV_NETWORK_PROTOCOL, EV_SERVICE_NAME, EV_EVENT_DATASET, EV_EVENT_PROVIDER, EV_EVENT_DECODER};
    struct login l = {.time_us = e->time_us[row], .has_succeeded = outcome == SUCCEEDED};
    char room[EVENT_VALUE_TEXT_MAX];
    read_source(x, e, row, &l);
    read_target(x, e, row, &l);
    read_user(x, e, row, &l);
    login_text_set(&l.service, first_of(e, row, services, sizeof(services) / sizeof(*services), room));
    l.tries = outcome == FAILED ? tries_of(e, row, attempts[0], attempts[1]) : 1;
    l.wording = wording_of(x, e, row);
    bool is_half = !l.source_key && text_is(login_text(&l.service), "ssh"); /* another line says from where */
    if (is_half || (!l.source_key && !l.user_key)) {
        x->counters.skipped++; /* nobody to speak of */
        return 0;
    }
    x->counters.used++;
    return logins_judge(x, &l);
}

static int logins_events(void *detector, const struct events *e, const struct behaviour_own *own)
{
    struct logins *x = detector;
    const uint16_t attempts[2] = {event_names_find(e->names, TEXT("pam.attempts")),
                                  event_names_find(e->names, TEXT("zeek.ssh.auth_attempts"))};
    (void)own;
    for (uint32_t row = 0; row < e->n; row++) {
        enum outcome outcome = outcome_of(e, row);
        x->counters.seen++;
        if (outcome == NONE) {
            x->counters.skipped++;
            continue;
        }
        int r = one_event(x, e, row, outcome, attempts);
        if (r < 0)
            return r;
    }
    return 0;
}

static int logins_flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct logins *x = detector;
    (void)own;
    for (uint32_t i = 0; i < b->n; i++) {
        if (!tell_concerns(&x->counters, &rows[i]))
            continue;
        int r = logins_connection(x, &rows[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int flush(void *detector, int64_t at_us)
{
    return logins_flush(detector, at_us);
}

static void logins_count(const void *detector, struct behaviour_counters *ret)
{
    const struct logins *x = detector;
    *ret = x->counters;
    ret->evicted = x->pairs.evicted + x->sources.evicted + x->accounts.evicted + x->servers.evicted;
}

const struct behaviour_detector behaviour_logins_detector = {"logins", create, destroy, logins_flows, logins_events, flush, logins_count};
