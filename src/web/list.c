/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists go on where the last row stood, not at a count of rows: what is added or taken away meanwhile moves nothing. The cursor is
 * 2 keys of 8 bytes and their BLAKE2b under the office's key, over who asks, what and with which filter.
 */
#include "web/web_own.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { MAC_BYTES = 16, CURSOR_BYTES = 16 + MAC_BYTES, CURSOR_TEXT = 48 };

static void mac_of(const struct web_request *q, const struct web_list *l, const uint8_t keys[16], uint8_t ret[MAC_BYTES])
{
    crypto_generichash_state s;
    const struct web_call *c = call_of(q);
    crypto_generichash_init(&s, q->web->key, WEB_KEY_BYTES, MAC_BYTES);
    crypto_generichash_update(&s, (const uint8_t *)c->entry.route->operation, strlen(c->entry.route->operation) + 1);
    crypto_generichash_update(&s, (const uint8_t *)q->who_name, strlen(q->who_name) + 1);
    crypto_generichash_update(&s, l->filter, sizeof(l->filter));
    crypto_generichash_update(&s, keys, 16);
    crypto_generichash_final(&s, ret, MAC_BYTES);
}

static bool read_cursor(const struct web_request *q, struct web_list *l, const char *text)
{
    uint8_t bytes[CURSOR_BYTES], mac[MAC_BYTES];
    size_t n;
    if (sodium_base642bin(bytes, sizeof(bytes), text, strlen(text), NULL, &n, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) ||
        n != sizeof(bytes))
        return false;
    mac_of(q, l, bytes, mac);
    if (sodium_memcmp(mac, bytes + 16, MAC_BYTES))
        return false;
    memcpy(l->after, bytes, 16);
    l->has_after = true;
    return true;
}

static void write_cursor(const struct web_request *q, const struct web_list *l, char out[CURSOR_TEXT])
{
    uint8_t bytes[CURSOR_BYTES];
    memcpy(bytes, l->last, 16);
    mac_of(q, l, bytes, bytes + 16);
    sodium_bin2base64(out, CURSOR_TEXT, bytes, sizeof(bytes), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool web_list_begin(const struct web_request *q, struct web_reply *r, const struct text filter, struct web_list *l)
{
    struct web_call *c = call_of(q);
    const char *limit = web_query(q, "limit"), *cursor = web_query(q, "cursor");
    uint64_t n = c->form == WEB_JSON ? WEB_PAGE_DEFAULT : WEB_EXPORT_DEFAULT, most = c->form == WEB_JSON ? WEB_PAGE_MAX : WEB_EXPORT_MAX;
    *l = (struct web_list){0};
    crypto_generichash(l->filter, sizeof(l->filter), (const uint8_t *)filter.p, filter.n, NULL, 0);
    if (limit && (text_u64((struct text){limit, strlen(limit)}, most, &n) || !n)) {
        web_problem(q, r, 400, "bad_limit");
        return false;
    }
    if (cursor && !read_cursor(q, l, cursor)) {
        web_problem(q, r, 400, "bad_cursor");
        return false;
    }
    l->limit = (int64_t)n;
    json_decref(c->rows);
    l->rows = c->rows = json_array();
    return true;
}

bool web_list_add(struct web_list *l, json_t *row, int64_t key_a, int64_t key_b)
{
    if (l->n == l->limit || !row) {
        l->has_more = row != NULL;
        json_decref(row);
        return false;
    }
    json_array_append_new(l->rows, row);
    l->last[0] = key_a;
    l->last[1] = key_b;
    l->n++;
    return true;
}

/* note_next - of an export: the next part stands in a header. */
static void note_next(const struct web_request *q, const struct web_list *l)
{
    struct web_call *c = call_of(q);
    char cursor[CURSOR_TEXT], *link = arena_alloc(q->arena, 512);
    write_cursor(q, l, cursor);
    if (link && snprintf(link, 512, "<%s?cursor=%s>; rel=\"next\"", q->path, cursor) < 512)
        c->link = link;
}

int web_list_end(const struct web_request *q, struct web_reply *r, struct web_list *l)
{
    struct web_call *c = call_of(q);
    char cursor[CURSOR_TEXT];
    json_t *rows = c->rows;
    if (!rows)
        return -ENOMEM;
    if (c->form != WEB_JSON) {
        if (l->has_more)
            note_next(q, l);
        return web_table(q, r, rows, c->form);
    }
    c->rows = NULL;
    if (l->has_more)
        write_cursor(q, l, cursor);
    return web_json(r, 200, json_pack("{s:o, s:o}", "items", rows, "next", l->has_more ? json_string(cursor) : json_null()));
}
