/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behaviour_names_bench - how well names that programs draw are told from others, and log-ins that are guessed at found.
 *
 *   behaviour_names_bench score LABELS...        "file labels over50 over80 over95 mean" per file of names, one a line
 *   behaviour_names_bench machine ORDINARY DRAWN...  machines that ask ordinary names, and one for each file of drawn ones
 *   behaviour_names_bench logs FILE...           alarms of all behaviour over log files, one JSON line each
 *   behaviour_names_bench judge NAMES            the names of a file whose label is left for judging (train_names.py)
 *
 * Everything is printed as lines of key=value, so that tests/bench/behaviour_part.py can compare it with labels.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "watch/detect/behaviour_logins.h"
#include "watch/detect/behaviour_names.h"
#include "watch/intake/decoders.h"
#include "watch/intake/log_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_US (INT64_C(1700000000) * US_PER_SECOND)

struct lines {
    uint8_t *bytes;
    struct text *all;
    uint32_t n;
};

static bool lines_read(const char *path, struct lines *ret)
{
    size_t n = 0;
    *ret = (struct lines){0};
    if (file_read_path(path, (size_t)64 << 20, &ret->bytes, &n) < 0 || !(ret->all = calloc(n + 1, sizeof(*ret->all)))) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return false;
    }
    const char *p = (const char *)ret->bytes, *end = p + n;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        struct text t = text_trim((struct text){p, (size_t)(stop - p)});
        if (t.n)
            ret->all[ret->n++] = t;
        p = stop + 1;
    }
    return true;
}

