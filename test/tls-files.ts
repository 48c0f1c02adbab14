// A certificate for 127.0.0.1 and localhost that has signed itself, made by openssl for the test that asks.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why there is no certificate, or false. */
export const noOpenssl: string | false = ['/usr/bin/openssl', '/usr/local/bin/openssl', '/bin/openssl'].some(existsSync)
  ? false
  : 'openssl is not installed';

export interface CertificateFiles {
  tlsCert: string;
  tlsKey: string;
  /** The certificate itself, which vouches for it. */
  ca: string;
}

/** @param directory where the two files go */
export function makeCertificate(directory: string): CertificateFiles {
  const tlsCert = join(directory, 'cert.pem');
  const tlsKey = join(directory, 'key.pem');
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', tlsKey, '-out', tlsCert], { stdio: 'pipe' });
  return { tlsCert, tlsKey, ca: readFileSync(tlsCert, 'utf8') };
}
