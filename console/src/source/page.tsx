/* SPDX-License-Identifier: Apache-2.0 */
/* source/page - what is not seen, then who sends: received = kept + dropped by reason, for each. */
import type { BlindSpot, Page, Source } from '../api/types';
import type { PageProps } from '../app/lazy';
import { tr, trOr } from '../text/catalogue';
import { formatNumber, formatSince, formatTime } from '../text/format';
import { Icon } from '../ui/icon';
import { State } from '../ui/badge';
import { Head, Section } from '../ui/page';
import { Shown, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { Table } from '../ui/table';

const TONES: Record<string, 'good' | 'blind' | 'wait' | 'bad'> = { ok: 'good', silent: 'blind', loss: 'blind', refused: 'wait' };
const REFRESH_MS = 30_000;

export function Dropped({ of }: { of: Record<string, number> }) {
  const all = Object.entries(of).filter(([, n]) => n > 0);
  if (!all.length) return <>0</>;
  return (
    <ul class="plain">
      {all.map(([reason, n]) => (
        <li key={reason}>
          {formatNumber(n)} <span class="muted">{trOr('drop_', reason)}</span>
        </li>
      ))}
    </ul>
  );
}

export function SourcePage(_props: PageProps) {
  const sources = useResource<Page<Source> & { is_watch_up?: boolean }>('/sources', {}, { everyMs: REFRESH_MS });
  const blind = useResource<Page<BlindSpot>>('/blind-spots', {}, { everyMs: REFRESH_MS });
  return (
    <>
      <Head title={tr('page_sources')} />
      <Section title={tr('blind_title')} class="section-blind">
        <Shown of={blind} lines={2}>
          {(b) =>
            b.items.length === 0 ? (
              <p class="calm-line">
                <Icon name="check" />
                {tr('blind_nothing')}
              </p>
            ) : (
              <ul class="blind">
                {b.items.map((s, i) => (
                  <li key={i}>
                    <div>
                      <Icon name="blind" />
                      <span class="blind-kind">{trOr('blind_', s.kind)}</span>
                      <span class="blind-what">{[s.what, s.n && s.n > 1 ? formatNumber(s.n) : ''].filter(Boolean).join(' · ')}</span>
                      <span class="blind-since">
                        {s.since ? tr('since_age', { age: formatSince(s.since), at: formatTime(s.since) }) : ''}
                      </span>
                    </div>
                  </li>
                ))}
              </ul>
            )
          }
        </Shown>
      </Section>
      <Shown of={sources}>
        {(p) => (
          <>
            {p.is_watch_up === false && (
              <p class="warn-line">
                <Icon name="warning" />
                {tr('watch_down')}
              </p>
            )}
            {p.items.length === 0 ? (
              <Empty title={tr('sources_empty')} hint={tr('sources_empty_hint')} />
            ) : (
              <Table
                caption={tr('page_sources')}
                rows={p.items}
                rowKey={(s) => `${s.kind} ${s.address} ${s.name}`}
                unit={tr('count_unit_source')}
                total={p.items.length}
                columns={[
                  {
                    id: 'name',
                    title: tr('name'),
                    isMain: true,
                    isWide: true,
                    by: (s) => s.name ?? s.address,
                    cell: (s) => (
                      <>
                        <strong>{s.name || s.address}</strong>
                        {s.name && s.address && s.name !== s.address && <span class="row-sub">{s.address}</span>}
                      </>
                    ),
                  },
                  { id: 'kind', title: tr('kind'), by: (s) => s.kind, cell: (s) => trOr('source_kind_', s.kind) },
                  {
                    id: 'state',
                    title: tr('alert_state'),
                    by: (s) => s.state,
                    cell: (s) => <State of={s.state} prefix="source_state_" tone={TONES[s.state]} />,
                  },
                  {
                    id: 'last',
                    title: tr('last_seen'),
                    isNumber: true,
                    by: (s) => s.last_at,
                    cell: (s) =>
                      s.last_at ? <span title={formatTime(s.last_at)}>{tr('ago', { age: formatSince(s.last_at) })}</span> : '–',
                  },
                  { id: 'received', title: tr('received'), isNumber: true, by: (s) => s.received, cell: (s) => formatNumber(s.received) },
                  {
                    id: 'kept',
                    title: tr('kept'),
                    isNumber: true,
                    by: (s) => s.kept,
                    cell: (s) => (
                      <>
                        {formatNumber(s.kept)}
                        {s.kept_unit && <span class="row-sub">{trOr('kept_unit_', s.kept_unit)}</span>}
                      </>
                    ),
                  },
                  {
                    id: 'dropped',
                    title: tr('dropped'),
                    isNumber: true,
                    by: (s) => Object.values(s.dropped).reduce((a, b) => a + b, 0),
                    cell: (s) => <Dropped of={s.dropped} />,
                  },
                ]}
              />
            )}
          </>
        )}
      </Shown>
    </>
  );
}
