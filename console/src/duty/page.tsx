/* SPDX-License-Identifier: Apache-2.0 */
/* duty/page - who stands where now and can he be reached, the roster, and who was woken for what with the proof of each step. */
import { useState } from 'preact/hooks';
import { exportHref, post, remove } from '../api/client';
import type { DutyNow, Page, Shift, User, Wake } from '../api/types';
import type { PageProps } from '../app/lazy';
import { to } from '../app/router';
import { may } from '../app/session';
import { compareVietnamese } from '../text/collate';
import { tr, trOr } from '../text/catalogue';
import { formatTime, parseTime } from '../text/format';
import { State } from '../ui/badge';
import { Dialog } from '../ui/dialog';
import { FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Head, Section } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table } from '../ui/table';
import { say } from '../ui/toast';

const PLACES = ['shift', 'shift_deputy', 'technical', 'technical_deputy', 'leader', 'leader_deputy'];
const WAKE_TONES: Record<string, 'bad' | 'wait' | 'good' | 'calm'> = {
  running: 'wait',
  acknowledged: 'good',
  exhausted: 'bad',
  ended: 'calm',
};

function reach(s: { has_sms?: boolean; has_mail?: boolean }): string {
  return [s.has_sms && tr('duty_sms'), s.has_mail && tr('duty_mail')].filter(Boolean).join(', ');
}

function Now() {
  const now = useResource<DutyNow>('/duty/now', {}, { everyMs: 60_000 });
  return (
    <Section title={tr('duty_now')}>
      <Shown of={now} lines={4}>
        {(d) => (
          <>
            {!d.can_sms && (
              <p class="warn-line">
                <Icon name="warning" />
                {d.can_mail ? tr('duty_no_sms') : tr('duty_no_way')}
              </p>
            )}
            <Table
              caption={tr('duty_now')}
              rows={d.items}
              rowKey={(s) => `${s.place} ${s.id ?? ''}`}
              unit={tr('unit_shifts')}
              hasKeys={false}
              columns={[
                { id: 'place', title: tr('duty_place'), isMain: true, cell: (s) => trOr('duty_', s.place) },
                { id: 'person', title: tr('duty_person'), cell: (s) => s.person?.name ?? <span class="due-over">{tr('nobody')}</span> },
                { id: 'to', title: tr('until_label'), isNumber: true, cell: (s) => formatTime(s.to) },
                {
                  id: 'reach',
                  title: tr('duty_reach'),
                  cell: (s) => (s.person ? reach(s) || <span class="due-over">{tr('duty_no_reach')}</span> : '–'),
                },
              ]}
            />
          </>
        )}
      </Shown>
    </Section>
  );
}

function NewShift(props: { onClose: () => void; onDone: () => void }) {
  const users = useResource<Page<User>>('/users', { limit: 500 });
  const [place, setPlace] = useState('shift');
  const [person, setPerson] = useState('');
  const [from, setFrom] = useState('');
  const [until, setUntil] = useState('');
  const { isSending, problem, send, faults } = useSend();
  const wrong = (text: string) => (text.trim() && parseTime(text) === null ? tr('time_wrong') : undefined);
  const submit = async (e: Event) => {
    e.preventDefault();
    const done = await send(() => post('/duty/shifts', { place, person: Number(person), from: parseTime(from), to: parseTime(until) }));
    if (!done) return;
    say(tr('saved'));
    props.onDone();
  };
  const people = [...(users.data?.items ?? [])].sort((a, b) => compareVietnamese(a.name, b.name));
  return (
    <Dialog title={tr('duty_shift_new')} onClose={props.onClose}>
      <form onSubmit={submit} noValidate>
        <FaultSummary problem={problem} />
        <SelectField
          label={tr('duty_place')}
          name="place"
          value={place}
          onValue={setPlace}
          options={PLACES.map((p) => [p, trOr('duty_', p)])}
        />
        <SelectField
          label={tr('duty_person')}
          name="person"
          value={person}
          onValue={setPerson}
          fault={faults.person}
          options={[['', tr('choose')], ...people.map((u): [string, string] => [String(u.id), u.name])]}
        />
        <TextField
          label={tr('since')}
          name="from"
          value={from}
          onValue={setFrom}
          fault={faults.from ?? wrong(from)}
          placeholder="dd/mm/yyyy HH:MM"
        />
        <TextField
          label={tr('until_label')}
          name="to"
          value={until}
          onValue={setUntil}
          fault={faults.to ?? wrong(until)}
          placeholder="dd/mm/yyyy HH:MM"
        />
        <Submit isSending={isSending}>{tr('duty_shift_new')}</Submit>
      </form>
    </Dialog>
  );
}

