/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/xlsx - the cells of a spreadsheet as text.
 *
 * In:     a whole .xlsx file, untrusted bytes.
 * Out:    the rows of every sheet in the order of the workbook: shown texts, numbers as they stand, dates (by the
 *         style of the cell) as yyyy-mm-ddTHH:MM:SS.
 * Limits: XLSX_MAX_BYTES unpacked in all, XLSX_MAX_STRINGS shared strings, XLSX_MAX_COLUMNS columns (further ones are
 *         passed over), 1,048,576 rows a sheet. A document type declaration is refused, so no entities expand.
 *         No I/O, no logging, no global state; memory: the shared strings and one row.
 * Source: ECMA-376 Part 1, sections 18.2 to 18.8; Part 2 (packages).
 * Fuzz:   tests/fuzz/xlsx.c
 */
#pragma once

#include "base/text.h"
#include "format/zip.h"

#define XLSX_MAX_BYTES ((uint64_t)2 << 30)
#define XLSX_MAX_STRINGS 8000000u
#define XLSX_MAX_TEXT_BYTES ((size_t)512 << 20)
#define XLSX_MAX_CELL_BYTES ((size_t)32 << 10)
enum { XLSX_MAX_COLUMNS = 512, XLSX_MAX_ROWS = 1048576, XLSX_MAX_SHEETS = 256 };

/* conditions: those of zip.h, and */
enum xlsx_result { XLSX_NO_SHEET = 16, XLSX_BAD_XML };

struct xlsx_out {
    /* sheet - before the rows of each sheet; may be NULL. row - cells from column A on, borrowed for the call; rows come in
     * ascending order, empty ones are left out. Return: 0, or <0, which ends the reading and is handed up. */
    int (*sheet)(void *context, struct text name);
    int (*row)(void *context, uint32_t row, const struct text *cells, uint32_t n);
    void *context;
    bool ignore_crc; /* for fuzzing */
};

/* xlsx_read - Return: 0, a condition of zip.h or above, -ENOMEM, or what a callback returned. */
int xlsx_read(const void *p, size_t n, const struct xlsx_out *out);

/*
 * xlsx_serial_format - a spreadsheet's day number as yyyy-mm-ddTHH:MM:SS; days count from 1899-12-30 (is_1904: 1904-01-01).
 * Return: the length, 0 when it is no date of the years 1900..9999.
 */
size_t xlsx_serial_format(double serial, bool is_1904, char out[32]);
