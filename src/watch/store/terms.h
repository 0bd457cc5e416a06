/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/terms - the word index of a segment of logs: which words stand in which blocks.
 *
 * A word is a run of letters and digits, folded (lower case, no diacritics, đ is d); an IPv4 address is a word beside its
 * four numbers. Of a word longer than TERM_MAX bytes the first TERM_MAX stand in the index and the block is marked
 * (TERM_LONG). Whole values of some fields are terms too, folded, behind TERM_VALUE.
 * The index decides only where to look: who searches checks the text of the blocks it names. What it does not name
 * cannot match: words are cut the same way in the text and in the question.
 *
 *   In   texts, block after block
 *   Out  a section of bytes: sorted terms, front-coded in groups of TERM_GROUP, each with its blocks
 *   Limits  TERMS_MAX terms, TERMS_BYTES_MAX bytes of them: then the builder is full. Up to TERMS_BLOCKS_MAX blocks.
 */
#pragma once

#include "base/buf.h"
#include "base/text.h"
#include "watch/store/sealed.h"

#define TERM_MAX 64u
#define TERM_GROUP 16u
#define TERMS_MAX (1u << 23)
#define TERMS_BYTES_MAX ((size_t)96 << 20)
#define TERMS_BLOCKS_MAX 4096u
#define TERM_VALUE '\1' /* begins a term that is the whole value of a field */
#define TERM_LONG "\2"  /* the term of blocks with a word longer than TERM_MAX */

struct term {
    unsigned n;
    bool is_cut; /* longer than TERM_MAX */
    char p[TERM_MAX];
};

/* term_next - the next word of *@rest, which moves behind it. Return: false at the end. Any bytes are taken. */
bool term_next(struct text *rest, struct term *ret);
/* term_letter - bytes of the character at @p (< @end) if it is part of a word, else 0. */
unsigned term_letter(const char *p, const char *end);
/* term_address - whether *@rest begins with a dotted quad that ends there; its bytes. For who asks as for who indexes. */
unsigned term_address(struct text rest);

/* term_value - the term of a whole value: TERM_VALUE and the folded text, cut to TERM_VALUE_MAX. Return: its bytes. */
#define TERM_VALUE_MAX 252u
unsigned term_value(struct text t, char out[TERM_VALUE_MAX]);

/* --- building --------------------------------------------------------------------------------------------- */

struct terms_builder;
struct terms_builder *terms_builder_new(void);
void terms_builder_free(struct terms_builder *b);
void terms_builder_clear(struct terms_builder *b);
/* terms_builder_is_full - close the segment after this block. */
bool terms_builder_is_full(const struct terms_builder *b);
/* terms_add_text - all words of @t, in block @block; blocks in ascending order. Return: 0 or -ENOMEM. */
int terms_add_text(struct terms_builder *b, struct text t, uint32_t block);
/* terms_add_words - the same, for who knows that @t is UTF-8 or has other bytes looked at elsewhere. */
int terms_add_words(struct terms_builder *b, struct text t, uint32_t block);
/* terms_add_value - @t folded as one term. Return: 0 or -ENOMEM. */
int terms_add_value(struct terms_builder *b, struct text t, uint32_t block);
/* terms_write - the section; offsets of its groups into @heads (u32 each). Return: 0 or -ENOMEM. */
int terms_write(struct terms_builder *b, uint32_t n_blocks, struct buf *heads, struct buf *body);

/* --- reading ------------------------------------------------------------------------------------------------ */

/* two written parts, under checksums of the area they lie in; the bytes may be hostile all the same */
struct terms {
    const struct sealed *area; /* borrowed */
    size_t heads, body;        /* where they lie in it */
    size_t n_groups, body_bytes;
    uint32_t n_blocks;
};

/*
 * terms_find - set the bits of blocks with the word @word (folded), or with any that begins with it if @is_prefix.
 * @bitmap: n_blocks bits, ORed into. Return: 0, or -EBADMSG.
 */
int terms_find(const struct terms *t, struct text word, bool is_prefix, uint64_t *bitmap);
/*
 * terms_scan - the same for all words for which @test says true (words that end in, or contain, something): reads all.
 * Terms of TERM_VALUE and TERM_LONG are left out.
 */
int terms_scan(const struct terms *t, bool (*test)(const void *context, struct text word), const void *context,
               uint64_t *bitmap);
/* terms_each_value - whole-value terms in order, with their blocks; not 0 from @each ends it. For joins with lists. */
int terms_each_value(const struct terms *t, int (*each)(void *context, struct text value, const uint64_t *bitmap),
                     void *context);
/* terms_check - all of it is well-formed and in order. Return: 0 or -EBADMSG; @ret_n: how many terms. */
int terms_check(const struct terms *t, uint64_t *ret_n);
