/* SPDX-License-Identifier: Apache-2.0 */
/* desk/asset/identity: the table of its header, row by row. */
#include "cmocka_house.h"
#include "base/clock.h"
#include "desk/asset/identity.h"

#include <string.h>

#define HOUR (3600 * US_PER_SECOND)
#define NOW INT64_C(1790000000000000)
#define K(what, text, from_h, to_h) {IDENTITY_##what, TEXT(text), NOW + (from_h) * HOUR, NOW + (to_h) * HOUR}

/* what is known before each case; two units */
static const struct identity_key PC1[] = {K(AGENT, "agent-1", -100, -5), K(SERIAL, "serial-1", -100, -5), K(MAC, "00:11:22:00:00:01", -100, -5),
                                          K(NAME, "pc1", -100, -5), K(IP, "10.0.0.1", -100, -5)};
static const struct identity_key PC2[] = {K(AGENT, "agent-2", -100, 0), K(MAC, "00:11:22:00:00:02", -100, 0), K(NAME, "pc2", -100, 0),
                                          K(IP, "10.0.0.2", -100, 0)};
static const struct identity_key LEASED[] = {K(MAC, "00:11:22:00:00:03", -3, -1), K(NAME, "laptop", -3, -1), K(IP, "10.0.0.3", -3, -1)};
static const struct identity_key FLOW[] = {K(IP, "10.0.0.4", -2, 0)};
static const struct identity_key CLONE_A[] = {K(AGENT, "agent-c", -9, 0), K(MAC, "00:11:22:00:00:0a", -9, 0), K(NAME, "clone-a", -9, 0)};
static const struct identity_key CLONE_B[] = {K(AGENT, "agent-c", -9, -1), K(MAC, "00:11:22:00:00:0b", -9, -1), K(NAME, "clone-b", -9, -1)};
static const struct identity_key ELSEWHERE[] = {K(NAME, "pc1", -9, -1), K(IP, "10.0.0.1", -9, -1)};
static const struct identity_key ENDED[] = {K(SERIAL, "serial-old", -999, -500), K(NAME, "old", -999, -500)};
static const struct identity_key NOAGENT[] = {K(SERIAL, "serial-9", -9, -1), K(NAME, "srv9", -9, -1)};
static const struct identity_key TWIN_A[] = {K(NAME, "twin", -9, -4), K(IP, "10.0.0.7", -9, -4)};
static const struct identity_key TWIN_B[] = {K(NAME, "twin", -9, -2), K(IP, "10.0.0.8", -9, -2)};
static const struct identity_key PUBLIC[] = {K(IP, "203.0.113.9", -30, -20)};
static const struct identity_key PASSED_ON[] = {K(MAC, "00:11:22:00:00:33", -1, 0), K(IP, "10.0.0.3", -1, 0)};

#define KNOWN(id, unit, keys, last_h, ended) {id, unit, ended, keys, sizeof(keys) / sizeof(*(keys)), NOW + (last_h) * HOUR}
static const struct identity_known known[] = {
    KNOWN(1, 1, PC1, -5, false),     KNOWN(2, 1, PC2, 0, false),      KNOWN(3, 1, LEASED, -1, false),  KNOWN(4, 1, FLOW, 0, false),
    KNOWN(10, 1, CLONE_A, 0, false), KNOWN(11, 1, CLONE_B, -1, false), KNOWN(20, 2, ELSEWHERE, -1, false), KNOWN(30, 1, ENDED, -500, true),
    KNOWN(9, 1, NOAGENT, -1, false), KNOWN(40, 1, TWIN_A, -4, false),  KNOWN(41, 1, TWIN_B, -2, false), KNOWN(50, 1, PUBLIC, -20, false),
    KNOWN(33, 1, PASSED_ON, 0, false),
};

