/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ui/resource - data that comes from the server, and every state it may be in: loading, ready, stale, failed, refused, missing.
 *
 * A reload that fails keeps what was there and says since when it is old; nobody looks at yesterday's figure thinking it is today's.
 */
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Problem, get } from '../api/client';
import { onEvent, type ServerEvent } from '../api/events';
import type { Page } from '../api/types';
import { queryText, type Query } from '../app/router';
import { language, tr } from '../text/catalogue';
import { Head } from './page';
import { useStore } from '../app/store';
import { Failure, Loading, Missing, NoPermission, Stale } from './states';

export interface Resource<T> {
  data: T | null;
  version: number | null;
  at: number | null; // when the data came
  problem: Problem | null; // of the last try
  isLoading: boolean;
  reload: () => void;
  set: (data: T, version?: number | null) => void;
}

export interface Options {
  events?: (e: ServerEvent) => boolean; // which events make it worth asking again
  everyMs?: number;
}

const EVENTS_APART_MS = 400; // a burst of events is one question

export function useResource<T>(path: string | null, query: Query = {}, options: Options = {}): Resource<T> {
  const lang = useStore(language);
  const name = path === null ? null : `${lang} ${path}${queryText(query)}`;
  const [state, setState] = useState<{
    name: string | null;
    data: T | null;
    version: number | null;
    at: number | null;
    problem: Problem | null;
  }>({
    name: null,
    data: null,
    version: null,
    at: null,
    problem: null,
  });
  const [isLoading, setLoading] = useState(false);
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((n) => n + 1), []);

  useEffect(() => {
    if (path === null) return;
    const stop = new AbortController();
    setLoading(true);
    get<T>(path, query, stop.signal).then(
      ({ data, version }) => {
        setState({ name, data, version, at: Date.now(), problem: null });
        setLoading(false);
      },
      (e: Error) => {
        if (e.name === 'AbortError') return;
        const problem = e instanceof Problem ? e : new Problem(0, '', e.message, '');
        const isGone = problem.status === 403 || problem.status === 404 || problem.status === 401;
        setState((s) => (s.name === name && !isGone ? { ...s, problem } : { name, data: null, version: null, at: null, problem }));
        setLoading(false);
      },
    );
    return () => stop.abort();
  }, [name, turn]);

  const wants = useRef(options.events);
  wants.current = options.events;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const forget = onEvent((e) => {
      if (e.name !== 'resync' && !wants.current?.(e)) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        reload();
      }, EVENTS_APART_MS);
    });
    const clock = options.everyMs ? setInterval(reload, options.everyMs) : undefined;
    return () => {
      forget();
      clearTimeout(timer);
      clearInterval(clock);
    };
  }, [options.everyMs]);

  const isMine = state.name === name;
  return {
    data: isMine ? state.data : null,
    version: isMine ? state.version : null,
    at: isMine ? state.at : null,
    problem: isMine ? state.problem : null,
    isLoading,
    reload,
    set: (data, version) => setState((s) => ({ ...s, name, data, version: version ?? s.version, at: Date.now(), problem: null })),
  };
}

/* useList - the pages of a list, one after the other. */
export function useList<T>(path: string | null, query: Query = {}, options: Options = {}) {
  const first = useResource<Page<T>>(path, query, options);
  const [more, setMore] = useState<{ of: Page<T> | null; items: T[]; next: string | null; problem: Problem | null }>({
    of: null,
    items: [],
    next: null,
    problem: null,
  });
  const isMine = more.of === first.data && first.data !== null;
  const next = isMine ? more.next : (first.data?.next ?? null);
  const items = first.data ? [...first.data.items, ...(isMine ? more.items : [])] : [];
  const loadMore = async () => {
    if (!path || !next || !first.data) return;
    const of = first.data;
    try {
      const { data } = await get<Page<T>>(path, { ...query, cursor: next });
      setMore((m) => ({ of, items: [...(m.of === of ? m.items : []), ...data.items], next: data.next, problem: null }));
    } catch (e) {
      setMore((m) => ({ ...m, of, next, problem: e as Problem }));
    }
  };
  return {
    ...first,
    items,
    next,
    loadMore,
    total: first.data?.total ?? null,
    isEstimate: first.data?.total_is_estimate ?? false,
    moreProblem: isMine ? more.problem : null,
  };
}

/* Shown - the one place that decides what stands on the screen for a resource. */
/* @isPage: it is the page as a whole, whose head comes with the data; without data it needs a head of its own. */
export function Shown<T>(props: { of: Resource<T>; lines?: number; isPage?: boolean; children: (data: T) => ComponentChildren }) {
  const { of } = props;
  if (of.data === null) {
    if (!of.problem) return <Loading lines={props.lines ?? 6} />;
    const head = (title: string) => props.isPage && <Head title={title} />;
    if (of.problem.status === 403)
      return (
        <>
          {head(tr('denied_page'))}
          <NoPermission />
        </>
      );
    if (of.problem.status === 404)
      return (
        <>
          {head(tr('missing_page'))}
          <Missing />
        </>
      );
    return (
      <>
        {head(tr('failed_page'))}
        <Failure problem={of.problem} retry={of.reload} />
      </>
    );
  }
  return (
    <>
      {of.problem && <Stale at={of.at} problem={of.problem} retry={of.reload} />}
      {props.children(of.data)}
    </>
  );
}
