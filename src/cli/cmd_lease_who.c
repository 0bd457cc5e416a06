/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac lease who | batch: who held an address and port at a time.
 *
 * Keys of subscribers are personal data: they are shown only with a purpose, which goes into the audit trail before the
 * answer goes out.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/lease_ask.h"
#include "cli/owner.h"
#include "cli/table.h"
#include "format/csv.h"
#include "state/audit.h"
#include "watch/lease/gather.h"
#include "watch/lease/narrow.h"
#include "watch/lease/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct text text_of(const char *s)
{
    return (struct text){s ? s : "", s ? strlen(s) : 0};
}

/* read_at - Return: 0 or 1 after saying what is wrong. */
static int read_at(const struct cli_args *a, int *ret_zone_s, int64_t *ret)
{
    const char *at = a->value[CLI_AT], *zone = a->value[CLI_ZONE];
    *ret_zone_s = ZONE_VIETNAM_S;
    if (zone && clock_parse_zone(zone, ret_zone_s)) {
        SAY(stderr, cli_bad_time, "zone", zone);
        return 1;
    }
    if (!at || !clock_parse_when(at, *ret_zone_s, clock_now_us(), ret))
        return 0;
    SAY(stderr, cli_bad_time, "at", at);
    return 1;
}

/* --- questions --------------------------------------------------------------------------------------------------- */

static const struct table_column who_columns[] = {
    {"candidate", MSG_col_lease_candidate, false, false}, {"confidence", MSG_col_lease_confidence, false, false},
    {"address", MSG_col_address, false, false},           {"ports", MSG_col_lease_ports, false, false},
    {"inside_ip", MSG_col_lease_inside, false, false},    {"subscriber", MSG_col_lease_subscriber, false, false},
    {"mac", MSG_col_lease_mac, false, false},             {"host", MSG_col_lease_host, false, true},
    {"kind", MSG_col_kind, false, false},                 {"gateway", MSG_col_lease_gateway, false, true},
    {"from", MSG_col_lease_from, false, false},           {"to", MSG_col_lease_to, false, false},
    {"reasons", MSG_col_lease_reasons, false, true},      {"rows", MSG_col_lease_rows, true, false},
    {"flows", MSG_col_flows, true, false},                {"source", MSG_col_source, false, true},
};
enum { N_WHO = sizeof(who_columns) / sizeof(*who_columns) };

static const struct table_column batch_columns[] = {
    {"row", MSG_col_row, true, false},                    {"asked_address", MSG_col_address, false, false},
    {"asked_port", MSG_col_port, true, false},            {"asked_time", MSG_col_time, false, false},
    {"verdict", MSG_col_lease_verdict, false, false},     {"candidate", MSG_col_lease_candidate, false, false},
    {"confidence", MSG_col_lease_confidence, false, false}, {"address", MSG_col_address, false, false},
    {"ports", MSG_col_lease_ports, false, false},
    {"inside_ip", MSG_col_lease_inside, false, false},    {"subscriber", MSG_col_lease_subscriber, false, false},
    {"mac", MSG_col_lease_mac, false, false},             {"host", MSG_col_lease_host, false, true},
    {"kind", MSG_col_kind, false, false},                 {"gateway", MSG_col_lease_gateway, false, true},
    {"from", MSG_col_lease_from, false, false},           {"to", MSG_col_lease_to, false, false},
    {"reasons", MSG_col_lease_reasons, false, true},      {"rows", MSG_col_lease_rows, true, false},
    {"flows", MSG_col_flows, true, false},                {"source", MSG_col_source, false, true},
};
enum { N_BATCH = sizeof(batch_columns) / sizeof(*batch_columns) };

/* one who asks: the records, and what may be shown */
struct asking {
    struct lease_view *view; /* NULL: no records, only formulas */
    struct store_view *flows; /* opened when a remote address is given; NULL: none */
    struct formulas formulas;
    struct lease_resolver *resolver;
    struct arena arena;
    struct table table;
    bool may_see_subscribers, is_table;
    const char *data_dir; /* by its name from now on (owner.h) */
    uint64_t n_hidden;
};

static const char *const verdict_names[] = {[LEASE_NONE] = "none", [LEASE_ONE] = "one", [LEASE_SEVERAL] = "several"};

