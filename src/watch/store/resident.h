/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/resident - what of a mapped file is in memory, and asking the disk for the rest before it is needed.
 *
 * Mappings of the store are advised to be hit at random, so that a fault reads no more than its page. Whoever first
 * touches bytes wants them whole beforehand; whoever knows many such places wants them all at once, so that the disk
 * has something to choose from. In memory already: a system call per place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* resident_map - a mapping of @n bytes of a file of @owner: to be hit at random. */
void resident_map(const uint8_t *p, size_t n, uid_t owner);
/* resident_is - as far as a few samples of these bytes tell, they are in memory. */
bool resident_is(const uint8_t *p, size_t n);
/* resident_ask - ask the disk for these bytes, in portions that it may take as they come. */
void resident_ask(const uint8_t *p, size_t n);
/* resident_want - these few bytes are about to be read: asked for, if they are not in memory. */
void resident_want(const uint8_t *p, size_t n);
/*
 * resident_want_all - the same for many places. A few of them are looked at first: are they in memory, so are the others.
 * @place: where the @i-th is; false: nowhere.
 */
void resident_want_all(size_t n, bool (*place)(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n), void *context);
