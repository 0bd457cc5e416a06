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
  role: string;
  phone: string | null;
  email: string | null;
  is_24x7?: boolean;
  verified_on: string | null;
}

export interface Unit {
  id: number;
  version: number;
  name: string;
  short_name: string | null;
  kind: string;
  parent: number | null;
  path: Ref[];
  valid_from: string | null;
  valid_to: string | null;
  predecessors: Ref[];
  successors: Ref[];
  aliases: string[];
  is_body: boolean;
  has_own_node: boolean;
  contacts: Contact[];
  counts: Record<string, number>;
}

export interface UnitNode {
  id: number;
  name: string;
  short_name: string | null;
  kind: string;
  parent: number | null;
  has_children?: boolean;
  valid_to?: string | null;
  counts?: Record<string, number>;
}

export interface Prefix {
  id: number;
  version: number;
  unit: number;
  unit_name: string;
  prefix: string;
  kind: string;
  note: string | null;
  valid_from: string | null;
  valid_to: string | null;
}

export interface UnitName {
  id: number;
  version: number;
  name: string;
  source: string;
  seen: number;
  first_at: string;
  suggestions: { id: number; name: string; score: number }[];
}

export interface Machine {
  id: number;
  version: number;
  unit: number | null;
  unit_name: string | null;
  names: string[];
  addresses: { ip: string; mac: string | null; first_at: string; last_at: string; seen_by: string }[];
  kind: string;
  system: Ref | string | null;
  exposure: string;
  level: number | null;
  protection: { state: string; product: string | null; last_contact_at: string | null } | null;
  list_hits: number;
  open_vulnerabilities: number;
  last_seen_at: string | null;
  last_seen_by: string | null;
  is_managed: boolean;
  links?: { id: number; name: string; kind: string }[];
}

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Coverage {
  since: string | null;
  until: string | null;
  segments?: number;
  records?: number;
  gaps?: { since: string; until: string; what: string }[];
}

export interface Job {
  id: number | string;
  kind: string;
  state: JobState;
  progress: { done: number; total: number; unit: string } | null;
  coverage: Coverage | null;
  result: { columns?: string[]; rows?: unknown[][]; items?: EvidenceRow[]; next: string | null; total?: number } | null;
  problem?: { title: string; detail: string } | null;
}

export interface Hunt {
  id: number;
  version: number;
  job: number | string;
  state: JobState;
  hypothesis: string | null;
  lists: string[];
  since: string | null;
  until: string | null;
  coverage: Coverage | null;
  found: { own: number; remote: number; flows: number } | null;
  conclusion: string | null;
  started_at: string;
  started_by: string;
  signed_by: string | null;
  signed_at: string | null;
}

export interface List {
  name: string;
  kind: string;
  title?: string | null;
  source: string | null;
  letter: string | null;
  version: number;
  versions: number;
  entries: number;
  refused: number;
  dated: string | null;
  added_at: string;
  hits?: number;
}

export interface ListVersion {
  version: number;
  dated: string | null;
  added_at: string;
  added_by: string | null;
  letter: string | null;
  entries: number;
  refused: number;
  sha256: string;
}

export interface ListPreview {
  rows: number;
  kept: number;
  refused: { row: number; value: string; reason: string }[];
  refused_by_reason: Record<string, number>;
  is_refused_cut?: boolean;
  new: number;
  persistent: number;
  gone: number;
  preview?: string; // what POST /lists takes to import exactly these bytes
}

export interface ListDiff {
  new: string[];
  gone: string[];
  persistent: number;
  n_new: number;
  n_gone: number;
}

export interface Source {
  id: number | string;
  kind: string;
  address: string;
  name: string | null;
  state: string;
  last_at: string | null;
  received: number;
  kept: number;
  dropped: Record<string, number>;
}

export interface User {
  id: number;
  version: number;
  login: string;
  name: string;
  unit: number | null;
  unit_name: string | null;
  email?: string | null;
  phone?: string | null;
  language?: string;
  is_locked?: boolean;
  is_disabled?: boolean;
  has_totp: boolean;
  must_change_password?: boolean;
  last_login_at: string | null;
  roles: { role: string; unit: number | null; unit_name: string | null; is_below: boolean }[];
}

export interface Role {
  name: string;
  title: string;
  permissions: string[];
}

export interface Grant {
  id: number;
  version: number;
  person: Ref;
  unit: Ref | null;
  object?: string | null;
  permissions: string[];
  reason: string;
  valid_from: string;
  valid_to: string;
  granted_by: Ref | null;
  revoked_at: string | null;
}

export interface AuditEntry {
  seq: number;
  at: string;
  who: string;
  action: string;
  kind: string;
  object: number | null;
  unit_name?: string | null;
  why: string | null;
  detail: unknown;
  hash: string;
}

export interface SessionRow {
  id: number | string;
  created_at: string;
  last_at: string;
  expires_at: string;
  client: string;
  agent: string | null;
  is_current: boolean;
}

export interface TokenRow {
  id: number;
  version?: number;
  name: string;
  scopes: string[];
  expires_at: string;
  last_used_at: string | null;
}
