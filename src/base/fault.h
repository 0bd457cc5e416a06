/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/fault - why something failed, in words an operator can act on.
 *
 * A function that can fail for a reason the user should read takes a
 * `struct fault *` and answers `return FAULT(f, code, message_id, ...)`:
 * the text says what failed, where, why and what to do. @code follows the
 * house rule: <0 fatal (-errno), >0 a condition the function documents.
 */
#pragma once

#include "base/message.h"

struct fault {
    int code;
    char text[768]; /* UTF-8, cut on a character, never empty after FAULT */
};

/* fault_set - what FAULT calls: fills @f (may be NULL) in the language of the process. Return: @code. */
int fault_set(struct fault *f, int code, enum message_id id, ...);

/* An analyzer sees one file and not that fault_set answers its code: it is told. (Twice: a compiler must not see that.) */
#ifdef __clang_analyzer__
#define FAULT_ANSWERS(code) , (code)
#else
#define FAULT_ANSWERS(code)
#endif

#define FAULT(f, code, id, ...) \
    (message_check(MESSAGE_EN_##id __VA_OPT__(, ) __VA_ARGS__), \
     fault_set((f), (code), MSG_##id __VA_OPT__(, ) __VA_ARGS__) FAULT_ANSWERS(code))