static void put_reasons(const struct asking *k, uint32_t why)
{
    char out[1024];
    size_t n = 0;
    for (int i = 0; i < LEASE_N_WHYS; i++) {
        const char *name = lease_why_name((enum lease_why_bit)i);
        if (!(why >> i & 1))
            continue;
        int m = snprintf(out + n, sizeof(out) - n, "%s%s", n ? (k->is_table ? "; " : ";") : "",
                         k->is_table ? message_find("lease_why_", name) : name);
        n = m < 0 || n + (size_t)m >= sizeof(out) ? sizeof(out) - 1 : n + (size_t)m;
    }
    table_text((struct table *)(uintptr_t)&k->table, (struct text){out, n});
}

static void put_ip(struct table *t, const struct ip *ip)
{
    char text[IP_TEXT_MAX];
    table_text(t, (struct text){text, ip_is_zero(ip) ? 0 : ip_format(ip, text)});
}

static void put_mac(struct table *t, uint64_t mac)
{
    char text[24] = "";
    for (int i = 0, n = 0; mac && i < 6; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%02x", i ? ":" : "", (unsigned)(mac >> (40 - 8 * i) & 255));
    table_text(t, text_of(text));
}

static void put_candidate(struct asking *k, const struct ip *address, const char *number, const struct lease_candidate *c)
{
    struct table *t = &k->table;
    char text[64];
    int n;
    table_text(t, text_of(number));
    const char *confidence = lease_confidence_name((enum lease_confidence)c->confidence);
    table_text(t, text_of(k->is_table ? message_find("lease_confidence_", confidence) : confidence));
    put_ip(t, address);
    bool is_whole = !c->port_first && c->port_last == UINT16_MAX;
    n = is_whole ? 0 : snprintf(text, sizeof(text), c->port_first == c->port_last ? "%u" : "%u-%u", c->port_first, c->port_last);
    table_text(t, (struct text){text, (size_t)n});
    put_ip(t, &c->inside);
    bool is_hidden = c->subscriber.n && !k->may_see_subscribers;
    k->n_hidden += is_hidden;
    table_text(t, is_hidden ? TEXT("***") : c->subscriber);
    put_mac(t, c->mac);
    table_text(t, c->host);
    table_text(t, text_of(lease_kind_name((enum lease_kind)c->kind)));
    table_text(t, c->gateway);
    table_time(t, c->from_us, c->from_us != LEASE_UNKNOWN);
    table_time(t, c->to_us, c->to_us != LEASE_UNKNOWN);
    put_reasons(k, c->why);
    table_number(t, c->n_rows);
    table_number(t, c->n_flows);
    table_text(t, c->source);
}

struct batch_row {
    uint64_t row;
    struct lease_question q;
};

static void put_question(struct asking *k, const struct batch_row *b, enum lease_verdict verdict)
{
    if (!b)
        return;
    table_number(&k->table, b->row);
    put_ip(&k->table, &b->q.address);
    table_port(&k->table, (uint16_t)(b->q.port < 0 ? 0 : b->q.port));
    table_time(&k->table, b->q.at_us, true);
    table_text(&k->table, text_of(verdict_names[verdict]));
}

/* put_all - the candidates and below each, as 2, 2.1, 2.1.1, who held its inside address. */
static void put_all(struct asking *k, const struct batch_row *b, enum lease_verdict verdict, const struct ip *address, const char *prefix,
                    const struct lease_candidate *all, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char number[64];
        snprintf(number, sizeof(number), "%s%s%u", prefix, *prefix ? "." : "", i + 1);
        put_question(k, b, verdict);
        put_candidate(k, address, number, &all[i]);
        put_all(k, b, verdict, &all[i].inside, number, all[i].children, all[i].n_children);
    }
}

static int open_asking(const struct cli_args *a, struct asking *k, struct fault *f)
{
    *k = (struct asking){.may_see_subscribers = a->value[CLI_PURPOSE] != NULL, .arena.max_bytes = (size_t)256 << 20};
    k->data_dir = a->value[CLI_ASK] ? cli_become_owner(a->data_dir) : a->data_dir;
    int rc = formulas_load(k->data_dir, &k->formulas, f);
    struct lease_fresh fresh = {0};
    if (!rc)
        rc = lease_view_open_fresh(k->data_dir, &k->view, &fresh, f);
    if (fresh.n_left)
        SAY(stderr, lease_not_gathered, message_count(fresh.n_left));
    if (rc == LEASE_EMPTY)
        rc = k->formulas.n || a->value[CLI_ASK] ? 0 : FAULT(f, rc, lease_none_yet, a->data_dir);
    if (!rc) {
        rc = lease_resolver_new(k->view, &k->formulas, &k->resolver);
        if (rc)
            (void)FAULT(f, rc, store_read_failed, "leases", strerrordesc_np(-rc));
    }
    const char *why = NULL;
    if (!rc && k->view && lease_view_n_damaged(k->view, &why))
        SAY(stderr, cli_fault, why);
    return rc;
}

