/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/mail - one message to one person over SMTP, through libcurl: no knowledge of what it says.
 *
 * In:     a server of the operator's, an envelope, subject and text (UTF-8; sent as quoted-printable with encoded words).
 * Out:    the server's last answer, as proof; or why it was not taken.
 * Limits: time; text MAIL_TEXT_MAX; addresses without blanks, line ends or angle brackets; TLS where asked for is demanded, with the
 *         server's name and certificate verified. Secrets stand in no message.
 */
#pragma once

#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

#define MAIL_TEXT_MAX ((size_t)1 << 20)
#define MAIL_REFUSED 1

struct mail_server {
    const char *url;      /* smtp://host:25, smtp://host:587 (STARTTLS with is_tls), smtps://host:465 */
    const char *user, *password; /* NULL: none */
    const char *ca_file;  /* NULL: those of the system */
    const char *from;     /* envelope and header */
    int is_tls;           /* STARTTLS is demanded */
    int64_t timeout_us;
};

struct mail_message {
    const char *to, *subject, *text;
    const char *id;       /* without angle brackets and host: a UUID; twice the same id is the same message */
    const char *in_reply_to; /* NULL: none */
    int64_t at_us;
};

/* mail_is_address - one @, no blanks, control characters, commas, semicolons or brackets, at most 254 bytes. */
int mail_is_address(const char *p);
/* mail_compose - headers and body as RFC 5322 with CRLF; for tests and for files. Return: heap, or NULL: no memory or a bad address. */
char *mail_compose(const char *from, const struct mail_message *m, size_t *ret_n);
/* mail_send - @proof: the server's answer. Return: 0, MAIL_REFUSED with the reason in @f, -EINVAL, -ENOMEM. */
int mail_send(const struct mail_server *s, const struct mail_message *m, char *proof, size_t n_proof, struct fault *f);
