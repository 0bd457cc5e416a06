/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/events - what changes while a page is open: server-sent events over fetch.
 *
 * fetch and not EventSource: a wall screen must send its token, and a silent line must be noticed. The server speaks at least every
 * 15 s; after 40 s of silence the line counts as lost and is opened again (1, 2, 4 … 30 s apart), resuming after the last id. Whoever
 * comes back is told 'resync': what happened between may be more than the server remembers.
 */
import { BASE, authHeaders, lostSince, session } from './client';

export interface ServerEvent {
  name: string;
  data: Record<string, unknown>;
}
type Listener = (event: ServerEvent) => void;

const SILENCE_MS = 40_000;
const WAIT_MAX_MS = 30_000;
const listeners = new Set<Listener>();
let running: AbortController | null = null;
let lastId = '';

export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(name: string, data: Record<string, unknown>): void {
  for (const l of [...listeners]) l({ name, data });
}

/* One block of lines between blank lines. */
function take(block: string): void {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const cut = line.indexOf(':');
    if (cut === 0) continue;
    const field = cut < 0 ? line : line.slice(0, cut);
    const value = cut < 0 ? '' : line.slice(cut + 1).replace(/^ /, '');
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id') lastId = value;
  }
  if (!data.length) return;
  try {
    tell(name, JSON.parse(data.join('\n')) as Record<string, unknown>);
  } catch {
    tell(name, {});
  }
  if (name === 'session') session.set(null);
}

async function listen(stop: AbortSignal, onOpen: () => void): Promise<number> {
  const line = new AbortController();
  const end = () => line.abort();
  stop.addEventListener('abort', end);
  let silence = setTimeout(end, SILENCE_MS);
  try {
    const headers: Record<string, string> = { ...authHeaders(), Accept: 'text/event-stream' };
    if (lastId) headers['Last-Event-ID'] = lastId;
    const reply = await fetch(`${BASE}/events`, { headers, credentials: 'same-origin', cache: 'no-store', signal: line.signal });
    if (!reply.ok || !reply.body) return reply.status;
    onOpen();
    const reader = reply.body.getReader();
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return 200;
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MS);
      text += decoder.decode(value, { stream: true }).replace(/\r\n?/g, '\n');
      for (let cut = text.indexOf('\n\n'); cut >= 0; cut = text.indexOf('\n\n')) {
        take(text.slice(0, cut));
        text = text.slice(cut + 2);
      }
      if (text.length > 1_000_000) return 0; // no event of ours is that long
    }
  } finally {
    clearTimeout(silence);
    stop.removeEventListener('abort', end);
  }
}

export function startEvents(): void {
  stopEvents();
  const mine = new AbortController();
  running = mine;
  let wait = 1000;
  let wasLost = false;
  const opened = () => {
    wait = 1000;
    lostSince.set(null);
    if (wasLost) tell('resync', {});
    wasLost = false;
  };
  const loop = async () => {
    while (!mine.signal.aborted) {
      const status = await listen(mine.signal, opened).catch(() => 0);
      if (mine.signal.aborted) return;
      if (status === 401 || status === 403 || status === 404) {
        if (status === 401) session.set(null);
        return; // nothing to listen to: pages ask for themselves
      }
      wasLost = true;
      if (lostSince.get() === null) lostSince.set(Date.now());
      await new Promise((r) => setTimeout(r, wait * (0.75 + Math.random() / 2)));
      wait = Math.min(wait * 2, WAIT_MAX_MS);
    }
  };
  void loop();
}

export function stopEvents(): void {
  running?.abort();
  running = null;
}

addEventListener('pagehide', stopEvents);
