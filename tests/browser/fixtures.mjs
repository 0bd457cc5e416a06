// SPDX-License-Identifier: Apache-2.0
/* fixtures - a small office for the browser tests: made-up bodies and addresses (RFC 5737, RFC 3849), the shapes of content/openapi. */
export const NOW = Date.parse('2026-02-15T08:30:00Z');
const at = (minutes) => new Date(NOW - minutes * 60_000).toISOString().replace('.000Z', 'Z');

export const permissions = [
  'unit.read',
  'unit.write',
  'asset.read',
  'asset.write',
  'alert.read',
  'alert.write',
  'alert.suppress',
  'event.search',
  'list.read',
  'list.write',
  'source.read',
  'duty.read',
  'duty.write',
  'report.read',
  'user.read',
  'user.write',
  'grant.write',
  'audit.read',
  'setting.read',
  'setting.write',
  'portal.answer',
];

export const people = {
  truc: {
    id: 7,
    login: 'truc',
    name: 'Nguyễn Thị Trực',
    password: 'mot-cau-rat-dai-1',
    roles: [{ role: 'administrator', unit: 1, unit_name: 'Tỉnh Mẫu', is_below: true }],
    permissions,
    totp: null,
    must: false,
  },
  moi: {
    id: 8,
    login: 'moi',
    name: 'Trần Văn Mới',
    password: 'cap-lan-dau-123',
    roles: [{ role: 'analyst', unit: 1, unit_name: 'Tỉnh Mẫu', is_below: true }],
    permissions: permissions.slice(0, 12),
    totp: null,
    must: true,
  },
  haibuoc: {
    id: 9,
    login: 'haibuoc',
    name: 'Lê Hai Bước',
    password: 'mot-cau-rat-dai-2',
    roles: [{ role: 'analyst', unit: 1, unit_name: 'Tỉnh Mẫu', is_below: true }],
    permissions,
    totp: '123456',
    must: false,
  },
  xa: {
    id: 10,
    login: 'xa',
    name: 'Phạm Thị Xã',
    password: 'mot-cau-rat-dai-3',
    roles: [{ role: 'system_owner', unit: 5, unit_name: 'UBND xã Đông Hòa', is_below: false }],
    permissions: ['unit.read', 'asset.read', 'alert.read', 'portal.answer'],
    totp: null,
    must: false,
  },
};

const day = (d) => `${d}T00:00:00+07:00`;
const contact = (id, name, purpose, channel, value, is_24_7, verified_on) => ({ id, name, purpose, channel, value, is_24_7, valid_from: day('2025-07-01'), valid_to: null, verified_on: verified_on && day(verified_on) });
const unit = (id, name, kind, parent, more = {}) => ({
  id, uuid: `019c5a00-0000-7000-8000-1000000000${String(id).padStart(2, '0')}`, version: 3, code: `MAU-${id}`, name, short_name: '', kind, parent, parent_name: parent ? 'UBND tỉnh Mẫu' : null,
  valid_from: day('2025-07-01'), valid_to: null, is_body: true, has_own_node: false, note: '', source: '', path: [...(parent ? [{ id: 1, name: 'UBND tỉnh Mẫu' }] : []), { id, name }], predecessors: [], successors: [], aliases: [],
  history: [{ name, short_name: '', kind, parent, valid_from: day('2025-07-01'), valid_to: null }], contacts: [], counts: { units: 0, prefixes: 2, systems: 1 }, ...more,
});
export const units = [
  unit(1, 'UBND tỉnh Mẫu', 'province', null, { counts: { units: 5, prefixes: 6, systems: 31 }, has_own_node: true }),
  unit(2, 'Sở Khoa học và Công nghệ', 'department', 1, {
    short_name: 'SKHCN', predecessors: [{ id: 12, name: 'Sở Thông tin và Truyền thông', short_name: 'STTTT', kind: 'merged', at: day('2025-03-01') }], aliases: [{ id: 1, name: 'Sở KH&CN', kind: 'abbreviation' }],
    contacts: [contact(1, 'Nguyễn Văn Đầu Mối', 'Đầu mối 24/7', 'phone', '0912 000 111', true, '2026-01-10'), contact(2, 'Phòng An toàn thông tin', 'Phòng chuyên môn', 'email', 'attt@skhcn.example', false, '2025-03-02')],
    history: [{ name: 'Sở Khoa học', short_name: 'SKH', kind: 'department', parent: 1, valid_from: day('2008-01-01'), valid_to: day('2025-03-01') }, { name: 'Sở Khoa học và Công nghệ', short_name: 'SKHCN', kind: 'department', parent: 1, valid_from: day('2025-03-01'), valid_to: null }],
  }),
  unit(3, 'Sở Y tế', 'department', 1),
  unit(4, 'Phường Ân Thi', 'commune', 1),
  unit(5, 'UBND xã Đông Hòa', 'commune', 1, { aliases: [{ id: 2, name: 'xã Đông Hoà', kind: 'alias' }] }),
  unit(6, 'UBND xã Đình Bảng', 'commune', 1),
  unit(12, 'Sở Thông tin và Truyền thông', 'department', 1, { valid_from: day('2008-01-01'), valid_to: day('2025-03-01'), successors: [{ id: 2, name: 'Sở Khoa học và Công nghệ', short_name: 'SKHCN', kind: 'merged', at: day('2025-03-01') }] }),
];

