/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/office - what the commands that change the office's state share: it is opened as the owner of the data directory, every
 * change is entered in its trail as "cli:NAME" of who really runs the command.
 *
 * A running office notices changes of people and rights by itself; nothing has to be told to it.
 */
#pragma once

#include "cli/cli.h"
#include "state/person.h"

struct office {
    struct db_pool *pool;
    struct roles *roles;
    struct db *db;       /* between office_begin and office_end */
    struct arena arena;
    int64_t now_us;
    char who[120];
    struct fault fault;
};

/* office_open - @may_create: a directory without a state gets one. Return: 0, or 1 after saying why not. */
int office_open(const struct cli_args *a, bool may_create, struct office *o);
void office_close(struct office *o);

/* office_begin - a writing transaction. office_end - @r 0: kept; else rolled back and, if it is a condition, said. Return: exit status. */
void office_begin(struct office *o);
int office_end(struct office *o, int r);
/* office_tell - an entry of the trail; @detail: JSON or NULL. */
void office_tell(struct office *o, const char *action, const char *kind, int64_t object, const char *why, const char *detail);
/* office_person - by login. Return: 0, or 1 after saying that there is none. */
int office_person(struct office *o, const char *login, struct person *ret);
/* office_unit - --unit: an id, a code, or a name that only one unit has; 0 without it. Return: 0, or 1 after saying why not. */
int office_unit(struct office *o, const struct cli_args *a, int64_t *ret);
/* office_unit_name - "" for the whole office; in the arena. */
const char *office_unit_name(struct office *o, int64_t unit);
/* office_yes_no - a claim: in words of a table, else true or false. */
const char *office_yes_no(enum cli_format format, bool is);
/* office_time - an option that is a time, or (@may_span) a span ahead: 90d. @ret stays without it. Return: 0, or 1 after saying why not. */
int office_time(struct office *o, const struct cli_args *a, enum cli_option option, bool may_span, int64_t *ret);
