/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoders of content/decoders against logs and expectations of others: the failJSON comments of fail2ban (time and
 * source of every line) and the parser.assert files of crowdsec's hub. Nothing of either is part of this project; both
 * are looked for in $VONGGAC_SHARED/data/logs.
 */
#include "cmocka_house.h"

#include "base/clock.h"
#include "format/line_impl.h"
#include "help_dir.h"
#include "watch/intake/decoders.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <time.h>

#define FILE_MAX_BYTES ((size_t)16 << 20)

struct bench {
    struct event_names *names;
    struct line_decoders *decoders;
    struct line_scratch *scratch;
    struct events *events;
};

static struct bench bench_new(void)
{
    struct bench b = {0};
    struct fault f = {0};
    char path[PATH_MAX];
    const char *source = getenv("VONGGAC_SOURCE");
    snprintf(path, sizeof path, "%s/content/decoders", source ? source : ".");
    b.names = event_names_new();
    if (decoders_load(path, b.names, NULL, NULL, &b.decoders, &f)) {
        print_error("%s\n", f.text);
        fail();
    }
    b.scratch = line_scratch_new(b.decoders);
    b.events = events_new(b.names);
    assert_non_null(b.scratch);
    assert_non_null(b.events);
    return b;
}

static void bench_free(struct bench *b)
{
    line_scratch_free(b->scratch);
    events_free(b->events);
    line_decoders_free(b->decoders);
    event_names_free(b->names);
}

static bool unpack(const char *name, struct help_dir *ret)
{
    char path[PATH_MAX], command[2 * PATH_MAX];
    const char *shared = getenv("VONGGAC_SHARED");
    snprintf(path, sizeof path, "%s/data/logs/%s", shared ? shared : "../shared", name);
    if (access(path, R_OK)) {
        print_message("skipped: %s is not there\n", path);
        return false;
    }
    *ret = help_dir_new();
    snprintf(command, sizeof command, "tar -xJf '%s' -C '%s'", path, ret->path);
    assert_int_equal(system(command), 0);
    return true;
}

static char *read_file(const char *path)
{
    uint8_t *content = NULL;
    size_t n;
    return file_read_path(path, FILE_MAX_BYTES, &content, &n) ? NULL : (char *)content;
}

/* --- fail2ban --------------------------------------------------------------------------------------- */

/* what differs on purpose, or cannot be known from the line alone */
static const struct {
    const char *file;
    unsigned n_hosts, n_times;
    const char *why;
} exceptions[] = {
    {"3proxy", 0, 3, "+0300 stands in the line; fail2ban's pattern leaves it out"},
    {"cowrie", 2, 2, "JSON lines: their decoder is another"},
    {"dovecot", 0, 4, "TAI64N labels count ten seconds more than POSIX time; fail2ban takes them as POSIX time"},
    {"ejabberd-auth", 0, 1, "the time stands in the line before"},
    {"haproxy-http-auth", 0, 3, "the time within the message has a year, fail2ban guesses one from the header"},
    {"slapd", 1, 0, "the source stands in another line of the same connection"},
    {"sshd", 12, 0, "11 sources stand in another line of the same process; one line is ambiguous and we take the last address"},
    {"zzz-generic-example", 16, 0, "an invented program"},
};

/* zurich_s - fail2ban's own tests run there: +01:00, +02:00 from the last Sunday of March to that of October. */
static int zurich_s(int64_t local_us)
{
    struct civil c = clock_civil(local_us, 0);
    int64_t from, to;
    for (int day = 31;; day--) {
        struct civil s = {c.year, 3, day, 2, 0, 0, 0};
        clock_from_civil(&s, 0, &from);
        if ((from / US_PER_DAY + 4) % 7 == 0)
            break;
    }
    for (int day = 31;; day--) {
        struct civil s = {c.year, 10, day, 3, 0, 0, 0};
        clock_from_civil(&s, 0, &to);
        if ((to / US_PER_DAY + 4) % 7 == 0)
            break;
    }
    return local_us >= from && local_us < to ? 7200 : 3600;
}

