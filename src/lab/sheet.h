/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab/sheet - spreadsheets read in the lab, given out as CSV text.
 *
 * In:     a descriptor of an .xlsx file (at most 256 MiB), untrusted.
 * Out:    RFC 4180 records of UTF-8, one line per row of the sheet (an empty row is an empty line, so line numbers are
 *         row numbers); control characters in cells become blanks; a form feed on a line of its own ends each sheet.
 * The program's wiring hands these two to list_xlsx (watch/indicator/list_read.h).
 */
#pragma once

#include "base/fault.h"

/* lab_sheet_open - start reading. Return: 0 or -errno with the fault. @ret_job goes to lab_sheet_close. */
int lab_sheet_open(int fd_in, int *ret_fd, void **ret_job, struct fault *f);
/* lab_sheet_close - Return: 0, or -EBADMSG, -EFBIG, -ETIMEDOUT, -ECHILD with the fault: then nothing read is to be trusted. */
int lab_sheet_close(void *job, struct fault *f);
