/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding a list: keep the raw file, read it, sort, compile, and only when all
 * that stands durable let one rename make it the list. The own space goes the
 * same way. What is compiled without being kept lives in a memory file.
 */
#include "watch/indicator/lists.h"

#include "base/file.h"
#include "watch/indicator/registry.h"
#include "watch/indicator/suffixes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#define PATH_BYTES 4096u

/* reading: rows into a builder */
struct intake {
    struct image_builder builder;
    const struct address_set *own;
    struct list_report *report;
    struct text family; /* for rows without one */
};

static int take_row(void *context, const struct list_row *row)
{
    struct intake *in = context;
    if (row->family.n || !in->family.n)
        return image_builder_add(&in->builder, row);
    struct list_row named = *row;
    named.family = in->family;
    return image_builder_add(&in->builder, &named);
}

static bool is_own(void *context, const struct ip_range *range)
{
    const struct intake *in = context;
    return address_set_touches(in->own, range);
}

static void take_duplicate(void *context, uint64_t row, const struct ip_range *range)
{
    struct intake *in = context;
    char text[2 * IP_TEXT_MAX];
    in->report->warned[LIST_WARNED_duplicate]++;
    if (!in->report->warned_row)
        return;
    size_t n = ip_range_format(range, text);
    in->report->warned_row(in->report->context, row, LIST_WARNED_duplicate, (struct text){text, n});
}

static void take_same_name(void *context, uint64_t row, struct text name)
{
    struct intake *in = context;
    in->report->warned[LIST_WARNED_duplicate]++;
    if (in->report->warned_row)
        in->report->warned_row(in->report->context, row, LIST_WARNED_duplicate, name);
}

/* read_rows - Return: 0, LISTS_NOTHING_VALID, LISTS_MOSTLY_BAD, or -errno. */
static int read_rows(struct intake *in, int fd, bool is_space, struct fault *f)
{
    struct list_read_options o = {.zone_s = ZONE_VIETNAM_S, .is_space = is_space, .put = take_row, .context = in,
                                  .is_own = in->own ? is_own : NULL};
    struct domain_rules *suffixes = NULL;
    struct domain_rules_read unused;
    struct fault none = {0};
    if (!is_space && suffixes_load(&suffixes, &unused, &none) == -ENOMEM) {
        domain_rules_free(suffixes);
        return FAULT(f, -ENOMEM, no_memory, "list_add");
    }
    o.suffixes = suffixes; /* without the content nobody is warned */
    f->code = 0;
    int r = list_read(fd, &o, in->report, f);
    domain_rules_free(suffixes);
    if (r == -ENOMEM && !f->code)
        return FAULT(f, r, no_memory, "list_add");
    if (r)
        return f->code ? r : FAULT(f, r, list_too_large, strerror(-r));
    if (!in->report->kept)
        return FAULT(f, LISTS_NOTHING_VALID, list_nothing_valid);
    uint64_t bad = list_report_malformed(in->report);
    if (bad > in->report->rows - bad)
        return FAULT(f, LISTS_MOSTLY_BAD, list_mostly_bad, (unsigned long long)bad, (unsigned long long)in->report->rows);
    r = image_builder_sort(&in->builder);
    if (r)
        return FAULT(f, r, no_memory, "list_sort");
    if (!is_space) {
        image_builder_duplicates(&in->builder, take_duplicate, in);
        image_builder_same_names(&in->builder, take_same_name, in);
    }
    return 0;
}

static void intake_free(struct intake *in)
{
    if (!in)
        return;
    image_builder_fini(&in->builder);
    free(in);
}

static struct intake *intake_new(struct list_report *report, const char *family)
{
    struct intake *in = calloc(1, sizeof(*in));
    if (!in)
        return NULL;
    if (image_builder_init(&in->builder)) {
        intake_free(in);
        return NULL;
    }
    in->report = report;
    if (family)
        in->family = (struct text){family, strlen(family)};
    return in;
}

static struct text text_of(const char *s)
{
    return s ? (struct text){s, strlen(s)} : (struct text){"", 0};
}

