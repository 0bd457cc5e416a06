/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The finding journal after a crash or with hostile bytes in it. Input: pieces (u8 length, payload) become records with right
 * checksums; what follows an empty piece is written behind them as it stands, or, when the first byte is odd, over the file from
 * the place its first byte names. The writer opens it, cuts the torn tail, goes on; readers see what is whole, in order.
 */
#include "base/file.h"
#include "watch/detect/finder.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char dir[] = "/tmp/vonggac-fuzz-XXXXXX";
static char file[128];

/* empty - the journal's directory */
static void empty(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/findings", dir);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

static void clean_up(void)
{
    char path[128];
    empty();
    snprintf(path, sizeof(path), "%s/findings", dir);
    rmdir(path);
    rmdir(dir);
}

static void set_up(void)
{
    char path[128];
    if (file[0])
        return;
    assert(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/findings", dir);
    assert(!mkdir(path, 0700));
    snprintf(file, sizeof(file), "%s/findings/%020d.fjl", dir, 1);
    atexit(clean_up);
}

struct seen {
    uint64_t next, n;
};

static int check_record(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    struct seen *s = context;
    (void)id;
    (void)revision;
    assert(sequence == s->next && payload.n <= FINDING_MAX_PAYLOAD);
    s->next++;
    s->n++;
    return 0;
}

static uint64_t count(uint64_t from)
{
    struct seen s = {.next = from};
    struct fault f;
    return findings_read(dir, from, check_record, &s, &f) ? 0 : s.n;
}

static int count_record(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    struct seen *s = context;
    (void)id;
    (void)revision;
    (void)payload;
    assert(sequence >= s->next);
    s->next = sequence + 1;
    s->n++;
    return 0;
}

static bool has_kept(uint64_t before, uint64_t newest)
{
    struct seen s = {.next = 1};
    struct fault f;
    return !findings_read(dir, 1, count_record, &s, &f) && s.n == before + 1 && s.next == newest + 1;
}

static const uint8_t *add_records(const uint8_t *p, const uint8_t *end)
{
    struct findings *w;
    struct fault f;
    uint32_t revision = 1;
    assert(!findings_open(dir, 0, &w, &f));
    while (p < end && *p) {
        size_t n = *p++;
        n = n < (size_t)(end - p) ? n : (size_t)(end - p);
        struct finding_id id = {{p < end ? *p & 3 : 0}};
        assert(!findings_add(w, &id, revision++, (struct text){(const char *)p, n}));
        p += n;
    }
    assert(!findings_commit(w, &f));
    findings_close(w);
    return p < end ? p + 1 : p;
}

static void spoil(const uint8_t *p, const uint8_t *end, bool is_over)
{
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    assert(fd >= 0 && !fstat(fd, &st));
    off_t at = is_over && p < end && st.st_size ? *p++ * (off_t)4 % st.st_size : st.st_size;
    assert(pwrite(fd, p, (size_t)(end - p), at) == end - p);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct findings_state state;
    struct findings *w;
    struct finder *x;
    struct fault f;
    if (n < 2 || n > 1 << 16)
        return 0;
    set_up();
    empty();
    const uint8_t *end = p + n, *rest = add_records(p + 1, end);
    if (rest < end)
        spoil(rest, end, p[0] & 1);
    uint64_t before = count(1);
    int r = findings_open(dir, 0, &w, &f);
    if (r) {
        fprintf(stderr, "%s\n", f.text);
        abort();
    }
    findings_get_state(w, &state);
    assert(state.next_sequence > before);
    struct finding_id id = {{9}};
    assert(!findings_add(w, &id, 1, TEXT("{}")) && !findings_commit(w, &f));
    findings_close(w);
    assert(has_kept(before, state.next_sequence)); /* what was whole stays, the new one follows it */
    struct finder_options o = {.data_dir = dir, .max_sightings = 100, .window_us = 86400000000};
    assert(!finder_open(&o, &x, &f));
    finder_close(x);
    return 0;
}