static bool has_host(const struct events *e, struct text want)
{
    static const uint16_t fields[] = {EV_SOURCE_IP, EV_SOURCE_ADDRESS, EV_SOURCE_DOMAIN, EV_CLIENT_IP};
    struct ip a, b;
    for (size_t k = 0; k < COUNT_OF(fields); k++) {
        char scratch[EVENT_VALUE_TEXT_MAX];
        const struct event_value *v = event_get(e, 0, fields[k]);
        struct text is = v ? event_value_text(e, v, scratch) : (struct text){NULL, 0};
        if (v && text_equal(is, want))
            return true;
        if (v && !ip_parse(is.p, is.n, &a) && !ip_parse(want.p, want.n, &b) && ip_equal(&a, &b))
            return true;
    }
    return false;
}

struct tally {
    unsigned n_lines, n_understood, n_match, n_hosts, n_times;
};

static void decode_one(struct bench *b, struct text line, int zone_s, struct tally *t)
{
    struct line_file file = {0};
    struct line_origin o = {.zone_s = zone_s, .file = &file};
    clock_parse("2005-08-14T10:00:00Z", 20, 0, &o.arrived_us);
    events_clear(b->events);
    int r = line_decode(b->decoders, b->scratch, b->events, line, &o);
    assert_in_range(r, 0, LINE_EMPTY);
    assert_int_equal(b->events->n, r != LINE_EMPTY);
    if (r == LINE_EMPTY)
        return;
    struct text original = event_original(b->events, 0);
    size_t n = line.n;
    while (n && (line.p[n - 1] == '\r' || line.p[n - 1] == 0))
        n--;
    assert_true(text_equal(original, (struct text){line.p, n})); /* untouched */
    t->n_lines++;
    t->n_understood += r == 0;
}

static void check_line(struct bench *b, struct text line, const json_t *expect, struct tally *t)
{
    const char *time = json_string_value(json_object_get(expect, "time"));
    json_t *host = json_object_get(expect, "host");
    bool is_match = json_is_true(json_object_get(expect, "match"));
    struct civil c = {0};
    int64_t local_us = 0;
    if (time && sscanf(time, "%d-%d-%dT%d:%d:%d", &c.year, &c.month, &c.day, &c.hour, &c.minute, &c.second) == 6)
        clock_from_civil(&c, 0, &local_us);
    int zone_s = c.year ? zurich_s(local_us) : 7200;
    decode_one(b, line, zone_s, t);
    if (!is_match || !b->events->n)
        return;
    int64_t want_us = local_us - zone_s * US_PER_SECOND, is_us = b->events->time_us[0];
    const char *name = json_string_value(host);
    bool is_host = !name || has_host(b->events, (struct text){name, strlen(name)});
    bool is_time = !c.year || is_us / US_PER_SECOND == want_us / US_PER_SECOND;
    t->n_match++;
    t->n_hosts += is_host;
    t->n_times += is_time;
    if (getenv("VONGGAC_SHOW") && (!is_host || !is_time))
        print_message("%s %s: %.*s\n", is_host ? "" : "host", is_time ? "" : "time", (int)line.n, line.p);
}

static void check_service(struct bench *b, const char *name, char *content, struct tally *total)
{
    struct tally t = {0};
    json_t *expect = NULL;
    for (char *p = content, *next; *p; p = next) {
        char *end = strchrnul(p, '\n');
        next = *end ? end + 1 : end;
        *end = 0;
        char *json = !strncmp(p, "# failJSON:", 11) ? p + 11 : !strncmp(p, "#failJSON:", 10) ? p + 10 : NULL;
        if (json) {
            json_decref(expect);
            expect = json_loads(json, 0, NULL);
        } else if (*p && strncmp(p, "# ", 2) != 0 && (p[0] != '#' || expect)) {
            check_line(b, (struct text){p, (size_t)(end - p)}, expect, &t);
            json_decref(expect);
            expect = NULL;
        }
    }
    json_decref(expect);
    unsigned n_hosts = 0, n_times = 0;
    for (size_t i = 0; i < COUNT_OF(exceptions); i++)
        if (!strcmp(exceptions[i].file, name)) {
            n_hosts = exceptions[i].n_hosts;
            n_times = exceptions[i].n_times;
            print_message("  %s: %u sources and %u times differ: %s\n", name, n_hosts, n_times, exceptions[i].why);
        }
    if (t.n_hosts + n_hosts < t.n_match || t.n_times + n_times < t.n_match) {
        print_error("%s: %u lines match; source right in %u, time in %u\n", name, t.n_match, t.n_hosts, t.n_times);
        fail();
    }
    total->n_lines += t.n_lines;
    total->n_understood += t.n_understood;
    total->n_match += t.n_match;
    total->n_hosts += t.n_hosts;
    total->n_times += t.n_times;
}

