/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/duty/duty_wake - waking in the state: which wakes run, which step is due, who was sent what, who answered.
 *
 * A step is taken in three moments, each a transaction: the message is written down as `sending` and the wake moved past the step; it
 * is sent; what became of it is written down. Whoever finds a message `sending` at a start cannot know whether it went out: it is
 * marked `unknown`, never sent again, and the next step follows. So a person is never woken twice by one step, and a crash
 * costs no time.
 * A wait counts from the moment the step before was really sent: a node that was down does not fire its whole ladder when it comes back.
 * Limits: DUTY_WAKES_MAX wakes are begun a pass, of the oldest alerts first; the rest wait for the next pass and are counted.
 */
#pragma once

#include "desk/duty/duty.h"
#include "state/db.h"

#define DUTY_WAKES_MAX 20u
#define DUTY_TEXT_MAX 4096u

enum duty_wake_state { DUTY_RUNNING, DUTY_ACKNOWLEDGED, DUTY_EXHAUSTED, DUTY_ENDED };
enum duty_message_state { DUTY_SENDING, DUTY_SENT, DUTY_FAILED, DUTY_EMPTY, DUTY_REPEATED, DUTY_UNKNOWN };
extern const char *const duty_wake_state_names[];
extern const char *const duty_message_state_names[];
extern const struct db_migrations duty_migrations;

struct duty_message {
    int64_t id, wake, alert, person;
    enum duty_channel channel;
    int64_t at_us;
    char uuid[40];              /* of the message: names its file, its Message-ID */
    char address[256];          /* +84..., or a mail address */
    char subject[512];
    char text[DUTY_TEXT_MAX];
};

struct duty_sender {
    void *context;
    /* Return: 0 with a proof (the server's answer, the file's name), or -errno with the reason in @proof. */
    int (*send)(void *context, const struct duty_message *m, char *proof, size_t n_proof);
};

/*
 * duty_pass - everything that is due at @now_us. @ret_next_us: when the next step is due; INT64_MAX: none is.
 * @is_first: the first pass since the start: what was being sent then is unknown. Return: 0 or -errno.
 */
int duty_pass(struct db_pool *pool, const struct duty_policy *policy, const struct duty_sender *sender, const char *url, bool is_first,
              int64_t now_us, int64_t *ret_next_us, struct fault *f);

/*
 * duty_answer - an answer came: acknowledges where it holds the code of a running wake and comes from an address that was asked for it.
 * Kept either way. Return: 0 with the alert in @ret_alert (0: it acknowledges nothing), or -errno.
 */
int duty_answer(struct db_pool *pool, enum duty_channel channel, struct text address, struct text text, int64_t now_us, int64_t *ret_alert,
                struct fault *f);

/* who stands in @place at @at_us; 0: nobody. Of several the shift that began last. */
int64_t duty_person_at(struct db *db, enum duty_place place, int64_t at_us);
