/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/alert/alert.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

const char *const alert_severity_names[] = {"", "info", "low", "medium", "high", "critical", NULL};
const char *const alert_state_names[] = {"new", "open", "assigned", "resolved", NULL};
const char *const alert_verdict_names[] = {"", "true", "false", "benign", "verified_malware", NULL};
const char *const alert_entity_names[] = {"ip", "host", "user", "domain", NULL};

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* put - a copy cut on a character; what is no text is empty */
static void put(char *out, size_t n_out, const json_t *value)
{
    const char *p = json_string_value(value);
    size_t n = p ? json_string_length(value) : 0;
    if (n >= n_out)
        for (n = n_out - 1; n && ((unsigned char)p[n] & 0xc0) == 0x80;)
            n--;
    if (n)
        memcpy(out, p, n);
    out[n] = '\0';
}

static void member(const json_t *o, const char *name, char *out, size_t n_out)
{
    put(out, n_out, json_object_get(o, name));
}

static int64_t time_of(const json_t *o, const char *name)
{
    int64_t us = 0;
    const char *p = json_string_value(json_object_get(o, name));
    return p && !clock_parse(p, strlen(p), 0, &us) ? us : 0;
}

static enum alert_severity severity_of(const json_t *o)
{
    static const struct {
        const char *name;
        enum alert_severity severity;
    } NAMES[] = {{"informational", ALERT_INFO}, {"info", ALERT_INFO}, {"low", ALERT_LOW},
                 {"medium", ALERT_MEDIUM},      {"high", ALERT_HIGH}, {"critical", ALERT_CRITICAL}};
    const char *p = json_string_value(json_object_get(o, "severity"));
    for (size_t i = 0; p && i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (!strcmp(p, NAMES[i].name))
            return NAMES[i].severity;
    return 0;
}

static int read_kind(const json_t *o, struct alert_sign *s)
{
    char kind[32], name[200];
    member(o, "finding.kind", kind, sizeof(kind));
    static const char *const KINDS[ALERT_N_KINDS] = {"contact", "own_listed", "sigma", "behaviour", "external"};
    int i = 0;
    while (i < ALERT_N_KINDS && strcmp(kind, KINDS[i]) != 0)
        i++;
    if (i == ALERT_N_KINDS)
        return 1;
    s->kind = (enum alert_kind)i;
    static const char *const OF[ALERT_N_KINDS] = {"list.name", "list.name", "rule.id", "behaviour.kind", "rule.id"};
    static const char *const PREFIX[ALERT_N_KINDS] = {"list", "own-list", "sigma", "behaviour", "other"};
    member(o, OF[i], name, sizeof(name));
    member(o, i == ALERT_OF_SIGMA || i == ALERT_OF_OTHERS ? "rule.title" : OF[i], s->rule_name, sizeof(s->rule_name));
    member(o, "list.name", s->list, sizeof(s->list));
    if (!*name && i == ALERT_OF_SIGMA) /* a rule without an id is told by its title */
        snprintf(name, sizeof(name), "%.199s", s->rule_name);
    snprintf(s->rule_id, sizeof(s->rule_id), "%.127s", name);
    snprintf(s->cause, sizeof(s->cause), "%s:%.199s", PREFIX[i], name);
    if (i == ALERT_OF_OTHERS) {
        char source[48];
        member(o, "source", source, sizeof(source));
        snprintf(s->cause, sizeof(s->cause), "other:%s:%.160s", source, name);
    }
    return !*name;
}

/* read_entity - ours: the address, else the host, else the user, else the name that was asked for */
static int read_entity(const json_t *o, struct alert_sign *s)
{
    char own[64], user[ALERT_ENTITY_MAX], name[ALERT_ENTITY_MAX];
    member(o, "own.ip", own, sizeof(own));
    member(o, "host.name", s->host, sizeof(s->host));
    put(user, sizeof(user), json_array_get(json_object_get(o, "users"), 0));
    member(o, json_object_get(o, "indicator.name") ? "indicator.name" : "name", name, sizeof(name));
    if (*own && ip_parse(own, strlen(own), &s->own))
        return 1;
    const char *all[] = {own, s->host, user, name};
    for (int i = 0; i < 4; i++)
        if (*all[i]) {
            s->entity_kind = (enum alert_entity)i;
            snprintf(s->entity, sizeof(s->entity), "%s", all[i]);
            return 0;
        }
    return 1;
}

static int read_object(const json_t *o, struct alert_sign *s, const char **ret_why)
{
    *ret_why = "no kind of finding that is known here";
    if (read_kind(o, s))
        return 1;
    *ret_why = "it names nothing of ours";
    if (read_entity(o, s))
        return 1;
    member(o, "unit", s->unit, sizeof(s->unit));
    s->severity = severity_of(o);
    json_t *confidence = json_object_get(o, "confidence_pct");
    json_int_t pct = json_is_integer(confidence) ? json_integer_value(confidence) : -1;
    s->confidence_pct = pct < -1 ? -1 : pct > 100 ? 100 : (int)pct;
    s->first_us = time_of(o, "first_seen");
    s->last_us = time_of(o, "last_seen");
    json_int_t n = json_integer_value(json_object_get(o, json_object_get(o, "events") ? "events" : "flows"));
    s->n = n < 0 ? 0 : (uint64_t)n;
    s->is_withdrawn = json_object_get(o, "withdrawn") != NULL;
    *ret_why = "it says no time";
    return s->first_us == 0 || s->last_us < s->first_us;
}

int alert_read(struct text payload, struct alert_sign *ret, const char **ret_why)
{
    json_error_t e;
    *ret = (struct alert_sign){.confidence_pct = -1};
    *ret_why = "it is no JSON object";
    json_t *o = json_loadb(payload.p, payload.n, JSON_REJECT_DUPLICATES, &e);
    int r = json_is_object(o) ? read_object(o, ret, ret_why) : 1;
    json_decref(o);
    return r;
}

/* --- arithmetic -------------------------------------------------------------------------------------------------- */

enum alert_severity alert_severity_of(const struct alert_policy *p, const struct alert_sign *s, const struct alert_place *place)
{
    int v = (int)(p->severity[s->kind] ? p->severity[s->kind] : s->severity);
    v = v ? v : ALERT_MEDIUM; /* a rule that gives none */
    v += place->level >= 1 && place->level <= 5 ? p->level_step[place->level] : 0;
    v += place->is_internet ? p->internet_step : 0;
    v += place->is_unprotected ? p->unprotected_step : 0;
    v += s->confidence_pct >= 0 && s->confidence_pct < p->confidence_below_pct ? p->confidence_step : 0;
    return v > ALERT_CRITICAL ? ALERT_CRITICAL : v < ALERT_INFO ? ALERT_INFO : (enum alert_severity)v;
}

const char *alert_title(const struct alert_sign *s, char *out, size_t n_out)
{
    snprintf(out, n_out, "%s", *s->rule_name ? s->rule_name : s->rule_id);
    return out;
}

bool alert_may_become(enum alert_state from, enum alert_state to)
{
    static const bool MAY[4][4] = {
        [ALERT_NEW] = {[ALERT_OPEN] = true, [ALERT_ASSIGNED] = true, [ALERT_RESOLVED] = true},
        [ALERT_OPEN] = {[ALERT_ASSIGNED] = true, [ALERT_RESOLVED] = true},
        [ALERT_ASSIGNED] = {[ALERT_OPEN] = true, [ALERT_RESOLVED] = true},
        [ALERT_RESOLVED] = {[ALERT_OPEN] = true},
    };
    return from == to || MAY[from][to];
}

/* --- suppression ------------------------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *value)
{
    size_t n = strlen(pattern);
    return n && pattern[n - 1] == '*' ? !strncmp(pattern, value, n - 1) : !strcmp(pattern, value);
}

static bool matches_entity(const char *pattern, enum alert_entity kind, const char *entity)
{
    struct ip_range range;
    struct ip ip;
    if (kind == ALERT_IP && strchr(pattern, '/'))
        return !ip_range_parse(pattern, strlen(pattern), &range, NULL) && !ip_parse(entity, strlen(entity), &ip) &&
               ip_range_has(&range, &ip);
    return matches(pattern, entity);
}

bool alert_is_muted(const struct alert_mute *m, const char *cause, enum alert_entity kind, const char *entity, int64_t at_us)
{
    return at_us >= m->from_us && at_us < m->to_us && matches(m->cause, cause) && matches_entity(m->entity, kind, entity);
}

bool alert_mute_is_sane(const char *cause, const char *entity, const char **ret_member)
{
    const char *star = strchr(cause, '*');
    struct ip_range range;
    *ret_member = "cause";
    if (!*cause || (star && star[1]))
        return false;
    *ret_member = "entity";
    star = strchr(entity, '*');
    if (!*entity || (star && star[1]) || (strchr(entity, '/') && ip_range_parse(entity, strlen(entity), &range, NULL)))
        return false;
    return strcmp(cause, "*") != 0 || strcmp(entity, "*") != 0;
}
