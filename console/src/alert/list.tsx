/* SPDX-License-Identifier: Apache-2.0 */
/* alert/list - triage: filters that are the address, saved views, marks and what is done to all that are marked. */
import { useEffect, useState } from 'preact/hooks';
import { Problem, call, exportHref, get, patch, post, remove, session } from '../api/client';
import type { Alert, Page, View } from '../api/types';
import { useKeys } from '../app/keys';
import { currentRoute, go, queryText, setQuery, to, type Query } from '../app/router';
import { may } from '../app/session';
import { tr, trOr } from '../text/catalogue';
import { formatNumber, formatShort, formatTime, parseTime } from '../text/format';
import { AlertStateBadge, Due, SEVERITIES, Severity } from '../ui/badge';
import { Dialog } from '../ui/dialog';
import { AreaField, CheckField, FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Head } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table, type Column } from '../ui/table';
import { say } from '../ui/toast';
import { lastList } from './triage';

const STATES = ['new', 'open', 'assigned', 'resolved'];
const FILTERS = ['state', 'severity', 'verdict', 'unit', 'assignee', 'q', 'cause', 'since', 'until', 'sort', 'overdue', 'suppressed'];

function toQuery(q: URLSearchParams): Query {
  const out: Query = {};
  for (const name of FILTERS) out[name] = q.get(name);
  return out;
}

function columns(): Column<Alert>[] {
  return [
    { id: 'severity', title: tr('severity'), cell: (a) => <Severity of={a.severity} /> },
    {
      id: 'title',
      title: tr('alert'),
      isMain: true,
      isWide: true,
      cell: (a) => (
        <>
          <a href={to('alerts', a.id)} class="row-link">
            {a.title}
          </a>
          <span class="row-sub">
            {a.entity.value}
            {a.machine && a.machine.name !== a.entity.value ? ` · ${a.machine.name}` : ''}
            {a.list ? ` · ${a.list}` : ''}
          </span>
        </>
      ),
    },
    { id: 'unit', title: tr('unit'), cell: (a) => a.unit_name || <span class="muted">{tr('unit_unknown')}</span> },
    { id: 'count', title: tr('alert_count'), isNumber: true, cell: (a) => formatNumber(a.count) },
    {
      id: 'last',
      title: tr('alert_last'),
      isNumber: true,
      cell: (a) => <span title={formatTime(a.last_at)}>{formatShort(a.last_at)}</span>,
    },
    {
      id: 'due',
      title: tr('alert_due'),
      cell: (a) => (a.state === 'resolved' ? <span class="muted">–</span> : <Due at={a.due_at} isOverdue={a.overdue} />),
    },
    {
      id: 'assignee',
      title: tr('alert_assignee'),
      isRare: true,
      cell: (a) => a.assignee?.name ?? <span class="muted">{tr('nobody')}</span>,
    },
    { id: 'state', title: tr('alert_state'), cell: (a) => <AlertStateBadge of={a.state} /> },
  ];
}

function TimeFilter(props: { name: 'since' | 'until'; label: string; value: string | null }) {
  const [text, setText] = useState(props.value ? formatTime(props.value) : '');
  const [isWrong, setWrong] = useState(false);
  const done = () => {
    const at = text.trim() ? parseTime(text) : '';
    setWrong(at === null);
    if (at !== null) setQuery({ [props.name]: at });
  };
  return (
    <label class={isWrong ? 'filter has-fault' : 'filter'}>
      <span>{props.label}</span>
      <input
        value={text}
        placeholder="dd/mm/yyyy HH:MM"
        size={15}
        aria-invalid={isWrong || undefined}
        onInput={(e) => setText(e.currentTarget.value)}
        onBlur={done}
        onKeyDown={(e) => e.key === 'Enter' && done()}
      />
    </label>
  );
}

