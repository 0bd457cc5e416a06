/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/duty/duty - the rules of waking a person: the ladder, when its next step is due, what an answer means, the words of a message.
 *
 * A *wake* is one alert of the highest class that nobody has acknowledged. Its steps are taken one after the other: each asks who stands in
 * a place of the roster now, sends him one message by one channel, and waits. An acknowledgement (in the console, or by an
 * answer with the wake's code) ends it.
 * Pure but for duty_policy_read. The clock is whoever calls.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define DUTY_STEPS_MAX 32u
#define DUTY_CODE_MAX 8u       /* with the zero: six digits */
#define DUTY_SMS_MAX 161u      /* with the zero: one message of GSM 03.38, no letter beyond it */

enum duty_place { DUTY_SHIFT, DUTY_SHIFT_DEPUTY, DUTY_TECHNICAL, DUTY_TECHNICAL_DEPUTY, DUTY_LEADER, DUTY_LEADER_DEPUTY, DUTY_N_PLACES };
enum duty_channel { DUTY_SMS, DUTY_MAIL, DUTY_N_CHANNELS };
extern const char *const duty_place_names[];   /* by enum, ended by NULL */
extern const char *const duty_channel_names[];

struct duty_step {
    enum duty_place to;
    enum duty_channel by;
    int64_t wait_us;           /* after the last message that went out; of the first: after the wake began */
};

struct duty_policy {
    bool wakes[6];             /* by alert severity, 1..5 */
    int64_t after_us;
    struct duty_step ladder[DUTY_STEPS_MAX];
    unsigned n_steps;
};
/* duty_policy_read - @path NULL: content/duty.yaml. Return: 0; 1 (refused: file, line and why in @f); -errno. */
int duty_policy_read(const char *path, struct duty_policy *ret, struct fault *f);

/* duty_phone - +84..., 0..., with blanks, dots or dashes, as +84 and digits; "" if it is no phone number. Return: @out. */
const char *duty_phone(struct text t, char out[24]);
/*
 * duty_sms - one message: severity, what, where, code; no diacritics, at most 160 characters, cut in the title. Return: @out.
 */
const char *duty_sms(const char *severity, const char *title, const char *entity, const char *unit, const char *code,
                     char out[DUTY_SMS_MAX]);
/* duty_code_in - whether @code stands as a word of its own in an answer, however it is written around. */
bool duty_code_in(struct text answer, const char *code);
