/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ui/table - every list of the console: a real table, that becomes cards on a phone.
 *
 * The first link of a row opens it. j and k walk along these links, Enter is the browser's own, x marks a row. Sorting here is of what
 * is loaded, by Vietnamese collation; lists that sort on the server pass sort and onSort. The line below says how many of how many.
 */
import type { ComponentChildren } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { useKeys } from '../app/keys';
import { compareVietnamese } from '../text/collate';
import { formatNumber } from '../text/format';
import { tr } from '../text/catalogue';
import { Icon } from './icon';

export interface Column<T> {
  id: string;
  title: string;
  cell: (row: T) => ComponentChildren;
  by?: (row: T) => string | number | null; // sorting of what is loaded
  isNumber?: boolean;
  isMain?: boolean; // the head of the card on a phone
  isWide?: boolean;
  isShort?: boolean; // one line
  isRare?: boolean; // left out where there is little room
}

export interface TableProps<T> {
  caption: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string | number;
  rowClass?: (row: T) => string;
  marked?: Set<string | number>;
  onMark?: (marked: Set<string | number>) => void;
  rowName?: (row: T) => string; // for the check box
  sort?: string;
  onSort?: (id: string) => void;
  serverSorts?: string[];
  total?: number | null;
  isEstimate?: boolean;
  unit: string; // what is counted: "cảnh báo", "máy"
  next?: string | number | null;
  onMore?: () => void;
  hasKeys?: boolean;
}

function compare(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return compareVietnamese(String(a), String(b));
}

function cellClass<T>(c: Column<T>): string {
  const names = [c.isNumber && 'is-number', c.isMain && 'is-main', c.isWide && 'is-wide', c.isShort && 'is-short', c.isRare && 'is-rare'];
  return names.filter(Boolean).join(' ');
}

export function Table<T>(props: TableProps<T>) {
  const [local, setLocal] = useState<{ id: string; isDown: boolean } | null>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const rows = useMemo(() => {
    const column = local && props.columns.find((c) => c.id === local.id);
    if (!column?.by) return props.rows;
    const sign = local!.isDown ? -1 : 1;
    return [...props.rows].sort((a, b) => sign * compare(column.by!(a), column.by!(b)));
  }, [props.rows, local, props.columns]);

  const links = () =>
    [...(body.current?.querySelectorAll<HTMLAnchorElement>('tr') ?? [])].map((r) => r.querySelector<HTMLElement>('a, button'));
  const step = (by: number) => {
    const all = links();
    const at = all.findIndex((l) => l?.closest('tr')?.contains(document.activeElement));
    const wanted = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
    wanted?.focus();
    wanted?.scrollIntoView({ block: 'nearest' });
  };
  const mark = (key: string | number) => {
    const set = new Set(props.marked);
    if (!set.delete(key)) set.add(key);
    props.onMark?.(set);
  };
  const markHere = () => {
    const at = links().findIndex((l) => l?.closest('tr')?.contains(document.activeElement));
    if (at >= 0 && rows[at] !== undefined) mark(props.rowKey(rows[at]!));
  };
  useKeys(
    props.hasKeys === false
      ? []
      : [
          { key: 'j', what: tr('key_next_row'), run: () => step(1) },
          { key: 'k', what: tr('key_previous_row'), run: () => step(-1) },
          ...(props.onMark ? [{ key: 'x', what: tr('key_mark'), run: markHere }] : []),
        ],
  );

  const areAllMarked = rows.length > 0 && rows.every((r) => props.marked?.has(props.rowKey(r)));
  const markAll = () => props.onMark?.(new Set(areAllMarked ? [] : rows.map(props.rowKey)));

  const head = (c: Column<T>) => {
    const isServer = props.serverSorts?.includes(c.id);
    if (!c.by && !isServer) return c.title;
    const isOn = isServer ? props.sort === c.id : local?.id === c.id;
    const run = () =>
      isServer
        ? props.onSort?.(c.id)
        : setLocal((l) => (l?.id === c.id ? (l.isDown ? null : { id: c.id, isDown: true }) : { id: c.id, isDown: false }));
    return (
      <button type="button" class="sort" onClick={run}>
        {c.title}
        <span class="sort-mark" aria-hidden="true">
          {isOn ? (isServer || local?.isDown ? '▼' : '▲') : ''}
        </span>
      </button>
    );
  };
  const ariaSort = (c: Column<T>) => {
    if (props.serverSorts?.includes(c.id)) return props.sort === c.id ? ('descending' as const) : undefined;
    return local?.id === c.id ? (local.isDown ? ('descending' as const) : ('ascending' as const)) : undefined;
  };

  return (
    <div class="table-frame">
      <div class="table-scroll" tabIndex={0} role="region" aria-label={props.caption}>
        <table class="table">
          <caption class="sr-only">{props.caption}</caption>
          <thead>
            <tr>
              {props.onMark && (
                <th class="cell-mark">
                  <input type="checkbox" checked={areAllMarked} aria-label={tr('mark_all')} onChange={markAll} />
                </th>
              )}
              {props.columns.map((c) => (
                <th key={c.id} scope="col" class={`${c.isNumber ? 'is-number' : ''} ${c.isRare ? 'is-rare' : ''}`} aria-sort={ariaSort(c)}>
                  {head(c)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody ref={body}>
            {rows.map((row) => {
              const key = props.rowKey(row);
              return (
                <tr key={key} class={`${props.rowClass?.(row) ?? ''} ${props.marked?.has(key) ? 'is-marked' : ''}`}>
                  {props.onMark && (
                    <td class="cell-mark">
                      <input
                        type="checkbox"
                        checked={props.marked?.has(key) ?? false}
                        aria-label={tr('mark_row', { name: props.rowName?.(row) ?? key })}
                        onChange={() => mark(key)}
                      />
                    </td>
                  )}
                  {props.columns.map((c) => (
                    <td key={c.id} data-label={c.title} class={cellClass(c)}>
                      {c.cell(row)}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="table-foot">
        <span>{footText(rows.length, props)}</span>
        {props.next && props.onMore && (
          <button type="button" class="button button-small" onClick={props.onMore}>
            {tr('more_rows')}
          </button>
        )}
      </p>
    </div>
  );
}

function footText<T>(n: number, props: TableProps<T>): string {
  const shown = formatNumber(n);
  if (props.total != null && props.total > n) {
    const of = formatNumber(props.total);
    return props.isEstimate ? tr('rows_of_about', { n: shown, of, unit: props.unit }) : tr('rows_of', { n: shown, of, unit: props.unit });
  }
  return props.next ? tr('rows_and_more', { n: shown, unit: props.unit }) : tr('rows_all', { n: shown, unit: props.unit });
}

/* ExportLinks - the same rows as a file. */
export function ExportLinks<F extends string = 'csv' | 'xlsx'>(props: { formats?: F[]; href: (format: F) => string }) {
  const formats = props.formats ?? (['csv', 'xlsx'] as F[]);
  return (
    <span class="exports">
      {formats.map((f) => (
        <a key={f} class="button button-small" href={props.href(f)} download>
          <Icon name="download" />
          {f.toUpperCase()}
        </a>
      ))}
    </span>
  );
}
