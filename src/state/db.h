/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/db - the one small door to the relational memory: SQLite today, so the SQL behind it stays portable.
 *
 * A pool holds one writing and some reading connections on one file; whoever takes a connection owns it until it is given back,
 * and uses it from one thread. Reading connections cannot write (query_only).
 * Statements are prepared once per connection and kept, found by the address of their text: @sql is a literal.
 * Errors are sticky per transaction: after the first failure every bind and step does nothing, db_end refuses to commit and
 * tells the first reason; so the code of a desk reads as the work, not as its accidents.
 * Files: 0600, WAL, synchronous FULL (what a commit answered survives a power cut), STRICT tables, foreign keys on.
 * Limits: a value 16 MiB, a statement 1,000 bound values, a wait for another process's lock DB_WAIT_MS.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define DB_WAIT_MS 10000
#define DB_VALUE_MAX ((size_t)16 << 20)
#define DB_CONFLICT 1 /* a unique, check or foreign key constraint refused the change */

struct db;
struct db_pool;
struct db_statement;

/* db_pool_open - creates the file where @may_create. Return: 0, -ENOENT, -EBADMSG (no database, or damaged), -errno. */
int db_pool_open(const char *path, unsigned n_readers, bool may_create, struct db_pool **ret, struct fault *f);
/* db_pool_close - everything was given back. */
void db_pool_close(struct db_pool *p);

/* db_read - a reading connection; waits for one; a snapshot is taken at its first statement. db_end gives it back. */
struct db *db_read(struct db_pool *p);
/* db_write - the writing connection inside BEGIN IMMEDIATE; waits for its turn. */
struct db *db_write(struct db_pool *p);
/*
 * db_end - end what db_read or db_write began and give the connection back. @is_kept: commit, else roll back.
 * Return: 0; DB_CONFLICT (what was tried broke a constraint, nothing of it was kept); -errno with the first reason.
 */
int db_end(struct db *db, bool is_kept, struct fault *f);
/* db_failed - 0, or what db_end will say. */
int db_failed(const struct db *db);

/* db_sql - the statement of @sql (a literal), reset, nothing bound; never NULL (a failed one does nothing). */
struct db_statement *db_sql(struct db *db, const char *sql);
/* binding, from 1; text and blobs are borrowed until the statement is used again or done */
void db_bind(struct db_statement *s, int i, int64_t value);
void db_bind_real(struct db_statement *s, int i, double value);
void db_bind_text(struct db_statement *s, int i, struct text value);
void db_bind_str(struct db_statement *s, int i, const char *value); /* NULL binds null */
void db_bind_blob(struct db_statement *s, int i, const void *p, size_t n);
void db_bind_null(struct db_statement *s, int i);
/* db_next - the next row. Return: true while there is one; false at the end or after a failure (db_failed tells). */
bool db_next(struct db_statement *s);
/* db_done - a statement with no rows of interest: run to its end. Return: rows changed, or 0 after a failure. */
int64_t db_done(struct db_statement *s);
/* db_reset - leave a statement before its last row. */
void db_reset(struct db_statement *s);
/* columns, from 0, of the row db_next stands on; text is borrowed until the next step */
bool db_is_null(struct db_statement *s, int column);
int64_t db_int(struct db_statement *s, int column);
double db_real(struct db_statement *s, int column);
struct text db_text(struct db_statement *s, int column);
struct text db_blob(struct db_statement *s, int column);
/* db_new_id - the id of the row the last insert of this connection made. */
int64_t db_new_id(struct db *db);

/*
 * db_many - statements without bound values, each ended by ';', as a migration is. The failure is sticky, like any other.
 */
void db_many(struct db *db, const char *sql);

/* A room's tables grow by numbered steps; a step once released is never changed. */
struct db_migrations {
    const char *room;          /* "unit"; stands in the table migration */
    const char *const *steps;  /* SQL of step 1, 2, ... */
    unsigned n_steps;
};
/*
 * db_migrate - bring every room to its last step, in the order given, in one transaction.
 * Return: 0, -EPROTO (the file knows steps this program does not: it was written by a newer one), -errno.
 */
int db_migrate(struct db_pool *p, const struct db_migrations *const *rooms, size_t n_rooms, struct fault *f);

/* db_backup - a whole copy while others write, checked (integrity_check), synced, then renamed to @path. */
int db_backup(struct db_pool *p, const char *path, struct fault *f);

/*
 * db_function - a function of SQL on every connection of the pool, before the first is taken. @call answers a whole number for
 * @n whole numbers (null counts as 0) and knows the connection's db_set_context.
 */
int db_function(struct db_pool *p, const char *name, int n_arguments, int64_t (*call)(void *context, const int64_t *v, int n),
                struct fault *f);
/* db_set_context - of this connection, until it is given back; what functions are called with. */
void db_set_context(struct db *db, void *context);

/*
 * db_attach - something that lives as long as the pool and that statements' texts may lie in; @release (may be NULL) is called by
 * db_pool_close after the last statement is gone. Once, before threads. db_attached - it, of any connection.
 */
void db_attach(struct db_pool *p, void *what, void (*release)(void *what));
void *db_attached(const struct db *db);
const char *db_path(const struct db_pool *p);

/*
 * db_settle - the database at @path as one file, without its -wal and -shm, and nobody else has it open.
 * Return: 0; -ENOENT; -EBUSY; -EBADMSG; -errno.
 */
int db_settle(const char *path, struct fault *f);
/* db_check - integrity and foreign keys. Return: 0, -EBADMSG with the first complaint, -errno. */
int db_check(struct db *db, struct fault *f);
