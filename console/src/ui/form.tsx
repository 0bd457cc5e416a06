/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ui/form - fields with their label, hint and fault; a form that says at its top what is wrong and leads there (as GOV.UK's do).
 *
 * Faults of the server (errors[].pointer) land at the field of that name.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Problem } from '../api/client';
import { tr } from '../text/catalogue';
import { problemTitle } from './states';

export type Faults = Record<string, string>;

export function faultsOf(problem: Problem | null): Faults {
  const out: Faults = {};
  for (const e of problem?.errors ?? []) out[e.pointer.replace(/^#?\//, '').split('/')[0] ?? ''] ??= e.detail;
  return out;
}

interface FieldProps {
  label: string;
  name: string;
  hint?: string;
  fault?: string | undefined;
  isWide?: boolean;
}

function Frame(props: FieldProps & { id: string; children: ComponentChildren }) {
  return (
    <div class={`field ${props.fault ? 'has-fault' : ''} ${props.isWide ? 'field-wide' : ''}`}>
      <label for={props.id}>{props.label}</label>
      {props.hint && (
        <p class="hint" id={`${props.id}-hint`}>
          {props.hint}
        </p>
      )}
      {props.fault && (
        <p class="fault" id={`${props.id}-fault`}>
          {props.fault}
        </p>
      )}
      {props.children}
    </div>
  );
}

const described = (id: string, p: FieldProps) => [p.hint && `${id}-hint`, p.fault && `${id}-fault`].filter(Boolean).join(' ') || undefined;

type InputProps = FieldProps &
  Omit<JSX.IntrinsicElements['input'], 'label' | 'name' | 'value' | 'onInput'> & { value: string; onValue: (v: string) => void };

export function TextField({ label, name, hint, fault, isWide, value, onValue, ...rest }: InputProps) {
  const id = useId();
  const p = { label, name, hint, fault, isWide };
  return (
    <Frame {...p} id={id}>
      <input
        {...rest}
        id={id}
        name={name}
        value={value}
        aria-invalid={fault ? true : undefined}
        aria-describedby={described(id, p)}
        onInput={(e) => onValue(e.currentTarget.value)}
      />
    </Frame>
  );
}

export function AreaField(
  props: FieldProps & { value: string; onValue: (v: string) => void; rows?: number; required?: boolean; placeholder?: string },
) {
  const id = useId();
  return (
    <Frame {...props} id={id}>
      <textarea
        id={id}
        name={props.name}
        rows={props.rows ?? 3}
        value={props.value}
        required={props.required}
        placeholder={props.placeholder}
        aria-invalid={props.fault ? true : undefined}
        aria-describedby={described(id, props)}
        onInput={(e) => props.onValue(e.currentTarget.value)}
      />
    </Frame>
  );
}

export function SelectField(
  props: FieldProps & { value: string; onValue: (v: string) => void; options: [string, string][]; required?: boolean },
) {
  const id = useId();
  return (
    <Frame {...props} id={id}>
      <select
        id={id}
        name={props.name}
        value={props.value}
        required={props.required}
        aria-invalid={props.fault ? true : undefined}
        aria-describedby={described(id, props)}
        onChange={(e) => props.onValue(e.currentTarget.value)}
      >
        {props.options.map(([value, text]) => (
          <option key={value} value={value} selected={value === props.value}>
            {text}
          </option>
        ))}
      </select>
    </Frame>
  );
}

export function CheckField(props: { label: string; isOn: boolean; onChange: (isOn: boolean) => void; hint?: string }) {
  const id = useId();
  return (
    <div class="check">
      <input
        type="checkbox"
        id={id}
        checked={props.isOn}
        aria-describedby={props.hint ? `${id}-hint` : undefined}
        onChange={(e) => props.onChange(e.currentTarget.checked)}
      />
      <label for={id}>{props.label}</label>
      {props.hint && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

/* FaultSummary - takes the focus when it appears; each line leads to its field. */
export function FaultSummary(props: { problem: Problem | null }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (props.problem) box.current?.focus();
  }, [props.problem]);
  if (!props.problem) return null;
  const lead = (pointer: string) => {
    const name = pointer.replace(/^#?\//, '').split('/')[0];
    const field = box.current?.closest('form')?.querySelector<HTMLElement>(`[name="${CSS.escape(name ?? '')}"]`);
    field?.focus();
  };
  return (
    <div class="summary" role="alert" tabIndex={-1} ref={box}>
      <p class="state-title">{problemTitle(props.problem)}</p>
      {props.problem.detail && <p>{props.problem.detail}</p>}
      {props.problem.errors.length > 0 && (
        <ul>
          {props.problem.errors.map((e, i) => (
            <li key={i}>
              <button type="button" class="link" onClick={() => lead(e.pointer)}>
                {e.detail}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/* useSend - one write at a time, and what became of it. */
export function useSend() {
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const send = async <T,>(work: () => Promise<T>): Promise<T | undefined> => {
    setSending(true);
    setProblem(null);
    try {
      return await work();
    } catch (e) {
      setProblem(e instanceof Problem ? e : new Problem(0, '', (e as Error).message, ''));
      return undefined;
    } finally {
      setSending(false);
    }
  };
  return { isSending, problem, setProblem, send, faults: faultsOf(problem) };
}

export function Submit(props: { isSending: boolean; children: ComponentChildren }) {
  return (
    <button type="submit" class="button button-main" disabled={props.isSending}>
      {props.isSending ? tr('sending') : props.children}
    </button>
  );
}
