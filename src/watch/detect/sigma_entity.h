/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sigma_entity - whom an event is about, for the columns of a finding.
 *
 * host: winlog.computer_name, host.name, host.hostname, observer.name, observer.hostname, agent.name: the first that is there.
 * user: user.name, else the account of Windows events (User, TargetUserName, SubjectUserName), else source.user.name,
 * user.id, related.user; "-" is nobody.
 */
#pragma once

#include "format/event.h"

struct sigma_entities {
    uint16_t hosts[8], users[10];
};
/* sigma_entities_init - numbers of the names; those that are not there yet are added. */
void sigma_entities_init(struct sigma_entities *n, struct event_names *names);
/* Empty when there is none; @out as of event_value_text. */
struct text sigma_entity_host(const struct sigma_entities *n, const struct events *e, uint32_t row, char out[EVENT_VALUE_TEXT_MAX]);
struct text sigma_entity_user(const struct sigma_entities *n, const struct events *e, uint32_t row, char out[EVENT_VALUE_TEXT_MAX]);
