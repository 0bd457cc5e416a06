/* SPDX-License-Identifier: Apache-2.0 */
/* gate/push_own - a push on its way: what push.c (bytes and turns) and push_http.c (headers and answers) share. */
#pragma once

#include "gate/gate_own.h"
#include "watch/intake/log_link.h"

#include <microhttpd.h>

struct push {
    struct listener *listener;
    struct push *next, **from; /* the list */
    struct endpoint pipe_end;
    struct MHD_Connection *connection; /* NULL: done */
    int fd;
    int pipe; /* to the watch; -1: not there (any more) */
    struct log_link_hello hello;
    bool is_push, is_asleep, is_ended, has_reply, is_late;
    int64_t began_us;
    uint64_t n_announced; /* Content-Length; 0: none */
    uint64_t n_body;
    size_t n_counted; /* of the bytes that come next: those that were counted already */
    struct log_push_reply reply;
    /* the answer, once it is known: */
    unsigned status;
    unsigned retry_after_s;
    const char *detail;
};

/* push_check - the request's path, method, token and headers; sets is_push and hello, or status and detail. */
void push_check(struct push *p, const char *url, const char *method);
/* push_status_of_reply - what the watch's answer is in HTTP. */
void push_status_of_reply(struct push *p);
/* push_answer - status, detail and reply as JSON: RFC 9457 where it is no success. */
enum MHD_Result push_answer(struct push *p);