static const struct {
    const char *what;
    const char *agent, *serial, *mac, *name, *ip;
    int64_t unit;
    int at_h;
    enum identity_act act;
    enum identity_event event;
    int64_t machine, linked;
    enum identity_link link;
} cases[] = {
    {"its agent", "agent-1", "", "", "", "", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 1, 0, 0},
    {"its agent under a new name", "agent-1", "serial-1", "", "pc1-new", "", 1, 0, IDENTITY_MERGE, IDENTITY_RENAMED, 1, 0, 0},
    {"its agent with another serial", "agent-1", "serial-x", "", "", "", 1, 0, IDENTITY_NEW, IDENTITY_CLONED, 0, 1, IDENTITY_LINK_CLONED},
    {"its agent on the machine of another serial", "agent-1", "serial-9", "", "", "", 1, 0, IDENTITY_MERGE, IDENTITY_CLONED, 9, 1, IDENTITY_LINK_CLONED},
    {"its agent elsewhere at once", "agent-2", "", "00:11:22:00:00:99", "other", "", 1, 0, IDENTITY_NEW, IDENTITY_CLONED, 0, 2, IDENTITY_LINK_CLONED},
    {"its agent on a new card much later", "agent-1", "", "00:11:22:00:00:99", "pc1-b", "", 1, 0, IDENTITY_MERGE, IDENTITY_RENAMED, 1, 0, 0},
    {"an agent of two, told by the MAC", "agent-c", "", "00:11:22:00:00:0b", "", "", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 11, 0, 0},
    {"an agent of two, told by the name", "agent-c", "", "", "clone-a", "", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 10, 0, 0},
    {"an agent of two, nothing else", "agent-c", "", "", "", "", 1, 0, IDENTITY_MERGE, IDENTITY_DOUBT, 10, 0, 0},
    {"an agent of two on a third", "agent-c", "", "00:11:22:00:00:0d", "", "", 1, 0, IDENTITY_NEW, IDENTITY_CLONED, 0, 10, IDENTITY_LINK_CLONED},
    {"same serial, new agent, new name", "agent-n", "serial-1", "", "fresh", "", 1, 0, IDENTITY_NEW, IDENTITY_REIMAGED, 0, 1, IDENTITY_LINK_REIMAGED},
    {"same serial, new agent, no name", "agent-n", "serial-1", "", "", "", 1, 0, IDENTITY_NEW, IDENTITY_REIMAGED, 0, 1, IDENTITY_LINK_REIMAGED},
    {"same serial, new agent, same name", "agent-n", "serial-1", "", "pc1", "", 1, 0, IDENTITY_MERGE, IDENTITY_REINSTALLED, 1, 0, 0},
    {"same serial, first agent", "agent-n", "serial-9", "", "", "", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 9, 0, 0},
    {"same MAC, new agent, new name", "agent-n", "", "00:11:22:00:00:01", "fresh", "", 1, 0, IDENTITY_NEW, IDENTITY_REIMAGED, 0, 1, IDENTITY_LINK_REIMAGED},
    {"same MAC, another serial", "", "serial-x", "00:11:22:00:00:01", "", "", 1, 0, IDENTITY_NEW, IDENTITY_FIRST, 0, 1, IDENTITY_LINK_SAME_MAC},
    {"same MAC, another name, no agent", "", "", "00:11:22:00:00:03", "laptop-new", "", 1, 0, IDENTITY_MERGE, IDENTITY_RENAMED, 3, 0, 0},
    {"same MAC at another address", "", "", "00:11:22:00:00:03", "laptop", "10.0.0.77", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 3, 0, 0},
    {"same MAC in another unit", "", "", "00:11:22:00:00:03", "", "", 2, 0, IDENTITY_MERGE, IDENTITY_SEEN, 3, 0, 0},
    {"a name of its unit", "", "", "", "srv9", "", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 9, 0, 0},
    {"the same name in the other unit", "", "", "", "pc1", "", 2, 0, IDENTITY_MERGE, IDENTITY_SEEN, 20, 0, 0},
    {"a name with another MAC", "", "", "00:11:22:00:00:99", "laptop", "", 1, 0, IDENTITY_NEW, IDENTITY_FIRST, 0, 3, IDENTITY_LINK_SAME_NAME},
    {"a name of two, told by the address", "", "", "", "twin", "10.0.0.7", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 40, 0, 0},
    {"a name of two", "", "", "", "twin", "", 1, 0, IDENTITY_MERGE, IDENTITY_DOUBT, 41, 0, 0},
    {"a name of two, of a unit nobody knows", "", "", "", "twin", "", 0, 0, IDENTITY_NEW, IDENTITY_FIRST, 0, 40, IDENTITY_LINK_SAME_NAME},
    {"an address now", "", "", "", "", "10.0.0.4", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 4, 0, 0},
    {"an address in another unit's own network", "", "", "", "", "10.0.0.4", 2, 0, IDENTITY_NEW, IDENTITY_FIRST, 0, 0, 0},
    {"a public address, held yesterday", "", "", "", "", "203.0.113.9", 2, 3, IDENTITY_MERGE, IDENTITY_SEEN, 50, 0, 0},
    {"a public address, held long ago", "", "", "", "", "203.0.113.9", 2, 5, IDENTITY_NEW, IDENTITY_FIRST, 0, 0, 0},
    {"an address passed on: who has it now", "", "", "", "", "10.0.0.3", 1, 0, IDENTITY_MERGE, IDENTITY_SEEN, 33, 0, 0},
    {"an address passed on: who had it then", "", "", "", "", "10.0.0.3", 1, -2, IDENTITY_MERGE, IDENTITY_SEEN, 3, 0, 0},
    {"an address with the MAC of another machine", "", "", "00:11:22:00:00:98", "", "10.0.0.2", 1, 0, IDENTITY_NEW, IDENTITY_REUSED, 0, 0, 0},
    {"an address with another name", "", "", "", "guest", "10.0.0.2", 1, 0, IDENTITY_NEW, IDENTITY_REUSED, 0, 0, 0},
    {"an address that now has a name", "", "", "", "printer", "10.0.0.4", 1, 0, IDENTITY_MERGE, IDENTITY_IDENTIFIED, 4, 0, 0},
    {"an address whose holder is some time ago", "", "", "", "printer", "10.0.0.4", 1, 2, IDENTITY_NEW, IDENTITY_FIRST, 0, 0, 0},
    {"a record that ended", "", "serial-old", "", "", "", 1, 0, IDENTITY_NEW, IDENTITY_FIRST, 0, 0, 0},
    {"nothing known", "agent-z", "", "", "", "", 1, 0, IDENTITY_NEW, IDENTITY_FIRST, 0, 0, 0},
    {"no key", "", "", "", "", "", 1, 0, IDENTITY_NOTHING, IDENTITY_FIRST, 0, 0, 0},
};

