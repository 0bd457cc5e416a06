/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit/tree - the bodies below one another. Few are drawn at a time: what is folded is not on the page, so that a province with
 * three thousand bodies opens at once on an old machine.
 */
import { useMemo, useState } from 'preact/hooks';
import type { UnitNode, UnitTree as Tree } from '../api/types';
import { setQuery, to } from '../app/router';
import { compareVietnamese, matches } from '../text/collate';
import { tr, trOr } from '../text/catalogue';
import { formatDay, formatNumber, parseTime } from '../text/format';
import { Icon } from '../ui/icon';
import { Shown, useResource } from '../ui/resource';
import { Empty } from '../ui/states';

const FOUND_SHOWN = 200;

type Below = Map<number | null, UnitNode[]>;

function Node(props: { of: UnitNode; below: Below; open: Set<number>; toggle: (id: number) => void }) {
  const { of } = props;
  const children = props.below.get(of.id) ?? [];
  const isOpen = props.open.has(of.id);
  return (
    <li>
      <div class={of.valid_to ? 'node is-past' : 'node'}>
        {children.length > 0 ? (
          <button
            type="button"
            class="button-icon"
            aria-expanded={isOpen}
            aria-label={tr(isOpen ? 'unit_fold' : 'unit_unfold', { name: of.name })}
            onClick={() => props.toggle(of.id)}
          >
            <Icon name={isOpen ? 'down' : 'chevron'} />
          </button>
        ) : (
          <span class="node-leaf" />
        )}
        <a href={to('units', of.id)}>{of.name}</a>
        <span class="muted">{trOr('unit_kind_', of.kind)}</span>
        {children.length > 0 && <span class="muted">{tr('unit_below', { n: formatNumber(children.length) })}</span>}
        {of.valid_to && <span class="badge">{tr('ended', { at: formatDay(of.valid_to) })}</span>}
      </div>
      {isOpen && children.length > 0 && (
        <ul class="tree">
          {children.map((c) => (
            <Node key={c.id} {...props} of={c} />
          ))}
        </ul>
      )}
    </li>
  );
}

/* The tree as it was on a day: what a letter of 2024 names is found there. */
function Day(props: { value: string | null }) {
  const [text, setText] = useState(props.value ? formatDay(props.value) : '');
  const at = text.trim() ? parseTime(text) : '';
  const done = () => at !== null && setQuery({ at });
  return (
    <label class={at === null ? 'filter has-fault' : 'filter'}>
      <span>{tr('unit_on_day')}</span>
      <input
        value={text}
        placeholder={tr('unit_today')}
        size={12}
        aria-invalid={at === null || undefined}
        onInput={(e) => setText(e.currentTarget.value)}
        onBlur={done}
        onKeyDown={(e) => e.key === 'Enter' && done()}
      />
    </label>
  );
}

export function UnitTree({ query }: { query: URLSearchParams }) {
  const tree = useResource<Tree>('/units/tree', { at: query.get('at') });
  const text = query.get('q') ?? '';
  const [open, setOpen] = useState<Set<number> | null>(null);
  const items = tree.data?.items ?? [];
  const below = useMemo(() => {
    const ids = new Set(items.map((u) => u.id));
    const map: Below = new Map();
    for (const u of items) {
      const parent = u.parent !== null && ids.has(u.parent) ? u.parent : null;
      map.set(parent, [...(map.get(parent) ?? []), u]);
    }
    for (const list of map.values()) list.sort((a, b) => compareVietnamese(a.name, b.name));
    return map;
  }, [tree.data]);
  const roots = below.get(null) ?? [];
  const opened = open ?? new Set(roots.length <= 3 ? roots.map((r) => r.id) : []);
  const toggle = (id: number) => {
    const s = new Set(opened);
    if (!s.delete(id)) s.add(id);
    setOpen(s);
  };
  const found = text
    ? items.filter((u) => matches(`${u.name} ${u.short_name ?? ''}`, text)).sort((a, b) => compareVietnamese(a.name, b.name))
    : [];
  return (
    <>
      <div class="filters">
        <label class="filter filter-grow">
          <span>{tr('find')}</span>
          <input type="search" data-search value={text} onInput={(e) => setQuery({ q: e.currentTarget.value })} />
        </label>
        <Day value={query.get('at')} />
      </div>
      <Shown of={tree} lines={8}>
        {() => {
          if (!items.length) return <Empty title={tr('units_empty')} hint={tr('units_empty_hint')} />;
          const shown = text ? found.slice(0, FOUND_SHOWN) : roots;
          return (
            <>
              {shown.length === 0 ? (
                <Empty title={tr('unit_not_found', { text })} />
              ) : (
                <ul class="tree tree-root">
                  {shown.map((u) => (
                    <Node key={u.id} of={u} below={text ? new Map() : below} open={opened} toggle={toggle} />
                  ))}
                </ul>
              )}
              {tree.data?.is_cut && <p class="warn-line">{tr('unit_tree_cut')}</p>}
              <p class="table-foot">
                {text
                  ? tr('rows_of', { n: formatNumber(shown.length), of: formatNumber(found.length), unit: tr('count_unit_unit') })
                  : tr('rows_all', { n: formatNumber(items.length), unit: tr('count_unit_unit') })}
              </p>
            </>
          );
        }}
      </Shown>
    </>
  );
}
