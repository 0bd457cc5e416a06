/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert/decide - who takes it, and the verdict. Somebody else may have been faster: then both versions are shown and the person chooses;
 * nothing is overwritten unseen.
 */
import { useState } from 'preact/hooks';
import { Problem, get, patch, session } from '../api/client';
import type { Alert } from '../api/types';
import { tr, trOr } from '../text/catalogue';
import { formatTime } from '../text/format';
import { AreaField, FaultSummary, SelectField, Submit, useSend } from '../ui/form';
import { Section } from '../ui/page';
import { say } from '../ui/toast';

interface Change {
  state?: string;
  assignee?: number; // 0: nobody
  verdict?: string;
  reason?: string;
}

interface Conflict {
  mine: Change;
  theirs: Alert;
  version: number | null;
}

function shown(field: string, value: unknown, a: Alert): string {
  if (value === null || value === undefined || value === '' || value === 0) return '–';
  if (field === 'assignee') {
    const me = session.get()?.person;
    return value === me?.id ? me!.name : (a.assignee?.name ?? String(value));
  }
  return trOr(`alert_${field}_`, String(value));
}

function ConflictBox(props: { of: Conflict; onKeepTheirs: () => void; onAgain: () => void }) {
  const { mine, theirs } = props.of;
  const current: Record<string, unknown> = {
    state: theirs.state,
    assignee: theirs.assignee?.id ?? null,
    verdict: theirs.verdict,
    reason: theirs.verdict_reason,
  };
  const fields = Object.keys(mine).filter((f) => (mine as Record<string, unknown>)[f] !== undefined);
  return (
    <div class="conflict" role="alert">
      <p class="state-title">{tr('conflict_title')}</p>
      <p>{tr('conflict_hint', { at: formatTime(Date.now()) })}</p>
      <table class="compact">
        <thead>
          <tr>
            <th scope="col">{tr('conflict_field')}</th>
            <th scope="col">{tr('conflict_theirs')}</th>
            <th scope="col">{tr('conflict_mine')}</th>
          </tr>
        </thead>
        <tbody>
          {fields.map((f) => (
            <tr key={f}>
              <th scope="row">{trOr('alert_', f)}</th>
              <td>{shown(f, current[f], theirs)}</td>
              <td>{shown(f, (mine as Record<string, unknown>)[f], theirs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="buttons">
        <button type="button" class="button button-main" onClick={props.onKeepTheirs}>
          {tr('conflict_keep')}
        </button>
        <button type="button" class="button" onClick={props.onAgain}>
          {tr('conflict_again')}
        </button>
      </p>
    </div>
  );
}

export function Decide(props: { alert: Alert; version: number; onFresh: (a: Alert, version: number | null) => void }) {
  const { alert: a } = props;
  const [verdict, setVerdict] = useState('');
  const [reason, setReason] = useState('');
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const { isSending, problem, send, faults } = useSend();
  const me = session.get()?.person.id;

  const change = async (mine: Change, version: number | null) => {
    await send(async () => {
      try {
        const { data, version: v } = await patch<Alert>(`/alerts/${a.id}`, mine, version);
        setConflict(null);
        setVerdict('');
        setReason('');
        props.onFresh({ ...a, ...data }, v);
        say(tr('saved'));
      } catch (e) {
        if (!(e instanceof Problem) || !e.isConflict) throw e;
        const fresh = await get<Alert>(`/alerts/${a.id}`);
        setConflict({ mine, theirs: fresh.data, version: fresh.version ?? fresh.data.version });
      }
    });
  };
  const submit = (e: Event) => {
    e.preventDefault();
    void change({ state: 'resolved', verdict, reason: reason.trim() }, props.version);
  };
  return (
    <Section title={tr('decide_title')} id="decide">
      {conflict && (
        <ConflictBox
          of={conflict}
          onKeepTheirs={() => {
            props.onFresh(conflict.theirs, conflict.version);
            setConflict(null);
          }}
          onAgain={() => void change(conflict.mine, conflict.version)}
        />
      )}
      <p class="assignee">
        {tr('alert_assignee')}: <strong>{a.assignee?.name ?? tr('nobody')}</strong>
      </p>
      {a.state !== 'resolved' ? (
        <>
          <p class="buttons">
            {a.assignee?.id !== me && (
              <button
                type="button"
                class="button"
                disabled={isSending}
                onClick={() => void change({ assignee: me!, state: 'assigned' }, props.version)}
              >
                {tr('take_it')}
              </button>
            )}
            {a.assignee && (
              <button
                type="button"
                class="button"
                disabled={isSending}
                onClick={() => void change({ assignee: 0, state: 'open' }, props.version)}
              >
                {tr('give_back')}
              </button>
            )}
          </p>
          <form onSubmit={submit}>
            <FaultSummary problem={problem} />
            <SelectField
              label={tr('alert_verdict')}
              name="verdict"
              value={verdict}
              onValue={setVerdict}
              fault={faults.verdict}
              required
              options={[
                ['', tr('choose')],
                ...(['true', 'false', 'benign', 'verified_malware'] as const).map((v): [string, string] => [v, trOr('alert_verdict_', v)]),
              ]}
            />
            <AreaField
              label={tr('verdict_reason')}
              name="reason"
              hint={tr('verdict_reason_hint')}
              value={reason}
              onValue={setReason}
              fault={faults.reason}
              required
            />
            <Submit isSending={isSending}>{tr('verdict_save')}</Submit>
          </form>
        </>
      ) : (
        <>
          <FaultSummary problem={problem} />
          <p>
            {tr('alert_verdict')}: <strong>{a.verdict ? trOr('alert_verdict_', a.verdict) : '–'}</strong>
          </p>
          {a.verdict_reason && <p class="story-text">{a.verdict_reason}</p>}
          <p class="buttons">
            <button type="button" class="button" disabled={isSending} onClick={() => void change({ state: 'open' }, props.version)}>
              {tr('reopen')}
            </button>
          </p>
        </>
      )}
    </Section>
  );
}