static void time_and_source_of_every_line_are_those_of_fail2ban(void **state)
{
    (void)state;
    struct help_dir dir;
    if (!unpack("fail2ban-logs.tar.xz", &dir))
        return;
    struct bench b = bench_new();
    struct tally total = {0};
    struct dirent **files;
    int n = scandir(dir.path, &files, NULL, alphasort);
    assert_in_range(n, 1, 1000);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir.path, files[i]->d_name);
        char *content = !stat(path, &st) && S_ISREG(st.st_mode) ? read_file(path) : NULL;
        if (content)
            check_service(&b, files[i]->d_name, content, &total);
        free(content);
        free(files[i]);
    }
    free(files);
    print_message("fail2ban: %u lines, %u understood, none lost; of %u that match: source right in %u, time in %u\n", total.n_lines,
        total.n_understood, total.n_match, total.n_hosts, total.n_times);
    assert_in_range(total.n_understood, 780, 10000); /* 23 of the rest are an invented program, most others its comments */
    assert_in_range(total.n_match, 600, 10000);
    bench_free(&b);
    help_dir_free(&dir);
}

/* --- crowdsec --------------------------------------------------------------------------------------- */

#define FIELDS_MAX 4

static const struct {
    const char *name; /* of Evt.Meta; "time" is Evt.Enriched.MarshaledTime */
    uint16_t fields[FIELDS_MAX];
    unsigned least; /* that must be right: the rest are JSON lines, lines of several records, or other opinions */
} metas[] = {
    {"source_ip", {EV_SOURCE_IP, EV_CLIENT_IP, EV_SOURCE_ADDRESS}, 1000},
    {"target_user", {EV_USER_NAME, EV_USER_TARGET_NAME, EV_USER_EFFECTIVE_NAME}, 288},
    {"http_path", {EV_URL_ORIGINAL, EV_URL_PATH}, 115},
    {"http_status", {EV_HTTP_STATUS}, 134},
    {"http_verb", {EV_HTTP_METHOD}, 120},
    {"http_user_agent", {EV_USER_AGENT}, 76},
    {"time", {0}, 820},
};
#define N_METAS COUNT_OF(metas)
#define META_TIME (N_METAS - 1)

struct entry {
    char key[256]; /* stage, node and index */
    char *message;
    char *values[N_METAS];
};

static void entry_clear(struct entry *e)
{
    free(e->message);
    for (size_t i = 0; i < N_METAS; i++)
        free(e->values[i]);
    *e = (struct entry){0};
}

static bool is_same_moment(const struct events *e, uint32_t row, const char *want)
{
    int64_t us;
    if (clock_parse(want, strlen(want), 0, &us))
        return false;
    struct civil a = clock_civil(us, 0), b = clock_civil(e->time_us[row], 0);
    return a.month == b.month && a.day == b.day && a.hour == b.hour && a.minute == b.minute && a.second == b.second; /* years are guessed */
}

static bool has_value(const struct events *e, uint32_t row, size_t meta, const char *want)
{
    if (meta == META_TIME)
        return is_same_moment(e, row, want);
    for (uint32_t i = event_from(e, row); i < e->value_end[row]; i++)
        for (size_t k = 0; k < FIELDS_MAX && metas[meta].fields[k]; k++) {
            char scratch[EVENT_VALUE_TEXT_MAX];
            if (e->values[i].field == metas[meta].fields[k] && text_is(event_value_text(e, &e->values[i], scratch), want))
                return true;
        }
    return false;
}

static void judge(const struct bench *b, struct entry *entry, unsigned n_wanted[N_METAS], unsigned n_right[N_METAS])
{
    const struct events *e = b->events;
    size_t n = entry->message ? strlen(entry->message) : 0;
    bool is_there = false;
    for (uint32_t row = 0; n && row < e->n && !is_there; row++) {
        struct text original = event_original(e, row);
        is_there = memmem(original.p, original.n, entry->message, n);
    }
    for (size_t m = 0; is_there && m < N_METAS; m++) {
        bool is_right = false;
        if (!entry->values[m] || !*entry->values[m])
            continue;
        for (uint32_t row = 0; row < e->n && !is_right; row++) {
            struct text original = event_original(e, row);
            is_right = memmem(original.p, original.n, entry->message, n) && has_value(e, row, m, entry->values[m]);
        }
        n_wanted[m]++;
        n_right[m] += is_right;
    }
    entry_clear(entry);
}

