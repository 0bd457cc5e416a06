/* SPDX-License-Identifier: Apache-2.0 */
/* search/search - a question over flows and logs: when it happened drawn above, rows below, all of it in the address. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { exportHref, post } from '../api/client';
import type { EvidenceRow, Job, Series as SeriesData } from '../api/types';
import { go, setQuery, to } from '../app/router';
import { tr } from '../text/catalogue';
import { formatAge, formatNumber } from '../text/format';
import { Series } from '../ui/chart';
import { Submit, useSend, FaultSummary } from '../ui/form';
import { Icon } from '../ui/icon';
import { Empty } from '../ui/states';
import { RowsTable } from '../ui/rows';
import { ExportLinks } from '../ui/table';
import { say } from '../ui/toast';
import { QueryInput } from './input';
import { isOver, useJob } from './job';
import { CoverageLine, Progress, Window } from './parts';

const EXAMPLES = [
  'source.ip : 203.0.113.0/24 and destination.port : (80 or 443)',
  '* | top 10 source.ip by sum(network.bytes)',
  '"failed password" | count by source.ip',
];
const ROWS_MAX = 10_000;
const BY_MINUTES = ' | timeline 1m';

const windowOf = (since: string | null, until: string | null) => ({ ...(since ? { since } : {}), ...(until ? { until } : {}) });

/* A timeline's rows as an even series: what lies between two of its steps and had no record is zero, it was looked at. */
function toSeries(rows: EvidenceRow[]): SeriesData | null {
  const points = rows
    .map((r) => {
      const values = Object.values(r);
      const at = values.find((v): v is string => typeof v === 'string' && !Number.isNaN(Date.parse(v)));
      const n = values.find((v): v is number => typeof v === 'number');
      return { ms: at ? Date.parse(at) : NaN, n: n ?? 0 };
    })
    .filter((p) => Number.isFinite(p.ms))
    .sort((a, b) => a.ms - b.ms);
  if (points.length < 2) return null;
  const step = Math.min(
    ...points
      .slice(1)
      .map((p, i) => p.ms - points[i]!.ms)
      .filter((d) => d > 0),
  );
  const n = Math.round((points[points.length - 1]!.ms - points[0]!.ms) / step) + 1;
  if (!Number.isFinite(step) || n > 5000) return null;
  const values = new Array<number>(n).fill(0);
  for (const p of points) values[Math.round((p.ms - points[0]!.ms) / step)]! += p.n;
  return { step_s: step / 1000, from: new Date(points[0]!.ms).toISOString(), values };
}

export function Search({ query }: { query: URLSearchParams }) {
  const asked = query.get('q') ?? '';
  const since = query.get('since');
  const until = query.get('until');
  const columns = (query.get('columns') ?? '').split(',').filter(Boolean);
  const [text, setText] = useState(asked);
  const [jobs, setJobs] = useState<{ rows: number | null; line: number | null }>({ rows: null, line: null });
  const { isSending, problem, send, faults } = useSend();
  const answer = useJob(jobs.rows);
  const line = useJob(jobs.line);
  useEffect(() => setText(asked), [asked]);

  const key = `${asked} ${since} ${until}`;
  useEffect(() => {
    setJobs({ rows: null, line: null });
    if (!asked) return;
    let isGone = false;
    void send(async () => {
      const body = { ...windowOf(since, until), query: asked, limit: ROWS_MAX };
      const { data } = await post<Job>('/queries', body);
      if (isGone) return;
      setJobs({ rows: data.id, line: null });
      if (asked.includes('|')) return;
      const drawn = await post<Job>('/queries', { ...body, query: `${asked} | timeline` });
      if (!isGone) setJobs({ rows: data.id, line: drawn.data.id });
    });
    return () => {
      isGone = true;
    };
  }, [key]);

  /* all of it in one step of the timeline: the same by minutes */
  useEffect(() => {
    if (line.job?.state !== 'done' || line.rows.length !== 1 || line.job.text?.endsWith(BY_MINUTES)) return;
    void post<Job>('/queries', { ...windowOf(since, until), query: `${asked}${BY_MINUTES}`, limit: ROWS_MAX }).then(
      ({ data }) => setJobs((j) => (j.line === line.job?.id ? { ...j, line: data.id } : j)),
      () => undefined, // the rows stand without a drawing
    );
  }, [line.job?.id, line.job?.state, line.rows.length]);

  const run = () => {
    const q = text.trim();
    if (!q) return;
    if (q === asked) return go(to('search', { q, since, until, columns: columns.join(','), again: Date.now() }), true);
    setQuery({ q, columns: '' });
  };
  const series = useMemo(() => toSeries(line.rows), [line.rows]);
  const filter = (name: string, value: string) => {
    const quoted = /^[\w.:-]+$/.test(value) ? value : JSON.stringify(value);
    setQuery({ q: `(${asked}) and ${name} : ${quoted}` });
  };
  const copy = () =>
    navigator.clipboard.writeText(location.href).then(
      () => say(tr('copied')),
      () => say(tr('copy_failed'), true),
    );
  const job = answer.job;
  return (
    <>
      <form
        class="search-form"
        onSubmit={(e) => {
          e.preventDefault();
          run();
        }}
      >
        <QueryInput value={text} onValue={setText} onSubmit={run} fault={faults.query} />
        <div class="filters">
          <Window since={since} until={until} onChange={(s, u) => setQuery({ since: s, until: u })} />
          <Submit isSending={isSending}>{tr('search_run')}</Submit>
        </div>
      </form>
      {problem && !faults.query && <FaultSummary problem={problem} />}
      {!asked && (
        <Empty title={tr('search_empty')} hint={tr('search_empty_hint')}>
          <ul class="examples">
            {EXAMPLES.map((e) => (
              <li key={e}>
                <a href={to('search', { q: e })}>{e}</a>
              </li>
            ))}
          </ul>
        </Empty>
      )}
      {series && (
        <Series
          of={series}
          kind="bars"
          label={tr('histogram', { age: formatAge(series.step_s * 1000) })}
          onSelect={(s, u) => setQuery({ since: s, until: u })}
        />
      )}
      {jobs.rows !== null && <Progress of={answer} />}
      {job && isOver(job) && job.state === 'done' && (
        <>
          <div class="result-head">
            <p>
              <strong>{tr('rows_found', { n: formatNumber(job.n_rows ?? answer.rows.length) })}</strong>
            </p>
            <span class="result-actions">
              <button type="button" class="button button-small" onClick={() => void copy()}>
                <Icon name="copy" />
                {tr('permalink')}
              </button>
              <ExportLinks formats={['csv', 'jsonl']} href={(f) => exportHref(`/jobs/${job.id}/rows`, {}, f)} />
            </span>
          </div>
          <CoverageLine of={job.coverage} job={job} />
          {answer.rows.length ? (
            <RowsTable
              rows={answer.rows}
              caption={tr('search_rows')}
              next={answer.next}
              onMore={() => void answer.more()}
              total={job.n_rows ?? null}
              columns={columns}
              onColumns={(c) => setQuery({ columns: c.join(',') })}
              onFilter={filter}
            />
          ) : (
            <Empty title={tr('search_nothing')} hint={tr('search_nothing_hint')} />
          )}
        </>
      )}
    </>
  );
}
