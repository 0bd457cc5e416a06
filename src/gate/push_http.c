/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a push says in its headers and how it is answered. POST /api/v1/logs is ours; /_bulk is as much of Elasticsearch's as
 * Filebeat and Winlogbeat need to send.
 */
#include "gate/push_own.h"

#include "base/buf.h"
#include "gate/elastic.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_MAX = 1 << 20 };

static const char *header(const struct push *p, const char *name)
{
    return MHD_lookup_connection_value(p->connection, MHD_HEADER_KIND, name);
}

static void refuse(struct push *p, unsigned status, const char *detail)
{
    p->status = status;
    p->detail = detail;
}

/* --- headers ----------------------------------------------------------------------------------------------------- */

/* check_certificate - shown, trusted and among the peers. The library asks for one but takes connections without. */
static bool check_certificate(struct push *p)
{
    struct listener *l = p->listener;
    unsigned status = 0;
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(p->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t s = i ? i->tls_session : NULL;
    if (!s || gnutls_certificate_verify_peers2(s, &status) || status) {
        COUNT(l, certificates_refused);
        gate_peer_note(l->board->refused, s, &p->hello.ip, GATE_UNTRUSTED);
        refuse(p, 403, "a client certificate of the configured authority is needed");
        return false;
    }
    if (!l->o.n_peers || gate_peer_may_pass(s, l->o.peers, l->o.n_peers))
        return true;
    COUNT(l, peers_refused);
    gate_peer_note(l->board->refused, s, &p->hello.ip, GATE_NOT_AMONG_PEERS);
    refuse(p, 403, "this client certificate is not among those that may send here");
    return false;
}

static bool check_sender(struct push *p)
{
    struct listener *l = p->listener;
    const char *given = header(p, "Authorization");
    if (l->is_mutual && !check_certificate(p))
        return false;
    char room[ELASTIC_TOKEN_BYTES];
    const char *name = gate_tokens_name(&l->o.tokens, elastic_token(given ? given : "", room));
    explicit_bzero(room, sizeof(room));
    if (!name) {
        COUNT(l, pushes_unauthorized);
        refuse(p, 401, "Authorization: Bearer (or Basic, ApiKey) with a token of this node is needed");
        return false;
    }
    memcpy(p->hello.name, name, strnlen(name, sizeof(p->hello.name) - 1));
    return true;
}

static void check_form(struct push *p, const char *url)
{
    const char *type = header(p, "Content-Type"), *encoding = header(p, "Content-Encoding"), *length = header(p, "Content-Length");
    bool is_text = type && !strncasecmp(type, "text/", 5) && strncasecmp(type, "text/json", 9) != 0;
    bool is_other = is_text || (type && (!strncasecmp(type, "application/xml", 15) || !strncasecmp(type, "application/octet-stream", 24)));
    uint64_t n = 0;
    p->hello.form = elastic_is_bulk(url) ? LOG_PUSH_ELASTIC : is_other ? LOG_PUSH_ANY : LOG_PUSH_JSON;
    if (p->hello.form == LOG_PUSH_ANY && !p->listener->o.may_be_text)
        refuse(p, 415, "this listener takes JSON: application/x-ndjson or application/json");
    if (encoding && strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "identity") != 0)
        refuse(p, 415, "Content-Encoding may be gzip or nothing");
    if (length && !text_u64((struct text){length, strlen(length)}, UINT64_MAX, &n))
        p->n_announced = n;
    if (n > p->listener->o.body_max_bytes)
        refuse(p, 413, "the body is larger than this listener takes");
}

/* check_key - Idempotency-Key: what the watch remembers is a hash of the sender's name and the key. */
static void check_key(struct push *p)
{
    const char *key = header(p, "Idempotency-Key");
    size_t n = key ? strlen(key) : 0;
    if (!key)
        return;
    if (!n || n > 255) {
        refuse(p, 400, "Idempotency-Key has 1 to 255 characters");
        return;
    }
    struct sha256_state s;
    sha256_init(&s);
    sha256_add(&s, p->hello.name, strlen(p->hello.name) + 1);
    sha256_add(&s, key, n);
    struct sha256 h = sha256_end(&s);
    memcpy(p->hello.key, h.b, sizeof(p->hello.key));
    p->hello.has_key = 1;
}

void push_check(struct push *p, const char *url, const char *method)
{
    struct listener *l = p->listener;
    bool is_ours = !strcmp(url, "/api/v1/logs"), is_bulk = elastic_is_bulk(url);
    const char *known = is_bulk ? NULL : elastic_answer(method, url);
    if (!check_sender(p))
        return;
    if (known) { /* what the Beats look at before they send */
        refuse(p, 200, known);
        return;
    }
    if (!is_ours && !is_bulk) {
        COUNT(l, requests_refused);
        refuse(p, 404, "logs are pushed with POST to /api/v1/logs or /_bulk");
        return;
    }
    if (strcmp(method, "POST") != 0 && !(is_bulk && !strcmp(method, "PUT"))) {
        COUNT(l, requests_refused);
        refuse(p, 405, "logs are pushed with POST");
        return;
    }
    COUNT(l, pushes);
    check_form(p, url);
    if (!p->status)
        check_key(p);
    p->is_push = !p->status;
    if (p->status == 413)
        COUNT(l, pushes_too_large);
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

void push_status_of_reply(struct push *p)
{
    struct listener *l = p->listener;
    switch ((enum log_push_result)p->reply.result) {
    case LOG_PUSH_KEPT:
        COUNT(l, pushes_kept);
        p->status = 200;
        return;
    case LOG_PUSH_REFUSED:
        COUNT(l, pushes_malformed);
        refuse(p, 400, "nothing in the body could be read");
        return;
    case LOG_PUSH_TOO_LARGE:
        COUNT(l, pushes_too_large);
        refuse(p, 413, "the body is larger than this listener takes, unpacked");
        return;
    case LOG_PUSH_OTHER_BODY:
        COUNT(l, pushes_malformed);
        refuse(p, 422, "this Idempotency-Key was used for another body");
        return;
    case LOG_PUSH_OVER_QUOTA:
        COUNT(l, pushes_put_off);
        refuse(p, 429, "over the quota of this sender");
        p->retry_after_s = p->reply.retry_after_s;
        return;
    case LOG_PUSH_BUSY: break;
    }
    COUNT(l, pushes_put_off);
    refuse(p, 503, "the store takes nothing at the moment");
    p->retry_after_s = p->reply.retry_after_s ? p->reply.retry_after_s : 5;
}

static const char *title_of(unsigned status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    default: return "Service Unavailable";
    }
}

