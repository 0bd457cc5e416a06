/* SPDX-License-Identifier: Apache-2.0 */
/* search/job - a question that takes its time: asked, watched, read by pages, stopped. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Problem, get, remove } from '../api/client';
import { onEvent } from '../api/events';
import type { EvidenceRow, Job, Row } from '../api/types';

const POLL_MS = [150, 300, 600, 1000, 2000]; // the last one goes on

export const isOver = (j: Job) => j.state === 'done' || j.state === 'failed' || j.state === 'cancelled';

/* asObjects - rows come as objects or as arrays beside the names of columns. */
export function asObjects(rows: Row[], columns: string[] | null): EvidenceRow[] {
  return rows.map((r) => {
    if (!Array.isArray(r)) return r;
    const out: EvidenceRow = {};
    r.forEach((v, i) => {
      out[columns?.[i] ?? String(i)] = v;
    });
    return out;
  });
}

interface RowsPage {
  items: Row[];
  next: number | null;
}

export interface Watched {
  job: Job | null;
  rows: EvidenceRow[];
  next: number | null;
  problem: Problem | null;
  more: () => Promise<void>;
  cancel: () => Promise<void>;
}

const PAGE = 200;

/* useJob - follow job @id to its end and read its first page of rows. */
export function useJob(id: number | null): Watched {
  const [state, setState] = useState<{
    id: number | null;
    job: Job | null;
    rows: EvidenceRow[];
    next: number | null;
    problem: Problem | null;
  }>({
    id: null,
    job: null,
    rows: [],
    next: null,
    problem: null,
  });
  const wake = useRef<() => void>(() => undefined);

  useEffect(() => {
    if (id === null) return;
    const stop = new AbortController();
    const forget = onEvent((e) => {
      if (e.name === 'job' && e.data.id === id) wake.current();
    });
    const follow = async () => {
      for (let turn = 0; !stop.signal.aborted; turn++) {
        const { data: job } = await get<Job>(`/jobs/${id}`, {}, stop.signal);
        setState((s) => (s.id === id ? { ...s, job, problem: null } : { id, job, rows: [], next: null, problem: null }));
        if (isOver(job)) {
          if (job.state !== 'done') return;
          const { data } = await get<RowsPage>(`/jobs/${id}/rows`, { limit: PAGE }, stop.signal);
          setState((s) => ({ ...s, id, job, rows: asObjects(data.items, job.columns), next: data.next }));
          return;
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, POLL_MS[Math.min(turn, POLL_MS.length - 1)]);
          wake.current = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    };
    follow().catch((e: Error) => {
      if (e.name !== 'AbortError') setState((s) => ({ ...s, id, problem: e instanceof Problem ? e : new Problem(0, '', e.message, '') }));
    });
    return () => {
      stop.abort();
      forget();
    };
  }, [id]);

  const isMine = state.id === id && id !== null;
  const more = async () => {
    if (!isMine || !state.next) return;
    const { data } = await get<RowsPage>(`/jobs/${id}/rows`, { limit: PAGE, from: state.next });
    setState((s) => ({ ...s, rows: [...s.rows, ...asObjects(data.items, s.job?.columns ?? null)], next: data.next }));
  };
  const cancel = async () => {
    if (id === null) return;
    await remove(`/jobs/${id}`);
    wake.current();
  };
  return {
    job: isMine ? state.job : null,
    rows: isMine ? state.rows : [],
    next: isMine ? state.next : null,
    problem: isMine ? state.problem : null,
    more,
    cancel,
  };
}
