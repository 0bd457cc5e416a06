/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of units and machines: the account balances, every row has its needed cells, every kept cell is clean text within its bound;
 * names fold to a form that folds to itself, likeness is symmetric in its bounds, and keys of machines have one form.
 */
#include "desk/asset/identity.h"
#include "desk/unit/table_read.h"
#include "desk/unit/unit_name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct sheet_column columns[] = {
    {"name", "ten|ten don vi|unit", true}, {"ip", "dia chi ip", false}, {"valid_from", "tu ngay", false}, {"number", "so", false}, {"is_body", "", false}};
enum { N_COLUMNS = sizeof(columns) / sizeof(*columns) };

static void check_name(struct text t)
{
    char one[UNIT_FOLD_BYTES], two[UNIT_FOLD_BYTES], key[IDENTITY_KEY_BYTES], again[IDENTITY_KEY_BYTES];
    if (t.n >= UNIT_NAME_BYTES)
        return;
    size_t n = unit_name_fold(NULL, t, one);
    assert(n < UNIT_FOLD_BYTES && text_is_utf8(one, n));
    assert(n < UNIT_NAME_BYTES ? unit_name_fold(NULL, (struct text){one, n}, two) == n && !memcmp(one, two, n) : true);
    assert(unit_name_likeness((struct text){one, n}, TEXT("tinh kon tum")) <= 100);
    for (int kind = 0; kind < IDENTITY_N_KEYS; kind++) {
        size_t m = identity_canonical((enum identity_kind)kind, t, key);
        assert(m < IDENTITY_KEY_BYTES);
        assert(!m || (identity_canonical((enum identity_kind)kind, (struct text){key, m}, again) == m && !memcmp(key, again, m)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct table_report *r = table_report_new();
    struct table_row *rows = NULL;
    size_t n_rows = 0;
    struct fault f = {0};
    if (!r || n > 1 << 16 || (n > 4 && !memcmp(p, "PK\3\4", 4))) { /* spreadsheets have a target of their own */
        table_report_free(r);
        return 0;
    }
    int result = table_read(p, n, columns, N_COLUMNS, r, &rows, &n_rows, &f);
    assert(result == 0 || result == TABLE_NO_HEADER);
    assert(r->n_rows == n_rows + r->n_refused);
    for (size_t i = 0; i < n_rows; i++) {
        int64_t value;
        bool is;
        uint64_t before = r->n_refused;
        assert(rows[i].cells[0].n > 0);
        for (int k = 0; k < N_COLUMNS; k++) {
            assert(rows[i].cells[k].n <= TABLE_CELL_BYTES && (!rows[i].cells[k].n || text_is_utf8(rows[i].cells[k].p, rows[i].cells[k].n)));
            check_name(rows[i].cells[k]);
        }
        assert(table_read_time(r, &rows[i], columns, 2, 7, &value) || r->n_refused == before + 1);
        before = r->n_refused;
        assert((table_read_number(r, &rows[i], columns, 3, 99, -1, &value) && value >= -1 && value <= 99) || r->n_refused == before + 1);
        before = r->n_refused;
        assert(table_yes(r, &rows[i], columns, 4, true, &is) || r->n_refused == before + 1);
    }
    free(rows);
    table_report_free(r);
    return 0;
}
