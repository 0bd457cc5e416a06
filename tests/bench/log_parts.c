/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_parts - what the steps of storing a log line cost by themselves, on the lines of a file, on one thread.
 *
 *   log_parts FILE DIR [ROUNDS]     FILE: lines ended by LF (syslog_send /PATH N lines); DIR: an empty one for a store
 *
 * Prints nanoseconds of CPU per line as JSON, the best of ROUNDS (3): the text copied once; zstd of the text alone, at its fastest
 * and at the levels of the store; one pass over the text that cuts and hashes its words, with and without a table of them;
 * decoding; and the store (journal, blocks, index, sealed).
 */
#include "format/event_record.h"
#include "format/syslog.h"
#include "watch/intake/decoders.h"
#include "watch/store/log_block.h"
#include "watch/store/store.h"
#include "watch/store/terms.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

enum { PIECE = 1 << 20, BLOCK_LINES = 8192 };

struct lines {
    char *p;
    size_t n_bytes, n;
};

struct bench {
    struct lines lines;
    struct event_names *names;
    struct line_decoders *decoders;
    const char *dir;
    uint64_t sum; /* of something from every step: none may be left out */
};

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int read_lines(const char *path, struct lines *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) || !(ret->p = malloc((size_t)st.st_size + 1)))
        return 1;
    while (ret->n_bytes < (size_t)st.st_size) {
        ssize_t n = read(fd, ret->p + ret->n_bytes, (size_t)st.st_size - ret->n_bytes);
        if (n <= 0)
            return 1;
        ret->n_bytes += (size_t)n;
    }
    close(fd);
    for (size_t i = 0; i < ret->n_bytes; i++)
        ret->n += ret->p[i] == '\n';
    return ret->n ? 0 : 1;
}

/* next_line - Return: false at the end. */
static bool next_line(struct text *rest, struct text *ret)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end)
        return false;
    *ret = (struct text){rest->p, (size_t)(end - rest->p)};
    rest->n -= ret->n + 1;
    rest->p = end + 1;
    return true;
}

/* --- the steps -------------------------------------------------------------------------------------------------- */

static void copy_text(struct bench *b)
{
    static char to[PIECE];
    for (size_t at = 0; at + PIECE <= b->lines.n_bytes; at += PIECE) {
        memcpy(to, b->lines.p + at, PIECE);
        b->sum += (unsigned char)to[at % PIECE];
    }
}

static void pack_text(struct bench *b, int level)
{
    static char to[2 * PIECE];
    static ZSTD_CCtx *c;
    if (!c && !(c = ZSTD_createCCtx()))
        return;
    for (size_t at = 0; at < b->lines.n_bytes; at += PIECE) {
        size_t n = b->lines.n_bytes - at < PIECE ? b->lines.n_bytes - at : PIECE;
        b->sum += ZSTD_compressCCtx(c, to, sizeof(to), b->lines.p + at, n, level);
    }
}

static void pack_fastest(struct bench *b)
{
    pack_text(b, -5);
}

static void pack_1(struct bench *b)
{
    pack_text(b, 1);
}

static void pack_3(struct bench *b)
{
    pack_text(b, 3);
}

/* hash_words - the least a word index can do: cut the text and hash the words. */
static void hash_words(struct bench *b)
{
    struct text rest = {b->lines.p, b->lines.n_bytes};
    struct term t;
    while (term_next(&rest, &t))
        b->sum += XXH3_64bits(t.p, t.n);
}

static void index_words(struct bench *b)
{
    struct text rest = {b->lines.p, b->lines.n_bytes}, line;
    struct terms_builder *terms = terms_builder_new();
    for (size_t i = 0; terms && next_line(&rest, &line); i++)
        b->sum += (uint64_t)terms_add_text(terms, line, (uint32_t)(i / BLOCK_LINES % TERMS_BLOCKS_MAX));
    terms_builder_free(terms);
}

static int each_batch(struct bench *b, int (*take)(void *context, const struct events *e), void *context)
{
    struct text rest = {b->lines.p, b->lines.n_bytes}, line;
    struct event_source from = {.arrived_us = INT64_C(1772334000000000), .zone_s = 7 * 3600, .address = TEXT("192.0.2.7")};
    struct event_decoder *d = event_decoder_new(b->names, b->decoders);
    struct events *e = events_new(b->names);
    int r = d && e ? 0 : -1;
    while (!r && next_line(&rest, &line)) {
        enum event_refusal reason;
        size_t at;
        from.arrived_us++;
        if (event_record(d, EVENT_RECORD_ANY, line, &from, e, &reason, &at) < 0)
            r = -1;
        if (events_full(e)) {
            r = take ? take(context, e) : 0;
            b->sum += e->n_values;
            events_clear(e);
        }
    }
    if (!r && take)
        r = take(context, e);
    events_free(e);
    event_decoder_free(d);
    return r;
}

static void decode(struct bench *b)
{
    b->sum += (uint64_t)each_batch(b, NULL, NULL);
}

static int append(void *context, const struct events *e)
{
    return store_log_writer_append(context, e, NULL);
}

static void decode_and_store(struct bench *b)
{
    char path[4096];
    struct store *s;
    struct store_log_writer *w;
    struct fault f = {0};
    static unsigned round;
    struct store_options o = {.names = b->names};
    snprintf(path, sizeof(path), "%s/%u", b->dir, round++);
    if (mkdir(path, 0750) || store_open(path, &o, &s, &f) || store_log_writer_new(s, &w, &f)) {
        fprintf(stderr, "%s: %s\n", path, f.text);
        exit(1);
    }
    if (each_batch(b, append, w) || store_log_writer_seal(w, &f)) {
        fprintf(stderr, "%s: %s\n", path, f.text);
        exit(1);
    }
    store_log_writer_free(w);
    store_close(s);
}

static double best_of(struct bench *b, void (*step)(struct bench *), unsigned rounds)
{
    double best = 0;
    for (unsigned i = 0; i < rounds; i++) {
        double begin = cpu_ns();
        step(b);
        double took = cpu_ns() - begin;
        best = !i || took < best ? took : best;
    }
    return best / (double)b->lines.n;
}

int main(int argc, char **argv)
{
    struct bench b = {.names = event_names_new()};
    struct fault f = {0};
    if (argc < 3 || read_lines(argv[1], &b.lines) || !b.names || decoders_load(NULL, b.names, NULL, NULL, &b.decoders, &f)) {
        fprintf(stderr, "log_parts FILE DIR [ROUNDS]: a file of lines and an empty directory\n%s\n", f.text);
        return 1;
    }
    b.dir = argv[2];
    unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3;
    const char *only = getenv("LOG_PARTS_ONLY");
    const struct {
        const char *name;
        void (*run)(struct bench *);
    } steps[] = {{"copy", copy_text},         {"zstd_fast_5", pack_fastest}, {"zstd_1", pack_1}, {"zstd_3", pack_3},
                 {"hash_words", hash_words}, {"index_words", index_words}, {"decode", decode}, {"decode_and_store", decode_and_store}};
    printf("{\"lines\": %zu, \"bytes\": %zu", b.lines.n, b.lines.n_bytes);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (!only || !strcmp(only, steps[i].name))
            printf(", \"%s\": %.1f", steps[i].name, best_of(&b, steps[i].run, rounds ? rounds : 1));
    printf(", \"sum\": %llu}\n", (unsigned long long)b.sum);
    line_decoders_free(b.decoders);
    event_names_free(b.names);
    free(b.lines.p);
    return 0;
}
