/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/log_scan - log events that hold a listed address, domain, URL or hash, as records of a hunt.
 *
 * An event counts once. Its ends: source.ip (else client.ip), destination.ip (else server.ip, else the host's own address,
 * else the address it was sent from); a listed address that stands in another field (related, resolved, translated) takes
 * the place of an end that is missing, or else of the destination. First and last seen are its time.
 */
#pragma once

#include "watch/hunt/hunt.h"
#include "watch/store/store.h"

/*
 * hunt_log_scan - newest segment first; adds to the coverage. @each: 0 to go on, anything else ends the scan.
 * Return: 0, what @each returned, or -errno with the fault.
 */
int hunt_log_scan(struct store_view *v, const struct address_set *set, const struct names *names, const struct hunt_options *o,
                  int (*each)(void *context, const struct hunt_row *r), void *context, struct hunt_coverage *coverage,
                  struct fault *f);
/* hunt_log_each_event - all events of the blocks in which an address or name of the lists stands, inside the window. */
int hunt_log_each_event(struct store_view *v, const struct address_set *set, const struct names *names, const struct hunt_options *o,
                        hunt_log_each each, void *context, struct hunt_coverage *coverage, struct fault *f);
