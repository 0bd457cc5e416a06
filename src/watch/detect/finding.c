/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Append, sync, forget what everybody has read. The names of the files order
 * them; nothing else needs to be remembered.
 */
#include "watch/detect/finding.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    HEADER_BYTES = 32,
    FRAME_BYTES = 8,   /* length and checksum */
    FIXED_BYTES = 28,  /* sequence, id, revision */
    MAX_FILES = 100000,
    NAME_BYTES = 24,   /* 20 digits, ".fjl" */
};

static const char magic[8] = {'V', 'G', 'F', 'I', 'N', 'D', 'J', '1'};

struct file_list {
    uint64_t *first; /* ascending */
    size_t n;
};

struct findings {
    int dir_fd, fd; /* fd: the last file, or -1 */
    uint64_t file_bytes, max_bytes;
    uint64_t next, pending_next;
    struct buf pending;
    struct findings_state state;
};

static void file_name(uint64_t first, char out[NAME_BYTES + 1])
{
    snprintf(out, NAME_BYTES + 1, "%020llu.fjl", (unsigned long long)first);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = load_le64(a), y = load_le64(b);
    return (x > y) - (x < y);
}

static int list_files(int dir_fd, struct file_list *ret)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        return -e;
    }
    *ret = (struct file_list){0};
    size_t capacity = 0;
    int r = 0;
    for (struct dirent *e; !r && (e = readdir(d)) != NULL;) {
        uint64_t first;
        if (strlen(e->d_name) != NAME_BYTES || strcmp(e->d_name + 20, ".fjl") != 0 ||
            text_u64((struct text){e->d_name, 20}, UINT64_MAX, &first))
            continue;
        if (ret->n == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            uint64_t *grown = capacity > MAX_FILES ? NULL : realloc(ret->first, capacity * sizeof(*grown));
            if (!grown) {
                r = -ENOMEM;
                break;
            }
            ret->first = grown;
        }
        ret->first[ret->n++] = first;
    }
    closedir(d);
    if (r) {
        free(ret->first);
        return r;
    }
    if (ret->n)
        qsort(ret->first, ret->n, sizeof(*ret->first), compare_u64);
    return 0;
}

static void put_le32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}

static void put_le64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

static void make_header(uint64_t first, uint8_t out[HEADER_BYTES])
{
    static const uint16_t version[2] = {1, 0};
    memcpy(out, magic, 8);
    memcpy(out + 8, version, 4);
    put_le32(out + 12, 0x01020304);
    put_le64(out + 16, first);
    put_le64(out + 24, XXH3_64bits(out, 24));
}

/* is_header - any minor version will do */
static bool is_header(const uint8_t p[HEADER_BYTES], uint64_t first)
{
    uint8_t header[HEADER_BYTES];
    make_header(first, header);
    return !memcmp(p, header, 10) && !memcmp(p + 12, header + 12, 12) && load_le64(p + 24) == XXH3_64bits(p, 24);
}

/* next_record - at c: Return: true and the record, false at the end or at a torn one (c is not moved). */
static bool next_record(struct cursor *c, uint64_t expected, struct cursor *ret_body)
{
    struct cursor try = *c;
    uint32_t n = cursor_le32(&try), sum = cursor_le32(&try);
    if (try.is_bad || n < FIXED_BYTES || n > FIXED_BYTES + FINDING_MAX_PAYLOAD || cursor_left(&try) < n)
        return false;
    *ret_body = cursor_sub(&try, n);
    if ((uint32_t)XXH3_64bits(ret_body->p, n) != sum || load_le64(ret_body->p) != expected)
        return false;
    *c = try;
    return true;
}

/* read_file - Return: the content after its header as a cursor over *@ret_p (caller frees), or -errno. */
static int read_file(int dir_fd, uint64_t first, uint8_t **ret_p, struct cursor *ret)
{
    char name[NAME_BYTES + 1];
    size_t n;
    file_name(first, name);
    _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = file_read_all(fd, FINDING_FILE_BYTES * 4, ret_p, &n);
    if (r)
        return r;
    if (n < HEADER_BYTES || !is_header(*ret_p, first)) {
        free(*ret_p);
        return -EBADMSG;
    }
    *ret = cursor_over(*ret_p + HEADER_BYTES, n - HEADER_BYTES);
    return 0;
}

/* --- cursors -------------------------------------------------------------------------- */