static char *quoted(const char *p)
{
    json_t *j = json_loads(p, JSON_DECODE_ANY, NULL);
    char *copy = json_is_string(j) ? strdup(json_string_value(j)) : NULL;
    json_decref(j);
    return copy;
}

/* assertion - results["s01-parse"]["node"][3].Evt.Meta["source_ip"] == "192.0.2.1" */
static void assertion(const struct bench *b, const char *line, struct entry *entry, unsigned n_wanted[N_METAS], unsigned n_right[N_METAS])
{
    const char *event = strstr(line, ".Evt."), *is = strstr(line, "\"] == \"");
    if (!event || !is || is < event || (strncmp(line, "results[\"s01", 12) != 0 && strncmp(line, "results[\"s02", 12) != 0))
        return;
    size_t n = (size_t)(event - line);
    if (n >= sizeof entry->key)
        return;
    if (strncmp(entry->key, line, n) != 0 || entry->key[n]) {
        judge(b, entry, n_wanted, n_right);
        memcpy(entry->key, line, n);
        entry->key[n] = 0;
    }
    if (!strncmp(event, ".Evt.Parsed[\"message\"]", 22) && !entry->message)
        entry->message = quoted(is + 6);
    bool is_enriched = line[11] == '2';
    for (size_t m = 0; m < N_METAS; m++) {
        char name[64];
        snprintf(name, sizeof name, m == META_TIME ? ".Evt.Enriched[\"MarshaledTime\"]" : ".Evt.Meta[\"%s\"]", metas[m].name);
        if ((m == META_TIME) == is_enriched && !strncmp(event, name, strlen(name)) && !entry->values[m])
            entry->values[m] = quoted(is + 6);
    }
}

static void decode_log(struct bench *b, char *content)
{
    struct line_file file = {0};
    struct line_origin o = {.file = &file};
    clock_parse("2026-06-30T12:00:00Z", 20, 0, &o.arrived_us);
    events_clear(b->events);
    for (char *p = content, *next; *p && !events_full(b->events); p = next) {
        char *end = strchrnul(p, '\n');
        next = *end ? end + 1 : end;
        uint32_t n = b->events->n;
        int r = line_decode(b->decoders, b->scratch, b->events, (struct text){p, (size_t)(end - p)}, &o);
        assert_in_range(r, 0, LINE_EMPTY);
        assert_int_equal(b->events->n, n + (r != LINE_EMPTY));
    }
}

static void check_case(struct bench *b, const char *dir, unsigned n_wanted[N_METAS], unsigned n_right[N_METAS])
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/parser.assert", dir);
    char *asserts = read_file(path);
    snprintf(path, sizeof path, "%s/config.yaml", dir);
    char *config = read_file(path);
    char *log = config ? strstr(config, "log_file:") : NULL, name[256];
    char *content = NULL;
    if (asserts && log && sscanf(log + 9, " %255s", name) == 1) {
        snprintf(path, sizeof path, "%s/%s", dir, name);
        content = read_file(path);
    }
    if (content) {
        decode_log(b, content);
        struct entry entry = {0};
        for (char *p = asserts, *next; *p; p = next) {
            char *end = strchrnul(p, '\n');
            next = *end ? end + 1 : end;
            *end = 0;
            assertion(b, p, &entry, n_wanted, n_right);
        }
        judge(b, &entry, n_wanted, n_right);
    }
    free(content);
    free(asserts);
    free(config);
}

