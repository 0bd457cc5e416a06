/* SPDX-License-Identifier: Apache-2.0 */
/* user/detail - one person: contact, roles at units, sessions that are open, and the ways back in. */
import { useState } from 'preact/hooks';
import { call, patch, post, remove, session } from '../api/client';
import type { Binding, Page, Role, SessionRow, User } from '../api/types';
import { to } from '../app/router';
import { may } from '../app/session';
import { tr, trOr } from '../text/catalogue';
import { formatTime, parseTime } from '../text/format';
import { Dialog } from '../ui/dialog';
import { AreaField, CheckField, FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Facts, Head, Section } from '../ui/page';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { Table } from '../ui/table';
import { say } from '../ui/toast';
import { UnitPick } from '../ui/unitpick';
import { Secret } from './secret';
import { UserState } from './users';

function AddRole(props: { user: User; onDone: () => void; onClose: () => void }) {
  const roles = useResource<Page<Role>>('/roles');
  const mine = session.get()?.permissions ?? [];
  /* nobody gives what he has not himself: the server refuses it, the screen says it before */
  const mayGive = (roles.data?.items ?? []).filter((r) => r.permissions.every((p) => mine.includes(p)));
  const lacking = (roles.data?.items ?? []).filter((r) => !mayGive.includes(r));
  const [role, setRole] = useState('');
  const [unit, setUnit] = useState<number | null>(props.user.unit);
  const [isBelow, setBelow] = useState(true);
  const [until, setUntil] = useState('');
  const { isSending, problem, send, faults } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    const at = until.trim() ? parseTime(until) : null;
    const done = await send(() =>
      post(`/users/${props.user.id}/roles`, { role, ...(unit ? { unit } : {}), is_below: isBelow, ...(at ? { to: at } : {}) }),
    );
    if (!done) return;
    say(tr('saved'));
    props.onDone();
  };
  return (
    <Dialog title={tr('role_add')} onClose={props.onClose}>
      <form onSubmit={submit} noValidate>
        <FaultSummary problem={problem} />
        <SelectField
          label={tr('role')}
          name="role"
          value={role}
          onValue={setRole}
          fault={faults.role}
          options={[['', tr('choose')], ...mayGive.map((r): [string, string] => [r.name, r.title])]}
          hint={lacking.length ? tr('role_lacking', { roles: lacking.map((r) => r.title).join(', ') }) : undefined}
        />
        <UnitPick label={tr('unit')} name="unit" value={unit} onValue={setUnit} fault={faults.unit} noneText={tr('unit_root')} />
        <CheckField label={tr('and_below')} isOn={isBelow} onChange={setBelow} />
        <TextField
          label={tr('until_optional')}
          name="to"
          value={until}
          onValue={setUntil}
          fault={faults.to}
          placeholder="dd/mm/yyyy HH:MM"
        />
        <Submit isSending={isSending}>{tr('role_add')}</Submit>
      </form>
    </Dialog>
  );
}

function Bindings({ user }: { user: User }) {
  const list = useList<Binding>(`/users/${user.id}/roles`);
  const [isAdding, setAdding] = useState(false);
  const { problem, send } = useSend();
  const end = async (b: Binding) => {
    const done = await send(() => remove(`/user-roles/${b.id}`));
    if (done) list.reload();
  };
  return (
    <Section
      title={tr('user_roles')}
      actions={
        may('user.write') && (
          <button type="button" class="button button-small" onClick={() => setAdding(true)}>
            {tr('role_add')}
          </button>
        )
      }
    >
      <FaultSummary problem={problem} />
      <Shown of={list} lines={3}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('user_no_roles')} hint={tr('user_no_roles_hint')} />
          ) : (
            <Table
              caption={tr('user_roles')}
              rows={list.items}
              rowKey={(b) => b.id}
              unit={tr('unit_roles')}
              rowClass={(b) => (b.ended_at ? 'is-past' : '')}
              hasKeys={false}
              columns={[
                { id: 'role', title: tr('role'), isMain: true, cell: (b) => trOr('role_', b.role) },
                {
                  id: 'unit',
                  title: tr('unit'),
                  cell: (b) => `${b.unit_name || tr('unit_root')}${b.is_below ? ` ${tr('with_below')}` : ''}`,
                },
                { id: 'from', title: tr('since'), isNumber: true, cell: (b) => formatTime(b.from) },
                {
                  id: 'to',
                  title: tr('until_label'),
                  isNumber: true,
                  cell: (b) => (b.ended_at ? tr('ended', { at: formatTime(b.ended_at) }) : b.to ? formatTime(b.to) : tr('open_end')),
                },
                { id: 'by', title: tr('given_by'), isRare: true, cell: (b) => b.by_name || '–' },
                ...(may('user.write')
                  ? [
                      {
                        id: 'end',
                        title: tr('actions'),
                        cell: (b: Binding) =>
                          !b.ended_at && (
                            <button type="button" class="link" onClick={() => void end(b)}>
                              {tr('withdraw')}
                            </button>
                          ),
                      },
                    ]
                  : []),
              ]}
            />
          )
        }
      </Shown>
      {isAdding && (
        <AddRole
          user={user}
          onClose={() => setAdding(false)}
          onDone={() => {
            setAdding(false);
            list.reload();
          }}
        />
      )}
    </Section>
  );
}

