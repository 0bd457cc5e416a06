/* SPDX-License-Identifier: Apache-2.0 */
/* search/parts - how far a job is, over what it looked, and the window of time that both pages ask for. */
import { useEffect, useState } from 'preact/hooks';
import type { Coverage, Job } from '../api/types';
import { tr, trOr } from '../text/catalogue';
import { formatNumber, formatPercent, formatTime, parseTime } from '../text/format';
import { Problem } from '../api/client';
import { Failure } from '../ui/states';
import { Icon } from '../ui/icon';
import { isOver, type Watched } from './job';

export function Progress({ of }: { of: Watched }) {
  const { job } = of;
  if (of.problem) return <Failure problem={of.problem} />;
  if (!job) return <p role="status">{tr('job_waiting')}</p>;
  if (job.state === 'failed') return <Failure problem={new Problem(422, '', job.fault || tr('job_failed'), '')} />;
  if (job.state === 'cancelled')
    return (
      <p class="warn-line" role="status">
        <Icon name="close" />
        {tr('job_cancelled')}
      </p>
    );
  if (isOver(job)) return null;
  const { done, total } = job.progress ?? { done: 0, total: 0 };
  return (
    <div class="progress" role="status">
      <progress max={total || 1} value={total ? done : undefined} aria-label={tr('job_progress')} />
      <span>
        {total
          ? tr('job_done_of', {
              done: formatNumber(done),
              total: formatNumber(total),
              pct: formatPercent(done, total),
              unit: trOr('job_unit_', job.progress?.unit ?? ''),
            })
          : tr('job_waiting')}
      </span>
      <button type="button" class="button button-small" onClick={() => void of.cancel()}>
        {tr('job_cancel')}
      </button>
    </div>
  );
}

/* What was looked through, and what could not be: a search that found nothing says over what. */
export function CoverageLine({ of, job }: { of: Coverage | null; job?: Job | null }) {
  if (!of) return null;
  const damaged = (of.damaged_blocks ?? 0) + (of.damaged_segments ?? 0) + (of.damaged_files ?? 0);
  return (
    <div class="coverage">
      <p>
        {of.rows != null && tr('coverage_rows', { rows: formatNumber(of.rows), segments: formatNumber(of.segments ?? 0) })}
        {of.since && of.until && (
          <>
            {' '}
            · {formatTime(of.since)} – {formatTime(of.until)}
          </>
        )}
        {of.rows_matched != null && <> · {tr('coverage_matched', { n: formatNumber(of.rows_matched) })}</>}
      </p>
      {job?.is_cut && (
        <p class="warn-line">
          <Icon name="warning" />
          {tr('job_cut')}
        </p>
      )}
      {damaged > 0 && (
        <p class="blind-line">
          <Icon name="blind" />
          {tr('coverage_damaged', { n: formatNumber(damaged) })}
        </p>
      )}
      {of.gaps?.map((g, i) => (
        <p key={i} class="blind-line">
          <Icon name="blind" />
          {tr('coverage_gap', { what: g.what, since: formatTime(g.since), until: formatTime(g.until) })}
        </p>
      ))}
    </div>
  );
}

const SPANS: [string, number][] = [
  ['1h', 1],
  ['24h', 24],
  ['7d', 168],
  ['30d', 720],
];

/* Window - from, to, and the spans people ask for most. */
export function Window(props: {
  since: string | null;
  until: string | null;
  onChange: (since: string | null, until: string | null) => void;
}) {
  const [since, setSince] = useState('');
  const [until, setUntil] = useState('');
  useEffect(() => setSince(props.since ? formatTime(props.since) : ''), [props.since]);
  useEffect(() => setUntil(props.until ? formatTime(props.until) : ''), [props.until]);
  const wrong = (text: string) => text.trim() !== '' && parseTime(text) === null;
  const done = () => {
    if (wrong(since) || wrong(until)) return;
    props.onChange(since.trim() ? parseTime(since) : null, until.trim() ? parseTime(until) : null);
  };
  const field = (label: string, value: string, set: (v: string) => void) => (
    <label class={wrong(value) ? 'filter has-fault' : 'filter'}>
      <span>{label}</span>
      <input
        value={value}
        placeholder="dd/mm/yyyy HH:MM"
        size={16}
        aria-invalid={wrong(value) || undefined}
        onInput={(e) => set(e.currentTarget.value)}
        onBlur={done}
      />
    </label>
  );
  return (
    <>
      {field(tr('since'), since, setSince)}
      {field(tr('until_label'), until, setUntil)}
      <span class="spans" role="group" aria-label={tr('span')}>
        {SPANS.map(([name, hours]) => (
          <button
            key={name}
            type="button"
            class="button button-small"
            onClick={() => props.onChange(new Date(Date.now() - hours * 3600_000).toISOString().replace(/\.\d+Z/, 'Z'), null)}
          >
            {tr(`span_${name}`)}
          </button>
        ))}
        <button type="button" class="button button-small" onClick={() => props.onChange(null, null)}>
          {tr('span_all')}
        </button>
      </span>
    </>
  );
}