static void fields_are_those_of_crowdsecs_parsers(void **state)
{
    (void)state;
    struct help_dir dir;
    if (!unpack("crowdsec-hub-tests.tar.xz", &dir))
        return;
    struct bench b = bench_new();
    unsigned n_wanted[N_METAS] = {0}, n_right[N_METAS] = {0};
    struct dirent **cases;
    int n = scandir(dir.path, &cases, NULL, alphasort);
    assert_in_range(n, 1, 10000);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", dir.path, cases[i]->d_name);
        if (cases[i]->d_name[0] != '.')
            check_case(&b, path, n_wanted, n_right);
        free(cases[i]);
    }
    free(cases);
    const struct line_counts *c = line_scratch_counts(b.scratch);
    print_message("crowdsec: %d cases, %llu lines: %llu understood, %llu kept, %llu empty\n", n - 2, (unsigned long long)c->n_lines,
        (unsigned long long)c->n_understood, (unsigned long long)c->n_kept, (unsigned long long)c->n_empty);
    assert_int_equal(c->n_lines, c->n_understood + c->n_kept + c->n_empty);
    for (size_t m = 0; m < N_METAS; m++)
        print_message("  %s: %u of %u\n", metas[m].name, n_right[m], n_wanted[m]);
    for (size_t m = 0; m < N_METAS; m++)
        assert_in_range(n_right[m], metas[m].least, n_wanted[m]);
    bench_free(&b);
    help_dir_free(&dir);
}

/* --- real lines of a host and a web server ---------------------------------------------------------- */

