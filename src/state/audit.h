/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/audit - who did what, and who read what is not everybody's: append-only, chained by hashes.
 *
 * DIR/audit/AUDIT: one line an entry: a JSON object with n (from 1), at (RFC 3339), who, action, object, why (the purpose that
 * was given), result; a blank; LINK, the SHA-256 of the link before (32 zero bytes at first) and the object's text.
 * Who owns the disk can write the whole file anew: the last link, the head, is what must be kept elsewhere (printed on
 * reports, handed upwards) and compared (audit_verify with @head).
 * A line is synced before the caller goes on. Writers take turns by flock; a torn last line is cut by the next one.
 */
#pragma once

#include "base/fault.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_LINE_MAX ((size_t)64 << 10)
#define AUDIT_TEXT_MAX 4096u /* bytes of one value; longer ones are cut */

struct audit_entry {
    const char *who;    /* NULL: the user of this process, by name and number */
    const char *action; /* "lease.who" ... */
    const char *object; /* what it was done to or asked about */
    const char *why;    /* NULL: none was given */
    const char *result; /* "2 candidates"; NULL: none */
};

/* audit_add - Return: 0, -EBADMSG (the trail's end is no line of ours: nothing is added), or -errno. */
int audit_add(const char *data_dir, const struct audit_entry *e, struct fault *f);

struct audit_report {
    uint64_t n_lines, first_wrong; /* line number; 0: none */
    struct sha256 head;            /* of the last line that follows */
    bool has_head, is_torn;        /* the head asked for stands in it; the last line has no end */
};
#define AUDIT_EMPTY 3
/* audit_verify - @head may be NULL. Return: 0 (what is wrong stands in @ret), AUDIT_EMPTY, or -errno. */
int audit_verify(const char *data_dir, const struct sha256 *head, struct audit_report *ret, struct fault *f);
