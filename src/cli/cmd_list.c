/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac list add | show | diff | check, and space add | show.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/owner.h"
#include "cli/table.h"
#include "watch/indicator/lists.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_REFUSALS = 20 };

static const char *const kind_names[] = {"unknown", "windowed", "cumulative"};
static const char *const refusal_names[] = {
#define X(id, expected) #id,
    LIST_REFUSALS(X)
#undef X
};
static const char *const warning_names[] = {
#define X(id) #id,
    LIST_WARNINGS(X)
#undef X
};

struct shown {
    unsigned n_refused, n_warned;
};

static void show_refused(void *context, uint64_t row, enum list_refusal why, struct text value)
{
    struct shown *s = context;
    char escaped[120];
    if (++s->n_refused > SHOWN_REFUSALS)
        return;
    SAY(stderr, list_row_refused, row, text_escape(value.p, value.n, escaped, sizeof(escaped)),
        message_find("list_refused_", refusal_names[why]));
}

static void show_warned(void *context, uint64_t row, enum list_warning why, struct text value)
{
    struct shown *s = context;
    char escaped[120];
    if (++s->n_warned > SHOWN_REFUSALS)
        return;
    SAY(stderr, list_row_warned, row, text_escape(value.p, value.n, escaped, sizeof(escaped)),
        message_find("list_warned_", warning_names[why]));
}

static uint64_t sum_refused(const struct list_report *r)
{
    uint64_t n = 0;
    for (int i = 0; i < LIST_N_REFUSALS; i++)
        n += r->refused[i];
    return n;
}

/* say_report - the account of one file: read = kept + refused, by reason. */
static void say_report(const struct list_report *r)
{
    SAY(stderr, list_account, message_count(r->rows), message_count(r->kept), message_count(sum_refused(r)), message_count(r->entries));
    for (int i = 0; i < LIST_N_REFUSALS; i++)
        if (r->refused[i])
            SAY(stderr, list_account_refused, message_count(r->refused[i]), message_find("list_refused_", refusal_names[i]));
    for (int i = 0; i < LIST_N_WARNINGS; i++)
        if (r->warned[i])
            SAY(stderr, list_account_warned, message_count(r->warned[i]), message_find("list_warned_", warning_names[i]));
}

static int read_add_options(const struct cli_args *a, struct list_add *add)
{
    const char *kind = a->value[CLI_KIND];
    for (size_t i = 0; kind && i < 3; i++)
        if (!strcmp(kind, kind_names[i])) {
            add->kind = (enum list_kind)i;
            kind = NULL;
        }
    if (kind) {
        SAY(stderr, cli_bad_format, kind, "windowed, cumulative, unknown");
        return 1;
    }
    const char *date = a->value[CLI_DATE], *until = a->value[CLI_VALID_UNTIL];
    if (date && clock_parse(date, strlen(date), ZONE_VIETNAM_S, &add->date_us)) {
        SAY(stderr, cli_bad_time, "--date", date);
        return 1;
    }
    if (until && clock_parse(until, strlen(until), ZONE_VIETNAM_S, &add->valid_until_us)) {
        SAY(stderr, cli_bad_time, "--valid-until", until);
        return 1;
    }
    add->letter = a->value[CLI_LETTER];
    add->source = a->value[CLI_SOURCE];
    add->family = a->value[CLI_FAMILY];
    return 0;
}

/* fail_of - why nothing of @file was published. */
static int fail_of(const char *file, const struct fault *f)
{
    SAY(stderr, list_file_fault, file, f->text);
    return EXIT_FAILED;
}

int cli_list_add(const struct cli_args *a)
{
    struct list_add add = {.name = a->operands[0], .file_name = a->operands[1]};
    struct shown shown = {0};
    struct list_report report = {.refused_row = show_refused, .warned_row = show_warned, .context = &shown};
    struct fault f = {0};
    uint32_t version = 0;
    if (read_add_options(a, &add))
        return EXIT_FAILED;
    _cleanup_close_ int fd = cli_open(a->operands[1]);
    if (fd < 0)
        return EXIT_FAILED;
    int r = lists_add(cli_become_owner(a->data_dir), fd, &add, &report, &version, &f);
    say_report(&report);
    if (r)
        return fail_of(a->operands[1], &f);
    SAY(stderr, list_published, add.name, version, message_count(report.entries));
    return sum_refused(&report) ? EXIT_REFUSED : EXIT_DONE;
}

