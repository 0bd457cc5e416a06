/* SPDX-License-Identifier: Apache-2.0 */
/* user/grants - rights beside the tree, with a day on which they end: vendors, helpers, inspectors. */
import { useState } from 'preact/hooks';
import { exportHref, post, remove, session } from '../api/client';
import type { Grant, Page, User } from '../api/types';
import { to } from '../app/router';
import { tr, trOr } from '../text/catalogue';
import { compareVietnamese } from '../text/collate';
import { formatAge, formatTime, parseTime } from '../text/format';
import { Dialog } from '../ui/dialog';
import { AreaField, CheckField, FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table } from '../ui/table';
import { say } from '../ui/toast';
import { UnitPick } from '../ui/unitpick';

function targetText(t: Grant['targets'][number]): string {
  return t.unit ? `${t.unit_name ?? ''}${t.is_below ? ` ${tr('with_below')}` : ''}` : `${trOr('object_', t.kind ?? '')} #${t.object ?? ''}`;
}

function GrantState({ of }: { of: Grant }) {
  if (of.ended_at) return <span class="badge">{tr('grant_withdrawn')}</span>;
  if (of.is_active) return <span class="badge badge-good">{tr('grant_active', { age: formatAge(Date.parse(of.to) - Date.now()) })}</span>;
  return Date.parse(of.from) > Date.now() ? (
    <span class="badge badge-wait">{tr('grant_later')}</span>
  ) : (
    <span class="badge">{tr('grant_over')}</span>
  );
}

function NewGrant(props: { onClose: () => void; onDone: () => void }) {
  const users = useResource<Page<User>>('/users', { limit: 500 });
  const mine = session.get()?.permissions ?? [];
  const [person, setPerson] = useState('');
  const [unit, setUnit] = useState<number | null>(null);
  const [isBelow, setBelow] = useState(false);
  const [permissions, setPermissions] = useState<Set<string>>(new Set());
  const [from, setFrom] = useState('');
  const [until, setUntil] = useState(formatTime(Date.now() + 7 * 86_400_000));
  const [reason, setReason] = useState('');
  const { isSending, problem, send, faults } = useSend();
  const toggle = (p: string) => {
    const s = new Set(permissions);
    if (!s.delete(p)) s.add(p);
    setPermissions(s);
  };
  const submit = async (e: Event) => {
    e.preventDefault();
    const body = {
      person: Number(person),
      permissions: [...permissions],
      targets: unit ? [{ unit, is_below: isBelow }] : [],
      reason: reason.trim(),
      ...(from.trim() ? { from: parseTime(from) } : {}),
      to: parseTime(until),
    };
    const done = await send(() => post('/grants', body));
    if (!done) return;
    say(tr('grant_made'));
    props.onDone();
  };
  const people = [...(users.data?.items ?? [])].sort((a, b) => compareVietnamese(a.name, b.name));
  return (
    <Dialog title={tr('grant_new')} onClose={props.onClose} isWide>
      <form onSubmit={submit} noValidate>
        <FaultSummary problem={problem} />
        <SelectField
          label={tr('grant_person')}
          name="person"
          value={person}
          onValue={setPerson}
          fault={faults.person}
          options={[['', tr('choose')], ...people.map((u): [string, string] => [String(u.id), `${u.name} (${u.login})`])]}
        />
        <UnitPick label={tr('grant_unit')} name="targets" value={unit} onValue={setUnit} fault={faults.targets} />
        <CheckField label={tr('and_below')} isOn={isBelow} onChange={setBelow} />
        <fieldset class="choices">
          <legend>{tr('permissions')}</legend>
          {faults.permissions && <p class="fault">{faults.permissions}</p>}
          <div class="columns-box">
            {mine.map((p) => (
              <label key={p}>
                <input type="checkbox" checked={permissions.has(p)} onChange={() => toggle(p)} />
                {trOr('permission_', p.replace('.', '_'))}
              </label>
            ))}
          </div>
        </fieldset>
        <div class="form-grid">
          <TextField label={tr('grant_from')} name="from" value={from} onValue={setFrom} fault={faults.from} placeholder={tr('now')} />
          <TextField
            label={tr('until_label')}
            name="to"
            value={until}
            onValue={setUntil}
            fault={faults.to ?? (parseTime(until) ? undefined : tr('time_wrong'))}
            required
          />
        </div>
        <AreaField
          label={tr('reason')}
          name="reason"
          hint={tr('grant_reason_hint')}
          value={reason}
          onValue={setReason}
          fault={faults.reason}
          required
        />
        <Submit isSending={isSending}>{tr('grant_new')}</Submit>
      </form>
    </Dialog>
  );
}

export function Grants() {
  const list = useList<Grant>('/grants');
  const [isNew, setNew] = useState(false);
  const { problem, send } = useSend();
  const end = async (g: Grant) => {
    const done = await send(() => remove(`/grants/${g.id}`));
    if (done) list.reload();
  };
  return (
    <>
      <p class="buttons">
        <button type="button" class="button button-main" onClick={() => setNew(true)}>
          <Icon name="plus" />
          {tr('grant_new')}
        </button>
        <ExportLinks href={(f) => exportHref('/grants', {}, f)} />
      </p>
      <FaultSummary problem={problem} />
      <Shown of={list}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('grants_empty')} hint={tr('grants_empty_hint')} />
          ) : (
            <Table
              caption={tr('grants')}
              rows={list.items}
              rowKey={(g) => g.id}
              unit={tr('unit_grants')}
              total={list.total}
              next={list.next}
              onMore={() => void list.loadMore()}
              rowClass={(g) => (g.is_active ? '' : 'is-past')}
              columns={[
                {
                  id: 'person',
                  title: tr('grant_person'),
                  isMain: true,
                  by: (g) => g.person_name,
                  cell: (g) => (
                    <a class="row-link" href={to('users', g.person)}>
                      {g.person_name}
                    </a>
                  ),
                },
                { id: 'targets', title: tr('grant_unit'), cell: (g) => g.targets.map(targetText).join('; ') },
                {
                  id: 'permissions',
                  title: tr('permissions'),
                  cell: (g) => g.permissions.map((p) => trOr('permission_', p.replace('.', '_'))).join(', '),
                },
                { id: 'reason', title: tr('reason'), isRare: true, cell: (g) => g.reason },
                { id: 'time', title: tr('until_label'), isNumber: true, by: (g) => g.to, cell: (g) => formatTime(g.to) },
                { id: 'by', title: tr('given_by'), isRare: true, cell: (g) => g.by_name },
                { id: 'state', title: tr('alert_state'), cell: (g) => <GrantState of={g} /> },
                {
                  id: 'end',
                  title: tr('actions'),
                  cell: (g) =>
                    g.is_active && (
                      <button type="button" class="link" onClick={() => void end(g)}>
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
        <NewGrant
          onClose={() => setNew(false)}
          onDone={() => {
            setNew(false);
            list.reload();
          }}
        />
      )}
    </>
  );
}