/* renew_resolver - the view has more rows now. */
static int renew_resolver(struct asking *k, struct fault *f)
{
    lease_resolver_free(k->resolver);
    k->resolver = NULL;
    int rc = lease_resolver_new(k->view, &k->formulas, &k->resolver);
    return rc ? FAULT(f, rc, store_read_failed, "leases", strerrordesc_np(-rc)) : 0;
}

/* has_view - for rows beside it; Return: 0 or -ENOMEM. */
static int has_view(struct asking *k, struct fault *f)
{
    k->view = k->view ? k->view : lease_view_new();
    return k->view ? 0 : FAULT(f, -ENOMEM, store_no_memory, "leases");
}

static void close_asking(struct asking *k)
{
    arena_fini(&k->arena);
    lease_resolver_free(k->resolver);
    lease_view_close(k->view);
    if (k->flows)
        store_view_close(k->flows);
    formulas_fini(&k->formulas);
}

/* --- who -------------------------------------------------------------------------------------------------------- */

/* parse_end - "113.160.0.1", "113.160.0.1:4711", "[2001:db8::1]:4711". Return: 0 or 1. */
static int parse_end(const char *s, struct ip *ip, int32_t *ret_port)
{
    size_t n = strlen(s);
    const char *colon = strrchr(s, ':');
    uint64_t port;
    *ret_port = -1;
    if (!ip_parse(s, n, ip))
        return 0;
    if (!colon || colon == s || text_u64((struct text){colon + 1, n - (size_t)(colon + 1 - s)}, UINT16_MAX, &port))
        return 1;
    size_t n_ip = (size_t)(colon - s);
    bool is_bracketed = *s == '[' && s[n_ip - 1] == ']';
    *ret_port = (int32_t)port;
    return is_bracketed ? ip_parse(s + 1, n_ip - 2, ip) : ip_parse(s, n_ip, ip);
}

static int read_question(const struct cli_args *a, struct lease_question *q)
{
    const char *skew = a->value[CLI_SKEW];
    int zone_s;
    *q = (struct lease_question){.at_us = LEASE_UNKNOWN};
    if (a->n_operands && parse_end(a->operands[0], &q->address, &q->port)) {
        SAY(stderr, lease_bad_address, a->operands[0]);
        return 1;
    }
    if (read_at(a, &zone_s, &q->at_us))
        return 1;
    if (skew && clock_parse_span(skew, &q->skew_us)) {
        SAY(stderr, cli_bad_time, "skew", skew);
        return 1;
    }
    if (a->n_operands && q->at_us == LEASE_UNKNOWN) {
        SAY(stderr, lease_needs_at);
        return 1;
    }
    return 0;
}

/* write_audit - before anything is shown. Return: 0 or 1 after saying why not. */
static int write_audit(const struct cli_args *a, const char *action, const char *object, const char *result)
{
    struct fault f = {0};
    const char *why = a->value[CLI_PURPOSE];
    if (!why)
        return 0;
    if (strlen(why) < 3) {
        SAY(stderr, lease_purpose_too_short);
        return 1;
    }
    const struct audit_entry entry = {.action = action, .object = object, .why = why, .result = result};
    int rc = audit_add(cli_become_owner(a->data_dir), &entry, &f);
    return rc ? (cli_fail(&f), 1) : 0;
}

/* narrow - by flows, if there are any. Return: 0, or -errno with the fault. */
static int narrow(struct asking *k, const struct lease_question *q, const struct lease_remote *remote,
                  struct lease_answer *answer, struct fault *f)
{
    if (answer->n < 2)
        return 0;
    int rc = k->flows ? 0 : store_view_open(k->data_dir, &k->flows, f);
    if (rc == STORE_EMPTY)
        return 0;
    return rc ? rc : lease_narrow(answer, q, remote, k->flows, f);
}

