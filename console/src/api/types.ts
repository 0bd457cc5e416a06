/* SPDX-License-Identifier: Apache-2.0 */
/* api/types - what the API answers (content/openapi). Enumerations are open: a newer server may know more words. */

export interface FieldError {
  pointer: string;
  detail: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
  total?: number;
  total_is_estimate?: boolean;
}

export interface Ref {
  id: number;
  name: string;
}

export interface Session {
  person: { id: number; name: string; login: string; language: 'vi' | 'en'; must_change_password: boolean; has_totp: boolean };
  roles: { role: string; unit: number | null; unit_name: string | null; is_below: boolean }[];
  permissions: string[];
  csrf: string;
  expires_at: string;
  server: { version: string; node_name: string; time: string };
}

export type Severity = 'critical' | 'high' | 'medium' | 'low' | 'info';
export type AlertState = 'new' | 'open' | 'assigned' | 'resolved';
export type Verdict = 'true' | 'false' | 'benign' | 'verified_malware';
export type Tlp = 'clear' | 'green' | 'amber' | 'amber_strict' | 'red';

export interface Overview {
  at: string;
  needs_person: { kind: string; count: number; oldest_at: string | null; href: string | null }[];
  not_observed: { kind: string; what: string; since: string | null; href: string | null }[];
  numbers: { id: string; count: number; unit: string; of: number | null; href: string | null }[];
  duty: { place: string; person_name: string; until: string | null }[];
}

export interface Series {
  step_s: number;
  from?: string;
  start?: string;
  unit?: string;
  values: (number | null)[];
}

export interface Remote {
  ip?: string;
  name?: string;
  port?: number | null;
  flows?: number;
  bytes?: number;
}

export interface Alert {
  id: number;
  uuid: string;
  version: number;
  unit: number;
  unit_name: string;
  tlp: number; // 0 CLEAR .. 4 RED
  severity: Severity;
  state: AlertState;
  verdict: Verdict | null;
  verdict_reason: string | null;
  title: string;
  cause: string;
  rule: { id: string; name: string } | null;
  list: string | null;
  entity: { kind: string; value: string };
  machine: Ref | null;
  assignee: Ref | null;
  first_at: string;
  last_at: string;
  raised_at: string;
  acknowledged_at: string | null;
  resolved_at: string | null;
  due_at: string | null;
  overdue: boolean;
  count: number;
  findings: number;
  confidence: number | null;
  suppressed_by: number | null;
  follows: number | null;
  // of one alert only
  remotes?: (Remote | string)[];
  attack?: string[];
  series?: Series | null;
  numbers?: Record<string, { value: number; limit?: number }> | null;
  query?: string | null;
}

export interface Finding {
  first_at: string;
  last_at: string;
  revision: number;
  is_withdrawn: boolean;
  finding: Record<string, unknown>;
}

export interface StoryItem {
  at: string;
  kind: string; // finding, note, decision
  person: Ref | null;
  text: string | null;
  state?: AlertState;
  verdict?: Verdict | null;
  assignee?: Ref | null;
  count?: number;
}

export type EvidenceRow = Record<string, string | number | boolean | null>;

export interface View {
  id: number;
  name: string;
  filter: string;
  is_shared: boolean;
  is_mine: boolean;
  person_name: string;
}

export interface Contact {
  id: number;
  version?: number;
  name: string;
  purpose: string;
  channel: string; // phone, hotline, sms, email, address, other
  value: string;
  is_24_7: boolean;
  valid_from: string | null;
  valid_to: string | null;
  verified_on: string | null;
}

export interface System {
  id: number;
  version: number;
  unit: number;
  unit_name: string;
  name: string;
  kind: string;
  exposure: string;
  level: number | null;
  level_number: string | null;
  level_decided_at: string | null;
  level_body: string | null;
}

export interface ImportReport {
  rows: number;
  kept: number;
  new: number;
  changed: number;
  same: number;
  queued: number;
  refused: number;
  reasons: Record<string, number>;
  refused_rows: { row: number; column: string; reason: string; text: string; value: string; is_kept: boolean }[];
  unknown_columns: string[];
}

