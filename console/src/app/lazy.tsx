/* SPDX-License-Identifier: Apache-2.0 */
/* app/lazy - a page is fetched when it is first opened; a page that cannot be fetched says so and can be tried again. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Problem } from '../api/client';
import { tr } from '../text/catalogue';
import { Head } from '../ui/page';
import { Failure, Loading } from '../ui/states';
import type { PageDoor } from './pages';
import type { Route } from './router';

export interface PageProps {
  route: Route;
}

const loaded = new Map<PageDoor['load'], ComponentType<PageProps>>();

export function Lazy(props: { page: PageDoor; route: Route }) {
  const { load } = props.page;
  const [, setTurn] = useState(0);
  const [isBroken, setBroken] = useState(false);
  const Page = loaded.get(load);
  useEffect(() => {
    if (loaded.has(load)) return;
    load().then(
      (c) => {
        loaded.set(load, c);
        setTurn((n) => n + 1);
      },
      () => setBroken(true),
    );
  }, [load, isBroken]);
  if (Page) return <Page route={props.route} />;
  if (isBroken)
    return (
      <>
        <Head title={tr('failed_page')} />
        <Failure problem={new Problem(0, '', '', '')} retry={() => setBroken(false)} />
      </>
    );
  return <Loading lines={6} />;
}
