/* SPDX-License-Identifier: Apache-2.0 */
/* setting/page - one's own: language and light, password, second factor, sessions, tokens; and what the node says about itself. */
import { useState } from 'preact/hooks';
import { call, post, remove, session } from '../api/client';
import type { SessionRow, TokenRow } from '../api/types';
import type { PageProps } from '../app/lazy';
import { areKeysOn, setKeys } from '../app/keys';
import { loadSession, may } from '../app/session';
import { useStore } from '../app/store';
import { setTheme, theme, type Theme } from '../app/theme';
import { NewPassword } from '../app/login';
import { language, setLanguage, tr, trOr, type Language } from '../text/catalogue';
import { formatTime, parseTime } from '../text/format';
import { Dialog } from '../ui/dialog';
import { CheckField, FaultSummary, SelectField, Submit, TextField, useSend } from '../ui/form';
import { Facts, Head, Section } from '../ui/page';
import { Shown, useList } from '../ui/resource';
import { Empty } from '../ui/states';
import { Table } from '../ui/table';
import { say } from '../ui/toast';
import { SessionTable } from '../user/detail';
import { Secret } from '../user/secret';

function Screen() {
  const lang = useStore(language);
  const light = useStore(theme);
  const keys = useStore(areKeysOn);
  const { problem, send } = useSend();
  const choose = (v: string) => {
    void setLanguage(v as Language);
    void send(() => call('PATCH', '/settings/own', { body: { language: v } }));
  };
  return (
    <Section title={tr('settings_screen')}>
      <FaultSummary problem={problem} />
      <div class="form-grid">
        <SelectField
          label={tr('language')}
          name="language"
          value={lang}
          onValue={choose}
          options={[
            ['vi', 'Tiếng Việt'],
            ['en', 'English'],
          ]}
        />
        <SelectField
          label={tr('theme')}
          name="theme"
          value={light}
          onValue={(v) => setTheme(v as Theme)}
          options={(['auto', 'light', 'dark'] as const).map((t) => [t, tr(`theme_${t}`)])}
        />
      </div>
      <CheckField label={tr('help_keys_on')} isOn={keys} onChange={setKeys} hint={tr('keys_hint')} />
    </Section>
  );
}

function SecondFactor() {
  const who = useStore(session);
  const [offer, setOffer] = useState<{ secret: string; uri: string } | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const { isSending, problem, send, faults } = useSend();
  const has = who?.person.has_totp ?? false;
  const begin = async (e: Event) => {
    e.preventDefault();
    const done = await send(async () => (await post<{ secret: string; uri: string }>('/settings/totp', { password })).data);
    setPassword('');
    if (done) setOffer(done);
  };
  const confirm = async (e: Event) => {
    e.preventDefault();
    const done = await send(
      async () => (await post<{ recovery_codes: string[] }>('/settings/totp/confirm', { code: code.replace(/\s/g, '') })).data,
    );
    setCode('');
    if (!done) return;
    setCodes(done.recovery_codes);
    setOffer(null);
    void loadSession();
  };
  const drop = async (e: Event) => {
    e.preventDefault();
    const done = await send(() => post('/settings/totp/remove', { code: code.replace(/\s/g, '') }));
    setCode('');
    if (!done) return;
    say(tr('totp_removed'));
    void loadSession();
  };
  const codeField = (
    <TextField
      label={tr('totp_code')}
      name="code"
      value={code}
      onValue={setCode}
      fault={faults.code}
      inputMode="numeric"
      autoComplete="one-time-code"
      maxLength={7}
      required
    />
  );
  return (
    <Section title={tr('totp_title')}>
      <FaultSummary problem={problem} />
      {codes && (
        <div role="status">
          <p>{tr('totp_codes_hint')}</p>
          <ul class="codes">
            {codes.map((c) => (
              <li key={c}>{c}</li>
            ))}
          </ul>
        </div>
      )}
      {has ? (
        <form class="narrow" onSubmit={drop}>
          <p>{tr('totp_is_on')}</p>
          {codeField}
          <Submit isSending={isSending}>{tr('totp_remove')}</Submit>
        </form>
      ) : offer ? (
        <form class="narrow" onSubmit={confirm}>
          <p>{tr('totp_offer_hint')}</p>
          <Secret label={tr('totp_secret')} text={offer.secret.replace(/(.{4})(?=.)/g, '$1 ')} hint={tr('totp_secret_hint')} />
          <p>
            <a href={offer.uri}>{tr('totp_open_app')}</a>
          </p>
          {codeField}
          <Submit isSending={isSending}>{tr('totp_confirm')}</Submit>
        </form>
      ) : (
        <form class="narrow" onSubmit={begin}>
          <p>{tr('totp_is_off')}</p>
          <TextField
            label={tr('password_old')}
            name="password"
            type="password"
            value={password}
            onValue={setPassword}
            fault={faults.password}
            autoComplete="current-password"
            required
          />
          <Submit isSending={isSending}>{tr('totp_begin')}</Submit>
        </form>
      )}
    </Section>
  );
}

