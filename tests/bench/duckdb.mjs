// SPDX-License-Identifier: Apache-2.0
// duckdb.mjs FLOWS.csv LIST.txt - the same questions to DuckDB: CPU seconds of the process, best of 5.
// Prints one line of JSON. The table is stored in a database file beside the CSV, as a good administrator would.
import { DuckDBInstance } from '@duckdb/node-api';
import { rmSync, statSync } from 'node:fs';

const [flows, list] = process.argv.slice(2);
const file = `${flows}.duckdb`;
rmSync(file, { force: true });
const instance = await DuckDBInstance.create(file, { threads: process.env.BENCH_THREADS ?? '1' });
const db = await instance.connect();

async function timed(sql, rounds) {
  let best = Infinity;
  let rows;
  for (let i = 0; i < rounds; i++) {
    const before = process.cpuUsage();
    rows = (await db.runAndReadAll(sql)).getRows();
    const used = process.cpuUsage(before);
    best = Math.min(best, (used.user + used.system) / 1e6);
  }
  return { cpu_s: best, rows };
}

const load = await timed(`CREATE TABLE flows AS SELECT
  start_us::BIGINT start_us, end_us::BIGINT end_us, src::UINTEGER src, dst::UINTEGER dst, sport::USMALLINT sport,
  dport::USMALLINT dport, proto::UTINYINT proto, flags::USMALLINT flags, tos::UTINYINT tos, packets::UBIGINT packets,
  bytes::UBIGINT bytes, in_if::UINTEGER in_if, out_if::UINTEGER out_if, src_as::UINTEGER src_as, dst_as::UINTEGER dst_as,
  src_mask::UTINYINT src_mask, dst_mask::UTINYINT dst_mask FROM read_csv('${flows}', header = true)`, 1);
await db.run('CHECKPOINT');
await db.run(`CREATE TABLE listed AS SELECT
  (split_part(a, '.', 1)::UINTEGER << 24) | (split_part(a, '.', 2)::UINTEGER << 16) |
  (split_part(a, '.', 3)::UINTEGER << 8) | split_part(a, '.', 4)::UINTEGER AS ip
  FROM read_csv('${list}', header = false, columns = {'a': 'VARCHAR'})`);
const where = 'src IN (SELECT ip FROM listed) OR dst IN (SELECT ip FROM listed)';
const hunt = await timed(`SELECT count(*), sum(bytes), max(bytes) FROM flows WHERE ${where}`, 5);
const top = await timed('SELECT src, sum(bytes) s FROM flows GROUP BY src ORDER BY s DESC LIMIT 10', 5);
const [count, sum, max] = hunt.rows[0].map(Number);
const version = (await db.runAndReadAll('SELECT version()')).getRows()[0][0];
console.log(JSON.stringify({ version, load_cpu_s: load.cpu_s, bytes: statSync(file).size, hunt_cpu_s: hunt.cpu_s,
  count, sum, max, top_cpu_s: top.cpu_s, top: top.rows.map((r) => r.map(Number)) }));
