/* SPDX-License-Identifier: Apache-2.0 */
/* One YAML file: what is right is read, what is wrong is named with its line. */
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "help_dir.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/config.h"

#include <errno.h>

static struct help_dir dir;
static char path[4200];

static int setup(void **state)
{
    (void)state;
    dir = help_dir_new();
    snprintf(path, sizeof(path), "%s/vonggac.yaml", dir.path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    help_dir_free(&dir);
    return 0;
}

static int read_text(const char *text, struct config **c, struct fault *f)
{
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    fputs(text, to);
    fclose(to);
    *f = (struct fault){0};
    return config_read(path, c, f);
}

static void a_whole_file_is_read(void **state)
{
    struct config *c;
    struct fault f;
    (void)state;
    assert_int_equal(read_text("data: /srv/vonggac\nuser: watch\nlog_level: debug\nzone: '+07:00'\n"
                               "intake:\n  netflow:\n    - listen: 0.0.0.0:2055\n      receivers: 4\n"
                               "      receive_buffer: 128M\n      allow: [192.0.2.1, 198.51.100.0/24, '2001:db8::/32']\n"
                               "      by_port: [192.0.2.1]\n    - listen: '[::]:9995'\n  sflow:\n    - listen: 127.0.0.1:6343\n"
                               "  capture:\n    - interface: eth1\n      ring: 256M\n      idle: 15s\n"
                               "store:\n  budget: 2T\n  keep_at_least: 90d\n  seal_after: 30m\n"
                               "findings:\n  window: 1d\n  max_pending: 5000\n",
                               &c, &f),
                     0);
    assert_string_equal(c->data_dir, "/srv/vonggac");
    assert_string_equal(c->user, "watch");
    assert_int_equal(c->log_level, LOG_DEBUG);
    assert_int_equal(c->zone_s, 25200);
    assert_int_equal(c->n_listeners, 3);
    assert_int_equal(c->listeners[0].port, 2055);
    assert_int_equal(c->listeners[0].n_receivers, 4);
    assert_int_equal(c->listeners[0].receive_buffer_bytes, 128 << 20);
    assert_int_equal(c->listeners[0].n_allow, 3);
    struct ip a;
    assert_int_equal(ip_parse("198.51.100.77", 13, &a), 0);
    assert_true(ip_range_has(&c->listeners[0].allow[1], &a));
    assert_int_equal(c->listeners[0].n_by_port, 1);
    assert_int_equal(c->listeners[1].port, 9995);
    assert_false(ip_is_v4(&c->listeners[1].ip));
    assert_int_equal(c->listeners[2].protocol, CONFIG_SFLOW);
    assert_int_equal(c->n_captures, 1);
    assert_string_equal(c->captures[0].interface, "eth1");
    assert_int_equal(c->captures[0].idle_us, 15 * US_PER_SECOND);
    assert_int_equal(c->store_budget_bytes, UINT64_C(2) << 40);
    assert_int_equal(c->store_keep_at_least_us, 90 * US_PER_DAY);
    assert_int_equal(c->store_seal_after_us, 1800 * US_PER_SECOND);
    assert_int_equal(c->finding_max_pending, 5000);
    config_free(c);
}

static void rules_files_and_exceptions_are_read(void **state)
{
    struct config *c;
    struct fault f;
    struct ip a;
    (void)state;
    assert_int_equal(read_text("intake:\n  logs:\n    - listen: 0.0.0.0:514\n      transport: tcp\n      silent_after: 15m\n"
                               "  files:\n    - path: /var/log/auth.log\n    - path: /srv/logs/*.log\n"
                               "rules: [/etc/vonggac/sigma, /srv/rules]\n"
                               "exceptions:\n  - rule: '*'\n    host: scan*\n    user: an\n    addresses: [192.0.2.0/24]\n"
                               "    reason: ours\n    author: nguyen.a\n    until: 2026-12-31T00:00:00Z\n",
                               &c, &f),
                     0);
    assert_int_equal(c->n_logs, 1);
    assert_true(c->logs[0].has_tcp && !c->logs[0].has_udp);
    assert_int_equal(c->logs[0].silent_after_us, 900 * US_PER_SECOND);
    assert_int_equal(c->n_files, 2);
    assert_string_equal(c->files[1], "/srv/logs/*.log");
    assert_int_equal(c->n_rules, 2);
    assert_string_equal(c->rules[0], "/etc/vonggac/sigma");
    assert_int_equal(c->n_exceptions, 1);
    assert_string_equal(c->exceptions[0].host, "scan*");
    assert_int_equal(c->exceptions[0].n_addresses, 1);
    assert_int_equal(ip_parse("192.0.2.200", 11, &a), 0);
    assert_true(ip_range_has(&c->exceptions[0].addresses[0], &a));
    assert_int_equal(c->exceptions[0].until_us, INT64_C(1798675200000000)); /* date -d 2026-12-31Z +%s */
    config_free(c);
}

static void the_office_is_there_when_its_key_is(void **state)
{
    struct config *c;
    struct fault f;
    (void)state;
    assert_int_equal(read_text("office:\n", &c, &f), 0);
    assert_true(c->office.is_wanted);
    assert_int_equal(c->office.port, 8443);
    assert_int_equal(c->office.session_idle_us, 1800 * US_PER_SECOND);
    config_free(c);
    assert_int_equal(read_text("office:\n  listen: '[::]:443'\n  certificate: /c.pem\n  key: /k.pem\n  client_ca: /ca.pem\n"
                               "  console: /usr/share/vonggac/console\n  name: Sở\n  public_url: https://x.vn/\n  workers: 2\n"
                               "  connections: 100\n  streams: 10\n  requests_per_second: 50\n  sessions: {idle: 10m, absolute: 8h}\n",
                               &c, &f),
                     0);
    assert_int_equal(c->office.port, 443);
    assert_string_equal(c->office.client_ca, "/ca.pem");
    assert_string_equal(c->office.node_name, "Sở");
    assert_int_equal(c->office.workers, 2);
    assert_int_equal(c->office.session_absolute_us, 8 * 3600 * US_PER_SECOND);
    config_free(c);
    assert_int_equal(read_text("data: /x\n", &c, &f), 0);
    assert_false(c->office.is_wanted);
    config_free(c);
}

static void nothing_means_the_defaults(void **state)
{
    struct config *c;
    struct fault f;
    (void)state;
    assert_int_equal(config_read(NULL, &c, &f), 0);
    assert_int_equal(c->n_listeners, 1);
    assert_int_equal(c->listeners[0].port, 2055);
    assert_string_equal(c->user, "vonggac");
    config_free(c);
    assert_int_equal(read_text("# only a comment\n", &c, &f), 0);
    assert_int_equal(c->n_listeners, 0);
    config_free(c);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text, *line, *has;
    } cases[] = {
        {"user: a\nusr: b\n", ":2:", "usr"},
        {"user: a\nuser: b\n", ":2:", "user"},
        {"log_level: loud\n", ":1:", "loud"},
        {"intake:\n  netflow:\n    - listen: 0.0.0.0\n", ":3:", "0.0.0.0"},
        {"intake:\n  netflow:\n    - listen: 0.0.0.0:0\n", ":3:", "0.0.0.0:0"},
        {"intake:\n  netflow:\n    - listen: 0.0.0.0:70000\n", ":3:", "70000"},
        {"intake:\n  netflow:\n    - receivers: 2\n", ":3:", "listen"},
        {"intake:\n  netflow:\n    - listen: 0.0.0.0:1\n      receivers: 17\n", ":4:", "17"},
        {"intake:\n  netflow:\n    - listen: 0.0.0.0:1\n      allow: [10.0.0.0/33]\n", ":4:", "10.0.0.0/33"},
        {"intake:\n  netflow:\n    listen: 0.0.0.0:1\n", ":3:", "list"},
        {"store:\n  budget: 10X\n", ":2:", "10X"},
        {"store:\n  keep_at_least: 3 months\n", ":2:", "3 months"},
        {"store: [1]\n", ":1:", "keys"},
        {"user: *anchor\n", ":1:", ""},
        {"user: &a x\ngroup: *a\n", ":2:", "alias"},
        {"user: [unclosed\n", ":", "YAML"},
        {"user: a\n---\nuser: b\n", ":3:", "document"},
        {"intake:\n  capture:\n    - interface: a-name-too-long-for-linux\n", ":3:", "a-name-too-long"},
        {"zone: mars\n", ":1:", "mars"},
        {"findings:\n  max_pending: 0\n", ":2:", "0"},
        {"rules: [sigma]\n", ":1:", "absolute"},
        {"rules: /etc/sigma\n", ":1:", "list"},
        {"intake:\n  files:\n    - path: auth.log\n", ":3:", "absolute"},
        {"intake:\n  files: [/var/log/auth.log]\n", ":2:", "keys"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:514\n      transport: quic\n", ":4:", "quic"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:6514\n      transport: tls\n", ":3:", "certificate and key"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:6514\n      tls: {certificate: /c, key: /k}\n", ":3:", "transport: tls or https"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:6514\n      transport: tls\n      tls:\n        certificate: c.pem\n", ":6:", "absolute"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:443\n      transport: https\n      tls: {certificate: /c, key: /k}\n", ":3:", "tokens"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:514\n      tokens: /t\n", ":3:", "transport: https"},
        {"office:\n  listen: 8443\n", ":2:", "address:port"},
        {"office:\n  certificate: /c\n", ":2:", "both or neither"},
        {"office:\n  console: web\n", ":2:", "absolute path"},
        {"office:\n  workers: 99\n", ":2:", "1..12"},
        {"office:\n  sessions: {idle: 1s}\n", ":2:", "60s or more"},
        {"office:\n  sessions_: {idle: 1h}\n", ":2:", "sessions_"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:514\n      format: csv\n", ":4:", "auto, syslog, json or xml"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:514\n      quota: {messages_per_second: 0}\n", ":4:", "above 0"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:514\n      connections: 5000\n", ":3:", "1..1024"},
        {"intake:\n  logs:\n    - listen: 0.0.0.0:443\n      transport: https\n      tokens: /t\n      tls: {certificate: /c, key: /k}\n      body_max: 9G\n", ":3:", "1K..1G"},
        {"exceptions:\n  - rule: x\n    author: a\n    until: 2026-12-31\n", ":2:", "reason"},
        {"exceptions:\n  - rule: x\n    reason: r\n    until: 2026-12-31\n", ":2:", "author"},
        {"exceptions:\n  - rule: x\n    reason: r\n    author: a\n", ":2:", "until"},
        {"exceptions:\n  - reason: r\n    author: a\n    until: 2026-12-31\n", ":2:", "rule"},
        {"exceptions:\n  - rule: x\n    until: some day\n", ":3:", "some day"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config *c;
        struct fault f;
        if (read_text(cases[i].text, &c, &f) != 1)
            fail_msg("case %zu was taken: %s", i, cases[i].text);
        if (!strstr(f.text, cases[i].line) || !strstr(f.text, cases[i].has))
            fail_msg("case %zu: '%s' lacks '%s' or '%s'", i, f.text, cases[i].line, cases[i].has);
    }
}

static void a_missing_file_says_so(void **state)
{
    struct config *c;
    struct fault f;
    (void)state;
    assert_int_equal(config_read("/nonexistent/vonggac.yaml", &c, &f), -ENOENT);
    assert_non_null(strstr(f.text, "/nonexistent/vonggac.yaml"));
}

static void depth_and_size_are_bounded(void **state)
{
    struct config *c;
    struct fault f;
    char deep[4096] = "user: ";
    (void)state;
    for (int i = 0; i < 1000; i++)
        strcat(deep, "[");
    assert_int_equal(read_text(deep, &c, &f), 1);
    FILE *to = fopen(path, "w");
    for (int i = 0; i < 70000; i++)
        fputs("# a line of comment\n", to);
    fclose(to);
    assert_int_equal(config_read(path, &c, &f), -EFBIG);
}

static int read_once(void *context)
{
    struct config *c;
    struct fault f;
    (void)context;
    int r = read_text("intake:\n  netflow:\n    - listen: 0.0.0.0:2055\n      allow: [192.0.2.1]\n", &c, &f);
    if (!r)
        config_free(c);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    failing_alloc_each("reading a configuration", read_once, NULL, false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_file_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_files_and_exceptions_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_office_is_there_when_its_key_is, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_means_the_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(depth_and_size_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