function Filters({ query }: { query: URLSearchParams }) {
  const toggle = (s: string) => setQuery({ severity: query.get('severity') === s ? '' : s });
  const [text, setText] = useState(query.get('q') ?? '');
  useEffect(() => setText(query.get('q') ?? ''), [query]);
  const isAny = FILTERS.some((f) => f !== 'sort' && query.get(f));
  return (
    <form
      class="filters"
      onSubmit={(e) => {
        e.preventDefault();
        setQuery({ q: text });
      }}
    >
      <fieldset class="chips">
        <legend>{tr('alert_severity')}</legend>
        {SEVERITIES.map((s) => (
          <button key={s} type="button" class="chip" aria-pressed={query.get('severity') === s} onClick={() => toggle(s)}>
            <Severity of={s} />
          </button>
        ))}
      </fieldset>
      <label class="filter">
        <span>{tr('alert_state')}</span>
        <select value={query.get('state') ?? ''} onChange={(e) => setQuery({ state: e.currentTarget.value })}>
          <option value="">{tr('alert_state_unresolved')}</option>
          <option value="any">{tr('any')}</option>
          {STATES.map((s) => (
            <option key={s} value={s}>
              {trOr('alert_state_', s)}
            </option>
          ))}
        </select>
      </label>
      <label class="filter">
        <span>{tr('alert_assignee')}</span>
        <select value={query.get('assignee') ?? ''} onChange={(e) => setQuery({ assignee: e.currentTarget.value })}>
          <option value="">{tr('any')}</option>
          <option value="me">{tr('me')}</option>
          <option value="none">{tr('nobody')}</option>
        </select>
      </label>
      <TimeFilter key={`s${query.get('since')}`} name="since" label={tr('since')} value={query.get('since')} />
      <TimeFilter key={`u${query.get('until')}`} name="until" label={tr('until_label')} value={query.get('until')} />
      <label class="filter filter-grow">
        <span>{tr('words')}</span>
        <input
          type="search"
          value={text}
          placeholder={tr('alert_words_hint')}
          data-search
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), setQuery({ q: text }))}
          onBlur={() => text !== (query.get('q') ?? '') && setQuery({ q: text })}
        />
      </label>
      {isAny && (
        <a class="button button-small" href="#/alerts">
          {tr('filters_clear')}
        </a>
      )}
    </form>
  );
}

function Views({ query }: { query: URLSearchParams }) {
  const views = useResource<Page<View>>('/views');
  const [isSaving, setSaving] = useState(false);
  const [name, setName] = useState('');
  const [isShared, setShared] = useState(false);
  const { isSending, problem, send } = useSend();
  const now = query.toString();
  const fixed: [string, string][] = [
    ['', tr('view_unresolved')],
    ['assignee=me', tr('view_mine')],
    ['state=new', tr('view_new')],
    ['overdue=1', tr('view_overdue')],
    ['state=resolved', tr('view_resolved')],
    ['suppressed=yes', tr('view_suppressed')],
  ];
  const save = async (e: Event) => {
    e.preventDefault();
    const done = await send(() => call('PUT', `/views/${encodeURIComponent(name.trim())}`, { body: { filter: now, is_shared: isShared } }));
    if (!done) return;
    setSaving(false);
    setName('');
    views.reload();
    say(tr('view_saved'));
  };
  const drop = async (v: View) => {
    const done = await send(() => remove(`/views/${encodeURIComponent(v.name)}`));
    if (done) views.reload();
  };
  return (
    <nav class="views" aria-label={tr('views')}>
      {fixed.map(([q, text]) => (
        <a key={q} href={`#/alerts${q ? `?${q}` : ''}`} aria-current={now === q ? 'page' : undefined}>
          {text}
        </a>
      ))}
      {views.data?.items.map((v) => (
        <span key={v.id} class="view-own">
          <a href={`#/alerts?${v.filter.replace(/^\?/, '')}`} aria-current={now === v.filter ? 'page' : undefined}>
            {v.name}
          </a>
          {v.is_mine && (
            <button type="button" class="button-icon" aria-label={tr('view_drop', { name: v.name })} onClick={() => void drop(v)}>
              <Icon name="close" />
            </button>
          )}
        </span>
      ))}
      {views.data && now && (
        <button type="button" class="link" onClick={() => setSaving(true)}>
          <Icon name="plus" />
          {tr('view_save')}
        </button>
      )}
      {isSaving && (
        <Dialog title={tr('view_save')} onClose={() => setSaving(false)}>
          <form onSubmit={save}>
            <FaultSummary problem={problem} />
            <TextField label={tr('name')} name="name" value={name} onValue={setName} required maxLength={80} />
            <CheckField label={tr('view_share')} isOn={isShared} onChange={setShared} />
            <Submit isSending={isSending}>{tr('save')}</Submit>
          </form>
        </Dialog>
      )}
    </nav>
  );
}

