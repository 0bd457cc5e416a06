/* SPDX-License-Identifier: Apache-2.0 */
/*
 * portal/page - Việc của đơn vị tôi: only what waits for this unit, till when, and a way to answer. Made for a telephone first; most
 * who come here come rarely, so every word is plain and one thing stands on a line.
 */
import { useState } from 'preact/hooks';
import { Problem, post, session } from '../api/client';
import type { Alert } from '../api/types';
import type { PageProps } from '../app/lazy';
import { to } from '../app/router';
import { useStore } from '../app/store';
import { tr } from '../text/catalogue';
import { formatNumber, formatTime } from '../text/format';
import { Due, Severity } from '../ui/badge';
import { AreaField, FaultSummary, Submit, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Facts, Head, Section } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { say } from '../ui/toast';

const ANSWERS = ['cleaned', 'working', 'not_ours', 'wrong', 'help'] as const;

function Card({ of }: { of: Alert }) {
  return (
    <li>
      <a class={of.overdue ? 'task is-over' : 'task'} href={to('portal', of.id)}>
        <span class="task-head">
          <Severity of={of.severity} />
          <Due at={of.due_at} isOverdue={of.overdue} />
        </span>
        <strong>{of.title}</strong>
        <span class="muted">
          {of.machine?.name ?? of.entity.value} · {of.unit_name}
        </span>
        <Icon name="chevron" />
      </a>
    </li>
  );
}

function Tasks() {
  const list = useList<Alert>('/alerts', { state: 'unresolved', sort: 'due' }, { events: (e) => e.name === 'alert' });
  const who = useStore(session);
  const units = [...new Set(who?.roles.map((r) => r.unit_name).filter(Boolean))].join(', ');
  return (
    <div class="portal">
      <Head title={tr('page_portal')} sub={<span class="muted">{units}</span>} />
      <Shown of={list} lines={6}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('portal_empty')} hint={tr('portal_empty_hint')} />
          ) : (
            <>
              <p>{tr('portal_waiting', { n: formatNumber(list.total ?? list.items.length) })}</p>
              <ul class="tasks">
                {list.items.map((a) => (
                  <Card key={a.id} of={a} />
                ))}
              </ul>
              {list.next && (
                <button type="button" class="button" onClick={() => void list.loadMore()}>
                  {tr('more_rows')}
                </button>
              )}
            </>
          )
        }
      </Shown>
    </div>
  );
}

function Answer({ alert, onDone }: { alert: Alert; onDone: () => void }) {
  const [kind, setKind] = useState<string>('');
  const [text, setText] = useState('');
  const [missing, setMissing] = useState(false);
  const { isSending, problem, send, faults } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    setMissing(!kind);
    if (!kind) return;
    const done = await send(async () => {
      try {
        return await post(`/alerts/${alert.id}/answer`, { kind, text: text.trim() });
      } catch (e) {
        /* a node that takes no answers yet: say whom to call, do not lose what was written */
        throw e instanceof Problem && (e.status === 404 || e.status === 405)
          ? new Problem(e.status, '', tr('answer_not_taken'), tr('answer_not_taken_hint'))
          : e;
      }
    });
    if (!done) return;
    setText('');
    setKind('');
    say(tr('answer_sent'));
    onDone();
  };
  return (
    <form onSubmit={submit} noValidate>
      <FaultSummary problem={problem} />
      <fieldset class={missing ? 'answers has-fault' : 'answers'}>
        <legend>{tr('answer_question')}</legend>
        {missing && <p class="fault">{tr('answer_missing')}</p>}
        {ANSWERS.map((a) => (
          <label key={a} class="answer">
            <input
              type="radio"
              name="kind"
              value={a}
              checked={kind === a}
              onChange={() => {
                setKind(a);
                setMissing(false);
              }}
            />
            <span>
              {tr(`answer_${a}`)}
              <span class="row-sub">{tr(`answer_${a}_hint`)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <AreaField
        label={tr('answer_text')}
        name="text"
        hint={tr('answer_text_hint')}
        value={text}
        onValue={setText}
        fault={faults.text}
        rows={4}
      />
      <Submit isSending={isSending}>{tr('answer_send')}</Submit>
    </form>
  );
}

function Task({ id }: { id: number }) {
  const alert = useResource<Alert>(`/alerts/${id}`);
  const story = useList<{ at: string; kind: string; person: { name: string } | null; text: string | null }>(`/alerts/${id}/story`);
  return (
    <div class="portal">
      <Shown of={alert} isPage>
        {(a) => (
          <>
            <Head
              title={a.title}
              back={{ href: to('portal'), text: tr('page_portal') }}
              sub={
                <>
                  <Severity of={a.severity} />
                  {a.state !== 'resolved' && <Due at={a.due_at} isOverdue={a.overdue} />}
                </>
              }
            />
            <Section title={tr('known_title')}>
              <Facts
                of={[
                  [tr('machine'), a.machine?.name ?? null],
                  [tr('alert_entity'), a.entity.value],
                  [tr('unit'), a.unit_name],
                  [tr('alert_first'), formatTime(a.first_at)],
                  [tr('alert_last'), formatTime(a.last_at)],
                  [tr('alert_count'), `${formatNumber(a.count)} ${tr('count_unit_luot')}`],
                  [tr('alert_list'), a.list],
                  [tr('answer_until'), a.due_at ? formatTime(a.due_at) : null],
                ]}
              />
            </Section>
            <Section title={tr('answer_title')}>
              <Answer
                alert={a}
                onDone={() => {
                  story.reload();
                  alert.reload();
                }}
              />
            </Section>
            {story.items.some((s) => s.text && s.kind !== 'finding') && (
              <Section title={tr('answer_earlier')}>
                <ul class="plain notes">
                  {story.items
                    .filter((s) => s.text && s.kind !== 'finding')
                    .map((s, i) => (
                      <li key={i}>
                        <span class="muted">
                          {formatTime(s.at)}
                          {s.person ? ` · ${s.person.name}` : ''}
                        </span>
                        <p class="story-text">{s.text}</p>
                      </li>
                    ))}
                </ul>
              </Section>
            )}
          </>
        )}
      </Shown>
    </div>
  );
}

export function PortalPage({ route }: PageProps) {
  const id = Number(route.path[1]);
  return Number.isInteger(id) && id > 0 ? <Task id={id} /> : <Tasks />;
}