int cli_space_add(const struct cli_args *a)
{
    struct shown shown = {0};
    struct list_report report = {.refused_row = show_refused, .warned_row = show_warned, .context = &shown};
    struct fault f = {0};
    uint32_t version = 0;
    _cleanup_close_ int fd = cli_open(a->operands[0]);
    if (fd < 0)
        return EXIT_FAILED;
    int r = space_add(cli_become_owner(a->data_dir), fd, a->operands[0], &report, &version, &f);
    say_report(&report);
    if (r)
        return fail_of(a->operands[0], &f);
    SAY(stderr, space_published, version, message_count(report.entries));
    return sum_refused(&report) ? EXIT_REFUSED : EXIT_DONE;
}

/* --- show ------------------------------------------------------------------ */

static const struct table_column lists_columns[] = {
    {"name", MSG_col_list, false, false},          {"version", MSG_col_version, true, false},
    {"kind", MSG_col_kind, false, false},          {"entries", MSG_col_entries, true, false},
    {"date", MSG_col_date, false, false},          {"letter", MSG_col_letter, false, true},
    {"source", MSG_col_source, false, true},       {"added", MSG_col_added, false, false},
    {"valid_until", MSG_col_valid_until, false, false}, {"versions", MSG_col_versions, true, false},
};

struct show {
    struct table table;
    const char *data_dir;
    struct fault fault;
    int failed;
};

static int show_list(void *context, const char *name, uint32_t current, uint32_t n_versions)
{
    struct show *s = context;
    struct list *l;
    int r = lists_open(s->data_dir, name, current, &l, &s->fault);
    if (r) { /* one damaged list must not hide the others */
        SAY(stderr, cli_fault, s->fault.text);
        s->failed = 1;
        return 0;
    }
    const struct list_about *about = list_about(l);
    table_text(&s->table, about->name);
    table_number(&s->table, about->version);
    table_text(&s->table, (struct text){kind_names[about->kind], strlen(kind_names[about->kind])});
    table_number(&s->table, about->n_entries);
    table_time(&s->table, about->date_us, about->date_us != 0);
    table_text(&s->table, about->letter);
    table_text(&s->table, about->source);
    table_time(&s->table, about->added_us, true);
    table_time(&s->table, about->valid_until_us, about->valid_until_us != INT64_MAX);
    table_number(&s->table, n_versions);
    list_close(l);
    return 0;
}

static const struct table_column entry_columns[] = {
    {"change", MSG_col_change, false, false},     {"address", MSG_col_address, false, false},
    {"role", MSG_col_role, false, false},         {"port", MSG_col_port, true, false},
    {"family", MSG_col_family, false, true},      {"unit", MSG_col_unit, false, true},
    {"first_seen", MSG_col_first_seen, false, false}, {"last_seen", MSG_col_last_seen, false, false},
    {"note", MSG_col_note, false, true},          {"row", MSG_col_row, true, false},
};
enum { N_ENTRY_COLUMNS = sizeof(entry_columns) / sizeof(*entry_columns) };

/* value_of - the address, range or name; @scratch holds an address. */
static struct text value_of(const struct list_entry *e, char scratch[2 * IP_TEXT_MAX])
{
    return e->kind != NAME_NONE ? e->name : (struct text){scratch, ip_range_format(&e->range, scratch)};
}

/* put_entry - one entry; @change is NULL where the table has no such column. */
static void put_entry(struct table *t, const char *change, const struct list_entry *e)
{
    char range[2 * IP_TEXT_MAX];
    if (change)
        table_text(t, (struct text){change, strlen(change)});
    table_text(t, value_of(e, range));
    table_text(t, e->role == LIST_C2 ? TEXT("c2") : TEXT("bot"));
    table_port(t, e->port);
    table_text(t, e->family);
    table_text(t, e->unit);
    table_time(t, e->first_us, e->first_us != 0);
    table_time(t, e->last_us, e->last_us != 0);
    table_text(t, e->note);
    table_number(t, e->row);
}

static int show_entries(const struct cli_args *a, enum cli_format format)
{
    struct fault f = {0};
    struct list *l;
    struct table t;
    int r = lists_open(a->data_dir, a->operands[0], 0, &l, &f);
    if (r)
        return cli_fail(&f);
    table_begin(&t, format, entry_columns + 1, N_ENTRY_COLUMNS - 1);
    for (uint64_t i = 0; i < list_n_entries(l); i++) {
        struct list_entry e;
        if (list_entry(l, i, &e))
            break;
        put_entry(&t, NULL, &e);
    }
    r = table_end(&t);
    list_close(l);
    return r ? EXIT_FAILED : EXIT_DONE;
}

