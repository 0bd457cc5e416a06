/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/owner - root leaves no files behind that the node cannot use.
 *
 * A writing command run by root works as the owner of the data directory (effective user and group); files the
 * user names are still opened with the rights of root (cli_open).
 */
#pragma once

/*
 * cli_become_owner - nothing when not root, or when the directory is root's or missing and no user vonggac exists.
 * May be called again. Return: the directory's name from now on: "." where its owner could not reach it from above (a folder of root's),
 * else @data_dir itself.
 */
const char *cli_become_owner(const char *data_dir);
/* cli_open_at - where relative names of the user count from: a descriptor, or AT_FDCWD. */
int cli_open_at(void);
/* cli_as_invoker, cli_as_owner - around opening a file the user named. */
void cli_as_invoker(void);
void cli_as_owner(void);