static struct image_about about_of(const struct list_add *a, uint32_t version)
{
    return (struct image_about){
        .magic = IMAGE_MAGIC_LIST,
        .version = version,
        .kind = a->kind,
        .date_us = a->date_us,
        .valid_until_us = a->valid_until_us ? a->valid_until_us : INT64_MAX,
        .added_us = clock_now_us(),
        .name = text_of(a->name),
        .letter = text_of(a->letter),
        .source = text_of(a->source),
        .family = text_of(a->family),
        .file_name = text_of(a->file_name),
    };
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    if (!n || n > 64 || s[0] == '.')
        return false;
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static int chain_path(char out[PATH_BYTES], const char *data_dir, const char *name, struct fault *f)
{
    int n = name ? snprintf(out, PATH_BYTES, "%s/lists/%s", data_dir, name) : snprintf(out, PATH_BYTES, "%s/space", data_dir);
    return n < (int)PATH_BYTES ? 0 : FAULT(f, -ENAMETOOLONG, list_not_kept, data_dir, strerror(ENAMETOOLONG));
}

/* the manifest: what a person or a later desk needs to know about the version without opening the image */
static const char *const kind_names[] = {"unknown", "windowed", "cumulative"};

static void set_time(json_t *o, const char *key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    if (us == 0 || us == INT64_MAX)
        return;
    clock_format_utc(us, text);
    json_object_set_new(o, key, json_string(text));
}

static void set_text(json_t *o, const char *key, struct text t)
{
    if (t.n && text_is_utf8(t.p, t.n))
        json_object_set_new(o, key, json_stringn(t.p, t.n));
}

static json_t *counts_of(const uint64_t *counts, size_t n, const char *(*name)(size_t))
{
    json_t *o = json_object();
    for (size_t i = 0; i < n; i++)
        if (counts[i])
            json_object_set_new(o, name(i), json_integer((json_int_t)counts[i]));
    return o;
}

static const char *refusal_at(size_t i)
{
    return list_refusal_name((enum list_refusal)i);
}

static const char *warning_at(size_t i)
{
    return list_warning_name((enum list_warning)i);
}

static char *manifest_text(const struct registry_job *j, const struct image_about *a, const struct list_report *r)
{
    json_t *o = json_pack("{s:i, s:s, s:I, s:s}", "format", 1, "what", !memcmp(a->magic, IMAGE_MAGIC_LIST, 8) ? "list" : "space",
                          "version", (json_int_t)j->version, "kind", kind_names[a->kind]);
    if (!o)
        return NULL;
    set_text(o, "name", a->name);
    set_text(o, "letter", a->letter);
    set_text(o, "source", a->source);
    set_text(o, "family", a->family);
    set_text(o, "file_name", a->file_name);
    set_time(o, "date", a->date_us);
    set_time(o, "valid_until", a->valid_until_us);
    set_time(o, "added", a->added_us);
    json_object_set_new(o, "raw", json_pack("{s:s, s:I}", "sha256", j->raw_sha256.hex, "bytes", (json_int_t)j->raw_bytes));
    json_object_set_new(o, "compiled",
                        json_pack("{s:s, s:I}", "sha256", j->compiled_sha256.hex, "bytes", (json_int_t)j->compiled_bytes));
    json_object_set_new(o, "rows", json_integer((json_int_t)r->rows));
    json_object_set_new(o, "kept", json_integer((json_int_t)r->kept));
    json_object_set_new(o, "entries", json_integer((json_int_t)r->entries));
    json_object_set_new(o, "refused", counts_of(r->refused, LIST_N_REFUSALS, refusal_at));
    json_object_set_new(o, "warned", counts_of(r->warned, LIST_N_WARNINGS, warning_at));
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(o);
    return text;
}

static int keep(struct registry_job *j, struct intake *in, const struct image_about *about, bool is_space, struct fault *f)
{
    int r = read_rows(in, j->raw_fd, is_space, f);
    if (!r)
        r = registry_compile(j, &in->builder, about, f);
    if (r)
        return r;
    char *manifest = manifest_text(j, about, in->report);
    r = manifest ? registry_publish(j, manifest, strlen(manifest), f) : FAULT(f, -ENOMEM, no_memory, "manifest");
    free(manifest);
    return r;
}

int lists_add(const char *data_dir, int fd, const struct list_add *a, struct list_report *report, uint32_t *ret_version, struct fault *f)
{
    char dir[PATH_BYTES];
    struct registry_job j;
    struct space *space = NULL;
    if (!is_name(a->name))
        return FAULT(f, -EINVAL, list_bad_name, a->name);
    int r = chain_path(dir, data_dir, a->name, f);
    if (!r)
        r = space_open_current(data_dir, &space, f);
    if (r < 0)
        return r;
    struct intake *in = intake_new(report, a->family);
    if (!in) {
        space_close(space);
        return FAULT(f, -ENOMEM, no_memory, "list_add");
    }
    in->own = space ? space_addresses(space) : NULL;
    r = registry_begin(&j, dir, fd, f);
    if (!r) {
        struct image_about about = about_of(a, j.version);
        r = keep(&j, in, &about, false, f);
    }
    if (!r && ret_version)
        *ret_version = j.version;
    registry_end(&j);
    intake_free(in);
    space_close(space);
    return r;
}

int space_add(const char *data_dir, int fd, const char *file_name, struct list_report *report, uint32_t *ret_version, struct fault *f)
{
    char dir[PATH_BYTES];
    struct registry_job j;
    int r = chain_path(dir, data_dir, NULL, f);
    if (r)
        return r;
    struct intake *in = intake_new(report, NULL);
    if (!in)
        return FAULT(f, -ENOMEM, no_memory, "space_add");
    r = registry_begin(&j, dir, fd, f);
    if (!r) {
        struct image_about about = {.magic = IMAGE_MAGIC_SPACE, .version = j.version, .valid_until_us = INT64_MAX,
                                    .added_us = clock_now_us(), .file_name = text_of(file_name)};
        r = keep(&j, in, &about, true, f);
    }
    if (!r && ret_version)
        *ret_version = j.version;
    registry_end(&j);
    intake_free(in);
    return r;
}

/* compile_to_memory - an image nobody keeps. @ret_fd is the memory file. */
static int compile_to_memory(int fd, struct intake *in, const struct image_about *about, bool is_space, int *ret_fd, struct fault *f)
{
    int r = read_rows(in, fd, is_space, f);
    if (r)
        return r;
    _cleanup_close_ int memory = memfd_create("list", MFD_CLOEXEC);
    r = memory < 0 ? -errno : image_builder_write(&in->builder, memory, about);
    if (r)
        return FAULT(f, r, list_not_kept, "memory", strerror(-r));
    *ret_fd = memory;
    memory = -1;
    return 0;
}

int lists_compile(int fd, const struct list_add *a, struct list_report *report, struct list **ret, struct fault *f)
{
    struct intake *in = intake_new(report, a->family);
    int memory = -1;
    if (!in)
        return FAULT(f, -ENOMEM, no_memory, "list_compile");
    struct image_about about = about_of(a, 0);
    int r = compile_to_memory(fd, in, &about, false, &memory, f);
    intake_free(in);
    if (r)
        return r;
    r = list_open_fd(memory, a->file_name ? a->file_name : a->name, ret, f);
    close(memory);
    return r;
}

int space_compile(int fd, const char *file_name, struct list_report *report, struct space **ret, struct fault *f)
{
    struct intake *in = intake_new(report, NULL);
    int memory = -1;
    if (!in)
        return FAULT(f, -ENOMEM, no_memory, "space_compile");
    struct image_about about = {.magic = IMAGE_MAGIC_SPACE, .valid_until_us = INT64_MAX, .file_name = text_of(file_name)};
    int r = compile_to_memory(fd, in, &about, true, &memory, f);
    intake_free(in);
    if (r)
        return r;
    r = space_open_fd(memory, file_name ? file_name : "space", ret, f);
    close(memory);
    return r;
}

int lists_open(const char *data_dir, const char *name, uint32_t version, struct list **ret, struct fault *f)
{
    char dir[PATH_BYTES], path[PATH_BYTES + 32];
    if (!is_name(name))
        return FAULT(f, -EINVAL, list_bad_name, name);
    int r = chain_path(dir, data_dir, name, f);
    if (r)
        return r;
    r = version ? 0 : registry_current(dir, &version);
    if (r)
        return FAULT(f, r > 0 ? -ENOENT : r, list_unknown, name, data_dir);
    snprintf(path, sizeof(path), "%s/%u/compiled", dir, version);
    return list_open(path, ret, f);
}

int space_open_current(const char *data_dir, struct space **ret, struct fault *f)
{
    char dir[PATH_BYTES], path[PATH_BYTES + 32];
    uint32_t version;
    *ret = NULL;
    int r = chain_path(dir, data_dir, NULL, f);
    if (r)
        return r;
    r = registry_current(dir, &version);
    if (r > 0)
        return 1;
    if (r)
        return FAULT(f, r, list_image_unreadable, dir, strerror(-r));
    snprintf(path, sizeof(path), "%s/%u/compiled", dir, version);
    return space_open(path, ret, f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_listed(const struct dirent *e)
{
    return is_name(e->d_name);
}

int lists_each(const char *data_dir, int (*each)(void *context, const char *name, uint32_t current, uint32_t n_versions), void *context,
               struct fault *f)
{
    char dir[PATH_BYTES], chain[PATH_BYTES];
    struct dirent **names;
    if (snprintf(dir, sizeof(dir), "%s/lists", data_dir) >= (int)sizeof(dir))
        return FAULT(f, -ENAMETOOLONG, list_image_unreadable, data_dir, strerror(ENAMETOOLONG));
    int n = scandir(dir, &names, is_listed, by_name), r = 0;
    if (n < 0)
        return errno == ENOENT ? 0 : FAULT(f, -errno, list_image_unreadable, dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        uint32_t current;
        if (!r)
            r = chain_path(chain, data_dir, names[i]->d_name, f);
        if (!r) {
            int state = registry_current(chain, &current);
            if (state < 0)
                r = FAULT(f, state, list_image_unreadable, chain, strerror(-state));
            else if (!state)
                r = each(context, names[i]->d_name, current, registry_n_versions(chain));
        }
        free(names[i]);
    }
    free(names);
    return r;
}

struct opened {
    const char *data_dir;
    struct list **lists;
    size_t n, room;
    struct fault *fault;
};

static int open_one(void *context, const char *name, uint32_t current, uint32_t n_versions)
{
    struct opened *o = context;
    (void)n_versions;
    if (o->n == o->room) {
        size_t room = o->room ? o->room * 2 : 16;
        struct list **grown = reallocarray(o->lists, room, sizeof(*grown));
        if (!grown)
            return FAULT(o->fault, -ENOMEM, no_memory, "lists_open_all");
        o->lists = grown;
        o->room = room;
    }
    int r = lists_open(o->data_dir, name, current, &o->lists[o->n], o->fault);
    o->n += !r;
    return r;
}

int lists_open_all(const char *data_dir, struct list ***ret, size_t *ret_n, struct fault *f)
{
    struct opened o = {.data_dir = data_dir, .fault = f};
    int r = lists_each(data_dir, open_one, &o, f);
    if (r) {
        while (o.n)
            list_close(o.lists[--o.n]);
        free(o.lists);
        return r;
    }
    *ret = o.lists;
    *ret_n = o.n;
    return 0;
}

static int mix(void *context, const char *name, uint32_t current, uint32_t n_versions)
{
    uint64_t *sum = context;
    (void)n_versions;
    struct {
        uint64_t before, name, version;
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a name of readdir, or "" */
    } item = {*sum, XXH3_64bits(name, strlen(name)), current};
    *sum = XXH3_64bits(&item, sizeof(item));
    return 0;
}

int lists_generation(const char *data_dir, uint64_t *ret, struct fault *f)
{
    char dir[PATH_BYTES];
    uint64_t sum = 0;
    uint32_t version = 0;
    int r = lists_each(data_dir, mix, &sum, f);
    if (!r)
        r = chain_path(dir, data_dir, NULL, f);
    if (r)
        return r;
    r = registry_current(dir, &version);
    if (r < 0)
        return FAULT(f, r, list_image_unreadable, dir, strerror(-r));
    mix(&sum, "", r ? 0 : version, 0);
    *ret = sum;
    return 0;
}

/* compare_names - in the order of images; names with one key by their text */
static int compare_names(const struct list_entry *a, const struct list_entry *b)
{
    uint64_t x = name_key(a->kind, a->name), y = name_key(b->kind, b->name);
    if (x != y)
        return x < y ? -1 : 1;
    size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
    int c = n ? memcmp(a->name.p, b->name.p, n) : 0;
    if (!c)
        c = (a->name.n > b->name.n) - (a->name.n < b->name.n);
    return c ? c : (int)a->kind - (int)b->kind;
}

/* entries in the order of comparison: family of address, first, last, role, then names; doubles count once */
static int compare_entries(const struct list_entry *a, const struct list_entry *b)
{
    if (a->kind != NAME_NONE || b->kind != NAME_NONE) {
        int d = a->kind == NAME_NONE ? -1 : b->kind == NAME_NONE ? 1 : compare_names(a, b);
        return d ? d : (int)a->role - (int)b->role;
    }
    int c = (int)ip_is_v4(&b->range.first) - (int)ip_is_v4(&a->range.first);
    if (!c)
        c = ip_compare(&a->range.first, &b->range.first);
    if (!c)
        c = ip_compare(&b->range.last, &a->range.last);
    return c ? c : (int)a->role - (int)b->role;
}

/* a walk over one list in that order: singles and ranges of IPv4 merged, doubles skipped */
struct walk {
    const struct list *l;
    uint64_t single, n_single, range, n_range, v6, n_v6; /* names stand behind IPv6 */
    struct list_entry group[2]; /* the roles of the present range, by role */
    size_t at, n;
};

static void walk_init(struct walk *w, const struct list *l)
{
    const struct image *im = list_image(l);
    memset(w, 0, sizeof(*w));
    w->l = l;
    w->n_single = im->count[IMAGE_SINGLE4];
    w->range = w->n_single;
    w->n_range = w->range + im->count[IMAGE_RANGE4];
    w->v6 = w->n_range;
    w->n_v6 = w->v6 + im->count[IMAGE_ENTRY6] + im->count[IMAGE_NAMES];
}

/* peek - the next entry as it stands and the cursor it comes from; false at the end */
static bool peek(struct walk *w, struct list_entry *ret, uint64_t **from)
{
    struct list_entry a, b;
    bool has_a = w->single < w->n_single && !list_entry(w->l, w->single, &a);
    bool has_b = w->range < w->n_range && !list_entry(w->l, w->range, &b);
    if (has_a && (!has_b || ip_compare(&a.range.first, &b.range.first) < 0)) {
        *ret = a;
        *from = &w->single;
        return true;
    }
    if (has_b) {
        *ret = b;
        *from = &w->range;
        return true;
    }
    *from = &w->v6;
    return w->v6 < w->n_v6 && !list_entry(w->l, w->v6, ret);
}

static bool is_same(const struct list_entry *a, const struct list_entry *b)
{
    if (a->kind != NAME_NONE || b->kind != NAME_NONE)
        return a->kind == b->kind && text_equal(a->name, b->name);
    return ip_equal(&a->range.first, &b->range.first) && ip_equal(&a->range.last, &b->range.last);
}

static bool next(struct walk *w, struct list_entry *ret)
{
    struct list_entry e;
    uint64_t *from;
    if (w->at < w->n) {
        *ret = w->group[w->at++];
        return true;
    }
    w->at = w->n = 0;
    while (peek(w, &e, &from)) {
        if (w->n && !is_same(&e, &w->group[0]))
            break;
        ++*from;
        if (!w->n) {
            w->group[w->n++] = e;
        } else if (w->n == 1 && e.role != w->group[0].role) {
            w->n = 2;
            w->group[1] = e;
            if (e.role < w->group[0].role) {
                w->group[1] = w->group[0];
                w->group[0] = e;
            }
        }
    }
    if (!w->n)
        return false;
    *ret = w->group[w->at++];
    return true;
}

int lists_diff(const struct list *older, const struct list *newer, struct list_diff *ret,
               int (*each)(void *context, char what, const struct list_entry *e), void *context)
{
    struct walk wo, wn;
    struct list_entry o, n;
    walk_init(&wo, older);
    walk_init(&wn, newer);
    *ret = (struct list_diff){0};
    bool has_o = next(&wo, &o), has_n = next(&wn, &n);
    while (has_o || has_n) {
        int c = !has_o ? 1 : !has_n ? -1 : compare_entries(&o, &n), r = 0;
        if (c < 0) {
            ret->n_gone++;
            r = each ? each(context, '-', &o) : 0;
        } else if (c > 0) {
            ret->n_new++;
            r = each ? each(context, '+', &n) : 0;
        } else {
            ret->n_persistent++;
            r = each ? each(context, '=', &n) : 0;
        }
        if (r)
            return r;
        if (c <= 0)
            has_o = next(&wo, &o);
        if (c >= 0)
            has_n = next(&wn, &n);
    }
    return 0;
}