static void read_real(const char *name, unsigned n_lines, unsigned n_understood)
{
    char path[PATH_MAX], command[2 * PATH_MAX];
    const char *shared = getenv("VONGGAC_SHARED");
    snprintf(path, sizeof path, "%s/data/logs/%s", shared ? shared : "../shared", name);
    if (access(path, R_OK)) {
        print_message("skipped: %s is not there\n", path);
        return;
    }
    snprintf(command, sizeof command, "xz -dc '%s'", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    struct bench b = bench_new();
    struct line_file file = {0};
    struct line_origin o = {.zone_s = ZONE_VIETNAM_S, .file = &file, .year = 2017};
    char *line = NULL;
    size_t room = 0;
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (ssize_t n; (n = getline(&line, &room, pipe)) > 0;) {
        if (events_full(b.events))
            events_clear(b.events);
        o.line_number++;
        assert_in_range(line_decode(b.decoders, b.scratch, b.events, (struct text){line, (size_t)n}, &o), 0, LINE_EMPTY);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    free(line);
    pclose(pipe);
    const struct line_counts *c = line_scratch_counts(b.scratch);
    double s = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    print_message("%s: %llu lines, %llu understood, %.0f lines/s in this build\n", name, (unsigned long long)c->n_lines,
        (unsigned long long)c->n_understood, (double)c->n_lines / s);
    assert_int_equal(c->n_lines, n_lines);
    assert_in_range(c->n_understood, n_understood, n_lines);
    bench_free(&b);
}

static void every_line_of_a_real_auth_log_and_access_log_is_understood(void **state)
{
    (void)state;
    read_real("elastic-auth.log.xz", 7121, 7121); /* wc -l */
    read_real("elastic-apache_logs.xz", 10000, 10000);
}

/* --- the table of docs/log-decoders.md ------------------------------------------------------------------ */

enum { SET_FAIL2BAN, SET_CROWDSEC, SET_AUTH, SET_ACCESS, N_SETS };

static const struct {
    const char *archive, *find; /* which of its files; NULL: it is one packed log */
} sets[N_SETS] = {
    {"fail2ban-logs.tar.xz", "-not -path '*/filters/*'"},
    {"crowdsec-hub-tests.tar.xz", "-name '*.log'"},
    {"elastic-auth.log.xz", NULL},
    {"elastic-apache_logs.xz", NULL},
};

static void count_lines(struct bench *b, char *content, unsigned (*counts)[N_SETS], unsigned set)
{
    struct line_file file = {0};
    struct line_origin o = {.arrived_us = INT64_C(1717200000000000), .zone_s = ZONE_VIETNAM_S, .file = &file};
    for (char *p = content, *next; *p; p = next) {
        char *end = strchrnul(p, '\n');
        next = *end ? end + 1 : end;
        if (set == SET_FAIL2BAN && *p == '#' && strncmp(p, "#Fields", 7) != 0 && strncmp(p, "#Soft", 5) != 0)
            continue;
        events_clear(b->events);
        if (line_decode(b->decoders, b->scratch, b->events, (struct text){p, (size_t)(end - p)}, &o))
            continue;
        const struct event_value *v = event_get(b->events, 0, EV_EVENT_DECODER);
        for (uint32_t i = 0; v && i < b->decoders->n_decoders; i++)
            if (text_equal(b->decoders->decoders[i]->name, event_text(b->events, v)))
                counts[i][set]++;
    }
}

static bool count_set(struct bench *b, unsigned (*counts)[N_SETS], unsigned set)
{
    char path[2 * PATH_MAX], *name = NULL;
    struct help_dir dir = {0};
    size_t capacity = 0;
    const char *shared = getenv("VONGGAC_SHARED");
    snprintf(path, sizeof path, "%s/data/logs/%s", shared ? shared : "../shared", sets[set].archive);
    if (access(path, R_OK))
        return false;
    if (sets[set].find) {
        unpack(sets[set].archive, &dir);
        snprintf(path, sizeof path, "find '%s' -type f %s", dir.path, sets[set].find);
    } else {
        dir = help_dir_new();
        char command[3 * PATH_MAX];
        snprintf(command, sizeof command, "xz -dc '%s' >'%s/log'", path, dir.path);
        assert_int_equal(system(command), 0);
        snprintf(path, sizeof path, "echo '%s/log'", dir.path);
    }
    FILE *files = popen(path, "r");
    assert_non_null(files);
    for (ssize_t n; (n = getline(&name, &capacity, files)) > 0;) {
        name[n - 1] = 0;
        char *content = read_file(name);
        if (content)
            count_lines(b, content, counts, set);
        free(content);
    }
    free(name);
    pclose(files);
    help_dir_free(&dir);
    return true;
}

static void put_row(const struct bench *b, uint32_t i, unsigned n_sets, unsigned (*counts)[N_SETS], struct buf *out)
{
    const struct line_decoder *d = b->decoders->decoders[i];
    char text[512];
    unsigned n_tests = 0;
    for (const struct line_test *t = b->decoders->tests; t; t = t->next)
        n_tests += t->decoder == d;
    const char *proof = !d->proof ? "not said" : !strcmp(d->proof, "data") ? "data" : !strcmp(d->proof, "form") ? "general form only" : "description only";
    snprintf(text, sizeof text, "| `%.*s` | %s | %u |", (int)d->name.n, d->name.p, proof, n_tests);
    buf_add(out, text, strlen(text));
    for (unsigned k = 0; k < n_sets; k++) {
        snprintf(text, sizeof text, counts[i][k] ? " %u |" : " |", counts[i][k]);
        buf_add(out, text, strlen(text));
    }
}

/* Where the data are, the numbers of lines are compared too. VONGGAC_TABLE=FILE writes the rows there. */
static void the_table_of_decoders_in_the_documentation_is_true(void **state)
{
    (void)state;
    struct bench b = bench_new();
    unsigned (*counts)[N_SETS] = calloc(b.decoders->n_decoders, sizeof *counts);
    char path[PATH_MAX];
    const char *source = getenv("VONGGAC_SOURCE"), *table = getenv("VONGGAC_TABLE");
    snprintf(path, sizeof path, "%s/docs/log-decoders.md", source ? source : ".");
    char *page = read_file(path);
    bool has_all = true;
    assert_true(counts && (page || table));
    for (unsigned k = 0; k < N_SETS; k++)
        has_all &= count_set(&b, counts, k);
    FILE *out = table ? fopen(table, "w") : NULL;
    for (uint32_t i = 0; i < b.decoders->n_decoders; i++) {
        struct buf row = {.max = 4096};
        put_row(&b, i, has_all ? N_SETS : 0, counts, &row);
        buf_add_byte(&row, 0);
        unsigned n_lines = 0;
        for (unsigned k = 0; k < N_SETS; k++)
            n_lines += counts[i][k];
        if (has_all && b.decoders->decoders[i]->proof && !strcmp(b.decoders->decoders[i]->proof, "data") && !n_lines)
            fail_msg("%.*s: no line of the data proves it", (int)b.decoders->decoders[i]->name.n, b.decoders->decoders[i]->name.p);
        if (out)
            fprintf(out, "%s\n", (const char *)row.p);
        else if (!strstr(page, (const char *)row.p))
            fail_msg("docs/log-decoders.md should say: %s", (const char *)row.p);
        buf_fini(&row);
    }
    if (out)
        fclose(out);
    free(page);
    free(counts);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_decoders_in_the_documentation_is_true),
        cmocka_unit_test(time_and_source_of_every_line_are_those_of_fail2ban),
        cmocka_unit_test(fields_are_those_of_crowdsecs_parsers),
        cmocka_unit_test(every_line_of_a_real_auth_log_and_access_log_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
