/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/duty/duty_send - the ways out to a person: SMS through a spool folder (smstools 3, gammu-smsd) or an HTTP gateway, mail
 * over SMTP; and the way back: answers in an inbox folder.
 *
 * Spool: a file DIR/vonggac-UUID, "To: 84912345678", an empty line, the text: the form of smstools 3; complete when it has its name.
 * Gateway: GET of a URL with {to}, {text} and {id} in it, percent-encoded; 200 is taken as sent, the answer's beginning is the proof.
 * Inbox: a file per message, header lines ("From: ..."), an empty line, the text; at most 16 KiB; taken once, then removed.
 * A channel that is not configured fails at once with that reason: the ladder goes on.
 */
#pragma once

#include "desk/duty/duty_wake.h"
#include "net/http_client.h"
#include "net/mail.h"

struct duty_channels {
    const char *sms_spool, *sms_inbox;          /* directories; NULL: none */
    const char *sms_url;                        /* NULL: none; before the spool */
    struct http_client_options sms_http;
    struct mail_server mail;                    /* .url NULL: none */
};

/* duty_send - for struct duty_sender; @context is a struct duty_channels. */
int duty_send(void *context, const struct duty_message *m, char *proof, size_t n_proof);
/*
 * duty_inbox - every file of the inbox to duty_answer. @ret_n: files taken. A file that cannot be understood is renamed to NAME.refused.
 * Return: 0 or -errno.
 */
int duty_inbox(const struct duty_channels *c, struct db_pool *pool, int64_t now_us, unsigned *ret_n, struct fault *f);
/* duty_read_sms - one such file: who, and what. Return: false: it is none. Spans borrowed from @p. */
bool duty_read_sms(const char *p, size_t n, struct text *ret_from, struct text *ret_text);