static void say_sampling(const struct lease_answer *answer)
{
    char chance[32];
    if (!(answer->why & LEASE_WHY_SAMPLED))
        return;
    snprintf(chance, sizeof(chance), "%.1f", answer->missed * 100);
    SAY(stderr, lease_sampled, answer->sampling, chance);
}

/* say_clock - that the times of its gateway are not ours. */
static void say_clock(const struct lease_candidate *c)
{
    char gateway[256], seconds[32];
    text_escape(c->gateway.p, c->gateway.n, gateway, sizeof(gateway));
    snprintf(seconds, sizeof(seconds), "%+.1f", (double)-c->clock_us / 1e6);
    SAY(stderr, lease_clock_off, gateway, seconds);
}

static void say_verdict(const struct asking *k, const struct lease_answer *answer)
{
    for (int i = 0; i < LEASE_N_WHYS; i++)
        if (answer->why >> i & 1)
            SAY(stderr, lease_why_whole, message_find("lease_why_", lease_why_name((enum lease_why_bit)i)));
    say_sampling(answer);
    for (uint32_t i = 0; i < answer->n; i++)
        if (answer->candidates[i].clock_us && (!i || !text_equal(answer->candidates[i].gateway, answer->candidates[i - 1].gateway)))
            say_clock(&answer->candidates[i]);
    if (answer->verdict == LEASE_NONE)
        SAY(stderr, lease_verdict_none);
    else if (answer->verdict == LEASE_ONE)
        SAY(stderr, lease_verdict_one, message_find("lease_confidence_", lease_confidence_name(answer->candidates[0].confidence)));
    else
        SAY(stderr, lease_verdict_several, message_count(answer->n));
    if (k->n_hidden)
        SAY(stderr, lease_hidden, message_count(k->n_hidden));
}

/* resolve - from what is here; if that leaves it open and --ask was given, once more with what the owner's system says. */
static int resolve(struct asking *k, struct lease_ask *ask, const struct lease_question *q, struct lease_answer *answer, struct fault *f)
{
    struct lease_overlay more;
    if (lease_resolve(k->resolver, q, &k->arena, answer))
        return FAULT(f, -ENOMEM, store_no_memory, "leases");
    if (!lease_ask_wants(ask, answer))
        return 0;
    int rc = has_view(k, f);
    if (!rc)
        rc = lease_overlay_begin(&more, k->view, f);
    if (rc)
        return rc;
    rc = lease_ask_one(ask, q, &more, f);
    int e = lease_overlay_end(&more);
    rc = rc ? rc : e ? e : renew_resolver(k, f);
    if (!rc && lease_resolve(k->resolver, q, &k->arena, answer))
        rc = FAULT(f, -ENOMEM, store_no_memory, "leases");
    return rc;
}

int cli_lease_who(const struct cli_args *a)
{
    struct asking k;
    struct lease_ask ask;
    struct lease_question q;
    struct lease_answer answer;
    struct fault f = {0};
    enum cli_format format;
    char result[32];
    if (cli_format(a, &format) || read_question(a, &q))
        return EXIT_FAILED;
    struct lease_remote remote;
    const char *given = a->value[CLI_REMOTE];
    if (given && parse_end(given, &remote.ip, &remote.port)) {
        SAY(stderr, lease_bad_address, given);
        return EXIT_FAILED;
    }
    if (lease_ask_begin(&ask, a)) {
        lease_ask_end(&ask);
        return EXIT_FAILED;
    }
    int rc = open_asking(a, &k, &f);
    if (!rc)
        rc = resolve(&k, &ask, &q, &answer, &f);
    lease_ask_say(&ask);
    lease_ask_end(&ask);
    if (!rc && given)
        rc = narrow(&k, &q, &remote, &answer, &f);
    if (rc) {
        close_asking(&k);
        return cli_fail(&f);
    }
    snprintf(result, sizeof(result), "%u candidates", answer.n);
    if (write_audit(a, "lease.who", a->operands[0], result)) {
        close_asking(&k);
        return EXIT_FAILED;
    }
    k.is_table = format == CLI_TABLE;
    table_begin(&k.table, format, who_columns, N_WHO);
    put_all(&k, NULL, answer.verdict, &q.address, "", answer.candidates, answer.n);
    int status = table_end(&k.table);
    say_verdict(&k, &answer);
    close_asking(&k);
    return status;
}

