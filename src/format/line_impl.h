/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/line_impl - what the files of the line decoders share: the compiled form of content/decoders.
 *
 * A decoder is a list of patterns; a pattern is a small programme of nodes; a target says where a text goes. All of it
 * lives in one arena and does not change after line_decoders_compile.
 */
#pragma once

#include "base/arena.h"
#include "base/fault.h"
#include "format/event.h"
#include "format/line_decoder.h"
#include "format/syslog.h"

#define LINE_PATTERNS_MAX 8192u
#define LINE_ANCHORS_MAX (16u * LINE_PATTERNS_MAX)
#define LINE_DECODERS_MAX 1024u
#define LINE_NODES_MAX 120u
#define LINE_SLOTS_MAX 48u
#define LINE_NEST_MAX 4u
#define LINE_APPS_MAX 32u
#define LINE_SURE_ANCHOR 8u /* bytes of an anchor that tells a program by itself, where the line names none */
#define LINE_LIST_MAX 600u /* columns, keys, values of one map */
#define LINE_MATCHED_MAX ((size_t)1 << 20) /* a longer line is kept, not matched */

enum line_type {
    LINE_WORD,   /* no blanks; as short as the rest allows */
    LINE_TEXT,   /* anything, as short as the rest allows; may be empty */
    LINE_LONG,   /* anything, as long as the rest allows */
    LINE_INT,
    LINE_HEX,
    LINE_REAL,
    LINE_IP,
    LINE_HOST,   /* an address or a name */
    LINE_MAC,
    LINE_TIME,
    LINE_TIME_US, /* mm/dd/yyyy */
    LINE_EPOCH,
    LINE_QUOTED, /* "..." with '\' before a quote */
    LINE_SECONDS,
    LINE_MILLISECONDS,
    LINE_URL,    /* split into path and query */
    LINE_ENDPOINT, /* address and port: 192.0.2.1:80, [2001:db8::1]:80, 192.0.2.1#80 */
    LINE_WEB_AGENT, /* W3C: '+' for blanks */
    LINE_TOKEN,  /* neither blanks nor , ; quotes or brackets; one extent */
    LINE_REQUEST, /* "GET /path HTTP/1.1" with or without quotes */
    LINE_ONE_OF,
    LINE_BLANKS,
    /* these take all the rest and put fields of their own */
    LINE_KV,
    LINE_CSV,
    LINE_JSON,
    LINE_CEF,
    LINE_LEEF,
    LINE_ACCESS,
    LINE_RECORDS, /* [a b c][d e f]: the same columns again and again */
    LINE_N_TYPES,
};

enum line_op { LINE_LITERAL, LINE_CAPTURE, LINE_SPLIT, LINE_END };

struct line_node {
    uint8_t op, type;
    uint16_t other;        /* SPLIT: where to go on when the optional part is not there */
    uint16_t slot, slot_end; /* CAPTURE: its slot; SPLIT: the slots of its part */
    const char *p;         /* LITERAL: its bytes; ONE_OF: alternatives, each behind a byte of its length */
    uint32_t n;
};

enum line_special { LINE_PLAIN, LINE_IGNORE, LINE_TEMPORARY, LINE_STAMP, LINE_DATE_PART, LINE_TIME_PART, LINE_ZONE_PART };

struct line_pair {
    struct text from, to;
};

struct line_map {
    struct text from;
    uint16_t field;
    struct text other;         /* value when none fits; .p NULL: nothing is put */
    struct line_pair *pairs;
    uint32_t n_pairs;
    struct line_map *next;
};

struct line_target {
    struct text name;
    uint16_t field;
    uint8_t type;              /* enum line_type: how the text becomes a value */
    uint8_t special;
    bool is_lower, is_hex;
    struct line_map *map;
    struct line_target *next;  /* of the same key: put under both */
};

struct line_keys { /* open addressing, a power of two, half empty at least */
    struct line_key {
        struct text key;
        struct line_target *target;
    } *slots;
    uint32_t mask;
};

struct line_set {
    uint16_t field;
    struct text value;
};

/* constants as values of an event, ready to be put */
struct line_ready {
    struct event_value *values;
    char *text;
    uint32_t n, n_text;
};

struct line_list {
    struct text *items;
    uint32_t n;
};

struct line_kv_form {
    char assign, separator;    /* '=' and 0 (blanks) unless said */
    bool keeps_unknown, is_greedy; /* greedy: a value goes on over blanks up to the next key */
    struct text prefix;        /* of unknown keys' names */
    struct text nested;        /* key whose value holds pairs of its own */
};

