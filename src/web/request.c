/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says: members of its body, parameters of its query. What is wrong is collected and told at once. */
#include "web/web_own.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* --- what is wrong ------------------------------------------------------------------------------------------------- */

const char *web_text(const struct web_request *q, enum message_id id)
{
    return message_text_in(q->language, id);
}

void web_wrong(const struct web_request *q, const char *place, enum message_id id)
{
    struct web_call *c = call_of(q);
    if (!c->wrong)
        c->wrong = json_array();
    if (json_array_size(c->wrong) < WEB_WRONG_MAX)
        json_array_append_new(c->wrong, json_pack("{s:s, s:s}", "pointer", place, "detail", web_text(q, id)));
}

static void wrong_member(const struct web_request *q, const char *name, enum message_id id)
{
    char place[80];
    snprintf(place, sizeof(place), "/%s", name);
    web_wrong(q, place, id);
}

bool web_check(const struct web_request *q, struct web_reply *r)
{
    struct web_call *c = call_of(q);
    if (!c->wrong)
        return true;
    web_problem(q, r, 422, "wrong_members");
    if (r->json)
        json_object_set(r->json, "errors", c->wrong);
    return false;
}

/* --- members of the body --------------------------------------------------------------------------------------------- */

bool web_has_member(const struct web_request *q, const char *name)
{
    return json_object_get(q->body, name) != NULL;
}

/* member - NULL: absent or null; said to be wrong if it is needed. */
static const json_t *member(const struct web_request *q, const char *name, bool is_needed)
{
    const json_t *v = json_object_get(q->body, name);
    if (v && !json_is_null(v))
        return v;
    if (is_needed)
        wrong_member(q, name, MSG_web_needed);
    return NULL;
}

static bool is_clean(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)p[i] < 0x20 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t') || p[i] == 0x7f)
            return false;
    return true; /* that it is UTF-8 the reader of JSON has seen to */
}

struct text web_member_text(const struct web_request *q, const char *name, size_t max, bool is_needed)
{
    const struct text none = {"", 0};
    const json_t *v = member(q, name, is_needed);
    if (!v)
        return none;
    struct text t = {json_string_value(v), json_string_length(v)};
    if (!json_is_string(v) || !is_clean(t.p, t.n)) {
        wrong_member(q, name, MSG_web_no_text);
        return none;
    }
    if (t.n > max) {
        wrong_member(q, name, MSG_web_too_long);
        return none;
    }
    if (is_needed && !text_trim(t).n) {
        wrong_member(q, name, MSG_web_needed);
        return none;
    }
    return t;
}

int64_t web_member_int(const struct web_request *q, const char *name, int64_t min, int64_t max, int64_t otherwise, bool is_needed)
{
    const json_t *v = member(q, name, is_needed);
    if (!v)
        return otherwise;
    if (!json_is_integer(v)) {
        wrong_member(q, name, MSG_web_no_number);
        return otherwise;
    }
    if (json_integer_value(v) < min || json_integer_value(v) > max) {
        wrong_member(q, name, MSG_web_out_of_range);
        return otherwise;
    }
    return json_integer_value(v);
}

bool web_member_bool(const struct web_request *q, const char *name, bool otherwise)
{
    const json_t *v = member(q, name, false);
    if (!v)
        return otherwise;
    if (!json_is_boolean(v))
        wrong_member(q, name, MSG_web_no_boolean);
    return json_is_true(v);
}

int64_t web_member_time(const struct web_request *q, const char *name, bool is_needed)
{
    int64_t us = 0;
    const json_t *v = member(q, name, is_needed);
    if (!v)
        return 0;
    struct text t = {json_string_value(v), json_string_length(v)};
    /* RFC 3339 only: "2026-02-17T03:00:00Z"; what else people write for times is the command line's */
    bool is_form = t.p && t.n >= 20 && t.n <= 40 && (t.p[10] == 'T' || t.p[10] == 't' || t.p[10] == ' ') && t.p[4] == '-' && t.p[13] == ':';
    if (!is_form || clock_parse(t.p, t.n, 0, &us) || us <= 0) {
        wrong_member(q, name, MSG_web_no_time);
        return 0;
    }
    return us;
}

int web_member_choice(const struct web_request *q, const char *name, const char *const *choices, int otherwise, bool is_needed)
{
    const json_t *v = member(q, name, is_needed);
    if (!v)
        return otherwise;
    for (int i = 0; json_is_string(v) && choices[i]; i++)
        if (!strcmp(choices[i], json_string_value(v)))
            return i;
    wrong_member(q, name, MSG_web_no_choice);
    return otherwise;
}

/* --- path and query ------------------------------------------------------------------------------------------------------ */

bool web_parameter_id(const struct web_request *q, struct web_reply *r, unsigned i, int64_t *ret)
{
    uint64_t id;
    if (i < WEB_PARAMETERS && q->parameters[i].p && !text_u64(q->parameters[i], INT64_MAX, &id) && id) {
        *ret = (int64_t)id;
        return true;
    }
    web_not_found(q, r);
    return false;
}

const char *web_query(const struct web_request *q, const char *name)
{
    struct web_call *c = call_of(q);
    struct text rest = {c->http->query, strlen(c->http->query)}, raw_name, raw_value;
    size_t n;
    while (http_query_next(&rest, &raw_name, &raw_value)) {
        const char *this = http_decode(q->arena, raw_name, true, &n);
        if (this && !strcmp(this, name))
            return http_decode(q->arena, raw_value, true, &n);
    }
    return NULL;
}

bool web_query_is_text(struct web_call *c)
{
    struct text rest = {c->http->query, strlen(c->http->query)}, name, value;
    size_t n;
    for (unsigned i = 0; http_query_next(&rest, &name, &value); i++) {
        const char *p = i < 64 ? http_decode(&c->arena, name, true, &n) : NULL;
        if (!p || !is_clean(p, n))
            return false;
        p = http_decode(&c->arena, value, true, &n);
        if (!p || !is_clean(p, n))
            return false;
    }
    return true;
}
