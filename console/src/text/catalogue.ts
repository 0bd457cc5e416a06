/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text/catalogue - what the screen says, in the reader's language.
 *
 * Out: tr(id, places); a language is fetched when it is first wanted, so that nobody loads the one he does not read.
 */
import { createStore } from '../app/store';

export type Language = 'vi' | 'en';
type Values = Record<string, string | number>;

const tables: Partial<Record<Language, Record<string, string>>> = {};
export const language = createStore<Language>('vi');

const fetchers: Record<Language, () => Promise<{ default: Record<string, string> }>> = {
  vi: () => import('virtual:messages/vi'),
  en: () => import('virtual:messages/en'),
};

export async function setLanguage(wanted: Language): Promise<void> {
  tables[wanted] ??= (await fetchers[wanted]()).default;
  document.documentElement.lang = wanted;
  try {
    localStorage.setItem('language', wanted);
  } catch {
    // a browser that keeps nothing forgets the choice, no more
  }
  language.set(wanted);
}

export function rememberedLanguage(): Language {
  try {
    return localStorage.getItem('language') === 'en' ? 'en' : 'vi';
  } catch {
    return 'vi';
  }
}

/* tr - the text of @id; {name} in it is replaced by values.name. An id nobody knows is shown as it is: the build refuses those we wrote. */
export function tr(id: string, values?: Values): string {
  const text = tables[language.get()]?.[id] ?? id;
  return values ? text.replace(/\{([a-z_]+)\}/g, (whole, name: string) => String(values[name] ?? whole)) : text;
}

/* trOr - as tr, for ids made of a server's word that a newer server may have extended: then the word itself. */
export function trOr(prefix: string, word: string): string {
  return tables[language.get()]?.[`${prefix}${word}`] ?? word;
}
