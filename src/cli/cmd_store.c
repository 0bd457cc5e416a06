/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac store compact | verify, and serve.
 */
#include "base/clock.h"
#include "base/sha256.h"
#include "cli/cli.h"
#include "cli/owner.h"
#include "node/config.h"
#include "node/control.h"
#include "node/serve.h"
#include "state/audit.h"
#include "state/state.h"
#include "watch/store/chain.h"
#include "watch/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int progress(void *context, uint64_t done, uint64_t total)
{
    const char *what = context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, done == total ? "\r\033[K" : "\r\033[K  %s %s/%s", what, message_count(done), message_count(total));
    return 0;
}

static int take_exit(void *context, const json_t *reply)
{
    int *status = context;
    if (json_is_true(json_object_get(reply, "done")))
        *status = (int)json_integer_value(json_object_get(reply, "exit"));
    return 0;
}

/* ask_node - a running node does its own upkeep; we only ask, and wait if told so. */
static int ask_node(const struct cli_args *a, int node)
{
    int status = EXIT_FAILED;
    json_t *request = json_pack("{s:s, s:b}", "op", "compact", "wait", a->value[CLI_WAIT] != NULL);
    int r = request ? control_ask(node, request, NULL, 0) : -ENOMEM;
    if (!r)
        r = control_each(node, take_exit, &status);
    close(node);
    if (r)
        SAY(stderr, cli_node_lost, strerror(-r));
    return r ? EXIT_FAILED : status;
}

int cli_store_compact(const struct cli_args *a)
{
    struct store *s;
    struct fault f = {0};
    struct store_compaction done = {0};
    int node = control_connect(a->data_dir);
    if (node >= 0)
        return ask_node(a, node);
    int r = store_open(cli_become_owner(a->data_dir), NULL, &s, &f);
    if (r == STORE_BUSY)
        FAULT(&f, r, node_store_busy, a->data_dir);
    if (r)
        return cli_fail(&f);
    char what[] = "compact";
    r = store_compact(s, &done, progress, what, &f);
    store_close(s);
    if (r < 0)
        return cli_fail(&f);
    SAY(stderr, store_compacted, message_count(done.segments_merged), message_count(done.segments_written),
        message_count(done.dictionaries_written));
    return EXIT_DONE;
}

struct verifying {
    uint64_t n_damaged;
};

static int show_damage(void *context, const struct store_damage *d)
{
    struct verifying *v = context;
    v->n_damaged++;
    SAY(stdout, store_damage_found, d->file, d->reason);
    return 0;
}

static int verify_progress(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    char what[] = "verify";
    return progress(what, done >> 20, total >> 20);
}

int cli_store_verify(const struct cli_args *a)
{
    struct fault f = {0};
    struct verifying v = {0};
    uint64_t n_segments = 0, n_rows = 0;
    if (access(a->data_dir, F_OK)) {
        FAULT(&f, -errno, cli_cannot_read, a->data_dir, strerror(errno));
        return cli_fail(&f);
    }
    int r = store_verify(a->data_dir, verify_progress, show_damage, &v, &n_segments, &n_rows, &f);
    if (r == STORE_EMPTY) {
        SAY(stderr, store_is_empty, a->data_dir);
        return EXIT_DONE;
    }
    if (r < 0)
        return cli_fail(&f);
    SAY(stdout, store_verified, message_count(n_segments), message_count(n_rows), message_count(v.n_damaged));
    return v.n_damaged ? EXIT_FAILED : EXIT_DONE;
}

/* --- verify ---------------------------------------------------------------------------------- */

static int say_wrong(void *context, uint64_t id, const char *reason)
{
    struct verifying *v = context;
    v->n_damaged++;
    if (id)
        SAY(stdout, chain_wrong, (unsigned long long)id, reason);
    else
        puts(reason);
    return 0;
}

static int verify_chain(const struct cli_args *a)
{
    struct verifying v = {0};
    struct chain_report report = {0};
    struct fault f = {0};
    struct sha256 head;
    char hex[SHA256_TEXT_MAX];
    const char *given = a->value[CLI_HEAD];
    if (given && sha256_parse(given, strlen(given), &head)) {
        SAY(stderr, chain_bad_head, given);
        return EXIT_FAILED;
    }
    int r = store_verify_chain(a->data_dir, given ? &head : NULL, say_wrong, &v, &report, &f);
    if (r < 0)
        return cli_fail(&f);
    if (r == STORE_EMPTY)
        return EXIT_DONE;
    sha256_format(&report.head, hex);
    SAY(stdout, chain_verified, message_count(report.n_lines), message_count(report.n_present),
        message_count(report.n_merged), message_count(report.n_gone), message_count(report.n_unchained), hex);
    if (given && report.has_head)
        SAY(stdout, chain_head_is_there);
    else if (given)
        SAY(stdout, chain_head_is_not);
    return v.n_damaged || (given && !report.has_head) ? EXIT_FAILED : EXIT_DONE;
}

