/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/alert/alert - the rules of the work: what a finding says, which alert it belongs to, how severe, until when, what may follow.
 *
 * An *alert* is what a person has to look at: all findings of one cause (a rule, a list, a behaviour, another's alert) at one entity (an
 * address, host, user or domain of ours) while it is open. After it was resolved the same cause at the same entity makes a new
 * alert that follows the old one, except in the quiet time after "false" and "benign".
 * Pure but for alert_policy_read (a file); no SQL here.
 * In:     payloads of the finding journal (docs/behaviour.md, watch/detect/finder, log_alert), JSON, at most 64 KiB: of our own watch,
 *         but read as if they were a stranger's.
 */
#pragma once

#include "base/fault.h"
#include "base/ip.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum alert_severity { ALERT_INFO = 1, ALERT_LOW, ALERT_MEDIUM, ALERT_HIGH, ALERT_CRITICAL };
enum alert_state { ALERT_NEW, ALERT_OPEN, ALERT_ASSIGNED, ALERT_RESOLVED };
enum alert_verdict { ALERT_UNDECIDED, ALERT_TRUE, ALERT_FALSE, ALERT_BENIGN, ALERT_VERIFIED_MALWARE };
enum alert_kind { ALERT_OF_CONTACT, ALERT_OF_OWN_LISTED, ALERT_OF_SIGMA, ALERT_OF_BEHAVIOUR, ALERT_OF_OTHERS, ALERT_N_KINDS };
enum alert_entity { ALERT_IP, ALERT_HOST, ALERT_USER, ALERT_DOMAIN };

#define ALERT_CAUSE_MAX 256
#define ALERT_ENTITY_MAX 256
#define ALERT_TITLE_MAX 512

extern const char *const alert_severity_names[]; /* by enum, ended by NULL; [0] is "" */
extern const char *const alert_state_names[];
extern const char *const alert_verdict_names[];  /* [0] is "" */
extern const char *const alert_entity_names[];

/* what one finding says; texts are terminated copies, cut on a character */
struct alert_sign {
    enum alert_kind kind;
    char cause[ALERT_CAUSE_MAX];   /* "list:NAME", "own-list:NAME", "sigma:RULE", "behaviour:KIND", "other:SOURCE:RULE" */
    char rule_id[128], rule_name[ALERT_TITLE_MAX], list[128];
    enum alert_entity entity_kind;
    char entity[ALERT_ENTITY_MAX];
    struct ip own;                 /* zero: not known */
    char host[ALERT_ENTITY_MAX], unit[ALERT_ENTITY_MAX]; /* unit: free text of the own space */
    enum alert_severity severity;  /* of the finding itself; 0: by the policy */
    int confidence_pct;            /* -1: not said */
    int64_t first_us, last_us;
    uint64_t n;                    /* flows or events */
    bool is_withdrawn;             /* the watch takes it back */
};

/* alert_read - Return: 0, or 1: no finding we understand, with *@ret_why (static). */
int alert_read(struct text payload, struct alert_sign *ret, const char **ret_why);

struct alert_policy {
    enum alert_severity severity[ALERT_N_KINDS]; /* 0: the rule's */
    int level_step[6], internet_step, unprotected_step, confidence_below_pct, confidence_step;
    int64_t acknowledge_us[ALERT_CRITICAL + 1], resolve_us[ALERT_CRITICAL + 1]; /* 0: none */
    int64_t quiet_us[ALERT_VERIFIED_MALWARE + 1];
    int engines;
    bool may_hash, may_analyst;
};
/* alert_policy_read - @path NULL: content/alerts.yaml. Return: 0; 1 (refused: file, line and why in @f); -errno. */
int alert_policy_read(const char *path, struct alert_policy *ret, struct fault *f);

/* what is known of the machine a finding is about */
struct alert_place {
    int64_t unit, machine;     /* 0: not known */
    int level;                 /* 1..5; 0: not decided or not known */
    bool is_internet, is_unprotected;
};
/* alert_severity_of - the policy's arithmetic. */
enum alert_severity alert_severity_of(const struct alert_policy *p, const struct alert_sign *s, const struct alert_place *place);
/* alert_title - one line for people in @language-neutral form: what, and where. Return: @out. */
const char *alert_title(const struct alert_sign *s, char *out, size_t n_out);

/* alert_may_become - whether a person may take it from one state to another. A resolved one is opened again only by hand. */
bool alert_may_become(enum alert_state from, enum alert_state to);

/* --- suppression: what a rule, list or behaviour finds at certain entities is kept, but asks nobody --- */
struct alert_mute {
    int64_t id, unit;          /* unit 0: everywhere its author may see */
    const char *cause;         /* exact, or with one * at the end */
    const char *entity;        /* exact, a CIDR for addresses, or * */
    int64_t from_us, to_us;
};
bool alert_is_muted(const struct alert_mute *m, const char *cause, enum alert_entity kind, const char *entity, int64_t at_us);
/* alert_mute_is_sane - cause and entity can match, and are not both everything. Return: false with the wrong member's name. */
bool alert_mute_is_sane(const char *cause, const char *entity, const char **ret_member);
