/* SPDX-License-Identifier: Apache-2.0 */
/* desk/search: jobs run, stop, keep to their person and their limits; sources and blind spots out of the watch's account. */
#include "desk/search/job.h"
#include "desk/search/source.h"

#include "base/clock.h"
#include "watch/indicator/lists.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ME = 7, OTHER = 8, WAIT_MS = 20000 };
static char directory[64];
static struct jobs *jobs;

static int begin(void **state)
{
    (void)state;
    struct fault f = {0};
    snprintf(directory, sizeof(directory), "/tmp/vonggac-search-XXXXXX");
    assert_non_null(mkdtemp(directory));
    const struct job_options o = {.data_dir = directory, .n_workers = 1, .bytes_max = 1 << 20, .keep_us = 1000};
    if (jobs_new(&o, &jobs, &f))
        fail_msg("%s", f.text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    jobs_free(jobs);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static int64_t add(struct job_request r)
{
    int64_t id = 0;
    r.since_us = INT64_MIN;
    r.until_us = INT64_MAX;
    r.rows_max = 100;
    r.sees_all = true;
    assert_int_equal(jobs_add(jobs, &r, 1, &id), 0);
    return id;
}

/* ended - the job once it is over, as JSON */
static json_t *ended(int64_t id)
{
    for (int i = 0; i < WAIT_MS; i++) {
        json_t *o = jobs_json(jobs, id, ME);
        const char *state = json_string_value(json_object_get(o, "state"));
        assert_non_null(state);
        if (strcmp(state, "waiting") != 0 && strcmp(state, "running") != 0)
            return o;
        json_decref(o);
        usleep(1000);
    }
    fail_msg("job %lld does not end", (long long)id);
    return NULL;
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void a_question_to_an_empty_store_has_an_empty_answer(void **state)
{
    (void)state;
    json_t *o = ended(add((struct job_request){.kind = JOB_QUERY, .person = ME, .text = "* | top 3 source.ip"})), *rows;
    int64_t next;
    assert_string_equal(text(o, "state"), "done");
    assert_int_equal(json_array_size(json_object_get(o, "columns")), 2);
    assert_int_equal(jobs_rows(jobs, json_integer_value(json_object_get(o, "id")), ME, 0, 10, &rows, &next), 0);
    assert_int_equal(json_array_size(rows), 0);
    assert_int_equal(next, -1);
    json_decref(rows);
    json_decref(o);
}

static void what_is_no_question_fails_and_says_where(void **state)
{
    (void)state;
    json_t *o = ended(add((struct job_request){.kind = JOB_QUERY, .person = ME, .text = "source.ip : ("}));
    assert_string_equal(text(o, "state"), "failed");
    assert_true(strlen(text(o, "fault")) > 10);
    json_decref(o);
    o = ended(add((struct job_request){.kind = JOB_HUNT, .person = ME, .text = "this is no address\nnor is this"}));
    assert_string_equal(text(o, "state"), "failed");
    assert_int_equal(json_array_size(json_object_get(o, "warnings")), 2);
    json_decref(o);
    o = ended(add((struct job_request){.kind = JOB_HUNT, .person = ME})); /* there is no list */
    assert_string_equal(text(o, "state"), "failed");
    json_decref(o);
}

static void a_hunt_for_what_was_typed_names_the_rows_it_refused(void **state)
{
    (void)state;
    json_t *o = ended(add((struct job_request){.kind = JOB_HUNT, .person = ME, .text = "198.51.100.2\n203.0.113.0/24\nx y\n"}));
    assert_string_equal(text(o, "state"), "done");
    json_t *w = json_object_get(o, "warnings");
    assert_int_equal(json_array_size(w), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(w, 0), "line")), 3);
    assert_non_null(json_object_get(json_object_get(o, "coverage"), "lists"));
    json_decref(o);
}

static void a_job_is_its_persons_alone(void **state)
{
    (void)state;
    int64_t id = add((struct job_request){.kind = JOB_QUERY, .person = ME, .text = "*"}), next;
    json_t *rows;
    json_decref(ended(id));
    assert_null(jobs_json(jobs, id, OTHER));
    assert_false(jobs_cancel(jobs, id, OTHER));
    assert_int_equal(jobs_rows(jobs, id, OTHER, 0, 10, &rows, &next), 1);
    assert_int_equal(jobs_file(jobs, id, OTHER, true), -ENOENT);
    int fd = jobs_file(jobs, id, ME, true);
    assert_true(fd >= 0);
    close(fd);
}

static void one_person_waits_for_a_few_and_old_answers_go(void **state)
{
    (void)state;
    struct job_request r = {.kind = JOB_QUERY, .person = ME, .text = "*", .since_us = INT64_MIN, .until_us = INT64_MAX, .rows_max = 1, .sees_all = true};
    int64_t ids[64], n = 0;
    int e = 0;
    /* the one worker may finish some meanwhile: five at a time is what may never be passed, some are refused or all are taken */
    while (n < 64 && !(e = jobs_add(jobs, &r, 1, &ids[n])))
        n++;
    assert_true(n >= JOB_OF_ONE);
    assert_true(!e || e == JOBS_FULL);
    for (int64_t i = 0; i < n; i++)
        json_decref(ended(ids[i]));
    jobs_upkeep(jobs, INT64_MAX);
    for (int64_t i = 0; i < n; i++)
        assert_null(jobs_json(jobs, ids[i], ME));
}

/* --- sources ----------------------------------------------------------------------------------------------------- */

static bool has_spot(const json_t *all, const char *kind, const char *what)
{
    json_t *o;
    size_t i;
    json_array_foreach(all, i, o)
        if (!strcmp(text(o, "kind"), kind) && !strcmp(text(o, "what"), what))
            return true;
    return false;
}

static void blind_spots_are_what_the_watch_cannot_see(void **state)
{
    (void)state;
    static const char STATUS[] =
        "{\"intake\":{\"kernel_drops\":4,\"log_events_kept\":9,\"receivers\":[{\"address\":\"127.0.0.1\",\"is_running\":false}],"
        "\"exporters\":[{\"address\":\"192.0.2.1\",\"domain\":5,\"last\":\"2026-02-17T03:00:00Z\",\"datagrams\":10,\"flows\":300,\"lost\":0},"
        "{\"address\":\"192.0.2.2\",\"domain\":0,\"last\":\"2026-02-17T04:00:00Z\",\"datagrams\":10,\"flows\":300,\"lost\":30}],"
        "\"logs\":[{\"address\":\"0.0.0.0\",\"waits_for_store\":true,\"senders\":[{\"address\":\"192.0.2.9\",\"name\":\"fw-1\",\"last\":"
        "\"2026-02-17T01:00:00Z\",\"messages\":100,\"dropped\":2,\"over_quota\":3,\"refused\":5,\"empty\":1,\"silent\":true}]}]},"
        "\"match\":{\"has_space\":true,\"lists\":[{\"name\":\"c2\"}],\"hits_lost\":0},\"rules\":{\"loaded\":10,\"waiting\":4},"
        "\"store\":{\"takes_nothing\":false},\"findings\":{\"write_errors\":1},\"behaviour\":{\"enabled\":true,\"is_read_back\":true}}";
    const int64_t now = INT64_C(1771300800000000); /* 2026-02-17T04:00:00Z */
    json_t *status = json_loads(STATUS, 0, NULL), *all = source_list(status, now);
    assert_int_equal(json_array_size(all), 3);
    assert_string_equal(text(json_array_get(all, 0), "state"), "silent");
    assert_string_equal(text(json_array_get(all, 1), "state"), "loss");
    assert_string_equal(text(json_array_get(all, 2), "name"), "fw-1");
    /* the account of a sender balances: 100 = kept + 2 + 3 + 5 + 1 */
    assert_int_equal(json_integer_value(json_object_get(json_array_get(all, 2), "kept")), 89);
    json_decref(all);
    all = source_blind_spots(status, now);
    assert_true(has_spot(all, "kernel_drops", "flows"));
    assert_true(has_spot(all, "receiver_down", "127.0.0.1"));
    assert_true(has_spot(all, "silent_source", "192.0.2.1/5"));
    assert_true(has_spot(all, "loss", "192.0.2.2/0"));
    assert_true(has_spot(all, "silent_source", "fw-1"));
    assert_true(has_spot(all, "waits_for_store", "0.0.0.0"));
    assert_true(has_spot(all, "findings_lost", ""));
    assert_true(has_spot(all, "rules_without_source", ""));
    assert_false(has_spot(all, "no_own_space", ""));
    assert_false(has_spot(all, "nothing_arrives", ""));
    json_decref(all);
    json_decref(status);
}

static void a_watch_that_does_not_answer_is_the_greatest_blind_spot(void **state)
{
    (void)state;
    json_t *all = source_blind_spots(NULL, 1), *nothing = json_object();
    assert_int_equal(json_array_size(all), 1);
    assert_true(has_spot(all, "watch_down", ""));
    json_decref(all);
    all = source_blind_spots(nothing, 1); /* it answers, and knows of nothing */
    assert_true(has_spot(all, "nothing_arrives", ""));
    assert_true(has_spot(all, "no_own_space", ""));
    assert_true(has_spot(all, "no_lists", ""));
    assert_true(has_spot(all, "no_rules", ""));
    json_decref(all);
    json_decref(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_question_to_an_empty_store_has_an_empty_answer, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_question_fails_and_says_where, begin, end),
        cmocka_unit_test_setup_teardown(a_hunt_for_what_was_typed_names_the_rows_it_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_job_is_its_persons_alone, begin, end),
        cmocka_unit_test_setup_teardown(one_person_waits_for_a_few_and_old_answers_go, begin, end),
        cmocka_unit_test(blind_spots_are_what_the_watch_cannot_see),
        cmocka_unit_test(a_watch_that_does_not_answer_is_the_greatest_blind_spot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
