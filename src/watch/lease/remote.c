/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/remote.h"

#include "base/clock.h"
#include "format/csv.h"
#include "watch/lease/read.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- asking --------------------------------------------------------------------------------------------------------- */

static const char *const place_names[] = {"address", "port", "from", "to", "from_s", "to_s", "from_ms", "to_ms"};
enum place { P_ADDRESS, P_PORT, P_FROM, P_TO, P_FROM_S, P_TO_S, P_FROM_MS, P_TO_MS, P_N };

/* place_at - the place that @p, a brace, opens. Return: P_N: none. */
static enum place place_at(const char *p, size_t *ret_n)
{
    for (int i = 0; i < P_N; i++) {
        size_t n = strlen(place_names[i]);
        if (strncmp(p + 1, place_names[i], n) != 0 || p[1 + n] != '}')
            continue;
        *ret_n = n + 2;
        return (enum place)i;
    }
    return P_N;
}

struct text remote_host(const char *url)
{
    const char *from = strstr(url, "://");
    from = from ? from + 3 : url;
    return (struct text){from, strcspn(from, "/?#")};
}

const char *remote_check_url(const char *url)
{
    bool has_address = false;
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        return "https://... or http://...";
    struct text host = remote_host(url);
    if (!host.n || memchr(host.p, '@', host.n) || memchr(host.p, '{', host.n))
        return "a host behind ://, without a name of a user and without a place in braces";
    if (strlen(url) >= REMOTE_URL_MAX / 2)
        return "a shorter URL";
    for (const char *p = url; *p; p++) {
        size_t n;
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\' || *p == '}')
            return "a URL without blanks; other letters as %xx";
        if (*p != '{')
            continue;
        enum place place = place_at(p, &n);
        if (place == P_N)
            return "only {address} {port} {from} {to} {from_s} {to_s} {from_ms} {to_ms} in braces";
        has_address |= place == P_ADDRESS;
        p += n - 1;
    }
    return has_address ? NULL : "{address} somewhere in it";
}

bool remote_check_column(const char *ours)
{
    return lease_csv_meaning((struct text){ours, strlen(ours)}) != LEASE_CSV_UNKNOWN;
}

static void window_of(const struct lease_question *q, int64_t *ret_from_us, int64_t *ret_to_us)
{
    if (__builtin_sub_overflow(q->at_us, q->skew_us, ret_from_us) || *ret_from_us < 0)
        *ret_from_us = 0;
    if (__builtin_add_overflow(q->at_us, q->skew_us, ret_to_us) || *ret_to_us < 0)
        *ret_to_us = q->at_us < 0 ? 0 : q->at_us;
}

/* place_text - what stands in a place; colons of times and addresses as a query may have them (RFC 3986, 3.4). */
static int place_text(enum place place, const struct lease_question *q, char out[80])
{
    int64_t from_us, to_us;
    char time[TIME_TEXT_MAX];
    window_of(q, &from_us, &to_us);
    int64_t us = place == P_FROM || place == P_FROM_S || place == P_FROM_MS ? from_us : to_us;
    switch (place) {
    case P_ADDRESS:
        return (int)ip_format(&q->address, out);
    case P_PORT:
        return q->port < 0 ? 0 : snprintf(out, 80, "%d", q->port);
    case P_FROM:
    case P_TO:
        clock_format_utc(us, time);
        return snprintf(out, 80, "%.19sZ", time);
    case P_FROM_S:
    case P_TO_S:
        return snprintf(out, 80, "%" PRId64, us / US_PER_SECOND);
    case P_FROM_MS:
    case P_TO_MS:
        return snprintf(out, 80, "%" PRId64, us / 1000);
    case P_N:
        break;
    }
    return 0;
}

int remote_url(const struct remote_system *s, const struct lease_question *q, char out[REMOTE_URL_MAX])
{
    size_t n = 0;
    for (const char *p = s->url; *p; p++) {
        char text[80] = {*p};
        size_t n_place = 0;
        enum place place = *p == '{' ? place_at(p, &n_place) : P_N;
        size_t length = place == P_N ? 1 : (size_t)place_text(place, q, text);
        if (place != P_N)
            p += n_place - 1;
        if (n + length >= REMOTE_URL_MAX)
            return 1;
        memcpy(out + n, text, length);
        n += length;
    }
    out[n] = '\0';
    return 0;
}