function Shifts() {
  const list = useList<Shift>('/duty/shifts');
  const [isNew, setNew] = useState(false);
  const { problem, send } = useSend();
  const end = async (s: Shift) => {
    const done = await send(() => remove(`/duty/shifts/${s.id}`));
    if (done) list.reload();
  };
  const add = may('duty.write') && (
    <button type="button" class="button button-small" onClick={() => setNew(true)}>
      {tr('duty_shift_new')}
    </button>
  );
  return (
    <Section title={tr('duty_shifts')} actions={add}>
      <FaultSummary problem={problem} />
      <Shown of={list} lines={3}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('duty_shifts_empty')} hint={tr('duty_shifts_hint')} />
          ) : (
            <Table
              caption={tr('duty_shifts')}
              rows={list.items}
              rowKey={(s) => s.id}
              unit={tr('unit_shifts')}
              next={list.next}
              onMore={() => void list.loadMore()}
              columns={[
                {
                  id: 'place',
                  title: tr('duty_place'),
                  isMain: true,
                  by: (s) => PLACES.indexOf(s.place),
                  cell: (s) => trOr('duty_', s.place),
                },
                { id: 'person', title: tr('duty_person'), by: (s) => s.person?.name ?? null, cell: (s) => s.person?.name ?? '–' },
                { id: 'from', title: tr('since'), isNumber: true, by: (s) => s.from, cell: (s) => formatTime(s.from) },
                { id: 'to', title: tr('until_label'), isNumber: true, by: (s) => s.to, cell: (s) => formatTime(s.to) },
                { id: 'reach', title: tr('duty_reach'), cell: (s) => reach(s) || <span class="due-over">{tr('duty_no_reach')}</span> },
                {
                  id: 'end',
                  title: tr('actions'),
                  cell: (s) =>
                    may('duty.write') && (
                      <button type="button" class="link" onClick={() => void end(s)}>
                        {tr('withdraw')}
                      </button>
                    ),
                },
              ]}
            />
          )
        }
      </Shown>
      {isNew && (
        <NewShift
          onClose={() => setNew(false)}
          onDone={() => {
            setNew(false);
            list.reload();
          }}
        />
      )}
    </Section>
  );
}

function Wakes() {
  const list = useList<Wake>('/duty/wakes', {}, { events: (e) => e.name === 'alert' });
  const step = (m: Wake['messages'][number]) =>
    [trOr('duty_', m.place), m.person?.name, trOr('duty_', m.channel), trOr('message_', m.state), formatTime(m.sent_at ?? m.at)]
      .filter(Boolean)
      .join(' · ');
  return (
    <Section title={tr('duty_wakes')} actions={<ExportLinks href={(f) => exportHref('/duty/wakes', {}, f)} />}>
      <Shown of={list} lines={3}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('duty_wakes_empty')} />
          ) : (
            <Table
              caption={tr('duty_wakes')}
              rows={list.items}
              rowKey={(w) => w.id}
              unit={tr('unit_wakes')}
              hasKeys={false}
              next={list.next}
              onMore={() => void list.loadMore()}
              columns={[
                {
                  id: 'alert',
                  title: tr('alert'),
                  isMain: true,
                  isWide: true,
                  cell: (w) => (
                    <a class="row-link" href={to('alerts', w.alert)}>
                      {w.title}
                    </a>
                  ),
                },
                { id: 'state', title: tr('alert_state'), cell: (w) => <State of={w.state} prefix="wake_" tone={WAKE_TONES[w.state]} /> },
                { id: 'begun', title: tr('since'), isNumber: true, cell: (w) => formatTime(w.begun_at) },
                {
                  id: 'steps',
                  title: tr('duty_steps'),
                  isWide: true,
                  cell: (w) => (
                    <ol class="plain">
                      {w.messages.map((m, i) => (
                        <li key={i}>{step(m)}</li>
                      ))}
                    </ol>
                  ),
                },
              ]}
            />
          )
        }
      </Shown>
    </Section>
  );
}

export function DutyPage(_props: PageProps) {
  return (
    <>
      <Head title={tr('page_duty')} />
      <Now />
      <Shifts />
      <Wakes />
    </>
  );
}
