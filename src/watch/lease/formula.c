/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/formula.h"

#include "base/clock.h"
#include "base/file.h"
#include "format/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum column { F_GATEWAY, F_REALM, F_INSIDE, F_OUTSIDE, F_PORT_FIRST, F_PORT_LAST, F_PORTS, F_METHOD, F_FROM, F_TO, N_COLUMNS };
static const char *const columns[N_COLUMNS] = {"gateway", "realm", "inside", "outside", "port_first", "port_last", "ports_per_user",
                                               "method", "from", "to"};
static const char *const methods[] = {[FORMULA_SEQUENTIAL] = "sequential", [FORMULA_INTERLEAVED] = "interleaved",
                                      [FORMULA_ROUND_ROBIN] = "round_robin"};
#define HEADER "gateway,realm,inside,outside,port_first,port_last,ports_per_user,method,from,to\n"

/* --- pools -------------------------------------------------------------------------------------------------- */

static unsigned __int128 value_of(const struct ip *a)
{
    unsigned __int128 v = 0;
    for (size_t i = 0; i < sizeof(a->b); i++)
        v = v << 8 | a->b[i];
    return v;
}

static struct ip ip_of(unsigned __int128 v)
{
    struct ip a;
    for (size_t i = sizeof(a.b); i--; v >>= 8)
        a.b[i] = (uint8_t)v;
    return a;
}

static int index_of(const struct formula_pool *p, const struct ip *a, uint64_t *ret)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (ip_range_has(&p->ranges[i], a)) {
            *ret = p->before[i] + (uint64_t)(value_of(a) - value_of(&p->ranges[i].first));
            return 0;
        }
    return 1;
}

static int address_at(const struct formula_pool *p, uint64_t index, struct ip *ret)
{
    for (uint32_t i = 0; i < p->n; i++) {
        uint64_t end = i + 1 < p->n ? p->before[i + 1] : p->n_addresses;
        if (index >= end)
            continue;
        *ret = ip_of(value_of(&p->ranges[i].first) + (index - p->before[i]));
        return 0;
    }
    return 1;
}

static int parse_pool(struct text t, struct arena *a, struct formula_pool *p)
{
    struct ip_range ranges[FORMULA_RANGES_MAX];
    uint64_t before[FORMULA_RANGES_MAX];
    for (size_t at = 0, end; at < t.n; at = end) {
        for (; at < t.n && t.p[at] == ' '; at++)
            ;
        for (end = at; end < t.n && t.p[end] != ' '; end++)
            ;
        if (end == at)
            break;
        if (p->n == FORMULA_RANGES_MAX || ip_range_parse(t.p + at, end - at, &ranges[p->n], NULL))
            return 1;
        unsigned __int128 n = value_of(&ranges[p->n].last) - value_of(&ranges[p->n].first) + 1;
        if (n > UINT32_MAX || p->n_addresses + (uint64_t)n > UINT32_MAX)
            return 1; /* more users than any gateway has */
        before[p->n++] = p->n_addresses;
        p->n_addresses += (uint64_t)n;
    }
    if (!p->n)
        return 1;
    p->ranges = arena_alloc(a, p->n * sizeof(*p->ranges));
    p->before = arena_alloc(a, p->n * sizeof(*p->before));
    if (!p->ranges || !p->before)
        return -ENOMEM;
    memcpy(p->ranges, ranges, p->n * sizeof(*ranges));
    memcpy(p->before, before, p->n * sizeof(*before));
    return 0;
}

/* --- reading -------------------------------------------------------------------------------------------------- */

struct parsing {
    struct formulas *out;
    uint16_t at[N_COLUMNS]; /* index + 1 */
    int zone_s;
};

static struct text field(const struct parsing *x, const struct csv_record *r, enum column c)
{
    return x->at[c] && x->at[c] <= r->n ? text_trim(r->fields[x->at[c] - 1]) : (struct text){"", 0};
}

static int keep_text(struct parsing *x, struct text t, struct text *ret)
{
    const char *p = arena_text(&x->out->arena, t.p, t.n);
    *ret = (struct text){p, t.n};
    return p ? 0 : -ENOMEM;
}

static int number(struct text t, uint64_t least, uint64_t most, uint64_t *ret)
{
    return text_u64(t, most, ret) || *ret < least;
}

