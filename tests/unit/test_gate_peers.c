/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_house.h"

#include "gate/peers.h"

#include <string.h>

#define PRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void a_peer_is_a_name_an_address_or_a_fingerprint(void **state)
{
    static const struct {
        const char *text;
        bool is_valid, is_fingerprint;
    } cases[] = {
        {"web1.example.vn", true, false},
        {"WEB_1.example.vn", true, false},
        {"*.example.vn", true, false},
        {"localhost", true, false},
        {"192.0.2.7", true, false},
        {"2001:db8::7", true, false},
        {"sha256:" PRINT, true, true},
        {"SHA256:" PRINT, true, true},
        {"sha256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF", true, true},
        {"", false, false},
        {"*", false, false},
        {"*.", false, false},
        {"*.*.example.vn", false, false},
        {"web*.example.vn", false, false},
        {"web1..example.vn", false, false},
        {".example.vn", false, false},
        {"example.vn.", false, false},
        {"not a name", false, false},
        {"192.0.2.0/24", false, false},
        {"sha256:", false, false},
        {"sha256:" PRINT "00", false, false},
        {"sha256:0", false, false},
        {"sha256:00:11", false, false},
        {"sha256::00112233", false, false},
        {"sha1:0011223344556677889900112233445566778899", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (gate_peer_is_valid(cases[i].text) != cases[i].is_valid || gate_peer_is_fingerprint(cases[i].text) != cases[i].is_fingerprint)
            fail_msg("\"%s\"", cases[i].text);
    }
}

static void who_is_refused_again_has_one_place_and_the_oldest_leaves(void **state)
{
    static struct gate_refused all[GATE_REFUSED_MAX];
    struct gate_refused r;
    (void)state;
    for (uint32_t i = 0; i < GATE_REFUSED_MAX + 1; i++)
        for (uint32_t k = 0; k < 2; k++) {
            struct ip ip = ip_from_v4(0xc0000200 + i);
            gate_peer_note(all, NULL, &ip, GATE_UNTRUSTED);
        }
    uint64_t n = 0;
    for (size_t i = 0; i < GATE_REFUSED_MAX; i++) {
        assert_true(gate_refused_read(&all[i], &r));
        assert_int_equal(r.n, 2);
        assert_int_not_equal(ip_v4(&r.ip), 0xc0000200);
        n += ip_v4(&r.ip) == 0xc0000200 + GATE_REFUSED_MAX;
    }
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_a_name_an_address_or_a_fingerprint),
        cmocka_unit_test(who_is_refused_again_has_one_place_and_the_oldest_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