#define LINE_SECONDARY_MAX 3u
#define LINE_ANCHOR_MIN 4u /* bytes: shorter literals are in every line, the pass does not look for them */

struct line_decoder {
    struct text name, module, dataset, file;
    struct text before, behind;   /* of each of its patterns */
    struct line_list apps, require;
    bool is_bare;              /* fits lines that name no program, whatever its apps */
    bool is_on_line;           /* match at the start of the line, not of the message */
    bool takes_structured;     /* fields: also for RFC 5424 structured data */
    const char *proof;         /* data, description, form; NULL: not said */
    bool is_first;             /* tried before the literals are looked for: quick to refuse */
    struct line_ready ready;   /* of rows and directives that no pattern describes */
    bool is_w3c;               /* rows under #Fields that hold all of .require */
    struct line_kv_form kv;
    struct line_keys keys;
    struct line_set *sets;
    uint32_t n_sets;
    struct line_map *maps;
    struct line_list lower, hex;
    uint16_t number;
};

struct line_needle {
    struct text text;
    uint32_t rare; /* its byte that logs hold least often */
};

struct line_pattern {
    const struct line_decoder *decoder;
    struct text source;
    struct line_node *nodes;
    uint32_t n_nodes, n_slots;
    struct line_target **targets; /* per slot; NULL: not captured */
    struct line_list require;
    struct line_target **columns; /* of CSV */
    uint32_t n_columns;
    char column_separator;
    struct line_set *sets;        /* the decoder's and its own */
    uint32_t n_sets;
    struct line_ready ready;      /* event.decoder and the like, and .sets */
    struct text anchor;           /* literal that every line it fits holds; empty: tried on all */
    const char *choices;          /* instead of an anchor: one of these texts, each behind a byte of its length */
    uint32_t n_choices;
    struct text secondary[LINE_SECONDARY_MAX]; /* further literals that it must hold */
    uint32_t n_secondary, anchors[LINE_SECONDARY_MAX];
    int line;                     /* in its file */
    /* line_choose.c: what is looked at before the matcher runs */
    struct text lead;             /* the literal that it begins with; empty: none, or it begins with the line */
    uint32_t begins;              /* bit b: it may begin with a byte whose low five bits are b */
    struct line_needle *needles;  /* that the line must hold: [0 .. n_required) after the pass for literals, else all */
    uint32_t n_needles, n_required;
    struct line_needle *any;      /* its choices, of which the line must hold one */
    uint32_t n_any;
};

struct line_test {
    const struct line_decoder *decoder;
    struct text text, arrived;
    struct line_pair *fields;
    uint32_t n_fields;
    int line, year;
    bool is_for_nobody;           /* must not be understood */
    struct line_test *next;
};

struct line_app { /* app name -> decoders */
    struct text name;             /* without the '*' */
    bool is_prefix;
    uint16_t decoder;
};

struct line_decoders {
    struct event_names *names;
    struct arena arena;
    struct line_decoder **decoders;
    uint32_t n_decoders, decoders_capacity;
    struct line_pattern **patterns;
    uint32_t n_patterns, patterns_capacity;
    struct line_test *tests, *last_test;
    struct line_app *apps;
    uint32_t n_apps;
    uint64_t *without_app;        /* patterns whose decoder names no app */
    uint64_t *for_nameless;       /* patterns for lines that name no program */
    uint64_t *always;             /* patterns without anchor */
    uint32_t *first, n_first;     /* patterns to be tried before all others */
    uint32_t *anchor_from, *anchor_patterns; /* literal i of the database: anchor_patterns[anchor_from[i] .. anchor_from[i + 1]) */
    uint32_t n_anchors;
    struct hs_database *database;
    struct hs_database *general;  /* literals of the patterns whose decoder names no app */
    struct hs_scratch *prototype;
    bool is_compiled;
    line_json_fn *json;
    void *json_context;
    uint64_t *n_names_added;      /* by unknown keys, of all threads */
    uint16_t field_line_number;
};

struct line_capture {
    const char *p; /* NULL: not there */
    uint32_t n;
};

