/* SPDX-License-Identifier: Apache-2.0 */
/* alert/detail - one alert: what is known, its story, who talked with whom, the rows behind it, and what was decided. */
import { useMemo, useState } from 'preact/hooks';
import { post } from '../api/client';
import type { Alert, EvidenceRow, Finding, Remote, StoryItem } from '../api/types';
import { useKeys } from '../app/keys';
import { go, to } from '../app/router';
import { may } from '../app/session';
import { tr, trOr } from '../text/catalogue';
import { formatAge, formatBytes, formatNumber, formatSecond, formatTime } from '../text/format';
import { AlertStateBadge, Due, Severity, Tlp } from '../ui/badge';
import { Series } from '../ui/chart';
import { FaultSummary, Submit, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Facts, Head, Section } from '../ui/page';
import { Peers } from '../ui/peers';
import { RowsTable } from '../ui/rows';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { say } from '../ui/toast';
import { Decide } from './decide';
import { Suppress, goBackToList } from './list';
import { lastList, neighbour } from './triage';

/* what a decision says beside its reason */
function decisionText(s: StoryItem): string {
  const words = [
    s.state && trOr('alert_state_', s.state),
    s.verdict && trOr('alert_verdict_', s.verdict),
    s.assignee && tr('story_to', { name: s.assignee.name }),
  ];
  return words.filter(Boolean).join(' · ');
}

function Story({ id, version }: { id: number; version: number }) {
  const story = useList<StoryItem>(`/alerts/${id}/story`, {}, { events: (e) => e.name === 'alert' && e.data.id === id });
  const [text, setText] = useState('');
  const { isSending, problem, send } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    if (!text.trim()) return;
    const done = await send(() => post(`/alerts/${id}/notes`, { text: text.trim() }));
    if (!done) return;
    setText('');
    story.reload();
  };
  return (
    <Section title={tr('story_title')} id="story">
      <Shown of={story} lines={4}>
        {() => (
          <ol class="story" data-version={version}>
            {story.items.map((s, i) => (
              <li key={i} class={`story-${s.kind}`}>
                <span class="story-at">{formatTime(s.at)}</span>
                <div>
                  <p class="story-head">
                    <strong>{trOr('story_', s.kind)}</strong>
                    {s.person && <> · {s.person.name}</>}
                    {s.count ? (
                      <>
                        {' '}
                        · {formatNumber(s.count)} {tr('count_unit_luot')}
                      </>
                    ) : null}
                  </p>
                  {s.kind === 'decision' && <p>{decisionText(s)}</p>}
                  {s.text && <p class="story-text">{s.text}</p>}
                </div>
              </li>
            ))}
          </ol>
        )}
      </Shown>
      {story.next && (
        <button type="button" class="button button-small" onClick={() => void story.loadMore()}>
          {tr('more_rows')}
        </button>
      )}
      {may('alert.write') && (
        <form class="note" onSubmit={submit}>
          <FaultSummary problem={problem} />
          <label for="note">{tr('note_add')}</label>
          <textarea id="note" name="text" rows={2} value={text} onInput={(e) => setText(e.currentTarget.value)} />
          <Submit isSending={isSending}>{tr('note_save')}</Submit>
        </form>
      )}
    </Section>
  );
}

/* A finding as one flat row: what it says under the names it has. */
function flat(f: Finding): EvidenceRow {
  const row: EvidenceRow = { 'event.start': f.first_at, 'event.end': f.last_at };
  const walk = (prefix: string, value: unknown) => {
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') row[prefix] = value;
    else if (Array.isArray(value)) row[prefix] = value.map((v) => (typeof v === 'object' ? JSON.stringify(v) : String(v))).join(', ');
    else for (const [name, inner] of Object.entries(value as object)) walk(prefix ? `${prefix}.${name}` : name, inner);
  };
  walk('', f.finding);
  if (f.is_withdrawn) row['finding.withdrawn'] = true;
  return row;
}

