/* SPDX-License-Identifier: Apache-2.0 */
/* app/session - who is signed in, and what he may. The server decides; the console only spares people doors that stay shut. */
import { Problem, forgetReplies, get, remove, session } from '../api/client';
import { startEvents, stopEvents } from '../api/events';
import type { Session } from '../api/types';
import { setLanguage } from '../text/catalogue';
import { useStore } from './store';

export async function loadSession(): Promise<void> {
  try {
    const { data } = await get<Session>('/session');
    enter(data);
  } catch (e) {
    if (e instanceof Problem && e.isOffline) throw e;
    session.set(null);
  }
}

export function enter(s: Session): void {
  forgetReplies();
  session.set(s);
  const wanted = rememberedOr(s.person.language);
  void setLanguage(wanted);
  if (!s.person.must_change_password) startEvents();
}

function rememberedOr(fallback: 'vi' | 'en'): 'vi' | 'en' {
  try {
    const kept = localStorage.getItem('language');
    return kept === 'vi' || kept === 'en' ? kept : fallback;
  } catch {
    return fallback;
  }
}

export async function leave(): Promise<void> {
  stopEvents();
  try {
    await remove('/session');
  } finally {
    forgetReplies();
    session.set(null);
  }
}

export function may(permission: string): boolean {
  return session.get()?.permissions.includes(permission) ?? false;
}

export const useSession = () => useStore(session);
