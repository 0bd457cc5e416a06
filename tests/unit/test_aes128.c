/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vectors of FIPS 197, SP 800-38A, RFC 4231 and RFC 9001.
 */
#include "base/aes128.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t hex(const char *text, uint8_t *out)
{
    size_t n = 0;
    unsigned v;
    for (; *text && sscanf(text, "%2x", &v) == 1; text += 2)
        out[n++] = (uint8_t)v;
    return n;
}

static void is_hex(const uint8_t *p, const char *want)
{
    uint8_t bytes[256];
    size_t n = hex(want, bytes);
    assert_memory_equal(p, bytes, n);
}

static void a_block_of_fips_197(void **state)
{
    (void)state;
    struct aes128 a;
    uint8_t key[16], block[16];
    hex("000102030405060708090a0b0c0d0e0f", key);
    hex("00112233445566778899aabbccddeeff", block);
    aes128_init(&a, key);
    is_hex(a.round_keys[10], "13111d7fe3944a17f307a78b4d2b30c5");
    aes128_block(&a, block, block);
    is_hex(block, "69c4e0d86a7b0430d8cdb78070b4c55a");
}

static void the_counter_mode_of_sp_800_38a(void **state)
{
    (void)state;
    struct aes128 a;
    uint8_t key[16], first[16], text[64], out[64];
    hex("2b7e151628aed2a6abf7158809cf4f3c", key);
    hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", first);
    hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710", text);
    aes128_init(&a, key);
    aes128_counter(&a, first, text, out, 64);
    is_hex(out, "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
                "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee");
    aes128_counter(&a, first, out, out, 63); /* not whole blocks, in place */
    assert_memory_equal(out, text, 63);
}

static void hmac_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t key[131];
    memset(key, 0x0b, 20);
    is_hex(hmac_sha256(key, 20, "Hi There", 8).b, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    is_hex(hmac_sha256((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28).b,
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, 131);
    is_hex(hmac_sha256(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54).b,
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void the_client_keys_of_rfc_9001(void **state)
{
    (void)state;
    uint8_t salt[20], id[8], key[16], iv[12], header[16], sample[16], mask[16];
    struct sha256 client;
    struct aes128 a;
    hex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", salt);
    hex("8394c8f03e515708", id);
    struct sha256 initial = hmac_sha256(salt, 20, id, 8);
    is_hex(initial.b, "7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44");
    hkdf_expand_label(&initial, "client in", client.b, 32);
    is_hex(client.b, "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea");
    hkdf_expand_label(&client, "quic key", key, 16);
    is_hex(key, "1f369613dd76d5467730efcbe3b1a22d");
    hkdf_expand_label(&client, "quic iv", iv, 12);
    is_hex(iv, "fa044b2f42a3fd3b46fb255c");
    hkdf_expand_label(&client, "quic hp", header, 16);
    is_hex(header, "9f50449e04a0e810283a1e9933adedd2");
    hex("d1b1c98dd7689fb8ec11d242b123dc9b", sample); /* A.2 */
    aes128_init(&a, header);
    aes128_block(&a, sample, mask);
    is_hex(mask, "437b9aec36");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_fips_197),
        cmocka_unit_test(the_counter_mode_of_sp_800_38a),
        cmocka_unit_test(hmac_of_rfc_4231),
        cmocka_unit_test(the_client_keys_of_rfc_9001),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
