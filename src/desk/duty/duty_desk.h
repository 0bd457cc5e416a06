/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/duty/duty_desk - this desk's door for the node: the roster, waking people, who answered.
 *
 * A thread of its own sends: a modem or a mail server that does not answer keeps nobody else from working. It makes a pass when
 * something is due, and looks for new alerts and answers every second.
 */
#pragma once

#include "desk/duty/duty_send.h"
#include "web/web.h"

struct duty_options {
    const char *policy_path;      /* NULL: content/duty.yaml */
    struct duty_channels channels; /* texts borrowed while the desk lives */
    const char *public_url;       /* of the console, for messages; NULL: "" */
};

struct duty_desk;
/* duty_desk_new - Return: 0, 1 (the policy was refused), or -errno. */
int duty_desk_new(const struct duty_options *o, struct duty_desk **ret, struct fault *f);
void duty_desk_free(struct duty_desk *d);
struct web_desk duty_desk_entry(struct duty_desk *d);
