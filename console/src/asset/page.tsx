/* SPDX-License-Identifier: Apache-2.0 */
/* asset/page - machines: one record for each, whoever saw it. */
import { useEffect, useState } from 'preact/hooks';
import { exportHref } from '../api/client';
import type { Machine } from '../api/types';
import type { PageProps } from '../app/lazy';
import { setQuery, to } from '../app/router';
import { may } from '../app/session';
import { tr, trOr } from '../text/catalogue';
import { formatNumber, formatShort, formatTime } from '../text/format';
import { State } from '../ui/badge';
import { Facts, Head, Section } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table } from '../ui/table';

const KINDS = ['server', 'workstation', 'network', 'other', 'unknown'];
const PROTECTION_TONES: Record<string, 'good' | 'wait' | 'bad' | 'blind'> = {
  protected: 'good',
  outdated: 'wait',
  disabled: 'bad',
  none: 'bad',
  unknown: 'blind',
};

const nameOf = (m: Machine) => m.name || m.names[0] || m.addresses[0]?.ip || `#${m.id}`;
const systemOf = (m: Machine) => m.system_name;
const protectionOf = (m: Machine) => m.protection?.state ?? 'unknown';

function Protection({ of }: { of: Machine }) {
  const state = protectionOf(of);
  return <State of={state} prefix="protection_" tone={PROTECTION_TONES[state]} />;
}

const protectionText = (p: NonNullable<Machine['protection']>) =>
  [trOr('protection_', p.state), p.product, p.last_contact_at && formatTime(p.last_contact_at)].filter(Boolean).join(' · ');

function Managed({ of }: { of: Machine }) {
  return of.is_managed ? <>{tr('is_managed')}</> : <span class="badge badge-wait">{tr('unmanaged')}</span>;
}

function Machines({ query }: { query: URLSearchParams }) {
  const ask = { q: query.get('q'), unit: query.get('unit'), kind: query.get('kind'), managed: query.get('managed') };
  const list = useList<Machine>('/machines', ask);
  const [text, setText] = useState(ask.q ?? '');
  useEffect(() => setText(ask.q ?? ''), [ask.q]);
  return (
    <>
      <Head title={tr('page_machines')}>
        <ExportLinks href={(f) => exportHref('/machines', ask, f)} />
      </Head>
      <form
        class="filters"
        onSubmit={(e) => {
          e.preventDefault();
          setQuery({ q: text.trim() });
        }}
      >
        <label class="filter filter-grow">
          <span>{tr('find')}</span>
          <input
            type="search"
            data-search
            value={text}
            placeholder={tr('machine_find_hint')}
            onInput={(e) => setText(e.currentTarget.value)}
            onBlur={() => text !== (ask.q ?? '') && setQuery({ q: text.trim() })}
          />
        </label>
        <label class="filter">
          <span>{tr('kind')}</span>
          <select value={ask.kind ?? ''} onChange={(e) => setQuery({ kind: e.currentTarget.value })}>
            <option value="">{tr('any')}</option>
            {KINDS.map((k) => (
              <option key={k} value={k}>
                {trOr('machine_kind_', k)}
              </option>
            ))}
          </select>
        </label>
        <label class="filter">
          <span>{tr('managed')}</span>
          <select value={ask.managed ?? ''} onChange={(e) => setQuery({ managed: e.currentTarget.value })}>
            <option value="">{tr('any')}</option>
            <option value="yes">{tr('is_managed')}</option>
            <option value="no">{tr('unmanaged')}</option>
          </select>
        </label>
        {query.toString() && (
          <a class="button button-small" href={to('machines')}>
            {tr('filters_clear')}
          </a>
        )}
      </form>
      <Shown of={list} lines={10}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('machines_empty')} hint={query.toString() ? tr('machines_empty_filtered') : tr('machines_empty_hint')} />
          ) : (
            <Table
              caption={tr('page_machines')}
              rows={list.items}
              rowKey={(m) => m.id}
              unit={tr('count_unit_machine')}
              total={list.total}
              isEstimate={list.isEstimate}
              next={list.next}
              onMore={() => void list.loadMore()}
              columns={[
                {
                  id: 'name',
                  title: tr('machine'),
                  isMain: true,
                  by: nameOf,
                  cell: (m) => (
                    <>
                      <a class="row-link" href={to('machines', m.id)}>
                        {nameOf(m)}
                      </a>
                      <span class="row-sub">
                        {m.addresses
                          .slice(0, 2)
                          .map((a) => a.ip)
                          .join(', ')}
                        {m.addresses.length > 2 ? '…' : ''}
                      </span>
                    </>
                  ),
                },
                {
                  id: 'unit',
                  title: tr('unit'),
                  by: (m) => m.unit_name,
                  cell: (m) => m.unit_name ?? m.unit_waiting ?? <span class="muted">{tr('unit_unknown')}</span>,
                },
                { id: 'kind', isShort: true, title: tr('kind'), by: (m) => m.kind, cell: (m) => trOr('machine_kind_', m.kind) },
                { id: 'system', title: tr('system'), isRare: true, by: systemOf, cell: (m) => systemOf(m) ?? '–' },
                { id: 'exposure', isShort: true, title: tr('exposure'), by: (m) => m.exposure, cell: (m) => trOr('exposure_', m.exposure) },
                { id: 'protection', title: tr('protection'), cell: (m) => <Protection of={m} />, by: protectionOf },
                {
                  id: 'hits',
                  title: tr('list_hits'),
                  isNumber: true,
                  by: (m) => m.list_hits,
                  cell: (m) => (m.list_hits ? <strong class="due-over">{formatNumber(m.list_hits)}</strong> : '0'),
                },
                {
                  id: 'seen',
                  title: tr('last_seen'),
                  isNumber: true,
                  by: (m) => m.last_seen_at,
                  cell: (m) => <span title={formatTime(m.last_seen_at)}>{formatShort(m.last_seen_at)}</span>,
                },
                { id: 'managed', title: tr('managed'), cell: (m) => <Managed of={m} />, by: (m) => (m.is_managed ? 1 : 0) },
              ]}
            />
          )
        }
      </Shown>
    </>
  );
}