/* parse_row - Return: N_COLUMNS, the column that is wrong, or -ENOMEM. */
static int parse_row(struct parsing *x, const struct csv_record *r, struct formula *y)
{
    uint64_t first, last, ports;
    struct text method = field(x, r, F_METHOD), from = field(x, r, F_FROM), to = field(x, r, F_TO);
    *y = (struct formula){.from_us = INT64_MIN, .to_us = INT64_MAX, .method = FORMULA_ROUND_ROBIN + 1};
    if (keep_text(x, field(x, r, F_GATEWAY), &y->gateway) || keep_text(x, field(x, r, F_REALM), &y->realm))
        return -ENOMEM;
    int rc = parse_pool(field(x, r, F_INSIDE), &x->out->arena, &y->inside);
    if (rc)
        return rc < 0 ? rc : F_INSIDE;
    rc = parse_pool(field(x, r, F_OUTSIDE), &x->out->arena, &y->outside);
    if (rc)
        return rc < 0 ? rc : F_OUTSIDE;
    if (number(field(x, r, F_PORT_FIRST), 0, UINT16_MAX, &first))
        return F_PORT_FIRST;
    if (number(field(x, r, F_PORT_LAST), first, UINT16_MAX, &last))
        return F_PORT_LAST;
    if (number(field(x, r, F_PORTS), 1, last - first + 1, &ports))
        return F_PORTS;
    for (unsigned i = 0; i < 3; i++)
        if (text_is_nocase(method, methods[i]))
            y->method = (enum formula_method)i;
    if ((unsigned)y->method > FORMULA_ROUND_ROBIN)
        return F_METHOD;
    if (from.n && clock_parse(from.p, from.n, x->zone_s, &y->from_us))
        return F_FROM;
    if (to.n && (clock_parse(to.p, to.n, x->zone_s, &y->to_us) || y->to_us < y->from_us))
        return F_TO;
    y->port_first = (uint16_t)first;
    y->port_last = (uint16_t)last;
    y->ports_per_user = (uint32_t)ports;
    y->users_per_address = (uint32_t)((last - first + 1) / ports);
    return N_COLUMNS;
}

static int take_header(struct parsing *x, const struct csv_record *r, struct fault *f)
{
    for (uint32_t i = 0; i < r->n; i++)
        for (unsigned c = 0; c < N_COLUMNS; c++)
            if (text_is_nocase(text_trim(r->fields[i]), columns[c]))
                x->at[c] = (uint16_t)(i + 1);
    for (unsigned c = F_INSIDE; c <= F_METHOD; c++)
        if (!x->at[c])
            return FAULT(f, 1, formula_no_column, columns[c]);
    return 0;
}

static int take_row(struct parsing *x, const struct csv_record *r, struct fault *f)
{
    struct formulas *out = x->out;
    char shown[160];
    if (out->n == FORMULAS_MAX)
        return FAULT(f, 1, formula_too_many, FORMULAS_MAX);
    int wrong = parse_row(x, r, &out->all[out->n]);
    if (wrong < 0)
        return FAULT(f, wrong, store_no_memory, "FORMULAS");
    if (wrong == N_COLUMNS) {
        out->n++;
        return 0;
    }
    struct text value = field(x, r, (enum column)wrong);
    return FAULT(f, 1, formula_wrong, (unsigned long long)r->line, columns[wrong], text_escape(value.p, value.n, shown, sizeof(shown)));
}

int formulas_parse(struct text text, int zone_s, struct formulas *ret, struct fault *f)
{
    struct parsing x = {.out = ret, .zone_s = zone_s};
    struct csv_reader *csv = malloc(sizeof(*csv));
    struct csv_record r;
    bool has_header = false;
    *ret = (struct formulas){.arena.max_bytes = (size_t)256 << 20};
    ret->all = calloc(FORMULAS_MAX, sizeof(*ret->all));
    if (!csv || !ret->all) {
        free(csv);
        formulas_fini(ret);
        return FAULT(f, -ENOMEM, store_no_memory, "FORMULAS");
    }
    csv_init(csv, &(struct csv_options){.comment = '#'});
    int rc = csv_feed(csv, text.p, text.n) || csv_end(csv) ? FAULT(f, -ENOMEM, store_no_memory, "FORMULAS") : 0;
    for (int got; !rc && (got = csv_next(csv, &r)) != CSV_END;) {
        if (got)
            rc = FAULT(f, 1, formula_wrong, (unsigned long long)r.line, columns[0], "?");
        else
            rc = has_header ? take_row(&x, &r, f) : take_header(&x, &r, f);
        has_header = true;
    }
    csv_fini(csv);
    free(csv);
    if (rc)
        formulas_fini(ret);
    return rc;
}

void formulas_fini(struct formulas *x)
{
    free(x->all);
    arena_fini(&x->arena);
    *x = (struct formulas){0};
}

/* --- kept ------------------------------------------------------------------------------------------------------ */

static int kept_text(const char *data_dir, uint8_t **ret, size_t *ret_n, struct fault *f)
{
    char path[4096];
    *ret = NULL;
    *ret_n = 0;
    if (snprintf(path, sizeof(path), "%s/leases/FORMULAS", data_dir) >= (int)sizeof(path))
        return FAULT(f, -ENAMETOOLONG, store_read_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    int rc = file_read_path(path, FORMULAS_FILE_MAX, ret, ret_n);
    return rc && rc != -ENOENT ? FAULT(f, rc, store_read_failed, path, strerrordesc_np(-rc)) : 0;
}

int formulas_load(const char *data_dir, struct formulas *ret, struct fault *f)
{
    uint8_t *p;
    size_t n;
    *ret = (struct formulas){0};
    int rc = kept_text(data_dir, &p, &n, f);
    if (!rc && n)
        rc = formulas_parse((struct text){(const char *)p, n}, 0, ret, f);
    free(p);
    return rc > 0 ? -EBADMSG : rc;
}

static void put_pool(struct buf *b, const struct formula_pool *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        char text[2 * IP_TEXT_MAX];
        size_t n = ip_range_format(&p->ranges[i], text);
        if (i)
            buf_add_byte(b, ' ');
        buf_add(b, text, n);
    }
    buf_add_byte(b, ',');
}

