/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/suffixes - below what names are registered: our rules, and the list of Debian's package publicsuffix.
 *
 * In:     content/names/suffixes.txt; /usr/share/publicsuffix/public_suffix_list.dat where it is installed.
 * Limits: 16 MiB a file. No logging.
 */
#pragma once

#include "base/fault.h"
#include "format/domain_name.h"

/*
 * suffixes_load - *@ret is the caller's (domain_rules_free), also where something failed: what could be read counts; NULL: nothing.
 * @ret_read: what was read in all. Return: 0 or -errno with the fault.
 */
int suffixes_load(struct domain_rules **ret, struct domain_rules_read *ret_read, struct fault *f);
