/* SPDX-License-Identifier: Apache-2.0 */
import type { PageProps } from '../app/lazy';
export function MachinePage(_p: PageProps) {
  return null;
}
