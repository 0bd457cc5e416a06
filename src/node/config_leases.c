/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of leases: how long they are kept, and whom else to ask. */
#include "node/config_own.h"

#include "base/clock.h"

#include <stddef.h>
#include <string.h>

static int read_flag(struct config_loader *l, const struct config_node *v, void *to)
{
    bool is = v->kind == SCALAR && !strcmp(v->text, "true");
    if (!is && (v->kind != SCALAR || strcmp(v->text, "false") != 0))
        return config_bad(l, v->line, v->text ? v->text : "", "true or false");
    memcpy(to, &is, sizeof(is));
    return 0;
}

static int read_url(struct config_loader *l, const struct config_node *v, void *to)
{
    int r = config_text(l, v, to);
    const char *wrong = r ? NULL : remote_check_url(v->text);
    return wrong ? config_bad(l, v->line, v->text, wrong) : r;
}

static int read_format(struct config_loader *l, const struct config_node *v, void *to)
{
    struct remote_system *s = to;
    bool is_json = v->kind == SCALAR && !strcmp(v->text, "json");
    if (!is_json && (v->kind != SCALAR || strcmp(v->text, "csv") != 0))
        return config_bad(l, v->line, v->text ? v->text : "", "json or csv");
    s->format = is_json ? REMOTE_JSON : REMOTE_CSV;
    s->has_format = true;
    return 0;
}

static int read_columns(struct config_loader *l, const struct config_node *v, void *to)
{
    struct remote_system *s = to;
    if (v->kind != MAPPING)
        return config_bad(l, v->line, v->text ? v->text : "[...]", "our column: theirs, as in  inside_ip: private_address");
    for (const struct config_node *k = v->first; k; k = k->next->next) {
        if (k->kind != SCALAR || !remote_check_column(k->text))
            return config_bad(l, k->line, k->text ? k->text : "{...}", "a column that 'lease import' reads (docs/leases.md)");
        if (s->n_columns == REMOTE_COLUMNS)
            return config_bad(l, k->line, k->text, "at most 24 columns");
        s->columns[s->n_columns].ours = k->text;
        int r = config_text(l, k->next, &s->columns[s->n_columns].theirs);
        if (r)
            return r;
        s->n_columns++;
    }
    return 0;
}

static int read_token_name(struct config_loader *l, const struct config_node *v, void *to)
{
    int r = config_text(l, v, to);
    for (const char *p = r ? "" : v->text; *p; p++)
        if (*p < ' ' || *p > '~')
            return config_bad(l, v->line, v->text, "the header of the token: \"Authorization: Bearer\" or \"X-Api-Key:\"");
    return r;
}

static int read_remote(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"url", read_url, offsetof(struct remote_system, url)},
        {"token_file", config_path, offsetof(struct remote_system, token_file)},
        {"token_header", read_token_name, offsetof(struct remote_system, token_name)},
        {"ca_file", config_path, offsetof(struct remote_system, ca_file)},
        {"format", read_format, 0},
        {"rows", config_text, offsetof(struct remote_system, rows)},
        {"name", config_text, offsetof(struct remote_system, name)},
        {"columns", read_columns, 0},
        {"timeout", config_span, offsetof(struct remote_system, timeout_us)},
        {"max_bytes", config_bytes, offsetof(struct remote_system, max_bytes)},
        {"asks_at_most", config_count, offsetof(struct remote_system, asks_at_most)},
    };
    struct remote_system *s = to;
    *s = (struct remote_system){.timeout_us = 10 * US_PER_SECOND, .max_bytes = 1 << 20, .asks_at_most = 1000, .zone_s = l->config->zone_s};
    int r = config_mapping(l, v, CONFIG_KEYS(keys), s);
    if (r)
        return r;
    if (!s->url)
        return config_bad(l, v->line, "remote", "url: https://...?ip={address}&port={port}&from={from}&to={to}");
    if (!s->has_format)
        return config_bad(l, v->line, "remote", "format: json or csv");
    if (s->timeout_us < US_PER_SECOND || s->timeout_us > 300 * US_PER_SECOND)
        return config_bad(l, v->line, "timeout", "timeout: 1s..300s");
    if (s->max_bytes < 1024 || s->max_bytes > (64 << 20))
        return config_bad(l, v->line, "max_bytes", "max_bytes: 1K..64M");
    if (s->token_file && !strncmp(s->url, "http:", 5))
        return config_bad(l, v->line, s->url, "https: a token is not sent in clear");
    return 0;
}

int config_leases(struct config_loader *l, const struct config_node *v, void *to)
{
    static const struct config_key keys[] = {
        {"keep_at_least", config_span, offsetof(struct config, leases_keep_at_least_us)},
        {"keep_at_most", config_span, offsetof(struct config, leases_keep_at_most_us)},
        {"from_flows", read_flag, offsetof(struct config, leases_from_flows)},
        {"remote", read_remote, offsetof(struct config, lease_remote)},
    };
    struct config *c = to;
    int r = config_mapping(l, v, CONFIG_KEYS(keys), c);
    if (r)
        return r;
    if (c->leases_keep_at_most_us && c->leases_keep_at_most_us <= c->leases_keep_at_least_us)
        return config_bad(l, v->line, "keep_at_most", "keep_at_most: longer than keep_at_least");
    return 0;
}