static void lines_fini(struct lines *l)
{
    free(l->all);
    free(l->bytes);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* --- names one by one ------------------------------------------------------------------------------------------------- */

static int score_file(const struct names_knowledge *k, const char *path)
{
    struct lines l;
    struct domain_name name;
    double score, sum = 0;
    uint32_t n = 0, over[3] = {0};
    if (!lines_read(path, &l))
        return 1;
    for (uint32_t i = 0; i < l.n; i++) {
        if (domain_name_read(k->suffixes, l.all[i], &name) || !name.label.n || name_score(k->model, name.label, &score))
            continue;
        n++;
        sum += score;
        over[0] += score >= 0.5;
        over[1] += score >= 0.8;
        over[2] += score >= 0.95;
    }
    printf("file=%s names=%u over50=%u over80=%u over95=%u mean=%.4f\n", base_name(path), n, over[0], over[1], over[2], n ? sum / n : 0);
    lines_fini(&l);
    return 0;
}

static int judge_file(const struct names_knowledge *k, const char *path)
{
    struct lines l;
    struct domain_name name;
    if (!lines_read(path, &l))
        return 1;
    for (uint32_t i = 0; i < l.n; i++) {
        if (domain_name_read(k->suffixes, l.all[i], &name) || !name.label.n)
            continue;
        if (sha256_of(name.label.p, name.label.n).b[0] % 5 == 0)
            printf("%.*s\n", (int)name.n, name.name);
    }
    lines_fini(&l);
    return 0;
}

/* --- machines --------------------------------------------------------------------------------------------------------- */

struct alarms {
    uint32_t n_dga, n_tunnel;
    double drawn, confidence, names;
};

static int on_alarm(void *context, const struct behaviour_alarm *a)
{
    struct alarms *x = context;
    x->n_dga += a->kind == BEHAVIOUR_DGA;
    x->n_tunnel += a->kind == BEHAVIOUR_DNS_TUNNEL;
    if (a->kind != BEHAVIOUR_DGA || x->n_dga > 1)
        return 0;
    x->confidence = a->confidence_pct;
    for (uint32_t i = 0; i < a->n_numbers; i++) {
        x->drawn = !strcmp(a->numbers[i].name, "drawn_names") ? a->numbers[i].value : x->drawn;
        x->names = !strcmp(a->numbers[i].name, "names") ? a->numbers[i].value : x->names;
    }
    return 0;
}

static void ask(struct events *e, struct text name, unsigned second, const char *code)
{
    struct ip ip = ip_from_v4(0x0a000001);
    if (event_begin(e, name, START_US + (int64_t)second * US_PER_SECOND))
        return;
    event_put_ip(e, EV_SOURCE_IP, &ip);
    event_put_text(e, EV_DNS_QUESTION_NAME, name);
    if (code)
        event_put_text(e, EV_DNS_RESPONSE_CODE, (struct text){code, strlen(code)});
    event_end(e);
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* one_machine - an hour: @n_ordinary ordinary names of which @failing % fail, and @n_drawn of the others, which all fail. */
static int one_machine(const struct behaviour_settings *s, const struct lines *ordinary, unsigned n_ordinary, unsigned failing,
                       const struct lines *drawn, unsigned n_drawn, bool has_answers, uint64_t *random, struct alarms *ret)
{
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    struct behaviour_base base = {.settings = s, .names = names, .emit = on_alarm, .context = ret, .window_us = 86400 * US_PER_SECOND};
    void *d = behaviour_names_detector.create(&base);
    *ret = (struct alarms){0};
    if (!names || !e || !d)
        return 1;
    unsigned total = n_ordinary + n_drawn, given = 0;
    for (unsigned i = 0; i < total; i++) {
        bool is_drawn = n_drawn && (uint64_t)given * total <= (uint64_t)i * n_drawn && given < n_drawn;
        if (is_drawn)
            ask(e, drawn->all[given++ * (drawn->n > n_drawn ? drawn->n / n_drawn : 1) % drawn->n], i * 3000 / total,
                has_answers ? "NXDOMAIN" : NULL);
        else
            ask(e, ordinary->all[next(random) % ordinary->n], i * 3000 / total,
                !has_answers ? NULL : next(random) % 100 < failing ? "NXDOMAIN" : "NOERROR");
    }
    int r = behaviour_names_detector.events(d, e, NULL);
    r = r ? r : behaviour_names_detector.flush(d, INT64_MAX);
    behaviour_names_detector.destroy(d);
    events_free(e);
    event_names_free(names);
    return r;
}

static int machines(int n, char **paths)
{
    enum { ORDINARY_MACHINES = 300, ORDINARY_NAMES = 300, FAILING_PCT = 5, DRAWN_NAMES = 100 };
    struct behaviour_settings s;
    struct lines ordinary, drawn;
    struct alarms a;
    uint64_t random = 20240823;
    uint32_t false_alarms[2] = {0};
    behaviour_settings_default(&s);
    if (!lines_read(paths[0], &ordinary))
        return 1;
    for (unsigned i = 0; i < ORDINARY_MACHINES * 2; i++) {
        if (one_machine(&s, &ordinary, ORDINARY_NAMES, FAILING_PCT, &ordinary, 0, i % 2 == 0, &random, &a))
            return 1;
        false_alarms[i % 2] += a.n_dga > 0;
    }
    printf("machines=%d names=%d failing_pct=%d false_alarms_answers_seen=%u false_alarms_questions_only=%u\n", ORDINARY_MACHINES,
           ORDINARY_NAMES, FAILING_PCT, false_alarms[0], false_alarms[1]);
    for (int i = 1; i < n; i++) {
        struct alarms blind;
        if (!lines_read(paths[i], &drawn))
            return 1;
        unsigned asked = drawn.n < DRAWN_NAMES ? drawn.n : DRAWN_NAMES;
        if (one_machine(&s, &ordinary, ORDINARY_NAMES, FAILING_PCT, &drawn, asked, true, &random, &a) ||
            one_machine(&s, &ordinary, ORDINARY_NAMES, FAILING_PCT, &drawn, asked, false, &random, &blind))
            return 1;
        printf("family=%s asked=%u answers_seen=%d confidence=%.0f at_name=%.0f questions_only=%d\n", base_name(paths[i]), asked, a.n_dga > 0,
               a.confidence, a.names, blind.n_dga > 0);
        lines_fini(&drawn);
    }
    lines_fini(&ordinary);
    return 0;
}

/* --- logs -------------------------------------------------------------------------------------------------------------- */

struct feed {
    struct behaviour_engine *engine;
    const char *path;
    struct behaviour_own own;
};

static int print_alarm(void *context, const struct behaviour_alarm *a)
{
    const struct feed *f = context;
    char own[IP_TEXT_MAX] = "", peer[IP_TEXT_MAX] = "";
    ip_format(&a->own, own);
    ip_format(&a->peer, peer);
    printf("path=%s kind=%s own=%s peer=%s host=%.*s user=%.*s name=%.*s severity=%u confidence=%u events=%llu query=<%.*s>", f->path,
           behaviour_name(a->kind), own, peer, (int)a->host.n, a->host.p, (int)a->user.n, a->user.p, (int)a->name.n, a->name.p, a->severity,
           a->confidence_pct, (unsigned long long)a->n_events, (int)a->query.n, a->query.p);
    for (uint32_t i = 0; i < a->n_numbers; i++)
        printf(" %s=%.4g", a->numbers[i].name, a->numbers[i].value);
    putchar('\n');
    return 0;
}

static int take(void *context, struct events *e)
{
    struct feed *f = context;
    return behaviour_events(f->engine, e, &f->own);
}

static int logs(int n, char **paths)
{
    struct behaviour_settings s;
    struct event_names *names = event_names_new();
    struct fault fault = {0};
    struct line_decoders *lines = NULL;
    behaviour_settings_default(&s);
    if (!names || decoders_load(NULL, names, NULL, NULL, &lines, &fault)) {
        fprintf(stderr, "decoders: %s\n", fault.text);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        struct feed f = {.path = paths[i]};
        struct behaviour_base base = {.settings = &s, .names = names, .emit = print_alarm, .context = &f, .window_us = 86400 * US_PER_SECOND};
        struct log_options o = {.path = paths[i], .arrived_us = INT64_C(1767225600) * US_PER_SECOND};
        struct log_account account;
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || behaviour_engine_new(&base, &f.engine))
            return 1;
        int r = log_read(fd, &o, names, lines, take, NULL, &f, &account, &fault);
        r = r ? r : behaviour_flush(f.engine, INT64_MAX);
        struct behaviour_counters tries = {0};
        for (size_t d = 0; behaviour_detectors[d]; d++)
            if (behaviour_detectors[d] == &behaviour_logins_detector)
                behaviour_count(f.engine, d, &tries);
        printf("path=%s read=%llu tries=%llu result=%d\n", paths[i], (unsigned long long)account.kept, (unsigned long long)tries.used, r);
        behaviour_engine_free(f.engine);
        close(fd);
    }
    line_decoders_free(lines);
    event_names_free(names);
    return 0;
}

int main(int argc, char **argv)
{
    struct names_knowledge k;
    struct fault f = {0};
    int r = 2;
    if (argc < 3)
        return r;
    if (!strcmp(argv[1], "logs"))
        return logs(argc - 2, argv + 2);
    if (!strcmp(argv[1], "machine"))
        return machines(argc - 2, argv + 2);
    if (names_knowledge_read(&k, &f)) {
        fprintf(stderr, "%s\n", f.text);
        return 1;
    }
    for (int i = 2; i < argc; i++)
        r = !strcmp(argv[1], "score") ? score_file(&k, argv[i]) : judge_file(&k, argv[i]);
    names_knowledge_fini(&k);
    return r;
}
