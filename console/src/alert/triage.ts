/* SPDX-License-Identifier: Apache-2.0 */
/* alert/triage - the order of the list that was last looked at: j and k go on in it from inside an alert. */
import { createStore } from '../app/store';

export const lastList = createStore<{ ids: number[]; href: string }>({ ids: [], href: '#/alerts' });

export function neighbour(id: number, by: 1 | -1): number | null {
  const { ids } = lastList.get();
  const at = ids.indexOf(id);
  return at < 0 ? null : (ids[at + by] ?? null);
}