/* --- batch --------------------------------------------------------------------------------------------------------- */

/* columns of a list with times, by the names lists use; the first that is there counts */
enum { BATCH_NAMES = 10 };
enum batch_column { B_ADDRESS, B_PORT, B_TIME, B_UNTIL, B_REMOTE, B_REMOTE_PORT, B_N };
static const char *const batch_names[B_N][BATCH_NAMES] = {
    [B_ADDRESS] = {"address", "ip", "public_ip", "source_ip", "src_ip", "ip_address", "diachi", "own"},
    [B_PORT] = {"port", "source_port", "src_port", "public_port", "sport"},
    [B_TIME] = {"time", "timestamp", "first_seen", "start", "seen", "date", "datetime", "thoigian", "event_time"},
    [B_UNTIL] = {"until", "last_seen", "end"},
    [B_REMOTE] = {"remote", "destination_ip", "dst_ip", "c2", "c2_ip", "remote_ip"},
    [B_REMOTE_PORT] = {"remote_port", "destination_port", "dst_port", "c2_port", "dport"},
};

struct batch {
    struct asking k;
    struct lease_ask ask;
    struct lease_overlay more;  /* what others answer */
    int (*each)(struct batch *b, const struct csv_record *r); /* of every row: ask_row, then answer_row */
    FILE *questions;            /* what stays open goes there; NULL: nowhere */
    const struct cli_args *a;
    struct csv_reader csv;
    uint16_t at[B_N]; /* index + 1 */
    int zone_s;
    int64_t skew_us;
    uint64_t n_rows, n_refused, n_open, n[3]; /* by verdict */
    struct fault *fault;
};

static bool take_header(struct batch *b, const struct csv_record *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        for (int c = 0; c < B_N; c++)
            for (int k = 0; k < BATCH_NAMES && batch_names[c][k] && !b->at[c]; k++)
                if (text_is_nocase(text_trim(r->fields[i]), batch_names[c][k]))
                    b->at[c] = (uint16_t)(i + 1);
    return b->at[B_ADDRESS] && b->at[B_TIME];
}

static struct text batch_field(const struct batch *b, const struct csv_record *r, enum batch_column c)
{
    return b->at[c] && b->at[c] <= r->n ? text_trim(r->fields[b->at[c] - 1]) : (struct text){"", 0};
}

/* question_of - a day alone means all of it; two times mean all between them. Return: 0 or 1. */
static int question_of(const struct batch *b, const struct csv_record *r, struct lease_question *q)
{
    struct text address = batch_field(b, r, B_ADDRESS), port = batch_field(b, r, B_PORT), time = batch_field(b, r, B_TIME),
                until = batch_field(b, r, B_UNTIL);
    uint64_t number = 0;
    int64_t from_us, until_us;
    char text[96];
    *q = (struct lease_question){.port = -1};
    snprintf(text, sizeof(text), "%.*s", (int)(address.n < 95 ? address.n : 95), address.p);
    if (parse_end(text, &q->address, &q->port) || clock_parse(time.p, time.n, b->zone_s, &from_us))
        return 1;
    if (port.n && !text_is(port, "0") && text_u64(port, UINT16_MAX, &number))
        return 1;
    if (port.n && !text_is(port, "0"))
        q->port = (int32_t)number;
    until_us = time.n <= 10 && !memchr(time.p, ':', time.n) ? from_us + US_PER_DAY - 1 : from_us;
    if (until.n && (clock_parse(until.p, until.n, b->zone_s, &until_us) || until_us < from_us))
        return 1;
    q->at_us = from_us + (until_us - from_us) / 2;
    q->skew_us = (until_us - from_us + 1) / 2 + b->skew_us;
    return 0;
}

/* remote_of - whom the row says it talked to. Return: whether it says so. */
static bool remote_of(const struct batch *b, const struct csv_record *r, struct lease_remote *ret)
{
    struct text address = batch_field(b, r, B_REMOTE), port = batch_field(b, r, B_REMOTE_PORT);
    uint64_t number;
    *ret = (struct lease_remote){.port = -1};
    if (!address.n || ip_parse(address.p, address.n, &ret->ip))
        return false;
    if (port.n && !text_u64(port, UINT16_MAX, &number) && number)
        ret->port = (int32_t)number;
    return true;
}