function Sessions({ user }: { user: User }) {
  const list = useList<SessionRow>('/sessions', { user: user.id });
  const { problem, send } = useSend();
  const end = async (s: SessionRow) => {
    const done = await send(() => call('DELETE', `/sessions/${s.id}`, { query: { user: user.id } }));
    if (done) list.reload();
  };
  return (
    <Section title={tr('sessions')}>
      <FaultSummary problem={problem} />
      <Shown of={list} lines={2}>
        {() => <SessionTable rows={list.items} onEnd={(s) => void end(s)} />}
      </Shown>
    </Section>
  );
}

export function SessionTable(props: { rows: SessionRow[]; onEnd: (s: SessionRow) => void }) {
  if (!props.rows.length) return <Empty title={tr('sessions_empty')} />;
  return (
    <Table
      caption={tr('sessions')}
      rows={props.rows}
      rowKey={(s) => s.id}
      unit={tr('unit_sessions')}
      rowClass={(s) => (s.ended_at ? 'is-past' : '')}
      hasKeys={false}
      columns={[
        {
          id: 'address',
          title: tr('address'),
          isMain: true,
          cell: (s) => (
            <>
              {s.address}
              {s.is_this && (
                <>
                  {' '}
                  <span class="badge badge-good">{tr('session_this')}</span>
                </>
              )}
            </>
          ),
        },
        { id: 'agent', title: tr('browser'), isWide: true, isRare: true, cell: (s) => s.agent || '–' },
        { id: 'from', title: tr('signed_in_at'), isNumber: true, cell: (s) => formatTime(s.created_at) },
        { id: 'seen', title: tr('last_seen'), isNumber: true, cell: (s) => formatTime(s.seen_at) },
        {
          id: 'end',
          title: tr('actions'),
          cell: (s) =>
            s.ended_at
              ? tr('ended', { at: formatTime(s.ended_at) })
              : !s.is_this && (
                  <button type="button" class="link" onClick={() => props.onEnd(s)}>
                    {tr('session_end')}
                  </button>
                ),
        },
      ]}
    />
  );
}

function Edit(props: { user: User; version: number; onFresh: (u: User, v: number | null) => void; onClose: () => void }) {
  const [form, setForm] = useState({ name: props.user.name, email: props.user.email, phone: props.user.phone });
  const { isSending, problem, send, faults } = useSend();
  const set = (field: string) => (v: string) => setForm((f) => ({ ...f, [field]: v }));
  const submit = async (e: Event) => {
    e.preventDefault();
    const done = await send(() =>
      patch<User>(`/users/${props.user.id}`, { name: form.name.trim(), email: form.email.trim(), phone: form.phone.trim() }, props.version),
    );
    if (!done) return;
    props.onFresh(done.data, done.version);
    props.onClose();
    say(tr('saved'));
  };
  return (
    <Dialog title={tr('edit')} onClose={props.onClose}>
      <form onSubmit={submit} noValidate>
        <FaultSummary problem={problem} />
        <TextField label={tr('user_name')} name="name" value={form.name} onValue={set('name')} fault={faults.name} required />
        <TextField label={tr('email')} name="email" type="email" value={form.email} onValue={set('email')} fault={faults.email} />
        <TextField label={tr('phone')} name="phone" type="tel" value={form.phone} onValue={set('phone')} fault={faults.phone} />
        <Submit isSending={isSending}>{tr('save')}</Submit>
      </form>
    </Dialog>
  );
}

