/* SPDX-License-Identifier: Apache-2.0 */
/* Where messages of a stream end: RFC 6587, JSON lines and XML events beside each other, in any portions. */
#include "watch/intake/log_frame.h"

#include "cmocka_house.h"

#include <stdio.h>

/* frames - all messages, each ended by '|'. */
static void frames(enum log_frame_format format, const char *bytes, size_t n, size_t step, char out[512])
{
    struct log_framer f = {.format = format};
    struct text t;
    size_t used = 0;
    for (size_t from = 0; from < n; from += step) {
        const uint8_t *p = (const uint8_t *)bytes + from;
        size_t left = n - from < step ? n - from : step;
        while (!log_frame(&f, &p, &left, &t))
            used += (size_t)snprintf(out + used, 512 - used, "%.*s|", (int)t.n, t.p);
    }
    if (!log_frame_end(&f, &t))
        used += (size_t)snprintf(out + used, 512 - used, "%.*s", (int)t.n, t.p);
    out[used] = 0;
    log_framer_fini(&f);
}

static void each_message_is_told_by_its_first_bytes(void **state)
{
    static const struct {
        enum log_frame_format format;
        const char *bytes, *messages;
    } cases[] = {
        {LOG_FRAME_AUTO, "<13>a\n<14>b\r\nplain\n", "<13>a|<14>b|plain|"},
        {LOG_FRAME_AUTO, "5 <13>ab\n10 <14>line\nx<15>c\n", "<13>a|b|<14>line\nx|<15>c|"},
        {LOG_FRAME_AUTO, "{\"a\":1}\n{\"b\":2}\n<13>c\n", "{\"a\":1}|{\"b\":2}|<13>c|"},
        {LOG_FRAME_AUTO, "<Event xmlns='x'>\n <System/>\n</Event>\n<Event>2</Event><Event>3</Event><13>d\n",
         "<Event xmlns='x'>\n <System/>\n</Event>|<Event>2</Event>|<Event>3</Event>|<13>d|"},
        {LOG_FRAME_AUTO, "<?xml version='1.0'?><Events><Event>1</Event>\n", "<Event>1</Event>|"},
        {LOG_FRAME_AUTO, "\n\r\n\n<13>after empty lines\n", "<13>after empty lines|"},
        {LOG_FRAME_AUTO, "<Eve\nnext\n", "<Eve|next|"},
        {LOG_FRAME_AUTO, "<Even", "<Even"},
        {LOG_FRAME_AUTO, "<Event>cut", "<Event>cut"},
        {LOG_FRAME_AUTO, "no end", "no end"},
        {LOG_FRAME_JSON, "<Event>\nline\n", "<Event>|line|"},
        {LOG_FRAME_SYSLOG, "<Event>1\n</Event>\n", "<Event>1|</Event>|"},
        {LOG_FRAME_XML, "text <Event>1</Event><Event a=\"b\">2</Event>", "<Event>1</Event>|<Event a=\"b\">2</Event>|"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t step = 1; step < 12; step++) {
            char got[512];
            frames(cases[i].format, cases[i].bytes, strlen(cases[i].bytes), step, got);
            if (strcmp(got, cases[i].messages) != 0)
                print_error("case %zu, step %zu\n", i, step);
            assert_string_equal(got, cases[i].messages);
        }
}

static void what_is_too_long_comes_in_pieces_and_none_of_it_is_lost(void **state)
{
    static const char *const leads[] = {"{", "<Event>", "<13>"};
    size_t n = LOG_FRAME_MAX * 2 + 777;
    char *bytes = malloc(n);
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < COUNT_OF(leads); i++) {
        struct log_framer f = {0};
        const uint8_t *p = (uint8_t *)bytes;
        size_t left = n, seen = 0, most = 0;
        struct text t;
        memset(bytes, 'x', n);
        memcpy(bytes, leads[i], strlen(leads[i]));
        for (; !log_frame(&f, &p, &left, &t); seen += t.n)
            most = t.n > most ? t.n : most;
        seen += log_frame_end(&f, &t) ? 0 : t.n;
        assert_int_equal(seen, n);
        assert_true(most <= LOG_FRAME_MAX && most >= SYSLOG_MESSAGE_MAX);
        log_framer_fini(&f);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_is_told_by_its_first_bytes),
        cmocka_unit_test(what_is_too_long_comes_in_pieces_and_none_of_it_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