static void each_row_of_the_table_is_decided_as_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *const values[] = {cases[i].agent, cases[i].serial, cases[i].mac, cases[i].name, cases[i].ip};
        struct identity_sighting s = {.unit = cases[i].unit, .at_us = NOW + cases[i].at_h * HOUR};
        struct identity_decision d;
        for (int k = 0; k < IDENTITY_N_KEYS; k++)
            s.keys[k] = (struct text){values[k], strlen(values[k])};
        identity_decide(&s, known, sizeof(known) / sizeof(*known), &identity_times, &d);
        if (d.act != cases[i].act || d.event != cases[i].event || d.machine != cases[i].machine || d.n_links != (cases[i].linked != 0))
            fail_msg("%s: act %d, %s, machine %lld, %u links", cases[i].what, (int)d.act, identity_event_name(d.event), (long long)d.machine,
                     d.n_links);
        if (cases[i].linked && (d.links[0].machine != cases[i].linked || d.links[0].kind != cases[i].link))
            fail_msg("%s: linked to %lld as %s", cases[i].what, (long long)d.links[0].machine, identity_link_name(d.links[0].kind));
    }
}

static void keys_have_one_form_and_shared_values_are_none(void **state)
{
    (void)state;
    static const struct {
        enum identity_kind kind;
        const char *value, *form;
    } all[] = {
        {IDENTITY_MAC, "00-11-22-AA-BB-CC", "00:11:22:aa:bb:cc"},
        {IDENTITY_MAC, "0011.22aa.bbcc", "00:11:22:aa:bb:cc"},
        {IDENTITY_MAC, "001122AABBCC", "00:11:22:aa:bb:cc"},
        {IDENTITY_MAC, "02:42:ac:11:00:02", ""}, /* locally administered: a container */
        {IDENTITY_MAC, "01:00:5e:00:00:01", ""}, /* a group */
        {IDENTITY_MAC, "00:00:5e:00:01:0a", ""}, /* VRRP, RFC 5798 7.3 */
        {IDENTITY_MAC, "00:00:00:00:00:00", ""},
        {IDENTITY_MAC, "00:11:22:aa:bb", ""},
        {IDENTITY_MAC, "00:11:22:aa:bb:cc:dd", ""},
        {IDENTITY_SERIAL, " 5CD1234XYZ ", "5cd1234xyz"},
        {IDENTITY_SERIAL, "To be filled by O.E.M.", ""},
        {IDENTITY_SERIAL, "0000000000", ""},
        {IDENTITY_SERIAL, "xx-xx", ""},
        {IDENTITY_NAME, "PC-KETOAN-01.kontum.gov.vn.", "pc-ketoan-01.kontum.gov.vn"},
        {IDENTITY_NAME, "PC-KETOAN-01$", "pc-ketoan-01"},
        {IDENTITY_NAME, "localhost", ""},
        {IDENTITY_NAME, "a\nb", ""},
        {IDENTITY_IP, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {IDENTITY_IP, "::ffff:192.0.2.1", "192.0.2.1"},
        {IDENTITY_IP, "127.0.0.1", ""},
        {IDENTITY_IP, "fe80::1", ""},
        {IDENTITY_IP, "10.0.0.0/8", ""},
        {IDENTITY_AGENT, "00000000-0000-0000-0000-000000000000", ""},
        {IDENTITY_AGENT, "", ""},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        char out[IDENTITY_KEY_BYTES] = "";
        size_t n = identity_canonical(all[i].kind, (struct text){all[i].value, strlen(all[i].value)}, out);
        if (n != strlen(all[i].form) || memcmp(out, all[i].form, n) != 0)
            fail_msg("%s became %.*s", all[i].value, (int)n, out);
    }
}

static void no_sighting_is_ever_merged_into_a_record_that_ended_or_contradicts_a_serial(void **state)
{
    (void)state;
    static const char *const pool[IDENTITY_N_KEYS][3] = {{"", "agent-1", "agent-c"}, {"", "serial-1", "serial-old"},
                                                         {"", "00:11:22:00:00:01", "00:11:22:00:00:0a"}, {"", "pc1", "twin"}, {"", "10.0.0.1", "10.0.0.4"}};
    for (unsigned i = 0; i < 243 * 3; i++) {
        struct identity_sighting s = {.unit = i / 243, .at_us = NOW};
        struct identity_decision d;
        unsigned x = i % 243;
        for (int k = 0; k < IDENTITY_N_KEYS; k++, x /= 3)
            s.keys[k] = (struct text){pool[k][x % 3], strlen(pool[k][x % 3])};
        identity_decide(&s, known, sizeof(known) / sizeof(*known), &identity_times, &d);
        for (size_t m = 0; d.act == IDENTITY_MERGE && m < sizeof(known) / sizeof(*known); m++) {
            if (known[m].machine != d.machine)
                continue;
            assert_false(known[m].is_ended);
            for (size_t k = 0; k < known[m].n; k++)
                if (known[m].keys[k].kind == IDENTITY_SERIAL && s.keys[IDENTITY_SERIAL].n)
                    assert_true(text_equal(known[m].keys[k].value, s.keys[IDENTITY_SERIAL]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_the_table_is_decided_as_written),
        cmocka_unit_test(keys_have_one_form_and_shared_values_are_none),
        cmocka_unit_test(no_sighting_is_ever_merged_into_a_record_that_ended_or_contradicts_a_serial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
