/* SPDX-License-Identifier: Apache-2.0 */
/* Standard error is a pipe while a test speaks. */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cmocka_house.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static char said[1 << 18];
static int saved_fd, pipe_fds[2];

static void listen_in(void)
{
    assert_int_equal(pipe(pipe_fds), 0);
    assert_true(fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 18) > 0);
    saved_fd = dup(STDERR_FILENO);
    assert_true(saved_fd >= 0);
    assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
}

static const char *hear(void)
{
    dup2(saved_fd, STDERR_FILENO);
    close(saved_fd);
    close(pipe_fds[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(pipe_fds[0], said + n, sizeof(said) - 1 - n)) > 0)
        n += (size_t)got;
    close(pipe_fds[0]);
    said[n] = '\0';
    return said;
}

static int lines_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* wait_for_new_second - the limit counts by the second of the wall clock */
static void wait_for_new_second(void)
{
    int64_t second = clock_now_us() / US_PER_SECOND;
    while (clock_now_us() / US_PER_SECOND == second)
        usleep(2000);
}

static void a_line_is_time_level_role_id_and_pairs(void **state)
{
    (void)state;
    listen_in();
    log_set("watch", LOG_INFO);
    log_line(LOG_WARN, "exporter_unknown", "address", "192.0.2.1", "count", log_number(-42), NULL);
    const char *line = hear();
    int64_t us;
    assert_true(strlen(line) > 28);
    assert_int_equal(clock_parse(line, 27, 0, &us), 0);
    assert_true(us > clock_now_us() - 60 * US_PER_SECOND);
    assert_string_equal(line + 27, " level=warn role=watch id=exporter_unknown address=192.0.2.1 count=-42\n");
}

static void hostile_values_stay_on_their_line(void **state)
{
    (void)state;
    listen_in();
    log_line(LOG_ERROR, "hostile", "a", "x\ny", "b", "say \"hi\"", "c", "", "d", "k=v", "e", "\x1b[31m", "f", "\x07", "g", "\xff",
             "h", "tiếng Việt", "i", "\xc2\x9b", "j", NULL, NULL);
    const char *line = hear();
    assert_non_null(strstr(line, " a=\"x\\x0ay\" b=\"say \\x22hi\\x22\" c=\"\" d=\"k=v\" e=\"\\x1b[31m\" f=\"\\x07\" g=\"\\xff\" "
                                 "h=\"tiếng Việt\" i=\"\\xc2\\x9b\" j=\"\"\n"));
    assert_int_equal(lines_of(line), 1);
}

static void a_line_is_bounded_however_long_its_values(void **state)
{
    (void)state;
    static char huge[100000];
    memset(huge, 'h', sizeof(huge) - 1);
    listen_in();
    log_line(LOG_ERROR, "huge_plain", "a", huge, "b", huge, NULL);
    huge[5] = ' ';
    log_line(LOG_ERROR, "huge_quoted", "a", huge, "b", huge, NULL);
    const char *text = hear();
    assert_int_equal(lines_of(text), 2);
    assert_true(strlen(text) <= 2 * 4096);
}

static void what_is_less_important_than_the_level_is_silent(void **state)
{
    (void)state;
    listen_in();
    log_set("watch", LOG_WARN);
    log_line(LOG_INFO, "quiet", NULL);
    log_line(LOG_DEBUG, "quiet", NULL);
    log_line(LOG_WARN, "loud", NULL);
    log_set("watch", LOG_INFO);
    const char *text = hear();
    assert_int_equal(lines_of(text), 1);
    assert_non_null(strstr(text, "id=loud"));
}

static void an_id_that_floods_is_cut_and_says_how_much(void **state)
{
    (void)state;
    static const char id[] = "flood";
    wait_for_new_second();
    listen_in();
    for (int i = 0; i < 1000; i++)
        log_line(LOG_WARN, id, NULL);
    log_line(LOG_WARN, "other", NULL); /* another id still speaks */
    wait_for_new_second();
    log_line(LOG_WARN, id, NULL);
    const char *text = hear();
    assert_int_equal(lines_of(text), LOG_BURST + 2);
    assert_non_null(strstr(text, "id=other"));
    assert_non_null(strstr(text, "id=flood repeated=995\n"));
}

static void ids_that_meet_in_the_table_do_not_free_each_other(void **state)
{
    (void)state;
    static char ids[64][4096]; /* addresses that share their low bits */
    for (int i = 0; i < 4; i++)
        snprintf(ids[i], sizeof(ids[i]), "same_%d", i);
    wait_for_new_second();
    listen_in();
    for (int i = 0; i < 400; i++)
        log_line(LOG_WARN, ids[i % 4], NULL);
    int n = lines_of(hear());
    assert_true(n <= 4 * LOG_BURST);
    assert_true(n >= 4);
}

static void *speak(void *id)
{
    for (int i = 0; i < 200; i++)
        log_line(LOG_WARN, id, "n", log_number(i), NULL);
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    static char ids[4][24];
    pthread_t threads[4];
    listen_in();
    for (int i = 0; i < 4; i++) {
        snprintf(ids[i], sizeof(ids[i]), "thread_%d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, speak, ids[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text = (char *)(uintptr_t)hear();
    int n = 0;
    for (char *line = strtok_r(text, "\n", &text); line; line = strtok_r(NULL, "\n", &text)) {
        assert_int_equal(strncmp(line + 27, " level=warn role=watch id=thread_", 33), 0);
        n++;
    }
    assert_true(n >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_time_level_role_id_and_pairs),
        cmocka_unit_test(hostile_values_stay_on_their_line),
        cmocka_unit_test(a_line_is_bounded_however_long_its_values),
        cmocka_unit_test(what_is_less_important_than_the_level_is_silent),
        cmocka_unit_test(an_id_that_floods_is_cut_and_says_how_much),
        cmocka_unit_test(ids_that_meet_in_the_table_do_not_free_each_other),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
