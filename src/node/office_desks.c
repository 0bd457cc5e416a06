/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Desks know each other's headers where they must; what one only wants told (whose an address is, what the watch says) it gets here, as
 * a function.
 */
#include "node/office_desks.h"

#include "base/clock.h"
#include "desk/alert/alert_desk.h"
#include "desk/asset/asset_desk.h"
#include "desk/duty/duty_desk.h"
#include "desk/overview/overview.h"
#include "desk/search/search_desk.h"
#include "desk/unit/unit_desk.h"
#include "desk/unit/unit_ranges.h"
#include "node/control.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { JOB_WORKERS = 1, JOB_BYTES = 64 << 20, GATEWAY_US = 20000000, GATEWAY_BYTES = 64 << 10 };

/* --- what desks want told ---------------------------------------------------------------------------------------- */

/* see - a finding is a sighting too: what of ours was seen becomes a record, managed or not. NAT pools name no machine. */
static void see(const struct office_desks *d, struct db *db, const struct alert_sign *s, const char *ip, struct asset_place *at)
{
    const struct unit_actor by = {TEXT("system"), TEXT(""), s->last_us};
    struct machine_sighting sighting = {.source = s->kind == ALERT_OF_SIGMA || !*ip ? MACHINE_BY_LOG : MACHINE_BY_FLOW,
                                        .seen_by = {s->cause, strlen(s->cause)},
                                        .at_us = s->last_us,
                                        .unit = at->unit};
    struct machine_seen seen = {0};
    sighting.keys[IDENTITY_IP][0] = (struct text){ip, strlen(ip)};
    sighting.keys[IDENTITY_NAME][0] = (struct text){s->host, strlen(s->host)};
    if (!at->unit || at->is_nat || (!*ip && !*s->host) || asset_desk_see(d->assets, db, &sighting, &by, &seen))
        return;
    at->machine = seen.machine ? seen.machine : at->machine;
}

/* place - whose a finding is: its machine by address and host, the unit by the prefixes of the time, else by the own space's text */
static void place(void *context, struct db *db, const struct alert_sign *s, struct alert_place *ret)
{
    const struct office_desks *d = context;
    struct asset_place at = {0};
    char ip[IP_TEXT_MAX] = "";
    if (!ip_is_zero(&s->own))
        ip_format(&s->own, ip);
    asset_desk_place(d->assets, db, (struct text){ip, strlen(ip)}, (struct text){s->host, strlen(s->host)}, s->last_us, &at);
    struct unit_found found;
    if (!at.unit && *s->unit &&
        !unit_desk_resolve(d->units, db, (struct text){s->unit, strlen(s->unit)}, s->last_us, &found))
        at.unit = found.unit;
    see(d, db, s, ip, &at);
    *ret = (struct alert_place){.unit = at.unit,
                                .machine = at.machine,
                                .level = (int)at.level,
                                .is_internet = at.exposure == EXPOSURE_INTERNET,
                                .is_unprotected = at.protection == PROTECTION_NONE || at.protection == PROTECTION_DISABLED};
}

static int prefixes(void *context, struct db *db, const int64_t *units, size_t n, int64_t at_us, struct arena *arena,
                    struct ip_range **ret, size_t *ret_n)
{
    (void)context;
    return unit_ranges(db, units, n, at_us, arena, ret, ret_n);
}

/* keep_answer - lines of an answer are parts of one: the last says only that it is done */
static int keep_answer(void *context, const json_t *reply)
{
    json_t **kept = context;
    if (!*kept)
        *kept = json_object();
    return json_object_update(*kept, (json_t *)(uintptr_t)reply) ? -ENOMEM : 0;
}

/* ask_watch - through the control socket of our own node */
static int ask_watch(void *context, json_t *request, json_t **ret)
{
    const struct office_desks *d = context;
    *ret = NULL;
    int fd = control_connect(d->data_dir);
    if (fd < 0) {
        json_decref(request);
        return fd;
    }
    int r = control_ask(fd, request, NULL, 0);
    r = r ? r : control_each(fd, keep_answer, ret);
    close(fd);
    if (!r && !*ret)
        r = -EPIPE;
    if (r) {
        json_decref(*ret);
        *ret = NULL;
    }
    return r;
}