#define LINE_APP_CACHE 64u
#define LINE_NAMED_MAX 1024u
/* the patterns of one program, in their order; more than LINE_NAMED_MAX: by .allowed and the pass for literals */
struct line_app_cache {
    char name[56];
    uint32_t n, n_named;
    uint16_t named[LINE_NAMED_MAX];
    uint32_t begins[LINE_NAMED_MAX]; /* .begins of each */
    uint64_t allowed[LINE_PATTERNS_MAX / 64];
};

struct line_scratch {
    const struct line_decoders *decoders;
    line_json_fn *json;
    void *json_context; /* of this thread, else those of the decoders */
    struct hs_scratch *hs;
    uint64_t candidates[LINE_PATTERNS_MAX / 64];
    uint64_t found[(LINE_ANCHORS_MAX) / 64]; /* literals of this line */
    struct line_app_cache *apps;
    bool is_plain;                /* every pattern is tried, nothing is looked for before */
    struct line_capture slots[LINE_SLOTS_MAX];
    uint32_t steps;
    char *work;                   /* unescaped, lowered texts of one value */
    size_t n_work;
    /* of the line at hand */
    struct text date, time, zone;
    bool has_stamp;
    int64_t stamp_us;
    unsigned stamp_flags;
    struct line_clock clock;
    struct line_counts counts;
};

#define LINE_WORK_MAX ((size_t)256 << 10)

/* line_spec.c */
struct line_target *line_target_new(struct line_decoders *d, const struct line_decoder *decoder, struct text name_and_type);

/* line_pattern.c */
/*
 * line_pattern_compile - .source into .nodes, .targets and .anchor.
 * Return: 0; 1 with what is wrong in *@ret_why (a message id's text) at byte *@ret_at; -ENOMEM.
 */
int line_pattern_compile(struct line_decoders *d, struct line_pattern *p, const char **ret_why, size_t *ret_at);
/* line_type_named - LINE_N_TYPES when there is none of that name. */
enum line_type line_type_named(struct text name);

/* line_choose.c */
static inline bool line_has_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}
/* line_choose_prepare - what is looked at before the matcher runs; anchors and secondaries are known. Return: 0 or -ENOMEM. */
int line_choose_prepare(struct line_decoders *d, struct line_pattern *p);
/* line_choose - the pattern that fits, its captures in the slots; NULL: none. */
const struct line_pattern *line_choose(struct line_scratch *s, const struct syslog *h);

/* line_match.c */
/* line_match - @t as a whole against @p; the slots are in @s. */
bool line_match(const struct line_pattern *p, struct line_scratch *s, struct text t);
/* line_kv_begins - a key and the sign behind it begin at @p. */
bool line_kv_begins(const struct line_kv_form *f, const char *start, const char *p, const char *end);

/* line_put.c */
void line_put(struct line_scratch *s, struct events *e, const struct line_target *target, struct text value);
const struct line_target *line_key_find(const struct line_keys *k, struct text key);
/* line_put_unknown - a key that no target names, as <prefix>.<key> when the decoder keeps those. */
void line_put_unknown(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text key, struct text value);
/* line_put_url - original, path, query, extension; domain, port, scheme, full when it is absolute. */
void line_put_url(struct line_scratch *s, struct events *e, struct text url);
/* line_unescaped - without the backslashes, in the work space; @value itself when it does not fit or has none. */
struct text line_unescaped(struct line_scratch *s, struct text value, bool is_cef);

/* line_kv.c, line_csv.c, line_cef.c, line_access.c: the rest of a line */
void line_kv(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text rest);
void line_csv(struct line_scratch *s, struct events *e, const struct line_pattern *p, struct text rest);
/* line_records - at most LINE_RECORDS_MAX of them; values of one field become a list. */
#define LINE_RECORDS_MAX 64u
void line_records(struct line_scratch *s, struct events *e, const struct line_pattern *p, struct text rest);
void line_cef(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text rest);
void line_leef(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text rest);
/* line_access_begins - a line of a web server: client, two words, [time], request. */
bool line_access_begins(struct text t);
/* line_put_request - "GET /path HTTP/1.1" without its quotes. */
void line_put_request(struct line_scratch *s, struct events *e, struct text t);
void line_access(struct line_scratch *s, struct events *e, struct text rest);
/* line_w3c_directive - remembers #Fields. Return: whose directive it is, or NULL. */
const struct line_decoder *line_w3c_directive(const struct line_decoders *d, struct line_file *file, struct text line);
/* line_w3c - a row under #Fields of @file->w3c. */
void line_w3c(struct line_scratch *s, struct events *e, const struct line_file *file, struct text line);
