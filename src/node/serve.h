/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/serve - the parent: binds sockets, reads the keys of intake, starts the watch and gate roles, starts them again when they
 * die, reads no byte from the network.
 *
 * SIGTERM, SIGINT: end within ten seconds; a second one: at once. SIGHUP: the configuration file is read and
 * checked whole; if it is good, new roles take the sockets over (they stay open: the kernel keeps what
 * arrives meanwhile), else nothing changes and the log says why.
 */
#pragma once

#include "base/fault.h"

/*
 * serve_run - until told to end.
 * @config_path: NULL for the defaults. @data_dir: of the command line; the file's `data` counts if @is_default_dir.
 * Return: exit status of the program; a fault that kept it from starting is filled in and 1 returned.
 */
int serve_run(const char *config_path, const char *data_dir, int is_default_dir, struct fault *f);
/*
 * serve_check - whether the file is good: its form, and the certificates, keys and tokens it names. Nothing is started.
 * Return: 0; 1 or <0 with the fault.
 */
int serve_check(const char *config_path, struct fault *f);
