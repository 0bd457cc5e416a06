/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/privileges - what each role gives up before it reads a byte from the network.
 *
 * Order in a role: user and group, capabilities, no_new_privs, landlock, seccomp.
 */
#pragma once

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct identity {
    uid_t uid;
    gid_t gid;
    bool is_known;
};

/* privileges_find - user and group by name. Return: 0, or 1 with the fault filled when one does not exist. */
int privileges_find(const char *user, const char *group, struct identity *ret, struct fault *f);
/* privileges_drop - become @who for good (no way back is checked); nothing when not root. Return: 0 or -errno. */
int privileges_drop(const struct identity *who, struct fault *f);

/* how much of the file system rules the kernel could enforce */
enum landlock_state { LANDLOCK_ABSENT, LANDLOCK_PARTIAL, LANDLOCK_FULL };
const char *landlock_state_name(enum landlock_state s);

/* what a role may do with files: everything below some directories, reading below others; what is missing is left out */
struct file_rights {
    const char *const *write_dirs, *const *read_dirs;
    size_t n_write_dirs, n_read_dirs;
};

/*
 * privileges_confine_watch - no process, no connection, no key; files as @rights say.
 * An old kernel degrades landlock: @ret_landlock says how far, and `status` shows it.
 * Return: 0 or -errno (seccomp is not optional).
 */
int privileges_confine_watch(const struct file_rights *rights, enum landlock_state *ret_landlock, struct fault *f);
/*
 * privileges_confine_office - no process, no packet, no key of others; it may connect (mail, gateways, the watch's control socket). Not
 * dumpable. @rights: a name of read_dirs may be a single file.
 */
int privileges_confine_office(const struct file_rights *rights, enum landlock_state *ret_landlock, struct fault *f);
/* privileges_confine_gate - no file at all, no process, no socket but those it has and the pairs it makes. Return: as above. */
int privileges_confine_gate(enum landlock_state *ret_landlock, struct fault *f);
/*
 * privileges_drop_but_reading - as privileges_drop, but the right of reading any file stays (CAP_DAC_READ_SEARCH), if it is ours:
 * so the parent can read a renewed key. privileges_end_reading - the roles give that up too.
 */
int privileges_drop_but_reading(const struct identity *who, struct fault *f);
void privileges_end_reading(void);
/* privileges_no_new - no program started from here on may gain rights; the parent must go on forking, so it does only this. */
int privileges_no_new(struct fault *f);
