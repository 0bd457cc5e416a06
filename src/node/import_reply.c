/* SPDX-License-Identifier: Apache-2.0 */
#include "node/import_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MAPPING = 64, EXIT_FAILED_STATUS = 1, EXIT_REFUSED_STATUS = 2 };

json_t *import_reply_refused(const struct import_refused *r)
{
    char value[200];
    text_escape(r->value.p, r->value.n, value, sizeof(value));
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "what", "refused", "reason", r->reason, "row",
                     (json_int_t)r->row, "line", (json_int_t)r->line, "n", (json_int_t)r->n, "value", value);
}

static json_t *reasons(const struct import_summary *s)
{
    json_t *o = json_object();
    for (uint32_t i = 0; o && i < s->n_reasons; i++)
        json_object_set_new(o, s->refused[i].reason, json_integer((json_int_t)s->refused[i].n));
    return o;
}

json_t *import_reply_file(const char *name, int result, const struct import_stored *s, const struct fault *f)
{
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "what", "file", "name", name,
                     "result", result, "text", result ? f->text : "", "kind", s->summary.kind, "unit", s->summary.unit,
                     "read", (json_int_t)s->summary.read, "kept", (json_int_t)s->summary.kept, "other",
                     (json_int_t)s->summary.other, "flows",
                     (json_int_t)s->summary.n_flows, "nat", (json_int_t)s->summary.n_nat, "refused",
                     (json_int_t)import_summary_refused(&s->summary),
                     "truncated", (int)s->summary.is_truncated, "reasons", reasons(&s->summary));
}

json_t *import_reply_left(const struct import_summary *s)
{
    return json_pack("{s:s, s:I, s:o}", "what", "left", "refused", (json_int_t)import_summary_refused(s), "reasons",
                     reasons(s));
}

int import_reply_status(int before, int result, const struct import_stored *s)
{
    if (before == EXIT_FAILED_STATUS || result < 0)
        return EXIT_FAILED_STATUS;
    bool refused = result > 0 || s->summary.is_truncated || import_summary_refused(&s->summary);
    return refused ? EXIT_REFUSED_STATUS : before;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *t = json_string_value(json_object_get(o, key));
    return t ? t : "";
}

static long long number_of(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static const char *count_of(const json_t *o, const char *key)
{
    long long n = number_of(o, key);
    return message_count(n < 0 ? 0 : (uint64_t)n);
}

static void print_reasons(const json_t *all)
{
    const char *reason;
    json_t *n;
    json_object_foreach((json_t *)(uintptr_t)all, reason, n)
        SAY(stderr, import_refused_by, message_count((uint64_t)json_integer_value(n)), message_find("reason_", reason));
}

static void print_file(const json_t *r)
{
    if (number_of(r, "result")) {
        SAY(stderr, import_file_not_kept, text_of(r, "text"));
        return;
    }
    if (!strcmp(text_of(r, "unit"), "events"))
        SAY(stderr, import_logs_account, text_of(r, "name"), text_of(r, "kind"), count_of(r, "read"), count_of(r, "kept"),
            count_of(r, "refused"));
    else
        SAY(stderr, import_file_account, text_of(r, "name"), text_of(r, "kind"), count_of(r, "read"),
        message_find("unit_", text_of(r, "unit")), count_of(r, "kept"), count_of(r, "refused"),
        count_of(r, "flows"));
    print_reasons(json_object_get(r, "reasons"));
    if (number_of(r, "nat"))
        SAY(stderr, import_file_nat, count_of(r, "nat"));
    if (number_of(r, "other") > number_of(r, "nat"))
        SAY(stderr, import_file_other, message_count((uint64_t)(number_of(r, "other") - number_of(r, "nat"))));
    if (json_is_true(json_object_get(r, "truncated")))
        SAY(stderr, import_file_truncated, text_of(r, "name"));
}

void import_reply_print(const json_t *r)
{
    const char *what = text_of(r, "what");
    if (!strcmp(what, "refused")) {
        long long row = number_of(r, "row");
        SAY(stderr, import_row_refused, row, message_find("reason_", text_of(r, "reason")), text_of(r, "value"));
    } else if (!strcmp(what, "file")) {
        print_file(r);
    } else if (!strcmp(what, "left")) {
        SAY(stderr, import_left, count_of(r, "refused"));
        print_reasons(json_object_get(r, "reasons"));
    }
}

/* The pairs and the text they point into are one piece of memory. */
int import_reply_mapping(const char *text, const struct flow_mapping **ret, uint32_t *ret_n)
{
    size_t n_bytes = MAX_MAPPING * sizeof(struct flow_mapping), n_text = strlen(text) + 1;
    struct flow_mapping *m = calloc(1, n_bytes + n_text);
    if (!m)
        return -ENOMEM;
    char *at = (char *)m + n_bytes;
    memcpy(at, text, n_text);
    uint32_t n = 0;
    while (at) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        if (n == MAX_MAPPING || flow_csv_mapping_parse(at, &m[n])) {
            free(m);
            return 1;
        }
        n++;
        at = comma ? comma + 1 : NULL;
    }
    *ret = m;
    *ret_n = n;
    return 0;
}

void import_reply_mapping_free(const struct flow_mapping *m)
{
    struct flow_mapping *own;
    memcpy(&own, &m, sizeof(own));
    free(own);
}
