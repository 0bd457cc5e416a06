/* SPDX-License-Identifier: Apache-2.0 */
#include "state/audit.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_CHARS = SHA256_TEXT_MAX - 1, FOLDER_MODE = 0750 };

struct trail {
    int fd;
    uint64_t n_bytes; /* up to the end of the last whole line */
    uint64_t n;       /* of the last line; 0: none */
    struct sha256 head;
};

static struct sha256 link_of(const struct sha256 *before, const char *object, size_t n)
{
    struct sha256_state s;
    sha256_init(&s);
    sha256_add(&s, before->b, sizeof(before->b));
    sha256_add(&s, object, n);
    return sha256_end(&s);
}

/* split - a line without its end: object, blank, link. Return: 0 or 1. */
static int split(struct text line, struct text *ret_object, struct sha256 *ret_link)
{
    if (line.n < LINK_CHARS + 2 || line.p[line.n - LINK_CHARS - 1] != ' ')
        return 1;
    *ret_object = (struct text){line.p, line.n - LINK_CHARS - 1};
    return sha256_parse(line.p + line.n - LINK_CHARS, LINK_CHARS, ret_link);
}

/* number_of - "n" of an entry. Return: 0: it has none. */
static uint64_t number_of(struct text object)
{
    json_t *o = json_loadb(object.p, object.n, 0, NULL);
    uint64_t n = (uint64_t)json_integer_value(json_object_get(o, "n"));
    json_decref(o);
    return n;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

/* read_end - the last whole line tells number and link. */
static int read_end(struct trail *t, struct fault *f)
{
    static _Thread_local char tail[AUDIT_LINE_MAX + 1];
    struct stat st;
    if (fstat(t->fd, &st))
        return FAULT(f, -errno, store_read_failed, "audit/AUDIT", strerrordesc_np(errno));
    uint64_t size = (uint64_t)st.st_size, n = size < AUDIT_LINE_MAX ? size : AUDIT_LINE_MAX;
    int r = n ? file_pread_full(t->fd, tail, n, size - n) : 0;
    if (r)
        return FAULT(f, r, store_read_failed, "audit/AUDIT", strerrordesc_np(-r));
    const char *end = n ? memrchr(tail, '\n', n) : NULL;
    if (!end && size > n)
        return FAULT(f, -EBADMSG, audit_wrong, (unsigned long long)0);
    if (!end)
        return 0; /* new, or only a torn first line */
    const char *before = memrchr(tail, '\n', (size_t)(end - tail));
    struct text object, line = {before ? before + 1 : tail, (size_t)(end - (before ? before + 1 : tail))};
    if (split(line, &object, &t->head) || !(t->n = number_of(object)))
        return FAULT(f, -EBADMSG, audit_wrong, (unsigned long long)t->n);
    t->n_bytes = size - n + (uint64_t)(end + 1 - tail);
    if (t->n_bytes < size && ftruncate(t->fd, (off_t)t->n_bytes))
        return FAULT(f, -errno, store_write_failed, "audit/AUDIT", strerrordesc_np(errno));
    return 0;
}

static int open_trail(const char *data_dir, struct trail *t, struct fault *f)
{
    char path[4096];
    *t = (struct trail){.fd = -1};
    int n = snprintf(path, sizeof(path), "%s/audit", data_dir);
    int r = n >= (int)sizeof(path) - 8 ? -ENAMETOOLONG : file_make_dirs(path, FOLDER_MODE);
    if (!r) {
        snprintf(path + n, sizeof(path) - (size_t)n, "/AUDIT");
        t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        r = t->fd < 0 || flock(t->fd, LOCK_EX) ? -errno : 0;
    }
    return r ? FAULT(f, r, store_write_failed, path, strerrordesc_np(-r)) : read_end(t, f);
}

static void set(json_t *o, const char *key, const char *value)
{
    char text[AUDIT_TEXT_MAX + 8];
    if (!value)
        return;
    text_escape(value, strlen(value), text, AUDIT_TEXT_MAX);
    (void)json_object_set_new(o, key, json_string(text));
}

static void set_who(json_t *o, const char *who)
{
    char text[128];
    if (!who) {
        struct passwd entry, *found = NULL;
        char room[1024];
        uid_t uid = getuid();
        (void)getpwuid_r(uid, &entry, room, sizeof(room), &found);
        snprintf(text, sizeof(text), "%.60s (uid %u)", found ? found->pw_name : "?", (unsigned)uid);
        who = text;
    }
    set(o, "who", who);
}

static char *compose(const struct audit_entry *e, uint64_t n)
{
    char at[TIME_TEXT_MAX];
    json_t *o = json_object();
    clock_format_utc(clock_now_us(), at);
    (void)json_object_set_new(o, "n", json_integer((json_int_t)n));
    set(o, "at", at);
    set_who(o, e->who);
    set(o, "action", e->action);
    set(o, "object", e->object);
    set(o, "why", e->why);
    set(o, "result", e->result);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static int write_line(struct trail *t, const char *object)
{
    char link[SHA256_TEXT_MAX], line[AUDIT_LINE_MAX];
    struct sha256 h = link_of(&t->head, object, strlen(object));
    sha256_format(&h, link);
    int n = snprintf(line, sizeof(line), "%s %s\n", object, link);
    if (n < 0 || (size_t)n >= sizeof(line))
        return -EMSGSIZE;
    int r = file_step("audit-write");
    if (!r && lseek(t->fd, (off_t)t->n_bytes, SEEK_SET) < 0)
        r = -errno;
    if (!r)
        r = file_write_full(t->fd, line, (size_t)n);
    if (!r)
        r = file_step("audit-sync");
    if (!r && fdatasync(t->fd))
        r = -errno;
    if (r && ftruncate(t->fd, (off_t)t->n_bytes))
        return r; /* the next writer cuts it */
    return r;
}

int audit_add(const char *data_dir, const struct audit_entry *e, struct fault *f)
{
    struct trail t;
    int r = open_trail(data_dir, &t, f);
    char *object = r ? NULL : compose(e, t.n + 1);
    if (!r && !object)
        r = FAULT(f, -ENOMEM, store_no_memory, "audit/AUDIT");
    if (!r) {
        r = write_line(&t, object);
        if (r)
            (void)FAULT(f, r, store_write_failed, "audit/AUDIT", strerrordesc_np(-r));
    }
    free(object);
    file_close(&t.fd);
    return r;
}

/* --- checking --------------------------------------------------------------------------------------------------- */

static void check_line(struct audit_report *x, struct text line, const struct sha256 *head)
{
    struct text object;
    struct sha256 said;
    x->n_lines++;
    if (x->first_wrong)
        return; /* nothing behind a wrong line proves anything */
    bool is_line = !split(line, &object, &said);
    struct sha256 link = is_line ? link_of(&x->head, object.p, object.n) : x->head;
    if (!is_line || memcmp(link.b, said.b, sizeof(link.b)) || number_of(object) != x->n_lines) {
        x->first_wrong = x->n_lines;
        return;
    }
    x->head = link;
    x->has_head |= head && !memcmp(head->b, link.b, sizeof(link.b));
}

int audit_verify(const char *data_dir, const struct sha256 *head, struct audit_report *ret, struct fault *f)
{
    char path[4096], *line = NULL;
    size_t room = 0;
    *ret = (struct audit_report){.n_lines = 0};
    if (snprintf(path, sizeof(path), "%s/audit/AUDIT", data_dir) >= (int)sizeof(path))
        return FAULT(f, -ENAMETOOLONG, store_read_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT)
        return AUDIT_EMPTY;
    if (!file)
        return FAULT(f, -errno, store_read_failed, path, strerrordesc_np(errno));
    for (ssize_t n; (n = getline(&line, &room, file)) > 0;) {
        ret->is_torn = line[n - 1] != '\n';
        if (!ret->is_torn)
            check_line(ret, (struct text){line, (size_t)n - 1}, head);
    }
    int r = ferror(file) ? FAULT(f, -EIO, store_read_failed, path, strerrordesc_np(EIO)) : 0;
    free(line);
    fclose(file);
    return r;
}
