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
    grants: structuredClone(f.grants), bindings: structuredClone(f.bindings), tokens: [], shifts: structuredClone(f.shifts), jobMs: 150,
    units: structuredClone(f.units),
    unitNames: structuredClone(f.unitNames),
    records: [],
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

function job(q, kind, text, rows, columns) {
  const id = q.state.next++;
  const j = {
    id, kind, state: 'running', progress: { done: 1, total: 3, unit: 'segment' }, n_rows: 0, bytes: 0, is_cut: false, columns: null, coverage: null, warnings: null, fault: '',
    created_at: new Date(f.NOW).toISOString(), started_at: null, ended_at: null, text,
  };
  q.state.jobs.set(id, { j, rows });
  setTimeout(() => {
    if (j.state !== 'running') return;
    const coverage = { segments: 3, rows: 107_248, rows_matched: rows.length, damaged_blocks: 0, damaged_segments: text.includes('hong') ? 1 : 0, damaged_files: 0 };
    Object.assign(j, { state: 'done', progress: { done: 3, total: 3, unit: 'segment' }, n_rows: rows.length, columns, coverage });
    q.state.say('job', { id, state: 'done' });
  }, q.state.jobMs);
  q.reply(202, j);
}

function query(q) {
  const text = q.body.query;
  if (/\(\s*$/.test(text)) return q.problem(422, 'Câu truy vấn chưa đúng', { errors: [{ pointer: '/query', detail: 'Thiếu dấu đóng ngoặc ở ký tự 12' }] });
  if (/\| timeline/.test(text)) {
    return job(q, 'query', text, Array.from({ length: 48 }, (_, i) => ({ time: new Date(f.NOW - (48 - i) * 1_800_000).toISOString(), count: 200 + ((i * 37) % 190) })), ['time', 'count']);
  }
  job(q, 'query', text, text.includes('192.0.2.254') ? [] : f.rows, Object.keys(f.rows[0]));
}

function hunt(q) {
  const hit = (own, unit, remote, list, family, first_seen, flows, listed) => ({ own, unit, remote, list, family, direction: 'outbound', first_seen, last_seen: '2026-02-15T08:27:00Z', flows, bytes: flows * 10_461, listed });
  job(q, 'hunt', q.body.addresses ?? null ?? 'lists', [
    hit('203.0.113.17', 'Sở Khoa học và Công nghệ', '198.51.100.10', 'botnet', 'Rbot', '2026-02-15T01:50:00Z', 4465, 'both'),
    hit('203.0.113.90', 'Sở Y tế', '198.51.100.13', 'c2', null, '2026-02-12T22:05:00Z', 2, 'remote'),
  ], ['own', 'unit', 'remote', 'list', 'family', 'direction', 'first_seen', 'last_seen', 'flows', 'bytes', 'listed']);
}

function rowsOf(q, id) {
  const x = q.state.jobs.get(Number(id));
  if (!x) return q.problem(404, 'Không tìm thấy');
  const from = Number(q.query.get('from') ?? 0);
  const limit = Number(q.query.get('limit') ?? 100);
  q.reply(200, { items: x.rows.slice(from, from + limit), next: from + limit < x.rows.length ? from + limit : null });
}

function addRecord(q) {
  const x = q.state.jobs.get(q.body.job);
  if (!x || x.j.state !== 'done') return q.problem(422, 'Có chỗ cần sửa', { errors: [{ pointer: '/job', detail: 'Chưa dò xong' }] });
  const r = {
    id: q.state.next++, version: 1, unit: 1, unit_name: 'UBND tỉnh Mẫu', tlp: 2, at: new Date(f.NOW).toISOString(), n_rows: x.rows.length, title: q.body.title, hypothesis: q.body.hypothesis,
    conclusion: q.body.conclusion ?? '', job: x.j, person: { id: q.who.person.id, name: q.who.person.name }, signed_by: null, signed_at: null,
  };
  q.state.records.unshift(r);
  q.reply(201, { id: r.id, version: 1 });
}

const find = (list, id) => list.find((x) => String(x.id) === String(id));

/* change - a write to one object: there, at the version that was read, and then one version on. */
function change(q, list, id, apply) {
  const o = find(list, id);
  if (!o) return q.problem(404, 'Không tìm thấy');
  if (!q.req.headers['if-match']) return q.problem(428, 'Cần If-Match');
  if (q.req.headers['if-match'] !== `"${o.version}"`) return q.problem(412, 'Có người vừa thay đổi đối tượng này');
  apply(o);
  o.version++;
  q.reply(200, o, { ETag: `"${o.version}"` });
}

const now = () => new Date(f.NOW).toISOString();
const me = (q) => ({ id: q.who.person.id, name: q.who.person.name });
const storyOf = (q, id) => (q.state.stories[id] ??= structuredClone(q.state.stories.default));
const hasText = (o, text) => !text || JSON.stringify(o).toLowerCase().includes(text.toLowerCase());
const none = (q) => q.reply(204, null);

// prettier-ignore
const routes = [
  ['GET', '/session', null, (q) => q.reply(200, sessionOf(q.who.person, q.who.csrf))],
  ['DELETE', '/session', null, (q) => { for (const [k, v] of q.state.sessions) if (v === q.who) q.state.sessions.delete(k); none(q); }],
  ['PATCH', '/settings/own', null, (q) => q.reply(200, { id: q.who.person.id, version: 1, language: q.body.language })],
  ['POST', '/settings/password', null, (q) => {
    if (q.body.before !== q.who.person.password) return q.problem(422, 'Có chỗ cần sửa', { errors: [{ pointer: '/before', detail: 'Mật khẩu hiện tại không đúng' }] });
    q.who.person = { ...q.who.person, must: false };
    none(q);
  }],
  ['POST', '/settings/totp', null, (q) => q.reply(200, { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', uri: 'otpauth://totp/Vong%20Gac:truc?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' })],
  ['POST', '/settings/totp/confirm', null, (q) => q.reply(200, { recovery_codes: ['khoi-phuc-1', 'khoi-phuc-2'] })],
  ['GET', '/overview', null, (q) => q.reply(200, q.state.isEmpty ? { ...f.overview(), needs_person: [], not_observed: [], numbers: [], duty: [] } : f.overview())],
  ['GET', '/alerts', 'alert.read', listAlerts],
  ['POST', '/alerts/bulk', 'alert.write', bulk],
  ['GET', '/alerts/{alert}', 'alert.read', (q, id) => one(q, q.state.alerts.map((a) => ({ ...a, ...f.alertDetail, ...(a.id % 2 ? {} : { series: null, numbers: null }) })), id)],
  ['PATCH', '/alerts/{alert}', 'alert.write', patchAlert],
  ['GET', '/alerts/{alert}/story', 'alert.read', (q, id) => q.reply(200, { items: q.state.stories[id] ?? q.state.stories.default })],
  ['GET', '/alerts/{alert}/findings', 'alert.read', (q) => q.reply(200, { items: f.findings, total: 6 })],
  ['POST', '/alerts/{alert}/notes', 'alert.write', (q, id) => { storyOf(q, id).push({ at: now(), kind: 'note', person: me(q), text: q.body.text }); q.reply(201, { id: q.state.next++ }); }],
  ['POST', '/alerts/{alert}/answer', 'portal.answer', (q, id) => { storyOf(q, id).push({ at: now(), kind: 'answer', person: me(q), text: q.body.text }); q.state.answers.push({ id, ...q.body }); q.reply(201, { id: q.state.next++ }); }],
  ['GET', '/views', 'alert.read', (q) => q.reply(200, { items: q.state.views, next: null })],
  ['PUT', '/views/{view}', 'alert.read', (q, name) => {
    q.state.views = q.state.views.filter((v) => v.name !== name);
    q.state.views.push({ id: q.state.next++, name, filter: q.body.filter, is_shared: q.body.is_shared, is_mine: true, person_name: q.who.person.name });
    q.reply(200, { id: 1 });
  }],
  ['DELETE', '/views/{view}', 'alert.read', (q, name) => { q.state.views = q.state.views.filter((v) => v.name !== name); none(q); }],
  ['POST', '/suppressions', 'alert.suppress', (q) => { q.state.suppressions.push(q.body); q.reply(201, { id: 1, alerts: 1 }); }],
  ['POST', '/queries', 'event.search', query],
  ['POST', '/hunts', 'event.search', hunt],
  ['GET', '/jobs/{job}', 'event.search', (q, id) => { const x = q.state.jobs.get(Number(id)); return x ? q.reply(200, x.j) : q.problem(404, 'Không tìm thấy'); }],
  ['GET', '/jobs/{job}/rows', 'event.search', rowsOf],
  ['DELETE', '/jobs/{job}', 'event.search', (q, id) => { const x = q.state.jobs.get(Number(id)); if (x) x.j.state = 'cancelled'; none(q); }],
  ['GET', '/hunt-records', 'event.search', (q) => page(q, q.state.records)],
  ['POST', '/hunt-records', 'event.search', addRecord],
  ['GET', '/hunt-records/{record}', 'event.search', (q, id) => one(q, q.state.records, id)],
  ['PATCH', '/hunt-records/{record}', 'event.search', (q, id) => change(q, q.state.records, id, (r) => Object.assign(r, q.body))],
  ['POST', '/hunt-records/{record}/sign', 'report.sign', (q, id) => change(q, q.state.records, id, (r) => Object.assign(r, { signed_by: me(q), signed_at: now() }))],
  ['GET', '/lists', 'list.read', (q) => page(q, f.lists)],
  ['GET', '/lists/{list}/versions', 'list.read', (q) => page(q, f.listVersions)],
  ['GET', '/lists/{list}/entries', 'list.read', (q) => page(q, f.listEntries)],
  ['GET', '/lists/{list}/diff', 'list.read', (q) => q.reply(200, { from: f.listVersions[1], to: f.listVersions[0], new: 12_004, persistent: 456_682, gone: 12_114, is_cut: true, items: f.listEntries.map((e, i) => ({ ...e, change: i % 3 ? 'new' : 'gone' })) })],
  ['GET', '/list-check', 'list.read', (q) => { const hits = f.listEntries.filter((e) => e.value === q.query.get('address')).map((e) => ({ ...e, list: 'botnet', version: 3 })); q.reply(200, { address: q.query.get('address'), is_listed: hits.length > 0, items: hits, lists_asked: 2 }); }],
  ['POST', '/list-preview', 'list.write', (q) => q.reply(200, { ...f.listReport, list: f.lists[0] })],
  ['POST', '/lists/{list}/versions', 'list.write', (q) => q.reply(201, { ...f.listReport, version: 4 })],
  ['GET', '/units', 'unit.read', (q) => page(q, q.state.units.filter((u) => hasText(u.name, q.query.get('q'))))],
  ['GET', '/units/tree', 'unit.read', (q) => {
    const ms = q.query.get('at') ? Date.parse(q.query.get('at')) : f.NOW;
    const items = q.state.isEmpty ? [] : q.state.units.filter((u) => Date.parse(u.valid_from) <= ms && !(u.valid_to && Date.parse(u.valid_to) <= ms));
    q.reply(200, { at: new Date(ms).toISOString(), items: items.map(({ id, parent, name, short_name, kind, valid_from, valid_to }) => ({ id, parent, name, short_name, kind, valid_from, valid_to })), is_cut: false });
  }],
  ['POST', '/units/import', 'unit.write', (q) => {
    const report = { rows: 131, kept: 129, new: 3, changed: 4, same: 122, queued: 0, refused: 2, reasons: { unknown_parent: 2 }, unknown_columns: ['ghi_chu_2'], refused_rows: [{ row: 40, column: 'parent', reason: 'unknown_parent', text: 'Không có đơn vị cấp trên này', value: 'So XYZ', is_kept: false }] };
    return q.query.get('dry_run') ? q.problem(409, 'Chỉ là thử', { report }) : q.reply(200, report);
  }],
  ['GET', '/units/{unit}', 'unit.read', (q, id) => one(q, q.state.units, id)],
  ['PATCH', '/units/{unit}', 'unit.write', (q, id) => change(q, q.state.units, id, (u) => Object.assign(u, q.body))],
  ['GET', '/prefixes', 'unit.read', (q) => page(q, f.prefixes.filter((p) => !q.query.get('unit') || p.unit === Number(q.query.get('unit'))))],
  ['GET', '/systems', 'unit.read', (q) => page(q, f.systems.filter((s) => !q.query.get('unit') || s.unit === Number(q.query.get('unit'))))],
  ['GET', '/unit-names', 'unit.read', (q) => page(q, q.state.unitNames)],
  ['GET', '/unit-names/{name}', 'unit.read', (q, id) => one(q, q.state.unitNames, id)],
  ['PATCH', '/unit-names/{name}', 'unit.write', (q, id) => change(q, q.state.unitNames, id, () => { q.state.unitNames = q.state.unitNames.filter((n) => String(n.id) !== id); })],
  ['GET', '/machines', 'asset.read', (q) => page(q, f.machines.filter((m) => hasText(m, q.query.get('q')) && (!q.query.get('managed') || m.is_managed === (q.query.get('managed') === 'yes')) && (!q.query.get('kind') || m.kind === q.query.get('kind'))))],
  ['GET', '/machines/counts', 'asset.read', (q) => q.reply(200, { total: 24, counting_unit: 'machine', kind: {}, protection: {}, exposure: {}, management: { managed: 18, unmanaged: 6 } })],
  ['GET', '/machines/{machine}', 'asset.read', (q, id) => one(q, f.machines, id)],
  ['GET', '/sources', 'source.read', (q) => q.reply(200, { items: q.state.isEmpty ? [] : f.sources, is_watch_up: !q.state.isEmpty, next: null })],
  ['GET', '/blind-spots', 'source.read', (q) => q.reply(200, { items: f.blindSpots, next: null })],
  ['GET', '/duty/now', 'duty.read', (q) => q.reply(200, { can_sms: false, can_mail: true, items: [...q.state.shifts.map((s) => ({ ...s, is_in_ladder: true })), { place: 'leader', person: null, is_in_ladder: true }] })],
  ['GET', '/duty/shifts', 'duty.read', (q) => page(q, q.state.shifts)],
  ['POST', '/duty/shifts', 'duty.write', (q) => { q.state.shifts.push({ id: q.state.next++, version: 1, note: '', has_sms: false, has_mail: true, ...q.body, person: { id: q.body.person, name: find(q.state.users, q.body.person)?.name } }); q.reply(201, { id: q.state.next, version: 1 }); }],
  ['GET', '/duty/wakes', 'duty.read', (q) => page(q, f.wakes)],
  ['GET', '/users', 'user.read', (q) => page(q, q.state.users)],
  ['POST', '/users', 'user.write', (q) => {
    if (q.state.users.some((u) => u.login === q.body.login)) return q.problem(422, 'Có chỗ cần sửa', { errors: [{ pointer: '/login', detail: 'Tên đăng nhập này đã có' }] });
    const u = { ...q.state.users[0], email: '', phone: '', unit: null, unit_name: '', ...q.body, id: q.state.next++, version: 1, has_totp: false, last_login_at: null, must_change_password: true };
    q.state.users.push(u);
    q.reply(201, { ...u, first_password: 'cam-4821-nui-xanh' });
  }],
  ['GET', '/users/{user}', 'user.read', (q, id) => one(q, q.state.users, id)],
  ['PATCH', '/users/{user}', 'user.write', (q, id) => change(q, q.state.users, id, (u) => Object.assign(u, q.body))],
  ['POST', '/users/{user}/disable', 'user.write', (q, id) => { const u = find(q.state.users, id); u.is_disabled = q.body.is_disabled; u.version++; q.reply(200, u); }],
  ['POST', '/users/{user}/reset-password', 'user.write', (q) => q.reply(200, { first_password: 'mua-7730-song-dai' })],
  ['GET', '/users/{user}/roles', 'user.read', (q, id) => q.reply(200, { items: q.state.bindings.filter((b) => b.person === Number(id)), next: null })],
  ['POST', '/users/{user}/roles', 'user.write', (q, id) => { const b = { id: q.state.next++, version: 1, person: Number(id), role: q.body.role, unit: q.body.unit ?? null, unit_name: find(q.state.units, q.body.unit)?.name ?? '', is_below: q.body.is_below, from: now(), to: q.body.to ?? null, ended_at: null, by_name: q.who.person.name }; q.state.bindings.push(b); q.reply(201, b); }],
  ['DELETE', '/user-roles/{binding}', 'user.write', (q, id) => { find(q.state.bindings, id).ended_at = now(); none(q); }],
  ['GET', '/roles', 'user.read', (q) => q.reply(200, { items: f.roles, next: null })],
  ['GET', '/grants', 'grant.write', (q) => page(q, q.state.grants)],
  ['POST', '/grants', 'grant.write', (q) => {
    const g = { id: q.state.next++, version: 1, person_name: find(q.state.users, q.body.person)?.name, from: now(), ended_at: null, by_name: q.who.person.name, is_active: true, ...q.body, targets: q.body.targets.map((t) => ({ ...t, unit_name: find(q.state.units, t.unit)?.name })) };
    q.state.grants.unshift(g);
    q.reply(201, g);
  }],
  ['DELETE', '/grants/{grant}', 'grant.write', (q, id) => { Object.assign(find(q.state.grants, id), { ended_at: now(), is_active: false }); none(q); }],
  ['GET', '/audit', 'audit.read', (q) => page(q, f.audit)],
  ['GET', '/audit/head', 'audit.read', (q) => q.reply(200, { n: 5000, head: f.audit[0].link, at: now() })],
  ['GET', '/audit/verify', 'audit.read', (q) => q.reply(200, { is_whole: true, entries: 5000, first_wrong: 0, objects: 812, objects_wrong: 0, wrong_object: '', head: f.audit[0].link, has_head: q.query.get('head') ? q.query.get('head') === f.audit[0].link : null })],
  ['GET', '/sessions', null, (q) => q.reply(200, { items: [{ id: 1, address: '192.0.2.77', agent: 'Mozilla/5.0 Chromium', created_at: now(), seen_at: now(), expires_at: now(), ended_at: null, end_reason: null, is_this: true }], next: null })],
  ['GET', '/tokens', null, (q) => q.reply(200, { items: q.state.tokens, next: null })],
  ['POST', '/tokens', null, (q) => { q.state.tokens.push({ id: q.state.next++, version: 1, name: q.body.name, scopes: q.body.scopes, tlp_max: 'green', is_wall: q.body.is_wall, expires_at: q.body.expires_at, ended_at: null, last_used_at: null, is_valid: true }); q.reply(201, { id: 1, name: q.body.name, token: 'man-hinh-truc' }); }],
];
