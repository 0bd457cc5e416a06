/* SPDX-License-Identifier: Apache-2.0 */
/* app/app - nobody signed in: the door; a wall screen: the wall; else the frame and the page of the address. */
import { useEffect, useState } from 'preact/hooks';
import { Problem, session } from '../api/client';
import { language } from '../text/catalogue';
import { Failure, Loading } from '../ui/states';
import { Toast } from '../ui/toast';
import { Lazy } from './lazy';
import { Login } from './login';
import { pageOf, wallPage } from './pages';
import { useRoute } from './router';
import { loadSession } from './session';
import { Shell } from './shell';
import { useStore } from './store';

export function App() {
  useStore(language); // everything is said again when the language changes
  const route = useRoute();
  const who = useStore(session);
  const [problem, setProblem] = useState<Problem | null>(null);
  const isWall = route.path[0] === 'wall' && route.query.has('token');
  const start = () => {
    setProblem(null);
    loadSession().catch((e: Problem) => setProblem(e));
  };
  useEffect(() => {
    if (!isWall) start();
  }, [isWall]);

  if (isWall) return <Lazy key="wall" page={wallPage} route={route} />;
  if (problem)
    return (
      <main class="door">
        <Failure problem={problem} retry={start} />
      </main>
    );
  if (who === undefined)
    return (
      <main class="door">
        <Loading lines={4} />
      </main>
    );
  if (who === null || who.person.must_change_password) return <Login />;
  const page = pageOf(route, who);
  return (
    <Shell route={route} who={who}>
      <Lazy key={page.key(route)} page={page} route={route} />
      <Toast />
    </Shell>
  );
}
