#!/usr/bin/env node
// The `hongbao` command: runs tools/cli with the pinned Node, from the .ts files of a checkout or the built package.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The server needs reusePort, type stripping and the Atomics of this major version or a later one. */
const NEEDED_MAJOR = 26;

// Sources without their types, and compiled code, are kept from one start to the next; threads and children find them too.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url));
module.enableCompileCache?.();

const source = new URL('./cli.ts', import.meta.url);
const entry = existsSync(source) ? source : new URL('../dist/tools/cli.js', import.meta.url);

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  await import(entry.href);
} else {
  const node = findPinnedNode();
  if (node === undefined) {
    process.stderr.write(`hongbao needs Node ${NEEDED_MAJOR} or later; this is ${process.versions.node}\n`);
    process.exit(1);
  }
  runWith(node);
}

/** The Node that the lockfile pins for this platform, or undefined where there is none. */
function findPinnedNode() {
  try {
    const name = `node-${process.platform}-${process.arch}`;
    return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    return undefined;
  }
}

/** Runs the command in a child with the same streams; signals reach it, and its end is ours. */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(entry), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
    process.exitCode = code ?? 1;
  });
}
