/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/keys - shortcuts of one key. They sleep while somebody types, while a dialog is open and where the person switched them off
 * (WCAG 2.1.4). What is registered is what the help (?) shows.
 */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { createStore } from './store';

export interface Shortcut {
  key: string; // "j", "Enter", "g o": a sequence of two
  what: string;
  run: () => void;
}

const layers: { shortcuts: Shortcut[] }[] = [];
let pending = '';
let pendingAt = 0;
const SEQUENCE_MS = 1200;

export const areKeysOn = createStore<boolean>(readChoice());

function readChoice(): boolean {
  try {
    return localStorage.getItem('keys') !== 'off';
  } catch {
    return true;
  }
}

export function setKeys(isOn: boolean): void {
  try {
    localStorage.setItem('keys', isOn ? 'on' : 'off');
  } catch {
    // not kept then
  }
  areKeysOn.set(isOn);
}

export function shortcutsNow(): Shortcut[] {
  return layers.flatMap((l) => l.shortcuts);
}

function isTyping(target: EventTarget | null): boolean {
  const e = target as HTMLElement | null;
  if (!e || !('tagName' in e)) return false;
  if (e.isContentEditable || ['TEXTAREA', 'SELECT'].includes(e.tagName)) return true;
  return e.tagName === 'INPUT' && !['checkbox', 'radio', 'button', 'submit'].includes((e as HTMLInputElement).type);
}

addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !areKeysOn.get()) return;
  if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
  const isFresh = pending && Date.now() - pendingAt < SEQUENCE_MS;
  const wanted = isFresh ? `${pending} ${event.key}` : event.key;
  pending = '';
  for (let i = layers.length - 1; i >= 0; i--) {
    const found = layers[i]!.shortcuts.find((s) => s.key === wanted);
    if (found) {
      event.preventDefault();
      found.run();
      return;
    }
  }
  if (shortcutsNow().some((s) => s.key.startsWith(`${event.key} `))) {
    pending = event.key;
    pendingAt = Date.now();
  }
});

export function useKeys(shortcuts: Shortcut[]): void {
  const layer = useRef({ shortcuts });
  layer.current.shortcuts = shortcuts;
  /* before the page is painted: who is fast is not lost */
  useLayoutEffect(() => {
    const mine = layer.current;
    layers.push(mine);
    return () => {
      layers.splice(layers.indexOf(mine), 1);
    };
  }, []);
}
