/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/message - what the program says to people, in Vietnamese or English.
 *
 * The texts stand in content/i18n/{vi,en}.yaml; the build compares ids and
 * conversions. An id `abc_def` is used as SAY(stderr, abc_def, args...): the
 * arguments are checked against the English text at compile time.
 * csv and json output is never translated and never comes from here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "messages.gen.h"

enum language { LANGUAGE_EN, LANGUAGE_VI };

/* message_set_language - the language of this process; call once, before threads start. */
void message_set_language(enum language language);
enum language message_language(void);

/*
 * message_choose_language - from --lang's value (may be NULL), else LC_ALL, LC_MESSAGES, LANG, else English.
 * Return: 0, or 1 if @option names no language we speak.
 */
int message_choose_language(const char *option);

/* message_text - the text of @id in the language of the process; static. */
const char *message_text(enum message_id id);
/* message_name - the stable id of a message, for logs; static. */
const char *message_name(enum message_id id);
/* message_text_in - the text of @id in @language, whatever the process speaks; static. */
const char *message_text_in(enum language language, enum message_id id);
/* message_find_in - as message_find, in @language. Return: NULL if the catalogue has none. */
const char *message_find_in(enum language language, const char *prefix, const char *name);
/*
 * message_find - the text of the message called @prefix followed by @name, e.g. "reason_" and "bad_address".
 * Return: the text, or @name itself if the catalogue has none; borrowed.
 */
const char *message_find(const char *prefix, const char *name);

/* message_say, message_format - what SAY and SAY_TO call: one line to @f; at most @n bytes to @out, as snprintf. */
/* message_count - a count with thousands grouped as the language does (1.052.479 or 1,052,479); a ring of 16 texts. */
const char *message_count(uint64_t n);

void message_say(FILE *f, enum message_id id, ...);
int message_format(char *out, size_t n, enum message_id id, ...);

/* never runs printf: lets the compiler check the arguments against the English text */
__attribute__((format(printf, 1, 2))) static inline void message_check(const char *format, ...)
{
    (void)format;
}

#define SAY(f, id, ...) \
    (message_check(MESSAGE_EN_##id __VA_OPT__(, ) __VA_ARGS__), message_say((f), MSG_##id __VA_OPT__(, ) __VA_ARGS__))
#define SAY_TO(out, n, id, ...) \
    (message_check(MESSAGE_EN_##id __VA_OPT__(, ) __VA_ARGS__), \
     message_format((out), (n), MSG_##id __VA_OPT__(, ) __VA_ARGS__))
