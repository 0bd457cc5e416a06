// SPDX-License-Identifier: Apache-2.0
/*
 * office - a stand-in for the office role, for the tests of the console alone: the built files under the headers that the node sends,
 * and an API over fixtures.mjs that keeps what is written. It is strict where the node is: CSRF, If-Match, unknown paths, permissions.
 *
 * start({root}) - Return: {url, close, say(event, data), state}. state.isDown: replies stop, as if the node were gone.
 */
import { createServer } from 'node:http';
import { readFileSync, existsSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import * as f from './fixtures.mjs';

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export async function start({ root }) {
  const state = {
    isDown: false,
    isEmpty: false,
    sessions: new Map(),
    streams: new Set(),
    calls: [],
    alerts: structuredClone(f.alerts),
    stories: structuredClone(f.stories),
    views: [],
    jobs: new Map(),
    users: structuredClone(f.users),
    grants: structuredClone(f.grants),
    units: structuredClone(f.units),
    unitNames: structuredClone(f.unitNames),
    hunts: [],
    suppressions: [],
    next: 9000,
    answers: [],
  };

  function files(req, res) {
    const path = normalize(decodeURIComponent(new URL(req.url, 'http://x').pathname));
    const file = join(root, path === '/' ? 'index.html' : path);
    if (!file.startsWith(root) || !existsSync(file)) return void res.writeHead(404).end();
    res.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': CSP,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
    res.end(readFileSync(file));
  }

  const server = createServer(async (req, res) => {
    if (state.isDown) return void req.socket.destroy();
    const url = new URL(req.url, 'http://x');
    if (!url.pathname.startsWith('/api/v1/')) return files(req, res);
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const bytes = Buffer.concat(chunks);
    const body = bytes.length && req.headers['content-type'] === 'application/json' ? JSON.parse(bytes) : null;
    const path = url.pathname.slice('/api/v1'.length);
    state.calls.push(`${req.method} ${path}`);
    const cookie = /vonggac=([0-9a-z]+)/.exec(req.headers.cookie ?? '')?.[1];
    const who = req.headers.authorization === 'Bearer man-hinh-truc' ? { person: f.people.truc, csrf: '' } : state.sessions.get(cookie);
    const reply = (status, data, headers = {}) => {
      const isProblem = status >= 400;
      const text = data === null ? '' : JSON.stringify(data);
      res.writeHead(status, {
        'Content-Type': isProblem ? 'application/problem+json' : 'application/json',
        'Cache-Control': 'no-store',
        'Content-Length': Buffer.byteLength(text),
        ...headers,
      });
      res.end(text);
    };
    const problem = (status, title, more = {}) => reply(status, { type: 'about:blank', title, status, ...more });
    const q = { method: req.method, path, query: url.searchParams, body, bytes, who, reply, problem, req, res, state };
    try {
      if (path === '/session' && req.method === 'POST') return login(q);
      if (path === '/session/totp' && req.method === 'POST') return totp(q);
      if (!who) return problem(401, 'Chưa đăng nhập');
      if (req.method !== 'GET' && !req.headers.authorization && req.headers['x-csrf-token'] !== who.csrf)
        return problem(403, 'Thiếu mã chống giả mạo');
      if (path === '/events') return events(q);
      for (const [method, pattern, permission, handle] of routes) {
        const m = method === req.method && new RegExp(`^${pattern.replace(/\{\w+\}/g, '([^/]+)')}$`).exec(path);
        if (!m) continue;
        if (permission && !who.person.permissions.includes(permission)) return problem(403, 'Không có quyền');
        return handle(q, ...m.slice(1).map(decodeURIComponent));
      }
      problem(404, 'Không tìm thấy');
    } catch (e) {
      console.error(e);
      problem(500, String(e));
    }
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  const say = (event, data, id = Date.now()) => {
    for (const s of state.streams) s.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  state.say = say;
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    say,
    close: () => {
      for (const s of state.streams) s.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

function sessionOf(person, csrf) {
  return {
    person: {
      id: person.id,
      name: person.name,
      login: person.login,
      language: 'vi',
      must_change_password: person.must,
      has_totp: person.totp !== null,
    },
    roles: person.roles,
    permissions: person.permissions,
    csrf,
    expires_at: new Date(f.NOW + 8 * 3600_000).toISOString(),
    server: { version: '0.1.0', node_name: 'Trung tâm giám sát tỉnh Mẫu', time: new Date(f.NOW).toISOString() },
  };
}

function open(q, person) {
  const id = Math.random().toString(36).slice(2);
  const csrf = Math.random().toString(36).slice(2);
  q.state.sessions.set(id, { person, csrf });
  q.reply(200, sessionOf(person, csrf), { 'Set-Cookie': `vonggac=${id}; HttpOnly; SameSite=Strict; Path=/` });
}

function login(q) {
  const person = f.people[q.body?.login];
  if (!person || person.password !== q.body.password) return q.problem(401, 'Tên đăng nhập hoặc mật khẩu không đúng');
  if (person.totp) return q.problem(428, 'Cần mã xác thực', { needs: 'totp', challenge: `c-${person.login}` });
  open(q, person);
}

function totp(q) {
  const person = f.people[String(q.body?.challenge).slice(2)];
  if (!person || (q.body.code !== person.totp && q.body.recovery_code !== 'khoi-phuc-1')) return q.problem(401, 'Mã không đúng');
  open(q, person);
}

function events(q) {
  q.res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  q.res.write(': xin chào\n\n');
  q.state.streams.add(q.res);
  q.res.on('close', () => q.state.streams.delete(q.res));
}

const RANK = { critical: 5, high: 4, medium: 3, low: 2, info: 1 };

function page(q, all, more = {}) {
  if (q.state.isEmpty) return q.reply(200, { items: [], next: null, total: 0, ...more });
  const limit = Number(q.query.get('limit') ?? 25);
  const from = Number(q.query.get('cursor') ?? 0);
  const next = from + limit < all.length ? String(from + limit) : null;
  q.reply(200, { items: all.slice(from, from + limit), next, total: all.length, ...more });
}

function listAlerts(q) {
  const g = (n) => q.query.get(n);
  const text = (g('q') ?? '').toLowerCase();
  const wanted = g('state');
  const all = q.state.alerts.filter(
    (a) =>
      (wanted === 'any' ? true : !wanted || wanted === 'unresolved' ? a.state !== 'resolved' : a.state === wanted) &&
      (!g('severity') || RANK[a.severity] >= RANK[g('severity')]) &&
      (!g('unit') || a.unit === Number(g('unit'))) &&
      (g('assignee') !== 'me' || a.assignee?.id === q.who.person.id) &&
      (g('assignee') !== 'none' || !a.assignee) &&
      (!g('overdue') || a.overdue) &&
      (g('suppressed') !== 'yes' || a.suppressed_by) &&
      (!text || `${a.title} ${a.entity.value}`.toLowerCase().includes(text)) &&
      (q.who.person.login !== 'xa' || a.unit === 5),
  );
  const sort = g('sort') ?? 'last';
  all.sort(
    sort === 'severity'
      ? (a, b) => RANK[b.severity] - RANK[a.severity] || b.id - a.id
      : sort === 'due'
        ? (a, b) => ((a.due_at ?? '9') < (b.due_at ?? '9') ? -1 : 1)
        : (a, b) => (a.last_at < b.last_at ? 1 : -1),
  );
  page(q, all);
}

function one(q, list, id, etag = true) {
  const o = list.find((x) => String(x.id) === String(id));
  if (!o) return q.problem(404, 'Không tìm thấy');
  const tag = `"${o.version}"`;
  if (etag && q.req.headers['if-none-match'] === tag) return void q.res.writeHead(304, { ETag: tag }).end();
  q.reply(200, o, { ETag: tag });
}

function decide(q, a, change) {
  if (change.verdict && change.verdict !== 'true' && !change.reason) return 422;
  if (change.assignee !== undefined)
    a.assignee = change.assignee
      ? { id: change.assignee, name: Object.values(f.people).find((p) => p.id === change.assignee)?.name ?? '?' }
      : null;
  if (change.state) a.state = change.state;
  if (change.verdict) [a.verdict, a.verdict_reason] = [change.verdict, change.reason];
  a.version++;
  const story = (q.state.stories[a.id] ??= structuredClone(q.state.stories.default));
  story.push({
    at: new Date(f.NOW).toISOString(),
    kind: 'decision',
    person: { id: q.who.person.id, name: q.who.person.name },
    text: change.reason ?? null,
    state: a.state,
    verdict: a.verdict,
    assignee: a.assignee,
  });
  q.state.say('alert', { id: a.id, version: a.version });
  return 200;
}

function patchAlert(q, id) {
  const a = q.state.alerts.find((x) => x.id === Number(id));
  if (!a) return q.problem(404, 'Không tìm thấy');
  if (!q.req.headers['if-match']) return q.problem(428, 'Cần If-Match');
  if (q.req.headers['if-match'] !== `"${a.version}"`) return q.problem(412, 'Có người vừa thay đổi đối tượng này');
  const status = decide(q, a, q.body);
  if (status >= 400)
    return q.problem(status, 'Cần nêu căn cứ', { errors: [{ pointer: '/reason', detail: 'Cần nêu căn cứ của kết luận' }] });
  q.reply(200, a, { ETag: `"${a.version}"` });
}

function bulk(q) {
  const items = q.body.items.map(({ id, version }) => {
    const a = q.state.alerts.find((x) => x.id === id);
    return { id, status: !a ? 404 : a.version !== version ? 412 : decide(q, a, q.body) };
  });
  q.reply(200, { items });
}

function job(q, kind, result) {
  const id = q.state.next++;
  const j = {
    id,
    kind,
    state: 'running',
    progress: { done: 1, total: 3, unit: 'segment' },
    coverage: {
      since: '2026-02-01T00:00:00Z',
      until: '2026-02-15T08:30:00Z',
      segments: 3,
      records: 107_248,
      gaps: [{ since: '2026-02-13T19:10:00Z', until: '2026-02-13T20:25:00Z', what: 'Nhật ký máy chủ thư' }],
    },
    result: null,
  };
  q.state.jobs.set(id, j);
  setTimeout(() => {
    if (j.state !== 'running') return;
    Object.assign(j, { state: 'done', progress: { done: 3, total: 3, unit: 'segment' }, result });
    q.state.say('job', { id, state: 'done' });
  }, 150);
  q.reply(202, j);
  return j;
}

function query(q) {
  if (/\(\s*$/.test(q.body.query))
    return q.problem(422, 'Câu truy vấn chưa đúng', { errors: [{ pointer: '/query', detail: 'Thiếu dấu đóng ngoặc ở ký tự 12' }] });
  if (q.body.query.includes('timeline')) {
    return job(q, 'query', {
      columns: ['time', 'count'],
      rows: Array.from({ length: 48 }, (_, i) => [new Date(f.NOW - (48 - i) * 1_800_000).toISOString(), 200 + ((i * 37) % 190)]),
      next: null,
    });
  }
  job(q, 'query', { items: f.rows.slice(0, 50), next: '50', total: 8867 });
}

function hunt(q) {
  const j = job(q, 'hunt', {
    items: [
      {
        own: '203.0.113.17',
        unit: 'Sở Khoa học và Công nghệ',
        remote: '198.51.100.10',
        list: 'botnet',
        family: 'Rbot',
        direction: 'outbound',
        first_seen: '2026-02-15T01:50:00Z',
        last_seen: '2026-02-15T08:27:00Z',
        flows: 4465,
        bytes: 46693379,
        listed: 'both',
      },
      {
        own: '203.0.113.90',
        unit: 'Sở Y tế',
        remote: '198.51.100.13',
        list: 'c2',
        family: null,
        direction: 'outbound',
        first_seen: '2026-02-12T22:05:00Z',
        last_seen: '2026-02-12T22:41:00Z',
        flows: 2,
        bytes: 11443,
        listed: 'remote',
      },
    ],
    next: null,
    total: 2,
  });
  q.state.hunts.unshift({
    id: j.id,
    version: 1,
    job: j.id,
    state: 'done',
    hypothesis: q.body.hypothesis ?? null,
    lists: q.body.lists ?? [],
    since: q.body.since ?? null,
    until: q.body.until ?? null,
    coverage: j.coverage,
    found: { own: 2, remote: 2, flows: 4467 },
    conclusion: null,
    started_at: new Date(f.NOW).toISOString(),
    started_by: q.who.person.name,
    signed_by: null,
    signed_at: null,
  });
}

const find = (list, id) => list.find((x) => String(x.id) === String(id));

const routes = [
  ['GET', '/session', null, (q) => q.reply(200, sessionOf(q.who.person, q.who.csrf))],
  [
    'DELETE',
    '/session',
    null,
    (q) => {
      for (const [k, v] of q.state.sessions) if (v === q.who) q.state.sessions.delete(k);
      q.reply(204, null);
    },
  ],
  [
    'POST',
    '/session/password',
    null,
    (q) => {
      if (q.body.old_password !== q.who.person.password)
        return q.problem(422, 'Có chỗ cần sửa', { errors: [{ pointer: '/old_password', detail: 'Mật khẩu hiện tại không đúng' }] });
      q.who.person = { ...q.who.person, must: false };
      q.reply(200, sessionOf(q.who.person, q.who.csrf));
    },
  ],
  [
    'GET',
    '/overview',
    null,
    (q) => q.reply(200, q.state.isEmpty ? { ...f.overview(), needs_person: [], not_observed: [], numbers: [], duty: [] } : f.overview()),
  ],
  ['GET', '/alerts', 'alert.read', listAlerts],
  ['POST', '/alerts/bulk', 'alert.write', bulk],
  [
    'GET',
    '/alerts/{alert}',
    'alert.read',
    (q, id) =>
      one(
        q,
        q.state.alerts.map((a) => ({ ...a, ...f.alertDetail, ...(a.id % 2 ? {} : { series: null, numbers: null }) })),
        id,
      ),
  ],
  ['PATCH', '/alerts/{alert}', 'alert.write', patchAlert],
  ['GET', '/alerts/{alert}/story', 'alert.read', (q, id) => q.reply(200, { items: q.state.stories[id] ?? q.state.stories.default })],
  ['GET', '/alerts/{alert}/findings', 'alert.read', (q) => q.reply(200, { items: f.findings, total: 6 })],
  [
    'POST',
    '/alerts/{alert}/notes',
    'alert.read',
    (q, id) => {
      (q.state.stories[id] ??= structuredClone(q.state.stories.default)).push({
        at: new Date(f.NOW).toISOString(),
        kind: 'note',
        person: { id: q.who.person.id, name: q.who.person.name },
        text: q.body.text,
      });
      q.reply(201, { id: q.state.next++ });
    },
  ],
  [
    'POST',
    '/alerts/{alert}/answer',
    'portal.answer',
    (q, id) => {
      (q.state.stories[id] ??= structuredClone(q.state.stories.default)).push({
        at: new Date(f.NOW).toISOString(),
        kind: 'answer',
        person: { id: q.who.person.id, name: q.who.person.name },
        text: q.body.text,
      });
      q.state.answers.push({ id, ...q.body });
      q.reply(201, { id: q.state.next++ });
    },
  ],
  ['GET', '/views', 'alert.read', (q) => q.reply(200, { items: q.state.views, next: null })],
  [
    'PUT',
    '/views/{view}',
    'alert.read',
    (q, name) => {
      q.state.views = q.state.views.filter((v) => v.name !== name);
      q.state.views.push({
        id: q.state.next++,
        name,
        filter: q.body.filter,
        is_shared: q.body.is_shared,
        is_mine: true,
        person_name: q.who.person.name,
      });
      q.reply(200, { id: 1 });
    },
  ],
  [
    'DELETE',
    '/views/{view}',
    'alert.read',
    (q, name) => {
      q.state.views = q.state.views.filter((v) => v.name !== name);
      q.reply(204, null);
    },
  ],
  [
    'POST',
    '/suppressions',
    'alert.suppress',
    (q) => {
      q.state.suppressions.push(q.body);
      q.reply(201, { id: 1, alerts: 1 });
    },
  ],
  ['POST', '/queries', 'event.search', query],
  ['POST', '/hunts', 'event.search', hunt],
  ['GET', '/hunts', 'event.search', (q) => page(q, q.state.hunts)],
  ['GET', '/hunts/{hunt}', 'event.search', (q, id) => one(q, q.state.hunts, id)],
  [
    'PATCH',
    '/hunts/{hunt}',
    'event.search',
    (q, id) => {
      const h = find(q.state.hunts, id);
      Object.assign(h, q.body, { version: h.version + 1 });
      q.reply(200, h, { ETag: `"${h.version}"` });
    },
  ],
  [
    'POST',
    '/hunts/{hunt}/sign',
    'event.search',
    (q, id) => {
      const h = find(q.state.hunts, id);
      Object.assign(h, { signed_by: q.who.person.name, signed_at: new Date(f.NOW).toISOString(), version: h.version + 1 });
      q.reply(200, h, { ETag: `"${h.version}"` });
    },
  ],
  [
    'GET',
    '/jobs/{job}',
    null,
    (q, id) => {
      const j = q.state.jobs.get(Number(id));
      return j ? q.reply(200, j) : q.problem(404, 'Không tìm thấy');
    },
  ],
  ['GET', '/jobs/{job}/rows', null, (q) => page(q, f.rows)],
  [
    'DELETE',
    '/jobs/{job}',
    null,
    (q, id) => {
      const j = q.state.jobs.get(Number(id));
      if (j) j.state = 'cancelled';
      q.reply(204, null);
    },
  ],
  ['GET', '/lists', 'list.read', (q) => page(q, f.lists)],
  [
    'POST',
    '/lists/preview',
    'list.write',
    (q) =>
      q.reply(200, {
        rows: 468_900,
        kept: 468_686,
        refused_by_reason: { 'không phải địa chỉ': 120, 'địa chỉ riêng': 94 },
        refused: [
          { row: 17, value: '10.0.0.5', reason: 'địa chỉ riêng' },
          { row: 202, value: '203.0.113.', reason: 'không phải địa chỉ' },
        ],
        is_refused_cut: true,
        new: 12_004,
        persistent: 456_682,
        gone: 12_114,
        preview: 'p1',
      }),
  ],
  ['POST', '/lists', 'list.write', (q) => q.reply(201, { name: q.query.get('name') ?? q.body?.name, version: 4 })],
  [
    'GET',
    '/lists/{list}',
    'list.read',
    (q, name) => {
      const l = f.lists.find((x) => x.name === name);
      return l ? q.reply(200, l) : q.problem(404, 'Không tìm thấy');
    },
  ],
  ['GET', '/lists/{list}/versions', 'list.read', (q) => page(q, f.listVersions)],
  [
    'GET',
    '/lists/{list}/diff',
    'list.read',
    (q) =>
      q.reply(200, { new: ['203.0.113.17', '203.0.113.90'], gone: ['198.51.100.7'], persistent: 456_682, n_new: 12_004, n_gone: 12_114 }),
  ],
  [
    'GET',
    '/units',
    'unit.read',
    (q) =>
      page(
        q,
        q.state.units.filter((u) => !q.query.get('q') || u.name.toLowerCase().includes(q.query.get('q').toLowerCase())),
      ),
  ],
  [
    'GET',
    '/units/tree',
    'unit.read',
    (q) =>
      q.reply(200, {
        items: q.state.units.map(({ id, name, short_name, kind, parent, valid_to, counts }) => ({
          id,
          name,
          short_name,
          kind,
          parent,
          valid_to,
          counts,
        })),
      }),
  ],
  ['GET', '/units/{unit}', 'unit.read', (q, id) => one(q, q.state.units, id)],
  [
    'PATCH',
    '/units/{unit}',
    'unit.write',
    (q, id) => {
      const u = find(q.state.units, id);
      Object.assign(u, q.body, { version: u.version + 1 });
      q.reply(200, u, { ETag: `"${u.version}"` });
    },
  ],
  [
    'GET',
    '/prefixes',
    'unit.read',
    (q) =>
      page(
        q,
        f.prefixes.filter((p) => !q.query.get('unit') || p.unit === Number(q.query.get('unit'))),
      ),
  ],
  [
    'GET',
    '/systems',
    'unit.read',
    (q) =>
      page(q, [
        {
          id: 1,
          version: 1,
          unit: 2,
          unit_name: 'Sở Khoa học và Công nghệ',
          name: 'Một cửa điện tử',
          level: 3,
          decision: { number: '12/QĐ-UBND', date: '2025-09-01', body: 'UBND tỉnh Mẫu' },
        },
      ]),
  ],
  ['GET', '/unit-names', 'unit.read', (q) => page(q, q.state.unitNames)],
  [
    'POST',
    '/unit-names/{name}',
    'unit.write',
    (q, id) => {
      q.state.unitNames = q.state.unitNames.filter((n) => String(n.id) !== id);
      q.reply(200, {});
    },
  ],
  [
    'GET',
    '/machines',
    'asset.read',
    (q) =>
      page(
        q,
        f.machines.filter(
          (m) =>
            (!q.query.get('q') || JSON.stringify(m).toLowerCase().includes(q.query.get('q').toLowerCase())) &&
            (q.query.get('is_managed') !== 'false' || !m.is_managed),
        ),
      ),
  ],
  ['GET', '/machines/{machine}', 'asset.read', (q, id) => one(q, f.machines, id)],
  ['GET', '/sources', 'source.read', (q) => page(q, f.sources)],
  ['GET', '/blind-spots', 'source.read', (q) => page(q, f.overview().not_observed)],
  ['GET', '/users', 'user.read', (q) => page(q, q.state.users)],
  [
    'POST',
    '/users',
    'user.write',
    (q) => {
      if (q.state.users.some((u) => u.login === q.body.login))
        return q.problem(422, 'Có chỗ cần sửa', { errors: [{ pointer: '/login', detail: 'Tên đăng nhập này đã có' }] });
      const u = {
        ...q.state.users[0],
        ...q.body,
        id: q.state.next++,
        version: 1,
        roles: q.body.roles ?? [],
        last_login_at: null,
        must_change_password: true,
      };
      q.state.users.push(u);
      q.reply(201, { ...u, password: 'cam-4821-nui-xanh' });
    },
  ],
  ['GET', '/users/{user}', 'user.read', (q, id) => one(q, q.state.users, id)],
  [
    'PATCH',
    '/users/{user}',
    'user.write',
    (q, id) => {
      const u = find(q.state.users, id);
      Object.assign(u, q.body, { version: u.version + 1 });
      q.reply(200, u, { ETag: `"${u.version}"` });
    },
  ],
  ['POST', '/users/{user}/password', 'user.write', (q) => q.reply(200, { password: 'mua-7730-song-dai' })],
  ['GET', '/roles', null, (q) => page(q, f.roles)],
  ['GET', '/grants', 'user.read', (q) => page(q, q.state.grants)],
  [
    'POST',
    '/grants',
    'grant.write',
    (q) => {
      const g = {
        id: q.state.next++,
        version: 1,
        granted_by: { id: q.who.person.id, name: q.who.person.name },
        revoked_at: null,
        person: { id: q.body.person, name: find(q.state.users, q.body.person)?.name },
        unit: q.body.unit ? { id: q.body.unit, name: find(q.state.units, q.body.unit)?.name } : null,
        permissions: q.body.permissions,
        reason: q.body.reason,
        valid_from: q.body.valid_from,
        valid_to: q.body.valid_to,
      };
      q.state.grants.unshift(g);
      q.reply(201, g);
    },
  ],
  [
    'DELETE',
    '/grants/{grant}',
    'grant.write',
    (q, id) => {
      find(q.state.grants, id).revoked_at = new Date(f.NOW).toISOString();
      q.reply(204, null);
    },
  ],
  ['GET', '/audit', 'audit.read', (q) => page(q, f.audit, { head: { seq: 5000, hash: f.audit[0].hash, at: f.audit[0].at } })],
  [
    'GET',
    '/sessions',
    null,
    (q) =>
      page(q, [
        {
          id: 1,
          created_at: new Date(f.NOW - 3600_000).toISOString(),
          last_at: new Date(f.NOW).toISOString(),
          expires_at: new Date(f.NOW + 8 * 3600_000).toISOString(),
          client: '127.0.0.1',
          agent: 'Chromium',
          is_current: true,
        },
      ]),
  ],
  ['GET', '/tokens', null, (q) => page(q, [])],
  ['GET', '/settings', 'setting.read', (q) => page(q, [{ name: 'session_hours', value: 8 }])],
  ['GET', '/health', null, (q) => q.reply(200, { state: 'ok' })],
];
