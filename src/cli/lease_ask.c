/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lease_ask.h"

#include "base/clock.h"
#include "base/file.h"
#include "cli/owner.h"
#include "state/audit.h"
#include "watch/lease/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_MAX = 4096, OTHERS = 007, CA_MAX = 4 << 20 };

/* read_token - one line of printable letters, in a file that not everybody may read. Return: NULL after saying why. */
static char *read_token(const struct remote_system *s)
{
    static const char usual[] = "Authorization: Bearer";
    struct stat st;
    uint8_t *p = NULL;
    size_t n = 0, length = 0;
    cli_as_invoker();
    _cleanup_close_ int fd = open(s->token_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r = fd < 0 ? -errno : fstat(fd, &st) ? -errno : st.st_mode & OTHERS ? -EPERM : file_read_all(fd, TOKEN_MAX, &p, &n);
    cli_as_owner();
    while (!r && length < n && p[length] > ' ' && p[length] < 0x7f)
        length++;
    if (!r && (!length || (length < n && p[length] != '\n')))
        r = -EINVAL;
    char *header = NULL;
    if (!r && asprintf(&header, "%s %.*s", s->token_name ? s->token_name : usual, (int)length, (const char *)p) < 0)
        r = -ENOMEM;
    if (p)
        explicit_bzero(p, n);
    free(p);
    if (r == -EPERM)
        SAY(stderr, lease_ask_open_token, s->token_file);
    else if (r)
        SAY(stderr, store_read_failed, s->token_file, strerrordesc_np(-r));
    return r ? NULL : header;
}

/* read_ca - Return: 0 or 1 after saying why. */
static int read_ca(const char *path, uint8_t **ret, size_t *ret_n)
{
    cli_as_invoker();
    int r = file_read_path(path, CA_MAX, ret, ret_n);
    cli_as_owner();
    if (r)
        SAY(stderr, store_read_failed, path, strerrordesc_np(-r));
    return r ? 1 : 0;
}

static int open_client(struct lease_ask *x)
{
    _cleanup_free_ uint8_t *ca = NULL;
    size_t n_ca = 0;
    if (x->system->ca_file && read_ca(x->system->ca_file, &ca, &n_ca))
        return 1;
    char *header = x->system->token_file ? read_token(x->system) : NULL;
    if (x->system->token_file && !header)
        return 1;
    const struct http_client_options o = {.header = header, .ca = (const char *)ca, .n_ca = n_ca, .timeout_us = x->system->timeout_us,
                                          .max_bytes = x->system->max_bytes};
    int r = http_client_new(&o, &x->client);
    if (header)
        explicit_bzero(header, strlen(header));
    free(header);
    if (r)
        SAY(stderr, no_memory, "http");
    return r ? 1 : 0;
}

int lease_ask_begin(struct lease_ask *x, const struct cli_args *a)
{
    struct fault f = {0};
    *x = (struct lease_ask){.args = a, .csv.max = (size_t)64 << 20};
    if (!a->value[CLI_ASK])
        return 0;
    if (!a->value[CLI_CONFIG] || !a->value[CLI_PURPOSE]) {
        SAY(stderr, lease_ask_needs);
        return 1;
    }
    if (config_read(a->value[CLI_CONFIG], &x->config, &f)) {
        (void)cli_fail(&f);
        return 1;
    }
    x->system = &x->config->lease_remote;
    if (!x->system->url) {
        SAY(stderr, lease_ask_nobody, a->value[CLI_CONFIG]);
        return 1;
    }
    return open_client(x);
}

void lease_ask_end(struct lease_ask *x)
{
    http_client_free(x->client);
    config_free(x->config);
    buf_fini(&x->body);
    buf_fini(&x->csv);
    x->client = NULL;
    x->config = NULL;
}

bool lease_ask_wants(const struct lease_ask *x, const struct lease_answer *answer)
{
    return x->client && (answer->verdict != LEASE_ONE || answer->candidates[0].confidence == LEASE_POSSIBLE);
}

static int write_audit(const struct lease_ask *x, const struct lease_question *q, struct fault *f)
{
    struct text host = remote_host(x->system->url);
    char object[512], address[IP_TEXT_MAX], at[TIME_TEXT_MAX], port[16] = "";
    ip_format(&q->address, address);
    clock_format_utc(q->at_us, at);
    if (q->port >= 0)
        snprintf(port, sizeof(port), " %d", q->port);
    snprintf(object, sizeof(object), "%s%s at %s, of %.*s", address, port, at, (int)(host.n < 255 ? host.n : 255), host.p);
    const struct audit_entry entry = {.action = "lease.ask", .object = object, .why = x->args->value[CLI_PURPOSE]};
    return audit_add(cli_become_owner(x->args->data_dir), &entry, f);
}

struct rows {
    struct lease_ask *ask;
    struct lease_overlay *to;
};

static int take_row(void *context, const struct lease_row *r)
{
    struct rows *x = context;
    int rc = lease_overlay_row(x->to, r);
    x->ask->n_rows += !rc;
    x->ask->n_refused_rows += rc == -EINVAL;
    return rc == -EINVAL ? 0 : rc;
}

static void take_refused(void *context, uint64_t line, enum lease_refusal why, struct text value)
{
    struct rows *x = context;
    (void)line, (void)why, (void)value;
    x->ask->n_refused_rows++;
}

/* read_rows - the CSV made of an answer, as `lease import` reads one. */
static int read_rows(struct lease_ask *x, struct lease_overlay *to, struct fault *f)
{
    struct rows rows = {x, to};
    struct lease_account account;
    struct text host = remote_host(x->system->url);
    char name[256];
    snprintf(name, sizeof(name), "%.*s", (int)(host.n < 255 ? host.n : 255), host.p);
    _cleanup_close_ int fd = memfd_create("answer", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : file_write_full(fd, x->csv.p, x->csv.n);
    if (r || lseek(fd, 0, SEEK_SET) < 0)
        return FAULT(f, r ? r : -EIO, store_write_failed, name, strerrordesc_np(r ? -r : EIO));
    const struct lease_read_options o = {.format = LEASE_FORMAT_CSV, .zone_s = x->system->zone_s, .at_us = LEASE_UNKNOWN,
                                         .name = x->system->name ? x->system->name : name, .kind = LEASE_N_KINDS, .row = take_row,
                                         .refused = take_refused, .context = &rows};
    r = lease_read(fd, &o, &account, f);
    return r == LEASE_READ_REFUSED ? 1 : r;
}

int lease_ask_one(struct lease_ask *x, const struct lease_question *q, struct lease_overlay *to, struct fault *f)
{
    char url[REMOTE_URL_MAX];
    uint64_t n_rows = 0;
    struct fault why = {0};
    if (x->n_asked >= x->system->asks_at_most || x->n_failures >= ASK_FAILURES || remote_url(x->system, q, url)) {
        x->n_left++;
        return 0;
    }
    int r = write_audit(x, q, f);
    if (r)
        return r;
    x->n_asked++;
    r = http_client_get(x->client, url, &x->body, &why);
    if (!r)
        r = remote_answer(x->system, q, (struct text){(const char *)x->body.p, x->body.n}, &x->csv, &n_rows, &why);
    if (!r && n_rows)
        r = read_rows(x, to, &why);
    x->n_failures = r > 0 ? x->n_failures + 1 : 0;
    x->n_failed += r > 0;
    if (r > 0)
        SAY(stderr, cli_fault, why.text);
    if (r < 0)
        *f = why;
    return r < 0 ? r : 0;
}

void lease_ask_say(const struct lease_ask *x)
{
    if (x->client)
        SAY(stderr, lease_ask_account, message_count(x->n_asked), message_count(x->n_rows), message_count(x->n_refused_rows),
            message_count(x->n_failed), message_count(x->n_left));
}
