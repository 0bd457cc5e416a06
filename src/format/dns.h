/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/dns - the question of a DNS message.
 *
 * In:     one message, untrusted (UDP payload, or what a TCP length announces).
 * Out:    the name of the first question as text, lower case, without the last dot ("." for the root).
 * Limits: no I/O, no allocation, no global state. Compression pointers are followed backwards only, so that a loop
 *         cannot be.
 * Source: RFC 1035 4.1, RFC 4343 (case), RFC 4034 / 1035 5.1 (escapes: \DDD and \. in labels).
 * Fuzz:   tests/fuzz/dns.c
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 255 bytes on the wire, each at most four characters */
#define DNS_NAME_TEXT_MAX 1024

struct dns_question {
    char name[DNS_NAME_TEXT_MAX]; /* terminated */
    size_t n_name;
    uint16_t type, class;
    uint16_t id;
    bool is_response;
    uint8_t response_code;
};

/*
 * dns_question_read - Return: 0; DNS_NO_QUESTION (a header of plausible values without one); or DNS_MALFORMED.
 * A message is taken for DNS when its count of questions, the name and the question's class can be; any opcode.
 */
#define DNS_NO_QUESTION 1
#define DNS_MALFORMED 2
int dns_question_read(const uint8_t *p, size_t n, struct dns_question *ret);

/*
 * dns_name_read - a name at *@at of the message, which moves behind it.
 * Return: the length of the text in @out (terminated), or 0 when it is malformed.
 */
size_t dns_name_read(const uint8_t *p, size_t n, size_t *at, char out[DNS_NAME_TEXT_MAX]);
