/* SPDX-License-Identifier: Apache-2.0 */
/* app/pages - the one table of pages: address, permission, place in the menu, code. A page is a chunk of its own. */
import type { ComponentType } from 'preact';
import type { Session } from '../api/types';
import type { PageProps } from './lazy';
import type { Route } from './router';

export interface PageDoor {
  path: string;
  icon: string;
  may: string[]; // one of these permissions opens it; none: everybody
  group: 'watch' | 'portal' | 'admin' | 'hidden';
  hotkey?: string;
  key: (route: Route) => string; // a page begins anew when this changes
  load: () => Promise<ComponentType<PageProps>>;
}

const byPath = (route: Route) => route.path.join('/');
const byFirst = (route: Route) => route.path[0] ?? '';

export const pages: PageDoor[] = [
  {
    path: 'overview',
    icon: 'overview',
    may: ['alert.read', 'source.read', 'duty.read'],
    group: 'watch',
    hotkey: 'o',
    key: byFirst,
    load: async () => (await import('../overview/overview')).Overview,
  },
  {
    path: 'alerts',
    icon: 'alert',
    may: ['alert.read'],
    group: 'watch',
    hotkey: 'a',
    key: byPath,
    load: async () => (await import('../alert/page')).AlertPage,
  },
  {
    path: 'search',
    icon: 'search',
    may: ['event.search'],
    group: 'watch',
    hotkey: 's',
    key: byPath,
    load: async () => (await import('../search/page')).SearchPage,
  },
  {
    path: 'lists',
    icon: 'list',
    may: ['list.read'],
    group: 'watch',
    hotkey: 'l',
    key: byPath,
    load: async () => (await import('../list/page')).ListPage,
  },
  {
    path: 'units',
    icon: 'unit',
    may: ['unit.read'],
    group: 'watch',
    hotkey: 'u',
    key: byPath,
    load: async () => (await import('../unit/page')).UnitPage,
  },
  {
    path: 'machines',
    icon: 'machine',
    may: ['asset.read'],
    group: 'watch',
    hotkey: 'm',
    key: byPath,
    load: async () => (await import('../asset/page')).MachinePage,
  },
  {
    path: 'sources',
    icon: 'source',
    may: ['source.read'],
    group: 'watch',
    hotkey: 'n',
    key: byPath,
    load: async () => (await import('../source/page')).SourcePage,
  },
  {
    path: 'duty',
    icon: 'phone',
    may: ['duty.read'],
    group: 'watch',
    hotkey: 't',
    key: byPath,
    load: async () => (await import('../duty/page')).DutyPage,
  },
  {
    path: 'portal',
    icon: 'portal',
    may: ['portal.answer'],
    group: 'portal',
    hotkey: 'v',
    key: byPath,
    load: async () => (await import('../portal/page')).PortalPage,
  },
  {
    path: 'users',
    icon: 'user',
    may: ['user.read', 'grant.write'],
    group: 'admin',
    hotkey: 'p',
    key: byPath,
    load: async () => (await import('../user/page')).UserPage,
  },
  {
    path: 'audit',
    icon: 'audit',
    may: ['audit.read'],
    group: 'admin',
    hotkey: 'k',
    key: byPath,
    load: async () => (await import('../audit/page')).AuditPage,
  },
  {
    path: 'settings',
    icon: 'setting',
    may: [],
    group: 'admin',
    hotkey: 'c',
    key: byPath,
    load: async () => (await import('../setting/page')).SettingPage,
  },
];

export const wallPage: PageDoor = {
  path: 'wall',
  icon: 'wall',
  may: ['alert.read', 'duty.read'],
  group: 'hidden',
  key: byFirst,
  load: async () => (await import('../wall/wall')).Wall,
};

const missing: PageDoor = {
  path: '',
  icon: 'empty',
  may: [],
  group: 'hidden',
  key: byPath,
  load: async () => (await import('./nowhere')).Nowhere,
};
const denied: PageDoor = {
  path: '',
  icon: 'lock',
  may: [],
  group: 'hidden',
  key: byPath,
  load: async () => (await import('./nowhere')).Denied,
};

export function isOpen(page: PageDoor, who: Session): boolean {
  return !page.may.length || page.may.some((p) => who.permissions.includes(p));
}

/* A guest of the node: answers for a unit, watches nothing. His first page is what waits for his unit. */
export function isGuest(who: Session): boolean {
  return who.permissions.includes('portal.answer') && !who.permissions.includes('alert.write');
}

export function firstPage(who: Session): PageDoor {
  const wanted = isGuest(who) ? 'portal' : 'overview';
  const all = pages.filter((p) => isOpen(p, who));
  return all.find((p) => p.path === wanted) ?? all[0]!; // settings are open to everybody
}

/* pageOf - the page of an address; without one, the person's first. */
export function pageOf(route: Route, who: Session): PageDoor {
  if (route.path[0] === 'wall') return isOpen(wallPage, who) ? wallPage : denied;
  if (!route.path.length) return firstPage(who);
  const page = pages.find((p) => p.path === route.path[0]);
  if (!page) return missing;
  return isOpen(page, who) ? page : denied;
}
