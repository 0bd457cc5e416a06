/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli - the command line: one table of options and one of commands feed parsing, --help, the
 * manual page and shell completion.
 *
 * Options may stand anywhere; `--` ends them. `--name value` or `--name=value`.
 * Exit status of every command: 0 done, 1 could not run, 2 ran but refused some or all of the input.
 */
#pragma once

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_REFUSED = 2 };

/* X(ID, "name", "VALUE" or NULL for a flag) - the help text is message option_<name with _> */
#define CLI_OPTIONS(X)                                   \
    X(DATA, "data", "DIR", data)                         \
    X(FORMAT, "format", "FORMAT", format)                \
    X(LANG, "lang", "vi|en", lang)                       \
    X(SINCE, "since", "TIME", since)                     \
    X(UNTIL, "until", "TIME", until)                     \
    X(ZONE, "zone", "ZONE", zone)                        \
    X(AGAIN, "again", NULL, again)                       \
    X(MAP, "map", "NAME=COLUMN,...", map)                \
    X(KIND, "kind", "KIND", kind)                        \
    X(LETTER, "letter", "NUMBER", letter)                \
    X(DATE, "date", "DATE", date)                        \
    X(SOURCE, "source", "BODY", source)                  \
    X(FAMILY, "family", "NAME", family)                  \
    X(VALID_UNTIL, "valid-until", "DATE", valid_until)   \
    X(FILE, "file", "FILE", file)                        \
    X(ROWS, "rows", NULL, rows)                          \
    X(EXPLAIN, "explain", NULL, explain)                 \
    X(WAIT, "wait", NULL, wait)                          \
    X(CONFIG, "config", "FILE", config)                  \
    X(CHECK, "check", NULL, check)                       \
    X(THREADS, "threads", "N", threads)                  \
    X(YEAR, "year", "YEAR", year)                        \
    X(RECOVER, "recover", NULL, recover)                 \
    X(RULES, "rules", "DIR", rules)                      \
    X(BEHAVIOUR, "behaviour", NULL, behaviour)           \
    X(INPUT_FORMAT, "input-format", "FORMAT", input_format) \
    X(HEAD, "head", "SHA256", head)                      \
    X(AT, "at", "TIME", at)                              \
    X(SKEW, "skew", "SPAN", skew)                        \
    X(PURPOSE, "purpose", "TEXT", purpose)               \
    X(GATEWAY, "gateway", "NAME", gateway)               \
    X(REALM, "realm", "NAME", realm)                     \
    X(RESOLVE, "resolve", NULL, resolve)                 \
    X(REMOTE, "remote", "ADDRESS[:PORT]", remote)        \
    X(ASK, "ask", NULL, ask)                             \
    X(QUESTIONS, "questions", "FILE", questions)         \
    X(NAME, "name", "NAME", name)                        \
    X(ROLE, "role", "ROLE", role)                        \
    X(UNIT, "unit", "UNIT", unit)                        \
    X(EMAIL, "email", "ADDRESS", email)                  \
    X(PHONE, "phone", "NUMBER", phone)                   \
    X(CONNECTOR, "connector", NULL, connector)           \
    X(ALONE, "alone", NULL, alone)                       \
    X(OBJECT, "object", "KIND:ID", object)               \
    X(FROM, "from", "TIME", from)                        \
    X(TO, "to", "TIME", to)                              \
    X(WHOLE, "whole", NULL, whole)                       \
    X(HELP, "help", NULL, help)

enum cli_option {
#define X(ID, name, value, text) CLI_##ID,
    CLI_OPTIONS(X)
#undef X
        CLI_N_OPTIONS
};
#define CLI_BIT(ID) (UINT64_C(1) << CLI_##ID)

struct cli_args {
    const char *value[CLI_N_OPTIONS]; /* "" for a flag that was given, NULL if not */
    char **operands;                  /* borrowed from argv */
    size_t n_operands;
    const char *data_dir; /* --data, else VONGGAC_DATA, else /var/lib/vonggac */
};

/* the words come first: "list add"; the longest match wins */
struct cli_command {
    const char *words;
    const char *operands; /* as in the synopsis: "FILE..." */
    uint64_t options;     /* CLI_BIT; DATA, LANG, FORMAT and HELP are in cli_common */
    unsigned least, most; /* operands */
    enum message_id summary, detail; /* detail ends with examples */
    int (*run)(const struct cli_args *a); /* NULL: only explained */
};