/* put_id - reasons are stable ids; whatever else came would end the text here. */
static void put_id(struct buf *b, const char *id, size_t n_max)
{
    for (size_t i = 0; i < n_max && ((id[i] >= 'a' && id[i] <= 'z') || id[i] == '_' || (id[i] >= '0' && id[i] <= '9')); i++)
        buf_add_byte(b, (uint8_t)id[i]);
}

static void put_account(const struct push *p, struct buf *b)
{
    const struct log_push_reply *r = &p->reply;
    buf_printf(b, "\"received\":%u,\"kept\":%u,\"repeated\":%s,\"refused\":{", r->received, r->kept, r->is_repeated ? "true" : "false");
    for (uint32_t i = 0; i < r->n_reasons; i++) {
        buf_add_text(b, i ? ",\"" : "\"");
        put_id(b, r->reasons[i].reason, sizeof(r->reasons[i].reason));
        buf_printf(b, "\":%u", r->reasons[i].n);
    }
    buf_add_text(b, "},\"faults\":[");
    for (uint32_t i = 0; i < r->n_faults; i++) {
        buf_printf(b, "%s{\"record\":%u,", i ? "," : "", r->faults[i].record);
        if (r->faults[i].line)
            buf_printf(b, "\"line\":%u,", r->faults[i].line);
        buf_add_text(b, "\"reason\":\"");
        put_id(b, r->faults[i].reason, sizeof(r->faults[i].reason));
        buf_add_text(b, "\"}");
    }
    buf_add_text(b, "]");
}

static void put_problem(const struct push *p, struct buf *b)
{
    buf_printf(b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s", title_of(p->status), p->status,
               p->detail ? p->detail : "");
    if (p->has_reply && p->reply.n_faults) {
        if (p->reply.faults[0].line)
            buf_printf(b, ": line %u: ", p->reply.faults[0].line);
        else
            buf_printf(b, ": record %u: ", p->reply.faults[0].record);
        put_id(b, p->reply.faults[0].reason, sizeof(p->reply.faults[0].reason));
    }
    buf_add_text(b, "\"");
    if (p->has_reply) {
        buf_add_text(b, ",");
        put_account(p, b);
    }
    buf_add_text(b, "}\n");
}

/* put_bulk - as Elasticsearch answers: an item a record, in order. Only the first refused ones are known by number. */
static void put_bulk(const struct push *p, struct buf *b)
{
    const struct log_push_reply *r = &p->reply;
    uint32_t next = 0;
    buf_printf(b, "{\"took\":0,\"errors\":%s,\"items\":[", r->refused ? "true" : "false");
    for (uint32_t i = 1; i <= r->received && !b->is_bad; i++) {
        bool is_refused = next < r->n_faults && r->faults[next].record == i;
        next += is_refused;
        buf_printf(b, "%s{\"create\":{\"status\":%d", i > 1 ? "," : "", is_refused ? 400 : 201);
        if (is_refused)
            buf_add_text(b, ",\"error\":{\"type\":\"document_parsing_exception\",\"reason\":\"malformed JSON\"}");
        buf_add_text(b, "}}");
    }
    buf_add_text(b, "]}\n");
}

enum MHD_Result push_answer(struct push *p)
{
    struct buf b = {.max = ANSWER_MAX + (size_t)p->reply.received * 128};
    char number[16];
    bool is_problem = p->status != 200;
    if (is_problem)
        put_problem(p, &b);
    else if (!p->has_reply)
        buf_add_text(&b, p->detail ? p->detail : "");
    else if (p->hello.form == LOG_PUSH_ELASTIC)
        put_bulk(p, &b);
    else {
        buf_add_text(&b, "{");
        put_account(p, &b);
        buf_add_text(&b, "}\n");
    }
    struct MHD_Response *r = b.is_bad ? NULL : MHD_create_response_from_buffer(b.n, b.p, MHD_RESPMEM_MUST_COPY);
    buf_fini(&b);
    if (!r)
        return MHD_NO;
    (void)MHD_add_response_header(r, "Content-Type", is_problem ? "application/problem+json" : "application/json");
    (void)MHD_add_response_header(r, "X-Elastic-Product", "Elasticsearch"); /* the Beats refuse to send to anything else */
    if (p->status == 401)
        (void)MHD_add_response_header(r, "WWW-Authenticate", "Bearer, Basic realm=\"vonggac\"");
    if (p->status == 405)
        (void)MHD_add_response_header(r, "Allow", "POST");
    if (p->retry_after_s) {
        snprintf(number, sizeof(number), "%u", p->retry_after_s);
        (void)MHD_add_response_header(r, "Retry-After", number);
    }
    enum MHD_Result queued = MHD_queue_response(p->connection, p->status, r);
    MHD_destroy_response(r);
    return queued;
}
