/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/sigma_entity.h"

#include <string.h>

static void add(struct event_names *names, const char *const *list, uint16_t *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = list[i] ? event_names_add(names, (struct text){list[i], strlen(list[i])}) : EVENT_NO_FIELD;
}

void sigma_entities_init(struct sigma_entities *n, struct event_names *names)
{
    static const char *const hosts[8] = {"winlog.computer_name", "host.name", "host.hostname", "observer.name", "observer.hostname",
        "agent.name"};
    static const char *const users[10] = {"user.name", "winlog.event_data.User", "winlog.event_data.TargetUserName",
        "winlog.event_data.SubjectUserName",
                                          "source.user.name", "user.id", "related.user"};
    add(names, hosts, n->hosts, 8);
    add(names, users, n->users, 10);
}

static struct text first(const struct events *e, uint32_t row, const uint16_t *fields, unsigned n, char out[EVENT_VALUE_TEXT_MAX])
{
    for (unsigned i = 0; i < n && fields[i] != EVENT_NO_FIELD; i++) {
        const struct event_value *v = event_get(e, row, fields[i]);
        if (!v || v->type == EVENT_NULL)
            continue;
        struct text t = event_value_text(e, v, out);
        if (t.n && !text_is(t, "-"))
            return t;
    }
    return (struct text){0};
}

struct text sigma_entity_host(const struct sigma_entities *n, const struct events *e, uint32_t row, char out[EVENT_VALUE_TEXT_MAX])
{
    return first(e, row, n->hosts, 8, out);
}

struct text sigma_entity_user(const struct sigma_entities *n, const struct events *e, uint32_t row, char out[EVENT_VALUE_TEXT_MAX])
{
    return first(e, row, n->users, 10, out);
}