/* --- writing the rows ------------------------------------------------------------------------------------------------- */

/* what of the question every row gets, for the columns do not say it */
struct missing {
    bool address, port, times;
};

static struct missing what_is_missing(const struct remote_system *s, const struct lease_question *q)
{
    struct missing m = {.address = true, .port = q->port >= 0, .times = true};
    for (unsigned i = 0; i < s->n_columns; i++) {
        enum lease_csv_meaning meaning = lease_csv_meaning((struct text){s->columns[i].ours, strlen(s->columns[i].ours)});
        m.address &= meaning != LEASE_CSV_ADDRESS;
        m.port &= meaning != LEASE_CSV_PORT;
        m.times &= meaning != LEASE_CSV_TIME;
    }
    return m;
}

static void put_field(struct buf *out, struct text value, bool is_first)
{
    buf_add(out, ",", !is_first);
    buf_add(out, "\"", 1);
    for (size_t i = 0; i < value.n && i < REMOTE_VALUE_MAX; i++) {
        char c = value.p[i];
        bool is_plain = (unsigned char)c >= ' ' && c != 0x7f;
        buf_add(out, is_plain ? &c : " ", 1);
        buf_add(out, "\"", c == '"');
    }
    buf_add(out, "\"", 1);
}

static void put_header(struct buf *out, const struct remote_system *s, const struct missing *m)
{
    for (unsigned i = 0; i < s->n_columns; i++)
        put_field(out, (struct text){s->columns[i].ours, strlen(s->columns[i].ours)}, i == 0);
    if (m->address)
        buf_add_text(out, ",outside_ip");
    if (m->port)
        buf_add_text(out, ",port");
    if (m->times)
        buf_add_text(out, ",from,to");
    buf_add_text(out, "\n");
}

static void put_missing(struct buf *out, const struct lease_question *q, const struct missing *m)
{
    char text[80];
    if (m->address)
        put_field(out, (struct text){text, (size_t)place_text(P_ADDRESS, q, text)}, false);
    if (m->port)
        put_field(out, (struct text){text, (size_t)place_text(P_PORT, q, text)}, false);
    for (enum place p = P_FROM; m->times && p <= P_TO; p++) {
        int64_t from_us, to_us;
        char time[TIME_TEXT_MAX];
        window_of(q, &from_us, &to_us);
        clock_format_utc(p == P_FROM ? from_us : to_us + 1, time); /* the end lies outside a lease */
        put_field(out, (struct text){time, strlen(time)}, false);
    }
    buf_add_text(out, "\n");
}

/* --- JSON ------------------------------------------------------------------------------------------------------------- */

/* json_at - by a path with dots; NULL: there is none. */
static const json_t *json_at(const json_t *o, const char *path)
{
    while (o && *path) {
        size_t n = strcspn(path, ".");
        char key[128];
        if (n >= sizeof(key))
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        o = json_object_get(o, key);
        path += n + (path[n] == '.');
    }
    return o;
}

static struct text json_text(const json_t *v, char room[32])
{
    int n = 0;
    if (json_is_string(v))
        return (struct text){json_string_value(v), json_string_length(v)};
    if (json_is_integer(v))
        n = snprintf(room, 32, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v) && isfinite(json_real_value(v)) && fabs(json_real_value(v)) < 1e15)
        n = snprintf(room, 32, "%.3f", json_real_value(v));
    return (struct text){room, (size_t)n};
}

static int rows_of_json(const struct remote_system *s, const struct lease_question *q, const json_t *rows, const struct missing *m,
                        struct buf *out, struct fault *f)
{
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
        if (!json_is_object(row))
            return FAULT(f, 1, remote_bad_answer, "a row that is no object");
        for (unsigned c = 0; c < s->n_columns; c++) {
            char room[32];
            put_field(out, json_text(json_at(row, s->columns[c].theirs), room), c == 0);
        }
        put_missing(out, q, m);
    }
    return 0;
}

