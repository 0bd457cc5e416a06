/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/decoders.h"

#include "base/content.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES ((size_t)4 << 20)

static int is_yaml(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');
    return d->d_name[0] != '.' && dot && !strcmp(dot, ".yaml");
}

static int add_file(struct line_decoders *d, const char *directory, const char *name, struct fault *f)
{
    char path[PATH_MAX];
    _cleanup_free_ uint8_t *content = NULL;
    size_t n;
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return FAULT(f, -ENAMETOOLONG, content_path_long, name);
    int r = file_read_path(path, FILE_MAX_BYTES, &content, &n);
    if (r)
        return FAULT(f, r, cli_cannot_read, path, strerror(-r));
    return line_decoders_add(d, name, (struct text){(const char *)content, n}, f);
}

static int add_directory(struct line_decoders *d, const char *directory, struct fault *f)
{
    struct dirent **files;
    int n = scandir(directory, &files, is_yaml, alphasort), r = 0;
    if (n < 0)
        return FAULT(f, -errno, cli_cannot_read, directory, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (!r)
            r = add_file(d, directory, files[i]->d_name, f);
        free(files[i]);
    }
    free(files);
    return r;
}

int decoders_load(const char *directory, struct event_names *names, line_json_fn *json, void *json_context,
    struct line_decoders **ret, struct fault *f)
{
    char path[PATH_MAX];
    int r = directory ? 0 : content_path("decoders", path, sizeof path, f);
    if (r)
        return r;
    struct line_decoders *d = line_decoders_new(names);
    if (!d)
        return FAULT(f, -ENOMEM, no_memory, message_text(MSG_decoder_reading));
    line_decoders_set_json(d, json, json_context);
    r = add_directory(d, directory ? directory : path, f);
    if (!r)
        r = line_decoders_compile(d, f);
    if (r) {
        line_decoders_free(d);
        return r;
    }
    *ret = d;
    return 0;
}