static int read_cursor_at(int dir_fd, const char *name, uint64_t *ret)
{
    _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 1 : -errno;
    _cleanup_free_ uint8_t *p = NULL;
    size_t n;
    int r = file_read_all(fd, 64, &p, &n);
    if (r)
        return r;
    struct text t = text_trim((struct text){(const char *)p, n});
    return text_u64(t, UINT64_MAX, ret) ? -EBADMSG : 0;
}

/* cursors_of - how many readers are registered, the lowest of their cursors into @s. Return: the highest. */
static uint64_t cursors_of(int dir_fd, struct findings_state *s)
{
    uint64_t highest = 0;
    s->n_cursors = 0;
    s->lowest_cursor = UINT64_MAX;
    int fd = openat(dir_fd, "cursors", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        uint64_t at = 0;
        if (e->d_name[0] == '.' || read_cursor_at(fd, e->d_name, &at))
            continue;
        s->n_cursors++;
        highest = at > highest ? at : highest;
        if (at < s->lowest_cursor)
            s->lowest_cursor = at;
    }
    closedir(d);
    return highest;
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= 64 && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

/* open_dir - DIR/findings or a folder in it, made when missing and wanted. Return: descriptor or -errno. */
static int open_dir(const char *data_dir, const char *below, bool make)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/findings%s", data_dir, below) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int r = make ? file_make_dirs(path, 0750) : 0;
    if (r)
        return r;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int findings_set_cursor(const char *data_dir, const char *name, uint64_t sequence, struct fault *f)
{
    char value[24];
    if (!is_name(name))
        return FAULT(f, -EINVAL, finding_bad_cursor, name);
    _cleanup_close_ int fd = open_dir(data_dir, "/cursors", true);
    if (fd < 0)
        return FAULT(f, fd, finding_cannot_open, data_dir, strerror(-fd));
    int n = snprintf(value, sizeof(value), "%llu\n", (unsigned long long)sequence);
    int r = file_replace(fd, name, value, (size_t)n);
    return r ? FAULT(f, r, finding_cannot_write, data_dir, strerror(-r)) : 0;
}

int findings_cursor(const char *data_dir, const char *name, uint64_t *ret)
{
    _cleanup_close_ int fd = open_dir(data_dir, "/cursors", false);
    if (fd < 0)
        return fd == -ENOENT ? 1 : fd;
    return is_name(name) ? read_cursor_at(fd, name, ret) : -EINVAL;
}

/* --- the writer ------------------------------------------------------------------------- */

/* has_header - of the file that begins with @first. Return: 1 yes, 0 no, or -errno. @ret_bytes: of the file. */
static int has_header(int dir_fd, uint64_t first, uint64_t *ret_bytes)
{
    char name[NAME_BYTES + 1];
    uint8_t header[HEADER_BYTES];
    struct stat st;
    file_name(first, name);
    _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return -errno;
    *ret_bytes = (uint64_t)st.st_size;
    if (st.st_size < HEADER_BYTES)
        return 0;
    int r = file_pread_full(fd, header, sizeof(header), 0);
    return r ? r : is_header(header, first);
}

/*
 * set_aside - a file without a whole header: nothing acknowledged was in one that ends with it (a crash while it was begun);
 * a longer one is kept beside under another name. Sequence numbers it may have held are not given again.
 */
static int set_aside(struct findings *w, uint64_t first, uint64_t n_bytes, uint64_t *least_next)
{
    char name[NAME_BYTES + 1], aside[NAME_BYTES + sizeof(".damaged")];
    file_name(first, name);
    if (n_bytes <= HEADER_BYTES)
        return unlinkat(w->dir_fd, name, 0) ? -errno : 0;
    uint64_t past = first + n_bytes / (FRAME_BYTES + FIXED_BYTES);
    *least_next = past > *least_next ? past : *least_next;
    w->state.n_damaged++;
    snprintf(aside, sizeof(aside), "%s.damaged", name);
    return renameat(w->dir_fd, name, w->dir_fd, aside) ? -errno : 0;
}

/* sift - leave in @files only those that have a header; at least one more than the reader who is furthest may begin with. */
static int sift(struct findings *w, struct file_list *files, uint64_t *least_next)
{
    size_t n = 0;
    *least_next = 1;
    for (size_t i = 0; i < files->n; i++) {
        uint64_t n_bytes = 0;
        int r = has_header(w->dir_fd, files->first[i], &n_bytes);
        if (r == 1)
            files->first[n++] = files->first[i];
        else if (!r)
            r = set_aside(w, files->first[i], n_bytes, least_next);
        if (r < 0)
            return r;
    }
    files->n = n;
    uint64_t highest = cursors_of(w->dir_fd, &w->state);
    if (w->state.n_cursors && highest >= *least_next && highest < UINT64_MAX)
        *least_next = highest + 1; /* a reader may have seen what a power cut took away: it must not miss what comes now */
    return 0;
}

/* open_last - go on in the last file, behind its last whole record. */
static int open_last(struct findings *w, uint64_t first)
{
    uint8_t *p = NULL;
    struct cursor c = {0}, body;
    char name[NAME_BYTES + 1];
    file_name(first, name);
    int r = read_file(w->dir_fd, first, &p, &c);
    if (r)
        return r;
    const uint8_t *start = c.p;
    for (w->next = first; next_record(&c, w->next, &body); w->next++)
        ;
    w->file_bytes = HEADER_BYTES + (uint64_t)(c.p - start);
    w->state.bytes_cut = (uint64_t)(c.end - c.p);
    free(p);
    w->fd = openat(w->dir_fd, name, O_WRONLY | O_CLOEXEC);
    if (w->fd < 0 || (w->state.bytes_cut && ftruncate(w->fd, (off_t)w->file_bytes)) || lseek(w->fd, 0, SEEK_END) < 0)
        return -errno;
    return 0;
}

/* recover - find the end of the last file, cut a torn tail. Return: 0 or -errno. */
static int recover(struct findings *w)
{
    struct file_list files = {0};
    uint64_t least_next;
    int r = list_files(w->dir_fd, &files);
    if (r)
        return r;
    r = sift(w, &files, &least_next);
    w->next = 1;
    w->state.first_sequence = files.n ? files.first[0] : 1;
    if (!r && files.n)
        r = open_last(w, files.first[files.n - 1]);
    free(files.first);
    if (!r && w->next < least_next) {
        file_close(&w->fd); /* numbers inside a file have no gap: the next record begins another */
        w->next = least_next;
    }
    w->pending_next = w->next;
    return r;
}

int findings_open(const char *data_dir, uint64_t max_bytes, struct findings **ret, struct fault *f)
{
    struct findings *w = calloc(1, sizeof(*w));
    if (!w)
        return FAULT(f, -ENOMEM, no_memory, "findings");
    w->fd = -1;
    w->max_bytes = max_bytes;
    w->pending.max = (size_t)256 << 20;
    w->dir_fd = open_dir(data_dir, "", true);
    int r = w->dir_fd < 0 ? w->dir_fd : recover(w);
    if (r) {
        findings_close(w);
        return FAULT(f, r, finding_cannot_open, data_dir, strerror(-r));
    }
    *ret = w;
    return 0;
}

void findings_close(struct findings *w)
{
    if (!w)
        return;
    file_close(&w->fd);
    file_close(&w->dir_fd);
    buf_fini(&w->pending);
    free(w);
}

int findings_add(struct findings *w, const struct finding_id *id, uint32_t revision, struct text payload)
{
    if (payload.n > FINDING_MAX_PAYLOAD)
        return -EMSGSIZE;
    size_t n = FIXED_BYTES + payload.n;
    uint8_t *p = buf_room(&w->pending, FRAME_BYTES + n);
    if (!p) {
        w->pending.is_bad = false; /* what was added before stays */
        return -ENOMEM;
    }
    put_le32(p, (uint32_t)n);
    put_le64(p + 8, w->pending_next);
    memcpy(p + 16, id->b, 16);
    put_le32(p + 32, revision);
    if (payload.n)
        memcpy(p + 36, payload.p, payload.n);
    put_le32(p + 4, (uint32_t)XXH3_64bits(p + FRAME_BYTES, n));
    w->pending.n += FRAME_BYTES + n;
    w->pending_next++;
    return 0;
}

static int begin_file(struct findings *w)
{
    char name[NAME_BYTES + 1];
    uint8_t header[HEADER_BYTES];
    file_name(w->next, name);
    make_header(w->next, header);
    int fd = openat(w->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    int r = file_write_full(fd, header, sizeof(header));
    if (!r && fsync(fd))
        r = -errno;
    if (!r)
        r = file_sync_dir(w->dir_fd);
    if (r) {
        close(fd);
        return r;
    }
    file_close(&w->fd);
    w->fd = fd;
    w->file_bytes = HEADER_BYTES;
    return 0;
}

static void trim(struct findings *w)
{
    struct file_list files = {0};
    (void)cursors_of(w->dir_fd, &w->state);
    if (list_files(w->dir_fd, &files))
        return;
    uint64_t total = 0, kept_from = 0;
    for (size_t i = files.n; i-- > 0;) { /* newest first: how much fits the cap */
        char name[NAME_BYTES + 1];
        struct stat st;
        file_name(files.first[i], name);
        if (fstatat(w->dir_fd, name, &st, 0))
            continue;
        uint64_t last = i + 1 < files.n ? files.first[i + 1] - 1 : w->next - 1;
        bool is_read = w->state.n_cursors && last <= w->state.lowest_cursor && i + 1 < files.n;
        bool is_over = w->max_bytes && total + (uint64_t)st.st_size > w->max_bytes && i + 1 < files.n;
        if (!is_read && !is_over) {
            total += (uint64_t)st.st_size;
            kept_from = files.first[i];
            continue;
        }
        if (unlinkat(w->dir_fd, name, 0))
            continue;
        uint64_t read = w->state.lowest_cursor > files.first[i] - 1 ? w->state.lowest_cursor : files.first[i] - 1;
        if (!is_read && w->state.n_cursors)
            w->state.trimmed_unread += last - read;
    }
    w->state.first_sequence = kept_from ? kept_from : w->next;
    w->state.n_bytes = total;
    w->state.n_files = files.n;
    free(files.first);
}

int findings_commit(struct findings *w, struct fault *f)
{
    if (!w->pending.n)
        return 0;
    int r = w->fd < 0 || w->file_bytes > FINDING_FILE_BYTES ? begin_file(w) : 0;
    if (!r)
        r = file_write_full(w->fd, w->pending.p, w->pending.n);
    if (!r)
        r = file_step("finding-sync");
    if (!r && fdatasync(w->fd))
        r = -errno;
    if (r) { /* nothing of a failed write may stay behind */
        if (w->fd >= 0 && (ftruncate(w->fd, (off_t)w->file_bytes) || lseek(w->fd, (off_t)w->file_bytes, SEEK_SET) < 0))
            file_close(&w->fd);
        return FAULT(f, r, finding_cannot_write, "findings", strerror(-r));
    }
    w->file_bytes += w->pending.n;
    w->next = w->pending_next;
    buf_clear(&w->pending);
    trim(w);
    return 0;
}

void findings_get_state(struct findings *w, struct findings_state *ret)
{
    w->state.next_sequence = w->next;
    *ret = w->state;
}

/* --- readers --------------------------------------------------------------------------------- */

static int walk_file(int dir_fd, uint64_t first, uint64_t from,
                     int (*each)(void *, uint64_t, const struct finding_id *, uint32_t, struct text), void *context)
{
    uint8_t *p = NULL;
    struct cursor c = {0}, body;
    int r = read_file(dir_fd, first, &p, &c);
    if (r == -ENOENT) /* trimmed meanwhile: everybody had read it, or the alarm said so */
        return 0;
    if (r)
        return r;
    for (uint64_t sequence = first; !r && next_record(&c, sequence, &body); sequence++) {
        if (sequence < from)
            continue;
        struct finding_id id;
        memcpy(id.b, body.p + 8, 16);
        r = each(context, sequence, &id, load_le32(body.p + 24),
                 (struct text){(const char *)body.p + FIXED_BYTES, cursor_left(&body) - FIXED_BYTES});
    }
    free(p);
    return r;
}

int findings_read(const char *data_dir, uint64_t from,
                  int (*each)(void *, uint64_t, const struct finding_id *, uint32_t, struct text), void *context,
                  struct fault *f)
{
    struct file_list files = {0};
    _cleanup_close_ int fd = open_dir(data_dir, "", false);
    if (fd == -ENOENT)
        return 0;
    int r = fd < 0 ? fd : list_files(fd, &files);
    if (r)
        return FAULT(f, r, finding_cannot_open, data_dir, strerror(-r));
    for (size_t i = 0; !r && i < files.n; i++)
        if (i + 1 == files.n || files.first[i + 1] > from)
            r = walk_file(fd, files.first[i], from, each, context);
    free(files.first);
    return r < 0 ? FAULT(f, r, finding_cannot_open, data_dir, strerror(-r)) : r;
}
