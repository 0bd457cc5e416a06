/* SPDX-License-Identifier: Apache-2.0 */
/* user/users - the people of this node, and a new one. */
import { useMemo, useState } from 'preact/hooks';
import { exportHref, post } from '../api/client';
import type { User } from '../api/types';
import { to } from '../app/router';
import { may } from '../app/session';
import { matches } from '../text/collate';
import { tr } from '../text/catalogue';
import { formatTime } from '../text/format';
import { Dialog } from '../ui/dialog';
import { FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Icon } from '../ui/icon';
import { Shown, useList } from '../ui/resource';
import { Empty } from '../ui/states';
import { ExportLinks, Table } from '../ui/table';
import { UnitPick } from '../ui/unitpick';
import { Secret } from './secret';

export function UserState({ of }: { of: User }) {
  if (of.is_disabled) return <span class="badge">{tr('user_disabled')}</span>;
  if (of.must_change_password) return <span class="badge badge-wait">{tr('user_first_password')}</span>;
  return <span class="badge badge-good">{tr('user_active')}</span>;
}

function NewUser(props: { onClose: () => void; onDone: () => void }) {
  const [form, setForm] = useState({ login: '', name: '', email: '', phone: '', language: 'vi' });
  const [unit, setUnit] = useState<number | null>(null);
  const [made, setMade] = useState<User | null>(null);
  const { isSending, problem, send, faults } = useSend();
  const set = (field: string) => (v: string) => setForm((f) => ({ ...f, [field]: v }));
  const submit = async (e: Event) => {
    e.preventDefault();
    const body = {
      login: form.login.trim(),
      name: form.name.trim(),
      language: form.language,
      ...(form.email.trim() ? { email: form.email.trim() } : {}),
      ...(form.phone.trim() ? { phone: form.phone.trim() } : {}),
      ...(unit ? { unit } : {}),
    };
    const done = await send(async () => (await post<User>('/users', body)).data);
    if (!done) return;
    setMade(done);
    props.onDone();
  };
  return (
    <Dialog title={tr('user_new')} onClose={props.onClose}>
      {made ? (
        <>
          <p>{tr('user_made', { name: made.name })}</p>
          {made.first_password && <Secret label={tr('first_password')} text={made.first_password} hint={tr('first_password_hint')} />}
          <p class="buttons">
            <a class="button button-main" href={to('users', made.id)}>
              {tr('user_give_roles')}
            </a>
          </p>
        </>
      ) : (
        <form onSubmit={submit} noValidate>
          <FaultSummary problem={problem} />
          <TextField label={tr('user_name')} name="name" value={form.name} onValue={set('name')} fault={faults.name} required />
          <TextField
            label={tr('login_name')}
            name="login"
            hint={tr('user_login_hint')}
            value={form.login}
            onValue={set('login')}
            fault={faults.login}
            required
            autoCapitalize="none"
            spellcheck={false}
            autoComplete="off"
          />
          <UnitPick label={tr('unit')} name="unit" value={unit} onValue={setUnit} fault={faults.unit} noneText={tr('unit_root')} />
          <div class="form-grid">
            <TextField label={tr('email')} name="email" type="email" value={form.email} onValue={set('email')} fault={faults.email} />
            <TextField label={tr('phone')} name="phone" type="tel" value={form.phone} onValue={set('phone')} fault={faults.phone} />
            <SelectField
              label={tr('language')}
              name="language"
              value={form.language}
              onValue={set('language')}
              options={[
                ['vi', 'Tiếng Việt'],
                ['en', 'English'],
              ]}
            />
          </div>
          <Submit isSending={isSending}>{tr('user_new')}</Submit>
        </form>
      )}
    </Dialog>
  );
}

export function Users() {
  const list = useList<User>('/users', { limit: 200 });
  const [text, setText] = useState('');
  const [isNew, setNew] = useState(false);
  const rows = useMemo(
    () => list.items.filter((u) => !text || matches(`${u.name} ${u.login} ${u.unit_name}`, text)),
    [list.items.length, list.data, text],
  );
  return (
    <>
      <div class="filters">
        <label class="filter filter-grow">
          <span>{tr('find')}</span>
          <input type="search" data-search value={text} onInput={(e) => setText(e.currentTarget.value)} />
        </label>
        {may('user.write') && (
          <button type="button" class="button button-main" onClick={() => setNew(true)}>
            <Icon name="plus" />
            {tr('user_new')}
          </button>
        )}
        <ExportLinks href={(f) => exportHref('/users', {}, f)} />
      </div>
      <Shown of={list}>
        {() =>
          rows.length === 0 ? (
            <Empty title={tr('users_empty')} />
          ) : (
            <Table
              caption={tr('users')}
              rows={rows}
              rowKey={(u) => u.id}
              unit={tr('unit_users')}
              total={text ? null : list.total}
              next={list.next}
              onMore={() => void list.loadMore()}
              columns={[
                {
                  id: 'name',
                  title: tr('user_name'),
                  isMain: true,
                  by: (u) => u.name,
                  cell: (u) => (
                    <>
                      <a class="row-link" href={to('users', u.id)}>
                        {u.name}
                      </a>
                      <span class="row-sub">{u.login}</span>
                    </>
                  ),
                },
                { id: 'unit', title: tr('unit'), by: (u) => u.unit_name, cell: (u) => u.unit_name || tr('unit_root') },
                {
                  id: 'totp',
                  title: tr('totp_title'),
                  cell: (u) => (u.has_totp ? tr('on') : <span class="muted">{tr('off')}</span>),
                  by: (u) => (u.has_totp ? 1 : 0),
                },
                {
                  id: 'last',
                  title: tr('user_last_login'),
                  isNumber: true,
                  by: (u) => u.last_login_at,
                  cell: (u) => (u.last_login_at ? formatTime(u.last_login_at) : <span class="muted">{tr('never')}</span>),
                },
                { id: 'state', title: tr('alert_state'), cell: (u) => <UserState of={u} /> },
              ]}
            />
          )
        }
      </Shown>
      {isNew && <NewUser onClose={() => setNew(false)} onDone={list.reload} />}
    </>
  );
}