export interface UnitLink {
  id: number;
  name: string;
  short_name: string;
  kind: string; // renamed, merged, split, moved
  at: string | null;
}

export interface Unit {
  id: number;
  version: number;
  code: string;
  name: string;
  short_name: string;
  kind: string;
  parent: number | null;
  parent_name: string | null;
  valid_from: string | null;
  valid_to: string | null;
  is_body: boolean;
  has_own_node: boolean;
  note: string;
  source: string;
  // of one unit only
  path?: Ref[];
  predecessors?: UnitLink[];
  successors?: UnitLink[];
  aliases?: { id: number; name: string; kind: string }[];
  history?: { name: string; short_name: string; kind: string; parent: number | null; valid_from: string | null; valid_to: string | null }[];
  contacts?: Contact[];
  counts?: { units: number; prefixes: number; systems: number };
}

export interface UnitNode {
  id: number;
  parent: number | null;
  name: string;
  short_name: string;
  kind: string;
  valid_from: string | null;
  valid_to: string | null;
}

export interface UnitTree {
  at: string | null;
  items: UnitNode[];
  is_cut: boolean;
}

export interface Prefix {
  id: number;
  version: number;
  unit: number;
  unit_name: string;
  prefix: string;
  kind: string;
  tlp: string;
  note: string;
  valid_from: string | null;
  valid_to: string | null;
}

export interface UnitName {
  id: number;
  version: number;
  unit: number | null;
  text: string;
  source: string;
  n_seen: number;
  first_at: string;
  last_at: string;
  state: string; // open, matched, refused
  means_name: string | null;
  candidates?: { unit: number; name: string; score: number; is_valid: boolean }[]; // of one only
}

export interface MachineCounts {
  total: number;
  management: Record<string, number>;
}

export interface Machine {
  id: number;
  version: number;
  unit: number | null;
  unit_name: string | null;
  unit_waiting: string | null;
  name: string;
  kind: string;
  os: string;
  system: number | null;
  system_name: string | null;
  exposure: string;
  level: number | null;
  protection: { state: string; product: string; last_contact_at: string | null } | null;
  list_hits: number;
  open_vulnerabilities: number;
  is_managed: boolean;
  first_seen_at: string | null;
  last_seen_at: string | null;
  last_seen_by: string;
  last_by: string;
  tlp: string;
  note: string;
  ended_at: string | null;
  names: string[];
  addresses: { ip: string; first_at: string; last_at: string; seen_by: string }[];
  links?: { id: number; machine: number; name: string; kind: string; state: string; at: string | null }[];
}

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Coverage {
  since?: string | null;
  until?: string | null;
  segments?: number;
  rows?: number;
  rows_matched?: number;
  damaged_blocks?: number;
  damaged_segments?: number;
  damaged_files?: number;
  gaps?: { since: string; until: string; what: string }[];
}

export interface Job {
  id: number;
  kind: string;
  state: JobState;
  progress: { done: number; total: number; unit: string } | null;
  n_rows?: number;
  is_cut?: boolean;
  columns: string[] | null;
  coverage: Coverage | null;
  warnings: { line: number; reason: string; value: string }[] | null;
  fault: string;
  created_at?: string | null;
  ended_at?: string | null;
  text?: string | null;
}

export type Row = EvidenceRow | (string | number | boolean | null)[];

export interface HuntRecord {
  id: number;
  version: number;
  unit: number;
  unit_name: string;
  tlp: number;
  at: string;
  n_rows: number;
  title: string;
  person: Ref;
  signed_by: Ref | null;
  signed_at: string | null;
  // of one record only
  hypothesis?: string;
  conclusion?: string;
  job?: Job | null;
}

export interface List {
  name: string;
  fault?: string;
  version: number;
  versions?: number;
  kind: string; // unknown, windowed, cumulative
  letter: string;
  source: string;
  family: string;
  file: string;
  date: string | null;
  valid_until: string | null;
  added_at: string;
  entries: number;
  addresses: number;
  names: number;
}

