/* SPDX-License-Identifier: Apache-2.0 */
/* app/theme - light, dark, or as the system has it. */
import { createStore } from './store';

export type Theme = 'auto' | 'light' | 'dark';
const media = matchMedia('(prefers-color-scheme: dark)');

function remembered(): Theme {
  try {
    const kept = localStorage.getItem('theme');
    return kept === 'light' || kept === 'dark' ? kept : 'auto';
  } catch {
    return 'auto';
  }
}

export const theme = createStore<Theme>(remembered());
export const isDark = createStore<boolean>(false);

export function applyTheme(): void {
  const wanted = theme.get();
  const dark = wanted === 'dark' || (wanted === 'auto' && media.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  isDark.set(dark);
}

export function setTheme(wanted: Theme): void {
  try {
    localStorage.setItem('theme', wanted);
  } catch {
    // not kept then
  }
  theme.set(wanted);
  applyTheme();
}

media.addEventListener('change', applyTheme);
