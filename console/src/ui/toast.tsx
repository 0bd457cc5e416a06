/* SPDX-License-Identifier: Apache-2.0 */
/* ui/toast - one line that says what was done; read out, and gone after a while. */
import { createStore, useStore } from '../app/store';

const SHOWN_MS = 6000;
const line = createStore<{ text: string; isBad: boolean } | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, isBad = false): void {
  line.set({ text, isBad });
  clearTimeout(timer);
  timer = setTimeout(() => line.set(null), SHOWN_MS);
}

export function Toast() {
  const shown = useStore(line);
  return (
    <div class="toast-place" role="status" aria-live="polite">
      {shown && <p class={`toast ${shown.isBad ? 'toast-bad' : ''}`}>{shown.text}</p>}
    </div>
  );
}
