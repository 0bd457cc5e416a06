/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/content - where the files of content/ lie: truth that changes without code.
 *
 * Looked for in this order: the directory named by content_use (a command line or the configuration), $VONGGAC_CONTENT,
 * ../share/vonggac/content beside the program's own directory (installed), and content in the four
 * folders above it (a program in the build folder, or in the folder of a variant).
 */
#pragma once

#include "base/fault.h"

#include <stddef.h>

/* content_use - @directory comes first from now on; NULL: not any more. Borrowed. Before threads start. */
void content_use(const char *directory);
/*
 * content_path - the path of content file or folder @name ("decoders", "sigma/pipelines") in @out.
 * Return: 0; -ENOENT with the places looked at in @f; -ENAMETOOLONG.
 */
int content_path(const char *name, char *out, size_t n_out, struct fault *f);