interface BulkResult {
  items: { id: number; status: number; title?: string }[];
}

/* Bulk - what is done to all that are marked, and honestly what became of each. */
function Bulk(props: { alerts: Alert[]; onDone: () => void; onClear: () => void }) {
  const [change, setChange] = useState('assign_me');
  const [note, setNote] = useState('');
  const { isSending, problem, send } = useSend();
  const me = session.get()?.person.id;
  const changes: Record<string, object> = {
    assign_me: { assignee: me, state: 'assigned' },
    open: { state: 'open' },
    verdict_true: { state: 'resolved', verdict: 'true' },
    verdict_false: { state: 'resolved', verdict: 'false' },
    verdict_benign: { state: 'resolved', verdict: 'benign' },
  };
  const needsNote = change.startsWith('verdict_');
  const submit = async (e: Event) => {
    e.preventDefault();
    if (needsNote && !note.trim()) {
      say(tr('bulk_note_needed'), true);
      return;
    }
    const done = await send(
      async () =>
        (
          await post<BulkResult>('/alerts/bulk', {
            items: props.alerts.map((a) => ({ id: a.id, version: a.version })),
            ...changes[change],
            ...(note.trim() ? { reason: note.trim() } : {}),
          })
        ).data,
    );
    if (!done) return;
    const all = done.items ?? [];
    const n = all.filter((i) => i.status < 400).length;
    const nLate = all.filter((i) => i.status === 412).length;
    if (nLate || n < props.alerts.length) say(tr('bulk_partly', { n, of: props.alerts.length, late: nLate }), true);
    else say(tr('bulk_done', { n }));
    setNote('');
    props.onDone();
  };
  return (
    <form class="bulk" onSubmit={submit} aria-label={tr('bulk_title')}>
      <strong>{tr('bulk_marked', { n: formatNumber(props.alerts.length) })}</strong>
      <select aria-label={tr('bulk_what')} value={change} onChange={(e) => setChange(e.currentTarget.value)}>
        {Object.keys(changes).map((c) => (
          <option key={c} value={c}>
            {tr(`bulk_${c}`)}
          </option>
        ))}
      </select>
      <input
        value={note}
        onInput={(e) => setNote(e.currentTarget.value)}
        placeholder={needsNote ? tr('bulk_reason') : tr('bulk_note')}
        aria-label={needsNote ? tr('bulk_reason') : tr('bulk_note')}
      />
      <Submit isSending={isSending}>{tr('apply')}</Submit>
      <button type="button" class="button" onClick={props.onClear}>
        {tr('unmark')}
      </button>
      {problem && <FaultSummary problem={problem} />}
    </form>
  );
}

