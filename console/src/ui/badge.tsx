/* SPDX-License-Identifier: Apache-2.0 */
/* ui/badge - the few words that come back on every page, always with the same shape and colour. */
import { tr, trOr } from '../text/catalogue';
import { formatAge, formatTime } from '../text/format';
import { SeverityMark } from './icon';

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;

export function Severity(props: { of: string; isShort?: boolean }) {
  return (
    <span class={`severity severity-${props.of}`}>
      <SeverityMark severity={props.of} />
      {props.isShort ? <span class="sr-only">{trOr('severity_', props.of)}</span> : trOr('severity_', props.of)}
    </span>
  );
}

export function State(props: { of: string; prefix: string; tone?: 'good' | 'bad' | 'wait' | 'calm' | 'blind' }) {
  return <span class={`badge badge-${props.tone ?? 'calm'}`}>{trOr(props.prefix, props.of)}</span>;
}

const STATE_TONES: Record<string, 'bad' | 'wait' | 'calm' | 'good'> = { new: 'bad', open: 'wait', assigned: 'wait', resolved: 'good' };

export function AlertStateBadge(props: { of: string }) {
  return <State of={props.of} prefix="alert_state_" tone={STATE_TONES[props.of]} />;
}

const TLP_WORDS = ['CLEAR', 'GREEN', 'AMBER', 'AMBER+STRICT', 'RED'];

export function Tlp(props: { of: number | string | null | undefined }) {
  const { of } = props;
  const word = typeof of === 'number' ? TLP_WORDS[of] : of?.toUpperCase().replace('_', '+');
  return word ? <span class={`tlp tlp-${word.split('+')[0]!.toLowerCase()}`}>TLP:{word}</span> : null;
}

/* Due - till when; what is over says how long. */
export function Due(props: { at: string | null; isOverdue?: boolean }) {
  if (!props.at) return <span class="muted">–</span>;
  const left = Date.parse(props.at) - Date.now();
  const isOver = props.isOverdue ?? left < 0;
  return (
    <span class={isOver ? 'due due-over' : 'due'} title={formatTime(props.at)}>
      {isOver ? tr('due_over', { age: formatAge(-left) }) : tr('due_left', { age: formatAge(left) })}
    </span>
  );
}
