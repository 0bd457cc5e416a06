/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/permission - what may be allowed, one line each: the single truth for code, roles in content/roles.yaml, scopes of
 * tokens and the tests that walk every cell.
 */
#pragma once

#include <stdint.h>

/* PERMISSION(id, name) - append only: roles and tokens name them */
#define PERMISSIONS(PERMISSION)                       \
    PERMISSION(UNIT_READ, "unit.read")                \
    PERMISSION(UNIT_WRITE, "unit.write")              \
    PERMISSION(ASSET_READ, "asset.read")              \
    PERMISSION(ASSET_WRITE, "asset.write")            \
    PERMISSION(ALERT_READ, "alert.read")              \
    PERMISSION(ALERT_WRITE, "alert.write")            \
    PERMISSION(ALERT_SUPPRESS, "alert.suppress")      \
    PERMISSION(EVENT_SEARCH, "event.search")          \
    PERMISSION(LIST_READ, "list.read")                \
    PERMISSION(LIST_WRITE, "list.write")              \
    PERMISSION(SOURCE_READ, "source.read")            \
    PERMISSION(SUBSCRIBER_READ, "subscriber.read")    \
    PERMISSION(DUTY_READ, "duty.read")                \
    PERMISSION(DUTY_WRITE, "duty.write")              \
    PERMISSION(REPORT_READ, "report.read")            \
    PERMISSION(REPORT_SIGN, "report.sign")            \
    PERMISSION(USER_READ, "user.read")                \
    PERMISSION(USER_WRITE, "user.write")              \
    PERMISSION(GRANT_WRITE, "grant.write")            \
    PERMISSION(AUDIT_READ, "audit.read")              \
    PERMISSION(SETTING_READ, "setting.read")          \
    PERMISSION(SETTING_WRITE, "setting.write")        \
    PERMISSION(PORTAL_ANSWER, "portal.answer")        \
    PERMISSION(EXCHANGE, "exchange")

enum permission {
#define PERMISSION(id, name) PERMISSION_##id,
    PERMISSIONS(PERMISSION)
#undef PERMISSION
    PERMISSION_COUNT
};
_Static_assert(PERMISSION_COUNT <= 64, "a set of permissions is one word");


