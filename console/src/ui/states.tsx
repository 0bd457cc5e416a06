/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ui/states - what a screen says when it has nothing to show, or nothing it may be sure of. Used everywhere, so that it always looks
 * the same.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Problem } from '../api/client';
import { formatTime } from '../text/format';
import { tr } from '../text/catalogue';
import { Icon } from './icon';

const QUIET_MS = 250; // what comes at once needs no grey lines before it

export function Loading(props: { lines?: number }) {
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class={`loading ${isShown ? '' : 'is-quiet'}`} role="status">
      <span class="sr-only">{tr('state_loading')}</span>
      {Array.from({ length: props.lines ?? 4 }, (_, i) => (
        <span key={i} class="loading-line" aria-hidden="true" />
      ))}
    </div>
  );
}

function Box(props: { kind: string; icon: string; title: string; role?: 'alert' | 'status'; children?: ComponentChildren }) {
  return (
    <div class={`state state-${props.kind}`} role={props.role}>
      <Icon name={props.icon} />
      <div>
        <p class="state-title">{props.title}</p>
        {props.children}
      </div>
    </div>
  );
}

export function Empty(props: { title: string; hint?: string; children?: ComponentChildren }) {
  return (
    <Box kind="empty" icon="empty" title={props.title}>
      {props.hint && <p>{props.hint}</p>}
      {props.children}
    </Box>
  );
}

export function problemTitle(p: Problem): string {
  if (p.isOffline) return tr('problem_offline');
  if (p.status === 429) return tr('problem_too_many');
  if (p.title) return p.title;
  if (p.status === 403) return tr('problem_forbidden');
  if (p.status === 404) return tr('problem_missing');
  if (p.status >= 500) return tr('problem_server');
  return tr('problem_other', { status: p.status });
}

export function Failure(props: { problem: Problem; retry?: () => void }) {
  return (
    <Box kind="failure" icon="warning" title={problemTitle(props.problem)} role="alert">
      {props.problem.detail && <p>{props.problem.detail}</p>}
      {props.problem.isOffline && <p>{tr('problem_offline_hint')}</p>}
      {props.retry && (
        <button type="button" class="button" onClick={props.retry}>
          {tr('retry')}
        </button>
      )}
    </Box>
  );
}

export function Stale(props: { at: number | null; problem: Problem; retry: () => void }) {
  return (
    <div class="stale" role="status">
      <Icon name="stale" />
      <span>
        {props.problem.isOffline
          ? tr('stale_lost', { at: formatTime(props.at) })
          : tr('stale_failed', { at: formatTime(props.at), what: problemTitle(props.problem) })}
      </span>
      <button type="button" class="button button-small" onClick={props.retry}>
        {tr('retry')}
      </button>
    </div>
  );
}

export function NoPermission() {
  return (
    <Box kind="denied" icon="lock" title={tr('denied_title')}>
      <p>{tr('denied_hint')}</p>
    </Box>
  );
}

export function Missing() {
  return (
    <Box kind="empty" icon="empty" title={tr('missing_title')}>
      <p>{tr('missing_hint')}</p>
    </Box>
  );
}