int cli_list_show(const struct cli_args *a)
{
    enum cli_format format;
    if (cli_format(a, &format))
        return EXIT_FAILED;
    if (a->n_operands)
        return show_entries(a, format);
    struct show s = {.data_dir = a->data_dir};
    table_begin(&s.table, format, lists_columns, sizeof(lists_columns) / sizeof(*lists_columns));
    int r = lists_each(a->data_dir, show_list, &s, &s.fault);
    int short_of_memory = table_end(&s.table);
    if (r)
        return cli_fail(&s.fault);
    return s.failed || short_of_memory ? EXIT_FAILED : EXIT_DONE;
}

/* --- diff -------------------------------------------------------------------- */

static int put_difference(void *context, char what, const struct list_entry *e)
{
    static const char *const words[] = {"new", "persistent", "gone"};
    put_entry(context, words[what == '+' ? 0 : what == '=' ? 1 : 2], e);
    return 0;
}

static int open_version(const struct cli_args *a, const char *text, struct list **ret)
{
    struct fault f = {0};
    uint64_t version;
    if (text_u64((struct text){text, strlen(text)}, UINT32_MAX, &version) || !version) {
        SAY(stderr, list_bad_version, text);
        return 1;
    }
    if (lists_open(a->data_dir, a->operands[0], (uint32_t)version, ret, &f)) {
        cli_fail(&f);
        return 1;
    }
    return 0;
}

int cli_list_diff(const struct cli_args *a)
{
    enum cli_format format;
    struct list *older, *newer;
    struct list_diff d = {0};
    struct table t;
    if (cli_format(a, &format) || open_version(a, a->operands[1], &older))
        return EXIT_FAILED;
    if (open_version(a, a->operands[2], &newer)) {
        list_close(older);
        return EXIT_FAILED;
    }
    table_begin(&t, format, entry_columns, N_ENTRY_COLUMNS);
    int r = lists_diff(older, newer, &d, put_difference, &t);
    r |= table_end(&t);
    SAY(stderr, list_diff_counts, message_count(d.n_new), message_count(d.n_persistent), message_count(d.n_gone));
    if (list_about(newer)->kind == LIST_CUMULATIVE || list_about(newer)->kind == LIST_UNKNOWN)
        SAY(stderr, list_absence_proves_nothing, kind_names[list_about(newer)->kind]);
    list_close(older);
    list_close(newer);
    return r ? EXIT_FAILED : EXIT_DONE;
}

/* --- check ------------------------------------------------------------------- */

static const struct table_column check_columns[] = {
    {"list", MSG_col_list, false, false},         {"version", MSG_col_version, true, false},
    {"address", MSG_col_address, false, false},   {"role", MSG_col_role, false, false},
    {"family", MSG_col_family, false, true},      {"unit", MSG_col_unit, false, true},
    {"first_seen", MSG_col_first_seen, false, false}, {"last_seen", MSG_col_last_seen, false, false},
    {"row", MSG_col_row, true, false},
};

/* what is asked for: an address or a name, and both in the form it is compared in */
struct asked {
    bool is_address;
    struct ip ip;
    enum name_kind kind;
    struct text name;
    char bytes[LIST_NAME_BYTES];
};

static void put_checked(struct table *t, const struct list *l, const struct asked *a)
{
    enum { MOST = 64 };
    struct list_entry e[MOST];
    size_t n = a->is_address ? list_find(l, &a->ip, e, MOST) : list_find_name(l, a->kind, a->name, e, MOST);
    for (size_t i = 0; i < n && i < MOST; i++) {
        char range[2 * IP_TEXT_MAX];
        table_text(t, list_about(l)->name);
        table_number(t, list_about(l)->version);
        table_text(t, value_of(&e[i], range));
        table_text(t, e[i].role == LIST_C2 ? TEXT("c2") : TEXT("bot"));
        table_text(t, e[i].family);
        table_text(t, e[i].unit);
        table_time(t, e[i].first_us, e[i].first_us != 0);
        table_time(t, e[i].last_us, e[i].last_us != 0);
        table_number(t, e[i].row);
    }
}