#define CLI_COMMON (CLI_BIT(DATA) | CLI_BIT(LANG) | CLI_BIT(FORMAT) | CLI_BIT(HELP))

extern const struct cli_command cli_commands[];
extern const size_t cli_n_commands;
extern const char *const cli_option_names[CLI_N_OPTIONS];
extern const char *const cli_option_values[CLI_N_OPTIONS];
extern const enum message_id cli_option_texts[CLI_N_OPTIONS];

enum cli_format { CLI_TABLE, CLI_CSV, CLI_JSON };
/* cli_format - of the output: --format table|csv|json, table by default. Return: 0, or 1 after saying what is wrong. */
int cli_format(const struct cli_args *a, enum cli_format *ret);
/* cli_window - --since and --until; INT64_MIN/MAX where absent. Return: 0, or 1 after saying what is wrong. */
int cli_window(const struct cli_args *a, int64_t *ret_since_us, int64_t *ret_until_us);
/* cli_threads - --threads, else the processors this process may use, at most 64. */
unsigned cli_threads(const struct cli_args *a);
/* cli_fail - print the fault; Return: EXIT_FAILED. */
int cli_fail(const struct fault *f);
/* cli_open - a file named by the user, for reading ("-" is standard input). Return: descriptor, or -1 after saying why. */
int cli_open(const char *path);

/* One function per command of the table. Return: the exit status. */
int cli_import_flows(const struct cli_args *a);
int cli_import_logs(const struct cli_args *a);
int cli_list_add(const struct cli_args *a);
int cli_list_show(const struct cli_args *a);
int cli_list_diff(const struct cli_args *a);
int cli_list_check(const struct cli_args *a);
int cli_space_add(const struct cli_args *a);
int cli_space_show(const struct cli_args *a);
int cli_hunt(const struct cli_args *a);
int cli_query(const struct cli_args *a);
int cli_decode(const struct cli_args *a);
/* cli_decode_flows - decode, of files that hold flows: pcap, exports, binetflow, nfdump-csv, csv. */
int cli_decode_flows(const struct cli_args *a);
int cli_store_compact(const struct cli_args *a);
int cli_store_verify(const struct cli_args *a);
int cli_verify(const struct cli_args *a);
int cli_teach(const struct cli_args *a);
int cli_export(const struct cli_args *a);
int cli_serve(const struct cli_args *a);
int cli_status(const struct cli_args *a);
int cli_rules_check(const struct cli_args *a);
int cli_detect(const struct cli_args *a);
/* cli_detect_behaviour - detect with --behaviour. */
int cli_detect_behaviour(const struct cli_args *a);
int cli_lease_gather(const struct cli_args *a);
int cli_lease_import(const struct cli_args *a);
int cli_lease_who(const struct cli_args *a);
int cli_lease_batch(const struct cli_args *a);
int cli_lease_status(const struct cli_args *a);
int cli_lease_purge(const struct cli_args *a);
int cli_unit_import(const struct cli_args *a);
int cli_unit_export(const struct cli_args *a);
int cli_unit_show(const struct cli_args *a);
int cli_prefix_import(const struct cli_args *a);
int cli_prefix_publish(const struct cli_args *a);
int cli_machine_import(const struct cli_args *a);
int cli_user_add(const struct cli_args *a);
int cli_user_list(const struct cli_args *a);
int cli_user_show(const struct cli_args *a);
int cli_user_disable(const struct cli_args *a);
int cli_user_enable(const struct cli_args *a);
int cli_user_reset_password(const struct cli_args *a);
int cli_user_reset_totp(const struct cli_args *a);
int cli_user_unlock(const struct cli_args *a);
int cli_user_bind(const struct cli_args *a);
int cli_user_unbind(const struct cli_args *a);
int cli_grant_add(const struct cli_args *a);
int cli_grant_list(const struct cli_args *a);
int cli_grant_end(const struct cli_args *a);
int cli_backup(const struct cli_args *a);
int cli_restore(const struct cli_args *a);
int cli_help(const struct cli_args *a);

/* cli_explain - --help of one command, or of all (NULL). */
void cli_explain(const struct cli_command *c);
