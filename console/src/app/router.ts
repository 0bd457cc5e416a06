/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/router - the page is in the part of the address after #: what people search for never stands in a log of a proxy,
 * and the server needs to know one page only. A permalink is the address as it stands.
 */
import { createStore, useStore } from './store';

export interface Route {
  path: string[];
  query: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#/, '');
  const cut = text.indexOf('?');
  const path = (cut < 0 ? text : text.slice(0, cut)).split('/').filter(Boolean).map(decode);
  return { path, query: new URLSearchParams(cut < 0 ? '' : text.slice(cut + 1)) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const route = createStore<Route>(parseRoute(location.hash));
addEventListener('hashchange', () => route.set(parseRoute(location.hash)));

export const useRoute = (): Route => useStore(route);
export const currentRoute = (): Route => route.get();

export type Query = Record<string, string | number | null | undefined>;

export function queryText(query: Query): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value != null && value !== '') q.set(name, String(value));
  const text = q.toString();
  return text ? `?${text}` : '';
}

/* to - the address of a page: to('alerts', 5), to('alerts', {state: 'new'}) */
export function to(...parts: (string | number | Query)[]): string {
  let path = '#';
  let query = '';
  for (const p of parts) {
    if (typeof p === 'object') query = queryText(p);
    else path += `/${encodeURIComponent(p)}`;
  }
  return path + query;
}

/* fromServer - an href of a reply, written as a path of the API or of the console, as a page of the console. */
export function fromServer(href: string | null | undefined): string | null {
  if (!href || !href.startsWith('/') || href.startsWith('//')) return null;
  return `#${href.replace(/^\/api\/v1(?=\/)/, '')}`;
}

export function go(href: string, isReplacing = false): void {
  if (isReplacing) {
    history.replaceState(null, '', href);
    route.set(parseRoute(location.hash));
  } else {
    location.hash = href;
  }
}

/* setQuery - the same page with other filters, without a step in the history for every key that is typed. */
export function setQuery(query: Query): void {
  const merged = new URLSearchParams(route.get().query);
  for (const [name, value] of Object.entries(query)) {
    if (value == null || value === '') merged.delete(name);
    else merged.set(name, String(value));
  }
  const text = merged.toString();
  go(`#/${route.get().path.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`, true);
}