static void say_owner(const char *data_dir, const struct ip *ip, const char *text)
{
    struct fault f = {0};
    struct space *space;
    struct space_entry e;
    if (space_open_current(data_dir, &space, &f))
        return;
    if (space_find(space, ip, clock_now_us(), &e)) {
        char unit[200];
        SAY(stderr, list_check_ours, text, text_escape(e.unit.p, e.unit.n, unit, sizeof(unit)));
    } else {
        SAY(stderr, list_check_not_ours, text);
    }
    space_close(space);
}

/* read_address - as people pass it on: 1[.]2[.]3[.]4, [v6]:port, a URL of it; but one address, not a range of them. */
static int read_address(const char *text, struct ip *ret)
{
    struct ip_range range;
    uint16_t port;
    bool had_host_bits;
    if (list_address_parse((struct text){text, strlen(text)}, &range, &port, &had_host_bits) || had_host_bits ||
        !ip_equal(&range.first, &range.last))
        return 1;
    *ret = range.first;
    return 0;
}

/* read_asked - @shown: as it is compared. Return: 0 or 1 (neither address nor name). */
static int read_asked(const char *text, struct asked *ret, char *shown, size_t n_shown)
{
    ret->is_address = !read_address(text, &ret->ip);
    if (ret->is_address) {
        ip_format(&ret->ip, shown);
        return 0;
    }
    struct ip_range range;
    uint16_t port;
    bool bits;
    struct text t = {text, strlen(text)};
    ret->kind = NAME_NONE;
    ret->name.p = ret->bytes;
    if (!list_address_parse(t, &range, &port, &bits)) /* a prefix or a range */
        return 1;
    ret->kind = name_parse(t, ret->bytes, &ret->name.n);
    text_escape(ret->bytes, ret->kind == NAME_NONE ? 0 : ret->name.n, shown, n_shown);
    return ret->kind == NAME_NONE;
}

int cli_list_check(const struct cli_args *a)
{
    enum cli_format format;
    struct fault f = {0};
    struct list **lists;
    struct table t;
    struct asked asked;
    size_t n;
    char shown[300];
    if (cli_format(a, &format))
        return EXIT_FAILED;
    if (read_asked(a->operands[0], &asked, shown, sizeof(shown))) {
        SAY(stderr, list_check_bad_address, a->operands[0]);
        return EXIT_FAILED;
    }
    if (lists_open_all(a->data_dir, &lists, &n, &f))
        return cli_fail(&f);
    table_begin(&t, format, check_columns, sizeof(check_columns) / sizeof(*check_columns));
    for (size_t i = 0; i < n; i++) {
        put_checked(&t, lists[i], &asked);
        list_close(lists[i]);
    }
    file_free(&lists);
    if (asked.is_address)
        say_owner(a->data_dir, &asked.ip, shown);
    if (!t.n_rows)
        SAY(stderr, list_check_nowhere, shown, (unsigned)n);
    return table_end(&t) ? EXIT_FAILED : EXIT_DONE;
}

/* --- space show ---------------------------------------------------------------- */

static const struct table_column space_columns[] = {
    {"prefix", MSG_col_prefix, false, false},
    {"unit", MSG_col_unit, false, true},
    {"valid_from", MSG_col_valid_from, false, false},
    {"valid_to", MSG_col_valid_to, false, false},
};

int cli_space_show(const struct cli_args *a)
{
    enum cli_format format;
    struct fault f = {0};
    struct space *space;
    struct table t;
    if (cli_format(a, &format))
        return EXIT_FAILED;
    int r = space_open_current(a->data_dir, &space, &f);
    if (r < 0)
        return cli_fail(&f);
    table_begin(&t, format, space_columns, sizeof(space_columns) / sizeof(*space_columns));
    for (uint64_t i = 0; !r && i < space_n_entries(space); i++) {
        struct space_entry e;
        char range[2 * IP_TEXT_MAX];
        if (space_entry(space, i, &e))
            break;
        size_t n = ip_range_format(&e.range, range);
        table_text(&t, (struct text){range, n});
        table_text(&t, e.unit);
        table_time(&t, e.valid_from_us, e.valid_from_us != INT64_MIN);
        table_time(&t, e.valid_to_us, e.valid_to_us != INT64_MAX);
    }
    if (r)
        SAY(stderr, space_none);
    else
        space_close(space);
    return table_end(&t) ? EXIT_FAILED : EXIT_DONE;
}
