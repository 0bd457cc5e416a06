/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/yaml_tree - YAML text to trees of scalars, lists and maps, each with its line.
 *
 * In:     one file's bytes, untrusted.
 * Out:    the documents of the file; everything lives in the caller's arena.
 * Limits: YAML_TREE_DEPTH levels, YAML_TREE_NODES nodes a file, YAML_FILE_MAX bytes; anchors, aliases and a key
 *         that stands twice in one map are refused. No I/O, no logging, no global state; memory through libyaml and @arena.
 * Source: YAML 1.1 as libyaml reads it.
 */
#pragma once

#include "base/arena.h"
#include "base/text.h"

#define YAML_FILE_MAX (1u << 20)
#define YAML_TREE_DEPTH 24u
#define YAML_TREE_NODES 65536u

enum yaml_tree_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_tree {
    enum yaml_tree_kind kind;
    bool is_plain;            /* a scalar without quotes: may be a number, a boolean or null */
    uint32_t line;            /* 1.. */
    struct text text;         /* of a scalar */
    struct text key;          /* of an entry of a map */
    uint32_t n;               /* entries */
    struct yaml_tree *first; /* entries in order */
    struct yaml_tree *next;
};

struct yaml_trees {
    struct yaml_tree *first; /* documents, by next; empty documents are left out */
    uint32_t n;
};

/* why it cannot be read */
enum yaml_tree_reason { YAML_TREE_FINE, YAML_TREE_SYNTAX, YAML_TREE_ALIAS, YAML_TREE_DEEP, YAML_TREE_LARGE, YAML_TREE_TWICE,
    YAML_TREE_KEY };
struct yaml_tree_fault {
    enum yaml_tree_reason reason;
    uint32_t line;
    char detail[96]; /* printable */
};

/*
 * yaml_tree_parse - @p, @n borrowed for the call only.
 * Return: 0; 1 with @f filled (documents before the fault are in @ret); -ENOMEM.
 */
int yaml_tree_parse(const char *p, size_t n, struct arena *arena, struct yaml_trees *ret, struct yaml_tree_fault *f);

/* yaml_tree_get - the entry @key of a map, or NULL. */
const struct yaml_tree *yaml_tree_get(const struct yaml_tree *map, const char *key);
/* yaml_tree_is_null - a plain scalar that is empty, ~ or null. */
bool yaml_tree_is_null(const struct yaml_tree *t);
/* yaml_tree_bool - true or false without quotes. Return: 0 or 1. */
int yaml_tree_bool(const struct yaml_tree *t, bool *ret);
/* yaml_tree_integer - a plain scalar that is an integer (decimal without leading zeros, or 0x). Return: 0 or 1. */
int yaml_tree_integer(const struct yaml_tree *t, int64_t *ret);
