/* SPDX-License-Identifier: Apache-2.0 */
/* ui/rows - rows of the event store under their ECS names, with a choice of columns; one row opens to all it has. */
import { useMemo, useState } from 'preact/hooks';
import type { EvidenceRow } from '../api/types';
import { tr } from '../text/catalogue';
import { formatBytes, formatNumber, formatSecond } from '../text/format';
import { Dialog } from '../ui/dialog';
import { Table, type Column } from '../ui/table';

const COLUMNS_AT_FIRST = 8;
const TEXT_MAX = 160;

/* fieldsOf - names that hold something, in the order in which the server has them. */
export function fieldsOf(rows: EvidenceRow[]): string[] {
  const all = new Set<string>();
  for (const r of rows.slice(0, 200)) for (const name of Object.keys(r)) if (r[name] !== null && r[name] !== '') all.add(name);
  return [...all];
}

export function shownValue(name: string, v: EvidenceRow[string] | undefined): string {
  if (v === null || v === undefined || v === '') return '–';
  if (typeof v === 'string' && /^\d{4}-\d\d-\d\dT/.test(v)) return formatSecond(v);
  if (typeof v === 'number')
    return /port|number|_if|code|\.id$|flags/.test(name) ? String(v) : name.endsWith('bytes') ? formatBytes(v) : formatNumber(v);
  return String(v);
}

export function RowsTable(props: {
  rows: EvidenceRow[];
  caption: string;
  next?: string | number | null;
  onMore?: () => void;
  total?: number | null;
  hasKeys?: boolean; // false where j and k mean something else
  columns?: string[];
  onColumns?: (names: string[]) => void;
  onFilter?: (name: string, value: string) => void;
}) {
  const all = useMemo(() => fieldsOf(props.rows), [props.rows]);
  const [own, setOwn] = useState<string[] | null>(null);
  const [open, setOpen] = useState<EvidenceRow | null>(null);
  const wanted = props.columns?.length ? props.columns : own;
  const names = wanted ?? all.slice(0, COLUMNS_AT_FIRST);
  const choose = props.onColumns ?? setOwn;
  const columns: Column<{ row: EvidenceRow; i: number }>[] = names.map((name, n) => ({
    id: name,
    title: name,
    isNumber: n > 0 && typeof props.rows[0]?.[name] === 'number',
    by: ({ row }) => (row[name] ?? null) as string | number | null,
    isMain: n === 0,
    isWide: name === 'message',
    cell: ({ row }) => {
      const text = shownValue(name, row[name]);
      const cut = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
      return n === 0 ? (
        <button type="button" class="link row-link" onClick={() => setOpen(row)}>
          {cut}
        </button>
      ) : (
        cut
      );
    },
  }));
  const rows = useMemo(() => props.rows.map((row, i) => ({ row, i })), [props.rows]);
  return (
    <>
      <details class="columns no-print">
        <summary>{tr('columns', { n: names.length, of: all.length })}</summary>
        <div class="columns-box">
          {all.map((name) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={names.includes(name)}
                onChange={() => choose(names.includes(name) ? names.filter((x) => x !== name) : [...names, name])}
              />
              {name}
            </label>
          ))}
        </div>
      </details>
      <Table
        caption={props.caption}
        hasKeys={props.hasKeys !== false}
        rows={rows}
        columns={columns}
        rowKey={(r) => r.i}
        unit={tr('unit_rows')}
        next={props.next ?? null}
        total={props.total ?? null}
        {...(props.onMore ? { onMore: props.onMore } : {})}
      />
      {open && (
        <Dialog title={tr('row_title')} onClose={() => setOpen(null)} isWide>
          <dl class="row-fields">
            {fieldsOf([open]).map((name) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  {shownValue(name, open[name])}
                  {props.onFilter && (
                    <button
                      type="button"
                      class="link no-print"
                      onClick={() => {
                        props.onFilter!(name, String(open[name]));
                        setOpen(null);
                      }}
                    >
                      {tr('filter_by')}
                    </button>
                  )}
                </dd>
              </div>
            ))}
          </dl>
        </Dialog>
      )}
    </>
  );
}
