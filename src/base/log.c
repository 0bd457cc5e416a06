/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N_SLOTS = 256, N_PROBES = 8, LINE_MAX_BYTES = 4096, VALUE_MAX_BYTES = 2048 };

struct slot {
    const char *id;
    int64_t second;
    unsigned n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[N_SLOTS];
static const char *role_name = "vonggac";
static enum log_level least = LOG_INFO;

void log_set(const char *role, enum log_level level)
{
    role_name = role;
    least = level;
}

const char *log_number(long long v)
{
    static _Thread_local char ring[16][24];
    static _Thread_local unsigned next;
    char *out = ring[next++ % 16];
    snprintf(out, sizeof(ring[0]), "%lld", v);
    return out;
}

struct line {
    char text[LINE_MAX_BYTES];
    size_t n;
};

static void put(struct line *l, const char *p, size_t n)
{
    if (n > sizeof(l->text) - 1 - l->n)
        n = sizeof(l->text) - 1 - l->n;
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

/* is_plain - needs no quotes: printable ASCII without what splits or ends a value. */
static bool is_plain(const char *v)
{
    for (const char *p = v; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '=' || *p == '\\')
            return false;
    return *v;
}

static void put_value(struct line *l, const char *v)
{
    if (is_plain(v)) {
        put(l, v, strlen(v));
        return;
    }
    char escaped[VALUE_MAX_BYTES];
    text_escape(v, strlen(v), escaped, sizeof(escaped));
    put(l, "\"", 1);
    put(l, escaped, strlen(escaped));
    put(l, "\"", 1);
}

/* may_speak - under the lock; @ret_repeated: lines of this id that an earlier second swallowed. */
static int may_speak(const char *id, int64_t second, unsigned *ret_repeated)
{
    uintptr_t h = (uintptr_t)id >> 3 ^ (uintptr_t)id >> 12;
    struct slot *s = &slots[h % N_SLOTS];
    for (unsigned i = 0; i < N_PROBES; i++) { /* its own slot, else the one that was silent the longest */
        struct slot *other = &slots[(h + i) % N_SLOTS];
        if (other->id == id || (s->id != id && other->second < s->second))
            s = other;
    }
    *ret_repeated = 0;
    if (s->id != id || s->second != second) {
        if (s->id == id && s->n > LOG_BURST)
            *ret_repeated = s->n - LOG_BURST;
        *s = (struct slot){.id = id, .second = second};
    }
    return ++s->n <= LOG_BURST;
}

void log_line(enum log_level level, const char *id, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (level > least)
        return;
    int64_t now_us = clock_now_us();
    unsigned repeated;
    pthread_mutex_lock(&lock);
    int speaks = may_speak(id, now_us / US_PER_SECOND, &repeated);
    pthread_mutex_unlock(&lock);
    if (!speaks)
        return;
    struct line l = {.n = 0};
    char time[TIME_TEXT_MAX];
    put(&l, time, clock_format_utc(now_us, time));
    const char *head[] = {" level=", names[level], " role=", role_name, " id=", id};
    for (size_t i = 0; i < sizeof(head) / sizeof(*head); i++)
        put(&l, head[i], strlen(head[i]));
    va_list args;
    va_start(args, id);
    for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        put(&l, " ", 1);
        put(&l, key, strlen(key));
        put(&l, "=", 1);
        put_value(&l, value ? value : "");
    }
    va_end(args);
    if (repeated) {
        put(&l, " repeated=", 10);
        const char *n = log_number(repeated);
        put(&l, n, strlen(n));
    }
    l.text[l.n++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, l.text, l.n);
    (void)ignored;
}
