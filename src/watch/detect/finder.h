/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/finder - totals of all sightings, and their way into the finding journal.
 *
 * finder_add merges what a thread saw live; finder_set puts the total a hunt has counted. Every
 * finder_write turns the entries that changed into records with the next revision. Entries of windows
 * that ended some time ago leave memory once they are written; if such a window is seen again,
 * finder_recall reads its last record back, so totals never start over.
 *
 * Payload: one JSON object with dotted keys: finding.kind, own.ip, remote.ip (contact only), list.name,
 * list.version, family, unit, direction, listed, window.start, window.length_s, first_seen, last_seen, flows,
 * packets, bytes, live.flows, live.packets, live.bytes (the part that no hunt has counted), ports (array),
 * remotes (array of {ip, flows}; own_listed and names only), indicator.kind (domain, url, hash) and indicator.name where a
 * name is what is listed: a contact (domain, URL), or own_listed (a listed file on a machine of ours); source ("log": of
 * log events, flows is then how many events; own.ip is absent when no address of our own is known; such findings have ids of
 * their own), and withdrawn ("own_space_changed") when the finding does not stand under the own space that is declared now;
 * a later revision without it revives it.
 * Thread-safe.
 */
#pragma once

#include "watch/detect/match_set.h"
#include "watch/detect/sighting.h"

struct finder;

struct finder_options {
    const char *data_dir; /* borrowed */
    uint64_t journal_max_bytes;
    uint32_t max_sightings;  /* totals in memory */
    int64_t window_us;
};

struct finder_state {
    struct findings_state journal;
    uint64_t sightings, overflow, written, write_errors;
};

/* finder_open - opens the journal and reads back the findings of windows that may still change. */
int finder_open(const struct finder_options *o, struct finder **ret, struct fault *f);
void finder_close(struct finder *x);
/* finder_add - merge and clear @t. Return: 0 (what did not fit is counted). */
int finder_add(struct finder *x, struct sightings *t);
/*
 * finder_set - what a hunt counted for one sighting among the rows that are the hunt's business (see match_set.h).
 * It replaces what an earlier hunt, or the journal, said of them; what was added live since stays.
 */
int finder_set(struct finder *x, const struct sighting *s);
/* finder_write - journal what changed; @set gives families and units (may be NULL). Return: 0 or -errno. */
int finder_write(struct finder *x, const struct match_set *set, int64_t now_us, struct fault *f);
/*
 * finder_rebase - the own space is another: what was counted is journalled, findings that do not stand under the space of
 * @set are withdrawn by a record with the next revision, and memory forgets its totals, so that the hunt that
 * follows counts all of the past anew (finder_set). @ret_withdrawn: how many. Return: 0 or -errno: nothing is forgotten.
 */
int finder_rebase(struct finder *x, const struct match_set *set, uint64_t *ret_withdrawn, struct fault *f);
/*
 * finder_journal - a record of a finding that is not made of sightings (log_alert.h), with the revision behind its last
 * one; the next finder_write commits it. Return: 0 or -errno: nothing was added.
 */
int finder_journal(struct finder *x, const struct finding_id *id, struct text payload);
/* finder_revision - of the last record of @id; 0: none. */
uint32_t finder_revision(struct finder *x, const struct finding_id *id);
/*
 * finder_recall - the last records of findings, committed ones only. @each: not 0 ends the walk.
 * Return: 0, what @each returned, or -errno.
 */
int finder_recall(struct finder *x, int (*each)(void *context, const struct finding_id *id, struct text payload),
                  void *context, struct fault *f);
void finder_get_state(struct finder *x, struct finder_state *ret);