const titles = [
  ['critical', 'Máy chủ nội bộ nằm trong danh sách Botnet và đang nhận lệnh điều khiển', 'list:botnet-2026-02', '203.0.113.17', 'ip', 2],
  ['high', 'Quét mật khẩu RDP thành công sau 4.312 lần thử', 'behaviour:guessed_password', 'MAYCHU-VANTHU', 'host', 5],
  ['high', 'Gửi dữ liệu ra ngoài bất thường: 8,2 GB trong 40 phút', 'behaviour:exfiltration', '203.0.113.90', 'ip', 3],
  ['medium', 'Tên miền do chương trình sinh ra (Conficker)', 'behaviour:dga', '203.0.113.44', 'ip', 4],
  ['medium', 'PowerShell tải tệp từ Internet', 'sigma:powershell_download', 'PC-KETOAN-07', 'host', 5],
  ['low', 'Quét cổng trong mạng nội bộ', 'behaviour:scan', '203.0.113.61', 'ip', 6],
  ['info', 'Máy mới chưa quản lý xuất hiện', 'other:inventory:new', '203.0.113.201', 'ip', 5],
];
const states = ['new', 'new', 'open', 'assigned', 'new', 'open', 'resolved'];
export const alerts = Array.from({ length: 46 }, (_, i) => {
  const [severity, title, cause, entity, kind, unitId] = titles[i % titles.length];
  const u = units.find((x) => x.id === unitId);
  const state = i < 7 ? states[i] : states[(i * 5) % states.length];
  return {
    id: 101 + i,
    uuid: `019c5a00-0000-7000-8000-${String(i).padStart(12, '0')}`,
    version: 1,
    unit: u.id,
    unit_name: u.name,
    tlp: 2,
    severity,
    state,
    verdict: state === 'resolved' ? 'false' : null,
    verdict_reason: state === 'resolved' ? 'Máy quét định kỳ của phòng kỹ thuật' : null,
    title,
    cause,
    rule: { id: cause, name: title },
    list: cause.startsWith('list:') ? 'botnet' : null,
    entity: { kind, value: entity },
    machine: i % 3 === 0 ? { id: 300 + (i % 5), name: `MAYCHU-${i}` } : null,
    assignee: state === 'assigned' ? { id: 11, name: 'Đỗ Văn Ẩn' } : null,
    first_at: at(400 + i * 37),
    last_at: at(3 + i * 31),
    raised_at: at(390 + i * 37),
    acknowledged_at: null,
    resolved_at: null,
    due_at: state === 'resolved' ? null : at(i < 2 ? 35 : -240 - i * 10),
    overdue: i < 2,
    count: 8780 * (46 - i) + i,
    findings: 3 + (i % 9),
    confidence: 90 - i,
    suppressed_by: null,
    follows: null,
  };
});
export const alertDetail = {
  remotes: Array.from({ length: 15 }, (_, i) => ({
    ip: `198.51.100.${10 + i * 3}`,
    port: i % 2 ? 6667 : 443,
    flows: 4000 - i * 250,
    bytes: 50_000_000 / (i + 1),
  })),
  attack: ['T1071.001', 'T1571'],
  series: {
    from: at(24 * 60),
    step_s: 600,
    unit: 'lượt',
    values: Array.from({ length: 144 }, (_, i) => (i > 60 && i < 68 ? null : Math.round(120 + 90 * Math.sin(i / 9) + (i % 13) * 7))),
  },
  numbers: {
    beacon_period_s: { value: 61.4, limit: 3600 },
    beacon_score: { value: 0.93, limit: 0.8 },
    connections: { value: 1384, limit: 20 },
  },
  query: 'source.ip : 203.0.113.17 and destination.port : (443 or 6667)',
};
export const findings = Array.from({ length: 6 }, (_, i) => ({
  first_at: at(400 - i * 50),
  last_at: at(380 - i * 50),
  revision: 2,
  is_withdrawn: false,
  finding: {
    'finding.kind': 'contact',
    'own.ip': '203.0.113.17',
    'remote.ip': `198.51.100.${10 + i * 3}`,
    'destination.port': 6667,
    flows: 4000 - i * 250,
    bytes: 5_000_000 / (i + 1),
    direction: 'outbound',
    list: 'botnet',
    family: 'Rbot',
  },
}));
export const stories = {
  default: [
    { at: at(400), kind: 'finding', person: null, text: 'list:botnet-2026-02', count: 4000 },
    { at: at(380), kind: 'finding', person: null, text: 'behaviour:beacon', count: 1384 },
    {
      at: at(120),
      kind: 'decision',
      person: { id: 11, name: 'Đỗ Văn Ẩn' },
      text: 'Đang liên hệ đầu mối của Sở để tách máy khỏi mạng.',
      state: 'open',
      verdict: null,
      assignee: { id: 11, name: 'Đỗ Văn Ẩn' },
    },
    { at: at(80), kind: 'note', person: { id: 11, name: 'Đỗ Văn Ẩn' }, text: 'Đã gọi đầu mối 24/7 lúc 14:10; hẹn trả lời trước 16:00.' },
  ],
};