function Evidence({ alert }: { alert: Alert }) {
  const rows = useList<Finding>(`/alerts/${alert.id}/findings`);
  const flatRows = useMemo(() => rows.items.map(flat), [rows.data]);
  const searchHref =
    may('event.search') && alert.query ? to('search', { q: alert.query, since: alert.first_at, until: alert.last_at }) : null;
  return (
    <Section
      title={tr('evidence_title')}
      id="evidence"
      actions={
        searchHref && (
          <a class="button button-small" href={searchHref}>
            {tr('evidence_search')}
          </a>
        )
      }
    >
      <Shown of={rows} lines={4}>
        {() =>
          rows.items.length ? (
            <RowsTable hasKeys={false} rows={flatRows} caption={tr('evidence_title')} total={rows.total} />
          ) : (
            <Empty title={tr('evidence_empty')} hint={tr('evidence_empty_hint')} />
          )
        }
      </Shown>
    </Section>
  );
}

/* What would leave the house if this sign were shared: shown before anything leaves. */
function SharePreview({ alert }: { alert: Alert }) {
  const [preview, setPreview] = useState<Record<string, unknown> | null>(null);
  const { isSending, problem, send } = useSend();
  const ask = async () => {
    const done = await send(async () => (await post<Record<string, unknown>>(`/alerts/${alert.id}/share-preview`)).data);
    if (done) setPreview(done);
  };
  return (
    <div class="share">
      <button type="button" class="button" disabled={isSending} onClick={() => void ask()}>
        {tr('share_preview')}
      </button>
      <FaultSummary problem={problem} />
      {preview && (
        <>
          <p class="hint">{tr('share_preview_hint')}</p>
          <pre tabIndex={0}>{JSON.stringify(preview, null, 2)}</pre>
        </>
      )}
    </div>
  );
}

function copyMessage(a: Alert): void {
  const text = `${tr('alert')} #${a.id}: ${location.origin}/${to('alerts', a.id)}`;
  navigator.clipboard.writeText(text).then(
    () => say(tr('copied')),
    () => say(tr('copy_failed'), true),
  );
}