static int answer_json(const struct remote_system *s, const struct lease_question *q, struct text body, const struct missing *m,
                       struct buf *out, uint64_t *ret_n, struct fault *f)
{
    json_error_t error;
    json_t *whole = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &error);
    if (!whole)
        return FAULT(f, 1, remote_bad_answer, error.text);
    const json_t *rows = s->rows ? json_at(whole, s->rows) : whole;
    int r = 0;
    if (!json_is_array(rows))
        r = FAULT(f, 1, remote_bad_answer, s->rows ? s->rows : "no array");
    else if (json_array_size(rows) > REMOTE_ROWS)
        r = FAULT(f, 1, remote_bad_answer, "more than 10000 rows");
    else
        r = rows_of_json(s, q, rows, m, out, f);
    *ret_n = r ? 0 : json_array_size(rows);
    json_decref(whole);
    return r;
}

/* --- CSV ---------------------------------------------------------------------------------------------------------------- */

/* places_in - where the columns stand in the header: index + 1, 0: nowhere. Return: whether any does. */
static bool places_in(const struct remote_system *s, const struct csv_record *header, uint32_t at[REMOTE_COLUMNS])
{
    bool has_any = false;
    for (unsigned c = 0; c < s->n_columns; c++) {
        at[c] = 0;
        for (uint32_t i = 0; i < header->n && !at[c]; i++)
            if (text_is_nocase(text_trim(header->fields[i]), s->columns[c].theirs))
                at[c] = i + 1;
        has_any |= at[c] != 0;
    }
    return has_any;
}

static int rows_of_csv(const struct remote_system *s, const struct lease_question *q, struct csv_reader *reader, const struct missing *m,
                       struct buf *out, uint64_t *ret_n, struct fault *f)
{
    uint32_t at[REMOTE_COLUMNS];
    struct csv_record r;
    bool has_header = false;
    for (int rc; (rc = csv_next(reader, &r)) != CSV_END && rc != CSV_MORE;) {
        if (rc < 0)
            return rc;
        if (rc == CSV_REFUSED)
            return FAULT(f, 1, remote_bad_answer, "a row that is no CSV");
        if (!has_header) {
            has_header = places_in(s, &r, at);
            if (!has_header)
                return FAULT(f, 1, remote_bad_answer, "none of the columns in the header");
            continue;
        }
        if (++*ret_n > REMOTE_ROWS)
            return FAULT(f, 1, remote_bad_answer, "more than 10000 rows");
        for (unsigned c = 0; c < s->n_columns; c++)
            put_field(out, at[c] && at[c] <= r.n ? text_trim(r.fields[at[c] - 1]) : (struct text){"", 0}, c == 0);
        put_missing(out, q, m);
    }
    return 0;
}

static int answer_csv(const struct remote_system *s, const struct lease_question *q, struct text body, const struct missing *m,
                      struct buf *out, uint64_t *ret_n, struct fault *f)
{
    struct csv_reader reader;
    csv_init(&reader, &(struct csv_options){.comment = '#'});
    int r = csv_feed(&reader, (const uint8_t *)body.p, body.n);
    if (!r)
        r = csv_end(&reader);
    if (!r)
        r = rows_of_csv(s, q, &reader, m, out, ret_n, f);
    csv_fini(&reader);
    return r;
}

int remote_answer(const struct remote_system *s, const struct lease_question *q, struct text body, struct buf *out, uint64_t *ret_n_rows,
                  struct fault *f)
{
    const struct missing m = what_is_missing(s, q);
    *ret_n_rows = 0;
    buf_clear(out);
    put_header(out, s, &m);
    int r = s->format == REMOTE_JSON ? answer_json(s, q, body, &m, out, ret_n_rows, f) : answer_csv(s, q, body, &m, out, ret_n_rows, f);
    if (!r && out->is_bad)
        r = FAULT(f, 1, remote_bad_answer, "more than there is room for");
    return r;
}