function Disable(props: { user: User; onDone: (u: User) => void; onClose: () => void }) {
  const [reason, setReason] = useState('');
  const { isSending, problem, send, faults } = useSend();
  const wanted = !props.user.is_disabled;
  const submit = async (e: Event) => {
    e.preventDefault();
    const done = await send(
      async () => (await post<User>(`/users/${props.user.id}/disable`, { is_disabled: wanted, reason: reason.trim() })).data,
    );
    if (done) props.onDone(done);
  };
  return (
    <Dialog title={wanted ? tr('user_disable') : tr('user_enable')} onClose={props.onClose}>
      <form onSubmit={submit} noValidate>
        <FaultSummary problem={problem} />
        {wanted && <p>{tr('user_disable_hint')}</p>}
        <AreaField label={tr('reason')} name="reason" value={reason} onValue={setReason} fault={faults.reason} required />
        <Submit isSending={isSending}>{wanted ? tr('user_disable') : tr('user_enable')}</Submit>
      </form>
    </Dialog>
  );
}

export function UserDetail({ id }: { id: number }) {
  const user = useResource<User>(`/users/${id}`);
  const [open, setOpen] = useState<'edit' | 'disable' | null>(null);
  const [password, setPassword] = useState('');
  const { isSending, problem, send } = useSend();
  const resetPassword = async () => {
    const done = await send(async () => (await post<{ first_password: string }>(`/users/${id}/reset-password`)).data);
    if (!done) return;
    setPassword(done.first_password);
    user.reload();
  };
  const resetTotp = async () => {
    const done = await send(() => post(`/users/${id}/reset-totp`));
    if (!done) return;
    say(tr('totp_reset_done'));
    user.reload();
  };
  return (
    <Shown of={user} isPage>
      {(u) => (
        <>
          <Head
            title={u.name}
            back={{ href: to('users'), text: tr('page_users') }}
            sub={
              <>
                <span class="muted">{u.login}</span>
                <UserState of={u} />
              </>
            }
          >
            {may('user.write') && (
              <>
                <button type="button" class="button" onClick={() => setOpen('edit')}>
                  {tr('edit')}
                </button>
                <button type="button" class="button" disabled={isSending} onClick={() => void resetPassword()}>
                  {tr('password_reset')}
                </button>
                {u.has_totp && (
                  <button type="button" class="button" disabled={isSending} onClick={() => void resetTotp()}>
                    {tr('totp_reset')}
                  </button>
                )}
                <button type="button" class="button" onClick={() => setOpen('disable')}>
                  {u.is_disabled ? tr('user_enable') : tr('user_disable')}
                </button>
              </>
            )}
          </Head>
          <FaultSummary problem={problem} />
          {password && (
            <Section title={tr('first_password')}>
              <Secret label={tr('first_password')} text={password} hint={tr('first_password_hint')} />
            </Section>
          )}
          <Section title={tr('contact')}>
            <Facts
              of={[
                [tr('unit'), u.unit ? <a href={to('units', u.unit)}>{u.unit_name}</a> : tr('unit_root')],
                [tr('email'), u.email],
                [tr('phone'), u.phone],
                [tr('totp_title'), u.has_totp ? tr('on') : tr('off')],
                [tr('user_last_login'), u.last_login_at ? formatTime(u.last_login_at) : tr('never')],
                [tr('created'), formatTime(u.created_at)],
              ]}
            />
          </Section>
          <Bindings user={u} />
          {may('user.write') && <Sessions user={u} />}
          {open === 'edit' && <Edit user={u} version={user.version ?? u.version} onFresh={user.set} onClose={() => setOpen(null)} />}
          {open === 'disable' && (
            <Disable
              user={u}
              onClose={() => setOpen(null)}
              onDone={(fresh) => {
                user.set(fresh, fresh.version);
                setOpen(null);
              }}
            />
          )}
        </>
      )}
    </Shown>
  );
}
