/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/json - a strict scanner over one JSON text for the hot path, and the writing of JSON strings.
 *
 * In:     one untrusted JSON text (a line of JSON lines); documents that must be built are jansson's work.
 * Out:    its leaves with their dotted paths, as spans of the text; nothing is allocated.
 * Limits: JSON_MAX_DEPTH levels, paths of JSON_MAX_PATH bytes. Duplicate keys are given as often as they stand.
 *         No I/O, no allocation, no logging, no global state; reentrant.
 * Source: RFC 8259; stricter than its letter: UTF-8 must be well-formed and surrogate escapes paired.
 * Fuzz:   tests/fuzz/json.c (against jansson)
 */
#pragma once

#include "base/buf.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 32, JSON_MAX_PATH = 512 };

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_FALSE,
    JSON_KIND_TRUE,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

struct json_value {
    enum json_kind kind;
    struct text raw; /* as it stands; of a string what is between the quotes, escapes in place */
    bool is_escaped; /* a string that holds escapes: json_unescape it */
};

/*
 * json_leaf - called for every leaf in the order of the text.
 * @path: keys joined by '.', not terminated, borrowed for the call; empty for a text that is a lone value.
 * @value: a scalar, a whole array (not descended into), or an empty object.
 * Return: 0, or <0, which ends the walk and is handed up.
 */
typedef int (*json_leaf)(void *context, struct text path, const struct json_value *value);

/*
 * json_walk - check the whole of @t and give its leaves to @leaf (NULL: only check).
 * The leaves before a fault have been given: keep them back until 0 is returned.
 * Return: 0, JSON_MALFORMED, JSON_TOO_DEEP, JSON_LONG_PATH, or <0 from @leaf.
 * @ret_at: offset where a fault was found; may be NULL.
 */
enum { JSON_MALFORMED = 1, JSON_TOO_DEEP = 2, JSON_LONG_PATH = 3 };
int json_walk(struct text t, json_leaf leaf, void *context, size_t *ret_at);

/*
 * json_element - the next element of an array's raw span, which json_walk has checked.
 * @rest: at first the raw span with its brackets; advanced. Return: true while there is one.
 */
bool json_element(struct text *rest, struct json_value *ret);

/*
 * json_unescape - the content of a string in UTF-8.
 * @out: room for raw.n bytes, which always suffices. Returns the length.
 */
size_t json_unescape(struct text raw, char *out);

/* json_put_string - quoted and escaped; malformed UTF-8 becomes U+FFFD, so the output is always valid. */
void json_put_string(struct buf *b, struct text t);
