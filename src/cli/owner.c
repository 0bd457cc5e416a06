/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/owner.h"

#include "base/file.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int began_at = AT_FDCWD;
static bool is_within; /* the data directory, since it was entered */
static uid_t owner_uid;
static gid_t owner_gid;

/* enter - work inside the directory while root still can. Return: whether that was possible. */
static int enter(const char *data_dir)
{
    began_at = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return began_at >= 0 && !chdir(data_dir);
}

const char *cli_become_owner(const char *data_dir)
{
    struct stat st;
    if (geteuid() != 0)
        return is_within ? "." : data_dir;
    if (stat(data_dir, &st)) {
        const struct passwd *p = getpwnam("vonggac");
        if (!p || file_make_dirs(data_dir, 0750) || chown(data_dir, p->pw_uid, p->pw_gid) || stat(data_dir, &st))
            return data_dir;
    }
    owner_uid = st.st_uid;
    owner_gid = st.st_gid;
    cli_as_owner();
    if (!owner_uid || !eaccess(data_dir, X_OK))
        return data_dir;
    cli_as_invoker();
    is_within = enter(data_dir);
    cli_as_owner();
    return is_within ? "." : data_dir;
}

int cli_open_at(void)
{
    return began_at;
}

void cli_as_invoker(void)
{
    if (!owner_uid)
        return;
    if (seteuid(0) || setegid(0))
        _exit(1);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the change of user forbade debuggers, and the leak checker of the tests */
}

void cli_as_owner(void)
{
    if (!owner_uid)
        return;
    if (setegid(owner_gid) || seteuid(owner_uid))
        _exit(1);
}