static void put_time(struct buf *b, int64_t us, int64_t none, char end)
{
    char text[TIME_TEXT_MAX];
    if (us != none)
        buf_add(b, text, clock_format_utc(us, text));
    buf_add_byte(b, (uint8_t)end);
}

static void put_row(struct buf *b, const struct formula *y)
{
    csv_put(b, y->gateway);
    buf_add_byte(b, ',');
    csv_put(b, y->realm);
    buf_add_byte(b, ',');
    put_pool(b, &y->inside);
    put_pool(b, &y->outside);
    buf_printf(b, "%u,%u,%u,%s,", y->port_first, y->port_last, y->ports_per_user, methods[y->method]);
    put_time(b, y->from_us, INT64_MIN, ',');
    put_time(b, y->to_us, INT64_MAX, '\n');
}

static int replace(const char *data_dir, const struct buf *b, struct fault *f)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/leases", data_dir) >= (int)sizeof(path))
        return FAULT(f, -ENAMETOOLONG, store_write_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    int rc = file_make_dirs(path, 0750);
    _cleanup_close_ int fd = rc ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!rc)
        rc = fd < 0 ? -errno : file_replace(fd, "FORMULAS", b->p, b->n);
    return rc ? FAULT(f, rc, store_write_failed, path, strerrordesc_np(-rc)) : 0;
}

int formulas_add(const char *data_dir, struct text text, int zone_s, uint32_t *ret_n, struct fault *f)
{
    struct formulas kept, more;
    struct buf b = {.max = FORMULAS_FILE_MAX};
    int rc = formulas_load(data_dir, &kept, f);
    if (rc)
        return rc;
    rc = formulas_parse(text, zone_s, &more, f);
    if (!rc) {
        buf_add_text(&b, HEADER);
        for (uint32_t i = 0; i < kept.n; i++)
            put_row(&b, &kept.all[i]);
        for (uint32_t i = 0; i < more.n; i++)
            put_row(&b, &more.all[i]);
        *ret_n = more.n;
        rc = b.is_bad || kept.n + more.n > FORMULAS_MAX ? FAULT(f, 1, formula_too_many, FORMULAS_MAX) : replace(data_dir, &b, f);
        formulas_fini(&more);
    }
    formulas_fini(&kept);
    buf_fini(&b);
    return rc;
}

/* --- the arithmetic ------------------------------------------------------------------------------------------------ */

int formula_inside(const struct formula *x, const struct ip *outside, uint16_t port, struct ip *ret, uint16_t *ret_first,
                   uint16_t *ret_last)
{
    uint64_t address, user;
    uint32_t offset = (uint32_t)port - x->port_first, block;
    if (port < x->port_first || port > x->port_last || index_of(&x->outside, outside, &address))
        return 1;
    if (x->method == FORMULA_INTERLEAVED) {
        if (offset >= x->users_per_address * x->ports_per_user)
            return 1; /* left over: nobody's */
        block = offset % x->users_per_address;
        *ret_first = (uint16_t)(x->port_first + block);
        *ret_last = (uint16_t)(*ret_first + (x->ports_per_user - 1) * x->users_per_address);
    } else {
        block = offset / x->ports_per_user;
        if (block >= x->users_per_address)
            return 1;
        *ret_first = (uint16_t)(x->port_first + block * x->ports_per_user);
        *ret_last = (uint16_t)(*ret_first + x->ports_per_user - 1);
    }
    user = x->method == FORMULA_ROUND_ROBIN ? block * x->outside.n_addresses + address : address * x->users_per_address + block;
    return address_at(&x->inside, user, ret);
}

int formula_outside(const struct formula *x, const struct ip *inside, struct ip *ret, uint16_t *ret_first, uint16_t *ret_last)
{
    uint64_t user, address, block;
    if (index_of(&x->inside, inside, &user))
        return 1;
    if (x->method == FORMULA_ROUND_ROBIN) {
        block = user / x->outside.n_addresses;
        address = user % x->outside.n_addresses;
    } else {
        block = user % x->users_per_address;
        address = user / x->users_per_address;
    }
    if (block >= x->users_per_address || address_at(&x->outside, address, ret))
        return 1;
    bool is_interleaved = x->method == FORMULA_INTERLEAVED;
    *ret_first = (uint16_t)(x->port_first + block * (is_interleaved ? 1 : x->ports_per_user));
    *ret_last = (uint16_t)(*ret_first + (x->ports_per_user - 1) * (is_interleaved ? x->users_per_address : 1));
    return 0;
}
