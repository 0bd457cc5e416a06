/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/alert/alert_api - what the routes of this desk share: alert_api.c (alerts), alert_mute_api.c (suppressions and saved views).
 */
#pragma once

#include "desk/alert/alert_own.h"

/* alert_json - a row as the API shows it; NULL without memory. */
json_t *alert_json(const struct web_request *q, const struct alert_row *row);
/* alert_tell - to open consoles, after commit. */
void alert_tell(const struct web_request *q, const struct alert_row *row);

/* routes; see struct web_route */
int alert_get_mutes(const struct web_request *q, struct web_reply *r);
int alert_post_mute(const struct web_request *q, struct web_reply *r);
int alert_delete_mute(const struct web_request *q, struct web_reply *r);
int alert_get_views(const struct web_request *q, struct web_reply *r);
int alert_put_view(const struct web_request *q, struct web_reply *r);
int alert_delete_view(const struct web_request *q, struct web_reply *r);