export const overview = () => ({
  at: new Date(NOW).toISOString(),
  needs_person: [
    { kind: 'alert', count: 11, oldest_at: at(190), href: '/alerts?state=new' },
    { kind: 'overdue', count: 2, oldest_at: at(35), href: '/alerts?overdue=1' },
    { kind: 'unit_name', count: 4, oldest_at: at(2900), href: '/units/names' },
    { kind: 'grant', count: 1, oldest_at: null, href: '/users/grants' },
  ],
  not_observed: [
    { kind: 'silent_source', what: 'Bộ định tuyến biên Sở Y tế (192.0.2.3), không có gói nào', since: at(47), href: '/sources' },
    { kind: 'loss', what: 'NetFlow 192.0.2.9: mất 12.480 bản ghi (1,3 %)', since: at(300), href: '/sources' },
    { kind: 'gap', what: 'Nhật ký máy chủ thư, 02:10–03:25 ngày 14/02/2026', since: at(1800), href: null },
  ],
  numbers: [
    { id: 'alerts_open', count: 39, unit: 'alert', of: 46, href: '/alerts' },
    { id: 'addresses_affected', count: 18, unit: 'ip', of: 4096, href: '/lists/botnet' },
    { id: 'machines_managed', count: 1628, unit: 'machine', of: 1840, href: '/machines' },
    { id: 'units_affected', count: 5, unit: 'unit', of: 131, href: '/units' },
    { id: 'contacts', count: 1052479, unit: 'luot', of: null, href: '/search' },
  ],
  duty: [
    { place: 'leader', person_name: 'Hoàng Văn Lãnh', until: at(-600) },
    { place: 'shift', person_name: 'Nguyễn Thị Trực', until: at(-240) },
    { place: 'technical', person_name: 'Vũ Đình Kỹ', until: at(-600) },
  ],
});

