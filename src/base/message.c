/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts are compiled in, so that a program that cannot open a file can still say so.
 */
#include "base/message.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

extern const char *const message_table_en[N_MESSAGES];
extern const char *const message_table_vi[N_MESSAGES];
extern const char *const message_names[N_MESSAGES];

static enum language current = LANGUAGE_EN;

void message_set_language(enum language language)
{
    current = language;
}

enum language message_language(void)
{
    return current;
}

static int from_name(const char *name)
{
    if (!strncmp(name, "vi", 2) && (name[2] == '\0' || name[2] == '_' || name[2] == '.' || name[2] == '-'))
        return LANGUAGE_VI;
    if (!strncmp(name, "en", 2) && (name[2] == '\0' || name[2] == '_' || name[2] == '.' || name[2] == '-'))
        return LANGUAGE_EN;
    return -1;
}

int message_choose_language(const char *option)
{
    if (option) {
        int l = from_name(option);
        if (l < 0)
            return 1;
        current = (enum language)l;
        return 0;
    }
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
        const char *v = getenv(variables[i]);
        if (!v || !*v)
            continue;
        current = from_name(v) == LANGUAGE_VI ? LANGUAGE_VI : LANGUAGE_EN;
        return 0;
    }
    current = LANGUAGE_EN;
    return 0;
}

const char *message_text_in(enum language language, enum message_id id)
{
    return language == LANGUAGE_VI ? message_table_vi[id] : message_table_en[id];
}

const char *message_text(enum message_id id)
{
    return message_text_in(current, id);
}

const char *message_name(enum message_id id)
{
    return message_names[id];
}

const char *message_find_in(enum language language, const char *prefix, const char *name)
{
    size_t n_prefix = strlen(prefix);
    int low = 0, high = N_MESSAGES - 1;
    while (low <= high) { /* ids are sorted by the generator */
        int mid = (low + high) / 2;
        int order = strncmp(message_names[mid], prefix, n_prefix);
        if (!order)
            order = strcmp(message_names[mid] + n_prefix, name);
        if (!order)
            return message_text_in(language, (enum message_id)mid);
        if (order < 0)
            low = mid + 1;
        else
            high = mid - 1;
    }
    return NULL;
}

const char *message_find(const char *prefix, const char *name)
{
    const char *text = message_find_in(current, prefix, name);
    return text ? text : name;
}

const char *message_count(uint64_t n)
{
    static _Thread_local char ring[16][32];
    static _Thread_local unsigned next;
    char *out = ring[next++ % 16], digits[24];
    char separator = current == LANGUAGE_VI ? '.' : ',';
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    int o = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            out[o++] = separator;
        out[o++] = digits[i];
    }
    out[o] = '\0';
    return out;
}

/* The format is a checked constant of the catalogue, not a literal here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

void message_say(FILE *f, enum message_id id, ...)
{
    va_list args;
    va_start(args, id);
    vfprintf(f, message_text(id), args);
    va_end(args);
    fputc('\n', f);
}

int message_format(char *out, size_t n, enum message_id id, ...)
{
    va_list args;
    va_start(args, id);
    int written = vsnprintf(out, n, message_text(id), args);
    va_end(args);
    return written;
}

#pragma GCC diagnostic pop