/* ask_row - the first pass: what stays open here is asked of others. */
static int ask_row(struct batch *b, const struct csv_record *r)
{
    struct lease_question q;
    struct lease_answer answer;
    if (question_of(b, r, &q))
        return 0; /* the second pass says so */
    arena_fini(&b->k.arena);
    int rc = lease_resolve(b->k.resolver, &q, &b->k.arena, &answer);
    return rc || !lease_ask_wants(&b->ask, &answer) ? rc : lease_ask_one(&b->ask, &q, &b->more, b->fault);
}

/* put_open - a row that stays open, in the form that `lease import` and other systems read. */
static void put_open(struct batch *b, const struct batch_row *row, const struct lease_answer *answer)
{
    char address[IP_TEXT_MAX], from[TIME_TEXT_MAX], to[TIME_TEXT_MAX], port[16] = "";
    if (!b->questions || (answer->verdict == LEASE_ONE && answer->candidates[0].confidence != LEASE_POSSIBLE))
        return;
    ip_format(&row->q.address, address);
    clock_format_utc(row->q.at_us - row->q.skew_us, from);
    clock_format_utc(row->q.at_us + row->q.skew_us, to);
    if (row->q.port >= 0)
        snprintf(port, sizeof(port), "%d", row->q.port);
    fprintf(b->questions, "%llu,%s,%s,%s,%s\n", (unsigned long long)row->row, address, port, from, to);
    b->n_open++;
}

static int answer_row(struct batch *b, const struct csv_record *r)
{
    struct batch_row row = {.row = r->row};
    struct lease_answer answer;
    b->n_rows++;
    if (question_of(b, r, &row.q)) {
        char escaped[120];
        b->n_refused++;
        SAY(stderr, lease_batch_refused, (unsigned long long)r->line, text_escape(r->raw.p, r->raw.n, escaped, sizeof(escaped)));
        return 0;
    }
    arena_fini(&b->k.arena);
    struct lease_remote remote;
    struct fault f;
    int rc = lease_resolve(b->k.resolver, &row.q, &b->k.arena, &answer);
    if (!rc && remote_of(b, r, &remote))
        rc = narrow(&b->k, &row.q, &remote, &answer, &f);
    if (rc)
        return rc;
    put_open(b, &row, &answer);
    b->n[answer.verdict]++;
    if (answer.n) {
        put_all(&b->k, &row, answer.verdict, &row.q.address, "", answer.candidates, answer.n);
        return 0;
    }
    put_question(&b->k, &row, LEASE_NONE);
    for (int i = 0; i < 2; i++)
        table_text(&b->k.table, text_of(""));
    put_ip(&b->k.table, &row.q.address);
    for (int i = 0; i < 9; i++)
        table_text(&b->k.table, text_of(""));
    put_reasons(&b->k, answer.why);
    for (int i = 0; i < 2; i++)
        table_number(&b->k.table, 0);
    table_text(&b->k.table, text_of(""));
    return 0;
}

/* next - Return: 0, CSV_REFUSED, CSV_END, or -errno. */
static int next(struct batch *b, int fd, struct csv_record *ret)
{
    uint8_t piece[65536];
    for (;;) {
        int rc = csv_next(&b->csv, ret);
        if (rc != CSV_MORE)
            return rc;
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0)
            return -errno;
        rc = n ? csv_feed(&b->csv, piece, (size_t)n) : csv_end(&b->csv);
        if (rc)
            return rc;
    }
}

static int answer_all(struct batch *b, int fd, const char *name, struct fault *f)
{
    struct csv_record r;
    bool has_header = false;
    int rc;
    while ((rc = next(b, fd, &r)) != CSV_END) {
        if (rc == CSV_REFUSED) {
            b->n_rows += b->each == answer_row;
            b->n_refused += b->each == answer_row;
            continue;
        }
        if (!rc && !has_header) {
            has_header = take_header(b, &r);
            if (!has_header)
                break;
            continue;
        }
        if (!rc)
            rc = b->each(b, &r);
        if (rc < 0 && f->code)
            return rc;
        if (rc < 0)
            return FAULT(f, rc, store_read_failed, name, strerrordesc_np(-rc));
    }
    return has_header ? 0 : FAULT(f, 1, lease_batch_no_columns, name);
}

