// The version of this package, from its package.json: in a checkout and in the built package alike.

import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

const { version } = JSON.parse(readFileSync(findPackageJSON('.', import.meta.url)!, 'utf8')) as { version: string };

/** Such as 0.1.0. */
export const VERSION = version;

/** Name and version, for WELCOME and GET /status. */
export const SERVER_NAME = `hongbao/${version}`;
