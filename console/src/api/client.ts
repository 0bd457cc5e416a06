/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/client - one door to /api/v1.
 *
 * Writes carry the CSRF token of the session and, where the object has a version, If-Match. Reads are asked again with the ETag
 * they had. A refusal is a Problem (RFC 9457); a reply that never came is a Problem with status 0 and marks the connection as lost.
 */
import { createStore } from '../app/store';
import { queryText, type Query } from '../app/router';
import { language } from '../text/catalogue';
import type { FieldError, Session } from './types';

export const BASE = '/api/v1';

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    readonly title: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
    readonly body: Record<string, unknown> = {},
  ) {
    super(title);
  }
  get isOffline() {
    return this.status === 0;
  }
  get isConflict() {
    return this.status === 412 || this.status === 409;
  }
}

export interface Reply<T> {
  data: T;
  status: number;
  version: number | null; // of the ETag
}

export interface Ask {
  body?: unknown;
  bytes?: Blob;
  query?: Query;
  version?: number | null;
  signal?: AbortSignal;
}

/* undefined: not asked yet; null: nobody is signed in */
export const session = createStore<Session | null | undefined>(undefined);
export const lostSince = createStore<number | null>(null);
/* of a wall screen: a read-only token instead of a session */
let token: string | null = null;
export function setToken(value: string | null): void {
  token = value;
}

const KEPT_REPLIES = 200;
const kept = new Map<string, { etag: string; data: unknown; version: number | null }>();

export function forgetReplies(): void {
  kept.clear();
}

export function authHeaders(): Record<string, string> {
  const headers: Record<string, string> = { 'Accept-Language': language.get() };
  if (token) headers.Authorization = `Bearer ${token}`;
  return headers;
}

function versionOf(etag: string | null): number | null {
  const m = etag?.match(/^(?:W\/)?"(\d+)"$/);
  return m ? Number(m[1]) : null;
}

async function toProblem(reply: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await reply.json()) as Record<string, unknown>;
  } catch {
    // not a document: the status says what is known
  }
  const text = (name: string) => (typeof body[name] === 'string' ? (body[name] as string) : '');
  return new Problem(reply.status, text('type'), text('title'), text('detail'), (body.errors as FieldError[]) ?? [], body);
}

export async function call<T>(method: string, path: string, ask: Ask = {}): Promise<Reply<T>> {
  const url = `${BASE}${path}${queryText(ask.query ?? {})}`;
  const headers: Record<string, string> = { ...authHeaders(), Accept: 'application/json' };
  const isRead = method === 'GET';
  const memory = isRead ? kept.get(`${language.get()} ${url}`) : undefined;
  if (memory) headers['If-None-Match'] = memory.etag;
  if (!isRead) headers['X-CSRF-Token'] = session.get()?.csrf ?? '';
  if (ask.version != null) headers['If-Match'] = `"${ask.version}"`;
  if (ask.body !== undefined) headers['Content-Type'] = 'application/json';
  if (ask.bytes) headers['Content-Type'] = ask.bytes.type || 'application/octet-stream';

  let reply: Response;
  try {
    reply = await fetch(url, {
      method,
      headers,
      body: ask.bytes ?? (ask.body === undefined ? null : JSON.stringify(ask.body)),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: ask.signal ?? null,
    });
  } catch (e) {
    if ((e as Error).name === 'AbortError') throw e;
    if (lostSince.get() === null) lostSince.set(Date.now());
    throw new Problem(0, '', '', '');
  }
  if (lostSince.get() !== null) lostSince.set(null);
  if (reply.status === 304 && memory) return { data: memory.data as T, status: 200, version: memory.version };
  if (!reply.ok) {
    const problem = await toProblem(reply);
    if (reply.status === 401 && !path.startsWith('/session') && session.get()) session.set(null);
    throw problem;
  }
  const isEmpty = reply.status === 204 || reply.headers.get('Content-Length') === '0';
  const data = (isEmpty ? null : await reply.json()) as T;
  const etag = reply.headers.get('ETag');
  const version = versionOf(etag);
  if (isRead && etag) keep(`${language.get()} ${url}`, { etag, data, version });
  return { data, status: reply.status, version };
}

function keep(name: string, value: { etag: string; data: unknown; version: number | null }): void {
  kept.delete(name);
  kept.set(name, value);
  const oldest = kept.keys().next().value;
  if (kept.size > KEPT_REPLIES && oldest !== undefined) kept.delete(oldest);
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) => call<T>('GET', path, { query, signal });
export const post = <T>(path: string, body?: unknown, query?: Query) => call<T>('POST', path, { body: body ?? {}, query });
export const patch = <T>(path: string, body: unknown, version: number | null) => call<T>('PATCH', path, { body, version });
export const remove = (path: string, version?: number | null) => call<null>('DELETE', path, { version: version ?? null });

/* exportHref - the same rows as a file; a link, so that the browser saves it. */
export function exportHref(path: string, query: Query, format: string): string {
  return `${BASE}${path}${queryText({ ...query, cursor: null, limit: null, format })}`;
}
