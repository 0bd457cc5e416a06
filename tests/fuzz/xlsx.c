/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a spreadsheet: rows ascend within a sheet, cells are UTF-8, checksums are not asked. */
#include "format/xlsx.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int sheet(void *context, struct text name)
{
    *(uint32_t *)context = 0;
    assert(text_is_utf8(name.p, name.n));
    return 0;
}

static int row(void *context, uint32_t number, const struct text *cells, uint32_t n)
{
    uint32_t *last = context;
    assert(number > *last && number <= XLSX_MAX_ROWS && n <= XLSX_MAX_COLUMNS);
    *last = number;
    for (uint32_t i = 0; i < n; i++)
        assert(cells[i].n <= XLSX_MAX_CELL_BYTES && (!cells[i].n || cells[i].p[cells[i].n - 1] != 1));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint32_t last = 0;
    struct xlsx_out out = {.sheet = sheet, .row = row, .context = &last, .ignore_crc = true};
    assert(xlsx_read(p, n, &out) >= 0);
    return 0;
}
