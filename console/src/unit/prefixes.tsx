/* SPDX-License-Identifier: Apache-2.0 */
/* unit/prefixes - whose addresses, since when. */
import type { Prefix } from '../api/types';
import { to } from '../app/router';
import { tr, trOr } from '../text/catalogue';
import { formatDay } from '../text/format';
import { Shown, useList } from '../ui/resource';
import { Empty } from '../ui/states';
import { Table } from '../ui/table';

/* Addresses sort as numbers: 10.0.0.0 after 9.0.0.0. */
function addressKey(text: string): string {
  const v4 = text.match(/^(\d+)\.(\d+)\.(\d+)\.(\d+)/);
  return v4
    ? `4${v4
        .slice(1)
        .map((n) => n.padStart(3, '0'))
        .join('')}`
    : `6${text}`;
}

export function Prefixes({ unit }: { unit: number | null }) {
  const list = useList<Prefix>('/prefixes', { unit, limit: 200 });
  return (
    <Shown of={list}>
      {() =>
        list.items.length === 0 ? (
          <Empty title={tr('prefixes_empty')} hint={tr('prefixes_empty_hint')} />
        ) : (
          <Table
            caption={tr('prefixes')}
            rows={list.items}
            rowKey={(p) => p.id}
            unit={tr('unit_prefixes')}
            total={list.total}
            next={list.next}
            onMore={() => void list.loadMore()}
            rowClass={(p) => (p.valid_to && Date.parse(p.valid_to) < Date.now() ? 'is-past' : '')}
            columns={[
              {
                id: 'prefix',
                title: tr('prefix'),
                isMain: true,
                by: (p) => addressKey(p.prefix),
                cell: (p) => <strong>{p.prefix}</strong>,
              },
              ...(unit === null
                ? [
                    {
                      id: 'unit',
                      title: tr('unit'),
                      by: (p: Prefix) => p.unit_name,
                      cell: (p: Prefix) => <a href={to('units', p.unit)}>{p.unit_name}</a>,
                    },
                  ]
                : []),
              { id: 'kind', title: tr('kind'), by: (p) => p.kind, cell: (p) => trOr('prefix_kind_', p.kind) },
              { id: 'note', title: tr('note'), isWide: true, cell: (p) => p.note || '–' },
              { id: 'from', title: tr('since'), isNumber: true, by: (p) => p.valid_from, cell: (p) => formatDay(p.valid_from) },
              {
                id: 'to',
                title: tr('until_label'),
                isNumber: true,
                by: (p) => p.valid_to,
                cell: (p) => (p.valid_to ? formatDay(p.valid_to) : tr('open_end')),
              },
            ]}
          />
        )
      }
    </Shown>
  );
}
