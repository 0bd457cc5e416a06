/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/watch_state - what the threads of the watch role share, and who may touch it.
 */
#pragma once

#include "gate/gate.h"
#include "node/config.h"
#include "node/privileges.h"
#include "node/watch_role.h"
#include "watch/detect/finder.h"
#include "watch/detect/live.h"
#include "watch/detect/log_alert.h"
#include "watch/intake/nat_log.h"
#include "watch/intake/capture.h"
#include "watch/intake/udp.h"
#include "watch/store/store.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#define WATCH_MAX_RECEIVERS (CONFIG_MAX_LISTENERS * CONFIG_MAX_RECEIVERS)

/* a receiving thread and what it owns */
struct watch_receiver {
    struct watch *watch;
    const struct config_listener *listener; /* NULL: a capture */
    const struct config_capture *capture;
    struct udp_receiver udp;      /* of a listener */
    struct capture_receiver ring; /* of a capture */
    struct live live;
    struct store_writer *writer;
    struct nat_log nat;               /* NAT events that are no flows: kept as log events */
    struct store_log_writer *nat_writer;
    atomic_ullong nat_lost;           /* of them, what the disk could not take */
    pthread_t thread;
    int64_t last_findings_us;
    _Atomic bool is_running, has_failed, is_in_trouble; /* in trouble: the disk takes nothing */
};

/* one stretch of the past that is to be hunted again */
struct hunt_job {
    int64_t since_us, until_us; /* event time; INT64_MIN, INT64_MAX: all */
    int64_t not_before_us;      /* steady time: what was received until then belongs to it */
    int64_t rebase_us;          /* steady time; not 0: everything is to be counted anew */
    bool is_wanted;
};

struct watch {
    const struct config *config;
    const char *data_dir;
    const char *spool_dir; /* where imports set bytes aside */
    int64_t started_us;
    enum landlock_state landlock;
    struct store *store;
    struct finder *finder;
    struct watch_receiver *receivers;
    size_t n_receivers;
    struct watch_log_receiver *logs; /* watch_logs.c */
    size_t n_logs;
    struct gate_board *board; /* what the gate counts; NULL: no gate */

    pthread_mutex_t set_lock; /* guards current and the freeing of old sets */
    struct match_set *current;
    const struct match_set *borrowed; /* by the hunter: not to be freed */
    struct match_set *retired[8]; /* wait until every receiver has passed a quiet point */
    size_t n_retired;
    uint64_t lists_generation; /* of the registry, when last loaded */
    int64_t last_wall_us;      /* when the clock was last looked at */
    bool is_set_back;          /* it was, and the lists are to be active anew */

    pthread_mutex_t work_lock; /* guards the next */
    pthread_cond_t work;       /* something to do for upkeep or hunter */
    struct hunt_job job;
    bool compact_wanted, is_hunting, is_compacting;
    uint64_t compactions_done, hunts_done, hunt_rows, hunt_failures;
    int64_t last_hunt_us, last_compaction_us;
    struct fault last_hunt_fault;

    pthread_mutex_t import_lock; /* one import at a time */
    struct event_names *names;   /* fields of log events, of the store and the decoders */
    struct sigma_rules *rules;   /* NULL: none; never changes: SIGHUP starts a new role, the sockets stay */
    struct log_alerts *alerts;   /* NULL: no rules */
    struct watch_behaviour *behaviour; /* NULL: switched off */
    uint32_t n_rules_refused;
    struct line_decoders *decoders; /* NULL: could not be loaded; lines are kept with their header only */
    _Atomic bool is_ending;
    _Atomic uint64_t n_commands;
};

/* --- log messages (watch_logs.c): made ready from the parent's sockets, started, ended and sealed, freed */
int watch_logs_init(struct watch *w, const struct watch_sockets *s, struct fault *f);
int watch_logs_start(struct watch *w, struct fault *f);
void watch_logs_end(struct watch *w);
void watch_logs_close(struct watch *w);
bool watch_logs_failed(const struct watch *w);
/* watch_logs_status - what the listeners counted; @ret_kept: events of all. */
json_t *watch_logs_status(struct watch *w, uint64_t *ret_kept);

/* watch_files_status - of the files that are followed. */
json_t *watch_files_status(struct watch *w);
/* watch_logs_publish - another set for the receivers; under set_lock. */
void watch_logs_publish(struct watch *w, const struct match_set *m);
/* watch_logs_have_seen - whether all that run have taken set @generation. */
bool watch_logs_have_seen(const struct watch *w, uint64_t generation);
/* watch_logs_match_status - counters of lists over events. */
json_t *watch_logs_match_status(struct watch *w);
/* watch_logs_periodic - about every second: senders gone silent are said once. */
void watch_logs_periodic(struct watch *w);

/* --- rules (watch_rules.c): loaded before the role is confined; what is refused is logged, the rest runs */
void watch_rules_load(struct watch *w);
int watch_rules_init(struct watch *w, struct fault *f);
void watch_rules_free(struct watch *w);
json_t *watch_rules_status(struct watch *w);

/*
 * --- behaviour (watch_behaviour.c): content is read before the role is confined; a thread of its own for flows. offer: a copy
 * of what detectors read is queued; events: judged at once. Neither fails: what is not looked at is counted.
 */
void watch_behaviour_load(struct watch *w);
int watch_behaviour_start(struct watch *w, struct fault *f);
void watch_behaviour_end(struct watch *w);
void watch_behaviour_free(struct watch *w);
void watch_behaviour_offer(struct watch *w, const struct flow_batch *b);
void watch_behaviour_events(struct watch *w, const struct events *e, const struct space *space);
/* watch_behaviour_publish, _has_seen - another set, as for receivers; under set_lock. */
void watch_behaviour_publish(struct watch *w, const struct match_set *m);
bool watch_behaviour_has_seen(const struct watch *w, uint64_t generation);
/* watch_behaviour_write - under set_lock: what was found into the journal's buffer. Return: 0 or -errno. */
int watch_behaviour_write(struct watch *w, struct fault *f);
json_t *watch_behaviour_status(struct watch *w);
uint64_t watch_behaviour_excepted(struct watch *w, size_t i);

/* watch_want_hunt - hunt [since, until] again for all lists; merges with what is wanted already. */
void watch_want_hunt(struct watch *w, int64_t since_us, int64_t until_us);
/*
 * watch_want_new_hunt - hunt everything for lists that become active in @active_in_us; @is_anew: what was counted before
 * is counted anew (another own space, a clock set back).
 */
void watch_want_new_hunt(struct watch *w, int64_t active_in_us, bool is_anew);
/* watch_hunter - the hunter's thread. */
void *watch_hunter(void *watch);
/* watch_upkeep - the upkeep thread. */
void *watch_upkeep(void *watch);
/* watch_command - serve one connection of the control socket (takes @fd). */
void watch_command(struct watch *w, int fd);
/* watch_load_lists - publish the current lists to the receivers if they changed. Return: 0 or -errno. */
int watch_load_lists(struct watch *w, bool is_first, struct fault *f);
/* watch_status - everything as one JSON object; NULL when memory is out. */
struct json_t *watch_status(struct watch *w);
