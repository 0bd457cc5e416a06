/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One text per failure, formatted where the details are known.
 */
#include "base/fault.h"

#include <stdarg.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

int fault_set(struct fault *f, int code, enum message_id id, ...)
{
    if (!f)
        return code;
    f->code = code;
    va_list args;
    va_start(args, id);
    int n = vsnprintf(f->text, sizeof(f->text), message_text(id), args);
    va_end(args);
    if (n <= 0) /* a format the C library refuses: the id is better than nothing */
        snprintf(f->text, sizeof(f->text), "%s", message_name(id));
    if (n >= (int)sizeof(f->text)) { /* do not leave half a character behind */
        size_t end = sizeof(f->text) - 1;
        while (end > 0 && ((unsigned char)f->text[end - 1] & 0xc0) == 0x80)
            end--;
        if (end > 0 && (unsigned char)f->text[end - 1] >= 0xc0)
            end--;
        f->text[end] = '\0';
    }
    return code;
}
