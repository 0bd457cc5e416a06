/* SPDX-License-Identifier: Apache-2.0 */
/* ui/unitpick - a unit chosen by its name, found with and without diacritics; the tree is asked for once and searched here. */
import { useId, useMemo, useState } from 'preact/hooks';
import type { UnitTree } from '../api/types';
import { compareVietnamese, matches } from '../text/collate';
import { tr } from '../text/catalogue';
import { useResource } from './resource';

const SHOWN = 40;

export function UnitPick(props: {
  label: string;
  name: string;
  value: number | null;
  onValue: (id: number | null) => void;
  fault?: string | undefined;
  hint?: string;
  noneText?: string;
}) {
  const id = useId();
  const tree = useResource<UnitTree>('/units/tree');
  const [text, setText] = useState('');
  const all = tree.data?.items ?? [];
  const chosen = all.find((u) => u.id === props.value);
  const found = useMemo(
    () =>
      all
        .filter((u) => !u.valid_to && (!text || matches(`${u.name} ${u.short_name ?? ''}`, text)))
        .sort((a, b) => compareVietnamese(a.name, b.name)),
    [tree.data, text],
  );
  return (
    <div class={props.fault ? 'field has-fault' : 'field'}>
      <label for={id}>{props.label}</label>
      {props.hint && <p class="hint">{props.hint}</p>}
      {props.fault && (
        <p class="fault" id={`${id}-fault`}>
          {props.fault}
        </p>
      )}
      <input
        type="search"
        value={text}
        placeholder={tr('unit_find')}
        aria-label={tr('unit_find')}
        onInput={(e) => setText(e.currentTarget.value)}
      />
      <select
        id={id}
        name={props.name}
        aria-describedby={props.fault ? `${id}-fault` : undefined}
        onChange={(e) => props.onValue(e.currentTarget.value ? Number(e.currentTarget.value) : null)}
      >
        <option value="" selected={props.value === null}>
          {props.noneText ?? tr('choose')}
        </option>
        {chosen && !found.slice(0, SHOWN).includes(chosen) && (
          <option value={String(chosen.id)} selected>
            {chosen.name}
          </option>
        )}
        {found.slice(0, SHOWN).map((u) => (
          <option key={u.id} value={String(u.id)} selected={u.id === props.value}>
            {u.name}
          </option>
        ))}
      </select>
      {found.length > SHOWN && <p class="hint">{tr('unit_find_more', { n: found.length - SHOWN })}</p>}
    </div>
  );
}