static json_t *blind_spots(void *context, int64_t now_us)
{
    const struct office_desks *d = context;
    return search_desk_blind_spots(d->search, now_us);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static int make_units(struct office_desks *d, struct web_desk *ret, struct fault *f)
{
    int r = unit_desk_new(&d->units, f);
    if (!r)
        *ret = unit_desk_entry(d->units);
    return r;
}

static int make_assets(struct office_desks *d, struct web_desk *ret, struct fault *f)
{
    int r = asset_desk_new(d->units, &d->assets, f);
    if (!r)
        *ret = asset_desk_entry(d->assets);
    return r;
}

static int make_alerts(struct office_desks *d, struct web_desk *ret, struct fault *f)
{
    const struct alert_lookups lookups = {d, place};
    int r = alert_desk_new(d->config->office.alert_policy, &lookups, &d->alerts, f);
    if (!r)
        *ret = alert_desk_entry(d->alerts);
    return r;
}

static int make_duty(struct office_desks *d, struct web_desk *ret, struct fault *f)
{
    const struct config_duty *c = &d->config->office.duty;
    const struct duty_options o = {
        .policy_path = c->policy,
        .public_url = d->config->office.public_url,
        .channels = {
            .sms_spool = c->sms_spool,
            .sms_inbox = c->sms_inbox,
            .sms_url = c->sms_url,
            .sms_http = {.header = (const char *)d->keys->sms_header.p, .timeout_us = GATEWAY_US, .max_bytes = GATEWAY_BYTES},
            .mail = {.url = c->mail_server,
                     .user = c->mail_user,
                     .password = (const char *)d->keys->mail_password.p,
                     .from = c->mail_from,
                     .is_tls = c->mail_tls,
                     .timeout_us = GATEWAY_US}}};
    int r = duty_desk_new(&o, &d->duty, f);
    if (!r)
        *ret = duty_desk_entry(d->duty);
    return r;
}

static int make_search(struct office_desks *d, struct web_desk *ret, struct fault *f)
{
    const struct search_options o = {
        .jobs = {.data_dir = d->data_dir, .n_workers = JOB_WORKERS, .bytes_max = JOB_BYTES, .keep_us = 3600 * US_PER_SECOND},
        .lookups = {d, ask_watch, prefixes}};
    int r = search_desk_new(&o, &d->search, f);
    if (!r)
        *ret = search_desk_entry(d->search);
    return r;
}

static int make_overview(struct office_desks *d, struct web_desk *ret, struct fault *f)
{
    const struct overview_options o = {d, blind_spots};
    int r = overview_desk_new(&o, &d->overview, f);
    if (!r)
        *ret = overview_desk_entry(d->overview);
    return r;
}

static int (*const MAKERS[])(struct office_desks *d, struct web_desk *ret,
                             struct fault *f) = {make_units, make_assets, make_alerts, make_duty, make_search, make_overview};

int office_desks_new(const struct config *c, const char *data_dir, const struct office_keys *keys, struct office_desks *ret,
                     struct fault *f)
{
    *ret = (struct office_desks){.config = c, .data_dir = data_dir, .keys = keys};
    for (size_t i = 0; i < sizeof(MAKERS) / sizeof(MAKERS[0]); i++) {
        int r = MAKERS[i](ret, &ret->desks[i], f);
        if (r) {
            office_desks_free(ret);
            return r;
        }
        ret->pointers[i] = &ret->desks[i];
        ret->n = i + 1;
    }
    return 0;
}

void office_desks_free(struct office_desks *d)
{
    overview_desk_free(d->overview);
    search_desk_free(d->search);
    duty_desk_free(d->duty);
    alert_desk_free(d->alerts);
    asset_desk_free(d->assets);
    unit_desk_free(d->units);
    *d = (struct office_desks){0};
}