export const machines = Array.from({ length: 24 }, (_, i) => ({
  id: 300 + i, uuid: `019c5a00-0000-7000-8000-3000000000${String(i).padStart(2, '0')}`, version: 2, unit: 2 + (i % 4), unit_name: units[1 + (i % 4)].name, unit_waiting: null, name: i % 3 ? `PC-${String(i).padStart(3, '0')}` : `MAYCHU-${i}`,
  kind: i % 3 ? 'workstation' : 'server', os: i % 3 ? 'Windows 11' : 'Debian 12', system: i % 3 ? null : 1, system_name: i % 3 ? null : 'Một cửa điện tử', exposure: i % 5 ? 'internal' : 'internet', level: i % 3 ? null : 3,
  protection: i % 4 ? { state: i % 7 ? 'protected' : 'outdated', product: 'Antivirus mẫu', last_contact_at: at(i * 300) } : null, list_hits: i % 6 ? 0 : 3, open_vulnerabilities: i % 4, is_managed: i % 4 !== 0,
  first_seen_at: at(90_000), last_seen_at: at(4 + i), last_seen_by: 'flow', last_by: '', tlp: 'amber', note: '', ended_at: null, ended_why: '', became: null, names: [i % 3 ? `PC-${String(i).padStart(3, '0')}` : `MAYCHU-${i}`],
  addresses: [{ ip: `203.0.113.${10 + i}`, first_at: at(90_000), last_at: at(4 + i), seen_by: 'flow' }, ...(i === 0 ? [{ ip: '2001:db8::17', first_at: at(9000), last_at: at(400), seen_by: 'lease' }] : [])],
  links: i === 0 ? [{ id: 1, machine: 303, name: 'MAYCHU-3', kind: 'same_name', state: 'open', at: at(900) }] : [],
}));

export const sources = [
  { kind: 'flows', address: '192.0.2.1', name: '192.0.2.1/0', state: 'ok', last_at: at(0), received: 6_140_670, kept: 184_220_113, kept_unit: 'flow', dropped: { lost: 0, refused: 0, records_refused: 0 } },
  { kind: 'flows', address: '192.0.2.3', name: '192.0.2.3/0', state: 'silent', last_at: at(47), received: 304_000, kept: 9_120_004, kept_unit: 'flow', dropped: { lost: 0, refused: 0, records_refused: 0 } },
  { kind: 'flows', address: '192.0.2.9', name: '192.0.2.9/256', state: 'loss', last_at: at(1), received: 31_900, kept: 947_520, kept_unit: 'flow', dropped: { lost: 12_000, refused: 0, records_refused: 480 } },
  { kind: 'logs', address: '192.0.2.20', name: '192.0.2.20', state: 'refused', last_at: at(2), received: 2_140_876, kept: 2_140_871, kept_unit: 'message', dropped: { store: 0, quota: 0, spool: 0, refused: 5 } },
];
export const blindSpots = [
  { kind: 'silent_source', what: '192.0.2.3/0', since: at(47), n: 1 },
  { kind: 'loss', what: '192.0.2.9/256', since: null, n: 12_480 },
  { kind: 'rules_without_source', what: '', since: null, n: 31 },
];

