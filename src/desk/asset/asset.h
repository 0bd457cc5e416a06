/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/asset/asset - one record per machine, whoever saw it: the denominator of every "all machines".
 *
 * In:     sightings of flows, leases, logs, agents, antivirus consoles, inventories and evidence; decisions of people.
 * Out:    machines with their keys (agent id, serial, MAC, name, address) and when each held; links where it is doubtful whether two
 *         records are one machine; the story of each.
 * Who a machine is: identity.h. A record that was re-imaged or merged away ends and names its successor; it is never deleted.
 * Works inside the caller's transaction on @db; failures of SQL are sticky there.
 * Limits: MACHINE_VALUES values of one key in one sighting, MACHINE_KEYS_READ keys of a machine are compared.
 */
#pragma once

#include "desk/asset/identity.h"
#include "desk/unit/unit.h"

#define MACHINE_VALUES 8u
#define MACHINE_KEYS_READ 256u
#define MACHINE_NAME_MAX 255u

extern const struct db_migrations asset_migrations;
extern const struct trail_kind asset_kinds[];
extern const size_t asset_n_kinds;

/* X(ID, "word"): who saw it; the word stands in the state */
#define MACHINE_SOURCES(X)                                                                                              \
    X(FLOW, "flow") X(LEASE, "lease") X(LOG, "log") X(AGENT, "agent") X(ANTIVIRUS, "antivirus") X(INVENTORY, "inventory") \
    X(EVIDENCE, "evidence") X(PERSON, "person")
/* X(ID, "word", "as inventories write it, folded") */
#define MACHINE_KINDS(X)                                                                                                    \
    X(UNKNOWN, "unknown", "unknown|chua ro|khong ro")                                                                       \
    X(SERVER, "server", "server|may chu|server vat ly|may chu ao|may chu vat ly|vm|virtual server")                          \
    X(WORKSTATION, "workstation", "workstation|may tram|pc|may tinh|laptop|desktop|may tinh de ban|may tinh xach tay|client") \
    X(NETWORK, "network", "network|thiet bi mang|router|switch|firewall|tuong lua|access point|bo dinh tuyen")               \
    X(OTHER, "other", "other|khac|printer|may in|camera|iot|phone|dien thoai")
#define MACHINE_PROTECTIONS(X)                                                                                       \
    X(UNKNOWN, "unknown", "unknown|chua ro|khong ro")                                                                \
    X(PROTECTED, "protected", "protected|on|enabled|active|bat|da bat|dang hoat dong|da cai|co|yes|online|connected") \
    X(OUTDATED, "outdated", "outdated|cu|chua cap nhat|out of date|loi thoi")                                        \
    X(DISABLED, "disabled", "disabled|off|tat|da tat|offline|inactive|disconnected|ngung")                           \
    X(NONE, "none", "none|khong|chua cai|chua cai dat|no|not installed|khong co")
#define MACHINE_EXPOSURES(X)                                                                                  \
    X(UNKNOWN, "unknown", "unknown|chua ro|khong ro")                                                         \
    X(INTERNET, "internet", "internet|public|cong khai|ra internet|dmz|external|co ket noi internet")         \
    X(INTERNAL, "internal", "internal|noi bo|lan|private|mang noi bo|khong ket noi internet")

enum machine_source {
#define X(ID, word) MACHINE_BY_##ID,
    MACHINE_SOURCES(X)
#undef X
        MACHINE_N_SOURCES
};
#define X(ID, word, words) MACHINE_##ID,
enum machine_kind { MACHINE_KINDS(X) MACHINE_N_KINDS };
#undef X
#define X(ID, word, words) PROTECTION_##ID,
enum machine_protection { MACHINE_PROTECTIONS(X) PROTECTION_N };
#undef X
#define X(ID, word, words) EXPOSURE_##ID,
enum machine_exposure { MACHINE_EXPOSURES(X) EXPOSURE_N };
#undef X
extern const char *const machine_source_names[MACHINE_N_SOURCES], *const machine_kind_names[MACHINE_N_KINDS],
    *const machine_protection_names[PROTECTION_N], *const machine_exposure_names[EXPOSURE_N];
