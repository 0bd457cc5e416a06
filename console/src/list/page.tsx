/* SPDX-License-Identifier: Apache-2.0 */
/* list/page - the lists, one list, a new version of one; and whether an address stands on any. */
import { useState } from 'preact/hooks';
import { exportHref, get } from '../api/client';
import type { List, ListCheck } from '../api/types';
import type { PageProps } from '../app/lazy';
import { to } from '../app/router';
import { may } from '../app/session';
import { tr, trOr } from '../text/catalogue';
import { formatDay, formatNumber } from '../text/format';
import { FaultSummary, Submit, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Head, Section } from '../ui/page';
import { Shown, useList } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table } from '../ui/table';
import { ListDetail } from './detail';
import { ListImport } from './import';

/* The question that is asked most on the telephone: is this address on a list? */
function Check() {
  const [address, setAddress] = useState('');
  const [answer, setAnswer] = useState<ListCheck | null>(null);
  const { isSending, problem, send } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    setAnswer(null);
    const done = await send(async () => (await get<ListCheck>('/list-check', { address: address.trim() })).data);
    if (done) setAnswer(done);
  };
  return (
    <Section title={tr('list_check')}>
      <form class="filters" onSubmit={submit}>
        <label class="filter filter-grow">
          <span>{tr('ip_address')}</span>
          <input
            value={address}
            inputMode="text"
            autocomplete="off"
            spellcheck={false}
            onInput={(e) => setAddress(e.currentTarget.value)}
            required
          />
        </label>
        <Submit isSending={isSending}>{tr('check')}</Submit>
      </form>
      <FaultSummary problem={problem} />
      {answer && (
        <div role="status">
          {answer.is_listed ? (
            <ul class="plain">
              {answer.items.map((e, i) => (
                <li key={i} class="warn-line">
                  <Icon name="warning" />
                  {tr('list_check_on', { list: e.list ?? '', version: e.version ?? 0, value: e.value, family: e.family || '–' })}
                </li>
              ))}
            </ul>
          ) : (
            <p class="calm-line">
              <Icon name="check" />
              {tr('list_check_off', { address: answer.address, n: formatNumber(answer.lists_asked) })}
            </p>
          )}
        </div>
      )}
    </Section>
  );
}

function Lists() {
  const list = useList<List>('/lists');
  return (
    <>
      <Head title={tr('page_lists')}>
        {may('list.write') && (
          <a class="button button-main" href={to('lists', 'import')}>
            <Icon name="plus" />
            {tr('list_import')}
          </a>
        )}
        <ExportLinks href={(f) => exportHref('/lists', {}, f)} />
      </Head>
      <Shown of={list}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('lists_empty')} hint={tr('lists_empty_hint')} />
          ) : (
            <Table
              caption={tr('page_lists')}
              rows={list.items}
              rowKey={(l) => l.name}
              unit={tr('unit_lists')}
              total={list.total}
              next={list.next}
              onMore={() => void list.loadMore()}
              columns={[
                {
                  id: 'name',
                  title: tr('name'),
                  isMain: true,
                  by: (l) => l.name,
                  cell: (l) => (
                    <>
                      <a class="row-link" href={to('lists', l.name)}>
                        {l.name}
                      </a>
                      {l.fault && <span class="row-sub warn-line">{l.fault}</span>}
                    </>
                  ),
                },
                { id: 'kind', title: tr('kind'), cell: (l) => trOr('list_kind_', l.kind ?? '') },
                { id: 'source', title: tr('list_source'), cell: (l) => l.source || '–', by: (l) => l.source },
                { id: 'letter', title: tr('list_letter'), isRare: true, cell: (l) => l.letter || '–' },
                { id: 'date', title: tr('list_date'), isNumber: true, cell: (l) => formatDay(l.date), by: (l) => l.date },
                { id: 'version', title: tr('list_version'), isNumber: true, cell: (l) => formatNumber(l.version), by: (l) => l.version },
                { id: 'entries', title: tr('list_entries'), isNumber: true, cell: (l) => formatNumber(l.entries), by: (l) => l.entries },
              ]}
            />
          )
        }
      </Shown>
      <Check />
    </>
  );
}

export function ListPage({ route }: PageProps) {
  const name = route.path[1];
  if (name === 'import') return <ListImport name={route.query.get('name') ?? ''} />;
  return name ? <ListDetail name={name} query={route.query} /> : <Lists />;
}
