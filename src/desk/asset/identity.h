/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/asset/identity - is this the machine we know? The rules, as one pure function over what was seen and what is known.
 *
 * In:     one sighting (whatever was seen of a machine at one moment) and the known machines that share a key with it.
 * Out:    merge into one of them, a new machine, or a new machine with links; the rule that decided; what happened to the machine.
 *
 * Keys, strongest first: agent id, serial, MAC, name (within a unit), address (within a unit and a time).
 *
 *   | what is seen                                   | what is known                          | decision                          |
 *   |------------------------------------------------|----------------------------------------|-----------------------------------|
 *   | agent id of one machine                        | no contradiction                       | that machine                      |
 *   |                                                | another name                           | that machine, renamed             |
 *   |                                                | another serial                         | cloned agent id: apart, linked    |
 *   |                                                | other MAC and name within clone_us     | cloned agent id: apart, linked    |
 *   | agent id of several machines                   | one of them has serial, MAC or name    | that one; else the last seen    |
 *   | serial, or MAC, and a new agent id             | another agent id, same name            | that machine, agent reinstalled   |
 *   |                                                | another agent id, another name or none | re-imaged: new record, linked     |
 *   | serial, or MAC, no agent id or the first one   | another name                           | that machine, renamed             |
 *   | MAC                                            | another serial                         | apart, linked same_mac            |
 *   | name, same unit                                | other agent id, serial or MAC          | apart, linked same_name           |
 *   |                                                | no contradiction                       | that machine                      |
 *   | name, several machines of the unit             |                                        | who has the address; else the last |
 *   | address only, held by a machine then           | seen there within hold_us              | that machine                      |
 *   | address and keys nobody has                    | holder within claim_us, no contradiction | that machine, now identified    |
 *   |                                                | another MAC, name, serial or agent id  | address reused: a new machine     |
 *   | nothing of that                                |                                        | a new machine                     |
 *
 * Of several that fit, the last seen is taken and the event says in_doubt; a re-imaged record ends and names its successor.
 * A key that many machines share says nothing: locally administered and virtual MACs, serials like "To be filled by O.E.M.",
 * names like "localhost", addresses of NAT pools (the caller leaves those out).
 * Limits: reentrant, no allocation, no clock; IDENTITY_LINKS links. Tests: tests/unit/test_identity.c holds the table.
 */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_KEY_BYTES 256u
#define IDENTITY_LINKS 4u
#define IDENTITY_KNOWN_MAX 64u

/* X(ID, "word") - order: strongest first; the word stands in the state */
#define IDENTITY_KEYS(X) X(AGENT, "agent") X(SERIAL, "serial") X(MAC, "mac") X(NAME, "name") X(IP, "ip")
enum identity_kind {
#define X(ID, word) IDENTITY_##ID,
    IDENTITY_KEYS(X)
#undef X
        IDENTITY_N_KEYS
};

struct identity_key {
    enum identity_kind kind;
    struct text value; /* canonical, of identity_canonical */
    int64_t first_us, last_us;
};

struct identity_sighting {
    struct text keys[IDENTITY_N_KEYS]; /* canonical; n 0: not seen */
    int64_t unit;                      /* 0: not known */
    int64_t at_us;
};

struct identity_known {
    int64_t machine, unit;
    bool is_ended; /* re-imaged or merged away: never merged into */
    const struct identity_key *keys;
    size_t n;
    int64_t last_us; /* last seen at all */
};

struct identity_times {
    int64_t clone_us; /* an agent id at two places within this time is two machines */
    int64_t hold_us;  /* an address still means its last machine so long after */
    int64_t claim_us; /* the same, where the sighting has keys of its own */
};
extern const struct identity_times identity_times; /* 1 h, 24 h, 1 h */

enum identity_act { IDENTITY_MERGE, IDENTITY_NEW, IDENTITY_NOTHING /* no usable key */ };

/* X(ID, "word"): what the sighting says of the machine */
#define IDENTITY_EVENTS(X)                                                                                                        \
    X(SEEN, "seen") X(RENAMED, "renamed") X(REINSTALLED, "agent_reinstalled") X(REIMAGED, "reimaged") X(CLONED, "agent_cloned")   \
    X(IDENTIFIED, "identified") X(REUSED, "address_reused") X(DOUBT, "in_doubt") X(FIRST, "first_seen")
enum identity_event {
#define X(ID, word) IDENTITY_##ID,
    IDENTITY_EVENTS(X)
#undef X
        IDENTITY_N_EVENTS
};

/* X(ID, "word"): links between two records; doubtful ones wait for a person */
#define IDENTITY_LINK_KINDS(X) X(REIMAGED, "reimaged") X(CLONED, "agent_cloned") X(SAME_MAC, "same_mac") X(SAME_NAME, "same_name")
enum identity_link {
#define X(ID, word) IDENTITY_LINK_##ID,
    IDENTITY_LINK_KINDS(X)
#undef X
        IDENTITY_N_LINK_KINDS
};

struct identity_decision {
    enum identity_act act;
    enum identity_event event;
    int64_t machine; /* MERGE: into this one */
    enum identity_kind by;
    unsigned n_links;
    struct {
        int64_t machine;
        enum identity_link kind;
    } links[IDENTITY_LINKS];
};

/* words as they stand in the state and the API; static */
const char *identity_key_name(enum identity_kind k);
const char *identity_event_name(enum identity_event e);
const char *identity_link_name(enum identity_link l);

/*
 * identity_canonical - one form per key: MAC as aa:bb:cc:dd:ee:ff from any notation, names and ids in lower case without a closing
 * dot, addresses as RFC 5952. @out: IDENTITY_KEY_BYTES. Return: the length; 0: empty, malformed, or a value many machines share.
 */
size_t identity_canonical(enum identity_kind kind, struct text value, char out[IDENTITY_KEY_BYTES]);

/* identity_decide - by the table above. @known: each machine once, at most IDENTITY_KNOWN_MAX are looked at. */
void identity_decide(const struct identity_sighting *s, const struct identity_known *known, size_t n, const struct identity_times *t,
                     struct identity_decision *ret);
