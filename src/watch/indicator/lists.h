/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/lists - the registry in DIR/lists and DIR/space: versions kept for ever as files.
 *
 *   DIR/lists/NAME/VERSION/raw       the file as it came
 *                          compiled  the image list_open maps
 *                          manifest  name, version, kind, letter, dates, source, SHA-256 of both, counts
 *   DIR/lists/NAME/current           the number of the published version (one atomic rename)
 *   DIR/space/VERSION/..., DIR/space/current    the own address space, in the same way
 *
 * Adding publishes all or nothing. Return, unless said: 0 or -errno with the fault filled.
 */
#pragma once

#include "watch/indicator/list.h"
#include "watch/indicator/list_read.h"
#include "watch/indicator/space.h"

#define LISTS_NOTHING_VALID 1 /* no row was valid: nothing published */
#define LISTS_MOSTLY_BAD 2    /* more than half of the rows were malformed: nothing published */

struct list_add {
    const char *name;      /* [A-Za-z0-9._-], 1..64, not starting with '.' */
    const char *file_name; /* as the user gave it, for the record */
    enum list_kind kind;
    const char *letter, *source, *family; /* NULL: none; family for rows without one */
    int64_t date_us;       /* 0: unknown */
    int64_t valid_until_us; /* 0: no end */
};

/* lists_add - parse @fd (list_read), compile, keep, publish. @report gets counts and every refused or warned row. */
int lists_add(const char *data_dir, int fd, const struct list_add *a, struct list_report *report, uint32_t *ret_version,
              struct fault *f);
/* lists_open - a published version of one list; @version 0: the current one. */
int lists_open(const char *data_dir, const char *name, uint32_t version, struct list **ret, struct fault *f);
/*
 * lists_generation - a number that changes whenever a list or the space is published (a hash of every "current");
 * reads two small files per list. For a running node to see that it must load anew.
 */
int lists_generation(const char *data_dir, uint64_t *ret, struct fault *f);
/* lists_each - every list's current version, by name. @each returning non-zero ends it and is handed up. */
int lists_each(const char *data_dir, int (*each)(void *context, const char *name, uint32_t current, uint32_t n_versions),
               void *context, struct fault *f);
/* lists_open_all - the current version of every list; caller closes each and frees the array. */
int lists_open_all(const char *data_dir, struct list ***ret, size_t *ret_n, struct fault *f);
/* lists_compile - an unpublished list from a file (hunt --file); its name is the file's. */
int lists_compile(int fd, const struct list_add *a, struct list_report *report, struct list **ret, struct fault *f);

struct list_diff {
    uint64_t n_new, n_persistent, n_gone; /* address ranges compared as whole entries of one role */
};
int lists_diff(const struct list *older, const struct list *newer, struct list_diff *ret,
               int (*each)(void *context, char what /* '+', '=', '-' */, const struct list_entry *e), void *context);

/* space_add, space_compile - as lists_add and lists_compile, for the own address space. */
int space_compile(int fd, const char *file_name, struct list_report *report, struct space **ret, struct fault *f);
int space_add(const char *data_dir, int fd, const char *file_name, struct list_report *report, uint32_t *ret_version,
              struct fault *f);
/* space_open_current - Return: 0, 1 (none yet: *ret is NULL), or -errno. */
int space_open_current(const char *data_dir, struct space **ret, struct fault *f);
