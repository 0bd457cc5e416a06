/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/uuid - names that survive exchange: UUID version 7, which sort by the time they were made.
 *
 * Source: RFC 9562, 5.7: 48 bits of milliseconds, 74 bits of chance.
 */
#pragma once

#include <stdint.h>

#define UUID_TEXT_MAX 37

/* uuid7_make - @now_us since 1970. Lower case, with the zero. Return: 0, or -errno when the system gives no chance. */
int uuid7_make(int64_t now_us, char out[UUID_TEXT_MAX]);
