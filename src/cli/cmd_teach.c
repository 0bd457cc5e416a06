/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vonggac teach: a draft of a decoder for each kind of line that nobody understands, to be edited and put into
 * content/decoders.
 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "format/line_decoder.h"
#include "watch/intake/decoders.h"
#include "watch/intake/log_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { MAX_DRAFTS = 20, DRAFT_BYTES = 1 << 16 };

struct teaching {
    struct line_clock clock;
    struct buf draft;
    uint64_t seen[MAX_DRAFTS]; /* hashes of the drafts given */
    unsigned n_seen;
    uint64_t n_lines, n_unknown;
};

/* pattern_of - what two drafts of lines of one kind share: everything but their tests. */
static struct text pattern_of(const struct buf *draft)
{
    static const char tests[] = "tests:";
    const char *end = draft->n ? memmem(draft->p, draft->n, tests, sizeof(tests) - 1) : NULL;
    return (struct text){(const char *)draft->p, end ? (size_t)(end - (const char *)draft->p) : draft->n};
}

static void draft_line(struct teaching *t, struct text line)
{
    buf_clear(&t->draft);
    line_draft(line, &t->clock, &t->draft);
    struct text pattern = pattern_of(&t->draft);
    uint64_t hash = XXH3_64bits(pattern.p, pattern.n);
    for (unsigned i = 0; i < t->n_seen; i++)
        if (t->seen[i] == hash)
            return;
    if (t->n_seen == MAX_DRAFTS || t->draft.is_bad)
        return;
    t->seen[t->n_seen++] = hash;
    fwrite(t->draft.p, 1, t->draft.n, stdout);
    putchar('\n');
}

static int take(void *context, struct events *e)
{
    struct teaching *t = context;
    t->n_lines += e->n;
    for (uint32_t i = 0; i < e->n; i++)
        if (!event_get(e, i, EV_EVENT_DECODER)) {
            t->n_unknown++;
            draft_line(t, event_original(e, i));
        }
    return 0;
}

int cli_teach(const struct cli_args *a)
{
    struct teaching t = {.draft.max = DRAFT_BYTES, .clock = {.arrived_us = clock_now_us(), .zone_s = ZONE_VIETNAM_S}};
    struct event_names *names = event_names_new();
    struct line_decoders *decoders = NULL;
    struct fault f = {0};
    int status = EXIT_DONE;
    if (!names || decoders_load(NULL, names, NULL, NULL, &decoders, &f)) {
        event_names_free(names);
        return cli_fail(&f);
    }
    for (size_t i = 0; i < a->n_operands; i++) {
        struct log_options o = {.zone_s = ZONE_VIETNAM_S};
        struct log_account account;
        _cleanup_close_ int fd = cli_open(a->operands[i]);
        if (fd < 0 || log_read(fd, &o, names, decoders, take, NULL, &t, &account, &f))
            status = fd < 0 ? EXIT_FAILED : cli_fail(&f);
    }
    SAY(stderr, teach_account, message_count(t.n_lines), message_count(t.n_unknown), message_count(t.n_seen));
    buf_fini(&t.draft);
    line_decoders_free(decoders);
    event_names_free(names);
    return status;
}