function Sessions() {
  const list = useList<SessionRow>('/sessions');
  const { problem, send } = useSend();
  const end = async (s: SessionRow) => {
    const done = await send(() => remove(`/sessions/${s.id}`));
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

function NewToken(props: { onClose: () => void; onDone: () => void }) {
  const mine = session.get()?.permissions ?? [];
  const [name, setName] = useState('');
  const [isWall, setWall] = useState(false);
  const [until, setUntil] = useState(formatTime(Date.now() + 90 * 86_400_000));
  const [scopes, setScopes] = useState<Set<string>>(new Set());
  const [made, setMade] = useState<string | null>(null);
  const { isSending, problem, send, faults } = useSend();
  const toggle = (p: string) => {
    const s = new Set(scopes);
    if (!s.delete(p)) s.add(p);
    setScopes(s);
  };
  const wall = (on: boolean) => {
    setWall(on);
    if (on) setScopes(new Set(['alert.read', 'duty.read', 'source.read'].filter((p) => mine.includes(p))));
  };
  const submit = async (e: Event) => {
    e.preventDefault();
    const done = await send(
      async () =>
        (
          await post<{ token: string }>('/tokens', {
            name: name.trim(),
            scopes: [...scopes],
            is_wall: isWall,
            expires_at: parseTime(until),
          })
        ).data,
    );
    if (!done) return;
    setMade(done.token);
    props.onDone();
  };
  return (
    <Dialog title={tr('token_new')} onClose={props.onClose} isWide>
      {made ? (
        <>
          <Secret label={tr('token')} text={made} hint={tr('token_once')} />
          {isWall && (
            <Secret
              label={tr('wall_address')}
              text={`${location.origin}/#/wall?token=${encodeURIComponent(made)}`}
              hint={tr('wall_address_hint')}
            />
          )}
        </>
      ) : (
        <form onSubmit={submit} noValidate>
          <FaultSummary problem={problem} />
          <TextField
            label={tr('name')}
            name="name"
            hint={tr('token_name_hint')}
            value={name}
            onValue={setName}
            fault={faults.name}
            required
          />
          <CheckField label={tr('token_wall')} isOn={isWall} onChange={wall} hint={tr('token_wall_hint')} />
          <fieldset class="choices">
            <legend>{tr('permissions')}</legend>
            {faults.scopes && <p class="fault">{faults.scopes}</p>}
            <div class="columns-box">
              {mine.map((p) => (
                <label key={p}>
                  <input type="checkbox" checked={scopes.has(p)} onChange={() => toggle(p)} />
                  {trOr('permission_', p.replace('.', '_'))}
                </label>
              ))}
            </div>
          </fieldset>
          <TextField
            label={tr('until_label')}
            name="expires_at"
            value={until}
            onValue={setUntil}
            fault={faults.expires_at ?? (parseTime(until) ? undefined : tr('time_wrong'))}
            required
          />
          <Submit isSending={isSending}>{tr('token_new')}</Submit>
        </form>
      )}
    </Dialog>
  );
}

function Tokens() {
  const list = useList<TokenRow>('/tokens');
  const [isNew, setNew] = useState(false);
  const { problem, send } = useSend();
  const end = async (t: TokenRow) => {
    const done = await send(() => remove(`/tokens/${t.id}`));
    if (done) list.reload();
  };
  return (
    <Section
      title={tr('tokens')}
      actions={
        <button type="button" class="button button-small" onClick={() => setNew(true)}>
          {tr('token_new')}
        </button>
      }
    >
      <FaultSummary problem={problem} />
      <Shown of={list} lines={2}>
        {() =>
          list.items.length === 0 ? (
            <Empty title={tr('tokens_empty')} hint={tr('tokens_empty_hint')} />
          ) : (
            <Table
              caption={tr('tokens')}
              rows={list.items}
              rowKey={(t) => t.id}
              unit={tr('unit_tokens')}
              rowClass={(t) => (t.is_valid ? '' : 'is-past')}
              hasKeys={false}
              columns={[
                {
                  id: 'name',
                  title: tr('name'),
                  isMain: true,
                  cell: (t) => (
                    <>
                      {t.name}
                      {t.is_wall && (
                        <>
                          {' '}
                          <span class="badge">{tr('page_wall')}</span>
                        </>
                      )}
                    </>
                  ),
                },
                {
                  id: 'scopes',
                  title: tr('permissions'),
                  isWide: true,
                  cell: (t) => t.scopes.map((p) => trOr('permission_', p.replace('.', '_'))).join(', '),
                },
                {
                  id: 'last',
                  title: tr('last_used'),
                  isNumber: true,
                  cell: (t) => (t.last_used_at ? formatTime(t.last_used_at) : tr('never')),
                },
                { id: 'to', title: tr('until_label'), isNumber: true, cell: (t) => formatTime(t.expires_at) },
                {
                  id: 'end',
                  title: tr('actions'),
                  cell: (t) =>
                    t.is_valid ? (
                      <button type="button" class="link" onClick={() => void end(t)}>
                        {tr('withdraw')}
                      </button>
                    ) : (
                      tr('grant_over')
                    ),
                },
              ]}
            />
          )
        }
      </Shown>
      {isNew && <NewToken onClose={() => setNew(false)} onDone={list.reload} />}
    </Section>
  );
}

export function SettingPage(_props: PageProps) {
  const who = useStore(session);
  const [isChanging, setChanging] = useState(false);
  return (
    <>
      <Head title={tr('page_settings')} />
      <Screen />
      <Section
        title={tr('login_password')}
        actions={
          <button type="button" class="button button-small" onClick={() => setChanging(true)}>
            {tr('password_change')}
          </button>
        }
      >
        <p class="muted">{tr('password_settings_hint')}</p>
      </Section>
      <SecondFactor />
      <Sessions />
      {may('alert.read') && <Tokens />}
      <Section title={tr('node')}>
        <Facts
          of={[
            [tr('node_name'), who?.server.node_name],
            [tr('node_version'), who?.server.version],
          ]}
        />
      </Section>
      {isChanging && (
        <Dialog title={tr('password_change')} onClose={() => setChanging(false)}>
          <NewPassword
            isFirst={false}
            onDone={(s) => {
              session.set(s);
              setChanging(false);
              say(tr('password_changed'));
            }}
          />
        </Dialog>
      )}
    </>
  );
}
