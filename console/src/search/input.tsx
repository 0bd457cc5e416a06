/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search/input - the line of a query, with the names of fields completed as one types: a combobox as the ARIA practices describe it.
 *
 * A name is offered where a name may stand: at the beginning, after (, and, or, not, |, by. Aliases find their names.
 */
import { useId, useRef, useState } from 'preact/hooks';
import fields from 'virtual:fields';
import { tr } from '../text/catalogue';

const SHOWN = 10;
const PIPES = ['top', 'count by', 'timeline', 'fields', 'sort', 'limit'];

interface Offer {
  text: string;
  note: string;
  from: number; // where the word begins that it replaces
}

export function offersAt(text: string, caret: number): Offer[] {
  const before = text.slice(0, caret);
  if ((before.match(/"/g)?.length ?? 0) % 2) return [];
  const word = before.match(/[\w.@]*$/)?.[0] ?? '';
  const ahead = before.slice(0, before.length - word.length);
  const from = caret - word.length;
  if (/\|\s*$/.test(ahead)) return PIPES.filter((p) => p.startsWith(word)).map((p) => ({ text: `${p} `, note: tr('pipe'), from }));
  const mayName = /(^|[(|]|\b(and|or|not|by|fields|sort|\d))\s*$|,\s*$|\(\s*$/i.test(ahead);
  if (!mayName || word.length < 1) return [];
  const lower = word.toLowerCase();
  const score = (f: { name: string; alias: string }) =>
    f.alias === lower ? 0 : f.name.startsWith(lower) ? 1 : f.alias.startsWith(lower) && f.alias ? 2 : f.name.includes(lower) ? 3 : 9;
  return fields
    .map((f) => ({ f, s: score(f) }))
    .filter((x) => x.s < 9)
    .sort((a, b) => a.s - b.s || (a.f.name < b.f.name ? -1 : 1))
    .slice(0, SHOWN)
    .map(({ f }) => ({
      text: /\b(by|fields|sort)\s*[\w.,\s]*$/i.test(ahead) ? f.name : `${f.name} : `,
      note: f.alias ? `${f.type} · ${f.alias}` : f.type,
      from,
    }));
}

export function QueryInput(props: { value: string; onValue: (v: string) => void; onSubmit: () => void; fault?: string | undefined }) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const [offers, setOffers] = useState<Offer[]>([]);
  const [at, setAt] = useState(-1);
  const look = () => {
    const e = area.current;
    if (!e) return;
    setOffers(offersAt(e.value, e.selectionStart));
    setAt(-1);
  };
  const take = (o: Offer) => {
    const e = area.current!;
    const value = e.value.slice(0, o.from) + o.text + e.value.slice(e.selectionStart);
    props.onValue(value);
    setOffers([]);
    const caret = o.from + o.text.length;
    requestAnimationFrame(() => {
      e.focus();
      e.setSelectionRange(caret, caret);
    });
  };
  const key = (e: KeyboardEvent) => {
    const isList = offers.length > 0;
    if (e.key === 'ArrowDown' && isList) setAt((i) => (i + 1) % offers.length);
    else if (e.key === 'ArrowUp' && isList) setAt((i) => (i <= 0 ? offers.length - 1 : i - 1));
    else if (e.key === 'Escape' && isList) setOffers([]);
    else if ((e.key === 'Tab' || e.key === 'Enter') && isList && at >= 0) take(offers[at]!);
    else if (e.key === 'Enter' && !e.shiftKey) props.onSubmit();
    else return;
    if (e.key !== 'Tab' || at >= 0) e.preventDefault();
  };
  return (
    <div class="query">
      <label class="sr-only" for={id}>
        {tr('query')}
      </label>
      <textarea
        ref={area}
        id={id}
        name="query"
        rows={2}
        value={props.value}
        spellcheck={false}
        autocomplete="off"
        data-search
        placeholder={tr('query_hint')}
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={offers.length > 0}
        aria-controls={`${id}-list`}
        aria-invalid={props.fault ? true : undefined}
        aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
        aria-describedby={props.fault ? `${id}-fault` : undefined}
        onInput={(e) => {
          props.onValue(e.currentTarget.value);
          look();
        }}
        onKeyDown={key}
        onClick={look}
        onBlur={() => setTimeout(() => setOffers([]), 150)}
      />
      <ul class="offers" id={`${id}-list`} role="listbox" aria-label={tr('query_fields')} hidden={offers.length === 0}>
        {offers.map((o, i) => (
          <li
            key={o.text}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === at}
            onMouseDown={(e) => {
              e.preventDefault();
              take(o);
            }}
          >
            <span>{o.text.replace(/ : $/, '')}</span>
            <span class="muted">{o.note}</span>
          </li>
        ))}
      </ul>
      {props.fault && (
        <p class="fault" id={`${id}-fault`}>
          {props.fault}
        </p>
      )}
    </div>
  );
}
