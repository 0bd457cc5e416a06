/* SPDX-License-Identifier: Apache-2.0 */
/* unit/names - names out of imports that no body bears: a person says once what they mean, and it is remembered. */
import { useState } from 'preact/hooks';
import { call } from '../api/client';
import type { UnitName } from '../api/types';
import { tr } from '../text/catalogue';
import { formatNumber, formatTime } from '../text/format';
import { FaultSummary, useSend } from '../ui/form';
import { Shown, useList, useResource } from '../ui/resource';
import { Empty } from '../ui/states';
import { say } from '../ui/toast';
import { UnitPick } from '../ui/unitpick';

function Name(props: { of: UnitName; onDone: () => void }) {
  const { of } = props;
  const whole = useResource<UnitName>(`/unit-names/${of.id}`);
  const candidates = whole.data?.candidates ?? [];
  const [other, setOther] = useState<number | null>(null);
  const [isChoosing, setChoosing] = useState(false);
  const { isSending, problem, send } = useSend();
  const decide = async (unit: number | null) => {
    const done = await send(() => call('PATCH', `/unit-names/${of.id}`, { body: { unit }, version: of.version }));
    if (!done) return;
    say(tr('name_remembered', { name: of.text }));
    props.onDone();
  };
  return (
    <li class="match">
      <div>
        <strong>{of.text}</strong>
        <span class="row-sub">
          {of.source} · {tr('name_seen', { n: formatNumber(of.n_seen) })} · {formatTime(of.first_at)}
        </span>
      </div>
      <div class="match-choices">
        {candidates.map((s) => (
          <button key={s.unit} type="button" class="button" disabled={isSending} onClick={() => void decide(s.unit)}>
            {s.name}
          </button>
        ))}
        <button type="button" class="link" aria-expanded={isChoosing} onClick={() => setChoosing(!isChoosing)}>
          {tr('name_other')}
        </button>
        <button type="button" class="link" disabled={isSending} onClick={() => void decide(null)}>
          {tr('name_nobody')}
        </button>
      </div>
      {isChoosing && (
        <div class="match-other">
          <UnitPick label={tr('unit')} name="unit" value={other} onValue={setOther} />
          <button
            type="button"
            class="button button-main"
            disabled={isSending || other === null}
            onClick={() => other !== null && void decide(other)}
          >
            {tr('apply')}
          </button>
        </div>
      )}
      <FaultSummary problem={problem} />
    </li>
  );
}

export function UnitNames() {
  const list = useList<UnitName>('/unit-names', { state: 'open' });
  return (
    <Shown of={list}>
      {() =>
        list.items.length === 0 ? (
          <Empty title={tr('names_empty')} hint={tr('names_empty_hint')} />
        ) : (
          <>
            <p class="hint">{tr('names_hint')}</p>
            <ul class="matches">
              {list.items.map((n) => (
                <Name key={n.id} of={n} onDone={list.reload} />
              ))}
            </ul>
            {list.next && (
              <button type="button" class="button button-small" onClick={() => void list.loadMore()}>
                {tr('more_rows')}
              </button>
            )}
          </>
        )
      }
    </Shown>
  );
}
