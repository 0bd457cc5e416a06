/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over every file of its corpus and over cheap mutations of
 * each (cut, bit flips, doubled), so that an ordinary test run exercises it
 * without libFuzzer. Deterministic: the mutations come from a fixed generator.
 */
#include "base/file.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* exact_copy - so that the sanitizer sees one byte past the end. */
static void run(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void mutate(const uint8_t *p, size_t n, int rounds)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    for (int i = 0; i < rounds && n; i++) {
        memcpy(copy, p, n);
        size_t length = next_random() % 4 ? n : next_random() % (n + 1);
        int flips = (int)(next_random() % 6);
        for (int k = 0; k < flips && length; k++)
            copy[next_random() % length] = (uint8_t)next_random();
        run(copy, length);
    }
    free(copy);
}

int main(int argc, char **argv)
{
    unsigned n_files = 0;
    const char *rounds_text = getenv("VONGGAC_ROUNDS");
    int rounds = rounds_text ? atoi(rounds_text) : 200;
    run((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (!d)
            continue;
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            char path[4096];
            uint8_t *p;
            size_t n;
            if (e->d_name[0] == '.' || snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name) >= (int)sizeof(path))
                continue;
            if (file_read_path(path, (size_t)16 << 20, &p, &n))
                continue;
            run(p, n);
            mutate(p, n, n > 65536 ? rounds / 10 : rounds);
            free(p);
            n_files++;
        }
        closedir(d);
    }
    printf("replayed %u files\n", n_files);
    if (!n_files) {
        fprintf(stderr, "no corpus: a fuzz target without seeds proves nothing\n");
        return 1;
    }
    return 0;
}