extern const char *const machine_kind_choices[MACHINE_N_KINDS], *const machine_protection_choices[PROTECTION_N],
    *const machine_exposure_choices[EXPOSURE_N];

/* one moment of one machine; texts as they came, keys are brought to their form here */
struct machine_sighting {
    enum machine_source source;
    struct text seen_by;                            /* "inventory 2026.xlsx", "dhcp ha-noi"; may be empty */
    struct text keys[IDENTITY_N_KEYS][MACHINE_VALUES]; /* the first of each kind decides, further ones are added to it */
    int64_t at_us, unit;                            /* unit 0: not known */
    int64_t unit_text;                              /* of unit_text_ask, where the unit's name waits for a person; 0: none */
    bool is_nat;                                    /* the address is of a NAT pool: it names no machine */
    /* compare with machines that sees() shows only: an import of a unit touches no other's */
    bool only_seen;
    enum machine_kind kind;                         /* UNKNOWN: not said; so below */
    enum machine_exposure exposure;
    enum machine_protection protection;
    struct text product, os, note;
    int64_t protection_us;                          /* last contact of the protection; 0: at_us */
    int64_t system;
};

struct machine_seen {
    int64_t machine; /* 0: the sighting names no machine */
    bool is_new, is_changed;
    struct identity_decision decision;
};
/* machine_see - Return: 0 with @ret, 1: no usable key, -errno. */
int machine_see(struct db *db, const struct machine_sighting *s, const struct unit_actor *by, struct machine_seen *ret);
/* machine_at - who held @address at @at_us, without a trace; 0: nobody known. */
int64_t machine_at(struct db *db, struct text address, int64_t unit, int64_t at_us);

/* --- decisions of people ------------------------------------------------------------------------------------------ */
enum machine_condition { MACHINE_DONE, MACHINE_NO_SUCH = 2 /* DB_CONFLICT is 1 */, MACHINE_CHANGED, MACHINE_ENDED, MACHINE_SAME };

/* machine_merge - @from is the same machine as @into: its keys go over, the record ends and leads to @into. sees() guards both. */
int machine_merge(struct db *db, int64_t from, int64_t into, int64_t version, struct text why, const struct unit_actor *by);
/*
 * machine_split - the keys of @key_ids (or, with @of, those that came with the record @of by a merge) were of another machine: a new
 * record, or @of again, has them. The two are linked as different, so that they are not offered as one again.
 */
int machine_split(struct db *db, int64_t machine, int64_t version, const int64_t *key_ids, size_t n, int64_t of, struct text why,
                  const struct unit_actor *by, int64_t *ret_id);
/* machine_judge - a doubtful link: the same machine (then they are merged) or two. */
int machine_judge(struct db *db, int64_t link, bool is_same, struct text why, const struct unit_actor *by);
struct machine_change {
    int64_t unit, tlp, system;
    enum machine_kind kind;
    enum machine_exposure exposure;
    struct text name, note;
};
int machine_change(struct db *db, int64_t machine, int64_t version, const struct machine_change *c, const struct unit_actor *by);
/* machine_end - it is no more (taken out of use). */
int machine_end(struct db *db, int64_t machine, int64_t version, struct text why, const struct unit_actor *by);
/* machine_adopt - machines whose unit's name was waiting and has been decided since go to that unit. Return: their number. */
int64_t machine_adopt(struct db *db, const struct unit_actor *by);

/* --- import -------------------------------------------------------------------------------------------------------- */
struct machine_import {
    const struct unit_words *words;
    struct unit_actor by;
    struct text source;
    enum machine_source from;                 /* INVENTORY or ANTIVIRUS */
    int64_t unit;                             /* of rows that name none; scope of texts that wait */
    bool is_whole;
    bool (*may)(void *context, int64_t unit); /* NULL: everything */
    void *context;
};
/*
 * machine_import - rows of an inventory or of an antivirus console; headers in Vietnamese or English (asset_import.c). A unit's name that
 * nobody has for certain puts the machine under @unit and the name into the queue.
 * Return: as unit_import.
 */
int machine_import(struct db *db, const uint8_t *p, size_t n, const struct machine_import *o, struct table_report *report, struct fault *f);