function MachineDetail({ id }: { id: number }) {
  const machine = useResource<Machine>(`/machines/${id}`);
  return (
    <Shown of={machine} isPage>
      {(m) => (
        <>
          <Head
            title={nameOf(m)}
            back={{ href: to('machines'), text: tr('page_machines') }}
            sub={
              <>
                <span class="muted">{trOr('machine_kind_', m.kind)}</span>
                <Protection of={m} />
                <Managed of={m} />
              </>
            }
          >
            {may('alert.read') && (
              <a class="button" href={to('alerts', { q: m.addresses[0]?.ip ?? nameOf(m), state: 'any' })}>
                {tr('page_alerts')}
              </a>
            )}
            {may('event.search') && m.addresses[0] && (
              <a
                class="button"
                href={to('search', { q: m.addresses.map((a) => `source.ip : ${a.ip} or destination.ip : ${a.ip}`).join(' or ') })}
              >
                {tr('search')}
              </a>
            )}
          </Head>
          <Section title={tr('known_title')}>
            <Facts
              of={[
                [tr('unit'), m.unit ? <a href={to('units', m.unit)}>{m.unit_name}</a> : tr('unit_unknown')],
                [tr('system'), systemOf(m)],
                [tr('level'), m.level ? formatNumber(m.level) : null],
                [tr('exposure'), trOr('exposure_', m.exposure)],
                [tr('names'), m.names.join(', ')],
                [tr('protection'), m.protection ? protectionText(m.protection) : tr('protection_unknown')],
                [tr('list_hits'), formatNumber(m.list_hits)],
                [tr('open_vulnerabilities'), formatNumber(m.open_vulnerabilities)],
                [tr('last_seen'), `${formatTime(m.last_seen_at)}${m.last_seen_by ? ` · ${trOr('seen_by_', m.last_seen_by)}` : ''}`],
              ]}
            />
          </Section>
          <Section title={tr('addresses')}>
            {m.addresses.length === 0 ? (
              <Empty title={tr('addresses_empty')} />
            ) : (
              <Table
                caption={tr('addresses')}
                rows={m.addresses}
                rowKey={(a) => `${a.ip} ${a.first_at}`}
                unit={tr('unit_addresses')}
                total={m.addresses.length}
                hasKeys={false}
                columns={[
                  { id: 'ip', title: tr('ip_address'), isMain: true, cell: (a) => <strong>{a.ip}</strong> },
                  { id: 'first', title: tr('alert_first'), isNumber: true, by: (a) => a.first_at, cell: (a) => formatTime(a.first_at) },
                  { id: 'last', title: tr('last_seen'), isNumber: true, by: (a) => a.last_at, cell: (a) => formatTime(a.last_at) },
                  { id: 'by', title: tr('seen_by'), cell: (a) => trOr('seen_by_', a.seen_by) },
                ]}
              />
            )}
          </Section>
          {m.links && m.links.length > 0 && (
            <Section title={tr('machine_links')}>
              <ul>
                {m.links.map((l) => (
                  <li key={l.id}>
                    <a href={to('machines', l.machine)}>{l.name}</a> <span class="muted">{trOr('machine_link_', l.kind)}</span>
                  </li>
                ))}
              </ul>
            </Section>
          )}
        </>
      )}
    </Shown>
  );
}

export function MachinePage({ route }: PageProps) {
  const id = Number(route.path[1]);
  return Number.isInteger(id) && id > 0 ? <MachineDetail id={id} /> : <Machines query={route.query} />;
}
