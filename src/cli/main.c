/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From argv to a command. Everything a command prints for people follows
 * --lang; what it prints for programs (csv, json) never does.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/owner.h"
#include "lab/sheet.h"
#include "watch/indicator/list_read.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sodium/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const cli_option_names[CLI_N_OPTIONS] = {
#define X(ID, name, value, text) name,
    CLI_OPTIONS(X)
#undef X
};
const char *const cli_option_values[CLI_N_OPTIONS] = {
#define X(ID, name, value, text) value,
    CLI_OPTIONS(X)
#undef X
};
const enum message_id cli_option_texts[CLI_N_OPTIONS] = {
#define X(ID, name, value, text) MSG_option_##text,
    CLI_OPTIONS(X)
#undef X
};

/* find_option - Return: the option, or -1; *@ret_value is what follows '='. */
static int find_option(const char *word, const char **ret_value)
{
    const char *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    *ret_value = equals ? equals + 1 : NULL;
    for (int i = 0; i < CLI_N_OPTIONS; i++)
        if (strlen(cli_option_names[i]) == n && !memcmp(cli_option_names[i], word, n))
            return i;
    return -1;
}

/* take_option - argv[*i] is --something. Return: 0, or 1 after saying what is wrong. */
static int take_option(struct cli_args *a, int argc, char **argv, int *i)
{
    const char *value;
    char shown[160];
    int o = find_option(argv[*i] + 2, &value);
    text_escape(argv[*i], strlen(argv[*i]), shown, sizeof(shown));
    if (o < 0) {
        SAY(stderr, cli_unknown_option, shown);
        return 1;
    }
    if (!cli_option_values[o]) {
        if (value) {
            SAY(stderr, cli_option_takes_no_value, shown);
            return 1;
        }
        a->value[o] = "";
        return 0;
    }
    if (!value && *i + 1 >= argc) {
        SAY(stderr, cli_option_needs_value, shown, cli_option_values[o]);
        return 1;
    }
    a->value[o] = value ? value : argv[++*i];
    return 0;
}

static int parse(struct cli_args *a, int argc, char **argv)
{
    bool is_open = true;
    a->operands = argv + 1; /* operands are gathered in place: they never overtake the reader */
    for (int i = 1; i < argc; i++) {
        if (is_open && !strcmp(argv[i], "--")) {
            is_open = false;
        } else if (is_open && argv[i][0] == '-' && argv[i][1] == '-') {
            if (take_option(a, argc, argv, &i))
                return 1;
        } else if (is_open && !strcmp(argv[i], "-h")) {
            a->value[CLI_HELP] = "";
        } else if (is_open && argv[i][0] == '-' && argv[i][1]) {
            char shown[160];
            SAY(stderr, cli_unknown_option, text_escape(argv[i], strlen(argv[i]), shown, sizeof(shown)));
            return 1;
        } else {
            a->operands[a->n_operands++] = argv[i];
        }
    }
    return 0;
}

/* words_match - how many operands the command's words take, 0 if they are not these. */
static size_t words_match(const char *words, char **operands, size_t n)
{
    size_t used = 0;
    while (*words) {
        size_t length = strcspn(words, " ");
        if (used >= n || strlen(operands[used]) != length || memcmp(operands[used], words, length))
            return 0;
        used++;
        words += length;
        while (*words == ' ')
            words++;
    }
    return used;
}

static const struct cli_command *find_command(struct cli_args *a)
{
    const struct cli_command *best = NULL;
    size_t best_n = 0;
    for (size_t i = 0; i < cli_n_commands; i++) {
        size_t n = words_match(cli_commands[i].words, a->operands, a->n_operands);
        if (n > best_n) {
            best = &cli_commands[i];
            best_n = n;
        }
    }
    a->operands += best_n;
    a->n_operands -= best_n;
    return best;
}

static int check_use(const struct cli_command *c, const struct cli_args *a)
{
    for (int o = 0; o < CLI_N_OPTIONS; o++)
        if (a->value[o] && !((c->options | CLI_COMMON) >> o & 1)) {
            SAY(stderr, cli_option_not_here, cli_option_names[o], c->words);
            return 1;
        }
    if (a->n_operands < c->least || a->n_operands > c->most) {
        SAY(stderr, cli_usage, c->words, c->operands);
        return 1;
    }
    return 0;
}

int cli_format(const struct cli_args *a, enum cli_format *ret)
{
    static const char *const names[] = {"table", "csv", "json"};
    const char *v = a->value[CLI_FORMAT];
    *ret = CLI_TABLE;
    if (!v)
        return 0;
    for (int i = 0; i < 3; i++)
        if (!strcmp(v, names[i])) {
            *ret = (enum cli_format)i;
            return 0;
        }
    SAY(stderr, cli_bad_format, v, "table, csv, json");
    return 1;
}

