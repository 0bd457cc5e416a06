/* SPDX-License-Identifier: Apache-2.0 */
/* app/shell - the frame of every page: menu, quick search, the state of the line to the node, language, light, the person. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { lostSince } from '../api/client';
import type { Session } from '../api/types';
import { language, setLanguage, tr } from '../text/catalogue';
import { formatTime } from '../text/format';
import { Dialog } from '../ui/dialog';
import { Icon } from '../ui/icon';
import { areKeysOn, setKeys, shortcutsNow, useKeys } from './keys';
import { firstPage, isGuest, isOpen, pages, wallPage, type PageDoor } from './pages';
import { go, to, type Route } from './router';
import { leave } from './session';
import { useStore } from './store';
import { isDark, setTheme } from './theme';

export function LanguageSwitch() {
  const now = useStore(language);
  const other = now === 'vi' ? 'en' : 'vi';
  return (
    <button
      type="button"
      class="button-bar"
      lang={other}
      onClick={() => void setLanguage(other)}
      aria-label={other === 'en' ? 'EN: switch to English' : 'VI: chuyển sang tiếng Việt'}
    >
      {other === 'en' ? 'EN' : 'VI'}
    </button>
  );
}

export function ThemeSwitch() {
  const dark = useStore(isDark);
  return (
    <button
      type="button"
      class="button-bar"
      onClick={() => setTheme(dark ? 'light' : 'dark')}
      aria-label={dark ? tr('theme_to_light') : tr('theme_to_dark')}
    >
      <Icon name="theme" />
    </button>
  );
}

function Menu(props: { route: Route; who: Session; onGo: () => void }) {
  const here = props.route.path[0] ?? firstPage(props.who).path;
  const item = (p: PageDoor) => (
    <li key={p.path}>
      <a href={to(p.path)} aria-current={here === p.path ? 'page' : undefined} onClick={props.onGo}>
        <Icon name={p.icon} />
        <span>{tr(`page_${p.path}`)}</span>
      </a>
    </li>
  );
  const groups = isGuest(props.who) ? (['portal', 'watch', 'admin'] as const) : (['watch', 'portal', 'admin'] as const);
  return (
    <nav class="menu" id="menu" aria-label={tr('menu')}>
      {groups.map((g) => {
        const open = pages.filter((p) => p.group === g && isOpen(p, props.who));
        return (
          open.length > 0 && (
            <ul key={g} class={`menu-${g}`}>
              {open.map(item)}
            </ul>
          )
        );
      })}
      {isOpen(wallPage, props.who) && !isGuest(props.who) && (
        <ul>
          <li>
            <a href={to('wall')} onClick={props.onGo}>
              <Icon name="wall" />
              <span>{tr('page_wall')}</span>
            </a>
          </li>
        </ul>
      )}
    </nav>
  );
}

/* An address, a name or words: where they are most likely meant to be looked up. */
function QuickSearch(props: { who: Session }) {
  const input = useRef<HTMLInputElement>(null);
  useKeys([
    { key: '/', what: tr('key_search'), run: () => (document.querySelector<HTMLInputElement>('[data-search]') ?? input.current)?.focus() },
  ]);
  const mayEvents = props.who.permissions.includes('event.search');
  const mayMachines = props.who.permissions.includes('asset.read');
  if (!mayEvents && !mayMachines) return null;
  const submit = (e: Event) => {
    e.preventDefault();
    const text = input.current?.value.trim() ?? '';
    if (!text) return;
    const isAddress = /^[0-9a-f:.]+(\/\d+)?$/i.test(text) && /[.:]/.test(text);
    if (mayEvents && (isAddress || !mayMachines))
      go(to('search', { q: isAddress ? `source.ip : ${text} or destination.ip : ${text}` : text }));
    else go(to('machines', { q: text }));
    input.current?.blur();
  };
  return (
    <form class="quick" role="search" onSubmit={submit}>
      <Icon name="search" />
      <input ref={input} type="search" aria-label={tr('quick_search')} placeholder={tr('quick_search')} />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}

export function LineState() {
  const since = useStore(lostSince);
  if (since === null) return null;
  return (
    <div class="line-lost" role="status">
      <Icon name="stale" />
      {tr('line_lost', { at: formatTime(since) })}
    </div>
  );
}

function Help(props: { onClose: () => void }) {
  const isOn = useStore(areKeysOn);
  const seen = new Set<string>();
  const all = shortcutsNow().filter((s) => !seen.has(s.key) && seen.add(s.key));
  return (
    <Dialog title={tr('help_title')} onClose={props.onClose}>
      <div class="check">
        <input type="checkbox" id="keys-on" checked={isOn} onChange={(e) => setKeys(e.currentTarget.checked)} />
        <label for="keys-on">{tr('help_keys_on')}</label>
      </div>
      <table class="help">
        <tbody>
          {all.map((s) => (
            <tr key={s.key}>
              <th scope="row">
                {s.key.split(' ').map((k) => (
                  <kbd key={k}>{k}</kbd>
                ))}
              </th>
              <td>{s.what}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

function Person(props: { who: Session }) {
  const [isOpenMenu, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpenMenu) return;
    const away = (e: Event) => {
      const isEscape = e instanceof KeyboardEvent && e.key === 'Escape';
      if (isEscape || (e.type === 'click' && !box.current?.contains(e.target as Node))) setOpen(false);
    };
    addEventListener('click', away);
    addEventListener('keydown', away);
    return () => {
      removeEventListener('click', away);
      removeEventListener('keydown', away);
    };
  }, [isOpenMenu]);
  const roles = props.who.roles.map((r) => `${tr(`role_${r.role}`)}${r.unit_name ? ` · ${r.unit_name}` : ''}`);
  return (
    <div class="person" ref={box}>
      <button
        type="button"
        class="button-bar person-button"
        aria-expanded={isOpenMenu}
        aria-controls="person-menu"
        onClick={() => setOpen(!isOpenMenu)}
      >
        <Icon name="user" />
        <span class="person-name">{props.who.person.name}</span>
      </button>
      {isOpenMenu && (
        <div class="person-menu" id="person-menu">
          <p>
            <strong>{props.who.person.name}</strong>
            <br />
            <span class="muted">{props.who.person.login}</span>
          </p>
          <ul class="plain">
            {roles.map((r) => (
              <li key={r}>{r}</li>
            ))}
          </ul>
          <p class="muted">{tr('session_until', { at: formatTime(props.who.expires_at) })}</p>
          <a href={to('settings')} onClick={() => setOpen(false)}>
            <Icon name="setting" />
            {tr('page_settings')}
          </a>
          <button type="button" class="link" onClick={() => void leave()}>
            <Icon name="out" />
            {tr('sign_out')}
          </button>
        </div>
      )}
    </div>
  );
}

export function Shell(props: { route: Route; who: Session; children: ComponentChildren }) {
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  useKeys([
    { key: '?', what: tr('key_help'), run: () => setHelpOpen(true) },
    ...pages
      .filter((p) => p.hotkey && isOpen(p, props.who))
      .map((p) => ({ key: `g ${p.hotkey}`, what: tr(`page_${p.path}`), run: () => go(to(p.path)) })),
  ]);
  if (props.route.path[0] === 'wall') return <>{props.children}</>;
  return (
    <div class={isMenuOpen ? 'shell is-menu-open' : 'shell'}>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        {tr('skip')}
      </a>
      <header class="bar">
        <button
          type="button"
          class="button-bar menu-button"
          aria-expanded={isMenuOpen}
          aria-controls="menu"
          aria-label={tr('menu')}
          onClick={() => setMenuOpen(!isMenuOpen)}
        >
          <Icon name={isMenuOpen ? 'close' : 'menu'} />
        </button>
        <a class="brand" href="#/">
          <strong>Vọng Gác</strong>
          <span class="node-name">{props.who.server.node_name}</span>
        </a>
        <QuickSearch who={props.who} />
        <div class="bar-end">
          <button type="button" class="button-bar keys-button" aria-label={tr('help_title')} onClick={() => setHelpOpen(true)}>
            <Icon name="keyboard" />
          </button>
          <ThemeSwitch />
          <LanguageSwitch />
          <Person who={props.who} />
        </div>
      </header>
      <Menu route={props.route} who={props.who} onGo={() => setMenuOpen(false)} />
      <main id="main" tabIndex={-1}>
        <LineState />
        {props.children}
      </main>
      {isHelpOpen && <Help onClose={() => setHelpOpen(false)} />}
    </div>
  );
}