const listOf = (name, version, more) => ({
  name, version, kind: 'windowed', letter: `194${version}/CATTT-NCSC`, source: 'Cục A05', family: '', file: `${name}-${version}.xlsx`, date: `2026-0${Math.max(1, version - 1)}-01T00:00:00+07:00`, valid_until: null,
  added_at: at(8000 + (3 - version) * 40_000), entries: 460_000 + version * 2932, addresses: 460_000 + version * 2932, names: 0, ...more,
});
export const listVersions = [3, 2, 1].map((v) => listOf('botnet', v, {}));
export const lists = [{ ...listVersions[0], versions: 3 }, { ...listOf('c2', 2, { kind: 'cumulative', source: 'Trung tâm ANM quốc gia', letter: '', entries: 20_412 }), versions: 2 }];
export const listEntries = Array.from({ length: 40 }, (_, i) => ({ value: `203.0.113.${i + 17}`, kind: 'address', role: i % 9 ? 'bot' : 'c2', port: i % 4 ? null : 6667, first_at: at(90_000), last_at: at(9000 + i), family: i % 3 ? 'Rbot' : '', unit: i % 5 ? '' : 'Sở Y tế', row: i + 2, count: 3, asn: 64500 }));
export const listReport = {
  rows: 468_900, kept: 468_684, entries: 468_602, refused: 214, warned_rows: [{ row: 90, reason: 'private_address', value: '01/01/2031' }],
  refused_rows: [{ row: 17, reason: 'bad_time', expected: 'a time', value: '31/02/2026' }, { row: 202, reason: 'bad_address', expected: 'an address', value: '203.0.113.' }, { row: 640, reason: 'bad_address', expected: 'an address', value: '<script>alert(1)</script>' }],
};

const person = (p) => ({
  id: p.id, version: 1, login: p.login, name: p.name, email: `${p.login}@mau.example`, phone: '', language: 'vi', unit: p.roles[0].unit, unit_name: p.roles[0].unit_name, is_disabled: false, is_connector: false,
  must_change_password: p.must, has_totp: p.totp !== null, created_at: at(300_000), last_login_at: p.must ? null : at(p.id * 30),
});
export const users = Object.values(people).map(person);
export const bindings = Object.values(people).map((p, i) => ({ id: 50 + i, version: 1, person: p.id, ...p.roles[0], from: at(90_000), to: null, ended_at: null, by_name: 'Nguyễn Thị Trực' }));
export const grants = [
  { id: 1, version: 1, person: 9, person_name: 'Lê Hai Bước', permissions: ['alert.read', 'event.search'], targets: [{ unit: 3, unit_name: 'Sở Y tế', is_below: false }], reason: 'Hỗ trợ xử lý sự cố máy chủ thư', from: at(4000), to: at(-1500), ended_at: null, by_name: 'Nguyễn Thị Trực', is_active: true },
  { id: 2, version: 1, person: 10, person_name: 'Phạm Thị Xã', permissions: ['asset.write'], targets: [{ unit: 5, unit_name: 'UBND xã Đông Hòa', is_below: true }], reason: 'Kiểm kê máy tính đầu năm', from: at(90_000), to: at(2000), ended_at: null, by_name: 'Nguyễn Thị Trực', is_active: false },
];
const titlesOf = { administrator: 'Quản trị hệ thống', leader: 'Lãnh đạo', duty_officer: 'Cán bộ trực', analyst: 'Chuyên viên phân tích', system_owner: 'Cán bộ CNTT của đơn vị', auditor: 'Kiểm tra viên' };
export const roles = Object.entries(titlesOf).map(([name, title], i) => ({ name, title, permissions: permissions.slice(0, 21 - i * 3) }));

export const audit = Array.from({ length: 30 }, (_, i) => ({
  n: 5000 - i, at: at(i * 7), who: i % 3 ? 'user:7' : 'user:11', action: ['alert.decide', 'session.opened', 'alert.read', 'list.publish', 'grant.add'][i % 5], kind: ['alert', '', 'alert', 'list', 'grant'][i % 5], object: i % 5 === 1 ? null : 101 + i,
  why: i % 5 === 4 ? 'Hỗ trợ xử lý sự cố' : '', detail: { state: ['new', 'assigned'] }, address: '192.0.2.77', link: `${(i + 16).toString(16)}${'a7c4'.repeat(16)}`.slice(0, 64),
}));

