/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/record - that a hunt took place: DIR/hunts/TIME-N.json, kept for ever.
 *
 * One JSON object: when, which list versions (name, version, entries), own space or not, the window asked for, the
 * coverage with gaps and damage, rows and hits found. Written whole or not at all.
 */
#pragma once

#include "watch/hunt/hunt.h"

/* hunt_record_json - the object, with a line end. */
void hunt_record_json(const struct hunt_coverage *c, struct list *const *lists, size_t n_lists, bool has_space,
                      int64_t at_us, struct buf *out);
/*
 * hunt_record_write - into DIR/hunts, made when missing.
 * Return: 0; 1 if the directory cannot be written by this user (nothing is kept; no fault); -errno.
 */
int hunt_record_write(const char *data_dir, const struct hunt_coverage *c, struct list *const *lists, size_t n_lists,
                      bool has_space, int64_t at_us, struct fault *f);
