/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sigma documents of any bytes: each is understood or refused with a reason; what is understood compiles and runs.
 * The bytes behind a line "#event" are the text of an event that the rules then meet.
 */
#include "watch/detect/sigma_correlate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *pipelines(void)
{
    static char folder[] = "/tmp/vonggac-fuzz-sigma-XXXXXX";
    static int is_made;
    if (!is_made && !mkdtemp(folder))
        abort();
    is_made = 1;
    return folder;
}

struct state {
    struct sigma_matcher *m;
    struct sigma_correlator *c;
    const struct sigma_rules *r;
};

static int answer(void *context, const struct sigma_correlated *c)
{
    const struct state *s = context;
    assert(c->rule < sigma_rules_count(s->r));
    return 0;
}

static int hit(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    struct state *s = context;
    assert(row < e->n && rule < sigma_rules_count(s->r));
    return sigma_correlator_add(s->c, s->m, e, row, rule, 0, answer, s);
}

static void meet(const struct sigma_rules *r, struct event_names *names, struct text t)
{
    struct state s = {sigma_matcher_new(r), sigma_correlator_new(r, 1 << 20), r};
    struct events *e = events_new(names);
    static const char *const fields[] = {"a", "b", "c", "user.name"};
    if (!s.m || !s.c || !e)
        abort();
    for (int row = 0; row < 4; row++) {
        if (event_begin(e, t, row))
            break;
        for (size_t i = 0; i < 4; i++)
            event_put_name(e, (struct text){fields[i], strlen(fields[i])}, (struct text){t.p + i * t.n / 8, t.n / 2});
        event_end(e);
    }
    assert(sigma_match(s.m, e, hit, &s) == 0);
    assert(sigma_correlator_flush(s.c, answer, &s) == 0);
    const struct sigma_correlate_counters *k = sigma_correlator_counters(s.c);
    assert(k->bytes <= (2 << 20));
    sigma_matcher_free(s.m);
    sigma_correlator_free(s.c);
    events_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = {(const char *)data, size}, event = {"", 0};
    const char *mark = memmem(data, size, "\n#event\n", 8);
    if (mark) {
        event = (struct text){mark + 8, size - (size_t)(mark + 8 - t.p)};
        t.n = (size_t)(mark - t.p);
    }
    if (event.n > 4096 || t.n > 65536)
        return 0;
    struct event_names *names = event_names_new();
    struct sigma_rules *r = NULL;
    struct fault f = {0};
    struct sigma_load l = {.pipelines = pipelines(), .names = names};
    int e = sigma_rules_parse(&l, "fuzz", t, &r, &f);
    assert(e == 0);
    uint32_t n, n_fine = 0;
    const struct sigma_checked *c = sigma_rules_checked(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        assert(c[i].reason < SIGMA_N_REASONS);
        n_fine += !c[i].reason && c[i].kind != SIGMA_FILTER;
    }
    assert(n >= 1 && n_fine == sigma_rules_count(r));
    meet(r, names, event);
    sigma_rules_free(r);
    event_names_free(names);
    return 0;
}
