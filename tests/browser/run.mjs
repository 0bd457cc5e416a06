// SPDX-License-Identifier: Apache-2.0
/*
 * run.mjs BUILT [--shots DIR] [--program VONGGAC] [NAME...] - the console in headless Chromium: every way through it, in both languages, by keyboard, on a
 * telephone and on an office screen, judged by axe.
 *
 * BUILT is what console/build.mjs made. One browser for everything; each test has its own context and its own stand-in office.
 * Prints ok, not ok or skip lines; where Node packages or Chromium are missing, one skip line with the reason.
 * --program: also the main ways against a real node that this program opens (node.mjs).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const consoleDir = resolve(here, '../../console');
const args = process.argv.slice(2);
const option = (name) => {
  const at = args.indexOf(name);
  return at < 0 ? null : args.splice(at, 2)[1];
};
const shots = option('--shots');
const program = option('--program');
const [built, ...wanted] = args;

function skip(reason) {
  console.log(`skip browser: ${reason}`);
  process.exit(0);
}

if (!built || !existsSync(join(built, 'index.html'))) skip(`the console is not built (${built ?? 'no directory given'})`);
const chromiumPath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
if (!chromiumPath) skip('no Chromium is installed');
const require = createRequire(join(consoleDir, 'package.json'));
let playwright;
let axeSource;
try {
  playwright = require('playwright-core');
  axeSource = require('axe-core').source;
} catch {
  skip('Node packages of console/ are not installed');
}

if (shots) mkdirSync(shots, { recursive: true });
/* Debian's Chromium has no sandbox of its own for root and in containers; it only ever opens our own pages here. */
const browser = await playwright.chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--force-prefers-reduced-motion'] });
const LANES = 2; // at a time; the longest tests stand first
let failed = 0;

async function one(t, name, run) {
  const at = Date.now();
  try {
    await run(t);
    console.log(`ok browser: ${name} (${((Date.now() - at) / 1000).toFixed(1)} s)`);
  } catch (e) {
    failed++;
    console.log(`not ok browser: ${name}`);
    console.log(String(e.stack ?? e).split('\n').slice(0, 14).map((l) => `  ${l}`).join('\n'));
  }
}

const started = Date.now();
try {
  const modules = [...(program ? ['./node.mjs'] : []), './looks.mjs', './desks.mjs', './states.mjs', './door.mjs', './text.mjs'];
  const queue = [];
  for (const m of modules) queue.push(...Object.entries((await import(m)).tests));
  const chosen = queue.filter(([name]) => !wanted.length || wanted.some((w) => name.includes(w)));
  const t = { browser, built: resolve(built), shots, axeSource, consoleDir, program: program && resolve(program) };
  const lane = async () => {
    for (let next = chosen.shift(); next; next = chosen.shift()) await one(t, ...next);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
} finally {
  await browser.close();
}
console.log(`  ${((Date.now() - started) / 1000).toFixed(0)} s in all`);
process.exit(failed ? 1 : 0);
