/* SPDX-License-Identifier: Apache-2.0 */
/* How people are woken: office: duty:. */
#include "node/config_own.h"

#include "desk/duty/duty_send.h"

#include <stddef.h>
#include <string.h>

static int read_flag(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_duty *d = to;
    bool is = v->kind == SCALAR && !strcmp(v->text, "true");
    if (!is && (v->kind != SCALAR || strcmp(v->text, "false") != 0))
        return config_bad(l, v->line, v->text ? v->text : "", "true or false");
    d->mail_tls = is;
    return 0;
}

static int read_gateway(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_duty *d = to;
    int r = config_text(l, v, &d->sms_url);
    bool is_url = !r && (!strncmp(v->text, "https://", 8) || !strncmp(v->text, "http://", 7));
    if (!r && (!is_url || !strstr(v->text, "{to}") || !strstr(v->text, "{text}")))
        return config_bad(l, v->line, v->text, "https://gateway/send?to={to}&text={text}");
    return r;
}

static int read_server(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_duty *d = to;
    int r = config_text(l, v, &d->mail_server);
    if (!r && strncmp(v->text, "smtp://", 7) != 0 && strncmp(v->text, "smtps://", 8) != 0)
        return config_bad(l, v->line, v->text, "smtp://host:25 or smtps://host:465");
    return r;
}

static int read_from(struct config_loader *l, const struct config_node *v, void *to)
{
    struct config_duty *d = to;
    int r = config_text(l, v, &d->mail_from);
    return !r && !mail_is_address(v->text) ? config_bad(l, v->line, v->text, "an address: canh.bao@example.vn") : r;
}

static int read_sms(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"spool", config_path, offsetof(struct config_duty, sms_spool)},
        {"inbox", config_path, offsetof(struct config_duty, sms_inbox)},
        {"url", read_gateway, 0},
        {"header_file", config_path, offsetof(struct config_duty, sms_header_file)},
    };
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}

static int read_mail(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"server", read_server, 0},
        {"from", read_from, 0},
        {"user", config_text, offsetof(struct config_duty, mail_user)},
        {"password_file", config_path, offsetof(struct config_duty, mail_password_file)},
        {"tls", read_flag, 0},
    };
    struct config_duty *d = to;
    int r = config_mapping(l, v, CONFIG_KEYS(keys), to);
    return r || (d->mail_server && d->mail_from) ? r : config_bad(l, v->line, "mail", "mail: server and from");
}

int config_duty(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"policy", config_path, offsetof(struct config_duty, policy)},
        {"sms", read_sms, 0},
        {"mail", read_mail, 0},
    };
    struct config_duty *d = to;
    d->line = v->line;
    return config_mapping(l, v, CONFIG_KEYS(keys), to);
}
