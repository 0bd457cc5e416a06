/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/owner.h"

#include "base/file.h"

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static uid_t owner_uid;
static gid_t owner_gid;

void cli_become_owner(const char *data_dir)
{
    struct stat st;
    if (geteuid() != 0)
        return;
    if (stat(data_dir, &st)) {
        const struct passwd *p = getpwnam("vonggac");
        if (!p || file_make_dirs(data_dir, 0750) || chown(data_dir, p->pw_uid, p->pw_gid) || stat(data_dir, &st))
            return;
    }
    owner_uid = st.st_uid;
    owner_gid = st.st_gid;
    cli_as_owner();
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
