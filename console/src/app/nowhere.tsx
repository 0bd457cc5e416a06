/* SPDX-License-Identifier: Apache-2.0 */
/* app/nowhere - an address that is no page, and a page that is not for this person. */
import { tr } from '../text/catalogue';
import { Head } from '../ui/page';
import { Missing, NoPermission } from '../ui/states';

export function Nowhere() {
  return (
    <>
      <Head title={tr('missing_page')} />
      <Missing />
    </>
  );
}

export function Denied() {
  return (
    <>
      <Head title={tr('denied_page')} />
      <NoPermission />
    </>
  );
}