const text = (id, t, source, n_seen, candidates) => ({ id, version: 1, unit: 1, text: t, source, at: at(2900), n_seen, first_at: at(2900), last_at: at(30), state: 'open', means: null, means_name: null, decided_at: null, decided_by: '', candidates });
export const unitNames = [
  text(1, 'So TTTT tinh Mau', 'list:botnet', 41, [{ unit: 2, name: 'Sở Khoa học và Công nghệ', score: 91, valid_from: null, valid_to: null, is_valid: true }, { unit: 12, name: 'Sở Thông tin và Truyền thông', score: 88, valid_from: null, valid_to: null, is_valid: false }]),
  text(2, 'xa Dong Hoa', 'dia-chi.csv', 3, [{ unit: 5, name: 'UBND xã Đông Hòa', score: 97, valid_from: null, valid_to: null, is_valid: true }]),
];
const prefix = (id, u, name, range, kind, note) => ({ id, version: 1, unit: u, unit_name: name, prefix: range, kind, tlp: 'amber', valid_from: day('2025-07-01'), valid_to: null, note, source: '' });
export const prefixes = [prefix(1, 2, 'Sở Khoa học và Công nghệ', '203.0.113.0/26', 'own', 'Trung tâm dữ liệu'), prefix(2, 3, 'Sở Y tế', '203.0.113.64/26', 'own', ''), prefix(3, 5, 'UBND xã Đông Hòa', '2001:db8:5::/48', 'nat', 'Cổng NAT chung')];
export const systems = [{ id: 1, uuid: '019c5a00-0000-7000-8000-400000000001', version: 1, unit: 2, unit_name: 'Sở Khoa học và Công nghệ', name: 'Một cửa điện tử', kind: '', operator: null, exposure: 'internet', tlp: 'amber', level: 3, level_number: '12/QĐ-UBND', level_decided_at: day('2025-09-01'), level_body: 'UBND tỉnh Mẫu', ended_at: null, note: '' }];
export const rows = Array.from({ length: 60 }, (_, i) => ({
  'event.start': at(i * 11),
  'source.ip': '203.0.113.17',
  'source.port': 49_152 + i,
  'destination.ip': `198.51.100.${10 + (i % 15) * 3}`,
  'destination.port': i % 2 ? 6667 : 443,
  'network.transport': 'tcp',
  'source.bytes': 4000 * (i + 1),
  'destination.bytes': 92_000 + i,
  'source.packets': 40 + i,
  'network.state': 'S_RA',
  'tls.client.server_name': i % 4 ? null : 'cdn.example.net',
}));

export const shifts = [{ id: 1, version: 1, place: 'shift', person: { id: 7, name: 'Nguyễn Thị Trực' }, from: at(240), to: at(-240), note: '', has_sms: true, has_mail: true }, { id: 2, version: 1, place: 'technical', person: { id: 9, name: 'Lê Hai Bước' }, from: at(600), to: at(-600), note: '', has_sms: false, has_mail: false }];
const message = (step, place, name, channel, state, ago) => ({ step, place, person: name ? { id: 7, name } : null, channel, state, at: at(ago), sent_at: state === 'sent' ? at(ago) : null, proof: state === 'sent' ? '250 2.0.0 OK' : '' });
export const wakes = [{ id: 1, alert: 101, title: titles[0][1], severity: 'critical', state: 'running', begun_at: at(30), ended_at: null, ended_by: null, due_at: at(-5), messages: [message(1, 'shift', 'Nguyễn Thị Trực', 'sms', 'sent', 30), message(2, 'leader', null, 'sms', 'empty', 20)] }];
