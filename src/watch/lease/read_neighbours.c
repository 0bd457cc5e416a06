/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of neighbours: which machine answered for an address when the table was taken. `ip neigh`, `arp -an` and `arp -a` of
 * Linux and BSD, `show ip arp` of Cisco IOS: wherever they differ, an address and a MAC stand in the line.
 */
#include "watch/lease/read_inside.h"

#include <string.h>

/* address_in - "10.0.0.1", "(10.0.0.1)". Return: 0 or 1. */
static int address_in(struct text word, struct ip *ret)
{
    if (word.n >= 2 && *word.p == '(' && word.p[word.n - 1] == ')')
        word = (struct text){word.p + 1, word.n - 2};
    return ip_parse(word.p, word.n, ret);
}

int read_neighbours(struct reading *r)
{
    struct text line;
    int rc;
    while (!(rc = reading_line(r, &line))) {
        struct text rest = text_trim(line), whole = rest, word, host = {"", 0};
        struct lease_row row = {.l = {.from_us = r->o->at_us, .to_us = r->o->at_us, .port_last = UINT16_MAX, .prefix = 128,
                                      .kind = LEASE_NEIGHBOUR, .flags = LEASE_SEEN_ONLY}};
        bool has_address = false;
        if (!whole.n)
            continue;
        for (bool is_first = true; (word = reading_word(&rest)).n; is_first = false) {
            if (!has_address && !address_in(word, &row.l.outside))
                has_address = true;
            else if (!row.l.mac && lease_mac_of(word, &row.l.mac))
                host = is_first && *word.p != '?' ? word : host; /* arp -a begins with the name */
        }
        if (!has_address || !row.l.mac) { /* a heading, or an address nobody answered for */
            (void)reading_other(r);
            continue;
        }
        row.host = text_is(host, "Internet") ? (struct text){"", 0} : host;
        rc = reading_row(r, &row, LEASE_WORD_NONE, r->line, whole);
        if (rc)
            return rc;
    }
    return rc < 0 ? rc : 0;
}