/* read_list - all of it from its beginning, each row to b->each. */
static int read_list(struct batch *b, int fd, const char *name, struct fault *f)
{
    memset(b->at, 0, sizeof(b->at));
    csv_init(&b->csv, &(struct csv_options){.comment = '#'});
    int rc = answer_all(b, fd, name, f);
    csv_fini(&b->csv);
    return rc;
}

/* ask_others - before anything is answered: the rows they know are then weighed with ours. */
static int ask_others(struct batch *b, int fd, const char *name, struct fault *f)
{
    if (!b->ask.client)
        return 0;
    int rc = has_view(&b->k, f);
    if (!rc)
        rc = lease_overlay_begin(&b->more, b->k.view, f);
    if (rc)
        return rc;
    b->each = ask_row;
    rc = read_list(b, fd, name, f);
    int e = lease_overlay_end(&b->more);
    lease_ask_say(&b->ask);
    if (!rc && !e && lseek(fd, 0, SEEK_SET) < 0)
        rc = FAULT(f, -errno, lease_needs_file, name);
    return rc ? rc : e ? e : renew_resolver(&b->k, f);
}

static int open_questions(struct batch *b, const char *path)
{
    cli_as_invoker();
    int fd = path ? openat(cli_open_at(), path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1, e = errno;
    cli_as_owner();
    b->questions = fd < 0 ? NULL : fdopen(fd, "w");
    if (path && !b->questions) {
        SAY(stderr, store_write_failed, path, strerrordesc_np(e));
        return 1;
    }
    if (path)
        fputs("row,address,port,from,to\n", b->questions);
    return 0;
}

/* close_batch - Return: 0, or 1 after saying that the questions could not be written. */
static int close_batch(struct batch *b)
{
    int status = 0;
    if (b->questions && fclose(b->questions)) {
        SAY(stderr, store_write_failed, b->a->value[CLI_QUESTIONS], strerrordesc_np(errno));
        status = 1;
    } else if (b->questions) {
        SAY(stderr, lease_questions_written, message_count(b->n_open), b->a->value[CLI_QUESTIONS]);
    }
    lease_ask_end(&b->ask);
    close_asking(&b->k);
    return status;
}

static int run_batch(struct batch *b, int fd, enum cli_format format, struct fault *f)
{
    const char *name = b->a->operands[0];
    int rc = ask_others(b, fd, name, f);
    if (rc)
        return rc;
    b->each = answer_row;
    b->k.is_table = format == CLI_TABLE;
    table_begin(&b->k.table, format, batch_columns, N_BATCH);
    return read_list(b, fd, name, f);
}

int cli_lease_batch(const struct cli_args *a)
{
    static struct batch b;
    struct lease_question defaults;
    struct fault f = {0};
    enum cli_format format = CLI_CSV;
    struct cli_args no_operands = *a;
    int64_t ignored;
    no_operands.n_operands = 0;
    if ((a->value[CLI_FORMAT] && cli_format(a, &format)) || read_question(&no_operands, &defaults))
        return EXIT_FAILED;
    _cleanup_close_ int fd = cli_open(a->operands[0]);
    if (fd < 0)
        return EXIT_FAILED;
    b = (struct batch){.a = a, .skew_us = defaults.skew_us, .fault = &f};
    if (read_at(a, &b.zone_s, &ignored) || lease_ask_begin(&b.ask, a) || open_questions(&b, a->value[CLI_QUESTIONS])) {
        lease_ask_end(&b.ask);
        return EXIT_FAILED;
    }
    int rc = open_asking(a, &b.k, &f);
    if (!rc && write_audit(a, "lease.batch", a->operands[0], NULL)) {
        (void)close_batch(&b);
        return EXIT_FAILED;
    }
    if (!rc)
        rc = run_batch(&b, fd, format, &f);
    if (rc) {
        (void)close_batch(&b);
        return cli_fail(&f);
    }
    int status = table_end(&b.k.table) ? EXIT_FAILED : b.n_refused ? EXIT_REFUSED : EXIT_DONE;
    SAY(stderr, lease_batch_account, message_count(b.n_rows), message_count(b.n[LEASE_ONE]), message_count(b.n[LEASE_SEVERAL]),
        message_count(b.n[LEASE_NONE]), message_count(b.n_refused));
    if (b.k.n_hidden)
        SAY(stderr, lease_hidden, message_count(b.k.n_hidden));
    return close_batch(&b) ? EXIT_FAILED : status;
}
