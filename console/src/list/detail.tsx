/* SPDX-License-Identifier: Apache-2.0 */
/* list/detail - one list: its versions, what differs between two of them, its entries. */
import { exportHref } from '../api/client';
import type { List, ListDiff, ListEntry } from '../api/types';
import { setQuery, to } from '../app/router';
import { may } from '../app/session';
import { tr, trOr } from '../text/catalogue';
import { formatDay, formatNumber, formatTime } from '../text/format';
import { Facts, Head, Section, Tabs } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table, type Column } from '../ui/table';

function entryColumns(hasChange: boolean): Column<ListEntry>[] {
  return [
    {
      id: 'value',
      title: tr('list_value'),
      isMain: true,
      by: (e) => e.value,
      cell: (e) =>
        e.kind === 'address' && may('event.search') ? (
          <a href={to('search', { q: `source.ip : ${e.value} or destination.ip : ${e.value}` })}>{e.value}</a>
        ) : (
          e.value
        ),
    },
    ...(hasChange
      ? [
          {
            id: 'change',
            title: tr('change'),
            cell: (e: ListEntry) => (
              <span class={`badge badge-${e.change === 'new' ? 'bad' : 'good'}`}>{trOr('list_change_', e.change ?? '')}</span>
            ),
            by: (e: ListEntry) => e.change ?? null,
          },
        ]
      : []),
    { id: 'role', title: tr('list_role'), cell: (e) => trOr('list_role_', e.role) },
    { id: 'port', title: tr('port'), isNumber: true, cell: (e) => e.port ?? '–', by: (e) => e.port },
    { id: 'family', title: tr('list_family'), cell: (e) => e.family || '–', by: (e) => e.family },
    { id: 'unit', title: tr('unit'), isRare: true, cell: (e) => e.unit || '–', by: (e) => e.unit },
    { id: 'last', title: tr('last_seen'), isNumber: true, cell: (e) => formatTime(e.last_at), by: (e) => e.last_at },
  ];
}

function Versions({ name }: { name: string }) {
  const list = useList<List>(`/lists/${encodeURIComponent(name)}/versions`);
  return (
    <Shown of={list}>
      {() => (
        <Table
          caption={tr('list_versions')}
          rows={list.items}
          rowKey={(v) => v.version}
          unit={tr('unit_versions')}
          total={list.total}
          next={list.next}
          onMore={() => void list.loadMore()}
          columns={[
            {
              id: 'version',
              title: tr('list_version'),
              isMain: true,
              by: (v) => v.version,
              cell: (v) => (
                <a class="row-link" href={to('lists', name, { tab: 'entries', version: v.version })}>
                  {tr('list_version_n', { n: v.version })}
                </a>
              ),
            },
            { id: 'date', title: tr('list_date'), cell: (v) => formatDay(v.date) },
            { id: 'letter', title: tr('list_letter'), cell: (v) => v.letter || '–' },
            { id: 'source', title: tr('list_source'), isRare: true, cell: (v) => v.source || '–' },
            { id: 'file', title: tr('file'), isRare: true, cell: (v) => v.file || '–' },
            { id: 'entries', title: tr('list_entries'), isNumber: true, by: (v) => v.entries, cell: (v) => formatNumber(v.entries) },
            { id: 'added', title: tr('list_added'), isNumber: true, by: (v) => v.added_at, cell: (v) => formatTime(v.added_at) },
            {
              id: 'diff',
              title: tr('list_diff'),
              cell: (v) =>
                v.version > 1 ? (
                  <a href={to('lists', name, { tab: 'diff', from: v.version - 1, to: v.version })}>
                    {tr('list_diff_with', { n: v.version - 1 })}
                  </a>
                ) : (
                  '–'
                ),
            },
          ]}
        />
      )}
    </Shown>
  );
}

function Diff({ name, query }: { name: string; query: URLSearchParams }) {
  const versions = useList<List>(`/lists/${encodeURIComponent(name)}/versions`);
  const newest = versions.items[0]?.version ?? 0;
  const from = Number(query.get('from') ?? newest - 1);
  const until = Number(query.get('to') ?? newest);
  const diff = useResource<ListDiff>(from > 0 && until > 0 ? `/lists/${encodeURIComponent(name)}/diff` : null, { from, to: until });
  const choose = (label: string, value: number, key: string) => (
    <label class="filter">
      <span>{label}</span>
      <select value={String(value)} onChange={(e) => setQuery({ [key]: e.currentTarget.value })}>
        {versions.items.map((v) => (
          <option key={v.version} value={String(v.version)}>
            {tr('list_version_n', { n: v.version })} · {formatDay(v.date)}
          </option>
        ))}
      </select>
    </label>
  );
  if (versions.data && newest < 2) return <Empty title={tr('list_diff_none')} hint={tr('list_diff_none_hint')} />;
  return (
    <>
      <div class="filters">
        {choose(tr('list_diff_from'), from, 'from')}
        {choose(tr('list_diff_to'), until, 'to')}
      </div>
      <Shown of={diff}>
        {(d) => (
          <>
            <Facts
              of={[
                [tr('list_new'), formatNumber(d.new)],
                [tr('list_persistent'), formatNumber(d.persistent)],
                [tr('list_gone'), formatNumber(d.gone)],
              ]}
            />
            {d.is_cut && <p class="hint">{tr('list_diff_cut', { n: formatNumber(d.items.length) })}</p>}
            {d.items.length === 0 ? (
              <Empty title={tr('list_diff_same')} />
            ) : (
              <Table
                caption={tr('list_diff')}
                rows={d.items}
                rowKey={(e) => `${e.change} ${e.value} ${e.port}`}
                columns={entryColumns(true)}
                unit={tr('unit_entries')}
                total={d.new + d.gone}
              />
            )}
          </>
        )}
      </Shown>
    </>
  );
}

function Entries({ name, version }: { name: string; version: string | null }) {
  const path = `/lists/${encodeURIComponent(name)}/entries`;
  const list = useList<ListEntry>(path, { version });
  return (
    <Section
      title={version ? tr('list_version_n', { n: version }) : tr('list_entries')}
      actions={<ExportLinks href={(f) => exportHref(path, { version }, f)} />}
    >
      <Shown of={list}>
        {() => (
          <Table
            caption={tr('list_entries')}
            rows={list.items}
            rowKey={(e) => `${e.row} ${e.value}`}
            columns={entryColumns(false)}
            unit={tr('unit_entries')}
            total={list.total}
            next={list.next}
            onMore={() => void list.loadMore()}
          />
        )}
      </Shown>
    </Section>
  );
}

export function ListDetail({ name, query }: { name: string; query: URLSearchParams }) {
  const tab = query.get('tab') ?? 'versions';
  return (
    <>
      <Head title={name} back={{ href: to('lists'), text: tr('page_lists') }}>
        {may('event.search') && (
          <a class="button" href={to('search', 'hunts', 'new', { list: name })}>
            {tr('list_hunt')}
          </a>
        )}
        {may('list.write') && (
          <a class="button" href={to('lists', 'import', { name })}>
            {tr('list_import')}
          </a>
        )}
      </Head>
      <Tabs
        label={name}
        of={['versions', 'diff', 'entries'].map((t) => ({
          href: to('lists', name, { tab: t }),
          text: tr(`list_tab_${t}`),
          isOn: tab === t,
        }))}
      />
      {tab === 'diff' ? (
        <Diff name={name} query={query} />
      ) : tab === 'entries' ? (
        <Entries name={name} version={query.get('version')} />
      ) : (
        <Versions name={name} />
      )}
    </>
  );
}
