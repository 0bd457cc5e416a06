/* SPDX-License-Identifier: Apache-2.0 */
#include "base/content.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *used;

void content_use(const char *directory)
{
    used = directory;
}

/* own_directory - of the running program, without the last '/'. Return: 0 or -errno. */
static int own_directory(char *out, size_t n_out)
{
    ssize_t n = readlink("/proc/self/exe", out, n_out - 1);
    if (n < 0)
        return -errno;
    out[n] = 0;
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
    return 0;
}

int content_path(const char *name, char *out, size_t n_out, struct fault *f)
{
    char own[2048] = "";
    const char *environment = secure_getenv("VONGGAC_CONTENT");
    own_directory(own, sizeof own);
    const struct {
        const char *directory, *below;
    } places[] = {
        {used, ""}, {environment, ""}, {own, "/../share/vonggac/content"}, {own, "/../content"}, {own, "/../../content"},
        {own, "/../../../content"}, {own, "/../../../../content"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i].directory || !*places[i].directory)
            continue;
        int n = snprintf(out, n_out, "%s%s/%s", places[i].directory, places[i].below, name);
        if (n < 0 || (size_t)n >= n_out)
            return FAULT(f, -ENAMETOOLONG, content_path_long, name);
        if (!access(out, R_OK))
            return 0;
    }
    return FAULT(f, -ENOENT, content_missing, name, own, own);
}
