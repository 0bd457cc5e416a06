/* SPDX-License-Identifier: Apache-2.0 */
/* audit/page - who did and read what; the head of the chain to compare with a printed one; a check of the whole chain. */
import { useState } from 'preact/hooks';
import { exportHref, get } from '../api/client';
import type { AuditEntry, AuditHead, AuditVerified } from '../api/types';
import type { PageProps } from '../app/lazy';
import { setQuery } from '../app/router';
import { tr, trOr } from '../text/catalogue';
import { formatNumber, formatSecond, formatTime } from '../text/format';
import { Dialog } from '../ui/dialog';
import { FaultSummary, Submit, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Facts, Head, Section } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table } from '../ui/table';
import { Window } from '../search/parts';

function Chain() {
  const head = useResource<AuditHead>('/audit/head');
  const [printed, setPrinted] = useState('');
  const [answer, setAnswer] = useState<AuditVerified | null>(null);
  const { isSending, problem, send } = useSend();
  const check = async (e: Event) => {
    e.preventDefault();
    setAnswer(null);
    const done = await send(
      async () => (await get<AuditVerified>('/audit/verify', { head: printed.replace(/\s/g, '').toLowerCase() })).data,
    );
    if (done) setAnswer(done);
  };
  return (
    <Section title={tr('audit_chain')}>
      <Shown of={head} lines={2}>
        {(h) => (
          <Facts
            of={[
              [tr('audit_entries'), formatNumber(h.n)],
              [tr('audit_head'), <span class="hash">{h.head ?? '–'}</span>],
              [tr('time'), formatTime(h.at)],
            ]}
          />
        )}
      </Shown>
      <form class="filters" onSubmit={check}>
        <label class="filter filter-grow">
          <span>{tr('audit_printed')}</span>
          <input value={printed} spellcheck={false} autocomplete="off" onInput={(e) => setPrinted(e.currentTarget.value)} />
        </label>
        <Submit isSending={isSending}>{tr('audit_verify')}</Submit>
      </form>
      <FaultSummary problem={problem} />
      {answer && (
        <div role="status">
          {answer.is_whole ? (
            <p class="calm-line">
              <Icon name="check" />
              {answer.has_head === null
                ? tr('audit_whole', { n: formatNumber(answer.entries) })
                : tr('audit_whole_head', { n: formatNumber(answer.entries) })}
            </p>
          ) : (
            <p class="warn-line">
              <Icon name="warning" />
              {answer.has_head === false && !answer.first_wrong && !answer.objects_wrong
                ? tr('audit_other_head')
                : tr('audit_broken', { n: formatNumber(answer.first_wrong), objects: formatNumber(answer.objects_wrong) })}
            </p>
          )}
        </div>
      )}
    </Section>
  );
}

export function AuditPage({ route }: PageProps) {
  const q = route.query;
  const ask = {
    who: q.get('who'),
    kind: q.get('kind'),
    action: q.get('action'),
    object: q.get('object'),
    since: q.get('since'),
    until: q.get('until'),
  };
  const list = useList<AuditEntry>('/audit', ask);
  const [open, setOpen] = useState<AuditEntry | null>(null);
  const field = (name: 'who' | 'kind' | 'action', label: string) => (
    <label class="filter">
      <span>{label}</span>
      <input value={q.get(name) ?? ''} size={14} onChange={(e) => setQuery({ [name]: e.currentTarget.value.trim() })} />
    </label>
  );
  return (
    <>
      <Head title={tr('page_audit')}>
        <ExportLinks href={(f) => exportHref('/audit', ask, f)} />
      </Head>
      <Chain />
      <div class="filters">
        {field('who', tr('audit_who'))}
        {field('action', tr('audit_action'))}
        {field('kind', tr('audit_kind'))}
        <Window since={q.get('since')} until={q.get('until')} onChange={(since, until) => setQuery({ since, until })} />
      </div>
      <Shown of={list}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('audit_empty')} />
          ) : (
            <Table
              caption={tr('page_audit')}
              rows={list.items}
              rowKey={(e) => e.n}
              unit={tr('unit_entries_trail')}
              total={list.total}
              next={list.next}
              onMore={() => void list.loadMore()}
              columns={[
                { id: 'n', title: tr('audit_n'), isNumber: true, cell: (e) => formatNumber(e.n) },
                { id: 'at', title: tr('time'), isNumber: true, cell: (e) => formatSecond(e.at) },
                { id: 'who', title: tr('audit_who'), cell: (e) => e.who },
                {
                  id: 'action',
                  title: tr('audit_action'),
                  isMain: true,
                  cell: (e) => (
                    <button type="button" class="link row-link" onClick={() => setOpen(e)}>
                      {trOr('action_', e.action.replace(/\./g, '_'))}
                    </button>
                  ),
                },
                {
                  id: 'object',
                  title: tr('audit_object'),
                  cell: (e) => (e.kind ? `${trOr('object_', e.kind)}${e.object ? ` #${e.object}` : ''}` : '–'),
                },
                { id: 'why', title: tr('reason'), isRare: true, isWide: true, cell: (e) => e.why || '–' },
                { id: 'address', title: tr('address'), isRare: true, cell: (e) => e.address || '–' },
              ]}
            />
          )
        }
      </Shown>
      {open && (
        <Dialog title={`${tr('audit_entry')} ${formatNumber(open.n)}`} onClose={() => setOpen(null)} isWide>
          <Facts
            of={[
              [tr('time'), formatSecond(open.at)],
              [tr('audit_who'), open.who],
              [tr('audit_action'), open.action],
              [tr('audit_object'), `${open.kind}${open.object ? ` #${open.object}` : ''}`],
              [tr('reason'), open.why],
              [tr('address'), open.address],
            ]}
          />
          {open.detail !== null && (
            <pre class="raw" tabIndex={0}>
              {JSON.stringify(open.detail, null, 2)}
            </pre>
          )}
          <p class="hash muted">{open.link}</p>
        </Dialog>
      )}
    </>
  );
}