/* verify_trail - of the office, where there is one. @ret_has_head: the head asked for stands in it. */
static int verify_trail(const char *data_dir, const struct sha256 *head, bool *ret_has_head)
{
    char path[4096], hex[SHA256_TEXT_MAX];
    struct trail_report report = {0};
    struct db_pool *pool = NULL;
    struct fault f = {0};
    *ret_has_head = false;
    if (snprintf(path, sizeof(path), "%s/office/state.db", data_dir) >= (int)sizeof(path) || access(path, F_OK))
        return EXIT_DONE;
    int r = state_open_as_it_is(data_dir, 1, false, &pool, &f);
    r = r ? r : trail_watch(pool, NULL, 0, &f);
    if (!r) {
        struct db *db = db_read(pool);
        r = trail_verify(db, head, &report, &f);
        int e = db_end(db, false, &f);
        r = r ? r : e;
    }
    db_pool_close(pool);
    if (r)
        return cli_fail(&f);
    *ret_has_head = report.has_head;
    sha256_format(&report.head, hex);
    if (report.first_wrong)
        SAY(stdout, trail_wrong, (unsigned long long)report.first_wrong);
    if (report.n_objects_wrong)
        SAY(stdout, trail_objects_wrong, message_count(report.n_objects_wrong), report.wrong_object);
    if (report.first_wrong || report.n_objects_wrong)
        return EXIT_FAILED;
    if (!report.n_entries)
        SAY(stdout, trail_empty);
    else
        SAY(stdout, trail_verified, message_count(report.n_entries), message_count(report.n_objects), hex);
    return EXIT_DONE;
}

/* verify_audit - against a head only when the audit is what was asked for: with `all` the head is that of the store. */
static int verify_audit(const struct cli_args *a)
{
    struct audit_report report = {0};
    struct fault f = {0};
    struct sha256 head;
    char hex[SHA256_TEXT_MAX];
    const char *given = a->n_operands && !strcmp(a->operands[0], "audit") ? a->value[CLI_HEAD] : NULL;
    if (given && sha256_parse(given, strlen(given), &head)) {
        SAY(stderr, chain_bad_head, given);
        return EXIT_FAILED;
    }
    bool is_in_trail;
    int trail = verify_trail(a->data_dir, given ? &head : NULL, &is_in_trail);
    int r = audit_verify(a->data_dir, given ? &head : NULL, &report, &f);
    if (r < 0)
        return cli_fail(&f);
    if (r == AUDIT_EMPTY)
        SAY(stdout, audit_empty);
    sha256_format(&report.head, hex);
    if (r != AUDIT_EMPTY && report.first_wrong)
        SAY(stdout, audit_wrong, (unsigned long long)report.first_wrong);
    else if (r != AUDIT_EMPTY)
        SAY(stdout, audit_verified, message_count(report.n_lines), hex);
    if (report.is_torn)
        SAY(stdout, audit_torn);
    bool has_head = is_in_trail || report.has_head;
    if (given && has_head)
        SAY(stdout, chain_head_is_there);
    else if (given)
        SAY(stdout, chain_head_is_not);
    return trail || report.first_wrong || (given && !has_head) ? EXIT_FAILED : EXIT_DONE;
}

int cli_verify(const struct cli_args *a)
{
    const char *what = a->n_operands ? a->operands[0] : "all";
    bool is_all = !strcmp(what, "all"), is_store = is_all || !strcmp(what, "store");
    if (!is_store && strcmp(what, "audit") != 0) {
        SAY(stderr, cli_usage, "verify", "[store|audit|all]");
        return EXIT_FAILED;
    }
    int status = is_store ? cli_store_verify(a) : EXIT_DONE, chain = is_store ? verify_chain(a) : EXIT_DONE;
    int audit = is_all || !is_store ? verify_audit(a) : EXIT_DONE;
    return status ? status : chain ? chain : audit;
}

int cli_serve(const struct cli_args *a)
{
    struct fault f = {0};
    if (a->value[CLI_CHECK]) {
        if (serve_check(a->value[CLI_CONFIG], &f))
            return cli_fail(&f);
        SAY(stdout, config_is_good, a->value[CLI_CONFIG] ? a->value[CLI_CONFIG] : "-");
        return EXIT_DONE;
    }
    int is_default_dir = !a->value[CLI_DATA];
    int r = serve_run(a->value[CLI_CONFIG], a->data_dir, is_default_dir, &f);
    return r ? cli_fail(&f) : EXIT_DONE;
}
