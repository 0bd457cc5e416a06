/* SPDX-License-Identifier: Apache-2.0 */
/* app/login - the door: password, the second factor, and the first password of one's own. */
import { useEffect, useState } from 'preact/hooks';
import { Problem, get, post, session } from '../api/client';
import type { Session } from '../api/types';
import { tr } from '../text/catalogue';
import { FaultSummary, Submit, TextField, useSend } from '../ui/form';
import { enter, leave } from './session';
import { LanguageSwitch, LineState, ThemeSwitch } from './shell';
import { useStore } from './store';

const PASSWORD_MIN = 12;

function Password(props: { onChallenge: (challenge: string) => void }) {
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const { isSending, problem, send } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    await send(async () => {
      try {
        const { data } = await post<Session>('/session', { login: login.trim(), password });
        enter(data);
      } catch (e) {
        setPassword('');
        if (!(e instanceof Problem)) throw e;
        if (e.status === 428 && typeof e.body.challenge === 'string') return props.onChallenge(e.body.challenge);
        throw e.status === 401 ? new Problem(401, '', tr('login_wrong'), tr('login_wrong_hint')) : e;
      }
    });
  };
  return (
    <form onSubmit={submit} noValidate>
      <FaultSummary problem={problem} />
      <TextField
        label={tr('login_name')}
        name="login"
        value={login}
        onValue={setLogin}
        autoComplete="username"
        autoCapitalize="none"
        spellcheck={false}
        required
        autoFocus
      />
      <TextField
        label={tr('login_password')}
        name="password"
        type="password"
        value={password}
        onValue={setPassword}
        autoComplete="current-password"
        required
      />
      <Submit isSending={isSending}>{tr('sign_in')}</Submit>
    </form>
  );
}

function SecondFactor(props: { challenge: string; onBack: () => void }) {
  const [code, setCode] = useState('');
  const [isRecovery, setRecovery] = useState(false);
  const { isSending, problem, send } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    await send(async () => {
      const value = code.trim();
      const body = isRecovery ? { recovery_code: value } : { code: value.replace(/\s/g, '') };
      try {
        const { data } = await post<Session>('/session/totp', { challenge: props.challenge, ...body });
        enter(data);
      } catch (e) {
        setCode('');
        throw e instanceof Problem && e.status === 401 ? new Problem(401, '', tr('totp_wrong'), tr('totp_wrong_hint')) : e;
      }
    });
  };
  return (
    <form onSubmit={submit} noValidate key={isRecovery ? 'r' : 'c'}>
      <FaultSummary problem={problem} />
      {isRecovery ? (
        <TextField
          label={tr('totp_recovery')}
          name="recovery_code"
          hint={tr('totp_recovery_hint')}
          value={code}
          onValue={setCode}
          autoComplete="off"
          autoFocus
          required
        />
      ) : (
        <TextField
          label={tr('totp_code')}
          name="code"
          hint={tr('totp_code_hint')}
          value={code}
          onValue={setCode}
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={7}
          autoFocus
          required
        />
      )}
      <Submit isSending={isSending}>{tr('sign_in')}</Submit>
      <p class="door-links">
        <button
          type="button"
          class="link"
          onClick={() => {
            setRecovery(!isRecovery);
            setCode('');
          }}
        >
          {isRecovery ? tr('totp_use_code') : tr('totp_use_recovery')}
        </button>
        <button type="button" class="link" onClick={props.onBack}>
          {tr('login_back')}
        </button>
      </p>
    </form>
  );
}

export function NewPassword(props: { isFirst: boolean; onDone: (s: Session) => void }) {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const { isSending, problem, send, setProblem, faults } = useSend();
  const submit = async (e: Event) => {
    e.preventDefault();
    const errors = [
      ...(old ? [] : [{ pointer: '/before', detail: tr('password_old_missing') }]),
      ...(fresh.length >= PASSWORD_MIN ? [] : [{ pointer: '/after', detail: tr('password_short', { n: PASSWORD_MIN }) }]),
      ...(fresh === again ? [] : [{ pointer: '/again', detail: tr('password_differs') }]),
    ];
    if (errors.length) return setProblem(new Problem(422, '', tr('form_wrong'), '', errors));
    const done = await send(async () => {
      await post('/settings/password', { before: old, after: fresh });
      return (await get<Session>('/session')).data;
    });
    if (done !== undefined) props.onDone(done);
  };
  return (
    <form onSubmit={submit} noValidate>
      <FaultSummary problem={problem} />
      <TextField
        label={props.isFirst ? tr('password_given') : tr('password_old')}
        name="before"
        type="password"
        value={old}
        onValue={setOld}
        fault={faults.before}
        autoComplete="current-password"
        autoFocus={props.isFirst}
        required
      />
      <TextField
        label={tr('password_new')}
        name="after"
        type="password"
        hint={tr('password_hint', { n: PASSWORD_MIN })}
        value={fresh}
        onValue={setFresh}
        fault={faults.after}
        autoComplete="new-password"
        required
      />
      <TextField
        label={tr('password_again')}
        name="again"
        type="password"
        value={again}
        onValue={setAgain}
        fault={faults.again}
        autoComplete="new-password"
        required
      />
      <Submit isSending={isSending}>{tr('password_change')}</Submit>
    </form>
  );
}

export function Login() {
  const who = useStore(session);
  const [challenge, setChallenge] = useState<string | null>(null);
  const mustChange = who?.person.must_change_password ?? false;
  const title = mustChange ? tr('password_first_title') : challenge ? tr('totp_title') : tr('sign_in');
  useEffect(() => {
    document.title = `${title} · Vọng Gác`;
  }, [title]);
  return (
    <main class="door" id="main">
      <div class="door-top">
        <ThemeSwitch />
        <LanguageSwitch />
      </div>
      <div class="door-box">
        <p class="door-brand">
          <strong>Vọng Gác</strong>
        </p>
        <LineState />
        <h1>{title}</h1>
        {mustChange && <p class="muted">{tr('password_first_hint')}</p>}
        {mustChange ? (
          <NewPassword isFirst onDone={enter} />
        ) : challenge ? (
          <SecondFactor challenge={challenge} onBack={() => setChallenge(null)} />
        ) : (
          <Password onChallenge={setChallenge} />
        )}
        {mustChange && (
          <p class="door-links">
            <button type="button" class="link" onClick={() => void leave()}>
              {tr('sign_out')}
            </button>
          </p>
        )}
      </div>
    </main>
  );
}
