/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands: the single truth for parsing, help, manual and completion.
 */
#include "cli/cli.h"

#include <limits.h>

#define WINDOW (CLI_BIT(SINCE) | CLI_BIT(UNTIL))
#define REASON CLI_BIT(PURPOSE)

const struct cli_command cli_commands[] = {
    {"import flows", "FILE...", CLI_BIT(ZONE) | CLI_BIT(AGAIN) | CLI_BIT(MAP), 1, UINT_MAX, MSG_sum_import_flows,
     MSG_help_import_flows, cli_import_flows},
    {"import logs", "FILE...", CLI_BIT(ZONE) | CLI_BIT(AGAIN) | CLI_BIT(YEAR) | CLI_BIT(RECOVER), 1, UINT_MAX,
     MSG_sum_import_logs, MSG_help_import_logs, cli_import_logs},
    {"list add", "NAME FILE",
     CLI_BIT(KIND) | CLI_BIT(LETTER) | CLI_BIT(DATE) | CLI_BIT(SOURCE) | CLI_BIT(FAMILY) | CLI_BIT(VALID_UNTIL), 2, 2,
     MSG_sum_list_add, MSG_help_list_add, cli_list_add},
    {"list show", "[NAME]", 0, 0, 1, MSG_sum_list_show, MSG_help_list_show, cli_list_show},
    {"list diff", "NAME V1 V2", 0, 3, 3, MSG_sum_list_diff, MSG_help_list_diff, cli_list_diff},
    {"list check", "ADDRESS", 0, 1, 1, MSG_sum_list_check, MSG_help_list_check, cli_list_check},
    {"space add", "FILE", 0, 1, 1, MSG_sum_space_add, MSG_help_space_add, cli_space_add},
    {"space show", "", 0, 0, 0, MSG_sum_space_show, MSG_help_space_show, cli_space_show},
    {"hunt", "[LIST...]", WINDOW | CLI_BIT(FILE) | CLI_BIT(ROWS) | CLI_BIT(RESOLVE) | CLI_BIT(PURPOSE) | CLI_BIT(THREADS), 0, UINT_MAX,
     MSG_sum_hunt,
     MSG_help_hunt, cli_hunt},
    {"query", "'FILTER | ...'", WINDOW | CLI_BIT(EXPLAIN) | CLI_BIT(THREADS), 1, 1, MSG_sum_query, MSG_help_query,
     cli_query},
    {"decode", "FILE...", CLI_BIT(ZONE) | CLI_BIT(MAP) | CLI_BIT(YEAR) | CLI_BIT(RECOVER), 1, UINT_MAX,
     MSG_sum_decode, MSG_help_decode, cli_decode},
    {"teach", "FILE...", 0, 1, UINT_MAX, MSG_sum_teach, MSG_help_teach, cli_teach},
    {"rules check", "DIR...", 0, 1, UINT_MAX, MSG_sum_rules_check, MSG_help_rules_check, cli_rules_check},
    {"detect", "[FILE...]", WINDOW | CLI_BIT(RULES) | CLI_BIT(BEHAVIOUR) | CLI_BIT(INPUT_FORMAT) | CLI_BIT(CONFIG), 0, UINT_MAX, MSG_sum_detect,
     MSG_help_detect, cli_detect},
    {"store compact", "", CLI_BIT(WAIT), 0, 0, MSG_sum_store_compact, MSG_help_store_compact, cli_store_compact},
    {"store verify", "", 0, 0, 0, MSG_sum_store_verify, MSG_help_store_verify, cli_store_verify},
    {"export", "DIR 'FILTER'", WINDOW | CLI_BIT(LETTER) | CLI_BIT(THREADS), 2, 2, MSG_sum_export, MSG_help_export, cli_export},
    {"verify", "[store|audit|all]", CLI_BIT(HEAD), 0, 1, MSG_sum_verify, MSG_help_verify, cli_verify},
    {"lease import", "FILE...",
     CLI_BIT(KIND) | CLI_BIT(ZONE) | CLI_BIT(AT) | CLI_BIT(GATEWAY) | CLI_BIT(REALM) | CLI_BIT(AGAIN), 1, UINT_MAX,
     MSG_sum_lease_import, MSG_help_lease_import, cli_lease_import},
    {"lease gather", "", 0, 0, 0, MSG_sum_lease_gather, MSG_help_lease_gather, cli_lease_gather},
    {"lease who", "ADDRESS[:PORT]", CLI_BIT(AT) | CLI_BIT(SKEW) | CLI_BIT(ZONE) | CLI_BIT(REMOTE) | CLI_BIT(PURPOSE) | CLI_BIT(ASK) | CLI_BIT(CONFIG), 1, 1,
     MSG_sum_lease_who, MSG_help_lease_who, cli_lease_who},
    {"lease batch", "FILE", CLI_BIT(SKEW) | CLI_BIT(ZONE) | CLI_BIT(PURPOSE) | CLI_BIT(ASK) | CLI_BIT(CONFIG) | CLI_BIT(QUESTIONS), 1, 1,
     MSG_sum_lease_batch, MSG_help_lease_batch, cli_lease_batch},
    {"lease status", "", 0, 0, 0, MSG_sum_lease_status, MSG_help_lease_status, cli_lease_status},
    {"lease purge", "", CLI_BIT(UNTIL) | CLI_BIT(ZONE) | CLI_BIT(PURPOSE), 0, 0, MSG_sum_lease_purge, MSG_help_lease_purge,
     cli_lease_purge},
    {"user add", "LOGIN",
     CLI_BIT(NAME) | CLI_BIT(ROLE) | CLI_BIT(UNIT) | CLI_BIT(EMAIL) | CLI_BIT(PHONE) | CLI_BIT(CONNECTOR) | CLI_BIT(ALONE) |
         CLI_BIT(TO) | REASON, 1, 1, MSG_sum_user_add, MSG_help_user_add, cli_user_add},
    {"user list", "", 0, 0, 0, MSG_sum_user_list, MSG_help_user_list, cli_user_list},
    {"user show", "LOGIN", 0, 1, 1, MSG_sum_user_show, MSG_help_user_show, cli_user_show},
    {"user disable", "LOGIN", REASON, 1, 1, MSG_sum_user_disable, MSG_help_user_disable, cli_user_disable},
    {"user enable", "LOGIN", REASON, 1, 1, MSG_sum_user_enable, MSG_help_user_enable, cli_user_enable},
    {"user reset-password", "LOGIN", REASON, 1, 1, MSG_sum_user_reset_password, MSG_help_user_reset_password,
     cli_user_reset_password},
    {"user reset-totp", "LOGIN", REASON, 1, 1, MSG_sum_user_reset_totp, MSG_help_user_reset_totp, cli_user_reset_totp},
    {"user unlock", "LOGIN", REASON, 1, 1, MSG_sum_user_unlock, MSG_help_user_unlock, cli_user_unlock},
    {"user bind", "LOGIN ROLE", CLI_BIT(UNIT) | CLI_BIT(ALONE) | CLI_BIT(TO) | REASON, 2, 2, MSG_sum_user_bind, MSG_help_user_bind,
     cli_user_bind},
    {"user unbind", "LOGIN BINDING", REASON, 2, 2, MSG_sum_user_unbind, MSG_help_user_unbind, cli_user_unbind},
    {"grant add", "LOGIN PERMISSION,...", CLI_BIT(UNIT) | CLI_BIT(OBJECT) | CLI_BIT(ALONE) | CLI_BIT(FROM) | CLI_BIT(TO) | REASON, 2, 2,
     MSG_sum_grant_add, MSG_help_grant_add, cli_grant_add},
    {"grant list", "[LOGIN]", 0, 0, 1, MSG_sum_grant_list, MSG_help_grant_list, cli_grant_list},
    {"grant end", "GRANT", REASON, 1, 1, MSG_sum_grant_end, MSG_help_grant_end, cli_grant_end},
    {"backup", "FILE", 0, 1, 1, MSG_sum_backup, MSG_help_backup, cli_backup},
    {"restore", "FILE", REASON, 1, 1, MSG_sum_restore, MSG_help_restore, cli_restore},
    {"serve", "", CLI_BIT(CONFIG) | CLI_BIT(CHECK), 0, 0, MSG_sum_serve, MSG_help_serve, cli_serve},
    {"status", "", 0, 0, 0, MSG_sum_status, MSG_help_status, cli_status},
    {"help", "[man|completion]", 0, 0, 1, MSG_sum_help, MSG_help_help, cli_help},
};
const size_t cli_n_commands = sizeof(cli_commands) / sizeof(*cli_commands);