function Suppress(props: { alert: Alert; onClose: () => void; onDone: () => void }) {
  const [reason, setReason] = useState('');
  const [days, setDays] = useState('7');
  const { isSending, problem, send, faults } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    const until = new Date(Date.now() + Number(days) * 86_400_000).toISOString();
    const done = await send(() =>
      post('/suppressions', {
        unit: props.alert.unit,
        cause: props.alert.cause,
        entity: props.alert.entity.value,
        reason: reason.trim(),
        until,
      }),
    );
    if (!done) return;
    say(tr('suppress_done'));
    props.onDone();
  };
  return (
    <Dialog title={tr('suppress_title')} onClose={props.onClose}>
      <form onSubmit={submit}>
        <FaultSummary problem={problem} />
        <p>{tr('suppress_what', { rule: props.alert.rule?.name ?? props.alert.title, entity: props.alert.entity.value })}</p>
        <AreaField label={tr('reason')} name="reason" value={reason} onValue={setReason} fault={faults.reason} required />
        <SelectField
          label={tr('suppress_until')}
          name="until"
          value={days}
          onValue={setDays}
          options={['1', '7', '30', '90'].map((d) => [d, tr('days', { n: d })])}
        />
        <Submit isSending={isSending}>{tr('suppress')}</Submit>
      </form>
    </Dialog>
  );
}

export { Suppress };

export function AlertList({ query }: { query: URLSearchParams }) {
  const ask = toQuery(query);
  const list = useList<Alert>('/alerts', ask, { events: (e) => e.name === 'alert' });
  const [marked, setMarked] = useState<Set<string | number>>(new Set());
  const mayWrite = may('alert.write');
  useEffect(() => {
    lastList.set({ ids: list.items.map((a) => a.id), href: `#/alerts${queryText(Object.fromEntries(currentRoute().query))}` });
  }, [list.data, list.items.length]);
  useEffect(() => setMarked(new Set()), [query.toString()]);
  const chosen = list.items.filter((a) => marked.has(a.id));
  const takeFocused = async () => {
    const href = (document.activeElement as HTMLElement | null)?.closest('tr')?.querySelector('a')?.getAttribute('href');
    const a = list.items.find((x) => to('alerts', x.id) === href);
    if (!a || !mayWrite) return;
    try {
      const fresh = await get<Alert>(`/alerts/${a.id}`);
      await patch(`/alerts/${a.id}`, { assignee: session.get()?.person.id, state: 'assigned' }, fresh.version ?? fresh.data.version);
      say(tr('taken', { title: a.title }));
      list.reload();
    } catch (e) {
      if (e instanceof Problem) say(e.title || tr('problem_other', { status: e.status }), true);
    }
  };
  useKeys([
    ...(mayWrite ? [{ key: 'm', what: tr('key_take'), run: () => void takeFocused() }] : []),
    { key: 'r', what: tr('key_reload'), run: list.reload },
  ]);
  return (
    <>
      <Head title={tr('page_alerts')}>
        <ExportLinks href={(f) => exportHref('/alerts', ask, f)} />
      </Head>
      <Views query={query} />
      <Filters query={query} />
      <Shown of={list} lines={10}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('alerts_empty')} hint={query.toString() ? tr('alerts_empty_filtered') : tr('alerts_empty_hint')} />
          ) : (
            <Table
              caption={tr('page_alerts')}
              rows={list.items}
              columns={columns()}
              rowKey={(a) => a.id}
              rowName={(a) => a.title}
              unit={tr('unit_alerts')}
              rowClass={(a) => (a.overdue && a.state !== 'resolved' ? 'is-over' : '')}
              {...(mayWrite ? { marked, onMark: setMarked } : {})}
              sort={String(ask.sort ?? 'last')}
              serverSorts={['severity', 'last', 'due']}
              onSort={(id) => setQuery({ sort: id })}
              total={list.total}
              isEstimate={list.isEstimate}
              next={list.next}
              onMore={() => void list.loadMore()}
            />
          )
        }
      </Shown>
      {chosen.length > 0 && (
        <Bulk
          alerts={chosen}
          onClear={() => setMarked(new Set())}
          onDone={() => {
            setMarked(new Set());
            list.reload();
          }}
        />
      )}
    </>
  );
}

export function goBackToList(): void {
  go(lastList.get().href);
}
