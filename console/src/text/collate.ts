/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text/collate - Vietnamese order and search with and without diacritics.
 *
 * Order: a ă â b c d đ e ê ... o ô ơ ... u ư; tones after letters (huyền, hỏi, ngã, sắc, nặng), as TCVN dictionaries have it. Browsers
 * without the Vietnamese data would fall back silently, so the letters are ranked here and not by Intl.
 */
const LETTERS = 'aăâbcdđeêfghijklmnoôơpqrstuưvwxyz';
const TONES: Record<string, number> = { '\u0300': 1, '\u0309': 2, '\u0303': 3, '\u0301': 4, '\u0323': 5 };
const SHAPES = new Set(['\u0306', '\u0302', '\u031b']); // breve, circumflex, horn: part of the letter

interface Key {
  letters: string;
  tones: string;
}
const cache = new Map<string, Key>();

function rank(letter: string): string {
  const i = LETTERS.indexOf(letter);
  return i < 0 ? letter : String.fromCharCode(0xe000 + i);
}

function key(text: string): Key {
  const known = cache.get(text);
  if (known) return known;
  let letters = '';
  let tones = '';
  let base = '';
  let tone = 0;
  const flush = () => {
    if (!base) return;
    letters += rank(base.normalize('NFC'));
    tones += String(tone);
    base = '';
    tone = 0;
  };
  for (const c of text.toLowerCase().normalize('NFD')) {
    if (TONES[c]) tone = TONES[c]!;
    else if (SHAPES.has(c)) base += c;
    else {
      flush();
      base = c;
    }
  }
  flush();
  const made = { letters, tones };
  if (cache.size > 20_000) cache.clear();
  cache.set(text, made);
  return made;
}

/* Runs of digits compare as numbers: "Tổ 2" before "Tổ 10". */
function compareNatural(a: string, b: string): number {
  const pa = a.match(/\d+|\D+/g) ?? [];
  const pb = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(pa.length, pb.length); i++) {
    const [x, y] = [pa[i]!, pb[i]!];
    const [nx, ny] = [Number(x), Number(y)];
    if (!Number.isNaN(nx) && !Number.isNaN(ny)) {
      if (nx !== ny) return nx - ny;
    } else if (x !== y) {
      return x < y ? -1 : 1;
    }
  }
  return pa.length - pb.length;
}

export function compareVietnamese(a: string, b: string): number {
  const ka = key(a);
  const kb = key(b);
  return compareNatural(ka.letters, kb.letters) || (ka.tones < kb.tones ? -1 : ka.tones > kb.tones ? 1 : 0);
}

/* fold - lower case, without marks, đ as d: what search compares. */
export function fold(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/đ/g, 'd');
}

export function matches(text: string, wanted: string): boolean {
  return fold(text).includes(fold(wanted.trim()));
}
