/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/sigma_tree - YAML text to trees of scalars, lists and maps, each with its line.
 *
 * In:     one file's bytes, untrusted.
 * Out:    the documents of the file; everything lives in the caller's arena.
 * Limits: SIGMA_TREE_DEPTH levels, SIGMA_TREE_NODES nodes a file, SIGMA_FILE_MAX bytes; anchors, aliases and a key
 *         that stands twice in one map are refused. No I/O, no logging, no global state; memory through libyaml and @arena.
 * Source: YAML 1.1 as libyaml reads it.
 */
#pragma once

#include "base/arena.h"
#include "base/text.h"

#define SIGMA_FILE_MAX (1u << 20)
#define SIGMA_TREE_DEPTH 24u
#define SIGMA_TREE_NODES 65536u

enum sigma_tree_kind { SIGMA_SCALAR, SIGMA_LIST, SIGMA_MAP };

struct sigma_tree {
    enum sigma_tree_kind kind;
    bool is_plain;            /* a scalar without quotes: may be a number, a boolean or null */
    uint32_t line;            /* 1.. */
    struct text text;         /* of a scalar */
    struct text key;          /* of an entry of a map */
    uint32_t n;               /* entries */
    struct sigma_tree *first; /* entries in order */
    struct sigma_tree *next;
};

struct sigma_trees {
    struct sigma_tree *first; /* documents, by next; empty documents are left out */
    uint32_t n;
};

/* why it cannot be read */
enum sigma_tree_reason { SIGMA_TREE_FINE, SIGMA_TREE_SYNTAX, SIGMA_TREE_ALIAS, SIGMA_TREE_DEEP, SIGMA_TREE_LARGE, SIGMA_TREE_TWICE,
    SIGMA_TREE_KEY };
struct sigma_tree_fault {
    enum sigma_tree_reason reason;
    uint32_t line;
    char detail[96]; /* printable */
};

/*
 * sigma_tree_parse - @p, @n borrowed for the call only.
 * Return: 0; 1 with @f filled (documents before the fault are in @ret); -ENOMEM.
 */
int sigma_tree_parse(const char *p, size_t n, struct arena *arena, struct sigma_trees *ret, struct sigma_tree_fault *f);

/* sigma_tree_get - the entry @key of a map, or NULL. */
const struct sigma_tree *sigma_tree_get(const struct sigma_tree *map, const char *key);
/* sigma_tree_is_null - a plain scalar that is empty, ~ or null. */
bool sigma_tree_is_null(const struct sigma_tree *t);
/* sigma_tree_bool - true or false without quotes. Return: 0 or 1. */
int sigma_tree_bool(const struct sigma_tree *t, bool *ret);
/* sigma_tree_integer - a plain scalar that is an integer (decimal without leading zeros, or 0x). Return: 0 or 1. */
int sigma_tree_integer(const struct sigma_tree *t, int64_t *ret);