function Known({ a }: { a: Alert }) {
  const searchHref =
    a.entity.kind === 'ip' && may('event.search')
      ? to('search', { q: `source.ip : ${a.entity.value} or destination.ip : ${a.entity.value}`, since: a.first_at, until: a.last_at })
      : null;
  return (
    <Facts
      of={[
        [tr('alert_entity'), searchHref ? <a href={searchHref}>{a.entity.value}</a> : a.entity.value],
        [tr('machine'), a.machine && (may('asset.read') ? <a href={to('machines', a.machine.id)}>{a.machine.name}</a> : a.machine.name)],
        [tr('unit'), !a.unit_name ? tr('unit_unknown') : may('unit.read') ? <a href={to('units', a.unit)}>{a.unit_name}</a> : a.unit_name],
        [tr('alert_first'), formatSecond(a.first_at)],
        [tr('alert_last'), formatSecond(a.last_at)],
        [tr('alert_count'), `${formatNumber(a.count)} ${tr('count_unit_luot')}`],
        [tr('alert_rule'), a.rule && a.rule.name],
        [tr('alert_cause'), a.cause],
        [tr('alert_confidence'), a.confidence == null ? null : `${formatNumber(a.confidence)} %`],
        ['ATT&CK', a.attack?.length ? a.attack.join(', ') : null],
        [tr('alert_list'), a.list && (may('list.read') ? <a href={to('lists', a.list)}>{a.list}</a> : a.list)],
        [tr('alert_follows'), a.follows && <a href={to('alerts', a.follows)}>#{a.follows}</a>],
        [tr('alert_tlp'), <Tlp of={a.tlp} />],
      ]}
    />
  );
}

/* The figures a behaviour was judged by, each beside the limit it was held against. */
function Numbers(props: { of: NonNullable<Alert['numbers']> }) {
  const show = (v: number | undefined) => (v === undefined ? '–' : formatNumber(Math.round(v * 100) / 100));
  return (
    <Section title={tr('numbers_title')}>
      <table class="compact">
        <thead>
          <tr>
            <th scope="col">{tr('number_name')}</th>
            <th scope="col" class="is-number">
              {tr('number_value')}
            </th>
            <th scope="col" class="is-number">
              {tr('number_limit')}
            </th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(props.of).map(([name, n]) => (
            <tr key={name}>
              <th scope="row">{name.replace(/_/g, ' ')}</th>
              <td class="is-number">{show(n.value)}</td>
              <td class="is-number">{show(n.limit)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function RemotesOf({ alert: a }: { alert: Alert }) {
  const remotes = (a.remotes ?? []).map((r): Remote => (typeof r === 'string' ? { ip: r } : r));
  if (!remotes.length) return null;
  const peers = remotes.map((r) => {
    const address = r.ip ?? r.name ?? '?';
    return {
      name: r.port ? `${address}:${r.port}` : address,
      weight: r.bytes ?? r.flows ?? 0,
      note: [r.flows != null && `${formatNumber(r.flows)} ${tr('count_unit_luot')}`, r.bytes != null && formatBytes(r.bytes)]
        .filter(Boolean)
        .join(' · '),
      href:
        r.ip && may('event.search')
          ? to('search', { q: `source.ip : ${r.ip} or destination.ip : ${r.ip}`, since: a.first_at, until: a.last_at })
          : null,
    };
  });
  return (
    <Section title={tr('peers_title')}>
      <Peers entity={a.machine?.name ?? a.entity.value} sub={a.machine ? a.entity.value : ''} peers={peers} />
    </Section>
  );
}

export function AlertDetail({ id }: { id: number }) {
  const alert = useResource<Alert>(`/alerts/${id}`, {}, { events: (e) => e.name === 'alert' && e.data.id === id });
  const [isSuppressing, setSuppressing] = useState(false);
  const move = (by: 1 | -1) => {
    const other = neighbour(id, by);
    if (other) go(to('alerts', other));
  };
  useKeys([
    { key: 'j', what: tr('key_next_alert'), run: () => move(1) },
    { key: 'k', what: tr('key_previous_alert'), run: () => move(-1) },
    { key: 'Escape', what: tr('key_back'), run: goBackToList },
    { key: 'n', what: tr('key_note'), run: () => document.getElementById('note')?.focus() },
    {
      key: 'e',
      what: tr('key_decide'),
      run: () => document.querySelector<HTMLElement>('#decide input, #decide select, #decide button')?.focus(),
    },
  ]);
  return (
    <Shown of={alert} lines={12} isPage>
      {(a) => (
        <>
          <Head
            title={a.title}
            back={{ href: lastList.get().href, text: tr('page_alerts') }}
            sub={
              <>
                <Severity of={a.severity} />
                <AlertStateBadge of={a.state} />
                {a.verdict && <span class="badge badge-calm">{trOr('alert_verdict_', a.verdict)}</span>}
                <Tlp of={a.tlp} />
                {a.state !== 'resolved' && <Due at={a.due_at} isOverdue={a.overdue} />}
                <span class="muted">#{a.id}</span>
              </>
            }
          >
            <button type="button" class="button" onClick={() => copyMessage(a)}>
              <Icon name="copy" />
              {tr('copy_message')}
            </button>
            <button type="button" class="button" onClick={() => print()}>
              <Icon name="print" />
              {tr('print')}
            </button>
          </Head>
          {a.suppressed_by && (
            <p class="warn-line">
              <Icon name="warning" />
              {tr('suppressed_by', { id: a.suppressed_by })}
            </p>
          )}
          <div class="detail">
            <div class="detail-main">
              <Section title={tr('known_title')}>
                <Known a={a} />
              </Section>
              {a.series && (
                <Section title={tr('series_title')}>
                  <Series of={a.series} label={tr('series_label', { age: formatAge(a.series.step_s * 1000) })} />
                </Section>
              )}
              {a.numbers && Object.keys(a.numbers).length > 0 && <Numbers of={a.numbers} />}
              <RemotesOf alert={a} />
              <Evidence alert={a} />
            </div>
            <div class="detail-side">
              {may('alert.write') && <Decide alert={a} version={alert.version ?? a.version} onFresh={(fresh, v) => alert.set(fresh, v)} />}
              <Story id={a.id} version={a.version} />
              <div class="side-actions no-print">
                {may('alert.suppress') && (
                  <button type="button" class="button" onClick={() => setSuppressing(true)}>
                    {tr('suppress')}
                  </button>
                )}
                {may('exchange') && <SharePreview alert={a} />}
              </div>
            </div>
          </div>
          {isSuppressing && (
            <Suppress
              alert={a}
              onClose={() => setSuppressing(false)}
              onDone={() => {
                setSuppressing(false);
                alert.reload();
              }}
            />
          )}
        </>
      )}
    </Shown>
  );
}
