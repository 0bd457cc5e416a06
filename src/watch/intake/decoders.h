/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/decoders - the line decoders of content/decoders (or of another directory) read and compiled.
 */
#pragma once

#include "format/line_decoder.h"

/*
 * decoders_load - all *.yaml of @directory (NULL: content/decoders), in the order of their names.
 * @names: borrowed for the life of the decoders. @json may be NULL.
 * Return: 0; 1 (a file is wrong: which, where and why in @f); -errno with @f.
 */
int decoders_load(const char *directory, struct event_names *names, line_json_fn *json, void *json_context,
    struct line_decoders **ret, struct fault *f);