export interface ListEntry {
  value: string;
  kind: string;
  role: string;
  port: number | null;
  first_at: string | null;
  last_at: string | null;
  family: string;
  unit: string;
  row: number;
  count: number;
  change?: 'new' | 'gone';
  list?: string;
  version?: number;
}

export interface ListReport {
  rows: number;
  kept: number;
  entries: number;
  refused: number;
  refused_rows: { row: number; reason: string; expected: string; value: string }[];
  warned_rows: { row: number; reason: string; value: string }[];
  list?: List;
  version?: number;
}

export interface ListDiff {
  from: List;
  to: List;
  new: number;
  persistent: number;
  gone: number;
  is_cut: boolean;
  items: ListEntry[];
}

export interface ListCheck {
  address: string;
  is_listed: boolean;
  items: ListEntry[];
  lists_asked: number;
}

export interface Source {
  id?: number | string;
  kind: string; // flows, logs, capture, file
  address: string;
  name: string | null;
  state: string; // ok, silent, loss, refused
  last_at: string | null;
  received: number;
  kept: number;
  kept_unit?: string;
  dropped: Record<string, number>;
}

export interface BlindSpot {
  kind: string;
  what: string;
  since: string | null;
  n?: number;
}

export interface User {
  id: number;
  version: number;
  login: string;
  name: string;
  email: string;
  phone: string;
  language: string;
  unit: number | null;
  unit_name: string;
  is_disabled: boolean;
  is_connector: boolean;
  must_change_password: boolean;
  has_totp: boolean;
  created_at: string;
  last_login_at: string | null;
  first_password?: string; // of a new one, once
}

export interface Binding {
  id: number;
  version: number;
  person: number;
  role: string;
  unit: number | null;
  unit_name: string;
  is_below: boolean;
  from: string | null;
  to: string | null;
  ended_at: string | null;
  by_name: string;
}

export interface Role {
  name: string;
  title: string;
  permissions: string[];
}

export interface Grant {
  id: number;
  version: number;
  person: number;
  person_name: string;
  permissions: string[];
  targets: { unit?: number; unit_name?: string; is_below?: boolean; kind?: string; object?: number }[];
  reason: string;
  from: string;
  to: string;
  ended_at: string | null;
  by_name: string;
  is_active: boolean;
}

export interface AuditEntry {
  n: number;
  at: string;
  who: string;
  action: string;
  kind: string;
  object: number | null;
  why: string;
  detail: unknown;
  address: string;
  link: string | null;
}

export interface AuditHead {
  n: number;
  head: string | null;
  at: string;
}

export interface AuditVerified {
  is_whole: boolean;
  entries: number;
  first_wrong: number;
  objects: number;
  objects_wrong: number;
  wrong_object: string;
  head: string;
  has_head: boolean | null;
}

export interface SessionRow {
  id: number;
  address: string;
  agent: string;
  created_at: string;
  seen_at: string;
  expires_at: string;
  ended_at: string | null;
  is_this: boolean;
}

export interface TokenRow {
  id: number;
  version: number;
  name: string;
  scopes: string[];
  tlp_max: string;
  is_wall: boolean;
  expires_at: string;
  ended_at: string | null;
  last_used_at: string | null;
  is_valid: boolean;
}

export interface Shift {
  id: number;
  version: number;
  place: string;
  person: Ref | null;
  from: string;
  to: string;
  note: string;
  has_sms: boolean;
  has_mail: boolean;
}

export interface DutyNow {
  can_sms: boolean;
  can_mail: boolean;
  items: (Partial<Shift> & { place: string; person: Ref | null; is_in_ladder: boolean })[];
}

export interface Wake {
  id: number;
  alert: number;
  title: string;
  severity: string;
  state: string; // running, acknowledged, exhausted, ended
  begun_at: string | null;
  messages: {
    step: number;
    place: string;
    person: Ref | null;
    channel: string;
    state: string;
    at: string | null;
    sent_at: string | null;
    proof: string;
  }[];
}
