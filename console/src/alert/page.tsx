/* SPDX-License-Identifier: Apache-2.0 */
/* alert/page - the list, or one alert with its story. */
import type { PageProps } from '../app/lazy';
import { AlertList } from './list';
import { AlertDetail } from './detail';

export function AlertPage({ route }: PageProps) {
  const id = Number(route.path[1]);
  return Number.isInteger(id) && id > 0 ? <AlertDetail id={id} /> : <AlertList query={route.query} />;
}
