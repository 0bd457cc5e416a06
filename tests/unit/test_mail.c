/* SPDX-License-Identifier: Apache-2.0 */
/* net/mail: what is composed is RFC 5322 whatever is said in it; what the server answers is the proof. */
#include "net/mail.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define AT INT64_C(1771297200000000) /* 2026-02-17T03:00:00Z, a Tuesday */

static void an_address_is_one_address_and_nothing_else(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"an@example.vn", "a.b+c@x"};
    static const char *const BAD[] = {"", "an", "@x", "an@", "an@x@y", "an@x, b@y", "an@x\r\nBcc: b@y", "<an@x>", "a n@x", "\"a\"@x", "ă@x"};
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
        assert_true(mail_is_address(GOOD[i]));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_false(mail_is_address(BAD[i]));
}

static void a_message_is_composed_as_the_standards_say(void **state)
{
    (void)state;
    size_t n;
    struct mail_message m = {.to = "an@example.vn", .subject = "C\xe1\xba\xa3nh b\xc3\xa1o\r\nBcc: x@y", .text = ".\na=b\nT\xe1\xba\xbft \n", .id = "1-2", .at_us = AT};
    char *p = mail_compose("vg@example.vn", &m, &n);
    assert_non_null(p);
    /* the subject: RFC 2047, base64 of "Cảnh báo  Bcc: x@y": no line end of it reaches the headers */
    assert_string_equal(p, "Date: Tue, 17 Feb 2026 10:00:00 +0700\r\nFrom: <vg@example.vn>\r\nTo: <an@example.vn>\r\n"
                           "Message-ID: <1-2@example.vn>\r\nSubject: =?UTF-8?B?Q+G6o25oIGLDoW8gIEJjYzogeEB5?=\r\n"
                           "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                           "Auto-Submitted: auto-generated\r\n\r\n=2E\r\na=3Db\r\nT=E1=BA=BFt=20\r\n\r\n");
    free(p);
    m.to = "an@x, b@y";
    assert_null(mail_compose("vg@example.vn", &m, &n));
}

static void lines_are_never_too_long(void **state)
{
    (void)state;
    size_t n;
    char text[5000], subject[1500];
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)(i % 7 ? 'a' + i % 26 : '.');
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i + 3 < sizeof(subject); i += 3)
        memcpy(subject + i, "\xe1\xba\xbf", 3);
    subject[sizeof(subject) - 3] = '\0';
    struct mail_message m = {.to = "an@example.vn", .subject = subject, .text = text, .id = "x", .at_us = AT};
    char *p = mail_compose("vg@example.vn", &m, &n);
    assert_non_null(p);
    assert_int_equal(strlen(p), n);
    for (const char *line = p, *end; (end = strstr(line, "\r\n")); line = end + 2) {
        assert_true(end - line <= 78);
        assert_false(line > strstr(p, "\r\n\r\n") && *line == '.');
    }
    free(p);
}

/* serve - one conversation; @verdict: what is said after the message. What came is written to @to. */
static void serve(int listener, const char *verdict, int to)
{
    int c = accept(listener, NULL, NULL);
    FILE *in = fdopen(c, "r+");
    char line[2048];
    bool is_data = false;
    fputs("220 test\r\n", in);
    fflush(in);
    while (fgets(line, sizeof(line), in)) {
        if (is_data) {
            if (!strcmp(line, ".\r\n")) {
                is_data = false;
                fprintf(in, "%s\r\n", verdict);
                fflush(in);
            } else if (write(to, line, strlen(line)) < 0)
                _exit(1);
            continue;
        }
        is_data = !strncmp(line, "DATA", 4);
        fputs(is_data ? "354 go on\r\n" : !strncmp(line, "QUIT", 4) ? "221 bye\r\n" : "250 ok\r\n", in);
        fflush(in);
    }
    _exit(0);
}

static void the_servers_answer_is_the_proof_or_the_reason(void **state)
{
    (void)state;
    static const char *const VERDICTS[] = {"250 2.0.0 Ok: queued as 4F2A", "554 5.7.1 no"};
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n_a = sizeof(a);
        int listener = socket(AF_INET, SOCK_STREAM, 0), said[2];
        assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n_a), 0);
        assert_int_equal(pipe(said), 0);
        pid_t child = fork();
        if (!child)
            serve(listener, VERDICTS[i], said[1]);
        close(said[1]);
        close(listener);
        char url[64], proof[200], got[4096] = "";
        snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", ntohs(a.sin_port));
        struct fault f = {0};
        struct mail_server s = {.url = url, .from = "vg@example.vn", .timeout_us = 10000000};
        struct mail_message m = {.to = "an@example.vn", .subject = "s", .text = "a\n.\nb", .id = "x", .at_us = AT};
        int r = mail_send(&s, &m, proof, sizeof(proof), &f);
        assert_int_equal(r, i ? MAIL_REFUSED : 0);
        assert_non_null(strstr(i ? f.text : proof, VERDICTS[i] + 4));
        size_t n = 0;
        for (ssize_t k; (k = read(said[0], got + n, sizeof(got) - 1 - n)) > 0;)
            n += (size_t)k;
        got[n] = '\0';
        assert_non_null(strstr(got, "Subject: s\r\n"));
        assert_non_null(strstr(got, "\r\n\r\na\r\n=2E\r\nb\r\n"));
        close(said[0]);
        waitpid(child, NULL, 0);
    }
}

static void a_server_that_is_not_there_is_a_reason(void **state)
{
    (void)state;
    char proof[200];
    struct fault f = {0};
    struct mail_server s = {.url = "smtp://127.0.0.1:1", .from = "vg@example.vn", .timeout_us = 2000000};
    struct mail_message m = {.to = "an@example.vn", .subject = "s", .text = "t", .id = "x", .at_us = AT};
    assert_int_equal(mail_send(&s, &m, proof, sizeof(proof), &f), MAIL_REFUSED);
    assert_true(strlen(f.text) > 10);
    s.url = "file:///etc/passwd";
    assert_int_equal(mail_send(&s, &m, proof, sizeof(proof), &f), MAIL_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_one_address_and_nothing_else), cmocka_unit_test(a_message_is_composed_as_the_standards_say),
        cmocka_unit_test(lines_are_never_too_long), cmocka_unit_test(the_servers_answer_is_the_proof_or_the_reason),
        cmocka_unit_test(a_server_that_is_not_there_is_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