int cli_window(const struct cli_args *a, int64_t *ret_since_us, int64_t *ret_until_us)
{
    int64_t now_us = clock_now_us();
    *ret_since_us = INT64_MIN;
    *ret_until_us = INT64_MAX;
    if (a->value[CLI_SINCE] && clock_parse_when(a->value[CLI_SINCE], ZONE_VIETNAM_S, now_us, ret_since_us)) {
        SAY(stderr, cli_bad_time, "--since", a->value[CLI_SINCE]);
        return 1;
    }
    if (a->value[CLI_UNTIL] && clock_parse_when(a->value[CLI_UNTIL], ZONE_VIETNAM_S, now_us, ret_until_us)) {
        SAY(stderr, cli_bad_time, "--until", a->value[CLI_UNTIL]);
        return 1;
    }
    if (*ret_since_us > *ret_until_us) {
        SAY(stderr, cli_window_reversed, a->value[CLI_SINCE], a->value[CLI_UNTIL]);
        return 1;
    }
    return 0;
}

/* read_threads - Return: the number, 0 if none was given, -1 if it is none. */
static int read_threads(const struct cli_args *a)
{
    const char *v = a->value[CLI_THREADS];
    uint64_t n = 0;
    if (v && (text_u64((struct text){v, strlen(v)}, 64, &n) || !n))
        return -1;
    return (int)n;
}

unsigned cli_threads(const struct cli_args *a)
{
    int given = read_threads(a);
    if (given > 0)
        return (unsigned)given;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set))
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > 64 ? 64 : (unsigned)count;
}

int cli_fail(const struct fault *f)
{
    SAY(stderr, cli_fault, f->text);
    return EXIT_FAILED;
}

int cli_open(const char *path)
{
    if (!strcmp(path, "-"))
        return dup(STDIN_FILENO);
    cli_as_invoker();
    int fd = openat(cli_open_at(), path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    cli_as_owner();
    if (fd < 0) {
        char shown[300];
        SAY(stderr, cli_cannot_read, text_escape(path, strlen(path), shown, sizeof(shown)), strerror(errno));
    }
    return fd;
}

/* finish - what was printed must have reached its reader, or the command has failed. */
static int finish(int status)
{
    int before = errno;
    cli_as_invoker();
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    int e = errno ? errno : EIO; /* none: an earlier write failed, and errno may speak of something else by now */
    struct pollfd p = {.fd = STDOUT_FILENO};
    if (e == EIO && poll(&p, 1, 0) == 1 && p.revents & POLLERR)
        e = EPIPE;
    if (e == EIO && before == ENOSPC)
        e = ENOSPC;
    if (e == EPIPE) /* whoever reads has seen enough */
        return status;
    SAY(stderr, cli_cannot_write_output, strerror(e));
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct cli_args a = {0};
    static const struct list_xlsx sheets = {lab_sheet_open, lab_sheet_close};
    list_xlsx = &sheets; /* spreadsheets are read in the lab, wherever a list is read */
    signal(SIGPIPE, SIG_IGN);
    message_choose_language(NULL);
    if (sodium_init() < 0)
        return EXIT_FAILED;
    if (parse(&a, argc, argv))
        return EXIT_FAILED;
    if (message_choose_language(a.value[CLI_LANG])) {
        SAY(stderr, cli_bad_format, a.value[CLI_LANG], "vi, en");
        return EXIT_FAILED;
    }
    a.data_dir = a.value[CLI_DATA] ? a.value[CLI_DATA] : getenv("VONGGAC_DATA");
    if (!a.data_dir || !*a.data_dir)
        a.data_dir = "/var/lib/vonggac";
    if (!a.n_operands) {
        cli_explain(NULL);
        return finish(a.value[CLI_HELP] ? EXIT_DONE : EXIT_FAILED);
    }
    const struct cli_command *c = find_command(&a);
    if (!c) {
        char shown[160];
        SAY(stderr, cli_unknown_command, text_escape(a.operands[0], strlen(a.operands[0]), shown, sizeof(shown)));
        return EXIT_FAILED;
    }
    if (a.value[CLI_HELP]) {
        cli_explain(c);
        return finish(EXIT_DONE);
    }
    if (check_use(c, &a))
        return EXIT_FAILED;
    if (read_threads(&a) < 0) {
        SAY(stderr, cli_bad_format, a.value[CLI_THREADS], "1..64");
        return EXIT_FAILED;
    }
    return finish(c->run(&a));
}
